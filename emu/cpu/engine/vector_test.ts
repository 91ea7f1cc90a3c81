import assert from "node:assert/strict";
import { unzip } from "../../../testdata/answers.ts";
import { flatMachine } from "../../../testdata/flat_machine.ts";
import { codeAt, dataAt } from "../../../testdata/processor_cases.ts";
import {
  VectorAnswerReader,
  vectorCases,
  vectorDifferences,
  vectorModes,
  vectorTurns,
} from "../../../testdata/vector_cases.ts";
import type { EvaluatedVectors } from "../evaluate_vector.ts";
import * as at from "../layout.ts";
import { cr4Bits, type Processor, vectors as vectorOf } from "../processor.ts";

/** The registers of SSE and MMX as they lie in memory. */
function vectorsOf({ bytes, view, words }: Processor): EvaluatedVectors {
  const register = (n: number) => at.FPU_REGISTERS + 16 * n;
  return {
    xmm: new BigUint64Array(bytes.slice(at.XMM, at.XMM + 256).buffer),
    significands: BigUint64Array.from(
      { length: 8 },
      (_, n) => view.getBigUint64(register(n), true),
    ),
    exponents: Uint16Array.from({ length: 8 }, (_, n) => view.getUint16(register(n) + 8, true)),
    top: words[at.FPU_TOP >> 2] ?? 0,
    tags: words[at.FPU_TAGS >> 2] ?? 0,
    mxcsr: words[at.MXCSR >> 2] ?? 0,
  };
}

/** Sets them. */
function setVectors({ bytes, view, words }: Processor, vectors: EvaluatedVectors): void {
  bytes.set(new Uint8Array(vectors.xmm.slice().buffer), at.XMM);
  for (let n = 0; n < 8; n++) {
    const register = at.FPU_REGISTERS + 16 * n;
    view.setBigUint64(register, vectors.significands[n] ?? 0n, true);
    view.setUint16(register + 8, vectors.exponents[n] ?? 0, true);
  }
  words[at.FPU_TOP >> 2] = vectors.top;
  words[at.FPU_TAGS >> 2] = vectors.tags;
  words[at.MXCSR >> 2] = vectors.mxcsr;
}

for (const mode of vectorModes) {
  Deno.test(`generated code does with MMX and SSE what a processor (Ice Lake) did, in ${mode}-bit code`, async () => {
    const answers = new VectorAnswerReader(await unzip(`processor/vectors${mode}.bin.gz`));
    const { cpu, engine, mmu, ram, faults, reset } = flatMachine(0x2002_0000);
    cpu.cr4 |= cr4Bits.OSFXSR | cr4Bits.OSXMMEXCPT;
    const wrong = new Map<string, string>();
    let count = 0;
    let raised = 0;
    const code = codeAt[mode];
    for (const one of vectorCases(mode, vectorTurns[mode])) {
      const answer = answers.next(one);
      reset(mode);
      cpu.registers.set(one.registers);
      setVectors(cpu, one.vectors);
      cpu.eflags = one.flags;
      cpu.rip = code;
      ram.fill(0xf4, code, code + 0x60);
      ram.set(one.bytes, code);
      mmu.written(code, 0x60);
      ram.set(one.data, dataAt);
      engine.run(1);
      count++;
      const state = {
        ...{ registers: cpu.registers, flags: cpu.eflags },
        data: ram.subarray(dataAt, dataAt + one.data.length),
      };
      const differences = vectorDifferences(state, vectorsOf(cpu), answer);
      const vector = faults[0]?.vector;
      if (vector !== (answer.raised ? vectorOf.XM : undefined)) {
        differences.push(`exception ${vector}`);
      }
      if (answer.raised) raised++;
      if (differences.length > 0 && !wrong.has(one.name)) {
        wrong.set(one.name, `${one.bytes.toHex()} ${differences.join(", ")}`);
      }
    }
    assert.ok(answers.done);
    assert.deepEqual([...wrong], []);
    assert.ok(count > 10_000 && raised > 300, `${count} cases, ${raised} raised #XM`);
  });
}
