import assert from "node:assert/strict";
import { decodeBootParams } from "../../formats/boot_params.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { bzImage, type Recipe } from "../../testdata/bzimage_builder.ts";
import { elf } from "../../testdata/elf_builder.ts";
import { fakeMachine } from "../../testdata/fake_machine.ts";
import { BootError } from "../errors.ts";
import { buildZeroPage } from "../zero_page.ts";
import { applyPlan } from "./apply.ts";
import { type BootPlan, PlatformError } from "./plan.ts";
import { prepareBoot, type PrepareOptions, withSerialConsole } from "./prepare.ts";

const MIB = 2 ** 20;
const small: Recipe = { header: { init_size: 0x40_0000 } };
const i386: Recipe = { ...small, machine: "i386" };
const memory = 64 * MIB;

async function plan(image: Uint8Array, options: PrepareOptions = {}): Promise<BootPlan> {
  return (await prepareBoot(image, { memory, ...options })).plan;
}

async function refusal(image: Uint8Array, options: PrepareOptions = {}): Promise<string> {
  try {
    await plan(image, options);
  } catch (error) {
    assert.ok(error instanceof BootError, String(error));
    return error.message;
  }
  throw new Error("it was planned");
}

const piece = ({ pieces }: BootPlan, what: string) => pieces.find((found) => found.what === what);
const place = ({ placements }: BootPlan, what: string) =>
  placements.find((found) => found.what === what);

/** A kernel in ELF, of some bytes at 16 MiB, that says it is Linux. */
function vmlinux(bits: 32 | 64 = 64, paddr = 0x100_0000): Uint8Array {
  const code = new Uint8Array(0x2000).fill(0x90);
  code.set(new TextEncoder().encode("Linux version 6.1.0 (me@here) (gcc) #1 SMP\n\0"), 0x100);
  return elf({
    class: bits,
    machine: bits === 64 ? 62 : 3,
    entry: paddr + 0x40,
    segments: [{
      paddr,
      vaddr: bits === 64 ? paddr : 0xc000_0000 + paddr,
      data: code,
      memsz: 0x4000,
    }],
  });
}

Deno.test("a 64-bit kernel is entered by 64 bits, a 32-bit one by 32, on one processor", async () => {
  const wide = await plan(bzImage(small));
  assert.deepEqual(
    [wide.entry.kind, wide.entry.address, wide.bits, wide.cpu, wide.state.bits],
    ["64-bit", 0x1000200n, 64, "x86-64-v2", 64],
  );
  const narrow = await plan(bzImage(i386));
  assert.deepEqual(
    [narrow.entry.kind, narrow.entry.address, narrow.bits, narrow.cpu, narrow.state.bits],
    ["32-bit", 0x1000000n, 32, "x86-64-v2", 32],
  );
});

Deno.test("a 64-bit kernel is entered by 32 bits where that is asked for", async () => {
  const found = await plan(bzImage(small), { entry: "32" });
  assert.deepEqual([found.entry.kind, found.state.rip, found.state.cr4], ["32-bit", 0x1000000, 0]);
  assert.equal(found.cpu, "x86-64-v2");
  assert.equal(place(found, "page tables"), undefined);
});

Deno.test("the page that is handed over is the one that bootinfo shows", async () => {
  const image = bzImage(small);
  const initrd = new Uint8Array(5000).fill(7);
  const commandLine = "console=ttyS0 quiet";
  for (const loader of ["zeropage", "kexec", "grub", "firecracker"] as const) {
    const found = await plan(image, { commandLine, initrd, loader });
    const shown = buildZeroPage({
      image: { bytes: image, header: decodeSetupHeader(image) },
      memory,
      commandLine,
      initrd: { size: initrd.length },
      loader,
    });
    assert.deepEqual(piece(found, "zero page")?.bytes, shown.page, loader);
    assert.equal(found.state.registers.rsi, Number(shown.address));
  }
});

Deno.test("what the page points to lies in the machine's memory, byte for byte", async () => {
  const image = bzImage({ ...small, payload: new Uint8Array(300).fill(0xab) });
  const initrd = Uint8Array.from({ length: 5000 }, (_, i) => i);
  const found = await plan(image, { commandLine: "a=b", initrd });
  const machine = fakeMachine([], { memory });
  applyPlan(found, machine);
  const read = (address: number, length: number) => {
    const bytes = new Uint8Array(length);
    machine.memory.read(address, bytes);
    return bytes;
  };
  const page = read(machine.cpu.rip === 0x1000200 ? found.state.registers.rsi ?? 0 : 0, 4096);
  const { header } = decodeBootParams(page);
  const fields = header.fields;
  assert.deepEqual(read(fields.ramdisk_image ?? 0, fields.ramdisk_size ?? 0), initrd);
  assert.deepEqual(read(fields.cmd_line_ptr ?? 0, 4), new TextEncoder().encode("a=b\0"));
  const setupSize = (4 + 1) * 512;
  assert.deepEqual(read(found.kernel.load, image.length - setupSize), image.slice(setupSize));
  assert.deepEqual([found.kernel.load, found.kernel.end], [0x1000000, 0x1400000]);
});

Deno.test("ACPI's root pointer is where kernels look for it, on a board that has ACPI", async () => {
  const found = piece(await plan(bzImage(small)), "ACPI tables");
  assert.equal(found?.address, 0xe0000);
  assert.equal(new TextDecoder().decode(found?.bytes.subarray(0, 8)), "RSD PTR ");
  assert.equal(piece(await plan(bzImage(small), { profile: "micro" }), "ACPI tables"), undefined);
});

Deno.test("nothing lies upon anything else, whoever loads", async () => {
  for (
    const loader of ["zeropage", "kexec", "qemu", "grub", "elilo", "gujin", "loadlin"] as const
  ) {
    const { placements } = await plan(bzImage(small), { loader, initrd: new Uint8Array(9999) });
    for (const [i, { what, address, size }] of placements.entries()) {
      const next = placements[i + 1];
      assert.ok(!next || address + size <= next.address, `${loader}: ${what}, ${next?.what}`);
    }
  }
});

Deno.test("Firecracker's kernels get its segments and its stack", async () => {
  const { state } = await plan(bzImage(small), { loader: "firecracker" });
  assert.deepEqual([state.code.selector, state.data.selector], [8, 0x10]);
  assert.deepEqual([state.registers.rsp, state.registers.rbp], [0x8ff0, 0x8ff0]);
});

Deno.test("a vmlinux is entered directly, its segments at their physical addresses", async () => {
  const wide = await plan(vmlinux());
  assert.deepEqual([wide.entry.kind, wide.state.rip, wide.state.bits], ["direct", 0x1000040, 64]);
  const segment = piece(wide, "kernel segment 0");
  assert.deepEqual([segment?.address, segment?.bytes.length], [0x1000000, 0x2000]);
  assert.deepEqual([wide.kernel.load, wide.kernel.end], [0x1000000, 0x1004000]);
  const narrow = await plan(vmlinux(32));
  assert.deepEqual([narrow.entry.kind, narrow.state.bits, narrow.cpu], ["direct", 32, "x86-64-v2"]);
});

Deno.test("a bzImage is entered directly by the kernel inside, unpacked", async () => {
  const kernel = vmlinux();
  const packed = new Uint8Array(
    await new Response(
      new Blob([kernel as Uint8Array<ArrayBuffer>]).stream()
        .pipeThrough(new CompressionStream("gzip")),
    ).arrayBuffer(),
  );
  const found = await plan(bzImage({ ...small, payload: packed }), { entry: "direct" });
  assert.deepEqual([found.entry.kind, found.state.rip], ["direct", 0x1000040]);
  assert.equal(piece(found, "protected-mode code"), undefined);
  // The kernel proper learns by the header that there is a page for it.
  const { header } = decodeBootParams(found.zeroPage.page);
  assert.equal(header.version, 0x20c);
});

Deno.test("in real mode the setup code is there with the loader's fields, and a heap", async () => {
  const image = bzImage(small);
  const found = await plan(image, { entry: "real", commandLine: "x=y" });
  assert.ok(found.needsBios);
  assert.deepEqual([found.entry.kind, found.entry.address], ["16-bit", 0x10200n]);
  const setup = piece(found, "setup code");
  assert.deepEqual([setup?.address, setup?.bytes.length], [0x10000, 5 * 512]);
  assert.equal(piece(found, "zero page"), undefined, "the setup code makes its own");
  const { fields } = decodeSetupHeader(setup?.bytes ?? new Uint8Array());
  assert.equal(fields.type_of_loader, 0xff);
  assert.equal(fields.cmd_line_ptr, 0x20000);
  assert.equal(fields.heap_end_ptr, 0xde00);
  assert.equal((fields.loadflags ?? 0) & 0x81, 0x81);
  assert.equal(fields.code32_start, found.kernel.load);
  const own = (bytes?: Uint8Array) => [...bytes?.slice(0x270, 0x800) ?? []];
  assert.deepEqual(own(setup?.bytes), own(image), "code is the image's");
});

Deno.test("an image from before the protocol is entered in real mode at 0x90000", async () => {
  const found = await plan(bzImage({ protocol: 0x201, high: false }), { commandLine: "old" });
  assert.deepEqual([found.entry.kind, found.entry.address], ["16-bit", 0x90200n]);
  assert.equal(piece(found, "protected-mode code")?.address, 0x10000);
  const setup = piece(found, "setup code");
  assert.deepEqual([...setup?.bytes.slice(0x20, 0x24) ?? []], [0x3f, 0xa3, 0x00, 0x98]);
  assert.equal(piece(found, "command line")?.address, 0x99800);
});

Deno.test("LOADLIN's hook goes on to the kernel", async () => {
  const found = await plan(bzImage(small), { loader: "loadlin" });
  const hook = piece(found, "hook");
  assert.equal(hook?.address, 0x9a800);
  assert.deepEqual([...hook?.bytes ?? []], [0xb8, 0, 0, 0x10, 0, 0xff, 0xe0]);
});

Deno.test("a Linux kernel without an initrd is given our init, anything else nothing", async () => {
  const payload = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  const linux = await plan(bzImage({ ...small, payload }));
  assert.match(new TextDecoder("latin1").decode(piece(linux, "initrd")?.bytes), /^070701/);
  const without = async (recipe: Recipe, options: PrepareOptions = {}) =>
    piece(await plan(bzImage({ ...small, payload, ...recipe }), options), "initrd");
  assert.equal(await without({ payload: new Uint8Array() }), undefined, "nothing is packed in it");
  assert.equal(await without({}, { builtinInit: false }), undefined);
  assert.equal(await without({ protocol: 0x202 }), undefined);
  const given = Uint8Array.of(1, 2, 3);
  assert.deepEqual((await without({}, { initrd: given }))?.bytes, given);
});

Deno.test("fields that --set names are set, numbers without a row as well", async () => {
  const set = { "setup_header.vid_mode": "0x317" };
  const { zeroPage } = await plan(bzImage(small), { set, platform: "7" });
  const { fields } = decodeBootParams(zeroPage.page).header;
  assert.deepEqual([fields.vid_mode, fields.hardware_subarch], [0x317, 7]);
});

const cut = bzImage(small).slice(0, 2000);

/** What is asked for, and what the message must say. */
const refusals: readonly (readonly [string, Uint8Array, PrepareOptions, RegExp])[] = [
  ["a truncated image", bzImage(small).slice(0, 2600), {}, /^image: .*it is cut off/],
  ["an image cut within the setup code", cut, {}, /^image: .*it is cut off/],
  ["a 64-bit kernel on a 686", bzImage(small), { cpu: "686" }, /^processor: .*64 bits.*686/],
  ["too little memory", bzImage(small), { memory: 8 * MIB }, /^kernel: needs 4194304 bytes/],
  ["memory that no PC has", bzImage(small), { memory: MIB }, /^memory: needs 2 MiB/],
  ["too much memory", bzImage(small), { memory: 4096 * MIB }, /^memory: needs 3 GiB at most/],
  ["an unknown processor", bzImage(small), { cpu: "z80" }, /^processor: needs one of 486, .*z80/],
  [
    "a feature that no processor has",
    bzImage(small),
    { cpu: "x86-64-v2,+avx" },
    /^processor: needs features that it can have, .*"avx"/,
  ],
  ["half a page of memory", bzImage(small), { memory: 64 * MIB + 1 }, /^memory: needs a multiple/],
  [
    "an initrd that does not fit",
    bzImage(small),
    { memory: 24 * MIB, initrd: new Uint8Array(20 * MIB) },
    /^initrd: needs 20971520 bytes/,
  ],
  [
    "a long command line",
    bzImage(small),
    { commandLine: "x".repeat(2048) },
    /^command line: .*2047/,
  ],
  ["an unknown field", bzImage(small), { set: { "setup_header.nope": 1 } }, /^field: .*nope/],
  ["a value too large", bzImage(small), { set: { "setup_header.vid_mode": 1e6 } }, /vid_mode/],
  ["64 bits of a 32-bit kernel", bzImage(i386), { entry: "64" }, /^64-bit entry: .*a 32-bit one/],
  ["direct without a kernel", bzImage(small), { entry: "direct" }, /^direct entry: /],
  ["real mode of a vmlinux", vmlinux(), { entry: "real" }, /^16-bit entry: /],
  ["an unknown platform", bzImage(small), { platform: "pdp11" }, /^platform: needs one of pc, /],
  ["lguest's launcher on a PC", bzImage(i386), { loader: "lguest" }, /^loader: .*lguest/],
  [
    "a kernel over the zero page",
    vmlinux(64, 0x1_0000),
    {},
    /^kernel: needs \[0x10000, 0x14000\) free, found zero page/,
  ],
];

for (const [name, image, options, message] of refusals) {
  Deno.test(`refused before there is a machine: ${name}`, async () => {
    assert.match(await refusal(image, options), message);
  });
}

Deno.test("segments of a kernel that lie upon each other are refused", async () => {
  const data = new Uint8Array(0x1000);
  data.set(new TextEncoder().encode("Linux version 6.1.0 (me@here) (gcc) #1 SMP\n\0"));
  const image = elf({
    machine: 62,
    segments: [{ paddr: 0x100_0000, data }, { paddr: 0x100_0800, data }],
  });
  assert.match(await refusal(image), /segment 1 of the kernel: .*segment 0 of the kernel/);
});

Deno.test("platforms without a machine say what there is instead, and what would do", async () => {
  const error = async (platform: string) => {
    const failure = await plan(bzImage(small), { platform }).catch((error) => error);
    assert.ok(failure instanceof PlatformError, String(failure));
    return failure;
  };
  const mid = await error("intel-mid");
  assert.match(mid.message, /hardware_subarch=3/);
  assert.deepEqual(mid.nearest, ["pc"]);
  assert.match((await error("lguest")).message, /no Linux kernel inside/);
  assert.match((await error("voyager")).message, /NCR Voyager/);
  assert.match((await error("multiboot")).message, /no multiboot 1 header/);
});

Deno.test("pc16 and pc64 name the entry with the platform", async () => {
  assert.equal((await plan(bzImage(small), { platform: "pc16" })).entry.kind, "16-bit");
  assert.equal((await plan(bzImage(small), { platform: "pc64" })).entry.kind, "64-bit");
});

Deno.test("the serial console is added unless a console is named", async () => {
  assert.equal((await plan(bzImage(small))).commandLine, "console=ttyS0");
  assert.equal((await plan(bzImage(small), { commandLine: "" })).commandLine, "");
  assert.equal(withSerialConsole("quiet nokaslr"), "console=ttyS0 quiet nokaslr");
  assert.equal(withSerialConsole("quiet console=tty0"), "quiet console=tty0");
  assert.equal(withSerialConsole("netconsole=x"), "console=ttyS0 netconsole=x");
});
