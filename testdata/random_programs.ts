/**
 * Programs made at random from the opcode map: straight lines, ways around
 * instructions, loops and calls, on data that lies across pages.
 *
 * Most of what they address is there, so that they get far: registers that
 * addresses are made of are written rarely.
 *
 * @module
 */

import { DECODED, Decoder } from "../emu/cpu/decode.ts";
import { factsOf } from "../emu/cpu/facts.ts";
import { Instruction } from "../emu/cpu/instruction.ts";
import type { Form } from "../emu/cpu/opcodes/form.ts";
import { semanticName, semanticsOf } from "../emu/cpu/semantics/mod.ts";
import { namesMmx, namesXmm } from "../emu/cpu/vector_operands.ts";
import { encode } from "./instruction_cases.ts";
import { Random } from "./processor_cases.ts";

/** Where things lie by linear address. */
export interface Places {
  /** First byte of code. */
  readonly code: number;
  /** First byte of data; four pages. */
  readonly data: number;
  /** A word below 2 GiB that loops count in. */
  readonly counter: number;
}

/** Bytes of data. */
export const programData = 0x4000;

/** A piece of a program. */
export type Piece =
  /** An instruction. */
  | { readonly kind: "plain"; readonly bytes: Uint8Array }
  /** One that goes to a label, by a distance of 1 or 4 bytes behind its opcode. */
  | {
    readonly kind: "jump";
    readonly opcode: readonly number[];
    readonly size: 1 | 4;
    readonly to: number;
  }
  /** A place. */
  | { readonly kind: "label"; readonly label: number };

/** A program in pieces. */
export interface RandomProgram {
  /** Width of the code. */
  readonly mode: 32 | 64;
  /** What it is made of; behind it stands UD2. */
  readonly pieces: readonly Piece[];
  /** General registers to start from. */
  readonly registers: BigUint64Array;
  /** Flags to start from. */
  readonly flags: number;
  /** How often its loop turns. */
  readonly turns: number;
}

/** UD2, by which every program ends. */
const end = [0x0f, 0x0b];

/** The program's bytes. */
export function assemblePieces(pieces: readonly Piece[]): Uint8Array {
  const labels = new Map<number, number>();
  let at = 0;
  for (const piece of pieces) {
    if (piece.kind === "label") labels.set(piece.label, at);
    else at += piece.kind === "plain" ? piece.bytes.length : piece.opcode.length + piece.size;
  }
  const out: number[] = [];
  for (const piece of pieces) {
    if (piece.kind === "plain") out.push(...piece.bytes);
    else if (piece.kind === "jump") {
      const behind = out.length + piece.opcode.length + piece.size;
      const distance = (labels.get(piece.to) ?? at) - behind;
      out.push(...piece.opcode);
      for (let n = 0; n < piece.size; n++) out.push(distance >> 8 * n & 0xff);
    }
  }
  return Uint8Array.from([...out, ...end]);
}

/** Registers that addresses are made of, by mode, as bits; the others are free. */
const kept = { 32: 0x00f8, 64: 0xf8f8 } as const;
/** Those that hold an address; rBP and R13 hold a small number. */
const pointers = { 32: [3, 4, 6, 7], 64: [3, 4, 6, 7, 11, 12, 14, 15] } as const;
const indices = { 32: [5], 64: [5, 13] } as const;

const stackNames = /^(push|pop|pushf|pusha|call|ret)$/;
const stringNames = /^(movs|stos|lods|scas|cmps)$/;
/** Not executed here: what ends blocks comes by itself, POPF may begin to trace. */
const excluded = new Set(["popf", "rdtsc", "ud0", "ud1", "ud2", "int3", "bound"]);

/** Makes programs of one mode. */
export class ProgramMaker {
  readonly #mode: 32 | 64;
  readonly #isTame: boolean;
  readonly #random: Random;
  readonly #places: Places;
  readonly #decoder: Decoder;
  readonly #names: readonly (readonly (readonly [number, Form])[])[];
  readonly #vectorNames: readonly (readonly (readonly [number, Form])[])[];
  readonly #i = new Instruction();
  #labels = 0;

  /**
   * Makes those of a seed.
   *
   * @param isTame They touch nothing but the data, as far as that can be.
   */
  constructor(mode: 32 | 64, seed: number, places: Places, isTame = false) {
    this.#mode = mode;
    this.#isTame = isTame;
    this.#random = new Random(seed * 2654435761 | 1);
    for (let n = 0; n < 8; n++) this.#random.next();
    this.#places = places;
    this.#decoder = new Decoder(mode);
    const plain = new Map<string, [number, Form][]>();
    const vectors = new Map<string, [number, Form][]>();
    this.#decoder.forms.forEach((form, n) => {
      if (n === 0 || form.row.only === (mode === 64 ? "i64" : "o64")) return;
      const name = semanticName(form);
      if (semanticsOf(form) === undefined || form.row.ends === true || excluded.has(name)) return;
      if (form.rexW && mode !== 64) return;
      const to = namesXmm(form) || namesMmx(form) ? vectors : plain;
      to.set(name, [...to.get(name) ?? [], [n, form]]);
    });
    this.#names = [...plain.keys()].sort().map((name) => plain.get(name) ?? []);
    this.#vectorNames = [...vectors.keys()].sort().map((name) => vectors.get(name) ?? []);
  }

  /** The next program. */
  make(): RandomProgram {
    const random = this.#random;
    this.#labels = 0;
    const mode = this.#mode;
    const limit = mode === 64 ? (1n << 64n) - 1n : 0xffff_ffffn;
    const registers = new BigUint64Array(16);
    const count = mode === 64 ? 16 : 8;
    for (let n = 0; n < count; n++) registers[n] = random.value() & limit;
    for (const n of pointers[mode]) registers[n] = BigInt.asUintN(mode, BigInt(this.#address()));
    for (const n of indices[mode]) registers[n] = BigInt(random.below(9));
    return {
      ...{ mode, registers, pieces: this.#body() },
      flags: random.next() & 0xcd5 | 2,
      turns: 2 + random.below(6),
    };
  }

  /** Somewhere in the data, often where a page ends. */
  #address(): number {
    const random = this.#random;
    const page = 0x1000 * random.below(4);
    const within = random.below(3) === 0
      ? (page === 0 ? 0x1000 : 0) - random.below(24)
      : 0x40 + random.below(0xf80);
    return this.#places.data + page + within;
  }

  #body(): Piece[] {
    const random = this.#random;
    const shape = random.below(8);
    const line = (most: number) => this.#line(1 + random.below(most));
    if (shape < 3) return line(12);
    if (shape === 3) return [...line(4), ...this.#around(line(4)), ...line(4)];
    if (shape === 4) {
      const [other, joined] = [this.#labels++, this.#labels++];
      return [
        ...[...line(3), this.#jumpIf(other), ...line(3), this.#jump(joined)],
        ...[label(other), ...line(3), label(joined), ...line(3)],
      ];
    }
    if (shape === 5) {
      const [routine, over] = [this.#labels++, this.#labels++];
      const call: Piece = { kind: "jump", opcode: [0xe8], size: 4, to: routine };
      return [
        ...[...line(2), call, ...line(3), this.#jump(over), label(routine)],
        ...[...line(2), plain(0xc3), label(over), ...line(2)],
      ];
    }
    const again = this.#labels++;
    const inner = shape === 6 ? line(8) : [
      ...[...line(3), ...this.#around(line(3)), ...line(2)],
      ...this.#around([...line(2), ...this.#around(line(2))]),
    ];
    return [
      ...[...line(2), label(again), ...inner, ...this.#countDown()],
      // jnz
      ...[random.below(2) === 0 ? near(0x75, again) : far(0x85, again), ...line(2)],
    ];
  }

  /** Subtracts one from the counter. */
  #countDown(): Piece[] {
    const address = this.#places.counter;
    const disp = [0, 8, 16, 24].map((shift) => address >>> shift & 0xff);
    return [
      this.#mode === 32 ? plain(0x83, 0x2d, ...disp, 1) : plain(0x83, 0x2c, 0x25, ...disp, 1),
    ];
  }

  #jump(to: number): Piece {
    return this.#random.below(2) === 0
      ? near(0xeb, to)
      : { kind: "jump", opcode: [0xe9], size: 4, to };
  }

  #jumpIf(to: number): Piece {
    const random = this.#random;
    const kind = random.below(12);
    // LOOP and its kin, JCXZ.
    if (kind === 0) return near(0xe0 + random.below(4), to);
    const condition = random.below(16);
    return kind < 9 ? near(0x70 + condition, to) : far(0x80 + condition, to);
  }

  /** A way around some pieces. */
  #around(pieces: readonly Piece[]): Piece[] {
    const to = this.#labels++;
    return [this.#jumpIf(to), ...pieces, label(to)];
  }

  #line(count: number): Piece[] {
    const pieces: Piece[] = [];
    while (pieces.length < count) pieces.push(...this.#instruction());
    return pieces;
  }

  #instruction(): Piece[] {
    const random = this.#random;
    for (;;) {
      const names = random.below(8) === 0 ? this.#vectorNames : this.#names;
      const forms = names[random.below(names.length)] ?? [];
      const [index, form] = forms[random.below(forms.length)] ?? [];
      if (index === undefined || form === undefined) continue;
      const bytes = this.#encode(form);
      const i = this.#i;
      if (this.#decoder.decode(bytes, 0, bytes.length, i) !== DECODED) continue;
      if (i.form !== index || i.length !== bytes.length) continue;
      const isWild = random.below(40) === 0 && !this.#isTame;
      if (!isWild && !this.#isHarmless(i, form)) continue;
      const pieces: Piece[] = [{ kind: "plain", bytes }];
      if (stringNames.test(semanticName(form)) && (this.#isTame || random.below(12) !== 0)) {
        // mov ecx, imm32
        pieces.unshift(plain(0xb9, random.below(20), 0, 0, 0));
      }
      return pieces;
    }
  }

  /** Whether it leaves registers alone that addresses are made of. */
  #isHarmless(i: Instruction, form: Form): boolean {
    const mode = this.#mode;
    const name = semanticName(form);
    const writes = factsOf(i, form, mode)?.writes ?? 0;
    const implied = stackNames.test(name) ? 0x10 : stringNames.test(name) ? 0xc0 : 0;
    if (name === "popa" || (writes & kept[mode] & ~implied) !== 0) return false;
    // A bit's number in a register reaches far.
    const isFar = /^bt/.test(name) && i.isMemory && form.operands[1]?.kind === "G";
    return !(isFar && (i.reg & 7) !== 5);
  }

  #encode(form: Form): Uint8Array {
    const random = this.#random;
    const mode = this.#mode;
    const prefixes: number[] = [];
    const isString = form.operands.some(({ kind }) => kind === "X" || kind === "Y");
    if (form.prefix !== "np" && form.prefix !== "66" && random.below(6) === 0) prefixes.push(0x66);
    if (random.below(40) === 0) prefixes.push(0x67);
    if (random.below(10) === 0) {
      prefixes.push([0x64, 0x65, 0x64, 0x65, 0x36, 0x2e][random.below(6)] ?? 0x64);
    }
    if (isString && random.below(2) === 0) prefixes.push(0xf2 + random.below(2));
    else if (form.row.lock === true && random.below(6) === 0) prefixes.push(0xf0);
    let rex = mode === 64 && random.below(2) === 0 ? 0x40 | random.below(16) : undefined;
    if (form.rexW) rex = (rex ?? 0x40) | 8;
    const way = random.below(3);
    const way3 = form.mod === "register" || form.mod === "any" && random.below(2) === 0;
    const low = way3 ? random.below(8) : [3, 6, 7, 4, 3, 6, 7, 5][random.below(8)] ?? 3;
    const modrm = (way3 ? 0xc0 : (low === 5 ? 0 : way) << 6) | random.below(8) << 3 | low;
    const { data, code } = this.#places;
    const somewhere = this.#address();
    const disp = low === 5
      ? mode === 32 ? somewhere : somewhere - code
      : way === 1
      ? random.below(0x60) - 0x30
      : random.below(0x600) - 0x300;
    // Scale, an index of rBP or none, base.
    const sib = random.below(4) << 6 | (random.below(2) === 0 ? 5 : 4) << 3 |
      ([3, 4, 6, 7][random.below(4)] ?? 3);
    const isDirect = form.operands.some(({ kind }) => kind === "O");
    const immediate = isDirect
      ? BigInt.asUintN(64, BigInt(data + random.below(programData)))
      : random.value();
    return encode(form, {
      ...{ mode, prefixes, modrm, sib, disp, immediate, register: random.below(8) },
      ...(rex === undefined ? {} : { rex }),
    });
  }
}

const plain = (...bytes: number[]): Piece => ({ kind: "plain", bytes: Uint8Array.from(bytes) });
const label = (n: number): Piece => ({ kind: "label", label: n });
const near = (opcode: number, to: number): Piece => ({
  kind: "jump",
  opcode: [opcode],
  size: 1,
  to,
});
const far = (opcode: number, to: number): Piece => ({
  kind: "jump",
  opcode: [0x0f, opcode],
  size: 4,
  to,
});
