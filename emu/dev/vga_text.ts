/**
 * The VGA, as far as programs in text mode use it.
 *
 * Four planes of 64 KiB stand behind one window of 128 KiB. In text mode even
 * addresses reach plane 0 (the characters), odd ones plane 1 (their attributes),
 * and plane 2 holds the font: 32 bytes a character, the first 16 of them rows.
 * The picture is made elsewhere (vga_picture.ts) from what this file remembers.
 *
 * | ports            | what is there                                            |
 * | ---------------- | -------------------------------------------------------- |
 * | 3c0 3c1          | attributes: palette and what the attribute bits mean     |
 * | 3c2 3cc          | miscellaneous output: written, read                      |
 * | 3c4 3c5          | sequencer: which planes are written, and how addressed   |
 * | 3c6-3c9          | palette of 256 colours of 3 times 6 bits                 |
 * | 3ce 3cf          | graphics: what becomes of bytes on their way to memory   |
 * | 3d4 3d5 (3b4 3b5)| CRT controller: geometry, start address, cursor          |
 * | 3da (3ba)        | status: retrace, by virtual time                         |
 *
 * After power-on it is in mode 3, 80 by 25 characters, its font loaded: as
 * firmware leaves it, since most of our guests are started without any.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference (1991), "Video
 * Subsystem"; Intel 965 Express Programmer's Reference Manual vol. 2, "VGA and
 * Extended VGA Registers".
 *
 * @module
 */

import { type Bus, byteRange, type Device } from "../bus.ts";
import type { State } from "../state.ts";
import type { Clock } from "../time.ts";
import { cp437 } from "./cp437.ts";
import { glyphs } from "./vga_font.ts";
import { mode3 } from "./vga_modes.ts";

/** Physical address of the window. */
export const vgaWindow = 0xa0000;
/** Bytes of it. */
export const vgaWindowSize = 0x20000;

// 31,469 lines a second, 449 lines a frame: 70 frames a second, 400 lines shown.
const lineNs = 31_778;
const linesAFrame = 449;
const linesShown = 400;
const retraceLines = { first: 412, after: 414 } as const;
/** A line's first four fifths are picture. */
const shownNs = 25_422;

/** Bits that exist, by register. */
const sequencerMasks = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];
const graphicsMasks = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
/** Those of the attributes behind the palette, whose colours have six bits. */
const attributeMasks = [0xef, 0xff, 0x3f, 0x0f, 0x0f];
const paletteSize = 16;
const crtcCount = 25;

/** One character on the screen. */
export interface TextCell {
  /** Its code. */
  readonly code: number;
  /** The character, as code page 437 has it. */
  readonly character: string;
  /** Its attribute: colour in bits 3 to 0, background in bits 6 to 4, bit 7 blinking. */
  readonly attribute: number;
}

/** The cursor. */
export interface TextCursor {
  /** From the left, 0 up. */
  readonly column: number;
  /** From the top, 0 up. */
  readonly row: number;
  /** It is switched on and within the screen. */
  readonly isVisible: boolean;
  /** Its first row of dots in the character. */
  readonly first: number;
  /** Its last. */
  readonly last: number;
}

/** The adapter. */
export class Vga implements Device {
  /** Its name. */
  readonly name = "vga";
  readonly #clock: Clock;
  readonly #r = {
    misc: 0,
    feature: 0,
    enabled: 1,
    sequencerIndex: 0,
    sequencer: new Uint8Array(sequencerMasks.length),
    graphicsIndex: 0,
    graphics: new Uint8Array(graphicsMasks.length),
    crtcIndex: 0,
    crtc: new Uint8Array(crtcCount),
    /** Bit 5: the palette is in use; clear while it is being set. */
    attributeIndex: 0,
    /** The next write to 3c0 is data. */
    attributeData: false,
    attributes: new Uint8Array(paletteSize + attributeMasks.length),
    dacMask: 0xff,
    dacReads: 0,
    dacWrites: 0,
    /** Which of red, green and blue is next. */
    dacPart: 0,
    /** Red and green that were written, until blue has come. */
    dacHeld: new Uint8Array(2),
    /** What 3c7 says: 3 while colours are read, 0 while they are written. */
    dacState: 0,
    dac: new Uint8Array(3 * 256),
    /** What the last read found in the four planes. */
    latches: new Uint8Array(4),
    /** Byte n of plane p at 4n + p. */
    memory: new Uint8Array(4 * 0x10000),
  };

  /** The adapter in mode 3, at its ports and its window. */
  constructor(bus: Bus, clock: Clock) {
    this.#clock = clock;
    this.reset();
    for (const isColour of [false, true]) {
      const base = isColour ? 0x3d0 : 0x3b0;
      // Bit 0 of the miscellaneous output says which of the two places is in use.
      const isHere = () => (this.#r.misc & 1) === (isColour ? 1 : 0);
      bus.addPorts(byteRange(
        base + 4,
        2,
        (offset) => isHere() ? this.#readCrtc(offset) : 0xff,
        (offset, value) => isHere() && this.#writeCrtc(offset, value),
      ));
      bus.addPorts(byteRange(
        base + 0xa,
        1,
        () => isHere() ? this.#status() : 0xff,
        (_, value) => {
          if (isHere()) this.#r.feature = value;
        },
      ));
    }
    bus.addPorts(byteRange(
      0x3c0,
      16,
      (offset) => this.#readPort(offset),
      (offset, value) => this.#writePort(offset, value),
    ));
    bus.addWindow(byteRange(
      vgaWindow,
      vgaWindowSize,
      (offset) => this.#read(offset),
      (offset, value) => this.#write(offset, value),
    ));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** Mode 3, a dark screen, the font loaded. */
  reset(): void {
    const r = this.#r;
    for (const bytes of [r.dacHeld, r.latches, r.memory]) bytes.fill(0);
    r.misc = mode3.misc;
    r.sequencer.set(mode3.sequencer);
    r.graphics.set(mode3.graphics);
    r.crtc.set(mode3.crtc);
    r.attributes.set(mode3.attributes);
    r.attributeIndex = 0x20;
    r.attributeData = false;
    r.feature =
      r.sequencerIndex =
      r.graphicsIndex =
      r.crtcIndex =
        0;
    r.enabled = 1;
    r.dacMask = 0xff;
    r.dacReads =
      r.dacWrites =
      r.dacPart =
      r.dacState =
        0;
    r.dac.set(mode3.dac());
    const font = glyphs();
    for (let code = 0; code < 256; code++) {
      for (let row = 0; row < 16; row++) {
        r.memory[(32 * code + row) * 4 + 2] = font[16 * code + row] ?? 0;
      }
    }
    for (let at = 0; at < r.memory.length; at += 8) {
      r.memory[at] = 0x20;
      r.memory[at + 1] = 0x07;
    }
  }

  /** Whether it shows characters, not dots. */
  get isText(): boolean {
    return ((this.#r.graphics[6] ?? 0) & 1) === 0;
  }

  /** Characters in a line. */
  get columns(): number {
    return this.#crtc(0x01) + 1;
  }

  /** Rows of dots in a character. */
  get glyphHeight(): number {
    return (this.#crtc(0x09) & 0x1f) + 1;
  }

  /** Dots in a character's row: 8, or 9 with a gap. */
  get glyphWidth(): 8 | 9 {
    return ((this.#r.sequencer[1] ?? 0) & 1) === 0 ? 9 : 8;
  }

  /** Rows of dots on the screen. */
  get height(): number {
    const overflow = this.#crtc(0x07);
    const last = this.#crtc(0x12) | (overflow & 0x02) << 7 | (overflow & 0x40) << 3;
    return (last + 1) >> ((this.#crtc(0x09) & 0x80) !== 0 ? 1 : 0);
  }

  /** Lines of characters. */
  get rows(): number {
    return Math.max(1, Math.floor(this.height / this.glyphHeight));
  }

  /** The cursor. */
  get cursor(): TextCursor {
    const at = this.#crtc(0x0e) << 8 | this.#crtc(0x0f);
    const pitch = this.#pitch;
    const offset = (at - this.#start) & 0xffff;
    const [column, row] = [offset % pitch, Math.floor(offset / pitch)];
    const first = this.#crtc(0x0a) & 0x1f;
    const isOn = (this.#crtc(0x0a) & 0x20) === 0;
    return {
      column,
      row,
      isVisible: isOn && row < this.rows && column < this.columns && first < this.glyphHeight,
      first,
      last: Math.min(this.#crtc(0x0b) & 0x1f, this.glyphHeight - 1),
    };
  }

  /** The lines on the screen, without the blanks at their ends. */
  text(): string[] {
    return this.cells().map((line) => line.map((cell) => cell.character).join("").trimEnd());
  }

  /** The characters on the screen, line by line. */
  cells(): TextCell[][] {
    const { columns, rows } = this;
    return Array.from(
      { length: rows },
      (_, row) => Array.from({ length: columns }, (_, column) => this.#cell(row, column)),
    );
  }

  /** A row of a character's dots, bit 7 the left one; the font is the guest's. */
  glyphRow(code: number, row: number): number {
    return this.#r.memory[(32 * code + row) * 4 + 2] ?? 0;
  }

  /** Whether line-drawing characters are led into the ninth column of dots. */
  get joinsLines(): boolean {
    return ((this.#r.attributes[0x10] ?? 0) & 0x04) !== 0;
  }

  /** Whether bit 7 of an attribute blinks, rather than making the background bright. */
  get blinks(): boolean {
    return ((this.#r.attributes[0x10] ?? 0) & 0x08) !== 0;
  }

  /** One of the 16 colours: red, green, blue, 0 to 255 each. */
  colour(index: number): readonly [red: number, green: number, blue: number] {
    const { attributes, dac, dacMask } = this.#r;
    const select = attributes[0x14] ?? 0;
    let at = (attributes[index & 15] ?? 0) & 0x3f | (select & 0x0c) << 4;
    if (((attributes[0x10] ?? 0) & 0x80) !== 0) at = at & ~0x30 | (select & 3) << 4;
    const part = (n: number) => Math.round((dac[3 * (at & dacMask) + n] ?? 0) * 255 / 63);
    return [part(0), part(1), part(2)];
  }

  /** The first character shown, counted in characters. */
  get #start(): number {
    return this.#crtc(0x0c) << 8 | this.#crtc(0x0d);
  }

  /** Characters from one line to the next. */
  get #pitch(): number {
    return 2 * this.#crtc(0x13) || this.columns;
  }

  #crtc(register: number): number {
    return this.#r.crtc[register] ?? 0;
  }

  #cell(row: number, column: number): TextCell {
    // A character is two bytes of the window: one of plane 0, one of plane 1.
    const at = 8 * ((this.#start + row * this.#pitch + column) & 0x7fff);
    const code = this.#r.memory[at] ?? 0;
    return { code, character: cp437[code] ?? " ", attribute: this.#r.memory[at + 1] ?? 0 };
  }

  #status(): number {
    this.#r.attributeData = false;
    const now = this.#clock.now;
    const line = Math.floor(now / lineNs) % linesAFrame;
    const isRetrace = line >= retraceLines.first && line < retraceLines.after;
    const isDark = line >= linesShown || now % lineNs >= shownNs;
    return (isDark ? 0x01 : 0) | (isRetrace ? 0x08 : 0);
  }

  #readCrtc(offset: number): number {
    return offset === 0 ? this.#r.crtcIndex : this.#crtc(this.#r.crtcIndex);
  }

  #writeCrtc(offset: number, value: number): void {
    const { crtc, crtcIndex } = this.#r;
    if (offset === 0) {
      this.#r.crtcIndex = value & 0x3f;
    } else if (crtcIndex <= 7 && (this.#crtc(0x11) & 0x80) !== 0) {
      // Protected, but for the top bit of the line at which the screen splits.
      if (crtcIndex === 7) crtc[7] = this.#crtc(7) & ~0x10 | value & 0x10;
    } else if (crtcIndex < crtcCount) {
      crtc[crtcIndex] = value;
    }
  }

  #readPort(offset: number): number {
    const r = this.#r;
    switch (offset) {
      case 0x0:
        return r.attributeIndex;
      case 0x1:
        return r.attributes[r.attributeIndex & 0x1f] ?? 0;
      case 0x2: // a monitor is there
        return 0x10;
      case 0x3:
        return r.enabled;
      case 0x4:
        return r.sequencerIndex;
      case 0x5:
        return r.sequencer[r.sequencerIndex] ?? 0;
      case 0x6:
        return r.dacMask;
      case 0x7:
        return r.dacState;
      case 0x8:
        return r.dacWrites;
      case 0x9:
        return this.#readDac();
      case 0xa:
        return r.feature;
      case 0xc:
        return r.misc;
      case 0xe:
        return r.graphicsIndex;
      case 0xf:
        return r.graphics[r.graphicsIndex] ?? 0;
      default:
        return 0;
    }
  }

  #writePort(offset: number, value: number): void {
    const r = this.#r;
    switch (offset) {
      case 0x0:
        this.#writeAttribute(value);
        break;
      case 0x2:
        r.misc = value;
        break;
      case 0x3:
        r.enabled = value & 1;
        break;
      case 0x4:
        r.sequencerIndex = value & 7;
        break;
      case 0x5:
        r.sequencer[r.sequencerIndex] = value & (sequencerMasks[r.sequencerIndex] ?? 0);
        break;
      case 0x6:
        r.dacMask = value;
        break;
      case 0x7:
        r.dacReads = value;
        r.dacPart = 0;
        r.dacState = 3;
        break;
      case 0x8:
        r.dacWrites = value;
        r.dacPart = 0;
        r.dacState = 0;
        break;
      case 0x9:
        this.#writeDac(value);
        break;
      case 0xe:
        r.graphicsIndex = value & 15;
        break;
      case 0xf:
        r.graphics[r.graphicsIndex] = value & (graphicsMasks[r.graphicsIndex] ?? 0);
        break;
    }
  }

  #writeAttribute(value: number): void {
    const r = this.#r;
    const index = r.attributeIndex & 0x1f;
    if (!r.attributeData) r.attributeIndex = value & 0x3f;
    else r.attributes[index] = value & (attributeMasks[index - paletteSize] ?? 0x3f);
    r.attributeData = !r.attributeData;
  }

  #readDac(): number {
    const r = this.#r;
    const value = r.dac[3 * r.dacReads + r.dacPart] ?? 0;
    r.dacPart = (r.dacPart + 1) % 3;
    if (r.dacPart === 0) r.dacReads = (r.dacReads + 1) & 0xff;
    return value;
  }

  #writeDac(value: number): void {
    const r = this.#r;
    if (r.dacPart < 2) {
      r.dacHeld[r.dacPart++] = value & 0x3f;
      return;
    }
    r.dac.set([...r.dacHeld, value & 0x3f], 3 * r.dacWrites);
    r.dacPart = 0;
    r.dacWrites = (r.dacWrites + 1) & 0xff;
  }

  /** Where in the planes an offset in the window leads; -1 where the window is closed. */
  #place(offset: number): number {
    const map = (this.#r.graphics[6] ?? 0) >> 2 & 3;
    if ((this.#r.misc & 0x02) === 0) return -1;
    if (map === 0) return offset & 0xffff;
    if (map === 1) return offset < 0x10000 ? offset : -1;
    const first = map === 2 ? 0x10000 : 0x18000;
    return offset >= first && offset < first + 0x8000 ? offset - first : -1;
  }

  #read(offset: number): number {
    const at = this.#place(offset);
    if (at < 0) return 0xff;
    const { graphics, memory, latches, sequencer } = this.#r;
    const isChained = ((sequencer[4] ?? 0) & 0x08) !== 0;
    const isOddEven = ((graphics[5] ?? 0) & 0x10) !== 0;
    const cell = 4 * (isChained ? at & ~3 : isOddEven ? at & ~1 : at);
    for (let plane = 0; plane < 4; plane++) latches[plane] = memory[cell + plane] ?? 0;
    if (((graphics[5] ?? 0) & 0x08) !== 0) {
      // Read mode 1: a bit for each dot that has the colour asked for.
      let equal = 0xff;
      for (let plane = 0; plane < 4; plane++) {
        const bit = 1 << plane;
        if (((graphics[7] ?? 0) & bit) === 0) continue;
        const wanted = ((graphics[2] ?? 0) & bit) !== 0 ? 0xff : 0;
        equal &= ~((latches[plane] ?? 0) ^ wanted);
      }
      return equal;
    }
    const select = graphics[4] ?? 0;
    return latches[isChained ? at & 3 : isOddEven ? select & 2 | at & 1 : select] ?? 0;
  }

  #write(offset: number, value: number): void {
    const at = this.#place(offset);
    if (at < 0) return;
    const { graphics, memory, latches, sequencer } = this.#r;
    const isChained = ((sequencer[4] ?? 0) & 0x08) !== 0;
    const isOddEven = ((sequencer[4] ?? 0) & 0x04) === 0;
    const cell = 4 * (isChained ? at & ~3 : isOddEven ? at & ~1 : at);
    const reached = isChained ? 1 << (at & 3) : isOddEven ? 5 << (at & 1) : 15;
    const planes = reached & (sequencer[2] ?? 0);
    const mode = (graphics[5] ?? 0) & 3;
    const turn = (graphics[3] ?? 0) & 7;
    const turned = (value >> turn | value << 8 - turn) & 0xff;
    const mask = (graphics[8] ?? 0) & (mode === 3 ? turned : 0xff);
    for (let plane = 0; plane < 4; plane++) {
      const bit = 1 << plane;
      if ((planes & bit) === 0) continue;
      const latch = latches[plane] ?? 0;
      const full = (bits: number | undefined) => ((bits ?? 0) & bit) !== 0 ? 0xff : 0;
      if (mode === 1) {
        memory[cell + plane] = latch;
        continue;
      }
      let data = turned;
      if (mode === 2) data = full(value);
      else if (mode === 3 || full(graphics[1]) !== 0) data = full(graphics[0]);
      // The logic unit works in modes 0 and 2; in mode 3 it is left as it is set, too.
      const operation = (graphics[3] ?? 0) >> 3 & 3;
      if (operation === 1) data &= latch;
      else if (operation === 2) data |= latch;
      else if (operation === 3) data ^= latch;
      memory[cell + plane] = data & mask | latch & ~mask;
    }
  }
}
