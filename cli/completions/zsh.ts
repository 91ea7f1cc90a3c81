/**
 * Completion for zsh, as a function file for its `fpath` or to be sourced.
 *
 * @module
 */

import type { CompletedCommand, CompletedOption, Offer } from "./model.ts";
import type { Vocabulary } from "./vocabulary.ts";

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Text within a specification of `_arguments`, where these characters mean something. */
const escape = (text: string) => text.replace(/[\\:[\]]/g, "\\$&");

/** What completes a value. */
function action(offer: Offer): string {
  switch (offer.kind) {
    case "words":
    case "assignment":
      return `_zeropage_${offer.of}`;
    case "list":
      return `_sequence _zeropage_${offer.of}`;
    case "choice":
      return `(${offer.from.join(" ")})`;
    case "file":
      return "_files";
    case "anything":
      return " ";
  }
}

/** The specifications of one option. */
function specifications({ short, long, doc, repeats, value }: CompletedOption): string[] {
  const forms = [short, long].filter((form) => form !== undefined);
  const before = repeats ? "*" : `(${forms.join(" ")})`;
  return forms.map((form) => {
    // "=-": the value is tied to the option; "=": tied to it or the next word.
    const tie = !value ? "" : value.optional ? "=-" : form.startsWith("--") ? "=" : "+";
    const message = value
      ? `:${value.optional ? ":" : ""}${escape(value.name)}:${action(value.offer)}`
      : "";
    return quote(`${before}${form}${tie}[${escape(doc)}]${message}`);
  });
}

/** The script. */
export function zsh(commands: readonly CompletedCommand[], words: Vocabulary): string {
  const programs = ["zeropage", ...commands.flatMap(({ program }) => program ?? [])];
  const lists = (Object.keys(words) as (keyof Vocabulary)[]).map((name) =>
    [
      `_zeropage_${name}() {`,
      `  compadd ${name === "settable" ? "-S = " : ""}"$@" -- \\`,
      ...words[name].map((word, i, all) => `    ${quote(word)}${i < all.length - 1 ? " \\" : ""}`),
      "}",
    ].join("\n")
  );
  const bodies = commands.map(({ name, options, arguments: offer }) =>
    [
      `_zeropage_command_${name}() {`,
      "  _arguments -s -S \\",
      ...options.flatMap(specifications).map((specification) => `    ${specification} \\`),
      `    ${quote(`*:${offer.kind === "file" ? "file" : "word"}:${action(offer)}`)}`,
      "}",
    ].join("\n")
  );
  return `#compdef ${programs.join(" ")}
# Completion of ${programs.join(", ")} for zsh.
# Made by: zeropage completions zsh

${lists.join("\n\n")}

${bodies.join("\n\n")}

_zeropage_commands() {
  local -a commands=(
${commands.map(({ name, doc }) => `    ${quote(`${name}:${doc}`)}`).join("\n")}
  )
  _describe command commands
}

_zeropage() {
  local curcontext=$curcontext state line
  case $service in
${
    commands.filter((c) => c.program)
      .map(({ name, program }) => `    ${program}) _zeropage_command_${name}; return ;;`).join("\n")
  }
  esac
  _arguments -C \\
    '(- *)'{-h,--help}'[help]' \\
    '(- *)'{-V,--version}'[name and version]' \\
    '1:command:_zeropage_commands' \\
    '*::argument:->argument' && return
  [[ $state == argument && -n $functions[_zeropage_command_$line[1]] ]] &&
    _zeropage_command_$line[1]
}

# Sourced or loaded as a function: both work.
if [[ $funcstack[1] == _zeropage ]]; then
  _zeropage "$@"
elif (( $+functions[compdef] )); then
  compdef _zeropage ${programs.join(" ")}
fi
`;
}
