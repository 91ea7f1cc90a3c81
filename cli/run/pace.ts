/**
 * Virtual time held back to the speed of the wall's clock, for people.
 *
 * A guest that computes is slower than its own time says, and is not held. One
 * that sleeps jumps from alarm to alarm, and is: what it sleeps takes as long
 * here. Time that was lost computing is not made up for by sleeping faster.
 *
 * @module
 */

/** Milliseconds by which the guest may be ahead before it is held. */
const SLACK = 2;
/** Milliseconds slept at a time, so that the guest hears of keys. */
const LONGEST = 100;

/** Two clocks kept together. */
export class Pace {
  readonly #wall: () => number;
  #offset: number | undefined;

  /** A pace by this clock, in milliseconds. */
  constructor(wall: () => number = () => performance.now()) {
    this.#wall = wall;
  }

  /**
   * How long to wait before the guest goes on, in milliseconds.
   *
   * @param now Virtual time in nanoseconds.
   */
  ahead(now: number): number {
    const guest = now / 1e6;
    const wall = this.#wall();
    this.#offset ??= wall - guest;
    const ahead = guest - (wall - this.#offset);
    if (ahead < 0) this.#offset = wall - guest;
    return ahead > SLACK ? Math.min(ahead, LONGEST) : 0;
  }
}
