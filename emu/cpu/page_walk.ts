/**
 * The walk through page tables: from a linear address to a page of physical
 * memory, or to the error code of a page fault.
 *
 * Four ways: paging off; two levels of 32-bit entries; three levels of 64-bit
 * entries (PAE), whose first four are registers; four levels of long mode.
 * Accessed and dirty bits are set once all rights have been found good.
 *
 * Source: Intel SDM vol. 3A, chapter 4 (paging): 4.3 (32-bit), 4.4 (PAE), 4.5
 * (4-level), 4.6 (rights), 4.7 (error code), 4.8 (accessed and dirty).
 *
 * @module
 */

import * as at from "./layout.ts";
import { cr0Bits, cr4Bits, eferBits, eflag, type Processor } from "./processor.ts";

/** An access: it writes. These are the bits of a page fault's error code. */
export const ACCESS_WRITE = 2;
/** It is a user's. */
export const ACCESS_USER = 4;
/** It fetches code. */
export const ACCESS_CODE = 16;
/** Ours: the processor makes it for itself, as to read a descriptor. */
export const ACCESS_IMPLICIT = 32;

const present = 1;
const writable = 2;
const user = 4;
const accessed = 0x20;
const dirty = 0x40;
const large = 0x80;
const global = 0x100;
/** Of the upper half. */
const executeDisable = 0x8000_0000 | 0;
const reservedError = 8;

const two32 = 0x1_0000_0000;
/** Physical address 0 in words of 32 bits. */
const ramWords = at.RAM >> 2;

/** How many bits a physical address has, as CPUID reports it. */
export function physicalBits(has: (feature: string) => boolean): number {
  return has("lm") ? 40 : has("pae") || has("pse36") ? 36 : 32;
}

/** The walk, and what it found. */
export class PageWalk {
  /** The four pointers of PAE paging, low and high halves, as CR3's last load read them. */
  readonly pointers = new Int32Array(8);
  /** Found: physical address of the page of 4 KiB, as address line 20 lets it through. */
  page = 0;
  /** Found: log2 of the size of the page that the tables have; 12 without paging. */
  shift = 12;
  /** Found: where the entry of a page of 2 or 4 MiB is, in words of the memory. */
  entry = 0;
  /** Found: it is global. */
  isGlobal = false;
  /** Found: the same access could also write, and the dirty bit is set. */
  isWritable = false;
  /** Found: rights hold until CR3, CR4 or the tables change; otherwise AC has a say. */
  isLasting = true;
  /** A paging structure in a page with decoded code was changed. */
  onCodeWrite: ((physical: number, bytes: number) => void) | undefined;

  readonly #cpu: Processor;
  /** Bits 32 to 51 that no physical address has. */
  readonly #beyond: number;
  readonly #hasGiant: boolean;
  readonly #hasPse36: boolean;
  #cr3 = 0n;
  #root = 0;
  #rootHigh = 0;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
    const bits = physicalBits(cpu.has);
    this.#beyond = 0xf_ffff & ~(2 ** Math.max(0, bits - 32) - 1);
    this.#hasGiant = cpu.has("pdpe1gb");
    this.#hasPse36 = cpu.has("pse36");
  }

  /**
   * Loads the pointers of PAE paging from the page that CR3 names.
   *
   * @returns False, and nothing has changed, if a present one has reserved bits.
   */
  loadPointers(cr3: number): boolean {
    const { words, ram } = this.#cpu;
    const table = this.#through((cr3 & ~31) >>> 0);
    const word = (n: number) => table < ram ? words[ramWords + (table >>> 2) + n] as number : -1;
    for (let n = 0; n < 8; n += 2) {
      const low = word(n);
      if ((low & present) !== 0 && ((low & 0x1e6) !== 0 || this.#isBeyondPae(word(n + 1)))) {
        return false;
      }
    }
    for (let n = 0; n < 8; n++) this.pointers[n] = word(n);
    return true;
  }

  /**
   * Walks.
   *
   * @param access The bits of the access.
   * @returns The error code of a page fault, or -1: then the fields say what was found.
   */
  walk(linear: number, access: number): number {
    const cpu = this.#cpu;
    this.isLasting = true;
    const given = cpu.host?.translate?.(linear);
    if (given !== undefined || (cpu.cr0 & cr0Bits.PG) === 0) {
      const address = given ?? linear >>> 0;
      this.page = this.#through(address - (address & 0xfff));
      this.shift = 12;
      this.isGlobal = false;
      this.isWritable = true;
      return -1;
    }
    if (this.#cr3 !== cpu.cr3) {
      this.#cr3 = cpu.cr3;
      this.#root = Number(BigInt.asIntN(32, cpu.cr3)) & ~0xfff;
      this.#rootHigh = Number(cpu.cr3 >> 32n & 0xf_ffffn);
    }
    return (cpu.cr4 & cr4Bits.PAE) === 0
      ? this.#walkNarrow(linear, access)
      : this.#walkWide(linear, access);
  }

  // Tour machine 030
  //
  // Where a linear address leads: one entry a level, rights gathered on the way, and
  // the accessed and dirty bits set when all is allowed.
  /** Two levels of 1024 entries of 32 bits. */
  #walkNarrow(linear: number, access: number): number {
    const { words, a20, ram, cr4 } = this.#cpu;
    const end = ramWords + (ram >>> 2);
    const gate = a20 ? ~0xfff : ~0x10_0fff;
    const bits = accessed | (access & ACCESS_WRITE) << 5;
    const word2 = ramWords + ((this.#root & gate) >>> 2) + (linear >>> 22);
    const entry2 = word2 < end ? words[word2] as number : -1;
    if ((entry2 & present) === 0) return this.#missing(access);
    if ((entry2 & large) !== 0 && (cr4 & cr4Bits.PSE) !== 0) {
      // Bits 13 to 20 are bits 32 to 39 of the address.
      const above = entry2 >>> 13 & 0xff;
      const isBad = (entry2 & 0x20_0000) !== 0 || (above & this.#beyond) !== 0 ||
        (above !== 0 && !this.#hasPse36);
      if (isBad) return this.#reserved(access);
      const code = this.#judge(access, entry2, entry2, 0);
      if (code >= 0) return code;
      this.#mark(word2, entry2, bits);
      this.entry = word2;
      return this.#found(above, (entry2 & 0xffc0_0000) | (linear & 0x3f_f000), 22, entry2);
    }
    const word1 = ramWords + ((entry2 & gate) >>> 2) + (linear >>> 12 & 0x3ff);
    const entry1 = word1 < end ? words[word1] as number : -1;
    if ((entry1 & present) === 0) return this.#missing(access);
    const code = this.#judge(access, entry2 & entry1, entry1, 0);
    if (code >= 0) return code;
    this.#mark(word2, entry2, accessed);
    this.#mark(word1, entry1, bits);
    return this.#found(0, entry1 & ~0xfff, 12, entry1);
  }

  /**
   * Three or four levels of 512 entries of 64 bits. This is what a miss of the
   * translation buffers costs, so it reckons in words of memory and whole numbers
   * of 32 bits; a table above 4 GiB is no RAM, and what is no RAM reads as all ones.
   */
  #walkWide(linear: number, access: number): number {
    const { words, efer, a20, ram } = this.#cpu;
    const end = ramWords + (ram >>> 2);
    // Address line 20, if it is held.
    const gate = a20 ? ~0xfff : ~0x10_0fff;
    const isLong = (efer & eferBits.LMA) !== 0;
    const bad = this.#beyond | ((efer & eferBits.NXE) === 0 ? executeDisable : 0) |
      // Long mode leaves bits 52 to 62 to the system.
      (isLong ? 0 : 0x7ff0_0000);
    let low = this.#root;
    let high = this.#rootHigh;
    let rights = writable | user;
    let disabled = 0;
    let word4 = 0;
    let entry4 = accessed;
    let word3 = 0;
    let entry3 = accessed;
    if (isLong) {
      const upper = Math.floor(linear / two32) | 0;
      word4 = ramWords + ((low & gate) >>> 2) + (upper >> 6 & 1022);
      if ((high & 0xf_ffff) !== 0 || word4 >= end) return this.#reserved(access);
      low = entry4 = words[word4] as number;
      if ((low & present) === 0) return this.#missing(access);
      high = words[word4 + 1] as number;
      if ((high & bad) !== 0 || (low & large) !== 0) return this.#reserved(access);
      disabled = high;
      word3 = ramWords + ((low & gate) >>> 2) + ((upper << 3 | linear >>> 29) & 1022);
      if ((high & 0xf_ffff) !== 0 || word3 >= end) return this.#reserved(access);
      low = entry3 = words[word3] as number;
      if ((low & present) === 0) return this.#missing(access);
      high = words[word3 + 1] as number;
      if ((high & bad) !== 0) return this.#reserved(access);
      rights = entry4 & low;
      disabled |= high;
      if ((low & large) !== 0) {
        if (!this.#hasGiant || (low & 0x3fff_e000) !== 0) return this.#reserved(access);
        const code = this.#judge(access, rights, low, disabled);
        if (code >= 0) return code;
        this.#mark(word4, entry4, accessed);
        this.#mark(word3, low, accessed | (access & ACCESS_WRITE) << 5);
        return this.#found(high, (low & 0xc000_0000) | (linear & 0x3fff_f000), 30, low);
      }
    } else {
      const which = linear >>> 30 << 1;
      low = this.pointers[which] as number;
      high = this.pointers[which + 1] as number;
      if ((low & present) === 0) return this.#missing(access);
    }
    const word2 = ramWords + ((low & gate) >>> 2) + (linear >>> 20 & 1022);
    if ((high & 0xf_ffff) !== 0 || word2 >= end) return this.#reserved(access);
    const entry2 = words[word2] as number;
    if ((entry2 & present) === 0) return this.#missing(access);
    high = words[word2 + 1] as number;
    if ((high & bad) !== 0) return this.#reserved(access);
    rights &= entry2;
    disabled |= high;
    const bits = accessed | (access & ACCESS_WRITE) << 5;
    if ((entry2 & large) !== 0) {
      if ((entry2 & 0x1f_e000) !== 0) return this.#reserved(access);
      const code = this.#judge(access, rights, entry2, disabled);
      if (code >= 0) return code;
      if ((entry4 & entry3 & accessed) === 0 || (entry2 & bits) !== bits) {
        this.#mark(word4, entry4, accessed);
        this.#mark(word3, entry3, accessed);
        this.#mark(word2, entry2, bits);
      }
      this.entry = word2;
      return this.#found(high, (entry2 & 0xffe0_0000) | (linear & 0x1f_f000), 21, entry2);
    }
    const word1 = ramWords + ((entry2 & gate) >>> 2) + (linear >>> 11 & 1022);
    if ((high & 0xf_ffff) !== 0 || word1 >= end) return this.#reserved(access);
    const entry1 = words[word1] as number;
    if ((entry1 & present) === 0) return this.#missing(access);
    high = words[word1 + 1] as number;
    if ((high & bad) !== 0) return this.#reserved(access);
    const code = this.#judge(access, rights & entry1, entry1, disabled | high);
    if (code >= 0) return code;
    if ((entry4 & entry3 & entry2 & accessed) === 0 || (entry1 & bits) !== bits) {
      this.#mark(word4, entry4, accessed);
      this.#mark(word3, entry3, accessed);
      this.#mark(word2, entry2, accessed);
      this.#mark(word1, entry1, bits);
    }
    return this.#found(high, entry1 & ~0xfff, 12, entry1);
  }

  #isBeyondPae(high: number): boolean {
    return (high & (this.#beyond | 0xfff0_0000)) !== 0;
  }

  /**
   * Whether the rights suffice.
   *
   * @param rights The lower halves of all entries, and-ed.
   * @param last The lower half of the last.
   * @param disabled The upper halves, or-ed.
   */
  #judge(access: number, rights: number, last: number, disabled: number): number {
    const { cr0, cr4 } = this.#cpu;
    let mayWrite = (rights & writable) !== 0;
    // Without EFER.NXE the bit was found reserved before.
    if ((access & ACCESS_CODE) !== 0 && disabled < 0) return this.#forbidden(access);
    if ((access & ACCESS_USER) !== 0) {
      if ((rights & user) === 0) return this.#forbidden(access);
    } else {
      if ((cr0 & cr0Bits.WP) === 0) mayWrite = true;
      if ((rights & user) !== 0 && (cr4 & (cr4Bits.SMEP | cr4Bits.SMAP)) !== 0) {
        if ((access & ACCESS_CODE) !== 0) {
          if ((cr4 & cr4Bits.SMEP) !== 0) return this.#forbidden(access);
        } else if ((cr4 & cr4Bits.SMAP) !== 0) {
          const others = this.#cpu.words[at.FLAGS_OTHER >> 2] as number;
          const allowed = (access & ACCESS_IMPLICIT) === 0 && (others & eflag.AC) !== 0;
          if (!allowed) return this.#forbidden(access);
          this.isLasting = false;
        }
      }
    }
    const writes = (access & ACCESS_WRITE) !== 0;
    if (writes && !mayWrite) return this.#forbidden(access);
    this.isWritable = mayWrite && (writes || (last & dirty) !== 0);
    return -1;
  }

  /** Takes down what was found: the page's address by halves. */
  #found(high: number, low: number, shift: number, last: number): number {
    const { a20, cr4 } = this.#cpu;
    this.page = (high & 0xf_ffff) * two32 + ((a20 ? low : low & ~0x10_0000) >>> 0);
    this.shift = shift;
    this.isGlobal = (last & global) !== 0 && (cr4 & cr4Bits.PGE) !== 0;
    return -1;
  }

  #missing(access: number): number {
    const code = access & (ACCESS_WRITE | ACCESS_USER);
    if ((access & ACCESS_CODE) === 0) return code;
    const { cr4, efer } = this.#cpu;
    const tells = (cr4 & cr4Bits.SMEP) !== 0 ||
      (cr4 & cr4Bits.PAE) !== 0 && (efer & eferBits.NXE) !== 0;
    return tells ? code | ACCESS_CODE : code;
  }

  #forbidden(access: number): number {
    return this.#missing(access) | present;
  }

  #reserved(access: number): number {
    return this.#missing(access) | present | reservedError;
  }

  /** Sets accessed and dirty bits that are not set in an entry, a word of memory. */
  #mark(word: number, entry: number, bits: number): void {
    if ((entry & bits) === bits) return;
    const { words, bytes, ram } = this.#cpu;
    const address = 4 * (word - ramWords);
    if (address >= ram) return;
    words[word] = entry | bits;
    if (bytes[at.CODE_PAGES + (address >>> 12)] !== 0) this.onCodeWrite?.(address, 4);
  }

  /** A physical address as address line 20 lets it through. */
  #through(address: number): number {
    return this.#cpu.a20 || (address & 0x10_0000) === 0 ? address : address - 0x10_0000;
  }
}
