/**
 * Timelines of real kernels: what they tell, and that nobody notices.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot, type BootOptions, type Guest } from "../../core/boot/guest.ts";
import {
  lengthOf,
  longestInitcalls,
  type Timeline,
  timelineOf,
  type TimelineRecord,
  type TimelineSpan,
} from "../../core/boot/timeline.ts";
import { timelineHtml } from "../../core/boot/timeline_html.ts";
import { readImage, withImages } from "../images/images.ts";

/** Boots with or without somebody looking, and gives back how it ended. */
async function run(
  bytes: Uint8Array,
  options: BootOptions,
  watch: (guest: Guest) => Promise<Timeline | undefined>,
): Promise<{ hash: string; record: TimelineRecord | undefined; guest: Guest }> {
  const guest = await boot(bytes, options);
  const timeline = await watch(guest);
  assert.deepEqual(guest.run({ instructions: 4e9 }), { kind: "power-off" });
  return { hash: guest.machine.stateHash(), record: timeline?.record, guest };
}

/** Holds that spans lie one behind the other inside of what they are part of. */
function checkNesting({ name, from, to, spans }: TimelineSpan): void {
  let last = from.instructions;
  for (const span of spans.toSorted((a, b) => a.from.instructions - b.from.instructions)) {
    const inside = span.from.instructions >= last && span.to.instructions <= to.instructions;
    assert.ok(inside && span.to.ns >= span.from.ns, `${span.name} in ${name}`);
    last = span.kind === "initcall" ? span.from.instructions : span.to.instructions;
    checkNesting(span);
  }
}

const names = (spans: readonly TimelineSpan[]) => spans.map(({ name }) => name);

const levels = ["pure", "core", "postcore", "arch", "subsys", "fs", "device", "late"];
const last = ["kernel_init", "initcalls", "final steps", "run_init_process", "userspace"];

/** Kernel, entry, command line beside what all have, and the phases before `start_kernel`. */
const cases = [
  ["linux-6.1-cloud-amd64", "64", "nokaslr", ["loader", "decompressor", "startup_64"]],
  ["linux-newest-cloud-amd64", "32", "", ["loader", "decompressor", "startup_64"]],
  ["linux-5.10-cloud-amd64", "real", "", ["loader", "setup code", "decompressor", "startup_64"]],
  ["linux-6.1-686", "direct", "nokaslr", ["loader", "startup_32"]],
] as const;

for (const [id, entry, kaslr, first] of cases) {
  withImages(
    `${id} by its ${entry} entry has a timeline, exact and unnoticed`,
    [id],
    async ([image]) => {
      assert.ok(image);
      const bytes = readImage(image);
      const commandLine = `console=ttyS0 cryptomgr.notests ${kaslr}`;
      const plain = await run(bytes, { entry, commandLine }, () => Promise.resolve(undefined));
      const { hash, record, guest } = await run(bytes, { entry, commandLine }, timelineOf);
      assert.equal(hash, plain.hash, "the guest does not notice");
      assert.ok(record?.exact);
      assert.deepEqual(names(record.phases), [...first, "start_kernel", ...last, "power off"]);
      record.phases.forEach(checkNesting);
      for (const [i, { to }] of record.phases.entries()) {
        assert.deepEqual(to, record.phases[i + 1]?.from ?? record.end);
      }
      // A kernel that is not told otherwise moves itself, where it can.
      assert.equal(record.kernel?.slide === 0, kaslr !== "");
      const spans = (name: string) => record.phases.find((phase) => phase.name === name)?.spans;
      assert.deepEqual(names(spans("initcalls") ?? []), levels);
      const called = names(spans("start_kernel") ?? []);
      assert.ok(called.includes("setup_arch") && called.includes("console_init"));
      assert.ok(names(spans("final steps") ?? []).includes("free_initmem"));
      const initcalls = longestInitcalls(record.phases);
      assert.ok(initcalls.length > 300, `${initcalls.length} initcalls`);
      const level = (name: string) => initcalls.find((span) => span.name === name)?.level;
      assert.equal(level("chr_dev_init"), "fs");
      assert.equal(level("serial8250_init"), "device");
      const inside = initcalls.reduce((sum, span) => sum + lengthOf(span), 0);
      const phase = record.phases.find(({ name }) => name === "initcalls");
      assert.ok(phase !== undefined && inside > 0.97 * lengthOf(phase));
      // The console's lines stand where they belong.
      const begins = (name: string) =>
        record.phases.find((phase) => phase.name === name)?.from.instructions ?? NaN;
      const said = (pattern: RegExp) =>
        record.lines.find(({ text }) => pattern.test(text))?.instructions ?? NaN;
      assert.ok(said(/Run \/init as init process/) <= begins("userspace"));
      assert.ok(said(/Run \/init as init process/) >= begins("run_init_process"));
      assert.ok(said(/userspace reached/) > begins("userspace"));
      assert.ok(said(/reboot: Power down/) > begins("power off"));
      assert.equal(record.lines.length, guest.text.split("\n").length - 1);
      // Whoever runs to a function comes there at the same instruction.
      const other = await boot(bytes, { entry, commandLine });
      const { kind } = await other.runTo("start_kernel", { instructions: 4e9 });
      assert.equal(kind, "address");
      assert.equal(other.machine.instructions, begins("start_kernel"));
      assert.match(timelineHtml(record, { title: id, subtitle: "" }), /start_kernel/);
    },
  );
}
