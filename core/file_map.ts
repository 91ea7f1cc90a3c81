/**
 * The map of a file: every byte under a name, none under two.
 *
 * Whoever knows a part of the file claims it. Parts nest: the setup header lies
 * in the setup code, the payload in the protected-mode part. Where claims
 * overlap, the narrower one names the bytes and the wider one keeps the rest, so
 * the flat map has neither blank nor overlap by construction; what nobody claims
 * shows up under the file's own name, as "not accounted for".
 *
 * @module
 */

/** A part of the file that has a name. */
export interface Claim {
  /** File offset in bytes. */
  readonly offset: number;
  /** Length in bytes. */
  readonly length: number;
  /** What it is. */
  readonly name: string;
  /** More about it: a size in units, a format, a value. */
  readonly note?: string;
}

/** One stretch of the flat map. */
export interface Region extends Claim {
  /** How many claims lie around this one; 0 is the file itself. */
  readonly depth: number;
  /** Whether nobody claimed these bytes. */
  readonly unclaimed: boolean;
}

/** The name of bytes that nobody claimed. */
export const UNCLAIMED = "not accounted for";

interface Span extends Claim {
  readonly end: number;
  /** Its place among the claims; of two of one length the later is the inner one. */
  readonly order: number;
}

/** Whether `a` lies within `b`, as far as naming goes: it is the narrower one. */
function isInner(a: Span, b: Span): boolean {
  return a.length - b.length < 0 || (a.length === b.length && a.order > b.order);
}

/** A heap of spans, the innermost on top. */
class Innermost {
  readonly #heap: Span[] = [];

  get top(): Span | undefined {
    return this.#heap[0];
  }

  push(span: Span): void {
    const heap = this.#heap;
    let at = heap.length;
    for (; at > 0; at = (at - 1) >> 1) {
      const above = heap[(at - 1) >> 1];
      if (above === undefined || !isInner(span, above)) break;
      heap[at] = above;
    }
    heap[at] = span;
  }

  pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      const down = right && left && isInner(right, left) ? 2 * at + 2 : 2 * at + 1;
      const below = heap[down];
      if (below === undefined || !isInner(below, last)) break;
      heap[at] = below;
      at = down;
    }
    heap[at] = last;
  }
}

/**
 * Flattens claims into a map: each byte goes to the narrowest claim on it.
 *
 * Claims that reach past the file are cut.
 *
 * @param size Length of the file in bytes.
 * @returns Regions in order of offset; the first starts at 0, each starts where
 *   the one before ends, the last ends at `size`.
 */
export function fileMap(size: number, claims: readonly Claim[]): Region[] {
  const spans: Span[] = claims
    .map((claim, order) => ({
      ...claim,
      end: Math.min(claim.offset + claim.length, size),
      order,
    }))
    .filter(({ offset, end }) => offset >= 0 && end > offset);
  const starts = spans.toSorted((a, b) => a.offset - b.offset);
  const ends = spans.map(({ end }) => end).sort((a, b) => a - b);

  // Tour image 050
  //
  // What is left over? Whoever understood a part of the file has claimed it, and the
  // parts overlap as parts do: the header lies across boot sector and setup code, a
  // version string within the setup code. Each byte goes to the narrowest claim on
  // it. What nobody claims shows up by itself, so a section that a linker left behind
  // the kernel (6.17 had 440 KB of that) cannot hide.
  const regions: Region[] = [];
  const open = new Innermost();
  let [nextStart, nextEnd, depth] = [0, 0, 0];
  let owner: Span | undefined;
  for (let at = 0; at < size;) {
    for (let span = starts[nextStart]; span && span.offset <= at; span = starts[nextStart]) {
      open.push(span);
      nextStart++;
      depth++;
    }
    while ((ends[nextEnd] ?? Infinity) <= at) {
      nextEnd++;
      depth--;
    }
    while ((open.top?.end ?? Infinity) <= at) open.pop();
    const top = open.top;
    const to = Math.min(starts[nextStart]?.offset ?? size, ends[nextEnd] ?? size);
    const last = regions.at(-1);
    if (last && owner === top) {
      // Only claims further out began or ended here.
      regions[regions.length - 1] = { ...last, length: last.length + to - at };
    } else {
      regions.push({
        offset: at,
        length: to - at,
        name: top?.name ?? UNCLAIMED,
        ...(top?.note === undefined || at !== top.offset ? {} : { note: top.note }),
        depth,
        unclaimed: top === undefined,
      });
    }
    owner = top;
    at = to;
  }
  return regions;
}

/** Whether all bytes from `start` to `end` hold `value`. */
export function isFilled(bytes: Uint8Array, start: number, end: number, value: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== value) return false;
  return true;
}

/**
 * Claims what is left where it is plain filling: zeros, or the 0xff bytes that
 * kernels put before the header so that a careless loader shows.
 */
export function claimFilling(bytes: Uint8Array, regions: readonly Region[]): Claim[] {
  return regions.flatMap((region) => {
    if (!region.unclaimed) return [];
    const { offset, length } = region;
    const first = bytes[offset];
    if ((first !== 0 && first !== 0xff) || !isFilled(bytes, offset, offset + length, first)) {
      return [];
    }
    return [{ offset, length, name: "padding", note: first ? "0xff" : "zeros" }];
  });
}
