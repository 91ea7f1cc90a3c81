/**
 * Which part of the project may know which, as data, and a checker for it.
 *
 * Arrows point one way: cli to core, core to formats and emu. What the library
 * is made of takes and gives bytes and runs in a browser, so it names no host.
 *
 * @module
 */

import { relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A part of the project, or a place outside it. */
export type Layer =
  | "wasm"
  | "formats"
  | "emu"
  | "core"
  | "mod"
  | "cli"
  | "testdata"
  | "tests"
  | "npm"
  | "node"
  | "project"
  | "elsewhere";

/** What each part may import. */
export const arrows: Readonly<Partial<Record<Layer, readonly Layer[]>>> = {
  wasm: ["wasm"],
  formats: ["formats", "wasm", "npm"],
  emu: ["emu", "wasm"],
  core: ["core", "formats", "emu", "wasm"],
  mod: ["core", "formats", "emu", "wasm"],
  cli: ["cli", "mod", "core", "formats", "emu", "wasm", "npm", "node", "project"],
  testdata: ["testdata", "core", "formats", "emu", "wasm", "npm", "node"],
  tests: [
    "tests",
    "testdata",
    "cli",
    "mod",
    "core",
    "formats",
    "emu",
    "wasm",
    "npm",
    "node",
    "project",
  ],
};

/**
 * What a command must not load before it knows that it needs it. The formats'
 * errors are a page that everybody's exit code depends on.
 */
export const lazy: Readonly<Record<string, RegExp>> = {
  "cli/zeropage.ts": /^(emu|core)\/|^formats\/(?!errors\.ts$)|^npm:@(alexaltea|xterm)\//,
  "cli/bootinfo.ts": /^emu\/|^npm:@(alexaltea|xterm)\//,
  "cli/bootdiff.ts": /^emu\/|^npm:@(alexaltea|xterm)\//,
};

/**
 * Imports whose target is put together when they run, so that `deno info` does
 * not see them, by the file they stand in; each may break a rule for its reason.
 */
export const computed: Readonly<Record<string, { readonly to: string; readonly why: string }>> = {
  "cli/demo.ts": {
    to: "testdata/bzimage_builder.ts",
    why: "the demo's last resort, which works in a checkout alone: testdata/ is not published",
  },
};

/** One import. */
export interface Import {
  /** The importing file, by its path in the repository. */
  readonly from: string;
  /** The imported file likewise, or `npm:name`, `node:name`, a URL. */
  readonly to: string;
  /** Loaded at once, loaded when asked for, or not loaded at all. */
  readonly how: "static" | "dynamic" | "type";
}

/** Whether a file is a test or serves only tests. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || path.endsWith("_test.ts");
}

/** The part a path of the repository, or a specifier, belongs to. */
export function layerOf(path: string): Layer {
  if (path.startsWith("npm:")) return "npm";
  if (path.startsWith("node:")) return "node";
  if (isTest(path)) return "tests";
  if (path === "mod.ts") return "mod";
  if (path === "deno.json") return "project";
  const top = path.split("/")[0] ?? "";
  const layers: readonly Layer[] = ["wasm", "formats", "emu", "core", "cli", "testdata"];
  return layers.find((layer) => layer === top) ?? "elsewhere";
}

/** Imports that point the wrong way, a sentence each. */
export function wrongArrows(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, to }) => {
    const [here, there] = [layerOf(from), layerOf(to)];
    if (to.endsWith("_test.ts")) return [`${from} imports the test ${to}`];
    if (arrows[here]?.includes(there) === true) return [];
    return [`${from} (${here}) imports ${to} (${there})`];
  });
}

/** Commands that load at start what they should load later, a sentence each. */
export function eagerImports(
  imports: readonly Import[],
  rules: Readonly<Record<string, RegExp>> = lazy,
): string[] {
  const complaints: string[] = [];
  for (const [entry, forbidden] of Object.entries(rules)) {
    // Who first led to a file, to be able to show the way.
    const cameFrom = new Map<string, string>([[entry, ""]]);
    for (const path of cameFrom.keys()) {
      for (const { from, to, how } of imports) {
        if (from === path && how === "static" && !cameFrom.has(to)) cameFrom.set(to, from);
      }
    }
    const met = [...cameFrom.keys()].find((path) => forbidden.test(path));
    if (met === undefined) continue;
    const way = [met];
    for (let at = cameFrom.get(met); at; at = cameFrom.get(at)) way.unshift(at);
    complaints.push(`${entry} loads ${met} at start: ${way.join(" -> ")}`);
  }
  return complaints;
}

/**
 * The same code with comments and the insides of strings blanked out; line
 * breaks stay, so that line numbers hold.
 */
export function withoutProse(code: string): string {
  let out = "";
  let at = 0;
  /** Braces open in each template expression we are inside of. */
  const templates: number[] = [];
  const blank = (length: number) => {
    out += code.slice(at, at + length).replace(/[^\n]/g, " ");
    at += length;
  };
  const rest = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(code)?.[0].length ?? 1;
  };
  /** From a backquote or the end of an expression to the next of either. */
  const template = () => {
    blank(rest(/(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y));
    if (code.startsWith("${", at - 2)) templates.push(0);
  };
  while (at < code.length) {
    const here = code[at] ?? "";
    if (code.startsWith("//", at)) blank(rest(/\/\/.*/y));
    else if (code.startsWith("/*", at)) blank(rest(/\/\*[\s\S]*?(?:\*\/|$)/y));
    else if (here === '"') blank(rest(/"(?:\\[\s\S]|[^"\\\n])*"?/y));
    else if (here === "'") blank(rest(/'(?:\\[\s\S]|[^'\\\n])*'?/y));
    else if (here === "`") {
      blank(1);
      template();
    } else if (here === "/" && startsRegExp(out)) {
      blank(rest(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y));
    } else {
      const depth = templates.at(-1);
      if (depth !== undefined && here === "}" && depth === 0) {
        templates.pop();
        blank(1);
        template();
        continue;
      }
      if (depth !== undefined && here === "{") templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && here === "}") templates[templates.length - 1] = depth - 1;
      out += here;
      at++;
    }
  }
  return out;
}

/** A slash here starts a regular expression; after a value it divides. */
function startsRegExp(before: string): boolean {
  const code = before.trimEnd();
  return /(?:^|[([{,;:=!&|?+\-*%^~<>]|\b(?:return|typeof|case|of|in|yield|await))$/.test(code);
}

/** Lines that import what only the running program knows. */
export function computedImports(path: string, code: string): string[] {
  if (isTest(path)) return [];
  const bare = withoutProse(code);
  return [...bare.matchAll(/\bimport\s*\(\s*[^\s)]/g)].map(({ index }) =>
    `${path}:${bare.slice(0, index).split("\n").length}`
  );
}

const hosts = /\b(Deno|process|Buffer|__dirname|require)\b(?=\s*[.([])/;

/** Lines in which code for any host names a particular one. */
export function hostMentions(path: string, code: string): string[] {
  const layer = layerOf(path);
  if (!["wasm", "formats", "emu", "core", "mod"].includes(layer)) return [];
  return withoutProse(code).split("\n").flatMap((line, i) => {
    const name = hosts.exec(line)?.[1];
    return name === undefined ? [] : [`${path}:${i + 1} mentions ${name}`];
  });
}

interface InfoJson {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/**
 * Every import of these files and of what they lead to, as `deno info` sees
 * them.
 *
 * @param root Folder of the repository, absolute.
 * @param files Paths in the repository.
 */
export async function readImports(root: string, files: readonly string[]): Promise<Import[]> {
  const folder = await Deno.makeTempDir();
  try {
    const entry = `${folder}/all.ts`;
    const lines = files.map((file) =>
      `import ${JSON.stringify(pathToFileURL(`${root}/${file}`))};`
    );
    await Deno.writeTextFile(entry, lines.join("\n"));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", `${root}/deno.json`, entry],
      stdin: "null",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const info: InfoJson = JSON.parse(new TextDecoder().decode(stdout));
    return importsIn(info, root);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function importsIn(info: InfoJson, root: string): Import[] {
  const name = (specifier: string) =>
    specifier.startsWith("file:")
      ? relative(root, fileURLToPath(specifier)).replaceAll("\\", "/")
      : specifier.replace(/^npm:\/?((?:@[^/]+\/)?[^@/]+).*$/, "npm:$1");
  return info.modules.filter((m) => m.specifier.startsWith("file:")).flatMap((module) => {
    const from = name(module.specifier);
    if (from.startsWith("..")) return [];
    return (module.dependencies ?? []).map((dependency): Import => ({
      from,
      to: name(dependency.code?.specifier ?? dependency.type?.specifier ?? dependency.specifier),
      how: dependency.isDynamic === true
        ? "dynamic"
        : dependency.code === undefined
        ? "type"
        : "static",
    }));
  });
}
