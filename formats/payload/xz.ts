/**
 * xz: streams of blocks, each with its filters, its check and its place in an
 * index.
 *
 * Everything the container says is held against what is found: header CRCs,
 * sizes, padding, the check of each block (CRC32, CRC64, SHA-256), the index,
 * the footer. Of the filters, LZMA2 and x86 are known, which is what x86 kernels
 * are packed with.
 *
 * Source: "The .xz File Format", 1.2.0.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { Arena } from "./_arena.ts";
import { type Checks, createChecks } from "./_checks.ts";
import { createLzmaCode, lzmaTables } from "./_lzma_code.ts";
import { createX86Filter, type X86Filter } from "./_x86_filter.ts";
import { type Bounds, checkFailed } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";
import { decodeLzma2, type Lzma2 } from "./lzma2.ts";

/** How many bytes are filtered and checked at a time, to stay in the cache. */
const PIECE = 0x10000;

/** Names and sizes of the checks, by number; the others are reserved. */
const checkNames: Readonly<Record<number, string>> = {
  0: "none",
  1: "CRC32",
  4: "CRC64",
  10: "SHA-256",
};
const checkSizes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

const filterNames: Readonly<Record<number, string>> = {
  0x03: "delta",
  0x04: "x86",
  0x05: "powerpc",
  0x06: "ia64",
  0x07: "arm",
  0x08: "armthumb",
  0x09: "sparc",
  0x0a: "arm64",
  0x0b: "riscv",
  0x21: "lzma2",
};

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;

/** What a block's header says. */
interface BlockHeader {
  readonly size: number;
  readonly compressedSize: number | undefined;
  readonly uncompressedSize: number | undefined;
  readonly dictionary: number;
  /** Start offset of the x86 filter, where that is used. */
  readonly x86: number | undefined;
}

/** A block as the index has it. */
interface IndexRecord {
  readonly unpaddedSize: number;
  readonly uncompressedSize: number;
}

/**
 * Unpacks one or more xz streams, with padding between them.
 *
 * @throws {FormatError} If one is damaged, cut short or uses other filters, or if
 *   the result is longer than the limit.
 */
export async function decodeXz(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  need(bytes, { structure: "xz.stream_header", offset: 0 }, 12);
  const arena = new Arena("xz", bytes, lzmaTables(16), bounds.limit);
  try {
    const reader = new XzReader(bytes, arena, bounds, await createChecks(arena), {
      code: await createLzmaCode(arena),
      arena,
    });
    return await reader.read();
  } catch (error) {
    arena.release();
    throw error;
  }
}

/** One decoding: the place in the input, the place in the output, what was met. */
class XzReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #arena: Arena;
  readonly #bounds: Bounds;
  readonly #checks: Checks;
  readonly #lzma2: Lzma2;
  #x86: X86Filter | undefined;
  #at = 0;
  #out: number;
  #blocks = 0;
  readonly #met = new Set<string>();
  #parameters: Record<string, string | number> = {};

  constructor(
    bytes: Uint8Array,
    arena: Arena,
    bounds: Bounds,
    checks: Checks,
    lzma2: Lzma2,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#arena = arena;
    this.#bounds = bounds;
    this.#checks = checks;
    this.#lzma2 = lzma2;
    this.#out = arena.outputAt;
  }

  async read(): Promise<Decompressed> {
    let streams = 0;
    do {
      await this.#stream();
      streams++;
    } while (this.#skipPadding());
    if (streams > 1) this.#parameters.streams = streams;
    if (this.#blocks !== 1) this.#parameters.blocks = this.#blocks;
    return {
      bytes: this.#arena.finish(this.#out),
      consumed: this.#at,
      checks: [...this.#met],
      parameters: this.#parameters,
    };
  }

  /** Steps over padding if a further stream follows it. */
  #skipPadding(): boolean {
    let next = this.#at;
    while (next + 4 <= this.#bytes.length && this.#view.getUint32(next, true) === 0) next += 4;
    if (!MAGIC.every((byte, i) => this.#bytes[next + i] === byte)) {
      // Padding up to the end belongs to the stream; anything else is not ours.
      if (next === this.#bytes.length) this.#at = next;
      return false;
    }
    this.#at = next;
    return true;
  }

  async #stream(): Promise<void> {
    const start = this.#at;
    need(this.#bytes, { structure: "xz.stream_header", offset: start }, 12);
    if (!MAGIC.every((byte, i) => this.#bytes[start + i] === byte)) {
      throw new FormatError(
        { structure: "xz.stream_header", field: "magic", offset: start },
        "needs fd 37 7a 58 5a 00",
      );
    }
    const flags = this.#view.getUint16(start + 6, false);
    this.#holdCrc("xz.stream_header", start + 6, start + 8);
    if (flags > 15) {
      throw new FormatError(
        { structure: "xz.stream_header", field: "flags", offset: start + 6 },
        `needs a check from 0 to 15, found ${hex(flags, 4)}`,
      );
    }
    const check = checkNames[flags] ?? `unknown (${flags})`;
    this.#parameters.check ??= check;
    this.#at = start + 12;

    const records: IndexRecord[] = [];
    for (;;) {
      need(this.#bytes, { structure: "xz.block_header", offset: this.#at }, 1);
      if (this.#bytes[this.#at] === 0) break;
      records.push(await this.#block(flags));
      this.#blocks++;
    }
    if (records.length > 0 && (flags === 1 || flags === 4 || flags === 10)) this.#met.add(check);
    const indexSize = this.#index(records);
    this.#footer(flags, indexSize);
  }

  async #block(check: number): Promise<IndexRecord> {
    const start = this.#at;
    const header = this.#blockHeader();
    const checkSize = checkSizes[check] ?? 0;
    const dataAt = this.#at = start + header.size;
    const from = this.#out;
    const end = decodeLzma2(this.#lzma2, dataAt, from, this.#bounds);
    this.#at = end.at;
    this.#out = end.out;
    this.#parameters = {
      ...this.#parameters,
      filters: header.x86 === undefined ? "lzma2" : "x86 lzma2",
      dictionary: header.dictionary,
      ...end.properties,
    };
    const structure = "xz.block";
    const compressedSize = end.at - dataAt;
    const uncompressedSize = end.out - from;
    holdSize("compressed_size", start, header.compressedSize, compressedSize);
    holdSize("uncompressed_size", start, header.uncompressedSize, uncompressedSize);

    while ((this.#at - dataAt) % 4 !== 0) this.#zero(structure);
    need(this.#bytes, { structure, field: "check", offset: this.#at }, checkSize);
    await this.#finishBlock(check, header.x86, from);
    this.#at += checkSize;
    return { unpaddedSize: header.size + compressedSize + checkSize, uncompressedSize };
  }

  #blockHeader(): BlockHeader {
    const structure = "xz.block_header";
    const start = this.#at;
    const size = ((this.#bytes[start] ?? 0) + 1) * 4;
    need(this.#bytes, { structure, offset: start }, size);
    const end = start + size - 4;
    this.#holdCrc(structure, start, end);
    const flags = this.#bytes[start + 1] ?? 0;
    if (flags & 0x3c) {
      throw new FormatError(
        { structure, field: "flags", offset: start + 1 },
        `needs reserved bits of 0, found ${hex(flags, 2)}`,
      );
    }
    this.#at = start + 2;
    const compressedSize = flags & 0x40
      ? this.#number(structure, "compressed_size", end)
      : undefined;
    const uncompressedSize = flags & 0x80
      ? this.#number(structure, "uncompressed_size", end)
      : undefined;
    const count = (flags & 3) + 1;
    let x86: number | undefined;
    let dictionary: number | undefined;
    for (let i = 0; i < count; i++) {
      const offset = this.#at;
      const id = this.#number(structure, "filter", end);
      const length = this.#number(structure, "filter", end);
      if (this.#at + length > end) {
        throw new FormatError(
          { structure, field: "filter", offset },
          `needs ${length} bytes of properties, the header ends at ${hex(end)}`,
        );
      }
      const isLast = i === count - 1;
      if (id === 0x21 && length === 1 && isLast) {
        dictionary = dictionarySize(this.#bytes[this.#at] ?? 0, this.#at);
      } else if (id === 0x04 && (length === 0 || length === 4) && !isLast && x86 === undefined) {
        x86 = length === 4 ? this.#view.getUint32(this.#at, true) : 0;
      } else {
        throw new FormatError(
          { structure, field: "filter", offset },
          `needs lzma2, or x86 and then lzma2, found ${filterNames[id] ?? hex(id)}` +
            ` with ${length} bytes of properties`,
        );
      }
      this.#at += length;
    }
    while (this.#at < end) this.#zero(structure);
    return { size, compressedSize, uncompressedSize, x86, dictionary: dictionary ?? 0 };
  }

  /** Undoes the filter and makes the check; both when the block no longer serves as dictionary. */
  async #finishBlock(check: number, x86: number | undefined, from: number): Promise<void> {
    const end = this.#out;
    let filter: X86Filter | undefined;
    if (x86 !== undefined) {
      filter = this.#x86 ??= await createX86Filter(this.#arena);
      filter.begin(from, x86);
    }
    const checks = this.#checks;
    let crc32 = 0;
    let crc64 = 0n;
    let checked = from;
    for (let mark = from; mark < end;) {
      mark = Math.min(mark + PIECE, end);
      let settled = filter?.undo(mark) ?? mark;
      if (mark === end) settled = end;
      if (check === 1) crc32 = checks.crc32(crc32, checked, settled);
      if (check === 4) crc64 = checks.crc64(crc64, checked, settled);
      checked = settled;
    }
    const structure = "xz.block";
    if (check === 1) {
      const stored = this.#view.getUint32(this.#at, true);
      if (stored !== crc32 >>> 0) {
        throw checkFailed(structure, this.#at, "CRC32", stored, crc32 >>> 0);
      }
    } else if (check === 4) {
      const stored = this.#view.getBigUint64(this.#at, true);
      const found = BigInt.asUintN(64, crc64);
      if (stored !== found) throw checkFailed(structure, this.#at, "CRC64", stored, found);
    } else if (check === 10) {
      const result = new Uint8Array(this.#arena.bytes().buffer as ArrayBuffer, from, end - from);
      const found = toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", result)));
      const stored = toHex(this.#bytes.subarray(this.#at, this.#at + 32));
      if (stored !== found) throw checkFailed(structure, this.#at, "SHA-256", stored, found);
    }
  }

  /** Reads the index and holds it against the blocks. Returns its size. */
  #index(records: readonly IndexRecord[]): number {
    const structure = "xz.index";
    const start = this.#at++;
    const { length } = this.#bytes;
    const count = this.#number(structure, "records", length);
    if (count !== records.length) {
      throw new FormatError(
        { structure, field: "records", offset: start + 1 },
        `needs ${records.length}, as many as there are blocks, found ${count}`,
      );
    }
    for (const record of records) {
      for (const field of ["unpaddedSize", "uncompressedSize"] as const) {
        const offset = this.#at;
        const found = this.#number(structure, "record", length);
        if (found !== record[field]) {
          throw new FormatError(
            { structure, field: "record", offset },
            `needs ${record[field]} bytes, as the block has, found ${found}`,
          );
        }
      }
    }
    while ((this.#at - start) % 4 !== 0) this.#zero(structure);
    need(this.#bytes, { structure, field: "crc32", offset: this.#at }, 4);
    this.#holdCrc(structure, start, this.#at);
    this.#at += 4;
    return this.#at - start;
  }

  #footer(flags: number, indexSize: number): void {
    const structure = "xz.stream_footer";
    const start = this.#at;
    need(this.#bytes, { structure, offset: start }, 12);
    const found = this.#checks.crc32(0, this.#address(start + 4), this.#address(start + 10)) >>> 0;
    const stored = this.#view.getUint32(start, true);
    if (stored !== found) throw headerCrc(structure, start, stored, found);
    const backward = (this.#view.getUint32(start + 4, true) + 1) * 4;
    if (backward !== indexSize) {
      throw new FormatError(
        { structure, field: "backward_size", offset: start + 4 },
        `needs ${indexSize} bytes, as the index has, found ${backward}`,
      );
    }
    if (this.#view.getUint16(start + 8, false) !== flags) {
      throw new FormatError(
        { structure, field: "flags", offset: start + 8 },
        `needs ${hex(flags, 4)} as in the header, found ${
          hex(this.#view.getUint16(start + 8, false), 4)
        }`,
      );
    }
    if (this.#view.getUint16(start + 10, false) !== 0x595a) {
      throw new FormatError(
        { structure, field: "magic", offset: start + 10 },
        `needs "YZ", found ${hex(this.#view.getUint16(start + 10, false), 4)}`,
      );
    }
    this.#at += 12;
  }

  /** A number of seven bits a byte, the lowest first, within `end`. */
  #number(structure: string, field: string, end: number): number {
    const offset = this.#at;
    let value = 0;
    for (let i = 0; i < 9; i++) {
      if (this.#at >= end) {
        throw new FormatError(
          { structure, field, offset },
          `needs another byte, found the end at ${hex(end)}`,
        );
      }
      const byte = this.#bytes[this.#at++] ?? 0;
      if (byte === 0 && i > 0) break;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new FormatError({ structure, field, offset }, "needs a number of up to 63 bits");
  }

  #zero(structure: string): void {
    need(this.#bytes, { structure, field: "padding", offset: this.#at }, 1);
    const byte = this.#bytes[this.#at] ?? 0;
    if (byte !== 0) {
      throw new FormatError(
        { structure, field: "padding", offset: this.#at },
        `needs to be 0, found ${hex(byte, 2)}`,
      );
    }
    this.#at++;
  }

  /** Holds the CRC32 stored at `end` against the bytes before it. */
  #holdCrc(structure: string, start: number, end: number): void {
    const found = this.#checks.crc32(0, this.#address(start), this.#address(end)) >>> 0;
    const stored = this.#view.getUint32(end, true);
    if (stored !== found) throw headerCrc(structure, end, stored, found);
  }

  #address(offset: number): number {
    return this.#arena.inputAt + offset;
  }
}

function headerCrc(structure: string, offset: number, stored: number, found: number): FormatError {
  return new FormatError(
    { structure, field: "crc32", offset },
    `says ${hex(stored, 8)}, the bytes have ${hex(found, 8)}`,
  );
}

function holdSize(
  field: string,
  offset: number,
  declared: number | undefined,
  found: number,
): void {
  if (declared === undefined || declared === found) return;
  throw new FormatError(
    { structure: "xz.block_header", field, offset },
    `says ${declared} bytes, the block has ${found}`,
  );
}

/** A dictionary's size: 2 or 3 times a power of two, or 4 GiB less one. */
function dictionarySize(bits: number, offset: number): number {
  if (bits > 40) {
    throw new FormatError(
      { structure: "xz.block_header", field: "filter", offset },
      `needs a dictionary size of up to 40, found ${bits}`,
    );
  }
  return bits === 40 ? 0xffff_ffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
}

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
