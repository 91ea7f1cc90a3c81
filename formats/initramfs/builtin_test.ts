import assert from "node:assert/strict";
import { gzip, joined, smallRoot, zeros } from "../../testdata/initramfs.ts";
import { findBuiltinInitramfs } from "./builtin.ts";
import { encodeCpio } from "./encode_cpio.ts";

/**
 * The built-in initramfs of Debian's vmlinux 6.1.192-2 (amd64), as it stands
 * there: 512 bytes at file offset 0x26a9e68, then zeros to here.
 */
const debian: string = [
  "070701000002D1000041ED0000000000000000000000026AFAD84400000000",
  "000000030000000100000000000000000000000400000000",
  "dev\x00\x00\x00",
  "070701000002D2000021800000000000000000000000016AFAD84400000000",
  "000000030000000100000005000000010000000C00000000",
  "dev/console\x00\x00\x00",
  "070701000002D3000041C00000000000000000000000026AFAD84400000000",
  "000000030000000100000000000000000000000500000000",
  "root\x00\x00",
  "07070100000000000000000000000000000000000000010000000000000000",
  "000000000000000000000000000000000000000B00000000",
  "TRAILER!!!",
].join("");

/** A piece of kernel: something, an archive on a boundary of four, its size behind it. */
function kernelWith(archive: Uint8Array, before = 1020): Uint8Array {
  const end = before + archive.length;
  const bytes = joined(zeros(before), archive, zeros(-end & 7), zeros(8), zeros(64));
  new DataView(bytes.buffer).setUint32(Math.ceil(end / 8) * 8, archive.length, true);
  return bytes;
}

Deno.test("encodeCpio() makes the kernel's default initramfs byte for byte", () => {
  const made = { mtime: 0x6afad844, dev: { major: 3, minor: 1 } };
  const bytes = encodeCpio([
    { name: "dev", mode: 0o040755, ino: 0x2d1, ...made },
    { name: "dev/console", mode: 0o020600, ino: 0x2d2, rdev: { major: 5, minor: 1 }, ...made },
    { name: "root", mode: 0o040700, ino: 0x2d3, ...made, rdev: { major: 0, minor: 0 } },
  ]);
  const text = new TextDecoder().decode(bytes);
  assert.equal(bytes.length, 512);
  assert.equal(text.replace(/\0+$/, ""), debian.replace(/\0+$/, ""));
});

Deno.test("a plain and a compressed built-in initramfs are found by their size word", async () => {
  const plain = encodeCpio(smallRoot);
  for (const archive of [plain, gzip(plain)]) {
    const found = await findBuiltinInitramfs(kernelWith(archive));
    assert.equal(found?.offset, 1020);
    assert.equal(found?.length, archive.length);
    assert.equal(found?.initramfs.init?.member.name, "init");
  }
});

Deno.test("an archive without its size behind it is not the kernel's", async () => {
  const bytes = joined(zeros(64), encodeCpio(smallRoot), zeros(64));
  assert.equal(await findBuiltinInitramfs(bytes), undefined);
  assert.equal(await findBuiltinInitramfs(zeros(0)), undefined);
});

Deno.test("the configuration and streams that do not unpack are passed over", async () => {
  const config = joined(new TextEncoder().encode("IKCFG_ST"), gzip(encodeCpio(smallRoot)));
  const broken = gzip(encodeCpio(smallRoot)).subarray(0, 64);
  const lead = joined(config, zeros(-config.length & 3), broken, zeros(-broken.length & 3));
  const bytes = joined(lead, kernelWith(encodeCpio(smallRoot), 1024));
  assert.equal((await findBuiltinInitramfs(bytes))?.offset, lead.length + 1024);
});

Deno.test("with sections given, only .init.data is searched", async () => {
  const bytes = kernelWith(encodeCpio(smallRoot));
  const section = (name: string, offset: number) => ({ name, offset, size: 1024 });
  const at = async (offset: number) =>
    (await findBuiltinInitramfs(bytes, {
      sections: [section(".text", 0), section(".init.data", offset)],
    }))?.offset;
  assert.equal(await at(1000), 1020);
  assert.equal(await at(1024), undefined);
});
