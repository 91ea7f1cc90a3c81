/**
 * Android boot images: kernel, RAM disk and command line in one file, in five
 * versions of the header, and the vendor's half of it since version 3.
 *
 * Source: AOSP system/tools/mkbootimg, include/bootimg/bootimg.h.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { hex, need } from "../errors.ts";
import { decode, type Structure } from "../layout.ts";
import { type Field, field, fieldsOf, type Finding, showSize } from "./finding.ts";

const size = (n: number): string => showSize(n);
const address = (n: number | bigint): string => hex(n);

/** Release and patch month in one word: 11 bits less than a word of three times seven. */
function showOsVersion(word: number): string {
  const version = word >>> 11;
  const [a, b, c] = [version >>> 14, version >>> 7 & 127, version & 127];
  const month = `${2000 + (word >>> 4 & 127)}-${String(word & 15).padStart(2, "0")}`;
  return word === 0 ? "not said" : `${a}.${b}.${c}, patch level ${month}`;
}

const osVersion = {
  type: "u32",
  doc: "Android release and month of its security patches.",
  show: (n: number): string => showOsVersion(n),
} as const;

/** struct boot_img_hdr of versions 0 to 2; `since` is the header's version. */
export const androidBootHeader = {
  name: "boot_img_hdr_v2",
  size: 1660,
  fields: {
    magic: { at: 0x000, type: "ascii", size: 8, doc: '"ANDROID!".' },
    kernel_size: { at: 0x008, type: "u32", doc: "Bytes of the kernel.", show: size },
    kernel_addr: { at: 0x00c, type: "u32", doc: "Physical address to load at.", show: address },
    ramdisk_size: { at: 0x010, type: "u32", doc: "Bytes of the RAM disk.", show: size },
    ramdisk_addr: { at: 0x014, type: "u32", doc: "Physical address to load at.", show: address },
    second_size: { at: 0x018, type: "u32", doc: "Bytes of the second stage.", show: size },
    second_addr: { at: 0x01c, type: "u32", doc: "Physical address to load at.", show: address },
    tags_addr: { at: 0x020, type: "u32", doc: "Physical address of the tags.", show: address },
    page_size: { at: 0x024, type: "u32", doc: "What every part is aligned to.", show: size },
    header_version: { at: 0x028, type: "u32", doc: "Version of this header." },
    os_version: { at: 0x02c, ...osVersion },
    name: { at: 0x030, type: "ascii", size: 16, doc: "Name of the product." },
    cmdline: { at: 0x040, type: "ascii", size: 512, doc: "Kernel command line." },
    id: { at: 0x240, type: "bytes", size: 32, doc: "A hash or time that tells builds apart." },
    extra_cmdline: { at: 0x260, type: "ascii", size: 1024, doc: "More of the command line." },
    recovery_dtbo_size: {
      at: 0x660,
      type: "u32",
      since: 1,
      doc: "Bytes of the recovery's device tree overlay.",
      show: size,
    },
    recovery_dtbo_offset: {
      at: 0x664,
      type: "u64",
      since: 1,
      doc: "Where it is in the file.",
      show: address,
    },
    header_size: { at: 0x66c, type: "u32", since: 1, doc: "Bytes of this header." },
    dtb_size: { at: 0x670, type: "u32", since: 2, doc: "Bytes of the device tree.", show: size },
    dtb_addr: {
      at: 0x674,
      type: "u64",
      since: 2,
      doc: "Physical address to load at.",
      show: address,
    },
  },
} as const satisfies Structure;

/** struct boot_img_hdr of versions 3 and 4; its pages have 4096 bytes. */
export const androidBootHeader3 = {
  name: "boot_img_hdr_v4",
  size: 1584,
  fields: {
    magic: { at: 0x00, type: "ascii", size: 8, doc: '"ANDROID!".' },
    kernel_size: { at: 0x08, type: "u32", doc: "Bytes of the kernel.", show: size },
    ramdisk_size: { at: 0x0c, type: "u32", doc: "Bytes of the RAM disk.", show: size },
    os_version: { at: 0x10, ...osVersion },
    header_size: { at: 0x14, type: "u32", doc: "Bytes of this header." },
    reserved: { at: 0x18, type: "pad", size: 16, doc: "Reserved." },
    header_version: { at: 0x28, type: "u32", doc: "Version of this header." },
    cmdline: { at: 0x2c, type: "ascii", size: 1536, doc: "Kernel command line." },
    signature_size: {
      at: 0x62c,
      type: "u32",
      since: 4,
      doc: "Bytes of the boot signature.",
      show: size,
    },
  },
} as const satisfies Structure;

/** struct vendor_boot_img_hdr of versions 3 and 4. */
export const androidVendorHeader = {
  name: "vendor_boot_img_hdr_v4",
  size: 2128,
  fields: {
    magic: { at: 0x00, type: "ascii", size: 8, doc: '"VNDRBOOT".' },
    header_version: { at: 0x08, type: "u32", doc: "Version of this header." },
    page_size: { at: 0x0c, type: "u32", doc: "What every part is aligned to.", show: size },
    kernel_addr: { at: 0x10, type: "u32", doc: "Physical address to load at.", show: address },
    ramdisk_addr: { at: 0x14, type: "u32", doc: "Physical address to load at.", show: address },
    vendor_ramdisk_size: { at: 0x18, type: "u32", doc: "Bytes of all RAM disks.", show: size },
    cmdline: { at: 0x1c, type: "ascii", size: 2048, doc: "Kernel command line." },
    tags_addr: { at: 0x81c, type: "u32", doc: "Physical address of the tags.", show: address },
    name: { at: 0x820, type: "ascii", size: 16, doc: "Name of the product." },
    header_size: { at: 0x830, type: "u32", doc: "Bytes of this header." },
    dtb_size: { at: 0x834, type: "u32", doc: "Bytes of the device tree.", show: size },
    dtb_addr: { at: 0x838, type: "u64", doc: "Physical address to load at.", show: address },
    vendor_ramdisk_table_size: { at: 0x840, type: "u32", since: 4, doc: "Bytes of the table." },
    vendor_ramdisk_table_entry_num: { at: 0x844, type: "u32", since: 4, doc: "RAM disks." },
    vendor_ramdisk_table_entry_size: {
      at: 0x848,
      type: "u32",
      since: 4,
      doc: "Bytes of an entry.",
    },
    bootconfig_size: { at: 0x84c, type: "u32", since: 4, doc: "Bytes of the bootconfig." },
  },
} as const satisfies Structure;

/** A part of an image: each starts on a page of its own. */
type Part = readonly [name: string, size: number];

/** Fields that tell where each part is, and complaints where that is beyond the file. */
function place(parts: readonly Part[], header: number, page: number, fileSize: number) {
  const fields: Field[] = [];
  const complaints: Complaint[] = [];
  const pages = (n: number) => Math.ceil(n / page) * page;
  let at = pages(header);
  for (const [name, length] of parts) {
    if (length === 0) continue;
    fields.push(field(`${name}.offset`, at, `${hex(at)}, ${showSize(length)}`));
    if (at + length > fileSize) {
      complaints.push({
        severity: "error",
        offset: at,
        rule: "android.truncated",
        message: `the ${name} needs ${length} bytes, the file ends at ${hex(fileSize)}`,
      });
    }
    at += pages(length);
  }
  return { fields, complaints };
}

const hint = "take the kernel out with unpack_bootimg, or at the offset given, and look at that";

/**
 * Describes an Android boot image.
 *
 * @throws {FormatError} If the header is cut short.
 */
export function findAndroid(bytes: Uint8Array, fileSize: number): Finding {
  need(bytes, { structure: "boot_img_hdr", field: "header_version", offset: 0x28 }, 4);
  const version = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .getUint32(0x28, true);
  // Old images keep the size of a device tree in the word that became the version.
  if (version === 3 || version === 4) {
    const header = decode(androidBootHeader3, bytes, { version });
    const parts = place(
      [["kernel", header.kernel_size], ["ramdisk", header.ramdisk_size], [
        "signature",
        header.signature_size ?? 0,
      ]],
      header.header_size,
      4096,
      fileSize,
    );
    return {
      kind: "Android boot image",
      title: `Android boot image, header version ${version}`,
      fields: [...fieldsOf(androidBootHeader3, header), ...parts.fields],
      hint,
      complaints: parts.complaints,
    };
  }
  const known = version <= 2 ? version : 0;
  const header = decode(androidBootHeader, bytes, { version: known });
  const page = header.page_size;
  const sane = page >= 512 && page <= 1 << 20 && (page & (page - 1)) === 0;
  const parts = sane
    ? place(
      [
        ["kernel", header.kernel_size],
        ["ramdisk", header.ramdisk_size],
        ["second", header.second_size],
        ["recovery_dtbo", header.recovery_dtbo_size ?? 0],
        ["dtb", header.dtb_size ?? 0],
      ],
      page,
      page,
      fileSize,
    )
    : {
      fields: [],
      complaints: [{
        severity: "error" as const,
        offset: 0x24,
        rule: "android.page-size",
        message: `needs a power of two from 512 on, found ${page}`,
      }],
    };
  return {
    kind: "Android boot image",
    title: `Android boot image, header version ${known}${header.name ? `, ${header.name}` : ""}`,
    fields: [...fieldsOf(androidBootHeader, header), ...parts.fields],
    hint,
    complaints: parts.complaints,
  };
}

/**
 * Describes an Android vendor boot image.
 *
 * @throws {FormatError} If the header is cut short.
 */
export function findAndroidVendor(bytes: Uint8Array, fileSize: number): Finding {
  need(bytes, { structure: "vendor_boot_img_hdr", field: "header_version", offset: 8 }, 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  const header = decode(androidVendorHeader, bytes, { version });
  const page = header.page_size;
  const sane = page >= 512 && page <= 1 << 20 && (page & (page - 1)) === 0;
  const parts = sane
    ? place(
      [
        ["vendor_ramdisk", header.vendor_ramdisk_size],
        ["dtb", header.dtb_size],
        ["vendor_ramdisk_table", header.vendor_ramdisk_table_size ?? 0],
        ["bootconfig", header.bootconfig_size ?? 0],
      ],
      header.header_size,
      page,
      fileSize,
    )
    : { fields: [], complaints: [] };
  return {
    kind: "Android vendor boot image",
    title: `Android vendor boot image, header version ${version}`,
    fields: [...fieldsOf(androidVendorHeader, header), ...parts.fields],
    hint: "has RAM disks and a device tree, the kernel is in the boot image",
    complaints: parts.complaints,
  };
}
