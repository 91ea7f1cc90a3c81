/**
 * The interpreter: one generated function that executes micro-operations, a loop
 * around a jump table with one arm for each common shape of instruction.
 *
 * Shapes that are not among its arms get functions of their own, made when code
 * with them is first decoded; both are written by the same emitter.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import { Module } from "../../../wasm/module.ts";
import type { Label, Local } from "../../../wasm/types.ts";
import * as at from "../layout.ts";
import { eflag } from "../processor_bits.ts";
import { answers, HandlerEmitter } from "./handlers.ts";
import { ARMS, arms, head, op, OP_SIZE } from "./microcode.ts";
import type { Machinery, Shape } from "./machinery.ts";
import { declareMachinery } from "./runtime.ts";

/** Why the interpreter came back. */
export const reasons = {
  /** RIP leads to a block that is not known. */
  look: 0,
  /** An instruction raised an exception. */
  fault: 1,
  /** The next block has more instructions than may retire, or is stale; RIP is right. */
  budget: 2,
  /** An instruction carried out in TypeScript wants to be looked after. */
  system: 3,
  /** A block has been entered so often that it should be compiled; RIP is right. */
  hot: 4,
} as const;

/**
 * Where a link to a block may be noted that was not found; or the last
 * micro-operation before a block that could not be entered, 0 if there was none.
 */
export const LINK_FROM = 0x7f0;
/** A word that links go to which are not kept. */
const NOWHERE = 0x7f8;

/** How often a block is entered before it is compiled. */
export const hotFrom = 3000;

/**
 * Writes the interpreter.
 *
 * @param pages Of the memory.
 * @param shapes One for each arm behind the first {@link ARMS}.
 */
export function writeInterpreter(
  pages: number,
  shapes: readonly Shape[],
): Uint8Array<ArrayBuffer> {
  const module = new Module();
  const { machinery, system } = declareMachinery(module, pages);
  const outlined = module.type(["i32"], ["i32"]);
  const table = module.table({ import: ["machine", "table"], min: 0 });
  const run = module.func({ params: ["i32"], results: ["i32"], export: "run" });
  const c = run.code;
  const [block] = run.params;
  const pc = c.local("i32");
  const tlb = c.local("i32");
  const link = c.local("i32");
  const from = c.local("i32");
  const answer = c.local("i32");
  const rip = c.local("i64");

  c.i32Const(0).i32Load(at.TLB_NOW).localSet(tlb);
  const fault = c.block();
  const enter = c.loop();
  const dispatch = c.block();
  // A block that was compiled pays for itself.
  c.localGet(block).i32Load(head.region).localTee(answer);
  const compiled = c.if();
  c.localGet(tlb).localGet(answer).i32Const(1).i32Sub().callIndirect(outlined, table);
  c.localTee(answer).i32Const(answers.go).i32Eq();
  const goes = c.if(undefined, "likely");
  c.i32Const(0).i64Load(at.RIP).localSet(rip);
  c.i32Const(NOWHERE).localSet(from).br(dispatch);
  c.end(goes);
  c.localGet(answer).i32Eqz().brIf(fault);
  c.i32Const(0).i32Const(0).i32Store(LINK_FROM);
  c.i32Const(reasons.system).i32Const(reasons.budget).localGet(answer).i32Const(answers.leave)
    .i32Eq();
  c.select().return();
  c.end(compiled);
  c.localGet(block).localGet(block).i32Load(head.entered).i32Const(1).i32Add().localTee(answer);
  c.i32Store(head.entered);
  c.localGet(answer).i32Const(hotFrom).i32Eq();
  const hot = c.if(undefined, "unlikely");
  c.i32Const(0);
  c.i32Const(0).i64Load(at.REGISTERS + 8 * at.SLOT_CODE);
  c.localGet(block).i64Load16U(head.offset).i64Add().i64Store(at.RIP);
  c.i32Const(reasons.hot).return();
  c.end(hot);
  // Instructions are paid for when their block is entered.
  c.i32Const(0).i32Load(at.BUDGET).localGet(block).i32Load(head.count).i32Sub().localTee(answer);
  c.i32Const(0).i32LtS();
  const poor = c.if(undefined, "unlikely");
  c.i32Const(0);
  c.i32Const(0).i64Load(at.REGISTERS + 8 * at.SLOT_CODE);
  c.localGet(block).i64Load16U(head.offset).i64Add().i64Store(at.RIP);
  c.i32Const(0).localGet(pc).i32Store(LINK_FROM);
  c.i32Const(reasons.budget).return();
  c.end(poor);
  c.i32Const(0).localGet(answer).i32Store(at.BUDGET);
  c.localGet(block).i32Const(OP_SIZE).i32Add().localSet(pc);

  const next = c.loop();
  const labels: Label[] = [];
  for (let n = 0; n < ARMS + shapes.length; n++) labels.unshift(c.block());
  c.localGet(pc).i32Load16U(op.handler).brTable(labels, next);
  const arm = new ArmEmitter(c, machinery, {
    pc,
    tlb,
    link,
    from,
    rip,
    block,
    fault,
    enter,
    dispatch,
    next,
  });
  for (const [n, label] of labels.entries()) {
    c.end(label);
    const shape = shapes[n - ARMS];
    if (shape !== undefined) arm.writeHandler(shape);
    else if (n === arms.system || n === arms.disable) {
      if (n === arms.disable) {
        c.i32Const(0).i32Load(at.CPL).i32Const(0).i32Load(at.FLAGS_OTHER).localTee(answer);
        c.i32Const(12).i32ShrU().i32Const(3).i32And().i32LeU();
        const may = c.if();
        c.i32Const(0).localGet(answer).i32Const(~eflag.IF).i32And().i32Store(at.FLAGS_OTHER);
        arm.goOn();
        c.end(may);
      }
      c.localGet(pc).call(system).i32Eqz();
      const leave = c.if();
      c.i32Const(reasons.system).return();
      c.end(leave);
      arm.goOn();
    } else if (n === arms.outlined) {
      c.localGet(pc).localGet(pc).i32Load(op.other).callIndirect(outlined, table).localTee(answer);
      c.i32Const(answers.leave).i32GtU();
      const plain = c.if();
      c.localGet(answer).localSet(pc).br(next);
      c.end(plain);
      c.localGet(answer).i32Eqz().brIf(fault);
      c.localGet(answer).i32Const(answers.leave).i32Eq();
      const leave = c.if();
      c.i32Const(reasons.system).return();
      c.end(leave);
      c.i32Const(0).i64Load(at.RIP).localSet(rip);
      c.i32Const(NOWHERE).localSet(from).br(dispatch);
    } else {
      c.i32Const(0).i64Load(at.REGISTERS + 8 * at.SLOT_CODE);
      c.localGet(pc).i64Load16U(op.offset).i64Add().localSet(rip);
      if (n === arms.follow) arm.follow(op.link);
      else {
        c.i32Const(0).localGet(rip).i64Store(at.RIP);
        // Of a block that has changed, this and what follows was paid for.
        c.i32Const(0);
        c.i32Const(0).i32Load(at.BUDGET).localGet(pc).i32Load8U(op.remaining).i32Add();
        c.i32Store(at.BUDGET);
        c.i32Const(reasons.system).return();
      }
    }
  }
  c.end(next).end(dispatch);
  arm.lookUp();
  c.end(enter).end(fault).i32Const(reasons.fault);
  return module.finish();
}

/** The variables and labels of the interpreter. */
interface Context {
  /** The micro-operation. */
  readonly pc: Local;
  /** Read buffer of this privilege level. */
  readonly tlb: Local;
  /** A block that a link leads to. */
  readonly link: Local;
  /** Where to note the block that is found at RIP. */
  readonly from: Local;
  /** Where to go, i64. */
  readonly rip: Local;
  /** The block to enter. */
  readonly block: Local;
  /** An exception was raised. */
  readonly fault: Label;
  /** Enters `block`. */
  readonly enter: Label;
  /** Looks `rip` up. */
  readonly dispatch: Label;
  /** Executes what `pc` points to. */
  readonly next: Label;
}

/** Writes the arms. */
class ArmEmitter extends HandlerEmitter {
  protected override readonly faulted: Label;
  readonly #cx: Context;

  constructor(code: Code, machinery: Machinery, context: Context) {
    super(code, machinery, context.pc);
    this.#cx = context;
    this.faulted = context.fault;
  }

  /** To the next micro-operation. */
  goOn(): void {
    const { c } = this;
    const { pc, next } = this.#cx;
    c.localGet(pc).i32Const(OP_SIZE).i32Add().localSet(pc).br(next);
  }

  /** To the block that a link leads to, or else to `rip`, which will be noted in the link. */
  follow(which: number, pushRip?: () => void): void {
    const { c } = this;
    const { pc, link, from, rip, block, enter, dispatch } = this.#cx;
    c.localGet(pc).i32Load(which).localTee(link).i32Const(1).i32GtU();
    const known = c.if();
    c.localGet(link).localSet(block).br(enter);
    c.end(known);
    if (pushRip !== undefined) {
      pushRip();
      c.localSet(rip);
    }
    c.i32Const(NOWHERE).localGet(pc).i32Const(which).i32Add().localGet(link).select();
    c.localSet(from).br(dispatch);
  }

  /** Looks `rip` up in the jump cache and enters the block, or leaves. */
  lookUp(): void {
    const { c } = this;
    const { link, from, rip, block, enter } = this.#cx;
    c.localGet(rip).i32WrapI64().localTee(link);
    c.localGet(link).i32Const(12).i32ShrU().i32Xor();
    c.i32Const(at.JUMP_ENTRIES - 1).i32And().i32Const(4).i32Shl().localTee(link);
    c.i64Load(at.JUMPS).localGet(rip).i64Eq();
    c.localGet(link).i32Load(at.JUMPS + 12);
    // The upper half of the address space has a generation of its own.
    c.i32Const(0).i32Load(at.MODE_KEY);
    c.i32Const(at.CODE_GENERATION + 4).i32Const(at.CODE_GENERATION);
    c.localGet(rip).i64Const(31).i64ShrU().i64Const(1).i64Eq();
    c.localGet(rip).i64Const(0).i64LtS().i32Or().select();
    c.i32Load(0).i32Or().i32Eq().i32And();
    const hit = c.if(undefined, "likely");
    c.localGet(link).i32Load(at.JUMPS + 8).localSet(block);
    c.i32Const(0).localGet(rip).localGet(block).i64Load16U(head.offset).i64Sub();
    c.i64Store(at.REGISTERS + 8 * at.SLOT_CODE);
    c.localGet(from).localGet(block).i32Store(0);
    c.br(enter);
    c.end(hit);
    c.i32Const(0).localGet(rip).i64Store(at.RIP);
    c.i32Const(0).localGet(from).i32Store(LINK_FROM);
    c.i32Const(reasons.look).return();
  }

  protected override pushTlb(): Code {
    return this.c.localGet(this.#cx.tlb);
  }

  protected override startOver(): void {
    this.takeBack();
    this.c.i32Const(reasons.system).return();
  }

  protected override endPlain(): void {
    this.goOn();
  }

  protected override endJump(): void {
    const { c, target } = this;
    if (target === undefined) throw new TypeError("the instruction does not jump");
    const { from, rip, dispatch } = this.#cx;
    const { conditional, direct } = target;
    let taken: Label | undefined;
    if (conditional !== undefined) {
      c.localGet(conditional);
      taken = c.if();
    }
    if (direct) this.follow(op.link, () => this.pushTarget());
    else {
      this.pushTarget();
      c.localSet(rip).i32Const(NOWHERE).localSet(from).br(dispatch);
    }
    if (taken !== undefined) {
      c.end(taken);
      this.follow(op.other, () => this.pushNextRip());
    }
  }
}
