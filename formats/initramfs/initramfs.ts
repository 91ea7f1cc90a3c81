/**
 * An initramfs: what a loader hands to the kernel as "initrd", and what the
 * kernel unpacks into its first root file system.
 *
 * It is a row of segments with zeros between them: cpio archives, plain or
 * compressed by whatever the kernel can unpack. Plain ones in front hold what is
 * wanted before there is a decompressor, microcode above all. Later members
 * replace earlier ones of the same name. A bootconfig may close the file.
 *
 * Source: init/initramfs.c (`unpack_to_rootfs`), lib/earlycpio.c,
 * Documentation/driver-api/early-userspace/buffer-format.rst,
 * Documentation/admin-guide/bootconfig.rst.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { FormatError, hex } from "../errors.ts";
import { type Compression, recogniseCompression } from "../payload/compression.ts";
import { decompress } from "../payload/decompress.ts";
import { type Bootconfig, findBootconfig } from "./bootconfig.ts";
import { contentsOf, type CpioMember, decodeCpio, recogniseCpio } from "./cpio.ts";
import { decodeAmdMicrocode, decodeIntelMicrocode, type Microcode } from "./microcode.ts";
import { fileKind } from "./mode.ts";
import { complaintsOfTree } from "./tree.ts";

/** What a segment is for. */
export type SegmentKind = "early microcode" | "early" | "main";

/** One plain archive, or one compressed stream of archives. */
export interface Segment {
  /** Where it starts in the file, in bytes. */
  readonly offset: number;
  /** Its bytes in the file; zeros behind it are not its own. */
  readonly length: number;
  /** How it is compressed; `none` for a plain archive. */
  readonly compression: Compression;
  /** What it is for. */
  readonly kind: SegmentKind;
  /** Members of its archives in their order, trailers left out. */
  readonly members: readonly CpioMember[];
  /**
   * How many archives it holds. A compressed segment may hold several; streams of
   * one format with nothing between them are read as one segment.
   */
  readonly archives: number;
  /**
   * The bytes that the members' offsets count in: of a plain segment the whole
   * file, of a compressed one what came out of it.
   */
  readonly bytes: Uint8Array;
  /** The microcode in it; absent where there is none. */
  readonly microcode?: readonly Microcode[];
}

/** A member and the segment that has its data. */
export interface Located {
  /** Index into the segments. */
  readonly segment: number;
  /** The member. */
  readonly member: CpioMember;
}

/** An opened initramfs. */
export interface Initramfs {
  /** Its segments in the order of the file. */
  readonly segments: readonly Segment[];
  /** The `/init` that the kernel would run, the last of that name; absent: none. */
  readonly init?: Located;
  /** The `/dev/console` it brings; absent: the kernel's own built-in one serves. */
  readonly console?: Located;
  /** Settings behind the archives; absent: none. */
  readonly bootconfig?: Bootconfig;
  /** What is wrong; offsets in the file. */
  readonly complaints: readonly Complaint[];
}

/** How to open an initramfs. */
export interface OpenOptions {
  /** Most bytes that all segments together may unpack to; default 1 GiB. */
  readonly limit?: number;
}

/** Most bytes that an initramfs may unpack to unless told otherwise. */
export const DEFAULT_LIMIT: number = 1 << 30;

/** The raw archive members in which the kernel looks for microcode. */
const microcodePath = /^kernel\/x86\/microcode\/(GenuineIntel|AuthenticAMD)\.bin$/;

/** What an image is that is no initramfs but the older kind of initrd. */
const fileSystems: readonly (readonly [name: string, offset: number, magic: string])[] = [
  ["an ext2, ext3 or ext4 file system", 0x438, "\x53\xef"],
  ["a squashfs file system", 0, "hsqs"],
  ["a cramfs file system", 0, "\x45\x3d\xcd\x28"],
  ["a romfs file system", 0, "-rom1fs-"],
  ["a minix file system", 0x410, "\x7f\x13"],
  ["a minix file system", 0x410, "\x8f\x13"],
];

/**
 * Opens an initramfs: finds its segments, unpacks them, lists their members.
 *
 * What is wrong behind the first segment's start becomes a complaint.
 *
 * @throws {FormatError} If there is nothing the kernel would take at the start:
 *   neither a cpio archive nor a compressed one.
 */
export async function openInitramfs(
  bytes: Uint8Array,
  options: OpenOptions = {},
): Promise<Initramfs> {
  let left = options.limit ?? DEFAULT_LIMIT;
  const segments: Segment[] = [];
  const complaints: Complaint[] = [];
  const complain = (
    severity: Complaint["severity"],
    offset: number,
    rule: string,
    message: string,
  ) => complaints.push({ severity, offset, rule: `initramfs.${rule}`, message });

  const bootconfig = findBootconfig(bytes);
  if (bootconfig?.checksum === "wrong") {
    complain("error", bootconfig.offset, "bootconfig", "the bootconfig's checksum is wrong");
  }
  const file = bootconfig === undefined ? bytes : bytes.subarray(0, bootconfig.offset);

  let at = 0;
  let plainBefore = false;
  for (;;) {
    while (at < file.length && file[at] === 0) at++;
    if (at >= file.length) break;
    if (plainBefore && at % 4 !== 0) {
      complain(
        "error",
        at,
        "broken-padding",
        "what follows a plain archive needs to start at a multiple of 4",
      );
    }
    const cpio = recogniseCpio(file, at);
    if (cpio !== undefined) {
      if (at % 4 !== 0 && !plainBefore) {
        complain(
          "error",
          at,
          "unaligned",
          "the kernel finds a plain archive only at a multiple of 4",
        );
      }
      let archive;
      try {
        archive = decodeCpio(file, at);
      } catch (error) {
        if (!(error instanceof FormatError) || segments.length === 0) throw error;
        complain("error", at, "junk", error.problem);
        break;
      }
      for (const c of archive.complaints) complaints.push(c);
      segments.push(segment(at, archive.end - at, "none", archive.members, 1, file));
      at = archive.end;
      plainBefore = true;
      if (archive.complaints.some(({ severity }) => severity === "error") && !archive.hasTrailer) {
        leftOver(file, at, complain);
        break;
      }
      continue;
    }
    const format = recogniseCompression(file, at);
    if (format === undefined || format === "none") {
      if (segments.length === 0) throw noInitramfs(file, at);
      complain(
        "error",
        at,
        "junk",
        `${file.length - at} bytes that are neither zeros, a cpio archive nor compressed`,
      );
      break;
    }
    let unpacked;
    try {
      unpacked = await decompress(format, file.subarray(at), { limit: left });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const place = { structure: error.place.structure, offset: at + error.place.offset };
      if (segments.length === 0) throw new FormatError(place, error.problem, { cause: error });
      complain("error", place.offset, "unpack", `${place.structure}: ${error.problem}`);
      break;
    }
    left -= unpacked.bytes.length;
    const inside = archivesOf(unpacked.bytes);
    if (inside.archives === 0 && segments.length === 0) {
      throw noInitramfs(unpacked.bytes, 0, format);
    }
    for (const c of inside.complaints) {
      // The place is in the unpacked bytes; the file has only the segment to point at.
      complaints.push({
        ...c,
        offset: at,
        message: `${c.message} (at ${hex(c.offset)} of what is unpacked)`,
      });
    }
    const { members, archives } = inside;
    segments.push(segment(at, unpacked.consumed, format, members, archives, unpacked.bytes));
    at += Math.max(1, unpacked.consumed);
    plainBefore = false;
  }

  for (const { offset, compression, members } of segments) {
    if (compression !== "none" && members.some(({ name }) => microcodePath.test(name))) {
      complain(
        "warning",
        offset,
        "packed-microcode",
        "microcode in a compressed segment: the kernel looks for it in plain ones only",
      );
    }
  }
  for (const complaint of complaintsOfTree(segments)) complaints.push(complaint);
  const init = locate(segments, "init");
  const console = locate(segments, "dev/console");
  if (init === undefined && segments.some(({ kind }) => kind === "main")) {
    complain("info", 0, "no-init", "has no /init: the kernel mounts the root file system itself");
  } else if (
    init !== undefined && fileKind(init.member.mode) === "regular file" &&
    (init.member.mode & 0o111) === 0
  ) {
    complain(
      "error",
      segments[init.segment]?.offset ?? 0,
      "init-mode",
      "/init is not executable",
    );
  }
  return {
    segments,
    ...(init ? { init } : {}),
    ...(console ? { console } : {}),
    ...(bootconfig ? { bootconfig } : {}),
    complaints,
  };
}

/** All archives in what came out of a compressed segment. */
function archivesOf(bytes: Uint8Array): {
  readonly members: readonly CpioMember[];
  readonly archives: number;
  readonly complaints: readonly Complaint[];
} {
  const members: CpioMember[] = [];
  const complaints: Complaint[] = [];
  let archives = 0;
  let at = 0;
  for (;;) {
    while (at < bytes.length && bytes[at] === 0) at++;
    if (at >= bytes.length) break;
    const format = recogniseCpio(bytes, at);
    if (format !== "newc" && format !== "crc") {
      const message = archives === 0 ? "is no cpio archive" : "junk within a compressed archive";
      complaints.push({ severity: "error", offset: at, rule: "initramfs.junk", message });
      break;
    }
    const archive = decodeCpio(bytes, at);
    archives++;
    // Not by spreading: an archive may have more members than a call takes arguments.
    for (const member of archive.members) members.push(member);
    for (const c of archive.complaints) complaints.push(c);
    at = archive.end;
    if (!archive.hasTrailer) break;
  }
  return { members, archives, complaints };
}

function segment(
  offset: number,
  length: number,
  compression: Compression,
  members: readonly CpioMember[],
  archives: number,
  bytes: Uint8Array,
): Segment {
  const microcode = members.flatMap((member) => {
    const vendor = microcodePath.exec(member.name)?.[1];
    if (vendor === undefined) return [];
    const data = contentsOf(bytes, member);
    return [vendor === "GenuineIntel" ? decodeIntelMicrocode(data) : decodeAmdMicrocode(data)];
  });
  const isEarly = compression === "none" && members.length > 0 &&
    members.every(({ name }) =>
      name === "." || name === "early_cpio" || name === "kernel" || name.startsWith("kernel/")
    );
  const kind = compression === "none" && microcode.length > 0
    ? "early microcode"
    : isEarly
    ? "early"
    : "main";
  return {
    offset,
    length,
    compression,
    kind,
    members,
    archives,
    bytes,
    ...(microcode.length > 0 ? { microcode } : {}),
  };
}

/** The last member of a name: the one that is left when all is unpacked. */
function locate(segments: readonly Segment[], path: string): Located | undefined {
  for (const [i, { members }] of [...segments.entries()].reverse()) {
    const member = members.findLast(({ name }) => name.replace(/^(\.?\/)+/, "") === path);
    if (member !== undefined) return { segment: i, member };
  }
  return undefined;
}

function leftOver(
  bytes: Uint8Array,
  at: number,
  complain: (severity: "warning", offset: number, rule: string, message: string) => void,
): void {
  if (at < bytes.length) {
    complain("warning", at, "unread", `${bytes.length - at} bytes are not read any more`);
  }
}

/** What there is instead of an initramfs. */
function noInitramfs(bytes: Uint8Array, at: number, format?: Compression): FormatError {
  const packed = format === undefined ? "" : ` in ${format}`;
  const system = fileSystems.find(([, offset, magic]) =>
    [...magic].every((c, i) => bytes[offset + i] === c.charCodeAt(0))
  );
  return new FormatError(
    { structure: "initramfs", offset: at },
    system === undefined
      ? `needs a cpio archive, plain or compressed, found neither${packed}`
      : `needs a cpio archive, found ${system[0]}${packed}: an initrd of the old kind, ` +
        "which the kernel mounts from a RAM disk",
  );
}
