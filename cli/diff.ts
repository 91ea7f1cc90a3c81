/**
 * The body of bootdiff.
 *
 * @module
 */

import type { DiffOptions } from "./program.ts";
import { readInput } from "./ui/files.ts";
import type { Terminal } from "./ui/terminal.ts";

/** Reads both images. */
export async function diff(
  terminal: Terminal,
  a: string,
  b: string,
  _options: DiffOptions,
): Promise<number> {
  for (const path of [a, b]) {
    const { bytes } = await readInput(path);
    terminal.out(`${path}: ${bytes.length} bytes\n`);
  }
  return 0;
}
