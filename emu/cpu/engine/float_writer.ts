/**
 * Floating-point numbers as WebAssembly.
 *
 * WebAssembly's arithmetic rounds to the nearest and tells nobody about
 * exceptions. So its results are taken only where they are what MXCSR asks for
 * and no exception comes of them whose flag is not set already: the operands are
 * no NaNs and no denormals, the result neither overflows nor gets too small, and
 * it is exact, or PE is set. All else is done by a call of TypeScript, which
 * computes bit for bit.
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
import { floatCode, orders, roundingCode } from "./float_calls.ts";
import { type FloatWord, FloatWords, leastNormal, pushNearest, pushPlain } from "./float_words.ts";
import type { Machinery } from "./machinery.ts";
import type { Value } from "./values.ts";

/** What compares as each predicate of CMPPS does, of numbers that are none of them NaNs. */
const comparisons = ["Eq", "Lt", "Le", undefined, "Ne", "Ge", "Gt", undefined] as const;
const arithmetic = { add: "Add", sub: "Sub", mul: "Mul", div: "Div" } as const;
const roundings: Readonly<Record<Rounding, FloatWord>> = {
  ...{ nearest: "Nearest", down: "Floor", up: "Ceil", zero: "Trunc", current: "Nearest" },
};

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
    const words = this.#words(shape);
    const code = floatCode(operation, shape);
    if (operation === "min" || operation === "max") return this.#lesser(words, code, a, b);
    const add = operation === "addsub";
    words.push(a).push(b);
    if (add) {
      // Even lanes are subtracted: their sign is the other one.
      const sign = 0x8000_0000;
      const signs = words.lane === "f32" ? [sign, 0, sign, 0] : [0, sign, 0, 0];
      this.c.v128Const(new Uint8Array(Uint32Array.from(signs).buffer)).v128Xor();
    }
    const result = words.do(add ? "Add" : arithmetic[operation]).keep();
    words.fits(result).zero(result);
    // A result of zero is exact unless it got too small to be anything else.
    if (operation === "mul") words.zero(a).zero(b).or().and();
    else if (operation === "div") words.zero(a).and();
    words.or().ordinary(a).and().ordinary(b).and().all();
    pushPlain(this.c).i32And();
    return this.#unless(result, code, a, b);
  }

  floatSqrt(shape: FloatShape, a: Value): Value {
    const words = this.#words(shape);
    const result = words.push(a).do("Sqrt").keep();
    words.fits(result).zero(result).or().ordinary(a).and().all();
    pushPlain(this.c).i32And();
    return this.#unless(result, floatCode("sqrt", shape), a);
  }

  floatCompare(shape: FloatShape, predicate: number, a: Value, b: Value): Value {
    const { c, values } = this;
    const words = this.#words(shape);
    const comparison = comparisons[predicate];
    if (comparison === undefined) {
      // Whether they are unordered, or not.
      const bits = predicate > 4 ? -1 : 0;
      if (words.isVector) c.v128Const(new Uint8Array(16).fill(bits));
      else if (words.lane === "f64") c.i64Const(bits);
      else c.i32Const(bits);
    } else {
      if (shape === "f32") c.i32Const(0);
      else if (shape === "f64") c.i64Const(0);
      words.push(a).push(b).do(comparison);
      if (shape === "f32") c.i32Sub();
      else if (shape === "f64") c.i64ExtendI32U().i64Sub();
    }
    const result = values.keep(words.isVector ? 128 : words.lane === "f64" ? 64 : 32);
    words.allOrdinary(a, b);
    return this.#unless(result, floatCode("compare", shape, predicate), a, b);
  }

  floatFlags(shape: "f32" | "f64", a: Value, b: Value, signals: boolean): void {
    const { c, values } = this;
    const words = this.#words(shape);
    words.equal(a, b);
    c.i32Const(31 - Math.clz32(orders.equal)).i32Shl();
    words.push(a).push(b).do("Lt");
    c.i32Or();
    const found = values.keep(32);
    words.allOrdinary(a, b);
    const order = this.#unless(found, floatCode("order", shape, signals ? 1 : 0), a, b);
    for (const flag of [OF, SF, AF]) values.setFlag(flag, values.constant(0, 1));
    for (const flag of [ZF, PF, CF]) {
      const bit = values.shr(order, values.constant(31 - Math.clz32(flag), 32));
      values.setFlag(flag, values.truncate(bit, 1));
    }
  }

  floatRound(shape: FloatShape, rounding: Rounding, a: Value, tells: boolean): Value {
    const { c } = this;
    const words = this.#words(shape);
    const result = words.push(a).do(roundings[rounding]).keep();
    words.allOrdinary(a);
    if (tells || rounding === "current") {
      words.equal(result, a).all();
      if (tells) pushPlain(c);
      else pushNearest(c);
      c.i32Or().i32And();
    }
    const more = roundingCode(rounding) | (tells ? 8 : 0);
    return this.#unless(result, floatCode("round", shape, more), a);
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
    const { c } = this;
    const code = floatCode("resize", to);
    const wide = this.#words(to === "f32" || to === "f64" ? "f64" : "f64x2");
    const narrow = this.#words(wide.isVector ? "f32x4" : "f32");
    const promote = () => wide.isVector ? c.f64x2PromoteLowF32x4() : c.f64PromoteF32();
    if (wide.shape === to) {
      narrow.push(a);
      promote();
      const result = wide.keep();
      narrow.ordinary(a);
      // Of four lanes two are meant.
      if (wide.isVector) c.i64x2ExtractLane(0).i64Const(-1).i64Eq();
      return this.#unless(result, code, a);
    }
    wide.push(a);
    if (wide.isVector) c.f32x4DemoteF64x2Zero();
    else c.f32DemoteF64();
    const result = narrow.keep();
    narrow.push(result);
    promote();
    const back = wide.keep();
    wide.fits(back, leastNormal.f32).zero(a).or().ordinary(a).and().all();
    wide.equal(back, a).all();
    pushPlain(c).i32Or().i32And();
    return this.#unless(result, code, a);
  }

  floatFromInteger(to: FloatShape, a: Value): Value {
    const { c, values } = this;
    const words = this.#words(to);
    const isLong = a.width === 64;
    values.raw(a);
    if (to === "f64x2") c.f64x2ConvertLowI32x4S();
    else if (to === "f32x4") c.f32x4ConvertI32x4S();
    else if (to === "f64" && isLong) c.f64ConvertI64S();
    else if (to === "f64") c.f64ConvertI32S();
    else if (isLong) c.f32ConvertI64S();
    else c.f32ConvertI32S();
    const result = words.keep();
    // Up to there all are exact; of 32 bits those of double precision are.
    if (words.lane === "f64" && !isLong) return result;
    const most = words.lane === "f32" ? 2 ** 24 : 2 ** 53;
    values.raw(a);
    if (words.isVector) {
      const bound = new Uint8Array(Uint32Array.from({ length: 4 }, () => most).buffer);
      c.i32x4Abs().v128Const(bound).i32x4LeU().i32x4AllTrue();
    } else if (isLong) c.i64Const(most).i64Add().i64Const(2 * most).i64LeU();
    else c.i32Const(most).i32Add().i32Const(2 * most).i32LeU();
    pushPlain(c).i32Or();
    return this.#unless(result, floatCode("fromInteger", to, isLong ? 1 : 0), a);
  }

  floatToInteger(
    from: FloatShape,
    a: Value,
    width: 32 | 64,
    rounding: "zero" | "current",
  ): Value {
    const { c, values } = this;
    const words = this.#words(from);
    const whole = words.push(a).do(roundings[rounding]).keep();
    words.push(whole);
    if (from === "f32x4") c.i32x4TruncSatF32x4S();
    else if (from === "f64x2") c.i32x4TruncSatF64x2SZero();
    else if (from === "f32" && width === 32) c.i32TruncSatF32S();
    else if (from === "f32") c.i64TruncSatF32S();
    else if (width === 32) c.i32TruncSatF64S();
    else c.i64TruncSatF64S();
    const result = values.keep(words.isVector ? 128 : width);
    const most = 2 ** (width - 1);
    words.push(whole).number(-most).do("Ge").push(whole).number(most).do("Lt").and().all();
    words.equal(whole, a).all();
    pushPlain(c).i32Or().i32And();
    const more = roundingCode(rounding) | (width === 64 ? 8 : 0);
    return this.#unless(result, floatCode("toInteger", from, more), a);
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

  #words(shape: FloatShape): FloatWords {
    return new FloatWords(shape, this.values);
  }

  /** MIN and MAX: the second operand unless the first is on the right side of it. */
  #lesser(words: FloatWords, code: number, a: Value, b: Value): Value {
    const { c, values } = this;
    const comparison = (code & 15) === (floatCode("min", words.shape) & 15) ? "Lt" : "Gt";
    values.raw(a);
    values.raw(b);
    words.push(a).push(b).do(comparison);
    if (words.isVector) c.v128Bitselect();
    else c.select();
    const result = values.keep(a.width);
    words.allOrdinary(a, b);
    return this.#unless(result, code, a, b);
  }

  /** The result, unless what was pushed is 0: then that of TypeScript. */
  #unless(result: Value, code: number, ...operands: readonly Value[]): Value {
    const { c } = this;
    const { local, width } = result;
    if (local === undefined) throw new TypeError("a result is in a variable");
    c.i32Eqz();
    const isSpecial = c.if(undefined, "unlikely");
    this.handOver(...operands);
    c.i32Const(code);
    this.callOrFault(this.machinery.float);
    c.i32Const(0);
    this.#load(width);
    c.localSet(local).end(isSpecial);
    return result;
  }

  #load(width: Width): void {
    const { c } = this;
    if (width === 128) c.v128Load(at.VECTOR_RESULT);
    else if (width === 64) c.i64Load(at.VECTOR_RESULT);
    else c.i32Load(at.VECTOR_RESULT);
  }
}
