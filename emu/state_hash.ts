/**
 * A sum over a machine's state: fast over much memory, most of which is zero.
 *
 * @module
 */

/** Two sums of 32 bits each, every word multiplied in. */
export class StateHash {
  #a = 0x811c_9dc5 | 0;
  #b = 0x2545_f491 | 0;

  /** Adds bytes; their length counts as well. */
  add(bytes: Uint8Array): void {
    const whole = bytes.length >>> 2;
    const aligned = bytes.byteOffset % 4 === 0
      ? new Int32Array(bytes.buffer, bytes.byteOffset, whole)
      : new Int32Array(bytes.slice(0, 4 * whole).buffer);
    let [a, b] = [this.#a ^ bytes.length, this.#b];
    for (let page = 0; page < whole; page += 1024) {
      const end = Math.min(whole, page + 1024);
      let any = 0;
      for (let n = page; n < end; n++) any |= aligned[n] as number;
      // A page of zeros is one step.
      if (any === 0) {
        a = Math.imul(a ^ page, 0x0100_0193);
        continue;
      }
      for (let n = page; n < end; n++) {
        const word = aligned[n] as number;
        a = Math.imul(a ^ word, 0x0100_0193);
        b = Math.imul((b << 13 | b >>> 19) ^ word, 0x85eb_ca6b) + 0x1234_5679 | 0;
      }
    }
    for (let n = 4 * whole; n < bytes.length; n++) {
      a = Math.imul(a ^ (bytes[n] as number), 0x0100_0193);
      b = Math.imul((b << 13 | b >>> 19) ^ (bytes[n] as number), 0x85eb_ca6b);
    }
    [this.#a, this.#b] = [a, b];
  }

  /** Sixteen hexadecimal digits. */
  hex(): string {
    const digits = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
    return digits(this.#a) + digits(this.#b);
  }
}
