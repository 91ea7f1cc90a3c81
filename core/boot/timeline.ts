/**
 * Where a boot's time goes: its phases, with the instructions and the virtual
 * time that each took.
 *
 * Borders are found by looking on: at where the processor executes, at what the
 * console says, and at the first exception in userspace. The last is exact; the
 * others are as exact as the slices are short, {@link TIMELINE_SLICE}.
 *
 * @module
 */

import { type Json, SCHEMA } from "../json.ts";
import { watchEvents } from "./events.ts";
import type { Guest } from "./guest.ts";

/** A moment of a run. */
export interface Moment {
  /** Instructions retired. */
  readonly instructions: number;
  /** Virtual time in nanoseconds. */
  readonly ns: number;
}

/** A part of a boot. */
export interface Phase {
  /** What it is: "decompressor", "kernel", "userspace". */
  readonly name: string;
  /** When it began. */
  readonly from: Moment;
  /** When the next one began, or the run ended. */
  readonly to: Moment;
}

/** Instructions in a slice while a timeline is drawn. */
export const TIMELINE_SLICE = 20_000;

// Tour timeline 010
//
// A boot is measured by what it says and where it is, in instructions, which are
// the same in every run.
/** What the console says at a border, and the phase that begins with it. */
const said: readonly (readonly [pattern: RegExp, phase: (found: RegExpExecArray) => string])[] = [
  // Only a kernel under initcall_debug tells of these.
  [/entering initcall level: (\w+)/, (found) => `initcalls, ${found[1]}`],
  [/Trying to unpack rootfs image/, () => "kernel, after the initramfs"],
  [/Run (\S+) as init process/, () => "init"],
];

/** Watches a guest from its first instruction on. */
export class Timeline {
  readonly #guest: Guest;
  readonly #begun: { name: string; from: Moment }[] = [];
  #lines = 0;
  #inUserspace = false;

  /** A timeline of this guest's runs from now on. */
  constructor(guest: Guest) {
    this.#guest = guest;
    this.#begin(this.#place());
    guest.slice = TIMELINE_SLICE;
    guest.watchers.push(() => this.#look());
    watchEvents(guest.machine, ({ level }) => {
      // What was said before belongs before.
      guest.machine.board.flush();
      if (level !== 3 || this.#inUserspace) return;
      this.#inUserspace = true;
      this.#begin("userspace");
    });
    guest.console.onLine = (line) => {
      this.#lines++;
      if (this.#inUserspace) return;
      if (this.#lines === 1 && this.#kernelHasBegun) this.#begin("kernel, talking");
      for (const [pattern, phase] of said) {
        const found = pattern.exec(line);
        if (found !== null) this.#begin(phase(found));
      }
    };
  }

  /** The phases so far. */
  get phases(): readonly Phase[] {
    const end = this.#now();
    return this.#begun.map(({ name, from }, i) => ({
      name,
      from,
      to: this.#begun[i + 1]?.from ?? end,
    })).filter(({ from, to }) => to.instructions > from.instructions || to.ns > from.ns);
  }

  get #kernelHasBegun(): boolean {
    return this.#begun.some(({ name }) => name.startsWith("kernel"));
  }

  #now(): Moment {
    const { instructions, now } = this.#guest.machine;
    return { instructions, ns: now };
  }

  #begin(name: string): void {
    if (this.#begun.at(-1)?.name !== name) this.#begun.push({ name, from: this.#now() });
  }

  #look(): void {
    if (!this.#kernelHasBegun && !this.#inUserspace) this.#begin(this.#place());
  }

  /** What is going on, by where the processor executes. */
  #place(): string {
    const { machine, plan } = this.#guest;
    const { rip, mode } = machine.cpu;
    if (mode === 16) return "setup code";
    // Linux lives in the upper half, or the upper quarters of 32 bits.
    if (rip < 0 || rip >= 0x8000_0000) return "kernel, silent";
    return plan.entry.kind === "direct" ? "startup" : "decompressor";
  }
}

/** A timeline as a document. */
export function timelineJson(phases: readonly Phase[]): { readonly [key: string]: Json } {
  return {
    schema: SCHEMA,
    kind: "timeline",
    phases: phases.map(({ name, from, to }) => ({
      name,
      start_instructions: from.instructions,
      end_instructions: to.instructions,
      start_ns: from.ns,
      end_ns: to.ns,
    })),
  };
}
