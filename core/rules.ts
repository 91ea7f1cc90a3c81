/**
 * What the boot protocol asks of an image file, one rule a row.
 *
 * A rule states the sentence it rests on and finds where an image departs from
 * it. Everything `bootinfo --check` says about a setup header comes from here;
 * the formats add their own complaints about the structures they decode.
 *
 * Source: Documentation/arch/x86/boot.rst; for the checks that documentation
 * leaves open, arch/x86/boot/tools/build.c and header.S.
 *
 * @module
 */

import type { Complaint } from "../formats/complaint.ts";
import { hex } from "../formats/errors.ts";
import { setupSignature } from "../formats/setup_code.ts";
import { showProtocol } from "../formats/setup_header.ts";
import type { BootImage } from "./boot_image.ts";
import { isFilled } from "./file_map.ts";

/** One rule of the boot protocol. */
export interface Rule {
  /** How bad it is to break it. */
  readonly severity: Complaint["severity"];
  /** The sentence it rests on, in our words. */
  readonly says: string;
  /** Where the image departs from it: offset from the image's start, and how. */
  find(image: BootImage): Iterable<readonly [offset: number, message: string]>;
}

/** A rule about one condition: nothing, or one finding. */
function one(
  test: (image: BootImage) => readonly [offset: number, message: string] | undefined | false,
): Rule["find"] {
  return (image) => {
    const found = test(image);
    return found ? [found] : [];
  };
}

/** Fields that the loader writes, with what a fresh image has there. */
const loaderFields: readonly (readonly [name: string, at: number])[] = [
  ["type_of_loader", 0x210],
  ["ramdisk_image", 0x218],
  ["ramdisk_size", 0x21c],
  ["ext_loader_ver", 0x226],
  ["ext_loader_type", 0x227],
  ["cmd_line_ptr", 0x228],
  ["hardware_subarch", 0x23c],
  ["hardware_subarch_data", 0x240],
  ["setup_data", 0x250],
];

/** End of the protected-mode part in the image, in bytes. */
function systemEnd(image: BootImage): number {
  return image.setupSize + image.systemSize;
}

/** End of what header and PE sections name: memtest86+ has sections behind its code. */
function namedEnd(image: BootImage): number {
  const ends = image.pe?.sections.map(({ offset, size }) => offset + size) ?? [];
  return Math.min(image.bytes.length, ends.reduce((a, b) => Math.max(a, b), systemEnd(image)));
}

/** Offset just past the certificate table, if it directly follows `from`. */
function certificateEnd(image: BootImage, from: number): number | undefined {
  const table = image.pe?.directories["certificate"];
  if (!table || table.size === 0 || table.address !== from) return undefined;
  return table.address + table.size;
}

/** The rules, by their lasting names. */
export const rules: Readonly<Record<string, Rule>> = {
  "boot-flag": {
    severity: "error",
    says: "boot_flag at 0x1fe is 0xaa55.",
    find: one(({ header: { fields } }) =>
      fields.boot_flag !== 0xaa55 &&
      [0x1fe, `setup_header.boot_flag: needs 0xaa55, found ${hex(fields.boot_flag, 4)}`]
    ),
  },
  "version": {
    severity: "error",
    says: 'A header that carries "HdrS" has protocol version 2.00 or newer.',
    // A header that is not there has version 0; 1.05 was loadlin's.
    find: one(({ header: { version } }) =>
      version > 0 && version < 0x200 && version !== 0x105 &&
      [0x206, `setup_header.version: needs 0x0200 or more, found ${hex(version, 4)}`]
    ),
  },
  "burnt-version": {
    severity: "warning",
    says: "Version 2.14 was withdrawn; bit 15 is what its loaders wrote back.",
    find: one(({ header: { version } }) =>
      (version & 0x7fff) === 0x20e &&
      [
        0x206,
        `setup_header.version: ${hex(version, 4)} is the burnt version 2.14, taken for 2.13`,
      ]
    ),
  },
  "future-version": {
    severity: "info",
    says: "2.15 is the newest protocol version known here.",
    find: one(({ header: { version } }) =>
      version > 0x20f && version < 0x8000 &&
      [0x206, `setup_header.version: ${showProtocol(version)} is newer than 2.15, read as 2.15`]
    ),
  },
  "header-end": {
    severity: "error",
    says: "The header ends before 0x290, where the zero page has other fields.",
    find: one(({ header: { end, version } }) =>
      version >= 0x200 && end > 0x290 &&
      [0x201, `setup_header.jump: the header ends at ${hex(end)}, needs 0x290 or less`]
    ),
  },
  "header-longer": {
    severity: "warning",
    says: "The byte at 0x201 tells where the header ends; each version has its length.",
    find: one(({ header: { end, nominalEnd, version } }) =>
      version >= 0x200 && end > nominalEnd && end <= 0x290 &&
      [
        0x201,
        `setup_header.jump: the header ends at ${hex(end)}, protocol ` +
        `${showProtocol(version)} ends at ${hex(nominalEnd)}; a loader copies code along`,
      ]
    ),
  },
  "header-shorter": {
    severity: "warning",
    says: "The byte at 0x201 tells where the header ends; each version has its length.",
    find: one(({ header: { end, nominalEnd, version } }) =>
      version >= 0x200 && end < nominalEnd &&
      [
        0x201,
        `setup_header.jump: the header ends at ${hex(end)}, protocol ` +
        `${showProtocol(version)} needs ${hex(nominalEnd)}; a loader leaves fields out`,
      ]
    ),
  },
  "setup-size": {
    severity: "error",
    says: "Boot sector and setup_sects sectors of setup code come first in the file.",
    find: one(({ bytes, setupSize, header: { fields } }) =>
      setupSize > bytes.length &&
      [
        0x1f1,
        `setup_header.setup_sects: ${fields.setup_sects} sectors need ${setupSize} bytes, the ` +
        `file has ${bytes.length}`,
      ]
    ),
  },
  "setup-limit": {
    severity: "warning",
    says: "The real-mode part has at most 32 KiB; setup_sects is 64 at the most.",
    find: one(({ header: { fields } }) =>
      fields.setup_sects > 64 &&
      [0x1f1, `setup_header.setup_sects: needs 64 or less, found ${fields.setup_sects}`]
    ),
  },
  "setup-signature": {
    severity: "info",
    says: "Setup code since 2.6.23 ends in 0x5a5aaa55 and checks it.",
    find: one(({ bytes, setupSize, header, payload }) => {
      // Only kernels since 2.6.23 have it: those that name their payload.
      if (header.version < 0x208 || !payload || setupSize > bytes.length) return undefined;
      return setupSignature(bytes, header) === undefined &&
        [setupSize - 4, "no setup signature 0x5a5aaa55 in the setup code"];
    }),
  },
  "syssize": {
    severity: "error",
    says: "syssize counts the protected-mode part in units of 16 bytes; the file holds it all.",
    find: one(({ bytes, setupSize, header: { fields, version } }) => {
      const need = setupSize + (fields.syssize ?? 0) * 16;
      const lacks = need - bytes.length;
      return version >= 0x204 && lacks >= 16 && setupSize <= bytes.length &&
        [
          0x1f4,
          `setup_header.syssize: the image needs ${need} bytes, the file has ${bytes.length}: ` +
          `${lacks} are missing`,
        ];
    }),
  },
  "syssize-rounded": {
    severity: "warning",
    says: "syssize counts whole units of 16 bytes that are in the file.",
    find: one(({ bytes, setupSize, header: { fields, version } }) => {
      const lacks = setupSize + (fields.syssize ?? 0) * 16 - bytes.length;
      return version >= 0x204 && lacks > 0 && lacks < 16 && [
        0x1f4,
        `setup_header.syssize: rounded up, the file ends ${lacks} ` +
        `${lacks === 1 ? "byte" : "bytes"} earlier`,
      ];
    }),
  },
  "syssize-zero": {
    severity: "warning",
    says: "syssize tells a loader how much protected-mode code there is.",
    find: one(({ bytes, setupSize, header: { fields, version } }) =>
      version >= 0x200 && fields.syssize === 0 && bytes.length > setupSize &&
      [
        0x1f4,
        `setup_header.syssize: 0, though ${bytes.length - setupSize} bytes follow the setup code`,
      ]
    ),
  },
  "trailing-bytes": {
    severity: "warning",
    says: "The image ends with its protected-mode part; a signature may follow.",
    find: one((image) => {
      const { bytes, header } = image;
      if (header.version < 0x204 || (header.fields.syssize ?? 0) === 0) return undefined;
      const end = namedEnd(image);
      const signed = image.pe?.directories["certificate"];
      const stop = signed && signed.size > 0 && signed.address >= end
        ? signed.address
        : bytes.length;
      const extra = stop - end;
      if (extra <= 0 || certificateEnd(image, end) !== undefined) return undefined;
      const zeros = isFilled(bytes, end, stop, 0) ? ", all zero" : "";
      return [end, `${extra} bytes follow the protected-mode part that no field names${zeros}`];
    }),
  },
  "payload-place": {
    severity: "error",
    says: "payload_offset and payload_length lie within the protected-mode part.",
    find: one(({ bytes, setupSize, systemSize, header: { fields } }) => {
      const { payload_offset: offset = 0, payload_length: length = 0 } = fields;
      if (length === 0) return undefined;
      const room = Math.min(systemSize, Math.max(0, bytes.length - setupSize));
      return offset + length > room && [
        0x248,
        `setup_header.payload_offset: the payload ends ${hex(offset + length)} into the ` +
        `protected-mode part, which has ${hex(room)} bytes`,
      ];
    }),
  },
  "alignment": {
    severity: "error",
    says: "kernel_alignment is a power of two, and no less than 1 << min_alignment.",
    find: one(({ header: { fields } }) => {
      const { kernel_alignment: align, min_alignment: least } = fields;
      if (!align) return undefined;
      if ((align & (align - 1)) !== 0) {
        return [0x230, `setup_header.kernel_alignment: needs a power of two, found ${hex(align)}`];
      }
      return least !== undefined && 2 ** least > align && [
        0x235,
        `setup_header.min_alignment: 1 << ${least} is more than kernel_alignment ${hex(align)}`,
      ];
    }),
  },
  "loadflags": {
    severity: "warning",
    says: "Of loadflags an image sets LOADED_HIGH alone; the other bits are the loader's.",
    find: one(({ header: { fields } }) => {
      const flags = fields.loadflags;
      // CAN_USE_HEAP was set by the setup of some early kernels themselves.
      return flags !== undefined && (flags & 0x7e) !== 0 &&
        [0x211, `setup_header.loadflags: needs 0x00 or 0x01 in a file, found ${hex(flags, 2)}`];
    }),
  },
  "loader-fields": {
    severity: "warning",
    says: "Fields that the loader writes are 0 in an image.",
    find: function* ({ header: { fields } }) {
      for (const [name, at] of loaderFields) {
        const value = (fields as Readonly<Record<string, unknown>>)[name];
        if ((typeof value === "number" || typeof value === "bigint") && BigInt(value) !== 0n) {
          yield [at, `setup_header.${name}: needs 0 in a file, found ${hex(value)}`];
        }
      }
    },
  },
  "sentinel": {
    severity: "warning",
    says: "Since 3.8 the byte at 0x1ef is 0xff, so that a loader that copies too much shows.",
    find: one(({ bytes, header: { version } }) =>
      version >= 0x20c && bytes[0x1ef] === 0 &&
      [0x1ef, "sentinel: needs 0xff, found 0x00; a loader that copies too much goes unnoticed"]
    ),
  },
  "checksum": {
    severity: "error",
    says: "From 2.08 on the last four bytes make the CRC-32 of the image come out as 0.",
    find: one((image) =>
      image.crc?.status === "changed" && [
        systemEnd(image) - 4,
        "the build's CRC-32 does not hold, with or without what signing changes: " +
        "the image was changed after it was built",
      ]
    ),
  },
  "checksum-absent": {
    severity: "info",
    says: "Kernels since 6.13 or so have no CRC; its place holds 0.",
    find: one((image) =>
      image.header.version >= 0x208 && image.payload !== undefined &&
      image.crc?.status === "absent" &&
      [systemEnd(image) - 4, "no CRC-32: a change to the file cannot be told"]
    ),
  },
  "zimage": {
    severity: "info",
    says: "Without LOADED_HIGH the kernel is loaded at 0x10000: at most 512 KiB.",
    find: one(({ kind }) => kind === "zImage" && [0x211, "a zImage, loaded low"]),
  },
  "old-image": {
    severity: "info",
    says: 'Without "HdrS" a kernel is older than 1.3.73: no initrd, setup at 0x90000.',
    find: one(({ header: { version } }) =>
      version === 0 && [0x202, 'no "HdrS": the boot protocol before 2.00']
    ),
  },
};

/** Everything about an image's boot header that departs from the rules. */
export function judgeBootImage(image: BootImage): Complaint[] {
  const complaints: Complaint[] = [...image.complaints];
  const told = new Set(complaints.map(({ rule }) => rule));
  for (const [rule, { severity, find }] of Object.entries(rules)) {
    // What made a decoder give up has been said already.
    if (told.has(rule)) continue;
    for (const [offset, message] of find(image)) {
      complaints.push({ severity, offset: image.at + offset, rule, message });
    }
  }
  return complaints;
}
