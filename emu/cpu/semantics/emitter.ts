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
export type Fault = "#DE" | "#BR" | "#UD" | "#GP" | "#SS" | "#OF" | "#BP" | "#DB" | "#XM";

/** Two results at once. */
export interface Pair<V> {
  /** The low half, or the quotient. */
  readonly low: V;
  /** The high half, or the remainder. */
  readonly high: V;
}

/** Whole numbers that a vector of 128 bits holds. */
export type LaneShape = "i8x16" | "i16x8" | "i32x4" | "i64x2";
/** One floating-point number, or those that a vector of 128 bits holds. */
export type FloatShape = "f32" | "f64" | "f32x4" | "f64x2";

/** Two vectors make one. */
export type VectorBinary =
  | `${LaneShape}.${"add" | "sub" | "eq" | "gt_s"}`
  | `${"i8x16" | "i16x8"}.${"add_sat_s" | "add_sat_u" | "sub_sat_s" | "sub_sat_u" | "avgr_u"}`
  | `${"i8x16" | "i16x8" | "i32x4"}.${"min_s" | "min_u" | "max_s" | "max_u"}`
  | `${"i16x8" | "i32x4"}.mul`
  | `i32x4.extmul_${"low" | "high"}_i16x8_${"s" | "u"}`
  | `i64x2.extmul_low_i32x4_${"s" | "u"}`
  | `i8x16.narrow_i16x8_${"s" | "u"}`
  | `i16x8.narrow_i32x4_${"s" | "u"}`
  | ("i16x8.q15mulr_sat_s" | "i32x4.dot_i16x8_s" | "i8x16.swizzle")
  | `v128.${"and" | "andnot" | "or" | "xor"}`;

/** One vector makes one. */
export type VectorUnary =
  | `${"i8x16" | "i16x8" | "i32x4"}.abs`
  | `i16x8.extend_low_i8x16_${"s" | "u"}`
  | `i32x4.extend_low_i16x8_${"s" | "u"}`
  | `i64x2.extend_low_i32x4_${"s" | "u"}`
  | ("i16x8.extadd_pairwise_i8x16_u" | "i32x4.extadd_pairwise_i16x8_u");

/** Lanes are shifted. */
export type VectorShift = `${LaneShape}.${"shl" | "shr_s" | "shr_u"}`;

/** Arithmetic of two floating-point numbers. ADDSUB takes even lanes from each other and adds odd ones. */
export type FloatOperation = "add" | "sub" | "mul" | "div" | "min" | "max" | "addsub";

/** How a floating-point number becomes a whole one: to the nearest (even), down, up, towards zero, as MXCSR says. */
export type Rounding = "nearest" | "down" | "up" | "zero" | "current";

/**
 * Vectors. Their values are 128 bits wide and go through the operands of the row
 * as others do, under these rules:
 *
 * - An SSE register that a row names is read as wide as the row says: `Vss` is
 *   its low 32 bits. It is written as wide as the value is; what is above stays.
 * - An MMX register is a value of 64 bits. Descriptions put zeros before it and
 *   work on 128.
 * - {@link Emitter.zeroExtend} and {@link Emitter.truncate} go to and from 128 bits.
 * - Memory of 128 bits must be aligned unless the row is one of those that need
 *   not; see `mustBeAligned` in vector_operands.ts. Reading and writing operands
 *   sees to it.
 *
 * What works on whole vectors has the names and the meaning of WebAssembly's
 * instructions. What works on floating-point numbers has the meaning of SSE's
 * instructions: it goes by MXCSR (rounding, denormals as zeros, flush to zero),
 * sets its exception flags, and ends the instruction with #XM where one is
 * raised that is not masked; then only these flags change. All lanes of one
 * operation raise together.
 *
 * Lanes of 128-bit values that a description fills with zeros raise nothing.
 */
export interface VectorEmitter<V> {
  /** A vector that is known: so many lanes as the shape has, unsigned or signed. */
  constant(shape: "i8x16" | "i16x8" | "i32x4", lanes: readonly number[]): V;
  /** Two vectors make one, as WebAssembly's instruction of this name does. */
  binary(operation: VectorBinary, a: V, b: V): V;
  /** One vector makes one, as WebAssembly's instruction of this name does. */
  unary(operation: VectorUnary, a: V): V;
  /** Shifts lanes by a number below their width. */
  shift(operation: VectorShift, a: V, count: number): V;
  /** Shifts lanes by a value of 64 bits; from their width on, zeros or signs are left. */
  shiftBy(operation: VectorShift, a: V, count: V): V;
  /** Bytes of two vectors: of 0 to 15 the first's, of 16 to 31 the second's. */
  shuffle(a: V, b: V, bytes: readonly number[]): V;
  /** Bits of one where the mask has ones, of the other where it has zeros. */
  bitselect(ones: V, zeros: V, mask: V): V;
  /** One lane, as wide as it is. */
  extract(shape: LaneShape, a: V, lane: number): V;
  /** A vector with another value in one lane. */
  replace(shape: LaneShape, a: V, lane: number, value: V): V;
  /** The top bits of all lanes, the first's lowest, in 32 bits. */
  bitmask(shape: LaneShape, a: V): V;
  /** Whether any bit is set. */
  anyTrue(a: V): V;

  /** Arithmetic; MIN and MAX give the second operand where one is a NaN or both are zeros. */
  float(shape: FloatShape, operation: FloatOperation, a: V, b: V): V;
  /** Square roots. */
  floatSqrt(shape: FloatShape, a: V): V;
  /**
   * Compares: all ones or all zeros, as wide as the operands.
   *
   * @param predicate 0 equal, 1 less, 2 less or equal, 3 unordered; 4 to 7 their
   *   opposites. Of 1, 2, 5 and 6 quiet NaNs are invalid, too.
   */
  floatCompare(shape: FloatShape, predicate: number, a: V, b: V): V;
  /**
   * Compares as COMISS does: sets ZF, PF and CF (unordered all, less CF, equal
   * ZF) and clears OF, SF and AF.
   *
   * @param signals Whether quiet NaNs are invalid, too.
   */
  floatFlags(shape: "f32" | "f64", a: V, b: V, signals: boolean): void;
  /**
   * Rounds to whole numbers that stay floating-point numbers.
   *
   * @param tells Whether it raises the precision exception.
   */
  floatRound(shape: FloatShape, rounding: Rounding, a: V, tells: boolean): V;
  /** Reciprocals, of square roots or not, that are good for twelve bits and raise nothing. */
  floatEstimate(shape: "f32" | "f32x4", operation: "rcp" | "rsqrt", a: V): V;
  /**
   * Floating-point numbers of another size: f32 of f64 and back; of f32x4 the low
   * two become f64x2, and of f64x2 the low two of f32x4 before zeros.
   */
  floatResize(to: FloatShape, a: V): V;
  /**
   * Floating-point numbers of signed whole ones: f32 and f64 of 32 or 64 bits,
   * f32x4 of i32x4, f64x2 of the low two of i32x4.
   */
  floatFromInteger(to: FloatShape, a: V): V;
  /**
   * Signed whole numbers: 32 or 64 bits of f32 and f64; i32x4 of f32x4, and of
   * f64x2 before zeros. What does not fit is the least number, and invalid.
   */
  floatToInteger(from: FloatShape, a: V, width: 32 | 64, rounding: "zero" | "current"): V;

  /**
   * Compares strings as PCMPESTRI and its like do.
   *
   * @param control The instruction's immediate.
   * @param lengths Elements that count, of 32 bits, at most as many as fit; none
   *   given: up to the first zero.
   * @returns In 32 bits: bits 0 to 15 the result by elements (IntRes2), bit 16
   *   whether the second string is shorter than a register, bit 17 the first.
   */
  compareStrings(control: number, a: V, b: V, lengths?: readonly [V, V]): V;

  /** Sets an SSE register that the row does not name, all of it. */
  setXmm(number: number, value: V): void;
  /** MMX registers come into use: x87's TOP becomes 0 and no register is empty. To be said behind memory. */
  useMmx(): void;
  /** EMMS: all x87 registers become empty. */
  emptyMmx(): void;
}

/** Takes down what an instruction does. Values have widths; both operands of an operation the same. */
export interface Emitter<V> {
  /** The instruction. */
  readonly i: Instruction;
  /** Its row, taken apart. */
  readonly form: Form;
  /** Width of the code around it. */
  readonly mode: Mode;
  /** Vectors. */
  readonly vector: VectorEmitter<V>;

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

  /** One of the sixteen conditions, where it can be told without looking at flags one by one. */
  condition?(number: number): V | undefined;
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

  /** The time-stamp counter, of 64 bits; #GP where the system keeps it from programs. */
  timeStamp(): V;

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
