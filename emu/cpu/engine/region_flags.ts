/**
 * Flags in compiled regions.
 *
 * A sum, a difference or a logical result is not turned into flags when it is
 * made. Its operands stay in local variables, with a number that says what they
 * are; conditions compare them, and who leaves the region has the two words of
 * layout.ts made of them. So flags that nobody reads cost next to nothing.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { Local } from "../../../wasm/types.ts";
import * as at from "../layout.ts";
import { AF, CF, OF, PF, SF, type Width, ZF } from "../semantics/emitter.ts";
import type { Machinery } from "./machinery.ts";
import type { Value } from "./values.ts";
import { CodeEmitter } from "./writer.ts";

/** What the operands are, in bits 0 to 3 of the number; above it their width in bits. */
export const kinds = {
  words: 0,
  sum: 1,
  difference: 2,
  logic: 3,
  increment: 4,
  decrement: 5,
} as const;

/** What is known of the flags while code is written. */
export interface FlagsKnown {
  /** What the operands are of. */
  readonly kind: keyof typeof kinds;
  /** How wide they were. */
  readonly width: Width;
  /** No carry came in: the operands alone tell the one that goes out. */
  readonly isPlain: boolean;
}

/** Operations on operands of either width, as methods of `Code` are named. */
type OperandOperation = "Eqz" | "LtU" | "LtS" | "LeU" | "LeS" | "Eq" | "And" | "Or" | "Xor";

/** What compares the operands of a difference for conditions 0 to 7, where one comparison does. */
const comparisons: readonly (OperandOperation | undefined)[] = [
  ...[undefined, "LtU", "Eq", "LeU", undefined, undefined, "LtS", "LeS"] as const,
];

/** Writes flags of regions. */
export abstract class RegionFlags extends CodeEmitter {
  readonly #kind: Local;
  /** Operands and result, with their signs above. */
  readonly #a: Local;
  readonly #b: Local;
  readonly #r: Local;
  /** CF of increments and decrements. */
  readonly #carry: Local;
  readonly #result: Local;
  readonly #aux: Local;
  /** Undefined: only the number in the variable tells. */
  #known: FlagsKnown | undefined;

  /** Operands are i64; in 32-bit code i32. */
  readonly #wide: boolean;

  protected constructor(code: Code, machinery: Machinery, wide: boolean) {
    super(code, machinery);
    this.#wide = wide;
    const kind = wide ? "i64" : "i32";
    this.#kind = code.local("i32");
    this.#a = code.local(kind);
    this.#b = code.local(kind);
    this.#r = code.local(kind);
    this.#carry = code.local("i32");
    this.#result = code.local("i64");
    this.#aux = code.local("i32");
    code.i32Const(0).i64Load(at.FLAG_RESULT).localSet(this.#result);
    code.i32Const(0).i32Load(at.FLAG_AUX).localSet(this.#aux);
    code.i32Const(0).localSet(this.#kind);
    this.#known = { kind: "words", width: 64, isPlain: false };
  }

  /** What is known of flags here; undefined, where several ways come together. */
  protected get flagsKnown(): FlagsKnown | undefined {
    return this.#known;
  }
  protected set flagsKnown(known: FlagsKnown | undefined) {
    this.#known = known;
  }

  /** Stores flags where the machine looks for them. */
  protected leaveFlags(): void {
    const { c } = this;
    c.localGet(this.#kind);
    const kept = c.if();
    this.#make();
    c.else();
    c.i32Const(0).localGet(this.#result).i64Store(at.FLAG_RESULT);
    c.i32Const(0).localGet(this.#aux).i32Store(at.FLAG_AUX);
    c.end(kept);
  }

  #make(): void {
    const { c } = this;
    c.localGet(this.#kind);
    for (const operand of [this.#a, this.#b, this.#r]) {
      c.localGet(operand);
      if (!this.#wide) c.i64ExtendI32S();
    }
    c.localGet(this.#carry).call(this.machinery.makeFlags);
  }

  /** Turns operands into the two words; may be written amid an expression. */
  #settle(): void {
    const { c } = this;
    if (this.#known?.kind === "words") return;
    c.localGet(this.#kind);
    const kept = c.if();
    this.#make();
    c.i32Const(0).i64Load(at.FLAG_RESULT).localSet(this.#result);
    c.i32Const(0).i32Load(at.FLAG_AUX).localSet(this.#aux);
    c.i32Const(0).localSet(this.#kind);
    c.end(kept);
    this.#known = { kind: "words", width: 64, isPlain: false };
  }

  protected override pushResult(): void {
    this.#settle();
    this.c.localGet(this.#result);
  }

  protected override pushAux(): void {
    this.#settle();
    this.c.localGet(this.#aux);
  }

  protected override storeResult(push: () => void): void {
    push();
    this.#settle();
    this.c.localSet(this.#result);
  }

  protected override storeAux(push: () => void): void {
    push();
    this.#settle();
    this.c.localSet(this.#aux);
  }

  /** Both words are about to be stored: what was before does not matter. */
  protected override replaceFlags(): void {
    this.c.i32Const(0).localSet(this.#kind);
    this.#known = { kind: "words", width: 64, isPlain: false };
  }

  protected override storeLogic(result: Value): boolean {
    this.#keep("logic", result.width, undefined, undefined, result, true);
    return true;
  }

  #keep(
    kind: keyof typeof kinds,
    width: Width,
    a: Value | undefined,
    b: Value | undefined,
    result: Value,
    isPlain: boolean,
  ): void {
    const { c } = this;
    const push = (value: Value) => {
      if (this.#wide) return this.wideSigned(value);
      // A result of logic was widened when it was noted.
      return value.width === 64 ? this.narrow(value) : this.signed(value);
    };
    if (a !== undefined) push(a).localSet(this.#a);
    if (b !== undefined) push(b).localSet(this.#b);
    push(result).localSet(this.#r);
    c.i32Const(kinds[kind] | width << 4).localSet(this.#kind);
    this.#known = { kind, width, isPlain };
  }

  override when(condition: Value, then: () => void): void {
    if (this.known(condition) !== undefined) return super.when(condition, then);
    let before: FlagsKnown | undefined;
    super.when(condition, () => {
      before = this.#known;
      then();
      this.flushFlags();
    });
    // What was set in there is known of one way only.
    if (this.#known !== before) this.#known = undefined;
  }

  override repeat(element: () => void, compares: boolean): void {
    super.repeat(element, compares);
    // There may have been no element, and then they are what they were.
    if (compares) this.#known = undefined;
  }

  override flagsOfSum(a: Value, b: Value, sum: Value, keep = 0): void {
    this.#arithmetic("sum", a, b, sum, keep);
  }

  override flagsOfDifference(a: Value, b: Value, difference: Value, keep = 0): void {
    this.#arithmetic("difference", a, b, difference, keep);
  }

  #arithmetic(kind: "sum" | "difference", a: Value, b: Value, result: Value, keep: number): void {
    const { c } = this;
    if (keep === 0) {
      this.dropNotes();
      const name = this.form.mnemonics[0];
      this.#keep(kind, a.width, a, b, result, name !== "adc" && name !== "sbb");
      return;
    }
    // INC and DEC.
    const carry = this.flag(CF);
    this.raw(carry);
    c.localSet(this.#carry);
    this.dropNotes();
    const stepped = kind === "sum" ? "increment" : "decrement";
    this.#keep(stepped, a.width, undefined, undefined, result, true);
  }

  override flag(flag: number): Value {
    if (!this.hasNotes) {
      const known = this.#flagOf(flag);
      if (known !== undefined) return known;
    }
    return super.flag(flag);
  }

  /** Writes an operation on operands, as wide as they are. */
  #operation(name: OperandOperation): Code {
    const { c } = this;
    return this.#wide ? c[`i64${name}`]() : c[`i32${name}`]();
  }

  /** Whether the operand on the stack is negative. */
  #isNegative(): void {
    this.#constant(0);
    this.#operation("LtS");
  }

  #constant(value: number | bigint): void {
    if (this.#wide) this.c.i64Const(value);
    else this.c.i32Const(Number(value));
  }

  /** A flag read off operands; undefined where the words must tell. */
  #flagOf(flag: number): Value | undefined {
    const { c } = this;
    const known = this.#known;
    if (known === undefined || known.kind === "words") return undefined;
    const { kind, width, isPlain } = known;
    const isStep = kind === "increment" || kind === "decrement";
    if (kind === "logic" && (flag & (CF | OF | AF)) !== 0) return this.constant(0, 1);
    const isSum = kind === "sum";
    const [a, b, r] = [this.#a, this.#b, this.#r];
    switch (flag) {
      case ZF:
        c.localGet(r);
        this.#operation("Eqz");
        break;
      case SF:
        c.localGet(r);
        this.#isNegative();
        break;
      case PF:
        c.localGet(r);
        if (this.#wide) c.i32WrapI64();
        c.i32Const(0xff).i32And().i32Popcnt().i32Const(1).i32And().i32Eqz();
        break;
      case CF:
        if (isStep) c.localGet(this.#carry);
        else if (isPlain) {
          c.localGet(isSum ? r : a).localGet(isSum ? a : b);
          this.#operation("LtU");
        } else {
          // Of a sum with a carry: where both have the bit, or one has it and the
          // sum has lost it. A difference is the sum that undoes it.
          const [x, y, sum] = isSum ? [a, b, r] : [r, b, a];
          c.localGet(x).localGet(y);
          this.#operation("And");
          c.localGet(x).localGet(y);
          this.#operation("Or");
          c.localGet(sum);
          this.#constant(-1);
          this.#operation("Xor");
          this.#operation("And");
          this.#operation("Or");
          this.#isNegative();
        }
        break;
      case OF:
        if (isStep) {
          // What one step leads to the end of the numbers.
          const end = 2n ** BigInt(width - 1);
          c.localGet(r);
          this.#constant(kind === "increment" ? -end : end - 1n);
          this.#operation("Eq");
        } else {
          // A sum's sign is neither operand's; a difference's operands differ in it.
          c.localGet(a).localGet(isSum ? r : b);
          this.#operation("Xor");
          c.localGet(isSum ? b : a).localGet(r);
          this.#operation("Xor");
          this.#operation("And");
          this.#isNegative();
        }
        break;
      case AF:
        if (isStep) return undefined;
        c.localGet(a).localGet(b);
        this.#operation("Xor");
        c.localGet(r);
        this.#operation("Xor");
        if (this.#wide) c.i32WrapI64();
        c.i32Const(4).i32ShrU().i32Const(1).i32And();
        break;
      default:
        return undefined;
    }
    return this.keep(1);
  }

  /** A condition compared, where what was compared is known. */
  condition(number: number): Value | undefined {
    const known = this.#known;
    if (known === undefined || this.hasNotes) return undefined;
    const { c } = this;
    const which = number >> 1;
    const isLogic = known.kind === "logic";
    if (!isLogic && (known.kind !== "difference" || !known.isPlain)) return undefined;
    if (isLogic) {
      // CF and OF are clear.
      if (which < 3 || which === 4 || which === 5) return undefined;
      c.localGet(this.#r);
      if (which === 3) this.#operation("Eqz");
      else {
        this.#constant(0);
        this.#operation(which === 6 ? "LtS" : "LeS");
      }
    } else {
      const operation = comparisons[which];
      if (operation === undefined) return undefined;
      c.localGet(this.#a).localGet(this.#b);
      this.#operation(operation);
    }
    const value = this.keep(1);
    return (number & 1) === 0 ? value : this.not(value);
  }
}

/** The flags of the word of corrections that a sum sets, and how; see {@link writeMakeFlags}. */
export const makeFlagsType = { params: ["i32", "i64", "i64", "i64", "i32"], results: [] } as const;

/**
 * Writes the function that makes the two words of operands: (kind i32, a i64, b
 * i64, result i64, carry i32).
 */
export function writeMakeFlags(
  c: Code,
  [kind, a, b, r, carry]: readonly [Local, Local, Local, Local, Local],
): void {
  const carries = c.local("i64");
  const aux = c.local("i32");
  const only = c.local("i32");
  const isKind = (name: keyof typeof kinds) => c.localGet(only).i32Const(kinds[name]).i32Eq();
  c.i32Const(0).localGet(r).i64Store(at.FLAG_RESULT);
  c.localGet(kind).i32Const(15).i32And().localSet(only);
  isKind("logic");
  const logic = c.if();
  c.i32Const(0).i32Const(0).i32Store(at.FLAG_AUX).return();
  c.end(logic);
  // A step is a sum or difference with 1.
  isKind("increment");
  const increment = c.if();
  c.i64Const(1).localSet(b);
  c.localGet(r).i64Const(1).i64Sub().localSet(a);
  c.end(increment);
  isKind("decrement");
  const decrement = c.if();
  c.i64Const(1).localSet(b);
  c.localGet(r).i64Const(1).i64Add().localSet(a);
  c.end(decrement);
  // Carries as in flags.ts: a difference carries where the sum that undoes it does.
  isKind("difference");
  isKind("decrement");
  c.i32Or();
  const difference = c.if();
  c.localGet(r).localGet(b).i64And().localGet(r).localGet(b).i64Or();
  c.localGet(a).i64Const(-1).i64Xor().i64And().i64Or().localSet(carries);
  c.else();
  c.localGet(a).localGet(b).i64And().localGet(a).localGet(b).i64Or();
  c.localGet(r).i64Const(-1).i64Xor().i64And().i64Or().localSet(carries);
  c.end(difference);
  // The carries of the two highest bits to bits 31 and 30.
  c.localGet(carries).i64Const(64).localGet(kind).i32Const(4).i32ShrU().i64ExtendI32U().i64Sub();
  c.i64Shl().i64Const(32).i64ShrU().i32WrapI64().i32Const(0xc000_0000).i32And().localSet(aux);
  c.localGet(only).i32Const(kinds.increment).i32GeU();
  const step = c.if();
  // CF as it was, and beside it CF xor OF.
  c.localGet(carry).i32Const(31).i32Shl();
  c.localGet(aux).localGet(aux).i32Const(1).i32Shl().i32Xor().localGet(carry).i32Const(31).i32Shl();
  c.i32Xor().i32Const(1).i32ShrU().i32Const(0x4000_0000).i32And().i32Or().localSet(aux);
  c.end(step);
  c.i32Const(0).localGet(aux).localGet(carries).i32WrapI64().i32Const(8).i32And().i32Or();
  c.i32Store(at.FLAG_AUX);
}
