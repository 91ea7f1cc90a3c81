/**
 * Bytes of vectors put elsewhere: shuffled, packed, unpacked, inserted, taken
 * out, blended, made wider.
 *
 * Source: Intel SDM vol. 2, "Operation" of each.
 *
 * @module
 */

import { CF, type Emitter, type LaneShape, type Semantics, STATUS, ZF } from "./emitter.ts";
import { onBoth, zeros } from "./vector_integer.ts";

const bytes = (from: (n: number) => number): number[] =>
  Array.from({ length: 16 }, (_, n) => from(n));

/** PUNPCKLBW to PUNPCKHQDQ: lanes of both operands by turns, of their low or high halves. */
function unpack(size: 1 | 2 | 4 | 8, high: boolean): Semantics {
  return onBoth((e, a, b, half) => {
    const start = high ? half ? 4 : 8 : 0;
    return e.vector.shuffle(
      a,
      b,
      bytes((n) => {
        const pair = Math.trunc(n / (2 * size));
        const isSecond = n % (2 * size) >= size;
        return start + pair * size + n % size + (isSecond ? 16 : 0);
      }),
    );
  });
}

type Narrow = `i8x16.narrow_i16x8_${"s" | "u"}` | `i16x8.narrow_i32x4_${"s" | "u"}`;

/** PACKSSWB and its like: lanes of both operands in half the width, with saturation. */
function pack(operation: Narrow): Semantics {
  return onBoth((e, a, b, half) => {
    if (!half) return e.vector.binary(operation, a, b);
    const both = e.vector.shuffle(a, b, bytes((n) => n < 8 ? n : n + 8));
    return e.vector.binary(operation, both, both);
  });
}

/** Four lanes chosen by two bits each of the immediate, in a vector from some byte on. */
function choose(size: 2 | 4, from: number): Semantics {
  return onBoth((e, _, b) => {
    const lane = (n: number) => e.i.immediate >> 2 * n & 3;
    return e.vector.shuffle(
      b,
      b,
      bytes((n) => {
        const at = n - from;
        if (at < 0 || at >= 4 * size) return n;
        return from + lane(Math.trunc(at / size)) * size + at % size;
      }),
    );
  });
}

/** SHUFPS: two lanes of the first, two of the second. */
const shufps = onBoth((e, a, b) =>
  e.vector.shuffle(
    a,
    b,
    bytes((n) => (n & 8) * 2 + (e.i.immediate >> 2 * (n >> 2) & 3) * 4 + n % 4),
  )
);

const shufpd = onBoth((e, a, b) =>
  e.vector.shuffle(a, b, bytes((n) => (n & 8) * 2 + (e.i.immediate >> (n >> 3) & 1) * 8 + n % 8))
);

/** PSHUFB: a set top bit makes zero. */
const pshufb = onBoth((e, a, b, half) => {
  // WebAssembly makes zero from 16 on.
  const mask = e.vector.constant("i8x16", Array(16).fill(half ? 0x87 : 0x8f));
  return e.vector.binary("i8x16.swizzle", a, e.vector.binary("v128.and", b, mask));
});

/** PALIGNR: of both operands in a row, the second low, what stands from some byte on. */
const palignr = onBoth((e, a, b, half) => {
  const from = e.i.immediate & 0xff;
  const size = half ? 8 : 16;
  const [low, high] = from < size ? [b, a] : [a, zeros(e)];
  const at = from % size;
  if (from >= 2 * size) return zeros(e);
  return e.vector.shuffle(
    low,
    high,
    bytes((n) => n + at < size ? n + at : 16 + (n + at - size) % 16),
  );
});

/** PSLLDQ and PSRLDQ. */
function shiftBytes(left: boolean): Semantics {
  return (e) => {
    const count = Math.min(e.i.immediate & 0xff, 16);
    const from = bytes((n) => left ? n < count ? 16 : n - count : n + count > 15 ? 16 : n + count);
    e.write(0, e.vector.shuffle(e.read(0), zeros(e), from));
  };
}

/** PINSRB to PINSRQ: a lane from a general register or memory. */
function insert(shape: LaneShape, width: 8 | 16 | 32 | 64): Semantics {
  return (e) => {
    const a = e.read(0);
    const b = e.read(1);
    const value = e.width(b) > width ? e.truncate(b, width) : b;
    const isMmx = e.width(a) === 64;
    const lane = e.i.immediate & (isMmx ? 64 : 128) / width - 1;
    const result = e.vector.replace(shape, isMmx ? e.zeroExtend(a, 128) : a, lane, value);
    if (isMmx) e.vector.useMmx();
    e.write(0, isMmx ? e.truncate(result, 64) : result);
  };
}

/** PEXTRB to PEXTRQ, EXTRACTPS: a lane to a general register, zeros above, or to memory. */
function extract(shape: LaneShape, width: 8 | 16 | 32 | 64): Semantics {
  return (e) => {
    const a = e.read(1);
    const isMmx = e.width(a) === 64;
    const lane = e.i.immediate & (isMmx ? 64 : 128) / width - 1;
    const value = e.vector.extract(shape, isMmx ? e.zeroExtend(a, 128) : a, lane);
    if (isMmx) e.vector.useMmx();
    e.write(0, e.i.isMemory || width >= 32 ? value : e.zeroExtend(value, 32));
  };
}

/** INSERTPS: a lane of the second operand, or memory, to a lane of the first; some become zero. */
const insertps: Semantics = (e) => {
  const a = e.read(0);
  const b = e.read(1);
  const control = e.i.immediate;
  const value = e.i.isMemory ? b : e.vector.extract("i32x4", b, control >> 6 & 3);
  const result = e.vector.replace("i32x4", a, control >> 4 & 3, value);
  e.write(
    0,
    e.vector.shuffle(result, zeros(e), bytes((n) => (control >> (n >> 2) & 1) === 1 ? 16 : n)),
  );
};

/** BLENDPS, BLENDPD and PBLENDW: the immediate has a bit for each lane. */
function blend(size: 2 | 4 | 8): Semantics {
  return onBoth((e, a, b) =>
    e.vector.shuffle(
      a,
      b,
      bytes((n) => (e.i.immediate >> Math.trunc(n / size) & 1) === 1 ? 16 + n : n),
    )
  );
}

/** Spreads the top bit of every lane over it. */
function spread<V>(e: Emitter<V>, a: V, size: 1 | 4 | 8): V {
  if (size === 1) return e.vector.shift("i8x16.shr_s", a, 7);
  const signs = e.vector.shift("i32x4.shr_s", a, 31);
  return size === 4 ? signs : e.vector.shuffle(signs, signs, bytes((n) => n & 8 | 4 | n & 3));
}

/** PBLENDVB, BLENDVPS and BLENDVPD: XMM0 chooses. */
function blendBy(size: 1 | 4 | 8): Semantics {
  return onBoth((e, a, b) => e.vector.bitselect(b, a, spread(e, e.read(2), size)));
}

/** PMOVSXBW to PMOVZXDQ: in one step or several. */
function widen(from: 8 | 16 | 32, to: 16 | 32 | 64, sign: "s" | "u"): Semantics {
  return (e) => {
    const a = e.read(1);
    let result = e.width(a) === 128 ? a : e.zeroExtend(a, 128);
    if (from <= 8) result = e.vector.unary(`i16x8.extend_low_i8x16_${sign}`, result);
    if (from <= 16 && to >= 32) {
      result = e.vector.unary(`i32x4.extend_low_i16x8_${sign}`, result);
    }
    if (to === 64) result = e.vector.unary(`i64x2.extend_low_i32x4_${sign}`, result);
    e.write(0, result);
  };
}

/** PTEST: ZF of A AND B, CF of NOT A AND B. */
const ptest: Semantics = (e) => {
  const a = e.read(0);
  const b = e.read(1);
  const none = (value: typeof a) => e.not(e.vector.anyTrue(value));
  const zero = none(e.vector.binary("v128.and", a, b));
  const carry = none(e.vector.binary("v128.andnot", b, a));
  clearStatus(e);
  e.setFlag(ZF, zero);
  e.setFlag(CF, carry);
};

/** Clears the six flags of arithmetic. */
export function clearStatus<V>(e: Emitter<V>): void {
  for (let flag = 1; flag <= STATUS; flag <<= 1) {
    if ((flag & STATUS) !== 0) e.setFlag(flag, e.constant(0, 1));
  }
}

const widths = { b: 8, w: 16, d: 32, q: 64 } as const;

function widenings(): Record<string, Semantics> {
  const found: Record<string, Semantics> = {};
  for (const [from, tos] of [["b", "wdq"], ["w", "dq"], ["d", "q"]] as const) {
    for (const to of tos) {
      const wide = widths[to as "w" | "d" | "q"];
      found[`pmovsx${from}${to}`] = widen(widths[from], wide, "s");
      found[`pmovzx${from}${to}`] = widen(widths[from], wide, "u");
    }
  }
  return found;
}

/** What is described here, by mnemonic. */
export function vectorShuffleSemantics(): Readonly<Record<string, Semantics>> {
  return {
    ...widenings(),
    ...{ punpcklbw: unpack(1, false), punpcklwd: unpack(2, false), punpckldq: unpack(4, false) },
    ...{ punpckhbw: unpack(1, true), punpckhwd: unpack(2, true), punpckhdq: unpack(4, true) },
    ...{ punpcklqdq: unpack(8, false), punpckhqdq: unpack(8, true) },
    ...{ unpcklps: unpack(4, false), unpckhps: unpack(4, true) },
    ...{ unpcklpd: unpack(8, false), unpckhpd: unpack(8, true) },
    ...{ packsswb: pack("i8x16.narrow_i16x8_s"), packuswb: pack("i8x16.narrow_i16x8_u") },
    ...{ packssdw: pack("i16x8.narrow_i32x4_s"), packusdw: pack("i16x8.narrow_i32x4_u") },
    ...{ pshufw: choose(2, 0), pshufd: choose(4, 0), pshuflw: choose(2, 0), pshufhw: choose(2, 8) },
    ...{ shufps, shufpd, pshufb, palignr, pslldq: shiftBytes(true), psrldq: shiftBytes(false) },
    ...{ pinsrb: insert("i8x16", 8), pinsrw: insert("i16x8", 16) },
    ...{ pinsrd: insert("i32x4", 32), pinsrq: insert("i64x2", 64) },
    ...{ pextrb: extract("i8x16", 8), pextrw: extract("i16x8", 16) },
    ...{ pextrd: extract("i32x4", 32), pextrq: extract("i64x2", 64) },
    ...{ extractps: extract("i32x4", 32), insertps },
    ...{ blendps: blend(4), blendpd: blend(8), pblendw: blend(2) },
    ...{ pblendvb: blendBy(1), blendvps: blendBy(4), blendvpd: blendBy(8), ptest },
  };
}
