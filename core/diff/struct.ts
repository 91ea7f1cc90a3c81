/**
 * Two forms of one structure, as lists of their leaves: what came, went, moved,
 * grew or got another name, and what was padding before.
 *
 * @module
 */

import { hex } from "../../formats/errors.ts";
import { byteCount, type Change, compare, growth, keyed, type Side, side } from "./change.ts";
import { grouped } from "../words.ts";
import { sinceOf } from "./header.ts";
import { distance } from "./kernel.ts";

/** Whether a name is one of padding. */
export function isPadding(path: string): boolean {
  return /(^|\.)(_+pad|pad\d*$|unused|_?reserved\d*$)/.test(path);
}

/** A leaf of a structure. */
export interface Field {
  /** Its path in the structure; never empty. */
  readonly path: string;
  /** Bytes from the start of the structure. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
  /** As C writes it; absent where the two sides spell types differently. */
  readonly type?: string;
  /** Of a bit field: its first bit, counted from the least at `at`. */
  readonly bitOffset?: number;
  /** Of a bit field: its width in bits. */
  readonly bitSize?: number;
}

/** A structure as a list of its leaves. */
export interface Flat {
  /** Bytes it takes. */
  readonly size: number;
  /** Its leaves. */
  readonly fields: readonly Field[];
}

function fieldSide(field: Field | undefined, name = ""): Side | undefined {
  if (!field) return undefined;
  const { at, size, type, bitOffset, bitSize } = field;
  const place = bitSize === undefined
    ? `${hex(at, 3)}, ${byteCount(size)}`
    : `${hex(at, 3)}, bit ${bitOffset ?? 0}, ${bitSize} wide`;
  const shown = isPadding(field.path)
    ? `padding at ${place}`
    : `${name && `${name}, `}${place}${type === undefined ? "" : `, ${type}`}`;
  return side(field, shown);
}

/** A stretch of bytes, and the first field in it. */
interface Stretch {
  readonly start: number;
  end: number;
  readonly first: Field;
}

/** Which bytes fields take, overlapping ones together, in order. */
function stretchesOf(fields: readonly Field[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const first of fields.toSorted((a, b) => a.at - b.at)) {
    const [last, end] = [stretches.at(-1), first.at + first.size];
    if (last && first.at < last.end) last.end = Math.max(last.end, end);
    else if (end > first.at) stretches.push({ start: first.at, end, first });
  }
  return stretches;
}

/** The first stretch that shares a byte with a field. */
function touching(stretches: readonly Stretch[], { at, size }: Field): Stretch | undefined {
  let [low, high] = [0, stretches.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stretches[middle]?.end ?? 0) > at) high = middle;
    else low = middle + 1;
  }
  const found = stretches[low];
  return found && found.start < at + size ? found : undefined;
}

/** What a structure has where the other has a field: padding, a hole, or something else. */
type Instead = (field: Field) => Side | undefined;

function insteadIn({ fields, size: end }: Flat): Instead {
  const named = stretchesOf(fields.filter(({ path }) => !isPadding(path)));
  const padding = stretchesOf(fields.filter(({ path }) => isPadding(path)));
  return (field) => {
    const { at, size } = field;
    if (touching(named, field)) return undefined;
    const pad = touching(padding, field)?.first;
    if (pad) {
      return side({ field: pad.path, at: pad.at, size: pad.size }, `padding (${pad.path})`);
    }
    return at + size <= end ? side({ field: "", at, size }, "padding (a hole)") : undefined;
  };
}

/** Compares a structure of both sides, in the order of the second. */
export function* compareStructs(
  name: string,
  a: Flat | undefined,
  b: Flat | undefined,
): Generator<Change> {
  const whole = (s: Flat | undefined) =>
    s && side(s.size, `${byteCount(s.size)}, ${grouped(s.fields.length)} fields`);
  yield* compare("layout", `struct ${name}`, whole(a), whole(b), () => ({
    ...(a && b && { kind: "resized" as const, note: growth(a.size, b.size) }),
  }));
  if (!a || !b) return;
  const changes: Placed[] = [];
  const [left, right] = [keyed(a.fields, pathOf), keyed(b.fields, pathOf)];
  const instead = [insteadIn(a), insteadIn(b)] as const;
  const renames = renamesOf(left, right);
  for (const { path } of renames.values()) left.delete(path);
  for (const [path, was, is] of inOrder(left, right)) {
    const older = renames.get(path);
    if (older && is) {
      const sides = [fieldSide(older, older.path), fieldSide(is, path)] as const;
      const meaning = `${older.path} at ${hex(is.at, 3)} is now ${path}`;
      const [change] = compare("layout", path, ...sides, { kind: "renamed", meaning });
      if (change) changes.push({ change });
      continue;
    }
    // Padding is told by the field that it became or was.
    if (isPadding(path) && !(was && is && was.at === is.at && was.size === is.size)) continue;
    for (const change of comparePlaces(path, was, is, instead, name)) {
      const by = change.kind === "moved" && was && is ? is.at - was.at : undefined;
      changes.push({ change, ...(by !== undefined && { by }) });
    }
  }
  yield* runs(changes);
}

/** A change, and by how many bytes its field moved. */
interface Placed {
  readonly change: Change;
  readonly by?: number;
}

/** Pairs of fields in the second side's order; what that lacks comes behind its neighbour. */
function* inOrder(
  left: ReadonlyMap<string, Field>,
  right: ReadonlyMap<string, Field>,
): Generator<readonly [path: string, was: Field | undefined, is: Field | undefined]> {
  const behind = new Map<string, Field[]>();
  let last = "";
  for (const [path, was] of left) {
    if (right.has(path)) {
      last = path;
      continue;
    }
    const others = behind.get(last);
    if (others) others.push(was);
    else behind.set(last, [was]);
  }
  for (const was of behind.get("") ?? []) yield [was.path, was, undefined];
  for (const [path, is] of right) {
    yield [path, left.get(path), is];
    for (const was of behind.get(path) ?? []) yield [was.path, was, undefined];
  }
}

/** Fields under another name at the same place: the new path to the old field. */
function renamesOf(
  left: ReadonlyMap<string, Field>,
  right: ReadonlyMap<string, Field>,
): Map<string, Field> {
  const place = ({ at, size, bitOffset, type }: Field) => `${at} ${size} ${bitOffset} ${type}`;
  const only = (a: ReadonlyMap<string, Field>, b: ReadonlyMap<string, Field>) =>
    Map.groupBy(
      [...a.values()].filter(({ path }) => !b.has(path) && !isPadding(path)),
      place,
    );
  const [gone, come] = [only(left, right), only(right, left)];
  const renames = new Map<string, Field>();
  for (const [where, [was, another]] of gone) {
    // Of several in a union nobody can say which became which.
    const [is, second] = come.get(where) ?? [];
    if (was && is && !another && !second) renames.set(is.path, was);
  }
  return renames;
}

const pathOf = ({ path }: Field): string => path;

function comparePlaces(
  path: string,
  was: Field | undefined,
  is: Field | undefined,
  instead: readonly [a: Instead, b: Instead],
  struct: string,
): Change[] {
  const history = struct === "boot_params" && was === undefined
    ? sinceOf(path.includes(".") ? path : `boot_params.${path}`)
    : {};
  if (!was && is) {
    const before = instead[0](is);
    return before
      ? compare("layout", path, before, fieldSide(is), {
        kind: "padding became a field",
        ...history,
        meaning: `${path} at ${hex(is.at, 3)} was ${before.shown}`,
      })
      : compare("layout", path, undefined, fieldSide(is), history);
  }
  if (was && !is) {
    const after = instead[1](was);
    return after
      ? compare("layout", path, fieldSide(was), after, {
        kind: "field became padding",
        meaning: `${path} at ${hex(was.at, 3)} is ${after.shown} now`,
      })
      : compare("layout", path, fieldSide(was), undefined);
  }
  return compare("layout", path, fieldSide(was), fieldSide(is), () => {
    if (!was || !is) return {};
    const kind = was.size !== is.size ? "resized" : was.at !== is.at ? "moved" : "changed";
    // Another type moves with its field, and is the more telling of the two.
    return {
      kind: was.type === is.type ? kind : "changed",
      note: was.at === is.at ? "" : `moved by ${distance(was.at, is.at)}`,
    };
  });
}

/** So many fields that move together are told one by one. */
const FEW = 3;

/** Fields in a row that all moved by the same distance are told as one. */
function* runs(changes: readonly Placed[]): Generator<Change> {
  for (let i = 0; i < changes.length;) {
    const first = changes[i];
    if (!first) return;
    let end = i + 1;
    while (first.by !== undefined && changes[end]?.by === first.by) end++;
    const run = changes.slice(i, end).map(({ change }) => change);
    i = end;
    const last = run.at(-1);
    if (run.length <= FEW || !last || first.by === undefined) {
      yield* run;
      continue;
    }
    const path = `${first.change.path} … ${last.path}`;
    const by = distance(0, first.by);
    yield {
      ...first.change,
      path,
      note: `${grouped(run.length)} fields moved by ${by}`,
      meaning: `${path}: ${grouped(run.length)} fields moved by ${by}`,
    };
  }
}
