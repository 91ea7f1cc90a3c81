import assert from "node:assert/strict";
import { type Circumstances, Lockstep } from "../../../testdata/lockstep.ts";
import { ProgramMaker } from "../../../testdata/random_programs.ts";
import { vectors } from "../processor.ts";

const places = {
  32: { low: { code: 0x40_0000, data: 0x50_0000 }, high: { code: 0xc040_0000, data: 0xc050_0000 } },
  64: {
    low: { code: 0x40_0000, data: 0x50_0000 },
    high: { code: -0x7f00_0000, data: -0x7800_0000_0000 },
  },
} as const;
const programs = 800;

/** What a program is run with: as it is, and with each page of its data in another state. */
function* circumstances(n: number): Generator<Circumstances> {
  // At times the code goes on in another page.
  const offset = n % 4 === 3 ? 0x1000 - n * 7 % 60 : 0x100 + n % 64;
  const common = { level: n % 5 === 4 ? 0 : 3, offset } as const;
  yield { ...common, stepwise: n % 4 === 0 };
  for (const [m, what] of (["absent", "read-only", "supervisor", "code"] as const).entries()) {
    if (m < 2 || m === 2 + n % 2) yield { ...common, page: { number: n + m & 3, what } };
  }
}

for (const mode of [32, 64] as const) {
  for (const where of ["low", "high"] as const) {
    Deno.test(`${programs} random programs do the same evaluated, interpreted and compiled, in ${mode}-bit code at ${where} addresses`, () => {
      const lockstep = new Lockstep(mode, places[mode][where]);
      const maker = new ProgramMaker(mode, where === "low" ? 1 : 2, lockstep.places);
      for (let n = 0; n < programs; n++) {
        const program = maker.make();
        for (const one of circumstances(n)) {
          if (lockstep.difference(program, one) === undefined) continue;
          assert.fail(`program ${n}: ${lockstep.shrink(program, one)}`);
        }
      }
      const { runs, compiled, selfModifying, faults } = lockstep.counts;
      const { UD, PF, GP, DE } = vectors;
      const seen = [UD, PF, GP, DE].map((vector) => faults.get(vector) ?? 0);
      assert.ok(
        runs === 4 * programs && compiled > runs && selfModifying > 20 &&
          seen.every((count) => count > 40),
        `${runs} runs, ${compiled} compiled, ${selfModifying} changed code, exceptions ${seen}`,
      );
    });
  }
}
