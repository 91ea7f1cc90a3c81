/**
 * The token table of kallsyms, from which the rest of the table is found.
 *
 * Names are compressed by giving frequent letter groups a byte of their own: 256
 * NUL-terminated tokens, and behind them an index of 256 16-bit offsets. A
 * character that occurs in names as itself keeps its own code, so wherever this
 * table lies, the file has `0 NUL 1 NUL 2 NUL ... 9 NUL`: entries 0x30 to 0x39.
 * The index then tells where entry 0 is, and that it is no coincidence.
 *
 * Source: scripts/kallsyms.c since Linux 2.6.10.
 *
 * @module
 */

/** A token table that its index confirms. */
export interface TokenTable {
  /** Where the tokens start, in bytes from the start of the file. */
  readonly start: number;
  /** Where the index starts, in bytes from the start of the file. */
  readonly index: number;
  /** What each code stands for. */
  readonly tokens: readonly string[];
}

const TOKENS = 256;
/** The longest token that is believed. The kernel's are well under 64. */
const MAX_TOKEN = 512;
/** Bytes of `0 NUL 1 NUL ... 9 NUL`. */
const DIGITS = 20;
/** Labels are aligned to words; linkers have aligned to 16 at most. */
const MAX_PADDING = 16;

/**
 * Where `0 NUL 1 NUL ... 9 NUL` stands in the file.
 *
 * Any two neighbouring bytes within those twenty are a digit and a NUL, so
 * looking at two bytes in nineteen misses none.
 */
export function* digitRuns(bytes: Uint8Array): Generator<number> {
  let last = -1;
  for (let at = 0; at + 1 < bytes.length; at += DIGITS - 1) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    let start: number;
    if (b === 0 && a >= 0x30 && a <= 0x39) start = at - 2 * (a - 0x30);
    else if (a === 0 && b >= 0x30 && b <= 0x39) start = at + 1 - 2 * (b - 0x30);
    else continue;
    if (start === last || start < 0 || start + DIGITS > bytes.length) continue;
    let i = 0;
    while (i < 10 && bytes[start + 2 * i] === 0x30 + i && bytes[start + 2 * i + 1] === 0) i++;
    if (i === 10) yield last = start;
  }
}

/**
 * The token table around a run of digits.
 *
 * @param zero Where the token `0` stands, in bytes from the start of the file.
 * @returns undefined if the bytes around are no such table.
 */
export function tokenTableAt(bytes: Uint8Array, zero: number): TokenTable | undefined {
  let end = zero;
  for (let code = 0x30; code < TOKENS; code++) {
    const next = endOfToken(bytes, end);
    if (next === undefined) return undefined;
    end = next;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = end; index < end + MAX_PADDING; index++) {
    if (index + 2 * TOKENS > bytes.length) return undefined;
    const start = zero - view.getUint16(index + 2 * 0x30, true);
    if (view.getUint16(index, true) === 0 && start >= 0) {
      const tokens = tokensFrom(bytes, view, start, index);
      if (tokens !== undefined) return { start, index, tokens };
    }
    if (bytes[index] !== 0) return undefined;
  }
  return undefined;
}

function tokensFrom(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  index: number,
): string[] | undefined {
  const tokens: string[] = [];
  let at = start;
  for (let code = 0; code < TOKENS; code++) {
    if (view.getUint16(index + 2 * code, true) !== at - start) return undefined;
    const next = endOfToken(bytes, at);
    if (next === undefined) return undefined;
    tokens.push(String.fromCharCode(...bytes.subarray(at, next - 1)));
    at = next;
  }
  return tokens;
}

/** Past the NUL of the token at `at`; undefined if that is no token. */
function endOfToken(bytes: Uint8Array, at: number): number | undefined {
  for (let i = at; i < at + MAX_TOKEN; i++) {
    const byte = bytes[i];
    if (byte === 0) return i + 1;
    if (byte === undefined || byte <= 0x20 || byte >= 0x7f) return undefined;
  }
  return undefined;
}
