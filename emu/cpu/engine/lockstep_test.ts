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
const programs = 500;

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
        runs === 4 * programs && compiled > runs && selfModifying > 10 &&
          seen.every((count) => count > 20),
        `${runs} runs, ${compiled} compiled, ${selfModifying} changed code, exceptions ${seen}`,
      );
    });
  }
}

const window = {
  32: { code: 0x40_0000, data: 0xc000_0000 },
  64: { code: 0x40_0000, data: -0x7800_0000_0000 },
} as const;
/** Physical addresses of the code's page and of the data. */
const [codePage, dataPages] = [0x20_d000, 0x21_0000];

for (
  const { mode, mapping, at, what } of [
    { mode: 32, mapping: "large", at: dataPages, what: "on data in large pages" },
    { mode: 64, mapping: "large", at: dataPages, what: "on data in large pages" },
    { mode: 32, mapping: "none", at: dataPages, what: "without paging" },
    { mode: 32, mapping: "large", at: codePage, what: "on themselves in large pages" },
    { mode: 64, mapping: "large", at: codePage, what: "on themselves in large pages" },
    { mode: 32, mapping: "none", at: codePage, what: "on themselves, without paging" },
  ] as const
) {
  Deno.test(`random programs ${what} do the same evaluated, interpreted and compiled, in ${mode}-bit code`, () => {
    const { code, data } = mapping === "none" ? { code: codePage, data: 0 } : window[mode];
    const lockstep = new Lockstep(mode, { code, data: data + at }, mapping);
    const maker = new ProgramMaker(mode, 5, lockstep.places, true);
    for (let n = 0; n < 150; n++) {
      const program = maker.make();
      const one = { level: 0, offset: 0x100 + n % 64, stepwise: n % 16 === 0 } as const;
      if (lockstep.difference(program, one) === undefined) continue;
      assert.fail(`program ${n}: ${lockstep.shrink(program, one)}`);
    }
    const { runs, compiled, selfModifying } = lockstep.counts;
    assert.ok(runs === 150 && compiled > 100, `${runs} runs, ${compiled} compiled`);
    assert.ok(at === dataPages || selfModifying > 5, `${selfModifying} changed code`);
  });
}
