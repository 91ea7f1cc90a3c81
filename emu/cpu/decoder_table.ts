/**
 * The opcode map, compiled for the decoder.
 *
 * @module
 */

import type { Mode } from "./instruction.ts";
import { type Form, parseRows } from "./opcodes/form.ts";
import { opcodeMap, type Row } from "./opcodes/mod.ts";

/** Which immediate follows. */
export const TRAIT_IMMEDIATE = 15;
/** May have a LOCK prefix. */
export const TRAIT_LOCK = 16;
/** Rule of the operand size in 64-bit mode. */
export const TRAIT_SIZE = 0x60;
/** The operand size is 64 bits unless 66 says 16. */
export const TRAIT_D64 = 0x20;
/** The operand size is 64 bits. */
export const TRAIT_F64 = 0x40;
/** 66 is part of the opcode and does not set the operand size. */
export const TRAIT_66 = 0x80;
/** F2 or F3 is part of the opcode and does not repeat. */
export const TRAIT_F2F3 = 0x100;
/** With REX.B it is another form, whose index stands above bit 16. */
export const TRAIT_REX_B = 0x200;

/** One byte, zero-extended. */
export const IMMEDIATE_B = 1;
/** One byte, sign-extended. */
export const IMMEDIATE_SIGNED = 2;
/** Two bytes, zero-extended. */
export const IMMEDIATE_W = 3;
/** Two or four bytes, by the operand size. */
export const IMMEDIATE_Z = 4;
/** Two, four or eight bytes, by the operand size. */
export const IMMEDIATE_V = 5;
/** An absolute address of the address size. */
export const IMMEDIATE_OFFSET = 6;
/** A far pointer. */
export const IMMEDIATE_FAR = 7;
/** Two bytes, and one more. */
export const IMMEDIATE_W_B = 8;

/** Bytes of each of these; 0 where it depends. */
export const immediateWidths: readonly number[] = [0, 1, 1, 2, 0, 0, 0, 0, 3];

/** The compiled map. */
export interface DecoderTable {
  /** What a byte is before an opcode: 0 none, 1 LOCK, 2 F3, 3 F2, 4 66, 5 67, 6 an ignored
   * segment, 8 and more a segment, 0x40 REX. */
  readonly prefixKind: Uint8Array;
  /** An entry for each opcode of the four maps; see {@link Decoder.decode}. */
  readonly entries: Int32Array;
  /** Forms by prefix and ModRM byte, where an entry leads here. */
  readonly leaves: Uint16Array;
  /** What the decoder has to know of each form, as bits. */
  readonly traits: Int32Array;
  /** The forms; the first stands for none. */
  readonly forms: readonly Form[];
  /** Address size without and with prefix 67. */
  readonly addressSizes: readonly [number, number];
}

let parsed: readonly Form[] | undefined;

/** All rows of the map, taken apart; that of index 0 stands for none. */
export function allForms(): readonly Form[] {
  return parsed ??= parseRows([noRow, ...opcodeMap()]);
}

const noRow: Row = { opcode: "00", text: "(bad)" };
const tables = new Map<string, DecoderTable>();

/** The map for code of a width and a processor with certain features. */
export function decoderTable(mode: Mode, has: (feature: string) => boolean): DecoderTable {
  const forms = allForms();
  const isPresent = forms.map(({ row }, n) =>
    n > 0 && row.only !== (mode === 64 ? "i64" : "o64") &&
    (row.needs === undefined || has(row.needs))
  );
  const present = forms.filter((_, n) => isPresent[n]);
  const key = `${mode} ${isPresent.map(Number).join("")}`;
  let table = tables.get(key);
  if (table === undefined) tables.set(key, table = compile(mode, forms, present));
  return table;
}

function compile(mode: Mode, forms: readonly Form[], present: readonly Form[]): DecoderTable {
  const number = new Map(forms.map((form, n) => [form, n]));
  const opcodes = new Map<number, Form[]>();
  for (const form of present) {
    for (let n = 0; n < (form.plusR ? 8 : 1); n++) {
      const key = form.map << 8 | form.opcode + n;
      const rivals = opcodes.get(key);
      if (rivals === undefined) opcodes.set(key, [form]);
      else rivals.push(form);
    }
  }
  const entries = new Int32Array(1024);
  const allSlots = Array.from({ length: 72 }, (_, n) => n);
  const leafParts: Uint16Array[] = [];
  let leafCount = 0;
  for (const [key, rivals] of opcodes) {
    rivals.sort((a, b) => precision(a) - precision(b));
    const modrm = rivals.some((form) => form.modrm);
    if (modrm !== rivals.every((form) => form.modrm)) {
      throw new TypeError(`rows of opcode ${key.toString(16)} disagree about a ModRM byte`);
    }
    const byPrefix = rivals.some(({ prefix, rexW }) => prefix !== "any" || rexW);
    const byModrm = rivals.some(({ mod, digit }) => mod !== "any" || digit !== undefined);
    const registersOnly = rivals.every((form) => form.registersOnly);
    const flags = (modrm ? 1 : 0) | (registersOnly ? 2 : 0) | (byPrefix ? 4 : 0) |
      (byModrm && !registersOnly ? 8 : 0);
    if ((flags & 12) === 0) {
      const last = rivals.at(-1);
      entries[key] = (last === undefined ? 0 : number.get(last) ?? 0) << 4 | flags;
      continue;
    }
    const planes = byPrefix ? 8 : 1;
    const slots = (flags & 8) !== 0 ? 72 : 1;
    const found = new Uint16Array(planes * slots);
    for (const form of rivals) {
      const index = number.get(form) ?? 0;
      const fitting = allSlots.filter((slot) =>
        slot < slots && (slots === 1 || fitsSlot(form, slot))
      );
      for (let plane = 0; plane < planes; plane++) {
        if (byPrefix && !fitsPlane(form, plane)) continue;
        for (const slot of fitting) found[plane * slots + slot] = index;
      }
    }
    entries[key] = leafCount << 4 | flags;
    leafCount += found.length;
    leafParts.push(found);
  }
  const leaves = new Uint16Array(leafCount);
  let at = 0;
  for (const part of leafParts) {
    leaves.set(part, at);
    at += part.length;
  }
  return {
    prefixKind: prefixKinds(mode),
    entries,
    leaves,
    traits: Int32Array.from(forms, (form) => traitsOf(form, forms)),
    forms,
    addressSizes: mode === 16 ? [16, 32] : mode === 32 ? [32, 16] : [64, 32],
  };
}

/** How much a row says: of two that fit, the one that says more is meant. */
function precision({ prefix, rexW, mod, digit, rm, plusR }: Form): number {
  return (prefix === "any" ? 0 : prefix === "nfx" ? 8 : 16) + (rexW ? 1 : 0) +
    (mod === "any" ? 0 : 2) + (digit === undefined ? 0 : 2) + (rm === undefined ? 0 : 32) -
    (plusR ? 1 : 0);
}

/** Whether a form fits prefixes: none, 66, f3, f2, and the same with REX.W. */
function fitsPlane({ prefix, rexW }: Form, plane: number): boolean {
  if (rexW && plane < 4) return false;
  const there = ["np", "66", "f3", "f2"][plane & 3];
  return prefix === "any" || prefix === there || prefix === "nfx" && (plane & 3) < 2;
}

/** Whether a form fits a ModRM byte: memory forms by middle field, then each register form. */
function fitsSlot({ mod, digit, rm }: Form, slot: number): boolean {
  const isMemory = slot < 8;
  if (mod === (isMemory ? "register" : "memory")) return false;
  const middle = isMemory ? slot : slot - 8 >> 3;
  return (digit === undefined || digit === middle) && (rm === undefined || rm === (slot & 7));
}

function traitsOf(form: Form, forms: readonly Form[]): number {
  const { row, prefix } = form;
  let traits = immediateOf(form);
  if (row.lock === true) traits |= TRAIT_LOCK;
  if (row.size !== undefined) traits |= row.size === "d64" ? TRAIT_D64 : TRAIT_F64;
  if (prefix === "66") traits |= TRAIT_66;
  if (prefix === "f2" || prefix === "f3") traits |= TRAIT_F2F3;
  if (row.rexB !== undefined) {
    const other = forms.findIndex((one) => one.row.opcode === row.rexB);
    traits |= TRAIT_REX_B | other << 16;
  }
  return traits;
}

function immediateOf({ immediates, operands }: Form): number {
  const [first, second] = immediates;
  if (first === undefined) return operands.some(({ kind }) => kind === "O") ? IMMEDIATE_OFFSET : 0;
  if (second !== undefined) return IMMEDIATE_W_B;
  switch (first) {
    case "ib":
      return operands.some(({ size }) => size === "bs") ? IMMEDIATE_SIGNED : IMMEDIATE_B;
    case "cb":
      return IMMEDIATE_SIGNED;
    case "iw":
      return IMMEDIATE_W;
    case "iz":
    case "cz":
      return IMMEDIATE_Z;
    case "iv":
      return IMMEDIATE_V;
    case "cp":
      return IMMEDIATE_FAR;
  }
}

function prefixKinds(mode: Mode): Uint8Array {
  const kinds = new Uint8Array(256);
  // 64-bit mode knows these four, but they do nothing.
  [0x26, 0x2e, 0x36, 0x3e].forEach((byte, n) => kinds[byte] = mode === 64 ? 6 : 8 + n);
  [0x64, 0x65].forEach((byte, n) => kinds[byte] = 12 + n);
  [0xf0, 0xf3, 0xf2, 0x66, 0x67].forEach((byte, n) => kinds[byte] = 1 + n);
  if (mode === 64) kinds.fill(0x40, 0x40, 0x50);
  return kinds;
}
