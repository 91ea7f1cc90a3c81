/**
 * Floating-point numbers in SSE registers: arithmetic, comparisons, estimates,
 * rounding.
 *
 * Names end with what they work on: `ps` and `pd` all lanes, `ss` and `sd` the
 * lowest; what is above it stays.
 *
 * Source: Intel SDM vol. 2, "Operation" of each.
 *
 * @module
 */

import type { Emitter, FloatOperation, FloatShape, Rounding, Semantics } from "./emitter.ts";

/** What names end with, and what that stands for. */
const endings = [["ps", "f32x4"], ["pd", "f64x2"], ["ss", "f32"], ["sd", "f64"]] as const;

/** One description under four names. */
function all(
  name: string,
  description: (shape: FloatShape) => Semantics,
): Record<string, Semantics> {
  return Object.fromEntries(endings.map(([end, shape]) => [name + end, description(shape)]));
}

const arithmetic = (operation: FloatOperation) => (shape: FloatShape): Semantics => (e) =>
  e.write(0, e.vector.float(shape, operation, e.read(0), e.read(1)));

const sqrt = (shape: FloatShape): Semantics => (e) =>
  e.write(0, e.vector.floatSqrt(shape, e.read(1)));

const estimate = (shape: "f32" | "f32x4", operation: "rcp" | "rsqrt"): Semantics => (e) =>
  e.write(0, e.vector.floatEstimate(shape, operation, e.read(1)));

const compare = (shape: FloatShape): Semantics => (e) =>
  e.write(0, e.vector.floatCompare(shape, e.i.immediate & 7, e.read(0), e.read(1)));

/** COMISS and its like; the unordered ones take quiet NaNs without complaint. */
const flags = (shape: "f32" | "f64", signals: boolean): Semantics => (e) =>
  e.vector.floatFlags(shape, e.read(0), e.read(1), signals);

/** ROUNDPS and its like: how is in the immediate, or in MXCSR. */
const round = (shape: FloatShape): Semantics => (e) => {
  const ways = ["nearest", "down", "up", "zero"] as const;
  const control = e.i.immediate;
  const way: Rounding = (control & 4) !== 0 ? "current" : ways[control & 3] ?? "current";
  e.write(0, e.vector.floatRound(shape, way, e.read(1), (control & 8) === 0));
};

/** Bytes of 16 that stand where lanes of some size stood. */
const lanes = (size: 4 | 8, from: readonly number[]): number[] =>
  from.flatMap((lane) => Array.from({ length: size }, (_, n) => lane * size + n));

/** HADDPS and its like: neighbours of the first operand, then of the second. */
function neighbours(shape: "f32x4" | "f64x2", operation: "add" | "sub"): Semantics {
  const [even, odd] = shape === "f32x4"
    ? [lanes(4, [0, 2, 4, 6]), lanes(4, [1, 3, 5, 7])]
    : [lanes(8, [0, 2]), lanes(8, [1, 3])];
  return (e) => {
    const [a, b] = [e.read(0), e.read(1)];
    const left = e.vector.shuffle(a, b, even);
    const right = e.vector.shuffle(a, b, odd);
    e.write(0, e.vector.float(shape, operation, left, right));
  };
}

/** A mask of all ones in lanes of 32 bits where a bit is set. */
function maskOf<V>(e: Emitter<V>, bits: readonly number[]): V {
  return e.vector.constant("i32x4", bits.map((bit) => bit === 0 ? 0 : 0xffff_ffff));
}

/**
 * DPPS: products of lanes that the immediate's high bits choose, added in pairs,
 * to the lanes that its low bits choose; zeros elsewhere.
 */
const dpps: Semantics = (e) => {
  const control = e.i.immediate;
  const bit = (n: number) => control >> n & 1;
  // Zero times zero raises nothing.
  const chosen = maskOf(e, [bit(4), bit(5), bit(6), bit(7)]);
  const only = (a: ReturnType<typeof e.read>) => e.vector.binary("v128.and", a, chosen);
  const products = e.vector.float("f32x4", "mul", only(e.read(0)), only(e.read(1)));
  const pick = (a: typeof products, from: readonly number[]) =>
    e.vector.shuffle(a, a, lanes(4, from));
  // Which operand is the first shows where both are NaNs: so a processor (Ice Lake) has it.
  const pairs = e.vector.float("f32x4", "add", pick(products, [1, 0, 3, 2]), products);
  const sum = e.vector.float("f32x4", "add", pairs, pick(pairs, [2, 3, 0, 1]));
  e.write(0, e.vector.binary("v128.and", sum, maskOf(e, [bit(0), bit(1), bit(2), bit(3)])));
};

/** DPPD: the same of two lanes. */
const dppd: Semantics = (e) => {
  const control = e.i.immediate;
  const bit = (n: number) => control >> n & 1;
  const chosen = maskOf(e, [bit(4), bit(4), bit(5), bit(5)]);
  const only = (a: ReturnType<typeof e.read>) => e.vector.binary("v128.and", a, chosen);
  const products = e.vector.float("f64x2", "mul", only(e.read(0)), only(e.read(1)));
  const crossed = e.vector.shuffle(products, products, lanes(8, [1, 0]));
  const sum = e.vector.float("f64x2", "add", products, crossed);
  e.write(0, e.vector.binary("v128.and", sum, maskOf(e, [bit(0), bit(0), bit(1), bit(1)])));
};

/** What is described here, by mnemonic. */
export function vectorFloatSemantics(): Readonly<Record<string, Semantics>> {
  const operations = ["add", "sub", "mul", "div", "min", "max"] as const;
  return {
    ...Object.assign({}, ...operations.map((name) => all(name, arithmetic(name)))),
    ...all("sqrt", sqrt),
    ...all("cmp", compare),
    ...all("round", round),
    ...{ rcpps: estimate("f32x4", "rcp"), rcpss: estimate("f32", "rcp") },
    ...{ rsqrtps: estimate("f32x4", "rsqrt"), rsqrtss: estimate("f32", "rsqrt") },
    ...{ comiss: flags("f32", true), comisd: flags("f64", true) },
    ...{ ucomiss: flags("f32", false), ucomisd: flags("f64", false) },
    ...{ haddps: neighbours("f32x4", "add"), haddpd: neighbours("f64x2", "add") },
    ...{ hsubps: neighbours("f32x4", "sub"), hsubpd: neighbours("f64x2", "sub") },
    ...{ addsubps: arithmetic("addsub")("f32x4"), addsubpd: arithmetic("addsub")("f64x2") },
    ...{ dpps, dppd },
  };
}
