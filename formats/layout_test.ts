import assert from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "./errors.ts";
import {
  decode,
  differences,
  encode,
  flaws,
  isPresent,
  meaning,
  type Row,
  sizeOf,
  type Structure,
  walk,
} from "./layout.ts";

const point = {
  name: "point",
  size: 4,
  fields: {
    x: { at: 0, type: "u16", doc: "Across." },
    y: { at: 2, type: "u16", doc: "Down." },
  },
} as const satisfies Structure;

const sample = {
  name: "sample",
  base: 0x10,
  size: 40,
  fields: {
    small: { at: 0x10, type: "u8", doc: "A byte.", bits: { 0: "ON", 7: "LATE" } },
    _pad: { at: 0x11, type: "pad", size: 1, doc: "Unused." },
    kind: { at: 0x12, type: "u16", doc: "A kind.", values: { 1: "one" } },
    wide: { at: 0x14, type: "u64", doc: "Wide.", show: (n: bigint): string => `${n} wide` },
    name: { at: 0x1c, type: "ascii", size: 4, doc: "Up to a NUL." },
    raw: { at: 0x20, type: "bytes", size: 4, doc: "As it is." },
    corners: { at: 0x24, type: "array", of: point, count: 2, doc: "Two points." },
    words: { at: 0x2c, type: "array", of: "u16", count: 2, doc: "Two words." },
    origin: { at: 0x30, type: "struct", of: point, doc: "A point." },
    late: { at: 0x34, type: "u32", since: 3, doc: "From version 3 on." },
  },
} as const satisfies Structure;

const bytes = Uint8Array.from({ length: 50 }, (_, i) => i + 1);

Deno.test("decode() counts offsets from the structure's base, wherever it stands", () => {
  const record = decode(sample, bytes, { at: 2 });
  assert.equal(record.small, 3);
  assert.equal(record.wide, 0x0e0d0c0b0a090807n);
  assert.deepEqual(record.corners, [{ x: 0x1817, y: 0x1a19 }, { x: 0x1c1b, y: 0x1e1d }]);
  assert.deepEqual(record.words, [0x201f, 0x2221]);
  assert.equal(record.late, 0x2a292827);
  assert.deepEqual(Object.keys(record), Object.keys(sample.fields));
});

Deno.test("decode() leaves out what the version has not, or what lies past the end", () => {
  assert.equal("late" in decode(sample, bytes, { version: 2 }), false);
  assert.equal("late" in decode(sample, bytes, { version: 3, end: 0x37 }), false);
  assert.equal("late" in decode(sample, bytes, { version: 3, end: 0x38 }), true);
  assert.equal(isPresent(sample.fields.origin, { end: 0 }), true);
});

Deno.test("decode() of a cut input names structure, field, need and end", () => {
  assert.throws(
    () => decode(sample, bytes.subarray(0, 8)),
    (error: FormatError) =>
      error instanceof FormatError &&
      error.message === "sample.wide at 0x4: needs 8 bytes, the input ends at 0x8" &&
      error.place.offset === 4,
  );
  assert.throws(
    () => decode(sample, bytes.subarray(0, 0x17)),
    /^FormatError: sample\.corners at 0x14: needs 8 bytes, the input ends at 0x17$/,
  );
});

Deno.test("encode() writes what it is given and keeps every other byte", () => {
  const target = new Uint8Array(40).fill(0xee);
  encode(sample, { kind: 0x1234, corners: [{}, { y: 7 }], name: "ab" }, target);
  const expected = new Uint8Array(40).fill(0xee);
  expected.set([0x34, 0x12], 2);
  expected.set([0x61, 0x62, 0, 0], 0x0c);
  expected.set([7, 0], 0x1a);
  assert.deepEqual(target, expected);
});

Deno.test("encode() refuses what does not fit, by its path", () => {
  const target = new Uint8Array(40);
  const cases: readonly (readonly [Parameters<typeof encode<typeof sample>>[1], RegExp])[] = [
    [{ small: 256 }, /sample\.small holds 8 bits, not 0x100/],
    [{ small: -1 }, /sample\.small/],
    [{ wide: 1n << 64n }, /sample\.wide holds 64 bits/],
    [{ name: "abcde" }, /sample\.name holds 4 bytes, not 5/],
    [{ raw: new Uint8Array(5) }, /sample\.raw holds 4 bytes/],
    [{ words: [1, 2, 3] }, /sample\.words holds 2 items/],
    [{ origin: { x: 0x10000 } }, /sample\.origin\.x/],
  ];
  for (const [record, message] of cases) {
    assert.throws(() => encode(sample, record, target), message);
  }
  assert.throws(() => encode(point, { z: 1 } as never, target), /point has no field z/);
});

Deno.test("what is encoded decodes to itself", () => {
  const byte = fc.integer({ min: 0, max: 0xff });
  const word = fc.integer({ min: 0, max: 0xffff });
  const corner = fc.record({ x: word, y: word }, { noNullPrototype: true });
  const records = fc.record({
    small: byte,
    _pad: fc.uint8Array({ minLength: 1, maxLength: 1 }),
    kind: word,
    wide: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    name: fc.constantFrom("", "a", "HdrS"),
    raw: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    corners: fc.tuple(corner, corner),
    words: fc.tuple(word, word),
    origin: corner,
    late: fc.integer({ min: 0, max: 0xffff_ffff }),
  });
  fc.assert(
    fc.property(records, (record) => {
      const target = encode(sample, record, new Uint8Array(45), 3);
      assert.deepEqual({ ...decode(sample, target, { at: 3 }) }, { ...record });
    }),
    { seed: 7, numRuns: 500 },
  );
});

Deno.test("walk() enters structures and arrays of them, and gives absolute offsets", () => {
  assert.deepEqual([...walk(sample)].map(({ path, at }) => `${path} ${at}`), [
    "small 0",
    "_pad 1",
    "kind 2",
    "wide 4",
    "name 12",
    "raw 16",
    "corners[0].x 20",
    "corners[0].y 22",
    "corners[1].x 24",
    "corners[1].y 26",
    "words 28",
    "origin.x 32",
    "origin.y 34",
    "late 36",
  ]);
});

Deno.test("flaws() finds holes, overlaps and rows past the end, and nothing in a sound table", () => {
  assert.deepEqual([...flaws(sample)], []);
  const row = (at: number): Row => ({ at, type: "u16", doc: "" });
  const table = (size: number, ...at: number[]): Structure => ({
    name: "t",
    size,
    fields: Object.fromEntries(at.map((place, i) => [`f${i}`, row(place)])),
  });
  const kinds = (structure: Structure) =>
    [...flaws(structure)].map(({ kind, at }) => `${kind} ${at}`);
  assert.deepEqual(kinds(table(4, 0, 2)), []);
  assert.deepEqual(kinds(table(6, 0, 4)), ["hole 2"]);
  assert.deepEqual(kinds(table(4, 0, 1)), ["overlap 1", "hole 3"]);
  assert.deepEqual(kinds(table(3, 0, 2)), ["beyond the end 3"]);
});

Deno.test("meaning() is the row's own words, a name, the bits, or nothing", () => {
  const { small, kind, wide, origin } = sample.fields;
  assert.equal(meaning(small, 0x81), "ON LATE");
  assert.equal(meaning(small, 0x02), "bit 1");
  assert.equal(meaning(small, 0), "none");
  assert.equal(meaning(kind, 1), "one");
  assert.equal(meaning(kind, 2), "unassigned");
  assert.equal(meaning(wide, 5n), "5 wide");
  assert.equal(meaning(origin.of.fields.x, 1), undefined);
});

Deno.test("differences() names the leaves that differ, absent ones too", () => {
  const a = decode(sample, bytes);
  const changed = bytes.slice();
  changed[0x20] = 0xff;
  changed[0x10] = 0xff;
  const b = decode(sample, changed, { version: 2 });
  assert.deepEqual(
    [...differences(sample, a, b)].map(({ path, was, is }) => [path, was, is]),
    [
      ["raw", a.raw, b.raw],
      ["origin.x", 0x2221, 0x22ff],
      ["late", a.late, undefined],
    ],
  );
});

Deno.test("sizes of rows follow their types", () => {
  assert.deepEqual(Object.values(sample.fields).map(sizeOf), [1, 1, 2, 8, 4, 4, 8, 4, 4, 4]);
});
