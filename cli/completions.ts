/**
 * Completions for the shells.
 *
 * @module
 */

import type { Shell } from "./program.ts";

/** The completion script of a shell. */
export function completionsFor(shell: Shell): Promise<string> {
  return Promise.resolve(`# ${shell}\n`);
}
