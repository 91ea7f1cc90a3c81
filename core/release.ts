/**
 * Kernel releases as numbers, so that "from 4.14 on" can be asked.
 *
 * @module
 */

/** A release's leading numbers: 6.1.0 of "6.1.0-56-amd64", 2.6.24 of "2.6.24-rc3". */
export type Release = readonly [major: number, minor: number, patch: number];

/** The numbers at the head of a release string; undefined if it has none. */
export function parseRelease(text: string): Release | undefined {
  const found = /^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?/.exec(text);
  return found ? [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)] : undefined;
}

/** Whether `release` is `bound` or newer; `bound` is written as people do, "2.6.24". */
export function isAtLeast(release: Release, bound: string): boolean {
  const [major, minor, patch] = parseRelease(bound) ?? [0, 0, 0];
  return (release[0] - major || release[1] - minor || release[2] - patch) >= 0;
}
