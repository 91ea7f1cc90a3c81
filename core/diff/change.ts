/**
 * One difference between two things, as a record: where it is, what was, what
 * is, and what that means in a sentence.
 *
 * Comparing yields every fact of both sides, those that are the same included;
 * {@link arrange} then keeps what is wanted and puts it in order.
 *
 * @module
 */

import { hex } from "../../formats/errors.ts";
import { meaning, type Row } from "../../formats/layout.ts";
import type { SinceBasis } from "../../formats/history_data.ts";
import { hexOf } from "../../formats/others/finding.ts";
import { type Json, toJson } from "../json.ts";
import { grouped } from "../words.ts";

/** The parts of a comparison, the most telling first, with their headings. */
export const diffSections = {
  file: "The files",
  release: "Release",
  protocol: "Boot protocol",
  platforms: "Platforms",
  loading: "Loading",
  payload: "Payload",
  kernel: "Kernel",
  segments: "Program headers",
  notes: "ELF notes",
  kernel_info: "kernel_info",
  efi: "EFI",
  sbat: "SBAT",
  uki: "Unified kernel image",
  signature: "Signature",
  crc: "CRC-32 of the build",
  complaints: "Complaints",
  setup_header: "Setup header",
  boot_params: "Zero page",
  memory_map: "Memory map",
  placement: "Where things lie in memory",
  relocations: "Relocations",
  sections: "ELF sections",
  contents: "Bytes",
  layout: "Struct layout",
  names: "Flags and values",
  config: "Configuration",
} as const;

/** The name of a part. */
export type DiffSection = keyof typeof diffSections;

/** Of what kind a difference is; `same` is none. */
export type ChangeKind =
  | "added"
  | "removed"
  | "changed"
  | "moved"
  | "resized"
  | "renamed"
  | "padding became a field"
  | "field became padding"
  | "same";

/** One difference. */
export interface Change {
  /** The part it belongs to. */
  readonly section: DiffSection;
  /** What differs: a dotted path or a name. */
  readonly path: string;
  /** Of what kind it is. */
  readonly kind: ChangeKind;
  /** The value on the first side; absent if that has none. */
  readonly was?: Json;
  /** The value on the second side. */
  readonly is?: Json;
  /** The first value in words, where they differ from the value. */
  readonly wasShown?: string;
  /** The second value in words. */
  readonly isShown?: string;
  /** What the values alone do not say; no full stop. */
  readonly note?: string;
  /** The whole in one sentence without full stop. */
  readonly meaning: string;
  /** The release that brought what was added, by the history. */
  readonly since?: string;
  /** How that release is known. */
  readonly sinceBasis?: SinceBasis;
  /** How bad it is, where that can be said. */
  readonly severity?: "error" | "warning" | "info";
}

/** What the paths of a section are of, for sentences that stand alone. */
const subjects: Readonly<Partial<Record<DiffSection, string>>> = {
  payload: "payload",
  kernel: "kernel",
  segments: "segment",
  notes: "note",
  efi: "EFI",
  sbat: "SBAT",
  uki: "UKI",
  placement: "place of",
  relocations: "relocations,",
  sections: "ELF section",
};

/** A value of one side. */
export interface Side {
  /** As JSON has it. */
  readonly raw: Json;
  /** In words. */
  readonly shown: string;
}

/**
 * A value of one side; undefined stays undefined.
 *
 * @param shown In words; default the value itself.
 */
export function side(value: unknown, shown?: string): Side | undefined {
  if (value === undefined) return undefined;
  const raw = toJson(value);
  return { raw, shown: shown ?? (typeof raw === "string" ? raw : JSON.stringify(raw)) };
}

/** An address or a word of flags, shown in hexadecimal. */
export function address(value: number | bigint | undefined, digits = 0): Side | undefined {
  return value === undefined ? undefined : side(value, hex(value, digits));
}

/** A number of bytes, shown in groups of three digits. */
export function size(value: number | bigint | undefined): Side | undefined {
  return value === undefined ? undefined : side(value, byteCount(value));
}

/** A structure's field: the number in hexadecimal and what it means. */
export function fieldSide(row: Row, value: unknown): Side | undefined {
  if (value === undefined) return undefined;
  const words = meaning(row, value);
  const plain = plainValue(value);
  // A word that is the number over again, with other leading zeros, says nothing.
  const isNews = words !== undefined && words.replace(/^0x0*(?=.)/, "0x") !== plain;
  return side(value, isNews ? `${plain} (${words})` : plain);
}

function plainValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return hex(value);
  if (value instanceof Uint8Array) {
    if (value.every((byte) => byte === 0)) return `${value.length} × 00`;
    const most = 20;
    return value.length > most
      ? `${hexOf(value.subarray(0, most))}… (${value.length} bytes)`
      : hexOf(value);
  }
  if (Array.isArray(value)) return value.map(plainValue).join(" ");
  return JSON.stringify(value) ?? "";
}

/** What is to be said of a difference beside its values. */
export interface ChangeDetails {
  /** Default by which side has a value. */
  readonly kind?: ChangeKind;
  /** What the values alone do not say. */
  readonly note?: string | undefined;
  /** The sentence; default made of path, values and note. */
  readonly meaning?: string;
  /** The release that brought it. */
  readonly since?: string | undefined;
  /** How that is known. */
  readonly sinceBasis?: SinceBasis | undefined;
  /** How bad it is. */
  readonly severity?: NonNullable<Change["severity"]>;
}

/**
 * Compares a value of both sides.
 *
 * @param about Asked only if they differ; what it says of both sides holds for
 *   additions and removals too.
 * @returns Nothing where neither side has it; else one change, of kind `same`
 *   where the values are equal.
 */
export function compare(
  section: DiffSection,
  path: string,
  was: Side | undefined,
  is: Side | undefined,
  about: ChangeDetails | (() => ChangeDetails) = {},
): Change[] {
  if (was === undefined && is === undefined) return [];
  const isSame = was !== undefined && is !== undefined && sameJson(was.raw, is.raw);
  const { kind, note, severity, since, sinceBasis, meaning } = isSame
    ? {} as ChangeDetails
    : typeof about === "function"
    ? about()
    : about;
  const usual = was === undefined ? "added" : is === undefined ? "removed" : "changed";
  const values = isSame
    ? `${is.shown} in both`
    : was === undefined
    ? `added, ${is?.shown ?? ""}`
    : is === undefined
    ? `removed, was ${was.shown}`
    : `${was.shown} → ${is.shown}`;
  const subject = subjects[section];
  const named = subject === undefined || path === subject ? path : `${subject} ${path}`;
  return [{
    section,
    path,
    kind: isSame ? "same" : kind ?? usual,
    ...(was && { was: was.raw, wasShown: was.shown }),
    ...(is && { is: is.raw, isShown: is.shown }),
    ...(note !== undefined && note !== "" && { note }),
    meaning: meaning ?? `${named}: ${values}${note ? `; ${note}` : ""}`,
    ...(since !== undefined && { since }),
    ...(sinceBasis !== undefined && { sinceBasis }),
    ...(severity !== undefined && { severity }),
  }];
}

/** Whether two values are the same JSON. */
function sameJson(a: Json, b: Json): boolean {
  return a === b || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
}

/** Which changes to keep. */
export interface Arrangement {
  /** Also what is the same; default no. */
  readonly all?: boolean;
  /** Only these parts; default all. */
  readonly sections?: readonly string[] | undefined;
}

/** Keeps what is wanted, in the order of {@link diffSections}, else as it came. */
export function arrange(changes: Iterable<Change>, wanted: Arrangement = {}): Change[] {
  const order = Object.keys(diffSections);
  const { all = false, sections } = wanted;
  return [...changes]
    .filter(({ kind, section }) =>
      (all || kind !== "same") && (sections === undefined || sections.includes(section))
    )
    .sort((a, b) => order.indexOf(a.section) - order.indexOf(b.section));
}

/** A change as JSON. */
export function changeJson(change: Change): Json {
  const { section, path, kind, was, is, meaning, since, sinceBasis, severity } = change;
  return {
    section,
    path,
    kind,
    ...(was !== undefined && { was }),
    ...(is !== undefined && { is }),
    meaning,
    ...(since !== undefined && { since }),
    ...(sinceBasis !== undefined && { since_basis: sinceBasis }),
    ...(severity !== undefined && { severity }),
  };
}

/** "1 byte", "8,247,232 bytes". */
export function byteCount(value: number | bigint): string {
  return `${grouped(value)} ${BigInt(value) === 1n ? "byte" : "bytes"}`;
}

/** How much larger or smaller: "+1,024 bytes (+12.5 %)". */
export function growth(was: number | bigint, is: number | bigint, unit = "bytes"): string {
  const by = BigInt(is) - BigInt(was);
  const sign = by < 0n ? "-" : "+";
  const part = Number(was) === 0 ? "" : ` (${share(Number(by), Number(was), sign)})`;
  return `${sign}${grouped(by < 0n ? -by : by)} ${unit}${part}`;
}

function share(by: number, of: number, sign: string): string {
  const percent = Math.abs(100 * by / of);
  if (percent < 0.1) return "under 0.1 %";
  return `${sign}${percent >= 100 ? grouped(Math.round(percent)) : percent.toFixed(1)} %`;
}

/** The growth between two numbers that may be absent or the same. */
export function growthOf(
  was: number | bigint | undefined,
  is: number | bigint | undefined,
  unit?: string,
): string | undefined {
  if (was === undefined || is === undefined || BigInt(was) === BigInt(is)) return undefined;
  return growth(was, is, unit);
}

/** Pairs the values of two maps by key: the keys of the first, then those only of the second. */
export function* pairs<K, V>(
  a: ReadonlyMap<K, V>,
  b: ReadonlyMap<K, V>,
): Generator<readonly [key: K, was: V | undefined, is: V | undefined]> {
  for (const [key, was] of a) yield [key, was, b.get(key)];
  for (const [key, is] of b) if (!a.has(key)) yield [key, undefined, is];
}

/** Items by a key; the second and later ones of a key get `key [2]`, `key [3]`. */
export function keyed<T>(items: Iterable<T>, key: (item: T) => string): Map<string, T> {
  const map = new Map<string, T>();
  const seen = new Map<string, number>();
  for (const item of items) {
    const name = key(item);
    const n = (seen.get(name) ?? 0) + 1;
    seen.set(name, n);
    map.set(n === 1 ? name : `${name} [${n}]`, item);
  }
  return map;
}
