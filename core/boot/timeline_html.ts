/**
 * A timeline as a page of its own: the drawing, all that it is made of to be
 * unfolded, and what came on the console. It loads nothing and runs nothing.
 *
 * @module
 */

import { lengthOf, longestInitcalls, type TimelineRecord, type TimelineSpan } from "./timeline.ts";
import {
  colour,
  escaped,
  hueOf,
  showMillions,
  showTime,
  timelineSvg,
  type TimelineTitle,
} from "./timeline_svg.ts";

/** Initcalls in the table. */
const most = 40;

/** A page in HTML. */
export function timelineHtml(record: TimelineRecord, title: TimelineTitle): string {
  const { phases, lines, end, exact, kernel } = record;
  const total = Math.max(1, end.ns);
  const initcalls = longestInitcalls(phases);
  const moved = kernel === undefined || kernel.moved === 0 && kernel.slide === 0
    ? ""
    : ` The kernel had moved itself to physical ${hex(kernel.physical)}, by ${hex(kernel.slide)} ` +
      "in virtual memory.";
  const about = exact
    ? "Borders are exact to the instruction."
    : "The kernel's symbols were not to be had, so borders are exact to some 20,000 instructions.";
  const rows = initcalls.slice(0, most).map((span) =>
    `<tr><td>${escaped(span.name)}<td>${escaped(span.level)}` +
    `<td>${lengthOf(span).toLocaleString("en")}<td>${showTime(span.to.ns - span.from.ns)}` +
    `<td>${showTime(span.from.ns)}`
  );
  const said = lines.map(({ ns, text }) => `<tr><td>${(ns / 1e6).toFixed(3)}<td>${escaped(text)}`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title.title)}</title>
<style>
${style}</style>
<main>
${timelineSvg(record, title)}<p>${escaped(about + moved)}
Point at a bar or at a tick to read what it is.</p>
<h2>What it is made of</h2>
<div class="tree">
${phases.map((phase, n) => branch(phase, total, hueOf(phase.name, n))).join("\n")}
</div>
${
    initcalls.length === 0 ? "" : `<h2>Initcalls</h2>
<p>${initcalls.length} in all${initcalls.length > most ? `; the ${most} longest:` : ":"}</p>
<table class="calls">
<tr><th>function<th>level<th>instructions<th>virtual time<th>began at
${rows.join("\n")}
</table>
`
  }${
    lines.length === 0 ? "" : `<h2>Console</h2>
<table class="said">
<tr><th>ms<th>
${said.join("\n")}
</table>
`
  }</main>
</html>
`;
}

function hex(value: number): string {
  return `${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16)}`;
}

/** A span with its parts to be unfolded. */
function branch(span: TimelineSpan, total: number, hue: number, depth = 0): string {
  const { name, from, to, spans } = span;
  const share = 100 * (to.ns - from.ns) / total;
  const line = `<span class="name">${escaped(name)}</span>` +
    `<span class="figure">${showMillions(lengthOf(span))}</span>` +
    `<span class="figure">${showTime(to.ns - from.ns)}</span>` +
    `<span class="figure">${share.toFixed(share < 10 ? 2 : 1)} %</span>` +
    `<span class="track"><i style="margin-left:${(100 * from.ns / total).toFixed(2)}%;` +
    `width:${Math.max(0.15, share).toFixed(2)}%;background:${colour(hue, 58, 44)}"></i></span>`;
  const inward = depth === 0 ? "" : ` style="--in:${depth * 1.1}rem"`;
  if (spans.length === 0) return `<div class="leaf"${inward}>${line}</div>`;
  const parts = spans.toSorted((a, b) => a.from.ns - b.from.ns)
    .map((part) => branch(part, total, hue, depth + 1));
  return `<details><summary${inward}>${line}</summary>\n${parts.join("\n")}\n</details>`;
}

const style = `:root { color-scheme: light dark; --ink: #16181d; --soft: #5d636e;
  --line: #16181d1a; --page: #f3f3f1 }
@media (prefers-color-scheme: dark) { :root { --ink: #f1f2f4; --soft: #a9afba;
  --line: #ffffff1f; --page: #0d0f12 } }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, 'Segoe UI', sans-serif }
main { max-width: 75rem; margin: 2rem auto; padding: 0 1.25rem }
svg { display: block; width: 100%; height: auto } p { color: var(--soft) }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
summary, .leaf { display: grid; grid-template-columns: 17rem 5.5rem 5.5rem 4.5rem 1fr; gap: .6rem;
  align-items: center; padding: .15rem 0 .15rem 1.1rem; border-bottom: 1px solid var(--line) }
summary { cursor: pointer; position: relative }
summary::before { content: '▸'; position: absolute; left: var(--in, 0); color: var(--soft) }
details[open] > summary::before { content: '▾' } summary:hover, .leaf:hover { background: var(--line) }
.name { padding-left: var(--in, 0); overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.figure { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums }
.track { background: var(--line); border-radius: 4px; height: 8px; overflow: hidden }
.track i { display: block; height: 8px; border-radius: 4px }
table { border-collapse: collapse; width: 100% } th { color: var(--soft); font-weight: 600 }
td, th { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums }
.calls td:nth-child(-n+2), .calls th:nth-child(-n+2), .said td:last-child { text-align: left }
.said { font: 13px/1.45 ui-monospace, monospace } .said td { border: 0; padding: 0 .6rem }
.said td:first-child { color: var(--soft); width: 6rem }
.said td:last-child { white-space: pre-wrap; overflow-wrap: anywhere }
@media (max-width: 50rem) { summary, .leaf { grid-template-columns: 10rem 1fr 1fr }
  .track, .figure:nth-child(4) { display: none } }
`;
