/**
 * Near transfers of control, and software's own exceptions.
 *
 * Source: Intel SDM vol. 2, "Operation" of each.
 *
 * @module
 */

import { condition } from "./conditions.ts";
import { type Emitter, type Semantics, type Width, ZF } from "./emitter.ts";
import { dropBytes, peek, push, SP } from "./moves.ts";

/** Where a near jump leads: the distance added to the next instruction, or what the operand says. */
function target<V>(e: Emitter<V>): V {
  const a = e.read(0);
  return e.form.operands[0]?.kind === "J" ? e.add(e.next(), a) : a;
}

const jmp: Semantics = (e) => e.jump(target(e));

const jcc: Semantics = (e) => {
  const to = target(e);
  e.when(condition(e, e.i.opcode & 15), () => e.jump(to));
};

const call: Semantics = (e) => {
  const to = target(e);
  e.jump(to);
  push(e, e.next());
};

const ret: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const to = peek(e, width);
  e.jump(to);
  if (e.form.operands.length === 0) return dropBytes(e, width / 8);
  const wide = e.stackWidth();
  const arguments_ = e.zeroExtend(e.read(0), wide);
  const top = e.add(e.register(SP, wide), e.constant(width / 8, wide));
  e.setRegister(SP, e.add(top, arguments_));
};

/** LOOP, LOOPE, LOOPNE: counts rCX of the address size down. */
function loop(equal: boolean | undefined): Semantics {
  return (e) => {
    const to = target(e);
    const wide = e.i.addressSize as Width;
    const count = e.sub(e.register(1, wide), e.constant(1, wide));
    const zero = e.equal(count, e.constant(0, wide));
    const more = e.not(zero);
    const condition = equal === undefined
      ? more
      : e.and(more, equal ? e.flag(ZF) : e.not(e.flag(ZF)));
    e.when(condition, () => e.jump(to));
    e.setRegister(1, count);
  };
}

const jcxz: Semantics = (e) => {
  const to = target(e);
  const wide = e.i.addressSize as Width;
  e.when(e.equal(e.register(1, wide), e.constant(0, wide)), () => e.jump(to));
};

const undefinedInstruction: Semantics = (e) => e.fault("#UD");

/** BOUND: #BR unless an index is within two signed bounds in memory. */
const bound: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const wide = e.i.addressSize as Width;
  const index = e.read(0);
  const at = e.address();
  const lower = e.load(e.i.segment, at, width);
  const upper = e.load(e.i.segment, e.add(at, e.constant(width / 8, wide)), width);
  e.fault("#BR", e.or(e.less(index, lower), e.less(upper, index)));
};

/** What is described here, by mnemonic or by the name that a row has for it. */
export const controlSemantics: Readonly<Record<string, Semantics>> = {
  ...{ jmp, jcc, call, ret, jcxz, bound },
  ...{ loop: loop(undefined), loope: loop(true), loopne: loop(false) },
  ...{ ud0: undefinedInstruction, ud1: undefinedInstruction, ud2: undefinedInstruction },
};
