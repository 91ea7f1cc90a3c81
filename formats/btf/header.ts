/**
 * BTF's fixed parts as tables: the header and the kinds of type.
 *
 * The file is a header, a section of types, a section of NUL-terminated names,
 * and since Linux 7.x a section that gives the length of every kind, so that a
 * reader can pass over kinds younger than itself. Types have no number of their
 * own: a type's id is its place in the sequence, from 1 on; 0 is void.
 *
 * Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst.
 *
 * @module
 */

import type { Structure } from "../layout.ts";

/** The first two bytes of BTF, read as a little-endian number. */
export const BTF_MAGIC = 0xeb9f;

/** struct btf_header; offsets in it count from the header's end. */
export const btfHeader = {
  name: "btf_header",
  size: 32,
  fields: {
    magic: { at: 0x00, type: "u16", doc: "0xeb9f; the other way round in big-endian BTF." },
    version: { at: 0x02, type: "u8", doc: "1 so far." },
    flags: { at: 0x03, type: "u8", doc: "None are assigned." },
    hdr_len: { at: 0x04, type: "u32", doc: "Bytes of this header: 24, or 32 with a layout." },
    type_off: { at: 0x08, type: "u32", doc: "Start of the types, in bytes from the header's end." },
    type_len: { at: 0x0c, type: "u32", doc: "Bytes of types." },
    str_off: { at: 0x10, type: "u32", doc: "Start of the names, in bytes from the header's end." },
    str_len: { at: 0x14, type: "u32", doc: "Bytes of names; the first and the last are NUL." },
    layout_off: {
      at: 0x18,
      type: "u32",
      since: 1,
      doc: "Start of the lengths of kinds, in bytes from the header's end; Linux 7.1 and later.",
    },
    layout_len: { at: 0x1c, type: "u32", since: 1, doc: "Bytes of lengths of kinds, four a kind." },
  },
} as const satisfies Structure;

/** What follows the twelve bytes that every type starts with. */
export interface KindRow {
  /** The kernel's name without BTF_KIND_. */
  readonly name: string;
  /** Bytes that follow once. */
  readonly once: number;
  /** Bytes that follow for each of `vlen` members, values, parameters or variables. */
  readonly each: number;
}

/** The kinds by their number; 0 is void, which has an id but no bytes. */
export const btfKinds = [
  { name: "VOID", once: 0, each: 0 },
  { name: "INT", once: 4, each: 0 },
  { name: "PTR", once: 0, each: 0 },
  { name: "ARRAY", once: 12, each: 0 },
  { name: "STRUCT", once: 0, each: 12 },
  { name: "UNION", once: 0, each: 12 },
  { name: "ENUM", once: 0, each: 8 },
  { name: "FWD", once: 0, each: 0 },
  { name: "TYPEDEF", once: 0, each: 0 },
  { name: "VOLATILE", once: 0, each: 0 },
  { name: "CONST", once: 0, each: 0 },
  { name: "RESTRICT", once: 0, each: 0 },
  { name: "FUNC", once: 0, each: 0 },
  { name: "FUNC_PROTO", once: 0, each: 8 },
  { name: "VAR", once: 4, each: 0 },
  { name: "DATASEC", once: 0, each: 12 },
  { name: "FLOAT", once: 0, each: 0 },
  { name: "DECL_TAG", once: 4, each: 0 },
  { name: "TYPE_TAG", once: 0, each: 0 },
  { name: "ENUM64", once: 0, each: 12 },
] as const satisfies readonly KindRow[];

/** The name of a kind of type. */
export type BtfKind = typeof btfKinds[number]["name"];
