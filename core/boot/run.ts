/**
 * The story of a run: drives a machine in slices, reads its console along, and
 * says how it ended.
 *
 * Slices are counted in instructions, so a run that waits for nobody is the same
 * run each time. Between slices whoever drives may feed the console or look.
 *
 * @module
 */

import type { GuestConsole } from "./console.ts";
import type { GuestMachine, MachineStop } from "./machine.ts";
import type { Outcome } from "./outcome.ts";

/** When to stop. */
export interface RunLimits {
  /** A text on the console. */
  readonly until?: RegExp;
  /** So many instructions after now. */
  readonly instructions?: number;
  /** So many nanoseconds of virtual time after now. */
  readonly time?: number;
  /**
   * The instruction at this linear address, before it is executed, but not the
   * one that the run begins with; numbers as the processor has them, signed in
   * 64-bit mode.
   */
  readonly address?: number;
}

/** Somebody who watches every instruction. */
export interface Stepper {
  /** Instructions retired from which on; may be changed while the machine stands. */
  from: number;
  /** The next instruction is about to be executed, or an event to be delivered in its place. */
  before(): void;
  /** It was. */
  after(): void;
}

/** Instructions in a slice. */
export const SLICE = 1_000_000;
/** What a kernel says that is about to restart. */
const restart = /reboot: (Restarting system|machine restart)/;
/** What a kernel says that is about to halt. */
const goodbye = /reboot: (System halted|Power down)|^System halted|^Power down/;
/** Instructions that a kernel gets to say why it panicked. */
const LAST_WORDS = 200_000_000;

/** A run of a machine. */
export class Run {
  readonly #machine: GuestMachine;
  readonly #console: GuestConsole;
  readonly #lastInstruction: number;
  readonly #lastTime: number;
  #address: number | undefined;
  /** Whether somebody may still type, so that a guest that waits for nothing else has not ended. */
  mayType: (() => boolean) | undefined;
  /** Called around each instruction; the machine goes step by step for it. */
  onStep: Stepper | undefined;
  /** Called before each slice. */
  beforeSlice: (() => void) | undefined;
  /** Called after each slice. */
  afterSlice: (() => void) | undefined;
  /** Takes the mark off the address. */
  #unmark: (() => void) | undefined;
  #isThere = false;
  #isWaiting = false;
  #panicked = Infinity;
  #outcome: Outcome | undefined;

  /**
   * A run that has not begun.
   *
   * @param console The one that is given what the machine's serial port sends.
   */
  constructor(machine: GuestMachine, console: GuestConsole, limits: RunLimits = {}) {
    this.#machine = machine;
    this.#console = console;
    this.#lastInstruction = machine.instructions + (limits.instructions ?? Infinity);
    this.#lastTime = machine.now + (limits.time ?? Infinity);
    if (limits.address !== undefined) this.stopAt(limits.address);
    console.waitFor(limits.until);
    console.onEvent = () => machine.stop();
  }

  /**
   * Lets it end before the instruction at a linear address, in the place of any
   * address before; not at the one that it is about to execute now.
   */
  stopAt(address: number): void {
    const machine = this.#machine;
    this.#unmark?.();
    this.#address = address;
    const now = machine.instructions;
    this.#unmark = machine.mark(address, () => {
      if (machine.instructions === now) return;
      this.#isThere = true;
      machine.stop();
    });
  }

  /** Whether the guest waits for input and for nothing else. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** How it ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /**
   * Runs on for so many instructions at most.
   *
   * @returns How the run ended, or undefined while it goes on.
   */
  slice(instructions: number = SLICE): Outcome | undefined {
    if (this.#outcome !== undefined) return this.#outcome;
    const machine = this.#machine;
    this.beforeSlice?.();
    this.#isWaiting = false;
    const left = this.#lastInstruction - machine.instructions;
    // The last run may have left behind what this one waits for.
    const stop = left > 0 && this.#console.match === undefined
      ? this.#go(Math.min(instructions, left))
      : { kind: "limit" } as const;
    machine.board.flush();
    this.afterSlice?.();
    this.#outcome = this.#judge(stop);
    if (this.#outcome !== undefined) this.#unmark?.();
    return this.#outcome;
  }

  /** Runs to the end, in slices of so many instructions. */
  finish(instructions: number = SLICE): Outcome {
    for (;;) {
      const outcome = this.slice(instructions);
      if (outcome !== undefined) return outcome;
    }
  }

  /** Ends it from outside. */
  end(kind: "left" | "interrupted"): Outcome {
    this.#unmark?.();
    return this.#outcome ??= { kind };
  }

  #go(instructions: number): MachineStop {
    const machine = this.#machine;
    const { onStep } = this;
    const ahead = onStep === undefined ? Infinity : onStep.from - machine.instructions;
    if (onStep === undefined || ahead > 0) {
      return machine.run({ instructions: Math.min(instructions, ahead) });
    }
    for (let i = 0; i < instructions; i++) {
      onStep.before();
      const stop = machine.step();
      onStep.after();
      if (stop.kind !== "limit") return stop;
    }
    return { kind: "limit" };
  }

  #judge(stop: MachineStop): Outcome | undefined {
    const { match, panic, isPanicOver } = this.#console;
    const machine = this.#machine;
    if (this.#address !== undefined && this.#isThere) {
      return { kind: "address", address: this.#address };
    }
    // What was waited for wins: a panic may be what one waits for.
    if (match !== undefined) return { kind: "matched", text: match };
    const ended = stop.kind !== "limit" && stop.kind !== "stopped";
    if (panic !== undefined) {
      this.#panicked = Math.min(this.#panicked, machine.instructions);
      const isSilent = machine.instructions - this.#panicked >= LAST_WORDS;
      // One who waits for a text may wait for one behind the panic's first line.
      if (isPanicOver || ended || isSilent) return { kind: "panic", message: panic };
    }
    switch (stop.kind) {
      case "off":
        return { kind: "power-off" };
      case "reset":
        return { kind: "reset" };
      case "exit":
        return { kind: "exit", code: stop.code };
      case "triple-fault":
        // One of the ways in which kernels restart a PC, `reboot=t`.
        return { kind: this.#said(restart) ? "reset" : "triple-fault" };
      case "idle":
        if (stop.forEver === false && this.mayType?.() === true) {
          this.#isWaiting = true;
          return undefined;
        }
        return { kind: "halted", clean: this.#said(goodbye) };
      default:
    }
    if (machine.instructions >= this.#lastInstruction) return { kind: "limit", of: "instructions" };
    if (machine.now >= this.#lastTime) return { kind: "limit", of: "time" };
    return undefined;
  }

  /** Whether the kernel said something in its last lines. */
  #said(what: RegExp): boolean {
    return this.#console.tail(5).some((line) => what.test(line));
  }
}
