/**
 * The body of bootinfo.
 *
 * @module
 */

import type { InfoOptions } from "./program.ts";
import { readInput } from "./ui/files.ts";
import type { Terminal } from "./ui/terminal.ts";

/** Reads the images. */
export async function info(
  terminal: Terminal,
  paths: readonly string[],
  _options: InfoOptions,
): Promise<number> {
  for (const path of paths) {
    const { bytes } = await readInput(path);
    terminal.out(`${path}: ${bytes.length} bytes\n`);
  }
  return 0;
}
