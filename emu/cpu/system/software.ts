/**
 * Interrupts by instruction, and the flags that decide about interrupts: INT,
 * INT3, INTO, INT1, CLI, STI, PUSHF, POPF, HLT.
 *
 * Source: Intel SDM vol. 2, Operation of each; vol. 3B, 20.3 and 20.4 (virtual
 * interrupts).
 *
 * @module
 */

import { FLAGS_OTHER } from "../layout.ts";
import {
  cr4Bits,
  eflag,
  type EventKind,
  generalProtection,
  type Processor,
  segmentNumbers,
  type SystemSemantics,
  vectors,
} from "../processor.ts";
import { throughTable, throughVirtualVectors, virtualImage } from "./interrupts.ts";
import { notAllowed } from "./privilege.ts";
import { loadFlags, requireVirtualFlags, setVirtualFlags } from "./returns.ts";
import { peek, presentStack, type PushSize, SP } from "./stack.ts";

const { TR } = segmentNumbers;

/** Whether it runs in virtual-8086 mode and may not touch IF. */
export function isDistrusted8086(cpu: Processor): boolean {
  return cpu.isVirtual8086 && cpu.iopl < 3;
}

const hasVirtualInterrupts = (cpu: Processor) => (cpu.cr4 & cr4Bits.VME) !== 0;

/** RIP stands where execution goes on. */
function keepRip(cpu: Processor): void {
  cpu.nextRip = cpu.rip;
}

/** Goes through the interrupt table, with the next instruction saved. */
function raise(cpu: Processor, vector: number, kind: EventKind): void {
  if (cpu.host?.interrupt?.(vector) === true) return keepRip(cpu);
  throughTable(cpu, vector, kind, undefined, cpu.nextRip);
  cpu.untraced = true;
  keepRip(cpu);
}

const int: SystemSemantics = (cpu, i) => {
  const vector = i.immediate & 0xff;
  if (!cpu.isVirtual8086) return raise(cpu, vector, "software");
  if (hasVirtualInterrupts(cpu) && isProgramsOwn(cpu, vector)) {
    throughVirtualVectors(cpu, vector, cpu.nextRip);
    cpu.untraced = true;
    return keepRip(cpu);
  }
  if (cpu.iopl < 3) throw generalProtection();
  raise(cpu, vector, "software");
};

/** Whether the map before the TSS's I/O permissions leaves a vector to the virtual-8086 program. */
function isProgramsOwn(cpu: Processor, vector: number): boolean {
  const { base, limit, attributes } = cpu.segments[TR];
  if ((attributes & 8) === 0 || limit < 103) throw generalProtection();
  const at = cpu.mmu.load(base + 102 >>> 0, 2, "supervisor") - 32 + (vector >> 3);
  if (at < 0 || at > limit) throw generalProtection();
  return (cpu.mmu.load(base + at >>> 0, 1, "supervisor") >> (vector & 7) & 1) === 0;
}

// These three are no concern of IOPL or the map, virtual-8086 mode or not.
const int3: SystemSemantics = (cpu) => raise(cpu, vectors.BP, "software");
const into: SystemSemantics = (cpu) => {
  if ((cpu.eflags & eflag.OF) !== 0) raise(cpu, vectors.OF, "software");
};
/** The gate's DPL does not matter to INT1. */
const int1: SystemSemantics = (cpu) => raise(cpu, vectors.DB, "trap");

/** Whether VIF takes IF's place: VME below IOPL 3, or PVI at level 3. */
function usesVirtualFlag(cpu: Processor): boolean {
  return cpu.isVirtual8086
    ? hasVirtualInterrupts(cpu)
    : cpu.isProtected && cpu.cpl === 3 && (cpu.cr4 & cr4Bits.PVI) !== 0;
}

function setOther(cpu: Processor, flag: number, on: boolean): void {
  const other = cpu.words[FLAGS_OTHER >> 2] as number;
  cpu.words[FLAGS_OTHER >> 2] = on ? other | flag : other & ~flag;
}

const cli: SystemSemantics = (cpu, i, form) => {
  if (cpu.cpl <= cpu.iopl) setOther(cpu, eflag.IF, false);
  else if (usesVirtualFlag(cpu)) setOther(cpu, eflag.VIF, false);
  else notAllowed(cpu, i, form);
};

const sti: SystemSemantics = (cpu, i, form) => {
  const other = cpu.words[FLAGS_OTHER >> 2] as number;
  if (cpu.cpl <= cpu.iopl) {
    if ((other & eflag.IF) === 0) cpu.shadow = 1;
    setOther(cpu, eflag.IF, true);
  } else if (!usesVirtualFlag(cpu)) notAllowed(cpu, i, form);
  else if ((other & eflag.VIP) !== 0) throw generalProtection();
  else setOther(cpu, eflag.VIF, true);
};

const pushf: SystemSemantics = (cpu, i) => {
  const size = i.operandSize / 8 as PushSize;
  const distrusted = isDistrusted8086(cpu);
  if (distrusted && (size !== 2 || !hasVirtualInterrupts(cpu))) throw generalProtection();
  const stack = presentStack(cpu);
  stack.reserve(1, size);
  // RF and VM are stored as zero.
  stack.push((distrusted ? virtualImage(cpu) : cpu.eflags) & ~(eflag.RF | eflag.VM));
  stack.commit();
};

const popf: SystemSemantics = (cpu, i) => {
  const size = i.operandSize / 8 as PushSize;
  const distrusted = isDistrusted8086(cpu);
  if (distrusted && (size !== 2 || !hasVirtualInterrupts(cpu))) throw generalProtection();
  const flags = peek(cpu, 0, size === 8 ? 4 : size);
  if (distrusted) requireVirtualFlags(cpu, flags);
  const width = cpu.stackWidth;
  cpu.setAddress(SP, cpu.address(SP, width) + size, width);
  if (distrusted) return setVirtualFlags(cpu, flags);
  let mask = 0x4dd5;
  if (size !== 2) mask |= eflag.AC | eflag.ID;
  if (cpu.cpl <= cpu.iopl) mask |= eflag.IF;
  if (cpu.cpl === 0) mask |= eflag.IOPL;
  loadFlags(cpu, flags, mask);
  if (size !== 2) setOther(cpu, eflag.RF, false);
};

const hlt: SystemSemantics = (cpu) => {
  cpu.halted = true;
};

/** Interrupts by instruction, and the flags about interrupts. */
export const softwareSemantics: Readonly<Record<string, SystemSemantics>> = {
  ...{ int, int3, into, int1, cli, sti, pushf, popf, hlt },
};
