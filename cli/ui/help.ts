/**
 * Help that fits on a screen: what the command does, two real commands, the
 * options, the exit codes.
 *
 * @module
 */

import { type CommandTable, type Placed, placed } from "./command.ts";
import { styles } from "./style.ts";
import { pad, visibleWidth, wrap } from "./text.ts";

/** Where help is shown. */
export interface HelpPage {
  /** Cells in a line; beyond 100 a line is hard to read, and no more are used. */
  readonly width: number;
  /** Whether it takes colour. */
  readonly colour: boolean;
}

/** `--output` as people write it: `-o, --output FILE`. */
function term({ long, row: { short, value, optional } }: Placed): string {
  const name = value?.toUpperCase();
  const tail = name === undefined ? "" : optional ? `[=${name}]` : ` ${name}`;
  return `${short ? `${short}, ` : "    "}${long}${tail}`;
}

/**
 * The help of a command.
 *
 * @param name The command as it is typed: `bootinfo`, `zeropage info`.
 */
export function showHelp(name: string, table: CommandTable, page: HelpPage): string {
  const width = Math.min(page.width, 100);
  const paint = styles(page.colour);
  const commands = Object.entries(table.commands ?? {})
    .map(([name, { table }]) => [name, table.doc] as const);
  const options = placed(table).filter(({ row }) => !row.hidden);
  const groups = Map.groupBy(options, ({ group }) => group);
  const termWidth = Math.max(
    ...[...commands.map(([name]) => name), ...options.map(term)].map(visibleWidth),
  );
  const room = width - termWidth - 4;
  const section = (heading: string, items: readonly (readonly [term: string, doc: string])[]) => [
    paint.title(heading),
    ...items.flatMap(([left, right]) => {
      const [first = "", ...more] = wrap(right, room);
      return [
        `  ${paint.name(pad(left, termWidth))}  ${first}`,
        ...more.map((line) => " ".repeat(termWidth + 4) + line),
      ];
    }),
  ];
  return [
    `${paint.title(name)}: ${table.doc}`,
    "",
    ...table.instead ?? table.examples.map((example) => `  ${name} ${example}`),
    "",
    `Usage: ${name} ${table.usage}`,
    ...commands.length > 0 ? section("Commands", commands) : [],
    ...[...groups].flatMap(([heading, members]) =>
      section(heading, members.map((option) => [term(option), option.row.doc]))
    ),
    ...wrap(`Exit codes: ${table.exitCodes}`, width),
  ].map((line) => `${line.trimEnd()}\n`).join("");
}
