import assert from "node:assert/strict";
import fc from "fast-check";
import { cut, pad, plain, printable, visibleWidth, wrap } from "./text.ts";

const red = (text: string) => `\x1b[31m${text}\x1b[39m`;

/** Words and style in any mixture. */
const styled = fc.array(
  fc.oneof(
    fc.constantFrom("\x1b[31m", "\x1b[39m", "\x1b[1m", "\x1b[0m", " ", "核", "é", "e\u0301"),
    fc.string({ maxLength: 12 }).map((text) => printable(text).replace(/[\t\n]/g, " ")),
  ),
  { maxLength: 20 },
).map((parts) => parts.join(""));

Deno.test("visibleWidth() counts cells, not bytes, characters or style", () => {
  assert.equal(visibleWidth("bzImage"), 7);
  assert.equal(visibleWidth(red("bzImage")), 7);
  assert.equal(visibleWidth("é"), 1);
  assert.equal(visibleWidth("e\u0301"), 1);
  assert.equal(visibleWidth("核心"), 4);
  assert.equal(visibleWidth("🐧"), 2);
  assert.equal(visibleWidth("2.12 → 2.15"), 11);
  assert.equal(visibleWidth(""), 0);
});

Deno.test("pad() fills up on either side and never cuts", () => {
  assert.equal(pad("ab", 4), "ab  ");
  assert.equal(pad("ab", 4, "right"), "  ab");
  assert.equal(pad("abcde", 4), "abcde");
  assert.equal(pad(red("ab"), 4), `${red("ab")}  `);
});

Deno.test("cut() ends in an ellipsis only where something is lost", () => {
  assert.equal(cut("vmlinuz", 7), "vmlinuz");
  assert.equal(cut("vmlinuz", 6), "vmlin…");
  assert.equal(cut("vmlinuz", 1), "…");
  assert.equal(cut("vmlinuz", 0), "");
  assert.equal(cut("核心核心", 4), "核…");
  assert.equal(cut(red("vmlinuz"), 4), "\x1b[31mvml…\x1b[0m");
});

Deno.test("cut() and wrap() keep within the width", () => {
  fc.assert(
    fc.property(styled, fc.integer({ min: 2, max: 30 }), (text, width) => {
      assert.ok(visibleWidth(cut(text, width)) <= width);
      for (const line of wrap(text, width)) assert.ok(visibleWidth(line) <= width, line);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

Deno.test("wrap() loses nothing but spaces", () => {
  const letters = (text: string) => plain(text).replaceAll(" ", "");
  fc.assert(
    fc.property(styled, fc.integer({ min: 2, max: 30 }), (text, width) => {
      assert.equal(letters(wrap(text, width).join("")), letters(text));
    }),
    { seed: 2, numRuns: 2000 },
  );
});

Deno.test("wrap() breaks at spaces, and within a word only where it must", () => {
  assert.deepEqual(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
  assert.deepEqual(wrap("the quick brown fox", 9), ["the quick", "brown fox"]);
  assert.deepEqual(wrap("CONFIG_A_VERY_LONG_NAME=y", 10), ["CONFIG_A_V", "ERY_LONG_N", "AME=y"]);
  assert.deepEqual(wrap("two\nlines", 20), ["two", "lines"]);
  assert.deepEqual(wrap("", 20), [""]);
});

Deno.test("wrap() carries style over a break", () => {
  assert.deepEqual(wrap("\x1b[31mred red\x1b[39m", 3), [
    "\x1b[31mred\x1b[0m",
    "\x1b[31mred\x1b[39m",
  ]);
});

Deno.test("printable() leaves nothing that could move a cursor or hide a name", () => {
  assert.equal(printable("6.1\x1b[2J\x07"), "6.1\\x1b[2J\\x07");
  assert.equal(printable("a\rb\x9bc\u202ed"), "a\\x0db\\x9bc\\u202ed");
  assert.equal(printable("tab\tline\n核"), "tab\tline\n核");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(printable(text), /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    }),
    { seed: 3, numRuns: 200 },
  );
});
