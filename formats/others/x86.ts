/**
 * What starts by a PC's boot sector: Linux kernels of every age, programs that
 * pretend to be one, other boot sectors; and the zero page.
 *
 * @module
 */

import { FormatError, hex } from "../errors.ts";
import { decodeSetupHeader, HDRS, setupHeader, showProtocol } from "../setup_header.ts";
import { findGpt, gptFields, hasPartitions, mbrFields } from "./disk.ts";
import { field, fieldsOf, type Finding, findText, hasText, showSize, textAt } from "./finding.ts";

/** Programs in the clothes of a kernel, by their version string or their first bytes. */
const programs: readonly {
  readonly name: string;
  readonly test: (version: string, bytes: Uint8Array) => boolean;
  readonly hint: string;
}[] = [
  {
    name: "memdisk",
    test: (version) => /^MEMDISK\b/.test(version),
    hint: "boots the disk image given as initrd: it is no Linux kernel",
  },
  {
    name: "Memtest86+",
    test: (version, bytes) =>
      /^Memtest86\+/i.test(version) || findText(bytes, "Memtest86+", 0, 0x200) >= 0,
    hint: "tests memory: it is no Linux kernel",
  },
  {
    name: "Memtest86",
    // Both lines of it say no more than this; the plus is painted on the screen later.
    test: (version, bytes) => version === "" && findText(bytes, "Memtest86", 0, 1 << 18) >= 0,
    hint: "tests memory: it is no Linux kernel",
  },
  {
    name: "iPXE",
    test: (version, bytes) =>
      /^(i|g)PXE/.test(version) ||
      findText(bytes, "Installation failed - cannot continue", 0, 0x2000) >= 0,
    hint: "boots from the network: it is no Linux kernel",
  },
  {
    name: "GRUB",
    // lnxboot.img: xor ebp, ebp and a jump, before a header of protocol 2.03.
    test: (_, bytes) => hasText(bytes, 0, "\x66\x31\xed\xe9"),
    hint: "GRUB made to be started as a kernel: it is no Linux kernel",
  },
];

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8;

/** Whether a file has the setup header of a kernel: "HdrS" and the boot sector's mark. */
export function hasSetupHeader(bytes: Uint8Array): boolean {
  return hasText(bytes, 0x202, "HdrS") && word(bytes, 0x1fe) === 0xaa55;
}

/** Describes a bzImage, a zImage or a program that pretends to be one. */
export function findBzImage(bytes: Uint8Array, size: number): Finding {
  let header;
  try {
    header = decodeSetupHeader(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { kind: "bzImage", title: "Linux kernel for x86, cut short", fields: [] };
  }
  const { fields, version } = header;
  const isHigh = ((fields.loadflags ?? 0) & 1) !== 0;
  const text = fields.kernel_version ? textAt(bytes, fields.kernel_version + 0x200) : "";
  const release = text.split(" ")[0] ?? "";
  const program = programs.find(({ test }) => test(text, bytes));
  const kind = isHigh ? "bzImage" : "zImage";
  return {
    kind,
    title: program
      ? `${program.name}${text ? ` (${text})` : ""} as an x86 ${kind}, boot protocol ` +
        showProtocol(version)
      : `Linux kernel for x86, ${kind}${release ? `, version ${release}` : ""}, boot protocol ` +
        showProtocol(version),
    fields: [
      ...(text ? [field("version", text)] : []),
      field("protocol", version, showProtocol(version)),
      field("size", size, showSize(size)),
      ...fieldsOf(setupHeader, fields),
    ],
    ...(program ? { hint: program.hint } : {}),
  };
}

/**
 * Whether a boot sector is Linux's own of the time before "HdrS": it starts by
 * moving itself from 0x7c00 to 0x90000.
 */
export function isOldKernel(bytes: Uint8Array): boolean {
  return word(bytes, 0x1fe) === 0xaa55 && !hasText(bytes, 0x202, "HdrS") &&
    hasText(bytes, 0, "\xb8\xc0\x07\x8e\xd8\xb8\x00\x90\x8e\xc0");
}

/** Describes a kernel of the time before "HdrS", or a program made like one. */
export function findOldKernel(bytes: Uint8Array, size: number): Finding {
  const program = programs.find(({ test }) => test("", bytes));
  const sectors = bytes[0x1f1] || 4;
  const { fields } = decodeSetupHeader(bytes);
  return {
    kind: "old boot sector kernel",
    title: program
      ? `${program.name} with the boot sector of an old Linux kernel`
      : "Linux kernel for x86 of before 1.3.73, started by its own boot sector",
    fields: [
      field("setup_sects", bytes[0x1f1] ?? 0, `${sectors} × 512 bytes`),
      ...fieldsOf(setupHeader, fields).filter(({ name }) => name !== "setup_sects"),
      field("size", size, showSize(size)),
    ],
    ...(program ? { hint: program.hint } : {}),
  };
}

/** Loaders by words in their boot sector. */
const sectorNames: readonly (readonly [text: string, name: string])[] = [
  ["GRUB ", "GRUB"],
  ["SYSLINUX", "Syslinux"],
  ["isolinux", "isolinux"],
  ["LILO", "LILO"],
  ["NTLDR", "Windows NT"],
  ["BOOTMGR", "Windows"],
  ["Missing operating system", "a generic MBR"],
];

/** Describes a boot sector or a disk that starts with one. */
export function findBootSector(bytes: Uint8Array, size: number): Finding {
  const gpt = findGpt(bytes);
  const partitions = hasPartitions(bytes);
  const loader = sectorNames.find(([text]) => findText(bytes, text, 0, 512) >= 0)?.[1];
  const fat = hasText(bytes, 0x36, "FAT1")
    ? textAt(bytes, 0x36, 8).trim()
    : hasText(bytes, 0x52, "FAT32")
    ? "FAT32"
    : hasText(bytes, 3, "NTFS    ")
    ? "NTFS"
    : undefined;
  const isDisk = size > 512;
  const parts = [
    gpt ? "GPT partition table" : partitions ? "MBR partition table" : undefined,
    fat === undefined || partitions ? undefined : `${fat} file system`,
    loader && `boot code of ${loader}`,
  ].filter((part) => part !== undefined);
  const isTable = gpt !== undefined || partitions || fat !== undefined;
  return {
    kind: isDisk && isTable ? "disk image" : "boot sector",
    title: `${isDisk && isTable ? "Disk image" : "Boot sector"}` +
      `${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`,
    fields: [
      field("size", size, showSize(size)),
      ...(partitions ? mbrFields(bytes) : []),
      ...(gpt ? gptFields(gpt) : []),
    ],
    hint: isDisk && isTable
      ? "kernels are files in it: attach it as a loop device and mount a partition"
      : "started by the BIOS, no kernel in it",
    ...(gpt && gpt.complaints.length > 0 ? { complaints: gpt.complaints } : {}),
  };
}

/** How a page looks like a zero page: points, and how many are enough. */
const ENOUGH = 4;

function zeroPagePoints(bytes: Uint8Array): { readonly points: number; readonly e820: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes[0x1e8] ?? 0;
  let isMap = count > 0 && count <= 128;
  for (let i = 0; isMap && i < count; i++) {
    const size = view.getBigUint64(0x2d0 + 20 * i + 8, true);
    const start = view.getBigUint64(0x2d0 + 20 * i, true);
    const type = view.getUint32(0x2d0 + 20 * i + 16, true);
    // Types that firmware and the kernel give, its own from 128 on and soft-reserved.
    const isType = (type >= 1 && type <= 20) || type === 128 || type >= 0xefff_ffff;
    isMap = size > 0n && start + size <= 1n << 56n && isType;
  }
  const version = word(bytes, 0x206);
  const points = (isMap ? 3 : 0) +
    (view.getUint32(0x202, true) === HDRS ? 1 : 0) +
    (version >= 0x200 && version <= 0x2ff ? 1 : 0) +
    (bytes[0x210] !== 0 ? 2 : 0) +
    (view.getUint32(0x228, true) !== 0 ? 1 : 0);
  return { points, e820: isMap ? count : 0 };
}

/**
 * Whether a file is a zero page: 4096 bytes with, in the places of `boot_params`,
 * enough of a memory map, a protocol version, a loader and a command line. The
 * letters "HdrS" are not asked for, as a page made for PVH or by kexec need not
 * have them.
 */
export function isZeroPage(bytes: Uint8Array, size: number): boolean {
  return size === 4096 && bytes.length === 4096 && !hasText(bytes, 0, "\x7fELF") &&
    !hasText(bytes, 0, "MZ") && zeroPagePoints(bytes).points >= ENOUGH;
}

/** Describes a zero page. */
export function findZeroPage(bytes: Uint8Array): Finding {
  const { e820 } = zeroPagePoints(bytes);
  const version = word(bytes, 0x206);
  const loader = bytes[0x210] ?? 0;
  const loaderName = setupHeader.fields.type_of_loader.show(loader);
  const hasHdrs = hasText(bytes, 0x202, "HdrS");
  return {
    kind: "zero page",
    title: `Linux zero page (struct boot_params), boot protocol ${showProtocol(version)}` +
      `${hasHdrs ? "" : " without HdrS"}, loader ${loaderName}, ${e820} e820 entries`,
    fields: [
      field("version", version, showProtocol(version)),
      field("header", word(bytes, 0x202) | word(bytes, 0x204) << 16, hasHdrs ? "HdrS" : "not HdrS"),
      field("type_of_loader", loader, loaderName),
      field("e820_entries", bytes[0x1e8] ?? 0),
      field("sentinel", bytes[0x1ef] ?? 0, hex(bytes[0x1ef] ?? 0)),
    ],
  };
}
