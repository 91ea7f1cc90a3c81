/**
 * The plain PC, number 0: every Linux/x86 kernel.
 *
 * Entries by Documentation/arch/x86/boot.rst: real mode at the setup code,
 * 32-bit at the protected-mode code, 64-bit 0x200 behind it where xloadflags say
 * so, and the ELF's own entry once the payload is unpacked.
 *
 * @module
 */

import { type FoundHeader, LOADED_HIGH, XLF_KERNEL_64 } from "../../formats/setup_header.ts";
import type { Bootable } from "../boot/bootable.ts";
import type { BootPlan, PlanOptions } from "../boot/plan.ts";
import type { Entry, Evidence, Platform, Verdict } from "./platform.ts";

const flat32 = "protected mode, paging off, flat segments, esi → zero page";
const paged64 = "long mode, identity map, rsi → zero page";

/** Entries that the setup header of an image offers; empty without a header. */
export function headerEntries(header: FoundHeader): Entry[] {
  const { fields, version } = header;
  const entries: Entry[] = [];
  // A zImage's protected-mode code is moved to 0x1000; old kernels lie about it.
  const high = ((fields.loadflags ?? 0) & LOADED_HIGH) !== 0;
  const start = fields.code32_start ?? 0;
  if (version >= 0x202 && high && start !== 0) {
    entries.push({ kind: "32-bit", address: BigInt(start), state: flat32 });
    if ((fields.xloadflags ?? 0) & XLF_KERNEL_64) {
      entries.push({ kind: "64-bit", address: BigInt(start) + 0x200n, state: paged64 });
    }
  }
  const base = version >= 0x202 && high ? 0x10000n : 0x90000n;
  entries.push({
    kind: "16-bit",
    address: base + 0x200n,
    state: `real mode, cs:ip ${(base / 16n + 0x20n).toString(16)}:0000, ds → boot sector` +
      (version >= 0x202 && high ? ", movable" : ""),
  });
  return entries;
}

/** The ELF's own entry, if it is an x86 Linux kernel. */
export function elfEntry(evidence: Evidence): Entry | undefined {
  const { elf, isLinux } = evidence;
  if (!elf?.isX86 || !isLinux) return undefined;
  return {
    kind: "direct",
    address: elf.entry,
    state: `unpacked by the loader; ${elf.class === 64 ? paged64 : flat32}`,
  };
}

/** Entries that any number shares with the plain PC. */
export function pcEntries(evidence: Evidence): Entry[] {
  const direct = elfEntry(evidence);
  return [
    ...(evidence.header ? headerEntries(evidence.header) : []),
    ...(direct ? [direct] : []),
  ];
}

/** Why an image that has none of a PC's entries cannot start there. */
export function noEntry(evidence: Evidence): Verdict {
  const { elf, multiboot } = evidence;
  if (multiboot.length > 0) {
    return {
      starts: false,
      reason: "no Linux boot header; it starts by its multiboot header",
      nearest: multiboot.map(({ version }) => version === 2 ? "multiboot2" : "multiboot"),
    };
  }
  if (elf && !elf.isX86) return { starts: false, reason: "made for another processor" };
  return { starts: false, reason: "neither a Linux boot header nor a Linux kernel in ELF" };
}

/** The row. */
export const pc: Platform = {
  title: "Plain PC",
  subarch: 0,
  aliases: ["pc64", "pc16"],
  judge(evidence: Evidence): Verdict {
    const entries = pcEntries(evidence);
    if (entries.length === 0) return noEntry(evidence);
    return { starts: true, entries, remarks: [] };
  },
  async boot(image: Bootable, options: PlanOptions): Promise<BootPlan> {
    // Whoever only judges loads no loaders.
    const { bootPc } = await import("../boot/pc.ts");
    return bootPc(image, options);
  },
};
