/**
 * How far the opcode map is covered: `deno run -A tests/opcode_coverage.ts [--rows]`.
 *
 * For each part of the map: its rows; those that cases of the decoder's tests
 * meet, which objdump and capstone have seen; those whose semantics are
 * described; those that a processor was asked about, and by how many cases.
 * With `--rows`, every row that is not described.
 *
 * @module
 */

import { Decoder } from "../emu/cpu/decode.ts";
import { integerRows } from "../emu/cpu/opcodes/integer.ts";
import type { Row } from "../emu/cpu/opcodes/row.ts";
import { systemRows } from "../emu/cpu/opcodes/system.ts";
import { vectorRows } from "../emu/cpu/opcodes/vector.ts";
import { x87Rows } from "../emu/cpu/opcodes/x87.ts";
import { semanticsOf } from "../emu/cpu/semantics/mod.ts";
import { allCases } from "../testdata/instruction_cases.ts";
import { processorCases } from "../testdata/processor_cases.ts";
import { vectorCases, vectorTurns } from "../testdata/vector_cases.ts";

/** Coverage of one row. */
export interface RowCoverage {
  /** The row. */
  readonly row: Row;
  /** Cases of the decoder's tests that decode to it, in all modes. */
  readonly decoded: number;
  /** Whether its semantics are described. */
  readonly described: boolean;
  /** Cases that a processor was asked about, in all modes. */
  readonly asked: number;
}

/** The parts of the map, in its order. */
const parts: readonly (readonly [name: string, rows: () => readonly Row[]])[] = [
  ["integer", integerRows],
  ["system", systemRows],
  ["x87", x87Rows],
  ["vector", vectorRows],
];

/** Coverage of each row of the map, in its order. */
export function coverage(): readonly RowCoverage[] {
  const { forms } = new Decoder(64);
  const decoded = new Array<number>(forms.length).fill(0);
  const asked = new Array<number>(forms.length).fill(0);
  const count = (counts: number[], form: number) => counts[form] = (counts[form] ?? 0) + 1;
  for (const mode of [16, 32, 64] as const) {
    for (const { form } of allCases(mode, false)) count(decoded, form);
  }
  for (const mode of [32, 64] as const) {
    for (const { form } of processorCases(mode, 200)) count(asked, form);
    for (const { form } of vectorCases(mode, vectorTurns[mode])) count(asked, form);
  }
  return forms.slice(1).map((form, n) => ({
    row: form.row,
    decoded: decoded[n + 1] ?? 0,
    described: semanticsOf(form) !== undefined,
    asked: asked[n + 1] ?? 0,
  }));
}

if (import.meta.main) {
  const rows = coverage();
  console.log("part      rows  decoded  described  asked   cases");
  let at = 0;
  for (const [name, list] of parts) {
    const part = rows.slice(at, at += list().length);
    const figures = [
      part.length,
      part.filter(({ decoded }) => decoded > 0).length,
      part.filter(({ described }) => described).length,
      part.filter(({ asked }) => asked > 0).length,
      part.reduce((sum, { asked }) => sum + asked, 0),
    ];
    const widths = [6, 9, 11, 7, 8];
    const cells = figures.map((figure, n) => String(figure).padStart(widths[n] ?? 0));
    console.log(name.padEnd(8) + cells.join(""));
  }
  if (Deno.args.includes("--rows")) {
    for (const { row, described } of rows) {
      if (!described) console.log(`not described: ${row.opcode.padEnd(22)} ${row.text}`);
    }
  }
}
