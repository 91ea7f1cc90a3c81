import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import { bootdiff, bootinfo, bootrun, zeropage } from "./program.ts";
import type { Command } from "./ui/command.ts";
import { runProgram } from "./ui/main.ts";
import { parseWords } from "./ui/options.ts";
import { MemoryTerminal } from "./ui/terminal.ts";
import { plain as plainText, visibleWidth } from "./ui/text.ts";
import { version } from "./version.ts";

const programs: Readonly<Record<string, Command>> = { zeropage, bootinfo, bootdiff, bootrun };

async function run(name: string, ...argv: string[]) {
  const terminal = new MemoryTerminal();
  const program = programs[name];
  assert.ok(program);
  const code = await runProgram(program, argv, terminal);
  return { code, out: terminal.stdout, err: terminal.stderr };
}

const withHelp = [
  ["zeropage"],
  ["bootinfo"],
  ["bootdiff"],
  ["bootrun"],
  ["zeropage", "info"],
  ["zeropage", "diff"],
  ["zeropage", "run"],
  ["zeropage", "completions"],
] as const;

for (const [name, ...words] of withHelp) {
  const typed = [name, ...words].join(" ");

  Deno.test(`${typed} --help fits a screen, on standard output, with code 0`, async (t) => {
    const { code, out, err } = await run(name, ...words, "--help");
    assert.equal(code, 0);
    assert.equal(err, "");
    const lines = out.split("\n");
    assert.ok(lines.length <= 41, `${lines.length} lines`);
    for (const line of lines) assert.ok(visibleWidth(line) <= 80, line);
    await t.assertSnapshot(out);
  });
}

Deno.test("help starts with two real commands, which the program understands", async () => {
  for (const [name, ...words] of withHelp) {
    const { out } = await run(name, ...words, "--help");
    const examples = out.split("\n").slice(2, 4).map((line) => line.trim().split(" "));
    for (const example of examples) {
      assert.deepEqual(example.slice(0, 1 + words.length), [name, ...words]);
      // Output is left out: the files of the examples do not exist.
      const redirected = example.indexOf(">");
      const argv = example.slice(1, redirected < 0 ? undefined : redirected);
      const program = programs[name];
      assert.ok(program);
      // A kernel may be there, and would boot.
      if (example.includes("run") || name === "bootrun") {
        assert.doesNotThrow(() => parseWords(program, argv), example.join(" "));
        continue;
      }
      const { code, err } = await run(name, ...argv);
      assert.notEqual(code, 2, `${example.join(" ")}: ${err}`);
      assert.notEqual(code, 70, `${example.join(" ")}: ${err}`);
    }
  }
});

Deno.test("help is the same in colour, less the colour", async () => {
  const plain = await run("bootinfo", "--help");
  const coloured = await run("bootinfo", "--color", "always", "--help");
  assert.notEqual(coloured.out, plain.out);
  assert.equal(plainText(coloured.out), plain.out);
});

Deno.test("--version is the one of deno.json", async () => {
  assert.equal(version, manifest.version);
  assert.equal((await run("zeropage", "--version")).out, `zeropage ${version}\n`);
  assert.equal((await run("bootinfo", "--version")).out, `bootinfo (zeropage) ${version}\n`);
  assert.equal((await run("zeropage", "info", "-V")).code, 0);
});

Deno.test("zeropage without a command shows its help on standard error, code 2", async () => {
  const { code, out, err } = await run("zeropage");
  assert.equal(code, 2);
  assert.equal(out, "");
  assert.match(err, /^zeropage: /);
});

Deno.test("options that go with --zero-page are refused without it", async () => {
  for (
    const [name, option, value] of [
      ["bootinfo", "--memory", "64M"],
      ["bootinfo", "--loader", "qemu"],
      ["bootinfo", "--append", "quiet"],
      ["bootinfo", "--initrd", "initrd.img"],
      ["bootinfo", "--set", "vid_mode=1"],
      ["bootdiff", "--loader", "qemu,grub"],
    ] as const
  ) {
    const { code, err } = await run(
      name,
      option,
      value,
      "none",
      ...name === "bootdiff" ? ["b"] : [],
    );
    assert.equal(code, 2);
    assert.equal(err, `${name}: ${option} goes with --zero-page\n`);
  }
});

Deno.test("bootdiff needs two images, or one and two loaders", async () => {
  const missing = /B is missing/;
  assert.match((await run("bootdiff", "none")).err, missing);
  assert.match((await run("bootdiff", "--zero-page", "none")).err, missing);
  assert.match((await run("bootdiff", "--zero-page", "--loader", "qemu", "none")).err, missing);
  const three = await run("bootdiff", "--zero-page", "--loader", "qemu,grub,lguest", "none");
  assert.equal(three.code, 2);
  assert.match(three.err, /one name or two/);
});

Deno.test("a missing file is code 3, with its name", async () => {
  const { code, err } = await run("bootinfo", "no/such/file");
  assert.deepEqual({ code, err }, { code: 3, err: "bootinfo: no/such/file: no such file\n" });
});

/** Runs an entry file as a user does. */
function entry(name: string, args: readonly string[], flags: readonly string[] = []) {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      ...flags,
      fileURLToPath(new URL(`./${name}.ts`, import.meta.url)),
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

for (const name of Object.keys(programs)) {
  Deno.test(`${name} --help needs no permission`, async () => {
    const child = entry(name, ["--help"]).spawn();
    await child.stdin.close();
    const { code, stdout, stderr } = await child.output();
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(code, 0);
    assert.match(new TextDecoder().decode(stdout), new RegExp(`^${name}: `));
  });
}

Deno.test("an interrupt ends the command at once, and a shell reports 130", async () => {
  const child = entry("bootinfo", ["-"]).spawn();
  // It waits for standard input, which nobody closes.
  await new Promise((done) => setTimeout(done, 1500));
  child.kill("SIGINT");
  const { code, signal } = await child.status;
  assert.equal(signal, "SIGINT");
  assert.equal(code, 130);
  await child.stdin.close().catch(() => {});
  await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
});

Deno.test("an input that may not be read says which permission is missing", async () => {
  const child = entry("bootinfo", ["deno.json"]).spawn();
  await child.stdin.close();
  const { code, stderr } = await child.output();
  assert.equal(code, 3);
  assert.equal(
    new TextDecoder().decode(stderr),
    "bootinfo: deno.json: may not be read: Deno was started without --allow-read\n",
  );
});

Deno.test({
  name: "a file that Deno guards comes with the way around, which needs no permission",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const path = "/proc/version";
    const child = entry("bootinfo", [path], ["--allow-read"]).spawn();
    await child.stdin.close();
    const { code, stderr } = await child.output();
    assert.equal(code, 3);
    assert.equal(
      new TextDecoder().decode(stderr),
      [
        `bootinfo: ${path}: may not be read: Deno guards it, whatever else is allowed`,
        `  Hand it over instead: bootinfo - < ${path}`,
        "",
      ].join("\n"),
    );
  },
});
