/**
 * The LZ4 block decoder as WebAssembly.
 *
 * A block is a row of sequences: a byte with two lengths of four bits, more
 * bytes of the first where it is 15, as many literals, a distance of two bytes,
 * more bytes of the second length, and a match of that length and four more. The
 * last sequence ends with its literals.
 *
 * Source: "LZ4 Block Format Description", 2022.
 *
 * @module
 */

import { Module } from "../../wasm/module.ts";
import type { Local } from "../../wasm/types.ts";
import { type Arena, compiled } from "./_arena.ts";
import { copyForward, copyMatch } from "./_copy.ts";

/** How a call ended. */
export const lz4Status = {
  /** The block is through. */
  ended: 0,
  /** The output reached the mark; call again. */
  reached: 1,
  /** The block ends within a sequence. */
  starved: 2,
  /** A match lies before the start of the output it may refer to. */
  badDistance: 3,
  /** There is more output than may be. */
  tooLong: 4,
} as const;

/** The decoder; addresses in the memory. */
export interface Lz4Code {
  /**
   * Decodes sequences.
   *
   * @param mark Returns when the output has come this far.
   * @param base Matches lie at or behind this.
   * @returns A status.
   */
  decode(mark: number, inputEnd: number, outputEnd: number, base: number): number;
  /** Next byte of input. */
  readonly input: { value: number };
  /** Next byte of output. */
  readonly out: { value: number };
}

const cache: { module?: Promise<WebAssembly.Module> } = {};

/** The decoder over an arena's memory. */
export async function createLz4Code(arena: Arena): Promise<Lz4Code> {
  const module = await compiled(cache, assembleLz4);
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  return instance.exports as unknown as Lz4Code;
}

/** Writes the module. */
export function assembleLz4(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  const globalInput = m.global({ type: "i32", mutable: true, export: "input" });
  const globalOut = m.global({ type: "i32", mutable: true, export: "out" });
  const { code: f, params: [mark, inputEnd, outputEnd, base] } = m.func({
    params: ["i32", "i32", "i32", "i32"],
    results: ["i32"],
    export: "decode",
  });
  const local = (): Local => f.local("i32");
  const [input, out, token, length, distance, from] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  const status = local();
  f.localSet(input, f.globalGet(globalInput)).localSet(out, f.globalGet(globalOut));
  f.localSet(status, f.i32Const(lz4Status.starved));

  const leave = f.block();
  const next = f.loop();
  const goesOn = f.block();
  f.brIf(goesOn, f.i32LtU(f.localGet(out), f.localGet(mark)));
  f.localSet(status, f.i32Const(lz4Status.reached)).br(leave).end(goesOn);
  f.brIf(leave, f.i32GeU(f.localGet(input), f.localGet(inputEnd)));
  readByte(token);
  f.localSet(length, f.i32ShrU(f.localGet(token), f.i32Const(4)));
  moreLength();

  const literals = f.block();
  f.brIf(literals, f.i32Eqz(f.localGet(length)));
  f.i32Sub(f.localGet(inputEnd), f.localGet(input)).localGet(length).i32LtU().brIf(leave);
  holdRoom();
  f.localSet(from, f.localGet(input));
  f.localSet(input, f.i32Add(f.localGet(input), f.localGet(length)));
  copyForward(f, out, from, length);
  f.end(literals);

  const goesOnToMatch = f.block();
  f.brIf(goesOnToMatch, f.i32LtU(f.localGet(input), f.localGet(inputEnd)));
  f.localSet(status, f.i32Const(lz4Status.ended)).br(leave).end(goesOnToMatch);
  f.i32Sub(f.localGet(inputEnd), f.localGet(input)).i32Const(2).i32LtU().brIf(leave);
  f.localSet(distance, f.i32Load16U({ align: 0 }, f.localGet(input)));
  f.localSet(input, f.i32Add(f.localGet(input), f.i32Const(2)));
  f.localSet(length, f.i32And(f.localGet(token), f.i32Const(15)));
  moreLength();
  f.localSet(length, f.i32Add(f.localGet(length), f.i32Const(4)));
  const near = f.block();
  f.i32Sub(f.localGet(distance), f.i32Const(1));
  f.i32Sub(f.localGet(out), f.localGet(base)).i32LtU().brIf(near);
  f.localSet(status, f.i32Const(lz4Status.badDistance)).br(leave).end(near);
  holdRoom();
  copyMatch(f, out, distance, length, from);
  f.br(next).end(next).end(leave);

  f.globalSet(globalInput, f.localGet(input)).globalSet(globalOut, f.localGet(out));
  f.localGet(status);
  return m.finish();

  function readByte(to: Local): void {
    f.localSet(to, f.i32Load8U(0, f.localGet(input)));
    f.localSet(input, f.i32Add(f.localGet(input), f.i32Const(1)));
  }

  /** A length of 15 goes on in bytes, up to one that is not 255. */
  function moreLength(): void {
    const whole = f.block();
    f.brIf(whole, f.i32Ne(f.localGet(length), f.i32Const(15)));
    const more = f.loop();
    f.brIf(leave, f.i32GeU(f.localGet(input), f.localGet(inputEnd)));
    readByte(from);
    f.localSet(length, f.i32Add(f.localGet(length), f.localGet(from)));
    f.brIf(more, f.i32Eq(f.localGet(from), f.i32Const(255))).end(more).end(whole);
  }

  function holdRoom(): void {
    const room = f.block();
    f.i32Sub(f.localGet(outputEnd), f.localGet(out)).localGet(length).i32GeU().brIf(room);
    f.localSet(status, f.i32Const(lz4Status.tooLong)).br(leave).end(room);
  }
}
