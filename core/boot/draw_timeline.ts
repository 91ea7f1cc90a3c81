/**
 * A timeline, drawn: a bar for each phase, as long as it took, with its name and
 * figures beside it.
 *
 * @module
 */

import type { Phase } from "./timeline.ts";

const width = 960;
const left = 220;
const right = 150;
const row = 34;
const top = 84;
const colours = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d"];

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const escaped = (text: string) => text.replace(/[&<>]/g, (c) => escapes[c] ?? c);

const millions = (count: number) =>
  count >= 1e8
    ? `${Math.round(count / 1e6).toLocaleString("en")} M`
    : `${(count / 1e6).toFixed(2)} M`;
const milliseconds = (ns: number) => `${(ns / 1e6).toFixed(ns < 1e8 ? 2 : 0)} ms`;

/**
 * A drawing in SVG.
 *
 * @param title What was booted.
 * @param subtitle How it ended, or what else there is to say; one line.
 */
export function timelineSvg(phases: readonly Phase[], title: string, subtitle: string): string {
  const end = Math.max(1, phases.at(-1)?.to.ns ?? 1);
  const scale = (width - left - right) / end;
  const height = top + row * phases.length + 44;
  const text = (x: number, y: number, cls: string, words: string, anchor = "start") =>
    `<text x="${x}" y="${y}" class="${cls}" text-anchor="${anchor}">${escaped(words)}</text>`;
  const ticks = ticksUpTo(end).map((ns) => {
    const x = (left + ns * scale).toFixed(1);
    return `<line x1="${x}" x2="${x}" y1="${top - 8}" y2="${height - 36}" class="grid"/>` +
      text(Number(x), height - 20, "tick", milliseconds(ns).replace(/\.00/, ""), "middle");
  });
  const bars = phases.map(({ name, from, to }, i) => {
    const y = top + row * i;
    const x = left + from.ns * scale;
    const length = Math.max(2, (to.ns - from.ns) * scale);
    const took = `${millions(to.instructions - from.instructions)} · ${
      milliseconds(to.ns - from.ns)
    }`;
    const colour = colours[i % colours.length];
    return [
      text(left - 12, y + 17, "name", name, "end"),
      `<rect x="${x.toFixed(1)}" y="${y}" width="${length.toFixed(1)}" height="24" rx="4" ` +
      `fill="${colour}"><title>${escaped(`${name}: ${took}`)}</title></rect>`,
      text(width - 12, y + 17, "figure", took, "end"),
    ].join("\n");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui, sans-serif" role="img" aria-label="${escaped(title)}">
<style>
.back { fill: #fff } .title { font-size: 20px; font-weight: 600; fill: #1a1a1a }
.sub { font-size: 13px; fill: #666 } .name { font-size: 13px; fill: #1a1a1a }
.figure { font-size: 12px; fill: #444 } .tick { font-size: 11px; fill: #888 }
.grid { stroke: #e4e4e4 }
@media (prefers-color-scheme: dark) {
.back { fill: #16181c } .title, .name { fill: #f0f0f0 } .sub, .tick { fill: #999 }
.figure { fill: #c8c8c8 } .grid { stroke: #2c3036 } }
</style>
<rect class="back" width="${width}" height="${height}"/>
${text(24, 34, "title", title)}
${text(24, 56, "sub", subtitle)}
${[...ticks, ...bars].join("\n")}
</svg>
`;
}

/** A page with the drawing and a table of the same. */
export function timelineHtml(phases: readonly Phase[], title: string, subtitle: string): string {
  const rows = phases.map(({ name, from, to }) =>
    `<tr><td>${escaped(name)}</td>` +
    [from.instructions, to.instructions - from.instructions]
      .map((count) => `<td>${count.toLocaleString("en")}</td>`).join("") +
    [from.ns, to.ns - from.ns].map((ns) => `<td>${milliseconds(ns)}</td>`).join("") + "</tr>"
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
body { font: 15px system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark }
svg { width: 100%; height: auto } table { border-collapse: collapse; width: 100% }
td, th { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #8884 }
td:first-child, th:first-child { text-align: left }
</style>
${timelineSvg(phases, title, subtitle)}
<table>
<tr><th>Phase<th>from instruction<th>instructions<th>from<th>virtual time</tr>
${rows.join("\n")}
</table>
</html>
`;
}

/** Round times for the axis, some five of them. */
function ticksUpTo(end: number): number[] {
  const rough = end / 5;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = magnitude * ([1, 2, 5, 10].find((n) => n * magnitude >= rough) ?? 10);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}
