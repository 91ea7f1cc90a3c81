/**
 * What of a kernel image nobody looks at while its payload stays closed.
 *
 * @module
 */

import { HDRS } from "../formats/setup_header.ts";

/** Part of a file. */
export interface Span {
  /** Offset of its first byte. */
  readonly start: number;
  /** Offset behind its last byte. */
  readonly end: number;
}

/** Bytes kept at either end of the payload: the compressor's header, the size word. */
const kept = 1 << 16;

/** Below this it is not worth leaving out. */
const worthwhile = 1 << 20;

/**
 * The inside of the payload, by the setup header (protocol 2.08 and later).
 *
 * With `payload: false`, `inspect` comes to the same result whatever these bytes
 * are, so that they need not even be read. A file whose headers lie, and have
 * something else begin there, is found out only when it is opened whole.
 *
 * @param head The first 0x250 bytes of the file, or more.
 * @param size Of the file, in bytes.
 */
export function closedSpan(head: Uint8Array, size: number): Span | undefined {
  if (head.length < 0x250) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0x202, true) !== HDRS || view.getUint16(0x206, true) < 0x208) return undefined;
  const setup = ((head[0x1f1] || 4) + 1) * 512;
  const start = setup + view.getUint32(0x248, true);
  const end = start + view.getUint32(0x24c, true);
  if (end > size || end - start < worthwhile) return undefined;
  return { start: start + kept, end: end - kept };
}
