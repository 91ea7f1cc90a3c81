import assert from "node:assert/strict";
import { kernelLike } from "../../testdata/payload_content.ts";
import { Arena } from "./_arena.ts";
import { createChecks, RunningHash } from "./_checks.ts";

/** The register of a reflected CRC, bit by bit: the definition. */
function crcByBits(bytes: Uint8Array, polynomial: bigint, width: bigint): bigint {
  const ones = (1n << width) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return crc ^ ones;
}

function adlerBySum(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

const lengths = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 100, 5551, 5552, 5553, 12_000];

async function over(bytes: Uint8Array) {
  const arena = new Arena("test", bytes, 0, 0);
  return { checks: await createChecks(arena), at: arena.inputAt, end: arena.inputEnd };
}

Deno.test("CRC-32, CRC-64 and Adler-32 are what their definitions make, in one piece or in two", async () => {
  for (const length of lengths) {
    const bytes = kernelLike(length, 5).map((byte, i) => i % 3 ? byte : 255);
    const { checks, at, end } = await over(bytes);
    for (const middle of [at, at + (length >> 1), end]) {
      const crc32 = checks.crc32(checks.crc32(0, at, middle), middle, end) >>> 0;
      assert.equal(BigInt(crc32), crcByBits(bytes, 0xedb88320n, 32n), `CRC-32 of ${length}`);
      const crc64 = BigInt.asUintN(64, checks.crc64(checks.crc64(0n, at, middle), middle, end));
      assert.equal(crc64, crcByBits(bytes, 0xc96c5795d7870f42n, 64n), `CRC-64 of ${length}`);
      const adler = checks.adler32(checks.adler32(1, at, middle), middle, end) >>> 0;
      assert.equal(adler, adlerBySum(bytes), `Adler-32 of ${length}`);
    }
  }
});

Deno.test("the check values that the standards publish come out", async () => {
  const { checks, at, end } = await over(new TextEncoder().encode("123456789"));
  assert.equal(checks.crc32(0, at, end) >>> 0, 0xcbf43926);
  assert.equal(BigInt.asUintN(64, checks.crc64(0n, at, end)), 0x995dc9bbdf1939fan);
  assert.equal(checks.adler32(1, at, end) >>> 0, 0x091e01de);
});

/** The specification's own test vectors: its generator, seed 0. */
function sanityBuffer(length: number): Uint8Array {
  let state = 2654435761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(state >> 56n);
    state = BigInt.asUintN(64, state * 11400714785074694797n);
    return byte;
  });
}

Deno.test("XXH32 and XXH64 are those of xxhsum, of any length and in any pieces", async () => {
  // What xxhsum's self test expects of its buffer.
  const cases = [
    [0, 0x02cc5d05n, 0xef46db3751d8e999n],
    [1, 0xcf65b03en, 0xe934a84adb052768n],
    [14, 0x1208e7e2n, 0x8282dcc4994e35c8n],
    [222, 0x5bd11dbdn, 0xb641ae8cb691c174n],
  ] as const;
  for (const [length, expected32, expected64] of cases) {
    const { checks, at, end } = await over(sanityBuffer(length));
    for (const step of [1, 7, 64, 1000]) {
      for (const [wide, expected] of [[false, expected32], [true, expected64]] as const) {
        const hash = new RunningHash(checks, wide, at);
        for (let mark = at; mark < end; mark += step) hash.add(mark);
        assert.equal(hash.end(end), expected, `${wide ? 64 : 32} bits of ${length} by ${step}`);
      }
    }
  }
});
