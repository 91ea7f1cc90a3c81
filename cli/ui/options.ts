/**
 * Words into options and arguments, by a command's table and GNU's conventions.
 *
 * - `--name value`, `--name=value`, `-n value`, `-nvalue`; `-aq` is `-a -q`.
 * - Options may stand among the arguments; behind `--` all is arguments, and
 *   `-` alone is one.
 * - The word behind an option that needs a value is that value, whatever it
 *   looks like. A value that may be left out is tied by `=`, so that the image
 *   behind a bare `--symbols` stays an image.
 * - Given twice, an option's last value counts, so that what an alias says can
 *   be overruled; options that may be repeated gather their values.
 * - Long names are typed in full: a script must not break over a new option.
 *   What was begun or mistyped is answered with what may have been meant.
 * - The first of `--help` and `--version` ends the reading.
 *
 * @module
 */

import {
  type ArgumentRow,
  type Command,
  type CommandTable,
  isNegated,
  keyOf,
  type LongName,
  type OptionRow,
  placed,
} from "./command.ts";
import { unknownName, UsageError } from "./errors.ts";
import { suggestion } from "./suggest.ts";

/** How far the reading has come. */
export interface Place {
  /** The command whose words are being read. */
  readonly command: Command;
  /** The command as it is typed: `bootinfo`, `zeropage info`. */
  readonly name: string;
  /** The options read so far. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** All that the words say. */
export interface Wanted extends Place {
  /** The arguments, as the table orders them. */
  readonly arguments: readonly unknown[];
  /** What is to be shown instead of doing the work. */
  readonly ends?: "help" | "version";
}

/**
 * Reads the words after the program's name.
 *
 * @param onPlace Is told of each command entered and each option read, so that
 *   a message about a later word knows them.
 * @throws {UsageError} And nothing else, whatever the words.
 */
export function parseWords(
  root: Command,
  argv: readonly string[],
  onPlace: (place: Place) => void = () => {},
): Wanted {
  return parse({ command: root, name: root.table.name, options: {} }, argv, onPlace);
}

function parse(start: Place, argv: readonly string[], onPlace: (place: Place) => void): Wanted {
  const { command, name } = start;
  const { table } = command;
  const known = optionsByName(table);
  const options: Record<string, unknown> = Object.fromEntries(
    placed(table).filter(({ long }) => isNegated(long)).map(({ long }) => [keyOf(long), true]),
  );
  const place = { command, name, options };
  const help = `Try "${name} --help".`;
  const words: string[] = [];
  const rest = [...argv].reverse();
  onPlace(place);

  for (let word = rest.pop(); word !== undefined; word = rest.pop()) {
    if (word === "--") {
      words.push(...rest.reverse());
      break;
    }
    if (word === "-" || !word.startsWith("-")) {
      words.push(word);
      // What follows a command's name is that command's.
      if (table.commands) words.push(...rest.splice(0).reverse());
      continue;
    }
    for (const { flag, value } of optionsIn(word, known)) {
      const option = known.get(flag);
      if (!option) {
        if (!table.takesAnything) throw unknownOption(word, flag, table, help);
        words.push(word);
        break;
      }
      const { long, row } = option;
      if (row.value === undefined && value !== undefined) {
        throw new UsageError(`${long} takes no value`, [help]);
      }
      if (row.ends) return { ...place, arguments: [], ends: row.ends };
      if (row.value === undefined) options[keyOf(long)] = !isNegated(long);
      else {
        const text = value ?? (row.optional ? "" : rest.pop());
        if (text === undefined) throw needsValue(long, row.value, help);
        store(options, long, row, text, help);
      }
      onPlace(place);
    }
  }

  if (table.commands && words.length > 0) {
    const [first = "", ...others] = words;
    const below = Object.hasOwn(table.commands, first) ? table.commands[first] : undefined;
    if (!below) throw unknownName("command", first, Object.keys(table.commands));
    return parse({ command: below, name: `${name} ${first}`, options }, others, onPlace);
  }
  const args = bind(table.arguments, words, help);
  checkRelations(table, options);
  return { ...place, arguments: args };
}

interface Known {
  readonly long: LongName;
  readonly row: OptionRow;
}

/** The options by their short and long names. */
function optionsByName(table: CommandTable): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const option of placed(table)) {
    known.set(option.long, option);
    if (option.row.short) known.set(option.row.short, option);
  }
  return known;
}

/** The options of one word, with the value that is tied to the last. */
function* optionsIn(
  word: string,
  known: ReadonlyMap<string, Known>,
): Generator<{ readonly flag: string; readonly value?: string }> {
  if (word.startsWith("--")) {
    const at = word.indexOf("=");
    yield at < 0 ? { flag: word } : { flag: word.slice(0, at), value: word.slice(at + 1) };
    return;
  }
  // By characters, not by halves of them.
  const letters = [...word.slice(1)];
  for (const [i, letter] of letters.entries()) {
    const flag = letter === "-" ? word : `-${letter}`;
    const row = known.get(flag)?.row;
    const takesRest = row?.value !== undefined && !row.optional;
    if (takesRest && i + 1 < letters.length) {
      yield { flag, value: letters.slice(i + 1).join("") };
      return;
    }
    if (row && letters[i + 1] === "=") {
      yield { flag, value: letters.slice(i + 2).join("") };
      return;
    }
    yield { flag };
  }
}

function store(
  options: Record<string, unknown>,
  long: LongName,
  { value = "", parse = (text) => text, repeats, optional }: OptionRow,
  text: string,
  help: string,
): void {
  const key = keyOf(long);
  if (optional && text === "") {
    options[key] = true;
    return;
  }
  const parsed = parse(text);
  if (!repeats) {
    options[key] = parsed;
    return;
  }
  const items = [parsed].flat();
  if (items.length === 0) throw needsValue(long, value, help);
  options[key] = [options[key] ?? [], items].flat();
}

/** The words as the arguments they are. */
function bind(rows: readonly ArgumentRow[], words: readonly string[], help: string): unknown[] {
  const takesAll = rows.at(-1)?.many === true;
  if (!takesAll && words.length > rows.length) {
    throw new UsageError(`too many arguments: ${words.join(", ")}`, [help]);
  }
  return rows.map(({ name, optional, many, parse = (text: string): unknown => text }, i) => {
    const word = words[i];
    if (word === undefined && !optional) {
      throw new UsageError(`${name.toUpperCase()} is missing`, [help]);
    }
    if (many) return words.slice(i).map(parse);
    return word === undefined ? undefined : parse(word);
  });
}

/** Holds that options stand beside those that they go with, and not beside those they exclude. */
function checkRelations(table: CommandTable, options: Readonly<Record<string, unknown>>): void {
  const given = (long: LongName) =>
    options[keyOf(long)] !== undefined && (!isNegated(long) || options[keyOf(long)] === false);
  for (const { long, row: { goesWith, excludes } } of placed(table)) {
    if (!given(long)) continue;
    if (goesWith && !given(goesWith)) throw new UsageError(`${long} goes with ${goesWith}`);
    if (excludes && given(excludes)) {
      throw new UsageError(`${long} and ${excludes} exclude each other`);
    }
  }
}

function needsValue(long: LongName, value: string, help: string): UsageError {
  return new UsageError(`${long} needs ${value.toUpperCase()}`, [help]);
}

function unknownOption(word: string, flag: string, table: CommandTable, help: string): UsageError {
  const names = placed(table).filter(({ row }) => !row.hidden).map(({ long }) => long);
  // A single dash before a long name is as likely a slip as a wrong letter.
  const near = flag.startsWith("--")
    ? suggestion(flag, names)
    : word.length > 2
    ? suggestion(`-${word}`, names)
    : undefined;
  return new UsageError(`unknown option "${flag}"`, [
    near === undefined ? help : `Did you mean "${near}"?`,
  ]);
}
