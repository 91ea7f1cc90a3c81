/**
 * Values on which arithmetic on vectors likes to go wrong.
 *
 * @module
 */

import type { Random } from "./processor_cases.ts";

const edges32 = [
  // Zero, one, one half, 2.5, infinity, denormals, the least normal, the greatest.
  ...[0, 0x3f800000, 0x3f000000, 0x40200000, 0x7f800000, 1, 0x7fffff, 0x00400000, 0x800000],
  ...[0x800001, 0x7f7fffff],
  // NaNs: quiet and not.
  ...[0x7fc00000, 0x7fc12345, 0x7f800001, 0x7fa54321],
  // About 2^31 and 2^63, 2^23 and a half below, what is nearly one.
  ...[0x4effffff, 0x4f000000, 0x5effffff, 0x5f000000, 0x4b000000, 0x4affffff, 0x3f7fffff],
];
const edges64 = [
  ...[0n, 0x3ff0n << 48n, 0x3fe0n << 48n, 0x4004n << 48n, 0x7ff0n << 48n, 1n, 0xf_ffff_ffff_ffffn],
  ...[0x8_0000_0000_0000n, 0x10_0000_0000_0000n, 0x10_0000_0000_0001n, 0x7fef_ffff_ffff_ffffn],
  ...[0x7ff8n << 48n, 0x7ff8_1234_5678_9abcn, 0x7ff0_0000_0000_0001n, 0x7ff4_5432_1000_0000n],
  ...[0x41df_ffff_ffc0_0000n, 0x41df_ffff_ffe0_0000n, 0x41e0n << 48n, 0x43e0n << 48n],
  ...[0x43df_ffff_ffff_ffffn, 0x4330n << 48n, 0x432f_ffff_ffff_ffffn, 0x3fef_ffff_ffff_ffffn],
  // About the least and the greatest of single precision.
  ...[0x3810n << 48n, 0x380f_ffff_ffff_ffffn, 0x3690n << 48n, 0x47ef_ffff_e000_0000n],
  ...[0x47ef_ffff_f000_0000n, 0x47f0n << 48n],
];

function float32(random: Random): bigint {
  const sign = random.next() & 1;
  const pick = random.below(10);
  if (pick < 4) return BigInt((edges32[random.below(edges32.length)] ?? 0) + sign * 2 ** 31);
  const fraction = random.below(3) === 0 ? random.next() & 0x700000 : random.next() & 0x7fffff;
  // Numbers of one size, of all sizes, about the ends, of few bits.
  const exponent = pick < 7
    ? 120 + random.below(40)
    : pick < 8
    ? random.below(256)
    : pick < 9
    ? random.below(30)
    : 225 + random.below(30);
  return BigInt(sign * 2 ** 31 + exponent * 2 ** 23 + fraction);
}

function float64(random: Random): bigint {
  const sign = BigInt(random.next() & 1) << 63n;
  const pick = random.below(10);
  if (pick < 4) return sign | (edges64[random.below(edges64.length)] ?? 0n);
  const low = random.below(3) === 0 ? 0 : random.next();
  const fraction = BigInt(random.next() & 0xfffff) << 32n | BigInt(low);
  const exponent = pick < 7
    ? 1010 + random.below(80)
    : pick < 8
    ? random.below(2048)
    : pick < 9
    ? random.below(60)
    : random.below(2) === 0
    ? 1985 + random.below(62)
    // About the ends of single precision.
    : random.below(2) === 0
    ? 1023 - 155 + random.below(40)
    : 1023 + 110 + random.below(40);
  return sign | BigInt(exponent) << 52n | fraction;
}

const laneEdges = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn];

/** Lanes of whole numbers, of a width that it chooses. */
function integers(random: Random): bigint {
  const width = [8, 16, 32, 64][random.below(4)] ?? 8;
  let value = 0n;
  for (let at = 0; at < 64; at += width) {
    const edge = laneEdges[random.below(8)] ?? 0n;
    // What ends in a width as the edges end in 16 bits.
    const grown = edge < 0x100n && width <= 16 ? edge : edge << BigInt(Math.max(0, width - 16));
    const lane = random.below(3) === 0
      ? grown
      : BigInt(random.next()) << 32n | BigInt(random.next());
    value |= BigInt.asUintN(width, lane) << BigInt(at);
  }
  return value;
}

/** Text of few letters, with zeros at times. */
function text(random: Random): bigint {
  const letters = random.below(2) === 0 ? [0x61, 0x62, 0x63, 0x64] : [0x61, 0x7f, 0x80, 0xfe, 0];
  let value = 0n;
  for (let at = 0; at < 64; at += 8) {
    const letter = letters[random.below(letters.length)] ?? 0x61;
    value |= BigInt(random.below(12) === 0 ? 0 : letter) << BigInt(at);
  }
  return value;
}

/** Two words of a vector, the low one first. */
export function vectorOf(
  kind: "integers" | "f32" | "f64" | "text",
  random: Random,
): readonly [bigint, bigint] {
  const word = (): bigint => {
    switch (kind) {
      case "integers":
        return integers(random);
      case "f32":
        return float32(random) | float32(random) << 32n;
      case "f64":
        return float64(random);
      case "text":
        return text(random);
    }
  };
  if (kind === "integers" && random.below(4) === 0) {
    // A number that may be a shift's count.
    return [BigInt(random.below(80)), word()];
  }
  if (kind === "text" && random.below(3) === 0) {
    // Words as text.
    const wide = () => word() & 0x00ff_00ff_00ff_00ffn;
    return [wide(), wide()];
  }
  return [word(), word()];
}

/** A whole number of 64 bits. */
export function numberOf(random: Random): bigint {
  return random.below(2) === 0 ? random.value() : BigInt.asUintN(
    64,
    BigInt.asIntN(64, random.value()) >> BigInt(random.below(64)),
  );
}
