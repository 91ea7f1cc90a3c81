/**
 * cpio archives as the kernel reads them: the formats "newc" and "crc".
 *
 * An archive is a row of members, each a header of 110 characters, its name and
 * its data, all in plain text but the data; the member called "TRAILER!!!" ends
 * it. Numbers are eight hexadecimal digits. Name and data are padded with NULs
 * to the next multiple of four, counted from the start of the archive. The older
 * formats (odc, and binary before it) are recognised and refused, as the kernel
 * refuses them.
 *
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst; the state
 * machine in init/initramfs.c.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { FormatError, hex, need } from "../errors.ts";
import type { Structure } from "../layout.ts";
import { S_IFLNK, S_IFMT, S_IFREG, showMode } from "./mode.ts";

/** The header of a member in newc and crc; every number is hexadecimal text. */
export const newcHeader = {
  name: "cpio_newc_header",
  size: 110,
  fields: {
    c_magic: { at: 0, type: "ascii", size: 6, doc: '"070701" is newc, "070702" is crc.' },
    c_ino: { at: 6, type: "ascii", size: 8, doc: "Inode number; equal ones are hard links." },
    c_mode: { at: 14, type: "ascii", size: 8, doc: "Kind and permissions." },
    c_uid: { at: 22, type: "ascii", size: 8, doc: "Owner." },
    c_gid: { at: 30, type: "ascii", size: 8, doc: "Group." },
    c_nlink: { at: 38, type: "ascii", size: 8, doc: "Number of names the file has." },
    c_mtime: { at: 46, type: "ascii", size: 8, doc: "Modified, in seconds since 1970." },
    c_filesize: { at: 54, type: "ascii", size: 8, doc: "Bytes of data behind the name." },
    c_devmajor: { at: 62, type: "ascii", size: 8, doc: "Device that held the file, major." },
    c_devminor: { at: 70, type: "ascii", size: 8, doc: "Device that held the file, minor." },
    c_rdevmajor: { at: 78, type: "ascii", size: 8, doc: "Device that the file is, major." },
    c_rdevminor: { at: 86, type: "ascii", size: 8, doc: "Device that the file is, minor." },
    c_namesize: { at: 94, type: "ascii", size: 8, doc: "Bytes of the name, its NUL included." },
    c_chksum: { at: 102, type: "ascii", size: 8, doc: "crc only: sum of the data's bytes." },
  },
} as const satisfies Structure;

/** Name of the member that ends an archive. */
export const TRAILER = "TRAILER!!!";
/** Longest name the kernel takes, its NUL included; PATH_MAX. */
export const PATH_MAX = 4096;

/** Most names of one file that a member lists; `nlink` tells how many there are. */
const MOST_LINKS = 32;

/** A device number in its two parts. */
export interface Device {
  /** Which driver. */
  readonly major: number;
  /** Which of the driver's devices. */
  readonly minor: number;
}

/** A stretch of bytes. */
export interface Extent {
  /** First byte, from the start of the bytes that were decoded. */
  readonly offset: number;
  /** How many bytes there are; never more than the input holds. */
  readonly size: number;
}

/** A member of an archive. */
export interface CpioMember {
  /** Its path as written, most often without a leading slash. */
  readonly name: string;
  /** Kind and permissions; see {@link showMode}. */
  readonly mode: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Number of names the file has. */
  readonly nlink: number;
  /** Modified, in seconds since 1970. */
  readonly mtime: number;
  /** Size as the header gives it, in bytes; 0 for a hard link whose data comes elsewhere. */
  readonly size: number;
  /** Inode number. */
  readonly ino: number;
  /** The device that held the file when the archive was made. */
  readonly dev: Device;
  /** The device that the member is, if it is one. */
  readonly rdev: Device;
  /** Checksum in the header; 0 in newc. */
  readonly check: number;
  /** Where its header is, from the start of the bytes that were decoded. */
  readonly offset: number;
  /** Where the data behind its name is. */
  readonly dataOffset: number;
  /** Where the file's contents are: of hard links, with the one that has data. */
  readonly contents: Extent;
  /** Where a symbolic link points; absent for all others. */
  readonly target?: string;
  /** The other names of the same file, of very many the first; absent where there are none. */
  readonly links?: readonly string[];
}

/** A decoded archive. */
export interface CpioArchive {
  /** Which of the two formats its first member has. */
  readonly format: "newc" | "crc";
  /** Where it starts in the bytes that were decoded. */
  readonly offset: number;
  /** Just past its last member's padding; zeros that fill up a block are not its own. */
  readonly end: number;
  /** Whether it was read to its trailer. */
  readonly hasTrailer: boolean;
  /** Its members in their order, without the trailer. */
  readonly members: readonly CpioMember[];
  /** What is wrong with it. */
  readonly complaints: readonly Complaint[];
}

/** Which kind of cpio header stands at a place, if any. */
export function recogniseCpio(
  bytes: Uint8Array,
  at = 0,
): "newc" | "crc" | "odc" | "old binary" | undefined {
  const text = (i: number) => bytes[at + i];
  if (text(0) === 0x30 && text(1) === 0x37 && text(2) === 0x30 && text(3) === 0x37) {
    if (text(4) !== 0x30) return undefined;
    return text(5) === 0x31
      ? "newc"
      : text(5) === 0x32
      ? "crc"
      : text(5) === 0x37
      ? "odc"
      : undefined;
  }
  // 0o070707 as a word of either byte order.
  if ((text(0) === 0xc7 && text(1) === 0x71) || (text(0) === 0x71 && text(1) === 0xc7)) {
    return "old binary";
  }
  return undefined;
}

/** The kernel's own advice in its own words, and ours for who has the archive. */
const refusals = {
  "odc": 'is the old portable cpio format ("odc", 070707), which the kernel refuses; ' +
    "make it with cpio -H newc",
  "old binary":
    "is the old binary cpio format, which the kernel refuses; make it with cpio -H newc",
} as const;

const rows = newcHeader.fields;

/** Eight hexadecimal digits, or NaN. */
function number(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const c = bytes[i] ?? 0;
    const digit = c >= 0x30 && c <= 0x39
      ? c - 0x30
      : c >= 0x61 && c <= 0x66
      ? c - 0x57
      : c >= 0x41 && c <= 0x46
      ? c - 0x37
      : NaN;
    value = value * 16 + digit;
  }
  return value;
}

const align4 = (n: number): number => Math.ceil(n / 4) * 4;

/**
 * Reads an archive up to its trailer.
 *
 * What is wrong further on ends the list of members and becomes a complaint. No
 * data is copied; see {@link contentsOf}.
 *
 * @param at Where the archive starts, in bytes; default 0.
 * @throws {FormatError} If no archive of the formats newc and crc starts there.
 */
export function decodeCpio(bytes: Uint8Array, at = 0): CpioArchive {
  const place = { structure: "cpio", field: "c_magic", offset: at };
  need(bytes, place, 6);
  const format = recogniseCpio(bytes, at);
  if (format === "odc" || format === "old binary") throw new FormatError(place, refusals[format]);
  if (format === undefined) {
    throw new FormatError(place, 'needs "070701" or "070702", found no cpio magic');
  }

  const utf8 = new TextDecoder();
  const members: CpioMember[] = [];
  const complaints: Complaint[] = [];
  const complain = (
    severity: Complaint["severity"],
    offset: number,
    rule: string,
    message: string,
  ) => complaints.push({ severity, offset, rule: `cpio.${rule}`, message });

  let header = at;
  let hasTrailer = false;
  while (!hasTrailer) {
    if (header >= bytes.length) {
      complain("warning", bytes.length, "no-trailer", `the archive ends without ${TRAILER}`);
      break;
    }
    if (header + newcHeader.size > bytes.length) {
      complain(
        "error",
        header,
        "truncated",
        `a header needs ${newcHeader.size} bytes, the input ends at ${hex(bytes.length)}`,
      );
      break;
    }
    const magic = recogniseCpio(bytes, header);
    if (magic !== "newc" && magic !== "crc") {
      complain(
        "error",
        header,
        "no-magic",
        `needs "070701" or "070702" where the next member should start`,
      );
      break;
    }
    const read = (row: { readonly at: number }) => number(bytes, header + row.at);
    const size = read(rows.c_filesize);
    const namesize = read(rows.c_namesize);
    const record = {
      mode: read(rows.c_mode),
      uid: read(rows.c_uid),
      gid: read(rows.c_gid),
      nlink: read(rows.c_nlink),
      mtime: read(rows.c_mtime),
      size,
      ino: read(rows.c_ino),
      dev: { major: read(rows.c_devmajor), minor: read(rows.c_devminor) },
      rdev: { major: read(rows.c_rdevmajor), minor: read(rows.c_rdevminor) },
      check: read(rows.c_chksum),
    };
    // One that is none makes the sum none.
    const sum = namesize + size + record.mode + record.uid + record.gid + record.nlink +
      record.mtime + record.ino + record.check + record.dev.major + record.dev.minor +
      record.rdev.major + record.rdev.minor;
    if (Number.isNaN(sum)) {
      complain("error", header, "bad-number", "a number in the header is not 8 hexadecimal digits");
      break;
    }
    const nameAt = header + newcHeader.size;
    if (nameAt + namesize > bytes.length) {
      complain(
        "error",
        header + rows.c_namesize.at,
        "truncated",
        `the name needs ${namesize} bytes, the input ends at ${hex(bytes.length)}`,
      );
      break;
    }
    if (namesize === 0 || namesize > PATH_MAX) {
      complain(
        "error",
        header + rows.c_namesize.at,
        "name-size",
        `a name of ${namesize} bytes: the kernel skips it, as it takes 1 to ${PATH_MAX}`,
      );
    }
    const nameBytes = bytes.subarray(nameAt, nameAt + namesize);
    const nul = nameBytes.indexOf(0);
    if (namesize > 0 && nul !== namesize - 1) {
      complain(
        "warning",
        nameAt,
        "name-end",
        nul < 0
          ? "the name has no NUL at its end"
          : `the name ends after ${nul} of ${namesize - 1} bytes`,
      );
    }
    const name = utf8.decode(nul < 0 ? nameBytes : nameBytes.subarray(0, nul));
    const dataOffset = at + align4(nameAt + namesize - at);

    if (name === TRAILER) {
      hasTrailer = true;
      header = at + align4(dataOffset - at + size);
      break;
    }
    const available = Math.max(0, Math.min(size, bytes.length - dataOffset));
    if (available < size) {
      complain(
        "error",
        header + rows.c_filesize.at,
        "truncated",
        `${JSON.stringify(name)} needs ${size} bytes at ${hex(dataOffset)}, ` +
          `the input ends at ${hex(bytes.length)}`,
      );
    }
    const contents = { offset: Math.min(dataOffset, bytes.length), size: available };
    const data = bytes.subarray(contents.offset, contents.offset + available);
    const kind = record.mode & S_IFMT;
    if (magic === "crc" && kind === S_IFREG && available === size) {
      const sum = sumOf(data);
      if (sum !== record.check) {
        complain(
          "error",
          header + rows.c_chksum.at,
          "checksum",
          `${JSON.stringify(name)} needs the sum ${hex(record.check, 8)}, found ${hex(sum, 8)}`,
        );
      }
    }
    if (kind === S_IFLNK && size > PATH_MAX) {
      complain(
        "error",
        header + rows.c_filesize.at,
        "link-size",
        `${JSON.stringify(name)} points to a path of ${size} bytes: the kernel skips it`,
      );
    }
    members.push({
      name,
      ...record,
      offset: header,
      dataOffset,
      contents,
      ...(kind === S_IFLNK ? { target: utf8.decode(data.subarray(0, PATH_MAX)) } : {}),
    });
    header = at + align4(dataOffset - at + size);
    if (available < size) break;
  }
  return {
    format,
    offset: at,
    end: Math.min(header, bytes.length),
    hasTrailer,
    members: withHardLinks(members),
    complaints,
  };
}

/** The sum that crc archives carry: of all bytes, in 32 bits. */
function sumOf(data: Uint8Array): number {
  let sum = 0;
  for (const byte of data) sum = (sum + byte) | 0;
  return sum >>> 0;
}

/**
 * Gives every name of a file that has several the data that one of them brings.
 *
 * Writers put the data once, most often with the last name; the kernel opens
 * whatever name has data and writes through it.
 */
function withHardLinks(members: readonly CpioMember[]): readonly CpioMember[] {
  const files = new Map<string, CpioMember[]>();
  for (const member of members) {
    if (member.nlink < 2 || (member.mode & S_IFMT) !== S_IFREG) continue;
    const key = `${member.dev.major}:${member.dev.minor}:${member.ino}`;
    const names = files.get(key);
    if (names) names.push(member);
    else files.set(key, [member]);
  }
  const resolved = new Map<CpioMember, CpioMember>();
  for (const names of files.values()) {
    if (names.length < 2) continue;
    const contents = names.findLast((name) => name.size > 0)?.contents;
    const all = names.map(({ name }) => name);
    // One list for all where a file has very many names: lists of each would grow by the square.
    const first = all.slice(0, MOST_LINKS);
    for (const [i, name] of names.entries()) {
      resolved.set(name, {
        ...name,
        contents: contents ?? name.contents,
        links: all.length <= MOST_LINKS ? all.toSpliced(i, 1) : first,
      });
    }
  }
  return resolved.size === 0 ? members : members.map((m) => resolved.get(m) ?? m);
}

/** The bytes of a member's file, as a view of the bytes that were decoded. */
export function contentsOf(bytes: Uint8Array, member: CpioMember): Uint8Array {
  const { offset, size } = member.contents;
  return bytes.subarray(offset, offset + size);
}

/** A member in one line, in the columns of `cpio -tvn`; the date is UTC. */
export function showMember(member: CpioMember): string {
  const kind = member.mode & S_IFMT;
  const isDevice = kind === 0o020000 || kind === 0o060000;
  const size = isDevice ? `${member.rdev.major}, ${member.rdev.minor}` : `${member.size}`;
  const date = new Date(member.mtime * 1000).toISOString().slice(0, 16).replace("T", " ");
  const target = member.target === undefined ? "" : ` -> ${member.target}`;
  return [
    showMode(member.mode),
    String(member.nlink).padStart(3),
    String(member.uid).padEnd(5),
    String(member.gid).padEnd(5),
    size.padStart(9),
    date,
    member.name + target,
  ].join(" ");
}
