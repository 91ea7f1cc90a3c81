/**
 * The zero page that a loader would hand over, with who set what.
 *
 * @module
 */

import type { Inspection } from "../../core/inspection.ts";
import { integer, type Json, SCHEMA, toJson } from "../../core/json.ts";
import { type LoaderName, loaderNames, loaders } from "../../core/loaders/mod.ts";
import { findPlatform, platforms } from "../../core/platforms/mod.ts";
import { buildZeroPage, type ZeroPage } from "../../core/zero_page.ts";
import { auditContextOf, auditZeroPage } from "../../core/zero_page_audit.ts";
import { bootParams } from "../../formats/boot_params.ts";
import { hex } from "../../formats/errors.ts";
import { meaning, walk } from "../../formats/layout.ts";
import type { InfoOptions } from "../program.ts";
import { InputError, unknownName, UsageError } from "../ui/errors.ts";
import { exit } from "../ui/exit.ts";
import { readInput, writeOutput } from "../ui/files.ts";
import { suggestion } from "../ui/suggest.ts";
import { styles } from "../ui/style.ts";
import { table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { isZero } from "./boot_params.ts";
import { severityPaint, shortEntry } from "./summary.ts";
import { raw, roughly } from "./words.ts";

/** What decides about a zero page, as the options of both commands have it. */
export type PageOptions = Pick<
  InfoOptions,
  "loader" | "memory" | "append" | "initrd" | "set" | "platform"
>;

/** Memory of the machine unless the user says otherwise, in bytes. */
const DEFAULT_MEMORY = 512 * 2 ** 20;

function loaderOf(name: string): LoaderName {
  const known = loaderNames.find((loader) => loader === name);
  if (known === undefined) throw unknownName("loader", name, loaderNames);
  return known;
}

function platformOf(name: string): number {
  const choice = findPlatform(name);
  if (choice?.kind === "number") return choice.number;
  if (choice?.kind === "row") return choice.platform.subarch ?? 0;
  throw unknownName("platform", name, Object.keys(platforms));
}

/** Holds that a field of the page has the name that `--set` gives. */
export function checkField(path: string): void {
  const names = [...walk(bootParams)].map(({ path: inner }) =>
    inner.startsWith("hdr.") ? `setup_header.${inner.slice(4)}` : `boot_params.${inner}`
  );
  if (names.includes(path.replace(/^boot_params\.hdr\./, "setup_header."))) return;
  const near = suggestion(path, names);
  throw new UsageError(
    `unknown field "${path}"`,
    [near ? `Did you mean "${near}"?` : "Fields: setup_header.NAME, boot_params.NAME"],
  );
}

/** Builds the page that the options ask for. */
export async function zeroPageOf(
  inspection: Inspection,
  options: PageOptions,
): Promise<ZeroPage> {
  const { boot, kernel, path } = inspection;
  const initrd = options.initrd === undefined ? undefined : await readInput(options.initrd);
  const load = kernel?.elf?.load;
  if (!boot && !(kernel?.elf && load)) {
    throw new InputError(path, "is no kernel that a zero page could be built for");
  }
  for (const { field } of options.set ?? []) checkField(field);
  return buildZeroPage({
    ...(boot ? { image: { bytes: boot.bytes, header: boot.header } } : kernel?.elf && load
      ? {
        vmlinux: {
          entry: kernel.elf.entry,
          start: load.paddr.start,
          end: load.paddr.end,
          is64: kernel.elf.class === 64,
        },
      }
      : {}),
    memory: options.memory ?? DEFAULT_MEMORY,
    ...(options.append !== undefined && { commandLine: options.append }),
    ...(initrd && { initrd: { size: initrd.bytes.length } }),
    ...(options.platform !== undefined && { platform: platformOf(options.platform) }),
    ...(options.loader !== undefined && { loader: loaderOf(options.loader) }),
    ...(options.set && {
      set: Object.fromEntries(options.set.map(({ field, value }) => [field, value])),
    }),
  });
}

/** Prints the page, or saves it where `--output` says. */
export async function printZeroPage(
  terminal: Terminal,
  inspection: Inspection,
  options: PageOptions & Pick<InfoOptions, "output" | "all">,
): Promise<number> {
  const built = await zeroPageOf(inspection, options);
  if (options.output !== undefined) {
    await writeOutput(options.output, built.page, terminal);
    if (options.output !== "-" && !terminal.quiet) {
      terminal.err(`${options.output}: zero page, ${built.page.length} bytes\n`);
    }
    return exit.done.code;
  }
  const paint = styles(terminal.colour);
  const loader = loaders[built.loader];
  terminal.out(`${paint.title(printable(inspection.path))}\n`);
  terminal.out(`  zero page at ${hex(built.address)} as ${loader.title} builds it\n\n`);
  const rows = built.fields
    .filter(({ who, value }) => options.all || who !== "nobody" || !isZero(value))
    .filter(({ who, value, path }) =>
      options.all || !isZero(value) || who === "user" || path === "setup_header.hardware_subarch"
    )
    .map(({ path, at, size, who, row, value }) => [
      hex(at, 3),
      path,
      raw(value, size > 8 ? 1 : size),
      who === "nobody" ? paint.dim(who) : who === "user" ? paint.warn(who) : who,
      printable(meaning(row, value) ?? ""),
    ]);
  terminal.out(table(
    terminal,
    [
      { title: "At", align: "right", paint: paint.dim },
      { title: "Field", paint: paint.name },
      { title: "Value", fit: "wrap" },
      { title: "Set by" },
      { title: "Meaning", fit: "wrap" },
    ],
    rows,
    { indent: 2 },
  ));
  terminal.out("\n");
  terminal.out(table(
    terminal,
    [
      { title: "Memory", align: "right" },
      { title: "End", align: "right" },
      { title: "What" },
      { title: "Why there", fit: "wrap" },
    ],
    built.placements.map(({ what, address, size, why }) => [
      hex(address),
      hex(address + size),
      what,
      why,
    ]),
    { indent: 2 },
  ));
  terminal.out("\n");
  terminal.out(table(
    terminal,
    [{ title: "Memory map", align: "right" }, { title: "End", align: "right" }, {
      title: "Size",
      align: "right",
    }, { title: "Type" }],
    built.memoryMap.map(({ addr, size, type }) => [
      hex(addr),
      hex(addr + size),
      roughly(size),
      meaning(bootParams.fields.e820_table.of.fields.type, type) ?? String(type),
    ]),
    { indent: 2 },
  ));
  for (const entry of built.entries) {
    terminal.out(`\n  ${paint.name("enters")} ${shortEntry(entry)}: ${entry.state}\n`);
  }
  const audit = auditZeroPage(
    built.page,
    inspection.boot && { bytes: inspection.boot.bytes, header: inspection.boot.header },
    auditContextOf(built),
  );
  for (const { severity, offset, rule, message } of audit) {
    terminal.out(
      `  ${severityPaint(paint, severity)} at ${hex(offset)} [${rule}] ${printable(message)}\n`,
    );
  }
  for (const note of built.notes) terminal.out(`  ${paint.dim("note")} ${printable(note)}\n`);
  return exit.done.code;
}

/** The page as JSON. */
export async function zeroPageJson(inspection: Inspection, options: PageOptions): Promise<Json> {
  const built = await zeroPageOf(inspection, options);
  return pageJson(inspection.path, built);
}

/** A built page as JSON: fields by path with value and author. */
export function pageJson(path: string, built: ZeroPage): Json {
  return {
    schema: SCHEMA,
    kind: "zero page",
    path,
    size: built.page.length,
    loader: built.loader,
    address: integer(built.address),
    command_line: {
      address: integer(built.commandLine.address),
      text: new TextDecoder().decode(built.commandLine.bytes.subarray(0, -1)),
    },
    boot_params: Object.fromEntries(
      built.fields.map(({ path: field, value, who }) => [field, { value: toJson(value), who }]),
    ),
    placements: toJson(built.placements),
    entries: toJson(built.entries),
    memory_map: toJson(built.memoryMap),
    notes: built.notes,
  };
}
