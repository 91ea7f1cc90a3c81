/**
 * Careful steps: one instruction at a time, carried out in TypeScript with an eye
 * on where it is and what it touches. So run instructions that are traced, and all
 * of them while DR7 enables a breakpoint.
 *
 * A repeated string instruction does one element a step, and each may trap.
 * Accesses that the processor makes for itself, such as to descriptors, are not
 * watched.
 *
 * Source: Intel SDM vol. 3B, 18.2 (debug registers) and 18.3 (debug exceptions).
 *
 * @module
 */

import { Instruction, PREFIX_REP, PREFIX_REPNE } from "../instruction.ts";
import * as at from "../layout.ts";
import type { Form } from "../opcodes/form.ts";
import {
  cr4Bits,
  eflag,
  Fault,
  type Mmu,
  type Processor,
  type Rights,
  type SystemSemantics,
  vectors,
} from "../processor.ts";
import { TimeStampDenied } from "../system/control.ts";

/** What a breakpoint is on, as DR7 numbers it. */
const on = { execution: 0, writes: 1, ports: 2, accesses: 3 } as const;
/** Sizes by what DR7 says: 1, 2, 8 and 4 bytes. */
const sizes = [1, 2, 8, 4] as const;
/** DR6: a single step. */
const singleStep = 0x4000;
/** Elements of a string that a step does if nothing is met, at most; they count as an instruction. */
const manyElements = 256;

/** Exceptions without an instruction between that count as one. */
const manyExceptions = 4;

/** An instruction, and how it is carried out. */
export interface CarriedOut {
  /** Its row. */
  readonly form: Form;
  /** What it does. */
  readonly semantics: SystemSemantics;
}

/** Whether a host carries out what generated code found denied: RDTSC. RIP is then as it left it. */
export function isDoneByHost(
  cpu: Processor,
  fault: Fault,
  read: (i: Instruction) => CarriedOut,
): boolean {
  if (!(fault instanceof TimeStampDenied) || cpu.host?.privileged === undefined) return false;
  const i = new Instruction();
  return cpu.host.privileged(i, read(i).form);
}

/** Careful steps of one processor. */
export class CarefulSteps {
  /** What the last step met: bits for DR6; 0: no debug trap follows it. */
  trap = 0;

  readonly #cpu: Processor;
  readonly #i = new Instruction();
  /** Met by an instruction that loads SS: told behind the next one. */
  #held = 0;
  /** Met by this instruction. */
  #met = 0;
  /** Exceptions that came since so many instructions had retired. */
  #exceptions = 0;
  #stalledAt = 0;

  /** Steps of a processor. */
  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }

  /**
   * Notes that an exception was delivered, and the processor was not stopped there.
   *
   * @param retired Instructions that have retired until now.
   * @returns Whether so many came without one between that it counts as an
   *   instruction: a handler that cannot be executed would stop time.
   */
  stalls(retired: number): boolean {
    const goesOn = retired === this.#stalledAt && !this.#cpu.halted;
    this.#exceptions = goesOn ? this.#exceptions + 1 : 0;
    this.#stalledAt = retired;
    return this.#exceptions >= manyExceptions;
  }

  /** Whether DR7 enables a breakpoint. */
  get isNeeded(): boolean {
    const seven = this.#cpu.debug[7];
    return seven !== 0x400n && (Number(seven) & 0xff) !== 0;
  }

  /**
   * Carries out the instruction at RIP.
   *
   * @param linear Its linear address.
   * @param isShaded It follows one that loads SS: no breakpoint strikes before it.
   * @param decode Decodes it.
   * @returns Whether it has retired, and is not a string of which elements are left.
   * @throws {Fault} Its exception, or #DB of an instruction breakpoint.
   */
  step(linear: number, isShaded: boolean, decode: (i: Instruction) => CarriedOut): boolean {
    const cpu = this.#cpu;
    const { words, debug } = cpu;
    const flags = words[at.FLAGS_OTHER >> 2] as number;
    this.trap = this.#met = 0;
    if (!isShaded && (flags & eflag.RF) === 0) {
      this.#meet(linear, 1, on.execution);
      if (this.#met !== 0) {
        debug[6] = (debug[6] ?? 0n) | BigInt(this.#met);
        throw new Fault(vectors.DB);
      }
    }
    words[at.FLAGS_OTHER >> 2] = flags & ~eflag.RF;
    const i = this.#i;
    const { form, semantics } = decode(i);
    const { rip, mmu } = cpu;
    cpu.nextRip = cpu.mode === 64 ? rip + i.length : rip + i.length >>> 0;
    const { elementsAStep } = cpu;
    cpu.elementsAStep = 1;
    if (this.isNeeded) {
      cpu.mmu = this.#watched(mmu);
      this.#meetPorts(i, form);
    }
    const isString = (i.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0 &&
      form.operands.some(({ kind }) => kind === "X" || kind === "Y");
    const isTraced = (flags & eflag.TF) !== 0;
    let repeats = false;
    let elements = 0;
    const behind = cpu.nextRip;
    try {
      do {
        cpu.nextRip = behind;
        semantics(cpu, i, form);
        repeats = isString && cpu.nextRip === rip;
      } while (repeats && !isTraced && this.#met === 0 && ++elements < manyElements);
    } finally {
      cpu.mmu = mmu;
      cpu.elementsAStep = elementsAStep;
    }
    cpu.rip = cpu.nextRip;
    let met = this.#met | this.#held;
    this.#held = 0;
    if (cpu.shadow === 2) {
      this.#held = met;
      return true;
    }
    if (isTraced && !cpu.untraced) met |= singleStep;
    this.trap = met;
    // What is saved keeps a breakpoint from striking amid a string.
    if (repeats && met !== 0) {
      words[at.FLAGS_OTHER >> 2] = (words[at.FLAGS_OTHER >> 2] as number) | eflag.RF;
    }
    // Many count as an instruction.
    return !repeats || elements === manyElements;
  }

  /** Notes breakpoints that an access meets. */
  #meet(address: number, bytes: number, ...kinds: readonly number[]): void {
    const { debug, isLong } = this.#cpu;
    const seven = Number(debug[7]);
    for (let n = 0; n < 4; n++) {
      if ((seven >> 2 * n & 3) === 0) continue;
      const kind = seven >> 16 + 4 * n & 3;
      if (!kinds.includes(kind)) continue;
      const size = kind === on.execution ? 1 : sizes[seven >> 18 + 4 * n & 3] ?? 1;
      const value = debug[n] ?? 0n;
      const place = Number(isLong ? BigInt.asIntN(64, value) : BigInt.asUintN(32, value));
      const start = Math.floor(place / size) * size;
      if (address < start + size && address + bytes > start) this.#met |= 1 << n;
    }
  }

  /** Notes breakpoints on the port of IN, OUT and their kin. */
  #meetPorts(i: Instruction, form: Form): void {
    const cpu = this.#cpu;
    if ((cpu.cr4 & cr4Bits.DE) === 0 || !/^(in|out)(s|$)/.test(form.row.as ?? form.mnemonics[0])) {
      return;
    }
    const bytes = (i.opcode & 1) === 0 ? 1 : i.operandSize === 16 ? 2 : 4;
    // E4 to E7 name the port; the others have it in DX.
    const isNamed = (i.opcode & 0xfc) === 0xe4;
    this.#meet(isNamed ? i.immediate & 0xff : cpu.low(2) & 0xffff, bytes, on.ports);
  }

  /** Memory with an eye on what is touched. */
  #watched(mmu: Mmu): Mmu {
    const meet = (linear: number, bytes: number, rights: Rights | undefined, writes: boolean) => {
      if (rights === "supervisor") return;
      if (writes) this.#meet(linear, bytes, on.writes, on.accesses);
      else this.#meet(linear, bytes, on.accesses);
    };
    return {
      load(linear, bytes, rights) {
        const value = mmu.load(linear, bytes, rights);
        meet(linear, bytes, rights, false);
        return value;
      },
      loadBig(linear, rights) {
        const value = mmu.loadBig(linear, rights);
        meet(linear, 8, rights, false);
        return value;
      },
      store(linear, bytes, value, rights) {
        mmu.store(linear, bytes, value, rights);
        meet(linear, bytes, rights, true);
      },
      storeBig(linear, value, rights) {
        mmu.storeBig(linear, value, rights);
        meet(linear, 8, rights, true);
      },
      requireStore: (linear, bytes, rights) => mmu.requireStore(linear, bytes, rights),
      requireLoad: (linear, bytes, rights) => mmu.requireLoad(linear, bytes, rights),
      code: (linear) => mmu.code(linear),
      loadPointers: (cr3) => mmu.loadPointers(cr3),
      flush: (global) => mmu.flush(global),
      invalidate: (linear) => mmu.invalidate(linear),
      physicalLoad: (address, bytes) => mmu.physicalLoad(address, bytes),
      physicalStore: (address, bytes, value) => mmu.physicalStore(address, bytes, value),
    };
  }
}
