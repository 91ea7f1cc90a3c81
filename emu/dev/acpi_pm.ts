/**
 * ACPI's fixed hardware: power management events, control, and timer.
 *
 * | offset | size | register                                                    |
 * | ------ | ---- | ----------------------------------------------------------- |
 * | 0      | 2    | PM1 status: 0 timer, 5 global, 8 power button, 15 wake; writing 1 clears |
 * | 2      | 2    | PM1 enable, the same bits                                   |
 * | 4      | 2    | PM1 control: 0 SCI enabled, 10-12 sleep type, 13 sleep      |
 * | 8      | 4    | timer, 3.579545 MHz, 24 bits                                |
 *
 * The machine has no legacy mode to leave: SCI is always enabled, and the
 * FADT's SMI command port is 0. Sleep type 0 is S5, off, as on the PIIX4.
 *
 * Sources: ACPI specification 6.4, 4.8.3; 82371AB (PIIX4) data sheet, 7.2.
 *
 * @module
 */

import type { Bus, Device, Line, Width } from "../bus.ts";
import type { State } from "../state.ts";
import { type Clock, Frequency, type Timer } from "../time.ts";

/** First port of the block. */
export const pmBase = 0x600;
/** Port of the PM1 control register, for the FADT. */
export const pmControlPort = 0x604;
/** Port of the timer, for the FADT. */
export const pmTimerPort = 0x608;
/** The sleep type that turns the machine off, for the DSDT's \_S5. */
export const sleepTypeOff = 0;

const pmHz = 3_579_545;
/** The upper bit of the counter; whenever it changes, status bit 0 is set. */
const half = 0x80_0000;

const timerBit = 0x0001;
const powerButtonBit = 0x0100;
const events = 0x8521;
const enables = 0x0521;

/** How it is made. */
export interface AcpiPmOptions {
  /** The system control interrupt. */
  readonly sci: Line;
  /** The guest has turned the machine off. */
  readonly off: () => void;
}

/** The registers. */
export class AcpiPm implements Device {
  /** Its name. */
  readonly name = "acpi_pm";
  readonly #clock: Clock;
  readonly #options: AcpiPmOptions;
  readonly #frequency = new Frequency(pmHz);
  readonly #carry: Timer;
  readonly #r = {
    status: 0,
    enable: 0,
    control: 1,
    /** Half turns of the counter that status has seen. */
    halves: 0,
  };

  /** The registers after power-on. */
  constructor(bus: Bus, clock: Clock, options: AcpiPmOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#carry = clock.timer(() => this.#update());
    const word = (offset: number, read: () => number, write: (value: number) => void) =>
      bus.addPorts({
        first: pmBase + offset,
        size: 2,
        widest: 2,
        read: (at, width) => width === 2 ? read() : read() >> 8 * at & 0xff,
        // A byte leaves the other one as it is, or clears nothing there.
        write: (at, value, width) => {
          const others = offset === 0 ? 0 : read();
          write(width === 2 ? value : others & ~(0xff << 8 * at) | value << 8 * at);
          this.#update();
        },
      });
    word(0, () => {
      this.#update();
      return this.#r.status;
    }, (value) => {
      this.#update();
      this.#r.status &= ~(value & events);
    });
    word(2, () => this.#r.enable, (value) => this.#r.enable = value & enables);
    word(4, () => this.#r.control, (value) => this.#control(value));
    const timer = (at: number, width: Width) =>
      this.#count >>> 8 * at & (width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff);
    bus.addPorts({ first: pmTimerPort, size: 4, widest: 4, read: timer, write: () => {} });
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on; the timer never stops. */
  reset(): void {
    Object.assign(this.#r, { status: 0, enable: 0, control: 1, halves: this.#halves });
    this.#update();
  }

  /** Somebody presses the power button: the guest is asked to turn itself off. */
  pressPowerButton(): void {
    this.#r.status |= powerButtonBit;
    this.#update();
  }

  get #count(): number {
    return this.#frequency.ticks(this.#clock.now) % (2 * half);
  }

  get #halves(): number {
    return Math.floor(this.#frequency.ticks(this.#clock.now) / half);
  }

  #update(): void {
    const r = this.#r;
    if (this.#halves !== r.halves) r.status |= timerBit;
    r.halves = this.#halves;
    this.#options.sci((r.status & r.enable) !== 0);
    if ((r.enable & timerBit) !== 0) {
      this.#carry.set(this.#frequency.ns((r.halves + 1) * half));
    } else {
      this.#carry.stop();
    }
  }

  #control(value: number): void {
    // The sleep bit reads as 0; SCI stays enabled.
    this.#r.control = value & 0x1c06 | 1;
    if ((value & 0x2000) !== 0 && (value >> 10 & 7) === sleepTypeOff) this.#options.off();
  }
}
