/**
 * A machine that starts in a ROM, at the reset vector.
 *
 * @module
 */

import { Machine, type MachineOptions } from "../emu/machine.ts";
import { romAt } from "./system_rom.ts";

/** A machine of 16 MiB with the ROM of `systemRom`, before its first instruction. */
export function romMachine(rom: Uint8Array, options: Partial<MachineOptions> = {}): Machine {
  const machine = new Machine({ memory: 0x100_0000, ...options });
  machine.memory.write(romAt, rom);
  const { cpu } = machine;
  for (const [n, segment] of cpu.segments.slice(0, 6).entries()) {
    const code = n === 1;
    Object.assign(segment, {
      ...{ selector: code ? 0xf000 : 0, base: code ? romAt : 0, limit: 0xffff },
      attributes: code ? 0x9b : 0x93,
    });
  }
  cpu.eflags = 2;
  cpu.rip = 0xfff0;
  cpu.refresh();
  return machine;
}
