/**
 * The calls that a function of the kernel makes, one behind the other, and when
 * each of them came back: the parts of a function that runs once.
 *
 * Marks are on the instructions behind calls. A function that returns gets
 * there, one that does not (it switches to another task for good) is not told of.
 *
 * @module
 */

import { disassemble } from "../../emu/cpu/disassemble.ts";
import type { GuestMachine } from "./machine.ts";
import { peekSome } from "./peek.ts";
import type { KernelSymbols } from "./symbols.ts";

/** A call in a function's code. */
export interface CallSite {
  /** Linear address of the instruction. */
  readonly at: number;
  /** Linear address of the one behind it. */
  readonly behind: number;
  /** Where the callee begins; undefined of calls through pointers. */
  readonly target?: number;
  /** Number of the register that a pointer is in. */
  readonly register?: number;
  /** Linear address of the pointer. */
  readonly pointer?: number;
}

/** General registers in the order of their numbers, less a letter of their width. */
const registers = [
  ...["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "8", "9", "10", "11", "12", "13", "14", "15"],
];

/** Bytes of a function that are looked at, at most. */
const longest = 0x4000;

/** The calls in a function of the running kernel, in the order of their addresses. */
export function callsOf(machine: GuestMachine, symbols: KernelSymbols, start: number): CallSite[] {
  const { cpu } = machine;
  const { mode } = cpu;
  const name = symbols.nameOf(start)?.name;
  const calls: CallSite[] = [];
  for (let at = start; at < start + longest;) {
    if (at !== start && symbols.nameOf(at)?.name !== name) break;
    const code = new Uint8Array(32);
    const some = peekSome(machine, at, 15);
    code.set(some);
    const { length, text } = disassemble(some, { mode });
    // The last one has nothing behind it: what it calls does not come back.
    if (/^call/.test(text) && symbols.nameOf(at + length)?.name === name) {
      const wrap = (address: number) => mode === 64 ? address : address >>> 0;
      const from = code[0] === 0x41 || code[0] === 0x2e ? 1 : 0;
      const [opcode, modrm = 0] = code.subarray(from);
      const word = (n: number) => new DataView(code.buffer).getInt32(n, true);
      const site = { at, behind: wrap(at + length) };
      if (opcode === 0xe8) {
        const target = wrap(at + length + word(from + 1));
        const thunk = /^__x86_indirect_thunk_(\w+)$/.exec(symbols.nameOf(target)?.name ?? "");
        const register = thunk === null
          ? -1
          : registers.indexOf(thunk[1]?.replace(/^[er]/, "") ?? "");
        calls.push(register < 0 ? { ...site, target } : { ...site, register });
      } else if (opcode === 0xff && modrm >> 3 === 0o32) {
        calls.push({ ...site, register: (modrm & 7) + (code[0] === 0x41 ? 8 : 0) });
      } else if (opcode === 0xff && modrm === 0x15) {
        const low = word(from + 2);
        calls.push({ ...site, pointer: mode === 64 ? at + length + low : low >>> 0 });
      }
    }
    at += length;
  }
  return calls;
}
