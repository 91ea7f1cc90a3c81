/**
 * Disks: the partition table of a master boot record, and the GPT behind it.
 *
 * Source: UEFI Specification 2.10, chapter 5, "GUID Partition Table (GPT) Disk
 * Layout"; the MBR as every PC since the XT has it.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { crc32 } from "../crc32.ts";
import { hex } from "../errors.ts";
import { decode, type Decoded, type Structure } from "../layout.ts";
import { type Field, field, fieldsOf, hasText, hexOf, showSize } from "./finding.ts";

/** Types of MBR partitions that are met today. */
export const partitionTypes = {
  0x00: "unused",
  0x01: "FAT12",
  0x04: "FAT16, small",
  0x05: "extended",
  0x06: "FAT16",
  0x07: "NTFS or exFAT",
  0x0b: "FAT32",
  0x0c: "FAT32, LBA",
  0x0e: "FAT16, LBA",
  0x0f: "extended, LBA",
  0x17: "hidden NTFS",
  0x27: "Windows recovery",
  0x63: "GNU Hurd",
  0x82: "Linux swap",
  0x83: "Linux",
  0x85: "Linux extended",
  0x8e: "Linux LVM",
  0xa5: "FreeBSD",
  0xa6: "OpenBSD",
  0xa9: "NetBSD",
  0xaf: "HFS",
  0xbf: "Solaris",
  0xcd: "hybrid ISO",
  0xee: "GPT protective",
  0xef: "EFI system",
  0xfd: "Linux RAID",
} as const;

/** An entry of the MBR's partition table. */
export const partitionEntry = {
  name: "partition_record",
  size: 16,
  fields: {
    boot_indicator: {
      at: 0,
      type: "u8",
      doc: "0x80: boot from here.",
      values: { 0x00: "no", 0x80: "active" },
    },
    starting_chs: { at: 1, type: "bytes", size: 3, doc: "First sector, cylinder-head-sector." },
    os_type: { at: 4, type: "u8", doc: "What is in it.", values: partitionTypes },
    ending_chs: { at: 5, type: "bytes", size: 3, doc: "Last sector, cylinder-head-sector." },
    starting_lba: { at: 8, type: "u32", doc: "First sector, of 512 bytes." },
    size_in_lba: {
      at: 12,
      type: "u32",
      doc: "Sectors.",
      show: (n: number): string => showSize(n * 512),
    },
  },
} as const satisfies Structure;

/** The header of a GUID partition table. */
export const gptHeader = {
  name: "gpt_header",
  size: 92,
  fields: {
    signature: { at: 0, type: "ascii", size: 8, doc: '"EFI PART".' },
    revision: {
      at: 8,
      type: "u32",
      doc: "Revision, major in the high half.",
      show: (n: number): string => `${n >>> 16}.${n & 0xffff}`,
    },
    header_size: { at: 12, type: "u32", doc: "Bytes of this header." },
    header_crc32: { at: 16, type: "u32", doc: "CRC-32 of it, itself taken as 0." },
    reserved: { at: 20, type: "pad", size: 4, doc: "Reserved." },
    my_lba: { at: 24, type: "u64", doc: "Sector of this header." },
    alternate_lba: { at: 32, type: "u64", doc: "Sector of the other copy." },
    first_usable_lba: { at: 40, type: "u64", doc: "First sector partitions may use." },
    last_usable_lba: { at: 48, type: "u64", doc: "Last sector partitions may use." },
    disk_guid: {
      at: 56,
      type: "bytes",
      size: 16,
      doc: "Identity of the disk.",
      show: (b: Uint8Array): string => showGuid(b),
    },
    partition_entry_lba: { at: 72, type: "u64", doc: "Sector of the first entry." },
    number_of_partition_entries: { at: 80, type: "u32", doc: "Entries." },
    size_of_partition_entry: { at: 84, type: "u32", doc: "Bytes of an entry." },
    partition_entry_array_crc32: { at: 88, type: "u32", doc: "CRC-32 of the entries." },
  },
} as const satisfies Structure;

/** An entry of a GUID partition table. */
export const gptEntry = {
  name: "gpt_entry",
  size: 128,
  fields: {
    partition_type_guid: { at: 0, type: "bytes", size: 16, doc: "What is in it; zeros unused." },
    unique_partition_guid: { at: 16, type: "bytes", size: 16, doc: "Its identity." },
    starting_lba: { at: 32, type: "u64", doc: "First sector." },
    ending_lba: { at: 40, type: "u64", doc: "Last sector." },
    attributes: { at: 48, type: "u64", doc: "Attributes, a bit each." },
    partition_name: { at: 56, type: "bytes", size: 72, doc: "Its name in UTF-16." },
  },
} as const satisfies Structure;

/** GPT partition types that are met where kernels are. */
const guidNames: Readonly<Record<string, string>> = {
  "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
  "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
  "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux file system",
  "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
  "44479540-f297-41b2-9af7-d131d5f0458a": "Linux root (x86)",
  "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
  "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
  "a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
  "bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux extended boot",
  "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft basic data",
  "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
  "48465300-0000-11aa-aa11-00306543ecac": "Apple HFS+",
};

/** A GUID as EFI writes it: the first three parts are little endian. */
export function showGuid(bytes: Uint8Array): string {
  const digits = hexOf(bytes);
  const part = (at: number, n: number) => digits.slice(at * 2, (at + n) * 2);
  const turned = (at: number, n: number) => part(at, n).match(/../g)?.reverse().join("") ?? "";
  return [turned(0, 4), turned(4, 2), turned(6, 2), part(8, 2), part(10, 6)].join("-");
}

/** The partitions of a master boot record. */
export function decodeMbr(bytes: Uint8Array): readonly Decoded<typeof partitionEntry>[] {
  return [0, 1, 2, 3].map((i) => decode(partitionEntry, bytes, { at: 0x1be + 16 * i }));
}

/**
 * Whether a boot sector has a partition table: the mark 0xaa55, boot indicators
 * that are one, and at least one entry with a type, a start and a size.
 */
export function hasPartitions(bytes: Uint8Array): boolean {
  if (bytes[0x1fe] !== 0x55 || bytes[0x1ff] !== 0xaa) return false;
  const entries = decodeMbr(bytes);
  return entries.every(({ boot_indicator }) => boot_indicator === 0 || boot_indicator === 0x80) &&
    entries.some(({ os_type, size_in_lba }) => os_type !== 0 && size_in_lba !== 0) &&
    entries.every(({ os_type, size_in_lba }) => os_type !== 0 || size_in_lba === 0);
}

/** The fields of the partitions that are in use. */
export function mbrFields(bytes: Uint8Array): Field[] {
  return decodeMbr(bytes).flatMap((entry, i) => {
    if (entry.os_type === 0) return [];
    const names: Readonly<Record<number, string>> = partitionTypes;
    const active = entry.boot_indicator === 0x80 ? ", active" : "";
    const words = `${names[entry.os_type] ?? "unassigned type"}${active}, ` +
      `${showSize(entry.size_in_lba * 512)} from sector ${entry.starting_lba}`;
    return [
      field(`partition[${i}].os_type`, entry.os_type, words),
      field(`partition[${i}].starting_lba`, entry.starting_lba),
      field(`partition[${i}].size_in_lba`, entry.size_in_lba),
    ];
  });
}

/** A decoded GUID partition table. */
export interface Gpt {
  /** Bytes of a sector, as found out. */
  readonly sector: number;
  /** The header. */
  readonly header: Decoded<typeof gptHeader>;
  /** The entries in use, with their number. */
  readonly entries: readonly (readonly [number, Decoded<typeof gptEntry>])[];
  /** What is wrong with it. */
  readonly complaints: readonly Complaint[];
}

/** Entries that are looked at; tables have 128. */
const MOST_ENTRIES = 1024;

/** Finds the GPT behind the first sector, of 512 or 4096 bytes. */
export function findGpt(bytes: Uint8Array): Gpt | undefined {
  const sector = [512, 4096].find((at) =>
    hasText(bytes, at, "EFI PART") && at + gptHeader.size <= bytes.length
  );
  if (sector === undefined) return undefined;
  const header = decode(gptHeader, bytes, { at: sector });
  const complaints: Complaint[] = [];
  const complain = (offset: number, rule: string, message: string) =>
    complaints.push({ severity: "error", offset, rule: `gpt.${rule}`, message });
  if (header.header_size >= gptHeader.size && header.header_size <= sector) {
    const copy = bytes.slice(sector, sector + header.header_size);
    copy.fill(0, 16, 20);
    const sum = crc32(copy);
    if (sum !== header.header_crc32) {
      complain(sector + 16, "header-crc", `needs ${hex(header.header_crc32)}, found ${hex(sum)}`);
    }
  } else {
    complain(sector + 12, "header-size", `a header of ${header.header_size} bytes`);
  }
  const start = Number(header.partition_entry_lba) * sector;
  const step = header.size_of_partition_entry;
  const number = header.number_of_partition_entries;
  const entries: [number, Decoded<typeof gptEntry>][] = [];
  if (step >= gptEntry.size && step <= sector * 8) {
    const end = start + number * step;
    if (end <= bytes.length) {
      const sum = crc32(bytes.subarray(start, end));
      if (sum !== header.partition_entry_array_crc32) {
        const needed = hex(header.partition_entry_array_crc32);
        complain(sector + 88, "entries-crc", `needs ${needed}, found ${hex(sum)}`);
      }
    }
    for (let i = 0; i < Math.min(number, MOST_ENTRIES); i++) {
      const at = start + i * step;
      if (at + gptEntry.size > bytes.length) break;
      const entry = decode(gptEntry, bytes, { at });
      if (entry.partition_type_guid.some((byte) => byte !== 0)) entries.push([i, entry]);
    }
  } else {
    complain(sector + 84, "entry-size", `an entry of ${step} bytes`);
  }
  return { sector, header, entries, complaints };
}

/** The fields of a GPT: its header and one line a partition. */
export function gptFields({ sector, header, entries }: Gpt): Field[] {
  return [
    field("gpt_header.sector", sector),
    ...fieldsOf(gptHeader, header, "gpt_header."),
    ...entries.map(([i, entry]) => {
      const guid = showGuid(entry.partition_type_guid);
      const name = new TextDecoder("utf-16le").decode(entry.partition_name).replace(/\0.*$/s, "");
      const sectors = entry.ending_lba - entry.starting_lba + 1n;
      return field(
        `gpt_entry[${i}]`,
        guid,
        `${guidNames[guid] ?? "unnamed type"}${name ? ` "${name}"` : ""}, ` +
          `${showSize(sectors * BigInt(sector))} from sector ${entry.starting_lba}`,
      );
    }),
  ];
}
