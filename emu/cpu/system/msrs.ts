/**
 * Model-specific registers, RDMSR and WRMSR.
 *
 * A table says which there are, by number; a register that is not in it, or whose
 * feature the processor lacks, is #GP, as a kernel that probes expects.
 *
 * Source: Intel SDM vol. 4, chapter 2; MTRRs and PAT: vol. 3A, chapter 12; KVM's:
 * the kernel's Documentation/virt/kvm/x86/msr.rst.
 *
 * @module
 */

import { physicalBits } from "../page_walk.ts";
import {
  cr0Bits,
  eferBits,
  generalProtection,
  type Processor,
  segmentNumbers,
  type SystemSemantics,
} from "../processor.ts";
import { setPair, timeStamp } from "./control.ts";
import { identity } from "./cpuid.ts";
import { clockMsrs, moveSystemTime, writeSystemTime, writeWallClock } from "./paravirt_clock.ts";
import { privileged } from "./privilege.ts";

/** One register. */
interface Msr {
  /** The feature that brings it; all models with MSRs have it if absent. */
  readonly needs?: string;
  /** What it holds after reset; 0 if absent. */
  readonly initial?: bigint;
  /** Whether it can hold a value; it holds any if absent. */
  readonly accepts?: (cpu: Processor, value: bigint) => boolean;
  /** What it reads as; what was written, if absent. */
  readonly read?: (cpu: Processor) => bigint;
  /** What happens when it is written; it is kept, if absent. */
  readonly write?: (cpu: Processor, value: bigint) => void;
}

const adjust = 0x3b;

/**
 * ARCH_CAPABILITIES: what a processor that does not speculate is not affected by.
 * RDCL, L1TF on VM entry, SSB, MDS, page size change, TAA; SBDR and SSDP, FBSDP,
 * PSDP; BHI, PBRSB, GDS, RFDS, ITS.
 */
const capabilities = [0, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62]
  .reduce((bits, bit) => bits | 1n << BigInt(bit), 0n);

const none = (): boolean => false;
const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));
const unsigned = (value: number): bigint => BigInt.asUintN(64, BigInt(value));

/** An address of 48 bits whose sign fills the rest. */
const isCanonical = (_: Processor, value: bigint): boolean =>
  BigInt.asIntN(48, value) === BigInt.asIntN(64, value);
/** On processors of 32 bits any value will do. */
const isAddress = (cpu: Processor, value: bigint): boolean =>
  !cpu.has("lm") || isCanonical(cpu, value);
const is32 = (_: Processor, value: bigint): boolean => value >> 32n === 0n;

/** Write-back, write-through, write-combining, write-protected, uncached. */
const isMemoryType = (type: bigint): boolean => [0n, 1n, 4n, 5n, 6n].includes(type & 0xffn);

/** Eight memory types, a byte each. */
const areTypes = (isType: (type: bigint) => boolean) => (_: Processor, value: bigint): boolean => {
  for (let n = 0n; n < 64n; n += 8n) if (!isType(value >> n & 0xffn)) return false;
  return true;
};
const isPatType = (type: bigint): boolean => isMemoryType(type) || type === 7n;

/** No bits that a physical address has not. */
const isPhysical = (cpu: Processor, value: bigint): boolean =>
  value >> BigInt(physicalBits(cpu.has)) === 0n;

const fixed: Msr = { needs: "mtrr", accepts: areTypes(isMemoryType) };

/** The base of FS or GS, which its segment register holds. */
function base(number: 4 | 5): Msr {
  return {
    needs: "lm",
    accepts: isCanonical,
    read: (cpu) => unsigned(cpu.segments[number].base),
    write: (cpu, value) => void (cpu.segments[number].base = signed(value)),
  };
}

/** Moves the guest's time-stamp counter. */
function setAdjust(cpu: Processor, value: bigint): void {
  cpu.msrs.set(adjust, BigInt.asUintN(64, value));
  moveSystemTime(cpu);
}

/**
 * Writes EFER.
 *
 * @throws {Fault} #GP for bits of features that there are not, or for LME while
 *   paging is on.
 */
function setEfer(cpu: Processor, value: bigint): void {
  const { SCE, LME, LMA, NXE } = eferBits;
  const writable = (cpu.has("syscall") ? SCE : 0) | (cpu.has("lm") ? LME | LMA : 0) |
    (cpu.has("nx") ? NXE : 0);
  if ((value & ~BigInt(writable)) !== 0n) throw generalProtection();
  // LMA shows what CR0 has done; writing it does nothing.
  const next = Number(value) & ~LMA | cpu.efer & LMA;
  const changed = cpu.efer ^ next;
  if ((changed & LME) !== 0 && (cpu.cr0 & cr0Bits.PG) !== 0) throw generalProtection();
  cpu.efer = next;
  if ((changed & NXE) !== 0) cpu.mmu.flush(true);
}

const registers: Readonly<Record<number, Msr>> = {
  // The Pentium's machine check address and type: none has been.
  [0x0]: { needs: "mce" },
  [0x1]: { needs: "mce" },
  // TSC
  [0x10]: {
    needs: "tsc",
    read: timeStamp,
    write: (cpu, value) => setAdjust(cpu, value - cpu.devices.tsc()),
  },
  // PLATFORM_ID
  [0x17]: { needs: "cmov", accepts: none },
  // APIC_BASE
  [0x1b]: {
    needs: "apic",
    read: (cpu) => apic(cpu).base,
    write: (cpu, value) => void (apic(cpu).base = value),
  },
  // EBL_CR_POWERON
  [0x2a]: { needs: "cmov" },
  // TSC_ADJUST
  [adjust]: { needs: "tsc_adjust", write: setAdjust },
  // BIOS_UPDT_TRIG: any microcode will do.
  [0x79]: { needs: "cmov", write: () => {} },
  // BIOS_SIGN_ID: revision of the microcode in the upper half, past all that are known to be bad.
  [0x8b]: { needs: "cmov", read: () => 0x1000_0000_0000n, write: () => {} },
  // PERF_STATUS: memtest86+ 5 works out the bus clock of it.
  [0x198]: { needs: "cmov", accepts: none },
  // MTRRcap: eight ranges, fixed ranges, write-combining.
  [0xfe]: { needs: "mtrr", read: () => 0x508n, accepts: none },
  // ARCH_CAPABILITIES
  [0x10a]: { needs: "arch_capabilities", read: () => capabilities, accepts: none },
  // SYSENTER_CS, _ESP, _EIP
  [0x174]: { needs: "sep" },
  [0x175]: { needs: "sep", accepts: isAddress },
  [0x176]: { needs: "sep", accepts: isAddress },
  // MCG_CAP: no banks. MCG_STATUS
  [0x179]: { needs: "mca", accepts: none },
  [0x17a]: { needs: "mca" },
  // MISC_ENABLE: fast strings; no branch trace store, no sampling.
  [0x1a0]: { needs: "lm", initial: 0x1801n },
  // DEBUGCTL
  [0x1d9]: { needs: "cmov", accepts: (_, value) => value >> 16n === 0n },
  // LASTBRANCHFROMIP and so on: none is recorded.
  ...Object.fromEntries([0x1db, 0x1dc, 0x1dd, 0x1de].map((msr) => [msr, { needs: "cmov" }])),
  // MTRRs: pairs of base and mask, ...
  ...Object.fromEntries(
    Array.from({ length: 16 }, (_, n) => [0x200 + n, { needs: "mtrr", accepts: isPhysical }]),
  ),
  // ... fixed ranges, ...
  ...Object.fromEntries(
    [0x250, 0x258, 0x259, ...Array.from({ length: 8 }, (_, n) => 0x268 + n)]
      .map((msr) => [msr, fixed]),
  ),
  // ... and the default: as firmware leaves it, all memory is written back.
  [0x2ff]: {
    needs: "mtrr",
    initial: 0x806n,
    accepts: (_, value) => (value & ~0xcffn) === 0n && isMemoryType(value),
  },
  // PAT
  [0x277]: { needs: "pat", initial: 0x7_0406_0007_0406n, accepts: areTypes(isPatType) },
  // TSC_DEADLINE
  [0x6e0]: {
    needs: "tsc_deadline_timer",
    // The timer counts by the machine's counter, the guest by its own.
    read: (cpu) => deadline(cpu, apic(cpu).deadline, 1n),
    write: (cpu, value) => void (apic(cpu).deadline = deadline(cpu, value, -1n)),
  },
  // XSS: XSAVES has no state of supervisors to save.
  [0xda0]: { needs: "xsaves", accepts: (_, value) => value === 0n },
  // EFER
  [0xc000_0080]: { needs: "lm", read: (cpu) => BigInt(cpu.efer), write: setEfer },
  // STAR, LSTAR, CSTAR, SFMASK
  [0xc000_0081]: { needs: "syscall" },
  [0xc000_0082]: { needs: "syscall", accepts: isCanonical },
  [0xc000_0083]: { needs: "syscall", accepts: isCanonical },
  [0xc000_0084]: { needs: "syscall", accepts: is32 },
  // FS_BASE, GS_BASE, KERNEL_GS_BASE
  [0xc000_0100]: base(segmentNumbers.FS),
  [0xc000_0101]: base(segmentNumbers.GS),
  [0xc000_0102]: { needs: "lm", accepts: isCanonical },
  // TSC_AUX
  [0xc000_0103]: { needs: "rdtscp", accepts: is32 },
};

/** KVM's clock: there if the processor offers it. */
const paravirtRegisters: Readonly<Record<number, Msr>> = {
  [clockMsrs.wallClock]: { write: writeWallClock },
  [clockMsrs.systemTime]: { write: writeSystemTime },
};

function apic(cpu: Processor) {
  const { apic } = cpu.devices;
  if (apic === undefined) throw generalProtection();
  return apic;
}

/** A deadline by another counter; 0 stands for none. */
function deadline(cpu: Processor, value: bigint, sign: bigint): bigint {
  if (value === 0n) return 0n;
  return BigInt.asUintN(64, value + sign * (cpu.msrs.get(adjust) ?? 0n));
}

function find(cpu: Processor, msr: number): Msr {
  const register = registers[msr] ??
    (identity(cpu).paravirtClock ? paravirtRegisters[msr] : undefined);
  if (register === undefined) throw generalProtection();
  if (register.needs !== undefined && !cpu.has(register.needs)) throw generalProtection();
  return register;
}

/**
 * Reads a register.
 *
 * @throws {Fault} #GP if there is none of this number.
 */
export function readMsr(cpu: Processor, msr: number): bigint {
  const byHost = cpu.host?.readMsr?.(msr);
  if (byHost !== undefined) return byHost;
  const { read, initial } = find(cpu, msr);
  return read === undefined ? cpu.msrs.get(msr) ?? initial ?? 0n : read(cpu);
}

/**
 * Writes a register.
 *
 * @throws {Fault} #GP if there is none of this number, it cannot be written or
 *   cannot hold the value; nothing has changed.
 */
export function writeMsr(cpu: Processor, msr: number, value: bigint): void {
  if (cpu.host?.writeMsr?.(msr, value) === true) return;
  const { accepts, write } = find(cpu, msr);
  if (accepts?.(cpu, value) === false) throw generalProtection();
  if (write === undefined) cpu.msrs.set(msr, value);
  else write(cpu, value);
}

const rdmsr: SystemSemantics = (cpu) => setPair(cpu, readMsr(cpu, cpu.low(1)));

const wrmsr: SystemSemantics = (cpu) =>
  writeMsr(cpu, cpu.low(1), BigInt(cpu.low(2)) << 32n | BigInt(cpu.low(0)));

/** RDMSR and WRMSR. */
export const msrSemantics: Readonly<Record<string, SystemSemantics>> = {
  rdmsr: privileged(rdmsr),
  wrmsr: privileged(wrmsr),
};
