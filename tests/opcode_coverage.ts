/**
 * How far the opcode map is covered: `deno run -A tests/opcode_coverage.ts [--rows]`.
 *
 * For each part of the map: its rows; those that cases of the decoder's tests
 * meet, which objdump and capstone have seen; those that are carried out; those
 * that a processor was asked about one by one, and by how many cases; those in
 * the programs that were run on QEMU, or held to the manual; those that real
 * kernels met while they booted. With `--rows`, every row that is not carried
 * out, and every one that boots met and nobody was asked about.
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
import { systemSemanticsOf } from "../emu/cpu/system/mod.ts";
import type { Machine } from "../emu/machine.ts";
import { manualGuests, witnessedGuests } from "../testdata/guests/guests.ts";
import { guestMachine } from "../testdata/guests/run.ts";
import { allCases } from "../testdata/instruction_cases.ts";
import { processorCases } from "../testdata/processor_cases.ts";
import { romMachine } from "../testdata/rom_machine.ts";
import { rowKey, rowsMet } from "../testdata/rows_met.ts";
import { systemCases32 } from "../testdata/system_cases.ts";
import { systemCases64 } from "../testdata/system_cases64.ts";
import { systemRom } from "../testdata/system_rom.ts";
import { vectorCases, vectorTurns } from "../testdata/vector_cases.ts";
import { type Group, groups, x87Cases } from "../testdata/x87_cases.ts";
import { leastOf } from "../testdata/x87_compare.ts";

/** Coverage of one row. */
export interface RowCoverage {
  /** The row. */
  readonly row: Row;
  /** Cases of the decoder's tests that decode to it, in all modes. */
  readonly decoded: number;
  /** Whether it is carried out. */
  readonly runs: boolean;
  /** Cases that a processor was asked about, in all modes. */
  readonly asked: number;
  /** Whether a program met it that has a witness. */
  readonly inProgram: boolean;
  /** Letters of the boots that met it. */
  readonly met: string;
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
  for (const group of Object.keys(groups) as Group[]) {
    for (const { form } of x87Cases(group, leastOf(group))) count(asked, form);
  }
  const { rows: met } = rowsMet();
  const inPrograms = metByPrograms();
  return forms.slice(1).map((form, n) => ({
    row: form.row,
    decoded: decoded[n + 1] ?? 0,
    runs: semanticsOf(form) !== undefined || systemSemanticsOf(form) !== undefined,
    asked: asked[n + 1] ?? 0,
    inProgram: inPrograms.has(form.row.opcode),
    met: met.get(rowKey(form.row)) ?? "",
  }));
}

/** Opcodes in the programs that witnesses were asked about. */
function metByPrograms(): ReadonlySet<string> {
  const found = new Set<string>();
  const run = (machine: Machine) => {
    machine.engine.cache.onForm = ({ row }) => void found.add(row.opcode);
    machine.run({ instructions: 20_000_000 });
  };
  run(romMachine(systemRom(32, systemCases32())));
  run(romMachine(systemRom(64, systemCases64())));
  for (const guest of [...witnessedGuests(), ...manualGuests()]) run(guestMachine(guest).machine);
  return found;
}

if (import.meta.main) {
  const rows = coverage();
  console.log("part      rows  decoded  carried out  asked   cases  programs  boots");
  let at = 0;
  for (const [name, list] of parts) {
    const part = rows.slice(at, at += list().length);
    const figures = [
      part.length,
      part.filter(({ decoded }) => decoded > 0).length,
      part.filter(({ runs }) => runs).length,
      part.filter(({ asked }) => asked > 0).length,
      part.reduce((sum, { asked }) => sum + asked, 0),
      part.filter(({ inProgram }) => inProgram).length,
      part.filter(({ met }) => met !== "").length,
    ];
    const widths = [6, 9, 13, 7, 8, 10, 7];
    const cells = figures.map((figure, n) => String(figure).padStart(widths[n] ?? 0));
    console.log(name.padEnd(8) + cells.join(""));
  }
  if (Deno.args.includes("--rows")) {
    const show = (why: string, { row }: RowCoverage) =>
      console.log(`${why}: ${row.opcode.padEnd(22)} ${row.text}`);
    for (const one of rows.filter(({ runs }) => !runs)) show("not carried out", one);
    for (const one of rows) {
      if (one.met !== "" && one.asked === 0 && !one.inProgram) show("met by boots alone", one);
    }
  }
}
