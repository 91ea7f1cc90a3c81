import assert from "node:assert/strict";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { peImage, uki } from "../testdata/pe_builder.ts";
import { decodePe } from "./pe.ts";
import { decodeOsRelease, decodeUki } from "./uki.ts";

const testdata = (name: string) =>
  Deno.readFileSync(new URL(`../testdata/pe/${name}`, import.meta.url));
const read = (bytes: Uint8Array) => {
  const pe = decodePe(bytes);
  assert.ok(pe !== undefined);
  return decodeUki(bytes, pe);
};
const digest = async (bytes: Uint8Array<ArrayBuffer>) =>
  [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))]
    .map((b) => b.toString(16).padStart(2, "0")).join("");

// ukify inspect uki.efi (systemd 257): name, size, start of the SHA-256; it does
// not list .sdmagic.
const inspected = [
  [".osrel", 117, "69af53f1e5912a89"],
  [".cmdline", 16, "ad6856690aad26d1"],
  [".uname", 10, "7a5a8cffed3c386b"],
  [".linux", 1024, "02a8a45355e091d5"],
  [".initrd", 16, "7a1919f82973f419"],
  [".sbat", 131, "fa292b3b9872b115"],
  [".profile", 18, "375ec8530ebbd76c"],
  [".profile", 27, "cc4a27449ed85649"],
  [".cmdline", 6, "824ef7874151e9c8"],
];

Deno.test("sections are those that ukify inspect tells, by size and content", async () => {
  const bytes = testdata("uki.efi");
  const found = read(bytes)?.sections.filter((s) => s.name !== ".sdmagic") ?? [];
  assert.deepEqual(
    await Promise.all(found.map(async ({ name, offset, size }) => [
      name,
      size,
      (await digest(bytes.slice(offset, offset + size))).slice(0, 16),
    ])),
    inspected,
  );
});

Deno.test("a UKI of two profiles is told with base, profiles and texts", async (t) => {
  await t.assertSnapshot(read(testdata("uki.efi")));
});

Deno.test("an addon is recognised by its sections and the lack of a kernel", () => {
  const addon = read(testdata("addon.efi"));
  assert.equal(addon?.kind, "addon");
  assert.equal(addon?.base.find((s) => s.name === ".cmdline")?.text, "debug");
  assert.deepEqual(addon?.complaints, []);
});

Deno.test("a kernel, a stub and a boot loader are no UKI", () => {
  assert.equal(read(bzImage({ pe: "new" })), undefined);
  assert.equal(read(uki({ sdmagic: "#### LoaderInfo: x 1 ####", sbat: "sbat,1" })), undefined);
  assert.equal(read(uki({ osrel: "ID=x" })), undefined);
});

Deno.test("sizes are what the stub takes: the smaller of memory and file", () => {
  const image = peImage({
    sections: [
      { name: ".linux", bytes: bzImage({ pe: "new" }), virtualSize: 0x100000 },
      { name: ".cmdline", bytes: "quiet\0\0\0" },
      { name: ".osrel", bytes: "ID=x\n" },
    ],
  });
  const found = read(image)?.sections ?? [];
  const [linux, cmdline] = found;
  assert.deepEqual([linux?.size, linux?.virtualSize], [linux?.rawSize, 0x100000]);
  assert.deepEqual([cmdline?.size, cmdline?.rawSize, cmdline?.text], [8, 512, "quiet"]);
});

Deno.test("faults are complained of: no PE as kernel, no os-release, a section twice", () => {
  const rules = (...sections: [string, string][]) =>
    read(uki(sections))?.complaints.map((c) => c.rule);
  assert.deepEqual(rules(["linux", "MZ"], ["osrel", ""]), []);
  assert.deepEqual(rules(["linux", "ELF"], ["osrel", ""]), ["uki.linux-not-pe"]);
  assert.deepEqual(rules(["linux", "MZ"]), ["uki.no-osrel"]);
  assert.deepEqual(
    rules(["linux", "MZ"], ["osrel", ""], ["cmdline", "a"], ["cmdline", "b"]),
    ["uki.section-twice"],
  );
  assert.deepEqual(
    rules(["linux", "MZ"], ["osrel", ""], ["cmdline", "a"], ["profile", "ID=b"], ["cmdline", "b"]),
    [],
  );
  assert.deepEqual(
    rules(["linux", "MZ"], ["osrel", ""], ["dtbauto", "a"], ["dtbauto", "b"]),
    [],
  );
});

Deno.test("decodeOsRelease() reads assignments as a shell does, expanding nothing", () => {
  const text = [
    'NAME="Debian GNU/Linux"',
    "ID=debian",
    "# ID=other",
    "EMPTY=",
    "SINGLE='a \"b\" \\c'",
    'DOUBLE="a \\"b\\" \\$c \\d"',
    "BARE=a\\ b",
    "  INDENTED=x  ",
    "not an assignment",
    "ID=last",
    "__proto__=x",
  ].join("\n");
  const found = decodeOsRelease(text);
  assert.deepEqual(Object.entries(found), [
    ["NAME", "Debian GNU/Linux"],
    ["ID", "last"],
    ["EMPTY", ""],
    ["SINGLE", 'a "b" \\c'],
    ["DOUBLE", 'a "b" $c \\d'],
    ["BARE", "a b"],
    ["INDENTED", "x"],
    ["__proto__", "x"],
  ]);
});

Deno.test("sections over the same bytes make no more text than the file has bytes", () => {
  const image = peImage({
    sizeOfHeaders: 0x4000,
    sections: Array.from({ length: 300 }, (_, i) => ({
      name: ".cmdline",
      ...(i === 0 ? { bytes: "x".repeat(50_000) } : {}),
      raw: [0x4000, 50_000] as const,
      virtualSize: 50_000,
    })),
  });
  const texts = read(image)?.sections.map((s) => s.text?.length ?? 0) ?? [];
  assert.equal(texts.length, 300);
  assert.equal(texts[0], 50_000);
  assert.ok(texts.reduce((sum, n) => sum + n, 0) <= image.length);
});
