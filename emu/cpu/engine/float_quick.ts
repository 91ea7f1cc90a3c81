/**
 * SSE's arithmetic by the host's own, with the one flag that the host does not
 * tell: whether a result is exact. What it cannot be sure of it leaves alone.
 *
 * Sums are tested by what is lost of them (Knuth's TwoSum), products by splitting
 * the factors (Dekker); a quotient is exact if it undoes itself. Numbers of
 * single precision are tested in double precision, which holds their products
 * whole; rounding twice makes no difference then.
 *
 * @module
 */

import * as at from "../layout.ts";

/** MXCSR's flag of inexact results. */
const inexact = 0x20;
/** What of MXCSR matters to normal numbers: rounding, and whether that flag is masked. */
const matters = 0x7000;
const usual = 0x1000;

/** Where products and their parts are far from both ends of the exponent. */
const large = 2 ** 400;
const small = 2 ** -400;
/** Cuts a significand in the middle. */
const splitter = 2 ** 27 + 1;

const leastNormal = { 4: 2 ** -126, 8: 2 ** -1022 } as const;

/** Operations in the order of their codes; see float_calls.ts. */
export const quickOperations = 8;
const [ADD, SUB, MUL, DIV, , , ADDSUB, SQRT] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** Whether a sum is exact. */
function isSum(a: number, b: number, sum: number): boolean {
  const part = sum - a;
  return a - (sum - part) + (b - part) === 0;
}

/** Whether a product of middle size is exact. */
function isProduct(a: number, b: number, product: number): boolean {
  const x = a * splitter;
  const high = x - (x - a);
  const low = a - high;
  const y = b * splitter;
  const other = y - (y - b);
  const rest = b - other;
  return high * other - product + high * rest + low * other + low * rest === 0;
}

const isMiddle = (value: number): boolean => {
  const magnitude = Math.abs(value);
  return value === 0 || magnitude > small && magnitude < large;
};

/** Arithmetic on what generated code has handed over. */
export class QuickFloats {
  readonly #words: Int32Array;
  readonly #singles: Float32Array;
  readonly #doubles: Float64Array;

  constructor(memory: WebAssembly.Memory) {
    this.#words = new Int32Array(memory.buffer, 0, 0x800 >> 2);
    this.#singles = new Float32Array(memory.buffer, at.VECTOR_OPERANDS, 12);
    this.#doubles = new Float64Array(memory.buffer, at.VECTOR_OPERANDS, 6);
  }

  /**
   * Does an operation, if it is one of normal numbers, rounded to the nearest.
   *
   * @param operation Its code, below {@link quickOperations}.
   * @param bytes Of a number.
   * @param count How many numbers.
   * @returns Whether it did; if not, nothing has changed.
   */
  do(operation: number, bytes: 4 | 8, count: number): boolean {
    const words = this.#words;
    const mxcsr = words[at.MXCSR >> 2] as number;
    if ((mxcsr & matters) !== usual || operation === 4 || operation === 5) return false;
    const numbers = bytes === 4 ? this.#singles : this.#doubles;
    const lanes = 16 / bytes;
    const least = leastNormal[bytes];
    let isExact = true;
    for (let n = 0; n < count; n++) {
      const a = numbers[n] as number;
      const b = numbers[lanes + n] as number;
      const isOrdinary = (x: number) => x === 0 || Math.abs(x) >= least;
      if (!isOrdinary(a) || operation !== SQRT && !isOrdinary(b)) return false;
      const result = bytes === 4
        ? Math.fround(compute(operation, n, a, b))
        : compute(operation, n, a, b);
      // Of zeros only those are sure that came of zeros, or of a difference.
      const isZero = result === 0 &&
        (operation === MUL ? a === 0 || b === 0 : operation === DIV ? a === 0 : true);
      const magnitude = Math.abs(result);
      if (!isZero && !(magnitude > least && magnitude < Infinity)) return false;
      numbers[2 * lanes + n] = result;
      if (!isZero && isExact) {
        const exact = bytes === 4
          ? isExactSingle(operation, n, a, b, result)
          : isExactDouble(operation, n, a, b, result);
        if (exact === undefined) return false;
        isExact = exact;
      }
    }
    if (!isExact) words[at.MXCSR >> 2] = mxcsr | inexact;
    // Lanes that hold nothing are zero.
    numbers.fill(0, 2 * lanes + count);
    return true;
  }
}

function compute(operation: number, lane: number, a: number, b: number): number {
  switch (operation) {
    case ADD:
      return a + b;
    case SUB:
      return a - b;
    case MUL:
      return a * b;
    case DIV:
      return a / b;
    case ADDSUB:
      return (lane & 1) === 0 ? a - b : a + b;
    default:
      return Math.sqrt(a);
  }
}

const isDifference = (operation: number, lane: number): boolean =>
  operation === SUB || operation === ADDSUB && (lane & 1) === 0;

function isExactSingle(
  operation: number,
  lane: number,
  a: number,
  b: number,
  result: number,
): boolean {
  if (operation === MUL) return a * b === result;
  if (operation === DIV) return result * b === a;
  if (operation === SQRT) return result * result === a;
  const other = isDifference(operation, lane) ? -b : b;
  return isSum(a, other, a + other) && a + other === result;
}

/** Whether a result is exact; undefined: it cannot be told. */
function isExactDouble(
  operation: number,
  lane: number,
  a: number,
  b: number,
  result: number,
): boolean | undefined {
  if (operation === ADD || operation === SUB || operation === ADDSUB) {
    if (Math.abs(a) > 2 ** 1000 || Math.abs(b) > 2 ** 1000) return undefined;
    return isSum(a, isDifference(operation, lane) ? -b : b, result);
  }
  if (!isMiddle(a) || operation !== SQRT && !isMiddle(b) || !isMiddle(result)) return undefined;
  if (operation === MUL) return isProduct(a, b, result);
  const factor = operation === DIV ? b : result;
  const product = result * factor;
  return product === a && isProduct(result, factor, product);
}
