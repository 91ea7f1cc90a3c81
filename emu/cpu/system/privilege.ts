/**
 * What only the most privileged level may do.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import type { Form } from "../opcodes/form.ts";
import { generalProtection, type Processor, type SystemSemantics } from "../processor.ts";

/**
 * Called where an instruction is not allowed: a host that stands between guest
 * and processor may carry it out instead; RIP is then as the host left it.
 *
 * @throws {Fault} #GP(0), if none does.
 */
export function notAllowed(cpu: Processor, i: Instruction, form: Form): void {
  if (cpu.host?.privileged?.(i, form) !== true) throw generalProtection();
  cpu.nextRip = cpu.rip;
}

/** An instruction for level 0 only. */
export function privileged(semantics: SystemSemantics): SystemSemantics {
  return (cpu, i, form) => {
    if (cpu.cpl === 0) semantics(cpu, i, form);
    else notAllowed(cpu, i, form);
  };
}
