/**
 * Moving data: registers, memory, stack, flags, strings; and decimal arithmetic
 * on the accumulator.
 *
 * Source: Intel SDM vol. 2, "Operation" and "Flags Affected" of each.
 *
 * @module
 */

import { condition } from "./conditions.ts";
import { AF, CF, DF, type Emitter, OF, PF, type Semantics, SF, type Width, ZF } from "./emitter.ts";

const mov: Semantics = (e) => e.write(0, e.read(1));

/** MOV from a segment register: 16 bits to memory, zero-extended to a register. */
const movFromSegment: Semantics = (e) => {
  const selector = e.read(1);
  const width = e.i.operandSize as Width;
  e.write(0, e.i.isMemory || width === 16 ? selector : e.zeroExtend(selector, width));
};

const lea: Semantics = (e) => {
  const address = e.address();
  const width = e.i.operandSize as Width;
  e.write(0, e.width(address) < width ? e.zeroExtend(address, width) : e.truncate(address, width));
};

/** MOVZX, MOVSX, MOVSXD. */
function extend(signed: boolean): Semantics {
  return (e) => {
    const a = e.read(1);
    const width = e.i.operandSize as Width;
    if (e.width(a) === width) e.write(0, a);
    else e.write(0, signed ? e.signExtend(a, width) : e.zeroExtend(a, width));
  };
}

const xchg: Semantics = (e) => {
  const a = e.update(0);
  const b = e.read(1);
  // Memory first: it may fault. Of a register with itself nothing changes, but
  // 32 bits clear those above.
  e.write(0, b);
  e.write(1, a);
};

const bswap: Semantics = (e) => {
  const a = e.read(0);
  const width = e.width(a);
  // Undefined for 16 bits; Intel's processors then store zero.
  if (width === 16) return e.write(0, e.constant(0, 16));
  let swapped = e.constant(0, width);
  for (let at = 0; at < width; at += 8) {
    const byte = e.and(e.shr(a, e.constant(at, width)), e.constant(0xff, width));
    swapped = e.or(swapped, e.shl(byte, e.constant(width - 8 - at, width)));
  }
  e.write(0, swapped);
};

const movbe: Semantics = (e) => {
  const a = e.read(1);
  const width = e.width(a);
  let swapped = e.constant(0, width);
  for (let at = 0; at < width; at += 8) {
    const byte = e.and(e.shr(a, e.constant(at, width)), e.constant(0xff, width));
    swapped = e.or(swapped, e.shl(byte, e.constant(width - 8 - at, width)));
  }
  e.write(0, swapped);
};

const cmovcc: Semantics = (e) => {
  // Memory is read in any case, and 32 bits clear those above in any case.
  const [a, b] = [e.read(0), e.read(1)];
  e.write(0, e.select(condition(e, e.i.opcode & 15), b, a));
};

const setcc: Semantics = (e) => {
  e.write(0, e.zeroExtend(condition(e, e.i.opcode & 15), 8));
};

/** CBW, CWDE, CDQE. */
const cbw: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  e.setRegister(0, e.signExtend(e.register(0, width / 2 as Width), width));
};

/** CWD, CDQ, CQO. */
const cwd: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  e.setRegister(2, e.sar(e.register(0, width), e.constant(width - 1, width)));
};

/** The stack segment. */
const SS = 2;
/** The stack pointer's number. */
export const SP = 4;

/** Pushes a value; SP moves when memory has it. */
export function push<V>(e: Emitter<V>, value: V): void {
  const wide = e.stackWidth();
  const at = e.sub(e.register(SP, wide), e.constant(e.width(value) / 8, wide));
  e.store(SS, at, value);
  e.setRegister(SP, at);
}

/** What stands at the top of the stack, or some bytes below; SP stays. */
export function peek<V>(e: Emitter<V>, width: Width, above = 0): V {
  const wide = e.stackWidth();
  const sp = e.register(SP, wide);
  return e.load(SS, above === 0 ? sp : e.add(sp, e.constant(above, wide)), width);
}

/** Moves SP up. */
export function dropBytes<V>(e: Emitter<V>, bytes: number): void {
  const wide = e.stackWidth();
  e.setRegister(SP, e.add(e.register(SP, wide), e.constant(bytes, wide)));
}

const pushOperand: Semantics = (e) => {
  const a = e.read(0);
  const width = e.i.operandSize as Width;
  if (width === 32 && e.form.operands[0]?.kind === "fixed") {
    // A segment register: the stack pointer moves by four, two bytes are written.
    const wide = e.stackWidth();
    const at = e.sub(e.register(SP, wide), e.constant(4, wide));
    e.store(SS, at, a);
    return e.setRegister(SP, at);
  }
  push(e, e.width(a) < width ? e.zeroExtend(a, width) : a);
};

const pop: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const a = peek(e, width);
  if (e.i.isMemory) {
    e.writeAfterPop(a, width / 8);
    dropBytes(e, width / 8);
  } else {
    // POP rSP: what was popped stays.
    dropBytes(e, width / 8);
    e.write(0, a);
  }
};

/** PUSHA, PUSHAD. */
const pusha: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const wide = e.stackWidth();
  const top = e.register(SP, wide);
  let at = top;
  for (let n = 0; n < 8; n++) {
    at = e.sub(at, e.constant(width / 8, wide));
    e.store(SS, at, e.register(n, width));
  }
  e.setRegister(SP, at);
};

/** POPA, POPAD: the stack pointer's place is passed over. */
const popa: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const values = Array.from({ length: 8 }, (_, n) => peek(e, width, n * width / 8));
  dropBytes(e, width);
  for (const [n, value] of values.entries()) if (7 - n !== SP) e.setRegister(7 - n, value);
};

/** ENTER: a frame, with pointers to the frames around it for levels above 0. */
const enter: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const wide = e.stackWidth();
  const size = e.constant(width / 8, wide);
  const level = e.i.immediate2 & 31;
  const frame = e.sub(e.register(SP, wide), size);
  e.store(SS, frame, e.register(5, width));
  let at = frame;
  let outer = e.register(5, wide);
  for (let n = 1; n < level; n++) {
    outer = e.sub(outer, size);
    at = e.sub(at, size);
    e.store(SS, at, e.load(SS, outer, width));
  }
  const pointer = width > wide ? e.zeroExtend(frame, width) : e.truncate(frame, width);
  if (level > 0) {
    at = e.sub(at, size);
    e.store(SS, at, pointer);
  }
  const top = e.sub(at, e.zeroExtend(e.read(0), wide));
  // The new top must be writable, though nothing is written.
  e.loadForStore(SS, top, width);
  e.setRegister(5, pointer);
  e.setRegister(SP, top);
};

const leave: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const wide = e.stackWidth();
  const frame = e.register(5, wide);
  const value = e.load(SS, frame, width);
  e.setRegister(SP, e.add(frame, e.constant(width / 8, wide)));
  e.setRegister(5, value);
};

/** Whether a flags image is of 16, 32 or 64 bits, and what of it POPF loads. */
const popfMask = 0x247fd5;

const pushf: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  // RF and VM are stored as zero.
  const image = e.and(e.flagsRegister(), e.constant(0xfcffff, 64));
  push(e, width === 64 ? image : e.truncate(image, width));
};

const popf: Semantics = (e) => {
  const width = e.i.operandSize as Width;
  const image = peek(e, width);
  const wide = width === 64 ? image : e.zeroExtend(image, 64);
  e.setFlagsRegister(wide, width === 16 ? popfMask & 0xffff : popfMask);
  dropBytes(e, width / 8);
};

const lahf: Semantics = (e) => e.setAh(e.truncate(e.flagsRegister(), 8));

const sahf: Semantics = (e) => {
  const ah = e.ah();
  for (const flag of [CF, PF, AF, ZF, SF]) {
    const shift = e.constant(31 - Math.clz32(flag), 8);
    e.setFlag(flag, e.truncate(e.shr(ah, shift), 1));
  }
};

const clearFlag = (flag: number): Semantics => (e) => e.setFlag(flag, e.constant(0, 1));
const setFlag = (flag: number): Semantics => (e) => e.setFlag(flag, e.constant(1, 1));
const cmc: Semantics = (e) => e.setFlag(CF, e.not(e.flag(CF)));

const salc: Semantics = (e) => e.setRegister(0, e.signExtend(e.flag(CF), 8));

const xlat: Semantics = (e) => e.setRegister(0, e.read(0));

/** RDTSC. */
const rdtsc: Semantics = (e) => {
  const time = e.timeStamp();
  e.setRegister(0, e.truncate(time, 32));
  e.setRegister(2, e.truncate(e.shr(time, e.constant(32, 64)), 32));
};

const nothing: Semantics = () => {};

/** The distance from one element to the next, by DF. */
function step<V>(e: Emitter<V>, bytes: number): V {
  const wide = e.i.addressSize as Width;
  return e.select(e.flag(DF), e.constant(-bytes, wide), e.constant(bytes, wide));
}

/** Moves rSI or rDI to the next element. */
function advance<V>(e: Emitter<V>, register: number, by: V): void {
  e.setRegister(register, e.add(e.register(register, e.width(by)), by));
}

/** The source index, the destination index and the segment of the latter. */
const SI = 6;
const DI = 7;
const ES = 0;

/** Width of a string's elements: of its operand in memory. */
function elementWidth<V>(e: Emitter<V>): Width {
  const [first, second] = e.form.operands;
  const size = (first?.kind === "X" || first?.kind === "Y" ? first : second)?.size;
  return size === "b" ? 8 : e.i.operandSize as Width;
}

const movs: Semantics = (e) => {
  const width = elementWidth(e);
  const wide = e.i.addressSize as Width;
  e.repeat(() => {
    e.store(ES, e.register(DI, wide), e.load(e.i.segment, e.register(SI, wide), width));
    const by = step(e, width / 8);
    advance(e, SI, by);
    advance(e, DI, by);
  }, false);
};

const stos: Semantics = (e) => {
  const width = elementWidth(e);
  e.repeat(() => {
    e.store(ES, e.register(DI, e.i.addressSize as Width), e.register(0, width));
    advance(e, DI, step(e, width / 8));
  }, false);
};

const lods: Semantics = (e) => {
  const width = elementWidth(e);
  e.repeat(() => {
    e.setRegister(0, e.load(e.i.segment, e.register(SI, e.i.addressSize as Width), width));
    advance(e, SI, step(e, width / 8));
  }, false);
};

const cmps: Semantics = (e) => {
  const width = elementWidth(e);
  const wide = e.i.addressSize as Width;
  e.repeat(() => {
    const a = e.load(e.i.segment, e.register(SI, wide), width);
    const b = e.load(ES, e.register(DI, wide), width);
    const by = step(e, width / 8);
    advance(e, SI, by);
    advance(e, DI, by);
    e.flagsOfDifference(a, b, e.sub(a, b));
  }, true);
};

const scas: Semantics = (e) => {
  const width = elementWidth(e);
  e.repeat(() => {
    const a = e.register(0, width);
    const b = e.load(ES, e.register(DI, e.i.addressSize as Width), width);
    advance(e, DI, step(e, width / 8));
    e.flagsOfDifference(a, b, e.sub(a, b));
  }, true);
};

/** DAA and DAS: decimal adjust AL after addition or subtraction. */
function decimalAdjust(subtract: boolean): Semantics {
  return (e) => {
    const al = e.register(0, 8);
    const old = e.flag(CF);
    const low = e.or(
      e.flag(AF),
      e.below(e.constant(9, 8), e.and(al, e.constant(15, 8))),
    );
    const high = e.or(old, e.below(e.constant(0x99, 8), al));
    const none = e.constant(0, 8);
    const six = e.select(low, e.constant(6, 8), none);
    const sixty = e.select(high, e.constant(0x60, 8), none);
    const by = e.add(six, sixty);
    const result = subtract ? e.sub(al, by) : e.add(al, by);
    e.setRegister(0, result);
    e.flagsOfResult(result);
    // DAS carries as well when taking six borrows.
    const borrows = subtract ? e.below(al, six) : e.constant(0, 1);
    e.setFlag(CF, e.or(high, borrows));
    e.setFlag(AF, low);
    // Undefined; Intel's processors clear it.
    e.setFlag(OF, e.constant(0, 1));
    e.undefinedFlags(OF);
  };
}

/** AAA and AAS: adjust AL to a digit and carry into AH. */
function asciiAdjust(subtract: boolean): Semantics {
  return (e) => {
    const ax = e.register(0, 16);
    const al = e.truncate(ax, 8);
    const over = e.or(
      e.flag(AF),
      e.below(e.constant(9, 8), e.and(al, e.constant(15, 8))),
    );
    const by = e.select(over, e.constant(0x106, 16), e.constant(0, 16));
    const adjusted = subtract ? e.sub(ax, by) : e.add(ax, by);
    e.setRegister(0, e.and(adjusted, e.constant(0xff0f, 16)));
    // OF, SF, ZF and PF are undefined; Intel's processors set them by AL, and
    // clear OF.
    e.flagsOfResult(e.register(0, 8));
    e.setFlag(OF, e.constant(0, 1));
    e.setFlag(CF, over);
    e.setFlag(AF, over);
    e.undefinedFlags(OF | SF | ZF | PF);
  };
}

const aam: Semantics = (e) => {
  const base = e.read(0);
  const { low, high } = e.divWide(e.constant(0, 8), e.register(0, 8), base, false);
  e.setAh(low);
  e.setRegister(0, high);
  e.flagsOfResult(high);
  // Undefined; Intel's processors clear them.
  for (const flag of [OF, AF, CF]) e.setFlag(flag, e.constant(0, 1));
  e.undefinedFlags(OF | AF | CF);
};

const aad: Semantics = (e) => {
  const product = e.mul(e.ah(), e.read(0));
  const before = e.register(0, 8);
  const al = e.add(before, product);
  e.setRegister(0, e.zeroExtend(al, 16));
  // OF, AF and CF are undefined; Intel's processors set them as of the sum.
  e.flagsOfSum(before, product, al);
  e.undefinedFlags(OF | AF | CF);
};

/** What is described here, by mnemonic or by the name that a row has for it. */
export const moveSemantics: Readonly<Record<string, Semantics>> = {
  ...{
    mov,
    mov_from_seg: movFromSegment,
    lea,
    movzx: extend(false),
    movsx: extend(true),
    movsxd: extend(true),
    movnti: mov,
  },
  ...{ xchg, bswap, movbe, cmovcc, setcc, cbw, cwd },
  ...{ push: pushOperand, pop, pusha, popa, enter, leave, pushf, popf, lahf, sahf },
  ...{ clc: clearFlag(CF), stc: setFlag(CF), cld: clearFlag(DF), std: setFlag(DF), cmc, salc },
  ...{ rdtsc, xlat, movs, stos, lods, cmps, scas },
  ...{ daa: decimalAdjust(false), das: decimalAdjust(true) },
  ...{ aaa: asciiAdjust(false), aas: asciiAdjust(true), aam, aad },
  ...{ nop: nothing, pause: nothing, endbr32: nothing, endbr64: nothing },
  ...{ prefetchw: nothing, prefetchwt1: nothing, prefetchnta: nothing },
  ...{ prefetcht0: nothing, prefetcht1: nothing, prefetcht2: nothing, cldemote: nothing },
  ...{ lfence: nothing, mfence: nothing, sfence: nothing },
};
