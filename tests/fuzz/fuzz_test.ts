/**
 * Whatever the bytes, everything that reads them ends soon, in a value or in a
 * FormatError, and keeps memory within bounds.
 *
 * Over 100,000 damaged inputs of all formats, the same in every run. Two workers
 * read them; this thread watches, so that an endless loop is a failure with a
 * name and not a test that never ends. A failure is told with the format, the
 * seed, what was done to the good input, and the input itself.
 */

import assert from "node:assert/strict";
import { mutants } from "./mutate.ts";
import { targets } from "./targets.ts";
import type { Failure, Order, Report } from "./worker.ts";

const SEED = 20_261_122;

/** So long one input may take, in milliseconds, on a busy machine. */
const SLOWEST = 2000;
/** So long a worker may be silent before it is taken to hang, in milliseconds. */
const SILENCE = 30_000;
/** So much the process may grow, in bytes. */
const GROWTH = 1 << 30;

const seedOf = (format: string): number =>
  [...format].reduce((seed, c) => (Math.imul(seed, 31) + c.charCodeAt(0)) >>> 0, SEED);

/** Reads one format in a worker of its own and watches it. */
function watch(format: string): Promise<Report> {
  const position = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href, { type: "module" });
  const order: Order = { format, seed: seedOf(format), position };
  return new Promise<Report>((resolve, reject) => {
    let last = -1;
    let since = performance.now();
    const watcher = setInterval(() => {
      const now = Atomics.load(position, 0);
      if (now !== last) {
        last = now;
        since = performance.now();
      } else if (performance.now() - since > SILENCE) {
        end();
        reject(new Error(`${format}: hangs in ${told(format, last)}`));
      }
    }, 1000);
    const end = () => {
      clearInterval(watcher);
      worker.terminate();
    };
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      end();
      resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      end();
      reject(new Error(`${format}: ${event.message}, in ${told(format, last)}`));
    };
    worker.postMessage(order);
  });
}

/** An input found again by its number. */
function told(format: string, number: number): string {
  const target = targets[format];
  let n = 0;
  for (
    const { how, bytes } of mutants(target?.sounds() ?? [], target?.count ?? 0, seedOf(format))
  ) {
    if (n++ === number) return `input ${number}: ${how}\n${bytes.toBase64()}`;
  }
  return `input ${number}`;
}

function toldFailure(format: string, { number, how, error, base64 }: Failure): string {
  return `${format}, seed ${seedOf(format)}, input ${number}: ${how}\n${error}\n${base64}\n`;
}

Deno.test("over 100,000 damaged inputs of all formats end in values or FormatErrors", async () => {
  const before = Deno.memoryUsage().rss;
  let highest = before;
  const sampling = setInterval(() => {
    highest = Math.max(highest, Deno.memoryUsage().rss);
  }, 250);
  const waiting = Object.entries(targets)
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([name]) => name);
  const reports: Report[] = [];
  const work = async () => {
    for (let format = waiting.shift(); format !== undefined; format = waiting.shift()) {
      reports.push(await watch(format));
    }
  };
  try {
    await Promise.all([work(), work()]);
  } finally {
    clearInterval(sampling);
  }

  const count = reports.reduce((sum, report) => sum + report.count, 0);
  const whole = reports.reduce((sum, report) => sum + report.whole, 0);
  const slowest = reports.reduce((a, b) => (a.worst.time > b.worst.time ? a : b));
  const grown = highest - before;
  for (const { format, count, time, worst } of reports) {
    const each = (time * 1000 / count).toFixed(0);
    console.log(
      `  ${format}: ${count} inputs, ${each} µs each, slowest ${
        worst.time.toFixed(0)
      } ms: ${worst.how}`,
    );
  }
  console.log(
    `  ${count} inputs, ${whole} of them opened whole; the process grew by ` +
      `${(grown / 2 ** 20).toFixed(0)} MiB at most`,
  );

  const failures = reports.flatMap(({ format, failures }) =>
    failures.map((failure) => toldFailure(format, failure))
  );
  assert.equal(failures.join("\n"), "");
  assert.ok(count >= 100_000, `${count} inputs`);
  assert.ok(
    slowest.worst.time < SLOWEST,
    `${slowest.format}: ${slowest.worst.time} ms for ${told(slowest.format, slowest.worst.number)}`,
  );
  assert.ok(grown < GROWTH, `the process grew by ${grown} bytes`);
});
