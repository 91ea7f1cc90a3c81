/**
 * Completion for bash, from 3.2 on, with or without the bash-completion package.
 *
 * @module
 */

import type { CompletedCommand, CompletedOption, Offer } from "./model.ts";
import { wordsOf } from "./model.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A word in single quotes. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The line that fills COMPREPLY for a value. */
function reply(offer: Offer, words: Vocabulary): string {
  const list = quote(wordsOf(offer, words).join(" "));
  switch (offer.kind) {
    case "words":
    case "choice":
      return `_zeropage_reply ${list}`;
    case "list":
      return `_zeropage_list ${list}`;
    case "assignment":
      return `_zeropage_reply ${list} =`;
    default:
      // An empty reply is completed as a file name, by the -o default below.
      return ":";
  }
}

/** The options that stand for a value, as a pattern of `case`. */
function cases(name: string, options: readonly CompletedOption[], words: Vocabulary): string[] {
  return options.flatMap((option) => {
    if (!option.value || option.value.optional) return [];
    const flags = [option.short, option.long].filter((flag) => flag !== undefined);
    const pattern = flags.map((flag) => `${name}${flag}`).join("|");
    return [`    ${pattern}) ${reply(option.value.offer, words)}; return ;;`];
  });
}

/** The script. */
export function bash(commands: readonly CompletedCommand[], words: Vocabulary): string {
  const names = commands.map(({ name }) => name);
  const programs = ["zeropage", ...commands.flatMap(({ program }) => program ?? [])];
  const flags = ({ options }: CompletedCommand) =>
    options.flatMap(({ short, long, value }) => [
      ...short ? [short] : [],
      long,
      ...value?.optional ? [`${long}=`] : [],
    ]).join(" ");
  return `# Completion of ${programs.join(", ")} for bash.
# Made by: zeropage completions bash

# Words that begin with what is typed, with a suffix if there is one.
_zeropage_reply() {
  local word words
  COMPREPLY=()
  # Split without looking for files that a "[0]" might match.
  IFS=' ' read -r -a words <<< "$1"
  for word in "\${words[@]}"; do
    [[ $word$2 == "$cur"* ]] && COMPREPLY+=("$word$2")
  done
  # After "=" comes the value, at once.
  [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}

# The same behind the last comma.
_zeropage_list() {
  local before=
  [[ $cur == *,* ]] && before=\${cur%,*},
  cur=\${cur##*,}
  _zeropage_reply "$1"
  COMPREPLY=("\${COMPREPLY[@]/#/$before}")
}

_zeropage() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev= command= i
  ((COMP_CWORD > 0)) && prev=\${COMP_WORDS[COMP_CWORD - 1]}
  # "=" stands alone among the words: look for the option before it.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case \${COMP_WORDS[0]##*/} in
${
    commands.filter((c) => c.program)
      .map(({ name, program }) => `    ${program}) command=${name} ;;`).join("\n")
  }
    *)
      for ((i = 1; i < COMP_CWORD; i++)); do
        case \${COMP_WORDS[i]} in
          ${names.join("|")}) command=\${COMP_WORDS[i]}; break ;;
        esac
      done
      ;;
  esac
  COMPREPLY=()
  case $command$prev in
${commands.flatMap((c) => cases(c.name, c.options, words)).join("\n")}
  esac
  case $command in
    '')
      if [[ $cur == -* ]]; then
        _zeropage_reply '--help --version'
      else
        _zeropage_reply ${quote(names.join(" "))}
      fi
      ;;
${
    commands.map((c) =>
      [
        `    ${c.name})`,
        `      if [[ $cur == -* ]]; then`,
        `        _zeropage_reply ${quote(flags(c))}`,
        ...c.arguments.kind === "file"
          ? []
          : ["      else", `        ${reply(c.arguments, words)}`],
        "      fi",
        "      ;;",
      ].join("\n")
    ).join("\n")
  }
  esac
}

complete -o default -F _zeropage ${programs.join(" ")}
`;
}
