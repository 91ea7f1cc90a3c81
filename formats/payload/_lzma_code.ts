/**
 * The LZMA decoder as WebAssembly.
 *
 * LZMA is a range coder over a great many adaptive probabilities, one a binary
 * decision; each decision waits for the one before, so everything hangs on the
 * few instructions of {@link RangeCoder.bit}. All state lives in locals while
 * the decoder runs. It returns every now and then: an engine replaces code by
 * better code only when it is called the next time.
 *
 * The output is its own dictionary, in one piece from the start.
 *
 * Source: "LZMA specification" (7-Zip, lzma-specification.txt, 2015).
 *
 * @module
 */

import type { Code } from "../../wasm/code.ts";
import { Module } from "../../wasm/module.ts";
import type { GlobalIndex, Local } from "../../wasm/types.ts";
import { type Arena, compiled, DECODER_TABLES } from "./_arena.ts";
import { copyMatch } from "./_copy.ts";

/** Why the decoder returned. */
export const lzmaStatus = {
  /** `out` reached the mark it was given, or went beyond it by the rest of a match. */
  reached: 0,
  /** The end marker was met. */
  ended: 1,
  /** A match lies before the start of the dictionary. */
  badDistance: 2,
  /** The input ended. */
  starved: 3,
} as const;

/** A global variable of the module. */
export interface Register {
  /** What it holds: an address, an offset or a small number. */
  value: number;
}

/** The decoder's functions and its state between calls; addresses in the memory. */
export interface LzmaCode {
  /** Sets probabilities and state back; `literals` is how many literal coders there are. */
  reset(literals: number): void;
  /** Reads the range coder's first bytes. Returns the first one, which has to be 0. */
  start(): number;
  /** Decodes until `out` reaches `mark` or the input `inputEnd`. Returns a status. */
  decode(mark: number, inputEnd: number): number;
  /** Next byte of input. */
  readonly input: Register;
  /** Next byte of output. */
  readonly out: Register;
  /** Where the dictionary starts in the output. */
  readonly base: Register;
  /** The byte before `out`, 0 at the start of the dictionary. */
  readonly previous: Register;
  /** The range coder's value: 0 where a stream may end. */
  readonly code: Register;
  /** Bits of the last byte that choose a literal coder. */
  readonly lc: Register;
  /** Mask of the position's bits that choose a literal coder. */
  readonly lpMask: Register;
  /** Mask of the position's bits that choose other probabilities. */
  readonly pbMask: Register;
}

const PROBS = DECODER_TABLES;

/** Where each family of probabilities is, in bytes; a probability takes two. */
const at = {
  isMatch: 0, // [state 12][position 16]
  isRep: 0x180,
  isRepG0: 0x198,
  isRepG1: 0x1b0,
  isRepG2: 0x1c8,
  isRep0Long: 0x1e0, // [state 12][position 16]
  posSlot: 0x360, // [length 4][64]
  posSpecial: 0x560, // 115, from the distance on, less its slot
  align: 0x660, // [16]
  length: 0x680, // the coder of matches
  repLength: 0x680 + 0x408, // the coder of repeated matches
  literal: 0xe90, // [0x300] a coder
} as const;

/** Where what is in a length coder, in bytes. */
const lengthAt = { choice: 0, choice2: 2, low: 8, mid: 0x108, high: 0x208 } as const;

/** Bytes of tables for as many literal coders. */
export function lzmaTables(literals: number): number {
  return (at.literal + literals * 0x600 + 31) & ~31;
}

const cache: { module?: Promise<WebAssembly.Module> } = {};

/** The decoder over an arena's memory. */
export async function createLzmaCode(arena: Arena): Promise<LzmaCode> {
  const module = await compiled(cache, assembleLzma);
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  return instance.exports as unknown as LzmaCode;
}

/** Writes the module. */
export function assembleLzma(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  const kept: Partial<Record<Kept, GlobalIndex>> = {};
  for (const name of names) kept[name] = m.global({ type: "i32", mutable: true, export: name });
  const global = kept as Globals;
  reset(m, global);
  start(m, global);
  decode(m, global);
  return m.finish();
}

const names = [
  "input",
  "out",
  "base",
  "previous",
  "code",
  "lc",
  "lpMask",
  "pbMask",
  "range",
  "state",
  "rep0",
  "rep1",
  "rep2",
  "rep3",
] as const;
type Kept = typeof names[number];
type Globals = Readonly<Record<Kept, GlobalIndex>>;

/** All probabilities one half, state and last distances 0. */
function reset(m: Module, global: Globals): void {
  const { code: f, params: [literals] } = m.func({ params: ["i32"], export: "reset" });
  const [p, end] = [f.local("i32"), f.local("i32")];
  const half = f.local("v128");
  f.localSet(half, f.i16x8Splat(f.i32Const(1024)));
  f.localSet(p, f.i32Const(PROBS));
  f.i32Mul(f.localGet(literals), f.i32Const(0x600)).i32Const(PROBS + at.literal).i32Add();
  f.localSet(end);
  const again = f.loop();
  f.v128Store({ align: 0 }, f.localGet(p), f.localGet(half));
  f.localTee(p, f.i32Add(f.localGet(p), f.i32Const(16)));
  f.brIf(again, f.localGet(end).i32LtU()).end(again);
  for (const name of ["state", "rep0", "rep1", "rep2", "rep3"] as const) {
    f.globalSet(global[name], f.i32Const(0));
  }
}

function start(m: Module, global: Globals): void {
  const { code: f } = m.func({ results: ["i32"], export: "start" });
  f.globalSet(global.range, f.i32Const(-1));
  f.globalSet(global.code, f.i32Const(0));
  for (let i = 1; i <= 4; i++) {
    f.i32Shl(f.globalGet(global.code), f.i32Const(8));
    f.i32Load8U(i, f.globalGet(global.input)).i32Or().globalSet(global.code);
  }
  f.i32Load8U(0, f.globalGet(global.input));
  f.globalSet(global.input, f.i32Add(f.globalGet(global.input), f.i32Const(5)));
}

/** The range coder: how a binary decision is read. */
class RangeCoder {
  readonly #f: Code;
  readonly #range: Local;
  readonly #code: Local;
  readonly #input: Local;
  readonly #p: Local;
  readonly #bound: Local;
  readonly #less: Local;
  readonly #index: Local;

  constructor(f: Code, range: Local, code: Local, input: Local) {
    this.#f = f;
    this.#range = range;
    this.#code = code;
    this.#input = input;
    [this.#p, this.#bound] = [f.local("i32"), f.local("i32")];
    [this.#less, this.#index] = [f.local("i32"), f.local("i32")];
  }

  /** Takes in a byte when fewer than 24 bits of range are left. */
  normalize(): void {
    const f = this.#f;
    f.i32LtU(f.localGet(this.#range), f.i32Const(1 << 24));
    const narrow = f.if();
    f.localSet(this.#range, f.i32Shl(f.localGet(this.#range), f.i32Const(8)));
    f.i32Shl(f.localGet(this.#code), f.i32Const(8)).i32Load8U(0, f.localGet(this.#input));
    f.i32Or().localSet(this.#code);
    f.localSet(this.#input, f.i32Add(f.localGet(this.#input), f.i32Const(1)));
    f.end(narrow);
  }

  /** Reads probability and bound, and leaves on the stack whether the bit is 0. */
  #divide(offset: number, index: Local | undefined): void {
    const f = this.#f;
    this.normalize();
    if (index === undefined) f.i32Const(0);
    else f.localGet(index);
    f.i32Load16U(PROBS + offset).localTee(this.#p);
    f.i32ShrU(f.localGet(this.#range), f.i32Const(11)).i32Mul().localTee(this.#bound);
    f.localGet(this.#code).i32GtU();
  }

  #store(offset: number, index: Local | undefined, value: () => void): void {
    const f = this.#f;
    if (index === undefined) f.i32Const(0);
    else f.localGet(index);
    value();
    f.i32Store16(PROBS + offset);
  }

  /** The narrower range and the probability after a 0. */
  #zero(offset: number, index: Local | undefined): void {
    const f = this.#f;
    f.localSet(this.#range, f.localGet(this.#bound));
    this.#store(offset, index, () => {
      f.i32Sub(f.i32Const(2048), f.localGet(this.#p)).i32Const(5).i32ShrU();
      f.localGet(this.#p).i32Add();
    });
  }

  /** The same after a 1. */
  #one(offset: number, index: Local | undefined): void {
    const f = this.#f;
    f.localSet(this.#range, f.i32Sub(f.localGet(this.#range), f.localGet(this.#bound)));
    f.localSet(this.#code, f.i32Sub(f.localGet(this.#code), f.localGet(this.#bound)));
    this.#store(offset, index, () => {
      f.localGet(this.#p).i32ShrU(f.localGet(this.#p), f.i32Const(5)).i32Sub();
    });
  }

  /**
   * A decision with two ways on: `if` it is 1, else.
   *
   * @param offset Where the probability is among all, in bytes.
   * @param index Added to it.
   */
  decide(offset: number, index: Local | undefined, one: () => void, zero: () => void): void {
    const f = this.#f;
    this.#divide(offset, index);
    const branch = f.if();
    this.#zero(offset, index);
    zero();
    f.else();
    this.#one(offset, index);
    one();
    f.end(branch);
  }

  /**
   * A decision that leads a node of a binary tree on to one of its children:
   * `node` becomes 2 * node, and 2 more if the bit is 1. (Nodes are counted by
   * bytes of probabilities, so the root is 2.)
   *
   * The bits of literals and lengths are close to chance, a processor would
   * mispredict every third one. So this is arithmetic, without a branch.
   *
   * @param offset Where the tree is among the probabilities, in bytes.
   * @param tree Further bytes to the tree.
   */
  branch(offset: number, node: Local, tree?: Local): void {
    const f = this.#f;
    let index = node;
    if (tree !== undefined) {
      f.localSet(this.#index, f.i32Add(f.localGet(node), f.localGet(tree)));
      index = this.#index;
    }
    this.#divide(offset, index);
    f.localSet(this.#less);
    // p + ((2048 - p) >> 5) after a 0, p - (p >> 5) after a 1, which is p + ((31 - p) >> 5).
    this.#store(offset, index, () => {
      f.i32Const(2048).i32Const(31).localGet(this.#less).select();
      f.localGet(this.#p).i32Sub().i32Const(5).i32ShrS().localGet(this.#p).i32Add();
    });
    f.localGet(this.#code);
    f.i32Sub(f.localGet(this.#code), f.localGet(this.#bound));
    f.localGet(this.#less).select().localSet(this.#code);
    f.localGet(this.#bound);
    f.i32Sub(f.localGet(this.#range), f.localGet(this.#bound));
    f.localGet(this.#less).select().localSet(this.#range);
    f.i32Or(f.localGet(node), f.i32Eqz(f.localGet(this.#less))).i32Const(1).i32Shl();
    f.localSet(node);
  }

  /** Whether the last {@link branch} was a 0. */
  get wasZero(): Local {
    return this.#less;
  }

  /** A bit without probability, as 0 or -1 plus one in `bit`. */
  direct(bit: Local): void {
    const f = this.#f;
    this.normalize();
    f.localSet(this.#range, f.i32ShrU(f.localGet(this.#range), f.i32Const(1)));
    f.localSet(this.#code, f.i32Sub(f.localGet(this.#code), f.localGet(this.#range)));
    f.i32ShrS(f.localGet(this.#code), f.i32Const(31)).localTee(this.#less);
    f.localGet(this.#range).i32And().localGet(this.#code).i32Add().localSet(this.#code);
    f.localSet(bit, f.i32Add(f.localGet(this.#less), f.i32Const(1)));
  }
}

function decode(m: Module, global: Globals): void {
  const { code: f, params: [mark, inputEnd] } = m.func({
    params: ["i32", "i32"],
    results: ["i32"],
    export: "decode",
  });
  const locals: Partial<Record<Kept, Local>> = {};
  for (const name of names) {
    const local = locals[name] = f.local("i32");
    f.localSet(local, f.globalGet(global[name]));
  }
  const local = locals as Readonly<Record<Kept, Local>>;
  const { input, out, base, previous, code, lc, lpMask, pbMask, range, state } = local;
  const { rep0, rep1, rep2, rep3 } = local;
  const position = f.local("i32");
  const node = f.local("i32");
  const index = f.local("i32");
  const tree = f.local("i32");
  const count = f.local("i32");
  const length = f.local("i32");
  const status = f.local("i32");
  const coder = new RangeCoder(f, range, code, input);

  const leave = f.block();
  const next = f.loop();
  f.brIf(leave, f.i32GeU(f.localGet(out), f.localGet(mark)));
  const fed = f.block();
  f.brIf(fed, f.i32LeU(f.localGet(input), f.localGet(inputEnd)));
  f.localSet(status, f.i32Const(lzmaStatus.starved)).br(leave).end(fed);
  f.localSet(position, f.i32Sub(f.localGet(out), f.localGet(base)));

  /** index = 2 * (16 * state + position masked) */
  const byStateAndPosition = (): void => {
    f.i32Shl(f.localGet(state), f.i32Const(5));
    f.i32And(f.localGet(position), f.localGet(pbMask)).i32Const(1).i32Shl().i32Or();
    f.localSet(index);
  };
  const byState = (): void => {
    f.localSet(index, f.i32Shl(f.localGet(state), f.i32Const(1)));
  };
  /** state = state < 7 ? a : b */
  const setState = (a: number, b: number): void => {
    f.i32Const(a).i32Const(b).i32LtU(f.localGet(state), f.i32Const(7)).select().localSet(state);
  };

  const isMatch = f.block();
  byStateAndPosition();
  coder.decide(at.isMatch, index, () => f.br(isMatch), () => {});
  literal();
  f.br(next).end(isMatch);

  const copy = f.block();
  const isRep = f.block();
  byState();
  coder.decide(at.isRep, index, () => f.br(isRep), () => {});
  f.localSet(rep3, f.localGet(rep2)).localSet(rep2, f.localGet(rep1));
  f.localSet(rep1, f.localGet(rep0));
  setState(7, 10);
  lengthOf(at.length);
  distance();
  f.br(copy).end(isRep);

  const isLong = f.block();
  coder.decide(at.isRepG0, index, () => {
    byState();
    f.localSet(node, f.localGet(rep1));
    coder.decide(at.isRepG1, index, () => {
      f.localSet(node, f.localGet(rep2));
      coder.decide(at.isRepG2, index, () => {
        f.localSet(node, f.localGet(rep3)).localSet(rep3, f.localGet(rep2));
      }, () => {});
      f.localSet(rep2, f.localGet(rep1));
    }, () => {});
    f.localSet(rep1, f.localGet(rep0)).localSet(rep0, f.localGet(node));
  }, () => {
    byStateAndPosition();
    coder.decide(at.isRep0Long, index, () => f.br(isLong), () => {});
    // One byte from the last distance.
    setState(9, 11);
    f.localSet(length, f.i32Const(1)).br(copy);
  });
  f.end(isLong);
  setState(8, 11);
  lengthOf(at.repLength);
  f.end(copy);

  const near = f.block();
  f.brIf(near, f.i32LtU(f.localGet(rep0), f.localGet(position)));
  f.localSet(status, f.i32Const(lzmaStatus.badDistance)).br(leave).end(near);
  f.localSet(node, f.i32Add(f.localGet(rep0), f.i32Const(1)));
  copyMatch(f, out, node, length, index);
  f.localSet(previous, f.i32Load8U(0, f.i32Sub(f.localGet(out), f.i32Const(1))));
  f.br(next).end(next).end(leave);

  coder.normalize();
  for (const name of names) f.globalSet(global[name], f.localGet(local[name]));
  f.localGet(status);

  function literal(): void {
    // tree: the coder for this position and the byte before.
    f.i32And(f.localGet(position), f.localGet(lpMask)).localGet(lc).i32Shl();
    f.i32ShrU(f.localGet(previous), f.i32Sub(f.i32Const(8), f.localGet(lc))).i32Add();
    f.i32Const(0x600).i32Mul().localSet(tree);
    f.localSet(node, f.i32Const(2));
    const stored = f.block();
    const afterMatch = f.block();
    f.brIf(afterMatch, f.i32GeU(f.localGet(state), f.i32Const(7)));
    for (let bit = 0; bit < 8; bit++) coder.branch(at.literal, node, tree);
    f.i32Sub(f.localGet(state), f.i32Const(3)).i32Const(0);
    f.i32GtU(f.localGet(state), f.i32Const(3)).select().localSet(state);
    f.br(stored).end(afterMatch);
    literalAfterMatch();
    f.end(stored);
    f.localSet(previous, f.i32And(f.i32ShrU(f.localGet(node), f.i32Const(1)), f.i32Const(0xff)));
    f.i32Store8(0, f.localGet(out), f.localGet(previous));
    f.localSet(out, f.i32Add(f.localGet(out), f.i32Const(1)));
  }

  /**
   * After a match the byte that would have continued it is unlikely: as long as
   * the bits are the same as its bits, they have coders of their own.
   */
  function literalAfterMatch(): void {
    const [byte, same, bit, coderOf] = [index, length, count, f.local("i32")];
    f.i32Sub(f.localGet(out), f.localGet(rep0)).i32Const(1).i32Sub().i32Load8U(0);
    f.i32Const(1).i32Shl().localSet(byte);
    f.localSet(same, f.i32Const(0x200));
    for (let n = 0; n < 8; n++) {
      f.localSet(byte, f.i32Shl(f.localGet(byte), f.i32Const(1)));
      f.localSet(bit, f.i32And(f.localGet(byte), f.localGet(same)));
      f.i32Add(f.localGet(tree), f.localGet(same)).localGet(bit).i32Add().localSet(coderOf);
      coder.branch(at.literal, node, coderOf);
      f.localGet(same).localGet(bit);
      f.i32Sub(f.i32Const(0), f.localGet(coder.wasZero)).i32Xor().i32And().localSet(same);
    }
    f.i32Const(3).i32Const(6).i32LtU(f.localGet(state), f.i32Const(10)).select();
    f.localSet(length);
    f.localSet(state, f.i32Sub(f.localGet(state), f.localGet(length)));
  }

  function lengthOf(offset: number): void {
    const short = (from: number, least: number): void => {
      f.i32And(f.localGet(position), f.localGet(pbMask)).i32Const(4).i32Shl().localSet(tree);
      f.localSet(node, f.i32Const(2));
      for (let bit = 0; bit < 3; bit++) coder.branch(offset + from, node, tree);
      f.i32ShrU(f.localGet(node), f.i32Const(1)).i32Const(least - 8).i32Add().localSet(length);
    };
    coder.decide(offset + lengthAt.choice, undefined, () => {
      coder.decide(offset + lengthAt.choice2, undefined, () => {
        f.localSet(node, f.i32Const(2));
        for (let bit = 0; bit < 8; bit++) coder.branch(offset + lengthAt.high, node);
        f.i32ShrU(f.localGet(node), f.i32Const(1)).i32Const(18 - 256).i32Add().localSet(length);
      }, () => short(lengthAt.mid, 10));
    }, () => short(lengthAt.low, 2));
  }

  function distance(): void {
    const slot = index;
    f.i32Sub(f.localGet(length), f.i32Const(2)).i32Const(3);
    f.i32LtU(f.localGet(length), f.i32Const(5)).select().i32Const(7).i32Shl().localSet(tree);
    f.localSet(node, f.i32Const(2));
    for (let bit = 0; bit < 6; bit++) coder.branch(at.posSlot, node, tree);
    f.i32ShrU(f.localGet(node), f.i32Const(1)).i32Const(64).i32Sub().localTee(slot);
    f.localTee(rep0).i32Const(4).i32LtU().brIf(copy);
    f.localSet(count, f.i32Sub(f.i32ShrU(f.localGet(slot), f.i32Const(1)), f.i32Const(1)));
    f.i32And(f.localGet(slot), f.i32Const(1)).i32Const(2).i32Or().localSet(rep0);

    const far = f.block();
    f.brIf(far, f.i32GeU(f.localGet(slot), f.i32Const(14)));
    f.localSet(rep0, f.i32Shl(f.localGet(rep0), f.localGet(count)));
    f.i32Sub(f.localGet(rep0), f.localGet(slot)).i32Const(1).i32Shl().localSet(tree);
    lowBitsFirst(() => {
      coder.branch(at.posSpecial, node, tree);
    });
    f.br(copy).end(far);

    f.localSet(count, f.i32Sub(f.localGet(count), f.i32Const(4)));
    const more = f.loop();
    coder.direct(node);
    f.i32Shl(f.localGet(rep0), f.i32Const(1)).localGet(node).i32Add().localSet(rep0);
    f.localTee(count, f.i32Sub(f.localGet(count), f.i32Const(1))).brIf(more).end(more);
    f.localSet(rep0, f.i32Shl(f.localGet(rep0), f.i32Const(4)));
    f.localSet(node, f.i32Const(2));
    for (let bit = 0; bit < 4; bit++) {
      coder.branch(at.align, node);
      f.i32Eqz(f.localGet(coder.wasZero)).i32Const(bit).i32Shl();
      f.localGet(rep0).i32Or().localSet(rep0);
    }
    const ended = f.block();
    f.brIf(ended, f.i32Ne(f.localGet(rep0), f.i32Const(-1)));
    f.localSet(status, f.i32Const(lzmaStatus.ended)).br(leave).end(ended);
  }

  /** Adds `count` bits to `rep0`, the lowest first. */
  function lowBitsFirst(read: () => void): void {
    const bit = f.local("i32");
    f.localSet(bit, f.i32Const(0)).localSet(node, f.i32Const(2));
    const more = f.loop();
    read();
    f.i32Eqz(f.localGet(coder.wasZero)).localGet(bit).i32Shl();
    f.localGet(rep0).i32Add().localSet(rep0);
    f.localTee(bit, f.i32Add(f.localGet(bit), f.i32Const(1)));
    f.brIf(more, f.localGet(count).i32LtU()).end(more);
  }
}
