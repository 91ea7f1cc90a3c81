import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeCpio, showMember } from "../../formats/initramfs/cpio.ts";
import { smallWorkloadLines, wholeWorkloadLines } from "../../testdata/workload.ts";
import {
  interactiveScript,
  shellInitramfs,
  smallWorkload,
  wholeWorkload,
  workloadScript,
} from "./shell.ts";

Deno.test("shellInitramfs() has busybox, its names, a console and the script", () => {
  const bytes = shellInitramfs(Uint8Array.of(1, 2, 3), interactiveScript);
  assert.deepEqual(bytes, shellInitramfs(Uint8Array.of(1, 2, 3), interactiveScript));
  const { members, complaints } = decodeCpio(bytes);
  assert.deepEqual(complaints, []);
  const lines = members.map(showMember);
  const shown = (name: string) => lines.find((line) => line.includes(` ${name}`));
  assert.match(shown("bin/busybox") ?? "", /^-rwxr-xr-x .* 3 /);
  assert.match(shown("bin/sh") ?? "", /^lrwxrwxrwx .* bin\/sh -> busybox$/);
  assert.match(shown("dev/console") ?? "", /^crw------- .* 5, 1 /);
  assert.match(shown("init") ?? "", /^-rwxr-xr-x /);
});

for (
  const [name, workload, lines] of [
    ["whole", wholeWorkload, wholeWorkloadLines],
    ["small", smallWorkload, smallWorkloadLines],
  ] as const
) {
  Deno.test(`what QEMU printed of the ${name} workload is what sums and hashes should be`, () => {
    let s = 1;
    for (let i = 0; i < workload.rounds; i++) s = (s * 31 + i) % 65521;
    let text = "";
    for (let n = 1; n <= workload.lines; n++) text += `${n}\n`;
    const hash = createHash("sha256").update(text).digest("hex");
    let t = 0;
    for (let n = 0; n < workload.processes; n++) t += n * n;
    assert.equal(lines[1], `workload: a ${s}`);
    assert.ok(lines[2]?.startsWith(`workload: b ${hash} `));
    assert.equal(lines[3], `workload: c ${t}`);
    const said = workloadScript(workload).match(/workload: (\w+)/g);
    assert.deepEqual(
      said,
      ["start", "a", "unpacking", "b", "c", "done"].map((w) => `workload: ${w}`),
    );
  });
}
