/**
 * The pair of 8259A interrupt controllers of a PC.
 *
 * Fifteen lines: the second chip hangs on line 2 of the first. Each chip has
 * three registers of eight bits, one a line: what asks (IRR), what is being
 * served (ISR) and what is masked (IMR).
 *
 * Sources: Intel 8259A data sheet (231468); ELCR from the 82371SB (PIIX3) data
 * sheet, 2.5.1. In edge mode a request lasts only as long as its line stays
 * high, as the data sheet says; a line that falls too early is answered with
 * line 7, the spurious interrupt. As in PIIX, LTIM of ICW1 is ignored: ELCR decides.
 *
 * @module
 */

import { type Bus, byteRange, type Device, type Line } from "../bus.ts";
import type { State } from "../state.ts";

/** One of the two chips. */
type Chip = {
  irr: number;
  isr: number;
  imr: number;
  /** Lines that are high. */
  lines: number;
  /** Lines that are level-triggered. */
  elcr: number;
  /** Lines that may be. */
  readonly elcrMask: number;
  /** Vector of line 0. */
  base: number;
  /** The initialisation word expected next at the odd port, 0 for none. */
  expects: number;
  /** ICW1: no cascade, so ICW3 is left out. */
  single: boolean;
  /** ICW1: ICW4 will come. */
  hasIcw4: boolean;
  autoEoi: boolean;
  rotatesOnAutoEoi: boolean;
  fullyNested: boolean;
  specialMask: boolean;
  /** The line of highest priority. */
  first: number;
  /** Reading the even port gives ISR instead of IRR. */
  readsIsr: boolean;
  /** The next read is a poll. */
  polls: boolean;
};

/** Where the pair sits on a PC. */
export interface PicOptions {
  /** INTR of the processor, or of whatever stands between. */
  readonly output: Line;
}

/** The pair. */
export class Pic implements Device {
  /** Its name. */
  readonly name = "pic";
  readonly #output: Line;
  readonly #r: { first: Chip; second: Chip; intr: boolean };

  /** The pair after power-on, at its ports. */
  constructor(bus: Bus, { output }: PicOptions) {
    this.#output = output;
    this.#r = { first: newChip(0xf8), second: newChip(0xde), intr: false };
    for (const [port, chip] of [[0x20, this.#r.first], [0xa0, this.#r.second]] as const) {
      bus.addPorts(byteRange(
        port,
        2,
        (offset) => this.#read(chip, offset),
        (offset, value) => this.#write(chip, offset, value),
      ));
    }
    const elcr = [this.#r.first, this.#r.second] as const;
    bus.addPorts(byteRange(
      0x4d0,
      2,
      (offset) => elcr[offset === 0 ? 0 : 1].elcr,
      (offset, value) => {
        const chip = elcr[offset === 0 ? 0 : 1];
        chip.elcr = value & chip.elcrMask;
        this.#update();
      },
    ));
  }

  /** Live record. */
  get registers(): State {
    return this.#r;
  }

  /** Whether a request is waiting for the processor. */
  get intr(): boolean {
    return this.#r.intr;
  }

  /** As after power-on; lines keep their levels. */
  reset(): void {
    for (const chip of [this.#r.first, this.#r.second]) {
      const { lines, elcrMask } = chip;
      Object.assign(chip, newChip(elcrMask), { lines });
    }
    this.#update();
  }

  /** Pulls one of the sixteen lines; line 2 is the cascade and nobody's. */
  line(irq: number): Line {
    const chip = irq < 8 ? this.#r.first : this.#r.second;
    const bit = 1 << (irq & 7);
    return (level) => {
      this.#pull(chip, bit, level);
      this.#update();
    };
  }

  /** INTA: takes the request of highest priority and gives its vector. */
  acknowledge(): number {
    const { first, second } = this.#r;
    const irq = pending(first, true);
    // Nothing asks any more: the chip answers with line 7 and serves nothing.
    let vector = first.base + (irq ?? 7);
    if (irq !== undefined) serve(first, irq);
    if (irq === 2) {
      const inner = pending(second, false);
      vector = second.base + (inner ?? 7);
      if (inner !== undefined) serve(second, inner);
      // INTA ends the chip's request; if it has another, that is a new edge.
      this.#pull(first, 4, false);
    }
    this.#update();
    return vector;
  }

  #pull(chip: Chip, bit: number, level: boolean): void {
    if (level && (chip.lines & bit) === 0) chip.irr |= bit;
    if (!level) chip.irr &= ~bit;
    chip.lines = level ? chip.lines | bit : chip.lines & ~bit;
  }

  /** Carries requests from the second chip to the first, and on to the processor. */
  #update(): void {
    const { first, second } = this.#r;
    for (const chip of [second, first]) {
      // A level-triggered line asks for as long as it is high.
      chip.irr |= chip.lines & chip.elcr;
      if (chip === second) this.#pull(first, 4, pending(second, false) !== undefined);
    }
    const intr = pending(first, true) !== undefined;
    if (intr === this.#r.intr) return;
    this.#r.intr = intr;
    this.#output(intr);
  }

  #read(chip: Chip, offset: number): number {
    if (chip.polls) {
      chip.polls = false;
      const irq = pending(chip, chip === this.#r.first);
      if (irq === undefined) return 0;
      serve(chip, irq);
      this.#update();
      return 0x80 | irq;
    }
    if (offset === 1) return chip.imr;
    return chip.readsIsr ? chip.isr : chip.irr;
  }

  #write(chip: Chip, offset: number, value: number): void {
    if (offset === 1) initialise(chip, value);
    else if ((value & 0x10) !== 0) begin(chip, value);
    else if ((value & 0x08) !== 0) commandWord3(chip, value);
    else commandWord2(chip, value);
    this.#update();
  }
}

function newChip(elcrMask: number): Chip {
  return {
    irr: 0,
    isr: 0,
    // The data sheet leaves it open before ICW1; firmware leaves it so.
    imr: 0xff,
    lines: 0,
    elcr: 0,
    elcrMask,
    base: 0,
    expects: 0,
    single: false,
    hasIcw4: false,
    autoEoi: false,
    rotatesOnAutoEoi: false,
    fullyNested: false,
    specialMask: false,
    first: 0,
    readsIsr: false,
    polls: false,
  };
}

/** Of these lines the one of highest priority, counted from the chip's first. */
function highest(chip: Chip, lines: number): number | undefined {
  for (let i = 0; i < 8; i++) {
    const irq = (chip.first + i) & 7;
    if ((lines & 1 << irq) !== 0) return irq;
  }
  return undefined;
}

/** The line that may interrupt now. */
function pending(chip: Chip, isFirst: boolean): number | undefined {
  const irq = highest(chip, chip.irr & ~chip.imr);
  if (irq === undefined) return undefined;
  let blocking = chip.isr;
  // Special mask mode: what is masked while in service blocks nobody.
  if (chip.specialMask) blocking &= ~chip.imr;
  // Special fully nested mode: the second chip may interrupt itself.
  if (chip.fullyNested && isFirst) blocking &= ~4;
  const served = highest(chip, blocking);
  if (served === undefined) return irq;
  return (irq - chip.first & 7) < (served - chip.first & 7) ? irq : undefined;
}

function serve(chip: Chip, irq: number): void {
  const bit = 1 << irq;
  if ((chip.elcr & bit) === 0) chip.irr &= ~bit;
  if (!chip.autoEoi) chip.isr |= bit;
  else if (chip.rotatesOnAutoEoi) chip.first = (irq + 1) & 7;
}

/** ICW1: forgets everything but the lines; an edge must come anew. */
function begin(chip: Chip, value: number): void {
  const { lines, elcr, elcrMask } = chip;
  Object.assign(chip, newChip(elcrMask), {
    lines,
    elcr,
    imr: 0,
    expects: 2,
    single: (value & 0x02) !== 0,
    hasIcw4: (value & 0x01) !== 0,
  });
}

/** The odd port: ICW2 to ICW4 after ICW1, the mask otherwise. */
function initialise(chip: Chip, value: number): void {
  switch (chip.expects) {
    case 2:
      chip.base = value & 0xf8;
      chip.expects = chip.single ? (chip.hasIcw4 ? 4 : 0) : 3;
      break;
    case 3:
      // The wiring is soldered: line 2, identity 2.
      chip.expects = chip.hasIcw4 ? 4 : 0;
      break;
    case 4:
      chip.autoEoi = (value & 0x02) !== 0;
      chip.fullyNested = (value & 0x10) !== 0;
      chip.expects = 0;
      break;
    default:
      chip.imr = value;
  }
}

/** OCW2: end of interrupt, and who comes first from now on. */
function commandWord2(chip: Chip, value: number): void {
  const irq = value & 7;
  switch (value >> 5) {
    case 0: // rotate in automatic EOI mode, clear
      chip.rotatesOnAutoEoi = false;
      break;
    case 4: // the same, set
      chip.rotatesOnAutoEoi = true;
      break;
    case 1: // non-specific EOI
    case 5: { // the same, and rotate
      const served = highest(chip, chip.isr);
      if (served === undefined) break;
      chip.isr &= ~(1 << served);
      if (value >> 5 === 5) chip.first = (served + 1) & 7;
      break;
    }
    case 3: // specific EOI
      chip.isr &= ~(1 << irq);
      break;
    case 7: // the same, and rotate
      chip.isr &= ~(1 << irq);
      chip.first = (irq + 1) & 7;
      break;
    case 6: // set priority: the named line is last
      chip.first = (irq + 1) & 7;
      break;
  }
}

/** OCW3: what the even port reads, polling, special mask mode. */
function commandWord3(chip: Chip, value: number): void {
  if ((value & 0x04) !== 0) chip.polls = true;
  else if ((value & 0x02) !== 0) chip.readsIsr = (value & 0x01) !== 0;
  if ((value & 0x40) !== 0) chip.specialMask = (value & 0x20) !== 0;
}
