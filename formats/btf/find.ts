/**
 * Finding BTF in a kernel.
 *
 * An ELF file with a section table has it in `.BTF`. The kernel inside a bzImage
 * may have no section table; its BTF still lies in the file, since the running
 * kernel needs it, and is found by its header.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import { type BtfHeader, decodeBtfHeader, sections as parts } from "./btf.ts";
import { BTF_MAGIC } from "./header.ts";

/** A section of an ELF file, as much as is needed here. */
export interface NamedSection {
  /** The section's name. */
  readonly name: string;
  /** Where it starts, in bytes from the start of the file. */
  readonly offset: number | bigint;
  /** Its length in bytes. */
  readonly size: number | bigint;
}

/** Where BTF lies. */
export interface BtfPlace {
  /** Where it starts, in bytes from the start of the file. */
  readonly offset: number;
  /** Its length in bytes. */
  readonly length: number;
}

/** No header has been longer than 32 bytes; anything past this is no header. */
const MAX_HEADER = 256;

/**
 * Finds BTF.
 *
 * Without sections every place that could be a header is tried and the longest
 * taken: a kernel can carry BPF programs of its own, each with a small BTF.
 *
 * @returns undefined if there is none; never throws.
 */
export function findBtf(
  bytes: Uint8Array,
  sections?: readonly NamedSection[],
): BtfPlace | undefined {
  const section = sections?.find((s) => s.name === ".BTF");
  if (section !== undefined && BigInt(section.offset) + BigInt(section.size) <= bytes.length) {
    const offset = Number(section.offset);
    const header = plausible(bytes.subarray(0, offset + Number(section.size)), offset);
    if (header !== undefined) return { offset, length: lengthOf(header) };
  }
  let best: BtfPlace | undefined;
  for (let at = bytes.indexOf(0x9f); at >= 0; at = bytes.indexOf(0x9f, at + 1)) {
    if (bytes[at + 1] !== BTF_MAGIC >> 8 || bytes[at + 2] !== 1) continue;
    const header = plausible(bytes, at);
    if (header === undefined) continue;
    const length = lengthOf(header);
    if (best === undefined || length > best.length) best = { offset: at, length };
  }
  return best;
}

/** Bytes from the first of the header to the last of any section. */
function lengthOf(header: BtfHeader): number {
  return header.hdr_len + Math.max(...parts(header).map(([, offset, length]) => offset + length));
}

/** The header at `at` if it is one: types in whole words, and names between NULs. */
function plausible(bytes: Uint8Array, at: number): BtfHeader | undefined {
  try {
    const header = decodeBtfHeader(bytes, at);
    const { hdr_len, type_off, type_len, str_off, str_len } = header;
    const names = at + hdr_len + str_off;
    const isOne = hdr_len <= MAX_HEADER && hdr_len % 4 === 0 && type_off % 4 === 0 &&
      type_len % 4 === 0 && str_len > 0 && bytes[names] === 0 && bytes[names + str_len - 1] === 0;
    return isOne ? header : undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
