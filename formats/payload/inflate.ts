/**
 * Deflate: blocks of plain bytes or of symbols in two Huffman codes.
 *
 * Source: RFC 1951. What zlib refuses is refused: codes that are over-subscribed
 * or incomplete (but for a single one of one bit), and blocks without an end.
 *
 * @module
 */

import { FormatError, hex } from "../errors.ts";
import type { Arena } from "./_arena.ts";
import { entryFlags, type InflateCode, inflateStatus, inflateTables } from "./_inflate_code.ts";

/** How many bytes a call decodes at most; the engine improves code between calls. */
const STEP = 0x10000;

const structure = "deflate";

/** Where decoding ended. */
export interface InflateEnd {
  /** Offset in the input behind the last byte that was used. */
  readonly at: number;
  /** Address behind the output. */
  readonly out: number;
}

/**
 * Unpacks one deflate stream.
 *
 * @param bytes The input, as it is in the arena.
 * @param start Offset of the stream in the input.
 * @param from Address of the output; nothing before it is referred to.
 * @param made Called with addresses of what was made, piece by piece.
 * @throws {FormatError} If the stream is damaged, cut short, or longer than the limit.
 */
export function inflate(
  bytes: Uint8Array,
  arena: Arena,
  code: InflateCode,
  start: number,
  from: number,
  made: (from: number, to: number) => void,
): InflateEnd {
  const bits = new BitReader(bytes, start);
  let out = from;
  for (let isLast = false; !isLast;) {
    const blockAt = bits.at;
    isLast = bits.take(1) === 1;
    const type = bits.take(2);
    if (type === 0) {
      bits.align();
      const size = bits.take(16);
      const inverse = bits.take(16);
      if ((size ^ inverse) !== 0xffff) {
        throw new FormatError(
          { structure, field: "LEN", offset: bits.at - 4 },
          `needs NLEN ${hex(size ^ 0xffff, 4)}, found ${hex(inverse, 4)}`,
        );
      }
      const data = bits.skip(size);
      arena.holdLimit(out + size, data);
      arena.reserve(out + size);
      arena.bytes().copyWithin(out, arena.inputAt + data, arena.inputAt + data + size);
      made(out, out + size);
      out += size;
      continue;
    }
    if (type === 3) {
      throw new FormatError(
        { structure, field: "BTYPE", offset: blockAt },
        "needs a block of type 0 to 2, found 3",
      );
    }
    const tables = new Uint32Array(
      arena.memory.buffer,
      inflateTables.literals.at,
      inflateTables.literals.entries + inflateTables.distances.entries,
    );
    if (type === 1) fixedTables(tables, blockAt);
    else dynamicTables(bits, tables, blockAt);
    out = symbols(arena, code, bits, out, from, made);
  }
  bits.align();
  return { at: bits.at, out };
}

function symbols(
  arena: Arena,
  code: InflateCode,
  bits: BitReader,
  start: number,
  base: number,
  made: (from: number, to: number) => void,
): number {
  let out = start;
  const [byte, bit] = bits.position;
  code.input.value = arena.inputAt + byte;
  code.bit.value = bit;
  code.out.value = out;
  for (;;) {
    const status = code.decode(arena.mark(out, STEP), arena.inputEnd, base);
    const end = code.out.value;
    const at = code.input.value - arena.inputAt;
    const used = code.input.value + (code.bit.value > 0 ? 1 : 0);
    if (status === inflateStatus.starved || used > arena.inputEnd) {
      throw new FormatError(
        { structure, offset: arena.inputEnd - arena.inputAt },
        `needs more bytes, the input ends at ${hex(arena.inputEnd - arena.inputAt)}`,
      );
    }
    arena.holdLimit(end, at);
    made(out, end);
    out = end;
    if (status === inflateStatus.ended) {
      bits.position = [at, code.bit.value];
      return out;
    }
    if (status !== inflateStatus.reached) {
      throw new FormatError(
        { structure, offset: at },
        status === inflateStatus.badCode
          ? "needs a code, found bits that are none"
          : "needs a match within what was unpacked, found one before its start",
      );
    }
  }
}

/** Bits of the input, lowest first. */
class BitReader {
  readonly #bytes: Uint8Array;
  #byte: number;
  #bit = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#byte = at;
  }

  /** The byte that has the next bit. */
  get at(): number {
    return this.#byte;
  }

  /** The next bit: its byte, and its number in that. */
  get position(): readonly [byte: number, bit: number] {
    return [this.#byte, this.#bit];
  }

  set position([byte, bit]: readonly [byte: number, bit: number]) {
    this.#byte = byte;
    this.#bit = bit;
  }

  /** Up to sixteen bits. */
  take(count: number): number {
    const bytes = this.#bytes;
    const at = this.#byte;
    const end = this.#bit + count;
    if (at + ((end + 7) >> 3) > bytes.length) {
      throw new FormatError(
        { structure, offset: at },
        `needs ${count} bits, the input ends at ${hex(bytes.length)}`,
      );
    }
    const word = (bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0) << 16;
    const value = word >> this.#bit & ((1 << count) - 1);
    this.#byte = at + (end >> 3);
    this.#bit = end & 7;
    return value;
  }

  /** Goes on to the next whole byte. */
  align(): void {
    if (this.#bit > 0) this.#byte++;
    this.#bit = 0;
  }

  /** Steps over whole bytes and returns where they are. */
  skip(size: number): number {
    const at = this.#byte;
    if (at + size > this.#bytes.length) {
      throw new FormatError(
        { structure, offset: at },
        `needs ${size} bytes, the input ends at ${hex(this.#bytes.length)}`,
      );
    }
    this.#byte = at + size;
    return at;
  }
}

const lengthBases = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115],
  ...[131, 163, 195, 227, 258],
] as const;
const lengthExtras = [
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
] as const;
const distanceBases = [
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025],
  ...[1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577],
] as const;
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;

/** What a symbol's entry holds besides the bits of its code: base, flags, extra bits. */
function literalEntry(symbol: number): number {
  if (symbol < 256) return (entryFlags.literal | symbol << 16) >>> 0;
  if (symbol === 256) return entryFlags.special | entryFlags.endOfBlock;
  const base = lengthBases[symbol - 257];
  if (base === undefined) return entryFlags.special;
  return base << 16 | (lengthExtras[symbol - 257] ?? 0);
}

function distanceEntry(symbol: number): number {
  const base = distanceBases[symbol];
  return base === undefined ? entryFlags.special : base << 16 | Math.max(0, (symbol >> 1) - 1);
}

/** The same for a code length: only the symbol. */
function codeLengthEntry(symbol: number): number {
  return symbol << 16;
}

function fixedTables(tables: Uint32Array, at: number): void {
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280)
    .fill(8, 280);
  makeBoth(tables, lengths, new Uint8Array(32).fill(5), at);
}

function dynamicTables(bits: BitReader, tables: Uint32Array, at: number): void {
  const literals = bits.take(5) + 257;
  const distances = bits.take(5) + 1;
  const codes = bits.take(4) + 4;
  if (literals > 286 || distances > 30) {
    throw new FormatError(
      { structure, field: "HLIT", offset: at },
      `needs up to 286 and 30 codes, found ${literals} and ${distances}`,
    );
  }
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < codes; i++) codeLengths[codeLengthOrder[i] ?? 0] = bits.take(3);
  const small = new Uint32Array(128);
  makeTable(small, 0, 7, codeLengths, codeLengthEntry, "code length", at);

  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length;) {
    const symbol = readCodeLength(bits, small);
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    const repeats = symbol === 16
      ? bits.take(2) + 3
      : symbol === 17
      ? bits.take(3) + 3
      : bits.take(7) + 11;
    if (i + repeats > lengths.length || (symbol === 16 && i === 0)) {
      throw new FormatError(
        { structure, field: "code lengths", offset: bits.at },
        `needs ${lengths.length - i} more lengths, found ${repeats} of the ${
          i === 0 ? "one before the first" : "same"
        }`,
      );
    }
    lengths.fill(symbol === 16 ? lengths[i - 1] ?? 0 : 0, i, i + repeats);
    i += repeats;
  }
  if (lengths[256] === 0) {
    throw new FormatError(
      { structure, field: "code lengths", offset: at },
      "needs a code for the end of the block",
    );
  }
  makeBoth(tables, lengths.subarray(0, literals), lengths.subarray(literals), at);
}

/** One symbol of the code for code lengths, bit by bit until an entry fits. */
function readCodeLength(bits: BitReader, table: Uint32Array): number {
  let code = 0;
  for (let length = 1; length <= 7; length++) {
    code |= bits.take(1) << (length - 1);
    const entry = table[code] ?? 0;
    if ((entry & 0xff) === length && !(entry & entryFlags.special)) return entry >>> 16;
  }
  throw new FormatError(
    { structure, field: "code lengths", offset: bits.at },
    "needs a code, found bits that are none",
  );
}

function makeBoth(
  tables: Uint32Array,
  literals: Uint8Array,
  distances: Uint8Array,
  at: number,
): void {
  const { entries, bits } = inflateTables.literals;
  makeTable(tables, 0, bits, literals, literalEntry, "literal", at);
  makeTable(
    tables,
    entries,
    inflateTables.distances.bits,
    distances,
    distanceEntry,
    "distance",
    at,
  );
}

/**
 * Makes the table of a canonical Huffman code.
 *
 * @param start First entry in `table`.
 * @param rootBits Bits of the first table; longer codes go on in second ones.
 * @param lengths Bits of each symbol's code, 0 for none.
 */
function makeTable(
  table: Uint32Array,
  start: number,
  rootBits: number,
  lengths: Uint8Array,
  entryOf: (symbol: number) => number,
  name: string,
  at: number,
): void {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  counts[0] = 0;
  let room = 1;
  let longest = 0;
  for (let length = 1; length <= 15; length++) {
    room = room * 2 - (counts[length] ?? 0);
    if (counts[length]) longest = length;
    if (room < 0) {
      throw new FormatError(
        { structure, field: "code lengths", offset: at },
        `needs a ${name} code that can be told apart, found too many of ${length} bits`,
      );
    }
  }
  const used = counts.reduce((sum, count) => sum + count, 0);
  if (room > 0 && used > 0 && !(longest === 1 && name !== "code length")) {
    throw new FormatError(
      { structure, field: "code lengths", offset: at },
      `needs a ${name} code that leaves no bits unused`,
    );
  }
  // Where no code is whole, what is not in it is invalid.
  if (room > 0) table.fill(entryFlags.special | 1, start, start + (1 << rootBits));

  const offsets = new Uint16Array(17);
  for (let length = 1; length <= 15; length++) {
    offsets[length + 1] = (offsets[length] ?? 0) + (counts[length] ?? 0);
  }
  const sorted = new Uint16Array(used);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] ?? 0;
    if (length === 0) continue;
    const slot = offsets[length] ?? 0;
    sorted[slot] = symbol;
    offsets[length] = slot + 1;
  }

  const rootSize = 1 << rootBits;
  let code = 0; // with its first bit lowest, as it is read
  let length = 1;
  let left = counts[1] ?? 0;
  let secondAt = start + rootSize;
  let secondBits = 0;
  let prefix = -1;
  for (let i = 0; i < used; i++) {
    while (left === 0) left = counts[++length] ?? 0;
    left--;
    const symbol = sorted[i] ?? 0;
    const entry = entryOf(symbol);
    if (length <= rootBits) {
      const full = (entry + (length << 8) + length) >>> 0;
      const end = start + rootSize;
      for (let at = start + code, step = 1 << length; at < end; at += step) table[at] = full;
    } else {
      if ((code & (rootSize - 1)) !== prefix) {
        // A second table as large as the codes that share these first bits need.
        secondAt += prefix < 0 ? 0 : 1 << secondBits;
        prefix = code & (rootSize - 1);
        secondBits = length - rootBits;
        let free = (1 << secondBits) - (left + 1);
        while (secondBits + rootBits < longest && free > 0) {
          secondBits++;
          free = free * 2 - (counts[secondBits + rootBits] ?? 0);
        }
        table[start + prefix] = (entryFlags.special | entryFlags.second | secondBits << 8 |
          rootBits | (secondAt - start) << 16) >>> 0;
      }
      const rest = length - rootBits;
      const full = (entry + (rest << 8) + rest) >>> 0;
      const end = secondAt + (1 << secondBits);
      for (let at = secondAt + (code >> rootBits), step = 1 << rest; at < end; at += step) {
        table[at] = full;
      }
    }
    // The next code: add one to the bits as the code has them, from the top.
    let bit = 1 << (length - 1);
    while (code & bit) bit >>= 1;
    code = bit === 0 ? 0 : (code & (bit - 1)) + bit;
  }
}
