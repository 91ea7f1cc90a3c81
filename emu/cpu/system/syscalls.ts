/**
 * Fast system calls, and what a kernel of 64 bits needs beside them: SYSENTER,
 * SYSEXIT, SYSCALL, SYSRET, SWAPGS, the bases of FS and GS, calls to a
 * hypervisor.
 *
 * The segments that they load are fixed; no descriptor is read. SYSENTER and
 * SYSEXIT work in long mode, as on Intel's processors; SYSCALL and SYSRET only
 * in 64-bit mode, likewise.
 *
 * Source: Intel SDM vol. 2, Operation of each.
 *
 * @module
 */

import { FLAGS_OTHER } from "../layout.ts";
import {
  attribute,
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
import { isCanonical, setRegister64 } from "./segments.ts";
import { SP } from "./stack.ts";

const { CS, SS, FS, GS } = segmentNumbers;
const [CX, DX, R11] = [1, 2, 11] as const;

const present = attribute.present | attribute.s | attribute.granular | attribute.accessed;
/** Code that may be read, and data that may be written, of 4 GiB from address 0. */
const flatCode = present | attribute.code | attribute.writable;
const flatData = present | attribute.writable | attribute.big;

/** Sets CS and SS to flat segments of a level, and the level. */
function setFlat(cpu: Processor, code: number, stack: number, level: number, is64: boolean): void {
  const dpl = level << attribute.dplShift;
  const cs = cpu.segments[CS];
  cs.selector = code;
  cs.base = 0;
  cs.limit = 0xffff_ffff;
  cs.attributes = flatCode | dpl | (is64 ? attribute.long : attribute.big);
  const ss = cpu.segments[SS];
  ss.selector = stack;
  ss.base = 0;
  ss.limit = 0xffff_ffff;
  ss.attributes = flatData | dpl;
  cpu.cpl = level;
  cpu.refresh();
}

function clearFlags(cpu: Processor, mask: number): void {
  cpu.words[FLAGS_OTHER >> 2] = (cpu.words[FLAGS_OTHER >> 2] as number) & ~mask;
}

/** RIP stays where the host put it. */
function keepRip(cpu: Processor): void {
  cpu.nextRip = cpu.rip;
}

const sysenter: SystemSemantics = (cpu) => {
  const { sysenterCs, sysenterEsp, sysenterEip } = cpu.msrs;
  if (cpu.host?.systemCall?.("sysenter") === true) return keepRip(cpu);
  if (!cpu.isProtected || (sysenterCs & 0xfffc) === 0) throw generalProtection();
  const { isLong } = cpu;
  clearFlags(cpu, eflag.VM | eflag.IF | eflag.RF);
  const code = sysenterCs & 0xfffc;
  setFlat(cpu, code, code + 8 & 0xffff, 0, isLong);
  cpu.setAddress(SP, sysenterEsp, isLong ? 64 : 32);
  cpu.nextRip = isLong ? sysenterEip : sysenterEip >>> 0;
};

const sysexit: SystemSemantics = (cpu, i) => {
  const { sysenterCs } = cpu.msrs;
  if (!cpu.isProtected || (sysenterCs & 0xfffc) === 0) throw generalProtection();
  const to64 = i.operandSize === 64;
  const width = to64 ? 64 : 32;
  const rip = cpu.address(DX, width);
  const rsp = cpu.address(CX, width);
  if (to64 && !(isCanonical(rip) && isCanonical(rsp))) throw generalProtection();
  const code = (sysenterCs + (to64 ? 32 : 16) | 3) & 0xffff;
  setFlat(cpu, code, code + 8 & 0xffff, 3, to64);
  cpu.setAddress(SP, rsp, width);
  cpu.nextRip = rip;
};

const syscall: SystemSemantics = (cpu) => {
  if (cpu.host?.systemCall?.("syscall") === true) return keepRip(cpu);
  if ((cpu.efer & eferBits.SCE) === 0 || cpu.mode !== 64) throw undefinedOpcode();
  const { syscallSelector, lstar, sfmask } = cpu.msrs;
  const flags = cpu.eflags & ~eflag.RF;
  cpu.setAddress(CX, cpu.nextRip, 64);
  cpu.setAddress(R11, flags, 32);
  cpu.eflags = flags & ~sfmask;
  // Whether a step is trapped is asked when SYSCALL and SYSRET are through.
  if ((sfmask & eflag.TF) !== 0) cpu.untraced = true;
  const code = syscallSelector & 0xfffc;
  setFlat(cpu, code, code + 8 & 0xffff, 0, true);
  cpu.nextRip = lstar;
};

/** What of R11 SYSRET makes flags: not RF and VM. */
const sysretFlags = 0x3c_7fd7;

const sysret: SystemSemantics = (cpu, i) => {
  if ((cpu.efer & eferBits.SCE) === 0 || cpu.mode !== 64) throw undefinedOpcode();
  const { sysretSelector } = cpu.msrs;
  const to64 = i.operandSize === 64;
  const rip = cpu.address(CX, to64 ? 64 : 32);
  if (to64 && !isCanonical(rip)) throw generalProtection();
  const wasTraced = (cpu.eflags & eflag.TF) !== 0;
  cpu.eflags = cpu.low(R11) & sysretFlags;
  const code = (sysretSelector + (to64 ? 16 : 0) | 3) & 0xffff;
  setFlat(cpu, code, (sysretSelector + 8 | 3) & 0xffff, 3, to64);
  cpu.nextRip = rip;
  const isTraced = (cpu.eflags & eflag.TF) !== 0;
  if (wasTraced && !isTraced) cpu.untraced = true;
  if (isTraced && !wasTraced) {
    // As if the system call had just been through.
    cpu.rip = rip;
    cpu.debug[6] = (cpu.debug[6] ?? 0n) | 0x4000n;
    throw new Fault(vectors.DB);
  }
};

const swapgs: SystemSemantics = (cpu) => {
  const gs = cpu.segments[GS];
  const { kernelGsBase } = cpu.msrs;
  cpu.msrs.kernelGsBase = gs.base;
  gs.base = kernelGsBase;
};

/** A hypervisor's call: of the host, or undefined. */
const hypercall: SystemSemantics = (cpu) => {
  if (cpu.host?.call?.() !== true) throw undefinedOpcode();
  keepRip(cpu);
};

/** RDFSBASE and RDGSBASE. */
function readBase(number: 4 | 5): SystemSemantics {
  return (cpu, i) => {
    if ((cpu.cr4 & cr4Bits.FSGSBASE) === 0) throw undefinedOpcode();
    const { base } = cpu.segments[number];
    const high = i.operandSize === 64 ? Math.floor(base / 0x1_0000_0000) : 0;
    setRegister64(cpu, i.rm, base >>> 0, high);
  };
}

/** WRFSBASE and WRGSBASE. */
function writeBase(number: 4 | 5): SystemSemantics {
  return (cpu, i) => {
    if ((cpu.cr4 & cr4Bits.FSGSBASE) === 0) throw undefinedOpcode();
    const base = cpu.address(i.rm, i.operandSize === 64 ? 64 : 32);
    if (!isCanonical(base)) throw generalProtection();
    cpu.segments[number].base = base;
  };
}

/** Fast system calls and their kin. */
export const syscallSemantics: Readonly<Record<string, SystemSemantics>> = {
  ...{ sysenter, sysexit, syscall, sysret, swapgs, vmcall: hypercall, vmmcall: hypercall },
  ...{ rdfsbase: readBase(FS), rdgsbase: readBase(GS) },
  ...{ wrfsbase: writeBase(FS), wrgsbase: writeBase(GS) },
};
