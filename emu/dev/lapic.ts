/**
 * The local APIC: one a processor, between it and every interrupt.
 *
 * A page of registers at 0xfee00000, 32 bits each and 16 bytes apart. Requests
 * wait in IRR, what is served is in ISR; the upper four bits of a vector are its
 * priority. A local vector table says what its own six sources do.
 *
 * Source: Intel SDM volume 3A, chapter 11 (APIC) of the 2023 edition. x2APIC is
 * not there, and CPUID must not advertise it.
 *
 * @module
 */

import type { Bus, Device, Range } from "../bus.ts";
import type { State } from "../state.ts";
import type { Clock } from "../time.ts";
import { ApicTimer, type ApicTimerState } from "./lapic_timer.ts";

/** Delivery modes, as ICR, local vectors and redirection entries write them. */
export const delivery = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startup: 6,
  external: 7,
} as const;

/** A message between APICs. */
export interface ApicMessage {
  /** Identifier or logical set of the receivers. */
  readonly destination: number;
  /** The destination is a logical set. */
  readonly isLogical: boolean;
  /** One of {@link delivery}. */
  readonly mode: number;
  /** The vector; for start-up the page to start at. */
  readonly vector: number;
  /** Level-triggered: its end is to be announced. */
  readonly isLevel: boolean;
}

/** How a local APIC is made. */
export interface LocalApicOptions {
  /** Its identifier; 0 is the boot processor. */
  readonly id: number;
  /** Ticks a second of its timer; 1,000,000,000 if absent. */
  readonly timerHz?: number;
  /** Ticks a second of the time-stamp counter; 1,000,000,000 if absent. */
  readonly tscHz?: number;
  /** Sends to other APICs, and to this one if it is meant. */
  readonly send: (message: ApicMessage, shorthand: "none" | "all" | "others") => void;
  /** A level-triggered interrupt has ended. */
  readonly ended: (vector: number) => void;
  /** Something came for the processor. */
  readonly signal: (what: "interrupt" | "nmi" | "smi" | "init" | "startup", page: number) => void;
}

/** The local vectors, in the order of their registers from 0x320 on. */
const lvt = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
const lvtMask = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff] as const;
const masked = 0x1_0000;

const error = { sendVector: 0x20, receivedVector: 0x40, register: 0x80 } as const;

/** IA32_APIC_BASE: where, enabled, boot processor. */
const defaultBase = 0xfee0_0000;
const baseEnabled = 0x800;
const baseBoot = 0x100;

/** The local APIC. */
export class LocalApic implements Device {
  /** Its name. */
  readonly name: string;
  readonly #bus: Bus;
  readonly #options: LocalApicOptions;
  readonly #timer: ApicTimer;
  readonly #r: {
    base: number;
    id: number;
    tpr: number;
    ldr: number;
    dfr: number;
    svr: number;
    esr: number;
    /** Errors since the last write of ESR. */
    errors: number;
    icr: number;
    icrHigh: number;
    lvt: Uint32Array;
    irr: Uint32Array;
    isr: Uint32Array;
    tmr: Uint32Array;
    timer: ApicTimerState;
    lint: [boolean, boolean];
  };
  #unmap: (() => void) | undefined;

  /** The local APIC after power-on. */
  constructor(bus: Bus, clock: Clock, options: LocalApicOptions) {
    this.name = `lapic${options.id}`;
    this.#bus = bus;
    this.#options = options;
    this.#timer = new ApicTimer(clock, {
      hz: options.timerHz ?? 1_000_000_000,
      tscHz: options.tscHz ?? 1_000_000_000,
      expired: () => {
        const entry = this.#r.lvt[lvt.timer] ?? masked;
        if ((entry & masked) === 0) this.receive(delivery.fixed, entry & 0xff, false);
      },
    });
    this.#r = {
      base: (defaultBase | baseEnabled | (options.id === 0 ? baseBoot : 0)) >>> 0,
      ...initial(options.id),
      lvt: new Uint32Array(6).fill(masked),
      irr: new Uint32Array(8),
      isr: new Uint32Array(8),
      tmr: new Uint32Array(8),
      timer: this.#timer.state,
      lint: [false, false],
    };
    this.#maskVectors();
    this.#map();
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on. */
  reset(): void {
    this.#r.base = (defaultBase | baseEnabled | (this.#options.id === 0 ? baseBoot : 0)) >>> 0;
    this.#r.id = this.#options.id;
    this.init();
    this.#map();
  }

  /** What an INIT leaves: everything as after power-on but identifier and base. */
  init(): void {
    const r = this.#r;
    Object.assign(r, initial(r.id));
    this.#maskVectors();
    for (const set of [r.irr, r.isr, r.tmr]) set.fill(0);
    this.#timer.reset();
  }

  /** Maps the page where the restored base says. */
  restored(): void {
    this.#map();
  }

  /** IA32_APIC_BASE, its lower half; the upper one is 0. */
  get base(): number {
    return this.#r.base >>> 0;
  }

  /**
   * Writes IA32_APIC_BASE.
   *
   * @returns False if the value has reserved bits: the writer gets #GP.
   */
  setBase(low: number, high: number): boolean {
    if ((low & 0x6ff) !== 0 || high !== 0) return false;
    const wasEnabled = this.isEnabled;
    this.#r.base = (low & ~baseBoot | this.#r.base & baseBoot) >>> 0;
    if (wasEnabled && !this.isEnabled) this.init();
    this.#map();
    this.#options.signal("interrupt", 0);
    return true;
  }

  /** Enabled by IA32_APIC_BASE; otherwise LINT0 and LINT1 are plain INTR and NMI. */
  get isEnabled(): boolean {
    return (this.#r.base & baseEnabled) !== 0;
  }

  /** IA32_TSC_DEADLINE; 0 when not armed. */
  get deadline(): number {
    return this.#r.timer.deadline;
  }

  /** Writes IA32_TSC_DEADLINE; without effect outside deadline mode. */
  setDeadline(tsc: number): void {
    this.#timer.setDeadline(tsc);
  }

  /** CR8: the upper four bits of the task priority. */
  get cr8(): number {
    return this.#r.tpr >> 4;
  }

  /** Writes CR8. */
  setCr8(value: number): void {
    this.#r.tpr = (value & 15) << 4;
    this.#options.signal("interrupt", 0);
  }

  /** The vector the processor would get now; undefined if none may interrupt it. */
  get pending(): number | undefined {
    if (!this.#isSoftwareEnabled) return undefined;
    const vector = highest(this.#r.irr);
    return vector >= 0 && vector >> 4 > this.#ppr >> 4 ? vector : undefined;
  }

  /** Takes it; the spurious vector if none is there any more. */
  acknowledge(): number {
    const vector = this.pending;
    if (vector === undefined) return this.#r.svr & 0xff;
    put(this.#r.irr, vector, false);
    put(this.#r.isr, vector, true);
    return vector;
  }

  /** Whether the PC's interrupt controllers reach the processor through LINT0. */
  get passesExternal(): boolean {
    if (!this.isEnabled) return true;
    const entry = this.#r.lvt[lvt.lint0] ?? masked;
    return (entry & masked) === 0 && (entry >> 8 & 7) === delivery.external;
  }

  /** Pulls LINT0 or LINT1. */
  lint(pin: 0 | 1, level: boolean): void {
    const before = this.#r.lint[pin];
    this.#r.lint[pin] = level;
    if (!this.isEnabled) {
      if (pin === 1 && level && !before) this.#options.signal("nmi", 0);
      return;
    }
    const entry = this.#r.lvt[pin === 0 ? lvt.lint0 : lvt.lint1] ?? masked;
    // External interrupts are taken from their controller, not from here.
    if ((entry & masked) !== 0 || (entry >> 8 & 7) === delivery.external) return;
    const isLevel = (entry & 0x8000) !== 0 && (entry >> 8 & 7) === delivery.fixed;
    if (level && (isLevel || !before)) this.receive(entry >> 8 & 7, entry & 0xff, isLevel);
  }

  /** Whether a message for this destination is for this APIC. */
  matches(destination: number, isLogical: boolean): boolean {
    const { id, ldr, dfr } = this.#r;
    if (!this.isEnabled) return false;
    if (!isLogical) return destination === 0xff || destination === id;
    const logical = ldr >>> 24;
    if (dfr >>> 28 === 0xf) return (destination & logical) !== 0;
    // Cluster model: upper nibble the cluster, lower the members.
    const cluster = destination >> 4;
    return (cluster === 0xf || cluster === logical >> 4) && (destination & logical & 0xf) !== 0;
  }

  /** A message has come. */
  receive(mode: number, vector: number, isLevel: boolean): void {
    const { signal } = this.#options;
    switch (mode) {
      case delivery.fixed:
      case delivery.lowestPriority:
        if (vector < 16) {
          this.#fail(error.receivedVector);
        } else if (this.#isSoftwareEnabled) {
          put(this.#r.irr, vector, true);
          put(this.#r.tmr, vector, isLevel);
          signal("interrupt", 0);
        }
        break;
      case delivery.smi:
        signal("smi", 0);
        break;
      case delivery.nmi:
        signal("nmi", 0);
        break;
      case delivery.init:
        this.init();
        signal("init", 0);
        break;
      case delivery.startup:
        signal("startup", vector);
        break;
    }
  }

  get #isSoftwareEnabled(): boolean {
    return this.isEnabled && (this.#r.svr & 0x100) !== 0;
  }

  /** Processor priority: the task's, or that of what is served if higher. */
  get #ppr(): number {
    const { tpr, isr } = this.#r;
    const served = Math.max(0, highest(isr)) & 0xf0;
    return tpr >> 4 >= served >> 4 ? tpr : served;
  }

  #map(): void {
    this.#unmap?.();
    this.#unmap = undefined;
    if (!this.isEnabled) return;
    const page: Range = {
      first: (this.#r.base & 0xffff_f000) >>> 0,
      size: 0x1000,
      widest: 4,
      narrowest: 4,
      // Only the first four bytes of each sixteen are registers.
      read: (offset) => (offset & 0xc) === 0 ? this.#read(offset >> 4) : 0,
      write: (offset, value) => {
        if ((offset & 0xc) === 0) this.#write(offset >> 4, value);
      },
    };
    this.#unmap = this.#bus.addWindow(page);
  }

  /**
   * All masked, but for the way of the PC's interrupt controllers to the boot
   * processor: firmware opens it before it starts anybody ("virtual wire mode",
   * MultiProcessor specification 1.4, 3.6.2.2), and a kernel that knows no APIC
   * would never hear of an interrupt otherwise.
   */
  #maskVectors(): void {
    this.#r.lvt.fill(masked);
    if (this.#options.id === 0) this.#r.lvt[lvt.lint0] = delivery.external << 8;
  }

  #fail(what: number): void {
    this.#r.errors |= what;
    const entry = this.#r.lvt[lvt.error] ?? masked;
    // A bad vector here would only fail again.
    if ((entry & masked) === 0 && (entry & 0xff) >= 16) {
      this.receive(delivery.fixed, entry & 0xff, false);
    }
  }

  #read(register: number): number {
    const r = this.#r;
    if (register >= 0x10 && register < 0x28) {
      const set = register < 0x18 ? r.isr : register < 0x20 ? r.tmr : r.irr;
      return set[register & 7] ?? 0;
    }
    if (register >= 0x32 && register < 0x38) return r.lvt[register - 0x32] ?? 0;
    switch (register) {
      case 0x02:
        return r.id << 24 >>> 0;
      case 0x03: // version 0x14, six local vectors
        return 0x0005_0014;
      case 0x08:
        return r.tpr;
      case 0x0a:
        return this.#ppr;
      case 0x0b: // EOI
      case 0x09: // arbitration priority, gone with the Pentium 4
        return 0;
      case 0x0d:
        return r.ldr;
      case 0x0e:
        return r.dfr;
      case 0x0f:
        return r.svr;
      case 0x28:
        return r.esr;
      case 0x30:
        return r.icr;
      case 0x31:
        return r.icrHigh;
      case 0x38:
        return r.timer.initialCount;
      case 0x39:
        return this.#timer.count;
      case 0x3e:
        return r.timer.divide;
      default:
        this.#fail(error.register);
        return 0;
    }
  }

  #write(register: number, value: number): void {
    const r = this.#r;
    const { signal } = this.#options;
    if (register >= 0x32 && register < 0x38) {
      this.#writeLvt(register - 0x32, value);
      return;
    }
    switch (register) {
      case 0x02:
        r.id = value >>> 24;
        break;
      case 0x08:
        r.tpr = value & 0xff;
        signal("interrupt", 0);
        break;
      case 0x0b:
        this.#end();
        break;
      case 0x0d:
        r.ldr = (value & 0xff00_0000) >>> 0;
        break;
      case 0x0e:
        r.dfr = (value | 0x0fff_ffff) >>> 0;
        break;
      case 0x0f:
        r.svr = value & 0x3ff;
        // While disabled all local vectors are masked.
        if ((value & 0x100) === 0) r.lvt.forEach((entry, i) => r.lvt[i] = entry | masked);
        signal("interrupt", 0);
        break;
      case 0x28:
        r.esr = r.errors;
        r.errors = 0;
        break;
      case 0x30:
        // Bit 12, delivery status, is always idle.
        r.icr = (value & 0x000c_cfff) >>> 0;
        this.#send();
        break;
      case 0x31:
        r.icrHigh = (value & 0xff00_0000) >>> 0;
        break;
      case 0x38:
        this.#timer.setInitialCount(value);
        break;
      case 0x3e:
        this.#timer.setDivide(value);
        break;
      case 0x03:
      case 0x0a:
      case 0x39:
        break;
      default:
        this.#fail(error.register);
    }
  }

  #writeLvt(index: number, value: number): void {
    const r = this.#r;
    const enabled = (r.svr & 0x100) !== 0;
    r.lvt[index] = value & (lvtMask[index] ?? 0) | (enabled ? 0 : masked);
    if (index === lvt.timer) {
      this.#timer.setMode(value >> 17 & 3);
    } else if (index === lvt.lint0) {
      // A line that is high already asks as soon as its vector is open.
      if (r.lint[0]) {
        r.lint[0] = false;
        this.lint(0, true);
      }
      this.#options.signal("interrupt", 0);
    }
  }

  /** EOI: the highest of what is served has been. */
  #end(): void {
    const { isr, tmr } = this.#r;
    const vector = highest(isr);
    if (vector < 0) return;
    put(isr, vector, false);
    if (has(tmr, vector)) {
      this.#options.ended(vector);
      const entry = this.#r.lvt[lvt.lint0] ?? masked;
      // LINT0 still high at the end of its level-triggered interrupt asks again.
      if (this.#r.lint[0] && (entry & 0xff) === vector) this.lint(0, true);
    }
    this.#options.signal("interrupt", 0);
  }

  #send(): void {
    const { icr, icrHigh } = this.#r;
    const mode = icr >> 8 & 7;
    const vector = icr & 0xff;
    const shorthand = icr >> 18 & 3;
    const isLevel = (icr & 0x8000) !== 0;
    if (mode === delivery.fixed && vector < 16) {
      this.#fail(error.sendVector);
      return;
    }
    // INIT with level 0 only synchronised the arbitration of the first APICs.
    if (mode === delivery.init && isLevel && (icr & 0x4000) === 0) return;
    if (shorthand === 1) {
      this.receive(mode, vector, false);
      return;
    }
    const to = shorthand === 2 ? "all" : shorthand === 3 ? "others" : "none";
    this.#options.send({
      destination: icrHigh >>> 24,
      isLogical: (icr & 0x800) !== 0,
      mode,
      vector,
      isLevel: false,
    }, to);
  }
}

function initial(id: number) {
  return {
    id,
    tpr: 0,
    ldr: 0,
    dfr: 0xffff_ffff,
    svr: 0xff,
    esr: 0,
    errors: 0,
    icr: 0,
    icrHigh: 0,
  };
}

/** The highest vector of a set; -1 for an empty one. */
function highest(set: Uint32Array): number {
  for (let i = 7; i >= 0; i--) {
    const word = set[i] ?? 0;
    if (word !== 0) return i * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

function has(set: Uint32Array, vector: number): boolean {
  return ((set[vector >> 5] ?? 0) >>> (vector & 31) & 1) !== 0;
}

function put(set: Uint32Array, vector: number, value: boolean): void {
  const word = set[vector >> 5] ?? 0;
  const bit = 1 << (vector & 31);
  set[vector >> 5] = value ? word | bit : word & ~bit;
}
