/**
 * The referee: executes one instruction by its description, on plain state, with
 * big integers. Slow and obvious; what runs fast is held against it.
 *
 * Segments have bases here; their limits and types, paging and privileges are
 * not its matter.
 *
 * @module
 */

import { DECODED, Decoder, longestInstruction } from "./decode.ts";
import { type Bits, bitsOf, Raised, signed, truth } from "./evaluate_bits.ts";
import { type EvaluatedVectors, resetVectors, VectorEvaluator } from "./evaluate_vector.ts";
import {
  Instruction,
  type Mode,
  NO_REGISTER,
  PREFIX_REP,
  PREFIX_REPNE,
  RIP,
} from "./instruction.ts";
import type { Form } from "./opcodes/form.ts";
import { widthOf } from "./operand.ts";
import {
  AF,
  CF,
  type Emitter,
  type Fault,
  OF,
  type Pair,
  PF,
  SF,
  type Width,
  ZF,
} from "./semantics/emitter.ts";
import { semanticsOf } from "./semantics/mod.ts";
import { mustBeAligned } from "./vector_operands.ts";

/** Memory by linear address. */
export interface EvaluatedMemory {
  /** One byte, or `undefined` where reading it faults. */
  load(address: bigint): number | undefined;
  /** Whether a byte can be written. */
  canStore(address: bigint): boolean;
  /** Writes one byte that can be written. */
  store(address: bigint, value: number): void;
}

/** What an instruction starts from and changes. */
export interface EvaluatedState {
  /** Width of the code. */
  mode: Mode;
  /** RAX to R15, in the order of their numbers. */
  readonly registers: BigUint64Array;
  /** The instruction pointer. */
  rip: bigint;
  /** The flags register; bit 1 is set. */
  flags: number;
  /** Selectors: ES, CS, SS, DS, FS, GS. */
  readonly selectors: Uint16Array;
  /** Bases of these segments. */
  readonly bases: BigUint64Array;
  /** Privilege level. */
  cpl: number;
  /** Width of the stack pointer. */
  stack: 16 | 32 | 64;
  /** Memory. */
  readonly memory: EvaluatedMemory;
  /** The time-stamp counter; zero where there is none. */
  readonly timeStamp?: () => bigint;
  /** Elements of a string that one step does at most; 4096 if absent. */
  readonly elementsAStep?: number;
  /** Registers of SSE and MMX; none given: as after reset, and forgotten. */
  readonly vectors?: EvaluatedVectors;
}

/** How it went. */
export interface Outcome {
  /** The exception it raised, if it did; then nothing changed but what elements of a string did. */
  readonly fault?: Fault | "#PF";
  /** The linear address that faulted. */
  readonly address?: bigint;
  /** Flags that the manual leaves undefined here. */
  readonly undefinedFlags: number;
}

/** The row has no description: such an instruction cannot be executed. */
export class NoSemanticsError extends RangeError {
  override name = "NoSemanticsError";
}

/** How many elements of a string one step does before it leaves the rest to the next. */
const elementsAStep = 1 << 12;

/**
 * Executes the instruction at `rip`.
 *
 * @throws {NoSemanticsError} If its row has no description.
 */
export function evaluate(state: EvaluatedState, decoder: Decoder): Outcome {
  const code = new Uint8Array(longestInstruction);
  let available = 0;
  const start = state.bases[1] ?? 0n;
  while (available < code.length) {
    const byte = state.memory.load(BigInt.asUintN(64, start + state.rip + BigInt(available)));
    if (byte === undefined) break;
    code[available++] = byte;
  }
  const i = new Instruction();
  const status = decoder.decode(code, 0, available, i);
  const form = decoder.forms[i.form];
  if (status !== DECODED || form === undefined) {
    return { fault: status === 1 ? "#UD" : status === 2 ? "#GP" : "#PF", undefinedFlags: 0 };
  }
  const semantics = semanticsOf(form);
  if (semantics === undefined) {
    throw new NoSemanticsError(`"${form.row.text}" (${form.row.opcode}) has no semantics`);
  }
  const emitter = new Evaluator(state, i, form);
  try {
    semantics(emitter);
  } catch (raised) {
    if (!(raised instanceof Raised)) throw raised;
    const { fault, address } = raised;
    emitter.rollBack();
    emitter.vector.rollBack(fault === "#XM");
    return {
      ...{ fault, undefinedFlags: emitter.undefined },
      ...address === undefined ? {} : { address },
    };
  }
  state.rip = emitter.target ?? emitter.nextAddress();
  return { undefinedFlags: emitter.undefined };
}

/** The emitter that computes at once. */
export class Evaluator implements Emitter<Bits> {
  readonly mode: Mode;
  readonly vector: VectorEvaluator;
  /** Where to go on, if not behind the instruction. */
  target: bigint | undefined;
  /** Flags that were said to be undefined. */
  undefined = 0;
  #registers: BigUint64Array;
  #flags: number;
  /** Bytes stored, with what stood there before. */
  #undo: [address: bigint, was: number][] = [];

  constructor(readonly state: EvaluatedState, readonly i: Instruction, readonly form: Form) {
    this.mode = state.mode;
    this.#registers = state.registers.slice();
    this.#flags = state.flags;
    this.vector = new VectorEvaluator(
      state.vectors ?? resetVectors(),
      (flag, value) => this.#setFlag(flag, value),
    );
  }

  /** Puts everything back to where the instruction, or its last whole element, had it. */
  rollBack(): void {
    this.state.registers.set(this.#registers);
    this.state.flags = this.#flags;
    for (const [address, was] of this.#undo.reverse()) this.state.memory.store(address, was);
  }

  #commit(): void {
    this.#registers = this.state.registers.slice();
    this.#flags = this.state.flags;
    this.#undo = [];
  }

  constant(value: number, width: Width): Bits {
    return bitsOf(width, BigInt(value));
  }

  width(value: Bits): Width {
    return value.width;
  }

  add(a: Bits, b: Bits): Bits {
    return this.#same(a, b, a.bits + b.bits);
  }

  sub(a: Bits, b: Bits): Bits {
    return this.#same(a, b, a.bits - b.bits);
  }

  mul(a: Bits, b: Bits): Bits {
    return this.#same(a, b, a.bits * b.bits);
  }

  mulWide(a: Bits, b: Bits, isSigned: boolean): Pair<Bits> {
    const product = isSigned ? signed(a) * signed(b) : a.bits * b.bits;
    return {
      low: this.#same(a, b, product),
      high: bitsOf(a.width, product >> BigInt(a.width)),
    };
  }

  divWide(high: Bits, low: Bits, divisor: Bits, isSigned: boolean): Pair<Bits> {
    const { width } = divisor;
    if (divisor.bits === 0n) throw new Raised("#DE");
    const joined = high.bits << BigInt(width) | low.bits;
    const dividend = isSigned ? BigInt.asIntN(width * 2, joined) : joined;
    const by = isSigned ? signed(divisor) : divisor.bits;
    const quotient = dividend / by;
    const fits = isSigned ? BigInt.asIntN(width, quotient) : BigInt.asUintN(width, quotient);
    if (fits !== quotient) throw new Raised("#DE");
    return { low: bitsOf(width, quotient), high: bitsOf(width, dividend % by) };
  }

  and(a: Bits, b: Bits): Bits {
    return this.#same(a, b, a.bits & b.bits);
  }

  or(a: Bits, b: Bits): Bits {
    return this.#same(a, b, a.bits | b.bits);
  }

  xor(a: Bits, b: Bits): Bits {
    return this.#same(a, b, a.bits ^ b.bits);
  }

  not(a: Bits): Bits {
    return bitsOf(a.width, ~a.bits);
  }

  shl(a: Bits, count: Bits): Bits {
    return count.bits >= BigInt(a.width)
      ? bitsOf(a.width, 0n)
      : bitsOf(a.width, a.bits << count.bits);
  }

  shr(a: Bits, count: Bits): Bits {
    return count.bits >= BigInt(a.width)
      ? bitsOf(a.width, 0n)
      : bitsOf(a.width, a.bits >> count.bits);
  }

  sar(a: Bits, count: Bits): Bits {
    const most = BigInt(a.width - 1);
    return bitsOf(a.width, signed(a) >> (count.bits > most ? most : count.bits));
  }

  countTrailing(a: Bits): Bits {
    let n = 0;
    while (n < a.width && (a.bits >> BigInt(n) & 1n) === 0n) n++;
    return bitsOf(a.width, BigInt(n));
  }

  countLeading(a: Bits): Bits {
    return bitsOf(a.width, BigInt(a.width - (a.bits === 0n ? 0 : a.bits.toString(2).length)));
  }

  countOnes(a: Bits): Bits {
    return bitsOf(a.width, BigInt(a.bits.toString(2).replaceAll("0", "").length));
  }

  equal(a: Bits, b: Bits): Bits {
    this.#same(a, b, 0n);
    return truth(a.bits === b.bits);
  }

  below(a: Bits, b: Bits): Bits {
    this.#same(a, b, 0n);
    return truth(a.bits < b.bits);
  }

  less(a: Bits, b: Bits): Bits {
    this.#same(a, b, 0n);
    return truth(signed(a) < signed(b));
  }

  select(condition: Bits, yes: Bits, no: Bits): Bits {
    this.#same(yes, no, 0n);
    return condition.bits === 1n ? yes : no;
  }

  truncate(a: Bits, width: Width): Bits {
    if (width > a.width) throw new TypeError(`${a.width} bits cut to ${width}`);
    return bitsOf(width, a.bits);
  }

  zeroExtend(a: Bits, width: Width): Bits {
    if (width < a.width) throw new TypeError(`${a.width} bits extended to ${width}`);
    return bitsOf(width, a.bits);
  }

  signExtend(a: Bits, width: Width): Bits {
    if (width < a.width) throw new TypeError(`${a.width} bits extended to ${width}`);
    return bitsOf(width, signed(a));
  }

  when(condition: Bits, then: () => void): void {
    if (condition.width !== 1) throw new TypeError("a condition is a truth value");
    if (condition.bits === 1n) then();
  }

  fault(fault: Fault, condition?: Bits): void {
    if (condition === undefined || condition.bits === 1n) throw new Raised(fault);
  }

  read(operand: number): Bits {
    return this.#operand(operand, undefined, false);
  }

  update(operand: number): Bits {
    return this.#operand(operand, undefined, true);
  }

  write(operand: number, value: Bits): void {
    this.#operand(operand, value, true);
  }

  writeAfterPop(value: Bits, bytes: number): void {
    if (!this.i.isMemory) throw new TypeError("only memory has an address");
    const moved = this.i.base === 4 ? bytes : 0;
    const { bits } = this.address();
    this.store(this.i.segment, bitsOf(this.i.addressSize as Width, bits + BigInt(moved)), value);
  }

  address(): Bits {
    const { base, index, shift, disp, addressSize } = this.i;
    const width = addressSize as Width;
    let sum = BigInt(disp);
    if (base === RIP) sum += this.state.rip + BigInt(this.i.length);
    else if (base !== NO_REGISTER) sum += this.state.registers[base] ?? 0n;
    if (index !== NO_REGISTER) sum += (this.state.registers[index] ?? 0n) << BigInt(shift);
    return bitsOf(width, sum);
  }

  register(number: number, width: Width): Bits {
    return bitsOf(width, this.state.registers[number] ?? 0n);
  }

  setRegister(number: number, { width, bits }: Bits): void {
    const { registers } = this.state;
    const kept = width >= 32 ? 0n : (registers[number] ?? 0n) >> BigInt(width) << BigInt(width);
    registers[number] = kept | bits;
  }

  ah(): Bits {
    return this.#highByte(0);
  }

  setAh(value: Bits): void {
    this.#setHighByte(0, value);
  }

  selector(number: number): Bits {
    return bitsOf(16, BigInt(this.state.selectors[number] ?? 0));
  }

  load(segment: number, address: Bits, width: Width): Bits {
    const at = this.#linear(segment, address, width / 8);
    let bits = 0n;
    for (let n = 0; n < width / 8; n++) {
      const where = this.#byte(at, n);
      const byte = this.state.memory.load(where);
      if (byte === undefined) throw new Raised("#PF", where);
      bits |= BigInt(byte) << BigInt(8 * n);
    }
    return bitsOf(width, bits);
  }

  loadForStore(segment: number, address: Bits, width: Width): Bits {
    this.#requireStore(this.#linear(segment, address, width / 8), width / 8);
    return this.load(segment, address, width);
  }

  store(segment: number, address: Bits, { width, bits }: Bits): void {
    const at = this.#linear(segment, address, width / 8);
    this.#requireStore(at, width / 8);
    for (let n = 0; n < width / 8; n++) {
      const where = this.#byte(at, n);
      this.#undo.push([where, this.state.memory.load(where) ?? 0]);
      this.state.memory.store(where, Number(bits >> BigInt(8 * n) & 0xffn));
    }
  }

  requireAligned(segment: number, address: Bits, bytes: number): void {
    if (this.#linear(segment, address, bytes) % BigInt(bytes) !== 0n) throw new Raised("#GP");
  }

  flag(flag: number): Bits {
    return truth((this.state.flags & flag) !== 0);
  }

  setFlag(flag: number, value: Bits): void {
    if (value.width !== 1) throw new TypeError("a flag is a truth value");
    this.#setFlag(flag, value.bits === 1n);
  }

  flagsOfSum(a: Bits, b: Bits, sum: Bits, keep = 0): void {
    // A bit carries out if both have it, or one has it and the sum has lost it.
    this.#carries((a.bits & b.bits) | ((a.bits | b.bits) & ~sum.bits), a.width, keep);
    this.flagsOfResult(sum);
  }

  flagsOfDifference(a: Bits, b: Bits, difference: Bits, keep = 0): void {
    // A difference borrows where the sum that undoes it carries: a = difference + b.
    this.#carries(
      (difference.bits & b.bits) | ((difference.bits | b.bits) & ~a.bits),
      a.width,
      keep,
    );
    this.flagsOfResult(difference);
  }

  flagsOfResult({ width, bits }: Bits): void {
    this.#setFlag(ZF, bits === 0n);
    this.#setFlag(SF, bits >> BigInt(width - 1) === 1n);
    const ones = (bits & 0xffn).toString(2).replaceAll("0", "").length;
    this.#setFlag(PF, ones % 2 === 0);
  }

  undefinedFlags(flags: number): void {
    this.undefined |= flags;
  }

  flagsRegister(): Bits {
    return bitsOf(64, BigInt(this.state.flags >>> 0));
  }

  setFlagsRegister(value: Bits, mask: number): void {
    const iopl = this.state.flags >> 12 & 3;
    let may = mask;
    if (this.state.cpl > 0) may &= ~0x3000;
    if (this.state.cpl > iopl) may &= ~0x200;
    this.state.flags = this.state.flags & ~may | Number(value.bits & BigInt(may >>> 0));
  }

  /** Address of the next instruction, cut as the mode has it. */
  nextAddress(): bigint {
    const sum = this.state.rip + BigInt(this.i.length);
    return BigInt.asUintN(this.mode === 64 ? 64 : 32, sum);
  }

  next(): Bits {
    return bitsOf(this.i.operandSize as Width, this.nextAddress());
  }

  jump({ bits }: Bits): void {
    if (this.mode === 64 && BigInt.asUintN(64, BigInt.asIntN(48, bits)) !== bits) {
      throw new Raised("#GP");
    }
    this.target = bits;
  }

  timeStamp(): Bits {
    return bitsOf(64, this.state.timeStamp?.() ?? 0n);
  }

  stackWidth(): Width {
    return this.state.stack;
  }

  repeat(element: () => void, compares: boolean): void {
    const { prefixes } = this.i;
    if ((prefixes & (PREFIX_REP | PREFIX_REPNE)) === 0) return element();
    const width = this.i.addressSize as Width;
    const most = this.state.elementsAStep ?? elementsAStep;
    for (let n = 0; n < most; n++) {
      const count = this.register(1, width).bits;
      if (count === 0n) return;
      element();
      this.setRegister(1, bitsOf(width, count - 1n));
      this.#commit();
      if (compares && ((this.state.flags & ZF) !== 0) !== ((prefixes & PREFIX_REP) !== 0)) return;
    }
    if (this.register(1, width).bits !== 0n) this.target = this.state.rip;
  }

  /** Cuts a result to the width that both operands must have. */
  #same(a: Bits, b: Bits, result: bigint): Bits {
    if (a.width !== b.width) throw new TypeError(`operands of ${a.width} and ${b.width} bits`);
    return bitsOf(a.width, result);
  }

  #setFlag(flag: number, value: boolean): void {
    this.state.flags = value ? this.state.flags | flag : this.state.flags & ~flag;
  }

  #carries(carries: bigint, width: Width, keep: number): void {
    const top = carries >> BigInt(width - 1) & 1n;
    const second = carries >> BigInt(width - 2) & 1n;
    if ((keep & CF) === 0) this.#setFlag(CF, top === 1n);
    if ((keep & AF) === 0) this.#setFlag(AF, (carries & 8n) !== 0n);
    if ((keep & OF) === 0) this.#setFlag(OF, top !== second);
  }

  #highByte(number: number): Bits {
    return bitsOf(8, (this.state.registers[number] ?? 0n) >> 8n);
  }

  #setHighByte(number: number, { bits }: Bits): void {
    const { registers } = this.state;
    registers[number] = (registers[number] ?? 0n) & ~0xff00n | bits << 8n;
  }

  /** A linear address; #GP, or #SS of the stack segment, where it is not canonical. */
  #linear(segment: number, { bits }: Bits, bytes: number): bigint {
    const { bases } = this.state;
    if (this.mode !== 64) return BigInt.asUintN(32, (bases[segment] ?? 0n) + bits);
    const at = BigInt.asUintN(64, (segment >= 4 ? bases[segment] ?? 0n : 0n) + bits);
    for (const end of [at, at + BigInt(bytes - 1)]) {
      if (BigInt.asUintN(64, BigInt.asIntN(48, end)) !== end) {
        throw new Raised(segment === 2 ? "#SS" : "#GP");
      }
    }
    return at;
  }

  #byte(at: bigint, n: number): bigint {
    return BigInt.asUintN(this.mode === 64 ? 64 : 32, at + BigInt(n));
  }

  #requireStore(at: bigint, bytes: number): void {
    for (let n = 0; n < bytes; n++) {
      const where = this.#byte(at, n);
      if (!this.state.memory.canStore(where)) throw new Raised("#PF", where);
    }
  }

  /** Reads an operand, or writes it; one that will be written must be writable. */
  #operand(number: number, value: Bits | undefined, writes: boolean): Bits {
    const operand = this.form.operands[number];
    if (operand === undefined) {
      throw new TypeError(`"${this.form.row.text}" has no operand ${number}`);
    }
    const { kind, text } = operand;
    const width = widthOf(operand.size, this.i, this.mode) as Width;
    const general = (register: number): Bits => {
      const high = width === 8 && this.i.rex === 0 && register >= 4;
      if (value !== undefined) {
        if (high) this.#setHighByte(register - 4, value);
        else this.setRegister(register, value);
        return value;
      }
      return high ? this.#highByte(register - 4) : this.register(register, width);
    };
    const memory = (address: Bits, bits: Width): Bits => {
      if (mustBeAligned(this.form, number)) this.requireAligned(this.i.segment, address, 16);
      if (value !== undefined) this.store(this.i.segment, address, value);
      else if (writes) return this.loadForStore(this.i.segment, address, bits);
      else return this.load(this.i.segment, address, bits);
      return value;
    };
    const vector = this.vector.operand(operand, this.i, width, value);
    if (vector !== undefined) return vector;
    switch (kind) {
      case "E":
      case "M":
      case "R":
      case "W":
      case "Q":
        if (!this.i.isMemory) return general(this.i.rm);
        return memory(this.address(), widthOf(operand.memory, this.i, this.mode) as Width);
      case "G":
        return general(this.i.reg);
      case "Z":
        return general(this.i.rm);
      case "I":
      case "J": {
        const low = text === "Ib" && this.i.opcode === 0xc8 ? this.i.immediate2 : this.i.immediate;
        const bits = BigInt(this.i.immediateHigh) << 32n | BigInt(low >>> 0);
        const wide = operand.size === "bs" || kind === "J" || operand.size === "z";
        return bitsOf(wide ? this.i.operandSize as Width : width, bits);
      }
      case "O": {
        const bits = BigInt(this.i.immediateHigh) << 32n | BigInt(this.i.immediate >>> 0);
        return memory(bitsOf(this.i.addressSize as Width, bits), width);
      }
      case "BBb": {
        const wide = this.i.addressSize as Width;
        const at = this.add(this.register(3, wide), this.zeroExtend(this.register(0, 8), wide));
        return memory(at, 8);
      }
      case "S":
        return this.selector(this.i.reg & 7);
      case "fixed": {
        const segment = ["ES", "CS", "SS", "DS", "FS", "GS"].indexOf(text);
        if (segment >= 0) return this.selector(segment);
        if (text === "1") return bitsOf(8, 1n);
        const named = ["AL", "CL", "AX", "DX", "eAX", "rAX"].indexOf(text);
        if (named >= 0) return general(text === "CL" ? 1 : text === "DX" ? 2 : 0);
      }
    }
    throw new TypeError(`operand ${text} is not evaluated`);
  }
}
