/**
 * Tells what a file is, kernel or not, so that a wrong one gets a useful answer.
 *
 * A file can be several things at once: a bzImage is a PE file, an iPXE image
 * has a boot sector and a setup header, an ISO image a partition table. The
 * table of signatures goes from the most telling to the least; the first that
 * holds is the answer, the others come along.
 *
 * @module
 */

import { FormatError } from "./errors.ts";
import { recogniseCpio } from "./initramfs/cpio.ts";
import { findAndroid, findAndroidVendor } from "./others/android.ts";
import { findContainer } from "./others/containers.ts";
import { hasPartitions } from "./others/disk.ts";
import { findElf, findMultibootKernel, findPe, findXen, isLinux } from "./others/executables.ts";
import { type Finding, hasText, type Kind, showSize } from "./others/finding.ts";
import { findFdt } from "./others/fit.ts";
import { findIso9660 } from "./others/iso9660.ts";
import { findArm64, findArmZImage, findRiscv, findZboot } from "./others/linux_image.ts";
import { findMultiboot1 } from "./others/multiboot.ts";
import { findTextFile, isText } from "./others/text.ts";
import { findUImage } from "./others/uimage.ts";
import {
  findBootSector,
  findBzImage,
  findOldKernel,
  findZeroPage,
  hasSetupHeader,
  isOldKernel,
  isZeroPage,
} from "./others/x86.ts";
import { recogniseCompression } from "./payload/compression.ts";
import { decompress } from "./payload/decompress.ts";

export type { Field, Finding, Kind } from "./others/finding.ts";

/** What a file is, and what else it is. */
export interface Recognition extends Finding {
  /** What the file is as well, from the more telling to the less. */
  readonly also: readonly Finding[];
  /** What is within, where it was compressed and has been looked into. */
  readonly inside?: Recognition;
}

/** A row of the table: how a kind of file is known. */
export interface Signature {
  /** What it is. */
  readonly kind: Kind;
  /** Where the magic stands, in bytes; absent: the test alone decides. */
  readonly offset?: number;
  /** The magic, a character a byte. */
  readonly magic?: string;
  /** What must hold besides. */
  readonly test?: (bytes: Uint8Array, size: number) => boolean;
  /** Reads the fields; `undefined` if on a closer look it is none. */
  readonly find: (bytes: Uint8Array, size: number) => Finding | undefined;
}

/** Whether the file starts as an ELF or a PE file does. */
const isProgram = (bytes: Uint8Array) => hasText(bytes, 0, "\x7fELF") || hasText(bytes, 0, "MZ");

/** Xen has at most 32 MiB, in ELF with a multiboot header or in PE. */
const mayBeXen = (bytes: Uint8Array, size: number) =>
  size <= 1 << 25 && !isLinux(bytes) &&
  (hasText(bytes, 0, "MZ") ||
    (hasText(bytes, 0, "\x7fELF") && findMultiboot1(bytes) !== undefined));

/** Kernels of other machines carry "MZ" too; multiboot is looked for in the rest. */
const mayMultiboot = (bytes: Uint8Array) =>
  !hasText(bytes, 0, "MZ") && !hasText(bytes, 0x202, "HdrS");

/** The text that tells a user of no boot loader looks like partitions in some kernels. */
const mayBeDisk = (bytes: Uint8Array) => !hasSetupHeader(bytes) && hasPartitions(bytes);

/** All signatures, the most telling first. */
export const signatures: readonly Signature[] = [
  { kind: "zero page", test: isZeroPage, find: findZeroPage },
  { kind: "UKI", offset: 0, magic: "MZ", find: (b) => only("UKI", findPe(b)) },
  { kind: "bzImage", offset: 0x202, magic: "HdrS", test: hasSetupHeader, find: findBzImage },
  {
    kind: "EFI zboot",
    offset: 4,
    magic: "zimg",
    test: (b) => hasText(b, 0, "MZ"),
    find: findZboot,
  },
  { kind: "arm64 Image", offset: 0x38, magic: "ARM\x64", find: findArm64 },
  { kind: "RISC-V Image", offset: 0x38, magic: "RSC\x05", find: findRiscv },
  { kind: "ARM zImage", offset: 0x24, magic: "\x18\x28\x6f\x01", find: findArmZImage },
  { kind: "uImage", offset: 0, magic: "\x27\x05\x19\x56", find: findUImage },
  { kind: "FIT", offset: 0, magic: "\xd0\x0d\xfe\xed", find: findFdt },
  { kind: "Android boot image", offset: 0, magic: "ANDROID!", find: findAndroid },
  { kind: "Android vendor boot image", offset: 0, magic: "VNDRBOOT", find: findAndroidVendor },
  { kind: "Xen hypervisor", test: mayBeXen, find: findXen },
  {
    kind: "old boot sector kernel",
    offset: 0x1fe,
    magic: "\x55\xaa",
    test: isOldKernel,
    find: findOldKernel,
  },
  { kind: "multiboot1", test: mayMultiboot, find: findMultibootKernel },
  { kind: "PE", offset: 0, magic: "MZ", find: (b) => only("PE", findPe(b)) },
  { kind: "ELF", offset: 0, magic: "\x7fELF", find: findElf },
  { kind: "cpio", test: (b) => recogniseCpio(b) !== undefined, find: findCpio },
  // Compressed data, file systems, archives, disks: a table of their own, by magic alone.
  { kind: "compressed", find: findContainer },
  { kind: "ISO 9660", offset: 0x8001, magic: "CD001", find: findIso9660 },
  {
    kind: "disk image",
    offset: 0x1fe,
    magic: "\x55\xaa",
    test: mayBeDisk,
    find: findBootSector,
  },
  {
    kind: "disk image",
    offset: 0x200,
    magic: "EFI PART",
    test: (b) => !hasPartitions(b),
    find: findBootSector,
  },
  {
    kind: "boot sector",
    offset: 0x1fe,
    magic: "\x55\xaa",
    test: (b) => !isProgram(b) && !hasSetupHeader(b) && !isOldKernel(b) && !hasPartitions(b),
    find: findBootSector,
  },
  { kind: "text", test: isText, find: findTextFile },
];

function only(kind: Kind, finding: Finding | undefined): Finding | undefined {
  return finding?.kind === kind ? finding : undefined;
}

function findCpio(bytes: Uint8Array): Finding {
  const format = recogniseCpio(bytes);
  const isTaken = format === "newc" || format === "crc";
  return {
    kind: "cpio",
    title: `cpio archive, ${format} format`,
    fields: [{ name: "format", value: format ?? "" }],
    hint: isTaken
      ? "an initramfs or its first part: bootinfo --initramfs lists it"
      : "the kernel takes newc archives only: make it with cpio -H newc",
  };
}

/**
 * Tells what a file is. Nothing throws: a decoder that fails leaves its kind and
 * the reason as a complaint.
 *
 * @param bytes The file, or its start; the first 64 KiB tell most kinds, an ISO
 *   image's boot catalog and the sums of large images want more.
 * @param size The file's size in bytes; default what was given.
 */
export function recognise(bytes: Uint8Array, size: number = bytes.length): Recognition {
  if (size === 0) {
    return {
      kind: "empty",
      title: "empty file",
      fields: [],
      hint: "has no bytes at all",
      also: [],
    };
  }
  if (bytes.every((byte) => byte === 0)) {
    return {
      kind: "empty",
      title: `nothing but zeros, ${showSize(size)}`,
      fields: [],
      hint: "no kernel: a hole, a blank disk, or a copy that went wrong",
      also: [],
    };
  }
  const found: Finding[] = [];
  for (const { kind, offset = 0, magic = "", test, find } of signatures) {
    if (!hasText(bytes, offset, magic)) continue;
    try {
      if (test !== undefined && !test(bytes, size)) continue;
      const finding = find(bytes, size);
      if (finding !== undefined) found.push(finding);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      found.push(broken(kind, error));
    }
  }
  const [best, ...also] = found;
  if (best !== undefined) return { ...best, also };
  return {
    kind: "unknown",
    title: `unknown data, ${showSize(size)}`,
    fields: [{ name: "first_bytes", value: showStart(bytes) }],
    hint: "none of the formats known here",
    also: [],
  };
}

function broken(kind: Kind, { place, problem, message }: FormatError): Finding {
  return {
    kind,
    title: `${kind}, damaged: ${message}`,
    fields: [],
    complaints: [{
      severity: "error",
      offset: place.offset,
      rule: "recognise.damaged",
      message: `${place.structure}: ${problem}`,
    }],
  };
}

function showStart(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 16), (b) => b.toString(16).padStart(2, "0")).join(" ");
}

/**
 * As {@link recognise}, and where the file is compressed, what is within.
 *
 * @param limit Most bytes to unpack; default 256 MiB.
 * @returns Without `inside` where it is not compressed or does not unpack; why
 *   not is then a complaint.
 */
export async function recogniseInside(
  bytes: Uint8Array,
  size: number = bytes.length,
  limit: number = 1 << 28,
): Promise<Recognition> {
  const outer = recognise(bytes, size);
  const format = outer.kind === "compressed" ? recogniseCompression(bytes) : undefined;
  if (format === undefined) return outer;
  try {
    const unpacked = await decompress(format, bytes, { limit });
    return { ...outer, inside: recognise(unpacked.bytes) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return {
      ...outer,
      complaints: [...outer.complaints ?? [], {
        severity: "error",
        offset: error.place.offset,
        rule: "recognise.unpack",
        message: `${error.place.structure}: ${error.problem}`,
      }],
    };
  }
}
