import assert from "node:assert/strict";
import { guestMemory } from "./guest_memory.ts";

function view() {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const written: [number, number][] = [];
  const guest = guestMemory({
    memory,
    at: 0x1_0000,
    size: 0x8000,
    written: (address, length) => written.push([address, length]),
  });
  return { guest, written, bytes: new Uint8Array(memory.buffer) };
}

Deno.test("a device reads and writes guest memory where it lies, and writes are told", () => {
  const { guest, written, bytes } = view();
  guest.write(0x10, Uint8Array.of(1, 2, 3));
  assert.deepEqual([...bytes.slice(0x1_0010, 0x1_0013)], [1, 2, 3]);
  const into = new Uint8Array(2);
  guest.read(0x11, into);
  assert.deepEqual([...into], [2, 3]);
  assert.deepEqual(written, [[0x10, 3]]);
});

Deno.test("what lies beyond memory reads as ones and is lost when written", () => {
  const { guest, written, bytes } = view();
  guest.write(0x7fff, Uint8Array.of(1, 2));
  guest.write(0x8000, Uint8Array.of(3));
  guest.write(0xffff_ffff, Uint8Array.of(4));
  guest.write(-1, Uint8Array.of(5));
  assert.deepEqual(written, [[0x7fff, 1]]);
  assert.equal(bytes[0x1_8000], 0);
  assert.equal(bytes[0xffff], 0);
  const into = new Uint8Array(2);
  guest.read(0x7fff, into);
  assert.deepEqual([...into], [1, 0xff]);
  guest.read(0x1_0000_0000, into);
  assert.deepEqual([...into], [0xff, 0xff]);
});

Deno.test("a memory too small for the guest is refused", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  assert.throws(() => guestMemory({ memory, at: 0x8000, size: 0x1_0000 }), RangeError);
});
