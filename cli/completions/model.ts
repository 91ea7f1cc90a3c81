/**
 * The commands as completion sees them: names, options, and what kind of value
 * an option takes.
 *
 * @module
 */

import type { CommandUnknownOpts } from "@commander-js/extra-typings";
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

/** Names of values in the flags of program.ts, and what they stand for. */
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
  file: { kind: "file" },
  pattern: { kind: "anything" },
  cmdline: { kind: "anything" },
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

const programs: Readonly<Record<string, string>> = {
  info: "bootinfo",
  run: "bootrun",
  diff: "bootdiff",
};

/** Reads the commands below `zeropage` off its tables. */
export function commandsOf(root: CommandUnknownOpts): CompletedCommand[] {
  return root.commands.map((command) => {
    const name = command.name();
    const helper = command.createHelp();
    const options = helper.visibleOptions(command).flatMap((option): CompletedOption[] => {
      const { short, long, description } = option;
      if (!long) return [];
      const value = /[<[](.+)[>\]]/.exec(option.flags)?.[1];
      return [{
        ...short && { short },
        long,
        doc: description,
        repeats: /repeated/.test(description) || value === "path",
        ...value !== undefined && {
          value: {
            name: value,
            offer: offers[value] ?? { kind: "anything" },
            optional: option.optional,
          },
        },
      }];
    });
    return {
      name,
      ...programs[name] !== undefined && { program: programs[name] },
      doc: command.description(),
      options,
      arguments: name === "completions"
        ? { kind: "words" as const, of: "shells" as const }
        : { kind: "file" as const },
    };
  });
}

/** The words of an offer; empty where there is no list of them. */
export function wordsOf(offer: Offer, words: Vocabulary): readonly string[] {
  if (offer.kind === "choice") return offer.from;
  return "of" in offer ? words[offer.of] : [];
}
