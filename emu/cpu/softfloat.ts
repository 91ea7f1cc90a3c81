/**
 * Floating-point arithmetic of 32 and 64 bits as SSE does it: every rounding
 * mode, exception flags, denormals as zeros, flushing to zero.
 *
 * Numbers are handed on as their bits, unsigned, and worked on as whole numbers
 * with an exponent, exactly; the one place that loses anything is
 * {@link pack}. What runs often is done by the host's own arithmetic elsewhere;
 * this is for all that it cannot tell, and what it is held against.
 *
 * Source: Intel SDM vol. 1, chapter 4.8 and 11.5, appendix E.
 *
 * @module
 */

/** How the bits of a number are divided. */
export interface FloatFormat {
  /** Bits of the number. */
  readonly width: 32 | 64;
  /** Bits of the fraction. */
  readonly fraction: bigint;
  /** What the exponent is above the true one; the largest exponent is twice this and one. */
  readonly bias: bigint;
}

/** Single precision. */
export const single: FloatFormat = { width: 32, fraction: 23n, bias: 127n };
/** Double precision. */
export const double: FloatFormat = { width: 64, fraction: 52n, bias: 1023n };

/** Exception flags, where MXCSR has them: invalid operation. */
export const IE = 1;
/** A denormal operand. */
export const DE = 2;
/** Division by zero. */
export const ZE = 4;
/** Overflow. */
export const OE = 8;
/** Underflow. */
export const UE = 0x10;
/** The result is not exact. */
export const PE = 0x20;

/** To the nearest, of two the even one. */
export const NEAREST = 0;
/** Towards minus infinity. */
export const DOWN = 1;
/** Towards infinity. */
export const UP = 2;
/** Towards zero. */
export const ZERO = 3;

/** What arithmetic goes by, and where it leaves its flags. */
export interface FloatEnvironment {
  /** Rounding: 0 to the nearest, 1 down, 2 up, 3 towards zero. */
  readonly rounding: number;
  /** Denormal operands count as zeros. */
  readonly denormalsAreZero: boolean;
  /** Results too small to be normal become zero. */
  readonly flushToZero: boolean;
  /**
   * Overflow is not masked: then the result is inexact only if it were so without
   * bounds of the exponent.
   */
  readonly tellsOverflow: boolean;
  /** Underflow is not masked: the same, and it is raised by exact results, too. */
  readonly tellsUnderflow: boolean;
  /** Exceptions raised so far. */
  flags: number;
}

/** What MXCSR says, with no flag raised. */
export function environmentOf(mxcsr: number): FloatEnvironment {
  const masked = (mxcsr & UE << 7) !== 0;
  return {
    rounding: mxcsr >> 13 & 3,
    denormalsAreZero: (mxcsr & 0x40) !== 0,
    flushToZero: masked && (mxcsr & 0x8000) !== 0,
    tellsOverflow: (mxcsr & OE << 7) === 0,
    tellsUnderflow: !masked,
    flags: 0,
  };
}

/** A number taken apart: `significand` times two to the power of `exponent`. */
interface Parts {
  readonly kind: "number" | "infinity" | "nan";
  readonly negative: boolean;
  /** Of a NaN its fraction. */
  readonly significand: bigint;
  readonly exponent: bigint;
}

const topExponent = ({ bias }: FloatFormat) => 2n * bias + 1n;
const signBit = ({ width }: FloatFormat) => 1n << BigInt(width - 1);
const quietBit = ({ fraction }: FloatFormat) => 1n << fraction - 1n;
const infinity = (f: FloatFormat, negative: boolean) =>
  (negative ? signBit(f) : 0n) | topExponent(f) << f.fraction;
const zero = (f: FloatFormat, negative: boolean) => negative ? signBit(f) : 0n;
/** What invalid operations give: a quiet NaN with the sign set. */
const indefinite = (f: FloatFormat) => infinity(f, true) | quietBit(f);

/** Whether bits are a NaN. */
export function isNaNBits(f: FloatFormat, a: bigint): boolean {
  return (a & signBit(f) - 1n) > topExponent(f) << f.fraction;
}

const isSignaling = (f: FloatFormat, a: bigint) => isNaNBits(f, a) && (a & quietBit(f)) === 0n;

/** Whether bits are a denormal number. */
const isDenormal = (f: FloatFormat, a: bigint) => {
  const magnitude = a & signBit(f) - 1n;
  return magnitude !== 0n && magnitude < 1n << f.fraction;
};

/** The operand as arithmetic sees it: a denormal may count as zero. */
function operand(f: FloatFormat, a: bigint, env: FloatEnvironment): bigint {
  return env.denormalsAreZero && isDenormal(f, a) ? a & signBit(f) : a;
}

function apart(f: FloatFormat, a: bigint): Parts {
  const negative = (a & signBit(f)) !== 0n;
  const exponent = a >> f.fraction & topExponent(f);
  const fraction = a & (1n << f.fraction) - 1n;
  const bottom = 1n - f.bias - f.fraction;
  if (exponent === topExponent(f)) {
    return {
      kind: fraction === 0n ? "infinity" : "nan",
      negative,
      significand: fraction,
      exponent,
    };
  }
  return exponent === 0n ? { kind: "number", negative, significand: fraction, exponent: bottom } : {
    kind: "number",
    negative,
    significand: fraction | 1n << f.fraction,
    exponent: bottom + exponent - 1n,
  };
}

/** How many bits a number has; of zero none. */
function lengthOf(value: bigint): bigint {
  const digits = value.toString(16);
  if (value === 0n) return 0n;
  return BigInt(digits.length * 4 - Math.clz32(parseInt(digits.charAt(0), 16)) + 28);
}

/** Divides by a power of two and rounds; tells whether anything was lost. */
function shiftRounded(
  value: bigint,
  by: bigint,
  negative: boolean,
  rounding: number,
): readonly [rounded: bigint, inexact: boolean] {
  if (by <= 0n) return [value << -by, false];
  const whole = value >> by;
  const rest = value - (whole << by);
  if (rest === 0n) return [whole, false];
  const half = 1n << by - 1n;
  const up = rounding === NEAREST
    ? rest > half || rest === half && (whole & 1n) === 1n
    : rounding === UP
    ? !negative
    : rounding === DOWN && negative;
  return [up ? whole + 1n : whole, true];
}

/**
 * Makes a number of a significand and an exponent: rounds, and raises overflow,
 * underflow and inexactness. A significand that is not exact must have bits to
 * spare and a one below where it ends.
 */
function pack(
  f: FloatFormat,
  negative: boolean,
  significand: bigint,
  exponent: bigint,
  env: FloatEnvironment,
): bigint {
  if (significand === 0n) return zero(f, negative);
  const { rounding } = env;
  const least = 1n - f.bias - f.fraction;
  // Rounded as if the exponent had no bounds; that tells whether it is tiny.
  const natural = lengthOf(significand) + exponent - 1n - f.fraction;
  const [free, freeInexact] = shiftRounded(significand, natural - exponent, negative, rounding);
  const isTiny = natural + lengthOf(free) - 1n - f.fraction < least;
  if (isTiny && env.flushToZero) {
    env.flags |= UE | PE;
    return zero(f, negative);
  }
  const unit = natural < least ? least : natural;
  const [rounded, inexact] = shiftRounded(significand, unit - exponent, negative, rounding);
  if (isTiny && env.tellsUnderflow) env.flags |= freeInexact ? UE | PE : UE;
  else if (inexact) env.flags |= isTiny ? UE | PE : PE;
  // A carry into the next power of two, and from denormal to normal, falls into place.
  const biased = rounded < 1n << f.fraction ? 0n : unit - least + 1n;
  const magnitude = biased === 0n ? rounded : (biased - 1n << f.fraction) + rounded;
  if (magnitude < topExponent(f) << f.fraction) return zero(f, negative) | magnitude;
  env.flags |= OE;
  if (freeInexact || !env.tellsOverflow) env.flags |= PE;
  const grows = rounding === NEAREST || rounding === (negative ? DOWN : UP);
  return grows ? infinity(f, negative) : infinity(f, negative) - 1n;
}

function invalid(f: FloatFormat, env: FloatEnvironment): bigint {
  env.flags |= IE;
  return indefinite(f);
}

/** The NaN that comes of operands of which one is: the first that is, made quiet. */
function nanOf(f: FloatFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  if (isSignaling(f, a) || isSignaling(f, b)) env.flags |= IE;
  return (isNaNBits(f, a) ? a : b) | quietBit(f);
}

function noteDenormals(f: FloatFormat, env: FloatEnvironment, ...operands: bigint[]): void {
  if (operands.some((a) => isDenormal(f, a))) env.flags |= DE;
}

/** Sum. */
export function floatAdd(f: FloatFormat, x: bigint, y: bigint, env: FloatEnvironment): bigint {
  const [a, b] = [operand(f, x, env), operand(f, y, env)];
  const [p, q] = [apart(f, a), apart(f, b)];
  if (p.kind === "nan" || q.kind === "nan") return nanOf(f, a, b, env);
  if (p.kind === "infinity" || q.kind === "infinity") {
    if (p.kind === q.kind && p.negative !== q.negative) return invalid(f, env);
    noteDenormals(f, env, a, b);
    return p.kind === "infinity" ? a : b;
  }
  noteDenormals(f, env, a, b);
  const exponent = p.exponent < q.exponent ? p.exponent : q.exponent;
  const value = (n: Parts) =>
    (n.negative ? -n.significand : n.significand) << n.exponent - exponent;
  const sum = value(p) + value(q);
  if (sum !== 0n) return pack(f, sum < 0n, sum < 0n ? -sum : sum, exponent, env);
  // Zeros of one sign keep it; else it is minus only if rounded down.
  return zero(f, p.negative === q.negative ? p.negative : env.rounding === DOWN);
}

/** Difference. */
export function floatSub(f: FloatFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  // A NaN keeps its sign.
  return floatAdd(f, a, isNaNBits(f, b) ? b : b ^ signBit(f), env);
}

/** Product. */
export function floatMul(f: FloatFormat, x: bigint, y: bigint, env: FloatEnvironment): bigint {
  const [a, b] = [operand(f, x, env), operand(f, y, env)];
  const [p, q] = [apart(f, a), apart(f, b)];
  if (p.kind === "nan" || q.kind === "nan") return nanOf(f, a, b, env);
  const negative = p.negative !== q.negative;
  if (p.kind === "infinity" || q.kind === "infinity") {
    const isZero = (n: Parts) => n.kind === "number" && n.significand === 0n;
    if (isZero(p) || isZero(q)) return invalid(f, env);
    noteDenormals(f, env, a, b);
    return infinity(f, negative);
  }
  noteDenormals(f, env, a, b);
  return pack(f, negative, p.significand * q.significand, p.exponent + q.exponent, env);
}

/** Quotient. */
export function floatDiv(f: FloatFormat, x: bigint, y: bigint, env: FloatEnvironment): bigint {
  const [a, b] = [operand(f, x, env), operand(f, y, env)];
  const [p, q] = [apart(f, a), apart(f, b)];
  if (p.kind === "nan" || q.kind === "nan") return nanOf(f, a, b, env);
  const negative = p.negative !== q.negative;
  if (p.kind === "infinity") {
    if (q.kind === "infinity") return invalid(f, env);
    noteDenormals(f, env, b);
    return infinity(f, negative);
  }
  if (q.kind === "infinity") {
    noteDenormals(f, env, a);
    return zero(f, negative);
  }
  if (q.significand === 0n) {
    if (p.significand === 0n) return invalid(f, env);
    env.flags |= ZE;
    return infinity(f, negative);
  }
  noteDenormals(f, env, a, b);
  // Bits enough to round by, and one for whatever is left.
  const more = 2n * f.fraction + 4n;
  const dividend = p.significand << more;
  const quotient = dividend / q.significand;
  const rest = dividend % q.significand === 0n ? 0n : 1n;
  return pack(f, negative, quotient << 1n | rest, p.exponent - q.exponent - more - 1n, env);
}

/** The whole part of a square root. */
function wholeRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << (lengthOf(value) + 1n) / 2n;
  for (;;) {
    const next = root + value / root >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** Square root. */
export function floatSqrt(f: FloatFormat, x: bigint, env: FloatEnvironment): bigint {
  const a = operand(f, x, env);
  const p = apart(f, a);
  if (p.kind === "nan") return nanOf(f, a, a, env);
  if (p.kind === "number" && p.significand === 0n) return a;
  if (p.negative) return invalid(f, env);
  if (p.kind === "infinity") return a;
  noteDenormals(f, env, a);
  const more = 2n * f.fraction + 6n + (p.exponent & 1n);
  const value = p.significand << more;
  const root = wholeRoot(value);
  const rest = root * root === value ? 0n : 1n;
  return pack(f, false, root << 1n | rest, (p.exponent - more) / 2n - 1n, env);
}

/** How two numbers are ordered. */
export type FloatOrder = "less" | "equal" | "greater" | "unordered";

/** Compares. @param signals Whether quiet NaNs are invalid, too. */
export function floatOrder(
  f: FloatFormat,
  x: bigint,
  y: bigint,
  signals: boolean,
  env: FloatEnvironment,
): FloatOrder {
  const [a, b] = [operand(f, x, env), operand(f, y, env)];
  if (isNaNBits(f, a) || isNaNBits(f, b)) {
    if (signals || isSignaling(f, a) || isSignaling(f, b)) env.flags |= IE;
    return "unordered";
  }
  noteDenormals(f, env, a, b);
  const whole = (bits: bigint) => {
    const magnitude = bits & signBit(f) - 1n;
    return bits === magnitude ? magnitude : -magnitude;
  };
  const [p, q] = [whole(a), whole(b)];
  return p < q ? "less" : p > q ? "greater" : "equal";
}

/** The lesser, or the second where that cannot be told. */
export function floatMin(f: FloatFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return operand(f, floatOrder(f, a, b, true, env) === "less" ? a : b, env);
}

/** The greater, or the second where that cannot be told. */
export function floatMax(f: FloatFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return operand(f, floatOrder(f, a, b, true, env) === "greater" ? a : b, env);
}

/** A number in another format. */
export function floatResize(
  from: FloatFormat,
  to: FloatFormat,
  x: bigint,
  env: FloatEnvironment,
): bigint {
  const a = operand(from, x, env);
  const p = apart(from, a);
  if (p.kind === "nan") {
    if (isSignaling(from, a)) env.flags |= IE;
    const by = to.fraction - from.fraction;
    const fraction = by >= 0n ? p.significand << by : p.significand >> -by;
    return infinity(to, p.negative) | fraction | quietBit(to);
  }
  if (p.kind === "infinity") return infinity(to, p.negative);
  noteDenormals(from, env, a);
  return pack(to, p.negative, p.significand, p.exponent, env);
}

/** A whole number, signed, as a floating-point one. */
export function floatFromInteger(f: FloatFormat, value: bigint, env: FloatEnvironment): bigint {
  return pack(f, value < 0n, value < 0n ? -value : value, 0n, env);
}

/**
 * A floating-point number as a signed whole one, in so many bits; what does not
 * fit is the least of them.
 */
export function floatToInteger(
  f: FloatFormat,
  x: bigint,
  width: 32 | 64,
  rounding: number,
  env: FloatEnvironment,
): bigint {
  const p = apart(f, operand(f, x, env));
  const least = 1n << BigInt(width - 1);
  if (p.kind === "number") {
    const [magnitude, inexact] = shiftRounded(p.significand, -p.exponent, p.negative, rounding);
    const value = p.negative ? -magnitude : magnitude;
    if (value >= -least && value < least) {
      if (inexact) env.flags |= PE;
      return BigInt.asUintN(width, value);
    }
  }
  env.flags |= IE;
  return least;
}

/** Rounds to a whole number. @param tells Whether it raises {@link PE}. */
export function floatRound(
  f: FloatFormat,
  x: bigint,
  rounding: number,
  tells: boolean,
  env: FloatEnvironment,
): bigint {
  const a = operand(f, x, env);
  const p = apart(f, a);
  if (p.kind === "nan") return nanOf(f, a, a, env);
  if (p.kind === "infinity" || p.exponent >= 0n) return a;
  const [whole, inexact] = shiftRounded(p.significand, -p.exponent, p.negative, rounding);
  if (inexact && tells) env.flags |= PE;
  return pack(f, p.negative, whole, 0n, env);
}
