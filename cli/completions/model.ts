/**
 * The commands as completion sees them: names, options, and what kind of value
 * an option takes.
 *
 * @module
 */

import { type Command, placed } from "../ui/command.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What can be offered for a value. */
export type Offer =
  | { readonly kind: "words"; readonly of: keyof Vocabulary }
  /** Several words with commas between them. */
  | { readonly kind: "list"; readonly of: keyof Vocabulary }
  /** `FIELD=`, then whatever the user has in mind. */
  | { readonly kind: "assignment"; readonly of: keyof Vocabulary }
  | { readonly kind: "choice"; readonly from: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "anything" };

/** Names of values and arguments in the tables of program.ts, and what they stand for. */
export const offers: Readonly<Record<string, Offer>> = {
  section: { kind: "words", of: "sections" },
  path: { kind: "words", of: "fields" },
  platform: { kind: "words", of: "platforms" },
  loader: { kind: "words", of: "loaders" },
  loaders: { kind: "list", of: "loaders" },
  part: { kind: "words", of: "parts" },
  struct: { kind: "words", of: "structs" },
  "field=value": { kind: "assignment", of: "settable" },
  when: { kind: "choice", from: ["auto", "always", "never"] },
  size: { kind: "choice", from: ["64M", "128M", "256M", "512M", "1G", "2G", "4G"] },
  entry: { kind: "choice", from: ["auto", "real", "32", "64", "direct"] },
  cpu: { kind: "choice", from: ["486", "pentium", "686", "pentium3", "x86-64", "x86-64-v2"] },
  what: { kind: "choice", from: ["branches", "instructions", "events"] },
  where: { kind: "choice", from: ["start_kernel", "kernel_init", "panic"] },
  shell: { kind: "words", of: "shells" },
  file: { kind: "file" },
  pattern: { kind: "anything" },
  cmdline: { kind: "anything" },
  regex: { kind: "anything" },
  count: { kind: "anything" },
  time: { kind: "anything" },
  seed: { kind: "anything" },
};

/** One option. */
export interface CompletedOption {
  /** `-o`, if it has a short form. */
  readonly short?: string;
  /** `--output`. */
  readonly long: string;
  /** What it does. */
  readonly doc: string;
  /** Whether it may be given again. */
  readonly repeats: boolean;
  /** What follows it, if anything does. */
  readonly value?: {
    readonly name: string;
    readonly offer: Offer;
    /** Whether it may be left out, and is then tied by `=`. */
    readonly optional: boolean;
  };
}

/** One command. */
export interface CompletedCommand {
  /** Its name below `zeropage`: `info`. */
  readonly name: string;
  /** Its own program, if it has one: `bootinfo`. */
  readonly program?: string;
  /** What it does. */
  readonly doc: string;
  /** Its options, hidden ones left out. */
  readonly options: readonly CompletedOption[];
  /** What its arguments are. */
  readonly arguments: Offer;
}

/** Reads the commands below `zeropage` off its tables. */
export function commandsOf({ table }: Command): CompletedCommand[] {
  return Object.entries(table.commands ?? {}).map(([name, { table }]): CompletedCommand => ({
    name,
    ...table.name !== name && { program: table.name },
    doc: table.doc,
    options: placed(table).filter(({ row }) => !row.hidden).map(({ long, row }) => ({
      ...row.short && { short: row.short },
      long,
      doc: row.doc,
      repeats: row.repeats === true,
      ...row.value !== undefined && {
        value: {
          name: row.value,
          offer: offers[row.value] ?? { kind: "anything" },
          optional: row.optional === true,
        },
      },
    })),
    // Most commands are about files.
    arguments: offers[table.arguments[0]?.name ?? ""] ?? { kind: "file" },
  }));
}

/** The words of an offer; empty where there is no list of them. */
export function wordsOf(offer: Offer, words: Vocabulary): readonly string[] {
  if (offer.kind === "choice") return offer.from;
  return "of" in offer ? words[offer.of] : [];
}
