import assert from "node:assert/strict";
import { type StyleName, styles } from "./style.ts";
import { plain } from "./text.ts";

Deno.test("styles() without colour leave every text as it is", () => {
  for (const paint of Object.values(styles(false))) assert.equal(paint("text"), "text");
});

Deno.test("styles() with colour change nothing but the colour", () => {
  const paint = styles(true);
  for (const name of Object.keys(paint) as StyleName[]) {
    assert.equal(plain(paint[name]("text")), "text");
    assert.equal(paint[name](""), "");
  }
  assert.equal(paint.bad("error"), "\x1b[31merror\x1b[39m");
  assert.equal(paint.title("Views"), "\x1b[1mViews\x1b[22m");
});
