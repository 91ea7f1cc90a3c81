/**
 * A decoded instruction.
 *
 * @module
 */

/** Width of code, and of the default operand and address size. */
export type Mode = 16 | 32 | 64;

/** LOCK stood before it. */
export const PREFIX_LOCK = 1;
/** F3 stood before it and is not part of the opcode: REP or REPE. */
export const PREFIX_REP = 2;
/** F2 stood before it and is not part of the opcode: REPNE. */
export const PREFIX_REPNE = 4;
/** 66 stood before it. */
export const PREFIX_OPERAND = 8;
/** 67 stood before it. */
export const PREFIX_ADDRESS = 16;

/** Stands for "no register" in {@link Instruction.base} and {@link Instruction.index}. */
export const NO_REGISTER = -1;
/** Stands for the instruction pointer in {@link Instruction.base}. */
export const RIP = 16;

/**
 * What the decoder found. One record is made once and filled again and again;
 * all its members are whole numbers of at most 32 bits, signed.
 */
export class Instruction {
  /** Which form of the decoder's table: index in `Decoder.forms`; 0 is none. */
  form = 0;
  /** Length in bytes. */
  length = 0;
  /** Prefixes, as bits. */
  prefixes = 0;
  /** The REX prefix with its 0x40, or 0. */
  rex = 0;
  /** The opcode's last byte. */
  opcode = 0;
  /** Operand size in bits. */
  operandSize = 32;
  /** Address size in bits. */
  addressSize = 32;
  /** The segment of the memory operand that may be overridden: 0 ES to 5 GS. */
  segment = 3;
  /** Whether ModRM names memory; then base, index, shift and disp say where. */
  isMemory = false;
  /** ModRM's middle field with REX.R. */
  reg = 0;
  /** ModRM's low field, or that of the opcode, with REX.B. */
  rm = 0;
  /** Base register, {@link RIP} or {@link NO_REGISTER}. */
  base = NO_REGISTER;
  /** Index register or {@link NO_REGISTER}. */
  index = NO_REGISTER;
  /** How far the index is shifted left, 0 to 3. */
  shift = 0;
  /** Displacement, sign-extended. */
  disp = 0;
  /** Immediate, distance, offset of a far pointer or absolute address: low 32 bits. */
  immediate = 0;
  /** The same: high 32 bits, sign-extended where fewer than 64 were given. */
  immediateHigh = 0;
  /** Selector of a far pointer; second immediate of ENTER. */
  immediate2 = 0;
}
