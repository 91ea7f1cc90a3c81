/**
 * Multiboot headers: how kernels that are not Linux tell GRUB what they want.
 *
 * Version 1 has a header of up to twelve words somewhere in the first 8192
 * bytes, on a boundary of four; version 2 a header and a row of tags in the first
 * 32768, on a boundary of eight. Both carry a word that makes the first three or
 * four add up to zero, and by that they are found.
 *
 * Source: Multiboot Specification 0.6.96 and 2.0, section 3.1.
 *
 * @module
 */

import { hex } from "../errors.ts";
import { bitNames, decode, type Decoded, type Structure } from "../layout.ts";
import { type Field, field, fieldsOf } from "./finding.ts";

const address = (n: number): string => hex(n);

/** Bits of the flags of version 1. */
export const multiboot1Flags = {
  0: "PAGE_ALIGN",
  1: "MEMORY_INFO",
  2: "VIDEO_MODE",
  16: "AOUT_KLUDGE",
} as const;

/** The header of version 1. */
export const multiboot1Header = {
  name: "multiboot_header",
  size: 12,
  fields: {
    magic: { at: 0, type: "u32", doc: "0x1badb002." },
    flags: { at: 4, type: "u32", doc: "What it asks for.", bits: multiboot1Flags },
    checksum: { at: 8, type: "u32", doc: "Makes the three words add up to 0." },
  },
} as const satisfies Structure;

/** Where to load: there if flag 16 is set. */
export const multiboot1Addresses = {
  name: "multiboot_header",
  base: 12,
  size: 20,
  fields: {
    header_addr: { at: 12, type: "u32", doc: "Address this header goes to.", show: address },
    load_addr: { at: 16, type: "u32", doc: "Address to load at.", show: address },
    load_end_addr: {
      at: 20,
      type: "u32",
      doc: "Where loading ends; 0 the file's end.",
      show: address,
    },
    bss_end_addr: { at: 24, type: "u32", doc: "Where zeroed memory ends.", show: address },
    entry_addr: { at: 28, type: "u32", doc: "Where to jump to.", show: address },
  },
} as const satisfies Structure;

/** What screen it likes: there if flag 2 is set. */
export const multiboot1Video = {
  name: "multiboot_header",
  base: 32,
  size: 16,
  fields: {
    mode_type: {
      at: 32,
      type: "u32",
      doc: "Kind of mode.",
      values: { 0: "linear graphics", 1: "EGA text" },
    },
    width: { at: 36, type: "u32", doc: "Columns or pixels; 0 any." },
    height: { at: 40, type: "u32", doc: "Lines or pixels; 0 any." },
    depth: { at: 44, type: "u32", doc: "Bits a pixel; 0 any." },
  },
} as const satisfies Structure;

/** The header of version 2. */
export const multiboot2Header = {
  name: "multiboot2_header",
  size: 16,
  fields: {
    magic: { at: 0, type: "u32", doc: "0xe85250d6." },
    architecture: {
      at: 4,
      type: "u32",
      doc: "State the kernel is entered in.",
      values: { 0: "i386, protected mode", 4: "MIPS, 32 bits" },
    },
    header_length: { at: 8, type: "u32", doc: "Bytes of header and tags." },
    checksum: { at: 12, type: "u32", doc: "Makes the four words add up to 0." },
  },
} as const satisfies Structure;

/** Tags of version 2 by type. */
export const multiboot2Tags = {
  0: "end",
  1: "information request",
  2: "address",
  3: "entry address",
  4: "console flags",
  5: "framebuffer",
  6: "module alignment",
  7: "EFI boot services",
  8: "entry address, EFI i386",
  9: "entry address, EFI amd64",
  10: "relocatable header",
} as const;

/** A tag of version 2. */
export interface Multiboot2Tag {
  /** Its type; see {@link multiboot2Tags}. */
  readonly type: number;
  /** Bit 0: the loader may pass it over. */
  readonly flags: number;
  /** Where it starts in the file. */
  readonly offset: number;
  /** The words behind its head. */
  readonly words: readonly number[];
}

/** A header of version 1 that was found. */
export interface Multiboot1 {
  /** Where it is in the file, in bytes. */
  readonly offset: number;
  /** Its first three words. */
  readonly header: Decoded<typeof multiboot1Header>;
  /** Where to load, if it says so. */
  readonly addresses?: Decoded<typeof multiboot1Addresses>;
  /** What screen it likes, if it says so. */
  readonly video?: Decoded<typeof multiboot1Video>;
}

/** A header of version 2 that was found. */
export interface Multiboot2 {
  /** Where it is in the file, in bytes. */
  readonly offset: number;
  /** Its first four words. */
  readonly header: Decoded<typeof multiboot2Header>;
  /** Its tags. */
  readonly tags: readonly Multiboot2Tag[];
}

/** Finds a header of version 1 in the first 8192 bytes. */
export function findMultiboot1(bytes: Uint8Array): Multiboot1 | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(bytes.length, 8192) - multiboot1Header.size;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== 0x1badb002) continue;
    const header = decode(multiboot1Header, bytes, { at });
    if ((header.magic + header.flags + header.checksum) % 2 ** 32 !== 0) continue;
    const has = (flag: number, last: number) =>
      (header.flags & flag) !== 0 && at + last <= bytes.length;
    return {
      offset: at,
      header,
      ...(has(1 << 16, 32)
        ? { addresses: decode(multiboot1Addresses, bytes, { at: at + 12 }) }
        : {}),
      ...(has(1 << 2, 48) ? { video: decode(multiboot1Video, bytes, { at: at + 32 }) } : {}),
    };
  }
  return undefined;
}

/** Finds a header of version 2 in the first 32768 bytes. */
export function findMultiboot2(bytes: Uint8Array): Multiboot2 | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(bytes.length, 32768) - multiboot2Header.size;
  for (let at = 0; at <= end; at += 8) {
    if (view.getUint32(at, true) !== 0xe85250d6) continue;
    const header = decode(multiboot2Header, bytes, { at });
    const { magic, architecture, header_length, checksum } = header;
    if ((magic + architecture + header_length + checksum) % 2 ** 32 !== 0) continue;
    const last = Math.min(at + header_length, bytes.length, 32768);
    const tags: Multiboot2Tag[] = [];
    for (let tag = at + multiboot2Header.size; tag + 8 <= last;) {
      const type = view.getUint16(tag, true);
      const size = view.getUint32(tag + 4, true);
      if (size < 8 || tag + size > last) break;
      const words = [];
      for (let i = 8; i + 4 <= size; i += 4) words.push(view.getUint32(tag + i, true));
      tags.push({ type, flags: view.getUint16(tag + 2, true), offset: tag, words });
      if (type === 0) break;
      tag += Math.ceil(size / 8) * 8;
    }
    return { offset: at, header, tags };
  }
  return undefined;
}

/** The fields of a header of version 1. */
export function multiboot1Fields(found: Multiboot1): Field[] {
  return [
    field("multiboot_header.offset", found.offset, hex(found.offset)),
    ...fieldsOf(multiboot1Header, found.header, "multiboot_header."),
    ...(found.addresses ? fieldsOf(multiboot1Addresses, found.addresses, "multiboot_header.") : []),
    ...(found.video ? fieldsOf(multiboot1Video, found.video, "multiboot_header.") : []),
  ];
}

/** The fields of a header of version 2, a line for each tag. */
export function multiboot2Fields(found: Multiboot2): Field[] {
  return [
    field("multiboot2_header.offset", found.offset, hex(found.offset)),
    ...fieldsOf(multiboot2Header, found.header, "multiboot2_header."),
    ...found.tags.map((tag, i) => {
      const names: Readonly<Record<number, string>> = multiboot2Tags;
      const optional = tag.flags & 1 ? ", optional" : "";
      const words = tag.words.length > 0 ? `: ${tag.words.map((w) => hex(w)).join(" ")}` : "";
      return field(
        `multiboot2_header.tag[${i}]`,
        tag.type,
        `${names[tag.type] ?? "unassigned"}${optional}${words}`,
      );
    }),
  ];
}

/** The flags of version 1 in words. */
export function showMultiboot1Flags(flags: number): string {
  return bitNames(flags, multiboot1Flags).join(" ") || "none";
}
