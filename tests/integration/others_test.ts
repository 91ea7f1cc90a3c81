/** What bootinfo says of real files that are no Linux/x86 kernels. */

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { judgePlatforms } from "../../core/evidence.ts";
import { imageMap } from "../../core/image_map.ts";
import { inspect } from "../../core/inspection.ts";
import { openInitramfs } from "../../formats/initramfs/initramfs.ts";
import { forEachImage, readImage, withImages } from "../images/images.ts";

/** Kind, kind within, platforms it starts on, rules it departs from. */
type Said = readonly [kind: string, inside: string, platforms: string, rules: string];

const pcLike = "pc intel-mid ce4100";

/** By the image's id; boot protocol oddities as boot-protocol.md's table of them has them. */
const said: Readonly<Record<string, Said>> = {
  "memtest86": ["old boot sector kernel", "", "pc", "old-image"],
  "memtest86+-5": ["old boot sector kernel", "", "pc", "old-image"],
  "memtest86+-5.multiboot": ["multiboot1", "", "multiboot", ""],
  "memtest86+-5.elf": ["multiboot1", "", "multiboot", ""],
  "memtest86+-6": ["bzImage", "", pcLike, "sentinel syssize-rounded"],
  "memtest86+-6-ia32": ["bzImage", "", pcLike, "sentinel syssize-rounded"],
  "memtest86+-6.efi": ["bzImage", "", pcLike, "sentinel"],
  "memtest86+-6.iso": ["ISO 9660", "", "", ""],
  "memtest86+-7": ["bzImage", "", pcLike, "sentinel syssize-rounded"],
  "memtest86+-7-ia32": ["bzImage", "", pcLike, "sentinel syssize-rounded"],
  "memtest86.elf": ["ELF", "", "", ""],
  "ipxe-1.0": ["bzImage", "", pcLike, "syssize-rounded header-longer"],
  "ipxe-1.21": ["bzImage", "", pcLike, "syssize-rounded"],
  "memdisk": ["bzImage", "", "pc", "syssize-zero header-longer"],
  "lnxboot": ["bzImage", "", "pc", "header-longer"],
  "gnumach-486": ["compressed", "multiboot1", "multiboot", ""],
  "gnumach-xen-486": ["compressed", "ELF", "xen", ""],
  "grub-xen-i386": ["ELF", "", "", ""],
  "xen": ["compressed", "Xen hypervisor", "multiboot multiboot2", ""],
  "xen.efi": ["Xen hypervisor", "", "", ""],
  "systemd-boot": ["PE", "", "", ""],
  "systemd-stub": ["PE", "", "", ""],
  "linux-6.1-cloud-arm64": ["arm64 Image", "", "", ""],
  "linux-6.12-riscv64": ["RISC-V Image", "", "", ""],
};

for (const [id, expected] of Object.entries(said)) {
  withImages(`${id} is taken for what it is`, [id], async ([image]) => {
    assert.ok(image);
    const inspection = await inspect(image.path, readImage(image));
    const starts = [...await judgePlatforms(inspection)].filter(([, { starts }]) => starts);
    assert.deepEqual([
      inspection.recognition.kind,
      inspection.inside?.kind ?? "",
      starts.map(([name]) => name).join(" "),
      inspection.complaints.map(({ rule }) => rule).join(" "),
    ], expected);
  });
}

forEachImage(
  "every byte of any other file is on the map, once, under a name",
  ["header", "multiboot", "foreign", "elf", "pe", "iso", "initrd", "program", "config"],
  async (image) => {
    const inspection = await inspect(image.path, readImage(image));
    let at = 0;
    for (const { offset, length, unclaimed, name } of imageMap(inspection)) {
      assert.equal(offset, at);
      assert.ok(length > 0 && name !== "");
      assert.ok(!unclaimed, `${length} bytes at ${offset}`);
      at += length;
    }
    assert.equal(at, image.size);
  },
);

/** Names that cpio lists; `undefined` without cpio. */
async function namesByCpio(archive: Uint8Array<ArrayBuffer>): Promise<string[] | undefined> {
  try {
    const child = new Deno.Command("cpio", {
      args: ["-t", "--quiet"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const [{ stdout }] = await Promise.all([
      child.output(),
      new Blob([archive]).stream().pipeTo(child.stdin).catch(() => {}),
    ]);
    return new TextDecoder().decode(stdout).trimEnd().split("\n");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

withImages("the installer's initramfs has the members that cpio lists", [
  "installer-initrd",
], async ([image], t) => {
  assert.ok(image);
  const bytes = readImage(image);
  const { segments, init, complaints } = await openInitramfs(bytes);
  assert.deepEqual(complaints.filter(({ severity }) => severity === "error"), []);
  assert.equal(segments.length, 1);
  const members = segments[0]?.members.map(({ name }) => name) ?? [];
  assert.ok(init && members.length > 1000);
  const expected = await namesByCpio(new Uint8Array(gunzipSync(bytes)));
  await t.step({
    name: `by name${expected ? "" : " (skipped: cpio is not installed)"}`,
    ignore: expected === undefined,
    fn: () => assert.deepEqual(members, expected),
  });
});
