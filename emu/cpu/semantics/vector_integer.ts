/**
 * Whole numbers in vectors, lane by lane and between neighbours.
 *
 * Source: Intel SDM vol. 2, "Operation" of each.
 *
 * @module
 */

import type { Emitter, LaneShape, Semantics, VectorBinary, VectorShift } from "./emitter.ts";

/**
 * An operation on both operands that goes to the first. Those of MMX are done
 * on 128 bits, zeros above, and cut.
 *
 * @param half Whether they are of MMX.
 */
export function onBoth(
  operation: <V>(e: Emitter<V>, a: V, b: V, half: boolean) => V,
): Semantics {
  return (e) => {
    const a = e.read(0);
    const b = e.read(1);
    const wide = (value: typeof a) => e.width(value) === 128 ? value : e.zeroExtend(value, 128);
    if (e.width(a) === 128) return e.write(0, operation(e, a, wide(b), false));
    const result = operation(e, wide(a), wide(b), true);
    e.vector.useMmx();
    e.write(0, e.truncate(result, 64));
  };
}

/** One of WebAssembly's. */
const plain = (operation: VectorBinary): Semantics =>
  onBoth((e, a, b) => e.vector.binary(operation, a, b));

/** Zeros. */
export function zeros<V>(e: Emitter<V>): V {
  return e.constant(0, 128);
}

const pandn = onBoth((e, a, b) => e.vector.binary("v128.andnot", b, a));

/** PSLLW to PSRLQ: by a number in the instruction, or in the low 64 bits of the second operand. */
function shift(operation: VectorShift, width: 16 | 32 | 64): Semantics {
  const isSigned = operation.endsWith("shr_s");
  return (e) => {
    const a = e.read(0);
    const isMmx = e.width(a) === 64;
    const wide = isMmx ? e.zeroExtend(a, 128) : a;
    const by = (): typeof a => {
      if (e.form.operands[1]?.kind === "I") {
        const count = e.i.immediate & 0xff;
        if (count < width) return e.vector.shift(operation, wide, count);
        return isSigned ? e.vector.shift(operation, wide, width - 1) : zeros(e);
      }
      const count = e.read(1);
      return e.vector.shiftBy(operation, wide, isMmx ? count : e.truncate(count, 64));
    };
    const result = by();
    if (isMmx) e.vector.useMmx();
    e.write(0, isMmx ? e.truncate(result, 64) : result);
  };
}

/** PMULHW and PMULHUW: the high halves of products. */
function multiplyHigh(sign: "s" | "u"): Semantics {
  const odd = [2, 3, 6, 7, 10, 11, 14, 15];
  const bytes = [...odd, ...odd.map((byte) => byte + 16)];
  return onBoth((e, a, b) =>
    e.vector.shuffle(
      e.vector.binary(`i32x4.extmul_low_i16x8_${sign}`, a, b),
      e.vector.binary(`i32x4.extmul_high_i16x8_${sign}`, a, b),
      bytes,
    )
  );
}

/** PMULHRSW: WebAssembly's saturates the one product that here wraps. */
const pmulhrsw = onBoth((e, a, b) => {
  const { vector } = e;
  const least = vector.constant("i16x8", Array(8).fill(0x8000));
  const wraps = vector.binary(
    "v128.and",
    vector.binary("i16x8.eq", a, least),
    vector.binary("i16x8.eq", b, least),
  );
  return vector.binary("v128.xor", vector.binary("i16x8.q15mulr_sat_s", a, b), wraps);
});

/** PMULUDQ and PMULDQ: products of the even lanes of 32 bits. */
function multiplyEven(sign: "s" | "u"): Semantics {
  const even = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
  return onBoth((e, a, b) =>
    e.vector.binary(
      `i64x2.extmul_low_i32x4_${sign}`,
      e.vector.shuffle(a, a, even),
      e.vector.shuffle(b, b, even),
    )
  );
}

/** PMADDUBSW: unsigned bytes times signed ones, neighbours' products added with saturation. */
const pmaddubsw = onBoth((e, a, b) => {
  const { vector } = e;
  // No product of a byte that is unsigned with one that is signed exceeds 16 bits.
  const low = vector.binary(
    "i16x8.mul",
    vector.binary("v128.and", a, vector.constant("i16x8", Array(8).fill(0xff))),
    vector.shift("i16x8.shr_s", vector.shift("i16x8.shl", b, 8), 8),
  );
  const high = vector.binary(
    "i16x8.mul",
    vector.shift("i16x8.shr_u", a, 8),
    vector.shift("i16x8.shr_s", b, 8),
  );
  return vector.binary("i16x8.add_sat_s", low, high);
});

/** How far unsigned lanes are apart. */
function distance<V>(e: Emitter<V>, shape: "i8x16" | "i16x8", a: V, b: V): V {
  return e.vector.binary(
    "v128.or",
    e.vector.binary(`${shape}.sub_sat_u`, a, b),
    e.vector.binary(`${shape}.sub_sat_u`, b, a),
  );
}

/** PSADBW: sums of eight distances of bytes each. */
const psadbw = onBoth((e, a, b) => {
  const { vector } = e;
  const pairs = vector.unary("i16x8.extadd_pairwise_i8x16_u", distance(e, "i8x16", a, b));
  const fours = vector.unary("i32x4.extadd_pairwise_i16x8_u", pairs);
  const odd = vector.shift("i64x2.shr_u", fours, 32);
  const even = vector.shift("i64x2.shr_u", vector.shift("i64x2.shl", fours, 32), 32);
  return vector.binary("i64x2.add", even, odd);
});

/** MPSADBW: eight sums of four distances, of a window that moves over the first operand. */
const mpsadbw = onBoth((e, a, b) => {
  const { vector } = e;
  const [first, second] = [(e.i.immediate >> 2 & 1) * 4, (e.i.immediate & 3) * 4];
  const words = (of: typeof a, byte: (n: number) => number) =>
    vector.shuffle(of, zeros(e), Array.from({ length: 16 }, (_, n) => n & 1 ? 16 : byte(n >> 1)));
  let sum = zeros(e);
  for (let n = 0; n < 4; n++) {
    const apart = distance(
      e,
      "i16x8",
      words(a, (lane) => first + lane + n),
      words(b, () => second + n),
    );
    sum = vector.binary("i16x8.add", sum, apart);
  }
  return sum;
});

/** PHADDW and its like: neighbours of the first operand, then of the second. */
function neighbours(operation: VectorBinary, bytes: 2 | 4): Semantics {
  return onBoth((e, a, b, half) => {
    const size = half ? 8 : 16;
    const lanes = (odd: 0 | 1) =>
      Array.from({ length: 16 }, (_, n) => {
        // Byte n of the result: of which pair, and of which operand.
        const at = (n - n % bytes) * 2 + odd * bytes + n % bytes;
        return at < size ? at : 16 + (at - size) % size;
      });
    return e.vector.binary(
      operation,
      e.vector.shuffle(a, b, lanes(0)),
      e.vector.shuffle(a, b, lanes(1)),
    );
  });
}

/** PSIGNB and its like: negated, zero or kept by the second operand's sign. */
function sign(shape: "i8x16" | "i16x8" | "i32x4", width: number): Semantics {
  return onBoth((e, a, b) => {
    const { vector } = e;
    const negative = vector.shift(`${shape}.shr_s`, b, width - 1);
    const negated = vector.binary(
      `${shape}.sub`,
      vector.binary("v128.xor", a, negative),
      negative,
    );
    return vector.binary("v128.andnot", negated, vector.binary(`${shape}.eq`, b, zeros(e)));
  });
}

const absolute = (shape: "i8x16" | "i16x8" | "i32x4"): Semantics =>
  onBoth((e, _, b) => e.vector.unary(`${shape}.abs`, b));

/** PHMINPOSUW: the least of eight and the first place that has it. */
const phminposuw: Semantics = (e) => {
  const a = e.read(1);
  let least = e.vector.extract("i16x8", a, 0);
  let place = e.constant(0, 16);
  for (let n = 1; n < 8; n++) {
    const lane = e.vector.extract("i16x8", a, n);
    const isLess = e.below(lane, least);
    least = e.select(isLess, lane, least);
    place = e.select(isLess, e.constant(n, 16), place);
  }
  e.write(0, e.vector.replace("i16x8", e.zeroExtend(least, 128), 1, place));
};

/** The names of lanes that mnemonics end with. */
const shapes: readonly (readonly [letter: string, shape: LaneShape, width: 8 | 16 | 32 | 64])[] = [
  ["b", "i8x16", 8],
  ["w", "i16x8", 16],
  ["d", "i32x4", 32],
  ["q", "i64x2", 64],
];

/** Those that are one instruction of WebAssembly, for every shape or those that have it. */
function plainOnes(): Record<string, Semantics> {
  const found: Record<string, Semantics> = {};
  for (const [letter, shape] of shapes) {
    found[`padd${letter}`] = plain(`${shape}.add`);
    found[`psub${letter}`] = plain(`${shape}.sub`);
    found[`pcmpeq${letter}`] = plain(`${shape}.eq`);
    found[`pcmpgt${letter}`] = plain(`${shape}.gt_s`);
    if (shape === "i64x2") continue;
    found[`pmins${letter}`] = plain(`${shape}.min_s`);
    found[`pminu${letter}`] = plain(`${shape}.min_u`);
    found[`pmaxs${letter}`] = plain(`${shape}.max_s`);
    found[`pmaxu${letter}`] = plain(`${shape}.max_u`);
    if (shape === "i32x4") continue;
    found[`padds${letter}`] = plain(`${shape}.add_sat_s`);
    found[`paddus${letter}`] = plain(`${shape}.add_sat_u`);
    found[`psubs${letter}`] = plain(`${shape}.sub_sat_s`);
    found[`psubus${letter}`] = plain(`${shape}.sub_sat_u`);
    found[`pavg${letter}`] = plain(`${shape}.avgr_u`);
  }
  return found;
}

function shifts(): Record<string, Semantics> {
  const found: Record<string, Semantics> = {};
  for (const [letter, shape, width] of shapes) {
    if (width === 8) continue;
    found[`psll${letter}`] = shift(`${shape}.shl`, width);
    found[`psrl${letter}`] = shift(`${shape}.shr_u`, width);
    if (width !== 64) found[`psra${letter}`] = shift(`${shape}.shr_s`, width);
  }
  return found;
}

/** What is described here, by mnemonic. */
export function vectorIntegerSemantics(): Readonly<Record<string, Semantics>> {
  const [and, or, xor] = [plain("v128.and"), plain("v128.or"), plain("v128.xor")];
  return {
    ...plainOnes(),
    ...shifts(),
    ...{ pand: and, andps: and, andpd: and, por: or, orps: or, orpd: or },
    ...{ pxor: xor, xorps: xor, xorpd: xor, pandn, andnps: pandn, andnpd: pandn },
    ...{ pmullw: plain("i16x8.mul"), pmulld: plain("i32x4.mul") },
    ...{ pmulhw: multiplyHigh("s"), pmulhuw: multiplyHigh("u"), pmulhrsw },
    ...{ pmuludq: multiplyEven("u"), pmuldq: multiplyEven("s") },
    ...{ pmaddwd: plain("i32x4.dot_i16x8_s"), pmaddubsw, psadbw, mpsadbw, phminposuw },
    ...{ phaddw: neighbours("i16x8.add", 2), phaddd: neighbours("i32x4.add", 4) },
    ...{ phsubw: neighbours("i16x8.sub", 2), phsubd: neighbours("i32x4.sub", 4) },
    ...{ phaddsw: neighbours("i16x8.add_sat_s", 2), phsubsw: neighbours("i16x8.sub_sat_s", 2) },
    ...{ psignb: sign("i8x16", 8), psignw: sign("i16x8", 16), psignd: sign("i32x4", 32) },
    ...{ pabsb: absolute("i8x16"), pabsw: absolute("i16x8"), pabsd: absolute("i32x4") },
  };
}
