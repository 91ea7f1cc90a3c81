/**
 * Runs a program: parses the words, does the work, and turns whatever comes of
 * it into an exit code and a message without a stack trace.
 *
 * @module
 */

import { FormatError } from "../../formats/errors.ts";
import { version } from "../version.ts";
import type { Command } from "./command.ts";
import { CommandError } from "./errors.ts";
import { exit } from "./exit.ts";
import { showHelp } from "./help.ts";
import { parseWords, type Place } from "./options.ts";
import { styles } from "./style.ts";
import type { OutputChoice, Terminal } from "./terminal.ts";
import { printable } from "./text.ts";

/**
 * Runs a program to its end.
 *
 * An interrupt is left to the system: it ends the process at once, even in the
 * middle of unpacking, and the shell reports 130.
 *
 * @param argv The words after the program's name.
 * @returns The exit code, by the table in exit.ts.
 */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  let place: Place = { command: program, name: program.table.name, options: {} };
  try {
    const wanted = parseWords(program, argv, (at) => {
      place = at;
      // At once, so that a complaint about the next word has the colour that this one asks for.
      terminal.configure(at.options as OutputChoice);
    });
    place = wanted;
    const { command: { table }, name, ends } = wanted;
    let code: number = exit.done.code;
    if (ends === "version") terminal.out(`${versionLine(name)}\n`);
    else if (ends === "help") {
      const width = terminal.outIsTerminal ? terminal.columns : 80;
      terminal.out(showHelp(name, table, { width, colour: terminal.colour }));
    } else if (table.commands) {
      // Called without one of its commands: the help takes the place of a message.
      const width = terminal.errIsTerminal ? terminal.columns : 80;
      terminal.err(showHelp(name, table, { width, colour: terminal.errColour }));
      code = exit.usage.code;
    } else code = await wanted.command.run(terminal, wanted.arguments, wanted.options);
    terminal.status("");
    terminal.flush();
    return code;
  } catch (error) {
    try {
      return await report(error, place, argv, terminal);
    } catch (second) {
      // Nobody listens any more; there is nothing to say and nobody to say it to.
      if (second instanceof Deno.errors.BrokenPipe) return exit.done.code;
      throw second;
    }
  }
}

/** `bootinfo (zeropage) 1.0.0`; below zeropage all is zeropage. */
function versionLine(name: string): string {
  const [program = ""] = name.split(" ");
  return program === "zeropage" ? `zeropage ${version}` : `${program} (zeropage) ${version}`;
}

async function report(
  error: unknown,
  { name }: Place,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  if (error instanceof Deno.errors.BrokenPipe) return exit.done.code;
  const known = await explain(error);
  const paint = styles(terminal.errColour);
  const say = (message: string, hints: readonly string[]) => {
    terminal.err(
      [`${paint.bad(`${name}:`)} ${printable(message)}`]
        .concat(hints.map((hint) => `  ${printable(hint)}`))
        .map((line) => `${line}\n`).join(""),
    );
  };
  if (known) {
    say(known.message, known.hints);
    if (argv.includes("--debug")) terminal.err(`${printable(trace(error))}\n`);
    return known.code;
  }
  const debug = argv.includes("--debug");
  say(`internal error: ${error instanceof Error ? error.message : String(error)}`, [
    "This is a bug in zeropage, not in your file. Please report it, with",
    `  the command   ${name} ${argv.map(quote).join(" ")}`,
    `  the version   zeropage ${version}, Deno ${Deno.version.deno}, ${Deno.build.target}`,
    "  the file, or where to get it, or at least its first 4 KiB (head -c 4096 FILE)",
    debug ? "  and this" : "  and what the same command prints with --debug",
  ]);
  if (debug) terminal.err(`${printable(trace(error))}\n`);
  return exit.bug.code;
}

/** The error in the user's words, or undefined for a bug of ours. */
async function explain(error: unknown): Promise<CommandError | undefined> {
  if (error instanceof CommandError) return error;
  if (error instanceof FormatError) {
    return new CommandError(exit.input.code, error.message, [], { cause: error });
  }
  // What core/ refuses to put together. The class is core's, and core is not loaded for help.
  const { BootError } = await import("../../core/errors.ts");
  if (error instanceof BootError) {
    return new CommandError(exit.input.code, error.message, [], { cause: error });
  }
  return undefined;
}

function trace(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** The word as a shell wants it. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
