/**
 * Where the members of a structure lie: offsets, sizes and C types, through all
 * nested structures, unions and arrays.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import { declaration, plain, type Types } from "./declaration.ts";
import type { BtfComposite, BtfMember, BtfType } from "./types.ts";

/** A member of a structure and, where it is a structure itself, its members. */
export interface LayoutMember {
  /**
   * Dotted path from the outermost structure: `hdr.setup_sects`; an array of
   * structures stands as `e820_table[].addr`. Anonymous structures and unions
   * add nothing, as in C.
   */
  readonly path: string;
  /** The member's own name; empty for an anonymous structure or union. */
  readonly name: string;
  /** Bytes from the start of the outermost structure; in an array, of its first element. */
  readonly at: number;
  /** Of a bit field: its first bit, counted from the least at `at`. */
  readonly bitOffset?: number;
  /** Of a bit field: its width in bits. */
  readonly bitSize?: number;
  /** Bytes; of a bit field those of its declared type. */
  readonly size: number;
  /** The type as C writes it: `__u8[4]`, `struct setup_header`. */
  readonly type: string;
  /** Of an array: how many elements over all dimensions. */
  readonly elements?: number;
  /** Members of a structure or union, or of one element of an array of those. */
  readonly children?: readonly LayoutMember[];
}

/** A structure or union and where its members lie. */
export interface StructLayout {
  /** What it is. */
  readonly kind: "struct" | "union";
  /** Its name. */
  readonly name: string;
  /** Bytes it takes. */
  readonly size: number;
  /** Its members in the order of their declaration. */
  readonly members: readonly LayoutMember[];
}

/** A leaf of a layout. */
export interface LayoutField {
  /** Dotted path: `screen_info.orig_x`, `e820_table[3].addr`. */
  readonly path: string;
  /** Bytes from the start of the structure. */
  readonly at: number;
  /** Bytes; of a bit field those of its declared type. */
  readonly size: number;
  /** The type as C writes it. */
  readonly type: string;
  /** Of a bit field: its first bit, counted from the least at `at`. */
  readonly bitOffset?: number;
  /** Of a bit field: its width in bits. */
  readonly bitSize?: number;
}

/** How to flatten a layout. */
export interface FieldsOptions {
  /**
   * Arrays of structures: `each` element with its own rows (`e820_table[3].addr`,
   * the default), or `once` for all (`e820_table[].addr`).
   */
  readonly arrays?: "each" | "once";
}

/** How deep structures may nest; the kernel's own deepest is under 20. */
export const MAX_NESTING = 32;
/** How many members a layout may have at all depths; task_struct has some 1,500. */
export const MAX_MEMBERS = 1 << 16;

/** Where a member lies. */
export interface MemberPlace {
  /** Bytes from the start of the structure. */
  readonly at: number;
  /** Bytes; of a bit field those of its declared type. */
  readonly size: number;
  /** Of a bit field: its first bit, counted from the least at `at`. */
  readonly bitOffset?: number;
  /** Of a bit field: its width in bits. */
  readonly bitSize?: number;
}

/**
 * Where a member lies within its structure.
 *
 * A bit field is placed in the unit of its declared type that holds it, as a
 * compiler would load it. BTF before Linux 5.0 has the width of a bit field in
 * an integer type made for it.
 */
export function placeMember(types: Types, member: BtfMember): MemberPlace {
  const size = types.sizeOf(member.type);
  let { bitOffset, bitSize } = member;
  if (bitSize === undefined) {
    const type = types.resolve(member.type);
    if (type.kind === "INT" && (type.bits < 8 * type.size || bitOffset % 8 !== 0)) {
      bitSize = type.bits;
      bitOffset += type.bitOffset;
    }
  }
  if (bitSize === undefined) return { at: Math.floor(bitOffset / 8), size };
  const unit = Math.max(1, size);
  let at = Math.floor(bitOffset / 8 / unit) * unit;
  // In a packed structure a bit field may straddle units; then it starts at its byte.
  if (bitOffset - 8 * at + bitSize > 8 * unit) at = Math.floor(bitOffset / 8);
  return { at, size, bitOffset: bitOffset - 8 * at, bitSize };
}

/** The structure or union that a member holds, perhaps in an array. */
export function nestedIn(types: Types, id: number): BtfComposite | undefined {
  const type = elementType(types, id);
  return type.kind === "STRUCT" || type.kind === "UNION" ? type : undefined;
}

/** The type of what an array holds over all dimensions; of no array, the type itself. */
export function elementType(types: Types, id: number): BtfType {
  types.sizeOf(id); // holds that the dimensions end
  let type = types.resolve(id);
  while (type.kind === "ARRAY") type = types.resolve(type.type);
  return type;
}

/** How many elements an array has over all dimensions; undefined if it is none. */
function elementsOf(types: Types, id: number): number | undefined {
  let type = types.resolve(id);
  if (type.kind !== "ARRAY") return undefined;
  let elements = 1;
  while (type.kind === "ARRAY") {
    elements *= type.elements;
    type = types.resolve(type.type);
  }
  return elements;
}

/**
 * Lays a structure out.
 *
 * @throws {FormatError} If its types are circular, too many or lead nowhere.
 */
export function layoutOf(types: Types, type: BtfComposite): StructLayout {
  const budget = memberBudget(type);
  const members = layMembers(types, type, 0, "", budget, 0);
  return {
    kind: type.kind === "STRUCT" ? "struct" : "union",
    name: type.name,
    size: type.size,
    members,
  };
}

/** Counts members down and throws when there are too many or they nest too deep. */
export function memberBudget(type: BtfComposite): (depth: number) => void {
  let left = MAX_MEMBERS;
  const fail = (problem: string): never => {
    throw new FormatError({ structure: type.name || "btf_type", offset: 0 }, problem);
  };
  return (depth) => {
    if (depth > MAX_NESTING) fail(`nests structures more than ${MAX_NESTING} deep`);
    if (--left < 0) fail(`has more than ${MAX_MEMBERS} members`);
  };
}

function layMembers(
  types: Types,
  type: BtfComposite,
  base: number,
  prefix: string,
  spend: (depth: number) => void,
  depth: number,
): LayoutMember[] {
  return type.members.map((member) => {
    spend(depth);
    const { at, ...place } = placeMember(types, member);
    const path = prefix + member.name;
    const elements = elementsOf(types, member.type);
    const nested = nestedIn(types, member.type);
    const inner = member.name === "" ? prefix : `${path}${elements === undefined ? "" : "[]"}.`;
    return {
      path,
      name: member.name,
      at: base + at,
      ...place,
      type: plain(declaration(types, member.type, "")),
      ...(elements === undefined ? {} : { elements }),
      ...(nested === undefined
        ? {}
        : { children: layMembers(types, nested, base + at, inner, spend, depth + 1) }),
    };
  });
}

/**
 * A layout as a flat list of its leaves, in order of declaration: scalars,
 * pointers, bit fields and arrays of scalars. Structures are entered, and so
 * are arrays of structures unless they are empty.
 *
 * @throws {FormatError} If arrays make it more than 65,536 leaves.
 */
export function layoutToFields(
  layout: StructLayout,
  options: FieldsOptions = {},
): readonly LayoutField[] {
  const fields: LayoutField[] = [];
  flatten(layout.members, 0, "", options.arrays ?? "each", fields, layout.name);
  return fields;
}

function flatten(
  members: readonly LayoutMember[],
  shift: number,
  prefix: string,
  arrays: "each" | "once",
  fields: LayoutField[],
  structure: string,
): void {
  for (const { name, at, size, type, bitOffset, bitSize, elements, children } of members) {
    const path = prefix + name;
    if (children === undefined || elements === 0 || children.length === 0) {
      if (fields.length >= MAX_MEMBERS) {
        throw new FormatError(
          { structure, field: path, offset: at },
          `is past ${MAX_MEMBERS} leaves`,
        );
      }
      fields.push({
        path,
        at: shift + at,
        size,
        type,
        ...(bitOffset === undefined ? {} : { bitOffset }),
        ...(bitSize === undefined ? {} : { bitSize }),
      });
    } else if (elements === undefined || arrays === "once") {
      const inner = name === "" ? prefix : `${path}${elements === undefined ? "" : "[]"}.`;
      flatten(children, shift, inner, arrays, fields, structure);
    } else {
      for (let i = 0; i < elements; i++) {
        const inner = `${path}[${i}].`;
        flatten(children, shift + i * (size / elements), inner, arrays, fields, structure);
      }
    }
  }
}
