/**
 * What generated code is made for and what it calls: the shape of an instruction,
 * and the functions of the machine.
 *
 * @module
 */

import type { FuncIndex } from "../../../wasm/types.ts";
import type { Instruction, Mode } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";
import type { Runtime } from "./values.ts";

/**
 * What generated code calls of the machine. Addresses are f64, so that one
 * signature serves all modes; `pc` is the micro-operation's address, by which the
 * machine knows the instruction and how many were retired before it.
 */
export interface Machinery extends Runtime {
  /** (address f64, info i32, pc i32) → i32: where to read; 0: it faulted. */
  readonly load: FuncIndex;
  /** The same for a store; SCRATCH means that {@link finish} must follow. */
  readonly store: FuncIndex;
  /** The same for reading and storing. */
  readonly update: FuncIndex;
  /** (pc i32): finishes a store that went to SCRATCH. */
  readonly finish: FuncIndex;
  /** (offset i32, segment and info i32, pc i32) → i64: linear address, -1: it faulted. */
  readonly segment: FuncIndex;
  /** (vector i32, pc i32): raises an exception with error code 0 where it has one. */
  readonly raise: FuncIndex;
  /** (pc i32) → i32: EFLAGS as PUSHF stores them; -1: it faulted. */
  readonly readFlags: FuncIndex;
  /** (flags i32, mask i32, pc i32) → i32: loads flags as POPF does; 0: it faulted. */
  readonly writeFlags: FuncIndex;
  /** (pc i32) → i64: the time-stamp counter; -1: it faulted. */
  readonly timeStamp: FuncIndex;
  /** Turns what regions keep of flags into the two words; see region_flags.ts. */
  readonly makeFlags: FuncIndex;
  /** (needs i32, pc i32) → i32: whether SSE and MMX may be used; 0: it faulted. */
  readonly requireVectors: FuncIndex;
  /** (what i32, pc i32) → i32: floating-point arithmetic; 0: it faulted. See float_calls.ts. */
  readonly float: FuncIndex;
  /** (number i32, of a root i32) → i32: an estimate. */
  readonly estimate: FuncIndex;
  /** (control i32, lengths i32, i32) → i32: a comparison of strings. */
  readonly compareStrings: FuncIndex;
}

/** Info that goes with an access: its bytes, and through which segment it goes. */
export const INFO_SEGMENT_SHIFT = 8;
/** The access writes. */
export const INFO_WRITE = 0x80;

/** What a code writer knows when an instruction is written. */
export interface Shape {
  /** An instruction of this shape. */
  readonly i: Instruction;
  /** Its row. */
  readonly form: Form;
  /** Width of the code. */
  readonly mode: Mode;
  /** Segments ES, CS, SS and DS start at 0 and end nowhere. */
  readonly flat: boolean;
  /** Width of the stack pointer. */
  readonly stack: 16 | 32 | 64;
}

/** What an instruction does has no code here: it is left to the evaluator. */
export class NoCodeError extends TypeError {
  override name = "NoCodeError";
}
