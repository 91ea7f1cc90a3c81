/**
 * What is typed, on its way from the thread that reads standard input to the
 * one that runs the machine: bytes in memory that both share.
 *
 * @module
 */

/** Bytes the ring holds. */
const SIZE = 1 << 16;
/** Words before the bytes: bytes written, bytes read, whether the input has ended. */
const WRITTEN = 0;
const READ = 1;
const ENDED = 2;
const HEADER = 16;

/** Memory for a ring. */
export function ringBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER + SIZE);
}

/** Bytes from one thread to another, in order, waiting where there is no room. */
export class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  /** One end of the ring in this memory; both ends are made alike. */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, HEADER / 4);
    this.#bytes = new Uint8Array(buffer, HEADER);
  }

  /** Whether the writer has ended and all was read. */
  get isOver(): boolean {
    return Atomics.load(this.#words, ENDED) !== 0 && this.#waiting === 0;
  }

  get #waiting(): number {
    return Atomics.load(this.#words, WRITTEN) - Atomics.load(this.#words, READ) | 0;
  }

  /** Writes all of it, waiting for the reader where need be. */
  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      let read = Atomics.load(this.#words, READ);
      const written = Atomics.load(this.#words, WRITTEN);
      while ((written - read | 0) >= SIZE) {
        Atomics.wait(this.#words, READ, read);
        read = Atomics.load(this.#words, READ);
      }
      this.#bytes[written & SIZE - 1] = byte;
      Atomics.store(this.#words, WRITTEN, written + 1 | 0);
    }
    Atomics.notify(this.#words, WRITTEN);
  }

  /** Says that nothing more will come. */
  end(): void {
    Atomics.store(this.#words, ENDED, 1);
    Atomics.notify(this.#words, WRITTEN);
  }

  /** Takes what there is, at most so many bytes. */
  read(most: number = SIZE): Uint8Array {
    const length = Math.min(this.#waiting, most);
    const bytes = new Uint8Array(length);
    if (length === 0) return bytes;
    const read = Atomics.load(this.#words, READ);
    for (let i = 0; i < length; i++) bytes[i] = this.#bytes[read + i & SIZE - 1] ?? 0;
    Atomics.store(this.#words, READ, read + length | 0);
    Atomics.notify(this.#words, READ);
    return bytes;
  }

  /** Sleeps until something comes, at most so many milliseconds. */
  wait(ms: number): void {
    const written = Atomics.load(this.#words, WRITTEN);
    if (written === Atomics.load(this.#words, READ)) {
      Atomics.wait(this.#words, WRITTEN, written, ms);
    }
  }
}
