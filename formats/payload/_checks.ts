/**
 * The checks that streams carry, over bytes in a decoder's memory: CRC-32,
 * CRC-64, XXH32, XXH64, Adler-32. SHA-256 is left to Web Cryptography.
 *
 * Each takes its bytes piece by piece, so that a piece is checked while it is
 * still in the processor's cache.
 *
 * Sources: RFC 1952 (CRC-32), the .xz file format 1.2.0 (CRC-64), RFC 1950
 * (Adler-32), xxHash specification 0.2.0.
 *
 * @module
 */

import type { Code } from "../../wasm/code.ts";
import { Module } from "../../wasm/module.ts";
import type { GlobalIndex, Local } from "../../wasm/types.ts";
import { type Arena, CHECK_TABLES, compiled } from "./_arena.ts";

/** The checks' functions; every `at` and `end` is an address in the memory. */
export interface Checks {
  /** CRC-32 of what came before (0 to begin with) and of these bytes; signed. */
  crc32(crc: number, at: number, end: number): number;
  /** The same for CRC-64. */
  crc64(crc: bigint, at: number, end: number): bigint;
  /** Adler-32 of what came before (1 to begin with) and of these bytes; signed. */
  adler32(adler: number, at: number, end: number): number;
  /** Begins an XXH32 with seed 0. */
  xxh32Start(): void;
  /** Adds bytes, a multiple of 16 but for the last piece; the rest is not yet eaten. */
  xxh32Add(at: number, end: number): void;
  /** The XXH32: of what was added, and of fewer than 16 further bytes up to `end`. */
  xxh32End(at: number, end: number, length: number): number;
  /** Begins an XXH64 with seed 0. */
  xxh64Start(): void;
  /** Adds bytes, a multiple of 32 but for the last piece; the rest is not yet eaten. */
  xxh64Add(at: number, end: number): void;
  /** The XXH64: of what was added, and of fewer than 32 further bytes up to `end`. */
  xxh64End(at: number, end: number, length: bigint): bigint;
}

const CRC32_TABLES = CHECK_TABLES;
const CRC64_TABLES = CHECK_TABLES + 16 * 256 * 4;

const cache: { module?: Promise<WebAssembly.Module>; tables?: Uint32Array } = {};

/** The checks over an arena's memory. */
export async function createChecks(arena: Arena): Promise<Checks> {
  const module = await compiled(cache, assembleChecks);
  const { memory } = arena;
  const tables = cache.tables ??= makeTables();
  new Uint32Array(memory.buffer, CHECK_TABLES, tables.length).set(tables);
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return instance.exports as unknown as Checks;
}

/** An XXH of either width that takes pieces of any length. */
export class RunningHash {
  readonly #checks: Checks;
  readonly #wide: boolean;
  readonly #start: number;
  #eaten: number;

  /** @param at Where the bytes start that are to be hashed; they lie in one piece. */
  constructor(checks: Checks, wide: boolean, at: number) {
    this.#checks = checks;
    this.#wide = wide;
    this.#start = this.#eaten = at;
    if (wide) checks.xxh64Start();
    else checks.xxh32Start();
  }

  /** Hashes what there is up to `end`. */
  add(end: number): void {
    const stripe = this.#wide ? 32 : 16;
    const whole = end - (end - this.#eaten) % stripe;
    if (this.#wide) this.#checks.xxh64Add(this.#eaten, whole);
    else this.#checks.xxh32Add(this.#eaten, whole);
    this.#eaten = whole;
  }

  /** The hash of everything up to `end`, unsigned. */
  end(end: number): bigint {
    this.add(end);
    const length = end - this.#start;
    return this.#wide
      ? BigInt.asUintN(64, this.#checks.xxh64End(this.#eaten, end, BigInt(length)))
      : BigInt(this.#checks.xxh32End(this.#eaten, end, length) >>> 0);
  }
}

/** Sixteen tables of CRC-32, then eight of CRC-64 with the low word first. */
function makeTables(): Uint32Array {
  const words = new Uint32Array(16 * 256 + 8 * 256 * 2);
  const wide = words.subarray(16 * 256);
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    words[n] = crc;
    let [low, high] = [n, 0];
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) [low, high] = [low ^ 0xd7870f42, high ^ 0xc96c5795];
    }
    wide[2 * n] = low;
    wide[2 * n + 1] = high;
  }
  // Table k: what a byte does to the register k bytes later.
  for (let i = 256; i < 16 * 256; i++) {
    const before = words[i - 256] ?? 0;
    words[i] = (before >>> 8) ^ (words[before & 0xff] ?? 0);
  }
  for (let i = 256; i < 8 * 256; i++) {
    const [low = 0, high = 0] = wide.subarray(2 * (i - 256));
    const [byteLow = 0, byteHigh = 0] = wide.subarray(2 * (low & 0xff));
    wide[2 * i] = ((low >>> 8) | (high << 24)) ^ byteLow;
    wide[2 * i + 1] = (high >>> 8) ^ byteHigh;
  }
  return words;
}

/** Writes the module. */
export function assembleChecks(): Uint8Array<ArrayBuffer> {
  const m = new Module();
  m.memory({ min: 1, import: ["env", "memory"] });
  crc32(m);
  crc64(m);
  adler32(m);
  xxh(m, 32);
  xxh(m, 64);
  return m.finish();
}

/** Does `body` while at least `step` bytes lie between `at` and `end`, then steps on. */
function whileLeft(f: Code, at: Local, end: Local, step: number, body: () => void): void {
  const done = f.block();
  const again = f.loop();
  f.brIf(done, f.i32LtU(f.i32Sub(f.localGet(end), f.localGet(at)), f.i32Const(step)));
  body();
  f.localSet(at, f.i32Add(f.localGet(at), f.i32Const(step)));
  f.br(again).end(again).end(done);
}

/**
 * Sixteen bytes a round, each looked up in the table for its distance from the
 * round's end, so that no look-up waits for another.
 */
function crc32(m: Module): void {
  const { code: f, params: [crc, at, end] } = m.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    export: "crc32",
  });
  const word = f.local("i32");
  const sum = f.local("i32");
  f.localSet(crc, f.i32Xor(f.localGet(crc), f.i32Const(-1)));
  whileLeft(f, at, end, 16, () => {
    for (let w = 0; w < 4; w++) {
      f.i32Load({ offset: 4 * w, align: 0 }, f.localGet(at));
      if (w === 0) f.localGet(crc).i32Xor();
      f.localSet(word);
      for (let b = 0; b < 4; b++) {
        const table = CRC32_TABLES + 1024 * (15 - 4 * w - b);
        f.localGet(word);
        if (b === 0) f.i32Const(2).i32Shl();
        else f.i32Const(8 * b - 2).i32ShrU();
        f.i32Const(0x3fc).i32And().i32Load(table);
        if (w > 0 || b > 0) f.localGet(sum).i32Xor();
        f.localSet(sum);
      }
    }
    f.localSet(crc, f.localGet(sum));
  });
  whileLeft(f, at, end, 1, () => {
    f.i32Load8U(0, f.localGet(at)).localGet(crc).i32Xor().i32Const(0xff).i32And();
    f.i32Const(2).i32Shl().i32Load(CRC32_TABLES);
    f.localGet(crc).i32Const(8).i32ShrU().i32Xor().localSet(crc);
  });
  f.i32Xor(f.localGet(crc), f.i32Const(-1));
}

function crc64(m: Module): void {
  const { code: f, params: [crc, at, end] } = m.func({
    params: ["i64", "i32", "i32"],
    results: ["i64"],
    export: "crc64",
  });
  const word = f.local("i64");
  f.localSet(crc, f.i64Xor(f.localGet(crc), f.i64Const(-1)));
  whileLeft(f, at, end, 8, () => {
    f.localSet(word, f.i64Xor(f.i64Load({ align: 0 }, f.localGet(at)), f.localGet(crc)));
    for (let b = 0; b < 8; b++) {
      f.localGet(word);
      if (b === 0) f.i64Const(3).i64Shl();
      else f.i64Const(8 * b - 3).i64ShrU();
      f.i32WrapI64().i32Const(0x7f8).i32And().i64Load(CRC64_TABLES + 2048 * (7 - b));
      if (b > 0) f.i64Xor();
    }
    f.localSet(crc);
  });
  whileLeft(f, at, end, 1, () => {
    f.i64Load8U(0, f.localGet(at)).localGet(crc).i64Xor().i64Const(0xff).i64And();
    f.i64Const(3).i64Shl().i32WrapI64().i64Load(CRC64_TABLES);
    f.localGet(crc).i64Const(8).i64ShrU().i64Xor().localSet(crc);
  });
  f.i64Xor(f.localGet(crc), f.i64Const(-1));
}

/** 5552 is the most bytes whose sums stay below 2^32. */
function adler32(m: Module): void {
  const { code: f, params: [adler, at, end] } = m.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    export: "adler32",
  });
  const [low, high, stop] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.localSet(low, f.i32And(f.localGet(adler), f.i32Const(0xffff)));
  f.localSet(high, f.i32ShrU(f.localGet(adler), f.i32Const(16)));
  const done = f.block();
  const again = f.loop();
  f.brIf(done, f.i32GeU(f.localGet(at), f.localGet(end)));
  f.i32Add(f.localGet(at), f.i32Const(5552)).localGet(end);
  f.i32LtU(
    f.i32Sub(f.localGet(end), f.localGet(at)),
    f.i32Const(5552),
  ).i32Eqz().select().localSet(stop);
  const sum = (offset: number): void => {
    f.localSet(low, f.i32Add(f.localGet(low), f.i32Load8U(offset, f.localGet(at))));
    f.localSet(high, f.i32Add(f.localGet(high), f.localGet(low)));
  };
  whileLeft(f, at, stop, 8, () => {
    for (let i = 0; i < 8; i++) sum(i);
  });
  whileLeft(f, at, stop, 1, () => sum(0));
  f.localSet(low, f.i32RemU(f.localGet(low), f.i32Const(65521)));
  f.localSet(high, f.i32RemU(f.localGet(high), f.i32Const(65521)));
  f.br(again).end(again).end(done);
  f.i32Or(f.i32Shl(f.localGet(high), f.i32Const(16)), f.localGet(low));
}

const primes32 = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const;
const primes64 = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

/** The operations of both widths, so that the hash is written down once. */
class Wide {
  readonly f: Code;
  readonly wide: boolean;

  constructor(f: Code, wide: boolean) {
    this.f = f;
    this.wide = wide;
  }

  prime(n: 1 | 2 | 3 | 4 | 5): Code {
    return this.wide ? this.f.i64Const(primes64[n - 1] ?? 0n) : this.f.i32Const(
      primes32[n - 1] ?? 0,
    );
  }

  constant(value: number): Code {
    return this.wide ? this.f.i64Const(value) : this.f.i32Const(value);
  }

  add(): Code {
    return this.wide ? this.f.i64Add() : this.f.i32Add();
  }

  mul(): Code {
    return this.wide ? this.f.i64Mul() : this.f.i32Mul();
  }

  xor(): Code {
    return this.wide ? this.f.i64Xor() : this.f.i32Xor();
  }

  rotl(by: number): Code {
    this.constant(by);
    return this.wide ? this.f.i64Rotl() : this.f.i32Rotl();
  }

  load(at: Local, offset = 0): Code {
    const from = { offset, align: 0 };
    this.f.localGet(at);
    return this.wide ? this.f.i64Load(from) : this.f.i32Load(from);
  }

  /** x ^= x >> by */
  fold(x: Local, by: number): void {
    this.f.localGet(x).localGet(x);
    this.constant(by);
    if (this.wide) this.f.i64ShrU();
    else this.f.i32ShrU();
    this.xor();
    this.f.localSet(x);
  }
}

function xxh(m: Module, bits: 32 | 64): void {
  const type = `i${bits}` as const;
  const name = `xxh${bits}`;
  const lanes = [0, 1, 2, 3].map(() => m.global({ type, mutable: true }));
  xxhStart(m, name, bits === 64, lanes);

  const add = m.func({ params: ["i32", "i32"], export: `${name}Add` });
  const w = new Wide(add.code, bits === 64);
  const [at, end] = add.params;
  const v = lanes.map(() => add.code.local(type));
  v.forEach((lane, i) => add.code.globalGet(lanes[i] as GlobalIndex).localSet(lane));
  whileLeft(add.code, at, end, bits / 2, () => {
    v.forEach((lane, i) => {
      add.code.localGet(lane);
      w.load(at, i * bits / 8);
      round(w);
      add.code.localSet(lane);
    });
  });
  v.forEach((lane, i) => add.code.localGet(lane).globalSet(lanes[i] as GlobalIndex));

  xxhEnd(m, name, bits, lanes);
}

/** Accumulator and input are on the stack: acc + input * P2, turned, * P1. */
function round(w: Wide): void {
  w.prime(2);
  w.mul();
  w.add();
  w.rotl(w.wide ? 31 : 13);
  w.prime(1);
  w.mul();
}

function xxhStart(m: Module, name: string, wide: boolean, lanes: readonly GlobalIndex[]): void {
  const { code: f } = m.func({ export: `${name}Start` });
  const w = new Wide(f, wide);
  const [v1, v2, v3, v4] = lanes as [GlobalIndex, GlobalIndex, GlobalIndex, GlobalIndex];
  w.prime(1);
  w.prime(2);
  w.add().globalSet(v1);
  w.prime(2).globalSet(v2);
  w.constant(0).globalSet(v3);
  w.constant(-1);
  w.prime(1);
  w.mul().globalSet(v4);
}

function xxhEnd(m: Module, name: string, bits: 32 | 64, lanes: readonly GlobalIndex[]): void {
  const wide = bits === 64;
  const type = `i${bits}` as const;
  const { code: f, params: [at, end, length] } = m.func({
    params: ["i32", "i32", type],
    results: [type],
    export: `${name}End`,
  });
  const w = new Wide(f, wide);
  const h = f.local(type);
  f.localGet(length);
  w.constant(bits / 2);
  if (wide) f.i64GeU();
  else f.i32GeU();
  const long = f.if();
  lanes.forEach((lane, i) => {
    f.globalGet(lane);
    w.rotl([1, 7, 12, 18][i] ?? 0);
    if (i > 0) w.add();
  });
  f.localSet(h);
  if (wide) {
    for (const lane of lanes) {
      f.localGet(h);
      w.constant(0);
      f.globalGet(lane);
      round(w);
      w.xor();
      w.prime(1);
      w.mul();
      w.prime(4);
      w.add().localSet(h);
    }
  }
  f.else();
  w.prime(5).localSet(h);
  f.end(long);
  f.localGet(h).localGet(length);
  w.add().localSet(h);
  if (wide) {
    whileLeft(f, at, end, 8, () => {
      f.localGet(h);
      w.constant(0);
      w.load(at);
      round(w);
      w.xor();
      w.rotl(27);
      w.prime(1);
      w.mul();
      w.prime(4);
      w.add().localSet(h);
    });
    whileLeft(f, at, end, 4, () => {
      f.localGet(h).i64Load32U({ align: 0 }, f.localGet(at));
      w.prime(1);
      w.mul();
      w.xor();
      w.rotl(23);
      w.prime(2);
      w.mul();
      w.prime(3);
      w.add().localSet(h);
    });
  } else {
    whileLeft(f, at, end, 4, () => {
      f.localGet(h);
      w.load(at);
      w.prime(3);
      w.mul();
      w.add();
      w.rotl(17);
      w.prime(4);
      w.mul().localSet(h);
    });
  }
  whileLeft(f, at, end, 1, () => {
    f.localGet(h).localGet(at);
    if (wide) f.i64Load8U(0);
    else f.i32Load8U(0);
    w.prime(5);
    w.mul();
    if (wide) w.xor();
    else w.add();
    w.rotl(11);
    w.prime(1);
    w.mul().localSet(h);
  });
  const [first, second, third] = wide ? [33, 29, 32] as const : [15, 13, 16] as const;
  w.fold(h, first);
  f.localGet(h);
  w.prime(2);
  w.mul().localSet(h);
  w.fold(h, second);
  f.localGet(h);
  w.prime(3);
  w.mul().localSet(h);
  w.fold(h, third);
  f.localGet(h);
}
