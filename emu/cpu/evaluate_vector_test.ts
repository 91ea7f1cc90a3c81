import assert from "node:assert/strict";
import { unzip } from "../../testdata/answers.ts";
import { dataAt, stateOf } from "../../testdata/processor_cases.ts";
import {
  VectorAnswerReader,
  vectorCases,
  vectorDifferences,
  vectorModes,
  vectorTurns,
} from "../../testdata/vector_cases.ts";
import { Decoder } from "./decode.ts";
import { evaluate, type EvaluatedState } from "./evaluate.ts";
import { copyVectors, type EvaluatedVectors, resetVectors } from "./evaluate_vector.ts";
import { factsOf } from "./facts.ts";
import { Instruction } from "./instruction.ts";
import { semanticsOf } from "./semantics/mod.ts";
import { decidesByImmediate, namesMmx, namesXmm, vectorNeeds } from "./vector_operands.ts";

for (const mode of vectorModes) {
  Deno.test(`a processor (Ice Lake) and the evaluator agree on MMX and SSE in ${mode}-bit code, MXCSR and #XM and all`, async (t) => {
    const answers = new VectorAnswerReader(await unzip(`processor/vectors${mode}.bin.gz`));
    const decoder = new Decoder(mode);
    const counts = new Map<string, number>();
    const forms = new Map<number, number>();
    const wrong: string[] = [];
    let outside = 0;
    let raised = 0;
    const found = new Instruction();
    for (const one of vectorCases(mode, vectorTurns[mode])) {
      const vectors = copyVectors(one.vectors);
      const state = { ...stateOf(one, mode), vectors };
      const { fault } = evaluate(state, decoder);
      const answer = answers.next(one);
      counts.set(one.group, (counts.get(one.group) ?? 0) + 1);
      forms.set(one.form, (forms.get(one.form) ?? 0) + 1);
      const differences = vectorDifferences(state, vectors, answer);
      if (differences.length > 0 || (fault === "#XM") !== answer.raised) {
        wrong.push(`${one.name} ${one.bytes.toHex()} ${differences.join(", ")}`);
      }
      if (answer.raised) raised++;

      // The facts must cover what the processor changed.
      decoder.decode(one.bytes, 0, one.bytes.length, found);
      const form = decoder.forms[one.form];
      const facts = form === undefined ? undefined : factsOf(found, form, mode);
      assert.ok(facts);
      const [was, is] = [one.vectors, answer.vectors];
      const bits = (changed: (n: number) => boolean) =>
        Array.from({ length: 16 }, (_, n) => changed(n) ? 1 << n : 0).reduce((a, b) => a | b);
      const general = bits((n) => one.registers[n] !== answer.registers[n]);
      const xmm = bits((n) =>
        [0, 1].some((half) => was.xmm[2 * n + half] !== is.xmm[2 * n + half])
      );
      const fpu = was.top !== is.top || was.tags !== is.tags ||
        bits((n) => was.significands[n] !== is.significands[n]) !== 0;
      if (
        (general & ~facts.writes) !== 0 || (xmm & ~facts.xmmWrites) !== 0 ||
        ((one.flags ^ answer.flags) & ~facts.flagsWritten) !== 0 || fpu && !facts.mmx ||
        was.mxcsr !== is.mxcsr && !facts.mxcsr ||
        answer.raised && !facts.faults.includes("#XM") ||
        one.data.some((byte, n) => byte !== answer.data[n]) && !facts.stores
      ) outside++;
    }
    assert.ok(answers.done);
    assert.deepEqual(wrong, []);
    assert.equal(outside, 0, "cases in which more changed than the facts say");
    assert.ok(raised > 300, `${raised} cases raised #XM`);

    await t.step(
      "every row of MMX and SSE was met, but for AES, SHA and carry-less products",
      () => {
        const unmet = decoder.forms.flatMap((form, n) => {
          if (n === 0 || !namesXmm(form) && !namesMmx(form) || form.rexW && mode === 32) return [];
          return (forms.get(n) ?? 0) >= 18 ? [] : [form];
        });
        assert.deepEqual(unmet.filter((form) => semanticsOf(form) !== undefined), []);
        const needs = new Set(unmet.map(({ row }) => row.needs));
        assert.deepEqual([...needs].sort(), ["aes", "pclmulqdq", "sha_ni"]);
      },
    );
    await t.step("each of their groups by a thousand cases at least", () => {
      const few = [...counts].filter(([, n]) => n < 1000);
      assert.deepEqual([few, counts.size], [[], 6]);
    });
  });
}

/** Runs one instruction of 64-bit code at 0x1000, on a page of data at 0x2000. */
function run(
  hex: string,
  registers: Readonly<Record<number, bigint>> = {},
  vectors: EvaluatedVectors = resetVectors(),
): { fault: string | undefined; address: bigint | undefined; data: Uint8Array; flags: number } {
  const code = Uint8Array.fromHex(hex.replaceAll(" ", ""));
  const data = new Uint8Array(0x1000);
  const state: EvaluatedState = {
    ...{ mode: 64, registers: new BigUint64Array(16), rip: 0x1000n, flags: 2 },
    ...{ selectors: new Uint16Array(6), bases: new BigUint64Array(6), cpl: 0, stack: 64, vectors },
    memory: {
      load: (at) => code[Number(at) - 0x1000] ?? data[Number(at) - 0x2000],
      canStore: (at) => data[Number(at) - 0x2000] !== undefined,
      store: (at, value) => data[Number(at) - 0x2000] = value,
    },
  };
  for (const [n, value] of Object.entries(registers)) state.registers[Number(n)] = value;
  const { fault, address } = evaluate(state, new Decoder(64));
  return { fault, address, data, flags: state.flags };
}

Deno.test("memory of 16 bytes must be aligned or #GP comes, but not of unaligned moves and strings, nor of fewer bytes", () => {
  const faults = ["0f 28 03", "0f 29 03", "66 0f 6f 03", "66 0f e7 03", "66 0f fc 03", "0f 58 03"];
  const works = [
    ...["0f 10 03", "66 0f 11 03", "f3 0f 6f 03", "f3 0f 7f 03", "f2 0f f0 03", "f3 0f 58 03"],
    ...["66 0f 3a 63 03 00", "66 0f 38 20 03", "f3 0f e6 03", "0f fc 03", "66 0f 3a 21 03 00"],
  ];
  for (const hex of faults) {
    assert.equal(run(hex, { 3: 0x2008n }).fault, "#GP", hex);
    assert.equal(run(hex, { 3: 0x2010n }).fault, undefined, hex);
  }
  for (const hex of works) assert.equal(run(hex, { 3: 0x2008n }).fault, undefined, hex);
});

Deno.test("what faults leaves MMX as it was, x87's TOP and tags too", () => {
  const vectors = { ...resetVectors(), top: 3, tags: 0x55 };
  // paddb mm0, [rbx]; movq [rbx], mm0; maskmovq mm0, mm1
  for (const [hex, register] of [["0f fc 03", 3], ["0f 7f 03", 3], ["0f f7 c1", 7]] as const) {
    vectors.significands.fill(0xffff_ffff_ffff_ffffn);
    assert.equal(run(hex, { [register]: 0x2ffcn }, vectors).fault, "#PF");
    assert.deepEqual([vectors.top, vectors.tags], [3, 0x55]);
    assert.equal(run(hex, { [register]: 0x2ff8n }, vectors).fault, undefined);
    assert.deepEqual([vectors.top, vectors.tags], [0, 0xff]);
    Object.assign(vectors, { top: 3, tags: 0x55 });
  }
  run("0f 77", {}, vectors);
  assert.deepEqual([vectors.top, vectors.tags], [0, 0]);
});

Deno.test("MASKMOVDQU touches only the bytes that it is told to, and writes all or none", () => {
  const vectors = resetVectors();
  vectors.xmm.fill(0x1122_3344_5566_7788n, 0, 2);
  vectors.xmm.set([0x8000_0000_0000_0080n, 0x80n], 2);
  const beyond = run("66 0f f7 c1", { 7: 0x2ff8n }, vectors);
  assert.deepEqual([beyond.fault, beyond.address], ["#PF", 0x3000n]);
  assert.equal(beyond.data[0xff8], 0);
  vectors.xmm[3] = 0n;
  const within = run("66 0f f7 c1", { 7: 0x2ff8n }, vectors);
  assert.equal(within.fault, undefined);
  assert.deepEqual([...within.data.subarray(0xff8)], [0x88, 0, 0, 0, 0, 0, 0, 0x11]);
});

Deno.test("an exception that is not masked changes nothing but MXCSR's flags", () => {
  // 1/0 in the low lane, 1/3 above: nothing is computed, so nothing is inexact.
  const vectors = resetVectors();
  vectors.mxcsr = 0x1f80 & ~0x200;
  vectors.xmm.set([0x3f80_0000_3f80_0000n, 0x3f80_0000_3f80_0000n], 0);
  vectors.xmm.set([0x4040_0000_0000_0000n, 0x3f80_0000_3f80_0000n], 2);
  assert.equal(run("0f 5e c1", {}, vectors).fault, "#XM");
  assert.deepEqual([vectors.mxcsr & 0x3f, vectors.xmm[0]], [4, 0x3f80_0000_3f80_0000n]);
  // COMISS leaves the flags register, too.
  const compared = resetVectors();
  compared.mxcsr = 0;
  compared.xmm[0] = 0x7fc0_0000n;
  const { fault, flags } = run("0f 2f c1", {}, compared);
  assert.deepEqual([fault, flags], ["#XM", 2]);
});

Deno.test("rows say what must be enabled for them, and which of them look at their immediate", () => {
  const decoder = new Decoder(64);
  const i = new Instruction();
  const of = (hex: string) => {
    const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
    decoder.decode(bytes, 0, bytes.length, i);
    const form = decoder.forms[i.form];
    assert.ok(form);
    return form;
  };
  const needs = (hex: string) => vectorNeeds(of(hex));
  assert.deepEqual(["0f fc c1", "0f 77", "0f 70 c1 00", "0f e7 03"].map(needs), [
    ...["mmx", "mmx", "mmx", "mmx"],
  ]);
  assert.deepEqual(["0f 58 c1", "0f ae 13", "0f ae 1b", "66 0f 38 14 c1", "0f 50 c1"].map(needs), [
    ...["sse", "sse", "sse", "sse", "sse"],
  ]);
  assert.deepEqual(["0f 2a c1", "f3 0f d6 c1", "f2 0f d6 c1"].map(needs), ["both", "both", "both"]);
  // CRC32, POPCNT, MOVNTI, SFENCE, PREFETCHT0, ADD.
  const none = ["f2 0f 38 f1 c1", "f3 0f b8 c1", "0f c3 03", "0f ae f8", "0f 18 0b", "01 c1"];
  assert.deepEqual(none.map(needs), none.map(() => undefined));
  const decides = ["66 0f 70 c1 00", "0f c2 c1 00", "66 0f 71 d1 00", "0f 58 c1", "c1 e0 00"];
  assert.deepEqual(decides.map((hex) => decidesByImmediate(of(hex))), [
    ...[true, true, true, false, false],
  ]);
});

Deno.test("facts tell registers of SSE and MMX", () => {
  const decoder = new Decoder(64);
  const i = new Instruction();
  const facts = (hex: string) => {
    const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
    decoder.decode(bytes, 0, bytes.length, i);
    const form = decoder.forms[i.form];
    assert.ok(form);
    return factsOf(i, form, 64);
  };
  // addps xmm9, [rbx]
  const added = facts("44 0f 58 0b");
  assert.deepEqual([added?.xmmReads, added?.xmmWrites, added?.reads], [1 << 9, 1 << 9, 8]);
  assert.deepEqual([added?.mxcsr, added?.mmx, added?.loads], [true, false, true]);
  assert.deepEqual(added?.faults, ["#GP", "#XM"]);
  // pblendvb xmm1, xmm2, xmm0
  assert.deepEqual([facts("66 0f 38 10 ca")?.xmmReads, facts("66 0f 38 10 ca")?.mxcsr], [7, false]);
  // comiss sets flags, pcmpistrm XMM0
  assert.equal(facts("0f 2f c1")?.flagsKilled, 0x8d5);
  assert.equal(facts("66 0f 3a 62 ca 00")?.xmmWrites, 1);
  assert.deepEqual([facts("0f 7f 03")?.mmx, facts("0f 7f 03")?.stores], [true, true]);
});

Deno.test("the data of cases lies where it can be aligned", () => assert.equal(dataAt % 64, 0));
