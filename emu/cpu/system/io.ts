/**
 * IN, OUT, INS and OUTS, and who may use which port.
 *
 * A repeated INS or OUTS commits with every element. After a number of them it
 * gives way, with RIP still on it, so that time goes on and interrupts come in.
 *
 * Source: Intel SDM vol. 2, "IN", "INS", "OUT", "OUTS"; vol. 1, 19.5 (protection).
 *
 * @module
 */

import { type Instruction, PREFIX_REP, PREFIX_REPNE } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";
import {
  attribute,
  eflag,
  type Processor,
  segmentNumbers,
  type SystemSemantics,
} from "../processor.ts";
import { notAllowed } from "./privilege.ts";

/** Where a TSS says where its I/O permission bitmap begins. */
const bitmapOffset = 0x66;

/** Whether the current task may use these ports. */
export function mayUsePorts(cpu: Processor, port: number, width: number): boolean {
  if (!cpu.isProtected) return true;
  if (!cpu.isVirtual8086 && cpu.cpl <= cpu.iopl) return true;
  const { base, limit, attributes } = cpu.segments[segmentNumbers.TR];
  // Available or busy, but of 32 bits, or in long mode 64; one of 16 has no bitmap.
  const isTss = (attributes & attribute.unusable) === 0 && (attributes & 0x1d) === 9;
  if (!isTss || limit < bitmapOffset + 1) return false;
  const at = (offset: number) => cpu.isLong ? base + offset : base + offset >>> 0;
  const first = cpu.mmu.load(at(bitmapOffset), 2, "supervisor") + (port >> 3);
  // Two bytes are read always, so one of all ones has to follow the bitmap.
  if (first + 1 > limit) return false;
  const bits = cpu.mmu.load(at(first), 2, "supervisor") >> (port & 7);
  return (bits & (1 << width) - 1) === 0;
}

/** Width of the port in bytes. */
function widthOf(i: Instruction): 1 | 2 | 4 {
  // Of each pair of opcodes the even one is for bytes.
  if ((i.opcode & 1) === 0) return 1;
  return i.operandSize === 16 ? 2 : 4;
}

/** The port of IN and OUT: e4 to e7 have it in the instruction, ec to ef in DX. */
function portOf(cpu: Processor, i: Instruction): number {
  return (i.opcode & 8) === 0 ? i.immediate & 0xff : cpu.low(2) & 0xffff;
}

const input: SystemSemantics = (cpu, i, form) => {
  const width = widthOf(i);
  const port = portOf(cpu, i);
  if (!mayUsePorts(cpu, port, width)) return notAllowed(cpu, i, form);
  const value = cpu.devices.in(port, width);
  if (width === 1) cpu.setAddress(0, cpu.low(0) & 0xff00 | value & 0xff, 16);
  else cpu.setAddress(0, value, width * 8);
};

const output: SystemSemantics = (cpu, i, form) => {
  const width = widthOf(i);
  const port = portOf(cpu, i);
  if (!mayUsePorts(cpu, port, width)) return notAllowed(cpu, i, form);
  const value = cpu.low(0);
  cpu.devices.out(port, width === 4 ? value : value & (width === 2 ? 0xffff : 0xff), width);
};

/** Moves one element; throws before it has. */
type Move = (cpu: Processor, i: Instruction, port: number, width: 1 | 2 | 4) => void;

/**
 * INS and OUTS.
 *
 * @param index The register that goes along memory: 6 rSI, 7 rDI.
 */
function repeatable(index: 6 | 7, move: Move): SystemSemantics {
  return (cpu: Processor, i: Instruction, form: Form) => {
    const width = widthOf(i);
    const port = cpu.low(2) & 0xffff;
    const size = i.addressSize;
    const repeats = (i.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0;
    if (!mayUsePorts(cpu, port, width)) return notAllowed(cpu, i, form);
    const step = (cpu.eflags & eflag.DF) !== 0 ? -width : width;
    let left = repeats ? count(cpu, size) : 1;
    for (let n = 0; n < cpu.elementsAStep && left > 0; n++) {
      move(cpu, i, port, width);
      cpu.setAddress(index, cpu.address(index, size) + step, size);
      left--;
      if (repeats) cpu.setAddress(1, left, size);
    }
    if (left > 0) cpu.nextRip = cpu.rip;
  };
}

/** rCX, unsigned; what is not exact is more than anybody waits for. */
function count(cpu: Processor, size: number): number {
  return size === 64 ? Number(cpu.registers[1]) : cpu.address(1, size);
}

const insert: Move = (cpu, i, port, width) => {
  const { mmu } = cpu;
  const at = cpu.linear(segmentNumbers.ES, cpu.address(7, i.addressSize), width, true);
  // A device must not be asked for what cannot be stored.
  mmu.requireStore(at, width);
  mmu.store(at, width, cpu.devices.in(port, width));
};

const extract: Move = (cpu, i, port, width) => {
  const at = cpu.linear(i.segment, cpu.address(6, i.addressSize), width, false);
  cpu.devices.out(port, cpu.mmu.load(at, width), width);
};

/** Input and output, by semantic name. */
export const ioSemantics: Readonly<Record<string, SystemSemantics>> = {
  in: input,
  out: output,
  ins: repeatable(7, insert),
  outs: repeatable(6, extract),
};
