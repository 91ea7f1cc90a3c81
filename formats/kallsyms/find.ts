/**
 * Finding the symbol table in an unpacked kernel, by its structure alone.
 *
 * @module
 */

import { hex } from "../errors.ts";
import { type AddressForm, findAddresses } from "./addresses.ts";
import { type Image, type KallsymsHint, prepare, wordSizes } from "./image.ts";
import { Kallsyms, type SymbolNames } from "./kallsyms.ts";
import { findNames, type NamePlaces } from "./names.ts";
import { findStems } from "./stems.ts";
import { digitRuns, type TokenTable, tokenTableAt } from "./tokens.ts";

/** Why there are no symbols. */
export interface KallsymsAbsent {
  /** Tells this from a table. */
  readonly found: false;
  /** Whether something that looks like a table is there all the same. */
  readonly isDamaged: boolean;
  /** What was looked for and not found, in words. */
  readonly reason: string;
  /** Where that something is, in bytes from the start of the file. */
  readonly at?: number;
}

/** How many token tables are followed up. A kernel has one. */
const MAX_TABLES = 8;
/** How many rows of digits are looked at for being in one. */
const MAX_RUNS = 4096;

const forms: Readonly<Record<AddressForm, string>> = {
  "absolute": "absolute addresses",
  "relative": "offsets from a base",
  "relative, per-CPU absolute": "offsets from a base, per-CPU symbols absolute",
  "place-relative": "offsets from their own place",
};

/**
 * Finds and opens the kernel's symbol table (CONFIG_KALLSYMS) in an unpacked
 * kernel; neither sections nor symbols need be there.
 *
 * Known are the tables of Linux 2.5.5x to 7.2 for x86. Places and addresses are
 * read at once, names when they are asked for.
 *
 * @returns The table, or why there is none; never throws.
 */
export function findKallsyms(
  bytes: Uint8Array,
  hint: KallsymsHint = {},
): Kallsyms | KallsymsAbsent {
  const words = wordSizes(bytes, hint);
  let damaged: KallsymsAbsent | undefined;
  let tables = 0;
  let runs = 0;
  for (const zero of digitRuns(bytes)) {
    if (++runs > MAX_RUNS) break;
    const table = tokenTableAt(bytes, zero);
    if (table === undefined) continue;
    if (++tables > MAX_TABLES) break;
    for (const word of words) {
      const found = fromTokens(prepare(bytes, word, hint), table);
      if (found.found) return found;
      damaged ??= found;
    }
  }
  for (const word of words) {
    const found = fromStems(prepare(bytes, word, hint));
    if (found !== undefined) return found;
  }
  return damaged ?? {
    found: false,
    isDamaged: false,
    reason: "no token table with its index, and no addresses followed by names",
  };
}

function fromTokens(image: Image, table: TokenTable): Kallsyms | KallsymsAbsent {
  const absent = (reason: string): KallsymsAbsent => ({
    found: false,
    isDamaged: true,
    reason: `a token table stands at ${hex(table.start)}, but ${reason}`,
    at: table.start,
  });
  const names = findNames(image, table);
  if (names === undefined) return absent("no names before it that agree with their markers");
  const count = names.starts.length;
  const afterIndex = table.index + 512;
  const addresses = findAddresses(image, count, names.num_syms, afterIndex);
  if (addresses === undefined) {
    return absent(
      `its ${count} names have no addresses that ascend and lie in the kernel ` +
        `(${hex(image.span.start)} to ${hex(image.span.end)})`,
    );
  }
  const isAbsolute = addresses.form === "absolute";
  const layout = [
    "token-compressed names",
    ...(names.hasLongNames && hasLongName(image, names) ? ["lengths of up to two bytes"] : []),
    `markers of ${names.markerSize} bytes`,
    `${forms[addresses.form]} ${addresses.at > table.index ? "behind" : "before"} the names`,
  ].join(", ");
  const places = {
    [isAbsolute ? "kallsyms_addresses" : "kallsyms_offsets"]: addresses.at,
    ...(addresses.base === undefined ? {} : { kallsyms_relative_base: addresses.base }),
    kallsyms_num_syms: names.num_syms,
    kallsyms_names: names.names,
    kallsyms_markers: names.markers,
    kallsyms_token_table: table.start,
    kallsyms_token_index: table.index,
  };
  return new Kallsyms(layout, places, new TokenNames(image.bytes, table, names), addresses);
}

function hasLongName({ bytes }: Image, { starts }: NamePlaces): boolean {
  return starts.some((start) => (bytes[start] ?? 0) >= 0x80);
}

function fromStems(image: Image): Kallsyms | undefined {
  const table = findStems(image);
  if (table === undefined) return undefined;
  const { texts } = table;
  return new Kallsyms(
    "names without their common beginnings, absolute addresses before the names",
    {
      kallsyms_addresses: table.addresses.at,
      kallsyms_num_syms: table.num_syms,
      kallsyms_names: table.names,
    },
    {
      text: (index) => `?${texts[index] ?? ""}`,
      find: (name, from) => texts.indexOf(name, from),
    },
    table.addresses,
  );
}

/** Names that are put together from tokens when they are asked for. */
class TokenNames implements SymbolNames {
  readonly #bytes: Uint8Array;
  readonly #tokens: readonly string[];
  readonly #starts: Uint32Array;
  readonly #hasLongNames: boolean;

  constructor(bytes: Uint8Array, { tokens }: TokenTable, names: NamePlaces) {
    this.#bytes = bytes;
    this.#tokens = tokens;
    this.#starts = names.starts;
    this.#hasLongNames = names.hasLongNames;
  }

  text(index: number): string {
    const start = this.#starts[index];
    if (start === undefined) return "";
    let at = this.#codes(start);
    const end = this.#end(start);
    let text = "";
    while (at < end) text += this.#tokens[this.#bytes[at++] as number];
    return text;
  }

  find(name: string, from: number): number {
    for (let index = from; index < this.#starts.length; index++) {
      if (this.#is(this.#starts[index] as number, name)) return index;
    }
    return -1;
  }

  /** Whether the name at `start` is `name`, told token by token. */
  #is(start: number, name: string): boolean {
    const end = this.#end(start);
    let matched = -1; // the type letter comes first
    for (let at = this.#codes(start); at < end; at++) {
      const token = this.#tokens[this.#bytes[at] as number] as string;
      const isNext = matched < 0
        ? name.startsWith(token.slice(1))
        : name.startsWith(token, matched);
      if (!isNext) return false;
      matched += token.length;
    }
    return matched === name.length;
  }

  #isLong(start: number): boolean {
    return this.#hasLongNames && (this.#bytes[start] as number) >= 0x80;
  }

  /** Where the codes of the name at `start` begin. */
  #codes(start: number): number {
    return this.#isLong(start) ? start + 2 : start + 1;
  }

  /** Where they end. */
  #end(start: number): number {
    const first = this.#bytes[start] as number;
    if (!this.#isLong(start)) return start + 1 + first;
    return start + 2 + ((first & 0x7f) | (this.#bytes[start + 1] as number) << 7);
  }
}
