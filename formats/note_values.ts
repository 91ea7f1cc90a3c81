/**
 * What the description of an ELF note says, by the form its type gives it.
 *
 * @module
 */

import type { Elf } from "./elf.ts";
import { hex } from "./errors.ts";
import { bitNames } from "./layout.ts";
import { abiSystems, type NoteForm, propertyTypes, xenFeatures } from "./note_types.ts";

/** A note's value with named parts. */
export type NoteRecord = Readonly<Record<string, string | number | bigint>>;

/**
 * What a note says: text, a number, an address (a bigint, whatever its width),
 * named parts, or several such.
 */
export type NoteValue = string | number | bigint | NoteRecord | readonly NoteRecord[];

/** A description, read. */
export interface Description {
  /** What it says. */
  readonly value: NoteValue;
  /** The same in words. */
  readonly shown: string;
  /** What is wrong with it, if anything. */
  readonly complaint?: string;
}

/** So many characters of a text are kept, and twice as many digits of bytes. */
const MAX_TEXT = 4096;
/** So many parts of a description are read. */
const MAX_PARTS = 64;

/** Text up to the first NUL, at most 4096 characters, one a byte. */
export function textOf(bytes: Uint8Array): string {
  const field = bytes.subarray(0, MAX_TEXT);
  const end = field.indexOf(0);
  return String.fromCharCode(...(end < 0 ? field : field.subarray(0, end)));
}

/** Bytes in hexadecimal, two digits each, at most 4096 of them. */
function digits(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, MAX_TEXT), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Words of a description in the ELF's byte order; those it lacks are 0. */
class Words {
  readonly #view: DataView;
  readonly #littleEndian: boolean;

  constructor(desc: Uint8Array, { littleEndian }: Pick<Elf, "littleEndian">) {
    this.#view = new DataView(desc.buffer, desc.byteOffset, desc.byteLength);
    this.#littleEndian = littleEndian;
  }

  get size(): number {
    return this.#view.byteLength;
  }

  u32(at: number): number {
    return at + 4 <= this.size ? this.#view.getUint32(at, this.#littleEndian) : 0;
  }

  /** A word of 4 or 8 bytes. */
  wide(at: number, size: number): bigint {
    return size === 8 && at + 8 <= this.size
      ? this.#view.getBigUint64(at, this.#littleEndian)
      : BigInt(this.u32(at));
  }
}

/** A property's data: a number of 4 or 8 bytes, else its bytes in hexadecimal. */
function propertyValue(data: Uint8Array, words: Words, at: number): number | bigint | string {
  if (data.length === 4) return words.u32(at);
  return data.length === 8 ? words.wide(at, 8) : digits(data);
}

type Reader = (desc: Uint8Array, elf: Pick<Elf, "littleEndian" | "class">) => Description;

const short = (needs: number, desc: Uint8Array): { complaint?: string } =>
  desc.length < needs ? { complaint: `value needs ${needs} bytes, found ${desc.length}` } : {};

const readers: Readonly<Record<NoteForm, Reader>> = {
  text: (desc) => {
    const value = textOf(desc);
    return { value, shown: JSON.stringify(value) };
  },

  id: (desc) => ({ value: digits(desc), shown: digits(desc) }),

  address: (desc, elf) => {
    // Xen reads whichever width the description has, not the one of the ELF.
    const value = new Words(desc, elf).wide(0, desc.length >= 8 ? 8 : 4);
    return { value, shown: hex(value), ...short(4, desc) };
  },

  number: (desc, elf) => {
    const words = new Words(desc, elf);
    const value = words.u32(elf.littleEndian || desc.length < 8 ? 0 : 4);
    const above = words.wide(0, desc.length >= 8 ? 8 : 4) >> 32n;
    const complaint = above === 0n ? {} : { complaint: `needs 32 bits, found ${hex(above)} above` };
    return { value, shown: hex(value), ...complaint, ...short(4, desc) };
  },

  flag: (desc, elf) => {
    const value = new Words(desc, elf).u32(0);
    return { value, shown: value === 0 ? "no" : "yes", ...short(4, desc) };
  },

  version: (desc, elf) => {
    const value = new Words(desc, elf).u32(0);
    return {
      value,
      shown: `${value >> 16}.${value >> 8 & 0xff}.${value & 0xff}`,
      ...short(4, desc),
    };
  },

  "abi-tag": (desc, elf) => {
    const words = new Words(desc, elf);
    const os = abiSystems[words.u32(0)] ?? `system ${words.u32(0)}`;
    const version = [4, 8, 12].map((at) => words.u32(at)).join(".");
    return { value: { os, version }, shown: `${os} ${version}`, ...short(16, desc) };
  },

  "xen-features": (desc, elf) => {
    const value = new Words(desc, elf).u32(0);
    const names = bitNames(value, xenFeatures).join(" ");
    return { value, shown: `${hex(value)}: ${names || "none"}`, ...short(4, desc) };
  },

  "mask-pairs": (desc, elf) => {
    // A pair is two machine addresses: 8 bytes each but in 32-bit guests without PAE.
    const size = desc.length % 16 === 0 ? 8 : 4;
    const words = new Words(desc, elf);
    const pairs: { mask: bigint; value: bigint }[] = [];
    for (let at = 0; at + 2 * size <= desc.length && pairs.length < MAX_PARTS; at += 2 * size) {
      pairs.push({ mask: words.wide(at, size), value: words.wide(at + size, size) });
    }
    const shown = pairs.map(({ mask, value }) => `mask ${hex(mask)} value ${hex(value)}`);
    return { value: pairs, shown: shown.join(", "), ...short(8, desc) };
  },

  placement: (desc, elf) => {
    // Each of the three may be left out from the end on, and then has a default.
    const words = new Words(desc, elf);
    const align = desc.length >= 4 ? words.u32(0) : 0x200000;
    const min = desc.length >= 8 ? words.u32(4) : 0;
    const max = desc.length >= 12 ? words.u32(8) : 0xffffffff;
    const shown = `aligned to ${hex(align)}, from ${hex(min)} to ${hex(max)}`;
    return { value: { align, min, max }, shown };
  },

  properties: (desc, elf) => {
    const words = new Words(desc, elf);
    const align = elf.class / 8;
    const records: NoteRecord[] = [];
    const shown: string[] = [];
    let at = 0;
    while (at + 8 <= desc.length && records.length < MAX_PARTS) {
      const type = words.u32(at);
      const size = words.u32(at + 4);
      if (at + 8 + size > desc.length) break;
      const known = propertyTypes[type];
      const name = known?.name ?? hex(type);
      const value = propertyValue(desc.subarray(at + 8, at + 8 + size), words, at + 8);
      records.push({ type, name, value });
      const meaning = typeof value === "number" && known?.bits
        ? bitNames(value, known.bits).join(" ") || "none"
        : typeof value === "string"
        ? value
        : hex(value);
      shown.push(meaning ? `${name}: ${meaning}` : name);
      at += 8 + Math.ceil(size / align) * align;
    }
    const rest = desc.length - at;
    return {
      value: records,
      shown: shown.join(", "),
      ...(rest > 0 ? { complaint: `${rest} bytes of properties cannot be read` } : {}),
    };
  },
};

/**
 * Reads the description of a note.
 *
 * @param form How; without one the value is the bytes in hexadecimal.
 * @param elf For its word size and byte order.
 */
export function decodeDescription(
  form: NoteForm | undefined,
  desc: Uint8Array,
  elf: Pick<Elf, "littleEndian" | "class">,
): Description {
  if (form !== undefined) return readers[form](desc, elf);
  const value = digits(desc);
  const more = desc.length > MAX_TEXT ? `… (${desc.length} bytes)` : "";
  return { value, shown: value.replace(/(..)(?=.)/g, "$1 ") + more };
}
