/**
 * Two kernel configurations, option by option.
 *
 * @module
 */

import type { Config } from "../../formats/ikconfig.ts";
import {
  arrange,
  type Arrangement,
  type Change,
  type ChangeDetails,
  compare,
  pairs,
  type Side,
  side,
} from "./change.ts";

/** Compares two configurations. */
export function diffConfigs(a: Config, b: Config, wanted: Arrangement = {}): Change[] {
  return arrange(compareConfigs(a, b), wanted);
}

/**
 * Compares two configurations: first the options that changed, then those that
 * went, those that came with a value, those that came and are not set.
 */
export function* compareConfigs(a: Config, b: Config): Generator<Change> {
  const changes = [...pairs(a, b)].flatMap(([name, was, is]) =>
    compare("config", name, option(was), option(is), () => inWords(name, was, is))
  );
  const rank = ({ kind, is }: Change): number =>
    kind === "changed" ? 0 : kind === "removed" ? 1 : kind === "added" && is !== "n" ? 2 : 3;
  yield* changes.sort((x, y) => rank(x) - rank(y));
}

function option(value: string | undefined): Side | undefined {
  return value === undefined ? undefined : side(value, value === "n" ? "not set" : value);
}

const states: Readonly<Record<string, string>> = { y: "built in", m: "a module", n: "not set" };

/** A change between y, m and n in words; other values speak for themselves. */
function inWords(name: string, was: string | undefined, is: string | undefined): ChangeDetails {
  const [before, after] = [states[was ?? ""], states[is ?? ""]];
  return before === undefined || after === undefined
    ? {}
    : { meaning: `${name}: was ${before}, is ${after}` };
}
