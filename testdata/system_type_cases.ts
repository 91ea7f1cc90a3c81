/**
 * Programs for the ROM of system_rom.ts: every type of descriptor, as DS and SS
 * are loaded from it and as LAR, LSL, VERR and VERW judge it, at levels 0 and 3.
 *
 * @module
 */

import type { RomCase } from "./system_rom.ts";
import { sel } from "./system_guest.ts";

/** For code of either width. */
export function typeCases(): readonly RomCase[] {
  const all: RomCase[] = [];
  const levels = [0, 3] as const;
  for (let type = 0; type < 0x20; type++) {
    for (const dpl of levels) {
      const prepare: RomCase["prepare"] = (guest) => {
        guest.gdt(sel.a, { type, dpl, limit: 0x1_2345 });
      };
      for (const level of levels) {
        const what = `type ${type.toString(16)}, DPL ${dpl}, at level ${level}`;
        all.push({
          name: `lar, lsl, verr and verw of ${what}`,
          prepare,
          code: (p) => {
            if (level === 3) p.user();
            p.emit("mov", "eax", sel.a).emit("mov", "ecx", 0x1111).emit("mov", "edx", 0x2222);
            p.emit("lar", "ecx", "ax").emit("sete", "bl").emit("lsl", "edx", "ax");
            p.emit("sete", "bh").emit("verr", "ax").emit("sete", "ah").emit("verw", "ax");
          },
        });
        if (type < 0x10) continue;
        for (const register of ["ds", "ss"]) {
          // A stack that expands down from a high limit is none: the processor would
          // shut down, but QEMU knows no limits.
          if (register === "ss" && (type & ~1) === 0x16 && level === 0) continue;
          for (const rpl of levels) {
            all.push({
              name: `${register} with RPL ${rpl} from ${what}`,
              prepare,
              code: (p) => void (level === 3 ? p.user() : p).load(register, sel.a & ~3 | rpl),
            });
          }
        }
      }
    }
  }
  return all;
}
