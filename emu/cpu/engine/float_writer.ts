/**
 * Floating-point numbers as WebAssembly.
 *
 * WebAssembly's arithmetic rounds to the nearest and tells nobody about
 * exceptions. What else may be asked for, and what would raise a flag that is not
 * set yet, is done by a call of TypeScript, which computes bit for bit.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { FuncIndex } from "../../../wasm/types.ts";
import * as at from "../layout.ts";
import {
  AF,
  CF,
  type FloatOperation,
  type FloatShape,
  OF,
  PF,
  type Rounding,
  SF,
  type Width,
  ZF,
} from "../semantics/emitter.ts";
import type { FlagWriter } from "./flags.ts";
import { floatCode, roundingCode } from "./float_calls.ts";
import type { Machinery } from "./machinery.ts";
import type { Value } from "./values.ts";

const widths = { f32: 32, f64: 64, f32x4: 128, f64x2: 128 } as const;

/** Writes what works on floating-point numbers. */
export class FloatWriter {
  /** What is written to. */
  protected readonly c: Code;

  /**
   * A writer for vectors.
   *
   * @param values The writer of everything else.
   * @param callOrFault Calls a function with the micro-operation as last argument;
   *   the instruction has faulted if it answers 0.
   */
  constructor(
    protected readonly values: FlagWriter,
    protected readonly machinery: Machinery,
    protected readonly callOrFault: (call: FuncIndex) => void,
  ) {
    this.c = values.c;
  }

  float(shape: FloatShape, operation: FloatOperation, a: Value, b: Value): Value {
    return this.#slow(floatCode(operation, shape), widths[shape], a, b);
  }

  floatSqrt(shape: FloatShape, a: Value): Value {
    return this.#slow(floatCode("sqrt", shape), widths[shape], a);
  }

  floatCompare(shape: FloatShape, predicate: number, a: Value, b: Value): Value {
    return this.#slow(floatCode("compare", shape, predicate), widths[shape], a, b);
  }

  floatFlags(shape: "f32" | "f64", a: Value, b: Value, signals: boolean): void {
    const { values } = this;
    const order = this.#slow(floatCode("order", shape, signals ? 1 : 0), 32, a, b);
    for (const flag of [OF, SF, AF]) values.setFlag(flag, values.constant(0, 1));
    for (const flag of [ZF, PF, CF]) {
      const bit = values.shr(order, values.constant(31 - Math.clz32(flag), 32));
      values.setFlag(flag, values.truncate(bit, 1));
    }
  }

  floatRound(shape: FloatShape, rounding: Rounding, a: Value, tells: boolean): Value {
    const more = roundingCode(rounding) | (tells ? 8 : 0);
    return this.#slow(floatCode("round", shape, more), widths[shape], a);
  }

  floatEstimate(shape: "f32" | "f32x4", operation: "rcp" | "rsqrt", a: Value): Value {
    const { c, values } = this;
    const ofRoot = operation === "rsqrt" ? 1 : 0;
    const estimate = () => c.i32Const(ofRoot).call(this.machinery.estimate);
    if (shape === "f32") {
      values.raw(a);
      estimate();
      return values.keep(32);
    }
    values.raw(a);
    for (let n = 0; n < 4; n++) {
      values.raw(a).i32x4ExtractLane(n);
      estimate();
      c.i32x4ReplaceLane(n);
    }
    return values.keep(128);
  }

  floatResize(to: FloatShape, a: Value): Value {
    return this.#slow(floatCode("resize", to), widths[to], a);
  }

  floatFromInteger(to: FloatShape, a: Value): Value {
    return this.#slow(floatCode("fromInteger", to, a.width === 64 ? 1 : 0), widths[to], a);
  }

  floatToInteger(
    from: FloatShape,
    a: Value,
    width: 32 | 64,
    rounding: "zero" | "current",
  ): Value {
    const more = roundingCode(rounding) | (width === 64 ? 8 : 0);
    const isScalar = from === "f32" || from === "f64";
    return this.#slow(floatCode("toInteger", from, more), isScalar ? width : 128, a);
  }

  /** Puts operands where TypeScript finds them. */
  protected handOver(...operands: readonly Value[]): void {
    operands.forEach((operand, n) => {
      this.c.i32Const(0);
      const c = this.values.raw(operand);
      const where = at.VECTOR_OPERANDS + 16 * n;
      if (operand.width === 128) c.v128Store(where);
      else if (operand.width === 64) c.i64Store(where);
      else c.i32Store(where);
    });
  }

  /** Calls TypeScript. */
  #slow(code: number, width: Width, ...operands: readonly Value[]): Value {
    const { c } = this;
    this.handOver(...operands);
    c.i32Const(code);
    this.callOrFault(this.machinery.float);
    c.i32Const(0);
    if (width === 128) c.v128Load(at.VECTOR_RESULT);
    else if (width === 64) c.i64Load(at.VECTOR_RESULT);
    else c.i32Load(at.VECTOR_RESULT);
    return this.values.keep(width);
  }
}
