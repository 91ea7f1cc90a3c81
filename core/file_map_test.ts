import assert from "node:assert/strict";
import fc from "fast-check";
import { claimFilling, fileMap, UNCLAIMED } from "./file_map.ts";

Deno.test("a map without claims is one region that nobody accounts for", () => {
  assert.deepEqual(fileMap(10, []), [
    { offset: 0, length: 10, name: UNCLAIMED, depth: 0, unclaimed: true },
  ]);
});

Deno.test("a part within a part splits it, and the rest keeps the outer name", () => {
  const map = fileMap(10, [
    { offset: 2, length: 3, name: "inner", note: "n" },
    { offset: 0, length: 10, name: "outer", note: "m" },
  ]);
  assert.deepEqual(map.map(({ offset, length, name, note }) => [offset, length, name, note]), [
    [0, 2, "outer", "m"],
    [2, 3, "inner", "n"],
    [5, 5, "outer", undefined],
  ]);
});

Deno.test("of two parts that cross, the narrower has the bytes they share", () => {
  const map = fileMap(10, [
    { offset: 0, length: 5, name: "narrow" },
    { offset: 3, length: 7, name: "wide" },
  ]);
  assert.deepEqual(map.map(({ name, length }) => [name, length]), [["narrow", 5], ["wide", 5]]);
});

Deno.test("claims beyond the file are cut, empty ones are dropped", () => {
  const map = fileMap(4, [
    { offset: 2, length: 100, name: "long" },
    { offset: 9, length: 1, name: "out" },
    { offset: 1, length: 0, name: "empty" },
  ]);
  assert.deepEqual(map.map(({ name, length }) => [name, length]), [[UNCLAIMED, 2], ["long", 2]]);
});

Deno.test("whatever is claimed, the map has no blank and no overlap", () => {
  const claim = fc.record({
    offset: fc.integer({ min: 0, max: 60 }),
    length: fc.integer({ min: 0, max: 60 }),
    name: fc.constantFrom("a", "b", "c"),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.array(claim), (size, claims) => {
      const map = fileMap(size, claims);
      let at = 0;
      for (const { offset, length, unclaimed, name } of map) {
        assert.equal(offset, at);
        assert.ok(length > 0);
        at += length;
        const covered = claims.some((c) =>
          c.length > 0 && c.offset <= offset && c.offset + c.length >= offset + length
        );
        assert.equal(unclaimed, !covered);
        for (let byte = offset; byte < offset + length; byte++) {
          const narrowest = claims
            .filter((c) => c.offset <= byte && byte < c.offset + c.length)
            .reduce<number>((least, c) => Math.min(least, c.length), Infinity);
          const named = claims.some((c) =>
            c.name === name && c.length === narrowest && c.offset <= byte &&
            byte < c.offset + c.length
          );
          assert.equal(named, covered);
        }
      }
      assert.equal(at, size);
    }),
    { seed: 5, numRuns: 2000 },
  );
});

Deno.test("only filling is claimed as padding", () => {
  const bytes = Uint8Array.of(0, 0, 1, 0xff, 0xff, 7, 0);
  const regions = fileMap(7, [
    { offset: 2, length: 1, name: "x" },
    { offset: 5, length: 1, name: "y" },
  ]);
  assert.deepEqual(claimFilling(bytes, regions).map(({ offset, note }) => [offset, note]), [
    [0, "zeros"],
    [3, "0xff"],
    [6, "zeros"],
  ]);
  assert.deepEqual(claimFilling(Uint8Array.of(0, 1), fileMap(2, [])), []);
});
