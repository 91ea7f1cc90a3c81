import assert from "node:assert/strict";
import fc from "fast-check";
import { gzip } from "../testdata/initramfs.ts";
import {
  bzImage,
  elf,
  multiboot1,
  multiboot2,
  oldKernel,
  pe,
  put,
  structure,
} from "../testdata/other_images.ts";
import { specimen, specimenNames } from "../testdata/specimens.ts";
import { encodeCpio } from "./initramfs/encode_cpio.ts";
import { flaws, type Structure } from "./layout.ts";
import * as android from "./others/android.ts";
import { containers } from "./others/containers.ts";
import * as disk from "./others/disk.ts";
import { fdtHeader } from "./others/fdt.ts";
import * as iso from "./others/iso9660.ts";
import * as linux from "./others/linux_image.ts";
import * as multiboot from "./others/multiboot.ts";
import { uimageHeader } from "./others/uimage.ts";
import { type Kind, recognise, recogniseInside, signatures } from "./recognise.ts";

const text = (s: string) => new TextEncoder().encode(s);

Deno.test("the rows of every table of the other formats cover it", () => {
  const modules = [android, disk, iso, linux, multiboot, { fdtHeader, uimageHeader }];
  const tables = modules.flatMap((module) => Object.values(module as Record<string, unknown>))
    .filter((value): value is Structure =>
      typeof value === "object" && value !== null && "fields" in value && "size" in value
    );
  assert.ok(tables.length >= 18);
  for (const table of tables) assert.deepEqual([...flaws(table)], [], table.name);
});

/** A made file, what it is, what it is as well, and words of its title. */
const cases: readonly (readonly [string, Uint8Array, Kind, RegExp, (readonly Kind[])?])[] = [
  [
    "bzImage",
    bzImage(),
    "bzImage",
    /^Linux kernel for x86, bzImage, version 6\.1\.0-made, .* 2\.15$/,
  ],
  ["zImage", bzImage({ loadflags: 0 }), "zImage", /zImage/],
  ["bzImage with EFI stub", pe({}, bzImage()), "bzImage", /bzImage/, ["PE"]],
  [
    "memdisk",
    bzImage({ version: 0x203 }, "MEMDISK 6.04 20200816"),
    "bzImage",
    /^memdisk \(MEMDISK 6\.04 20200816\) as an x86 bzImage, boot protocol 2\.03$/,
  ],
  ["Memtest86+", bzImage({ version: 0x20c }, "Memtest86+ v6.10"), "bzImage", /^Memtest86\+ \(/],
  ["lnxboot", put(bzImage({}, ""), 0, "\x66\x31\xed\xe9"), "bzImage", /^GRUB as an x86 bzImage/],
  ["old kernel", oldKernel(), "old boot sector kernel", /of before 1\.3\.73/],
  [
    "Memtest86 5",
    multiboot1(0, 0x40, oldKernel("Memtest86  5.01")),
    "old boot sector kernel",
    /^Memtest86 with the boot sector/,
    ["multiboot1"],
  ],
  [
    "UKI",
    pe({ sections: [".osrel", ".linux", ".initrd"] }),
    "UKI",
    /^Unified kernel image for x86-64/,
  ],
  ["UKI addon", pe({ sections: [".cmdline"] }), "PE", /UKI addon$/],
  ["EFI program", put(pe(), 4096, "#### LoaderInfo: systemd-boot 257"), "PE", /systemd-boot$/],
  ["Windows program", pe({ subsystem: 3, machine: 0x14c }), "PE", /Windows console for i386$/],
  [
    "vmlinux",
    elf(64, { vaddr: 0xffffffff81000000n, paddr: 0x1000000n }),
    "ELF",
    /64-bit little endian vmlinux, x86-64$/,
  ],
  ["vmlinux, 32 bits", elf(32, { vaddr: 0xc1000000n, paddr: 0x1000000n }), "ELF", /vmlinux, i386$/],
  ["program", elf(64), "ELF", /executable, x86-64$/],
  ["module", put(elf(64, { type: 1 }), 4096, ".gnu.linkonce.this_module"), "ELF", /kernel module/],
  [
    "big endian ELF",
    put(put(elf(64), 5, "\x02"), 16, "\0\x02\0\x15"),
    "ELF",
    /big endian executable/,
  ],
  [
    "GNU Mach",
    put(multiboot1(3, 0x1000, elf(32)), 6000, "GNU Mach 1.8+git2022\n"),
    "multiboot1",
    /^GNU Mach 1\.8\+git2022, multiboot 1 kernel in ELF, 32-bit, flags PAGE_ALIGN MEMORY_INFO$/,
    ["ELF"],
  ],
  ["multiboot 2", multiboot2([1, 3], 0x1000), "multiboot2", /^multiboot 2 kernel$/],
  [
    "Xen",
    put(multiboot1(3, 0x1000, elf(32)), 5000, "Xen version %d.%d%s (\x004.17.7-made\0gcc (made)"),
    "Xen hypervisor",
    /^Xen hypervisor 4\.17\.7-made, ELF with multiboot headers$/,
    ["multiboot1", "ELF"],
  ],
  [
    "arm64",
    structure(linux.arm64Image, { code1: 1, magic: "ARM\x64", flags: 10n }),
    "arm64 Image",
    /little endian, pages 4K, to be loaded anywhere in memory$/,
  ],
  [
    "RISC-V",
    structure(linux.riscvImage, { magic: "RISCV", magic2: "RSC\x05", version: 2 }),
    "RISC-V Image",
    /header 0\.2$/,
  ],
  ["ARM", structure(linux.armZImage, { magic: 0x016f2818 }), "ARM zImage", /32-bit ARM$/],
  [
    "zboot",
    structure(linux.zbootHeader, {
      mz_magic: 0x5a4d,
      image_type: "zimg",
      payload_offset: 64,
      payload_size: 512,
      comp_type: "gzip",
      linux_pe_magic: 0x818223cd,
    }),
    "EFI zboot",
    /wrapper, gzip, 512 bytes at 0x40$/,
  ],
  [
    "boot sector",
    put(put(new Uint8Array(512), 0x1fe, "\x55\xaa"), 0x180, "GRUB "),
    "boot sector",
    /GRUB$/,
  ],
  [
    "floppy",
    put(put(new Uint8Array(1024), 0x1fe, "\x55\xaa"), 0x36, "FAT12   "),
    "disk image",
    /FAT12 file system$/,
  ],
  ["cpio", encodeCpio([]), "cpio", /newc/],
  ["old cpio", text("070707000001"), "cpio", /odc/, ["text"]],
  ["gzip", gzip(text("x")), "compressed", /^gzip compressed data$/],
  [
    "configuration",
    text("#\n# Linux/x86 6.1.0 Kernel Configuration\n#\n"),
    "text",
    /configuration/,
  ],
  ["configuration, bare", text("CONFIG_X86=y\n"), "text", /configuration/],
  ["System.map", text("ffffffff81000000 T _text\n"), "text", /symbol map/],
  ["System.map stub", text("ffffffffffffffff B The real System.map is in\n"), "text", /^stub/],
  ["script", text("#!/bin/sh\n"), "text", /^script/],
  ["prose", text("Grüße\n"), "text", /^text$/],
  ["nothing", new Uint8Array(0), "empty", /^empty file$/],
  ["zeros", new Uint8Array(4096), "empty", /zeros, 4 KiB/],
  ["noise", Uint8Array.of(9, 8, 0, 7, 255, 6), "unknown", /6 bytes/],
];

for (const [name, bytes, kind, title, also = []] of cases) {
  Deno.test(`recognise() knows a made file: ${name}`, () => {
    const found = recognise(bytes);
    assert.equal(found.kind, kind, found.title);
    assert.match(found.title, title);
    assert.deepEqual(found.also.map((a) => a.kind), also);
  });
}

/** A zero page by its fields; no "HdrS" unless put there. */
function zeroPage(fields: { version?: number; loader?: number; e820?: number }): Uint8Array {
  const page = new Uint8Array(4096);
  const view = new DataView(page.buffer);
  view.setUint16(0x206, fields.version ?? 0, true);
  page[0x210] = fields.loader ?? 0;
  page[0x1e8] = fields.e820 ?? 0;
  for (let i = 0; i < (fields.e820 ?? 0); i++) {
    view.setBigUint64(0x2d0 + 20 * i, BigInt(i) << 20n, true);
    view.setBigUint64(0x2d0 + 20 * i + 8, 0x100000n, true);
    view.setUint32(0x2d0 + 20 * i + 16, 1, true);
  }
  return page;
}

Deno.test("a zero page is known with and without HdrS, an image of its size is none", () => {
  // As the kernel makes it for itself when entered by PVH: 2.12, a map, no HdrS.
  const pvh = recognise(zeroPage({ version: 0x20c, loader: 0xb0, e820: 5 }));
  assert.equal(pvh.kind, "zero page");
  assert.match(
    pvh.title,
    /boot protocol 2\.12 without HdrS, loader QEMU, version 0, 5 e820 entries/,
  );
  assert.equal(
    recognise(put(zeroPage({ version: 0x20f, loader: 0x70 }), 0x202, "HdrS")).kind,
    "zero page",
  );
  assert.equal(recognise(bzImage().subarray(0, 4096)).kind, "bzImage");
  assert.equal(recognise(zeroPage({ version: 0x20c })).kind, "unknown");
  const bad = zeroPage({ e820: 3 });
  bad[0x2d0 + 16] = 0x77;
  assert.equal(recognise(bad).kind, "unknown");
});

Deno.test("every container of the table is known by its magic", () => {
  for (const { kind, name, offset, magic } of containers) {
    const bytes = put(new Uint8Array(offset + magic.length + 64), offset, magic);
    const found = recognise(bytes);
    assert.equal(found.kind, kind, name);
    assert.ok(found.title.startsWith(name.split(" ")[0] ?? ""), `${name}: ${found.title}`);
  }
});

Deno.test("every other finding says what to do instead of booting it", () => {
  for (const [name, bytes, kind] of cases) {
    const isOurs = kind === "bzImage" || kind === "zImage" || kind === "UKI" ||
      kind === "old boot sector kernel" || kind === "ELF";
    if (!isOurs) assert.ok(recognise(bytes).hint, name);
  }
});

for (const name of specimenNames) {
  Deno.test(`the fields of what another program made: ${name}`, async (t) => {
    const { bytes, size } = specimen(name);
    const { kind, title, hint, fields, complaints = [], also } = recognise(bytes, size);
    await t.assertSnapshot([
      `${kind}: ${title}`,
      `hint: ${hint}`,
      ...also.map((a) => `also ${a.kind}: ${a.title}`),
      ...complaints.map((c) => `${c.severity}: ${c.message}`),
      ...fields.map((f) => `${f.name} = ${f.value}${f.shown === undefined ? "" : ` (${f.shown})`}`),
    ]);
    assert.deepEqual(complaints, []);
  });
}

const shown = (name: Parameters<typeof specimen>[0], field: string) => {
  const { bytes, size } = specimen(name);
  return recognise(bytes, size).fields.find((f) => f.name === field)?.shown;
};
const value = (name: Parameters<typeof specimen>[0], field: string) => {
  const { bytes, size } = specimen(name);
  return recognise(bytes, size).fields.find((f) => f.name === field)?.value;
};

Deno.test("a FIT image's parts are as dumpimage lists them", () => {
  for (const name of ["fit", "fit-external"] as const) {
    assert.equal(shown(name, "timestamp"), "2001-09-09 01:46:40 UTC");
    assert.equal(value(name, "images.kernel-1.data"), 17);
    assert.equal(value(name, "images.kernel-1.arch"), "x86_64");
    assert.equal(shown(name, "images.kernel-1.load"), "0x1000000");
    assert.equal(value(name, "images.kernel-1.hash-1"), "b9b2c1bb");
    assert.equal(shown(name, "images.kernel-1.hash-1"), "crc32, holds");
    assert.equal(value(name, "images.ramdisk-1.hash-1"), "69a17361");
    assert.equal(value(name, "configurations.default"), "conf-1");
    assert.equal(value(name, "configurations.conf-1.ramdisk"), "ramdisk-1");
  }
});

Deno.test("an Android boot image's fields are as unpack_bootimg lists them", () => {
  assert.equal(value("android-2", "kernel_size"), 17);
  assert.equal(shown("android-2", "kernel_addr"), "0x10008000");
  assert.equal(shown("android-2", "tags_addr"), "0x10000100");
  assert.equal(value("android-2", "page_size"), 2048);
  assert.equal(shown("android-2", "os_version"), "12.0.0, patch level 2022-03");
  assert.equal(value("android-2", "name"), "made");
  assert.equal(value("android-2", "header_size"), 1660);
  assert.equal(value("android-2", "dtb_size"), 9);
  assert.equal(shown("android-2", "dtb_addr"), "0x11f00000");
  assert.equal(value("android-3", "cmdline"), "console=ttyS0");
  assert.equal(value("android-vendor-3", "vendor_ramdisk_size"), 7);
  for (const name of ["android-0", "android-1", "android-2", "android-3"] as const) {
    const { bytes } = specimen(name);
    const at = Number(value(name, "kernel.offset"));
    assert.equal(new TextDecoder().decode(bytes.subarray(at, at + 17)), "kernel bytes here", name);
    const ramdisk = Number(value(name, "ramdisk.offset"));
    assert.equal(new TextDecoder().decode(bytes.subarray(ramdisk, ramdisk + 7)), "ramdisk", name);
  }
});

Deno.test("partitions are as sgdisk and sfdisk list them", () => {
  assert.equal(shown("gpt", "gpt_entry[0]"), 'EFI system "ESP", 1 MiB from sector 2048');
  assert.match(shown("gpt", "gpt_entry[1]") ?? "", /^Linux file system "root".*sector 4096$/);
  assert.equal(shown("gpt", "gpt_header.disk_guid"), "11111111-2222-3333-4444-555555555555");
  assert.equal(
    shown("mbr", "partition[0].os_type"),
    "FAT32, LBA, active, 1 MiB from sector 2048",
  );
  assert.equal(shown("mbr", "partition[1].os_type"), "Linux, 2 MiB from sector 4096");
});

Deno.test("an ISO image's boot entries are as xorriso lists them", () => {
  assert.equal(value("iso9660", "boot_catalog"), 49);
  assert.match(
    shown("iso9660", "boot_entry[0]") ?? "",
    /^x86 BIOS, no emulation, 4 × 512 bytes at 0x19000$/,
  );
  assert.match(shown("iso9660", "boot_entry[1]") ?? "", /^EFI, no emulation, .* at 0x19800$/);
});

Deno.test("sums that do not hold are complaints", () => {
  const rulesOf = (name: Parameters<typeof specimen>[0], at: number) => {
    const { bytes, size } = specimen(name);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return recognise(bytes, size).complaints?.map(({ rule }) => rule);
  };
  assert.deepEqual(rulesOf("uimage", 0x40), ["uimage.ih_dcrc"]);
  assert.deepEqual(rulesOf("uimage", 0x20), ["uimage.ih_hcrc"]);
  assert.deepEqual(rulesOf("gpt", 512 + 24), ["gpt.header-crc"]);
  assert.deepEqual(rulesOf("gpt", 1024 + 56), ["gpt.entries-crc"]);
  const fit = specimen("fit").bytes;
  const data = new TextDecoder("latin1").decode(fit).indexOf("kernel bytes here");
  assert.deepEqual(rulesOf("fit", data), ["fit.crc32"]);
});

Deno.test("what is within a compressed file is recognised as well", async () => {
  const found = await recogniseInside(gzip(bzImage()));
  assert.equal(found.kind, "compressed");
  assert.equal(found.inside?.kind, "bzImage");
  const broken = await recogniseInside(gzip(bzImage()).subarray(0, 40));
  assert.equal(broken.inside, undefined);
  assert.equal(broken.complaints?.[0]?.rule, "recognise.unpack");
  assert.equal((await recogniseInside(bzImage())).inside, undefined);
});

Deno.test("the table names each kind that needs a row", () => {
  const kinds = new Set(signatures.map(({ kind }) => kind));
  for (const [name, , kind] of cases) {
    const byOther: readonly Kind[] = ["zImage", "multiboot2", "empty", "unknown"];
    assert.ok(kinds.has(kind) || byOther.includes(kind), name);
  }
});

Deno.test("made files cut and flipped anywhere are still recognised as something", () => {
  const inputs = [
    ...cases.map(([, bytes]) => bytes).filter((bytes) => bytes.length > 0),
    ...specimenNames.map((name) => specimen(name).bytes.subarray(0, 40960)),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...inputs),
      fc.nat({ max: 0xffff }),
      fc.array(fc.tuple(fc.nat({ max: 0xffff }), fc.nat({ max: 255 })), { maxLength: 5 }),
      fc.boolean(),
      (input, length, flips, atStart) => {
        const bytes = input.slice(0, 1 + length % input.length);
        const span = atStart ? Math.min(128, bytes.length) : bytes.length;
        for (const [at, byte] of flips) bytes[at % span] = byte;
        const { kind, title } = recognise(bytes);
        assert.ok(kind);
        assert.ok(title.length < 500);
      },
    ),
    { seed: 5, numRuns: 5000 },
  );
});
