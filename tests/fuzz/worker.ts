/**
 * Fuzzes the formats it is told to, one after the other, and says where it is,
 * so that whoever watches sees a hang.
 *
 * @module
 */

import { mutants, seeded } from "./mutate.ts";
import { targets } from "./targets.ts";
import { openWhole } from "./whole.ts";

/** What a worker is to do. */
export interface Order {
  /** The format, by its name in the table. */
  readonly format: string;
  /** What chance starts from. */
  readonly seed: number;
  /** Number of the input being read, for the watcher. */
  readonly position: Int32Array;
}

/** An answer that is neither a value nor a FormatError. */
export interface Failure {
  /** Number of the input. */
  readonly number: number;
  /** What was done to the good input. */
  readonly how: string;
  /** What was thrown, with its stack. */
  readonly error: string;
  /** The input in base64. */
  readonly base64: string;
}

/** How a format fared. */
export interface Report {
  /** The format. */
  readonly format: string;
  /** Inputs read. */
  readonly count: number;
  /** Inputs that went through all that bootinfo does. */
  readonly whole: number;
  /** Milliseconds in all. */
  readonly time: number;
  /** Milliseconds for the slowest input, and which it was. */
  readonly worst: { readonly time: number; readonly number: number; readonly how: string };
  /** Failures, one of each kind. */
  readonly failures: readonly Failure[];
}

/** An error by its first line and the place it came from, to tell kinds apart. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split("\n").find((line) => /^\s+at /.test(line)) ?? "";
  return `${error.name} ${place.trim()}`;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Fuzzes one format. */
export async function fuzz({ format, seed, position }: Order): Promise<Report> {
  const target = targets[format];
  if (!target) throw new Error(`no format ${format}`);
  const random = seeded(seed + 1);
  const failures = new Map<string, Failure>();
  let worst = { time: 0, number: 0, how: "" };
  let count = 0;
  let whole = 0;
  const started = performance.now();
  for (const { how, bytes } of mutants(target.sounds(), target.count, seed)) {
    Atomics.store(position, 0, count);
    const from = performance.now();
    try {
      await target.read(bytes, random);
      if (target.wholeEvery > 0 && count % target.wholeEvery === 0) {
        whole++;
        await openWhole(bytes, random);
      }
    } catch (error) {
      const kind = kindOf(error);
      if (!failures.has(kind)) {
        const text = error instanceof Error ? error.stack ?? error.message : String(error);
        failures.set(kind, { number: count, how, error: text, base64: base64(bytes) });
      }
    }
    const time = performance.now() - from;
    if (time > worst.time) worst = { time, number: count, how };
    count++;
  }
  const time = performance.now() - started;
  return { format, count, whole, time, worst, failures: [...failures.values()] };
}

/** This thread, as a worker sees it; the project's types know the main thread's alone. */
const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(report: Report): void;
};
thread.onmessage = async ({ data }) => thread.postMessage(await fuzz(data));
