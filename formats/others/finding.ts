/**
 * What a decoder of some other format says of a file: a kind, a line of words,
 * fields, and what to do with it.
 *
 * @module
 */

import { findSequence } from "../_find.ts";
import type { Complaint } from "../complaint.ts";
import { type AnyRecord, meaning, type Structure, walk } from "../layout.ts";

/** What a file can turn out to be. */
export type Kind =
  | "bzImage"
  | "zImage"
  | "old boot sector kernel"
  | "UKI"
  | "boot sector"
  | "multiboot1"
  | "multiboot2"
  | "Xen hypervisor"
  | "arm64 Image"
  | "RISC-V Image"
  | "ARM zImage"
  | "EFI zboot"
  | "uImage"
  | "FIT"
  | "DTB"
  | "Android boot image"
  | "Android vendor boot image"
  | "PE"
  | "ELF"
  | "compressed"
  | "cpio"
  | "ISO 9660"
  | "disk image"
  | "file system"
  | "archive"
  | "zero page"
  | "text"
  | "empty"
  | "unknown";

/** One fact about a file. */
export interface Field {
  /** Name as the format's own documents have it, dotted where nested. */
  readonly name: string;
  /** The value as it is; bytes are hexadecimal text. */
  readonly value: number | bigint | string;
  /** The value in words; absent where the plain one says all. */
  readonly shown?: string;
}

/** What a file is. */
export interface Finding {
  /** What it is, by a name that lasts. */
  readonly kind: Kind;
  /** What it is, in the words of one line. */
  readonly title: string;
  /** Its main fields. */
  readonly fields: readonly Field[];
  /** What to do with it, who hoped for a bzImage; absent where there is nothing to say. */
  readonly hint?: string;
  /** What is wrong with it; absent where nothing was looked at. */
  readonly complaints?: readonly Complaint[];
}

/** A fact, with its words if there are any. */
export function field(name: string, value: Field["value"], shown?: string): Field {
  return shown === undefined ? { name, value } : { name, value, shown };
}

/** The fields of a decoded record by its table; padding is left out. */
export function fieldsOf(structure: Structure, record: AnyRecord, prefix = ""): Field[] {
  const fields: Field[] = [];
  for (const { path, row, value } of walk(structure, record)) {
    if (row.type === "pad") continue;
    const plain =
      typeof value === "number" || typeof value === "bigint" || typeof value === "string"
        ? value
        : value instanceof Uint8Array
        ? hexOf(value)
        : String(value);
    fields.push(field(prefix + path, plain, meaning(row, value)));
  }
  return fields;
}

/** Bytes as hexadecimal digits, two each. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A size in bytes as people say it: 8,247,232 is "7.9 MiB". */
export function showSize(bytes: number | bigint): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let n = Number(bytes);
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${Number.isInteger(n) ? n : n.toFixed(1)} ${units[unit] ?? ""}`;
}

/** Seconds since 1970 as a day and time in UTC. */
export function showTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

/** Whether the bytes at a place are those of a text, one byte a character. */
export function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** Where a text first stands between two offsets; -1 where it does not. */
export function findText(
  bytes: Uint8Array,
  text: string,
  start = 0,
  end: number = bytes.length,
): number {
  return findSequence(bytes.subarray(0, Math.min(end, bytes.length)), text, start);
}

/** The printable text at a place, up to the first byte that is none. */
export function textAt(bytes: Uint8Array, at: number, most = 256): string {
  let text = "";
  for (let i = at; i < at + most; i++) {
    const c = bytes[i];
    if (c === undefined || c < 0x20 || c > 0x7e) break;
    text += String.fromCharCode(c);
  }
  return text;
}
