/**
 * What a row of the loader table is made of.
 *
 * @module
 */

import type { E820Entry } from "../../formats/boot_params.ts";
import type { EntryWishes } from "../boot/state.ts";
import type { Handover } from "./handover.ts";

/** A boot loader: how it hands a kernel over. */
export interface Loader {
  /** Its name in full. */
  readonly title: string;
  /** Where its ways are known from, and how well. */
  readonly source: string;
  /** What it is known for, a sentence each; shown with the page it makes. */
  readonly quirks: readonly string[];
  /** Whether it can load a kernel that has no boot header. */
  readonly loadsElf: boolean;
  /** Segments and stack at its entry, where they are not the protocol's. */
  readonly processor?: EntryWishes;
  /** The memory map on its machine, where that is not a PC's. */
  map?(memory: bigint): E820Entry[];
  /** The story of its boot, from the kernel's file to the jump. */
  load(boot: Handover): void;
}
