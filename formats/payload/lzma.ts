/**
 * LZMA alone: the `.lzma` file of LZMA Utils and of `xz --format=lzma`, with
 * which kernels were packed from 2.6.30 on.
 *
 * Thirteen bytes of header, then one range-coded stream up to an end marker or
 * up to the size in the header. There is no check.
 *
 * Source: XZ Utils, doc/lzma-file-format.txt.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { decode, type Structure } from "../layout.ts";
import { Arena } from "./_arena.ts";
import { createLzmaCode, type LzmaCode, lzmaStatus, lzmaTables } from "./_lzma_code.ts";
import type { Bounds } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";

/** The header of a `.lzma` file. */
export const lzmaHeader = {
  name: "lzma",
  size: 13,
  fields: {
    properties: {
      at: 0,
      type: "u8",
      doc: "(pb * 5 + lp) * 9 + lc: how many bits of position and last byte choose coders.",
      check: (n: number): string | undefined =>
        n < 225 ? undefined : `needs to be less than 225, found ${n}`,
    },
    dictionary_size: { at: 1, type: "u32", doc: "How far back a match may lie, in bytes." },
    uncompressed_size: {
      at: 5,
      type: "u64",
      doc: "Size of the result in bytes; all ones where an end marker tells it.",
    },
  },
} as const satisfies Structure;

/** How many bytes a call decodes: the engine's better code is used from the next one on. */
export const LZMA_STEP = 0x8000 as const;

const UNKNOWN = 0xffff_ffff_ffff_ffffn;

/** The three parameters in the byte that holds them all. */
export function lzmaProperties(byte: number): { lc: number; lp: number; pb: number } {
  return { lc: byte % 9, lp: Math.floor(byte / 9) % 5, pb: Math.floor(byte / 45) };
}

/** Sets a decoder's parameters. */
export function setLzmaProperties(code: LzmaCode, byte: number): void {
  const { lc, lp, pb } = lzmaProperties(byte);
  code.lc.value = lc;
  code.lpMask.value = (1 << lp) - 1;
  code.pbMask.value = (1 << pb) - 1;
}

/**
 * Unpacks an LZMA stream.
 *
 * @throws {FormatError} If it is damaged, cut short or longer than the limit.
 */
export async function decodeLzma(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  const header = decode(lzmaHeader, bytes);
  const wrong = lzmaHeader.fields.properties.check(header.properties);
  if (wrong !== undefined) {
    throw new FormatError({ structure: "lzma", field: "properties", offset: 0 }, wrong);
  }
  const { lc, lp, pb } = lzmaProperties(header.properties);
  const size = header.uncompressed_size === UNKNOWN ? undefined : Number(header.uncompressed_size);
  const literals = 1 << (lc + lp);
  need(bytes, { structure: "lzma", offset: lzmaHeader.size }, 5);
  const arena = new Arena("lzma", bytes, lzmaTables(literals), bounds.limit);
  try {
    if (size !== undefined && size > bounds.limit) throw arena.tooLong(5);
    const code = await createLzmaCode(arena);
    setLzmaProperties(code, header.properties);
    code.reset(literals);
    code.input.value = arena.inputAt + lzmaHeader.size;
    code.out.value = code.base.value = arena.outputAt;
    if (code.start() !== 0) {
      throw new FormatError(
        { structure: "lzma", offset: lzmaHeader.size },
        `needs 0 as first byte of the range coder, found ${hex(bytes[lzmaHeader.size] ?? 0, 2)}`,
      );
    }
    run(arena, code, size, bounds);
    const consumed = code.input.value - arena.inputAt;
    const parameters = {
      dictionary: header.dictionary_size,
      lc,
      lp,
      pb,
      end: size === undefined ? "marker" : "size",
    };
    return { bytes: arena.finish(code.out.value), consumed, checks: [], parameters };
  } catch (error) {
    arena.release();
    throw error;
  }
}

function run(arena: Arena, code: LzmaCode, size: number | undefined, bounds: Bounds): void {
  const endAt = size === undefined ? Infinity : arena.outputAt + size;
  const total = size ?? bounds.size;
  for (;;) {
    const out = code.out.value;
    const at = (): number => Math.min(code.input.value, arena.inputEnd) - arena.inputAt;
    bounds.progress?.(out - arena.outputAt, total);
    if (out > endAt) {
      throw new FormatError(
        { structure: "lzma", offset: at() },
        `needs to end at ${size} bytes, found a match that goes on to ${out - arena.outputAt}`,
      );
    }
    if (out === endAt && code.code.value === 0) return;
    // At the declared size an end marker may yet follow, and nothing else.
    const mark = out === endAt ? out + 1 : Math.min(arena.mark(out, LZMA_STEP), endAt);
    const status = code.decode(mark, arena.inputEnd);
    throwForStatus("lzma", arena, code, status);
    if (status === lzmaStatus.ended) {
      if (size !== undefined && code.out.value !== endAt) {
        throw new FormatError(
          { structure: "lzma", field: "uncompressed_size", offset: 5 },
          `says ${size} bytes, found the end marker after ${code.out.value - arena.outputAt}`,
        );
      }
      if (code.input.value > arena.inputEnd) {
        throwForStatus("lzma", arena, code, lzmaStatus.starved);
      }
      return;
    }
    if (out === endAt) {
      throw new FormatError(
        { structure: "lzma", offset: at() },
        `needs to end after ${size} bytes, found more`,
      );
    }
    arena.holdLimit(code.out.value, at());
  }
}

/** Turns a status that means damage into its error. */
export function throwForStatus(
  structure: string,
  arena: Arena,
  code: LzmaCode,
  status: number,
): void {
  const offset = Math.min(code.input.value, arena.inputEnd) - arena.inputAt;
  if (status === lzmaStatus.starved) {
    throw new FormatError(
      { structure, offset: arena.inputEnd - arena.inputAt },
      `needs more bytes, the input ends at ${hex(arena.inputEnd - arena.inputAt)}`,
    );
  }
  if (status === lzmaStatus.badDistance) {
    throw new FormatError(
      { structure, offset },
      "needs a match within what was unpacked, found one before its start",
    );
  }
}
