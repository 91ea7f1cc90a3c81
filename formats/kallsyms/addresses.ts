/**
 * The addresses of kallsyms, in the five ways the kernel has written them.
 *
 * | since  | what stands there                                                    |
 * | ------ | -------------------------------------------------------------------- |
 * | 2.5    | pointers, before the number of symbols                               |
 * | 4.6    | 32-bit offsets and the base they count from, in the same place       |
 * | 4.6    | the same where per-CPU symbols count from 0: those stand as they are, |
 * |        | all others as -1 - (address - base); x86-64, until 6.14              |
 * | 6.4    | any of these, but behind the token index                             |
 * | 7.0    | 32-bit distances from each entry's own place to the symbol           |
 *
 * Nothing in the file says which, so each is tried; the right one gives
 * addresses that ascend and lie in the kernel.
 *
 * Source: scripts/kallsyms.c and kernel/kallsyms.c of those releases.
 *
 * @module
 */

import { addressOf, type Image } from "./image.ts";

/** How addresses are written. */
export type AddressForm = "absolute" | "relative" | "relative, per-CPU absolute" | "place-relative";

/** Addresses in two halves, which are read and compared without a bigint. */
export interface Addresses {
  /** How they are written in the file. */
  readonly form: AddressForm;
  /** Where they start, in bytes from the start of the file. */
  readonly at: number;
  /** Where the base stands, in bytes from the start of the file. */
  readonly base?: number;
  /** Bits 32 to 63 of each. */
  readonly high: Uint32Array;
  /** Bits 0 to 31 of each. */
  readonly low: Uint32Array;
}

/** What is read and how. */
interface Reading {
  readonly form: AddressForm;
  readonly at: number;
  readonly base?: number;
}

const up = (at: number, to: number): number => Math.ceil(at / to) * to;

/**
 * Finds the addresses that go with a table of names.
 *
 * @param before Where the number of symbols stands, in bytes.
 * @param after Where the token index ends, in bytes; absent where there is none.
 */
export function findAddresses(
  image: Image,
  count: number,
  before: number,
  after?: number,
): Addresses | undefined {
  const { word } = image;
  const base = before - word;
  const readings: Reading[] = [];
  const relative = (at: number, base: number) =>
    readings.push({ form: "relative, per-CPU absolute", at, base }, { form: "relative", at, base });
  if (after !== undefined) {
    const at = up(after, word);
    relative(at, up(at + 4 * count, word));
    readings.push({ form: "place-relative", at: up(after, 4) }, { form: "absolute", at });
  }
  relative(base - up(4 * count, word), base);
  readings.push({ form: "absolute", at: before - word * count });
  for (const reading of readings) {
    const found = read(image, reading, count);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads the addresses one way; undefined if they then neither ascend nor lie in the kernel. */
function read(image: Image, reading: Reading, count: number): Addresses | undefined {
  const { bytes, view, word, span } = image;
  const { form, at, base } = reading;
  const size = form === "absolute" ? word : 4;
  if (at < 0 || at + size * count > bytes.length) return undefined;
  if (base !== undefined && (base < 0 || base + word > bytes.length)) return undefined;
  const from = form === "place-relative"
    ? addressOf(image, at)
    : base === undefined
    ? 0n
    : word === 8
    ? view.getBigUint64(base, true)
    : BigInt(view.getUint32(base, true));
  if (from === undefined) return undefined;
  // The base is the kernel's first symbol; anything else makes addresses of other forms ascend too.
  if (base !== undefined && (from < span.start || from >= span.end)) return undefined;

  // A 64-bit sum in two halves: doubles hold 2^32 + 2^32 exactly.
  const fromHigh = Number(from >> 32n);
  const fromLow = Number(from & 0xffffffffn);
  const start = halves(span.start);
  const end = halves(span.end - 1n);
  const high = new Uint32Array(count);
  const low = new Uint32Array(count);
  let inSpan = 0;
  let lastHigh = 0;
  let lastLow = 0;
  for (let i = 0; i < count; i++) {
    const place = at + size * i;
    let h: number;
    let l: number;
    if (form === "absolute") {
      l = view.getUint32(place, true);
      h = word === 8 ? view.getUint32(place + 4, true) : 0;
    } else {
      const offset = view.getInt32(place, true);
      if (form === "relative, per-CPU absolute" && offset >= 0) {
        h = 0;
        l = offset;
      } else {
        const distance = form === "relative"
          ? offset >>> 0
          : form === "place-relative"
          ? offset + 4 * i
          : -1 - offset;
        const sum = fromLow + distance;
        l = sum >>> 0;
        h = word === 4 ? 0 : (fromHigh + Math.floor(sum / 0x1_0000_0000)) >>> 0;
      }
    }
    if (h < lastHigh || (h === lastHigh && l < lastLow)) return undefined;
    if (!less(h, l, start) && !less(end.high, end.low, { high: h, low: l })) inSpan++;
    high[i] = lastHigh = h;
    low[i] = lastLow = l;
  }
  // Per-CPU and absolute symbols lie outside, but most of a kernel is in it.
  if (2 * inSpan < count) return undefined;
  return { form, at, high, low, ...(base === undefined ? {} : { base }) };
}

function halves(address: bigint): { readonly high: number; readonly low: number } {
  return { high: Number(address >> 32n), low: Number(address & 0xffffffffn) };
}

function less(high: number, low: number, than: { readonly high: number; readonly low: number }) {
  return high < than.high || (high === than.high && low < than.low);
}
