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
}

/**
 * Flattens claims into a map.
 *
 * Claims that reach past the file are cut; of two that cross, the later one
 * wins the bytes they share.
 *
 * @param size Length of the file in bytes.
 * @returns Regions in order of offset; the first starts at 0, each starts where
 *   the one before ends, the last ends at `size`.
 */
export function fileMap(size: number, claims: readonly Claim[]): Region[] {
  // Wide before narrow; among equals the later claim is the inner one.
  const spans: Span[] = claims
    .map((claim) => ({ ...claim, end: Math.min(claim.offset + claim.length, size) }))
    .filter(({ offset, end }) => offset >= 0 && end > offset)
    .map((span, order) => ({ span, order }))
    .sort((a, b) => a.span.offset - b.span.offset || b.span.end - a.span.end || a.order - b.order)
    .map(({ span }) => span);

  const regions: Region[] = [];
  const open: Span[] = [{ name: UNCLAIMED, offset: 0, length: size, end: size }];
  let at = 0;
  const advance = (to: number) => {
    while (at < to) {
      const top = open.at(-1);
      if (top === undefined) return;
      if (top.end <= at) {
        open.pop();
        continue;
      }
      const end = Math.min(top.end, to);
      regions.push({
        offset: at,
        length: end - at,
        name: top.name,
        ...(top.note === undefined || at !== top.offset ? {} : { note: top.note }),
        depth: open.length - 1,
        unclaimed: open.length === 1,
      });
      at = end;
    }
  };
  for (const span of spans) {
    advance(span.offset);
    // What ended by now lies no longer around the new span.
    while (open.length > 1 && (open.at(-1)?.end ?? 0) <= span.offset) open.pop();
    open.push(span);
  }
  advance(size);
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
