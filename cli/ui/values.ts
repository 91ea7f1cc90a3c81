/**
 * Values of options: from the word on the command line to what a command works
 * with, or a {@link UsageError} that says what is wanted.
 *
 * @module
 */

import { unknownName, UsageError } from "./errors.ts";

const units: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/**
 * A size: `512M`, `1.5GiB`, `0x4000`, `65536`; powers of 1024, whatever the
 * spelling.
 *
 * @returns Bytes.
 */
export function parseSize(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+(?:\.\d+)?)(?:([kmgt])(?:i?b)?|b)?$/i.exec(text.trim());
  const bytes = Number(match?.[1] ?? NaN) * (units[match?.[2]?.toLowerCase() ?? ""] ?? NaN);
  if (!Number.isSafeInteger(Math.round(bytes))) {
    throw new UsageError(`"${text}" is not a size`, ["Sizes look like 512M, 2GiB, 0x4000, 65536."]);
  }
  return Math.round(bytes);
}

/** A field and the value to give it, as they stand on the command line. */
export interface Assignment {
  /** Path of the field: `setup_header.vid_mode`, `boot_params.screen_info.orig_x`. */
  readonly field: string;
  /** The value as text. */
  readonly value: string;
}

/** `FIELD=VALUE`. */
export function parseAssignment(text: string): Assignment {
  const at = text.indexOf("=");
  if (at < 1) {
    throw new UsageError(`"${text}" sets no field`, [
      "Wanted: FIELD=VALUE, as in setup_header.vid_mode=0x317.",
    ]);
  }
  return { field: text.slice(0, at).trim(), value: text.slice(at + 1).trim() };
}

/** One of a few names. */
export function oneOf<const T extends string>(
  kind: string,
  names: readonly T[],
  heading?: string,
): (text: string) => T {
  return (text) => {
    const found = names.find((name) => name === text.toLowerCase());
    if (found === undefined) throw unknownName(kind, text, names, heading);
    return found;
  };
}

/** Several words in one, with commas between them. */
export function list(text: string): readonly string[] {
  return text.split(",").map((part) => part.trim()).filter(Boolean);
}
