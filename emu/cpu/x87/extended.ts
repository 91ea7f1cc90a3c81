/**
 * Numbers of the x87 unit: the 80-bit format, its kinds, and rounding.
 *
 * A number is kept as it is stored: sign, biased exponent of 15 bits, and a
 * significand of 64 bits whose top bit, the integer bit, is explicit. What an
 * operation raised, and which way it rounded, gathers in an {@link Environment}.
 *
 * Significands are bigints here: this is the plain description, which holds for
 * every operand. What programs do all day goes another way; see fast.ts.
 *
 * Source: Intel SDM vol. 1, 4.2, 4.8 and 8.5.
 *
 * @module
 */

/** Exceptions: bits of the status word, and their masks' in the control word. */
export const raised = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 0x10, PE: 0x20 } as const;

/** A number of the 80-bit format, as it is stored. */
export interface Extended {
  /** 1 where it is negative. */
  readonly sign: number;
  /** Biased by 16383. */
  readonly exponent: number;
  /** 64 bits, of which the top one is the integer bit. */
  readonly significand: bigint;
}

/** The way numbers are rounded: bits 10 and 11 of the control word. */
export const rounding = { nearest: 0, down: 1, up: 2, chop: 3 } as const;

/** How to compute, and what came of it. */
export interface Environment {
  /** See {@link rounding}. */
  rounding: number;
  /** Bits that results are rounded to: 24, 53 or 64. */
  precision: number;
  /** Exceptions that are masked: the low six bits of the control word. */
  masks: number;
  /** Exceptions so far. */
  flags: number;
  /** A memory operand was a denormal in its own format. */
  denormal: boolean;
  /** The last rounding went away from zero: C1. */
  up: boolean;
}

/** What kind of thing a number is. */
export const kind = {
  ...{ zero: 0, normal: 1, denormal: 2, infinity: 3, quiet: 4, signalling: 5 },
  /** Formats that the 8087 had and processors since the 80387 refuse. */
  unsupported: 6,
} as const;

/** What is added to an exponent. */
export const bias = 16383;
/** The greatest biased exponent, of infinities and NaNs. */
export const special = 0x7fff;
/** The integer bit. */
export const integerBit = 1n << 63n;
const quietBit = 1n << 62n;

/** The NaN that stands for a result that there is none of. */
export const indefinite: Extended = {
  sign: 1,
  exponent: special,
  significand: integerBit | quietBit,
};

/** Zero of a sign. */
export const zeroOf = (sign: number): Extended => ({ sign, exponent: 0, significand: 0n });
/** Infinity of a sign. */
export const infinityOf = (sign: number): Extended => ({
  sign,
  exponent: special,
  significand: integerBit,
});
/** One, or less one. */
export const oneOf = (sign: number): Extended => ({
  sign,
  exponent: bias,
  significand: integerBit,
});

/** Tells the kind of a number; pseudo-denormals are denormals. */
export function kindOf({ exponent, significand }: Extended): number {
  if (exponent === 0) return significand === 0n ? kind.zero : kind.denormal;
  if ((significand & integerBit) === 0n) return kind.unsupported;
  if (exponent !== special) return kind.normal;
  if (significand === integerBit) return kind.infinity;
  return (significand & quietBit) === 0n ? kind.signalling : kind.quiet;
}

/** Whether it is a NaN. */
export const isNaNKind = (k: number): boolean => k === kind.quiet || k === kind.signalling;

/** A NaN made quiet. */
export function quieted(value: Extended): Extended {
  return { ...value, significand: value.significand | quietBit };
}

/** The exponent of the last place of a finite number: it is significand times two to that. */
export function scaleOf({ exponent }: Extended): number {
  return (exponent === 0 ? 1 : exponent) - bias - 63;
}

/** Raises invalid operation, whose masked answer is the indefinite NaN. */
export function invalid(env: Environment): Extended {
  env.flags |= raised.IE;
  return indefinite;
}

/**
 * The answer to an operand of which nothing can be computed: a NaN or an
 * unsupported format. Of two NaNs a quiet one goes before a signalling one, then
 * the one of greater significand, then the positive one. Denormals raise their
 * exception here if nothing of that kind stands before it.
 *
 * @returns The result, or undefined if there is something to compute.
 */
export function refused(env: Environment, a: Extended, b?: Extended): Extended | undefined {
  const [first, second] = [kindOf(a), b === undefined ? kind.zero : kindOf(b)];
  if (first === kind.unsupported || second === kind.unsupported) return invalid(env);
  if (first < kind.quiet && second < kind.quiet) return undefined;
  if (first === kind.signalling || second === kind.signalling) env.flags |= raised.IE;
  if (b === undefined || !isNaNKind(second)) return quieted(a);
  if (!isNaNKind(first)) return quieted(b);
  if (first !== second) return first === kind.quiet ? a : b;
  if (a.significand !== b.significand) return quieted(a.significand > b.significand ? a : b);
  return quieted(a.sign <= b.sign ? a : b);
}

/** Raises the denormal exception if an operand calls for it. */
export function noteDenormals(env: Environment, a: Extended, b?: Extended): void {
  if (env.denormal || isDenormal(a) || b !== undefined && isDenormal(b)) env.flags |= raised.DE;
}

const isDenormal = ({ exponent, significand }: Extended) => exponent === 0 && significand !== 0n;

/** How many bits a positive number has. */
export function bitLength(value: bigint): number {
  let bits = 0;
  while (value >= 1n << 52n) {
    const by = value >= 1n << 512n ? 500n : 32n;
    value >>= by;
    bits += Number(by);
  }
  const high = Math.floor(Number(value) / 0x1_0000_0000);
  return bits + (high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(Number(value & 0xffff_ffffn)));
}

/** What exponents are shifted by where overflow or underflow is not masked. */
const wrap = 24576;

/** A format that results are rounded to. */
export interface Format {
  /** Bits of the significand. */
  readonly precision: number;
  /** The least exponent of a normal number. */
  readonly least: number;
  /** The greatest. */
  readonly greatest: number;
}

/** The formats in registers and memory. */
export const formats = {
  single: { precision: 24, least: -126, greatest: 127 },
  double: { precision: 53, least: -1022, greatest: 1023 },
  extended: { precision: 64, least: -16382, greatest: 16383 },
} as const;

/** A number rounded: `significand` times two to `exponent`, less `precision - 1`. */
export interface Rounded {
  /** Of the significand's top place, whether or not that bit is set. */
  readonly exponent: number;
  /** Of as many bits as the precision, fewer if it is denormal. */
  readonly significand: bigint;
  /** It is infinity. */
  readonly infinite: boolean;
}

/** A bigint cut by so many bits, rounded. */
interface Cut {
  readonly value: bigint;
  readonly inexact: boolean;
  readonly up: boolean;
}

/** Cuts off the low bits of a magnitude; less than none are added. */
export function cut(value: bigint, bits: number, mode: number, sign: number): Cut {
  if (bits <= 0) return { value: value << BigInt(-bits), inexact: false, up: false };
  const by = BigInt(bits);
  const kept = value >> by;
  const rest = value - (kept << by);
  if (rest === 0n) return { value: kept, inexact: false, up: false };
  let up = false;
  if (mode === rounding.nearest) {
    const half = 1n << by - 1n;
    up = rest > half || rest === half && (kept & 1n) === 1n;
  } else if (mode !== rounding.chop) up = (mode === rounding.down) === (sign === 1);
  return { value: up ? kept + 1n : kept, inexact: true, up };
}

/**
 * Rounds `value` times two to `exponent` to a format, raising overflow,
 * underflow and precision. Numbers are tiny if they are so after rounding.
 *
 * @param value Not zero. May end in a bit that stands for all that follow.
 * @param precision Fewer bits than the format has, by precision control.
 */
export function round(
  env: Environment,
  { least, greatest, precision: most }: Format,
  sign: number,
  exponent: number,
  value: bigint,
  precision: number = most,
): Rounded {
  const bits = bitLength(value);
  const unrounded = exponent + bits - 1;
  let top = unrounded;
  let result = cut(value, bits - precision, env.rounding, sign);
  let { value: significand } = result;
  if (significand >> BigInt(precision) !== 0n) {
    significand >>= 1n;
    top++;
  }
  if (top < least) {
    if ((env.masks & raised.UE) === 0) {
      env.flags |= raised.UE;
      top += wrap;
      // Only scaling leads so far.
      if (top < least) return beyond(env, false);
    } else {
      // Far below the format all is less than half of its last place.
      const more = Math.min(bits - precision + least - unrounded, bits + 2);
      result = cut(value, more, env.rounding, sign);
      significand = result.value;
      top = least;
      if (result.inexact) env.flags |= raised.UE;
    }
  } else if (top > greatest) {
    env.flags |= raised.OE;
    if ((env.masks & raised.OE) === 0) {
      top -= wrap;
      if (top > greatest) return beyond(env, true);
    } else {
      env.flags |= raised.PE;
      const { rounding: mode } = env;
      env.up = mode === rounding.nearest || (mode !== rounding.chop) &&
          (mode === rounding.down) === (sign === 1);
      const all = (1n << BigInt(precision)) - 1n;
      return { exponent: greatest, significand: aligned(all, precision, most), infinite: env.up };
    }
  }
  env.up = result.up;
  if (result.inexact) env.flags |= raised.PE;
  return { exponent: top, significand: aligned(significand, precision, most), infinite: false };
}

/** What even a shifted exponent does not reach: infinity, or zero. */
function beyond(env: Environment, infinite: boolean): Rounded {
  env.flags |= raised.PE;
  env.up = infinite;
  return { exponent: 0, significand: 0n, infinite };
}

const aligned = (significand: bigint, precision: number, most: number): bigint =>
  precision === most ? significand : significand << BigInt(most - precision);

/** Rounds to the 80-bit format; see {@link round}. */
export function roundExtended(
  env: Environment,
  sign: number,
  exponent: number,
  value: bigint,
  precision = 64,
): Extended {
  const result = round(env, formats.extended, sign, exponent, value, precision);
  if (result.infinite) return infinityOf(sign);
  const { significand } = result;
  const isNormal = (significand & integerBit) !== 0n;
  return { sign, exponent: isNormal ? result.exponent + bias : 0, significand };
}

/** The whole square root of a number, rounded down. */
export function squareRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  // Newton's way from above comes down to the root and stops there.
  let x = 1n << BigInt(bitLength(value) + 1 >> 1);
  for (;;) {
    const next = x + value / x >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
