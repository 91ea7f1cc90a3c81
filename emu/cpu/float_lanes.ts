/**
 * SSE's arithmetic on all lanes of an operation at once, and what it does to
 * MXCSR.
 *
 * @module
 */

import {
  environmentOf,
  floatAdd,
  floatDiv,
  type FloatEnvironment,
  type FloatFormat,
  floatMax,
  floatMin,
  floatMul,
  type FloatOrder,
  floatOrder,
  floatSub,
} from "./softfloat.ts";
import type { FloatOperation } from "./semantics/emitter.ts";

/** MXCSR after reset, and as programs start: all masked, to the nearest. */
export const MXCSR_RESET = 0x1f80;

/** Flags that operands alone decide: invalid operation, denormal operand, division by zero. */
const early = 7;

/** What an operation came to. */
export interface LaneResults {
  /** The results; to be dropped if an exception is raised. */
  readonly lanes: readonly bigint[];
  /** MXCSR after it. */
  readonly mxcsr: number;
  /** Whether an exception that is not masked is raised: #XM. */
  readonly raises: boolean;
}

/**
 * Does something in every lane.
 *
 * Flags of all lanes are joined. Where one that operands decide is not masked,
 * nothing is computed, and flags of results are not set.
 */
export function inLanes(
  mxcsr: number,
  count: number,
  operation: (lane: number, env: FloatEnvironment) => bigint,
): LaneResults {
  const env = environmentOf(mxcsr);
  const lanes = Array.from({ length: count }, (_, lane) => operation(lane, env));
  const masked = mxcsr >> 7;
  const isEarly = (env.flags & early & ~masked) !== 0;
  const flags = isEarly ? env.flags & early : env.flags;
  return { lanes, mxcsr: mxcsr | flags, raises: (flags & ~masked) !== 0 };
}

/** Arithmetic of one lane; ADDSUB goes by its number. */
export function floatArithmetic(
  format: FloatFormat,
  operation: FloatOperation,
  lane: number,
  a: bigint,
  b: bigint,
  env: FloatEnvironment,
): bigint {
  switch (operation) {
    case "add":
      return floatAdd(format, a, b, env);
    case "sub":
      return floatSub(format, a, b, env);
    case "mul":
      return floatMul(format, a, b, env);
    case "div":
      return floatDiv(format, a, b, env);
    case "min":
      return floatMin(format, a, b, env);
    case "max":
      return floatMax(format, a, b, env);
    case "addsub":
      return lane % 2 === 0 ? floatSub(format, a, b, env) : floatAdd(format, a, b, env);
  }
}

/** Which orders each of the first four predicates of CMPPS is true of. */
const predicates: readonly (readonly FloatOrder[])[] = [
  ["equal"],
  ["less"],
  ["less", "equal"],
  ["unordered"],
];

/** Whether a predicate of CMPPS holds in one lane. */
export function floatHolds(
  format: FloatFormat,
  predicate: number,
  a: bigint,
  b: bigint,
  env: FloatEnvironment,
): boolean {
  const base = predicate & 3;
  const order = floatOrder(format, a, b, base === 1 || base === 2, env);
  return predicates[base]?.includes(order) !== (predicate >= 4);
}
