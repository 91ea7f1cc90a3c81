/**
 * Standard input as the guest's keyboard.
 *
 * A terminal is put into raw mode, so that every key is the guest's, ^C too; a
 * pipe is read as it is. A thread of its own does the reading.
 *
 * @module
 */

import { Ring, ringBuffer } from "./ring.ts";

/** Where a guest's input comes from. */
export interface Keyboard {
  /** Whether somebody sits there: ^A is an escape then, and time is paced. */
  readonly isTerminal: boolean;
  /** Whether nothing more will come. */
  readonly isOver: boolean;
  /** Takes what was typed, at most so many bytes. */
  read(most?: number): Uint8Array;
  /** Sleeps until something is typed, at most so many milliseconds. */
  wait(ms: number): void;
  /** Gives the terminal back as it was. */
  close(): void;
}

/** Nobody types. */
export const noKeyboard: Keyboard = {
  isTerminal: false,
  isOver: true,
  read: () => new Uint8Array(),
  wait(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  },
  close: () => {},
};

/** Begins to read standard input. */
export function openKeyboard(): Keyboard {
  const isTerminal = Deno.stdin.isTerminal();
  const buffer = ringBuffer();
  const ring = new Ring(buffer);
  const worker = new Worker(new URL("./stdin_worker.ts", import.meta.url), { type: "module" });
  worker.postMessage(buffer);
  let isRaw = false;
  const restore = () => {
    if (!isRaw) return;
    isRaw = false;
    try {
      Deno.stdin.setRaw(false);
    } catch {
      // The terminal is gone, and with it what would have to be put back.
    }
  };
  if (isTerminal) {
    Deno.stdin.setRaw(true);
    isRaw = true;
    // Whatever way the process ends, short of being killed.
    addEventListener("unload", restore);
  }
  return {
    isTerminal,
    get isOver() {
      return ring.isOver;
    },
    read: (most) => ring.read(most),
    wait: (ms) => ring.wait(ms),
    close(): void {
      restore();
      removeEventListener("unload", restore);
      worker.terminate();
    },
  };
}
