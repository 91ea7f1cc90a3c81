/**
 * What a guest does, line by line: every instruction, every jump, or every
 * exception and interrupt.
 *
 * @module
 */

import { disassemble } from "../../emu/cpu/disassemble.ts";
import { showEvent, watchEvents } from "./events.ts";
import type { Guest } from "./guest.ts";
import { peekSome } from "./peek.ts";

/** What can be traced. */
export const traceKinds = ["branches", "instructions", "events"] as const;
/** What to trace. */
export type TraceKind = typeof traceKinds[number];

const longest = 15;

/**
 * Traces a guest from now on. All but events make it go step by step.
 *
 * @param write Is given each line, without its end.
 */
export async function trace(
  guest: Guest,
  kind: TraceKind,
  write: (line: string) => void,
): Promise<void> {
  const { machine } = guest;
  const { cpu } = machine;
  const symbols = await guest.symbols();
  let table = -1;
  const show = (address: number): string => {
    // A kernel that has moved itself tells where by its interrupt table.
    if (symbols !== undefined && cpu.idtr.base !== table) {
      table = cpu.idtr.base;
      symbols.findSlide(cpu);
    }
    const plain = `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
    return symbols?.nameOf(address) === undefined ? plain : symbols.show(address);
  };
  const count = (instructions: number) => String(instructions).padStart(12);
  if (kind === "events") {
    watchEvents(
      machine,
      (event) => write(`${count(event.instructions)} ${showEvent(event, show)}`),
    );
    return;
  }
  const linear = () => cpu.mode === 64 ? cpu.rip : cpu.segments[1].base + cpu.rip >>> 0;
  const decoded = (at: number) =>
    disassemble(peekSome(machine, at, longest), {
      mode: cpu.mode,
      address: BigInt.asUintN(64, BigInt(at)),
      symbol: (address) => {
        const number = Number(cpu.mode === 64 ? BigInt.asIntN(64, address) : address);
        return symbols?.nameOf(number) && symbols.show(number);
      },
    });
  let [at, next] = [0, 0];
  guest.onStep = {
    before(): void {
      at = linear();
      const { text, length } = decoded(at);
      next = at + length;
      if (kind === "instructions") write(`${count(machine.instructions)} ${show(at)}  ${text}`);
    },
    after(): void {
      const now = linear();
      // An instruction that repeats itself goes nowhere.
      if (kind === "branches" && now !== next && now !== at) {
        write(`${count(machine.instructions)} ${show(at)} → ${show(now)}`);
      }
    },
  };
}
