import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ArgumentsOf,
  type Command,
  command,
  type CommandTable,
  keyOf,
  type OptionRow,
  type OptionsOf,
  placed,
} from "./command.ts";
import { UsageError } from "./errors.ts";
import { parseWords, type Place } from "./options.ts";
import { bootdiff, bootinfo, bootrun, zeropage } from "../program.ts";
import { list, oneOf, parseAssignment, parseSize } from "./values.ts";

const table = {
  name: "tool",
  doc: "a tool for tests",
  usage: "",
  examples: [],
  exitCodes: "",
  arguments: [{ name: "image", many: true }],
  options: {
    "Some": {
      "--all": { short: "-a", doc: "" },
      "--quiet": { short: "-q", doc: "" },
      "--output": { short: "-o", value: "file", doc: "" },
      "--zero-page": { doc: "" },
      "--memory": { value: "size", parse: parseSize, goesWith: "--zero-page", doc: "" },
    },
    "Others": {
      "--section": { short: "-s", value: "section", parse: list, repeats: true, doc: "" },
      "--set": { value: "field=value", parse: parseAssignment, repeats: true, doc: "" },
      "--symbols": { value: "pattern", optional: true, doc: "" },
      "--color": { value: "when", parse: oneOf("colour", ["always", "never"]), doc: "" },
      "--unified": { excludes: "--all", doc: "" },
      "--no-payload": { doc: "" },
      "--debug": { hidden: true, doc: "" },
      "--help": { short: "-h", ends: "help", doc: "" },
    },
  },
} as const satisfies CommandTable;

const tool = command(table, () => Promise.resolve(0));

/** What is read, less the option that is never absent. */
function read(...argv: string[]) {
  const { options: { payload, ...options }, arguments: [images] } = parseWords(tool, argv);
  assert.equal(payload, !argv.includes("--no-payload"));
  return { ...options, ...(images as string[]).length > 1 && { images } };
}

/** The message and its first hint. */
function complaint(root: Command, ...argv: string[]): string {
  try {
    parseWords(root, argv);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return [error.message, ...error.hints].slice(0, 2).join(" | ");
  }
  assert.fail(`${argv.join(" ")} passed`);
}

Deno.test("the table tells the compiler what the work is given", () => {
  // Compiled, not run: a wrong type would not get this far.
  const options: OptionsOf<typeof table> = {
    payload: true,
    all: true,
    zeroPage: true,
    memory: 5,
    section: ["a"],
    set: [{ field: "a", value: "b" }],
    symbols: true,
    color: "never",
  };
  const args: ArgumentsOf<typeof table> = [["a.img"]];
  // @ts-expect-error a pattern, or true
  const symbols: OptionsOf<typeof table>["symbols"] = 5;
  // @ts-expect-error there is no such option
  const help: keyof OptionsOf<typeof table> = "help";
  assert.ok(options && args && symbols && help);
});

Deno.test("a value stands in the next word, behind an equals sign, or behind the letter", () => {
  for (
    const words of [["--output", "f"], ["--output=f"], ["-o", "f"], ["-of"], ["-o", "x", "-of"]]
  ) {
    assert.deepEqual(read(...words, "i"), { output: "f" }, words.join(" "));
  }
  assert.deepEqual(read("--output=", "i"), { output: "" });
  assert.deepEqual(read("--output=a=b", "i"), { output: "a=b" });
  // The letter's rest is the value as it stands, as in every GNU tool.
  assert.deepEqual(read("-o=f", "i"), { output: "=f" });
  // What looks like an option is a value where a value must stand.
  assert.deepEqual(read("--output", "--all", "i"), { output: "--all" });
  assert.deepEqual(read("-o", "--", "i"), { output: "--" });
});

Deno.test("letters may share a dash, the last with its value", () => {
  assert.deepEqual(read("-aq", "i"), { all: true, quiet: true });
  assert.deepEqual(read("-qof", "i"), { quiet: true, output: "f" });
  assert.deepEqual(read("-qao", "f", "i"), { quiet: true, all: true, output: "f" });
});

Deno.test("options stand anywhere; behind -- all is arguments, and - is one", () => {
  assert.deepEqual(read("a", "--all", "b", "-q"), { all: true, quiet: true, images: ["a", "b"] });
  assert.deepEqual(read("-a", "--", "-q", "--", "-"), { all: true, images: ["-q", "--", "-"] });
  assert.deepEqual(read("-", "", "-a"), { all: true, images: ["-", ""] });
});

Deno.test("an option that may go without a value never swallows the image", () => {
  assert.deepEqual(read("--symbols", "a", "b"), { symbols: true, images: ["a", "b"] });
  assert.deepEqual(read("--symbols=x", "a"), { symbols: "x" });
  assert.deepEqual(read("--symbols=", "a"), { symbols: true });
});

Deno.test("the last value counts; options that repeat gather theirs", () => {
  assert.deepEqual(read("--output=a", "--output=b", "-a", "-a", "i"), { output: "b", all: true });
  assert.deepEqual(read("-s", "a,b", "--set=x=1", "--section=c", "--set", "y=2", "i"), {
    section: ["a", "b", "c"],
    set: [{ field: "x", value: "1" }, { field: "y", value: "2" }],
  });
});

Deno.test("help ends the reading, whatever comes behind it or is missing", () => {
  assert.equal(parseWords(tool, ["--help", "--nonsense"]).ends, "help");
  assert.equal(parseWords(tool, ["-ah"]).ends, "help");
  assert.equal(parseWords(tool, ["--memory=1", "-h"]).ends, "help");
  assert.equal(
    complaint(tool, "--nonsense", "--help"),
    'unknown option "--nonsense" | Try "tool --help".',
  );
});

Deno.test("each mistake is told for what it is", () => {
  for (
    const [message, ...words] of [
      ['unknown option "--outptu" | Did you mean "--output"?', "--outptu=f"],
      // Begun names are not taken: they would stop working once there is another.
      ['unknown option "--sec" | Did you mean "--section"?', "--sec", "a"],
      ['unknown option "--payload" | Did you mean "--no-payload"?', "--payload"],
      ['unknown option "--debu" | Try "tool --help".', "--debu"],
      ['unknown option "--constructor" | Try "tool --help".', "--constructor"],
      ['unknown option "--" | Try "tool --help".', "--=5"],
      ['unknown option "-x" | Try "tool --help".', "-ax"],
      ['unknown option "-l" | Did you mean "--all"?', "-al"],
      ['unknown option "-a-output" | Did you mean "--output"?', "-q", "-a-output"],
      ['unknown option "-c" | Did you mean "--color"?', "-color"],
      ['--all takes no value | Try "tool --help".', "--all=5"],
      ['--all takes no value | Try "tool --help".', "-a=5"],
      ['--no-payload takes no value | Try "tool --help".', "--no-payload=no"],
      ['--help takes no value | Try "tool --help".', "--help="],
      ['--output needs FILE | Try "tool --help".', "i", "--output"],
      ['--output needs FILE | Try "tool --help".', "i", "-qo"],
      ['--section needs SECTION | Try "tool --help".', "--section= ,"],
      ['unknown colour "red" | Colours: always, never', "--color", "red"],
      ['IMAGE is missing | Try "tool --help".', "-a"],
      ["--memory goes with --zero-page", "--memory", "1M", "i"],
      ["--unified and --all exclude each other", "-a", "--unified", "i"],
    ] as const
  ) {
    assert.equal(complaint(tool, ...words), message, words.join(" "));
  }
});

Deno.test("arguments are counted and, where they have a kind, looked at", () => {
  assert.equal(
    complaint(bootdiff, "a", "b", "c"),
    'too many arguments: a, b, c | Try "bootdiff --help".',
  );
  assert.equal(complaint(bootdiff), 'A is missing | Try "bootdiff --help".');
  assert.deepEqual(parseWords(bootdiff, ["a"]).arguments, ["a", undefined]);
  assert.equal(
    complaint(zeropage, "completions", "fihs"),
    'unknown shell "fihs" | Did you mean "fish"?',
  );
  assert.deepEqual(parseWords(zeropage, ["completions", "ZSH"]).arguments, ["zsh"]);
});

Deno.test("a command below another reads the words behind its name", () => {
  const { name, command, options, arguments: args } = parseWords(zeropage, [
    "--debug",
    "info",
    "-a",
    "x",
  ]);
  assert.equal(name, "zeropage info");
  assert.equal(command, bootinfo);
  assert.deepEqual({ options, args }, { options: { payload: true, all: true }, args: [["x"]] });
  assert.equal(parseWords(zeropage, ["--", "info", "x"]).name, "zeropage info");
  assert.equal(complaint(zeropage, "inof"), 'unknown command "inof" | Did you mean "info"?');
  assert.match(complaint(zeropage, "toString"), /^unknown command "toString"/);
  assert.match(complaint(zeropage, "info", "--al"), /Did you mean "--all"/);
});

Deno.test("a command that takes anything takes it for arguments, but knows its options", () => {
  const greedy = command({
    name: "greedy",
    doc: "takes anything",
    usage: "",
    examples: [],
    exitCodes: "",
    arguments: [{ name: "word", many: true, optional: true }],
    takesAnything: true,
    options: { "General": { "--color": { value: "when", doc: "colour" } } },
  }, () => Promise.resolve(0));
  const { options, arguments: args } = parseWords(greedy, [
    "-x",
    "--memory",
    "1",
    "--color=never",
  ]);
  assert.deepEqual({ options, args }, {
    options: { color: "never" },
    args: [["-x", "--memory", "1"]],
  });
});

Deno.test("before a mistake it is known whose words are read and what was asked for", () => {
  let place: Place | undefined;
  assert.throws(
    () => parseWords(zeropage, ["info", "--color", "always", "--nonsense"], (at) => place = at),
    UsageError,
  );
  assert.equal(place?.name, "zeropage info");
  assert.equal(place?.options["color"], "always");
});

/** Texts that an option takes, by the name of its value. */
const texts: Readonly<Record<string, fc.Arbitrary<string>>> = {
  size: fc.nat().map((n) => `${n}`),
  when: fc.constantFrom("always", "never"),
  part: fc.constantFrom("vmlinux", "setup", "CONFIG"),
  "field=value": fc.tuple(fc.stringMatching(/^[a-z_.]+$/), fc.string()).map((p) => p.join("=")),
};
const word = fc.string({ minLength: 1, unit: "binary" });
const listed = word.filter((text) => list(text).length > 0);

/** An option in one of its spellings, and what it says. */
function spelled(long: `--${string}`, row: OptionRow) {
  const { short, value, optional, repeats, parse = (text: string): unknown => text } = row;
  if (value === undefined) {
    const forms = [[long], ...short ? [[short]] : []];
    return fc.constantFrom(...forms).map((words) => ({ long, words, says: undefined }));
  }
  const text = texts[value] ?? (repeats ? listed : word);
  return text.chain((text) => {
    const forms = [
      [`${long}=${text}`],
      ...optional ? [] : [[long, text]],
      ...short && !optional ? [[short, text], [`${short}${text}`]] : [],
    ];
    return fc.constantFrom(...forms).map((words) => ({ long, words, says: parse(text) }));
  });
}

for (const root of [tool, bootinfo, bootdiff]) {
  const rows = placed(root.table).filter(({ row }) => !row.ends);
  // What contradicts another is told by the tests above.
  const given = fc.array(
    fc.oneof(...rows.filter(({ row }) => !row.excludes).map(({ long, row }) => spelled(long, row))),
  );
  const operands = fc.array(word.filter((text) => !text.startsWith("-")), {
    minLength: root === bootdiff ? 2 : 1,
    ...root === bootdiff && { maxLength: 2 },
  });

  Deno.test(`${root.table.name}'s options, written in any form and order, are read as they are meant`, () => {
    const byLong = new Map(rows.map(({ long, row }) => [long, row]));
    fc.assert(
      fc.property(given, operands, fc.infiniteStream(fc.boolean()), (given, operands, turns) => {
        const options: Record<string, unknown> = { zeroPage: true };
        if (root !== bootdiff) options["payload"] = true;
        for (const { long, says } of given) {
          const key = keyOf(long);
          options[key] = byLong.get(long)?.repeats
            ? [options[key] ?? [], says].flat()
            : says ?? !long.startsWith("--no-");
        }
        // The two lists shuffled into one another, each in its own order.
        const groups = given.map(({ words }) => words);
        const rest = operands.map((operand) => [operand]);
        const argv = ["--zero-page"];
        while (groups.length + rest.length > 0) {
          const [from, other] = turns.next().value ? [groups, rest] : [rest, groups];
          argv.push(...from.shift() ?? other.shift() ?? []);
        }
        const wanted = parseWords(root, argv);
        assert.deepEqual(wanted.options, options);
        assert.deepEqual(wanted.arguments.flat(), operands);
      }),
      { seed: 2, numRuns: 500 },
    );
  });
}

Deno.test("whatever the words, they are read or refused as wrong use", () => {
  const flags = [tool, bootinfo, bootdiff].flatMap(({ table }) =>
    placed(table).flatMap(({ long, row: { short } }) => [long, ...short ? [short] : []])
  );
  const some = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(...flags, "-", "--", "=", "info", "diff", "run", "completions", "zsh"),
  );
  const words = fc.array(fc.array(some, { maxLength: 3 }).map((parts) => parts.join("")));
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(
      fc.constantFrom(tool, zeropage, bootinfo, bootdiff, bootrun),
      words,
      (root, argv) => {
        try {
          parseWords(root, argv);
          read++;
        } catch (error) {
          assert.ok(error instanceof UsageError, `${error}`);
          assert.notEqual(error.message, "");
          refused++;
        }
      },
    ),
    { seed: 3, numRuns: 3000 },
  );
  assert.ok(read > 100 && refused > 100, `${read} read, ${refused} refused`);
});
