/**
 * Delivering exceptions and interrupts through the interrupt table of each mode.
 *
 * RIP is the address that is saved: for faults the instruction itself, for traps
 * and interrupts whatever comes next. An event that faults on its way leaves
 * everything as it was, but for a task switch that has already happened; what
 * comes of two exceptions is decided by {@link afterFault}.
 *
 * Source: Intel SDM vol. 3A, chapter 6 (6.12 protected mode, 6.13 error codes,
 * 6.14 64-bit mode, 6.15 "Interrupt 8"); vol. 2, "INT n", Operation; vol. 3B,
 * 20.1.4 (real mode) and 20.3 (virtual-8086 mode).
 *
 * @module
 */

import { FLAGS_OTHER } from "../layout.ts";
import {
  attribute,
  eflag,
  type EventKind,
  Fault,
  generalProtection,
  type Processor,
  segmentNumbers,
  vectors,
} from "../processor.ts";
import { requireTarget } from "./far.ts";
import {
  attributesOf,
  blame,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  markAccessed,
  requireDescriptor,
  setCode,
  setNull,
  setParagraph,
  systemType,
  systemTypeOf,
  tableAddress,
  tableWord,
} from "./segments.ts";
import {
  InnerStack,
  longStack,
  longStackPointer,
  presentStack,
  setNullStack,
  SP,
  type Stack,
} from "./stack.ts";
import { raiseTrap, switchTask } from "./tasks.ts";

const { ES, CS, SS, DS, FS, GS } = segmentNumbers;

/** Exceptions that come with an error code, as bits of a mask. */
const withErrorCode = 1 << vectors.DF | 1 << vectors.TS | 1 << vectors.NP | 1 << vectors.SS |
  1 << vectors.GP | 1 << vectors.PF | 1 << vectors.AC;
/** Exceptions that make a double fault of a second one. */
const contributory = 1 << vectors.DE | 1 << vectors.TS | 1 << vectors.NP | 1 << vectors.SS |
  1 << vectors.GP;

const isContributory = (vector: number) => vector < 32 && (contributory >> vector & 1) !== 0;

/** Delivers an exception; RIP is on the instruction, or for a debug trap behind it. */
export function deliverException(cpu: Processor, fault: Fault): void {
  const { vector, errorCode, address } = fault;
  deliver(cpu, vector, vector === vectors.DB ? "trap" : "fault", errorCode, address);
}

/** Delivers an interrupt from outside, between two instructions. */
export function deliverInterrupt(cpu: Processor, vector: number): void {
  deliver(cpu, vector, "interrupt", undefined, undefined);
}

/** Delivers an NMI; until the next IRET there shall be no other. */
export function deliverNmi(cpu: Processor): void {
  cpu.nmiBlocked = true;
  deliver(cpu, vectors.NMI, "nmi", undefined, undefined);
}

/** What is delivered after an event could not be, because of a fault; undefined: the processor shuts down. */
export function afterFault(vector: number, kind: EventKind, second: Fault): Fault | undefined {
  const { vector: next } = second;
  const serious = isContributory(next) || next === vectors.PF;
  // Interrupts are benign, whatever their vector.
  if (!serious || kind === "interrupt" || kind === "nmi" || kind === "software") return second;
  if (vector === vectors.DF) return undefined;
  const twice = vector === vectors.PF || (isContributory(vector) && next !== vectors.PF);
  return twice ? new Fault(vectors.DF, 0) : second;
}

function deliver(
  cpu: Processor,
  vector: number,
  kind: EventKind,
  errorCode: number | undefined,
  address: number | undefined,
): void {
  for (;;) {
    cpu.halted = false;
    cpu.shadow = 0;
    if (cpu.host?.deliver?.(vector, kind, errorCode, address) === true) return;
    setFaultAddress(cpu, address);
    try {
      throughTable(cpu, vector, kind, errorCode, cpu.rip);
      return;
    } catch (second) {
      if (!(second instanceof Fault)) throw second;
      setFaultAddress(cpu, second.address);
      const next = afterFault(vector, kind, second);
      if (next === undefined) {
        cpu.shutDown = true;
        return;
      }
      ({ vector, errorCode, address } = next);
      kind = vector === vectors.DB ? "trap" : "fault";
    }
  }
}

/** Sets CR2, if a page fault says an address. */
function setFaultAddress(cpu: Processor, address: number | undefined): void {
  if (address !== undefined) cpu.cr2 = BigInt.asUintN(64, BigInt(address));
}

// Tour guest 020
//
// Trap by trap: each event of the processor goes through here, by the table of the
// mode that it is in.
/**
 * Sends an event through the interrupt table, and RIP to its handler.
 *
 * @param rip The address that is saved.
 * @throws {Fault} If that is not possible.
 */
export function throughTable(
  cpu: Processor,
  vector: number,
  kind: EventKind,
  errorCode: number | undefined,
  rip: number,
): void {
  if (!cpu.isProtected) return throughVectors(cpu, vector, rip);
  const hasCode = (kind === "fault" || kind === "trap") && vector < 32 &&
    (withErrorCode >> vector & 1) !== 0;
  const code = hasCode ? errorCode ?? 0 : -1;
  // The saved RF keeps a breakpoint on a faulting instruction from striking again.
  const flags = kind === "fault" ? cpu.eflags | eflag.RF : cpu.eflags;
  if (cpu.isLong) throughLongGate(cpu, vector, kind === "software", code, flags, rip);
  else throughGate(cpu, vector, kind === "software", code, flags, rip);
}

/** Real mode: four bytes for each vector. */
function throughVectors(cpu: Processor, vector: number, rip: number): void {
  const { base, limit } = cpu.idtr;
  const at = 4 * vector;
  // No error code is pushed there, but one tells which vector it was.
  if (at + 3 > limit) throw generalProtection(8 * vector + 2);
  const entry = tableWord(cpu, base + at >>> 0);
  enterParagraph(cpu, entry, cpu.eflags, eflag.IF | eflag.TF | eflag.AC | eflag.RF, rip);
}

/**
 * Virtual-8086 mode, if the task's map says that an interrupt is the program's
 * own: through the table at address 0, as in real mode.
 */
export function throughVirtualVectors(cpu: Processor, vector: number, rip: number): void {
  const entry = tableWord(cpu, 4 * vector);
  if (cpu.iopl === 3) return enterParagraph(cpu, entry, cpu.eflags, eflag.IF | eflag.TF, rip);
  enterParagraph(cpu, entry, virtualImage(cpu), eflag.VIF | eflag.TF, rip);
}

/** The flags as a virtual-8086 program sees them that has virtual interrupts: IOPL 3, and VIF as IF. */
export function virtualImage(cpu: Processor): number {
  const flags = cpu.eflags | eflag.IOPL;
  return (flags & eflag.VIF) !== 0 ? flags | eflag.IF : flags & ~eflag.IF;
}

/** Pushes 16 bits each of flags, CS and IP, and goes to segment and offset. */
function enterParagraph(
  cpu: Processor,
  entry: number,
  flags: number,
  cleared: number,
  rip: number,
): void {
  const offset = entry & 0xffff;
  if (!cpu.isVirtual8086 && offset > cpu.segments[CS].limit) throw generalProtection();
  const stack = presentStack(cpu);
  stack.reserve(3, 2);
  stack.push(flags);
  stack.push(cpu.segments[CS].selector);
  stack.push(rip);
  stack.commit();
  cpu.words[FLAGS_OTHER >> 2] = (cpu.words[FLAGS_OTHER >> 2] as number) & ~cleared;
  setParagraph(cpu, CS, entry >>> 16);
  cpu.refresh();
  cpu.rip = offset;
}

/** Protected mode: gates of 16 and 32 bits, and tasks. */
function throughGate(
  cpu: Processor,
  vector: number,
  software: boolean,
  errorCode: number,
  flags: number,
  rip: number,
): void {
  const external = software ? 0 : 1;
  const { base, limit } = cpu.idtr;
  const gateError = 8 * vector + 2 + external;
  if (8 * vector + 7 > limit) throw generalProtection(gateError);
  const gate = tableAddress(cpu, base, 8 * vector);
  const low = tableWord(cpu, gate);
  const high = tableWord(cpu, gate + 4);
  const gateAttributes = attributesOf(high);
  const type = systemTypeOf(gateAttributes);
  const isTask = type === systemType.taskGate;
  // Types 6, 7, 14 and 15.
  if (!isTask && (type & 0x16) !== 6) throw generalProtection(gateError);
  if (software && dplOf(gateAttributes) < cpu.cpl) throw generalProtection(gateError);
  if (!isPresent(gateAttributes)) throw new Fault(vectors.NP, gateError);
  if (isTask) return toTask(cpu, low >>> 16, external, errorCode, flags, rip);

  const wide = (type & 8) !== 0;
  const selector = low >>> 16;
  if (isNull(selector)) throw generalProtection(external);
  const at = requireDescriptor(cpu, selector, vectors.GP, external);
  const codeLow = tableWord(cpu, at);
  const codeHigh = tableWord(cpu, at + 4);
  const attributes = attributesOf(codeHigh);
  const { cpl } = cpu;
  const dpl = dplOf(attributes);
  if (!isCode(attributes) || dpl > cpl) throw blame(vectors.GP, selector, external);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector, external);
  const inner = !isConforming(attributes) && dpl < cpl;
  const isVirtual = cpu.isVirtual8086;
  if (isVirtual && (!inner || dpl !== 0)) throw blame(vectors.GP, selector, external);

  const offset = wide ? (high & 0xffff_0000 | low & 0xffff) >>> 0 : low & 0xffff;
  const stack: Stack = inner ? InnerStack.of(cpu, dpl, external) : presentStack(cpu, external);
  const count = (isVirtual ? 9 : inner ? 5 : 3) + (errorCode >= 0 ? 1 : 0);
  stack.reserve(count, wide ? 4 : 2);
  requireTarget(cpu, offset, codeLow, codeHigh, external);
  markAccessed(cpu, at, codeHigh);
  if (isVirtual) {
    for (const number of [GS, FS, DS, ES]) {
      stack.push(cpu.segments[number].selector);
      setNull(cpu.segments[number], 0);
    }
  }
  if (inner) {
    stack.push(cpu.segments[SS].selector);
    stack.pushRegister(SP);
  }
  stack.push(flags);
  stack.push(cpu.segments[CS].selector);
  stack.push(rip);
  if (errorCode >= 0) stack.push(errorCode);
  stack.commit();
  // Interrupt gates have even types.
  clearFlags(cpu, (type & 1) === 0);
  setCode(cpu, selector & 0xfffc | (inner ? dpl : cpl), codeLow, codeHigh);
  cpu.refresh();
  cpu.rip = offset;
}

/** Clears what handlers start without. */
function clearFlags(cpu: Processor, interrupts: boolean): void {
  const cleared = eflag.TF | eflag.NT | eflag.VM | eflag.RF | (interrupts ? eflag.IF : 0);
  cpu.words[FLAGS_OTHER >> 2] = (cpu.words[FLAGS_OTHER >> 2] as number) & ~cleared;
}

/** A task gate: the handler is a task, and finds the error code on its stack. */
function toTask(
  cpu: Processor,
  task: number,
  external: number,
  errorCode: number,
  flags: number,
  rip: number,
): void {
  const trap = switchTask(cpu, task, "call", rip, vectors.GP, external, flags);
  if (errorCode >= 0) {
    const stack = presentStack(cpu, external);
    // Types 9 and 11 are tasks of 32 bits.
    stack.reserve(1, (cpu.segments[segmentNumbers.TR].attributes & 8) !== 0 ? 4 : 2);
    stack.push(errorCode);
    stack.commit();
  }
  raiseTrap(cpu, trap);
}

/** Long mode: gates of 16 bytes, into 64-bit code only; the stack is always saved. */
function throughLongGate(
  cpu: Processor,
  vector: number,
  software: boolean,
  errorCode: number,
  flags: number,
  rip: number,
): void {
  const external = software ? 0 : 1;
  const gateError = 8 * vector + 2 + external;
  if (16 * vector + 15 > cpu.idtr.limit) throw generalProtection(gateError);
  const gate = cpu.idtr.base + 16 * vector;
  const low = tableWord(cpu, gate);
  const high = tableWord(cpu, gate + 4);
  const gateAttributes = attributesOf(high);
  const type = systemTypeOf(gateAttributes);
  if (type !== systemType.interruptGate && type !== systemType.trapGate) {
    throw generalProtection(gateError);
  }
  if (software && dplOf(gateAttributes) < cpu.cpl) throw generalProtection(gateError);
  if (!isPresent(gateAttributes)) throw new Fault(vectors.NP, gateError);

  const selector = low >>> 16;
  if (isNull(selector)) throw generalProtection(external);
  const at = requireDescriptor(cpu, selector, vectors.GP, external);
  const codeLow = tableWord(cpu, at);
  const codeHigh = tableWord(cpu, at + 4);
  const attributes = attributesOf(codeHigh);
  const { cpl } = cpu;
  const dpl = dplOf(attributes);
  const is64 = (attributes & (attribute.long | attribute.big)) === attribute.long;
  if (!isCode(attributes) || dpl > cpl || !is64) throw blame(vectors.GP, selector, external);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector, external);
  const inner = !isConforming(attributes) && dpl < cpl;
  const level = inner ? dpl : cpl;

  const offset = (tableWord(cpu, gate + 8) | 0) * 0x1_0000_0000 +
    ((high & 0xffff_0000 | low & 0xffff) >>> 0);
  const ist = high & 7;
  const top = ist !== 0
    ? longStackPointer(cpu, ist + 3, external)
    : inner
    ? longStackPointer(cpu, dpl, external)
    : cpu.address(SP, 64);
  // Aligned to 16 bytes; remainders of negative numbers would be negative.
  const aligned = Math.floor(top / 16) * 16;
  const stack = longStack(cpu, aligned, level === 3 ? "current" : "supervisor", external);
  stack.reserve(errorCode >= 0 ? 6 : 5, 8);
  requireTarget(cpu, offset, codeLow, codeHigh, external);
  markAccessed(cpu, at, codeHigh);
  stack.push(cpu.segments[SS].selector);
  stack.pushRegister(SP);
  stack.push(flags);
  stack.push(cpu.segments[CS].selector);
  stack.push(rip);
  if (errorCode >= 0) stack.push(errorCode);
  // On the same level SS stays, with an interrupt stack as well: vol. 3A, 6.14
  // says "if there is a change in CPL", though 6.14.5 reads as if always.
  if (inner) setNullStack(cpu, level);
  stack.commit();
  clearFlags(cpu, type === systemType.interruptGate);
  setCode(cpu, selector & 0xfffc | level, codeLow, codeHigh);
  cpu.refresh();
  cpu.rip = offset;
}
