/**
 * kernel_info: what a kernel of protocol 2.15 tells its loader without growing
 * the setup header, which is short of room.
 *
 * It lies in the protected-mode part, at `kernel_info_offset` from its start: a
 * fixed part, then chunks of any length, each with a magic and its own size.
 * No kernel up to 7.3 has such a chunk.
 *
 * Source: Documentation/arch/x86/boot.rst, "The kernel_info".
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import { FormatError, hex, need } from "./errors.ts";
import { ascii, decode, type Decoded, encode, type Structure } from "./layout.ts";
import type { FoundHeader } from "./setup_header.ts";
import { protectedModeStart } from "./setup_code.ts";
import { showSetupDataType } from "./setup_types.ts";

/** The letters "LToP", Linux top: header magic of kernel_info. */
export const LTOP = 0x506f544c;

/** struct kernel_info, its fixed part. */
export const kernelInfo = {
  name: "kernel_info",
  size: 16,
  fields: {
    header: {
      at: 0x0,
      type: "u32",
      doc: 'The letters "LToP".',
      values: { [LTOP]: '"LToP"' },
      check: (n: number): string | undefined =>
        n === LTOP ? undefined : `needs ${hex(LTOP)} ("LToP"), found ${hex(n, 8)}`,
    },
    size: { at: 0x4, type: "u32", doc: "Bytes of the fixed part, this field included." },
    size_total: { at: 0x8, type: "u32", doc: "Bytes of the whole, variable chunks included." },
    setup_type_max: {
      at: 0xc,
      type: "u32",
      doc: "Highest setup_data type that the kernel knows, SETUP_INDIRECT included.",
      show: (n: number): string => showSetupDataType(n),
    },
  },
} as const satisfies Structure;

/** What stands before each variable chunk's data. */
export const kernelInfoChunk = {
  name: "kernel_info_chunk",
  size: 8,
  fields: {
    magic: { at: 0, type: "u32", doc: "Four letters that say what it is." },
    size: { at: 4, type: "u32", doc: "Bytes of the chunk, magic and this field included." },
  },
} as const satisfies Structure;

/** One variable chunk. */
export interface KernelInfoChunk {
  /** Its four letters. */
  readonly magic: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** What follows magic and size. */
  readonly data: Uint8Array;
}

/** A decoded kernel_info. */
export interface KernelInfo {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** The fixed part. */
  readonly fields: Decoded<typeof kernelInfo>;
  /** The variable chunks. */
  readonly chunks: readonly KernelInfoChunk[];
  /** What is wrong with it. */
  readonly complaints: readonly Complaint[];
}

/**
 * Reads kernel_info.
 *
 * @returns `undefined` where the protocol has none or the header says 0.
 * @throws {FormatError} If it lies beyond the file or does not say "LToP".
 */
export function decodeKernelInfo(image: Uint8Array, header: FoundHeader): KernelInfo | undefined {
  const { kernel_info_offset } = header.fields;
  if (!kernel_info_offset) return undefined;
  const offset = protectedModeStart(header) + kernel_info_offset;
  need(image, { structure: kernelInfo.name, offset }, kernelInfo.size);
  const fields = decode(kernelInfo, image, { at: offset });
  const wrong = kernelInfo.fields.header.check(fields.header);
  if (wrong) throw new FormatError({ structure: kernelInfo.name, field: "header", offset }, wrong);

  const complaints: Complaint[] = [];
  const complain = (at: number, message: string) =>
    complaints.push({ severity: "error", offset: at, rule: "kernel_info.size", message });
  if (fields.size < kernelInfo.size) {
    complain(offset + 4, `size needs at least ${kernelInfo.size}, found ${fields.size}`);
  }
  if (fields.size_total < fields.size) {
    complain(offset + 8, `size_total ${fields.size_total} is less than size ${fields.size}`);
  }
  const room = image.length - offset;
  if (fields.size_total > room) {
    complain(
      offset + 8,
      `size_total ${fields.size_total} passes the end of the file, ${room} left`,
    );
  }
  // An unsound fixed part says nothing of where chunks would start.
  const chunks = complaints.length > 0
    ? []
    : readChunks(image, offset + fields.size, offset + fields.size_total, complain);
  return { offset, fields, chunks, complaints };
}

/** Chunks that are read; kernels have had none yet. */
const MOST_CHUNKS = 256;

function readChunks(
  image: Uint8Array,
  start: number,
  end: number,
  complain: (at: number, message: string) => void,
): KernelInfoChunk[] {
  const chunks: KernelInfoChunk[] = [];
  let at = start;
  // Every chunk takes at least its eight bytes, so this ends.
  while (end - at >= kernelInfoChunk.size) {
    const { size } = decode(kernelInfoChunk, image, { at });
    if (size < kernelInfoChunk.size || size > end - at) {
      complain(at + 4, `chunk size needs 8 to ${end - at}, found ${size}`);
      return chunks;
    }
    if (chunks.length === MOST_CHUNKS) {
      complain(at, `more than ${MOST_CHUNKS} chunks; the rest is not read`);
      return chunks;
    }
    chunks.push({
      magic: ascii(image.subarray(at, at + 4)),
      offset: at,
      data: image.subarray(at + kernelInfoChunk.size, at + size),
    });
    at += size;
  }
  if (at < end) complain(at, `${end - at} bytes left over, less than a chunk's header`);
  return chunks;
}

/** What to write into a kernel_info. */
export interface KernelInfoParts {
  /** Highest setup_data type; default that of 6.16 and later. */
  readonly setup_type_max?: number;
  /** Variable chunks, magic of four characters and data. */
  readonly chunks?: readonly { readonly magic: string; readonly data: Uint8Array }[];
}

/** Writes a kernel_info, sizes worked out. */
export function encodeKernelInfo(parts: KernelInfoParts = {}): Uint8Array {
  const { setup_type_max = 0x8000000a, chunks = [] } = parts;
  const total = chunks.reduce((sum, c) => sum + kernelInfoChunk.size + c.data.length, 0);
  const bytes = new Uint8Array(kernelInfo.size + total);
  encode(kernelInfo, {
    header: LTOP,
    size: kernelInfo.size,
    size_total: bytes.length,
    setup_type_max,
  }, bytes);
  let at: number = kernelInfo.size;
  for (const { magic, data } of chunks) {
    bytes.set(Uint8Array.from(magic.padEnd(4).slice(0, 4), (c) => c.charCodeAt(0)), at);
    encode(kernelInfoChunk, { size: kernelInfoChunk.size + data.length }, bytes, at);
    bytes.set(data, at + kernelInfoChunk.size);
    at += kernelInfoChunk.size + data.length;
  }
  return bytes;
}
