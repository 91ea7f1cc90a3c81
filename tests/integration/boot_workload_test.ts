/**
 * The workload of three parts on real kernels: arithmetic in a shell, packing and
 * hashing, many processes. What comes out is what came out in QEMU.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot } from "../../core/boot/guest.ts";
import { smallWorkloadLines } from "../../testdata/workload.ts";
import { readImage, withImages } from "../images/images.ts";
import { shellInitramfs, smallWorkload, workloadScript } from "../images/shell.ts";

for (
  const [kernel, busybox] of [
    ["linux-6.1-686", "busybox-i386"],
    ["linux-6.1-cloud-amd64", "busybox-amd64"],
  ] as const
) {
  withImages(
    `the workload on ${kernel} comes to QEMU's results`,
    [kernel, busybox],
    async ([image, box]) => {
      assert.ok(image && box);
      const guest = await boot(readImage(image), {
        entry: "direct",
        commandLine: "console=ttyS0 quiet cryptomgr.notests noisapnp",
        initrd: shellInitramfs(readImage(box), workloadScript(smallWorkload)),
      });
      const outcome = guest.run({ instructions: 5e9 });
      assert.deepEqual(outcome, { kind: "power-off" }, guest.console.tail(20).join("\n"));
      const lines = guest.text.split(/\r?\n/).filter((line) => line.startsWith("workload:"));
      assert.deepEqual(lines, smallWorkloadLines);
    },
  );
}
