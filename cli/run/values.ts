/**
 * Values of bootrun's options.
 *
 * @module
 */

import { UsageError } from "../ui/errors.ts";

const counts: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };
const times: Readonly<Record<string, number>> = { "": 1e9, s: 1e9, ms: 1e6, us: 1e3, ns: 1 };

/** A number of instructions: `200M`, `1.5G`, `1_000_000`; powers of 1000. */
export function parseCount(text: string): number {
  const match = /^(\d[\d_]*(?:\.\d+)?|\d+e\d+)([kmg]?)$/i.exec(text.trim());
  const number = Number(match?.[1]?.replaceAll("_", "") ?? NaN);
  const count = Math.round(number * (counts[match?.[2]?.toLowerCase() ?? ""] ?? NaN));
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UsageError(`"${text}" is not a number of instructions`, [
      "Numbers look like 200M, 1.5G, 1000000.",
    ]);
  }
  return count;
}

/**
 * A time: `10s`, `1.5`, `500ms`; seconds where there is no unit.
 *
 * @returns Nanoseconds.
 */
export function parseTime(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|ms|us|ns)?$/i.exec(text.trim());
  const ns = Math.round(Number(match?.[1] ?? NaN) * (times[match?.[2]?.toLowerCase() ?? ""] ?? 0));
  if (!Number.isSafeInteger(ns) || ns < 1) {
    throw new UsageError(`"${text}" is not a time`, ["Times look like 10s, 1.5, 500ms."]);
  }
  return ns;
}

/** A regular expression; `^` and `$` are the ends of lines. */
export function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text, "m");
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new UsageError(problem.charAt(0).toLowerCase() + problem.slice(1), [
      "It is read as JavaScript reads it.",
    ], { cause: error });
  }
}

/** A whole number of 32 bits. */
export function parseSeed(text: string): number {
  const seed = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!Number.isInteger(seed) || seed > 0xffff_ffff) {
    throw new UsageError(`"${text}" is not a seed`, ["A seed is a whole number below 2^32."]);
  }
  return seed;
}
