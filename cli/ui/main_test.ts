import assert from "node:assert/strict";
import { BootError } from "../../core/errors.ts";
import { FormatError } from "../../formats/errors.ts";
import { command, type CommandTable } from "./command.ts";
import { unknownName } from "./errors.ts";
import { runProgram } from "./main.ts";
import { MemoryTerminal, type MemoryTerminalOptions, type Terminal } from "./terminal.ts";

const table = {
  name: "boottest",
  doc: "a program for tests",
  usage: "[IMAGE]",
  examples: [],
  exitCodes: "",
  arguments: [{ name: "image", optional: true }],
  options: {
    "Options": {
      "--all": { doc: "" },
      "--symbols": { value: "pattern", optional: true, doc: "" },
      "--field": { value: "path", doc: "" },
      "--quiet": { short: "-q", doc: "" },
      "--color": { value: "when", doc: "" },
      "--debug": { hidden: true, doc: "" },
    },
  },
} as const satisfies CommandTable;

/** The work of a command. */
type Body = (terminal: Terminal) => Promise<number>;

/** A small program whose only work is `body`. */
async function run(argv: readonly string[], body: Body, options?: MemoryTerminalOptions) {
  const terminal = new MemoryTerminal(options);
  const code = await runProgram(command(table, body), argv, terminal);
  return { code, out: terminal.stdout, err: terminal.stderr };
}

const fail = (error: unknown): Body => () => Promise.reject(error);

Deno.test("runProgram() comes to the code that the body comes to", async () => {
  assert.deepEqual(await run([], () => Promise.resolve(1)), { code: 1, out: "", err: "" });
});

Deno.test("runProgram() tells the terminal what the options say before the work begins", async () => {
  await run(["--color", "always", "--quiet"], (terminal) => {
    assert.equal(terminal.colour, true);
    assert.equal(terminal.quiet, true);
    return Promise.resolve(0);
  });
});

Deno.test("a FormatError is one line and code 3", async () => {
  const error = new FormatError(
    { structure: "setup_header", field: "version", offset: 0x206 },
    "needs 2 bytes, the input ends at 0x200",
  );
  assert.deepEqual(await run([], fail(error)), {
    code: 3,
    out: "",
    err: "boottest: setup_header.version at 0x206: needs 2 bytes, the input ends at 0x200\n",
  });
});

Deno.test("a boot that cannot be put together is one line and code 3", async () => {
  const error = new BootError("initrd", "64 MiB below 0x37ffffff", "48 MiB");
  const { code, err } = await run([], fail(error));
  assert.deepEqual({ code, err }, { code: 3, err: `boottest: ${error.message}\n` });
});

Deno.test("an unknown name is told with a suggestion and the list, code 2", async () => {
  const error = unknownName("platform", "lguset", ["pc", "lguest", "xen"]);
  assert.deepEqual(await run([], fail(error)), {
    code: 2,
    out: "",
    err: [
      'boottest: unknown platform "lguset"',
      '  Did you mean "lguest"?',
      "  Platforms: pc, lguest, xen",
      "",
    ].join("\n"),
  });
});

Deno.test("a bug of ours is code 70, asks for a report and shows no stack", async () => {
  const bug = fail(new TypeError("x is not a function"));
  const { code, err } = await run(["a b.img", "--all"], bug);
  assert.equal(code, 70);
  assert.match(err, /^boottest: internal error: x is not a function\n/);
  assert.match(err, /boottest 'a b\.img' --all\n/);
  assert.match(err, /zeropage \d+\.\d+\.\d+, Deno /);
  assert.match(err, /--debug/);
  assert.doesNotMatch(err, /at .*\.ts/);
  const debug = await run(["--debug"], bug);
  assert.equal(debug.code, 70);
  assert.match(debug.err, /at .*main_test\.ts/);
});

Deno.test("a closed pipe is the end, not an error", async () => {
  const { code, err } = await run([], fail(new Deno.errors.BrokenPipe("gone")));
  assert.deepEqual({ code, err }, { code: 0, err: "" });
});

Deno.test("what a file smuggles into a message is made visible", async () => {
  const { err } = await run([], fail(new FormatError({ structure: "x", offset: 0 }, "\x1b[2J")));
  assert.equal(err, "boottest: x at 0x0: \\x1b[2J\n");
});

Deno.test("wrong words are told in one form, code 2", async () => {
  const never: Body = () => assert.fail("must not run");
  const words = async (...argv: string[]) => {
    const { code, err } = await run(argv, never);
    assert.equal(code, 2);
    return err;
  };
  const help = '  Try "boottest --help".\n';
  assert.equal(
    await words("--al"),
    'boottest: unknown option "--al"\n  Did you mean "--all"?\n',
  );
  assert.equal(await words("--nonsense=5"), `boottest: unknown option "--nonsense"\n${help}`);
  assert.equal(await words("--all=5"), `boottest: --all takes no value\n${help}`);
  assert.equal(await words("--field"), `boottest: --field needs PATH\n${help}`);
  assert.equal(await words("a", "b"), `boottest: too many arguments: a, b\n${help}`);
  // Hidden options are not suggested.
  assert.equal(await words("--debu"), `boottest: unknown option "--debu"\n${help}`);
});
