import assert from "node:assert/strict";
import { ByteWriter } from "./writer.ts";

Deno.test("unsigned LEB128 holds every number up to 2^53 in as few bytes as it can", () => {
  const values = [0, 1, 2 ** 53 - 1];
  for (let bit = 6; bit < 53; bit++) values.push(2 ** bit - 1, 2 ** bit, 2 ** bit + 1);
  for (const value of values) {
    const out = new ByteWriter(1);
    out.uleb(value);
    const bytes = out.written();
    const read = bytes.reduceRight((sum, byte) => sum * 128n + BigInt(byte & 0x7f), 0n);
    assert.equal(read, BigInt(value));
    assert.equal(bytes.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
    assert.ok(bytes.every((byte, i) => byte >= 0x80 === i < bytes.length - 1));
  }
});

Deno.test("the buffer grows as it must, and what was written stays", () => {
  const out = new ByteWriter(2);
  for (let i = 0; i < 1000; i++) out.byte(i);
  out.raw(new Uint8Array(5000).fill(7));
  out.name("é");
  const bytes = out.written();
  assert.equal(bytes.length, 6003);
  assert.ok(bytes.subarray(0, 1000).every((byte, i) => byte === (i & 255)));
  assert.deepEqual([...bytes.subarray(5999)], [7, 2, 0xc3, 0xa9]);
});
