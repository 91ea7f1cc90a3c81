/**
 * Far RET and IRET: back to code of the same or a less privileged level, to
 * virtual-8086 mode, to the task before.
 *
 * Source: Intel SDM vol. 2, "RET" and "IRET/IRETD/IRETQ", Operation; vol. 3B,
 * 20.2.3 (leaving virtual-8086 mode) and 20.3.3 (virtual interrupts).
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import {
  attribute,
  cr4Bits,
  eflag,
  generalProtection,
  type Processor,
  segmentNumbers,
  type SystemSemantics,
  vectors,
} from "../processor.ts";
import { isNoCodeSize, requireTarget } from "./far.ts";
import {
  attributesOf,
  blame,
  dplOf,
  hasParagraphs,
  isCode,
  isConforming,
  isNull,
  isPresent,
  markAccessed,
  requireDescriptor,
  requireStack,
  setCode,
  setNull,
  setParagraph,
  setRegister64,
  setSegment,
  setVirtual,
  tableWord,
} from "./segments.ts";
import { peek, type PushSize, SP, stackAddress } from "./stack.ts";
import { returnFromTask } from "./tasks.ts";

const { ES, CS, SS, DS, FS, GS } = segmentNumbers;

/** Flags that any program may change. */
const common = eflag.CF | eflag.PF | eflag.AF | eflag.ZF | eflag.SF | eflag.TF | eflag.DF |
  eflag.OF | eflag.NT;

/**
 * Those of them beyond the low 16 bits. RF holds off breakpoints for one
 * instruction; where there are none, it would only be left standing.
 */
function wideCommon(cpu: Processor): number {
  return cpu.debug[7] === 0x400n ? eflag.AC | eflag.ID : eflag.AC | eflag.ID | eflag.RF;
}

/** Loads the flags that a mask names. */
export function loadFlags(cpu: Processor, value: number, mask: number): void {
  cpu.eflags = cpu.eflags & ~mask | value & mask;
}

/** The selector that stands behind an offset of some size on the stack. */
function peekSelector(cpu: Processor, size: PushSize): number {
  return peek(cpu, size, size === 8 ? 4 : size) & 0xffff;
}

/**
 * Goes back in protected mode: to code whose offset and selector were on the
 * stack, and to a stack of its own if one stands behind them.
 *
 * @param popsStack Whether the stack is popped although the level stays.
 * @param stackAt Where above the top offset and selector of the outer stack stand.
 * @param released By how much the stack pointer moves if it stays on this stack.
 * @param dropped By how much the outer stack pointer moves on.
 */
function returnTo(
  cpu: Processor,
  size: PushSize,
  offset: number,
  selector: number,
  popsStack: boolean,
  stackAt: number,
  released: number,
  dropped: number,
): void {
  if (isNull(selector)) throw generalProtection();
  const at = requireDescriptor(cpu, selector, vectors.GP);
  const low = tableWord(cpu, at);
  const high = tableWord(cpu, at + 4);
  const attributes = attributesOf(high);
  const level = selector & 3;
  const dpl = dplOf(attributes);
  const allowed = isCode(attributes) && level >= cpu.cpl &&
    (isConforming(attributes) ? dpl <= level : dpl === level) && !isNoCodeSize(cpu, attributes);
  if (!allowed) throw blame(vectors.GP, selector);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector);

  const outer = level > cpu.cpl;
  if (!outer && !popsStack) {
    requireTarget(cpu, offset, low, high);
    markAccessed(cpu, at, high);
    const width = cpu.stackWidth;
    cpu.setAddress(SP, cpu.address(SP, width) + released, width);
  } else {
    const place = stackAddress(cpu, stackAt, size);
    const pointer = cpu.mmu.load(place, size === 2 ? 2 : 4);
    const pointerHigh = size === 8 ? cpu.mmu.load(place + 4, 4) : 0;
    const stack = peek(cpu, stackAt + size, size === 8 ? 4 : size) & 0xffff;
    const to64 = cpu.isLong && (attributes & attribute.long) !== 0;
    if (isNull(stack)) {
      if (!to64 || level === 3 || (stack & 3) !== level) throw generalProtection();
      requireTarget(cpu, offset, low, high);
      markAccessed(cpu, at, high);
      setNull(cpu.segments[SS], stack);
    } else {
      const stackDescriptor = requireStack(cpu, stack, level, vectors.GP);
      const stackLow = tableWord(cpu, stackDescriptor);
      const stackHigh = tableWord(cpu, stackDescriptor + 4);
      requireTarget(cpu, offset, low, high);
      markAccessed(cpu, at, high);
      markAccessed(cpu, stackDescriptor, stackHigh);
      setSegment(cpu.segments[SS], stack, stackLow, stackHigh);
    }
    const is32 = (cpu.segments[SS].attributes & attribute.big) !== 0;
    if (!to64) cpu.setAddress(SP, pointer + dropped, is32 ? 32 : 16);
    else {
      setRegister64(cpu, SP, pointer, pointerHigh);
      if (dropped !== 0) cpu.setAddress(SP, cpu.address(SP, 64) + dropped, 64);
    }
  }
  setCode(cpu, selector, low, high);
  if (outer) dropInnerSegments(cpu);
  cpu.refresh();
  cpu.nextRip = offset;
}

/** Makes null what of ES, DS, FS and GS the less privileged level could not have loaded. */
function dropInnerSegments(cpu: Processor): void {
  dropInner(cpu, ES);
  dropInner(cpu, DS);
  dropInner(cpu, FS);
  dropInner(cpu, GS);
}

function dropInner(cpu: Processor, number: number): void {
  const segment = cpu.segments[number as 0];
  const { attributes } = segment;
  if ((attributes & attribute.unusable) !== 0 || isNull(segment.selector)) return;
  if (isCode(attributes) && isConforming(attributes)) return;
  if (dplOf(attributes) < cpu.cpl) setNull(segment, 0);
}

const retFar: SystemSemantics = (cpu, i, form) => {
  const size = i.operandSize / 8 as PushSize;
  const extra = form.operands.length > 0 ? i.immediate & 0xffff : 0;
  const offset = peek(cpu, 0, size);
  const selector = peekSelector(cpu, size);
  const released = 2 * size + extra;
  if (!hasParagraphs(cpu)) {
    return returnTo(cpu, size, offset, selector, false, released, released, extra);
  }
  if (offset > paragraphLimit(cpu)) throw generalProtection();
  toParagraph(cpu, selector, offset, released);
};

/** The last offset that code of a paragraph may have. */
function paragraphLimit(cpu: Processor): number {
  return cpu.isVirtual8086 ? 0xffff : cpu.segments[CS].limit;
}

function toParagraph(cpu: Processor, selector: number, offset: number, released: number): void {
  const width = cpu.stackWidth;
  cpu.setAddress(SP, cpu.address(SP, width) + released, width);
  setParagraph(cpu, CS, selector);
  cpu.refresh();
  cpu.nextRip = offset;
}

const iret: SystemSemantics = (cpu, i) => {
  if (hasParagraphs(cpu)) iretParagraph(cpu, i);
  else iretProtected(cpu, i);
  cpu.nmiBlocked = false;
};

/** IRET in real and virtual-8086 mode. */
function iretParagraph(cpu: Processor, i: Instruction): void {
  const size = i.operandSize / 8 as PushSize;
  const isVirtual = cpu.isVirtual8086;
  const isTrusted = !isVirtual || cpu.iopl === 3;
  if (!isTrusted && (size !== 2 || (cpu.cr4 & cr4Bits.VME) === 0)) throw generalProtection();
  const offset = peek(cpu, 0, size);
  const selector = peekSelector(cpu, size);
  const flags = peek(cpu, 2 * size, size);
  if (offset > paragraphLimit(cpu)) throw generalProtection();
  if (!isTrusted) requireVirtualFlags(cpu, flags);
  toParagraph(cpu, selector, offset, 3 * size);
  if (!isTrusted) return setVirtualFlags(cpu, flags);
  const mask = common | eflag.IF | (isVirtual ? 0 : eflag.IOPL) |
    (size === 2 ? 0 : wideCommon(cpu));
  loadFlags(cpu, flags, mask);
}

/** #GP(0) if flags that a virtual-8086 program loads need the monitor. */
export function requireVirtualFlags(cpu: Processor, flags: number): void {
  const pending = (cpu.eflags & eflag.VIP) !== 0;
  if ((flags & eflag.TF) !== 0 || (pending && (flags & eflag.IF) !== 0)) throw generalProtection();
}

/** Loads 16 bits of flags with the interrupt flag's virtual image in VIF. */
export function setVirtualFlags(cpu: Processor, flags: number): void {
  const image = (flags & eflag.IF) !== 0 ? flags | eflag.VIF : flags & ~eflag.VIF;
  loadFlags(cpu, image, common | eflag.VIF);
}

/** IRET in protected and long mode. */
function iretProtected(cpu: Processor, i: Instruction): void {
  const old = cpu.eflags;
  if ((old & eflag.NT) !== 0) {
    if (cpu.isLong) throw generalProtection();
    return returnFromTask(cpu);
  }
  const size = i.operandSize / 8 as PushSize;
  const offset = peek(cpu, 0, size);
  const selector = peekSelector(cpu, size);
  const flags = peek(cpu, 2 * size, size === 8 ? 4 : size);
  const { cpl, iopl } = cpu;
  if (size === 4 && (flags & eflag.VM) !== 0 && cpl === 0 && !cpu.isLong) {
    return toVirtual8086(cpu, flags);
  }
  // 64-bit mode always pops the stack.
  returnTo(cpu, size, offset, selector, cpu.mode === 64, 3 * size, 3 * size, 0);
  let mask = common;
  if (size !== 2) mask |= wideCommon(cpu);
  if (cpl <= iopl) mask |= eflag.IF;
  if (cpl === 0) mask |= size === 2 ? eflag.IOPL : eflag.IOPL | eflag.VIF | eflag.VIP;
  loadFlags(cpu, flags, mask);
}

/** IRETD of level 0 into virtual-8086 mode. */
function toVirtual8086(cpu: Processor, flags: number): void {
  const word = (n: number) => peek(cpu, 4 * n, 4);
  const [offset, code] = [word(0), word(1)];
  const [pointer, stack] = [word(3), word(4)];
  const others = [[ES, word(5)], [DS, word(6)], [FS, word(7)], [GS, word(8)]] as const;
  if (offset > 0xffff) throw generalProtection();
  cpu.eflags = flags;
  setVirtual(cpu.segments[CS], code & 0xffff);
  setVirtual(cpu.segments[SS], stack & 0xffff);
  for (const [number, selector] of others) setVirtual(cpu.segments[number], selector & 0xffff);
  cpu.cpl = 3;
  cpu.setAddress(SP, pointer, 32);
  cpu.refresh();
  cpu.nextRip = offset;
}

/** Far RET and IRET. */
export const returnSemantics: Readonly<Record<string, SystemSemantics>> = { retf: retFar, iret };
