/**
 * Help that fits on a screen: what the command does, two real commands, the
 * options, the exit codes.
 *
 * @module
 */

import type { CommandUnknownOpts as Command, Help, Option } from "@commander-js/extra-typings";
import { styles } from "./style.ts";
import { pad, visibleWidth, wrap } from "./text.ts";

/** What help says beside the options. */
export interface HelpText {
  /** Real commands, less the program's name. */
  readonly examples: readonly string[];
  /** Lines in place of examples, where the program's name would mislead. */
  readonly before?: readonly string[];
  /** The last line. */
  readonly exitCodes: string;
}

/** The command as it is typed: `bootinfo`, `zeropage info`. */
export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** `--output <file>` as people write it: `-o, --output FILE`. */
function term(option: Option): string {
  const value = /[<[](.+)[>\]]/.exec(option.flags)?.[1]?.toUpperCase();
  const long = `${option.long}${
    value === undefined ? "" : option.optional ? `[=${value}]` : ` ${value}`
  }`;
  return option.short ? `${option.short}, ${long}` : `    ${long}`;
}

/** Gives a command its help. */
export function withHelp(command: Command, text: HelpText): Command {
  return command.configureHelp({
    formatHelp: (_, helper) => format(command, helper, text),
  });
}

function format(command: Command, helper: Help, text: HelpText): string {
  const width = Math.min(helper.helpWidth ?? 80, 100);
  // Commander takes the colours away again where they are not wanted.
  const paint = styles(true);
  const name = fullName(command);
  const lines = [
    `${paint.title(name)}: ${command.description()}`,
    "",
    ...text.before ?? text.examples.map((example) => `  ${name} ${example}`),
    "",
    `Usage: ${name} ${command.usage()}`,
  ];
  const entries = (heading: string, items: readonly (readonly [string, string])[]) => {
    if (items.length === 0) return;
    lines.push(paint.title(heading));
    const room = width - termWidth - 4;
    for (const [left, right] of items) {
      const [first = "", ...more] = wrap(right, room);
      lines.push(`  ${paint.name(pad(left, termWidth))}  ${first}`);
      for (const line of more) lines.push(" ".repeat(termWidth + 4) + line);
    }
  };
  const commands = helper.visibleCommands(command)
    .map((sub) => [sub.name(), helper.subcommandDescription(sub)] as const);
  const options = helper.visibleOptions(command);
  const terms = [...commands.map(([name]) => name), ...options.map(term)];
  const termWidth = Math.max(0, ...terms.map(visibleWidth));
  entries("Commands", commands);
  const groups = helper.groupItems([...command.options], options, (o) => o.helpGroupHeading ?? "");
  for (const [heading, members] of groups) {
    entries(heading || "Options", members.map((option) => [term(option), option.description]));
  }
  lines.push(...wrap(`Exit codes: ${text.exitCodes}`, width));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}
