/**
 * kallsyms, the symbol table a kernel carries for its own messages: find it in
 * an unpacked kernel and name addresses by it.
 *
 * @module
 */

export { findKallsyms, type KallsymsAbsent } from "./find.ts";
export type { KallsymsHint, LoadedPart } from "./image.ts";
export {
  Kallsyms,
  type KallsymsPlaces,
  type KernelSymbol,
  type NearestSymbol,
} from "./kallsyms.ts";
