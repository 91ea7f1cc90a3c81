/**
 * The first instructions of real kernels: what they are handed, and what they
 * make of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot, type Guest } from "../../core/boot/guest.ts";
import { bootParams } from "../../formats/boot_params.ts";
import { walk } from "../../formats/layout.ts";
import { readImage, withImages } from "../images/images.ts";

const commandLine = "console=ttyS0 nokaslr cryptomgr.notests";

/** Fields that the setup code fills in from the BIOS's answers and our loader leaves out, and why. */
const bySetup: Readonly<Record<string, string>> = {
  "screen_info.orig_y": "where the cursor is",
  "screen_info.ext_mem_k": "int 15h, function 88h",
  "screen_info.orig_video_mode": "text mode 3",
  "screen_info.orig_video_cols": "80 columns",
  "screen_info.orig_video_ega_bx": "an EGA or better",
  "screen_info.orig_video_lines": "25 lines",
  "screen_info.orig_video_isVGA": "a VGA",
  "screen_info.orig_video_points": "16 lines a character",
  "ist_info.signature": "what the BIOS left in EAX when it knew no SpeedStep",
  "ist_info.perf_level": "what it left in EDX: the question",
  "edid_info.dummy": "the pattern that setup fills it with before it asks",
  alt_mem_k: "int 15h, function E801h",
  "hdr.loadflags": "CAN_USE_HEAP",
  "hdr.heap_end_ptr": "where the heap ends",
};

/** Leaf fields in which two pages differ. */
function differing(a: Uint8Array, b: Uint8Array): string[] {
  return [...walk(bootParams)].filter(({ at, size }) =>
    a.subarray(at, at + size).some((byte, i) => byte !== b[at + i])
  ).map(({ path }) => path);
}

const pageAt = (guest: Guest) => Number(guest.registers["rsi"]);

for (const id of ["linux-6.1-686", "linux-6.12-amd64", "linux-5.10-cloud-amd64"]) {
  withImages(`the zero page that ${id}'s own setup code makes is ours`, [id], async ([image]) => {
    assert.ok(image);
    const guest = await boot(readImage(image), { entry: "real", commandLine });
    const { load } = guest.plan.kernel;
    const outcome = guest.run({ address: load, instructions: 1e6 });
    assert.deepEqual(outcome, { kind: "address", address: load });
    // The state in which the boot protocol promises the 32-bit entry.
    const { cpu } = guest.machine;
    assert.equal(cpu.mode, 32);
    assert.deepEqual(
      cpu.segments.slice(0, 6).map(({ selector, base, limit }) => [selector, base, limit]),
      [
        [0x18, 0, 0xffff_ffff],
        [0x10, 0, 0xffff_ffff],
        ...Array.from({ length: 4 }, () => [0x18, 0, 0xffff_ffff]),
      ],
    );
    for (const name of ["rbx", "rcx", "rdx", "rbp", "rdi"]) {
      assert.equal(guest.registers[name], 0n, name);
    }
    const page = guest.memory(pageAt(guest), 4096);
    const found = differing(page, guest.plan.zeroPage.page);
    assert.deepEqual(found.filter((path) => !Object.hasOwn(bySetup, path)), []);
    assert.deepEqual(Object.keys(bySetup).filter((path) => !found.includes(path)), []);
  });
}

for (
  const [id, entry] of [
    ["linux-6.1-686", "direct"],
    ["linux-6.12-amd64", "direct"],
    ["linux-newest-cloud-amd64", "direct"],
  ] as const
) {
  withImages(`${id} comes to start_kernel by its ${entry} entry`, [id], async ([image]) => {
    assert.ok(image);
    const guest = await boot(readImage(image), { entry, commandLine });
    assert.equal((await guest.runTo("start_kernel", { instructions: 3e6 })).kind, "address");
    const symbols = await guest.symbols();
    assert.equal(symbols?.show(guest.machine.cpu.rip), "start_kernel");
    assert.equal(guest.step(), undefined);
    assert.notEqual(symbols?.show(guest.machine.cpu.rip), "start_kernel");
  });
}

withImages("two boots of one kernel are the same boot", ["linux-6.1-686"], async ([image]) => {
  assert.ok(image);
  const bytes = readImage(image);
  const hash = async () => {
    const guest = await boot(bytes, {
      entry: "direct",
      commandLine: `${commandLine} earlyprintk=ttyS0`,
      memory: 64 << 20,
    });
    guest.run({ until: /Kernel command line: .*\n/, instructions: 100e6 });
    return [guest.machine.stateHash(), guest.machine.instructions, guest.text];
  };
  const [first, second] = [await hash(), await hash()];
  assert.deepEqual(first, second);
  assert.match(String(first[2]), /Linux version 6\.1/);
});
