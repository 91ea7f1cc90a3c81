/**
 * ELF notes: small records that a program carries for whoever loads it.
 *
 * A kernel tells in them its build ID, where a hypervisor is to enter it, what
 * it was salted with. Each is three words (length of the owner's name, length of
 * the description, type), the owner, the description, each padded.
 *
 * To what they are padded is not said anywhere reliable: 4 bytes by tradition,
 * also in 64-bit kernels; 8 in segments aligned to 8, mostly. So the alignment of
 * the segment is tried first, and the one that reaches the end cleanly is taken.
 *
 * Source: System V ABI, "Note Section"; the kernel's include/linux/elfnote.h.
 *
 * @module
 */

import type { Elf } from "./elf.ts";
import { PT_NOTE, SHT_NOTE } from "./elf_tables.ts";
import { hex } from "./errors.ts";
import { decodeDescription, type NoteValue, textOf } from "./note_values.ts";
import { noteTypes } from "./note_types.ts";

/** A note. */
export interface Note {
  /** Who gives the type its meaning: "GNU", "Linux", "Xen"; "" none. */
  readonly owner: string;
  /** The owner's number for what the note says. */
  readonly type: number;
  /** The type's name in its owner's header; absent where it has none here. */
  readonly name?: string;
  /** What notes of this type say; absent where the type has no name here. */
  readonly doc?: string;
  /** What the note says; an unknown type's description in hexadecimal. */
  readonly value: NoteValue;
  /** The value in words. */
  readonly shown: string;
  /** Where the note starts in the input, in bytes. */
  readonly offset: number;
  /** The description's bytes, as many as there are; a view, no copy. */
  readonly desc: Uint8Array;
  /** What is wrong with the note, if anything; no full stop. */
  readonly complaint?: string;
}

/** So many notes are read; a kernel has some twenty. */
const MAX_NOTES = 4096;
/** So many headers are looked at, counting the ones met twice. */
const MAX_STEPS = 4 * MAX_NOTES;

/** A part of the input that holds notes, in bytes. */
interface Range {
  readonly start: number;
  readonly end: number;
  readonly align: number;
}

/** Where a note is, before it is read. */
interface Found {
  readonly at: number;
  readonly namesz: number;
  readonly descsz: number;
  readonly type: number;
  readonly descAt: number;
  /** Where the segment or section ends. */
  readonly end: number;
}

/**
 * Reads the notes of an ELF: those in PT_NOTE segments, then those in SHT_NOTE
 * sections that no segment has. None occurs twice.
 *
 * Never throws: a note cut off by the end of its segment is given as far as it
 * goes, with a complaint. At most 4096 notes are read; the last then says that
 * more follow.
 *
 * @param bytes The input that `elf` was decoded from.
 */
export function decodeNotes(bytes: Uint8Array, elf: Elf): Note[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seen = new Set<number>();
  const found: Found[] = [];
  const steps = { left: MAX_STEPS };
  let isCut = false;
  for (const range of ranges(elf)) {
    if (isCut) break;
    for (const note of walkRange(view, range, elf.littleEndian, steps)) {
      if (seen.has(note.at)) continue;
      seen.add(note.at);
      isCut = found.length === MAX_NOTES;
      if (isCut) break;
      found.push(note);
    }
    isCut ||= steps.left <= 0;
  }
  return found.map((note, i) =>
    readNote(bytes, elf, note, isCut && i === found.length - 1 ? "more notes follow" : undefined)
  );
}

/** A note by owner and type: `findNote(notes, "Xen", 18)` is the PVH entry. */
export function findNote(notes: readonly Note[], owner: string, type: number): Note | undefined {
  return notes.find((note) => note.owner === owner && note.type === type);
}

function* ranges(elf: Elf): Generator<Range> {
  const clip = (offset: bigint, size: bigint, align: bigint): Range => {
    const end = BigInt(elf.inputEnd);
    const from = BigInt(elf.at) + offset;
    const to = from + size;
    return {
      start: Number(from < end ? from : end),
      end: Number(to < end ? to : end),
      align: align === 8n ? 8 : 4,
    };
  };
  for (const p of elf.phdrs) {
    if (p.type === PT_NOTE) yield clip(p.offset, p.filesz, p.align);
  }
  for (const s of elf.sections) {
    if (s.type === SHT_NOTE) yield clip(s.offset, s.size, s.addralign);
  }
}

/** The notes in a range, by its own alignment or else by the other one. */
function walkRange(
  view: DataView,
  range: Range,
  littleEndian: boolean,
  steps: { left: number },
): Found[] {
  const asSaid = walkBy(range.align, view, range, littleEndian, steps);
  if (asSaid.isClean) return asSaid.notes;
  const other = walkBy(range.align === 8 ? 4 : 8, view, range, littleEndian, steps);
  return other.isClean ? other.notes : asSaid.notes;
}

function walkBy(
  align: number,
  view: DataView,
  { start, end }: Range,
  littleEndian: boolean,
  steps: { left: number },
): { notes: Found[]; isClean: boolean } {
  const notes: Found[] = [];
  const up = (n: number) => start + Math.ceil((n - start) / align) * align;
  let isClean = true;
  let at = start;
  while (at + 12 <= end && steps.left-- > 0) {
    const namesz = view.getUint32(at, littleEndian);
    const descsz = view.getUint32(at + 4, littleEndian);
    const type = view.getUint32(at + 8, littleEndian);
    // Three zero words are no note but padding: an owner has at least its NUL.
    if (namesz === 0 && descsz === 0 && type === 0) break;
    const descAt = up(at + 12 + namesz);
    notes.push({ at, namesz, descsz, type, descAt, end });
    const nameEnd = at + 12 + namesz;
    isClean &&= namesz > 0 && nameEnd <= end && view.getUint8(nameEnd - 1) === 0 &&
      descAt + descsz <= end;
    at = up(descAt + descsz);
  }
  return { notes, isClean };
}

function readNote(bytes: Uint8Array, elf: Elf, found: Found, also: string | undefined): Note {
  const { at, namesz, descsz, type, end } = found;
  const owner = textOf(bytes.subarray(at + 12, Math.min(at + 12 + namesz, end)));
  const descAt = Math.min(found.descAt, end);
  const desc = bytes.subarray(descAt, Math.min(descAt + descsz, end));
  const known = noteTypes[owner]?.[type];
  const { value, shown, complaint } = decodeDescription(known?.form, desc, elf);
  const cut = at + 12 + namesz > end
    ? `owner needs ${namesz} bytes, the notes end at ${hex(end)}`
    : desc.length < descsz
    ? `description needs ${descsz} bytes, the notes end ${desc.length} bytes after its start`
    : undefined;
  const complaints = [cut, complaint, also].filter((text) => text !== undefined);
  return {
    owner,
    type,
    ...(known ? { name: known.name, doc: known.doc } : {}),
    value,
    shown,
    offset: at,
    desc,
    ...(complaints.length > 0 ? { complaint: complaints.join("; ") } : {}),
  };
}
