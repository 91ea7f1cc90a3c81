import assert from "node:assert/strict";
import { compareStrings } from "./string_compare.ts";

const register = (text: string): Uint8Array => {
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(text));
  return bytes;
};
const found = (control: number, a: string, b: string, lengths?: readonly [number, number]) =>
  (compareStrings(control, register(a), register(b), lengths) & 0xffff).toString(2);

Deno.test("what libraries do with strings: sets, ranges, equality, search", () => {
  // Any of "aeiou".
  assert.equal(found(0x00, "aeiou", "zeropage"), "10101010");
  // Within "a" to "z" or "0" to "9", and the opposite, of the string alone.
  assert.equal(found(0x04, "az09", "a-b_3"), "10101");
  assert.equal(found(0x34, "az09", "a-b_3"), "1010");
  // Each as the other; behind both ends all is alike.
  assert.equal(found(0x08, "kernel", "kennel"), "1111111111111011");
  // Where "an" begins; the last place may go on beyond the register.
  assert.equal(found(0x0c, "an", "banana"), "1010");
  assert.equal(found(0x0c, "an", "0123456789abcdea"), "1000000000000000");
});

Deno.test("lengths may be given, and lie beyond zeros", () => {
  assert.equal(found(0x00, "\0", "a\0b\0", [1, 4]), "1010");
  assert.equal(compareStrings(0x08, register(""), register(""), [16, 16]) >> 16, 0);
  assert.equal(compareStrings(0x08, register(""), register("a"), [16, 3]) >> 16, 1);
  assert.equal(compareStrings(0x08, register("abc"), register("0123456789abcdef")) >> 16, 2);
});

Deno.test("elements may be words, and signed", () => {
  const words = (...values: number[]) => new Uint8Array(Uint16Array.of(...values, 0, 0).buffer);
  const wide = (values: number[]) => {
    const out = new Uint8Array(16);
    out.set(words(...values));
    return out;
  };
  // From -1 to 1: unsigned, that is no range at all.
  const [range, text] = [wide([0xffff, 1]), wide([0xffff, 5, 1])];
  assert.equal(compareStrings(0x07, range, text, [2, 3]) & 0xff, 0b101);
  assert.equal(compareStrings(0x05, range, text, [2, 3]) & 0xff, 0);
});
