/**
 * Handlers: instructions written as code that finds its numbers in a
 * micro-operation. They are arms of the interpreter, or functions of their own.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { Label, Local } from "../../../wasm/types.ts";
import * as at from "../layout.ts";
import type { Width } from "../semantics/emitter.ts";
import { semanticsOf } from "../semantics/mod.ts";
import { op, OP_SIZE } from "./microcode.ts";
import type { Machinery, Shape } from "./machinery.ts";
import { CodeEmitter } from "./writer.ts";

/** What a function of its own answers, if not where the next micro-operation is. */
export const answers = {
  /** It faulted. */
  fault: 0,
  /** Go to RIP. */
  go: 1,
  /** Leave; RIP is right. */
  leave: 2,
  /** Only of regions: more instructions than may retire come next; RIP is right. */
  budget: 3,
} as const;

/** Writes handlers. */
export abstract class HandlerEmitter extends CodeEmitter {
  /** The micro-operation. */
  protected readonly pc: Local;

  protected constructor(code: Code, machinery: Machinery, pc: Local) {
    super(code, machinery);
    this.pc = pc;
  }

  /** Ends a handler: the next micro-operation is next. */
  protected abstract endPlain(): void;
  /** Ends a handler: to another place. */
  protected abstract endJump(): void;

  /** Writes the handler of a shape. */
  writeHandler(shape: Shape): void {
    this.begin(shape);
    const semantics = semanticsOf(shape.form);
    if (semantics === undefined) throw new TypeError(`"${shape.form.row.text}" has no semantics`);
    semantics(this);
    this.flushFlags();
    if (this.target === undefined) this.endPlain();
    else this.endJump();
  }

  /** Pushes a target as i64, zero-extended from the operand size outside 64-bit code. */
  protected pushTarget(): void {
    const { target } = this;
    if (target === undefined) throw new TypeError("the instruction does not jump");
    this.wide(target.value);
  }

  /** Pushes RIP behind the instruction as i64. */
  protected pushNextRip(): void {
    this.pushNext();
    if (this.mode !== 64) this.c.i64Const(0xffff_ffff).i64And();
  }

  protected override pushPc(): Code {
    return this.c.localGet(this.pc);
  }

  protected override pushRegisterAddress(which: "rm" | "reg"): number {
    this.pushPc().i32Load8U(op[which]);
    return at.REGISTERS;
  }

  protected override pushVectorRegister(which: "rm" | "reg", isMmx: boolean): void {
    const { c } = this;
    this.pushPc().i32Load8U(op[which]);
    // REX has no say in MMX registers.
    if (isMmx && this.mode === 64) c.i32Const(0x38).i32And();
    c.i32Const(1).i32Shl();
  }

  protected override pushImmediate(which: 1 | 2, width: Width): void {
    const c = this.pushPc();
    const offset = which === 1 ? op.immediate : op.immediate2;
    if (width === 8) c.i32Load8U(offset);
    else if (width === 16) c.i32Load16U(offset);
    else if (width === 32) c.i32Load({ offset, align: 2 });
    else c.i64Load({ offset, align: 2 });
  }

  protected override pushOffset(wide: boolean): void {
    const { c } = this;
    this.pushPc().i32Load8U(op.base);
    if (wide) c.i64Load(at.REGISTERS);
    else c.i32Load(at.REGISTERS);
    this.pushPc().i32Load8U(op.index);
    if (wide) {
      c.i64Load(at.REGISTERS);
      this.pushPc().i64Load8U(op.shift).i64Shl().i64Add();
      this.pushPc().i64Load32S(op.disp).i64Add();
    } else {
      c.i32Load(at.REGISTERS);
      this.pushPc().i32Load8U(op.shift).i32Shl().i32Add();
      this.pushPc().i32Load(op.disp).i32Add();
    }
  }

  protected override pushToCome(): void {
    this.c.i32Const(0).i32Load(at.BUDGET);
    this.pushPc().i32Load8U(op.remaining).i32Add();
  }

  protected override pushNext(): void {
    const { c } = this;
    c.i32Const(0).i64Load(at.REGISTERS + 8 * at.SLOT_CODE);
    this.pushPc().i64Load16U(op.offset).i64Add();
    this.pushPc().i64Load8U(op.length).i64Add();
  }

  /** Stores RIP of this very instruction, and takes what follows out of the budget's account. */
  protected takeBack(): void {
    const { c } = this;
    c.i32Const(0);
    c.i32Const(0).i64Load(at.REGISTERS + 8 * at.SLOT_CODE);
    this.pushPc().i64Load16U(op.offset).i64Add();
    if (this.mode !== 64) c.i64Const(0xffff_ffff).i64And();
    c.i64Store(at.RIP);
    c.i32Const(0);
    c.i32Const(0).i32Load(at.BUDGET);
    this.pushPc().i32Load8U(op.remaining).i32Add().i32Const(1).i32Sub();
    c.i32Store(at.BUDGET);
  }
}

/** Writes a handler as a function of its own: (pc i32) → i32, see {@link answers}. */
export class OutlinedEmitter extends HandlerEmitter {
  protected override readonly faulted: Label;
  readonly #tlb: Local;

  constructor(code: Code, machinery: Machinery, pc: Local) {
    super(code, machinery, pc);
    this.faulted = code.block();
    this.#tlb = code.local("i32");
    code.i32Const(0).i32Load(at.TLB_NOW).localSet(this.#tlb);
  }

  /** Ends the function. */
  close(): void {
    this.c.end(this.faulted).i32Const(answers.fault);
  }

  protected override pushTlb(): Code {
    return this.c.localGet(this.#tlb);
  }

  protected override startOver(): void {
    this.takeBack();
    this.c.i32Const(answers.leave).return();
  }

  protected override endPlain(): void {
    this.pushPc().i32Const(OP_SIZE).i32Add().return();
  }

  protected override endJump(): void {
    const { c } = this;
    c.i32Const(0);
    this.pushTarget();
    const { conditional } = this.target ?? {};
    if (conditional !== undefined) {
      this.pushNextRip();
      c.localGet(conditional).select();
    }
    c.i64Store(at.RIP).i32Const(answers.go).return();
  }
}
