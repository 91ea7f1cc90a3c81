import assert from "node:assert/strict";
import fc from "fast-check";
import { kernelLike } from "../../testdata/payload_content.ts";
import { Arena } from "./_arena.ts";
import { createX86Filter } from "./_x86_filter.ts";

/** The filter in both directions, written down plainly: byte after byte. */
function filterPlainly(input: Uint8Array, start: number, encodes: boolean): Uint8Array {
  const bytes = input.slice();
  const isSign = (byte: number | undefined): boolean => byte === 0x00 || byte === 0xff;
  const allowed = [true, true, true, false, true, false, false, false];
  const byteNumber = [0, 1, 2, 2, 3, 3, 3, 3];
  let mask = 0;
  let last = -5;
  for (let i = 0; i + 5 <= bytes.length; i++) {
    if (((bytes[i] ?? 0) & 0xfe) !== 0xe8) continue;
    const apart = i - last;
    last = i;
    if (apart > 5) mask = 0;
    else for (let k = 0; k < apart; k++) mask = (mask & 0x77) << 1;
    const sign = bytes[i + 4];
    if (!isSign(sign) || !allowed[mask >> 1 & 7] || mask >> 1 >= 16) {
      mask |= isSign(sign) ? 0x11 : 1;
      continue;
    }
    const view = new DataView(bytes.buffer);
    let source = view.getUint32(i + 1, true);
    let target = 0;
    for (;;) {
      const here = start + i + 5;
      target = (encodes ? source + here : source - here) >>> 0;
      if (mask === 0) break;
      const n = (byteNumber[mask >> 1] ?? 0) * 8;
      if (!isSign(target >>> (24 - n) & 0xff)) break;
      source = (target ^ (2 ** (32 - n) - 1)) >>> 0;
    }
    target = (target & 0x1ff_ffff) | (target & 0x100_0000 ? 0xff00_0000 : 0);
    view.setUint32(
      i + 1,
      (target & 0x100_0000 ? target | 0xff00_0000 : target & 0xff_ffff) >>> 0,
      true,
    );
    i += 4;
    mask = 0;
  }
  return bytes;
}

async function undo(
  bytes: Uint8Array,
  start: number,
  pieces: readonly number[],
): Promise<Uint8Array> {
  const arena = new Arena("test", bytes, 0, 0);
  const filter = await createX86Filter(arena);
  filter.begin(arena.inputAt, start);
  let settled = 0;
  for (const piece of [...pieces.toSorted((a, b) => a - b), bytes.length]) {
    const next = filter.undo(arena.inputAt + Math.min(piece, bytes.length)) - arena.inputAt;
    assert.ok(next >= settled && next <= Math.max(settled, piece));
    settled = next;
  }
  const result = arena.bytes().slice(arena.inputAt, arena.inputEnd);
  arena.release();
  return result;
}

Deno.test("the filter undone gives the code back, whatever the pieces", async () => {
  // Bytes of which many look like calls, signs and each other.
  const byte = fc.oneof(
    fc.constantFrom(0xe8, 0xe9, 0x00, 0xff, 0x01, 0xfe),
    fc.integer({ min: 0, max: 255 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(byte, { maxLength: 120 }),
      fc.nat(0xffff_ffff),
      fc.array(fc.nat(120), { maxLength: 4 }),
      async (values, start, pieces) => {
        const code = Uint8Array.from(values);
        const filtered = filterPlainly(code, start, true);
        const expected = filterPlainly(filtered, start, false);
        assert.deepEqual(await undo(filtered, start, pieces), expected);
        assert.deepEqual(expected, code);
      },
    ),
    { seed: 4, numRuns: 2000 },
  );
});

Deno.test("a page of code with calls of few functions comes back", async () => {
  const code = kernelLike(4096, 9);
  const filtered = filterPlainly(code, 0, true);
  assert.notDeepEqual(filtered, code);
  assert.deepEqual(await undo(filtered, 0, [1000, 1001, 3000]), code);
});
