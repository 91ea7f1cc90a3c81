/**
 * What holds of the repository as a whole.
 *
 * @module
 */

import assert from "node:assert/strict";
import { files, read } from "./tree.ts";

const text = files().filter((path) =>
  /\.(ts|md|json|ya?ml|sh|txt)$/.test(path) || path === ".ci/run" || path === "LICENSE"
);
// What a witness answered is kept as it came, in words that are not ours.
const own = text.filter((path) => !/^testdata\/.*\.txt$/.test(path));

/** A rule that some text must not be found, tried on what it must and must not find. */
interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  readonly finds: readonly string[];
  readonly passes: readonly string[];
}

// The words are put together here, so that this file does not break its rules.
const join = (...parts: string[]) => parts.join("");

const bans: readonly Ban[] = [
  {
    name: "nothing is left for later: no marks of unfinished work",
    pattern: new RegExp(`\\b(${join("TO", "DO")}|${join("FIX", "ME")}|${join("X", "XX")})\\b`),
    finds: [join("// TO", "DO: later"), join("FIX", "ME"), join("X", "XX")],
    passes: ["a todo list", "XXXXX", "0xXX"],
  },
  {
    name: "nothing says that it does not do yet what it is for",
    pattern: new RegExp(join("not (yet )?imple", "mented"), "i"),
    finds: [join('throw new Error("Not imple', 'mented")')],
    passes: ["implemented", "not needed"],
  },
  {
    name: "no path of a particular machine",
    pattern: new RegExp(`(?<![\\w.*-])/(work|home|Users)/[\\w.-]+`),
    finds: [join("/wo", "rk/main"), join('"/ho', 'me/anne/x"'), join("/Us", "ers/anne")],
    passes: ["core/work/x", "./work/a", "/boot/vmlinuz", "a/home/b"],
  },
  {
    name: "no host that packages come from",
    pattern: new RegExp(
      `https?://[^/\\s"'\`)]*(${["debian", "ubuntu", "npmjs", "mirror", "pypi"].join("|")})`,
      "i",
    ),
    finds: [join("https:", "//deb.debian.org/x"), join("http:", "//mirror.example.org")],
    passes: ["https://docs.kernel.org/arch/x86/boot.html", "https://example.org/a/mirror"],
  },
];

for (const { name, pattern, finds, passes } of bans) {
  Deno.test(name, () => {
    for (const sample of finds) assert.match(sample, pattern);
    for (const sample of passes) assert.doesNotMatch(sample, pattern);
    const found = own.flatMap((path) =>
      read(path).split("\n").flatMap((line, i) =>
        pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 100)}`] : []
      )
    );
    assert.deepEqual(found, []);
  });
}

/** Files that may be longer than a sitting, and why. */
const long: Readonly<Record<string, string>> = {
  "wasm/opcodes.ts": "one table, a row for each WebAssembly instruction",
  "tests/fuzz/targets.ts": "one table, a row for each format that is fuzzed",
};
const limit = 600;

Deno.test(`no file of code is longer than ${limit} lines, but for those listed with a reason`, () => {
  const lengths = files(".ts").map((path) => ({ path, lines: read(path).split("\n").length }));
  const longer = lengths.filter(({ lines }) => lines > limit).map(({ path }) => path);
  assert.deepEqual(longer.filter((path) => !Object.hasOwn(long, path)), []);
  assert.deepEqual(Object.keys(long).filter((path) => !longer.includes(path)), []);
});

interface DenoJson {
  readonly license: string;
  readonly exports: string;
  readonly tasks: Readonly<
    Record<string, { readonly description: string; readonly command: string }>
  >;
  readonly permissions: Readonly<Record<string, unknown>>;
  readonly imports: Readonly<Record<string, string>>;
}

const denoJson: DenoJson = JSON.parse(read("deno.json"));

Deno.test("the README mentions every task", () => {
  const readme = read("README.md");
  const unsaid = Object.keys(denoJson.tasks).filter((task) => !readme.includes(`task ${task}`));
  assert.deepEqual(unsaid, []);
});

Deno.test("every task says what it does, and its script exists", () => {
  const all = new Set(files(".ts"));
  for (const [task, { description, command }] of Object.entries(denoJson.tasks)) {
    assert.ok(description.length > 10, task);
    const script = /(\S+\.ts)\b/.exec(command)?.[1] ?? "";
    assert.ok(all.has(script), `task ${task} runs ${script}, which is not there`);
  }
});

Deno.test("every permission set is used by a task, and every task names one", () => {
  const used = new Map(
    Object.entries(denoJson.tasks).map(([task, { command }]) =>
      [task, / -P=(\w+)/.exec(command)?.[1]] as const
    ),
  );
  for (const [task, set] of used) {
    assert.ok(
      set !== undefined && Object.hasOwn(denoJson.permissions, set),
      `task ${task}: ${set}`,
    );
  }
  for (const set of Object.keys(denoJson.permissions)) {
    assert.ok([...used.values()].includes(set), `nobody uses the permission set ${set}`);
  }
});

/** Packages that nobody imports so far, and what they are there for. */
const awaited: Readonly<Record<string, string>> = {};

Deno.test("every package in the import map is pinned, and imported by somebody", () => {
  const code = files(".ts").filter((path) => path !== "tests/repo_test.ts").map(read).join("\n");
  for (const [name, target] of Object.entries(denoJson.imports)) {
    assert.match(target, /^(npm|jsr):@?[^@]+@\d+\.\d+\.\d+$/, name);
  }
  const unused = Object.keys(denoJson.imports).filter((name) =>
    !new RegExp(`(from|import)[ (]"${name}["/]`).test(code)
  );
  assert.deepEqual(unused, Object.keys(awaited));
});

Deno.test("the license is there, and the one that deno.json names", () => {
  assert.equal(denoJson.license, "MIT");
  assert.match(read("LICENSE"), /^MIT License\n\nCopyright \(c\) \d{4}/);
});

Deno.test("what the package exports exists", () => {
  assert.ok(files(".ts").includes(denoJson.exports.replace(/^\.\//, "")), denoJson.exports);
});
