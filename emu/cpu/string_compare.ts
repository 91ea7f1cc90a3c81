/**
 * The comparison of strings that PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM
 * share.
 *
 * Source: Intel SDM vol. 2, chapter 4.1.
 *
 * @module
 */

/**
 * Compares two strings of 16 bytes or 8 words.
 *
 * @param control The instruction's immediate: bit 0 words, bit 1 signed, bits 2
 *   and 3 how, bits 4 and 5 what is inverted.
 * @param a The first, of 16 bytes: the set, the ranges or what is searched for.
 * @param b The second, of 16 bytes.
 * @param lengths Elements of each that count; none given: up to the first zero.
 * @returns Bits 0 to 15 the result by elements (IntRes2), bit 16 whether the
 *   second is shorter than a register, bit 17 whether the first is.
 */
export function compareStrings(
  control: number,
  a: Uint8Array,
  b: Uint8Array,
  lengths?: readonly [number, number],
): number {
  const words = (control & 1) !== 0;
  const count = words ? 8 : 16;
  const isSigned = (control & 2) !== 0;
  const elements = (bytes: Uint8Array) =>
    Array.from({ length: count }, (_, n) => {
      const low = bytes[words ? 2 * n : n] ?? 0;
      const value = words ? low | (bytes[2 * n + 1] ?? 0) << 8 : low;
      return isSigned ? value << (words ? 16 : 24) >> (words ? 16 : 24) : value;
    });
  const [first, second] = [elements(a), elements(b)];
  const lengthOf = (of: readonly number[], given: number | undefined) => {
    if (given !== undefined) return Math.min(given, count);
    const end = of.indexOf(0);
    return end < 0 ? count : end;
  };
  const lengthA = lengthOf(first, lengths?.[0]);
  const lengthB = lengthOf(second, lengths?.[1]);
  // Behind its end an element is not valid; what comparisons make of that depends on how.
  const at = (of: readonly number[], n: number) => of[n] ?? 0;
  const holds = (j: number): boolean => {
    switch (control >> 2 & 3) {
      case 0: {
        if (j >= lengthB) return false;
        return first.slice(0, lengthA).includes(at(second, j));
      }
      case 1: {
        if (j >= lengthB) return false;
        for (let n = 0; n + 1 < lengthA; n += 2) {
          if (at(first, n) <= at(second, j) && at(second, j) <= at(first, n + 1)) return true;
        }
        return false;
      }
      case 2:
        if (j >= lengthA || j >= lengthB) return j >= lengthA && j >= lengthB;
        return at(first, j) === at(second, j);
      default:
        // The first begins here: what would lie behind the register counts as found.
        for (let n = 0; n < lengthA && j + n < count; n++) {
          if (j + n >= lengthB || at(first, n) !== at(second, j + n)) return false;
        }
        return true;
    }
  };
  let result = 0;
  for (let j = 0; j < count; j++) if (holds(j)) result |= 1 << j;
  const polarity = control >> 4 & 3;
  if (polarity === 1) result ^= (1 << count) - 1;
  else if (polarity === 3) result ^= (1 << lengthB) - 1;
  return result | (lengthB < count ? 1 << 16 : 0) | (lengthA < count ? 1 << 17 : 0);
}
