/**
 * Conversions between the 80-bit format and those of memory: floating point of
 * 32 and 64 bits, whole numbers, and decimal digits.
 *
 * Source: Intel SDM vol. 1, 4.2 and 8.2, tables 8-1 and 8-2.
 *
 * @module
 */

import {
  bias,
  bitLength,
  cut,
  type Environment,
  type Extended,
  type Format,
  integerBit,
  invalid,
  isNaNKind,
  kind,
  kindOf,
  raised,
  refused,
  round,
  rounding,
  scaleOf,
  special,
  zeroOf,
} from "./extended.ts";

/** A memory format's shape: bits of the exponent and of the stored fraction. */
interface Shape {
  readonly exponent: number;
  readonly fraction: number;
}
const single: Shape = { exponent: 8, fraction: 23 };
const double: Shape = { exponent: 11, fraction: 52 };
const shapeOf = ({ precision }: Format) => precision === 24 ? single : double;

/**
 * Takes a number of 32 or 64 bits, exactly. A denormal is noted as such; a NaN
 * stays as signalling as it was.
 */
export function fromFloat(env: Environment, bits: bigint, format: Format): Extended {
  const shape = shapeOf(format);
  const sign = Number(bits >> BigInt(shape.exponent + shape.fraction)) & 1;
  const exponent = Number(bits >> BigInt(shape.fraction)) & (1 << shape.exponent) - 1;
  const fraction = BigInt.asUintN(shape.fraction, bits);
  const significand = fraction << BigInt(63 - shape.fraction);
  if (exponent === (1 << shape.exponent) - 1) {
    return { sign, exponent: special, significand: integerBit | significand };
  }
  if (exponent !== 0) {
    const unbiased = exponent - format.greatest;
    return { sign, exponent: unbiased + bias, significand: integerBit | significand };
  }
  if (fraction === 0n) return zeroOf(sign);
  env.denormal = true;
  const by = 64 - bitLength(significand);
  return { sign, exponent: format.least + bias - by, significand: significand << BigInt(by) };
}

/** Rounds to 32 or 64 bits. */
export function toFloat(env: Environment, value: Extended, format: Format): bigint {
  const shape = shapeOf(format);
  const which = kindOf(value);
  const pack = (sign: number, exponent: number, fraction: bigint) =>
    BigInt(sign) << BigInt(shape.exponent + shape.fraction) |
    BigInt(exponent) << BigInt(shape.fraction) | BigInt.asUintN(shape.fraction, fraction);
  const top = (1 << shape.exponent) - 1;
  const nothing = refused(env, value);
  if (nothing !== undefined) {
    return pack(nothing.sign, top, nothing.significand >> BigInt(63 - shape.fraction));
  }
  if (which === kind.zero) return pack(value.sign, 0, 0n);
  if (which === kind.infinity) return pack(value.sign, top, 0n);
  const result = round(env, format, value.sign, scaleOf(value), value.significand);
  if (result.infinite) return pack(value.sign, top, 0n);
  const isNormal = result.significand >> BigInt(shape.fraction) !== 0n;
  return pack(value.sign, isNormal ? result.exponent + format.greatest : 0, result.significand);
}

/** A whole number, exactly. */
export function fromWhole(value: bigint): Extended {
  if (value === 0n) return zeroOf(0);
  const magnitude = value < 0n ? -value : value;
  const bits = bitLength(magnitude);
  return {
    sign: value < 0n ? 1 : 0,
    exponent: bias + bits - 1,
    significand: magnitude << BigInt(64 - bits),
  };
}

/**
 * Rounds to a whole number of 16, 32 or 64 bits, in two's complement; what does
 * not fit is invalid, and its masked answer the least number.
 *
 * @param mode How to round; FISTTP cuts off whatever the control word says.
 */
export function toWholeBits(env: Environment, a: Extended, bits: number, mode: number): bigint {
  const limit = 1n << BigInt(bits - 1);
  const value = magnitudeOf(env, a, mode, a.sign === 1 ? limit : limit - 1n);
  if (value === undefined) return limit;
  return BigInt.asUintN(bits, a.sign === 1 ? -value : value);
}

/** A magnitude rounded to whole, or undefined where it is invalid. */
function magnitudeOf(
  env: Environment,
  a: Extended,
  mode: number,
  most: bigint,
): bigint | undefined {
  const which = kindOf(a);
  if (which === kind.zero) return 0n;
  const scale = scaleOf(a);
  if (isNaNKind(which) || which === kind.unsupported || which === kind.infinity || scale > 0) {
    invalid(env);
    return undefined;
  }
  const { value, inexact, up } = cut(a.significand, Math.min(-scale, 70), mode, a.sign);
  if (value > most) {
    invalid(env);
    return undefined;
  }
  env.up = up;
  if (inexact) env.flags |= raised.PE;
  return value;
}

/** Eighteen decimal digits, two a byte, and a sign: ten bytes as one number. */
export function fromDecimal(image: bigint): Extended {
  let value = 0n;
  for (let digit = 17; digit >= 0; digit--) {
    value = 10n * value + (image >> BigInt(4 * digit) & 15n);
  }
  const sign = Number(image >> 79n & 1n);
  return { ...fromWhole(value), sign };
}

/** Ten bytes of decimal digits. */
export function toDecimal(env: Environment, a: Extended): bigint {
  const value = magnitudeOf(env, a, env.rounding, 10n ** 18n - 1n);
  if (value === undefined) return 0xffffc000000000000000n;
  return BigInt(a.sign) << 79n | BigInt(`0x${value}`);
}

/** The constants that the unit loads: nearest, and cut off. */
const constantTable: Readonly<Record<string, readonly [exponent: number, bigint, bigint]>> = {
  fldl2t: [1, 0xd49a784bcd1b8afen, 0xd49a784bcd1b8afen],
  fldl2e: [0, 0xb8aa3b295c17f0bcn, 0xb8aa3b295c17f0bbn],
  fldpi: [1, 0xc90fdaa22168c235n, 0xc90fdaa22168c234n],
  fldlg2: [-2, 0x9a209a84fbcff799n, 0x9a209a84fbcff798n],
  fldln2: [-1, 0xb17217f7d1cf79acn, 0xb17217f7d1cf79abn],
};

/** The constant that an instruction loads, rounded as the control word says. */
export function constantOf(name: string, mode: number): Extended {
  if (name === "fldz") return zeroOf(0);
  const [exponent, nearest, below] = constantTable[name] ?? [0, integerBit, integerBit];
  const significand = mode === rounding.nearest
    ? nearest
    : mode === rounding.up && name !== "fld1"
    ? below + 1n
    : below;
  return { sign: 0, exponent: exponent + bias, significand };
}
