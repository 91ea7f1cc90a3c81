/**
 * "Did you mean": the known name nearest to a mistyped one.
 *
 * @module
 */

/**
 * The name that takes fewest edits to get from what was typed, if that is few
 * enough to be a slip: up to a third of the letters, or a name begun and not
 * finished. Case does not count.
 */
export function suggestion(typed: string, known: Iterable<string>): string | undefined {
  const word = typed.toLowerCase();
  if (word === "") return undefined;
  let best: string | undefined;
  let least = Infinity;
  for (const name of known) {
    const other = name.toLowerCase();
    const begun = word.length >= 3 && (other.startsWith(word) || other.endsWith(`.${word}`));
    const edits = begun ? 0.5 : distance(word, other);
    if (edits < least && (begun || edits <= Math.max(1, Math.max(word.length, other.length) / 3))) {
      best = name;
      least = edits;
    }
  }
  return best;
}

/**
 * Letters inserted, left out, replaced, or swapped with their neighbour
 * (optimal string alignment).
 */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      }
      row.push(edits);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
