/**
 * The headers of an ELF file, as tables, for both word sizes.
 *
 * Three kinds of header: one for the file, one for each segment (what a loader
 * puts into memory), one for each section (what a linker or debugger calls by
 * name). The 32-bit and the 64-bit form hold the same fields in other widths,
 * and the program header in another order.
 *
 * Source: System V ABI, chapters 4 and 5; the kernel's include/uapi/linux/elf.h
 * and elf-em.h.
 *
 * @module
 */

import { hex } from "./errors.ts";
import type { Structure } from "./layout.ts";

/** "\x7fELF" as a little-endian word. */
export const ELFMAG = 0x464c457f;

/** `e_type`: what kind of file. */
export const elfTypes = {
  0: "ET_NONE",
  1: "ET_REL",
  2: "ET_EXEC",
  3: "ET_DYN",
  4: "ET_CORE",
} as const;

/** `e_machine`: the processors that Linux runs or ran on. */
export const elfMachines = {
  0: "EM_NONE",
  2: "EM_SPARC",
  3: "EM_386",
  4: "EM_68K",
  8: "EM_MIPS",
  15: "EM_PARISC",
  18: "EM_SPARC32PLUS",
  20: "EM_PPC",
  21: "EM_PPC64",
  22: "EM_S390",
  40: "EM_ARM",
  42: "EM_SH",
  43: "EM_SPARCV9",
  50: "EM_IA_64",
  62: "EM_X86_64",
  76: "EM_CRIS",
  92: "EM_OPENRISC",
  93: "EM_ARCOMPACT",
  94: "EM_XTENSA",
  106: "EM_BLACKFIN",
  113: "EM_ALTERA_NIOS2",
  164: "EM_HEXAGON",
  183: "EM_AARCH64",
  189: "EM_MICROBLAZE",
  195: "EM_ARCV2",
  243: "EM_RISCV",
  247: "EM_BPF",
  252: "EM_CSKY",
  258: "EM_LOONGARCH",
  0x5441: "EM_FRV",
  0x9026: "EM_ALPHA",
} as const;

/** `e_machine` of 32-bit x86. */
export const EM_386 = 3;
/** `e_machine` of 64-bit x86. */
export const EM_X86_64 = 62;

/** `p_type`: what a segment is for. */
export const segmentTypes = {
  0: "PT_NULL",
  1: "PT_LOAD",
  2: "PT_DYNAMIC",
  3: "PT_INTERP",
  4: "PT_NOTE",
  5: "PT_SHLIB",
  6: "PT_PHDR",
  7: "PT_TLS",
  0x6474e550: "PT_GNU_EH_FRAME",
  0x6474e551: "PT_GNU_STACK",
  0x6474e552: "PT_GNU_RELRO",
  0x6474e553: "PT_GNU_PROPERTY",
} as const;

/** `p_type` of a segment that is put into memory. */
export const PT_LOAD = 1;
/** `p_type` of a segment that holds notes. */
export const PT_NOTE = 4;

/** `p_flags` by bit. */
export const segmentFlags = { 0: "PF_X", 1: "PF_W", 2: "PF_R" } as const;

/** `sh_type`: what a section holds. */
export const sectionTypes = {
  0: "SHT_NULL",
  1: "SHT_PROGBITS",
  2: "SHT_SYMTAB",
  3: "SHT_STRTAB",
  4: "SHT_RELA",
  5: "SHT_HASH",
  6: "SHT_DYNAMIC",
  7: "SHT_NOTE",
  8: "SHT_NOBITS",
  9: "SHT_REL",
  10: "SHT_SHLIB",
  11: "SHT_DYNSYM",
  14: "SHT_INIT_ARRAY",
  15: "SHT_FINI_ARRAY",
  16: "SHT_PREINIT_ARRAY",
  17: "SHT_GROUP",
  18: "SHT_SYMTAB_SHNDX",
  19: "SHT_RELR",
  0x6ffffff6: "SHT_GNU_HASH",
  0x6ffffffd: "SHT_GNU_verdef",
  0x6ffffffe: "SHT_GNU_verneed",
  0x6fffffff: "SHT_GNU_versym",
  0x70000001: "SHT_X86_64_UNWIND",
} as const;

/** `sh_type` of an unused header. */
export const SHT_NULL = 0;
/** `sh_type` of a section that holds notes. */
export const SHT_NOTE = 7;
/** `sh_type` of a section without bytes in the file. */
export const SHT_NOBITS = 8;

/** `sh_flags` by bit. */
export const sectionFlags = {
  0: "SHF_WRITE",
  1: "SHF_ALLOC",
  2: "SHF_EXECINSTR",
  4: "SHF_MERGE",
  5: "SHF_STRINGS",
  6: "SHF_INFO_LINK",
  7: "SHF_LINK_ORDER",
  8: "SHF_OS_NONCONFORMING",
  9: "SHF_GROUP",
  10: "SHF_TLS",
  11: "SHF_COMPRESSED",
  21: "SHF_GNU_RETAIN",
  28: "SHF_X86_64_LARGE",
  31: "SHF_EXCLUDE",
} as const;

/** The first 16 bytes: how to read the others. */
export const elfIdent = {
  name: "e_ident",
  size: 16,
  fields: {
    EI_MAG: {
      at: 0x0,
      type: "u32",
      doc: 'A byte 0x7f, then the letters "ELF".',
      show: (n: number): string => n === ELFMAG ? '"\\x7fELF"' : "not ELF",
      check: (n: number): string | undefined =>
        n === ELFMAG ? undefined : `needs ${hex(ELFMAG)} ("\\x7fELF"), found ${hex(n)}`,
    },
    EI_CLASS: {
      at: 0x4,
      type: "u8",
      doc: "Word size.",
      values: { 1: "ELFCLASS32", 2: "ELFCLASS64" },
    },
    EI_DATA: {
      at: 0x5,
      type: "u8",
      doc: "Byte order.",
      values: { 1: "ELFDATA2LSB", 2: "ELFDATA2MSB" },
    },
    EI_VERSION: {
      at: 0x6,
      type: "u8",
      doc: "Version of this structure, 1.",
      values: { 1: "EV_CURRENT" },
    },
    EI_OSABI: {
      at: 0x7,
      type: "u8",
      doc: "Whose extensions may occur; kernels use none.",
      values: { 0: "ELFOSABI_NONE", 3: "ELFOSABI_LINUX", 9: "ELFOSABI_FREEBSD" },
    },
    EI_ABIVERSION: { at: 0x8, type: "u8", doc: "Version of those extensions." },
    EI_PAD: { at: 0x9, type: "pad", size: 7, doc: "Padding." },
  },
} as const satisfies Structure;

/** Elf32_Ehdr, the file header of a 32-bit ELF. */
export const elf32Ehdr = {
  name: "Elf32_Ehdr",
  size: 52,
  fields: {
    e_ident: { at: 0x00, type: "struct", of: elfIdent, doc: "How to read the rest." },
    e_type: { at: 0x10, type: "u16", doc: "Kind of file.", values: elfTypes },
    e_machine: { at: 0x12, type: "u16", doc: "Processor.", values: elfMachines },
    e_version: { at: 0x14, type: "u32", doc: "Version, 1.", values: { 1: "EV_CURRENT" } },
    e_entry: { at: 0x18, type: "u32", doc: "Entry address; physical in x86 kernels." },
    e_phoff: { at: 0x1c, type: "u32", doc: "File offset of the program headers; 0 none." },
    e_shoff: { at: 0x20, type: "u32", doc: "File offset of the section headers; 0 none." },
    e_flags: { at: 0x24, type: "u32", doc: "The processor's own flags; x86 has none." },
    e_ehsize: { at: 0x28, type: "u16", doc: "Size of this header, 52 bytes." },
    e_phentsize: { at: 0x2a, type: "u16", doc: "Size of a program header, 32 bytes." },
    e_phnum: {
      at: 0x2c,
      type: "u16",
      doc: "Number of program headers; 0xffff: see sh_info of section 0.",
    },
    e_shentsize: { at: 0x2e, type: "u16", doc: "Size of a section header, 40 bytes." },
    e_shnum: {
      at: 0x30,
      type: "u16",
      doc: "Number of section headers; 0 with headers: see sh_size of section 0.",
    },
    e_shstrndx: {
      at: 0x32,
      type: "u16",
      doc: "Which section holds the names; 0xffff: see sh_link of section 0.",
    },
  },
} as const satisfies Structure;

/** Elf64_Ehdr, the file header of a 64-bit ELF. */
export const elf64Ehdr = {
  name: "Elf64_Ehdr",
  size: 64,
  fields: {
    e_ident: { at: 0x00, type: "struct", of: elfIdent, doc: "How to read the rest." },
    e_type: { at: 0x10, type: "u16", doc: "Kind of file.", values: elfTypes },
    e_machine: { at: 0x12, type: "u16", doc: "Processor.", values: elfMachines },
    e_version: { at: 0x14, type: "u32", doc: "Version, 1.", values: { 1: "EV_CURRENT" } },
    e_entry: { at: 0x18, type: "u64", doc: "Entry address; physical in x86 kernels." },
    e_phoff: { at: 0x20, type: "u64", doc: "File offset of the program headers; 0 none." },
    e_shoff: { at: 0x28, type: "u64", doc: "File offset of the section headers; 0 none." },
    e_flags: { at: 0x30, type: "u32", doc: "The processor's own flags; x86 has none." },
    e_ehsize: { at: 0x34, type: "u16", doc: "Size of this header, 64 bytes." },
    e_phentsize: { at: 0x36, type: "u16", doc: "Size of a program header, 56 bytes." },
    e_phnum: {
      at: 0x38,
      type: "u16",
      doc: "Number of program headers; 0xffff: see sh_info of section 0.",
    },
    e_shentsize: { at: 0x3a, type: "u16", doc: "Size of a section header, 64 bytes." },
    e_shnum: {
      at: 0x3c,
      type: "u16",
      doc: "Number of section headers; 0 with headers: see sh_size of section 0.",
    },
    e_shstrndx: {
      at: 0x3e,
      type: "u16",
      doc: "Which section holds the names; 0xffff: see sh_link of section 0.",
    },
  },
} as const satisfies Structure;

/** Elf32_Phdr, a program header of a 32-bit ELF. */
export const elf32Phdr = {
  name: "Elf32_Phdr",
  size: 32,
  fields: {
    p_type: { at: 0x00, type: "u32", doc: "What the segment is for.", values: segmentTypes },
    p_offset: { at: 0x04, type: "u32", doc: "Where it starts in the file." },
    p_vaddr: { at: 0x08, type: "u32", doc: "Virtual address." },
    p_paddr: { at: 0x0c, type: "u32", doc: "Physical address; what a kernel is loaded by." },
    p_filesz: { at: 0x10, type: "u32", doc: "Bytes in the file." },
    p_memsz: { at: 0x14, type: "u32", doc: "Bytes in memory; those past p_filesz are zero." },
    p_flags: { at: 0x18, type: "u32", doc: "Access rights.", bits: segmentFlags },
    p_align: { at: 0x1c, type: "u32", doc: "Alignment in file and memory; 0 and 1 none." },
  },
} as const satisfies Structure;

/** Elf64_Phdr, a program header of a 64-bit ELF; `p_flags` has moved forward. */
export const elf64Phdr = {
  name: "Elf64_Phdr",
  size: 56,
  fields: {
    p_type: { at: 0x00, type: "u32", doc: "What the segment is for.", values: segmentTypes },
    p_flags: { at: 0x04, type: "u32", doc: "Access rights.", bits: segmentFlags },
    p_offset: { at: 0x08, type: "u64", doc: "Where it starts in the file." },
    p_vaddr: { at: 0x10, type: "u64", doc: "Virtual address." },
    p_paddr: { at: 0x18, type: "u64", doc: "Physical address; what a kernel is loaded by." },
    p_filesz: { at: 0x20, type: "u64", doc: "Bytes in the file." },
    p_memsz: { at: 0x28, type: "u64", doc: "Bytes in memory; those past p_filesz are zero." },
    p_align: { at: 0x30, type: "u64", doc: "Alignment in file and memory; 0 and 1 none." },
  },
} as const satisfies Structure;

/** Elf32_Shdr, a section header of a 32-bit ELF. */
export const elf32Shdr = {
  name: "Elf32_Shdr",
  size: 40,
  fields: {
    sh_name: { at: 0x00, type: "u32", doc: "Where the name starts in the table of names." },
    sh_type: { at: 0x04, type: "u32", doc: "What the section holds.", values: sectionTypes },
    sh_flags: { at: 0x08, type: "u32", doc: "How it is used.", bits: sectionFlags },
    sh_addr: { at: 0x0c, type: "u32", doc: "Virtual address; 0 not in memory." },
    sh_offset: { at: 0x10, type: "u32", doc: "Where it starts in the file." },
    sh_size: { at: 0x14, type: "u32", doc: "Bytes; none of them in the file if SHT_NOBITS." },
    sh_link: { at: 0x18, type: "u32", doc: "A section it belongs to, by its type." },
    sh_info: { at: 0x1c, type: "u32", doc: "More, by its type." },
    sh_addralign: { at: 0x20, type: "u32", doc: "Alignment; 0 and 1 none." },
    sh_entsize: { at: 0x24, type: "u32", doc: "Size of an entry, if it is a table." },
  },
} as const satisfies Structure;

/** Elf64_Shdr, a section header of a 64-bit ELF. */
export const elf64Shdr = {
  name: "Elf64_Shdr",
  size: 64,
  fields: {
    sh_name: { at: 0x00, type: "u32", doc: "Where the name starts in the table of names." },
    sh_type: { at: 0x04, type: "u32", doc: "What the section holds.", values: sectionTypes },
    sh_flags: { at: 0x08, type: "u64", doc: "How it is used.", bits: sectionFlags },
    sh_addr: { at: 0x10, type: "u64", doc: "Virtual address; 0 not in memory." },
    sh_offset: { at: 0x18, type: "u64", doc: "Where it starts in the file." },
    sh_size: { at: 0x20, type: "u64", doc: "Bytes; none of them in the file if SHT_NOBITS." },
    sh_link: { at: 0x28, type: "u32", doc: "A section it belongs to, by its type." },
    sh_info: { at: 0x2c, type: "u32", doc: "More, by its type." },
    sh_addralign: { at: 0x30, type: "u64", doc: "Alignment; 0 and 1 none." },
    sh_entsize: { at: 0x38, type: "u64", doc: "Size of an entry, if it is a table." },
  },
} as const satisfies Structure;

/** `EM_X86_64`, or the number where it has no name here. */
export function machineName(machine: number): string {
  return (elfMachines as Readonly<Record<number, string>>)[machine] ?? `machine ${machine}`;
}

/** `PT_LOAD`, or the number in hexadecimal. */
export function segmentName(type: number): string {
  return (segmentTypes as Readonly<Record<number, string>>)[type] ?? hex(type);
}

/** `SHT_NOTE`, or the number in hexadecimal. */
export function sectionName(type: number): string {
  return (sectionTypes as Readonly<Record<number, string>>)[type] ?? hex(type);
}
