/**
 * Linux kernels for other machines: arm64 and RISC-V `Image`, 32-bit ARM
 * `zImage`, and the EFI zboot wrapper that several of them come in.
 *
 * Source: Documentation/arch/arm64/booting.rst,
 * Documentation/arch/riscv/boot-image-header.rst, arch/arm/boot/compressed/head.S,
 * drivers/firmware/efi/libstub/zboot-header.S.
 *
 * @module
 */

import { hex } from "../errors.ts";
import { decode, type Structure } from "../layout.ts";
import { field, fieldsOf, type Finding, hexOf, showSize } from "./finding.ts";

const size = (n: number | bigint): string => showSize(n);
const address = (n: number | bigint): string => hex(n);

const pageSizes = ["not said", "4K", "16K", "64K"] as const;

function showArm64Flags(flags: bigint): string {
  const order = flags & 1n ? "big endian" : "little endian";
  const pages = pageSizes[Number(flags >> 1n & 3n)] ?? "";
  const place = flags & 8n ? "anywhere in memory" : "near the base of memory";
  return `${order}, pages ${pages}, to be loaded ${place}`;
}

/** The header of an arm64 Image. */
export const arm64Image = {
  name: "arm64_image_header",
  size: 64,
  fields: {
    code0: { at: 0x00, type: "u32", doc: 'Code; "MZ" where the image is a PE file too.' },
    code1: { at: 0x04, type: "u32", doc: "Code: the jump over the header." },
    text_offset: {
      at: 0x08,
      type: "u64",
      doc: "Where to load, from a 2 MiB boundary.",
      show: address,
    },
    image_size: { at: 0x10, type: "u64", doc: "Memory it needs in bytes.", show: size },
    flags: {
      at: 0x18,
      type: "u64",
      doc: "Byte order, page size, placement.",
      show: (n: bigint): string => showArm64Flags(n),
    },
    res2: { at: 0x20, type: "pad", size: 24, doc: "Reserved." },
    magic: { at: 0x38, type: "ascii", size: 4, doc: '"ARM\\x64".' },
    pe_offset: { at: 0x3c, type: "u32", doc: "Where the PE header is; 0 none." },
  },
} as const satisfies Structure;

/** The header of a RISC-V Image. */
export const riscvImage = {
  name: "riscv_image_header",
  size: 64,
  fields: {
    code0: { at: 0x00, type: "u32", doc: 'Code; "MZ" where the image is a PE file too.' },
    code1: { at: 0x04, type: "u32", doc: "Code: the jump over the header." },
    text_offset: {
      at: 0x08,
      type: "u64",
      doc: "Where to load, from the start of memory.",
      show: address,
    },
    image_size: { at: 0x10, type: "u64", doc: "Memory it needs in bytes.", show: size },
    flags: {
      at: 0x18,
      type: "u64",
      doc: "Bit 0: byte order.",
      show: (n: bigint): string => n & 1n ? "big endian" : "little endian",
    },
    version: {
      at: 0x20,
      type: "u32",
      doc: "Version of this header, major in the high half.",
      show: (n: number): string => `${n >>> 16}.${n & 0xffff}`,
    },
    res1: { at: 0x24, type: "pad", size: 12, doc: "Reserved." },
    magic: { at: 0x30, type: "ascii", size: 8, doc: '"RISCV", deprecated.' },
    magic2: { at: 0x38, type: "ascii", size: 4, doc: '"RSC\\x05".' },
    pe_offset: { at: 0x3c, type: "u32", doc: "Where the PE header is; 0 none." },
  },
} as const satisfies Structure;

/** The words at 0x24 of a 32-bit ARM zImage. */
export const armZImage = {
  name: "arm_zimage_header",
  base: 0x24,
  size: 16,
  fields: {
    magic: { at: 0x24, type: "u32", doc: "0x016f2818." },
    start: { at: 0x28, type: "u32", doc: "Address it was linked to, most often 0.", show: address },
    end: { at: 0x2c, type: "u32", doc: "Address of its end.", show: address },
    endianness: {
      at: 0x30,
      type: "u32",
      doc: "Byte order of the kernel.",
      values: { 0x04030201: "little endian", 0x01020304: "big endian" },
    },
  },
} as const satisfies Structure;

/** The header of an EFI zboot image. */
export const zbootHeader = {
  name: "linux_efi_zboot_header",
  size: 64,
  fields: {
    mz_magic: { at: 0x00, type: "u32", doc: '"MZ".' },
    image_type: { at: 0x04, type: "ascii", size: 4, doc: '"zimg".' },
    payload_offset: { at: 0x08, type: "u32", doc: "File offset of the payload.", show: address },
    payload_size: { at: 0x0c, type: "u32", doc: "Bytes of the payload.", show: size },
    reserved: { at: 0x10, type: "pad", size: 8, doc: "Reserved." },
    comp_type: { at: 0x18, type: "ascii", size: 32, doc: "How the payload is compressed." },
    linux_pe_magic: { at: 0x38, type: "u32", doc: "0x818223cd in EFI images of Linux." },
    pe_header_offset: { at: 0x3c, type: "u32", doc: "Where the PE header is." },
  },
} as const satisfies Structure;

/** Describes an arm64 Image. */
export function findArm64(bytes: Uint8Array): Finding {
  const header = decode(arm64Image, bytes);
  const efi = header.pe_offset !== 0 && (header.code0 & 0xffff) === 0x5a4d;
  return {
    kind: "arm64 Image",
    title: `Linux kernel Image for arm64, ${showArm64Flags(header.flags)}` +
      `${efi ? ", with EFI stub" : ""}`,
    fields: fieldsOf(arm64Image, header),
    hint: "a kernel for arm64: not x86",
  };
}

/** Describes a RISC-V Image. */
export function findRiscv(bytes: Uint8Array): Finding {
  const header = decode(riscvImage, bytes);
  const efi = header.pe_offset !== 0 && (header.code0 & 0xffff) === 0x5a4d;
  return {
    kind: "RISC-V Image",
    title:
      `Linux kernel Image for RISC-V, header ${riscvImage.fields.version.show(header.version)}` +
      `${efi ? ", with EFI stub" : ""}`,
    fields: fieldsOf(riscvImage, header),
    hint: "a kernel for RISC-V: not x86",
  };
}

/** Describes a zImage for 32-bit ARM. */
export function findArmZImage(bytes: Uint8Array): Finding {
  const header = decode(armZImage, bytes, { at: 0x24 });
  return {
    kind: "ARM zImage",
    title: "Linux kernel zImage for 32-bit ARM",
    fields: fieldsOf(armZImage, header),
    hint: "a kernel for ARM: not x86",
  };
}

/** Describes an EFI zboot image and checks that its payload is in the file. */
export function findZboot(bytes: Uint8Array, fileSize: number): Finding {
  const header = decode(zbootHeader, bytes);
  const end = header.payload_offset + header.payload_size;
  const first = bytes.subarray(header.payload_offset, Math.min(end, header.payload_offset + 8));
  return {
    kind: "EFI zboot",
    title: `Linux kernel in an EFI zboot wrapper, ${header.comp_type || "uncompressed"}, ` +
      `${showSize(header.payload_size)} at ${hex(header.payload_offset)}`,
    fields: [
      ...fieldsOf(zbootHeader, header),
      ...(first.length > 0 ? [field("payload", hexOf(first), "its first bytes")] : []),
    ],
    hint: "the Image of arm64, RISC-V or LoongArch is within, compressed: not x86",
    complaints: end <= fileSize ? [] : [{
      severity: "error",
      offset: zbootHeader.fields.payload_size.at,
      rule: "zboot.truncated",
      message: `the payload ends at ${hex(end)}, the file at ${hex(fileSize)}`,
    }],
  };
}
