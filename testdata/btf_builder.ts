/**
 * Builds BTF by hand, for shapes that no compiler emits.
 */

import { btfKinds } from "../formats/btf/header.ts";

/** One type to build: its words after the name, in the order of the file. */
export interface BtfRow {
  kind: typeof btfKinds[number]["name"] | number;
  name?: string;
  /** What the third word holds: a size or a type id. */
  word?: number;
  /** How many members follow, where that is not what `tail` says. */
  vlen?: number;
  flag?: boolean;
  /** Further words; a string becomes the offset of that name. */
  tail?: readonly (number | string)[];
}

/** Bytes of BTF with the given types, ids from 1 on. */
export function buildBtf(rows: readonly BtfRow[], layout: readonly [number, number][] = []) {
  const names = [0];
  const nameOf = (name: string): number => {
    if (name === "") return 0;
    const at = names.length;
    names.push(...new TextEncoder().encode(name), 0);
    return at;
  };
  const words: number[] = [];
  for (const { kind, name = "", word = 0, vlen, flag = false, tail = [] } of rows) {
    const number = typeof kind === "number" ? kind : btfKinds.findIndex((k) => k.name === kind);
    const each = btfKinds[number]?.each ?? 0;
    const count = vlen ?? (each > 0 ? tail.length / (each / 4) : 0);
    words.push(nameOf(name), (flag ? 0x80000000 : 0) + number * 0x1000000 + count, word);
    words.push(...tail.map((w) => typeof w === "string" ? nameOf(w) : w));
  }
  while (names.length % 4) names.push(0);
  const headerLength = layout.length > 0 ? 32 : 24;
  const bytes = new Uint8Array(headerLength + 4 * words.length + names.length + 4 * layout.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0001eb9f, true);
  const header = [headerLength, 0, 4 * words.length, 4 * words.length, names.length];
  if (layout.length > 0) header.push(4 * words.length + names.length, 4 * layout.length);
  header.forEach((value, i) => view.setUint32(4 + 4 * i, value, true));
  words.forEach((value, i) => view.setUint32(headerLength + 4 * i, value, true));
  bytes.set(names, headerLength + 4 * words.length);
  layout.forEach(([once, each], i) => {
    bytes.set([once, each], headerLength + 4 * words.length + names.length + 4 * i);
  });
  return bytes;
}
