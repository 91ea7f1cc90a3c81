/**
 * The loops of zstd as WebAssembly: symbols of a Huffman code; sequences of
 * literals and matches read; the same executed.
 *
 * Sequences are read and executed in two passes over a block. A match in a window
 * of 128 MiB is a cache miss, and while one is waited for, the processor gets on
 * only with what does not depend on bits still to be read.
 *
 * Bits are read backwards, from the highest set bit of the last byte to
 * the lowest bit of the first. The 64 bits up to the place of reading are loaded
 * anew whenever they might not do; a load that reaches below the stream's start
 * gets bits of something else, which matter only where the stream is damaged,
 * and then the end is not hit exactly.
 *
 * Source: RFC 8878.
 *
 * @module
 */

import type { Code } from "../../wasm/code.ts";
import { Module } from "../../wasm/module.ts";
import type { Label, Local } from "../../wasm/types.ts";
import { type Arena, compiled, DECODER_TABLES } from "./_arena.ts";
import { copyForward, copyMatch } from "./_copy.ts";
import { addTableMakers, zstdNotes, type ZstdTableCode } from "./_zstd_table_code.ts";

/** How a call ended. */
export const zstdStatus = {
  /** As it should. */
  ended: 0,
  /** The bits end early, or some are left over. */
  badBits: 1,
  /** There are fewer literals than the sequences want. */
  noLiterals: 2,
  /** A match lies before the start of the frame, or 0 bytes back. */
  badDistance: 3,
  /** The block is longer than a block may be. */
  tooLong: 4,
} as const;

/** The decoder; addresses in the memory. */
export interface ZstdCode extends ZstdTableCode {
  /** Decodes `count` symbols of a Huffman code of up to `bits` bits to `to`. Returns a status. */
  huffman(start: number, end: number, to: number, count: number, bits: number): number;
  /** The same of four streams, which start where the last three arguments say as well. */
  huffman4(
    start: number,
    end: number,
    to: number,
    count: number,
    bits: number,
    second: number,
    third: number,
    fourth: number,
  ): number;
  /** Reads `count` sequences and puts them where {@link execute} finds them. Returns a status. */
  sequences(start: number, end: number, count: number): number;
  /**
   * Executes `count` sequences.
   *
   * @param outEnd How far the output may go.
   * @param base Where the frame's output starts.
   * @returns A status.
   */
  execute(count: number, outEnd: number, base: number): number;
  /** Next literal. */
  readonly literal: { value: number };
  /** Where the literals end. */
  readonly literalEnd: { value: number };
  /** Next byte of output. */
  readonly out: { value: number };
  /** The last three distances. */
  readonly rep0: { value: number };
  /** The last but one. */
  readonly rep1: { value: number };
  /** The one before. */
  readonly rep2: { value: number };
  /** Bits of the states of literal lengths. */
  readonly literalBits: { value: number };
  /** Bits of the states of distances. */
  readonly offsetBits: { value: number };
  /** Bits of the states of match lengths. */
  readonly matchBits: { value: number };
}

/**
 * Where the tables are. An entry of the first three is eight bytes: the next
 * state's base (16 bits), extra bits of the value (8), bits to be added to the
 * next state (8), base of the value (32). One of `huffman` is two: bits of the
 * code, symbol. A sequence is three words: literals, match length, distance.
 */
export const zstdTables = {
  literalLengths: DECODER_TABLES,
  matchLengths: DECODER_TABLES + 0x1000,
  offsets: DECODER_TABLES + 0x2000,
  huffman: DECODER_TABLES + 0x2800,
  literals: DECODER_TABLES + 0x3800,
  sequences: DECODER_TABLES + 0x3840 + 0x20000,
} as const;

/** Largest block, and largest number of literals in one. */
export const ZSTD_BLOCK = 0x20000 as const;

/** Most sequences that a block can have, as each makes three bytes or more. */
export const ZSTD_SEQUENCES = 43690 as const;

/** Bytes of all tables and notes. */
export const ZSTD_TABLES = zstdNotes.end - DECODER_TABLES;

const cache: { module?: Promise<WebAssembly.Module> } = {};

/** The decoder over an arena's memory. */
export async function createZstdCode(arena: Arena): Promise<ZstdCode> {
  const module = await compiled(cache, assembleZstd);
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  return instance.exports as unknown as ZstdCode;
}

/** Writes the module. */
export function assembleZstd(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  huffman(m, 1);
  huffman(m, 4);
  sequences(m);
  execute(m);
  addTableMakers(m);
  return m.finish();
}

/** Bits read backwards. */
class BackwardBits {
  readonly #f: Code;
  readonly #start: Local;
  readonly #at: Local;
  readonly #word: Local;
  readonly #used: Local;
  readonly #count: Local;

  constructor(f: Code, start: Local) {
    this.#f = f;
    this.#start = start;
    this.#at = f.local("i32");
    this.#word = f.local("i64");
    this.#used = f.local("i64");
    this.#count = f.local("i64");
  }

  /** Steps over the zeros and the one that pad the last byte; without a one, goes to `bad`. */
  open(end: Local, bad: Label): void {
    const f = this.#f;
    f.localTee(this.#at, f.i32Sub(f.localGet(end), f.i32Const(8)));
    f.i64Load({ align: 0 }).localTee(this.#word);
    f.i64Const(56).i64ShrU().i64Eqz().brIf(bad);
    f.localSet(this.#used, f.i64Add(f.i64Clz(f.localGet(this.#word)), f.i64Const(1)));
  }

  /** Loads 64 bits again, of which 57 are new. */
  reload(): void {
    const f = this.#f;
    f.i32Sub(
      f.localGet(this.#at),
      f.i32WrapI64(f.i64ShrU(f.localGet(this.#used), f.i64Const(3))),
    );
    f.localTee(this.#at).i64Load({ align: 0 }).localSet(this.#word);
    f.localSet(this.#used, f.i64And(f.localGet(this.#used), f.i64Const(7)));
  }

  /** Goes to `bad` when the place of reading is far before the start. */
  holdStart(bad: Label): void {
    const f = this.#f;
    f.localGet(this.#at).i32Sub(f.localGet(this.#start), f.i32Const(8)).i32LtS().brIf(bad);
  }

  /** Puts the bits to come on the stack, the next one on top. */
  peek(): Code {
    const f = this.#f;
    return f.i64Shl(f.localGet(this.#word), f.localGet(this.#used));
  }

  /** Steps over as many bits as are on the stack. */
  skip(): void {
    const f = this.#f;
    f.localGet(this.#used).i64Add().localSet(this.#used);
  }

  /** Puts as many bits on the stack as the number on the stack says, up to 57. */
  take(): Code {
    const f = this.#f;
    f.localSet(this.#count);
    this.peek().i64Const(1).i64ShrU();
    f.i64Sub(f.i64Const(63), f.localGet(this.#count)).i64ShrU();
    f.localGet(this.#count);
    this.skip();
    return f;
  }

  /** Leaves on the stack whether bits are left over or were read beyond the start. */
  isNotAtStart(): void {
    const f = this.#f;
    f.i32Sub(f.localGet(this.#at), f.localGet(this.#start)).i32Const(3).i32Shl();
    f.i32Const(64).i32Add().i32Sub(f.i32WrapI64(f.localGet(this.#used)));
  }
}

/** One stream of Huffman coded symbols: its bits, and where they go. */
class SymbolStream {
  readonly #f: Code;
  readonly #bits: BackwardBits;
  readonly #to: Local;
  readonly #entry: Local;

  constructor(f: Code, bits: BackwardBits, to: Local, entry: Local) {
    this.#f = f;
    this.#bits = bits;
    this.#to = to;
    this.#entry = entry;
  }

  reload(bad: Label): void {
    this.#bits.reload();
    this.#bits.holdStart(bad);
  }

  /** Decodes one symbol; `shift` is 64 less the bits by which the table is looked up. */
  symbol(shift: Local, offset: number): void {
    const f = this.#f;
    this.#bits.peek().localGet(shift).i64ShrU().i32WrapI64();
    f.i32Const(1).i32Shl().i32Load16U(zstdTables.huffman).localSet(this.#entry);
    f.i32Store8(offset, f.localGet(this.#to), f.i32ShrU(f.localGet(this.#entry), f.i32Const(8)));
    f.i64ExtendI32U(f.i32And(f.localGet(this.#entry), f.i32Const(0xff)));
    this.#bits.skip();
  }

  /** Moves on by as many symbols as were decoded. */
  step(count: number): void {
    this.#f.localSet(this.#to, this.#f.i32Add(this.#f.localGet(this.#to), this.#f.i32Const(count)));
  }

  /** Decodes the symbols up to `end` one by one, and leaves whether the bits do not end there. */
  finish(shift: Local, end: Local, bad: Label): void {
    const f = this.#f;
    const done = f.block();
    const again = f.loop();
    f.brIf(done, f.i32GeU(f.localGet(this.#to), f.localGet(end)));
    this.reload(bad);
    this.symbol(shift, 0);
    this.step(1);
    f.br(again).end(again).end(done);
    this.#bits.isNotAtStart();
  }
}

/** Five symbols of eleven bits are less than the 57 that a load gives. */
const BATCH = 5;

/**
 * Either one stream, or four that are decoded side by side: a symbol has to wait
 * for the one before it in its stream, but not for those of the other streams.
 */
function huffman(m: Module, streams: 1 | 4): void {
  const sizes = Array.from({ length: streams - 1 }, () => "i32" as const);
  const { code: f, params } = m.func({
    params: ["i32", "i32", "i32", "i32", "i32", ...sizes],
    results: ["i32"],
    export: streams === 1 ? "huffman" : "huffman4",
  });
  const [start, end, to, count, bits, ...starts] = params as readonly [
    Local,
    Local,
    Local,
    Local,
    Local,
    ...Local[],
  ];
  const shift = f.local("i64");
  const entry = f.local("i32");
  f.localSet(shift, f.i64ExtendI32U(f.i32Sub(f.i32Const(64), f.localGet(bits))));
  const bad = f.block();

  // Streams but the last have a quarter of the symbols, rounded up.
  const share = f.local("i32");
  f.i32Add(f.localGet(count), f.i32Const(streams - 1)).i32Const(streams === 1 ? 0 : 2).i32ShrU();
  f.localSet(share);
  const first = [start, ...starts];
  const targets: Local[] = [];
  const ends: Local[] = [];
  const readers: SymbolStream[] = [];
  for (const [i, from] of first.entries()) {
    const [target, last] = [f.local("i32"), f.local("i32")];
    f.i32Mul(f.localGet(share), f.i32Const(i)).localGet(to).i32Add().localSet(target);
    if (i === streams - 1) f.i32Add(f.localGet(to), f.localGet(count));
    else f.i32Add(f.localGet(target), f.localGet(share));
    f.localSet(last);
    const reader = new BackwardBits(f, from);
    reader.open(first[i + 1] ?? end, bad);
    targets.push(target);
    ends.push(last);
    readers.push(new SymbolStream(f, reader, target, entry));
  }

  const [lastTarget = to, lastEnd = to] = [targets.at(-1), ends.at(-1)];
  const done = f.block();
  const again = f.loop();
  f.i32Sub(f.localGet(lastEnd), f.localGet(lastTarget)).i32Const(BATCH).i32LtS().brIf(done);
  for (const reader of readers) reader.reload(bad);
  for (let i = 0; i < BATCH; i++) for (const reader of readers) reader.symbol(shift, i);
  for (const reader of readers) reader.step(BATCH);
  f.br(again).end(again).end(done);
  readers.forEach((reader, i) => {
    reader.finish(shift, ends[i] ?? to, bad);
    if (i > 0) f.i32Or();
  });
  f.brIf(bad);
  f.i32Const(zstdStatus.ended).return().end(bad);
  f.i32Const(zstdStatus.badBits);
}

function sequences(m: Module): void {
  const shared = (name: string) => m.global({ type: "i32", mutable: true, export: name });
  const globalReps = [shared("rep0"), shared("rep1"), shared("rep2")] as const;
  const stateBits = [shared("literalBits"), shared("offsetBits"), shared("matchBits")] as const;

  const { code: f, params: [start, end, count] } = m.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    export: "sequences",
  });
  const local = (): Local => f.local("i32");
  const wide = (): Local => f.local("i64");
  const [rep0, rep1, rep2] = [local(), local(), local()];
  const [literalState, offsetState, matchState] = [local(), local(), local()];
  const [literalEntry, offsetEntry, matchEntry] = [wide(), wide(), wide()];
  const [literals, distance, length, at, chosen] = [local(), local(), local(), local(), local()];
  const bits = new BackwardBits(f, start);
  const reps = [rep0, rep1, rep2] as const;
  for (const [i, rep] of reps.entries()) f.globalGet(globalReps[i] ?? globalReps[0]).localSet(rep);

  const bad = f.block();
  bits.open(end, bad);
  bits.reload();
  for (
    const [state, size] of [
      [literalState, stateBits[0]],
      [offsetState, stateBits[1]],
      [matchState, stateBits[2]],
    ] as const
  ) {
    f.i64ExtendI32U(f.globalGet(size));
    bits.take().i32WrapI64().localSet(state);
  }

  const next = f.loop();
  const entryOf = (state: Local, table: number, entry: Local): void => {
    f.localSet(entry, f.i64Load(table, f.i32Shl(f.localGet(state), f.i32Const(3))));
  };
  entryOf(offsetState, zstdTables.offsets, offsetEntry);
  entryOf(matchState, zstdTables.matchLengths, matchEntry);
  entryOf(literalState, zstdTables.literalLengths, literalEntry);

  /** The entry's value: its base and its extra bits. */
  const value = (entry: Local, to: Local): void => {
    f.i64And(f.i64ShrU(f.localGet(entry), f.i64Const(16)), f.i64Const(0xff));
    bits.take().i32WrapI64();
    f.i32WrapI64(f.i64ShrU(f.localGet(entry), f.i64Const(32))).i32Add().localSet(to);
  };
  const move = (entry: Local, state: Local): void => {
    f.i64And(f.i64ShrU(f.localGet(entry), f.i64Const(24)), f.i64Const(0xff));
    bits.take().i32WrapI64();
    f.i32And(f.i32WrapI64(f.localGet(entry)), f.i32Const(0xffff)).i32Add().localSet(state);
  };
  bits.reload();
  bits.holdStart(bad);
  value(offsetEntry, distance);
  value(matchEntry, length);
  bits.reload();
  value(literalEntry, literals);
  recentOrNew();
  const field = (offset: number, from: Local): void => {
    f.i32Store(zstdTables.sequences + offset, f.localGet(at), f.localGet(from));
  };
  field(0, literals);
  field(4, length);
  field(8, distance);
  f.localSet(at, f.i32Add(f.localGet(at), f.i32Const(12)));
  f.localTee(count, f.i32Sub(f.localGet(count), f.i32Const(1)));
  // The last sequence does not lead to another state.
  const goesOn = f.if();
  move(literalEntry, literalState);
  move(matchEntry, matchState);
  move(offsetEntry, offsetState);
  f.br(next).end(goesOn).end(next);

  for (const [i, rep] of reps.entries()) f.localGet(rep).globalSet(globalReps[i] ?? globalReps[0]);
  bits.isNotAtStart();
  f.brIf(bad);
  f.i32Const(zstdStatus.ended).return().end(bad);
  f.i32Const(zstdStatus.badBits);

  /**
   * A distance of 1 to 3 names one of the last three; without literals before the
   * match the names shift by one, and the last one means "one less than the
   * latest". Which it is, is hard to predict, so this is without a branch.
   */
  function recentOrNew(): void {
    // 0 to 3: the latest, the one before, the third, the latest less one; 3 and more: new.
    f.i32Sub(f.localGet(distance), f.i32Ne(f.localGet(literals), f.i32Const(0)));
    f.localSet(chosen);
    f.i32Sub(f.localGet(distance), f.i32Const(3));
    f.localGet(rep0);
    f.localGet(rep1);
    f.localGet(rep2).i32Sub(f.localGet(rep0), f.i32Const(1));
    f.i32Eq(f.localGet(chosen), f.i32Const(2)).select();
    f.i32Eq(f.localGet(chosen), f.i32Const(1)).select();
    f.i32Eqz(f.localGet(chosen)).select();
    f.i32GtU(f.localGet(distance), f.i32Const(3)).select().localSet(distance);
    f.localGet(rep1).localGet(rep2);
    f.i32GtU(f.localGet(chosen), f.i32Const(1)).select().localSet(rep2);
    f.localGet(rep1).localGet(rep0);
    f.i32Eqz(f.localGet(chosen)).select().localSet(rep1);
    f.localSet(rep0, f.localGet(distance));
  }
}

function execute(m: Module): void {
  const shared = (name: string) => m.global({ type: "i32", mutable: true, export: name });
  const [globalLiteral, globalLiteralEnd] = [shared("literal"), shared("literalEnd")];
  const globalOut = shared("out");
  const { code: f, params: [count, outEnd, base] } = m.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    export: "execute",
  });
  const local = (): Local => f.local("i32");
  const [literal, literalEnd, out, status] = [local(), local(), local(), local()];
  const [literals, length, distance, from, at] = [local(), local(), local(), local(), local()];
  f.localSet(literal, f.globalGet(globalLiteral)).localSet(out, f.globalGet(globalOut));
  f.localSet(literalEnd, f.globalGet(globalLiteralEnd));

  const leave = f.block();
  const next = f.loop();
  for (const [i, field] of [literals, length, distance].entries()) {
    f.localSet(field, f.i32Load(zstdTables.sequences + 4 * i, f.localGet(at)));
  }
  f.localSet(at, f.i32Add(f.localGet(at), f.i32Const(12)));
  /** Leaves with a status unless what `holds` leaves on the stack is true. */
  const hold = (holds: () => void, otherwise: number): void => {
    const fine = f.block();
    holds();
    f.brIf(fine);
    f.localSet(status, f.i32Const(otherwise)).br(leave).end(fine);
  };
  hold(() => {
    f.i32Sub(f.localGet(literalEnd), f.localGet(literal)).localGet(literals).i32GeU();
  }, zstdStatus.noLiterals);
  hold(() => {
    f.i32Sub(f.localGet(outEnd), f.localGet(out));
    f.i32Add(f.localGet(literals), f.localGet(length)).i32GeU();
  }, zstdStatus.tooLong);

  // Up to sixteen literals are copied without asking how many.
  f.v128Store({ align: 0 }, f.localGet(out), f.v128Load({ align: 0 }, f.localGet(literal)));
  f.localSet(from, f.i32Add(f.localGet(literal), f.i32Const(16)));
  f.localSet(literal, f.i32Add(f.localGet(literal), f.localGet(literals)));
  const few = f.block();
  f.brIf(few, f.i32LeU(f.localGet(literals), f.i32Const(16)));
  f.localSet(out, f.i32Add(f.localGet(out), f.i32Const(16)));
  f.localSet(literals, f.i32Sub(f.localGet(literals), f.i32Const(16)));
  copyForward(f, out, from, literals);
  f.localSet(literals, f.i32Const(0)).end(few);
  f.localSet(out, f.i32Add(f.localGet(out), f.localGet(literals)));

  hold(() => {
    f.i32Sub(f.localGet(distance), f.i32Const(1));
    f.i32Sub(f.localGet(out), f.localGet(base)).i32LtU();
  }, zstdStatus.badDistance);
  copyMatch(f, out, distance, length, from);
  f.localTee(count, f.i32Sub(f.localGet(count), f.i32Const(1))).brIf(next).end(next).end(leave);
  f.globalSet(globalLiteral, f.localGet(literal)).globalSet(globalOut, f.localGet(out));
  f.localGet(status);
}
