import assert from "node:assert/strict";
import fc from "fast-check";
import { add, type Binary, divide, multiply, root } from "./arithmetic.ts";
import { fromFloat, fromWhole, toFloat, toWholeBits } from "./convert.ts";
import { type Environment, type Extended, formats, integerBit } from "./extended.ts";
import * as fast from "./fast.ts";

const seed = 0x8087;
const runs = { seed, numRuns: 20000 };

const environment = (mode = 0): Environment => ({
  ...{ rounding: mode, precision: 64, masks: 0x3f, flags: 0, denormal: false, up: false },
});

/** Significands of many and of few bits, at whose ends rounding decides. */
const significand = fc.tuple(
  fc.bigInt(0n, integerBit - 1n),
  fc.integer({ min: 0, max: 63 }),
  fc.constantFrom(0n, 0n, 1n, -1n),
).map(([bits, by, more]) => (bits >> BigInt(by) << BigInt(by)) + more)
  .map((bits) => integerBit | BigInt.asUintN(63, bits));
const normal = fc.tuple(
  fc.integer({ min: 0, max: 1 }),
  fc.integer({ min: -40, max: 40 }),
  significand,
)
  .map(([sign, exponent, significand]) => ({ sign, exponent: 0x3fff + exponent, significand }));
const edge = fc.tuple(
  fc.integer({ min: 0, max: 1 }),
  fc.integer({ min: 0, max: 0x7fff }),
  significand,
)
  .map(([sign, exponent, significand]) => ({ sign, exponent, significand }));
const zero = fc.constantFrom({ sign: 0, exponent: 0, significand: 0n });
const far = normal.map((value) => ({ ...value, exponent: value.exponent + 60 }));
const any: fc.Arbitrary<Extended> = fc.oneof(
  { weight: 8, arbitrary: normal },
  { weight: 2, arbitrary: far },
  { weight: 1, arbitrary: edge },
  { weight: 1, arbitrary: zero },
);

type Words = [high: number, low: number, top: number];
const words = ({ sign, exponent, significand }: Extended): Words => [
  Number(significand >> 32n) | 0,
  Number(significand & 0xffff_ffffn) | 0,
  sign << 15 | exponent,
];

/** The last result, as extended.ts has numbers. */
function found(): Extended {
  const { high, low, top } = fast.result;
  return {
    sign: top >> 15 & 1,
    exponent: top & 0x7fff,
    significand: BigInt(high >>> 0) << 32n | BigInt(low >>> 0),
  };
}

/** Holds one to the other; counts how often the fast one answered. */
function agrees(
  name: string,
  plain: Binary,
  quick: (...words: [...Words, ...Words]) => boolean,
  least: number,
) {
  let answered = 0;
  fc.assert(
    fc.property(any, any, (a, b) => {
      if (!quick(...words(a), ...words(b))) return;
      answered++;
      const env = environment();
      const expected = plain(env, a, b);
      assert.deepEqual(found(), expected);
      assert.equal(env.flags, fast.result.inexact ? 0x20 : 0);
      assert.equal(env.up, fast.result.up);
    }),
    runs,
  );
  assert.ok(answered > least, `${name}: ${answered}`);
}

Deno.test("the fast sum, product and quotient of what they answer are those of the description", () => {
  agrees("add", add, fast.add, 15000);
  agrees("multiply", multiply, fast.multiply, 15000);
  agrees("divide", divide, fast.divide, 14000);
});

Deno.test("the fast square root is that of the description; of squares, and of what is next to them, too", () => {
  const squares = fc.tuple(fc.bigInt(1n << 31n, (1n << 32n) - 1n), fc.bigInt(-1n, 1n)).map((
    [n, more],
  ) => BigInt.asUintN(64, n * n + more) | (n * n >= integerBit ? 0n : integerBit)).map((bits) => ({
    ...{ sign: 0, exponent: 0x3fff },
    significand: bits | integerBit,
  }));
  let answered = 0;
  fc.assert(
    fc.property(fc.oneof(any, squares), fc.constantFrom(0, 1), (a, more) => {
      const value = { ...a, exponent: Math.min(0x7fff, a.exponent + more) };
      if (!fast.root(...words(value))) return;
      answered++;
      const env = environment();
      assert.deepEqual(found(), root(env, value));
      assert.deepEqual([env.flags, env.up], [fast.result.inexact ? 0x20 : 0, fast.result.up]);
    }),
    runs,
  );
  assert.ok(answered > 12000, `${answered}`);
});

Deno.test("sums that cancel agree, too", () => {
  fc.assert(
    fc.property(
      normal,
      fc.constantFrom(0, 1, -1, 2, 31, 32, 33, 63, 64, 65, 66, 95, 96, 97),
      fc.bigInt(0n, 7n),
      (a, away, change) => {
        const b = {
          sign: a.sign ^ 1,
          exponent: a.exponent + away,
          significand: a.significand ^ change,
        };
        assert.ok(fast.add(...words(a), ...words(b)));
        const env = environment();
        assert.deepEqual(found(), add(env, a, b));
        assert.deepEqual(env.flags, fast.result.inexact ? 0x20 : 0);
      },
    ),
    runs,
  );
});

Deno.test("quotients of divisors with few high bits, where the estimate is worst, agree", () => {
  const bits = fc.constantFrom(0n, 1n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0xffff_ffff_0000n);
  fc.assert(
    fc.property(bits, bits, fc.bigInt(0n, 3n), fc.bigInt(0n, 3n), (x, y, dx, dy) => {
      const number = (part: bigint, more: bigint) => ({
        ...{ sign: 0, exponent: 0x3fff },
        significand: integerBit | BigInt.asUintN(63, part + more),
      });
      const [a, b] = [number(x, dx), number(y, -dy)];
      assert.ok(fast.divide(...words(a), ...words(b)));
      assert.deepEqual(found(), divide(environment(), a, b));
    }),
    runs,
  );
});

Deno.test("the fast conversions are those of the description", () => {
  let answered = 0;
  fc.assert(
    fc.property(any, fc.integer({ min: 0, max: 3 }), fc.double(), (a, mode, double) => {
      for (const format of [formats.single, formats.double]) {
        const isSingle = format === formats.single;
        if (!(isSingle ? fast.toSingle : fast.toDouble)(...words(a))) continue;
        answered++;
        const env = environment();
        const { high, low, inexact, up } = fast.result;
        const bits = BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
        assert.equal(bits, toFloat(env, a, format));
        assert.deepEqual([env.flags, env.up], [inexact ? 0x20 : 0, up]);
      }
      if (fast.toWhole(...words(a), mode)) {
        answered++;
        const env = environment();
        const { high, low, inexact, up } = fast.result;
        const bits = BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
        assert.equal(bits, toWholeBits(env, a, 64, mode));
        assert.deepEqual([env.flags, env.up], [inexact ? 0x20 : 0, up]);
      }
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, double);
      const whole = view.getBigInt64(0);
      if (fast.fromDouble(view.getInt32(0), view.getInt32(4))) {
        assert.deepEqual(
          found(),
          fromFloat(environment(), BigInt.asUintN(64, whole), formats.double),
        );
      }
      const single = view.getInt32(4);
      if (fast.fromSingle(single)) {
        const bits = BigInt.asUintN(32, BigInt(single));
        assert.deepEqual(found(), fromFloat(environment(), bits, formats.single));
      }
      fast.fromWhole64(view.getInt32(0), view.getInt32(4));
      assert.deepEqual(found(), fromWhole(whole));
      const shifted = whole >> BigInt(view.getUint8(7) & 63);
      fast.fromWhole64(Number(shifted >> 32n), Number(shifted & 0xffff_ffffn) | 0);
      assert.deepEqual(found(), fromWhole(shifted));
      fast.fromWhole32(single);
      assert.deepEqual(found(), fromWhole(BigInt(single)));
    }),
    runs,
  );
  assert.ok(answered > 30000, `${answered}`);
});
