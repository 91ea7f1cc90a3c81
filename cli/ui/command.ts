/**
 * What a command is: a table of its options and arguments, and its work.
 *
 * Parsing (options.ts), help (help.ts), completions, suggestions and the types
 * of what a command's work is given are all read off the table, so that they
 * cannot disagree. An option stands in it by the name that users type:
 *
 * ```ts ignore
 * "--output": { short: "-o", value: "file", doc: "where results go" },
 * ```
 *
 * @module
 */

import type { Terminal } from "./terminal.ts";

/** An option's long name, as typed. `--no-payload` makes `payload` false. */
export type LongName = `--${string}`;

/** One option. */
export interface OptionRow {
  /** What it does, in a few words. */
  readonly doc: string;
  /** Its short form, as typed: `-o`. */
  readonly short?: `-${string}`;
  /**
   * Name of its value, which also tells completion what to offer; without one
   * the option takes no value, and is true when given.
   */
  readonly value?: string;
  /** Makes the value of the word, or throws a `UsageError`; default the word itself. */
  readonly parse?: (text: string) => unknown;
  /** The value may be left out; it is tied by `=`, and true where it is left out. */
  readonly optional?: true;
  /** May be given again: the values, and lists of values, become one list. */
  readonly repeats?: true;
  /** Means nothing without this one. */
  readonly goesWith?: LongName;
  /** Contradicts this one. */
  readonly excludes?: LongName;
  /** Neither in the help nor in completions. */
  readonly hidden?: true;
  /** Shows this instead of doing the command's work; the words behind it are not looked at. */
  readonly ends?: "help" | "version";
}

/** Options by long name, under the headings they have in the help. */
export type OptionGroups = Readonly<Record<string, Readonly<Record<LongName, OptionRow>>>>;

/** One argument. */
export interface ArgumentRow {
  /** What it is; in capitals where the user reads it. */
  readonly name: string;
  /** May be left out. */
  readonly optional?: true;
  /** Takes all words that are left; only the last may. */
  readonly many?: true;
  /** Makes the value of the word, or throws a `UsageError`; default the word itself. */
  readonly parse?: (text: string) => unknown;
}

/** All that is said of a command. */
export interface CommandTable {
  /** The program it is. Below `zeropage` it goes by its name among the commands there. */
  readonly name: string;
  /** What it does. */
  readonly doc: string;
  /** How it is called, less its name. */
  readonly usage: string;
  /** Real commands, less the program's name. */
  readonly examples: readonly string[];
  /** Lines of help in place of examples, where the program's name would mislead. */
  readonly instead?: readonly string[];
  /** The last line of the help. */
  readonly exitCodes: string;
  /** Its arguments, in order. */
  readonly arguments: readonly ArgumentRow[];
  /** Its options. */
  readonly options: OptionGroups;
  /** Takes options it does not know for arguments. */
  readonly takesAnything?: true;
  /** Commands below it, by name; the first argument is one of them. */
  readonly commands?: Readonly<Record<string, Command>>;
}

/** A table with the work that is done. Methods, so that each may ask for its own options. */
export interface Command {
  /** What is said of it. */
  readonly table: CommandTable;
  /** Does the work; comes to the exit code. */
  run(terminal: Terminal, args: unknown, options: unknown): Promise<number>;
}

/** Ties the work to its table, whose types it is given. */
export function command<const T extends CommandTable>(
  table: T,
  run: (
    terminal: Terminal,
    args: ArgumentsOf<T>,
    options: OptionsOf<T>,
  ) => Promise<number>,
): Command {
  return { table, run };
}

/** One option with where it stands. */
export interface Placed {
  /** Its heading in the help. */
  readonly group: string;
  /** `--zero-page`. */
  readonly long: LongName;
  /** The rest. */
  readonly row: OptionRow;
}

/** A table's options in the order of the help, hidden ones as well. */
export function placed(table: CommandTable): Placed[] {
  return Object.entries(table.options).flatMap(([group, rows]) =>
    (Object.entries(rows) as [LongName, OptionRow][]).map(([long, row]) => ({ group, long, row }))
  );
}

/** The name by which a command's work knows an option: `--zero-page` is `zeroPage`. */
export function keyOf(long: LongName): string {
  return long.replace(/^--(no-)?/, "").replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

/** Whether the option says that something is not to be. */
export function isNegated(long: LongName): boolean {
  return long.startsWith("--no-");
}

type Camel<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<Camel<B>>}`
  : S;

type Longs<G> = { [N in keyof G]: keyof G[N] }[keyof G];

type RowOf<G, K> = { [N in keyof G]: K extends keyof G[N] ? G[N][K] : never }[keyof G];

type Parsed<R> = R extends { readonly parse: (text: string) => infer T } ? T : string;

type Item<T> = T extends readonly (infer E)[] ? E : T;

type ValueOf<R> = R extends { readonly value: string }
  ? R extends { readonly repeats: true } ? readonly Item<Parsed<R>>[]
  : R extends { readonly optional: true } ? Parsed<R> | true
  : Parsed<R>
  : true;

type KeyOf<R, K> = R extends { readonly ends: string } ? never
  : K extends `--no-${string}` ? never
  : K extends `--${infer Name}` ? Camel<Name>
  : never;

/** What a command's work is given of its options; those not given are absent. */
export type OptionsOf<T extends { readonly options: OptionGroups }> =
  & {
    readonly [K in Longs<T["options"]> as KeyOf<RowOf<T["options"], K>, K>]?:
      | ValueOf<RowOf<T["options"], K>>
      | undefined;
  }
  & {
    readonly [
      K in Longs<T["options"]> as K extends `--no-${infer Name}` ? Camel<Name> : never
    ]: boolean;
  };

type ArgumentOf<R> = R extends { readonly many: true } ? readonly Parsed<R>[]
  : R extends { readonly optional: true } ? Parsed<R> | undefined
  : Parsed<R>;

type ArgumentValues<A extends readonly ArgumentRow[]> = {
  readonly [I in keyof A]: ArgumentOf<A[I]>;
};

/** What a command's work is given of its arguments. */
export type ArgumentsOf<T extends { readonly arguments: readonly ArgumentRow[] }> = ArgumentValues<
  T["arguments"]
>;
