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
 * | state.ts          | control, and the environments of 16 and 32 bits |
 * | extended_state.ts | FXSAVE, XSAVE, MXCSR |
 *
 * @module
 */

export { x87Semantics } from "./instructions.ts";
export { stateSemantics } from "./state.ts";
export { initialize as initializeX87, x87Available, x87Present } from "./registers.ts";
