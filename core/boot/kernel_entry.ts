/**
 * The jump from the decompressor into the kernel: when it happens, and where the
 * kernel lies by then.
 *
 * The decompressor chooses where to put the kernel, and under KASLR at random.
 * It is recognised by its first instructions, which nothing relocates much, and
 * how far its addresses were moved is read off a place that was relocated.
 *
 * Source: Linux v6.1 arch/x86/boot/compressed/misc.c, `extract_kernel` and
 * `handle_relocations`; arch/x86/kernel/head_64.S.
 *
 * @module
 */

import { fileOffset } from "../../formats/elf.ts";
import type { Kernel } from "../kernel.ts";
import type { GuestMachine } from "./machine.ts";

/** A kernel about to execute its first instruction. */
export interface KernelEntry {
  /** Where that is, in physical memory. */
  readonly physical: number;
  /** Bytes by which the kernel lies away from where it was linked to, in physical memory. */
  readonly moved: number;
  /** The same of its virtual addresses. */
  readonly slide: number;
}

/** Bytes that are compared. */
const LENGTH = 64;
/** Of these so many are equal: a few may have been relocated. */
const EQUAL = 48;

/**
 * Tells when the kernel's first instruction is about to be executed. The guest
 * does not notice.
 *
 * @param kernel The unpacked kernel.
 * @returns Ends the watch; undefined if it cannot be told, since the kernel is no ELF.
 */
export function watchKernelEntry(
  machine: GuestMachine,
  kernel: Kernel,
  entered: (entry: KernelEntry) => void,
): (() => void) | undefined {
  const { elf } = kernel;
  if (elf === undefined) return undefined;
  const segment = elf.phdrs.find(({ type, paddr, filesz }) =>
    type === 1 && paddr <= elf.entry && elf.entry < paddr + filesz
  );
  if (segment === undefined) return undefined;
  const linked = Number(elf.entry);
  const at = elf.at + Number(segment.offset) + linked - Number(segment.paddr);
  const wanted = kernel.bytes.subarray(at, at + LENGTH);
  if (wanted.length < LENGTH) return undefined;
  const found = new Uint8Array(LENGTH);
  const before = machine.onLook;
  let isOver = false;
  const look = (linear: number) => {
    before?.(linear);
    if (isOver) return;
    // Kernels move by whole pages; paging is off, or maps memory to where it is.
    if ((linear - linked & 0xfff) !== 0 || linear < 0) return;
    machine.memory.read(linear, found);
    if (found.reduce((sum, byte, n) => sum + (byte === wanted[n] ? 1 : 0), 0) < EQUAL) return;
    unwatch();
    const moved = linear - linked;
    entered({ physical: linear, moved, slide: slideOf(machine, kernel, moved) });
  };
  const unwatch = () => {
    isOver = true;
    // Somebody else may look through this by now.
    if (machine.onLook === look) machine.onLook = before;
  };
  machine.onLook = look;
  return unwatch;
}

/** How far the addresses were moved that a kernel has inside. */
function slideOf({ memory }: GuestMachine, { elf, bytes, relocations }: Kernel, moved: number) {
  if (elf === undefined) return 0;
  for (const { kind, first } of relocations?.lists ?? []) {
    if (kind === "inverse 32-bit" || first === undefined) continue;
    const offset = fileOffset(elf, first);
    const segment = elf.phdrs.find(({ type, vaddr, filesz }) =>
      type === 1 && vaddr <= first && first < vaddr + filesz
    );
    if (offset === undefined || segment === undefined) continue;
    const now = new Uint8Array(4);
    memory.read(Number(segment.paddr + first - segment.vaddr) + moved, now);
    const word = (from: Uint8Array, at: number) =>
      new DataView(from.buffer, from.byteOffset + at, 4).getInt32(0, true);
    return word(now, 0) - word(bytes, offset) | 0;
  }
  return 0;
}
