import assert from "node:assert/strict";
import fc from "fast-check";
import {
  double,
  DOWN,
  environmentOf,
  floatAdd,
  floatDiv,
  type FloatEnvironment,
  type FloatFormat,
  floatFromInteger,
  floatMul,
  floatOrder,
  floatResize,
  floatRound,
  floatSqrt,
  floatSub,
  floatToInteger,
  isNaNBits,
  NEAREST,
  PE,
  single,
  UP,
  ZERO,
} from "./softfloat.ts";

const view = new DataView(new ArrayBuffer(8));

/** Bits of a number of the host. */
function bitsOf(f: FloatFormat, value: number): bigint {
  if (f === single) {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

/** A number of the host by its bits. */
function numberOf(f: FloatFormat, bits: bigint): number {
  if (f === single) {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

const environment = (rounding = NEAREST): FloatEnvironment =>
  environmentOf(0x1f80 | rounding << 13);
const formats: readonly FloatFormat[] = [single, double];
const anyBits = (f: FloatFormat) => fc.bigInt({ min: 0n, max: (1n << BigInt(f.width)) - 1n });
/** Finite numbers whose exponents are near each other, so that they have to do with each other. */
const near = (f: FloatFormat) =>
  fc.tuple(fc.double({ min: -8, max: 8, noNaN: true }), fc.integer({ min: -4, max: 4 }))
    .map(([value, exponent]) => bitsOf(f, value * 2 ** exponent));
const either = (f: FloatFormat) => fc.oneof(anyBits(f), near(f));
const options = { seed: 20, numRuns: 2000 };

/** Whether two are the same number, or both are NaNs. */
function same(f: FloatFormat, a: bigint, b: bigint): boolean {
  return a === b || isNaNBits(f, a) && isNaNBits(f, b);
}

Deno.test("rounding to the nearest, arithmetic is that of the host", () => {
  for (const f of formats) {
    // The host computes with 64 bits; that is enough to be rounded to 32 once more.
    const host = (value: number) => bitsOf(f, f === single ? Math.fround(value) : value);
    fc.assert(
      fc.property(either(f), either(f), (a, b) => {
        const [x, y] = [numberOf(f, a), numberOf(f, b)];
        const check = (ours: bigint, value: number) =>
          assert.ok(same(f, ours, host(value)), `${x} ${y}: ${ours.toString(16)} not ${value}`);
        check(floatAdd(f, a, b, environment()), x + y);
        check(floatSub(f, a, b, environment()), x - y);
        check(floatMul(f, a, b, environment()), x * y);
        check(floatDiv(f, a, b, environment()), x / y);
        check(floatSqrt(f, a, environment()), Math.sqrt(x));
        const order = floatOrder(f, a, b, false, environment());
        assert.equal(order, x < y ? "less" : x > y ? "greater" : x === y ? "equal" : "unordered");
      }),
      options,
    );
  }
});

Deno.test("rounded down and up, results enclose the nearest; they are the same if and only if exact", () => {
  const order = (f: FloatFormat, a: bigint, b: bigint) => floatOrder(f, a, b, false, environment());
  for (const f of formats) {
    for (const operation of [floatAdd, floatMul, floatDiv]) {
      fc.assert(
        fc.property(either(f), either(f), (a, b) => {
          const at = (rounding: number) => {
            const env = environment(rounding);
            return [operation(f, a, b, env), env.flags] as const;
          };
          const [[down, flags], [up], [nearest], [cut]] = [at(DOWN), at(UP), at(NEAREST), at(ZERO)];
          if (isNaNBits(f, nearest)) return;
          assert.equal(order(f, down, up), (flags & PE) === 0 ? "equal" : "less");
          assert.ok(nearest === down || nearest === up);
          if ((flags & PE) !== 0) {
            assert.equal(cut, nearest >> BigInt(f.width - 1) === 1n ? up : down);
          }
        }),
        { ...options, numRuns: 700 },
      );
    }
  }
});

Deno.test("double precision made single is what the host makes of it, and back it is the same", () => {
  fc.assert(
    fc.property(either(double), (a) => {
      const made = floatResize(double, single, a, environment());
      assert.ok(same(single, made, bitsOf(single, numberOf(double, a))));
      const back = floatResize(single, double, made, environment());
      assert.equal(floatResize(double, single, back, environment()), made);
    }),
    options,
  );
});

Deno.test("whole numbers go there and back, exactly where they fit", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (value) => {
      const env = environment();
      const made = floatFromInteger(double, value, env);
      assert.equal(made, bitsOf(double, Number(value)));
      if (env.flags !== 0) return;
      const back = floatToInteger(double, made, 64, ZERO, env);
      assert.deepEqual([BigInt.asIntN(64, back), env.flags], [value, 0]);
    }),
    options,
  );
});

Deno.test("numbers are rounded to whole ones as the host does it, and keep their sign", () => {
  const ways = [[DOWN, Math.floor], [UP, Math.ceil], [ZERO, Math.trunc]] as const;
  for (const f of formats) {
    fc.assert(
      fc.property(either(f), (a) => {
        for (const [rounding, host] of ways) {
          const env = environment();
          const ours = floatRound(f, a, rounding, true, env);
          const value = host(numberOf(f, a));
          assert.ok(same(f, ours, bitsOf(f, value)));
          assert.equal((env.flags & PE) !== 0, !isNaNBits(f, a) && value !== numberOf(f, a));
        }
      }),
      options,
    );
  }
});
