/**
 * The descriptions of zstd's entropy coders, FSE (finite state entropy) and
 * Huffman, read; {@link ./_zstd_table_code.ts} makes their tables.
 *
 * Source: RFC 8878, sections 4.1 and 4.2.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import { zstdNotes, type ZstdTableCode } from "./_zstd_table_code.ts";

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

/** The makers of tables, and the memory they work in. */
export interface TableMaker {
  /** The functions. */
  readonly code: ZstdTableCode;
  /** The memory; its buffer may change between calls. */
  readonly memory: WebAssembly.Memory;
  /** Where the input starts in it. */
  readonly inputAt: number;
}

/** Writes what the symbols of the three codes mean where the makers look for it. */
export function writeValues({ memory }: TableMaker, codes: SequenceCodes): void {
  sequenceTableNames.forEach((name, i) => {
    const { bases, extras } = codes[name];
    const words = new Uint32Array(memory.buffer, valuesAt(i), 2 * bases.length);
    bases.forEach((base, symbol) => {
      words[2 * symbol] = (extras[symbol] ?? 0) << 16;
      words[2 * symbol + 1] = base;
    });
  });
  new Uint8Array(memory.buffer, zstdNotes.nothing, 0x800).fill(0);
}

function valuesAt(i: number): number {
  return zstdNotes.values + 512 * i;
}

/** Writes a table of states by a distribution. */
export function writeStateTable(
  { code, memory }: TableMaker,
  name: SequenceTableName,
  table: number,
  counts: readonly number[],
  bits: number,
): void {
  new Int16Array(memory.buffer, zstdNotes.counts, counts.length).set(counts);
  code.stateTable(counts.length, bits, table, valuesAt(sequenceTableNames.indexOf(name)));
}

/** Writes a table of one state, which always says the same symbol. */
export function writeSingleSymbol(
  { memory }: TableMaker,
  name: SequenceTableName,
  table: number,
  symbol: number,
): void {
  const from = valuesAt(sequenceTableNames.indexOf(name)) + 8 * symbol;
  new Uint8Array(memory.buffer).copyWithin(table, from, from + 8);
}

/** What reading a Huffman tree gives. */
export interface HuffmanTree {
  /** Bits of the longest code. */
  readonly bits: number;
  /** Offset behind the description. */
  readonly at: number;
}

/** Reads a Huffman tree's description (section 4.2.1) and writes its table. */
export function readHuffmanTree(maker: TableMaker, input: TableInput, table: number): HuffmanTree {
  const { bytes, at: start, end } = input;
  const { code, memory, inputAt } = maker;
  const fail = (problem: string): never => {
    throw new FormatError({ structure, field: "Huffman tree", offset: start }, problem);
  };
  if (start >= end) fail("needs 1 byte, the section ends");
  const head = bytes[start] ?? 0;
  const isPacked = head < 128;
  const size = isPacked ? head : (head - 126) >> 1;
  const at = start + 1 + size;
  if (at > end) fail(`needs ${size} bytes, the section ends`);
  let count = head - 127;
  if (isPacked) {
    const { counts, bits, at: packedAt } = readDistribution(
      { bytes, at: start + 1, end: at },
      6,
      256,
    );
    new Int16Array(memory.buffer, zstdNotes.counts, counts.length).set(counts);
    code.stateTable(counts.length, bits, zstdNotes.weightTable, zstdNotes.nothing);
    count = code.unpackWeights(inputAt + packedAt, inputAt + at, bits);
    if (count < 0) fail("needs up to 255 weights that end with their bits");
  } else {
    const weights = new Uint8Array(memory.buffer, zstdNotes.weights, count);
    for (let i = 0; i < count; i++) {
      const pair = bytes[start + 1 + (i >> 1)] ?? 0;
      weights[i] = i % 2 === 0 ? pair >> 4 : pair & 15;
    }
  }
  const bits = code.huffmanTable(count, table);
  if (bits < 0) fail("needs weights that make a tree of up to 11 levels");
  return { bits, at };
}

const powers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const repeat = (value: number, times: number): number[] =>
  Array.from({ length: times }, () => value);

/** The tables of a sequence's three codes, in the order in which a block has them. */
export const sequenceTableNames = ["literalLengths", "offsets", "matchLengths"] as const;
/** One of them. */
export type SequenceTableName = typeof sequenceTableNames[number];
/** The three codes of a sequence, by the names of the tables. */
export type SequenceCodes = Readonly<Record<SequenceTableName, SequenceCode>>;

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
