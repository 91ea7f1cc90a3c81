/**
 * The kernel's symbols as a boot needs them: names for addresses of the running
 * kernel, which may have moved itself.
 *
 * @module
 */

import type { Kallsyms } from "../../formats/kallsyms/mod.ts";
import type { Kernel } from "../kernel.ts";
import type { Bootable } from "./bootable.ts";
import { openBootable } from "./bootable.ts";

/** A name for an address. */
export interface NamedAddress {
  /** The symbol. */
  readonly name: string;
  /** Bytes from it to the address. */
  readonly offset: number;
  /** Whether it is code, by its type. */
  readonly isCode: boolean;
}

/** Handlers of exception 0 by their names from release to release, and the first one of early boot. */
const divideHandlers = [
  ...["asm_exc_divide_error", "asm_divide_error", "divide_error"],
  ...["early_idt_handler_array", "early_idt_handlers"],
] as const;

/** What of a processor tells where the kernel has moved itself to. */
export interface MovedKernel {
  /** The interrupt descriptor table. */
  readonly idtr: { readonly base: number; readonly limit: number };
  /** Whether it is in long mode. */
  readonly isLong: boolean;
  /** Page tables, to read the table through. */
  readonly mmu: { load(linear: number, bytes: 1 | 2 | 4, rights?: "supervisor"): number };
}

/**
 * Names of a running kernel's addresses. Addresses are numbers as the processor
 * has them: of 64-bit kernels signed, of 32-bit ones unsigned.
 */
export class KernelSymbols {
  readonly #table: Kallsyms;
  readonly #is64: boolean;
  #slide = 0n;

  /** Names by a kernel's own table. */
  constructor(table: Kallsyms, is64: boolean) {
    this.#table = table;
    this.#is64 = is64;
  }

  /** How many symbols there are. */
  get count(): number {
    return this.#table.count;
  }

  /** Bytes by which the kernel has moved itself from where it was linked to. */
  get slide(): number {
    return Number(this.#slide);
  }
  set slide(bytes: number) {
    this.#slide = BigInt(bytes);
  }

  /** The address of a name in the running kernel; undefined if there is none. */
  addressOf(name: string): number | undefined {
    const address = this.#table.lookup(name);
    if (address === undefined) return undefined;
    const moved = address + this.#slide;
    return this.#is64 ? Number(BigInt.asIntN(64, moved)) : Number(BigInt.asUintN(32, moved));
  }

  /** The symbol an address belongs to; undefined outside of the kernel. */
  nameOf(address: number): NamedAddress | undefined {
    const at = BigInt(address) - this.#slide;
    const found = this.#table.nearest(BigInt.asUintN(this.#is64 ? 64 : 32, at));
    if (found === undefined) return undefined;
    const { name, type } = found.symbol;
    return { name, offset: Number(found.offset), isCode: /^[tw?]$/i.test(type) };
  }

  /** `start_kernel+0x1c`, or the bare address where there is no name. */
  show(address: number): string {
    const named = this.nameOf(address);
    if (named === undefined) {
      return `0x${BigInt.asUintN(address < 0 ? 64 : 53, BigInt(address)).toString(16)}`;
    }
    return named.offset === 0 ? named.name : `${named.name}+0x${named.offset.toString(16)}`;
  }

  /**
   * Finds out how far the kernel has moved itself, by the handler that it has
   * put into its interrupt descriptor table for division errors.
   *
   * @returns False while that table is not the kernel's own.
   */
  findSlide(cpu: MovedKernel): boolean {
    const { base, limit } = cpu.idtr;
    if (limit < 15) return false;
    const handler = this.#handler(cpu, base);
    if (handler === undefined) return false;
    for (const name of divideHandlers) {
      const linked = this.#table.lookup(name);
      if (linked === undefined) continue;
      const slide = BigInt.asIntN(64, handler - linked);
      // Kernels move by whole pages, and less than 2 GiB.
      if ((slide & 0xfffn) !== 0n || slide >= 1n << 31n || slide <= -(1n << 31n)) continue;
      this.#slide = slide;
      return true;
    }
    return false;
  }

  #handler({ isLong, mmu }: MovedKernel, base: number): bigint | undefined {
    const read = (at: number) => BigInt(mmu.load(base + at, 4, "supervisor") >>> 0);
    try {
      const low = read(0) & 0xffffn | read(4) & 0xffff0000n;
      return isLong ? read(8) << 32n | low : low;
    } catch {
      // The page is not there, so it is no table.
      return undefined;
    }
  }
}

/**
 * An image's kernel, which is unpacked if it was not.
 *
 * @returns Undefined if nothing comes out.
 */
export async function kernelOf(image: Bootable): Promise<Kernel | undefined> {
  const { inspection } = image;
  const opened = inspection.opened
    ? inspection
    : (await openBootable(inspection.bytes, { path: inspection.path, unpack: true })).inspection;
  return opened.kernel;
}

/** A kernel's symbols; undefined if it has none. */
export async function symbolsOf(kernel: Kernel): Promise<KernelSymbols | undefined> {
  const table = await kernel.symbols();
  return table && new KernelSymbols(table, kernel.elf?.class !== 32);
}
