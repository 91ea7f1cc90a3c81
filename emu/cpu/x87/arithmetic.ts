/**
 * What the x87 unit computes exactly and rounds once: the four operations,
 * square root, remainders, rounding to whole numbers, scaling, taking apart and
 * comparing.
 *
 * Each reads as the manual's table of results for it: first what cannot be
 * computed, then infinities and zeros, then numbers.
 *
 * Source: Intel SDM vol. 2, "FADD" and so on.
 *
 * @module
 */

import {
  bias,
  bitLength,
  cut,
  type Environment,
  type Extended,
  infinityOf,
  invalid,
  kind,
  kindOf,
  noteDenormals,
  raised,
  refused,
  roundExtended,
  rounding,
  scaleOf,
  squareRoot,
  zeroOf,
} from "./extended.ts";

/** An operation of two operands. */
export type Binary = (env: Environment, a: Extended, b: Extended) => Extended;

/** a + b. */
export const add: Binary = (env, a, b) => refused(env, a, b) ?? sum(env, a, b, b.sign);
/** a - b. */
export const subtract: Binary = (env, a, b) => refused(env, a, b) ?? sum(env, a, b, b.sign ^ 1);

function sum(env: Environment, a: Extended, b: Extended, sign: number): Extended {
  const [first, second] = [kindOf(a), kindOf(b)];
  if (first === kind.infinity) {
    if (second === kind.infinity && a.sign !== sign) return invalid(env);
    noteDenormals(env, a, b);
    return a;
  }
  noteDenormals(env, a, b);
  if (second === kind.infinity) return infinityOf(sign);
  const exponent = Math.min(scaleOf(a), scaleOf(b));
  const part = (value: Extended, negative: number) => {
    // An operand far above the other needs only to know that there is another.
    const by = scaleOf(value) - exponent;
    const shifted = value.significand << BigInt(Math.min(by, reach));
    return negative === 1 ? -shifted : shifted;
  };
  const far = Math.max(scaleOf(a), scaleOf(b)) - exponent - reach;
  let total: bigint;
  if (far > 0 && a.significand !== 0n && b.significand !== 0n) {
    // The lesser becomes one place of the greater's, shifted as far as it takes.
    const [great, negative, less] = scaleOf(a) > scaleOf(b) ? [a, a.sign, sign] : [b, sign, a.sign];
    const magnitude = (great.significand << BigInt(reach)) + (negative === less ? 1n : -1n);
    return roundExtended(env, negative, scaleOf(great) - reach, magnitude, env.precision);
  } else if (far > 0) {
    const [value, negative] = a.significand === 0n ? [b, sign] : [a, a.sign];
    if (value.significand !== 0n) {
      return roundExtended(env, negative, scaleOf(value), value.significand, env.precision);
    }
    total = 0n;
  } else total = part(a, a.sign) + part(b, sign);
  if (total !== 0n) {
    const negative = total < 0n ? 1 : 0;
    return roundExtended(env, negative, exponent, total < 0n ? -total : total, env.precision);
  }
  if (a.sign === sign && a.significand === 0n) return zeroOf(sign);
  return zeroOf(env.rounding === rounding.down ? 1 : 0);
}

/** Places beyond which an operand only decides how the other is rounded; more than two significands. */
const reach = 140;

/** a × b. */
export const multiply: Binary = (env, a, b) => {
  const nothing = refused(env, a, b);
  if (nothing !== undefined) return nothing;
  const [first, second] = [kindOf(a), kindOf(b)];
  const sign = a.sign ^ b.sign;
  const isInfinite = first === kind.infinity || second === kind.infinity;
  const isZero = first === kind.zero || second === kind.zero;
  if (isInfinite && isZero) return invalid(env);
  noteDenormals(env, a, b);
  if (isInfinite) return infinityOf(sign);
  if (isZero) return zeroOf(sign);
  const product = a.significand * b.significand;
  return roundExtended(env, sign, scaleOf(a) + scaleOf(b), product, env.precision);
};

/** a ÷ b. */
export const divide: Binary = (env, a, b) => {
  const nothing = refused(env, a, b);
  if (nothing !== undefined) return nothing;
  const [first, second] = [kindOf(a), kindOf(b)];
  const sign = a.sign ^ b.sign;
  if (first === second && (first === kind.infinity || first === kind.zero)) return invalid(env);
  if (first !== kind.infinity && second === kind.zero) {
    env.flags |= raised.ZE;
    return infinityOf(sign);
  }
  noteDenormals(env, a, b);
  if (first === kind.infinity) return infinityOf(sign);
  if (first === kind.zero || second === kind.infinity) return zeroOf(sign);
  // A denormal has fewer bits; both are brought to 64 first.
  const more = 67 + bitLength(b.significand) - bitLength(a.significand);
  const dividend = a.significand << BigInt(more);
  let quotient = dividend / b.significand;
  if (quotient * b.significand !== dividend) quotient = quotient << 1n | 1n;
  else quotient <<= 1n;
  return roundExtended(env, sign, scaleOf(a) - scaleOf(b) - more - 1, quotient, env.precision);
};

/** b - a. */
export const subtractReversed: Binary = (env, a, b) => subtract(env, b, a);
/** b ÷ a. */
export const divideReversed: Binary = (env, a, b) => divide(env, b, a);

/** The square root. */
export function root(env: Environment, a: Extended): Extended {
  const nothing = refused(env, a);
  if (nothing !== undefined) return nothing;
  const which = kindOf(a);
  if (which === kind.zero) return a;
  if (a.sign === 1) return invalid(env);
  noteDenormals(env, a);
  if (which === kind.infinity) return a;
  let exponent = scaleOf(a) - 140;
  let value = a.significand << 140n;
  if ((exponent & 1) !== 0) {
    exponent--;
    value <<= 1n;
  }
  const found = squareRoot(value);
  const sticky = found * found === value ? 0n : 1n;
  return roundExtended(env, 0, exponent / 2 - 1, found << 1n | sticky, env.precision);
}

/** A remainder, and what the condition bits say of it. */
export interface Remainder {
  /** The remainder, or what is left to go on with. */
  readonly value: Extended;
  /** C2: it is not done yet. */
  readonly isPartial: boolean;
  /** The quotient's low three bits; undefined where there was nothing to divide. */
  readonly quotient: number | undefined;
}

/**
 * The remainder of a by b, in one step or, where exponents are 64 and more
 * apart, one of several.
 *
 * @param nearest The quotient is rounded to nearest (FPREM1), not cut (FPREM).
 */
export function remainder(
  env: Environment,
  a: Extended,
  b: Extended,
  nearest: boolean,
): Remainder {
  const whole = (value: Extended): Remainder => ({ value, isPartial: false, quotient: 0 });
  const none = (value: Extended): Remainder => ({ value, isPartial: false, quotient: undefined });
  const nothing = refused(env, a, b);
  if (nothing !== undefined) return none(nothing);
  const [first, second] = [kindOf(a), kindOf(b)];
  if (first === kind.infinity || second === kind.zero) return none(invalid(env));
  noteDenormals(env, a, b);
  if (first === kind.zero) return whole(a);
  const [high, low] = [scaleOf(a), scaleOf(b)];
  const leading = (value: Extended) => scaleOf(value) + bitLength(value.significand);
  if (second === kind.infinity) return whole(exactly(env, a.sign, high, a.significand));
  const distance = leading(a) - leading(b);
  if (distance < -1) return whole(exactly(env, a.sign, high, a.significand));
  const exponent = Math.min(high, low);
  const dividend = a.significand << BigInt(high - exponent);
  const divisor = b.significand << BigInt(low - exponent);
  if (distance >= 64) {
    // As many places as make the next step's distance come out below 64 at last.
    const places = BigInt(distance - (distance & 31 | 32));
    const rest = dividend % (divisor << places);
    return {
      value: rest === 0n ? zeroOf(a.sign) : exactly(env, a.sign, exponent, rest),
      isPartial: true,
      quotient: 0,
    };
  }
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let { sign } = a;
  if (nearest && (2n * rest > divisor || 2n * rest === divisor && (quotient & 1n) === 1n)) {
    quotient++;
    rest = divisor - rest;
    sign ^= 1;
  }
  return {
    value: rest === 0n ? zeroOf(a.sign) : exactly(env, sign, exponent, rest),
    isPartial: false,
    quotient: Number(quotient & 7n),
  };
}

/** A result that needs no rounding but may be tiny. */
function exactly(env: Environment, sign: number, exponent: number, value: bigint): Extended {
  return roundExtended(env, sign, exponent, value);
}

/** A whole number, rounded as the control word says. */
export function toWhole(env: Environment, a: Extended): Extended {
  const nothing = refused(env, a);
  if (nothing !== undefined) return nothing;
  const which = kindOf(a);
  if (which === kind.zero || which === kind.infinity) return a;
  noteDenormals(env, a);
  const scale = scaleOf(a);
  if (scale >= 0) return a;
  const { value, inexact, up } = cut(a.significand, Math.min(-scale, 70), env.rounding, a.sign);
  env.up = up;
  if (inexact) env.flags |= raised.PE;
  if (value === 0n) return zeroOf(a.sign);
  const by = 64 - bitLength(value);
  return { sign: a.sign, exponent: bias + 63 - by, significand: value << BigInt(by) };
}

/** a times two to the whole part of b. */
export const scale: Binary = (env, a, b) => {
  const nothing = refused(env, a, b);
  if (nothing !== undefined) return nothing;
  const [first, second] = [kindOf(a), kindOf(b)];
  if (second === kind.infinity) {
    if (first === (b.sign === 1 ? kind.infinity : kind.zero)) return invalid(env);
    noteDenormals(env, a, b);
    if (first === kind.infinity || first === kind.zero) return a;
    return b.sign === 1 ? zeroOf(a.sign) : infinityOf(a.sign);
  }
  noteDenormals(env, a, b);
  if (first === kind.infinity || first === kind.zero) return a;
  const bScale = scaleOf(b);
  // Any scale beyond 2^16 leads out of the format from wherever it started.
  const by = b.significand === 0n || bScale < -63
    ? 0
    : bScale > -63 + 17
    ? 0x20000
    : Number(b.significand >> BigInt(-bScale));
  return roundExtended(env, a.sign, scaleOf(a) + (b.sign === 1 ? -by : by), a.significand);
};

/** Exponent and significand apart, as numbers. */
export function extract(env: Environment, a: Extended): [exponent: Extended, Extended] {
  const nothing = refused(env, a);
  if (nothing !== undefined) return [nothing, nothing];
  const which = kindOf(a);
  if (which === kind.zero) {
    env.flags |= raised.ZE;
    return [infinityOf(1), a];
  }
  if (which === kind.infinity) return [infinityOf(0), a];
  noteDenormals(env, a);
  const bits = bitLength(a.significand);
  const significand = a.significand << BigInt(64 - bits);
  const exponent = scaleOf(a) + bits - 1;
  return [whole(exponent), { sign: a.sign, exponent: bias, significand }];
}

/** A small whole number. */
export function whole(value: number): Extended {
  if (value === 0) return zeroOf(0);
  const magnitude = Math.abs(value);
  const bits = 32 - Math.clz32(magnitude);
  return {
    sign: value < 0 ? 1 : 0,
    exponent: bias + bits - 1,
    significand: BigInt(magnitude) << BigInt(64 - bits),
  };
}

/** How two numbers compare. */
export type Order = "less" | "equal" | "greater" | "unordered";

/**
 * Compares.
 *
 * @param quiet Quiet NaNs raise nothing (FUCOM and its like).
 */
export function compare(env: Environment, a: Extended, b: Extended, quiet: boolean): Order {
  if (refused(env, a, b) !== undefined) {
    if (!quiet) env.flags |= raised.IE;
    return "unordered";
  }
  noteDenormals(env, a, b);
  const [first, second] = [kindOf(a), kindOf(b)];
  if (first === kind.zero && second === kind.zero) return "equal";
  if (a.sign !== b.sign) return a.sign === 1 ? "less" : "greater";
  // Exponent 0 weighs as 1: a pseudo-denormal is the number that has exponent 1.
  const [high, low] = [scaleOf(a), scaleOf(b)];
  if (high === low && a.significand === b.significand) return "equal";
  const isLess = high === low ? a.significand < b.significand : high < low;
  return isLess === (a.sign === 0) ? "less" : "greater";
}
