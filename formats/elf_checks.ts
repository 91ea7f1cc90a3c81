/**
 * What may be wrong with an ELF that still decodes.
 *
 * A kernel's loader trusts few of these fields, so little here is an error:
 * bytes that the file does not have, and segments that would overwrite each
 * other.
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import type { Elf, Phdr, Section } from "./elf.ts";
import {
  elf32Ehdr,
  elf32Phdr,
  elf64Ehdr,
  elf64Phdr,
  EM_386,
  EM_X86_64,
  machineName,
  PT_LOAD,
  sectionName,
  segmentName,
  SHT_NOBITS,
  SHT_NULL,
} from "./elf_tables.ts";
import { hex } from "./errors.ts";

/** Takes a finding. */
export type Complain = (
  severity: Complaint["severity"],
  rule: string,
  structure: string,
  offset: number,
  message: string,
) => void;

/** The file, and what its first bytes say about reading it. */
export interface Reader {
  /** The input. */
  readonly bytes: Uint8Array;
  /** Where the ELF starts in it, in bytes. */
  readonly at: number;
  /** Word size. */
  readonly is64: boolean;
  /** Byte order. */
  readonly littleEndian: boolean;
  /** The file header. */
  readonly header: Elf["header"];
  /** Where findings go. */
  readonly complain: Complain;
}

/** Holds the file header against its specification and against x86. */
export function checkHeader({ bytes, at, is64, header, complain, littleEndian }: Reader): void {
  const structure = is64 ? elf64Ehdr : elf32Ehdr;
  const say = (field: keyof typeof structure.fields, message: string) =>
    complain(
      "warning",
      `elf.${field}`,
      structure.name,
      at + structure.fields[field].at,
      `${field} ${message}`,
    );
  if (header.e_machine !== EM_386 && header.e_machine !== EM_X86_64 || !littleEndian) {
    complain(
      "warning",
      "elf.machine",
      structure.name,
      at + structure.fields.e_machine.at,
      `is made for ${machineName(header.e_machine)}, ${littleEndian ? "little" : "big"} endian; ` +
        "x86 is EM_386 or EM_X86_64, little endian",
    );
  }
  if (header.e_version !== 1) say("e_version", `needs 1, found ${header.e_version}`);
  if (header.e_ehsize !== structure.size) {
    say("e_ehsize", `needs ${structure.size}, found ${header.e_ehsize}`);
  }
  if (at + Number(header.e_phoff) > bytes.length) {
    say("e_phoff", `is ${hex(header.e_phoff)}, the input ends at ${hex(bytes.length)}`);
  }
  if (at + Number(header.e_shoff) > bytes.length) {
    say("e_shoff", `is ${hex(header.e_shoff)}, the input ends at ${hex(bytes.length)}`);
  }
}

/** Holds the segments against the file, each other and the entry address. */
export function checkSegments(
  { bytes, at, is64, header, complain }: Reader,
  phdrs: readonly Phdr[],
  entry: bigint,
): void {
  const row = is64 ? elf64Phdr : elf32Phdr;
  const room = BigInt(bytes.length - at);
  phdrs.forEach((p, i) => {
    const say = (severity: Complaint["severity"], rule: string, message: string) =>
      complain(
        severity,
        rule,
        `${row.name}[${i}]`,
        at + Number(header.e_phoff) + i * header.e_phentsize,
        message,
      );
    if (p.filesz > 0n && p.offset + p.filesz > room) {
      say(
        "error",
        "elf.segment-beyond-file",
        `${segmentName(p.type)} needs bytes ${hex(p.offset)} to ${hex(p.offset + p.filesz)}, ` +
          `the input ends at ${hex(room)}`,
      );
    }
    if (p.type !== PT_LOAD) return;
    if (p.filesz > p.memsz) {
      say(
        "error",
        "elf.segment-shrinks",
        `PT_LOAD has ${p.filesz} bytes in the file, ${p.memsz} in memory`,
      );
    }
    if (p.align > 1n && (p.align & (p.align - 1n)) !== 0n) {
      say("warning", "elf.alignment", `p_align needs a power of two, found ${hex(p.align)}`);
    }
  });
  const loads = phdrs.filter((p) => p.type === PT_LOAD && p.memsz > 0n);
  const sorted = loads.toSorted((a, b) => a.paddr < b.paddr ? -1 : a.paddr > b.paddr ? 1 : 0);
  sorted.forEach((p, i) => {
    const next = sorted[i + 1];
    if (next && p.paddr + p.memsz > next.paddr) {
      complain(
        "error",
        "elf.segments-overlap",
        row.name,
        at + Number(header.e_phoff),
        `PT_LOAD ${hex(p.paddr)} to ${hex(p.paddr + p.memsz)} ` +
          `overlaps the one from ${hex(next.paddr)} in physical memory`,
      );
    }
  });
  const holds = (start: bigint, p: Phdr) => start <= entry && entry < start + p.memsz;
  if (loads.length > 0 && !loads.some((p) => holds(p.paddr, p) || holds(p.vaddr, p))) {
    complain(
      "warning",
      "elf.entry-outside",
      is64 ? "Elf64_Ehdr" : "Elf32_Ehdr",
      at + 0x18,
      `e_entry ${hex(entry)} lies in no PT_LOAD segment`,
    );
  }
}

/** Holds the sections against the file. */
export function checkSections(
  { bytes, at, is64, header, complain }: Reader,
  sections: readonly Section[],
): void {
  const room = BigInt(bytes.length - at);
  sections.forEach((s, i) => {
    if (s.type === SHT_NULL || s.type === SHT_NOBITS || s.size === 0n) return;
    if (s.offset + s.size <= room) return;
    complain(
      "error",
      "elf.section-beyond-file",
      `${is64 ? "Elf64_Shdr" : "Elf32_Shdr"}[${i}]`,
      at + Number(header.e_shoff) + i * header.e_shentsize,
      `${s.name || sectionName(s.type)} needs bytes ${hex(s.offset)} to ` +
        `${hex(s.offset + s.size)}, the input ends at ${hex(room)}`,
    );
  });
}
