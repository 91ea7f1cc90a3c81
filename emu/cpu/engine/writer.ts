/**
 * The emitter that writes WebAssembly: what instructions do to registers, memory
 * and control, as code.
 *
 * Where registers are and where an instruction's numbers come from is left to
 * those who extend it: the interpreter's handlers find both in a
 * micro-operation, a compiled block knows them.
 *
 * @module
 */

import type { Local } from "../../../wasm/types.ts";
import type { Code } from "../../../wasm/code.ts";
import type { Instruction } from "../instruction.ts";
import { PREFIX_REP, PREFIX_REPNE } from "../instruction.ts";
import * as at from "../layout.ts";
import type { Form, Operand } from "../opcodes/form.ts";
import { widthOf } from "../operand.ts";
import {
  type Emitter,
  type Fault,
  type VectorEmitter,
  type Width,
  ZF,
} from "../semantics/emitter.ts";
import { mustBeAligned } from "../vector_operands.ts";
import { MemoryWriter } from "./memory_writer.ts";
import { type Machinery, NoCodeError, type Shape } from "./machinery.ts";
import type { Value } from "./values.ts";
import { VectorWriter } from "./vector_writer.ts";

/** A value that is not worked out unless somebody wants it as such. */
interface Relative extends Value {
  readonly relative: "next" | "distance" | "target";
}

/** Elements of a string before the machine may look around; so many count as an instruction. */
const elementsAStep = 1 << 12;

/** Writes instructions as WebAssembly. */
export abstract class CodeEmitter extends MemoryWriter implements Emitter<Value> {
  i!: Instruction;
  form!: Form;
  #shape!: Shape;
  readonly #vector: VectorWriter;
  /** Where the instruction jumps, if it does: as i64, or known. */
  protected target: { value: Value; direct: boolean; conditional: Local | undefined } | undefined;
  /** Host addresses of operands that were read to be written. */
  #updated = new Map<number, Local>();
  /** How many conditions are open. */
  #depth = 0;
  /** Set in a condition where the instruction jumps. */
  #jumped: Local | undefined;

  /** Pushes where the general register that an operand names starts, and gives what to add. */
  protected abstract pushRegisterAddress(which: "rm" | "reg"): number;
  /** Pushes an immediate of some width. */
  protected abstract pushImmediate(which: 1 | 2, width: Width): void;
  /** The memory operand's offset within its segment, not yet cut to the address size. */
  protected abstract pushOffset(wide: boolean): void;
  /** Pushes the address behind the instruction, i64, not cut. */
  protected abstract pushNext(): void;
  /** Starts the instruction over, later: the machine may look around before. */
  protected abstract startOver(): void;
  /** Pushes how many instructions of the slice have not retired, with this one. */
  protected abstract pushToCome(): void;

  protected constructor(code: Code, machinery: Machinery) {
    super(code, machinery);
    this.#vector = new VectorWriter(this, machinery, (call) => {
      this.pushPc();
      this.beforeCall();
      code.call(call);
      this.afterCall();
      code.i32Eqz().brIf(this.faulted);
    });
  }

  /** Pushes how far the SSE or MMX register that an operand names is from the first one. */
  protected pushVectorRegister(which: "rm" | "reg", isMmx: boolean): void {
    this.c.i32Const(16 * (isMmx ? this.i[which] & 7 : this.i[which]));
  }

  get vector(): VectorEmitter<Value> {
    return this.#vector;
  }

  /** What is to be written next. */
  protected begin(shape: Shape): void {
    this.#shape = shape;
    this.i = shape.i;
    this.form = shape.form;
    this.mode = shape.mode;
    this.isFlat = shape.flat;
    this.target = undefined;
    this.#updated.clear();
    this.releaseLocals();
    this.#vector.checkAvailable(shape.form);
  }

  when(condition: Value, then: () => void): void {
    const { c } = this;
    const known = this.known(condition);
    if (known !== undefined) {
      if (known === 1) then();
      return;
    }
    this.flushFlags();
    if (this.form.row.ends === true && this.#depth === 0) {
      this.#jumped = this.variable("i32");
      c.i32Const(0).localSet(this.#jumped);
    }
    this.raw(condition);
    const label = c.if();
    this.#depth++;
    then();
    this.flushFlags();
    this.#depth--;
    c.end(label);
  }

  fault(fault: Fault, condition?: Value): void {
    if (condition === undefined) return this.raise(fault);
    if (this.known(condition) === 0) return;
    this.raw(condition);
    this.raiseIf(fault);
  }

  read(operand: number): Value {
    const o = this.#operandAt(operand);
    if (o.kind === "J") return this.#relative("distance");
    return this.#isMemory(o) ? this.load(...this.#place(operand)) : this.#readRegister(o);
  }

  update(operand: number): Value {
    const o = this.#operandAt(operand);
    if (!this.#isMemory(o)) return this.#readRegister(o);
    const [segment, address, width] = this.#place(operand);
    const host = this.hostFor("update", segment, address, width);
    this.#updated.set(operand, host);
    return this.loadHost(host, width);
  }

  write(operand: number, value: Value): void {
    const o = this.#operandAt(operand);
    if (!this.#isMemory(o)) return this.#writeRegister(o, value);
    const host = this.#updated.get(operand);
    if (host === undefined) {
      const [segment, address] = this.#place(operand);
      return this.store(segment, address, value);
    }
    this.storeHost(host, value);
    this.finishIfScratch(host);
  }

  writeAfterPop(value: Value, bytes: number): void {
    // An address that starts from SP is formed as if SP had moved already.
    const wide = this.i.addressSize as Width;
    const address = this.address();
    const moved = this.i.base === 4 ? this.add(address, this.constant(bytes, wide)) : address;
    this.store(this.i.segment, moved, value);
  }

  address(): Value {
    const { addressSize } = this.i;
    this.pushOffset(addressSize === 64);
    return this.keep(addressSize as Width, addressSize >= 32);
  }

  register(number: number, width: Width): Value {
    return this.readGeneral(number, width);
  }

  setRegister(number: number, value: Value): void {
    this.writeGeneral(number, value);
  }

  ah(): Value {
    return this.readGeneral("ah", 8);
  }

  setAh(value: Value): void {
    this.writeGeneral("ah", value);
  }

  /** An immediate as a value. */
  protected immediate(which: 1 | 2, width: Width): Value {
    this.pushImmediate(which, width);
    return this.keep(width);
  }

  /** A general register: that of an operand, one by its number, or AH. */
  protected readGeneral(which: "rm" | "reg" | "ah" | number, width: Width): Value {
    const { c } = this;
    const offset = this.#pushGeneral(which);
    if (width === 8) c.i32Load8U(offset);
    else if (width === 16) c.i32Load16U(offset);
    else if (width === 32) c.i32Load(offset);
    else c.i64Load(offset);
    return this.keep(width);
  }

  /** Sets it: 32 bits clear those above, fewer leave them. */
  protected writeGeneral(which: "rm" | "reg" | "ah" | number, value: Value): void {
    const { c } = this;
    const offset = this.#pushGeneral(which);
    this.raw(value);
    if (value.width === 8) c.i32Store8(offset);
    else if (value.width === 16) c.i32Store16(offset);
    else if (value.width === 32) c.i64ExtendI32U().i64Store(offset);
    else c.i64Store(offset);
  }

  #pushGeneral(which: "rm" | "reg" | "ah" | number): number {
    if (which === "rm" || which === "reg") return this.pushRegisterAddress(which);
    this.c.i32Const(0);
    return which === "ah" ? at.REGISTERS + 1 : at.REGISTERS + 8 * which;
  }

  selector(number: number): Value {
    this.c.i32Const(0).i32Load16U(at.SEGMENTS + at.SEGMENT_SIZE * number + 8);
    return this.keep(16);
  }

  flagsRegister(): Value {
    const { c } = this;
    this.flushFlags();
    this.pushPc();
    c.call(this.machinery.readFlags);
    const flags = this.keep(32);
    this.raw(flags).i32Const(-1).i32Eq().brIf(this.faulted);
    return this.zeroExtend(flags, 64);
  }

  setFlagsRegister(value: Value, mask: number): void {
    const { c } = this;
    this.narrow(value).i32Const(mask);
    this.pushPc();
    c.call(this.machinery.writeFlags).i32Eqz().brIf(this.faulted);
  }

  next(): Value {
    return this.#relative("next");
  }

  jump(target: Value): void {
    const { c } = this;
    const { operandSize } = this.i;
    const relative = (target as Partial<Relative>).relative;
    const direct = relative === "target" && operandSize !== 16 && this.#shape.flat;
    if (!direct) {
      if (this.mode === 64) {
        this.raw(target);
        this.raw(target).i64Const(16);
        c.i64Shl().i64Const(16).i64ShrS().i64Ne();
        this.raiseIf("#GP");
      } else if (!this.#shape.flat) {
        this.clean(target);
        c.i32Const(0).i32Load(at.SEGMENTS + at.SEGMENT_SIZE).i32GtU();
        this.raiseIf("#GP");
      }
    }
    const conditional = this.#depth > 0 ? this.#jumped : undefined;
    if (conditional !== undefined) c.i32Const(1).localSet(conditional);
    this.target = { value: target, direct, conditional };
  }

  timeStamp(): Value {
    const { c } = this;
    const time = this.variable("i64");
    // Time is instructions: those that have not retired yet are still to come.
    c.i32Const(0).i64Load(at.TSC_END);
    this.pushToCome();
    c.i64ExtendI32S().i64Sub().localSet(time);
    c.i32Const(0).i32Load(at.TSC_ASKED);
    const asked = c.if(undefined, "unlikely");
    this.beforeCall();
    this.pushPc();
    c.call(this.machinery.timeStamp).localSet(time);
    this.afterCall();
    c.localGet(time).i64Const(-1).i64Eq().brIf(this.faulted);
    c.end(asked);
    return { width: 64, local: time, low: 0, high: 0, isClean: true, most: Infinity };
  }

  stackWidth(): Width {
    return this.#shape.stack;
  }

  repeat(element: () => void, compares: boolean): void {
    const { c } = this;
    const { prefixes } = this.i;
    if ((prefixes & (PREFIX_REP | PREFIX_REPNE)) === 0) return element();
    const width = this.i.addressSize as Width;
    const left = this.variable("i32");
    c.localSet(left, c.i32Const(elementsAStep) as Code);
    // What compares and then faults leaves flags as they were before the first element.
    const [result, aux] = [this.variable("i64"), this.variable("i32")];
    if (compares) {
      this.pushResult();
      c.localSet(result);
      this.pushAux();
      c.localSet(aux);
    }
    const done = c.block();
    this.faultedWithin = compares ? c.block() : undefined;
    const again = c.loop();
    const count = this.register(1, width);
    this.raw(this.equal(count, this.constant(0, width))).brIf(done);
    element();
    this.setRegister(1, this.sub(count, this.constant(1, width)));
    this.flushFlags();
    if (compares) {
      this.raw(this.flag(ZF));
      if ((prefixes & PREFIX_REP) !== 0) c.i32Eqz();
      c.brIf(done);
    }
    c.localGet(left).i32Const(1).i32Sub().localTee(left).brIf(again);
    const rest = this.register(1, width);
    this.raw(this.equal(rest, this.constant(0, width))).brIf(done);
    this.startOver();
    c.end(again);
    if (this.faultedWithin !== undefined) {
      c.end(this.faultedWithin);
      this.faultedWithin = undefined;
      this.replaceFlags();
      this.storeResult(() => void c.localGet(result));
      this.storeAux(() => void c.localGet(aux));
      c.br(this.faulted);
    }
    c.end(done);
  }

  #operandAt(number: number): Operand {
    const operand = this.form.operands[number];
    if (operand === undefined) {
      throw new TypeError(`"${this.form.row.text}" has no operand ${number}`);
    }
    return operand;
  }

  #isMemory({ kind }: Operand): boolean {
    return kind === "O" || kind === "BBb" || this.i.isMemory && "EMWQ".includes(kind);
  }

  /** Segment, offset and width of an operand in memory. */
  #place(operand: number): [number, Value, Width] {
    const { kind, size, memory } = this.#operandAt(operand);
    const { i, mode } = this;
    const wide = i.addressSize as Width;
    if (kind === "O") {
      this.pushImmediate(1, wide);
      return [i.segment, this.keep(wide), widthOf(size, i, mode) as Width];
    }
    if (kind === "BBb") {
      const at = this.add(this.register(3, wide), this.zeroExtend(this.register(0, 8), wide));
      return [i.segment, at, 8];
    }
    const address = this.address();
    if (mustBeAligned(this.form, operand)) this.requireAligned(i.segment, address, 16);
    return [i.segment, address, widthOf(memory, i, mode) as Width];
  }

  /** The register that an operand names: which of the instruction's, or which number. */
  #registerOf({ kind, text }: Operand): "rm" | "reg" | number | undefined {
    if (kind === "G") return "reg";
    if (kind === "E" || kind === "R" || kind === "M" || kind === "Z") return "rm";
    if (kind !== "fixed") return undefined;
    const named = ["AL", "AX", "eAX", "rAX", "CL", "DX"].indexOf(text);
    return named < 0 ? undefined : named < 4 ? 0 : named === 4 ? 1 : 2;
  }

  /** How the SSE or MMX register that an operand names is pushed, if it names one. */
  #vectorRegister({ kind, text }: Operand): { isMmx: boolean; push: () => void } | undefined {
    if (text === "XMM0") return { isMmx: false, push: () => this.c.i32Const(0) };
    const isMmx = "PQN".includes(kind);
    if (!isMmx && !"VWU".includes(kind)) return undefined;
    const which = kind === "P" || kind === "V" ? "reg" : "rm";
    return { isMmx, push: () => this.pushVectorRegister(which, isMmx) };
  }

  #readRegister(operand: Operand): Value {
    const { kind, size, text } = operand;
    const width = widthOf(size, this.i, this.mode) as Width;
    const vector = this.#vectorRegister(operand);
    if (vector !== undefined) {
      vector.push();
      return vector.isMmx ? this.#vector.loadMmx(width) : this.#vector.loadXmm(width);
    }
    const register = this.#registerOf(operand);
    if (register !== undefined) {
      return this.readGeneral(register, width);
    }
    if (kind === "I") {
      const wide = size === "bs" || size === "z" ? this.i.operandSize as Width : width;
      const second = text === "Ib" && this.i.opcode === 0xc8;
      return this.immediate(second ? 2 : 1, wide);
    }
    if (kind === "S") return this.selector(this.i.reg & 7);
    if (text === "1") return this.constant(1, 8);
    const segment = ["ES", "CS", "SS", "DS", "FS", "GS"].indexOf(text);
    if (segment >= 0) return this.selector(segment);
    throw new NoCodeError(`operand ${text} has no code`);
  }

  #writeRegister(operand: Operand, value: Value): void {
    const vector = this.#vectorRegister(operand);
    if (vector?.isMmx === true) return this.#vector.storeMmx(vector.push, value);
    if (vector !== undefined) return this.#vector.storeXmm(vector.push, value);
    const register = this.#registerOf(operand);
    if (register === undefined) throw new TypeError(`operand ${operand.text} is not written`);
    this.writeGeneral(register, value);
  }

  // Addresses of code, worked out only if wanted.

  #relative(relative: Relative["relative"]): Relative {
    const width = this.i.operandSize as Width;
    return { width, local: undefined, low: 0, high: 0, isClean: false, most: Infinity, relative };
  }

  override raw(value: Value): Code {
    const relative = (value as Partial<Relative>).relative;
    if (relative === undefined) return super.raw(value);
    const { c } = this;
    if (relative === "distance") {
      this.pushImmediate(1, value.width);
      return c;
    }
    this.pushNext();
    if (relative === "target") {
      this.pushImmediate(1, 64);
      c.i64Add();
    }
    if (value.width < 64) c.i32WrapI64();
    return c;
  }

  override add(a: Value, b: Value): Value {
    if (
      (a as Partial<Relative>).relative === "next" &&
      (b as Partial<Relative>).relative === "distance"
    ) {
      return this.#relative("target");
    }
    return super.add(a, b);
  }
}
