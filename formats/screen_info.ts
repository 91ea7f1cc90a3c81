/**
 * screen_info: what the loader or the setup code found out about the screen.
 *
 * The first 64 bytes of the zero page. Text modes are described by cursor,
 * columns and lines, graphics by a linear frame buffer; `orig_video_isVGA` tells
 * which. Two words in it belong to the command line of protocols before 2.02.
 *
 * Source: include/uapi/linux/screen_info.h.
 *
 * @module
 */

import { hex } from "./errors.ts";
import type { Structure } from "./layout.ts";

/** Kinds of screen, the values of `orig_video_isVGA`. */
export const videoTypes = {
  0x00: "none, or CGA by its mode",
  0x01: "VGA text",
  0x10: "VIDEO_TYPE_MDA (monochrome text)",
  0x11: "VIDEO_TYPE_CGA",
  0x20: "VIDEO_TYPE_EGAM (EGA, monochrome)",
  0x21: "VIDEO_TYPE_EGAC (EGA, colour)",
  0x22: "VIDEO_TYPE_VGAC (VGA+, colour)",
  0x23: "VIDEO_TYPE_VLFB (VESA linear frame buffer)",
  0x70: "VIDEO_TYPE_EFI (EFI frame buffer)",
} as const;

/** The magic that says "`cl_offset` holds the command line's place". */
export const OLD_CL_MAGIC = 0xa33f;

/** struct screen_info, 64 bytes. */
export const screenInfo = {
  name: "screen_info",
  size: 64,
  fields: {
    orig_x: { at: 0x00, type: "u8", doc: "Cursor column." },
    orig_y: { at: 0x01, type: "u8", doc: "Cursor row." },
    ext_mem_k: {
      at: 0x02,
      type: "u16",
      doc:
        "Memory above 1 MiB in KiB, as int 15h AH=88h tells; used where nothing better is known.",
      show: (n: number): string => `${n} KiB above 1 MiB`,
    },
    orig_video_page: { at: 0x04, type: "u16", doc: "Display page in use." },
    orig_video_mode: {
      at: 0x06,
      type: "u8",
      doc: "BIOS video mode.",
      show: (n: number): string => hex(n, 2),
    },
    orig_video_cols: { at: 0x07, type: "u8", doc: "Columns of text." },
    flags: {
      at: 0x08,
      type: "u8",
      doc: "Flags of the text screen; low byte of unused2 up to 2.6.37.",
      bits: { 0: "VIDEO_FLAGS_NOCURSOR" },
    },
    unused2: { at: 0x09, type: "pad", size: 1, doc: "Unused." },
    orig_video_ega_bx: {
      at: 0x0a,
      type: "u16",
      doc: "BX as int 10h AX=1200h BL=10h left it: memory of the EGA card; 0x10 in BL is no EGA.",
      show: (n: number): string => hex(n, 4),
    },
    unused3: { at: 0x0c, type: "pad", size: 2, doc: "Unused." },
    orig_video_lines: { at: 0x0e, type: "u8", doc: "Lines of text." },
    orig_video_isVGA: {
      at: 0x0f,
      type: "u8",
      doc: "What kind of screen it is; decides which of the other fields count.",
      values: videoTypes,
    },
    orig_video_points: { at: 0x10, type: "u16", doc: "Height of a character in scan lines." },
    lfb_width: { at: 0x12, type: "u16", doc: "Width of the frame buffer in pixels." },
    lfb_height: { at: 0x14, type: "u16", doc: "Height of the frame buffer in pixels." },
    lfb_depth: { at: 0x16, type: "u16", doc: "Bits of a pixel." },
    lfb_base: {
      at: 0x18,
      type: "u32",
      doc: "Physical address of the frame buffer; its upper half is in ext_lfb_base.",
    },
    lfb_size: {
      at: 0x1c,
      type: "u32",
      doc: "Size of the frame buffer: in units of 64 KiB for VIDEO_TYPE_VLFB, else in bytes.",
    },
    cl_magic: {
      at: 0x20,
      type: "u16",
      doc: "0xa33f where the command line is passed as before protocol 2.02.",
      show: (n: number): string => n === OLD_CL_MAGIC ? "old command line" : hex(n, 4),
    },
    cl_offset: {
      at: 0x22,
      type: "u16",
      doc: "With cl_magic: where the command line is, from the start of the real-mode segment.",
      show: (n: number): string => hex(n, 4),
    },
    lfb_linelength: { at: 0x24, type: "u16", doc: "Bytes from one line of pixels to the next." },
    red_size: { at: 0x26, type: "u8", doc: "Bits of red in a pixel." },
    red_pos: { at: 0x27, type: "u8", doc: "Lowest bit of red in a pixel." },
    green_size: { at: 0x28, type: "u8", doc: "Bits of green in a pixel." },
    green_pos: { at: 0x29, type: "u8", doc: "Lowest bit of green in a pixel." },
    blue_size: { at: 0x2a, type: "u8", doc: "Bits of blue in a pixel." },
    blue_pos: { at: 0x2b, type: "u8", doc: "Lowest bit of blue in a pixel." },
    rsvd_size: { at: 0x2c, type: "u8", doc: "Bits in a pixel that have no colour." },
    rsvd_pos: { at: 0x2d, type: "u8", doc: "Lowest of the bits without colour." },
    vesapm_seg: { at: 0x2e, type: "u16", doc: "Segment of the VESA protected-mode interface." },
    vesapm_off: { at: 0x30, type: "u16", doc: "Offset of the VESA protected-mode interface." },
    pages: { at: 0x32, type: "u16", doc: "Display pages of the VESA mode." },
    vesa_attributes: { at: 0x34, type: "u16", doc: "Attributes of the VESA mode." },
    capabilities: {
      at: 0x36,
      type: "u32",
      doc: "What the frame buffer's description goes on to say.",
      bits: { 0: "VIDEO_CAPABILITY_SKIP_QUIRKS", 1: "VIDEO_CAPABILITY_64BIT_BASE" },
    },
    ext_lfb_base: {
      at: 0x3a,
      type: "u32",
      doc: "Upper half of lfb_base; counts if VIDEO_CAPABILITY_64BIT_BASE is set. Since 4.2.",
    },
    _reserved: { at: 0x3e, type: "pad", size: 2, doc: "Reserved." },
  },
} as const satisfies Structure;
