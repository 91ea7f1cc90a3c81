/**
 * The headers of a PE/COFF image, as tables.
 *
 * Firmware starts a PE image, so a kernel with an EFI stub, a UKI and a boot
 * loader are all one: a DOS header whose last word says where "PE\0\0" is, the
 * COFF header, the optional header in its 32-bit or 64-bit form, a list of data
 * directories, the section headers. Field names are the specification's.
 *
 * Source: Microsoft, "PE Format"; the kernel's include/linux/pe.h.
 *
 * @module
 */

import { hex } from "./errors.ts";
import { bitNames, type Decoded, type Structure } from "./layout.ts";

/** "MZ". */
export const MZ = 0x5a4d;
/** "PE\0\0". */
export const PE = 0x00004550;

/** IMAGE_DOS_HEADER. Linux images use its first and its last field. */
export const dosHeader = {
  name: "IMAGE_DOS_HEADER",
  size: 64,
  fields: {
    e_magic: { at: 0x00, type: "u16", doc: 'The letters "MZ".', values: { 0x5a4d: "MZ" } },
    e_cblp: { at: 0x02, type: "u16", doc: "Bytes on the last page of the file." },
    e_cp: { at: 0x04, type: "u16", doc: "Pages of 512 bytes in the file." },
    e_crlc: { at: 0x06, type: "u16", doc: "Number of relocations." },
    e_cparhdr: { at: 0x08, type: "u16", doc: "Size of the header in paragraphs of 16 bytes." },
    e_minalloc: { at: 0x0a, type: "u16", doc: "Least extra paragraphs." },
    e_maxalloc: { at: 0x0c, type: "u16", doc: "Most extra paragraphs." },
    e_ss: { at: 0x0e, type: "u16", doc: "Initial SS, relative." },
    e_sp: { at: 0x10, type: "u16", doc: "Initial SP." },
    e_csum: { at: 0x12, type: "u16", doc: "Checksum of the DOS program." },
    e_ip: { at: 0x14, type: "u16", doc: "Initial IP." },
    e_cs: { at: 0x16, type: "u16", doc: "Initial CS, relative." },
    e_lfarlc: { at: 0x18, type: "u16", doc: "File offset of the relocation table." },
    e_ovno: { at: 0x1a, type: "u16", doc: "Overlay number." },
    e_res: { at: 0x1c, type: "pad", size: 8, doc: "Reserved." },
    e_oemid: { at: 0x24, type: "u16", doc: "OEM identifier." },
    e_oeminfo: { at: 0x26, type: "u16", doc: "OEM information." },
    e_res2: { at: 0x28, type: "pad", size: 20, doc: "Reserved." },
    e_lfanew: { at: 0x3c, type: "u32", doc: "File offset of the PE header." },
  },
} as const satisfies Structure;

/** Machine types met among kernels and boot programs. */
export const machines = {
  0x0000: "any",
  0x014c: "i386",
  0x01c0: "ARM",
  0x01c2: "ARM Thumb",
  0x0200: "Itanium",
  0x0ebc: "EFI byte code",
  0x5032: "RISC-V 32",
  0x5064: "RISC-V 64",
  0x6232: "LoongArch 32",
  0x6264: "LoongArch 64",
  0x8664: "x86-64",
  0xaa64: "ARM64",
} as const;

/** Bits of the COFF header's Characteristics. */
export const coffCharacteristics = {
  0: "RELOCS_STRIPPED",
  1: "EXECUTABLE_IMAGE",
  2: "LINE_NUMS_STRIPPED",
  3: "LOCAL_SYMS_STRIPPED",
  4: "AGGRESSIVE_WS_TRIM",
  5: "LARGE_ADDRESS_AWARE",
  7: "BYTES_REVERSED_LO",
  8: "32BIT_MACHINE",
  9: "DEBUG_STRIPPED",
  10: "REMOVABLE_RUN_FROM_SWAP",
  11: "NET_RUN_FROM_SWAP",
  12: "SYSTEM",
  13: "DLL",
  14: "UP_SYSTEM_ONLY",
  15: "BYTES_REVERSED_HI",
} as const;

/** Bits of DllCharacteristics. */
export const dllCharacteristics = {
  5: "HIGH_ENTROPY_VA",
  6: "DYNAMIC_BASE",
  7: "FORCE_INTEGRITY",
  8: "NX_COMPAT",
  9: "NO_ISOLATION",
  10: "NO_SEH",
  11: "NO_BIND",
  12: "APPCONTAINER",
  13: "WDM_DRIVER",
  14: "GUARD_CF",
  15: "TERMINAL_SERVER_AWARE",
} as const;

/** Subsystems. */
export const subsystems = {
  0: "unknown",
  1: "native",
  2: "Windows GUI",
  3: "Windows console",
  9: "Windows CE",
  10: "EFI application",
  11: "EFI boot service driver",
  12: "EFI runtime driver",
  13: "EFI ROM image",
  16: "Windows boot application",
} as const;

/** Bits of a section's Characteristics; bits 20 to 23 are an alignment. */
export const sectionCharacteristics = {
  3: "TYPE_NO_PAD",
  5: "CNT_CODE",
  6: "CNT_INITIALIZED_DATA",
  7: "CNT_UNINITIALIZED_DATA",
  9: "LNK_INFO",
  11: "LNK_REMOVE",
  12: "LNK_COMDAT",
  15: "GPREL",
  24: "LNK_NRELOC_OVFL",
  25: "MEM_DISCARDABLE",
  26: "MEM_NOT_CACHED",
  27: "MEM_NOT_PAGED",
  28: "MEM_SHARED",
  29: "MEM_EXECUTE",
  30: "MEM_READ",
  31: "MEM_WRITE",
} as const;

/** A section's Characteristics by name, its alignment with the rest. */
export function showCharacteristics(flags: number): string {
  const names = bitNames(flags & ~0x00f0_0000, sectionCharacteristics);
  const align = flags >>> 20 & 15;
  // 1 stands for 1 byte, 14 for 8192.
  if (align !== 0) names.push(`ALIGN_${2 ** (align - 1)}BYTES`);
  return names.join(" ");
}

/** The data directories by index. */
export const directoryNames = [
  "export",
  "import",
  "resource",
  "exception",
  "certificate",
  "base relocation",
  "debug",
  "architecture",
  "global pointer",
  "TLS",
  "load config",
  "bound import",
  "IAT",
  "delay import",
  "CLR runtime",
  "reserved",
] as const;

/** Index of the certificate table among the data directories. */
export const CERTIFICATE_DIRECTORY = 4;

/** IMAGE_FILE_HEADER with the signature before it. */
export const coffHeader = {
  name: "IMAGE_FILE_HEADER",
  size: 24,
  fields: {
    Signature: { at: 0x00, type: "u32", doc: '"PE" and two NULs.', values: { 0x4550: "PE" } },
    Machine: { at: 0x04, type: "u16", doc: "What it runs on.", values: machines },
    NumberOfSections: { at: 0x06, type: "u16", doc: "Section headers." },
    TimeDateStamp: {
      at: 0x08,
      type: "u32",
      doc: "Seconds since 1970, or 0, or a hash for builds meant to be reproducible.",
    },
    PointerToSymbolTable: { at: 0x0c, type: "u32", doc: "File offset of COFF symbols; 0 none." },
    NumberOfSymbols: { at: 0x10, type: "u32", doc: "COFF symbols of 18 bytes." },
    SizeOfOptionalHeader: {
      at: 0x14,
      type: "u16",
      doc: "Bytes from the optional header to the section headers, data directories included.",
    },
    Characteristics: { at: 0x16, type: "u16", doc: "Flags.", bits: coffCharacteristics },
  },
} as const satisfies Structure;

const magics = { 0x10b: "PE32", 0x20b: "PE32+" } as const;

const alignment = (n: number): string | undefined =>
  n > 0 && (n & (n - 1)) === 0 ? undefined : `needs a power of two, found ${hex(n)}`;

/** IMAGE_OPTIONAL_HEADER32 up to its data directories. */
export const optionalHeader32 = {
  name: "IMAGE_OPTIONAL_HEADER32",
  size: 96,
  fields: {
    Magic: { at: 0x00, type: "u16", doc: "Which form follows.", values: magics },
    MajorLinkerVersion: { at: 0x02, type: "u8", doc: "Linker; Linux images say 2.20." },
    MinorLinkerVersion: { at: 0x03, type: "u8", doc: "Linker." },
    SizeOfCode: { at: 0x04, type: "u32", doc: "Bytes of code, all sections." },
    SizeOfInitializedData: { at: 0x08, type: "u32", doc: "Bytes of data." },
    SizeOfUninitializedData: { at: 0x0c, type: "u32", doc: "Bytes of data not in the file." },
    AddressOfEntryPoint: { at: 0x10, type: "u32", doc: "Entry, from the image base." },
    BaseOfCode: { at: 0x14, type: "u32", doc: "Start of code, from the image base." },
    BaseOfData: { at: 0x18, type: "u32", doc: "Start of data, from the image base." },
    ImageBase: { at: 0x1c, type: "u32", doc: "Preferred load address." },
    SectionAlignment: { at: 0x20, type: "u32", doc: "In memory.", check: alignment },
    FileAlignment: { at: 0x24, type: "u32", doc: "In the file.", check: alignment },
    MajorOperatingSystemVersion: { at: 0x28, type: "u16", doc: "Unused by firmware." },
    MinorOperatingSystemVersion: { at: 0x2a, type: "u16", doc: "Unused by firmware." },
    MajorImageVersion: {
      at: 0x2c,
      type: "u16",
      doc:
        "Linux: the EFI stub's; 1 takes an initrd by protocol, from 3 on a mask of such features.",
    },
    MinorImageVersion: { at: 0x2e, type: "u16", doc: "Goes with MajorImageVersion." },
    MajorSubsystemVersion: { at: 0x30, type: "u16", doc: "Unused by firmware." },
    MinorSubsystemVersion: { at: 0x32, type: "u16", doc: "Unused by firmware." },
    Win32VersionValue: { at: 0x34, type: "u32", doc: "Reserved, 0." },
    SizeOfImage: { at: 0x38, type: "u32", doc: "Bytes in memory, headers included." },
    SizeOfHeaders: { at: 0x3c, type: "u32", doc: "Bytes of all headers in the file." },
    CheckSum: {
      at: 0x40,
      type: "u32",
      doc: "Sum of the file's 16-bit words, folded, plus its length; 0 not given.",
    },
    Subsystem: { at: 0x44, type: "u16", doc: "Who starts it.", values: subsystems },
    DllCharacteristics: { at: 0x46, type: "u16", doc: "Flags.", bits: dllCharacteristics },
    SizeOfStackReserve: { at: 0x48, type: "u32", doc: "Unused by firmware." },
    SizeOfStackCommit: { at: 0x4c, type: "u32", doc: "Unused by firmware." },
    SizeOfHeapReserve: { at: 0x50, type: "u32", doc: "Unused by firmware." },
    SizeOfHeapCommit: { at: 0x54, type: "u32", doc: "Unused by firmware." },
    LoaderFlags: { at: 0x58, type: "u32", doc: "Reserved, 0." },
    NumberOfRvaAndSizes: { at: 0x5c, type: "u32", doc: "Data directories that follow." },
  },
} as const satisfies Structure;

/** IMAGE_OPTIONAL_HEADER64 up to its data directories. */
export const optionalHeader64 = {
  name: "IMAGE_OPTIONAL_HEADER64",
  size: 112,
  fields: {
    Magic: { at: 0x00, type: "u16", doc: "Which form follows.", values: magics },
    MajorLinkerVersion: { at: 0x02, type: "u8", doc: "Linker; Linux images say 2.20." },
    MinorLinkerVersion: { at: 0x03, type: "u8", doc: "Linker." },
    SizeOfCode: { at: 0x04, type: "u32", doc: "Bytes of code, all sections." },
    SizeOfInitializedData: { at: 0x08, type: "u32", doc: "Bytes of data." },
    SizeOfUninitializedData: { at: 0x0c, type: "u32", doc: "Bytes of data not in the file." },
    AddressOfEntryPoint: { at: 0x10, type: "u32", doc: "Entry, from the image base." },
    BaseOfCode: { at: 0x14, type: "u32", doc: "Start of code, from the image base." },
    ImageBase: { at: 0x18, type: "u64", doc: "Preferred load address." },
    SectionAlignment: { at: 0x20, type: "u32", doc: "In memory.", check: alignment },
    FileAlignment: { at: 0x24, type: "u32", doc: "In the file.", check: alignment },
    MajorOperatingSystemVersion: { at: 0x28, type: "u16", doc: "Unused by firmware." },
    MinorOperatingSystemVersion: { at: 0x2a, type: "u16", doc: "Unused by firmware." },
    MajorImageVersion: {
      at: 0x2c,
      type: "u16",
      doc:
        "Linux: the EFI stub's; 1 takes an initrd by protocol, from 3 on a mask of such features.",
    },
    MinorImageVersion: { at: 0x2e, type: "u16", doc: "Goes with MajorImageVersion." },
    MajorSubsystemVersion: { at: 0x30, type: "u16", doc: "Unused by firmware." },
    MinorSubsystemVersion: { at: 0x32, type: "u16", doc: "Unused by firmware." },
    Win32VersionValue: { at: 0x34, type: "u32", doc: "Reserved, 0." },
    SizeOfImage: { at: 0x38, type: "u32", doc: "Bytes in memory, headers included." },
    SizeOfHeaders: { at: 0x3c, type: "u32", doc: "Bytes of all headers in the file." },
    CheckSum: {
      at: 0x40,
      type: "u32",
      doc: "Sum of the file's 16-bit words, folded, plus its length; 0 not given.",
    },
    Subsystem: { at: 0x44, type: "u16", doc: "Who starts it.", values: subsystems },
    DllCharacteristics: { at: 0x46, type: "u16", doc: "Flags.", bits: dllCharacteristics },
    SizeOfStackReserve: { at: 0x48, type: "u64", doc: "Unused by firmware." },
    SizeOfStackCommit: { at: 0x50, type: "u64", doc: "Unused by firmware." },
    SizeOfHeapReserve: { at: 0x58, type: "u64", doc: "Unused by firmware." },
    SizeOfHeapCommit: { at: 0x60, type: "u64", doc: "Unused by firmware." },
    LoaderFlags: { at: 0x68, type: "u32", doc: "Reserved, 0." },
    NumberOfRvaAndSizes: { at: 0x6c, type: "u32", doc: "Data directories that follow." },
  },
} as const satisfies Structure;

/** IMAGE_DATA_DIRECTORY. */
export const dataDirectory = {
  name: "IMAGE_DATA_DIRECTORY",
  size: 8,
  fields: {
    VirtualAddress: {
      at: 0,
      type: "u32",
      doc: "From the image base; for the certificate table a file offset.",
    },
    Size: { at: 4, type: "u32", doc: "Bytes." },
  },
} as const satisfies Structure;

/** IMAGE_SECTION_HEADER. */
export const sectionHeader = {
  name: "IMAGE_SECTION_HEADER",
  size: 40,
  fields: {
    Name: {
      at: 0x00,
      type: "ascii",
      size: 8,
      doc: 'Name, padded with NULs; "/n" is offset n in the string table.',
    },
    VirtualSize: { at: 0x08, type: "u32", doc: "Bytes in memory; what is beyond the file is 0." },
    VirtualAddress: { at: 0x0c, type: "u32", doc: "From the image base." },
    SizeOfRawData: { at: 0x10, type: "u32", doc: "Bytes in the file." },
    PointerToRawData: { at: 0x14, type: "u32", doc: "File offset; 0 none." },
    PointerToRelocations: { at: 0x18, type: "u32", doc: "0 in images." },
    PointerToLinenumbers: { at: 0x1c, type: "u32", doc: "0 in images." },
    NumberOfRelocations: { at: 0x20, type: "u16", doc: "0 in images." },
    NumberOfLinenumbers: { at: 0x22, type: "u16", doc: "0 in images." },
    Characteristics: {
      at: 0x24,
      type: "u32",
      doc: "Flags.",
      show: (n: number): string => showCharacteristics(n),
    },
  },
} as const satisfies Structure;

/**
 * One record of a `.compat` section: another entry point, for firmware of
 * another machine type. A record of type 0 ends the list.
 */
export const compatRecord = {
  name: "pe_compat",
  size: 8,
  fields: {
    Type: { at: 0, type: "u8", doc: "1 an entry point; 0 the end." },
    Size: { at: 1, type: "u8", doc: "Bytes of this record." },
    Machine: { at: 2, type: "u16", doc: "Machine type of the entry.", values: machines },
    AddressOfEntryPoint: { at: 4, type: "u32", doc: "Entry, from the image base." },
  },
} as const satisfies Structure;

/** The optional header in either form. */
export type OptionalHeader =
  | Decoded<typeof optionalHeader32>
  | Decoded<typeof optionalHeader64>;
