/**
 * Virtual time: one counter of nanoseconds, driven by retired instructions.
 *
 * Every clock of the machine (time-stamp counter, interval timer, power
 * management timer, HPET, local APIC timer, real-time clock) is read off this
 * counter, so that a kernel which measures one against the other always finds
 * them in step, and two runs of the same input are the same run. Nothing here
 * knows the host's time.
 *
 * Times are whole nanoseconds since power-on, kept in a number: exact for
 * 2^53 ns, some 104 days.
 *
 * @module
 */

import type { State, Stateful } from "./state.ts";

const second = 1_000_000_000;

/** A clock of so many ticks a second, exact in both directions. */
export class Frequency {
  /** Ticks a second. */
  readonly hz: number;
  // hz / 10^9 in lowest terms.
  readonly #ticks: number;
  readonly #ns: number;

  /**
   * A frequency.
   *
   * @param hz Ticks a second; a whole number, at least 1.
   * @throws {RangeError} Where a tick count could not be worked out exactly.
   */
  constructor(hz: number) {
    if (!Number.isSafeInteger(hz) || hz < 1) throw new RangeError(`not a frequency: ${hz} Hz`);
    let [a, b] = [hz, second];
    while (b !== 0) [a, b] = [b, a % b];
    this.hz = hz;
    this.#ticks = hz / a;
    this.#ns = second / a;
    if (!Number.isSafeInteger(this.#ticks * this.#ns)) {
      throw new RangeError(`${hz} Hz has no exact tick count in 53 bits`);
    }
  }

  // The remainder is below `#ns` (or `#ticks`), so the product stays below
  // `#ticks * #ns`, which the constructor has held to 53 bits; the whole part is
  // multiplied after division and so is as large as the result, not larger.

  /** Whole ticks that have passed after so many nanoseconds. */
  ticks(ns: number): number {
    return Math.floor(ns / this.#ns) * this.#ticks +
      Math.floor((ns % this.#ns) * this.#ticks / this.#ns);
  }

  /** The first nanosecond at which so many ticks have passed. */
  ns(ticks: number): number {
    return Math.floor(ticks / this.#ticks) * this.#ns +
      Math.ceil((ticks % this.#ticks) * this.#ns / this.#ticks);
  }
}

/** One alarm. Made once with its machine; set and stopped as often as one likes. */
export interface Timer {
  /** When it goes off, in nanoseconds of virtual time; `Infinity` while stopped. */
  readonly due: number;
  /** Sets it, whatever it was set to before; a time that has passed means at once. */
  set(due: number): void;
  /** Stops it. */
  stop(): void;
}

/** How a clock is made. */
export interface ClockOptions {
  /** The processor's speed in virtual time; 1,000,000,000, one a nanosecond, if absent. */
  readonly instructionsPerSecond?: number;
}

/**
 * The counter, and the alarms set on it.
 *
 * A processor runs at most {@link Clock.budget} instructions, reports them with
 * {@link Clock.retire} and calls {@link Clock.runDue}. It must also report what it
 * has retired before it touches a device, since devices read the time.
 *
 * Alarms for the same nanosecond go off in the order in which they were made,
 * so the order is a property of the machine and survives a snapshot.
 */
export class Clock implements Stateful {
  /**
   * Called when the next alarm has come nearer than it was: the processor's
   * budget, handed out before, is then too large.
   */
  onSooner: (() => void) | undefined;

  readonly #rate: Frequency;
  readonly #fire: ((due: number) => void)[] = [];
  readonly #r: { instructions: number; skipped: number; due: number[] } = {
    instructions: 0,
    skipped: 0,
    due: [],
  };
  #now = 0;
  #next = Infinity;

  /** A clock at zero, without alarms. */
  constructor(options: ClockOptions = {}) {
    this.#rate = new Frequency(options.instructionsPerSecond ?? second);
  }

  /** Nanoseconds since power-on. */
  get now(): number {
    return this.#now;
  }

  /** Instructions retired since power-on. */
  get instructions(): number {
    return this.#r.instructions;
  }

  /** When the next alarm goes off; `Infinity` if none is set. */
  get next(): number {
    return this.#next;
  }

  /** Instructions that may retire until the next alarm is due; `Infinity` if none is set. */
  get budget(): number {
    if (this.#next === Infinity) return Infinity;
    if (this.#next <= this.#now) return 0;
    // The first count at which the rate's nanoseconds reach the alarm: time is
    // rounded up, so the count is one past the last that stays short of it.
    const target = this.#rate.ticks(this.#next - this.#r.skipped - 1) + 1;
    return target - this.#r.instructions;
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** An alarm, not yet set. `fire` is given the time for which it was set. */
  timer(fire: (due: number) => void): Timer {
    const index = this.#fire.push(fire) - 1;
    const due = this.#r.due;
    due.push(Infinity);
    return {
      get due() {
        return due[index] ?? Infinity;
      },
      set: (time) => this.#set(index, time),
      stop: () => this.#set(index, Infinity),
    };
  }

  /** Instructions were retired: time moves on. No alarm goes off yet. */
  retire(instructions: number): void {
    this.#r.instructions += instructions;
    this.#now = this.#r.skipped + this.#rate.ns(this.#r.instructions);
  }

  /** Lets go off what is due. */
  runDue(): void {
    while (this.#next <= this.#now) this.#fireNext();
  }

  /**
   * What HLT does: jumps to the next alarm and lets it go off.
   *
   * @returns False if no alarm is set, so that nothing would ever happen.
   */
  skipToNext(): boolean {
    if (this.#next === Infinity) return false;
    this.#jump(this.#next);
    this.runDue();
    return true;
  }

  /** Lets time pass without instructions, every alarm going off at its own time. */
  skip(ns: number): void {
    const end = this.#now + ns;
    while (this.#next <= end) {
      this.#jump(this.#next);
      this.#fireNext();
    }
    this.#jump(end);
  }

  /** Works out again what is kept for speed. */
  restored(): void {
    this.#next = Math.min(Infinity, ...this.#r.due);
    this.retire(0);
  }

  #jump(time: number): void {
    if (time <= this.#now) return;
    this.#r.skipped += time - this.#now;
    this.#now = time;
  }

  #fireNext(): void {
    const index = this.#r.due.indexOf(this.#next);
    const due = this.#next;
    this.#r.due[index] = Infinity;
    this.#next = Math.min(...this.#r.due);
    this.#fire[index]?.(due);
  }

  #set(index: number, due: number): void {
    const before = this.#next;
    this.#r.due[index] = due;
    this.#next = Math.min(...this.#r.due);
    if (this.#next < before) this.onSooner?.();
  }
}
