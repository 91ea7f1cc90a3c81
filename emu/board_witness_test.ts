import assert from "node:assert/strict";
import { answers } from "../testdata/board/answers.ts";
import { scripts } from "../testdata/board/scripts.ts";
import { type Step, stepsOf } from "../testdata/board/steps.ts";
import { vgaAnswers } from "../testdata/board/vga_answers.ts";
import { vgaScripts } from "../testdata/board/vga_scripts.ts";
import { Board } from "./board.ts";

/** Does a step, and gives what was read; 0 where nothing was. */
function perform({ bus }: Board, { op, at, value }: Step): number {
  switch (op) {
    case "out":
      bus.out(at, value, 1);
      return 0;
    case "out4":
      bus.out(at, value, 4);
      return 0;
    case "write":
      bus.write(at, value, 4);
      return 0;
    case "in":
      return bus.in(at, 1);
    case "in4":
      return bus.in(at, 4);
    case "in2":
      return bus.in(at, 1) | bus.in(at, 1) << 8;
    case "read":
      return bus.read(at, 4);
    default:
      return 0;
  }
}

const witnesses: typeof answers = { ...answers, ...vgaAnswers };

for (const [name, script] of Object.entries({ ...scripts, ...vgaScripts })) {
  Deno.test(`the board answers as QEMU does: ${name}`, () => {
    const board = new Board();
    const steps = stepsOf(script);
    const witness = witnesses[name] ?? [];
    assert.equal(witness.length, steps.length, "make the answers anew");
    const wrong = steps.flatMap((step, i) => {
      const [time, expected] = witness[i] ?? [0, 0];
      board.clock.skip(time - board.clock.now);
      const found = perform(board, step);
      const { mask, tolerance, line } = step;
      const difference = Math.abs(((found & mask) >>> 0) - ((expected & mask) >>> 0));
      if (difference <= tolerance) return [];
      return [`step ${i}, ${line}: found ${found.toString(16)}, QEMU ${expected.toString(16)}`];
    });
    assert.deepEqual(wrong, []);
  });
}
