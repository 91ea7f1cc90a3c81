/**
 * The real-mode part of an image: boot sector and setup code, and where the
 * protected-mode part behind them starts and ends.
 *
 * Source: Documentation/arch/x86/boot.rst; arch/x86/boot/header.S for the
 * signature at the end of setup and the sentinel.
 *
 * @module
 */

import type { FoundHeader } from "./setup_header.ts";

/** Where the protected-mode part starts in the file, in bytes. */
export function protectedModeStart(header: FoundHeader): number {
  return ((header.fields.setup_sects || 4) + 1) * 512;
}

/**
 * Where the protected-mode part ends in the file, in bytes, as `syssize` has it.
 *
 * @returns `undefined` if that is not known: `syssize` 0, or a header before
 *   2.04 that has only the low 16 bits of a bzImage's size.
 */
export function protectedModeEnd(header: FoundHeader): number | undefined {
  const { fields, version } = header;
  if (fields.syssize === 0) return undefined;
  const isHigh = ((fields.loadflags ?? 0) & 1) !== 0;
  if ((version & 0x7fff) < 0x204 && isHigh) return undefined;
  return protectedModeStart(header) + fields.syssize * 16;
}
