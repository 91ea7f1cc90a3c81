/**
 * What an instruction touches, read off its description: the product that
 * compilers plan by and tests compare by.
 *
 * @module
 */

import type { Instruction, Mode } from "./instruction.ts";
import { type VectorFacts, VectorGatherer } from "./facts_vector.ts";
import { NO_REGISTER, RIP } from "./instruction.ts";
import type { Form } from "./opcodes/form.ts";
import { widthOf } from "./operand.ts";
import {
  AF,
  CF,
  DF,
  type Emitter,
  type Fault,
  OF,
  type Pair,
  PF,
  SF,
  STATUS,
  type Width,
  ZF,
} from "./semantics/emitter.ts";
import { semanticsOf } from "./semantics/mod.ts";
import { mustBeAligned } from "./vector_operands.ts";

/** Registers as bits: bit 0 RAX to bit 15 R15. */
export interface Facts extends VectorFacts {
  /** General registers that are read, in part or whole. */
  readonly reads: number;
  /** General registers that are written, in part or whole, always or at times. */
  readonly writes: number;
  /** Flags that are read. */
  readonly flagsRead: number;
  /** Flags that are written, always or at times. */
  readonly flagsWritten: number;
  /** Flags that are written whatever happens: what they were before is dead. */
  readonly flagsKilled: number;
  /** Flags that the manual leaves undefined, always or at times. */
  readonly flagsUndefined: number;
  /** Memory is read. */
  readonly loads: boolean;
  /** Memory is written. */
  readonly stores: boolean;
  /** Exceptions of its own; memory that is touched may fault besides. */
  readonly faults: readonly Fault[];
  /** Execution may go on elsewhere. */
  readonly jumps: boolean;
  /** The row ends a block. */
  readonly ends: boolean;
  /** It repeats, if it has the prefix for that. */
  readonly repeats: boolean;
}

/** What an instruction touches; `undefined` where its row has no description. */
export function factsOf(i: Instruction, form: Form, mode: Mode): Facts | undefined {
  const semantics = semanticsOf(form);
  if (semantics === undefined) return undefined;
  const gatherer = new Gatherer(i, form, mode);
  semantics(gatherer);
  return gatherer.facts();
}

/** The emitter that only takes notes; of a value it knows the width. */
class Gatherer implements Emitter<Width> {
  #reads = 0;
  #writes = 0;
  #flagsRead = 0;
  #flagsWritten = 0;
  #flagsKilled = 0;
  #flagsUndefined = 0;
  #loads = false;
  #stores = false;
  #jumps = false;
  #repeats = false;
  readonly #faults = new Set<Fault>();
  /** How many conditions we are within. */
  #depth = 0;
  readonly vector: VectorGatherer = new VectorGatherer({
    flags: (flags) => this.#writeFlags(flags),
    raises: () => this.fault("#XM"),
  });

  constructor(readonly i: Instruction, readonly form: Form, readonly mode: Mode) {}

  facts(): Facts {
    return {
      reads: this.#reads,
      writes: this.#writes,
      flagsRead: this.#flagsRead,
      flagsWritten: this.#flagsWritten,
      flagsKilled: this.#flagsKilled,
      flagsUndefined: this.#flagsUndefined,
      loads: this.#loads,
      stores: this.#stores,
      faults: [...this.#faults],
      jumps: this.#jumps,
      ends: this.form.row.ends === true,
      repeats: this.#repeats,
      ...this.vector.facts(),
    };
  }

  constant(_value: number, width: Width): Width {
    return width;
  }
  width(value: Width): Width {
    return value;
  }
  add(a: Width, _b: Width): Width {
    return a;
  }
  sub(a: Width, _b: Width): Width {
    return a;
  }
  mul(a: Width, _b: Width): Width {
    return a;
  }
  mulWide(a: Width, _b: Width, _signed: boolean): Pair<Width> {
    return { low: a, high: a };
  }
  divWide(_high: Width, _low: Width, divisor: Width, _signed: boolean): Pair<Width> {
    this.fault("#DE");
    return { low: divisor, high: divisor };
  }
  and(a: Width, _b: Width): Width {
    return a;
  }
  or(a: Width, _b: Width): Width {
    return a;
  }
  xor(a: Width, _b: Width): Width {
    return a;
  }
  not(a: Width): Width {
    return a;
  }
  shl(a: Width, _count: Width): Width {
    return a;
  }
  shr(a: Width, _count: Width): Width {
    return a;
  }
  sar(a: Width, _count: Width): Width {
    return a;
  }
  countTrailing(a: Width): Width {
    return a;
  }
  countLeading(a: Width): Width {
    return a;
  }
  countOnes(a: Width): Width {
    return a;
  }
  equal(_a: Width, _b: Width): Width {
    return 1;
  }
  below(_a: Width, _b: Width): Width {
    return 1;
  }
  less(_a: Width, _b: Width): Width {
    return 1;
  }
  select(_condition: Width, yes: Width, _no: Width): Width {
    return yes;
  }
  truncate(_a: Width, width: Width): Width {
    return width;
  }
  zeroExtend(_a: Width, width: Width): Width {
    return width;
  }
  signExtend(_a: Width, width: Width): Width {
    return width;
  }

  when(_condition: Width, then: () => void): void {
    this.#depth++;
    then();
    this.#depth--;
  }

  fault(fault: Fault, _condition?: Width): void {
    this.#faults.add(fault);
  }

  read(operand: number): Width {
    return this.#operand(operand, true, false);
  }

  update(operand: number): Width {
    return this.#operand(operand, true, false);
  }

  write(operand: number, _value: Width): void {
    this.#operand(operand, false, true);
  }

  writeAfterPop(_value: Width, _bytes: number): void {
    this.address();
    this.#stores = true;
  }

  address(): Width {
    const { base, index, addressSize } = this.i;
    if (base !== NO_REGISTER && base !== RIP) this.#reads |= 1 << base;
    if (index !== NO_REGISTER) this.#reads |= 1 << index;
    return addressSize as Width;
  }

  register(number: number, width: Width): Width {
    this.#reads |= 1 << number;
    return width;
  }

  setRegister(number: number, _value: Width): void {
    this.#writes |= 1 << number;
  }

  ah(): Width {
    return this.register(0, 8);
  }

  setAh(value: Width): void {
    this.setRegister(0, value);
  }

  selector(_number: number): Width {
    return 16;
  }

  load(_segment: number, _address: Width, width: Width): Width {
    this.#loads = true;
    return width;
  }

  loadForStore(_segment: number, _address: Width, width: Width): Width {
    this.#loads = true;
    return width;
  }

  store(_segment: number, _address: Width, _value: Width): void {
    this.#stores = true;
  }

  requireAligned(_segment: number, _address: Width, _bytes: number): void {
    this.fault("#GP");
  }

  flag(flag: number): Width {
    this.#readFlags(flag);
    return 1;
  }

  setFlag(flag: number, _value: Width): void {
    this.#writeFlags(flag);
  }

  flagsOfSum(_a: Width, _b: Width, _sum: Width, keep = 0): void {
    this.#writeFlags(STATUS & ~keep);
  }

  flagsOfDifference(_a: Width, _b: Width, _difference: Width, keep = 0): void {
    this.#writeFlags(STATUS & ~keep);
  }

  flagsOfResult(_result: Width): void {
    this.#writeFlags(ZF | SF | PF);
  }

  undefinedFlags(flags: number): void {
    this.#flagsUndefined |= flags;
  }

  flagsRegister(): Width {
    this.#readFlags(STATUS | DF);
    return 64;
  }

  setFlagsRegister(_value: Width, _mask: number): void {
    this.#writeFlags(CF | PF | AF | ZF | SF | DF | OF);
  }

  next(): Width {
    return this.i.operandSize as Width;
  }

  jump(_target: Width): void {
    this.#jumps = true;
    if (this.mode === 64) this.fault("#GP");
  }

  timeStamp(): Width {
    this.fault("#GP");
    return 64;
  }
  stackWidth(): Width {
    return this.mode === 64 ? 64 : 32;
  }

  repeat(element: () => void, _compares: boolean): void {
    this.#repeats = true;
    // Without elements nothing is written.
    this.#depth++;
    element();
    this.#depth--;
    this.#reads |= 2;
    this.#writes |= 2;
  }

  #readFlags(flags: number): void {
    // A flag that was surely written here before is not one that comes in.
    this.#flagsRead |= flags & ~this.#flagsKilled;
  }

  #writeFlags(flags: number): void {
    this.#flagsWritten |= flags;
    if (this.#depth === 0) this.#flagsKilled |= flags;
  }

  #operand(number: number, reads: boolean, writes: boolean): Width {
    const operand = this.form.operands[number];
    if (operand === undefined) throw new TypeError(`there is no operand ${number}`);
    const { i } = this;
    const width = widthOf(operand.size, i, this.mode) as Width;
    const general = (register: number): Width => {
      const high = width === 8 && i.rex === 0 && register >= 4;
      const bit = 1 << (high ? register - 4 : register);
      if (reads) this.#reads |= bit;
      if (writes) this.#writes |= bit;
      return width;
    };
    const memory = (): Width => {
      if (mustBeAligned(this.form, number)) this.fault("#GP");
      if (reads) this.#loads = true;
      if (writes) this.#stores = true;
      return widthOf(operand.memory, i, this.mode) as Width;
    };
    if (this.vector.operand(operand, i, writes)) return width;
    switch (operand.kind) {
      case "E":
      case "M":
      case "R":
      case "W":
      case "Q":
        if (!i.isMemory) return general(i.rm);
        this.address();
        return memory();
      case "G":
        return general(i.reg);
      case "Z":
        return general(i.rm);
      case "O":
        return memory();
      case "BBb":
        this.#reads |= 1 << 3 | 1;
        return memory();
      case "S":
        return 16;
      case "I":
      case "J": {
        const wide = operand.size === "bs" || operand.kind === "J" || operand.size === "z";
        return wide ? i.operandSize as Width : width;
      }
      case "fixed": {
        if (operand.text === "1") return 8;
        if (/^[C-GS]S$/.test(operand.text)) return 16;
        return general(operand.text === "CL" ? 1 : operand.text === "DX" ? 2 : 0);
      }
    }
    throw new TypeError(`operand ${operand.text} has no facts`);
  }
}
