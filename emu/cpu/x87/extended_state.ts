/**
 * Saving of x87 and SSE state together: FXSAVE and FXRSTOR, XSAVE and its kin,
 * LDMXCSR and STMXCSR.
 *
 * The XSAVE area begins as FXSAVE's, then has a header of 64 bytes. There are two
 * components, x87 and SSE; both lie in the part that FXSAVE has, so that the
 * compacted form differs in its header only.
 *
 * Source: Intel SDM vol. 1, 10.5 and chapter 13.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import * as at from "../layout.ts";
import {
  cr0Bits,
  cr4Bits,
  Fault,
  generalProtection,
  type Processor,
  type SystemSemantics,
  undefinedOpcode,
  vectors,
} from "../processor.ts";
import { onwards, operandAddress } from "./operands.ts";
import {
  controlOf,
  initialize,
  setControl,
  setStackRegister,
  setStatus,
  setTags,
  stackRegister,
  statusOf,
  tagsOf,
  x87Present,
} from "./registers.ts";

/** Bits of MXCSR that there are. */
export const mxcsrMask = 0xffff;
/** Components of XCR0. */
const [x87, sse] = [1, 2];

/** The operand, aligned as it must be, probed, and by linear address. */
function area(
  cpu: Processor,
  i: Instruction,
  bytes: number,
  alignment: number,
  write: boolean,
): number {
  const address = operandAddress(cpu, i, bytes, write);
  // Linear addresses beyond 2^53 do not come here, so the remainder is exact.
  if (address % alignment !== 0) throw generalProtection();
  if (write) cpu.mmu.requireStore(address, bytes);
  else cpu.mmu.requireLoad(address, bytes);
  return address;
}

/** Bits 56 to 0 of a pointer, sign-extended: what the unit has of it. */
const pointer = (value: bigint) => BigInt.asUintN(64, BigInt.asIntN(57, value));

function pointerAt(cpu: Processor, where: number): bigint {
  return cpu.view.getBigUint64(where, true);
}

/** XMM registers that code of a width reaches. */
const vectorCount = (cpu: Processor) => cpu.mode === 64 ? 16 : 8;

/** Stores the x87 part of the area. */
function storeX87(cpu: Processor, i: Instruction, address: number): void {
  const to = (by: number) => onwards(cpu, address, by);
  const { mmu, words } = cpu;
  mmu.store(to(0), 2, controlOf(cpu));
  mmu.store(to(2), 2, statusOf(cpu));
  mmu.store(to(4), 2, tagsOf(cpu));
  mmu.store(to(6), 2, words[at.FPU_OPCODE >> 2] as number);
  if (i.operandSize === 64) {
    mmu.storeBig(to(8), pointerAt(cpu, at.FPU_IP));
    mmu.storeBig(to(16), pointerAt(cpu, at.FPU_DP));
  } else {
    const pairs = [[8, at.FPU_IP, at.FPU_CS], [16, at.FPU_DP, at.FPU_DS]] as const;
    for (const [by, from, selector] of pairs) {
      mmu.store(to(by), 4, (words[from >> 2] as number) >>> 0);
      mmu.store(to(by + 4), 4, words[selector >> 2] as number);
    }
  }
  for (let n = 0; n < 8; n++) {
    const { sign, exponent, significand } = stackRegister(cpu, n);
    mmu.storeBig(to(32 + 16 * n), significand);
    mmu.storeBig(to(40 + 16 * n), BigInt(sign << 15 | exponent));
  }
}

/** Loads it; nothing in it can be wrong. */
function loadX87(cpu: Processor, i: Instruction, address: number): void {
  const from = (by: number) => onwards(cpu, address, by);
  const { mmu, words, view } = cpu;
  setStatus(cpu, mmu.load(from(2), 2));
  setControl(cpu, mmu.load(from(0), 2));
  for (let n = 0; n < 8; n++) {
    const high = mmu.load(from(40 + 16 * n), 2);
    setStackRegister(cpu, n, {
      sign: high >> 15,
      exponent: high & 0x7fff,
      significand: mmu.loadBig(from(32 + 16 * n)),
    });
  }
  setTags(cpu, mmu.load(from(4), 2));
  words[at.FPU_OPCODE >> 2] = mmu.load(from(6), 2) & 0x7ff;
  words[at.FPU_CS >> 2] = 0;
  words[at.FPU_DS >> 2] = 0;
  const read = (by: number) =>
    i.operandSize === 64 ? pointer(mmu.loadBig(from(by))) : BigInt(mmu.load(from(by), 4));
  view.setBigUint64(at.FPU_IP, read(8), true);
  view.setBigUint64(at.FPU_DP, read(16), true);
}

function storeVectors(cpu: Processor, address: number): void {
  for (let n = 0; n < 2 * vectorCount(cpu); n++) {
    const value = cpu.view.getBigUint64(at.XMM + 8 * n, true);
    cpu.mmu.storeBig(onwards(cpu, address, 160 + 8 * n), value);
  }
}

function loadVectors(cpu: Processor, address: number): void {
  for (let n = 0; n < 2 * vectorCount(cpu); n++) {
    const value = cpu.mmu.loadBig(onwards(cpu, address, 160 + 8 * n));
    cpu.view.setBigUint64(at.XMM + 8 * n, value, true);
  }
}

function clearVectors(cpu: Processor): void {
  cpu.bytes.fill(0, at.XMM, at.XMM + 16 * vectorCount(cpu));
}

const mxcsrOf = (cpu: Processor) => (cpu.words[at.MXCSR >> 2] as number) & mxcsrMask;

function storeMxcsr(cpu: Processor, address: number): void {
  cpu.mmu.store(onwards(cpu, address, 24), 4, mxcsrOf(cpu));
  cpu.mmu.store(onwards(cpu, address, 28), 4, mxcsrMask);
}

/** MXCSR as the area has it. @throws {Fault} #GP if it has bits that there are none of. */
function mxcsrAt(cpu: Processor, address: number): number {
  const value = cpu.mmu.load(address, 4);
  if ((value & ~mxcsrMask) !== 0) throw generalProtection();
  return value;
}

const fxsave: SystemSemantics = (cpu, i) => {
  x87Present(cpu);
  const address = area(cpu, i, 512, 16, true);
  storeX87(cpu, i, address);
  // A processor that has no SSE leaves what would be its part as it is.
  if (!cpu.has("sse")) return;
  storeMxcsr(cpu, address);
  storeVectors(cpu, address);
};

const fxrstor: SystemSemantics = (cpu, i) => {
  x87Present(cpu);
  const address = area(cpu, i, 512, 16, false);
  const hasSse = cpu.has("sse");
  const mxcsr = hasSse ? mxcsrAt(cpu, onwards(cpu, address, 24)) : 0;
  loadX87(cpu, i, address);
  if (!hasSse) return;
  cpu.words[at.MXCSR >> 2] = mxcsr;
  loadVectors(cpu, address);
};

/** #UD or #NM where the SSE unit may not be used; the EM bit is for those that compute. */
function mxcsrAvailable(cpu: Processor): void {
  if ((cpu.cr0 & cr0Bits.EM) !== 0 || (cpu.cr4 & cr4Bits.OSFXSR) === 0) throw undefinedOpcode();
  if ((cpu.cr0 & cr0Bits.TS) !== 0) throw new Fault(vectors.NM);
}

const ldmxcsr: SystemSemantics = (cpu, i) => {
  mxcsrAvailable(cpu);
  cpu.words[at.MXCSR >> 2] = mxcsrAt(cpu, operandAddress(cpu, i, 4, false));
};

const stmxcsr: SystemSemantics = (cpu, i) => {
  mxcsrAvailable(cpu);
  cpu.mmu.store(operandAddress(cpu, i, 4, true), 4, mxcsrOf(cpu));
};

/** Which components are asked for: those of EDX:EAX that XCR0 has. */
const requested = (cpu: Processor) => cpu.low(0) & cpu.xcr0;

/** Which components are not as at reset. */
function inUse(cpu: Processor): number {
  let found = 0;
  const { view } = cpu;
  const isReset = controlOf(cpu) === 0x37f && statusOf(cpu) === 0 && tagsOf(cpu) === 0 &&
    (cpu.words[at.FPU_OPCODE >> 2] as number) === 0 && pointerAt(cpu, at.FPU_IP) === 0n &&
    pointerAt(cpu, at.FPU_DP) === 0n;
  if (!isReset) found |= x87;
  for (let n = 0; n < 8 && (found & x87) === 0; n++) {
    const { sign, exponent, significand } = stackRegister(cpu, n);
    if (sign !== 0 || exponent !== 0 || significand !== 0n) found |= x87;
  }
  for (let n = 0; n < 2 * vectorCount(cpu); n++) {
    if (view.getBigUint64(at.XMM + 8 * n, true) !== 0n) found |= sse;
  }
  return found;
}

function extendedAvailable(cpu: Processor, isSupervisor: boolean): void {
  if ((cpu.cr4 & cr4Bits.OSXSAVE) === 0) throw undefinedOpcode();
  if ((cpu.cr0 & cr0Bits.TS) !== 0) throw new Fault(vectors.NM);
  if (isSupervisor && cpu.cpl !== 0) throw generalProtection();
}

/** Bytes of the area: legacy part and header. */
const areaBytes = 512 + 64;

/** How the instructions of the XSAVE family differ. */
interface Saving {
  /** Components at reset are not written. */
  readonly skips: boolean;
  /** The header says that the area is compacted. */
  readonly compacts: boolean;
  /** At privilege level 0 only. */
  readonly supervisor: boolean;
}

function saving({ skips, compacts, supervisor }: Saving): SystemSemantics {
  return (cpu, i) => {
    extendedAvailable(cpu, supervisor);
    const address = area(cpu, i, areaBytes, 64, true);
    const to = (by: number) => onwards(cpu, address, by);
    const asked = requested(cpu);
    let used = inUse(cpu);
    // Compacted, MXCSR belongs to SSE and may make it differ from reset.
    if (compacts && mxcsrOf(cpu) !== 0x1f80) used |= sse;
    const present = asked & used;
    const written = skips ? present : asked;
    if ((written & x87) !== 0) storeX87(cpu, i, address);
    if ((compacts ? written : asked) & sse) storeMxcsr(cpu, address);
    if ((written & sse) !== 0) storeVectors(cpu, address);
    const before = compacts ? 0 : cpu.mmu.load(to(512), 4);
    cpu.mmu.store(to(512), 4, (before & ~asked | present) >>> 0);
    if (!compacts) return;
    cpu.mmu.store(to(516), 4, 0);
    cpu.mmu.store(to(520), 4, asked);
    cpu.mmu.store(to(524), 4, 0x8000_0000);
  };
}

function restoring(supervisor: boolean): SystemSemantics {
  return (cpu, i) => {
    extendedAvailable(cpu, supervisor);
    const address = area(cpu, i, areaBytes, 64, false);
    const word = (by: number) => cpu.mmu.load(onwards(cpu, address, by), 4);
    const [present, presentHigh, compact, compactHigh] = [512, 516, 520, 524].map(word) as [
      ...[number, number, number, number],
    ];
    const isCompact = compactHigh >>> 31 === 1;
    if (supervisor && !isCompact) throw generalProtection();
    if (presentHigh !== 0 || (present & ~cpu.xcr0) !== 0) throw generalProtection();
    if (isCompact) {
      const isWrong = (compact & ~cpu.xcr0) !== 0 || (present & ~compact) !== 0 ||
        compactHigh !== 0x8000_0000;
      if (isWrong) throw generalProtection();
    }
    // The standard form has eight bytes more that must be zero, the compacted one all.
    for (let by = isCompact ? 528 : 520; by < (isCompact ? 576 : 536); by += 4) {
      if (word(by) !== 0) throw generalProtection();
    }
    const asked = requested(cpu);
    const loads = asked & present;
    const hasMxcsr = isCompact ? (loads & sse) !== 0 : (asked & sse) !== 0;
    const mxcsr = hasMxcsr ? mxcsrAt(cpu, onwards(cpu, address, 24)) : 0x1f80;
    if ((asked & x87) !== 0) {
      if ((loads & x87) !== 0) loadX87(cpu, i, address);
      else resetX87(cpu);
    }
    if ((asked & sse) === 0) return;
    cpu.words[at.MXCSR >> 2] = mxcsr;
    if ((loads & sse) !== 0) loadVectors(cpu, address);
    else clearVectors(cpu);
  };
}

/** The x87 component as at reset: registers, too. */
function resetX87(cpu: Processor): void {
  initialize(cpu);
  cpu.bytes.fill(0, at.FPU_REGISTERS, at.FPU_REGISTERS + 128);
}

/**
 * The state that the units have after power-up: the x87 unit's is not the one
 * that FNINIT leaves, its registers hold zeros.
 *
 * Source: Intel SDM vol. 3A, table 10-1.
 */
export function powerUpExtendedState(cpu: Processor): void {
  resetX87(cpu);
  setControl(cpu, 0x40);
  setTags(cpu, 0xff);
  cpu.words[at.MXCSR >> 2] = 0x1f80;
  cpu.bytes.fill(0, at.XMM, at.XMM + 256);
}

/** Saving of extended state, by semantic name. */
export const extendedStateSemantics: Readonly<Record<string, SystemSemantics>> = {
  fxsave,
  fxrstor,
  ldmxcsr,
  stmxcsr,
  xsave: saving({ skips: false, compacts: false, supervisor: false }),
  xsaveopt: saving({ skips: true, compacts: false, supervisor: false }),
  xsavec: saving({ skips: true, compacts: true, supervisor: false }),
  xsaves: saving({ skips: true, compacts: true, supervisor: true }),
  xrstor: restoring(false),
  xrstors: restoring(true),
};
