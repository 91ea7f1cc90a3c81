/**
 * Multiboot 1 and 2: kernels other than Linux (GNU Mach, the Xen hypervisor,
 * memtest86+ 5) that a loader finds by a magic number near the file's start.
 *
 * Source: the Multiboot specifications 0.6.96 and 2.0.
 *
 * @module
 */

import type { Evidence, Platform, Verdict } from "./platform.ts";

function judge(version: 1 | 2, magic: string, evidence: Evidence): Verdict {
  const header = evidence.multiboot.find((found) => found.version === version);
  if (!header) {
    return { starts: false, reason: `no multiboot ${version} header` };
  }
  const address = header.entry ?? evidence.elf?.entry;
  if (address === undefined) {
    return {
      starts: false,
      reason: "its header names no addresses, and the file is no ELF that would",
    };
  }
  return {
    starts: true,
    entries: [{
      kind: "multiboot",
      address,
      state: `protected mode, paging off, flat segments, eax = ${magic}, ebx → boot information`,
    }],
    remarks: [],
  };
}

/** Multiboot 1. */
export const multiboot: Platform = {
  title: "Multiboot loader",
  aliases: ["multiboot1"],
  absent: "a loader of Linux kernels alone",
  judge: (evidence: Evidence): Verdict => judge(1, "0x2badb002", evidence),
};

/** Multiboot 2. */
export const multiboot2: Platform = {
  title: "Multiboot 2 loader",
  absent: "a loader of Linux kernels alone",
  judge: (evidence: Evidence): Verdict => judge(2, "0x36d76289", evidence),
};
