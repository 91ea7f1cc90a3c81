/**
 * WebAssembly's words for floating-point numbers, whether one or a vector of
 * them. Comparisons push truth: 0 or 1 of one number, a mask of a vector.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import * as at from "../layout.ts";
import type { FloatShape } from "../semantics/emitter.ts";
import type { Value, ValueWriter } from "./values.ts";

/** Operations that all shapes have. */
export type FloatWord =
  | ("Add" | "Sub" | "Mul" | "Div" | "Sqrt" | "Abs" | "Nearest" | "Floor" | "Ceil" | "Trunc")
  | ("Eq" | "Ne" | "Lt" | "Le" | "Gt" | "Ge");

/** The least number that is no denormal. */
export const leastNormal = { f32: 2 ** -126, f64: 2 ** -1022 } as const;

/**
 * The bits of MXCSR that matter to normal numbers: rounding, and whether what is
 * inexact is masked and was told. The other exceptions do not come of them, and
 * no denormals.
 */
const matters = 0x7020;
/** They say: to the nearest, and nothing need be told. */
const plain = 0x1020;

/** Writes words of one shape. */
export class FloatWords {
  /** One of its numbers. */
  readonly lane: "f32" | "f64";
  /** It is a vector. */
  readonly isVector: boolean;
  readonly #c: Code;

  constructor(readonly shape: FloatShape, readonly values: ValueWriter) {
    this.#c = values.c;
    this.lane = shape === "f32" || shape === "f32x4" ? "f32" : "f64";
    this.isVector = shape !== this.lane;
  }

  /** Pushes a value as numbers. */
  push(value: Value): this {
    const c = this.values.raw(value);
    if (this.shape === "f32") c.f32ReinterpretI32();
    else if (this.shape === "f64") c.f64ReinterpretI64();
    return this;
  }

  /** Pushes a number, in all lanes. */
  number(value: number): this {
    const c = this.#c;
    if (this.shape === "f32") c.f32Const(value);
    else if (this.shape === "f64") c.f64Const(value);
    else if (this.shape === "f32x4") {
      c.v128Const(new Uint8Array(Float32Array.from({ length: 4 }, () => value).buffer));
    } else c.v128Const(new Uint8Array(Float64Array.from({ length: 2 }, () => value).buffer));
    return this;
  }

  /** Does an operation on what was pushed. */
  do(...words: readonly FloatWord[]): this {
    for (const word of words) this.#c[`${this.shape}${word}`]();
    return this;
  }

  /** Keeps the numbers that were pushed. */
  keep(): Value {
    const c = this.#c;
    if (this.shape === "f32") c.i32ReinterpretF32();
    else if (this.shape === "f64") c.i64ReinterpretF64();
    return this.values.keep(this.isVector ? 128 : this.lane === "f32" ? 32 : 64);
  }

  /** Both of what is true, lane by lane. */
  and(): this {
    if (this.isVector) this.#c.v128And();
    else this.#c.i32And();
    return this;
  }

  /** Either. */
  or(): this {
    if (this.isVector) this.#c.v128Or();
    else this.#c.i32Or();
    return this;
  }

  /** Makes one truth of those of all lanes. */
  all(): this {
    if (this.isVector) this.#c.i32x4AllTrue();
    return this;
  }

  /** Pushes whether a value is no NaN and no denormal number. */
  ordinary(value: Value): this {
    this.push(value).do("Abs").number(leastNormal[this.lane]).do("Ge");
    return this.push(value).number(0).do("Eq").or();
  }

  /** Pushes whether values are ordinary in all lanes. */
  allOrdinary(...values: readonly Value[]): this {
    for (const [n, value] of values.entries()) {
      this.ordinary(value);
      if (n > 0) this.and();
    }
    return this.all();
  }

  /**
   * Pushes whether a rounded result raised neither overflow nor underflow. The
   * least normal number may have been rounded up to; so it counts as too small.
   *
   * @param least The least normal number.
   */
  fits(result: Value, least: number = leastNormal[this.lane]): this {
    this.push(result).do("Abs").number(least).do("Gt");
    return this.push(result).do("Abs").number(Infinity).do("Lt").and();
  }

  /** Pushes whether a value is zero. */
  zero(value: Value): this {
    return this.push(value).number(0).do("Eq");
  }

  /** Pushes whether two values are equal. */
  equal(a: Value, b: Value): this {
    return this.push(a).push(b).do("Eq");
  }
}

/** Pushes whether results are to be rounded to the nearest, and nothing need be told of it. */
export function pushPlain(c: Code): Code {
  return c.i32Const(0).i32Load(at.MXCSR).i32Const(matters).i32And().i32Const(plain).i32Eq();
}

/** Pushes whether results are to be rounded to the nearest. */
export function pushNearest(c: Code): Code {
  return c.i32Const(0).i32Load(at.MXCSR).i32Const(0x6000).i32And().i32Eqz();
}
