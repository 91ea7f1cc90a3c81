/**
 * What the opcode map says of privilege, checked before an instruction runs.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";
import { cr4Bits, type Processor, undefinedOpcode } from "../processor.ts";
import { notAllowed } from "./privilege.ts";
import { hasParagraphs } from "./segments.ts";

/** Instructions that CR4.UMIP keeps programs from. */
const umip: ReadonlySet<string> = new Set(["sgdt", "sidt", "sldt", "smsw", "str"]);

/**
 * Checks the marks `protected` and `ring` of a row, and CR4.UMIP.
 *
 * @returns Whether the instruction shall be carried out; false: the host has
 *   done it, and left RIP where execution goes on.
 * @throws {Fault} #UD or #GP(0).
 */
export function checkRow(cpu: Processor, i: Instruction, form: Form): boolean {
  const { row } = form;
  if (row.protected === true && hasParagraphs(cpu)) throw undefinedOpcode();
  if (cpu.cpl === 0) return true;
  const isKept = row.ring === 0 ||
    ((cpu.cr4 & cr4Bits.UMIP) !== 0 && umip.has(form.mnemonics[0]));
  if (!isKept) return true;
  notAllowed(cpu, i, form);
  return false;
}
