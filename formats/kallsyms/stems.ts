/**
 * The symbol table of Linux 2.5 to 2.6.9: names that share their beginning with
 * the name before.
 *
 * Pointers, their number, names: of each name the length it has in common with
 * the one before, the rest, and NUL. Symbols have no type letters there.
 *
 * Nothing marks the place, so every word that could be the number of symbols is
 * tried: the words before it must be addresses that ascend to it, and the byte
 * behind it 0, as the first name has nothing in common with any.
 *
 * Source: scripts/kallsyms.c and kernel/kallsyms.c of Linux 2.6.0.
 *
 * @module
 */

import { type Addresses, findAddresses } from "./addresses.ts";
import type { Image } from "./image.ts";

/** A table of that kind. */
export interface StemTable {
  /** Where the number of symbols stands, in bytes from the start of the file. */
  readonly num_syms: number;
  /** Where the names start, in bytes from the start of the file. */
  readonly names: number;
  /** The addresses. */
  readonly addresses: Addresses;
  /** The names in the order of the table. */
  readonly texts: readonly string[];
}

/** Fewer symbols than any kernel has. */
const MIN_SYMBOLS = 256;
/** More than any kernel of that time had. */
const MAX_SYMBOLS = 1 << 18;
const MAX_NAME = 255;
/** How many of the last addresses must ascend before the table is looked at whole. */
const SAMPLE = 16;
/** How many names are gone through in all; a file made for it could start them everywhere. */
const MAX_WALK = 1 << 22;

/** Finds a table of that kind. */
export function findStems(image: Image): StemTable | undefined {
  const { bytes, view, word } = image;
  const end = bytes.length - word - MIN_SYMBOLS;
  const work = { left: MAX_WALK };
  for (let at = word * MIN_SYMBOLS; at < end; at += word) {
    const count = view.getUint32(at, true);
    if (count < MIN_SYMBOLS || count > MAX_SYMBOLS || word * count > at) continue;
    if (bytes[at + word] !== 0 || !isText(bytes[at + word + 1])) continue;
    if (word === 8 && view.getUint32(at + 4, true) !== 0) continue;
    if (!endsAscending(image, at)) continue;
    const texts = stemNames(bytes, at + word, count, work);
    if (texts === undefined) continue;
    const addresses = findAddresses(image, count, at);
    if (addresses?.form === "absolute") {
      return { num_syms: at, names: at + word, addresses, texts };
    }
  }
  return undefined;
}

function endsAscending({ view, word }: Image, end: number): boolean {
  let last = Infinity;
  for (let at = end - word; at >= end - SAMPLE * word; at -= word) {
    const value = view.getUint32(at, true);
    if (value > last || value < MAX_SYMBOLS) return false;
    last = value;
  }
  return true;
}

function stemNames(
  bytes: Uint8Array,
  start: number,
  count: number,
  work: { left: number },
): string[] | undefined {
  const texts: string[] = [];
  let last = "";
  let at = start;
  for (let i = 0; i < count; i++) {
    if (--work.left < 0) return undefined;
    const stem = bytes[at++] ?? 256;
    if (stem > last.length) return undefined;
    let name = last.slice(0, stem);
    while (isText(bytes[at])) {
      name += String.fromCharCode(bytes[at++] as number);
      if (name.length > MAX_NAME) return undefined;
    }
    if (bytes[at++] !== 0) return undefined;
    texts.push(last = name);
  }
  return texts;
}

function isText(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0x20 && byte < 0x7f;
}
