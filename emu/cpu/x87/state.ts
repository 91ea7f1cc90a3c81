/**
 * Control of the x87 unit and saving of its state: FNINIT, FLDCW and their like,
 * and FNSTENV, FNSAVE, FLDENV and FRSTOR in their four layouts. What saves the
 * SSE registers besides is in extended_state.ts.
 *
 * Source: Intel SDM vol. 1, 8.1.10 and figures 8-9 to 8-12.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import * as at from "../layout.ts";
import type { Processor, SystemSemantics } from "../processor.ts";
import { kind, kindOf } from "./extended.ts";
import { extendedStateSemantics } from "./extended_state.ts";
import { onwards, operandAddress, probeStore } from "./operands.ts";
import {
  clearExceptions,
  controlOf,
  initialize,
  setControl,
  setStackRegister,
  setStatus,
  setTags,
  stackRegister,
  statusOf,
  tagsOf,
  x87Available,
  x87Present,
} from "./registers.ts";

/** Two bits a register, in physical order: 0 valid, 1 zero, 2 special, 3 empty. */
export function fullTags(cpu: Processor): number {
  const abridged = tagsOf(cpu);
  const top = statusOf(cpu) >> 11 & 7;
  let tags = 0;
  for (let n = 0; n < 8; n++) {
    const which = kindOf(stackRegister(cpu, n - top));
    const tag = (abridged >> n & 1) === 0
      ? 3
      : which === kind.normal
      ? 0
      : which === kind.zero
      ? 1
      : 2;
    tags |= tag << 2 * n;
  }
  return tags;
}

/** The abridged tags that full ones come down to. */
export function abridged(full: number): number {
  let tags = 0;
  for (let n = 0; n < 8; n++) if ((full >> 2 * n & 3) !== 3) tags |= 1 << n;
  return tags;
}

/** An environment of 32-bit or 16-bit layout takes so many bytes. */
const environmentBytes = (i: Instruction) => i.operandSize === 16 ? 14 : 28;

const isReal = (cpu: Processor) => !cpu.isProtected || cpu.isVirtual8086;

/** The environment's seven words, in either width. */
function environmentWords(cpu: Processor, width: number): number[] {
  const { words } = cpu;
  const [opcode, ip, dp] = [at.FPU_OPCODE, at.FPU_IP, at.FPU_DP].map((where) =>
    (words[where >> 2] as number) >>> 0
  ) as [number, number, number];
  const [cs, ds] = [words[at.FPU_CS >> 2] as number, words[at.FPU_DS >> 2] as number];
  const first = [controlOf(cpu), statusOf(cpu), fullTags(cpu)];
  if (isReal(cpu)) {
    // Pointers are linear here, of 20 bits in the narrow layout and of 32 in the other.
    const [code, data] = [(cs << 4) + ip >>> 0, (ds << 4) + dp >>> 0];
    const high = width === 2
      ? (linear: number) => (linear >>> 16 & 15) << 12
      : (linear: number) => linear >>> 16 << 12;
    return [...first, code & 0xffff, high(code) | opcode, data & 0xffff, high(data)];
  }
  return [...first, ip, width === 2 ? cs : cs | opcode << 16, dp, ds];
}

/** Which words of the 32-bit layouts have only their low half; the other is stored as ones. */
const isHalf = (cpu: Processor, n: number) => n < 3 || (isReal(cpu) ? n === 3 || n === 5 : n === 6);

/** Writes the environment, which was probed. */
function storeEnvironment(cpu: Processor, i: Instruction, address: number): void {
  const width = i.operandSize === 16 ? 2 : 4;
  environmentWords(cpu, width).forEach((word, n) => {
    const value = width === 4 && isHalf(cpu, n) ? word | 0xffff_0000 : word;
    cpu.mmu.store(onwards(cpu, address, width * n), width, value >>> 0);
  });
}

/** An environment as it was read. */
interface SavedEnvironment {
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  readonly ip: number;
  readonly opcode: number;
  readonly dp: number;
}

/** Reads an environment; selectors are not kept, as this processor has none. */
function loadEnvironment(cpu: Processor, i: Instruction, address: number): SavedEnvironment {
  const width = i.operandSize === 16 ? 2 : 4;
  const word = (n: number) => cpu.mmu.load(onwards(cpu, address, width * n), width);
  const [control, status, tags] = [word(0) & 0xffff, word(1) & 0xffff, word(2) & 0xffff];
  const [ip, high, dp, dpHigh] = [word(3), word(4), word(5), word(6)];
  if (isReal(cpu)) {
    const upper = (value: number) => (value >>> 12 & (width === 2 ? 15 : 0xffff)) << 16;
    return {
      ...{ control, status, tags, opcode: high & 0x7ff },
      ip: (upper(high) | ip & 0xffff) >>> 0,
      dp: (upper(dpHigh) | dp & 0xffff) >>> 0,
    };
  }
  const opcode = width === 2 ? 0 : high >>> 16 & 0x7ff;
  return { control, status, tags, ip, opcode, dp };
}

function setEnvironment(cpu: Processor, saved: SavedEnvironment): void {
  const { words } = cpu;
  setTags(cpu, abridged(saved.tags));
  setStatus(cpu, saved.status);
  setControl(cpu, saved.control);
  const set = (where: number, value: number) => {
    words[where >> 2] = value;
    words[where + 4 >> 2] = 0;
  };
  set(at.FPU_IP, saved.ip);
  set(at.FPU_DP, saved.dp);
  words[at.FPU_OPCODE >> 2] = saved.opcode;
  words[at.FPU_CS >> 2] = 0;
  words[at.FPU_DS >> 2] = 0;
}

const fnstenv: SystemSemantics = (cpu, i) => {
  x87Present(cpu);
  probeStore(cpu, i, environmentBytes(i));
  storeEnvironment(cpu, i, operandAddress(cpu, i, environmentBytes(i), true));
  setControl(cpu, controlOf(cpu) | 0x3f);
};

const fldenv: SystemSemantics = (cpu, i) => {
  x87Available(cpu);
  const address = operandAddress(cpu, i, environmentBytes(i), false);
  setEnvironment(cpu, loadEnvironment(cpu, i, address));
};

const fnsave: SystemSemantics = (cpu, i) => {
  x87Present(cpu);
  const bytes = environmentBytes(i);
  probeStore(cpu, i, bytes + 80);
  const address = operandAddress(cpu, i, bytes + 80, true);
  storeEnvironment(cpu, i, address);
  for (let n = 0; n < 8; n++) {
    const { sign, exponent, significand } = stackRegister(cpu, n);
    const where = onwards(cpu, address, bytes + 10 * n);
    cpu.mmu.storeBig(where, significand);
    cpu.mmu.store(onwards(cpu, where, 8), 2, sign << 15 | exponent);
  }
  initialize(cpu);
};

const frstor: SystemSemantics = (cpu, i) => {
  x87Available(cpu);
  const bytes = environmentBytes(i);
  const address = operandAddress(cpu, i, bytes + 80, false);
  cpu.mmu.requireLoad(address, bytes + 80);
  const saved = loadEnvironment(cpu, i, address);
  const values = Array.from({ length: 8 }, (_, n) => {
    const where = onwards(cpu, address, bytes + 10 * n);
    const high = cpu.mmu.load(onwards(cpu, where, 8), 2);
    return {
      sign: high >> 15,
      exponent: high & 0x7fff,
      significand: cpu.mmu.loadBig(where),
    };
  });
  setStatus(cpu, saved.status);
  values.forEach((value, n) => setStackRegister(cpu, n, value));
  setEnvironment(cpu, saved);
};

/** Control of the x87 unit and saving of extended state, by semantic name. */
export const stateSemantics: Readonly<Record<string, SystemSemantics>> = {
  fninit: (cpu) => {
    x87Present(cpu);
    initialize(cpu);
  },
  fnclex: (cpu) => {
    x87Present(cpu);
    clearExceptions(cpu);
  },
  fldcw: (cpu, i) => {
    x87Available(cpu);
    setControl(cpu, cpu.mmu.load(operandAddress(cpu, i, 2, false), 2));
  },
  fnstcw: (cpu, i) => {
    x87Present(cpu);
    cpu.mmu.store(operandAddress(cpu, i, 2, true), 2, controlOf(cpu));
  },
  fnstsw: (cpu, i) => {
    x87Present(cpu);
    if (i.isMemory) cpu.mmu.store(operandAddress(cpu, i, 2, true), 2, statusOf(cpu));
    else cpu.setAddress(0, statusOf(cpu), 16);
  },
  fnstenv,
  fldenv,
  fnsave,
  frstor,
  ...extendedStateSemantics,
};
