/**
 * Control and debug registers, caches and translation buffers, the time-stamp
 * counter, random numbers.
 *
 * Source: Intel SDM vol. 2; vol. 3A, 2.5 (control registers), 4.1 and 4.10
 * (paging), 10.8.5 and 10.8.6 (into and out of long mode), vol. 3B, 18.2
 * (debug registers).
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import * as at from "../layout.ts";
import { physicalBits } from "../page_walk.ts";
import {
  attribute,
  cr0Bits,
  cr4Bits,
  eferBits,
  eflag,
  Fault,
  generalProtection,
  type Processor,
  segmentNumbers,
  type SystemSemantics,
  undefinedOpcode,
  vectors,
} from "../processor.ts";
import { notAllowed, privileged } from "./privilege.ts";
import { undefinedNames } from "./undefined_names.ts";

/** Offset of the time-stamp counter from the machine's; see msrs.ts. */
const tscAdjust = 0x3b;
/** What RDTSCP and RDPID give. */
const tscAux = 0xc000_0103;

/** Bits of CR0 that can be set; ET always is. */
const cr0Writable = 0xe005_003f;

/** Bits of CR4 by the feature that brings them. */
const cr4Features: readonly (readonly [bit: number, feature: string])[] = [
  [cr4Bits.VME | cr4Bits.PVI, "vme"],
  [cr4Bits.TSD, "tsc"],
  [cr4Bits.DE, "de"],
  [cr4Bits.PSE, "pse"],
  [cr4Bits.PAE, "pae"],
  [cr4Bits.MCE, "mce"],
  [cr4Bits.PGE, "pge"],
  [cr4Bits.PCE, "pae"],
  [cr4Bits.OSFXSR, "fxsr"],
  [cr4Bits.OSXMMEXCPT, "sse"],
  [cr4Bits.UMIP, "umip"],
  [cr4Bits.FSGSBASE, "fsgsbase"],
  [cr4Bits.PCIDE, "pcid"],
  [cr4Bits.OSXSAVE, "xsave"],
  [cr4Bits.SMEP, "smep"],
  [cr4Bits.SMAP, "smap"],
];

const low32 = 0xffff_ffffn;
const high32 = 0xffff_ffff_0000_0000n;

/** Paging with three levels, whose first is in registers. */
function isPae(cr0: number, cr4: number, efer: number): boolean {
  return (cr0 & cr0Bits.PG) !== 0 && (cr4 & cr4Bits.PAE) !== 0 && (efer & eferBits.LMA) === 0;
}

/**
 * Writes CR0: into and out of protected mode, paging, long mode.
 *
 * @throws {Fault} #GP, and nothing has changed.
 */
export function setCr0(cpu: Processor, value: number): void {
  const before = cpu.cr0;
  const next = (value & cr0Writable | cr0Bits.ET) >>> 0;
  const paging = (next & cr0Bits.PG) !== 0;
  const wasPaging = (before & cr0Bits.PG) !== 0;
  if (paging && (next & cr0Bits.PE) === 0) throw generalProtection();
  if ((next & (cr0Bits.NW | cr0Bits.CD)) === cr0Bits.NW) throw generalProtection();
  let { efer } = cpu;
  if (paging && !wasPaging && (efer & eferBits.LME) !== 0) {
    const [, cs] = cpu.segments;
    const type = cpu.segments[segmentNumbers.TR].attributes & 0x1f;
    // Long mode knows four levels only, and no TSS of 16 bits.
    if ((cpu.cr4 & cr4Bits.PAE) === 0 || (cs.attributes & attribute.long) !== 0 || type === 3) {
      throw generalProtection();
    }
    efer |= eferBits.LMA;
  } else if (!paging && wasPaging) {
    if (cpu.mode === 64 || (cpu.cr4 & cr4Bits.PCIDE) !== 0) throw generalProtection();
    efer &= ~eferBits.LMA;
  }
  const changed = before ^ next;
  const reloads = changed & (cr0Bits.PG | cr0Bits.CD | cr0Bits.NW);
  if (reloads !== 0 && isPae(next, cpu.cr4, efer) && !cpu.mmu.loadPointers(cpu.cr3)) {
    throw generalProtection();
  }
  cpu.cr0 = next;
  cpu.efer = efer;
  if ((changed & (cr0Bits.PE | cr0Bits.PG | cr0Bits.WP)) !== 0) {
    cpu.mmu.flush(true);
    cpu.refresh();
  }
}

/**
 * Writes CR3.
 *
 * @throws {Fault} #GP for bits that no physical address has, or pointers of PAE
 *   paging with reserved bits; nothing has changed.
 */
export function setCr3(cpu: Processor, value: bigint): void {
  // Bit 63 says that translations of this PCID may be kept; ours know no PCID.
  const next = (cpu.cr4 & cr4Bits.PCIDE) !== 0 ? BigInt.asUintN(63, value) : value;
  if (next > low32 && next >> BigInt(physicalBits(cpu.has)) !== 0n) throw generalProtection();
  if (isPae(cpu.cr0, cpu.cr4, cpu.efer) && !cpu.mmu.loadPointers(next)) {
    throw generalProtection();
  }
  cpu.cr3 = next;
  cpu.mmu.flush(false);
}

/**
 * Writes CR4.
 *
 * @throws {Fault} #GP, and nothing has changed.
 */
export function setCr4(cpu: Processor, value: number): void {
  const before = cpu.cr4;
  let writable = 0;
  for (const [bit, feature] of cr4Features) if (cpu.has(feature)) writable |= bit;
  if ((value & ~writable) !== 0) throw generalProtection();
  const changed = before ^ value;
  if (cpu.isLong && (value & cr4Bits.PAE) === 0) throw generalProtection();
  if ((changed & value & cr4Bits.PCIDE) !== 0 && (!cpu.isLong || (cpu.cr3 & 0xfffn) !== 0n)) {
    throw generalProtection();
  }
  const { PSE, PAE, PGE, SMEP, SMAP, PCIDE } = cr4Bits;
  const reloads = changed & (PSE | PAE | PGE | SMEP);
  if (reloads !== 0 && isPae(cpu.cr0, value, cpu.efer) && !cpu.mmu.loadPointers(cpu.cr3)) {
    throw generalProtection();
  }
  cpu.cr4 = value;
  if ((changed & (PSE | PAE | PGE | SMEP | SMAP | PCIDE)) !== 0) cpu.mmu.flush(true);
}

/** The guest's time-stamp counter. */
export function timeStamp(cpu: Processor): bigint {
  return BigInt.asUintN(64, cpu.devices.tsc() + (cpu.msrs.get(tscAdjust) ?? 0n));
}

/** Sets a general register of 32 or 64 bits to a number of 64. */
function setRegister(cpu: Processor, number: number, value: bigint, width: number): void {
  cpu.registers[number] = width === 64 ? value : value & low32;
}

/** Sets EDX:EAX. */
export function setPair(cpu: Processor, value: bigint): void {
  cpu.registers[0] = value & low32;
  cpu.registers[2] = value >> 32n & low32;
}

/** A general register of 64 bits, or its lower half. */
function register(cpu: Processor, number: number, width: number): bigint {
  const value = cpu.registers[number] ?? 0n;
  return width === 64 ? value : value & low32;
}

/** Whether there is a control register of this number. */
function requireControlRegister(cpu: Processor, number: number): void {
  const exists = number === 0 || number === 2 || number === 3 || number === 8 ||
    number === 4 && cr4Features.some(([, feature]) => cpu.has(feature));
  if (!exists) throw undefinedOpcode();
}

const movFromControl: SystemSemantics = (cpu, i, form) => {
  requireControlRegister(cpu, i.reg);
  if (cpu.cpl !== 0) return notAllowed(cpu, i, form);
  const value = i.reg === 0
    ? BigInt(cpu.cr0 >>> 0)
    : i.reg === 2
    ? cpu.cr2
    : i.reg === 3
    ? cpu.cr3
    : i.reg === 4
    ? BigInt(cpu.cr4 >>> 0)
    : BigInt(cpu.devices.apic?.taskPriority ?? 0);
  setRegister(cpu, i.rm, value, i.operandSize);
};

const movToControl: SystemSemantics = (cpu, i, form) => {
  requireControlRegister(cpu, i.reg);
  if (cpu.cpl !== 0) return notAllowed(cpu, i, form);
  const value = register(cpu, i.rm, i.operandSize);
  if (i.reg === 2) {
    cpu.cr2 = value;
    return;
  }
  if (i.reg === 3) return setCr3(cpu, value);
  if ((value & high32) !== 0n) throw generalProtection();
  const low = Number(value);
  if (i.reg === 0) setCr0(cpu, low);
  else if (i.reg === 4) setCr4(cpu, low);
  else {
    if (low > 15) throw generalProtection();
    if (cpu.devices.apic !== undefined) cpu.devices.apic.taskPriority = low;
  }
};

/** DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE forbids that. */
function debugRegister(cpu: Processor, number: number): number {
  if (number > 7) throw undefinedOpcode();
  if (number !== 4 && number !== 5) return number;
  if ((cpu.cr4 & cr4Bits.DE) !== 0) throw undefinedOpcode();
  return number + 2;
}

/** DR7.GD: whoever touches a debug register is told of; the handler may touch them. */
function guardDebugRegisters(cpu: Processor): void {
  const { debug } = cpu;
  const [six = 0n, seven = 0n] = [debug[6], debug[7]];
  if ((seven & 0x2000n) === 0n) return;
  debug[6] = six | 0x2000n;
  debug[7] = seven & ~0x2000n;
  // A fault like others: what is saved has RF.
  cpu.words[at.FLAGS_OTHER >> 2] = (cpu.words[at.FLAGS_OTHER >> 2] as number) | eflag.RF;
  throw new Fault(vectors.DB);
}

const movFromDebug: SystemSemantics = (cpu, i, form) => {
  const number = debugRegister(cpu, i.reg);
  if (cpu.cpl !== 0) return notAllowed(cpu, i, form);
  guardDebugRegisters(cpu);
  setRegister(cpu, i.rm, cpu.debug[number] ?? 0n, i.operandSize);
};

const movToDebug: SystemSemantics = (cpu, i, form) => {
  const number = debugRegister(cpu, i.reg);
  if (cpu.cpl !== 0) return notAllowed(cpu, i, form);
  guardDebugRegisters(cpu);
  let value = register(cpu, i.rm, i.operandSize);
  if (number >= 6) {
    if ((value & high32) !== 0n) throw generalProtection();
    // What cannot be set reads as one in DR6, bit 10 of DR7 too.
    value = number === 6 ? value & 0xe00fn | 0xffff_0ff0n : value & 0xffff_23ffn | 0x400n;
  }
  cpu.debug[number] = value;
};

const smsw: SystemSemantics = (cpu, i, form) => {
  if (cpu.cpl !== 0 && (cpu.cr4 & cr4Bits.UMIP) !== 0) return notAllowed(cpu, i, form);
  const value = cpu.cr0 >>> 0;
  if (i.isMemory) {
    cpu.mmu.store(cpu.linear(i.segment, cpu.offset(i), 2, true), 2, value & 0xffff);
  } else if (i.operandSize === 16) cpu.setAddress(i.rm, value & 0xffff, 16);
  else cpu.registers[i.rm] = BigInt(value);
};

const lmsw: SystemSemantics = (cpu, i) => {
  const value = i.isMemory
    ? cpu.mmu.load(cpu.linear(i.segment, cpu.offset(i), 2, false), 2)
    : cpu.low(i.rm);
  // It can enter protected mode, but not leave it.
  setCr0(cpu, cpu.cr0 & ~0xe | value & 0xf);
};

const clts: SystemSemantics = (cpu) => {
  cpu.cr0 = (cpu.cr0 & ~cr0Bits.TS) >>> 0;
};

/** Linear address of a memory operand that is not touched, so that no limit counts. */
function untouched(cpu: Processor, i: Instruction): number {
  const offset = cpu.offset(i);
  if (cpu.mode !== 64) return cpu.segments[i.segment as 0].base + offset >>> 0;
  return i.segment >= 4 ? cpu.segments[i.segment as 4].base + offset : offset;
}

const invlpg: SystemSemantics = (cpu, i) => {
  cpu.mmu.invalidate(untouched(cpu, i));
};

const invpcid: SystemSemantics = (cpu, i) => {
  const kind = register(cpu, i.reg, i.operandSize);
  const where = cpu.linear(i.segment, cpu.offset(i), 16, false);
  const pcid = cpu.mmu.loadBig(where);
  const address = cpu.mmu.loadBig(where + 8);
  if (kind > 3n || pcid >> 12n !== 0n) throw generalProtection();
  if (kind === 0n && BigInt.asIntN(48, address) !== BigInt.asIntN(64, address)) {
    throw generalProtection();
  }
  if (kind === 0n) cpu.mmu.invalidate(Number(BigInt.asIntN(64, address)));
  else cpu.mmu.flush(kind === 2n);
};

/** There are no caches to be written back, but an address has to be readable. */
const touchLine: SystemSemantics = (cpu, i) => {
  cpu.mmu.requireLoad(cpu.linear(i.segment, cpu.offset(i), 1, false), 1);
};

const nothing: SystemSemantics = () => {};

/** Whether CR4.TSD keeps the counter from this level. */
function isTscDenied(cpu: Processor): boolean {
  return cpu.cpl !== 0 && (cpu.cr4 & cr4Bits.TSD) !== 0;
}

/** Whether what RDTSC gives is not just the time: it is denied, or moved. */
export function asksForTime(cpu: Processor): boolean {
  return isTscDenied(cpu) || (cpu.msrs.get(tscAdjust) ?? 0n) !== 0n;
}

/** RDTSC was kept from a level by CR4.TSD: #GP(0), if no host carries it out. */
export class TimeStampDenied extends Fault {
  constructor() {
    super(vectors.GP, 0);
  }
}

/**
 * The time-stamp counter as RDTSC reads it.
 *
 * @throws {TimeStampDenied} Where CR4.TSD keeps it from this level.
 */
export function readTimeStamp(cpu: Processor): bigint {
  if (isTscDenied(cpu)) throw new TimeStampDenied();
  return timeStamp(cpu);
}

const rdtscp: SystemSemantics = (cpu, i, form) => {
  if (isTscDenied(cpu)) return notAllowed(cpu, i, form);
  setPair(cpu, timeStamp(cpu));
  cpu.registers[1] = cpu.msrs.get(tscAux) ?? 0n;
};

const rdpid: SystemSemantics = (cpu, i) => {
  cpu.registers[i.rm] = cpu.msrs.get(tscAux) ?? 0n;
};

/** There are no performance counters, so every number is wrong. */
const rdpmc: SystemSemantics = (cpu, i, form) => {
  if (!cpu.has("msr")) throw undefinedOpcode();
  if (cpu.cpl !== 0 && (cpu.cr4 & cr4Bits.PCE) === 0) return notAllowed(cpu, i, form);
  throw generalProtection();
};

function requireOsxsave(cpu: Processor): void {
  if ((cpu.cr4 & cr4Bits.OSXSAVE) === 0) throw undefinedOpcode();
}

const xgetbv: SystemSemantics = (cpu) => {
  requireOsxsave(cpu);
  const number = cpu.low(1);
  // Number 1: what of XCR0 is in use; all of it may be.
  if (number > 1 || (number === 1 && !cpu.has("xgetbv1"))) throw generalProtection();
  setPair(cpu, BigInt(cpu.xcr0));
};

const xsetbv: SystemSemantics = (cpu, i, form) => {
  requireOsxsave(cpu);
  if (cpu.cpl !== 0) return notAllowed(cpu, i, form);
  const value = cpu.low(0);
  const possible = 1 | (cpu.has("sse") ? 2 : 0) | (cpu.has("avx") ? 4 : 0);
  const fails = cpu.low(1) !== 0 || cpu.low(2) !== 0 || (value & ~possible) !== 0 ||
    // x87 state is always enabled, AVX only with SSE.
    (value & 1) === 0 || (value & 6) === 4;
  if (fails) throw generalProtection();
  cpu.xcr0 = value;
};

/** CLAC and STAC. */
function setAlignmentCheck(on: boolean): SystemSemantics {
  return (cpu) => {
    if (cpu.cpl !== 0) throw undefinedOpcode();
    const where = at.FLAGS_OTHER >> 2;
    const flags = cpu.words[where] as number;
    cpu.words[where] = on ? flags | eflag.AC : flags & ~eflag.AC;
  };
}

const random: SystemSemantics = (cpu, i) => {
  const value = cpu.random();
  if (i.operandSize === 16) cpu.setAddress(i.rm, Number(value & 0xffffn), 16);
  else setRegister(cpu, i.rm, BigInt.asUintN(64, value), i.operandSize);
  // There always is a number: CF; the other flags are cleared.
  cpu.eflags = cpu.eflags & ~0x8d5 | eflag.CF;
};

const never: SystemSemantics = () => {
  throw undefinedOpcode();
};

/** What this file describes, by semantic name; with it all that no processor of ours has. */
export const controlSemantics: Readonly<Record<string, SystemSemantics>> = {
  ...Object.fromEntries(undefinedNames.map((name) => [name, never])),
  mov_from_cr: movFromControl,
  mov_to_cr: movToControl,
  mov_from_dr: movFromDebug,
  mov_to_dr: movToDebug,
  ...{ smsw, lmsw: privileged(lmsw), clts: privileged(clts) },
  ...{ invlpg: privileged(invlpg), invpcid: privileged(invpcid) },
  ...{ invd: privileged(nothing), wbinvd: privileged(nothing), wbnoinvd: privileged(nothing) },
  ...{ clflush: touchLine, clflushopt: touchLine, clwb: touchLine, serialize: nothing },
  ...{ rdtscp, rdpid, rdpmc, xgetbv, xsetbv, rdrand: random, rdseed: random },
  ...{ clac: setAlignmentCheck(false), stac: setAlignmentCheck(true) },
};
