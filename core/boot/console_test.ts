import assert from "node:assert/strict";
import { GuestConsole } from "./console.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A console that was told all this, one byte at a time. */
function told(text: string, until?: RegExp): GuestConsole {
  const console = new GuestConsole();
  console.waitFor(until);
  for (const byte of bytes(text)) console.take(Uint8Array.of(byte));
  return console;
}

Deno.test("the last lines are kept, the unfinished one too, without carriage returns", () => {
  const console = told("one\r\ntwo\r\nthr");
  assert.deepEqual(console.tail(), ["one", "two", "thr"]);
  assert.deepEqual(console.tail(1), ["thr"]);
  assert.equal(console.bytes, 13);
  const long = told(Array.from({ length: 500 }, (_, i) => `${i}\n`).join(""));
  assert.equal(long.tail().length, 200);
  assert.equal(long.tail().at(-1), "499");
});

Deno.test("a text is found over any division into pieces, and over lines", () => {
  assert.equal(told("x login: ", /login: $/).match, "login: ");
  assert.equal(told("a\r\nb\r\n", /a\nb/).match, "a\nb");
  assert.equal(told("größer\n", /größer/).match, "größer");
  assert.equal(told("nothing", /something/).match, undefined);
});

Deno.test("the event comes once, with the byte that completes the text", () => {
  const console = new GuestConsole();
  let events = 0;
  console.waitFor(/abc/g);
  console.onEvent = () => events++;
  console.take(bytes("ab"));
  assert.equal(events, 0);
  console.take(bytes("c abc"));
  assert.equal(events, 1);
  assert.equal(console.match, "abc");
});

Deno.test("waiting anew does not find what came before", () => {
  const console = told("# ", /# $/);
  assert.equal(console.match, "# ");
  console.waitFor(/# $/);
  assert.equal(console.match, undefined);
  console.take(bytes("ls\r\n# "));
  assert.equal(console.match, "# ");
});

Deno.test("what came behind a text is there for the next one to be found in", () => {
  const console = new GuestConsole();
  console.waitFor(/login: /);
  console.take(bytes("login: root\r\nPass"));
  console.take(bytes("word: "));
  assert.equal(console.match, "login: ");
  console.waitFor(/Password: /);
  assert.equal(console.match, "Password: ");
  console.waitFor(/login: /);
  assert.equal(console.match, undefined);
});

Deno.test("a panic is told by its first line and is over with its last", () => {
  const first = "[    1.0] Kernel panic - not syncing: No working init found.\r\n";
  const console = told(first);
  assert.equal(console.panic, "No working init found.");
  assert.equal(console.isPanicOver, false);
  console.take(bytes("[    1.0] ---[ end Kernel panic - not syncing: No working init found. ]---"));
  assert.equal(console.isPanicOver, true);
  assert.equal(console.panic, "No working init found.");
});

Deno.test("a line without an end takes no more memory than a long one", () => {
  const console = new GuestConsole();
  for (let i = 0; i < 100; i++) console.take(new Uint8Array(10_000).fill(0x61));
  assert.equal(console.tail().length, 1);
  assert.ok((console.tail()[0] ?? "").length <= 4096);
});
