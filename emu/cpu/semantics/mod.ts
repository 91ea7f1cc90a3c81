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
import { vectorConvertSemantics } from "./vector_convert.ts";
import { vectorFloatSemantics } from "./vector_float.ts";
import { vectorIntegerSemantics } from "./vector_integer.ts";
import { vectorMoveSemantics } from "./vector_moves.ts";
import { vectorShuffleSemantics } from "./vector_shuffle.ts";
import { vectorStringSemantics } from "./vector_strings.ts";

let described: Readonly<Record<string, Semantics>> | undefined;

/** All descriptions, put together when the first is asked for. */
const bySemanticName = (): Readonly<Record<string, Semantics>> =>
  described ??= {
    ...arithmeticSemantics,
    ...moveSemantics,
    ...controlSemantics,
    ...vectorMoveSemantics,
    ...vectorIntegerSemantics(),
    ...vectorShuffleSemantics(),
    ...vectorFloatSemantics(),
    ...vectorConvertSemantics,
    ...vectorStringSemantics,
  };

/** The names that have a description. */
export function describedNames(): string[] {
  return Object.keys(bySemanticName());
}

/** What a row does, if that is described. */
export function semanticsOf(form: Form): Semantics | undefined {
  const name = semanticName(form);
  const all = bySemanticName();
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

/** The name that rows which do the same share. */
export function semanticName({ row, mnemonics }: Form): string {
  return row.as ?? mnemonics[0];
}
