/**
 * Port 0x92, system control port A: address line 20 and a quick reset.
 *
 * Bit 1 opens address line 20; bit 0, going from 0 to 1, resets the processor.
 *
 * Source: 82371SB (PIIX3) data sheet, 2.5.6 (port 92 register).
 *
 * @module
 */

import { type Bus, byteRange, type Device, type Line } from "../bus.ts";
import type { State } from "../state.ts";

/** How the port is made. */
export interface Port92Options {
  /** Pulses the processor's reset. */
  readonly reset: () => void;
  /** Gate of address line 20. */
  readonly a20: Line;
}

/** The port. */
export class Port92 implements Device {
  /** Its name. */
  readonly name = "port92";
  readonly #a20: Line;
  readonly #r = { value: 0x02 };

  /** The port after power-on, address line 20 open. */
  constructor(bus: Bus, { reset, a20 }: Port92Options) {
    this.#a20 = a20;
    bus.addPorts(byteRange(0x92, 1, () => this.#r.value, (_, value) => {
      const before = this.#r.value;
      this.#r.value = value & 0x03;
      a20((value & 2) !== 0);
      if ((value & ~before & 1) !== 0) reset();
    }));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on. */
  reset(): void {
    this.#r.value = 0x02;
    this.#a20(true);
  }
}
