/**
 * The 16-bit entry: boot sector and setup code go to low memory with the
 * loader's fields in their header, and the setup code makes its own zero page
 * from the BIOS's answers.
 *
 * @module
 */

import { HEADER_LIMIT } from "../../formats/boot_params.ts";
import { LOADED_HIGH } from "../../formats/setup_header.ts";
import { BootError } from "../errors.ts";
import type { Placement } from "../memory_plan.ts";
import type { Entry } from "../platforms/platform.ts";
import type { ZeroPage } from "../zero_page.ts";
import type { Bootable } from "./bootable.ts";
import type { Piece } from "./plan.ts";
import { type EntryState, state16 } from "./state.ts";

const CAN_USE_HEAP = 0x80;
const loadflags = 0x211;
const code32_start = 0x214;
const heap_end_ptr = 0x224;
/** Heap and stack end here, from the boot sector on: below it, with the command line behind. */
const HEAP_END = 0xe000;
const OLD_HEAP_END = 0x9800;
/** Where the setup code of a zImage looks for the protected-mode code. */
const LOW_LOAD = 0x1_0000;

/** What a plan of this entry has of its own. */
export interface RealMode {
  /** What lies in memory. */
  readonly pieces: readonly Piece[];
  /** Who owns which part of it. */
  readonly placements: readonly Placement[];
  /** The processor. */
  readonly state: EntryState;
}

/**
 * Turns what a loader has laid out for a protected-mode entry into what the
 * setup code wants.
 *
 * @throws {BootError} If the image has no setup code that can be entered.
 */
export function realMode(
  { inspection: { boot } }: Bootable,
  zeroPage: ZeroPage,
  entry: Entry,
  pieces: readonly Piece[],
  placements: readonly Placement[],
): RealMode {
  if (boot === undefined) throw new BootError("16-bit entry", "setup code", "none in the image");
  const { header, setupSize, kind, bytes } = boot;
  const base = Number(entry.address) - 0x200;
  const hasHeap = header.version >= 0x201;
  const ownLayout = zeroPage.loader === "zeropage";
  const isOld = base === 0x9_0000;
  const setup = bytes.slice(0, setupSize);
  // The header as the loader has filled it in, and no more of the page than that.
  const end = Math.min(header.end, HEADER_LIMIT);
  setup.set(zeroPage.page.subarray(0x1f1, end), 0x1f1);
  // Before 2.02 the command line is told in the boot sector itself.
  if (header.version < 0x202) setup.set(zeroPage.page.subarray(0x20, 0x24), 0x20);
  const view = new DataView(setup.buffer);
  let stack = isOld ? OLD_HEAP_END : HEAP_END;
  if (ownLayout && hasHeap) {
    view.setUint16(heap_end_ptr, stack - 0x200, true);
    view.setUint8(loadflags, view.getUint8(loadflags) | CAN_USE_HEAP);
  } else if (hasHeap) stack = view.getUint16(heap_end_ptr, true) + 0x200;

  const load = Number(zeroPage.kernel.load);
  const isLow = kind !== "bzImage" || ((header.fields.loadflags ?? 0) & LOADED_HIGH) === 0;
  const keep = placements
    .filter(({ what }) => what !== "zero page" && what !== "setup code")
    .map((placement) =>
      isLow && placement.what === "protected-mode code"
        ? { ...placement, address: BigInt(LOW_LOAD), why: "where a zImage's setup code expects it" }
        : placement
    );
  const others = pieces
    .filter(({ what }) => what !== "zero page")
    .map((piece) =>
      isLow && piece.what === "protected-mode code" ? { ...piece, address: LOW_LOAD } : piece
    );
  const told = zeroPage.placements.find(({ what }) => what === "setup code");
  const inside = Number(zeroPage.commandLine.address) - base;
  const size = told !== undefined
    ? Number(told.size)
    : inside > 0 && inside < 0x1_0000
    ? inside
    : 0x1_0000;
  // A loader that hooks code32_start has code there, which goes on to the kernel.
  const hook = header.version >= 0x200 ? view.getUint32(code32_start, true) : 0;
  if (hook > base && hook < base + size) {
    // mov eax, load; jmp eax
    const code = new Uint8Array([0xb8, 0, 0, 0, 0, 0xff, 0xe0]);
    new DataView(code.buffer).setUint32(1, load, true);
    others.push({ what: "hook", address: hook, bytes: code });
  }
  return {
    pieces: [{ what: "setup code", address: base, bytes: setup }, ...others],
    placements: [
      {
        what: "setup code",
        address: BigInt(base),
        size: BigInt(size),
        why: told?.why ?? "64 KiB of low memory with heap and stack",
      },
      ...keep,
    ].toSorted((a, b) => a.address < b.address ? -1 : 1),
    state: state16(base, stack),
  };
}
