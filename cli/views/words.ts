/**
 * Numbers in words, the same everywhere in the output.
 *
 * @module
 */

import { grouped } from "../../core/words.ts";
import { hex } from "../../formats/errors.ts";
import { hexOf } from "../../formats/others/finding.ts";

export { grouped };

/** "63.6 MiB" or "512 bytes": a size to be read, not to be calculated with. */
export function roughly(bytes: number | bigint): string {
  const n = Number(bytes);
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (n >= size) {
      const amount = n / size;
      return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${unit}`;
    }
  }
  return count(n, "byte");
}

/** "1 note", "5 notes". */
export function count(n: number | bigint, what: string, many = `${what}s`): string {
  return `${grouped(n)} ${BigInt(n) === 1n ? what : many}`;
}

/** A raw value as a table shows it: integers in hexadecimal, bytes as digits. */
export function raw(value: unknown, size = 1): string {
  if (typeof value === "number" || typeof value === "bigint") return hex(value, 2 * size);
  if (value instanceof Uint8Array) {
    if (value.every((byte) => byte === 0)) return `${value.length} × 00`;
    return value.length > 24
      ? `${hexOf(value.subarray(0, 20))}… (${value.length} bytes)`
      : hexOf(value);
  }
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return items.every((item) => item === 0 || item === 0n)
      ? `${items.length} × 0`
      : items.map((item) => raw(item)).join(" ");
  }
  return JSON.stringify(value) ?? "";
}
