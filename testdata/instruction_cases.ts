/**
 * Instructions made from the opcode map: for every row the operand forms, sizes
 * and prefixes that it can have.
 *
 * Decoder and disassembler are held against other disassemblers on them, the
 * semantics against a processor.
 *
 * @module
 */

import { DECODED, Decoder } from "../emu/cpu/decode.ts";
import { Instruction, type Mode } from "../emu/cpu/instruction.ts";
import type { Form } from "../emu/cpu/opcodes/form.ts";

/** How a form is to be encoded. */
export interface Encoding {
  /** Width of the code. */
  readonly mode: Mode;
  /** Prefixes beyond those of the row, in order; not REX. */
  readonly prefixes?: readonly number[];
  /** The REX prefix with its 0x40; default none, or what the row wants. */
  readonly rex?: number;
  /** The low three bits of an opcode that chooses a register. */
  readonly register?: number;
  /** The ModRM byte; fields that the row sets are set. */
  readonly modrm?: number;
  /** The SIB byte, where there is one. */
  readonly sib?: number;
  /** Displacement, where there is one. */
  readonly disp?: number;
  /** Immediate or distance; of a far pointer the offset. */
  readonly immediate?: bigint;
}

/** An instruction, and the row it was made from. */
export interface InstructionCase {
  /** Index in {@link Decoder.forms}. */
  readonly form: number;
  /** The instruction. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Encodes a form. */
export function encode(form: Form, encoding: Encoding): Uint8Array<ArrayBuffer> {
  const { mode, prefixes = [], register = 0, sib = 0x24, disp = 0, immediate = 0n } = encoding;
  const { row, map, plusR, prefix, rexW, digit, rm, mod } = form;
  const rex = encoding.rex ?? (rexW ? 0x48 : 0);
  const has66 = prefixes.includes(0x66);
  const out: number[] = [...prefixes];
  if (prefix === "66" || prefix === "f2" || prefix === "f3") out.push(parseInt(prefix, 16));
  if (mode === 64 && rex !== 0) out.push(rexW ? rex | 8 : rex);
  if (map > 0) out.push(0x0f);
  if (map > 1) out.push(map === 2 ? 0x38 : 0x3a);
  out.push(form.opcode + (plusR ? register : 0));

  const addressSize = prefixes.includes(0x67) ? mode === 32 ? 16 : 32 : mode;
  const little = (value: bigint, bytes: number) => {
    for (let n = 0; n < bytes; n++) out.push(Number(value >> BigInt(8 * n) & 0xffn));
  };
  if (form.modrm) {
    let modrm = encoding.modrm ?? (mod === "memory" ? 0x03 : 0xc3);
    if (digit !== undefined) modrm = modrm & 0xc7 | digit << 3;
    if (rm !== undefined) modrm = modrm & 0xf8 | rm;
    if (mod === "register") modrm |= 0xc0;
    out.push(modrm);
    const [way, low] = [modrm >> 6, modrm & 7];
    if (way !== 3 && !form.registersOnly) {
      let width = [0, 1, addressSize === 16 ? 2 : 4][way] ?? 0;
      if (addressSize === 16) {
        if (way === 0 && low === 6) width = 2;
      } else {
        if (low === 4) out.push(sib);
        if (way === 0 && (low === 5 || low === 4 && (sib & 7) === 5)) width = 4;
      }
      little(BigInt(disp), width);
    }
  }
  const wide = (rex & 8) !== 0 || row.size === "f64" && mode === 64;
  const operandSize = wide ? 64 : (mode === 16) === has66 ? 32 : mode === 16 || has66 ? 16 : 32;
  for (const code of form.immediates) {
    switch (code) {
      case "ib":
      case "cb":
        little(immediate, 1);
        break;
      case "iw":
        little(immediate, 2);
        break;
      case "iz":
      case "cz":
        little(immediate, operandSize === 16 ? 2 : 4);
        break;
      case "iv":
        little(immediate, operandSize / 8);
        break;
      case "cp":
        little(immediate, operandSize === 16 ? 2 : 4);
        little(0x18n, 2);
    }
  }
  if (form.operands.some(({ kind }) => kind === "O")) little(immediate, addressSize / 8);
  return Uint8Array.from(out);
}

/** ModRM bytes for a few: registers, every kind of address. */
const fewModrm = [0xc1, 0xd8, 0xe7, 0x00, 0x0d, 0x4e, 0x97, 0x54, 0x04, 0xac, 0x2e];
const fewer = [0xe7, 0x0d, 0x54, 0xac];
const fewSibs = [0x25, 0x8d];
const sibs = [0x24, 0x25, 0x58, 0x8d, 0xd1, 0xe6, 0xff, 0x60];

/**
 * Every case of one form in one mode, such as the decoder takes for this form.
 *
 * @param much All ModRM bytes, or a few.
 */
export function* casesOf(
  decoder: Decoder,
  index: number,
  much: boolean,
): Generator<InstructionCase> {
  const { mode } = decoder;
  const form = decoder.forms[index];
  if (form === undefined) return;
  const { row, prefix, plusR, modrm } = form;
  const found = new Instruction();
  const seen = new Set<string>();
  const immediates = form.operands.some(({ kind }) => "IJAO".includes(kind))
    ? [0x12345678_9abcde7fn, 0x80n, 0xffffffff_fffffff0n]
    : [0n];

  const sets: (readonly number[])[] = [[]];
  const takes66 = prefix === "any" || prefix === "nfx" || prefix === "f2" || prefix === "f3";
  const hasMemory = modrm && form.mod !== "register" ||
    form.operands.some(({ kind }) => "OXY".includes(kind) || kind === "BBb");
  if (takes66) sets.push([0x66]);
  if (hasMemory || row.as === "jcxz" || row.text.startsWith("loop")) {
    sets.push([0x67], [0x64], [0x65], [0x2e]);
    if (takes66) sets.push([0x67, 0x66]);
  }
  if (row.lock === true) sets.push([0xf0]);
  if (form.operands.some(({ kind }) => kind === "X" || kind === "Y")) sets.push([0xf3], [0xf2]);
  const hasSib = (way: number) => modrm && mode !== 16 && (way & 7) === 4 && way < 0xc0;
  const rexes = mode === 64 ? [0, 0x40, 0x41, 0x44, 0x42, 0x48, 0x4f] : [0];

  for (const prefixes of sets) {
    for (const rex of rexes) {
      if (form.rexW && (rex & 8) === 0) continue;
      if (prefixes.length > 0 && rex !== 0 && rex !== 0x4f) continue;
      const plain = prefixes.length === 0 && rex === 0;
      const whole = plain && much;
      const ways = !modrm
        ? [0]
        : whole
        ? Array.from({ length: 256 }, (_, n) => n)
        : plain
        ? fewModrm
        : fewer;
      for (const way of ways) {
        for (const register of plusR ? [0, 1, 4, 7] : [0]) {
          for (const sib of hasSib(way) ? plain ? sibs : fewSibs : [0x24]) {
            for (const [n, immediate] of immediates.entries()) {
              if (n > 0 && !plain && modrm) break;
              const disp = [0x12, -0x12345, 0x70][n] ?? 0;
              const bytes = encode(form, {
                ...{ mode, prefixes, register, modrm: way, sib, disp, immediate },
                ...(rex === 0 ? {} : { rex }),
              });
              const key = bytes.join(" ");
              if (seen.has(key) || bytes.length > 15) continue;
              seen.add(key);
              const status = decoder.decode(bytes, 0, bytes.length, found);
              if (status === DECODED && found.form === index) yield { form: index, bytes };
            }
          }
        }
      }
    }
  }
}

/** Every case of all forms in one mode. */
export function* allCases(mode: Mode, much: boolean): Generator<InstructionCase> {
  const decoder = new Decoder(mode);
  for (let index = 1; index < decoder.forms.length; index++) {
    yield* casesOf(decoder, index, much);
  }
}
