/**
 * What a guest that has said nothing so far is doing, told by where it executes.
 *
 * @module
 */

import type { GuestMachine } from "./machine.ts";
import type { BootPlan } from "./plan.ts";

/** What it is doing, in words. */
export function showPhase({ kernel, entry }: BootPlan, { cpu }: GuestMachine): string {
  const { rip, mode } = cpu;
  if (mode === 16) return "setup code in real mode";
  // Linux lives in the upper half, or in the upper quarters of 32 bits; its own
  // start-up code and the decompressor are where the loader put them.
  if (rip < 0 || rip >= 0x8000_0000) return "kernel, early boot";
  const inKernel = rip >= Math.min(kernel.load, kernel.run) && rip < kernel.end;
  if (entry.kind === "direct") return inKernel ? "kernel, first steps" : "early boot";
  return inKernel ? "unpacking the kernel" : "early boot";
}
