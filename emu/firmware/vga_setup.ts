/**
 * How the BIOS sets up a VGA: registers of a text mode, fonts into plane 2.
 *
 * @module
 */

import { mode3 } from "../dev/vga_modes.ts";
import type { Guest } from "./guest.ts";

/** Whether somebody answers where a VGA would. */
export function hasVga(guest: Guest): boolean {
  return guest.in(0x3cc) !== 0xff;
}

/** Registers of the CRT controller that differ for lines of 40 characters. */
const narrow: Readonly<Record<number, number>> = {
  ...{ 0x00: 0x2d, 0x01: 0x27, 0x02: 0x28, 0x03: 0x90, 0x04: 0x2b, 0x05: 0xa0, 0x13: 0x14 },
};

/** All registers, for lines of 80 or 40 characters, and the palette. */
export function setRegisters(guest: Guest, columns: 40 | 80): void {
  const indexed = (port: number, index: number, value: number) =>
    guest.bus.out(port, value << 8 | index, 2);
  guest.out(0x3c2, mode3.misc);
  mode3.sequencer.forEach((value, i) => indexed(0x3c4, i, i === 1 && columns === 40 ? 8 : value));
  // Registers 0 to 7 are protected by 11h.
  indexed(0x3d4, 0x11, 0x0e);
  mode3.crtc.forEach((value, i) => indexed(0x3d4, i, columns === 40 ? narrow[i] ?? value : value));
  mode3.graphics.forEach((value, i) => indexed(0x3ce, i, value));
  // Reading the status makes the next byte an index.
  guest.in(0x3da);
  mode3.attributes.forEach((value, i) => guest.out(0x3c0, i, value));
  guest.out(0x3c0, 0x20);
  guest.out(0x3c6, 0xff);
  guest.out(0x3c8, 0);
  guest.out(0x3c9, ...mode3.dac());
}

/** Puts characters into plane 2, `height` bytes each, from a code on. */
export function loadFont(guest: Guest, font: Uint8Array, height: number, first: number): void {
  const set = (port: number, pairs: readonly (readonly [number, number])[]) => {
    for (const [index, value] of pairs) guest.bus.out(port, value << 8 | index, 2);
  };
  // Plane 2 alone, each address a byte of it, at a0000.
  set(0x3c4, [[2, 0x04], [4, 0x06]]);
  set(0x3ce, [[4, 0x02], [5, 0x00], [6, 0x04]]);
  for (let i = 0; i < font.length; i++) {
    const at = 32 * (first + Math.floor(i / height)) + i % height;
    guest.bus.write(0xa0000 + (at & 0x1fff), font[i] ?? 0, 1);
  }
  set(0x3c4, [[2, 0x03], [4, 0x02]]);
  set(0x3ce, [[4, 0x00], [5, 0x10], [6, 0x0e]]);
}
