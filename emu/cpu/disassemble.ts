/**
 * The disassembler: what a decoded instruction says, in Intel's syntax as
 * binutils write it.
 *
 * ```ts
 * import { disassemble } from "./disassemble.ts";
 *
 * const code = Uint8Array.of(0x8b, 0x45, 0xf8);
 * disassemble(code, { mode: 32, address: 0xc1000000n }).text; // "mov eax,DWORD PTR [ebp-0x8]"
 * ```
 *
 * @module
 */

import { DECODED, Decoder, type DecodeStatus, longestInstruction } from "./decode.ts";
import {
  Instruction,
  type Mode,
  NO_REGISTER,
  PREFIX_LOCK,
  PREFIX_REP,
  PREFIX_REPNE,
  RIP,
} from "./instruction.ts";
import type { Form, Operand } from "./opcodes/form.ts";
import { widthOf } from "./operand.ts";
import { registerName, segmentRegisters } from "./registers.ts";

/** Where code stands, and how to call places. */
export interface DisassembleOptions {
  /** Width of the code. */
  readonly mode: Mode;
  /** Address of the instruction, for jumps and addresses relative to it; default 0. */
  readonly address?: bigint;
  /** Names an address, such as `start_kernel+0x10`, or does not. */
  readonly symbol?: ((address: bigint) => string | undefined) | undefined;
}

/** An instruction in words. */
export interface Disassembled {
  /** Bytes it takes; of what is no instruction, one. */
  readonly length: number;
  /** What it says; `(bad)` where there is no such instruction. */
  readonly text: string;
  /** How decoding went. */
  readonly status: DecodeStatus;
  /** The feature that a processor must have for it, as /proc/cpuinfo names it. */
  readonly needs?: string;
}

const decoders = new Map<Mode, Decoder>();
const found = new Instruction();

/** Disassembles the first instruction of some code. */
export function disassemble(code: Uint8Array, options: DisassembleOptions): Disassembled {
  const { mode } = options;
  let decoder = decoders.get(mode);
  if (decoder === undefined) decoders.set(mode, decoder = new Decoder(mode));
  const status = decoder.decode(code, 0, Math.min(code.length, longestInstruction), found);
  const form = decoder.forms[found.form];
  if (status !== DECODED || form === undefined) return { length: 1, text: "(bad)", status };
  const { needs } = form.row;
  return {
    length: found.length,
    text: showInstruction(found, form, options),
    status,
    ...needs !== undefined && { needs },
  };
}

/** Writes a decoded instruction. */
export function showInstruction(i: Instruction, form: Form, options: DisassembleOptions): string {
  const operands = form.operands.map((operand) => showOperand(operand, i, options));
  const pointed = i.isMemory && i.base === RIP ? ripTarget(i, options) : undefined;
  return [
    ...showPrefixes(i, form),
    mnemonicOf(i, form),
    ...operands.length > 0 ? [operands.join(",")] : [],
    ...pointed === undefined ? [] : [`# ${showAddress(pointed, options)}`],
  ].join(" ");
}

/** The mnemonic of an instruction, by its operand or address size. */
export function mnemonicOf(i: Instruction, form: Form): string {
  const size = form.row.as === "jcxz" ? i.addressSize : i.operandSize;
  return form.mnemonics[size === 16 ? 0 : size === 32 ? 1 : 2];
}

const repeatsWithFlag = ["cmps", "scas"];

function showPrefixes(i: Instruction, form: Form): string[] {
  const words: string[] = [];
  if ((i.prefixes & PREFIX_LOCK) !== 0) words.push("lock");
  if ((i.prefixes & PREFIX_REPNE) !== 0) words.push("repnz");
  if ((i.prefixes & PREFIX_REP) !== 0) {
    const [name] = form.mnemonics;
    const repeats = form.operands.some(({ kind }) => kind === "X" || kind === "Y");
    words.push(repeats && !repeatsWithFlag.includes(name) ? "rep" : "repz");
  }
  return words;
}

const sizeWords: Readonly<Record<number, string>> = {
  ...{ 8: "BYTE", 16: "WORD", 32: "DWORD", 48: "FWORD", 64: "QWORD", 80: "TBYTE", 128: "XMMWORD" },
};

function showOperand(operand: Operand, i: Instruction, options: DisassembleOptions): string {
  const { mode } = options;
  const { kind, size, text } = operand;
  const general = (number: number, bits: number) => registerName(number, bits, i.rex !== 0);
  const memory = () => {
    const word = sizeWords[widthOf(operand.memory, i, mode)];
    return (word === undefined ? "" : `${word} PTR `) + showMemory(i, options);
  };
  const implied = (segment: string, register: number) =>
    `${sizeWords[widthOf(size, i, mode)]} PTR ${segment}:[${general(register, i.addressSize)}]`;
  switch (kind) {
    case "E":
    case "M":
    case "R":
      if (i.isMemory) return memory();
      return general(i.rm, widthOf(size, i, mode) || i.addressSize);
    case "G":
      return general(i.reg, widthOf(size, i, mode) || i.addressSize);
    case "Z":
      return general(i.rm, widthOf(size, i, mode));
    case "V":
      return `xmm${i.reg}`;
    case "W":
    case "U":
      return i.isMemory ? memory() : `xmm${i.rm}`;
    case "P":
      return `mm${i.reg & 7}`;
    case "Q":
    case "N":
      return i.isMemory ? memory() : `mm${i.rm & 7}`;
    case "S":
      return segmentRegisters[i.reg & 7] ?? "?";
    case "C":
      return `cr${i.reg}`;
    case "D":
      return `dr${i.reg}`;
    case "I":
      return showImmediate(operand, i, mode);
    case "J":
      return showAddress(jumpTarget(i, options), options);
    case "A":
      return `${hex(i.immediate2)}:${hex(i.immediate >>> 0)}`;
    case "O":
      return `${segmentRegisters[i.segment]}:${hex(word64(i) & mask(i.addressSize))}`;
    case "X":
      return implied(segmentRegisters[i.segment] ?? "?", 6);
    case "Y":
      return implied("es", 7);
    case "BBb":
      return implied(segmentRegisters[i.segment] ?? "?", 3);
    case "fixed":
      if (text === "STi") return `st(${i.rm & 7})`;
      if (text === "eAX" || text === "rAX") return general(0, widthOf(size, i, mode));
      return text.toLowerCase();
  }
}

function showImmediate(operand: Operand, i: Instruction, mode: Mode): string {
  const { size, text } = operand;
  if (text === "Ib" && i.opcode === 0xc8) return hex(i.immediate2);
  if (size === "b" || size === "w") return hex(i.immediate);
  // What is sign-extended is shown as it arrives, at the operand size.
  return hex(word64(i) & mask(mode === 64 ? i.operandSize : Math.min(i.operandSize, 32)));
}

function showMemory(i: Instruction, options: DisassembleOptions): string {
  const { base, index, disp, addressSize } = i;
  const register = (number: number) =>
    number === RIP ? addressSize === 32 ? "eip" : "rip" : registerName(number, addressSize, true);
  const stack = addressSize === 16 ? base === 5 : base === 4 || base === 5;
  const overridden = i.segment !== (stack ? 2 : 3);
  const segment = segmentRegisters[i.segment] ?? "?";
  if (base === NO_REGISTER && index === NO_REGISTER) {
    const wide = options.mode === 64 && addressSize === 64 ? 64 : addressSize;
    return `${segment}:${hex(BigInt(disp) & mask(wide))}`;
  }
  const parts = [
    ...base === NO_REGISTER ? [] : [register(base)],
    ...index === NO_REGISTER
      ? []
      : [addressSize === 16 ? register(index) : `${register(index)}*${1 << i.shift}`],
  ].join("+");
  const offset = disp < 0 ? `-${hex(-disp)}` : disp > 0 || base === RIP ? `+${hex(disp)}` : "";
  return `${overridden ? `${segment}:` : ""}[${parts}${offset}]`;
}

/** Where a jump or call with a distance leads. */
export function jumpTarget(i: Instruction, { address = 0n, mode }: DisassembleOptions): bigint {
  const target = address + BigInt(i.length) + BigInt(i.immediate);
  return target & mask(mode === 64 ? i.operandSize : Math.min(i.operandSize, 32));
}

function ripTarget(i: Instruction, { address = 0n }: DisassembleOptions): bigint {
  return address + BigInt(i.length) + BigInt(i.disp) & mask(i.addressSize);
}

function showAddress(address: bigint, { symbol }: DisassembleOptions): string {
  const name = symbol?.(address);
  return name === undefined ? hex(address) : `${hex(address)} <${name}>`;
}

function word64(i: Instruction): bigint {
  return BigInt(i.immediateHigh) << 32n | BigInt(i.immediate >>> 0);
}

const mask = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
