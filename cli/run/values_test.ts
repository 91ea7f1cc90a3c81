import assert from "node:assert/strict";
import { UsageError } from "../ui/errors.ts";
import { parseCount, parsePattern, parseSeed, parseTime } from "./values.ts";

Deno.test("instructions are counted by thousands", () => {
  assert.deepEqual(
    ["200M", "1.5G", "1_000_000", "1e9", "12k", "7"].map(parseCount),
    [200e6, 1.5e9, 1e6, 1e9, 12e3, 7],
  );
  for (const text of ["", "0", "x", "-1", "1T", "1e99", "M"]) {
    assert.throws(() => parseCount(text), UsageError, text);
  }
});

Deno.test("a time without a unit is in seconds", () => {
  assert.deepEqual(["10s", "1.5", "500ms", "20us", "3ns"].map(parseTime), [
    10e9,
    1.5e9,
    5e8,
    2e4,
    3,
  ]);
  for (const text of ["", "0", "s", "1h", "-1s", "1e9"]) {
    assert.throws(() => parseTime(text), UsageError, text);
  }
});

Deno.test("a pattern sees lines, and a wrong one is wrong use", () => {
  assert.match("a\nlogin:\nb", parsePattern("^login:$"));
  assert.throws(() => parsePattern("("), UsageError);
});

Deno.test("a seed is a number of 32 bits", () => {
  assert.deepEqual(["0", "0x10", "4294967295"].map(parseSeed), [0, 16, 4294967295]);
  for (const text of ["", "x", "-1", "4294967296", "1.5"]) {
    assert.throws(() => parseSeed(text), UsageError, text);
  }
});
