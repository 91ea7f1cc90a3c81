/**
 * The jump cache, as TypeScript fills and empties it: which block is at RIP, for
 * jumps to other pages and to addresses that are worked out.
 *
 * Its entries carry the generation of the code mappings that they were made
 * under, one for each half of the address space, so that a change of mappings
 * costs one addition.
 *
 * @module
 */

import * as at from "../layout.ts";
import type { CodeMappingChange } from "../mmu.ts";
import type { Processor } from "../processor.ts";

const two32 = 0x1_0000_0000;

/** Whether an address is in the upper half of the address space, of 4 GiB or of 64 bits. */
function isUpper(address: number): boolean {
  return address < 0 || (address >= two32 / 2 && address < two32);
}

/** The jump cache of one processor. */
export class JumpCache {
  readonly #cpu: Processor;
  /** Code of the upper half is not all global. */
  #isUpperLocal = false;
  /** Something has been noted since the last time that all was forgotten. */
  #isFilled = false;

  /** An empty one. */
  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }

  /**
   * Notes the block at RIP.
   *
   * @param isGlobal Whether its page is global.
   */
  note(rip: number, block: number, isGlobal: boolean): void {
    const { words } = this.#cpu;
    const upper = isUpper(rip);
    if (upper && !isGlobal) this.#isUpperLocal = true;
    this.#isFilled = true;
    const low = rip | 0;
    const entry = at.JUMPS + (((low ^ low >>> 12) & (at.JUMP_ENTRIES - 1)) << 4) >> 2;
    words[entry] = low;
    words[entry + 1] = Math.floor(rip / two32);
    words[entry + 2] = block;
    words[entry + 3] = (words[at.MODE_KEY >> 2] as number) |
      (words[(at.CODE_GENERATION + (upper ? 4 : 0)) >> 2] as number);
  }

  /** Forgets everything. */
  clear(): void {
    if (!this.#isFilled) return;
    this.#isFilled = false;
    this.#cpu.bytes.fill(0, at.JUMPS, at.JUMPS + 16 * at.JUMP_ENTRIES);
  }

  /** Linear addresses may lead elsewhere. */
  mappingChanged(kind: CodeMappingChange): void {
    if (typeof kind === "number") return this.#bump(isUpper(kind));
    this.#bump(false);
    if (kind === "all" || this.#isUpperLocal) this.#bump(true);
    this.#isUpperLocal = false;
  }

  /** Begins a generation; at the end of the numbers everything is forgotten for once. */
  #bump(upper: boolean): void {
    const { words } = this.#cpu;
    const word = (at.CODE_GENERATION + (upper ? 4 : 0)) >> 2;
    const next = (words[word] as number) + 256 | 0;
    words[word] = next;
    if (next === 0) this.clear();
  }
}
