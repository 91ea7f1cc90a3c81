/**
 * lguest, number 1: Rusty Russell's small hypervisor, in Linux from 2.6.23 to
 * 4.13, 32-bit guests only. The number in the boot header was made for it.
 *
 * The loader sets number 1 and KEEP_SEGMENTS and enters at the 32-bit entry, at
 * privilege level 1; the kernel's dispatch finds lguest_entry in its table. A
 * kernel built without it has a weak symbol there, and lands on `ud2`.
 *
 * Source: Documentation/virtual/lguest; arch/x86/kernel/head_32.S, 2.6.24 to 4.13.
 *
 * @module
 */

import { XLF_KERNEL_64 } from "../../formats/setup_header.ts";
import { isAtLeast } from "../release.ts";
import { pcEntries } from "./pc.ts";
import type { Evidence, Platform, Verdict } from "./platform.ts";

/** The row. */
export const lguest: Platform = {
  title: "lguest guest at privilege level 1",
  subarch: 1,
  absent: "a plain PC, which is no host for lguest's guests",
  judge(evidence: Evidence): Verdict {
    const { header, elf, release } = evidence;
    const refuse = (reason: string): Verdict => ({ starts: false, reason, nearest: ["pc"] });
    const entries = pcEntries(evidence).filter(({ kind }) =>
      kind === "32-bit" || kind === "direct"
    );
    if (entries.length === 0) {
      return { starts: false, reason: "no 32-bit entry for a Linux kernel" };
    }
    if (evidence.opened && !evidence.isLinux) {
      return refuse("no Linux kernel inside that could dispatch on the number");
    }
    if (elf?.class === 64 || ((header?.fields.xloadflags ?? 0) & XLF_KERNEL_64) !== 0) {
      return refuse("a 64-bit kernel; lguest ran 32-bit guests only");
    }
    if (release && isAtLeast(release, "4.14")) {
      return refuse("lguest left the kernel in 4.14");
    }
    if (release && !isAtLeast(release, "2.6.23")) {
      return refuse("lguest came with 2.6.23");
    }
    const built = evidence.built("LGUEST_GUEST");
    if (built === false) {
      return refuse("built without LGUEST_GUEST: number 1 dispatches to ud2");
    }
    if (built === undefined) {
      return {
        starts: null,
        reason: evidence.opened
          ? "nothing in the kernel tells whether it was built with LGUEST_GUEST"
          : "the payload was not opened, and only the kernel inside shows LGUEST_GUEST",
      };
    }
    const remarks = release && !isAtLeast(release, "2.6.24")
      ? ["before 2.6.24 the number does not exist: the kernel probes by privilege level"]
      : ["needs KEEP_SEGMENTS in loadflags beside the number"];
    return {
      starts: true,
      entries: entries.map((entry) => ({
        ...entry,
        state: "paging on with virtual = physical, privilege level 1, esi → zero page",
      })),
      remarks,
    };
  },
};
