/**
 * Segment descriptors, and loading segment registers in every mode.
 *
 * A descriptor is taken as its two words: `low`, bytes 0 to 3, and `high`, bytes
 * 4 to 7. What a segment is comes from `attributesOf(high)`, in the bits that
 * {@link attribute} names. Tables are read with supervisor's rights whatever the
 * privilege level.
 *
 * Source: Intel SDM vol. 3A, 3.4.5, 3.5 and chapter 5; vol. 2, "MOV", "POP" and
 * "LDS"; for real mode vol. 3B, 21.1.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import { REGISTERS } from "../layout.ts";
import {
  attribute,
  Fault,
  generalProtection,
  type Processor,
  type Segment,
  segmentNumbers,
  type SystemSemantics,
  vectors,
} from "../processor.ts";

const { CS, SS, LDTR } = segmentNumbers;

/** Type of a system descriptor; those of 32 bits are those of 64 in long mode. */
export const systemType = {
  ...{ tss16: 1, ldt: 2, busyTss16: 3, callGate16: 4, taskGate: 5, interruptGate16: 6 },
  ...{ trapGate16: 7, tss: 9, busyTss: 11, callGate: 12, interruptGate: 14, trapGate: 15 },
} as const;

/** An exception that blames a selector; `external` is 1 if an event from outside led to it. */
export function blame(vector: number, selector: number, external = 0): Fault {
  return new Fault(vector, selector & 0xfffc | external);
}

/** Whether a selector stands for no segment. */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** An address in a system table: of 32 bits, or in long mode canonical. */
export function tableAddress(cpu: Processor, base: number, offset: number): number {
  return cpu.isLong ? base + offset : base + offset >>> 0;
}

/** Reads 32 bits of a system table. */
export function tableWord(cpu: Processor, address: number): number {
  return cpu.mmu.load(address, 4, "supervisor");
}

/** Reads 64 bits of a system table as an address. */
export function tableAddress64(cpu: Processor, address: number): number {
  const low = tableWord(cpu, address);
  return (tableWord(cpu, address + 4) | 0) * 0x1_0000_0000 + low;
}

/** Whether so many bytes at an address of 64 bits are all canonical. */
export function isCanonical(address: number, bytes = 1): boolean {
  const top = 0x8000_0000_0000;
  return address >= 0 ? address + bytes <= top : address >= -top && address + bytes <= 0;
}

/**
 * Linear address of the descriptor that a selector names; -1 if no table has it.
 *
 * @param bytes How long the descriptor is: 8, of long mode's system descriptors 16.
 */
export function findDescriptor(cpu: Processor, selector: number, bytes = 8): number {
  const offset = selector & 0xfff8;
  if ((selector & 4) !== 0) {
    const { base, limit, attributes } = cpu.segments[LDTR];
    if ((attributes & attribute.unusable) !== 0 || offset + bytes - 1 > limit) return -1;
    return tableAddress(cpu, base, offset);
  }
  return offset + bytes - 1 > cpu.gdtr.limit ? -1 : tableAddress(cpu, cpu.gdtr.base, offset);
}

/** The same, for a selector that must name one. */
export function requireDescriptor(
  cpu: Processor,
  selector: number,
  vector: number,
  external = 0,
): number {
  const at = findDescriptor(cpu, selector);
  if (at === -1) throw blame(vector, selector, external);
  return at;
}

/** Base of 32 bits. */
export function baseOf(low: number, high: number): number {
  return (low >>> 16 | high << 16 & 0xff_0000 | high & 0xff00_0000) >>> 0;
}

/** The last offset, granularity applied. */
export function limitOf(low: number, high: number): number {
  const limit = low & 0xffff | high & 0xf_0000;
  return (high & 0x80_0000) === 0 ? limit : (limit << 12 | 0xfff) >>> 0;
}

/** The bits that {@link attribute} names. */
export function attributesOf(high: number): number {
  return high >>> 8 & 0xf0ff;
}

/** Privilege level of a descriptor. */
export function dplOf(attributes: number): number {
  return attributes >> attribute.dplShift & 3;
}

/** Whether it is there. */
export function isPresent(attributes: number): boolean {
  return (attributes & attribute.present) !== 0;
}

/** Whether it is a segment of code. */
export function isCode(attributes: number): boolean {
  const bits = attribute.s | attribute.code;
  return (attributes & bits) === bits;
}

/** Whether code may be entered from less privileged levels, which it then runs at; of code only. */
export function isConforming(attributes: number): boolean {
  return (attributes & attribute.expandDown) !== 0;
}

/** Whether it is data that can be written, as a stack must be. */
export function isWritableData(attributes: number): boolean {
  const bits = attribute.s | attribute.writable;
  return (attributes & (bits | attribute.code)) === bits;
}

/** The type of a system descriptor, or of what is none a number above 15. */
export function systemTypeOf(attributes: number): number {
  return attributes & 0x1f;
}

/** Marks a descriptor of code or data as used, if it is not. */
export function markAccessed(cpu: Processor, at: number, high: number): void {
  if ((high & 0x100) === 0) cpu.mmu.store(at + 5, 1, high >>> 8 & 0xff | 1, "supervisor");
}

/** Sets a segment register to what a descriptor says. */
export function setSegment(segment: Segment, selector: number, low: number, high: number): void {
  segment.selector = selector;
  segment.base = baseOf(low, high);
  segment.limit = limitOf(low, high);
  segment.attributes = attributesOf(high) | attribute.accessed;
}

/** Sets a segment register to a null selector. */
export function setNull(segment: Segment, selector: number): void {
  segment.selector = selector;
  segment.base = 0;
  segment.limit = 0;
  segment.attributes = attribute.unusable;
}

/** Sets CS; the privilege level becomes the selector's. */
export function setCode(cpu: Processor, selector: number, low: number, high: number): void {
  setSegment(cpu.segments[CS], selector, low, high);
  cpu.cpl = selector & 3;
}

/**
 * Sets a segment register as real mode does: limit and attributes stay what they
 * are, so that "unreal mode" works, as it does since the Pentium.
 */
export function setReal(segment: Segment, selector: number): void {
  if ((segment.attributes & attribute.unusable) !== 0) {
    segment.limit = 0xffff;
    segment.attributes = 0x93;
  }
  segment.selector = selector;
  segment.base = selector << 4;
}

/** Sets a segment register as virtual-8086 mode does. */
export function setVirtual(segment: Segment, selector: number): void {
  segment.selector = selector;
  segment.base = selector << 4;
  segment.limit = 0xffff;
  segment.attributes = 0xf3;
}

/** Whether selectors mean paragraphs: in real and virtual-8086 mode. */
export function hasParagraphs(cpu: Processor): boolean {
  return !cpu.isProtected || cpu.isVirtual8086;
}

/** Sets a segment register in real or virtual-8086 mode. */
export function setParagraph(cpu: Processor, number: number, selector: number): void {
  const segment = cpu.segments[number as 0];
  if (cpu.isVirtual8086) setVirtual(segment, selector);
  else setReal(segment, selector);
}

/**
 * Checks what is to become SS.
 *
 * @param level Privilege level that it is for.
 * @param vector What is raised if it does not fit: #GP, or on the way to a more
 *   privileged level or another task #TS.
 * @returns Linear address of its descriptor.
 */
export function requireStack(
  cpu: Processor,
  selector: number,
  level: number,
  vector: number,
  external = 0,
): number {
  const at = requireDescriptor(cpu, selector, vector, external);
  const attributes = attributesOf(tableWord(cpu, at + 4));
  if ((selector & 3) !== level || dplOf(attributes) !== level || !isWritableData(attributes)) {
    throw blame(vector, selector, external);
  }
  if (!isPresent(attributes)) throw blame(vectors.SS, selector, external);
  return at;
}

/**
 * Checks what is to become ES, DS, FS or GS.
 *
 * @returns Linear address of its descriptor.
 */
export function requireData(
  cpu: Processor,
  selector: number,
  vector: number,
  external = 0,
): number {
  const at = requireDescriptor(cpu, selector, vector, external);
  const attributes = attributesOf(tableWord(cpu, at + 4));
  const code = isCode(attributes);
  if ((attributes & attribute.s) === 0 || (code && (attributes & attribute.writable) === 0)) {
    throw blame(vector, selector, external);
  }
  const dpl = dplOf(attributes);
  if (!(code && isConforming(attributes)) && (dpl < (selector & 3) || dpl < cpu.cpl)) {
    throw blame(vector, selector, external);
  }
  if (!isPresent(attributes)) throw blame(vectors.NP, selector, external);
  return at;
}

/** Whether SS may be null: in 64-bit mode below level 3, if the selector says the same level. */
export function mayBeNullStack(mode64: boolean, selector: number, level: number): boolean {
  return mode64 && level < 3 && (selector & 3) === level;
}

/**
 * Loads ES, SS, DS, FS or GS.
 *
 * @throws {Fault} #GP, #NP, #SS or a page fault; nothing has changed then.
 */
export function loadSegment(cpu: Processor, number: number, selector: number): void {
  const segment = cpu.segments[number as 0];
  if (hasParagraphs(cpu)) setParagraph(cpu, number, selector);
  else if (isNull(selector)) {
    if (number === SS && !mayBeNullStack(cpu.mode === 64, selector, cpu.cpl)) {
      throw generalProtection();
    }
    setNull(segment, selector);
  } else {
    const at = number === SS
      ? requireStack(cpu, selector, cpu.cpl, vectors.GP)
      : requireData(cpu, selector, vectors.GP);
    const high = tableWord(cpu, at + 4);
    const low = tableWord(cpu, at);
    markAccessed(cpu, at, high);
    setSegment(segment, selector, low, high);
  }
  if (number < 4) cpu.refresh();
}

/** Offset of what stands some bytes behind the start of a memory operand. */
export function offsetBehind(cpu: Processor, i: Instruction, bytes: number): number {
  const offset = cpu.offset(i) + bytes;
  return i.addressSize === 16 ? offset & 0xffff : i.addressSize === 32 ? offset >>> 0 : offset;
}

/** Reads 16 bits of a memory operand, some bytes behind its start. */
export function memory16(cpu: Processor, i: Instruction, behind = 0): number {
  return cpu.mmu.load(cpu.linear(i.segment, offsetBehind(cpu, i, behind), 2, false), 2);
}

/** Reads the operand `Ew`. */
export function operand16(cpu: Processor, i: Instruction): number {
  return i.isMemory ? memory16(cpu, i) : cpu.low(i.rm) & 0xffff;
}

const movToSegment: SystemSemantics = (cpu, i) => {
  const number = i.reg & 7;
  loadSegment(cpu, number, operand16(cpu, i));
  if (number === SS) cpu.shadow = 2;
};

const popSegment: SystemSemantics = (cpu, i) => {
  const number = i.opcode >> 3 & 7;
  const width = cpu.stackWidth;
  const sp = cpu.address(4, width);
  // Two bytes are read, whatever the operand size moves the stack pointer by.
  const selector = cpu.mmu.load(cpu.linear(SS, sp, 2, false), 2);
  loadSegment(cpu, number, selector);
  cpu.setAddress(4, sp + i.operandSize / 8, width);
  if (number === SS) cpu.shadow = 2;
};

/** LDS and its kin: an offset, and behind it the selector for a segment register. */
function loadPointer(number: number): SystemSemantics {
  return (cpu, i) => {
    const bytes = i.operandSize / 8;
    const at = cpu.linear(i.segment, offsetBehind(cpu, i, 0), bytes, false);
    const selector = memory16(cpu, i, bytes);
    const low = cpu.mmu.load(at, bytes === 2 ? 2 : 4);
    const high = bytes === 8 ? cpu.mmu.load(at + 4, 4) : 0;
    loadSegment(cpu, number, selector);
    if (bytes === 8) setRegister64(cpu, i.reg, low, high);
    else cpu.setAddress(i.reg, low, i.operandSize);
  };
}

/** Sets a general register by halves: what it holds need be no address. */
export function setRegister64(cpu: Processor, number: number, low: number, high: number): void {
  const at = (REGISTERS >> 2) + 2 * number;
  cpu.words[at] = low;
  cpu.words[at + 1] = high;
}

/** Loading ES, SS, DS, FS and GS. */
export const segmentSemantics: Readonly<Record<string, SystemSemantics>> = {
  mov_to_seg: movToSegment,
  pop_seg: popSegment,
  ...{ les: loadPointer(0), lss: loadPointer(2), lds: loadPointer(3) },
  ...{ lfs: loadPointer(4), lgs: loadPointer(5) },
};
