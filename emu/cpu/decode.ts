/**
 * The decoder: from bytes to instructions, in 16-, 32- and 64-bit code.
 *
 * It is driven by the opcode map alone. The map is compiled, when a decoder is
 * first asked for, into one array: an opcode leads to a row at once, or by way
 * of its prefixes, of its ModRM byte or of both. Interpreter, compiler,
 * disassembler and tests all decode here.
 *
 * @module
 */

import {
  type DecoderTable,
  decoderTable,
  IMMEDIATE_FAR,
  IMMEDIATE_OFFSET,
  IMMEDIATE_SIGNED,
  IMMEDIATE_V,
  IMMEDIATE_W,
  IMMEDIATE_Z,
  immediateWidths,
  TRAIT_66,
  TRAIT_D64,
  TRAIT_F2F3,
  TRAIT_F64,
  TRAIT_IMMEDIATE,
  TRAIT_LOCK,
  TRAIT_REX_B,
  TRAIT_SIZE,
} from "./decoder_table.ts";
import {
  type Instruction,
  type Mode,
  NO_REGISTER,
  PREFIX_ADDRESS,
  PREFIX_LOCK,
  PREFIX_OPERAND,
  PREFIX_REP,
  PREFIX_REPNE,
  RIP,
} from "./instruction.ts";
import type { Form } from "./opcodes/form.ts";

/** An instruction was decoded. */
export const DECODED = 0;
/** No such instruction, or one that may not have the LOCK it has: #UD. */
export const UNDEFINED = 1;
/** Longer than 15 bytes: #GP. */
export const TOO_LONG = 2;
/** The bytes end before the instruction does: more are needed to tell. */
export const TRUNCATED = 3;

/** What {@link Decoder.decode} says. */
export type DecodeStatus = 0 | 1 | 2 | 3;

/** Longest instruction in bytes. */
export const longestInstruction = 15;

// Base and index of 16-bit addresses by ModRM's low field: BX, BP, SI, DI.
const base16 = [3, 3, 5, 5, 6, 7, 5, 3];
const index16 = [6, 7, 6, 7, -1, -1, -1, -1];

/** Decodes code of one width, for processors with certain features. */
export class Decoder {
  /** Width of the code. */
  readonly mode: Mode;
  /** The forms that {@link Instruction.form} counts; the first stands for none. */
  readonly forms: readonly Form[];
  readonly #table: DecoderTable;

  /**
   * A decoder; all of one width and one processor share their tables.
   *
   * @param mode Width of the code.
   * @param has Whether the processor has a feature; instructions of those that
   *   it has not are undefined, or whatever they were before.
   */
  constructor(mode: Mode, has: (feature: string) => boolean = () => true) {
    this.mode = mode;
    this.#table = decoderTable(mode, has);
    this.forms = this.#table.forms;
  }

  /**
   * Decodes one instruction.
   *
   * @param bytes Where code is; the instruction starts at `at`, and none of it
   *   is read at `end` or behind.
   * @param into Filled in. Where the result is not {@link DECODED}, only
   *   `length` means anything: how many bytes were looked at.
   */
  decode(bytes: Uint8Array, at: number, end: number, into: Instruction): DecodeStatus {
    const { prefixKind, entries, leaves, traits } = this.#table;
    const { mode } = this;
    const limit = Math.min(end, at + longestInstruction);
    let p = at;
    let prefixes = 0;
    let rex = 0;
    let segment = -1;
    let byte = 0;

    for (;;) {
      if (p >= limit) return this.#ended(at, p, into);
      byte = bytes[p++] as number;
      const kind = prefixKind[byte] as number;
      if (kind === 0) break;
      if (kind >= 0x40) {
        rex = byte;
        continue;
      }
      // REX counts only directly before the opcode.
      rex = 0;
      if (kind >= 8) segment = kind - 8;
      else if (kind === 1) prefixes |= PREFIX_LOCK;
      else if (kind === 2) prefixes = prefixes & ~PREFIX_REPNE | PREFIX_REP;
      else if (kind === 3) prefixes = prefixes & ~PREFIX_REP | PREFIX_REPNE;
      else if (kind === 4) prefixes |= PREFIX_OPERAND;
      else if (kind === 5) prefixes |= PREFIX_ADDRESS;
    }

    let map = 0;
    if (byte === 0x0f) {
      if (p >= limit) return this.#ended(at, p, into);
      byte = bytes[p++] as number;
      map = 256;
      if (byte === 0x38 || byte === 0x3a) {
        map = byte === 0x38 ? 512 : 768;
        if (p >= limit) return this.#ended(at, p, into);
        byte = bytes[p++] as number;
      }
    }

    // An entry: bit 0 a ModRM byte follows, bit 1 it only names registers, bit 2
    // prefixes choose, bit 3 the ModRM byte chooses; above, a form or a place in leaves.
    const entry = entries[map + byte] as number;
    let choice = entry >> 4;
    if ((entry & 4) !== 0) {
      const plane = (prefixes & PREFIX_REP) !== 0
        ? 2
        : (prefixes & PREFIX_REPNE) !== 0
        ? 3
        : (prefixes & PREFIX_OPERAND) !== 0
        ? 1
        : 0;
      choice += (plane + (rex >> 1 & 4)) * ((entry & 8) !== 0 ? 72 : 1);
    }
    let modrm = 0;
    if ((entry & 1) !== 0) {
      if (p >= limit) return this.#ended(at, p, into);
      modrm = bytes[p++] as number;
      if ((entry & 8) !== 0) choice += modrm >= 0xc0 ? modrm - 0xb8 : modrm >> 3 & 7;
    }
    let form = (entry & 12) !== 0 ? leaves[choice] as number : choice;
    let trait = traits[form] as number;
    if ((trait & TRAIT_REX_B) !== 0 && (rex & 1) !== 0) {
      form = trait >> 16;
      trait = traits[form] as number;
    }
    if (form === 0) {
      into.length = p - at;
      return UNDEFINED;
    }

    const { addressSizes } = this.#table;
    const addressSize = addressSizes[(prefixes & PREFIX_ADDRESS) !== 0 ? 1 : 0] as number;
    let operandSize: number;
    if (mode === 64) {
      const size = trait & TRAIT_SIZE;
      if (size === TRAIT_F64 || (rex & 8) !== 0) operandSize = 64;
      else if ((prefixes & PREFIX_OPERAND) === 0 || (trait & TRAIT_66) !== 0) {
        operandSize = size === TRAIT_D64 ? 64 : 32;
      } else operandSize = 16;
    } else {
      const flip = (prefixes & PREFIX_OPERAND) !== 0 && (trait & TRAIT_66) === 0;
      operandSize = (mode === 32) === flip ? 16 : 32;
    }

    let isMemory = false;
    let base = NO_REGISTER;
    let index = NO_REGISTER;
    let shift = 0;
    let disp = 0;
    let stack = false;
    const low = (entry & 1) !== 0 ? modrm & 7 : byte & 7;
    if ((entry & 3) === 1 && modrm < 0xc0) {
      isMemory = true;
      const mod = modrm >> 6;
      let width = mod === 0 ? 0 : mod === 1 ? 1 : 4;
      if (addressSize === 16) {
        if (mod === 2) width = 2;
        if (mod === 0 && low === 6) width = 2;
        else {
          base = base16[low] as number;
          index = index16[low] as number;
          stack = base === 5;
        }
      } else if (low === 4) {
        if (p >= limit) return this.#ended(at, p, into);
        const sib = bytes[p++] as number;
        index = sib >> 3 & 7 | rex << 2 & 8;
        if (index === 4) index = NO_REGISTER;
        shift = sib >> 6;
        if ((sib & 7) === 5 && mod === 0) width = 4;
        else {
          base = sib & 7 | rex << 3 & 8;
          stack = base === 4 || base === 5;
        }
      } else if (low === 5 && mod === 0) {
        width = 4;
        if (mode === 64) base = RIP;
      } else {
        base = low | rex << 3 & 8;
        stack = base === 5;
      }
      if (width !== 0) {
        if (p + width > limit) return this.#ended(at, limit, into);
        if (width === 1) disp = (bytes[p] as number) << 24 >> 24;
        else if (width === 4) disp = word32(bytes, p);
        else disp = ((bytes[p] as number) | (bytes[p + 1] as number) << 8) << 16 >> 16;
        p += width;
      }
    }

    let immediate = 0;
    let immediateHigh = 0;
    let immediate2 = 0;
    const follows = trait & TRAIT_IMMEDIATE;
    if (follows !== 0) {
      let width = immediateWidths[follows] as number;
      if (follows === IMMEDIATE_Z) width = operandSize === 16 ? 2 : 4;
      else if (follows === IMMEDIATE_V) width = operandSize >> 3;
      else if (follows === IMMEDIATE_OFFSET) width = addressSize >> 3;
      else if (follows === IMMEDIATE_FAR) width = operandSize === 16 ? 4 : 6;
      if (p + width > limit) return this.#ended(at, limit, into);
      switch (width) {
        case 1:
          immediate = bytes[p] as number;
          if (follows === IMMEDIATE_SIGNED) immediate = immediate << 24 >> 24;
          break;
        case 2:
          immediate = (bytes[p] as number) | (bytes[p + 1] as number) << 8;
          if (follows !== IMMEDIATE_W && follows !== IMMEDIATE_OFFSET) {
            immediate = immediate << 16 >> 16;
          }
          break;
        case 3:
          immediate = (bytes[p] as number) | (bytes[p + 1] as number) << 8;
          immediate2 = bytes[p + 2] as number;
          break;
        default:
          immediate = word32(bytes, p);
      }
      if (width === 8) immediateHigh = word32(bytes, p + 4);
      else if (follows !== IMMEDIATE_OFFSET) immediateHigh = immediate >> 31;
      if (follows === IMMEDIATE_FAR) {
        if (width === 4) immediate &= 0xffff;
        immediateHigh = 0;
        immediate2 = (bytes[p + width - 2] as number) | (bytes[p + width - 1] as number) << 8;
      }
      p += width;
    }

    into.length = p - at;
    if ((prefixes & PREFIX_LOCK) !== 0 && ((trait & TRAIT_LOCK) === 0 || !isMemory)) {
      return UNDEFINED;
    }
    into.form = form;
    into.prefixes = (trait & TRAIT_F2F3) !== 0 ? prefixes & ~(PREFIX_REP | PREFIX_REPNE) : prefixes;
    into.rex = rex;
    into.opcode = byte;
    into.operandSize = operandSize;
    into.addressSize = addressSize;
    into.segment = segment >= 0 ? segment : stack ? 2 : 3;
    into.isMemory = isMemory;
    into.reg = modrm >> 3 & 7 | rex << 1 & 8;
    into.rm = low | rex << 3 & 8;
    into.base = base;
    into.index = index;
    into.shift = shift;
    into.disp = disp;
    into.immediate = immediate;
    into.immediateHigh = immediateHigh;
    into.immediate2 = immediate2;
    return DECODED;
  }

  #ended(at: number, p: number, into: Instruction): DecodeStatus {
    into.length = p - at;
    return p - at >= longestInstruction ? TOO_LONG : TRUNCATED;
  }
}

function word32(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | (bytes[at + 1] as number) << 8 |
    (bytes[at + 2] as number) << 16 | (bytes[at + 3] as number) << 24;
}
