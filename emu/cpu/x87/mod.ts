/**
 * The x87 unit, and the saving of it and of the SSE registers.
 *
 * | file              | what it has |
 * | ----------------- | ----------- |
 * | extended.ts       | the 80-bit format, rounding, NaNs |
 * | arithmetic.ts     | the operations that are exact and rounded once |
 * | transcendental.ts | sines, logarithms and powers |
 * | convert.ts        | to and from the formats of memory; constants |
 * | registers.ts      | the stack, control and status, exceptions |
 * | instructions.ts   | what the instructions do |
 * | fast.ts           | arithmetic of normal numbers, without bigints |
 * | quick.ts          | the instructions that loops are made of, by way of it |
 * | state.ts          | control, and the environments of 16 and 32 bits |
 * | extended_state.ts | FXSAVE, XSAVE, MXCSR |
 *
 * @module
 */

import type { SystemSemantics } from "../processor.ts";
import { plainSemantics } from "./instructions.ts";
import { quickly, quickSemantics } from "./quick.ts";

export { powerUpExtendedState } from "./extended_state.ts";
export { stateSemantics } from "./state.ts";
export { initialize as initializeX87, x87Available, x87Present } from "./registers.ts";

/** Floating point instructions by semantic name; control and state are in state.ts. */
export const x87Semantics: Readonly<Record<string, SystemSemantics>> = {
  ...plainSemantics,
  ...Object.fromEntries(
    Object.entries(quickSemantics).map(([name, quick]) => {
      const plain = plainSemantics[name];
      if (plain === undefined) throw new TypeError(`${name} has no description`);
      return [name, quickly(quick, plain)];
    }),
  ),
};
