/**
 * Puts a plan into a machine: memory first, then the processor.
 *
 * @module
 */

import type { GuestMemory } from "../../emu/guest_memory.ts";
import type { BootPlan } from "./plan.ts";
import { type EntryState, registerNumbers, type SegmentState } from "./state.ts";

/** A segment register that can be set. */
export type SegmentRegister = { -readonly [K in keyof SegmentState]: SegmentState[K] };

/** What of a processor a boot sets. */
export interface BootProcessor {
  /** ES, CS, SS, DS, FS, GS, and system segments behind. */
  readonly segments: readonly [
    SegmentRegister,
    SegmentRegister,
    SegmentRegister,
    SegmentRegister,
    SegmentRegister,
    SegmentRegister,
    ...SegmentRegister[],
  ];
  /** The global descriptor table. */
  readonly gdtr: { base: number; limit: number };
  /** The interrupt descriptor table. */
  readonly idtr: { base: number; limit: number };
  /** CR0. */
  cr0: number;
  /** CR3. */
  cr3: bigint;
  /** CR4. */
  cr4: number;
  /** EFER. */
  efer: number;
  /** EFLAGS. */
  eflags: number;
  /** Where it executes; signed in 64-bit mode. */
  rip: number;
  /** Privilege level. */
  cpl: number;
  /** Sets a general register, of 64 bits here. */
  setAddress(number: number, value: number, width: number): void;
  /** Makes right what follows from control registers and segments. */
  refresh(): void;
}

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
  register: SegmentRegister,
  { selector, base, limit, attributes }: SegmentState,
): void {
  register.selector = selector;
  register.base = base;
  register.limit = limit;
  register.attributes = attributes;
}
