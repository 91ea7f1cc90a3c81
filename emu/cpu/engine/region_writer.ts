/**
 * Writes compiled regions: instructions whose numbers are known, with registers
 * and flags in local variables.
 *
 * A region is a function (translation buffer i32) → i32; see `answers`. It loads
 * the registers when it is entered and stores those that it wrote when it leaves,
 * however it leaves, so that the machine's state is exact for whoever looks.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { Label, Local } from "../../../wasm/types.ts";
import { NO_REGISTER, RIP } from "../instruction.ts";
import * as at from "../layout.ts";
import type { Width } from "../semantics/emitter.ts";
import { semanticsOf } from "../semantics/mod.ts";
import { answers } from "./handlers.ts";
import type { Machinery } from "./machinery.ts";
import type { RegionBlock, RegionInstruction } from "./region_graph.ts";
import type { Value } from "./values.ts";
import { RegionFlags } from "./region_flags.ts";

/** Where a block goes on. */
export type Successor =
  /** In the region: a branch to it is written so. */
  | { readonly branch: () => void }
  /** Outside: at this offset of the page. */
  | { readonly offset: number };

/** What is known of a region as a whole. */
export interface RegionTraits {
  /** It is 64-bit code. */
  readonly wide: boolean;
  /** Instructions of all its blocks. */
  readonly most: number;
  /** It is the supervisor's: the linear window is its. */
  readonly hasWindow: boolean;
}

/** Writes a region's instructions. */
export class RegionEmitter extends RegionFlags {
  protected override readonly faulted: Label;
  readonly #exit: Label;
  readonly #wide: boolean;
  readonly #most: number;
  readonly #tlb: Local;
  readonly #registers: readonly Local[];
  readonly #base: Local;
  readonly #budget: Local;
  readonly #rip: Local;
  readonly #answer: Local;
  #written = 0;
  #at!: RegionInstruction;

  /**
   * Starts a region.
   *
   * @param tlb The function's parameter.
   */
  constructor(
    code: Code,
    machinery: Machinery,
    tlb: Local,
    { wide, most, hasWindow }: RegionTraits,
  ) {
    super(code, machinery, wide);
    this.#most = most;
    this.#wide = wide;
    this.#tlb = tlb;
    const count = wide ? 16 : 8;
    this.#registers = Array.from({ length: count }, () => code.local(wide ? "i64" : "i32"));
    this.#base = code.local("i64");
    this.#budget = code.local("i32");
    this.#rip = code.local("i64");
    this.#answer = code.local("i32");
    for (const [n, local] of this.#registers.entries()) {
      code.i32Const(0);
      if (wide) code.i64Load(at.REGISTERS + 8 * n);
      else code.i32Load(at.REGISTERS + 8 * n);
      code.localSet(local);
    }
    code.i32Const(0).i64Load(at.REGISTERS + 8 * at.SLOT_CODE).localSet(this.#base);
    code.i32Const(0).i32Load(at.BUDGET).localSet(this.#budget);
    if (hasWindow) this.#openWindow(code);
    this.#exit = code.block();
    this.faulted = code.block();
  }

  /** Ends the region: what all ways out share. */
  close(): void {
    const { c } = this;
    c.unreachable();
    c.end(this.faulted);
    c.i32Const(answers.fault).localSet(this.#answer);
    c.end(this.#exit);
    for (const [n, local] of this.#registers.entries()) {
      if ((this.#written >> n & 1) === 0) continue;
      c.i32Const(0).localGet(local);
      if (!this.#wide) c.i64ExtendI32U();
      c.i64Store(at.REGISTERS + 8 * n);
    }
    this.leaveFlags();
    c.i32Const(0).localGet(this.#budget).i32Store(at.BUDGET);
    c.i32Const(0).localGet(this.#rip).i64Store(at.RIP);
    c.localGet(this.#answer);
  }

  /** Writes a block; its ways on are written by who knows the others. */
  writeBlock(
    block: RegionBlock,
    join: "loop" | "merge" | undefined,
    successor: (offset: number) => Successor,
  ): void {
    const { c } = this;
    if (join !== undefined) this.flagsKnown = undefined;
    if (join === "loop") {
      // What may be executed until the next look at the budget; the last few
      // instructions of a slice are the interpreter's.
      c.localGet(this.#budget).i32Const(this.#most).i32LtS();
      const poor = c.if(undefined, "unlikely");
      this.#leaveAt(block.offset, answers.budget);
      c.end(poor);
    }
    c.localGet(this.#budget).i32Const(block.count).i32Sub().localSet(this.#budget);
    for (const instruction of block.instructions) {
      this.#at = instruction;
      const { i, form, mode } = instruction;
      this.begin({ i, form, mode, flat: true, stack: mode });
      semanticsOf(form)?.(this);
      this.flushFlags();
    }
    const last = block.instructions.at(-1);
    const { target } = this;
    if (block.stopsAt !== undefined) {
      // What follows is not for regions; it was paid for.
      this.#refund(block.count - block.instructions.length);
      this.#leaveAt(block.stopsAt, answers.go);
    } else if (last === undefined || target === undefined) {
      this.#goTo(successor(block.end));
    } else if (target.direct) {
      const to = last.offset + last.i.length + last.i.immediate;
      const { conditional } = target;
      if (conditional === undefined) return this.#goTo(successor(to));
      c.localGet(conditional);
      const taken = c.if();
      const known = this.flagsKnown;
      this.#goTo(successor(to));
      this.flagsKnown = known;
      c.end(taken);
      this.#goTo(successor(block.end));
    } else {
      this.wide(target.value);
      c.localSet(this.#rip);
      if (target.conditional !== undefined) {
        c.localGet(this.#rip);
        this.#pushRip(block.end);
        c.localGet(target.conditional).select().localSet(this.#rip);
      }
      this.#leave(answers.go);
    }
  }

  #openWindow(code: Code): void {
    const kind = this.#wide ? "i64" : "i32";
    const base = code.local(kind);
    const length = code.local(kind);
    const addend = code.local("i32");
    const load = (from: number) => {
      code.i32Const(0);
      return this.#wide ? code.i64Load(from) : code.i32Load(from);
    };
    load(at.WINDOW_BASE).localSet(base);
    load(at.WINDOW_LENGTH).localSet(length);
    code.i32Const(0).i32Load(at.WINDOW_ADDEND).localSet(addend);
    this.window = { base, length, addend };
  }

  #goTo(successor: Successor): void {
    if ("branch" in successor) successor.branch();
    else this.#leaveAt(successor.offset, answers.go);
  }

  #pushRip(offset: number): void {
    const { c } = this;
    c.localGet(this.#base).i64Const(offset).i64Add();
    if (!this.#wide) c.i64Const(0xffff_ffff).i64And();
  }

  #leaveAt(offset: number, answer: number): void {
    this.#pushRip(offset);
    this.c.localSet(this.#rip);
    this.#leave(answer);
  }

  #leave(answer: number): void {
    this.c.i32Const(answer).localSet(this.#answer).br(this.#exit);
  }

  #refund(count: number): void {
    if (count === 0) return;
    this.c.localGet(this.#budget).i32Const(count).i32Add().localSet(this.#budget);
  }

  protected override startOver(): void {
    this.#refund(this.#at.remaining - 1);
    this.#leaveAt(this.#at.offset, answers.leave);
  }

  protected override pushTlb(): Code {
    return this.c.localGet(this.#tlb);
  }

  /** Odd: who is called knows that it is a region that calls. */
  protected override pushPc(): Code {
    return this.c.i32Const(this.#at.pc | 1) as Code;
  }

  protected override beforeCall(): void {
    this.c.i32Const(0).localGet(this.#budget).i32Store(at.BUDGET);
  }

  protected override afterCall(): void {
    this.c.i32Const(0).i32Load(at.BUDGET).localSet(this.#budget);
  }

  protected override pushRegisterAddress(): number {
    throw new TypeError("a region's registers have no address");
  }

  protected override pushImmediate(which: 1 | 2, width: Width): void {
    const { i } = this;
    if (which === 2) this.c.i32Const(i.immediate2);
    else if (width === 64) this.c.i64ConstHalves(i.immediate, i.immediateHigh);
    else this.c.i32Const(width === 32 ? i.immediate : i.immediate & (2 ** width - 1));
  }

  protected override pushOffset(wide: boolean): void {
    const { c, i } = this;
    const { base, index, shift, disp } = i;
    const push = (n: number) => {
      c.localGet(this.#registers[n] ?? this.#tlb);
      if (this.#wide && !wide) c.i32WrapI64();
    };
    if (base === RIP) {
      c.localGet(this.#base).i64Const(disp + this.#at.offset + i.length).i64Add();
      if (!wide) c.i32WrapI64();
      return;
    }
    let any = false;
    if (base !== NO_REGISTER) {
      push(base);
      any = true;
    }
    if (index !== NO_REGISTER) {
      push(index);
      if (shift > 0) {
        if (wide) c.i64Const(shift).i64Shl();
        else c.i32Const(shift).i32Shl();
      }
      if (any) {
        if (wide) c.i64Add();
        else c.i32Add();
      }
      any = true;
    }
    if (disp === 0 && any) return;
    if (wide) c.i64Const(disp);
    else c.i32Const(disp);
    if (any) {
      if (wide) c.i64Add();
      else c.i32Add();
    }
  }

  protected override pushToCome(): void {
    this.c.localGet(this.#budget).i32Const(this.#at.remaining).i32Add();
  }

  protected override pushNext(): void {
    this.c.localGet(this.#base).i64Const(this.#at.offset + this.i.length).i64Add();
  }

  /** Number of a general register, and whether its second byte is meant. */
  #general(which: "rm" | "reg" | "ah" | number, width: Width): [number, boolean] {
    if (which === "ah") return [0, true];
    if (typeof which === "number") return [which, false];
    const number = this.i[which];
    return width === 8 && this.i.rex === 0 && number >= 4 ? [number - 4, true] : [number, false];
  }

  protected override readGeneral(which: "rm" | "reg" | "ah" | number, width: Width): Value {
    const { c } = this;
    const [number, high] = this.#general(which, width);
    c.localGet(this.#registers[number] ?? this.#tlb);
    if (this.#wide && width < 64) c.i32WrapI64();
    if (high) c.i32Const(8).i32ShrU();
    return this.keep(width, false);
  }

  protected override writeGeneral(which: "rm" | "reg" | "ah" | number, value: Value): void {
    const { c } = this;
    const { width } = value;
    const [number, high] = this.#general(which, width);
    const local = this.#registers[number] ?? this.#tlb;
    this.#written |= 1 << number;
    if (width >= 32) {
      this.raw(value);
      if (this.#wide && width === 32) c.i64ExtendI32U();
    } else {
      const mask = (2 ** width - 1) << (high ? 8 : 0);
      this.clean(value);
      if (high) c.i32Const(8).i32Shl();
      if (this.#wide) {
        c.i64ExtendI32U().localGet(local).i64Const(~mask).i64And().i64Or();
      } else c.localGet(local).i32Const(~mask).i32And().i32Or();
    }
    c.localSet(local);
  }

  protected override immediate(which: 1 | 2, width: Width): Value {
    const { i } = this;
    if (which === 2) return this.constant(i.immediate2, width);
    return this.constantHalves(i.immediate, i.immediateHigh, width);
  }
}
