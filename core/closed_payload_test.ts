import assert from "node:assert/strict";
import { closedSpan } from "./closed_payload.ts";

/** A header that names a payload of `length` bytes at 0x1000 + 0x300. */
function header(version: number, length: number): Uint8Array {
  const bytes = new Uint8Array(0x1000);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 7;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  view.setUint32(0x248, 0x300, true);
  view.setUint32(0x24c, length, true);
  return bytes;
}

const whole = 0x1300 + 0x400000;

Deno.test("closedSpan() is the payload less 64 KiB at either end", () => {
  assert.deepEqual(closedSpan(header(0x20f, 0x400000), whole), {
    start: 0x1300 + 0x10000,
    end: whole - 0x10000,
  });
});

Deno.test("closedSpan() leaves nothing out where the header does not say, or cannot be right", () => {
  assert.equal(closedSpan(header(0x207, 0x400000), whole), undefined);
  assert.equal(closedSpan(header(0x20f, 0x400000), whole - 1), undefined);
  assert.equal(closedSpan(header(0x20f, 0xffffffff), whole), undefined);
  assert.equal(closedSpan(header(0x20f, 0x0fffff), whole), undefined);
  assert.equal(closedSpan(header(0x20f, 0x400000).subarray(0, 0x24f), whole), undefined);
  assert.equal(closedSpan(new Uint8Array(0x1000), whole), undefined);
});
