/**
 * The zero page as a thing: what a loader would hand to this kernel, on a machine
 * of this size, with every byte's author.
 *
 * ```ts ignore
 * const zeroPage = buildZeroPage({
 *   image: { bytes, header: decodeSetupHeader(bytes) },
 *   memory: 512n << 20n,
 *   commandLine: "console=ttyS0",
 *   loader: "kexec",
 * });
 * ```
 *
 * @module
 */

import type { E820Entry } from "../formats/boot_params.ts";
import { type FoundHeader, type PlatformType, platformTypes } from "../formats/setup_header.ts";
import { BootError } from "./errors.ts";
import type { Cargo, Kernel, PlacedSetupData } from "./loaders/cargo.ts";
import { Handover } from "./loaders/handover.ts";
import { type LoaderName, loaderNames, loaders } from "./loaders/mod.ts";
import { pcMemoryMap, type Placement } from "./memory_plan.ts";
import type { ZeroPageField } from "./page_writer.ts";
import type { Entry } from "./platforms/platform.ts";

/** What to build a zero page for. */
export interface ZeroPageOptions {
  /** The kernel image; its header may lack "HdrS". */
  readonly image?: {
    /** The image from its boot sector on. */
    readonly bytes: Uint8Array;
    /** Its setup header. */
    readonly header: FoundHeader;
  };
  /** The kernel unpacked, for the loaders that take it; instead of `image`. */
  readonly vmlinux?: {
    /** Physical address of its entry. */
    readonly entry: bigint;
    /** Physical address of its first byte. */
    readonly start: bigint;
    /** Physical address past its last byte, bss included. */
    readonly end: bigint;
    /** Whether it is a 64-bit kernel; default so. */
    readonly is64?: boolean;
  };
  /** Bytes of RAM. */
  readonly memory: bigint | number;
  /** The memory map, if it is to be another than the loader's machine has. */
  readonly memoryMap?: readonly E820Entry[];
  /** The command line; default empty. Encoded as UTF-8. */
  readonly commandLine?: string;
  /** The initrd, by its size in bytes; its address is found unless it is given. */
  readonly initrd?: {
    /** Bytes. */
    readonly size: bigint | number;
    /** Physical address. */
    readonly address?: bigint | number;
  };
  /** Platform type, by name or any number of 32 bits; default 0, pc. */
  readonly platform?: PlatformType | number;
  /** Who loads; default "zeropage", the protocol to the letter. */
  readonly loader?: LoaderName;
  /** Nodes of setup_data to hand over. */
  readonly setupData?: readonly { readonly type: number; readonly data: Uint8Array }[];
  /**
   * Fields to set last, over what the loader wrote: `setup_header.vid_mode`,
   * `boot_params.screen_info.orig_x`, `boot_params.e820_table[0].type`. A text is a
   * number, a name the field has, or hexadecimal digits for an area of bytes.
   */
  readonly set?: Readonly<Record<string, bigint | number | string>>;
}

/** A zero page with all that goes with it. */
export interface ZeroPage {
  /** Who loads. */
  readonly loader: LoaderName;
  /** The page, 4096 bytes. */
  readonly page: Uint8Array;
  /** Physical address of the page. */
  readonly address: bigint;
  /** The command line: its physical address, and its bytes with the closing NUL. */
  readonly commandLine: { readonly address: bigint; readonly bytes: Uint8Array };
  /** Where the protected-mode code is loaded, and where the kernel then runs. */
  readonly kernel: { readonly load: bigint; readonly run: bigint };
  /** Who lies where in memory, by address. */
  readonly placements: readonly Placement[];
  /** Every leaf field of the page: who wrote it, and its value. */
  readonly fields: readonly ZeroPageField[];
  /** Where the kernel is entered, this loader's own way first. */
  readonly entries: readonly Entry[];
  /** setup_data nodes in the order of the list, with their bytes. */
  readonly setupData: readonly PlacedSetupData[];
  /** The memory map of the machine. */
  readonly memoryMap: readonly E820Entry[];
  /** What is worth knowing about this boot, a sentence each without full stop. */
  readonly notes: readonly string[];
}

function platformNumber(platform: PlatformType | number): number {
  const number = typeof platform === "number" ? platform : platformTypes.indexOf(platform);
  if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) {
    throw new BootError("platform type", "a number of 32 bits", String(platform));
  }
  return number;
}

function natural(what: string, value: bigint | number): bigint {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isWhole || value < 0 || BigInt(value) >> 64n !== 0n) {
    throw new BootError(what, "a whole number of 64 bits", String(value));
  }
  return BigInt(value);
}

function kernelOf({ image, vmlinux, loader = "zeropage" }: ZeroPageOptions): Kernel {
  if (image !== undefined) return { kind: "image", ...image };
  if (vmlinux === undefined) throw new BootError("kernel", "an image or a vmlinux", "neither");
  if (!loaders[loader].loadsElf) {
    throw new BootError("loader", "an image with a boot header", `a vmlinux for ${loader}`);
  }
  const { entry, start, end, is64 = true } = vmlinux;
  if (end <= start) throw new BootError("kernel", "an end behind its start", `${start} to ${end}`);
  return { kind: "elf", entry, start, end, is64 };
}

/**
 * Builds the zero page that a loader would hand to this kernel, and finds a
 * place for everything that goes with it.
 *
 * @throws {BootError} If it cannot be done: too little memory, no room, a command
 *   line that is too long, a field that does not exist, an image too old.
 */
export function buildZeroPage(options: ZeroPageOptions): ZeroPage {
  const { loader = "zeropage", initrd, setupData = [], set = {} } = options;
  if (!Object.hasOwn(loaders, loader)) {
    throw new BootError("loader", `one of ${loaderNames.join(", ")}`, JSON.stringify(loader));
  }
  const row = loaders[loader];
  const memory = natural("memory", options.memory);
  const memoryMap = options.memoryMap ?? row.map?.(memory) ?? pcMemoryMap(memory);
  const text = new TextEncoder().encode(options.commandLine ?? "");
  const cargo: Cargo = {
    kernel: kernelOf(options),
    map: memoryMap,
    commandLine: text,
    ...(initrd && {
      initrd: {
        size: natural("initrd size", initrd.size),
        ...(initrd.address !== undefined && {
          address: natural("initrd address", initrd.address),
        }),
      },
    }),
    platform: platformNumber(options.platform ?? 0),
    setupData,
  };
  // Tour handover 010
  //
  // The loader has one page to say everything in: memory map, command line, initrd,
  // screen. The kernel will read it long before it can print anything, so a wrong
  // byte here shows up as silence. The page is called the zero page because kernels
  // once kept it at the start of their own memory.
  const boot = new Handover(cargo);
  // Tour handover 020
  //
  // No two loaders fill it in alike. Each row of the table tells one loader's story,
  // its habits and old mistakes included, because a kernel that boots under one and
  // not under another is best understood by comparing what each said to it.
  row.load(boot);
  for (const [path, value] of Object.entries(set)) boot.page.set(path, value, "user");
  const bytes = new Uint8Array(text.length + 1);
  bytes.set(text);
  return {
    loader,
    page: boot.page.bytes,
    address: boot.pageAddress,
    commandLine: { address: boot.commandLineAddress, bytes },
    kernel: boot.kernelAddress,
    placements: boot.plan.placements,
    fields: boot.page.fields(),
    entries: boot.entries,
    setupData: boot.setupData,
    memoryMap,
    notes: boot.notes,
  };
}
