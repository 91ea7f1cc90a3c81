/**
 * Copying within the output, which every compression of the Lempel-Ziv family
 * ends in: so many bytes from so far back, overlapping themselves where the
 * distance is less than the length.
 *
 * Sixteen bytes at a time, so up to fifteen bytes too many are written; they are
 * written over by what comes next.
 *
 * @module
 */

import type { Code } from "../../wasm/code.ts";
import type { Local } from "../../wasm/types.ts";

/** For each distance below 16: which byte of the last 16 goes where. */
const PATTERNS = 0xc000;
/** For each distance below 16: its largest multiple up to 16. */
const STEPS = PATTERNS + 16 * 16;

/** Writes the tables that {@link copyMatch} reads; 272 bytes at 0xc000. */
export function writeCopyTables(memory: Uint8Array): void {
  for (let distance = 1; distance < 16; distance++) {
    for (let i = 0; i < 16; i++) memory[PATTERNS + 16 * distance + i] = i % distance;
    memory[STEPS + distance] = 16 - 16 % distance;
  }
}

/**
 * Writes code that copies `length` bytes (at least 1) from `distance` bytes (at
 * least 1) before `out`, and moves `out` on. `length` is lost, `from` is a spare
 * local.
 */
export function copyMatch(
  f: Code,
  out: Local,
  distance: Local,
  length: Local,
  from: Local,
): void {
  const pattern = f.local("v128");
  f.localSet(from, f.i32Sub(f.localGet(out), f.localGet(distance)));
  const done = f.block();
  const overlaps = f.block();
  f.brIf(overlaps, f.i32LtU(f.localGet(distance), f.i32Const(16)));
  copyForward(f, out, from, length);
  f.br(done).end(overlaps);

  // A short distance repeats a pattern: make it once, in a vector, and store that.
  f.v128Load({ align: 0 }, f.localGet(from));
  f.v128Load(PATTERNS, f.i32Shl(f.localGet(distance), f.i32Const(4)));
  f.i8x16Swizzle().localSet(pattern);
  f.localSet(from, f.i32Load8U(STEPS, f.localGet(distance)));
  const again = f.loop();
  f.v128Store({ align: 0 }, f.localGet(out), f.localGet(pattern));
  f.localSet(out, f.i32Add(f.localGet(out), f.localGet(from)));
  f.localTee(length, f.i32Sub(f.localGet(length), f.localGet(from)));
  f.brIf(again, f.i32Const(0).i32GtS()).end(again);
  f.localSet(out, f.i32Add(f.localGet(out), f.localGet(length)));
  f.end(done);
}

/**
 * Writes code that copies `length` bytes (at least 1) from `from` to `out`, which
 * lies before `from` or 16 bytes behind it or more. Both move on, `length` is
 * lost and `from` ends up to fifteen bytes too far.
 */
export function copyForward(f: Code, out: Local, from: Local, length: Local): void {
  const again = f.loop();
  f.v128Store({ align: 0 }, f.localGet(out), f.v128Load({ align: 0 }, f.localGet(from)));
  f.localSet(from, f.i32Add(f.localGet(from), f.i32Const(16)));
  f.localSet(out, f.i32Add(f.localGet(out), f.i32Const(16)));
  f.localTee(length, f.i32Sub(f.localGet(length), f.i32Const(16)));
  f.brIf(again, f.i32Const(0).i32GtS()).end(again);
  f.localSet(out, f.i32Add(f.localGet(out), f.localGet(length)));
}
