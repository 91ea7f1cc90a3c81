import assert from "node:assert/strict";
import { MemoryTerminal } from "./terminal.ts";

Deno.test("colour is for terminals, not under NO_COLOR, and --color wins over both", () => {
  const colour = (
    options: { isTerminal?: boolean; noColor?: boolean },
    color?: "always" | "never",
  ) => {
    const terminal = new MemoryTerminal(options);
    terminal.configure({ color });
    return terminal.colour;
  };
  assert.equal(colour({}), false);
  assert.equal(colour({ isTerminal: true }), true);
  assert.equal(colour({ isTerminal: true, noColor: true }), false);
  assert.equal(colour({ isTerminal: true }, "never"), false);
  assert.equal(colour({ noColor: true }, "always"), true);
});

Deno.test("each stream has its own colour", () => {
  const terminal = new MemoryTerminal({ isTerminal: true, outIsTerminal: false });
  assert.equal(terminal.colour, false);
  assert.equal(terminal.errColour, true);
});

Deno.test("what is written comes out in order, on its stream", () => {
  const terminal = new MemoryTerminal();
  terminal.out("one ");
  terminal.err("two ");
  terminal.outBytes(new TextEncoder().encode("three "));
  terminal.out("four");
  assert.equal(terminal.screen, "one two three four");
  assert.equal(terminal.stdout, "one three four");
  assert.equal(terminal.stderr, "two ");
});

Deno.test("the passing line is for a terminal that is not quiet", () => {
  const pipe = new MemoryTerminal();
  pipe.status("unpacking");
  assert.equal(pipe.stderr, "");
  const quiet = new MemoryTerminal({ isTerminal: true });
  quiet.configure({ quiet: true });
  quiet.status("unpacking");
  assert.equal(quiet.stderr, "");
});

Deno.test("configure() keeps what a later call does not name", () => {
  const terminal = new MemoryTerminal();
  terminal.configure({ color: "always" });
  terminal.configure({ quiet: true });
  assert.equal(terminal.colour, true);
  assert.equal(terminal.quiet, true);
});

/** Runs a script with the real streams. */
async function run(script: string, shell: (deno: string) => string): Promise<[string, number]> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      `import { DenoTerminal } from "${new URL("./terminal.ts", import.meta.url)}";
       import { runProgram } from "${new URL("./main.ts", import.meta.url)}";
       const table = { name: "t", doc: "", usage: "", examples: [], exitCodes: "", arguments: [], options: {} };
       const terminal = new DenoTerminal();
       Deno.exit(await runProgram({ table, run: async () => {
         ${script}; return 5;
       } }, [], terminal));`,
    );
    const deno = `"${Deno.execPath()}" run --no-prompt "${file}"`;
    const { stdout, code } = await new Deno.Command("bash", {
      args: ["-c", shell(deno)],
      stderr: "inherit",
    }).output();
    return [new TextDecoder().decode(stdout).trim(), code];
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("a large result arrives whole, in text and in bytes", async () => {
  const size = 5_000_000;
  const [text] = await run(`terminal.out("x".repeat(${size}))`, (deno) => `${deno} | wc -c`);
  assert.equal(Number(text), size);
  const [bytes] = await run(
    `terminal.outBytes(new Uint8Array(${size}))`,
    (deno) => `${deno} | (sleep 0.2; wc -c)`,
  );
  assert.equal(Number(bytes), size);
});

Deno.test("a reader that has had enough ends the command quietly, with code 0", async () => {
  const [text] = await run(
    `for (let i = 0; i < 1e6; i++) terminal.out("line\\n")`,
    (deno) => `${deno} 2>&1 | head -n 1; echo "code \${PIPESTATUS[0]}"`,
  );
  assert.equal(text, "line\ncode 0");
});
