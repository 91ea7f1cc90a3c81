/**
 * Values of the evaluator: bits, and how many.
 *
 * @module
 */

import type { Fault, Width } from "./semantics/emitter.ts";

/** A value: its bits, unsigned, and how many. */
export interface Bits {
  /** How many. */
  readonly width: Width;
  /** The bits. */
  readonly bits: bigint;
}

/** Leaves a description in the midst; caught by the evaluator, never seen outside. */
export class Raised {
  /**
   * An exception.
   *
   * @param address The linear address that faulted.
   */
  constructor(readonly fault: Fault | "#PF", readonly address?: bigint) {}
}

/** A value of the low bits of a number. */
export const bitsOf = (width: Width, bits: bigint): Bits => ({
  width,
  bits: BigInt.asUintN(width, bits),
});

/** A truth value. */
export const truth = (value: boolean): Bits => ({ width: 1, bits: value ? 1n : 0n });

/** A value as a signed number. */
export const signed = ({ width, bits }: Bits): bigint => BigInt.asIntN(width, bits);
