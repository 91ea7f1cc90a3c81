/**
 * Compiled regions: which blocks belong together, and what becomes of them when
 * their code changes.
 *
 * A region starts at a block that is entered often, and holds the blocks that
 * direct jumps lead to from there, within its page, as far as they have been
 * executed.
 *
 * @module
 */

import { DECODED } from "../decode.ts";
import { Instruction } from "../instruction.ts";
import * as at from "../layout.ts";
import type { Form } from "../opcodes/form.ts";
import type { Processor } from "../processor.ts";
import { modeKey } from "../processor_bits.ts";
import { semanticName, semanticsOf } from "../semantics/mod.ts";
import type { CodeCache } from "./code_cache.ts";
import { type Decoders, head, OP_SIZE } from "./microcode.ts";
import { type RegionBlock, type RegionInstruction, RegionStructure } from "./region_graph.ts";
import { RegionEmitter, type RegionTraits } from "./region_writer.ts";
import type { FunctionFrame } from "./runtime.ts";
import { NoCodeError } from "./machinery.ts";

/** Instructions of a region, at most; a block more may be begun. */
const mostInstructions = 300;

/** What regions leave to the interpreter although it is described. */
const left = new Set(["pushf", "popf", "lahf", "enter", "pusha", "popa", "bound"]);

/** What regions need of the engine. */
export interface RegionSupply {
  /** Whether a row is carried out in TypeScript. */
  isSystem(form: Form): boolean;
  /** The module around each function. */
  readonly frame: FunctionFrame;
  /** Makes a function of a module and gives its number. */
  install(code: Uint8Array<ArrayBuffer>): number;
  /** Takes a function away. */
  remove(index: number): void;
}

/** Compiled regions of one processor. */
export class Regions {
  readonly #cpu: Processor;
  readonly #cache: () => CodeCache;
  readonly #decoders: Decoders;
  readonly #supply: RegionSupply;
  /** Entries of the regions that a block is part of, by block. */
  readonly #entries = new Map<number, number[]>();
  readonly #found = new Instruction();
  #compiled = 0;

  /** None yet. */
  constructor(
    cpu: Processor,
    cache: () => CodeCache,
    decoders: Decoders,
    supply: RegionSupply,
  ) {
    this.#cpu = cpu;
    this.#cache = cache;
    this.#decoders = decoders;
    this.#supply = supply;
  }

  /** How many were compiled. */
  get compiled(): number {
    return this.#compiled;
  }

  /** Compiles the region that a block is the entry of. */
  compile(block: number): void {
    const { words } = this.#cpu;
    const key = words[(block + head.key) >> 2] as number;
    const width = key & modeKey.width;
    // Segments that are not flat are left to the interpreter.
    if (width === 0 || (key & modeKey.flat) === 0) return;
    if (width === 1 && (key & modeKey.stack32) === 0) return;
    const blocks = this.#gather(block, key);
    const first = blocks.values().next().value;
    if (first === undefined || first.instructions.length === 0) return;
    let code;
    try {
      code = writeRegion(this.#supply.frame, blocks, first.offset, {
        ...{ wide: width === 2, hasWindow: (key & modeKey.user) === 0 },
      });
    } catch (error) {
      if (error instanceof NoCodeError) return;
      throw error;
    }
    words[(block + head.region) >> 2] = this.#supply.install(code) + 1;
    this.#compiled++;
    for (const member of blocks.values()) {
      const entries = this.#entries.get(member.head);
      if (entries === undefined) this.#entries.set(member.head, [block]);
      else entries.push(block);
    }
  }

  /** A block has changed: no region with it may be entered. */
  drop(block: number): void {
    const { words } = this.#cpu;
    for (const entry of this.#entries.get(block) ?? []) {
      const region = words[(entry + head.region) >> 2] as number;
      if (region === 0) continue;
      words[(entry + head.region) >> 2] = 0;
      words[(entry + head.entered) >> 2] = 0;
      this.#supply.remove(region - 1);
    }
    this.#entries.delete(block);
  }

  /** All code was thrown away. */
  clear(): void {
    for (const block of this.#entries.keys()) this.drop(block);
  }

  /** The blocks of a region, the entry first. */
  #gather(entry: number, key: number): Map<number, RegionBlock> {
    const { words } = this.#cpu;
    const cache = this.#cache();
    const page = ((words[(entry + head.physical) >> 2] as number) >>> 0) & ~0xfff;
    const blocks = new Map<number, RegionBlock>();
    const waiting = [entry];
    let instructions = 0;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const block = this.#read(next, key);
      if (block === undefined || blocks.has(block.offset)) continue;
      blocks.set(block.offset, block);
      instructions += block.instructions.length;
      if (instructions >= mostInstructions) break;
      for (const offset of block.next) {
        const known = cache.known((page >>> 0) + offset, key);
        if (known !== undefined && !blocks.has(offset)) waiting.push(known);
      }
    }
    return blocks;
  }

  /** A block, decoded once more. */
  #read(block: number, key: number): RegionBlock | undefined {
    const { bytes, words } = this.#cpu;
    const mode = (key & modeKey.width) === 2 ? 64 : 32;
    const decoder = this.#decoders[mode];
    const physical = (words[(block + head.physical) >> 2] as number) >>> 0;
    const count = words[(block + head.count) >> 2] as number;
    const start = at.RAM + physical;
    const offset = physical & 0xfff;
    const end = at.RAM + (physical - offset) + 4096;
    const instructions: RegionInstruction[] = [];
    let p = start;
    let stopsAt: number | undefined;
    for (let n = 0; n < count; n++) {
      const status = decoder.decode(bytes, p, end, this.#found);
      const form = decoder.forms[this.#found.form];
      if (status !== DECODED || form === undefined || !this.#isCompiled(form, this.#found, mode)) {
        stopsAt = p - start + offset;
        break;
      }
      const i = Object.assign(new Instruction(), this.#found);
      instructions.push({
        ...{ i, form, mode, offset: p - start + offset },
        ...{ pc: block + (n + 1) * OP_SIZE, remaining: count - n },
      });
      p += i.length;
    }
    if (instructions.length === 0) return undefined;
    const behind = p - start + offset;
    return {
      ...{ head: block, offset, end: behind, count, instructions, stopsAt },
      next: stopsAt === undefined ? waysOf(instructions, behind) : [],
    };
  }

  #isCompiled(form: Form, i: Instruction, mode: 32 | 64): boolean {
    if (this.#supply.isSystem(form) || semanticsOf(form) === undefined) return false;
    if (left.has(semanticName(form))) return false;
    // Jumps of 16 bits leave the page they are in.
    return !(form.row.ends === true && mode === 32 && i.operandSize === 16);
  }
}

/** Writes a region as a function (translation buffer i32) → i32. */
function writeRegion(
  frame: FunctionFrame,
  blocks: ReadonlyMap<number, RegionBlock>,
  entry: number,
  traits: Omit<RegionTraits, "most">,
): Uint8Array<ArrayBuffer> {
  let most = 0;
  for (const { count } of blocks.values()) most += count;
  return frame.write((code) => {
    const emitter = new RegionEmitter(code, frame.machinery, frame.parameter, { ...traits, most });
    new RegionStructure(blocks, entry).write(code, (block, join, way) => {
      emitter.writeBlock(block, join, (offset) => {
        const branch = way(offset);
        return branch === undefined ? { offset } : { branch };
      });
    });
    emitter.close();
  });
}

/** Offsets that a block leads to by itself. */
function waysOf(instructions: readonly RegionInstruction[], behind: number): number[] {
  const last = instructions.at(-1);
  if (last === undefined || last.form.row.ends !== true) return behind < 4096 ? [behind] : [];
  const { form, i, offset } = last;
  if (form.operands[0]?.kind !== "J") return [];
  const target = offset + i.length + i.immediate;
  const name = semanticName(form);
  const ways = name === "jmp" || name === "call" ? [target] : [target, behind];
  return ways.filter((way) => way >= 0 && way < 4096);
}
