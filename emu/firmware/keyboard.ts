/**
 * Interrupt 9, which makes keys of scan codes, and interrupt 16h, which hands them out.
 *
 * A key is a word: scan code above, character below (0 where there is none). They wait in a
 * ring of 16 in the BIOS data area.
 *
 * Source: IBM PC/AT and PS/2 Technical References, keyboard encoding and usage.
 *
 * @module
 */

import { printed } from "../dev/scancodes.ts";
import { bda } from "./bios_data.ts";
import type { Guest } from "./guest.ts";

/** Keys that shift others: their code in set 1 and their bit in {@link bda.shifts}. */
const shiftKeys: Readonly<Record<number, number>> = {
  0x36: 0x01,
  0x2a: 0x02,
  0x1d: 0x04,
  0x38: 0x08,
};
/** Keys that lock: their code and bit. */
const lockKeys: Readonly<Record<number, number>> = { 0x46: 0x10, 0x45: 0x20, 0x3a: 0x40 };

/** Characters of the keypad's digits and signs from 47h on. */
const keypad = "789-456+1230.";
/** What they become with Ctrl: scan codes; 0 for nothing. */
const keypadCtrl = [0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74, 0x90, 0x75, 0x91, 0x76, 0x92, 0x93];
/** Signs that Ctrl makes a character of, beside letters. */
const controlSigns: Readonly<Record<string, number>> = {
  ...{ "2": 0x00, "6": 0x1e, "-": 0x1f, "[": 0x1b, "\\": 0x1c, "]": 0x1d },
};
/** Keys with characters of their own: alone, with Shift, Ctrl and Alt; -1 for nothing. */
const special: Readonly<Record<number, readonly [number, number, number, number]>> = {
  0x01: [0x011b, 0x011b, 0x011b, 0x0100],
  0x0e: [0x0e08, 0x0e08, 0x0e7f, 0x0e00],
  0x0f: [0x0f09, 0x0f00, 0x9400, 0xa500],
  0x1c: [0x1c0d, 0x1c0d, 0x1c0a, 0x1c00],
  0x37: [0x372a, 0x372a, 0x9600, 0x3700],
  0x39: [0x3920, 0x3920, 0x3920, 0x3920],
  0x57: [0x8500, 0x8700, 0x8900, 0x8b00],
  0x58: [0x8600, 0x8800, 0x8a00, 0x8c00],
};

/** Interrupt 9: a byte has come from the keyboard. */
export function keyInterrupt(guest: Guest): void {
  const code = guest.in(0x60);
  take(guest, code);
  guest.out(0x20, 0x20);
}

function take(guest: Guest, code: number): void {
  const prefix = guest.read(bda.keyboard, 1);
  if (code === 0xe0 || code === 0xe1) {
    guest.write(bda.keyboard, prefix & ~3 | (code === 0xe0 ? 2 : 1), 1);
    return;
  }
  const isExtended = (prefix & 2) !== 0;
  // Pause sends e1 1d 45: its second code ends the prefix, and neither is a key.
  if ((prefix & 1) !== 0) {
    if ((code & 0x7f) === 0x45) guest.write(bda.keyboard, prefix & ~3, 1);
    return;
  }
  guest.write(bda.keyboard, prefix & ~3, 1);
  // Answers of the keyboard, not keys.
  if (code >= 0xfa || code === 0xee || code === 0x00) return;
  const key = code & 0x7f;
  const isRelease = (code & 0x80) !== 0;
  const shift = shiftKeys[key];
  // An extended Shift is part of another key's sequence.
  if (shift !== undefined && !(isExtended && shift < 4)) {
    setShift(guest, shift, isRelease);
    return;
  }
  const lock = isExtended ? undefined : lockKeys[key];
  if (lock !== undefined) {
    const down = guest.read(bda.shiftsDown, 1);
    guest.write(bda.shiftsDown, isRelease ? down & ~lock : down | lock, 1);
    if (!isRelease && (down & lock) === 0) {
      guest.write(bda.shifts, guest.read(bda.shifts, 1) ^ lock, 1);
    }
    return;
  }
  if (isRelease) return;
  const shifts = guest.read(bda.shifts, 1);
  if ((shifts & 0x0c) === 0x0c && key === 0x53) {
    guest.write(bda.resetFlag, 0x1234, 2);
    guest.out(0x64, 0xfe);
    return;
  }
  if ((shifts & 0x08) !== 0 && !isExtended && typesNumber(guest, key)) return;
  const word = keyWord(key, shifts, isExtended);
  if (word !== undefined) store(guest, word);
}

function setShift(guest: Guest, bit: number, isRelease: boolean): void {
  const shifts = guest.read(bda.shifts, 1);
  guest.write(bda.shifts, isRelease ? shifts & ~bit : shifts | bit, 1);
  if (bit !== 0x08 || !isRelease) return;
  // Alt was let go: the number typed with it is a character.
  const typed = guest.read(bda.altNumber, 1);
  guest.write(bda.altNumber, 0, 1);
  if (typed !== 0) store(guest, typed);
}

/** Digits on the keypad while Alt is down. */
function typesNumber(guest: Guest, key: number): boolean {
  const digit = key >= 0x47 && key <= 0x52 ? "0123456789".indexOf(keypad[key - 0x47] ?? "") : -1;
  if (digit < 0) return false;
  guest.write(bda.altNumber, guest.read(bda.altNumber, 1) * 10 + digit & 0xff, 1);
  return true;
}

/** What a key is with these shifts; undefined if nothing. */
export function keyWord(key: number, shifts: number, isExtended: boolean): number | undefined {
  const isShift = (shifts & 0x03) !== 0;
  const isCtrl = (shifts & 0x04) !== 0;
  const isAlt = (shifts & 0x08) !== 0;
  const state = isAlt ? 3 : isCtrl ? 2 : isShift ? 1 : 0;
  if (key >= 0x47 && key <= 0x53) return padKey(key, shifts, isExtended);
  if (key === 0x35 && isExtended) return [0xe02f, 0xe02f, 0x9500, 0xa400][state];
  if (key === 0x1c && isExtended) return [0xe00d, 0xe00d, 0xe00a, 0xa600][state];
  // Ten function keys; with Shift, Ctrl and Alt they are others.
  if (key >= 0x3b && key <= 0x44) return (key + ([0, 0x19, 0x23, 0x2d][state] ?? 0)) << 8;
  const own = special[key];
  if (own !== undefined) return own[state as 0];
  const signs = printed(key);
  if (signs === undefined) return undefined;
  const [plain, shifted] = signs;
  if (isAlt) return key <= 0x0d ? (key + 0x76) << 8 : key << 8;
  const isLetter = plain >= "a" && plain <= "z";
  if (isCtrl) {
    if (isLetter) return key << 8 | plain.charCodeAt(0) & 0x1f;
    const control = controlSigns[plain];
    return control === undefined ? undefined : key << 8 | control;
  }
  const isUpper = isShift !== (isLetter && (shifts & 0x40) !== 0);
  return key << 8 | (isUpper ? shifted : plain).charCodeAt(0);
}

/** A key of the keypad, or one of the grey keys that share its codes. */
function padKey(key: number, shifts: number, isExtended: boolean): number | undefined {
  const sign = keypad[key - 0x47] ?? "";
  const isSign = sign === "-" || sign === "+";
  if ((shifts & 0x08) !== 0) return isSign ? key << 8 : isExtended ? (key + 0x50) << 8 : undefined;
  if ((shifts & 0x04) !== 0) return (keypadCtrl[key - 0x47] ?? 0) << 8 | (isExtended ? 0xe0 : 0);
  if (isExtended) return key << 8 | 0xe0;
  const isNumber = ((shifts & 0x03) !== 0) !== ((shifts & 0x20) !== 0);
  if (isSign || isNumber) return key << 8 | sign.charCodeAt(0);
  // The 5 in the middle is no arrow.
  return key << 8;
}

/** Puts a key into the ring; false if it is full. */
function store(guest: Guest, word: number): boolean {
  const tail = guest.read(bda.bufferTail, 2);
  const next = after(guest, tail);
  if (next === guest.read(bda.bufferHead, 2)) return false;
  guest.write(0x400 + tail, word, 2);
  guest.write(bda.bufferTail, next, 2);
  return true;
}

function after(guest: Guest, at: number): number {
  return at + 2 >= guest.read(bda.bufferEnd, 2) ? guest.read(bda.bufferStart, 2) : at + 2;
}

/** Interrupt 16h. */
export function keyboardService(guest: Guest): void {
  const { ah } = guest;
  const isNew = ah >= 0x10;
  guest.branch = false;
  switch (ah) {
    case 0x00:
    case 0x10: {
      const word = next(guest, isNew);
      guest.branch = word === undefined;
      if (word === undefined) break;
      guest.ax = word;
      guest.write(bda.bufferHead, after(guest, guest.read(bda.bufferHead, 2)), 2);
      break;
    }
    case 0x01:
    case 0x11: {
      const word = next(guest, isNew);
      guest.zero = word === undefined;
      if (word !== undefined) guest.ax = word;
      break;
    }
    case 0x02:
      guest.al = guest.read(bda.shifts, 1);
      break;
    case 0x05:
      guest.al = store(guest, guest.cx) ? 0 : 1;
      break;
    case 0x09: // the repeat rate can be set, 101 keys are known
      guest.al = 0x24;
      break;
    case 0x12:
      guest.ax = guest.read(bda.shiftsDown, 1) << 8 | guest.read(bda.shifts, 1);
      break;
  }
}

/** The key at the head; the old functions are not told what keyboards could not yet say. */
function next(guest: Guest, isNew: boolean): number | undefined {
  const head = guest.read(bda.bufferHead, 2);
  if (head === guest.read(bda.bufferTail, 2)) return undefined;
  const word = guest.read(0x400 + head, 2);
  if (isNew) return word;
  if ((word & 0xff) === 0xe0) return word & 0xff00;
  return word >> 8 === 0xe0 ? word & 0xff | ((word & 0xff) === 0x2f ? 0x3500 : 0x1c00) : word;
}
