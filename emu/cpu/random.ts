/**
 * Numbers that look random, and are the same in every run.
 *
 * @module
 */

/**
 * A sequence of 64-bit numbers that looks random and is always the same.
 *
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators"
 * (2014), SplitMix64.
 */
export function splitMix(seed = 0n): () => bigint {
  let state = seed;
  return () => {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ z >> 30n) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ z >> 27n) * 0x94d0_49bb_1331_11ebn);
    return z ^ z >> 31n;
  };
}
