/**
 * The shape of a region: its blocks, who dominates whom, and the order and
 * nesting in which they become structured code.
 *
 * Source: N. Ramsey, "Beyond Relooper: Recursive Translation of Unstructured
 * Control Flow to Structured Control Flow", 2022.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { Label } from "../../../wasm/types.ts";
import type { Instruction, Mode } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";

/** An instruction of a region. */
export interface RegionInstruction {
  /** It. */
  readonly i: Instruction;
  /** Its row. */
  readonly form: Form;
  /** Width of the code. */
  readonly mode: Mode;
  /** Offset in the page. */
  readonly offset: number;
  /** Its micro-operation. */
  readonly pc: number;
  /** Instructions from it to the end of its block, with it. */
  readonly remaining: number;
}

/** A block of a region. */
export interface RegionBlock {
  /** Its head. */
  readonly head: number;
  /** Offset in the page. */
  readonly offset: number;
  /** Offset behind its last instruction. */
  readonly end: number;
  /** Instructions that it is paid for. */
  readonly count: number;
  /** Instructions that are written. */
  readonly instructions: readonly RegionInstruction[];
  /** Where it is left early, for an instruction that regions do not have. */
  readonly stopsAt: number | undefined;
  /** Offsets of blocks that may follow. */
  readonly next: readonly number[];
}

/** Writes blocks as structured code. */
export class RegionStructure {
  readonly #blocks: ReadonlyMap<number, RegionBlock>;
  /** Place of a block in reverse postorder, by offset. */
  readonly #order = new Map<number, number>();
  readonly #sorted: RegionBlock[] = [];
  /** Who dominates a block at once, by place. */
  readonly #dominator: number[] = [];
  readonly #children: number[][] = [];
  /** Places that several edges lead forward to. */
  readonly #isMerge: boolean[] = [];
  readonly #isLoop: boolean[] = [];
  /** Edges that would make it irreducible: they leave the region. */
  readonly #cut = new Set<number>();

  /** Works it out, from the entry's offset on. */
  constructor(blocks: ReadonlyMap<number, RegionBlock>, entry: number) {
    this.#blocks = blocks;
    this.#sort(entry);
    this.#dominate();
    this.#classify();
  }

  /** How many blocks can be reached. */
  get size(): number {
    return this.#sorted.length;
  }

  /**
   * Writes everything.
   *
   * @param write Writes a block, at which several ways may join; asked for where it goes on, `branch` writes the way
   *   or is undefined where that is outside.
   */
  write(
    code: Code,
    write: (
      block: RegionBlock,
      join: "loop" | "merge" | undefined,
      way: (offset: number) => (() => void) | undefined,
    ) => void,
  ): void {
    const targets = new Map<number, Label>();
    const tree = (place: number) => {
      const block = this.#sorted[place];
      if (block === undefined) return;
      const loop = this.#isLoop[place] === true ? code.loop() : undefined;
      if (loop !== undefined) targets.set(place, loop);
      // What several ways lead to comes behind, the last outermost.
      const merges = (this.#children[place] ?? []).filter((child) => this.#isMerge[child]);
      merges.sort((a, b) => b - a);
      const ends = merges.map((child) => {
        const label = code.block();
        targets.set(child, label);
        return [child, label] as const;
      });
      const join = loop !== undefined || place === 0
        ? "loop"
        : this.#isMerge[place] === true
        ? "merge"
        : undefined;
      write(block, join, (offset) => {
        const to = this.#order.get(offset);
        if (to === undefined || this.#cut.has(place * 0x1000 + to)) return undefined;
        const label = targets.get(to);
        if (label !== undefined && (to <= place || this.#isMerge[to] === true)) {
          return () => void code.br(label);
        }
        return () => tree(to);
      });
      for (const [child, label] of ends.toReversed()) {
        code.end(label);
        targets.delete(child);
        tree(child);
      }
      if (loop !== undefined) {
        targets.delete(place);
        code.unreachable();
        code.end(loop);
      }
    };
    tree(0);
  }

  /** Reverse postorder. */
  #sort(entry: number): void {
    const seen = new Set<number>();
    const post: RegionBlock[] = [];
    const stack: [RegionBlock, number][] = [];
    const visit = (offset: number) => {
      const block = this.#blocks.get(offset);
      if (block === undefined || seen.has(offset)) return;
      seen.add(offset);
      stack.push([block, 0]);
    };
    visit(entry);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top[0].next[top[1]++];
      if (next !== undefined) visit(next);
      else {
        post.push(top[0]);
        stack.pop();
      }
    }
    this.#sorted.push(...post.toReversed());
    for (const [place, { offset }] of this.#sorted.entries()) this.#order.set(offset, place);
  }

  /** Cooper, Harvey and Kennedy's iteration. */
  #dominate(): void {
    const before: number[][] = this.#sorted.map(() => []);
    for (const [place, { next }] of this.#sorted.entries()) {
      for (const offset of next) {
        const to = this.#order.get(offset);
        if (to !== undefined) before[to]?.push(place);
      }
    }
    const dominator = this.#dominator;
    dominator[0] = 0;
    for (let changed = true; changed;) {
      changed = false;
      for (let place = 1; place < this.#sorted.length; place++) {
        let found: number | undefined;
        for (const from of before[place] ?? []) {
          if (dominator[from] === undefined) continue;
          found = found === undefined ? from : this.#common(found, from);
        }
        if (found !== undefined && dominator[place] !== found) {
          dominator[place] = found;
          changed = true;
        }
      }
    }
  }

  #common(a: number, b: number): number {
    while (a !== b) {
      while (a > b) a = this.#dominator[a] ?? 0;
      while (b > a) b = this.#dominator[b] ?? 0;
    }
    return a;
  }

  #dominates(a: number, b: number): boolean {
    while (b > a) b = this.#dominator[b] ?? 0;
    return a === b;
  }

  #classify(): void {
    const forward = this.#sorted.map(() => 0);
    for (const [place, { next }] of this.#sorted.entries()) {
      for (const offset of new Set(next)) {
        const to = this.#order.get(offset);
        if (to === undefined) continue;
        if (to > place) forward[to] = (forward[to] ?? 0) + 1;
        else if (this.#dominates(to, place)) this.#isLoop[to] = true;
        else this.#cut.add(place * 0x1000 + to);
      }
      // Both ways of a branch to one place are two.
      if (next.length > 1 && next[0] === next[1]) {
        const to = this.#order.get(next[0] ?? 0);
        if (to !== undefined && to > place) forward[to] = (forward[to] ?? 0) + 1;
      }
    }
    for (let place = 0; place < this.#sorted.length; place++) {
      this.#children[place] ??= [];
      this.#isMerge[place] = (forward[place] ?? 0) > 1;
      if (place === 0) continue;
      const by = this.#dominator[place] ?? 0;
      (this.#children[by] ??= []).push(place);
    }
  }
}
