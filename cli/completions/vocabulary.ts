/**
 * The words that can follow an option: platforms, loaders, sections, field
 * paths. All are read off the tables of the project, here and nowhere else.
 *
 * @module
 */

import { loaderNames } from "../../core/loaders/mod.ts";
import { platforms } from "../../core/platforms/mod.ts";
import { bootParams } from "../../formats/boot_params.ts";
import { kernelInfo } from "../../formats/kernel_info.ts";
import { type Row, type Structure, walk } from "../../formats/layout.ts";
import { setupHeader } from "../../formats/setup_header.ts";
import { parts, shells } from "../program.ts";

/** Words by what they name. */
export interface Vocabulary {
  /** Names that `--platform` takes. */
  readonly platforms: readonly string[];
  /** Names that `--loader` takes. */
  readonly loaders: readonly string[];
  /** Names that `--section` takes. */
  readonly sections: readonly string[];
  /** Paths that `--field` takes: those of the JSON document. */
  readonly fields: readonly string[];
  /** Fields that `--set` takes, as the view of the page names them. */
  readonly settable: readonly string[];
  /** Names that `--extract` takes. */
  readonly parts: readonly string[];
  /** Structures that `--btf` is likely to be asked for. */
  readonly structs: readonly string[];
  /** Shells. */
  readonly shells: readonly string[];
}

/** Paths of the document that no table has; a test looks for each in a document. */
export const documentFields = [
  "kind",
  "size",
  "title",
  "protocol",
  "kernel_release",
  "kernel_version",
  "payload.format",
  "payload.offset",
  "payload.length",
  "payload.uncompressed_size",
  "payload.verified",
  "elf.class",
  "elf.machine",
  "elf.entry",
  "crc.status",
] as const;

/** Dotted paths of a structure, padding left out, arrays by their first element. */
function pathsOf(structure: Structure): string[] {
  return [...walk(structure)]
    .filter(({ row, path }) => row.type !== "pad" && !/\[[1-9]/.test(path))
    .map(({ path }) => path);
}

/** Names of a structure and those within it. */
function structsOf(structure: Structure): string[] {
  const inner = (row: Row): string[] =>
    (row.type === "struct" || row.type === "array") && typeof row.of !== "string"
      ? structsOf(row.of)
      : [];
  return [structure.name, ...Object.values(structure.fields).flatMap(inner)];
}

/** What this release knows. */
export async function vocabulary(): Promise<Vocabulary> {
  const { sections } = await import("../views/sections.ts");
  const under = (name: string, structure: Structure) =>
    pathsOf(structure).map((path) => `${name}.${path}`);
  return {
    platforms: Object.keys(platforms),
    loaders: loaderNames,
    sections: Object.keys(sections),
    fields: [
      ...documentFields,
      ...under("setup_header", setupHeader),
      ...under("kernel_info", kernelInfo),
      ...under("boot_params", bootParams),
    ],
    settable: [
      ...under("setup_header", setupHeader),
      ...under("boot_params", bootParams).filter((path) => !path.startsWith("boot_params.hdr.")),
    ],
    parts,
    structs: [...new Set([...structsOf(bootParams), "task_struct", "page"])],
    shells,
  };
}
