import assert from "node:assert/strict";
import {
  AnswerReader,
  codeAt,
  dataAt,
  landingAt,
  processorCases,
  selectors,
  stateOf,
} from "../../../testdata/processor_cases.ts";
import { flatMachine } from "../../../testdata/flat_machine.ts";
import { Decoder } from "../decode.ts";
import { evaluate } from "../evaluate.ts";

async function unzip(path: string): Promise<Uint8Array> {
  const file = await Deno.readFile(new URL(`../../../testdata/${path}`, import.meta.url));
  const stream = new Blob([file]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

for (const mode of [32, 64] as const) {
  Deno.test(`generated code does what a processor (Ice Lake) did, in ${mode}-bit code`, async () => {
    const answers = new AnswerReader(await unzip(`processor/${mode}.bin.gz`));
    const decoder = new Decoder(mode);
    const machine = flatMachine(0x2002_0000);
    const { cpu, engine, mmu, ram, faults } = machine;
    const wrong = new Map<string, string>();
    let count = 0;
    let faulted = 0;
    for (const one of processorCases(mode, 200)) {
      const state = stateOf(one, mode);
      const outcome = evaluate(state, decoder);
      machine.reset(mode);
      for (let n = 0; n < 6; n++) cpu.segments[n as 0].selector = selectors[mode][n] ?? 0;
      cpu.registers.set(one.registers);
      cpu.eflags = one.flags;
      cpu.rip = codeAt[mode];
      const code = codeAt[mode];
      ram.fill(0xf4, code, code + 0x60);
      ram.set(one.bytes, code);
      mmu.written(code, 0x60);
      ram.set(one.data, dataAt);
      let steps = 0;
      do engine.run(1); while (cpu.rip === code && faults.length === 0 && ++steps < 1000);
      const data = ram.subarray(dataAt, dataAt + one.data.length);
      const say = (what: string) => {
        if (!wrong.has(one.name)) wrong.set(one.name, `${one.bytes.toHex()} ${what}`);
      };
      if (outcome.fault !== undefined) {
        // What faults was not shown to the processor; the evaluator is the witness.
        // Memory outside the data is memory here, so page faults are another matter.
        if (outcome.fault === "#PF") continue;
        faulted++;
        if (faults.length !== 1) say(`${outcome.fault} expected`);
        else if (cpu.registers.some((value, n) => value !== one.registers[n])) {
          say("registers changed");
        }
        continue;
      }
      count++;
      const answer = answers.next(one);
      if (faults.length > 0) {
        say(`fault ${faults[0]?.vector}`);
        continue;
      }
      answer.registers.forEach((value, n) => {
        if (value !== cpu.registers[n]) {
          say(`r${n} ${cpu.registers[n]?.toString(16)} is not ${value.toString(16)}`);
        }
      });
      if (answer.flags !== (cpu.eflags & 0xffff)) {
        say(
          `flags ${(cpu.eflags & 0xffff).toString(16)} are not ${answer.flags.toString(16)}, were ${
            one.flags.toString(16)
          }`,
        );
      }
      if (answer.jumped !== (cpu.rip === landingAt[mode])) say(`goes to ${cpu.rip.toString(16)}`);
      if (answer.data.some((byte, n) => byte !== data[n])) say("data differ");
    }
    assert.deepEqual([...wrong], []);
    assert.ok(count > 25_000 && faulted > 100, `${count} cases, ${faulted} faults`);
  });
}
