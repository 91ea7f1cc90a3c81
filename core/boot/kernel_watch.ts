/**
 * A running kernel, watched from its first instruction on: its phases, the calls
 * that its start-up functions make, and its initcalls.
 *
 * Source: Linux v6.1 init/main.c (`start_kernel` to `kernel_init`).
 *
 * @module
 */

import type { Kernel } from "../kernel.ts";
import { type CallSite, callsOf } from "./calls.ts";
import type { Guest } from "./guest.ts";
import { type InitcallLevel, readInitcalls } from "./initcalls.ts";
import { peek } from "./peek.ts";
import type { KernelSymbols } from "./symbols.ts";
import type { Moment, OpenSpan, Timeline } from "./timeline.ts";

// Tour timeline 020
//
// From here on the kernel's own names tell. Marks lie on a handful of functions
// that every boot comes through once; what `start_kernel` calls is read out of
// its code, since it differs from release to release, and each callee is marked
// for as long as the call is still to come.
/** Functions that a phase begins with, by the phase. */
const begins: readonly (readonly [name: string, phase: string])[] = [
  ["start_kernel", "start_kernel"],
  ["kernel_init", "kernel_init"],
  ["run_init_process", "run_init_process"],
  ["kernel_power_off", "power off"],
  ["kernel_restart", "restart"],
  ["kernel_halt", "halt"],
  ["panic", "panic"],
];

/** How deep calls of calls are followed. */
const DEEPEST = 3;
/** Instructions that a call takes at least to be told of. */
const SHORTEST = 5000;
/** Called from everywhere and all the time, or phases themselves. */
const common =
  /^(_?printk|mem(set|cpy|move|cmp)|str\w+|kfree|k[mvz]*alloc|mutex_|_raw_|__stack_chk|panic|memblock_|__x86_|do_one_initcall|kernel_init_freeable|run_init_process|kernel_execve|rest_init)/;

const RAX = 0;
const RDX = 2;
const RSP = 4;
const RSI = 6;
const RDI = 7;

/** An initcall that has not come back. */
interface Running {
  readonly span: OpenSpan;
  /** Stack pointer where it was called, behind the return address. */
  readonly stack: number;
}

/** Watches a kernel for a timeline. */
export class KernelWatch {
  readonly #timeline: Timeline;
  readonly #guest: Guest;
  readonly #kernel: Kernel;
  readonly #symbols: KernelSymbols;
  readonly #is64: boolean;
  /** Code that is thrown away after the boot. */
  readonly #init: { readonly from: number; readonly to: number };
  readonly #running: Running[] = [];
  readonly #returns = new Set<number>();
  #levels: ReadonlyMap<number, InitcallLevel> | undefined;
  #level: OpenSpan | undefined;
  #lastInitcall: Moment | undefined;

  /** Puts its marks; the kernel is about to execute its first instruction. */
  constructor(timeline: Timeline, guest: Guest, kernel: Kernel, symbols: KernelSymbols) {
    this.#timeline = timeline;
    this.#guest = guest;
    this.#kernel = kernel;
    this.#symbols = symbols;
    this.#is64 = kernel.elf?.class !== 32;
    this.#init = {
      from: symbols.addressOf("_sinittext") ?? Infinity,
      to: symbols.addressOf("_einittext") ?? -Infinity,
    };
    for (const [name, phase] of begins) {
      this.#once(symbols.addressOf(name), () => this.#begin(phase));
    }
    const initcall = symbols.addressOf("do_one_initcall");
    if (initcall !== undefined) guest.machine.mark(initcall, () => this.#initcall());
    for (const name of ["start_thread", "compat_start_thread"]) {
      const address = symbols.addressOf(name);
      if (address !== undefined) guest.machine.mark(address, () => this.#startThread());
    }
  }

  #begin(name: string): void {
    // What runs after the last initcall is no initcall.
    if (this.#timeline.phase.name === "initcalls") this.#afterInitcalls();
    const phase = this.#timeline.begin(name);
    const follow = (name: string, parent: () => OpenSpan, hasBegun: boolean) =>
      this.#followCalls(this.#symbols.addressOf(name), parent, DEEPEST, hasBegun);
    if (name === "start_kernel") follow(name, () => phase, true);
    if (name !== "kernel_init") return;
    const now = () => this.#timeline.phase;
    follow(name, now, true);
    follow("kernel_init_freeable", now, false);
  }

  /** The phase from the last initcall on. */
  #afterInitcalls(): void {
    this.#level = undefined;
    this.#timeline.begin("final steps", this.#lastInitcall);
  }

  /** Does something the first time that execution comes to an address. */
  #once(address: number | undefined, does: () => void): void {
    if (address === undefined) return;
    const unmark = this.#guest.machine.mark(address, () => {
      unmark();
      does();
    });
  }

  /**
   * Tells of the calls that a function makes.
   *
   * @param parent What they are part of.
   * @param hasBegun Whether it runs already; else it begins when execution comes to it.
   */
  #followCalls(
    start: number | undefined,
    parent: () => OpenSpan,
    depth: number,
    hasBegun: boolean,
  ): void {
    if (start === undefined) return;
    const { machine } = this.#guest;
    let isRunning = hasBegun;
    if (!hasBegun) this.#once(start, () => isRunning = true);
    for (const site of callsOf(machine, this.#symbols, start)) {
      const { at, behind, target } = site;
      const called = (callee: string, inner?: number): void => {
        const span: OpenSpan = { name: callee, kind: "call", from: this.#timeline.now, spans: [] };
        if (this.#timeline.phase.name === "initcalls") this.#afterInitcalls();
        if (inner !== undefined) this.#followCalls(inner, () => span, depth - 1, true);
        this.#once(behind, () => {
          span.to = this.#timeline.now;
          if (span.to.instructions - span.from.instructions >= SHORTEST) parent().spans.push(span);
        });
      };
      if (target === undefined) {
        this.#once(at, () => {
          const callee = this.#pointed(site);
          const name = callee === undefined ? undefined : this.#symbols.nameOf(callee)?.name;
          if (isRunning && name !== undefined) called(name);
        });
        continue;
      }
      const callee = this.#symbols.nameOf(target)?.name;
      if (callee === undefined || common.test(callee)) continue;
      // Only functions that are thrown away after the boot are sure to be called seldom.
      const isInit = target >= this.#init.from && target < this.#init.to;
      if (!isInit && depth < DEEPEST) continue;
      const unmark = machine.mark(target, () => {
        if (!isRunning || this.#word(this.#stack) !== behind) return;
        unmark();
        called(callee, isInit && depth > 1 ? target : undefined);
      });
    }
  }

  /** Where a call through a pointer, which is about to be executed, leads to. */
  #pointed({ register, pointer }: CallSite): number | undefined {
    return register !== undefined
      ? this.#address(this.#guest.machine.cpu.registers[register])
      : pointer === undefined
      ? undefined
      : this.#word(pointer);
  }

  /** `do_one_initcall(fn)` begins. */
  #initcall(): void {
    const { registers } = this.#guest.machine.cpu;
    const function_ = this.#address(registers[this.#is64 ? RDI : RAX]);
    const stack = this.#stack;
    const back = this.#word(stack);
    if (back === undefined) return;
    this.#levels ??= readInitcalls(this.#guest, this.#kernel, this.#symbols);
    const named = this.#symbols.nameOf(function_);
    const isModule = named?.offset !== 0;
    const span: OpenSpan = {
      name: isModule
        ? `module at 0x${BigInt.asUintN(64, BigInt(function_)).toString(16)}`
        : named.name,
      kind: isModule ? "module" : "initcall",
      from: this.#timeline.now,
      spans: [],
    };
    const level = isModule ? undefined : this.#levelName(function_);
    this.#levelOf(level, span.from).spans.push(span);
    this.#running.push({ span, stack: stack + (this.#is64 ? 8 : 4) });
    if (this.#returns.has(back)) return;
    this.#returns.add(back);
    this.#guest.machine.mark(back, () => this.#initcallReturns());
  }

  /** The level of an initcall; `any` where the kernel does not tell them apart. */
  #levelName(function_: number): string {
    return this.#levels?.get(function_) ?? (this.#levels?.size === 0 ? "any" : "early");
  }

  /** Where an initcall of some level belongs. */
  #levelOf(level: string | undefined, from: Moment): OpenSpan {
    const { phase } = this.#timeline;
    if (level === undefined) return phase;
    if (this.#level?.name === level) return this.#level;
    // Levels follow each other; only behind the early initcalls comes something else.
    if (this.#level !== undefined && this.#level.name !== "early") this.#level.to = from;
    if (phase.name === "final steps") this.#timeline.takeBack();
    // The early ones run before other processors are started, apart from the rest.
    const parent = level === "early"
      ? this.#timeline.phase
      : this.#timeline.begin("initcalls", from);
    const span: OpenSpan = { name: level, kind: "level", from, spans: [] };
    parent.spans.push(span);
    return this.#level = span;
  }

  #initcallReturns(): void {
    const stack = this.#stack;
    const n = this.#running.findIndex((running) => running.stack === stack);
    const [running] = n < 0 ? [] : this.#running.splice(n, 1);
    if (running === undefined) return;
    running.span.to = this.#timeline.now;
    if (running.span.kind !== "initcall") return;
    this.#lastInitcall = running.span.to;
    if (this.#level !== undefined) this.#level.to = running.span.to;
  }

  /** `start_thread(regs, ip, sp)`: a program is about to be entered. */
  #startThread(): void {
    const { machine } = this.#guest;
    if (this.#timeline.phase.name !== "run_init_process") return;
    const entry = this.#address(machine.cpu.registers[this.#is64 ? RSI : RDX]);
    const unmark = machine.mark(entry, () => {
      if (machine.cpu.cpl !== 3) return;
      unmark();
      if (this.#timeline.phase.name === "run_init_process") this.#timeline.enterUserspace();
    });
  }

  /** The stack pointer. */
  get #stack(): number {
    return this.#address(this.#guest.machine.cpu.registers[RSP]);
  }

  /** A register's value as an address. */
  #address(value = 0n): number {
    return this.#is64 ? Number(BigInt.asIntN(64, value)) : Number(BigInt.asUintN(32, value));
  }

  /** The word at a linear address, as an address. */
  #word(at: number): number | undefined {
    const bytes = peek(this.#guest.machine, at, this.#is64 ? 8 : 4);
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return this.#is64 ? Number(view.getBigInt64(0, true)) : view.getUint32(0, true);
  }
}
