import assert from "node:assert/strict";
import fc from "fast-check";
import { elf, type ElfRecipe, joined, latin1, note, u32, u64 } from "../testdata/elf_builder.ts";
import { decodeElf } from "./elf.ts";
import { decodeNotes, findNote, type Note } from "./elf_notes.ts";
import { PT_NOTE, SHT_NOTE } from "./elf_tables.ts";

const notesIn = (recipe: ElfRecipe): Note[] => {
  const bytes = elf(recipe);
  return decodeNotes(bytes, decodeElf(bytes));
};

/** The notes of Debian's 6.1.0-56-amd64 and the reloc note of its 6.12, as words. */
const kernelNotes = [
  note("Xen", 6, "linux"),
  note("Xen", 7, "2.6"),
  note("Xen", 5, "xen-3.0"),
  note("Xen", 3, u64(0xffffffff80000000n)),
  note("Xen", 15, u64(0x8000000000n)),
  note("Xen", 1, u64(0xffffffff830791c0n)),
  note("Xen", 10, latin1("!writable_page_tables|pae_pgdir_above_4gb")),
  note("Xen", 17, u32(0x8801)),
  note("Xen", 9, "yes"),
  note("Xen", 8, "generic"),
  note("Xen", 13, u64(1n, 1n)),
  note("Xen", 14, u32(1)),
  note("Xen", 16, u32(1)),
  note("Xen", 12, u64(0xffff800000000000n)),
  note("Xen", 4, u64(0n)),
  note("GNU", 3, Uint8Array.of(0xeb, 0x4f, 0xbc, 0xd0)),
  note("Linux", 0x101, u32(0)),
  note("Linux", 0x100, "6.1.0-56-amd64"),
  note("Xen", 18, u64(0x1000850n)),
  note("Xen", 19, u32(0x200000, 0x1000000, 0x3fffffff)),
];

Deno.test("notes are named by their owner and told in words", async (t) => {
  const notes = notesIn({ notes: kernelNotes });
  await t.assertSnapshot(
    notes.map((n) => `${n.owner} ${n.type} ${n.name}: ${n.shown}`).join("\n"),
  );
  assert.ok(notes.every((n) => n.complaint === undefined && n.doc !== undefined));
});

Deno.test("a note's value has the type that its meaning asks for", () => {
  const notes = notesIn({ notes: kernelNotes });
  const value = (owner: string, type: number) => findNote(notes, owner, type)?.value;
  assert.equal(value("Xen", 1), 0xffffffff830791c0n);
  assert.equal(value("Xen", 18), 0x1000850);
  assert.equal(value("Xen", 6), "linux");
  assert.equal(value("Linux", 0x101), 0);
  assert.equal(value("GNU", 3), "eb4fbcd0");
  assert.deepEqual(value("Xen", 13), [{ mask: 1n, value: 1n }]);
  assert.deepEqual(value("Xen", 19), { align: 0x200000, min: 0x1000000, max: 0x3fffffff });
  assert.equal(findNote(notes, "GNU", 18), undefined);
});

Deno.test("32-bit kernels have addresses of 4 bytes and pairs of either width", () => {
  const notes = notesIn({
    class: 32,
    notes: [note("Xen", 1, u32(0xc1000000)), note("Xen", 13, u32(1, 1)), note("Xen", 19, u32(8))],
  });
  assert.deepEqual(notes.map((n) => n.value), [
    0xc1000000n,
    [{ mask: 1n, value: 1n }],
    { align: 8, min: 0, max: 0xffffffff },
  ]);
});

Deno.test("a type means nothing without its owner", () => {
  const unknown = notesIn({
    notes: [note("name", 1, u64(0x40000000n)), note("Xen", 99, "x"), note("__proto__", 1, "y")],
  });
  assert.deepEqual(unknown.map((n) => [n.owner, n.name, n.value, n.shown]), [
    ["name", undefined, "0000004000000000", "00 00 00 40 00 00 00 00"],
    ["Xen", undefined, "7800", "78 00"],
    ["__proto__", undefined, "7900", "79 00"],
  ]);
});

/** GNU notes that gcc and as made; readelf 2.40 read them as said. */
const gnuNotes:
  readonly (readonly [type: number, desc: Uint8Array, readelf: string, ours: string])[] = [
    [
      5,
      u32(0xc0000002, 4, 2, 0, 0xc0008002, 4, 3, 0),
      "x86 feature: SHSTK, x86 ISA needed: x86-64-baseline, x86-64-v2",
      "X86_FEATURE_1_AND: SHSTK, X86_ISA_1_NEEDED: x86-64-baseline x86-64-v2",
    ],
    [
      5,
      u32(1, 8, 0x100000, 0, 2, 0, 0xc0008001, 4, 0x83, 0, 0xc0010002, 4, 0xb, 0),
      "stack size: 0x100000, no copy on protected , x86 feature needed: x86, x87, XSAVE, " +
      "x86 ISA used: x86-64-baseline, x86-64-v2, x86-64-v4",
      "STACK_SIZE: 0x100000, NO_COPY_ON_PROTECTED, X86_FEATURE_2_NEEDED: x86 x87 XSAVE, " +
      "X86_ISA_1_USED: x86-64-baseline x86-64-v2 x86-64-v4",
    ],
    [1, u32(0, 3, 2, 0), "OS: Linux, ABI: 3.2.0", "Linux 3.2.0"],
    [4, latin1("gold 1.16\0"), "Version: gold 1.16", '"gold 1.16"'],
  ];

Deno.test("GNU's notes are read as readelf reads them", () => {
  const words = (text: string) =>
    new Set(text.toLowerCase().match(/x86-64-\w+|0x[0-9a-f]+|[a-z0-9.]+/g));
  for (const [type, desc, readelf, ours] of gnuNotes) {
    const [read] = notesIn({ notes: [note("GNU", type, desc, 8)], notesAlign: 8 });
    assert.equal(read?.shown, ours);
    assert.equal(read?.complaint, undefined);
    // Every value readelf names is in ours too; its titles are its own.
    const values = readelf.split(", ").flatMap((part) => [...words(part.replace(/^.*: /, ""))]);
    const missing = values.filter((word) =>
      !words(ours).has(word) && !["no", "copy", "on", "protected"].includes(word)
    );
    assert.deepEqual(missing, []);
  }
});

Deno.test("notes padded to 8 are read, and notes padded to 4 in a segment aligned to 8 as well", () => {
  const parts: readonly (readonly [string, number, string])[] = [
    ["Xen", 6, "GRUB"],
    ["Linux", 0x100, "6.1"],
    ["Xen", 9, "yes"],
    ["Linux", 0x100, "a longer one"],
  ];
  for (const padding of [4, 8]) {
    for (const notesAlign of [0, 1, 4, 8, 16]) {
      const notes = parts.map(([owner, type, text]) => note(owner, type, text, padding));
      const read = notesIn({ notes: notes, notesAlign: Math.max(1, notesAlign) });
      assert.deepEqual(read.map((n) => [n.owner, n.type, n.value]), parts, `${padding}`);
    }
  }
});

Deno.test("notes that a segment and a section share are given once, others follow", () => {
  const own = note("Linux", 0x100, "in a section alone");
  const notes = notesIn({
    notes: [note("Xen", 6, "linux")],
    sections: [{ name: ".note.Linux", type: SHT_NOTE, data: own, align: 4 }],
  });
  assert.deepEqual(notes.map((n) => n.value), ["linux", "in a section alone"]);
});

Deno.test("offset and bytes of a note are those of the input", () => {
  const bytes = elf({ notes: kernelNotes });
  const placed = joined([new Uint8Array(5), bytes]);
  const notes = decodeNotes(placed, decodeElf(placed, { at: 5 }));
  const view = new DataView(placed.buffer);
  for (const n of notes) {
    assert.equal(view.getUint32(n.offset + 8, true), n.type);
    assert.equal(view.getUint32(n.offset + 4, true), n.desc.length);
  }
  assert.equal(notes.length, kernelNotes.length);
});

Deno.test("notes of a big-endian kernel are read in its order", () => {
  const turned = note("Linux", 0x101, Uint8Array.of(0, 0, 0, 1));
  for (const at of [0, 4, 8]) turned.subarray(at, at + 4).reverse();
  const [read] = notesIn({ bigEndian: true, machine: 22, notes: [turned] });
  assert.deepEqual([read?.name, read?.value], ["LINUX_ELFNOTE_LTO_INFO", 1]);
});

const cut: readonly (readonly [name: string, notes: Uint8Array, read: readonly unknown[]])[] = [
  // As GRUB's i386-xen images have it: 12 bytes said, 4 there, and the file's end.
  [
    "a description cut short",
    joined([u32(4, 12, 9), latin1("Xen\0"), latin1("yes\0")]),
    [["yes", "description needs 12 bytes, the notes end 4 bytes after its start"]],
  ],
  [
    "an owner cut short",
    joined([u32(0xfffffff0, 4, 1), latin1("Xe")]),
    [["", "owner needs 4294967280 bytes, the notes end at 0x86"]],
  ],
  [
    "an absurd description",
    joined([u32(4, 0xffffffff, 3), latin1("GNU\0")]),
    [["", "description needs 4294967295 bytes, the notes end 0 bytes after its start"]],
  ],
  ["zeros", new Uint8Array(48), []],
  ["less than a header", new Uint8Array(11).fill(1), []],
  ["a short address", note("Xen", 1, Uint8Array.of(1, 2)), [[0n, "value needs 4 bytes, found 2"]]],
  [
    "a PVH entry beyond 32 bits",
    note("Xen", 18, u64(0x1_0000_1000n)),
    [[0x1000, "needs 32 bits, found 0x1 above"]],
  ],
  [
    "properties cut short",
    note("GNU", 5, u32(0xc0000002, 400)),
    [[[], "8 bytes of properties cannot be read"]],
  ],
];

for (const [name, bytes, read] of cut) {
  Deno.test(`decodeNotes() goes on after ${name}`, () => {
    const found = notesIn({ segments: [{ type: PT_NOTE, data: bytes, align: 4 }] });
    assert.deepEqual(found.map((n) => [n.value, n.complaint]), read);
  });
}

Deno.test("a megabyte of empty notes and 60,000 segments over it stay bounded", () => {
  const empty = note("", 1, new Uint8Array());
  const one = new Uint8Array(1 << 20);
  for (let at = 0; at + empty.length <= one.length; at += empty.length) one.set(empty, at);
  const many = notesIn({ segments: [{ type: PT_NOTE, data: one, align: 4 }] });
  assert.equal(many.length, 4096);
  assert.equal(many.at(-1)?.complaint, "more notes follow");

  const start = performance.now();
  const bytes = elf({
    header: { e_phnum: 60_000, e_phoff: 64 },
    trailing: new Uint8Array(60_000 * 56),
  });
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 60_000; i++) {
    view.setUint32(64 + 56 * i, PT_NOTE, true);
    view.setBigUint64(64 + 56 * i + 8, BigInt(i), true);
    view.setBigUint64(64 + 56 * i + 32, 1n << 30n, true);
  }
  const hostile = decodeNotes(bytes, decodeElf(bytes));
  assert.ok(hostile.length <= 4096);
  assert.ok(performance.now() - start < 5000);
});

Deno.test("a note of a megabyte is a view with its words cut short", () => {
  const [big] = notesIn({ notes: [note("Xen", 6, "x".repeat(1 << 20))] });
  assert.equal(big?.desc.length, (1 << 20) + 1);
  assert.equal((big?.value as string).length, 4096);
});

Deno.test("with any byte of the notes changed decodeNotes() still answers", () => {
  const bytes = elf({ notes: kernelNotes });
  for (let at = 64; at < bytes.length; at++) {
    for (const byte of [0, 1, 0x7f, 0xff]) {
      const input = bytes.with(at, byte);
      assert.ok(decodeNotes(input, decodeElf(input)).length < 100);
    }
  }
});

Deno.test("decodeNotes() finds what was put in, by either padding", () => {
  const plain = fc.record({
    owner: fc.stringMatching(/^[A-Za-z]{1,12}$/),
    type: fc.integer({ min: 0, max: 0xffffffff }),
    desc: fc.uint8Array({ maxLength: 30 }),
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(
      fc.array(plain, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(4, 8),
      fc.constantFrom<32 | 64>(32, 64),
      (wanted, align, size) => {
        const notes = wanted.map((n) => note(n.owner, n.type, n.desc, align));
        const read = notesIn({ class: size, notes, notesAlign: align });
        assert.deepEqual(read.map(({ owner, type, desc }) => ({ owner, type, desc })), wanted);
      },
    ),
    { seed: 2006, numRuns: 300 },
  );
});
