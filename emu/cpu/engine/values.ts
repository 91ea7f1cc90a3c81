/**
 * Arithmetic of the semantics' vocabulary, written as WebAssembly.
 *
 * A value is a local variable or a constant. Values of up to 32 bits are i32,
 * those of 64 bits i64, of 128 bits v128. The bits above a value's width may be
 * anything until somebody needs them clear; a truth value is 0 or 1.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { FuncIndex, Local } from "../../../wasm/types.ts";
import type { Pair, Width } from "../semantics/emitter.ts";

/** The kinds of local variables that values need. */
export type ValueKind = "i32" | "i64" | "v128";

/** A value of the program that is being written. */
export interface Value {
  /** Its width in bits. */
  readonly width: Width;
  /** Where it is, if it is no constant. */
  readonly local: Local | undefined;
  /** The constant's low 32 bits. */
  readonly low: number;
  /** Its high 32 bits. */
  readonly high: number;
  /** Whether the bits above the width are zero. */
  readonly isClean: boolean;
  /** The value is no larger than this, unsigned. */
  readonly most: number;
}

/** Functions that generated code calls, beside what is written in line. */
export interface Runtime {
  /** (i64, i64) → i64: high half of the unsigned product. */
  readonly mulHighU: FuncIndex;
  /** (i64, i64) → i64: of the signed one. */
  readonly mulHighS: FuncIndex;
  /** (high i64, low i64, divisor i64, signed i32) → i32: quotient and remainder to SCRATCH; 0 for #DE. */
  readonly divide128: FuncIndex;
}

/** The type of local that a width needs. */
export function kindOf(width: Width): ValueKind {
  return width === 128 ? "v128" : width === 64 ? "i64" : "i32";
}

/** Most of an unsigned number of some width, as far as it is of use. */
const mostOf = (width: Width): number => width >= 53 ? Infinity : 2 ** width - 1;

/** Writes arithmetic. */
export abstract class ValueWriter {
  /** What is written to. */
  readonly c: Code;
  /** Functions called. */
  protected readonly runtime: Runtime;
  readonly #locals: Record<ValueKind, Local[]> = { i32: [], i64: [], v128: [] };
  readonly #used: Record<ValueKind, number> = { i32: 0, i64: 0, v128: 0 };

  constructor(code: Code, runtime: Runtime) {
    this.c = code;
    this.runtime = runtime;
  }

  /** Ends the instruction with #DE if the i32 on the stack is not zero. */
  protected abstract divideErrorIf(): void;

  /** A variable that nobody uses until {@link releaseLocals}. */
  variable(kind: ValueKind): Local {
    const free = this.#locals[kind];
    const n = this.#used[kind]++;
    return free[n] ??= this.c.local(kind);
  }

  /** All variables are free again: the instruction is through. */
  releaseLocals(): void {
    this.#used.i32 = this.#used.i64 = this.#used.v128 = 0;
  }

  /** Keeps what is on the stack as a value. */
  keep(width: Width, isClean = true, most: number = mostOf(width)): Value {
    const local = this.variable(kindOf(width));
    this.c.localSet(local);
    return { width, local, low: 0, high: 0, isClean: isClean || width >= 32, most };
  }

  constant(value: number, width: Width): Value {
    const low = width < 32 ? value & (2 ** width - 1) : value | 0;
    const high = width === 64 ? Math.floor(value / 0x1_0000_0000) | 0 : 0;
    const most = width === 64 && high !== 0 ? Infinity : low >>> 0;
    return { width, local: undefined, low, high, isClean: true, most };
  }

  /** A 64-bit constant by its halves. */
  constantHalves(low: number, high: number, width: Width): Value {
    return width === 64
      ? { width, local: undefined, low, high, isClean: true, most: Infinity }
      : this.constant(low, width);
  }

  width(value: Value): Width {
    return value.width;
  }

  /** Pushes a value; the bits above its width may be anything. */
  raw(value: Value): Code {
    const { c } = this;
    if (value.local !== undefined) return c.localGet(value.local);
    if (value.width === 128) {
      const halves = Int32Array.of(value.low, value.high, 0, 0);
      return c.v128Const(new Uint8Array(halves.buffer)) as Code;
    }
    return value.width === 64
      ? c.i64ConstHalves(value.low, value.high) as Code
      : c.i32Const(value.low) as Code;
  }

  /** Pushes a value with zeros above. */
  clean(value: Value): Code {
    const c = this.raw(value);
    if (!value.isClean && value.width < 32) c.i32Const(2 ** value.width - 1).i32And();
    return c;
  }

  /** Pushes a value with its sign above, as i32 or i64. */
  signed(value: Value): Code {
    const c = this.raw(value);
    if (value.width === 8) c.i32Extend8S();
    else if (value.width === 16) c.i32Extend16S();
    return c;
  }

  /** Pushes a value as i64, zeros above. */
  wide(value: Value): Code {
    const c = this.clean(value);
    if (value.width < 64) c.i64ExtendI32U();
    return c;
  }

  /** Pushes a value as i64, its sign above. */
  wideSigned(value: Value): Code {
    const c = this.signed(value);
    if (value.width < 64) c.i64ExtendI32S();
    return c;
  }

  /** Pushes a value as i32, whatever is above; of 64 bits the low half. */
  narrow(value: Value): Code {
    const c = this.raw(value);
    if (value.width === 64) c.i32WrapI64();
    return c;
  }

  /** The number that a value is known to be, if it has at most 32 bits. */
  known(value: Value): number | undefined {
    const isKnown = value.local === undefined && value.width <= 32 && !("relative" in value);
    return isKnown ? value.low >>> 0 : undefined;
  }

  add(a: Value, b: Value): Value {
    const [x, y] = [this.#number(a), this.#number(b)];
    if (x !== undefined && y !== undefined) return this.constant(x + y, a.width);
    this.raw(a);
    this.raw(b);
    if (a.width === 64) this.c.i64Add();
    else this.c.i32Add();
    return this.keep(a.width, false);
  }

  sub(a: Value, b: Value): Value {
    const [x, y] = [this.#number(a), this.#number(b)];
    if (x !== undefined && y !== undefined && (x >= y || a.width <= 32)) {
      return this.constant(x - y, a.width);
    }
    this.raw(a);
    this.raw(b);
    if (a.width === 64) this.c.i64Sub();
    else this.c.i32Sub();
    return this.keep(a.width, false);
  }

  mul(a: Value, b: Value): Value {
    this.raw(a);
    this.raw(b);
    if (a.width === 64) this.c.i64Mul();
    else this.c.i32Mul();
    return this.keep(a.width, false);
  }

  mulWide(a: Value, b: Value, isSigned: boolean): Pair<Value> {
    const { c, runtime } = this;
    const { width } = a;
    if (width === 64) {
      const low = this.mul(a, b);
      this.raw(a);
      this.raw(b);
      c.call(isSigned ? runtime.mulHighS : runtime.mulHighU);
      return { low, high: this.keep(64) };
    }
    if (width === 32) {
      if (isSigned) c.i64Mul(this.wideSigned(a), this.wideSigned(b));
      else c.i64Mul(this.wide(a), this.wide(b));
      const product = this.keep(64);
      this.raw(product).i32WrapI64();
      const low = this.keep(32);
      this.raw(product).i64Const(32);
      c.i64ShrU().i32WrapI64();
      return { low, high: this.keep(32) };
    }
    if (isSigned) c.i32Mul(this.signed(a), this.signed(b));
    else c.i32Mul(this.clean(a), this.clean(b));
    const product = this.keep(32);
    const low = { ...product, width, isClean: false, most: mostOf(width) };
    this.raw(product).i32Const(width);
    c.i32ShrU();
    return { low, high: this.keep(width, false) };
  }

  divWide(high: Value, low: Value, divisor: Value, isSigned: boolean): Pair<Value> {
    const { c } = this;
    const { width } = divisor;
    if (width === 64) return this.#divide64(high, low, divisor, isSigned);
    // The dividend fits into 64 bits, and so does everything of narrower ones.
    const extend = (value: Value) => isSigned ? this.wideSigned(value) : this.wide(value);
    c.i64Shl(extend(high), c.i64Const(width) as Code);
    this.wide(low);
    c.i64Or();
    const dividend = this.keep(64);
    extend(divisor);
    const by = this.keep(64);
    c.i64Eqz(this.raw(by));
    this.divideErrorIf();
    if (isSigned) {
      // The one quotient that does not fit into 64 bits does not fit into fewer.
      this.raw(by).i64Const(-1).i64Eq();
      this.raw(dividend).i64ConstHalves(0, 0x8000_0000).i64Eq().i32And();
      this.divideErrorIf();
    }
    this.raw(dividend);
    this.raw(by);
    if (isSigned) c.i64DivS();
    else c.i64DivU();
    const quotient = this.keep(64);
    this.raw(quotient);
    if (isSigned) {
      this.raw(quotient);
      if (width === 8) c.i64Extend8S();
      else if (width === 16) c.i64Extend16S();
      else c.i64Extend32S();
      c.i64Ne();
    } else {
      c.i64Const(width);
      c.i64ShrU().i64Eqz().i32Eqz();
    }
    this.divideErrorIf();
    this.raw(quotient).i32WrapI64();
    const result = this.keep(width, false);
    this.raw(dividend);
    this.raw(by);
    if (isSigned) c.i64RemS();
    else c.i64RemU();
    c.i32WrapI64();
    return { low: result, high: this.keep(width, false) };
  }

  /** 128 by 64 bits: in line if the dividend is one of 64 bits. */
  #divide64(high: Value, low: Value, divisor: Value, isSigned: boolean): Pair<Value> {
    const { c } = this;
    const quotient = this.variable("i64");
    const remainder = this.variable("i64");
    c.i64Eqz(this.raw(divisor));
    this.divideErrorIf();
    this.raw(high);
    if (isSigned) {
      this.raw(low).i64Const(63);
      c.i64ShrS().i64Eq();
      // -2^63 by -1 is left to the long way, which says that it does not fit.
      this.raw(divisor).i64Const(-1).i64Ne().i32And();
    } else c.i64Eqz();
    const short = c.if();
    this.raw(low);
    this.raw(divisor);
    if (isSigned) c.i64DivS();
    else c.i64DivU();
    c.localSet(quotient);
    this.raw(low);
    this.raw(divisor);
    if (isSigned) c.i64RemS();
    else c.i64RemU();
    c.localSet(remainder);
    c.else();
    this.raw(high);
    this.raw(low);
    this.raw(divisor).i32Const(isSigned ? 1 : 0).call(this.runtime.divide128);
    c.i32Eqz();
    this.divideErrorIf();
    c.i32Const(0).i64Load(0x600).localSet(quotient).i32Const(0).i64Load(0x608).localSet(remainder);
    c.end(short);
    const value = (local: Local): Value => ({
      ...{ width: 64, local, low: 0, high: 0, isClean: true, most: Infinity },
    });
    return { low: value(quotient), high: value(remainder) };
  }

  and(a: Value, b: Value): Value {
    const [x, y] = [this.#number(a), this.#number(b)];
    if (x !== undefined && y !== undefined) return this.constant((x & y) >>> 0, a.width);
    this.raw(a);
    this.raw(b);
    const most = Math.min(a.most, b.most);
    if (a.width === 64) this.c.i64And();
    else this.c.i32And();
    // A clean operand cleans the result.
    return this.keep(a.width, a.isClean || b.isClean, most);
  }

  or(a: Value, b: Value): Value {
    this.raw(a);
    this.raw(b);
    if (a.width === 64) this.c.i64Or();
    else this.c.i32Or();
    return this.keep(a.width, a.isClean && b.isClean);
  }

  xor(a: Value, b: Value): Value {
    this.raw(a);
    this.raw(b);
    if (a.width === 64) this.c.i64Xor();
    else this.c.i32Xor();
    return this.keep(a.width, a.isClean && b.isClean);
  }

  not(a: Value): Value {
    const x = this.known(a);
    if (x !== undefined && a.width === 1) return this.constant(1 - x, 1);
    this.raw(a);
    if (a.width === 1) this.c.i32Eqz();
    else if (a.width === 64) this.c.i64Const(-1).i64Xor();
    else this.c.i32Const(-1).i32Xor();
    return this.keep(a.width, a.width === 1);
  }

  shl(a: Value, count: Value): Value {
    return this.#shift(a, count, "shl");
  }

  shr(a: Value, count: Value): Value {
    return this.#shift(a, count, "shr");
  }

  sar(a: Value, count: Value): Value {
    return this.#shift(a, count, "sar");
  }

  #shift(a: Value, count: Value, how: "shl" | "shr" | "sar"): Value {
    const { c } = this;
    const { width } = a;
    // WebAssembly takes counts modulo the width of its type; where the count may
    // reach beyond, what comes out is chosen afterwards.
    const limit = width === 64 ? 64 : 32;
    const inside = count.most < limit;
    if (how === "shl") this.raw(a);
    else if (how === "shr") this.clean(a);
    else this.signed(a);
    if (!inside && how === "sar") this.#least(count, limit - 1);
    else this.clean(count);
    if (width === 64) {
      if (how === "shl") c.i64Shl();
      else if (how === "shr") c.i64ShrU();
      else c.i64ShrS();
    } else if (how === "shl") c.i32Shl();
    else if (how === "shr") c.i32ShrU();
    else c.i32ShrS();
    if (!inside && how !== "sar") {
      if (width === 64) {
        c.i64Const(0);
        this.raw(count).i64Const(limit);
        c.i64LtU().select();
      } else {
        c.i32Const(0);
        this.clean(count).i32Const(limit);
        c.i32LtU().select();
      }
    }
    return this.keep(width, how === "shr");
  }

  /** Pushes a count, or the limit if that is less. */
  #least(count: Value, limit: number): void {
    const { c } = this;
    if (count.width === 64) {
      this.raw(count).i64Const(limit);
      this.raw(count).i64Const(limit);
      c.i64LtU().select();
    } else {
      this.clean(count).i32Const(limit);
      this.clean(count).i32Const(limit);
      c.i32LtU().select();
    }
  }

  countTrailing(a: Value): Value {
    this.raw(a);
    if (a.width === 64) this.c.i64Ctz();
    else if (a.width === 32) this.c.i32Ctz();
    else this.c.i32Const(2 ** a.width).i32Or().i32Ctz();
    return this.keep(a.width);
  }

  countLeading(a: Value): Value {
    this.clean(a);
    if (a.width === 64) this.c.i64Clz();
    else if (a.width === 32) this.c.i32Clz();
    else this.c.i32Clz().i32Const(32 - a.width).i32Sub();
    return this.keep(a.width);
  }

  countOnes(a: Value): Value {
    this.clean(a);
    if (a.width === 64) this.c.i64Popcnt();
    else this.c.i32Popcnt();
    return this.keep(a.width);
  }

  equal(a: Value, b: Value): Value {
    const [x, y] = [this.#number(a), this.#number(b)];
    if (x !== undefined && y !== undefined) return this.constant(x === y ? 1 : 0, 1);
    this.clean(a);
    if (b.local === undefined && b.low === 0 && b.high === 0) {
      if (a.width === 64) this.c.i64Eqz();
      else this.c.i32Eqz();
      return this.keep(1);
    }
    this.clean(b);
    if (a.width === 64) this.c.i64Eq();
    else this.c.i32Eq();
    return this.keep(1);
  }

  below(a: Value, b: Value): Value {
    const [x, y] = [this.#number(a), this.#number(b)];
    if (x !== undefined && y !== undefined) return this.constant(x < y ? 1 : 0, 1);
    this.clean(a);
    this.clean(b);
    if (a.width === 64) this.c.i64LtU();
    else this.c.i32LtU();
    return this.keep(1);
  }

  less(a: Value, b: Value): Value {
    this.signed(a);
    this.signed(b);
    if (a.width === 64) this.c.i64LtS();
    else this.c.i32LtS();
    return this.keep(1);
  }

  /** A number below 2^32 that a value of any width is known to be. */
  #number(value: Value): number | undefined {
    if (value.width !== 64) return this.known(value);
    const isKnown = value.local === undefined && value.high === 0 && !("relative" in value);
    return isKnown ? value.low >>> 0 : undefined;
  }

  select(condition: Value, yes: Value, no: Value): Value {
    const known = this.known(condition);
    if (known !== undefined) return known === 1 ? yes : no;
    this.raw(yes);
    this.raw(no);
    this.raw(condition).select();
    return this.keep(yes.width, yes.isClean && no.isClean, Math.max(yes.most, no.most));
  }

  truncate(a: Value, width: Width): Value {
    if (a.width === width) return a;
    if (a.local === undefined) return this.constant(a.low, width);
    if (a.width === 128) {
      if (width === 64) this.raw(a).i64x2ExtractLane(0);
      else this.raw(a).i32x4ExtractLane(0);
      return this.keep(width, false);
    }
    if (width === 1) {
      this.narrow(a).i32Const(1).i32And();
      return this.keep(1);
    }
    const fits = a.isClean && a.most <= mostOf(width);
    if (a.width === 64) {
      this.narrow(a);
      return this.keep(width, fits, Math.min(a.most, mostOf(width)));
    }
    return { ...a, width, isClean: fits, most: Math.min(a.most, mostOf(width)) };
  }

  zeroExtend(a: Value, width: Width): Value {
    if (a.width === width) return a;
    if (a.local === undefined) {
      const low = a.low >>> 0;
      return width === 128 ? { ...a, width } : this.constant(low, width);
    }
    if (width === 128) {
      this.c.v128Const(new Uint8Array(16));
      this.clean(a);
      if (a.width === 64) this.c.i64x2ReplaceLane(0);
      else this.c.i32x4ReplaceLane(0);
      return this.keep(128);
    }
    this.clean(a);
    if (width === 64) this.c.i64ExtendI32U();
    return this.keep(width, true, Math.min(a.most, mostOf(a.width)));
  }

  signExtend(a: Value, width: Width): Value {
    if (a.width === width) return a;
    if (a.width === 1) {
      this.c.i32Const(0);
      this.raw(a).i32Sub();
    } else this.signed(a);
    if (width === 64) this.c.i64ExtendI32S();
    return this.keep(width, false);
  }
}
