/**
 * The setup header: the part of a kernel image that kernel and boot loader share.
 *
 * Bytes 0x1f1 to 0x26c of the file. The loader copies them into the zero page at
 * the same offset, fills in its own fields and jumps. The header grew with every
 * protocol version; a field that the image's version lacks is absent from the
 * record, even where the file has bytes at its place.
 *
 * Source: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"; ends
 * of the older headers from the sources of their releases.
 *
 * @module
 */

import { hex, need } from "./errors.ts";
import { decode, type Decoded, type Structure } from "./layout.ts";

/** Platform types, as the kernel's uapi header bootparam.h assigns them. */
export const platformTypes = ["pc", "lguest", "xen", "intel-mid", "ce4100"] as const;
/** One of the platform types that `hardware_subarch` has a number for. */
export type PlatformType = typeof platformTypes[number];

/** Boot loaders by the high nibble of `type_of_loader`; 0xe is extended. */
export const loaderTypes: Readonly<Record<number, string>> = {
  0x0: "LILO",
  0x1: "Loadlin",
  0x2: "bootsect-loader",
  0x3: "Syslinux",
  0x4: "Etherboot/gPXE/iPXE",
  0x5: "ELILO",
  0x7: "GRUB",
  0x8: "U-Boot",
  0x9: "Xen",
  0xa: "Gujin",
  0xb: "QEMU",
  0xc: "Arcturus Networks uCbootloader",
  0xd: "kexec-tools",
  0xf: "special",
  0x10: "reserved",
  0x11: "Minimal Linux Bootloader",
  0x12: "OVMF UEFI virtualization stack",
  0x13: "barebox",
};

/** A protocol version as people write it: 0x020f is "2.15". */
export function showProtocol(version: number): string {
  return `${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
}

/** "HdrS", the letters every header since protocol 2.00 carries. */
export const HDRS = 0x53726448;

const vidModes: Readonly<Record<number, string>> = {
  0xffff: "normal (80x25)",
  0xfffe: "extended (80x50)",
  0xfffd: "ask at boot",
  0x0f00: "80x25",
  0x0f01: "8-point font",
  0x0f02: "80x43",
  0x0f03: "80x28",
  0x0f04: "current mode",
  0x0f05: "80x30",
  0x0f06: "80x34",
  0x0f07: "80x60",
  0x0f08: "graphics hack",
};

function showVidMode(mode: number): string {
  const named = vidModes[mode];
  if (named !== undefined) return named;
  const recalculate = mode & 0x8000 ? ", scan lines recalculated" : "";
  const id = mode & 0x7fff;
  if (id < 0x100) return `menu entry ${id}${recalculate}`;
  if (id < 0x200) return `BIOS mode ${hex(id - 0x100)}${recalculate}`;
  if (id < 0x900) return `VESA mode ${hex(id - 0x200)}${recalculate}`;
  if (id < 0xa00) return `Video7 mode ${hex(id - 0x900)}${recalculate}`;
  if (id < 0x1000) return vidModes[id] ? `${vidModes[id]}${recalculate}` : "unassigned";
  return `${id & 0xff} columns, ${id >> 8} rows${recalculate}`;
}

const rootDevices: Readonly<Record<number, string>> = {
  1: "ram",
  2: "fd",
  3: "hda",
  7: "loop",
  8: "sda",
  9: "md",
  22: "hdc",
};

function showRootDev(device: number): string {
  if (device === 0) return "none, left to the command line";
  const [major, minor] = [device >> 8, device & 0xff];
  const name = rootDevices[major];
  const number = `${major}:${minor}`;
  if (name === undefined) return number;
  if (major === 3 || major === 22) {
    const disk = String.fromCharCode(name.charCodeAt(2) + (minor >> 6));
    return `hd${disk}${minor & 63 || ""} (${number})`;
  }
  if (major === 8) {
    return `sd${String.fromCharCode(97 + (minor >> 4))}${minor & 15 || ""} (${number})`;
  }
  return `${name}${minor} (${number})`;
}

function showLoader(type: number): string {
  if (type === 0) return "none yet";
  const name = loaderTypes[type >> 4];
  if (type >> 4 === 0xe) return `extended, version bits ${type & 15}`;
  if (type === 0xff) return "undefined loader";
  return `${name ?? "unassigned"}, version ${type & 15}`;
}

function bytesOf(size: number | bigint): string {
  const n = Number(size);
  if (n >= 1 << 20 && n % (1 << 20) === 0) return `${n / (1 << 20)} MiB`;
  if (n >= 1 << 10 && n % (1 << 10) === 0) return `${n / (1 << 10)} KiB`;
  return `${n} bytes`;
}

/** Bits of `loadflags`. */
export const loadflags = {
  0: "LOADED_HIGH",
  1: "KASLR_FLAG",
  5: "QUIET_FLAG",
  6: "KEEP_SEGMENTS",
  7: "CAN_USE_HEAP",
} as const;

/** `loadflags`: the protected-mode part goes to 0x100000, a bzImage. */
export const LOADED_HIGH = 0x01;

/** Bits of `xloadflags`. */
export const xloadflags = {
  0: "XLF_KERNEL_64",
  1: "XLF_CAN_BE_LOADED_ABOVE_4G",
  2: "XLF_EFI_HANDOVER_32",
  3: "XLF_EFI_HANDOVER_64",
  4: "XLF_EFI_KEXEC",
  5: "XLF_5LEVEL",
  6: "XLF_5LEVEL_ENABLED",
  7: "XLF_MEM_ENCRYPTION",
} as const;

/** `xloadflags`: there is a 64-bit entry, 0x200 into the protected-mode part. */
export const XLF_KERNEL_64 = 0x01;

/**
 * struct setup_header, protocol 2.15. Offsets count from the start of the image,
 * and equally of the zero page.
 */
export const setupHeader = {
  name: "setup_header",
  base: 0x1f1,
  size: 0x26c - 0x1f1,
  fields: {
    setup_sects: {
      at: 0x1f1,
      type: "u8",
      direction: "read",
      doc: "Length of the real-mode code, less the boot sector; 0 stands for 4.",
      show: (n: number): string => `${n || 4} × 512 bytes${n === 0 ? ", as 0 stands for 4" : ""}`,
    },
    root_flags: {
      at: 0x1f2,
      type: "u16",
      direction: "modify",
      doc: "Nonzero: the root is mounted read-only unless the command line says otherwise.",
      show: (n: number): string => n ? "root read-only" : "root read-write",
    },
    syssize: {
      at: 0x1f4,
      type: "u32",
      direction: "read",
      doc: "Length of the protected-mode code in units of 16 bytes; 16 bits wide before 2.04.",
      show: (n: number): string => `${n * 16} bytes`,
    },
    ram_size: {
      at: 0x1f8,
      type: "u16",
      doc: "The old ramdisk word: bits 0-10 start block, 14 load, 15 prompt; obsolete.",
    },
    vid_mode: {
      at: 0x1fa,
      type: "u16",
      direction: "modify",
      doc: "Video mode, as `vga=` sets it.",
      show: (n: number): string => showVidMode(n),
    },
    root_dev: {
      at: 0x1fc,
      type: "u16",
      direction: "modify",
      doc: "Default root device, major and minor in 8 bits each; obsolete.",
      show: (n: number): string => showRootDev(n),
    },
    boot_flag: {
      at: 0x1fe,
      type: "u16",
      direction: "read",
      doc: "0xaa55, the mark of a boot sector.",
      check: (n: number): string | undefined =>
        n === 0xaa55 ? undefined : `needs 0xaa55, found ${hex(n, 4)}`,
    },
    jump: {
      at: 0x200,
      type: "u16",
      since: 0x200,
      direction: "read",
      doc: "A short jump over the header; its distance tells where the header ends.",
      show: (n: number): string =>
        (n & 0xff) === 0xeb
          ? `jmp short, header ends at ${hex(0x202 + (n >> 8))}`
          : "not a short jump, header end not told",
    },
    header: {
      at: 0x202,
      type: "u32",
      since: 0x200,
      direction: "read",
      doc: 'The letters "HdrS".',
      show: (n: number): string => n === HDRS ? '"HdrS"' : "not HdrS",
      check: (n: number): string | undefined =>
        n === HDRS ? undefined : `needs 0x53726448 ("HdrS"), found ${hex(n, 8)}`,
    },
    version: {
      at: 0x206,
      type: "u16",
      since: 0x200,
      direction: "read",
      doc: "Boot protocol version, major in the high byte.",
      show: (n: number): string => showProtocol(n),
    },
    realmode_swtch: {
      at: 0x208,
      type: "u32",
      since: 0x200,
      direction: "modify",
      doc: "Hook: real-mode far pointer called just before protected mode; 0 none.",
      show: (n: number): string => n ? `${hex(n >>> 16, 4)}:${hex(n & 0xffff, 4)}` : "no hook",
    },
    start_sys_seg: {
      at: 0x20c,
      type: "u16",
      since: 0x200,
      direction: "read",
      doc: "Load-low segment 0x1000; obsolete. Named start_sys up to 4.9.",
    },
    kernel_version: {
      at: 0x20e,
      type: "u16",
      since: 0x200,
      direction: "read",
      doc: "Where the version string is, less 0x200; 0 none.",
      show: (n: number): string => n ? `string at ${hex(n + 0x200)}` : "no string",
    },
    type_of_loader: {
      at: 0x210,
      type: "u8",
      since: 0x200,
      direction: "write",
      doc: "Who loads: type in the high nibble, version in the low one.",
      show: (n: number): string => showLoader(n),
    },
    loadflags: {
      at: 0x211,
      type: "u8",
      since: 0x200,
      direction: "modify",
      doc: "Boot protocol option flags.",
      bits: loadflags,
    },
    setup_move_size: {
      at: 0x212,
      type: "u16",
      since: 0x200,
      direction: "modify",
      doc: "Bytes from the boot sector on that kernels of 2.00 and 2.01 move to 0x90000.",
      show: (n: number): string => bytesOf(n),
    },
    code32_start: {
      at: 0x214,
      type: "u32",
      since: 0x200,
      direction: "modify",
      doc: "Hook: address that setup jumps to in protected mode, the load address by default.",
    },
    ramdisk_image: {
      at: 0x218,
      type: "u32",
      since: 0x200,
      direction: "write",
      doc: "Physical address of the initrd, low half; 0 none.",
    },
    ramdisk_size: {
      at: 0x21c,
      type: "u32",
      since: 0x200,
      direction: "write",
      doc: "Size of the initrd in bytes, low half.",
      show: (n: number): string => bytesOf(n),
    },
    bootsect_kludge: {
      at: 0x220,
      type: "u32",
      since: 0x200,
      doc: "Far pointer of the old floppy boot sector; obsolete.",
    },
    heap_end_ptr: {
      at: 0x224,
      type: "u16",
      since: 0x201,
      direction: "write",
      doc: "End of setup's heap and stack, from the start of the real-mode code, less 0x200.",
      show: (n: number): string => `heap ends at ${hex(n + 0x200)}`,
    },
    ext_loader_ver: {
      at: 0x226,
      type: "u8",
      since: 0x20a,
      direction: "write",
      doc: "Bits 4 to 11 of the loader's version.",
    },
    ext_loader_type: {
      at: 0x227,
      type: "u8",
      since: 0x20a,
      direction: "write",
      doc: "Loader type less 0x10, where the nibble in type_of_loader is 0xe.",
    },
    cmd_line_ptr: {
      at: 0x228,
      type: "u32",
      since: 0x202,
      direction: "write",
      doc: "Physical address of the command line, low half; 0 the protocol before 2.02.",
    },
    initrd_addr_max: {
      at: 0x22c,
      type: "u32",
      since: 0x203,
      direction: "read",
      doc: "Highest address that a byte of the initrd may have.",
    },
    kernel_alignment: {
      at: 0x230,
      type: "u32",
      since: 0x205,
      direction: "modify",
      doc: "Alignment the kernel wants at its run-time address; a power of two.",
      show: (n: number): string => bytesOf(n),
      check: (n: number): string | undefined =>
        n === 0 || (n & (n - 1)) === 0 ? undefined : `needs a power of two, found ${hex(n)}`,
    },
    relocatable_kernel: {
      at: 0x234,
      type: "u8",
      since: 0x205,
      direction: "read",
      doc: "Nonzero: the protected-mode part may be loaded at any aligned address.",
      show: (n: number): string => n ? "yes" : "no",
    },
    min_alignment: {
      at: 0x235,
      type: "u8",
      since: 0x20a,
      direction: "read",
      doc: "Least alignment with which the kernel boots, as a power of two.",
      show: (n: number): string => bytesOf(2 ** n),
    },
    xloadflags: {
      at: 0x236,
      type: "u16",
      since: 0x20c,
      direction: "read",
      doc: "What the kernel can do for its loader.",
      bits: xloadflags,
    },
    cmdline_size: {
      at: 0x238,
      type: "u32",
      since: 0x206,
      direction: "read",
      doc: "Longest command line, without the closing NUL; 255 where absent.",
      show: (n: number): string => `${n} characters`,
    },
    hardware_subarch: {
      at: 0x23c,
      type: "u32",
      since: 0x207,
      direction: "write",
      doc: "Platform type: which machine the kernel is to believe in.",
      show: (n: number): string => platformTypes[n] ?? "unassigned",
    },
    hardware_subarch_data: {
      at: 0x240,
      type: "u64",
      since: 0x207,
      direction: "write",
      doc: "Whatever the platform type wants; unused by pc.",
    },
    payload_offset: {
      at: 0x248,
      type: "u32",
      since: 0x208,
      direction: "read",
      doc: "Start of the compressed kernel, from the protected-mode code; 0 unknown.",
    },
    payload_length: {
      at: 0x24c,
      type: "u32",
      since: 0x208,
      direction: "read",
      doc: "Length of the compressed kernel, its word of uncompressed size included.",
      show: (n: number): string => bytesOf(n),
    },
    setup_data: {
      at: 0x250,
      type: "u64",
      since: 0x209,
      direction: "write",
      doc: "Physical address of the first node in the setup_data list; 0 none.",
    },
    pref_address: {
      at: 0x258,
      type: "u64",
      since: 0x20a,
      direction: "read",
      doc: "Load address the kernel prefers.",
    },
    init_size: {
      at: 0x260,
      type: "u32",
      since: 0x20a,
      direction: "read",
      doc: "Memory in one piece that the kernel needs at its run-time address before it " +
        "knows the memory map.",
      show: (n: number): string => bytesOf(n),
    },
    handover_offset: {
      at: 0x264,
      type: "u32",
      since: 0x20b,
      direction: "read",
      doc: "EFI handover entry, from the protected-mode code; 0 none.",
    },
    kernel_info_offset: {
      at: 0x268,
      type: "u32",
      since: 0x20f,
      direction: "read",
      doc: "Where kernel_info is, from the protected-mode code.",
    },
  },
} as const satisfies Structure;

/**
 * What stands at 0x1f4 before protocol 2.04: a 16-bit syssize, then the swap
 * device of a time when the boot sector had one.
 */
export const syssizeBefore204 = {
  name: "setup_header",
  base: 0x1f4,
  size: 4,
  fields: {
    syssize: {
      at: 0x1f4,
      type: "u16",
      doc: "Length of the protected-mode code in units of 16 bytes, its low 16 bits.",
    },
    swap_dev: { at: 0x1f6, type: "u16", doc: "Swap device; obsolete." },
  },
} as const satisfies Structure;

/** The table for a protocol version: before 2.04 with the narrow syssize and swap_dev. */
export function setupHeaderTable(version: number): Structure {
  if ((version & 0x7fff) >= 0x204) return setupHeader;
  const fields = { ...setupHeader.fields, ...syssizeBefore204.fields };
  const inOrder = Object.entries(fields).sort(([, a], [, b]) => a.at - b.at);
  return { ...setupHeader, fields: Object.fromEntries(inOrder) };
}

/** A decoded setup header; fields the protocol version lacks are absent. */
export type SetupHeader = Decoded<typeof setupHeader> & {
  /** Before protocol 2.04 only. */
  readonly swap_dev?: number;
};

/** A setup header and what there is to know about its extent. */
export interface FoundHeader {
  /** The fields. */
  readonly fields: SetupHeader;
  /** Protocol version as in the header, 0x020f for 2.15; 0 without "HdrS". */
  readonly version: number;
  /** Offset just past the last byte of the header in the image. */
  readonly end: number;
  /** Where the header of that protocol version ends by its documentation. */
  readonly nominalEnd: number;
}

const nominalEnds: readonly (readonly [version: number, end: number])[] = [
  [0x20f, 0x26c],
  [0x20b, 0x268],
  [0x20a, 0x264],
  [0x209, 0x258],
  [0x208, 0x250],
  [0x207, 0x248],
  [0x206, 0x23c],
  [0x205, 0x235],
  [0x203, 0x230],
  [0x202, 0x22c],
  [0x201, 0x226],
  [0x200, 0x224],
];

/**
 * Where the header of a protocol version ends. A version newer than 2.15 is
 * taken for 2.15, as it can only have added.
 */
export function nominalHeaderEnd(version: number): number {
  return nominalEnds.find(([since]) => version >= since)?.[1] ?? 0x200;
}

/**
 * Reads the setup header of an image or a zero page.
 *
 * Without "HdrS" the kernel is older than 1.3.73 and has only the words of the
 * boot sector. The `boot_flag` is not insisted on.
 *
 * @param bytes The image or the zero page, from its first byte.
 * @throws {FormatError} If the input ends within the header.
 */
export function decodeSetupHeader(bytes: Uint8Array): FoundHeader {
  need(bytes, { structure: "setup_header", offset: 0x1f1 }, 15);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasHeader = bytes.length >= 0x206 && view.getUint32(0x202, true) === HDRS;
  if (!hasHeader) return headerOf(bytes, 0, 0x200);
  need(bytes, { structure: "setup_header", field: "version", offset: 0x206 }, 2);
  const version = view.getUint16(0x206, true);
  // Tour image 020
  //
  // How long is the header? It has grown since 1995 without ever saying so in a
  // length field. But it must be jumped over: the setup code starts with a short
  // jump, and the distance of that jump is the answer. Loaders that copied a fixed
  // number of bytes instead have fed more than one kernel a piece of its own code.
  const end = bytes[0x200] === 0xeb ? 0x202 + (bytes[0x201] ?? 0) : nominalHeaderEnd(version);
  return headerOf(bytes, version, end);
}

/**
 * Reads the setup header as a given protocol version has it, whatever the bytes
 * say: a zero page made by the kernel itself need not carry "HdrS".
 *
 * @throws {FormatError} If the input ends within the header.
 */
export function headerOf(bytes: Uint8Array, version: number, end: number): FoundHeader {
  // Bit 15 was set by loaders of the burnt version 2.14 to say "I wrote the RSDP".
  const known = version & 0x7fff;
  const fields = decode(setupHeader, bytes, { at: 0x1f1, version: known, end });
  return {
    fields: known >= 0x204
      ? fields
      : { ...fields, ...decode(syssizeBefore204, bytes, { at: 0x1f4 }) },
    version,
    end,
    nominalEnd: nominalHeaderEnd(known),
  };
}
