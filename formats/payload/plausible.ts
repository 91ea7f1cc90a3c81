/**
 * Whether a stream begins where its magic stands, or the magic is there by
 * chance: the first fields behind it have to make sense.
 *
 * @module
 */

import type { Compression } from "./compression.ts";

/** The order in which deflate sends the lengths of its codes for code lengths. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;

/** Tells whether what follows a magic at `at` can be a stream of that format. */
export function looksLikeStream(format: Compression, bytes: Uint8Array, at: number): boolean {
  if (at + 32 > bytes.length) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at);
  switch (format) {
    case "gzip":
      return looksLikeGzip(view);
    case "bzip2":
      return view.getUint8(3) >= 0x31 && view.getUint8(3) <= 0x39 &&
        view.getUint32(4) === 0x31415926 && view.getUint16(8) === 0x5359;
    case "lzma": {
      const high = view.getUint32(9, true);
      const low = view.getUint32(5, true);
      // All ones: the stream tells its end itself. Nothing is packed to no bytes at all.
      const isSize = high === 0xffff_ffff ? low === 0xffff_ffff : high === 0 && low > 0;
      return isSize && view.getUint8(13) === 0;
    }
    case "xz":
      return view.getUint8(6) === 0 && view.getUint8(7) < 16 && view.getUint8(12) > 0;
    case "lzo":
      return view.getUint32(4) === 0x000d0a1a && view.getUint8(8) === 0x0a;
    case "lz4":
      return view.getUint8(0) === 2
        ? view.getUint32(4, true) > 0 && view.getUint32(4, true) <= 0x0081_0000
        : view.getUint8(4) >> 6 === 1;
    case "zstd":
      return (view.getUint8(4) & 0x08) === 0;
    case "none":
      return [1, 2].includes(view.getUint8(4)) && view.getUint8(5) === 1 && view.getUint8(6) === 1;
  }
}

/** Names and comments in the header are looked at no further: a file may be full of such magics. */
const LONGEST_NAME = 256;

/** Deflate, no reserved flags, and a first block whose tables are whole. */
function looksLikeGzip(view: DataView): boolean {
  const flags = view.getUint8(3);
  if (view.getUint8(1) !== 0x8b || view.getUint8(2) !== 8 || flags & 0xe0) return false;
  let at = 10;
  if (flags & 4) at += 2 + view.getUint16(10, true);
  for (const flag of [8, 16]) {
    if (!(flags & flag)) continue;
    const most = Math.min(at + LONGEST_NAME, view.byteLength);
    while (at < most && view.getUint8(at) !== 0) at++;
    if (at === most) return false;
    at++;
  }
  if (flags & 2) at += 2;
  if (at + 16 > view.byteLength) return false;
  const bits = (from: number, count: number): number =>
    view.getUint16(at + (from >> 3), true) >> (from & 7) & ((1 << count) - 1);
  switch (bits(1, 2)) {
    case 0:
      return (view.getUint16(at + 1, true) ^ view.getUint16(at + 3, true)) === 0xffff;
    case 1:
      return true;
    case 2: {
      if (bits(3, 5) > 29 || bits(8, 5) > 29) return false;
      // The code for code lengths leaves no code unused.
      let room = 128;
      for (let i = 0; i < bits(13, 4) + 4 && i < lengthOrder.length; i++) {
        const length = bits(17 + 3 * i, 3);
        if (length > 0) room -= 128 >> length;
      }
      return room === 0;
    }
    default:
      return false;
  }
}
