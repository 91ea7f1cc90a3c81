/**
 * A PE/COFF image: what firmware sees of a kernel, a UKI or a boot program.
 *
 * Firmware reads the section headers, places each section at its virtual address
 * and jumps to the entry. For a bzImage the same bytes are boot sector, setup
 * code and protected-mode part at once; the headers merely describe them anew.
 *
 * Decoding goes as far as it can: sections and directories that the file is too
 * short for are complaints. Tables are in pe_headers.ts.
 *
 * Source: Microsoft, "PE Format"; arch/x86/boot/header.S for the two shapes a
 * Linux image has had.
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import { FormatError, hex, need } from "./errors.ts";
import { ascii, decode, type Decoded } from "./layout.ts";
import {
  coffHeader,
  compatRecord,
  dataDirectory,
  directoryNames,
  dosHeader,
  MZ,
  type OptionalHeader,
  optionalHeader32,
  optionalHeader64,
  PE,
  sectionHeader,
} from "./pe_headers.ts";
import { HDRS } from "./setup_header.ts";

/** A data directory. */
export interface PeDirectory {
  /** From the image base; for the certificate table a file offset. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
}

/** A section, as its header has it. */
export interface PeSection {
  /** Its name, long names resolved. */
  readonly name: string;
  /** File offset of its header. */
  readonly headerOffset: number;
  /** Address from the image base. */
  readonly virtualAddress: number;
  /** Bytes in memory. */
  readonly virtualSize: number;
  /** File offset of its content. */
  readonly offset: number;
  /** Bytes in the file, padding to FileAlignment included. */
  readonly size: number;
  /** Flags; names in `sectionCharacteristics`. */
  readonly characteristics: number;
}

/** An entry point for firmware of another machine type. */
export interface PeCompatEntry {
  /** Machine type; names in `machines`. */
  readonly machine: number;
  /** Entry from the image base. */
  readonly entry: number;
  /** File offset of the record. */
  readonly offset: number;
}

/** The PE checksum. */
export interface PeChecksum {
  /** Whether the stored one is right; `absent` where it is 0. */
  readonly status: "absent" | "ok" | "wrong";
  /** What the header says. */
  readonly stored: number;
  /** What it should say. */
  readonly computed: number;
}

/** A decoded PE image. */
export interface Pe {
  /** The DOS header. */
  readonly dos: Decoded<typeof dosHeader>;
  /** File offset of "PE". */
  readonly headerOffset: number;
  /** The COFF header. */
  readonly coff: Decoded<typeof coffHeader>;
  /** File offset of the optional header. */
  readonly optionalOffset: number;
  /** The optional header, in the form `isPlus` says. */
  readonly optional: OptionalHeader;
  /** PE32+, the 64-bit form. */
  readonly isPlus: boolean;
  /** File offset of the first data directory. */
  readonly directoriesOffset: number;
  /** Data directories by name, those present. */
  readonly directories: Readonly<Record<string, PeDirectory>>;
  /** Sections in the order of their headers. */
  readonly sections: readonly PeSection[];
  /** The PE checksum; absent where it was not asked for. */
  readonly checksum?: PeChecksum;
  /**
   * Shape of a Linux image: `old` has the PE header at 0x82 and sections aligned
   * to 32 bytes, `new` has it at 0x40 and whole pages. Absent in others.
   */
  readonly linuxLayout?: "old" | "new";
  /** Other entry points, from a `.compat` section. */
  readonly compat: readonly PeCompatEntry[];
  /** What is wrong with it. */
  readonly complaints: readonly Complaint[];
}

/** How to decode a PE image. */
export interface PeOptions {
  /** Whether to work out the checksum, which reads the whole file; default true. */
  readonly checksum?: boolean;
}

const MAX_NAME = 255;

/**
 * Reads the headers of a PE image.
 *
 * @returns `undefined` if the file does not start with "MZ" or has no "PE" where
 *   the DOS header says.
 * @throws {FormatError} If the file ends within the COFF or the optional header,
 *   or the optional header is neither PE32 nor PE32+.
 */
export function decodePe(bytes: Uint8Array, options: PeOptions = {}): Pe | undefined {
  if (bytes.length < dosHeader.size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0, true) !== MZ) return undefined;
  const dos = decode(dosHeader, bytes);
  const headerOffset = dos.e_lfanew;
  if (headerOffset > bytes.length - 4 || view.getUint32(headerOffset, true) !== PE) {
    return undefined;
  }
  const coff = decode(coffHeader, bytes, { at: headerOffset });
  const optionalOffset = headerOffset + coffHeader.size;
  need(bytes, { structure: "IMAGE_OPTIONAL_HEADER", field: "Magic", offset: optionalOffset }, 2);
  const magic = view.getUint16(optionalOffset, true);
  if (magic !== 0x10b && magic !== 0x20b) {
    throw new FormatError(
      { structure: "IMAGE_OPTIONAL_HEADER", field: "Magic", offset: optionalOffset },
      `needs 0x10b (PE32) or 0x20b (PE32+), found ${hex(magic)}`,
    );
  }
  const isPlus = magic === 0x20b;
  const optional: OptionalHeader = isPlus
    ? decode(optionalHeader64, bytes, { at: optionalOffset })
    : decode(optionalHeader32, bytes, { at: optionalOffset });
  const directoriesOffset = optionalOffset +
    (isPlus ? optionalHeader64.size : optionalHeader32.size);
  const sectionsOffset = optionalOffset + coff.SizeOfOptionalHeader;

  const complaints: Complaint[] = [];
  const complain: Complain = (severity, offset, rule, message) =>
    complaints.push({ severity, offset, rule: `pe.${rule}`, message });

  const directories = readDirectories(bytes, optional, directoriesOffset, sectionsOffset, complain);
  const sections = readSections(bytes, coff, sectionsOffset, complain);
  checkSections(bytes, optional, sections, complain);
  const checksum = options.checksum === false
    ? undefined
    : checkSum(bytes, optional.CheckSum, optionalOffset + 0x40);
  if (checksum?.status === "wrong") {
    complain(
      "warning",
      optionalOffset + 0x40,
      "checksum",
      `CheckSum needs ${hex(checksum.computed, 8)}, found ${hex(checksum.stored, 8)}`,
    );
  }
  const linuxLayout = linuxLayoutOf(view, headerOffset);
  return {
    dos,
    headerOffset,
    coff,
    optionalOffset,
    optional,
    isPlus,
    directoriesOffset,
    directories,
    sections,
    ...(checksum && { checksum }),
    ...(linuxLayout && { linuxLayout }),
    compat: readCompat(bytes, sections.find((s) => s.name === ".compat")),
    complaints,
  };
}

type Complain = (
  severity: Complaint["severity"],
  offset: number,
  rule: string,
  message: string,
) => void;

function linuxLayoutOf(view: DataView, headerOffset: number): "old" | "new" | undefined {
  if (view.byteLength < 0x206 || view.getUint32(0x202, true) !== HDRS) return undefined;
  return headerOffset === 0x82 ? "old" : headerOffset === 0x40 ? "new" : undefined;
}

function readDirectories(
  bytes: Uint8Array,
  optional: OptionalHeader,
  start: number,
  end: number,
  complain: Complain,
): Record<string, PeDirectory> {
  const directories: Record<string, PeDirectory> = {};
  const told = optional.NumberOfRvaAndSizes;
  const room = Math.max(0, Math.floor((Math.min(end, bytes.length) - start) / dataDirectory.size));
  if (told > room) {
    complain(
      "error",
      start - 4,
      "directories",
      `NumberOfRvaAndSizes ${told}, though there is room for ${room} data directories`,
    );
  }
  for (const [i, name] of directoryNames.entries()) {
    if (i >= told || i >= room) break;
    const at = start + i * dataDirectory.size;
    const { VirtualAddress: address, Size: size } = decode(dataDirectory, bytes, { at });
    directories[name] = { address, size };
    // The certificate table alone is named by file offset.
    if (name === "certificate" && size > 0 && address + size > bytes.length) {
      complain(
        "error",
        at,
        "certificate-beyond-file",
        `the certificate table ends at ${hex(address + size)}, the file at ${hex(bytes.length)}`,
      );
    }
  }
  return directories;
}

function readSections(
  bytes: Uint8Array,
  coff: Decoded<typeof coffHeader>,
  start: number,
  complain: Complain,
): PeSection[] {
  const told = coff.NumberOfSections;
  const room = Math.max(0, Math.floor((bytes.length - start) / sectionHeader.size));
  if (told > room) {
    complain(
      "error",
      start,
      "sections",
      `NumberOfSections ${told}, though there is room for ${room} section headers`,
    );
  }
  const strings = coff.PointerToSymbolTable === 0
    ? undefined
    : coff.PointerToSymbolTable + coff.NumberOfSymbols * 18;
  return Array.from({ length: Math.min(told, room) }, (_, i) => {
    const at = start + i * sectionHeader.size;
    const fields = decode(sectionHeader, bytes, { at });
    return {
      name: longName(bytes, fields.Name, strings) ?? fields.Name,
      headerOffset: at,
      virtualAddress: fields.VirtualAddress,
      virtualSize: fields.VirtualSize,
      offset: fields.PointerToRawData,
      size: fields.SizeOfRawData,
      characteristics: fields.Characteristics,
    };
  });
}

/** The name that "/n" stands for, if it does. */
function longName(bytes: Uint8Array, name: string, strings?: number): string | undefined {
  const match = /^\/(\d+)$/.exec(name);
  if (!match || strings === undefined) return undefined;
  const at = strings + Number(match[1]);
  return at < bytes.length ? ascii(bytes.subarray(at, at + MAX_NAME)) : undefined;
}

function checkSections(
  bytes: Uint8Array,
  optional: OptionalHeader,
  sections: readonly PeSection[],
  complain: Complain,
): void {
  for (const { name, headerOffset, offset, size } of sections) {
    if (size > 0 && offset + size > bytes.length) {
      complain(
        "error",
        headerOffset,
        "section-beyond-file",
        `${name} ends at ${hex(offset + size)}, the file at ${hex(bytes.length)}`,
      );
    }
  }
  const inFile = (s: PeSection) => [s.offset, s.offset + s.size] as const;
  // VirtualSize 0 stands for the size in the file.
  const inMemory = (s: PeSection) =>
    [s.virtualAddress, s.virtualAddress + (s.virtualSize || s.size)] as const;
  complainOfOverlaps(sections.filter((s) => s.size > 0), inFile, "in the file", complain);
  const occupied = sections.filter((s) => s.virtualSize > 0 || s.size > 0);
  complainOfOverlaps(occupied, inMemory, "in memory", complain);
  const end = sections.reduce((max, s) => Math.max(max, s.virtualAddress + s.virtualSize), 0);
  if (end > optional.SizeOfImage) {
    complain(
      "warning",
      sections[0]?.headerOffset ?? 0,
      "size-of-image",
      `sections end at ${hex(end)} in memory, SizeOfImage is ${hex(optional.SizeOfImage)}`,
    );
  }
}

function complainOfOverlaps(
  sections: readonly PeSection[],
  extent: (section: PeSection) => readonly [start: number, end: number],
  where: string,
  complain: Complain,
): void {
  const ordered = [...sections].sort((a, b) => extent(a)[0] - extent(b)[0]);
  let last: PeSection | undefined;
  for (const section of ordered) {
    const [start, end] = extent(section);
    if (last !== undefined && start < extent(last)[1]) {
      complain(
        "error",
        section.headerOffset,
        "section-overlap",
        `${section.name} starts at ${hex(start)} ${where}, before ${last.name} ends at ${
          hex(extent(last)[1])
        }`,
      );
    }
    if (last === undefined || end > extent(last)[1]) last = section;
  }
}

function readCompat(bytes: Uint8Array, section: PeSection | undefined): PeCompatEntry[] {
  const entries: PeCompatEntry[] = [];
  if (section === undefined) return entries;
  const end = Math.min(section.offset + section.size, bytes.length);
  let at = section.offset;
  while (at + compatRecord.size <= end) {
    const record = decode(compatRecord, bytes, { at });
    if (record.Type === 0 || record.Size < compatRecord.size) break;
    if (record.Type === 1) {
      entries.push({ machine: record.Machine, entry: record.AddressOfEntryPoint, offset: at });
    }
    at += record.Size;
  }
  return entries;
}

/**
 * What a section holds: as many bytes as both its sizes and the file allow.
 * Padding to FileAlignment is thus left out.
 */
export function peSectionBytes(bytes: Uint8Array, section: PeSection): Uint8Array {
  const { offset, size, virtualSize } = section;
  const length = virtualSize > 0 ? Math.min(size, virtualSize) : size;
  return bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length));
}

/** Compares the stored checksum, at `at` in the file, with the file's. */
function checkSum(bytes: Uint8Array, stored: number, at: number): PeChecksum {
  const computed = peChecksum(bytes, at);
  return {
    status: stored === 0 ? "absent" : stored === computed ? "ok" : "wrong",
    stored,
    computed,
  };
}

/**
 * The PE checksum of a file: all its 16-bit words, those of the CheckSum itself
 * taken as 0, added with end-around carry, and the file's length.
 *
 * Adding with end-around carry is adding modulo 0xffff, and 0x10000 is 1 modulo
 * 0xffff. So the words may be added two at a time, as 32-bit numbers, and the
 * remainder taken at the end.
 *
 * @param at File offset of CheckSum.
 */
export function peChecksum(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length & ~15;
  let sum = 0;
  // Four sums, so that no addition waits for the one before it; each takes 2^20
  // numbers of 32 bits before it is cut, within the 53 bits a number holds.
  for (let start = 0; start < whole; start += 1 << 24) {
    const end = Math.min(start + (1 << 24), whole);
    let a = 0, b = 0, c = 0, d = 0;
    for (let i = start; i < end; i += 16) {
      a += view.getUint32(i, true);
      b += view.getUint32(i + 4, true);
      c += view.getUint32(i + 8, true);
      d += view.getUint32(i + 12, true);
    }
    sum = (sum + a + b + c + d) % 0xffff;
  }
  for (let i = whole; i < bytes.length; i++) sum += (bytes[i] ?? 0) << (8 * (i & 1));
  for (let i = at; i < at + 4; i++) sum -= (bytes[i] ?? 0) << (8 * (i & 1));
  // A sum of words that are not all 0 never folds to 0.
  const folded = ((sum % 0xffff) + 0xffff) % 0xffff || 0xffff;
  return (folded + bytes.length) >>> 0;
}
