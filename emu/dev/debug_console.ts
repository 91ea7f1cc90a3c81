/**
 * The debug console: a port that takes text and is always ready.
 *
 * Reading it gives the port's own number, 0xe9, which tells a guest that it is
 * there. 0xe9 is Bochs's, 0x402 the one of SeaBIOS and OVMF.
 *
 * @module
 */

import { type Bus, byteRange, type Device } from "../bus.ts";
import type { State } from "../state.ts";

const pieceSize = 1024;

/** How the console is made. */
export interface DebugConsoleOptions {
  /** Its port. */
  readonly port: number;
  /** Is given what was written, line by line or in pieces of 1024 bytes. */
  readonly output: (bytes: Uint8Array) => void;
}

/** The console. */
export class DebugConsole implements Device {
  /** Its name. */
  readonly name: string;
  /** Nothing: what was written is the host's. */
  readonly registers: State = {};
  readonly #output: (bytes: Uint8Array) => void;
  readonly #piece = new Uint8Array(pieceSize);
  #length = 0;

  /** The console at its port. */
  constructor(bus: Bus, { port, output }: DebugConsoleOptions) {
    this.name = `debug_console_${port.toString(16)}`;
    this.#output = output;
    bus.addPorts(byteRange(port, 1, () => 0xe9, (_, value) => {
      this.#piece[this.#length++] = value;
      if (value === 0x0a || this.#length === pieceSize) this.flush();
    }));
  }

  /** Nothing to do. */
  reset(): void {}

  /** Hands over an unfinished line. */
  flush(): void {
    if (this.#length === 0) return;
    const piece = this.#piece.slice(0, this.#length);
    this.#length = 0;
    this.#output(piece);
  }
}
