/**
 * A processor with descriptor tables, task-state segments and stacks, that runs
 * one instruction at a time: for tests of what needs all of them.
 *
 * Memory is flat, and in long mode mapped one to one: what lies below 2 MiB for
 * the supervisor only, the 2 MiB above for everybody.
 *
 * @module
 */

import { Assembler, type AssemblyOperand } from "../emu/cpu/assemble.ts";
import { DECODED, Decoder } from "../emu/cpu/decode.ts";
import { Instruction } from "../emu/cpu/instruction.ts";
import * as at from "../emu/cpu/layout.ts";
import { cr0Bits, eflag, Fault, type Processor, vectors } from "../emu/cpu/processor.ts";
import { checkRow } from "../emu/cpu/system/check.ts";
import { systemSemanticsOf } from "../emu/cpu/system/mod.ts";
import { guestProcessor, GuestTables } from "./guest_processor.ts";

/** Where things lie, linear and physical. */
export const place = {
  ...{ gdt: 0x1000, ldt: 0x2000, idt: 0x3000, tss: 0x4000, otherTss: 0x4800, tss16: 0x4c00 },
  ...{ code: 0x6000, handler: 0x7000 },
  /** Tops of stacks: of level 0, 1 and 2, interrupt stacks 1 and 2 of long mode, of a task. */
  ...{ stack0: 0x9000, stack1: 0xa000, stack2: 0xb000, ist1: 0xc000, ist2: 0xd000, task: 0xe000 },
  /** Code and stack of level 3. */
  ...{ userCode: 0x20_6000, userStack: 0x20_9000 },
} as const;

/** Selectors of the GDT that every guest has; those of level 3 with it. */
export const sel = {
  ...{ code: 0x08, data: 0x10, userCode: 0x1b, userData: 0x23, tss: 0x28, ldt: 0x38 },
  ...{ code1: 0x49, data1: 0x51, conforming: 0x58, code32: 0x60, userCode32: 0x6b },
  ...{ code16: 0x70, data16: 0x78 },
  /** Task of 32 bits, and of 16. */
  ...{ otherTss: 0x80, tss16: 0x88 },
  /** Free for tests. */
  ...{ a: 0x90, b: 0x98, c: 0xa0, d: 0xb0 },
} as const;

/** A descriptor's parts. */
export interface Parts {
  /** Default 0. */
  readonly base?: number;
  /** In units of the granularity; default all of 4 GiB. */
  readonly limit?: number;
  /** Bits 0 to 4: type and S. */
  readonly type: number;
  /** Default 0. */
  readonly dpl?: number;
  /** Default true. */
  readonly present?: boolean;
  /** Bits 12 to 15 of the attributes: L 2, D/B 4, G 8; default 12. */
  readonly size?: number;
}

/** Types of code and data, S included and not yet accessed. */
export const type = {
  ...{ data: 0x12, readOnly: 0x10, expandDown: 0x16, code: 0x1a, executeOnly: 0x18 },
  ...{ conforming: 0x1e },
} as const;

/** The words of a descriptor. */
export function descriptor(parts: Parts): [low: number, high: number] {
  const { base = 0, limit = 0xf_ffff, type, dpl = 0, present = true, size = 12 } = parts;
  const rights = type | dpl << 5 | (present ? 0x80 : 0) | size << 12;
  return [
    base << 16 | limit & 0xffff,
    base & 0xff00_0000 | limit & 0xf_0000 | rights << 8 | base >>> 16 & 0xff,
  ];
}

/** How a guest starts. */
export type Start = "real" | "virtual-8086" | "protected" | "long" | "compatibility";

/** The guest. */
export class SystemGuest {
  /** Its processor. */
  readonly cpu: Processor;
  /** Page tables of long mode. */
  readonly tables: GuestTables | undefined;
  readonly #start: Start;

  /** A guest in some mode and level. */
  constructor(start: Start, level = 0) {
    const { cpu } = guestProcessor(["lm", "syscall", "sep", "fsgsbase", "nx", "pse", "pae"]);
    this.cpu = cpu;
    this.#start = start;
    const isLong = start === "long" || start === "compatibility";
    cpu.gdtr.base = place.gdt;
    cpu.gdtr.limit = 0xfff;
    cpu.idtr.base = place.idt;
    cpu.idtr.limit = 0xfff;
    this.#describe(isLong);
    this.#task(isLong);
    if (isLong) {
      this.tables = new GuestTables(cpu, "4-level");
      this.tables.map(0, 0, 3, 0, 21);
      this.tables.map(0x20_0000, 0x20_0000, 7, 0, 21);
      // The lower half of the first 1 GiB's tables is for everybody, as its last entries say.
      for (const table of [0x10_0000, 0x10_1000]) {
        this.tables.set(table, this.tables.get(table) | 4);
      }
    }
    if (start === "real") {
      cpu.cr0 &= ~cr0Bits.PE;
      cpu.idtr.base = 0;
      cpu.idtr.limit = 0x3ff;
      for (let n = 0; n < 6; n++) {
        const rights = { limit: 0xffff, attributes: n === 1 ? 0x9b : 0x93 };
        Object.assign(cpu.segments[n as 0], { selector: 0, base: 0, ...rights });
      }
      cpu.setAddress(4, 0x9000, 32);
      cpu.rip = place.code;
    } else if (start === "virtual-8086") {
      cpu.eflags = eflag.VM | eflag.IF | 2;
      for (let n = 0; n < 6; n++) {
        const selector = 0x100 * n;
        const rights = { limit: 0xffff, attributes: 0xf3 };
        Object.assign(cpu.segments[n as 0], { selector, base: selector << 4, ...rights });
      }
      cpu.cpl = 3;
      cpu.setAddress(4, 0x9000, 32);
      cpu.rip = place.code;
    } else this.#enter(level);
    cpu.refresh();
  }

  #describe(isLong: boolean): void {
    const size = isLong ? 10 : 12;
    this.gdt(sel.code, { type: type.code, size });
    this.gdt(sel.data, { type: type.data });
    this.gdt(sel.userCode, { type: type.code, dpl: 3, size });
    this.gdt(sel.userData, { type: type.data, dpl: 3 });
    this.gdt(sel.code1, { type: type.code, dpl: 1, size });
    this.gdt(sel.data1, { type: type.data, dpl: 1 });
    this.gdt(sel.conforming, { type: type.conforming, size });
    this.gdt(sel.code32, { type: type.code });
    this.gdt(sel.userCode32, { type: type.code, dpl: 3 });
    this.gdt(sel.code16, { type: type.code, limit: 0xffff, size: 0 });
    this.gdt(sel.data16, { type: type.data, limit: 0xffff, size: 0 });
    this.gdt(sel.tss, { type: 0xb, base: place.tss, limit: 0x7ff, size: 0 });
    this.gdt(sel.ldt, { type: 2, base: place.ldt, limit: 0xff, size: 0 });
    this.gdt(sel.otherTss, { type: 9, base: place.otherTss, limit: 0x67, size: 0 });
    this.gdt(sel.tss16, { type: 1, base: place.tss16, limit: 0x2b, size: 0 });
  }

  #task(isLong: boolean): void {
    const { cpu } = this;
    Object.assign(cpu.segments[7], { selector: sel.tss, base: place.tss, limit: 0x7ff });
    cpu.segments[7].attributes = 0x8b;
    Object.assign(cpu.segments[6], { selector: 0, base: 0, limit: 0, attributes: 0x1_0000 });
    const stacks = [[place.stack0, sel.data], [place.stack1, sel.data1], [place.stack2, 0]];
    for (const [n, [pointer = 0, selector = 0]] of stacks.entries()) {
      if (isLong) this.setWord(place.tss + 4 + 8 * n, pointer);
      else {
        this.setWord(place.tss + 4 + 8 * n, pointer);
        this.setWord(place.tss + 8 + 8 * n, selector);
      }
    }
    if (isLong) {
      this.setWord(place.tss + 0x24, place.ist1);
      this.setWord(place.tss + 0x2c, place.ist2);
    }
    this.setWord(place.tss + 0x64, 0x68 << 16);
  }

  /** Puts the processor to a level's code and stack. */
  #enter(level: number): void {
    const { cpu } = this;
    const is32 = this.#start === "compatibility";
    const codes = [
      is32 ? sel.code32 : sel.code,
      sel.code1,
      0,
      is32 ? sel.userCode32 : sel.userCode,
    ];
    const code = codes[level] ?? 0;
    const data = [sel.data, sel.data1, 0, sel.userData][level] ?? 0;
    this.segment(1, code);
    for (const n of [0, 2, 3, 4, 5]) this.segment(n, data);
    cpu.cpl = level;
    const stack = [place.stack0, place.stack1, 0, place.userStack][level] ?? 0;
    cpu.setAddress(4, stack - 0x100, this.#start === "long" ? 64 : 32);
    cpu.rip = level === 3 ? place.userCode : place.code;
  }

  /** Sets a segment register to what the GDT has, unchecked. */
  segment(number: number, selector: number): void {
    const segment = this.cpu.segments[number as 0];
    const low = this.word(place.gdt + (selector & ~7));
    const high = this.word(place.gdt + (selector & ~7) + 4);
    segment.selector = selector;
    segment.base = (low >>> 16 | high << 16 & 0xff_0000 | high & 0xff00_0000) >>> 0;
    const limit = low & 0xffff | high & 0xf_0000;
    segment.limit = (high & 0x80_0000) === 0 ? limit : (limit << 12 | 0xfff) >>> 0;
    segment.attributes = high >>> 8 & 0xf0ff;
    this.cpu.refresh();
  }

  /** Writes a descriptor of the GDT. */
  gdt(selector: number, parts: Parts): void {
    this.#pair(place.gdt + (selector & ~7), descriptor(parts));
  }

  /** Writes a descriptor of the LDT. */
  ldt(selector: number, parts: Parts): void {
    this.#pair(place.ldt + (selector & ~7), descriptor(parts));
  }

  /** Writes a gate, of the GDT at a selector; type and S as in descriptors. */
  gate(selector: number, target: number, offset: number, type: number, dpl = 0, more = 0): void {
    this.#gate(place.gdt + (selector & ~7), target, offset, type, dpl, more);
  }

  /** Writes a gate of the IDT; `more` is a count of parameters, or the interrupt stack. */
  idt(vector: number, target: number, offset: number, type: number, dpl = 0, more = 0): void {
    const size = this.tables === undefined ? 8 : 16;
    this.#gate(place.idt + size * vector, target, offset, type, dpl, more);
  }

  #gate(
    where: number,
    target: number,
    offset: number,
    type: number,
    dpl: number,
    more: number,
  ): void {
    const rights = type | dpl << 5 | 0x80;
    this.#pair(where, [
      target << 16 | offset & 0xffff,
      offset & 0xffff_0000 | rights << 8 | more,
    ]);
    if (this.tables !== undefined) this.#pair(where + 8, [Math.floor(offset / 2 ** 32), 0]);
  }

  #pair(where: number, [low, high]: readonly [number, number]): void {
    this.setWord(where, low);
    this.setWord(where + 4, high);
  }

  /** 32 bits of memory. */
  word(address: number): number {
    return this.cpu.view.getUint32(at.RAM + address, true);
  }

  /** 16 bits of memory. */
  half(address: number): number {
    return this.cpu.view.getUint16(at.RAM + address, true);
  }

  /** Sets 32 bits of memory. */
  setWord(address: number, value: number): void {
    this.cpu.view.setUint32(at.RAM + address, value, true);
  }

  /** Some words of memory, of the stack from its top. */
  stack(count: number): number[] {
    const { cpu } = this;
    const base = cpu.mode === 64 ? 0 : cpu.segments[2].base;
    const top = base + cpu.address(4, cpu.stackWidth) >>> 0;
    return Array.from({ length: count }, (_, n) => this.word(top + 4 * n));
  }

  /** Pushes words of 32 bits, the last on top; of 16 or 64 bits if said so. */
  push(values: readonly number[], bytes = 4): void {
    const { cpu } = this;
    const base = cpu.mode === 64 ? 0 : cpu.segments[2].base;
    for (const value of values) {
      cpu.setAddress(4, cpu.address(4, cpu.stackWidth) - bytes, cpu.stackWidth);
      const top = base + cpu.address(4, cpu.stackWidth) >>> 0;
      if (bytes === 2) cpu.view.setUint16(at.RAM + top, value, true);
      else this.setWord(top, value);
      if (bytes === 8) this.setWord(top + 4, Math.floor(value / 2 ** 32));
    }
  }

  /** Runs one instruction, assembled where RIP stands. */
  run(mnemonic: string, ...operands: readonly AssemblyOperand[]): void {
    const { cpu } = this;
    const { mode } = cpu;
    const code = new Assembler({ mode, origin: Math.max(cpu.rip, 0) })
      .emit(mnemonic, ...operands).finish();
    this.runBytes(code);
  }

  /** Runs one instruction. */
  runBytes(code: Uint8Array): void {
    const { cpu } = this;
    const i = new Instruction();
    const decoder = new Decoder(cpu.mode);
    if (decoder.decode(code, 0, code.length, i) !== DECODED) throw new TypeError("no instruction");
    const form = decoder.forms[i.form];
    const semantics = form === undefined ? undefined : systemSemanticsOf(form);
    if (form === undefined || semantics === undefined) throw new TypeError("not carried out here");
    cpu.nextRip = cpu.mode === 64 ? cpu.rip + code.length : cpu.rip + code.length >>> 0;
    cpu.shadow = 0;
    if (!checkRow(cpu, i, form)) return;
    semantics(cpu, i, form);
    cpu.rip = cpu.nextRip;
  }
}

const names = new Map<number, string>(Object.entries(vectors).map(([name, n]) => [n, name]));

/** An exception in the manual's words: `#GP(0x10)`. */
export function showFault({ vector, errorCode, address }: Fault): string {
  const where = address === undefined ? "" : ` at 0x${address.toString(16)}`;
  const code = errorCode === undefined
    ? ""
    : `(${errorCode === 0 ? 0 : `0x${errorCode.toString(16)}`})`;
  return `#${names.get(vector) ?? vector}${code}${where}`;
}

/** The exception that something raises; "none" if it does not. */
export function faultOf(action: () => unknown): string {
  try {
    action();
    return "none";
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    return showFault(fault);
  }
}

/** Everything of a processor that an instruction may change, but for memory. */
export function stateOf(cpu: Processor): unknown {
  const { cr0, cr2, cr3, cr4, efer, mode, stackWidth, halted, gdtr, idtr } = cpu;
  return {
    words: [...cpu.words.subarray(at.REGISTERS >> 2, at.TSC_END >> 2)],
    tables: cpu.segments.slice(6).map((segment) => ({ ...segment })),
    ...{ cr0, cr2, cr3, cr4, efer, mode, stackWidth, halted },
    gdtr: { ...gdtr },
    idtr: { ...idtr },
    msrs: [...cpu.msrs],
  };
}
