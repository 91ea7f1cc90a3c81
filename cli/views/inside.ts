/**
 * What is inside the kernel: its configuration, symbols and types.
 *
 * @module
 */

import type { Inspection } from "../../core/inspection.ts";
import type { Kernel } from "../../core/kernel.ts";
import { hex } from "../../formats/errors.ts";
import type { Kallsyms } from "../../formats/kallsyms/mod.ts";
import { InputError } from "../ui/errors.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";

/** The kernel of a file, or an error that says why there is none. */
export function kernelIn({ path, kernel, complaints }: Inspection): Kernel {
  if (kernel) return kernel;
  const why = complaints.find(({ rule }) => rule === "payload");
  throw new InputError(path, why ? why.message : "has no kernel inside");
}

/** Prints the built-in configuration as it was compiled in. */
export async function printConfig(terminal: Terminal, inspection: Inspection): Promise<void> {
  const text = await kernelIn(inspection).configText();
  if (text === undefined) throw noConfig(inspection);
  terminal.out(text);
}

/** The error for a kernel without its configuration. */
export function noConfig({ path }: Inspection): InputError {
  return new InputError(path, "has no built-in configuration (CONFIG_IKCONFIG)", [
    "Distributions ship it as a file: /boot/config-RELEASE",
  ]);
}

/** A shell pattern as a regular expression; without `*` and `?` any part matches. */
export function patternOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return /[*?]/.test(pattern)
    ? new RegExp(`^${escaped.replace(/\*/g, ".*").replace(/\?/g, ".")}$`)
    : new RegExp(escaped);
}

/** Whether addresses have 32 bits; before 2.6.26 no ELF header says so, its symbols do. */
function isNarrow({ elf }: Kernel, table: Kallsyms): boolean {
  if (elf) return elf.class === 32;
  for (const { address } of table.symbols()) if (address >> 32n) return false;
  return true;
}

/** The symbol table as System.map has it, a line a symbol; those that match. */
export async function symbolLines(
  inspection: Inspection,
  wanted?: RegExp,
): Promise<Generator<string>> {
  const kernel = kernelIn(inspection);
  const table = await kernel.symbols();
  if (!table) {
    throw new InputError(
      inspection.path,
      await kernel.symbolsAbsent() ?? "has no symbol table",
    );
  }
  const digits = isNarrow(kernel, table) ? 8 : 16;
  return (function* () {
    for (const { address, type, name } of table.symbols()) {
      if (wanted && !wanted.test(name)) continue;
      yield `${hex(address, digits).slice(2)} ${type} ${name}\n`;
    }
  })();
}

/** Prints the symbol table as System.map has it. */
export async function printSymbols(
  terminal: Terminal,
  inspection: Inspection,
  pattern: string | true,
): Promise<void> {
  const wanted = pattern === true ? undefined : patternOf(pattern);
  let found = 0;
  for (const line of await symbolLines(inspection, wanted)) {
    found++;
    terminal.out(printable(line));
  }
  if (found === 0) {
    throw new InputError(inspection.path, `has no symbol that matches "${String(pattern)}"`);
  }
}

/** Prints a structure as this very kernel was built with it. */
export async function printBtf(
  terminal: Terminal,
  inspection: Inspection,
  name: string,
): Promise<void> {
  const btf = await kernelIn(inspection).btf();
  if (!btf) {
    throw new InputError(inspection.path, "has no BTF (CONFIG_DEBUG_INFO_BTF)");
  }
  const text = btf.printStruct(name.replace(/^(struct|union)\s+/, ""));
  if (text === undefined) throw new InputError(inspection.path, `has no struct ${name} in its BTF`);
  terminal.out(text.endsWith("\n") ? text : `${text}\n`);
}
