/**
 * The kernel's own symbol table, which it keeps for its oopses and which stays
 * where symbols and sections are stripped.
 *
 * @module
 */

import type { Addresses } from "./addresses.ts";

/** A symbol of the kernel. */
export interface KernelSymbol {
  /** Virtual address as linked; of a per-CPU symbol perhaps the offset in its area. */
  readonly address: bigint;
  /**
   * Its type as nm writes it: `T` text, `D` data, `R` read-only, `B` unset, `A`
   * absolute; a small letter where it is local. `?` in tables without types.
   */
  readonly type: string;
  /** Its name. */
  readonly name: string;
}

/** What an address belongs to. */
export interface NearestSymbol {
  /** The last symbol at or before the address; of several at one place the first. */
  readonly symbol: KernelSymbol;
  /** Bytes from the symbol to the address. */
  readonly offset: bigint;
}

/** Names of symbols by their place in the table. */
export interface SymbolNames {
  /** Type letter and name together. */
  text(index: number): string;
  /** The first place of a name from `from` on; -1 if there is none. */
  find(name: string, from: number): number;
}

/** Where the parts of the table stand, in bytes from the start of the file, by their labels. */
export type KallsymsPlaces = Readonly<Record<string, number>>;

/** No object of a kernel is as long as this; further from a symbol is past its end. */
const MAX_OBJECT = 1 << 24;

/** The symbols of a kernel in ascending order of address. */
export class Kallsyms {
  /** Tells this from an answer that says why there is none. */
  readonly found = true;
  /** How many symbols there are. */
  readonly count: number;
  /** Which of the kernel's ways of writing the table this is, in words. */
  readonly layout: string;
  /** Where the parts of the table stand in the file. */
  readonly places: KallsymsPlaces;

  readonly #names: SymbolNames;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** The first symbol that is an address and no offset in a per-CPU area. */
  readonly #first: number;

  /** Made by `findKallsyms`. */
  constructor(layout: string, places: KallsymsPlaces, names: SymbolNames, addresses: Addresses) {
    this.layout = layout;
    this.places = places;
    this.count = addresses.low.length;
    this.#names = names;
    this.#high = addresses.high;
    this.#low = addresses.low;
    // A 64-bit kernel lives in the upper half; what is below it are offsets.
    const isUpper = (high: number) => high >= 0x8000_0000;
    this.#first = isUpper(addresses.high.at(-1) ?? 0) ? addresses.high.findIndex(isUpper) : 0;
  }

  /** The address of the symbol at a place in the table, 0 to `count` - 1. */
  address(index: number): bigint {
    return BigInt(this.#high[index] ?? 0) << 32n | BigInt(this.#low[index] ?? 0);
  }

  /** The name of the symbol at a place in the table, 0 to `count` - 1. */
  name(index: number): string {
    return this.#names.text(index).slice(1);
  }

  /** The type letter of the symbol at a place in the table, 0 to `count` - 1. */
  type(index: number): string {
    return this.#names.text(index).charAt(0);
  }

  /** The symbol at a place in the table; undefined past its end. */
  symbol(index: number): KernelSymbol | undefined {
    if (!(index >= 0 && index < this.count)) return undefined;
    const text = this.#names.text(index);
    return { address: this.address(index), type: text.charAt(0), name: text.slice(1) };
  }

  /** All symbols in ascending order of address. */
  *symbols(): Generator<KernelSymbol> {
    for (let i = 0; i < this.count; i++) {
      const symbol = this.symbol(i);
      if (symbol !== undefined) yield symbol;
    }
  }

  /** The address of a name, the lowest if several symbols have it; undefined if none. */
  lookup(name: string): bigint | undefined {
    const index = this.#names.find(name, 0);
    return index < 0 ? undefined : this.address(index);
  }

  /** All addresses of a name in ascending order; local names often have several. */
  lookupAll(name: string): readonly bigint[] {
    const addresses: bigint[] = [];
    for (let i = this.#names.find(name, 0); i >= 0; i = this.#names.find(name, i + 1)) {
      addresses.push(this.address(i));
    }
    return addresses;
  }

  /**
   * What an address belongs to; undefined before the first symbol and far
   * behind the last. Per-CPU symbols that are offsets are no address's.
   */
  nearest(address: bigint): NearestSymbol | undefined {
    const index = this.nearestIndex(Number(address >> 32n), Number(address & 0xffffffffn));
    const symbol = this.symbol(index);
    return symbol && { symbol, offset: address - symbol.address };
  }

  /**
   * As {@link Kallsyms.nearest}, for whoever asks a million times: takes an
   * address in two halves, gives a place in the table or -1, and allocates nothing.
   *
   * @param high Bits 32 to 63 as an unsigned number.
   * @param low Bits 0 to 31 as an unsigned number.
   */
  nearestIndex(high: number, low: number): number {
    const highs = this.#high;
    const lows = this.#low;
    let from = this.#first; // all before are at or below the address
    let to = this.count; // all from here on are above it
    while (from < to) {
      const middle = (from + to) >>> 1;
      const h = highs[middle] as number;
      if (h < high || (h === high && (lows[middle] as number) <= low)) from = middle + 1;
      else to = middle;
    }
    let index = from - 1;
    if (index < this.#first) return -1;
    const h = highs[index] as number;
    const l = lows[index] as number;
    const distance = (high - h) * 0x1_0000_0000 + low - l;
    if (distance >= MAX_OBJECT) return -1;
    while (index > this.#first && highs[index - 1] === h && lows[index - 1] === l) index--;
    return index;
  }
}
