/**
 * The 8254 interval timer: three counters of 1.193182 MHz.
 *
 * Counter 0 ticks for the operating system, counter 1 once refreshed memory,
 * counter 2 makes the speaker's tone and, with its gate and output at port 0x61,
 * serves kernels to measure everything else.
 *
 * Nothing counts here: a counter remembers when its count was loaded, and what
 * it shows is worked out from the time when somebody looks.
 *
 * Source: Intel 82C54 data sheet (231244). A count is loaded with the clock
 * pulse after the write, so mode 0 ends N + 1 pulses after it.
 *
 * @module
 */

import { type Bus, byteRange, type Device, type Line } from "../bus.ts";
import type { State } from "../state.ts";
import { type Clock, Frequency, type Timer } from "../time.ts";

/** Ticks a second. */
export const pitHz = 1_193_182;

/** One counter. Times are in ticks since power-on. */
type Counter = {
  mode: number;
  bcd: boolean;
  /** Which bytes are read and written: 1 low, 2 high, 3 low then high. */
  access: number;
  /** Full count, 1 to 65536 (10000 in BCD); 0 before the first is written. */
  count: number;
  /** When the count was or will be loaded. */
  start: number;
  /** Whether the counter has been started (modes 1 and 5 wait for their gate). */
  runs: boolean;
  /** Ticks gone when the gate stopped the counter; -1 while it is not stopped. */
  held: number;
  gate: boolean;
  /** The count written while another runs; 0 for none. */
  following: number;
  /** When it takes over, in modes 2 and 3; in the others with the next trigger. */
  followsAt: number;
  /** Whether it takes over in the low half of mode 3. */
  followsLow: boolean;
  /** The low byte written, while the high one is awaited; -1 for none. */
  lowByte: number;
  /** The high byte is read next. */
  readsHigh: boolean;
  /** The latched count; -1 for none. */
  latched: number;
  /** The latched status; -1 for none. */
  status: number;
};

/** What hangs on the timer. */
export interface PitOptions {
  /** Output of counter 0. */
  readonly output: Line;
}

/** The timer. */
export class Pit implements Device {
  /** Its name. */
  readonly name = "pit";
  readonly #clock: Clock;
  readonly #frequency = new Frequency(pitHz);
  readonly #output: Line;
  readonly #edge: Timer;
  readonly #r: readonly [Counter, Counter, Counter] = [
    newCounter(true),
    newCounter(true),
    newCounter(false),
  ];

  /** The timer after power-on, at ports 0x40 to 0x43. */
  constructor(bus: Bus, clock: Clock, { output }: PitOptions) {
    this.#clock = clock;
    this.#output = output;
    this.#edge = clock.timer(() => this.#drive());
    bus.addPorts(byteRange(
      0x40,
      4,
      (offset) => {
        const counter = this.#r[offset];
        return counter === undefined ? 0xff : this.#read(counter);
      },
      (offset, value) => {
        const counter = this.#r[offset];
        if (counter === undefined) this.#control(value);
        else this.#write(counter, value);
        this.#drive();
      },
    ));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on: no counter runs, every output but that of mode 0 is high. */
  reset(): void {
    this.#r.forEach((counter, i) => Object.assign(counter, newCounter(i < 2)));
    this.#drive();
  }

  /** Output of a counter, now. */
  output(index: 0 | 1 | 2): boolean {
    const counter = this.#r[index];
    this.#follow(counter);
    return outputAt(counter, this.#tick);
  }

  /** Gate of counter 2; those of 0 and 1 are tied high. */
  setGate(level: boolean): void {
    const counter = this.#r[2];
    if (level === counter.gate) return;
    this.#follow(counter);
    const tick = this.#tick;
    const { mode } = counter;
    if (level) {
      if (mode === 0 || mode === 4) {
        if (counter.held >= 0) counter.start = tick - counter.held;
      } else if (counter.count > 0) {
        // The rising gate loads the count with the next pulse.
        if (counter.following > 0) counter.count = counter.following;
        counter.following = 0;
        counter.start = tick + 1;
        counter.runs = true;
      }
      counter.held = -1;
    } else if (counter.runs && mode !== 1 && mode !== 5) {
      counter.held = Math.max(0, tick - counter.start);
    }
    counter.gate = level;
  }

  get #tick(): number {
    return this.#frequency.ticks(this.#clock.now);
  }

  /** In modes 2 and 3 a new count waits for the end of the period, or of its half. */
  #follow(counter: Counter): void {
    const { following, followsAt, mode } = counter;
    if (following === 0 || counter.held >= 0 || (mode !== 2 && mode !== 3)) return;
    if (this.#tick < followsAt) return;
    counter.start = counter.followsLow ? followsAt - Math.ceil(following / 2) : followsAt;
    counter.count = following;
    counter.following = 0;
  }

  #control(value: number): void {
    if (value >> 6 === 3) {
      for (const [i, counter] of this.#r.entries()) {
        if ((value & 2 << i) === 0) continue;
        this.#follow(counter);
        if ((value & 0x20) === 0) this.#latch(counter);
        if ((value & 0x10) === 0 && counter.status < 0) counter.status = this.#status(counter);
      }
      return;
    }
    const counter = this.#r[value >> 6];
    if (counter === undefined) return;
    this.#follow(counter);
    const access = value >> 4 & 3;
    if (access === 0) {
      this.#latch(counter);
      return;
    }
    // Modes 2 and 3 leave their upper bit open.
    const mode = value >> 1 & 7;
    Object.assign(counter, newCounter(counter.gate), {
      mode: mode > 5 ? mode & 3 : mode,
      bcd: (value & 1) !== 0,
      access,
    });
  }

  #write(counter: Counter, value: number): void {
    this.#follow(counter);
    if (counter.access === 3) {
      if (counter.lowByte < 0) {
        counter.lowByte = value;
        // Mode 0 stops, and its output falls, with the first byte.
        if (counter.mode === 0) counter.runs = false;
        return;
      }
      this.#load(counter, value << 8 | counter.lowByte);
      counter.lowByte = -1;
    } else {
      this.#load(counter, counter.access === 2 ? value << 8 : value);
    }
  }

  #load(counter: Counter, written: number): void {
    const count = counter.bcd ? fromBcd(written) || 10_000 : written || 0x10000;
    const { mode } = counter;
    if ((mode === 2 || mode === 3) && counter.runs) {
      const elapsed = Math.max(0, elapsedAt(counter, this.#tick));
      const phase = elapsed % counter.count;
      const high = Math.ceil(counter.count / 2);
      counter.following = count;
      counter.followsLow = mode === 3 && phase < high;
      counter.followsAt = counter.start + elapsed - phase +
        (counter.followsLow ? high : counter.count);
      return;
    }
    if (mode === 1 || mode === 5) {
      // Waits for its gate; a count that runs goes on with the old one.
      if (counter.runs) counter.following = count;
      else counter.count = count;
      return;
    }
    counter.count = count;
    counter.start = this.#tick + 1;
    counter.runs = true;
    counter.held = counter.gate ? -1 : 0;
  }

  #latch(counter: Counter): void {
    if (counter.latched < 0) counter.latched = valueAt(counter, this.#tick);
  }

  #status(counter: Counter): number {
    const tick = this.#tick;
    const isNull = counter.following > 0 || counter.count === 0 || tick < counter.start ||
      !counter.runs;
    return (outputAt(counter, tick) ? 0x80 : 0) | (isNull ? 0x40 : 0) | counter.access << 4 |
      counter.mode << 1 | (counter.bcd ? 1 : 0);
  }

  #read(counter: Counter): number {
    if (counter.status >= 0) {
      const { status } = counter;
      counter.status = -1;
      return status;
    }
    this.#follow(counter);
    const value = counter.latched >= 0 ? counter.latched : valueAt(counter, this.#tick);
    if (counter.access !== 3) {
      counter.latched = -1;
      return counter.access === 2 ? value >> 8 : value & 0xff;
    }
    counter.readsHigh = !counter.readsHigh;
    if (counter.readsHigh) return value & 0xff;
    counter.latched = -1;
    return value >> 8;
  }

  /** Puts counter 0's output on its line, and comes back for the next change. */
  #drive(): void {
    const counter = this.#r[0];
    this.#follow(counter);
    const tick = this.#tick;
    this.#output(outputAt(counter, tick));
    const next = nextChange(counter, tick);
    if (next === Infinity) this.#edge.stop();
    else this.#edge.set(this.#frequency.ns(next));
  }
}

function newCounter(gate: boolean): Counter {
  return {
    mode: 3,
    bcd: false,
    access: 3,
    count: 0,
    start: 0,
    runs: false,
    held: -1,
    gate,
    following: 0,
    followsAt: 0,
    followsLow: false,
    lowByte: -1,
    readsHigh: false,
    latched: -1,
    status: -1,
  };
}

/** Pulses since the count was loaded; below 0 before. */
function elapsedAt(counter: Counter, tick: number): number {
  return counter.held >= 0 ? counter.held : tick - counter.start;
}

/** What the counting element shows, as its 16 bits. */
function valueAt(counter: Counter, tick: number): number {
  const { count, mode } = counter;
  if (count === 0) return 0;
  const elapsed = counter.runs ? Math.max(0, elapsedAt(counter, tick)) : 0;
  let value: number;
  if (mode === 2) {
    value = count - elapsed % count;
  } else if (mode === 3) {
    // Down by two; an odd count gives the high half one pulse more.
    const high = Math.ceil(count / 2);
    const phase = elapsed % count;
    value = (count & ~1) - 2 * (phase < high ? phase : phase - high);
  } else {
    // Goes on below zero, all around.
    value = count - elapsed;
  }
  const modulus = counter.bcd ? 10_000 : 0x10000;
  const wrapped = (value % modulus + modulus) % modulus;
  return counter.bcd ? toBcd(wrapped) : wrapped;
}

function outputAt(counter: Counter, tick: number): boolean {
  const { count, mode } = counter;
  if (!counter.runs) return mode !== 0;
  const elapsed = elapsedAt(counter, tick);
  switch (mode) {
    case 0:
      return elapsed >= count;
    case 1:
      return elapsed < 0 || elapsed >= count;
    case 2:
      return counter.held >= 0 || elapsed < 0 || count === 1 || elapsed % count !== count - 1;
    case 3:
      return counter.held >= 0 || elapsed < 0 || elapsed % count < Math.ceil(count / 2);
    default:
      return elapsed !== count;
  }
}

/** The next tick at which the output changes, or a following count may take over. */
function nextChange(counter: Counter, tick: number): number {
  const { count, mode, start } = counter;
  if (!counter.runs || counter.held >= 0) return Infinity;
  const elapsed = tick - start;
  const isPeriodic = mode === 2 || mode === 3;
  const base = isPeriodic && elapsed > 0 ? elapsed - elapsed % count : 0;
  const changes = mode === 2
    ? [count - 1, count]
    : mode === 3
    ? [Math.ceil(count / 2), count]
    : [0, count, count + 1];
  for (const at of changes) {
    if (base + at > elapsed) return start + base + at;
  }
  return Infinity;
}

/** Digits are not checked: a nibble of 15 counts as fifteen, as on the chip. */
function fromBcd(value: number): number {
  return (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  return Math.floor(value / 1000) << 12 | Math.floor(value / 100) % 10 << 8 |
    Math.floor(value / 10) % 10 << 4 | value % 10;
}
