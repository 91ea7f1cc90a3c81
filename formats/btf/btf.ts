/**
 * The kernel's own description of its C types: BTF (BPF Type Format).
 *
 * A kernel built with CONFIG_DEBUG_INFO_BTF carries every structure it was
 * compiled with, bare of comments but exact to the bit, and keeps it where
 * debug information is stripped. So `struct boot_params` can be printed as this
 * very kernel has it.
 *
 * A kernel has over a hundred thousand types and a reader wants three of them.
 * Opening therefore only notes where each type starts; a type is decoded when
 * it is asked for.
 *
 * @example
 * ```ts ignore
 * const place = findBtf(vmlinux);
 * if (place) {
 *   const btf = openBtf(vmlinux.subarray(place.offset, place.offset + place.length));
 *   console.log(btf.printStruct("boot_params"));
 * }
 * ```
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { decode, type Decoded } from "../layout.ts";
import { declaration, plain } from "./declaration.ts";
import { BTF_MAGIC, btfHeader, type BtfKind, btfKinds, type KindRow } from "./header.ts";
import { layoutOf, type StructLayout } from "./layout.ts";
import { type PrintOptions, printType } from "./print.ts";
import type { BtfMember, BtfType } from "./types.ts";

/** A decoded BTF header. */
export type BtfHeader = Decoded<typeof btfHeader>;

/** How to open BTF. */
export interface BtfOptions {
  /**
   * Bytes of a pointer, which BTF does not tell. Default: as long as the
   * kernel's `long`, and 8 where there is none.
   */
  readonly pointerSize?: 4 | 8;
}

/** Bytes every type starts with: name, kind with length, size or type. */
const HEAD = 12;
/** How many typedefs, qualifiers and arrays may stand on each other; the kernel allows 32. */
const MAX_CHAIN = 64;
/** The longest name that is still taken for one. The kernel's own limit is 512. */
const MAX_NAME = 4096;
/** What the kernel takes for the most a type may hold. */
const MAX_SIZE = 0xffffffff;

/** An opened BTF: types by id and by name. Made by {@link openBtf}. */
export class Btf {
  /** The header as it is in the file. */
  readonly header: BtfHeader;
  /** The highest type id: ids run from 1 to this, and 0 is void. */
  readonly count: number;
  /** Bytes of a pointer. */
  readonly pointerSize: number;
  /**
   * Why the types end before their section does, if they do: a truncated type
   * or a kind of unknown length. What comes before can be read all the same.
   */
  readonly complaint: FormatError | undefined;

  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where each type starts, in bytes from the start of BTF. Index 0 is void. */
  readonly #starts: Uint32Array;
  /** The names: start and end in bytes from the start of BTF. */
  readonly #names: { readonly start: number; readonly end: number };
  readonly #text = new TextDecoder();
  /**
   * Types decoded so far. Thousands of members point to the same few types, and
   * decoding each type once is what bounds the work a malformed file can ask for.
   */
  readonly #decoded = new Map<number, BtfType>();

  /** As {@link openBtf}, which says more. */
  constructor(bytes: Uint8Array, options: BtfOptions = {}) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.header = decodeBtfHeader(bytes);
    const { hdr_len, type_off, type_len, str_off, str_len } = this.header;
    this.#names = { start: hdr_len + str_off, end: hdr_len + str_off + str_len };
    const index = this.#index(hdr_len + type_off, type_len);
    this.#starts = index.starts;
    this.count = index.starts.length - 1;
    this.complaint = index.complaint;
    this.pointerSize = options.pointerSize ?? this.#guessPointerSize();
  }

  /** Notes where each type starts. */
  #index(start: number, length: number): { starts: Uint32Array; complaint?: FormatError } {
    const view = this.#view;
    const kinds = this.#kindLengths();
    const end = start + length;
    // The smallest type is its head alone, so the section bounds their number.
    const starts = new Uint32Array(1 + Math.floor(length / HEAD));
    let at = start;
    let id = 1;
    const ends = (offset: number, problem: string) => ({
      starts: starts.slice(0, id),
      complaint: new FormatError({ structure: "btf_type", field: `[${id}]`, offset }, problem),
    });
    while (at < end) {
      if (at + HEAD > end) return ends(at, `needs ${HEAD} bytes, the types end at ${hex(end)}`);
      const info = view.getUint32(at + 4, true);
      const number = kindNumber(info);
      const kind = kinds[number];
      if (kind === undefined || number === 0) {
        return ends(at, `is of kind ${number}, whose length is not known`);
      }
      const size = HEAD + kind.once + kind.each * vlen(info);
      if (at + size > end) return ends(at, `needs ${size} bytes, the types end at ${hex(end)}`);
      starts[id++] = at;
      at += size;
    }
    return { starts: starts.slice(0, id) };
  }

  /** Lengths of the known kinds, and of unknown ones where the file tells them. */
  #kindLengths(): readonly KindRow[] {
    const { hdr_len, layout_off = 0, layout_len = 0 } = this.header;
    const kinds: KindRow[] = [...btfKinds];
    const start = hdr_len + layout_off;
    for (let n = kinds.length; n < Math.min(layout_len >>> 2, 128); n++) {
      const at = start + 4 * n;
      const [once = 0, each = 0] = this.#bytes.subarray(at, at + 2);
      kinds.push({ name: "UNKNOWN", once, each });
    }
    return kinds;
  }

  #guessPointerSize(): number {
    for (const name of ["long unsigned int", "unsigned long", "long int", "long"]) {
      const type = this.find("INT", name);
      if (type?.kind === "INT" && (type.size === 4 || type.size === 8)) return type.size;
    }
    return 8;
  }

  /**
   * Decodes a type.
   *
   * @param id 0, which is void, to {@link Btf.count}.
   * @throws {FormatError} If there is no such type or its name is out of bounds.
   */
  type(id: number): BtfType {
    let type = this.#decoded.get(id);
    if (type === undefined) this.#decoded.set(id, type = this.#decode(id));
    return type;
  }

  #decode(id: number): BtfType {
    if (id === 0) return { id, name: "", kind: "VOID" };
    const at = this.#start(id);
    const view = this.#view;
    const u32 = (offset: number) => view.getUint32(at + offset, true);
    const info = u32(4);
    const sizeOrType = u32(8);
    const number = kindNumber(info);
    const common = { id, name: this.#name(u32(0), at) };
    const each = <T>(step: number, make: (offset: number) => T): T[] =>
      Array.from({ length: vlen(info) }, (_, i) => make(HEAD + i * step));
    const kind = btfKinds[number]?.name;
    switch (kind) {
      case undefined:
      case "VOID": // 0 is nobody's number in the file; the index has seen to that.
        return { ...common, kind: "UNKNOWN", number };
      case "INT": {
        const packed = u32(HEAD);
        const flags = (packed >>> 24) & 0xf;
        return {
          ...common,
          kind,
          size: sizeOrType,
          bits: packed & 0xff,
          bitOffset: (packed >>> 16) & 0xff,
          encoding: flags & 4 ? "bool" : flags & 2 ? "char" : flags & 1 ? "signed" : "unsigned",
        };
      }
      case "FLOAT":
        return { ...common, kind, size: sizeOrType };
      case "PTR":
      case "TYPEDEF":
      case "VOLATILE":
      case "CONST":
      case "RESTRICT":
      case "TYPE_TAG":
        return { ...common, kind, type: sizeOrType };
      case "ARRAY":
        return {
          ...common,
          kind,
          type: u32(HEAD),
          indexType: u32(HEAD + 4),
          elements: u32(HEAD + 8),
        };
      case "STRUCT":
      case "UNION": {
        const hasBitSizes = kindFlag(info);
        const members = each<BtfMember>(12, (o) => {
          const name = this.#name(u32(o), at);
          const type = u32(o + 4);
          const offset = u32(o + 8);
          if (!hasBitSizes) return { name, type, bitOffset: offset };
          const bitSize = offset >>> 24;
          return { name, type, bitOffset: offset & 0xffffff, ...(bitSize ? { bitSize } : {}) };
        });
        return { ...common, kind, size: sizeOrType, members };
      }
      case "ENUM": {
        const isSigned = kindFlag(info);
        const values = each(8, (o) => ({
          name: this.#name(u32(o), at),
          value: BigInt(isSigned ? view.getInt32(at + o + 4, true) : u32(o + 4)),
        }));
        return { ...common, kind, size: sizeOrType, values };
      }
      case "ENUM64": {
        // Two halves of 32 bits, low first, which is one little-endian number.
        const isSigned = kindFlag(info);
        const values = each(12, (o) => ({
          name: this.#name(u32(o), at),
          value: isSigned
            ? view.getBigInt64(at + o + 4, true)
            : view.getBigUint64(at + o + 4, true),
        }));
        return { ...common, kind, size: sizeOrType, values };
      }
      case "FWD":
        return { ...common, kind, of: kindFlag(info) ? "union" : "struct" };
      case "FUNC":
        return { ...common, kind, type: sizeOrType, linkage: vlen(info) };
      case "FUNC_PROTO": {
        const parameters = each(8, (o) => ({ name: this.#name(u32(o), at), type: u32(o + 4) }));
        return { ...common, kind, type: sizeOrType, parameters };
      }
      case "VAR":
        return { ...common, kind, type: sizeOrType, linkage: u32(HEAD) };
      case "DATASEC": {
        const entries = each(12, (o) => ({ type: u32(o), offset: u32(o + 4), size: u32(o + 8) }));
        return { ...common, kind, size: sizeOrType, entries };
      }
      case "DECL_TAG":
        return { ...common, kind, type: sizeOrType, component: view.getInt32(at + HEAD, true) };
    }
  }

  /**
   * The first type of a kind and name.
   *
   * @throws {FormatError} If that type cannot be decoded.
   */
  find(kind: BtfKind, name: string): BtfType | undefined {
    const number = btfKinds.findIndex((row) => row.name === kind);
    const wanted = new TextEncoder().encode(name + "\0");
    const { start, end } = this.#names;
    const bytes = this.#bytes;
    for (let id = 1; id <= this.count; id++) {
      const at = this.#starts[id] ?? 0;
      // The byte that holds the kind is the highest of the second word.
      if (((bytes[at + 7] ?? 0) & 0x7f) !== number) continue;
      const text = start + this.#view.getUint32(at, true);
      if (text + wanted.length > end) continue;
      let i = 0;
      while (i < wanted.length && bytes[text + i] === wanted[i]) i++;
      if (i === wanted.length) return this.type(id);
    }
    return undefined;
  }

  /**
   * The type under typedefs, qualifiers and tags.
   *
   * @throws {FormatError} If they form a circle or lead nowhere.
   */
  resolve(id: number): BtfType {
    let type = this.type(id);
    for (let depth = 0; depth < MAX_CHAIN; depth++) {
      switch (type.kind) {
        case "TYPEDEF":
        case "VOLATILE":
        case "CONST":
        case "RESTRICT":
        case "TYPE_TAG":
        case "VAR":
          type = this.type(type.type);
          break;
        default:
          return type;
      }
    }
    throw this.#error(id, `leads through more than ${MAX_CHAIN} typedefs and qualifiers`);
  }

  /**
   * Bytes a value of the type takes; 0 for void, functions and forward
   * declarations.
   *
   * @throws {FormatError} If arrays and typedefs form a circle, lead nowhere or
   *   hold more than 4 GiB.
   */
  sizeOf(id: number): number {
    let elements = 1;
    let type = this.resolve(id);
    for (let depth = 0; type.kind === "ARRAY"; depth++) {
      if (depth >= MAX_CHAIN) throw this.#error(id, `is an array of over ${MAX_CHAIN} dimensions`);
      elements *= type.elements;
      if (elements > MAX_SIZE) throw this.#error(id, "is an array of more than 4 GiB");
      type = this.resolve(type.type);
    }
    const size = type.kind === "PTR" ? this.pointerSize : "size" in type ? type.size : 0;
    if (elements * size > MAX_SIZE) throw this.#error(id, "is an array of more than 4 GiB");
    return elements * size;
  }

  /**
   * A declaration of `name` with the type, as C writes it: `int (*fn)(void)`.
   * Without a name, the type alone.
   *
   * @throws {FormatError} If the type is circular or leads nowhere.
   */
  declare(id: number, name = ""): string {
    return plain(declaration(this, id, name));
  }

  /**
   * Where every member of a structure lies, members of members included.
   *
   * @param name `boot_params`, `struct boot_params`, `union rcu_special`, or the
   *   name of a typedef.
   * @returns undefined if the kernel has no such structure.
   * @throws {FormatError} If its types are circular, too many or lead nowhere.
   */
  structLayout(name: string): StructLayout | undefined {
    const type = this.#composite(name);
    return type && layoutOf(this, type);
  }

  /**
   * A structure as C text, with the offset and size of every member.
   *
   * @param name As for {@link Btf.structLayout}.
   * @returns Lines without a final newline; undefined if there is no such structure.
   * @throws {FormatError} If its types are circular, too many or lead nowhere.
   */
  printStruct(name: string, options: PrintOptions = {}): string | undefined {
    const type = this.#composite(name);
    return type && printType(this, type, options);
  }

  #composite(name: string): BtfType & { kind: "STRUCT" | "UNION" } | undefined {
    const [, keyword, tag = ""] = /^(?:(struct|union) +)?(.*)$/s.exec(name) ?? [];
    if (tag === "") return undefined;
    const kinds = keyword === "struct"
      ? ["STRUCT"] as const
      : keyword === "union"
      ? ["UNION"] as const
      : ["STRUCT", "UNION", "TYPEDEF"] as const;
    for (const kind of kinds) {
      const found = this.find(kind, tag);
      if (found === undefined) continue;
      const type = this.resolve(found.id);
      if (type.kind === "STRUCT" || type.kind === "UNION") return type;
    }
    return undefined;
  }

  #start(id: number): number {
    const at = this.#starts[id];
    if (at === undefined || id === 0) {
      const { hdr_len, type_off } = this.header;
      throw new FormatError(
        { structure: "btf_type", field: `[${id}]`, offset: hdr_len + type_off },
        `is asked for, ids end at ${this.count}`,
      );
    }
    return at;
  }

  #name(offset: number, at: number): string {
    if (offset === 0) return "";
    const start = this.#names.start + offset;
    const limit = Math.min(this.#names.end, start + MAX_NAME);
    let end = start;
    while (end < limit && this.#bytes[end] !== 0) end++;
    if (end >= limit) {
      throw new FormatError(
        { structure: "btf_type", field: "name_off", offset: at },
        `names ${hex(offset)}, where no name of at most ${MAX_NAME} bytes ends`,
      );
    }
    return this.#text.decode(this.#bytes.subarray(start, end));
  }

  #error(id: number, problem: string): FormatError {
    const offset = this.#starts[id] ?? 0;
    return new FormatError({ structure: "btf_type", field: `[${id}]`, offset }, problem);
  }
}

/**
 * Opens BTF: checks the header and notes where each type starts, which takes
 * some milliseconds for a whole kernel.
 *
 * @param bytes From the first byte of BTF on; more may follow.
 * @throws {FormatError} If the header is not BTF's or its sections lie outside
 *   the bytes. Types that end early are no error but {@link Btf.complaint}.
 */
export function openBtf(bytes: Uint8Array, options: BtfOptions = {}): Btf {
  return new Btf(bytes, options);
}

/**
 * Decodes and checks the header.
 *
 * @param at Where BTF starts, in bytes.
 * @throws {FormatError} If it is not BTF's or its sections lie outside the bytes.
 */
export function decodeBtfHeader(bytes: Uint8Array, at = 0): BtfHeader {
  const place = (field: string) => ({
    structure: "btf_header",
    field,
    offset: at + btfHeader.fields[field as keyof typeof btfHeader.fields].at,
  });
  need(bytes, { structure: "btf_header", offset: at }, 24);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint16(at, true);
  if (magic === 0x9feb) throw new FormatError(place("magic"), "is big-endian BTF, not x86's");
  if (magic !== BTF_MAGIC) {
    throw new FormatError(place("magic"), `is ${hex(magic, 4)}, not ${hex(BTF_MAGIC)}`);
  }
  const end = view.getUint32(at + 4, true);
  const header = decode(btfHeader, bytes, { at, end });
  if (header.version !== 1) throw new FormatError(place("version"), `is ${header.version}, not 1`);
  if (end < 24) throw new FormatError(place("hdr_len"), `is ${end}, less than 24`);
  need(bytes, place("hdr_len"), 0);
  for (const [part, offset, length] of sections(header)) {
    if (at + end + offset + length > bytes.length) {
      throw new FormatError(
        place(`${part}_len`),
        `${part} section needs bytes ${hex(at + end + offset)} to ` +
          `${hex(at + end + offset + length)}, the input ends at ${hex(bytes.length)}`,
      );
    }
  }
  return header;
}

/** The sections of BTF: name, start in bytes from the header's end, length in bytes. */
export function sections(header: BtfHeader): (readonly [string, number, number])[] {
  return [
    ["type", header.type_off, header.type_len],
    ["str", header.str_off, header.str_len],
    ["layout", header.layout_off ?? 0, header.layout_len ?? 0],
  ];
}

function kindNumber(info: number): number {
  return (info >>> 24) & 0x7f;
}

/** Members, values or parameters that follow. Up to Linux 7.0 only 16 of the 24 bits. */
function vlen(info: number): number {
  return info & 0xffffff;
}

function kindFlag(info: number): boolean {
  return info >>> 31 === 1;
}
