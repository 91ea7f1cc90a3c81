/**
 * Real kernels, booted to their first process and off again: the built-in init
 * says that it is there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot } from "../../core/boot/guest.ts";
import { Timeline } from "../../core/boot/timeline.ts";
import { initConsoles, initLines } from "../../testdata/init_consoles.ts";
import { readImage, withImages } from "../images/images.ts";

/**
 * The kernel's tests of its own cryptography are nine tenths of a boot's
 * instructions, and looking for ISA cards is half of the rest; `nokaslr` keeps it
 * where its symbols are.
 */
const commandLine = "console=ttyS0 nokaslr cryptomgr.notests noisapnp";

const kernels = [
  ["linux-6.1-686", "direct"],
  ["linux-6.1-cloud-amd64", "64"],
  ["linux-5.10-cloud-amd64", "32"],
  ["linux-5.10-cloud-amd64", "real"],
  ["linux-newest-cloud-amd64", "direct"],
] as const;

/** What of a line does not hang on how much memory a board keeps for itself. */
const known = (line: string) => line.replace(/\d+ KiB/g, "… KiB");

for (const [id, entry] of kernels) {
  withImages(
    `${id} boots to our init and powers off, by its ${entry} entry`,
    [id],
    async ([image]) => {
      assert.ok(image);
      const guest = await boot(readImage(image), { entry, commandLine });
      const timeline = new Timeline(guest);
      const outcome = guest.run({ instructions: 3e9 });
      assert.deepEqual(outcome, { kind: "power-off" }, guest.console.tail(20).join("\n"));
      const lines = guest.text.split(/\r?\n/).filter((line) => line.startsWith("zeropage:"));
      const inQemu = initConsoles.find(({ image }) => image === id);
      assert.ok(inQemu);
      assert.deepEqual(lines.map(known), initLines(inQemu).map(known));
      const [total = 0] = lines[3]?.match(/\d+/g)?.map(Number) ?? [];
      assert.ok(Math.abs(total - inQemu.memory[0]) < 1024, lines[3]);
      assert.match(guest.text, /reboot: Power down/);
      const phases = timeline.phases.map(({ name }) => name);
      assert.equal(phases.at(-1), "userspace");
      assert.ok(phases.includes("kernel, talking"), phases.join());
    },
  );
}
