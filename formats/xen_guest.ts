/**
 * `__xen_guest`, the text in which kernels told Xen about themselves before
 * there were notes for it: "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000".
 *
 * Xen still looks for it when it finds no notes of its own. GNU Mach has it, next
 * to notes whose owner is misspelt. A HYPERCALL_PAGE in it is a page number,
 * where the note of that name is an address.
 *
 * Source: Xen's common/libelf/libelf-dominfo.c, elf_xen_parse_guest_info; the
 * remarks "LEGACY" in its public elfnote.h.
 *
 * @module
 */

import { type Elf, sectionBytes } from "./elf.ts";
import { textOf } from "./note_values.ts";

/** A decoded `__xen_guest` section. */
export interface XenGuest {
  /** Where the section starts in the input, in bytes. */
  readonly offset: number;
  /** The text, at most 4096 characters of it. */
  readonly text: string;
  /** Keys and values in order; the value is "" for a key that stands alone. */
  readonly values: ReadonlyMap<string, string>;
}

/**
 * Reads the `__xen_guest` section. Never throws.
 *
 * @param bytes The input that `elf` was decoded from.
 * @returns `undefined` for an ELF without that section.
 */
export function decodeXenGuest(bytes: Uint8Array, elf: Elf): XenGuest | undefined {
  const section = sectionBytes(bytes, elf, "__xen_guest");
  if (!section) return undefined;
  const text = textOf(section);
  const values = new Map<string, string>();
  for (const pair of text.split(",")) {
    const [, key, value = ""] = pair.match(/^\s*([^=]+)=?(.*)$/s) ?? [];
    if (key) values.set(key, value);
  }
  return { offset: section.byteOffset - bytes.byteOffset, text, values };
}
