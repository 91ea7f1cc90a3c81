/**
 * BTF, the description of a kernel's own C types: find it, open it, print it.
 *
 * @module
 */

export { Btf, type BtfHeader, type BtfOptions, decodeBtfHeader, openBtf } from "./btf.ts";
export { type BtfPlace, findBtf, type NamedSection } from "./find.ts";
export { BTF_MAGIC, btfHeader, type BtfKind, btfKinds, type KindRow } from "./header.ts";
export {
  type FieldsOptions,
  type LayoutField,
  type LayoutMember,
  layoutToFields,
  type StructLayout,
} from "./layout.ts";
export type { PrintOptions } from "./print.ts";
export type * from "./types.ts";
