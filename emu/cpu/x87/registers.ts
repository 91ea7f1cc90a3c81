/**
 * The x87 unit's registers: the stack and its tags, control and status word, and
 * the pointers to the last instruction; see {@link "../layout.ts"} for where
 * they lie.
 *
 * Where models differ we follow Intel's Ice Lake server: the last operand and
 * opcode are kept only by instructions that raised an unmasked exception, and
 * the selectors of either pointer are zero (CPUID leaf 7, EBX bits 6 and 13).
 *
 * Source: Intel SDM vol. 1, 8.1.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import * as at from "../layout.ts";
import { cr0Bits, Fault, type Processor, vectors } from "../processor.ts";
import { type Environment, type Extended, indefinite, raised } from "./extended.ts";

/** Bits of the status word beyond the exceptions. */
export const statusBits = {
  /** Stack fault: the invalid operation was one of the stack. */
  SF: 0x40,
  /** An exception waits that is not masked. */
  ES: 0x80,
  ...{ C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000 },
  /** Once: busy. A copy of ES since the 80387. */
  B: 0x8000,
} as const;
const { SF, ES, C0, C1, C2, C3, B } = statusBits;
/** The four condition bits. */
export const conditions: number = C0 | C1 | C2 | C3;

const CONTROL = at.FPU_CONTROL >> 2;
const STATUS = at.FPU_STATUS >> 2;
const TOP = at.FPU_TOP >> 2;
const TAGS = at.FPU_TAGS >> 2;

/**
 * What every waiting instruction does first: #NM if the unit is to be emulated
 * or another task's, #MF if an exception waits that is not masked.
 *
 * With CR0.NE clear the board is told instead, as by the processor's FERR# pin,
 * and the instruction goes on as if IGNNE# were asserted.
 */
export function x87Available(cpu: Processor): void {
  if ((cpu.cr0 & (cr0Bits.EM | cr0Bits.TS)) !== 0) throw new Fault(vectors.NM);
  if (((cpu.words[STATUS] as number) & ES) !== 0) pendingError(cpu);
}

/** The same for those that do not wait: #NM alone. */
export function x87Present(cpu: Processor): void {
  if ((cpu.cr0 & (cr0Bits.EM | cr0Bits.TS)) !== 0) throw new Fault(vectors.NM);
}

/** What FWAIT does: #NM if both TS and MP say so, then as others. */
export function x87Wait(cpu: Processor): void {
  const { TS, MP } = cr0Bits;
  if ((cpu.cr0 & (TS | MP)) === (TS | MP)) throw new Fault(vectors.NM);
  if (((cpu.words[STATUS] as number) & ES) !== 0) pendingError(cpu);
}

/** An exception waits: #MF, or the interrupt of a PC's board. */
function pendingError(cpu: Processor): void {
  if ((cpu.cr0 & cr0Bits.NE) !== 0) throw new Fault(vectors.MF);
  cpu.devices.floatingPointError?.();
}

/** The control word. */
export const controlOf = (cpu: Processor): number => cpu.words[CONTROL] as number;

/** The status word, TOP and all. */
export const statusOf = (cpu: Processor): number =>
  (cpu.words[STATUS] as number) | (cpu.words[TOP] as number) << 11;

/** Sets the control word; bits that there are none of stay as they are wired. */
export function setControl(cpu: Processor, value: number): void {
  cpu.words[CONTROL] = value & 0x1f3f | 0x40;
  summarize(cpu);
}

/** Sets the status word, and TOP by it; its summary follows from masks and exceptions. */
export function setStatus(cpu: Processor, value: number): void {
  cpu.words[STATUS] = value & (conditions | 0x7f);
  cpu.words[TOP] = value >> 11 & 7;
  summarize(cpu);
}

/** Clears the exceptions and their summary. */
export function clearExceptions(cpu: Processor): void {
  cpu.words[STATUS] = (cpu.words[STATUS] as number) & conditions;
}

/** Makes ES and B what exceptions and masks make them. */
function summarize(cpu: Processor): void {
  const status = cpu.words[STATUS] as number;
  const waits = (status & ~(cpu.words[CONTROL] as number) & 0x3f) !== 0;
  cpu.words[STATUS] = waits ? status | ES | B : status & ~(ES | B);
}

/** The tags, abridged: bit n is set where physical register n holds something. */
export const tagsOf = (cpu: Processor): number => cpu.words[TAGS] as number;
/** Sets them. */
export function setTags(cpu: Processor, tags: number): void {
  cpu.words[TAGS] = tags & 0xff;
}

/** What FNINIT leaves. */
export function initialize(cpu: Processor): void {
  const { words } = cpu;
  words[CONTROL] = 0x37f;
  words[STATUS] = 0;
  words[TOP] = 0;
  words[TAGS] = 0;
  for (let n = at.FPU_OPCODE; n < at.FPU_DP + 8; n += 4) words[n >> 2] = 0;
}

/** The physical register that ST(i) is. */
const physical = (cpu: Processor, i: number) => (cpu.words[TOP] as number) + i & 7;

/** Whether ST(i) is empty. */
export const isEmpty = (cpu: Processor, i: number): boolean =>
  ((cpu.words[TAGS] as number) >> physical(cpu, i) & 1) === 0;

/** What is in ST(i), empty or not. */
export function stackRegister(cpu: Processor, i: number): Extended {
  const where = at.FPU_REGISTERS + 16 * physical(cpu, i);
  const high = cpu.view.getUint16(where + 8, true);
  return {
    sign: high >> 15,
    exponent: high & 0x7fff,
    significand: cpu.view.getBigUint64(where, true),
  };
}

/** Sets ST(i), which is not empty then. */
export function setStackRegister(cpu: Processor, i: number, value: Extended): void {
  const register = physical(cpu, i);
  const where = at.FPU_REGISTERS + 16 * register;
  cpu.view.setBigUint64(where, value.significand, true);
  cpu.view.setUint16(where + 8, value.sign << 15 | value.exponent, true);
  cpu.words[TAGS] = (cpu.words[TAGS] as number) | 1 << register;
}

/** Makes ST(i) empty; what is in it stays. */
export function free(cpu: Processor, i: number): void {
  cpu.words[TAGS] = (cpu.words[TAGS] as number) & ~(1 << physical(cpu, i));
}

/** Turns the stack: TOP is so much more. */
export function rotate(cpu: Processor, by: number): void {
  cpu.words[TOP] = physical(cpu, by);
}

/** Makes ST(0) empty and goes on to the next. */
export function pop(cpu: Processor): void {
  free(cpu, 0);
  rotate(cpu, 1);
}

/** Goes back to a register, and sets it. */
export function push(cpu: Processor, value: Extended): void {
  rotate(cpu, -1);
  setStackRegister(cpu, 0, value);
}

/** Keeps the instruction's address, as all that are not about control do. */
export function remember(cpu: Processor): void {
  cpu.words[at.FPU_IP >> 2] = cpu.words[at.RIP >> 2] as number;
  cpu.words[at.FPU_IP + 4 >> 2] = cpu.words[at.RIP + 4 >> 2] as number;
}

/** How to compute, as the control word says. */
export function environmentOf(cpu: Processor): Environment {
  const control = controlOf(cpu);
  const bits = control >> 8 & 3;
  return {
    rounding: control >> 10 & 3,
    precision: bits === 0 ? 24 : bits === 2 ? 53 : 64,
    masks: control & 0x3f,
    flags: 0,
    denormal: false,
    up: false,
  };
}

/** The answer to an operand that is not there: the stack underflows. */
export function underflow(env: Environment): Extended {
  env.flags = raised.IE | SF;
  env.up = false;
  return indefinite;
}

/** The answer where there is no room: the stack overflows. */
export function overflow(env: Environment): Extended {
  env.flags = raised.IE | SF;
  env.up = true;
  return indefinite;
}

/** Exceptions that are found before there is a result: unmasked, there is none. */
export const before: number = raised.IE | raised.DE | raised.ZE;

/**
 * Takes exceptions and C1 to the status word. Of an instruction that is kept
 * from its result only what kept it is told.
 *
 * @param blocking Which exceptions, if not masked, keep the instruction from its
 *   result; of those that store to memory all but precision.
 * @returns Whether the result is to be stored.
 */
export function settle(
  cpu: Processor,
  i: Instruction,
  env: Environment,
  blocking: number = before,
): boolean {
  let { flags } = env;
  const blocked = (flags & ~env.masks & blocking) !== 0;
  let { up } = env;
  if (blocked) {
    // What is not stored is not inexact, either.
    flags &= (flags & ~env.masks & before) !== 0 ? before | SF : ~raised.PE;
    if ((flags & SF) === 0) up = false;
  }
  let status = (cpu.words[STATUS] as number) & ~C1 | flags;
  if (up) status |= C1;
  if ((flags & ~env.masks & 0x3f) !== 0) {
    status |= ES | B;
    keepOperand(cpu, i);
  }
  cpu.words[STATUS] = status;
  return !blocked;
}

/** Sets C0, C2 and C3; C1 is as it is. */
export function setConditions(cpu: Processor, bits: number): void {
  cpu.words[STATUS] = (cpu.words[STATUS] as number) & ~(C0 | C2 | C3) | bits;
}

/** Sets C1, and nothing else. */
export function setC1(cpu: Processor): void {
  cpu.words[STATUS] = (cpu.words[STATUS] as number) | C1;
}

/** Clears C1, and nothing else. */
export function clearC1(cpu: Processor): void {
  cpu.words[STATUS] = (cpu.words[STATUS] as number) & ~C1;
}

/** Keeps opcode and operand of an instruction that raised an unmasked exception. */
function keepOperand(cpu: Processor, i: Instruction): void {
  cpu.words[at.FPU_OPCODE >> 2] = opcodeAt(cpu, i);
  if (!i.isMemory) return;
  const offset = cpu.offset(i);
  cpu.words[at.FPU_DP >> 2] = offset;
  cpu.words[at.FPU_DP + 4 >> 2] = Math.floor(offset / 0x1_0000_0000);
}

/** The eleven bits that tell an x87 instruction, read again behind its prefixes. */
function opcodeAt(cpu: Processor, i: Instruction): number {
  const offset = cpu.rip;
  const start = cpu.mode === 64 ? offset : cpu.segments[1].base + offset;
  const byte = (n: number) =>
    cpu.mmu.physicalLoad(cpu.mmu.code(cpu.mode === 64 ? start + n : start + n >>> 0), 1);
  let n = 0;
  while (n < i.length - 2 && (byte(n) & 0xf8) !== 0xd8) n++;
  return (byte(n) & 7) << 8 | byte(n + 1);
}
