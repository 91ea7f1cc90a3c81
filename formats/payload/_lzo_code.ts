/**
 * The LZO1X decoder as WebAssembly.
 *
 * An instruction's first byte says how a match's distance and length follow;
 * its last two bits of distance tell how many literals (0 to 3) come after. What
 * bytes below 16 mean depends on how many literals came before: the `state`.
 *
 * Source: Linux, Documentation/staging/lzo.rst, "LZO stream format as understood
 * by Linux's LZO decompressor".
 *
 * @module
 */

import { Module } from "../../wasm/module.ts";
import type { Local } from "../../wasm/types.ts";
import { type Arena, compiled } from "./_arena.ts";
import { copyForward, copyMatch } from "./_copy.ts";

/** How a call ended. */
export const lzoStatus = {
  /** At the end mark. */
  ended: 0,
  /** The block ends within an instruction. */
  starved: 1,
  /** A match lies before the start of the block's output. */
  badDistance: 2,
  /** There is more output than the block's header says. */
  tooLong: 3,
} as const;

/** The decoder; addresses in the memory. */
export interface LzoCode {
  /** Decodes one block. Returns a status. */
  decode(inputEnd: number, outputEnd: number): number;
  /** Next byte of input. */
  readonly input: { value: number };
  /** Next byte of output. */
  readonly out: { value: number };
}

const cache: { module?: Promise<WebAssembly.Module> } = {};

/** The decoder over an arena's memory. */
export async function createLzoCode(arena: Arena): Promise<LzoCode> {
  const module = await compiled(cache, assembleLzo);
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  return instance.exports as unknown as LzoCode;
}

/** Writes the module. */
export function assembleLzo(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  const globalInput = m.global({ type: "i32", mutable: true, export: "input" });
  const globalOut = m.global({ type: "i32", mutable: true, export: "out" });
  const { code: f, params: [inputEnd, outputEnd] } = m.func({
    params: ["i32", "i32"],
    results: ["i32"],
    export: "decode",
  });
  const local = (): Local => f.local("i32");
  const [input, out, base, first, length, distance] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  /** Literals after the last match, 4 for a longer run. */
  const state = local();
  /** Literals after the match at hand. */
  const literals = local();
  const [from, status] = [local(), local()];
  f.localSet(input, f.globalGet(globalInput)).localSet(out, f.globalGet(globalOut));
  f.localSet(base, f.localGet(out)).localSet(status, f.i32Const(lzoStatus.starved));

  const leave = f.block();
  const next = f.loop();
  const trailing = f.block();
  const match = f.block();
  const run = f.block();

  // The very first byte may say how many literals there are.
  f.i32Eq(f.localGet(input), f.globalGet(globalInput));
  const isStart = f.if();
  readByte(first);
  f.i32GtU(f.localGet(first), f.i32Const(17));
  const isRun = f.if();
  f.localTee(length, f.i32Sub(f.localGet(first), f.i32Const(17))).i32Const(4).i32GeU().brIf(run);
  f.localSet(literals, f.localGet(length)).br(trailing);
  f.end(isRun);
  f.else();
  readByte(first);
  f.end(isStart);

  // 0000llll: a run of literals, or a near and short match.
  f.i32LtU(f.localGet(first), f.i32Const(16));
  const isSmall = f.if();
  f.i32Eqz(f.localGet(state));
  const isLiteralRun = f.if();
  f.localSet(length, f.localGet(first));
  moreLength(15);
  f.localSet(length, f.i32Add(f.localGet(length), f.i32Const(3))).br(run);
  f.end(isLiteralRun);
  f.localSet(literals, f.i32And(f.localGet(first), f.i32Const(3)));
  readByte(distance);
  f.i32Shl(f.localGet(distance), f.i32Const(2));
  f.i32ShrU(f.localGet(first), f.i32Const(2)).i32Add().localSet(distance);
  // After a long run it starts where the others end, 2049 bytes back.
  f.localGet(distance).i32Const(0x801).i32Const(1);
  f.i32Eq(f.localGet(state), f.i32Const(4)).select().i32Add().localSet(distance);
  f.i32Const(3).i32Const(2).i32Eq(f.localGet(state), f.i32Const(4)).select().localSet(length);
  f.br(match).end(isSmall);

  // lllddDss dddddddd: up to 2 KiB back, 3 to 8 bytes.
  f.i32GeU(f.localGet(first), f.i32Const(64));
  const isNear = f.if();
  f.localSet(literals, f.i32And(f.localGet(first), f.i32Const(3)));
  readByte(distance);
  f.i32Shl(f.localGet(distance), f.i32Const(3));
  f.i32ShrU(f.localGet(first), f.i32Const(2)).i32Const(7).i32And().i32Add();
  f.i32Const(1).i32Add().localSet(distance);
  f.i32ShrU(f.localGet(first), f.i32Const(5)).i32Const(1).i32Add().localSet(length);
  f.br(match).end(isNear);

  // 001lllll: up to 16 KiB back.
  f.i32GeU(f.localGet(first), f.i32Const(32));
  const isMiddle = f.if();
  f.localSet(length, f.i32And(f.localGet(first), f.i32Const(31)));
  moreLength(31);
  readDistance();
  f.localSet(distance, f.i32Add(f.localGet(distance), f.i32Const(1)));
  f.br(match).end(isMiddle);

  // 0001dlll: 16 to 48 KiB back; at 16 KiB sharp, the end.
  f.localSet(length, f.i32And(f.localGet(first), f.i32Const(7)));
  moreLength(7);
  readDistance();
  f.i32Shl(f.i32And(f.localGet(first), f.i32Const(8)), f.i32Const(11));
  f.localGet(distance).i32Add().localTee(distance);
  f.i32Eqz();
  const isEnd = f.if();
  f.brIf(leave, f.i32GtU(f.localGet(input), f.localGet(inputEnd)));
  f.i32Const(lzoStatus.ended).i32Const(lzoStatus.starved);
  f.i32Eq(f.localGet(length), f.i32Const(3)).select().localSet(status).br(leave);
  f.end(isEnd);
  f.localSet(distance, f.i32Add(f.localGet(distance), f.i32Const(0x4000)));
  f.br(match).end(run);

  // A run of four literals or more.
  copyLiterals(length);
  f.localSet(state, f.i32Const(4)).br(next).end(match);

  const near = f.block();
  f.i32Sub(f.localGet(out), f.localGet(base)).localGet(distance).i32GeU().brIf(near);
  leaveWith(lzoStatus.badDistance);
  f.end(near);
  holdRoom(length);
  copyMatch(f, out, distance, length, from);
  f.end(trailing);

  f.localSet(state, f.localGet(literals));
  const some = f.block();
  f.brIf(some, f.i32Eqz(f.localGet(literals)));
  copyLiterals(literals);
  f.end(some);
  f.br(next).end(next).end(leave);

  f.globalSet(globalInput, f.localGet(input)).globalSet(globalOut, f.localGet(out));
  f.localGet(status);
  return m.finish();

  function leaveWith(value: number): void {
    f.localSet(status, f.i32Const(value)).br(leave);
  }

  function readByte(to: Local): void {
    f.brIf(leave, f.i32GeU(f.localGet(input), f.localGet(inputEnd)));
    f.localSet(to, f.i32Load8U(0, f.localGet(input)));
    f.localSet(input, f.i32Add(f.localGet(input), f.i32Const(1)));
  }

  /**
   * A length of 0 goes on: 255 for every zero byte, then one that is not 0, and
   * `most`. For matches two are added in the end.
   */
  function moreLength(most: number): void {
    const whole = f.block();
    f.brIf(whole, f.localGet(length));
    f.localSet(length, f.i32Const(most));
    const more = f.loop();
    readByte(from);
    const isOver = f.block();
    f.brIf(isOver, f.localGet(from));
    f.localSet(length, f.i32Add(f.localGet(length), f.i32Const(255)));
    f.br(more).end(isOver);
    f.localSet(length, f.i32Add(f.localGet(length), f.localGet(from)));
    f.end(more).end(whole);
  }

  /** Fourteen bits of distance, two of literals; and the two that lengths lack. */
  function readDistance(): void {
    f.localSet(distance, f.i32Load16U({ align: 0 }, f.localGet(input)));
    f.localSet(input, f.i32Add(f.localGet(input), f.i32Const(2)));
    f.localSet(literals, f.i32And(f.localGet(distance), f.i32Const(3)));
    f.localSet(distance, f.i32ShrU(f.localGet(distance), f.i32Const(2)));
    f.localSet(length, f.i32Add(f.localGet(length), f.i32Const(2)));
  }

  function holdRoom(length: Local): void {
    f.brIf(leave, f.i32GtU(f.localGet(input), f.localGet(inputEnd)));
    const room = f.block();
    f.i32Sub(f.localGet(outputEnd), f.localGet(out)).localGet(length).i32GeU().brIf(room);
    leaveWith(lzoStatus.tooLong);
    f.end(room);
  }

  function copyLiterals(length: Local): void {
    holdRoom(length);
    f.i32Sub(f.localGet(inputEnd), f.localGet(input)).localGet(length).i32LtU().brIf(leave);
    f.localSet(from, f.localGet(input));
    f.localSet(input, f.i32Add(f.localGet(input), f.localGet(length)));
    copyForward(f, out, from, length);
  }
}
