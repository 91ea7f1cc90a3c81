/**
 * Two setup headers: the protocol and what it brought, what matters to loading,
 * the other fields.
 *
 * @module
 */

import { fieldHistory, historyRange, layoutOf } from "../../formats/history.ts";
import { historyData } from "../../formats/boot_params_history.ts";
import {
  type AnyRecord,
  type Difference,
  isPresent,
  type Row,
  type Structure,
} from "../../formats/layout.ts";
import { type FoundHeader, setupHeader, showProtocol } from "../../formats/setup_header.ts";
import { type Change, compare, type DiffSection, fieldSide, side } from "./change.ts";

/** Fields that decide where and how a kernel may be loaded. */
const loadingFields: readonly string[] = [
  "loadflags",
  "xloadflags",
  "code32_start",
  "pref_address",
  "relocatable_kernel",
  "kernel_alignment",
  "min_alignment",
  "init_size",
  "initrd_addr_max",
  "cmdline_size",
];

/** Fields whose meaning is told elsewhere, where the whole image is compared. */
const toldElsewhere: readonly string[] = [
  "version",
  "jump",
  "syssize",
  "kernel_version",
  "payload_offset",
  "payload_length",
  "handover_offset",
  "kernel_info_offset",
];

/** A protocol as the history names it. */
export function protocolName(version: number): string {
  return version < 0x200 ? "old" : showProtocol(version & 0x7fff);
}

/** What lies between two protocols, a line each: "adds kernel_info (2.15, Linux 5.5)". */
export function protocolNote(was: string, is: string): string | undefined {
  const order = historyData.protocols.map(({ version }) => version);
  const [i, j] = [order.indexOf(was), order.indexOf(is)];
  if (i < 0 || j < 0 || i === j) return undefined;
  const between = historyData.protocols.slice(Math.min(i, j) + 1, Math.max(i, j) + 1)
    .filter(({ since, development }) => since !== undefined && !development);
  const parts = between.map(({ version, since, adds }) =>
    `${adds.join(", ")} (${version}, Linux ${since})`
  );
  const verb = j > i ? "adds" : "lacks";
  return parts.length > 0 ? parts.map((part) => `${verb} ${part}`).join("\n") : undefined;
}

/** First release of a header field, by the history. */
export function sinceOf(path: string): Pick<Change, "since" | "sinceBasis"> {
  const [first] = fieldHistory(path);
  return first === undefined ? {} : { since: first.since, sinceBasis: first.basis };
}

/** Bits that came and went, by name, with the release that a new one came with. */
export function bitsNote(row: Row, was: unknown, is: unknown, field: string): string | undefined {
  if (!row.bits || typeof was !== "number" || typeof is !== "number") return undefined;
  const set = field === "loadflags" || field === "xloadflags"
    ? layoutOf(historyRange.to).names[field]
    : [];
  const parts: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const [before, after] = [was >>> bit & 1, is >>> bit & 1];
    if (before === after) continue;
    const since = set.find((name) => name.bit === bit)?.since;
    const name = row.bits[bit] ?? `bit ${bit}`;
    parts.push(`${after ? "+" : "-"}${name}${after && since ? ` (Linux ${since})` : ""}`);
  }
  return parts.join(" ");
}

/** One field of a structure compared, its bits by name. */
export function compareField(
  section: DiffSection,
  path: string,
  { row, was, is }: Pick<Difference, "row" | "was" | "is">,
): Change[] {
  return compare(section, path, fieldSide(row, was), fieldSide(row, is), () => {
    const note = bitsNote(row, was, is, path.replace(/^.*\./, ""));
    return note === undefined ? {} : { note, meaning: `${path}: ${note}` };
  });
}

/** How to compare two headers. */
export interface HeaderOptions {
  /**
   * Whether the rest of the image is compared as well, so that pointers into it
   * are told by what they point to.
   */
  readonly withImage?: boolean;
}

/** Compares two headers, each field by the protocol of its side. */
export function* compareHeaders(
  a: FoundHeader,
  b: FoundHeader,
  { withImage = false }: HeaderOptions = {},
): Generator<Change> {
  const [was, is] = [protocolName(a.version), protocolName(b.version)];
  yield* compare("protocol", "protocol", side(was), side(is), () => {
    const note = protocolNote(was, is);
    return {
      note,
      meaning: `protocol ${was} → ${is}${note ? `: ${note.replaceAll("\n", "; ")}` : ""}`,
    };
  });
  const [left, right] = [a.fields as AnyRecord, b.fields as AnyRecord];
  for (const [name, row] of Object.entries((setupHeader as Structure).fields)) {
    const path = `setup_header.${name}`;
    const [before, after] = [left[name], right[name]];
    if (before === undefined && after === undefined) continue;
    if (before === undefined || after === undefined) {
      yield* compare("protocol", path, fieldSide(row, before), fieldSide(row, after), {
        ...(after !== undefined && sinceOf(path)),
        note: presenceNote(row, before === undefined ? a : b, path, after !== undefined),
      });
      continue;
    }
    if (withImage && toldElsewhere.includes(name)) continue;
    if (!withImage && name === "version") continue;
    const section = loadingFields.includes(name) ? "loading" : "setup_header";
    yield* compareField(section, path, { row, was: before, is: after });
  }
  yield* compare(
    "setup_header",
    "setup_header.swap_dev",
    side(a.fields.swap_dev),
    side(b.fields.swap_dev),
    { note: "part of syssize since protocol 2.04" },
  );
}

/** Why one side lacks a field: too old, or its header ends before. */
function presenceNote(row: Row, lacking: FoundHeader, path: string, isNew: boolean): string {
  const version = lacking.version & 0x7fff;
  const { since } = sinceOf(path);
  const release = since === undefined ? "" : `, Linux ${since}`;
  if (isPresent(row, { version })) return "one header ends before it";
  const protocol = row.since === undefined ? "" : `protocol ${showProtocol(row.since)}`;
  return isNew ? `came with ${protocol}${release}` : `needs ${protocol}${release}`;
}
