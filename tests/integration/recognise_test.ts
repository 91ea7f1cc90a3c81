/**
 * Real files are recognised as what their package says they are, and the
 * initramfs of an installer and those linked into kernels open.
 */
import assert from "node:assert/strict";
import { findBuiltinInitramfs } from "../../formats/initramfs/builtin.ts";
import { showMember } from "../../formats/initramfs/cpio.ts";
import { openInitramfs } from "../../formats/initramfs/initramfs.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import { findPayload } from "../../formats/payload/payload.ts";
import { type Kind, recogniseInside } from "../../formats/recognise.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { forEachImage, readImage, withImages } from "../images/images.ts";

/** What a file is or has within, and words of its title. */
const expected: Readonly<Record<string, readonly [Kind, RegExp]>> = {
  "memtest86+-5": ["old boot sector kernel", /^Memtest86 with the boot sector/],
  "memtest86+-5.multiboot": ["multiboot1", /^Memtest86, multiboot 1 kernel in ELF, 32-bit/],
  "memtest86+-5.elf": ["multiboot1", /^Memtest86, multiboot 1 kernel in ELF, 32-bit/],
  "memtest86+-6": ["bzImage", /^Memtest86\+ \(Memtest86\+ v6/],
  "memtest86+-6-ia32": ["bzImage", /^Memtest86\+ \(Memtest86\+ v6/],
  "memtest86+-6.efi": ["bzImage", /^Memtest86\+ \(Memtest86\+ v6/],
  "memtest86+-6.iso": ["ISO 9660", /"MT86PLUS_64", bootable/],
  "memtest86+-7": ["bzImage", /^Memtest86\+ \(Memtest86\+ v7/],
  "memtest86+-7-ia32": ["bzImage", /^Memtest86\+ \(Memtest86\+ v7/],
  "memtest86+-newest": ["bzImage", /^Memtest86\+ \(/],
  "memtest86+-newest-ia32": ["bzImage", /^Memtest86\+ \(/],
  "memtest86": ["old boot sector kernel", /^Memtest86 with the boot sector/],
  "memtest86.elf": ["ELF", /32-bit little endian executable, i386/],
  "ipxe-1.0": ["bzImage", /^iPXE \(1\.0/],
  "ipxe-1.21": ["bzImage", /^iPXE \(1\.21/],
  "ipxe-newest": ["bzImage", /^iPXE \(/],
  "ipxe-newest.efi": ["PE", /EFI application for x86-64, iPXE/],
  "ipxe-newest.arm64.efi": ["PE", /EFI application for ARM64, iPXE/],
  "memdisk": ["bzImage", /^memdisk \(MEMDISK 6/],
  "gnumach-486": ["multiboot1", /^GNU Mach 1\.8\S*, multiboot 1 kernel in ELF/],
  "gnumach-amd64": ["multiboot1", /^GNU Mach 1\.8\S*, multiboot 1 (and 2 )?kernel in ELF, 64-bit/],
  "lnxboot": ["bzImage", /^GRUB as an x86 bzImage/],
  "xen": ["Xen hypervisor", /^Xen hypervisor 4\.\d+\S*, ELF with multiboot headers/],
  "xen.efi": ["Xen hypervisor", /^Xen hypervisor 4\.\d+\S*, EFI program/],
  "systemd-boot": ["PE", /systemd-boot$/],
  "systemd-stub": ["PE", /systemd-stub$/],
  "linux-6.1-cloud-arm64": ["arm64 Image", /little endian, pages 4K.*with EFI stub/],
  "linux-6.12-riscv64": ["RISC-V Image", /header 0\.2, with EFI stub/],
  "installer-initrd": ["cpio", /newc/],
  "busybox-amd64": ["ELF", /64-bit little endian executable, x86-64/],
  "busybox-i386": ["ELF", /32-bit little endian executable, i386/],
};

forEachImage(
  "real files are recognised as what they are",
  ["header", "multiboot", "pe", "iso", "foreign", "initrd", "program", "elf"],
  async (image) => {
    const row = expected[image.id];
    const found = await recogniseInside(readImage(image));
    const { kind, title } = found.inside ?? found;
    if (row === undefined) {
      assert.ok(kind !== "unknown" && kind !== "text", `${image.id}: ${title}`);
    } else {
      assert.equal(kind, row[0], title);
      assert.match(title, row[1]);
    }
    assert.deepEqual((found.inside ?? found).complaints ?? [], []);
  },
);

forEachImage(
  "a Linux image is a bzImage of its version and a PE file",
  ["linux"],
  async (image) => {
    const found = await recogniseInside(readImage(image));
    assert.equal(found.kind, "bzImage");
    const [, version = "?"] = /linux-(\d+\.\d+)/.exec(image.id) ?? [, "7"];
    assert.ok(found.title.includes(`bzImage, version ${version}.`), found.title);
    assert.deepEqual(found.also.map(({ kind }) => kind), ["PE"]);
  },
);

forEachImage("a kernel's configuration is recognised as such", ["config"], async (image) => {
  assert.match((await recogniseInside(readImage(image))).title, /^Linux kernel configuration/);
});

withImages(
  "Debian's installer opens without a complaint",
  ["installer-initrd"],
  async ([image]) => {
    assert.ok(image);
    const { segments, init, complaints } = await openInitramfs(readImage(image));
    assert.deepEqual(segments.map(({ compression, kind }) => [compression, kind]), [
      ["gzip", "main"],
    ]);
    assert.equal(init?.member.name, "init");
    assert.ok((segments[0]?.members.length ?? 0) > 1000);
    assert.deepEqual(complaints, []);
  },
);

withImages(
  "a kernel has the default initramfs built in",
  ["linux-6.1-cloud-amd64", "linux-6.1-686-pae", "linux-newest-cloud-amd64"],
  async (found, t) => {
    for (const image of found) {
      await t.step(image.id, async () => {
        const file = readImage(image);
        const payload = findPayload(file, decodeSetupHeader(file));
        assert.ok(payload?.format);
        const { offset, streamLength } = payload;
        const stream = file.subarray(offset, offset + streamLength);
        const builtin = await findBuiltinInitramfs(
          (await decompress(payload.format, stream)).bytes,
        );
        assert.equal(builtin?.length, 512);
        const lines = builtin?.initramfs.segments[0]?.members.map(showMember) ?? [];
        assert.deepEqual(lines.map((line) => [line.slice(0, 10), line.split(" ").at(-1)]), [
          ["drwxr-xr-x", "dev"],
          ["crw-------", "dev/console"],
          ["drwx------", "root"],
        ]);
      });
    }
  },
);
