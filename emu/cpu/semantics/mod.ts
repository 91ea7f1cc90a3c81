/**
 * What instructions do: for each row of the opcode map its description.
 *
 * A row that none is given for is decoded and shown, but cannot be executed; the
 * coverage report counts it as such. This is the one place that knows.
 *
 * @module
 */

import type { Form } from "../opcodes/form.ts";
import { arithmeticSemantics } from "./arithmetic.ts";
import { controlSemantics } from "./control.ts";
import type { Semantics } from "./emitter.ts";
import { moveSemantics } from "./moves.ts";
import { vectorIntegerSemantics } from "./vector_integer.ts";
import { vectorMoveSemantics } from "./vector_moves.ts";
import { vectorShuffleSemantics } from "./vector_shuffle.ts";

const bySemanticName: Readonly<Record<string, Semantics>> = {
  ...arithmeticSemantics,
  ...moveSemantics,
  ...controlSemantics,
  ...vectorMoveSemantics,
  ...vectorIntegerSemantics(),
  ...vectorShuffleSemantics(),
};

/** The names that have a description. */
export function describedNames(): string[] {
  return Object.keys(bySemanticName);
}

/** What a row does, if that is described. */
export function semanticsOf(form: Form): Semantics | undefined {
  const name = semanticName(form);
  return Object.hasOwn(bySemanticName, name) ? bySemanticName[name] : undefined;
}

/** The name that rows which do the same share. */
export function semanticName({ row, mnemonics }: Form): string {
  return row.as ?? mnemonics[0];
}
