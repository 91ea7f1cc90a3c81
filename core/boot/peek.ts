/**
 * A guest's linear memory, looked at without leaving a trace: page tables are
 * read, and no accessed bit is set.
 *
 * Source: Intel SDM vol. 3A, chapter 5 (paging).
 *
 * @module
 */

import type { GuestMachine } from "./machine.ts";

/** One level of a walk. */
export interface WalkStep {
  /** The table: `PML4`, `PDPT`, `PD`, `PT`. */
  readonly table: string;
  /** Physical address of the entry. */
  readonly at: number;
  /** The entry. */
  readonly entry: bigint;
}

/** Where a linear address leads. */
export interface Walk {
  /** Each level, from the root on. Empty without paging. */
  readonly steps: readonly WalkStep[];
  /** Physical address; undefined where the page is not there. */
  readonly physical?: number;
  /** Bytes of the page. */
  readonly pageSize: number;
}

const PG = 0x8000_0000;
const PSE = 0x10;
const PAE = 0x20;
const PRESENT = 1n;
const LARGE = 0x80n;

/** How a mode's tables are made: name, lowest bit of the index, bits of it. */
const levels = {
  narrow: [["PD", 22n, 10n], ["PT", 12n, 10n]],
  pae: [["PDPT", 30n, 2n], ["PD", 21n, 9n], ["PT", 12n, 9n]],
  long: [["PML4", 39n, 9n], ["PDPT", 30n, 9n], ["PD", 21n, 9n], ["PT", 12n, 9n]],
} as const;

/** Bits of an entry that allow or forbid, and bits that tell of use, in the order of their numbers. */
const entryBits = [
  [1n, "present"],
  [2n, "writable"],
  [4n, "user"],
  [8n, "write-through"],
  [0x10n, "uncached"],
  [0x20n, "accessed"],
  [0x40n, "dirty"],
] as const;
const GLOBAL = 0x100n;
const NO_EXECUTE = 1n << 63n;

/**
 * What an entry of a page table says, by its bits.
 *
 * @param isLast Whether it points to memory rather than to a further table.
 */
export function entryFlags(entry: bigint, isLast: boolean, table: string): readonly string[] {
  if ((entry & PRESENT) === 0n) return [entry === 0n ? "empty" : "not present"];
  return [
    ...entryBits.filter(([bit]) => (entry & bit) !== 0n).map(([, name]) => name),
    ...(isLast && table !== "PT" ? ["large"] : []),
    ...(isLast && (entry & GLOBAL) !== 0n ? ["global"] : []),
    ...((entry & NO_EXECUTE) === 0n ? [] : ["no-execute"]),
  ];
}

/** Walks the page tables as the processor would. */
export function walkPages({ cpu, memory }: GuestMachine, linear: number): Walk {
  if ((cpu.cr0 & PG) === 0) return { steps: [], physical: linear, pageSize: 0x1000 };
  const kind = cpu.isLong ? "long" : (cpu.cr4 & PAE) !== 0 ? "pae" : "narrow";
  const width = kind === "narrow" ? 4 : 8;
  const address = BigInt.asUintN(64, BigInt(linear));
  const steps: WalkStep[] = [];
  let table = kind === "pae" ? cpu.cr3 & 0xffff_ffe0n : cpu.cr3 & 0xf_ffff_ffff_f000n;
  for (const [name, shift, bits] of levels[kind]) {
    const index = address >> shift & (1n << bits) - 1n;
    const at = Number(table + index * BigInt(width));
    const bytes = new Uint8Array(8);
    memory.read(at, bytes.subarray(0, width));
    const entry = new DataView(bytes.buffer).getBigUint64(0, true);
    steps.push({ table: name, at, entry });
    const pageSize = 2 ** Number(shift);
    if ((entry & PRESENT) === 0n) return { steps, pageSize };
    const mayBeLarge = name === "PD" ? width === 8 || (cpu.cr4 & PSE) !== 0 : kind === "long";
    const isLast = name === "PT" || (name !== "PML4" && mayBeLarge && (entry & LARGE) !== 0n);
    if (isLast) {
      const offset = address & BigInt(pageSize - 1);
      const frame = entry & 0xf_ffff_ffff_f000n & ~BigInt(pageSize - 1);
      return { steps, physical: Number(frame | offset), pageSize };
    }
    table = entry & 0xf_ffff_ffff_f000n;
  }
  return { steps, pageSize: 0x1000 };
}

/**
 * Reads linear memory.
 *
 * @returns Undefined where not all of it is mapped.
 */
export function peek(
  machine: GuestMachine,
  linear: number,
  length: number,
): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { physical } = walkPages(machine, linear + done);
    if (physical === undefined) return undefined;
    // No further than the end of the smallest page.
    const piece = Math.min(length - done, 0x1000 - physical % 0x1000);
    machine.memory.read(physical, bytes.subarray(done, done + piece));
    done += piece;
  }
  return bytes;
}

/** As much of linear memory as is mapped, at most so much. */
export function peekSome(machine: GuestMachine, linear: number, length: number): Uint8Array {
  const toEnd = 0x1000 - ((linear % 0x1000) + 0x1000) % 0x1000;
  return peek(machine, linear, length) ??
    (toEnd < length ? peek(machine, linear, toEnd) : undefined) ?? new Uint8Array();
}
