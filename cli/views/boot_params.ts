/**
 * A zero page, field by field.
 *
 * @module
 */

import type { Inspection } from "../../core/inspection.ts";
import {
  type BootParams,
  bootParams,
  decodeBootParams,
  showVersionBasis,
} from "../../formats/boot_params.ts";
import { hex } from "../../formats/errors.ts";
import { type AnyRecord, meaning, walk } from "../../formats/layout.ts";
import { sanitize } from "../../formats/sanitizer.ts";
import { exit } from "../ui/exit.ts";
import { styles } from "../ui/style.ts";
import { table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { severityPaint } from "./summary.ts";
import { raw, roughly } from "./words.ts";

/** Whether a field's value is all zero. */
export function isZero(value: unknown): boolean {
  if (typeof value === "number" || typeof value === "bigint") return BigInt(value) === 0n;
  if (typeof value === "string") return value === "";
  if (value instanceof Uint8Array) return value.every((byte) => byte === 0);
  return Array.isArray(value) && value.every(isZero);
}

/**
 * Prints a zero page: what is set, or with `all` every field.
 *
 * @returns The exit code.
 */
export function printBootParams(
  terminal: Terminal,
  { path, bytes, complaints }: Inspection,
  all = false,
): number {
  const paint = styles(terminal.colour);
  const params = decodeBootParams(bytes);
  terminal.out(`${paint.title(printable(path))}\n`);
  terminal.out(`  zero page (struct boot_params), ${showVersionBasis(params)}\n\n`);
  terminal.out(fieldsTable(terminal, params, all));
  const { e820, leftovers } = params;
  if (e820.length > 0) {
    terminal.out("\n");
    terminal.out(
      table(
        terminal,
        [{ title: "Memory map", align: "right" }, { title: "End", align: "right" }, {
          title: "Size",
          align: "right",
        }, { title: "Type" }],
        e820.map(({ addr, size, type }) => [
          hex(addr),
          hex(addr + size),
          roughly(size),
          meaning(bootParams.fields.e820_table.of.fields.type, type) ?? String(type),
        ]),
        { indent: 2 },
      ),
    );
  }
  for (const { path: where, at, bytes: area } of leftovers) {
    terminal.out(`\n  ${paint.warn("left over")} at ${hex(at)} in ${where}: ${raw(area)}\n`);
  }
  const { cleared } = sanitize(bytes);
  if (cleared.length > 0) {
    terminal.out(
      `\n  ${paint.warn("sentinel")} at 0x1ef is set: the kernel will clear ` +
        `${cleared.join(", ")}\n`,
    );
  }
  for (const { severity, offset, rule, message } of complaints) {
    terminal.out(
      `  ${severityPaint(paint, severity)} at ${hex(offset)} [${rule}] ${printable(message)}\n`,
    );
  }
  return exit.done.code;
}

function fieldsTable(terminal: Terminal, params: BootParams, all: boolean): string {
  const paint = styles(terminal.colour);
  const record = params.fields as unknown as AnyRecord;
  const rows = [...walk(bootParams, record)]
    .filter(({ path, value }) =>
      all ? !path.startsWith("e820_table[") : !isZero(value) && !/^e820_table\[/.test(path)
    )
    .map(({ path, at, size, row, value }) => [
      hex(at, 3),
      path,
      raw(value, size > 8 ? 1 : size),
      printable(meaning(row, value) ?? ""),
    ]);
  return table(
    terminal,
    [{ align: "right", paint: paint.dim }, { paint: paint.name }, { fit: "wrap" }, {
      fit: "wrap",
    }],
    rows,
    { indent: 2 },
  );
}
