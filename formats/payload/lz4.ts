/**
 * LZ4, in the legacy frame that kernels use and in the frame of today.
 *
 * The legacy frame is a magic and then blocks of 8 MiB, each with its packed
 * size before it, up to the end of the input; the magic may come again. It has
 * no check. The frame of today says how large its blocks are, may have checks
 * (XXH32) on each and on the whole, and ends with an end mark.
 *
 * Source: "LZ4 Frame Format Description" 1.6.3, with "Legacy frame".
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { Arena } from "./_arena.ts";
import { type Checks, createChecks, RunningHash } from "./_checks.ts";
import { createLz4Code, type Lz4Code, lz4Status } from "./_lz4_code.ts";
import { type Bounds, checkFailed } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";

const LEGACY = 0x184c2102;
const MODERN = 0x184d2204;
const SKIPPABLE = 0x184d2a50;
/** What a legacy block unpacks to at most. */
const LEGACY_BLOCK = 8 << 20;
/** What such a block may take where nothing in it can be packed. */
const LEGACY_PACKED = LEGACY_BLOCK + LEGACY_BLOCK / 255 + 16;
/** How many bytes a call decodes at most; the engine improves code between calls. */
const STEP = 0x10000;

/**
 * Unpacks LZ4 frames, of either kind, up to the end of the input.
 *
 * @throws {FormatError} If one is damaged, cut short or fails a check, or if the
 *   result is longer than the limit.
 */
export async function decodeLz4(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  need(bytes, { structure: "lz4", field: "magic", offset: 0 }, 4);
  const arena = new Arena("lz4", bytes, 0, bounds.limit);
  try {
    const code = await createLz4Code(arena);
    return new Lz4Reader(bytes, arena, code, await createChecks(arena), bounds).read();
  } catch (error) {
    arena.release();
    throw error;
  }
}

class Lz4Reader {
  readonly #view: DataView;
  readonly #length: number;
  readonly #arena: Arena;
  readonly #code: Lz4Code;
  readonly #checks: Checks;
  readonly #bounds: Bounds;
  #at = 0;
  #out: number;
  #blocks = 0;
  readonly #met = new Set<string>();
  readonly #parameters: Record<string, string | number> = {};

  constructor(
    bytes: Uint8Array,
    arena: Arena,
    code: Lz4Code,
    checks: Checks,
    bounds: Bounds,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#length = bytes.length;
    this.#arena = arena;
    this.#code = code;
    this.#checks = checks;
    this.#bounds = bounds;
    this.#out = arena.outputAt;
  }

  read(): Decompressed {
    let frames = 0;
    while (this.#at + 4 <= this.#length) {
      const magic = this.#view.getUint32(this.#at, true);
      if (magic === LEGACY) this.#legacy();
      else if (magic === MODERN) this.#modern();
      else if (magic >>> 4 === SKIPPABLE >>> 4) this.#skip();
      else if (frames > 0) break;
      else {
        throw new FormatError(
          { structure: "lz4", field: "magic", offset: this.#at },
          `needs ${hex(LEGACY)} or ${hex(MODERN)}, found ${hex(magic, 8)}`,
        );
      }
      frames++;
    }
    if (frames > 1) this.#parameters.frames = frames;
    this.#parameters.blocks = this.#blocks;
    return {
      bytes: this.#arena.finish(this.#out),
      consumed: this.#at,
      checks: [...this.#met],
      parameters: this.#parameters,
    };
  }

  #legacy(): void {
    const structure = "lz4.legacy_block";
    this.#parameters.frame = "legacy";
    this.#at += 4;
    let isLast = false;
    while (this.#at < this.#length) {
      const start = this.#at;
      const size = this.#u32(structure, "size");
      if (size === LEGACY || size === MODERN || size >>> 4 === SKIPPABLE >>> 4) {
        this.#at = start;
        return;
      }
      // The kernel's size word may have come along.
      if (this.#at === this.#length && size === this.#out - this.#arena.outputAt) {
        this.#at = start;
        return;
      }
      if (size === 0 || size > LEGACY_PACKED || isLast) {
        throw new FormatError(
          { structure, field: "size", offset: start },
          isLast
            ? `needs the end after a block of less than 8 MiB, found ${hex(size, 8)}`
            : `needs 1 to ${LEGACY_PACKED} bytes, found ${size}`,
        );
      }
      this.#hold(structure, start, size);
      const from = this.#out;
      this.#block(structure, size, LEGACY_BLOCK, from);
      isLast = this.#out - from < LEGACY_BLOCK;
    }
  }

  #modern(): void {
    const structure = "lz4.frame";
    const start = this.#at;
    this.#at += 4;
    const flags = this.#u8(structure, "FLG");
    const descriptor = this.#u8(structure, "BD");
    const sizeCode = descriptor >> 4 & 7;
    if (flags >> 6 !== 1 || flags & 2 || descriptor & 0x8f || sizeCode < 4) {
      throw new FormatError(
        { structure, field: "FLG", offset: start + 4 },
        `needs version 1, reserved bits of 0 and a block size of 4 to 7, found ${
          hex(flags << 8 | descriptor, 4)
        }`,
      );
    }
    const isIndependent = (flags & 0x20) !== 0;
    const hasBlockChecks = (flags & 0x10) !== 0;
    const contentSize = flags & 8 ? this.#u64(structure, "content_size") : undefined;
    if (flags & 1) this.#parameters["dictionary id"] = this.#u32(structure, "dictionary_id");
    const headerCheck = this.#hash(start + 4, this.#at) >> 8 & 0xff;
    const stored = this.#u8(structure, "HC");
    if (stored !== headerCheck) {
      throw new FormatError(
        { structure, field: "HC", offset: this.#at - 1 },
        `says ${hex(stored, 2)}, the bytes have ${hex(headerCheck, 2)}`,
      );
    }
    const most = 1 << (8 + 2 * sizeCode);
    Object.assign(this.#parameters, { frame: "lz4", "block size": most });

    const from = this.#out;
    for (;;) {
      const blockAt = this.#at;
      const word = this.#u32("lz4.block", "size");
      if (word === 0) break;
      const size = word & 0x7fff_ffff;
      if (size > most) {
        throw new FormatError(
          { structure: "lz4.block", field: "size", offset: blockAt },
          `needs up to ${most} bytes, found ${size}`,
        );
      }
      this.#hold("lz4.block", blockAt, size + (hasBlockChecks ? 4 : 0));
      const dataAt = this.#at;
      if (word >>> 31) this.#stored(size);
      else this.#block("lz4.block", size, most, isIndependent ? this.#out : from);
      if (hasBlockChecks) this.#holdHash("lz4.block", this.#hash(dataAt, dataAt + size));
    }
    if (flags & 4) {
      const hash = new RunningHash(this.#checks, false, from);
      this.#holdHash(structure, Number(hash.end(this.#out)));
    }
    if (contentSize !== undefined && contentSize !== this.#out - from) {
      throw new FormatError(
        { structure, field: "content_size", offset: start + 6 },
        `says ${contentSize} bytes, the frame has ${this.#out - from}`,
      );
    }
  }

  #skip(): void {
    const start = this.#at;
    this.#at += 4;
    const size = this.#u32("lz4.skippable_frame", "size");
    this.#hold("lz4.skippable_frame", start, size);
    this.#at += size;
  }

  /** Unpacks one block of `size` bytes; matches lie at or behind `base`. */
  #block(structure: string, size: number, most: number, base: number): void {
    const code = this.#code;
    const from = this.#out;
    const start = this.#at;
    const inputEnd = this.#arena.inputAt + start + size;
    code.input.value = this.#arena.inputAt + start;
    code.out.value = from;
    const outputEnd = Math.min(from + most, this.#arena.limitAt);
    for (;;) {
      const out = code.out.value;
      this.#bounds.progress?.(out - this.#arena.outputAt, this.#bounds.size);
      // A step may end with a sequence that is as long as the block.
      const room = Math.min(outputEnd, out + STEP + 256 * size);
      this.#arena.reserve(room);
      const status = code.decode(out + STEP, inputEnd, room, base);
      this.#out = code.out.value;
      if (status === lz4Status.ended) break;
      if (status === lz4Status.reached) continue;
      const offset = Math.min(code.input.value, inputEnd) - this.#arena.inputAt;
      if (status === lz4Status.tooLong && outputEnd === this.#arena.limitAt) {
        throw this.#arena.tooLong(offset);
      }
      throw new FormatError(
        { structure, offset },
        status === lz4Status.tooLong
          ? `needs to unpack to up to ${most} bytes, found more`
          : status === lz4Status.badDistance
          ? "needs a match within what was unpacked, found one before its start"
          : `needs more bytes, the block ends at ${hex(start + size)}`,
      );
    }
    this.#at = start + size;
    this.#blocks++;
  }

  #stored(size: number): void {
    if (this.#out + size > this.#arena.limitAt) throw this.#arena.tooLong(this.#at);
    this.#arena.reserve(this.#out + size);
    const from = this.#arena.inputAt + this.#at;
    this.#arena.bytes().copyWithin(this.#out, from, from + size);
    this.#at += size;
    this.#out += size;
    this.#blocks++;
  }

  /** XXH32 of some bytes of the input. */
  #hash(start: number, end: number): number {
    const { inputAt } = this.#arena;
    return Number(new RunningHash(this.#checks, false, inputAt + start).end(inputAt + end));
  }

  #holdHash(structure: string, found: number): void {
    const offset = this.#at;
    const stored = this.#u32(structure, "checksum");
    if (stored !== found) throw checkFailed(structure, offset, "XXH32", stored, found);
    this.#met.add("XXH32");
  }

  #hold(structure: string, offset: number, size: number): void {
    if (this.#at + size > this.#length) {
      throw new FormatError(
        { structure, field: "size", offset },
        `needs ${size} bytes, the input ends at ${hex(this.#length)}`,
      );
    }
  }

  #u8(structure: string, field: string): number {
    this.#need(structure, field, 1);
    return this.#view.getUint8(this.#at++);
  }

  #u32(structure: string, field: string): number {
    this.#need(structure, field, 4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #u64(structure: string, field: string): number {
    this.#need(structure, field, 8);
    this.#at += 8;
    return Number(this.#view.getBigUint64(this.#at - 8, true));
  }

  #need(structure: string, field: string, size: number): void {
    if (this.#at + size > this.#length) {
      throw new FormatError(
        { structure, field, offset: this.#at },
        `needs ${size} ${size === 1 ? "byte" : "bytes"}, the input ends at ${hex(this.#length)}`,
      );
    }
  }
}
