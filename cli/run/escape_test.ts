import assert from "node:assert/strict";
import { Escape } from "./escape.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What comes of typing, in one piece and key by key. */
function typed(keys: string): readonly [string, readonly string[]] {
  const whole = new Escape().take(bytes(keys));
  const escape = new Escape();
  const parts = [...bytes(keys)].map((byte) => escape.take(Uint8Array.of(byte)));
  assert.equal(parts.map(({ bytes }) => text(bytes)).join("").startsWith(text(whole.bytes)), true);
  return [text(whole.bytes), whole.commands];
}

Deno.test("what is typed is the guest's, control-C too", () => {
  assert.deepEqual(typed("ls\r\x03"), ["ls\r\x03", []]);
});

Deno.test("^A x leaves, and nothing behind it is the guest's", () => {
  assert.deepEqual(typed("ab\x01xcd"), ["ab", ["leave"]]);
  assert.deepEqual(typed("\x01X"), ["", ["leave"]]);
});

Deno.test("^A ^A is the guest's ^A; ^A and any other key is help", () => {
  assert.deepEqual(typed("a\x01\x01b"), ["a\x01b", []]);
  assert.deepEqual(typed("\x01h\x01?z"), ["z", ["help", "help"]]);
});

Deno.test("the escape is remembered from piece to piece", () => {
  const escape = new Escape();
  assert.deepEqual(escape.take(bytes("\x01")), { bytes: new Uint8Array(), commands: [] });
  assert.deepEqual(escape.take(bytes("x")).commands, ["leave"]);
});
