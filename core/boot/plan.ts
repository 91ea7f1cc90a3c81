/**
 * The plan of a boot: which platform, which entry, what lies where in memory,
 * and what the processor's registers hold when the kernel gets it.
 *
 * A plan is made without a machine, so that whatever cannot be done is said
 * before there is one.
 *
 * @module
 */

import { BootError } from "../errors.ts";
import type { LoaderName } from "../loaders/mod.ts";
import { findPlatform, platforms } from "../platforms/mod.ts";
import type { Placement } from "../memory_plan.ts";
import type { Entry, Refusal } from "../platforms/platform.ts";
import type { ZeroPage } from "../zero_page.ts";
import type { Bootable } from "./bootable.ts";
import type { EntryState } from "./state.ts";

/** How `--entry` names the ways into a kernel. */
export const entryNames = ["auto", "real", "32", "64", "direct"] as const;
/** A way into a kernel; `auto` is the loader's own. */
export type EntryName = typeof entryNames[number];

/** What decides about a boot. */
export interface PlanOptions {
  /** Bytes of RAM; default 512 MiB. */
  readonly memory?: number;
  /** Platform by name, alias or number; default pc. */
  readonly platform?: string;
  /** Where the kernel is entered; default the loader's own way, for an ELF direct. */
  readonly entry?: EntryName;
  /** Processor model; default x86-64-v2, for 32-bit kernels too. */
  readonly cpu?: string;
  /** The kernel command line; default empty. */
  readonly commandLine?: string;
  /** The initial ramdisk. */
  readonly initrd?: Uint8Array;
  /** Which loader's ways the zero page follows; default "zeropage". */
  readonly loader?: LoaderName;
  /** Fields of the zero page to set last, over what the loader wrote. */
  readonly set?: Readonly<Record<string, bigint | number | string>>;
  /** The machine's ACPI tables for this physical address; undefined if it has none. */
  readonly acpiTables?: (base: number) => Uint8Array | undefined;
}

/** Bytes of RAM unless told otherwise: 512 MiB. */
export const DEFAULT_MEMORY: number = 512 * 2 ** 20;

/** Something in guest memory before the kernel runs. */
export interface Piece {
  /** What it is: "zero page", "initrd". */
  readonly what: string;
  /** Physical address of its first byte. */
  readonly address: number;
  /** What is written there. */
  readonly bytes: Uint8Array;
}

/** A boot, worked out. */
export interface BootPlan {
  /** Row of the platform table. */
  readonly platform: string;
  /** Who loads. */
  readonly loader: LoaderName;
  /** Where and how the kernel is entered. */
  readonly entry: Entry;
  /** Bytes of RAM. */
  readonly memory: number;
  /** Processor model. */
  readonly cpu: string;
  /** Width of the kernel in bits; undefined where nothing tells. */
  readonly bits?: 32 | 64;
  /** The kernel command line. */
  readonly commandLine: string;
  /** What is written into memory, in this order. */
  readonly pieces: readonly Piece[];
  /** Who owns which part of memory, by address; nothing overlaps. */
  readonly placements: readonly Placement[];
  /** The processor at the entry. */
  readonly state: EntryState;
  /** The zero page and what goes with it; at a real-mode entry the kernel makes its own. */
  readonly zeroPage: ZeroPage;
  /** Physical addresses: where the kernel is loaded, and what is its own where it runs. */
  readonly kernel: { readonly load: number; readonly run: number; readonly end: number };
  /** Whether a BIOS must answer its calls. */
  readonly needsBios: boolean;
  /** What is worth knowing about this boot, a sentence each without full stop. */
  readonly notes: readonly string[];
}

/** A platform that this image does not start on here; says why, and what would do. */
export class PlatformError extends BootError {
  /** Names the error in messages. */
  override name = "PlatformError";
  /** Platforms that would do instead. */
  readonly nearest: readonly string[];

  /**
   * Says why not.
   *
   * @param platform Its name.
   * @param reason Why the image does not start there; no full stop.
   */
  constructor(platform: string, reason: string, nearest: readonly string[] = []) {
    super(`platform ${platform}`, "an image that starts there", reason);
    this.message = `platform ${platform}: ${reason}`;
    this.nearest = nearest;
  }
}

const entryOfAlias: Readonly<Record<string, EntryName>> = { pc16: "real", pc64: "64" };

/** What a platform's row refuses with, as an error. */
function refused(name: string, { reason, nearest = [] }: Refusal): PlatformError {
  return new PlatformError(name, reason, nearest);
}

/**
 * Plans a boot.
 *
 * @throws {PlatformError} If the image does not start on the platform, or the
 *   platform has no machine here.
 * @throws {BootError} If it cannot be done: too little memory, no room, a command
 *   line that is too long, a field that does not exist, the wrong processor.
 */
export async function planBoot(image: Bootable, options: PlanOptions = {}): Promise<BootPlan> {
  const { platform = "pc" } = options;
  const choice = findPlatform(platform);
  if (choice === undefined) {
    throw new BootError("platform", `one of ${Object.keys(platforms).join(", ")}`, platform);
  }
  if (choice.kind === "unnumbered") {
    throw new PlatformError(choice.name, `${choice.title}: ${choice.answer}`, ["pc"]);
  }
  // A number without a row is legal: the kernel is told it and entered as on a PC.
  if (choice.kind === "number") {
    const pc = platforms.pc;
    const verdict = pc?.judge(image.evidence);
    if (verdict?.starts === false) throw refused(platform, verdict);
    if (pc?.boot === undefined) throw new PlatformError(platform, "there is no PC here");
    const set = { "setup_header.hardware_subarch": choice.number, ...options.set };
    return await pc.boot(image, { ...options, set });
  }
  const { name, platform: row } = choice;
  // pc16 and pc64 name the row and the entry in one.
  const implied = entryOfAlias[platform.toLowerCase()];
  const wishes = implied === undefined ? options : { entry: implied, ...options };
  const verdict = row.judge(image.evidence);
  if (verdict.starts === false) throw refused(name, verdict);
  if (row.boot === undefined) {
    const works = platforms.pc?.judge(image.evidence).starts === true ? ["pc"] : [];
    throw new PlatformError(name, `there is no machine of its kind here, but ${row.absent}`, works);
  }
  return await row.boot(image, wishes);
}
