/**
 * Completions for bash, zsh and fish, made from the command tables.
 *
 * The options are read off the commands' tables (program.ts), and what may
 * follow one is told by the name of its value: `--platform PLATFORM` is
 * followed by a platform. So a new option is completed the day it is added, and
 * a new platform or section as well.
 *
 * @module
 */

import { bash } from "./completions/bash.ts";
import { fish } from "./completions/fish.ts";
import { commandsOf } from "./completions/model.ts";
import { type Vocabulary, vocabulary } from "./completions/vocabulary.ts";
import { zsh } from "./completions/zsh.ts";
import { type Shell, zeropage } from "./program.ts";

const writers = { bash, zsh, fish } as const;

/**
 * The completion script of a shell, for `zeropage` and its three short names.
 *
 * @param words What can follow the options; default what this release knows.
 */
export async function completionsFor(shell: Shell, words?: Vocabulary): Promise<string> {
  const commands = commandsOf(zeropage);
  return writers[shell](commands, words ?? await vocabulary());
}
