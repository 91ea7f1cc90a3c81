/**
 * Instructions on normal numbers, the quick way: what x87 code does in its loops,
 * with exceptions masked and rounding as FNINIT leaves it.
 *
 * Each function does its instruction and answers true, or answers false and has
 * changed nothing; then instructions.ts does it by its plain description. Memory
 * may fault in either.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import * as at from "../layout.ts";
import { cr0Bits, type Processor, type SystemSemantics } from "../processor.ts";
import * as fast from "./fast.ts";
import { onwards, operandAddress } from "./operands.ts";

/** Does an instruction, or answers false. */
export type Quick = (cpu: Processor, i: Instruction) => boolean;

/** Arithmetic on two numbers of three words each; see fast.ts. */
type Operation = typeof fast.add;

const CONTROL = at.FPU_CONTROL >> 2;
const STATUS = at.FPU_STATUS >> 2;
const TOP = at.FPU_TOP >> 2;
const TAGS = at.FPU_TAGS >> 2;
const REGISTERS = at.FPU_REGISTERS >> 2;
const IP = at.FPU_IP >> 2;
const RIP = at.RIP >> 2;

/** The unit is there and no exception waits. */
function isReady(cpu: Processor): boolean {
  return (cpu.cr0 & (cr0Bits.EM | cr0Bits.TS)) === 0 &&
    ((cpu.words[STATUS] as number) & 0x80) === 0;
}

/** Rounding to nearest, of 64 bits, and inexact results are masked. */
const roundsPlainly = (cpu: Processor) => ((cpu.words[CONTROL] as number) & 0xf20) === 0x320;
/** Rounding to nearest, and inexact results are masked. */
const storesPlainly = (cpu: Processor) => ((cpu.words[CONTROL] as number) & 0xc20) === 0x20;

/** Whether physical register n holds something. */
const holds = (cpu: Processor, n: number) => ((cpu.words[TAGS] as number) >> n & 1) !== 0;

/** Ends an instruction: its address is kept, C1 cleared. */
function finish(cpu: Processor): void {
  const { words } = cpu;
  words[IP] = words[RIP] as number;
  words[IP + 1] = words[RIP + 1] as number;
  words[STATUS] = (words[STATUS] as number) & ~0x200;
}

/** The same, telling how the last result was rounded. */
function finishRounded(cpu: Processor): void {
  const { words } = cpu;
  words[IP] = words[RIP] as number;
  words[IP + 1] = words[RIP + 1] as number;
  const { inexact, up } = fast.result;
  words[STATUS] = (words[STATUS] as number) & ~0x200 | (inexact ? 0x20 : 0) | (up ? 0x200 : 0);
}

/** Puts the result into physical register n, which holds something already. */
function setResult(cpu: Processor, n: number): void {
  const { words } = cpu;
  const where = REGISTERS + 4 * n;
  words[where] = fast.result.low;
  words[where + 1] = fast.result.high;
  words[where + 2] = fast.result.top;
}

/** Pushes the result; there is room. */
function pushResult(cpu: Processor): void {
  const n = (cpu.words[TOP] as number) - 1 & 7;
  cpu.words[TOP] = n;
  cpu.words[TAGS] = (cpu.words[TAGS] as number) | 1 << n;
  setResult(cpu, n);
}

/** Pops so many registers. */
function popped(cpu: Processor, count: number): void {
  const { words } = cpu;
  for (let n = 0; n < count; n++) {
    const top = words[TOP] as number;
    words[TAGS] = (words[TAGS] as number) & ~(1 << top);
    words[TOP] = top + 1 & 7;
  }
}

/** Takes the memory operand of arithmetic or a load into the result. */
function loaded(cpu: Processor, i: Instruction, isWhole: boolean): boolean {
  const { opcode } = i;
  if (isWhole) {
    if (opcode === 0xda || opcode === 0xdb) {
      return fast.fromWhole32(cpu.mmu.load(operandAddress(cpu, i, 4, false), 4) | 0);
    }
    if (opcode === 0xdf && (i.reg & 7) >= 5) {
      const address = operandAddress(cpu, i, 8, false);
      const low = cpu.mmu.load(address, 4);
      return fast.fromWhole64(cpu.mmu.load(onwards(cpu, address, 4), 4) | 0, low | 0);
    }
    return fast.fromWhole32(cpu.mmu.load(operandAddress(cpu, i, 2, false), 2) << 16 >> 16);
  }
  if (opcode === 0xd8 || opcode === 0xd9) {
    return fast.fromSingle(cpu.mmu.load(operandAddress(cpu, i, 4, false), 4) | 0);
  }
  const address = operandAddress(cpu, i, 8, false);
  const low = cpu.mmu.load(address, 4);
  return fast.fromDouble(cpu.mmu.load(onwards(cpu, address, 4), 4) | 0, low | 0);
}

/** The four operations, on the stack or with memory. */
export function quickBinary(
  operation: Operation,
  reversed: boolean,
  isWhole: boolean,
  pops: boolean,
): Quick {
  return (cpu, i) => {
    if (!isReady(cpu) || !roundsPlainly(cpu)) return false;
    const { words } = cpu;
    const top = words[TOP] as number;
    let to = top;
    let [high, low, end] = [0, 0, 0];
    if (i.isMemory) {
      if (!holds(cpu, to) || !loaded(cpu, i, isWhole)) return false;
      ({ high, low, top: end } = fast.result);
    } else {
      let from = top + i.rm & 7;
      if (i.opcode !== 0xd8) [to, from] = [from, to];
      if (!holds(cpu, to) || !holds(cpu, from)) return false;
      const where = REGISTERS + 4 * from;
      low = words[where] as number;
      high = words[where + 1] as number;
      end = words[where + 2] as number;
    }
    const where = REGISTERS + 4 * to;
    const [al, ah, ae] = [words[where], words[where + 1], words[where + 2]] as [
      ...[number, number, number],
    ];
    const isDone = reversed
      ? operation(high, low, end, ah, al, ae)
      : operation(ah, al, ae, high, low, end);
    if (!isDone) return false;
    setResult(cpu, to);
    finishRounded(cpu);
    if (pops) popped(cpu, 1);
    return true;
  };
}

/** FSQRT. */
export const quickRoot: Quick = (cpu) => {
  const { words } = cpu;
  const top = words[TOP] as number;
  if (!isReady(cpu) || !roundsPlainly(cpu) || !holds(cpu, top)) return false;
  const where = REGISTERS + 4 * top;
  const [low, high, end] = [words[where], words[where + 1], words[where + 2]] as [
    ...[number, number, number],
  ];
  if (!fast.root(high, low, end)) return false;
  setResult(cpu, top);
  finishRounded(cpu);
  return true;
};

/** FCMOVcc: moves if of the flags named one is set, or none. */
export function quickMove(flags: number, isSet: boolean): Quick {
  return (cpu, i) => {
    const { words } = cpu;
    const top = words[TOP] as number;
    const from = top + i.rm & 7;
    if (!isReady(cpu) || !holds(cpu, top) || !holds(cpu, from)) return false;
    words[IP] = words[RIP] as number;
    words[IP + 1] = words[RIP + 1] as number;
    if (((cpu.eflags & flags) !== 0) !== isSet) return true;
    for (let n = 0; n < 3; n++) {
      words[REGISTERS + 4 * top + n] = words[REGISTERS + 4 * from + n] as number;
    }
    return true;
  };
}

/** a - b. */
export const subtract: Operation = (ah, al, ae, bh, bl, be) =>
  fast.add(ah, al, ae, bh, bl, be ^ 0x8000);

/** A number that compares: normal, or zero. */
const isPlain = (high: number, low: number, end: number) => {
  const exponent = end & 0x7fff;
  return exponent === 0 ? (high | low) === 0 : high < 0 && exponent !== 0x7fff;
};

/** Comparisons, which tell in C0, C2 and C3, or in EFLAGS. */
export function quickCompare(pops: number, toFlags: boolean, isWhole = false): Quick {
  return (cpu, i) => {
    if (!isReady(cpu)) return false;
    const { words } = cpu;
    const top = words[TOP] as number;
    if (!holds(cpu, top)) return false;
    let [bl, bh, be] = [0, 0, 0];
    if (i.isMemory) {
      if (!loaded(cpu, i, isWhole)) return false;
      ({ high: bh, low: bl, top: be } = fast.result);
    } else {
      const from = top + (pops === 2 ? 1 : i.rm) & 7;
      if (!holds(cpu, from)) return false;
      const where = REGISTERS + 4 * from;
      bl = words[where] as number;
      bh = words[where + 1] as number;
      be = words[where + 2] as number;
    }
    const where = REGISTERS + 4 * top;
    const [al, ah, ae] = [words[where], words[where + 1], words[where + 2]] as [
      ...[number, number, number],
    ];
    if (!isPlain(ah, al, ae) || !isPlain(bh, bl, be)) return false;
    let order: number;
    if ((ah | bh) === 0) order = 0;
    else if (((ae ^ be) & 0x8000) !== 0) order = (ae & 0x8000) !== 0 ? -1 : 1;
    else {
      if (ae !== be) order = (ae & 0x7fff) < (be & 0x7fff) ? -1 : 1;
      else if (ah === bh && al === bl) order = 0;
      else order = fast.isBelow(ah, al, bh, bl) ? -1 : 1;
      if ((ae & 0x8000) !== 0) order = -order;
    }
    words[IP] = words[RIP] as number;
    words[IP + 1] = words[RIP + 1] as number;
    if (toFlags) cpu.eflags = cpu.eflags & ~0x8d5 | (order < 0 ? 1 : order === 0 ? 0x40 : 0);
    else {
      words[STATUS] = (words[STATUS] as number) & ~0x4700 |
        (order < 0 ? 0x100 : order === 0 ? 0x4000 : 0);
    }
    popped(cpu, pops);
    return true;
  };
}

/** Whether a push finds room. */
const hasRoom = (cpu: Processor) => !holds(cpu, (cpu.words[TOP] as number) - 1 & 7);

/** FLD of every width, and of a register. */
export const quickLoad: Quick = (cpu, i) => {
  if (!isReady(cpu) || !hasRoom(cpu)) return false;
  if (!i.isMemory) {
    const n = (cpu.words[TOP] as number) + i.rm & 7;
    if (!holds(cpu, n)) return false;
    const where = REGISTERS + 4 * n;
    const { words } = cpu;
    fast.exactly(words[where + 1] as number, words[where] as number, words[where + 2] as number);
  } else if (i.opcode === 0xdb) {
    const address = operandAddress(cpu, i, 10, false);
    const low = cpu.mmu.load(address, 4);
    const high = cpu.mmu.load(onwards(cpu, address, 4), 4);
    fast.exactly(high, low, cpu.mmu.load(onwards(cpu, address, 8), 2));
  } else if (!loaded(cpu, i, false)) return false;
  finish(cpu);
  pushResult(cpu);
  return true;
};

/** FILD. */
export const quickLoadWhole: Quick = (cpu, i) => {
  if (!isReady(cpu) || !hasRoom(cpu) || !loaded(cpu, i, true)) return false;
  finish(cpu);
  pushResult(cpu);
  return true;
};

/** FLD1 and FLDZ. */
export function quickConstant(high: number, end: number): Quick {
  return (cpu) => {
    if (!isReady(cpu) || !hasRoom(cpu)) return false;
    fast.exactly(high, 0, end);
    finish(cpu);
    pushResult(cpu);
    return true;
  };
}

/** Writes two halves; a page that is missing faults before either is written. */
function storeHalves(cpu: Processor, address: number, high: number, low: number): void {
  const next = onwards(cpu, address, 4);
  if ((address & 0xfff) > 0xff8) cpu.mmu.requireStore(address, 8);
  cpu.mmu.store(address, 4, low >>> 0);
  cpu.mmu.store(next, 4, high >>> 0);
}

/** FST and FSTP. */
export function quickStore(pops: boolean): Quick {
  return (cpu, i) => {
    const { words } = cpu;
    const top = words[TOP] as number;
    if (!isReady(cpu) || !holds(cpu, top)) return false;
    const where = REGISTERS + 4 * top;
    const [low, high, end] = [words[where], words[where + 1], words[where + 2]] as [
      ...[number, number, number],
    ];
    if (!i.isMemory) {
      const n = top + i.rm & 7;
      fast.exactly(high, low, end);
      words[TAGS] = (words[TAGS] as number) | 1 << n;
      setResult(cpu, n);
    } else if (i.opcode === 0xdb) {
      const address = operandAddress(cpu, i, 10, true);
      if ((address & 0xfff) > 0xff6) cpu.mmu.requireStore(address, 10);
      storeHalves(cpu, address, high, low);
      cpu.mmu.store(onwards(cpu, address, 8), 2, end & 0xffff);
      fast.result.inexact = false;
      fast.result.up = false;
    } else {
      if (!storesPlainly(cpu)) return false;
      if (i.opcode === 0xd9) {
        if (!fast.toSingle(high, low, end)) return false;
        cpu.mmu.store(operandAddress(cpu, i, 4, true), 4, fast.result.low >>> 0);
      } else {
        if (!fast.toDouble(high, low, end)) return false;
        const { high: upper, low: lower } = fast.result;
        storeHalves(cpu, operandAddress(cpu, i, 8, true), upper, lower);
      }
    }
    finishRounded(cpu);
    if (pops) popped(cpu, 1);
    return true;
  };
}

/** FIST, FISTP and FISTTP, of every width and way to round. */
export function quickStoreWhole(pops: boolean, chops: boolean): Quick {
  return (cpu, i) => {
    const { words } = cpu;
    const top = words[TOP] as number;
    const control = words[CONTROL] as number;
    if (!isReady(cpu) || !holds(cpu, top) || (control & 0x20) === 0) return false;
    const where = REGISTERS + 4 * top;
    const [low, high, end] = [words[where], words[where + 1], words[where + 2]] as [
      ...[number, number, number],
    ];
    if (!fast.toWhole(high, low, end, chops ? 3 : control >> 10 & 3)) return false;
    const { high: upper, low: lower } = fast.result;
    const isWide = i.opcode === 0xdd || i.opcode === 0xdf && (i.reg & 7) >= 5;
    if (isWide) storeHalves(cpu, operandAddress(cpu, i, 8, true), upper, lower);
    else if (upper !== lower >> 31) return false;
    else if (i.opcode === 0xdb) cpu.mmu.store(operandAddress(cpu, i, 4, true), 4, lower >>> 0);
    else if (lower !== lower << 16 >> 16) return false;
    else cpu.mmu.store(operandAddress(cpu, i, 2, true), 2, lower & 0xffff);
    finishRounded(cpu);
    if (pops) popped(cpu, 1);
    return true;
  };
}

/** FXCH. */
export const quickExchange: Quick = (cpu, i) => {
  const { words } = cpu;
  const top = words[TOP] as number;
  const other = top + i.rm & 7;
  if (!isReady(cpu) || !holds(cpu, top) || !holds(cpu, other)) return false;
  const [a, b] = [REGISTERS + 4 * top, REGISTERS + 4 * other];
  for (let n = 0; n < 3; n++) {
    const kept = words[a + n] as number;
    words[a + n] = words[b + n] as number;
    words[b + n] = kept;
  }
  finish(cpu);
  return true;
};

/** FCHS and FABS: what becomes of the sign. */
export function quickSign(keeps: number, changes: number): Quick {
  return (cpu) => {
    const { words } = cpu;
    const top = words[TOP] as number;
    if (!isReady(cpu) || !holds(cpu, top)) return false;
    const where = REGISTERS + 4 * top + 2;
    words[where] = (words[where] as number) & keeps ^ changes;
    finish(cpu);
    return true;
  };
}

/** An instruction the quick way if that goes, else by its description. */
export function quickly(quick: Quick, plain: SystemSemantics): SystemSemantics {
  return (cpu, i, form) => {
    if (!quick(cpu, i)) plain(cpu, i, form);
  };
}

const operations: readonly (readonly [name: string, Operation, reversed: boolean])[] = [
  ["add", fast.add, false],
  ["sub", subtract, false],
  ["subr", subtract, true],
  ["mul", fast.multiply, false],
  ["div", fast.divide, false],
  ["divr", fast.divide, true],
];

/** The quick ways by semantic name. */
export const quickSemantics: Readonly<Record<string, Quick>> = {
  ...Object.fromEntries(
    operations.flatMap(([name, operation, reversed]) => [
      [`f${name}`, quickBinary(operation, reversed, false, false)],
      [`f${name}p`, quickBinary(operation, reversed, false, true)],
      [`fi${name}`, quickBinary(operation, reversed, true, false)],
    ]),
  ),
  fcom: quickCompare(0, false),
  fcomp: quickCompare(1, false),
  fcompp: quickCompare(2, false),
  fucom: quickCompare(0, false),
  fucomp: quickCompare(1, false),
  fucompp: quickCompare(2, false),
  ficom: quickCompare(0, false, true),
  ficomp: quickCompare(1, false, true),
  fcomi: quickCompare(0, true),
  fcomip: quickCompare(1, true),
  fucomi: quickCompare(0, true),
  fucomip: quickCompare(1, true),
  fld: quickLoad,
  fild: quickLoadWhole,
  fld1: quickConstant(-0x8000_0000, 0x3fff),
  fldz: quickConstant(0, 0),
  fst: quickStore(false),
  fstp: quickStore(true),
  fist: quickStoreWhole(false, false),
  fistp: quickStoreWhole(true, false),
  fisttp: quickStoreWhole(true, true),
  fxch: quickExchange,
  fsqrt: quickRoot,
  fcmovb: quickMove(1, true),
  fcmove: quickMove(0x40, true),
  fcmovbe: quickMove(0x41, true),
  fcmovu: quickMove(4, true),
  fcmovnb: quickMove(1, false),
  fcmovne: quickMove(0x40, false),
  fcmovnbe: quickMove(0x41, false),
  fcmovnu: quickMove(4, false),
  fchs: quickSign(0xffff, 0x8000),
  fabs: quickSign(0x7fff, 0),
};
