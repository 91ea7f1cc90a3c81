/**
 * A timeline, drawn: time goes from left to right, what something is made of lies
 * under it, and the lines of the console are ticks below.
 *
 * One scale is virtual time, the other instructions; where the machine waited,
 * the second stands still.
 *
 * @module
 */

import {
  lengthOf,
  longestInitcalls,
  type SaidLine,
  type TimelineRecord,
  type TimelineSpan,
} from "./timeline.ts";

/** What is written above a drawing. */
export interface TimelineTitle {
  /** What was booted. */
  readonly title: string;
  /** How it ended, or what else there is to say; one line. */
  readonly subtitle: string;
}

const width = 1200;
const left = 28;
const right = 28;
const inner = width - left - right;
const listWidth = 540;
const top = 116;
const barHeight = 26;
const rowHeight = 30;
/** Deepest row that is drawn; what lies below is in the other forms. */
const mostRows = 4;
/** Lines in what is shown over a tick. */
const mostTexts = 12;
/** Pixels that a bar has at least to be drawn. */
const thinnest = 0.4;

/** Hues of phases, in degrees. */
const hues: Readonly<Record<string, number>> = {
  "setup code": 300,
  decompressor: 28,
  startup_32: 350,
  startup_64: 350,
  start_kernel: 212,
  kernel_init: 188,
  initcalls: 158,
  "final steps": 100,
  run_init_process: 48,
  init: 48,
  userspace: 330,
  "power off": 0,
  panic: 0,
};

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Text for markup. */
export function escaped(text: string): string {
  return text
    // deno-lint-ignore no-control-regex
    .replace(/[\0-\x08\x0b-\x1f\x7f]/g, "\ufffd")
    .replace(/[&<>"]/g, (c) => escapes[c] ?? c);
}

/** A count of instructions in words. */
export function showMillions(count: number): string {
  if (count < 1e5) return count.toLocaleString("en");
  if (count >= 1e8) return `${Math.round(count / 1e6).toLocaleString("en")} M`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 2 : 1)} M`;
}

/** Virtual time in words. */
export function showTime(ns: number): string {
  if (ns < 1e6) return `${(ns / 1e3).toFixed(ns < 1e5 ? 1 : 0)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(ns < 1e7 ? 2 : ns < 1e8 ? 1 : 0)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

/** What a span took, in words. */
export function showLength({ from, to }: TimelineSpan, total: number): string {
  const share = total > 0 ? 100 * (to.ns - from.ns) / total : 0;
  return `${showMillions(to.instructions - from.instructions)} instructions · ${
    showTime(to.ns - from.ns)
  } · ${share.toFixed(share < 10 ? 1 : 0)} %`;
}

/** The hue of the n-th phase, in degrees. */
export function hueOf(name: string, n: number): number {
  return hues[name] ?? (n * 67 + 212) % 360;
}

/** A colour as drawing programs of all ages understand it. */
export function colour(hue: number, saturation: number, lightness: number): string {
  return `hsl(${hue}, ${saturation}%, ${lightness}%)`;
}

// Tour timeline 040
//
// Time goes to the right, and what a thing is made of hangs below it. Nothing is
// rounded up to be seen: a bar is as long as it took, and what is too short for
// that is in the list.
/** A drawing in SVG. */
export function timelineSvg(record: TimelineRecord, { title, subtitle }: TimelineTitle): string {
  const { lines, end } = record;
  const phases = record.phases.filter(({ from, to }) => to.ns > from.ns);
  const total = Math.max(1, end.ns);
  const x = (ns: number) => left + ns / total * inner;
  const rows = Math.min(mostRows, Math.max(1, ...phases.map((phase) => depthOf(phase, total))));
  const bottom = top + rows * rowHeight;
  const ticksAt = bottom + 14;
  const axisAt = ticksAt + (lines.length > 0 ? 44 : 6);
  const legendAt = axisAt + 66;
  const legend = lists(phases, total, legendAt);
  const height = legendAt + legend.height + 20;
  const parts = [
    `<rect class="back" width="${width}" height="${height}" rx="10"/>`,
    text(left, 38, "title", title),
    text(left, 60, "sub", subtitle),
    ...scales(record, total, x, top - 10, axisAt),
    ...phases.map((phase, n) => bar(phase, 0, hueOf(phase.name, n), rows, total, x)),
    ...lines.length > 0 ? [consoleTicks(lines, x, ticksAt)] : [],
    ...legend.parts,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img" ` +
    `aria-label="${escaped(title)}">\n<style>\n${style}</style>\n${parts.join("\n")}\n</svg>\n`;
}

const style = `.back { fill: #fcfcfb } .title { font-size: 22px; font-weight: 650; fill: #16181d }
.sub { font-size: 13px; fill: #5d636e } .axis { font-size: 11px; fill: #767c87 }
.unit { font-size: 11px; font-weight: 600; fill: #5d636e } .grid { stroke: #16181d; stroke-opacity: .08 }
.rule { stroke: #16181d; stroke-opacity: .25 } .in { fill: #fff; pointer-events: none }
.said { stroke: #4b5563; stroke-width: 1.5 } .name { font-size: 13px; fill: #16181d }
.head { font-size: 13px; font-weight: 650; fill: #16181d }
.figure { font-size: 12px; fill: #5d636e; font-variant-numeric: tabular-nums } .track { fill: #16181d; fill-opacity: .05 }
g.bar:hover > rect { fill-opacity: .75 }
.said:hover { stroke: #d6336c; stroke-width: 2; stroke-opacity: 1 }
@media (prefers-color-scheme: dark) {
.back { fill: #14161b } .title, .name, .head { fill: #f1f2f4 } .sub, .figure, .unit { fill: #a9afba }
.axis { fill: #8a909c } .grid { stroke: #fff; stroke-opacity: .08 } .rule { stroke: #fff; stroke-opacity: .3 }
.said { stroke: #c3c8d2 } .track { fill: #fff; fill-opacity: .07 } }
`;

const number = (value: number) => String(Math.round(value * 10) / 10);

function text(x: number, y: number, cls: string, words: string, anchor = "start"): string {
  return `<text x="${number(x)}" y="${number(y)}" class="${cls}"` +
    `${anchor === "start" ? "" : ` text-anchor="${anchor}"`}>${escaped(words)}</text>`;
}

/** Rows that a span takes, those left out with nothing but slivers in them. */
function depthOf({ spans }: TimelineSpan, total: number): number {
  const wide = spans.filter(({ from, to }) => (to.ns - from.ns) / total * inner > 2);
  return 1 + Math.max(0, ...wide.map((span) => depthOf(span, total)));
}

/** A bar with those of its parts under it. */
function bar(
  span: TimelineSpan,
  row: number,
  hue: number,
  rows: number,
  total: number,
  x: (ns: number) => number,
  isOdd = false,
): string {
  const { name, from, to, spans } = span;
  const start = x(from.ns);
  const length = x(to.ns) - start;
  const y = top + row * rowHeight;
  const inside = row + 1 < rows
    ? spans.filter(({ from, to }) => x(to.ns) - x(from.ns) >= thinnest)
      .map((part, n) => bar(part, row + 1, hue, rows, total, x, n % 2 === 1))
    : [];
  // A hair between neighbours, where there is room for one.
  const shown = Math.max(
    length - (length > 4 ? 1 : 0),
    Math.min(length, 0.8),
    row === 0 ? 1.2 : 0.3,
  );
  // Neighbours differ a little.
  const light = 36 + row * 3 + (isOdd ? 5 : 0);
  const size = row === 0 ? 13 : 11.5;
  const label = labelOf(name, length, size);
  const rect =
    `<rect x="${number(start)}" y="${y}" width="${number(shown)}" height="${barHeight}" ` +
    `rx="${length > 8 ? 4 : 0}" fill="${colour(hue, row === 0 ? 58 : 46, light)}"/>`;
  const title = `<title>${escaped(`${name}\n${showLength(span, total)}`)}</title>`;
  const words = label === undefined
    ? ""
    : `<text x="${number(start + 7)}" y="${y + 17.5}" font-size="${size}" ` +
      `${row === 0 ? 'font-weight="600" ' : ""}class="in">${escaped(label)}</text>`;
  return `<g class="bar">${title}${rect}${words}</g>${
    inside.length > 0 ? `\n${inside.join("\n")}` : ""
  }`;
}

/** As much of a name as fits into a bar. */
function labelOf(name: string, length: number, size: number): string | undefined {
  const fits = Math.floor((length - 12) / (size * 0.6));
  if (name.length <= fits) return name;
  return fits >= 5 ? `${name.slice(0, fits - 1)}…` : undefined;
}

/** Lines of the console: ticks, with the text to be hovered over; one for what came at about the same time. */
function consoleTicks(lines: readonly SaidLine[], x: (ns: number) => number, y: number): string {
  const ticks = new Map<number, string[]>();
  for (const { ns, text } of lines) {
    const at = Math.round(x(ns));
    const texts = ticks.get(at);
    if (texts === undefined) ticks.set(at, [text]);
    else texts.push(text);
  }
  const drawn = [...ticks].map(([at, texts]) => {
    const more = texts.length > mostTexts ? [`… and ${texts.length - mostTexts} more`] : [];
    const title = escaped([...texts.slice(0, mostTexts), ...more].join("\n"));
    const strength = Math.min(1, 0.35 + 0.1 * texts.length);
    return `<line class="said" x1="${at}" x2="${at}" y1="${y}" y2="${y + 16}" ` +
      `stroke-opacity="${number(strength)}"><title>${title}</title></line>`;
  });
  const s = lines.length === 1 ? "" : "s";
  return `${drawn.join("\n")}\n${text(left, y + 31, "axis", `console, ${lines.length} line${s}`)}`;
}

/** Two scales: instructions above, virtual time below. */
function scales(
  { phases, lines, end }: TimelineRecord,
  total: number,
  x: (ns: number) => number,
  above: number,
  below: number,
): string[] {
  const unit = total < 5e6 ? 1e3 : total < 10e9 ? 1e6 : 1e9;
  const parts = ticksUpTo(total).map((ns) => {
    const at = x(ns);
    return `<line x1="${number(at)}" x2="${
      number(at)
    }" y1="${above}" y2="${below}" class="grid"/>` +
      text(at, below + 15, "axis", (ns / unit).toLocaleString("en"), "middle");
  });
  parts.push(
    `<line x1="${left}" x2="${width - right}" y1="${below}" y2="${below}" class="rule"/>`,
    `<line x1="${left}" x2="${width - right}" y1="${above}" y2="${above}" class="rule"/>`,
  );
  // Moments at which both are known; in between both go evenly.
  const known = [...momentsOf(phases), ...lines, end].sort((a, b) =>
    a.instructions - b.instructions
  );
  for (const count of ticksUpTo(Math.max(1, end.instructions))) {
    const ns = timeAt(known, count);
    const at = x(ns);
    parts.push(
      `<line x1="${number(at)}" x2="${number(at)}" y1="${above - 4}" y2="${above}" class="rule"/>`,
      text(at, above - 8, "axis", (count / 1e6).toLocaleString("en"), "middle"),
    );
  }
  const units = { 1e3: "µs", 1e6: "ms", 1e9: "s" }[unit];
  parts.push(
    text(width - right, above - 22, "unit", "million instructions", "end"),
    text(width - right, below + 30, "unit", `virtual time, ${units}`, "end"),
  );
  return parts;
}

function momentsOf(spans: readonly TimelineSpan[]): { instructions: number; ns: number }[] {
  return spans.flatMap(({ from, to, spans }) => [from, to, ...momentsOf(spans)]);
}

/** When so many instructions had retired. */
function timeAt(known: readonly { instructions: number; ns: number }[], count: number): number {
  let [from, to] = [{ instructions: 0, ns: 0 }, known.at(-1)];
  for (const moment of known) {
    if (moment.instructions > count) {
      to = moment;
      break;
    }
    from = moment;
  }
  if (to === undefined || to.instructions <= from.instructions) return from.ns;
  const share = (count - from.instructions) / (to.instructions - from.instructions);
  return from.ns + share * (to.ns - from.ns);
}

/** A line of a list, with a bar that says how long it took. */
function listed(
  span: TimelineSpan,
  { at, x, name, of, hue }: {
    readonly at: number;
    readonly x: number;
    readonly name: string;
    readonly of: number;
    readonly hue: number;
  },
): string {
  const share = (span.to.ns - span.from.ns) / of;
  const track = { x: x + 416, width: listWidth - 416 };
  const filled = number(Math.max(2, share * track.width));
  const fill = `fill="${colour(hue, 58, 44)}"`;
  return [
    `<rect x="${x}" y="${at + 5}" width="12" height="12" rx="3" ${fill}/>`,
    text(x + 22, at + 16, "name", name),
    text(x + 322, at + 16, "figure", showMillions(lengthOf(span)), "end"),
    text(x + 400, at + 16, "figure", showTime(span.to.ns - span.from.ns), "end"),
    `<rect class="track" x="${track.x}" y="${at + 7}" width="${track.width}" height="8" rx="4"/>`,
    `<rect x="${track.x}" y="${at + 7}" width="${filled}" height="8" rx="4" ${fill}/>`,
  ].join("");
}

/** The phases in words, and beside them the longest initcalls. */
function lists(phases: readonly TimelineSpan[], total: number, y: number): {
  readonly parts: readonly string[];
  readonly height: number;
} {
  const line = 24;
  const initcalls = longestInitcalls(phases).slice(0, Math.max(8, phases.length));
  const longest = Math.max(1, ...initcalls.map(({ from, to }) => to.ns - from.ns));
  const beside = left + inner - listWidth;
  const parts = [
    text(left, y, "head", "Phases"),
    ...phases.map((phase, n) =>
      listed(phase, {
        ...{ at: y + 12 + n * line, x: left, name: phase.name, of: total },
        hue: hueOf(phase.name, n),
      })
    ),
    ...initcalls.length > 0 ? [text(beside, y, "head", "Longest initcalls")] : [],
    ...initcalls.map((span, n) =>
      listed(span, {
        ...{ at: y + 12 + n * line, x: beside, name: `${span.name} (${span.level})`, of: longest },
        hue: hueOf("initcalls", 0),
      })
    ),
  ];
  return { parts, height: 12 + Math.max(phases.length, initcalls.length) * line };
}

/** Round figures for an axis, some eight of them. */
export function ticksUpTo(end: number): number[] {
  const rough = end / 8;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = magnitude * ([1, 2, 5, 10].find((n) => n * magnitude >= rough) ?? 10);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}
