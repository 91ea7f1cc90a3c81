/**
 * The body of bootdiff: finds out what A and B are, and has them compared.
 *
 * @module
 */

import { BootError } from "../core/errors.ts";
import { type Change, type DiffSection, diffSections } from "../core/diff/change.ts";
import { parseRelease } from "../core/release.ts";
import { recogniseCompression } from "../formats/payload/compression.ts";
import { recognise, type Recognition } from "../formats/recognise.ts";
import type { Config } from "../formats/ikconfig.ts";
import type { ComparedLayout } from "../core/diff/layout.ts";
import type { ComparedPage } from "../core/diff/zero_page.ts";
import type { Inspection } from "../core/inspection.ts";
import { open } from "./info.ts";
import type { DiffOptions } from "./program.ts";
import { InputError, unknownName, UsageError } from "./ui/errors.ts";
import { exit } from "./ui/exit.ts";
import { about, type Input, readInput } from "./ui/files.ts";
import type { Terminal } from "./ui/terminal.ts";
import { grouped } from "./views/words.ts";

/** One side of a comparison. */
export interface Subject {
  /** The file or the release, as the user named it. */
  readonly path: string;
  /** What it is, in a few words. */
  readonly title: string;
  /** A name short enough for the head of a column; absent where the path will do. */
  readonly label?: string;
}

/** What came of comparing. */
export interface Comparison {
  /** What was compared. */
  readonly compared: "images" | "zero pages" | "layouts" | "configurations" | "files";
  /** The first side. */
  readonly a: Subject;
  /** The second side. */
  readonly b: Subject;
  /** Whether the files are the same byte for byte; absent where they are not compared so. */
  readonly identical?: boolean;
  /** What differs; with `--all` what is the same as well. */
  readonly changes: readonly Change[];
}

/** Sections of bootinfo and what they are called here. */
const otherNames: Readonly<Record<string, readonly DiffSection[]>> = {
  recognition: ["file"],
  elf: ["kernel", "segments", "sections"],
  pe: ["efi"],
  certificate: ["signature"],
  map: ["contents"],
};

/** Compares A and B and prints what differs. */
export async function diff(
  terminal: Terminal,
  a: string,
  b: string,
  options: DiffOptions,
): Promise<number> {
  const views = (["layout", "config", "zeroPage"] as const).filter((name) => options[name]);
  if (views.length > 1) {
    throw new UsageError("--layout, --config and --zero-page are three comparisons; choose one");
  }
  // A struct's name is looked up later, where the layouts are at hand.
  if (!options.layout) sectionsOf(options);
  const compareThem = options.layout
    ? compareLayouts
    : options.config
    ? compareConfigs
    : options.zeroPage
    ? comparePages
    : compareFiles;
  const comparison = await compareThem(terminal, a, b, options);
  const { printDiff, diffJson } = await import("./views/diff.ts");
  if (options.json) terminal.out(`${JSON.stringify(diffJson(comparison), null, 2)}\n`);
  else printDiff(terminal, comparison, options);
  return comparison.changes.some(({ kind }) => kind !== "same")
    ? exit.different.code
    : exit.done.code;
}

/** The sections that the options name, bootinfo's names turned into ours. */
function sectionsOf({ section }: DiffOptions): readonly string[] | undefined {
  return section?.flatMap((name): readonly string[] => {
    if (Object.hasOwn(diffSections, name)) return [name];
    const other = Object.hasOwn(otherNames, name) ? otherNames[name] : undefined;
    if (other) return other;
    throw unknownName("section", name, Object.keys(diffSections));
  });
}

const wanted = (options: DiffOptions) => ({
  all: options.all === true,
  sections: sectionsOf(options),
});

/** Reads both files; one named twice is read once. */
async function readBoth(a: string, b: string): Promise<readonly [Input, Input]> {
  const first = await readInput(a);
  return [first, a === b && a !== "-" ? first : await readInput(b)];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}

const titleOf = (kind: string, { bytes }: Input): string =>
  `${kind}, ${grouped(bytes.length)} ${bytes.length === 1 ? "byte" : "bytes"}`;

const subject = (input: Input, kind: string): Subject => ({
  path: input.path,
  title: titleOf(kind, input),
});

// Files as they come

async function compareFiles(
  terminal: Terminal,
  a: string,
  b: string,
  options: DiffOptions,
): Promise<Comparison> {
  const inputs = await readBoth(a, b);
  const [left, right] = inputs;
  const [was, is] = [recognise(left.bytes), recognise(right.bytes)];
  const sides = { a: subject(left, was.kind), b: subject(right, is.kind) };
  const identical = sameBytes(left.bytes, right.bytes);
  if (identical && !options.all) return { compared: "files", ...sides, identical, changes: [] };

  if (was.kind === "zero page" && is.kind === "zero page") {
    const { diffZeroPages } = await import("../core/diff/zero_page.ts");
    const changes = diffZeroPages({ page: left.bytes }, { page: right.bytes }, wanted(options));
    return { compared: "zero pages", ...sides, identical, changes };
  }
  if (was.kind === "text" && is.kind === "text") {
    return { ...await compareConfigs(terminal, a, b, options, inputs), identical };
  }
  const opened = [
    await openSide(terminal, left, was, options),
    await openSide(terminal, right, is, options),
  ] as const;
  const [x, y] = [classOf(was, opened[0]), classOf(is, opened[1])];
  if (x !== y) throw notComparable(left, was, right, is);
  const { judgePlatforms } = await import("../core/evidence.ts");
  const { diffImages } = await import("../core/diff/image.ts");
  const [one, other] = opened;
  if (!one || !other) throw notComparable(left, was, right, is);
  const changes = await diffImages(
    { inspection: one, platforms: await judgePlatforms(one) },
    { inspection: other, platforms: await judgePlatforms(other) },
    wanted(options),
  );
  const kind = (i: Inspection) =>
    i.inside ? `${i.recognition.kind}: ${i.inside.kind}` : i.recognition.kind;
  return {
    compared: x === "image" ? "images" : "files",
    a: subject(left, kind(one)),
    b: subject(right, kind(other)),
    identical,
    changes,
  };
}

/** Opens a file that may be an image; texts and zero pages are none. */
async function openSide(
  terminal: Terminal,
  input: Input,
  { kind }: Recognition,
  options: DiffOptions,
): Promise<Inspection | undefined> {
  if (kind === "unknown" || kind === "empty") {
    throw new InputError(input.path, `is ${kind === "empty" ? "empty" : "of no known kind"}`);
  }
  if (kind === "text" || kind === "zero page") return undefined;
  return await about(input.path, () => open(terminal, input, options));
}

const imageKinds: readonly string[] = [
  "bzImage",
  "zImage",
  "old boot sector kernel",
  "UKI",
  "PE",
  "ELF",
  "Xen hypervisor",
  "multiboot1",
  "multiboot2",
];

/** What can be compared with what: images with each other, others with their kind. */
function classOf({ kind }: Recognition, opened: Inspection | undefined): string {
  const inside = opened?.inside?.kind ?? kind;
  const isImage = opened?.boot || opened?.pe || opened?.kernel?.elf || imageKinds.includes(inside);
  return isImage ? "image" : inside;
}

function notComparable(a: Input, was: Recognition, b: Input, is: Recognition): InputError {
  const kinds = [was.kind, is.kind];
  const hints = kinds.includes("zero page")
    ? ["A page and the one that a loader would build: bootdiff --zero-page PAGE IMAGE"]
    : kinds.includes("text")
    ? ["A configuration and the one in an image: bootdiff --config CONFIG IMAGE"]
    : [];
  return new InputError(a.path, `cannot be compared with ${b.path}`, [
    `${a.path}: ${was.title}`,
    `${b.path}: ${is.title}`,
    ...hints,
  ]);
}

// Configurations

async function compareConfigs(
  terminal: Terminal,
  a: string,
  b: string,
  options: DiffOptions,
  inputs?: readonly [Input, Input],
): Promise<Comparison> {
  const [left, right] = inputs ?? await readBoth(a, b);
  const [was, is] = [
    await configOf(terminal, left, options),
    await configOf(terminal, right, options),
  ];
  const { diffConfigs } = await import("../core/diff/config.ts");
  const title = (config: Config) => `${grouped(config.size)} options`;
  return {
    compared: "configurations",
    a: { path: left.path, title: title(was) },
    b: { path: right.path, title: title(is) },
    changes: diffConfigs(was, is, wanted(options)),
  };
}

/** The configuration a file is, plain or compressed, or the one an image carries. */
async function configOf(terminal: Terminal, input: Input, options: DiffOptions): Promise<Config> {
  const { path, bytes } = input;
  const { decodeConfig } = await import("../formats/ikconfig.ts");
  const text = await plainText(input, options);
  if (text !== undefined) {
    const config = decodeConfig(text);
    if (config.size > 0) return config;
    throw new InputError(path, `is no kernel configuration, but ${recognise(bytes).title}`);
  }
  const { kernel, recognition, complaints } = await about(
    path,
    () => open(terminal, input, options),
  );
  const config = await about(path, async () => await kernel?.config());
  if (config) return config;
  const broken = kernel ? undefined : complaints.find(({ rule }) => rule === "payload");
  throw new InputError(
    path,
    broken ? broken.message : `has no built-in configuration (${recognition.title})`,
    broken ? [] : ["Distributions put it beside the kernel, as /boot/config-RELEASE."],
  );
}

/** A text, or the text in a compressed file such as /proc/config.gz. */
async function plainText(
  { path, bytes }: Input,
  options: DiffOptions,
): Promise<string | undefined> {
  const { kind } = recognise(bytes);
  if (kind === "text") return new TextDecoder().decode(bytes);
  const format = kind === "compressed" ? recogniseCompression(bytes) : undefined;
  if (!format) return undefined;
  const { decompress } = await import("../formats/payload/decompress.ts");
  const limit = options.limit ?? 2 ** 30;
  const unpacked = await about(path, () => decompress(format, bytes, { limit }));
  return recognise(unpacked.bytes).kind === "text"
    ? new TextDecoder().decode(unpacked.bytes)
    : undefined;
}

// Zero pages

async function comparePages(
  terminal: Terminal,
  a: string,
  b: string,
  options: DiffOptions,
): Promise<Comparison> {
  const [left, right] = await readBoth(a, b);
  const [first, second = first] = options.loader ?? [];
  const [was, is] = [
    await pageOf(terminal, left, first, options),
    await pageOf(terminal, right, second, options),
  ];
  const { diffZeroPages } = await import("../core/diff/zero_page.ts");
  const { loaders } = await import("../core/loaders/mod.ts");
  const title = ({ built }: ComparedPage) =>
    built ? `zero page as ${loaders[built.loader].title} builds it` : "zero page, 4,096 bytes";
  return {
    compared: "zero pages",
    a: { path: left.path, title: title(was) },
    b: { path: right.path, title: title(is) },
    identical: sameBytes(was.page, is.page),
    changes: diffZeroPages(was, is, wanted(options)),
  };
}

/** A page as it is in a file, or as the loader would build it for an image. */
async function pageOf(
  terminal: Terminal,
  input: Input,
  loader: string | undefined,
  options: DiffOptions,
): Promise<ComparedPage> {
  if (recognise(input.bytes).kind === "zero page") return { page: input.bytes };
  const { zeroPageOf } = await import("./views/zero_page.ts");
  // A vmlinux has to be opened, an image's header does without.
  const closed = await about(
    input.path,
    () => open(terminal, input, { ...options, payload: false }),
  );
  const inspection = closed.boot ? closed : await open(terminal, input, options);
  try {
    const built = await zeroPageOf(inspection, {
      ...(loader !== undefined && { loader }),
      ...(options.memory !== undefined && { memory: options.memory }),
      ...(options.append !== undefined && { append: options.append }),
    });
    return { page: built.page, built };
  } catch (error) {
    if (!(error instanceof BootError)) throw error;
    const by = loader === undefined ? "" : `${loader}: `;
    throw new InputError(input.path, `${by}${error.message}`, [], { cause: error });
  }
}

// Layouts

interface LayoutSide extends Subject {
  readonly layout: ComparedLayout;
}

async function compareLayouts(
  terminal: Terminal,
  a: string,
  b: string,
  options: DiffOptions,
): Promise<Comparison> {
  const [left, right] = [
    await layoutSide(terminal, a, options),
    await layoutSide(terminal, b, options),
  ];
  const { diffLayouts, NoStructError } = await import("../core/diff/layout.ts");
  try {
    return {
      compared: "layouts",
      a: subjectOf(left),
      b: subjectOf(right),
      changes: diffLayouts(left.layout, right.layout, {
        all: options.all === true,
        structs: options.section,
      }),
    };
  } catch (error) {
    if (!(error instanceof NoStructError)) throw error;
    throw new UsageError(error.message, ["--section names a struct here, as in boot_params"]);
  }
}

const subjectOf = ({ layout: _, ...subject }: LayoutSide): Subject => subject;

/** A release of the history, unless there is a file of that name. */
async function layoutSide(
  terminal: Terminal,
  path: string,
  options: DiffOptions,
): Promise<LayoutSide> {
  const isFile = path === "-" || await Deno.stat(path).then(() => true, () => false);
  if (!isFile && parseRelease(path)) {
    const { layoutOf, ReleaseError } = await import("../formats/history.ts");
    try {
      const layout = layoutOf(path);
      const title = `Linux ${path}, boot protocol ${layout.protocol.version}`;
      return { path, title, layout: { kind: "release", layout } };
    } catch (error) {
      if (error instanceof ReleaseError) throw new UsageError(error.message);
      throw error;
    }
  }
  const input = await readInput(path);
  const { kernel, recognition, complaints } = await about(
    path,
    () => open(terminal, input, options),
  );
  const btf = await about(path, async () => await kernel?.btf());
  if (btf) {
    const title = `types of ${kernel?.banner?.release ?? recognition.title}`;
    const label = kernel?.banner?.release;
    return { path, title, ...(label && { label }), layout: { kind: "types", btf } };
  }
  const broken = kernel ? undefined : complaints.find(({ rule }) => rule === "payload");
  throw new InputError(
    path,
    broken ? broken.message : `carries no types (BTF): ${recognition.title}`,
    broken ? [] : ["A release will do in its place: bootdiff --layout 6.1 6.12"],
  );
}
