/**
 * gzip: members, each with a header, a deflate stream, a CRC-32 and the size of
 * what was packed, modulo 2^32.
 *
 * Source: RFC 1952.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { Arena } from "./_arena.ts";
import { type Checks, createChecks } from "./_checks.ts";
import { createInflateCode, INFLATE_TABLES, type InflateCode } from "./_inflate_code.ts";
import { type Bounds, checkFailed } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";
import { inflate } from "./inflate.ts";

const structure = "gzip";

const flagBits = { HCRC: 2, EXTRA: 4, NAME: 8, COMMENT: 16, reserved: 0xe0 } as const;

const systems: Readonly<Record<number, string>> = {
  0: "FAT",
  3: "Unix",
  7: "Macintosh",
  10: "TOPS-20",
  11: "NTFS",
  255: "unknown",
};

/**
 * Unpacks one or more gzip members.
 *
 * @throws {FormatError} If one is damaged, cut short or fails its check, or if
 *   the result is longer than the limit.
 */
export async function decodeGzip(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  need(bytes, { structure, offset: 0 }, 18);
  const arena = new Arena(structure, bytes, INFLATE_TABLES, bounds.limit);
  try {
    const code = await createInflateCode(arena);
    return readMembers(bytes, arena, code, await createChecks(arena), bounds);
  } catch (error) {
    arena.release();
    throw error;
  }
}

function readMembers(
  bytes: Uint8Array,
  arena: Arena,
  code: InflateCode,
  checks: Checks,
  bounds: Bounds,
): Decompressed {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let out = arena.outputAt;
  let members = 0;
  const parameters: Record<string, string | number> = {};
  const met = new Set<string>();
  do {
    const header = readHeader(bytes, view, at, arena, checks);
    if (members === 0) Object.assign(parameters, header.parameters);
    if (header.hasCheck) met.add("CRC16 of the header");
    let crc = 0;
    const end = inflate(bytes, arena, code, header.end, out, (from, to) => {
      crc = checks.crc32(crc, from, to);
      bounds.progress?.(to - arena.outputAt, bounds.size);
    });
    need(bytes, { structure, field: "CRC32", offset: end.at }, 8);
    const stored = view.getUint32(end.at, true);
    if (stored !== crc >>> 0) throw checkFailed(structure, end.at, "CRC32", stored, crc >>> 0);
    const size = view.getUint32(end.at + 4, true);
    if (size !== (end.out - out) >>> 0) {
      throw new FormatError(
        { structure, field: "ISIZE", offset: end.at + 4 },
        `says ${size} bytes, the member has ${end.out - out}`,
      );
    }
    met.add("CRC32");
    out = end.out;
    at = end.at + 8;
    members++;
  } while (at + 18 <= bytes.length && view.getUint32(at, true) << 8 === 0x088b1f << 8);
  if (members > 1) parameters.members = members;
  return { bytes: arena.finish(out), consumed: at, checks: [...met], parameters };
}

interface Header {
  readonly end: number;
  readonly hasCheck: boolean;
  readonly parameters: Readonly<Record<string, string | number>>;
}

function readHeader(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  arena: Arena,
  checks: Checks,
): Header {
  const magic = view.getUint16(start, true);
  if (magic !== 0x8b1f) {
    throw new FormatError(
      { structure, field: "ID", offset: start },
      `needs 0x8b1f, found ${hex(magic, 4)}`,
    );
  }
  const method = view.getUint8(start + 2);
  if (method !== 8) {
    throw new FormatError(
      { structure, field: "CM", offset: start + 2 },
      `needs 8 (deflate), found ${method}`,
    );
  }
  const flags = view.getUint8(start + 3);
  if (flags & flagBits.reserved) {
    throw new FormatError(
      { structure, field: "FLG", offset: start + 3 },
      `needs reserved bits of 0, found ${hex(flags, 2)}`,
    );
  }
  const time = view.getUint32(start + 4, true);
  const extra = view.getUint8(start + 8);
  const parameters: Record<string, string | number> = {
    system: systems[view.getUint8(start + 9)] ?? view.getUint8(start + 9),
  };
  if (extra === 2) parameters.level = "best";
  if (extra === 4) parameters.level = "fastest";
  if (time !== 0) parameters.time = time;

  let at = start + 10;
  if (flags & flagBits.EXTRA) {
    need(bytes, { structure, field: "XLEN", offset: at }, 2);
    const size = view.getUint16(at, true);
    need(bytes, { structure, field: "extra", offset: at }, 2 + size);
    at += 2 + size;
  }
  for (const [flag, field] of [[flagBits.NAME, "name"], [flagBits.COMMENT, "comment"]] as const) {
    if (!(flags & flag)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) {
      throw new FormatError(
        { structure, field, offset: at },
        `needs a closing 0, the input ends at ${hex(bytes.length)}`,
      );
    }
    // Latin 1, says the standard; a kernel's build gives none or "vmlinux.bin".
    parameters[field] = latin1(bytes.subarray(at, Math.min(end, at + 256)));
    at = end + 1;
  }
  const hasCheck = (flags & flagBits.HCRC) !== 0;
  if (hasCheck) {
    need(bytes, { structure, field: "CRC16", offset: at }, 2);
    const found = checks.crc32(0, arena.inputAt + start, arena.inputAt + at) & 0xffff;
    if (view.getUint16(at, true) !== found) {
      throw new FormatError(
        { structure, field: "CRC16", offset: at },
        `says ${hex(view.getUint16(at, true), 4)}, the header has ${hex(found, 4)}`,
      );
    }
    at += 2;
  }
  return { end: at, hasCheck, parameters };
}

/** Text of one character a byte. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
