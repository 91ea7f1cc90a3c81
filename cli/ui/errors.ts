/**
 * Errors that are not ours: the user's words or the user's files.
 *
 * Each carries the exit code it ends in. They are shown as one line, further
 * lines indented under it.
 *
 * @module
 */

import { exit } from "./exit.ts";
import { suggestion } from "./suggest.ts";

/** An error with an exit code; its message is meant for the user. */
export class CommandError extends Error {
  /** The class, for whoever prints the error. */
  override name = "CommandError";
  /** What the process ends with. */
  readonly code: number;
  /** Lines of help under the message, such as a suggestion. */
  readonly hints: readonly string[];

  /**
   * An error for the user.
   *
   * @param message One line, no full stop, without the program's name.
   */
  constructor(
    code: number,
    message: string,
    hints: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.hints = hints;
  }
}

/** Wrong use: an option, an argument, an unknown name. Exit code 2. */
export class UsageError extends CommandError {
  /** The class, for whoever prints the error. */
  override name = "UsageError";

  /**
   * A wrong use.
   *
   * @param message One line, no full stop; `hints` are shown under it.
   */
  constructor(message: string, hints: readonly string[] = [], options?: ErrorOptions) {
    super(exit.usage.code, message, hints, options);
  }
}

/** A file that cannot be read, written, or made sense of. Exit code 3. */
export class InputError extends CommandError {
  /** The class, for whoever prints the error. */
  override name = "InputError";
  /** The file, as the user named it. */
  readonly path: string;

  /**
   * A file that will not do.
   *
   * @param problem What is wrong with it; no full stop.
   */
  constructor(
    path: string,
    problem: string,
    hints: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(exit.input.code, `${path}: ${problem}`, hints, options);
    this.path = path;
  }
}

/**
 * Wrong use of a name from a list: says which one was meant and what there is.
 *
 * ```
 * bootrun: unknown platform "lguset"
 *   Did you mean "lguest"?
 *   Platforms: pc, lguest, xen
 * ```
 *
 * @param kind What the name stands for, in the singular: "platform".
 * @param known All names, in the order to list them.
 * @param heading Before the list; default the kind with a capital and an s.
 */
export function unknownName(
  kind: string,
  name: string,
  known: readonly string[],
  heading: string = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}s`,
): UsageError {
  const near = suggestion(name, known);
  return new UsageError(`unknown ${kind} "${name}"`, [
    ...near === undefined ? [] : [`Did you mean "${near}"?`],
    `${heading}: ${known.join(", ")}`,
  ]);
}
