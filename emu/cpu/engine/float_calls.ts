/**
 * What generated code calls of SSE and MMX in TypeScript: floating-point
 * operations that it does not do itself, estimates, comparisons of strings, and
 * the exceptions of those who may not use the registers.
 *
 * Vectors cannot be handed over, so operands and results go through memory; see
 * VECTOR_OPERANDS and VECTOR_RESULT of layout.ts.
 *
 * @module
 */

import { floatEstimate } from "../float_estimate.ts";
import { floatArithmetic, floatHolds, inLanes } from "../float_lanes.ts";
import * as at from "../layout.ts";
import { cr0Bits, cr4Bits, Fault, type Processor, undefinedOpcode, vectors } from "../processor.ts";
import type { FloatOperation, FloatShape, Rounding } from "../semantics/emitter.ts";
import {
  double,
  type FloatEnvironment,
  type FloatFormat,
  floatFromInteger,
  floatOrder,
  floatResize,
  floatRound,
  floatSqrt,
  floatToInteger,
  single,
} from "../softfloat.ts";
import { compareStrings } from "../string_compare.ts";
import { compareBytes } from "./string_quick.ts";
import { QuickFloats, quickOperations } from "./float_quick.ts";
import { x87Available } from "../x87/registers.ts";

const operations = [
  ...["add", "sub", "mul", "div", "min", "max", "addsub", "sqrt"],
  ...["compare", "order", "round", "resize", "fromInteger", "toInteger"],
] as const;
type Operation =
  | FloatOperation
  | ("sqrt" | "compare" | "order" | "round" | "resize" | "fromInteger" | "toInteger");
const shapes: readonly FloatShape[] = ["f32", "f64", "f32x4", "f64x2"];
const roundings: readonly Rounding[] = ["nearest", "down", "up", "zero", "current"];

/**
 * What generated code hands over to say what is to be done.
 *
 * @param shape What is computed with; of `resize` and `fromInteger` what comes out.
 * @param more `compare` a predicate; `order` 1 if quiet NaNs are invalid; `round`
 *   see {@link roundingCode}, and 8 if it tells; `fromInteger` 1 of 64 bits;
 *   `toInteger` rounding, and 8 of 64 bits.
 */
export function floatCode(operation: Operation, shape: FloatShape, more = 0): number {
  return operations.indexOf(operation) | shapes.indexOf(shape) << 4 | more << 8;
}

/** A rounding as a number. */
export function roundingCode(rounding: Rounding): number {
  return roundings.indexOf(rounding);
}

/** Orders as `order` answers them: what COMISS sets of ZF, PF and CF. */
export const orders = { less: 1, equal: 0x40, greater: 0, unordered: 0x45 } as const;

/** What may be used, as VECTOR_BLOCKED has it; and what a row needs. */
export const needs = { sse: 1, mmx: 2, both: 3 } as const;

/**
 * Checks what a row needs.
 *
 * @param needed See {@link needs}.
 * @throws {Fault} #UD, #NM or #MF.
 */
export function requireVectors(cpu: Processor, needed: number): void {
  if ((cpu.cr0 & cr0Bits.EM) !== 0) throw undefinedOpcode();
  if ((needed & needs.sse) !== 0 && (cpu.cr4 & cr4Bits.OSFXSR) === 0) throw undefinedOpcode();
  if ((cpu.cr0 & cr0Bits.TS) !== 0) throw new Fault(vectors.NM);
  if ((needed & needs.mmx) !== 0) x87Available(cpu);
}

/** Does floating-point operations on what lies in memory. */
export class FloatCalls {
  readonly #cpu: Processor;
  readonly #quick: QuickFloats;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
    this.#quick = new QuickFloats(cpu.memory);
  }

  /**
   * Does an operation and sets MXCSR's flags.
   *
   * @param code See {@link floatCode}.
   * @throws {Fault} #XM, or #UD where the system does not know it.
   */
  float(code: number): void {
    const wide = (code & 0x10) !== 0;
    const lanes = (code & 0x20) === 0 ? 1 : wide ? 2 : 4;
    if ((code & 15) < quickOperations && this.#quick.do(code & 15, wide ? 8 : 4, lanes)) return;
    this.#exact(code);
  }

  /** The same, step by step and with big integers. */
  #exact(code: number): void {
    const cpu = this.#cpu;
    const operation = operations[code & 15] as Operation;
    const shape = shapes[code >> 4 & 3] as FloatShape;
    const more = code >> 8;
    const format = formatOf(shape);
    const whole = shape === "f32" || shape === "f64";
    const mxcsr = cpu.words[at.MXCSR >> 2] as number;
    const rounding = (way: number) => way === 4 ? mxcsr >> 13 & 3 : way;
    const first = (n: number, width: number = format.width) => this.#lane(0, n, width);
    const second = (n: number) => this.#lane(16, n, format.width);
    let count = whole ? 1 : 128 / format.width;
    let width: number = format.width;
    let one: (n: number, env: FloatEnvironment) => bigint;
    switch (operation) {
      case "sqrt":
        one = (n, env) => floatSqrt(format, first(n), env);
        break;
      case "compare":
        one = (n, env) => floatHolds(format, more, first(n), second(n), env) ? -1n : 0n;
        break;
      case "order":
        width = 32;
        one = (n, env) => BigInt(orders[floatOrder(format, first(n), second(n), more === 1, env)]);
        break;
      case "round":
        one = (n, env) => floatRound(format, first(n), rounding(more & 7), (more & 8) !== 0, env);
        break;
      case "resize": {
        const from = format === single ? double : single;
        count = whole ? 1 : 2;
        one = (n, env) => floatResize(from, format, first(n, from.width), env);
        break;
      }
      case "fromInteger": {
        const bits = more === 1 ? 64 : 32;
        one = (n, env) => floatFromInteger(format, BigInt.asIntN(bits, first(n, bits)), env);
        break;
      }
      case "toInteger": {
        const bits = (more & 8) !== 0 ? 64 : 32;
        width = bits;
        one = (n, env) => floatToInteger(format, first(n), bits, rounding(more & 7), env);
        break;
      }
      default:
        one = (n, env) => floatArithmetic(format, operation, n, first(n), second(n), env);
    }
    const { lanes, mxcsr: after, raises } = inLanes(mxcsr, count, one);
    cpu.words[at.MXCSR >> 2] = after;
    if (raises) {
      throw (cpu.cr4 & cr4Bits.OSXMMEXCPT) === 0 ? undefinedOpcode() : new Fault(vectors.XM);
    }
    cpu.bytes.fill(0, at.VECTOR_RESULT, at.VECTOR_RESULT + 16);
    lanes.forEach((lane, n) => {
      if (width === 32) cpu.view.setUint32(at.VECTOR_RESULT + 4 * n, Number(low32(lane)), true);
      else cpu.view.setBigUint64(at.VECTOR_RESULT + 8 * n, lane, true);
    });
  }

  /** Compares the strings in memory; negative lengths: up to the first zero. */
  compareStrings(control: number, lengthA: number, lengthB: number): number {
    if ((control & 1) === 0) {
      const [a, b] = [at.VECTOR_OPERANDS, at.VECTOR_OPERANDS + 16];
      return compareBytes(control, this.#cpu.bytes, a, b, lengthA, lengthB);
    }
    const operand = (from: number) => this.#cpu.bytes.slice(from, from + 16);
    const lengths = lengthA < 0 ? undefined : [lengthA, lengthB] as const;
    const [a, b] = [operand(at.VECTOR_OPERANDS), operand(at.VECTOR_OPERANDS + 16)];
    return compareStrings(control, a, b, lengths);
  }

  /** An estimate of a reciprocal, of a square root or not. */
  estimate(bits: number, ofRoot: number): number {
    return floatEstimate(ofRoot !== 0 ? "rsqrt" : "rcp", bits);
  }

  #lane(operand: number, n: number, width: number): bigint {
    const from = at.VECTOR_OPERANDS + operand + n * width / 8;
    const { view } = this.#cpu;
    return width === 64 ? view.getBigUint64(from, true) : BigInt(view.getUint32(from, true));
  }
}

const formatOf = (shape: FloatShape): FloatFormat =>
  shape === "f32" || shape === "f32x4" ? single : double;
const low32 = (value: bigint): bigint => BigInt.asUintN(32, value);
