/**
 * A machine: processor, memory and board, put together and run on virtual time.
 *
 * It knows no kernel and no file format. Whoever boots something writes memory
 * and registers, and then lets it run. Several machines live side by side;
 * nothing is shared between them.
 *
 * @module
 */

import { Board, type BoardOptions, type Profile, type ProfileName, type Signal } from "./board.ts";
import { Engine } from "./cpu/engine/engine.ts";
import {
  FLAGS_OTHER,
  FPU_REGISTERS,
  RAM,
  REGISTERS,
  SEGMENT_SIZE,
  SEGMENTS,
  XMM,
} from "./cpu/layout.ts";
import { evaluateOnProcessor } from "./cpu/evaluate_processor.ts";
import { PageTables } from "./cpu/mmu.ts";
import { type Devices, eflag, Fault, Processor, vectors } from "./cpu/processor.ts";
import { checkRow } from "./cpu/system/check.ts";
import { deliverException, deliverInterrupt, deliverNmi } from "./cpu/system/interrupts.ts";
import { systemSemanticsOf } from "./cpu/system/mod.ts";
import { cpuModel, defaultCpuModel, hasFeature, identityOf } from "./cpu/system/models.ts";
import type { SystemSemantics } from "./cpu/processor.ts";
import type { Form } from "./cpu/opcodes/form.ts";
import { powerUpExtendedState } from "./cpu/x87/mod.ts";
import { vgaWindow, vgaWindowSize } from "./dev/vga_text.ts";
import { type GuestMemory, guestMemory } from "./guest_memory.ts";
import { StateHash } from "./state_hash.ts";

/** How a machine is made. */
export interface MachineOptions {
  /** Bytes of guest memory: a multiple of 64 KiB, at most {@link mostMemory}. */
  readonly memory: number;
  /** The processor's model, by name; `x86-64-v2` if absent. */
  readonly cpu?: string;
  /** What the board has; `classic` if absent. */
  readonly profile?: ProfileName | Profile;
  /** Is given what the first serial port sends. */
  readonly serial?: (bytes: Uint8Array) => void;
  /** Is given what the debug consoles are given. */
  readonly debug?: (bytes: Uint8Array) => void;
  /** Is given the codes of port 0x80. */
  readonly progress?: (code: number) => void;
  /** Time at power-on, in seconds since 1970, UTC; 2026-01-01 if absent. */
  readonly startTime?: number;
  /** Where random numbers start from; 1 if absent. */
  readonly seed?: number;
  /** Offers KVM's clock. */
  readonly paravirtClock?: boolean;
  /** Further PCI functions. */
  readonly pci?: BoardOptions["pci"];
}

/** The most memory a machine can have, in bytes: what is below the devices. */
export const mostMemory = 0xc000_0000;

/** An instruction that asks or changes what the machine is; RIP is on it. */
export interface SystemEvent {
  /** Its name: `cpuid`, `wrmsr`, `mov_to_cr`. */
  readonly name: string;
  /** The control register's number, where it has one. */
  readonly register: number;
  /** What was in EAX and ECX before it: leaf and subleaf, or the MSR's number. */
  readonly asked: readonly [eax: number, ecx: number];
}

/** Why a machine came back. */
export type Stop =
  /** As many instructions retired as were allowed. */
  | { readonly kind: "limit" }
  /** {@link Machine.stop} was called. */
  | { readonly kind: "stopped" }
  /** It waits, and nothing inside will wake it; `forEver` if nothing from outside could either. */
  | { readonly kind: "idle"; readonly forEver: boolean }
  /** It switched itself off. */
  | { readonly kind: "off" }
  /** It was reset by a device. */
  | { readonly kind: "reset" }
  /** It left through the debug exit. */
  | { readonly kind: "exit"; readonly code: number }
  /** An exception while a double fault was delivered: the processor shut down. */
  | { readonly kind: "triple-fault" };

/** 2026-01-01. */
const newYear = 1_767_225_600;
/** Instructions between looks at the outside. */
const longestSlice = 20_000_000;

/** A machine, powered on. */
export class Machine {
  /** Devices and time. */
  readonly board: Board;
  /** The processor. */
  readonly cpu: Processor;
  /** Its page tables. */
  readonly mmu: PageTables;
  /** Physical memory. */
  readonly memory: GuestMemory;
  /** What runs the processor. */
  readonly engine: Engine;

  /** Is told of each instruction that asks or changes what the machine is, after it was carried out. */
  onSystem: ((instruction: SystemEvent) => void) | undefined;

  #event: Stop | undefined;
  #isStopping = false;
  #nmi = false;
  #onLook: ((linear: number) => void) | undefined;
  /** Instructions of the engine's slice that the clock knows of. */
  #reported = 0;
  #isInEngine = false;

  /**
   * Builds it.
   *
   * @throws {RangeError} For memory or a processor that cannot be.
   */
  constructor(options: MachineOptions) {
    const { memory: ram, serial, debug, progress, pci } = options;
    if (!Number.isInteger(ram / 0x10000) || ram < 0x100000 || ram > mostMemory) {
      throw new RangeError(`a machine has 1 MiB to 3 GiB in steps of 64 KiB, not ${ram} bytes`);
    }
    const model = cpuModel(options.cpu ?? defaultCpuModel);
    const { startTime = newYear } = options;
    const tscHz = 1_000_000_000;
    const pages = (RAM + ram) / 0x10000;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const board = new Board({
      ...{ memory: ram, startTime, tscHz, profile: options.profile ?? "classic" },
      ...(serial && { serial }),
      ...(debug && { debug }),
      ...(progress && { progress }),
      ...(pci && { pci }),
    });
    this.board = board;
    const cpu = new Processor({
      ...{ memory, ram },
      has: hasFeature(model),
      identity: identityOf(model, {
        ...{ startTime, tscHz },
        paravirtClock: options.paravirtClock ?? false,
      }),
      random: randomFrom(options.seed ?? 1),
      devices: this.#devices(tscHz),
    });
    this.cpu = cpu;
    this.mmu = new PageTables(cpu);
    cpu.mmu = this.mmu;
    if (board.vga !== undefined) {
      this.mmu.hole.first = vgaWindow;
      this.mmu.hole.end = vgaWindow + vgaWindowSize;
    }
    this.memory = guestMemory({
      ...{ memory, at: RAM, size: ram },
      written: (address, length) => this.mmu.written(address, length),
    });
    this.engine = new Engine({
      ...{ cpu, mmu: this.mmu },
      system: (form) => this.#watched(form),
      evaluate: evaluateOnProcessor,
      deliver: (fault) => deliverException(cpu, fault),
      timeStamp: () => {
        this.#report();
        return board.clock.now;
      },
      isInterrupted: () => this.#isInterrupted(),
    });
    powerUpExtendedState(cpu);
    board.onSignal = (signal) => this.#signalled(signal);
    board.clock.onSooner = () => this.engine.cut();
    cpu.refresh();
  }

  /** Instructions retired since power-on, exactly, also for who is called while it runs. */
  get instructions(): number {
    const { clock } = this.board;
    if (!this.#isInEngine) return clock.instructions;
    return clock.instructions + Math.max(0, this.engine.retired - this.#reported);
  }

  /** Virtual time since power-on, in nanoseconds. */
  get now(): number {
    return this.board.clock.now;
  }

  // Tour guest 010
  //
  // The machine in a loop: run until the next timer is due, tell the clock, let go off
  // what is due, deliver what interrupts. HLT jumps to the next timer, so a boot never
  // waits.
  /**
   * Runs until something ends it.
   *
   * @param limits At most so many instructions now.
   */
  run({ instructions = Infinity }: { readonly instructions?: number } = {}): Stop {
    const { board, engine } = this;
    const { clock } = board;
    const end = clock.instructions + instructions;
    this.#isStopping = false;
    for (;;) {
      const event = this.#event;
      if (event !== undefined) {
        this.#event = undefined;
        return this.#come(event);
      }
      if (this.#isStopping) return this.#come({ kind: "stopped" });
      const left = end - clock.instructions;
      if (left <= 0) return this.#come({ kind: "limit" });
      const budget = Math.min(left, clock.budget, longestSlice);
      this.#reported = 0;
      this.#isInEngine = true;
      const halt = budget > 0 ? engine.run(budget) : "budget";
      this.#report();
      this.#isInEngine = false;
      this.#reported = 0;
      clock.runDue();
      if (halt === "interrupt") this.#interrupt();
      else if (halt === "halted") {
        if (this.#isInterrupted()) this.#interrupt();
        else if (!this.#canWake()) return this.#come({ kind: "idle", forEver: true });
        else if (!board.hasInterrupt && !clock.skipToNext()) {
          return this.#come({ kind: "idle", forEver: false });
        }
      } else if (halt === "shutdown") return this.#come({ kind: "triple-fault" });
    }
  }

  /** Runs one instruction. */
  step(): Stop {
    return this.run({ instructions: 1 });
  }

  /**
   * Marks a linear address: somebody is told each time that the instruction
   * there is about to be executed, and may look, or {@link stop} the machine
   * before it. The machine does the same with and without marks.
   *
   * @param linear As the processor has it: signed in 64-bit mode.
   * @returns Takes the mark off.
   */
  mark(linear: number, told: () => void): () => void {
    return this.engine.marks.add(linear, () => {
      this.#report();
      told();
    });
  }

  /**
   * Lets somebody see the linear address of each piece of code before it is
   * executed for the first time, or for the first time since it has changed;
   * some are seen more often. Nobody, if undefined.
   */
  get onLook(): ((linear: number) => void) | undefined {
    return this.#onLook;
  }
  set onLook(look: ((linear: number) => void) | undefined) {
    this.#onLook = look;
    this.engine.onLook = look && ((linear) => {
      this.#report();
      look(linear);
    });
  }

  /** Leaves {@link run} at the next block of instructions. */
  stop(): void {
    this.#isStopping = true;
    this.engine.stop();
  }

  /** A sum over processor, board and memory, in hexadecimal: equal sums, equal futures. */
  stateHash(): string {
    const { cpu, board } = this;
    const hash = new StateHash();
    hash.add(cpu.bytes.subarray(REGISTERS, REGISTERS + 128));
    hash.add(cpu.bytes.subarray(SEGMENTS, SEGMENTS + 6 * SEGMENT_SIZE));
    hash.add(cpu.bytes.subarray(XMM, FPU_REGISTERS + 128));
    const { gdtr, idtr, cr0, cr2, cr3, cr4, efer, xcr0, debug, segments } = cpu;
    const rest = JSON.stringify(
      [
        ...[cpu.rip, cpu.eflags, cpu.cpl, cpu.segments.map(({ base }) => base)],
        ...[gdtr, idtr, cr0, cr2, cr3, cr4, efer, xcr0, debug, [...cpu.msrs]],
        segments.slice(6),
      ],
      (_, value) => typeof value === "bigint" ? `${value}n` : value,
    );
    hash.add(new TextEncoder().encode(rest));
    hash.add(board.saveBytes());
    hash.add(cpu.bytes.subarray(RAM));
    return hash.hex();
  }

  #come(stop: Stop): Stop {
    this.board.flush();
    return stop;
  }

  /** Instructions carried out in TypeScript; those that are told of tell. */
  #watched(form: Form): SystemSemantics | undefined {
    const name = form.row.as ?? form.mnemonics[0];
    const semantics = checkedSystem(form);
    if (semantics === undefined || !toldOf.has(name)) return semantics;
    return (cpu, i, f) => {
      const asked = [cpu.low(0), cpu.low(1)] as const;
      semantics(cpu, i, f);
      this.onSystem?.({ name, register: i.reg, asked });
    };
  }

  /** Tells the clock what has retired. */
  #report(): void {
    const { retired } = this.engine;
    if (retired <= this.#reported) return;
    this.board.clock.retire(retired - this.#reported);
    this.#reported = retired;
  }

  #isInterrupted(): boolean {
    if (this.#nmi && !this.cpu.nmiBlocked) return true;
    return this.#canWake() && this.board.hasInterrupt;
  }

  /** Whether an interrupt would wake it. */
  #canWake(): boolean {
    return ((this.cpu.words[FLAGS_OTHER >> 2] as number) & eflag.IF) !== 0;
  }

  #interrupt(): void {
    const { cpu } = this;
    cpu.halted = false;
    if (this.#nmi) {
      this.#nmi = false;
      deliverNmi(cpu);
    } else if (this.board.hasInterrupt) deliverInterrupt(cpu, this.board.takeInterrupt());
  }

  #signalled(signal: Signal): void {
    switch (signal.kind) {
      case "interrupt":
        this.engine.cut();
        break;
      case "nmi":
        this.#nmi = true;
        this.engine.cut();
        break;
      case "a20":
        this.cpu.a20 = this.board.a20;
        this.mmu.flush(true);
        break;
      case "reset":
      case "off":
        this.#event ??= { kind: signal.kind };
        this.stop();
        break;
      case "exit":
        this.#event ??= { kind: "exit", code: signal.code };
        this.stop();
    }
  }

  /** The board as the processor reaches it, with the time made right before. */
  #devices(tscHz: number): Devices {
    const { bus, clock, lapic } = this.board;
    const perNanosecond = tscHz / 1_000_000_000;
    // A device may let go of one interrupt and so show the next.
    const look = () => {
      if (this.#isInterrupted()) this.engine.cut();
    };
    return {
      in: (port, width) => {
        this.#report();
        return bus.in(port, width);
      },
      out: (port, value, width) => {
        this.#report();
        bus.out(port, value, width);
        look();
      },
      read: (address, width) => {
        this.#report();
        return bus.read(address, width);
      },
      write: (address, value, width) => {
        this.#report();
        bus.write(address, value, width);
        look();
      },
      tsc: () => {
        this.#report();
        return BigInt(Math.floor(clock.now * perNanosecond));
      },
      apic: lapic && {
        get base() {
          return BigInt(lapic.base);
        },
        set base(value) {
          if (!lapic.setBase(Number(value & 0xffff_ffffn), Number(value >> 32n))) {
            throw new Fault(vectors.GP, 0);
          }
        },
        get deadline() {
          return BigInt(lapic.deadline);
        },
        set deadline(value) {
          lapic.setDeadline(Number(value));
        },
        get taskPriority() {
          return lapic.cr8;
        },
        set taskPriority(value) {
          lapic.setCr8(value);
          look();
        },
      },
    };
  }
}

/** Instructions that {@link Machine.onSystem} is told of. */
const toldOf: ReadonlySet<string> = new Set([
  ...["cpuid", "rdmsr", "wrmsr", "xsetbv", "mov_to_cr", "lmsw", "clts"],
  ...["lgdt", "lidt", "lldt", "ltr", "hlt"],
]);

/** Instructions carried out in TypeScript, behind the checks that their rows ask for. */
function checkedSystem(form: Form): SystemSemantics | undefined {
  const semantics = systemSemanticsOf(form);
  if (semantics === undefined) return undefined;
  const { row } = form;
  const isChecked = row.protected === true || row.ring === 0 ||
    /^(sgdt|sidt|sldt|smsw|str)$/.test(form.mnemonics[0]);
  if (!isChecked) return semantics;
  return (cpu, i, f) => {
    if (checkRow(cpu, i, f)) semantics(cpu, i, f);
  };
}

/** 64 random bits at a time, from a seed: splitmix64. */
function randomFrom(seed: number): () => bigint {
  let state = BigInt.asUintN(64, BigInt(seed) * 0x9e37_79b9_7f4a_7c15n);
  return () => {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ z >> 30n) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ z >> 27n) * 0x94d0_49bb_1331_11ebn);
    return z ^ z >> 31n;
  };
}
