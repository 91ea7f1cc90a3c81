/**
 * Completion for fish, from 3.0 on.
 *
 * @module
 */

import { type CompletedCommand, type CompletedOption, wordsOf } from "./model.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A word in single quotes, in which fish takes only `\` and `'` for special. */
const quote = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;

/** What follows an option: `-x` a word of a list, `-r` anything, files included. */
function value({ value }: CompletedOption, words: Vocabulary): string {
  if (!value || value.optional) return "";
  const list = wordsOf(value.offer, words);
  switch (value.offer.kind) {
    case "words":
    case "choice":
      return ` -x -a ${quote(list.join(" "))}`;
    case "assignment":
      return ` -x -a ${quote(list.map((word) => `${word}=`).join(" "))}`;
    case "list":
      // The words again behind each comma.
      return ` -x -a ${quote(`(__fish_append , ${list.join(" ")})`)}`;
    case "file":
      return " -r -F";
    case "anything":
      return " -x";
  }
}

/** The script. */
export function fish(commands: readonly CompletedCommand[], words: Vocabulary): string {
  const programs = ["zeropage", ...commands.flatMap(({ program }) => program ?? [])];
  const lines: string[] = [];
  for (const { name, program, options, arguments: offer } of commands) {
    const targets = [
      `-c zeropage -n '__fish_seen_subcommand_from ${name}'`,
      ...program ? [`-c ${program}`] : [],
    ];
    for (const target of targets) {
      for (const option of options) {
        const short = option.short ? ` -s ${option.short.slice(1)}` : "";
        lines.push(
          `complete ${target}${short} -l ${option.long.slice(2)}` +
            `${value(option, words)} -d ${quote(option.doc)}`,
        );
      }
      if (offer.kind !== "file") {
        lines.push(`complete ${target} -f -a ${quote(wordsOf(offer, words).join(" "))}`);
      }
    }
  }
  return `# Completion of ${programs.join(", ")} for fish.
# Made by: zeropage completions fish

${
    commands.map(({ name, doc }) =>
      `complete -c zeropage -n __fish_use_subcommand -f -a ${name} -d ${quote(doc)}`
    ).join("\n")
  }
complete -c zeropage -n __fish_use_subcommand -s h -l help -d 'help'
complete -c zeropage -n __fish_use_subcommand -s V -l version -d 'name and version'

${lines.join("\n")}
`;
}
