/**
 * Single instructions of MMX and SSE with a state to start from, and what a
 * processor made of them; as processor_cases.ts has them for the others.
 *
 * @module
 */

import { Decoder } from "../emu/cpu/decode.ts";
import { copyVectors, type EvaluatedVectors } from "../emu/cpu/evaluate_vector.ts";
import { Instruction, type Mode } from "../emu/cpu/instruction.ts";
import type { Form } from "../emu/cpu/opcodes/form.ts";
import { semanticName, semanticsOf } from "../emu/cpu/semantics/mod.ts";
import { mustBeAligned, namesMmx, namesXmm } from "../emu/cpu/vector_operands.ts";
import { encode, type Encoding } from "./instruction_cases.ts";
import {
  dataAt,
  dataSize,
  type ProcessorAnswer,
  type ProcessorCase,
  Random,
} from "./processor_cases.ts";
import { numberOf, vectorOf } from "./vector_values.ts";

/** What an instruction is about. */
export type VectorGroup =
  | "moves"
  | "MMX integers"
  | "SSE integers"
  | "SSE floats"
  | "conversions"
  | "strings";

/** One instruction and a state to start from. */
export interface VectorCase extends ProcessorCase {
  /** What it is about. */
  readonly group: VectorGroup;
  /** Its SSE and MMX registers. */
  readonly vectors: EvaluatedVectors;
}

/** What became of the state. */
export interface VectorAnswer extends ProcessorAnswer {
  /** Its SSE and MMX registers. */
  readonly vectors: EvaluatedVectors;
  /** Whether it raised #XM. */
  readonly raised: boolean;
}

/** What a form is about. */
export function groupOf(form: Form): VectorGroup {
  const [name] = form.mnemonics;
  if (/^pcmp[ei]str/.test(name)) return "strings";
  if (/^(cvt|round)/.test(name)) return "conversions";
  if (/^(mov|maskmov|pmovmskb|lddqu|emms)/.test(name)) return "moves";
  if (namesMmx(form)) return "MMX integers";
  const floats = ["add", "sub", "mul", "div", "min", "max", "sqrt", "rcp", "rsqrt", "cmp", "comi"];
  const more = ["ucomi", "hadd", "hsub", "addsub", "dp"];
  return [...floats, ...more].some((start) => name.startsWith(start))
    ? "SSE floats"
    : "SSE integers";
}

/** Register and memory forms of a form, as programs may use them. */
function encodingsOf(form: Form, mode: 32 | 64): Encoding[] {
  const registers = [0xc1, 0xd8, 0xfe];
  const memory = [0x43, 0x5e, 0x44];
  const ways = !form.modrm
    ? [0]
    : form.mod === "register"
    ? registers
    : form.mod === "memory"
    ? memory
    : [...registers, ...memory];
  const usesGeneral = form.operands.some(({ kind }) => kind === "E" || kind === "G");
  const rexes = mode === 32
    ? [undefined]
    : usesGeneral
    ? [undefined, 0x48, 0x45]
    : [undefined, 0x45];
  return rexes.flatMap((rex) =>
    ways.map((modrm) => ({
      ...{ mode, modrm, sib: 0x73, disp: 0x14 },
      ...(rex === undefined ? {} : { rex }),
    }))
  );
}

/**
 * All cases of a mode, in an order that does not change.
 *
 * @param least How many a form gets at least.
 */
export function* vectorCases(mode: 32 | 64, least: number): Generator<VectorCase> {
  const decoder = new Decoder(mode);
  for (const [n, form] of decoder.forms.entries()) {
    if (n === 0 || form.rexW && mode !== 64) continue;
    if (!namesXmm(form) && !namesMmx(form) || semanticsOf(form) === undefined) continue;
    let seed: number = mode;
    for (const letter of form.row.opcode) seed = seed * 31 + letter.charCodeAt(0) | 0;
    const random = new Random(seed);
    const encodings = encodingsOf(form, mode);
    const each = Math.ceil(least * (busy[groupOf(form)] ?? 1) / encodings.length);
    for (const encoding of encodings) {
      for (let turn = 0; turn < each; turn++) {
        const one = caseOf(decoder, n, encoding, random);
        if (one !== undefined) yield one;
      }
    }
  }
}

/** Groups in which much depends on values or that are small: they get more cases a form. */
const busy: Readonly<Partial<Record<VectorGroup, number>>> = {
  ...{ "SSE floats": 3, conversions: 3, strings: 12 },
};

/** MXCSR: rounding, denormals and flags as it comes; mostly all is masked. */
function mxcsrOf(random: Random): number {
  const unmasked = random.below(4) === 0 ? random.next() & 0x1f80 : 0;
  const rounding = random.below(2) === 0 ? 0 : random.below(4);
  const denormals = random.below(3) === 0 ? random.next() & 0x8040 : 0;
  const flags = random.below(2) === 0 ? 0 : random.next() & 0x3f;
  return 0x1f80 & ~unmasked | rounding << 13 | denormals | flags;
}

function caseOf(
  decoder: Decoder,
  index: number,
  encoding: Encoding,
  random: Random,
): VectorCase | undefined {
  const form = decoder.forms[index];
  if (form === undefined) return undefined;
  const mode = decoder.mode === 64 ? 64 : 32;
  const limit = mode === 64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  const small = random.below(3) === 0;
  const bytes = encode(form, {
    ...encoding,
    immediate: BigInt(small ? random.below(20) : random.next() & 0xff),
  });
  const i = new Instruction();
  if (decoder.decode(bytes, 0, bytes.length, i) !== 0 || i.form !== index) return undefined;

  const vectors: EvaluatedVectors = {
    xmm: new BigUint64Array(32),
    significands: new BigUint64Array(8),
    exponents: new Uint16Array(8),
    top: random.below(8),
    tags: random.next() & 0xff,
    mxcsr: mxcsrOf(random),
  };
  const count = mode === 64 ? 16 : 8;
  const kind = kindOf(form);
  for (let n = 0; n < count; n++) vectors.xmm.set(vectorOf(kind, random), 2 * n);
  for (let n = 0; n < 8; n++) {
    vectors.significands[n] = vectorOf(kind, random)[0] ?? 0n;
    vectors.exponents[n] = random.next() & 0xffff;
  }
  // What compares is to find some alike.
  if (random.below(6) === 0) {
    vectors.xmm.copyWithin(2 * i.reg, 2 * i.rm, 2 * i.rm + 2);
    vectors.significands[i.reg & 7] = vectors.significands[i.rm & 7] ?? 0n;
  }
  const data = new Uint8Array(dataSize);
  const words = new BigUint64Array(data.buffer);
  for (let n = 0; n < words.length; n += 2) words.set(vectorOf(kind, random), n);
  const registers = new BigUint64Array(16);
  for (let n = 0; n < count; n++) registers[n] = numberOf(random) & limit;
  const name = semanticName(form);
  if (/^pcmpestr/.test(name)) {
    for (const n of [0, 2]) {
      const length = BigInt(random.below(40) - 20);
      if (random.below(4) !== 0) registers[n] = BigInt.asUintN(64, length) & limit;
    }
  }
  const isAligned = form.operands.some((_, n) => mustBeAligned(form, n));
  const somewhere = () =>
    BigInt(dataAt + 0x180 + (isAligned ? random.below(16) * 16 : random.below(0x100)));
  registers[4] = BigInt(dataAt + 0x100);
  if (name.startsWith("maskmov")) registers[7] = somewhere();
  if (i.isMemory) {
    let at = somewhere() - BigInt(i.disp);
    if (i.base < 0 || i.base === 4 || i.base > 15) return undefined;
    if (i.index >= 0) {
      if (i.index === 4 || i.index === i.base) return undefined;
      registers[i.index] = BigInt(random.below(9));
      at -= (registers[i.index] ?? 0n) << BigInt(i.shift);
    }
    registers[i.base] = at;
  }
  const flags = random.next() & 0x8d5 | 0x202;
  return { form: index, name, bytes, registers, flags, data, vectors, group: groupOf(form) };
}

/** What a form's operands are made of. */
function kindOf(form: Form): "integers" | "f32" | "f64" | "text" {
  const [name] = form.mnemonics;
  const group = groupOf(form);
  if (group === "strings") return "text";
  if (/^cvt(si|pi|dq)/.test(name)) return "integers";
  if (group !== "SSE floats" && group !== "conversions") return "integers";
  const sources = form.operands.map(({ size }) => size);
  if (/^cvtt?(pd|sd)/.test(name)) return "f64";
  if (/^cvtt?(ps|ss)/.test(name)) return "f32";
  return sources.includes("pd") || sources.includes("sd") ? "f64" : "f32";
}

/** Writes answers down: what changed. */
export class VectorAnswerWriter {
  readonly #out: number[] = [];

  /** The answer to a case. */
  add(one: VectorCase, answer: VectorAnswer): void {
    const out = this.#out;
    const little = (value: bigint, bytes: number) => {
      for (let n = 0; n < bytes; n++) out.push(Number(value >> BigInt(8 * n) & 0xffn));
    };
    const [was, is] = [one.vectors, answer.vectors];
    const changes = <T>(a: ArrayLike<T>, b: ArrayLike<T>): number[] =>
      Array.from({ length: a.length }, (_, n) => n).filter((n) => a[n] !== b[n]);
    const parts = [
      changes(one.registers, answer.registers),
      changes(was.xmm, is.xmm),
      changes(was.significands, is.significands),
      changes(was.exponents, is.exponents),
      changes(one.data, answer.data),
    ];
    const [registers = [], xmm = [], significands = [], exponents = [], data = []] = parts;
    const fpu = was.top !== is.top || was.tags !== is.tags;
    out.push(answer.raised ? 1 : 0);
    const bits = parts.map(({ length }, n) => length === 0 ? 0 : 1 << n);
    out.push(
      bits.reduce((sum, bit) => sum | bit, 0) | (answer.flags !== one.flags ? 32 : 0) |
        (was.mxcsr !== is.mxcsr ? 64 : 0) | (fpu ? 128 : 0),
    );
    const list = (of: readonly number[], each: (n: number) => void) => {
      if (of.length === 0) return;
      out.push(of.length);
      of.forEach(each);
    };
    const numbers = (of: readonly number[], values: ArrayLike<bigint>) =>
      list(of, (n) => {
        out.push(n);
        little(values[n] ?? 0n, 8);
      });
    numbers(registers, answer.registers);
    numbers(xmm, is.xmm);
    numbers(significands, is.significands);
    list(exponents, (n) => out.push(n, (is.exponents[n] ?? 0) & 0xff, (is.exponents[n] ?? 0) >> 8));
    list(data, (n) => out.push(n & 0xff, n >> 8, answer.data[n] ?? 0));
    if (answer.flags !== one.flags) out.push(answer.flags & 0xff, answer.flags >> 8);
    if (was.mxcsr !== is.mxcsr) out.push(is.mxcsr & 0xff, is.mxcsr >> 8);
    if (fpu) out.push(is.top, is.tags);
  }

  /** All of them. */
  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#out);
  }
}

/** Reads one answer after the other. */
export class VectorAnswerReader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}

  /** The answer to a case. */
  next(one: VectorCase): VectorAnswer {
    const byte = () => this.bytes[this.#at++] ?? 0;
    const word = () => byte() | byte() << 8;
    const long = () => {
      let value = 0n;
      for (let n = 0; n < 8; n++) value |= BigInt(byte()) << BigInt(8 * n);
      return value;
    };
    const raised = byte() === 1;
    const changed = byte();
    const vectors = copyVectors(one.vectors);
    const registers = one.registers.slice();
    const data = one.data.slice();
    const list = (bit: number, each: () => void) => {
      if ((changed & bit) === 0) return;
      for (let count = byte(); count > 0; count--) each();
    };
    list(1, () => registers[byte()] = long());
    list(2, () => vectors.xmm[byte()] = long());
    list(4, () => vectors.significands[byte()] = long());
    list(8, () => vectors.exponents[byte()] = word());
    list(16, () => data[word()] = byte());
    const flags = (changed & 32) === 0 ? one.flags : word();
    if ((changed & 64) !== 0) vectors.mxcsr = word();
    if ((changed & 128) !== 0) [vectors.top, vectors.tags] = [byte(), byte()];
    return { registers, flags, jumped: false, data, vectors, raised };
  }

  /** Whether all answers were read. */
  get done(): boolean {
    return this.#at === this.bytes.length;
  }
}

/** In what a state differs from an answer, in words. */
export function vectorDifferences(
  state: { readonly registers: BigUint64Array; readonly flags: number; readonly data: Uint8Array },
  vectors: EvaluatedVectors,
  answer: VectorAnswer,
): string[] {
  const found: string[] = [];
  const compare = (what: string, ours: ArrayLike<bigint | number>, theirs: typeof ours) => {
    for (let n = 0; n < ours.length; n++) {
      if (ours[n] === theirs[n]) continue;
      found.push(`${what}${n} ${theirs[n]?.toString(16)} here ${ours[n]?.toString(16)}`);
    }
  };
  compare("r", state.registers, answer.registers);
  compare("xmm half ", vectors.xmm, answer.vectors.xmm);
  compare("mm", vectors.significands, answer.vectors.significands);
  compare("exponent ", vectors.exponents, answer.vectors.exponents);
  compare("byte ", state.data, answer.data);
  const single = (what: string, ours: number, theirs: number) => compare(what, [ours], [theirs]);
  single("flags", state.flags & 0xffff, answer.flags);
  single("mxcsr", vectors.mxcsr, answer.vectors.mxcsr);
  single("top", vectors.top, answer.vectors.top);
  single("tags", vectors.tags, answer.vectors.tags);
  return found;
}

/** The modes that the witness has. */
export const vectorModes: readonly Extract<Mode, 32 | 64>[] = [32, 64];
/** How many cases a form gets at least, in the answers that are kept. */
export const vectorTurns: Readonly<Record<32 | 64, number>> = { 32: 24, 64: 36 };
