/**
 * Damaged copies of a good input: cut short at every length, every byte changed,
 * telling values written at every offset, and whatever else chance brings.
 *
 * The same seed gives the same copies in the same order, so that a copy is found
 * again by its number.
 *
 * @module
 */

/** A good input. */
export interface Sound {
  /** What it is, in a few words. */
  readonly name: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /**
   * Stretches whose every byte decides something; the rest is damaged by chance
   * only. Default: the first 4 KiB.
   */
  readonly dense?: readonly (readonly [start: number, end: number])[];
}

/** A damaged copy. */
export interface Mutant {
  /** What was done to it. */
  readonly how: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** Chance that repeats itself: numbers below `n`, from one seed always the same. */
export type Random = (n: number) => number;

/** Makes chance from a seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * n);
  };
}

/** Values at which arithmetic turns over, as they are put where lengths and counts stand. */
const telling: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 7n, 8n, 15n, 16n, 0x7fn, 0x80n, 0xffn, 0x100n, 0xfffn, 0x1000n],
  ...[0x7fffn, 0x8000n, 0xfffen, 0xffffn, 0x1_0000n, 0x10_0000n, 0x7fff_fffen, 0x7fff_ffffn],
  ...[0x8000_0000n, 0x8000_0001n, 0xffff_fff0n, 0xffff_fffcn, 0xffff_ffffn, 0x1_0000_0000n],
  ...[0x1f_ffff_ffff_ffffn, 0x20_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
  ...[0x8000_0000_0000_0000n, 0xffff_ffff_ffff_fff0n, 0xffff_ffff_ffff_ffffn],
];

/** The bytes that every byte of a dense stretch is replaced by. */
const bytewise: readonly (readonly [how: string, change: (byte: number) => number])[] = [
  ...Array.from(
    { length: 8 },
    (_, bit) => [`bit ${bit} turned`, (b: number) => b ^ 1 << bit] as const,
  ),
  ["0", () => 0],
  ["0xff", () => 0xff],
  ["one more", (b) => (b + 1) & 0xff],
];

const widths = [2, 4, 8] as const;

/** Writes a number over some bytes, as far as they go. */
function write(bytes: Uint8Array, at: number, size: number, value: bigint, isBig: boolean): void {
  for (let i = 0; i < size && at + i < bytes.length; i++) {
    bytes[at + i] = Number(value >> BigInt(8 * (isBig ? size - 1 - i : i)) & 0xffn);
  }
}

/** All offsets of the dense stretches. */
function offsets({ bytes, dense = [[0, 4096]] }: Sound): number[] {
  const all = new Set<number>();
  for (const [start, end] of dense) {
    for (let at = start; at < Math.min(end, bytes.length); at++) all.add(at);
  }
  return [...all];
}

/** Every copy with one thing changed, by number. */
function systematic(sound: Sound): { readonly count: number; at(i: number): Mutant } {
  const { bytes } = sound;
  const places = offsets(sound);
  // Cut at every length of the dense stretches, and at their ends.
  const cuts = [...places, bytes.length - 1, bytes.length - 4, bytes.length - 8];
  const perPlace = bytewise.length + widths.length;
  return {
    count: cuts.length + places.length * perPlace,
    at(i) {
      const cut = cuts[i];
      if (cut !== undefined) {
        return { how: `cut to ${cut} bytes`, bytes: bytes.slice(0, Math.max(0, cut)) };
      }
      const place = places[Math.floor((i - cuts.length) / perPlace)] ?? 0;
      const way = (i - cuts.length) % perPlace;
      const copy = bytes.slice();
      const one = bytewise[way];
      if (one) {
        copy[place] = one[1](copy[place] ?? 0);
        return { how: `${place}: ${one[0]}`, bytes: copy };
      }
      const size = widths[way - bytewise.length] ?? 4;
      // Another value at each place, all of them in the end.
      const value = telling[(place * 7 + way * 3) % telling.length] ?? 0n;
      write(copy, place, size, value, place % 5 === 4);
      return { how: `${place}: ${size} bytes 0x${value.toString(16)}`, bytes: copy };
    },
  };
}

/** A place in a good input: mostly where it matters. */
function somewhere(sound: Sound, random: Random): number {
  const { bytes, dense = [[0, 4096]] } = sound;
  const stretch = random(4) > 0 ? dense[random(dense.length)] : undefined;
  if (!stretch) return random(bytes.length);
  const [start, end] = stretch;
  return Math.min(start + random(Math.max(1, end - start)), Math.max(0, bytes.length - 1));
}

type Chance = (sound: Sound, others: readonly Sound[], random: Random) => Mutant;

/** What chance does. */
const chances: readonly Chance[] = [
  // Two to eight changes at once.
  (sound, _, random) => {
    const copy = sound.bytes.slice();
    const done: string[] = [];
    for (let n = 2 + random(7); n > 0; n--) {
      const at = somewhere(sound, random);
      const size = [1, 2, 4, 8][random(4)] ?? 4;
      const value = telling[random(telling.length)] ?? 0n;
      write(copy, at, size, value, random(4) === 0);
      done.push(`${at}: ${size} bytes 0x${value.toString(16)}`);
    }
    return { how: done.join("; "), bytes: copy };
  },
  // A number moved by a little: lengths that are off by one.
  (sound, _, random) => {
    const copy = sound.bytes.slice();
    const at = somewhere(sound, random);
    const by = [1, -1, 2, -2, 4, -4, 8, 16, 256][random(9)] ?? 1;
    copy[at] = (copy[at] ?? 0) + by;
    const also = somewhere(sound, random);
    copy[also] = random(256);
    return { how: `${at}: ${by} more; ${also}: any byte`, bytes: copy };
  },
  // The head of one and the tail of another.
  (sound, others, random) => {
    const other = others[random(others.length)] ?? sound;
    const [head, tail] = [somewhere(sound, random), somewhere(other, random)];
    const bytes = new Uint8Array(head + other.bytes.length - tail);
    bytes.set(sound.bytes.subarray(0, head));
    bytes.set(other.bytes.subarray(tail), head);
    return { how: `${head} bytes, then ${other.name} from ${tail} on`, bytes };
  },
  // Two stretches change places.
  (sound, _, random) => {
    const copy = sound.bytes.slice();
    const length = 1 + random(64);
    const [a, b] = [somewhere(sound, random), somewhere(sound, random)];
    const was = copy.slice(a, a + length);
    copy.copyWithin(a, b, Math.min(b + length, copy.length));
    copy.set(was.subarray(0, Math.max(0, copy.length - b)), b);
    return { how: `${length} bytes at ${a} and ${b} exchanged`, bytes: copy };
  },
  // A stretch taken out, or doubled.
  (sound, _, random) => {
    const { bytes } = sound;
    const at = somewhere(sound, random);
    const length = Math.min(1 + random(40), bytes.length - at);
    const isOut = random(2) === 0;
    const rest = bytes.subarray(isOut ? at + length : at);
    const head = bytes.subarray(0, isOut ? at : at + length);
    const copy = new Uint8Array(head.length + rest.length);
    copy.set(head);
    copy.set(rest, head.length);
    return { how: `${length} bytes at ${at} ${isOut ? "taken out" : "doubled"}`, bytes: copy };
  },
  // Something behind the end.
  (sound, _, random) => {
    const more = 1 + random(600);
    const fill = [0, 0xff, 0x30][random(3)];
    const copy = new Uint8Array(sound.bytes.length + more);
    copy.set(sound.bytes);
    for (let i = sound.bytes.length; i < copy.length; i++) copy[i] = fill ?? random(256);
    return { how: `${more} bytes appended`, bytes: copy };
  },
  // A stretch of one value, or of noise.
  (sound, _, random) => {
    const copy = sound.bytes.slice();
    const at = somewhere(sound, random);
    const length = 1 + random(100);
    const value = [0, 0xff, 0x41][random(4)];
    for (let i = at; i < Math.min(at + length, copy.length); i++) copy[i] = value ?? random(256);
    return { how: `${length} bytes at ${at}: ${value ?? "noise"}`, bytes: copy };
  },
];

/**
 * `count` damaged copies of the inputs, each input in its turn.
 *
 * Three of four change one thing, all such changes where `count` allows and an
 * even choice of them where not; the fourth is left to chance.
 */
export function* mutants(
  sounds: readonly Sound[],
  count: number,
  seed: number,
): Generator<Mutant> {
  const random = seeded(seed);
  for (const [i, sound] of sounds.entries()) {
    const share = Math.floor(count / sounds.length) + (i < count % sounds.length ? 1 : 0);
    const ordered = systematic(sound);
    const most = Math.min(ordered.count, Math.floor(share * 3 / 4));
    const shift = random(ordered.count);
    // A step that shares no factor with the count visits all of them, evenly.
    const step = ordered.count / most;
    for (let n = 0; n < share; n++) {
      const mutant = n < most
        ? ordered.at((Math.floor(n * step) + (most < ordered.count ? shift : 0)) % ordered.count)
        : (chances[random(chances.length)] as Chance)(sound, sounds, random);
      yield { ...mutant, how: `${sound.name}, ${mutant.how}` };
    }
  }
}
