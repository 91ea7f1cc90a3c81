/**
 * Interrupt 10h, function 10: colours.
 *
 * @module
 */

import type { Guest } from "./guest.ts";
import { hasVga } from "./vga_setup.ts";

/** Writes an attribute register, and lets the picture go on. */
function setAttribute(guest: Guest, register: number, value: number): void {
  guest.in(0x3da);
  guest.out(0x3c0, register & 0x1f, value, 0x20);
}

function attribute(guest: Guest, register: number): number {
  guest.in(0x3da);
  guest.out(0x3c0, register & 0x1f);
  const value = guest.in(0x3c1);
  guest.in(0x3da);
  guest.out(0x3c0, 0x20);
  return value;
}

/** Function 10 of interrupt 10h. */
export function paletteService(guest: Guest): void {
  if (!hasVga(guest)) return;
  const border = 0x11;
  const table = (offset: number) => guest.es(guest.dx + offset);
  switch (guest.al) {
    case 0x00:
      return setAttribute(guest, guest.bl, guest.bh);
    case 0x01:
      return setAttribute(guest, border, guest.bh);
    case 0x02: // sixteen colours and the border, at ES:DX
      for (let i = 0; i < 16; i++) setAttribute(guest, i, guest.read(table(i), 1));
      return setAttribute(guest, border, guest.read(table(16), 1));
    case 0x03: // bit 7 of an attribute: a bright background, or blinking
      return setAttribute(guest, 0x10, attribute(guest, 0x10) & ~8 | (guest.bl & 1) << 3);
    case 0x07:
      guest.bh = attribute(guest, guest.bl);
      return;
    case 0x08:
      guest.bh = attribute(guest, border);
      return;
    case 0x09:
      for (let i = 0; i < 16; i++) guest.write(table(i), attribute(guest, i), 1);
      guest.write(table(16), attribute(guest, border), 1);
      return;
    case 0x10:
      guest.out(0x3c8, guest.bl);
      guest.out(0x3c9, guest.dh, guest.ch, guest.cl);
      return;
    case 0x12: // CX colours from BX on, at ES:DX
      guest.out(0x3c8, guest.bl);
      for (let i = 0; i < 3 * guest.cx; i++) guest.out(0x3c9, guest.read(table(i), 1));
      return;
    case 0x15:
      guest.out(0x3c7, guest.bl);
      guest.dh = guest.in(0x3c9);
      guest.ch = guest.in(0x3c9);
      guest.cl = guest.in(0x3c9);
      return;
    case 0x17:
      guest.out(0x3c7, guest.bl);
      for (let i = 0; i < 3 * guest.cx; i++) guest.write(table(i), guest.in(0x3c9), 1);
      return;
    case 0x18:
      guest.out(0x3c6, guest.bl);
      return;
    case 0x19:
      guest.bl = guest.in(0x3c6);
      return;
  }
}
