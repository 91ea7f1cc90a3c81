/**
 * The 8042 keyboard controller, with a keyboard and without a mouse.
 *
 * Port 0x60 carries data, 0x64 is status when read and command when written.
 * The controller also owns two wires that have nothing to do with keys: the
 * processor's reset and the gate of address line 20.
 *
 * | command   | what it does                                               |
 * | --------- | ---------------------------------------------------------- |
 * | 20-3f     | reads a byte of its memory; 20 is the command byte         |
 * | 60-7f     | writes one                                                 |
 * | a7 a8 a9  | auxiliary port: off, on, test (answers: no such line)      |
 * | aa        | self-test, answers 55                                      |
 * | ab ad ae  | keyboard: test (answers 0), off, on                        |
 * | c0 d0 d1  | input port; output port: read, write                       |
 * | d2 d3 d4  | next byte goes to the keyboard's or mouse's output buffer; to the mouse |
 * | dd df     | address line 20 off, on                                    |
 * | f0-ff     | pulses the output port's lower bits; bit 0 low is reset    |
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference (1991), "Keyboard
 * and Auxiliary Device Controller"; Intel 8242 data sheet.
 *
 * @module
 */

import { type Bus, byteRange, type Device, type Line } from "../bus.ts";
import type { State } from "../state.ts";

const queueSize = 256;

/** Command byte, the first of the controller's memory. */
const control = { keyboardIrq: 0x01, system: 0x04, keyboardOff: 0x10, translate: 0x40 } as const;

/** How the controller is made. */
export interface I8042Options {
  /** Interrupt 1. */
  readonly irq: Line;
  /** Pulses the processor's reset. */
  readonly reset: () => void;
  /** Gate of address line 20. */
  readonly a20: Line;
}

/** The controller. */
export class I8042 implements Device {
  /** Its name. */
  readonly name = "i8042";
  readonly #options: I8042Options;
  readonly #r: {
    memory: Uint8Array;
    outputPort: number;
    /** The command whose byte is awaited at the data port; 0 for none. */
    command: number;
    /** The keyboard command whose byte is awaited; 0 for none. */
    keyboardCommand: number;
    /** The last write went to the command port. */
    wasCommand: boolean;
    /** What the controller itself answers; goes before the keyboard's bytes. */
    answers: number[];
    /** Bytes from the keyboard, in scan code set 2. */
    keys: number[];
    /** The output buffer; -1 when empty. */
    output: number;
    /** The last byte of the output buffer: an empty one still shows it. */
    last: number;
    scans: boolean;
    scanCodeSet: number;
    /** 0xf0 has come: the next code is a release, to be translated. */
    isRelease: boolean;
  } = { memory: new Uint8Array(32), answers: [], keys: [], ...initial() };

  /** The controller after power-on, its self-test passed. */
  constructor(bus: Bus, options: I8042Options) {
    this.#options = options;
    this.#r.memory[0] = control.system | control.translate | control.keyboardIrq;
    bus.addPorts(byteRange(0x60, 1, () => this.#readData(), (_, value) => this.#writeData(value)));
    bus.addPorts(byteRange(0x64, 1, () => this.#status(), (_, value) => this.#execute(value)));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on, address line 20 open. */
  reset(): void {
    const { memory, answers, keys } = this.#r;
    memory.fill(0);
    memory[0] = control.system | control.translate | control.keyboardIrq;
    answers.length = 0;
    keys.length = 0;
    Object.assign(this.#r, initial());
    this.#options.a20(true);
    this.#update();
  }

  /**
   * Types.
   *
   * @param codes Scan codes of set 2, as a keyboard sends them.
   * @returns How many were taken; the keyboard remembers 256.
   */
  type(codes: Uint8Array): number {
    if (!this.#r.scans) return 0;
    const taken = Math.min(codes.length, queueSize - this.#r.keys.length);
    this.#r.keys.push(...codes.subarray(0, taken));
    this.#update();
    return taken;
  }

  get #control(): number {
    return this.#r.memory[0] ?? 0;
  }

  #status(): number {
    const { output, wasCommand } = this.#r;
    // Bit 4: the keyboard is not locked.
    return (output >= 0 ? 0x01 : 0) | this.#control & control.system | (wasCommand ? 0x08 : 0) |
      0x10;
  }

  #readData(): number {
    const { last } = this.#r;
    if (this.#r.output >= 0) {
      this.#r.output = -1;
      this.#options.irq(false);
      this.#update();
    }
    return last;
  }

  /** Fills the output buffer if it is empty and something waits. */
  #update(): void {
    const r = this.#r;
    while (r.output < 0) {
      const answer = r.answers.shift();
      if (answer !== undefined) {
        r.output = answer;
      } else if ((this.#control & control.keyboardOff) === 0) {
        const key = r.keys.shift();
        if (key === undefined) break;
        r.output = this.#translate(key);
      } else {
        break;
      }
    }
    if (r.output >= 0) r.last = r.output;
    this.#options.irq(r.output >= 0 && (this.#control & control.keyboardIrq) !== 0);
  }

  /** Set 2 to set 1; -1 for the prefix that only marks the next code. */
  #translate(key: number): number {
    if ((this.#control & control.translate) === 0) return key;
    if (key === 0xf0) {
      this.#r.isRelease = true;
      return -1;
    }
    const release = this.#r.isRelease ? 0x80 : 0;
    this.#r.isRelease = false;
    return key === 0x83
      ? 0x41 | release
      : key === 0x84
      ? 0x54 | release
      : key > 0x84
      ? key
      : (translation[key] ?? 0) | release;
  }

  #answer(...bytes: number[]): void {
    this.#r.answers.push(...bytes);
    if (this.#r.answers.length > queueSize) this.#r.answers.length = queueSize;
  }

  #execute(command: number): void {
    const r = this.#r;
    r.wasCommand = true;
    r.command = 0;
    if (command >= 0x20 && command < 0x40) {
      this.#answer(r.memory[command & 31] ?? 0);
    } else if ((command >= 0x60 && command < 0x80) || (command >= 0xd1 && command <= 0xd4)) {
      r.command = command;
    } else if (command >= 0xf0) {
      if ((command & 1) === 0) this.#options.reset();
    } else {
      this.#simple(command);
    }
    this.#update();
  }

  #simple(command: number): void {
    const { memory } = this.#r;
    switch (command) {
      case 0xa7:
        memory[0] = this.#control | 0x20;
        break;
      case 0xa8:
        memory[0] = this.#control & ~0x20;
        break;
      case 0xa9: // the auxiliary clock line is stuck low: nothing is plugged in
        this.#answer(0x01);
        break;
      case 0xaa:
        memory[0] = this.#control | control.system;
        this.#answer(0x55);
        break;
      case 0xab:
        this.#answer(0x00);
        break;
      case 0xad:
        memory[0] = this.#control | control.keyboardOff;
        break;
      case 0xae:
        memory[0] = this.#control & ~control.keyboardOff;
        break;
      case 0xc0: // keyboard not locked, no manufacturing jumper
        this.#answer(0xa0);
        break;
      case 0xd0:
        this.#answer(this.#r.outputPort | (this.#r.output >= 0 ? 0x10 : 0));
        break;
      case 0xdd:
        this.#setOutputPort(this.#r.outputPort & ~2);
        break;
      case 0xdf:
        this.#setOutputPort(this.#r.outputPort | 2);
        break;
    }
  }

  #setOutputPort(value: number): void {
    this.#r.outputPort = value & 0xcf;
    this.#options.a20((value & 2) !== 0);
    if ((value & 1) === 0) this.#options.reset();
  }

  #writeData(value: number): void {
    const r = this.#r;
    const { command } = r;
    r.wasCommand = false;
    r.command = 0;
    if (command >= 0x60 && command < 0x80) {
      r.memory[command & 31] = value;
    } else if (command === 0xd1) {
      this.#setOutputPort(value);
    } else if (command === 0xd2 || command === 0xd3) {
      // Without an auxiliary port the loop of d3 comes back as the keyboard's,
      // which is how a driver tells that there is none.
      this.#answer(value);
    } else if (command === 0xd4) {
      // Nobody there: the controller says so in the device's place.
      this.#answer(0xfe);
    } else {
      this.#toKeyboard(value);
    }
    this.#update();
  }

  /** A byte to the keyboard; it answers even while its clock is held, a little later. */
  #toKeyboard(value: number): void {
    const r = this.#r;
    // Sending to the keyboard lets its clock go.
    r.memory[0] = this.#control & ~control.keyboardOff;
    const acknowledge = 0xfa;
    const say = (...bytes: number[]) => {
      if (r.keys.length + bytes.length <= queueSize) r.keys.push(...bytes);
    };
    const awaited = r.keyboardCommand;
    r.keyboardCommand = 0;
    if (awaited !== 0 && value < 0xed) {
      say(acknowledge);
      if (awaited === 0xf0) {
        if (value === 0) say(r.scanCodeSet);
        else if (value <= 3) r.scanCodeSet = value;
      }
      return;
    }
    switch (value) {
      case 0xff: // reset: acknowledge, then the self-test's result
        r.keys.length = 0;
        r.scans = true;
        r.scanCodeSet = 2;
        say(acknowledge, 0xaa);
        break;
      case 0xf2: // identify
        say(acknowledge, 0xab, 0x83);
        break;
      case 0xee: // echo
        say(0xee);
        break;
      case 0xed: // lights
      case 0xf0: // scan code set
      case 0xf3: // repeat rate
        r.keyboardCommand = value;
        say(acknowledge);
        break;
      case 0xf4:
      case 0xf6:
        r.scans = true;
        say(acknowledge);
        break;
      case 0xf5:
        r.scans = false;
        say(acknowledge);
        break;
      case 0xf7:
      case 0xf8:
      case 0xf9:
      case 0xfa:
        say(acknowledge);
        break;
      default: // resend
        say(0xfe);
    }
  }
}

function initial() {
  return {
    outputPort: 0x03,
    command: 0,
    keyboardCommand: 0,
    wasCommand: false,
    output: -1,
    last: 0,
    scans: true,
    scanCodeSet: 2,
    isRelease: false,
  };
}

/** Scan codes of set 1 by those of set 2, as the controller's ROM has them. */
const translation: readonly number[] = [
  ...[0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29],
  ...[0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11],
  ...[0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14],
  ...[0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24],
  ...[0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35],
  ...[0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36],
  ...[0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c],
  ...[0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45],
  ...[0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54],
];
