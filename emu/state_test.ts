import assert from "node:assert/strict";
import { copyState, encodeState, restoreState, StateError } from "./state.ts";

const sample = () => ({
  count: 3,
  on: true,
  wide: 1n << 60n,
  bytes: new Uint8Array([1, 2]),
  words: new Uint32Array([0xffff_ffff]),
  queue: [1, 2, 3],
  nested: [{ a: 1 }, { a: 2 }],
});

Deno.test("a snapshot put back gives the same bytes, and the same containers live on", () => {
  const live = sample();
  const { bytes, queue } = live;
  const snapshot = copyState(live);
  const before = encodeState(live);
  live.count = 4;
  live.on = false;
  live.bytes[0] = 9;
  live.queue.push(4, 5);
  assert.notDeepEqual(encodeState(live), before);
  restoreState(live, snapshot, "live");
  assert.deepEqual(encodeState(live), before);
  assert.equal(live.bytes, bytes);
  assert.equal(live.queue, queue);
});

Deno.test("every change of a value changes the bytes", () => {
  const all = [
    { ...sample(), count: -0.5 },
    { ...sample(), on: false },
    { ...sample(), wide: 0n },
    { ...sample(), bytes: new Uint8Array([1, 3]) },
    { ...sample(), words: new Uint32Array([0]) },
    { ...sample(), queue: [1, 2] },
    { ...sample(), nested: [{ a: 1 }, { a: 3 }] },
    sample(),
  ].map((state) => encodeState(state).join());
  assert.equal(new Set(all).size, all.length);
});

Deno.test("a snapshot of another shape is refused, and says where", () => {
  const refused = (from: Parameters<typeof restoreState>[1], message: RegExp) =>
    assert.throws(() => restoreState(sample(), from, "dev"), (error) => {
      assert.ok(error instanceof StateError);
      assert.match(error.message, message);
      return true;
    });
  refused({ count: 1 }, /^dev: the record is \{count,on/);
  refused({ ...sample(), on: 1 }, /^dev\.on: needed boolean, found number$/);
  refused({ ...sample(), bytes: new Uint8Array(3) }, /^dev\.bytes: needed array of 2/);
  refused({ ...sample(), nested: [{ b: 1 }] }, /^dev\.nested\[0\]/);
  refused(7, /^dev: needed object, found number$/);
});
