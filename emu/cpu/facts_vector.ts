/**
 * What an instruction touches of SSE and MMX, read off its description.
 *
 * @module
 */

import type { Instruction } from "./instruction.ts";
import type { Operand } from "./opcodes/form.ts";
import {
  type FloatOperation,
  type FloatShape,
  type LaneShape,
  type Rounding,
  STATUS,
  type VectorBinary,
  type VectorEmitter,
  type VectorShift,
  type VectorUnary,
  type Width,
} from "./semantics/emitter.ts";

/** Registers as bits: bit 0 XMM0 to bit 15 XMM15. */
export interface VectorFacts {
  /** SSE registers that are read, in part or whole. */
  readonly xmmReads: number;
  /** SSE registers that are written, in part or whole. */
  readonly xmmWrites: number;
  /** MMX registers are used, or emptied: x87's registers, TOP and tags change. */
  readonly mmx: boolean;
  /** It computes by MXCSR and sets its exception flags. */
  readonly mxcsr: boolean;
}

const laneWidths = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 } as const;
const floatWidths = { f32: 32, f64: 64, f32x4: 128, f64x2: 128 } as const;

/** What the gatherer of all facts is told. */
export interface Noted {
  /** Flags are written. */
  flags(flags: number): void;
  /** #XM may be raised. */
  raises(): void;
}

/** The emitter of vectors that only takes notes; of a value it knows the width. */
export class VectorGatherer implements VectorEmitter<Width> {
  #xmmReads = 0;
  #xmmWrites = 0;
  #mmx = false;
  #mxcsr = false;
  readonly #noted: Noted;

  constructor(noted: Noted) {
    this.#noted = noted;
  }

  /** What was noted. */
  facts(): VectorFacts {
    return {
      ...{ xmmReads: this.#xmmReads, xmmWrites: this.#xmmWrites },
      ...{ mmx: this.#mmx, mxcsr: this.#mxcsr },
    };
  }

  /** Notes an operand of the row, if it is a register of SSE or MMX. */
  operand({ kind, text }: Operand, i: Instruction, writes: boolean): boolean {
    if ((kind === "W" || kind === "Q") && i.isMemory) return false;
    if ("PQN".includes(kind)) {
      this.#mmx = true;
      return true;
    }
    if (!"VWU".includes(kind) && text !== "XMM0") return false;
    const bit = 1 << (text === "XMM0" ? 0 : kind === "V" ? i.reg : i.rm);
    if (writes) this.#xmmWrites |= bit;
    else this.#xmmReads |= bit;
    return true;
  }

  #float<T>(result: T): T {
    this.#mxcsr = true;
    this.#noted.raises();
    return result;
  }

  constant(_shape: LaneShape, _lanes: readonly number[]): Width {
    return 128;
  }
  binary(_operation: VectorBinary, a: Width, _b: Width): Width {
    return a;
  }
  unary(_operation: VectorUnary, a: Width): Width {
    return a;
  }
  shift(_operation: VectorShift, a: Width, _count: number): Width {
    return a;
  }
  shiftBy(_operation: VectorShift, a: Width, _count: Width): Width {
    return a;
  }
  shuffle(a: Width, _b: Width, _bytes: readonly number[]): Width {
    return a;
  }
  bitselect(ones: Width, _zeros: Width, _mask: Width): Width {
    return ones;
  }
  extract(shape: LaneShape, _a: Width, _lane: number): Width {
    return laneWidths[shape];
  }
  replace(_shape: LaneShape, a: Width, _lane: number, _value: Width): Width {
    return a;
  }
  bitmask(_shape: LaneShape, _a: Width): Width {
    return 32;
  }
  anyTrue(_a: Width): Width {
    return 1;
  }
  float(_shape: FloatShape, _operation: FloatOperation, a: Width, _b: Width): Width {
    return this.#float(a);
  }
  floatSqrt(_shape: FloatShape, a: Width): Width {
    return this.#float(a);
  }
  floatCompare(_shape: FloatShape, _predicate: number, a: Width, _b: Width): Width {
    return this.#float(a);
  }
  floatFlags(_shape: "f32" | "f64", _a: Width, _b: Width, _signals: boolean): void {
    this.#float(undefined);
    this.#noted.flags(STATUS);
  }
  floatRound(_shape: FloatShape, _rounding: Rounding, a: Width, _tells: boolean): Width {
    return this.#float(a);
  }
  floatEstimate(_shape: "f32" | "f32x4", _operation: "rcp" | "rsqrt", a: Width): Width {
    return a;
  }
  floatResize(to: FloatShape, _a: Width): Width {
    return this.#float(floatWidths[to]);
  }
  floatFromInteger(to: FloatShape, _a: Width): Width {
    return this.#float(floatWidths[to]);
  }
  floatToInteger(
    from: FloatShape,
    _a: Width,
    width: 32 | 64,
    _rounding: "zero" | "current",
  ): Width {
    return this.#float(from === "f32" || from === "f64" ? width : 128);
  }
  compareStrings(
    _control: number,
    _a: Width,
    _b: Width,
    _lengths?: readonly [Width, Width],
  ): Width {
    return 32;
  }
  setXmm(number: number, _value: Width): void {
    this.#xmmWrites |= 1 << number;
  }
  useMmx(): void {
    this.#mmx = true;
  }
  emptyMmx(): void {
    this.#mmx = true;
  }
}
