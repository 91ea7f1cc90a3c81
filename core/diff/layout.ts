/**
 * Struct layouts of two kernels: of two releases by the history, of two images
 * by the types they carry, or of one and the other.
 *
 * @module
 */

import type { Btf, LayoutMember, StructLayout } from "../../formats/btf/mod.ts";
import { hex } from "../../formats/errors.ts";
import {
  diffLayouts as diffHistories,
  type HistoricField,
  type HistoricLayout,
  type LayoutChange,
} from "../../formats/history.ts";
import {
  arrange,
  type Arrangement,
  byteCount,
  type Change,
  type ChangeKind,
  compare,
  type Side,
  side,
} from "./change.ts";
import { sinceOf } from "./header.ts";
import { compareStructs, type Field, type Flat, isPadding } from "./struct.ts";

/** One side of a comparison of layouts. */
export type ComparedLayout =
  | {
    /** A release of the history. */
    readonly kind: "release";
    /** Its layout. */
    readonly layout: HistoricLayout;
  }
  | {
    /** An image with types. */
    readonly kind: "types";
    /** Its types. */
    readonly btf: Btf;
  };

/** What to compare of layouts. */
export interface LayoutOptions extends Pick<Arrangement, "all"> {
  /** Structures; default the zero page and what is in it. */
  readonly structs?: readonly string[] | undefined;
}

/** A structure that one side lacks. */
export class NoStructError extends RangeError {
  /** Names the error in messages. */
  override name = "NoStructError";
  /** The structure asked for. */
  readonly struct: string;

  /**
   * Says that neither side has it.
   *
   * @param struct The structure asked for.
   */
  constructor(struct: string) {
    super(`no struct ${struct} on either side`);
    this.struct = struct;
  }
}

/**
 * Compares layouts.
 *
 * @throws {NoStructError} If a structure asked for is on neither side.
 */
export function diffLayouts(
  a: ComparedLayout,
  b: ComparedLayout,
  options: LayoutOptions = {},
): Change[] {
  const { structs } = options;
  if (a.kind === "release" && b.kind === "release") {
    return arrange(compareHistories(a.layout, b.layout, structs), options);
  }
  const changes = (structs ?? ["boot_params"]).flatMap((name) => {
    // A header that stands by itself in the history is a member in the types.
    const [was, is] = [flat(a, name, b), flat(b, name, a)];
    if (!was && !is) throw new NoStructError(name);
    return [...compareStructs(name, was, is)];
  });
  return arrange(changes, options);
}

function* compareHistories(
  a: HistoricLayout,
  b: HistoricLayout,
  structs: readonly string[] | undefined,
): Generator<Change> {
  const known = new Set([...a.fields, ...b.fields].map(({ struct }) => struct));
  const absent = structs?.find((name) => !known.has(name));
  if (absent !== undefined) throw new NoStructError(absent);
  const isWanted = (path: string) =>
    structs === undefined || structs.includes(path.split(".")[0] ?? "");
  for (const change of diffHistories(a, b)) {
    if (isWanted(change.path)) yield historicChange(change);
  }
  const changed = (path: string) => isWanted(path) && after.get(path);
  const after = new Map(b.fields.map((field) => [field.path, field]));
  for (const was of a.fields) {
    const is = changed(was.path);
    if (!is || is.offset !== was.offset || is.size !== was.size) continue;
    yield* compare("layout", was.path, historicSide(was), historicSide(is), sinceOf(was.path));
  }
}

const kinds: Readonly<Record<LayoutChange["kind"], ChangeKind>> = {
  "protocol": "changed",
  "added": "added",
  "removed": "removed",
  "renamed": "renamed",
  "moved": "moved",
  "resized": "resized",
  "padding became a field": "padding became a field",
  "field became padding": "field became padding",
  "name added": "added",
  "name removed": "removed",
  "name changed": "renamed",
};

function historicChange(change: LayoutChange): Change {
  const { kind, path, was, is, since, sinceBasis, text } = change;
  const about = {
    path,
    kind: kinds[kind],
    meaning: text,
    ...(since !== undefined && { since }),
    ...(sinceBasis !== undefined && { sinceBasis }),
  };
  if (kind === "protocol") {
    const [versions = "", note = ""] = text.replace(/^protocol /, "").split(/: (.*)/s);
    const [before = "", after = ""] = versions.split(" → ");
    return { ...about, section: "protocol", was: before, is: after, note };
  }
  if (kind.startsWith("name")) {
    // "loadflags: bit 5 is QUIET_FLAG, since 2.6.26"
    const number = text.match(/: (bit \d+|value 0x[0-9a-f]+)/)?.[1] ?? "";
    const [, before, after] = text.match(/was (\S+), is (\S+)/) ?? [];
    return {
      ...about,
      section: "names",
      ...(kind !== "name added" && { was: before ? `${number}, ${before}` : number }),
      ...(kind !== "name removed" && { is: after ? `${number}, ${after}` : number }),
    };
  }
  const withName = kind === "renamed";
  const [before, after] = [historicSide(was, withName), historicSide(is, withName)];
  // A whole structure goes by its own name, and its text lists the fields.
  const isWhole = !path.includes(".");
  return {
    ...about,
    section: "layout",
    ...(before && { was: before.raw, wasShown: isWhole ? `struct ${path}` : before.shown }),
    ...(after && { is: after.raw, isShown: isWhole ? `struct ${path}` : after.shown }),
    ...(isWhole && { note: text }),
  };
}

/** Where a field lies; offsets in structures outside the page have a plus. */
function historicSide(field: HistoricField | undefined, withName = false): Side | undefined {
  if (field === undefined) return undefined;
  const { at, offset, size, type } = field;
  const place = at === undefined ? `+${hex(offset)}` : hex(at, 3);
  const words = size === undefined ? place : `${place}, ${byteCount(size)}`;
  const shown = isPadding(field.field)
    ? `padding (${field.field})`
    : `${withName ? `${field.field}, ` : ""}${words}${
      type.startsWith("struct") ? `, ${type}` : ""
    }`;
  return side({ field: field.field, offset, ...(size !== undefined && { size }), type }, shown);
}

/** Where the structures of the history lie in the page, and their paths there. */
const inPage: Readonly<Record<string, readonly [prefix: string, base: number]>> = {
  boot_params: ["", 0],
  setup_header: ["hdr.", 0],
  screen_info: ["screen_info.", 0],
  apm_bios_info: ["apm_bios_info.", 0x40],
  ist_info: ["ist_info.", 0x60],
  sys_desc_table: ["sys_desc_table.", 0xa0],
  olpc_ofw_header: ["olpc_ofw_header.", 0xb0],
  edid_info: ["edid_info.", 0x140],
  efi_info: ["efi_info.", 0x1c0],
  boot_e820_entry: ["e820_table[].", 0x2d0],
  edd_info: ["eddbuf[].", 0xd00],
  edd_device_params: ["eddbuf[].params.", 0xd08],
};

function flat(side: ComparedLayout, struct: string, other: ComparedLayout): Flat | undefined {
  if (side.kind === "release") return flatHistory(side.layout, struct);
  const layout = side.btf.structLayout(struct);
  if (!layout) return undefined;
  // The history does not go into unions; the types then do not either.
  const stops = other.kind === "release"
    ? new Set(flatHistory(other.layout, struct)?.fields.map(({ path }) => path))
    : new Set<string>();
  return { size: layout.size, fields: [...leaves(layout, stops, other.kind === "types")] };
}

function flatHistory({ fields }: HistoricLayout, struct: string): Flat | undefined {
  const isWhole = struct === "boot_params";
  const own = fields.filter((field) =>
    isWhole ? Object.hasOwn(inPage, field.struct) : field.struct === struct
  );
  if (own.length === 0) return undefined;
  const list = own.filter(({ type }) => !isWhole || !type.startsWith("struct")).map((field) => {
    const [prefix, base] = isWhole ? inPage[field.struct] ?? ["", 0] : ["", 0];
    const start = struct === "setup_header" ? 0x1f1 : 0;
    return {
      path: prefix + field.field,
      at: base + field.offset - start,
      size: field.size ?? 0,
    };
  });
  const size = isWhole ? 4096 : Math.max(...list.map(({ at, size }) => at + size));
  return { size, fields: list };
}

function* leaves(
  { members }: Pick<StructLayout, "members">,
  stops: ReadonlySet<string>,
  withTypes: boolean,
): Generator<Field> {
  for (const member of members) {
    const { path, at, size, type, bitOffset, bitSize, children } = member;
    if (children && children.length > 0 && !stops.has(path)) {
      yield* leaves({ members: children }, stops, withTypes);
      continue;
    }
    yield {
      path: path || "(nameless)",
      at,
      size,
      ...(withTypes && { type }),
      ...(bitOffset !== undefined && { bitOffset }),
      ...(bitSize !== undefined && { bitSize }),
    } satisfies Field & Partial<LayoutMember>;
  }
}
