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
    const table = this.#through((cr3 & ~31) >>> 0);
    for (let n = 0; n < 8; n += 2) {
      const low = this.#entry(table + 4 * n);
      const high = this.#entry(table + 4 * n + 4);
      if ((low & present) !== 0 && ((low & 0x1e6) !== 0 || this.#isBeyondPae(high))) return false;
    }
    for (let n = 0; n < 8; n++) this.pointers[n] = this.#entry(table + 4 * n);
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
      this.#root = Number(cpu.cr3 & 0xf_ffff_ffff_f000n);
    }
    return (cpu.cr4 & cr4Bits.PAE) === 0
      ? this.#walkNarrow(linear, access)
      : this.#walkWide(linear, access);
  }

  /** Two levels of 1024 entries of 32 bits. */
  #walkNarrow(linear: number, access: number): number {
    const cpu = this.#cpu;
    const address2 = this.#through((this.#root & ~0xfff) >>> 0) + (linear >>> 22) * 4;
    const entry2 = this.#entry(address2);
    if ((entry2 & present) === 0) return this.#missing(access);
    if ((entry2 & large) !== 0 && (cpu.cr4 & cr4Bits.PSE) !== 0) {
      // Bits 13 to 20 are bits 32 to 39 of the address.
      const above = entry2 >>> 13 & 0xff;
      if ((entry2 & 0x20_0000) !== 0 || (above !== 0 && !this.#hasPse36)) {
        return this.#reserved(access);
      }
      if ((above & this.#beyond) !== 0) return this.#reserved(access);
      const code = this.#judge(access, entry2, entry2, 0);
      if (code >= 0) return code;
      this.#mark(address2, entry2, accessed | (access & ACCESS_WRITE) << 5);
      return this.#found(
        above * two32 + (((entry2 & 0xffc0_0000) | (linear & 0x3f_f000)) >>> 0),
        22,
        entry2,
      );
    }
    const address1 = this.#through((entry2 & ~0xfff) >>> 0) + (linear >>> 12 & 0x3ff) * 4;
    const entry1 = this.#entry(address1);
    if ((entry1 & present) === 0) return this.#missing(access);
    const code = this.#judge(access, entry2 & entry1, entry1, 0);
    if (code >= 0) return code;
    this.#mark(address2, entry2, accessed);
    this.#mark(address1, entry1, accessed | (access & ACCESS_WRITE) << 5);
    return this.#found((entry1 & ~0xfff) >>> 0, 12, entry1);
  }

  /** Three or four levels of 512 entries of 64 bits. */
  #walkWide(linear: number, access: number): number {
    const cpu = this.#cpu;
    const isLong = (cpu.efer & eferBits.LMA) !== 0;
    const bad = this.#reservedHigh(isLong);
    let table = this.#root;
    let rights = writable | user;
    let disabled = 0;
    let address4 = 0;
    let entry4 = accessed;
    let address3 = 0;
    let entry3 = accessed;
    if (isLong) {
      const upper = Math.floor(linear / two32);
      address4 = this.#through(table) + (upper >> 7 & 511) * 8;
      entry4 = this.#entry(address4);
      if ((entry4 & present) === 0) return this.#missing(access);
      const high4 = this.#entry(address4 + 4);
      if ((high4 & bad) !== 0 || (entry4 & large) !== 0) return this.#reserved(access);
      table = (high4 & 0xf_ffff) * two32 + ((entry4 & ~0xfff) >>> 0);
      address3 = this.#through(table) + ((upper << 2 | linear >>> 30) & 511) * 8;
      entry3 = this.#entry(address3);
      if ((entry3 & present) === 0) return this.#missing(access);
      const high3 = this.#entry(address3 + 4);
      if ((high3 & bad) !== 0) return this.#reserved(access);
      rights = entry4 & entry3;
      disabled = high4 | high3;
      if ((entry3 & large) !== 0) {
        if (!this.#hasGiant || (entry3 & 0x3fff_e000) !== 0) return this.#reserved(access);
        const code = this.#judge(access, rights, entry3, disabled);
        if (code >= 0) return code;
        this.#mark(address4, entry4, accessed);
        this.#mark(address3, entry3, accessed | (access & ACCESS_WRITE) << 5);
        const low = (entry3 & 0xc000_0000) | (linear & 0x3fff_f000);
        return this.#found((high3 & 0xf_ffff) * two32 + (low >>> 0), 30, entry3);
      }
      table = (high3 & 0xf_ffff) * two32 + ((entry3 & ~0xfff) >>> 0);
    } else {
      const which = linear >>> 30 << 1;
      const low = this.pointers[which] ?? 0;
      if ((low & present) === 0) return this.#missing(access);
      table = ((this.pointers[which + 1] ?? 0) & 0xf_ffff) * two32 + ((low & ~0xfff) >>> 0);
    }
    const address2 = this.#through(table) + (linear >>> 21 & 511) * 8;
    const entry2 = this.#entry(address2);
    if ((entry2 & present) === 0) return this.#missing(access);
    const high2 = this.#entry(address2 + 4);
    if ((high2 & bad) !== 0) return this.#reserved(access);
    rights &= entry2;
    disabled |= high2;
    if ((entry2 & large) !== 0) {
      if ((entry2 & 0x1f_e000) !== 0) return this.#reserved(access);
      const code = this.#judge(access, rights, entry2, disabled);
      if (code >= 0) return code;
      this.#mark(address4, entry4, accessed);
      this.#mark(address3, entry3, accessed);
      this.#mark(address2, entry2, accessed | (access & ACCESS_WRITE) << 5);
      const low = (entry2 & 0xffe0_0000) | (linear & 0x1f_f000);
      return this.#found((high2 & 0xf_ffff) * two32 + (low >>> 0), 21, entry2);
    }
    table = (high2 & 0xf_ffff) * two32 + ((entry2 & ~0xfff) >>> 0);
    const address1 = this.#through(table) + (linear >>> 12 & 511) * 8;
    const entry1 = this.#entry(address1);
    if ((entry1 & present) === 0) return this.#missing(access);
    const high1 = this.#entry(address1 + 4);
    if ((high1 & bad) !== 0) return this.#reserved(access);
    const code = this.#judge(access, rights & entry1, entry1, disabled | high1);
    if (code >= 0) return code;
    this.#mark(address4, entry4, accessed);
    this.#mark(address3, entry3, accessed);
    this.#mark(address2, entry2, accessed);
    this.#mark(address1, entry1, accessed | (access & ACCESS_WRITE) << 5);
    return this.#found((high1 & 0xf_ffff) * two32 + ((entry1 & ~0xfff) >>> 0), 12, entry1);
  }

  /** Upper halves' reserved bits. */
  #reservedHigh(isLong: boolean): number {
    let bad = this.#beyond;
    if ((this.#cpu.efer & eferBits.NXE) === 0) bad |= executeDisable;
    // Long mode leaves bits 52 to 62 to the system.
    if (!isLong) bad |= 0x7ff0_0000;
    return bad;
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

  #found(page: number, shift: number, last: number): number {
    this.page = this.#through(page);
    this.shift = shift;
    this.isGlobal = (last & global) !== 0 && (this.#cpu.cr4 & cr4Bits.PGE) !== 0;
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

  /** A word of a paging structure; beyond memory all ones. */
  #entry(address: number): number {
    const cpu = this.#cpu;
    return address + 4 <= cpu.ram ? cpu.words[(at.RAM + address) >>> 2] as number : -1;
  }

  /** Sets accessed and dirty bits that are not set. */
  #mark(address: number, entry: number, bits: number): void {
    if ((entry & bits) === bits) return;
    const cpu = this.#cpu;
    if (address + 4 > cpu.ram) return;
    cpu.words[(at.RAM + address) >>> 2] = entry | bits;
    if (cpu.bytes[at.CODE_PAGES + Math.floor(address / 4096)] !== 0) this.onCodeWrite?.(address, 4);
  }

  /** A physical address as address line 20 lets it through. */
  #through(address: number): number {
    return this.#cpu.a20 || (address & 0x10_0000) === 0 ? address : address - 0x10_0000;
  }
}
