/**
 * What a row of the platform table is made of.
 *
 * Two axes must not be mixed. The number at 0x23c (`hardware_subarch`) tells the
 * kernel which machine to believe in; the entry says where the loader jumps and
 * in which state of the processor. Xen's PVH guests run with number 0 and come
 * in by an ELF note; lguest's, Intel MID's and CE4100's need the number.
 *
 * @module
 */

import type { FoundHeader } from "../../formats/setup_header.ts";
import type { Bootable } from "../boot/bootable.ts";
import type { BootPlan, PlanOptions } from "../boot/plan.ts";
import type { Release } from "../release.ts";

/** How a platform comes into the kernel. */
export type EntryKind = "16-bit" | "32-bit" | "64-bit" | "direct" | "pvh" | "pv" | "multiboot";

/** One place where a kernel can be entered. */
export interface Entry {
  /** The protocol of the entry. */
  readonly kind: EntryKind;
  /** Address jumped to; physical, for `pv` virtual, for `16-bit` as segment:offset in `state`. */
  readonly address: bigint;
  /** State of the processor at that moment, in the boot protocol's words. */
  readonly state: string;
}

/** The image starts on the platform. */
export interface Start {
  /** It does. */
  readonly starts: true;
  /** Where, the preferred entry first; never empty. */
  readonly entries: readonly Entry[];
  /** What it will be like: what the image does with this platform's number. */
  readonly remarks: readonly string[];
}

/** The image does not start on the platform, or that cannot be told. */
export interface Refusal {
  /** `false`, or `null` where what was read of the image does not tell. */
  readonly starts: false | null;
  /** Why, in one sentence without full stop. */
  readonly reason: string;
  /** Platforms that would do instead. */
  readonly nearest?: readonly string[];
}

/** A platform's answer about an image. */
export type Verdict = Start | Refusal;

/** A note of the ELF inside an image, as far as platforms care. */
export interface PlatformNote {
  /** "Xen", "Linux", "GNU". */
  readonly owner: string;
  /** The owner's number for it. */
  readonly type: number;
  /** Its value, if that is a number. */
  readonly value?: number | bigint;
}

/** The ELF file that is, or is inside, an image. */
export interface PlatformElf {
  /** Address width in bits. */
  readonly class: 32 | 64;
  /** Whether the machine is an x86. */
  readonly isX86: boolean;
  /** Physical address of the entry. */
  readonly entry: bigint;
}

/** What an image shows, for the rows to judge by. */
export interface Evidence {
  /** Its setup header, if it has one; an old boot sector has version 0. */
  readonly header?: FoundHeader;
  /** The kernel as ELF, if it was read. */
  readonly elf?: PlatformElf;
  /** Whether all that is inside was opened; false leaves questions open. */
  readonly opened: boolean;
  /** Whether the kernel is Linux: it has a banner or Linux's notes. */
  readonly isLinux: boolean;
  /** The ELF's notes. */
  readonly notes: readonly PlatformNote[];
  /** Keys and values of `__xen_guest`, what Xen's guests had before notes. */
  readonly xenGuest?: ReadonlyMap<string, string>;
  /** The kernel's release. */
  readonly release?: Release;
  /**
   * Whether the kernel was built with an option; undefined where neither a
   * built-in configuration nor symbols nor texts tell.
   */
  built(feature: Feature): boolean | undefined;
  /** Its multiboot headers, with the entry where a header names one. */
  readonly multiboot: readonly { readonly version: 1 | 2; readonly entry?: bigint }[];
}

/** Build-time features that decide about platforms. */
export type Feature = "LGUEST_GUEST" | "XEN" | "X86_INTEL_MID" | "X86_INTEL_CE" | "PARAVIRT";

/** One platform: a row of the dispatch table. */
export interface Platform {
  /** What it is, for people. */
  readonly title: string;
  /** Number for `hardware_subarch`; absent where none was ever assigned. */
  readonly subarch?: number;
  /** Other names it goes by. */
  readonly aliases?: readonly string[];
  /** Whether the image starts there, by which entries, or why not. */
  judge(evidence: Evidence): Verdict;
  /** Plans a boot on it; absent where there is no such machine here. */
  boot?(image: Bootable, options: PlanOptions): Promise<BootPlan>;
  /** What is here in place of its machine, where there is none; no full stop. */
  readonly absent?: string;
}
