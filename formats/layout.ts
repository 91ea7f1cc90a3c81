/**
 * The table engine: a structure is declared once, as the table its
 * documentation prints, and decoding, encoding, showing, checking and comparing
 * are read off that declaration.
 *
 * A table is plain data (`as const satisfies Structure`), so the type of the
 * decoded record falls out of it. Offsets are written out, in bytes from the
 * start of the structure, because they are what a reader checks. Padding is a
 * row too: that every byte is accounted for is a test, not a hope.
 *
 * All integers are little endian.
 *
 * @module
 */

import { FormatError, hex } from "./errors.ts";

/** Integer types; `u64` decodes to a bigint, the others to numbers. */
export type Scalar = "u8" | "u16" | "u32" | "u64";

/** What every row says about itself. */
export interface About {
  /** Bytes from the start of the structure (but see {@link Structure.base}). */
  readonly at: number;
  /** What the field means, in one or two sentences. */
  readonly doc: string;
  /**
   * The first version that has the field; such a field is absent from the
   * record of an older structure. Boot protocol versions are written as in the
   * header: 0x0207 is 2.07.
   */
  readonly since?: number;
  /**
   * Which way the field goes, where a boot protocol says so: `read` from kernel
   * to loader, `write` from loader to kernel, `modify` both.
   */
  readonly direction?: "read" | "write" | "modify";
  /** Values that have a name. */
  readonly values?: Readonly<Record<number, string>>;
  /** Bits that have a name, by bit number. */
  readonly bits?: Readonly<Record<number, string>>;
  /** The value in words, where `values`, `bits` and hexadecimal do not do. */
  // A method, so that a row may name the type of its own value.
  // deno-lint-ignore no-explicit-any
  show?(value: any): string;
  /** What is wrong with the value, if anything; a sentence without full stop. */
  // deno-lint-ignore no-explicit-any
  check?(value: any): string | undefined;
}

/** An integer. */
export interface ScalarRow extends About {
  /** Its width. */
  readonly type: Scalar;
}

/** Bytes: raw, text up to the first NUL, or padding. */
export interface BytesRow extends About {
  /** `pad` is padding or a reserved area; it decodes to its bytes. */
  readonly type: "bytes" | "ascii" | "pad";
  /** Length in bytes. */
  readonly size: number;
}

/** A structure within the structure. */
export interface StructRow extends About {
  /** Marks the row as a nested structure. */
  readonly type: "struct";
  /** The nested structure's own table. */
  readonly of: Structure;
}

/** Several of a kind, one after the other. */
export interface ArrayRow extends About {
  /** Marks the row as an array. */
  readonly type: "array";
  /** What is repeated. */
  readonly of: Structure | Scalar;
  /** How often. */
  readonly count: number;
}

/** One field of a structure. */
export type Row = ScalarRow | BytesRow | StructRow | ArrayRow;

/** A structure: its name, its size, its fields in order of offset. */
export interface Structure {
  /** The kernel's name for it, used in errors and paths. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * What the rows' offsets start from, where the documentation counts from
   * elsewhere: the setup header's are offsets in the zero page, from 0x1f1 on.
   * Default 0.
   */
  readonly base?: number;
  /** The rows, by the kernel's field name. */
  readonly fields: Readonly<Record<string, Row>>;
}

/** What a row's bytes decode to. */
export type Value<R> = R extends { type: "u64" } ? bigint
  : R extends { type: Scalar } ? number
  : R extends { type: "ascii" } ? string
  : R extends { type: "bytes" | "pad" } ? Uint8Array
  : R extends { type: "struct"; of: infer S extends Structure } ? Decoded<S>
  : R extends { type: "array"; of: infer S }
    ? readonly (S extends Structure ? Decoded<S> : Value<{ type: S }>)[]
  : never;

/** The record a structure decodes to; rows with `since` may be absent. */
export type Decoded<S extends Structure> =
  & {
    readonly [
      K in keyof S["fields"] as S["fields"][K] extends { since: number } ? never : K
    ]: Value<S["fields"][K]>;
  }
  & {
    readonly [
      K in keyof S["fields"] as S["fields"][K] extends { since: number } ? K : never
    ]?: Value<S["fields"][K]>;
  };

/** A decoded record whose structure is not known to the compiler. */
export type AnyRecord = Readonly<Record<string, unknown>>;

/** How to decode. */
export interface DecodeOptions {
  /** Where the structure starts in the input, in bytes; default 0. */
  readonly at?: number;
  /** The structure's version, for rows with `since`; default: all rows. */
  readonly version?: number;
  /** Where the structure ends, counted as its rows are; later fields are absent. */
  readonly end?: number;
}

const widths = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;

/** Size of a row in bytes. */
export function sizeOf(row: Row): number {
  switch (row.type) {
    case "bytes":
    case "ascii":
    case "pad":
      return row.size;
    case "struct":
      return row.of.size;
    case "array":
      return row.count * (typeof row.of === "string" ? widths[row.of] : row.of.size);
    default:
      return widths[row.type];
  }
}

/** Whether a structure of this version and length has the row. */
export function isPresent(row: Row, options: DecodeOptions = {}): boolean {
  const { version = Infinity, end = Infinity } = options;
  return (row.since ?? 0) <= version && (row.since === undefined || row.at + sizeOf(row) <= end);
}

/**
 * Reads a structure.
 *
 * @returns A record with the table's keys in the table's order.
 * @throws {FormatError} If the input ends before the structure does.
 */
export function decode<const S extends Structure>(
  structure: S,
  bytes: Uint8Array,
  options: DecodeOptions = {},
): Decoded<S> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeAt(structure, view, options.at ?? 0, options, structure.name) as Decoded<S>;
}

function decodeAt(
  structure: Structure,
  view: DataView,
  at: number,
  options: DecodeOptions,
  path: string,
): AnyRecord {
  const record: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(structure.fields)) {
    if (!isPresent(row, options)) continue;
    const start = at + row.at - (structure.base ?? 0);
    const size = sizeOf(row);
    if (start < 0 || start + size > view.byteLength) {
      throw new FormatError(
        { structure: path, field: name, offset: start },
        `needs ${size} ${size === 1 ? "byte" : "bytes"}, the input ends at ${hex(view.byteLength)}`,
      );
    }
    record[name] = decodeRow(row, view, start, `${path}.${name}`);
  }
  return record;
}

function decodeRow(row: Row, view: DataView, at: number, path: string): unknown {
  switch (row.type) {
    case "bytes":
    case "pad":
      return new Uint8Array(view.buffer, view.byteOffset + at, row.size);
    case "ascii":
      return ascii(new Uint8Array(view.buffer, view.byteOffset + at, row.size));
    case "struct":
      return decodeAt(row.of, view, at, {}, path);
    case "array":
      return Array.from({ length: row.count }, (_, i) => {
        const { of } = row;
        return typeof of === "string"
          ? getScalar(of, view, at + i * widths[of])
          : decodeAt(of, view, at + i * of.size, {}, `${path}[${i}]`);
      });
    default:
      return getScalar(row.type, view, at);
  }
}

function getScalar(type: Scalar, view: DataView, at: number): number | bigint {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "u64":
      return view.getBigUint64(at, true);
  }
}

/** Text up to the first NUL, one character a byte. */
export function ascii(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** What a loader may write: any of the structure's fields, at any depth. */
export type Writable<S extends Structure> = {
  readonly [K in keyof S["fields"]]?: WritableValue<S["fields"][K]>;
};

/** As {@link Value}, with nested structures in part. */
export type WritableValue<R> = R extends { type: "struct"; of: infer S extends Structure }
  ? Writable<S>
  : R extends { type: "array"; of: infer S extends Structure } ? readonly Writable<S>[]
  : Value<R>;

/**
 * Writes the fields that `record` names into `bytes`; all other bytes keep what
 * they hold.
 *
 * @throws {RangeError} If a value does not fit its field or the bytes end early.
 */
export function encode<const S extends Structure>(
  structure: S,
  record: Writable<S>,
  bytes: Uint8Array,
  at = 0,
): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  encodeAt(structure, record as AnyRecord, view, at, structure.name);
  return bytes;
}

function encodeAt(
  structure: Structure,
  record: AnyRecord,
  view: DataView,
  at: number,
  path: string,
): void {
  for (const [name, value] of Object.entries(record)) {
    const row = structure.fields[name];
    if (row === undefined) throw new TypeError(`${path} has no field ${name}`);
    if (value === undefined) continue;
    encodeRow(row, value, view, at + row.at - (structure.base ?? 0), `${path}.${name}`);
  }
}

function encodeRow(row: Row, value: unknown, view: DataView, at: number, path: string): void {
  const target = () => new Uint8Array(view.buffer, view.byteOffset + at, sizeOf(row));
  switch (row.type) {
    case "bytes":
    case "pad": {
      const bytes = value as Uint8Array;
      if (bytes.length > row.size) tooLong(path, bytes.length, row.size);
      target().fill(0).set(bytes);
      break;
    }
    case "ascii": {
      const text = value as string;
      if (text.length > row.size) tooLong(path, text.length, row.size);
      target().fill(0).set(Uint8Array.from(text, (c) => c.charCodeAt(0)));
      break;
    }
    case "struct":
      encodeAt(row.of, value as AnyRecord, view, at, path);
      break;
    case "array": {
      const items = value as readonly unknown[];
      if (items.length > row.count) tooLong(path, items.length, row.count, "items");
      const { of } = row;
      items.forEach((item, i) =>
        typeof of === "string"
          ? setScalar(of, item as number | bigint, view, at + i * widths[of], `${path}[${i}]`)
          : encodeAt(of, item as AnyRecord, view, at + i * of.size, `${path}[${i}]`)
      );
      break;
    }
    default:
      setScalar(row.type, value as number | bigint, view, at, path);
  }
}

function tooLong(path: string, found: number, size: number, unit = "bytes"): never {
  throw new RangeError(`${path} holds ${size} ${unit}, not ${found}`);
}

function setScalar(
  type: Scalar,
  value: number | bigint,
  view: DataView,
  at: number,
  path: string,
): void {
  const whole = BigInt(value);
  if (whole < 0n || whole >> BigInt(8 * widths[type]) !== 0n) {
    throw new RangeError(`${path} holds ${8 * widths[type]} bits, not ${hex(whole)}`);
  }
  switch (type) {
    case "u8":
      return view.setUint8(at, Number(value));
    case "u16":
      return view.setUint16(at, Number(value), true);
    case "u32":
      return view.setUint32(at, Number(value), true);
    case "u64":
      return view.setBigUint64(at, whole, true);
  }
}

/** One leaf or branch met when walking a structure. */
export interface Visited {
  /** Dotted path below the structure, `screen_info.orig_x`, `e820_table[3].addr`. */
  readonly path: string;
  /** Bytes from the start of the outermost structure. */
  readonly at: number;
  /** Size in bytes. */
  readonly size: number;
  /** The row; an array's elements share their array's row. */
  readonly row: Row;
  /** Its value in the record walked, if a record was given. */
  readonly value?: unknown;
}

/**
 * Walks the leaves of a structure in order: scalars, byte areas, arrays of
 * scalars. Structures and arrays of structures are entered.
 *
 * @param record A decoded record, to have values along; absent fields are then
 *   passed over. Without one the whole declaration is walked.
 */
export function* walk(
  structure: Structure,
  record?: AnyRecord,
  base = 0,
  prefix = "",
): Generator<Visited> {
  for (const [name, row] of Object.entries(structure.fields)) {
    const value = record?.[name];
    if (record !== undefined && value === undefined) continue;
    const path = prefix + name;
    const at = base + row.at - (structure.base ?? 0);
    if (row.type === "struct") {
      yield* walk(row.of, value as AnyRecord | undefined, at, `${path}.`);
    } else if (row.type === "array" && typeof row.of !== "string") {
      const items = value as readonly AnyRecord[] | undefined;
      for (let i = 0; i < row.count; i++) {
        yield* walk(row.of, items?.[i], at + i * row.of.size, `${path}[${i}].`);
      }
    } else {
      yield record === undefined
        ? { path, at, size: sizeOf(row), row }
        : { path, at, size: sizeOf(row), row, value };
    }
  }
}

/** A hole or an overlap in a declaration. */
export interface Flaw {
  /** What is wrong. */
  readonly kind: "hole" | "overlap" | "beyond the end";
  /** Bytes from the start of the structure. */
  readonly at: number;
  /** The field at or after which it shows. */
  readonly field: string;
}

/**
 * Whether the rows cover every byte of the structure just once.
 *
 * Rows may overlap on purpose (a union, a field that changed its meaning): such
 * rows are not part of the declaration but of a second one.
 */
export function* flaws(structure: Structure): Generator<Flaw> {
  const base = structure.base ?? 0;
  let end = base;
  for (const [field, row] of Object.entries(structure.fields)) {
    if (row.at > end) yield { kind: "hole", at: end, field };
    if (row.at < end) yield { kind: "overlap", at: row.at, field };
    end = row.at + sizeOf(row);
    if (row.type === "struct") yield* flaws(row.of);
    if (row.type === "array" && typeof row.of !== "string") yield* flaws(row.of);
  }
  const last = base + structure.size;
  if (end < last) yield { kind: "hole", at: end, field: "" };
  if (end > last) yield { kind: "beyond the end", at: last, field: "" };
}

/** The names of the bits set in `value`; unnamed ones as `bit 9`. */
export function bitNames(value: number, bits: Readonly<Record<number, string>>): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if ((value >>> bit) & 1) names.push(bits[bit] ?? `bit ${bit}`);
  }
  return names;
}

/**
 * A value in words: by `show`, by name, by its bits, else as it is. `undefined`
 * where the plain number says all.
 */
export function meaning(row: Row, value: unknown): string | undefined {
  if (row.show) return row.show(value);
  if (typeof value === "number" || typeof value === "bigint") {
    const name = row.values?.[Number(value)];
    if (name !== undefined) return name;
    if (row.bits) return bitNames(Number(value), row.bits).join(" ") || "none";
    if (row.values) return "unassigned";
  }
  return undefined;
}

/** A field that differs between two records of one structure. */
export interface Difference {
  /** Dotted path of the field. */
  readonly path: string;
  /** Its row. */
  readonly row: Row;
  /** Value in the first record; absent if that has no such field. */
  readonly was?: unknown;
  /** Value in the second record. */
  readonly is?: unknown;
}

/** The leaves in which two records of one structure differ. */
export function* differences(
  structure: Structure,
  a: AnyRecord,
  b: AnyRecord,
): Generator<Difference> {
  const left = new Map([...walk(structure, a)].map((v) => [v.path, v]));
  const right = new Map([...walk(structure, b)].map((v) => [v.path, v]));
  for (const { path, row } of walk(structure)) {
    const was = left.get(path)?.value;
    const is = right.get(path)?.value;
    if (sameValue(was, is)) continue;
    yield {
      path,
      row,
      ...(was === undefined ? {} : { was }),
      ...(is === undefined ? {} : { is }),
    };
  }
}

function sameValue(a: unknown, b: unknown): boolean {
  if (
    (a instanceof Uint8Array && b instanceof Uint8Array) || (Array.isArray(a) && Array.isArray(b))
  ) {
    return a.length === b.length && a.every((item: unknown, i: number) => item === b[i]);
  }
  return a === b;
}
