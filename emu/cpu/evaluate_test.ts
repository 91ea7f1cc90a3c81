import assert from "node:assert/strict";
import {
  AnswerReader,
  landingAt,
  processorCases,
  stateOf,
} from "../../testdata/processor_cases.ts";
import { unzip } from "../../testdata/answers.ts";
import { Decoder } from "./decode.ts";
import { evaluate, type EvaluatedState, NoSemanticsError, type Outcome } from "./evaluate.ts";
import { factsOf } from "./facts.ts";
import { Instruction, type Mode } from "./instruction.ts";
import { formsOf } from "../../testdata/disassembly.ts";
import { namesMmx, namesXmm } from "./vector_operands.ts";
import { describedNames, semanticName, semanticsOf } from "./semantics/mod.ts";

/** Whether data of the same length are the same; four bytes at a time, as there are many. */
function alike(a: Uint8Array, b: Uint8Array): boolean {
  const [left, right] = [new Uint32Array(a.buffer), new Uint32Array(b.buffer)];
  for (let n = 0; n < left.length; n++) if (left[n] !== right[n]) return false;
  return left.length === right.length;
}

for (const mode of [32, 64] as const) {
  Deno.test(`a processor (Ice Lake) and the evaluator agree in ${mode}-bit code, undefined flags and all`, async (t) => {
    const answers = new AnswerReader(await unzip(`processor/${mode}.bin.gz`));
    const decoder = new Decoder(mode);
    const counts = new Map<string, number>();
    const forms = new Set<number>();
    const wrong: string[] = [];
    let outside = 0;
    const found = new Instruction();
    for (const one of processorCases(mode, 200)) {
      const state = stateOf(one, mode);
      const outcome = evaluate(state, decoder);
      // What faults was not shown to the processor.
      if (outcome.fault !== undefined) continue;
      const answer = answers.next(one);
      counts.set(one.name, (counts.get(one.name) ?? 0) + 1);
      forms.add(one.form);
      const same = answer.registers.every((value, n) => value === state.registers[n]) &&
        answer.flags === (state.flags & 0xffff) &&
        answer.jumped === (Number(state.rip) === landingAt[mode]) &&
        alike(answer.data, state.data);
      if (!same) wrong.push(`${one.name} ${one.bytes.toHex()}`);

      // The facts must cover what the processor changed.
      decoder.decode(one.bytes, 0, one.bytes.length, found);
      const form = decoder.forms[one.form];
      const facts = form === undefined ? undefined : factsOf(found, form, mode);
      assert.ok(facts);
      let changed = 0;
      for (let n = 0; n < 16; n++) {
        if (answer.registers[n] !== one.registers[n]) changed |= 1 << n;
      }
      const flags = (answer.flags ^ one.flags) & 0xcd5;
      const stored = !alike(answer.data, one.data);
      if (
        (changed & ~facts.writes) !== 0 || (flags & ~facts.flagsWritten) !== 0 ||
        stored && !facts.stores || answer.jumped && !facts.jumps
      ) outside++;
    }
    assert.ok(answers.done);
    assert.deepEqual(wrong, []);
    assert.equal(outside, 0, "cases in which more changed than the facts say");

    await t.step("every described row was met, but for those that always fault", () => {
      const unmet = formsOf(mode).filter((n) => {
        const form = decoder.forms[n];
        if (form === undefined || namesXmm(form) || namesMmx(form)) return false;
        return semanticsOf(form) !== undefined && !forms.has(n);
      });
      const names = unmet.flatMap((n) => decoder.forms[n]?.mnemonics[0] ?? []);
      assert.deepEqual(names.toSorted(), ["rdtsc", "ud0", "ud1", "ud2"]);
    });
    await t.step("each by a hundred cases at least, but for BOUND, which mostly faults", () => {
      const few = [...counts].filter(([name, n]) => n < 100 && name !== "bound");
      assert.deepEqual(few, []);
    });
  });
}

/** Runs one instruction at 0x1000, on a page of data at 0x2000 that can be read and written. */
function run(
  mode: Mode,
  hex: string,
  registers: Readonly<Record<number, bigint>> = {},
  options: { flags?: number; readOnly?: boolean; data?: readonly number[] } = {},
): { outcome: Outcome; state: EvaluatedState; data: Uint8Array } {
  const code = Uint8Array.fromHex(hex.replaceAll(" ", ""));
  const data = new Uint8Array(0x1000);
  data.set(options.data ?? []);
  const state: EvaluatedState = {
    mode,
    registers: new BigUint64Array(16),
    rip: 0x1000n,
    flags: options.flags ?? 2,
    selectors: new Uint16Array(6),
    bases: new BigUint64Array(6),
    cpl: 0,
    stack: mode,
    memory: {
      load: (at) => code[Number(at) - 0x1000] ?? data[Number(at) - 0x2000],
      canStore: (at) => options.readOnly !== true && data[Number(at) - 0x2000] !== undefined,
      store: (at, value) => data[Number(at) - 0x2000] = value,
    },
  };
  for (const [n, value] of Object.entries(registers)) state.registers[Number(n)] = value;
  return { outcome: evaluate(state, new Decoder(mode)), state, data };
}

Deno.test("shifts and rotates by zero change no flag, and neither do counts that are zero modulo 32", () => {
  for (const digit of [0, 1, 2, 3, 4, 5, 7]) {
    for (const count of [0x00n, 0x20n, 0xe0n]) {
      for (const flags of [2, 0x8d7]) {
        const modrm = (0xc0 | digit << 3).toString(16);
        const { state } = run(32, `d3 ${modrm}`, { 0: 0x81234567n, 1: count }, { flags });
        assert.equal(state.flags, flags);
        assert.equal(state.registers[0], 0x81234567n);
      }
    }
  }
});

Deno.test("a byte shifted by more than its width is gone, by 32 is whole; SAR leaves the sign", () => {
  assert.equal(run(32, "c0 e0 1f", { 0: 0x1ffn }).state.registers[0], 0x100n);
  assert.equal(run(32, "c0 e0 20", { 0: 0x1ffn }).state.registers[0], 0x1ffn);
  assert.equal(run(32, "c0 f8 1f", { 0: 0x80n }).state.registers[0], 0xffn);
});

Deno.test("DIV and IDIV raise #DE for zero and for a quotient that does not fit, and change nothing", () => {
  const cases:
    readonly (readonly [hex: string, registers: Record<number, bigint>, fault: boolean])[] = [
      ["f7 f1", { 0: 5n, 1: 0n, 2: 0n }, true],
      ["f7 f1", { 0: 5n, 1: 1n, 2: 1n }, true],
      ["f7 f1", { 0: 0xffffffffn, 1: 1n, 2: 0n }, false],
      ["f7 f9", { 0: 0x80000000n, 1: 0xffffffffn, 2: 0xffffffffn }, true],
      ["f7 f9", { 0: 0x80000000n, 1: 1n, 2: 0xffffffffn }, false],
      ["f6 f9", { 0: 0xff80n, 1: 0xffn }, true],
      ["f6 f9", { 0: 0xff80n, 1: 1n }, false],
      ["f6 f1", { 0: 0x0200n, 1: 2n }, true],
      ["f6 f1", { 0: 0x01ffn, 1: 2n }, false],
    ];
  for (const [hex, registers, faults] of cases) {
    const { outcome, state } = run(32, hex, registers);
    assert.equal(outcome.fault, faults ? "#DE" : undefined, hex);
    if (!faults) continue;
    assert.equal(state.rip, 0x1000n);
    assert.equal(state.registers[0], registers[0]);
  }
});

Deno.test("BT with a bit's number in a register reaches memory far before and behind its operand", () => {
  // Bit -1 of the dword at 0x2100 is bit 31 of the one before it.
  const before = run(32, "0f ab 0b", { 1: 0xffffffffn, 3: 0x2100n });
  assert.equal(before.data[0xff], 0x80);
  const behind = run(32, "0f ab 0b", { 1: 0x1005n, 3: 0x2100n });
  assert.equal(behind.data[0x300], 0x20);
  // With an immediate it stays within.
  const within = run(32, "0f ba 2b ff", { 3: 0x2100n });
  assert.equal(within.data[0x103], 0x80);
  const wide = run(64, "48 0f bb 0b", { 1: 0xffff_ffff_ffff_ffc0n, 3: 0x2100n });
  assert.equal(wide.data[0xf8], 1);
});

Deno.test("CMPXCHG needs memory it can write even if it does not exchange, and faults before it tells", () => {
  const { outcome, state } = run(32, "0f b1 0b", { 0: 1n, 1: 2n, 3: 0x2000n }, { readOnly: true });
  assert.deepEqual([outcome.fault, outcome.address], ["#PF", 0x2000n]);
  assert.deepEqual([state.registers[0], state.flags], [1n, 2]);
});

Deno.test("CMPXCHG8B and CMPXCHG16B fault on either half, and the latter on what is not aligned", () => {
  const either = run(32, "0f c7 0b", { 3: 0x2ffcn });
  assert.deepEqual([either.outcome.fault, either.outcome.address], ["#PF", 0x3000n]);
  assert.equal(run(64, "48 0f c7 0b", { 3: 0x2008n }).outcome.fault, "#GP");
  const same = run(64, "48 0f c7 0b", { 3: 0x2010n, 1: 7n });
  assert.equal(same.outcome.fault, undefined);
  assert.equal(same.state.flags & 0x40, 0x40);
  assert.deepEqual([...same.data.subarray(0x10, 0x1a)], [0x10, 0x20, 0, 0, 0, 0, 0, 0, 7, 0]);
});

Deno.test("PUSH and POP of the stack pointer, and POP to an address formed with it", () => {
  const pushed = run(32, "54", { 4: 0x2100n });
  assert.deepEqual([pushed.data[0xfc], pushed.data[0xfd]], [0x00, 0x21]);
  const popped = run(32, "5c", { 4: 0x2000n }, { data: [0x78, 0x56, 0x34, 0x12] });
  assert.equal(popped.state.registers[4], 0x12345678n);
  const to = run(32, "8f 04 24", { 4: 0x2000n }, { data: [0x78, 0x56] });
  assert.deepEqual([to.data[4], to.data[5], to.state.registers[4]], [0x78, 0x56, 0x2004n]);
  const faulting = run(32, "8f 04 24", { 4: 0x2000n }, { readOnly: true });
  assert.deepEqual([faulting.outcome.fault, faulting.state.registers[4]], ["#PF", 0x2000n]);
});

Deno.test("a repeated string instruction that faults keeps the elements done, and can be resumed", () => {
  // Four bytes fit before the end of the page, the fifth does not.
  const { outcome, state, data } = run(32, "f3 aa", { 0: 0x55n, 1: 9n, 7: 0x2ffcn });
  assert.deepEqual([outcome.fault, outcome.address], ["#PF", 0x3000n]);
  assert.deepEqual([state.registers[1], state.registers[7], state.rip], [5n, 0x3000n, 0x1000n]);
  assert.deepEqual([...data.subarray(0xffb)], [0, 0x55, 0x55, 0x55, 0x55]);
});

Deno.test("a repeated string instruction of no elements does nothing, one that runs backwards stops at the page", () => {
  const { outcome, state } = run(32, "f3 ac", { 1: 0x10005n, 6: 0x2ffen }, { flags: 0x402 });
  assert.deepEqual([outcome.fault, outcome.address], ["#PF", 0x1fffn]);
  assert.equal(state.registers[1], 0x10005n - 0xfffn);
  const still = run(32, "f3 26 ac", { 1: 0n });
  assert.deepEqual([still.outcome.fault, still.state.rip], [undefined, 0x1003n]);
});

Deno.test("jumps to addresses that are not canonical raise #GP where they stand", () => {
  const { outcome, state } = run(64, "ff e0", { 0: 1n << 47n });
  assert.deepEqual([outcome.fault, state.rip], ["#GP", 0x1000n]);
  const call = run(64, "ff d0", { 0: 1n << 47n, 4: 0x2100n });
  assert.deepEqual([call.outcome.fault, call.state.registers[4]], ["#GP", 0x2100n]);
});

Deno.test("a 16-bit operand size cuts near jumps to 64 KiB outside 64-bit mode", () => {
  const { state } = run(32, "66 e9 00 f0");
  assert.equal(state.rip, 0x1004n + 0xf000n & 0xffffn);
});

Deno.test("BOUND raises #BR outside its bounds, UD2 #UD, what cannot be fetched #PF", () => {
  const data = [0xf0, 0xff, 0xff, 0xff, 0x10];
  const bound = (index: bigint) =>
    run(32, "62 03", { 0: index, 3: 0x2000n }, { data }).outcome.fault;
  assert.deepEqual([bound(0x10n), bound(0x11n), bound(0xfffffff0n), bound(0xffffffefn)], [
    ...[undefined, "#BR", undefined, "#BR"],
  ]);
  assert.equal(run(32, "0f 0b").outcome.fault, "#UD");
  assert.equal(run(32, "f0 90").outcome.fault, "#UD");
  assert.equal(run(32, "b8 00").outcome.fault, "#PF");
});

Deno.test("POPF changes IF and IOPL only where the privilege level may", () => {
  const at = (cpl: number, flags: number) => {
    const { state } = run(32, "90");
    const data = new Uint8Array([0xff, 0xff, 0xff, 0xff]);
    const popped: EvaluatedState = {
      ...state,
      ...{
        rip: 0x1000n,
        cpl,
        flags,
        registers: BigUint64Array.from({ length: 16 }, () => 0x2000n),
      },
      memory: {
        load: (address) => address === 0x1000n ? 0x9d : data[Number(address) - 0x2000],
        canStore: () => false,
        store: () => {},
      },
    };
    evaluate(popped, new Decoder(32));
    return popped.flags & 0x3200;
  };
  assert.equal(at(0, 2), 0x3200);
  assert.equal(at(3, 2), 0);
  assert.equal(at(3, 0x3002), 0x3200);
  assert.equal(at(1, 0x1002), 0x1200);
});

Deno.test("what has no semantics says so by name", () => {
  assert.throws(() => run(32, "0f a2"), (error) => {
    assert.ok(error instanceof NoSemanticsError);
    assert.match(error.message, /cpuid/);
    return true;
  });
});

Deno.test("facts tell registers, flags and memory of an instruction", () => {
  const facts = (mode: Mode, hex: string) => {
    const bytes = Uint8Array.fromHex(hex);
    const decoder = new Decoder(mode);
    const i = new Instruction();
    decoder.decode(bytes, 0, bytes.length, i);
    const form = decoder.forms[i.form];
    assert.ok(form);
    return factsOf(i, form, mode);
  };
  // adc [rbx+rsi*4+8], rcx
  assert.deepEqual(facts(64, "48114cb308"), {
    ...{ reads: 0b0100_1010, writes: 0, flagsRead: 1, flagsWritten: 0x8d5, flagsKilled: 0x8d5 },
    ...{ flagsUndefined: 0, loads: true, stores: true, faults: [] },
    ...{ jumps: false, ends: false, repeats: false },
    ...{ xmmReads: 0, xmmWrites: 0, mmx: false, mxcsr: false },
  });
  // shl eax, cl: flags may stay, so none is killed
  const shl = facts(32, "d3e0");
  assert.deepEqual([shl?.flagsWritten, shl?.flagsKilled], [0x8d5, 0]);
  // inc keeps CF; jc reads it and jumps; ah is in rax
  assert.equal(facts(32, "40")?.flagsWritten, 0x8d4);
  assert.deepEqual([facts(32, "7200")?.flagsRead, facts(32, "7200")?.jumps], [1, true]);
  assert.equal(facts(32, "88e1")?.reads, 1);
  assert.deepEqual(facts(32, "f7f1")?.faults, ["#DE"]);
  assert.equal(facts(32, "f3a4")?.repeats, true);
  assert.equal(facts(32, "0fa2"), undefined);
});

Deno.test("a repeated string instruction of many elements leaves the rest to the next step", () => {
  const state: EvaluatedState = {
    ...run(32, "90").state,
    ...{ rip: 0x1000n, registers: BigUint64Array.of(0n, 0x1005n, ...Array(14).fill(0n)) },
    memory: {
      load: (at) => at === 0x1000n ? 0xf3 : at === 0x1001n ? 0xac : 0,
      canStore: () => false,
      store: () => {},
    },
  };
  evaluate(state, new Decoder(32));
  assert.deepEqual([state.rip, state.registers[1]], [0x1000n, 5n]);
  evaluate(state, new Decoder(32));
  assert.deepEqual([state.rip, state.registers[1]], [0x1002n, 0n]);
});

Deno.test("every description is used by some row", () => {
  const used = new Set(new Decoder(64).forms.map(semanticName));
  assert.deepEqual(describedNames().filter((name) => !used.has(name)), []);
});

Deno.test("16-bit code has operands, addresses and a stack of 16 bits, and 66 and 67 make them 32", () => {
  const pushed = run(16, "50", { 0: 0xabcdn, 4: 0x7777_2100n });
  assert.deepEqual([...pushed.data.subarray(0xfd, 0x101)], [0, 0xcd, 0xab, 0]);
  assert.equal(pushed.state.registers[4], 0x7777_20fen);
  const pushed32 = run(16, "66 50", { 0: 0x1234abcdn, 4: 0x2100n });
  assert.deepEqual([...pushed32.data.subarray(0xfc, 0x100)], [0xcd, 0xab, 0x34, 0x12]);
  // BX + SI wraps at 64 KiB, and the high halves of registers do not count.
  const data = [0x11, 0x22, 0x33, 0x44];
  const wrapped = run(16, "8b 40 01", { 0: 0x9999_0000n, 3: 0x5555_ffffn, 6: 0x2000n }, { data });
  assert.equal(wrapped.state.registers[0], 0x9999_2211n);
  const wide = run(16, "67 66 8b 03", { 3: 0x2000n }, { data });
  assert.equal(wide.state.registers[0], 0x4433_2211n);
  const stored = run(16, "f3 aa", { 0: 0x55n, 1: 0x7_0002n, 7: 0x3_2000n });
  assert.deepEqual([stored.state.registers[1], stored.state.registers[7]], [0x7_0000n, 0x3_2002n]);
  assert.deepEqual([...stored.data.subarray(0, 3)], [0x55, 0x55, 0]);
  const called = run(16, "e8 fd ef", { 4: 0x2100n });
  assert.deepEqual([called.state.rip, called.data[0xfe], called.data[0xff]], [0n, 3, 0x10]);
});
