import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32, crc32Register } from "./crc32.ts";

const text = (s: string) => new TextEncoder().encode(s);

/** The definition, a bit at a time. */
function bitByBit(bytes: Uint8Array, register: number): number {
  let c = register;
  for (const byte of bytes) {
    c ^= byte;
    for (let i = 0; i < 8; i++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return c >>> 0;
}

Deno.test("crc32() gives what zlib, gzip and cksum -a crc32b give", () => {
  const witnessed: [string, number][] = [
    ["", 0x00000000],
    ["a", 0xe8b7be43],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
  ];
  for (const [input, crc] of witnessed) assert.equal(crc32(text(input)), crc);
});

Deno.test("crc32Register() is its definition at every length, start and register", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat({ max: 20 }),
      fc.nat(0xffffffff),
      (bytes, skip, register) => {
        const start = Math.min(skip, bytes.length);
        const end = bytes.length;
        assert.equal(
          crc32Register(bytes, register, start, end),
          bitByBit(bytes.subarray(start, end), register),
        );
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

Deno.test("crc32() goes on from where another stopped", () => {
  const all = text("The quick brown fox jumps over the lazy dog, twice over.");
  for (let cut = 0; cut <= all.length; cut++) {
    assert.equal(crc32(all.subarray(cut), crc32(all.subarray(0, cut))), crc32(all));
  }
});
