/**
 * The 16550A serial port.
 *
 * | offset | read                 | written              | with DLAB     |
 * | ------ | -------------------- | -------------------- | ------------- |
 * | 0      | RBR received byte    | THR byte to send     | DLL divisor   |
 * | 1      | IER what interrupts  | IER                  | DLM divisor   |
 * | 2      | IIR what interrupted | FCR FIFO control     |               |
 * | 3      | LCR word format; bit 7 is DLAB | LCR        |               |
 * | 4      | MCR modem control    | MCR                  |               |
 * | 5      | LSR line status      |                      |               |
 * | 6      | MSR modem status     |                      |               |
 * | 7      | SCR scratch          | SCR                  |               |
 *
 * Source: National PC16550D data sheet (TL/C/8652). Bytes are sent the moment
 * they are written, so a console costs a guest no waiting; received bytes come at
 * the pace of the line. OUT2 opens the way to the interrupt line, as on a PC card.
 *
 * @module
 */

import { type Bus, byteRange, type Device, type Line } from "../bus.ts";
import type { State } from "../state.ts";
import { type Clock, Frequency, type Timer } from "../time.ts";

const fifoSize = 16;
const inputSize = 65_536;
const outputSize = 1024;
/** Characters in the FIFO that make it interrupt, by the upper bits of FCR. */
const triggers = [1, 4, 8, 14] as const;

const lsr = { dataReady: 0x01, overrun: 0x02, errors: 0x1e, thrEmpty: 0x20, idle: 0x40 } as const;

/** How a serial port is made. */
export interface UartOptions {
  /** Its name; `uart` if absent. */
  readonly name?: string;
  /** First of its eight ports: 0x3f8 for COM1. */
  readonly port: number;
  /** Interrupt 4 for COM1. */
  readonly irq: Line;
  /** Is given what was sent, at ends of lines and after 1024 bytes; see {@link Uart.flush}. */
  readonly output: (bytes: Uint8Array) => void;
}

/** The port. */
export class Uart implements Device {
  /** Its name. */
  readonly name: string;
  readonly #clock: Clock;
  readonly #irq: Line;
  readonly #output: (bytes: Uint8Array) => void;
  readonly #arrival: Timer;
  readonly #timeout: Timer;
  readonly #crystal = new Frequency(115_200);
  readonly #sent = new Uint8Array(outputSize);
  #sentLength = 0;
  readonly #r: {
    divisor: number;
    ier: number;
    fcr: number;
    lcr: number;
    mcr: number;
    lsr: number;
    /** The lower four bits of MSR: what has changed. */
    delta: number;
    scratch: number;
    /** The transmitter has become empty and nobody was told. */
    thrInterrupt: boolean;
    /** Characters wait in the FIFO, and none has come or gone for four characters' time. */
    timedOut: boolean;
    received: number[];
    /** Typed, still on the line. */
    input: number[];
  } = { ...initial(), received: [], input: [] };

  /** The port after power-on. */
  constructor(bus: Bus, clock: Clock, options: UartOptions) {
    this.name = options.name ?? "uart";
    this.#clock = clock;
    this.#irq = options.irq;
    this.#output = options.output;
    this.#arrival = clock.timer(() => this.#arrive());
    this.#timeout = clock.timer(() => {
      this.#r.timedOut = this.#r.received.length > 0;
      this.#update();
    });
    bus.addPorts(byteRange(
      options.port,
      8,
      (offset) => this.#read(offset),
      (offset, value) => {
        this.#write(offset, value);
        this.#update();
      },
    ));
  }

  /** Live record. What was sent is the host's as soon as it is sent, and no part of it. */
  get registers(): State {
    return this.#r;
  }

  /** As after power-on; what was typed is lost. */
  reset(): void {
    const { received, input } = this.#r;
    received.length = 0;
    input.length = 0;
    Object.assign(this.#r, initial());
    this.#arrival.stop();
    this.#timeout.stop();
    this.#update();
  }

  /**
   * Types: the bytes come in one after the other at the speed of the line.
   *
   * @returns How many were taken; the line holds 65,536.
   */
  receive(bytes: Uint8Array): number {
    const { input } = this.#r;
    const taken = Math.min(bytes.length, inputSize - input.length);
    for (const byte of bytes.subarray(0, taken)) input.push(byte);
    if (input.length > 0 && this.#arrival.due === Infinity) this.#awaitNext();
    return taken;
  }

  /** Hands over what was sent since the last piece. */
  flush(): void {
    if (this.#sentLength === 0) return;
    const piece = this.#sent.slice(0, this.#sentLength);
    this.#sentLength = 0;
    this.#output(piece);
  }

  get #hasFifo(): boolean {
    return (this.#r.fcr & 1) !== 0;
  }

  get #isLooped(): boolean {
    return (this.#r.mcr & 0x10) !== 0;
  }

  /** Time of one character on the line, in nanoseconds. */
  get #characterNs(): number {
    const { lcr, divisor } = this.#r;
    const bits = 1 + 5 + (lcr & 3) + ((lcr & 8) !== 0 ? 1 : 0) + ((lcr & 4) !== 0 ? 2 : 1);
    return this.#crystal.ns(bits * (divisor || 0x10000));
  }

  #awaitNext(): void {
    this.#arrival.set(this.#clock.now + this.#characterNs);
  }

  #arrive(): void {
    const { input, received } = this.#r;
    // Whoever types waits while there is no room; a looped port does not listen.
    if (received.length < (this.#hasFifo ? fifoSize : 1) && !this.#isLooped) {
      const byte = input.shift();
      if (byte !== undefined) this.#take(byte);
    }
    if (input.length > 0) this.#awaitNext();
    this.#update();
  }

  #take(byte: number): void {
    const { received } = this.#r;
    const room = this.#hasFifo ? fifoSize : 1;
    if (received.length >= room) {
      this.#r.lsr |= lsr.overrun;
      // Without a FIFO the new character destroys the old one.
      if (this.#hasFifo) return;
      received.length = 0;
    }
    received.push(byte);
    this.#touched();
  }

  /** A character came or went: the time-out starts anew. */
  #touched(): void {
    this.#r.timedOut = false;
    if (this.#hasFifo && this.#r.received.length > 0) {
      this.#timeout.set(this.#clock.now + 4 * this.#characterNs);
    } else {
      this.#timeout.stop();
    }
  }

  /** What IIR says: the most urgent of what is enabled and pending. */
  #cause(): number {
    const { ier, fcr, received, timedOut, thrInterrupt, delta } = this.#r;
    if ((ier & 4) !== 0 && (this.#r.lsr & lsr.errors) !== 0) return 0x06;
    if ((ier & 1) !== 0) {
      const trigger = this.#hasFifo ? triggers[fcr >> 6 & 3] ?? 1 : 1;
      if (received.length >= trigger) return 0x04;
      if (timedOut) return 0x0c;
    }
    if ((ier & 2) !== 0 && thrInterrupt) return 0x02;
    if ((ier & 8) !== 0 && delta !== 0) return 0x00;
    return 0x01;
  }

  #update(): void {
    // In a loop OUT2 does not leave the chip.
    const isOpen = (this.#r.mcr & 0x18) === 0x08;
    this.#irq(isOpen && this.#cause() !== 0x01);
  }

  /** The upper four bits of MSR: in a loop our own outputs, otherwise a ready peer. */
  #modemLines(): number {
    const { mcr } = this.#r;
    if (!this.#isLooped) return 0xb0;
    // DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD.
    return (mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 4) << 4 | (mcr & 8) << 4;
  }

  #read(offset: number): number {
    const r = this.#r;
    const hasLatch = (r.lcr & 0x80) !== 0;
    switch (offset) {
      case 0: {
        if (hasLatch) return r.divisor & 0xff;
        const byte = r.received.shift() ?? 0;
        this.#touched();
        this.#update();
        return byte;
      }
      case 1:
        return hasLatch ? r.divisor >> 8 : r.ier;
      case 2: {
        const cause = this.#cause();
        // Reading it takes this one away.
        if (cause === 0x02) {
          r.thrInterrupt = false;
          this.#update();
        }
        return cause | (this.#hasFifo ? 0xc0 : 0);
      }
      case 3:
        return r.lcr;
      case 4:
        return r.mcr;
      case 5: {
        const status = r.lsr | (r.received.length > 0 ? lsr.dataReady : 0);
        r.lsr &= ~lsr.errors;
        this.#update();
        return status;
      }
      case 6: {
        const status = this.#modemLines() | r.delta;
        r.delta = 0;
        this.#update();
        return status;
      }
      default:
        return r.scratch;
    }
  }

  #write(offset: number, value: number): void {
    const r = this.#r;
    const hasLatch = (r.lcr & 0x80) !== 0;
    switch (offset) {
      case 0:
        if (hasLatch) r.divisor = r.divisor & 0xff00 | value;
        else this.#send(value);
        break;
      case 1:
        if (hasLatch) {
          r.divisor = value << 8 | r.divisor & 0xff;
        } else {
          // Asking for it while the transmitter is empty gets it at once.
          if ((value & ~r.ier & 2) !== 0) r.thrInterrupt = true;
          r.ier = value & 0x0f;
        }
        break;
      case 2:
        this.#control(value);
        break;
      case 3:
        r.lcr = value;
        break;
      case 4: {
        const before = this.#modemLines();
        r.mcr = value & 0x1f;
        const changed = before ^ this.#modemLines();
        // RI is noted only when it ends.
        const ended = before & ~this.#modemLines();
        r.delta |= changed >> 4 & 0x0b | ended >> 4 & 0x04;
        break;
      }
      case 7:
        r.scratch = value;
        break;
      default:
        // LSR and MSR are for the factory's tests.
        break;
    }
  }

  #control(value: number): void {
    const r = this.#r;
    const toggles = ((value ^ r.fcr) & 1) !== 0;
    if (toggles || (value & 3) === 3) {
      r.received.length = 0;
      this.#touched();
    }
    // Emptying the transmitter's FIFO finds it empty.
    if (toggles || (value & 5) === 5) r.thrInterrupt = true;
    r.fcr = (value & 1) !== 0 ? value & 0xc9 : 0;
  }

  #send(value: number): void {
    const byte = value & (0xff >> 3 - (this.#r.lcr & 3));
    this.#r.thrInterrupt = true;
    if (this.#isLooped) {
      this.#take(byte);
      return;
    }
    this.#sent[this.#sentLength++] = byte;
    // A line at a time, so that whoever reads along knows when it came.
    if (byte === 10 || this.#sentLength === outputSize) this.flush();
  }
}

function initial() {
  return {
    divisor: 12,
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: 0,
    lsr: lsr.thrEmpty | lsr.idle,
    delta: 0,
    scratch: 0,
    thrInterrupt: false,
    timedOut: false,
  };
}
