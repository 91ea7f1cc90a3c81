/**
 * The JSON that `bootinfo --json` prints: one stable document a file.
 *
 * Schema 1. Keys keep their order and their meaning; new keys may come. Structure
 * fields have the kernel's names and raw values, fields that the image lacks are
 * absent. Integers up to 2^53 are numbers, wider ones strings such as
 * "0xffffffff81000000"; one rule for all. Byte areas are hexadecimal strings.
 *
 * @module
 */

import type { Elf } from "../formats/elf.ts";
import { segmentTypes } from "../formats/elf_tables.ts";
import { bootParams, decodeBootParams } from "../formats/boot_params.ts";
import { kernelInfo } from "../formats/kernel_info.ts";
import { type AnyRecord, isPresent, meaning, type Structure, walk } from "../formats/layout.ts";
import { hexOf } from "../formats/others/finding.ts";
import type { Pe } from "../formats/pe.ts";
import { setupHeaderTable, showProtocol } from "../formats/setup_header.ts";
import { releaseText } from "./evidence.ts";
import { imageMap } from "./image_map.ts";
import type { Inspection } from "./inspection.ts";
import type { Verdict } from "./platforms/platform.ts";

/** What JSON can hold. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Version of the document's shape. */
export const SCHEMA = 1;

/** An integer as JSON: a number up to 2^53, else a hexadecimal string. */
export function integer(value: number | bigint): Json {
  const whole = BigInt(value);
  return whole <= BigInt(Number.MAX_SAFE_INTEGER) && whole >= -BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(whole)
    : `0x${BigInt.asUintN(64, whole).toString(16)}`;
}

/** Any decoded value as JSON; absent values are left out of objects. */
export function toJson(value: unknown): Json {
  switch (typeof value) {
    case "bigint":
      return integer(value);
    case "number":
      return Number.isSafeInteger(value) ? value : Number.isFinite(value) ? value : null;
    case "string":
    case "boolean":
      return value;
    case "object":
      if (value === null) return null;
      if (value instanceof Uint8Array) return hexOf(value);
      if (Array.isArray(value)) return value.map(toJson);
      if (value instanceof Map) return toJson(Object.fromEntries(value));
      return Object.fromEntries(
        Object.entries(value).flatMap(([key, item]) =>
          item === undefined || typeof item === "function" ? [] : [[key, toJson(item)]]
        ),
      );
    default:
      return null;
  }
}

/** A record with its structure's fields as JSON, in the table's order. */
export function structureJson(
  structure: Structure,
  record: AnyRecord,
): { readonly [key: string]: Json } {
  const keys = Object.entries(structure.fields).filter(([name, row]) =>
    record[name] !== undefined && isPresent(row)
  );
  return Object.fromEntries(keys.map(([name]) => [name, toJson(record[name])]));
}

function elfJson(elf: Elf): Json {
  return {
    class: elf.class,
    machine: elf.machine,
    type: elf.type,
    entry: integer(elf.entry),
    phdrs: elf.phdrs.map((phdr) => ({
      type: (segmentTypes as Readonly<Record<number, string>>)[phdr.type] ?? phdr.type,
      offset: integer(phdr.offset),
      vaddr: integer(phdr.vaddr),
      paddr: integer(phdr.paddr),
      filesz: integer(phdr.filesz),
      memsz: integer(phdr.memsz),
      flags: phdr.flags,
      align: integer(phdr.align),
    })),
    sections: elf.sections.map((section) => ({
      name: section.name,
      type: section.type,
      flags: integer(section.flags),
      addr: integer(section.addr),
      offset: integer(section.offset),
      size: integer(section.size),
    })),
  };
}

function peJson(pe: Pe): Json {
  return {
    machine: pe.coff.Machine,
    pe32_plus: pe.isPlus,
    subsystem: pe.optional.Subsystem,
    entry: pe.optional.AddressOfEntryPoint,
    image_base: integer(pe.optional.ImageBase),
    ...(pe.checksum && { checksum: toJson(pe.checksum) }),
    ...(pe.linuxLayout && { layout: pe.linuxLayout }),
    directories: toJson(pe.directories),
    sections: pe.sections.map((section) => ({
      name: section.name,
      offset: section.offset,
      size: section.size,
      virtual_address: section.virtualAddress,
      virtual_size: section.virtualSize,
      characteristics: section.characteristics,
    })),
    compat: toJson(pe.compat),
  };
}

function platformJson(verdict: Verdict): Json {
  if (!verdict.starts) {
    return { starts: verdict.starts, reason: verdict.reason };
  }
  const entries = verdict.entries.map(({ kind, address, state }) => ({
    kind,
    address: integer(address),
    state,
  }));
  return {
    starts: true,
    entry: entries[0] ?? null,
    entries,
    ...(verdict.remarks.length > 0 && { remarks: verdict.remarks }),
  };
}

/** The document for one file. */
export function inspectionJson(
  inspection: Inspection,
  platforms: ReadonlyMap<string, Verdict>,
): { readonly [key: string]: Json } {
  const { boot, kernel, recognition, pe, uki, certificates } = inspection;
  const document: Record<string, Json> = {
    schema: SCHEMA,
    kind: recognition.kind,
    path: inspection.path,
    size: inspection.bytes.length,
    title: recognition.title,
  };
  if (recognition.fields.length > 0) {
    document.fields = recognition.fields.map(({ name, value }) => ({ name, value: toJson(value) }));
  }
  if (recognition.kind === "zero page") {
    const { fields, header, versionBasis, e820 } = decodeBootParams(inspection.bytes);
    document.protocol = header.version < 0x200 ? "old" : showProtocol(header.version & 0x7fff);
    document.version_basis = versionBasis;
    document.boot_params = {
      ...structureJson(bootParams, fields as unknown as AnyRecord),
      // Entries beyond the count are not part of the map.
      e820_table: toJson(e820),
    };
  }
  if (boot) {
    if (boot.at > 0) document.image_offset = boot.at;
    const { fields, version } = boot.header;
    document.setup_header = structureJson(setupHeaderTable(version), fields as AnyRecord);
    document.protocol = boot.header.version < 0x200 ? "old" : showProtocol(boot.header.version);
  }
  const release = releaseText(inspection);
  if (release !== undefined) document.kernel_release = release;
  const version = boot?.versionString?.text ?? kernel?.banner?.text;
  if (version !== undefined) document.kernel_version = version;
  if (boot?.kernelInfo) {
    const { offset, fields, chunks } = boot.kernelInfo;
    document.kernel_info = {
      offset: boot.at + offset,
      ...structureJson(kernelInfo, fields),
      ...(chunks.length > 0 && { chunks: toJson(chunks) }),
    };
  }
  document.platforms = Object.fromEntries(
    [...platforms].map(([name, verdict]) => [name, platformJson(verdict)]),
  );
  const payload = boot?.payload;
  const unpacked = kernel?.unpacked;
  if (payload) {
    document.payload = {
      format: payload.format ?? null,
      offset: boot.at + payload.offset,
      length: payload.length,
      found: payload.found,
      ...(payload.sizeWord !== undefined && { uncompressed_size: payload.sizeWord }),
      // Null: not opened. True: unpacked, and every length and checksum held.
      verified: inspection.opened
        ? kernel !== undefined &&
          (payload.sizeWord === undefined || payload.sizeWord === kernel.bytes.length)
        : null,
      ...(unpacked && {
        checks: unpacked.checks,
        parameters: unpacked.parameters,
        unpacked_size: kernel.bytes.length,
      }),
    };
  } else if (unpacked) {
    document.payload = {
      format: unpacked.format,
      offset: unpacked.offset,
      length: unpacked.length,
      found: "file",
      verified: true,
      checks: unpacked.checks,
      parameters: unpacked.parameters,
      unpacked_size: kernel.bytes.length,
    };
  }
  if (kernel?.elf) {
    document.elf = elfJson(kernel.elf);
    document.notes = kernel.notes.map(({ owner, type, name, value }) => ({
      owner,
      type,
      ...(name !== undefined && { name }),
      value: toJson(value),
    }));
  }
  if (boot?.crc) document.crc = toJson(boot.crc);
  if (pe) document.pe = peJson(pe);
  if (certificates && certificates.certificates.length > 0) {
    document.certificates = certificates.certificates.map((certificate) => {
      const { offset, length, type, signature } = certificate;
      const verdict = inspection.digests.find((digest) => digest.offset === offset);
      return {
        offset,
        length,
        type,
        ...(signature && {
          digest_algorithm: signature.digestAlgorithm,
          signers: toJson(signature.signers),
          certificates: toJson(signature.certificates),
        }),
        ...(verdict && { image: verdict.status }),
      };
    });
  }
  if (uki) document.uki = toJson({ ...uki });
  if (kernel?.relocations) {
    document.relocations = {
      offset: kernel.elfEnd,
      size: kernel.bytes.length - kernel.elfEnd,
      lists: kernel.relocations.lists.map(({ kind, count }) => ({ kind, count })),
    };
  }
  document.map = imageMap(inspection).map(({ offset, length, name, note }) => ({
    offset,
    length,
    name,
    ...(note !== undefined && { note }),
  }));
  document.complaints = inspection.complaints.map(({ severity, offset, rule, message }) => ({
    severity,
    offset,
    rule,
    message,
  }));
  return document;
}

/**
 * Finds a value in a document by its path: `setup_header.setup_sects`,
 * `elf.phdrs[0].vaddr`, `platforms.pc.entry.address`.
 *
 * @returns Undefined if there is no such value.
 */
export function fieldOf(document: Json, path: string): Json | undefined {
  let value: Json | undefined = document;
  for (const [, name, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    if (value === null || typeof value !== "object") return undefined;
    value = Array.isArray(value)
      ? value[Number(index ?? name)]
      : Object.hasOwn(value, name ?? index ?? "")
      ? (value as { readonly [key: string]: Json })[name ?? index ?? ""]
      : undefined;
  }
  return value;
}

/** All paths of leaves in a document, arrays by their first element. */
export function fieldPaths(document: Json, prefix = ""): string[] {
  if (document === null || typeof document !== "object") return [prefix];
  const entries = Array.isArray(document)
    ? document.slice(0, 1).map((item, i) => [`[${i}]`, item] as const)
    : Object.entries(document).map(([key, item]) => [prefix ? `.${key}` : key, item] as const);
  return entries.flatMap(([key, item]) => fieldPaths(item, prefix + key));
}

/** One field of a structure with its value in words, for tables. */
export interface ShownField {
  /** Dotted path. */
  readonly path: string;
  /** Bytes from the start of the structure. */
  readonly at: number;
  /** Size in bytes. */
  readonly size: number;
  /** The raw value. */
  readonly value: unknown;
  /** What it means, where the value alone does not say. */
  readonly meaning?: string;
  /** What the field is for. */
  readonly doc: string;
}

/** The leaves of a record with their values in words. */
export function* shownFields(structure: Structure, record: AnyRecord): Generator<ShownField> {
  for (const { path, at, size, row, value } of walk(structure, record, structure.base ?? 0)) {
    const words = meaning(row, value);
    yield { path, at, size, value, ...(words !== undefined && { meaning: words }), doc: row.doc };
  }
}
