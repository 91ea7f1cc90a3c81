/**
 * LZMA2: chunks of LZMA or of plain bytes, each saying what it starts anew.
 *
 * Source: XZ Utils, src/liblzma/lzma/lzma2_decoder.c (there is no document);
 * the Linux kernel's lib/xz/xz_dec_lzma2.c.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import type { Arena } from "./_arena.ts";
import { type LzmaCode, lzmaStatus } from "./_lzma_code.ts";
import type { Bounds } from "./_decoder.ts";
import { LZMA_STEP, lzmaProperties, setLzmaProperties, throwForStatus } from "./lzma.ts";

/** What decoding needs. */
export interface Lzma2 {
  /** The decoder of the chunks. */
  readonly code: LzmaCode;
  /** Its memory, which holds the whole input. */
  readonly arena: Arena;
}

/** Where decoding ended. */
export interface Lzma2End {
  /** Offset in the input behind the end mark. */
  readonly at: number;
  /** Address behind the output. */
  readonly out: number;
  /** The parameters of the last chunk that said any: lc, lp, pb. */
  readonly properties: Readonly<Record<string, number>>;
}

const structure = "xz.lzma2_chunk";

/**
 * Decodes chunks up to the end mark.
 *
 * @param start Offset of the first chunk in the input.
 * @param from Address of the output; nothing before it is referred to.
 * @throws {FormatError} If a chunk is damaged or cut short, or if there is more
 *   output than the limit.
 */
export function decodeLzma2(
  { code, arena }: Lzma2,
  start: number,
  from: number,
  bounds: Bounds,
): Lzma2End {
  let at = start;
  let out = from;
  let needsDictionary = true;
  let needsProperties = true;
  let properties: Readonly<Record<string, number>> = {};
  code.base.value = from;

  for (;;) {
    const control = byteAt(arena, at, "control");
    if (control === 0) return { at: at + 1, out, properties };
    if (control >= 0xe0 || control === 1) {
      needsDictionary = false;
      needsProperties = true;
      code.base.value = out;
      code.previous.value = 0;
    }
    if (needsDictionary || (control > 2 && control < 0x80)) {
      throw new FormatError(
        { structure, field: "control", offset: at },
        needsDictionary
          ? `needs a chunk that starts the dictionary, found ${hex(control, 2)}`
          : `needs 0, 1, 2 or 0x80 and more, found ${hex(control, 2)}`,
      );
    }
    bounds.progress?.(out - arena.outputAt, bounds.size);

    if (control < 0x80) {
      const size = (byteAt(arena, at + 1, "size") << 8 | byteAt(arena, at + 2, "size")) + 1;
      at += 3;
      holdInput(arena, at, size);
      arena.holdLimit(out + size, at);
      arena.reserve(out + size);
      const all = arena.bytes();
      all.copyWithin(out, arena.inputAt + at, arena.inputAt + at + size);
      at += size;
      out += size;
      code.previous.value = all[out - 1] ?? 0;
      continue;
    }

    const size = ((control & 0x1f) << 16 | byteAt(arena, at + 1, "size") << 8 |
      byteAt(arena, at + 2, "size")) + 1;
    const packed = (byteAt(arena, at + 3, "packed_size") << 8 |
      byteAt(arena, at + 4, "packed_size")) + 1;
    let head = 5;
    if (control >= 0xc0) {
      const byte = byteAt(arena, at + 5, "properties");
      const { lc, lp, pb } = lzmaProperties(byte);
      if (byte >= 225 || lc + lp > 4) {
        throw new FormatError(
          { structure, field: "properties", offset: at + 5 },
          `needs lc + lp of up to 4 and pb of up to 4, found ${hex(byte, 2)}`,
        );
      }
      setLzmaProperties(code, byte);
      properties = { lc, lp, pb };
      needsProperties = false;
      head = 6;
    } else if (needsProperties) {
      throw new FormatError(
        { structure, field: "control", offset: at },
        `needs a chunk with properties, found ${hex(control, 2)}`,
      );
    }
    if (control >= 0xa0) code.reset(16);
    const end = at + head + packed;
    holdInput(arena, at + head, packed);
    if (packed < 5) {
      throw new FormatError(
        { structure, field: "packed_size", offset: at + 3 },
        `needs at least 5 bytes, found ${packed}`,
      );
    }
    code.input.value = arena.inputAt + at + head;
    code.out.value = out;
    if (code.start() !== 0) {
      throw new FormatError(
        { structure, offset: at + head },
        "needs 0 as first byte of the range coder",
      );
    }
    const endAt = out + size;
    arena.holdLimit(endAt, at);
    while (out < endAt) {
      const mark = Math.min(arena.mark(out, LZMA_STEP), endAt);
      const status = code.decode(mark, arena.inputAt + end);
      out = code.out.value;
      if (status === lzmaStatus.badDistance) throwForStatus(structure, arena, code, status);
      if (status !== lzmaStatus.reached || out > endAt) break;
    }
    if (out !== endAt || code.input.value !== arena.inputAt + end || code.code.value !== 0) {
      throw new FormatError(
        { structure, offset: at },
        `needs to turn ${packed} bytes into ${size}, found damage at ${
          hex(code.input.value - arena.inputAt)
        }`,
      );
    }
    at = end;
  }
}

function byteAt(arena: Arena, at: number, field: string): number {
  const input = new Uint8Array(
    arena.memory.buffer,
    arena.inputAt,
    arena.inputEnd - arena.inputAt,
  );
  need(input, { structure, field, offset: at }, 1);
  return input[at] ?? 0;
}

function holdInput(arena: Arena, at: number, size: number): void {
  const length = arena.inputEnd - arena.inputAt;
  if (at + size > length) {
    throw new FormatError(
      { structure, offset: at },
      `needs ${size} bytes, the input ends at ${hex(length)}`,
    );
  }
}
