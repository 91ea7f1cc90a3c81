import assert from "node:assert/strict";
import { unzip } from "../../../testdata/answers.ts";
import { flatMachine } from "../../../testdata/flat_machine.ts";
import { codeAt, dataAt, stateOf } from "../../../testdata/processor_cases.ts";
import {
  VectorAnswerReader,
  vectorCases,
  vectorDifferences,
  vectorModes,
  vectorTurns,
} from "../../../testdata/vector_cases.ts";
import { Decoder } from "../decode.ts";
import { evaluate } from "../evaluate.ts";
import { copyVectors, type EvaluatedVectors } from "../evaluate_vector.ts";
import * as at from "../layout.ts";
import { hotFrom } from "./interpreter.ts";
import { cr0Bits, cr4Bits, type Processor, vectors as vectorOf } from "../processor.ts";

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

for (const [when, mxcsr] of [["behind", 0x1fa0], ["before", 0x1f80]] as const) {
  Deno.test(`where the host computes, results and flags are the evaluator's, ${when} the first inexact one`, () => {
    const decoder = new Decoder(64);
    const { cpu, engine, mmu, ram, faults, reset } = flatMachine(0x2002_0000);
    cpu.cr4 |= cr4Bits.OSFXSR | cr4Bits.OSXMMEXCPT;
    const code = codeAt[64];
    const wrong = new Map<string, string>();
    let [direct, called] = [0, 0];
    for (const one of vectorCases(64, 30)) {
      if (one.group !== "SSE floats" && one.group !== "conversions") continue;
      one.vectors.mxcsr = mxcsr | one.vectors.mxcsr & 0x8040;
      const vectors = copyVectors(one.vectors);
      const state = { ...stateOf(one, 64), vectors };
      assert.equal(evaluate(state, decoder).fault, undefined);
      reset(64);
      cpu.registers.set(one.registers);
      setVectors(cpu, one.vectors);
      cpu.eflags = one.flags;
      cpu.rip = code;
      ram.fill(0xf4, code, code + 0x60);
      ram.set(one.bytes, code);
      mmu.written(code, 0x60);
      ram.set(one.data, dataAt);
      cpu.bytes.fill(0xa5, at.VECTOR_OPERANDS, at.VECTOR_OPERANDS + 4);
      engine.run(1);
      if (cpu.view.getUint32(at.VECTOR_OPERANDS) === 0xa5a5_a5a5) direct++;
      else called++;
      const ours = {
        ...{ registers: cpu.registers, flags: cpu.eflags },
        data: ram.subarray(dataAt, dataAt + one.data.length),
      };
      const differences = vectorDifferences(ours, vectorsOf(cpu), {
        ...{ registers: state.registers, flags: state.flags & 0xffff, data: state.data.slice() },
        ...{ vectors, jumped: false, raised: false },
      });
      if (differences.length > 0 || faults.length > 0) {
        wrong.set(one.name, `${one.bytes.toHex()} ${differences.join(", ")}`);
      }
    }
    assert.deepEqual([...wrong], []);
    const least = mxcsr === 0x1fa0 ? 4000 : 1500;
    assert.ok(direct > least && called > 2500, `${direct} in WebAssembly, ${called} not`);
  });
}

Deno.test("compiled code does with MMX and SSE what the interpreter does", () => {
  const { cpu, engine, mmu, ram, faults, reset } = flatMachine(0x2002_0000);
  cpu.cr4 |= cr4Bits.OSFXSR | cr4Bits.OSXMMEXCPT;
  const wrong = new Map<string, string>();
  const before = engine.regions.compiled;
  let count = 0;
  for (const mode of vectorModes) {
    const code = codeAt[mode];
    for (const one of vectorCases(mode, 2)) {
      ram.fill(0xf4, code, code + 0x60);
      // Then it jumps on the spot, until the budget is used up.
      ram.set([...one.bytes, 0xeb, 0xfe], code);
      mmu.written(code, 0x60);
      const run = () => {
        reset(mode);
        cpu.registers.set(one.registers);
        setVectors(cpu, one.vectors);
        cpu.eflags = one.flags;
        cpu.rip = code;
        ram.set(one.data, dataAt);
        engine.run(4);
        return {
          ...{ registers: cpu.registers.slice(), flags: cpu.eflags & 0xffff },
          data: ram.slice(dataAt, dataAt + one.data.length),
          ...{ vectors: vectorsOf(cpu), jumped: false, raised: faults.length > 0 },
          rip: cpu.rip,
        };
      };
      const interpreted = run();
      const block = engine.cache.known(code, cpu.words[at.MODE_KEY >> 2] ?? 0);
      assert.ok(block !== undefined);
      engine.regions.compile(block);
      const compiled = run();
      count++;
      const differences = vectorDifferences(compiled, compiled.vectors, interpreted);
      if (compiled.raised !== interpreted.raised) differences.push("an exception");
      if (compiled.rip !== interpreted.rip) differences.push("RIP");
      if (differences.length > 0) {
        wrong.set(one.name, `${one.bytes.toHex()} ${differences.join(", ")}`);
      }
    }
  }
  assert.deepEqual([...wrong], []);
  assert.equal(engine.regions.compiled - before, count);
  assert.ok(count > 1000, `${count} cases`);
});

/** Runs one instruction of 64-bit code at 0x1000; answers the exception. */
function runner() {
  const machine = flatMachine(0x1_0000);
  const { cpu, engine, mmu, ram, faults, reset } = machine;
  cpu.cr4 |= cr4Bits.OSFXSR | cr4Bits.OSXMMEXCPT;
  cpu.words[at.MXCSR >> 2] = 0x1f80;
  const run = (hex: string, registers: Readonly<Record<number, bigint>> = {}) => {
    reset(64);
    const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
    ram.set(bytes, 0x1000);
    mmu.written(0x1000, bytes.length);
    for (const [n, value] of Object.entries(registers)) cpu.registers[Number(n)] = value;
    cpu.rip = 0x1000;
    engine.run(1);
    const [fault] = faults;
    if (fault !== undefined) assert.equal(cpu.rip, 0x1000);
    return fault === undefined ? undefined : `${fault.vector}, ${fault.errorCode}`;
  };
  return { ...machine, run };
}

Deno.test("memory of 16 bytes that is not aligned is #GP(0), but for moves and strings that say so", () => {
  const { run, ram } = runner();
  const faults = ["0f 28 03", "0f 29 03", "66 0f 6f 03", "66 0f e7 03", "66 0f fc 03", "0f 58 03"];
  const works = [
    ...["0f 10 03", "66 0f 11 03", "f3 0f 6f 03", "f3 0f 7f 03", "f2 0f f0 03", "f3 0f 58 03"],
    ...["66 0f 3a 63 03 00", "66 0f 38 20 03", "f3 0f e6 03", "0f fc 03", "66 0f 3a 21 03 00"],
  ];
  const unaligned = { 3: 0x2008n };
  assert.deepEqual(faults.map((hex) => run(hex, unaligned)), faults.map(() => "13, 0"));
  assert.deepEqual(faults.map((hex) => run(hex, { 3: 0x2010n })), faults.map(() => undefined));
  assert.deepEqual(works.map((hex) => run(hex, unaligned)), works.map(() => undefined));
  // Across two pages: movdqu xmm9, [rbx]; movdqu [rcx], xmm9.
  ram.set(Array.from({ length: 16 }, (_, n) => n + 1), 0x2ff9);
  assert.equal(run("f3 44 0f 6f 0b", { 3: 0x2ff9n }), undefined);
  assert.equal(run("f3 44 0f 7f 09", { 1: 0x3ff7n }), undefined);
  assert.deepEqual([...ram.subarray(0x3ff7, 0x4007)], Array.from({ length: 16 }, (_, n) => n + 1));
});

Deno.test("CR0.EM, CR0.TS, CR4.OSFXSR and exceptions of x87 keep from SSE and MMX as the manual says", () => {
  const { run, cpu } = runner();
  // addps xmm0, xmm1; paddb mm0, mm1; cvtpi2ps xmm0, mm1; movnti [rbx], eax
  const all = ["0f 58 c1", "0f fc c1", "0f 2a c1", "0f c3 03"];
  const faults = () => all.map((hex) => run(hex, { 3: 0x2000n })?.split(",")[0]);
  const { UD, NM, MF } = vectorOf;
  const expect = (...wanted: (number | undefined)[]) =>
    assert.deepEqual(faults(), wanted.map((vector) => vector?.toString()));
  expect(undefined, undefined, undefined, undefined);
  cpu.cr0 |= cr0Bits.TS;
  expect(NM, NM, NM, undefined);
  cpu.cr0 |= cr0Bits.EM;
  expect(UD, UD, UD, undefined);
  cpu.cr0 &= ~(cr0Bits.EM | cr0Bits.TS);
  cpu.cr4 &= ~cr4Bits.OSFXSR;
  expect(UD, undefined, UD, undefined);
  cpu.cr4 |= cr4Bits.OSFXSR;
  cpu.cr0 |= cr0Bits.NE;
  cpu.words[at.FPU_STATUS >> 2] = 0x8081;
  expect(undefined, MF, MF, undefined);
  cpu.cr0 |= cr0Bits.TS;
  expect(NM, NM, NM, undefined);
});

Deno.test("an exception that is not masked is #XM, or #UD if the system does not know it", () => {
  const { run, cpu } = runner();
  const divide = () => {
    // divss xmm0, xmm1: one by zero
    cpu.words[at.XMM >> 2] = 0x3f80_0000;
    cpu.words[at.MXCSR >> 2] = 0x1d80;
    return [run("f3 0f 5e c1"), cpu.words[at.MXCSR >> 2], cpu.words[at.XMM >> 2]];
  };
  assert.deepEqual(divide(), ["19, undefined", 0x1d84, 0x3f80_0000]);
  cpu.cr4 &= ~cr4Bits.OSXMMEXCPT;
  assert.deepEqual(divide(), ["6, undefined", 0x1d84, 0x3f80_0000]);
});

Deno.test("compiled code has the same registers and faults", () => {
  const { cpu, engine, mmu, ram, faults, reset } = runner();
  const turns = 2 * hotFrom;
  // 1: paddd xmm8, [rbx]; addsd xmm1, xmm2; paddb mm1, mm2; xor rbx, 16; dec ecx; jnz 1b; hlt
  const code = "66 44 0f fe 03 f2 0f 58 ca 0f fc ca 48 83 f3 10 ff c9 75 ec f4";
  ram.set(Uint8Array.fromHex(code.replaceAll(" ", "")), 0x1000);
  mmu.written(0x1000, 0x20);
  new Uint32Array(ram.buffer, ram.byteOffset + 0x2000, 8).fill(3);
  const start = (at0: bigint) => {
    reset(64);
    cpu.rip = 0x1000;
    cpu.registers[3] = at0;
    cpu.registers[1] = BigInt(turns);
    cpu.bytes.fill(0, at.XMM, at.XMM + 256);
    cpu.view.setFloat64(at.XMM + 16 * 2, 0.1, true);
    cpu.view.setBigUint64(at.FPU_REGISTERS + 16 * 1, 0n, true);
    cpu.view.setBigUint64(at.FPU_REGISTERS + 16 * 2, 0x0102_0304_0506_0708n, true);
    engine.run(turns * 6);
  };
  start(0x2000n);
  assert.deepEqual(faults, []);
  assert.ok(engine.regions.compiled > 0);
  let sum = 0;
  for (let n = 0; n < turns; n++) sum += 0.1;
  assert.equal(cpu.view.getUint32(at.XMM + 16 * 8 + 12, true), 3 * turns);
  assert.equal(cpu.view.getFloat64(at.XMM + 16, true), sum);
  const bytes = [8, 7, 6, 5, 4, 3, 2, 1].map((n) => n * turns & 0xff);
  assert.deepEqual([...cpu.bytes.subarray(at.FPU_REGISTERS + 16, at.FPU_REGISTERS + 24)], bytes);
  assert.equal(cpu.registers[1], 0n);
  start(0x2008n);
  assert.deepEqual(faults.map(({ vector }) => vector), [vectorOf.GP]);
  assert.deepEqual([cpu.rip, cpu.registers[1]], [0x1000, BigInt(turns)]);
});
