/**
 * A boot on the plain PC, worked out: who goes where, and in which state the
 * kernel is entered.
 *
 * The zero page and the places of kernel, command line and initrd are the
 * loader's, as `bootinfo --zero-page` shows them. Added here is what firmware
 * leaves in memory (its data area, ACPI's tables) and what the processor needs
 * to be in the state of the entry (descriptor table, page tables).
 *
 * @module
 */

import { cpuModel, cpuModelNames, defaultCpuModel } from "../../emu/cpu/system/models.ts";
import { segmentBytes } from "../../formats/elf.ts";
import { hex } from "../../formats/errors.ts";
import { PT_LOAD } from "../../formats/elf_tables.ts";
import { BootError } from "../errors.ts";
import { loaders } from "../loaders/mod.ts";
import { DEVICE_HOLE, MemoryPlan, type Placement } from "../memory_plan.ts";
import { headerEntries } from "../platforms/pc.ts";
import type { Entry, EntryKind } from "../platforms/platform.ts";
import type { FoundHeader } from "../../formats/setup_header.ts";
import { buildZeroPage, type ZeroPage } from "../zero_page.ts";
import type { Bootable } from "./bootable.ts";
import {
  type BootPlan,
  DEFAULT_MEMORY,
  type EntryName,
  type Piece,
  type PlanOptions,
} from "./plan.ts";
import { realMode } from "./real_mode.ts";
import {
  encodeGdt,
  encodeIdentityMap,
  type EntryState,
  type EntryWishes,
  IDENTITY_MAP_SIZE,
  protocolSegments,
  state32,
  state64,
} from "./state.ts";

/** Where ACPI's tables lie: a kernel looks for their root from here to 1 MiB. */
export const ACPI_TABLES = 0xe_0000;
/** The BIOS data area, whose few words kernels still read. */
const BIOS_DATA = 0x400;
const LOW_MEMORY_END = 0x9_fc00;
/** Below it are interrupt vectors and the data of BIOSes. */
const FREE_LOW = 0x1000n;

const kinds: Readonly<Record<Exclude<EntryName, "auto">, EntryKind>> = {
  real: "16-bit",
  32: "32-bit",
  64: "64-bit",
  direct: "direct",
};

/** Plans a boot on a PC; the row of the platform table calls it. */
export function bootPc(image: Bootable, options: PlanOptions): BootPlan {
  const { memory = DEFAULT_MEMORY, loader = "zeropage", entry: wanted = "auto" } = options;
  checkMemory(memory);
  if (loader === "lguest") {
    throw new BootError("loader", "a host for lguest's guests", "a plain PC");
  }
  const { bits } = image;
  const cpu = options.cpu ?? defaultCpuModel;
  checkProcessor(cpu, bits);
  const isBare = image.inspection.boot === undefined;
  const direct = wanted === "direct" || (wanted === "auto" && isBare);
  if (isBare && !direct) {
    throw new BootError(
      `${kinds[wanted === "auto" ? "direct" : wanted]} entry`,
      "an image with a boot header",
      "a bare ELF",
    );
  }
  const zeroPage = pageOf(image, options, direct);
  const entry = direct ? directEntry(image, zeroPage) : entryOf(zeroPage, wanted, image);
  const common = {
    platform: "pc",
    loader,
    entry,
    memory,
    cpu,
    ...(bits !== undefined && { bits }),
    commandLine: options.commandLine ?? "",
    zeroPage,
    kernel: kernelPlace(zeroPage),
  };
  const pieces = piecesOf(image, zeroPage, options, direct);
  const placements: Placement[] = [...zeroPage.placements];
  const add = (piece: Piece, why: string) => {
    pieces.push(piece);
    const size = BigInt(piece.bytes.length);
    placements.push({ what: piece.what, address: BigInt(piece.address), size, why });
  };
  const tables = options.acpiTables?.(ACPI_TABLES);
  if (tables !== undefined) {
    add(
      { what: "ACPI tables", address: ACPI_TABLES, bytes: tables },
      "where kernels look for them",
    );
  }
  if (entry.kind === "16-bit") {
    const real = realMode(image, zeroPage, entry, pieces, placements);
    checkOverlaps(real.placements);
    return { ...common, ...real, needsBios: true, notes: zeroPage.notes };
  }
  add({ what: "BIOS data area", address: BIOS_DATA, bytes: biosData() }, "as firmware leaves it");
  const plan = new MemoryPlan(zeroPage.memoryMap);
  for (const { what, address, size, why } of zeroPage.placements) {
    plan.place({ what, at: address, size, why });
  }
  const low = (what: string, size: number, align: bigint): number =>
    Number(plan.place({ what, size: BigInt(size), align, why: "", from: FREE_LOW }));
  const wishes: EntryWishes = loaders[loader].processor ?? protocolSegments;
  const is64 = entry.kind === "64-bit" || (entry.kind === "direct" && bits === 64);
  const gdtBytes = encodeGdt(is64 ? 64 : 32, wishes);
  const page = Number(zeroPage.address);
  let state: EntryState;
  if (is64) {
    const map = low("page tables", IDENTITY_MAP_SIZE, 0x1000n);
    const gdt = low("descriptor table", gdtBytes.length, 16n);
    add({ what: "page tables", address: map, bytes: encodeIdentityMap(map) }, "free low memory");
    add({ what: "descriptor table", address: gdt, bytes: gdtBytes }, "free low memory");
    state = state64(Number(entry.address), page, gdt, map, wishes);
  } else {
    const gdt = low("descriptor table", gdtBytes.length, 16n);
    add({ what: "descriptor table", address: gdt, bytes: gdtBytes }, "free low memory");
    state = state32(Number(entry.address), page, gdt, wishes);
  }
  const sorted = placements.toSorted((a, b) => a.address < b.address ? -1 : 1);
  checkOverlaps(sorted);
  return {
    ...common,
    pieces,
    placements: sorted,
    state,
    needsBios: false,
    notes: zeroPage.notes,
  };
}

/** Holds that there is such a processor and that the kernel runs on it. */
function checkProcessor(name: string, bits: 32 | 64 | undefined): void {
  let features: ReadonlySet<string>;
  try {
    ({ features } = cpuModel(name));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const isKnown = cpuModelNames.some((model) => name.startsWith(`${model},`));
    const needed = isKnown
      ? "features that it can have, with + or -"
      : `one of ${cpuModelNames.join(", ")}`;
    throw new BootError("processor", needed, isKnown ? error.message : name, { cause: error });
  }
  if (bits === 64 && !features.has("lm")) {
    throw new BootError("processor", "one of 64 bits for a 64-bit kernel, as x86-64-v2", name);
  }
}

function checkMemory(memory: number): void {
  if (!Number.isSafeInteger(memory) || memory % 0x1_0000 !== 0) {
    throw new BootError("memory", "a multiple of 64 KiB", `${memory} bytes`);
  }
  if (memory > Number(DEVICE_HOLE)) {
    throw new BootError("memory", "3 GiB at most", `${memory} bytes`);
  }
}

/** The zero page: the very one that `bootinfo --zero-page` shows. */
function pageOf(image: Bootable, options: PlanOptions, direct: boolean): ZeroPage {
  const { boot, kernel } = image.inspection;
  const { memory = DEFAULT_MEMORY, commandLine, initrd, loader, set } = options;
  const load = kernel?.elf?.load;
  const entry = image.evidence.elf?.entry;
  const vmlinux = direct && load !== undefined && entry !== undefined
    ? { entry, start: load.paddr.start, end: load.paddr.end, is64: kernel?.elf?.class === 64 }
    : undefined;
  if (direct && vmlinux === undefined) {
    throw new BootError("direct entry", "a kernel in ELF inside the image", "none that came out");
  }
  return buildZeroPage({
    ...(vmlinux ? { vmlinux } : boot && { image: { bytes: boot.bytes, header: boot.header } }),
    memory,
    ...(commandLine !== undefined && { commandLine }),
    ...(initrd !== undefined && { initrd: { size: initrd.length } }),
    ...(loader !== undefined && { loader }),
    ...(set !== undefined && { set }),
  });
}

function directEntry({ evidence }: Bootable, { entries }: ZeroPage): Entry {
  const entry = entries.find(({ kind }) => kind === "direct");
  if (entry !== undefined && evidence.elf?.isX86) return entry;
  throw new BootError("direct entry", "an x86 kernel in ELF", "a kernel for another processor");
}

/** The entry that was asked for, or the loader's own. */
function entryOf(
  zeroPage: ZeroPage,
  wanted: EntryName,
  { evidence: { header }, bits }: Bootable,
): Entry {
  const entries = entriesOf(zeroPage, header);
  const [own] = entries;
  if (wanted === "auto" && own !== undefined) return own;
  const kind = wanted === "auto" ? undefined : kinds[wanted];
  const found = entries.find((entry) => entry.kind === kind);
  if (found !== undefined) return found;
  if (kind === "64-bit" && bits === 32) {
    throw new BootError("64-bit entry", "a 64-bit kernel", "a 32-bit one");
  }
  const names = entries.map((entry) => entry.kind).join(", ") || "none";
  throw new BootError(
    kind === undefined ? "entry" : `${kind} entry`,
    "an image and a loader that have it",
    `${names} by loader ${zeroPage.loader}`,
  );
}

/** Entries that both loader and image have, the preferred one first. */
function entriesOf(
  { entries, address, loader }: ZeroPage,
  header: FoundHeader | undefined,
): readonly Entry[] {
  // A loader may have no idea that an image has nothing but its real-mode entry.
  const has = header === undefined ? [] : headerEntries(header).map(({ kind }) => kind);
  const both = entries.filter(({ kind }) => has.includes(kind));
  const hasReal = both.some(({ kind }) => kind === "16-bit") || loader !== "zeropage";
  if (hasReal || !has.includes("16-bit")) return both;
  // The place of our zero page serves the setup code as well, which makes its own.
  const state = "real mode, ds = es = ss → boot sector";
  return [...both, { kind: "16-bit", address: address + 0x200n, state }];
}

/** Where the kernel is, for whoever tells what it is doing by where it executes. */
function kernelPlace({ kernel, placements }: ZeroPage): BootPlan["kernel"] {
  const run = Number(kernel.run);
  const ends = placements
    .filter(({ what, address, size }) =>
      what === "kernel" && address <= kernel.run && kernel.run < address + size
    )
    .map(({ address, size }) => Number(address + size));
  return { load: Number(kernel.load), run, end: Math.max(run, ...ends) };
}

/** What the loader puts into memory. */
function piecesOf(
  image: Bootable,
  zeroPage: ZeroPage,
  { initrd }: PlanOptions,
  direct: boolean,
): Piece[] {
  const { boot } = image.inspection;
  const pieces: Piece[] = [
    { what: "zero page", address: Number(zeroPage.address), bytes: zeroPage.page },
    {
      what: "command line",
      address: Number(zeroPage.commandLine.address),
      bytes: zeroPage.commandLine.bytes,
    },
    ...zeroPage.setupData.map(({ address, bytes }, i) => ({
      what: `setup_data ${i}`,
      address: Number(address),
      bytes,
    })),
  ];
  if (direct) pieces.push(...segmentsOf(image));
  else if (boot !== undefined) {
    pieces.push({
      what: "protected-mode code",
      address: Number(zeroPage.kernel.load),
      bytes: boot.bytes.subarray(boot.setupSize, boot.setupSize + boot.systemSize),
    });
  }
  const place = zeroPage.placements.find(({ what }) => what === "initrd");
  if (initrd !== undefined && place !== undefined) {
    pieces.push({ what: "initrd", address: Number(place.address), bytes: initrd });
  }
  return pieces;
}

/** The segments of the unpacked kernel, by physical address. */
function segmentsOf({ inspection: { kernel } }: Bootable): Piece[] {
  if (kernel?.elf === undefined) return [];
  const { elf, bytes } = kernel;
  const segments = elf.phdrs.filter(({ type, memsz }) => type === PT_LOAD && memsz > 0n);
  checkOverlaps(segments.map(({ paddr, memsz }, i) => ({
    what: `segment ${i} of the kernel`,
    address: paddr,
    size: memsz,
    why: "",
  })));
  return segments.map((segment, i) => {
    const part = segmentBytes(bytes, elf, segment);
    if (BigInt(part.length) !== segment.filesz) {
      throw new BootError(
        `segment ${i} of the kernel`,
        `${segment.filesz} bytes`,
        `${part.length}`,
      );
    }
    return { what: `kernel segment ${i}`, address: Number(segment.paddr), bytes: part };
  });
}

/** The words of the BIOS data area that kernels read: ports, sizes, screen. */
function biosData(): Uint8Array {
  const bytes = new Uint8Array(0x100);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x00, 0x3f8, true); // COM1
  view.setUint16(0x0e, LOW_MEMORY_END >> 4, true); // segment of the EBDA
  view.setUint16(0x13, LOW_MEMORY_END >> 10, true); // KiB of low memory
  bytes[0x49] = 3; // text mode
  view.setUint16(0x4a, 80, true);
  view.setUint16(0x63, 0x3d4, true); // CRT controller
  bytes[0x84] = 24; // rows less one
  view.setUint16(0x85, 16, true); // lines of a character
  return bytes;
}

/** Holds that nothing lies upon anything else. */
function checkOverlaps(placements: readonly Placement[]): void {
  const sorted = placements.toSorted((a, b) => a.address < b.address ? -1 : 1);
  for (const [i, { what, address, size }] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next !== undefined && next.address < address + size) {
      throw new BootError(
        next.what,
        `[${hex(next.address)}, ${hex(next.address + next.size)}) free`,
        `${what} at [${hex(address)}, ${hex(address + size)})`,
      );
    }
  }
}
