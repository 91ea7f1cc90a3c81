/**
 * Which rows of the opcode map real boots met, as `tests/witness/boots.ts` found.
 *
 * `rows_met.txt` has a line `# letter boot` for each boot, then a line for each
 * row that was met: the letters of its boots, opcode and text, tabs between.
 *
 * @module
 */

import type { Row } from "../emu/cpu/opcodes/row.ts";

/** Rows and the boots that met them. */
export interface MetRows {
  /** The boots, by letter. */
  readonly boots: { readonly letter: string; readonly what: string }[];
  /** Letters of boots by {@link rowKey}. */
  readonly rows: Map<string, string>;
}

/** What a row is known by. */
export function rowKey({ opcode, text }: Row): string {
  return `${opcode}\t${text}`;
}

/**
 * Writes what was met.
 *
 * @param order Keys of all rows, as the map has them.
 */
export function rowsMetText({ boots, rows }: MetRows, order: readonly string[]): string {
  const lines = [
    ...boots.map(({ letter, what }) => `# ${letter}\t${what}`),
    ...order.flatMap((key) => rows.has(key) ? [`${rows.get(key)}\t${key}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Reads what was met. */
export function rowsMet(): MetRows {
  const text = Deno.readTextFileSync(new URL("rows_met.txt", import.meta.url));
  const found: MetRows = { boots: [], rows: new Map() };
  for (const line of text.split("\n")) {
    const [first = "", ...rest] = line.split("\t");
    const [, letter] = /^# (.)$/.exec(first) ?? [];
    if (letter !== undefined) found.boots.push({ letter, what: rest.join("\t") });
    else if (rest.length > 0) found.rows.set(rest.join("\t"), first);
  }
  return found;
}
