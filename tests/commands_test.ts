/**
 * Every command as its user starts it: a process of its own, with nothing but
 * the permissions its task in deno.json grants, and never a question asked.
 *
 * @module
 */

import assert from "node:assert/strict";
import { read, root } from "./tree.ts";

interface DenoJson {
  readonly version: string;
  readonly tasks: Readonly<Record<string, { readonly command: string }>>;
}

const { tasks, version }: DenoJson = JSON.parse(read("deno.json"));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  script: string,
  permissions: readonly string[],
  args: readonly string[],
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...permissions, script, ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

const commands = ["zeropage", "bootinfo", "bootdiff", "bootrun"] as const;

/** The permissions of a command's task; `zeropage` has the other three's. */
function permissionsOf(command: string): string[] {
  const task = tasks[command] ?? tasks["bootinfo"];
  return /-P=\w+/.exec(task?.command ?? "")?.slice(0, 1) ?? [];
}

for (const command of commands) {
  const script = `cli/${command}.ts`;

  Deno.test(`${command} --help needs no permission at all and starts with how to use it`, async () => {
    const { code, stdout, stderr } = await run(script, [], ["--help"]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.ok(stdout.includes(command), stdout);
    assert.ok(stdout.split("\n").length > 5, stdout);
  });

  Deno.test(`${command} --version says the version in deno.json`, async () => {
    const { code, stdout, stderr } = await run(script, [], ["--version"]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.ok(stdout.includes(version), stdout);
  });

  Deno.test(`${command} with an unknown option says so in words and ends with 2`, async () => {
    const { code, stdout, stderr } = await run(script, permissionsOf(command), ["--no-such-thing"]);
    assert.equal(stdout, "");
    assert.match(stderr, /--no-such-thing/);
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.equal(code, 2);
  });
}

for (const [command, files] of [["bootinfo", 1], ["bootdiff", 2], ["bootrun", 1]] as const) {
  Deno.test(`${command} on a file that is not there names it and ends with 3`, async () => {
    const name = "no-such-image";
    const args = Array.from({ length: files }, () => name);
    const { code, stdout, stderr } = await run(
      `cli/${command}.ts`,
      permissionsOf(command),
      args,
    );
    assert.equal(stdout, "");
    assert.ok(stderr.includes(name), stderr);
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.equal(code, 3);
  });
}
