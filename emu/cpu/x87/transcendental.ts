/**
 * Sines, tangents, logarithms and powers of the x87 unit.
 *
 * All is computed in whole numbers: fixed point with at least 40 places more
 * than the result has, then rounded once. So results are the same on every host,
 * and differ from the real value by hardly more than half a place of the last
 * digit. As the processor's, angles are reduced by a π of 66 bits: near its
 * multiples results are those of the angle less the multiple of that π.
 *
 * Source: Intel SDM vol. 1, 8.3.7 to 8.3.10; vol. 2 for the tables of results.
 *
 * @module
 */

import { compare } from "./arithmetic.ts";
import {
  bias,
  bitLength,
  type Environment,
  type Extended,
  infinityOf,
  integerBit,
  invalid,
  kind,
  kindOf,
  noteDenormals,
  oneOf,
  raised,
  refused,
  roundExtended,
  scaleOf,
  squareRoot,
  zeroOf,
} from "./extended.ts";

/** Places behind the point. */
const places = 160;
const point = BigInt(places);
const one = 1n << point;

/** The unit's π: 66 bits, of which 64 are behind the point. */
const pi66 = 0x3_243f6a88_85a308d3n;
/** π and ln 2 with {@link places} behind the point, and a few beyond. */
const pi = 0x3_243f6a88_85a308d3_13198a2e_03707344_a4093822n;
const ln2 = 0xb17217f7_d1cf79ab_c9e3b398_03f2f6af_40f34326n;

/** Product in fixed point. */
const times = (a: bigint, b: bigint) => a * b >> point;

/** Below this exponent of the leading bit a series is its first term, less or more a bit. */
const tiny = -68;

/** The exponent of a finite number's leading bit. */
const leading = (value: Extended) => scaleOf(value) + bitLength(value.significand) - 1;

/** A finite number in fixed point; what is smaller than its places is cut off. */
function fixed(value: Extended): bigint {
  const by = scaleOf(value) + places;
  return by >= 0 ? value.significand << BigInt(by) : value.significand >> BigInt(-by);
}

/** Rounds a magnitude that is never exact. */
function inexactly(env: Environment, sign: number, exponent: number, value: bigint): Extended {
  return roundExtended(env, sign, exponent - 1, value << 1n | 1n);
}

/** A number, less a bit (or more a bit) of it: what a series is where its argument is tiny. */
function nearly(env: Environment, value: Extended, less: boolean, sign = value.sign): Extended {
  const magnitude = (value.significand << 130n) + (less ? -1n : 1n);
  return roundExtended(env, sign, scaleOf(value) - 130, magnitude);
}

/** A series of terms of alternating sign, each the last times the square over n (n + 1). */
function series(first: bigint, square: bigint, n: number): bigint {
  let sum = first;
  let term = first;
  for (; term !== 0n; n += 4) {
    term = times(term, square) / BigInt(n * (n + 1));
    sum -= term;
    term = times(term, square) / BigInt((n + 2) * (n + 3));
    sum += term;
  }
  return sum;
}

/** Sine of a magnitude of at most π/4. */
const sineSeries = (angle: bigint) => series(angle, times(angle, angle), 2);
/** Cosine of it. */
const cosineSeries = (angle: bigint) => series(one, times(angle, angle), 1);

/** An angle, reduced: how many quarters of a circle, and what is left of it. */
interface Reduced {
  readonly quarter: number;
  readonly rest: bigint;
}

/** Takes multiples of π/2 away, so that at most π/4 is left, of either sign. */
function reduce(value: Extended): Reduced {
  const angle = fixed(value);
  // π/2 has 65 bits behind the point.
  const half = pi66 << BigInt(places - 65);
  const quarters = (2n * angle / half + 1n) / 2n;
  const rest = angle - quarters * half;
  const signed = value.sign === 1 ? -rest : rest;
  const quarter = Number((value.sign === 1 ? -quarters : quarters) & 3n);
  return { quarter, rest: signed };
}

/** Sine of so many quarters and the rest. */
function sineOf(env: Environment, { quarter, rest }: Reduced): Extended {
  const magnitude = rest < 0n ? -rest : rest;
  let value = (quarter & 1) === 1 ? cosineSeries(magnitude) : sineSeries(magnitude);
  if ((quarter & 1) === 0 && rest < 0n) value = -value;
  const negative = (value < 0n) !== ((quarter & 2) !== 0);
  return inexactly(env, negative ? 1 : 0, -places, value < 0n ? -value : value);
}

/** What the four circular functions begin with: an answer, or nothing yet. */
function angleOf(
  env: Environment,
  a: Extended,
  atZero: Extended,
): { done: Extended | undefined } | undefined {
  const nothing = refused(env, a);
  if (nothing !== undefined) return { done: nothing };
  const which = kindOf(a);
  if (which === kind.zero) return { done: atZero };
  if (which === kind.infinity) return { done: invalid(env) };
  noteDenormals(env, a);
  return leading(a) >= 63 ? { done: undefined } : undefined;
}

/** FSIN; undefined where the angle is too large. */
export function sine(env: Environment, a: Extended): Extended | undefined {
  const answer = angleOf(env, a, a);
  if (answer !== undefined) return answer.done;
  if (leading(a) < tiny) return nearly(env, a, true);
  return sineOf(env, reduce(a));
}

/** FCOS; undefined where the angle is too large. */
export function cosine(env: Environment, a: Extended): Extended | undefined {
  const answer = angleOf(env, a, oneOf(0));
  if (answer !== undefined) return answer.done;
  if (leading(a) < tiny) return nearly(env, oneOf(0), true);
  const { quarter, rest } = reduce(a);
  return sineOf(env, { quarter: quarter + 1 & 3, rest });
}

/** FPTAN; undefined where the angle is too large. */
export function tangent(env: Environment, a: Extended): Extended | undefined {
  const answer = angleOf(env, a, a);
  if (answer !== undefined) return answer.done;
  if (leading(a) < tiny) return nearly(env, a, false);
  const { quarter, rest } = reduce(a);
  const magnitude = rest < 0n ? -rest : rest;
  const [s, c] = [sineSeries(magnitude), cosineSeries(magnitude)];
  const isTurned = (quarter & 1) === 1;
  const value = isTurned ? (c << point) / s : (s << point) / c;
  return inexactly(env, (rest < 0n) !== isTurned ? 1 : 0, -places, value);
}

/** The arctangent of a magnitude of at most one, in fixed point. */
function arctangentOf(ratio: bigint): bigint {
  // Halving the angle three times leaves less than a tenth.
  for (let n = 0; n < 3; n++) {
    const hypotenuse = squareRoot((one << point) + ratio * ratio);
    ratio = (ratio << point) / (one + hypotenuse);
  }
  const square = times(ratio, ratio);
  let power = ratio;
  let sum = 0n;
  for (let n = 1n; power !== 0n; n += 4n) {
    sum += power / n;
    power = times(power, square);
    sum -= power / (n + 2n);
    power = times(power, square);
  }
  return sum << 3n;
}

/** FPATAN: the angle of the point (x, y), from -π to π. */
export function arctangent(env: Environment, x: Extended, y: Extended): Extended {
  const nothing = refused(env, x, y);
  if (nothing !== undefined) return nothing;
  const [ofX, ofY] = [kindOf(x), kindOf(y)];
  const { sign } = y;
  noteDenormals(env, x, y);
  const multiple = (eighths: bigint) => inexactly(env, sign, -places - 3, pi * eighths);
  if (ofY === kind.infinity) {
    return multiple(ofX !== kind.infinity ? 4n : x.sign === 0 ? 2n : 6n);
  }
  if (ofY === kind.zero || ofX === kind.infinity) {
    return x.sign === 1 ? multiple(8n) : zeroOf(sign);
  }
  if (ofX === kind.zero) return multiple(4n);

  const apart = leading(y) - leading(x);
  if (apart < tiny) {
    if (x.sign === 1) return inexactly(env, sign, -places - 1, (pi << 1n) - 1n);
    return quotient(env, sign, y, x);
  }
  if (apart > -tiny) {
    const from = (pi << 0n) + (x.sign === 1 ? 1n : -1n);
    return inexactly(env, sign, -places - 1, from);
  }
  const isSteep = apart > 0 || apart === 0 && ratioOf(y, x) > one;
  let angle = arctangentOf(isSteep ? ratioOf(x, y) : ratioOf(y, x));
  if (isSteep) angle = (pi >> 1n) - angle;
  if (x.sign === 1) angle = pi - angle;
  return inexactly(env, sign, -places, angle);
}

/** A quotient of magnitudes in fixed point. */
function ratioOf(a: Extended, b: Extended): bigint {
  const by = scaleOf(a) - scaleOf(b) + places;
  return by >= 0
    ? (a.significand << BigInt(by)) / b.significand
    : a.significand / (b.significand << BigInt(-by));
}

/** The arctangent of a tiny quotient: the quotient, less a bit. */
function quotient(env: Environment, sign: number, y: Extended, x: Extended): Extended {
  const more = 200 + bitLength(x.significand) - bitLength(y.significand);
  const dividend = y.significand << BigInt(more);
  const found = dividend / x.significand;
  const isExact = found * x.significand === dividend;
  const exponent = scaleOf(y) - scaleOf(x) - more;
  // What is less by a bit than an exact quotient ends in a bit one place below.
  return roundExtended(env, sign, exponent - 1, isExact ? (found << 1n) - 1n : found << 1n | 1n);
}

/** What is out of an instruction's range, where the manual leaves the result open. */
function unchanged(env: Environment, a: Extended): Extended {
  env.flags |= raised.PE;
  return a;
}

/** F2XM1: 2 to the power of a, less 1; for a from -1 to 1. */
export function powerLessOne(env: Environment, a: Extended): Extended {
  const nothing = refused(env, a);
  if (nothing !== undefined) return nothing;
  const which = kindOf(a);
  if (which === kind.zero) return a;
  if (which === kind.infinity) return a.sign === 1 ? oneOf(1) : a;
  noteDenormals(env, a);
  if (a.exponent >= bias) {
    if (a.exponent > bias || a.significand !== integerBit) return unchanged(env, a);
    return a.sign === 1 ? { ...oneOf(1), exponent: bias - 1 } : a;
  }
  if (leading(a) < tiny) {
    return inexactly(env, a.sign, scaleOf(a) - places, a.significand * ln2);
  }
  const power = times(fixed(a), ln2);
  let term = power;
  let sum = 0n;
  for (let n = 2n; term !== 0n; n++) {
    sum += a.sign === 1 && (n & 1n) === 1n ? -term : term;
    term = times(term, power) / n;
  }
  return inexactly(env, a.sign, -places, sum);
}

/** Natural logarithm of (1 + s) / (1 - s), in fixed point; s of either sign. */
function areaTangent(s: bigint): bigint {
  const square = times(s, s);
  let power = s < 0n ? -s : s;
  let sum = 0n;
  for (let n = 1n; power !== 0n; n += 2n) {
    sum += power / n;
    power = times(power, square);
  }
  return s < 0n ? -2n * sum : 2n * sum;
}

/** FYL2X: y times the logarithm of x to base 2. */
export function logarithm(env: Environment, x: Extended, y: Extended): Extended {
  const nothing = refused(env, x, y);
  if (nothing !== undefined) return nothing;
  const [ofX, ofY] = [kindOf(x), kindOf(y)];
  if (ofX === kind.zero) {
    if (ofY === kind.zero) return invalid(env);
    if (ofY === kind.infinity) return infinityOf(y.sign ^ 1);
    env.flags |= raised.ZE;
    return infinityOf(y.sign ^ 1);
  }
  if (x.sign === 1) return invalid(env);
  // Less than one, one, or more.
  const side = compareToOne(x);
  if (ofX === kind.infinity) {
    if (ofY === kind.zero) return invalid(env);
    noteDenormals(env, x, y);
    return infinityOf(y.sign);
  }
  if (ofY === kind.infinity) {
    if (side === 0) return invalid(env);
    noteDenormals(env, x, y);
    return infinityOf(side < 0 ? y.sign ^ 1 : y.sign);
  }
  noteDenormals(env, x, y);
  const negative = side < 0 ? y.sign ^ 1 : y.sign;
  if (ofY === kind.zero || side === 0) return zeroOf(negative);

  const bits = bitLength(x.significand);
  let exponent = scaleOf(x) + bits - 1;
  let mantissa = x.significand << BigInt(places - bits + 1);
  if ((x.significand & x.significand - 1n) === 0n) {
    const product = BigInt(Math.abs(exponent)) * y.significand;
    // Exact, but the processor says otherwise.
    const result = roundExtended(env, negative, scaleOf(y), product);
    env.flags |= result.exponent === 0 ? raised.PE | raised.UE : raised.PE;
    return result;
  }
  // From √½ to √2, nearly.
  if (mantissa > one + (one >> 2n) + (one >> 3n)) {
    mantissa >>= 1n;
    exponent++;
  }
  const s = (mantissa - one << point) / (mantissa + one);
  const binary = (BigInt(exponent) << point) + (areaTangent(s) << point) / ln2;
  const magnitude = binary < 0n ? -binary : binary;
  return inexactly(env, negative, scaleOf(y) - places, magnitude * y.significand);
}

function compareToOne(x: Extended): number {
  const order = compare({ ...quiet }, x, oneOf(0), true);
  return order === "less" ? -1 : order === "equal" ? 0 : 1;
}
const quiet: Environment = {
  ...{ rounding: 0, precision: 64, masks: 0x3f, flags: 0, denormal: false, up: false },
};

/** FYL2XP1: y times the logarithm of 1 + x to base 2; for x from √½ - 1 to √2 - 1. */
export function logarithmPlusOne(env: Environment, x: Extended, y: Extended): Extended {
  const nothing = refused(env, x, y);
  if (nothing !== undefined) return nothing;
  const [ofX, ofY] = [kindOf(x), kindOf(y)];
  const sign = x.sign ^ y.sign;
  if (ofX === kind.infinity) {
    if (x.sign === 1 || ofY === kind.zero) return invalid(env);
    noteDenormals(env, x, y);
    return infinityOf(y.sign);
  }
  if (ofY === kind.infinity) {
    if (ofX === kind.zero) return invalid(env);
    noteDenormals(env, x, y);
    return infinityOf(sign);
  }
  noteDenormals(env, x, y);
  if (ofX === kind.zero || ofY === kind.zero) return zeroOf(sign);
  if (leading(x) >= 0 && x.sign === 1) return unchanged(env, x);
  if (leading(x) < tiny) {
    const product = (x.significand * y.significand << point + 64n) / ln2;
    return inexactly(env, sign, scaleOf(x) + scaleOf(y) - 64, product);
  }
  if (leading(x) > 60) {
    return logarithm(env, x, y);
  }
  let value = one + (x.sign === 1 ? -fixed(x) : fixed(x));
  // What is beyond the range is computed, too: by whole powers of two first.
  let exponent = 0;
  while (value > one + (one >> 1n)) {
    value >>= 1n;
    exponent++;
  }
  const s = (value - one << point) / (value + one);
  const binary = (BigInt(exponent) << point) + (areaTangent(s) << point) / ln2;
  const magnitude = binary < 0n ? -binary : binary;
  return inexactly(env, sign, scaleOf(y) - places, magnitude * y.significand);
}
