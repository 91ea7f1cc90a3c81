/**
 * What of a machine the story of a boot needs: a small face, so that tests can
 * put a made one in its place.
 *
 * @module
 */

import type { Processor } from "../../emu/cpu/processor.ts";
import type { State } from "../../emu/state.ts";
import type { BootProcessor, BootTarget } from "./apply.ts";

/** Why a machine stopped running. */
export type MachineStop =
  /** As many instructions were retired as were asked for. */
  | { readonly kind: "limit" }
  /** Somebody asked it to. */
  | { readonly kind: "stopped" }
  /** It waits, and nothing will ever wake it. */
  | { readonly kind: "idle" }
  /** The guest switched it off. */
  | { readonly kind: "off" }
  /** The guest reset it. */
  | { readonly kind: "reset" }
  /** The guest wrote to the debug exit. */
  | { readonly kind: "exit"; readonly code: number }
  /** A fault while a double fault was delivered. */
  | { readonly kind: "triple-fault" };

/** What of a processor one looks at while it runs. */
export type GuestProcessor =
  & BootProcessor
  & Pick<Processor, "mode" | "registers" | "cr2" | "isLong" | "mmu">;

/** A machine that runs. */
export interface GuestMachine extends BootTarget {
  /** The processor. */
  readonly cpu: GuestProcessor;
  /** The part of the board that console and interrupts go through. */
  readonly board: {
    /** Hands over what was written to the serial port. */
    flush(): void;
    /** The serial port. */
    readonly uart: {
      /** Types; tells how many bytes were taken. */
      receive(bytes: Uint8Array): number;
      /** Its registers by name. */
      readonly registers: State;
    };
  };
  /** Instructions retired. */
  readonly instructions: number;
  /** Virtual time in nanoseconds. */
  readonly now: number;
  /** Runs until a limit or something that ends the run. */
  run(limits: { readonly instructions?: number }): MachineStop;
  /** Runs one instruction. */
  step(): MachineStop;
  /** Leaves `run` soon. */
  stop(): void;
  /** A sum over all state: equal sums, equal futures. */
  stateHash(): string;
}
