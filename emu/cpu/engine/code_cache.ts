/**
 * Decoded code: blocks of micro-operations by physical address and mode, made
 * when they are first executed and dropped when their bytes change.
 *
 * @module
 */

import { DECODED, type Decoder, longestInstruction, TOO_LONG, TRUNCATED } from "../decode.ts";
import { Instruction, type Mode } from "../instruction.ts";
import * as at from "../layout.ts";
import type { PageTables } from "../mmu.ts";
import type { Form } from "../opcodes/form.ts";
import { Fault, type Processor, type SystemSemantics, vectors } from "../processor.ts";
import { modeKey } from "../processor_bits.ts";
import { semanticsOf } from "../semantics/mod.ts";
import {
  ARMS,
  arms,
  type Decoders,
  head,
  op,
  OP_SIZE,
  shapeKey,
  STALE,
  writeOperation,
} from "./microcode.ts";
import type { Shape } from "./machinery.ts";

/** Instructions in a block, at most. */
const longestBlock = 48;

/** An instruction that is carried out in TypeScript. */
export interface SystemInstruction {
  /** It. */
  readonly i: Instruction;
  /** Its row. */
  readonly form: Form;
  /** What it does. */
  readonly semantics: SystemSemantics;
}

/** What the cache needs of the engine. */
export interface CodeSupply {
  /** The arm for a shape, if it has one. */
  arm(key: number): number | undefined;
  /** The function for a shape; makes it. Undefined: there is no code for it. */
  outlined(key: number, shape: Shape): number | undefined;
  /** How an instruction is carried out in TypeScript, if it is. */
  system(form: Form): SystemSemantics | undefined;
  /** Carries out what has a description but no code. */
  evaluate: SystemSemantics;
  /** A block may not be entered any more. */
  spoilt(block: number): void;
  /** No block may be entered any more; what is noted of them is forgotten. */
  cleared(): void;
}

/** A form for bytes that are no instruction. */
const nothing: Form = {
  row: { opcode: "", text: "(bad)", ends: true },
  ...{ map: 0, opcode: 0, plusR: false, prefix: "any", rexW: false, modrm: false },
  ...{ registersOnly: false, mod: "any", digit: undefined, rm: undefined, immediates: [] },
  ...{ mnemonics: ["(bad)", "(bad)", "(bad)"], operands: [] },
};

/** A row that nobody describes. */
const refused: SystemSemantics = () => {
  throw new Fault(vectors.UD);
};

/** CLI that is not virtual-8086 mode's, which is 16-bit code. */
function isPlainCli(form: Form, mode: Mode): boolean {
  return mode !== 16 && form.mnemonics[0] === "cli";
}

/** Blocks of decoded code. */
export class CodeCache {
  /** Instructions carried out in TypeScript; micro-operations say which. */
  readonly instructions: SystemInstruction[] = [];
  /** Is given the form of each instruction that is decoded. */
  onForm: ((form: Form) => void) | undefined;

  readonly #cpu: Processor;
  readonly #mmu: PageTables;
  readonly #decoders: Decoders;
  readonly #supply: CodeSupply;
  /** How rows are carried out in TypeScript, by width of the code, once it was asked. */
  readonly #systems: Readonly<Record<Mode, Map<Form, SystemSemantics | undefined>>> = {
    16: new Map(),
    32: new Map(),
    64: new Map(),
  };
  readonly #blocks = new Map<number, number>();
  /** Marked physical addresses, with the block that stands there; 0: not made yet. */
  readonly #marks = new Map<number, number>();
  /** Blocks that have code from a page, by page. */
  readonly #pages = new Map<number, number[]>();
  readonly #found = new Instruction();
  readonly #bytes = new Uint8Array(longestInstruction);
  #next = at.ARENA;
  /** The arena is full: nothing of it is kept from the next block on. */
  #generation = 0;

  /** An empty cache. */
  constructor(cpu: Processor, mmu: PageTables, decoders: Decoders, supply: CodeSupply) {
    this.#cpu = cpu;
    this.#mmu = mmu;
    this.#decoders = decoders;
    this.#supply = supply;
    mmu.onCodeWrite = (physical, bytes) => this.drop(physical, bytes);
  }

  /** How often everything was thrown away. */
  get generation(): number {
    return this.#generation;
  }

  /** Blocks that are known. */
  get size(): number {
    return this.#blocks.size;
  }

  /**
   * The block at a physical address.
   *
   * @param linear Its linear address, to read on into another page.
   * @param past Whether the instruction there is wanted where it is marked.
   * @returns Its byte address; negative, if it must not be found again by RIP: it
   *   goes across pages or is no RAM. A block of no instructions stands for a mark.
   */
  block(physical: number, linear: number, past = false): number {
    const key = this.#cpu.words[at.MODE_KEY >> 2] as number;
    if (!past && this.#marks.has(physical)) return this.#atMark(physical, key);
    const known = this.#blocks.get(physical * 64 + key);
    if (known !== undefined) return known;
    if (this.#next > at.RAM - (longestBlock + 2) * OP_SIZE) this.clear();
    return this.#decode(physical, linear, key);
  }

  /** The block at a physical address, if it is known. */
  known(physical: number, key: number): number | undefined {
    return this.#marks.has(physical) ? undefined : this.#blocks.get(physical * 64 + key);
  }

  /** Marks a physical address: whoever comes there finds a block of no instructions, which leaves. */
  mark(physical: number): void {
    if (this.#marks.has(physical)) return;
    this.#marks.set(physical, 0);
    this.drop(physical, 1);
  }

  /** Takes a mark off. */
  unmark(physical: number): void {
    const block = this.#marks.get(physical) ?? 0;
    if (block !== 0) this.#cpu.words[(block + head.count) >> 2] = STALE;
    this.#marks.delete(physical);
  }

  /** The block that stands at a mark. */
  #atMark(physical: number, key: number): number {
    const known = this.#marks.get(physical) ?? 0;
    if (known !== 0) return known;
    if (this.#next > at.RAM - (longestBlock + 2) * OP_SIZE) this.clear();
    const { bytes, words, view } = this.#cpu;
    const block = this.#next;
    this.#next += 2 * OP_SIZE;
    bytes.fill(0, block, this.#next);
    view.setUint16(block + head.offset, physical & 0xfff, true);
    words[(block + head.physical) >> 2] = physical;
    words[(block + head.key) >> 2] = key;
    view.setUint16(block + OP_SIZE + op.handler, arms.leave, true);
    view.setUint16(block + OP_SIZE + op.offset, physical & 0xfff, true);
    this.#marks.set(physical, block);
    return block;
  }

  /** Whether any of some bytes of physical memory are part of a block. */
  has(physical: number, length: number): boolean {
    const { words } = this.#cpu;
    const end = physical + length;
    for (let page = physical >>> 12; page <= (end - 1) >>> 12; page++) {
      for (const block of this.#pages.get(page) ?? []) {
        const start = (words[(block + head.physical) >> 2] as number) >>> 0;
        if (physical < start + (words[(block + head.length) >> 2] as number) && end > start) {
          return true;
        }
      }
    }
    return false;
  }

  /** Throws everything away. */
  clear(): void {
    this.#supply.cleared();
    for (const page of this.#pages.keys()) this.#mmu.unprotectCode(page);
    this.#blocks.clear();
    for (const physical of this.#marks.keys()) this.#marks.set(physical, 0);
    this.#pages.clear();
    this.instructions.length = 0;
    this.#next = at.ARENA;
    this.#generation++;
  }

  /** Bytes of physical memory have changed. */
  drop(physical: number, length: number): void {
    const { words } = this.#cpu;
    for (let page = physical >>> 12; page <= (physical + length - 1) >>> 12; page++) {
      const blocks = this.#pages.get(page);
      if (blocks === undefined) continue;
      const kept = blocks.filter((block) => {
        const start = (words[(block + head.physical) >> 2] as number) >>> 0;
        const size = words[(block + head.length) >> 2] as number;
        if (physical >= start + size || physical + length <= start) return true;
        this.#spoil(block);
        return false;
      });
      if (kept.length > 0) this.#pages.set(page, kept);
      else {
        this.#pages.delete(page);
        this.#mmu.unprotectCode(page);
      }
    }
  }

  // Tour machine 040
  //
  // A kernel patches itself while it runs. Code that was decoded from bytes which
  // change must not be executed any more, not even the rest of the block at hand.
  /** Makes a block one that cannot be entered, and leaves at the next instruction where it is being executed. */
  #spoil(block: number): void {
    const { words, view } = this.#cpu;
    const count = words[(block + head.count) >> 2] as number;
    if (count === STALE) return;
    for (let n = 1; n <= count + 1; n++) {
      view.setUint16(block + n * OP_SIZE + op.handler, arms.leave, true);
    }
    words[(block + head.count) >> 2] = STALE;
    this.#supply.spoilt(block);
    const physical = (words[(block + head.physical) >> 2] as number) >>> 0;
    this.#blocks.delete(physical * 64 + (words[(block + head.key) >> 2] as number));
  }

  #decode(physical: number, linear: number, key: number): number {
    const cpu = this.#cpu;
    const { words, view, ram } = cpu;
    const decoder: Decoder = this.#decoders[cpu.mode];
    const block = this.#next;
    const offset = physical & 0xfff;
    let where = block + OP_SIZE;
    let count = 0;
    let p = offset;
    let ends = false;
    let crosses = false;
    const page = physical - offset;
    const inRam = page + 4096 <= ram;
    // Bytes of the page; the rest of an instruction that crosses it is fetched.
    const from = at.RAM + page;
    const i = this.#found;
    const isMarked = this.#marks.size > 0;
    while (!ends && count < longestBlock && p < 4096) {
      if (isMarked && count > 0 && this.#marks.has(page + p)) break;
      let status = inRam ? decoder.decode(cpu.bytes, from + p, from + 4096, i) : TRUNCATED;
      if (status === TRUNCATED) {
        if (count > 0) break;
        status = this.#decodeAcross(decoder, linear, i);
        crosses = true;
        ends = true;
      }
      const form = status === DECODED ? decoder.forms[i.form] ?? nothing : nothing;
      if (status !== DECODED) {
        const fault = status === TOO_LONG ? new Fault(vectors.GP, 0) : new Fault(vectors.UD);
        this.#writeSystem(where, i, form, p, () => {
          throw fault;
        });
        ends = true;
      } else {
        this.#writeInstruction(where, i, form, key, p);
        // Nobody has to look round after CLI.
        ends ||= form.row.ends === true && !isPlainCli(form, cpu.mode);
      }
      where += OP_SIZE;
      p += i.length;
      count++;
    }
    // Behind the last instruction, for those that do not jump.
    cpu.bytes.fill(0, where, where + OP_SIZE);
    view.setUint16(where + op.handler, arms.follow, true);
    view.setUint16(where + op.offset, p, true);
    words[(where + op.link) >> 2] = p < 4096 ? 0 : 1;
    for (let n = 0; n < count; n++) {
      view.setUint8(block + (n + 1) * OP_SIZE + op.remaining, count - n);
    }
    cpu.bytes.fill(0, block, block + OP_SIZE);
    words[(block + head.count) >> 2] = count;
    view.setUint16(block + head.offset, offset, true);
    words[(block + head.physical) >> 2] = physical;
    words[(block + head.key) >> 2] = key;
    words[(block + head.length) >> 2] = p - offset;
    if (crosses) {
      // The next block will lie here, too: nothing may be noted in this one.
      const first = block + OP_SIZE;
      if (view.getUint16(first + op.handler, true) >= ARMS) {
        words[(first + op.link) >> 2] = words[(first + op.other) >> 2] = 1;
      }
      words[(where + op.link) >> 2] = 1;
      return -block;
    }
    this.#next = where + OP_SIZE;
    this.#blocks.set(physical * 64 + key, block);
    const number = physical >>> 12;
    const others = this.#pages.get(number);
    if (others === undefined) {
      this.#pages.set(number, [block]);
      this.#mmu.protectCode(number);
    } else others.push(block);
    return block;
  }

  /**
   * Decodes the instruction at a linear address, and says how it is carried out in TypeScript.
   *
   * @throws {Fault} If it cannot be read, or is none.
   */
  read(linear: number, i: Instruction): { form: Form; semantics: SystemSemantics } {
    const decoder: Decoder = this.#decoders[this.#cpu.mode];
    const status = this.#decodeAcross(decoder, linear, i);
    const form = decoder.forms[i.form];
    if (status === TOO_LONG) throw new Fault(vectors.GP, 0);
    if (status !== DECODED || form === undefined) throw new Fault(vectors.UD);
    return { form, semantics: this.#supply.system(form) ?? this.#supply.evaluate };
  }

  /** Decodes an instruction byte by byte, in whatever memory it is. */
  #decodeAcross(decoder: Decoder, linear: number, i: Instruction) {
    const bytes = this.#bytes;
    for (let n = 0; n < bytes.length; n++) {
      const address = this.#cpu.mode === 64 ? linear + n : linear + n >>> 0;
      bytes[n] = this.#mmu.physicalLoad(this.#mmu.code(address), 1);
      const status = decoder.decode(bytes, 0, n + 1, i);
      if (status !== TRUNCATED) return status;
    }
    return TOO_LONG;
  }

  #writeInstruction(
    where: number,
    i: Instruction,
    form: Form,
    key: number,
    offset: number,
  ): void {
    const { mode, stackWidth: stack, words, view } = this.#cpu;
    this.onForm?.(form);
    const system = this.#systemOf(form, mode);
    if (system !== undefined) {
      this.#writeSystem(where, i, form, offset, system);
      if (isPlainCli(form, mode)) view.setUint16(where + op.handler, arms.disable, true);
      return;
    }
    writeOperation(view, where, i, form, mode, offset);
    const shape: Shape = { i, form, mode, flat: (key & modeKey.flat) !== 0, stack };
    const number = shapeKey(shape, i.form);
    const arm = this.#supply.arm(number);
    if (arm !== undefined) {
      view.setUint16(where + op.handler, arm, true);
      const target = offset + i.length + i.immediate;
      const near = form.operands[0]?.kind === "J" && target >= 0 && target < 4096;
      words[(where + op.link) >> 2] = near ? 0 : 1;
      words[(where + op.other) >> 2] = offset + i.length < 4096 ? 0 : 1;
      return;
    }
    const index = this.#supply.outlined(number, shape);
    if (index === undefined) {
      return this.#writeSystem(where, i, form, offset, this.#supply.evaluate);
    }
    view.setUint16(where + op.handler, arms.outlined, true);
    words[(where + op.other) >> 2] = index;
  }

  /** How a row is carried out in TypeScript; undefined: its description is code. */
  #systemOf(form: Form, mode: Mode): SystemSemantics | undefined {
    const known = this.#systems[mode];
    if (known.has(form)) return known.get(form);
    // Of PUSHF and POPF only virtual-8086 mode, which is 16-bit code, wants more than is generated.
    const isPlain = mode !== 16 && /^(pushf|popf)/.test(form.mnemonics[0]);
    const system = isPlain ? undefined : this.#supply.system(form);
    const found = system ?? (semanticsOf(form) === undefined ? refused : undefined);
    known.set(form, found);
    return found;
  }

  #writeSystem(
    where: number,
    i: Instruction,
    form: Form,
    offset: number,
    semantics: SystemSemantics,
  ): void {
    const { words, view } = this.#cpu;
    view.setUint16(where + op.handler, arms.system, true);
    view.setUint8(where + op.length, i.length);
    view.setUint16(where + op.offset, offset, true);
    words[(where + op.other) >> 2] =
      this.instructions.push({ i: Object.assign(new Instruction(), i), form, semantics }) - 1;
  }
}
