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

/** One state of an FSE table: its symbol, and the way to the next state. */
type OnState = (state: number, symbol: number, bits: number, base: number) => void;

/** Lays out the states of an FSE table (section 4.1.2). */
export function spreadStates(counts: readonly number[], bits: number, onState: OnState): void {
  const size = 1 << bits;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size - 1;
  counts.forEach((count, symbol) => {
    if (count === -1) {
      symbols[high--] = symbol;
      next[symbol] = 1;
    } else {
      next[symbol] = count;
    }
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let state = 0;
  counts.forEach((count, symbol) => {
    for (let i = 0; i < count; i++) {
      symbols[state] = symbol;
      do state = (state + step) & (size - 1); while (state > high);
    }
  });
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0;
    const nth = next[symbol] ?? 1;
    next[symbol] = nth + 1;
    const width = bits - (31 - Math.clz32(nth));
    onState(state, symbol, width, (nth << width) - size);
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
  spreadStates(counts, bits, (state, symbol, width, base) => {
    table[2 * state] = base | (extras[symbol] ?? 0) << 16 | width << 24;
    table[2 * state + 1] = bases[symbol] ?? 0;
  });
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
  let slot = 0;
  for (let weight = 1; weight <= bits; weight++) {
    const width = bits + 1 - weight;
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      const next = slot + (1 << (weight - 1));
      table.fill(width | symbol << 8, slot, next);
      slot = next;
    }
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
  const widths = new Uint8Array(size);
  const bases = new Uint8Array(size);
  spreadStates(counts, bits, (state, symbol, width, base) => {
    symbols[state] = symbol;
    widths[state] = width;
    bases[state] = base;
  });
  const fail = (problem: string): never => {
    throw new FormatError({ structure, field: "Huffman tree", offset: at }, problem);
  };
  const last = bytes[end - 1] ?? 0;
  if (at >= end || last === 0) fail("needs bits that end in a 1");
  let left = (end - at) * 8 - (Math.clz32(last) - 24) - 1;
  const take = (count: number): number => {
    left -= count;
    let value = 0;
    for (let i = count - 1; i >= 0; i--) {
      const bit = left + i;
      const one = bit >= 0 ? (bytes[at + (bit >> 3)] ?? 0) >> (bit & 7) & 1 : 0;
      value = value * 2 + one;
    }
    return value;
  };
  const weights: number[] = [];
  let [one, other] = [take(bits), take(bits)];
  if (left < 0) fail("needs bits for two states");
  for (;;) {
    if (weights.length > 253) fail("needs up to 255 weights, found more");
    weights.push(symbols[one] ?? 0);
    one = (bases[one] ?? 0) + take(widths[one] ?? 0);
    if (left < 0) {
      weights.push(symbols[other] ?? 0);
      return weights;
    }
    [one, other] = [other, one];
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
