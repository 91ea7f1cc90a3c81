/**
 * gzip, for now by fflate.
 *
 * @module
 */

import { gunzipSync } from "fflate";
import { FormatError } from "../errors.ts";
import { type Bounds, type Decompressed, tooLong } from "./decompress.ts";

/** Unpacks a gzip stream. */
export function decodeGzip(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  return new Promise((resolve) => {
    let result: Uint8Array;
    try {
      result = gunzipSync(bytes);
    } catch (cause) {
      throw new FormatError({ structure: "gzip", offset: 0 }, String(cause), { cause });
    }
    if (result.length > bounds.limit) throw tooLong("gzip", 0, bounds.limit);
    resolve({ bytes: result, consumed: bytes.length, checks: [], parameters: {} });
  });
}
