/**
 * What the samples of every compression were made from: bytes with the traits of
 * a kernel, made anew by a generator, so that only packed bytes are kept.
 *
 * @module
 */

/** Numbers that are always the same: xorshift of 32 bits. */
function numbers(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

const words = [
  "mov",
  "call",
  "push",
  "%s: ",
  "error",
  "memory",
  "page",
  "<6>",
  "failed to ",
  "cpu",
  "\n",
  "kernel/",
  "drivers/",
  ".c",
  "irq ",
  "\0",
  "__",
  "init",
  "exit",
  "0x%lx",
  "device ",
  "tables",
];

/**
 * Some bytes: strings, near calls, runs of zeros, tables of addresses, and
 * values of which some are much rarer than others.
 */
export function kernelLike(size: number, seed = 1): Uint8Array {
  const next = numbers(seed);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (...values: readonly number[]): void => {
    for (const value of values) if (at < size) bytes[at++] = value;
  };
  while (at < size) {
    switch (next() % 6) {
      case 0:
        for (let n = next() % 6; n >= 0; n--) {
          put(...new TextEncoder().encode(words[next() % words.length]));
        }
        break;
      case 1:
        // Calls of one of a few functions, from wherever this is.
        for (let n = next() % 4; n >= 0; n--) {
          put(0x48, 0x89, 0xc0 | next() % 8, 0xe8 | next() % 2);
          if (at + 4 <= size) view.setUint32(at, ((next() % 8) * 0x120 - at - 4) >>> 0, true);
          at += 4;
        }
        break;
      case 2:
        at += next() % 40;
        break;
      case 3:
        for (let n = next() % 5; n >= 0; n--) {
          put(next() & 0xf8, next() % 16, 0x00, 0x81, 255, 255, 255, 255);
        }
        break;
      case 4:
        // Half of them 0, a quarter 1, and so on: codes of many lengths.
        for (let n = next() % 64; n >= 0; n--) put(Math.clz32(next()) * 7);
        break;
      default:
        for (let n = next() % 8; n >= 0; n--) put(next() & 255);
    }
  }
  return bytes;
}

/** Bytes that no compression makes shorter. */
export function incompressible(size: number): Uint8Array {
  const next = numbers(7);
  return Uint8Array.from({ length: size }, () => next() >>> 13 & 255);
}

/** What samples were made from, by name. */
export const contents: Readonly<Record<string, () => Uint8Array>> = {
  empty: () => new Uint8Array(0),
  tiny: () => new TextEncoder().encode("Linux\n"),
  small: () => kernelLike(1500),
  medium: () => kernelLike(16_000, 2),
  noise: () => incompressible(700),
  zeros: () => new Uint8Array(1 << 20),
};
