/**
 * ELF, the form in which a kernel is linked: file header, segments, sections.
 *
 * A `vmlinux` is one, and so is what a bzImage of protocol 2.08 and later has
 * compressed inside. A loader cares for the segments (program headers) only: it
 * puts each PT_LOAD at its physical address and jumps to `entry`. The sections
 * tell a reader what is where.
 *
 * Both word sizes and both byte orders decode, so that a kernel for another
 * processor can be told by name. Only a damaged file header throws; whatever
 * else is wrong is a complaint, and the rest is decoded. Every count is held
 * against the length of the input, so work and memory stay in proportion to it.
 *
 * Source: System V ABI, chapters 4 and 5.
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import {
  checkHeader,
  checkSections,
  checkSegments,
  type Complain,
  type Reader,
} from "./elf_checks.ts";
import {
  elf32Ehdr,
  elf32Phdr,
  elf32Shdr,
  elf64Ehdr,
  elf64Phdr,
  elf64Shdr,
  elfIdent,
  ELFMAG,
  elfTypes,
  machineName,
  PT_LOAD,
  SHT_NOBITS,
  SHT_NULL,
} from "./elf_tables.ts";
import { FormatError, hex, need } from "./errors.ts";
import { decode, type Decoded, sizeOf, type Structure, walk } from "./layout.ts";

export { elf32Ehdr, elf32Phdr, elf32Shdr, elf64Ehdr, elf64Phdr, elf64Shdr };

/** A finding about an ELF, with the structure it was met in. */
export interface ElfComplaint extends Complaint {
  /** The structure, by its name in the specification: `Elf64_Phdr[3]`. */
  readonly structure: string;
}

/** A program header, in one form for both word sizes. Sizes in bytes. */
export interface Phdr {
  /** `p_type`; names in `segmentTypes`. */
  readonly type: number;
  /** Access rights; names in `segmentFlags`. */
  readonly flags: number;
  /** Where the segment starts, from the start of the ELF. */
  readonly offset: bigint;
  /** Virtual address. */
  readonly vaddr: bigint;
  /** Physical address. */
  readonly paddr: bigint;
  /** Bytes in the file. */
  readonly filesz: bigint;
  /** Bytes in memory. */
  readonly memsz: bigint;
  /** Alignment; 0 and 1 mean none. */
  readonly align: bigint;
}

/** A section header, in one form for both word sizes. Sizes in bytes. */
export interface Section {
  /** Its name; "" where the table of names has none. */
  readonly name: string;
  /** `sh_type`; names in `sectionTypes`. */
  readonly type: number;
  /** Names in `sectionFlags`. */
  readonly flags: bigint;
  /** Virtual address; 0 where the section is not in memory. */
  readonly addr: bigint;
  /** Where the section starts, from the start of the ELF. */
  readonly offset: bigint;
  /** Bytes; none of them in the file for SHT_NOBITS. */
  readonly size: bigint;
  /** Another section, by the meaning that `type` gives. */
  readonly link: number;
  /** More, by the meaning that `type` gives. */
  readonly info: number;
  /** Alignment; 0 and 1 mean none. */
  readonly addralign: bigint;
  /** Size of an entry where the section is a table, else 0. */
  readonly entsize: bigint;
}

/** A range of addresses. */
export interface Span {
  /** First address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
}

/** What the PT_LOAD segments cover together. */
export interface LoadSpan {
  /** By physical address. */
  readonly paddr: Span;
  /**
   * By virtual address, without the per-CPU template that amd64 kernels up to
   * 6.12 link at 0.
   */
  readonly vaddr: Span;
}

/** A decoded ELF. */
export interface Elf {
  /** Where the ELF starts in the input, in bytes. */
  readonly at: number;
  /** Where the input ends, in bytes. */
  readonly inputEnd: number;
  /** Word size in bits. */
  readonly class: 32 | 64;
  /** Byte order. */
  readonly littleEndian: boolean;
  /** `e_type`; names in `elfTypes`. */
  readonly type: number;
  /** `e_machine`; names in `elfMachines`. */
  readonly machine: number;
  /** Entry address; physical in x86 kernels. */
  readonly entry: bigint;
  /** `e_flags`; none are defined for x86. */
  readonly flags: number;
  /** The file header with every field. */
  readonly header: Decoded<typeof elf32Ehdr> | Decoded<typeof elf64Ehdr>;
  /** The program headers that the input holds. */
  readonly phdrs: readonly Phdr[];
  /** The section headers that the input holds, the empty one at 0 included. */
  readonly sections: readonly Section[];
  /** What the PT_LOAD segments cover; absent without such a segment. */
  readonly load?: LoadSpan;
  /** What is wrong, in the order found. */
  readonly complaints: readonly ElfComplaint[];
}

/** Where an ELF starts. */
export interface ElfOptions {
  /** Bytes from the start of the input; default 0. */
  readonly at?: number;
}

/** So many headers of a kind are decoded; a kernel has some fifty. */
const MAX_HEADERS = 0x10000;
/** So many characters of a section's name are kept. */
const MAX_NAME = 255;
/** So many complaints are kept; a broken table makes one a row. */
const MAX_COMPLAINTS = 64;

/** Whether the input has the four letters of an ELF at `at`. */
export function isElf(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === 0x7f && bytes[at + 1] === 0x45 && bytes[at + 2] === 0x4c &&
    bytes[at + 3] === 0x46;
}

/**
 * Reads an ELF's headers.
 *
 * @throws {FormatError} If the input ends within the file header, or its first
 *   bytes do not tell magic, word size and byte order.
 */
export function decodeElf(bytes: Uint8Array, options: ElfOptions = {}): Elf {
  const at = options.at ?? 0;
  const ident = decode(elfIdent, bytes, { at });
  const fault = (field: string, offset: number, problem: string) =>
    new FormatError({ structure: "e_ident", field, offset: at + offset }, problem);
  if (ident.EI_MAG !== ELFMAG) {
    throw fault("EI_MAG", 0, `needs 7f 45 4c 46, found ${octets(bytes.subarray(at, at + 4))}`);
  }
  if (ident.EI_CLASS !== 1 && ident.EI_CLASS !== 2) {
    throw fault("EI_CLASS", 4, `needs 1 (32 bits) or 2 (64 bits), found ${ident.EI_CLASS}`);
  }
  if (ident.EI_DATA !== 1 && ident.EI_DATA !== 2) {
    throw fault("EI_DATA", 5, `needs 1 (little endian) or 2 (big endian), found ${ident.EI_DATA}`);
  }
  const is64 = ident.EI_CLASS === 2;
  const littleEndian = ident.EI_DATA === 1;
  const header = is64
    ? read(elf64Ehdr, bytes, at, littleEndian)
    : read(elf32Ehdr, bytes, at, littleEndian);

  const complaints: ElfComplaint[] = [];
  let unsaid = 0;
  const complain: Complain = (severity, rule, structure, offset, message) => {
    if (complaints.length < MAX_COMPLAINTS) {
      complaints.push({ severity, offset, rule, structure, message });
    } else unsaid++;
  };

  const reader = { bytes, at, is64, littleEndian, header, complain };
  checkHeader(reader);
  const first = readSections(reader, 1)[0];
  const phnum = header.e_phnum === 0xffff ? first?.sh_info ?? 0xffff : header.e_phnum;
  const shnum = header.e_shnum === 0 && first ? Number(first.sh_size) : header.e_shnum;
  const shstrndx = header.e_shstrndx === 0xffff ? first?.sh_link ?? 0 : header.e_shstrndx;
  const phdrs = readSegments(reader, phnum);
  const sections = named(reader, readSections(reader, shnum, complain), shstrndx);
  const load = loadSpan(phdrs);
  checkSegments(reader, phdrs, BigInt(header.e_entry));
  checkSections(reader, sections);
  if (unsaid > 0) {
    complaints.push({
      severity: "info",
      offset: at,
      rule: "elf.more",
      structure: header.e_ident.EI_CLASS === 2 ? "Elf64_Ehdr" : "Elf32_Ehdr",
      message: `${unsaid} more findings of these kinds are left out`,
    });
  }
  return {
    at,
    inputEnd: bytes.length,
    class: is64 ? 64 : 32,
    littleEndian,
    type: header.e_type,
    machine: header.e_machine,
    entry: BigInt(header.e_entry),
    flags: header.e_flags,
    header,
    phdrs,
    sections,
    ...(load ? { load } : {}),
    complaints,
  };
}

/** Decodes in either byte order: the engine's is little, so others are turned first. */
function read<const S extends Structure>(
  structure: S,
  bytes: Uint8Array,
  at: number,
  littleEndian: boolean,
): Decoded<S> {
  if (littleEndian) return decode(structure, bytes, { at });
  need(bytes, { structure: structure.name, offset: at }, structure.size);
  const turned = bytes.slice(at, at + structure.size);
  for (const field of walk(structure)) {
    if (field.path === "e_ident.EI_MAG" || field.row.type === "pad") continue;
    turned.subarray(field.at, field.at + sizeOf(field.row)).reverse();
  }
  return decode(structure, turned);
}

/** Starts of the headers in a table: as many as announced, held by the input and sensible. */
function* starts(
  reader: Reader,
  row: Structure,
  table: { offset: number | bigint; count: number; entsize: number },
  complain?: Complain,
): Generator<number> {
  const { count, entsize } = table;
  const offset = reader.at + Number(table.offset);
  if (Number(table.offset) === 0 || count === 0) return;
  const place = Math.min(offset, reader.bytes.length);
  if (entsize < row.size) {
    complain?.(
      "error",
      "elf.entry-size",
      row.name,
      place,
      `headers need ${row.size} bytes each, the file header says ${entsize}`,
    );
    return;
  }
  const held = Math.max(0, Math.floor((reader.bytes.length - offset) / entsize));
  if (held < count) {
    complain?.(
      "error",
      "elf.table-beyond-file",
      row.name,
      place,
      `${count} headers need ${count * entsize} bytes, ` +
        `the input ends at ${hex(reader.bytes.length)}`,
    );
  }
  if (Math.min(held, count) > MAX_HEADERS) {
    complain?.(
      "warning",
      "elf.too-many",
      row.name,
      place,
      `${count} headers, of which the first ${MAX_HEADERS} are decoded`,
    );
  }
  const number = Math.min(held, count, MAX_HEADERS);
  for (let i = 0; i < number; i++) yield offset + i * entsize;
}

function readSegments(reader: Reader, count: number): Phdr[] {
  const { bytes, is64, littleEndian, header, complain } = reader;
  const table = { offset: header.e_phoff, count, entsize: header.e_phentsize };
  const phdrs: Phdr[] = [];
  for (const at of starts(reader, is64 ? elf64Phdr : elf32Phdr, table, complain)) {
    const p = is64
      ? read(elf64Phdr, bytes, at, littleEndian)
      : read(elf32Phdr, bytes, at, littleEndian);
    phdrs.push({
      type: p.p_type,
      flags: p.p_flags,
      offset: BigInt(p.p_offset),
      vaddr: BigInt(p.p_vaddr),
      paddr: BigInt(p.p_paddr),
      filesz: BigInt(p.p_filesz),
      memsz: BigInt(p.p_memsz),
      align: BigInt(p.p_align),
    });
  }
  return phdrs;
}

type Shdr = Decoded<typeof elf32Shdr> | Decoded<typeof elf64Shdr>;

function readSections(reader: Reader, count: number, complain?: Complain): Shdr[] {
  const { bytes, is64, littleEndian, header } = reader;
  const table = { offset: header.e_shoff, count, entsize: header.e_shentsize };
  const rows: Shdr[] = [];
  for (const at of starts(reader, is64 ? elf64Shdr : elf32Shdr, table, complain)) {
    rows.push(
      is64 ? read(elf64Shdr, bytes, at, littleEndian) : read(elf32Shdr, bytes, at, littleEndian),
    );
  }
  return rows;
}

/** Gives the section headers their names out of section `shstrndx`. */
function named(reader: Reader, rows: readonly Shdr[], shstrndx: number): Section[] {
  const { bytes, at, header, complain } = reader;
  const table = rows[shstrndx];
  if (rows.length > 0 && (table === undefined || shstrndx === 0)) {
    complain(
      "warning",
      "elf.no-names",
      reader.is64 ? "Elf64_Ehdr" : "Elf32_Ehdr",
      at + Number(header.e_ehsize),
      `sections have no names: e_shstrndx is ${shstrndx} of ${rows.length}`,
    );
  }
  const names = table && shstrndx !== 0
    ? within(bytes, at, BigInt(table.sh_offset), BigInt(table.sh_size))
    : new Uint8Array();
  const known = new Map<number, string>();
  return rows.map((row) => {
    let name = known.get(row.sh_name);
    if (name === undefined) {
      name = nameAt(names, row.sh_name);
      known.set(row.sh_name, name);
    }
    return {
      name,
      type: row.sh_type,
      flags: BigInt(row.sh_flags),
      addr: BigInt(row.sh_addr),
      offset: BigInt(row.sh_offset),
      size: BigInt(row.sh_size),
      link: row.sh_link,
      info: row.sh_info,
      addralign: BigInt(row.sh_addralign),
      entsize: BigInt(row.sh_entsize),
    };
  });
}

function nameAt(names: Uint8Array, at: number): string {
  const field = names.subarray(at, at + MAX_NAME);
  const end = field.indexOf(0);
  return String.fromCharCode(...(end < 0 ? field : field.subarray(0, end)));
}

function loadSpan(phdrs: readonly Phdr[]): LoadSpan | undefined {
  const loads = phdrs.filter((p) => p.type === PT_LOAD && p.memsz > 0n);
  if (loads.length === 0) return undefined;
  // amd64 kernels up to 6.12 link the per-CPU data at 0, to be added to a CPU's
  // base; it is loaded behind the other data all the same.
  const linked = loads.filter((p) => p.vaddr !== 0n || p.paddr === 0n);
  const span = (of: readonly Phdr[], start: (p: Phdr) => bigint): Span => ({
    start: of.reduce((low, p) => start(p) < low ? start(p) : low, 1n << 64n),
    end: of.reduce((high, p) => start(p) + p.memsz > high ? start(p) + p.memsz : high, 0n),
  });
  return {
    paddr: span(loads, (p) => p.paddr),
    vaddr: span(linked.length > 0 ? linked : loads, (p) => p.vaddr),
  };
}

/** Bytes `offset` to `offset + size` of the ELF, as far as the input has them. */
function within(bytes: Uint8Array, at: number, offset: bigint, size: bigint): Uint8Array {
  const room = BigInt(bytes.length - at);
  const start = offset < room ? offset : room;
  const end = offset + size < room ? offset + size : room;
  return bytes.subarray(at + Number(start), at + Number(end));
}

/** A segment's bytes in the file, as far as the input has them; a view, no copy. */
export function segmentBytes(bytes: Uint8Array, elf: Elf, segment: Phdr): Uint8Array {
  return within(bytes, elf.at, segment.offset, segment.filesz);
}

/**
 * A section's bytes in the file, as far as the input has them; a view, no copy.
 *
 * @param section The section or its name.
 * @returns `undefined` without such a section, and for one without bytes (SHT_NOBITS).
 */
export function sectionBytes(
  bytes: Uint8Array,
  elf: Elf,
  section: Section | string,
): Uint8Array | undefined {
  const found = typeof section === "string"
    ? elf.sections.find((s) => s.name === section)
    : section;
  if (!found || found.type === SHT_NOBITS || found.type === SHT_NULL) return undefined;
  return within(bytes, elf.at, found.offset, found.size);
}

/**
 * Where a virtual address is in the input, in bytes from its start.
 *
 * @returns `undefined` for an address in no PT_LOAD segment, in a part without
 *   bytes in the file, or past the end of the input.
 */
export function fileOffset(elf: Elf, vaddr: bigint): number | undefined {
  const p = elf.phdrs.find((p) =>
    p.type === PT_LOAD && p.vaddr <= vaddr && vaddr < p.vaddr + p.filesz
  );
  if (!p) return undefined;
  const offset = BigInt(elf.at) + p.offset + (vaddr - p.vaddr);
  return offset < BigInt(elf.inputEnd) ? Number(offset) : undefined;
}

/**
 * Where the ELF's own bytes end in the input: the end of its headers, sections
 * and segments, whichever is last. In a bzImage's payload the relocations
 * follow from there on.
 *
 * @returns Bytes from the start of the input, never past its end.
 */
export function fileEnd(elf: Elf): number {
  const { header } = elf;
  let end = BigInt(header.e_ehsize);
  const reach = (offset: bigint, size: bigint) => {
    if (size > 0n && offset + size > end) end = offset + size;
  };
  reach(BigInt(header.e_phoff), BigInt(elf.phdrs.length * header.e_phentsize));
  reach(BigInt(header.e_shoff), BigInt(elf.sections.length * header.e_shentsize));
  for (const p of elf.phdrs) reach(p.offset, p.filesz);
  for (const s of elf.sections) {
    if (s.type !== SHT_NOBITS && s.type !== SHT_NULL) reach(s.offset, s.size);
  }
  const room = BigInt(elf.inputEnd - elf.at);
  return elf.at + Number(end < room ? end : room);
}

/** What an ELF is, in a line: "64-bit little-endian ET_EXEC for EM_X86_64". */
export function describeElf(elf: Elf): string {
  const type = (elfTypes as Readonly<Record<number, string>>)[elf.type] ?? `type ${elf.type}`;
  const order = elf.littleEndian ? "little" : "big";
  return `${elf.class}-bit ${order}-endian ${type} for ${machineName(elf.machine)}`;
}

/** Bytes as a hex dump has them. */
function octets(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}
