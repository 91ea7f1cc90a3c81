/**
 * The MC146818 real-time clock and its memory, the PC's "CMOS".
 *
 * Ports 0x70 (index; bit 7 would keep NMIs away, had the board a source of them) and
 * 0x71 (data). Bytes 0x00 to 0x0d
 * are the clock, the rest is memory in which a BIOS notes what the machine has.
 *
 * | register | what it is                                                        |
 * | -------- | ----------------------------------------------------------------- |
 * | 0, 2, 4  | seconds, minutes, hours (bit 7: afternoon, in 12-hour mode)       |
 * | 1, 3, 5  | alarm; a value from 0xc0 on matches everything                    |
 * | 6-9      | day of the week (1 is Sunday), day, month, year; century in 0x32  |
 * | A        | 7 UIP, 6-4 divider (2 runs, 6 and 7 hold), 3-0 periodic rate      |
 * | B        | 7 SET, 6 PIE, 5 AIE, 4 UIE, 2 binary, 1 24-hour                   |
 * | C        | 7 IRQF, 6 PF, 5 AF, 4 UF; reading clears                          |
 * | D        | 7 battery good                                                    |
 *
 * Source: Motorola MC146818A data sheet. The time starts where the machine is
 * told to, and goes by virtual time.
 *
 * @module
 */

import { type Bus, byteRange, type Device, type Line } from "../bus.ts";
import type { State } from "../state.ts";
import type { Clock, Timer } from "../time.ts";

const second = 1_000_000_000;
/** UIP rises 244 microseconds before an update, which takes 1984. */
const updateNs = (244 + 1984) * 1000;
const century = 0x32;

/** Midnight, 1 January 2024, UTC: the start of time unless a machine is told otherwise. */
export const defaultStart = 1_704_067_200;

/** How the clock is made. */
export interface CmosOptions {
  /** Interrupt 8. */
  readonly irq: Line;
  /** Time at power-on in seconds since 1970, UTC; {@link defaultStart} if absent. */
  readonly start?: number;
  /** Bytes of memory, as the BIOS would have noted them; none if absent. */
  readonly memory?: number;
}

/** The clock and its memory. */
export class Cmos implements Device {
  /** Its name. */
  readonly name = "cmos";
  readonly #clock: Clock;
  readonly #irq: Line;
  readonly #options: CmosOptions;
  readonly #periodic: Timer;
  readonly #update: Timer;
  readonly #r = {
    index: 0,
    bytes: new Uint8Array(128),
    /** The last update, in nanoseconds; the next is a second later. */
    updated: 0,
    /** Periods (see {@link Cmos.#period}) that had passed when PF was last looked at. */
    periods: 0,
  };

  /** The clock after power-on, at ports 0x70 and 0x71. */
  constructor(bus: Bus, clock: Clock, options: CmosOptions) {
    this.#clock = clock;
    this.#irq = options.irq;
    this.#options = options;
    this.#periodic = clock.timer(() => this.#arm());
    this.#update = clock.timer(() => this.#arm());
    this.reset();
    bus.addPorts(byteRange(
      0x70,
      2,
      (offset) => offset === 0 ? 0xff : this.#read(this.#r.index & 0x7f),
      (offset, value) => {
        if (offset === 0) this.#r.index = value;
        else this.#write(this.#r.index & 0x7f, value);
      },
    ));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on, time included: a machine that starts over starts the same. */
  reset(): void {
    const { bytes } = this.#r;
    bytes.fill(0);
    bytes.set([0x26, 0x02, 0x00, 0x80], 0x0a);
    this.#r.index = 0;
    this.#r.updated = this.#clock.now;
    this.#encode(this.#options.start ?? defaultStart);
    // Day 0 of the epoch was a Thursday.
    const days = Math.floor((this.#options.start ?? defaultStart) / 86_400);
    bytes[6] = ((days + 4) % 7 + 7) % 7 + 1;
    noteMemory(bytes, this.#options.memory ?? 0);
    this.#r.periods = this.#periodsNow;
    this.#arm();
  }

  #get(register: number): number {
    return this.#r.bytes[register] ?? 0;
  }

  get #runs(): boolean {
    return (this.#get(0x0a) >> 4 & 7) === 2;
  }

  /** The clock shows what was written and does not move. */
  get #isSet(): boolean {
    return (this.#get(0x0b) & 0x80) !== 0;
  }

  /** Length of a period of the periodic interrupt in ticks of 32,768 Hz; 0 for none. */
  get #period(): number {
    const rate = this.#get(0x0a) & 0x0f;
    if (rate === 0 || !this.#runs) return 0;
    // The two fastest rates repeat those of 8 and 9.
    return 1 << (rate < 3 ? rate + 6 : rate - 1);
  }

  /** Whole periods since power-on. */
  get #periodsNow(): number {
    const period = this.#period;
    if (period === 0) return 0;
    // 32,768 Hz against 10^9 in lowest terms: 64 ticks every 1,953,125 ns.
    const now = this.#clock.now;
    const ticks = Math.floor(now / 1_953_125) * 64 + Math.floor(now % 1_953_125 * 64 / 1_953_125);
    return Math.floor(ticks / period);
  }

  /** Brings time and flags up to now. */
  #follow(): void {
    const { bytes } = this.#r;
    let flags = this.#get(0x0c);
    const periods = this.#periodsNow;
    if (periods !== this.#r.periods) flags |= 0x40;
    this.#r.periods = periods;
    if (!this.#runs) {
      this.#r.updated = this.#clock.now;
    } else if (this.#clock.now - this.#r.updated >= second) {
      const seconds = Math.floor((this.#clock.now - this.#r.updated) / second);
      this.#r.updated += seconds * second;
      if (!this.#isSet) {
        flags |= 0x10;
        if (this.#pass(seconds)) flags |= 0x20;
      }
    }
    const isRaised = (flags & this.#get(0x0b) & 0x70) !== 0;
    bytes[0x0c] = flags & 0x70 | (isRaised ? 0x80 : 0);
    this.#irq(isRaised);
  }

  /** Lets seconds pass, and tells whether the alarm was met on the way. */
  #pass(seconds: number): boolean {
    const before = this.#decode();
    const days = Math.floor((before + seconds) / 86_400) - Math.floor(before / 86_400);
    this.#r.bytes[6] = (Math.max(1, this.#get(6)) - 1 + days) % 7 + 1;
    // An alarm comes round in a day, if it comes at all.
    const rings = this.#alarmWithin(before, Math.min(seconds, 86_400));
    this.#encode(before + seconds);
    return rings;
  }

  #alarmWithin(before: number, seconds: number): boolean {
    const matches = (register: number, value: number) => {
      const alarm = this.#get(register);
      return alarm >= 0xc0 || alarm === value;
    };
    for (let i = 1; i <= seconds; i++) {
      const time = ((before + i) % 86_400 + 86_400) % 86_400;
      if (
        matches(1, this.#digits(time % 60)) &&
        matches(3, this.#digits(Math.floor(time / 60) % 60)) &&
        matches(5, this.#hour(Math.floor(time / 3600)))
      ) return true;
    }
    return false;
  }

  /** A number as the data mode writes it. */
  #digits(value: number): number {
    if ((this.#get(0x0b) & 0x04) !== 0) return value;
    return Math.floor(value / 10) << 4 | value % 10;
  }

  #number(digits: number): number {
    return (this.#get(0x0b) & 0x04) !== 0 ? digits : (digits >> 4) * 10 + (digits & 15);
  }

  #hour(hour: number): number {
    if ((this.#get(0x0b) & 0x02) !== 0) return this.#digits(hour);
    return this.#digits(hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
  }

  /** Seconds since 1970. Fields out of range carry over into the next. */
  #decode(): number {
    const n = (register: number) => this.#number(this.#get(register));
    let hour = n(4);
    if ((this.#get(0x0b) & 0x02) === 0) {
      const written = this.#get(4);
      hour = this.#number(written & 0x7f) % 12 + ((written & 0x80) !== 0 ? 12 : 0);
    }
    // Years below 100 count as ones of the twentieth century.
    const days = Date.UTC(n(century) * 100 + n(9), n(8) - 1, n(7));
    return days / 1000 + hour * 3600 + n(2) * 60 + n(0);
  }

  #encode(time: number): void {
    const date = new Date(time * 1000);
    const { bytes } = this.#r;
    const year = date.getUTCFullYear();
    bytes[0] = this.#digits(date.getUTCSeconds());
    bytes[2] = this.#digits(date.getUTCMinutes());
    bytes[4] = this.#hour(date.getUTCHours());
    bytes[7] = this.#digits(date.getUTCDate());
    bytes[8] = this.#digits(date.getUTCMonth() + 1);
    bytes[9] = this.#digits(year % 100);
    bytes[century] = this.#digits(Math.floor(year / 100) % 100);
  }

  #read(register: number): number {
    this.#follow();
    const value = this.#get(register);
    if (register === 0x0a) {
      const left = this.#r.updated + second - this.#clock.now;
      return value | (this.#runs && !this.#isSet && left <= updateNs ? 0x80 : 0);
    }
    if (register === 0x0c) {
      this.#r.bytes[0x0c] = 0;
      this.#irq(false);
      this.#arm();
    }
    return value;
  }

  #write(register: number, value: number): void {
    this.#follow();
    const { bytes } = this.#r;
    if (register === 0x0c || register === 0x0d) return;
    if (register === 0x0a) {
      const wasHeld = !this.#runs;
      bytes[register] = value & 0x7f;
      // The first update comes half a second after the divider was let go.
      if (wasHeld && this.#runs) this.#r.updated = this.#clock.now - second / 2;
      this.#r.periods = this.#periodsNow;
    } else if (register === 0x0b) {
      // SET stops the update interrupt for good, until it is asked for again.
      bytes[register] = (value & 0x80) !== 0 ? value & ~0x10 : value;
    } else {
      bytes[register] = value;
    }
    this.#arm();
  }

  /** Alarms only for what may interrupt; everything else is worked out on reading. */
  #arm(): void {
    this.#follow();
    const { now } = this.#clock;
    const enabled = this.#get(0x0b);
    const period = this.#period;
    if ((enabled & 0x40) !== 0 && period > 0) {
      const ticks = (this.#r.periods + 1) * period;
      this.#periodic.set(
        Math.floor(ticks / 64) * 1_953_125 + Math.ceil(ticks % 64 * 1_953_125 / 64),
      );
    } else {
      this.#periodic.stop();
    }
    if ((enabled & 0x30) !== 0 && this.#runs && !this.#isSet) {
      this.#update.set(Math.max(now + 1, this.#r.updated + second));
    } else {
      this.#update.stop();
    }
  }
}

/** What a BIOS notes about memory, and the sum that guards it. */
function noteMemory(bytes: Uint8Array, memory: number): void {
  const word = (at: number, value: number) => {
    bytes[at] = value & 0xff;
    bytes[at + 1] = value >> 8 & 0xff;
  };
  const above1MiB = Math.max(0, memory - 0x10_0000);
  // No floppies, coprocessor present.
  bytes[0x14] = 0x02;
  word(0x15, 640);
  word(0x17, Math.min(0xffff, above1MiB / 1024));
  word(0x30, Math.min(0xffff, above1MiB / 1024));
  // Above 16 MiB and below 4 GiB, in units of 64 KiB.
  word(0x34, Math.min(0xffff, Math.max(0, memory - 0x100_0000) / 0x1_0000));
  const sum = bytes.subarray(0x10, 0x2e).reduce((a, b) => a + b, 0);
  bytes[0x2e] = sum >> 8 & 0xff;
  bytes[0x2f] = sum & 0xff;
}
