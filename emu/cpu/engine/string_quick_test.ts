import assert from "node:assert/strict";
import fc from "fast-check";
import { compareStrings } from "../string_compare.ts";
import { compareBytes } from "./string_quick.ts";

// Few different bytes, so that strings have much in common; zeros, and both signs.
const byte = fc.constantFrom(0, 1, 0x61, 0x62, 0x7f, 0x80, 0xff);
const string = fc.array(byte, { minLength: 16, maxLength: 16 });
const length = fc.integer({ min: 0, max: 40 });

Deno.test("strings of bytes compare the quick way as they do the plain way", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 63 }).map((control) => control << 1),
      string,
      string,
      fc.option(fc.tuple(length, length), { nil: undefined }),
      (control, a, b, lengths) => {
        const bytes = Uint8Array.of(9, ...a, 9, ...b, 9);
        const [lengthA, lengthB] = lengths ?? [-1, -1];
        assert.equal(
          compareBytes(control, bytes, 1, 18, lengthA, lengthB),
          compareStrings(control, Uint8Array.from(a), Uint8Array.from(b), lengths),
        );
      },
    ),
    { seed: 3, numRuns: 20_000 },
  );
});
