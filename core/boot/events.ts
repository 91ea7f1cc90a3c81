/**
 * The exceptions and interrupts of a guest, seen on their way to its handlers.
 *
 * @module
 */

import type { GuestMachine } from "./machine.ts";

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

const mnemonics: Readonly<Record<number, string>> = {
  ...{ 0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF" },
  ...{ 10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC" },
  19: "#XM",
};

const hex = (value: number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/**
 * An event in words.
 *
 * @param show How to write an address.
 */
export function showEvent(event: GuestEvent, show: (address: number) => string = hex): string {
  const { vector, kind, errorCode, address, at, level } = event;
  const name = kind === "interrupt" || kind === "software"
    ? `${kind === "software" ? "int" : "interrupt"} ${hex(vector)}`
    : mnemonics[vector] ?? `exception ${vector}`;
  return [
    name,
    ...(errorCode === undefined ? [] : [`error ${hex(errorCode)}`]),
    ...(address === undefined ? [] : [`address ${hex(address)}`]),
    `at ${show(at)}`,
    ...(level === 3 ? ["in userspace"] : []),
  ].join(" ");
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
        at: cpu.mode === 64 ? cpu.rip : cpu.segments[1].base + cpu.rip >>> 0,
        level: cpu.cpl,
      });
      return before?.deliver?.(vector, kind, errorCode, address) ?? false;
    },
  };
}

/** The last exceptions of a guest; interrupts, which are no sign of anything, are left out. */
export class EventLog {
  readonly #events: GuestEvent[] = [];
  readonly #most: number;

  /** A log of the last so many exceptions, from now on. */
  constructor(machine: GuestMachine, most = 16) {
    this.#most = most;
    watchEvents(machine, (event) => {
      if (event.kind === "interrupt" || event.kind === "software") return;
      this.#events.push(event);
      if (this.#events.length > this.#most) this.#events.shift();
    });
  }

  /** The exceptions, the last one last. */
  get last(): readonly GuestEvent[] {
    return this.#events;
  }
}
