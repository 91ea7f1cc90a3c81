/**
 * Two images as firmware sees them: PE headers and sections, SBAT, signatures,
 * the sections of a unified kernel image.
 *
 * @module
 */

import { crc32 } from "../../formats/crc32.ts";
import { hex } from "../../formats/errors.ts";
import { type AnyRecord, walk } from "../../formats/layout.ts";
import type { Pe, PeSection } from "../../formats/pe.ts";
import {
  coffHeader,
  machines,
  optionalHeader32,
  optionalHeader64,
  showCharacteristics,
} from "../../formats/pe_headers.ts";

import type { SbatRow } from "../../formats/sbat.ts";
import type { Uki, UkiSection } from "../../formats/uki.ts";
import type { Inspection } from "../inspection.ts";
import {
  address,
  byteCount,
  type Change,
  compare,
  growth,
  growthOf,
  keyed,
  pairs,
  type Side,
  side,
  size,
} from "./change.ts";
import { compareField } from "./header.ts";
import { distance } from "./kernel.ts";

/** Fields that follow from others, or are told with the signature. */
const derived: readonly string[] = [
  "Signature",
  "Magic",
  "NumberOfSections",
  "SizeOfOptionalHeader",
  "TimeDateStamp",
  "SizeOfCode",
  "SizeOfInitializedData",
  "SizeOfUninitializedData",
  "BaseOfCode",
  "BaseOfData",
  "SizeOfImage",
  "SizeOfHeaders",
  "CheckSum",
  "AddressOfEntryPoint",
];

const named = (names: Readonly<Record<number, string>>, value: number): string =>
  names[value] ?? hex(value);

/** Compares what firmware sees. */
export function* compareEfi(a: Inspection, b: Inspection): Generator<Change> {
  const [left, right] = [a.boot?.pe ?? a.pe, b.boot?.pe ?? b.pe];
  const form = (pe: Pe | undefined) => pe && side(pe.isPlus ? "PE32+" : "PE32");
  yield* compare("efi", "format", form(left), form(right), () => ({
    ...(!left && { note: "an EFI stub, so that firmware can start it" }),
    ...(!right && { note: "no EFI stub: firmware cannot start it" }),
  }));
  const layout = (pe: Pe | undefined) => side(pe?.linuxLayout);
  if (left && right) {
    yield* compare("efi", "layout", layout(left), layout(right), () => ({
      note: right.linuxLayout === "new"
        ? "PE header at 0x40, sections in whole pages"
        : "PE header at 0x82, sections aligned to 32 bytes",
    }));
    const entries = [left, right].map((pe) => pe.optional.AddressOfEntryPoint);
    const [from = 0, to = 0] = entries;
    yield* compare("efi", "entry", address(from), address(to), () => ({
      kind: "moved",
      note: `entry moved by ${distance(from, to)}`,
    }));
    const handover = ({ boot }: Inspection) => address(boot?.header.fields.handover_offset);
    const [was, is] = [handover(a), handover(b)];
    // Where one protocol lacks the field that is told with the protocol.
    if (was && is) yield* compare("efi", "handover_offset", was, is, { kind: "moved" });
    yield* compareHeadersOf(left, right);
    yield* comparePeSections(left, right);
  }
  yield* compareSbat(a.uki?.sbat ?? a.sbat, b.uki?.sbat ?? b.sbat);
}

function* compareHeadersOf(a: Pe, b: Pe): Generator<Change> {
  const tables = [
    [coffHeader, a.coff, b.coff],
    [b.isPlus ? optionalHeader64 : optionalHeader32, a.optional, b.optional],
  ] as const;
  for (const [table, was, is] of tables) {
    const [left, right] = [was as AnyRecord, is as AnyRecord];
    for (const { path, row } of walk(table)) {
      if (derived.includes(path)) continue;
      // PE32 has some words in 32 bits that PE32+ has in 64.
      const [x, y] = [left[path], right[path]].map((v) => typeof v === "bigint" ? Number(v) : v);
      if (x === undefined || y === undefined) continue;
      yield* compareField("efi", path, { row, was: x, is: y });
    }
  }
  const compat = (pe: Pe) =>
    new Map(pe.compat.map(({ machine, entry }) => [named(machines, machine), entry]));
  for (const [machine, was, is] of pairs(compat(a), compat(b))) {
    yield* compare("efi", `.compat ${machine}`, address(was), address(is), () => ({
      ...(was !== undefined && is !== undefined && { kind: "moved" as const }),
      note: "entry for firmware of that machine type",
    }));
  }
}

function* comparePeSections(a: Pe, b: Pe): Generator<Change> {
  const byName = (pe: Pe) => keyed(pe.sections, ({ name }) => name || "(nameless)");
  for (const [name, was, is] of pairs(byName(a), byName(b))) {
    yield* compare("efi", `section ${name}`, sectionSide(was), sectionSide(is), () => {
      if (!was || !is) return {};
      const grown = was.virtualSize !== is.virtualSize;
      return {
        kind: grown ? "resized" : was.virtualAddress !== is.virtualAddress ? "moved" : "changed",
        note: grown ? `${growth(was.virtualSize, is.virtualSize)} in memory` : undefined,
      };
    });
  }
}

function sectionSide(section: PeSection | undefined): Side | undefined {
  if (!section) return undefined;
  const { virtualAddress, virtualSize, size, characteristics } = section;
  return side(
    { virtual_address: virtualAddress, virtual_size: virtualSize, size, characteristics },
    `${hex(virtualAddress)}, ${byteCount(virtualSize)} ${showCharacteristics(characteristics)}`,
  );
}

function* compareSbat(
  a: readonly SbatRow[] | undefined,
  b: readonly SbatRow[] | undefined,
): Generator<Change> {
  const rows = (sbat: readonly SbatRow[] | undefined) =>
    keyed(sbat ?? [], ({ component }) => component);
  for (const [component, was, is] of pairs(rows(a), rows(b))) {
    const row = (r: SbatRow | undefined) =>
      r && side(
        { ...r },
        `generation ${r.generation}${r.version ? `, ${r.package} ${r.version}` : ""}`,
      );
    yield* compare("sbat", component, row(was), row(is), () => ({
      ...(was && is && is.generation < was.generation &&
        { note: "an older generation: firmware may refuse it", severity: "warning" as const }),
    }));
  }
}

/** Compares signatures, and how each file stands to its own. */
export function* compareSignatures(a: Inspection, b: Inspection): Generator<Change> {
  if (!a.pe && !b.pe) return;
  const [left, right] = [signers(a), signers(b)];
  yield* compare("signature", "signed", side(left ?? "no"), side(right ?? "no"), () => ({
    ...(right === undefined && {
      note: "no longer signed: Secure Boot will not start it",
      severity: "warning" as const,
    }),
  }));
  const digest = (i: Inspection) =>
    i.digests.length === 0
      ? undefined
      : side(i.digests.map(({ status }) => status), i.digests.map(({ text }) => text).join("; "));
  const [was, is] = [digest(a), digest(b)];
  if (was && is) yield* compare("signature", "image hash", was, is);
  const certificates = ({ certificates }: Inspection) =>
    keyed(
      (certificates?.certificates ?? []).flatMap((c) => c.signature?.certificates ?? []),
      ({ subject }) => `certificate ${subject.commonName ?? subject.text}`,
    );
  for (const [name, before, after] of pairs(certificates(a), certificates(b))) {
    const shown = (c: typeof before) =>
      c && side(
        { serial: c.serial, not_before: c.notBefore, not_after: c.notAfter },
        `valid ${c.notBefore.slice(0, 10)} to ${c.notAfter.slice(0, 10)}, serial ${c.serial}`,
      );
    yield* compare("signature", name, shown(before), shown(after));
  }
  const length = ({ certificates: c }: Inspection) => c && c.size > 0 ? c.size : undefined;
  const [from, to] = [length(a), length(b)];
  yield* compare("signature", "certificate table", size(from), size(to), () => ({
    ...(from !== undefined && to !== undefined && { kind: "resized" as const }),
    note: growthOf(from, to),
  }));
  const checksum = ({ pe }: Inspection) => side(pe?.checksum?.status);
  yield* compare("signature", "PE checksum", checksum(a), checksum(b), () => ({
    ...(b.pe?.checksum?.status === "wrong" && { severity: "warning" as const }),
  }));
}

function signers({ certificates }: Inspection): string | undefined {
  const all = certificates?.certificates ?? [];
  if (all.length === 0) return undefined;
  const names = all.flatMap(({ signature }) =>
    signature
      ? signature.signers.map(({ subject, issuer, serial }) =>
        subject?.commonName ?? issuer?.commonName ?? serial
      )
      : ["something other than PKCS #7"]
  );
  return `by ${names.join(", ") || "nobody named"}`;
}

/** Longest section text that is compared by its lines. */
const LONGEST_TEXT = 1024;

/** Compares the sections of two unified kernel images, profile by profile. */
export function* compareUkis(a: Inspection, b: Inspection): Generator<Change> {
  const kind = ({ uki }: Inspection) =>
    side(uki && (uki.kind === "uki" ? "unified kernel image" : "addon"));
  yield* compare("uki", "kind", kind(a), kind(b));
  if (!a.uki || !b.uki) return;
  const [left, right] = [ukiSections(a.uki), ukiSections(b.uki)];
  for (const [name, was, is] of pairs(left, right)) {
    yield* compare("uki", name, ukiSide(was, a.bytes), ukiSide(is, b.bytes), () => {
      if (!was || !is) return {};
      if (was.text !== undefined && is.text !== undefined) return {};
      return {
        note: was.size === is.size ? "same size, other content" : growth(was.size, is.size),
      };
    });
  }
}

function ukiSections({ base, profiles }: Uki): Map<string, UkiSection> {
  const all = [
    ...base.map((section) => ({ section, name: section.name as string })),
    ...profiles.flatMap(({ number, id, sections }) =>
      sections.map((section) => ({ section, name: `profile ${id ?? number} ${section.name}` }))
    ),
  ];
  return new Map([...keyed(all, ({ name }) => name)].map(([key, { section }]) => [key, section]));
}

function ukiSide(section: UkiSection | undefined, file: Uint8Array): Side | undefined {
  if (!section) return undefined;
  const { offset, size, text } = section;
  if (text !== undefined && text.length <= LONGEST_TEXT) return side(text, text.trim());
  const sum = crc32(file.subarray(offset, offset + size));
  return side({ size, crc32: sum }, `${byteCount(size)}, CRC-32 ${hex(sum, 8)}`);
}
