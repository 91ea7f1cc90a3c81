/**
 * The body of bootinfo: opens files and prints the views asked for.
 *
 * @module
 */

import { judgePlatforms } from "../core/evidence.ts";
import { inspect, type Inspection } from "../core/inspection.ts";
import type { Json } from "../core/json.ts";
import type { Verdict } from "../core/platforms/platform.ts";
import type { InfoOptions } from "./program.ts";
import { InputError, unknownName, UsageError } from "./ui/errors.ts";
import { exit } from "./ui/exit.ts";
import { about, type Input, type Reader, readInput } from "./ui/files.ts";
import { progress } from "./ui/progress.ts";
import { styles } from "./ui/style.ts";
import type { Terminal } from "./ui/terminal.ts";
import { printable } from "./ui/text.ts";
import type { Sheet } from "./views/sections.ts";

/** One opened file with what every view of it needs. */
export interface Opened {
  /** The file. */
  readonly inspection: Inspection;
  /** Every platform's verdict. */
  readonly platforms: ReadonlyMap<string, Verdict>;
}

/** Names that `--section` takes beside the sections of an image. */
const otherSections = ["config", "symbols", "initramfs", "boot_params"] as const;

/**
 * Opens the images and prints what the options ask for.
 *
 * @param read Reads them; one that has begun already saves time.
 */
export async function info(
  terminal: Terminal,
  paths: readonly string[],
  options: InfoOptions,
  read: Reader = readInput,
): Promise<number> {
  checkOptions(paths, options);
  if (options.json) return await printJson(terminal, paths, options, read);
  const single = options.extract !== undefined || options.field !== undefined ||
    options.config || options.symbols !== undefined || options.btf !== undefined ||
    options.zeroPage;
  if (paths.length > 1 && !single && !hasView(options)) {
    return await printTable(terminal, paths, options, read);
  }
  let code: number = exit.done.code;
  for (const [i, path] of paths.entries()) {
    const input = await read(path);
    if (paths.length > 1 && !single) {
      terminal.out(`${i > 0 ? "\n" : ""}${styles(terminal.colour).title(printable(path))}\n`);
    }
    const result = await about(path, () => printOne(terminal, input, options));
    code = Math.max(code, result);
  }
  return code;
}

/** Whether the options ask for a view other than the summary. */
function hasView(options: InfoOptions): boolean {
  return Boolean(
    options.all || options.map || options.notes || options.check || options.platform ||
      options.section || options.initramfs,
  );
}

function checkOptions(paths: readonly string[], options: InfoOptions): void {
  if (options.output !== undefined && !options.extract && !options.zeroPage) {
    throw new UsageError("--output goes with --extract or --zero-page");
  }
  if (options.output !== undefined && paths.length > 1) {
    throw new UsageError("--output takes one image");
  }
  if (options.payload === false) {
    const needs = (["config", "symbols", "notes", "btf"] as const)
      .find((name) => options[name] !== undefined);
    if (needs) {
      throw new UsageError(`--${needs} reads the payload, which --no-payload leaves closed`);
    }
  }
}

/** Opens a file, with a progress line while it is unpacked. */
export async function open(
  terminal: Terminal,
  { path, bytes }: Input,
  options: Pick<InfoOptions, "limit"> & { readonly payload?: boolean },
): Promise<Inspection> {
  // There is nothing to wait for.
  if (options.payload === false) return await inspect(path, bytes, { payload: false });
  const line = progress(terminal, `${path}: unpacking`);
  try {
    return await inspect(path, bytes, {
      ...(options.limit === undefined ? {} : { limit: options.limit }),
      progress: (done, total) => line.at(done, total),
    });
  } finally {
    line.done();
  }
}

async function printOne(terminal: Terminal, input: Input, options: InfoOptions): Promise<number> {
  if (options.initramfs !== undefined) {
    const { printInitramfs } = await import("./views/initramfs.ts");
    return await printInitramfs(terminal, input, options);
  }
  const inspection = await open(terminal, input, options);
  if (options.extract) {
    const { extract } = await import("./extract.ts");
    return await extract(terminal, inspection, options.extract, options);
  }
  if (options.zeroPage) {
    const { printZeroPage } = await import("./views/zero_page.ts");
    return await printZeroPage(terminal, inspection, options);
  }
  if (options.config || options.symbols !== undefined || options.btf !== undefined) {
    const inside = await import("./views/inside.ts");
    if (options.config) await inside.printConfig(terminal, inspection);
    if (options.symbols !== undefined) {
      await inside.printSymbols(terminal, inspection, options.symbols);
    }
    if (options.btf !== undefined) await inside.printBtf(terminal, inspection, options.btf);
    return exit.done.code;
  }
  const opened = { inspection, platforms: await judgePlatforms(inspection) };
  if (options.field) return await printFields(terminal, opened, options.field);
  if (options.check) return await printCheck(terminal, opened);
  if (options.platform !== undefined) {
    return await printPlatform(terminal, opened, options.platform);
  }
  const names = sectionNames(options);
  if (names) return await printSections(terminal, opened, names, options);
  if (inspection.recognition.kind === "zero page") {
    const { printBootParams } = await import("./views/boot_params.ts");
    return printBootParams(terminal, inspection);
  }
  const kind = inspection.inside?.kind ?? inspection.recognition.kind;
  if (kind === "cpio") {
    const { printInitramfs } = await import("./views/initramfs.ts");
    return await printInitramfs(terminal, input, options);
  }
  const { summary } = await import("./views/summary.ts");
  summary(terminal, inspection, { platforms: opened.platforms, ...await insideFacts(inspection) });
  return foundation(inspection);
}

/** Exit code of a view: a file of no known kind is bad input. */
function foundation({ recognition }: Inspection): number {
  return recognition.kind === "unknown" || recognition.kind === "empty"
    ? exit.input.code
    : exit.done.code;
}

/** What the summary says of the inside without taking its time. */
async function insideFacts({ kernel }: Inspection): Promise<
  { hasBtf?: boolean; hasConfig?: boolean }
> {
  if (!kernel?.elf) return {};
  return {
    hasBtf: kernel.elf.sections.some(({ name }) => name === ".BTF"),
    hasConfig: await kernel.configText().then((text) => text !== undefined, () => false),
  };
}

/** The sections that the options name, or undefined for the summary. */
function sectionNames(options: InfoOptions): readonly string[] | undefined {
  if (options.all) return ["*"];
  const names = [
    ...(options.section ?? []),
    ...(options.map ? ["map"] : []),
    ...(options.notes ? ["notes"] : []),
  ];
  return names.length > 0 ? names : undefined;
}

async function printSections(
  terminal: Terminal,
  opened: Opened,
  names: readonly string[],
  options: InfoOptions,
): Promise<number> {
  const { sections } = await import("./views/sections.ts");
  const paint = styles(terminal.colour);
  const all = names.includes("*");
  const isPage = opened.inspection.recognition.kind === "zero page";
  if (all && isPage) {
    const { printBootParams } = await import("./views/boot_params.ts");
    return printBootParams(terminal, opened.inspection, true);
  }
  for (const name of all ? Object.keys(sections) : names) {
    if ((otherSections as readonly string[]).includes(name)) {
      await printOther(terminal, opened.inspection, name, options);
      continue;
    }
    const view = Object.hasOwn(sections, name) ? sections[name] : undefined;
    if (!view) throw unknownName("section", name, [...Object.keys(sections), ...otherSections]);
    // A heading only once there is something under it.
    const held = new HeldSheet(terminal);
    const printed = view.print(held, opened);
    if (!printed) {
      if (!all) terminal.err(`${opened.inspection.path}: has no ${view.title}\n`);
      continue;
    }
    if (all || names.length > 1) terminal.out(`${paint.title(view.title)}\n`);
    held.release();
    if (all || names.length > 1) terminal.out("\n");
  }
  return exit.done.code;
}

/** A sheet that keeps what is written until it is known to be wanted. */
class HeldSheet implements Sheet {
  readonly #terminal: Terminal;
  readonly #held: string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get columns(): number {
    return this.#terminal.columns;
  }

  get outIsTerminal(): boolean {
    return this.#terminal.outIsTerminal;
  }

  get colour(): boolean {
    return this.#terminal.colour;
  }

  out(text: string): void {
    this.#held.push(text);
  }

  release(): void {
    for (const text of this.#held) this.#terminal.out(text);
  }
}

async function printOther(
  terminal: Terminal,
  inspection: Inspection,
  name: string,
  options: InfoOptions,
): Promise<void> {
  switch (name) {
    case "config":
      return await (await import("./views/inside.ts")).printConfig(terminal, inspection);
    case "symbols":
      return await (await import("./views/inside.ts")).printSymbols(terminal, inspection, true);
    case "initramfs": {
      const { printInitramfs } = await import("./views/initramfs.ts");
      await printInitramfs(terminal, inspection, { ...options, initramfs: true });
      return;
    }
    default: {
      const { printBootParams } = await import("./views/boot_params.ts");
      printBootParams(terminal, inspection, true);
    }
  }
}

async function printFields(
  terminal: Terminal,
  opened: Opened,
  paths: readonly string[],
): Promise<number> {
  const { fieldOf, fieldPaths, inspectionJson } = await import("../core/json.ts");
  const document = inspectionJson(opened.inspection, opened.platforms);
  for (const path of paths) {
    const value = fieldOf(document, path);
    if (value === undefined) {
      throw absentField(path, fieldPaths(document), opened.inspection.path);
    }
    terminal.out(`${typeof value === "string" ? value : JSON.stringify(value)}\n`);
  }
  return exit.done.code;
}

/** Whether a field is unknown, or known and not in this file. */
function absentField(path: string, known: readonly string[], file: string): Error {
  const hints = known.filter((name) => name.endsWith(`.${path}`)).slice(0, 3);
  return new InputError(
    file,
    `has no field ${path}`,
    hints.length > 0
      ? [`Did you mean ${hints.map((hint) => `"${hint}"`).join(" or ")}?`]
      : ["Fields: see --json; their paths are as in setup_header.version, elf.phdrs[0].vaddr"],
  );
}

async function printCheck(terminal: Terminal, opened: Opened): Promise<number> {
  const { sections } = await import("./views/sections.ts");
  sections.complaints?.print(terminal, opened);
  const { complaints, recognition } = opened.inspection;
  if (recognition.kind === "unknown" || recognition.kind === "empty") return exit.input.code;
  return complaints.some(({ severity }) => severity !== "info")
    ? exit.different.code
    : exit.done.code;
}

async function printPlatform(
  terminal: Terminal,
  { platforms }: Opened,
  name: string,
): Promise<number> {
  const { findPlatform, platforms: platformRows } = await import("../core/platforms/mod.ts");
  const { unnumbered } = await import("../core/platforms/unnumbered.ts");
  const choice = findPlatform(name);
  if (!choice) {
    throw unknownName("platform", name, [
      ...Object.keys(platformRows),
      ...Object.keys(unnumbered),
    ]);
  }
  const { platformLines } = await import("./views/sections.ts");
  if (choice.kind === "row") {
    const verdict = platforms.get(choice.name);
    if (!verdict) return exit.different.code;
    platformLines(terminal, choice.name, choice.platform.title, verdict);
    return verdict.starts ? exit.done.code : exit.different.code;
  }
  const others = [...platforms].filter(([, verdict]) => verdict.starts).map(([row]) => row);
  if (choice.kind === "number") {
    terminal.out(
      `  number ${choice.number}: legal to set, though no kernel has a platform of that number; ` +
        `enters as pc\n`,
    );
    const pc = platforms.get("pc");
    if (pc) platformLines(terminal, "pc", platformRows.pc?.title ?? "", pc);
    return pc?.starts ? exit.done.code : exit.different.code;
  }
  terminal.out(
    `  ${choice.name} (${choice.title}): never got a number in the boot header\n` +
      `    ${choice.answer}\n` +
      `    would do: ${others.join(", ") || "nothing this tool knows"}\n`,
  );
  return exit.different.code;
}

async function printTable(
  terminal: Terminal,
  paths: readonly string[],
  options: InfoOptions,
  read: Reader,
): Promise<number> {
  const { table } = await import("./ui/table.ts");
  const { summaryColumns, summaryRow } = await import("./views/summary.ts");
  const rows: string[][] = [];
  let code: number = exit.done.code;
  for (const path of paths) {
    try {
      const input = await read(path);
      const inspection = await open(terminal, input, options);
      rows.push(summaryRow(inspection, await judgePlatforms(inspection)));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      terminal.err(`${error.message}\n`);
      code = error.code;
    }
  }
  if (rows.length > 0) terminal.out(table(terminal, summaryColumns, rows));
  return code;
}

async function printJson(
  terminal: Terminal,
  paths: readonly string[],
  options: InfoOptions,
  read: Reader,
): Promise<number> {
  const { inspectionJson } = await import("../core/json.ts");
  const documents: Json[] = [];
  let code: number = exit.done.code;
  for (const path of paths) {
    const inspection = await open(terminal, await read(path), options);
    if (options.zeroPage) {
      const { zeroPageJson } = await import("./views/zero_page.ts");
      documents.push(await zeroPageJson(inspection, options));
      continue;
    }
    const document = inspectionJson(inspection, await judgePlatforms(inspection));
    documents.push(document);
    const serious = inspection.complaints.some(({ severity }) => severity !== "info");
    code = Math.max(code, options.check && serious ? exit.different.code : foundation(inspection));
  }
  const [only] = documents;
  const whole: Json = documents.length === 1 && only !== undefined
    ? only
    : { schema: 1, images: documents };
  terminal.out(`${JSON.stringify(whole, null, 2)}\n`);
  return code;
}
