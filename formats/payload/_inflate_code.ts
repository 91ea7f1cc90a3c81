/**
 * The symbols of a deflate block as WebAssembly; headers and tables are read
 * and made outside, once a block.
 *
 * Bits are taken from a buffer of 64, refilled by one unaligned load and without
 * a branch to at least 56. That is enough for two literals and a length, and
 * after another refill for a distance.
 *
 * An entry of a table, looked up by the next bits:
 *
 * ```text
 * 31      literal
 * 30..16  the literal; base of a length or distance; start of a second table
 * 15      something special: bit 14 a second table, 13 end of block, else invalid
 * 11..8   bits of the code before the extra bits; index bits of a second table
 * 7..0    bits to consume: code and extra bits
 * ```
 *
 * Source: RFC 1951. The layout of the entries follows an idea of E. Biggers'
 * libdeflate: one shift serves code and extra bits.
 *
 * @module
 */

import { Module } from "../../wasm/module.ts";
import type { Label, Local } from "../../wasm/types.ts";
import { type Arena, compiled, DECODER_TABLES } from "./_arena.ts";
import { copyMatch } from "./_copy.ts";

/** How a call ended. */
export const inflateStatus = {
  /** The output reached the mark; call again. */
  reached: 0,
  /** The block is through. */
  ended: 1,
  /** The input ended. */
  starved: 2,
  /** Bits that are no code. */
  badCode: 3,
  /** A match lies before the start of the output. */
  badDistance: 4,
} as const;

/** The decoder; addresses in the memory. */
export interface InflateCode {
  /** Decodes symbols until the output reaches `mark`. Returns a status. */
  decode(mark: number, inputEnd: number, base: number): number;
  /** Byte with the next bit. */
  readonly input: { value: number };
  /** Next bit in it, 0 to 7. */
  readonly bit: { value: number };
  /** Next byte of output. */
  readonly out: { value: number };
}

/** The two tables: where they are, by how many bits they are looked up, how many entries fit. */
export const inflateTables = {
  literals: { at: DECODER_TABLES, bits: 11, entries: 2400 },
  distances: { at: DECODER_TABLES + 4 * 2400, bits: 8, entries: 416 },
} as const;

/** Bytes of both tables. */
export const INFLATE_TABLES = 11264 as const;

/** Bits of an entry. */
export const entryFlags = {
  literal: 0x8000_0000,
  special: 0x8000,
  second: 0x4000,
  endOfBlock: 0x2000,
} as const;

const cache: { module?: Promise<WebAssembly.Module> } = {};

/** The decoder over an arena's memory. */
export async function createInflateCode(arena: Arena): Promise<InflateCode> {
  const module = await compiled(cache, assembleInflate);
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  return instance.exports as unknown as InflateCode;
}

/** Writes the module. */
export function assembleInflate(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  const shared = (name: string) => m.global({ type: "i32", mutable: true, export: name });
  const [globalInput, globalBit, globalOut] = [shared("input"), shared("bit"), shared("out")];
  const { code: f, params: [mark, inputEnd, base] } = m.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    export: "decode",
  });
  const local = (): Local => f.local("i32");
  const [input, out, entry, length, distance] = [local(), local(), local(), local(), local()];
  const [count, from, status, inputLast] = [local(), local(), local(), local()];
  const buffer = f.local("i64");

  f.localSet(input, f.globalGet(globalInput)).localSet(out, f.globalGet(globalOut));
  f.localSet(inputLast, f.i32Add(f.localGet(inputEnd), f.i32Const(8)));
  f.i64ShrU(f.i64Load8U(0, f.localGet(input)), f.i64ExtendI32U(f.globalGet(globalBit)));
  f.localSet(buffer);
  f.localSet(count, f.i32Sub(f.i32Const(8), f.globalGet(globalBit)));
  f.localSet(input, f.i32Add(f.localGet(input), f.i32Const(1)));

  const leave = f.block();
  const next = f.loop();
  f.brIf(leave, f.i32GeU(f.localGet(out), f.localGet(mark)));
  const fed = f.block();
  f.brIf(fed, f.i32LeU(f.localGet(input), f.localGet(inputLast)));
  leaveWith(inflateStatus.starved);
  f.end(fed);
  refill();

  const notLiteral = f.block();
  for (let i = 0; i < 3; i++) {
    lookUp(inflateTables.literals);
    f.localTee(entry).i32Const(0).i32GeS().brIf(notLiteral);
    putLiteral();
    // Two literals leave bits enough for a length; after a third one all starts anew.
  }
  f.br(next).end(notLiteral);

  const isLength = f.block();
  f.i32Eqz(f.i32And(f.localGet(entry), f.i32Const(entryFlags.special))).brIf(isLength);
  const isWhole = f.block();
  f.i32Eqz(f.i32And(f.localGet(entry), f.i32Const(entryFlags.second))).brIf(isWhole);
  lookUpSecond(inflateTables.literals);
  f.localTee(entry).i32Const(0).i32LtS();
  const literal = f.if();
  putLiteral();
  f.br(next).end(literal);
  f.i32Eqz(f.i32And(f.localGet(entry), f.i32Const(entryFlags.special))).brIf(isLength);
  f.end(isWhole);
  endOfBlock();
  f.end(isLength);
  base16(length);

  refill();
  lookUp(inflateTables.distances);
  f.localTee(entry).i32Const(entryFlags.special).i32And();
  const special = f.if();
  f.i32Eqz(f.i32And(f.localGet(entry), f.i32Const(entryFlags.second)));
  const invalid = f.if();
  leaveWith(inflateStatus.badCode);
  f.end(invalid);
  lookUpSecond(inflateTables.distances);
  f.localTee(entry).i32Const(entryFlags.special).i32And();
  const invalidToo = f.if();
  leaveWith(inflateStatus.badCode);
  f.end(invalidToo).end(special);
  base16(distance);

  const near = f.block();
  f.i32Sub(f.localGet(out), f.localGet(base)).localGet(distance).i32GeU().brIf(near);
  leaveWith(inflateStatus.badDistance);
  f.end(near);
  copyMatch(f, out, distance, length, from);
  f.br(next).end(next).end(leave);

  f.i32ShrU(f.i32Add(f.localGet(count), f.i32Const(7)), f.i32Const(3)).localSet(from);
  f.globalSet(globalInput, f.i32Sub(f.localGet(input), f.localGet(from)));
  f.i32Sub(f.i32Const(0), f.localGet(count)).i32Const(7).i32And().globalSet(globalBit);
  f.globalSet(globalOut, f.localGet(out));
  f.localGet(status);
  return m.finish();

  function leaveWith(value: number, to: Label = leave): void {
    f.localSet(status, f.i32Const(value)).br(to);
  }

  /** Fills the buffer to 56 bits or more; bits beyond `count` are right, but not counted. */
  function refill(): void {
    f.localGet(buffer);
    f.i64Load({ align: 0 }, f.localGet(input)).i64ExtendI32U(f.localGet(count)).i64Shl();
    f.i64Or().localSet(buffer);
    f.localGet(input);
    f.i32ShrU(f.i32Sub(f.i32Const(63), f.localGet(count)), f.i32Const(3)).i32Add().localSet(input);
    f.localSet(count, f.i32Or(f.localGet(count), f.i32Const(56)));
  }

  function lookUp(table: { readonly at: number; readonly bits: number }): void {
    f.i32WrapI64(f.localGet(buffer)).i32Const((1 << table.bits) - 1).i32And();
    f.i32Const(2).i32Shl().i32Load(table.at);
  }

  /** Steps over the bits of the first table, and looks up the rest in the second. */
  function lookUpSecond(table: { readonly at: number }): void {
    consume();
    f.i32WrapI64(f.localGet(buffer));
    mask();
    f.i32ShrU(f.localGet(entry), f.i32Const(16)).i32Add();
    f.i32Const(2).i32Shl().i32Load(table.at);
  }

  /** Cuts the number on the stack to as many bits as the entry's bits 8 to 11 say. */
  function mask(): void {
    f.i32ShrU(f.localGet(entry), f.i32Const(8)).i32Const(15).i32And().localSet(from);
    f.i32Shl(f.i32Const(-1), f.localGet(from)).i32Const(-1).i32Xor().i32And();
  }

  function consume(): void {
    f.i32And(f.localGet(entry), f.i32Const(0xff)).localSet(from);
    f.i64ShrU(f.localGet(buffer), f.i64ExtendI32U(f.localGet(from))).localSet(buffer);
    f.localSet(count, f.i32Sub(f.localGet(count), f.localGet(from)));
  }

  function putLiteral(): void {
    f.i32Store8(0, f.localGet(out), f.i32ShrU(f.localGet(entry), f.i32Const(16)));
    f.localSet(out, f.i32Add(f.localGet(out), f.i32Const(1)));
    consume();
  }

  /** The entry's base and its extra bits, which lie behind its code. */
  function base16(to: Local): void {
    f.i32And(f.localGet(entry), f.i32Const(0xff)).localSet(from);
    f.i32WrapI64(f.localGet(buffer));
    f.i32Shl(f.i32Const(-1), f.localGet(from)).i32Const(-1).i32Xor().i32And();
    f.i32ShrU(f.localGet(entry), f.i32Const(8)).i32Const(15).i32And().i32ShrU();
    f.i32ShrU(f.localGet(entry), f.i32Const(16)).i32Add().localSet(to);
    f.i64ShrU(f.localGet(buffer), f.i64ExtendI32U(f.localGet(from))).localSet(buffer);
    f.localSet(count, f.i32Sub(f.localGet(count), f.localGet(from)));
  }

  function endOfBlock(): void {
    f.i32And(f.localGet(entry), f.i32Const(entryFlags.endOfBlock));
    const end = f.if();
    consume();
    leaveWith(inflateStatus.ended);
    f.end(end);
    leaveWith(inflateStatus.badCode);
  }
}
