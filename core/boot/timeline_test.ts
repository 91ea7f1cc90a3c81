import assert from "node:assert/strict";
import { fieldOf } from "../json.ts";
import { bzImage } from "../../testdata/bzimage_builder.ts";
import { type Act, fakeMachine } from "../../testdata/fake_machine.ts";
import { boot } from "./guest.ts";
import { timelineHtml, timelineSvg } from "./draw_timeline.ts";
import { type Phase, Timeline, TIMELINE_SLICE, timelineJson } from "./timeline.ts";

/** Runs a script, moving the processor at marked places, and gives back the phases. */
async function phases(script: readonly (Act | { readonly moves: number })[]) {
  const image = bzImage({ machine: "i386", header: { init_size: 0x40_0000 } });
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

const drawn: readonly Phase[] = [
  { name: "decompressor", from: { instructions: 0, ns: 0 }, to: { instructions: 9e8, ns: 9e8 } },
  { name: "a <b> & c", from: { instructions: 9e8, ns: 9e8 }, to: { instructions: 1e9, ns: 3e9 } },
];

Deno.test("the document has every phase with both its ends", () => {
  const document = timelineJson(drawn);
  assert.equal(fieldOf(document, "schema"), 1);
  assert.equal(fieldOf(document, "phases[1].end_ns"), 3e9);
});

Deno.test("the drawing is well-formed and as reviewed, whatever names are like", async (t) => {
  const svg = timelineSvg(drawn, "Linux", "powered off");
  assert.doesNotMatch(svg, /<b>|& /);
  assert.equal(svg.match(/<title>/g)?.length, 2);
  await t.assertSnapshot(svg);
  const page = timelineHtml(drawn, "Linux", "powered off");
  assert.ok(page.includes(svg));
  assert.match(page, /<td>900,000,000<\/td>/);
  assert.doesNotThrow(() => timelineSvg([], "nothing", ""));
});
