/**
 * Making a cpio archive of the format "newc", as a kernel takes it for an
 * initramfs.
 *
 * Everything not said is filled in so that the same members always give the same
 * bytes: times and owners are 0, inode numbers count from 1.
 *
 * @example
 * ```ts
 * import { type CpioInput, encodeCpio } from "./encode_cpio.ts";
 *
 * const members: CpioInput[] = [
 *   { name: "dev", mode: 0o040755 },
 *   { name: "dev/console", mode: 0o020600, rdev: { major: 5, minor: 1 } },
 *   { name: "init", mode: 0o100755, data: new TextEncoder().encode("#!/bin/sh\n") },
 * ];
 * if (encodeCpio(members).length !== 512) throw new Error("one block is enough for these");
 * ```
 *
 * @module
 */

import { type Device, newcHeader, PATH_MAX, TRAILER } from "./cpio.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "./mode.ts";

/** A member to be written. Only name and mode must be said. */
export interface CpioInput {
  /** Its path; no leading slash is needed. */
  readonly name: string;
  /** Kind and permissions, 0o100644 say. */
  readonly mode: number;
  /** The file's bytes; absent: none. */
  readonly data?: Uint8Array;
  /** Where a symbolic link points; it takes the place of `data`. */
  readonly target?: string;
  /** Owner; default 0. */
  readonly uid?: number;
  /** Group; default 0. */
  readonly gid?: number;
  /** Number of names; default 2 for a directory, else 1. */
  readonly nlink?: number;
  /** Modified, in seconds since 1970; default 0. */
  readonly mtime?: number;
  /** Inode number; default its place in the list, from 1. Hard links share theirs. */
  readonly ino?: number;
  /** The device that holds it; default 0:0. */
  readonly dev?: Device;
  /** The device that it is; default 0:0. */
  readonly rdev?: Device;
}

/** Archives are filled with zeros to a multiple of this many bytes, as cpio does. */
const BLOCK = 512;

/**
 * Writes an archive with its trailer, filled up to a multiple of 512 bytes.
 *
 * @throws {RangeError} If a number does not fit 32 bits or a name is empty, too
 *   long, the trailer's, or has a NUL in it.
 */
export function encodeCpio(members: readonly CpioInput[]): Uint8Array {
  const utf8 = new TextEncoder();
  const last: CpioInput = { name: TRAILER, mode: 0, nlink: 1, ino: 0 };
  const parts = [...members, last].map((member, i) => {
    const name = utf8.encode(member.name);
    const reserved = member.name === TRAILER && i < members.length;
    if (name.length === 0 || name.length >= PATH_MAX || name.includes(0) || reserved) {
      throw new RangeError(`cpio cannot hold a member named ${JSON.stringify(member.name)}`);
    }
    const isLink = (member.mode & S_IFMT) === S_IFLNK;
    const data = isLink && member.target !== undefined
      ? utf8.encode(member.target)
      : member.data ?? new Uint8Array();
    return { member, name, data, ino: member.ino ?? i + 1 };
  });

  let size = 0;
  for (const { name, data } of parts) {
    size = align(align(size + newcHeader.size + name.length + 1, 4) + data.length, 4);
  }
  const bytes = new Uint8Array(align(size, BLOCK));
  let at = 0;
  for (const { member, name, data, ino } of parts) {
    const isDirectory = (member.mode & S_IFMT) === S_IFDIR;
    const numbers = [
      ino,
      member.mode,
      member.uid ?? 0,
      member.gid ?? 0,
      member.nlink ?? (isDirectory ? 2 : 1),
      member.mtime ?? 0,
      data.length,
      member.dev?.major ?? 0,
      member.dev?.minor ?? 0,
      member.rdev?.major ?? 0,
      member.rdev?.minor ?? 0,
      name.length + 1,
      0,
    ];
    bytes.set(utf8.encode("070701" + numbers.map(digits).join("")), at);
    bytes.set(name, at + newcHeader.size);
    at = align(at + newcHeader.size + name.length + 1, 4);
    bytes.set(data, at);
    at = align(at + data.length, 4);
  }
  return bytes;
}

function align(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

function digits(n: number): string {
  if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) {
    throw new RangeError(`a number in a cpio header has 32 bits, not ${n}`);
  }
  return n.toString(16).toUpperCase().padStart(8, "0");
}
