/**
 * The error of the boot: what was asked for cannot be put together.
 *
 * @module
 */

/** A boot that cannot be set up as asked: too little memory, too long a line, no room. */
export class BootError extends RangeError {
  /** Tells it from other RangeErrors, in messages. */
  /** Names the error in messages. */
  override name = "BootError";
  /** What could not be done: "initrd", "command line". */
  readonly what: string;
  /** What was needed. */
  readonly needed: string;
  /** What was found instead. */
  readonly found: string;

  /**
   * Says what could not be done.
   *
   * @param what What could not be done, a noun.
   * @param needed What it needs.
   * @param found What there is; no full stop.
   */
  constructor(what: string, needed: string, found: string, options?: ErrorOptions) {
    super(`${what}: needs ${needed}, found ${found}`, options);
    this.what = what;
    this.needed = needed;
    this.found = found;
  }
}
