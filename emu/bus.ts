/**
 * What devices hang on: ports, windows of physical memory, and wires.
 *
 * A device knows this file and the clock, and nothing of the processor or of its
 * neighbours. A machine is an object that owns one bus; nothing is global.
 *
 * @module
 */

import type { Clock } from "./time.ts";
import type { State, Stateful } from "./state.ts";

/** Bytes moved at once. */
export type Width = 1 | 2 | 4;

/** A device: registers, and a way back to the state after power-on. */
export interface Device extends Stateful {
  /** Its name in logs, snapshots and messages; unique in its machine. */
  readonly name: string;
  /** The state after power-on. */
  reset(): void;
}

/** A wire that a device pulls: an interrupt line, a gate, a reset. */
export type Line = (level: boolean) => void;

/** One wire that several pull: it is high while anybody pulls. */
export class SharedLine implements Stateful {
  readonly #line: Line;
  readonly #r = { pulled: 0 };

  /** Nobody pulls yet. */
  constructor(line: Line) {
    this.#line = line;
  }

  /** Live record: who pulls, a bit each. */
  get registers(): State {
    return this.#r;
  }

  /** The end of one who pulls, by his number: 0 to 31. */
  end(puller: number): Line {
    const bit = 1 << puller;
    return (level) => {
      this.#r.pulled = level ? this.#r.pulled | bit : this.#r.pulled & ~bit;
      this.#line(this.#r.pulled !== 0);
    };
  }
}

/** Consecutive ports, or bytes of physical memory, that a device answers for. */
export interface Range {
  /** The first port or physical address. */
  readonly first: number;
  /** How many ports or bytes. */
  readonly size: number;
  /**
   * The widest access the device takes whole; wider ones are split, the lower
   * half first, as the chipset does for narrow devices. 1 if absent.
   */
  readonly widest?: Width;
  /**
   * The narrowest access a memory window takes. Narrower reads are cut out of a
   * read of this width; narrower writes are lost. 1 if absent, and for ports.
   */
  readonly narrowest?: Width;
  /**
   * Reads.
   *
   * @param offset Bytes from the first.
   */
  read(offset: number, width: Width): number;
  /**
   * Writes.
   *
   * @param value Unsigned, no wider than `width`.
   */
  write(offset: number, value: number, width: Width): void;
}

/** Is told of every access, after it happened; `time` is virtual, in nanoseconds. */
export type AccessLog = (
  kind: "in" | "out" | "read" | "write",
  address: number,
  width: number,
  value: number,
  time: number,
) => void;

/** Ports and memory windows. */
export class Bus {
  /** Told of every access, if present. */
  log: AccessLog | undefined;

  readonly #clock: Clock;
  /** By port: which of `#portRanges`, 0 for none. */
  readonly #ports = new Uint8Array(0x10000);
  readonly #portRanges: (Range | undefined)[] = [undefined];
  #windows: readonly Range[] = [];

  /** An empty bus; the clock serves the log. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The memory windows, by address. */
  get windows(): readonly Range[] {
    return this.#windows;
  }

  /**
   * Gives ports to a device. Where ranges overlap, the later one answers until
   * it is taken away again.
   *
   * @returns Takes them away.
   * @throws {RangeError} Beyond port 0xffff, or with more than 255 ranges.
   */
  addPorts(range: Range): () => void {
    const end = range.first + range.size;
    if (range.first < 0 || range.size < 1 || end > 0x10000) {
      throw new RangeError(`ports ${range.first.toString(16)}+${range.size} do not exist`);
    }
    let index = this.#portRanges.indexOf(undefined, 1);
    if (index < 0) index = this.#portRanges.length;
    if (index > 0xff) throw new RangeError("more than 255 port ranges");
    this.#portRanges[index] = range;
    const before = this.#ports.slice(range.first, end);
    this.#ports.fill(index, range.first, end);
    return () => {
      if (this.#portRanges[index] !== range) return;
      this.#portRanges[index] = undefined;
      before.forEach((owner, i) => {
        if (this.#ports[range.first + i] === index) {
          this.#ports[range.first + i] = this.#portRanges[owner] === undefined ? 0 : owner;
        }
      });
    };
  }

  /**
   * Gives a window of physical memory to a device. Windows may not overlap: what
   * should happen then depends on the chipset, and no guest of ours may count on it.
   *
   * @returns Takes it away; undefined if another window is in the way.
   */
  addWindow(range: Range): (() => void) | undefined {
    const end = range.first + range.size;
    const isFree = this.#windows.every((w) => end <= w.first || range.first >= w.first + w.size);
    if (!isFree || range.size < 1) return undefined;
    this.#windows = [...this.#windows, range].toSorted((a, b) => a.first - b.first);
    return () => {
      this.#windows = this.#windows.filter((window) => window !== range);
    };
  }

  /** IN: what a port answers; all ones where nobody does. */
  in(port: number, width: Width): number {
    const value = this.#in(port & 0xffff, width);
    this.log?.("in", port & 0xffff, width, value, this.#clock.now);
    return value;
  }

  /** OUT. */
  out(port: number, value: number, width: Width): void {
    const cut = width === 4 ? value >>> 0 : value & (width === 2 ? 0xffff : 0xff);
    this.log?.("out", port & 0xffff, width, cut, this.#clock.now);
    this.#out(port & 0xffff, cut, width);
  }

  /** Reads memory that is no RAM; all ones where nobody answers. Eight bytes are two reads. */
  read(address: number, width: Width): number {
    const window = this.#windowAt(address);
    const value = window === undefined ? ones(width) : this.#read(window, address, width);
    this.log?.("read", address, width, value, this.#clock.now);
    return value;
  }

  /** Writes memory that is no RAM. */
  write(address: number, value: number, width: Width): void {
    const cut = width === 4 ? value >>> 0 : value & (width === 2 ? 0xffff : 0xff);
    this.log?.("write", address, width, cut, this.#clock.now);
    const window = this.#windowAt(address);
    if (window !== undefined) this.#write(window, address, cut, width);
  }

  #in(port: number, width: Width): number {
    const range = this.#portRanges[this.#ports[port] ?? 0];
    if (width === 1) return range === undefined ? 0xff : range.read(port - range.first, 1) & 0xff;
    if (range !== undefined && takesWhole(range, port, width)) {
      return range.read(port - range.first, width) >>> 0;
    }
    const half = width === 4 ? 2 : 1;
    const low = this.#in(port, half);
    return (this.#in((port + half) & 0xffff, half) << 8 * half | low) >>> 0;
  }

  #out(port: number, value: number, width: Width): void {
    const range = this.#portRanges[this.#ports[port] ?? 0];
    if (width === 1) {
      range?.write(port - range.first, value, 1);
      return;
    }
    if (range !== undefined && takesWhole(range, port, width)) {
      range.write(port - range.first, value, width);
      return;
    }
    const half = width === 4 ? 2 : 1;
    this.#out(port, value & ones(half), half);
    this.#out((port + half) & 0xffff, value >>> 8 * half, half);
  }

  #windowAt(address: number): Range | undefined {
    return this.#windows.find((w) => address >= w.first && address < w.first + w.size);
  }

  #read(window: Range, address: number, width: Width): number {
    const unit = window.narrowest ?? 1;
    const offset = address - window.first;
    if (width < unit) {
      const skip = offset % unit;
      // An access across two registers is two accesses.
      if (skip + width > unit) return this.#halves(address, width);
      return window.read(offset - skip, unit) >>> 8 * skip & ones(width);
    }
    if (takesWhole(window, address, width)) return window.read(offset, width) >>> 0;
    return width === 1 ? 0xff : this.#halves(address, width);
  }

  #halves(address: number, width: Width): number {
    const half = width === 4 ? 2 : 1;
    const part = (at: number) => {
      const window = this.#windowAt(at);
      return window === undefined ? ones(half) : this.#read(window, at, half);
    };
    const low = part(address);
    return (part(address + half) << 8 * half | low) >>> 0;
  }

  #write(window: Range, address: number, value: number, width: Width): void {
    if (width < (window.narrowest ?? 1)) return;
    if (takesWhole(window, address, width)) {
      window.write(address - window.first, value, width);
      return;
    }
    if (width === 1) return;
    const half = width === 4 ? 2 : 1;
    this.#write(window, address, value & ones(half), half);
    const upper = this.#windowAt(address + half);
    if (upper !== undefined) this.#write(upper, address + half, value >>> 8 * half, half);
  }
}

/**
 * Ports or windows of a device that has one register a byte.
 *
 * @param read What the register gives, by its offset.
 * @param write What happens to it.
 */
export function byteRange(
  first: number,
  size: number,
  read: (offset: number) => number,
  write: (offset: number, value: number) => void,
): Range {
  return { first, size, read, write };
}

/** All ones. */
function ones(width: Width): number {
  return width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff;
}

function takesWhole(range: Range, address: number, width: Width): boolean {
  if (width === 1) return (range.narrowest ?? 1) === 1;
  const offset = address - range.first;
  return width <= (range.widest ?? 1) && offset + width <= range.size &&
    ((range.narrowest ?? 1) === 1 || offset % width === 0);
}
