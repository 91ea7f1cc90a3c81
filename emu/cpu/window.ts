/**
 * The linear window: the longest run of linear addresses that the supervisor's
 * page tables lead to memory with one distance, over pages of 2 or 4 MiB.
 *
 * Linux maps all of its memory so. Compiled code compares an address with the
 * window and adds the distance; only what lies outside asks the translation
 * buffers. The window is a translation that is remembered: it is dropped where
 * those are.
 *
 * @module
 */

import * as at from "./layout.ts";
import { cr0Bits, type Processor } from "./processor.ts";

const present = 1;
const user = 4;
const accessed = 0x20;
const large = 0x80;
const global = 0x100;
/** Present, of the supervisor, accessed, large and global. */
const mask = present | user | accessed | large | global;
const wanted = mask & ~user;
/** The longest access, less one: it must not run out of the window. */
const reach = 15;
/** What is below may be a device's. */
const firstMegabyte = 0x10_0000;

const two32 = 0x1_0000_0000;

/** The window of one processor. */
export class LinearWindow {
  readonly #cpu: Processor;
  /** Tables that were looked at since the window was dropped, by the words they begin at. */
  readonly #tried = new Set<number>();
  #length = 0;
  #base = 0;

  /** No window yet. */
  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }

  /** Drops it. */
  drop(): void {
    this.#tried.clear();
    this.#set(0, 0, 0);
  }

  /** Drops it if it leads to an address. */
  dropAt(linear: number): void {
    if (linear >= this.#base && linear < this.#base + this.#length) this.drop();
  }

  /** The supervisor has read memory without paging. */
  growFlat(): void {
    const { cr0, a20, ram, host } = this.#cpu;
    if (
      (cr0 & cr0Bits.PG) !== 0 || host?.translate !== undefined || !a20 || this.#length > 0 ||
      ram <= firstMegabyte
    ) return;
    this.#set(firstMegabyte, ram - firstMegabyte, 0);
  }

  /**
   * The supervisor has read through a large page.
   *
   * @param word Where its entry is, in words of 32 bits.
   * @param shift Log2 of the page's size: 21 or 22.
   */
  grow(linear: number, word: number, shift: number): void {
    const { words, ram, a20 } = this.#cpu;
    // Entries of 8 bytes, or of 4.
    const step = shift === 21 ? 2 : 1;
    const table = word & ~1023;
    if (!a20 || this.#tried.has(table)) return;
    this.#tried.add(table);
    const size = 2 ** shift;
    const frame = (entry: number) => (words[entry] as number) & -size;
    const fits = (entry: number, address: number) =>
      entry >= table && entry < table + 1024 &&
      ((words[entry] as number) & mask) === wanted &&
      // Pages above 4 GiB are no memory of ours, and bits 13 to 20 of an entry say so, too.
      (step === 1
        ? ((words[entry] as number) & 0x3f_e000) === 0
        : ((words[entry + 1] as number) & 0xf_ffff) === 0) &&
      frame(entry) >>> 0 === address && address >= 0 && address + size <= ram;
    const physical = frame(word) >>> 0;
    if (!fits(word, physical)) return;
    let [below, above] = [0, 0];
    while (fits(word - step * (below + 1), physical - size * (below + 1))) below++;
    while (fits(word + step * (above + 1), physical + size * (above + 1))) above++;
    const length = size * (below + above + 1);
    if (length <= this.#length) return;
    const start = Math.floor(linear / size) * size - size * below;
    // Page 0 is in it with its neighbours, some of which are a device's.
    const first = physical - size * below;
    const skip = Math.max(0, firstMegabyte - first);
    this.#set(start + skip, length - skip, first - start);
  }

  /** Notes it for generated code; `distance` from linear to physical addresses. */
  #set(base: number, length: number, distance: number): void {
    const { words } = this.#cpu;
    this.#base = base;
    this.#length = length;
    words[at.WINDOW_BASE >> 2] = base;
    words[(at.WINDOW_BASE + 4) >> 2] = Math.floor(base / two32);
    words[at.WINDOW_LENGTH >> 2] = Math.max(0, length - reach);
    words[(at.WINDOW_LENGTH + 4) >> 2] = 0;
    words[at.WINDOW_ADDEND >> 2] = at.RAM + distance;
  }
}
