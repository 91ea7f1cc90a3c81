import assert from "node:assert/strict";
import { answers } from "../../testdata/bios/answers.ts";
import { calls, callsOf } from "../../testdata/bios/calls.ts";
import { biosMachine } from "../../testdata/bios_machine.ts";

Deno.test("the BIOS answers as SeaBIOS does, call after call", () => {
  // Of that machine: the date, and memory that a call may ask for.
  const { machine, run } = biosMachine({ startTime: 1_704_067_200 });
  const { cpu } = machine;
  const all = callsOf(calls);
  assert.equal(answers.length, all.length, "make the answers anew");
  const wrong = all.flatMap(({ vector, before, isCompared, line }, i) => {
    const { eax: ax = 0, ebx: bx = 0, ecx: cx = 0, edx: dx = 0, es = 0 } = before;
    const { esi: si = 0, edi: di = 0, ebp: bp = 0 } = before;
    const stop = run((a) => a.emit("stc").emit("int", vector), { ax, bx, cx, dx, si, di, bp, es });
    assert.equal(stop.kind, "exit", line);
    const found = [0, 3, 1, 2, 6, 7, 5].map((number) => cpu.low(number));
    found.push(cpu.eflags & 0x41, cpu.segments[0].selector);
    const ours = found.map((word) => word.toString(16)).join(" ");
    return !isCompared || ours === answers[i]
      ? []
      : [`${line}: found ${ours}, SeaBIOS ${answers[i]}`];
  });
  assert.deepEqual(wrong, []);
});
