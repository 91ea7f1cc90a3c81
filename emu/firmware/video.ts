/**
 * Interrupt 10h: text on the screen of a VGA.
 *
 * | AH          | what it does                                                  |
 * | ----------- | ------------------------------------------------------------- |
 * | 00          | sets mode 0 or 1 (40 columns), 2 or 3 (80 columns)            |
 * | 01 02 03    | cursor: shape, place, both                                    |
 * | 05          | page                                                          |
 * | 06 07       | scrolls a window up, down                                     |
 * | 08 09 0A    | reads a character; writes it, with attribute, without         |
 * | 0E 13       | types a character; a string                                   |
 * | 0F          | mode, columns, page                                           |
 * | 10 11       | palette (video_palette.ts); fonts                             |
 * | 12 1A       | which adapter, which display                                  |
 *
 * Graphics modes and VESA's functions (4F) are not there: AX comes back as it was. Without a
 * VGA nothing is shown, but what is typed is still told to whoever listens.
 *
 * Source: Ralf Brown's interrupt list; IBM PS/2 Technical Reference.
 *
 * @module
 */

import { bda } from "./bios_data.ts";
import type { Guest } from "./guest.ts";
import { romAt, romSegment } from "./rom.ts";
import { hasVga, loadFont, setRegisters } from "./vga_setup.ts";
import { paletteService } from "./video_palette.ts";

const screen = 0xb8000;
const blank = 0x20;
const pages = 8;
/** Rows of dots on the screen. */
const lines = 400;

/** Is told of each character that is typed. */
export type Print = (character: number) => void;

/** Interrupt 10h. */
export function videoService(guest: Guest, print: Print): void {
  switch (guest.ah) {
    case 0x00:
      return setMode(guest, guest.al & 0x7f, (guest.al & 0x80) === 0);
    case 0x01:
      return setCursorShape(guest, guest.cx);
    case 0x02:
      return setCursor(guest, guest.bh, guest.dl, guest.dh);
    case 0x03: {
      const page = guest.bh % pages;
      guest.cx = guest.read(bda.cursorShape, 2);
      guest.dx = guest.read(bda.cursors + 2 * page, 2);
      return;
    }
    case 0x05:
      return setPage(guest, guest.al);
    case 0x06:
    case 0x07:
      return scrollWindow(guest);
    case 0x08:
      guest.ax = guest.read(cellAt(guest, guest.bh, ...cursor(guest, guest.bh)), 2);
      return;
    case 0x09:
    case 0x0a:
      return repeat(guest);
    case 0x0e:
      print(guest.al);
      return type(guest, guest.read(bda.page, 1), guest.al);
    case 0x0f:
      guest.ax = guest.read(bda.columns, 1) << 8 | guest.read(bda.mode, 1);
      guest.bh = guest.read(bda.page, 1);
      return;
    case 0x10:
      return paletteService(guest);
    case 0x11:
      return fontService(guest);
    case 0x12:
      return adapterService(guest);
    case 0x13:
      return typeString(guest, print);
    case 0x1a:
      if (guest.al !== 0x00 || !hasVga(guest)) return;
      guest.al = 0x1a;
      guest.bx = guest.read(bda.display, 1);
      return;
  }
}

/** Sets a text mode: registers, font, palette, a blank screen. */
export function setMode(guest: Guest, mode: number, clears: boolean): void {
  if (mode > 3) return;
  const columns = mode < 2 ? 40 : 80;
  guest.al = 0x30;
  guest.write(bda.mode, mode, 1);
  guest.write(bda.columns, columns, 2);
  guest.write(bda.pageSize, columns === 40 ? 0x800 : 0x1000, 2);
  guest.write(bda.pageStart, 0, 2);
  for (let page = 0; page < pages; page++) guest.write(bda.cursors + 2 * page, 0, 2);
  guest.write(bda.page, 0, 1);
  guest.write(bda.crtc, 0x3d4, 2);
  guest.write(bda.rows, 24, 1);
  guest.write(bda.fontHeight, 16, 2);
  // Mode control and palette of the CGA, as they were for this mode.
  guest.write(0x465, columns === 40 ? 0x28 : 0x29, 1);
  guest.write(0x466, 0x30, 1);
  if (hasVga(guest)) {
    setRegisters(guest, columns);
    loadFont(guest, romFont(guest, romAt.font16, 16), 16, 0);
    if (clears) { for (let at = 0; at < 0x8000; at += 4) guest.write(screen + at, 0x0720_0720, 4); }
  }
  setCursorShape(guest, 0x0607);
}

/** The characters of a font in ROM. */
function romFont(guest: Guest, at: number, height: number): Uint8Array {
  const font = new Uint8Array(256 * height);
  for (let i = 0; i < font.length; i++) font[i] = guest.read((romSegment << 4) + at + i, 1);
  return font;
}

/** Writes a register of the CRT controller. */
function crtc(guest: Guest, register: number, value: number): void {
  guest.bus.out(0x3d4, value << 8 | register, 2);
}

/** Programs know a character of 8 rows; on taller ones the cursor is moved to the foot. */
function setCursorShape(guest: Guest, shape: number): void {
  guest.write(bda.cursorShape, shape, 2);
  if (!hasVga(guest)) return;
  let [first, last] = [shape >> 8 & 0x3f, shape & 0x1f];
  const height = guest.read(bda.fontHeight, 1);
  const scales = (guest.read(bda.egaMemory, 1) & 1) === 0 && height > 8 && (first & 0x20) === 0;
  if (scales && first < 8 && last < 8 && first <= last) {
    const isAtFoot = last - first < 3;
    first = isAtFoot ? height - 2 - (last - first) + (last === 7 ? 0 : -1) : first * height >> 3;
    last = isAtFoot ? first + (shape & 0x1f) - (shape >> 8 & 0x1f) : (last + 1) * height / 8 - 1;
  }
  crtc(guest, 0x0a, first);
  crtc(guest, 0x0b, last);
}

/** Column and row of a page's cursor. */
function cursor(guest: Guest, page: number): [column: number, row: number] {
  const at = bda.cursors + 2 * (page % pages);
  return [guest.read(at, 1), guest.read(at + 1, 1)];
}

function setCursor(guest: Guest, page: number, column: number, row: number): void {
  guest.write(bda.cursors + 2 * (page % pages), row << 8 | column, 2);
  if (page !== guest.read(bda.page, 1) || !hasVga(guest)) return;
  const at = (guest.read(bda.pageStart, 2) >> 1) + row * guest.read(bda.columns, 2) + column;
  crtc(guest, 0x0e, at >> 8 & 0xff);
  crtc(guest, 0x0f, at & 0xff);
}

function setPage(guest: Guest, page: number): void {
  if (page >= pages || !hasVga(guest)) return;
  const start = page * guest.read(bda.pageSize, 2) & 0x7fff;
  guest.write(bda.page, page, 1);
  guest.write(bda.pageStart, start, 2);
  crtc(guest, 0x0c, start >> 9);
  crtc(guest, 0x0d, start >> 1 & 0xff);
  setCursor(guest, page, ...cursor(guest, page));
}

/** Physical address of a character: two bytes, itself and its attribute. */
function cellAt(guest: Guest, page: number, column: number, row: number): number {
  const start = page % pages * guest.read(bda.pageSize, 2);
  return screen + ((start + 2 * (row * guest.read(bda.columns, 2) + column)) & 0x7fff);
}

/** A part of the screen, its last column and row included. */
interface Window {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Moves a window's lines up by so many (negative: down); all of them by 0. */
function scroll(guest: Guest, page: number, window: Window, by: number, attribute: number): void {
  if (!hasVga(guest)) return;
  const { left, top, right, bottom } = window;
  const height = bottom - top + 1;
  const isCleared = by === 0 || Math.abs(by) >= height;
  for (let i = 0; i < height; i++) {
    const row = by > 0 ? top + i : bottom - i;
    const from = row + by;
    const isMoved = !isCleared && from >= top && from <= bottom;
    for (let column = left; column <= right; column++) {
      const cell = isMoved
        ? guest.read(cellAt(guest, page, column, from), 2)
        : attribute << 8 | blank;
      guest.write(cellAt(guest, page, column, row), cell, 2);
    }
  }
}

function scrollWindow(guest: Guest): void {
  const lastColumn = guest.read(bda.columns, 2) - 1;
  const window = {
    left: guest.cl,
    top: guest.ch,
    right: Math.min(guest.dl, lastColumn),
    bottom: Math.min(guest.dh, guest.read(bda.rows, 1)),
  };
  if (window.left > window.right || window.top > window.bottom) return;
  const by = guest.ah === 0x06 ? guest.al : -guest.al;
  scroll(guest, guest.read(bda.page, 1), window, by, guest.bh);
}

/** Writes one character CX times from the cursor on, which stays. */
function repeat(guest: Guest): void {
  if (!hasVga(guest)) return;
  const at = cellAt(guest, guest.bh, ...cursor(guest, guest.bh));
  for (let i = 0; i < guest.cx; i++) {
    const cell = screen + (at - screen + 2 * i & 0x7fff);
    guest.write(cell, guest.al, 1);
    if (guest.ah === 0x09) guest.write(cell + 1, guest.bl, 1);
  }
}

/** Types a character: the cursor moves on, and at the foot of the screen all else moves up. */
function type(guest: Guest, page: number, character: number, attribute?: number): void {
  const columns = guest.read(bda.columns, 2);
  const lastRow = guest.read(bda.rows, 1);
  let [column, row] = cursor(guest, page);
  if (character === 0x07) return;
  if (character === 0x08) column = Math.max(0, column - 1);
  else if (character === 0x0a) row++;
  else if (character === 0x0d) column = 0;
  else {
    const at = cellAt(guest, page, column, row);
    if (hasVga(guest)) {
      guest.write(at, character, 1);
      if (attribute !== undefined) guest.write(at + 1, attribute, 1);
    }
    column++;
    if (column >= columns) {
      column = 0;
      row++;
    }
  }
  if (row > lastRow) {
    const colour = guest.read(cellAt(guest, page, column, lastRow) + 1, 1);
    const all = { left: 0, top: 0, right: columns - 1, bottom: lastRow };
    scroll(guest, page, all, row - lastRow, colour);
    row = lastRow;
  }
  setCursor(guest, page, column, row);
}

/** ES:BP is the string; AL bit 0: the cursor moves along, bit 1: attributes are in the string. */
function typeString(guest: Guest, print: Print): void {
  const page = guest.bh;
  const before = cursor(guest, page);
  const hasAttributes = (guest.al & 2) !== 0;
  setCursor(guest, page, guest.dl, guest.dh);
  let at = guest.bp;
  for (let i = 0; i < guest.cx; i++) {
    const character = guest.read(guest.es(at++), 1);
    const attribute = hasAttributes ? guest.read(guest.es(at++), 1) : guest.bl;
    print(character);
    type(guest, page, character, attribute);
  }
  if ((guest.al & 1) === 0) setCursor(guest, page, ...before);
}

/** AH=11: loads a font (and fits the lines to it, from 10 on), or says where fonts are. */
function fontService(guest: Guest): void {
  if (!hasVga(guest)) return;
  const { al } = guest;
  if (al === 0x30) return fontInformation(guest);
  const fits = (al & 0xf0) === 0x10;
  const which = al & 0x0f;
  const rom: Readonly<Record<number, readonly [number, number]>> = {
    1: [romAt.font14, 14],
    2: [romAt.font8, 8],
    4: [romAt.font16, 16],
  };
  const own = rom[which];
  let height: number;
  if (own !== undefined) {
    height = own[1];
    loadFont(guest, romFont(guest, ...own), height, 0);
  } else if (which === 0) {
    // The caller's: CX characters of BH rows from DX on, at ES:BP.
    height = guest.bh;
    if (height === 0 || height > 32) return;
    const font = new Uint8Array(Math.min(guest.cx, 256 - (guest.dx & 0xff)) * height);
    for (let i = 0; i < font.length; i++) font[i] = guest.read(guest.es(guest.bp + i), 1);
    loadFont(guest, font, height, guest.dx & 0xff);
  } else {
    return;
  }
  if (fits) fitLines(guest, height);
}

/** As many lines as characters of this height leave room for. */
function fitLines(guest: Guest, height: number): void {
  const rows = Math.floor(lines / height);
  guest.out(0x3d4, 0x09);
  crtc(guest, 0x09, guest.in(0x3d5) & 0xe0 | height - 1);
  // The last line of dots; bits 8 and 9 of it are in the overflow register.
  const last = rows * height - 1;
  guest.out(0x3d4, 0x07);
  const overflow = guest.in(0x3d5) & ~0x42 | last >> 7 & 0x02 | last >> 3 & 0x40;
  guest.out(0x3d4, 0x11);
  const guard = guest.in(0x3d5);
  crtc(guest, 0x11, guard & 0x7f);
  crtc(guest, 0x07, overflow);
  crtc(guest, 0x11, guard);
  crtc(guest, 0x12, last & 0xff);
  guest.write(bda.rows, rows - 1, 1);
  guest.write(bda.fontHeight, height, 2);
  const size = rows * guest.read(bda.columns, 2) * 2;
  guest.write(bda.pageSize, size + 0xff & ~0xff, 2);
  setCursorShape(guest, 0x0607);
}

function fontInformation(guest: Guest): void {
  // By BH: vectors 1fh and 43h, then the fonts in ROM: 14, 8, upper half of 8, 14, 16, 16.
  const places = [
    undefined,
    undefined,
    romAt.font14,
    romAt.font8,
    romAt.font8 + 8 * 128,
    romAt.font14,
    romAt.font16,
    romAt.font16,
  ];
  if (guest.bh >= places.length) return;
  const place = places[guest.bh];
  if (place === undefined) {
    const vector = 4 * (guest.bh === 0 ? 0x1f : 0x43);
    guest.bp = guest.read(vector, 2);
    guest.setEs(guest.read(vector + 2, 2));
  } else {
    guest.bp = place;
    guest.setEs(romSegment);
  }
  guest.cx = guest.read(bda.fontHeight, 2);
  guest.dl = guest.read(bda.rows, 1);
}

/** AH=12: BL=10 asks for the adapter; the others set what is set already. */
function adapterService(guest: Guest): void {
  if (!hasVga(guest)) return;
  switch (guest.bl) {
    case 0x10: // colour, 256 KiB; feature bits, switches
      guest.bx = 0x0003;
      guest.cx = guest.read(bda.egaSwitches, 1) & 15;
      break;
    case 0x30: // lines of dots: there are 400
    case 0x31: // palette loading
    case 0x32: // access
    case 0x33: // grey scale
    case 0x36: // refresh
      guest.al = 0x12;
      break;
    case 0x34: { // cursor shapes as they are given, or fitted to the font
      const flags = guest.read(bda.egaMemory, 1);
      guest.write(bda.egaMemory, flags & ~1 | guest.al & 1, 1);
      guest.al = 0x12;
      break;
    }
  }
}
