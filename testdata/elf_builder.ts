/**
 * Makes ELF files for tests, in either word size and byte order, in the shape
 * that linkers give kernels: file header, program headers, the segments' bytes,
 * the sections' bytes, their names, the section headers at the end.
 *
 * ```ts ignore
 * elf({ machine: EM_386, class: 32, segments: [{ paddr: 0x100000, data: code }] });
 * elf({ notes: [note("Xen", 18, u32(0x1000850))], trailing: relocationTable([0x81000000]) });
 * ```
 *
 * @module
 */

import {
  elf32Ehdr,
  elf32Phdr,
  elf32Shdr,
  elf64Ehdr,
  elf64Phdr,
  elf64Shdr,
  ELFMAG,
  EM_386,
  EM_X86_64,
  PT_LOAD,
  PT_NOTE,
  SHT_NOBITS,
  SHT_NOTE,
} from "../formats/elf_tables.ts";
import { encode, sizeOf, type Structure, walk, type Writable } from "../formats/layout.ts";

/** A segment to make. */
export interface SegmentRecipe {
  /** Default PT_LOAD. */
  readonly type?: number;
  /** Default as `paddr`. */
  readonly vaddr?: number | bigint;
  /** Default 0. */
  readonly paddr?: number | bigint;
  /** Its bytes in the file; default none. */
  readonly data?: Uint8Array;
  /** Default the length of the data. */
  readonly memsz?: number | bigint;
  /** Default readable and executable. */
  readonly flags?: number;
  /** Default 1. */
  readonly align?: number;
  /** What the header says instead of the truth. */
  readonly lie?: { readonly offset?: number | bigint; readonly filesz?: number | bigint };
}

/** A section to make. */
export interface SectionRecipe {
  /** Its name. */
  readonly name: string;
  /** Default SHT_PROGBITS; SHT_NOBITS with `size` alone. */
  readonly type?: number;
  /** Default 0. */
  readonly flags?: number;
  /** Virtual address; default 0. */
  readonly addr?: number | bigint;
  /** Its bytes, put behind the segments. */
  readonly data?: Uint8Array;
  /** The segment whose bytes are its own, by number, instead of `data`. */
  readonly segment?: number;
  /** Bytes in memory of an SHT_NOBITS section. */
  readonly size?: number;
  /** Default 1. */
  readonly align?: number;
}

/** What ELF to make. */
export interface ElfRecipe {
  /** Word size in bits; default 64. */
  readonly class?: 32 | 64;
  /** Default false. */
  readonly bigEndian?: boolean;
  /** Default x86 of that word size. */
  readonly machine?: number;
  /** Default ET_EXEC. */
  readonly type?: number;
  /** Default the first segment's `paddr`. */
  readonly entry?: number | bigint;
  /** The segments. */
  readonly segments?: readonly SegmentRecipe[];
  /** The sections; the empty one and the table of names come by themselves. */
  readonly sections?: readonly SectionRecipe[];
  /** Notes: a PT_NOTE segment, and a section `.notes` over it. */
  readonly notes?: readonly Uint8Array[];
  /** Alignment of that segment; default 4. */
  readonly notesAlign?: number;
  /** Bytes behind the ELF. */
  readonly trailing?: Uint8Array;
  /** File header fields that are to be wrong, by the kernel's names. */
  readonly header?: Readonly<Record<string, number>>;
}

type Fields = Readonly<Record<string, number | bigint>>;

/** Makes an ELF. */
export function elf(recipe: ElfRecipe = {}): Uint8Array<ArrayBuffer> {
  const is64 = recipe.class !== 32;
  const bigEndian = recipe.bigEndian ?? false;
  const [ehdr, phdr, shdr] = is64
    ? [elf64Ehdr, elf64Phdr, elf64Shdr]
    : [elf32Ehdr, elf32Phdr, elf32Shdr];
  const segments: SegmentRecipe[] = [...recipe.segments ?? []];
  const sections: SectionRecipe[] = [...recipe.sections ?? []];
  if (recipe.notes) {
    const align = recipe.notesAlign ?? 4;
    sections.push({ name: ".notes", type: SHT_NOTE, segment: segments.length, align });
    segments.push({ type: PT_NOTE, data: joined(recipe.notes), align, flags: 0 });
  }

  const parts: { at: number; bytes: Uint8Array }[] = [];
  let end = ehdr.size + segments.length * phdr.size;
  const put = (bytes: Uint8Array, align: number): number => {
    const at = bytes.length > 0 ? Math.ceil(end / align) * align : end;
    parts.push({ at, bytes });
    end = at + bytes.length;
    return at;
  };
  const places = segments.map((s) => s.data ? put(s.data, s.align ?? 1) : 0);
  segments.forEach((s, i) => {
    const size = s.data?.length ?? 0;
    const record = {
      p_type: s.type ?? PT_LOAD,
      p_flags: s.flags ?? 5,
      p_offset: s.lie?.offset ?? places[i] ?? 0,
      p_vaddr: s.vaddr ?? s.paddr ?? 0,
      p_paddr: s.paddr ?? 0,
      p_filesz: s.lie?.filesz ?? size,
      p_memsz: s.memsz ?? size,
      p_align: s.align ?? 1,
    };
    parts.push({ at: ehdr.size + i * phdr.size, bytes: made(phdr, record, bigEndian) });
  });

  const names = ["", ...sections.map((s) => s.name), ".shstrtab"];
  const rows: Fields[] = [{}];
  for (const [i, s] of sections.entries()) {
    const shared = s.segment === undefined ? undefined : segments[s.segment]?.data;
    const bytes = s.data ?? shared;
    rows.push({
      sh_name: names.slice(0, i + 1).join("\0").length + 1,
      sh_type: s.type ?? (bytes ? 1 : SHT_NOBITS),
      sh_flags: s.flags ?? 0,
      sh_addr: s.addr ?? 0,
      sh_offset: shared ? places[s.segment ?? 0] ?? 0 : s.data ? put(s.data, s.align ?? 1) : end,
      sh_size: s.size ?? bytes?.length ?? 0,
      sh_addralign: s.align ?? 1,
    });
  }
  let shoff = 0;
  if (sections.length > 0) {
    const table = latin1(names.join("\0") + "\0");
    rows.push({
      sh_name: names.slice(0, -1).join("\0").length + 1,
      sh_type: 3,
      sh_offset: put(table, 1),
      sh_size: table.length,
      sh_addralign: 1,
    });
    shoff = put(joined(rows.map((row) => made(shdr, row, bigEndian))), 8);
  }
  parts.push({
    at: 0,
    bytes: made(ehdr, {
      e_type: recipe.type ?? 2,
      e_machine: recipe.machine ?? (is64 ? EM_X86_64 : EM_386),
      e_version: 1,
      e_entry: recipe.entry ?? segments[0]?.paddr ?? 0,
      e_phoff: segments.length > 0 ? ehdr.size : 0,
      e_shoff: shoff,
      e_ehsize: ehdr.size,
      e_phentsize: phdr.size,
      e_phnum: segments.length,
      e_shentsize: shdr.size,
      e_shnum: shoff ? rows.length : 0,
      e_shstrndx: shoff ? rows.length - 1 : 0,
      ...recipe.header,
    }, bigEndian),
  });
  const file = new Uint8Array(end + (recipe.trailing?.length ?? 0));
  for (const { at, bytes } of parts) file.set(bytes, at);
  // The identification is bytes, so it is not turned.
  file.set([...u32(ELFMAG), is64 ? 2 : 1, bigEndian ? 2 : 1, 1]);
  file.set(recipe.trailing ?? [], end);
  return file;
}

/** A header's bytes, each field turned for big endian. */
function made(structure: Structure, fields: Fields, bigEndian: boolean): Uint8Array {
  const bytes = encode(structure, fields as Writable<Structure>, new Uint8Array(structure.size));
  if (bigEndian) {
    for (const { at, row } of walk(structure)) bytes.subarray(at, at + sizeOf(row)).reverse();
  }
  return bytes;
}

/**
 * A note's bytes, padded as `align` says: 4, or 8 for the new way.
 *
 * @param owner Without its NUL.
 * @param desc Text gets a NUL.
 */
export function note(
  owner: string,
  type: number,
  desc: Uint8Array | string,
  align = 4,
): Uint8Array<ArrayBuffer> {
  const name = latin1(`${owner}\0`);
  const bytes = typeof desc === "string" ? latin1(`${desc}\0`) : desc;
  const up = (n: number) => Math.ceil(n / align) * align;
  const at = up(12 + name.length);
  const made = new Uint8Array(up(at + bytes.length));
  made.set(u32(name.length, bytes.length, type));
  made.set(name, 12);
  made.set(bytes, at);
  return made;
}

/** Lists of places as the kernel's build writes them: a zero word before each. */
export function relocationTable(...lists: (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return u32(...lists.flatMap((list) => [0, ...list]));
}

/** Little-endian words of 32 bits. */
export function u32(...words: number[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return new Uint8Array(view.buffer);
}

/** Little-endian words of 64 bits. */
export function u64(...words: bigint[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(8 * words.length));
  words.forEach((word, i) => view.setBigUint64(8 * i, word, true));
  return new Uint8Array(view.buffer);
}

/** Text as bytes, one a character. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Bytes one after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
