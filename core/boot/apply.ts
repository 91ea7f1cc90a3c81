/**
 * Puts a plan into a machine: memory first, then the processor.
 *
 * @module
 */

import type { Processor } from "../../emu/cpu/processor.ts";
import type { GuestMemory } from "../../emu/guest_memory.ts";
import type { BootPlan } from "./plan.ts";
import { type EntryState, registerNumbers, type SegmentState } from "./state.ts";

/** What of a processor a boot sets. */
export type BootProcessor = Pick<
  Processor,
  | "setAddress"
  | "segments"
  | "gdtr"
  | "idtr"
  | "cr0"
  | "cr3"
  | "cr4"
  | "efer"
  | "eflags"
  | "rip"
  | "cpl"
  | "refresh"
>;

/** What of a machine a boot needs. */
export interface BootTarget {
  /** Physical memory. */
  readonly memory: GuestMemory;
  /** The processor. */
  readonly cpu: BootProcessor;
}

/** Puts everything where the plan has it; the kernel's next instruction is its first. */
export function applyPlan(plan: BootPlan, { memory, cpu }: BootTarget): void {
  for (const { address, bytes } of plan.pieces) memory.write(address, bytes);
  applyState(plan.state, cpu);
}

/** Sets a processor's registers. */
export function applyState(state: EntryState, cpu: BootProcessor): void {
  for (let n = 0; n < 16; n++) cpu.setAddress(n, 0, 64);
  for (const [name, value] of Object.entries(state.registers)) {
    cpu.setAddress(registerNumbers[name as keyof typeof registerNumbers], value, 64);
  }
  const [es, cs, ss, ds, fs, gs] = cpu.segments;
  for (const segment of [es, ss, ds, fs, gs]) setSegment(segment, state.data);
  setSegment(cs, state.code);
  Object.assign(cpu.gdtr, state.gdtr);
  Object.assign(cpu.idtr, state.idtr);
  cpu.cr0 = state.cr0;
  cpu.cr3 = BigInt(state.cr3);
  cpu.cr4 = state.cr4;
  cpu.efer = state.efer;
  cpu.eflags = state.eflags;
  cpu.rip = state.rip;
  cpu.cpl = 0;
  cpu.refresh();
}

/** One by one, since a register of the processor may be a view of its memory. */
function setSegment(
  register: { -readonly [K in keyof SegmentState]: SegmentState[K] },
  { selector, base, limit, attributes }: SegmentState,
): void {
  register.selector = selector;
  register.base = base;
  register.limit = limit;
  register.attributes = attributes;
}
