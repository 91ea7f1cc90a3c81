/**
 * The board: which devices a machine has, and how they are wired.
 *
 * A profile is a row of a table. The board owns clock and bus, builds the row's
 * devices, leads their interrupts to the PC's pair of controllers and to the I/O
 * APIC alike, and shows the processor one face: is there an interrupt, which.
 *
 * @module
 */

import { Bus, type Device, type Line, SharedLine } from "./bus.ts";
import { AcpiPm } from "./dev/acpi_pm.ts";
import { type AcpiOptions, acpiTables, pciIrqs, sciIrq } from "./dev/acpi_tables.ts";
import { Cmos } from "./dev/cmos.ts";
import { DebugConsole } from "./dev/debug_console.ts";
import { DebugExit } from "./dev/debug_exit.ts";
import { Hpet } from "./dev/hpet.ts";
import { I8042 } from "./dev/i8042.ts";
import { IoApic } from "./dev/ioapic.ts";
import { type ApicMessage, LocalApic } from "./dev/lapic.ts";
import { intxLine, PciFunction, type PciFunctionOptions, PciHost } from "./dev/pci.ts";
import { Pic } from "./dev/pic.ts";
import { Pit } from "./dev/pit.ts";
import { Port61 } from "./dev/port61.ts";
import { Port80 } from "./dev/port80.ts";
import { Port92 } from "./dev/port92.ts";
import { Uart } from "./dev/uart16550.ts";
import { Vga } from "./dev/vga_text.ts";
import {
  copyState,
  encodeState,
  restoreState,
  type State,
  StateError,
  type Stateful,
} from "./state.ts";
import { Clock } from "./time.ts";

/** What a board may have beyond the serial port and the debug ports, which all have. */
export interface Profile {
  /** In a few words, for lists. */
  readonly title: string;
  /** PIC, PIT, port 0x61 and real-time clock. */
  readonly legacy: boolean;
  /** A local APIC. */
  readonly lapic: boolean;
  /** An I/O APIC, ACPI's fixed hardware and the tables that lead to them. */
  readonly acpi: boolean;
  /** An HPET; needs `acpi`, since nothing else tells of it. */
  readonly hpet: boolean;
  /** Keyboard controller and port 0x92. */
  readonly i8042: boolean;
  /** PCI. */
  readonly pci: boolean;
  /** A VGA in text mode. */
  readonly vga: boolean;
}

/** The profiles by name. */
export const profiles = {
  bare: {
    title: "Serial port and debug ports; everything else reads all ones",
    legacy: false,
    lapic: false,
    acpi: false,
    hpet: false,
    i8042: false,
    pci: false,
    vga: false,
  },
  micro: {
    title: "bare, with interrupt controllers, timer, clock and local APIC",
    legacy: true,
    lapic: true,
    acpi: false,
    hpet: false,
    i8042: false,
    pci: false,
    vga: false,
  },
  classic: {
    title: "micro, with I/O APIC, ACPI, HPET, keyboard controller, PCI and VGA",
    legacy: true,
    lapic: true,
    acpi: true,
    hpet: true,
    i8042: true,
    pci: true,
    vga: true,
  },
} as const satisfies Readonly<Record<string, Profile>>;

/** A profile's name. */
export type ProfileName = keyof typeof profiles;

/** What the processor must look at; see {@link Board.onSignal}. */
export type Signal =
  | { readonly kind: "interrupt" | "nmi" | "smi" | "init" | "reset" | "a20" | "off" }
  | { readonly kind: "startup"; readonly page: number }
  | { readonly kind: "exit"; readonly code: number };

/** How a board is made. */
export interface BoardOptions {
  /** What it has; `classic` if absent. */
  readonly profile?: ProfileName | Profile;
  /** Bytes of RAM, for what a firmware would note in the CMOS. */
  readonly memory?: number;
  /** Instructions a second of virtual time; 1,000,000,000 if absent. */
  readonly instructionsPerSecond?: number;
  /** Ticks a second of the time-stamp counter; 1,000,000,000 if absent. */
  readonly tscHz?: number;
  /** Time at power-on, in seconds since 1970, UTC. */
  readonly startTime?: number;
  /** Is given what the first serial port sends. */
  readonly serial?: (bytes: Uint8Array) => void;
  /** Is given what the debug consoles, ports 0xe9 and 0x402, are given. */
  readonly debug?: (bytes: Uint8Array) => void;
  /** Is given the codes of port 0x80. */
  readonly progress?: (code: number) => void;
  /** Further PCI functions; device 0 is the host bridge. */
  readonly pci?: readonly PciFunctionOptions[];
}

/** A board, powered on. */
export class Board {
  /** Virtual time. */
  readonly clock: Clock;
  /** Ports and memory windows. */
  readonly bus: Bus;
  /** The first serial port. */
  readonly uart: Uart;
  /** The local APIC, if there is one. */
  readonly lapic: LocalApic | undefined;
  /** The keyboard controller, if there is one. */
  readonly keyboard: I8042 | undefined;
  /** ACPI's fixed hardware, if there is any. */
  readonly power: AcpiPm | undefined;
  /** PCI, if there is any. */
  readonly pci: PciHost | undefined;
  /** The VGA, if there is one. */
  readonly vga: Vga | undefined;
  /**
   * Told when something came that the processor must look at before its next
   * instruction. An interrupt may be gone again when it looks.
   */
  onSignal: ((signal: Signal) => void) | undefined;

  readonly #profile: Profile;
  readonly #pic: Pic | undefined;
  readonly #ioApic: IoApic | undefined;
  readonly #pciLines: readonly SharedLine[];
  readonly #consoles: readonly DebugConsole[];
  readonly #devices: Device[] = [];
  /** In the order of snapshots, by name. */
  readonly #parts = new Map<string, Stateful>();
  readonly #r = { a20: true, hpetTakesLegacy: false };

  /** Builds and wires the devices. */
  constructor(options: BoardOptions = {}) {
    const { profile = "classic", serial = () => {}, debug = () => {} } = options;
    const has: Profile = typeof profile === "string" ? profiles[profile] : profile;
    this.#profile = has;
    const clock = new Clock({
      instructionsPerSecond: options.instructionsPerSecond ?? 1_000_000_000,
    });
    const bus = new Bus(clock);
    this.clock = clock;
    this.bus = bus;
    this.#parts.set("clock", clock);
    const exit = (code: number) => this.#signal({ kind: "exit", code });
    const reset = () => this.#signal({ kind: "reset" });
    const a20: Line = (level) => {
      if (level === this.#r.a20) return;
      this.#r.a20 = level;
      this.#signal({ kind: "a20" });
    };

    if (has.lapic) {
      this.lapic = this.#add(
        new LocalApic(bus, clock, {
          id: 0,
          tscHz: options.tscHz ?? 1_000_000_000,
          send: (message, shorthand) => {
            if (shorthand !== "others") this.#deliver(message, shorthand === "all");
          },
          ended: (vector) => this.#ioApic?.end(vector),
          signal: (kind, page) => this.#signal(kind === "startup" ? { kind, page } : { kind }),
        }),
      );
    }
    if (has.acpi) {
      this.#ioApic = this.#add(
        new IoApic(bus, {
          id: 1,
          send: (message) => this.#deliver(message, false),
          changed: () => this.#signal({ kind: "interrupt" }),
        }),
      );
    }
    if (has.legacy) {
      this.#pic = this.#add(
        new Pic(bus, {
          output: (level) => {
            this.lapic?.lint(0, level);
            if (level) this.#signal({ kind: "interrupt" });
          },
        }),
      );
      this.#addClocks(options);
    }
    this.uart = this.#add(
      new Uart(bus, clock, { port: 0x3f8, irq: this.#irq(4), output: serial }),
    );
    if (has.i8042) {
      this.keyboard = this.#add(new I8042(bus, { irq: this.#irq(1), reset, a20 }));
      this.#add(new Port92(bus, { reset, a20 }));
    }
    if (has.acpi) {
      const off = () => this.#signal({ kind: "off" });
      this.power = this.#add(new AcpiPm(bus, clock, { sci: this.#irq(sciIrq), off }));
    }
    this.#pciLines = has.pci ? [...new Set(pciIrqs)].map((irq) => this.#addPciLine(irq)) : [];
    if (has.pci) this.pci = this.#addPci(options.pci ?? [], reset);
    if (has.vga) this.vga = this.#add(new Vga(bus, clock));
    this.#add(new Port80(bus, options.progress));
    this.#consoles = [0xe9, 0x402].map((port) =>
      this.#add(new DebugConsole(bus, { port, output: debug }))
    );
    for (const port of [0xf4, 0x501]) this.#add(new DebugExit(bus, { port, exit }));
    this.#parts.set("board", { registers: this.#r });
  }

  /** Whether address line 20 is let through. */
  get a20(): boolean {
    return this.#r.a20;
  }

  /** Whether an interrupt waits for the processor, whatever its flags say. */
  get hasInterrupt(): boolean {
    return this.#external || this.lapic?.pending !== undefined;
  }

  /** Takes the interrupt; only while {@link Board.hasInterrupt}. */
  takeInterrupt(): number {
    // The SDM leaves open who is first; external interrupts are on real boards.
    if (this.#external) return this.#pic?.acknowledge() ?? 0xff;
    return this.lapic?.acknowledge() ?? 0xff;
  }

  /**
   * The interrupt line of a PCI device.
   *
   * @param device Device number, 0 to 31.
   * @param pin 1 for INTA#.
   */
  pciInterrupt(device: number, pin: number): Line {
    const irq = pciIrqs[intxLine(device, pin)] ?? pciIrqs[0];
    const lines = [...new Set(pciIrqs)];
    return this.#pciLines[lines.indexOf(irq)]?.end(device) ?? (() => {});
  }

  /** Resets every device; the clock goes on. */
  reset(): void {
    for (const device of this.#devices) device.reset();
    this.#r.a20 = true;
  }

  /** Hands over what was written to serial port and debug consoles. */
  flush(): void {
    this.uart.flush();
    for (const console of this.#consoles) console.flush();
  }

  /** A snapshot of clock and devices, by name. Memory and processor are not the board's. */
  save(): Readonly<Record<string, State>> {
    return Object.fromEntries(
      [...this.#parts].map(([name, part]) => [name, copyState(part.registers)]),
    );
  }

  /** The same as bytes: equal bytes, equal futures. */
  saveBytes(): Uint8Array {
    return encodeState(
      Object.fromEntries([...this.#parts].map(([name, part]) => [name, part.registers])),
    );
  }

  /**
   * Puts a snapshot back.
   *
   * @throws {StateError} If it is one of another kind of board.
   */
  restore(snapshot: Readonly<Record<string, State>>): void {
    const names = [...this.#parts.keys()].join();
    if (Object.keys(snapshot).join() !== names) {
      throw new StateError(`the board has ${names}, the snapshot ${Object.keys(snapshot)}`);
    }
    for (const [name, part] of this.#parts) {
      const state = snapshot[name];
      if (state !== undefined) restoreState(part.registers, state, name);
    }
    for (const part of this.#parts.values()) part.restored?.();
    this.#signal({ kind: "interrupt" });
    this.#signal({ kind: "a20" });
  }

  /**
   * The ACPI tables for this board, or undefined if it has no ACPI.
   *
   * @param base Physical address at which they will lie; a multiple of 64.
   */
  acpiTables(base: number): Uint8Array | undefined {
    const { acpi, lapic, hpet, pci, i8042, vga } = this.#profile;
    if (!acpi) return undefined;
    const options: AcpiOptions = {
      base,
      localApics: lapic ? [0] : [],
      ioApic: 1,
      hpet,
      pci,
      i8042,
      vga,
    };
    return acpiTables(options);
  }

  /** The PC's controllers ask, and somebody lets them through. */
  get #external(): boolean {
    if (this.#pic?.intr !== true) return false;
    return this.lapic === undefined || this.lapic.passesExternal ||
      this.#ioApic?.passesExternal(0) === true;
  }

  #signal(signal: Signal): void {
    this.onSignal?.(signal);
  }

  #add<D extends Device>(device: D): D {
    this.#devices.push(device);
    this.#parts.set(device.name, device);
    return device;
  }

  /** An interrupt of ISA's sixteen, led to both kinds of controllers. */
  #irq(irq: number): Line {
    const pic = this.#pic?.line(irq);
    // Interrupt 0 is on input 2, where the PC's cascade leaves one free.
    const pin = this.#ioApic?.pin(irq === 0 ? 2 : irq);
    return (level) => {
      pic?.(level);
      pin?.(level);
    };
  }

  #addClocks(options: BoardOptions): void {
    const { bus, clock } = this;
    const [timerIrq, clockIrq] = [this.#irq(0), this.#irq(8)];
    const unlessTaken = (line: Line): Line => (level) => {
      if (!this.#r.hpetTakesLegacy) line(level);
    };
    const pit = this.#add(new Pit(bus, clock, { output: unlessTaken(timerIrq) }));
    this.#add(new Port61(bus, clock, pit));
    this.#add(
      new Cmos(bus, clock, {
        irq: unlessTaken(clockIrq),
        ...(options.startTime === undefined ? {} : { start: options.startTime }),
        memory: options.memory ?? 0,
      }),
    );
    if (!this.#profile.hpet) return;
    this.#add(
      new Hpet(bus, clock, {
        route: (input) => this.#ioApic?.pin(input) ?? (() => {}),
        legacy: [timerIrq, clockIrq],
        takesLegacy: (taken) => this.#r.hpetTakesLegacy = taken,
      }),
    );
  }

  #addPciLine(irq: number): SharedLine {
    const line = new SharedLine(this.#irq(irq));
    this.#parts.set(`irq${irq}`, line);
    return line;
  }

  #addPci(functions: readonly PciFunctionOptions[], reset: () => void): PciHost {
    const host = this.#add(new PciHost(this.bus, { reset }));
    for (const options of functions) host.plug(new PciFunction(this.bus, options));
    for (const pciFunction of host.functions) this.#parts.set(pciFunction.name, pciFunction);
    return host;
  }

  #deliver(message: ApicMessage, toAll: boolean): void {
    const { lapic } = this;
    if (lapic === undefined) return;
    if (!toAll && !lapic.matches(message.destination, message.isLogical)) return;
    lapic.receive(message.mode, message.vector, message.isLevel);
  }
}
