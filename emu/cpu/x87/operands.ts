/**
 * Memory operands of the x87 unit, of 2 to 10 bytes.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import type { Processor } from "../processor.ts";

/** The linear address of an instruction's operand, if it may be touched. */
export function operandAddress(
  cpu: Processor,
  i: Instruction,
  bytes: number,
  write: boolean,
): number {
  return cpu.linear(i.segment, cpu.offset(i), bytes, write);
}

/** A linear address so many bytes on; of 32 bits outside long mode. */
export const onwards = (cpu: Processor, linear: number, by: number): number =>
  cpu.isLong ? linear + by : linear + by >>> 0;

/** Reads the operand: 2, 4, 8 or 10 bytes as one number. */
export function loadBits(cpu: Processor, i: Instruction, bytes: number): bigint {
  const address = operandAddress(cpu, i, bytes, false);
  if (bytes === 2 || bytes === 4) return BigInt(cpu.mmu.load(address, bytes));
  const low = cpu.mmu.loadBig(address);
  if (bytes === 8) return low;
  return BigInt(cpu.mmu.load(onwards(cpu, address, 8), 2)) << 64n | low;
}

/** Faults where the operand cannot be written. */
export function probeStore(cpu: Processor, i: Instruction, bytes: number): void {
  cpu.mmu.requireStore(operandAddress(cpu, i, bytes, true), bytes);
}

/** Writes the operand, which was probed before. */
export function storeBits(cpu: Processor, i: Instruction, bytes: number, value: bigint): void {
  const address = operandAddress(cpu, i, bytes, true);
  if (bytes === 2 || bytes === 4) cpu.mmu.store(address, bytes, Number(value));
  else {
    cpu.mmu.storeBig(address, BigInt.asUintN(64, value));
    if (bytes === 10) cpu.mmu.store(onwards(cpu, address, 8), 2, Number(value >> 64n));
  }
}
