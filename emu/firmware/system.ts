/**
 * Interrupts 11h, 12h and 15h: what the machine has.
 *
 * | function      | answer                                                     |
 * | ------------- | ---------------------------------------------------------- |
 * | EAX=E820      | the memory map, a range a call                             |
 * | AX=E801, E881 | memory from 1 MiB to 16 MiB, and above                     |
 * | AH=88         | memory above 1 MiB                                         |
 * | AH=87         | moves a block, also above 1 MiB                            |
 * | AX=2400-2403  | address line 20: close, open, ask, ask how                 |
 * | AH=86         | waits for CX:DX microseconds                               |
 * | AH=C0, C1     | configuration table; segment of the extended data area     |
 * | AX=EC00       | the caller will run in long mode: thank you                |
 * | others        | no: AH=86, carry                                           |
 *
 * Source: Ralf Brown's interrupt list; ACPI specification, "System Address Map
 * Interfaces".
 *
 * @module
 */

import { bda } from "./bios_data.ts";
import type { Guest } from "./guest.ts";
import { romAt, romSegment } from "./rom.ts";

/** A range of the memory map. */
export interface MemoryRange {
  /** Physical address of its first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** 1 RAM, 2 reserved, 3 ACPI tables, 4 ACPI to be kept, 5 bad. */
  readonly type: number;
}

const smap = 0x534d_4150;
const ram = 1;

/** Bytes of RAM from an address on without a gap, up to a limit. */
export function memoryFrom(map: readonly MemoryRange[], from: number, limit: number): number {
  let end = from;
  for (const { base, size, type } of map.toSorted((a, b) => a.base - b.base)) {
    if (type === ram && base <= end && base + size > end) end = base + size;
  }
  return Math.min(end, limit) - from;
}

/** Interrupt 11h. */
export function equipmentService(guest: Guest): void {
  guest.ax = guest.read(bda.equipment, 2);
}

/** Interrupt 12h. */
export function memorySizeService(guest: Guest): void {
  guest.ax = guest.read(bda.memoryKiB, 2);
}

/** Interrupt 15h, with this memory map. */
export function systemService(guest: Guest, map: readonly MemoryRange[]): void {
  guest.branch = false;
  guest.carry = false;
  switch (guest.ah) {
    case 0x24:
      return addressLine20(guest);
    case 0x4f: // a keystroke may pass as it is
      guest.carry = true;
      return;
    case 0x86:
      return wait(guest);
    case 0x87:
      return moveBlock(guest);
    case 0x88:
      // Above 64 MiB programs of that age lose count.
      guest.ax = Math.min(0xfc00, memoryFrom(map, 0x10_0000, 2 ** 32) >>> 10);
      return;
    case 0x90: // a device is busy, or ready: nobody else has work
    case 0x91:
      guest.ah = 0;
      return;
    case 0xc0:
      guest.setEs(romSegment);
      guest.bx = romAt.configuration;
      guest.ah = 0;
      return;
    case 0xc1: {
      const segment = guest.read(bda.extendedSegment, 2);
      if (segment === 0) return refuse(guest);
      guest.setEs(segment);
      return;
    }
    case 0xe8:
      return largeMemory(guest, map);
    case 0xec:
      guest.ah = 0;
      return;
    default:
      return refuse(guest);
  }
}

function refuse(guest: Guest): void {
  guest.carry = true;
  guest.ah = 0x86;
}

function largeMemory(guest: Guest, map: readonly MemoryRange[]): void {
  const { al } = guest;
  if (al === 0x20 && guest.edx === smap) return memoryMap(guest, map);
  if (al !== 0x01 && al !== 0x81) return refuse(guest);
  const middle = memoryFrom(map, 0x10_0000, 0x100_0000);
  const isWhole = middle === 0xf0_0000;
  const high = isWhole ? memoryFrom(map, 0x100_0000, 2 ** 32) : 0;
  const [kib, blocks] = [middle >>> 10, Math.floor(high / 0x1_0000)];
  if (al === 0x81) {
    guest.eax = guest.ecx = kib;
    guest.ebx = guest.edx = blocks;
  } else {
    guest.ax = guest.cx = kib;
    guest.bx = guest.dx = blocks;
  }
}

/** EBX counts the ranges; it comes back as 0 with the last. */
function memoryMap(guest: Guest, map: readonly MemoryRange[]): void {
  const range = map[guest.ebx];
  if (range === undefined || guest.ecx < 20) return refuse(guest);
  const entry = new DataView(new ArrayBuffer(20));
  entry.setBigUint64(0, BigInt(range.base), true);
  entry.setBigUint64(8, BigInt(range.size), true);
  entry.setUint32(16, range.type, true);
  guest.writeBytes(guest.es(guest.di), new Uint8Array(entry.buffer));
  guest.eax = smap;
  guest.ecx = 20;
  guest.ebx = guest.ebx + 1 < map.length ? guest.ebx + 1 : 0;
}

/** By port 92h, if there is one. */
function addressLine20(guest: Guest): void {
  const port = guest.in(0x92);
  const hasPort = port !== 0xff;
  switch (guest.al) {
    case 0x00:
    case 0x01:
      if (!hasPort) return refuse(guest);
      guest.out(0x92, port & ~3 | (guest.al === 1 ? 2 : 0));
      guest.ah = 0;
      break;
    case 0x02:
      guest.al = !hasPort || (port & 2) !== 0 ? 1 : 0;
      guest.ah = 0;
      break;
    case 0x03: // by the keyboard controller and by port 92h
      guest.bx = (hasPort ? 2 : 0) | (guest.in(0x64) !== 0xff ? 1 : 0);
      guest.ah = 0;
      break;
    default:
      refuse(guest);
  }
}

/** The stub waits, if there is something to wait by. */
function wait(guest: Guest): void {
  if (guest.in(0x61) === 0xff) return refuse(guest);
  guest.ah = 0;
  guest.branch = turns(guest) > 0;
}

/** Turns of the refresh bit, 15.085 microseconds each, in CX:DX microseconds. */
function turns(guest: Guest): number {
  return Math.ceil((guest.cx * 0x1_0000 + guest.dx) / 15.085);
}

/** The second half of the wait: how often to look. */
export function waitCount(guest: Guest): void {
  guest.ecx = turns(guest);
}

/** ES:SI is a table of six descriptors: the third is the source, the fourth the target. */
function moveBlock(guest: Guest): void {
  const descriptor = (index: number) => {
    const at = guest.es(guest.si) + 8 * index;
    return (guest.read(at + 2, 4) & 0xff_ffff | guest.read(at + 7, 1) << 24) >>> 0;
  };
  const [from, to] = [descriptor(2), descriptor(3)];
  for (let i = 0; i < guest.cx; i++) guest.write(to + 2 * i, guest.read(from + 2 * i, 2), 2);
  guest.ah = 0;
}
