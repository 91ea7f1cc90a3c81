/**
 * What programs and kernels ask and tell about protection: LAR, LSL, VERR, VERW,
 * ARPL, and the registers that hold tables and the task.
 *
 * Source: Intel SDM vol. 2, Operation of each; vol. 3A, 5.10.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import {
  attribute,
  eflag,
  generalProtection,
  type Processor,
  segmentNumbers,
  type SystemSemantics,
  vectors,
} from "../processor.ts";
import {
  attributesOf,
  blame,
  dplOf,
  findDescriptor,
  isCanonical,
  isCode,
  isConforming,
  isNull,
  isPresent,
  limitOf,
  offsetBehind,
  operand16,
  requireDescriptor,
  setNull,
  systemType,
  systemTypeOf,
  tableWord,
} from "./segments.ts";
import { setTable } from "./tasks.ts";

const { LDTR, TR } = segmentNumbers;

/** System types that LAR and LSL know, as bits; in long mode those of 16 bits are none. */
const bits = (types: readonly number[]) => types.reduce((mask, type) => mask | 1 << type, 0);
const segmentsOfTasks = [systemType.tss, systemType.busyTss, systemType.ldt];
const limited = (long: boolean) =>
  bits(long ? segmentsOfTasks : [...segmentsOfTasks, systemType.tss16, systemType.busyTss16]);
const readableRights = (long: boolean) => {
  const { callGate, callGate16, taskGate } = systemType;
  return limited(long) | bits(long ? [callGate] : [callGate, callGate16, taskGate]);
};

function setZero(cpu: Processor, zero: boolean): void {
  cpu.eflags = zero ? cpu.eflags | eflag.ZF : cpu.eflags & ~eflag.ZF;
}

/** Where a descriptor is that a program may ask about; -1: there is none, or it may not. */
function visible(cpu: Processor, selector: number): number {
  if (isNull(selector)) return -1;
  const at = findDescriptor(cpu, selector);
  if (at === -1) return -1;
  const attributes = attributesOf(tableWord(cpu, at + 4));
  if (isCode(attributes) && isConforming(attributes)) return at;
  const dpl = dplOf(attributes);
  return dpl < cpu.cpl || dpl < (selector & 3) ? -1 : at;
}

/** LAR and LSL: something of a descriptor, and ZF if it may be had. */
function ask(types: (long: boolean) => number, answer: (low: number, high: number) => number) {
  const semantics: SystemSemantics = (cpu, i) => {
    const at = visible(cpu, operand16(cpu, i));
    const high = at === -1 ? 0 : tableWord(cpu, at + 4);
    const type = systemTypeOf(attributesOf(high));
    // Code and data have bit 4 set, S.
    const isKnown = at !== -1 && (type > 15 || (types(cpu.isLong) >> type & 1) !== 0);
    if (isKnown) cpu.setAddress(i.reg, answer(tableWord(cpu, at), high), i.operandSize);
    setZero(cpu, isKnown);
  };
  return semantics;
}

/** VERR and VERW: whether a segment can be read, or written. */
function verify(write: boolean): SystemSemantics {
  return (cpu, i) => {
    const at = visible(cpu, operand16(cpu, i));
    const attributes = at === -1 ? 0 : attributesOf(tableWord(cpu, at + 4));
    const may = (attributes & attribute.writable) !== 0;
    const fits = write ? !isCode(attributes) && may : !isCode(attributes) || may;
    setZero(cpu, (attributes & attribute.s) !== 0 && fits);
  };
}

const arpl: SystemSemantics = (cpu, i) => {
  const source = cpu.low(i.reg) & 3;
  if (!i.isMemory) {
    const selector = cpu.low(i.rm) & 0xffff;
    const lower = (selector & 3) < source;
    if (lower) cpu.setAddress(i.rm, selector & ~3 | source, 16);
    return setZero(cpu, lower);
  }
  const at = cpu.linear(i.segment, offsetBehind(cpu, i, 0), 2, true);
  cpu.mmu.requireStore(at, 2);
  const selector = cpu.mmu.load(at, 2);
  const lower = (selector & 3) < source;
  if (lower) cpu.mmu.store(at, 2, selector & ~3 | source);
  setZero(cpu, lower);
};

/** SLDT and STR: 16 bits to memory, zero-extended to a register. */
function storeSelector(number: 6 | 7): SystemSemantics {
  return (cpu, i) => {
    const { selector } = cpu.segments[number];
    if (!i.isMemory) return cpu.setAddress(i.rm, selector, i.operandSize);
    cpu.mmu.store(cpu.linear(i.segment, offsetBehind(cpu, i, 0), 2, true), 2, selector);
  };
}

/**
 * LLDT and LTR: a descriptor of the GDT, in long mode of 16 bytes.
 *
 * @param types Types that fit.
 * @returns Its words.
 */
function systemDescriptor(cpu: Processor, selector: number, types: readonly number[]) {
  if ((selector & 4) !== 0) throw blame(vectors.GP, selector);
  const at = requireDescriptor(cpu, selector, vectors.GP);
  const low = tableWord(cpu, at);
  const high = tableWord(cpu, at + 4);
  const attributes = attributesOf(high);
  const { isLong } = cpu;
  if (isLong && findDescriptor(cpu, selector, 16) === -1) throw blame(vectors.GP, selector);
  if (!types.includes(systemTypeOf(attributes))) throw blame(vectors.GP, selector);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector);
  let top = 0;
  if (isLong) {
    top = (tableWord(cpu, at + 8) | 0) * 0x1_0000_0000;
    const isSecond = (tableWord(cpu, at + 12) & 0x1f00) === 0;
    // The upper half decides: a canonical one leaves the whole so.
    if (!isSecond || !isCanonical(top)) throw blame(vectors.GP, selector);
  }
  return { at, low, high, top };
}

const lldt: SystemSemantics = (cpu, i) => {
  const selector = operand16(cpu, i);
  if (isNull(selector)) return setNull(cpu.segments[LDTR], selector);
  const { low, high, top } = systemDescriptor(cpu, selector, [systemType.ldt]);
  setTable(cpu, LDTR, selector, low, high);
  cpu.segments[LDTR].base += top;
};

const ltr: SystemSemantics = (cpu, i) => {
  const selector = operand16(cpu, i);
  if (isNull(selector)) throw generalProtection();
  const types = cpu.isLong ? [systemType.tss] : [systemType.tss, systemType.tss16];
  const { at, low, high, top } = systemDescriptor(cpu, selector, types);
  const busy = high | 0x200;
  cpu.mmu.store(at + 5, 1, busy >>> 8 & 0xff, "supervisor");
  setTable(cpu, TR, selector, low, busy);
  cpu.segments[TR].base += top;
};

type TableRegister = "gdtr" | "idtr";

/** SGDT and SIDT: the limit, and behind it all of the base, whatever the operand size. */
function storeTable(name: TableRegister): SystemSemantics {
  return (cpu, i) => {
    const { base, limit } = cpu[name];
    const bytes = cpu.mode === 64 ? 8 : 4;
    const at = cpu.linear(i.segment, offsetBehind(cpu, i, 0), 2, true);
    const behind = cpu.linear(i.segment, offsetBehind(cpu, i, 2), bytes, true);
    cpu.mmu.requireStore(at, 2);
    cpu.mmu.requireStore(behind, bytes);
    cpu.mmu.store(at, 2, limit);
    cpu.mmu.store(behind, 4, base >>> 0);
    if (bytes === 8) cpu.mmu.store(behind + 4, 4, Math.floor(base / 0x1_0000_0000) >>> 0);
  };
}

/** LGDT and LIDT: with an operand size of 16 bits the base has 24. */
function loadTable(name: TableRegister): SystemSemantics {
  return (cpu, i) => {
    const { limit, base } = tableOperand(cpu, i);
    if (!isCanonical(base)) throw generalProtection();
    cpu[name].limit = limit;
    cpu[name].base = base;
  };
}

function tableOperand(cpu: Processor, i: Instruction): { limit: number; base: number } {
  const is64 = cpu.mode === 64;
  const at = cpu.linear(i.segment, offsetBehind(cpu, i, 0), 2, false);
  const behind = cpu.linear(i.segment, offsetBehind(cpu, i, 2), is64 ? 8 : 4, false);
  const limit = cpu.mmu.load(at, 2);
  const low = cpu.mmu.load(behind, 4);
  if (is64) return { limit, base: (cpu.mmu.load(behind + 4, 4) | 0) * 0x1_0000_0000 + low };
  return { limit, base: i.operandSize === 16 ? low & 0xff_ffff : low };
}

/** Asking and telling about protection. */
export const protectionSemantics: Readonly<Record<string, SystemSemantics>> = {
  lar: ask(readableRights, (_low, high) => high & 0xf0_ff00),
  lsl: ask(limited, limitOf),
  ...{ verr: verify(false), verw: verify(true), arpl, lldt, ltr },
  ...{ sldt: storeSelector(LDTR), str: storeSelector(TR) },
  ...{ sgdt: storeTable("gdtr"), sidt: storeTable("idtr") },
  ...{ lgdt: loadTable("gdtr"), lidt: loadTable("idtr") },
};
