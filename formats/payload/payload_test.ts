import assert from "node:assert/strict";
import { payloadSamples } from "../../testdata/payload_samples.ts";
import { incompressible, kernelLike } from "../../testdata/payload_content.ts";
import { decodeSetupHeader } from "../setup_header.ts";
import { recogniseCompression } from "./compression.ts";
import { decompress } from "./decompress.ts";
import { findPayload } from "./payload.ts";
import { looksLikeStream } from "./plausible.ts";

const packed = (content: string, made: string): Uint8Array => {
  const sample = payloadSamples.find((s) => s.content === content && s.made === made);
  assert.ok(sample);
  return Uint8Array.from(atob(sample.base64), (c) => c.charCodeAt(0));
};

/** An image of 1 + `setup_sects` sectors and then `parts`, of which one may be named the payload. */
function image(
  version: number,
  parts: readonly Uint8Array[],
  payload?: { readonly offset: number; readonly length: number },
): Uint8Array {
  const sectors = 3;
  const length = sectors * 512 + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, sectors - 1);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint16(0x200, 0x66eb, true);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  if (payload !== undefined) {
    view.setUint32(0x248, payload.offset, true);
    view.setUint32(0x24c, payload.length, true);
  }
  let at = sectors * 512;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const sizeWord = (size: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, size, true);
  return bytes;
};

const find = (bytes: Uint8Array) => findPayload(bytes, decodeSetupHeader(bytes));

Deno.test("the header's fields lead to the payload, and its last word is the size", () => {
  const stream = packed("small", "xz --check=crc64");
  const bytes = image(0x20f, [new Uint8Array(100), stream, sizeWord(1500), new Uint8Array(50)], {
    offset: 100,
    length: stream.length + 4,
  });
  assert.deepEqual(find(bytes), {
    format: "xz",
    offset: 3 * 512 + 100,
    length: stream.length + 4,
    found: "payload_offset",
    sizeWord: 1500,
    streamLength: stream.length,
  });
});

Deno.test("gzip's own last field is the size word", () => {
  const stream = packed("small", "gzip -9 -n");
  const bytes = image(0x208, [stream], { offset: 0, length: stream.length });
  // An offset of 0 stands for "unknown", so the payload lies behind something.
  assert.equal(find(bytes), undefined);
  const behind = image(0x208, [new Uint8Array(16), stream], { offset: 16, length: stream.length });
  assert.equal(find(behind)?.sizeWord, 1500);
  assert.equal(find(behind)?.streamLength, stream.length);
});

Deno.test("a payload cut short keeps its place and loses its size word", () => {
  const stream = packed("small", "gzip -9 -n");
  const whole = image(0x208, [new Uint8Array(16), stream], { offset: 16, length: stream.length });
  const found = find(whole.subarray(0, whole.length - 10));
  assert.equal(found?.format, "gzip");
  assert.equal(found.length, stream.length - 10);
  assert.equal("sizeWord" in found, false);
  assert.equal(find(whole.subarray(0, 3 * 512)), undefined);
});

Deno.test("a payload of unknown magic is found without format", () => {
  const bytes = image(0x20f, [new Uint8Array(64).fill(1)], { offset: 8, length: 40 });
  assert.deepEqual(find(bytes), {
    format: undefined,
    offset: 3 * 512 + 8,
    length: 40,
    found: "payload_offset",
    streamLength: 40,
  });
});

Deno.test("an ELF payload has no size word", () => {
  const elf = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 9, 9, 9, 9);
  const bytes = image(0x20f, [new Uint8Array(8), elf], { offset: 8, length: elf.length });
  assert.equal(find(bytes)?.format, "none");
  assert.equal(find(bytes)?.streamLength, elf.length);
});

Deno.test("below protocol 2.08 a scan finds the payload, past magics that are chance", async () => {
  for (const made of ["gzip -9 -n", "gzip -1 -n", "bzip2 -9", "xz --format=lzma -9"]) {
    const stream = packed("small", made);
    const chance = Uint8Array.from([
      ...[0x1f, 0x8b, 1, 2, 3, 0x1f, 0x8b, 8, 0xff, 0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 0xff],
      ...[0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0, 0x5d, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1],
      ...[0x1f, 0x9e, 0x5d, 0, 0, 0x80, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1],
    ]);
    const before = kernelLike(5000, 3);
    const bytes = image(0x203, [before, chance, stream, new Uint8Array(100)]);
    const found = find(bytes);
    assert.equal(found?.found, "scan");
    assert.equal(found.offset, 3 * 512 + before.length + chance.length, made);
    assert.equal(found.streamLength, stream.length + 100);
    assert.ok(found.format);
    const end = found.offset + found.streamLength;
    const result = await decompress(found.format, bytes.subarray(found.offset, end));
    assert.equal(result.consumed, stream.length);
    assert.equal(result.bytes.length, 1500);
  }
});

Deno.test("a scan of a megabyte of noise finds nothing, and of a header that says so neither", () => {
  assert.equal(find(image(0x203, [incompressible(1 << 20)])), undefined);
  assert.equal(find(image(0x20f, [packed("small", "gzip -9 -n")])), undefined);
});

Deno.test("every sample looks like the stream it is", () => {
  for (const { format, content, made, base64 } of payloadSamples) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    if (bytes.length < 40 || recogniseCompression(bytes) !== format) continue;
    // Nothing is known of streams that are empty.
    if (content === "empty") continue;
    assert.ok(looksLikeStream(format, bytes, 0), `${content} by ${made}`);
  }
});
