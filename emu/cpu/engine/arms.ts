/**
 * Which shapes of instructions have an arm in the interpreter: those that make
 * up nearly all of what kernels and programs execute.
 *
 * @module
 */

import type { Decoder } from "../decode.ts";
import { Instruction, type Mode, PREFIX_REP } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";
import { semanticName } from "../semantics/mod.ts";
import { shapeKey } from "./microcode.ts";
import type { Shape } from "./machinery.ts";

/** Names of semantics that have arms, where flat segments make it easy. */
const common = new Set([
  ...["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "inc", "dec", "neg", "not", "test"],
  ...["mov", "lea", "movzx", "movsx", "movsxd", "push", "pop", "call", "ret", "jmp", "jcc"],
  ...["shl", "shr", "sar", "rol", "ror", "shld", "shrd", "imul", "mul_ax", "imul_ax", "div_ax"],
  ...["cmovcc", "setcc", "cbw", "cwd", "leave", "nop", "xchg", "bswap", "bt", "bts", "btr"],
  ...[
    "bsf",
    "bsr",
    "tzcnt",
    "popcnt",
    "cmpxchg",
    "xadd",
    "movs",
    "stos",
    "pause",
    "endbr64",
    "rdtsc",
  ],
]);

/** A shape, and its key. */
export interface Armed {
  /** See `shapeKey`. */
  readonly key: number;
  /** An instruction of this kind. */
  readonly shape: Shape;
}

/** One shape for each arm of the interpreter for code of some width. */
export function shapesOfArms(decoder: Decoder): Armed[] {
  return decoder.forms.flatMap((form, index) =>
    index > 0 && form.row.text !== "" && common.has(semanticName(form))
      ? shapesOf(decoder.mode, form, index)
      : []
  );
}

function shapesOf(mode: Mode, form: Form, index: number): Armed[] {
  const kinds = form.operands.map(({ kind }) => kind);
  const hasModrm = form.modrm && kinds.some((kind) => "EGM".includes(kind));
  const memory = !hasModrm
    ? [false]
    : form.mod === "memory"
    ? [true]
    : form.mod === "register"
    ? [false]
    : [false, true];
  const isSized =
    form.operands.some(({ size, memory: m }) => /^[vzyp]|bs$/.test(size) || /^[vz]/.test(m)) ||
    form.mnemonics[0] !== form.mnemonics[1] ||
    /^(push|pop|call|ret|jmp|j|leave)/.test(form.row.text);
  const wide = form.row.size === "f64" || form.row.size === "d64";
  const sizes = mode === 32
    ? isSized && !/^(call|ret|jmp|j|leave|push|pop)/.test(form.row.text) ? [32, 16] : [32]
    : wide
    ? [64]
    : isSized
    ? [32, 64, 16]
    : [32, 64];
  const repeats = kinds.some((kind) => kind === "X" || kind === "Y") ? [0, PREFIX_REP] : [0];
  const armed: Armed[] = [];
  for (const isMemory of memory) {
    for (const operandSize of sizes) {
      for (const prefixes of repeats) {
        const i = new Instruction();
        Object.assign(i, {
          form: index,
          opcode: form.opcode,
          operandSize,
          addressSize: mode,
          isMemory,
          prefixes,
          length: 1,
        });
        const shape: Shape = { i, form, mode, flat: true, stack: mode };
        armed.push({
          key: shapeKey(shape, index),
          shape,
        });
      }
    }
  }
  return armed;
}
