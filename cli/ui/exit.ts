/**
 * What a command's exit code means: one table, printed by `--help`.
 *
 * 0, 1 and 2 are what `diff` and `grep` taught everybody; 70 is sysexits'
 * EX_SOFTWARE; 130 is what a shell reports for a process that SIGINT ended.
 *
 * @module
 */

/** One row of the table. */
export interface ExitMeaning {
  /** The code. */
  readonly code: number;
  /** What it means, in a few words. */
  readonly means: string;
}

/** The codes by name, the same for all commands. */
export const exit = {
  done: { code: 0, means: "done" },
  different: { code: 1, means: "differences or complaints found" },
  usage: { code: 2, means: "wrong use" },
  input: { code: 3, means: "bad or unreadable input" },
  guest: { code: 4, means: "the guest failed" },
  bug: { code: 70, means: "our own bug" },
  interrupted: { code: 130, means: "interrupted" },
} as const satisfies Readonly<Record<string, ExitMeaning>>;

/** A code's name. */
export type ExitName = keyof typeof exit;

/**
 * The table for `--help`, the given rows in one paragraph.
 *
 * @param words What a code means for this very command, where that is narrower.
 */
export function showExitCodes(
  names: readonly ExitName[],
  words: Readonly<Partial<Record<ExitName, string>>> = {},
): string {
  return names.map((name) => `${exit[name].code} ${words[name] ?? exit[name].means}`).join(", ");
}
