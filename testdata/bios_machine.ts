/**
 * A machine in real mode with a BIOS, for tests that call interrupts.
 */

import { Assembler } from "../emu/cpu/assemble.ts";
import { attribute, eflag } from "../emu/cpu/processor.ts";
import { Bios, type BiosOptions } from "../emu/firmware/bios.ts";
import type { MemoryRange } from "../emu/firmware/system.ts";
import { Machine, type MachineOptions, type Stop } from "../emu/machine.ts";

/** Where programs lie. */
export const programAt = 0x8000;
const stack = 0x7000;
const mebibyte = 0x10_0000;

/** General registers by name; those of 8 bits are left out. */
const names = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"] as const;

/** Registers to start with: 32 bits each, `es` and `ds` as selectors. */
export type Registers = Partial<Record<typeof names[number] | "es" | "ds", number>>;

/** What a BIOS call left. */
export interface Answer {
  /** AX to DI, 32 bits each, and ES. */
  readonly registers: Readonly<Record<typeof names[number] | "es", number>>;
  /** Carry. */
  readonly carry: boolean;
  /** The zero flag. */
  readonly zero: boolean;
}

/** A PC's memory map for so many bytes, the last KiB of low memory the BIOS's. */
export function memoryMap(memory: number): MemoryRange[] {
  return [
    { base: 0, size: 0x9fc00, type: 1 },
    { base: 0x9fc00, size: 0x400, type: 2 },
    { base: 0xf0000, size: 0x10000, type: 2 },
    { base: mebibyte, size: memory - mebibyte, type: 1 },
  ];
}

/** A machine and its BIOS, installed. */
export function biosMachine(
  options: Partial<MachineOptions> & Pick<BiosOptions, "disk"> = {},
) {
  const { disk, memory = 32 * mebibyte } = options;
  const serial: number[] = [];
  const printed: number[] = [];
  const machine = new Machine({
    memory,
    startTime: 1_785_853_445,
    serial: (bytes) => serial.push(...bytes),
    ...options,
  });
  const { cpu, board } = machine;
  const map = memoryMap(memory);
  const bios = new Bios({
    ...{ cpu, bus: board.bus, memory: machine.memory, map },
    print: (character) => printed.push(character),
    ...(disk && { disk }),
  });
  bios.install();

  /** Runs 16-bit code to its end, by the debug exit or otherwise. */
  const run = (
    program: (a: Assembler) => void,
    registers: Registers = {},
    instructions = 5_000_000,
  ): Stop => {
    const a = new Assembler({ mode: 16, origin: programAt });
    program(a);
    // The machine stops soon after the port was written to, not at once.
    a.emit("out", 0xf4, "al");
    a.bytes(0xeb, 0xfe);
    machine.memory.write(programAt, a.finish());
    const { es = 0, ds = 0, ...general } = registers;
    [es, 0, 0, ds, 0, 0].forEach((selector, n) => {
      const segment = cpu.segments[n as 0];
      segment.selector = selector;
      segment.base = selector << 4;
      segment.limit = 0xffff;
      segment.attributes = attribute.present | attribute.s | attribute.writable |
        (n === 1 ? attribute.code : 0) | attribute.accessed;
    });
    names.forEach((name, n) => cpu.setAddress(n, name === "sp" ? stack : general[name] ?? 0, 32));
    cpu.rip = programAt;
    cpu.eflags = 2;
    cpu.refresh();
    return machine.run({ instructions });
  };

  /** What an interrupt answers. */
  const call = (vector: number, registers: Registers = {}): Answer => {
    const stop = run((a) => a.emit("int", vector), registers);
    if (stop.kind !== "exit") throw new Error(`int ${vector.toString(16)}h: ${stop.kind}`);
    const found = Object.fromEntries(names.map((name, n) => [name, cpu.low(n)]));
    const { eflags, segments: [es] } = cpu;
    return {
      registers: { ...found, es: es.selector } as Answer["registers"],
      carry: (eflags & eflag.CF) !== 0,
      zero: (eflags & eflag.ZF) !== 0,
    };
  };

  /** Reads memory. */
  const read = (address: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    machine.memory.read(address, bytes);
    return bytes;
  };
  const word = (address: number): number => {
    const [low = 0, high = 0] = read(address, 2);
    return high << 8 | low;
  };
  return { machine, bios, map, run, call, read, word, serial, printed };
}
