/**
 * bzip2: blocks of up to 900,000 bytes, sorted by what follows each byte
 * (Burrows and Wheeler), moved to front, run-length coded and Huffman coded.
 *
 * The kernel's build used it from 2.6.30 on. Each block and the whole have a
 * CRC. Decoding is bound by the memory's latency, not by instructions: each byte
 * is somewhere else. So this is plain TypeScript over typed arrays.
 *
 * Source: the bzip2 1.0.8 sources and J. Tsai's "BZIP2 format specification"
 * (2016), as there is no official one.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { Arena } from "./_arena.ts";
import { type Bounds, checkFailed } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";

const BLOCK_HIGH = 0x314159;
const BLOCK_LOW = 0x265359;
const END_HIGH = 0x177245;
const END_LOW = 0x385090;

/** Codes have up to 20 bits. */
const LONGEST = 20;
/** A group of symbols shares one of the codes. */
const GROUP = 50;

/**
 * Unpacks one or more bzip2 streams.
 *
 * @throws {FormatError} If one is damaged, cut short or fails a check, or if the
 *   result is longer than the limit.
 */
export async function decodeBzip2(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  need(bytes, { structure: "bzip2", offset: 0 }, 14);
  // Nothing here waits; a decoder is asynchronous because others have to be.
  await undefined;
  const arena = new Arena("bzip2", bytes.subarray(0, 0), 0, bounds.limit);
  try {
    return new Bzip2Reader(bytes, arena, bounds).read();
  } catch (error) {
    arena.release();
    throw error;
  }
}

/** One of a block's Huffman codes, for decoding by length. */
interface HuffmanCode {
  readonly shortest: number;
  /** Greatest code of each length, its bits at the top of {@link LONGEST}. */
  readonly limits: Int32Array;
  /** What to take from a code of each length to have its place in `symbols`. */
  readonly bases: Int32Array;
  readonly symbols: Uint16Array;
  /** By the first ten bits: symbol and length of short codes, else 0. */
  readonly quick: Uint16Array;
}

class Bzip2Reader {
  readonly #bits: BitReader;
  readonly #bytes: Uint8Array;
  readonly #arena: Arena;
  readonly #bounds: Bounds;
  readonly #crcTable = makeCrcTable();
  #out: number;
  /** The block: low 8 bits a byte, the others where the next one is. */
  #block = new Uint32Array(0);

  constructor(bytes: Uint8Array, arena: Arena, bounds: Bounds) {
    this.#bytes = bytes;
    this.#bits = new BitReader(bytes);
    this.#arena = arena;
    this.#bounds = bounds;
    this.#out = arena.outputAt;
  }

  read(): Decompressed {
    let level = 0;
    let streams = 0;
    let blocks = 0;
    do {
      const start = this.#bits.at;
      need(this.#bytes, { structure: "bzip2", offset: start }, 14);
      const [b, z, h, digit = 0] = this.#bytes.subarray(start, start + 4);
      if (b !== 0x42 || z !== 0x5a || h !== 0x68 || digit < 0x31 || digit > 0x39) {
        throw new FormatError(
          { structure: "bzip2", field: "magic", offset: start },
          'needs "BZh" and a digit from 1 to 9',
        );
      }
      level = digit - 0x30;
      this.#bits.skipTo(start + 4);
      blocks += this.#stream(level * 100_000);
      streams++;
    } while (this.#goesOn());
    return {
      bytes: this.#arena.finish(this.#out),
      consumed: this.#bits.at,
      checks: ["CRC32"],
      parameters: {
        "block size": level * 100_000,
        blocks,
        ...(streams > 1 ? { streams } : {}),
      },
    };
  }

  #goesOn(): boolean {
    const { at } = this.#bits;
    return this.#bytes[at] === 0x42 && this.#bytes[at + 1] === 0x5a &&
      this.#bytes[at + 2] === 0x68 && at + 14 <= this.#bytes.length;
  }

  #stream(blockSize: number): number {
    const bits = this.#bits;
    let combined = 0;
    for (let blocks = 0;; blocks++) {
      const offset = bits.at;
      const [high, low] = [bits.take(24), bits.take(24)];
      const stored = ((bits.take(16) << 16) | bits.take(16)) >>> 0;
      if (high === END_HIGH && low === END_LOW) {
        bits.align();
        if (stored !== combined) {
          throw checkFailed("bzip2", offset, "CRC32", stored, combined);
        }
        return blocks;
      }
      if (high !== BLOCK_HIGH || low !== BLOCK_LOW) {
        throw new FormatError(
          { structure: "bzip2.block", field: "magic", offset },
          `needs 0x314159265359 or 0x177245385090, found ${hex(high, 6)}${hex(low, 6).slice(2)}`,
        );
      }
      const crc = this.#decodeBlock(blockSize, offset);
      if (crc !== stored) throw checkFailed("bzip2.block", offset, "CRC32", stored, crc, "block");
      combined = ((combined << 1 | combined >>> 31) ^ crc) >>> 0;
      this.#bounds.progress?.(this.#out - this.#arena.outputAt, this.#bounds.size);
    }
  }

  #decodeBlock(blockSize: number, offset: number): number {
    const bits = this.#bits;
    if (bits.take(1) === 1) {
      fail("randomised", offset, "needs 0; only bzip2 before 0.9.5 made such blocks");
    }
    const origin = bits.take(24);
    const used = this.#usedBytes();
    const alphabet = used.length + 2;
    const groups = bits.take(3);
    if (groups < 2 || groups > 6) {
      fail("nGroups", offset, `needs 2 to 6 codes, found ${groups}`);
    }
    const selectors = this.#selectors(groups);
    const codes = Array.from(
      { length: groups },
      () => makeCode(this.#codeLengths(alphabet), offset),
    );
    const counts = new Uint32Array(256);
    const size = this.#symbols(blockSize, used, selectors, codes, counts, offset);
    if (origin >= size) fail("origPtr", offset, `needs less than ${size}, found ${origin}`);

    // Undo the sorting: the n-th of each byte in sorted order is the n-th in the block.
    const block = this.#block;
    let sum = 0;
    for (let i = 0; i < 256; i++) {
      const count = counts[i] ?? 0;
      counts[i] = sum;
      sum += count;
    }
    for (let i = 0; i < size; i++) {
      const byte = (block[i] as number) & 0xff;
      const slot = counts[byte] as number;
      counts[byte] = slot + 1;
      (block[slot] as number) |= i << 8;
    }
    return this.#writeOut(size, (block[origin] ?? 0) >>> 8);
  }

  /** Which bytes occur: a map of sixteen maps of sixteen. */
  #usedBytes(): Uint8Array {
    const bits = this.#bits;
    const offset = bits.at;
    const used: number[] = [];
    const map = bits.take(16);
    for (let high = 0; high < 16; high++) {
      if (!(map >> (15 - high) & 1)) continue;
      const part = bits.take(16);
      for (let low = 0; low < 16; low++) if (part >> (15 - low) & 1) used.push(high * 16 + low);
    }
    if (used.length === 0) fail("inUse", offset, "needs at least one byte in use");
    return Uint8Array.from(used);
  }

  /** Which code each group uses, moved to front. */
  #selectors(groups: number): Uint8Array {
    const bits = this.#bits;
    const offset = bits.at;
    const count = bits.take(15);
    if (count === 0) fail("nSelectors", offset, "needs at least one, found 0");
    // More than a block can use are allowed, and ignored.
    const selectors = new Uint8Array(count);
    const order = [0, 1, 2, 3, 4, 5];
    for (let i = 0; i < count; i++) {
      let n = 0;
      while (bits.take(1) === 1) {
        if (++n >= groups) fail("selector", bits.at, `needs less than ${groups}, found more`);
      }
      const [chosen = 0] = order.splice(n, 1);
      order.unshift(chosen);
      selectors[i] = chosen;
    }
    return selectors;
  }

  #codeLengths(alphabet: number): Uint8Array {
    const bits = this.#bits;
    const lengths = new Uint8Array(alphabet);
    let length = bits.take(5);
    for (let symbol = 0; symbol < alphabet; symbol++) {
      for (;;) {
        if (length < 1 || length > LONGEST) {
          fail("code length", bits.at, `needs 1 to ${LONGEST} bits, found ${length}`);
        }
        if (bits.take(1) === 0) break;
        length += bits.take(1) === 0 ? 1 : -1;
      }
      lengths[symbol] = length;
    }
    return lengths;
  }

  /** Reads the block's bytes in sorted order; returns how many there are. */
  #symbols(
    blockSize: number,
    used: Uint8Array,
    selectors: Uint8Array,
    codes: readonly HuffmanCode[],
    counts: Uint32Array,
    offset: number,
  ): number {
    const bits = this.#bits;
    const end = used.length + 1;
    const front = used.slice();
    let block = this.#block;
    let size = 0;
    let run = 0;
    let weight = 1;
    let group = 0;
    let left = 0;
    let code = codes[0];
    for (;;) {
      if (left === 0) {
        if (group >= selectors.length) {
          fail("selectors", offset, `needs more than ${selectors.length} groups of symbols`);
        }
        code = codes[selectors[group++] ?? 0];
        left = GROUP;
      }
      left--;
      const symbol = code === undefined ? end : readSymbol(bits, code);
      if (symbol < 2) {
        // A run's length in base two, with digits 1 and 2, the lowest first.
        run += weight << symbol;
        weight *= 2;
        if (run > blockSize) fail("run", bits.at, `needs up to ${blockSize} bytes, found ${run}`);
        continue;
      }
      const more = run + (symbol === end ? 0 : 1);
      if (size + more > block.length) {
        if (size + more > blockSize) {
          fail("symbols", bits.at, `needs up to ${blockSize} bytes in a block, found more`);
        }
        // The array grows with the block, up to four bytes for each of its bytes.
        const larger = new Uint32Array(
          Math.min(blockSize, Math.max(2 * block.length, size + more, 4096)),
        );
        larger.set(block.subarray(0, size));
        this.#block = block = larger;
      }
      if (run > 0) {
        const byte = front[0] ?? 0;
        counts[byte] = (counts[byte] ?? 0) + run;
        block.fill(byte, size, size + run);
        size += run;
        run = 0;
        weight = 1;
      }
      if (symbol === end) return size;
      const place = symbol - 1;
      const byte = front[place] as number;
      // Most places are near: a loop beats a call.
      if (place < 16) { for (let i = place; i > 0; i--) front[i] = front[i - 1] as number; }
      else front.copyWithin(1, 0, place);
      front[0] = byte;
      (counts[byte] as number)++;
      block[size++] = byte;
    }
  }

  /** Follows the block from byte to byte, undoes the first run-length code, makes the CRC. */
  #writeOut(size: number, first: number): number {
    const block = this.#block;
    const table = this.#crcTable;
    const arena = this.#arena;
    let out = this.#out;
    let crc = -1;
    let place = first;
    let last = -1;
    let same = 0;
    for (let done = 0; done < size;) {
      // Five bytes of a block make 259 at most: room for a piece of it at a time.
      const piece = Math.min(size, done + 4096);
      const room = arena.mark(out, 256 * (piece - done));
      const bytes = arena.bytes();
      for (; done < piece; done++) {
        const entry = block[place] as number;
        place = entry >>> 8;
        const byte = entry & 0xff;
        if (same === 4) {
          // After four of a kind: how many more.
          if (out + byte > room) throw arena.tooLong(this.#bits.at);
          for (let i = 0; i < byte; i++) {
            bytes[out++] = last;
            crc = (crc << 8) ^ (table[(crc >>> 24) ^ last] as number);
          }
          same = 0;
          last = -1;
          continue;
        }
        if (byte === last) same++;
        else {
          last = byte;
          same = 1;
        }
        if (out >= room) throw arena.tooLong(this.#bits.at);
        bytes[out++] = byte;
        crc = (crc << 8) ^ (table[(crc >>> 24) ^ byte] as number);
      }
      arena.holdLimit(out, this.#bits.at);
    }
    this.#out = out;
    return ~crc >>> 0;
  }
}

/** Bits of the input, highest first. */
class BitReader {
  readonly #bytes: Uint8Array;
  #next = 0;
  #buffer = 0;
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The byte that has the next bit. */
  get at(): number {
    return this.#next - (this.#count + 7 >> 3);
  }

  /** Goes to a byte. */
  skipTo(at: number): void {
    this.#next = at;
    this.#count = 0;
  }

  /** Goes to the next whole byte. */
  align(): void {
    this.skipTo(this.#next - (this.#count >> 3));
  }

  /** Up to 24 bits. */
  take(count: number): number {
    const value = this.peek(count);
    this.drop(count);
    return value;
  }

  /** Up to 24 bits, which stay; beyond the input's end they are 0. */
  peek(count: number): number {
    while (this.#count < count) {
      this.#buffer = (this.#buffer << 8) | (this.#bytes[this.#next++] ?? 0);
      this.#count += 8;
    }
    return (this.#buffer >>> (this.#count - count)) & ((1 << count) - 1);
  }

  /** Steps over bits that were peeked at. */
  drop(count: number): void {
    this.#count -= count;
    if (this.#next - (this.#count >> 3) > this.#bytes.length) {
      throw new FormatError(
        { structure: "bzip2", offset: this.#bytes.length },
        `needs more bits, the input ends at ${hex(this.#bytes.length)}`,
      );
    }
  }
}

function fail(field: string, offset: number, problem: string): never {
  throw new FormatError({ structure: "bzip2.block", field, offset }, problem);
}

function makeCode(lengths: Uint8Array, offset: number): HuffmanCode {
  const counts = new Uint16Array(LONGEST + 2);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  const limits = new Int32Array(LONGEST + 2).fill(-1);
  const bases = new Int32Array(LONGEST + 2);
  const quick = new Uint16Array(1024);
  const symbols = new Uint16Array(lengths.length);
  let shortest = 0;
  let code = 0;
  let place = 0;
  for (let length = 1; length <= LONGEST; length++) {
    const count = counts[length] ?? 0;
    if (count > 0 && shortest === 0) shortest = length;
    bases[length] = code - place;
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      if (length <= 10) {
        const first = code << (10 - length);
        quick.fill(symbol << 5 | length, first, first + (1 << (10 - length)));
      }
      symbols[place++] = symbol;
      code++;
    }
    if (code > 1 << length) fail("code lengths", offset, `found too many codes of ${length} bits`);
    limits[length] = (code << (LONGEST - length)) - 1;
    code <<= 1;
  }
  return { shortest, limits, bases, symbols, quick };
}

function readSymbol(bits: BitReader, code: HuffmanCode): number {
  const word = bits.peek(LONGEST);
  const quick = code.quick[word >> (LONGEST - 10)] as number;
  if (quick !== 0) {
    bits.drop(quick & 31);
    return quick >> 5;
  }
  for (let length = code.shortest; length <= LONGEST; length++) {
    if (word > (code.limits[length] as number)) continue;
    const symbol = code.symbols[(word >> (LONGEST - length)) - (code.bases[length] as number)];
    if (symbol === undefined) break;
    bits.drop(length);
    return symbol;
  }
  return fail("symbols", bits.at, "needs a code, found bits that are none");
}

/** CRC-32 with its bits the other way round than everybody else's. */
function makeCrcTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, n) => {
    let crc = n << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    return crc;
  });
}
