/**
 * Moving vectors and parts of them: SSE and MMX registers, memory, general
 * registers.
 *
 * Source: Intel SDM vol. 2, "Operation" of each.
 *
 * @module
 */

import type { Emitter, Semantics, Width } from "./emitter.ts";

/** Whether an operand of the row is an SSE register in this instruction. */
function isXmm<V>(e: Emitter<V>, operand: number): boolean {
  const kind = e.form.operands[operand]?.kind;
  return kind === "V" || kind === "U" || kind === "W" && !e.i.isMemory;
}

/** Whether an operand of the row is an MMX register in this instruction. */
function isMmx<V>(e: Emitter<V>, operand: number): boolean {
  const kind = e.form.operands[operand]?.kind;
  return kind === "P" || kind === "N" || kind === "Q" && !e.i.isMemory;
}

/** All bits, or those that the operands have: what is above in an SSE register stays. */
const move: Semantics = (e) => e.write(0, e.read(1));

/** MOVSS and MOVSD: from memory, zeros come above; between registers, what is there stays. */
const moveScalar: Semantics = (e) => {
  const a = e.read(1);
  e.write(0, e.i.isMemory && isXmm(e, 0) ? e.zeroExtend(a, 128) : a);
};

/** MOVD, MOVQ and what converts between the kinds of registers: zeros come above. */
const moveAndClear: Semantics = (e) => {
  const a = e.read(1);
  const [destination] = e.form.operands;
  const wanted: Width = isXmm(e, 0)
    ? 128
    : isMmx(e, 0)
    ? 64
    : destination?.memory === "d"
    ? 32
    : 64;
  if (isMmx(e, 0)) e.vector.useMmx();
  e.write(0, e.width(a) < wanted ? e.zeroExtend(a, wanted) : e.truncate(a, wanted));
  if (isMmx(e, 1)) e.vector.useMmx();
};

/** MOVHPS and its like: the high half, from or to memory; MOVLHPS from a low half. */
const moveHigh: Semantics = (e) => {
  const a = e.read(1);
  if (isXmm(e, 0)) e.write(0, e.vector.replace("i64x2", e.read(0), 1, a));
  else e.write(0, e.vector.extract("i64x2", a, 1));
};

/** MOVHLPS: a high half to a low one. */
const moveHighToLow: Semantics = (e) => e.write(0, e.vector.extract("i64x2", e.read(1), 1));

/** Doubles lanes of 32 bits: the even or the odd ones. */
function double(odd: 0 | 1): Semantics {
  return (e) => {
    const a = e.read(1);
    const from = (byte: number) => byte & 8 | odd << 2 | byte & 3;
    e.write(0, e.vector.shuffle(a, a, Array.from({ length: 16 }, (_, n) => from(n))));
  };
}

const movddup: Semantics = (e) => {
  const a = e.read(1);
  e.write(0, e.vector.replace("i64x2", e.zeroExtend(a, 128), 1, a));
};

/** A mask in a general register, which is 64 bits wide with REX.W. */
export function writeMask<V>(e: Emitter<V>, mask: V): void {
  const wide = e.form.operands[0]?.size === "y" && e.i.operandSize === 64;
  e.write(0, wide ? e.zeroExtend(mask, 64) : mask);
}

const movmskps: Semantics = (e) => writeMask(e, e.vector.bitmask("i32x4", e.read(1)));
const movmskpd: Semantics = (e) => writeMask(e, e.vector.bitmask("i64x2", e.read(1)));

const pmovmskb: Semantics = (e) => {
  const a = e.read(1);
  const mask = e.vector.bitmask("i8x16", e.width(a) === 128 ? a : e.zeroExtend(a, 128));
  if (isMmx(e, 1)) e.vector.useMmx();
  writeMask(e, mask);
};

/** MASKMOVQ and MASKMOVDQU: the bytes that a mask's top bits choose, to DS:rDI. */
const maskMove: Semantics = (e) => {
  const value = e.read(0);
  const mask = e.read(1);
  const bytes = e.width(value) / 8;
  const wide = (a: typeof value) => bytes === 16 ? a : e.zeroExtend(a, 128);
  const [values, masks] = [wide(value), wide(mask)];
  const width = e.i.addressSize as Width;
  const each = (then: (at: typeof value, byte: number) => void) => {
    for (let n = 0; n < bytes; n++) {
      const chosen = e.truncate(
        e.shr(e.vector.extract("i8x16", masks, n), e.constant(7, 8)),
        1,
      );
      e.when(chosen, () => then(e.add(e.register(7, width), e.constant(n, width)), n));
    }
  };
  // All must be writable before the first is written.
  each((at) => e.loadForStore(e.i.segment, at, 8));
  each((at, n) => e.store(e.i.segment, at, e.vector.extract("i8x16", values, n)));
  if (bytes === 8) e.vector.useMmx();
};

const emms: Semantics = (e) => e.vector.emptyMmx();

/** What is described here, by mnemonic. */
export const vectorMoveSemantics: Readonly<Record<string, Semantics>> = {
  ...{ movaps: move, movapd: move, movups: move, movupd: move, movdqa: move, movdqu: move },
  ...{ lddqu: move, movntdqa: move, movntps: move, movntpd: move, movntdq: move },
  ...{ movlps: move, movlpd: move, movss: moveScalar, movsd: moveScalar },
  ...{ movd: moveAndClear, movq: moveAndClear, movntq: moveAndClear },
  ...{ movq2dq: moveAndClear, movdq2q: moveAndClear },
  ...{ movhps: moveHigh, movhpd: moveHigh, movlhps: moveHigh, movhlps: moveHighToLow },
  ...{ movsldup: double(0), movshdup: double(1), movddup },
  ...{ movmskps, movmskpd, pmovmskb, maskmovq: maskMove, maskmovdqu: maskMove, emms },
};
