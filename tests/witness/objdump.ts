/**
 * Asks binutils' objdump what it makes of instructions, holds the disassembler
 * against it and keeps the answers for the tests.
 *
 *     deno run -P=tools tests/witness/objdump.ts          every case; prints disagreements
 *     deno run -P=tools tests/witness/objdump.ts --keep   a few of each, into testdata/objdump
 *     deno run -P=tools tests/witness/objdump.ts --mode 64 --at 0xffffffff81000000 FILE
 *                                                         raw code, instruction by instruction
 *
 * @module
 */

import { disassemble } from "../../emu/cpu/disassemble.ts";
import type { Mode } from "../../emu/cpu/instruction.ts";
import { agrees, shownToWitness, type Witnessed } from "../../testdata/disassembly.ts";
import { allCases } from "../../testdata/instruction_cases.ts";

const machines: Readonly<Record<Mode, string>> = { 16: "i8086", 32: "i386", 64: "i386:x86-64" };

/** What objdump says of raw code, by offset. */
function askObjdump(code: Uint8Array, mode: Mode, base: bigint): Map<number, Witnessed> {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, code);
    const { stdout, success } = new Deno.Command("objdump", {
      args: [
        ...["-D", "-z", "-b", "binary", "-m", machines[mode], "-M", "intel,intel64"],
        ...["--insn-width=15", `--adjust-vma=0x${base.toString(16)}`, file],
      ],
    }).outputSync();
    if (!success) throw new Error("objdump failed");
    const said = new Map<number, Witnessed>();
    for (const line of new TextDecoder().decode(stdout).split("\n")) {
      const match = /^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$/.exec(line);
      if (match === null) continue;
      const [, at = "", hex = "", text = ""] = match;
      const offset = Number(BigInt(`0x${at}`) - base);
      const length = hex.trim().split(" ").length;
      said.set(offset, { bytes: code.slice(offset, offset + 16), length, text });
    }
    return said;
  } finally {
    Deno.removeSync(file);
  }
}

function tell(mode: Mode, said: Iterable<[number, Witnessed]>, base: bigint): void {
  let count = 0;
  const wrong = new Map<string, string[]>();
  for (const [offset, theirs] of said) {
    count++;
    const { length, text } = disassemble(theirs.bytes, { mode, address: base + BigInt(offset) });
    if (agrees({ bytes: theirs.bytes, length, text }, theirs)) continue;
    const key = `${theirs.text.split(" ")[0]} | ${text.split(" ")[0]}`;
    const line = `${theirs.bytes.toHex()} ${theirs.text} (${theirs.length}) | ${text} (${length})`;
    wrong.set(key, [...wrong.get(key) ?? [], line]);
  }
  const sum = [...wrong.values()].reduce((total, lines) => total + lines.length, 0);
  console.log(`${mode}-bit: ${count} instructions, ${sum} disagreements`);
  for (const [key, lines] of wrong) console.log(`  ${lines.length} ${key}\n    ${lines[0]}`);
}

async function keep(mode: Mode): Promise<void> {
  const shown = shownToWitness(mode, 4, 1000);
  const code = new Uint8Array(shown.length * 16);
  shown.forEach((bytes, n) => code.set(bytes, n * 16));
  const said = askObjdump(code, mode, 0n);
  const lines = shown.map((bytes, n) => {
    const { length, text } = said.get(n * 16) ?? { length: 0, text: "" };
    return `${bytes.toHex()} ${length} ${text.replace(/\s+/g, " ").trim()}\n`;
  });
  const stream = new Blob(lines).stream().pipeThrough(new CompressionStream("gzip"));
  const path = new URL(`../../testdata/objdump/${mode}.txt.gz`, import.meta.url);
  await Deno.writeFile(path, new Uint8Array(await new Response(stream).arrayBuffer()));
  console.log(`${mode}-bit: ${lines.length} answers kept`);
}

function compareCases(mode: Mode): void {
  const cases = [...allCases(mode, true)];
  const code = new Uint8Array(cases.length * 16).fill(0x90);
  cases.forEach(({ bytes }, n) => code.set(bytes, n * 16));
  const said = askObjdump(code, mode, 0n);
  tell(mode, [...said].filter(([offset]) => offset % 16 === 0), 0n);
}

if (import.meta.main) {
  const [first, second, third, fourth, file] = Deno.args;
  if (first === "--keep") {
    for (const mode of [16, 32, 64] as const) await keep(mode);
  } else if (first === "--mode" && third === "--at" && file !== undefined) {
    const mode = Number(second) as Mode;
    const base = BigInt(fourth ?? "0");
    tell(mode, askObjdump(Deno.readFileSync(file), mode, base), base);
  } else {
    for (const mode of [16, 32, 64] as const) compareCases(mode);
  }
}
