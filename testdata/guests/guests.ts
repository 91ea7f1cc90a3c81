/**
 * Guests made by hand: small programs that try a machine's corners. What each
 * prints stands in `answers.ts`, by its name.
 *
 * @module
 */

import { codeGuests } from "./code.ts";
import { failingGuests } from "./failing.ts";
import type { Guest } from "./kit.ts";
import { longChecks, longGuests } from "./long.ts";
import { protectedChecks, protectedGuests } from "./protected.ts";
import { realGuests } from "./real.ts";

export type { Guest, GuestEnd } from "./kit.ts";

/** Those whose answers QEMU gave. */
export function witnessedGuests(): readonly Guest[] {
  return [
    ...[protectedGuests, longGuests, realGuests, codeGuests, failingGuests].flat(),
  ];
}

/** Those that try what QEMU's translator does not check; their answers are the manual's. */
export function manualGuests(): readonly Guest[] {
  return [...protectedChecks, ...longChecks];
}
