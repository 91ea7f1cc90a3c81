/**
 * Vectors as WebAssembly: nearly every word of the vocabulary is one instruction.
 *
 * @module
 */

import type { Camel, Instructions } from "../../../wasm/code.ts";
import * as at from "../layout.ts";
import type { Form } from "../opcodes/form.ts";
import type {
  LaneShape,
  VectorBinary,
  VectorEmitter,
  VectorShift,
  VectorUnary,
  Width,
} from "../semantics/emitter.ts";
import { vectorNeeds } from "../vector_operands.ts";
import { statusBits } from "../x87/registers.ts";
import { needs } from "./float_calls.ts";
import { FloatWriter } from "./float_writer.ts";
import type { Value } from "./values.ts";

const laneWidths = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 } as const;

/** Names of instructions as the code writer has them, for those of one kind. */
function method<Name extends VectorBinary | VectorUnary | VectorShift>(
  name: Name,
): Camel<Name> & keyof Instructions {
  const camel = name.replace(/[._](.)/g, (_, letter: string) => letter.toUpperCase());
  return camel as Camel<Name> & keyof Instructions;
}

/** Writes what works on vectors. */
export class VectorWriter extends FloatWriter implements VectorEmitter<Value> {
  /** Ends the instruction unless the registers that its row needs may be used. */
  checkAvailable(form: Form): void {
    const need = vectorNeeds(form);
    if (need === undefined) return;
    const { c } = this;
    c.i32Const(0).i32Load(at.VECTOR_BLOCKED).i32Const(needs[need]).i32And();
    if ((needs[need] & needs.mmx) !== 0) {
      // An exception of x87 may wait.
      c.i32Const(0).i32Load(at.FPU_STATUS).i32Const(statusBits.ES).i32And().i32Or();
    }
    const blocked = c.if(undefined, "unlikely");
    c.i32Const(needs[need]);
    this.callOrFault(this.machinery.requireVectors);
    c.end(blocked);
  }

  constant(shape: "i8x16" | "i16x8" | "i32x4", lanes: readonly number[]): Value {
    const bytes = laneWidths[shape] / 8;
    const all = lanes.flatMap((lane) =>
      Array.from({ length: bytes }, (_, n) => lane >> 8 * n & 0xff)
    );
    this.c.v128Const(all);
    return this.values.keep(128);
  }

  binary(operation: VectorBinary, a: Value, b: Value): Value {
    this.values.raw(a);
    this.values.raw(b);
    this.c[method(operation)]();
    return this.values.keep(128);
  }

  unary(operation: VectorUnary, a: Value): Value {
    this.values.raw(a);
    this.c[method(operation)]();
    return this.values.keep(128);
  }

  shift(operation: VectorShift, a: Value, count: number): Value {
    this.values.raw(a).i32Const(count);
    this.c[method(operation)]();
    return this.values.keep(128);
  }

  shiftBy(operation: VectorShift, a: Value, count: Value): Value {
    const { c, values } = this;
    const width = laneWidths[operation.slice(0, 5) as LaneShape];
    values.raw(a);
    if (operation.endsWith("shr_s")) {
      // A count that is too large leaves the sign, as the largest that is not does.
      values.raw(count).i64Const(width - 1);
      values.raw(count).i64Const(width - 1);
      c.i64LtU().select().i32WrapI64();
      c[method(operation)]();
      return values.keep(128);
    }
    // WebAssembly takes counts modulo the width.
    values.raw(count).i32WrapI64();
    c[method(operation)]().v128Const(new Uint8Array(16));
    values.raw(count).i64Const(width);
    c.i64LtU().select();
    return values.keep(128);
  }

  shuffle(a: Value, b: Value, bytes: readonly number[]): Value {
    this.values.raw(a);
    this.values.raw(b).i8x16Shuffle(bytes);
    return this.values.keep(128);
  }

  bitselect(ones: Value, zeros: Value, mask: Value): Value {
    const { values } = this;
    values.raw(ones);
    values.raw(zeros);
    values.raw(mask).v128Bitselect();
    return values.keep(128);
  }

  extract(shape: LaneShape, a: Value, lane: number): Value {
    const c = this.values.raw(a);
    if (shape === "i8x16") c.i8x16ExtractLaneU(lane);
    else if (shape === "i16x8") c.i16x8ExtractLaneU(lane);
    else if (shape === "i32x4") c.i32x4ExtractLane(lane);
    else c.i64x2ExtractLane(lane);
    return this.values.keep(laneWidths[shape]);
  }

  replace(shape: LaneShape, a: Value, lane: number, value: Value): Value {
    const { c, values } = this;
    values.raw(a);
    values.raw(value);
    if (shape === "i8x16") c.i8x16ReplaceLane(lane);
    else if (shape === "i16x8") c.i16x8ReplaceLane(lane);
    else if (shape === "i32x4") c.i32x4ReplaceLane(lane);
    else c.i64x2ReplaceLane(lane);
    return values.keep(128);
  }

  bitmask(shape: LaneShape, a: Value): Value {
    const c = this.values.raw(a);
    if (shape === "i8x16") c.i8x16Bitmask();
    else if (shape === "i16x8") c.i16x8Bitmask();
    else if (shape === "i32x4") c.i32x4Bitmask();
    else c.i64x2Bitmask();
    return this.values.keep(32, true, 2 ** (128 / laneWidths[shape]) - 1);
  }

  anyTrue(a: Value): Value {
    this.values.raw(a).v128AnyTrue();
    return this.values.keep(1);
  }

  compareStrings(
    control: number,
    a: Value,
    b: Value,
    lengths?: readonly [Value, Value],
  ): Value {
    const { c, values } = this;
    this.handOver(a, b);
    c.i32Const(control & 0xff);
    if (lengths === undefined) c.i32Const(-1).i32Const(-1);
    else lengths.forEach((length) => values.raw(length));
    c.call(this.machinery.compareStrings);
    return values.keep(32);
  }

  setXmm(number: number, value: Value): void {
    this.c.i32Const(0);
    this.values.raw(value).v128Store(at.XMM + 16 * number);
  }

  useMmx(): void {
    this.#setStack(0xff);
  }

  emptyMmx(): void {
    this.#setStack(0);
  }

  /** Sets TOP to 0, and the tags. */
  #setStack(tags: number): void {
    this.c.i32Const(0).i32Const(0).i32Store(at.FPU_TOP);
    this.c.i32Const(0).i32Const(tags).i32Store(at.FPU_TAGS);
  }

  /** Reads the SSE register at the address on the stack. */
  loadXmm(width: Width): Value {
    const { c } = this;
    if (width === 128) c.v128Load(at.XMM);
    else if (width === 64) c.i64Load(at.XMM);
    else if (width === 32) c.i32Load(at.XMM);
    else c.i32Load16U(at.XMM);
    return this.values.keep(width);
  }

  /** Writes the SSE register that is pushed, as wide as the value is. */
  storeXmm(push: () => void, value: Value): void {
    push();
    const c = this.values.raw(value);
    if (value.width === 128) c.v128Store(at.XMM);
    else if (value.width === 64) c.i64Store(at.XMM);
    else c.i32Store(at.XMM);
  }

  /** Reads the MMX register at the address on the stack. */
  loadMmx(width: Width): Value {
    const { c } = this;
    if (width === 64) c.i64Load(at.FPU_REGISTERS);
    else c.i32Load(at.FPU_REGISTERS);
    return this.values.keep(width);
  }

  /** Writes the MMX register that is pushed; as an x87 register it becomes a NaN. */
  storeMmx(push: () => void, value: Value): void {
    push();
    this.values.raw(value).i64Store(at.FPU_REGISTERS);
    push();
    this.c.i32Const(0xffff).i32Store16(at.FPU_REGISTERS + 8);
  }
}
