/**
 * Text as a terminal sees it: how wide it is, where to cut it, what is safe to
 * print.
 *
 * Style is written into text as SGR sequences (`ESC [ … m`), which take no
 * room. Text out of an image is never trusted: {@link printable} turns control
 * characters into visible escapes, so that a version string cannot move the
 * reader's cursor.
 *
 * @module
 */

// deno-lint-ignore no-control-regex -- SGR sequences are made of them
const sgr = /\x1b\[[0-9;]*m/g;
// deno-lint-ignore no-control-regex
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const reset = "\x1b[0m";

/** The text less its style. */
export function plain(text: string): string {
  return text.replace(sgr, "");
}

/**
 * The text with control characters and direction marks as `\x1b` or `\u202e`;
 * tab and line feed stay. For everything that comes out of a file.
 */
export function printable(text: string): string {
  return text.replace(controls, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Ranges that fill two cells: CJK, Hangul, full-width forms, emoji. */
const wide: readonly (readonly [from: number, to: number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

function cells(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if (code < 0x300) return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  return wide.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

/** Cells the text fills on one line of a terminal. */
export function visibleWidth(text: string): number {
  // Nearly all text is plain ASCII, and then its length is its width.
  if (!/[^\x20-\x7e]/.test(text)) return text.length;
  let width = 0;
  for (const character of plain(text)) width += cells(character);
  return width;
}

/** The text filled with spaces up to `width` cells; longer text stays as it is. */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const fill = " ".repeat(Math.max(0, width - visibleWidth(text)));
  return align === "left" ? text + fill : fill + text;
}

/** Splits styled text into SGR sequences and single characters. */
function* pieces(text: string): Generator<{ readonly style: boolean; readonly text: string }> {
  let last = 0;
  for (const match of text.matchAll(sgr)) {
    for (const c of text.slice(last, match.index)) yield { style: false, text: c };
    yield { style: true, text: match[0] };
    last = match.index + match[0].length;
  }
  for (const c of text.slice(last)) yield { style: false, text: c };
}

/** The text cut to `width` cells, the last of them "…" if anything was lost. */
export function cut(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text;
  if (width <= 0) return "";
  let result = "";
  let used = 0;
  let styled = false;
  for (const piece of pieces(text)) {
    if (piece.style) {
      result += piece.text;
      styled = true;
      continue;
    }
    const size = cells(piece.text);
    if (used + size > width - 1) break;
    result += piece.text;
    used += size;
  }
  return `${result}…${styled ? reset : ""}`;
}

/**
 * The text in lines of at most `width` cells, broken at spaces where there are
 * any; a word longer than a line is broken anywhere. Style goes on over a
 * break. Line feeds in the text are kept.
 */
export function wrap(text: string, width: number): string[] {
  if (!text.includes("\n") && visibleWidth(text) <= width) return [text];
  return text.split("\n").flatMap((line) => wrapLine(line, Math.max(1, width)));
}

function wrapLine(text: string, width: number): string[] {
  if (visibleWidth(text) <= width) return [text];
  const lines: string[] = [];
  /** Style in force where the current line starts and where it has got to. */
  let line = "";
  let used = 0;
  let style = "";
  /** The last space of the line: what stood before and after it. */
  let space: { before: string; after: string; used: number; style: string } | undefined;
  const close = (body: string, inForce: string) => lines.push(inForce ? body + reset : body);
  for (const piece of pieces(text)) {
    if (piece.style) {
      line += piece.text;
      if (space) space.after += piece.text;
      style = /\[0?m$/.test(piece.text) ? "" : style + piece.text;
      continue;
    }
    const size = cells(piece.text);
    if (piece.text === " ") {
      if (used >= width) {
        // The space falls just past the edge: break here and swallow it.
        close(line, style);
        line = style;
        used = 0;
        space = undefined;
        continue;
      }
      space = { before: line, after: style, used: 0, style };
      line += " ";
      used += 1;
      continue;
    }
    if (used + size > width) {
      if (space && plain(space.before).trim() !== "") {
        close(space.before, space.style);
        line = space.after;
        used = space.used;
      } else {
        close(line, style);
        line = style;
        used = 0;
      }
      space = undefined;
    }
    line += piece.text;
    used += size;
    if (space) {
      space.after += piece.text;
      space.used += size;
    }
  }
  if (plain(line) !== "") lines.push(line);
  return lines;
}
