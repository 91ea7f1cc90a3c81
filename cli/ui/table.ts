/**
 * Columns, blocks of names and values, and two texts side by side.
 *
 * Text is fitted to the terminal's width on a terminal only; what is piped is
 * whole. All functions return text that ends in a line feed, or "".
 *
 * @module
 */

import { type Paint, styles } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { cut, pad, visibleWidth, wrap } from "./text.ts";

/** Of a terminal, what layout needs to know. */
export type Page = Pick<Terminal, "columns" | "outIsTerminal" | "colour">;

/** One column of a table. */
export interface Column {
  /** Its heading; a table whose columns have none gets no heading line. */
  readonly title?: string;
  /** Default left. */
  readonly align?: "left" | "right";
  /**
   * What gives when the terminal is too narrow: `wrap` breaks into lines, `cut`
   * ends in "…", `whole` (the default) stays and may run over the edge.
   */
  readonly fit?: "wrap" | "cut" | "whole";
  /** Style of the cells, put on after the fitting. */
  readonly paint?: Paint;
}

/** How a table is laid out. */
export interface TableOptions {
  /** Spaces before each line; default 0. */
  readonly indent?: number;
  /** Spaces between columns; default 2. */
  readonly gap?: number;
}

/** Least width that a column is squeezed to, in cells. */
const narrowest = 8;

/**
 * A table with aligned columns. Cells may hold style; missing cells are empty.
 * Trailing spaces are left out.
 */
export function table(
  page: Page,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const { indent = 0, gap = 2 } = options;
  const title = styles(page.colour).title;
  const headings = columns.map((column) => column.title ?? "");
  const hasHeadings = headings.some((heading) => heading !== "");
  const widths = columns.map((_, i) => {
    let width = hasHeadings ? visibleWidth(headings[i] ?? "") : 0;
    for (const row of rows) width = Math.max(width, visibleWidth(row[i] ?? ""));
    return width;
  });
  if (page.outIsTerminal) {
    squeeze(columns, widths, page.columns - indent - gap * (columns.length - 1));
  }

  const lines: string[] = [];
  const push = (cells: readonly string[], heading: boolean) => {
    const blocks = columns.map((column, i) => {
      const paint = heading ? title : column.paint ?? ((text: string) => text);
      return fit(cells[i] ?? "", column, widths[i] ?? 0).map(paint);
    });
    const height = Math.max(1, ...blocks.map((block) => block.length));
    for (let y = 0; y < height; y++) {
      const line = columns.map((column, i) =>
        pad(blocks[i]?.[y] ?? "", widths[i] ?? 0, column.align)
      ).join(" ".repeat(gap));
      lines.push((" ".repeat(indent) + line).trimEnd());
    }
  };
  if (hasHeadings) push(headings, true);
  for (const row of rows) push(row, false);
  return lines.map((line) => `${line}\n`).join("");
}

/** Takes what is too much from the widest column that gives, cell by cell. */
function squeeze(columns: readonly Column[], widths: number[], room: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    let widest = -1;
    columns.forEach((column, i) => {
      const width = widths[i] ?? 0;
      const gives = column.fit !== undefined && column.fit !== "whole" && width > narrowest;
      if (gives && width > (widths[widest] ?? 0)) widest = i;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
}

function fit(cell: string, column: Column, width: number): string[] {
  if (visibleWidth(cell) <= width && !cell.includes("\n")) return [cell];
  switch (column.fit) {
    case "cut":
      return [cut(cell, width)];
    case "wrap":
      return wrap(cell, width);
    default:
      return cell.split("\n");
  }
}

/** How a block of names and values is laid out. */
export interface KeyValueOptions extends TableOptions {
  /** Least width of the names, to line up several blocks; default that of the longest. */
  readonly nameWidth?: number;
  /** `cut` or `wrap` values on a terminal; default wrap. */
  readonly fit?: "wrap" | "cut";
}

/**
 * A block of names and values, the values lined up. Rows whose value is
 * undefined are left out.
 */
export function keyValues(
  page: Page,
  pairs: readonly (readonly [name: string, value: string | undefined])[],
  options: KeyValueOptions = {},
): string {
  const rows = pairs.flatMap(([name, value]) =>
    value === undefined ? [] : [[pad(name, options.nameWidth ?? 0), value]]
  );
  return table(
    page,
    [{ paint: styles(page.colour).name }, { fit: options.fit ?? "wrap" }],
    rows,
    options,
  );
}

/** One line of a side-by-side comparison. */
export interface SideRow {
  /** Left text; absent where only the right has it. */
  readonly left?: string;
  /** Right text; absent where only the left has it. */
  readonly right?: string;
}

/**
 * Two texts side by side, as diff(1) does with `--side-by-side`: `|` between
 * what differs, `<` after what only the left has, `>` before what only the
 * right has. Each side takes half of a terminal and is wrapped to it; piped,
 * the left is as wide as its longest line.
 */
export function sideBySide(page: Page, rows: readonly SideRow[]): string {
  const paint = styles(page.colour);
  const gutter = 3;
  let width = 0;
  for (const row of rows) width = Math.max(width, visibleWidth(row.left ?? ""));
  if (page.outIsTerminal) {
    width = Math.max(narrowest, Math.floor((page.columns - gutter) / 2));
  }
  const lines: string[] = [];
  for (const { left, right } of rows) {
    const mark = left === right ? " " : left === undefined ? ">" : right === undefined ? "<" : "|";
    const leftPaint: Paint = mark === " " ? paint.value : paint.removed;
    const rightPaint: Paint = mark === " " ? paint.value : paint.added;
    const sides = [left, right].map((side) =>
      page.outIsTerminal ? wrap(side ?? "", width) : [side ?? ""]
    );
    const [a = [], b = []] = sides;
    for (let y = 0; y < Math.max(a.length, b.length); y++) {
      const start = pad(a[y] === undefined ? "" : leftPaint(a[y] ?? ""), width);
      const end = b[y] === undefined ? "" : rightPaint(b[y] ?? "");
      lines.push(`${start} ${mark} ${end}`.trimEnd());
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}
