import assert from "node:assert/strict";
import { Ring, ringBuffer } from "./ring.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("what goes in comes out in order, whatever the pieces", () => {
  const buffer = ringBuffer();
  const [writer, reader] = [new Ring(buffer), new Ring(buffer)];
  assert.equal(text(reader.read()), "");
  writer.write(new TextEncoder().encode("abcdef"));
  assert.equal(text(reader.read(2)), "ab");
  writer.write(new TextEncoder().encode("gh"));
  assert.equal(text(reader.read()), "cdefgh");
});

Deno.test("it goes round as often as one likes", () => {
  const buffer = ringBuffer();
  const [writer, reader] = [new Ring(buffer), new Ring(buffer)];
  for (let turn = 0; turn < 10; turn++) {
    const piece = new Uint8Array(50_000).fill(turn);
    writer.write(piece);
    assert.deepEqual(reader.read(), piece);
  }
});

Deno.test("it is over when the writer has ended and all was read", () => {
  const buffer = ringBuffer();
  const [writer, reader] = [new Ring(buffer), new Ring(buffer)];
  writer.write(Uint8Array.of(1));
  writer.end();
  assert.equal(reader.isOver, false);
  reader.read();
  assert.equal(reader.isOver, true);
});

Deno.test("a reader that waits is not kept by what has come already, nor for ever", () => {
  const buffer = ringBuffer();
  const ring = new Ring(buffer);
  const started = performance.now();
  ring.wait(20);
  assert.ok(performance.now() - started >= 15);
  ring.write(Uint8Array.of(1));
  ring.wait(60_000);
});
