import assert from "node:assert/strict";
import { fieldOf } from "../json.ts";
import { bzImage } from "../../testdata/bzimage_builder.ts";
import { type Act, fakeMachine } from "../../testdata/fake_machine.ts";
import { boot } from "./guest.ts";
import { tiny, tinyGuest } from "../../testdata/tiny_guest.ts";
import {
  lengthOf,
  longestInitcalls,
  Timeline,
  TIMELINE_SLICE,
  timelineJson,
  timelineOf,
  type TimelineRecord,
} from "./timeline.ts";
import { timelineHtml } from "./timeline_html.ts";
import { timelineSvg } from "./timeline_svg.ts";

/** Runs a script, moving the processor at marked places, and gives back the phases. */
async function phases(script: readonly (Act | { readonly moves: number })[]) {
  const payload = new Uint8Array(64);
  const image = bzImage({ machine: "i386", header: { init_size: 0x40_0000 }, payload });
  const acts = script.filter((act): act is Act => !("moves" in act));
  const moves = script.flatMap((act, i) => "moves" in act ? [{ i, to: act.moves }] : []);
  const guest = await boot(image, {
    memory: 64 << 20,
    machine: (_, { serial }) => fakeMachine(acts, { serial, memory: 64 << 20 }),
  });
  const timeline = new Timeline(guest);
  guest.watchers.unshift(() => {
    const move = moves.shift();
    if (move !== undefined) guest.machine.cpu.rip = move.to;
  });
  guest.run({ instructions: 10_000_000 });
  return timeline.phases;
}

Deno.test("a boot is decompressor, kernel, init, with the instructions of each", async () => {
  const found = await phases([
    { moves: 0xc100_0000 },
    { runs: 1_000_000 },
    { runs: 1_500_000 },
    { says: "Linux version 6.1\n" },
    { runs: 500_000 },
    { says: "Run /init as init process\n" },
    { runs: 250_000 },
    { stops: { kind: "off" } },
  ]);
  assert.deepEqual(
    found.map(({ name, from, to }) => [name, to.instructions - from.instructions]),
    [
      ["loader", 0],
      ["decompressor", TIMELINE_SLICE],
      ["kernel, silent", 2_500_001 - TIMELINE_SLICE],
      ["kernel, talking", 500_001],
      ["init", 250_000],
    ],
  );
});

Deno.test("initcall levels are phases where the kernel tells of them", async () => {
  const found = await phases([
    { moves: 0xc100_0000 },
    { runs: 1_000_000 },
    { says: "[ 0.1] entering initcall level: core\n" },
    { runs: 10 },
    { says: "[ 0.2] entering initcall level: late\n" },
    { runs: 10 },
    { stops: { kind: "off" } },
  ]);
  assert.deepEqual(found.slice(-2).map(({ name }) => name), ["initcalls, core", "initcalls, late"]);
});

const moment = (instructions: number, ns = instructions) => ({ instructions, ns });

/** A record with all that there can be. */
const drawn: TimelineRecord = {
  exact: true,
  kernel: { physical: 0x1200_0000, moved: 0x1100_0000, slide: 0x2b00_0000 },
  phases: [
    { name: "decompressor", kind: "phase", from: moment(0), to: moment(9e8), spans: [] },
    {
      name: "initcalls",
      kind: "phase",
      from: moment(9e8),
      to: moment(1e9, 3e9),
      spans: [{
        name: "core",
        kind: "level",
        from: moment(9e8),
        to: moment(1e9, 3e9),
        spans: [
          { name: "a", kind: "initcall", from: moment(9e8), to: moment(9.1e8), spans: [] },
          {
            name: "b <b> & c",
            kind: "initcall",
            from: moment(9.1e8),
            to: moment(1e9, 3e9),
            spans: [],
          },
        ],
      }],
    },
  ],
  lines: [
    { ...moment(9.5e8, 1e9), text: "Linux version 6.1 <x>" },
    { ...moment(9.6e8, 2e9), text: "bye \x1b[0m" },
  ],
  end: moment(1e9, 3e9),
};
const words = { title: "Linux <6.1>", subtitle: "powered off" };

Deno.test("the document has every span with both its ends, and every line", () => {
  const document = timelineJson(drawn, { path: "vmlinuz", release: "6.1" });
  assert.deepEqual(Object.keys(document), [
    ...["schema", "kind", "path", "kernel_release", "exact", "kernel"],
    ...["instructions", "virtual_ns", "phases", "console"],
  ]);
  assert.equal(fieldOf(document, "schema"), 1);
  assert.equal(fieldOf(document, "phases[1].end_ns"), 3e9);
  assert.equal(fieldOf(document, "phases[1].spans[0].spans[1].kind"), "initcall");
  assert.equal(fieldOf(document, "console[0].ns"), 1e9);
});

Deno.test("the longest initcalls come first, with their levels", () => {
  assert.deepEqual(
    longestInitcalls(drawn.phases).map((span) => [span.name, span.level, lengthOf(span)]),
    [["b <b> & c", "core", 9e7], ["a", "core", 1e7]],
  );
});

Deno.test("the drawing is well-formed and as reviewed, whatever names are like", async (t) => {
  const svg = timelineSvg(drawn, words);
  assert.doesNotMatch(svg, /<b>|& /);
  assert.ok(!svg.includes("\x1b"));
  await t.assertSnapshot(svg);
  // Half of the time lies behind 960 million instructions, and the scale says so.
  assert.match(svg, /<text x="[\d.]+" y="[\d.]+" class="axis" text-anchor="middle">1,000<\/text>/);
  for (const tag of ["svg", "g", "text", "title", "style"]) {
    const count = (pattern: string) => svg.match(new RegExp(pattern, "g"))?.length;
    assert.equal(count(`<${tag}[ >]`), count(`</${tag}>`), tag);
  }
});

Deno.test("the page holds the drawing and all of the record, and loads nothing", () => {
  const page = timelineHtml(drawn, words);
  assert.ok(page.includes(timelineSvg(drawn, words)));
  assert.match(page, /<td>90,000,000<td>/);
  assert.match(page, /b &lt;b&gt; &amp; c/);
  assert.match(page, /exact to the instruction/);
  assert.match(page, /physical 0x12000000, by 0x2b000000/);
  assert.match(page, /prefers-color-scheme: dark/);
  assert.doesNotMatch(page, /<script|<link|src=|href=|url\(|@import/);
});

Deno.test("a run of nothing can be drawn, too", () => {
  const nothing: TimelineRecord = { exact: false, phases: [], lines: [], end: moment(0) };
  assert.match(timelineSvg(nothing, words), /^<svg/);
  assert.match(timelineHtml(nothing, words), /20,000 instructions/);
});

Deno.test("lines of the console come with the moment of their ends", async () => {
  const code = [...tiny.says("one\n"), ...tiny.says("two\n"), ...tiny.exits(0)];
  const guest = await boot(tinyGuest(code), { memory: 16 << 20, builtinInit: false });
  const timeline = await timelineOf(guest);
  guest.run();
  const { lines, end, exact } = timeline.record;
  // Five instructions to the first letter's port, and two a letter.
  assert.deepEqual(lines.map(({ text, instructions }) => [text, instructions]), [
    ["one", 4 + 2 * 4 - 1],
    ["two", 4 + 2 * 4 + 4 + 2 * 4 - 1],
  ]);
  assert.ok(!exact && end.instructions > 24);
});
