/**
 * The memory that decoders made of WebAssembly work in.
 *
 * ```text
 * 0          tables of the checks
 * 0xc000     tables for copying
 * 0x10000    tables and state of the decoder
 * inputAt    the whole input, then some zeros that a decoder may read beyond it
 * outputAt   the result, which is the dictionary as well; grows as it is written
 * ```
 *
 * Nothing is copied but the input and, where it is small, the result: a large
 * result is handed out as a view of the memory. Small ones are copied so that
 * their memory can serve again, since engines reserve gigabytes of address space
 * for each.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import { writeCopyTables } from "./_copy.ts";
import { tooLong } from "./_decoder.ts";

const PAGE = 0x10000;
/** The end of what is used: below 2 GiB, addresses are positive on both sides. */
const LAST = 0x7fff_0000;

/** Where the tables of the checks are; 48 KiB. */
export const CHECK_TABLES = 0;
/** Where a decoder's own tables start. */
export const DECODER_TABLES = 0x10000;
/** How far beyond the input a decoder may read. */
export const INPUT_SLACK = 64;
/** How far beyond what was reserved of the output a decoder may write. */
export const OUTPUT_SLACK = 1024;

/** A result larger than this is handed out in place. */
const COPIED = 0x10_0000;

/** Memories waiting for their next use: a few small ones. */
const idle: { memories?: WebAssembly.Memory[] } = {};

/** One decoder's memory. */
export class Arena {
  /** The memory, to be imported as `env.memory`. */
  readonly memory: WebAssembly.Memory;
  /** Where the input is. */
  readonly inputAt: number;
  /** Where it ends. */
  readonly inputEnd: number;
  /** Where the result starts, a multiple of 64. */
  readonly outputAt: number;
  /** Where the result has to end. */
  readonly limitAt: number;
  readonly #structure: string;
  readonly #isFresh: boolean;

  /**
   * @param structure What is being unpacked, for errors.
   * @param tables Bytes that the decoder's tables take.
   * @param limit Most bytes of the result.
   */
  constructor(structure: string, input: Uint8Array, tables: number, limit: number) {
    this.#structure = structure;
    this.inputAt = (DECODER_TABLES + tables + 63) & ~63;
    this.inputEnd = this.inputAt + input.length;
    this.outputAt = Math.ceil((this.inputEnd + INPUT_SLACK) / 64) * 64;
    this.limitAt = Math.min(this.outputAt + limit, LAST);
    const used = idle.memories?.pop();
    this.#isFresh = used === undefined;
    this.memory = used ?? new WebAssembly.Memory({ initial: 4, maximum: 0x8000 });
    this.reserve(this.outputAt);
    const all = this.bytes();
    all.set(input, this.inputAt);
    all.fill(0, this.inputEnd, this.outputAt);
    writeCopyTables(all);
  }

  /** All of the memory; good until the next {@link reserve}. */
  bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  /** Makes sure that the memory reaches beyond `end` by {@link OUTPUT_SLACK}. */
  reserve(end: number): void {
    const { byteLength } = this.memory.buffer;
    const wanted = end + OUTPUT_SLACK;
    if (wanted <= byteLength) return;
    // More than asked for, by a small multiple of the input: pages that are not
    // touched cost nothing, and each growth may bring the garbage collector on.
    const extra = Math.max(byteLength, 8 * (this.inputEnd - this.inputAt));
    const roomy = Math.min(wanted + extra, this.limitAt + OUTPUT_SLACK);
    const pages = Math.ceil((Math.max(wanted, roomy) - byteLength) / PAGE);
    try {
      this.memory.grow(pages);
    } catch (cause) {
      throw new FormatError(
        { structure: this.#structure, offset: 0 },
        `unpacks to more than the memory there is; ${end - this.outputAt} bytes so far`,
        { cause },
      );
    }
  }

  /**
   * Makes room for a decoder's next step.
   *
   * @param out Where the output stands.
   * @param step How many bytes are to come at most.
   * @returns The mark at which the decoder should return. At the limit that is one
   *   byte beyond it: a stream may be over without that being known.
   */
  mark(out: number, step: number): number {
    const end = Math.max(Math.min(out + step, this.limitAt), out + 1);
    this.reserve(end);
    return end;
  }

  /**
   * Holds that the output is within the limit.
   *
   * @param at Offset in the input, for the error.
   */
  holdLimit(out: number, at: number): void {
    if (out > this.limitAt) throw this.tooLong(at);
  }

  /**
   * Writes one byte many times, at the end of the output. Zeros need not be
   * written to memory that was not used before, but for the first few: a decoder
   * may have gone beyond its output. Kernels have zeros by the megabyte, and a page
   * not touched is not needed.
   */
  fill(byte: number, from: number, to: number): void {
    const written = this.#isFresh && byte === 0 ? Math.min(to, from + OUTPUT_SLACK) : to;
    this.bytes().fill(byte, from, written);
  }

  /** The error for a result beyond the limit, at an offset in the input. */
  tooLong(at: number): FormatError {
    return tooLong(this.#structure, at, this.limitAt - this.outputAt);
  }

  /** The result up to `end`. The arena must not be used any more. */
  finish(end: number): Uint8Array {
    const result = this.bytes().subarray(this.outputAt, end);
    if (result.length > COPIED) return result;
    const copy = result.slice();
    this.release();
    return copy;
  }

  /** Gives the memory back, where nothing of it is needed: after an error. */
  release(): void {
    idle.memories ??= [];
    if (this.memory.buffer.byteLength <= 16 * COPIED && idle.memories.length < 4) {
      idle.memories.push(this.memory);
    }
  }
}

/**
 * A module made once and kept with what the engine learnt about it. Used as
 * `compiled(cache, make)` with one `cache` a module.
 */
export function compiled(
  cache: { module?: Promise<WebAssembly.Module> },
  make: () => Uint8Array<ArrayBuffer>,
): Promise<WebAssembly.Module> {
  return cache.module ??= WebAssembly.compile(make());
}
