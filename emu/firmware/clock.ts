/**
 * Interrupt 8, the tick, and interrupt 1Ah: ticks, time and date, and PCI.
 *
 * Source: Ralf Brown's interrupt list; PCI BIOS Specification 2.1.
 *
 * @module
 */

import { bda } from "./bios_data.ts";
import type { Guest } from "./guest.ts";

/** Ticks of a day: 24 hours of 65,536, and 176 more. */
const ticksADay = 0x1800b0;

/** Interrupt 8. */
export function tick(guest: Guest): void {
  const ticks = guest.read(bda.ticks, 4) + 1;
  guest.write(bda.ticks, ticks >= ticksADay ? 0 : ticks, 4);
  if (ticks >= ticksADay) guest.write(bda.midnight, 1, 1);
}

/** Ticks since midnight, by the real-time clock. */
export function ticksNow(guest: Guest): number {
  const number = (register: number) => {
    const digits = cmos(guest, register);
    return (digits >> 4) * 10 + (digits & 15);
  };
  const seconds = (number(4) * 60 + number(2)) * 60 + number(0);
  return Math.floor(seconds * 1_193_182 / 65_536) % ticksADay;
}

/** A byte of the real-time clock. */
function cmos(guest: Guest, register: number): number {
  guest.out(0x70, register);
  return guest.in(0x71);
}

/** Interrupt 1Ah. */
export function clockService(guest: Guest): void {
  const set = (register: number, value: number) => {
    guest.out(0x70, register);
    guest.out(0x71, value);
  };
  guest.carry = false;
  switch (guest.ah) {
    case 0x00:
      guest.cx = guest.read(bda.ticks + 2, 2);
      guest.dx = guest.read(bda.ticks, 2);
      guest.al = guest.read(bda.midnight, 1);
      guest.write(bda.midnight, 0, 1);
      return;
    case 0x01:
      guest.write(bda.ticks, guest.dx, 2);
      guest.write(bda.ticks + 2, guest.cx, 2);
      guest.write(bda.midnight, 0, 1);
      return;
  }
  // No clock answers.
  const hasClock = (cmos(guest, 0x0d) & 0x80) !== 0 && cmos(guest, 0x0a) !== 0xff;
  if (guest.ah < 0xb1 && !hasClock) {
    guest.carry = true;
    return;
  }
  const wanted = guest.ah;
  if (wanted >= 0x02 && wanted <= 0x05) guest.ah = 0;
  switch (wanted) {
    case 0x02:
      guest.cx = cmos(guest, 4) << 8 | cmos(guest, 2);
      guest.dx = cmos(guest, 0) << 8 | cmos(guest, 0x0b) & 1;
      break;
    case 0x03:
      set(4, guest.ch);
      set(2, guest.cl);
      set(0, guest.dh);
      break;
    case 0x04:
      guest.cx = cmos(guest, 0x32) << 8 | cmos(guest, 9);
      guest.dx = cmos(guest, 8) << 8 | cmos(guest, 7);
      break;
    case 0x05:
      set(0x32, guest.ch);
      set(9, guest.cl);
      set(8, guest.dh);
      set(7, guest.dl);
      break;
    case 0xb1:
      pciService(guest);
      break;
    default:
      guest.carry = true;
  }
}

/** PCI's results, in AH. */
const pciResult = { unknown: 0x81, badVendor: 0x83, notFound: 0x86, badRegister: 0x87 } as const;

/** A register of a function's configuration space. */
function selectPci(guest: Guest, location: number, register: number): void {
  guest.bus.out(0xcf8, 0x8000_0000 | location << 8 | register & 0xfc, 4);
}

function readPci(guest: Guest, location: number, register: number): number {
  selectPci(guest, location, register);
  return guest.bus.in(0xcfc, 4);
}

function pciService(guest: Guest): void {
  const fail = (code: number) => {
    guest.carry = true;
    guest.ah = code;
  };
  selectPci(guest, 0, 0);
  if (guest.bus.in(0xcf8, 4) !== 0x8000_0000) return fail(pciResult.unknown);
  const { al: wanted, bx: location, di: register } = guest;
  guest.ah = 0;
  if (wanted === 0x01) {
    // "PCI ", version 2.10, mechanism 1, one bus.
    guest.edx = 0x2049_4350;
    guest.ax = 0x0001;
    guest.bx = 0x0210;
    guest.cl = 0;
  } else if (wanted === 0x02) {
    if (guest.dx === 0xffff) return fail(pciResult.badVendor);
    const found = findPci(guest, guest.si, 0x00, (guest.cx << 16 | guest.dx) >>> 0, 0);
    if (found === undefined) return fail(pciResult.notFound);
    guest.bx = found;
  } else if (wanted === 0x03) {
    const found = findPci(guest, guest.si, 0x08, guest.ecx << 8 >>> 0, 8);
    if (found === undefined) return fail(pciResult.notFound);
    guest.bx = found;
  } else if (wanted >= 0x08 && wanted <= 0x0d) {
    const width = [1, 2, 4][(wanted - 8) % 3] ?? 1;
    if (register > 0xff || register % width !== 0) return fail(pciResult.badRegister);
    selectPci(guest, location, register);
    const port = 0xcfc + (register & 3);
    if (wanted < 0x0b) {
      const value = guest.bus.in(port, width as 1 | 2 | 4);
      if (width === 1) guest.cl = value;
      else if (width === 2) guest.cx = value;
      else guest.ecx = value;
    } else {
      guest.bus.out(port, width === 1 ? guest.cl : width === 2 ? guest.cx : guest.ecx, width as 4);
    }
  } else {
    fail(pciResult.unknown);
  }
}

/** The `index`th function whose register, less its lowest bits, has a value. */
function findPci(
  guest: Guest,
  index: number,
  register: number,
  value: number,
  ignored: number,
): number | undefined {
  let left = index;
  for (let location = 0; location < 256; location++) {
    const isFirst = (location & 7) === 0;
    const isMultiple = isFirst || (readPci(guest, location & ~7, 0x0c) & 0x80_0000) !== 0;
    if (!isMultiple || readPci(guest, location, 0x00) === 0xffff_ffff) continue;
    if (readPci(guest, location, register) >>> ignored !== value >>> ignored) continue;
    if (left-- === 0) return location;
  }
  return undefined;
}
