/**
 * Styles by what they mean, not by what they look like.
 *
 * Colour is an aid: whatever it says, the text says too (`+` before what was
 * added, "error:" before what is bad), so that a pipe, a screenshot in grey and
 * a reader who sees no red lose nothing. {@link plain} of a styled text is the
 * text.
 *
 * @module
 */

/** What a piece of text is. */
export type StyleName =
  | "title"
  | "name"
  | "value"
  | "dim"
  | "good"
  | "warn"
  | "bad"
  | "added"
  | "removed";

/** Dresses a text, or leaves it as it is. */
export type Paint = (text: string) => string;

/** One function a style. */
export type Styles = Readonly<Record<StyleName, Paint>>;

/** Select Graphic Rendition, ECMA-48 8.3.117: on, off. */
const codes: Readonly<Record<StyleName, readonly [on: number, off: number] | undefined>> = {
  title: [1, 22],
  name: [36, 39],
  // Values are what the reader came for; the terminal's own colour is the most legible one.
  value: undefined,
  dim: [2, 22],
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
  added: [32, 39],
  removed: [31, 39],
};

const paint = (code: readonly [number, number] | undefined, colour: boolean): Paint =>
  code && colour
    ? (text) => text === "" ? "" : `\x1b[${code[0]}m${text}\x1b[${code[1]}m`
    : (text) => text;

/**
 * The styles for a stream.
 *
 * @param colour `terminal.colour` for standard output, `terminal.errColour` for
 *   standard error.
 */
export function styles(colour: boolean): Styles {
  return {
    title: paint(codes.title, colour),
    name: paint(codes.name, colour),
    value: paint(codes.value, colour),
    dim: paint(codes.dim, colour),
    good: paint(codes.good, colour),
    warn: paint(codes.warn, colour),
    bad: paint(codes.bad, colour),
    added: paint(codes.added, colour),
    removed: paint(codes.removed, colour),
  };
}
