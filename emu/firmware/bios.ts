/**
 * A BIOS for guests that start in real mode: vectors, data area, ROM, and the
 * services behind them.
 *
 * Nothing is remembered here: what a BIOS remembers is in the guest's memory, where
 * programs look for it, and in the devices. So a snapshot of the machine is one of the
 * BIOS too, and a guest may change whatever it likes.
 *
 * It finds out by itself what the board has, by asking ports as a BIOS does, and knows
 * nothing of whom it starts.
 *
 * Sources: IBM PC/AT Technical Reference; Ralf Brown's interrupt list.
 *
 * @module
 */

import { type Bus, byteRange } from "../bus.ts";
import type { Processor } from "../cpu/processor.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { bda } from "./bios_data.ts";
import { clockService, tick, ticksNow } from "./clock.ts";
import { type DiskImage, diskService } from "./disk.ts";
import { Guest } from "./guest.ts";
import { keyboardService, keyInterrupt } from "./keyboard.ts";
import { biosPort, buildRom, type Rom, romAt, romSegment, type Service } from "./rom.ts";
import {
  equipmentService,
  memoryFrom,
  type MemoryRange,
  memorySizeService,
  systemService,
  waitCount,
} from "./system.ts";
import { setMode, videoService } from "./video.ts";

const bootSector = 0x7c00;

/** What a BIOS is made for. */
export interface BiosOptions {
  /** The processor that calls it. */
  readonly cpu: Processor;
  /** The board's ports and windows. */
  readonly bus: Bus;
  /** The guest's memory. */
  readonly memory: GuestMemory;
  /** What interrupt 15h, function E820, says: sorted, without overlaps. */
  readonly map: readonly MemoryRange[];
  /** The first hard disk; none if absent. It cannot be written. */
  readonly disk?: DiskImage;
  /** Is told of every character typed by interrupt 10h, in code page 437. */
  readonly print?: (character: number) => void;
}

/** The BIOS of one machine. */
export class Bios {
  readonly #options: BiosOptions;
  readonly #guest: Guest;
  readonly #rom: Rom = buildRom();
  readonly #services: Readonly<Record<Service, (guest: Guest) => void>>;

  /** Puts the services behind their port; memory stays as it is until {@link Bios.install}. */
  constructor(options: BiosOptions) {
    this.#options = options;
    this.#guest = new Guest(options.cpu, options.bus, options.memory);
    const { map, disk, print = () => {} } = options;
    this.#services = {
      video: (guest) => videoService(guest, print),
      equipment: equipmentService,
      memorySize: memorySizeService,
      disk: (guest) => diskService(guest, disk),
      serial: serialService,
      system: (guest) => systemService(guest, map),
      waitCount,
      keyboard: keyboardService,
      printer: (guest) => guest.ah = 0x01,
      clock: clockService,
      boot: (guest) => guest.branch = !loadBootSector(guest, disk),
      noBoot: (guest) => this.#say(guest, "Nothing to boot.\r\n"),
      tick,
      key: keyInterrupt,
    };
    options.bus.addPorts(byteRange(biosPort, 1, () => 0xff, () => this.#call()));
  }

  /**
   * What a BIOS does before it starts a program: ROM, vectors and data area into
   * memory, interrupt controllers, timer and screen set up.
   */
  install(): void {
    const { memory, map, disk } = this.#options;
    const guest = this.#guest;
    memory.write(romSegment << 4, this.#rom.bytes);
    this.#writeVectors();
    memory.write(0x400, new Uint8Array(0x100));
    const low = memoryFrom(map, 0, 0xa0000);
    guest.write(bda.memoryKiB, low >> 10, 2);
    if (low < 0xa0000) {
      // What is left below 640 KiB is the extended area; its first byte is its size in KiB.
      guest.write(bda.extendedSegment, low >> 4, 2);
      guest.write(low, (0xa0000 - low) >> 10, 1);
    }
    const hasSerial = guest.in(0x3fd) !== 0xff;
    if (hasSerial) {
      guest.write(bda.serialPorts, 0x3f8, 2);
      // 9600 baud, eight bits, no parity, one stop bit.
      guest.out(0x3fb, 0x83);
      guest.out(0x3f8, 12);
      guest.out(0x3f9, 0);
      guest.out(0x3fb, 0x03);
    }
    // A coprocessor, 80 columns in colour, serial lines from bit 9 on.
    guest.write(bda.equipment, 0x0022 | (hasSerial ? 0x0200 : 0), 2);
    const begin = bda.buffer - 0x400;
    for (const field of [bda.bufferHead, bda.bufferTail, bda.bufferStart]) {
      guest.write(field, begin, 2);
    }
    guest.write(bda.bufferEnd, begin + 32, 2);
    guest.write(bda.keyboard, 0x10, 1);
    guest.write(bda.disks, disk === undefined ? 0 : 1, 1);
    guest.write(bda.egaMemory, 0x60, 1);
    guest.write(bda.egaSwitches, 0x09, 1);
    guest.write(bda.vgaFlags, 0x11, 1);
    guest.write(bda.display, 0x08, 1);
    this.#startDevices();
    const { ax } = guest;
    setMode(guest, 3, true);
    guest.ax = ax;
  }

  /** Where interrupt vectors lead. */
  #writeVectors(): void {
    const guest = this.#guest;
    const set = (vector: number, offset: number) =>
      guest.write(4 * vector, (romSegment << 16 | offset) >>> 0, 4);
    for (let vector = 0; vector < 256; vector++) {
      set(vector, this.#rom.vectors.get(vector) ?? romAt.iret);
    }
    set(0x1e, romAt.diskette);
    set(0x1f, romAt.font8 + 8 * 128);
    set(0x41, romAt.noDisk);
    set(0x43, romAt.font16);
    set(0x46, romAt.noDisk);
    // Vectors for programs to use have nothing in them.
    for (let vector = 0x60; vector < 0x68; vector++) guest.write(4 * vector, 0, 4);
  }

  #startDevices(): void {
    const guest = this.#guest;
    // Vectors 8 and 70h on; the timer, the keyboard and the second controller may ask.
    guest.out(0x20, 0x11);
    guest.out(0x21, 0x08, 0x04, 0x01, 0xb8);
    guest.out(0xa0, 0x11);
    guest.out(0xa1, 0x70, 0x02, 0x01, 0xff);
    // 18.2 ticks a second: mode 3, the largest count.
    guest.out(0x43, 0x36);
    guest.out(0x40, 0, 0);
    guest.write(bda.ticks, guest.in(0x71) === 0xff ? 0 : ticksNow(guest), 4);
  }

  /** A stub has written to the port. */
  #call(): void {
    const { cpu } = this.#options;
    const [, cs] = cpu.segments;
    // The port is for the ROM's stubs; whoever else writes to it finds nobody there.
    if (cpu.isProtected || cs.base !== romSegment << 4) return;
    const service = this.#rom.calls.get(cpu.rip);
    if (service !== undefined) this.#services[service](this.#guest);
  }

  #say(guest: Guest, text: string): void {
    const { print = () => {} } = this.#options;
    const { ax, bx } = guest;
    for (const character of text) {
      guest.ax = 0x0e00 | character.charCodeAt(0);
      videoService(guest, print);
    }
    guest.ax = ax;
    guest.bx = bx;
  }
}

/** Interrupt 19h: the disk's first sector to 0:7c00, if it is one that boots. */
function loadBootSector(guest: Guest, disk: DiskImage | undefined): boolean {
  if (disk === undefined || disk.sectors === 0) return false;
  const sector = disk.read(0, 1);
  if (sector[510] !== 0x55 || sector[511] !== 0xaa) return false;
  guest.writeBytes(bootSector, sector);
  guest.dx = 0x0080;
  return true;
}

/** Interrupt 14h: the first serial line, at whatever speed it has. */
function serialService(guest: Guest): void {
  const base = guest.dx === 0 ? guest.read(bda.serialPorts, 2) : 0;
  if (base === 0) {
    // Timed out.
    guest.ah = 0x80;
    return;
  }
  const status = guest.in(base + 5);
  switch (guest.ah) {
    case 0x00:
    case 0x03:
      guest.ax = status << 8 | guest.in(base + 6);
      break;
    case 0x01:
      guest.out(base, guest.al);
      guest.ah = status;
      break;
    case 0x02:
      if ((status & 1) !== 0) guest.al = guest.in(base);
      guest.ah = (status & 1) !== 0 ? status & 0x1e : 0x80;
      break;
  }
}
