/**
 * What the semantics of instructions are written in.
 *
 * A description is a function over an {@link Emitter}. It does not compute: it
 * tells the emitter what to compute, with values that it only hands on. What
 * comes of it depends on the emitter. The evaluator computes at once, with big
 * integers; the one that gathers facts notes what is read and written; others
 * may write code. So a description must not look into a value: what it decides
 * in TypeScript, it decides by what is known when the instruction is decoded,
 * and what depends on values goes through {@link Emitter.when} and
 * {@link Emitter.select}.
 *
 * ## Order
 *
 * An instruction that faults has changed nothing. So a description reads and
 * writes all memory before it sets a register or a flag, reads what it is going
 * to write by {@link Emitter.update}, and moves the stack pointer last. What
 * repeats commits with every element.
 *
 * @module
 */

import type { Instruction, Mode } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";

/** Widths of values in bits; 1 is a truth value. */
export type Width = 1 | 8 | 16 | 32 | 64 | 128;

/** CF. */
export const CF = 0x1;
/** PF. */
export const PF = 0x4;
/** AF. */
export const AF = 0x10;
/** ZF. */
export const ZF = 0x40;
/** SF. */
export const SF = 0x80;
/** DF. */
export const DF = 0x400;
/** OF. */
export const OF = 0x800;
/** The six flags of arithmetic. */
export const STATUS = 0x8d5;

/** Exceptions that instructions raise by their own will. */
export type Fault = "#DE" | "#BR" | "#UD" | "#GP" | "#SS" | "#OF" | "#BP" | "#DB";

/** Two results at once. */
export interface Pair<V> {
  /** The low half, or the quotient. */
  readonly low: V;
  /** The high half, or the remainder. */
  readonly high: V;
}

/** Takes down what an instruction does. Values have widths; both operands of an operation the same. */
export interface Emitter<V> {
  /** The instruction. */
  readonly i: Instruction;
  /** Its row, taken apart. */
  readonly form: Form;
  /** Width of the code around it. */
  readonly mode: Mode;

  /** A number as a value. */
  constant(value: number, width: Width): V;
  /** How wide a value is. */
  width(value: V): Width;

  /** Sum, without carry. */
  add(a: V, b: V): V;
  /** Difference. */
  sub(a: V, b: V): V;
  /** Product, its low half. */
  mul(a: V, b: V): V;
  /** The whole product. */
  mulWide(a: V, b: V, signed: boolean): Pair<V>;
  /**
   * Quotient and remainder of a number of twice the width; #DE if the divisor
   * is zero or the quotient does not fit.
   */
  divWide(high: V, low: V, divisor: V, signed: boolean): Pair<V>;
  /** Bitwise and. */
  and(a: V, b: V): V;
  /** Bitwise or. */
  or(a: V, b: V): V;
  /** Bitwise exclusive or. */
  xor(a: V, b: V): V;
  /** All bits inverted. */
  not(a: V): V;
  /** Shifted left; a count of the width or more leaves nothing. */
  shl(a: V, count: V): V;
  /** Shifted right likewise. */
  shr(a: V, count: V): V;
  /** Shifted right, filled with the sign. */
  sar(a: V, count: V): V;
  /** Zeros below the lowest set bit; of zero, the width. */
  countTrailing(a: V): V;
  /** Zeros above the highest set bit; of zero, the width. */
  countLeading(a: V): V;
  /** How many bits are set. */
  countOnes(a: V): V;

  /** Whether two values are the same. */
  equal(a: V, b: V): V;
  /** Whether one is below the other, unsigned. */
  below(a: V, b: V): V;
  /** Whether one is less than the other, signed. */
  less(a: V, b: V): V;
  /** One value or the other. */
  select(condition: V, yes: V, no: V): V;

  /** The low bits. */
  truncate(a: V, width: Width): V;
  /** Zeros put before. */
  zeroExtend(a: V, width: Width): V;
  /** The sign put before. */
  signExtend(a: V, width: Width): V;

  /** Does something if a condition holds. */
  when(condition: V, then: () => void): void;
  /** Ends the instruction with an exception, if a condition holds. */
  fault(fault: Fault, condition?: V): void;

  /** An operand of the row: an immediate, a register, memory. */
  read(operand: number): V;
  /** An operand that will be written: memory that cannot be is a fault now; with LOCK it is locked. */
  update(operand: number): V;
  /** Writes an operand. */
  write(operand: number, value: V): void;
  /** Writes the memory operand, its address formed as if SP had moved up by some bytes already. */
  writeAfterPop(value: V, bytes: number): void;
  /** The address that a memory operand names, within its segment; of the address size. */
  address(): V;

  /** A general register by number; of 8 bits the low byte. */
  register(number: number, width: Width): V;
  /** Sets a general register; 32 bits clear those above, fewer leave them. */
  setRegister(number: number, value: V): void;
  /** AH, which is a byte of its own. */
  ah(): V;
  /** Sets AH. */
  setAh(value: V): void;
  /** A segment register's selector. */
  selector(number: number): V;

  /** Memory at an address of the address or stack size within a segment: 0 ES to 5 GS. */
  load(segment: number, address: V, width: Width): V;
  /** The same, for memory that will be written. */
  loadForStore(segment: number, address: V, width: Width): V;
  /** Stores to memory. */
  store(segment: number, address: V, value: V): void;

  /** Ends the instruction with #GP unless a linear address is a multiple of some bytes. */
  requireAligned(segment: number, address: V, bytes: number): void;

  /** One of the flags. */
  flag(flag: number): V;
  /** Sets one of the flags. */
  setFlag(flag: number, value: V): void;
  /**
   * Sets CF, AF and OF as of a sum, and ZF, SF and PF of it. A carry that came
   * in shows in the sum and need not be told.
   *
   * @param keep Flags that stay as they are.
   */
  flagsOfSum(a: V, b: V, sum: V, keep?: number): void;
  /** The same of a difference. */
  flagsOfDifference(a: V, b: V, difference: V, keep?: number): void;
  /** Sets ZF, SF and PF of a result. */
  flagsOfResult(result: V): void;
  /**
   * Says that the manual leaves flags undefined here; what the description does
   * with them before or after is what one processor was seen to do.
   */
  undefinedFlags(flags: number): void;
  /** The flags register, as PUSHF stores it, of 64 bits. */
  flagsRegister(): V;
  /** Loads flags: those in the mask that the privilege level may change. */
  setFlagsRegister(value: V, mask: number): void;

  /** Address of the next instruction, of the operand size. */
  next(): V;
  /**
   * Goes on elsewhere, when the instruction is through; an address of the operand
   * size. Faults at once if execution cannot go on there.
   */
  jump(target: V): void;
  /** Width of the stack pointer. */
  stackWidth(): Width;
  /**
   * Repeats one element of a string instruction if it has a prefix for that:
   * as long as the count register is not zero.
   *
   * @param compares Whether REPE and REPNE end it by ZF.
   */
  repeat(element: () => void, compares: boolean): void;
}

/** What an instruction does. */
export type Semantics = <V>(e: Emitter<V>) => void;
