import assert from "node:assert/strict";
import { gzipSync } from "fflate";
import { encodeCpio } from "../formats/initramfs/encode_cpio.ts";
import { S_IFDIR, S_IFREG } from "../formats/initramfs/mode.ts";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { elf, note, relocationTable } from "../testdata/elf_builder.ts";
import { buildKallsyms, segmentAddress } from "../testdata/kallsyms_builder.ts";
import { oldKernel } from "../testdata/other_images.ts";
import { info } from "./info.ts";
import type { InfoOptions } from "./program.ts";
import { InputError, UsageError } from "./ui/errors.ts";
import { MemoryTerminal } from "./ui/terminal.ts";

const text = (s: string) => new TextEncoder().encode(s);
const word = (n: number) => Uint8Array.of(n, n >> 8, n >> 16, n >>> 24);

const banner = "Linux version 6.1.0-test (builder@example) (gcc) # SMP\n";

/** A kernel with a banner, notes and relocations, small enough to read. */
const vmlinux = elf({
  entry: 0x1000000,
  segments: [{ vaddr: 0xffffffff81000000n, paddr: 0x1000000, data: text(banner) }],
  notes: [note("Xen", 18, word(0x1000850)), note("Linux", 256, text("salt\0"))],
  trailing: relocationTable([0x81000000], [], [0x81000004, 0x81000008]),
});

/** A 32-bit one, as lguest's guests were. */
const vmlinux32 = elf({
  class: 32,
  machine: 3,
  entry: 0x100000,
  segments: [{ paddr: 0x100000, data: text(banner.replace("6.1.0-test", "2.6.24")) }],
});

const gzipped = gzipSync(vmlinux, { mtime: 0 });
const image = bzImage({ pe: "new", payload: gzipped });

/** What `objcopy -O binary` left of a kernel before 2.6.26: no ELF, a symbol table. */
const raw = (word: 4 | 8) => {
  const symbols = Array.from({ length: 500 }, (_, i) => ({
    address: segmentAddress(word) + BigInt(i * 0x10),
    type: "t",
    name: `sys_read${i}`,
  }));
  const { bytes } = buildKallsyms(symbols, {
    word,
    names: "tokens",
    addresses: "absolute",
    order: "before",
    markerSize: word,
    seqs: 0,
    align: word,
  });
  return bytes.subarray(0x1000);
};

/** A bzImage of 2.6.17 around such a kernel. */
const rawImage = (word: 4 | 8) =>
  bzImage({
    protocol: 0x204,
    payload: gzipSync(raw(word), { mtime: 0 }),
    version: "2.6.17 (builder@example)",
  });

const files: Readonly<Record<string, Uint8Array>> = {
  "bzImage": image,
  "lguest": bzImage({
    protocol: 0x207,
    payload: gzipSync(vmlinux32, { mtime: 0 }),
    version: "2.6.24 (rusty@example)",
    header: { hardware_subarch: 1 },
  }),
  "old": bzImage({ protocol: 0 }),
  "vmlinux.gz": gzipped,
  "short": image.subarray(0, 0x3000),
  "text": text("CONFIG_LGUEST_GUEST=y\n"),
  "empty": new Uint8Array(),
  "noise": Uint8Array.from({ length: 999 }, (_, i) => i * 193 >> 2),
  "initrd.gz": gzipSync(
    encodeCpio([
      { name: "dev", mode: S_IFDIR | 0o755 },
      { name: "init", mode: S_IFREG | 0o755, data: text("#!/bin/sh\n") },
    ]),
    { mtime: 0 },
  ),
};

/** Runs bootinfo on made files, the folder's name left out of what it prints. */
async function run(
  names: readonly string[],
  options: Partial<InfoOptions> = {},
  more: Readonly<Record<string, Uint8Array>> = {},
): Promise<{ code: number; out: string; err: string; folder: string }> {
  const folder = await Deno.makeTempDir();
  for (const [name, bytes] of Object.entries({ ...files, ...more })) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
  const terminal = new MemoryTerminal();
  try {
    const code = await info(terminal, names.map((name) => `${folder}/${name}`), {
      payload: true,
      ...options,
    });
    const clean = (output: string) => output.replaceAll(`${folder}/`, "");
    return { code, out: clean(terminal.stdout), err: clean(terminal.stderr), folder };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const name of Object.keys(files)) {
  Deno.test(`the first view of "${name}" says what it is and what can be done with it`, async (t) => {
    const { out, code } = await run([name]);
    assert.equal(code, name === "noise" || name === "empty" ? 3 : 0);
    await t.assertSnapshot(out);
  });
}

Deno.test("--all prints every section the image has", async (t) => {
  await t.assertSnapshot((await run(["bzImage"], { all: true })).out);
});

Deno.test("--map leaves no byte without a name", async (t) => {
  const { out } = await run(["bzImage"], { map: true });
  assert.ok(!out.includes("not accounted for"));
  await t.assertSnapshot(out);
});

Deno.test("--check tells complaints by its exit code, with the rule they rest on", async (t) => {
  assert.equal((await run(["bzImage"], { check: true })).code, 0);
  const { code, out } = await run(["lguest"], { check: true });
  assert.equal(code, 1);
  await t.assertSnapshot(out);
});

Deno.test("--platform says where, or why not, and what would do", async (t) => {
  const outputs: string[] = [];
  for (const platform of ["pc", "xen", "lguest", "voyager", "7"]) {
    const { out, code } = await run(["bzImage"], { platform });
    outputs.push(`${platform}: ${code}\n${out}`);
  }
  await t.assertSnapshot(outputs.join("\n"));
});

Deno.test("an unknown platform, section or field is named, with what there is", async () => {
  await assert.rejects(
    run(["bzImage"], { platform: "lguset" }),
    (error: UsageError) =>
      error instanceof UsageError && error.hints[0] === 'Did you mean "lguest"?',
  );
  await assert.rejects(run(["bzImage"], { section: ["hedaer"] }), UsageError);
  await assert.rejects(
    run(["bzImage"], { field: ["setup_sects"] }),
    (error: InputError) =>
      error instanceof InputError && error.hints.join().includes("setup_header.setup_sects"),
  );
});

Deno.test("symbols of a kernel without an ELF header have the digits of its addresses", async () => {
  const files = { "raw32": rawImage(4), "raw64": rawImage(8) };
  const first = async (name: string) =>
    (await run([name], { symbols: "sys_read0" }, files)).out.split("\n")[0];
  assert.equal(await first("raw32"), "c1000000 t sys_read0");
  assert.equal(await first("raw64"), "ffffffff81000000 t sys_read0");
});

Deno.test("a kernel before 1.3.73 takes no initrd", async () => {
  const { out } = await run(["zImage"], {}, { "zImage": oldKernel() });
  assert.match(out, /^ {2}Loads .*no initrd$/m);
});

Deno.test("--field prints raw values, one a line", async () => {
  const { out } = await run(["bzImage"], {
    field: ["protocol", "setup_header.setup_sects", "payload.format", "elf.phdrs[0].vaddr"],
  });
  assert.deepEqual(out.trim().split("\n"), ["2.15", "23", "gzip", "0xffffffff81000000"]);
});

Deno.test("--json is one document with the keys of schema 1 in their order", async (t) => {
  const { out } = await run(["bzImage"], { json: true });
  const document = JSON.parse(out);
  assert.equal(document.schema, 1);
  assert.equal(document.setup_header.version, 0x20f);
  assert.equal(document.payload.verified, true);
  await t.assertSnapshot(out);
});

Deno.test("--json of several files is still one document", async () => {
  const { out } = await run(["bzImage", "noise"], { json: true });
  const document = JSON.parse(out);
  assert.deepEqual(document.images.map(({ kind }: { kind: string }) => kind), [
    "bzImage",
    "unknown",
  ]);
});

Deno.test("several images make a table, and one that is missing stops none", async (t) => {
  const { out, err, code } = await run(["bzImage", "missing", "lguest", "vmlinux.gz"]);
  assert.equal(code, 3);
  assert.match(err, /missing: no such file/);
  await t.assertSnapshot(out);
});

Deno.test("--extract gives back what went in", async () => {
  const terminal = new MemoryTerminal();
  const folder = await Deno.makeTempDir();
  const path = `${folder}/bzImage`;
  await Deno.writeFile(path, image);
  const part = async (extract: NonNullable<InfoOptions["extract"]>) => {
    await info(terminal, [path], { payload: true, extract, output: `${folder}/out` });
    return await Deno.readFile(`${folder}/out`);
  };
  try {
    const elfEnd = vmlinux.length - relocationTable([1], [], [1, 2]).length;
    assert.deepEqual(await part("vmlinux"), vmlinux.slice(0, elfEnd));
    assert.deepEqual(await part("payload"), gzipped);
    assert.equal((await part("setup")).length, 24 * 512);
    await assert.rejects(part("config"), InputError);
    await assert.rejects(part("initrd"), InputError);
    await assert.rejects(part("cert"), InputError);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("--no-payload reads no sum and leaves what is inside open", async (t) => {
  await t.assertSnapshot((await run(["bzImage"], { payload: false })).out);
  await assert.rejects(run(["bzImage"], { payload: false, notes: true }), UsageError);
});

Deno.test("--zero-page names the author of every field", async (t) => {
  const { out } = await run(["bzImage"], {
    zeroPage: true,
    append: "console=ttyS0",
    platform: "lguest",
    set: [{ field: "setup_header.vid_mode", value: "0x0f01" }],
  });
  assert.match(out, /hardware_subarch.*loader/);
  assert.match(out, /vid_mode.*user/);
  await t.assertSnapshot(out);
});

Deno.test("a zero page saved with -o reads back as one", async (t) => {
  const folder = await Deno.makeTempDir();
  const terminal = new MemoryTerminal();
  try {
    await Deno.writeFile(`${folder}/bzImage`, image);
    const page = `${folder}/page`;
    await info(terminal, [`${folder}/bzImage`], {
      payload: true,
      zeroPage: true,
      append: "quiet",
      output: page,
    });
    await info(terminal, [page], { payload: true });
    await t.assertSnapshot(terminal.stdout.replaceAll(`${folder}/`, ""));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
