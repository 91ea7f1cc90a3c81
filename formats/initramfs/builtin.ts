/**
 * The initramfs that is linked into a kernel.
 *
 * Every kernel has one, from `__initramfs_start` on: if nothing was configured
 * the 512 bytes with /dev, /dev/console and /root. Behind it, on a boundary of
 * eight, stands its size, `__initramfs_size`. A vmlinux that came out of an image
 * has no symbols left, so it is looked for by that shape: a cpio archive, plain
 * or compressed, on a boundary of four, whose length is the word behind it.
 *
 * Source: include/asm-generic/vmlinux.lds.h (`INIT_RAM_FS`),
 * usr/initramfs_data.S, usr/default_cpio_list.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import { recogniseCompression } from "../payload/compression.ts";
import { decompress } from "../payload/decompress.ts";
import { looksLikeStream } from "../payload/plausible.ts";
import { decodeCpio, recogniseCpio } from "./cpio.ts";
import { DEFAULT_LIMIT, type Initramfs, openInitramfs } from "./initramfs.ts";

/** An initramfs found in a kernel. */
export interface BuiltinInitramfs {
  /** Where it starts in the bytes that were searched. */
  readonly offset: number;
  /** Its length in bytes, as the word behind it says. */
  readonly length: number;
  /** Why it is taken for the kernel's own, in words. */
  readonly rule: string;
  /** What is in it. */
  readonly initramfs: Initramfs;
}

/** A section of an ELF file, as far as it matters here. */
export interface SectionPlace {
  /** Its name. */
  readonly name: string;
  /** File offset in bytes. */
  readonly offset: number | bigint;
  /** Bytes in the file. */
  readonly size: number | bigint;
}

/** Where to look, and how far to go. */
export interface BuiltinOptions {
  /** The ELF file's sections, if it has any: `.init.ramfs` or `.init.data` is searched alone. */
  readonly sections?: readonly SectionPlace[];
  /** Most bytes that a compressed one may unpack to; default 1 GiB. */
  readonly limit?: number;
}

/** Compressed streams that are tried at most; a kernel has its own configuration and certificates. */
const MOST_TRIES = 64;

/**
 * Finds the initramfs that is linked into a kernel, by its shape.
 *
 * @param bytes A vmlinux.
 * @returns The first that fits; `undefined` if none does.
 */
export async function findBuiltinInitramfs(
  bytes: Uint8Array,
  { sections = [], limit = DEFAULT_LIMIT }: BuiltinOptions = {},
): Promise<BuiltinInitramfs | undefined> {
  const section =
    [".init.ramfs", ".init.data"].flatMap((name) => sections.filter((s) => s.name === name))[0];
  const start = section === undefined ? 0 : Math.ceil(Number(section.offset) / 4) * 4;
  const end = section === undefined
    ? bytes.length
    : Math.min(bytes.length, Number(section.offset) + Number(section.size));
  // Plain ones first: they cost next to nothing to look at, and are what most kernels have.
  for (const isPacked of [false, true]) {
    let tries = 0;
    for (const at of candidates(bytes, start, end, isPacked)) {
      if (isPacked && tries++ === MOST_TRIES) break;
      try {
        const length = sizeBehind(
          bytes,
          at,
          isPacked ? await packedLengths(bytes.subarray(at), limit) : plainLengths(bytes, at),
        );
        if (length === undefined) continue;
        const initramfs = await openInitramfs(bytes.subarray(at, at + length), { limit });
        const rule = `a cpio archive with its size, ${length}, in the word behind it`;
        return { offset: at, length, rule, initramfs };
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
  }
  return undefined;
}

/** "0707" as a word. */
const CPIO = 0x37303730;
/** The words that compressed streams start with. */
const wholeWords = [0x587a37fd, 0x4f5a4c89, 0x184c2102, 0xfd2fb528];
/** gzip with deflate, bzip2, lzma: three bytes of magic. */
const threeBytes = [0x088b1f, 0x685a42, 0x00005d];
/** "IKCF", of the mark eight bytes before the configuration, which is in gzip too. */
const IKCF = 0x46434b49;

/** Every fourth byte at which a plain or a compressed archive may start. */
function* candidates(
  bytes: Uint8Array,
  start: number,
  end: number,
  isPacked: boolean,
): Generator<number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; at + 16 <= end; at += 4) {
    const word = view.getUint32(at, true);
    if (!isPacked) {
      if (word === CPIO && recogniseCpio(bytes, at) !== undefined) yield at;
      continue;
    }
    if (word === 0 || (!wholeWords.includes(word) && !threeBytes.includes(word & 0xffffff))) {
      continue;
    }
    const format = recogniseCompression(bytes, at);
    if (format === undefined || !looksLikeStream(format, bytes, at)) continue;
    if (format === "lzma" && !isPowerOfTwo(view.getUint32(at + 1, true))) continue;
    if (at >= 8 && view.getUint32(at - 8, true) === IKCF) continue;
    yield at;
  }
}

/** The kernel's tools make dictionaries of no other size. */
function isPowerOfTwo(n: number): boolean {
  return n >= 4096 && (n & (n - 1)) === 0;
}

/** Lengths that a plain archive at a place may have: as it is, and filled up to a block. */
function plainLengths(bytes: Uint8Array, at: number): readonly number[] {
  const archive = decodeCpio(bytes, at);
  if (!archive.hasTrailer) return [];
  const length = archive.end - at;
  return [Math.ceil(length / 512) * 512, length];
}

/** Lengths that a compressed one may have: the stream, and a size word of older builds. */
async function packedLengths(bytes: Uint8Array, limit: number): Promise<readonly number[]> {
  const format = recogniseCompression(bytes);
  if (format === undefined || format === "none") return [];
  const { bytes: unpacked, consumed } = await decompress(format, bytes, { limit });
  const kind = recogniseCpio(unpacked);
  return kind === "newc" || kind === "crc" ? [consumed, consumed + 4] : [];
}

/** Which of the lengths stands in the word behind, on a boundary of eight. */
function sizeBehind(
  bytes: Uint8Array,
  at: number,
  lengths: readonly number[],
): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return lengths.find((length) => {
    const word = Math.ceil((at + length) / 8) * 8;
    return word + 4 <= bytes.length && view.getUint32(word, true) === length;
  });
}
