/**
 * Numbers in words, the same in every sentence.
 *
 * @module
 */

/** "8,247,232": digits in groups of three, whatever the locale. */
export function grouped(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
}
