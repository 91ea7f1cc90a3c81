/**
 * Single instructions with a state to start from, and what a processor made of
 * them.
 *
 * Cases are made from the opcode map and a seed, so only the answers are kept.
 *
 * @module
 */

import { Decoder } from "../emu/cpu/decode.ts";
import type { EvaluatedState } from "../emu/cpu/evaluate.ts";
import { Instruction, PREFIX_REP, PREFIX_REPNE } from "../emu/cpu/instruction.ts";
import type { Form } from "../emu/cpu/opcodes/form.ts";
import { semanticName, semanticsOf } from "../emu/cpu/semantics/mod.ts";
import { namesMmx, namesXmm } from "../emu/cpu/vector_operands.ts";
import { encode, type Encoding } from "./instruction_cases.ts";

/** Where the data lies that instructions work on. */
export const dataAt = 0x2000_0400;
/** Bytes of it. */
export const dataSize = 0x400;
/** Where an instruction lies, by mode. */
export const codeAt: Readonly<Record<32 | 64, number>> = { 32: 0x2000_8800, 64: 0x2000_8400 };
/** Where a jump leads. */
export const landingAt: Readonly<Record<32 | 64, number>> = { 32: 0x2000_8840, 64: 0x2000_8440 };

/** One instruction and a state to start from. */
export interface ProcessorCase {
  /** Index of its form in `Decoder.forms`. */
  readonly form: number;
  /** The name that forms of the same semantics share. */
  readonly name: string;
  /** The instruction, at {@link codeAt}. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The general registers. */
  readonly registers: BigUint64Array;
  /** The flags. */
  readonly flags: number;
  /** The data at {@link dataAt}. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** What became of the state. */
export interface ProcessorAnswer {
  /** The general registers. */
  readonly registers: BigUint64Array;
  /** The low sixteen flags. */
  readonly flags: number;
  /** Whether it jumped to {@link landingAt}. */
  readonly jumped: boolean;
  /** The data. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Selectors that programs have under 64-bit Linux: ES, CS, SS, DS, FS, GS. */
export const selectors: Readonly<Record<32 | 64, readonly number[]>> = {
  32: [0x2b, 0x23, 0x2b, 0x2b, 0, 0],
  64: [0, 0x33, 0x2b, 0, 0, 0],
};

/** A generator of numbers that repeats itself: xorshift, 32 bits. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  below(n: number): number {
    return (this.next() >>> 3) % n;
  }
  /** A number on which arithmetic likes to go wrong, or any. */
  value(): bigint {
    const edge = edges[this.below(edges.length * 2)];
    if (edge !== undefined) return BigInt.asUintN(64, edge + BigInt(this.below(3) - 1));
    return BigInt(this.next()) << 32n | BigInt(this.next());
  }
}

const edges = [0n, 0x80n, 0x8000n, 0x8000_0000n, 1n << 63n, 0x100n, 0x1_0000n, 1n << 32n];

/** Operand sizes, register and memory forms and prefixes of a form, as programs may use them. */
function encodingsOf(form: Form, mode: 32 | 64): Encoding[] {
  const { row, prefix, plusR } = form;
  const sets: (readonly number[])[] = [[]];
  if (prefix !== "np" && prefix !== "66") sets.push([0x66]);
  const isString = form.operands.some(({ kind }) => kind === "X" || kind === "Y");
  if (isString) { for (const set of [...sets]) sets.push([...set, 0xf3], [...set, 0xf2]); }
  if (isString || row.as === "jcxz" || row.text.startsWith("loop")) {
    if (mode === 64) sets.push([0x67]);
  }
  // A jump within 16 bits leads out of where the witness can catch it.
  const shortens = row.ends === true && row.size === "f64" && mode === 32;
  const prefixes = shortens ? sets.filter((set) => !set.includes(0x66)) : sets;
  const rexes = mode === 64 ? [undefined, 0x48, 0x45] : [undefined];
  const ways = form.mod === "register"
    ? [0xc1, 0xd8, 0xfe]
    : form.mod === "memory"
    ? [0x43, 0x5e, 0x7f, 0x44]
    : [0xc1, 0xd8, 0xfe, 0xe5, 0x43, 0x5e, 0x7f, 0x44];
  const found: Encoding[] = [];
  for (const set of prefixes) {
    for (const rex of rexes) {
      for (const modrm of form.modrm ? ways : [0]) {
        for (const register of plusR ? [0, 3, 4, 6] : [0]) {
          const base = { mode, modrm, sib: 0x73, register, disp: 0x14 };
          // REX.R and REX.B reach R8 to R15, as registers and as base of an address.
          found.push({ ...base, prefixes: set, ...(rex === undefined ? {} : { rex }) });
          const memory = form.modrm && modrm < 0xc0;
          if (row.lock === true && memory && rex === undefined) {
            found.push({ ...base, prefixes: [...set, 0xf0] });
          }
        }
      }
    }
  }
  return found;
}

/**
 * All cases of a mode, in an order that does not change.
 *
 * @param least How many a name gets at least.
 */
export function* processorCases(mode: 32 | 64, least: number): Generator<ProcessorCase> {
  const decoder = new Decoder(mode);
  const byName = new Map<string, [form: number, encoding: Encoding][]>();
  decoder.forms.forEach((form, n) => {
    if (n === 0 || form.row.only === (mode === 64 ? "i64" : "o64")) return;
    const name = semanticName(form);
    if (semanticsOf(form) === undefined || unfit.has(name)) return;
    // Those are in vector_cases.ts.
    if (namesXmm(form) || namesMmx(form)) return;
    if (form.rexW && mode !== 64) return;
    const list = byName.get(name) ?? [];
    for (const encoding of encodingsOf(form, mode)) list.push([n, encoding]);
    byName.set(name, list);
  });
  const names = [...byName.keys()].sort();
  for (const name of names) {
    const encodings = byName.get(name) ?? [];
    let seed: number = mode;
    for (const letter of name) seed = seed * 31 + letter.charCodeAt(0) | 0;
    const random = new Random(seed);
    const each = Math.max(4, Math.ceil(least / encodings.length));
    for (const [n, encoding] of encodings) {
      for (let turn = 0; turn < each; turn++) {
        const one = caseOf(decoder, n, name, encoding, random);
        if (one !== undefined) yield one;
      }
    }
  }
}

/** What a program cannot be shown doing: it always faults. */
const unfit = new Set(["ud0", "ud1", "ud2", "rdtsc"]);

function caseOf(
  decoder: Decoder,
  index: number,
  name: string,
  encoding: Encoding,
  random: Random,
): ProcessorCase | undefined {
  const form = decoder.forms[index];
  if (form === undefined) return undefined;
  const mode = decoder.mode === 64 ? 64 : 32;
  const bare = encode(form, { ...encoding, immediate: 0n });
  let immediate = random.value();
  if (form.operands.some(({ kind }) => kind === "J")) {
    immediate = BigInt(landingAt[mode] - codeAt[mode] - bare.length);
  } else if (form.operands.some(({ kind }) => kind === "O")) {
    immediate = BigInt(dataAt + random.below(0x200));
  } else if (name === "ret") {
    immediate &= 0x3fn;
  }
  let bytes = encode(form, { ...encoding, immediate });
  if (name === "enter") {
    bytes = Uint8Array.from(bytes);
    bytes.set([random.below(0x60), 0, random.below(4)], bytes.length - 3);
  }
  const i = new Instruction();
  if (decoder.decode(bytes, 0, bytes.length, i) !== 0 || i.form !== index) return undefined;

  const data = new Uint8Array(dataSize);
  const words = new Uint32Array(data.buffer);
  for (let n = 0; n < words.length; n++) words[n] = random.next();
  const registers = new BigUint64Array(16);
  const limit = mode === 64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  const count = mode === 64 ? 16 : 8;
  for (let n = 0; n < count; n++) registers[n] = random.value() & limit;
  if (random.below(2) === 0) {
    registers[1] = (registers[1] ?? 0n) & ~0xffn | BigInt(random.below(70));
  }
  const somewhere = () => BigInt(dataAt + 0x180 + random.below(0x100));
  registers[4] = somewhere();
  if (name === "leave" || name === "enter") registers[5] = somewhere();
  if (form.operands.some(({ kind }) => kind === "X" || kind === "Y")) {
    registers[6] = somewhere();
    registers[7] = somewhere();
    if ((i.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0) registers[1] = BigInt(random.below(7));
    if (random.below(2) === 0) {
      // Some elements alike, for those who compare.
      data.fill(random.below(2), 0x100, 0x300);
      registers[0] = (registers[0] ?? 0n) & ~0xffn;
    }
  }
  if (name === "xlat") registers[3] = somewhere();
  if (name.startsWith("loop") || name === "jcxz") registers[1] = BigInt(random.below(4));
  if (i.isMemory) {
    // A bit's number in a register reaches far.
    if (name.startsWith("bt") && form.operands[1]?.kind === "G" && i.reg !== 4) {
      const far = BigInt(random.below(2000) - 1000);
      registers[i.reg] = BigInt.asUintN(64, far) & limit;
    }
    let at = somewhere() - BigInt(i.disp);
    if (name === "cmpxchg16b") at = (at + BigInt(i.disp) & ~15n) - BigInt(i.disp);
    if (i.index >= 0) {
      if (i.index === 4 || i.index === i.base || i.index === i.reg && name.startsWith("bt")) {
        return undefined;
      }
      registers[i.index] = BigInt(random.below(9));
      at -= (registers[i.index] ?? 0n) << BigInt(i.shift);
    }
    if (i.base < 0 || i.base === 4 || i.base > 15) return undefined;
    registers[i.base] = at;
    if (name.startsWith("bt") && i.base === i.reg) return undefined;
  }
  const into = (address: bigint, value: bigint, size: number) => {
    for (let n = 0; n < size; n++) {
      data[Number(address) - dataAt + n] = Number(value >> BigInt(8 * n) & 0xffn);
    }
  };
  const landing = BigInt(landingAt[mode]);
  if (name === "ret") into(registers[4] ?? 0n, landing, 8);
  const operandAt = i.isMemory
    ? BigInt.asUintN(
      64,
      (registers[i.base] ?? 0n) + BigInt(i.disp) +
        (i.index < 0 ? 0n : (registers[i.index] ?? 0n) << BigInt(i.shift)),
    )
    : undefined;
  if ((name === "jmp" || name === "call") && form.operands[0]?.kind === "E") {
    if (operandAt !== undefined) into(operandAt, landing, i.operandSize / 8);
    else if (i.rm === 4) return undefined;
    else registers[i.rm] = landing;
  }
  if (name === "popf") {
    // Neither trap flag nor alignment checks: the witness would not outlive them.
    const image = BigInt(random.next() & 0xcd5 | 0x202);
    into(registers[4] ?? 0n, image, 8);
  }
  // What compares with memory is to find it equal at times.
  if (name.startsWith("cmpxchg") && operandAt !== undefined && random.below(2) === 0) {
    into(operandAt, registers[0] ?? 0n, i.operandSize / 8);
    if (name !== "cmpxchg") {
      const half = i.operandSize === 64 ? 8 : 4;
      into(operandAt, registers[0] ?? 0n, half);
      into(operandAt + BigInt(half), registers[2] ?? 0n, half);
    }
  }
  // Quotients that fit, at times.
  if ((name === "div_ax" || name === "idiv_ax") && random.below(4) !== 0) {
    registers[2] = name === "div_ax" ? BigInt(random.below(3)) : 0n;
    if (i.operandSize === 64 || i.opcode === 0xf6) registers[0] = (registers[0] ?? 0n) & 0x7fffn;
  }
  const strings = form.operands.some(({ kind }) => kind === "X" || kind === "Y");
  const flags = random.next() & (strings ? 0xcd5 : 0x8d5) | 0x202;
  return { form: index, name, bytes, registers, flags, data };
}

/** A case as the evaluator takes it; `data` is changed by it. */
export function stateOf(one: ProcessorCase, mode: 32 | 64): EvaluatedState & { data: Uint8Array } {
  const data = one.data.slice();
  const start = codeAt[mode];
  return {
    mode,
    registers: one.registers.slice(),
    rip: BigInt(start),
    flags: one.flags,
    selectors: Uint16Array.from(selectors[mode]),
    bases: new BigUint64Array(6),
    cpl: 3,
    stack: mode,
    data,
    memory: {
      load: (address) => {
        const at = Number(address);
        return data[at - dataAt] ?? one.bytes[at - start];
      },
      canStore: (address) => data[Number(address) - dataAt] !== undefined,
      store: (address, value) => data[Number(address) - dataAt] = value,
    },
  };
}

/** Writes answers down: what changed, and the flags. */
export function packAnswers(
  pairs: readonly (readonly [ProcessorCase, ProcessorAnswer])[],
): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  for (const [one, answer] of pairs) {
    let changed = 0;
    for (let n = 0; n < 16; n++) if (one.registers[n] !== answer.registers[n]) changed |= 1 << n;
    out.push(changed & 0xff, changed >> 8, answer.flags & 0xff, answer.flags >> 8 & 0xff);
    for (let n = 0; n < 16; n++) {
      if ((changed >> n & 1) === 0) continue;
      const value = answer.registers[n] ?? 0n;
      for (let at = 0; at < 8; at++) out.push(Number(value >> BigInt(8 * at) & 0xffn));
    }
    const bytes: number[] = [];
    answer.data.forEach((byte, at) => {
      if (byte !== one.data[at]) bytes.push(at & 0xff, at >> 8, byte);
    });
    out.push(bytes.length / 3 << 1 | (answer.jumped ? 1 : 0), ...bytes);
  }
  return Uint8Array.from(out);
}

/** Reads one answer after the other. */
export class AnswerReader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}

  /** The answer to a case. */
  next(one: ProcessorCase): ProcessorAnswer {
    const byte = () => this.bytes[this.#at++] ?? 0;
    const changed = byte() | byte() << 8;
    const flags = byte() | byte() << 8;
    const registers = one.registers.slice();
    for (let n = 0; n < 16; n++) {
      if ((changed >> n & 1) === 0) continue;
      let value = 0n;
      for (let at = 0; at < 8; at++) value |= BigInt(byte()) << BigInt(8 * at);
      registers[n] = value;
    }
    const count = byte();
    const data = one.data.slice();
    for (let n = 0; n < count >> 1; n++) data[byte() | byte() << 8] = byte();
    return { registers, flags, jumped: (count & 1) === 1, data };
  }

  /** Whether all answers were read. */
  get done(): boolean {
    return this.#at === this.bytes.length;
  }
}
