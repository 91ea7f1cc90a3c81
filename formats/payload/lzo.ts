/**
 * LZO in the container of lzop: a header, then blocks with their sizes and
 * checks (Adler-32 or CRC-32, of the result and of what is packed).
 *
 * Numbers are big endian. Blocks do not refer to each other.
 *
 * Source: lzop 1.04, src/lzop.c and conf.h (there is no document); Linux,
 * lib/decompress_unlzo.c.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { Arena } from "./_arena.ts";
import { type Checks, createChecks } from "./_checks.ts";
import { createLzoCode, type LzoCode, lzoStatus } from "./_lzo_code.ts";
import { type Bounds, checkFailed } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";

const MAGIC = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a] as const;

/** Flags of the header. */
const flagBits = {
  ADLER32_D: 0x0001,
  ADLER32_C: 0x0002,
  EXTRA_FIELD: 0x0040,
  CRC32_D: 0x0100,
  CRC32_C: 0x0200,
  MULTIPART: 0x0400,
  FILTER: 0x0800,
  CRC32_HEADER: 0x1000,
} as const;

const methods: Readonly<Record<number, string>> = {
  1: "LZO1X-1",
  2: "LZO1X-1(15)",
  3: "LZO1X-999",
};

/** Largest block that lzop makes. */
const LARGEST = 64 << 20;

/**
 * Unpacks an lzop file.
 *
 * @throws {FormatError} If it is damaged, cut short or fails a check, or if the
 *   result is longer than the limit.
 */
export async function decodeLzo(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  need(bytes, { structure: "lzop", field: "magic", offset: 0 }, MAGIC.length);
  const arena = new Arena("lzop", bytes, 0, bounds.limit);
  try {
    const code = await createLzoCode(arena);
    return new LzopReader(bytes, arena, code, await createChecks(arena), bounds).read();
  } catch (error) {
    arena.release();
    throw error;
  }
}

class LzopReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #arena: Arena;
  readonly #code: LzoCode;
  readonly #checks: Checks;
  readonly #bounds: Bounds;
  readonly #met = new Set<string>();
  readonly #parameters: Record<string, string | number> = {};
  #at = 0;
  #out: number;

  constructor(
    bytes: Uint8Array,
    arena: Arena,
    code: LzoCode,
    checks: Checks,
    bounds: Bounds,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#arena = arena;
    this.#code = code;
    this.#checks = checks;
    this.#bounds = bounds;
    this.#out = arena.outputAt;
  }

  read(): Decompressed {
    const flags = this.#header();
    let blocks = 0;
    while (this.#block(flags)) {
      blocks++;
      this.#bounds.progress?.(this.#out - this.#arena.outputAt, this.#bounds.size);
    }
    this.#parameters.blocks = blocks;
    return {
      bytes: this.#arena.finish(this.#out),
      consumed: this.#at,
      checks: [...this.#met],
      parameters: this.#parameters,
    };
  }

  /** Reads the header and returns its flags. */
  #header(): number {
    const structure = "lzop.header";
    if (!MAGIC.every((byte, i) => this.#bytes[i] === byte)) {
      throw new FormatError(
        { structure, field: "magic", offset: 0 },
        "needs 89 4c 5a 4f 00 0d 0a 1a 0a",
      );
    }
    this.#at = MAGIC.length;
    const version = this.#number(structure, "version", 2);
    this.#number(structure, "lib_version", 2);
    const isOld = version < 0x0940;
    if (!isOld) this.#number(structure, "version_needed", 2);
    const methodAt = this.#at;
    const method = this.#number(structure, "method", 1);
    if (methods[method] === undefined) {
      throw new FormatError(
        { structure, field: "method", offset: methodAt },
        `needs 1 to 3 (LZO1X), found ${method}`,
      );
    }
    const level = isOld ? 0 : this.#number(structure, "level", 1);
    const flagsAt = this.#at;
    const flags = this.#number(structure, "flags", 4);
    if (flags & (flagBits.FILTER | flagBits.MULTIPART)) {
      throw new FormatError(
        { structure, field: "flags", offset: flagsAt },
        `needs a file without filter in one part, found ${hex(flags, 8)}`,
      );
    }
    this.#number(structure, "mode", 4);
    const time = this.#number(structure, "mtime_low", 4);
    if (!isOld) this.#number(structure, "mtime_high", 4);
    const nameSize = this.#number(structure, "name_length", 1);
    need(this.#bytes, { structure, field: "name", offset: this.#at }, nameSize);
    const name = this.#bytes.subarray(this.#at, this.#at + nameSize);
    this.#at += nameSize;
    this.#headerCheck(structure, flags, MAGIC.length);
    if (flags & flagBits.EXTRA_FIELD) {
      const extraAt = this.#at;
      const size = this.#number(structure, "extra_length", 4);
      need(this.#bytes, { structure, field: "extra", offset: this.#at }, size);
      this.#at += size;
      this.#headerCheck(structure, flags, extraAt);
    }
    Object.assign(this.#parameters, { method: methods[method], version: hex(version, 4) });
    if (level > 0) this.#parameters.level = level;
    if (nameSize > 0) this.#parameters.name = String.fromCharCode(...name);
    if (time > 0) this.#parameters.time = time;
    return flags;
  }

  #headerCheck(structure: string, flags: number, start: number): void {
    const { inputAt } = this.#arena;
    const [from, to] = [inputAt + start, inputAt + this.#at];
    const found = flags & flagBits.CRC32_HEADER
      ? this.#checks.crc32(0, from, to)
      : this.#checks.adler32(1, from, to);
    const offset = this.#at;
    const stored = this.#number(structure, "checksum", 4);
    if (stored === found >>> 0) return;
    throw new FormatError(
      { structure, field: "checksum", offset },
      `says ${hex(stored, 8)}, the header has ${hex(found >>> 0, 8)}`,
    );
  }

  /** Unpacks a block; returns whether there was one. */
  #block(flags: number): boolean {
    const structure = "lzop.block";
    const start = this.#at;
    const size = this.#number(structure, "dst_len", 4);
    if (size === 0) return false;
    const packed = this.#number(structure, "src_len", 4);
    if (size > LARGEST || packed > size || packed === 0) {
      throw new FormatError(
        { structure, field: size > LARGEST ? "dst_len" : "src_len", offset: start },
        `needs up to ${LARGEST} bytes from no more than those, found ${size} from ${packed}`,
      );
    }
    const isStored = packed === size;
    const stored: Partial<Record<"ADLER32_D" | "CRC32_D" | "ADLER32_C" | "CRC32_C", number>> = {};
    for (const name of ["ADLER32_D", "CRC32_D"] as const) {
      if (flags & flagBits[name]) stored[name] = this.#number(structure, name, 4);
    }
    for (const name of ["ADLER32_C", "CRC32_C"] as const) {
      if (flags & flagBits[name] && !isStored) stored[name] = this.#number(structure, name, 4);
    }
    need(this.#bytes, { structure, field: "src_len", offset: this.#at }, packed);
    const arena = this.#arena;
    arena.holdLimit(this.#out + size, start);
    const from = arena.inputAt + this.#at;
    const out = this.#out;
    this.#holdChecks(start, "packed bytes", stored.ADLER32_C, stored.CRC32_C, from, from + packed);
    if (isStored) {
      arena.reserve(out + size);
      arena.bytes().copyWithin(out, from, from + size);
    } else {
      // A byte of input makes 255 of output at the very most.
      const room = Math.min(size, 256 * packed);
      arena.reserve(out + room);
      this.#code.input.value = from;
      this.#code.out.value = out;
      this.#holdStatus(this.#code.decode(from + packed, out + room), start, size, packed);
    }
    this.#holdChecks(start, "result", stored.ADLER32_D, stored.CRC32_D, out, out + size);
    this.#at += packed;
    this.#out = out + size;
    return true;
  }

  #holdStatus(status: number, start: number, size: number, packed: number): void {
    const structure = "lzop.block";
    const code = this.#code;
    const end = this.#at + packed;
    const offset = Math.min(code.input.value - this.#arena.inputAt, end);
    if (status === lzoStatus.badDistance) {
      throw new FormatError(
        { structure, offset },
        "needs a match within the block, found one before its start",
      );
    }
    const made = code.out.value - this.#out;
    if (status === lzoStatus.ended && made === size && offset === end) return;
    throw new FormatError(
      { structure, offset: status === lzoStatus.ended ? start : offset },
      `needs to turn ${packed} bytes into ${size}, found ${
        status === lzoStatus.tooLong ? "more" : `${made} when the block ends`
      }`,
    );
  }

  #holdChecks(
    offset: number,
    what: string,
    adler: number | undefined,
    crc: number | undefined,
    from: number,
    to: number,
  ): void {
    const structure = "lzop.block";
    if (adler !== undefined) {
      const found = this.#checks.adler32(1, from, to) >>> 0;
      if (found !== adler) throw checkFailed(structure, offset, "Adler-32", adler, found, what);
      this.#met.add("Adler-32");
    }
    if (crc !== undefined) {
      const found = this.#checks.crc32(0, from, to) >>> 0;
      if (found !== crc) throw checkFailed(structure, offset, "CRC32", crc, found, what);
      this.#met.add("CRC32");
    }
  }

  /** A big endian number. */
  #number(structure: string, field: string, size: 1 | 2 | 4): number {
    const offset = this.#at;
    need(this.#bytes, { structure, field, offset }, size);
    this.#at += size;
    if (size === 1) return this.#view.getUint8(offset);
    return size === 2 ? this.#view.getUint16(offset) : this.#view.getUint32(offset);
  }
}
