/**
 * The engine: runs instructions. It feeds the interpreter with decoded code,
 * serves what generated code cannot do itself, and delivers exceptions.
 *
 * Instructions are counted exactly: a slice of so many retires so many, whatever
 * blocks they are in, so that timers go off at the same instruction in every run.
 *
 * @module
 */

import * as at from "../layout.ts";
import type { Instruction } from "../instruction.ts";
import type { PageTables } from "../mmu.ts";
import type { Form } from "../opcodes/form.ts";
import { eflag, Fault, type Processor, type SystemSemantics, vectors } from "../processor.ts";
import { asksForTime, readTimeStamp } from "../system/control.ts";
import { CarefulSteps, isDoneByHost } from "./careful.ts";
import { CodeCache } from "./code_cache.ts";
import { Functions } from "./functions.ts";
import { JumpCache } from "./jumps.ts";
import { FloatCalls, requireVectors } from "./float_calls.ts";
import { LINK_FROM, reasons } from "./interpreter.ts";
import { ARMS, arms, head, op, OP_SIZE, STALE } from "./microcode.ts";
import { Marks } from "./marks.ts";
import { Regions } from "./regions.ts";

/** What the engine leaves to others. */
export interface EngineOptions {
  /** The processor. */
  readonly cpu: Processor;
  /** Its page tables. */
  readonly mmu: PageTables;
  /** How an instruction is carried out in TypeScript, if it is. */
  readonly system: (form: Form) => SystemSemantics | undefined;
  /** Carries out what has a description but no code. */
  readonly evaluate: SystemSemantics;
  /** Delivers an exception; RIP is what is to be saved. */
  readonly deliver: (fault: Fault) => void;
  /** The time-stamp counter now; it goes on by one an instruction. */
  readonly timeStamp: () => number;
  /** Whether an interrupt waits and would be taken now. */
  readonly isInterrupted: () => boolean;
}

/** Why the engine came back. */
export type Halt = "budget" | "halted" | "interrupt" | "shutdown" | "stopped";

const two32 = 0x1_0000_0000;

/** Runs a processor. */
export class Engine {
  /** Decoded code. */
  readonly cache: CodeCache;
  /** Compiled code. */
  readonly regions: Regions;
  /** Whether code is compiled where it is executed often. */
  compiles = true;
  /** Addresses at which somebody wants to be told. */
  readonly marks: Marks;
  /**
   * Called with the linear address of code that is looked up: before code is
   * executed for the first time, or for the first time since it has changed.
   */
  onLook: ((linear: number) => void) | undefined;

  readonly #cpu: Processor;
  readonly #mmu: PageTables;
  readonly #options: EngineOptions;
  readonly #functions: Functions;
  readonly #careful: CarefulSteps;
  readonly #jumps: JumpCache;
  /** Instructions that this slice may retire, less what was cut off. */
  #granted = 0;
  #end = 0;
  #fault: Fault | undefined;
  /** The micro-operation that called TypeScript. */
  #pc = 0;
  #inCode = false;
  /** The block that the last copy is of. */
  #partOf = 0;
  #isStopping = false;
  /** What was given for this run no longer holds. */
  #isCut = false;
  /** Instructions retired in this slice, when nothing runs. */
  #retired = 0;
  /** Instructions retired in the slices before. */
  #before = 0;

  /** An engine for a processor; its generated code is made here. */
  constructor(options: EngineOptions) {
    const { cpu, mmu } = options;
    this.#options = options;
    this.#cpu = cpu;
    this.#mmu = mmu;
    this.#jumps = new JumpCache(cpu);
    this.#functions = new Functions(cpu.memory, this.#machinery(), cpu.has);
    const { decoders } = this.#functions;
    this.cache = new CodeCache(cpu, mmu, decoders, {
      arm: (key) => this.#functions.arm(key, cpu.mode),
      outlined: (key, shape) => this.#functions.outlined(key, shape),
      system: options.system,
      evaluate: options.evaluate,
      spoilt: (block) => this.#spoilt(block),
      cleared: () => {
        this.regions.clear();
        this.#jumps.clear();
      },
    });
    this.regions = new Regions(cpu, () => this.cache, decoders, {
      isSystem: (form) => options.system(form) !== undefined,
      frame: this.#functions.frame,
      install: (code) => this.#functions.install(code),
      remove: (index) => this.#functions.remove(index),
    });
    this.#careful = new CarefulSteps(cpu);
    this.marks = new Marks(() => this.cache);
    this.marks.onAdd = () => this.#jumps.clear();
    mmu.onCodeMappingChange = (kind) => this.#jumps.mappingChanged(kind);
  }

  /** Instructions that have retired in this slice, at any time, even while one calls a device. */
  get retired(): number {
    const left = this.#cpu.words[at.BUDGET >> 2] as number;
    if (!this.#inCode) return this.#retired + this.#granted - left;
    // The block is paid for; this instruction and those behind it have not retired.
    return this.#retired + this.#granted - left -
      (this.#cpu.bytes[this.#pc + op.remaining] as number);
  }

  /** Leaves at the next block: an interrupt came, or a timer was set nearer. */
  cut(): void {
    this.#isCut = true;
    const { words } = this.#cpu;
    const left = words[at.BUDGET >> 2] as number;
    if (left <= 0) return;
    this.#granted -= left;
    words[at.BUDGET >> 2] = 0;
    this.#setEnd(this.#end - left);
  }

  /** Notes the time-stamp counter at which the budget is used up. */
  #setEnd(end: number): void {
    this.#end = end;
    this.#cpu.words[at.TSC_END >> 2] = end;
    this.#cpu.words[(at.TSC_END + 4) >> 2] = Math.floor(end / two32);
  }

  /** Leaves at the next block for good. */
  stop(): void {
    this.#isStopping = true;
    this.cut();
  }

  /**
   * Runs.
   *
   * @param budget How many instructions may retire.
   * @returns Why it came back; {@link retired} says how many did.
   */
  run(budget: number): Halt {
    const cpu = this.#cpu;
    this.#before += this.#retired;
    this.#retired = 0;
    this.#isStopping = this.#isCut = false;
    for (;;) {
      if (cpu.shutDown) return "shutdown";
      if (this.#isStopping) return "stopped";
      if (cpu.shadow === 0 && this.#options.isInterrupted()) return "interrupt";
      if (cpu.halted) return "halted";
      // After a cut there may be less to spend than what was given.
      if (this.#retired >= budget || this.#isCut) return "budget";
      this.#slice(budget - this.#retired);
    }
  }

  /** Runs until something is to be looked after. */
  #slice(budget: number): void {
    const cpu = this.#cpu;
    const { words } = cpu;
    const isStepped = ((words[at.FLAGS_OTHER >> 2] as number) & eflag.TF) !== 0;
    const isCareful = isStepped || this.#careful.isNeeded;
    // An instruction behind STI or MOV SS, or one that is traced, is run alone.
    const shadow = cpu.shadow;
    const alone = isCareful || shadow > 0;
    const granted = Math.min(alone ? 1 : budget, 0x3fff_ffff);
    this.#granted = granted;
    words[at.BUDGET >> 2] = granted;
    this.#setEnd(this.#options.timeStamp() + granted);
    words[at.TSC_ASKED >> 2] = asksForTime(cpu) ? 1 : 0;
    cpu.shadow = 0;
    cpu.untraced = false;
    const before = this.#retired;
    try {
      if (isCareful) this.#stepCarefully(shadow);
      else this.#enter();
    } catch (raised) {
      if (!(raised instanceof Fault)) throw raised;
      this.#settle();
      this.#deliver(raised);
      return;
    }
    this.#settle();
    const fault = this.#fault;
    if (fault !== undefined) {
      this.#fault = undefined;
      this.#deliver(fault);
    } else if (isCareful && this.#careful.trap !== 0) {
      cpu.debug[6] = (cpu.debug[6] ?? 0n) | BigInt(this.#careful.trap);
      this.#deliver(new Fault(vectors.DB));
    } else if (this.#isStopping && this.#retired === before) {
      // Stopped at a mark: the instruction is still to come.
      cpu.shadow = shadow;
    }
  }

  /** Carries out one instruction in TypeScript, with an eye on breakpoints and marks. */
  #stepCarefully(shadow: number): void {
    const { bytes, words } = this.#cpu;
    const linear = this.#linear();
    this.#careful.trap = 0;
    this.onLook?.(linear);
    if (this.marks.size > 0) {
      this.marks.arrive(linear, this.#before + this.retired);
      if ((words[at.BUDGET >> 2] as number) <= 0) return;
    }
    // It is paid for like a block of one.
    words[at.BUDGET >> 2] = 0;
    this.#pc = at.PARTIAL + OP_SIZE;
    bytes[this.#pc + op.remaining] = 1;
    this.#inCode = true;
    let retires = false;
    try {
      retires = this.#careful.step(linear, shadow === 2, (i) => this.cache.read(linear, i));
    } finally {
      this.#inCode = false;
      if (!retires) words[at.BUDGET >> 2] = (words[at.BUDGET >> 2] as number) + 1;
    }
  }

  /** Takes what has retired out of the grant. */
  #settle(): void {
    this.#inCode = false;
    const { words } = this.#cpu;
    this.#retired += this.#granted - (words[at.BUDGET >> 2] as number);
    this.#granted = 0;
    words[at.BUDGET >> 2] = 0;
  }

  #deliver(fault: Fault): void {
    const read = (i: Instruction) => this.cache.read(this.#linear(), i);
    const isDone = isDoneByHost(this.#cpu, fault, read);
    if (!isDone) this.#options.deliver(fault);
    if (isDone || this.#careful.stalls(this.#before + this.#retired)) this.#retired++;
  }

  /** Executes blocks until the grant is used up or TypeScript has something to do. */
  #enter(): void {
    const cpu = this.#cpu;
    const { words } = cpu;
    // What a jump led to before is no longer where execution goes on.
    words[LINK_FROM >> 2] = 0;
    let isAlone = false;
    let isPoor = false;
    for (;;) {
      const left = words[at.BUDGET >> 2] as number;
      if (left <= 0) return;
      let block = this.#find();
      if (words[(block + head.count) >> 2] === 0) {
        this.marks.arrive(this.#linear(), this.#before + this.retired);
        if ((words[at.BUDGET >> 2] as number) <= 0) return;
        block = this.#find(true);
      }
      const count = words[(Math.abs(block) + head.count) >> 2] as number;
      const run = this.#functions.interpreter(cpu.mode);
      this.#inCode = true;
      const part = isAlone ? 1 : left;
      const isRegion = words[(Math.abs(block) + head.region) >> 2] !== 0;
      const reason = run(
        count > part || (isPoor || isAlone) && isRegion
          ? this.#part(Math.abs(block), Math.min(count, part))
          : Math.abs(block),
      );
      isAlone = isPoor = false;
      this.#inCode = false;
      if (reason === reasons.fault) {
        words[at.BUDGET >> 2] = (words[at.BUDGET >> 2] as number) +
          (cpu.bytes[this.#pc + op.remaining] as number);
        cpu.rip = this.#ripAt(this.#pc);
        if (this.#fault !== undefined || (words[at.BUDGET >> 2] as number) <= 0) return;
        // A region was about to write code: that is for the interpreter.
        isAlone = true;
        continue;
      }
      if (reason === reasons.system) return;
      if (reason === reasons.budget) {
        this.#unlink();
        isPoor = true;
      } else if (reason === reasons.hot && this.compiles) this.regions.compile(this.#find());
    }
  }

  /** The linear address of RIP. */
  #linear(): number {
    const { rip, mode, segments } = this.#cpu;
    if (mode === 64) return rip;
    const cs = segments[1];
    if (rip > cs.limit) throw new Fault(vectors.GP, 0);
    return cs.base + rip >>> 0;
  }

  /** The block at RIP; past a mark, if there is one. */
  #find(past = false): number {
    const cpu = this.#cpu;
    const { words } = cpu;
    const rip = cpu.rip;
    const linear = this.#linear();
    const physical = this.#mmu.code(linear);
    this.onLook?.(linear);
    if (this.marks.size > 0) this.marks.found(linear, physical);
    const generation = this.cache.generation;
    const block = this.cache.block(physical, linear, past);
    const offset = physical & 0xfff;
    const low = rip - offset;
    words[(at.REGISTERS >> 2) + 2 * at.SLOT_CODE] = low;
    words[(at.REGISTERS >> 2) + 2 * at.SLOT_CODE + 1] = Math.floor(low / two32);
    const from = words[LINK_FROM >> 2] as number;
    words[LINK_FROM >> 2] = 0;
    if (block < 0 || past) return block;
    this.#jumps.note(rip, block, this.#mmu.isGlobal);
    if (from > 1 && generation === this.cache.generation) words[from >> 2] = block;
    return block;
  }

  /** A link led to a block that has changed: the link is taken off. */
  #unlink(): void {
    const { words, view } = this.#cpu;
    const pc = words[LINK_FROM >> 2] as number;
    words[LINK_FROM >> 2] = 0;
    if (pc < at.ARENA) return;
    const isStale = (link: number) =>
      link > 1 && (words[(link + head.count) >> 2] as number) === STALE;
    const link = (pc + op.link) >> 2;
    if (isStale(words[link] as number)) words[link] = 0;
    const handler = view.getUint16(pc + op.handler, true);
    const other = (pc + op.other) >> 2;
    if (handler >= ARMS && isStale(words[other] as number)) words[other] = 0;
  }

  /** A block has changed: neither a region with it nor a copy of it goes on. */
  #spoilt(block: number): void {
    this.regions.drop(block);
    if (block !== this.#partOf) return;
    const { view, words } = this.#cpu;
    const count = words[(at.PARTIAL + head.count) >> 2] as number;
    for (let n = 1; n <= count; n++) {
      view.setUint16(at.PARTIAL + n * OP_SIZE + op.handler, arms.leave, true);
    }
  }

  /** Copies the first instructions of a block, to run these alone. */
  #part(block: number, count: number): number {
    const { bytes, view, words } = this.#cpu;
    this.#partOf = block;
    bytes.copyWithin(at.PARTIAL, block, block + (count + 1) * OP_SIZE);
    words[(at.PARTIAL + head.count) >> 2] = count;
    words[(at.PARTIAL + head.region) >> 2] = 0;
    words[(at.PARTIAL + head.entered) >> 2] = 0;
    for (let n = 0; n < count; n++) {
      const where = at.PARTIAL + (n + 1) * OP_SIZE;
      view.setUint8(where + op.remaining, count - n);
    }
    const end = at.PARTIAL + (count + 1) * OP_SIZE;
    const behind = view.getUint16(block + (count + 1) * OP_SIZE + op.offset, true);
    bytes.fill(0, end, end + OP_SIZE);
    view.setUint16(end + op.handler, arms.leave, true);
    view.setUint16(end + op.offset, behind, true);
    return at.PARTIAL;
  }

  #ripAt(pc: number): number {
    const { view, words, mode } = this.#cpu;
    const base = at.REGISTERS + 8 * at.SLOT_CODE;
    const rip = (words[(base + 4) >> 2] as number) * two32 + ((words[base >> 2] as number) >>> 0) +
      view.getUint16(pc + op.offset, true);
    return mode === 64 ? rip : rip >>> 0;
  }

  /** Notes a fault for the interpreter's return; what is no fault goes on. */
  #raised(fault: unknown): 0 {
    if (!(fault instanceof Fault)) throw fault;
    this.#fault = fault;
    return 0;
  }

  /** What generated code calls. */
  #machinery(): WebAssembly.ModuleImports {
    const cpu = this.#cpu;
    const mmu = this.#mmu;
    const access = (to: (linear: number, bytes: number) => number, isStore: boolean) =>
    (
      linear: number,
      info: number,
      pc: number,
    ): number => {
      this.#pc = pc & ~1;
      try {
        if (cpu.mode === 64) this.#requireCanonical(linear, info, pc);
        const host = to(linear, info & 0x7f);
        // A region may be about to write over itself.
        if (host === at.SCRATCH && (pc & 1) !== 0 && isStore && this.#writesCode()) return 0;
        return host;
      } catch (fault) {
        return this.#raised(fault);
      }
    };
    return {
      load: access((linear, bytes) => mmu.hostForLoad(linear, bytes), false),
      store: access((linear, bytes) => mmu.hostForStore(linear, bytes), true),
      update: access((linear, bytes) => mmu.hostForUpdate(linear, bytes), true),
      finish: (pc: number) => {
        this.#pc = pc & ~1;
        mmu.finishStore();
      },
      segment: (offset: number, info: number, pc: number): bigint => {
        this.#pc = pc & ~1;
        try {
          const linear = cpu.linear(info >> 8, offset >>> 0, info & 0x7f, (info & 0x80) !== 0);
          return BigInt(linear);
        } catch (fault) {
          this.#raised(fault);
          return -1n;
        }
      },
      raise: (vector: number, pc: number) => {
        this.#pc = pc & ~1;
        const hasCode = vector === vectors.GP || vector === vectors.SS;
        this.#fault = new Fault(vector, hasCode ? 0 : undefined);
      },
      readFlags: (pc: number): number => {
        this.#pc = pc;
        const flags = cpu.eflags;
        if ((flags & eflag.VM) !== 0 && (flags & eflag.IOPL) !== eflag.IOPL) {
          this.#fault = new Fault(vectors.GP, 0);
          return -1;
        }
        return flags;
      },
      writeFlags: (value: number, mask: number, pc: number): number => {
        this.#pc = pc;
        return this.#writeFlags(value, mask);
      },
      timeStamp: (pc: number): bigint => {
        this.#pc = pc & ~1;
        try {
          return readTimeStamp(cpu);
        } catch (fault) {
          this.#raised(fault);
          return -1n;
        }
      },
      divide128: (high: bigint, low: bigint, divisor: bigint, signed: number): number =>
        this.#divide(high, low, divisor, signed !== 0),
      ...this.#vectorCalls(),
      system: (pc: number): number => this.#system(pc),
    };
  }

  /** What generated code calls of SSE and MMX. */
  #vectorCalls(): WebAssembly.ModuleImports {
    const calls = new FloatCalls(this.#cpu);
    const orFault =
      (call: (argument: number) => void) => (argument: number, pc: number): number => {
        this.#pc = pc & ~1;
        try {
          call(argument);
          return 1;
        } catch (fault) {
          return this.#raised(fault);
        }
      };
    return {
      requireVectors: orFault((needed) => requireVectors(this.#cpu, needed)),
      float: orFault((code) => calls.float(code)),
      estimate: (bits: number, ofRoot: number) => calls.estimate(bits, ofRoot),
      compareStrings: (control: number, a: number, b: number) =>
        calls.compareStrings(control, a, b),
    };
  }

  /** Whether the store that is about to go to SCRATCH changes decoded code. */
  #writesCode(): boolean {
    return this.#mmu.pendingStores.some(([physical, bytes]) => this.cache.has(physical, bytes));
  }

  #requireCanonical(linear: number, info: number, pc: number): void {
    const bytes = info & 0x7f;
    if (linear >= -(2 ** 47) && linear + bytes <= 2 ** 47 && (linear >= 0 || linear + bytes <= 0)) {
      return;
    }
    // Handlers do not tell DS from SS; an address from rSP or rBP is in the stack.
    const base = this.#cpu.bytes[(pc & ~1) + op.base] as number;
    const isStack = info >> 8 === 2 || info >> 8 === 3 && (base === 8 * 4 || base === 8 * 5);
    throw new Fault(isStack ? vectors.SS : vectors.GP, 0);
  }

  #writeFlags(value: number, mask: number): number {
    const cpu = this.#cpu;
    const old = cpu.eflags;
    if ((old & eflag.VM) !== 0 && (old & eflag.IOPL) !== eflag.IOPL) {
      this.#fault = new Fault(vectors.GP, 0);
      return 0;
    }
    let may = mask;
    if (cpu.cpl > 0) may &= ~eflag.IOPL;
    if (cpu.cpl > cpu.iopl) may &= ~eflag.IF;
    const flags = old & ~may | value & may;
    cpu.eflags = flags & ~eflag.RF;
    // What traces, and what lets an interrupt through, is looked after behind the instruction.
    if ((flags & eflag.TF) !== 0 || this.#options.isInterrupted()) this.cut();
    return 1;
  }

  #divide(high: bigint, low: bigint, divisor: bigint, signed: boolean): number {
    const joined = BigInt.asUintN(64, high) << 64n | BigInt.asUintN(64, low);
    const dividend = signed ? BigInt.asIntN(128, joined) : joined;
    const by = signed ? BigInt.asIntN(64, divisor) : BigInt.asUintN(64, divisor);
    const quotient = dividend / by;
    const fits = signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient);
    if (fits !== quotient) return 0;
    this.#cpu.view.setBigUint64(at.SCRATCH, BigInt.asUintN(64, quotient), true);
    this.#cpu.view.setBigUint64(at.SCRATCH + 8, BigInt.asUintN(64, dividend % by), true);
    return 1;
  }

  /** Carries out an instruction in TypeScript; 1: go on with the next. */
  #system(pc: number): number {
    const cpu = this.#cpu;
    const { words } = cpu;
    this.#pc = pc;
    const instruction = this.cache.instructions[words[(pc + op.other) >> 2] as number];
    if (instruction === undefined) throw new RangeError("a micro-operation of no instruction");
    const { i, form, semantics } = instruction;
    const key = words[at.MODE_KEY >> 2];
    const rip = this.#ripAt(pc);
    const behind = cpu.mode === 64 ? rip + i.length : rip + i.length >>> 0;
    const remaining = cpu.bytes[pc + op.remaining] as number;
    cpu.rip = rip;
    cpu.nextRip = behind;
    try {
      semantics(cpu, i, form);
    } catch (fault) {
      // The interpreter returns, and the instruction has not retired.
      words[at.BUDGET >> 2] = (words[at.BUDGET >> 2] as number) + remaining;
      this.#raised(fault);
      return 0;
    }
    if (
      form.row.ends !== true && cpu.nextRip === behind && words[at.MODE_KEY >> 2] === key &&
      // What a device has to say comes behind the instruction, however long its block is.
      !cpu.halted && !cpu.shutDown && cpu.shadow === 0 && !this.#isCut
    ) return 1;
    cpu.rip = cpu.nextRip;
    words[at.BUDGET >> 2] = (words[at.BUDGET >> 2] as number) + remaining - 1;
    return 0;
  }
}
