/**
 * The escape key of the console: ^A and a letter is for bootrun, everything else
 * for the guest.
 *
 * @module
 */

/** ^A. */
const ESCAPE = 1;

/** What the keys do; shown by ^A h. */
export const escapeHelp: readonly string[] = [
  "^A x  leave: end the machine",
  "^A h  this help",
  "^A ^A  send ^A to the guest",
];

/** What came of some typing. */
export interface Typed {
  /** For the guest. */
  readonly bytes: Uint8Array;
  /** For us, in order. */
  readonly commands: readonly ("leave" | "help")[];
}

/** Tells the two apart, over any division into pieces. */
export class Escape {
  #escaped = false;

  /** Takes what was typed. Nothing behind a leave is the guest's. */
  take(typed: Uint8Array): Typed {
    const bytes: number[] = [];
    const commands: ("leave" | "help")[] = [];
    for (const byte of typed) {
      if (!this.#escaped) {
        if (byte === ESCAPE) this.#escaped = true;
        else bytes.push(byte);
        continue;
      }
      this.#escaped = false;
      if (byte === ESCAPE) bytes.push(byte);
      else if (byte === 0x78 || byte === 0x58) {
        commands.push("leave");
        break;
      } else commands.push("help");
    }
    return { bytes: Uint8Array.from(bytes), commands };
  }
}
