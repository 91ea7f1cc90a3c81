/**
 * Where the compressed kernel is within an image.
 *
 * Since protocol 2.08 the header says so. Before, it has to be looked for: a
 * magic alone is two bytes for gzip and turns up by chance in every megabyte or
 * so, hence whatever follows the magic has to make sense as well.
 *
 * Source: boot.rst, "payload_offset" and "payload_length"; the size word is
 * appended by scripts/Makefile.lib, `size_append`.
 *
 * @module
 */

import type { FoundHeader } from "../setup_header.ts";
import { type Compression, recogniseCompression } from "./compression.ts";
import { looksLikeStream } from "./plausible.ts";

/** The compressed kernel within an image. */
export interface FoundPayload {
  /** How it is packed; absent where its magic is unknown. */
  readonly format: Compression | undefined;
  /** File offset in bytes. */
  readonly offset: number;
  /**
   * Length in bytes, the size word included, as far as the file has them: compare
   * with `payload_length`. After a scan the end is not known before unpacking, and
   * this reaches up to the end of the protected-mode part.
   */
  readonly length: number;
  /** How it was found: told by the header, or by looking for a magic. */
  readonly found: "payload_offset" | "scan";
  /**
   * Size of the unpacked kernel by the payload's last word (for gzip: its own
   * last field). Absent where the payload is cut short, is not packed, or was
   * found by a scan.
   */
  readonly sizeWord?: number;
  /** Length of the compressed stream in bytes, without the size word that follows it. */
  readonly streamLength: number;
}

/**
 * Finds the payload, by the header's fields or, below protocol 2.08, by a scan.
 *
 * @param image The whole file.
 * @returns `undefined` where the header names none and the scan finds none.
 */
export function findPayload(image: Uint8Array, header: FoundHeader): FoundPayload | undefined {
  const { fields } = header;
  const start = ((fields.setup_sects || 4) + 1) * 512;
  const { payload_offset = 0, payload_length = 0 } = fields;
  if (payload_offset === 0) {
    if (header.version >= 0x208) return undefined;
    const end = header.version >= 0x204 && fields.syssize > 0
      ? Math.min(start + fields.syssize * 16, image.length)
      : image.length;
    return scan(image, start, end);
  }

  const offset = start + payload_offset;
  if (offset >= image.length) return undefined;
  const length = Math.min(payload_length, image.length - offset);
  const format = recogniseCompression(image.subarray(0, offset + length), offset);
  const found = { format, offset, length, found: "payload_offset" } as const;
  if (format === undefined || format === "none" || length < payload_length || length < 4) {
    return { ...found, streamLength: length };
  }
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return {
    ...found,
    sizeWord: view.getUint32(offset + length - 4, true),
    streamLength: format === "gzip" ? length : length - 4,
  };
}

function scan(image: Uint8Array, start: number, end: number): FoundPayload | undefined {
  const part = image.subarray(0, end);
  for (let offset = start; offset < end; offset++) {
    const format = recogniseCompression(part, offset);
    if (format === undefined || !looksLikeStream(format, part, offset)) continue;
    const length = end - offset;
    return { format, offset, length, found: "scan", streamLength: length };
  }
  return undefined;
}
