/**
 * Two zero pages compared: the header, the other fields, the memory map, and of
 * pages that were built here who wrote what and where it all lies.
 *
 * @module
 */

import {
  type BootParams,
  bootParams,
  decodeBootParams,
  type E820Entry,
  showVersionBasis,
} from "../../formats/boot_params.ts";
import { hex } from "../../formats/errors.ts";
import { type AnyRecord, decode, meaning, type Row, walk } from "../../formats/layout.ts";
import { sanitize } from "../../formats/sanitizer.ts";
import { setupDataHeader, showSetupDataType } from "../../formats/setup_data.ts";
import type { PlacedSetupData } from "../loaders/cargo.ts";
import type { ZeroPage } from "../zero_page.ts";
import {
  arrange,
  type Arrangement,
  byteCount,
  type Change,
  compare,
  type DiffSection,
  fieldSide,
  keyed,
  pairs,
  type Side,
  side,
} from "./change.ts";
import { compareField, compareHeaders } from "./header.ts";

/** One page, and how it was built if that is known. */
export interface ComparedPage {
  /** 4096 bytes. */
  readonly page: Uint8Array;
  /** Where it comes from, if it was built here. */
  readonly built?: ZeroPage;
}

/**
 * Compares two zero pages.
 *
 * @throws {FormatError} If one has fewer than 4096 bytes.
 */
export function diffZeroPages(
  a: ComparedPage,
  b: ComparedPage,
  wanted: Arrangement = {},
): Change[] {
  const [left, right] = [decodeBootParams(a.page), decodeBootParams(b.page)];
  const authors = a.built && b.built ? authorsOf(a.built, b.built) : undefined;
  const changes = [
    ...compareBasis(left, right),
    ...compareHeaders(left.header, right.header),
    ...compareFields(left, right),
    ...compareMaps(left.e820, right.e820),
    ...compareSanitized(a.page, b.page),
    ...compareLeftovers(left, right),
    ...(a.built && b.built ? compareBuilt(a.built, b.built) : []),
  ];
  return arrange(authors ? changes.map((change) => withAuthors(change, authors)) : changes, wanted);
}

function compareBasis(a: BootParams, b: BootParams): Change[] {
  return a.versionBasis === b.versionBasis ? [] : compare(
    "protocol",
    "told by",
    side(a.versionBasis, showVersionBasis(a)),
    side(b.versionBasis, showVersionBasis(b)),
  );
}

function* compareFields(a: BootParams, b: BootParams): Generator<Change> {
  const values = ({ fields }: BootParams) =>
    new Map([...walk(bootParams, fields as unknown as AnyRecord)].map((leaf) => [leaf.path, leaf]));
  for (const [path, was, is] of pairs(values(a), values(b))) {
    // The header is compared by its protocol, the map by its ranges.
    if (path.startsWith("hdr.") || path.startsWith("e820_table[")) continue;
    const row = (is ?? was)?.row;
    // What is set in padding is told as left over.
    if (row === undefined || row.type === "pad") continue;
    const change = { row, was: was?.value, is: is?.value };
    yield* compareField("boot_params", `boot_params.${path}`, change);
  }
}

const typeRow: Row = bootParams.fields.e820_table.of.fields.type;

function rangeSide(entry: E820Entry | undefined): Side | undefined {
  if (!entry) return undefined;
  const { addr, size, type } = entry;
  const name = meaning(typeRow, type) ?? String(type);
  return side({ addr, size, type }, `${hex(addr)}..${hex(addr + size)} ${name}`);
}

/** Ranges go by their start; one that ends elsewhere or has another type has changed. */
function* compareMaps(a: readonly E820Entry[], b: readonly E820Entry[]): Generator<Change> {
  const byStart = (map: readonly E820Entry[]) => keyed(map, ({ addr }) => hex(addr));
  for (const [start, was, is] of pairs(byStart(a), byStart(b))) {
    yield* compare("memory_map", `range ${start}`, rangeSide(was), rangeSide(is), () => {
      if (!was || !is) return {};
      return was.type === is.type
        ? { kind: "resized", note: `ends ${is.size > was.size ? "later" : "earlier"}` }
        : { note: "another type" };
    });
  }
}

function compareSanitized(a: Uint8Array, b: Uint8Array): Change[] {
  const cleared = (page: Uint8Array) => {
    const paths = sanitize(page).cleared;
    return side(paths, paths.length > 0 ? `clears ${paths.join(", ")}` : "clears nothing");
  };
  return compare("boot_params", "sanitizing", cleared(a), cleared(b), {
    note: "what the kernel clears when the sentinel at 0x1ef is set",
  });
}

function* compareLeftovers(a: BootParams, b: BootParams): Generator<Change> {
  const byPath = ({ leftovers }: BootParams) => keyed(leftovers, ({ path }) => path);
  for (const [path, was, is] of pairs(byPath(a), byPath(b))) {
    const row: Row = { at: 0, type: "bytes", size: 0, doc: "" };
    const shown = (left: typeof was) => fieldSide(row, left?.bytes);
    yield* compare("boot_params", `left over in ${path}`, shown(was), shown(is), {
      note: "set though the page says nothing is there",
    });
  }
}

/** A node's type, the word behind its pointer to the next. */
function setupType({ bytes }: PlacedSetupData): string {
  return `setup_data ${showSetupDataType(decode(setupDataHeader, bytes).type)}`;
}

function* compareBuilt(a: ZeroPage, b: ZeroPage): Generator<Change> {
  yield* compare("loading", "loader", side(a.loader), side(b.loader));
  const entries = ({ entries }: ZeroPage) =>
    new Map(entries.map(({ kind, address, state }) => [kind, { address, state }]));
  const [first, second] = [a.entries[0], b.entries[0]];
  const shown = (entry: typeof first) => entry && side(entry.kind);
  yield* compare("loading", "enters by", shown(first), shown(second));
  for (const [kind, was, is] of pairs(entries(a), entries(b))) {
    const entry = (e: typeof was) => e && side(e, `${hex(e.address)}: ${e.state}`);
    yield* compare("loading", `${kind} entry`, entry(was), entry(is), () => ({
      ...(was && is && was.address !== is.address && { kind: "moved" as const }),
    }));
  }
  const placed = ({ placements }: ZeroPage) => keyed(placements, ({ what }) => what);
  for (const [what, was, is] of pairs(placed(a), placed(b))) {
    const place = (p: typeof was) =>
      p && side(
        { address: p.address, size: p.size },
        `${hex(p.address)}, ${byteCount(p.size)}`,
      );
    yield* compare("placement", what, place(was), place(is), () => ({
      ...(was && is && was.address !== is.address && { kind: "moved" as const }),
      note: is?.why ?? was?.why,
    }));
  }
  const nodes = ({ setupData }: ZeroPage) => keyed(setupData, setupType);
  for (const [name, was, is] of pairs(nodes(a), nodes(b))) {
    const node = (n: typeof was) => n && side(n.bytes, byteCount(n.bytes.length));
    yield* compare("placement", name, node(was), node(is));
  }
  for (const [note, was, is] of pairs(keyed(a.notes, String), keyed(b.notes, String))) {
    yield* compare("loading", "remark", side(was), side(is), { meaning: note });
  }
}

type Authors = ReadonlyMap<string, readonly [was: string, is: string]>;

function authorsOf(a: ZeroPage, b: ZeroPage): Authors {
  const [left, right] = [a.fields, b.fields].map((fields) =>
    new Map(fields.map(({ path, who }) => [path, who]))
  );
  return new Map(
    [...pairs(left ?? new Map(), right ?? new Map())].map((
      [path, was, is],
    ) => [path, [was ?? "nobody", is ?? "nobody"]]),
  );
}

/** Sections whose paths are those of fields in the page. */
const inPage: readonly DiffSection[] = ["protocol", "loading", "setup_header", "boot_params"];

/** Adds who wrote a field on either side. */
function withAuthors(change: Change, authors: Authors): Change {
  const found = inPage.includes(change.section) ? authors.get(change.path) : undefined;
  if (found === undefined || change.kind === "same") return change;
  const [was, is] = found;
  if (was === is) return change;
  const who = `set by ${was} → ${is}`;
  return {
    ...change,
    note: change.note === undefined ? who : `${change.note}; ${who}`,
    meaning: `${change.meaning}; ${who}`,
  };
}
