/**
 * The timer of a local APIC: counts down once or periodically, or waits for a
 * value of the time-stamp counter.
 *
 * Source: Intel SDM volume 3A, 11.5.4 (APIC timer) of the 2023 edition.
 *
 * @module
 */

import { type Clock, Frequency, type Timer } from "../time.ts";

/** What the timer remembers; part of its APIC's record. */
export type ApicTimerState = {
  /** 0 once, 1 periodic, 2 deadline, 3 reserved: bits 17 and 18 of its local vector. */
  mode: number;
  /** Where it starts. */
  initialCount: number;
  /** The divide configuration register. */
  divide: number;
  /** When the count was loaded, in undivided ticks. */
  start: number;
  /** IA32_TSC_DEADLINE; 0 when not armed. */
  deadline: number;
};

/** How a timer is made. */
export interface ApicTimerOptions {
  /** Ticks a second, undivided. */
  readonly hz: number;
  /** Ticks a second of the time-stamp counter. */
  readonly tscHz: number;
  /** The count has reached zero, or the deadline has come. */
  readonly expired: () => void;
}

/** Periods shorter than this fire together: no guest can use them, any could set them. */
const shortestNs = 1000;

/** The state after power-on. */
export function stoppedTimer(): ApicTimerState {
  return { mode: 0, initialCount: 0, divide: 0, start: 0, deadline: 0 };
}

/** The timer. */
export class ApicTimer {
  /** What it remembers. */
  readonly state: ApicTimerState = stoppedTimer();
  readonly #clock: Clock;
  readonly #ticks: Frequency;
  readonly #tsc: Frequency;
  readonly #alarm: Timer;

  /** A timer that is not running. */
  constructor(clock: Clock, { hz, tscHz, expired }: ApicTimerOptions) {
    this.#clock = clock;
    this.#ticks = new Frequency(hz);
    this.#tsc = new Frequency(tscHz);
    this.#alarm = clock.timer(() => {
      this.state.deadline = 0;
      expired();
      if (this.state.mode === 1) this.#arm();
    });
  }

  /** As after power-on. */
  reset(): void {
    Object.assign(this.state, stoppedTimer());
    this.#alarm.stop();
  }

  /** Changes the mode; to or from deadline mode disarms. */
  setMode(mode: number): void {
    const { state } = this;
    const before = state.mode;
    if (mode === before) return;
    state.mode = mode;
    if ((mode === 2) !== (before === 2)) {
      state.initialCount = 0;
      state.deadline = 0;
    }
    this.#arm();
  }

  /** Starts counting down; 0 stops. Without effect in deadline mode. */
  setInitialCount(count: number): void {
    if (this.state.mode === 2) return;
    this.state.initialCount = count;
    this.state.start = this.#tick;
    this.#arm();
  }

  /** Changes the divider; the count stays where it is. */
  setDivide(value: number): void {
    const { state } = this;
    const left = this.count;
    state.divide = value & 0x0b;
    state.start = this.#tick - (state.initialCount - left) * this.#divisor;
    this.#arm();
  }

  /** Writes IA32_TSC_DEADLINE; without effect outside deadline mode. */
  setDeadline(tsc: number): void {
    if (this.state.mode !== 2) return;
    this.state.deadline = tsc;
    if (tsc === 0) this.#alarm.stop();
    else this.#alarm.set(this.#tsc.ns(tsc));
  }

  /** The current count. */
  get count(): number {
    const { initialCount, start, mode } = this.state;
    if (initialCount === 0 || mode > 1) return 0;
    const counted = Math.floor((this.#tick - start) / this.#divisor);
    if (mode === 1) return initialCount - counted % initialCount;
    return Math.max(0, initialCount - counted);
  }

  get #tick(): number {
    return this.#ticks.ticks(this.#clock.now);
  }

  /** Bits 0, 1 and 3 as a number n: by 2^(n + 1), and 7 is by 1. */
  get #divisor(): number {
    const { divide } = this.state;
    return 1 << ((divide >> 1 & 4 | divide & 3) + 1 & 7);
  }

  /** Sets the alarm for the next time the count reaches zero. */
  #arm(): void {
    const { initialCount, start, mode } = this.state;
    const period = initialCount * this.#divisor;
    const passed = period === 0 ? 0 : Math.floor((this.#tick - start) / period);
    if (period === 0 || mode > 1 || (mode === 0 && passed > 0)) {
      this.#alarm.stop();
    } else if (mode === 0) {
      this.#alarm.set(this.#ticks.ns(start + period));
    } else {
      const together = Math.ceil(shortestNs / Math.max(1, this.#ticks.ns(period)));
      this.#alarm.set(this.#ticks.ns(start + (passed + Math.max(1, together)) * period));
    }
  }
}
