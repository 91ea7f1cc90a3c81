import assert from "node:assert/strict";
import { openBtf } from "../../formats/btf/mod.ts";
import { layoutOf } from "../../formats/history.ts";
import { buildBtf } from "../../testdata/btf_builder.ts";
import { type ComparedLayout, diffLayouts, NoStructError } from "./layout.ts";

/** Members by name: byte offset and size of 1, 2, 4 or 8. */
type Members = Readonly<Record<string, readonly [at: number, size: 1 | 2 | 4 | 8]>>;

/** Types with one struct; ids 1 to 4 are its integers. */
function types(name: string, size: number, members: Members): ComparedLayout {
  const ints = [1, 2, 4, 8];
  const btf = openBtf(buildBtf([
    ...ints.map((bytes) => ({
      kind: "INT" as const,
      name: `u${8 * bytes}`,
      word: bytes,
      tail: [8 * bytes],
    })),
    {
      kind: "STRUCT",
      name,
      word: size,
      tail: Object.entries(members).flatMap(([member, [at, bytes]]) => [
        member,
        ints.indexOf(bytes) + 1,
        8 * at,
      ]),
    },
  ]));
  return { kind: "types", btf };
}

const release = (text: string): ComparedLayout => ({ kind: "release", layout: layoutOf(text) });

const told = (a: ComparedLayout, b: ComparedLayout, options = {}) =>
  diffLayouts(a, b, options).map(({ kind, meaning }) => `${kind}: ${meaning}`);

Deno.test("a layout compared with itself has no difference, and all of it is the same", () => {
  for (const one of [release("6.1"), types("boot_params", 8, { a: [0, 4], b: [4, 4] })]) {
    assert.deepEqual(diffLayouts(one, one), []);
    const all = diffLayouts(one, one, { all: true });
    assert.ok(all.length >= 2);
    assert.ok(all.every(({ kind }) => kind === "same"));
  }
});

Deno.test("padding and holes become fields, and fields padding and holes", () => {
  const a = types("s", 24, { a: [0, 4], _pad1: [4, 4], b: [8, 1], c: [12, 4], d: [16, 8] });
  const b = types("s", 24, {
    a: [0, 4],
    was_pad: [4, 4],
    b: [8, 1],
    was_hole: [9, 1],
    _pad2: [12, 4],
  });
  assert.deepEqual(told(a, b, { structs: ["s"] }), [
    "padding became a field: was_pad at 0x004 was padding (_pad1)",
    "field became padding: c at 0x00c is padding (_pad2) now",
    "field became padding: d at 0x010 is padding (a hole) now",
    "padding became a field: was_hole at 0x009 was padding (a hole)",
  ]);
});

Deno.test("a field of another name at the same place was renamed, elsewhere it moved", () => {
  const a = types("s", 16, { old: [0, 4], b: [4, 4], c: [8, 4] });
  const b = types("s", 16, { new: [0, 4], b: [4, 4], c: [12, 4] });
  assert.deepEqual(told(a, b, { structs: ["s"] }), [
    "renamed: old at 0x000 is now new",
    "moved: c: 0x008, 4 bytes, u32 → 0x00c, 4 bytes, u32; moved by +0x4",
  ]);
});

Deno.test("fields that moved together are told as one", () => {
  const members = (shift: number): Members =>
    Object.fromEntries([..."abcdef"].map((name, i) => [name, [shift + 4 * i, 4]]));
  const changes = diffLayouts(
    types("s", 24, members(0)),
    types("s", 32, { first: [0, 8], ...members(8) }),
    { structs: ["s"] },
  );
  assert.deepEqual(changes.map(({ path, kind, note }) => [path, kind, note]), [
    ["struct s", "resized", "+8 bytes (+33.3 %)"],
    ["first", "added", undefined],
    ["a … f", "moved", "6 fields moved by +0x8"],
  ]);
});

Deno.test("a structure that one side lacks was added or removed, one that neither has is an error", () => {
  const [a, b] = [types("s", 4, { a: [0, 4] }), types("t", 4, { a: [0, 4] })];
  assert.deepEqual(told(a, b, { structs: ["t"] }), ["added: struct t: added, 4 bytes, 1 fields"]);
  assert.throws(() => diffLayouts(a, b, { structs: ["u"] }), NoStructError);
  assert.throws(
    () => diffLayouts(release("6.1"), release("6.2"), { structs: ["u"] }),
    NoStructError,
  );
});

Deno.test("two releases differ as their history tells, with release and how it is known", () => {
  const changes = diffLayouts(release("5.4"), release("5.5"));
  assert.deepEqual(changes.map(({ section, path, since }) => [section, path, since]), [
    ["protocol", "protocol", "5.5"],
    ["layout", "boot_params.hdr", "2.6.23"],
    ["layout", "setup_header.kernel_info_offset", "5.5"],
    ["layout", "setup_indirect", "5.5"],
    ["layout", "kernel_info", "5.5"],
    ["layout", "jailhouse_setup_data.v2.flags", "5.5"],
    ["names", "setup_data_type.SETUP_INDIRECT", "5.5"],
    ["names", "e820_type.SOFT_RESERVED", "5.5"],
  ]);
  const field = changes.find(({ path }) => path.endsWith("kernel_info_offset"));
  assert.equal(field?.kind, "padding became a field");
  assert.equal(field?.sinceBasis, "documentation");
  assert.equal(field?.wasShown, "padding (_pad7)");
  assert.equal(field?.isShown, "0x268, 4 bytes");
});

Deno.test("a release and a kernel's types meet at the paths of the page", () => {
  const page = types("boot_params", 4096, { alt_mem_k: [0x1e0, 4], kbd_status: [0x1eb, 1] });
  const changes = diffLayouts(release("2.6.24"), page);
  const one = changes.find(({ path }) => path === "kbd_status");
  assert.equal(one?.kind, "padding became a field");
  assert.equal(one?.wasShown, "padding (_pad6)");
  assert.equal(one?.since, "3.4");
  assert.ok(!changes.some(({ path }) => path === "alt_mem_k"));
});

Deno.test("structures of very many members are compared in one pass", () => {
  const many = (name: string, shift: number): Members =>
    Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`${name}${i}`, [shift + 8 * i, 4]]),
    );
  const start = performance.now();
  const changes = diffLayouts(
    types("s", 160_008, many("a", 0)),
    types("s", 160_008, many("b", 4)),
    { structs: ["s"] },
  );
  assert.equal(changes.length, 40_000);
  assert.ok(changes.every(({ kind }) => /padding/.test(kind)));
  assert.ok(performance.now() - start < 5000);
});
