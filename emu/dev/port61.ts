/**
 * Port 0x61, system control port B: the gate of timer 2, the speaker, and what
 * the timer's outputs look like.
 *
 * | bit | read                         | written              |
 * | --- | ---------------------------- | -------------------- |
 * | 0   | gate of timer 2              | gate of timer 2      |
 * | 1   | speaker follows the timer    | the same             |
 * | 2-3 | parity and channel check off | the same             |
 * | 4   | toggles with every refresh   |                      |
 * | 5   | output of timer 2            |                      |
 * | 6-7 | channel and parity check: 0  |                      |
 *
 * Source: 82371SB (PIIX3) data sheet, 2.5.5 (NMI status and control register).
 * Refresh toggles every 18 ticks of the timer, some 15 microseconds, as on a PC
 * whose counter 1 the BIOS has set; kernels of the nineties wait on it.
 *
 * @module
 */

import { type Bus, byteRange, type Device } from "../bus.ts";
import type { State } from "../state.ts";
import { type Clock, Frequency } from "../time.ts";
import { type Pit, pitHz } from "./pit.ts";

const ticksPerRefresh = 18;

/** The port. */
export class Port61 implements Device {
  /** Its name. */
  readonly name = "port61";
  readonly #pit: Pit;
  readonly #r = { control: 0 };

  /** The port after power-on. */
  constructor(bus: Bus, clock: Clock, pit: Pit) {
    this.#pit = pit;
    const timer = new Frequency(pitHz);
    bus.addPorts(byteRange(
      0x61,
      1,
      () => {
        const refreshes = Math.floor(timer.ticks(clock.now) / ticksPerRefresh);
        return this.#r.control | (refreshes % 2) << 4 | (pit.output(2) ? 0x20 : 0);
      },
      (_, value) => {
        this.#r.control = value & 0x0f;
        pit.setGate((value & 1) !== 0);
      },
    ));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on: gate closed, speaker off. */
  reset(): void {
    this.#r.control = 0;
    this.#pit.setGate(false);
  }
}
