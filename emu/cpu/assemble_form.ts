/**
 * From an instruction in words to bytes: which rows of the opcode map fit its
 * operands, and how each is encoded.
 *
 * Whatever is made here is decoded again before it is taken, so that the map's
 * rules on which row a prefix or a ModRM byte means need not be said twice.
 *
 * @module
 */

import { DECODED, Decoder } from "./decode.ts";
import { Instruction, type Mode } from "./instruction.ts";
import { widthOf } from "./operand.ts";
import type { Form, Operand } from "./opcodes/form.ts";
import {
  type AssemblyOperand,
  type Memory,
  type Reference,
  type Register,
  registerNamed,
} from "./assemble_operand.ts";

/** A number in an instruction that is known when all is placed. */
export interface Fixup {
  /** Where it stands, in bytes from the start. */
  readonly at: number;
  /** Bytes it has. */
  readonly width: number;
  /** Counted from the end of the instruction. */
  readonly relative: boolean;
  /** Width in bits of the addresses that a distance is between. */
  readonly bits: number;
  /** What it is. */
  readonly reference: Reference;
}

/** An instruction as bytes, and what is to be put into them. */
export interface Encoded {
  /** Its bytes. */
  readonly bytes: readonly number[];
  /** What is still open. */
  readonly fixups: readonly Fixup[];
}

/** An instruction in words. */
export interface Statement {
  /** Width of the code. */
  readonly mode: Mode;
  /** The mnemonic as the opcode map has it. */
  readonly mnemonic: string;
  /** LOCK or a repeat prefix, to be put before it. */
  readonly prefix?: number | undefined;
  /** The operand size asked for. */
  readonly operandSize?: number | undefined;
  /** The address size asked for. */
  readonly addressSize?: number | undefined;
  /** A far jump or call by a pointer in memory. */
  readonly isFar: boolean;
  /** Operands. */
  readonly operands: readonly AssemblyOperand[];
}

interface Candidate extends Encoded {
  readonly form: number;
  readonly operandSize: number;
  /** Width of memory that did not say it. */
  readonly memoryWidth: number | undefined;
}

interface Named {
  readonly index: number;
  readonly form: Form;
  /** The only operand sizes for which it has this name. */
  readonly sizes: readonly number[];
  /** The only address size likewise, of JCXZ and its like. */
  readonly addressSize: number | undefined;
  /** The name is one that needs no operands, such as `movsb`. */
  readonly implied: boolean;
}

const allSizes = [16, 32, 64];
let names: Map<string, Named[]> | undefined;
const decoders = new Map<Mode, Decoder>();
const found = new Instruction();

function decoderOf(mode: Mode): Decoder {
  let decoder = decoders.get(mode);
  if (decoder === undefined) decoders.set(mode, decoder = new Decoder(mode));
  return decoder;
}

/** Rows by their mnemonics. */
function namesOf(forms: readonly Form[]): Map<string, Named[]> {
  const map = new Map<string, Named[]>();
  const add = (name: string, named: Named) => {
    const list = map.get(name);
    if (list === undefined) map.set(name, [named]);
    else list.push(named);
  };
  for (const [index, form] of forms.entries()) {
    if (index === 0) continue;
    const { mnemonics, operands, row } = form;
    for (const name of new Set(mnemonics)) {
      const sizes = allSizes.filter((_, n) => mnemonics[n] === name);
      if (row.as === "jcxz") {
        add(name, { index, form, sizes: allSizes, addressSize: sizes[0], implied: false });
      } else add(name, { index, form, sizes, addressSize: undefined, implied: false });
    }
    const [name] = mnemonics;
    const string = operands.find(({ kind }) => kind === "X" || kind === "Y");
    const implied = { index, form, addressSize: undefined, implied: true };
    if (string?.size === "b") add(`${name}b`, { ...implied, sizes: allSizes });
    else if (string !== undefined) {
      add(`${name}w`, { ...implied, sizes: [16] });
      add(`${name}d`, { ...implied, sizes: [32] });
      add(`${name}q`, { ...implied, sizes: [64] });
    }
    if (operands[0]?.kind === "BBb") add(name, { ...implied, sizes: allSizes });
  }
  return map;
}

/** Whether there is an instruction of that name, in some mode. */
export function isMnemonic(name: string): boolean {
  names ??= namesOf(decoderOf(32).forms);
  return names.has(name);
}

/**
 * Every encoding of an instruction that may be the one: where a label decides,
 * short and long ones, else the shortest; of several, the first of the opcode map.
 *
 * @throws {TypeError} If no row fits, or memory has to say its size.
 */
export function encodings(statement: Statement): readonly Encoded[] {
  names ??= namesOf(decoderOf(32).forms);
  const { mode, mnemonic, operands } = statement;
  const all: Candidate[] = [];
  for (const named of names.get(mnemonic) ?? []) {
    const { form } = named;
    if (form.row.only === (mode === 64 ? "i64" : "o64")) continue;
    if ((named.implied ? 0 : form.operands.length) !== operands.length) continue;
    const natural = form.row.size !== undefined && mode === 64 ? 64 : Math.min(mode, 32);
    const sizes = operandSizes(form, mode).filter((size) =>
      named.sizes.includes(size) && size === (statement.operandSize ?? size)
    );
    const fitting = sizes.flatMap((size) => encodeForm(statement, named, size) ?? []);
    const asUsual = fitting.filter(({ operandSize }) => operandSize === natural);
    const widths = new Set(fitting.map(({ memoryWidth }) => memoryWidth));
    all.push(...widths.size > 1 ? fitting : asUsual.length > 0 ? asUsual : fitting.slice(0, 1));
  }
  const widths = new Set(all.map(({ memoryWidth }) => memoryWidth));
  if (widths.size > 1) throw new TypeError("memory has to say its size");
  if (all.length === 0) throw new TypeError(`no row of the opcode map fits in ${mode}-bit code`);
  all.sort((a, b) => a.bytes.length - b.bytes.length);
  return all.every(({ fixups }) => fixups.length > 0) ? all : all.slice(0, 1);
}

/** Operand sizes that prefixes can give a row. */
function operandSizes({ row, rexW, prefix }: Form, mode: Mode): readonly number[] {
  const has66 = prefix !== "np" && prefix !== "66";
  if (mode !== 64) return rexW ? [] : has66 ? [mode, 48 - mode] : [mode];
  if (row.size === "f64" || rexW) return [64];
  if (row.size === "d64") return has66 ? [64, 16] : [64];
  return has66 ? [32, 16, 64] : [32, 64];
}

/** What operands put into an instruction's fields. */
interface Fields {
  reg: number;
  rm: number;
  memory: Memory | undefined;
  offset: Memory | undefined;
  segment: number | undefined;
  needsRex: boolean;
  forbidsRex: boolean;
  memoryWidth: number | undefined;
  numbers: { value: bigint | Reference; operand: Operand }[];
  selector: number;
}

/** Encodes a row for an operand size, or finds that it does not fit. */
function encodeForm(
  statement: Statement,
  named: Named,
  operandSize: number,
): Candidate | undefined {
  const { mode, operands } = statement;
  const { form } = named;
  const isFar = form.row.as === "call_far" || form.row.as === "jmp_far";
  const pointed = form.operands.some(({ kind }) => kind === "M");
  if (isFar && pointed !== statement.isFar || !isFar && statement.isFar) return undefined;

  const addressSize = named.addressSize ?? statement.addressSize ??
    addressSizeBy(form, operands) ?? mode;
  if (mode === 64 ? addressSize === 16 : addressSize === 64) return undefined;
  Object.assign(found, { operandSize, addressSize });
  const fields: Fields = {
    reg: form.digit ?? 0,
    rm: form.rm ?? 0,
    memory: undefined,
    offset: undefined,
    segment: undefined,
    needsRex: false,
    forbidsRex: false,
    memoryWidth: undefined,
    numbers: [],
    selector: 0,
  };
  if (!named.implied) {
    for (const [n, operand] of form.operands.entries()) {
      const given = operands[n];
      if (given === undefined || !place(operand, given, form, fields, mode)) return undefined;
    }
  }
  return write(statement, named, fields, operandSize, addressSize);
}

/** The address size that memory has, or a register that holds an address. */
function addressSizeBy(form: Form, operands: readonly AssemblyOperand[]): number | undefined {
  for (const operand of operands) {
    if (typeof operand !== "object" || operand.kind !== "memory") continue;
    const name = operand.base ?? operand.index;
    const size = name === undefined ? operand.addressSize : registerNamed(name).bits;
    if (size !== undefined) return size;
  }
  // A register operand without a width of its own holds an address.
  const n = form.operands.findIndex(({ kind, size }) => "GR".includes(kind) && size === "");
  const name = operands[n];
  return typeof name === "string" ? registerNamed(name).bits : undefined;
}

/** Puts an operand where the row has it; false: it does not belong there. */
function place(
  operand: Operand,
  given: AssemblyOperand,
  form: Form,
  fields: Fields,
  mode: Mode,
): boolean {
  const { kind, size } = operand;
  if (typeof given === "string") return placeRegister(operand, registerNamed(given), form, fields);
  if (typeof given === "object" && given.kind === "memory") {
    if (form.mod === "register" || given.size === 0) return false;
    const width = widthOf(operand.memory, found, mode);
    if ("EMWQ".includes(kind)) fields.memory = given;
    else if (kind === "O") {
      if (given.base !== undefined || given.index !== undefined) return false;
      fields.offset = given;
    } else if (kind === "X" || kind === "Y" || kind === "BBb") {
      const number = kind === "X" ? 6 : kind === "Y" ? 7 : 3;
      const { base, index, disp = 0, segment } = given;
      const register = base === undefined ? undefined : registerNamed(base);
      if (register?.file !== "general" || register.number !== number) return false;
      if (index !== undefined || disp !== 0) return false;
      if (kind === "Y") {
        if (segment !== undefined && segment !== "es") return false;
      } else if (segment !== undefined && segment !== "ds") {
        fields.segment = registerNamed(segment).number;
      }
    } else return false;
    if (given.size === undefined) fields.memoryWidth = width;
    // Memory without a width of its own takes whatever size is said.
    return given.size === undefined || width === 0 || given.size === width;
  }
  if (typeof given === "object" && given.kind === "far") {
    if (kind !== "A") return false;
    fields.selector = given.selector;
    const { offset } = given;
    fields.numbers.push({ value: typeof offset === "number" ? BigInt(offset) : offset, operand });
    return true;
  }
  if (kind === "fixed") return operand.text === "1" && (given === 1 || given === 1n);
  if (typeof given === "object") {
    const takes = kind === "J" || kind === "I" && ["w", "z", "v"].includes(size);
    if (takes) fields.numbers.push({ value: given, operand });
    return takes;
  }
  if (kind !== "I") return false;
  const value = BigInt(given);
  const { operandSize } = found;
  const extended = size === "bs" || size === "z" && operandSize === 64;
  const bits = size === "bs" ? 8 : widthOf(size, found, mode);
  const width = extended ? operandSize : bits;
  if (value >= 1n << BigInt(width) || value < -(1n << BigInt(width - 1))) return false;
  if (extended && BigInt.asIntN(width, value) !== BigInt.asIntN(bits, value)) return false;
  fields.numbers.push({ value, operand });
  return true;
}

function placeRegister(
  { kind, size, text }: Operand,
  register: Register,
  form: Form,
  fields: Fields,
): boolean {
  const { file, number, bits } = register;
  const inReg = "GSCDVP".includes(kind);
  const files = { S: "segment", C: "control", D: "debug", V: "sse", W: "sse", U: "sse" } as const;
  const mmx = { P: "mmx", Q: "mmx", N: "mmx" } as const;
  const general = { E: "general", G: "general", R: "general", Z: "general" } as const;
  if (kind === "fixed") {
    if (text === "ST") return file === "top";
    if (text === "STi") {
      fields.rm = number;
      return file === "x87";
    }
    if (text === "XMM0") return file === "sse" && number === 0;
    if (text === "eAX" || text === "rAX") {
      return file === "general" && number === 0 && bits === widthOf(size, found, 64);
    }
    return text.toLowerCase() === register.name;
  }
  const wanted = { ...files, ...mmx, ...general }[kind as "E"] as Register["file"] | undefined;
  if (wanted !== file) return false;
  if (file === "general") {
    if (bits !== (widthOf(size, found, 64) || found.addressSize)) return false;
    if (register.rex === "needs") fields.needsRex = true;
    if (register.rex === "forbids") fields.forbidsRex = true;
  }
  if (inReg) {
    if (form.digit !== undefined && form.digit !== number) return false;
    fields.reg = number;
  } else {
    if (form.mod === "memory") return false;
    fields.rm = number;
  }
  return true;
}

/** ModRM's mod and r/m fields, SIB byte and displacement of memory. */
interface Address {
  readonly modrm: number;
  readonly sib: number | undefined;
  readonly width: number;
  readonly disp: number | Reference;
  readonly relative: boolean;
  readonly rexXB: number;
  readonly stack: boolean;
}

function addressOf(memory: Memory, addressSize: number, mode: Mode): Address | undefined {
  const { scale = 1, disp = 0 } = memory;
  const base = memory.base === undefined ? undefined : registerNamed(memory.base);
  const index = memory.index === undefined ? undefined : registerNamed(memory.index);
  for (const register of [base, index]) {
    if (register !== undefined && register.bits !== addressSize) return undefined;
    if (register !== undefined && register.number > 7 && mode !== 64) return undefined;
  }
  const open = typeof disp === "object";
  const full = addressSize === 16 ? 2 : 4;
  let value = 0;
  if (!open) {
    const exact = BigInt.asIntN(addressSize, BigInt(disp));
    if (exact !== BigInt.asIntN(32, exact)) return undefined;
    if (BigInt(disp) !== exact && BigInt(disp) !== BigInt.asUintN(addressSize, exact)) {
      return undefined;
    }
    value = Number(exact);
  }
  const plain = { disp: open ? disp : value, relative: false, rexXB: 0, stack: false };
  const bytesOf = (never0: boolean) =>
    open ? full : value === 0 && !never0 ? 0 : value === value << 24 >> 24 ? 1 : full;
  const modOf = (width: number) => width === 0 ? 0 : width === 1 ? 1 : 2;

  if (addressSize === 16) {
    if (index !== undefined && scale !== 1) return undefined;
    const numbers = [base, index].flatMap((one) => one === undefined ? [] : [one.number]);
    if (numbers.length === 0) return { ...plain, modrm: 6, sib: undefined, width: 2 };
    const low = ["3,6", "3,7", "5,6", "5,7", "6", "7", "5", "3"].indexOf(numbers.sort().join());
    if (low < 0) return undefined;
    const width = bytesOf(low === 6);
    const stack = numbers.includes(5);
    return { ...plain, modrm: modOf(width) << 6 | low, sib: undefined, width, stack };
  }
  if (base?.file === "pointer") {
    if (mode !== 64 || index !== undefined) return undefined;
    return { ...plain, modrm: 5, sib: undefined, width: 4, relative: open };
  }
  if (index?.number === 4) return undefined;
  const rexXB = (index === undefined ? 0 : index.number >> 3 << 1) |
    (base === undefined ? 0 : base.number >> 3);
  const shift = [1, 2, 4, 8].indexOf(scale);
  const middle = (index === undefined ? 4 : index.number & 7) << 3 | shift << 6;
  if (base === undefined) {
    // In 64-bit mode the form without SIB byte is relative to the instruction pointer.
    if (index === undefined && mode !== 64) return { ...plain, modrm: 5, sib: undefined, width: 4 };
    return { ...plain, modrm: 4, sib: middle | 5, width: 4, rexXB };
  }
  const low = base.number & 7;
  const width = bytesOf(low === 5);
  const stack = base.number === 4 || base.number === 5;
  const withSib = index !== undefined || low === 4;
  const modrm = modOf(width) << 6 | (withSib ? 4 : low);
  return { ...plain, modrm, sib: withSib ? middle | low : undefined, width, rexXB, stack };
}

const segmentPrefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

function write(
  statement: Statement,
  { form, index }: Named,
  fields: Fields,
  operandSize: number,
  addressSize: number,
): Candidate | undefined {
  const { mode } = statement;
  const { memory, offset } = fields;
  const address = memory === undefined ? undefined : addressOf(memory, addressSize, mode);
  if (memory !== undefined && address === undefined) return undefined;
  if (form.mod === "memory" && memory === undefined) return undefined;

  const natural = form.row.size !== undefined && mode === 64 ? 64 : Math.min(mode, 32);
  const rexW = form.rexW || mode === 64 && operandSize === 64 && natural !== 64;
  const usesReg = form.modrm ? fields.reg >> 3 << 2 : 0;
  const extra = (rexW ? 8 : 0) | usesReg | (address?.rexXB ?? 0) | fields.rm >> 3;
  const rex = extra !== 0 || fields.needsRex ? 0x40 | extra : 0;
  if (rex !== 0 && (mode !== 64 || fields.forbidsRex)) return undefined;

  const bytes: number[] = [];
  const fixups: Fixup[] = [];
  const named = memory?.segment ?? offset?.segment;
  let segment = fields.segment;
  if (named !== undefined) {
    const { file, number } = registerNamed(named);
    if (file !== "segment") return undefined;
    if (number !== (address?.stack === true ? 2 : 3)) segment = number;
  }
  if (segment !== undefined) {
    if (mode === 64 && segment < 4) return undefined;
    bytes.push(segmentPrefixes[segment] ?? 0);
  }
  if (addressSize !== mode) bytes.push(0x67);
  if (operandSize !== natural && !(mode === 64 && operandSize === 64)) bytes.push(0x66);
  if (statement.prefix !== undefined) bytes.push(statement.prefix);
  if (form.prefix.length === 2 && form.prefix !== "np") bytes.push(parseInt(form.prefix, 16));
  if (rex !== 0) bytes.push(rex);
  if (form.map > 0) bytes.push(0x0f);
  if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
  bytes.push(form.opcode + (form.plusR ? fields.rm & 7 : 0));

  const number = (value: bigint | Reference, width: number, relative: boolean, bits: number) => {
    if (typeof value === "object") {
      fixups.push({ at: bytes.length, width, relative, bits, reference: value });
    }
    const plain = typeof value === "object" ? 0n : value;
    for (let n = 0; n < width; n++) bytes.push(Number(plain >> BigInt(8 * n) & 0xffn));
  };
  if (form.modrm) {
    const middle = (fields.reg & 7) << 3;
    if (address === undefined) bytes.push(0xc0 | middle | fields.rm & 7);
    else {
      bytes.push(address.modrm | middle);
      if (address.sib !== undefined) bytes.push(address.sib);
      const { disp, width, relative } = address;
      number(typeof disp === "number" ? BigInt(disp) : disp, width, relative, addressSize);
    }
  }
  if (offset !== undefined) {
    const { disp = 0 } = offset;
    number(typeof disp === "object" ? disp : BigInt(disp), addressSize / 8, false, addressSize);
  }
  for (const [n, code] of form.immediates.entries()) {
    const value = fields.numbers[n]?.value;
    if (value === undefined) return undefined;
    const z = operandSize === 16 ? 2 : 4;
    const width = { ib: 1, cb: 1, iw: 2, iz: z, cz: z, cp: z, iv: operandSize / 8 }[code];
    number(value, width, code === "cb" || code === "cz", operandSize);
    if (code === "cp") number(BigInt(fields.selector), 2, false, 16);
  }

  const decoder = decoderOf(mode);
  const code = Uint8Array.from(bytes);
  if (decoder.decode(code, 0, code.length, found) !== DECODED) return undefined;
  if (found.form !== index || found.length !== code.length) return undefined;
  if (found.operandSize !== operandSize || found.addressSize !== addressSize) return undefined;
  return { form: index, bytes, fixups, operandSize, memoryWidth: fields.memoryWidth };
}
