/**
 * Physical memory before the kernel runs: which of it is RAM, and who lies where.
 *
 * @module
 */

import type { E820Entry } from "../formats/boot_params.ts";
import { hex } from "../formats/errors.ts";
import { BootError } from "./errors.ts";

/** Where RAM stops below 4 GiB to leave room for devices: 3 GiB. */
export const DEVICE_HOLE = 0xc000_0000n;
/** Where the extended BIOS data area starts, at the end of low memory. */
export const EBDA_START = 0x9fc00n;

const RAM = 1;
const RESERVED = 2;
const MIB = 1n << 20n;
const GIB4 = 1n << 32n;

/**
 * The memory map of a PC of this size, as its BIOS would tell it: low memory up
 * to the EBDA, the hole up to 1 MiB, RAM, a hole for devices below 4 GiB, and
 * above it what did not fit.
 *
 * @param memory Bytes of RAM, the hole below 1 MiB counted in.
 * @param hole Where RAM stops to leave room for devices.
 * @throws {BootError} If it is not even 2 MiB.
 */
export function pcMemoryMap(memory: bigint, hole: bigint = DEVICE_HOLE): E820Entry[] {
  if (memory < 2n * MIB) throw new BootError("memory", "2 MiB at least", `${memory} bytes`);
  const below = memory < hole ? memory : hole;
  return [
    { addr: 0n, size: EBDA_START, type: RAM },
    { addr: EBDA_START, size: 0xa0000n - EBDA_START, type: RESERVED },
    { addr: 0xf0000n, size: 0x10000n, type: RESERVED },
    { addr: MIB, size: below - MIB, type: RAM },
    ...(memory > below ? [{ addr: GIB4, size: memory - below, type: RAM }] : []),
  ];
}

/** Something in memory. */
export interface Placement {
  /** What it is: "zero page", "initrd". */
  readonly what: string;
  /** Physical address of its first byte. */
  readonly address: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Why it is there. */
  readonly why: string;
}

/** What to place, and where it may go. */
export interface Wish {
  /** What it is. */
  readonly what: string;
  /** Bytes. */
  readonly size: bigint;
  /** Why it goes there. */
  readonly why: string;
  /** The one address it can have; without it the first or last fit is taken. */
  readonly at?: bigint;
  /** Lowest address; default 0. */
  readonly from?: bigint;
  /** Address that its last byte stays below; default: the end of memory. */
  readonly below?: bigint;
  /** Alignment of its address; default 1. */
  readonly align?: bigint;
  /** Highest place that fits, instead of the lowest. */
  readonly highest?: boolean;
}

const end = ({ address, size }: { address: bigint; size: bigint }): bigint => address + size;

/** Rounds up to a multiple of `align`. */
export function alignUp(value: bigint, align: bigint): bigint {
  return align <= 1n ? value : (value + align - 1n) / align * align;
}

function alignDown(value: bigint, align: bigint): bigint {
  return align <= 1n ? value : value / align * align;
}

/** RAM and what lies in it; nothing overlaps. */
export class MemoryPlan {
  readonly #ram: { readonly address: bigint; readonly size: bigint }[] = [];
  readonly #placements: Placement[] = [];

  /**
   * Starts with nothing placed.
   *
   * @param map The memory map; entries of other types than RAM take from it.
   */
  constructor(map: readonly E820Entry[]) {
    const reserved = map.filter(({ type }) => type !== RAM);
    const ram = map.filter(({ type, size }) => type === RAM && size > 0n)
      .map(({ addr, size }) => ({ address: addr, size }))
      .sort((a, b) => a.address < b.address ? -1 : 1);
    for (const range of ram) {
      let pieces = [range];
      for (const { addr, size } of reserved) {
        pieces = pieces.flatMap((piece) => [
          { address: piece.address, size: min(end(piece), addr) - piece.address },
          {
            address: max(piece.address, addr + size),
            size: end(piece) - max(piece.address, addr + size),
          },
        ]).filter((piece) => piece.size > 0n);
      }
      for (const piece of pieces) {
        const last = this.#ram.at(-1);
        if (last !== undefined && end(last) >= piece.address) {
          const top = max(end(last), end(piece));
          this.#ram[this.#ram.length - 1] = { address: last.address, size: top - last.address };
        } else this.#ram.push(piece);
      }
    }
  }

  /** What was placed, by address. */
  get placements(): readonly Placement[] {
    return this.#placements.toSorted((a, b) => a.address < b.address ? -1 : 1);
  }

  /** Address past the last byte of RAM. */
  get top(): bigint {
    const last = this.#ram.at(-1);
    return last === undefined ? 0n : end(last);
  }

  /** Whether all these bytes are RAM. */
  isRam(address: bigint, size: bigint): boolean {
    return this.#ram.some((ram) => address >= ram.address && address + size <= end(ram));
  }

  /**
   * Finds room and takes it.
   *
   * @returns The address.
   * @throws {BootError} If there is none.
   */
  place(wish: Wish): bigint {
    const { what, size, why } = wish;
    const address = wish.at === undefined ? this.#find(wish) : this.#fix(wish, wish.at);
    this.#placements.push({ what, address, size, why });
    return address;
  }

  #fix({ what, size }: Wish, address: bigint): bigint {
    const range = `[${hex(address)}, ${hex(address + size)})`;
    if (!this.isRam(address, size)) {
      throw new BootError(what, `RAM at ${range}`, `RAM at ${this.#showRam()}`);
    }
    const other = this.#placements.find((placed) =>
      address < end(placed) && placed.address < address + size
    );
    if (other !== undefined) {
      throw new BootError(
        what,
        `${range} free`,
        `${other.what} at [${hex(other.address)}, ${hex(end(other))})`,
      );
    }
    return address;
  }

  #find({ what, size, from = 0n, below = this.top, align = 1n, highest = false }: Wish): bigint {
    const free = this.#free().map((gap) => {
      const address = max(gap.address, from);
      return { address, size: min(end(gap), below) - address };
    });
    const fits = free.flatMap((gap) => {
      const address = highest ? alignDown(end(gap) - size, align) : alignUp(gap.address, align);
      return gap.size >= size && address >= gap.address && address + size <= end(gap)
        ? [address]
        : [];
    });
    const address = highest ? fits.at(-1) : fits[0];
    if (address !== undefined) return address;
    const largest = free.reduce((most, gap) => max(most, gap.size), 0n);
    const aligned = align > 1n ? ` aligned to ${hex(align)}` : "";
    throw new BootError(
      what,
      `${size} bytes${aligned} in [${hex(from)}, ${hex(below)})`,
      `${largest} bytes free in one piece`,
    );
  }

  #free(): { address: bigint; size: bigint }[] {
    const gaps: { address: bigint; size: bigint }[] = [];
    for (const ram of this.#ram) {
      let { address } = ram;
      for (const placed of this.placements) {
        if (end(placed) <= address || placed.address >= end(ram)) continue;
        if (placed.address > address) gaps.push({ address, size: placed.address - address });
        address = max(address, end(placed));
      }
      if (address < end(ram)) gaps.push({ address, size: end(ram) - address });
    }
    return gaps;
  }

  #showRam(): string {
    return this.#ram.map((ram) => `[${hex(ram.address)}, ${hex(end(ram))})`).join(", ");
  }
}

const min = (a: bigint, b: bigint): bigint => a < b ? a : b;
const max = (a: bigint, b: bigint): bigint => a > b ? a : b;
