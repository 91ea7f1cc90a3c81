/**
 * The tables of zstd's entropy coders: FSE (finite state entropy) and Huffman.
 *
 * Source: RFC 8878, sections 4.1 and 4.2.
 *
 * @module
 */

import { FormatError } from "../errors.ts";

/** One of the three codes of a sequence. */
export interface SequenceCode {
  /** What it says, for errors. */
  readonly name: string;
  /** Most bits of its states. */
  readonly mostBits: number;
  /** The distribution of the predefined table. */
  readonly predefined: readonly number[];
  /** Bits of the predefined table's states. */
  readonly predefinedBits: number;
  /** Smallest value of each symbol. */
  readonly bases: readonly number[];
  /** Extra bits of each symbol. */
  readonly extras: readonly number[];
}

/** Bytes read forwards and what is read from them. */
export interface TableInput {
  /** The whole input. */
  readonly bytes: Uint8Array;
  /** Offset of the next byte. */
  readonly at: number;
  /** Where the section ends. */
  readonly end: number;
}

/** A distribution as it was read. */
export interface Distribution {
  /** Share of each symbol out of 2^bits; -1 for less than one. */
  readonly counts: readonly number[];
  /** Bits of the states. */
  readonly bits: number;
  /** Offset behind it. */
  readonly at: number;
}

const structure = "zstd";

/** Reads the distribution of an FSE table (section 4.1.1). */
export function readDistribution(
  { bytes, at: start, end }: TableInput,
  mostBits: number,
  mostSymbols: number,
): Distribution {
  let position = start * 8;
  const fail = (problem: string): never => {
    throw new FormatError({ structure, field: "FSE table", offset: position >> 3 }, problem);
  };
  const peek = (count: number): number => {
    const at = Math.floor(position / 8);
    const byte = (i: number): number => at + i < end ? bytes[at + i] ?? 0 : 0;
    const word = byte(0) | byte(1) << 8 | byte(2) << 16;
    return word >> position % 8 & ((1 << count) - 1);
  };
  const bits = peek(4) + 5;
  position += 4;
  if (bits > mostBits) fail(`needs states of up to ${mostBits} bits, found ${bits}`);
  let remaining = (1 << bits) + 1;
  let threshold = 1 << bits;
  let width = bits + 1;
  const counts: number[] = [];
  while (remaining > 1) {
    if (counts.length >= mostSymbols) fail(`needs up to ${mostSymbols} symbols, found more`);
    if (position > end * 8) fail("needs more bytes, the section ends");
    // Small values take one bit less, as far as the values not possible leave room.
    const shorter = 2 * threshold - 1 - remaining;
    const wide = peek(width);
    let count = wide & (threshold - 1);
    if (count < shorter) {
      position += width - 1;
    } else {
      count = wide;
      if (count >= threshold) count -= shorter;
      position += width;
    }
    count--;
    remaining -= Math.abs(count);
    counts.push(count);
    while (remaining < threshold && threshold > 1) {
      threshold >>= 1;
      width--;
    }
    if (count !== 0) continue;
    for (let more = 3; more === 3;) {
      more = peek(2);
      position += 2;
      for (let i = 0; i < more; i++) counts.push(0);
      if (counts.length > mostSymbols || position > end * 8) {
        fail(`needs up to ${mostSymbols} symbols, found more`);
      }
    }
  }
  const at = Math.ceil(position / 8);
  if (remaining !== 1 || at > end) fail("needs a distribution that adds up");
  return { counts, bits, at };
}

/**
 * Lays out the states of an FSE table (section 4.1.2): into `symbols`, by state.
 * `next` gets, by symbol, the number with which to count its states on from.
 */
function spreadSymbols(
  counts: readonly number[],
  bits: number,
  symbols: Uint8Array,
  next: Uint16Array,
): void {
  const size = 1 << bits;
  let high = size - 1;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    const count = counts[symbol] as number;
    if (count === -1) {
      symbols[high--] = symbol;
      next[symbol] = 1;
    } else {
      next[symbol] = count;
    }
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let state = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let left = counts[symbol] as number; left > 0; left--) {
      symbols[state] = symbol;
      do state = (state + step) & (size - 1); while (state > high);
    }
  }
}

/**
 * Writes a table for sequences: two words an entry, as described at `zstdTables`.
 *
 * @param table Words from the table's start on.
 */
export function writeSequenceTable(
  table: Uint32Array,
  code: SequenceCode,
  counts: readonly number[],
  bits: number,
): void {
  const { bases, extras } = code;
  const size = 1 << bits;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  spreadSymbols(counts, bits, symbols, next);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] as number;
    const nth = next[symbol] as number;
    next[symbol] = nth + 1;
    const width = bits - (31 - Math.clz32(nth));
    table[2 * state] = (nth << width) - size | (extras[symbol] as number) << 16 | width << 24;
    table[2 * state + 1] = bases[symbol] as number;
  }
}

/** Writes a table of one state, which always says the same symbol. */
export function writeSingleSymbol(table: Uint32Array, code: SequenceCode, symbol: number): void {
  table[0] = (code.extras[symbol] ?? 0) << 16;
  table[1] = code.bases[symbol] ?? 0;
}

/** What reading a Huffman tree gives. */
export interface HuffmanTree {
  /** Bits of the longest code. */
  readonly bits: number;
  /** Offset behind the description. */
  readonly at: number;
}

/** Reads a Huffman tree's description (section 4.2.1) and writes its table. */
export function readHuffmanTree(input: TableInput, table: Uint16Array): HuffmanTree {
  const { bytes, at: start, end } = input;
  const fail = (problem: string): never => {
    throw new FormatError({ structure, field: "Huffman tree", offset: start }, problem);
  };
  if (start >= end) fail("needs 1 byte, the section ends");
  const head = bytes[start] ?? 0;
  const count = head - 127;
  const size = head < 128 ? head : (count + 1) >> 1;
  const at = start + 1 + size;
  if (at > end) fail(`needs ${size} bytes, the section ends`);
  const weights = head < 128
    ? packedWeights({ bytes, at: start + 1, end: at })
    : Array.from({ length: count }, (_, i) => {
      const pair = bytes[start + 1 + (i >> 1)] ?? 0;
      return i % 2 === 0 ? pair >> 4 : pair & 15;
    });

  // The last symbol's weight is what makes the sum a power of two.
  let sum = 0;
  for (const weight of weights) if (weight > 0) sum += 1 << (weight - 1);
  if (sum === 0) fail("needs a weight that is not 0");
  const bits = 32 - Math.clz32(sum);
  const left = (1 << bits) - sum;
  if (bits > 11 || (left & (left - 1)) !== 0) {
    fail(`needs weights that make a tree of up to 11 levels, found a sum of ${sum}`);
  }
  weights.push(32 - Math.clz32(left));
  const slots = new Uint16Array(14);
  for (const weight of weights) if (weight > 0) slots[weight + 1] = (slots[weight + 1] ?? 0) + 1;
  for (let weight = 2; weight <= bits + 1; weight++) {
    slots[weight] = (slots[weight - 1] ?? 0) + ((slots[weight] ?? 0) << (weight - 2));
  }
  const slot = slots[bits + 1];
  for (let symbol = 0; symbol < weights.length; symbol++) {
    const weight = weights[symbol] as number;
    if (weight === 0 || weight > bits) continue;
    const first = slots[weight] as number;
    const last = slots[weight] = first + (1 << (weight - 1));
    const entry = bits + 1 - weight | symbol << 8;
    for (let i = first; i < last; i++) table[i] = entry;
  }
  if (slot !== 1 << bits) fail("needs weights that make a whole tree");
  return { bits, at };
}

/** Weights packed by FSE, with two states that take turns. */
function packedWeights(input: TableInput): number[] {
  const { bytes, end } = input;
  const { counts, bits, at } = readDistribution(input, 6, 256);
  const size = 1 << bits;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  spreadSymbols(counts, bits, symbols, next);
  const widths = new Uint8Array(size);
  const bases = new Uint8Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] as number;
    const nth = next[symbol] as number;
    next[symbol] = nth + 1;
    const width = widths[state] = bits - (31 - Math.clz32(nth));
    bases[state] = (nth << width) - size;
  }
  const fail = (problem: string): never => {
    throw new FormatError({ structure, field: "Huffman tree", offset: at }, problem);
  };
  const last = bytes[end - 1] ?? 0;
  if (at >= end || last === 0) fail("needs bits that end in a 1");
  let left = (end - at) * 8 - (Math.clz32(last) - 24) - 1;
  const take = (count: number): number => {
    left -= count;
    // Up to six bits, from two bytes; before the first one there are zeros.
    if (left < 0) return ((bytes[at] ?? 0) << -left) & ((1 << count) - 1);
    const first = at + (left >> 3);
    const pair = (bytes[first] ?? 0) | (first + 1 < end ? (bytes[first + 1] ?? 0) << 8 : 0);
    return pair >> (left & 7) & ((1 << count) - 1);
  };
  const weights: number[] = [];
  let one = take(bits);
  let other = take(bits);
  if (left < 0) fail("needs bits for two states");
  for (;;) {
    if (weights.length > 253) fail("needs up to 255 weights, found more");
    weights.push(symbols[one] ?? 0);
    one = (bases[one] ?? 0) + take(widths[one] ?? 0);
    if (left < 0) {
      weights.push(symbols[other] ?? 0);
      return weights;
    }
    const turn = one;
    one = other;
    other = turn;
  }
}

const powers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const repeat = (value: number, times: number): number[] =>
  Array.from({ length: times }, () => value);

/** The three codes of a sequence, by the names of the tables. */
export type SequenceCodes = Readonly<
  Record<"literalLengths" | "offsets" | "matchLengths", SequenceCode>
>;

/** Makes the description of the three codes (section 3.1.1.3.2). */
export function sequenceCodes(): SequenceCodes {
  return {
    literalLengths: {
      name: "literal length",
      mostBits: 9,
      predefinedBits: 6,
      predefined: [
        ...[4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2],
        ...[1, 1, 1, 1, 1, -1, -1, -1, -1],
      ],
      bases: [...range(0, 15), 16, 18, 20, 22, 24, 28, 32, 40, 48, ...powers(6, 16)],
      extras: [...repeat(0, 16), 1, 1, 1, 1, 2, 2, 3, 3, 4, ...range(6, 16)],
    },
    offsets: {
      name: "offset",
      mostBits: 8,
      predefinedBits: 5,
      predefined: [
        ...[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ...[-1, -1, -1, -1, -1],
      ],
      bases: powers(0, 31),
      extras: range(0, 31),
    },
    matchLengths: {
      name: "match length",
      mostBits: 9,
      predefinedBits: 6,
      predefined: [1, 4, 3, 2, 2, 2, 2, 2, 2, ...repeat(1, 37), ...repeat(-1, 7)],
      bases: [
        ...range(3, 34),
        ...[35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99],
        ...powers(7, 16).map((n) => n + 3),
      ],
      extras: [...repeat(0, 32), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, ...range(7, 16)],
    },
  };
}
