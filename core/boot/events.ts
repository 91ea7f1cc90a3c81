/**
 * The exceptions and interrupts of a guest, seen on their way to its handlers.
 *
 * Source: Intel SDM vol. 3A, 6.13 "Error Code", 6.15 (each exception), 4.7
 * "Page-Fault Exceptions".
 *
 * @module
 */

import type { GuestMachine } from "./machine.ts";
import { peekSome } from "./peek.ts";

/** An exception or interrupt. */
export interface GuestEvent {
  /** Instructions retired before it. */
  readonly instructions: number;
  /** Its vector. */
  readonly vector: number;
  /** How it came about. */
  readonly kind: "fault" | "trap" | "interrupt" | "software" | "nmi";
  /** Its error code, if it has one. */
  readonly errorCode?: number;
  /** Of a page fault the linear address. */
  readonly address?: number;
  /** Linear address of the instruction it came at. */
  readonly at: number;
  /** Privilege level it came at. */
  readonly level: number;
}

/** An exception with what the processor held when it came. */
export interface GuestException extends GuestEvent {
  /** How many exceptions came before it. */
  readonly order: number;
  /** Width of the code. */
  readonly mode: 16 | 32 | 64;
  /** RAX to R15. */
  readonly registers: BigUint64Array;
  /** RIP. */
  readonly rip: number;
  /** EFLAGS. */
  readonly flags: number;
  /** The instruction's bytes, as far as they are there; empty for page faults and #NM, which are many. */
  readonly bytes: Uint8Array;
}

const mnemonics: Readonly<Record<number, string>> = {
  ...{ 0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF" },
  ...{ 10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC" },
  19: "#XM",
};

const pageFault = 14;
const deviceNotAvailable = 7;
/** #TS, #NP, #SS and #GP, whose error code names a descriptor. */
const namesDescriptor = new Set([10, 11, 12, 13]);

const hex = (value: number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** What an event is called: `#PF`, `int 0x80`, `interrupt 0xec`. */
export function eventName({ vector, kind }: Pick<GuestEvent, "vector" | "kind">): string {
  if (kind === "software") return `int ${hex(vector)}`;
  if (kind === "interrupt") return `interrupt ${hex(vector)}`;
  return mnemonics[vector] ?? `exception ${vector}`;
}

/** What an exception's error code says; undefined where it says nothing. */
export function errorMeaning(vector: number, code: number): string | undefined {
  if (vector === pageFault) {
    const what = (code & 16) !== 0 ? "execute" : (code & 2) !== 0 ? "write" : "read";
    const why = (code & 8) !== 0
      ? "a reserved bit is set"
      : (code & 1) !== 0
      ? "not allowed"
      : "page not present";
    return `${what} by the ${(code & 4) !== 0 ? "user" : "kernel"}, ${why}`;
  }
  if (!namesDescriptor.has(vector) || code === 0) return undefined;
  const which = (code & 2) !== 0
    ? `gate ${hex(code >> 3)} of the IDT`
    : `selector ${hex(code & 0xfff8)} of the ${(code & 4) !== 0 ? "LDT" : "GDT"}`;
  return (code & 1) !== 0 ? `${which}, while another event was delivered` : which;
}

/**
 * An event in words.
 *
 * @param show How to write an address.
 */
export function showEvent(event: GuestEvent, show: (address: number) => string = hex): string {
  const { vector, errorCode, address, at, level } = event;
  const meaning = errorCode === undefined ? undefined : errorMeaning(vector, errorCode);
  return [
    eventName(event),
    ...(errorCode === undefined ? [] : [`error ${hex(errorCode)}`]),
    ...(meaning === undefined ? [] : [`(${meaning})`]),
    ...(address === undefined ? [] : [`address ${show(address)}`]),
    `at ${show(at)}`,
    ...(level === 3 ? ["in userspace"] : []),
  ].join(" ");
}

/** Linear address of the instruction that the processor is at. */
export function linearRip({ cpu }: GuestMachine): number {
  return cpu.mode === 64 ? cpu.rip : cpu.segments[1].base + cpu.rip >>> 0;
}

/**
 * Lets somebody see every event before the guest's handler does. The guest does
 * not notice.
 */
export function watchEvents(machine: GuestMachine, see: (event: GuestEvent) => void): void {
  const { cpu } = machine;
  const before = cpu.host;
  cpu.host = {
    ...before,
    deliver(vector, kind, errorCode, address) {
      see({
        instructions: machine.instructions,
        vector,
        kind,
        ...(errorCode !== undefined && { errorCode }),
        ...(address !== undefined && { address }),
        at: linearRip(machine),
        level: cpu.cpl,
      });
      return before?.deliver?.(vector, kind, errorCode, address) ?? false;
    },
  };
}

const none = new Uint8Array();

/**
 * The last exceptions of a guest. Interrupts, which are no sign of anything, are
 * left out. Page faults of a running system are many, so what is none is kept
 * apart and not pushed out by them.
 */
export class EventLog {
  readonly #common: GuestException[] = [];
  readonly #rare: GuestException[] = [];
  readonly #most: number;
  #count = 0;

  /** A log of the last so many exceptions of each kind, from now on. */
  constructor(machine: GuestMachine, most = 8) {
    this.#most = most;
    const { cpu } = machine;
    watchEvents(machine, (event) => {
      if (event.kind === "interrupt" || event.kind === "software") return;
      const isCommon = event.vector === pageFault || event.vector === deviceNotAvailable;
      this.#keep(isCommon ? this.#common : this.#rare, {
        ...event,
        order: this.#count++,
        mode: cpu.mode,
        registers: cpu.registers.slice(),
        rip: cpu.rip,
        flags: cpu.eflags,
        bytes: isCommon ? none : peekSome(machine, event.at, 15),
      });
    });
  }

  /** The exceptions, the last one last. */
  get last(): readonly GuestException[] {
    return [...this.#rare, ...this.#common].toSorted((a, b) => a.order - b.order);
  }

  #keep(list: GuestException[], event: GuestException): void {
    list.push(event);
    if (list.length > this.#most) list.shift();
  }
}
