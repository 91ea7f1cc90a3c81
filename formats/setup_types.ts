/**
 * The types of setup_data nodes, by their names in the kernel's uapi header
 * setup_data.h.
 *
 * @module
 */

import { hex } from "./errors.ts";

/** Marks a type whose data is elsewhere; SETUP_INDIRECT itself is this bit alone. */
export const SETUP_INDIRECT = 0x80000000;

/** Types of nodes. */
export const setupDataTypes = {
  0: "SETUP_NONE",
  1: "SETUP_E820_EXT",
  2: "SETUP_DTB",
  3: "SETUP_PCI",
  4: "SETUP_EFI",
  5: "SETUP_APPLE_PROPERTIES",
  6: "SETUP_JAILHOUSE",
  7: "SETUP_CC_BLOB",
  8: "SETUP_IMA",
  9: "SETUP_RNG_SEED",
  10: "SETUP_KEXEC_KHO",
  0x80000000: "SETUP_INDIRECT",
} as const;

/** Name of a node's type; of one with the indirect bit, both names. */
export function showSetupDataType(type: number): string {
  const names: Readonly<Record<number, string>> = setupDataTypes;
  const name = names[type];
  if (name !== undefined) return name;
  if (type <= SETUP_INDIRECT) return `unassigned (${hex(type)})`;
  const plain = type & 0x7fffffff;
  return `SETUP_INDIRECT | ${names[plain] ?? `type ${plain}`}`;
}
