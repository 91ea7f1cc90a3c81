/**
 * What the decoders have in common: what they are given and how they complain.
 *
 * @module
 */

import { FormatError, hex } from "../errors.ts";
import type { Decompressed } from "./decompress.ts";

/** What a decoder is given: the options with defaults filled in. */
export interface Bounds {
  /** The most bytes that the result may have. */
  readonly limit: number;
  /** The size of the result, where it is known beforehand. */
  readonly size?: number;
  /** Called now and then with bytes written so far and bytes expected. */
  readonly progress?: (done: number, total: number | undefined) => void;
}

/** One format's decoder. */
export type Decoder = (bytes: Uint8Array, bounds: Bounds) => Promise<Decompressed>;

/** The error for a result beyond the limit. */
export function tooLong(structure: string, offset: number, limit: number): FormatError {
  return new FormatError(
    { structure, offset },
    `unpacks to more than the limit of ${limit} bytes (${hex(limit)}); ` +
      "if that is wanted, raise the limit",
  );
}

/** The error for a check that does not hold. */
export function checkFailed(
  structure: string,
  offset: number,
  check: string,
  needed: number | bigint | string,
  found: number | bigint | string,
  of = "result",
): FormatError {
  const show = (value: number | bigint | string): string =>
    typeof value === "string" ? value : hex(value, typeof value === "bigint" ? 16 : 8);
  return new FormatError(
    { structure, offset },
    `${check} of the ${of} needs to be ${show(needed)}, found ${show(found)}`,
  );
}
