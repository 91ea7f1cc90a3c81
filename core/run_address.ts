/**
 * Where a kernel runs, given where it was loaded.
 *
 * @module
 */

import type { FoundHeader } from "../formats/setup_header.ts";
import { alignUp } from "./memory_plan.ts";

/**
 * The address at which the kernel unpacks itself and starts to run. From there
 * on `init_size` bytes must be free.
 *
 * A relocatable kernel takes the load address, or the one it prefers if that is
 * higher, aligned; any other runs where it was linked to. Before 2.10 the header
 * does not tell where that is, and it is the load address.
 *
 * Source: Documentation/arch/x86/boot.rst, "The Kernel's run-time address".
 *
 * @param load Physical address of the protected-mode code.
 */
export function runAddress(header: FoundHeader, load: bigint): bigint {
  const { relocatable_kernel, kernel_alignment, pref_address } = header.fields;
  if (!relocatable_kernel) return pref_address ?? load;
  const lowest = pref_address !== undefined && pref_address > load ? pref_address : load;
  return alignUp(lowest, BigInt(kernel_alignment || 1));
}
