/**
 * A shell on a real kernel: Debian's static busybox, spoken to over the serial
 * port.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot } from "../../core/boot/guest.ts";
import { encodeCpio } from "../../formats/initramfs/encode_cpio.ts";
import { readImage, withImages } from "../images/images.ts";

const programs = ["sh", "mount", "uname", "cat", "seq", "sha256sum", "gzip", "wc", "poweroff"];

const script = `#!/bin/sh
mount -t proc proc /proc
exec sh
`;

/** The shell asks the terminal where its cursor is, right behind the prompt. */
const prompt = /^\/ # \S*$/m;

/** An initramfs with busybox and a shell for its first process. */
function shell(busybox: Uint8Array): Uint8Array {
  const text = new TextEncoder();
  const folders = ["dev", "proc", "bin"].map((name) => ({ name, mode: 0o040755 }));
  return encodeCpio([
    ...folders,
    { name: "dev/console", mode: 0o020600, rdev: { major: 5, minor: 1 } },
    { name: "bin/busybox", mode: 0o100755, data: busybox },
    ...programs.map((name) => ({
      name: `bin/${name}`,
      mode: 0o120777,
      data: text.encode("busybox"),
    })),
    { name: "init", mode: 0o100755, data: text.encode(script) },
  ]);
}

for (
  const [kernel, busybox, machine] of [
    ["linux-6.1-686", "busybox-i386", "i686"],
    ["linux-6.1-cloud-amd64", "busybox-amd64", "x86_64"],
  ] as const
) {
  withImages(
    `a shell on ${kernel} answers, computes and powers off`,
    [kernel, busybox],
    async ([image, box]) => {
      assert.ok(image && box);
      const guest = await boot(readImage(image), {
        entry: "direct",
        // Looking for ISA cards is half of what a 686 kernel does.
        commandLine: "console=ttyS0 quiet nokaslr cryptomgr.notests noisapnp",
        initrd: shell(readImage(box)),
      });
      /** Waits for the prompt, types a command, and gives back what it prints. */
      const ask = (command: string): string => {
        guest.type(`${command}\n`);
        guest.read();
        const outcome = guest.run({ until: prompt, instructions: 2e9 });
        assert.equal(outcome.kind, "matched", guest.console.tail(10).join("\n"));
        return guest.read().replaceAll("\r", "").replace(/^.*\n/, "").replace(/\/ # .*$/s, "");
      };
      assert.equal(guest.run({ until: prompt, instructions: 3e9 }).kind, "matched");
      assert.equal(ask("uname -m"), `${machine}\n`);
      assert.equal(ask("echo $((6 * 7))"), "42\n");
      // The sum is what sha256sum says of the same text elsewhere.
      assert.equal(
        ask("seq 1 5000 | gzip | gzip -d | sha256sum"),
        "23f90f8b2c3a4b5f3b5e156339994afd5c2718b378aca6f0e17111f80a70d4ec  -\n",
      );
      guest.type("poweroff -f\n");
      assert.deepEqual(guest.run({ instructions: 1e9 }), { kind: "power-off" });
    },
  );
}
