/**
 * A processor with page tables on which programs run three ways: by the
 * evaluator, one instruction after the other; interpreted; and compiled. What
 * the evaluator does is the measure of the others.
 *
 * @module
 */

import { DECODED, Decoder, longestInstruction, TOO_LONG, TRUNCATED } from "../emu/cpu/decode.ts";
import { showInstruction } from "../emu/cpu/disassemble.ts";
import { evaluateOnProcessor } from "../emu/cpu/evaluate_processor.ts";
import { Instruction } from "../emu/cpu/instruction.ts";
import * as at from "../emu/cpu/layout.ts";
import { head } from "../emu/cpu/engine/microcode.ts";
import { cr0Bits, cr4Bits, Fault, vectors } from "../emu/cpu/processor.ts";
import { type FlatMachine, flatMachine } from "./flat_machine.ts";
import { assemblePieces, type Places, type RandomProgram } from "./random_programs.ts";

/** Physical addresses: tables, code, data page by page, the counter between the pages of code. */
const physical = {
  ...{ tables: 0x20_1000, code: 0x20_d000 },
  data: [0x21_0000, 0x21_2000, 0x21_1000, 0x21_3000],
};
const counterAt = 0x20_e000;
const counterLinear = 0x48_0000;
/** What is compared and put back: tables to data. */
const [start, end] = [0x20_1000, 0x21_4000];
/** Bytes of memory. */
const size = 0x80_0000;

/** Bits of a page table's entry. */
const [present, writable, user] = [1, 2, 4];
/** Present, writable, accessed, large and global. */
const largePage = 0x1a3;

/** How a run was and what it came to. */
interface Snapshot {
  readonly registers: BigUint64Array;
  readonly rip: number;
  readonly flags: number;
  readonly vectors: Uint8Array;
  readonly memory: Int32Array;
}

/** A run's end. */
interface Ending extends Snapshot {
  /** Instructions that retired. */
  readonly retired: number;
  readonly fault: Fault | undefined;
}

/** What a program is run with. */
export interface Circumstances {
  /** Privilege level. */
  readonly level: 0 | 3;
  /** Bytes between the start of the code's page and the program. */
  readonly offset: number;
  /** A data page's rights, or that it is the code's page by another name. */
  readonly page?: {
    readonly number: number;
    readonly what: "absent" | "read-only" | "supervisor" | "code";
  };
  /** Compares at every instruction. */
  readonly stepwise?: boolean;
}

/** What was done, to be told how much there was. */
export interface LockstepCounts {
  /** Runs of programs. */
  runs: number;
  /** Exceptions of each vector. */
  faults: Map<number, number>;
  /** Runs that compiled code had a part in. */
  compiled: number;
  /** Runs that changed code that had been decoded. */
  selfModifying: number;
}

/** The three ways, side by side. */
export class Lockstep {
  /** What was done. */
  readonly counts: LockstepCounts = {
    ...{ runs: 0, compiled: 0, selfModifying: 0 },
    faults: new Map(),
  };
  readonly #machine: FlatMachine;
  readonly #mode: 32 | 64;
  readonly #mapping: "pages" | "large" | "none";
  readonly #places: Places;
  readonly #decoder: Decoder;
  readonly #i = new Instruction();
  readonly #memory: Int32Array;
  readonly #clean: Int32Array;
  #nextTable = 0;
  #writes = 0;

  /**
   * A machine for programs of one width, with code and data at some linear addresses.
   *
   * @param mapping How data is mapped: by pages of its own; by the supervisor's
   *   large pages, which lead to all of memory, from the multiple of 8 MiB below the
   *   data on; or not, so that linear addresses are physical ones.
   */
  constructor(
    mode: 32 | 64,
    places: Omit<Places, "counter">,
    mapping: "pages" | "large" | "none" = "pages",
  ) {
    this.#mode = mode;
    this.#mapping = mapping;
    this.#places = { ...places, counter: mapping === "none" ? counterAt : counterLinear };
    this.#machine = flatMachine(size, { evaluate: evaluateOnProcessor });
    this.#decoder = new Decoder(mode);
    const { ram, mmu } = this.#machine;
    this.#memory = new Int32Array(ram.buffer, ram.byteOffset + start, (end - start) / 4);
    this.#clean = new Int32Array((end - start) / 4);
    const told = mmu.onCodeWrite;
    mmu.onCodeWrite = (address, bytes) => {
      this.#writes++;
      told?.(address, bytes);
    };
  }

  /** Where things lie. */
  get places(): Places {
    return this.#places;
  }

  /** What is different between the three ways, if anything. */
  difference(program: RandomProgram, circumstances: Circumstances): string | undefined {
    this.#prepare(program, circumstances);
    const trace: Snapshot[] = [];
    const last = this.#evaluate(program, circumstances, trace);
    const { counts } = this;
    counts.runs++;
    const vector = last.fault?.vector ?? -1;
    counts.faults.set(vector, (counts.faults.get(vector) ?? 0) + 1);
    const { engine } = this.#machine;
    // More, for what raises an exception does not retire, and regions want to have enough.
    const all = last.retired + (last.fault === undefined ? 0 : 1000);
    for (const way of ["interpreted", "compiled"] as const) {
      engine.compiles = false;
      if (way === "compiled" && !this.#compile(circumstances)) break;
      const whole = this.#compare(program, circumstances, [all], last);
      if (whole !== undefined) return `${way}: ${whole}`;
      // All at once and in two parts, the second of which starts anywhere.
      const steps = circumstances.stepwise === true ? trace.length : 0;
      for (let n = 1; n < steps; n++) {
        if (way === "compiled") this.#compile(circumstances);
        const to = trace[n];
        if (to === undefined) break;
        const part = this.#compare(program, circumstances, [n], {
          ...{ ...to, retired: n, fault: undefined },
        });
        if (part !== undefined) return `${way}, first ${n}: ${part}`;
        const rest = this.#compare(program, circumstances, [n, all - n], last);
        if (rest !== undefined) return `${way}, ${n} and the rest: ${rest}`;
      }
    }
    return undefined;
  }

  /** The smallest part of a program that still differs, and how. */
  shrink(program: RandomProgram, circumstances: Circumstances): string {
    let smallest = program;
    for (let shrunk = true; shrunk;) {
      shrunk = false;
      for (let n = 0; n < smallest.pieces.length; n++) {
        if (smallest.pieces[n]?.kind === "label") continue;
        const fewer = { ...smallest, pieces: smallest.pieces.filter((_, m) => m !== n) };
        if (this.difference(fewer, circumstances) === undefined) continue;
        smallest = fewer;
        shrunk = true;
        n--;
      }
    }
    const what = this.difference(smallest, circumstances) ?? "nothing";
    const registers = [...smallest.registers]
      .map((value, n) => `${n} ${value.toString(16)}`).join(", ");
    return [
      ...[`${this.#mode}-bit code, ${JSON.stringify(circumstances)}: ${what}`, ""],
      ...this.#disassemble(assemblePieces(smallest.pieces), circumstances.offset),
      ...["", `registers ${registers}; flags ${smallest.flags.toString(16)}`],
    ].join("\n");
  }

  #disassemble(bytes: Uint8Array, offset: number): string[] {
    const lines: string[] = [];
    const mode = this.#mode;
    for (let p = 0; p < bytes.length;) {
      this.#decoder.decode(bytes, p, bytes.length, this.#i);
      const { length, form } = this.#i;
      const row = this.#decoder.forms[form];
      const address = BigInt(offset + p);
      const text = row === undefined ? "" : showInstruction(this.#i, row, { mode, address });
      lines.push(`  ${(offset + p).toString(16)}  ${bytes.slice(p, p + length).toHex()}  ${text}`);
      p += Math.max(1, length);
    }
    return lines;
  }

  /** Writes tables, code and data, and keeps them. */
  #prepare(program: RandomProgram, { level, offset, page }: Circumstances): void {
    const { cpu, mmu, ram, reset } = this.#machine;
    reset(this.#mode);
    cpu.cpl = level;
    cpu.refresh();
    cpu.cr4 = cr4Bits.PSE | cr4Bits.PGE | cr4Bits.OSFXSR | cr4Bits.OSXMMEXCPT |
      (this.#mode === 64 ? cr4Bits.PAE : 0);
    const isPaged = this.#mapping !== "none";
    cpu.cr0 = (cr0Bits.PE | (isPaged ? cr0Bits.PG : 0) | cr0Bits.WP) >>> 0;
    cpu.cr3 = BigInt(physical.tables);
    ram.fill(0, start, end);
    this.#nextTable = physical.tables + 0x1000;
    const { code, data } = this.#places;
    const all = present | writable | user;
    if (isPaged) {
      this.#map(code, physical.code, all);
      this.#map(code + 0x1000, physical.code + 0x2000, all);
      this.#map(counterLinear, counterAt, all);
    }
    if (this.#mapping === "large") this.#mapLarge(Math.floor(data / size) * size);
    for (const [n, address] of physical.data.entries()) {
      const what = page?.number === n ? page.what : undefined;
      const rights = what === "absent"
        ? 0
        : what === "read-only"
        ? present | user
        : what === "supervisor"
        ? present | writable
        : all;
      if (this.#mapping !== "pages") continue;
      this.#map(data + 0x1000 * n, what === "code" ? physical.code : address, rights);
    }
    const bytes = assemblePieces(program.pieces);
    for (const [n, byte] of bytes.entries()) {
      const to = offset + n;
      ram[to < 0x1000 || !isPaged ? physical.code + to : physical.code + 0x1000 + to] = byte;
    }
    let seed = Number((program.registers[0] ?? 0n) & 0xffff_ffffn) | 1;
    for (const address of physical.data) {
      for (let n = 0; n < 0x1000; n += 4) {
        seed = Math.imul(seed, 1664525) + 1013904223 | 0;
        cpu.view.setInt32(at.RAM + address + n, seed, true);
      }
    }
    cpu.view.setInt32(at.RAM + counterAt, program.turns, true);
    this.#clean.set(this.#memory);
    mmu.written(physical.code, 0x3000);
  }

  /** Maps all memory from a linear address on. */
  #mapLarge(linear: number): void {
    const step = this.#mode === 64 ? 0x20_0000 : 0x40_0000;
    for (let at = 0; at < size; at += step) this.#map(linear + at, at, largePage, 1);
  }

  #map(linear: number, to: number, rights: number, last = 0): void {
    const { view } = this.#machine.cpu;
    const wide = this.#mode === 64;
    const [bits, bytes] = wide ? [9, 8] : [10, 4];
    const page = Math.floor((linear < 0 ? linear + 2 ** 48 : linear) / 0x1000);
    let table = physical.tables;
    const entryOf = (level: number) =>
      at.RAM + table + bytes * (Math.floor(page / 2 ** (bits * level)) % 2 ** bits);
    for (let level = wide ? 3 : 1; level > last; level--) {
      const entry = entryOf(level);
      if (view.getUint32(entry, true) === 0) {
        view.setUint32(entry, this.#nextTable | present | writable | user, true);
        this.#nextTable += 0x1000;
      }
      table = view.getUint32(entry, true) & ~0xfff;
    }
    view.setUint32(entryOf(last), to | rights, true);
  }

  /** The state that the program starts from. */
  #start(program: RandomProgram, { level, offset }: Circumstances): void {
    const { cpu, mmu, faults, reset } = this.#machine;
    reset(this.#mode);
    cpu.cpl = level;
    for (const [n, base] of [[4, 0x18], [5, -8]] as const) cpu.segments[n].base = base;
    cpu.refresh();
    faults.length = 0;
    // Without pages of their own programs reach everything.
    if (this.#mapping !== "pages") this.#machine.ram.fill(0);
    this.#memory.set(this.#clean);
    if (this.#writes > 0) mmu.written(physical.code, 0x3000);
    this.#writes = 0;
    mmu.flush(true);
    cpu.registers.set(program.registers);
    cpu.eflags = program.flags;
    cpu.bytes.fill(0, at.XMM, at.TSC_END);
    const big = new BigUint64Array(cpu.memory.buffer, at.XMM, 32);
    for (let n = 0; n < 32; n++) {
      big[n] = (program.registers[n & 15] ?? 0n) * 0x9e37_79b9_7f4a_7c15n;
    }
    cpu.words[at.MXCSR >> 2] = 0x1f80;
    cpu.words[at.FPU_CONTROL >> 2] = 0x37f;
    cpu.rip = this.#places.code + offset;
  }

  #snapshot(): Snapshot {
    const { cpu } = this.#machine;
    return {
      ...{ registers: cpu.registers.slice(), rip: cpu.rip, flags: cpu.eflags },
      ...{ vectors: cpu.bytes.slice(at.XMM, at.TSC_END), memory: this.#memory.slice() },
    };
  }

  /** Runs by the evaluator; the trace has the state before each instruction. */
  #evaluate(program: RandomProgram, circumstances: Circumstances, trace: Snapshot[]): Ending {
    this.#start(program, circumstances);
    let retired = 0;
    let fault: Fault | undefined;
    while (retired < 300) {
      if (circumstances.stepwise === true) trace.push(this.#snapshot());
      fault = this.#step();
      if (fault !== undefined) break;
      retired++;
    }
    const from = (physical.code - start) >> 2;
    for (let n = from; n < from + 0x400; n++) {
      if (this.#memory[n] === this.#clean[n]) continue;
      this.counts.selfModifying++;
      // The evaluator knows no decoded code.
      this.#writes++;
      break;
    }
    return { ...this.#snapshot(), retired, fault };
  }

  #step(): Fault | undefined {
    const { cpu, mmu, ram } = this.#machine;
    const i = this.#i;
    const { rip, mode } = cpu;
    try {
      const first = mmu.code(rip);
      const isRam = first < size;
      let status = isRam
        ? this.#decoder.decode(ram, first, (first & ~0xfff) + 0x1000, i)
        : TRUNCATED;
      if (status === TRUNCATED) {
        const bytes = new Uint8Array(longestInstruction);
        for (let n = 0; n < longestInstruction && status === TRUNCATED; n++) {
          const place = mmu.code(mode === 64 ? rip + n : rip + n >>> 0);
          bytes[n] = mmu.physicalLoad(place, 1);
          status = this.#decoder.decode(bytes, 0, n + 1, i);
        }
      }
      const form = this.#decoder.forms[i.form];
      if (status === TOO_LONG) throw new Fault(vectors.GP, 0);
      if (status !== DECODED || form === undefined) throw new Fault(vectors.UD);
      cpu.nextRip = mode === 64 ? rip + i.length : rip + i.length >>> 0;
      evaluateOnProcessor(cpu, i, form);
      cpu.rip = cpu.nextRip;
      return undefined;
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      return fault;
    }
  }

  /** Compiles what is known of the program's code; false: none of it can be. */
  #compile({ offset }: Circumstances): boolean {
    const { cpu, engine } = this.#machine;
    const key = cpu.words[at.MODE_KEY >> 2] as number;
    let any = false;
    for (let to = offset; to < Math.min(0x1000, offset + 300); to++) {
      const block = engine.cache.known(physical.code + to, key);
      if (block === undefined || cpu.words[(block + head.region) >> 2] !== 0) {
        any ||= block !== undefined;
        continue;
      }
      const before = engine.regions.compiled;
      engine.regions.compile(block);
      any ||= engine.regions.compiled > before;
    }
    if (any) this.counts.compiled++;
    return any;
  }

  /** Runs in parts, and says what is not as it should be. */
  #compare(
    program: RandomProgram,
    circumstances: Circumstances,
    parts: readonly number[],
    wanted: Ending,
  ): string | undefined {
    const { cpu, engine, faults } = this.#machine;
    this.#start(program, circumstances);
    let retired = 0;
    for (const part of parts) {
      engine.run(part);
      retired += engine.retired;
    }
    const [fault] = faults;
    const { fault: other } = wanted;
    const show = (one: Fault | undefined) =>
      one === undefined
        ? "no exception"
        : `exception ${one.vector}, ${one.errorCode}, ${one.address?.toString(16)}`;
    if (show(fault) !== show(other)) return `${show(fault)}, but ${show(other)} expected`;
    if (retired !== wanted.retired) return `${retired} retired, but ${wanted.retired} expected`;
    if (cpu.rip !== wanted.rip) {
      return `RIP ${cpu.rip.toString(16)}, but ${wanted.rip.toString(16)} expected`;
    }
    for (let n = 0; n < 16; n++) {
      const [is, should] = [cpu.registers[n] ?? 0n, wanted.registers[n] ?? 0n];
      if (is !== should) {
        return `register ${n} is ${is.toString(16)}, but ${should.toString(16)} expected`;
      }
    }
    if (cpu.eflags !== wanted.flags) {
      return `flags ${cpu.eflags.toString(16)}, but ${wanted.flags.toString(16)} expected`;
    }
    for (let n = at.XMM; n < at.TSC_END; n++) {
      if (cpu.bytes[n] !== wanted.vectors[n - at.XMM]) return `state ${n.toString(16)} differs`;
    }
    const memory = this.#memory;
    for (let n = 0; n < memory.length; n++) {
      if (memory[n] !== wanted.memory[n]) {
        const [is, should] = [memory[n] ?? 0, wanted.memory[n] ?? 0];
        return `memory at ${(start + 4 * n).toString(16)} is ${(is >>> 0).toString(16)}, but ${
          (should >>> 0).toString(16)
        } expected`;
      }
    }
    return undefined;
  }
}
