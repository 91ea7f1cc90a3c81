/**
 * The comparison of strings of bytes, without making anything: libraries look
 * through every string with it. `string_compare.ts` says plainly what it does.
 *
 * @module
 */

const count = 16;

/**
 * Compares two strings of bytes in place.
 *
 * @param control The instruction's immediate, without bit 0: no words.
 * @param bytes Where both are.
 * @param a Where the first begins: the set, the ranges or what is searched for.
 * @param b Where the second does.
 * @param givenA Elements of the first that count; negative: both go up to their first zero.
 * @param givenB Those of the second.
 * @returns As `compareStrings` does.
 */
export function compareBytes(
  control: number,
  bytes: Uint8Array,
  a: number,
  b: number,
  givenA: number,
  givenB: number,
): number {
  const lengthA = givenA < 0 ? lengthOf(bytes, a) : Math.min(givenA, count);
  const lengthB = givenA < 0 ? lengthOf(bytes, b) : Math.min(givenB, count);
  let result: number;
  switch (control >> 2 & 3) {
    case 0:
      result = inSet(bytes, a, lengthA, b, lengthB);
      break;
    case 1:
      result = inRanges(bytes, a, lengthA, b, lengthB, (control & 2) !== 0 ? 0x80 : 0);
      break;
    case 2:
      result = equal(bytes, a, lengthA, b, lengthB);
      break;
    default:
      result = begins(bytes, a, lengthA, b, lengthB);
  }
  const polarity = control >> 4 & 3;
  if (polarity === 1) result ^= (1 << count) - 1;
  else if (polarity === 3) result ^= (1 << lengthB) - 1;
  return result | (lengthB < count ? 1 << 16 : 0) | (lengthA < count ? 1 << 17 : 0);
}

function lengthOf(bytes: Uint8Array, from: number): number {
  for (let n = 0; n < count; n++) if (bytes[from + n] === 0) return n;
  return count;
}

function inSet(bytes: Uint8Array, a: number, lengthA: number, b: number, lengthB: number): number {
  let result = 0;
  for (let j = 0; j < lengthB; j++) {
    const byte = bytes[b + j];
    for (let n = a; n < a + lengthA; n++) {
      if (bytes[n] !== byte) continue;
      result |= 1 << j;
      break;
    }
  }
  return result;
}

/** Signed bytes are ordered like unsigned ones whose highest bit is flipped. */
function inRanges(
  bytes: Uint8Array,
  a: number,
  lengthA: number,
  b: number,
  lengthB: number,
  flip: number,
): number {
  let result = 0;
  for (let j = 0; j < lengthB; j++) {
    const byte = (bytes[b + j] as number) ^ flip;
    for (let n = a; n + 1 < a + lengthA; n += 2) {
      const low = (bytes[n] as number) ^ flip;
      const high = (bytes[n + 1] as number) ^ flip;
      if (byte < low || byte > high) continue;
      result |= 1 << j;
      break;
    }
  }
  return result;
}

/** Behind both ends all is alike. */
function equal(bytes: Uint8Array, a: number, lengthA: number, b: number, lengthB: number): number {
  let result = 0;
  for (let j = 0; j < count; j++) {
    const [insideA, insideB] = [j < lengthA, j < lengthB];
    const alike = insideA && insideB ? bytes[a + j] === bytes[b + j] : insideA === insideB;
    if (alike) result |= 1 << j;
  }
  return result;
}

/** What would lie behind the register counts as found. */
function begins(bytes: Uint8Array, a: number, lengthA: number, b: number, lengthB: number): number {
  let result = 0;
  for (let j = 0; j < count; j++) {
    const whole = Math.min(lengthA, count - j);
    let n = 0;
    while (n < whole && j + n < lengthB && bytes[a + n] === bytes[b + j + n]) n++;
    if (n === whole) result |= 1 << j;
  }
  return result;
}
