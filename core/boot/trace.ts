/**
 * What a guest does, line by line: every instruction with what it changed, every
 * jump, or what happens between processor and board: exceptions, interrupts,
 * ports, model-specific and control registers, CPUID.
 *
 * Each line begins with the number of instructions retired before.
 *
 * @module
 */

import type { CodeLine } from "./code_view.ts";
import { codeAt } from "./code_view.ts";
import { eventName, type GuestEvent, linearRip, showEvent, watchEvents } from "./events.ts";
import type { Guest } from "./guest.ts";
import { watchKernelEntry } from "./kernel_entry.ts";
import type { GuestMachine, SystemEvent } from "./machine.ts";
import { Names } from "./names.ts";

/** What can be traced. */
export const traceKinds = ["branches", "instructions", "events"] as const;
/** What to trace. */
export type TraceKind = typeof traceKinds[number];

/** From when on. */
export interface TraceOptions {
  /**
   * So many instructions retired, or a function of the kernel: from its first
   * call on. Default 0.
   */
  readonly from?: number | string;
}

/**
 * Traces a guest from now on. All but events make it go step by step, from where
 * the trace begins.
 *
 * @param write Is given each line, without its end.
 * @throws {RangeError} If the kernel has no such function.
 */
export async function trace(
  guest: Guest,
  kind: TraceKind,
  write: (line: string) => void,
  { from = 0 }: TraceOptions = {},
): Promise<void> {
  const symbols = await guest.symbols();
  const names = new Names(guest.machine, symbols);
  const tracer = kind === "events"
    ? new EventTracer(guest.machine, names, write)
    : new StepTracer(guest.machine, names, kind, write);
  if (tracer instanceof StepTracer) guest.onStep = tracer;
  if (typeof from === "number") {
    tracer.from = from;
    return;
  }
  if (symbols?.addressOf(from) === undefined) {
    throw new RangeError(
      symbols === undefined
        ? `the kernel has no symbols, so no "${from}"`
        : `the kernel has no symbol "${from}"`,
    );
  }
  tracer.from = Infinity;
  const kernel = await guest.kernel();
  const { machine } = guest;
  const isWatched = kernel !== undefined && watchKernelEntry(machine, kernel, ({ slide }) => {
    symbols.slide = slide;
    const address = symbols.addressOf(from);
    if (address === undefined) return;
    const unmark = machine.mark(address, () => {
      unmark();
      tracer.from = machine.instructions;
      // The next slice goes step by step.
      machine.stop();
    });
  });
  if (!isWatched) throw new RangeError(`where the kernel puts its "${from}" cannot be told`);
}

const count = (instructions: number) => String(instructions).padStart(12);
const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** Model-specific registers that every kernel writes, by number. */
const msrNames: Readonly<Record<number, string>> = {
  ...{ 0x10: "TSC", 0x1b: "APIC_BASE", 0x8b: "BIOS_SIGN_ID", 0x174: "SYSENTER_CS" },
  ...{ 0x175: "SYSENTER_ESP", 0x176: "SYSENTER_EIP", 0x1a0: "MISC_ENABLE", 0x277: "PAT" },
  ...{ 0x6e0: "TSC_DEADLINE", 0xc0000080: "EFER", 0xc0000081: "STAR", 0xc0000082: "LSTAR" },
  ...{ 0xc0000083: "CSTAR", 0xc0000084: "FMASK", 0xc0000100: "FS_BASE", 0xc0000101: "GS_BASE" },
  ...{ 0xc0000102: "KERNEL_GS_BASE", 0xc0000103: "TSC_AUX" },
};

/** Writes what happens between processor and board. */
class EventTracer {
  from = 0;
  readonly #machine: GuestMachine;
  readonly #names: Names;
  readonly #write: (line: string) => void;

  constructor(machine: GuestMachine, names: Names, write: (line: string) => void) {
    this.#machine = machine;
    this.#names = names;
    this.#write = write;
    watchEvents(machine, (event) => {
      if (event.instructions < this.from) return;
      write(`${count(event.instructions)} ${showEvent(event, (at) => names.show(at))}`);
    });
    const { bus } = machine.board;
    const before = bus.log;
    bus.log = (kind, address, width, value, time) => {
      before?.(kind, address, width, value, time);
      if (kind === "in") this.#line(`in ${hex(address)} → ${this.#sized(value, width)}`);
      else if (kind === "out") this.#line(`out ${hex(address)} ← ${this.#sized(value, width)}`);
    };
    machine.onSystem = (instruction) => this.#line(this.#system(instruction));
  }

  #sized(value: number, width: number): string {
    return `0x${value.toString(16).padStart(2 * width, "0")}`;
  }

  #line(what: string): void {
    const { instructions } = this.#machine;
    if (instructions < this.from) return;
    const at = this.#names.show(linearRip(this.#machine));
    this.#write(`${count(instructions)} ${what} at ${at}`);
  }

  #system({ name, register, asked: [eax, ecx] }: SystemEvent): string {
    const { cpu } = this.#machine;
    const [a, c, d, b] = [0, 1, 2, 3].map((n) =>
      Number(BigInt.asUintN(32, cpu.registers[n] ?? 0n))
    );
    const pair = `0x${((BigInt(d ?? 0) << 32n) | BigInt(a ?? 0)).toString(16)}`;
    const msr = msrNames[ecx] === undefined ? hex(ecx) : `${hex(ecx)} (${msrNames[ecx]})`;
    switch (name) {
      case "cpuid": {
        const [ax, bx, cx, dx] = [a, b, c, d].map((value) => hex(value ?? 0));
        return `cpuid ${hex(eax)}, ${hex(ecx)} → eax ${ax} ebx ${bx} ecx ${cx} edx ${dx}`;
      }
      case "rdmsr":
        return `rdmsr ${msr} → ${pair}`;
      case "wrmsr":
        return `wrmsr ${msr} ← ${pair}`;
      case "xsetbv":
        return `xsetbv ${hex(ecx)} ← ${pair}`;
      case "mov_to_cr": {
        const values: Readonly<Record<number, bigint | number>> = {
          ...{ 0: cpu.cr0 >>> 0, 2: cpu.cr2, 3: cpu.cr3, 4: cpu.cr4 },
        };
        const value = values[register];
        return `cr${register}${value === undefined ? " written" : ` ← ${hex(value)}`}`;
      }
      case "lmsw":
      case "clts":
        return `${name}: cr0 ← ${hex(cpu.cr0 >>> 0)}`;
      case "lgdt":
      case "lidt": {
        const { base, limit } = name === "lgdt" ? cpu.gdtr : cpu.idtr;
        return `${name} base ${hex(base)} limit ${hex(limit)}`;
      }
      case "ltr":
      case "lldt": {
        const segment = cpu.segments[name === "lldt" ? 6 : 7];
        return `${name} ${hex(segment?.selector ?? 0)} base ${hex(segment?.base ?? 0)}`;
      }
      default:
        return name;
    }
  }
}

const numbered = [
  ...["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
] as const;
const statusNames = { cf: 1, pf: 4, af: 0x10, zf: 0x40, sf: 0x80, of: 0x800 } as const;
const STATUS = 0x8d5;

/** Writes instructions or branches, one step at a time. */
class StepTracer {
  from = 0;
  readonly #machine: GuestMachine;
  readonly #names: Names;
  readonly #kind: "branches" | "instructions";
  readonly #write: (line: string) => void;
  readonly #before = new BigUint64Array(16);
  #flags = 0;
  #at = 0;
  #instructions = 0;
  #mode: 16 | 32 | 64 = 16;
  #code: CodeLine | undefined;
  /** What was delivered in this step: an event, and what came of it where it could not be. */
  #events: GuestEvent[] = [];
  #isStepping = false;

  constructor(
    machine: GuestMachine,
    names: Names,
    kind: "branches" | "instructions",
    write: (line: string) => void,
  ) {
    this.#machine = machine;
    this.#names = names;
    this.#kind = kind;
    this.#write = write;
    watchEvents(machine, (event) => {
      if (!this.#isStepping) return;
      this.#events.push(event);
      // The handler's first instruction is a step of its own.
      machine.stop();
    });
  }

  before(): void {
    const { cpu, instructions } = this.#machine;
    this.#at = linearRip(this.#machine);
    this.#instructions = instructions;
    this.#mode = cpu.mode;
    this.#code = codeAt(this.#machine, this.#at, this.#names);
    this.#before.set(cpu.registers);
    this.#flags = cpu.eflags;
    this.#events = [];
    this.#isStepping = true;
  }

  after(): void {
    this.#isStepping = false;
    const now = linearRip(this.#machine);
    const events = this.#events;
    const [first] = events;
    if (this.#machine.instructions > this.#instructions) this.#retired(first?.at ?? now);
    for (const event of events) {
      const what = this.#kind === "branches"
        ? `${this.#names.show(event.at)} ${eventName(event)}`
        : showEvent(event, (at) => this.#names.show(at));
      // One that leads nowhere had no handler that could be called.
      const to = event === events.at(-1) && now !== event.at ? ` → ${this.#names.show(now)}` : "";
      this.#write(`${count(event.instructions)} ${what}${to}`);
    }
  }

  /** An instruction was carried out, and this is where it led. */
  #retired(to: number): void {
    const at = this.#at;
    const { bytes, text } = this.#code ?? { bytes: new Uint8Array(), text: "" };
    const place = `${count(this.#instructions)} ${this.#names.show(at)}`;
    if (this.#kind === "instructions") {
      const changes = this.#changes();
      this.#write(`${place}  ${text}${changes.length > 0 ? `  ; ${changes.join(" ")}` : ""}`);
    } else if (to !== at + bytes.length && to !== at) {
      // An instruction that repeats itself goes nowhere.
      const mnemonic = text.split(" ").find((word) => !/^(rep|repz|repnz|lock)$/.test(word));
      this.#write(`${place} ${mnemonic ?? "?"} → ${this.#names.show(to)}`);
    }
  }

  /** Registers and flags that are no longer what they were. */
  #changes(): string[] {
    const { cpu } = this.#machine;
    const found: string[] = [];
    for (const [n, name] of numbered.entries()) {
      const value = cpu.registers[n] ?? 0n;
      if (value === this.#before[n]) continue;
      const label = n >= 8 ? name : `${this.#mode === 64 ? "r" : "e"}${name}`;
      found.push(`${label}=${hex(value)}`);
    }
    const flags = cpu.eflags & STATUS;
    if (flags !== (this.#flags & STATUS)) {
      const set = Object.entries(statusNames).filter(([, bit]) => (flags & bit) !== 0);
      found.push(`flags=${set.map(([name]) => name).join(",") || "none"}`);
    }
    return found;
  }
}
