/**
 * The fetched images themselves: that they are whole, and what the table in
 * `tests/images/wanted.ts` says they are. Two witnesses: Debian's index names
 * the version, the image's own banner must agree.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { forEachImage, images, readImage } from "../images/images.ts";
import { wanted } from "../images/wanted.ts";

const u32 = (bytes: Uint8Array, at: number) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
const u16 = (bytes: Uint8Array, at: number) => u32(bytes, at) & 0xffff;

function text(bytes: Uint8Array, at: number): string {
  return new TextDecoder("latin1").decode(bytes.subarray(at, bytes.indexOf(0, at)));
}

function unpacked(bytes: Uint8Array): Uint8Array {
  return u16(bytes, 0) === 0x8b1f ? gunzipSync(bytes) : bytes;
}

const every = [...new Set(wanted.flatMap((row) => row.files.map((file) => file.kind)))];

forEachImage("every fetched file has the size and SHA-256 of the manifest", every, (image) => {
  const bytes = readImage(image);
  assert.equal(bytes.length, image.size);
  assert.equal(createHash("sha256").update(bytes).digest("hex"), image.sha256);
});

Deno.test({
  name: images().length > 0
    ? "the manifest names only what the table wants, each once"
    : "the manifest names only what the table wants (skipped: nothing is fetched)",
  ignore: images().length === 0,
  fn() {
    const known = new Set(wanted.flatMap((row) => row.files.map((file) => file.id ?? row.id)));
    const ids = images().map((one) => one.id);
    assert.deepEqual(ids.filter((id) => !known.has(id)), []);
    assert.equal(new Set(ids).size, ids.length);
    const paths = images().map((one) => one.path);
    assert.equal(new Set(paths).size, paths.length);
  },
});

forEachImage("a Linux image's own banner names its package's version", ["linux"], (image) => {
  const bytes = readImage(image);
  assert.equal(u16(bytes, 0x1fe), 0xaa55);
  assert.equal(u32(bytes, 0x202), 0x53726448);
  const banner = text(bytes, u16(bytes, 0x20e) + 0x200);
  assert.ok(banner.includes(`Debian ${image.version} `), banner);
  assert.match(image.package, new RegExp(banner.split(" ")[0]?.replaceAll("+", "\\+") ?? "^$"));
});

forEachImage("what borrows the setup header has a boot sector", ["header"], (image) => {
  assert.equal(u16(readImage(image), 0x1fe), 0xaa55);
});

forEachImage("a multiboot kernel has a header of either version", ["multiboot"], (image) => {
  const bytes = unpacked(readImage(image));
  const found = Array.from({ length: 0x2000 }, (_, i) => 4 * i).filter((at) =>
    (u32(bytes, at) === 0x1badb002 &&
      (u32(bytes, at) + u32(bytes, at + 4) + u32(bytes, at + 8)) % 2 ** 32 === 0) ||
    u32(bytes, at) === 0xe85250d6
  );
  assert.ok(found.length > 0);
});

forEachImage("an ELF file starts as one", ["elf", "program"], (image) => {
  assert.equal(u32(unpacked(readImage(image)), 0), 0x464c457f);
});

forEachImage("a PE file starts as one, with its header where it says", ["pe"], (image) => {
  const bytes = readImage(image);
  assert.equal(u16(bytes, 0), 0x5a4d);
  assert.equal(u32(bytes, u32(bytes, 0x3c)), 0x4550);
});

forEachImage("an ISO image has its volume descriptor in sector 16", ["iso"], (image) => {
  assert.equal(text(readImage(image), 0x8001).slice(0, 5), "CD001");
});

forEachImage("an initial RAM disk unpacks to a cpio archive", ["initrd"], (image) => {
  assert.equal(text(unpacked(readImage(image)), 0).slice(0, 6), "070701");
});

forEachImage("a configuration is one, and of its own kernel", ["config"], (image) => {
  const config = new TextDecoder().decode(readImage(image));
  const [, version = "?"] = /Linux\/\S+ (\d+\.\d+(?:\.\d+)?)/.exec(config) ?? [];
  assert.ok(image.version.startsWith(version), `${version} for ${image.version}`);
  assert.match(config, /^CONFIG_64BIT=y$|^# CONFIG_64BIT is not set$/m);
});
