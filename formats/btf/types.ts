/**
 * What a BTF type decodes to: one record a kind.
 *
 * Every record has the type's `id` and `name` (empty where C has none). A
 * reference to another type is that type's id, in `type`; 0 is void.
 *
 * @module
 */

/** What all types have. */
export interface BtfCommon {
  /** The type's number: its place in the sequence, from 1 on. */
  readonly id: number;
  /** Its name; empty for pointers, arrays, anonymous structures and the like. */
  readonly name: string;
}

/** No type: id 0. */
export interface BtfVoid extends BtfCommon {
  /** The kind. */
  readonly kind: "VOID";
}

/** An integer type of C. */
export interface BtfInt extends BtfCommon {
  /** The kind. */
  readonly kind: "INT";
  /** Bytes it takes. */
  readonly size: number;
  /** Bits that count, fewer than 8 × `size` for a bit field of old BTF. */
  readonly bits: number;
  /** First of those bits, from the least. */
  readonly bitOffset: number;
  /** How its value is meant; an unsigned number when nothing is said. */
  readonly encoding: "unsigned" | "signed" | "char" | "bool";
}

/** A floating-point type. */
export interface BtfFloat extends BtfCommon {
  /** The kind. */
  readonly kind: "FLOAT";
  /** Bytes it takes. */
  readonly size: number;
}

/** A pointer, a name for a type, a qualifier or a tag on one. */
export interface BtfReference extends BtfCommon {
  /** The kind. */
  readonly kind: "PTR" | "TYPEDEF" | "VOLATILE" | "CONST" | "RESTRICT" | "TYPE_TAG";
  /** Id of the type pointed to, named or qualified. */
  readonly type: number;
}

/** An array. */
export interface BtfArray extends BtfCommon {
  /** The kind. */
  readonly kind: "ARRAY";
  /** Id of the elements' type. */
  readonly type: number;
  /** Id of the index's type. */
  readonly indexType: number;
  /** How many elements; 0 for a flexible array as well. */
  readonly elements: number;
}

/** A member of a structure or union. */
export interface BtfMember {
  /** Its name; empty for an anonymous structure or union. */
  readonly name: string;
  /** Id of its type. */
  readonly type: number;
  /** Bits from the start of the structure. */
  readonly bitOffset: number;
  /** Width in bits, of a bit field only. */
  readonly bitSize?: number;
}

/** A structure or union. */
export interface BtfComposite extends BtfCommon {
  /** The kind. */
  readonly kind: "STRUCT" | "UNION";
  /** Bytes it takes. */
  readonly size: number;
  /** Its members in the order of their declaration. */
  readonly members: readonly BtfMember[];
}

/** A value of an enumeration. */
export interface BtfEnumValue {
  /** The constant's name. */
  readonly name: string;
  /** Its value. */
  readonly value: bigint;
}

/** An enumeration. */
export interface BtfEnum extends BtfCommon {
  /** The kind: ENUM holds values of 32 bits, ENUM64 of 64. */
  readonly kind: "ENUM" | "ENUM64";
  /** Bytes it takes. */
  readonly size: number;
  /** Its values in the order of their declaration. */
  readonly values: readonly BtfEnumValue[];
}

/** A structure or union that is declared and not defined. */
export interface BtfForward extends BtfCommon {
  /** The kind. */
  readonly kind: "FWD";
  /** What it will be. */
  readonly of: "struct" | "union";
}

/** A function: a name for a prototype. */
export interface BtfFunction extends BtfCommon {
  /** The kind. */
  readonly kind: "FUNC";
  /** Id of its prototype. */
  readonly type: number;
  /** 0 static, 1 global, 2 external. */
  readonly linkage: number;
}

/** A parameter of a function. */
export interface BtfParameter {
  /** Its name, empty where the prototype has none. */
  readonly name: string;
  /** Id of its type; 0 with an empty name in the last place is `...`. */
  readonly type: number;
}

/** The type of a function. */
export interface BtfPrototype extends BtfCommon {
  /** The kind. */
  readonly kind: "FUNC_PROTO";
  /** Id of the type it returns. */
  readonly type: number;
  /** Its parameters. */
  readonly parameters: readonly BtfParameter[];
}

/** A variable. */
export interface BtfVariable extends BtfCommon {
  /** The kind. */
  readonly kind: "VAR";
  /** Id of its type. */
  readonly type: number;
  /** 0 static, 1 global, 2 external. */
  readonly linkage: number;
}

/** Where a variable lies in its section. */
export interface BtfSectionEntry {
  /** Id of the VAR. */
  readonly type: number;
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** Bytes it takes. */
  readonly size: number;
}

/** A section of data and the variables in it. */
export interface BtfDataSection extends BtfCommon {
  /** The kind. */
  readonly kind: "DATASEC";
  /** Bytes of the section. */
  readonly size: number;
  /** Its variables in order of offset. */
  readonly entries: readonly BtfSectionEntry[];
}

/** A tag on a declaration; `name` is its text. */
export interface BtfDeclarationTag extends BtfCommon {
  /** The kind. */
  readonly kind: "DECL_TAG";
  /** Id of what is tagged. */
  readonly type: number;
  /** Which member or parameter of it; -1 for the whole. */
  readonly component: number;
}

/** A kind younger than this reader, passed over by the file's own lengths. */
export interface BtfUnknown extends BtfCommon {
  /** Marks it as such. */
  readonly kind: "UNKNOWN";
  /** The kind's number. */
  readonly number: number;
}

/** A type of any kind. */
export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfFloat
  | BtfReference
  | BtfArray
  | BtfComposite
  | BtfEnum
  | BtfForward
  | BtfFunction
  | BtfPrototype
  | BtfVariable
  | BtfDataSection
  | BtfDeclarationTag
  | BtfUnknown;
