/**
 * How wide the operands of a decoded instruction are.
 *
 * @module
 */

import type { Instruction, Mode } from "./instruction.ts";
import type { SizeCode } from "./opcodes/form.ts";

/** Width in bits of what a size code stands for in an instruction; 0: it has none. */
export function widthOf(size: SizeCode, i: Instruction, mode: Mode): number {
  switch (size) {
    case "b":
    case "bs":
      return 8;
    case "w":
      return 16;
    case "d":
    case "ss":
      return 32;
    case "q":
    case "sd":
      return 64;
    case "dq":
    case "ps":
    case "pd":
      return 128;
    case "v":
      return i.operandSize;
    case "z":
      return Math.min(i.operandSize, 32);
    case "y":
      return Math.max(i.operandSize, 32);
    case "p":
      return i.operandSize + 16;
    case "a":
      return i.operandSize * 2;
    case "s":
      return mode === 64 ? 80 : 48;
    case "t":
      return 80;
    case "":
      return 0;
  }
}
