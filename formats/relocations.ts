/**
 * The relocation table that the kernel's build puts behind the ELF in the
 * payload: where in the kernel an address stands that has to change when the
 * kernel runs elsewhere than it was linked for.
 *
 * It is made to be read backwards, from the payload's end: words of 32 bits, a
 * zero word in front of each list.
 *
 * ```text
 * i386                  0, 32-bit …
 * amd64 up to 6.12 …    0, 64-bit …, 0, inverse 32-bit …, 0, 32-bit …
 * amd64 since           0, 64-bit …, 0, 32-bit …
 * ```
 *
 * A word is the virtual address of the place, on amd64 with its upper half left
 * out. "Inverse" places hold a distance to per-CPU data, which does not move with
 * the kernel; they are adjusted the other way.
 *
 * Source: arch/x86/tools/relocs.c, emit_relocs(), and
 * arch/x86/boot/compressed/misc.c, handle_relocations(), of 5.10, 6.12 and 6.16.
 *
 * @module
 */

import type { Elf, ElfComplaint, Span } from "./elf.ts";
import { hex } from "./errors.ts";

/** What is changed at a place. */
export type RelocationKind = "64-bit" | "inverse 32-bit" | "32-bit";

/** One list of places. */
export interface RelocationList {
  /** What is changed at each. */
  readonly kind: RelocationKind;
  /** Word size of the kernel in bits. */
  readonly class: 32 | 64;
  /** How many. */
  readonly count: number;
  /** Where the list's first word is, in bytes from the start of the table. */
  readonly offset: number;
  /** First virtual address; absent in an empty list. */
  readonly first?: bigint;
  /** Last virtual address; absent in an empty list. */
  readonly last?: bigint;
  /** The words as they stand, see {@link relocationAddresses}; a view where aligned. */
  readonly words: Uint32Array;
}

/** A decoded relocation table. */
export interface Relocations {
  /** The lists in the order in which they stand. */
  readonly lists: readonly RelocationList[];
  /** What is wrong with them; offsets in bytes from the start of the table. */
  readonly complaints: readonly ElfComplaint[];
}

/** The kinds of a table's lists, by word size and number of lists. */
const kinds: Readonly<Record<32 | 64, readonly (readonly RelocationKind[])[]>> = {
  32: [["32-bit"]],
  64: [["64-bit", "inverse 32-bit", "32-bit"], ["64-bit", "32-bit"]],
};

/**
 * Reads the relocation table behind an ELF.
 *
 * Never throws: bytes that cannot be a table give no lists and a complaint, no
 * bytes give neither.
 *
 * @param bytes From the end of the ELF (`fileEnd`) to the end of the payload.
 * @param elf The ELF before them, for its word size and load span.
 */
export function decodeRelocations(bytes: Uint8Array, elf: Elf): Relocations {
  const complaints: ElfComplaint[] = [];
  const complain = (rule: string, offset: number, message: string) => {
    complaints.push({
      severity: "warning",
      offset,
      rule: `relocations.${rule}`,
      structure: "relocations",
      message,
    });
  };
  if (bytes.length === 0) return { lists: [], complaints };
  // Walked from the end, as the kernel does: an odd tail would be in front.
  const skip = bytes.length % 4;
  if (skip > 0) complain("length", 0, `needs whole words of 4 bytes, found ${bytes.length} bytes`);
  const words = wordsOf(bytes.subarray(skip));
  const allowed = kinds[elf.class];
  const zeros = lastZeros(words, allowed[0]?.length ?? 1);
  // No kernel lacks 64-bit places: an empty first list of three is padding.
  if (zeros.length === 3 && (zeros[1] ?? 0) - (zeros[0] ?? 0) === 1) zeros.shift();
  const start = zeros[0];
  if (start === undefined) {
    complain("no-list", 0, `${bytes.length} bytes without a zero word before a list`);
    return { lists: [], complaints };
  }
  const of = allowed.find((names) => names.length === zeros.length);
  if (!of) {
    const counts = allowed.map((names) => names.length).sort().join(" or ");
    complain("lists", skip + 4 * start, `needs ${counts} lists, found ${zeros.length}`);
  }
  const unused = words.subarray(0, start).findIndex((word) => word !== 0);
  if (unused >= 0) {
    complain("unread", skip + 4 * unused, `${4 * (start - unused)} bytes before the first list`);
  }
  const lists = zeros.map((zero, i) => {
    const list = listOf(
      of?.[i] ?? "32-bit",
      words.subarray(zero + 1, zeros[i + 1] ?? words.length),
      skip + 4 * (zero + 1),
      elf,
    );
    for (const { rule, at, message } of faults(list, elf)) complain(rule, at, message);
    return list;
  });
  return { lists, complaints };
}

/**
 * The virtual addresses of the places in a list, one after the other: 200,000
 * big numbers need not exist at once.
 */
export function* relocationAddresses(list: RelocationList): Generator<bigint> {
  for (const word of list.words) yield addressOf(word, list.class);
}

/** A 64-bit kernel's addresses have the upper half that sign extension gives them. */
function addressOf(word: number, bits: 32 | 64): bigint {
  return bits === 64 ? BigInt.asUintN(64, BigInt(word | 0)) : BigInt(word);
}

/** The words of the table; a view, or a copy where the table starts unaligned. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
}

/** Positions of the last zero words, at most `most` of them, in order. */
function lastZeros(words: Uint32Array, most: number): number[] {
  const zeros: number[] = [];
  for (let at = words.length; zeros.length < most;) {
    at = at > 0 ? words.lastIndexOf(0, at - 1) : -1;
    if (at < 0) break;
    zeros.unshift(at);
  }
  return zeros;
}

function listOf(
  kind: RelocationKind,
  words: Uint32Array,
  offset: number,
  elf: Elf,
): RelocationList {
  const first = words[0];
  const last = words[words.length - 1];
  return {
    kind,
    class: elf.class,
    count: words.length,
    offset,
    ...(first === undefined ? {} : { first: addressOf(first, elf.class) }),
    ...(last === undefined ? {} : { last: addressOf(last, elf.class) }),
    words,
  };
}

/** Places out of order or outside the kernel: one finding of each kind a list. */
function* faults(
  { kind, words, offset }: RelocationList,
  elf: Elf,
): Generator<{ rule: string; at: number; message: string }> {
  const size = kind === "64-bit" ? 8 : 4;
  const span = lowWords(elf.load?.vaddr, size);
  let unsorted = 0;
  let firstUnsorted = 0;
  let outside = 0;
  let firstOutside = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    if (i > 0 && word <= (words[i - 1] ?? 0) && unsorted++ === 0) firstUnsorted = i;
    if (span && (word < span.low || word > span.high) && outside++ === 0) firstOutside = i;
  }
  if (unsorted > 0) {
    yield {
      rule: "order",
      at: offset + 4 * firstUnsorted,
      message: `${kind}: ${unsorted} of ${words.length} addresses are not above the one before, ` +
        `the first ${hex(words[firstUnsorted] ?? 0)}`,
    };
  }
  if (outside > 0) {
    yield {
      rule: "outside",
      at: offset + 4 * firstOutside,
      message: `${kind}: ${outside} of ${words.length} addresses lie outside the kernel, ` +
        `the first ${hex(words[firstOutside] ?? 0)}`,
    };
  }
}

/**
 * The load span as the table's words have it, for places of `size` bytes. A span
 * across a border of 4 GiB has no such form.
 */
function lowWords(span: Span | undefined, size: number): { low: number; high: number } | undefined {
  if (!span || span.end - span.start < BigInt(size)) return undefined;
  const low = Number(BigInt.asUintN(32, span.start));
  const high = Number(BigInt.asUintN(32, span.end - BigInt(size)));
  return low <= high ? { low, high } : undefined;
}
