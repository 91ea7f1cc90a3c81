/**
 * The estimates of RCPPS and RSQRTPS, bit for bit as Intel's processors give
 * them.
 *
 * The manual only bounds their error, by 1.5 × 2^-12. What a processor (Ice
 * Lake) was seen to do, on every fraction there is, is simple: it looks at the
 * top bits of the fraction, takes the middle of all numbers that begin with
 * them, and rounds its reciprocal to 12 bits. Of the reciprocal eleven bits
 * count, of that of the square root ten and whether the exponent is even.
 * Denormals count as zeros, as operands and as results; MXCSR means nothing.
 *
 * @module
 */

const infinity = 0x7f80_0000;
const quiet = 0x40_0000;

/** The reciprocal of a number of single precision, or of its square root, by its bits. */
export function floatEstimate(operation: "rcp" | "rsqrt", a: number): number {
  const sign = a & 0x8000_0000;
  const magnitude = a & 0x7fff_ffff;
  const exponent = magnitude >> 23;
  if (magnitude > infinity) return (a | quiet) >>> 0;
  if (exponent === 0) return (sign | infinity) >>> 0;
  if (operation === "rsqrt" && sign !== 0) return 0xffc0_0000;
  if (magnitude === infinity) return sign >>> 0;
  if (operation === "rcp") {
    const middle = 1 + (2 * (magnitude >> 12 & 0x7ff) + 1) / 4096;
    return (sign | number(253 - exponent, 8192 / middle)) >>> 0;
  }
  const middle = 1 + (2 * (magnitude >> 13 & 0x3ff) + 1) / 2048;
  const isOdd = (exponent & 1) === 0;
  const half = (exponent - (isOdd ? 128 : 127)) / 2;
  return number(126 - half, 8192 / Math.sqrt(isOdd ? 2 * middle : middle));
}

/** A number by its exponent and its fraction with the leading one, in units of 2^-12. */
function number(exponent: number, units: number): number {
  return exponent <= 0 ? 0 : exponent << 23 | Math.round(units) - 4096 << 11;
}
