/**
 * Far JMP and far CALL: to code, through call gates, to tasks.
 *
 * Source: Intel SDM vol. 2, "JMP" and "CALL", Operation; vol. 3A, 5.8.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";
import {
  attribute,
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
  hasParagraphs,
  isCanonical,
  isCode,
  isConforming,
  isNull,
  isPresent,
  limitOf,
  markAccessed,
  memory16,
  offsetBehind,
  requireDescriptor,
  setCode,
  setParagraph,
  systemType,
  systemTypeOf,
  tableWord,
} from "./segments.ts";
import {
  InnerStack,
  longStack,
  longStackPointer,
  peek,
  presentStack,
  type PushSize,
  setNullStack,
  SP,
} from "./stack.ts";
import { raiseTrap, switchTask } from "./tasks.ts";

const { CS, SS } = segmentNumbers;

/** The selector of the operand `Ap` or `Mp`. */
function farSelector(cpu: Processor, i: Instruction): number {
  return i.isMemory ? memory16(cpu, i, i.operandSize / 8) : i.immediate2 & 0xffff;
}

/** Its offset: of 16 or 32 bits unsigned, of 64 signed. */
function farOffset(cpu: Processor, i: Instruction): number {
  if (!i.isMemory) return i.operandSize === 16 ? i.immediate & 0xffff : i.immediate >>> 0;
  const bytes = i.operandSize / 8;
  const at = cpu.linear(i.segment, offsetBehind(cpu, i, 0), bytes, false);
  const low = cpu.mmu.load(at, bytes === 2 ? 2 : 4);
  return bytes === 8 ? (cpu.mmu.load(at + 4, 4) | 0) * 0x1_0000_0000 + low : low;
}

/**
 * #GP(0) unless execution can go on at an offset of a segment of code: within
 * its limit, or if it is 64-bit code canonical.
 */
export function requireTarget(
  cpu: Processor,
  offset: number,
  low: number,
  high: number,
  external = 0,
): void {
  const is64 = cpu.isLong && (attributesOf(high) & attribute.long) !== 0;
  const fits = is64 ? isCanonical(offset) : offset >= 0 && offset <= limitOf(low, high);
  if (!fits) throw generalProtection(external);
}

/** Whether a segment of code is of 32 and of 64 bits at once, which long mode has not. */
export function isNoCodeSize(cpu: Processor, attributes: number): boolean {
  const both = attribute.long | attribute.big;
  return cpu.isLong && (attributes & both) === both;
}

/** JMP or CALL where selectors are paragraphs. */
function toParagraph(cpu: Processor, i: Instruction, calls: boolean): void {
  const selector = farSelector(cpu, i);
  const offset = farOffset(cpu, i);
  const limit = cpu.isVirtual8086 ? 0xffff : cpu.segments[CS].limit;
  if (offset > limit) throw generalProtection();
  if (calls) pushReturn(cpu, i.operandSize / 8 as PushSize);
  setParagraph(cpu, CS, selector);
  cpu.refresh();
  cpu.nextRip = offset;
}

/** Pushes CS and the next instruction's offset on the present stack. */
function pushReturn(cpu: Processor, size: PushSize): void {
  const stack = presentStack(cpu);
  stack.reserve(2, size);
  stack.push(cpu.segments[CS].selector);
  stack.push(cpu.nextRip);
  stack.commit();
}

/** JMP or CALL in protected mode. */
function transfer(cpu: Processor, i: Instruction, calls: boolean): void {
  const selector = farSelector(cpu, i);
  const offset = farOffset(cpu, i);
  if (isNull(selector)) throw generalProtection();
  const at = requireDescriptor(cpu, selector, vectors.GP);
  const low = tableWord(cpu, at);
  const high = tableWord(cpu, at + 4);
  const attributes = attributesOf(high);
  if ((attributes & attribute.s) === 0) return toSystem(cpu, selector, at, low, high, calls);

  const dpl = dplOf(attributes);
  const allowed = isCode(attributes) && !isNoCodeSize(cpu, attributes) &&
    (isConforming(attributes) ? dpl <= cpu.cpl : dpl === cpu.cpl && (selector & 3) <= cpu.cpl);
  if (!allowed) throw blame(vectors.GP, selector);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector);
  requireTarget(cpu, offset, low, high);
  markAccessed(cpu, at, high);
  if (calls) pushReturn(cpu, i.operandSize / 8 as PushSize);
  enter(cpu, selector & 0xfffc | cpu.cpl, low, high, offset);
}

/** Loads CS and goes on at an offset of it. */
function enter(cpu: Processor, selector: number, low: number, high: number, offset: number): void {
  setCode(cpu, selector, low, high);
  cpu.refresh();
  cpu.nextRip = offset;
}

/** JMP or CALL to a gate or to a task. */
function toSystem(
  cpu: Processor,
  selector: number,
  at: number,
  low: number,
  high: number,
  calls: boolean,
): void {
  const attributes = attributesOf(high);
  const type = systemTypeOf(attributes);
  const dpl = dplOf(attributes);
  const isTask = type === systemType.taskGate || type === systemType.tss ||
    type === systemType.tss16;
  const isGate = type === systemType.callGate || (type === systemType.callGate16 && !cpu.isLong);
  if (!(isGate || (isTask && !cpu.isLong)) || dpl < cpu.cpl || dpl < (selector & 3)) {
    throw blame(vectors.GP, selector);
  }
  if (isGate) return toGate(cpu, selector, at, low, high, calls);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector);
  const task = type === systemType.taskGate ? low >>> 16 : selector;
  raiseTrap(cpu, switchTask(cpu, task, calls ? "call" : "jump", cpu.nextRip, vectors.GP));
}

/** JMP or CALL through a call gate. */
function toGate(
  cpu: Processor,
  gate: number,
  at: number,
  low: number,
  high: number,
  calls: boolean,
): void {
  const long = cpu.isLong;
  const wide = systemTypeOf(attributesOf(high)) === systemType.callGate;
  if (long) {
    // Its descriptor has 16 bytes, and where a second one would have its type there is none.
    if (findDescriptor(cpu, gate, 16) === -1) throw blame(vectors.GP, gate);
    if ((tableWord(cpu, at + 12) & 0x1f00) !== 0) throw blame(vectors.GP, gate);
  }
  if (!isPresent(attributesOf(high))) throw blame(vectors.NP, gate);
  const selector = low >>> 16;
  let offset = wide ? (high & 0xffff_0000 | low & 0xffff) >>> 0 : low & 0xffff;
  if (long) offset += (tableWord(cpu, at + 8) | 0) * 0x1_0000_0000;

  if (isNull(selector)) throw generalProtection();
  const code = requireDescriptor(cpu, selector, vectors.GP);
  const codeLow = tableWord(cpu, code);
  const codeHigh = tableWord(cpu, code + 4);
  const attributes = attributesOf(codeHigh);
  const { cpl } = cpu;
  const dpl = dplOf(attributes);
  if (!isCode(attributes) || dpl > cpl) throw blame(vectors.GP, selector);
  if (long && (attributes & (attribute.long | attribute.big)) !== attribute.long) {
    throw blame(vectors.GP, selector);
  }
  const inner = !isConforming(attributes) && dpl < cpl;
  if (inner && !calls) throw blame(vectors.GP, selector);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector);

  const size = long ? 8 : wide ? 4 : 2;
  if (inner) {
    callInner(cpu, dpl, size, high & 31, () => {
      requireTarget(cpu, offset, codeLow, codeHigh);
      markAccessed(cpu, code, codeHigh);
    });
    return enter(cpu, selector & 0xfffc | dpl, codeLow, codeHigh, offset);
  }
  requireTarget(cpu, offset, codeLow, codeHigh);
  markAccessed(cpu, code, codeHigh);
  if (calls) pushReturn(cpu, size);
  enter(cpu, selector & 0xfffc | cpl, codeLow, codeHigh, offset);
}

/**
 * Goes over to the stack of a more privileged level, with the way back and as
 * many of the old stack's values as the gate says.
 *
 * @param last What is still to be checked when there is room.
 */
function callInner(
  cpu: Processor,
  level: number,
  size: PushSize,
  count: number,
  last: () => void,
): void {
  const { selector } = cpu.segments[SS];
  const { selector: code } = cpu.segments[CS];
  if (size === 8) {
    const stack = longStack(cpu, longStackPointer(cpu, level), "supervisor");
    stack.reserve(4, 8);
    last();
    stack.push(selector);
    stack.pushRegister(SP);
    stack.push(code);
    stack.push(cpu.nextRip);
    setNullStack(cpu, level);
    return stack.commit();
  }
  const stack = InnerStack.of(cpu, level);
  stack.reserve(4 + count, size);
  const parameters = Array.from({ length: count }, (_, n) => peek(cpu, n * size, size));
  last();
  stack.push(selector);
  stack.pushRegister(SP);
  for (const value of parameters.reverse()) stack.push(value);
  stack.push(code);
  stack.push(cpu.nextRip);
  stack.commit();
}

function far(calls: boolean): SystemSemantics {
  return (cpu: Processor, i: Instruction, _form: Form) =>
    hasParagraphs(cpu) ? toParagraph(cpu, i, calls) : transfer(cpu, i, calls);
}

/** Far JMP and CALL. */
export const farSemantics: Readonly<Record<string, SystemSemantics>> = {
  jmp_far: far(false),
  call_far: far(true),
};
