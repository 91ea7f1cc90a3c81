import assert from "node:assert/strict";
import fc from "fast-check";
import { elf, type ElfRecipe, joined, relocationTable, u32 } from "../testdata/elf_builder.ts";
import { decodeElf, fileEnd } from "./elf.ts";
import { decodeRelocations, relocationAddresses, type Relocations } from "./relocations.ts";

const amd64: ElfRecipe = {
  segments: [{ vaddr: 0xffffffff81000000n, paddr: 0x1000000, memsz: 0x1000 }],
};
const i386: ElfRecipe = {
  class: 32,
  segments: [{ vaddr: 0xc1000000, paddr: 0x1000000, memsz: 0x1000 }],
};

const read = (kernel: ElfRecipe, table: Uint8Array): Relocations => {
  const bytes = elf({ ...kernel, trailing: table });
  const decoded = decodeElf(bytes);
  return decodeRelocations(bytes.subarray(fileEnd(decoded)), decoded);
};
const kindsAndCounts = ({ lists }: Relocations) => lists.map(({ kind, count }) => [kind, count]);
const messages = ({ complaints }: Relocations) => complaints.map((c) => c.message);

Deno.test("amd64 kernels up to 6.12 have three lists, the per-CPU one in the middle", () => {
  const table = relocationTable([0x81000010, 0x81000020], [0x81000030], [0x81000001, 0x81000ffc]);
  const relocations = read(amd64, table);
  assert.deepEqual(relocations.complaints, []);
  assert.deepEqual(
    relocations.lists.map(({ words: _, ...list }) => list),
    [
      {
        kind: "64-bit",
        class: 64,
        count: 2,
        offset: 4,
        first: 0xffffffff81000010n,
        last: 0xffffffff81000020n,
      },
      {
        kind: "inverse 32-bit",
        class: 64,
        count: 1,
        offset: 16,
        first: 0xffffffff81000030n,
        last: 0xffffffff81000030n,
      },
      {
        kind: "32-bit",
        class: 64,
        count: 2,
        offset: 24,
        first: 0xffffffff81000001n,
        last: 0xffffffff81000ffcn,
      },
    ],
  );
});

Deno.test("amd64 kernels since then have two lists, i386 kernels one", () => {
  const two = read(amd64, relocationTable([0x81000010], [0x81000001, 0x81000002]));
  assert.deepEqual([kindsAndCounts(two), messages(two)], [[["64-bit", 1], ["32-bit", 2]], []]);
  const one = read(i386, relocationTable([0xc1000002, 0xc1000ffc]));
  assert.deepEqual([kindsAndCounts(one), messages(one)], [[["32-bit", 2]], []]);
  assert.deepEqual([...one.lists.flatMap((list) => [...relocationAddresses(list)])], [
    0xc1000002n,
    0xc1000ffcn,
  ]);
});

Deno.test("a list may be empty, but a zero before all three is padding", () => {
  const none = read(amd64, relocationTable([0x81000010], [], [0x81000001]));
  assert.deepEqual([kindsAndCounts(none), messages(none)], [
    [["64-bit", 1], ["inverse 32-bit", 0], ["32-bit", 1]],
    [],
  ]);
  assert.equal(none.lists[1]?.first, undefined);
  const padded = read(amd64, joined([u32(0), relocationTable([0x81000010], [0x81000001])]));
  assert.deepEqual([kindsAndCounts(padded), messages(padded)], [
    [["64-bit", 1], ["32-bit", 1]],
    [],
  ]);
});

Deno.test("an ELF with nothing behind it has no relocations and no complaint", () => {
  assert.deepEqual(read(amd64, new Uint8Array()), { lists: [], complaints: [] });
});

const wrong: readonly (readonly [string, ElfRecipe, Uint8Array, readonly RegExp[]])[] = [
  [
    "an address outside the kernel",
    i386,
    relocationTable([0xc0fffffe, 0xc1000ffd, 0xc1000ffe]),
    [/^32-bit: 3 of 3 addresses lie outside the kernel, the first 0xc0fffffe$/],
  ],
  [
    "a place that ends outside the kernel",
    amd64,
    relocationTable([0x81000ff8, 0x81000ff9], [0x81000ffc]),
    [/^64-bit: 1 of 2 addresses lie outside the kernel, the first 0x81000ff9$/],
  ],
  [
    "addresses out of order, or twice",
    i386,
    relocationTable([0xc1000004, 0xc1000002, 0xc1000002]),
    [/^32-bit: 2 of 3 addresses are not above the one before, the first 0xc1000002$/],
  ],
  ["a list too few", amd64, relocationTable([0x81000010]), [/^needs 2 or 3 lists, found 1$/]],
  ["no list", i386, u32(0xc1000002), [/^4 bytes without a zero word before a list$/]],
  [
    "an odd tail",
    i386,
    joined([Uint8Array.of(9), relocationTable([0xc1000002])]),
    [/^needs whole words of 4 bytes, found 9 bytes$/],
  ],
  [
    "something between ELF and table",
    i386,
    joined([u32(7, 7), relocationTable([0xc1000002])]),
    [/^8 bytes before the first list$/],
  ],
];

for (const [name, kernel, table, expected] of wrong) {
  Deno.test(`decodeRelocations() complains of ${name}`, () => {
    const found = messages(read(kernel, table));
    assert.equal(found.length, expected.length, found.join("\n"));
    expected.forEach((pattern, i) => assert.match(found[i] ?? "", pattern));
  });
}

Deno.test("what is read back is what was written, aligned or not", () => {
  const places = (size: number) =>
    fc.uniqueArray(fc.integer({ min: 0x81000000, max: 0x81001000 - size }), { minLength: 1 })
      .map((all) => all.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(places(8), places(4), places(4), fc.nat(3), (wide, inverse, narrow, shift) => {
      const table = relocationTable(wide, inverse, narrow);
      const shifted = joined([new Uint8Array(shift), table]).subarray(shift);
      const { lists, complaints } = decodeRelocations(shifted, decodeElf(elf(amd64)));
      assert.deepEqual(complaints, []);
      const upper = 0xffffffff00000000n;
      assert.deepEqual(
        lists.map((list) => [...relocationAddresses(list)].map((a) => Number(a - upper))),
        [wide, inverse, narrow],
      );
    }),
    { seed: 1994, numRuns: 200 },
  );
});

Deno.test("any bytes behind an ELF give lists or complaints, and no copy of the table", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const kernel of [amd64, i386, {}]) {
        const { lists, complaints } = read(kernel, bytes);
        assert.ok(lists.length <= 3 && complaints.length <= 16);
      }
    }),
    { seed: 1995, numRuns: 300 },
  );
  const table = relocationTable([0xc1000002]);
  const [list] = decodeRelocations(table, decodeElf(elf(i386))).lists;
  assert.equal(list?.words.buffer, table.buffer);
});
