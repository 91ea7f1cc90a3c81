import assert from "node:assert/strict";
import {
  arrows,
  computed,
  computedImports,
  eagerImports,
  hostMentions,
  type Import,
  layerOf,
  lazy,
  readImports,
  withoutProse,
  wrongArrows,
} from "./arrows.ts";
import { files, read, root } from "./tree.ts";

const code = files(".ts");
const imports = await readImports(root, code);

Deno.test("every import points the way the layout allows", () => {
  assert.deepEqual(wrongArrows(imports), []);
});

Deno.test("the checker sees every file that imports anything", () => {
  const seen = new Set(imports.map(({ from }) => from));
  const importing = code.filter((path) => /^(import|export) [^;]* from "/m.test(read(path)));
  assert.deepEqual(importing.filter((path) => !seen.has(path)), []);
});

Deno.test("every file lies in a part the layout knows", () => {
  assert.deepEqual(code.filter((path) => arrows[layerOf(path)] === undefined), []);
});

Deno.test("nothing in the library names Deno, node or a process", () => {
  assert.deepEqual(code.flatMap((path) => hostMentions(path, read(path))), []);
});

Deno.test("imports that are put together when they run are those declared, of files that exist", () => {
  const found = code.flatMap((path) => computedImports(path, read(path)));
  assert.deepEqual(found.map((line) => line.replace(/:\d+$/, "")), Object.keys(computed));
  for (const { to } of Object.values(computed)) assert.ok(code.includes(to), to);
});

Deno.test("computedImports() tells a text from what is worked out", () => {
  const guilty = ["import(name)", "await import(\n  new URL(`./x.ts`, import.meta.url).href\n)"];
  for (const line of guilty) assert.equal(computedImports("cli/a.ts", line).length, 1, line);
  const innocent = [
    'import("./x.ts")',
    "// import(x)",
    'typeof import("./x.ts")',
    "import.meta.url",
  ];
  for (const line of innocent) assert.deepEqual(computedImports("cli/a.ts", line), [], line);
});

Deno.test("a command loads at start only what it needs", () => {
  assert.deepEqual(eagerImports(imports), []);
});

Deno.test("the rules on commands are about commands that exist, or will", () => {
  const known = ["zeropage", "bootinfo", "bootrun", "bootdiff", "demo"];
  for (const entry of Object.keys(lazy)) {
    assert.ok(known.some((name) => entry === `cli/${name}.ts`), entry);
  }
});

const edge = (from: string, to: string, how: Import["how"] = "static"): Import => ({
  from,
  to,
  how,
});

Deno.test("wrongArrows() finds each kind of wrong import and lets the right ones pass", () => {
  const right = [
    edge("formats/a.ts", "formats/payload/b.ts"),
    edge("formats/a.ts", "wasm/b.ts"),
    edge("formats/a.ts", "npm:fflate"),
    edge("core/a.ts", "emu/b.ts"),
    edge("cli/a.ts", "node:path"),
    edge("formats/a_test.ts", "testdata/b.ts"),
    edge("formats/a_test.ts", "node:assert/strict"),
    edge("tests/a.ts", "cli/b.ts"),
    edge("cli/a.ts", "deno.json"),
  ];
  assert.deepEqual(wrongArrows(right), []);
  const wrong = [
    edge("formats/a.ts", "emu/b.ts"),
    edge("formats/a.ts", "core/b.ts"),
    edge("formats/a.ts", "node:zlib"),
    edge("formats/a.ts", "testdata/b.ts"),
    edge("emu/a.ts", "formats/b.ts"),
    edge("emu/a.ts", "npm:fflate"),
    edge("wasm/a.ts", "formats/b.ts"),
    edge("core/a.ts", "cli/b.ts"),
    edge("core/a.ts", "npm:fflate"),
    edge("core/a.ts", "cli/b.ts", "type"),
    edge("mod.ts", "cli/b.ts"),
    edge("cli/a.ts", "testdata/b.ts"),
    edge("cli/a.ts", "tests/b.ts"),
    edge("cli/a.ts", "formats/b_test.ts"),
    edge("tests/a.ts", "formats/b_test.ts"),
    edge("cli/a.ts", "https://example.org/x.ts"),
    edge("tests/a.ts", "https://example.org/x.ts"),
    edge("core/a.ts", "deno.json"),
    edge("loose.ts", "formats/b.ts"),
  ];
  for (const one of wrong) assert.equal(wrongArrows([one]).length, 1, `${one.from} ${one.to}`);
});

Deno.test("eagerImports() follows static imports, and shows the way", () => {
  const rules = { "cli/bootinfo.ts": /^emu\// };
  const chain = [
    edge("cli/bootinfo.ts", "core/a.ts"),
    edge("core/a.ts", "core/b.ts"),
    edge("core/b.ts", "core/a.ts"),
    edge("core/b.ts", "emu/cpu.ts"),
  ];
  assert.deepEqual(eagerImports(chain, rules), [
    "cli/bootinfo.ts loads emu/cpu.ts at start: " +
    "cli/bootinfo.ts -> core/a.ts -> core/b.ts -> emu/cpu.ts",
  ]);
  for (const how of ["dynamic", "type"] as const) {
    const broken = [...chain.slice(0, 3), edge("core/b.ts", "emu/cpu.ts", how)];
    assert.deepEqual(eagerImports(broken, rules), []);
  }
});

Deno.test("hostMentions() looks at code, not at comments and strings", () => {
  const innocent = [
    "// Deno.readFile",
    "/** process.exit */",
    'const a = "Deno.args";',
    "const b = `process.env ${1 + 1} Deno.args`;",
    "const c = x / 2; // Deno.args / 2",
    "const processor = 1, subprocess = 2; processor.x; subprocess.y",
    "const d = /Deno.args'/.test(y);",
  ].join("\n");
  assert.deepEqual(hostMentions("formats/a.ts", innocent), []);
  assert.deepEqual(hostMentions("cli/a.ts", "Deno.exit()"), []);
  assert.deepEqual(hostMentions("formats/a_test.ts", "Deno.test()"), []);
  const guilty = [
    "Deno.exit();",
    "const a = `${Deno.args[0]}`;",
    "const b = `${{ c: `${process.env.HOME}` }.c}`;",
    'const d = /"/.test(x) || process.argv;',
    "const e = '\\''; Buffer.from(e);",
    "const f = a / b; process .exit(/x/);",
    "globalThis.Deno.args;",
  ];
  for (const line of guilty) {
    assert.equal(hostMentions("core/a.ts", `// one\n${line}`).length, 1, line);
    assert.match(hostMentions("core/a.ts", `// one\n${line}`)[0] ?? "", /^core\/a\.ts:2 /);
  }
});

Deno.test("withoutProse() keeps every line where it was", () => {
  for (const path of code) {
    const text = read(path);
    const bare = withoutProse(text);
    assert.equal(bare.length, text.length, path);
    assert.equal(bare.split("\n").length, text.split("\n").length, path);
  }
});
