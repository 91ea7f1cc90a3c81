/**
 * Kernel releases as questions ask for them: "from 4.14 on".
 *
 * @module
 */

import { compareNumbers, parseRelease, type Release } from "../formats/linux_release.ts";

export { parseRelease, type Release };

/** Whether `release` is `bound` or newer by its numbers; a release candidate counts as the release. */
export function isAtLeast(release: Release, bound: string): boolean {
  const least = parseRelease(bound);
  return least !== undefined && compareNumbers(release, least) >= 0;
}
