/**
 * What rows of vectors have in common, read off their operands.
 *
 * @module
 */

import type { Form } from "./opcodes/form.ts";

/** Rows whose 128 bits of memory may lie anywhere: the unaligned moves and the comparisons of strings. */
const anywhere = new Set([
  ...["movups", "movupd", "movdqu", "lddqu"],
  ...["pcmpestrm", "pcmpestri", "pcmpistrm", "pcmpistri"],
]);

/** Rows that use SSE's state without naming an SSE register. */
const ofSse = new Set(["ldmxcsr", "stmxcsr"]);

const kindsOf = (form: Form) => form.operands.map(({ kind, text }) => text === "XMM0" ? "V" : kind);

/** Whether a row names an SSE register. */
export function namesXmm(form: Form): boolean {
  return kindsOf(form).some((kind) => kind === "V" || kind === "W" || kind === "U");
}

/** Whether a row names an MMX register; so does EMMS, all of them. */
export function namesMmx(form: Form): boolean {
  return form.mnemonics[0] === "emms" ||
    kindsOf(form).some((kind) => kind === "P" || kind === "Q" || kind === "N");
}

/**
 * Whether the memory that a row's operand names must be aligned to 16 bytes; if
 * it is not, the instruction ends with #GP(0).
 *
 * @param operand Its number.
 */
export function mustBeAligned(form: Form, operand: number): boolean {
  const one = form.operands[operand];
  if (one === undefined || one.kind !== "W" && one.kind !== "M") return false;
  const isVector = one.memory === "dq" || one.memory === "ps" || one.memory === "pd";
  return isVector && !anywhere.has(form.mnemonics[0]);
}

/**
 * What must be enabled for a row, beyond which each #UD, #NM or #MF is raised:
 *
 * - `mmx`: CR0.EM (#UD), CR0.TS (#NM), pending x87 exceptions (#MF);
 * - `sse`: CR0.EM or not CR4.OSFXSR (#UD), CR0.TS (#NM);
 * - `both`: all of these;
 * - nothing: the row uses no such state (CRC32, POPCNT, MOVNTI, fences, prefetches).
 */
export function vectorNeeds(form: Form): "mmx" | "sse" | "both" | undefined {
  const sse = namesXmm(form) || ofSse.has(form.mnemonics[0]);
  if (namesMmx(form)) return sse ? "both" : "mmx";
  return sse ? "sse" : undefined;
}

/**
 * Whether descriptions look at the immediate to decide what to do, beyond handing
 * it on as a value: code for one immediate is then not code for another.
 */
export function decidesByImmediate(form: Form): boolean {
  return form.immediates.length > 0 && (namesXmm(form) || namesMmx(form));
}
