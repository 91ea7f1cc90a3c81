/**
 * Asks the processor that this runs on what single instructions do, and keeps
 * its answers for the tests.
 *
 *     deno run -P=tools tests/witness/processor.ts          says where the evaluator differs
 *     deno run -P=tools tests/witness/processor.ts --keep   into testdata/processor
 *
 * How they are run is in native.ts. What faults is not run; the evaluator is
 * asked before.
 *
 * @module
 */

import { Decoder } from "../../emu/cpu/decode.ts";
import { evaluate } from "../../emu/cpu/evaluate.ts";
import {
  landingAt,
  packAnswers,
  type ProcessorAnswer,
  type ProcessorCase,
  processorCases,
  stateOf,
} from "../../testdata/processor_cases.ts";
import { prepare } from "./native.ts";

const flagNames = {
  CF: 1,
  PF: 4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
};

if (import.meta.main) {
  const ask = prepare();
  const keeps = Deno.args.includes("--keep");
  for (const mode of [32, 64] as const) {
    const decoder = new Decoder(mode);
    const pairs: [ProcessorCase, ProcessorAnswer][] = [];
    const differing = new Map<string, string[]>();
    for (const one of processorCases(mode, 200)) {
      const state = stateOf(one, mode);
      const { fault, undefinedFlags } = evaluate(state, decoder);
      if (fault !== undefined) continue;
      const answer = ask(one, mode);
      pairs.push([one, answer]);
      const wrong: string[] = [];
      answer.registers.forEach((value, n) => {
        if (value !== state.registers[n]) {
          wrong.push(`r${n} ${value.toString(16)} here ${state.registers[n]?.toString(16)}`);
        }
      });
      const flags = (answer.flags ^ state.flags) & 0xffff;
      for (const [name, bit] of Object.entries(flagNames)) {
        if ((flags & bit) === 0) continue;
        wrong.push((undefinedFlags & bit) === 0 ? name : `undefined ${name}`);
      }
      if (answer.jumped !== (Number(state.rip) === landingAt[mode])) wrong.push("jump");
      if (answer.data.some((byte, at) => byte !== state.data[at])) wrong.push("memory");
      if (wrong.length === 0) continue;
      const was = `${one.bytes.toHex()} rax ${one.registers[0]?.toString(16)}` +
        ` rcx ${one.registers[1]?.toString(16)} flags ${one.flags.toString(16)}`;
      const line = `${was}: ${wrong.join(", ")}, flags ${answer.flags.toString(16)}` +
        ` here ${state.flags.toString(16)}`;
      for (const what of wrong) {
        const key = `${one.name} ${what.replace(/ .* here .*/, "")}`;
        const lines = differing.get(key);
        if (lines === undefined) differing.set(key, [line]);
        else lines.push(line);
      }
    }
    console.log(`${mode}-bit: ${pairs.length} cases`);
    for (const [key, lines] of differing) console.log(`  ${lines.length} ${key}\n    ${lines[0]}`);
    if (!keeps) continue;
    const stream = new Blob([packAnswers(pairs)]).stream()
      .pipeThrough(new CompressionStream("gzip"));
    const path = new URL(`../../testdata/processor/${mode}.bin.gz`, import.meta.url);
    await Deno.writeFile(path, new Uint8Array(await new Response(stream).arrayBuffer()));
  }
}
