/**
 * What a loader has to hand over, and the figures of the boot protocol it goes by.
 *
 * @module
 */

import type { E820Entry } from "../../formats/boot_params.ts";
import type { FoundHeader } from "../../formats/setup_header.ts";

/** Highest address for an initrd below protocol 2.03, whose header does not say. */
export const INITRD_ADDR_MAX = 0x37ff_ffffn;
/** Longest command line below protocol 2.06, without the NUL. */
export const CMDLINE_SIZE = 255;
/** Where an uncompressed or big kernel is loaded unless it says otherwise. */
export const HIGH_LOAD = 0x10_0000n;

/** The kernel to hand over. */
export type Kernel =
  /** An image with a boot sector. */
  | { readonly kind: "image"; readonly bytes: Uint8Array; readonly header: FoundHeader }
  /** An unpacked kernel: its segments lie where they are linked to. */
  | {
    readonly kind: "elf";
    /** Physical address of its entry. */
    readonly entry: bigint;
    /** Physical address of its first byte. */
    readonly start: bigint;
    /** Physical address past its last byte, bss included. */
    readonly end: bigint;
    /** Whether it is a 64-bit kernel. */
    readonly is64: boolean;
  };

/** What there is to hand over. */
export interface Cargo {
  /** The kernel. */
  readonly kernel: Kernel;
  /** The memory map to tell it. */
  readonly map: readonly E820Entry[];
  /** The command line, without a NUL. */
  readonly commandLine: Uint8Array;
  /** The initrd; its address is the loader's affair unless it is given. */
  readonly initrd?: { readonly size: bigint; readonly address?: bigint };
  /** Platform type, for hardware_subarch. */
  readonly platform: number;
  /** Nodes of setup_data to hand over. */
  readonly setupData: readonly { readonly type: number; readonly data: Uint8Array }[];
}

/** A setup_data node in memory. */
export interface PlacedSetupData {
  /** Physical address. */
  readonly address: bigint;
  /** The node, header and data. */
  readonly bytes: Uint8Array;
}

/** State of the processor at an entry, in the words of the boot protocol; lguest has its own. */
export const states = {
  flat32: "protected mode, paging off, flat segments 0x10/0x18, esi → zero page",
  guest32: "paging on with virtual = physical, privilege level 1, esi → zero page",
  long64: "long mode, identity map, segments 0x10/0x18, rsi → zero page",
  real16: "real mode, ds = es = ss → boot sector",
} as const;
