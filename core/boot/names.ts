/**
 * Names for what a processor's numbers point to, where they point into the
 * kernel.
 *
 * @module
 */

import type { GuestMachine } from "./machine.ts";
import type { KernelSymbols } from "./symbols.ts";

const hex = (value: number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** The lowest address that 32-bit kernels are linked to, with the usual split of the address space. */
const KERNEL_32 = 0xc000_0000;

/** Questions between two tries to find out where a kernel has gone. */
const RETRY = 4096;

/** The names of a running kernel, which finds out where it has moved itself as it goes on. */
export class Names {
  readonly #machine: GuestMachine;
  readonly #symbols: KernelSymbols | undefined;
  #table = -1;
  #isFound = false;
  #asked = 0;

  /** Names by a kernel's symbols, if it has any. */
  constructor(machine: GuestMachine, symbols: KernelSymbols | undefined) {
    this.#machine = machine;
    this.#symbols = symbols;
  }

  /** Whether there are any. */
  get isEmpty(): boolean {
    return this.#symbols === undefined;
  }

  /** `start_kernel+0x1c`; undefined outside of the kernel. */
  nameOf(address: number): string | undefined {
    return this.#find(address)?.text;
  }

  /** The function that an address is in. */
  functionOf(address: number): string | undefined {
    const found = this.#find(address);
    return found?.isCode ? found.name : undefined;
  }

  /** Where the function begins that an address is in. */
  startOf(address: number): number | undefined {
    const found = this.#find(address);
    return found?.isCode ? address - found.offset : undefined;
  }

  /** The address of a symbol. */
  addressOf(name: string): number | undefined {
    this.#follow();
    return this.#symbols?.addressOf(name);
  }

  /** An address with its name, if it has one. */
  show(address: number): string {
    const name = this.nameOf(address);
    return name === undefined ? hex(address) : `${hex(address)} <${name}>`;
  }

  #find(address: number) {
    const symbols = this.#symbols;
    const { cpu } = this.#machine;
    const isKernel = cpu.isLong ? address < 0 : address >= KERNEL_32;
    if (symbols === undefined || !isKernel) return undefined;
    this.#follow();
    const found = symbols.nameOf(address);
    return found && { ...found, text: symbols.show(address) };
  }

  /** A kernel that has moved itself tells where by its interrupt table. */
  #follow(): void {
    const { cpu } = this.#machine;
    // That table is filled after it is loaded, so a failure is not the last word.
    if (cpu.idtr.base === this.#table && (this.#isFound || ++this.#asked % RETRY !== 0)) return;
    this.#table = cpu.idtr.base;
    this.#isFound = this.#symbols?.findSlide(cpu) ?? true;
  }
}
