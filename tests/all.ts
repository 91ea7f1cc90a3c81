/**
 * `deno task test`: format, lint, types, documentation, what would be
 * published, and every test.
 *
 * Words after the command are files or folders to take the tests from, or
 * options of `deno test`; the checks before them always see the whole project.
 * The closing line counts each check as one and each test as one.
 *
 * @module
 */

import { images } from "./images/images.ts";
import { files, root } from "./tree.ts";

/** Something that must come out well. */
interface Check {
  readonly name: string;
  readonly args: readonly string[];
}

/** How it came out. */
interface Result {
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: number;
}

const checks: readonly Check[] = [
  { name: "format", args: ["fmt", "--check", "--quiet"] },
  { name: "lint", args: ["lint", "--quiet"] },
  { name: "types", args: ["check", "--quiet", ...files(".ts")] },
  { name: "documentation of the library", args: ["doc", "--lint", "mod.ts"] },
  { name: "publishing, tried", args: ["publish", "--dry-run", "--allow-dirty", "--quiet"] },
];

/** Runs deno, the one that runs this; `onLine` hears its lines as they come. */
async function deno(args: readonly string[], onLine?: (line: string) => void): Promise<Result> {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    let line = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const whole of lines) onLine?.(whole);
    }
    if (line !== "") onLine?.(line);
  };
  const [{ success }] = await Promise.all([
    child.status,
    listen(child.stdout),
    listen(child.stderr),
  ]);
  return { ok: success, output, seconds: (performance.now() - started) / 1000 };
}

/** Counts of passed, failed and skipped. */
export interface Counts {
  /** How many held. */
  readonly passed: number;
  /** How many did not. */
  readonly failed: number;
  /** How many were not tried. */
  readonly skipped: number;
}

/**
 * The counts in `deno test`'s closing line, such as
 * `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`; `undefined` where
 * there is no such line, because the tests could not be run.
 */
export function countsOf(output: string): Counts | undefined {
  const line = output.split("\n").findLast((l) => /^(ok|FAILED) \| \d+ passed/.test(l));
  if (line === undefined) return undefined;
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** Lines of `deno test` that say a test was skipped, reduced to its name. */
export function skippedTests(output: string): string[] {
  return output.split("\n").flatMap((line) =>
    /^(\S.*) \.\.\. ignored(?: \(.*\))?$/.exec(line)?.[1] ?? []
  );
}

/** The closing line. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : "");
}

function report(name: string, { ok, output, seconds }: Result): void {
  console.log(`${name} ... ${ok ? "ok" : "FAILED"} (${seconds.toFixed(1)} s)`);
  if (!ok) console.log(output.trimEnd().replace(/^/gm, "    "));
}

async function main(args: readonly string[]): Promise<number> {
  const failures: string[] = [];
  let passed = 0;
  // All at once, told in order.
  const running = checks.map(({ name, args }) => ({ name, result: deno(args) }));
  for (const { name, result } of running) {
    const done = await result;
    report(name, done);
    if (done.ok) passed++;
    else failures.push(name);
  }
  const count = images().length;
  console.log(
    count > 0
      ? `real images: ${count} files`
      : "real images: none, so tests that need them are skipped (deno task images fetches them)",
  );
  console.log();
  // Types were checked above. Deno puts imports of all that a module exports
  // before an example in its documentation, which the rule against unused
  // imports would refuse: examples are run, not checked.
  const tests = await deno(
    ["test", "--doc", "--no-check", "--parallel", "--quiet", "-P=tools", ...args],
    (line) => console.log(line),
  );
  const counts = countsOf(tests.output) ?? { passed: 0, failed: 0, skipped: 0 };
  if (!tests.ok) failures.push("tests");
  // Deno fails without a failed test where a file does not load.
  const failedTests = tests.ok ? 0 : Math.max(counts.failed, 1);
  const skipped = skippedTests(tests.output);
  if (skipped.length > 0) console.log(`\nskipped:\n${skipped.join("\n").replace(/^/gm, "  ")}`);
  const failedChecks = failures.filter((name) => name !== "tests").length;
  console.log();
  if (failures.length > 0) console.log(`failed: ${failures.join(", ")}`);
  console.log(`${checks.length} checks and the tests, the tests in ${tests.seconds.toFixed(1)} s`);
  console.log(closingLine({
    passed: passed + counts.passed,
    failed: failedChecks + failedTests,
    skipped: counts.skipped,
  }));
  return failures.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
