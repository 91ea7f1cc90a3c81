/**
 * Where `--trace` writes, and from when on.
 *
 * @module
 */

import type { Guest } from "../../core/boot/guest.ts";
import { trace, type TraceKind } from "../../core/boot/trace.ts";
import { InputError, UsageError } from "../ui/errors.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { parseCount } from "./values.ts";

/** What of the command line a trace goes by. */
export interface TraceWishes {
  /** What to trace; true: branches. */
  readonly trace?: TraceKind | true | undefined;
  /** A function, or a number of instructions. */
  readonly traceFrom?: string | undefined;
  /** A file in place of standard error. */
  readonly traceTo?: string | undefined;
}

/** Characters that are written to a file at once. */
const PIECE = 1 << 16;

/**
 * Starts the trace that is wished for.
 *
 * @returns Ends it: what was not written yet is written then.
 */
export async function startTrace(
  terminal: Terminal,
  guest: Guest,
  { trace: wish, traceFrom, traceTo }: TraceWishes,
): Promise<Disposable> {
  if (wish === undefined) {
    if (traceFrom === undefined && traceTo === undefined) return { [Symbol.dispose]: () => {} };
    throw new UsageError(`${traceTo === undefined ? "--trace-from" : "--trace-to"} needs --trace`, [
      "As in --trace=branches, --trace=instructions or --trace=events.",
    ]);
  }
  const from = traceFrom === undefined
    ? 0
    : /^\d/.test(traceFrom)
    ? /^0+$/.test(traceFrom) ? 0 : parseCount(traceFrom)
    : traceFrom;
  const output = traceTo === undefined ? toTerminal(terminal) : toFile(traceTo);
  try {
    const kind = wish === true ? "branches" : wish;
    await trace(guest, kind, (line) => output.line(printable(line)), { from });
  } catch (error) {
    output[Symbol.dispose]();
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(error.message, [
      "--trace-from takes a function of the kernel, or a number of instructions such as 90M.",
    ], { cause: error });
  }
  return output;
}

/** Takes the lines of a trace. */
interface Output extends Disposable {
  line(text: string): void;
}

function toTerminal(terminal: Terminal): Output {
  return { line: (text) => terminal.err(`${text}\n`), [Symbol.dispose]: () => {} };
}

function toFile(path: string): Output {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { write: true, create: true, truncate: true });
  } catch (error) {
    const problem = error instanceof Error ? error.message.replace(/ \(os error.*/, "") : "";
    throw new InputError(path, `cannot be written: ${problem}`, [], { cause: error });
  }
  const encoder = new TextEncoder();
  let piece = "";
  const flush = () => {
    const bytes = encoder.encode(piece);
    piece = "";
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  };
  return {
    line(text): void {
      piece += `${text}\n`;
      if (piece.length >= PIECE) flush();
    },
    [Symbol.dispose](): void {
      flush();
      file.close();
    },
  };
}
