/**
 * The referee's vectors: what {@link VectorEmitter} says, computed at once with
 * big integers.
 *
 * @module
 */

import { type Bits, bitsOf, Raised, signed, truth } from "./evaluate_bits.ts";
import { floatEstimate } from "./float_estimate.ts";
import { floatArithmetic, floatHolds, inLanes, MXCSR_RESET } from "./float_lanes.ts";
import type { Instruction } from "./instruction.ts";
import type { Operand } from "./opcodes/form.ts";
import {
  AF,
  CF,
  type FloatOperation,
  type FloatShape,
  type LaneShape,
  OF,
  PF,
  type Rounding,
  SF,
  type VectorBinary,
  type VectorEmitter,
  type VectorShift,
  type VectorUnary,
  type Width,
  ZF,
} from "./semantics/emitter.ts";
import {
  double,
  type FloatEnvironment,
  type FloatFormat,
  floatFromInteger,
  type FloatOrder,
  floatOrder,
  floatResize,
  floatRound,
  floatSqrt,
  floatToInteger,
  single,
} from "./softfloat.ts";
import { compareStrings } from "./string_compare.ts";

/** The registers of SSE and MMX, and what of x87 MMX changes. */
export interface EvaluatedVectors {
  /** XMM0 to XMM15: two words each, the low one first. */
  readonly xmm: BigUint64Array;
  /** Significands of the physical x87 registers; MM0 to MM7 are they. */
  readonly significands: BigUint64Array;
  /** Their signs and exponents. */
  readonly exponents: Uint16Array;
  /** x87's TOP. */
  top: number;
  /** Which physical x87 registers are not empty. */
  tags: number;
  /** MXCSR. */
  mxcsr: number;
}

/** All registers as after reset. */
export function resetVectors(): EvaluatedVectors {
  return {
    xmm: new BigUint64Array(32),
    significands: new BigUint64Array(8),
    exponents: new Uint16Array(8),
    ...{ top: 0, tags: 0, mxcsr: MXCSR_RESET },
  };
}

/** A copy that does not change with it. */
export function copyVectors(state: EvaluatedVectors): EvaluatedVectors {
  const { xmm, significands, exponents } = state;
  return {
    ...state,
    ...{ xmm: xmm.slice(), significands: significands.slice(), exponents: exponents.slice() },
  };
}

const laneWidths = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 } as const;
const roundings = { nearest: 0, down: 1, up: 2, zero: 3 } as const;

const formatOf = (shape: FloatShape): FloatFormat =>
  shape === "f32" || shape === "f32x4" ? single : double;
const lanesOf = (shape: FloatShape): number => shape === "f32x4" ? 4 : shape === "f64x2" ? 2 : 1;

/** Lanes of a value, the lowest first. */
function split({ width: whole, bits }: Bits, width: number): bigint[] {
  return Array.from(
    { length: whole / width },
    (_, n) => BigInt.asUintN(width, bits >> BigInt(n * width)),
  );
}

/** A vector of lanes, the lowest first; zeros above. */
function join(lanes: readonly bigint[], width: number, whole: Width = 128): Bits {
  let bits = 0n;
  lanes.forEach((lane, n) => bits |= BigInt.asUintN(width, lane) << BigInt(n * width));
  return bitsOf(whole, bits);
}

/** The nearest number that fits. */
function saturate(value: bigint, width: number, sign: string): bigint {
  const top = 1n << BigInt(width);
  const [least, most] = sign === "s" ? [-top / 2n, top / 2n - 1n] : [0n, top - 1n];
  return value < least ? least : value > most ? most : value;
}

/** The emitter of vectors that computes at once. */
export class VectorEvaluator implements VectorEmitter<Bits> {
  /** The registers before the instruction. */
  #before: EvaluatedVectors;

  /** @param setFlag Sets one of the flags. */
  constructor(
    readonly state: EvaluatedVectors,
    readonly setFlag: (flag: number, value: boolean) => void,
  ) {
    this.#before = copyVectors(state);
  }

  /**
   * Puts everything back.
   *
   * @param raised #XM was raised: exception flags stay, and MMX stays in use.
   */
  rollBack(raised: boolean): void {
    const { state } = this;
    const before = this.#before;
    state.xmm.set(before.xmm);
    state.significands.set(before.significands);
    state.exponents.set(before.exponents);
    if (raised) return;
    [state.top, state.tags] = [before.top, before.tags];
    state.mxcsr = before.mxcsr;
  }

  /** A register operand of the row, if it is one of SSE or MMX; with a value it is written. */
  operand({ kind, text }: Operand, i: Instruction, width: Width, value?: Bits): Bits | undefined {
    const number = text === "XMM0" ? 0 : kind === "V" || kind === "P" ? i.reg : i.rm;
    if (text === "XMM0") width = 128;
    else if ((kind === "W" || kind === "Q") && i.isMemory) return undefined;
    else if ("PQN".includes(kind)) return this.#mmx(number & 7, width, value);
    else if (!"VWU".includes(kind)) return undefined;
    return this.#xmm(number, width, value);
  }

  #xmm(number: number, width: Width, value: Bits | undefined): Bits {
    const { xmm } = this.state;
    const was = (xmm[2 * number + 1] ?? 0n) << 64n | (xmm[2 * number] ?? 0n);
    if (value === undefined) return bitsOf(width, was);
    const kept = was >> BigInt(value.width) << BigInt(value.width);
    xmm[2 * number] = BigInt.asUintN(64, kept | value.bits);
    xmm[2 * number + 1] = (kept | value.bits) >> 64n;
    return value;
  }

  #mmx(number: number, width: Width, value: Bits | undefined): Bits {
    const { significands, exponents } = this.state;
    if (value === undefined) return bitsOf(width, significands[number] ?? 0n);
    if (value.width !== 64) throw new TypeError("MMX registers are written whole");
    significands[number] = value.bits;
    exponents[number] = 0xffff;
    return value;
  }

  setXmm(number: number, value: Bits): void {
    if (value.width !== 128) throw new TypeError("SSE registers are set whole");
    this.#xmm(number, 128, value);
  }

  useMmx(): void {
    this.state.top = 0;
    this.state.tags = 0xff;
  }

  emptyMmx(): void {
    this.state.top = 0;
    this.state.tags = 0;
  }

  constant(shape: "i8x16" | "i16x8" | "i32x4", lanes: readonly number[]): Bits {
    return join(lanes.map(BigInt), laneWidths[shape]);
  }

  binary(operation: VectorBinary, a: Bits, b: Bits): Bits {
    if (a.width !== 128 || b.width !== 128) throw new TypeError("vectors have 128 bits");
    const [shape, name = ""] = operation.split(".") as [LaneShape | "v128", string];
    if (shape === "v128") return bitsOf(128, bitwise(name, a.bits, b.bits));
    const width = laneWidths[shape];
    const sign = name.slice(-1);
    const [left, right] = [split(a, width), split(b, width)];
    if (name === "swizzle") return join(right.map((n) => left[Number(n)] ?? 0n), 8);
    if (name.startsWith("narrow")) {
      const wide = [...split(a, 2 * width), ...split(b, 2 * width)];
      const lanes = wide.map((lane) => saturate(BigInt.asIntN(2 * width, lane), width, sign));
      return join(lanes, width);
    }
    const half = (value: Bits) =>
      split(value, width / 2).map((lane) => sign === "s" ? BigInt.asIntN(width / 2, lane) : lane);
    if (name.startsWith("extmul") || name.startsWith("dot")) {
      const other = half(b);
      const products = half(a).map((lane, n) => lane * (other[n] ?? 0n));
      const count = products.length / 2;
      if (name.startsWith("dot")) {
        const pair = (n: number) => (products[2 * n] ?? 0n) + (products[2 * n + 1] ?? 0n);
        return join(Array.from({ length: count }, (_, n) => pair(n)), width);
      }
      const from = name.includes("high") ? count : 0;
      return join(products.slice(from, from + count), width);
    }
    const read = (lane: bigint) => name.endsWith("_s") ? BigInt.asIntN(width, lane) : lane;
    return join(
      left.map((lane, n) => onLane(name, width, read(lane), read(right[n] ?? 0n))),
      width,
    );
  }

  unary(operation: VectorUnary, a: Bits): Bits {
    const [shape, name = ""] = operation.split(".") as [LaneShape, string];
    const width = laneWidths[shape];
    if (name === "abs") {
      return join(
        split(a, width).map((lane) => {
          const value = BigInt.asIntN(width, lane);
          return value < 0n ? -value : value;
        }),
        width,
      );
    }
    const isSigned = name.endsWith("_s");
    const lanes = split(a, width / 2).map((lane) =>
      isSigned ? BigInt.asIntN(width / 2, lane) : lane
    );
    if (name.startsWith("extend_low")) return join(lanes.slice(0, lanes.length / 2), width);
    const pair = (n: number) => (lanes[2 * n] ?? 0n) + (lanes[2 * n + 1] ?? 0n);
    return join(Array.from({ length: lanes.length / 2 }, (_, n) => pair(n)), width);
  }

  shift(operation: VectorShift, a: Bits, count: number): Bits {
    const [shape, name] = operation.split(".") as [LaneShape, string];
    const width = laneWidths[shape];
    if (count < 0 || count >= width) throw new TypeError("a shift beyond the lane");
    return this.shiftBy(operation, a, bitsOf(64, BigInt(count)), name);
  }

  shiftBy(operation: VectorShift, a: Bits, count: Bits, name = operation.slice(6)): Bits {
    const width = laneWidths[operation.slice(0, 5) as LaneShape];
    const by = count.bits < BigInt(width) ? count.bits : BigInt(width);
    const lanes = split(a, width).map((lane) =>
      name === "shl" ? lane << by : name === "shr_u" ? lane >> by : BigInt.asIntN(width, lane) >> by
    );
    return join(lanes, width);
  }

  shuffle(a: Bits, b: Bits, bytes: readonly number[]): Bits {
    const all = [...split(a, 8), ...split(b, 8)];
    if (all.length !== 32 || bytes.length !== 16) throw new TypeError("vectors have 16 bytes");
    return join(
      bytes.map((n) => {
        const byte = all[n];
        if (byte === undefined) throw new TypeError(`two vectors have no byte ${n}`);
        return byte;
      }),
      8,
    );
  }

  bitselect(ones: Bits, zeros: Bits, mask: Bits): Bits {
    return bitsOf(128, ones.bits & mask.bits | zeros.bits & ~mask.bits);
  }

  extract(shape: LaneShape, a: Bits, lane: number): Bits {
    const value = split(a, laneWidths[shape])[lane];
    if (value === undefined) throw new TypeError(`there is no lane ${lane}`);
    return bitsOf(laneWidths[shape], value);
  }

  replace(shape: LaneShape, a: Bits, lane: number, value: Bits): Bits {
    if (value.width !== laneWidths[shape]) throw new TypeError(`${value.width} bits for ${shape}`);
    return join(split(a, value.width).with(lane, value.bits), value.width);
  }

  bitmask(shape: LaneShape, a: Bits): Bits {
    const top = BigInt(laneWidths[shape] - 1);
    return join(split(a, laneWidths[shape]).map((lane) => lane >> top), 1, 32);
  }

  anyTrue(a: Bits): Bits {
    return truth(a.bits !== 0n);
  }

  float(shape: FloatShape, operation: FloatOperation, a: Bits, b: Bits): Bits {
    const format = formatOf(shape);
    return this.#lanes(
      shape,
      [a, b],
      (env, [x, y], n) => floatArithmetic(format, operation, n, x, y, env),
    );
  }

  floatSqrt(shape: FloatShape, a: Bits): Bits {
    return this.#lanes(shape, [a, a], (env, [x]) => floatSqrt(formatOf(shape), x, env));
  }

  floatCompare(shape: FloatShape, predicate: number, a: Bits, b: Bits): Bits {
    const format = formatOf(shape);
    return this.#lanes(
      shape,
      [a, b],
      (env, [x, y]) => floatHolds(format, predicate, x, y, env) ? -1n : 0n,
    );
  }

  floatFlags(shape: "f32" | "f64", a: Bits, b: Bits, signals: boolean): void {
    let order: FloatOrder = "unordered";
    this.#lanes(shape, [a, b], (env, [x, y]) => {
      order = floatOrder(formatOf(shape), x, y, signals, env);
      return 0n;
    });
    const found = order as FloatOrder;
    for (const flag of [OF, SF, AF]) this.setFlag(flag, false);
    this.setFlag(ZF, found === "equal" || found === "unordered");
    this.setFlag(CF, found === "less" || found === "unordered");
    this.setFlag(PF, found === "unordered");
  }

  floatRound(shape: FloatShape, rounding: Rounding, a: Bits, tells: boolean): Bits {
    return this.#lanes(
      shape,
      [a, a],
      (env, [x]) => floatRound(formatOf(shape), x, this.#rounding(rounding), tells, env),
    );
  }

  floatEstimate(_shape: "f32" | "f32x4", operation: "rcp" | "rsqrt", a: Bits): Bits {
    return join(
      split(a, 32).map((lane) => BigInt(floatEstimate(operation, Number(lane)))),
      32,
      a.width,
    );
  }

  floatResize(to: FloatShape, a: Bits): Bits {
    const format = formatOf(to);
    const from = format === single ? double : single;
    const count = lanesOf(to) === 1 ? 1 : 2;
    const lanes = split(a, from.width).slice(0, count);
    const results = this.#raise(count, (n, env) => floatResize(from, format, lanes[n] ?? 0n, env));
    return join(results, format.width, count === 1 ? format.width : 128);
  }

  floatFromInteger(to: FloatShape, a: Bits): Bits {
    const format = formatOf(to);
    const count = lanesOf(to);
    const numbers = count === 1 ? [signed(a)] : split(a, 32).map((lane) => BigInt.asIntN(32, lane));
    const results = this.#raise(count, (n, env) => floatFromInteger(format, numbers[n] ?? 0n, env));
    return join(results, format.width, count === 1 ? format.width : 128);
  }

  floatToInteger(
    from: FloatShape,
    a: Bits,
    width: 32 | 64,
    rounding: "zero" | "current",
  ): Bits {
    const format = formatOf(from);
    const count = lanesOf(from);
    const lanes = split(a, format.width);
    const way = this.#rounding(rounding);
    const results = this.#raise(
      count,
      (n, env) => floatToInteger(format, lanes[n] ?? 0n, width, way, env),
    );
    return join(results, width, count === 1 ? width : 128);
  }

  compareStrings(control: number, a: Bits, b: Bits, lengths?: readonly [Bits, Bits]): Bits {
    const bytes = (value: Bits) => Uint8Array.from(split(value, 8), Number);
    const counts = lengths?.map(({ bits }) => Number(bits));
    const given = counts === undefined ? undefined : [counts[0] ?? 0, counts[1] ?? 0] as const;
    return bitsOf(32, BigInt(compareStrings(control, bytes(a), bytes(b), given)));
  }

  #rounding(rounding: Rounding): number {
    return rounding === "current" ? this.state.mxcsr >> 13 & 3 : roundings[rounding];
  }

  /** An operation on lanes of one format that gives lanes of it. */
  #lanes(
    shape: FloatShape,
    [a, b]: readonly [Bits, Bits],
    operation: (env: FloatEnvironment, lane: readonly [bigint, bigint], n: number) => bigint,
  ): Bits {
    const { width } = formatOf(shape);
    const count = lanesOf(shape);
    if (a.width !== width * count || b.width !== a.width) {
      throw new TypeError(`${shape} of ${a.width} bits`);
    }
    const [left, right] = [split(a, width), split(b, width)];
    const one = (n: number) => [left[n] ?? 0n, right[n] ?? 0n] as const;
    return join(this.#raise(count, (n, env) => operation(env, one(n), n)), width, a.width);
  }

  #raise(
    count: number,
    operation: (n: number, env: FloatEnvironment) => bigint,
  ): readonly bigint[] {
    const { lanes, mxcsr, raises } = inLanes(this.state.mxcsr, count, operation);
    this.state.mxcsr = mxcsr;
    if (raises) throw new Raised("#XM");
    return lanes;
  }
}

function bitwise(name: string, a: bigint, b: bigint): bigint {
  return name === "and" ? a & b : name === "andnot" ? a & ~b : name === "or" ? a | b : a ^ b;
}

/** An operation on one lane of each; both are signed already where its name says so. */
function onLane(name: string, width: number, a: bigint, b: bigint): bigint {
  const sign = name.slice(-1);
  switch (name.replace(/_[su]$/, "")) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "add_sat":
      return saturate(a + b, width, sign);
    case "sub_sat":
      return saturate(a - b, width, sign);
    case "avgr":
      return a + b + 1n >> 1n;
    case "q15mulr_sat":
      return saturate(a * b + 0x4000n >> 15n, width, sign);
    case "eq":
      return a === b ? -1n : 0n;
    case "gt":
      return a > b ? -1n : 0n;
    case "min":
      return a < b ? a : b;
    case "max":
      return a > b ? a : b;
  }
  throw new TypeError(`lanes have no operation "${name}"`);
}
