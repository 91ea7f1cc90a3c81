import assert from "node:assert/strict";
import { kernelLike } from "../../testdata/payload_content.ts";
import { FormatError } from "../errors.ts";
import { decompress } from "./decompress.ts";

/**
 * LZMA of literals only, with lc, lp and pb of 0: the shortest encoder that
 * there is. The size stands in the header, an end marker follows if wanted.
 */
function literalsOnly(content: Uint8Array, size: number, hasMarker: boolean): Uint8Array {
  const out: number[] = [];
  let low = 0n;
  let range = 0xffff_ffff;
  let cache = 0;
  let pending = 1;
  const shift = (): void => {
    if (low < 0xff00_0000n || low > 0xffff_ffffn) {
      const carry = Number(low >> 32n);
      out.push((cache + carry) & 255);
      for (; pending > 1; pending--) out.push((255 + carry) & 255);
      pending = 0;
      cache = Number(low >> 24n & 255n);
    }
    pending++;
    low = (low & 0xff_ffffn) << 8n;
  };
  const probabilities = new Map<string, number>();
  const bit = (name: string, value: number): void => {
    const p = probabilities.get(name) ?? 1024;
    const bound = (range >>> 11) * p;
    if (value === 0) range = bound;
    else {
      low += BigInt(bound);
      range -= bound;
    }
    probabilities.set(name, value === 0 ? p + ((2048 - p) >> 5) : p - (p >> 5));
    while (range < 1 << 24) {
      range = (range << 8) >>> 0;
      shift();
    }
  };
  const tree = (name: string, bits: number, value: number): void => {
    for (let node = 1, i = bits - 1; i >= 0; i--) {
      bit(`${name} ${node}`, value >> i & 1);
      node = node * 2 + (value >> i & 1);
    }
  };
  for (const byte of content) {
    bit("isMatch", 0);
    tree("literal", 8, byte);
  }
  if (hasMarker) {
    bit("isMatch", 1);
    bit("isRep", 0);
    bit("choice", 0);
    tree("low", 3, 0);
    tree("slot", 6, 63);
    for (let i = 0; i < 26; i++) {
      range >>>= 1;
      low += BigInt(range);
      while (range < 1 << 24) {
        range = (range << 8) >>> 0;
        shift();
      }
    }
    for (let node = 1, i = 0; i < 4; i++) {
      bit(`align ${node}`, 1);
      node = node * 2 + 1;
    }
  }
  for (let i = 0; i < 5; i++) shift();
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(1, 1 << 16, true);
  view.setBigUint64(5, BigInt.asUintN(64, BigInt(size)), true);
  return Uint8Array.from([...header, ...out]);
}

const content = kernelLike(3000, 11);

Deno.test("the size in the header ends a stream without a marker", async () => {
  const bytes = literalsOnly(content, 3000, false);
  const result = await decompress("lzma", bytes);
  assert.deepEqual(result.bytes, content);
  assert.deepEqual(result.parameters, { dictionary: 1 << 16, lc: 0, lp: 0, pb: 0, end: "size" });
  // Of the five bytes that the encoder flushes, the decoder needs what it has read so far.
  assert.ok(result.consumed <= bytes.length && result.consumed > bytes.length - 5);
});

Deno.test("a marker may follow the size, and ends a stream whose size is not told", async () => {
  for (const size of [3000, -1]) {
    const bytes = literalsOnly(content, size, true);
    const result = await decompress("lzma", bytes, { size: 3000 });
    assert.deepEqual(result.bytes, content);
    assert.equal(result.consumed, bytes.length);
  }
});

Deno.test("a stream longer or shorter than the size in its header is refused", async () => {
  const cases = [
    [literalsOnly(content, 2999, false), /needs to end after 2999 bytes, found more/],
    [literalsOnly(content, 3001, true), /says 3001 bytes, found the end marker after 3000/],
    [literalsOnly(content, 3100, false), /needs more bytes, the input ends at/],
    [literalsOnly(content, 2 ** 52, false), /more than the limit of 1073741824 bytes/],
  ] as const;
  for (const [bytes, problem] of cases) {
    await assert.rejects(decompress("lzma", bytes), (error: unknown) => {
      assert.ok(error instanceof FormatError);
      assert.match(error.message, problem);
      return true;
    });
  }
});

Deno.test("the limit is the result's size and not one byte less", async () => {
  for (const hasMarker of [true, false]) {
    const bytes = literalsOnly(content, hasMarker ? -1 : 3000, hasMarker);
    assert.equal((await decompress("lzma", bytes, { limit: 3000 })).bytes.length, 3000);
    await assert.rejects(decompress("lzma", bytes, { limit: 2999 }), /the limit of 2999 bytes/);
  }
});

Deno.test("properties beyond what the format has are refused", async () => {
  const bytes = literalsOnly(content, 3000, false);
  bytes[0] = 225;
  await assert.rejects(decompress("lzma", bytes), {
    name: "FormatError",
    message: "lzma.properties at 0x0: needs to be less than 225, found 225",
  });
});
