/**
 * Legacy U-Boot images: a header of 64 bytes, big endian, before any payload.
 *
 * Source: U-Boot include/image.h.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { crc32 } from "../crc32.ts";
import { hex } from "../errors.ts";
import type { Structure } from "../layout.ts";
import { decodeBigEndian } from "./big_endian.ts";
import { field, fieldsOf, type Finding, showSize, showTime } from "./finding.ts";

/** Operating systems by number. */
export const uimageSystems = {
  0: "invalid",
  1: "OpenBSD",
  2: "NetBSD",
  3: "FreeBSD",
  4: "4.4BSD",
  5: "Linux",
  6: "SVR4",
  7: "Esix",
  8: "Solaris",
  9: "Irix",
  10: "SCO",
  11: "Dell",
  12: "NCR",
  13: "LynxOS",
  14: "VxWorks",
  15: "pSOS",
  16: "QNX",
  17: "U-Boot",
  18: "RTEMS",
  19: "ARTOS",
  20: "Unity OS",
  21: "INTEGRITY",
  22: "OSE",
  23: "Plan 9",
  24: "OpenRTOS",
  25: "Trusted Firmware",
  26: "TEE",
  27: "OpenSBI",
  28: "EFI firmware",
  29: "ELF",
} as const;

/** Architectures by number. */
export const uimageArchitectures = {
  0: "invalid",
  1: "Alpha",
  2: "ARM",
  3: "x86",
  4: "IA64",
  5: "MIPS",
  6: "MIPS64",
  7: "PowerPC",
  8: "S390",
  9: "SuperH",
  10: "SPARC",
  11: "SPARC64",
  12: "M68K",
  13: "Nios",
  14: "MicroBlaze",
  15: "Nios II",
  16: "Blackfin",
  17: "AVR32",
  18: "ST200",
  19: "sandbox",
  20: "NDS32",
  21: "OpenRISC",
  22: "AArch64",
  23: "ARC",
  24: "x86_64",
  25: "Xtensa",
  26: "RISC-V",
} as const;

/** Types of image by number. */
export const uimageTypes = {
  0: "invalid",
  1: "standalone program",
  2: "kernel",
  3: "RAM disk",
  4: "several files",
  5: "firmware",
  6: "script",
  7: "file system",
  8: "flat device tree",
  9: "Kirkwood boot image",
  10: "i.MX boot image",
  11: "Davinci UBL image",
  12: "OMAP boot image",
  13: "Davinci AIS image",
  14: "kernel, run where it is loaded",
  15: "PBL boot image",
  16: "MXS boot image",
  17: "GP image",
  18: "Atmel ROM boot image",
  19: "SOCFPGA CV/AV preloader",
  20: "x86 setup.bin",
  21: "LPC32XX boot image",
  22: "loadable list",
  23: "Rockchip boot image",
  24: "Rockchip SD card",
  25: "Rockchip SPI",
  26: "Zynq boot image",
  27: "ZynqMP boot image",
  28: "ZynqMP boot image (bif)",
  29: "FPGA image",
  30: "VYBRID boot image",
  31: "Trusted Execution Environment",
  32: "firmware with IVT",
  33: "TI power management micro-controller",
  34: "STM32 image",
} as const;

/** Compressions by number. */
export const uimageCompressions = {
  0: "none",
  1: "gzip",
  2: "bzip2",
  3: "lzma",
  4: "lzo",
  5: "lz4",
  6: "zstd",
} as const;

/** "'\x05\x19V", the magic as a big-endian word. */
export const UIMAGE_MAGIC = 0x27051956;

/** struct legacy_img_hdr; all words big endian. */
export const uimageHeader = {
  name: "image_header",
  size: 64,
  fields: {
    ih_magic: { at: 0x00, type: "u32", doc: "0x27051956." },
    ih_hcrc: { at: 0x04, type: "u32", doc: "CRC-32 of this header, itself taken as 0." },
    ih_time: {
      at: 0x08,
      type: "u32",
      doc: "When it was made, in seconds since 1970.",
      show: (n: number): string => showTime(n),
    },
    ih_size: {
      at: 0x0c,
      type: "u32",
      doc: "Bytes of data.",
      show: (n: number): string => showSize(n),
    },
    ih_load: {
      at: 0x10,
      type: "u32",
      doc: "Address to load at.",
      show: (n: number): string => hex(n),
    },
    ih_ep: { at: 0x14, type: "u32", doc: "Entry point.", show: (n: number): string => hex(n) },
    ih_dcrc: { at: 0x18, type: "u32", doc: "CRC-32 of the data." },
    ih_os: { at: 0x1c, type: "u8", doc: "Operating system.", values: uimageSystems },
    ih_arch: { at: 0x1d, type: "u8", doc: "Architecture.", values: uimageArchitectures },
    ih_type: { at: 0x1e, type: "u8", doc: "Type of image.", values: uimageTypes },
    ih_comp: { at: 0x1f, type: "u8", doc: "Compression of the data.", values: uimageCompressions },
    ih_name: { at: 0x20, type: "ascii", size: 32, doc: "Name of the image." },
  },
} as const satisfies Structure;

/** Files that a multi-file image may list before we stop believing it. */
const MOST_FILES = 64;

/**
 * Describes a legacy U-Boot image and checks its two sums.
 *
 * @throws {FormatError} If the header is cut short.
 */
export function findUImage(bytes: Uint8Array, size: number): Finding {
  const header = decodeBigEndian(uimageHeader, bytes);
  const complaints: Complaint[] = [];
  const sumOf = (name: "ih_hcrc" | "ih_dcrc", sum: number, what: string) => {
    if (sum === header[name]) return `${hex(sum, 8)}, holds`;
    const message = `the CRC-32 of the ${what} is ${hex(sum, 8)}, not ${hex(header[name], 8)}`;
    const { at } = uimageHeader.fields[name];
    complaints.push({ severity: "error", offset: at, rule: `uimage.${name}`, message });
    return `wrong, should be ${hex(sum, 8)}`;
  };
  const bare = bytes.slice(0, uimageHeader.size);
  bare.fill(0, 4, 8);
  const shown: Record<string, string> = { ih_hcrc: sumOf("ih_hcrc", crc32(bare), "header") };
  const end = uimageHeader.size + header.ih_size;
  if (end > size) {
    complaints.push({
      severity: "error",
      offset: uimageHeader.fields.ih_size.at,
      rule: "uimage.truncated",
      message: `needs ${header.ih_size} bytes of data, the file ends at ${hex(size)}`,
    });
    shown.ih_dcrc = "not checked, data missing";
  } else if (end > bytes.length) {
    shown.ih_dcrc = "not checked, data not read";
  } else {
    shown.ih_dcrc = sumOf("ih_dcrc", crc32(bytes.subarray(uimageHeader.size, end)), "data");
  }
  const nameOf = (names: Readonly<Record<number, string>>, n: number) => names[n] ?? `number ${n}`;
  const arch = nameOf(uimageArchitectures, header.ih_arch);
  const isX86 = header.ih_arch === 3 || header.ih_arch === 24;
  return {
    kind: "uImage",
    title: `U-Boot legacy image "${header.ih_name}", ${nameOf(uimageSystems, header.ih_os)} ` +
      `${arch} ${nameOf(uimageTypes, header.ih_type)}, ` +
      `compression ${nameOf(uimageCompressions, header.ih_comp)}`,
    fields: [
      ...fieldsOf(uimageHeader, header).map((f) => {
        const words = shown[f.name];
        return words === undefined ? f : field(f.name, f.value, words);
      }),
      ...filesOf(bytes, header.ih_type),
    ],
    hint: isX86
      ? `cut off the first ${uimageHeader.size} bytes to have what is inside`
      : `for ${arch}: not x86`,
    complaints,
  };
}

/** A multi-file image starts with the sizes of its files and a zero. */
function filesOf(bytes: Uint8Array, type: number) {
  if (type !== 4) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = [];
  for (let i = 0; i < MOST_FILES; i++) {
    const at = uimageHeader.size + 4 * i;
    const length = at + 4 <= bytes.length ? view.getUint32(at) : 0;
    if (length === 0) break;
    fields.push(field(`file[${i}].size`, length, showSize(length)));
  }
  return fields;
}
