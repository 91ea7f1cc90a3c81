/**
 * A reader for DER, the encoding of certificates and signatures: tag, length,
 * content, one inside the other.
 *
 * Only what such files need: tags of one byte and definite lengths. Every length
 * is held against the content around it before it is used. Reading is led by the
 * structure expected, never by the nesting found, so nothing recurses at the
 * input's will.
 *
 * Source: ITU-T X.690.
 *
 * @module
 */

import { FormatError, hex } from "./errors.ts";

/** One element; all offsets are in bytes from the start of the input. */
export interface Der {
  /** The bytes it is part of. */
  readonly bytes: Uint8Array;
  /** First byte of the tag. */
  readonly offset: number;
  /** The tag's byte: class, constructed bit, number. */
  readonly tag: number;
  /** First byte of the content. */
  readonly start: number;
  /** Just past the content. */
  readonly end: number;
}

/** Tags, as bytes. */
export const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context1: 0xa1,
} as const;

/**
 * Reads the element at `at`.
 *
 * @param end What it has to end before.
 * @throws {FormatError} If it does not fit, or is not DER.
 */
export function readDer(bytes: Uint8Array, at: number, end: number): Der {
  const fail = (problem: string): never => {
    throw new FormatError({ structure: "DER", offset: at }, problem);
  };
  const limit = Math.min(end, bytes.length);
  if (at + 2 > limit) fail(`needs tag and length, the content around it ends at ${hex(limit)}`);
  const tag = bytes[at] ?? 0;
  if ((tag & 0x1f) === 0x1f) fail("a tag of more than one byte, which no certificate has");
  const first = bytes[at + 1] ?? 0;
  let start = at + 2;
  let length = first;
  if (first === 0x80) fail("indefinite length, which DER has not");
  if (first > 0x80) {
    const count = first & 0x7f;
    if (count > 4) fail(`a length of ${count} bytes`);
    if (start + count > limit) fail(`the length ends beyond ${hex(limit)}`);
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[start + i] ?? 0);
    start += count;
  }
  if (length > limit - start) {
    fail(`${length} bytes of content, though ${limit - start} are left`);
  }
  return { bytes, offset: at, tag, start, end: start + length };
}

/**
 * The elements within an element, in order.
 *
 * @throws {FormatError} At the first that does not fit.
 */
export function* childrenOf(der: Der): Generator<Der> {
  for (let at = der.start; at < der.end;) {
    const child = readDer(der.bytes, at, der.end);
    yield child;
    at = child.end;
  }
}

/**
 * The elements within an element, taken one by one by tag: the way a structure's
 * definition reads.
 */
export class DerFields {
  readonly #der: Der;
  readonly #what: string;
  #at: number;

  /**
   * Starts at the first element.
   *
   * @param der The element around.
   * @param what Its name, for errors.
   */
  constructor(der: Der, what: string) {
    this.#der = der;
    this.#what = what;
    this.#at = der.start;
  }

  /** The next element if it has one of these tags, else nothing; it is then taken. */
  optional(...wanted: readonly number[]): Der | undefined {
    if (this.#at >= this.#der.end) return undefined;
    const next = readDer(this.#der.bytes, this.#at, this.#der.end);
    if (wanted.length > 0 && !wanted.includes(next.tag)) return undefined;
    this.#at = next.end;
    return next;
  }

  /**
   * The next element.
   *
   * @throws {FormatError} If it has none of these tags, or there is none.
   */
  next(field: string, ...wanted: readonly number[]): Der {
    const found = this.optional(...wanted);
    if (found !== undefined) return found;
    const tag = this.#at < this.#der.end ? this.#der.bytes[this.#at] : undefined;
    throw new FormatError(
      { structure: this.#what, field, offset: this.#at },
      `needs tag ${wanted.map((t) => hex(t, 2)).join(" or ") || "of any kind"}, found ${
        tag === undefined ? "the end" : hex(tag, 2)
      }`,
    );
  }
}

/** An element's content. */
export function contentOf(der: Der): Uint8Array {
  return der.bytes.subarray(der.start, der.end);
}

/** An object identifier with its dots; "" if it is not one. */
export function showOid(der: Der): string {
  const content = contentOf(der);
  // Numbers of sane identifiers fit 53 bits, and they have few dozen bytes.
  if (der.tag !== tags.objectIdentifier || content.length === 0 || content.length > 64) return "";
  const numbers: number[] = [];
  let n = 0;
  for (const byte of content) {
    n = n * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(n / 40));
      numbers.push(first, n - first * 40);
    } else {
      numbers.push(n);
    }
    n = 0;
  }
  return numbers.join(".");
}

/** Bytes as hexadecimal digits, two a byte. */
export function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** A string of any of the types names are written in. */
export function showText(der: Der): string {
  const content = contentOf(der);
  const encoding = der.tag === tags.bmpString
    ? "utf-16be"
    : der.tag === tags.utf8String
    ? "utf-8"
    : "latin1";
  return new TextDecoder(encoding).decode(content);
}

/**
 * A time as ISO 8601, "2026-11-16T14:53:58Z"; as it stands if it is no time in
 * UTC. Years of two digits are 1950 to 2049.
 */
export function showTime(der: Der): string {
  const text = new TextDecoder("latin1").decode(contentOf(der));
  const digits = der.tag === tags.utcTime ? 2 : 4;
  const year = text.slice(0, digits);
  const rest = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d+)?Z$/.exec(text.slice(digits));
  if (!/^\d+$/.test(year) || rest === null) return text;
  const century = digits === 4 ? "" : Number(year) < 50 ? "20" : "19";
  const [, month, day, hour, minute, second = "00"] = rest;
  return `${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}
