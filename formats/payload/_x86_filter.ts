/**
 * The x86 filter ("BCJ") undone, as WebAssembly.
 *
 * A call or jump holds the distance to its target; the same target has another
 * distance from every place. Before compression the filter turned distances
 * into addresses, which repeat. It does not know instructions: whatever looks
 * like 0xe8 or 0xe9 with a short distance behind it is taken for one, unless
 * some of the four bytes before look so as well, which a mask of those bytes
 * decides.
 *
 * Source: the .xz file format 1.2.0, section 5.3.2, and the public domain x86.c
 * of XZ Utils, which is the only definition there is.
 *
 * @module
 */

import { Module } from "../../wasm/module.ts";
import { type Arena, compiled } from "./_arena.ts";

/** The filter's functions; addresses in the memory. */
export interface X86Filter {
  /**
   * Starts anew with a block.
   *
   * @param at Where the block starts.
   * @param offset The position that the block's first byte is to count as.
   */
  begin(at: number, offset: number): void;
  /**
   * Undoes the filter from where it stands up to `end`.
   *
   * @returns Up to where bytes have their final values. The last four stay as
   *   they are if the block ends here, else they wait for more.
   */
  undo(end: number): number;
}

const cache: { module?: Promise<WebAssembly.Module> } = {};

/** The filter over an arena's memory. */
export async function createX86Filter(arena: Arena): Promise<X86Filter> {
  const module = await compiled(cache, assembleX86Filter);
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  return instance.exports as unknown as X86Filter;
}

/**
 * By the mask's three middle bits: whether a distance may be converted, and if
 * so, how many bits of it the offending byte is from the top.
 */
const ALLOWED = 0b00010111;
const BYTE_NUMBERS = 0b11_11_11_11_10_10_01_00;

/** Writes the module. */
export function assembleX86Filter(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  const global = () => m.global({ type: "i32", mutable: true });
  const [position, bias, mask, opcode] = [global(), global(), global(), global()];

  const begin = m.func({ params: ["i32", "i32"], export: "begin" });
  {
    const { code: f, params: [at, offset] } = begin;
    f.globalSet(position, f.localGet(at));
    f.globalSet(bias, f.i32Sub(f.localGet(offset), f.localGet(at)));
    f.globalSet(mask, f.i32Const(0));
    f.globalSet(opcode, f.i32Sub(f.localGet(at), f.i32Const(5)));
  }

  const undo = m.func({ params: ["i32"], results: ["i32"], export: "undo" });
  const { code: f, params: [end] } = undo;
  /** Where the reading stands, and where the last 0xe8 or 0xe9 was. */
  const [at, last] = [f.local("i32"), f.local("i32")];
  /** Which of the bytes before look like an opcode or like the top of a distance. */
  const seen = f.local("i32");
  const [ahead, top, value, target, shift] = [
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
  ];
  f.localSet(at, f.globalGet(position)).localSet(last, f.globalGet(opcode));
  f.localSet(seen, f.globalGet(mask));

  const leave = f.block();
  const next = f.loop();
  f.i32Add(f.localGet(at), f.i32Const(5)).localGet(end).i32GtU().brIf(leave);
  // The next 0xe8 or 0xe9, sixteen bytes at a time.
  f.v128And(
    f.v128Load({ align: 0 }, f.localGet(at)),
    f.v128Const(new Uint8Array(16).fill(0xfe)),
  );
  f.v128Const(new Uint8Array(16).fill(0xe8)).i8x16Eq().i8x16Bitmask();
  f.i32Const(0x10000).i32Or().i32Ctz().localTee(ahead).localGet(at).i32Add().localSet(at);
  const within = f.block();
  f.i32Add(f.localGet(at), f.i32Const(5)).localGet(end).i32LeU().brIf(within);
  f.localSet(at, f.i32Sub(f.localGet(end), f.i32Const(4))).br(leave).end(within);
  f.brIf(next, f.i32Eq(f.localGet(ahead), f.i32Const(16)));

  // Age the mask by the distance from the last opcode.
  f.i32Sub(f.localGet(at), f.localGet(last)).localTee(shift);
  f.localSet(last, f.localGet(at));
  f.i32Const(5).i32GtU();
  const old = f.if();
  f.localSet(seen, f.i32Const(0)).else();
  const age = f.loop();
  f.i32And(f.localGet(seen), f.i32Const(0x77)).i32Const(1).i32Shl().localSet(seen);
  f.localTee(shift, f.i32Sub(f.localGet(shift), f.i32Const(1))).brIf(age).end(age).end(old);

  f.localSet(value, f.i32Load({ offset: 1, align: 0 }, f.localGet(at)));
  f.localSet(top, f.i32ShrU(f.localGet(value), f.i32Const(24)));
  const refused = f.block();
  const isTop = (byte: () => void): void => {
    // 0x00 and 0xff: a distance of less than 16 MiB either way.
    byte();
    f.i32Const(1).i32Add().i32Const(0xff).i32And().i32Const(2).i32LtU();
  };
  isTop(() => f.localGet(top));
  f.i32Eqz().brIf(refused);
  f.brIf(refused, f.i32GeU(f.localGet(seen), f.i32Const(0x20)));
  f.i32ShrU(f.i32Const(ALLOWED), f.i32ShrU(f.localGet(seen), f.i32Const(1)));
  f.i32Const(1).i32And().i32Eqz().brIf(refused);

  const converted = f.block();
  const convert = f.loop();
  f.i32Sub(f.localGet(value), f.i32Add(f.localGet(at), f.globalGet(bias)));
  f.i32Const(5).i32Sub().localSet(target);
  f.brIf(converted, f.i32Eqz(f.localGet(seen)));
  f.i32And(f.localGet(seen), f.i32Const(0xfe)).localSet(shift);
  f.i32ShrU(f.i32Const(BYTE_NUMBERS), f.localGet(shift)).i32Const(3).i32And();
  f.i32Const(3).i32Shl().localSet(shift);
  isTop(() => f.i32ShrU(f.localGet(target), f.i32Sub(f.i32Const(24), f.localGet(shift))));
  f.i32Eqz().brIf(converted);
  f.i32Const(1).i32Sub(f.i32Const(32), f.localGet(shift)).i32Shl().i32Const(1).i32Sub();
  f.localGet(target).i32Xor().localSet(value);
  f.br(convert).end(convert).end(converted);

  // The top byte again is the sign of the 25 bits.
  f.localGet(at);
  f.i32Shl(f.localGet(target), f.i32Const(7)).i32Const(7).i32ShrS();
  f.i32Store({ offset: 1, align: 0 });
  f.localSet(at, f.i32Add(f.localGet(at), f.i32Const(5)));
  f.localSet(seen, f.i32Const(0)).br(next).end(refused);

  f.localSet(at, f.i32Add(f.localGet(at), f.i32Const(1)));
  f.i32Or(f.localGet(seen), f.i32Const(1)).localSet(seen);
  isTop(() => f.localGet(top));
  f.i32Const(4).i32Shl().localGet(seen).i32Or().localSet(seen);
  f.br(next).end(next).end(leave);

  f.globalSet(position, f.localGet(at)).globalSet(opcode, f.localGet(last));
  f.globalSet(mask, f.localGet(seen));
  f.localGet(at);
  return m.finish();
}
