/**
 * Unpacks a payload, whatever packed it.
 *
 * Every decoder holds to the same rules: memory grows with what comes out, never
 * with what a header promises; a stream's own checks are made; what follows the
 * stream is left alone and counted by {@link Decompressed.consumed}; damage is
 * one {@link FormatError}, with offsets counted from the start of the input.
 *
 * A decoder is loaded when one is needed. All but bzip2 are WebAssembly made by
 * our own assembler, and run wherever WebAssembly with vectors does.
 *
 * @module
 */

import { type Decoder, tooLong } from "./_decoder.ts";
import type { Compression } from "./compression.ts";

/** How to unpack. */
export interface DecompressOptions {
  /** The size of the result in bytes, where a size word tells it. */
  readonly size?: number;
  /**
   * The most bytes that the result may have; default {@link size} where given,
   * but not more than {@link defaultLimit}.
   */
  readonly limit?: number;
  /** Called now and then with bytes written so far and bytes expected. */
  readonly progress?: (done: number, total: number | undefined) => void;
}

/** What was unpacked. */
export interface Decompressed {
  /** The result. It may be a view of a larger buffer. */
  readonly bytes: Uint8Array;
  /** How many bytes of the input belong to the stream. */
  readonly consumed: number;
  /** The stream's own checks, met and held: `CRC32`, `CRC64`, `SHA-256`, `XXH64`, `Adler-32` … */
  readonly checks: readonly string[];
  /** What the stream says of how it was made: filters, dictionary, block size, file name … */
  readonly parameters: Readonly<Record<string, string | number>>;
}

/** The most bytes that a result may have unless a limit is given: 1 GiB. */
export const defaultLimit = 0x4000_0000 as const;

/** Where each format's decoder is. */
const decoders: Readonly<Record<Exclude<Compression, "none">, () => Promise<Decoder>>> = {
  gzip: async () => (await import("./gzip.ts")).decodeGzip,
  bzip2: async () => (await import("./bzip2.ts")).decodeBzip2,
  lzma: async () => (await import("./lzma.ts")).decodeLzma,
  xz: async () => (await import("./xz.ts")).decodeXz,
  lzo: async () => (await import("./lzo.ts")).decodeLzo,
  lz4: async () => (await import("./lz4.ts")).decodeLz4,
  zstd: async () => (await import("./zstd.ts")).decodeZstd,
};

/**
 * Unpacks one stream; for gzip, xz, lz4 and zstd also several in a row, as
 * their tools do.
 *
 * A result shorter than `size` is no error here: compare.
 *
 * @param bytes From the stream's first byte; what follows the stream is ignored.
 * @throws {FormatError} If the stream is damaged or cut short, if one of its
 *   checks fails, or if the result would be longer than the limit.
 */
export async function decompress(
  format: Compression,
  bytes: Uint8Array,
  options: DecompressOptions = {},
): Promise<Decompressed> {
  const { size, progress } = options;
  const limit = options.limit ?? Math.min(size ?? defaultLimit, defaultLimit);
  if (format === "none") {
    if (bytes.length > limit) throw tooLong("payload", bytes.length, limit);
    return { bytes, consumed: bytes.length, checks: [], parameters: {} };
  }
  const decode = await decoders[format]();
  return await decode(bytes, {
    limit,
    ...(size === undefined ? {} : { size }),
    ...(progress === undefined ? {} : { progress }),
  });
}
