import assert from "node:assert/strict";
import { unzip } from "../../testdata/answers.ts";
import { flatMachine } from "../../testdata/flat_machine.ts";
import { codeAt, dataAt } from "../../testdata/processor_cases.ts";
import {
  VectorAnswerReader,
  vectorCases,
  vectorDifferences,
  vectorModes,
  vectorTurns,
} from "../../testdata/vector_cases.ts";
import { evaluateOnProcessor } from "./evaluate_processor.ts";
import type { EvaluatedVectors } from "./evaluate_vector.ts";
import * as at from "./layout.ts";
import type { Form } from "./opcodes/form.ts";
import { cr0Bits, cr4Bits, type Processor, vectors as numbers } from "./processor.ts";
import { vectorNeeds } from "./vector_operands.ts";

/** All of MMX and SSE by their descriptions, whether there is code for them or not. */
const system = (form: Form) => vectorNeeds(form) === undefined ? undefined : evaluateOnProcessor;

function setVectors({ words, view }: Processor, vectors: EvaluatedVectors): void {
  vectors.xmm.forEach((word, n) => view.setBigUint64(at.XMM + 8 * n, word, true));
  for (let n = 0; n < 8; n++) {
    view.setBigUint64(at.FPU_REGISTERS + 16 * n, vectors.significands[n] ?? 0n, true);
    view.setUint16(at.FPU_REGISTERS + 16 * n + 8, vectors.exponents[n] ?? 0, true);
  }
  words[at.FPU_TOP >> 2] = vectors.top;
  words[at.FPU_TAGS >> 2] = vectors.tags;
  words[at.MXCSR >> 2] = vectors.mxcsr;
}

function getVectors({ words, view }: Processor): EvaluatedVectors {
  const numbered = (count: number) => Array.from({ length: count }, (_, n) => n);
  return {
    xmm: BigUint64Array.from(numbered(32), (n) => view.getBigUint64(at.XMM + 8 * n, true)),
    significands: BigUint64Array.from(
      numbered(8),
      (n) => view.getBigUint64(at.FPU_REGISTERS + 16 * n, true),
    ),
    exponents: Uint16Array.from(
      numbered(8),
      (n) => view.getUint16(at.FPU_REGISTERS + 16 * n + 8, true),
    ),
    top: words[at.FPU_TOP >> 2] as number,
    tags: words[at.FPU_TAGS >> 2] as number,
    mxcsr: words[at.MXCSR >> 2] as number,
  };
}

for (const mode of vectorModes) {
  Deno.test(`the machine does with MMX and SSE what a processor (Ice Lake) did, in ${mode}-bit code`, async () => {
    const answers = new VectorAnswerReader(await unzip(`processor/vectors${mode}.bin.gz`));
    const machine = flatMachine(0x2002_0000, { system });
    const { cpu, engine, mmu, ram, faults } = machine;
    cpu.cr4 |= cr4Bits.OSFXSR | cr4Bits.OSXMMEXCPT;
    const code = codeAt[mode];
    const wrong: string[] = [];
    let number = 0;
    for (const one of vectorCases(mode, vectorTurns[mode])) {
      const answer = answers.next(one);
      // The evaluator is asked about all of them elsewhere.
      if (number++ % 5 !== 0) continue;
      machine.reset(mode);
      cpu.registers.set(one.registers);
      cpu.eflags = one.flags;
      cpu.rip = code;
      setVectors(cpu, one.vectors);
      ram.fill(0xf4, code, code + 0x20);
      ram.set(one.bytes, code);
      mmu.written(code, 0x20);
      ram.set(one.data, dataAt);
      engine.run(1);
      const state = {
        ...{ registers: cpu.registers, flags: cpu.eflags & 0xffff },
        data: ram.subarray(dataAt, dataAt + one.data.length),
      };
      const differences = vectorDifferences(state, getVectors(cpu), answer);
      const expected = answer.raised ? [numbers.XM] : [];
      const raised = faults.map(({ vector }) => vector);
      if (raised.join() !== expected.join()) differences.push(`fault ${raised.join()}`);
      if (differences.length > 0) {
        wrong.push(`${one.name} ${one.bytes.toHex()} ${differences.join(", ")}`);
      }
    }
    assert.ok(answers.done);
    assert.deepEqual(wrong, []);
  });
}

Deno.test("MMX and SSE raise #UD, #NM and #MF as CR0, CR4 and x87 say", () => {
  const machine = flatMachine(0x10_0000, { system });
  const { cpu, engine, mmu, ram, faults } = machine;
  const raises = (hex: string, cr0: number, cr4: number, status = 0, mxcsr = 0x1f80) => {
    machine.reset(32);
    const before = cpu.cr0;
    cpu.cr0 |= cr0 | cr0Bits.NE;
    cpu.cr4 = cr4;
    cpu.words[at.FPU_STATUS >> 2] = status;
    cpu.words[at.MXCSR >> 2] = mxcsr;
    cpu.rip = 0x1000;
    ram.set(Uint8Array.fromHex(`${hex}f4f4`), 0x1000);
    mmu.written(0x1000, 16);
    engine.run(1);
    cpu.cr0 = before;
    return faults[0]?.vector;
  };
  const { OSFXSR, OSXMMEXCPT } = cr4Bits;
  const [addps, paddb, cvtpi2ps, divps] = ["0f58c1", "0ffcc1", "0f2ac1", "0f5ec1"];
  const all = [addps, paddb, cvtpi2ps];
  const each = (cr0: number, cr4: number, status = 0) =>
    all.map((hex) => raises(hex, cr0, cr4, status));
  assert.deepEqual(each(0, OSFXSR), [undefined, undefined, undefined]);
  assert.deepEqual(each(cr0Bits.EM, OSFXSR), [numbers.UD, numbers.UD, numbers.UD]);
  assert.deepEqual(each(cr0Bits.TS, OSFXSR), [numbers.NM, numbers.NM, numbers.NM]);
  assert.deepEqual(each(cr0Bits.TS, 0), [numbers.UD, numbers.NM, numbers.UD]);
  assert.deepEqual(each(0, OSFXSR, 0x80), [undefined, numbers.MF, numbers.MF]);
  // Zero by zero, not masked.
  cpu.bytes.fill(0, at.XMM, at.XMM + 256);
  assert.equal(raises(divps, 0, OSFXSR | OSXMMEXCPT, 0, 0x1f00), numbers.XM);
  assert.equal(cpu.words[at.MXCSR >> 2], 0x1f01);
  assert.equal(raises(divps, 0, OSFXSR, 0, 0x1f00), numbers.UD);
});
