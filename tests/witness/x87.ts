/**
 * Asks the processor that this runs on what single x87 instructions do, and
 * keeps its answers for the tests.
 *
 *     deno run -P=tools tests/witness/x87.ts [GROUP...]    says where the unit differs
 *     deno run -P=tools tests/witness/x87.ts --times=20    the same with so many times the cases
 *     deno run -P=tools tests/witness/x87.ts --keep        into testdata/x87
 *
 * Needs x86-64 Linux. Instructions run in this very process between an FXRSTOR
 * and an FXSAVE; what faults is not run, the unit is asked before.
 *
 * @module
 */

import {
  answerOf,
  codeAt,
  dataAt,
  dataSize,
  type Group,
  groups,
  imageAt,
  operandAt,
  packAnswers,
  type X87Answer,
  type X87Case,
  x87Cases,
} from "../../testdata/x87_cases.ts";
import { differences, leastOf } from "../../testdata/x87_compare.ts";
import { memoryAt as base, memorySize, x87Machine } from "../../testdata/x87_machine.ts";

const harnessAt = base + 0x8000;
const flagsAt = base + 0x4100;
const raxAt = base + 0x4108;
const outFlagsAt = base + 0x4300;
const outRaxAt = base + 0x4308;
const mxcsrAt = base + 0x4310;
const endAt = base + 0x8480;

const word = (value: number): number[] => [0, 8, 16, 24].map((by) => value >>> by & 0xff);
const jump = (from: number, to: number) => [0xe9, ...word(to - from - 5)];
/** An instruction with an absolute address of 32 bits as its operand. */
const absolute = (opcode: readonly number[], reg: number, address: number) => [
  ...opcode,
  ...[reg << 3 | 4, 0x25],
  ...word(address),
];

/** The code around the instruction. */
function harness(): [at: number, bytes: number[]][] {
  const start = [
    ...[0x53, 0x9c],
    ...[0xbb, ...word(operandAt)],
    ...[0x31, 0xd2],
    ...absolute([0x48, 0x0f, 0xae], 1, imageAt.before),
    ...absolute([0x8b], 0, raxAt),
    ...absolute([0xff], 6, flagsAt),
    0x9d,
  ];
  const end = [
    ...absolute([0x48, 0x0f, 0xae], 0, imageAt.after),
    ...[0x9c, ...absolute([0x8f], 0, outFlagsAt)],
    ...absolute([0x89], 0, outRaxAt),
    ...[0xdb, 0xe3],
    ...absolute([0x0f, 0xae], 2, mxcsrAt),
    ...[0x9d, 0x5b, 0xc3],
  ];
  return [
    [harnessAt, [...start, ...jump(harnessAt + start.length, codeAt)]],
    [endAt, end],
  ];
}

/** Maps the pages, writes the harness, and gives what runs a case. */
function prepare(): (one: X87Case) => X87Answer {
  const libc = Deno.dlopen("libc.so.6", {
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  });
  const [readWriteRun, fixedPrivateAnonymous] = [7, 0x32];
  const pointer = libc.symbols.mmap(
    ...[BigInt(base), BigInt(memorySize), readWriteRun, fixedPrivateAnonymous, -1, 0n] as const,
  );
  if (pointer === null || Number(Deno.UnsafePointer.value(pointer)) !== base) {
    throw new Error("the pages cannot be mapped");
  }
  const memory = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, memorySize));
  const view = new DataView(memory.buffer);
  for (const [at, bytes] of harness()) memory.set(bytes, at - base);
  view.setUint32(mxcsrAt - base, 0x1f80, true);
  const at = Deno.UnsafePointer.create(BigInt(harnessAt));
  if (at === null) throw new Error("no code");
  const definition = { parameters: [], result: "void" } as const;
  const run = new Deno.UnsafeFnPointer(at as Deno.PointerObject<typeof definition>, definition);
  return (one) => {
    memory.set(one.data, dataAt - base);
    memory.set(one.image, imageAt.before - base);
    memory.fill(0, imageAt.after - base, imageAt.after - base + 512);
    memory.set(one.bytes, codeAt - base);
    const after = codeAt + one.bytes.length;
    memory.set(jump(after, endAt), after - base);
    view.setBigUint64(flagsAt - base, BigInt(one.flags), true);
    view.setUint32(raxAt - base, one.rax, true);
    run.call();
    return {
      image: memory.slice(imageAt.after - base, imageAt.after - base + 512),
      flags: view.getUint16(outFlagsAt - base, true),
      rax: view.getUint32(outRaxAt - base, true),
      data: memory.slice(dataAt - base, dataAt - base + dataSize),
    };
  };
}

/** Shows what matters of a state. */
function shown(image: Uint8Array, registers = 8): string {
  const view = new DataView(image.buffer, image.byteOffset);
  const hex = (value: number | bigint) => value.toString(16);
  const stack = Array.from({ length: registers }, (_, n) => {
    const high = view.getUint16(40 + 16 * n, true).toString(16).padStart(4, "0");
    return `${high}:${view.getBigUint64(32 + 16 * n, true).toString(16).padStart(16, "0")}`;
  });
  return `cw ${hex(view.getUint16(0, true))} sw ${hex(view.getUint16(2, true))} tags ${
    hex(view.getUint8(4))
  } fop ${hex(view.getUint16(6, true))} ip ${hex(view.getBigUint64(8, true))} dp ${
    hex(view.getBigUint64(16, true))
  } mxcsr ${hex(view.getUint32(24, true))} ${stack.join(" ")}`;
}

if (import.meta.main) {
  const ask = prepare();
  const keeps = Deno.args.includes("--keep");
  const times = Number(Deno.args.find((arg) => arg.startsWith("--times="))?.slice(8) ?? 1);
  const chosen = Deno.args.filter((arg) => !arg.startsWith("-"));
  const machine = x87Machine();
  for (const group of Object.keys(groups) as Group[]) {
    if (chosen.length > 0 && !chosen.includes(group)) continue;
    const pairs: [X87Case, X87Answer][] = [];
    let count = 0;
    const differing = new Map<string, string[]>();
    for (const one of x87Cases(group, times * leastOf(group))) {
      const here = answerOf(machine, one);
      if (here === undefined) continue;
      const answer = ask(one);
      count++;
      if (keeps) pairs.push([one, answer]);
      const wrong = differences(group, one, answer, here);
      const operand = one.data.slice(operandAt - dataAt, operandAt - dataAt + 10);
      const line = `${one.bytes.toHex()} operand ${operand.toReversed().toHex()}\n` +
        `      was  ${shown(one.image, 3)}\n      is   ${shown(answer.image, 3)}\n` +
        `      here ${shown(here.image, 3)}\n      ${wrong.join(", ")}`;
      for (const what of wrong) {
        const key = `${one.name} ${what.replace(/:.*/, "")}`;
        const lines = differing.get(key);
        if (lines === undefined) differing.set(key, [line]);
        else if (lines.length < 1000) lines.push(line);
      }
    }
    console.log(`${group}: ${count} cases`);
    for (const [key, lines] of differing) {
      console.log(`  ${lines.length} ${key}`);
      for (const line of lines.slice(0, 3)) console.log(`    ${line}`);
    }
    if (!keeps) continue;
    const stream = new Blob([packAnswers(pairs)]).stream()
      .pipeThrough(new CompressionStream("gzip"));
    const path = new URL(`../../testdata/x87/${group}.bin.gz`, import.meta.url);
    await Deno.mkdir(new URL(".", path), { recursive: true });
    await Deno.writeFile(path, new Uint8Array(await new Response(stream).arrayBuffer()));
  }
}
