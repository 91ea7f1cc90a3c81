/**
 * The banner: the line that Linux prints first, found in the kernel's bytes.
 *
 * ```text
 * Linux version 6.1.0-56-amd64 (me@here) (gcc-12 (Debian 12.2.0) …) #1 SMP …
 * ```
 *
 * The same letters occur in the kernel as a template for printing
 * ("Linux version %s (%s)") and in messages; the banner is the occurrence with a
 * number behind them and a builder in parentheses behind that.
 *
 * Source: init/version.c, linux_banner.
 *
 * @module
 */

import { findSequence } from "./_find.ts";

/** A banner, found. */
export interface Banner {
  /** The whole line, without its newline. */
  readonly text: string;
  /** The release, `6.1.0-56-amd64`. */
  readonly release: string;
  /** Where the line starts, in bytes. */
  readonly offset: number;
}

const opening = "Linux version ";
/** So long a line is looked at; the kernel's own are some 200 bytes. */
const MAX_LINE = 1024;
/** So many lines with a number are looked at; a kernel has one or two. */
const MAX_LINES = 4096;

/**
 * Finds the banner in an unpacked kernel, ELF or not: the first with a build
 * number, else the first of all.
 *
 * @returns `undefined` where there is none.
 */
export function findBanner(bytes: Uint8Array): Banner | undefined {
  let lines = 0;
  let unnumbered: Banner | undefined;
  for (
    let offset = findSequence(bytes, opening);
    offset >= 0 && lines < MAX_LINES;
    offset = findSequence(bytes, opening, offset + opening.length)
  ) {
    const digit = bytes[offset + opening.length] ?? 0;
    if (digit < 0x30 || digit > 0x39) continue;
    lines++;
    const text = lineAt(bytes, offset);
    const release = text?.match(/^Linux version (\d+\.\d[^\s()%]*) \([^%]+\)/)?.[1];
    if (text === undefined || release === undefined) continue;
    // Tour payload 040
    //
    // The kernel's first words. There may be two of them: one linked early, without a
    // build number, and the real one.
    // Since 6.1 a weak banner without its build number, "# SMP", may stand before
    // the real one, "#1 SMP", which the kernel's last link adds.
    if (/ #\d/.test(text)) return { text, release, offset };
    unnumbered ??= { text, release, offset };
  }
  return unnumbered;
}

/** The line up to its NUL or newline; `undefined` if none comes or it is no text. */
function lineAt(bytes: Uint8Array, at: number): string | undefined {
  const line = bytes.subarray(at, at + MAX_LINE);
  const end = line.findIndex((byte) => byte === 0 || byte === 10);
  const text = end < 0 ? undefined : line.subarray(0, end);
  return text?.some((byte) => byte < 32) ?? true ? undefined : new TextDecoder().decode(text);
}
