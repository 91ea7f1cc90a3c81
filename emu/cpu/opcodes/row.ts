/**
 * A row of the opcode map: an instruction as the processor manual lists it.
 *
 * ## Opcode
 *
 * Bytes in hexadecimal, as the manual's "Opcode" column has them:
 *
 * | written        | means |
 * | -------------- | ----- |
 * | `0f b6 /r`     | a ModRM byte follows; both its operands are in the text |
 * | `0f 01 /2`     | a ModRM byte follows, whose middle field is part of the opcode |
 * | `0f ae /5 11b` | the same, for the register form only |
 * | `0f 01 f8`     | a third byte is the whole ModRM byte; so with `d9 e0` |
 * | `d8 c0+i`      | register form; the low three bits choose an x87 register |
 * | `50+r`         | the low three bits of the opcode choose a register |
 * | `np`           | none of 66, f2 and f3 stands before it |
 * | `nfx`          | neither f2 nor f3 stands before it; 66 is the operand size |
 * | `66`, `f2`, `f3` | this prefix is part of the opcode |
 * | `rex.w`        | REX.W is part of the opcode |
 * | `ib iw iz iv`  | an immediate of 8 or 16 bits, operand size but at most 32, operand size |
 * | `cb cz cp`     | the same as distance of a jump, or a far pointer |
 *
 * Where no prefix is named, prefixes do not choose the instruction. Of two rows
 * that fit, the one that says more is meant.
 *
 * ## Text
 *
 * The mnemonic, or three of them for operand sizes (`jcxz` and its like: address
 * sizes) of 16, 32 and 64 bits, then operands in the notation of the manual's
 * opcode map (SDM vol. 2D, A.2): a letter for where, further letters for how wide.
 *
 * | where | means |
 * | ----- | ----- |
 * | `E` `G` | ModRM r/m (register or memory), ModRM reg: general registers |
 * | `M` `R` | ModRM r/m: memory only, general register only |
 * | `Z`   | general register chosen by the opcode's low bits |
 * | `S` `C` `D` | ModRM reg: segment, control, debug register |
 * | `V` `W` `U` | SSE register: ModRM reg, r/m, r/m as register only |
 * | `P` `Q` `N` | MMX register likewise |
 * | `I` `J` `A` | immediate, jump distance, far pointer |
 * | `O`   | memory at an address that stands in the instruction |
 * | `X` `Y` | memory at DS:rSI (may be overridden), at ES:rDI |
 * | `BBb` | the byte at DS:rBX + AL |
 * | `eAX` `rAX` | the accumulator, of size `z`, of size `v` |
 *
 * | how wide | means |
 * | -------- | ----- |
 * | `b w d q dq` | 8, 16, 32, 64, 128 bits |
 * | `bs`     | 8 bits, sign-extended to the operand size |
 * | `v`      | the operand size |
 * | `z`      | the operand size, but at most 32 bits |
 * | `y`      | the operand size, but at least 32 bits |
 * | `p`      | far pointer: operand size and 16 bits for the selector |
 * | `a`      | two bounds of the operand size |
 * | `s`      | descriptor table: limit of 16 bits and base |
 * | `ss sd ps pd` | single, double; vectors of them |
 * | `t`      | 80 bits |
 * | none     | memory of which only the address matters, or whose layout is its own |
 *
 * @module
 */

/** What a row says beyond opcode and text. */
export interface RowOptions {
  /** `i64`: not in 64-bit mode; `o64`: only there. */
  readonly only?: "i64" | "o64";
  /**
   * In 64-bit mode, `d64`: the operand size is 64 bits, or 16 with prefix 66;
   * `f64`: it is 64 bits whatever the prefixes say.
   */
  readonly size?: "d64" | "f64";
  /** May have a LOCK prefix when its first operand is memory. */
  readonly lock?: boolean;
  /** The least privileged level that may use it, where that is not 3. */
  readonly ring?: 0;
  /** Undefined in real and virtual-8086 mode. */
  readonly protected?: boolean;
  /** Ends a block: execution goes on elsewhere, or in another state of the processor. */
  readonly ends?: boolean;
  /** The feature that a processor must have, as /proc/cpuinfo names it. */
  readonly needs?: string;
  /** Name of its semantics, where the mnemonic would not do. */
  readonly as?: string;
  /** With REX.B it is the instruction of this opcode instead. */
  readonly rexB?: string;
}

/** An instruction as the manual lists it. */
export interface Row extends RowOptions {
  /** Opcode, with prefixes that are part of it and what follows it. */
  readonly opcode: string;
  /** Mnemonic and operands. */
  readonly text: string;
}

/** Writes a row. */
export function row(opcode: string, text: string, options: RowOptions = {}): Row {
  return { opcode, text, ...options };
}

/** Two hexadecimal digits, for rows that are counted through. */
export function hex2(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** The sixteen conditions, in the order of their numbers. */
export const conditions = [
  ...["o", "no", "b", "ae", "e", "ne", "be", "a"],
  ...["s", "ns", "p", "np", "l", "ge", "le", "g"],
] as const;
