/**
 * Linux release numbers and their order.
 *
 * "2.4.18-pre1" comes before "2.4.18", "0.99.7" after "0.12", and what a
 * distribution appends ("6.1.0-56-amd64") does not count.
 *
 * @module
 */

/** A parsed release number. */
export interface Release {
  /** As it was given. */
  readonly text: string;
  /** Its numbers, first the major one. */
  readonly numbers: readonly number[];
  /** What it leads up to its number by, weakest first; empty for a finished release. */
  readonly stages: readonly { readonly name: "test" | "pre" | "rc"; readonly number: number }[];
}

/** Reads a release number; `undefined` where the text does not begin with one. */
export function parseRelease(text: string): Release | undefined {
  // 1.2.13, 0.99pl7, 2.2.20pre4, 2.4.0-test3-pre3, 4.9-rc5, 2.4.0-prerelease
  const match = /^v?(\d{1,5}(?:\.\d{1,5}){1,3})(?:pl(\d{1,5}))?(.*)$/s.exec(text.trim());
  if (match === null) return undefined;
  const [, dotted = "", patchLevel, rest = ""] = match;
  if (rest !== "" && !/^[-+~. _]|^(?:pre|rc|test)/.test(rest)) return undefined;
  const numbers = [...dotted.split("."), ...(patchLevel === undefined ? [] : [patchLevel])];
  const stages: { name: "test" | "pre" | "rc"; number: number }[] = [];
  const stage = /^[-.]?(test|pre|rc)(\d{1,5}|release)(?![a-z])/;
  for (let tail = rest, m = stage.exec(tail); m !== null; m = stage.exec(tail)) {
    stages.push({
      name: m[1] as "test" | "pre" | "rc",
      number: m[2] === "release" ? Number.MAX_SAFE_INTEGER : Number(m[2]),
    });
    tail = tail.slice(m[0].length);
  }
  return { text: text.trim(), numbers: numbers.map(Number), stages };
}

/** Compares the numbers alone: negative if `a` is older; missing ones count as 0. */
export function compareNumbers(a: Release, b: Release): number {
  const length = Math.max(a.numbers.length, b.numbers.length);
  for (let i = 0; i < length; i++) {
    const order = (a.numbers[i] ?? 0) - (b.numbers[i] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}

/** Compares releases, stages included: negative if `a` is older. */
export function compareReleases(a: Release, b: Release): number {
  return compareNumbers(a, b) || stageOf(a, "test") - stageOf(b, "test") ||
    lastStage(a) - lastStage(b);
}

// A release without such a stage is past all of them.
const finished = Number.MAX_VALUE;

function stageOf(release: Release, name: string): number {
  return release.stages.find((stage) => stage.name === name)?.number ??
    (release.stages.some((stage) => stage.number === Number.MAX_SAFE_INTEGER)
      ? Number.MAX_SAFE_INTEGER
      : finished);
}

function lastStage(release: Release): number {
  return release.stages.find(({ name }) => name !== "test")?.number ?? finished;
}
