/**
 * The compressions that a kernel's payload may have, told by their magic.
 *
 * Source: boot.rst, "payload_offset"; scripts/Makefile.lib for the tools.
 *
 * @module
 */

/** How a payload is packed; `none` is an ELF file as it is. */
export type Compression = "gzip" | "bzip2" | "lzma" | "xz" | "lzo" | "lz4" | "zstd" | "none";

/** One way a stream may begin. */
interface Magic {
  readonly format: Compression;
  readonly bytes: readonly number[];
}

/**
 * First bytes of every compression. gzip has the magic of its versions before
 * 1993 too, as the boot protocol names it; lz4 the legacy one of the kernel and
 * that of today.
 */
const magics: readonly Magic[] = [
  { format: "gzip", bytes: [0x1f, 0x8b] },
  { format: "gzip", bytes: [0x1f, 0x9e] },
  { format: "bzip2", bytes: [0x42, 0x5a, 0x68] },
  { format: "lzma", bytes: [0x5d, 0x00, 0x00] },
  { format: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { format: "lzo", bytes: [0x89, 0x4c, 0x5a, 0x4f] },
  { format: "lz4", bytes: [0x02, 0x21, 0x4c, 0x18] },
  { format: "lz4", bytes: [0x04, 0x22, 0x4d, 0x18] },
  { format: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { format: "none", bytes: [0x7f, 0x45, 0x4c, 0x46] },
];

/**
 * Tells a compression by its magic.
 *
 * @param at Where the stream starts, in bytes; default 0.
 * @returns `none` for the magic of ELF, `undefined` for what no kernel uses.
 */
export function recogniseCompression(bytes: Uint8Array, at = 0): Compression | undefined {
  return magics.find((magic) => magic.bytes.every((byte, i) => bytes[at + i] === byte))?.format;
}
