/**
 * Single x87 instructions with a state to start from, and what a processor made
 * of them.
 *
 * A state is an image as FXSAVE writes it. Cases are made from the opcode map
 * and a seed, so only the answers are kept.
 *
 * @module
 */

import { Decoder } from "../emu/cpu/decode.ts";
import type { Form } from "../emu/cpu/opcodes/form.ts";
import { semanticName } from "../emu/cpu/semantics/mod.ts";
import { encode } from "./instruction_cases.ts";
import { execute, memoryAt, type X87Machine, x87SemanticsOf } from "./x87_machine.ts";

/** Where the instruction lies. */
export const codeAt: number = memoryAt + 0x8400;
/** Where its data lies. */
export const dataAt: number = memoryAt + 0x1000;
/** Bytes of it. */
export const dataSize = 0x300;
/** Where RBX points to, which addresses memory operands: within the data. */
export const operandAt: number = dataAt + 0x40;
/** Where the images of the state lie, before and after. */
export const imageAt: { readonly before: number; readonly after: number } = {
  before: memoryAt + 0x2000,
  after: memoryAt + 0x2400,
};

/** One instruction and a state to start from. */
export interface X87Case {
  /** Index of its form in `Decoder.forms`. */
  readonly form: number;
  /** Its semantic name. */
  readonly name: string;
  /** The instruction. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The state before, as FXSAVE64 has it. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** EFLAGS. */
  readonly flags: number;
  /** RAX; RDX is zero. */
  readonly rax: number;
  /** The data at {@link dataAt}. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** What became of it. */
export interface X87Answer {
  /** The state, as FXSAVE64 has it. */
  readonly image: Uint8Array;
  /** The low sixteen flags. */
  readonly flags: number;
  /** EAX. */
  readonly rax: number;
  /** The data. */
  readonly data: Uint8Array;
}

/** Groups of instructions, by name. */
export const groups = {
  arithmetic: [
    ...["fadd", "fsub", "fsubr", "fmul", "fdiv", "fdivr"].flatMap((name) => [
      ...[name, `${name}p`, name.replace("f", "fi")],
    ]),
    ...["fsqrt", "fscale", "frndint", "fprem", "fprem1", "fxtract", "fchs", "fabs"],
  ],
  compare: [
    ...["fcom", "fcomp", "fcompp", "fucom", "fucomp", "fucompp", "ficom", "ficomp"],
    ...["fcomi", "fcomip", "fucomi", "fucomip", "ftst", "fxam"],
  ],
  move: [
    ...["fld", "fild", "fbld", "fst", "fstp", "fist", "fistp", "fisttp", "fbstp", "fxch"],
    ...["fcmovb", "fcmove", "fcmovbe", "fcmovu", "fcmovnb", "fcmovne", "fcmovnbe", "fcmovnu"],
  ],
  constant: ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"],
  transcendental: ["f2xm1", "fyl2x", "fyl2xp1", "fpatan", "fsin", "fcos", "fsincos", "fptan"],
  control: [
    ...["fincstp", "fdecstp", "ffree", "ffreep", "fnop", "fwait", "fneni", "fndisi", "fnsetpm"],
    ...["fninit", "fnclex", "fldcw", "fnstcw", "fnstsw", "fnstenv", "fldenv", "fnsave", "frstor"],
    ...["fxsave", "fxrstor", "ldmxcsr", "stmxcsr", "xsave", "xsavec", "xsaveopt", "xrstor"],
  ],
} as const;
/** A group's name. */
export type Group = keyof typeof groups;

/** A generator of numbers that repeats itself: xorshift, 32 bits. */
class Random {
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
  big(): bigint {
    return BigInt(this.next()) << 32n | BigInt(this.next());
  }
  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

const integerBit = 1n << 63n;
/** Significands on which rounding likes to go wrong; the integer bit is set besides. */
const fractions = [
  ...[0n, 1n, 2n, 0x400n, 0x401n, 0x3ffn, 0x7ffn, 0xc00n, 0x80_0000_0000n, 0x80_0000_0001n],
  ...[0x7f_ffff_ffffn, 0x180_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0x7fff_ffff_ffff_fffen],
  ...[0x7fff_ffff_ffff_f800n, 0x7fff_ff00_0000_0000n, 0x4000_0000_0000_0000n],
  ...[0x7fff_ff80_0000_0000n, 0x7fff_ffff_ffff_fc00n, 0x2000_0000_0000_0000n],
];
/** Exponents at which a format ends or another begins. */
const exponents = [
  ...[1, 2, 3, 30, 63, 64, 65, 0x3fff, 0x3ffe, 0x4000, 0x3fff + 15, 0x3fff + 31, 0x3fff + 62],
  ...[0x3fff + 63, 0x3fff + 64, 0x3fff - 64, 0x3fff - 63, 0x3fff - 1022, 0x3fff - 1023],
  ...[0x3fff - 1074, 0x3fff - 1075, 0x3fff - 1076, 0x3fff + 1023, 0x3fff + 1024, 0x3fff - 126],
  ...[0x3fff - 127, 0x3fff - 149, 0x3fff - 150, 0x3fff - 151, 0x3fff + 127, 0x3fff + 128],
  ...[0x7ffe, 0x7ffd, 0x7fc0, 0x1fff, 0x2000, 0x5ffe, 0x5fff, 0x6000, 0x3fff + 59, 0x3fff + 30],
];

/** An 80-bit number of any kind. */
function extended(random: Random): bigint {
  const sign = BigInt(random.below(2)) << 79n;
  const pack = (exponent: number, significand: bigint) =>
    sign | BigInt(exponent) << 64n | significand;
  const fraction = random.below(2) === 0
    ? random.of(fractions)
    : random.big() & (random.below(3) === 0 ? 0x7fff_ff80_0000_0000n : integerBit - 1n);
  switch (random.below(24)) {
    case 0:
      return pack(0, 0n);
    case 1:
      return pack(0x7fff, integerBit);
    case 2: // A quiet NaN.
      return pack(0x7fff, integerBit | 1n << 62n | fraction);
    case 3: // A signalling one, but for an infinity.
      return pack(0x7fff, integerBit | fraction & ~(1n << 62n));
    case 4:
      return pack(0, fraction);
    case 5: // A denormal of few bits.
      return pack(0, fraction >> BigInt(random.below(63)));
    case 6: // A pseudo-denormal.
      return pack(0, integerBit | fraction);
    case 7: // An unnormal, a pseudo-infinity or a pseudo-NaN.
      return pack(random.of([1, 0x3fff, 0x7fff, 0x7fff]), fraction);
    case 8:
    case 9:
      return pack(random.of(exponents), integerBit | fraction);
    case 10: // Whole and half numbers.
      return pack(0x3fff + random.below(66), halves(random));
    case 11:
      return pack(random.below(0x7fff), integerBit | fraction);
    default:
      return pack(0x3fff - 70 + random.below(140), integerBit | fraction);
  }
}

/** A significand of few bits set. */
function halves(random: Random): bigint {
  const shift = BigInt(random.below(64));
  return integerBit | (random.big() >> shift) << shift & integerBit - 1n;
}

/** A number near another: what cancels, divides or compares closely. */
function near(random: Random, other: bigint): bigint {
  const exponent = Number(other >> 64n & 0x7fffn);
  const away = random.of([0, 0, 1, -1, 2, 62, 63, 64, 65, 66, -63, -64, -65, -66, 130]);
  const sign = BigInt(random.below(2)) << 79n;
  const moved = Math.min(0x7ffe, Math.max(0, exponent + away));
  const significand = BigInt.asUintN(64, other) ^
    random.of([0n, 0n, 1n, 3n, 0x400n, 0x80_0000_0000n, random.big() >> 1n]);
  return sign | BigInt(moved) << 64n | significand;
}

/** π/2, with 127 bits behind the point. */
const halfPi = 0xc90fdaa2_2168c234_c4c6628b_80dc1cd1n;

/** An operand of a transcendental function: mostly where it is defined. */
function argument(random: Random, name: string): bigint {
  if (random.below(6) === 0) return extended(random);
  const sign = BigInt(random.below(2)) << 79n;
  const isCircular = ["fsin", "fcos", "fsincos", "fptan"].includes(name);
  if (isCircular && random.below(4) === 0) {
    // Near a multiple of π/2, where little is left.
    const multiple = halfPi * (BigInt(random.next()) >> BigInt(random.below(32)) | 1n);
    const bits = multiple.toString(2).length;
    const significand = (multiple >> BigInt(bits - 64)) + BigInt(random.below(3) - 1);
    return sign | BigInt(0x3fff + bits - 1 - 127) << 64n | integerBit | significand;
  }
  if (name === "fyl2x" && random.below(4) === 0) {
    const little = random.big() >> BigInt(random.below(64));
    return random.below(2) === 0
      ? 0x3fffn << 64n | integerBit | little >> 1n
      : 0x3ffen << 64n | integerBit | BigInt.asUintN(63, ~little);
  }
  const least = name === "f2xm1" || name === "fyl2xp1" ? 1 : 0;
  const spread = random.below(3) === 0 ? 75 : 5;
  const exponent = least === 1
    ? 0x3fff - (name === "f2xm1" ? 1 : 3) - random.below(spread)
    : 0x3fff - spread + random.below(Math.min(2 * spread, spread + 62));
  return sign | BigInt(exponent) << 64n | integerBit | halves(random) & random.big() | integerBit;
}

/** What lies in memory for an operand of so many bytes. */
function memoryOperand(random: Random, name: string, bytes: number): bigint {
  if (name === "fbld") {
    let digits = 0n;
    for (let n = 0; n < 18; n++) digits = digits << 4n | BigInt(random.below(10));
    digits >>= 4n * BigInt(random.below(19));
    return BigInt(random.below(256)) << 72n | digits;
  }
  if (bytes === 10) return extended(random);
  if (name.startsWith("fi")) {
    const edges = [0n, 1n, -1n, 1n << BigInt(8 * bytes - 1), (1n << BigInt(8 * bytes - 1)) - 1n];
    if (random.below(3) === 0) return BigInt.asUintN(8 * bytes, random.of(edges));
    return BigInt.asUintN(8 * bytes, random.big() >> BigInt(random.below(64)));
  }
  const [exponentBits, fractionBits] = bytes === 4 ? [8, 23] : [11, 52];
  const top = (1 << exponentBits) - 1;
  const middle = top >> 1;
  const exponent = random.of([
    ...[0, 0, top, top, 1, top - 1, middle, middle + 1, middle - 1],
    ...[random.below(top), middle + random.below(20), middle - random.below(20)],
  ]);
  const fraction = random.of([
    ...[0n, 0n, 1n, (1n << BigInt(fractionBits)) - 1n, 1n << BigInt(fractionBits - 1)],
    ...[random.big(), random.big(), random.big()],
  ]);
  return BigInt(random.below(2)) << BigInt(exponentBits + fractionBits) |
    BigInt(exponent) << BigInt(fractionBits) | BigInt.asUintN(fractionBits, fraction);
}

/** A control word: mostly all is masked. */
function controlWord(random: Random): number {
  const masks = random.below(4) === 0 ? random.below(64) : 0x3f;
  const precision = random.of([0x300, 0x300, 0x300, 0x200, 0, 0x100]);
  return masks | precision | random.below(4) << 10 | 0x40;
}

/** The state before. */
function stateBefore(random: Random, name: string, group: Group): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  const control = controlWord(random);
  const top = random.below(8);
  const conditions = random.next() & 0x4700;
  // Only what is masked: else an exception would wait.
  const status = random.below(3) === 0 ? random.below(128) & (control & 0x3f | 0x40) : 0;
  view.setUint16(0, control, true);
  view.setUint16(2, conditions | status | top << 11, true);
  const stack = stackBefore(random, name, group);
  // ST(n) is register TOP + n.
  let tags = 0;
  for (let n = 0; n < 8; n++) if ((stack >> n & 1) !== 0) tags |= 1 << (top + n & 7);
  image[4] = tags;
  view.setUint16(6, random.below(0x800), true);
  view.setBigUint64(8, BigInt(random.next()), true);
  view.setBigUint64(16, BigInt.asUintN(64, -BigInt(random.next())), true);
  view.setUint32(24, random.below(2) === 0 ? 0x1f80 : random.next() & 0xffff, true);
  let last = 0n;
  for (let n = 0; n < 8; n++) {
    let value = n > 0 && random.below(3) === 0 ? near(random, last) : extended(random);
    if (group === "transcendental" && n < 2) value = argument(random, name);
    if (name === "fscale" && n === 1 && random.below(3) !== 0) {
      value = BigInt(random.below(2)) << 79n | BigInt(0x3fff + random.below(17)) << 64n |
        integerBit | random.big();
    }
    view.setBigUint64(32 + 16 * n, BigInt.asUintN(64, value), true);
    view.setUint16(40 + 16 * n, Number(value >> 64n), true);
    last = value;
  }
  if (group === "control") { for (let n = 160; n < 416; n++) image[n] = random.next(); }
  return image;
}

/** Which of ST(0) to ST(7) hold something: mostly what the instruction wants. */
function stackBefore(random: Random, name: string, group: Group): number {
  const pushes = group === "constant" || /^f(i|b)?ld$|^fxtract$|^fsincos$|^fptan$/.test(name);
  switch (random.below(8)) {
    case 0:
      return random.below(256);
    case 1:
      return pushes ? 0xff : 0xfe;
    default:
      return pushes ? 0x7f : 0xff;
  }
}

/** Bytes that a memory operand has, where it is a number. */
function operandBytes(form: Form, name: string): number | undefined {
  const [first] = form.operands;
  if (first?.kind !== "M" || name.startsWith("fx") || name.startsWith("x")) return undefined;
  return { w: 2, d: 4, q: 8, t: 10 }[first.size as string];
}

/** Ways to write a form: each register, or memory. */
function encodings(form: Form): Uint8Array<ArrayBuffer>[] {
  const rex = form.rexW ? { rex: 0x48 } : {};
  if (form.mod === "memory") {
    const plain = encode(form, { mode: 64, modrm: 0x03, ...rex });
    const sizes = ["fnstenv", "fldenv", "fnsave", "frstor"].includes(form.mnemonics[0]);
    if (!sizes) return [plain];
    return [plain, encode(form, { mode: 64, modrm: 0x03, prefixes: [0x66] })];
  }
  if (!form.modrm) return [encode(form, { mode: 64 })];
  const hasRegister = form.operands.some(({ text }) => text === "STi");
  const registers = hasRegister ? [0, 1, 2, 3, 7] : [0];
  return registers.map((n) => encode(form, { mode: 64, modrm: 0xc0 | n }));
}

/**
 * All cases of a group, in an order that does not change.
 *
 * @param least How many a form gets at least.
 */
export function* x87Cases(group: Group, least: number): Generator<X87Case> {
  const decoder = new Decoder(64);
  const wanted: readonly string[] = groups[group];
  for (const [index, form] of decoder.forms.entries()) {
    if (index === 0) continue;
    const name = semanticName(form);
    if (!wanted.includes(name) || x87SemanticsOf(name) === undefined) continue;
    const ways = encodings(form);
    const random = new Random(index * 7919 + wanted.indexOf(name));
    for (const bytes of ways) {
      for (let turn = 0; turn < Math.ceil(least / ways.length); turn++) {
        yield caseOf(random, index, form, name, group, bytes);
      }
    }
  }
}

function caseOf(
  random: Random,
  index: number,
  form: Form,
  name: string,
  group: Group,
  bytes: Uint8Array<ArrayBuffer>,
): X87Case {
  const image = stateBefore(random, name, group);
  const data = new Uint8Array(dataSize);
  const view = new DataView(data.buffer);
  for (let at = 0; at < dataSize; at += 4) view.setUint32(at, random.next(), true);
  const size = operandBytes(form, name);
  const at = operandAt - dataAt;
  if (size !== undefined) {
    const value = memoryOperand(random, name, size);
    for (let n = 0; n < size; n++) data[at + n] = Number(value >> BigInt(8 * n) & 0xffn);
  }
  if (name === "fldcw" || name === "fldenv" || name === "frstor") {
    view.setUint16(at, random.next() & 0xffff, true);
    if (name !== "fldcw") {
      const wide = bytes.length === 2;
      view.setUint16(at + (wide ? 4 : 2), random.next() & 0xffff, true);
      if (random.below(2) === 0) view.setUint16(at + (wide ? 8 : 4), 0xffff, true);
    }
  }
  if (name === "ldmxcsr") view.setUint32(at, random.next() & 0xffff, true);
  if (name === "fxrstor" || name === "xrstor") {
    data.set(stateBefore(random, name, group), at);
    if (random.below(2) === 0) view.setUint16(at, random.next() & 0xffff, true);
    view.setUint32(at + 28, random.next(), true);
  }
  if (name.startsWith("x")) {
    // The header: what was saved, and in which form.
    data.fill(0, at + 512, at + 576);
    const compact = name === "xrstor" && random.below(2) === 0;
    view.setUint32(at + 512, random.below(4), true);
    if (compact) {
      view.setUint32(at + 520, 3, true);
      view.setUint32(at + 524, 0x8000_0000, true);
    }
  }
  const flags = random.next() & 0x8d5 | 0x202;
  const rax = name.startsWith("x") ? random.below(4) : random.next();
  return { form: index, name, bytes, image, flags, rax, data };
}

const code = (hex: string) => Uint8Array.fromHex(hex);
const restoreImage = code("480fae0b");
const saveImage = code("480fae03");

/** Carries a case out; undefined if it faults. */
export function answerOf(machine: X87Machine, one: X87Case): X87Answer | undefined {
  const { cpu, mmu } = machine;
  const { bytes } = mmu;
  bytes.set(one.data, dataAt - memoryAt);
  bytes.set(one.image, imageAt.before - memoryAt);
  bytes.fill(0, imageAt.after - memoryAt, imageAt.after - memoryAt + 512);
  cpu.registers.fill(0n);
  cpu.registers[3] = BigInt(imageAt.before);
  if (execute(machine, codeAt, restoreImage) !== undefined) return undefined;
  cpu.registers[0] = BigInt(one.rax);
  cpu.registers[3] = BigInt(operandAt);
  cpu.eflags = one.flags;
  if (execute(machine, codeAt, one.bytes) !== undefined) return undefined;
  cpu.registers[3] = BigInt(imageAt.after);
  execute(machine, codeAt, saveImage);
  return {
    image: bytes.slice(imageAt.after - memoryAt, imageAt.after - memoryAt + 512),
    flags: cpu.eflags & 0xffff,
    rax: cpu.low(0),
    data: bytes.slice(dataAt - memoryAt, dataAt - memoryAt + dataSize),
  };
}

/** The image that would be if the instruction changed no more than its own address. */
function expectedImage(one: X87Case): Uint8Array {
  const image = one.image.slice();
  const view = new DataView(image.buffer);
  view.setBigUint64(8, BigInt(codeAt), true);
  view.setUint32(28, 0xffff, true);
  return image;
}

/** Writes answers down: bytes that changed, by runs. */
export function packAnswers(
  pairs: readonly (readonly [X87Case, X87Answer])[],
): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const runs = (from: Uint8Array, to: Uint8Array) => {
    let at = 0;
    let last = 0;
    for (;;) {
      while (at < to.length && from[at] === to[at]) at++;
      if (at >= to.length) break;
      let end = at + 1;
      while (end < to.length && end - at < 250 && from[end] !== to[end]) end++;
      out.push(end - at, at - last & 0xff, at - last >> 8, ...to.subarray(at, end));
      last = at = end;
    }
    out.push(0);
  };
  for (const [one, answer] of pairs) {
    const flags = answer.flags ^ one.flags;
    const rax = answer.rax ^ one.rax;
    out.push((flags !== 0 ? 1 : 0) | (rax !== 0 ? 2 : 0));
    if (flags !== 0) out.push(answer.flags & 0xff, answer.flags >> 8);
    if (rax !== 0) out.push(answer.rax & 0xff, answer.rax >> 8 & 0xff);
    runs(expectedImage(one), answer.image);
    runs(one.data, answer.data);
  }
  return Uint8Array.from(out);
}

/** Reads one answer after the other. */
export class AnswerReader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}

  /** The answer to a case. */
  next(one: X87Case): X87Answer {
    const byte = () => this.bytes[this.#at++] ?? 0;
    const runs = (into: Uint8Array) => {
      let at = 0;
      for (let count = byte(); count > 0; count = byte()) {
        at += byte();
        at += byte() << 8;
        for (let n = 0; n < count; n++) into[at++] = byte();
      }
      return into;
    };
    const changed = byte();
    let { flags, rax } = one;
    if ((changed & 1) !== 0) {
      flags = byte();
      flags |= byte() << 8;
    }
    if ((changed & 2) !== 0) {
      const low = byte();
      rax = (rax & 0xffff_0000 | low | byte() << 8) >>> 0;
    }
    return { flags, rax, image: runs(expectedImage(one)), data: runs(one.data.slice()) };
  }

  /** Whether all answers were read. */
  get done(): boolean {
    return this.#at === this.bytes.length;
  }
}
