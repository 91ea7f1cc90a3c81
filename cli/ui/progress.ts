/**
 * Progress for whoever waits over a second: one line on standard error, only if
 * that is a terminal, gone when done. `--quiet` silences it.
 *
 * Unpacking runs without a pause in which a timer could fire. So the line is
 * drawn when the work reports, or up front when the work knows that it will be
 * long.
 *
 * @module
 */

import type { Terminal } from "./terminal.ts";
import { cut } from "./text.ts";

/** A running piece of work. */
export interface Progress {
  /**
   * Says what is being done now.
   *
   * @param expectedMs How long it will take, if known: a step that will end
   *   past the first second is shown before it starts, since it may not report.
   */
  step(what: string, expectedMs?: number): void;
  /** Reports how much of the step is done, in the same unit as `total`. */
  at(done: number, total?: number): void;
  /** Takes the line away. Call it in `finally`. */
  done(): void;
}

/** Patience before the line appears, and between two drawings, in milliseconds. */
const patience = 1000;
const interval = 100;

/**
 * Starts a progress line.
 *
 * @param now The clock, in milliseconds.
 */
export function progress(
  terminal: Terminal,
  what: string,
  now: () => number = () => performance.now(),
): Progress {
  const started = now();
  let text = what;
  let drawn = -Infinity;
  let amount = "";
  const shown = () => drawn !== -Infinity;
  const draw = () => {
    drawn = now();
    terminal.status(cut(`${text}${amount} …`, terminal.columns - 1));
  };
  // For work that does pause: fetching, reading a slow pipe.
  const timer = terminal.errIsTerminal && !terminal.quiet ? setTimeout(draw, patience) : undefined;
  if (timer !== undefined) Deno.unrefTimer(timer);
  return {
    step(next: string, expectedMs = 0): void {
      text = next;
      amount = "";
      if (shown() || now() - started + expectedMs >= patience) draw();
    },
    at(done: number, total?: number): void {
      amount = total ? ` ${Math.min(100, Math.floor(100 * done / total))} %` : ` ${done}`;
      const time = now();
      if (time - started >= patience && time - drawn >= interval) draw();
    },
    done(): void {
      // Deno loads its clocks when first asked for one, which takes 10 ms.
      if (timer !== undefined) clearTimeout(timer);
      if (shown()) terminal.status("");
      drawn = -Infinity;
    },
  };
}
