/**
 * Real kernels, booted to their first process and off again: the built-in init
 * says that it is there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot } from "../../core/boot/guest.ts";
import { Timeline } from "../../core/boot/timeline.ts";
import { readImage, withImages } from "../images/images.ts";

/**
 * The kernel's tests of its own cryptography are nine tenths of a boot's
 * instructions; `nokaslr` keeps it where its symbols are.
 */
const commandLine = "console=ttyS0 nokaslr cryptomgr.notests";

const kernels = [
  ["linux-6.1-686", "direct", /Linux 6\.1\.\S+-686, i686/],
  ["linux-6.1-cloud-amd64", "64", /Linux 6\.1\.\S+-cloud-amd64, x86_64/],
  ["linux-6.1-cloud-amd64", "32", /Linux 6\.1\.\S+-cloud-amd64, x86_64/],
  ["linux-5.10-cloud-amd64", "real", /Linux 5\.10\.\S+-cloud-amd64, x86_64/],
  ["linux-newest-cloud-amd64", "direct", /Linux \S+-cloud-amd64, x86_64/],
] as const;

for (const [id, entry, uname] of kernels) {
  withImages(
    `${id} boots to our init and powers off, by its ${entry} entry`,
    [id],
    async ([image]) => {
      assert.ok(image);
      const guest = await boot(readImage(image), { entry, commandLine });
      const timeline = new Timeline(guest);
      const outcome = guest.run({ instructions: 3e9 });
      assert.deepEqual(outcome, { kind: "power-off" }, guest.console.tail(20).join("\n"));
      assert.match(guest.text, /zeropage: userspace reached, this is process 1/);
      assert.match(guest.text, uname);
      assert.match(guest.text, /reboot: Power down/);
      const phases = timeline.phases.map(({ name }) => name);
      assert.equal(phases.at(-1), "userspace");
      assert.ok(phases.includes("kernel, talking"), phases.join());
    },
  );
}
