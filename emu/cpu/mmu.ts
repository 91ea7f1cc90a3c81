/**
 * The memory management unit: linear addresses through page tables to bytes of
 * the machine's memory, with translation buffers that generated code reads, too.
 *
 * ## Translation buffers
 *
 * Four direct-mapped tables of entries of 16 bytes, at {@link at.TLB}: reads and
 * writes of the supervisor, reads and writes of the user. The tag is the page's
 * linear address; an entry of a write table further promises that the dirty bit
 * is set and that no code was decoded from the page. So whatever hits may touch
 * RAM at once, and everything else comes here.
 *
 * Which entries are filled is kept in a list, so that a flush costs what was used.
 *
 * Source: Intel SDM vol. 3A, 4.10 (caching translation information).
 *
 * @module
 */

import * as at from "./layout.ts";
import { LinearWindow } from "./window.ts";
import { ACCESS_CODE, ACCESS_IMPLICIT, ACCESS_USER, ACCESS_WRITE, PageWalk } from "./page_walk.ts";
import { Fault, type Mmu, type Processor, type Rights, vectors } from "./processor.ts";

/** Which translations of code are no longer to be trusted: all, those not global, or one page's. */
export type CodeMappingChange = "all" | "nonglobal" | number;

const two32 = 0x1_0000_0000;
const userStore = ACCESS_USER | ACCESS_WRITE;
const entries = 4 * at.TLB_ENTRIES;
/** From here on clearing everything is faster than clearing what is filled. */
const manyEntries = 1024;

/** Pages of code that are remembered. */
const codeEntries = 256;
const tables = at.TLB >> 2;

/** Page tables, walked and remembered. */
export class PageTables implements Mmu {
  /** Is told that bytes were written from which code was decoded. */
  onCodeWrite: ((physical: number, bytes: number) => void) | undefined;
  /** Is told that linear addresses may lead elsewhere: all, those that are not global, or of one page. */
  onCodeMappingChange: ((kind: CodeMappingChange) => void) | undefined;

  /** Whether the page that {@link code} went through last is global. */
  isGlobal = false;

  /** A hole in RAM, from one page on up to another, in which devices answer: a VGA's window. */
  readonly hole = { first: 0, end: 0 };

  readonly #cpu: Processor;
  readonly #walk: PageWalk;
  readonly #window: LinearWindow;
  /** Pages of code: linear address, with bit 0 for the user's rights; physical; global. */
  readonly #codeTags = new Float64Array(codeEntries).fill(NaN);
  readonly #codePages = new Float64Array(codeEntries);
  readonly #codeIsGlobal = new Uint8Array(codeEntries);
  /** Some are not global. */
  #hasLocalCode = false;
  /** Filled entries, by their number within the four tables, each once. */
  readonly #filled = new Int32Array(entries);
  readonly #isListed = new Uint8Array(entries);
  #count = 0;
  /** Where pieces of pages of 2 and 4 MiB are remembered, and pieces of 1 GiB: hashed. */
  readonly #large = new Uint8Array(0x1000);
  readonly #giant = new Uint8Array(0x100);
  /** All tables empty; made when first needed. */
  #empty: Uint8Array | undefined;

  /** What `finishStore` does: pieces of SCRATCH to physical addresses. */
  #first = 0;
  #firstBytes = 0;
  #second = 0;
  #secondBytes = 0;

  /** Page tables of a processor; its translation buffers are emptied. */
  constructor(cpu: Processor) {
    this.#cpu = cpu;
    this.#walk = new PageWalk(cpu);
    this.#window = new LinearWindow(cpu);
    this.#walk.onCodeWrite = (physical, bytes) => this.onCodeWrite?.(physical, bytes);
    this.reset();
  }

  /** The four pointers of PAE paging, which no register shows but a snapshot needs. */
  get pointers(): Int32Array {
    return this.#walk.pointers;
  }

  /** Empties the translation buffers, whatever they hold, as after a snapshot was restored. */
  reset(): void {
    this.#window.drop();
    this.#clear();
    this.#codeTags.fill(NaN);
    this.onCodeMappingChange?.("all");
  }

  /** Reads 1, 2 or 4 bytes, unsigned. */
  load(linear: number, bytes: 1 | 2 | 4, rights: Rights = "current"): number {
    const host = this.#toRead(linear, bytes, rights);
    const { view } = this.#cpu;
    return bytes === 4
      ? view.getUint32(host, true)
      : bytes === 2
      ? view.getUint16(host, true)
      : view.getUint8(host);
  }

  /** Reads 8 bytes. */
  loadBig(linear: number, rights: Rights = "current"): bigint {
    return this.#cpu.view.getBigUint64(this.#toRead(linear, 8, rights), true);
  }

  /** Writes 1, 2 or 4 bytes. */
  store(linear: number, bytes: 1 | 2 | 4, value: number, rights: Rights = "current"): void {
    const host = this.#toWrite(linear, bytes, rights);
    const { view } = this.#cpu;
    if (bytes === 4) view.setUint32(host, value, true);
    else if (bytes === 2) view.setUint16(host, value, true);
    else view.setUint8(host, value);
    if (host === at.SCRATCH) this.finishStore();
  }

  /** Writes 8 bytes. */
  storeBig(linear: number, value: bigint, rights: Rights = "current"): void {
    const host = this.#toWrite(linear, 8, rights);
    this.#cpu.view.setBigUint64(host, value, true);
    if (host === at.SCRATCH) this.finishStore();
  }

  /** Faults if so many bytes, at most 4096, cannot be read. */
  requireLoad(linear: number, bytes: number, rights: Rights = "current"): void {
    this.#reach(linear, bytes, this.#access(rights));
  }

  /** Faults if so many bytes, at most 4096, cannot be written; else their pages are dirty. */
  requireStore(linear: number, bytes: number, rights: Rights = "current"): void {
    this.#reach(linear, bytes, this.#access(rights) | ACCESS_WRITE);
  }

  /** Physical address of a byte of code; sets A. */
  code(linear: number): number {
    const isUser = this.#cpu.cpl === 3;
    const offset = linear & 0xfff;
    const tag = linear - offset + (isUser ? 1 : 0);
    const n = linear >>> 12 & codeEntries - 1;
    if (this.#codeTags[n] === tag) {
      this.isGlobal = this.#codeIsGlobal[n] !== 0;
      return (this.#codePages[n] as number) + offset;
    }
    const walk = this.#walk;
    const error = walk.walk(linear, isUser ? ACCESS_CODE | ACCESS_USER : ACCESS_CODE);
    if (error >= 0) throw new Fault(vectors.PF, error, linear);
    this.isGlobal = walk.isGlobal;
    this.#codeTags[n] = tag;
    this.#codePages[n] = walk.page;
    this.#codeIsGlobal[n] = walk.isGlobal ? 1 : 0;
    this.#hasLocalCode ||= !walk.isGlobal;
    return walk.page + offset;
  }

  /** Drops translations: all, or those that are not global. */
  flush(global: boolean): void {
    this.#forgetCode(global);
    if (global) {
      this.#window.drop();
      if (this.#count > manyEntries) this.#clear();
      else {
        for (let n = 0; n < this.#count; n++) this.#drop(this.#filled[n] as number);
        this.#count = 0;
        this.#large.fill(0);
        this.#giant.fill(0);
      }
    } else {
      const { words } = this.#cpu;
      let kept = 0;
      for (let n = 0; n < this.#count; n++) {
        const entry = this.#filled[n] as number;
        if (((words[tables + 4 * entry + 3] as number) & 1) !== 0) {
          this.#filled[kept++] = entry;
        } else this.#drop(entry);
      }
      this.#count = kept;
    }
    this.onCodeMappingChange?.(global ? "all" : "nonglobal");
  }

  /** Drops the translation of one page, as large as it is. */
  invalidate(linear: number): void {
    this.#window.dropAt(linear);
    const index = linear >>> 12 & at.TLB_ENTRIES - 1;
    const low = linear & ~0xfff;
    const high = Math.floor(linear / two32);
    for (let entry = index; entry < entries; entry += at.TLB_ENTRIES) {
      if (this.#isTagged(entry, low, high)) this.#forget(entry);
    }
    const n = linear >>> 12 & codeEntries - 1;
    this.#codeTags[n] = NaN;
    const isLarge = this.#large[largeHash(linear)] !== 0;
    const isGiant = this.#giant[giantHash(linear)] !== 0;
    if (isLarge || isGiant) {
      this.#invalidateLarge(linear);
      this.#codeTags.fill(NaN);
    }
    // A large page's other pieces may hold code as well.
    this.onCodeMappingChange?.(
      isLarge || isGiant ? "all" : linear - (linear & 0xfff),
    );
  }

  /** Reads physical memory, RAM or not. */
  physicalLoad(address: number, bytes: 1 | 2 | 4): number {
    const cpu = this.#cpu;
    const physical = this.#through(address);
    if (!this.#isRam(physical, bytes)) return cpu.devices.read(physical, bytes) >>> 0;
    const host = at.RAM + physical;
    return bytes === 4
      ? cpu.view.getUint32(host, true)
      : bytes === 2
      ? cpu.view.getUint16(host, true)
      : cpu.view.getUint8(host);
  }

  /** Writes physical memory, RAM or not; code decoded from it is told of. */
  physicalStore(address: number, bytes: 1 | 2 | 4, value: number): void {
    const cpu = this.#cpu;
    const physical = this.#through(address);
    if (!this.#isRam(physical, bytes)) {
      cpu.devices.write(physical, value, bytes);
      return;
    }
    const host = at.RAM + physical;
    if (bytes === 4) cpu.view.setUint32(host, value, true);
    else if (bytes === 2) cpu.view.setUint16(host, value, true);
    else cpu.view.setUint8(host, value);
    this.written(physical, bytes);
  }

  /** Loads the pointers of PAE paging; false, and nothing has changed, if they are bad. */
  loadPointers(cr3: bigint): boolean {
    return this.#walk.loadPointers(Number(cr3 & 0xffff_ffffn));
  }

  // Code and its pages

  /** Code was decoded from a page of physical memory: writes to it are to be told from now on. */
  protectCode(page: number): void {
    const { bytes, words } = this.#cpu;
    bytes[at.CODE_PAGES + page] = 1;
    const host = at.RAM + 4096 * page | 0;
    for (let n = 0; n < this.#count; n++) {
      const entry = this.#filled[n] as number;
      if ((entry & at.TLB_ENTRIES) === 0) continue;
      const word = tables + 4 * entry;
      const tag = words[word] as number;
      if (tag !== at.TLB_EMPTY && (tag + (words[word + 2] as number) | 0) === host) {
        this.#forget(entry);
      }
    }
  }

  /** No code of a page is left. */
  unprotectCode(page: number): void {
    this.#cpu.bytes[at.CODE_PAGES + page] = 0;
  }

  /** A device or TypeScript has written to RAM by itself. */
  written(address: number, length: number): void {
    if (this.onCodeWrite === undefined) return;
    const { bytes } = this.#cpu;
    const end = address + length;
    for (let from = address; from < end;) {
      const page = Math.floor(from / 4096);
      const to = Math.min(end, 4096 * (page + 1));
      if (bytes[at.CODE_PAGES + page] !== 0) this.onCodeWrite(from, to - from);
      from = to;
    }
  }

  // What generated code calls where its translation buffer has no answer

  /**
   * Where up to 16 bytes can be read, with the rights of the current privilege
   * level: in RAM, or SCRATCH, to which they have been copied.
   *
   * @returns A byte address in the machine's memory.
   * @throws {Fault} #PF.
   */
  hostForLoad(linear: number, bytes: number): number {
    return this.#hostForLoad(linear, bytes, this.#cpu.cpl === 3 ? ACCESS_USER : 0);
  }

  /**
   * Where up to 16 bytes can be written: in RAM, or SCRATCH; then `finishStore`
   * must be called when they are there.
   *
   * @throws {Fault} #PF, on any of the bytes.
   */
  hostForStore(linear: number, bytes: number): number {
    return this.#hostForStore(linear, bytes, this.#cpu.cpl === 3 ? userStore : ACCESS_WRITE);
  }

  /** Like `hostForStore`, but what is there now can be read there, too. */
  hostForUpdate(linear: number, bytes: number): number {
    const host = this.hostForStore(linear, bytes);
    if (host === at.SCRATCH) {
      this.#fetch(this.#first, at.SCRATCH, this.#firstBytes);
      this.#fetch(this.#second, at.SCRATCH + this.#firstBytes, this.#secondBytes);
    }
    return host;
  }

  /** Physical addresses and sizes of what the last `hostForStore` that gave SCRATCH is for. */
  get pendingStores(): [physical: number, bytes: number][] {
    const first: [number, number] = [this.#first, this.#firstBytes];
    return this.#secondBytes > 0 ? [first, [this.#second, this.#secondBytes]] : [first];
  }

  /** Takes the bytes of the last `hostForStore` or `hostForUpdate` from SCRATCH to where they belong. */
  finishStore(): void {
    const bytes = this.#secondBytes;
    this.#put(at.SCRATCH, this.#first, this.#firstBytes);
    if (bytes > 0) this.#put(at.SCRATCH + this.#firstBytes, this.#second, bytes);
  }

  /** Where to read, by the buffers if they know. */
  #toRead(linear: number, bytes: number, rights: Rights): number {
    const { words } = this.#cpu;
    const access = this.#access(rights);
    const word = tables + 2 * at.TLB_ENTRIES * (access & ACCESS_USER) +
      (linear >>> 10 & 4 * (at.TLB_ENTRIES - 1));
    if (
      words[word] === (linear + bytes - 1 & ~0xfff) &&
      words[word + 1] === Math.floor(linear / two32)
    ) return (linear | 0) + (words[word + 2] as number) >>> 0;
    return this.#hostForLoad(linear, bytes, access);
  }

  /** Where to write, by the buffers if they know. */
  #toWrite(linear: number, bytes: number, rights: Rights): number {
    const { words } = this.#cpu;
    const access = this.#access(rights);
    const word = tables + 4 * at.TLB_ENTRIES + 2 * at.TLB_ENTRIES * (access & ACCESS_USER) +
      (linear >>> 10 & 4 * (at.TLB_ENTRIES - 1));
    if (
      words[word] === (linear + bytes - 1 & ~0xfff) &&
      words[word + 1] === Math.floor(linear / two32)
    ) return (linear | 0) + (words[word + 2] as number) >>> 0;
    return this.#hostForStore(linear, bytes, access | ACCESS_WRITE);
  }

  #hostForLoad(linear: number, bytes: number, access: number): number {
    const inPage = 4096 - (linear & 0xfff);
    if (bytes <= inPage) {
      const physical = this.#find(linear, access);
      if (this.#isRam(physical, bytes)) return at.RAM + physical;
      this.#fetch(physical, at.SCRATCH, bytes);
      return at.SCRATCH;
    }
    const first = this.#translate(linear, access);
    const second = this.#translate(this.#next(linear + inPage), access);
    this.#fetch(first, at.SCRATCH, inPage);
    this.#fetch(second, at.SCRATCH + inPage, bytes - inPage);
    return at.SCRATCH;
  }

  #hostForStore(linear: number, bytes: number, access: number): number {
    const cpu = this.#cpu;
    const inPage = 4096 - (linear & 0xfff);
    if (bytes <= inPage) {
      const physical = this.#find(linear, access);
      if (this.#isRam(physical, bytes) && cpu.bytes[at.CODE_PAGES + (physical >>> 12)] === 0) {
        return at.RAM + physical;
      }
      this.#first = physical;
      this.#firstBytes = bytes;
      this.#secondBytes = 0;
    } else {
      this.#first = this.#translate(linear, access);
      this.#second = this.#translate(this.#next(linear + inPage), access);
      this.#firstBytes = inPage;
      this.#secondBytes = bytes - inPage;
    }
    return at.SCRATCH;
  }

  #reach(linear: number, bytes: number, access: number): void {
    this.#translate(linear, access);
    const inPage = 4096 - (linear & 0xfff);
    if (bytes > inPage) this.#translate(this.#next(linear + inPage), access);
  }

  /** Physical memory to our memory. */
  #fetch(physical: number, to: number, count: number): void {
    const { bytes, view, devices } = this.#cpu;
    if (this.#isRam(physical, count)) {
      for (let n = 0; n < count; n++) bytes[to + n] = bytes[at.RAM + physical + n] as number;
      return;
    }
    for (let n = 0; n < count;) {
      const width = count - n >= 4 ? 4 : count - n >= 2 ? 2 : 1;
      const value = devices.read(physical + n, width);
      if (width === 4) view.setUint32(to + n, value, true);
      else if (width === 2) view.setUint16(to + n, value, true);
      else view.setUint8(to + n, value);
      n += width;
    }
  }

  /** Our memory to physical memory. */
  #put(from: number, physical: number, count: number): void {
    const { bytes, view, devices } = this.#cpu;
    if (this.#isRam(physical, count)) {
      // A loop is faster than a call for so few bytes; none of them is in another page.
      for (let n = 0; n < count; n++) bytes[at.RAM + physical + n] = bytes[from + n] as number;
      if (bytes[at.CODE_PAGES + (physical >>> 12)] !== 0) this.onCodeWrite?.(physical, count);
      return;
    }
    for (let n = 0; n < count;) {
      const width = count - n >= 4 ? 4 : count - n >= 2 ? 2 : 1;
      const value = width === 4
        ? view.getUint32(from + n, true)
        : width === 2
        ? view.getUint16(from + n, true)
        : view.getUint8(from + n);
      devices.write(physical + n, value, width);
      n += width;
    }
  }

  #access(rights: Rights): number {
    const isUser = this.#cpu.cpl === 3;
    if (rights === "supervisor") return isUser ? ACCESS_IMPLICIT : 0;
    return isUser ? ACCESS_USER : 0;
  }

  /** Linear to physical, by the buffers if they know. */
  #translate(linear: number, access: number): number {
    const { words } = this.#cpu;
    const word = tables + entryOf(linear, access) * 4;
    if (words[word] === (linear & ~0xfff) && words[word + 1] === Math.floor(linear / two32)) {
      return ((linear | 0) + (words[word + 2] as number) >>> 0) - at.RAM;
    }
    return this.#find(linear, access);
  }

  /** Linear to physical, by the tables; RAM is remembered. */
  #find(linear: number, access: number): number {
    const walk = this.#walk;
    const code = walk.walk(linear, access);
    if (code >= 0) throw new Fault(vectors.PF, code, linear);
    const { page } = walk;
    if (this.#isRam(page, 4096) && walk.isLasting) {
      this.#remember(linear, page, entryOf(linear, access));
      if ((access & ACCESS_USER) === 0) this.#widen(linear);
    }
    return page + (linear & 0xfff);
  }

  /** What the supervisor reaches by a large page, or without paging, may be the window. */
  #widen(linear: number): void {
    const { shift, isGlobal, entry } = this.#walk;
    if (shift === 12) this.#window.growFlat();
    else if (shift < 30 && isGlobal) this.#window.grow(linear, entry, shift);
  }

  #remember(linear: number, page: number, entry: number): void {
    const walk = this.#walk;
    if (walk.shift > 12) {
      if (walk.shift === 30) this.#giant[giantHash(linear)] = 1;
      else this.#large[largeHash(linear)] = 1;
    }
    const read = entry & ~at.TLB_ENTRIES;
    this.#fill(read, linear, page);
    if (walk.isWritable && this.#cpu.bytes[at.CODE_PAGES + (page >>> 12)] === 0) {
      this.#fill(read | at.TLB_ENTRIES, linear, page);
    }
  }

  #fill(entry: number, linear: number, page: number): void {
    const { words } = this.#cpu;
    const word = tables + 4 * entry;
    const low = linear & ~0xfff;
    words[word] = low;
    words[word + 1] = Math.floor(linear / two32);
    words[word + 2] = at.RAM + page - low;
    words[word + 3] = (this.#walk.isGlobal ? 1 : 0) | this.#walk.shift << 8;
    if (this.#isListed[entry] === 0) {
      this.#isListed[entry] = 1;
      this.#filled[this.#count++] = entry;
    }
  }

  /** Empties an entry; it stays in the list. */
  #forget(entry: number): void {
    const { words } = this.#cpu;
    const word = tables + 4 * entry;
    words[word] = at.TLB_EMPTY;
    words[word + 1] = 0;
    words[word + 3] = 0;
  }

  /** Empties an entry that is taken off the list. */
  #drop(entry: number): void {
    this.#forget(entry);
    this.#isListed[entry] = 0;
  }

  #clear(): void {
    if (this.#empty === undefined) {
      const tags = new BigInt64Array(2 * entries);
      for (let n = 0; n < tags.length; n += 2) tags[n] = BigInt(at.TLB_EMPTY);
      this.#empty = new Uint8Array(tags.buffer);
    }
    this.#cpu.bytes.set(this.#empty, at.TLB);
    this.#isListed.fill(0);
    this.#count = 0;
    this.#large.fill(0);
    this.#giant.fill(0);
  }

  #forgetCode(global: boolean): void {
    if (global) this.#codeTags.fill(NaN);
    else if (this.#hasLocalCode) {
      for (let n = 0; n < codeEntries; n++) {
        if (this.#codeIsGlobal[n] === 0) this.#codeTags[n] = NaN;
      }
    }
    this.#hasLocalCode = false;
  }

  #isTagged(entry: number, low: number, high: number): boolean {
    const { words } = this.#cpu;
    const word = tables + 4 * entry;
    return words[word] === low && words[word + 1] === high;
  }

  /** Drops what was remembered of the large page around an address. */
  #invalidateLarge(linear: number): void {
    const { words } = this.#cpu;
    const low = linear | 0;
    const high = Math.floor(linear / two32);
    for (let n = 0; n < this.#count; n++) {
      const entry = this.#filled[n] as number;
      const word = tables + 4 * entry;
      const shift = (words[word + 3] as number) >>> 8;
      if (shift <= 12 || words[word + 1] !== high) continue;
      if (((words[word] as number) ^ low) >>> shift === 0) this.#forget(entry);
    }
  }

  /** Whether all of these bytes, of one page, are RAM. */
  #isRam(physical: number, bytes: number): boolean {
    const { first, end } = this.hole;
    return physical + bytes <= this.#cpu.ram && (physical >= end || physical + bytes <= first);
  }

  /** The byte after a page, around the end of 4 GiB outside 64-bit mode. */
  #next(linear: number): number {
    return linear === two32 && this.#cpu.mode !== 64 ? 0 : linear;
  }

  /** A physical address as address line 20 lets it through. */
  #through(address: number): number {
    return this.#cpu.a20 || (address & 0x10_0000) === 0 ? address : address - 0x10_0000;
  }
}

/** Number of an entry within the four tables. */
function entryOf(linear: number, access: number): number {
  // Bit 2 of an access chooses the user's pair, bit 1 the second table of a pair.
  return (access & (ACCESS_USER | ACCESS_WRITE)) * (at.TLB_ENTRIES / 2) |
    linear >>> 12 & at.TLB_ENTRIES - 1;
}

/** By 4 MiB; what is close together stays apart. */
function largeHash(linear: number): number {
  return (linear >>> 22 ^ Math.floor(linear / two32) * 5) & 0xfff;
}

/** By 1 GiB. */
function giantHash(linear: number): number {
  return (linear >>> 30 ^ Math.floor(linear / two32) << 2) & 0xff;
}
