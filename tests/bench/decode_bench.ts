/**
 * How long decoding takes: `deno task bench decode [MODE FILE [RUNS]]`.
 *
 * The file is raw code of that width, by default the .text of Debian's 6.1 for
 * amd64, decoded from
 * its start to its end. "table" is the compiling of the opcode map, "first" the
 * first pass over the first hundred thousand instructions, all in nanoseconds an
 * instruction; then the median of the passes over the whole.
 *
 * @module
 */

import { DECODED, Decoder } from "../../emu/cpu/decode.ts";
import { Instruction, type Mode } from "../../emu/cpu/instruction.ts";
import { sectionBytes } from "../../formats/elf.ts";
import { unpackedKernel } from "./unpacked.ts";

/** What was measured. */
export interface DecodeFigures {
  /** Compiling the opcode map, in milliseconds. */
  readonly table: number;
  /** Nanoseconds an instruction, first pass. */
  readonly first: number;
  /** The same, median of later passes. */
  readonly warm: number;
  /** Instructions in the file. */
  readonly instructions: number;
}

/** Measures decoding of some code. */
export function measureDecoding(mode: Mode, code: Uint8Array, runs: number): DecodeFigures {
  const i = new Instruction();
  let start = performance.now();
  const decoder = new Decoder(mode);
  const table = performance.now() - start;
  const pass = (most: number) => {
    start = performance.now();
    let count = 0;
    for (let at = 0; at < code.length && count < most; count++) {
      at += decoder.decode(code, at, code.length, i) === DECODED ? i.length : 1;
    }
    return { count, each: (performance.now() - start) * 1e6 / count };
  };
  const first = pass(100_000).each;
  const passes = Array.from({ length: runs }, () => pass(Infinity));
  const warm = passes.map(({ each }) => each).sort((a, b) => a - b)[runs >> 1] ?? 0;
  return { table, first, warm, instructions: passes[0]?.count ?? 0 };
}

if (import.meta.main) {
  const [mode = "64", file, runs = "7"] = Deno.args;
  const kernel = file === undefined ? await unpackedKernel("linux-6.1-amd64") : undefined;
  const code = file === undefined
    ? kernel?.elf && sectionBytes(kernel.bytes, kernel.elf, ".text")
    : Deno.readFileSync(file);
  const figures = code && measureDecoding(Number(mode) as Mode, code, Number(runs));
  if (figures) {
    console.log(
      `${figures.instructions} instructions: table ${figures.table.toFixed(1)} ms, ` +
        `first ${figures.first.toFixed(0)} ns, warm ${figures.warm.toFixed(0)} ns`,
    );
  }
}
