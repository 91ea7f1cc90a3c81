/**
 * A processor with memory and an engine but no board: paging off, flat segments,
 * for tests of single instructions.
 *
 * @module
 */

import { Engine, type EngineOptions } from "../emu/cpu/engine/engine.ts";
import { RAM } from "../emu/cpu/layout.ts";
import { PageTables } from "../emu/cpu/mmu.ts";
import { attribute, type Fault, Processor } from "../emu/cpu/processor.ts";
import type { Mode } from "../emu/cpu/instruction.ts";

/** A processor, its page tables and its engine. */
export interface FlatMachine {
  /** The processor. */
  readonly cpu: Processor;
  /** Its page tables. */
  readonly mmu: PageTables;
  /** What runs it. */
  readonly engine: Engine;
  /** Guest memory. */
  readonly ram: Uint8Array;
  /** Exceptions that were raised, and not delivered. */
  readonly faults: Fault[];
  /** Back to flat segments at privilege level 3 in code of some width. */
  reset(mode: Mode): void;
}

/**
 * Puts one together.
 *
 * @param size Bytes of guest memory, a multiple of 64 KiB.
 */
export function flatMachine(size: number, options: Partial<EngineOptions> = {}): FlatMachine {
  const pages = (RAM + size) / 0x10000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const cpu = new Processor({
    memory,
    ram: size,
    has: () => true,
    devices: {
      in: () => 0xff,
      out: () => {},
      read: () => 0xffff_ffff,
      write: () => {},
      tsc: () => 0n,
      apic: undefined,
    },
  });
  const mmu = new PageTables(cpu);
  cpu.mmu = mmu;
  const faults: Fault[] = [];
  const engine = new Engine({
    cpu,
    mmu,
    system: () => undefined,
    evaluate: () => {
      throw new TypeError("no code for this instruction");
    },
    deliver: (fault) => {
      faults.push(fault);
      engine.stop();
      // Nobody delivers it: the instruction would raise it for ever.
      cpu.halted = true;
    },
    timeStamp: () => 0,
    isInterrupted: () => false,
    ...options,
  });
  return {
    ...{ cpu, mmu, engine, faults, ram: new Uint8Array(memory.buffer, RAM, size) },
    reset(mode) {
      faults.length = 0;
      cpu.halted = false;
      cpu.cr0 |= 1;
      cpu.efer = mode === 64 ? 0x500 : 0;
      cpu.cpl = 3;
      for (const [n, segment] of cpu.segments.entries()) {
        Object.assign(segment, {
          selector: n === 1 ? 0x23 : 0x2b,
          base: 0,
          limit: mode === 16 ? 0xffff : 0xffff_ffff,
          attributes: (n === 1 ? 0xfb : 0xf3) | (mode === 16 ? 0 : attribute.big) |
            (mode === 64 && n === 1 ? attribute.long : 0),
        });
      }
      if (mode === 64) cpu.segments[1].attributes &= ~attribute.big;
      cpu.refresh();
    },
  };
}
