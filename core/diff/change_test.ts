import assert from "node:assert/strict";
import type { Row } from "../../formats/layout.ts";
import {
  arrange,
  changeJson,
  compare,
  fieldSide,
  growth,
  keyed,
  pairs,
  side,
  size,
} from "./change.ts";

Deno.test("compare() says by which side has a value what became of it", () => {
  const kinds = (was?: string, is?: string) =>
    compare("kernel", "x", side(was), side(is)).map(({ kind, meaning }) => [kind, meaning]);
  assert.deepEqual(kinds("1", "2"), [["changed", "kernel x: 1 → 2"]]);
  assert.deepEqual(kinds(undefined, "2"), [["added", "kernel x: added, 2"]]);
  assert.deepEqual(kinds("1", undefined), [["removed", "kernel x: removed, was 1"]]);
  assert.deepEqual(kinds("1", "1"), [["same", "kernel x: 1 in both"]]);
  assert.deepEqual(kinds(), []);
});

Deno.test("compare() asks what a difference means only where there is one", () => {
  const never = () => assert.fail("must not be asked");
  assert.equal(compare("kernel", "x", size(5), size(5), never)[0]?.kind, "same");
  const [change] = compare(
    "kernel",
    "x",
    size(4),
    size(5),
    () => ({ kind: "resized", note: "+1" }),
  );
  assert.equal(change?.kind, "resized");
  assert.equal(change?.meaning, "kernel x: 4 bytes → 5 bytes; +1");
});

Deno.test("values are compared by what they are, not by how they are shown", () => {
  const [same] = compare("kernel", "x", side([1n, 2], "one"), side([1, 2], "two"));
  assert.equal(same?.kind, "same");
  const [other] = compare("kernel", "x", side({ a: 1 }, "it"), side({ a: 2 }, "it"));
  assert.equal(other?.kind, "changed");
});

Deno.test("a field is shown with what it means, unless that is the number again", () => {
  const row = (show: (n: number) => string): Row => ({ at: 0, type: "u16", doc: "", show });
  assert.equal(fieldSide(row(() => "two sectors"), 2)?.shown, "0x2 (two sectors)");
  assert.equal(fieldSide(row(() => "0x0002"), 2)?.shown, "0x2");
  assert.equal(
    fieldSide({ at: 0, type: "bytes", size: 4, doc: "" }, new Uint8Array(4))?.shown,
    "4 × 00",
  );
  assert.equal(
    fieldSide({ at: 0, type: "bytes", size: 2, doc: "" }, Uint8Array.of(1, 255))?.shown,
    "01ff",
  );
});

Deno.test("growth() has a sign, groups of digits and a share", () => {
  assert.equal(growth(1000, 2500), "+1,500 bytes (+150 %)");
  assert.equal(growth(2000, 1000), "-1,000 bytes (-50.0 %)");
  assert.equal(growth(1_000_000n, 1_000_001n), "+1 bytes (under 0.1 %)");
  assert.equal(growth(0, 7, "places"), "+7 places");
});

Deno.test("keyed() numbers what has the same key, and pairs() pairs by it", () => {
  const [a, b] = [keyed(["x", "x", "y"], String), keyed(["x", "z"], String)];
  assert.deepEqual([...a.keys()], ["x", "x [2]", "y"]);
  assert.deepEqual([...pairs(a, b)], [
    ["x", "x", "x"],
    ["x [2]", "x", undefined],
    ["y", "y", undefined],
    ["z", undefined, "z"],
  ]);
});

Deno.test("arrange() drops what is the same, keeps the sections asked for, sorts by section", () => {
  const changes = [
    ...compare("config", "CONFIG_A", side("y"), side("m")),
    ...compare("kernel", "size", size(1), size(1)),
    ...compare("release", "release", side("6.1"), side("6.12")),
  ];
  const paths = (wanted = {}) => arrange(changes, wanted).map(({ path }) => path);
  assert.deepEqual(paths(), ["release", "CONFIG_A"]);
  assert.deepEqual(paths({ all: true }), ["release", "size", "CONFIG_A"]);
  assert.deepEqual(paths({ sections: ["config"] }), ["CONFIG_A"]);
});

Deno.test("changeJson() keeps its keys in order and leaves out what is absent", () => {
  const [change] = compare("segments", "PT_LOAD", undefined, side({ at: 1n << 60n }), {
    severity: "warning",
  });
  assert.ok(change);
  assert.equal(
    JSON.stringify(changeJson(change)),
    '{"section":"segments","path":"PT_LOAD","kind":"added","is":{"at":"0x1000000000000000"},' +
      '"meaning":"segment PT_LOAD: added, {\\"at\\":\\"0x1000000000000000\\"}","severity":"warning"}',
  );
});
