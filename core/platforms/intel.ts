/**
 * Intel's two numbered platforms: MID (3; Moorestown and its successors) and
 * CE4100 (4; set-top boxes). Both enter as a PC does; the number changes what
 * the kernel believes to be there.
 *
 * Kernels built without them tolerate the number. From 4.6 on their platform
 * quirks then take the keyboard controller for absent: Debian's 6.1 boots with
 * 3 or 4 and loses just its i8042 lines.
 *
 * Source: arch/x86/kernel/head_32.S of 2.6.24 to 4.12, platform-quirks.c since.
 *
 * @module
 */

import { XLF_KERNEL_64 } from "../../formats/setup_header.ts";
import { isAtLeast, type Release } from "../release.ts";
import { noEntry, pcEntries } from "./pc.ts";
import type { Evidence, Feature, Platform, Verdict } from "./platform.ts";

/** Whether the kernel is known to be a 64-bit one. */
function is64(evidence: Evidence): boolean {
  return evidence.elf?.class === 64 ||
    ((evidence.header?.fields.xloadflags ?? 0) & XLF_KERNEL_64) !== 0;
}

interface Board {
  readonly number: number;
  readonly feature: Feature;
}

/**
 * Why the 32-bit kernel's own dispatch dies on the number, if it does: a table
 * of three entries in 2.6.24, of four from 2.6.32 to 4.13, in kernels with
 * PARAVIRT; past its end is `ud2`.
 */
function dispatchDies(board: Board, release: Release): string | undefined {
  const entries = isAtLeast(release, "2.6.32") ? 4 : 3;
  if (!isAtLeast(release, "2.6.24") || isAtLeast(release, "5.9")) return undefined;
  const length = isAtLeast(release, "4.14") ? 3 : entries;
  if (board.number < length) return undefined;
  return `number ${board.number} is past the end of this release's ${length}-entry ` +
    "dispatch table and lands on ud2";
}

function judge(board: Board, evidence: Evidence): Verdict {
  const entries = pcEntries(evidence);
  if (entries.length === 0 || !(evidence.header || evidence.isLinux)) return noEntry(evidence);
  const { release, header } = evidence;
  if (header && header.version < 0x207 && !evidence.elf) {
    return {
      starts: false,
      reason: "boot protocol before 2.07 has no hardware_subarch",
      nearest: ["pc"],
    };
  }
  if (release && !is64(evidence)) {
    const dies = dispatchDies(board, release);
    const paravirt = evidence.built("PARAVIRT");
    if (dies && paravirt === true) return { starts: false, reason: dies, nearest: ["pc"] };
    if (dies && paravirt === undefined) {
      return { starts: null, reason: `if built with PARAVIRT, ${dies}` };
    }
  }
  const remarks: string[] = [];
  if (evidence.opened && !evidence.isLinux) {
    return { starts: true, entries, remarks: ["no Linux inside: the number means nothing to it"] };
  }
  const built = evidence.built(board.feature);
  if (built === true) remarks.push(`built with ${board.feature}`);
  if (built === false) {
    remarks.push(
      `built without ${board.feature}` +
        (release && isAtLeast(release, "4.6") ? ", looks for no keyboard controller" : ""),
    );
  }
  if (built === undefined && release && isAtLeast(release, "4.6")) {
    remarks.push("without looking for a keyboard controller");
  }
  return { starts: true, entries, remarks };
}

const mid: Board = { number: 3, feature: "X86_INTEL_MID" };
const ce: Board = { number: 4, feature: "X86_INTEL_CE" };

/** The row of number 3. */
export const intelMid: Platform = {
  title: "Intel MID (Moorestown, Medfield, Merrifield)",
  subarch: 3,
  aliases: ["mid", "mrst"],
  absent: "a PC, which can be told the number: --platform pc --set setup_header.hardware_subarch=3",
  judge: (evidence: Evidence): Verdict => judge(mid, evidence),
};

/** The row of number 4. */
export const ce4100: Platform = {
  title: "Intel CE4100",
  subarch: 4,
  absent: "a PC, which can be told the number: --platform pc --set setup_header.hardware_subarch=4",
  judge(evidence: Evidence): Verdict {
    if (is64(evidence)) {
      const verdict = judge(ce, evidence);
      return verdict.starts
        ? { ...verdict, remarks: ["CE4100 was 32-bit only", ...verdict.remarks] }
        : verdict;
    }
    return judge(ce, evidence);
  },
};
