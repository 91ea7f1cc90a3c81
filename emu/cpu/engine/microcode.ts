/**
 * Micro-operations: what the interpreter executes. One instruction is one, 32
 * bytes in the arena; a block is a head and the micro-operations behind it.
 *
 * The numbers of an instruction lie in its micro-operation, so that all
 * instructions of one shape share a handler.
 *
 * @module
 */

import type { Decoder } from "../decode.ts";
import {
  type Instruction,
  type Mode,
  NO_REGISTER,
  PREFIX_REP,
  PREFIX_REPNE,
  RIP,
} from "../instruction.ts";
import { SLOT_CODE, SLOT_ZERO } from "../layout.ts";
import type { Form } from "../opcodes/form.ts";
import { widthOf } from "../operand.ts";
import type { Shape } from "./machinery.ts";

/** Bytes of a micro-operation, and of a block's head. */
export const OP_SIZE = 32;

/** Where the fields of a micro-operation are, in bytes. */
export const op = {
  /** u16: which arm of the interpreter. */
  handler: 0,
  /** u8: the instruction's length. */
  length: 2,
  /** u8: instructions from this one to the end of the block, with it. */
  remaining: 3,
  /** u8: byte offset of the register that ModRM's low field names. */
  rm: 4,
  /** u8: of that which its middle field names. */
  reg: 5,
  /** u8: of the base. */
  base: 6,
  /** u8: of the index. */
  index: 7,
  /** i32. */
  disp: 8,
  /** i64: immediate or distance. */
  immediate: 12,
  /** i32: the second immediate, where the first has 32 bits at most. */
  immediate2: 16,
  /** u16: offset of the instruction in its page. */
  offset: 20,
  /** u8: how far the index is shifted. */
  shift: 22,
  /** i32: the block that a jump leads to; 0 not known yet, 1 never to be kept. */
  link: 24,
  /** i32: the same for where it does not jump; of others, which function or instruction. */
  other: 28,
} as const;

/** Where the fields of a block's head are, in bytes. */
export const head = {
  /** i32: how many instructions; {@link STALE} once the code has changed. */
  count: 0,
  /** u16: offset in its page. */
  offset: 4,
  /** i32: physical address. */
  physical: 8,
  /** i32: the mode word it was decoded for. */
  key: 12,
  /** i32: how often it was entered, for what compiles hot code. */
  entered: 16,
  /** i32: bytes of code. */
  length: 20,
  /** i32: one more than the function that the block was compiled to; 0 for none. */
  region: 24,
} as const;

/** Count of a block that may not be entered any more. */
export const STALE = 0x7fff_ffff;

/** The arms that are no shape of an instruction. */
export const arms = {
  /** Carried out in TypeScript. */
  system: 0,
  /** A handler in a function of its own. */
  outlined: 1,
  /** Goes on with the next block. */
  follow: 2,
  /** Leaves, with RIP on it. */
  leave: 3,
  /** CLI: clears IF where IOPL lets it; else as `system`. */
  disable: 4,
} as const;

/** How many arms are no shape. */
export const ARMS = 5;

/** Names of semantics whose handlers look at an immediate. */
const looksAtImmediate = new Set(["enter"]);

/** What distinguishes handlers, as a number. */
export function shapeKey(
  { i, form, mode, flat, stack }: Shape,
  index: number,
): number {
  const sizes = (i.operandSize >> 5) * 4 + (i.addressSize >> 5);
  const width = mode >> 5;
  // What goes through CS may be a store, which faults outside 64-bit code.
  const plain = i.segment < 4 && (mode === 64 || flat && i.segment !== 1);
  let key = index;
  key = key * 16 + sizes;
  key = key * 4 + width;
  key = key * 2 + (i.isMemory ? 1 : 0);
  key = key * 2 + (flat ? 1 : 0);
  key = key * 2 + (stack === 16 ? 1 : 0);
  key = key * 8 + (plain ? 0 : i.segment + 1);
  key = key * 4 + ((i.prefixes & PREFIX_REP) !== 0 ? 1 : (i.prefixes & PREFIX_REPNE) !== 0 ? 2 : 0);
  key = key * 2 + (form.row.text.startsWith("pop") && i.base === 4 ? 1 : 0);
  const by = looksAtImmediate.has(form.mnemonics[0])
    ? i.immediate2 & 31
    : form.immediates.length > 0 && form.operands.some(({ kind }) => "VWUPQN".includes(kind))
    ? i.immediate & 255
    : 0;
  return key * 256 + by;
}

/** Writes a micro-operation's fields, but for handler, remaining, link and other. */
export function writeOperation(
  view: DataView,
  at: number,
  i: Instruction,
  form: Form,
  mode: Mode,
  offset: number,
): void {
  view.setUint8(at + op.length, i.length);
  let rm = i.rm * 8;
  let reg = i.reg * 8;
  // AH to BH are the second bytes of AX to BX.
  const byte = (number: number) => i.rex === 0 && number >= 4 ? number * 8 - 31 : number * 8;
  for (const { kind, size } of form.operands) {
    const bits = widthOf(size, i, mode);
    if (bits !== 8) continue;
    if (kind === "G") reg = byte(i.reg);
    else if (kind === "Z" || (kind === "E" || kind === "R") && !i.isMemory) rm = byte(i.rm);
  }
  view.setUint8(at + op.rm, rm);
  view.setUint8(at + op.reg, reg);
  const isRelative = i.base === RIP;
  view.setUint8(
    at + op.base,
    8 * (isRelative ? SLOT_CODE : i.base === NO_REGISTER ? SLOT_ZERO : i.base),
  );
  view.setUint8(at + op.index, 8 * (i.index === NO_REGISTER ? SLOT_ZERO : i.index));
  view.setInt32(at + op.disp, isRelative ? i.disp + offset + i.length : i.disp, true);
  view.setInt32(at + op.immediate, i.immediate, true);
  view.setInt32(at + op.immediate + 4, i.immediateHigh, true);
  if (form.immediates.length > 1 || form.operands.some(({ kind }) => kind === "A")) {
    view.setInt32(at + op.immediate2, i.immediate2, true);
  }
  view.setUint16(at + op.offset, offset, true);
  view.setUint8(at + op.shift, i.shift);
}

/** The decoders of the three widths. */
export type Decoders = Readonly<Record<Mode, Decoder>>;
