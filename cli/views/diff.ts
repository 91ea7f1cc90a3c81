/**
 * What differs, as a person reads it: side by side on a terminal, one column in
 * a pipe, layouts as a table; and as JSON.
 *
 * @module
 */

import {
  type Change,
  changeJson,
  type ChangeKind,
  type DiffSection,
  diffSections,
} from "../../core/diff/change.ts";
import { type Json, SCHEMA } from "../../core/json.ts";
import type { SinceBasis } from "../../formats/history_data.ts";
import type { Comparison, Subject } from "../diff.ts";
import type { DiffOptions } from "../program.ts";
import { type Paint, type Styles, styles } from "../ui/style.ts";
import { sideBySide, table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { pad, printable, visibleWidth, wrap } from "../ui/text.ts";
import { grouped } from "./words.ts";

/** The options that decide about the form. */
export type DiffForm = Pick<DiffOptions, "sideBySide" | "unified" | "section">;

/** Width of two columns where there is no terminal, as diff(1) has it. */
const PIPE_WIDTH = 130;

/** Prints a comparison. */
export function printDiff(terminal: Terminal, comparison: Comparison, form: DiffForm): void {
  const { a, b, changes, identical, compared } = comparison;
  if (changes.length === 0) {
    const where = form.section ? ` in ${form.section.join(", ")}` : "";
    const what = identical
      ? `identical, ${printable(a.title)}`
      : compared === "layouts"
      ? `the same layout${where}`
      : `no difference${where || ` between the ${compared}`}`;
    terminal.out(`${pathsOf(a, b)}: ${what}\n`);
    return;
  }
  if (compared === "layouts" && !form.sideBySide && !form.unified) {
    printLayouts(terminal, comparison);
    return;
  }
  const isWide = form.sideBySide ?? (terminal.outIsTerminal && !form.unified);
  if (isWide) printSideBySide(terminal, comparison);
  else printUnified(terminal, comparison);
}

function pathsOf(a: Subject, b: Subject): string {
  return a.path === b.path ? printable(a.path) : `${printable(a.path)} and ${printable(b.path)}`;
}

/** Changes by section, in the order they have. */
function grouping(changes: readonly Change[]): Map<DiffSection, Change[]> {
  return Map.groupBy(changes, ({ section }) => section);
}

/** So many changes of a section are taken in without counting them. */
const AT_A_GLANCE = 12;

/** A section's heading, with how much there is of each kind where that is much. */
function heading(section: DiffSection, changes: readonly Change[]): string {
  const title = diffSections[section];
  if (changes.length <= AT_A_GLANCE) return title;
  const kinds = [...Map.groupBy(changes, ({ kind }) => kind)] as [ChangeKind, Change[]][];
  const counts = kinds.map(([kind, of]) => `${grouped(of.length)} ${kind}`);
  return `${title}: ${counts.join(", ")}`;
}

const text = (value: Json | undefined): string =>
  printable(typeof value === "string" ? value : JSON.stringify(value) ?? "");

const wasText = ({ was, wasShown }: Change): string | undefined =>
  was === undefined ? undefined : wasShown === undefined ? text(was) : printable(wasShown);

const isText = ({ is, isShown }: Change): string | undefined =>
  is === undefined ? undefined : isShown === undefined ? text(is) : printable(isShown);

function printUnified(terminal: Terminal, { a, b, changes }: Comparison): void {
  const paint = styles(terminal.colour);
  terminal.out(paint.removed(`--- ${printable(a.path)}  (${printable(a.title)})`) + "\n");
  terminal.out(paint.added(`+++ ${printable(b.path)}  (${printable(b.title)})`) + "\n");
  for (const [section, of] of grouping(changes)) {
    terminal.out(`${paint.name(`@@ ${heading(section, of)} @@`)}\n`);
    const width = Math.min(44, Math.max(...of.map(({ path }) => visibleWidth(printable(path)))));
    const line = (mark: string, name: string, value: string, dress: Paint) => {
      const body = `${mark}${pad(name, width)}  ${value}`.trimEnd();
      for (const one of body.split("\n")) terminal.out(`${dress(one)}\n`);
    };
    for (const change of of) {
      const name = printable(change.path);
      const [was, is] = [wasText(change), isText(change)];
      if (change.kind === "same") {
        line(" ", name, is ?? "", paint.value);
        continue;
      }
      const note = noteOf(change);
      const inline = is !== undefined && fitsBehind(change, note, is, INLINE_WIDTH - width);
      if (was !== undefined) line("-", name, lined(was, width, "-"), paint.removed);
      if (is !== undefined) {
        line("+", name, lined(inline ? `${is}; ${note}` : is, width, "+"), paint.added);
      }
      if (note !== undefined && !inline) line(" ", "", lined(note, width, " "), paint.dim);
    }
  }
}

/** Widest line with a note behind its value. */
const INLINE_WIDTH = 100;

/** Whether a note about how far or how much may stand behind the value. */
function fitsBehind(
  { kind, section }: Change,
  note: string | undefined,
  value: string,
  room: number,
): boolean {
  const isMeasure = (kind === "resized" || kind === "moved") &&
    section !== "platforms" && section !== "placement";
  return note !== undefined && isMeasure &&
    visibleWidth(value) + visibleWidth(note) + 2 <= room;
}

/** A value of several lines, each with its mark and under the first. */
function lined(value: string, width: number, mark: string): string {
  return value.replaceAll("\n", `\n${mark}${" ".repeat(width + 2)}`);
}

function noteOf({ note, since, section }: Change): string | undefined {
  const parts = [
    note === undefined ? "" : printable(note),
    // In a table the release has a column of its own; elsewhere the note names it.
    since !== undefined && section === "layout" ? `since Linux ${since}` : "",
  ].filter(Boolean);
  return parts.length > 0 ? parts.join("; ") : undefined;
}

function printSideBySide(terminal: Terminal, { a, b, changes }: Comparison): void {
  const paint = styles(terminal.colour);
  const columns = terminal.outIsTerminal ? terminal.columns : PIPE_WIDTH;
  const longest = Math.max(...changes.map(({ path }) => visibleWidth(printable(path))));
  const nameWidth = Math.min(longest, Math.max(8, Math.floor(columns * 0.28)));
  const indent = 2;
  const start = indent + nameWidth + 2;
  // The two values share what the name leaves over.
  const page = { columns: columns - start, outIsTerminal: true, colour: terminal.colour };
  const print = (name: string, values: string) => {
    const names = wrapPath(name, nameWidth);
    const lines = values.replace(/\n$/, "").split("\n");
    for (let y = 0; y < Math.max(names.length, lines.length); y++) {
      const cell = pad(paint.name(names[y] ?? ""), nameWidth);
      terminal.out(`${" ".repeat(indent)}${cell}  ${lines[y] ?? ""}`.trimEnd() + "\n");
    }
  };
  const head = ({ path, title }: Subject) => `${printable(path)}\n${printable(title)}`;
  print("", sideBySide(page, [{ left: head(a), right: head(b) }]));
  for (const [section, of] of grouping(changes)) {
    terminal.out(`${paint.title(heading(section, of))}\n`);
    for (const change of of) {
      const [left, is] = [wasText(change), isText(change)];
      const note = change.kind === "same" ? undefined : noteOf(change);
      const half = Math.floor((page.columns - 3) / 2);
      const inline = is !== undefined && fitsBehind(change, note, is, half);
      const right = inline ? `${is}; ${note}` : is;
      const row = {
        ...(left !== undefined && { left }),
        ...(right !== undefined && { right }),
      };
      print(printable(change.path), sideBySide(page, [row]));
      if (note === undefined || inline) continue;
      for (const line of wrap(note, page.columns)) {
        terminal.out(`${" ".repeat(start)}${paint.dim(line)}\n`);
      }
    }
  }
}

/** A path in lines, broken behind a dot or an underscore where it is too long. */
function wrapPath(path: string, width: number): string[] {
  if (visibleWidth(path) <= width || path.includes(" ")) return wrap(path, width);
  const dot = path.lastIndexOf(".", width - 1);
  const at = dot > 0 ? dot : path.lastIndexOf("_", width - 1);
  if (at <= 0) return wrap(path, width);
  return [path.slice(0, at + 1), ...wrapPath(path.slice(at + 1), width)];
}

/** How a release is known, in words. */
const bases: Readonly<Record<SinceBasis, string>> = {
  sampled: "seen in sources",
  documentation: "documented",
  recalled: "recalled",
  "recalled-within-samples": "recalled, between two sources",
};

/** Longest path that a table's column is given whole. */
const LONG_PATH = 40;

function printLayouts(terminal: Terminal, { a, b, changes }: Comparison): void {
  const paint = styles(terminal.colour);
  terminal.out(
    `${paint.title(`${printable(a.title)} → ${printable(b.title)}`)}\n`,
  );
  const groups = grouping(changes);
  for (const { meaning } of groups.get("protocol") ?? []) {
    const [change = "", ...adds] = printable(meaning).split(/: (?:added|taken back) |; /);
    terminal.out(table(
      terminal,
      [{}, { fit: "wrap", paint: paint.dim }],
      [[change, adds[0] ?? ""], ...adds.slice(1).map((line) => ["", line])],
      { indent: 2 },
    ));
  }
  const labels = a.label === b.label ? [a.path, b.path] : [a, b].map((s) => s.label ?? s.path);
  for (const section of ["layout", "names"] as const) {
    const of = groups.get(section);
    if (!of) continue;
    const rows = of.map((change) => layoutRow(change, paint));
    const isLong = of.some(({ path }) => path.length > LONG_PATH);
    const isKnown = of.some(({ since }) => since !== undefined);
    terminal.out("\n");
    terminal.out(table(
      terminal,
      [
        {
          title: section === "layout" ? "Field" : "Name",
          paint: paint.name,
          fit: isLong ? "wrap" : "whole",
        },
        { title: printable(labels[0] ?? ""), fit: "wrap" },
        { title: printable(labels[1] ?? ""), fit: "wrap" },
        ...(isKnown ? [{ title: "Since" }, { title: "Known by", fit: "wrap" as const }] : []),
        ...(of.some(({ note, path }) => note !== undefined && path.includes("…"))
          ? [{ title: "Note", fit: "wrap" as const }]
          : []),
      ],
      rows.map((row) => isKnown ? row : [...row.slice(0, 3), ...row.slice(5)]),
      { indent: 2 },
    ));
  }
}

function layoutRow(change: Change, paint: Styles): string[] {
  const { kind, path, since, sinceBasis, note } = change;
  const dress = (value: string | undefined, of: Paint) =>
    value === undefined ? "" : kind === "same" ? value : of(value);
  return [
    printable(path),
    dress(wasText(change), paint.removed),
    dress(isText(change), paint.added),
    since ?? "",
    sinceBasis ? bases[sinceBasis] : "",
    note === undefined ? "" : printable(note),
  ];
}

/** A comparison as JSON, `schema` 1. */
export function diffJson({ compared, a, b, identical, changes }: Comparison): Json {
  return {
    schema: SCHEMA,
    kind: "diff",
    compared,
    a: { path: a.path, title: a.title },
    b: { path: b.path, title: b.title },
    ...(identical !== undefined && { identical }),
    changes: changes.map(changeJson),
  };
}
