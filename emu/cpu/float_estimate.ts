/**
 * @module
 */

/** Stand-in until measured. */
export function floatEstimate(_operation: "rcp" | "rsqrt", a: bigint): bigint {
  return a;
}
