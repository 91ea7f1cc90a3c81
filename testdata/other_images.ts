/**
 * Made files of the kinds that are not bzImages, by the tables that describe them.
 *
 * @module
 */

import { encode, type Structure, type Writable } from "../formats/layout.ts";
import { elf32Ehdr, elf32Phdr, elf64Ehdr, elf64Phdr, PT_LOAD } from "../formats/elf_tables.ts";
import { multiboot1Header, multiboot2Header } from "../formats/others/multiboot.ts";
import { coffHeader, dosHeader, optionalHeader64, sectionHeader } from "../formats/pe_headers.ts";
import { HDRS, setupHeader } from "../formats/setup_header.ts";

/** Writes text, a byte a character. */
export function put(bytes: Uint8Array, at: number, text: string): Uint8Array {
  bytes.set(Uint8Array.from(text, (c) => c.charCodeAt(0)), at);
  return bytes;
}

/** A structure by itself in a file of some size. */
export function structure<const S extends Structure>(
  table: S,
  record: Writable<S>,
  size = 4608,
): Uint8Array {
  return encode(table, record, new Uint8Array(size), table.base ?? 0);
}

/** The start of a kernel for x86 with a version string. */
export function bzImage(
  fields: Writable<typeof setupHeader> = {},
  version = "6.1.0-made (builder) #1",
): Uint8Array {
  const bytes = new Uint8Array(8192);
  put(bytes, 0x1000, version);
  return encode(
    setupHeader,
    {
      setup_sects: 15,
      boot_flag: 0xaa55,
      jump: 0x6aeb,
      header: HDRS,
      version: 0x20f,
      kernel_version: 0xe00,
      loadflags: 1,
      ...fields,
    },
    bytes,
    0x1f1,
  );
}

/** A kernel of the time before "HdrS": its boot sector moves itself first. */
export function oldKernel(text = ""): Uint8Array {
  const bytes = new Uint8Array(4096 + 512);
  put(bytes, 0, "\xb8\xc0\x07\x8e\xd8\xb8\x00\x90\x8e\xc0\xb9\x00\x01\x29\xf6\x29\xff\xfc\xf3\xa5");
  put(bytes, 0x1e3, "Loading");
  put(bytes, 0x1f1, "\x04");
  put(bytes, 0x1fe, "\x55\xaa");
  return put(bytes, 0x800, text);
}

/** A multiboot header of version 1 at an offset. */
export function multiboot1(
  flags: number,
  at: number,
  bytes: Uint8Array = new Uint8Array(8192),
): Uint8Array {
  const magic = 0x1badb002;
  return encode(multiboot1Header, { magic, flags, checksum: -(magic + flags) >>> 0 }, bytes, at);
}

/** A multiboot header of version 2 with tags of the types given, each of two words more. */
export function multiboot2(tags: readonly number[], at: number, size = 8192): Uint8Array {
  const bytes = new Uint8Array(size);
  const magic = 0xe85250d6;
  const header_length = multiboot2Header.size + tags.length * 16 + 8;
  const checksum = -(magic + header_length) >>> 0;
  encode(multiboot2Header, { magic, architecture: 0, header_length, checksum }, bytes, at);
  const view = new DataView(bytes.buffer);
  tags.forEach((type, i) => {
    const tag = at + multiboot2Header.size + i * 16;
    view.setUint16(tag, type, true);
    view.setUint32(tag + 4, 16, true);
    view.setUint32(tag + 8, 0x100000 + i, true);
  });
  view.setUint32(at + header_length - 4, 8, true);
  return bytes;
}

const ident = (bits: 32 | 64) => ({
  EI_MAG: 0x464c457f,
  EI_CLASS: bits === 64 ? 2 : 1,
  EI_DATA: 1,
  EI_VERSION: 1,
});

/** An ELF file with one segment to load. */
export function elf(
  bits: 32 | 64,
  options: {
    readonly machine?: number;
    readonly type?: number;
    readonly vaddr?: bigint;
    readonly paddr?: bigint;
    readonly size?: number;
  } = {},
): Uint8Array {
  const { machine = bits === 64 ? 62 : 3, type = 2, size = 8192 } = options;
  const { vaddr = 0x100000n, paddr = vaddr } = options;
  const bytes = new Uint8Array(size);
  const header = { e_ident: ident(bits), e_type: type, e_machine: machine, e_phnum: 1 };
  if (bits === 64) {
    encode(elf64Ehdr, { ...header, e_phoff: 64n, e_phentsize: elf64Phdr.size }, bytes);
    return encode(elf64Phdr, { p_type: PT_LOAD, p_vaddr: vaddr, p_paddr: paddr }, bytes, 64);
  }
  encode(elf32Ehdr, { ...header, e_phoff: 52, e_phentsize: elf32Phdr.size }, bytes);
  const [p_vaddr, p_paddr] = [Number(vaddr), Number(paddr)];
  return encode(elf32Phdr, { p_type: PT_LOAD, p_vaddr, p_paddr }, bytes, 52);
}

/** A PE32+ file with empty sections of the names given, its headers at 0x80. */
export function pe(
  { machine = 0x8664, subsystem = 10, sections = [".text"] as readonly string[] } = {},
  bytes: Uint8Array = new Uint8Array(8192),
): Uint8Array {
  const at = 0x80;
  encode(dosHeader, { e_magic: 0x5a4d, e_lfanew: at }, bytes);
  encode(
    coffHeader,
    {
      Signature: 0x4550,
      Machine: machine,
      NumberOfSections: sections.length,
      SizeOfOptionalHeader: optionalHeader64.size,
    },
    bytes,
    at,
  );
  const optional = at + coffHeader.size;
  encode(optionalHeader64, { Magic: 0x20b, Subsystem: subsystem }, bytes, optional);
  sections.forEach((Name, i) =>
    encode(
      sectionHeader,
      { Name },
      bytes,
      optional + optionalHeader64.size + i * sectionHeader.size,
    )
  );
  return bytes;
}
