/**
 * zstd, for now by zstddec.
 *
 * @module
 */

import { ZSTDDecoder } from "zstddec";
import type { Bounds, Decompressed } from "./decompress.ts";

/** Unpacks a zstd stream. */
export async function decodeZstd(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  const decoder = new ZSTDDecoder();
  await decoder.init();
  const result = decoder.decode(bytes, bounds.size ?? 0);
  return { bytes: result, consumed: bytes.length, checks: [], parameters: {} };
}
