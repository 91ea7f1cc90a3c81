/**
 * Arithmetic of normal 80-bit numbers on pairs of 32-bit numbers, rounded to
 * nearest at full precision: what programs do all day.
 *
 * A number comes as three: the significand's high and low half, and the word of
 * sign and exponent. Each function answers false for what is not its business:
 * denormals, infinities, NaNs, results at the ends of the format. Then nothing is
 * told and arithmetic.ts has to be asked, which it agrees with on all others.
 *
 * @module
 */

const bias = 16383;
const two32 = 0x1_0000_0000;

/** What the last function that answered true found. */
export const result = {
  /** High half of the significand. */
  high: 0,
  /** Low half. */
  low: 0,
  /** Sign and exponent. */
  top: 0,
  /** It was rounded. */
  inexact: false,
  /** Away from zero. */
  up: false,
};

/** Keeps a result that is exact. */
export function exactly(high: number, low: number, top: number): true {
  result.high = high;
  result.low = low;
  result.top = top;
  result.inexact = false;
  result.up = false;
  return true;
}

/** Rounds at the end of the low half; `rest` is the 32 bits behind, whose last stands for all after. */
function rounded(sign: number, exponent: number, high: number, low: number, rest: number): boolean {
  let up = false;
  // As signed numbers, what has the half's bit is negative.
  if (rest < 0) {
    up = rest !== -0x8000_0000 || (low & 1) !== 0;
    if (up) {
      low = low + 1 | 0;
      if (low === 0) {
        high = high + 1 | 0;
        if (high === 0) {
          high = -0x8000_0000;
          exponent++;
        }
      }
    }
  }
  if (exponent <= 0 || exponent >= 0x7fff) return false;
  result.high = high;
  result.low = low;
  result.top = sign | exponent;
  result.inexact = rest !== 0;
  result.up = up;
  return true;
}

/** Whether exponent and integer bit are those of a normal number. */
const isNormal = (high: number, exponent: number) =>
  high < 0 && exponent !== 0 && exponent !== 0x7fff;

/** a + b. */
export function add(
  ah: number,
  al: number,
  at: number,
  bh: number,
  bl: number,
  bt: number,
): boolean {
  let exponent = at & 0x7fff;
  const other = bt & 0x7fff;
  if (!isNormal(ah, exponent) || !isNormal(bh, other)) {
    const first = (ah | al | exponent) === 0;
    const second = (bh | bl | other) === 0;
    if (first && isNormal(bh, other)) return exactly(bh, bl, bt);
    if (second && isNormal(ah, exponent)) return exactly(ah, al, at);
    return false;
  }
  let distance = exponent - other;
  if (distance < 0 || distance === 0 && isBelow(ah, al, bh, bl)) {
    let swap = ah;
    ah = bh;
    bh = swap;
    swap = al;
    al = bl;
    bl = swap;
    swap = at;
    at = bt;
    bt = swap;
    exponent = other;
    distance = -distance;
  }
  // The lesser is shifted to the other's place, with 32 bits behind.
  let rest = 0;
  if (distance !== 0) {
    if (distance < 32) {
      rest = bl << 32 - distance;
      bl = bl >>> distance | bh << 32 - distance;
      bh = bh >>> distance;
    } else if (distance < 64) {
      const by = distance - 32;
      if (by === 0) rest = bl;
      else rest = bl >>> by | bh << 32 - by | (bl << 32 - by !== 0 ? 1 : 0);
      bl = bh >>> by;
      bh = 0;
    } else {
      const by = distance - 64;
      if (by === 0) rest = bh | (bl !== 0 ? 1 : 0);
      else if (by < 32) rest = bh >>> by | (bh << 32 - by !== 0 || bl !== 0 ? 1 : 0);
      else rest = 1;
      bl = 0;
      bh = 0;
    }
  }
  const sign = at & 0x8000;
  if (((at ^ bt) & 0x8000) === 0) {
    let low = (al >>> 0) + (bl >>> 0);
    let high = (ah >>> 0) + (bh >>> 0);
    if (low >= two32) {
      low -= two32;
      high++;
    }
    if (high < two32) return rounded(sign, exponent, high | 0, low | 0, rest);
    rest = (low & 1) << 31 | rest >>> 1 | rest & 1;
    low = low >>> 1 | (high & 1) << 31;
    return rounded(sign, exponent + 1, (high - two32) >>> 1 | 0x8000_0000, low, rest);
  }
  let low = (al >>> 0) - (bl >>> 0);
  let high = (ah >>> 0) - (bh >>> 0);
  if (rest !== 0) {
    rest = -rest | 0;
    low--;
  }
  if (low < 0) high--;
  high |= 0;
  low |= 0;
  while (high === 0) {
    if (low === 0 && rest === 0) return exactly(0, 0, 0);
    high = low;
    low = rest;
    rest = 0;
    exponent -= 32;
  }
  const by = Math.clz32(high);
  if (by !== 0) {
    high = high << by | low >>> 32 - by;
    low = low << by | rest >>> 32 - by;
    rest <<= by;
    exponent -= by;
  }
  return rounded(sign, exponent, high, low, rest);
}

/** Whether one pair is below another, without sign. */
export function isBelow(ah: number, al: number, bh: number, bl: number): boolean {
  return ah === bh ? al >>> 0 < bl >>> 0 : ah >>> 0 < bh >>> 0;
}

/**
 * High half of a product, given the low half. The product as a double is wrong
 * by at most 2^10, so what is left over 2^32 is next to a whole number.
 */
function highOf(a: number, b: number, low: number): number {
  return Math.floor((a * b - low) / two32 + 0.5);
}

/** a × b. */
export function multiply(
  ah: number,
  al: number,
  at: number,
  bh: number,
  bl: number,
  bt: number,
): boolean {
  const sign = (at ^ bt) & 0x8000;
  const [first, second] = [at & 0x7fff, bt & 0x7fff];
  if (!isNormal(ah, first) || !isNormal(bh, second)) {
    const isZero =
      (ah | al | first) === 0 && (second === 0 ? (bh | bl) === 0 : second !== 0x7fff) ||
      (bh | bl | second) === 0 && isNormal(ah, first);
    return isZero && (bh < 0 || (bh | bl | second) === 0) ? exactly(0, 0, sign) : false;
  }
  ah >>>= 0;
  al >>>= 0;
  bh >>>= 0;
  bl >>>= 0;
  const l3 = Math.imul(ah, bh) >>> 0;
  const h3 = highOf(ah, bh, l3);
  let high = h3;
  let low = l3;
  let rest = 0;
  let last = 0;
  if ((al | bl) !== 0) {
    const l0 = Math.imul(al, bl) >>> 0;
    const l1 = Math.imul(ah, bl) >>> 0;
    const l2 = Math.imul(al, bh) >>> 0;
    last = l0;
    const middle = highOf(al, bl, l0) + l1 + l2;
    const carry = Math.floor(middle / two32);
    rest = middle | 0;
    const upper = highOf(ah, bl, l1) + highOf(al, bh, l2) + l3 + carry;
    low = upper | 0;
    high = h3 + Math.floor(upper / two32);
  }
  high |= 0;
  low |= 0;
  let exponent = first + second - bias + 1;
  if (high >= 0) {
    high = high << 1 | low >>> 31;
    low = low << 1 | rest >>> 31;
    rest = rest << 1 | last >>> 31;
    last <<= 1;
    exponent--;
  }
  if (last !== 0) rest |= 1;
  return rounded(sign, exponent, high, low, rest);
}

/** Remainder of the last step of a division. */
const left = { high: 0, low: 0 };

/**
 * One digit of 32 bits of a quotient: (high, low) < (bh, bl) times 2^32 by
 * (bh, bl). The estimate by doubles is off by a few, which is made good.
 */
function digit(high: number, low: number, bh: number, bl: number): number {
  let found = Math.min(Math.floor((high * two32 + low) / bh), 0xffff_ffff);
  const l0 = Math.imul(found, bl) >>> 0;
  const l1 = Math.imul(found, bh) >>> 0;
  const middle = highOf(found, bl, l0) + l1;
  const carry = middle >= two32 ? 1 : 0;
  // What is left, of three digits, the top one signed and small.
  let d0 = -l0;
  let d1 = low - (carry === 1 ? middle - two32 : middle);
  let d2 = high - highOf(found, bh, l1) - carry;
  if (d0 < 0) {
    d0 += two32;
    d1--;
  }
  if (d1 < 0) {
    d1 += two32;
    d2--;
  }
  if (d1 < 0) {
    d1 += two32;
    d2--;
  }
  while (d2 < 0) {
    found--;
    d0 += bl;
    d1 += bh;
    if (d0 >= two32) {
      d0 -= two32;
      d1++;
    }
    if (d1 >= two32) {
      d1 -= two32;
      d2++;
    }
  }
  while (d2 > 0 || d1 > bh || d1 === bh && d0 >= bl) {
    found++;
    d0 -= bl;
    d1 -= bh;
    if (d0 < 0) {
      d0 += two32;
      d1--;
    }
    if (d1 < 0) {
      d1 += two32;
      d2--;
    }
  }
  left.high = d1;
  left.low = d0;
  return found;
}

/** a ÷ b. */
export function divide(
  ah: number,
  al: number,
  at: number,
  bh: number,
  bl: number,
  bt: number,
): boolean {
  const sign = (at ^ bt) & 0x8000;
  const [first, second] = [at & 0x7fff, bt & 0x7fff];
  if (!isNormal(bh, second)) return false;
  if (!isNormal(ah, first)) return (ah | al | first) === 0 ? exactly(0, 0, sign) : false;
  let exponent = first - second + bias - 1;
  ah >>>= 0;
  al >>>= 0;
  bh >>>= 0;
  bl >>>= 0;
  // The dividend is made less than the divisor; the bit that falls off goes to the third digit.
  let third = 0;
  if (!isBelow(ah, al, bh, bl)) {
    third = (al & 1) << 31 >>> 0;
    al = (al >>> 1 | ah << 31) >>> 0;
    ah >>>= 1;
    exponent++;
  }
  const high = digit(ah, al, bh, bl);
  let lower = third;
  let { high: rh, low: rl } = left;
  let top = high;
  if (lower !== 0) {
    // The remainder had a digit of zero appended; the real one may reach the divisor.
    rl += lower;
    if (rl >= two32) {
      rl -= two32;
      rh++;
    }
    if (rh > bh || rh === bh && rl >= bl) {
      top++;
      rl -= bl;
      rh -= bh;
      if (rl < 0) {
        rl += two32;
        rh--;
      }
    }
  }
  lower = digit(rh, rl, bh, bl);
  ({ high: rh, low: rl } = left);
  // The rest of the quotient against a half: twice the remainder against the divisor.
  let rest = 0;
  if (rh !== 0 || rl !== 0) {
    let low2 = 2 * rl;
    let high2 = 2 * rh;
    if (low2 >= two32) {
      low2 -= two32;
      high2++;
    }
    const order = high2 === bh ? low2 - bl : high2 - bh;
    rest = order > 0 ? -1 : order === 0 ? -0x8000_0000 : 1;
  }
  return rounded(sign, exponent, top | 0, lower | 0, rest);
}

/** The square root, digit by digit of 32 bits. */
export function root(high: number, low: number, top: number): boolean {
  const exponent = top & 0x7fff;
  if ((high | low | exponent) === 0) return exactly(0, 0, top);
  if (!isNormal(high, exponent) || (top & 0x8000) !== 0) return false;
  // The radicand's four digits: the significand, twice as much for an odd power of two.
  const isOdd = (exponent - bias & 1) !== 0;
  const n0 = (isOdd ? high : high >>> 1) >>> 0;
  const n1 = (isOdd ? low : high << 31 | low >>> 1) >>> 0;
  const n2 = isOdd ? 0 : (low & 1) << 31 >>> 0;

  let first = Math.min(Math.floor(Math.sqrt(n0 * two32 + n1)), 0xffff_ffff);
  const square = Math.imul(first, first) >>> 0;
  let rest = (n0 - highOf(first, first, square)) * two32 + n1 - square;
  if (rest < 0) rest += 2 * first-- - 1;
  else if (rest > 2 * first) rest -= 2 * first++ + 1;

  let second = Math.min(Math.floor((rest * two32 + n2) / (2 * first)), 0xffff_ffff);
  const l0 = Math.imul(second, second) >>> 0;
  const l1 = Math.imul(first, second) >>> 0;
  // What is left, of three digits; the top one is signed and small.
  let d0 = -l0;
  let d1 = n2 - highOf(second, second, l0) - 2 * l1;
  let d2 = rest - 2 * highOf(first, second, l1);
  const settle = () => {
    let carry = Math.floor(d0 / two32);
    d0 -= carry * two32;
    d1 += carry;
    carry = Math.floor(d1 / two32);
    d1 -= carry * two32;
    d2 += carry;
  };
  settle();
  while (d2 < 0) {
    second--;
    d0 += 2 * second + 1;
    d1 += 2 * first;
    settle();
  }
  const twice = 2 * first + (second >= 0x8000_0000 ? 1 : 0);
  while (d2 * two32 + d1 > twice || d2 * two32 + d1 === twice && d0 > 2 * second % two32) {
    d0 -= 2 * second + 1;
    d1 -= 2 * first;
    second++;
    settle();
  }
  // The rest against the root: beyond it, the root is nearer to the next.
  const isZero = d0 === 0 && d1 === 0 && d2 === 0;
  const isBeyond = d2 > 0 || d1 > first || d1 === first && d0 > second;
  const half = bias + (exponent - bias >> 1);
  return rounded(0, half, first | 0, second | 0, isZero ? 0 : isBeyond ? -1 : 1);
}

/** A number of 32 bits. */
export function fromSingle(bits: number): boolean {
  const exponent = bits >>> 23 & 0xff;
  const sign = bits >>> 16 & 0x8000;
  if (exponent === 0) return (bits & 0x7f_ffff) === 0 ? exactly(0, 0, sign) : false;
  if (exponent === 0xff) return false;
  return exactly(0x8000_0000 | bits << 8, 0, sign | exponent + bias - 127);
}

/** A number of 64 bits. */
export function fromDouble(high: number, low: number): boolean {
  const exponent = high >>> 20 & 0x7ff;
  const sign = high >>> 16 & 0x8000;
  if (exponent === 0) return (high & 0xf_ffff | low) === 0 ? exactly(0, 0, sign) : false;
  if (exponent === 0x7ff) return false;
  return exactly(
    0x8000_0000 | high << 11 | low >>> 21,
    low << 11,
    sign | exponent + bias - 1023,
  );
}

/** A whole number of 32 bits. */
export function fromWhole32(value: number): true {
  if (value === 0) return exactly(0, 0, 0);
  const magnitude = value < 0 ? -value : value;
  const by = Math.clz32(magnitude);
  return exactly(magnitude << by, 0, (value < 0 ? 0x8000 : 0) | bias + 31 - by);
}

/** A whole number of 64 bits. */
export function fromWhole64(high: number, low: number): true {
  if ((high | low) === 0) return exactly(0, 0, 0);
  const sign = high < 0 ? 0x8000 : 0;
  if (high < 0) {
    low = -low | 0;
    high = ~high + (low === 0 ? 1 : 0) | 0;
  }
  let exponent = bias + 63;
  if (high === 0) {
    high = low;
    low = 0;
    exponent -= 32;
  }
  const by = Math.clz32(high);
  if (by === 0) return exactly(high, low, sign | exponent);
  return exactly(high << by | low >>> 32 - by, low << by, sign | exponent - by);
}

/** Rounds to 32 bits, which are in `low`. */
export function toSingle(high: number, low: number, top: number): boolean {
  const sign = (top & 0x8000) << 16;
  const wide = top & 0x7fff;
  if ((high | low | wide) === 0) return exactly(0, sign, 0);
  let exponent = wide - bias + 127;
  if (!isNormal(high, wide) || exponent <= 0 || exponent >= 0xff) return false;
  let bits = high >>> 8;
  const rest = high << 24 | (low !== 0 ? 1 : 0);
  let up = false;
  if (rest < 0) {
    up = rest !== -0x8000_0000 || (bits & 1) !== 0;
    if (up && ++bits === 0x100_0000) exponent++;
  }
  if (exponent >= 0xff) return false;
  exactly(0, sign | exponent << 23 | bits & 0x7f_ffff, 0);
  result.inexact = rest !== 0;
  result.up = up;
  return true;
}

/** Rounds to 64 bits, which are in `high` and `low`. */
export function toDouble(high: number, low: number, top: number): boolean {
  const sign = (top & 0x8000) << 16;
  const wide = top & 0x7fff;
  if ((high | low | wide) === 0) return exactly(sign, 0, 0);
  let exponent = wide - bias + 1023;
  if (!isNormal(high, wide) || exponent <= 0 || exponent >= 0x7ff) return false;
  let upper = high >>> 11;
  let lower = low >>> 11 | high << 21;
  const rest = low << 21;
  let up = false;
  if (rest < 0) {
    up = rest !== -0x8000_0000 || (lower & 1) !== 0;
    if (up) {
      lower = lower + 1 | 0;
      if (lower === 0 && ++upper === 0x20_0000) exponent++;
    }
  }
  if (exponent >= 0x7ff) return false;
  exactly(sign | exponent << 20 | upper & 0xf_ffff, lower, 0);
  result.inexact = rest !== 0;
  result.up = up;
  return true;
}

/**
 * Rounds to a whole number of at most 63 bits, in two's complement in `high` and
 * `low`.
 *
 * @param mode As the control word's bits 10 and 11 have it.
 */
export function toWhole(high: number, low: number, top: number, mode: number): boolean {
  const wide = top & 0x7fff;
  if ((high | low | wide) === 0) return exactly(0, 0, 0);
  const exponent = wide - bias;
  if (!isNormal(high, wide) || exponent >= 62) return false;
  // Bits behind the point, and where they are cut.
  let by = 63 - exponent;
  let rest: number;
  if (by > 64) {
    high = 0;
    low = 0;
    rest = 1;
  } else {
    rest = 0;
    if (by >= 32) {
      rest = low;
      low = high;
      high = 0;
      by -= 32;
      if (by >= 32) {
        rest = low | (rest !== 0 ? 1 : 0);
        low = 0;
        by -= 32;
      }
    }
    if (by > 0) {
      const lost = rest << 32 - by !== 0 ? 1 : 0;
      rest = rest >>> by | low << 32 - by | lost;
      low = low >>> by | high << 32 - by;
      high = high >>> by;
    }
  }
  const negative = (top & 0x8000) !== 0;
  let up = false;
  if (rest !== 0) {
    if (mode === 0) up = rest < 0 && (rest !== -0x8000_0000 || (low & 1) !== 0);
    else if (mode !== 3) up = (mode === 1) === negative;
    if (up) {
      low = low + 1 | 0;
      if (low === 0) high = high + 1 | 0;
    }
  }
  if (negative) {
    low = -low | 0;
    high = ~high + (low === 0 ? 1 : 0) | 0;
  }
  exactly(high | 0, low | 0, 0);
  result.inexact = rest !== 0;
  result.up = up;
  return true;
}
