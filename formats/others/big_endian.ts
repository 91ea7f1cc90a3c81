/**
 * Structures of the other byte order.
 *
 * The table engine reads little endian, as everything on x86 is. What comes from
 * U-Boot and the device tree is big endian: its scalars are turned round in a
 * copy first.
 *
 * @module
 */

import { need } from "../errors.ts";
import { decode, type Decoded, sizeOf, type Structure } from "../layout.ts";

/**
 * Reads a structure whose scalars are big endian. Rows that are structures or
 * arrays are not turned round.
 *
 * @param at Where the structure starts in the input, in bytes.
 * @throws {FormatError} If the input ends before the structure does.
 */
export function decodeBigEndian<const S extends Structure>(
  structure: S,
  bytes: Uint8Array,
  at = 0,
): Decoded<S> {
  need(bytes, { structure: structure.name, offset: at }, structure.size);
  const turned = bytes.slice(at, at + structure.size);
  for (const row of Object.values(structure.fields)) {
    const isScalar = row.type === "u8" || row.type === "u16" || row.type === "u32" ||
      row.type === "u64";
    if (isScalar) turned.subarray(row.at, row.at + sizeOf(row)).reverse();
  }
  return decode(structure, turned);
}
