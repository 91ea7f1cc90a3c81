/**
 * Port 0x80: where a BIOS shows how far it got, and where kernels write to wait.
 *
 * The last code is kept and can be read back, as from the DMA page register
 * that lives there.
 *
 * @module
 */

import { type Bus, byteRange, type Device } from "../bus.ts";
import type { State } from "../state.ts";

/** The port. */
export class Port80 implements Device {
  /** Its name. */
  readonly name = "port80";
  readonly #r = { code: 0 };

  /**
   * The port after power-on.
   *
   * @param show Is given every code that was not there before.
   */
  constructor(bus: Bus, show?: (code: number) => void) {
    bus.addPorts(byteRange(0x80, 1, () => this.#r.code, (_, value) => {
      if (value !== this.#r.code) show?.(value);
      this.#r.code = value;
    }));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** The last code written. */
  get code(): number {
    return this.#r.code;
  }

  /** As after power-on. */
  reset(): void {
    this.#r.code = 0;
  }
}
