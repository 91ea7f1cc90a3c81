/**
 * Real kernels that fail, or are watched closely: what is said of it is right.
 *
 * @module
 */

import assert from "node:assert/strict";
import { initProgram } from "../../core/init/program.ts";
import { encodeCpio } from "../../formats/initramfs/encode_cpio.ts";
import { boot } from "../../core/boot/guest.ts";
import { failureReport } from "../../core/boot/report.ts";
import { showReport } from "../../core/boot/show_report.ts";
import { trace } from "../../core/boot/trace.ts";
import { readImage, withImages } from "../images/images.ts";

const quick = "console=ttyS0 cryptomgr.notests";

/** Our init, but for its first instruction: VPADDD, of which the processor knows nothing. */
function unknownInit(): Uint8Array {
  const data = initProgram(64);
  const entry = new DataView(data.buffer).getUint32(0x18, true) & 0xffff;
  data.set([0xc5, 0xf5, 0xfe, 0xc2], entry);
  return encodeCpio([{ name: "init", mode: 0o100755, data }]);
}

withImages("an init that dies of an unknown instruction is told by it", [
  "linux-6.1-cloud-amd64",
], async ([image]) => {
  assert.ok(image);
  const guest = await boot(readImage(image), {
    ...{ commandLine: quick, initrd: unknownInit(), memory: 256 << 20 },
  });
  const outcome = guest.run({ instructions: 3e9 });
  assert.equal(outcome.kind, "panic");
  const { cause, exceptions, way } = await failureReport(guest, outcome);
  assert.match(cause[0] ?? "", /Attempted to kill init! exitcode=0x00000004/);
  assert.match(cause[1] ?? "", /does not know the AVX \(VEX\) instruction c5 f5 fe c2 /);
  const last = exceptions.findLast(({ name }) => name === "#UD");
  assert.equal(last?.level, 3);
  assert.equal(way?.functions.at(-1)?.name, "panic");
  assert.match(way?.functions.at(-2)?.name ?? "", /^do_exit/);
});

for (const id of ["linux-6.1-686", "linux-6.1-cloud-amd64"] as const) {
  withImages(`${id} without an init panics, and the report tells where`, [id], async ([image]) => {
    assert.ok(image);
    const commandLine = `${quick} rdinit=/nonexistent`;
    const guest = await boot(readImage(image), { commandLine, memory: 256 << 20 });
    const outcome = guest.run({ instructions: 3e9 });
    assert.equal(outcome.kind, "panic");
    const report = await failureReport(guest, outcome);
    assert.match(report.cause[0] ?? "", /^The kernel panicked: VFS: Unable to mount root fs/);
    assert.equal(report.way?.functions.at(-1)?.name, "panic");
    assert.equal(report.way?.functions.at(-2)?.name, "mount_block_root");
    assert.match(report.scene.symbol ?? "", /^mount_block_root\+/);
    const call = report.scene.code.find(({ address }) => address === report.scene.address);
    assert.match(call?.text ?? "", /^call .* <panic>$/);
    const callers = report.scene.callers.map(({ symbol }) => symbol?.replace(/\+.*/, ""));
    assert.deepEqual(callers.slice(0, 1), ["mount_block_root"]);
    assert.ok(callers.includes("kernel_init_freeable") && callers.includes("kernel_init"));
    const text = showReport(report).join("\n");
    assert.match(text, /Code where it panicked, (32|64) bits:/);
  });

  withImages(`${id} run again, in part step by step, is the same run`, [id], async ([image]) => {
    assert.ok(image);
    const guest = await boot(readImage(image), { commandLine: quick, memory: 128 << 20 });
    guest.run({ instructions: 200e6 });
    const again = await guest.again(199.7e6);
    for (let n = 0; n < 300_000; n++) again.machine.step();
    assert.equal(again.machine.instructions, guest.machine.instructions);
    assert.equal(again.machine.stateHash(), guest.machine.stateHash());
  });

  withImages(`${id} is traced from a function on, wherever it has moved`, [id], async ([image]) => {
    assert.ok(image);
    const guest = await boot(readImage(image), { commandLine: quick, memory: 128 << 20 });
    const lines: string[] = [];
    await trace(guest, "instructions", (line) => lines.push(line), { from: "start_kernel" });
    while (lines.length === 0) guest.run({ instructions: 100_000 });
    assert.match(lines[0] ?? "", /^ *\d+ 0x[0-9a-f]+ <start_kernel> /);
    assert.match(lines[1] ?? "", /<(start_kernel\+0x\w+|__fentry__)> /);
  });
}
