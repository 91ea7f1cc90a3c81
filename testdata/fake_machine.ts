/**
 * A machine that plays a part instead of running code: for tests of whatever
 * drives machines.
 *
 * ```ts ignore
 * fakeMachine([{ says: "Linux version 6.1\r\n" }, { runs: 500 }, { stops: { kind: "off" } }]);
 * ```
 *
 * @module
 */

import type { GuestMachine, MachineStop } from "../core/boot/machine.ts";
import { Processor } from "../emu/cpu/processor.ts";
import { guestMemory } from "../emu/guest_memory.ts";

/** One thing that it does. */
export type Act =
  /** Sends a text to its serial port. */
  | { readonly says: string }
  /** Retires so many instructions, a nanosecond each. */
  | { readonly runs: number }
  /** Lets time pass, in nanoseconds. */
  | { readonly sleeps: number }
  /** Says back what was typed, once something was. */
  | { readonly echoes: true }
  /** Ends. */
  | { readonly stops: MachineStop };

/** What a fake machine is made with. */
export interface FakeOptions {
  /** Is given what it says. */
  readonly serial?: (bytes: Uint8Array) => void;
  /** Bytes of memory; default 32 MiB. */
  readonly memory?: number;
  /** How many bytes it takes at a time of what is typed; default all. */
  readonly line?: number;
}

/** A fake with what it was told. */
export interface FakeMachine extends GuestMachine {
  /** All that was typed. */
  readonly typed: string;
}

/** A processor that nothing runs on. */
export function idleProcessor(): Processor {
  return new Processor({
    memory: new WebAssembly.Memory({ initial: 8 }),
    ram: 0,
    devices: {
      in: () => 0,
      out: () => {},
      read: () => 0,
      write: () => {},
      tsc: () => 0n,
      apic: undefined,
    },
    has: () => true,
  });
}

/** A machine that does what the script says, and then nothing for ever. */
export function fakeMachine(script: readonly Act[], options: FakeOptions = {}): FakeMachine {
  const { serial = () => {}, memory = 32 << 20, line = Infinity } = options;
  const acts = [...script];
  const said: string[] = [];
  let instructions = 0;
  let now = 0;
  let typed = "";
  let heard = 0;
  let asked = false;
  const pages = memory / 65536;
  const ram = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  let taken = 0;
  const flush = () => {
    if (said.length === 0) return;
    serial(new TextEncoder().encode(said.splice(0).join("")));
  };
  return {
    cpu: idleProcessor(),
    memory: guestMemory({ memory: ram, at: 0, size: memory }),
    onSystem: undefined,
    board: {
      bus: { log: undefined },
      flush,
      uart: {
        registers: { ier: 5 },
        receive(bytes: Uint8Array): number {
          const part = bytes.subarray(0, line - taken);
          taken += part.length;
          typed += new TextDecoder().decode(part);
          return part.length;
        },
      },
    },
    get instructions() {
      return instructions;
    },
    get now() {
      return now;
    },
    get typed() {
      return typed;
    },
    run(limits): MachineStop {
      const end = instructions + (limits.instructions ?? Infinity);
      asked = false;
      taken = 0;
      const retire = (count: number) => {
        instructions += count;
        now += count;
      };
      while (instructions < end) {
        const act = acts.shift();
        if (act === undefined) {
          if (end === Infinity) throw new Error("the fake would run for ever");
          retire(end - instructions);
        } else if ("says" in act) {
          said.push(act.says);
          retire(1);
          flush();
        } else if ("runs" in act) {
          const now = Math.min(act.runs, end - instructions);
          retire(now);
          if (now < act.runs) acts.unshift({ runs: act.runs - now });
        } else if ("sleeps" in act) now += act.sleeps;
        else if ("echoes" in act) {
          if (typed.length > heard) said.push(typed.slice(heard));
          else {
            acts.unshift(act);
            retire(end - instructions);
          }
          heard = typed.length;
          flush();
        } else return act.stops;
        if (asked) return { kind: "stopped" };
      }
      return { kind: "limit" };
    },
    step(): MachineStop {
      return this.run({ instructions: 1 });
    },
    stop(): void {
      asked = true;
    },
    // It executes nothing, so it comes nowhere.
    mark: () => () => {},
    onLook: undefined,
    stateHash: () => `fake-${instructions}`,
  };
}
