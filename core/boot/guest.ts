/**
 * A kernel that boots: the machine, its console, and what one may ask of them.
 *
 * ```ts
 * import { boot } from "@zeropage/zeropage";
 *
 * // About the smallest bzImage there can be: a header, and code that says "Hi".
 * const image = new Uint8Array(0x420);
 * image[0x1f1] = 1; // sectors of setup code
 * image[0x1f4] = 2; // 16-byte units of protected-mode code
 * image.set([0x55, 0xaa, 0xeb, 0x6a], 0x1fe);
 * image.set(new TextEncoder().encode("HdrS\x0f\x02"), 0x202); // protocol 2.15
 * image[0x211] = 1; // goes to 1 MiB,
 * image[0x216] = image[0x25a] = 0x10; // is entered there and runs there
 * image[0x238] = 255; // longest command line
 * image.set([0xba, 0xfb, 0x03, 0, 0, 0xb0, 3, 0xee], 0x400); // out 0x3fb, 3: 8 bits a character
 * image.set([0xb2, 0xf8, 0xb0, 0x48, 0xee, 0xb0, 0x69, 0xee], 0x408); // out 0x3f8, "H", "i"
 * image.set([0x30, 0xc0, 0xe6, 0xf4], 0x410); // out 0xf4, 0: done
 *
 * const guest = await boot(image, { memory: 16 << 20 });
 * const outcome = guest.run();
 * console.log(guest.text, outcome); // Hi { kind: "exit", code: 1 }
 * ```
 *
 * With a real kernel it is a conversation:
 *
 * ```ts ignore
 * const guest = await boot(vmlinuz, { initrd });
 * guest.run({ until: /login: $/ });
 * guest.type("root\n");
 * console.log(guest.run({ until: /# $/ }), guest.read());
 * ```
 *
 * @module
 */

import type { Kernel } from "../kernel.ts";
import type { Bootable } from "./bootable.ts";
import { applyPlan } from "./apply.ts";
import { GuestConsole } from "./console.ts";
import { EventLog, type GuestException, linearRip } from "./events.ts";
import { watchKernelEntry } from "./kernel_entry.ts";
import type { GuestMachine } from "./machine.ts";
import { peek } from "./peek.ts";
import type { Outcome } from "./outcome.ts";
import type { BootPlan } from "./plan.ts";
import { prepareBoot, type PrepareOptions } from "./prepare.ts";
import { Run, type RunLimits, SLICE, type Stepper } from "./run.ts";
import { kernelOf, type KernelSymbols, symbolsOf } from "./symbols.ts";

/** What to boot on. */
export interface BootOptions extends PrepareOptions {
  /** Is given what the guest sends to its serial port, as it comes. */
  readonly output?: (bytes: Uint8Array) => void;
  /** Is given what the guest sends to the debug console, ports 0xe9 and 0x402. */
  readonly debug?: (bytes: Uint8Array) => void;
  /** Time at power-on, in seconds since 1970; default 2026-01-01. */
  readonly startTime?: number;
  /** Where the machine's random numbers start; default 1. */
  readonly seed?: number;
  /** Whether it has KVM's clock. */
  readonly paravirtClock?: boolean;
  /** Makes the machine; default the real one. */
  readonly machine?: (plan: BootPlan, options: MachineWishes) => GuestMachine;
}

/** What a machine is made with beside the plan. */
export interface MachineWishes extends
  Pick<
    BootOptions,
    "profile" | "debug" | "startTime" | "seed" | "paravirtClock"
  > {
  /** Is given what the serial port sends. */
  readonly serial: (bytes: Uint8Array) => void;
}

/** General registers in the order of their numbers. */
const names = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
] as const;

/** Text that a guest keeps of its output, in characters. */
const KEPT = 1 << 20;
/** Slices of which a guest keeps where they ended. */
const PLACES = 100;

/** Input that the serial port took. */
interface Typed {
  /** Instructions retired before. */
  readonly at: number;
  /** What it was. */
  readonly bytes: Uint8Array;
}

/** A guest on its machine. */
export class Guest {
  /** The image it came from. */
  readonly image: Bootable;
  /** What was put where. */
  readonly plan: BootPlan;
  /** The machine. */
  readonly machine: GuestMachine;
  /** What it said, line by line. */
  readonly console: GuestConsole;
  /** Instructions in a slice of a run, at most. */
  slice: number = SLICE;
  /** Called after each slice of a run. */
  readonly watchers: (() => void)[] = [];
  /** Called around each instruction of a run; the machine goes step by step for it. */
  onStep: Stepper | undefined;
  readonly #output: Output;
  readonly #events: EventLog;
  readonly #remake: () => Promise<Guest>;
  readonly #taken: Typed[] = [];
  readonly #places: number[] = [];
  #panicked: number | undefined;
  #kernel: Promise<Kernel | undefined> | undefined;
  #symbols: Promise<KernelSymbols | undefined> | undefined;
  #typed: Uint8Array[] = [];

  /** Made by {@link boot}. */
  constructor(
    image: Bootable,
    plan: BootPlan,
    machine: GuestMachine,
    console: GuestConsole,
    output: Output,
    remake: () => Promise<Guest>,
  ) {
    this.image = image;
    this.plan = plan;
    this.machine = machine;
    this.console = console;
    this.#output = output;
    this.#events = new EventLog(machine);
    this.#remake = remake;
    console.onPanic = () => this.#panicked ??= machine.instructions;
  }

  /** What it has said so far; the last million characters of it. */
  get text(): string {
    return this.#output.text;
  }

  /**
   * Whether it has asked its serial port to be told of input; before, what is
   * typed may be lost on a driver that starts.
   */
  get isListening(): boolean {
    const { ier } = this.machine.board.uart.registers as { readonly ier?: number };
    return ((ier ?? 1) & 1) !== 0;
  }

  /** Its last exceptions, the last one last. */
  get exceptions(): readonly GuestException[] {
    return this.#events.last;
  }

  /** Linear addresses that it was at after the last slices of its runs. */
  get places(): readonly number[] {
    return this.#places;
  }

  /** Instructions retired when it said that it panicked. */
  get panicked(): number | undefined {
    return this.#panicked;
  }

  /**
   * The same guest once more, in the same run, up to some number of instructions.
   * What was typed is typed again when it was taken before; its output goes nowhere.
   */
  async again(instructions: number = this.machine.instructions): Promise<Guest> {
    const guest = await this.#remake();
    const { machine } = guest;
    const runTo = (end: number) => {
      while (machine.instructions < end) {
        const { kind } = machine.run({ instructions: end - machine.instructions });
        if (kind !== "limit" && kind !== "stopped") return;
      }
    };
    for (const { at, bytes } of this.#taken) {
      if (at > instructions) break;
      runTo(at);
      machine.board.uart.receive(bytes);
    }
    runTo(instructions);
    return guest;
  }

  /** What it has said since the last time. */
  read(): string {
    return this.#output.read();
  }

  /** Types on its console. */
  type(input: string | Uint8Array): void {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    this.#typed.push(bytes);
    this.#feed();
  }

  /** Begins a run that is driven slice by slice. */
  start(limits: RunLimits = {}): Run {
    const run = new Run(this.machine, this.console, limits);
    run.beforeSlice = () => this.#feed();
    run.afterSlice = () => {
      this.#places.push(linearRip(this.machine));
      if (this.#places.length > PLACES) this.#places.shift();
      this.watchers.forEach((watch) => watch());
    };
    run.onStep = this.onStep;
    return run;
  }

  /**
   * Runs until something ends the run: a limit, or the guest.
   *
   * @returns What it was.
   */
  run(limits: RunLimits = {}): Outcome {
    return this.start(limits).finish(this.slice);
  }

  /**
   * Runs to a function of the kernel, before its first instruction. Where the
   * kernel has moved itself to is found out on the way.
   *
   * @throws {RangeError} If the kernel has no such symbol.
   */
  async runTo(symbol: string, limits: RunLimits = {}): Promise<Outcome> {
    const kernel = await this.kernel();
    const symbols = await this.symbols();
    const linked = symbols?.addressOf(symbol);
    if (kernel === undefined || symbols === undefined || linked === undefined) {
      throw new RangeError(`the kernel has no symbol "${symbol}"`);
    }
    const run = this.start(limits);
    symbols.findSlide(this.machine.cpu);
    const stop = () => run.stopAt(symbols.addressOf(symbol) ?? linked);
    stop();
    const unwatch = watchKernelEntry(this.machine, kernel, ({ slide }) => {
      symbols.slide = slide;
      stop();
    });
    try {
      return run.finish(this.slice);
    } finally {
      unwatch?.();
    }
  }

  /**
   * Runs instructions one by one.
   *
   * @returns How the run ended, if it did.
   */
  step(count = 1): Outcome | undefined {
    const outcome = this.run({ instructions: count });
    return outcome.kind === "limit" ? undefined : outcome;
  }

  /** General registers, instruction pointer, flags and control registers, by name. */
  get registers(): Readonly<Record<string, bigint>> {
    const { cpu } = this.machine;
    const wide = (value: number) => BigInt.asUintN(64, BigInt(value));
    return {
      ...Object.fromEntries(names.map((name, n) => [name, cpu.registers[n] ?? 0n])),
      rip: wide(cpu.rip),
      rflags: wide(cpu.eflags),
      cr0: BigInt.asUintN(32, BigInt(cpu.cr0)),
      cr2: cpu.cr2,
      cr3: cpu.cr3,
      cr4: wide(cpu.cr4),
      efer: wide(cpu.efer),
    };
  }

  /** The kernel's symbols; undefined if it has none. Unpacks the kernel when first asked. */
  symbols(): Promise<KernelSymbols | undefined> {
    return this.#symbols ??= this.kernel().then((kernel) => kernel && symbolsOf(kernel));
  }

  /** The kernel inside the image; undefined if nothing comes out. Unpacks it when first asked. */
  kernel(): Promise<Kernel | undefined> {
    return this.#kernel ??= kernelOf(this.image);
  }

  /** Reads physical memory. */
  memory(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.machine.memory.read(address, bytes);
    return bytes;
  }

  /**
   * Reads memory by linear address, through the guest's page tables.
   *
   * @param address As the processor has it, signed in 64-bit mode.
   * @returns Undefined where not all of it is mapped.
   */
  linearMemory(address: number, length: number): Uint8Array | undefined {
    return peek(this.machine, address, length);
  }

  /** Hands typing to the serial port, as far as it takes it. */
  #feed(): void {
    for (;;) {
      const [first] = this.#typed;
      if (first === undefined) return;
      const at = this.machine.instructions;
      const taken = this.machine.board.uart.receive(first);
      if (taken > 0) this.#taken.push({ at, bytes: first.slice(0, taken) });
      if (taken < first.length) {
        this.#typed[0] = first.subarray(taken);
        return;
      }
      this.#typed.shift();
    }
  }
}

/** What a guest said, kept for whoever asks. */
class Output {
  readonly #decoder = new TextDecoder();
  text = "";
  #unread = "";

  take(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    this.text = (this.text + text).slice(-KEPT);
    this.#unread = (this.#unread + text).slice(-KEPT);
  }

  read(): string {
    const text = this.#unread;
    this.#unread = "";
    return text;
  }
}

/**
 * Puts a kernel into a machine, ready for its first instruction.
 *
 * @param bytes A bzImage, a vmlinux, or a unified kernel image.
 * @throws {BootError} If it cannot be booted as asked.
 */
export async function boot(bytes: Uint8Array, options: BootOptions = {}): Promise<Guest> {
  const { image, plan } = await prepareBoot(bytes, options);
  return await place(image, plan, options);
}

/** Puts a planned boot into a machine. */
export async function place(
  image: Bootable,
  plan: BootPlan,
  options: BootOptions = {},
): Promise<Guest> {
  const console = new GuestConsole();
  const output = new Output();
  const serial = (bytes: Uint8Array) => {
    options.output?.(bytes);
    output.take(bytes);
    console.take(bytes);
  };
  const make = options.machine ?? (await import("./make_machine.ts")).makeMachine;
  const machine = make(plan, { ...options, serial });
  applyPlan(plan, machine);
  const { output: _, debug: __, ...silent } = options;
  return new Guest(image, plan, machine, console, output, () => place(image, plan, silent));
}
