/**
 * Instructions that are carried out in TypeScript, by semantic name.
 *
 * @module
 */

import type { Form } from "../opcodes/form.ts";
import type { SystemSemantics } from "../processor.ts";
import { stateSemantics, x87Semantics } from "../x87/mod.ts";
import { controlSemantics } from "./control.ts";
import { cpuidSemantics } from "./cpuid.ts";
import { farSemantics } from "./far.ts";
import { ioSemantics } from "./io.ts";
import { msrSemantics } from "./msrs.ts";
import { protectionSemantics } from "./protection.ts";
import { returnSemantics } from "./returns.ts";
import { segmentSemantics } from "./segments.ts";
import { softwareSemantics } from "./software.ts";
import { syscallSemantics } from "./syscalls.ts";

const bySemanticName: Readonly<Record<string, SystemSemantics>> = {
  ...segmentSemantics,
  ...farSemantics,
  ...returnSemantics,
  ...softwareSemantics,
  ...syscallSemantics,
  ...protectionSemantics,
  ...controlSemantics,
  ...cpuidSemantics,
  ...msrSemantics,
  ...ioSemantics,
  ...x87Semantics,
  ...stateSemantics,
};

/** The names that are carried out so. */
export function systemNames(): string[] {
  return Object.keys(bySemanticName);
}

/** What carries out a row, if it is one of these. */
export function systemSemanticsOf({ row, mnemonics }: Form): SystemSemantics | undefined {
  const name = row.as ?? mnemonics[0];
  return Object.hasOwn(bySemanticName, name) ? bySemanticName[name] : undefined;
}
