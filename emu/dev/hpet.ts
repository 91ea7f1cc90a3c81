/**
 * The high precision event timer: a 64-bit counter and three comparators.
 *
 * | offset        | register                                                       |
 * | ------------- | -------------------------------------------------------------- |
 * | 0x000         | capabilities; upper half the period, 10,000,000 femtoseconds   |
 * | 0x010         | configuration: 0 runs, 1 takes over the legacy interrupts      |
 * | 0x020         | interrupt status, a bit a comparator; writing 1 clears         |
 * | 0x0f0         | the counter                                                    |
 * | 0x100 + 32 n  | comparator n: 1 level, 2 enabled, 3 periodic, 4 can be periodic, |
 * |               | 5 has 64 bits, 6 accumulator is set, 8 counts 32 bits, 9-13 route |
 * | 0x108 + 32 n  | its value                                                      |
 *
 * Source: IA-PC HPET specification 1.0a. An access of eight bytes is two of
 * four, which see the same time since it stands still meanwhile.
 *
 * @module
 */

import type { Bus, Device, Line } from "../bus.ts";
import type { State } from "../state.ts";
import type { Clock, Timer } from "../time.ts";

/** Where it sits. */
export const hpetBase = 0xfed0_0000;
/** Its capability register, lower half: three 64-bit comparators, legacy routing, revision 1. */
export const hpetId = 0x8086_a201;

const nsPerTick = 10;
const periodFs = 10_000_000;
/** Inputs of the I/O APIC that a comparator may use: 20 to 23. */
const routes = 0x00f0_0000;
const capable = 0x30;
const writable = 0x3f4e;
/** Periods shorter than this fire together. */
const shortestTicks = 100n;

const level = 0x02;
const enabled = 0x04;
const periodic = 0x08;
const setsAccumulator = 0x40;
const is32bit = 0x100;

/** One comparator. */
type Comparator = {
  config: number;
  /** The value it waits for; when periodic, the accumulator. */
  value: bigint;
  /** What is added each time. */
  period: bigint;
};

/** How it is made. */
export interface HpetOptions {
  /** Lines by input of the I/O APIC, for comparators that are routed there. */
  readonly route: (input: number) => Line;
  /** The lines of timer (interrupt 0) and real-time clock (8), while they are taken over. */
  readonly legacy: readonly [Line, Line];
  /** Told when they are taken over or given back. */
  readonly takesLegacy: (taken: boolean) => void;
}

/** The timer. */
export class Hpet implements Device {
  /** Its name. */
  readonly name = "hpet";
  readonly #clock: Clock;
  readonly #options: HpetOptions;
  readonly #timers: readonly Timer[];
  readonly #r: {
    config: number;
    status: number;
    /** The counter when it was last started, stopped or written. */
    base: bigint;
    /** The tick at which that was. */
    start: number;
    comparators: [Comparator, Comparator, Comparator];
  } = { config: 0, status: 0, base: 0n, start: 0, comparators: [unset(), unset(), unset()] };

  /** The timer after power-on, not running. */
  constructor(bus: Bus, clock: Clock, options: HpetOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#timers = [0, 1, 2].map((n) => clock.timer(() => this.#match(n)));
    bus.addWindow({
      first: hpetBase,
      size: 0x400,
      widest: 4,
      narrowest: 4,
      read: (offset) => this.#read(offset),
      write: (offset, value) => this.#write(offset, value),
    });
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on. */
  reset(): void {
    for (const n of [0, 1, 2]) this.#line(n)?.(false);
    const { comparators } = this.#r;
    for (const comparator of comparators) Object.assign(comparator, unset());
    Object.assign(this.#r, { config: 0, status: 0, base: 0n, start: 0 });
    for (const timer of this.#timers) timer.stop();
    this.#options.takesLegacy(false);
  }

  /** Tells again who owns the legacy interrupts. */
  restored(): void {
    this.#options.takesLegacy((this.#r.config & 2) !== 0);
  }

  get #runs(): boolean {
    return (this.#r.config & 1) !== 0;
  }

  get #tick(): number {
    return Math.floor(this.#clock.now / nsPerTick);
  }

  get #counter(): bigint {
    const { base, start } = this.#r;
    return BigInt.asUintN(64, this.#runs ? base + BigInt(this.#tick - start) : base);
  }

  /** The line a comparator pulls, now. */
  #line(n: number): Line | undefined {
    const comparator = this.#r.comparators[n];
    if (comparator === undefined) return undefined;
    if ((this.#r.config & 2) !== 0 && (n === 0 || n === 1)) return this.#options.legacy[n];
    const input = comparator.config >> 9 & 31;
    return (routes & 1 << input) !== 0 ? this.#options.route(input) : undefined;
  }

  /** Sets the alarm for the next match, as far ahead as time can be counted. */
  #arm(n: number): void {
    const comparator = this.#r.comparators[n];
    const timer = this.#timers[n];
    if (comparator === undefined || timer === undefined) return;
    if (!this.#runs) {
      timer.stop();
      return;
    }
    const bits = (comparator.config & is32bit) !== 0 ? 32 : 64;
    const left = BigInt.asUintN(bits, comparator.value - this.#counter) || 1n << BigInt(bits);
    if (left > 1n << 48n) timer.stop();
    else timer.set((this.#tick + Number(left)) * nsPerTick);
  }

  #match(n: number): void {
    const comparator = this.#r.comparators[n];
    if (comparator === undefined) return;
    const { config, period } = comparator;
    const isLevel = (config & level) !== 0;
    // An edge sets the status too where it is level-triggered only.
    if (isLevel) this.#r.status |= 1 << n;
    if ((config & enabled) !== 0) {
      const line = this.#line(n);
      // An edge: whoever looks for one finds it, however the line stood.
      if (!isLevel) line?.(false);
      line?.(true);
    }
    if ((config & periodic) !== 0 && period > 0n) {
      const behind = BigInt.asUintN(64, this.#counter - comparator.value);
      const steps = behind / period + (period < shortestTicks ? shortestTicks / period : 1n);
      const bits = (config & is32bit) !== 0 ? 32 : 64;
      comparator.value = BigInt.asUintN(bits, comparator.value + steps * period);
    }
    this.#arm(n);
  }

  #read(offset: number): number {
    const word = (value: bigint) => Number(value >> BigInt(offset & 4) * 8n & 0xffff_ffffn);
    const upper = (offset & 4) !== 0;
    switch (offset & ~4) {
      case 0x000:
        return upper ? periodFs : hpetId;
      case 0x010:
        return upper ? 0 : this.#r.config;
      case 0x020:
        return upper ? 0 : this.#r.status;
      case 0x0f0:
        return word(this.#counter);
    }
    const comparator = this.#r.comparators[offset - 0x100 >> 5];
    if (offset < 0x100 || comparator === undefined) return 0;
    switch (offset & 0x18) {
      case 0x00:
        return upper ? routes : comparator.config | capable;
      case 0x08:
        return word(comparator.value);
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const upper = (offset & 4) !== 0;
    const replace = (old: bigint) =>
      upper
        ? old & 0xffff_ffffn | BigInt(value) << 32n
        : old & 0xffff_ffff_0000_0000n | BigInt(value);
    const r = this.#r;
    switch (offset & ~4) {
      case 0x010:
        if (!upper) this.#configure(value & 3);
        return;
      case 0x020:
        if (!upper) this.#clear(value & 7 & r.status);
        return;
      case 0x0f0:
        r.base = replace(this.#counter);
        r.start = this.#tick;
        [0, 1, 2].forEach((n) => this.#arm(n));
        return;
    }
    const n = offset - 0x100 >> 5;
    const comparator = r.comparators[n];
    if (offset < 0x100 || comparator === undefined) return;
    if ((offset & 0x18) === 0 && !upper) {
      const before = this.#line(n);
      comparator.config = value & writable;
      if ((value & enabled) === 0 || before !== this.#line(n)) before?.(false);
      if ((value & is32bit) !== 0) comparator.value = BigInt.asUintN(32, comparator.value);
    } else if ((offset & 0x18) === 0x08) {
      this.#setComparator(comparator, replace);
    }
    this.#arm(n);
  }

  #configure(value: number): void {
    const r = this.#r;
    const counter = this.#counter;
    const legacyChanged = ((r.config ^ value) & 2) !== 0;
    // Whoever takes the lines over finds them low.
    if (legacyChanged) { for (const n of [0, 1]) this.#line(n)?.(false); }
    r.config = value;
    r.base = counter;
    r.start = this.#tick;
    if (legacyChanged) this.#options.takesLegacy((value & 2) !== 0);
    [0, 1, 2].forEach((n) => this.#arm(n));
  }

  #clear(bits: number): void {
    this.#r.status &= ~bits;
    for (const n of [0, 1, 2]) if ((bits & 1 << n) !== 0) this.#line(n)?.(false);
  }

  #setComparator(comparator: Comparator, replace: (old: bigint) => bigint): void {
    const bits = (comparator.config & is32bit) !== 0 ? 32 : 64;
    if ((comparator.config & periodic) === 0) {
      comparator.value = BigInt.asUintN(bits, replace(comparator.value));
      return;
    }
    // Periodic: the value is the period, and the accumulator only if asked for.
    comparator.period = BigInt.asUintN(bits, replace(comparator.period));
    if ((comparator.config & setsAccumulator) !== 0) {
      comparator.value = BigInt.asUintN(bits, replace(comparator.value));
      comparator.config &= ~setsAccumulator;
    }
  }
}

function unset(): Comparator {
  return { config: 0, value: 0xffff_ffff_ffff_ffffn, period: 0n };
}
