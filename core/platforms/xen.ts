/**
 * Xen, number 2, though hardly a loader ever writes it: guests come in by ELF
 * notes. PVH (note 18, PHYS32_ENTRY) enters in 32-bit mode without paging and
 * leaves the number 0; classic PV (note 1, ENTRY) enters with paging on and the
 * kernel stores 2 by itself.
 *
 * Source: xen/include/public/elfnote.h and arch-x86/hvm/start_info.h; the notes
 * of Debian's kernels.
 *
 * @module
 */

import type { Entry, Evidence, Platform, PlatformNote, Verdict } from "./platform.ts";

const XEN_ELFNOTE_ENTRY = 1;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;

/** The value of one of Xen's notes; owners other than Xen reuse the numbers. */
function xenNote(notes: readonly PlatformNote[], type: number): bigint | undefined {
  const note = notes.find((n) => n.owner === "Xen" && n.type === type);
  return note?.value === undefined ? undefined : BigInt(note.value);
}

/**
 * The entry of a guest that describes itself in `__xen_guest`: VIRT_ENTRY, or
 * the ELF's own. Xen looks there when it finds no notes.
 */
function oldEntry({ xenGuest, elf }: Evidence): bigint | undefined {
  if (!xenGuest || !elf) return undefined;
  const told = xenGuest.get("VIRT_ENTRY");
  return told !== undefined && /^0x[0-9a-f]{1,16}$/i.test(told) ? BigInt(told) : elf.entry;
}

/** The row. */
export const xen: Platform = {
  title: "Xen guest, PVH or PV",
  subarch: 2,
  aliases: ["pvh"],
  absent: "a plain PC without a hypervisor",
  judge(evidence: Evidence): Verdict {
    const { notes, elf, opened } = evidence;
    const entries: Entry[] = [];
    const pvh = xenNote(notes, XEN_ELFNOTE_PHYS32_ENTRY);
    if (pvh !== undefined) {
      entries.push({
        kind: "pvh",
        address: pvh & 0xffff_ffffn,
        state: "protected mode, paging off, flat segments, ebx → hvm_start_info",
      });
    }
    const pv = xenNote(notes, XEN_ELFNOTE_ENTRY) ??
      (pvh === undefined ? oldEntry(evidence) : undefined);
    if (pv !== undefined) {
      entries.push({
        kind: "pv",
        address: pv,
        state: elf?.class === 64
          ? "long mode at privilege level 3, rsi → start_info"
          : "PAE paging at privilege level 1, esi → start_info",
      });
    }
    if (entries.length > 0) {
      return {
        starts: true,
        entries,
        remarks: pvh === undefined ? ["PV only"] : pv === undefined ? ["PVH only"] : [],
      };
    }
    if (!opened && !elf) {
      return {
        starts: null,
        reason: "the payload was not opened, and Xen's entries are notes of the kernel inside",
      };
    }
    return {
      starts: false,
      reason: "no Xen note names an entry (types 1 and 18), and there is no __xen_guest",
      ...(evidence.header ? { nearest: ["pc"] } : {}),
    };
  },
};
