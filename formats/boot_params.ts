/**
 * boot_params, the zero page: all that a boot loader has to tell the kernel, on
 * one page of 4096 bytes.
 *
 * The setup header sits in its middle, at the offset it has in the image. Around
 * it lies what loader or setup code found out about the machine: screen, memory
 * map, disks, EFI, firmware. The name comes from kernels before 2.02, whose
 * setup code left the page at the start of the kernel's own memory.
 *
 * The table is the layout of current kernels; formats/history.ts knows the older
 * ones. Padding is a row, so every byte has a name.
 *
 * Source: arch/x86/include/uapi/asm/bootparam.h and
 * Documentation/arch/x86/zero-page.rst.
 *
 * @module
 */

import { eddInfo } from "./edd.ts";
import { hex, need } from "./errors.ts";
import { decode, type Decoded, isPresent, sizeOf, type Structure } from "./layout.ts";
import { screenInfo } from "./screen_info.ts";
import {
  type FoundHeader,
  HDRS,
  headerOf,
  nominalHeaderEnd,
  setupHeader,
  showProtocol,
} from "./setup_header.ts";

/** Size of the zero page in bytes. */
export const BOOT_PARAMS_SIZE = 4096;

/** Entries of the memory map that fit the zero page. */
export const E820_MAX_ENTRIES_ZEROPAGE = 128;

/** No setup header may pass this offset: EDD data begins there. */
export const HEADER_LIMIT = 0x290;

/** struct apm_bios_info: the APM 32-bit interface, as int 15h AX=5303h tells it. */
export const apmBiosInfo = {
  name: "apm_bios_info",
  size: 20,
  fields: {
    version: { at: 0x00, type: "u16", doc: "APM version in BCD; 0 no APM." },
    cseg: { at: 0x02, type: "u16", doc: "Segment of the 32-bit code." },
    offset: { at: 0x04, type: "u32", doc: "Entry point in the 32-bit code." },
    cseg_16: { at: 0x08, type: "u16", doc: "Segment of the 16-bit code." },
    dseg: { at: 0x0a, type: "u16", doc: "Segment of the data." },
    flags: {
      at: 0x0c,
      type: "u16",
      doc: "What the APM BIOS can do and how it is set.",
      bits: {
        0: "APM_16_BIT_SUPPORT",
        1: "APM_32_BIT_SUPPORT",
        2: "APM_IDLE_SLOWS_CLOCK",
        3: "APM_BIOS_DISABLED",
        4: "APM_BIOS_DISENGAGED",
      },
    },
    cseg_len: { at: 0x0e, type: "u16", doc: "Length of the 32-bit code segment." },
    cseg_16_len: { at: 0x10, type: "u16", doc: "Length of the 16-bit code segment." },
    dseg_len: { at: 0x12, type: "u16", doc: "Length of the data segment." },
  },
} as const satisfies Structure;

/** struct ist_info: Intel SpeedStep, as int 15h AX=e980h tells it. */
export const istInfo = {
  name: "ist_info",
  size: 16,
  fields: {
    signature: {
      at: 0x00,
      type: "u32",
      doc: "EAX of the BIOS's answer; 0 not asked.",
      show: (n: number): string => showIst(n),
    },
    command: { at: 0x04, type: "u32", doc: "EBX of the answer: SMI port and command byte." },
    event: { at: 0x08, type: "u32", doc: "ECX of the answer: SMI event port." },
    perf_level: { at: 0x0c, type: "u32", doc: "EDX of the answer: performance level." },
  },
} as const satisfies Structure;

/** struct sys_desc_table: the MCA feature table, obsolete. */
export const sysDescTable = {
  name: "sys_desc_table",
  size: 16,
  fields: {
    length: { at: 0x00, type: "u16", doc: "Bytes of the table; 0 none." },
    table: { at: 0x02, type: "bytes", size: 14, doc: "Answer of int 15h AH=c0h, its first bytes." },
  },
} as const satisfies Structure;

/** struct olpc_ofw_header: Open Firmware of the One Laptop per Child machines. */
export const olpcOfwHeader = {
  name: "olpc_ofw_header",
  size: 16,
  fields: {
    ofw_magic: {
      at: 0x00,
      type: "u32",
      doc: 'The letters "OFW ", 0x2057464f, where there is such a firmware.',
      values: { 0: "no Open Firmware", 0x2057464f: '"OFW "' },
    },
    ofw_version: { at: 0x04, type: "u32", doc: "Version of the interface." },
    cif_handler: { at: 0x08, type: "u32", doc: "Address of the firmware's callback." },
    irq_desc_table: { at: 0x0c, type: "u32", doc: "Address of its interrupt descriptor table." },
  },
} as const satisfies Structure;

/** struct edid_info: the monitor's own description, VESA's 128 bytes. */
export const edidInfo = {
  name: "edid_info",
  size: 128,
  fields: {
    dummy: {
      at: 0x00,
      type: "bytes",
      size: 128,
      doc: "The EDID block; filled with 0x13 where setup asked the BIOS for it in vain.",
      show: (bytes: Uint8Array): string => showEdid(bytes),
    },
  },
} as const satisfies Structure;

/** struct efi_info: what EFI handed to the loader; 32 bytes. */
export const efiInfo = {
  name: "efi_info",
  size: 32,
  fields: {
    efi_loader_signature: {
      at: 0x00,
      type: "u32",
      doc: 'The letters "EL32" or "EL64": booted by EFI of that width. Since 2.6.25.',
      values: { 0: "not booted by EFI", 0x32334c45: '"EL32"', 0x34364c45: '"EL64"' },
    },
    efi_systab: { at: 0x04, type: "u32", doc: "Physical address of the EFI system table." },
    efi_memdesc_size: { at: 0x08, type: "u32", doc: "Bytes of one entry of EFI's memory map." },
    efi_memdesc_version: { at: 0x0c, type: "u32", doc: "Version of such an entry." },
    efi_memmap: { at: 0x10, type: "u32", doc: "Physical address of EFI's memory map." },
    efi_memmap_size: { at: 0x14, type: "u32", doc: "Bytes of EFI's memory map." },
    efi_systab_hi: { at: 0x18, type: "u32", doc: "Upper half of efi_systab." },
    efi_memmap_hi: { at: 0x1c, type: "u32", doc: "Upper half of efi_memmap." },
  },
} as const satisfies Structure;

/** Kinds of memory in the e820 map. */
export const e820Types = {
  1: "RAM",
  2: "RESERVED",
  3: "ACPI",
  4: "NVS",
  5: "UNUSABLE",
  7: "PMEM",
  12: "PRAM",
  128: "RESERVED_KERN",
  0xefffffff: "SOFT_RESERVED",
} as const;

/** struct boot_e820_entry: one range of the memory map, 20 bytes packed. */
export const bootE820Entry = {
  name: "boot_e820_entry",
  size: 20,
  fields: {
    addr: {
      at: 0x00,
      type: "u64",
      doc: "First physical address.",
      show: (n: bigint): string => hex(n),
    },
    size: { at: 0x08, type: "u64", doc: "Bytes.", show: (n: bigint): string => hex(n) },
    type: { at: 0x10, type: "u32", doc: "What kind of memory it is.", values: e820Types },
  },
} as const satisfies Structure;

/** A decoded range of the memory map. */
export type E820Entry = Decoded<typeof bootE820Entry>;

/** struct boot_params, 4096 bytes, as kernels of 6.1 and later have it. */
export const bootParams = {
  name: "boot_params",
  size: BOOT_PARAMS_SIZE,
  fields: {
    screen_info: { at: 0x000, type: "struct", of: screenInfo, doc: "The screen." },
    apm_bios_info: { at: 0x040, type: "struct", of: apmBiosInfo, doc: "The APM BIOS." },
    _pad2: { at: 0x054, type: "pad", size: 4, doc: "Padding." },
    tboot_addr: {
      at: 0x058,
      type: "u64",
      doc: "Physical address of Trusted Boot's shared page; 0 none. Since 2.6.32.",
    },
    ist_info: { at: 0x060, type: "struct", of: istInfo, doc: "Intel SpeedStep." },
    acpi_rsdp_addr: {
      at: 0x070,
      type: "u64",
      doc: "Physical address of ACPI's root pointer; 0 the kernel looks for it. Since 5.0.",
    },
    _pad3: { at: 0x078, type: "pad", size: 8, doc: "Padding." },
    hd0_info: {
      at: 0x080,
      type: "bytes",
      size: 16,
      doc: "BIOS parameters of the first hard disk, from the vector of int 41h; obsolete.",
    },
    hd1_info: {
      at: 0x090,
      type: "bytes",
      size: 16,
      doc: "BIOS parameters of the second hard disk, from the vector of int 46h; obsolete.",
    },
    sys_desc_table: {
      at: 0x0a0,
      type: "struct",
      of: sysDescTable,
      doc: "The MCA feature table; obsolete.",
    },
    olpc_ofw_header: {
      at: 0x0b0,
      type: "struct",
      of: olpcOfwHeader,
      doc: "Open Firmware of OLPC machines. Since 2.6.36.",
    },
    ext_ramdisk_image: {
      at: 0x0c0,
      type: "u32",
      doc: "Upper half of hdr.ramdisk_image. Since protocol 2.12.",
    },
    ext_ramdisk_size: {
      at: 0x0c4,
      type: "u32",
      doc: "Upper half of hdr.ramdisk_size. Since protocol 2.12.",
    },
    ext_cmd_line_ptr: {
      at: 0x0c8,
      type: "u32",
      doc: "Upper half of hdr.cmd_line_ptr. Since protocol 2.12.",
    },
    _pad4: { at: 0x0cc, type: "pad", size: 112, doc: "Padding." },
    cc_blob_address: {
      at: 0x13c,
      type: "u32",
      doc: "Physical address of the confidential-computing blob; 0 none. Since 5.19.",
    },
    edid_info: { at: 0x140, type: "struct", of: edidInfo, doc: "The monitor." },
    efi_info: { at: 0x1c0, type: "struct", of: efiInfo, doc: "EFI's tables." },
    alt_mem_k: {
      at: 0x1e0,
      type: "u32",
      doc: "Memory above 1 MiB in KiB, by the calls after int 15h AH=88h; second choice to e820.",
      show: (n: number): string => `${n} KiB above 1 MiB`,
    },
    scratch: {
      at: 0x1e4,
      type: "u32",
      doc: "The kernel's own: its 32-bit entry uses this word as a stack to learn where it is.",
    },
    e820_entries: { at: 0x1e8, type: "u8", doc: "Entries of e820_table that count." },
    eddbuf_entries: { at: 0x1e9, type: "u8", doc: "Entries of eddbuf that count." },
    edd_mbr_sig_buf_entries: {
      at: 0x1ea,
      type: "u8",
      doc: "Entries of edd_mbr_sig_buffer that count.",
    },
    kbd_status: {
      at: 0x1eb,
      type: "u8",
      doc: "Keyboard flags as int 16h AH=02h tells; the kernel takes NumLock from it. Since 3.4.",
      bits: {
        0: "right Shift",
        1: "left Shift",
        2: "Ctrl",
        3: "Alt",
        4: "ScrollLock",
        5: "NumLock",
        6: "CapsLock",
        7: "Insert",
      },
    },
    secure_boot: {
      at: 0x1ec,
      type: "u8",
      doc: "State of EFI Secure Boot, as the EFI stub found it. Since 4.11.",
      values: { 0: "unset", 1: "unknown", 2: "disabled", 3: "enabled" },
    },
    _pad5: { at: 0x1ed, type: "pad", size: 2, doc: "Padding." },
    sentinel: {
      at: 0x1ef,
      type: "u8",
      doc: "0xff in images since 3.8: nonzero here means the loader copied more than the header, " +
        "and the kernel clears what it cannot trust.",
      show: (n: number): string =>
        n === 0 ? "0, the page was zeroed first" : "set, the page will be sanitized",
    },
    _pad6: { at: 0x1f0, type: "pad", size: 1, doc: "Padding." },
    hdr: { at: 0x1f1, type: "struct", of: setupHeader, doc: "The setup header." },
    _pad7: {
      at: 0x26c,
      type: "pad",
      size: HEADER_LIMIT - 0x26c,
      doc: "Room for the setup header to grow.",
    },
    edd_mbr_sig_buffer: {
      at: 0x290,
      type: "array",
      of: "u32",
      count: 16,
      doc: "MBR signatures of the BIOS drives, from 0x80 on.",
    },
    e820_table: {
      at: 0x2d0,
      type: "array",
      of: bootE820Entry,
      count: E820_MAX_ENTRIES_ZEROPAGE,
      doc: "The memory map; more entries come as setup_data.",
    },
    _pad8: { at: 0xcd0, type: "pad", size: 48, doc: "Padding." },
    eddbuf: { at: 0xd00, type: "array", of: eddInfo, count: 6, doc: "BIOS drives." },
    _pad9: { at: 0xeec, type: "pad", size: 276, doc: "Padding." },
  },
} as const satisfies Structure;

/** How the version of a zero page's header was come by. */
export type VersionBasis =
  /** "HdrS" is there, so the version word counts. */
  | "HdrS"
  /** No "HdrS", but a plausible version word: pages made by the kernel itself. */
  | "version word"
  /** No version; the lowest protocol that has a field for every byte that is set. */
  | "fields in use"
  /** Neither, and nothing behind the boot sector's words: older than 2.00, or empty. */
  | "none";

/** Bytes that are set where the page says nothing should be. */
export interface Leftover {
  /** Where: the path of the padding, or of the entry beyond its count. */
  readonly path: string;
  /** Bytes from the start of the page. */
  readonly at: number;
  /** The whole area, zero bytes in it included. */
  readonly bytes: Uint8Array;
}

/** A decoded zero page. */
export interface BootParams {
  /**
   * Every field by the kernel's names. `hdr` has the fields of the page's protocol
   * version; the tables have all their entries, those beyond the count included.
   */
  readonly fields: Decoded<typeof bootParams>;
  /** The setup header with its extent. */
  readonly header: FoundHeader;
  /** What the header's version rests on. */
  readonly versionBasis: VersionBasis;
  /** The memory map: the first `e820_entries` of `e820_table`. */
  readonly e820: readonly E820Entry[];
  /** The BIOS drives: the first `eddbuf_entries` of `eddbuf`. */
  readonly edd: Decoded<typeof bootParams>["eddbuf"];
  /** The first `edd_mbr_sig_buf_entries` of `edd_mbr_sig_buffer`. */
  readonly mbrSignatures: readonly number[];
  /** Physical address of the command line, both halves; 0 none. */
  readonly commandLine: bigint;
  /** Physical address and size of the initrd, both halves; 0 none. */
  readonly ramdisk: { readonly address: bigint; readonly size: bigint };
  /** What is set outside fields and counts: in padding, beyond a table's count. */
  readonly leftovers: readonly Leftover[];
}

/**
 * The protocol version of a zero page, and what it rests on.
 *
 * A page the kernel makes for itself, entered by PVH, has a version but no
 * "HdrS"; a page that a loader made for a vmlinux may have neither.
 */
export function versionOf(page: Uint8Array): {
  /** As in the header, 0x020f for 2.15; 0 for older than 2.00. */
  readonly version: number;
  /** What it rests on. */
  readonly basis: VersionBasis;
} {
  need(page, { structure: "boot_params", field: "hdr.version", offset: 0x206 }, 2);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const version = view.getUint16(0x206, true);
  // "HdrS" without a version is what Firecracker fakes for a vmlinux.
  if (view.getUint32(0x202, true) === HDRS && version > 0) return { version, basis: "HdrS" };
  // 2.00 to 2.31, with or without the bit that loaders of the burnt 2.14 set.
  if ((version & 0x7fe0) === 0x200) return { version, basis: "version word" };
  const inUse = Object.values(setupHeader.fields)
    .filter((row) => "since" in row && isUsed(page.subarray(row.at, row.at + sizeOf(row))))
    .map((row) => "since" in row ? row.since : 0);
  return inUse.length === 0
    ? { version: 0, basis: "none" }
    : { version: Math.max(...inUse), basis: "fields in use" };
}

const isUsed = (bytes: Uint8Array): boolean => bytes.some((byte) => byte !== 0);

/**
 * Reads a zero page, with or without "HdrS" (see {@link versionOf}).
 *
 * @param page 4096 bytes; what follows is not looked at.
 * @throws {FormatError} If there are fewer.
 */
export function decodeBootParams(page: Uint8Array): BootParams {
  need(page, { structure: "boot_params", offset: 0 }, BOOT_PARAMS_SIZE);
  const { version, basis } = versionOf(page);
  const header = headerOf(page, version, headerEnd(page, version, basis));
  const fields = { ...decode(bootParams, page), hdr: header.fields };
  return {
    fields,
    header,
    versionBasis: basis,
    e820: fields.e820_table.slice(0, fields.e820_entries),
    edd: fields.eddbuf.slice(0, fields.eddbuf_entries),
    mbrSignatures: fields.edd_mbr_sig_buffer.slice(0, fields.edd_mbr_sig_buf_entries),
    commandLine: wide(header.fields.cmd_line_ptr, fields.ext_cmd_line_ptr),
    ramdisk: {
      address: wide(header.fields.ramdisk_image, fields.ext_ramdisk_image),
      size: wide(header.fields.ramdisk_size, fields.ext_ramdisk_size),
    },
    leftovers: [...leftovers(page, fields, header)],
  };
}

/** The header's end as its jump tells it where that is sane, else by its version. */
function headerEnd(page: Uint8Array, version: number, basis: VersionBasis): number {
  if (basis === "none") return 0x200;
  const told = 0x202 + (page[0x201] ?? 0);
  return basis === "HdrS" && page[0x200] === 0xeb && told <= HEADER_LIMIT
    ? told
    : nominalHeaderEnd(version & 0x7fff);
}

const wide = (low = 0, high = 0): bigint => BigInt(high) << 32n | BigInt(low);

function* leftovers(
  page: Uint8Array,
  fields: Decoded<typeof bootParams>,
  header: FoundHeader,
): Generator<Leftover> {
  const found = (path: string, at: number, size: number): Leftover[] => {
    const bytes = page.subarray(at, at + size);
    return isUsed(bytes) ? [{ path, at, bytes }] : [];
  };
  const beyond = {
    edd_mbr_sig_buffer: fields.edd_mbr_sig_buf_entries,
    e820_table: fields.e820_entries,
    eddbuf: fields.eddbuf_entries,
  };
  for (const [name, row] of Object.entries(bootParams.fields)) {
    if (row.type === "pad") yield* found(name, row.at, row.size);
    if (row.type === "array") {
      const size = sizeOf(row) / row.count;
      for (let i = beyond[name as keyof typeof beyond]; i < row.count; i++) {
        yield* found(`${name}[${i}]`, row.at + i * size, size);
      }
    }
    if (name === "hdr") {
      // Fields that the page's protocol version has not.
      const version = header.version & 0x7fff;
      for (const [field, inner] of Object.entries(setupHeader.fields)) {
        if (isPresent(inner, { version, end: header.end })) continue;
        yield* found(`hdr.${field}`, inner.at, sizeOf(inner));
      }
    }
  }
}

/** How the version of a page was come by, in words. */
export function showVersionBasis(params: BootParams): string {
  const version = showProtocol(params.header.version & 0x7fff);
  switch (params.versionBasis) {
    case "HdrS":
      return `protocol ${version}`;
    case "version word":
      return `protocol ${version} by its version word, without "HdrS"`;
    case "fields in use":
      return `no version; fields of protocol ${version} are set`;
    case "none":
      return 'no version and no "HdrS"';
  }
}

/** A BIOS that lacks a call of int 15h says so by 0x86 in AH. */
function showIst(signature: number): string {
  if (signature === 0) return "not asked";
  return (signature >> 8 & 0xff) === 0x86 ? "the BIOS has no such call" : hex(signature, 8);
}

function showEdid(bytes: Uint8Array): string {
  if (!isUsed(bytes)) return "none";
  if (bytes.every((byte) => byte === 0x13)) return "asked for in vain";
  const magic = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
  if (!magic.every((byte, i) => bytes[i] === byte)) return "no EDID";
  const maker = (bytes[8] ?? 0) << 8 | (bytes[9] ?? 0);
  const letters = [10, 5, 0].map((shift) => String.fromCharCode(64 + (maker >> shift & 31)));
  const product = (bytes[11] ?? 0) << 8 | (bytes[10] ?? 0);
  const sum = bytes.reduce((total, byte) => total + byte, 0) & 0xff;
  return `${letters.join("")} product ${hex(product, 4)}${sum === 0 ? "" : ", checksum wrong"}`;
}
