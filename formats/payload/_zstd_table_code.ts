/**
 * The making of zstd's tables as WebAssembly. A block has up to four, and a
 * kernel five hundred blocks: in a process that unpacks but one, TypeScript would
 * still be interpreted when all is over.
 *
 * Source: RFC 8878, sections 4.1.2 (FSE) and 4.2.1 (Huffman).
 *
 * @module
 */

import type { Code } from "../../wasm/code.ts";
import type { Module } from "../../wasm/module.ts";
import type { Local } from "../../wasm/types.ts";
import { DECODER_TABLES } from "./_arena.ts";

/** Functions that make tables. */
export interface ZstdTableCode {
  /**
   * Makes an FSE table from the distribution at `counts`.
   *
   * @param symbols How many symbols the distribution has.
   * @param bits Bits of the states.
   * @param table Where the table goes, eight bytes an entry.
   * @param values What the symbols mean, eight bytes each: extra bits << 16, base.
   */
  stateTable(symbols: number, bits: number, table: number, values: number): void;
  /**
   * Decodes weights with the table that {@link stateTable} made at `weightTable`.
   *
   * @returns How many there are; -1 for bits that end too early or not at all.
   */
  unpackWeights(start: number, end: number, bits: number): number;
  /**
   * Makes the Huffman table from `weights`, of which the last is worked out.
   *
   * @param count How many weights there are, at most 255.
   * @returns Bits of the longest code, or -1 for weights that make no tree.
   */
  huffmanTable(count: number, table: number): number;
}

const BASE = DECODER_TABLES + 0x3840 + 0x20000 + 12 * 43690;

/** Where the makers find their input and keep their notes. */
export const zstdNotes = {
  /** A distribution, 16 bits a symbol. */
  counts: BASE,
  /** The symbol of each state. */
  symbols: BASE + 0x200,
  /** By symbol, the number from which its states are counted on. */
  next: BASE + 0x400,
  /** Weights of Huffman codes, a byte each. */
  weights: BASE + 0x600,
  /** By weight, where its codes go in the table. */
  slots: BASE + 0x800,
  /** The states of packed weights, eight bytes each. */
  weightTable: BASE + 0x840,
  /** What symbols mean that mean themselves: zeros. */
  nothing: BASE + 0xa40,
  /** What the symbols of the three codes of a sequence mean. */
  values: BASE + 0x1240,
  /** Behind all that. */
  end: BASE + 0x1240 + 3 * 64 * 8,
} as const;

/** Adds the makers to a module. */
export function addTableMakers(m: Module): void {
  stateTable(m);
  unpackWeights(m);
  huffmanTable(m);
}

/** Does `body` for `i` from 0 up to below `end`. */
function each(f: Code, i: Local, end: Local, body: () => void): void {
  f.localSet(i, f.i32Const(0));
  const done = f.block();
  const again = f.loop();
  f.brIf(done, f.i32GeU(f.localGet(i), f.localGet(end)));
  body();
  f.localSet(i, f.i32Add(f.localGet(i), f.i32Const(1)));
  f.br(again).end(again).end(done);
}

function stateTable(m: Module): void {
  const { code: f, params: [count, bits, table, values] } = m.func({
    params: ["i32", "i32", "i32", "i32"],
    export: "stateTable",
  });
  const local = (): Local => f.local("i32");
  const [size, mask, high, step, symbol, state] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  const [left, nth, width] = [local(), local(), local()];
  f.localSet(size, f.i32Shl(f.i32Const(1), f.localGet(bits)));
  f.localSet(mask, f.i32Sub(f.localGet(size), f.i32Const(1)));
  f.localSet(high, f.localGet(mask));
  f.i32ShrU(f.localGet(size), f.i32Const(1)).i32ShrU(f.localGet(size), f.i32Const(3)).i32Add();
  f.i32Const(3).i32Add().localSet(step);
  const twice = (index: Local): Code => f.i32Shl(f.localGet(index), f.i32Const(1));

  // Symbols of less than one share have one state each, from the top down.
  each(f, symbol, count, () => {
    f.localSet(left, f.i32Load16S(zstdNotes.counts, twice(symbol)));
    const isRare = f.i32Eq(f.localGet(left), f.i32Const(-1)).if();
    f.i32Store8(zstdNotes.symbols, f.localGet(high), f.localGet(symbol));
    f.localSet(high, f.i32Sub(f.localGet(high), f.i32Const(1)));
    f.localSet(left, f.i32Const(1)).end(isRare);
    f.i32Store16(zstdNotes.next, twice(symbol), f.localGet(left));
  });
  // The others are strewn over the rest with a step that meets every state once.
  each(f, symbol, count, () => {
    f.localSet(left, f.i32Load16S(zstdNotes.counts, twice(symbol)));
    const placed = f.block();
    const more = f.loop();
    f.brIf(placed, f.i32LeS(f.localGet(left), f.i32Const(0)));
    f.i32Store8(zstdNotes.symbols, f.localGet(state), f.localGet(symbol));
    const isTaken = f.loop();
    f.i32Add(f.localGet(state), f.localGet(step)).localGet(mask).i32And().localTee(state);
    f.brIf(isTaken, f.localGet(high).i32GtU()).end(isTaken);
    f.localSet(left, f.i32Sub(f.localGet(left), f.i32Const(1)));
    f.br(more).end(more).end(placed);
  });
  each(f, state, size, () => {
    f.localSet(symbol, f.i32Load8U(zstdNotes.symbols, f.localGet(state)));
    f.localSet(nth, f.i32Load16U(zstdNotes.next, twice(symbol)));
    f.i32Store16(zstdNotes.next, twice(symbol), f.i32Add(f.localGet(nth), f.i32Const(1)));
    f.i32Sub(f.localGet(bits), f.i32Const(31)).i32Clz(f.localGet(nth)).i32Add().localSet(width);
    f.i32Add(f.localGet(table), f.i32Shl(f.localGet(state), f.i32Const(3)));
    f.i32Add(f.localGet(values), f.i32Shl(f.localGet(symbol), f.i32Const(3))).i64Load(0);
    f.i32Shl(f.localGet(nth), f.localGet(width)).i32Sub(f.localGet(size));
    f.i32Shl(f.localGet(width), f.i32Const(24)).i32Or().i64ExtendI32U().i64Or();
    f.i64Store(0);
  });
}

/** Two states take turns; the first that lacks bits leaves the last word to the other. */
function unpackWeights(m: Module): void {
  const { code: f, params: [start, end, bits] } = m.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    export: "unpackWeights",
  });
  const local = (): Local => f.local("i32");
  const [left, one, other, turn, count, width, at] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  /** Bits not yet read are counted in `left`; those before the first are zeros. */
  const take = (width: Local, to: Local): void => {
    f.localTee(left, f.i32Sub(f.localGet(left), f.localGet(width)));
    const isShort = f.i32Const(0).i32LtS().if();
    f.i32Load8U(0, f.localGet(start)).i32Sub(f.i32Const(0), f.localGet(left)).i32Shl();
    f.localSet(to).else();
    f.i32Add(f.localGet(start), f.i32ShrU(f.localGet(left), f.i32Const(3)));
    f.i32Load16U({ align: 0 }).i32And(f.localGet(left), f.i32Const(7)).i32ShrU();
    f.localSet(to).end(isShort);
    f.i32Shl(f.i32Const(-1), f.localGet(width)).i32Const(-1).i32Xor();
    f.localGet(to).i32And().localSet(to);
  };
  const put = (state: Local): void => {
    f.i32Store8(
      zstdNotes.weights,
      f.localGet(count),
      f.i32Load8U(zstdNotes.symbols, f.localGet(state)),
    );
    f.localSet(count, f.i32Add(f.localGet(count), f.i32Const(1)));
  };

  const bad = f.block();
  f.brIf(bad, f.i32GeU(f.localGet(start), f.localGet(end)));
  f.i32Load8U(0, f.i32Sub(f.localGet(end), f.i32Const(1))).localTee(at).i32Eqz().brIf(bad);
  f.i32Shl(f.i32Sub(f.localGet(end), f.localGet(start)), f.i32Const(3));
  f.i32Sub(f.i32Clz(f.localGet(at)), f.i32Const(23)).i32Sub().localSet(left);
  take(bits, one);
  take(bits, other);
  f.brIf(bad, f.i32LtS(f.localGet(left), f.i32Const(0)));

  const over = f.block();
  const next = f.loop();
  f.brIf(bad, f.i32GtU(f.localGet(count), f.i32Const(253)));
  put(one);
  f.localSet(at, f.i32Shl(f.localGet(one), f.i32Const(3)));
  f.localSet(width, f.i32Load8U(zstdNotes.weightTable + 3, f.localGet(at)));
  take(width, turn);
  f.i32Load16U(zstdNotes.weightTable, f.localGet(at)).localGet(turn).i32Add().localSet(turn);
  f.brIf(over, f.i32LtS(f.localGet(left), f.i32Const(0)));
  f.localSet(one, f.localGet(other)).localSet(other, f.localGet(turn));
  f.br(next).end(next).end(over);
  put(other);
  f.localGet(count).return().end(bad);
  f.i32Const(-1);
}

function huffmanTable(m: Module): void {
  const { code: f, params: [count, table] } = m.func({
    params: ["i32", "i32"],
    results: ["i32"],
    export: "huffmanTable",
  });
  const local = (): Local => f.local("i32");
  const [i, weight, sum, bits, left, at] = [local(), local(), local(), local(), local(), local()];
  const [share, stop, entry] = [local(), local(), local()];
  const slot = (): Code => f.i32Shl(f.localGet(weight), f.i32Const(1));
  const weightOf = (): void => {
    f.localSet(weight, f.i32Load8U(zstdNotes.weights, f.localGet(i)));
  };
  /** 1 << (weight - 1), or 0 for no weight */
  const shareOf = (): Code => {
    f.i32Shl(f.i32Const(1), f.localGet(weight)).i32Const(1).i32ShrU();
    return f;
  };

  const bad = f.block();
  f.v128Store(zstdNotes.slots, f.i32Const(0), f.v128Const(new Uint8Array(16)));
  f.v128Store(zstdNotes.slots + 16, f.i32Const(0), f.v128Const(new Uint8Array(16)));
  each(f, i, count, () => {
    weightOf();
    f.brIf(bad, f.i32GtU(f.localGet(weight), f.i32Const(11)));
    f.localSet(sum, f.i32Add(f.localGet(sum), shareOf()));
  });
  f.brIf(bad, f.i32Eqz(f.localGet(sum)));
  // The last symbol's weight is what makes the sum a power of two.
  f.i32Sub(f.i32Const(32), f.i32Clz(f.localGet(sum))).localTee(bits);
  f.i32Const(11).i32GtU().brIf(bad);
  f.i32Shl(f.i32Const(1), f.localGet(bits)).localGet(sum).i32Sub().localSet(left);
  f.i32And(f.localGet(left), f.i32Sub(f.localGet(left), f.i32Const(1))).brIf(bad);
  f.i32Store8(
    zstdNotes.weights,
    f.localGet(count),
    f.i32Sub(f.i32Const(32), f.i32Clz(f.localGet(left))),
  );
  f.localSet(count, f.i32Add(f.localGet(count), f.i32Const(1)));

  // Light symbols come first: where those of each weight start.
  each(f, i, count, () => {
    weightOf();
    f.brIf(bad, f.i32GtU(f.localGet(weight), f.localGet(bits)));
    slot();
    f.i32Load16U(zstdNotes.slots, slot()).localGet(weight).i32Eqz().i32Eqz().i32Add();
    f.i32Store16(zstdNotes.slots);
  });
  f.localSet(at, f.i32Const(0)).localSet(weight, f.i32Const(1));
  const sorted = f.loop();
  f.localSet(share, f.i32Mul(f.i32Load16U(zstdNotes.slots, slot()), shareOf()));
  f.i32Store16(zstdNotes.slots, slot(), f.localGet(at));
  f.localSet(at, f.i32Add(f.localGet(at), f.localGet(share)));
  f.localTee(weight, f.i32Add(f.localGet(weight), f.i32Const(1)));
  f.brIf(sorted, f.localGet(bits).i32LeU()).end(sorted);

  each(f, i, count, () => {
    weightOf();
    const isUsed = f.localGet(weight).if();
    f.i32Load16U(zstdNotes.slots, slot()).localTee(at).i32Const(1).i32Shl();
    f.localGet(table).i32Add();
    f.localSet(stop, f.i32Add(f.localGet(at), shareOf()));
    f.i32Store16(zstdNotes.slots, slot(), f.localGet(stop));
    f.localSet(at);
    f.i32Shl(f.localGet(stop), f.i32Const(1)).localGet(table).i32Add().localSet(stop);
    f.i32Sub(f.localGet(bits), f.localGet(weight)).i32Const(1).i32Add();
    f.i32Shl(f.localGet(i), f.i32Const(8)).i32Or().localSet(entry);
    const more = f.loop();
    f.i32Store16(0, f.localGet(at), f.localGet(entry));
    f.localTee(at, f.i32Add(f.localGet(at), f.i32Const(2)));
    f.brIf(more, f.localGet(stop).i32LtU()).end(more).end(isUsed);
  });
  f.localGet(bits).return().end(bad);
  f.i32Const(-1);
}
