/**
 * The referee on the machine's own state: carries out an instruction by its
 * description where there is no generated code for it.
 *
 * So whatever is described can be executed, if slowly. Generated code that
 * handles only the common cases of an instruction may leave the others to this.
 *
 * @module
 */

import { Evaluator } from "./evaluate.ts";
import { type Bits, bitsOf, Raised } from "./evaluate_bits.ts";
import type { EvaluatedVectors } from "./evaluate_vector.ts";
import type { Instruction } from "./instruction.ts";
import * as at from "./layout.ts";
import type { Form } from "./opcodes/form.ts";
import {
  cr0Bits,
  cr4Bits,
  Fault,
  type Processor,
  type SystemSemantics,
  undefinedOpcode,
  vectors as vectorNumbers,
} from "./processor.ts";
import type { Fault as FaultName, Width } from "./semantics/emitter.ts";
import { semanticsOf } from "./semantics/mod.ts";
import { readTimeStamp } from "./system/control.ts";
import { namesMmx, vectorNeeds } from "./vector_operands.ts";
import { x87Available } from "./x87/registers.ts";

const numbers: Readonly<Record<FaultName, number>> = {
  ...{ "#DE": 0, "#DB": 1, "#BP": 3, "#OF": 4, "#BR": 5, "#UD": 6, "#SS": 12, "#GP": 13 },
  ...{ "#XM": 19 },
};

/**
 * What instructions of MMX and SSE do first.
 *
 * @throws {Fault} #UD, #NM or #MF where the operating system has not enabled
 *   what the row needs, or has switched tasks, or an x87 exception waits.
 */
export function requireVectors(cpu: Processor, form: Form): void {
  const needs = vectorNeeds(form);
  if (needs === undefined) return;
  if ((cpu.cr0 & cr0Bits.EM) !== 0) throw undefinedOpcode();
  if (needs !== "mmx" && (cpu.cr4 & cr4Bits.OSFXSR) === 0) throw undefinedOpcode();
  if ((cpu.cr0 & cr0Bits.TS) !== 0) throw new Fault(vectorNumbers.NM);
  if (needs !== "sse") x87Available(cpu);
}

/** The exception that an unmasked SSE exception is: #XM, or #UD where the system knows none. */
export function vectorException(cpu: Processor): Fault {
  return (cpu.cr4 & cr4Bits.OSXMMEXCPT) !== 0 ? new Fault(vectorNumbers.XM) : undefinedOpcode();
}

/** Memory goes through the processor's segments and page tables. */
class ProcessorEvaluator extends Evaluator {
  readonly #cpu: Processor;

  constructor(cpu: Processor, i: Instruction, form: Form, vectors: EvaluatedVectors) {
    const segments = cpu.segments.slice(0, 6);
    const { mode } = cpu;
    super(
      {
        ...{ mode, registers: cpu.registers, flags: cpu.eflags, cpl: cpu.cpl, vectors },
        rip: BigInt.asUintN(mode === 64 ? 64 : 32, BigInt(cpu.rip)),
        selectors: Uint16Array.from(segments, ({ selector }) => selector),
        bases: BigUint64Array.from(segments, ({ base }) => BigInt.asUintN(64, BigInt(base))),
        stack: cpu.stackWidth,
        timeStamp: () => readTimeStamp(cpu),
        elementsAStep: cpu.elementsAStep,
        // What is below goes elsewhere, so nothing comes here.
        memory: { load: () => undefined, canStore: () => false, store: () => {} },
      },
      i,
      form,
    );
    this.#cpu = cpu;
  }

  #linear(segment: number, { bits }: Bits, bytes: number, writes: boolean): number {
    const { mode } = this.#cpu;
    const offset = Number(mode === 64 ? BigInt.asIntN(64, bits) : bits);
    return this.#cpu.linear(segment, offset, bytes, writes);
  }

  override load(segment: number, address: Bits, width: Width): Bits {
    const { mmu } = this.#cpu;
    const linear = this.#linear(segment, address, width / 8, false);
    if (width === 128) {
      mmu.requireLoad(linear, 16);
      return bitsOf(128, mmu.loadBig(linear + 8) << 64n | mmu.loadBig(linear));
    }
    if (width === 64) return bitsOf(64, mmu.loadBig(linear));
    return bitsOf(width, BigInt(mmu.load(linear, width / 8 as 1 | 2 | 4)));
  }

  override loadForStore(segment: number, address: Bits, width: Width): Bits {
    this.#cpu.mmu.requireStore(this.#linear(segment, address, width / 8, true), width / 8);
    return this.load(segment, address, width);
  }

  override store(segment: number, address: Bits, { width, bits }: Bits): void {
    const { mmu } = this.#cpu;
    const linear = this.#linear(segment, address, width / 8, true);
    if (width === 128) {
      mmu.requireStore(linear, 16);
      mmu.storeBig(linear, BigInt.asUintN(64, bits));
      mmu.storeBig(linear + 8, bits >> 64n);
    } else if (width === 64) mmu.storeBig(linear, bits);
    else mmu.store(linear, width / 8 as 1 | 2 | 4, Number(bits));
  }

  override requireAligned(segment: number, address: Bits, bytes: number): void {
    const { mode, segments } = this.#cpu;
    if (mode !== 64) {
      if (this.#linear(segment, address, bytes, false) % bytes !== 0) throw new Raised("#GP");
      return;
    }
    // Whether it is canonical is found out later.
    const base = segment < 4 ? 0n : BigInt(segments[segment as 4].base);
    if (BigInt.asUintN(4, address.bits + base) % BigInt(bytes) !== 0n) throw new Raised("#GP");
  }
}

/** The machine's vector registers, to be changed and put back. */
function vectorsOf(cpu: Processor, form: Form): EvaluatedVectors {
  const { view, words } = cpu;
  const found: EvaluatedVectors = {
    xmm: new BigUint64Array(cpu.memory.buffer, at.XMM, 32),
    significands: new BigUint64Array(8),
    exponents: new Uint16Array(8),
    top: words[at.FPU_TOP >> 2] as number,
    tags: words[at.FPU_TAGS >> 2] as number,
    mxcsr: words[at.MXCSR >> 2] as number,
  };
  if (!namesMmx(form)) return found;
  for (let n = 0; n < 8; n++) {
    found.significands[n] = view.getBigUint64(at.FPU_REGISTERS + 16 * n, true);
    found.exponents[n] = view.getUint16(at.FPU_REGISTERS + 16 * n + 8, true);
  }
  return found;
}

function putVectors(cpu: Processor, form: Form, vectors: EvaluatedVectors): void {
  const { view, words } = cpu;
  words[at.MXCSR >> 2] = vectors.mxcsr;
  if (!namesMmx(form)) return;
  words[at.FPU_TOP >> 2] = vectors.top;
  words[at.FPU_TAGS >> 2] = vectors.tags;
  for (let n = 0; n < 8; n++) {
    view.setBigUint64(at.FPU_REGISTERS + 16 * n, vectors.significands[n] ?? 0n, true);
    view.setUint16(at.FPU_REGISTERS + 16 * n + 8, vectors.exponents[n] ?? 0, true);
  }
}

/** Carries out an instruction that has a description, by that. */
export const evaluateOnProcessor: SystemSemantics = (cpu, i, form) => {
  const semantics = semanticsOf(form);
  if (semantics === undefined) throw undefinedOpcode();
  requireVectors(cpu, form);
  const vectors = vectorsOf(cpu, form);
  const evaluator = new ProcessorEvaluator(cpu, i, form, vectors);
  const { flags } = evaluator.state;
  try {
    semantics(evaluator);
  } catch (raised) {
    const isVector = raised instanceof Raised && raised.fault === "#XM";
    evaluator.rollBack();
    evaluator.vector.rollBack(isVector);
    if (isVector) putVectors(cpu, form, vectors);
    if (!(raised instanceof Raised) || raised.fault === "#PF") throw raised;
    if (isVector) throw vectorException(cpu);
    const hasCode = raised.fault === "#GP" || raised.fault === "#SS";
    throw new Fault(numbers[raised.fault], hasCode ? 0 : undefined);
  }
  putVectors(cpu, form, vectors);
  if (evaluator.state.flags !== flags) cpu.eflags = evaluator.state.flags;
  if (evaluator.target !== undefined) {
    const { target } = evaluator;
    cpu.nextRip = Number(cpu.mode === 64 ? BigInt.asIntN(64, target) : target);
  }
};
