/**
 * SSE4.2's comparisons of strings.
 *
 * Source: Intel SDM vol. 2, "Operation" of each, and chapter 4.1.
 *
 * @module
 */

import { CF, type Emitter, OF, type Semantics, SF, ZF } from "./emitter.ts";
import { clearStatus } from "./vector_shuffle.ts";

/** The length that a register gives: without its sign, at most as many as fit. */
function lengthIn<V>(e: Emitter<V>, register: number): V {
  const width = e.i.operandSize === 64 ? 64 : 32;
  const most = e.constant((e.i.immediate & 1) !== 0 ? 8 : 16, width);
  const given = e.register(register, width);
  const zero = e.constant(0, width);
  const positive = e.select(e.less(given, zero), e.sub(zero, given), given);
  const length = e.select(e.below(positive, most), positive, most);
  return width === 64 ? e.truncate(length, 32) : length;
}

/**
 * PCMPESTRI and its like.
 *
 * @param given Whether lengths are in registers, or strings end with zero.
 * @param index Whether the result is a number in ECX, or a mask in XMM0.
 */
function compare(given: boolean, index: boolean): Semantics {
  return (e) => {
    const { vector, i } = e;
    const [a, b] = [e.read(0), e.read(1)];
    const lengths = given ? [lengthIn(e, 0), lengthIn(e, 2)] as const : undefined;
    const found = vector.compareStrings(i.immediate, a, b, lengths);
    const words = (i.immediate & 1) !== 0;
    const count = words ? 8 : 16;
    const number = (value: number) => e.constant(value, 32);
    const bits = e.and(found, number((1 << count) - 1));
    const isSet = (bit: number) => e.truncate(e.shr(found, number(bit)), 1);
    const none = e.equal(bits, number(0));
    if (index) {
      // The lowest or the highest that is set; as many as there are if none is.
      const last = (i.immediate & 0x40) !== 0;
      const place = last ? e.sub(number(31), e.countLeading(bits)) : e.countTrailing(bits);
      const result = e.select(none, number(count), place);
      e.setRegister(1, result);
    } else if ((i.immediate & 0x40) === 0) {
      vector.setXmm(0, e.zeroExtend(bits, 128));
    } else {
      vector.setXmm(0, spread(e, bits, words));
    }
    clearStatus(e);
    e.setFlag(CF, e.not(none));
    e.setFlag(ZF, isSet(16));
    e.setFlag(SF, isSet(17));
    e.setFlag(OF, e.truncate(found, 1));
  };
}

/** A mask of all ones in the lanes whose bit is set. */
function spread<V>(e: Emitter<V>, bits: V, words: boolean): V {
  const { vector } = e;
  const wide = e.zeroExtend(bits, 128);
  // Every lane has the byte that its bit is in; then its bit alone is looked at.
  const from = Array.from({ length: 16 }, (_, n) => words ? (n & 1) * 16 : n >> 3);
  const all = vector.shuffle(wide, e.constant(0, 128), from);
  const shape = words ? "i16x8" : "i8x16";
  const own = vector.constant(
    shape,
    Array.from({ length: words ? 8 : 16 }, (_, n) => 1 << (n & 7)),
  );
  return vector.binary(`${shape}.eq`, vector.binary("v128.and", all, own), own);
}

/** What is described here, by mnemonic. */
export const vectorStringSemantics: Readonly<Record<string, Semantics>> = {
  ...{ pcmpestri: compare(true, true), pcmpestrm: compare(true, false) },
  ...{ pcmpistri: compare(false, true), pcmpistrm: compare(false, false) },
};
