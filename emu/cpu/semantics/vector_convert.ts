/**
 * Conversions between whole and floating-point numbers in SSE, MMX and general
 * registers.
 *
 * Source: Intel SDM vol. 2, "Operation" of each.
 *
 * @module
 */

import type { Emitter, FloatShape, Semantics } from "./emitter.ts";
import { namesMmx } from "../vector_operands.ts";

/** The second operand as a vector: zeros before what is narrower. */
function vector<V>(e: Emitter<V>): V {
  const a = e.read(1);
  return e.width(a) === 128 ? a : e.zeroExtend(a, 128);
}

/**
 * Says that MMX comes into use, where the row names its registers. It does even
 * if the conversion then raises #XM.
 */
function useMmx<V>(e: Emitter<V>): void {
  if (namesMmx(e.form)) e.vector.useMmx();
}

/** CVTDQ2PS and CVTDQ2PD. */
const fromVector = (shape: "f32x4" | "f64x2"): Semantics => (e) =>
  e.write(0, e.vector.floatFromInteger(shape, vector(e)));

/**
 * CVTPI2PS and CVTPI2PD. From memory they have nothing to do with MMX; of
 * CVTPI2PS the manual says otherwise, but so a processor (Ice Lake) has it.
 */
const fromMmx = (shape: "f32x4" | "f64x2"): Semantics => (e) => {
  const a = vector(e);
  if (!e.i.isMemory) useMmx(e);
  const result = e.vector.floatFromInteger(shape, a);
  // Two lanes of 32 bits are the low half; the high one stays.
  e.write(0, shape === "f32x4" ? e.truncate(result, 64) : result);
};

/** CVTSI2SS and CVTSI2SD: of 32 or 64 bits. */
const fromGeneral = (shape: "f32" | "f64"): Semantics => (e) =>
  e.write(0, e.vector.floatFromInteger(shape, e.read(1)));

/** CVTPS2DQ, CVTPD2DQ and CVTPS2PI, CVTPD2PI, rounded or cut. */
const toVector = (shape: "f32x4" | "f64x2", rounding: "zero" | "current"): Semantics => (e) => {
  const a = vector(e);
  useMmx(e);
  const result = e.vector.floatToInteger(shape, a, 32, rounding);
  e.write(0, namesMmx(e.form) ? e.truncate(result, 64) : result);
};

/** CVTSS2SI and CVTSD2SI, rounded or cut. */
const toGeneral = (shape: "f32" | "f64", rounding: "zero" | "current"): Semantics => (e) =>
  e.write(0, e.vector.floatToInteger(shape, e.read(1), e.i.operandSize === 64 ? 64 : 32, rounding));

/** CVTPS2PD, CVTPD2PS, CVTSS2SD, CVTSD2SS. */
const resize = (to: FloatShape): Semantics => (e) => {
  const isScalar = to === "f32" || to === "f64";
  e.write(0, e.vector.floatResize(to, isScalar ? e.read(1) : vector(e)));
};

/** What is described here, by mnemonic. */
export const vectorConvertSemantics: Readonly<Record<string, Semantics>> = {
  ...{ cvtdq2ps: fromVector("f32x4"), cvtdq2pd: fromVector("f64x2") },
  ...{ cvtpi2ps: fromMmx("f32x4"), cvtpi2pd: fromMmx("f64x2") },
  ...{ cvtsi2ss: fromGeneral("f32"), cvtsi2sd: fromGeneral("f64") },
  ...{ cvtps2dq: toVector("f32x4", "current"), cvttps2dq: toVector("f32x4", "zero") },
  ...{ cvtpd2dq: toVector("f64x2", "current"), cvttpd2dq: toVector("f64x2", "zero") },
  ...{ cvtps2pi: toVector("f32x4", "current"), cvttps2pi: toVector("f32x4", "zero") },
  ...{ cvtpd2pi: toVector("f64x2", "current"), cvttpd2pi: toVector("f64x2", "zero") },
  ...{ cvtss2si: toGeneral("f32", "current"), cvttss2si: toGeneral("f32", "zero") },
  ...{ cvtsd2si: toGeneral("f64", "current"), cvttsd2si: toGeneral("f64", "zero") },
  ...{ cvtps2pd: resize("f64x2"), cvtpd2ps: resize("f32x4") },
  ...{ cvtss2sd: resize("f64"), cvtsd2ss: resize("f32") },
};
