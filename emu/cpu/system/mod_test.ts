import assert from "node:assert/strict";
import { parseRows } from "../opcodes/form.ts";
import { opcodeMap } from "../opcodes/mod.ts";
import { semanticName, semanticsOf } from "../semantics/mod.ts";
import { stateSemantics, x87Semantics } from "../x87/mod.ts";
import { controlSemantics } from "./control.ts";
import { cpuidSemantics } from "./cpuid.ts";
import { farSemantics } from "./far.ts";
import { ioSemantics } from "./io.ts";
import { systemNames, systemSemanticsOf } from "./mod.ts";
import { msrSemantics } from "./msrs.ts";
import { protectionSemantics } from "./protection.ts";
import { returnSemantics } from "./returns.ts";
import { segmentSemantics } from "./segments.ts";
import { softwareSemantics } from "./software.ts";
import { syscallSemantics } from "./syscalls.ts";

const forms = parseRows(opcodeMap());

Deno.test("every name that is carried out here belongs to a row of the opcode map", () => {
  const known = new Set(forms.map(semanticName));
  assert.deepEqual(systemNames().filter((name) => !known.has(name)), []);
});

Deno.test("no name is given twice", () => {
  const records = [
    ...[controlSemantics, cpuidSemantics, farSemantics, ioSemantics, msrSemantics],
    ...[protectionSemantics, returnSemantics, segmentSemantics, softwareSemantics],
    ...[syscallSemantics, x87Semantics, stateSemantics],
  ];
  const names = records.flatMap((record) => Object.keys(record));
  assert.deepEqual(names.filter((name, n) => names.indexOf(name) !== n), []);
  assert.deepEqual(new Set(names), new Set(systemNames()));
});

/** Features of extensions that none of our processors has, and that need more than #UD. */
const beyond = new Set<string | undefined>(["aes", "pclmulqdq", "sha_ni"]);

Deno.test("every row of the opcode map is described or carried out", () => {
  const missing = forms
    .filter(({ row }) => !beyond.has(row.needs))
    .filter((form) => semanticsOf(form) === undefined && systemSemanticsOf(form) === undefined)
    .map(semanticName);
  assert.deepEqual([...new Set(missing)], []);
});
