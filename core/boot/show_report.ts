/**
 * The report of a failed boot as text.
 *
 * @module
 */

import type { CodeLine } from "./code_view.ts";
import { showEvent } from "./events.ts";
import type { FailureReport, ReportedWalk, Scene } from "./report.ts";

const EXCEPTIONS = 6;
const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** Writes a report, a line each. */
export function showReport(report: FailureReport): readonly string[] {
  const { scene, names, way, exceptions, chain, places } = report;
  const lines: string[] = [...report.cause];
  const section = (title: string, body: readonly string[]) => {
    if (body.length > 0) lines.push(`${title}:`, ...body.map((line) => `  ${line}`));
  };
  section(
    "Last on the console",
    report.console.length > 0 ? report.console : ["nothing at all"],
  );
  const shown = exceptions.slice(-Math.max(chain, EXCEPTIONS));
  const bare = (address: number) => names.show(address);
  section(
    chain > 0 ? `Exceptions, the last ${chain} of which led there` : "Last exceptions",
    shown.map((event) => {
      const { text } = event.code;
      return `${count(event.instructions)} ${showEvent(event, bare)}${text && `: ${text}`}`;
    }),
  );
  const level = scene.level === 0 ? "" : `, level ${scene.level}`;
  const when = way?.isThere ? " where it panicked" : "";
  section(`Code${when}, ${scene.mode} bits${level}`, showCode(report));
  section(`Registers${when}`, showRegisters(scene));
  for (const walk of report.walks) section(`Page tables for ${hex(walk.address)}`, showWalk(walk));
  section(
    "Return addresses on the stack",
    scene.callers.map(({ symbol = "", value }) => `${hex(value)} ${symbol}`),
  );
  if (way !== undefined) {
    section(
      "Last jumps",
      way.branches.map((b) => `${count(b.instructions)} ${bare(b.from)} → ${bare(b.to)}`),
    );
    section(
      "Last functions, by when they were entered",
      names.isEmpty
        ? []
        : way.functions.map((visit) =>
          `${count(visit.instructions)} ${visit.name ?? hex(visit.address)}`
        ),
    );
  } else if (places.length > 0) {
    const all = places.reduce((sum, place) => sum + place.count, 0);
    section(
      `Where it was in ${all} looks`,
      places.slice(0, 8).map((place) => `${String(place.count).padStart(4)} ${place.name}`),
    );
  }
  return lines;
}

const count = (instructions: number) => instructions.toLocaleString("en").padStart(13);

function showCode({ scene, names }: FailureReport): string[] {
  return scene.code.map(({ address, bytes, text }: CodeLine) => {
    const mark = address === scene.address ? "→" : " ";
    if (bytes.length === 0) return `${mark} ${names.show(address)}  no memory is there`;
    const raw = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return `${mark} ${names.show(address)}  ${raw}  ${text}`;
  });
}

function showRegisters({ registers, segments, flags, mode }: Scene): string[] {
  const digits = mode === 64 ? 16 : 8;
  const lines: string[] = [];
  const cells: string[] = [];
  const pointers: string[] = [];
  for (const { name, value, symbol } of registers) {
    cells.push(`${name.padEnd(6)} ${value.toString(16).padStart(digits, "0")}`);
    if (symbol !== undefined) pointers.push(`${name} → ${symbol}`);
  }
  for (let i = 0; i < cells.length; i += 4) lines.push(cells.slice(i, i + 4).join("  ").trimEnd());
  lines.push(
    segments.map(({ name, selector }) => `${name} ${selector.toString(16).padStart(4, "0")}`)
      .join("  "),
  );
  const bases = segments.filter(({ base }) => base !== 0);
  if (bases.length > 0) {
    lines.push(`bases: ${bases.map(({ name, base }) => `${name} ${hex(base)}`).join("  ")}`);
  }
  lines.push(`flags: ${flags.join(" ") || "none"}`);
  return [...lines, ...pointers];
}

function showWalk({ steps, physical }: ReportedWalk): string[] {
  return [
    ...steps.map(({ table, at, entry, flags }) =>
      `${table.padEnd(4)} at ${hex(at)}: ${hex(entry)} (${flags.join(", ")})`
    ),
    physical !== undefined
      ? `physical ${hex(physical)}`
      : `ends there: the ${steps.at(-1)?.table ?? "table"} has no entry for it`,
  ];
}
