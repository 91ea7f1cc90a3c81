/**
 * Things that hold other things and are known by their first bytes alone:
 * compressed files, file systems, archives and packages, disks of virtual machines.
 *
 * Source: the formats' own documents; the kernel's include/uapi/linux/magic.h.
 *
 * @module
 */

import { field, type Finding, hasText, type Kind, showTime } from "./finding.ts";

/** A row of the table. */
export interface Container {
  /** What it is, by a name that lasts. */
  readonly kind: Kind;
  /** What it is, in words. */
  readonly name: string;
  /** Where the magic stands, in bytes. */
  readonly offset: number;
  /** The magic, a character a byte. */
  readonly magic: string;
  /** What to do with it. */
  readonly hint: string;
}

const unpack = (tool: string) => `unpack it (${tool}) and look at what is within`;
const mount = "an old kind of initrd, or the root file system itself: mount it";
const convert = "turn it into a raw image (qemu-img convert) and look at that";

/** Containers by magic. */
export const containers: readonly Container[] = [
  {
    kind: "compressed",
    name: "gzip compressed data",
    offset: 0,
    magic: "\x1f\x8b",
    hint: unpack("gzip -dc"),
  },
  {
    kind: "compressed",
    name: "old gzip compressed data",
    offset: 0,
    magic: "\x1f\x9e",
    hint: unpack("gzip -dc"),
  },
  {
    kind: "compressed",
    name: "compress'd data",
    offset: 0,
    magic: "\x1f\x9d",
    hint: unpack("gzip -dc"),
  },
  {
    kind: "compressed",
    name: "packed data",
    offset: 0,
    magic: "\x1f\x1e",
    hint: unpack("gzip -dc"),
  },
  {
    kind: "compressed",
    name: "bzip2 compressed data",
    offset: 0,
    magic: "BZh",
    hint: unpack("bzip2 -dc"),
  },
  {
    kind: "compressed",
    name: "xz compressed data",
    offset: 0,
    magic: "\xfd7zXZ\x00",
    hint: unpack("xz -dc"),
  },
  {
    kind: "compressed",
    name: "lzma compressed data",
    offset: 0,
    magic: "\x5d\x00\x00",
    hint: unpack("xz --format=lzma -dc"),
  },
  {
    kind: "compressed",
    name: "lzip compressed data",
    offset: 0,
    magic: "LZIP",
    hint: unpack("lzip -dc"),
  },
  {
    kind: "compressed",
    name: "lzop compressed data",
    offset: 0,
    magic: "\x89LZO\x00\r\n\x1a\n",
    hint: unpack("lzop -dc"),
  },
  {
    kind: "compressed",
    name: "lz4 compressed data, legacy frame",
    offset: 0,
    magic: "\x02\x21\x4c\x18",
    hint: unpack("lz4 -dc"),
  },
  {
    kind: "compressed",
    name: "lz4 compressed data",
    offset: 0,
    magic: "\x04\x22\x4d\x18",
    hint: unpack("lz4 -dc"),
  },
  {
    kind: "compressed",
    name: "zstd compressed data",
    offset: 0,
    magic: "\x28\xb5\x2f\xfd",
    hint: unpack("zstd -dc"),
  },
  {
    kind: "compressed",
    name: "lrzip compressed data",
    offset: 0,
    magic: "LRZI",
    hint: unpack("lrzip -d"),
  },

  {
    kind: "file system",
    name: "squashfs file system",
    offset: 0,
    magic: "hsqs",
    hint: "unpack it with unsquashfs",
  },
  {
    kind: "file system",
    name: "cramfs file system",
    offset: 0,
    magic: "\x45\x3d\xcd\x28",
    hint: mount,
  },
  { kind: "file system", name: "romfs file system", offset: 0, magic: "-rom1fs-", hint: mount },
  {
    kind: "file system",
    name: "erofs file system",
    offset: 0x400,
    magic: "\xe2\xe1\xf5\xe0",
    hint: mount,
  },
  {
    kind: "file system",
    name: "f2fs file system",
    offset: 0x400,
    magic: "\x10\x20\xf5\xf2",
    hint: mount,
  },
  {
    kind: "file system",
    name: "ext2, ext3 or ext4 file system",
    offset: 0x438,
    magic: "\x53\xef",
    hint: mount,
  },
  { kind: "file system", name: "XFS file system", offset: 0, magic: "XFSB", hint: "mount it" },
  {
    kind: "file system",
    name: "btrfs file system",
    offset: 0x10040,
    magic: "_BHRfS_M",
    hint: "mount it",
  },
  {
    kind: "file system",
    name: "LUKS encrypted volume",
    offset: 0,
    magic: "LUKS\xba\xbe",
    hint: "open it with cryptsetup",
  },
  { kind: "file system", name: "minix file system", offset: 0x410, magic: "\x7f\x13", hint: mount },
  { kind: "file system", name: "minix file system", offset: 0x410, magic: "\x8f\x13", hint: mount },

  {
    kind: "archive",
    name: "Debian package",
    offset: 0,
    magic: "!<arch>\ndebian-binary",
    hint: "unpack it (dpkg-deb -x): kernels are under boot/ or usr/lib/modules/",
  },
  {
    kind: "archive",
    name: "ar archive",
    offset: 0,
    magic: "!<arch>\n",
    hint: "a library, no kernel",
  },
  {
    kind: "archive",
    name: "RPM package",
    offset: 0,
    magic: "\xed\xab\xee\xdb",
    hint: "unpack it (rpm2cpio): kernels are under boot/ or lib/modules/",
  },
  { kind: "archive", name: "tar archive", offset: 257, magic: "ustar", hint: unpack("tar -x") },
  { kind: "archive", name: "ZIP archive", offset: 0, magic: "PK\x03\x04", hint: unpack("unzip") },
  {
    kind: "archive",
    name: "7-Zip archive",
    offset: 0,
    magic: "7z\xbc\xaf\x27\x1c",
    hint: unpack("7z x"),
  },

  { kind: "disk image", name: "QEMU qcow2 disk", offset: 0, magic: "QFI\xfb", hint: convert },
  { kind: "disk image", name: "VMware disk", offset: 0, magic: "KDMV", hint: convert },
  {
    kind: "disk image",
    name: "VirtualBox disk",
    offset: 0x40,
    magic: "\x7f\x10\xda\xbe",
    hint: convert,
  },
  { kind: "disk image", name: "VHDX disk", offset: 0, magic: "vhdxfile", hint: convert },
  { kind: "disk image", name: "Virtual PC disk", offset: 0, magic: "conectix", hint: convert },
  {
    kind: "disk image",
    name: "Android sparse image",
    offset: 0,
    magic: "\x3a\xff\x26\xed",
    hint: "turn it into a raw image with simg2img",
  },
];

/** Describes the first container whose magic holds; gzip says a little more of itself. */
export function findContainer(bytes: Uint8Array): Finding | undefined {
  const row = containers.find(({ offset, magic }) => hasText(bytes, offset, magic));
  if (row === undefined) return undefined;
  const { kind, name, hint } = row;
  const gzip = row.magic === "\x1f\x8b" ? gzipFields(bytes) : [];
  const packed = gzip.find((f) => f.name === "name")?.value;
  return { kind, title: packed ? `${name}, was "${packed}"` : name, fields: gzip, hint };
}

/** Name and time from a gzip header. Source: RFC 1952, section 2.3. */
function gzipFields(bytes: Uint8Array) {
  if (bytes.length < 10) return [];
  const flags = bytes[3] ?? 0;
  const time = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  const fields = [];
  if (time !== 0) fields.push(field("mtime", time, showTime(time)));
  let at = 10;
  if (flags & 4) at += 2 + ((bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8);
  if (flags & 8) {
    const end = bytes.subarray(at, at + 256).indexOf(0);
    const name = new TextDecoder("latin1").decode(bytes.subarray(at, at + Math.max(0, end)));
    if (name !== "") fields.push(field("name", name));
  }
  return fields;
}
