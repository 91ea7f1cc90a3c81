/**
 * What of a machine the story of a boot needs: a small face, so that tests can
 * put a made one in its place.
 *
 * @module
 */

import type { BootProcessor, BootTarget } from "./apply.ts";

/** Why a machine stopped running. */
export type MachineStop =
  /** As many instructions were retired as were asked for. */
  | { readonly kind: "limit" }
  /** Somebody asked it to. */
  | { readonly kind: "stopped" }
  /** It waits, and nothing inside will wake it; `forEver` if no input could either. */
  | { readonly kind: "idle"; readonly forEver?: boolean }
  /** The guest switched it off. */
  | { readonly kind: "off" }
  /** The guest reset it. */
  | { readonly kind: "reset" }
  /** The guest wrote to the debug exit. */
  | { readonly kind: "exit"; readonly code: number }
  /** A fault while a double fault was delivered. */
  | { readonly kind: "triple-fault" };

/** Who sees events on their way to the guest's handlers. */
export interface GuestHost {
  /** An event is about to be delivered; true: it has been dealt with. */
  deliver?(
    vector: number,
    kind: "fault" | "trap" | "interrupt" | "software" | "nmi",
    errorCode: number | undefined,
    address: number | undefined,
  ): boolean;
}

/** What of a processor one looks at while it runs. */
export interface GuestProcessor extends BootProcessor {
  /** RAX to R15. */
  readonly registers: BigUint64Array;
  /** CR2. */
  readonly cr2: bigint;
  /** Width of the code. */
  readonly mode: 16 | 32 | 64;
  /** Whether it is in long mode. */
  readonly isLong: boolean;
  /** Whether it has a feature, as /proc/cpuinfo names it. */
  readonly has: (feature: string) => boolean;
  /** Whoever stands between guest and processor. */
  host: GuestHost | undefined;
  /** Memory through page tables. */
  readonly mmu: {
    /** Reads 1, 2 or 4 bytes; throws where they are not mapped. */
    load(linear: number, bytes: 1 | 2 | 4, rights?: "current" | "supervisor"): number;
  };
}

/** What a device is asked: by port, or by an address in physical memory. */
export type PortAccess = "in" | "out" | "read" | "write";

/** An instruction that asks or changes what the machine is; RIP is on it. */
export interface SystemEvent {
  /** Its name: `cpuid`, `wrmsr`, `mov_to_cr`. */
  readonly name: string;
  /** The control register's number, where it has one. */
  readonly register: number;
  /** What was in EAX and ECX before it: leaf and subleaf, or the MSR's number. */
  readonly asked: readonly [eax: number, ecx: number];
}

/** A machine that runs. */
export interface GuestMachine extends BootTarget {
  /** The processor. */
  readonly cpu: GuestProcessor;
  /** The part of the board that console and interrupts go through. */
  readonly board: {
    /** Ports and windows of memory. */
    readonly bus: {
      /** Is told of every access, if there is somebody. */
      log:
        | ((kind: PortAccess, address: number, width: number, value: number, time: number) => void)
        | undefined;
    };
    /** Hands over what was written to the serial port. */
    flush(): void;
    /** The serial port. */
    readonly uart: {
      /** Types; tells how many bytes were taken. */
      receive(bytes: Uint8Array): number;
      /** Its registers by name. */
      readonly registers: unknown;
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
  /** Leaves `run` soon; at a mark, before the instruction there. */
  stop(): void;
  /**
   * Tells each time that the instruction at a linear address is about to be
   * executed, until what is given back is called.
   */
  mark(linear: number, told: () => void): () => void;
  /** Is told linear addresses of code before it is executed for the first time since it has changed. */
  onLook: ((linear: number) => void) | undefined;
  /** Is told of each instruction that asks or changes what the machine is, after it was carried out. */
  onSystem: ((instruction: SystemEvent) => void) | undefined;
  /** A sum over all state: equal sums, equal futures. */
  stateHash(): string;
}
