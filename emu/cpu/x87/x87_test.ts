import assert from "node:assert/strict";
import {
  answerOf,
  AnswerReader,
  type Group,
  groups,
  type X87Answer,
  x87Cases,
} from "../../../testdata/x87_cases.ts";
import { differences, leastOf } from "../../../testdata/x87_compare.ts";
import { execute, memoryAt, x87Machine, x87SemanticsOf } from "../../../testdata/x87_machine.ts";
import { Decoder } from "../decode.ts";
import * as at from "../layout.ts";
import { cr0Bits, vectors } from "../processor.ts";
import { systemRows } from "../opcodes/system.ts";
import { x87Rows } from "../opcodes/x87.ts";
import { semanticName } from "../semantics/mod.ts";
import { powerUpExtendedState, stateSemantics, x87Semantics } from "./mod.ts";

async function unzip(path: string): Promise<Uint8Array> {
  const file = await Deno.readFile(new URL(`../../../testdata/${path}`, import.meta.url));
  const stream = new Blob([file]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const names = Object.keys(groups) as Group[];

for (const group of names) {
  Deno.test(`a processor (Ice Lake) and the x87 unit agree: ${group}`, async () => {
    const reader = new AnswerReader(await unzip(`x87/${group}.bin.gz`));
    const machine = x87Machine();
    const wrong: string[] = [];
    let count = 0;
    for (const one of x87Cases(group, leastOf(group))) {
      const here: X87Answer | undefined = answerOf(machine, one);
      // What faults was not shown to the processor.
      if (here === undefined) continue;
      count++;
      const found = differences(group, one, reader.next(one), here);
      if (found.length > 0) wrong.push(`${one.name} ${one.bytes.toHex()}: ${found.join(", ")}`);
    }
    assert.ok(reader.done);
    assert.deepEqual(wrong, []);
    assert.ok(count >= 1000, `${count} cases`);
  });
}

Deno.test("every row of the opcode map's floating point part was met, and none is without semantics", () => {
  const { forms } = new Decoder(64);
  const machine = x87Machine();
  const met = new Set<number>();
  for (const group of names) {
    for (const one of x87Cases(group, leastOf(group))) {
      if (!met.has(one.form) && answerOf(machine, one) !== undefined) met.add(one.form);
    }
  }
  const rows = new Set(x87Rows().map(({ opcode, text }) => `${opcode} ${text}`));
  const unmet = forms.flatMap((form, n) => {
    const name = `${form.row.opcode} ${form.row.text}`;
    return rows.has(name) && (!met.has(n) || x87SemanticsOf(semanticName(form)) === undefined)
      ? [name]
      : [];
  });
  assert.deepEqual(unmet, []);
});

Deno.test("every description is used by some row", () => {
  const used = new Set(new Decoder(64).forms.map(semanticName));
  const described = [...Object.keys(x87Semantics), ...Object.keys(stateSemantics)];
  assert.deepEqual(described.filter((name) => !used.has(name)), []);
  const saves = systemRows().filter(({ text }) => /^(fx|x)(save|rstor)|mxcsr/.test(text));
  assert.ok(saves.length >= 18);
});

/** A machine at privilege level 0 with what an instruction needs, in a mode. */
const run = (
  hex: string,
  prepare: (machine: ReturnType<typeof x87Machine>) => void = () => {},
  mode: 16 | 32 | 64 = 64,
) => {
  const machine = x87Machine(mode);
  machine.cpu.registers[3] = BigInt(memoryAt + 0x1000);
  prepare(machine);
  let fault;
  for (const one of hex.split(";")) {
    fault = execute(machine, memoryAt + 0x8000, Uint8Array.fromHex(one.replaceAll(" ", "")));
    if (fault !== undefined) break;
  }
  return { ...machine, fault };
};

Deno.test("without a unit of their own, instructions raise #NM: all for EM and TS, FWAIT for TS with MP", () => {
  const at = (hex: string, cr0: number) =>
    run(hex, ({ cpu }) => cpu.cr0 = cr0 | cr0Bits.PE).fault?.vector;
  for (const hex of ["d9e8", "dbe3", "d93b", "dfe0", "480fae03", "dd33"]) {
    assert.equal(at(hex, 0), undefined, hex);
    assert.equal(at(hex, cr0Bits.EM), vectors.NM, hex);
    assert.equal(at(hex, cr0Bits.TS), vectors.NM, hex);
  }
  assert.equal(at("9b", cr0Bits.EM | cr0Bits.TS), undefined);
  assert.equal(at("9b", cr0Bits.MP), undefined);
  assert.equal(at("9b", cr0Bits.TS | cr0Bits.MP), vectors.NM);
});

Deno.test("an exception that is not masked waits for the next instruction that does: #MF, or a word to the board", () => {
  // 1 ÷ 0 with zero divide unmasked.
  const divides = "d92b;d9e8;d9ee;def9";
  const prepare = (machine: ReturnType<typeof x87Machine>) =>
    machine.mmu.store(memoryAt + 0x1000, 2, 0x37b);
  assert.equal(run(divides, prepare).fault, undefined);
  for (const hex of ["d9e8", "9b", "d9d0", "d92b", "dd23"]) {
    assert.equal(run(`${divides};${hex}`, prepare).fault?.vector, vectors.MF, hex);
  }
  // These do not wait.
  for (const hex of ["dbe3", "dbe2", "dfe0", "d93b", "d933", "dd33", "480fae03"]) {
    assert.equal(run(`${divides};${hex}`, prepare).fault, undefined, hex);
  }
  assert.equal(run(`${divides};dbe2;9b`, prepare).fault, undefined);
  let told = 0;
  const outside = run(`${divides};d9e8`, (machine) => {
    prepare(machine);
    machine.cpu.cr0 &= ~cr0Bits.NE;
    Object.assign(machine.cpu.devices, { floatingPointError: () => told++ });
  });
  assert.deepEqual([outside.fault, told], [undefined, 1]);
});

Deno.test("what cannot be stored faults before anything has changed", () => {
  for (const hex of ["d91b", "dd1b", "db7b00", "df1b", "df33", "dd4b00"]) {
    const { cpu, fault } = run(`dbe3;d9eb;${hex}`, ({ mmu }) => mmu.writableTo = memoryAt + 0x1001);
    // The code itself is written past the memory's interface.
    assert.deepEqual([fault?.vector, fault?.address], [vectors.PF, memoryAt + 0x1001], hex);
    assert.deepEqual([cpu.words[at.FPU_TOP >> 2], cpu.words[at.FPU_STATUS >> 2]], [7, 0], hex);
  }
});

Deno.test("FXSAVE wants 16 bytes' alignment, XSAVE 64, FXRSTOR an MXCSR that there is", () => {
  const base = memoryAt + 0x1000;
  const at = (hex: string, offset: number, word = 0x1f80) =>
    run(hex, ({ cpu, mmu }) => {
      cpu.registers[3] = BigInt(base + offset);
      cpu.registers[0] = 3n;
      mmu.bytes.fill(0);
      mmu.store(base + offset + 24, 4, word);
    }).fault?.vector;
  assert.deepEqual([at("0fae03", 16), at("0fae03", 8)], [undefined, vectors.GP]);
  assert.deepEqual([at("0fae0b", 16), at("0fae0b", 8)], [undefined, vectors.GP]);
  assert.deepEqual([at("0fae23", 64), at("0fae23", 16)], [undefined, vectors.GP]);
  assert.deepEqual([at("0fae2b", 64), at("0fae2b", 16)], [undefined, vectors.GP]);
  assert.equal(at("0fae0b", 0, 0x10000), vectors.GP);
  assert.equal(at("0fae2b", 0, 0x10000), vectors.GP);
});

Deno.test("an environment has four layouts, and each is read as it was written", () => {
  // 1 ÷ 0 with zero divide unmasked, so that opcode and operand are kept, then FNSTENV.
  const base = memoryAt + 0x1000;
  const stored = (mode: 16 | 32, isReal: boolean, width: 2 | 4) => {
    const to32 = mode === 16 ? "67" : "";
    const prefix = (mode === 16 ? to32 : "") + ((width === 2) === (mode === 16) ? "" : "66");
    const machine = run(
      `${to32}d92b;d9e8;${to32}d87310;${prefix}d97340;dbe3;dbe3;${prefix}d96340`,
      ({ cpu, mmu }) => {
        mmu.store(base, 2, 0x37b);
        if (isReal) cpu.cr0 &= ~cr0Bits.PE;
      },
      mode,
    );
    assert.equal(machine.fault, undefined);
    const { words } = machine.cpu;
    assert.deepEqual(
      [words[at.FPU_CONTROL >> 2], words[at.FPU_STATUS >> 2], words[at.FPU_TOP >> 2]],
      [0x37b, 0x8084, 7],
    );
    const opcode = isReal || width === 4 ? 0x73 : 0;
    assert.deepEqual([words[at.FPU_TAGS >> 2], words[at.FPU_OPCODE >> 2]], [0x80, opcode]);
    const [ip, dp] = [words[at.FPU_IP >> 2] ?? 0, words[at.FPU_DP >> 2] ?? 0];
    const kept = width === 4 ? 0xffff_ffff : isReal ? 0xf_ffff : 0xffff;
    assert.deepEqual([ip, dp], [(base + 0x7000 & kept) >>> 0, (base + 0x10 & kept) >>> 0]);
    return Array.from(
      { length: 7 },
      (_, n) => machine.mmu.load(base + 0x40 + width * n, width).toString(16),
    ).join(" ");
  };
  for (const mode of [16, 32] as const) {
    assert.equal(
      stored(mode, false, 4),
      "ffff037b ffffb884 ffff3fff 20008000 730000 20001010 ffff0000",
    );
    assert.equal(stored(mode, false, 2), "37b b884 3fff 8000 0 1010 0");
    assert.equal(
      stored(mode, true, 4),
      "ffff037b ffffb884 ffff3fff ffff8000 2000073 ffff1010 2000000",
    );
    assert.equal(stored(mode, true, 2), "37b b884 3fff 8000 73 1010 0");
  }
});

Deno.test("XSAVE writes what is asked for, XSAVEOPT what is in use, XSAVEC in compacted form", () => {
  const base = memoryAt + 0x1000;
  const header = (hex: string, asked: number) => {
    const { mmu, fault } = run(`dbe3;d9e8;${hex}`, ({ cpu, mmu }) => {
      cpu.registers[0] = BigInt(asked);
      mmu.bytes.fill(0x55, 0x1000, 0x1240);
      mmu.store(base + 512, 4, 2);
    });
    assert.equal(fault, undefined);
    return [
      ...[mmu.load(base, 2), mmu.load(base + 24, 4), mmu.load(base + 160, 4)],
      ...[mmu.load(base + 512, 4), mmu.load(base + 524, 4)],
    ];
  };
  const [none, same] = [0x5555_5555, 0x5555];
  assert.deepEqual(header("0fae23", 3), [0x37f, 0, 0, 1, none]);
  assert.deepEqual(header("0fae23", 2), [same, 0, 0, 0, none]);
  assert.deepEqual(header("0fae33", 3), [0x37f, 0, none, 1, none]);
  assert.deepEqual(header("0fae33", 1), [0x37f, none, none, 3, none]);
  // MXCSR is zero here and not as at reset, so that the SSE component is in use.
  assert.deepEqual(header("0fc723", 3), [0x37f, 0, 0, 3, 0x8000_0000]);
  assert.deepEqual(header("0fc723", 1), [0x37f, none, none, 1, 0x8000_0000]);
});

Deno.test("XRSTOR puts components that were not saved to what they are at reset, and refuses a wrong header", () => {
  const base = memoryAt + 0x1000;
  const restored = (words: readonly number[], asked = 3) => {
    const { cpu, fault } = run("0fae2b", ({ cpu, mmu }) => {
      cpu.registers[0] = BigInt(asked);
      cpu.bytes.fill(0x11, at.XMM, at.XMM + 256);
      cpu.words[at.FPU_CONTROL >> 2] = 0x40;
      mmu.bytes.fill(0x22, 0x1000, 0x1200);
      mmu.store(base + 24, 4, 0x1fa0);
      words.forEach((word, n) => mmu.store(base + 512 + 4 * n, 4, word));
    });
    if (fault !== undefined) return fault.vector;
    return [cpu.words[at.FPU_CONTROL >> 2], cpu.words[at.XMM >> 2], cpu.words[at.MXCSR >> 2]];
  };
  assert.deepEqual(restored([3]), [0x262, 0x22222222, 0x1fa0]);
  assert.deepEqual(restored([0]), [0x37f, 0, 0x1fa0]);
  assert.deepEqual(restored([1], 2), [0x40, 0, 0x1fa0]);
  assert.deepEqual(restored([0, 0, 3, 0x8000_0000]), [0x37f, 0, 0x1f80]);
  for (const wrong of [[4], [0, 1], [0, 0, 1], [2, 0, 1, 0x8000_0000], [0, 0, 4, 0x8000_0000]]) {
    assert.equal(restored(wrong), vectors.GP, wrong.join(" "));
  }
});

Deno.test("at power-up all registers hold zero and MXCSR masks all; a processor without SSE saves none of it", () => {
  const { cpu, mmu } = run("0fae03", ({ cpu }) => {
    cpu.bytes.fill(0x77, at.XMM, at.FPU_REGISTERS + 128);
    powerUpExtendedState(cpu);
  });
  assert.deepEqual([cpu.words[at.FPU_CONTROL >> 2], cpu.words[at.FPU_TAGS >> 2]], [0x40, 0xff]);
  const image = mmu.bytes.slice(0x1000, 0x1200);
  const nonzero = [...image.entries()].filter(([, byte]) => byte !== 0);
  assert.deepEqual(nonzero, [[0, 0x40], [4, 0xff], [24, 0x80], [25, 0x1f], [28, 0xff], [29, 0xff]]);

  const without = run("0fae0b;0fae4340", ({ cpu, mmu }) => {
    Object.assign(cpu, { has: (feature: string) => feature !== "sse" });
    mmu.bytes.fill(0xff, 0x1000, 0x1040);
  });
  assert.equal(without.fault, undefined);
  assert.equal(without.mmu.load(memoryAt + 0x1040 + 24, 4), 0);
});
