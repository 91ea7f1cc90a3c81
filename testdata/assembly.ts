/**
 * A decoded instruction as the assembler takes it: its mnemonic and operands.
 *
 * @module
 */

import { type AssemblyOperand, far, mem, type Memory, to } from "../emu/cpu/assemble.ts";
import { mnemonicOf } from "../emu/cpu/disassemble.ts";
import {
  type Instruction,
  type Mode,
  NO_REGISTER,
  PREFIX_LOCK,
  PREFIX_REP,
  PREFIX_REPNE,
  RIP,
} from "../emu/cpu/instruction.ts";
import { widthOf } from "../emu/cpu/operand.ts";
import type { Form, Operand } from "../emu/cpu/opcodes/form.ts";
import { registerName, segmentRegisters } from "../emu/cpu/registers.ts";

/** Mnemonic, with prefixes before it, and operands of an instruction at an address. */
export function operandsOf(
  i: Instruction,
  form: Form,
  mode: Mode,
  address: number,
): { readonly mnemonic: string; readonly operands: readonly AssemblyOperand[] } {
  const words: string[] = [];
  if ((i.prefixes & PREFIX_LOCK) !== 0) words.push("lock");
  if ((i.prefixes & PREFIX_REP) !== 0) words.push("rep");
  if ((i.prefixes & PREFIX_REPNE) !== 0) words.push("repne");
  const isFar = form.row.as === "call_far" || form.row.as === "jmp_far";
  if (isFar && i.isMemory) words.push("far");
  words.push(`o${i.operandSize}`, `a${i.addressSize}`);
  return {
    mnemonic: [...words, mnemonicOf(i, form)].join(" "),
    operands: form.operands.map((operand) => operandOf(operand, i, mode, address)),
  };
}

function operandOf(operand: Operand, i: Instruction, mode: Mode, address: number): AssemblyOperand {
  const { kind, size, text } = operand;
  const general = (number: number, bits: number) => registerName(number, bits, i.rex !== 0);
  const width = widthOf(size, i, mode);
  const memory = () => memoryOf(i, widthOf(operand.memory, i, mode));
  const implied = (base: number, segment: string): Memory =>
    mem({ base: general(base, i.addressSize), size: width, segment });
  const segment = segmentRegisters[i.segment] ?? "";
  switch (kind) {
    case "E":
    case "M":
    case "R":
      return i.isMemory ? memory() : general(i.rm, width || i.addressSize);
    case "G":
      return general(i.reg, width || i.addressSize);
    case "Z":
      return general(i.rm, width);
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
      return segmentRegisters[i.reg & 7] ?? "";
    case "C":
      return `cr${i.reg}`;
    case "D":
      return `dr${i.reg}`;
    case "I":
      if (i.opcode === 0xc8 && text === "Ib") return i.immediate2;
      return BigInt(i.immediateHigh) << 32n | BigInt(i.immediate >>> 0);
    case "J":
      return to(addressIn(mode === 64 ? i.operandSize : Math.min(i.operandSize, 32), i, address));
    case "A":
      return far(i.immediate2, i.immediate >>> 0);
    case "O":
      return mem({
        disp: BigInt(i.immediateHigh) << 32n | BigInt(i.immediate >>> 0),
        ...{ size: width, segment, addressSize: i.addressSize as Mode },
      });
    case "X":
      return implied(6, segment);
    case "Y":
      return implied(7, "es");
    case "BBb":
      return implied(3, segment);
    case "fixed":
      if (text === "1") return 1;
      if (text === "STi") return `st(${i.rm & 7})`;
      if (text === "eAX" || text === "rAX") return general(0, width);
      return text.toLowerCase();
  }
}

function memoryOf(i: Instruction, size: number): Memory {
  const name = (number: number) =>
    number === RIP
      ? i.addressSize === 64 ? "rip" : "eip"
      : registerName(number, i.addressSize, true);
  return mem({
    ...i.base === NO_REGISTER ? {} : { base: name(i.base) },
    ...i.index === NO_REGISTER ? {} : { index: name(i.index) },
    ...{
      scale: [1, 2, 4, 8][i.shift] as 1,
      disp: i.disp,
      segment: segmentRegisters[i.segment] ?? "",
    },
    ...size === 0 ? {} : { size },
    addressSize: i.addressSize as Mode,
  });
}

/** Where a jump leads; in 64-bit code the upper half of the addresses is negative. */
function addressIn(bits: number, i: Instruction, address: number): number {
  const target = BigInt(address + i.length + i.immediate);
  return Number(bits === 64 ? target : BigInt.asUintN(bits, target));
}
