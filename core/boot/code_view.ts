/**
 * Code around a place, disassembled. Instructions in front of it are found from
 * the start of their function, or else by trying where they may begin.
 *
 * @module
 */

import { DECODED } from "../../emu/cpu/decode.ts";
import { disassemble } from "../../emu/cpu/disassemble.ts";
import type { GuestMachine } from "./machine.ts";
import { peek, peekSome } from "./peek.ts";
import type { Names } from "./names.ts";

/** A line of code. */
export interface CodeLine {
  /** Linear address. */
  readonly address: number;
  /** Its bytes; none where no memory is. */
  readonly bytes: Uint8Array;
  /** The instruction; empty where no memory is. */
  readonly text: string;
}

/** The longest instruction, in bytes. */
const LONGEST = 15;
/** How far a function's start may lie back to decode from there. */
const FAR = 8192;
/** How far back an instruction's start is looked for without it. */
const NEAR = 48;

/** The instruction at an address. */
export function codeAt(machine: GuestMachine, address: number, names?: Names): CodeLine {
  return codeOf(machine, address, peekSome(machine, address, LONGEST), names);
}

/** An instruction of which the bytes are known. */
export function codeOf(
  { cpu: { mode } }: { readonly cpu: Pick<GuestMachine["cpu"], "mode"> },
  address: number,
  bytes: Uint8Array,
  names?: Names,
): CodeLine {
  if (bytes.length === 0) return { address, bytes, text: "" };
  const { text, length } = disassemble(bytes, {
    mode,
    address: BigInt.asUintN(64, BigInt(address)),
    symbol: (to) => names?.nameOf(Number(mode === 64 ? BigInt.asIntN(64, to) : to)),
  });
  return { address, bytes: bytes.subarray(0, length), text };
}

/** Code around an address: so many instructions before it, it, and so many behind. */
export function codeAround(
  machine: GuestMachine,
  address: number,
  names: Names | undefined,
  before: number,
  behind: number,
): readonly CodeLine[] {
  const starts = startsBefore(machine, address, names).slice(before > 0 ? -before : Infinity);
  const lines = starts.map((start) => codeAt(machine, start, names));
  let next = address;
  for (let n = 0; n <= behind; n++) {
    const line = codeAt(machine, next, names);
    lines.push(line);
    if (line.bytes.length === 0) break;
    next += line.bytes.length;
  }
  return lines;
}

/** Where instructions in front of an address begin. */
function startsBefore(machine: GuestMachine, address: number, names?: Names): readonly number[] {
  const start = names?.startOf(address);
  if (start !== undefined && address - start <= FAR) {
    const found = stepsTo(machine, start, address);
    if (found !== undefined) return found;
  }
  // Decoding soon falls into step, wherever it begins: what begins far away is most likely right.
  for (let back = NEAR; back > 0; back--) {
    const found = stepsTo(machine, address - back, address);
    // The first steps may have been out of step.
    if (found !== undefined) return found.slice(back > LONGEST ? 2 : 0);
  }
  return [];
}

/** The instructions from one address to another; undefined if they do not meet it. */
function stepsTo(machine: GuestMachine, from: number, to: number): readonly number[] | undefined {
  const bytes = peek(machine, from, to - from);
  if (bytes === undefined) return undefined;
  const { mode } = machine.cpu;
  const starts: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { length, status } = disassemble(bytes.subarray(at, at + LONGEST), { mode });
    if (status !== DECODED) return undefined;
    starts.push(from + at);
    at += length;
  }
  return at === bytes.length ? starts : undefined;
}
