/**
 * What instructions and declarations talk about: types of values, and indices
 * that the compiler keeps apart.
 *
 * @module
 */

import type { ByteWriter } from "./writer.ts";

/**
 * An index in one of a module's or function's index spaces. They are all plain
 * numbers; the brand, which exists for the compiler only, keeps a local from being used as a label.
 */
export type Index<Space extends string> = number & { readonly indexOf: Space };

/** A function type. */
export type TypeIndex = Index<"type">;
/** A function, imported or defined. */
export type FuncIndex = Index<"func">;
/** A table. */
export type TableIndex = Index<"table">;
/** A memory. */
export type MemoryIndex = Index<"memory">;
/** A global variable. */
export type GlobalIndex = Index<"global">;
/** An exception tag. */
export type TagIndex = Index<"tag">;
/** A data segment. */
export type DataIndex = Index<"data">;
/** An element segment. */
export type ElemIndex = Index<"elem">;
/** A local variable or parameter of a function. */
export type Local = Index<"local">;
/** An open block: how many blocks were open around it. */
export type Label = Index<"label">;

/** What a reference without further type refers to. */
export type HeapType = "func" | "extern" | "exn" | "nofunc" | "noextern" | "noexn";

/** The type of a value. */
export type ValueType =
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "v128"
  | "funcref"
  | "externref"
  | "exnref"
  | {
    /** The heap type or function type referred to. */
    readonly ref: HeapType | TypeIndex;
    /** Whether the reference may be null; default false. */
    readonly nullable?: boolean;
  };

/** What a block leaves: nothing, one value, or by a function type any number of them. */
export type BlockType = ValueType | TypeIndex;

const valueTypes = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
  externref: 0x6f,
  exnref: 0x69,
} as const;

const heapTypes = {
  func: 0x70,
  extern: 0x6f,
  exn: 0x69,
  nofunc: 0x73,
  noextern: 0x72,
  noexn: 0x74,
} as const;

/** Writes a value type. */
export function writeValueType(out: ByteWriter, type: ValueType): void {
  if (typeof type === "string") return out.byte(valueTypes[type]);
  out.byte(type.nullable ? 0x63 : 0x64);
  writeHeapType(out, type.ref);
}

/** Writes a heap type. */
export function writeHeapType(out: ByteWriter, type: HeapType | TypeIndex): void {
  if (typeof type === "string") out.byte(heapTypes[type]);
  else out.sleb32(type);
}

/** Writes a block type. */
export function writeBlockType(out: ByteWriter, type: BlockType | undefined): void {
  if (type === undefined) out.byte(0x40);
  else if (typeof type === "number") out.sleb32(type);
  else writeValueType(out, type);
}
