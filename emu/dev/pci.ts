/**
 * PCI: configuration mechanism 1, a host bridge, and functions to plug in.
 *
 * Port 0xcf8 takes an address (bit 31 enabled, 16-23 bus, 11-15 device, 8-10
 * function, 2-7 register), ports 0xcfc to 0xcff are the register. Only accesses
 * of four bytes reach 0xcf8; a byte at 0xcf9 is the reset control register.
 *
 * Sources: PCI local bus specification 2.3, 3.2.2.3.2 and chapter 6; 82441FX
 * (PMC) data sheet for the host bridge; 82371SB (PIIX3) data sheet, 2.5.7 for
 * reset control.
 *
 * @module
 */

import type { Bus, Device, Range, Width } from "../bus.ts";
import type { State } from "../state.ts";

/** A base address register: ports or memory that the guest places. */
export interface Bar {
  /** What it decodes. */
  readonly kind: "ports" | "memory";
  /** Bytes; a power of two, at least 4 for ports and 16 for memory. */
  readonly size: number;
  /** Widths and registers, as in {@link Range}. */
  readonly range: Pick<Range, "widest" | "narrowest" | "read" | "write">;
}

/** Part of a function's configuration space. */
export interface ConfigBytes {
  /** The first byte, 0 to 255. */
  readonly at: number;
  /** Values after power-on. */
  readonly bytes: readonly number[];
  /** Bits the guest may change; none if absent. */
  readonly writable?: readonly number[];
}

/** What a function is. */
export interface PciFunctionOptions {
  /** Device number, 0 to 31. */
  readonly device: number;
  /** Vendor. */
  readonly vendorId: number;
  /** Which of the vendor's. */
  readonly deviceId: number;
  /** Class, subclass and interface, as 24 bits. */
  readonly classCode: number;
  /** Revision. */
  readonly revision?: number;
  /** Subsystem vendor and device. */
  readonly subsystem?: readonly [vendor: number, device: number];
  /** Interrupt pin: 1 for INTA#; 0, none, if absent. */
  readonly pin?: number;
  /** Up to six base address registers. */
  readonly bars?: readonly Bar[];
  /** Anything else: capabilities, registers of its own. */
  readonly config?: readonly ConfigBytes[];
}

/** Ports and memory that base address registers may not be placed on. */
const lowestPort = 0x1000;
const lowestMemory = 0x10_0000;

/** A function of a device. */
export class PciFunction implements Device {
  /** Its name. */
  readonly name: string;
  /** Device number. */
  readonly device: number;
  readonly #bus: Bus;
  readonly #options: PciFunctionOptions;
  readonly #writable = new Uint8Array(256);
  readonly #r = { config: new Uint8Array(256) };
  readonly #places: (() => void)[] = [];

  /** The function after power-on: nothing decoded. */
  constructor(bus: Bus, options: PciFunctionOptions) {
    this.name = `pci${options.device}`;
    this.device = options.device;
    this.#bus = bus;
    this.#options = options;
    this.reset();
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on. */
  reset(): void {
    const { vendorId, deviceId, classCode, revision = 0, subsystem, pin = 0 } = this.#options;
    this.#r.config.fill(0);
    this.#writable.fill(0);
    const word = (at: number, value: number) => this.#set(at, [value & 0xff, value >> 8]);
    word(0x00, vendorId);
    word(0x02, deviceId);
    // Command: ports, memory, bus master, no INTx; status has nothing to clear.
    this.#set(0x04, [0, 0], [0x07, 0x04]);
    this.#set(0x08, [revision, classCode & 0xff, classCode >> 8 & 0xff, classCode >> 16]);
    this.#set(0x0c, [0, 0], [0xff, 0xff]);
    (this.#options.bars ?? []).forEach(({ kind, size }, i) => {
      const mask = ~(size - 1) >>> 0;
      const bytes = [mask, mask >>> 8, mask >>> 16, mask >>> 24].map((byte) => byte & 0xff);
      this.#set(0x10 + 4 * i, [kind === "ports" ? 1 : 0], bytes);
    });
    word(0x2c, subsystem?.[0] ?? 0);
    word(0x2e, subsystem?.[1] ?? 0);
    this.#set(0x3c, [0, pin], [0xff, 0]);
    for (const { at, bytes, writable } of this.#options.config ?? []) {
      this.#set(at, bytes, writable);
    }
    this.place();
  }

  /** A byte of configuration space. */
  read(at: number): number {
    return this.#r.config[at] ?? 0xff;
  }

  /** Writes a byte of configuration space, where it can be written. */
  write(at: number, value: number): void {
    const mask = this.#writable[at] ?? 0;
    const before = this.read(at);
    this.#r.config[at] = before & ~mask | value & mask;
  }

  /** Decodes nothing any more, until {@link PciFunction.place}. */
  withdraw(): void {
    for (const remove of this.#places.splice(0)) remove();
  }

  /** Whether the function may move data by itself. */
  get isBusMaster(): boolean {
    return (this.read(0x04) & 0x04) !== 0;
  }

  #set(at: number, bytes: readonly number[], writable: readonly number[] = []): void {
    this.#r.config.set(bytes, at);
    this.#writable.set(writable, at);
  }

  /** Decodes what command and base addresses now say. */
  place(): void {
    this.withdraw();
    const command = this.read(0x04);
    (this.#options.bars ?? []).forEach(({ kind, size, range }, i) => {
      const at = 0x10 + 4 * i;
      const value = (this.read(at) | this.read(at + 1) << 8 | this.read(at + 2) << 16 |
        this.read(at + 3) << 24) >>> 0;
      const first = (value & ~(kind === "ports" ? 3 : 15)) >>> 0;
      if (kind === "ports") {
        // While it sizes, a guest writes all ones with decoding on.
        if ((command & 1) === 0 || first < lowestPort || first + size > 0x10000) return;
        this.#places.push(this.#bus.addPorts({ ...range, first, size }));
      } else {
        if ((command & 2) === 0 || first < lowestMemory || first + size >= 0x1_0000_0000) return;
        const remove = this.#bus.addWindow({ ...range, first, size });
        if (remove !== undefined) this.#places.push(remove);
      }
    });
  }
}

/** How PCI is made. */
export interface PciOptions {
  /** Pulses the machine's reset. */
  readonly reset: () => void;
}

/** The host bridge: bus 0 and its configuration ports. */
export class PciHost implements Device {
  /** Its name. */
  readonly name = "pci";
  readonly #functions = new Map<number, PciFunction>();
  readonly #r = { address: 0, resetControl: 0 };

  /** A bus with the host bridge, device 0, on it. */
  constructor(bus: Bus, { reset }: PciOptions) {
    this.plug(hostBridge(bus));
    bus.addPorts({
      first: 0xcf8,
      size: 4,
      widest: 4,
      read: (offset, width) => {
        if (width === 4) return this.#r.address;
        return offset === 1 && width === 1 ? this.#r.resetControl : (width === 1 ? 0xff : 0xffff);
      },
      write: (offset, value, width) => {
        if (width === 4) this.#r.address = (value & 0x80ff_fffc) >>> 0;
        if (offset !== 1 || width !== 1) return;
        // Bit 2 going up resets; bit 1 says how hard.
        const before = this.#r.resetControl;
        this.#r.resetControl = value & 0x0e;
        if ((value & ~before & 4) !== 0) reset();
      },
    });
    bus.addPorts({
      first: 0xcfc,
      size: 4,
      widest: 4,
      read: (offset, width) => this.#read(offset, width),
      write: (offset, value, width) => this.#write(offset, value, width),
    });
  }

  /** Live record; the functions have their own. */
  get registers(): State {
    return this.#r;
  }

  /** The functions, by device number. */
  get functions(): readonly PciFunction[] {
    return [...this.#functions.values()].toSorted((a, b) => a.device - b.device);
  }

  /** Plugs a function in, in place of what was there. */
  plug(pciFunction: PciFunction): void {
    this.#functions.set(pciFunction.device, pciFunction);
  }

  /** As after power-on, functions included. */
  reset(): void {
    Object.assign(this.#r, { address: 0, resetControl: 0 });
    for (const pciFunction of this.functions) pciFunction.reset();
  }

  get #target(): PciFunction | undefined {
    const { address } = this.#r;
    // Bus 0, function 0, enabled.
    if ((address & 0x80ff_0700) >>> 0 !== 0x8000_0000) return undefined;
    return this.#functions.get(address >> 11 & 31);
  }

  #read(offset: number, width: Width): number {
    const target = this.#target;
    let value = 0;
    for (let i = width - 1; i >= 0; i--) {
      value = value * 256 + (target?.read((this.#r.address & 0xfc) + offset + i) ?? 0xff);
    }
    return value;
  }

  #write(offset: number, value: number, width: Width): void {
    const target = this.#target;
    if (target === undefined) return;
    const first = (this.#r.address & 0xfc) + offset;
    for (let i = 0; i < width; i++) target.write(first + i, value >>> 8 * i & 0xff);
    // Command and base addresses. Everybody is placed anew, by device number, so
    // that who wins where two overlap is not a matter of who came first.
    if (first >= 0x28 || (first & 0xfc) === 0) return;
    for (const pciFunction of this.functions) pciFunction.withdraw();
    for (const pciFunction of this.functions) pciFunction.place();
  }

  /** Places what the restored functions say, in the same order. */
  restored(): void {
    for (const pciFunction of this.functions) pciFunction.withdraw();
    for (const pciFunction of this.functions) pciFunction.place();
  }
}

/**
 * Where a device's interrupt pin ends: pins rotate with the device number, so
 * that single-function devices spread over the lines.
 *
 * @param pin 1 for INTA#.
 * @returns 0 to 3.
 */
export function intxLine(device: number, pin: number): number {
  return (device + pin - 1) & 3;
}

/** An i440FX as far as kernels look at it: its names, and registers that read as written. */
function hostBridge(bus: Bus): PciFunction {
  return new PciFunction(bus, {
    device: 0,
    vendorId: 0x8086,
    deviceId: 0x1237,
    classCode: 0x06_0000,
    revision: 2,
    // PMCCFG, and the seven registers that shadow the BIOS's memory.
    config: [{ at: 0x50, bytes: [0, 0], writable: [0xff, 0xff] }, {
      at: 0x59,
      bytes: [0, 0, 0, 0, 0, 0, 0],
      writable: [0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33],
    }],
  });
}
