/**
 * The body of a function, written instruction by instruction.
 *
 * There is one method an instruction, named as the text format names it but in
 * camel case: `i32.load8_u` is `i32Load8U`. Its arguments are the immediates, in
 * the text format's order. Whatever follows them is ignored, but evaluated
 * before, and evaluating is writing; so operands may be nested where that reads
 * better, and both lines here write the same six bytes:
 *
 * ```ts ignore
 * f.localGet(x).i32Const(1).i32Add().localSet(x);
 * f.localSet(x, f.i32Add(f.localGet(x), f.i32Const(1)));
 * ```
 *
 * Blocks are structured. Opening one gives its label, which branches take:
 *
 * ```ts ignore
 * const again = f.loop();
 * f.brIf(again, f.i32LtU(f.localGet(i), f.localGet(n)));
 * f.end(again);
 * ```
 *
 * Nothing is type checked here: `WebAssembly.validate` does that.
 *
 * @module
 */

import { type Immediate, type Opcode, opcodes } from "./opcodes.ts";
import {
  type BlockType,
  type DataIndex,
  type ElemIndex,
  type FuncIndex,
  type GlobalIndex,
  type HeapType,
  type Label,
  type Local,
  type MemoryIndex,
  type TableIndex,
  type TagIndex,
  type TypeIndex,
  type ValueType,
  writeBlockType,
  writeHeapType,
  writeValueType,
} from "./types.ts";
import { ByteWriter } from "./writer.ts";

/** Where a memory instruction goes, beyond the address on the stack. */
export interface MemArg {
  /** Added to the address, in bytes; default 0. */
  readonly offset?: number;
  /** Promised alignment as a power of two; default the natural one. */
  readonly align?: number;
  /** The memory; default the first. */
  readonly memory?: MemoryIndex;
}

/** What `try_table` does with an exception. */
export interface Catch {
  /** The exceptions meant; absent: all. */
  readonly tag?: TagIndex;
  /** Where to go, with the exception's values on the stack. */
  readonly label: Label;
  /** Whether to pass the exception itself as well, as an exnref. */
  readonly ref?: boolean;
}

/** Whether a branch is expected to be taken. */
export type Hint = "likely" | "unlikely";

/** How an immediate is given. */
export interface Given {
  /** A data segment. */
  readonly data: DataIndex;
  /** An element segment. */
  readonly elem: ElemIndex;
  /** A function. */
  readonly func: FuncIndex;
  /** A global variable. */
  readonly global: GlobalIndex;
  /** What a reference refers to. */
  readonly heap: HeapType | TypeIndex;
  /** An open block. */
  readonly label: Label;
  /** A lane, from 0. */
  readonly lane: number;
  /** Sixteen lanes of two vectors. */
  readonly lanes: readonly number[];
  /** A local variable. */
  readonly local: Local;
  /** A memory; 0 is the first. */
  readonly memory: MemoryIndex | 0;
  /** A table; 0 is the first. */
  readonly table: TableIndex | 0;
  /** An exception tag. */
  readonly tag: TagIndex;
  /** A function type. */
  readonly type: TypeIndex;
}

/** The arguments that an instruction's immediates need. */
export type Arguments<Row extends readonly unknown[]> = Row extends
  readonly [infer First, ...infer Rest]
  ? First extends `memarg${number}` ? [address: MemArg | number, ...Arguments<Rest>]
  : First extends keyof Given ? [Given[First], ...Arguments<Rest>]
  : Arguments<Rest>
  : [];

/** An instruction's name as that of its method. */
export type Camel<Name extends string> = Name extends `${infer Head}${"." | "_"}${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

/** Instructions that {@link CodeWriter} writes by hand. */
export type ByHand =
  | "block"
  | "loop"
  | "if"
  | "else"
  | "end"
  | "br"
  | "br_if"
  | "br_on_null"
  | "br_on_non_null"
  | "br_table"
  | "select_t"
  | "try_table"
  | "i32.const"
  | "i64.const"
  | "f32.const"
  | "f64.const"
  | "v128.const"
  | "atomic.fence";

/** Further arguments: operands that were written while they were evaluated. */
export type Operands = readonly Code[];

/** One method an instruction, for all that need no care. */
export type Instructions = {
  readonly [Name in keyof typeof opcodes as Name extends ByHand ? never : Camel<Name>]: (
    ...args: [...Arguments<(typeof opcodes)[Name]>, ...Operands]
  ) => Code;
};

/** A function body in the making. */
export type Code = CodeWriter & Instructions;

/** A branch hint: where, and which way. */
export interface PlacedHint {
  /** Bytes from the first instruction. */
  readonly at: number;
  /** Whether the branch is likely. */
  readonly likely: boolean;
}

/** What {@link Code} does by hand: blocks, branches, constants, locals. */
export class CodeWriter {
  /** The instructions written so far. */
  readonly out: ByteWriter = new ByteWriter();
  /** Branch hints given so far, in order. */
  readonly hints: PlacedHint[] = [];
  readonly #parameters: number;
  readonly #locals: ValueType[] = [];
  #depth = 0;

  /**
   * An empty body; but see {@link createCode}.
   *
   * @param parameters How many locals the caller fills.
   */
  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** How many blocks are open. */
  get depth(): number {
    return this.#depth;
  }

  /** Declares a local variable; it starts as zero. May be called at any time. */
  local(type: ValueType): Local {
    return (this.#parameters + this.#locals.push(type) - 1) as Local;
  }

  /** Opens a block; branches to its label go behind its end. */
  block(type?: BlockType): Label {
    return this.#open(opcodes.block[0], type);
  }

  /** Opens a loop; branches to its label go to its start. */
  loop(type?: BlockType): Label {
    return this.#open(opcodes.loop[0], type);
  }

  /** Opens a block that is entered if the operand is not zero. */
  if(type?: BlockType, hint?: Hint): Label {
    if (hint !== undefined) this.#hint(hint);
    return this.#open(opcodes.if[0], type);
  }

  /** The other half of an `if`. */
  else(): this {
    this.out.byte(opcodes.else[0]);
    return this;
  }

  /** Opens a block whose exceptions are caught. */
  tryTable(type: BlockType | undefined, catches: readonly Catch[]): Label {
    const { out } = this;
    out.byte(opcodes.try_table[0]);
    writeBlockType(out, type);
    out.uleb(catches.length);
    for (const { tag, label, ref = false } of catches) {
      out.byte((tag === undefined ? 2 : 0) + (ref ? 1 : 0));
      if (tag !== undefined) out.uleb(tag);
      out.uleb(this.#distance(label));
    }
    return this.#depth++ as Label;
  }

  /**
   * Closes the innermost block.
   *
   * @param label The block meant to be closed, to have that checked.
   * @throws {TypeError} If another block is the innermost.
   */
  end(label?: Label): this {
    if (this.#depth === 0) throw new TypeError("no block is open");
    this.#depth--;
    if (label !== undefined && label !== this.#depth) {
      throw new TypeError(`block ${label} is to be closed, block ${this.#depth} is open in it`);
    }
    this.out.byte(opcodes.end[0]);
    return this;
  }

  /** Goes to a label. */
  br(label: Label, ..._operands: Operands): this {
    this.out.byte(opcodes.br[0]);
    this.out.uleb(this.#distance(label));
    return this;
  }

  /** Goes to a label if the operand is not zero. */
  brIf(label: Label, ..._operands: Operands): this {
    this.out.byte(opcodes.br_if[0]);
    this.out.uleb(this.#distance(label));
    return this;
  }

  /** As {@link brIf}, with a hint to the compiler. */
  brIfHinted(hint: Hint, label: Label, ..._operands: Operands): this {
    this.#hint(hint);
    return this.brIf(label);
  }

  /** Goes to a label if the operand is null; else it stays on the stack. */
  brOnNull(label: Label, ..._operands: Operands): this {
    this.out.byte(opcodes.br_on_null[0]);
    this.out.uleb(this.#distance(label));
    return this;
  }

  /** Goes to a label with the operand unless that is null. */
  brOnNonNull(label: Label, ..._operands: Operands): this {
    this.out.byte(opcodes.br_on_non_null[0]);
    this.out.uleb(this.#distance(label));
    return this;
  }

  /** Goes to the label that the operand counts to, or to the last one if there are too few. */
  brTable(labels: readonly Label[], otherwise: Label, ..._operands: Operands): this {
    const { out } = this;
    out.byte(opcodes.br_table[0]);
    out.uleb(labels.length);
    for (const label of labels) out.uleb(this.#distance(label));
    out.uleb(this.#distance(otherwise));
    return this;
  }

  /** `select` for operands that are references. */
  selectT(types: readonly ValueType[], ..._operands: Operands): this {
    this.out.byte(opcodes.select_t[0]);
    this.out.uleb(types.length);
    for (const type of types) writeValueType(this.out, type);
    return this;
  }

  /** A 32-bit integer, signed or not. */
  i32Const(value: number): this {
    this.out.byte(opcodes["i32.const"][0]);
    this.out.sleb32(value);
    return this;
  }

  /** A 64-bit integer, signed or not; a number must be a whole one up to 2^53. */
  i64Const(value: number | bigint): this {
    if (typeof value === "number") {
      return this.i64ConstHalves(value, Math.floor(value / 0x1_0000_0000));
    }
    return this.i64ConstHalves(Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
  }

  /** A 64-bit integer by its halves of 32 bits, without a bigint. */
  i64ConstHalves(low: number, high: number): this {
    this.out.byte(opcodes["i64.const"][0]);
    this.out.sleb64(low, high);
    return this;
  }

  /** A single precision number. */
  f32Const(value: number): this {
    this.out.byte(opcodes["f32.const"][0]);
    this.out.f32(value);
    return this;
  }

  /** A double precision number. */
  f64Const(value: number): this {
    this.out.byte(opcodes["f64.const"][0]);
    this.out.f64(value);
    return this;
  }

  /** A vector, by its sixteen bytes. */
  v128Const(bytes: Uint8Array | readonly number[]): this {
    this.#opcode(opcodes["v128.const"]);
    this.#sixteen(bytes);
    return this;
  }

  /** Orders all memory accesses. */
  atomicFence(): this {
    this.#opcode(opcodes["atomic.fence"]);
    this.out.byte(0);
    return this;
  }

  /**
   * Writes the function as the code section has it: size, locals, instructions.
   *
   * @returns Bytes from the start of the locals to the first instruction, by
   *   which branch hints are counted.
   * @throws {TypeError} If a block is open.
   */
  finish(section: ByteWriter): number {
    if (this.#depth !== 0) throw new TypeError(`${this.#depth} blocks are open`);
    const locals = new ByteWriter(16);
    const runs: [count: number, type: ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last !== undefined && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    locals.uleb(runs.length);
    for (const [count, type] of runs) {
      locals.uleb(count);
      writeValueType(locals, type);
    }
    section.uleb(locals.length + this.out.length + 1);
    section.raw(locals.written());
    section.raw(this.out.written());
    section.byte(opcodes.end[0]);
    return locals.length;
  }

  #open(opcode: number, type: BlockType | undefined): Label {
    this.out.byte(opcode);
    writeBlockType(this.out, type);
    return this.#depth++ as Label;
  }

  #distance(label: Label): number {
    if (label >= this.#depth) throw new TypeError(`block ${label} is not open`);
    return this.#depth - 1 - label;
  }

  #hint(hint: Hint): void {
    this.hints.push({ at: this.out.length, likely: hint === "likely" });
  }

  #opcode([first, second]: Opcode): void {
    this.out.byte(first);
    if (typeof second === "number") this.out.uleb(second);
  }

  #sixteen(bytes: Uint8Array | readonly number[]): void {
    if (bytes.length !== 16) throw new TypeError(`a vector has 16 bytes, not ${bytes.length}`);
    this.out.raw(bytes);
  }
}

/**
 * Starts a function body.
 *
 * The methods that are read off the table of opcodes come into being with the
 * first one.
 */
export function createCode(parameters: number): Code {
  if (!("nop" in CodeWriter.prototype)) installInstructions();
  return new CodeWriter(parameters) as Code;
}

function installInstructions(): void {
  // Collected first: a prototype that changes five hundred times costs milliseconds.
  const methods: Record<string, unknown> = { refNull, i8x16Shuffle: shuffle };
  for (const [name, row] of Object.entries<Opcode>(opcodes)) {
    const method = name.replace(/[._](.)/g, (_, letter: string) => letter.toUpperCase());
    if (method in methods || method in CodeWriter.prototype) continue;
    const [first, second] = row;
    const immediates = row.filter((item): item is Immediate => typeof item === "string");
    methods[method] = instruction(first, typeof second === "number" ? second : -1, immediates);
  }
  Object.setPrototypeOf(CodeWriter.prototype, methods);
}

type Method = (this: CodeWriter, a: number, b: number) => CodeWriter;
type MemoryMethod = (this: CodeWriter, a: MemArg | number, b: number) => CodeWriter;

/** The method of an instruction: the plainest that will do, as there are many calls. */
function instruction(
  first: number,
  second: number,
  immediates: readonly Immediate[],
): Method | MemoryMethod {
  const [one, two] = immediates;
  if (one?.startsWith("memarg")) {
    return access(first, second, Number(one.slice("memarg".length)), two !== undefined);
  }
  return second >= 0 ? prefixed(first, second, immediates.length) : plain(first, immediates.length);
}

function plain(opcode: number, immediates: number): Method {
  if (immediates === 0) {
    return function () {
      this.out.byte(opcode);
      return this;
    };
  }
  return function (a, b) {
    const { out } = this;
    out.byte(opcode);
    out.uleb(a);
    if (immediates === 2) out.uleb(b);
    return this;
  };
}

function prefixed(prefix: number, opcode: number, immediates: number): Method {
  return function (a, b) {
    const { out } = this;
    out.byte(prefix);
    out.uleb(opcode);
    if (immediates >= 1) out.uleb(a);
    if (immediates === 2) out.uleb(b);
    return this;
  };
}

function access(first: number, second: number, natural: number, hasLane: boolean): MemoryMethod {
  return function (address, lane) {
    const { out } = this;
    out.byte(first);
    if (second >= 0) out.uleb(second);
    if (typeof address === "number") {
      out.byte(natural);
      out.uleb(address);
    } else {
      const { offset = 0, align = natural, memory = 0 } = address;
      out.byte(memory === 0 ? align : align | 0x40);
      if (memory !== 0) out.uleb(memory);
      out.uleb(offset);
    }
    if (hasLane) out.byte(lane);
    return this;
  };
}

function refNull(this: CodeWriter, type: HeapType | TypeIndex): CodeWriter {
  this.out.byte(opcodes["ref.null"][0]);
  writeHeapType(this.out, type);
  return this;
}

function shuffle(this: CodeWriter, lanes: readonly number[]): CodeWriter {
  if (lanes.length !== 16) throw new TypeError(`a shuffle has 16 lanes, not ${lanes.length}`);
  const [prefix, code] = opcodes["i8x16.shuffle"];
  this.out.byte(prefix);
  this.out.uleb(code);
  this.out.raw(lanes);
  return this;
}
