/**
 * Which kernel release had which field of the zero page, where, and how sure
 * that is.
 *
 * The data is in boot_params_history.ts. A release is looked up by number, so
 * that any release in the range will do; a stable release ("6.1.192") has what
 * its series has, and a release candidate what its release has.
 *
 * @module
 */

import { HEADER_LIMIT } from "./boot_params.ts";
import { historyData } from "./boot_params_history.ts";
import type {
  HistoricName,
  HistoricProtocol,
  HistoricSet,
  HistoryRow,
  SinceBasis,
} from "./history_data.ts";
import { compareNumbers, compareReleases, parseRelease, type Release } from "./linux_release.ts";

/** The releases the history covers, oldest and newest. */
export const historyRange = { from: "0.10", to: "7.3" } as const;

/** A release that cannot be looked up. */
export class ReleaseError extends RangeError {
  /** Tells it from other RangeErrors, in messages. */
  /** Names the error in messages. */
  override name = "ReleaseError";
  /** The text given for a release. */
  readonly release: string;

  /**
   * Says what is wrong, and which releases are known.
   *
   * @param release The text given.
   * @param problem What is wrong with it; the range is added.
   */
  constructor(release: string, problem: string) {
    super(
      `release ${JSON.stringify(release.slice(0, 60))} ${problem}; ` +
        `known are ${historyRange.from} to ${historyRange.to}`,
    );
    this.release = release;
  }
}

/** A field of one release's layout. */
export interface HistoricField {
  /** `structure.field`, with the name of that release. */
  readonly path: string;
  /** The structure. */
  readonly struct: string;
  /** The name in that release. */
  readonly field: string;
  /** Bytes from the start of its structure, in the setup header from the start of the page. */
  readonly offset: number;
  /** Bytes from the start of the zero page; absent outside it. */
  readonly at?: number;
  /** Size in bytes; absent where it has no fixed one. */
  readonly size?: number;
  /** Type, as C has it. */
  readonly type: string;
  /** Whether it is known that this release has it, rather than recalled. */
  readonly isCertain: boolean;
  /** The row it comes from. */
  readonly row: HistoryRow;
}

/** The layout of one release. */
export interface HistoricLayout {
  /** The release, as it was given. */
  readonly release: string;
  /** The boot protocol it speaks. */
  readonly protocol: HistoricProtocol;
  /** Fields by structure and offset. */
  readonly fields: readonly HistoricField[];
  /** Bits and values that have names in it. */
  readonly names: Readonly<Record<HistoricSet, readonly HistoricName[]>>;
}

function releaseOf(text: string): Release {
  const release = parseRelease(text);
  if (release === undefined) throw new ReleaseError(text, "is no Linux release number");
  if (compareNumbers(release, known(historyRange.from)) < 0) {
    throw new ReleaseError(text, "is older than the history");
  }
  if (isAfter(release, known(historyRange.to))) {
    throw new ReleaseError(text, "is newer than the history");
  }
  return release;
}

/** A release that stands in the data, where every number parses. */
function known(text: string): Release {
  return parseRelease(text) ?? { text, numbers: [], stages: [] };
}

/** Whether a release has what came with `since`; candidates have what their release has. */
function isFrom(release: Release, since: Release): boolean {
  return (since.stages.length > 0 ? compareReleases : compareNumbers)(release, since) >= 0;
}

/** Whether a release comes after another and its stable releases. */
function isAfter(release: Release, last: Release): boolean {
  const numbers = release.numbers.slice(0, last.numbers.length);
  return compareNumbers({ ...release, numbers }, last) > 0;
}

interface Span {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly alsoFrom?: string | undefined;
  readonly orEarlier?: boolean | undefined;
  readonly development?: boolean | undefined;
}

function isIn(release: Release, { since, until, alsoFrom, orEarlier, development }: Span): boolean {
  if (development && release.stages.length === 0) return false;
  if (until && isAfter(release, known(until))) return false;
  if (alsoFrom !== undefined) {
    const also = known(alsoFrom);
    const sameSeries = [0, 1].every((i) => release.numbers[i] === also.numbers[i]);
    if (sameSeries) return compareReleases(release, also) >= 0;
  }
  return since === undefined || orEarlier === true || isFrom(release, known(since));
}

/** Whether presence in this release was seen or documented, not recalled. */
function isCertain(release: Release, row: HistoryRow): boolean {
  if (row.orEarlier && !isFrom(release, known(row.since))) return false;
  if (row.basis === "sampled" || row.basis === "documentation") return true;
  const present = row.presentIn === undefined ? undefined : parseRelease(row.presentIn);
  if (row.basis === "recalled" || present === undefined) return false;
  return isFrom(release, present);
}

function nameIn(
  release: Release,
  row: HistoryRow,
): { readonly field: string; readonly type: string } {
  const older = row.renamedFrom?.find(({ name, until }) =>
    !name.startsWith("struct ") && !isAfter(release, known(until))
  );
  return { field: older?.name ?? row.field, type: older?.type ?? row.type };
}

/** Whether a name is one of padding. */
function isPadding(field: string): boolean {
  return /^_pad|^unused|^_?reserved\d*$/.test(field);
}

/**
 * The boot protocol a release speaks.
 *
 * @throws {ReleaseError} If the release is unknown or no release number.
 */
export function protocolOf(release: string): HistoricProtocol {
  return protocolIn(releaseOf(release));
}

function protocolIn(release: Release): HistoricProtocol {
  const spoken = historyData.protocols.filter((protocol) =>
    protocol.since !== undefined && isIn(release, protocol) &&
    (!protocol.development || compareNumbers(release, known(protocol.since)) === 0)
  );
  return spoken.at(-1) ?? { version: "old", adds: [], verified: "none" };
}

/**
 * The layout of a release's zero page, setup header included, and of the
 * structures beside it.
 *
 * Where a named field lies in what a C structure still called padding, the
 * padding is cut down to the rest.
 *
 * @throws {ReleaseError} If the release is unknown or no release number.
 */
export function layoutOf(release: string): HistoricLayout {
  const parsed = releaseOf(release);
  const protocol = protocolIn(parsed);
  const fields = historyData.fields.filter((row) => isIn(parsed, row))
    .map((row) => fieldIn(parsed, row, protocol.headerEnd ?? 0x200))
    .sort((a, b) => structOrder(a) - structOrder(b) || a.offset - b.offset);
  const { enums } = historyData;
  const names = {
    loadflags: namesIn(parsed, enums.loadflags),
    xloadflags: namesIn(parsed, enums.xloadflags),
    hardware_subarch: namesIn(parsed, enums.hardware_subarch),
    setup_data_type: namesIn(parsed, enums.setup_data_type),
    e820_type: namesIn(parsed, enums.e820_type),
    setup_type_max: enums.setup_type_max,
  };
  return { release, protocol, fields: fields.flatMap((field) => trimmed(field, fields)), names };
}

/** Structures in the order of the data, which is that of the page. */
const structOrder = ({ struct }: HistoricField): number =>
  historyData.fields.findIndex((row) => row.struct === struct);

function fieldIn(release: Release, row: HistoryRow, headerEnd: number): HistoricField {
  const { field, type } = nameIn(release, row);
  const at = row.offset === undefined ? headerEnd : row.at;
  const size = row.size ??
    (row.field === "hdr"
      ? headerEnd - 0x1f1
      : row.field === "_pad7"
      ? HEADER_LIMIT - headerEnd
      : undefined);
  return {
    path: `${row.struct}.${field}`,
    struct: row.struct,
    field,
    offset: row.offset ?? headerEnd,
    ...(at === undefined ? {} : { at }),
    ...(size === undefined ? {} : { size }),
    type: row.field === "_pad7" && size !== undefined ? `u8[${size}]` : type,
    isCertain: isCertain(release, row),
    row,
  };
}

/** Padding less the named fields in it; everything else as it is. */
function trimmed(field: HistoricField, all: readonly HistoricField[]): HistoricField[] {
  if (!isPadding(field.field) || field.size === undefined) return [field];
  let { offset } = field;
  let end = field.offset + field.size;
  for (const other of all) {
    if (other.struct !== field.struct || isPadding(other.field) || other.size === undefined) {
      continue;
    }
    const otherEnd = other.offset + other.size;
    if (other.offset <= offset && otherEnd > offset) offset = otherEnd;
    else if (other.offset < end && otherEnd >= end) end = other.offset;
  }
  if (offset >= end) return [];
  if (offset === field.offset && end === field.offset + field.size) return [field];
  const at = field.at === undefined ? {} : { at: field.at + offset - field.offset };
  return [{ ...field, offset, ...at, size: end - offset, type: `u8[${end - offset}]` }];
}

function namesIn(release: Release, rows: readonly HistoricName[]): HistoricName[] {
  return rows.filter((row) => !row.outOfTree && isIn(release, row)).map((row) => {
    const older = row.renamedFrom?.find(({ until }) => !isAfter(release, known(until)));
    return older === undefined ? row : { ...row, name: older.name };
  });
}

/**
 * All that is known of a field over time, oldest first, by its current name or
 * an older one: `setup_header.xloadflags`, `boot_params.e820_map`. The structure
 * may be left out, and `boot_params.hdr.` stands for `setup_header.`.
 *
 * @returns No rows where no such field ever was.
 */
export function fieldHistory(path: string): readonly HistoryRow[] {
  const wanted = path
    .replace(/^(boot_params\.)?hdr\./, "setup_header.")
    .replace(/^boot_params\.(?=.*\.)/, "");
  const isIt = (row: HistoryRow, name: string): boolean =>
    wanted === name || wanted === `${row.struct}.${name}`;
  return historyData.fields
    .filter((row) => isIt(row, row.field) || row.renamedFrom?.some(({ name }) => isIt(row, name)))
    .toSorted((a, b) => compareReleases(known(a.since), known(b.since)));
}

/** What changed between two layouts. */
export interface LayoutChange {
  /** Of what kind the change is. */
  readonly kind:
    | "protocol"
    | "added"
    | "removed"
    | "renamed"
    | "moved"
    | "resized"
    | "padding became a field"
    | "field became padding"
    | "name added"
    | "name removed"
    | "name changed";
  /** The field's path, or the set and name: `xloadflags.XLF_5LEVEL`. */
  readonly path: string;
  /** The field in the first layout. */
  readonly was?: HistoricField;
  /** The field in the second. */
  readonly is?: HistoricField;
  /** The release the change came with, where one is known. */
  readonly since?: string;
  /** How that release is known. */
  readonly sinceBasis?: SinceBasis;
  /** The change in words. */
  readonly text: string;
}

/** What changed from one layout to another, in the order of the page. */
export function diffLayouts(a: HistoricLayout, b: HistoricLayout): readonly LayoutChange[] {
  return [...protocolChange(a, b), ...fieldChanges(a, b), ...nameChanges(a, b)];
}

function* protocolChange(a: HistoricLayout, b: HistoricLayout): Generator<LayoutChange> {
  if (a.protocol.version === b.protocol.version) return;
  const order = historyData.protocols.map(({ version }) => version);
  const [i, j] = [order.indexOf(a.protocol.version), order.indexOf(b.protocol.version)];
  const between = historyData.protocols.slice(Math.min(i, j) + 1, Math.max(i, j) + 1)
    .filter(({ development, since }) => !development && since !== undefined);
  const adds = between.map(({ version, adds }) => `${version} ${adds.join(", ")}`);
  yield {
    kind: "protocol",
    path: "protocol",
    ...(b.protocol.since === undefined ? {} : { since: b.protocol.since }),
    text: `protocol ${a.protocol.version} → ${b.protocol.version}: ` +
      `${j > i ? "added" : "taken back"} ${adds.join("; ")}`,
  };
}

const span = ({ offset, size }: HistoricField): string =>
  `0x${offset.toString(16)}${
    size === undefined ? "" : `, ${size} ${size === 1 ? "byte" : "bytes"}`
  }`;

/** Whether the first, as padding, held any of the second's bytes. */
function covers(outer: HistoricField, inner: HistoricField): boolean {
  const sameStruct = outer.struct === inner.struct;
  const [from, at] = sameStruct ? [outer.offset, inner.offset] : [outer.at, inner.at];
  if (from === undefined || at === undefined) return false;
  return from < at + (inner.size ?? 1) && at < from + (outer.size ?? 0);
}

function* fieldChanges(a: HistoricLayout, b: HistoricLayout): Generator<LayoutChange> {
  const named = ({ field }: HistoricField): boolean => !isPadding(field);
  const before = new Map(a.fields.filter(named).map((field) => [field.path, field]));
  const after = new Map(b.fields.filter(named).map((field) => [field.path, field]));
  const renamed = new Set<HistoricField>();
  const changes: LayoutChange[] = [...wholeStructures(a, b)];
  const whole = new Set(changes.map(({ path }) => path));
  for (const [path, is] of after) {
    if (whole.has(is.struct)) continue;
    const was = before.get(path);
    if (was === undefined) {
      const older = [...before.values()].find((other) =>
        !after.has(other.path) && other.struct === is.struct && other.offset === is.offset &&
        (other.row === is.row || other.size === is.size)
      );
      if (older !== undefined) {
        renamed.add(older);
        changes.push(renaming(older, is));
      } else changes.push(arrival(is, a));
    } else if (was.offset !== is.offset) {
      changes.push(change("moved", was, is, `${path} moved from ${span(was)} to ${span(is)}`));
    } else if (was.size !== is.size) {
      const sizes = `${was.size} to ${is.size} bytes`;
      changes.push(change("resized", was, is, `${path} at ${span(is)}: from ${sizes}`));
    }
  }
  for (const [path, was] of before) {
    if (!after.has(path) && !renamed.has(was) && !whole.has(was.struct)) {
      changes.push(departure(was, b));
    }
  }
  const order = (c: LayoutChange): HistoricField | undefined => c.is ?? c.was;
  yield* changes.sort((x, y) => {
    const [l, r] = [order(x), order(y)];
    return l && r ? structOrder(l) - structOrder(r) || l.offset - r.offset : 0;
  });
}

/** Structures that only one of the layouts has: one change, not one a field. */
function* wholeStructures(a: HistoricLayout, b: HistoricLayout): Generator<LayoutChange> {
  const group = ({ fields }: HistoricLayout): Map<string, HistoricField[]> =>
    Map.groupBy(fields, ({ struct }) => struct);
  const [before, after] = [group(a), group(b)];
  const list = (fields: readonly HistoricField[]): string =>
    fields.map(({ field }) => field).join(", ");
  for (const [struct, fields] of after) {
    const [first] = fields;
    if (before.has(struct) || first === undefined) continue;
    const text = `struct ${struct} added, since ${first.row.since}: ${list(fields)}`;
    yield { ...change("added", undefined, first, text), path: struct };
  }
  for (const [struct, fields] of before) {
    const [first] = fields;
    if (after.has(struct) || first === undefined) continue;
    const text = `struct ${struct} removed: ${list(fields)}`;
    yield { ...change("removed", first, undefined, text), path: struct };
  }
}

function change(
  kind: LayoutChange["kind"],
  was: HistoricField | undefined,
  is: HistoricField | undefined,
  text: string,
): LayoutChange {
  const row = (is ?? was)?.row;
  return {
    kind,
    path: (is ?? was)?.path ?? "",
    ...(was === undefined ? {} : { was }),
    ...(is === undefined ? {} : { is }),
    ...(row === undefined || is === undefined ? {} : { since: row.since, sinceBasis: row.basis }),
    text,
  };
}

function renaming(was: HistoricField, is: HistoricField): LayoutChange {
  const { since: _, sinceBasis: __, ...made } = change(
    "renamed",
    was,
    is,
    `${was.path} at ${span(is)} is now ${is.field}`,
  );
  return made;
}

function arrival(is: HistoricField, a: HistoricLayout): LayoutChange {
  const padding = a.fields.find((old) => isPadding(old.field) && covers(old, is));
  const since = `since ${is.row.since}${is.row.orEarlier ? " or earlier" : ""}`;
  return padding === undefined
    ? change("added", undefined, is, `${is.path} at ${span(is)} added, ${since}`)
    : change(
      "padding became a field",
      padding,
      is,
      `${is.path} at ${span(is)} was padding (${padding.field}), ${since}`,
    );
}

function departure(was: HistoricField, b: HistoricLayout): LayoutChange {
  const padding = b.fields.find((now) => isPadding(now.field) && covers(now, was));
  const made = padding === undefined
    ? change("removed", was, undefined, `${was.path} at ${span(was)} removed`)
    : change(
      "field became padding",
      was,
      undefined,
      `${was.path} at ${span(was)} is padding now (${padding.field})`,
    );
  return was.row.until ? { ...made, text: `${made.text}, last in ${was.row.until}` } : made;
}

function* nameChanges(a: HistoricLayout, b: HistoricLayout): Generator<LayoutChange> {
  for (const set of Object.keys(a.names) as HistoricSet[]) {
    if (set === "setup_type_max") continue;
    const key = ({ bit, value }: HistoricName): string =>
      bit === undefined ? `value 0x${(value ?? 0).toString(16)}` : `bit ${bit}`;
    const before = new Map(a.names[set].map((name) => [key(name), name]));
    const after = new Map(b.names[set].map((name) => [key(name), name]));
    const made = (kind: LayoutChange["kind"], row: HistoricName, text: string): LayoutChange => ({
      kind,
      path: `${set}.${row.name ?? ""}`,
      ...(row.since === undefined || kind !== "name added" ? {} : {
        since: row.since,
        sinceBasis: row.absentIn || row.presentIn ? "recalled-within-samples" : "documentation",
      }),
      text: `${set}: ${text}`,
    });
    for (const [number, is] of after) {
      const was = before.get(number);
      if (was === undefined) {
        const since = is.since === undefined ? "" : `, since ${is.since}`;
        yield made("name added", is, `${number} is ${is.name}${since}`);
      } else if (was.name !== is.name) {
        yield made("name changed", is, `${number} was ${was.name}, is ${is.name}`);
      }
    }
    for (const [number, was] of before) {
      if (!after.has(number)) yield made("name removed", was, `${number} was ${was.name}`);
    }
  }
}
