/**
 * The names of kallsyms: how many, where, and where each one starts.
 *
 * A name is its length and its codes; its first character is the symbol's type.
 * In front stands the number of symbols, behind stand the markers: where every
 * 256th name starts, the first of them 0. That makes both ends known from one
 * another: no other place in a kernel has names whose lengths add up to all the
 * markers.
 *
 * Source: scripts/kallsyms.c since Linux 2.6.10; lengths of two bytes since 6.1.
 *
 * @module
 */

import type { Image } from "./image.ts";
import type { TokenTable } from "./tokens.ts";

/** Where the names are. */
export interface NamePlaces {
  /** Where the number of symbols stands, in bytes from the start of the file. */
  readonly num_syms: number;
  /** Where the names start, in bytes from the start of the file. */
  readonly names: number;
  /** Where the markers start, in bytes from the start of the file. */
  readonly markers: number;
  /** Bytes of a marker: a pointer's until Linux 4.19, then 4. */
  readonly markerSize: number;
  /** Whether a length takes two bytes where it is over 127. */
  readonly hasLongNames: boolean;
  /** Start of each name's length, in bytes from the start of the file. */
  readonly starts: Uint32Array;
}

/** Names from one marker to the next. */
const STEP = 256;
/** A name has a length and at least one code. */
const MIN_STEP = 2 * STEP;
/** Names of 512 characters that compress not at all. */
const MAX_STEP = 514 * STEP;
/** How far before the tokens the markers may stand: room for 4 bytes a symbol. */
const REACH = 16 << 20;
/**
 * How many places and names are looked at in all. A kernel has under a million
 * names, and those of its markers that could be the first are under a hundred:
 * the upper half of each of the first 128 KiB, where markers have eight bytes.
 */
const MAX_WORK = 1 << 25;

/** What the search carries along. */
interface Work {
  /** How many places and names may still be looked at. */
  left: number;
  /** Which codes can start a name: those that start with a type letter. */
  readonly isType: readonly boolean[];
}

/** The markers nearest before the tokens, and the names that agree with them. */
export function findNames(image: Image, table: TokenTable): NamePlaces | undefined {
  const { view, word } = image;
  const work: Work = {
    left: MAX_WORK,
    isType: table.tokens.map((token) => /^[A-Za-z?]/.test(token)),
  };
  const last = Math.max(0, table.start - REACH);
  for (let at = (table.start & ~3) - 8; at >= last; at -= 4) {
    if (view.getUint32(at, true) !== 0) continue;
    for (const size of word === 8 ? [4, 8] : [4]) {
      const run = markerRun(view, at, size, table.start);
      if (run < 2) continue;
      const found = namesBefore(image, at, size, run, work);
      if (found !== undefined) return found;
      if (work.left < 0) return undefined;
    }
  }
  return undefined;
}

/** How many markers could stand at `at`. */
function markerRun(view: DataView, at: number, size: number, end: number): number {
  let count = 1;
  let last = 0;
  for (let next = at + size; next + size <= end; next += size) {
    const value = view.getUint32(next, true);
    if (size === 8 && view.getUint32(next + 4, true) !== 0) break;
    if (value - last < MIN_STEP || value - last > MAX_STEP) break;
    last = value;
    count++;
  }
  return count;
}

function namesBefore(
  image: Image,
  markers: number,
  markerSize: number,
  run: number,
  work: Work,
): NamePlaces | undefined {
  const { view, word } = image;
  const first = Math.max(word, markers - run * MAX_STEP);
  // The markers need at least that many bytes of names before them.
  const second = view.getUint32(markers + markerSize, true);
  for (let names = (markers & ~3) - (second & ~3); names >= first; names -= 4) {
    const length = markers - names;
    if (--work.left < 0) return undefined;
    for (const before of word === 8 ? [8, 4] : [4]) {
      const count = view.getUint32(names - before, true);
      if (count <= STEP || count > run * STEP || 2 * count > length) continue;
      if (before === 8 && view.getUint32(names - 4, true) !== 0) continue;
      // The last marker that this count asks for lies within these bytes.
      const lastMarker = markers + markerSize * ((count - 1) >> 8);
      const lastStep = length - view.getUint32(lastMarker, true);
      if (lastStep < 0 || lastStep > MAX_STEP) continue;
      for (const hasLongNames of [true, false]) {
        const places = {
          num_syms: names - before,
          names,
          markers,
          markerSize,
          hasLongNames,
        };
        const starts = walk(image, places, count, work);
        if (starts !== undefined) return { ...places, starts };
      }
    }
  }
  return undefined;
}

/** Goes from name to name, held to the markers, the end and the type letters. */
function walk(
  { bytes, view }: Image,
  places: Omit<NamePlaces, "starts">,
  count: number,
  work: Work,
): Uint32Array | undefined {
  const { names, markers, markerSize, hasLongNames } = places;
  let starts = new Uint32Array(STEP);
  let at = names;
  for (let i = 0; i < count; i++) {
    if (i % STEP === 0) {
      // A file made for it could have names that go on from every place.
      if ((work.left -= STEP) < 0) return undefined;
      if (view.getUint32(markers + markerSize * (i / STEP), true) !== at - names) return undefined;
      // Most places fail at the second marker; the room for all is taken after it.
      if (i === STEP) {
        const all = new Uint32Array(count);
        all.set(starts);
        starts = all;
      }
    }
    starts[i] = at;
    let length = bytes[at++] as number;
    if (hasLongNames && length >= 0x80) length = (length & 0x7f) | (bytes[at++] as number) << 7;
    if (length === 0 || at + length > markers || !work.isType[bytes[at] as number]) {
      return undefined;
    }
    at += length;
  }
  return markers - at < 16 ? starts : undefined;
}
