import assert from "node:assert/strict";
import { gzipSync } from "fflate";
import { bzImage, type Recipe } from "../testdata/bzimage_builder.ts";
import { buildBtf } from "../testdata/btf_builder.ts";
import { elf, joined, latin1, note, relocationTable, u32 } from "../testdata/elf_builder.ts";
import { uki, winCertificate } from "../testdata/pe_builder.ts";
import { pageOf, pvhPage } from "../testdata/zero_pages.ts";
import { bootdiff } from "./program.ts";
import { runProgram } from "./ui/main.ts";
import { MemoryTerminal, type MemoryTerminalOptions } from "./ui/terminal.ts";
import { visibleWidth } from "./ui/text.ts";

type Files = Readonly<Record<string, Uint8Array | string>>;

/** Runs bootdiff on just these files; the folder's name is left out of what it prints. */
async function run(files: Files, argv: readonly string[], options: MemoryTerminalOptions = {}) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    const terminal = new MemoryTerminal({ noColor: true, ...options });
    const words = argv.map((word) => Object.hasOwn(files, word) ? `${folder}/${word}` : word);
    const code = await runProgram(bootdiff, words, terminal);
    // A folder's name widens its column: lines with it keep no more than two spaces.
    const clean = (text: string) =>
      text.split("\n").map((line) =>
        line.includes(folder) ? line.replaceAll(`${folder}/`, "").replace(/ {2,}/g, "  ") : line
      ).join("\n");
    return { code, out: clean(terminal.stdout), err: clean(terminal.stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const page = 0x1000;

/** A kernel with banner, configuration, notes and relocations: 4.9 for i386, or 6.12 for amd64. */
function kernel(release: "4.9.0" | "6.12.0", config = ""): Uint8Array {
  const isNew = release === "6.12.0";
  const code = new Uint8Array(isNew ? 2 * page : page).fill(0xf4);
  const gcc = isNew ? "gcc-14 14.2.0" : "gcc version 6.3.0";
  code.set(latin1(`Linux version ${release} (me@here) (${gcc}) #1 SMP\n\0`), 64);
  code.set(
    joined([latin1("IKCFG_ST"), gzipSync(latin1(config), { mtime: 0 }), latin1("IKCFG_ED")]),
    512,
  );
  const base = isNew ? 0xffffffff81000000n : 0xc1000000n;
  return elf({
    class: isNew ? 64 : 32,
    entry: isNew ? 0x1000123 : 0x1000000,
    segments: [
      { vaddr: base, paddr: 0x1000000, data: code, flags: 5 },
      ...(isNew ? [{ type: 0x6474e551, flags: 6 }] : []),
      {
        vaddr: base + 0x10000n,
        paddr: 0x1010000,
        data: new Uint8Array(256),
        memsz: page,
        flags: 6,
      },
    ],
    sections: [
      { name: ".text", flags: 6, segment: 0 },
      { name: isNew ? ".orc_unwind" : ".eh_frame", data: new Uint8Array(64) },
    ],
    notes: [
      note("Xen", 18, u32(isNew ? 0x1000b20 : 0x1000850)),
      ...(isNew ? [note("Linux", 257, u32(0))] : [note("Xen", 6, "linux")]),
      note("GNU", 3, new Uint8Array(20).fill(isNew ? 0x22 : 0x11)),
    ],
    trailing: isNew
      ? relocationTable([0x81000010, 0x81000020], [0x81000030])
      : relocationTable([0xc1000010, 0xc1000020, 0xc1000030]),
  });
}

const oldConfig = "CONFIG_LGUEST_GUEST=y\nCONFIG_HZ=250\nCONFIG_SMP=y\nCONFIG_E1000=y\n";
const newConfig =
  "CONFIG_HZ=1000\nCONFIG_SMP=y\nCONFIG_E1000=m\nCONFIG_TDX=y\n# CONFIG_X is not set\n";

const packed = (bytes: Uint8Array) => ({
  bytes: gzipSync(bytes, { mtime: 0 }),
});

const oldImage = (more: Recipe = {}) =>
  bzImage({
    protocol: 0x20c,
    machine: "i386",
    pe: "old",
    version: "4.9.0 (me@here) #1 SMP Mon Jan 1 2018",
    payload: packed(kernel("4.9.0", oldConfig)),
    ...more,
  });

const newImage = (more: Recipe = {}) =>
  bzImage({
    protocol: 0x20f,
    pe: "new",
    version: "6.12.0 (me@here) #1 SMP Tue Jan 2 2025",
    payload: kernel("6.12.0", newConfig),
    crc: false,
    ...more,
  });

const pair = () => ({ old: oldImage(), new: newImage() });

Deno.test("two images of different ages: what came of everything, one column in a pipe", async (t) => {
  const { code, out, err } = await run(pair(), ["old", "new"]);
  assert.deepEqual({ code, err }, { code: 1, err: "" });
  await t.assertSnapshot(out);
});

Deno.test("the same side by side on a terminal, within its width", async (t) => {
  const { code, out } = await run(pair(), ["old", "new"], { isTerminal: true, columns: 100 });
  assert.equal(code, 1);
  for (const line of out.split("\n")) assert.ok(visibleWidth(line) <= 100, line);
  await t.assertSnapshot(out);
});

Deno.test("the same as JSON: one document, its sections in order, values as they are", async (t) => {
  const { code, out } = await run(pair(), ["--json", "old", "new"]);
  assert.equal(code, 1);
  const document = JSON.parse(out);
  assert.deepEqual(Object.keys(document), [
    "schema",
    "kind",
    "compared",
    "a",
    "b",
    "identical",
    "changes",
  ]);
  assert.deepEqual([document.schema, document.kind, document.identical], [1, "diff", false]);
  for (const change of document.changes) {
    assert.deepEqual(
      Object.keys(change).filter((key) =>
        !["was", "is", "since", "since_basis", "severity"].includes(key)
      ),
      ["section", "path", "kind", "meaning"],
    );
  }
  await t.assertSnapshot(document.changes.map((c: { meaning: string }) => c.meaning).join("\n"));
});

Deno.test("the other way round nothing is lost: each change has its opposite", async () => {
  const paths = async (...argv: string[]) => {
    const { out } = await run(pair(), ["--json", ...argv]);
    return JSON.parse(out).changes.map((c: { section: string; path: string }) =>
      `${c.section} ${c.path}`
    ).sort();
  };
  assert.deepEqual(await paths("old", "new"), await paths("new", "old"));
});

Deno.test("the protocol tells what it added, platforms what became of them", async () => {
  const { out } = await run(pair(), ["--section", "protocol,platforms", "old", "new"]);
  assert.match(out, /^-protocol +2\.12\n\+protocol +2\.15\n/m);
  assert.match(out, /adds kernel_info_offset, .*\(2\.15, Linux 5\.5\)/);
  assert.match(
    out,
    /^\+setup_header\.kernel_info_offset .*\n +came with protocol 2\.15, Linux 5\.5$/m,
  );
  assert.match(out, /^-lguest +starts by 32-bit 0x100000/m);
  assert.match(out, /^\+lguest +does not start: a 64-bit kernel/m);
  assert.doesNotMatch(out, /@@ Payload/);
});

Deno.test("flag bits go by name", async () => {
  const flags = (xloadflags: number) => newImage({ header: { xloadflags } });
  const { out } = await run(
    { a: flags(0x3f), b: flags(0x7e) },
    ["--json", "--section", "loading", "a", "b"],
  );
  const [change] = JSON.parse(out).changes;
  assert.deepEqual([change.was, change.is], [0x3f, 0x7e]);
  assert.equal(
    change.meaning,
    "setup_header.xloadflags: -XLF_KERNEL_64 +XLF_5LEVEL_ENABLED (Linux 5.2)",
  );
});

Deno.test("files that are the same byte for byte are identical, code 0", async () => {
  const files = { a: oldImage(), b: oldImage() };
  const { code, out } = await run(files, ["a", "b"]);
  assert.deepEqual([code, out], [0, `a and b: identical, bzImage, ${size(files.a)} bytes\n`]);
  const json = await run(files, ["--json", "a", "b"]);
  assert.equal(json.code, 0);
  assert.deepEqual(JSON.parse(json.out).changes, []);
  assert.equal(JSON.parse(json.out).identical, true);
});

const size = (bytes: Uint8Array) => bytes.length.toLocaleString("en");

Deno.test("--all shows what is the same as well, and is no difference", async (t) => {
  const argv = ["--all", "--section", "protocol,loading,segments", "a", "b"];
  const { code, out } = await run({ a: newImage(), b: newImage() }, argv);
  assert.equal(code, 0);
  await t.assertSnapshot(out);
});

Deno.test("within one build every byte that differs is told by its part", async (t) => {
  const changed = newImage();
  changed[0x300] = 0x41;
  changed[changed.length - 600] = 0x41;
  const { code, out } = await run({ a: newImage(), b: changed }, ["a", "b"]);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
});

Deno.test("a signature that came is the only difference there is", async (t) => {
  const certificate = winCertificate({ bytes: new Uint8Array(24).fill(0x30), type: 1 });
  const files = { plain: newImage(), signed: newImage({ certificate }) };
  const { code, out } = await run(files, ["plain", "signed"]);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
});

Deno.test("a damaged side is compared as far as it decodes", async (t) => {
  const whole = oldImage();
  const { code, out, err } = await run({ cut: whole.subarray(0, whole.length - 200), whole }, [
    "cut",
    "whole",
  ]);
  assert.deepEqual({ code, err }, { code: 1, err: "" });
  await t.assertSnapshot(out);
});

Deno.test("no length of a damaged side is an error of ours", async () => {
  const whole = oldImage();
  for (const length of [0x1f0, 0x1f1, 0x200, 0x210, 0x26b, 0x400, 0x1100, whole.length - 5]) {
    const files = { cut: whole.subarray(0, length), whole };
    for (const argv of [["cut", "whole"], ["whole", "cut"], ["--json", "cut", "whole"]]) {
      const { code, err } = await run(files, argv);
      assert.ok(code === 1 || code === 3, `length ${length}: ${code} ${err}`);
      assert.doesNotMatch(err, /internal error/);
    }
  }
});

Deno.test("unified kernel images go by section, texts by what they say", async (t) => {
  const make = (cmdline: string, more: Record<string, string>) =>
    uki({ linux: newImage(), osrel: "NAME=Made\n", cmdline, ...more });
  const files = {
    a: make("quiet", { initrd: "old initrd", uname: "6.12.0" }),
    b: make("quiet console=ttyS0", { initrd: "new initrd", sbat: "sbat,1,SBAT,sbat,1,x\n" }),
  };
  const { code, out } = await run(files, ["--section", "uki,sbat", "a", "b"]);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
});

Deno.test("two zero pages: header by protocol, memory by range, what the kernel will clear", async (t) => {
  const other = pageOf({
    hdr: { header: 0x53726448, version: 0x20f, type_of_loader: 0x72, cmd_line_ptr: 0x8f000 },
    sentinel: 0xff,
    acpi_rsdp_addr: 0xf0000n,
    e820_entries: 2,
    e820_table: [
      { addr: 0n, size: 0x9f000n, type: 1 },
      { addr: 0x100000n, size: 0xbff00000n, type: 2 },
    ],
  });
  const { code, out } = await run({ pvh: pvhPage(), grub: other }, ["pvh", "grub"]);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
});

Deno.test("one image and two loaders: what each sets, and who", async (t) => {
  const argv = ["--zero-page", "--loader", "zeropage,grub", "--memory", "64M", "image"];
  const { code, out } = await run({ image: newImage() }, argv);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
});

Deno.test("a page in a file compares with the one a loader would build", async () => {
  const { code, out } = await run(
    { page: pvhPage(), image: newImage() },
    ["--zero-page", "--loader", "kexec", "page", "image"],
  );
  assert.equal(code, 1);
  assert.match(out, /^\+\+\+ image {2}\(zero page as kexec/m);
  const same = await run({ image: newImage() }, [
    "--zero-page",
    "--loader",
    "qemu",
    "image",
    "image",
  ]);
  assert.equal(same.code, 0);
});

Deno.test("a boot that cannot be put together names file and loader, code 3", async () => {
  const argv = ["--zero-page", "--loader", "qemu,grub", "--memory", "1M", "image"];
  const { code, err } = await run({ image: newImage() }, argv);
  assert.equal(code, 3);
  assert.match(err, /^bootdiff: image: qemu: /);
});

Deno.test("--layout of two releases is a table with release and how it is known", async (t) => {
  const { code, out } = await run({}, ["--layout", "2.6.24", "6.12"]);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
  const fitted = await run({}, ["--layout", "3.7", "3.8"], { isTerminal: true, columns: 80 });
  await t.assertSnapshot(fitted.out);
  assert.equal((await run({}, ["--layout", "6.1", "6.1"])).out, "6.1: the same layout\n");
});

Deno.test("--layout reads the types of an image, and --section names a struct", async (t) => {
  const withTypes = (members: readonly (string | number)[]) => {
    const btf = buildBtf([
      { kind: "INT", name: "u32", word: 4, tail: [32] },
      { kind: "STRUCT", name: "made", word: 16, tail: members },
    ]);
    return elf({ sections: [{ name: ".BTF", data: btf }] });
  };
  const files = {
    a: withTypes(["first", 1, 0, "_pad", 1, 32, "last", 1, 64]),
    b: withTypes(["first", 1, 0, "flags", 1, 32, "last", 1, 96]),
  };
  const argv = ["--layout", "--section", "made", "a", "b"];
  const { code, out } = await run(files, argv);
  assert.equal(code, 1);
  await t.assertSnapshot(out.replace(/ {2,}/g, "  "));
  const none = await run({ a: elf() }, ["--layout", "a", "6.1"]);
  assert.equal(none.code, 3);
  assert.match(none.err, /^bootdiff: a: carries no types \(BTF\)/);
});

Deno.test("configurations: in files, in compressed files, in images", async (t) => {
  const files = {
    "a.config": oldConfig,
    "b.config": newConfig,
    "b.gz": gzipSync(latin1(newConfig), { mtime: 0 }),
    image: newImage(),
  };
  const { code, out } = await run(files, ["a.config", "b.config"]);
  assert.equal(code, 1);
  await t.assertSnapshot(out);
  for (const other of ["b.gz", "image"]) {
    const { out: again } = await run(files, ["--config", "a.config", other]);
    assert.equal(again.replace(/^\+\+\+.*/m, ""), out.replace(/^\+\+\+.*/m, ""));
    assert.equal((await run(files, ["--config", "b.config", other])).code, 0);
  }
});

Deno.test("what cannot be compared is refused, each by what it is, code 3", async (t) => {
  const files = {
    image: newImage(),
    page: pvhPage(),
    config: newConfig,
    words: "some words\n",
    noise: Uint8Array.of(1, 2, 3, 0xfe),
    bare: elf(),
    empty: "",
  };
  const refusals: string[] = [];
  for (
    const argv of [
      ["image", "page"],
      ["config", "image"],
      ["words", "config"],
      ["noise", "image"],
      ["empty", "image"],
      ["--config", "bare", "config"],
      ["--zero-page", "config", "image"],
      ["image", "nothing"],
    ]
  ) {
    const { code, out, err } = await run(files, argv);
    assert.deepEqual({ code, out }, { code: 3, out: "" }, argv.join(" "));
    refusals.push(`$ bootdiff ${argv.join(" ")}\n${err}`);
  }
  await t.assertSnapshot(refusals.join(""));
});

Deno.test("wrong use is told before a file is opened, code 2", async (t) => {
  const refusals: string[] = [];
  for (
    const argv of [
      ["--layout", "--config", "a", "b"],
      ["--section", "platform", "a", "b"],
      ["--layout", "6.1", "99.1"],
      ["--layout", "--section", "none", "6.1", "6.2"],
    ]
  ) {
    const { code, err } = await run({}, argv);
    assert.equal(code, 2, argv.join(" "));
    refusals.push(`$ bootdiff ${argv.join(" ")}\n${err}`);
  }
  await t.assertSnapshot(refusals.join(""));
});

Deno.test("text out of a file cannot move the reader's cursor", async () => {
  const evil = (text: string) => newImage({ version: `6.12.0 (me@here) ${text}` });
  const { out } = await run({ a: evil("#1"), b: evil("#2\x1b[2J") }, ["a", "b"]);
  assert.match(out, /#2\\x1b\[2J/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(out, /\x1b/);
});
