import assert from "node:assert/strict";
import { floatEstimate } from "./float_estimate.ts";

const view = new DataView(new ArrayBuffer(4));
const bitsOf = (value: number): number => {
  view.setFloat32(0, value);
  return view.getUint32(0);
};
const numberOf = (bits: number): number => {
  view.setUint32(0, bits);
  return view.getFloat32(0);
};

Deno.test("estimates err by less than 1.5 × 2^-12, as the manual promises", () => {
  for (let n = 0; n < 200_000; n++) {
    // Every so many numbers from 2^-40 to 2^40.
    const bits = bitsOf(2 ** -40) + n * 3355;
    const x = numberOf(bits);
    const wrong = (operation: "rcp" | "rsqrt", exact: number) =>
      Math.abs(numberOf(floatEstimate(operation, bits)) / exact - 1);
    assert.ok(wrong("rcp", 1 / x) < 1.5 / 4096);
    assert.ok(wrong("rsqrt", 1 / Math.sqrt(x)) < 1.5 / 4096);
  }
});

Deno.test("estimates of zeros, denormals, infinities, NaNs and what is at the ends are those of a processor", () => {
  const seen: readonly (readonly [of: number, rcp: number, rsqrt: number])[] = [
    [0x00000000, 0x7f800000, 0x7f800000],
    [0x80000001, 0xff800000, 0xff800000],
    [0x007fffff, 0x7f800000, 0x7f800000],
    [0x00800000, 0x7e7ff000, 0x5efff000],
    [0x7e7fffff, 0x00800800, 0x20000800],
    [0x7e800000, 0x00000000, 0x1ffff000],
    [0x7f7fffff, 0x00000000, 0x1f800800],
    [0x7f800000, 0x00000000, 0x00000000],
    [0xff800000, 0x80000000, 0xffc00000],
    [0x7f800001, 0x7fc00001, 0x7fc00001],
    [0xbf800000, 0xbf7ff000, 0xffc00000],
  ];
  for (const [of, rcp, rsqrt] of seen) {
    assert.deepEqual([floatEstimate("rcp", of), floatEstimate("rsqrt", of)], [rcp, rsqrt]);
  }
});
