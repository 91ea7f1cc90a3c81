/**
 * Runs a program: parses the words, does the work, and turns whatever comes of
 * it into an exit code and a message without a stack trace.
 *
 * @module
 */

// @ts-types="@commander-js/extra-typings"
import { CommanderError, type CommandUnknownOpts as Command } from "commander";
import { FormatError } from "../../formats/errors.ts";
import { version } from "../version.ts";
import { CommandError, unknownName, UsageError } from "./errors.ts";
import { exit } from "./exit.ts";
import { fullName } from "./help.ts";
import { styles } from "./style.ts";
import { suggestion } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";
import { plain, printable } from "./text.ts";

/** The work of a command; comes to its exit code. */
export type Body = (terminal: Terminal) => Promise<number>;

/** What a command's action is given to do its work with. */
export type Run = (body: Body) => Promise<void>;

/** Builds a program anew for one run. */
export type Program = (run: Run) => Command;

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
  program: Program,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  let code: number = exit.done.code;
  const root = program(async (body) => {
    code = await body(terminal);
  });
  const running = prepare(root, terminal);
  try {
    await root.parseAsync(bindOptionalValues(root, argv), { from: "user" });
    terminal.status("");
    terminal.flush();
    return code;
  } catch (error) {
    try {
      return await report(error, running(), argv, terminal);
    } catch (second) {
      // Nobody listens any more; there is nothing to say and nobody to say it to.
      if (second instanceof Deno.errors.BrokenPipe) return exit.done.code;
      throw second;
    }
  }
}

/**
 * Makes the commands write to the terminal, throw instead of exiting, and take
 * over `--color` and `--quiet` as soon as they are met.
 *
 * @returns Which command was running.
 */
function prepare(root: Command, terminal: Terminal): () => Command {
  let running = root;
  const all = (command: Command) => {
    command.exitOverride().showSuggestionAfterError(false).configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      outputError: () => {},
      getOutHasColors: () => terminal.colour,
      getErrHasColors: () => terminal.errColour,
      getOutHelpWidth: () => terminal.outIsTerminal ? terminal.columns : 80,
      getErrHelpWidth: () => terminal.errIsTerminal ? terminal.columns : 80,
      stripColor: plain,
    });
    const take = () => terminal.configure(command.opts());
    command.on("option:color", take).on("option:quiet", take);
    command.hook("preSubcommand", (_, sub) => {
      running = sub;
    });
    command.commands.forEach(all);
  };
  all(root);
  return () => running;
}

/**
 * Ties the value of an option that may go without one to its `=`, as in
 * `--symbols=sched_*`: the word after a bare `--symbols` is the image.
 */
export function bindOptionalValues(root: Command, argv: readonly string[]): string[] {
  const options = [root, ...root.commands].flatMap((command) => [...command.options]);
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") return [...words, ...argv.slice(i)];
    const option = options.find((o) => o.long === word || o.short === word);
    words.push(option?.optional ? `${option.long}=` : word);
    // The next word belongs to this option, whatever it looks like.
    const next = argv[i + 1];
    if (option?.required && next !== undefined) {
      words.push(next);
      i++;
    }
  }
  return words;
}

async function report(
  error: unknown,
  command: Command,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  if (error instanceof Deno.errors.BrokenPipe) return exit.done.code;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) {
      terminal.flush();
      return exit.done.code;
    }
    // Called without a subcommand: the help has been shown in place of a message.
    if (error.code === "commander.help") return exit.usage.code;
  }
  const known = await explain(error, command);
  const paint = styles(terminal.errColour);
  const say = (message: string, hints: readonly string[]) => {
    terminal.err(
      [`${paint.bad(`${fullName(command)}:`)} ${printable(message)}`]
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
    `  the command   ${fullName(command)} ${argv.map(quote).join(" ")}`,
    `  the version   zeropage ${version}, Deno ${Deno.version.deno}, ${Deno.build.target}`,
    "  the file, or where to get it, or at least its first 4 KiB (head -c 4096 FILE)",
    debug ? "  and this" : "  and what the same command prints with --debug",
  ]);
  if (debug) terminal.err(`${printable(trace(error))}\n`);
  return exit.bug.code;
}

/** The error in the user's words, or undefined for a bug of ours. */
async function explain(error: unknown, command: Command): Promise<CommandError | undefined> {
  if (error instanceof CommandError) return error;
  if (error instanceof CommanderError) return explainWords(error, command);
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

/** Commander's complaint about the words, in our form. */
function explainWords(error: CommanderError, command: Command): CommandError {
  const text = error.message.replace(/^error: /, "");
  const named = /'(.*?)'/s.exec(text)?.[1] ?? "";
  const help = `Try "${fullName(command)} --help".`;
  switch (error.code) {
    case "commander.unknownOption": {
      const [flag = named] = named.split("=");
      const option = command.options.find((o) => o.long === flag);
      if (option) return new UsageError(`${flag} takes no value`, [help]);
      const near = suggestion(
        flag,
        command.options.flatMap((o) => o.long && !o.hidden ? [o.long] : []),
      );
      return new UsageError(`unknown option "${flag}"`, [
        near === undefined ? help : `Did you mean "${near}"?`,
      ]);
    }
    case "commander.unknownCommand":
      return unknownName("command", named, command.commands.map((sub) => sub.name()));
    case "commander.missingArgument":
      return new UsageError(`${named.toUpperCase()} is missing`, [help]);
    case "commander.optionMissingArgument": {
      const option = command.options.find((o) => o.flags === named);
      const value = /<(.+)>/.exec(named)?.[1]?.toUpperCase() ?? "a value";
      return new UsageError(`${option?.long ?? named} needs ${value}`, [help]);
    }
    case "commander.excessArguments":
      return new UsageError(`too many arguments: ${text.replace(/^.*?: |\.$/gs, "")}`, [help]);
    default:
      return new UsageError(text.replaceAll("'", '"').replace(/\.$/, ""), [help]);
  }
}

function trace(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** The word as a shell wants it. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
