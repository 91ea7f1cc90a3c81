/**
 * The 82093AA I/O APIC: 24 pins, and for each an entry that says which vector
 * goes to which processor.
 *
 * Two registers are seen, at 0xfec00000: which (0x00) and its value (0x10).
 *
 * | index     | register                                       |
 * | --------- | ---------------------------------------------- |
 * | 0x00      | identifier, bits 24-27                         |
 * | 0x01      | version 0x11; bits 16-23 the last pin, 23      |
 * | 0x02      | arbitration identifier                         |
 * | 0x10-0x3f | redirection entries, the lower half first      |
 *
 * An entry: 0-7 vector, 8-10 delivery mode, 11 logical destination, 12 delivery
 * status, 13 active low, 14 remote IRR, 15 level, 16 masked, 56-63 destination.
 *
 * Source: Intel 82093AA data sheet (290566). An edge on a masked pin is lost.
 * Pins are given as asserted or not: polarity is a matter of the wiring, which
 * the tables describe.
 *
 * @module
 */

import type { Bus, Device, Line } from "../bus.ts";
import type { State } from "../state.ts";
import { type ApicMessage, delivery } from "./lapic.ts";

/** Pins. */
export const ioApicPins = 24;

/** Where it sits. */
export const ioApicBase = 0xfec0_0000;

const remoteIrr = 0x4000;
const level = 0x8000;
const masked = 0x1_0000;
const writable = 0x1_afff;

/** How an I/O APIC is made. */
export interface IoApicOptions {
  /** Its identifier at power-on. */
  readonly id: number;
  /** Sends to the processors' APICs. */
  readonly send: (message: ApicMessage) => void;
  /** An entry was written: what it lets through may have changed. */
  readonly changed: () => void;
}

/** The I/O APIC. */
export class IoApic implements Device {
  /** Its name. */
  readonly name = "ioapic";
  readonly #options: IoApicOptions;
  readonly #r: {
    index: number;
    id: number;
    low: Uint32Array;
    high: Uint32Array;
    /** Pins that are asserted, a bit each. */
    pins: number;
  };

  /** The I/O APIC after power-on: every pin masked. */
  constructor(bus: Bus, options: IoApicOptions) {
    this.#options = options;
    this.#r = {
      index: 0,
      id: options.id,
      low: new Uint32Array(ioApicPins).fill(masked),
      high: new Uint32Array(ioApicPins),
      pins: 0,
    };
    bus.addWindow({
      first: ioApicBase,
      size: 0x1000,
      widest: 4,
      narrowest: 4,
      read: (offset) => offset === 0 ? this.#r.index : offset === 0x10 ? this.#read() : 0,
      write: (offset, value) => {
        if (offset === 0) this.#r.index = value & 0xff;
        else if (offset === 0x10) this.#write(value);
      },
    });
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on; pins keep their levels. */
  reset(): void {
    this.#r.index = 0;
    this.#r.id = this.#options.id;
    this.#r.low.fill(masked);
    this.#r.high.fill(0);
    this.#options.changed();
  }

  /** Pulls a pin. */
  pin(index: number): Line {
    const bit = 1 << index;
    return (asserted) => {
      const before = (this.#r.pins & bit) !== 0;
      if (before === asserted) return;
      this.#r.pins = asserted ? this.#r.pins | bit : this.#r.pins & ~bit;
      if (asserted) this.#ask(index);
    };
  }

  /** Whether a pin hands the PC's interrupt controllers through to a processor. */
  passesExternal(index: number): boolean {
    const entry = this.#r.low[index] ?? masked;
    return (entry & masked) === 0 && (entry >> 8 & 7) === delivery.external;
  }

  /** A processor has ended a level-triggered interrupt. */
  end(vector: number): void {
    this.#r.low.forEach((entry, i) => {
      if ((entry & level) === 0 || (entry & 0xff) !== vector) return;
      this.#r.low[i] = entry & ~remoteIrr;
      this.#askLevel(i);
    });
  }

  /** An asserted level-triggered pin asks, and asks again. */
  #askLevel(index: number): void {
    const entry = this.#r.low[index] ?? masked;
    if ((entry & level) !== 0 && (this.#r.pins & 1 << index) !== 0) this.#ask(index);
  }

  #ask(index: number): void {
    const entry = this.#r.low[index] ?? masked;
    if ((entry & masked) !== 0) return;
    const mode = entry >> 8 & 7;
    // The processor fetches an external interrupt from its controller.
    if (mode === delivery.external) return;
    const isLevel = (entry & level) !== 0;
    if (isLevel && (entry & remoteIrr) !== 0) return;
    // Only what ends with an EOI is waited for.
    const isAwaited = isLevel && mode <= delivery.lowestPriority;
    if (isAwaited) this.#r.low[index] = entry | remoteIrr;
    this.#options.send({
      destination: (this.#r.high[index] ?? 0) >>> 24,
      isLogical: (entry & 0x800) !== 0,
      mode,
      vector: entry & 0xff,
      isLevel: isAwaited,
    });
  }

  #read(): number {
    const { index, id, low, high } = this.#r;
    if (index === 0 || index === 2) return id << 24;
    if (index === 1) return (ioApicPins - 1) << 16 | 0x11;
    const half = index & 1 ? high : low;
    return index < 0x10 ? 0 : half[index - 0x10 >> 1] ?? 0;
  }

  #write(value: number): void {
    const { index, low, high } = this.#r;
    if (index === 0) this.#r.id = value >>> 24 & 0x0f;
    const pin = index - 0x10 >> 1;
    if (index < 0x10 || pin >= ioApicPins) return;
    if ((index & 1) !== 0) {
      high[pin] = value & 0xff00_0000;
      return;
    }
    // Turning a pin to edge forgets the level that was waited for.
    const kept = (value & level) !== 0 ? (low[pin] ?? 0) & remoteIrr : 0;
    low[pin] = value & writable | kept;
    this.#askLevel(pin);
    this.#options.changed();
  }
}
