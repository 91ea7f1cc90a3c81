/**
 * ISO 9660: volume descriptors from sector 16 on, and the boot catalog of
 * El Torito that one of them points to. A hybrid image has a partition table in
 * its first sector as well.
 *
 * Source: ECMA-119, section 8; "El Torito" Bootable CD-ROM Format
 * Specification 1.0.
 *
 * @module
 */

import { hex } from "../errors.ts";
import { decode, type Structure } from "../layout.ts";
import { hasPartitions, mbrFields } from "./disk.ts";
import { type Field, field, fieldsOf, type Finding, hasText, showSize } from "./finding.ts";

/** Bytes of a sector. */
const SECTOR = 2048;
/** The first volume descriptor. */
const FIRST = 16 * SECTOR;
/** Most volume descriptors that are looked at. */
const MOST = 32;

const text = (s: string): string => s.trim() || "empty";

/** What we read of a primary volume descriptor; both-endian numbers, their first half. */
export const primaryVolume = {
  name: "primary_volume_descriptor",
  size: 830,
  fields: {
    type: { at: 0, type: "u8", doc: "1." },
    id: { at: 1, type: "ascii", size: 5, doc: '"CD001".' },
    version: { at: 6, type: "u8", doc: "1." },
    unused1: { at: 7, type: "pad", size: 1, doc: "Unused." },
    system_id: { at: 8, type: "ascii", size: 32, doc: "System that it is for.", show: text },
    volume_id: { at: 40, type: "ascii", size: 32, doc: "Name of the volume.", show: text },
    unused2: { at: 72, type: "pad", size: 8, doc: "Unused." },
    volume_space_size: { at: 80, type: "u32", doc: "Logical blocks." },
    big_endian_half: { at: 84, type: "pad", size: 44, doc: "The same again, and sets." },
    logical_block_size: { at: 128, type: "u16", doc: "Bytes of a logical block." },
    tables: { at: 130, type: "pad", size: 188, doc: "Path tables, root directory, volume set." },
    publisher_id: { at: 318, type: "ascii", size: 128, doc: "Publisher.", show: text },
    preparer_id: { at: 446, type: "ascii", size: 128, doc: "Who prepared it.", show: text },
    application_id: { at: 574, type: "ascii", size: 128, doc: "What made it.", show: text },
    files: { at: 702, type: "pad", size: 111, doc: "Names of three files." },
    creation_date: { at: 813, type: "ascii", size: 16, doc: "Made, YYYYMMDDHHMMSSCC." },
    creation_zone: { at: 829, type: "u8", doc: "Time zone in quarters of an hour." },
  },
} as const satisfies Structure;

/** An entry of the boot catalog that starts something. */
export const bootEntry = {
  name: "boot_entry",
  size: 32,
  fields: {
    boot_indicator: { at: 0, type: "u8", doc: "0x88: bootable.", values: { 0: "no", 0x88: "yes" } },
    media_type: {
      at: 1,
      type: "u8",
      doc: "What the BIOS is to make of it.",
      values: {
        0: "no emulation",
        1: "1.2M floppy",
        2: "1.44M floppy",
        3: "2.88M floppy",
        4: "disk",
      },
    },
    load_segment: { at: 2, type: "u16", doc: "Segment to load at; 0 stands for 0x7c0." },
    system_type: { at: 4, type: "u8", doc: "Partition type, for a disk." },
    unused: { at: 5, type: "pad", size: 1, doc: "Unused." },
    sector_count: { at: 6, type: "u16", doc: "Sectors of 512 bytes to load." },
    load_rba: { at: 8, type: "u32", doc: "Where it is, in sectors of 2048 bytes." },
    selection: { at: 12, type: "pad", size: 20, doc: "Selection criteria." },
  },
} as const satisfies Structure;

const platforms: Readonly<Record<number, string>> = {
  0: "x86 BIOS",
  1: "PowerPC",
  2: "Mac",
  0xef: "EFI",
};

/** Whether there is a volume descriptor at sector 16. */
export function isIso9660(bytes: Uint8Array): boolean {
  return hasText(bytes, FIRST + 1, "CD001");
}

/**
 * Describes an ISO 9660 image.
 *
 * @throws {FormatError} If a descriptor is cut short.
 */
export function findIso9660(bytes: Uint8Array): Finding {
  const fields: Field[] = [];
  let title = "ISO 9660 CD image";
  let catalog: number | undefined;
  for (let i = 0; i < MOST; i++) {
    const at = FIRST + i * SECTOR;
    if (!hasText(bytes, at + 1, "CD001") || bytes[at] === 0xff) break;
    if (bytes[at] === 1) {
      const volume = decode(primaryVolume, bytes, { at });
      title += ` "${volume.volume_id.trim()}"`;
      const volumeSize = volume.volume_space_size * volume.logical_block_size;
      fields.push(
        ...fieldsOf(primaryVolume, volume),
        field("volume_size", volumeSize, showSize(volumeSize)),
      );
    } else if (
      bytes[at] === 0 && hasText(bytes, at + 7, "EL TORITO SPECIFICATION") &&
      at + 75 <= bytes.length
    ) {
      catalog = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        .getUint32(at + 0x47, true);
    }
  }
  if (catalog !== undefined) {
    title += ", bootable (El Torito)";
    fields.push(field("boot_catalog", catalog, `at ${hex(catalog * SECTOR)}`));
    fields.push(...catalogFields(bytes, catalog * SECTOR));
  }
  if (hasPartitions(bytes)) {
    title += ", hybrid with a partition table";
    fields.push(...mbrFields(bytes));
  }
  return {
    kind: "ISO 9660",
    title,
    fields,
    hint: "mount it or unpack it: kernels are most often under /live, /boot, /casper or /isolinux",
  };
}

/** The catalog: a validation entry, the default entry, then sections with theirs. */
function catalogFields(bytes: Uint8Array, catalog: number): Field[] {
  const fields: Field[] = [];
  if (bytes[catalog] !== 1 || bytes[catalog + 30] !== 0x55 || bytes[catalog + 31] !== 0xaa) {
    return [field("boot_catalog.validation", 0, "not read or not a catalog")];
  }
  let platform = bytes[catalog + 1] ?? 0;
  let at = catalog + 32;
  let number = 0;
  const entries = (count: number) => {
    for (let i = 0; i < count && at + 32 <= bytes.length && number < MOST; i++, at += 32) {
      const entry = decode(bootEntry, bytes, { at });
      const name = platforms[platform] ?? `platform ${hex(platform)}`;
      const words = fieldsOf(bootEntry, entry);
      fields.push(
        field(
          `boot_entry[${number}]`,
          platform,
          `${name}, ${words[1]?.shown ?? ""}, ${entry.sector_count} × 512 bytes ` +
            `at ${hex(entry.load_rba * SECTOR)}` +
            (entry.boot_indicator === 0x88 ? "" : ", not bootable"),
        ),
      );
      number++;
    }
  };
  entries(1);
  while ((bytes[at] === 0x90 || bytes[at] === 0x91) && number < MOST) {
    const isLast = bytes[at] === 0x91;
    platform = bytes[at + 1] ?? 0;
    const count = (bytes[at + 2] ?? 0) | (bytes[at + 3] ?? 0) << 8;
    at += 32;
    entries(count);
    if (isLast) break;
  }
  return fields;
}
