/**
 * Files made to hurt: as many headers as a count can tell, trees without end,
 * megabytes of magics, archives that unpack to a thousand times their size. All
 * are opened as bootinfo opens a file, in bounded time and memory.
 */

import assert from "node:assert/strict";
import { openInitramfs } from "../../formats/initramfs/initramfs.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import type { Compression } from "../../formats/payload/compression.ts";
import { bzImage } from "../../testdata/bzimage_builder.ts";
import { elf, joined, latin1, u32 } from "../../testdata/elf_builder.ts";
import { gzip } from "../../testdata/initramfs.ts";
import { seeded } from "./mutate.ts";
import { fairlySoon, LIMIT, openWhole } from "./whole.ts";

const MiB = 1 << 20;

/** So long a file of some MiB may take, in milliseconds, on a busy machine. */
const SLOWEST = 20_000;

/** A pattern again and again. */
function filled(pattern: string | Uint8Array, size: number): Uint8Array {
  const one = typeof pattern === "string" ? latin1(pattern) : pattern;
  return Uint8Array.from({ length: size }, (_, i) => one[i % one.length] ?? 0);
}

function bigEndian(...words: number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((w) => [w >>> 24, w >>> 16, w >>> 8, w]));
}

/** A bzImage of 2.06, whose payload has to be looked for, with these bytes as its code. */
function searched(body: Uint8Array): Uint8Array {
  const image = bzImage({ protocol: 0x206, trailing: body });
  new DataView(image.buffer).setUint32(0x1f4, (image.length - 2560) >> 4, true);
  return image;
}

/** A vmlinux whose 65,535 headers of a table each say this. */
function elfWithTable(
  table: "program" | "section",
  write: (view: DataView, at: number, i: number, size: number) => void,
): Uint8Array {
  const [offsetAt, entryAt, entry] = table === "program" ? [32, 54, 56] : [40, 58, 64];
  const count = table === "program" ? 0xffff : 0xfeff;
  const bytes = new Uint8Array(64 + count * entry + 4096);
  bytes.set(elf({}).subarray(0, 64));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(offsetAt, 64n, true);
  view.setUint16(entryAt, entry, true);
  view.setUint16(entryAt + 2, count, true);
  for (let i = 0; i < count; i++) write(view, 64 + entry * i, i, bytes.length);
  return bytes;
}

/** A PE file with 65,535 sections of one name, each over the whole file. */
function sections(name: string): Uint8Array {
  const bytes = new Uint8Array(4 * MiB);
  bytes.set(latin1("MZ"));
  bytes.set(latin1("PE\0\0\x64\x86\xff\xff"), 0x40);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x3c, 0x40, true);
  view.setUint16(0x54, 0xf0, true);
  view.setUint16(0x58, 0x20b, true);
  view.setUint32(0x58 + 108, 16, true);
  for (let i = 0; i < 0xffff; i++) {
    const at = 0x148 + 40 * i;
    bytes.set(latin1(name), at);
    for (const [field, value] of [[8, 4 * MiB], [16, 4 * MiB - i], [20, i]] as const) {
      view.setUint32(at + field, value, true);
    }
  }
  return bytes;
}

function tree(structure: Uint8Array): Uint8Array {
  const size = 56 + structure.length + 2;
  const header = [0xd00dfeed, size, 56, 56 + structure.length, 40, 17, 16, 0, 2, structure.length];
  return joined([bigEndian(...header), new Uint8Array(16), structure, latin1("a\0")]);
}

const files: Readonly<Record<string, () => Uint8Array>> = {
  "65,535 note segments over the whole file": () =>
    elfWithTable("program", (view, at, _, size) => {
      view.setUint32(at, 4, true);
      view.setBigUint64(at + 32, BigInt(size), true);
    }),
  "65,535 segments to load, each the whole file": () =>
    elfWithTable("program", (view, at, _, size) => {
      view.setUint32(at, 1, true);
      view.setBigUint64(at + 32, BigInt(size), true);
    }),
  "65,279 sections within one another": () =>
    elfWithTable("section", (view, at, i, size) => {
      view.setUint32(at, 1, true);
      view.setUint32(at + 4, i % 3 === 0 ? 7 : 1, true);
      view.setBigUint64(at + 24, BigInt(i), true);
      view.setBigUint64(at + 32, BigInt(size - 2 * i), true);
    }),
  "8 MiB of empty notes": () => elf({ notes: [filled(u32(0, 0, 1), 8 * MiB)] }),
  "65,535 sections .linux": () => sections(".linux\0\0"),
  "65,535 sections .profile": () => sections(".profile"),
  "a device tree 400,000 nodes deep": () => tree(filled(bigEndian(1, 0x61000000), 3 * MiB)),
  "8 MiB of gzip magics with endless names": () =>
    searched(filled("\x1f\x8b\x08\x08\x01\x01\x01", 8 * MiB)),
  "8 MiB of gzip streams of nothing": () =>
    searched(filled("\x1f\x8b\x08\0\0\0\0\0\0\x03\x63", 8 * MiB)),
  "8 MiB of LZMA magics": () =>
    searched(filled("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", 8 * MiB)),
  "8 MiB of zstd magics": () => searched(filled("\x28\xb5\x2f\xfd\x04\0\x01\0\0", 8 * MiB)),
  "8 MiB of configuration marks": () => elf({ segments: [{ data: filled("IKCFG_ST", 8 * MiB) }] }),
  "8 MiB of banners that do not end": () =>
    elf({ segments: [{ data: filled("Linux version 6.1.0 (", 8 * MiB) }] }),
  "8 MiB of digits, as tokens have them": () =>
    elf({
      segments: [{ data: filled("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0", 8 * MiB) }],
    }),
  "8 MiB of BTF headers": () =>
    elf({
      segments: [{
        data: filled(joined([latin1("\x9f\xeb\x01\0"), u32(24, 0, 16, 16, 2)]), 8 * MiB),
      }],
    }),
  "8 MiB of zeros": () => new Uint8Array(8 * MiB),
  "8 MiB of 0xff": () => new Uint8Array(8 * MiB).fill(0xff),
};

for (const [name, make] of Object.entries(files)) {
  Deno.test(`${name}: opened in bounded time`, async () => {
    const bytes = make();
    const before = performance.now();
    await openWhole(bytes, seeded(1));
    await fairlySoon(() => openInitramfs(bytes, { limit: LIMIT }));
    const time = performance.now() - before;
    assert.ok(time < SLOWEST, `${time} ms`);
  });
}

/** Small streams of very much. */
const bombs: Readonly<Record<string, { format: Compression; bytes: () => Uint8Array }>> = {
  "gzip": { format: "gzip", bytes: () => gzip(new Uint8Array(100_000_000)) },
  "zstd, 200,000 blocks of 128 KiB": {
    format: "zstd",
    bytes: () => joined([latin1("\x28\xb5\x2f\xfd\x00\x58"), filled("\x02\0\x10a", 800_000)]),
  },
};

for (const [name, { format, bytes: make }] of Object.entries(bombs)) {
  Deno.test(`a bomb of ${name} stops at the limit, and says how to go on`, async () => {
    const bytes = make();
    const before = Deno.memoryUsage().rss;
    await assert.rejects(() => decompress(format, bytes, { limit: LIMIT }), {
      name: "FormatError",
      message: /unpacks to more than the limit of 1048576 bytes .*raise the limit/,
    });
    const grown = Deno.memoryUsage().rss - before;
    assert.ok(grown < 64 * MiB, `the process grew by ${grown} bytes`);
    await openWhole(bzImage({ payload: bytes }), seeded(1));
  });
}
