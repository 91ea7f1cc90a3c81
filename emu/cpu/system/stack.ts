/**
 * Stacks, as transfers of control push to them and pop from them.
 *
 * What is pushed goes to a {@link Stack}, which may be the present one, or that
 * of a more privileged level as the task-state segment says. First room is made
 * sure of, then nothing can fail any more.
 *
 * Source: Intel SDM vol. 3A, 5.8.5 and 6.12.1 (stack switching), 6.14.4 (in
 * 64-bit mode); vol. 2, "CALL" and "INT n", Operation.
 *
 * @module
 */

import { REGISTERS } from "../layout.ts";
import {
  attribute,
  Fault,
  type Processor,
  type Rights,
  segmentNumbers,
  vectors,
} from "../processor.ts";
import {
  attributesOf,
  baseOf,
  blame,
  isCanonical,
  isNull,
  limitOf,
  markAccessed,
  requireStack,
  setNull,
  setSegment,
  tableAddress,
  tableAddress64,
  tableWord,
} from "./segments.ts";

const { SS, TR } = segmentNumbers;
/** The stack pointer's number. */
export const SP = 4;

/** Size of what is pushed, in bytes. */
export type PushSize = 2 | 4 | 8;

/** A stack that something is about to be pushed on. */
export class Stack {
  /** Offset of its top. */
  pointer: number;
  #size: PushSize = 2;

  /**
   * A stack.
   *
   * @param base Of its segment; in 64-bit mode nothing.
   * @param limit Of its segment.
   * @param attributes Of its segment.
   * @param pointer Offset of its top.
   * @param width Of the stack pointer.
   * @param rights With which it is written.
   * @param error Error code of #SS, if there is no room.
   */
  constructor(
    readonly cpu: Processor,
    readonly base: number,
    readonly limit: number,
    readonly attributes: number,
    pointer: number,
    readonly width: 16 | 32 | 64,
    readonly rights: Rights,
    readonly error: number,
  ) {
    this.pointer = pointer;
  }

  /**
   * Makes sure that some values of a size can be pushed.
   *
   * @throws {Fault} #SS, or a page fault.
   */
  reserve(count: number, size: PushSize): void {
    const { cpu, width } = this;
    this.#size = size;
    const bytes = count * size;
    const lowest = this.pointer - bytes;
    if (width === 64) {
      if (!isCanonical(lowest, bytes)) throw new Fault(vectors.SS, this.error);
      this.#requireStore(lowest, bytes);
    } else if (lowest >= 0 && this.base + this.pointer <= 0x1_0000_0000) {
      this.#within(lowest, bytes);
      this.#requireStore(this.base + lowest, bytes);
    } else {
      // The offset or the linear address wraps around on the way.
      for (let n = 1; n <= count; n++) {
        const offset = this.#wrap(this.pointer - n * size);
        this.#within(offset, size);
        cpu.mmu.requireStore(this.base + offset >>> 0, size, this.rights);
      }
    }
  }

  /** A page fault, of the first push that meets one, unless all can be written. */
  #requireStore(address: number, bytes: number): void {
    const { cpu: { mmu }, rights } = this;
    try {
      mmu.requireStore(address, bytes, rights);
    } catch (fault) {
      for (let above = bytes - this.#size; above > 0; above -= this.#size) {
        mmu.requireStore(address + above, this.#size, rights);
      }
      throw fault;
    }
  }

  /** Pushes a value; of 64 bits a signed number. */
  push(value: number): void {
    this.pushWords(value, this.#size === 8 ? Math.floor(value / 0x1_0000_0000) : 0);
  }

  /** Pushes a general register. */
  pushRegister(number: number): void {
    const at = (REGISTERS >> 2) + 2 * number;
    this.pushWords(this.cpu.words[at] as number, this.cpu.words[at + 1] as number);
  }

  /** Pushes a value by its halves. */
  pushWords(low: number, high: number): void {
    const { cpu: { mmu }, width, rights } = this;
    const size = this.#size;
    const offset = this.pointer = this.#wrap(this.pointer - size);
    const address = width === 64 ? offset : this.base + offset >>> 0;
    if (size === 2) mmu.store(address, 2, low & 0xffff, rights);
    else mmu.store(address, 4, low >>> 0, rights);
    if (size === 8) {
      mmu.store(width === 64 ? address + 4 : address + 4 >>> 0, 4, high >>> 0, rights);
    }
  }

  /** Moves the stack pointer to where the last push left it. */
  commit(): void {
    this.cpu.setAddress(SP, this.pointer, this.width);
  }

  #wrap(offset: number): number {
    return this.width === 64 ? offset : this.width === 32 ? offset >>> 0 : offset & 0xffff;
  }

  /** #SS unless so many bytes lie within the segment. */
  #within(offset: number, bytes: number): void {
    const { attributes, limit } = this;
    const last = offset + bytes - 1;
    const fits = (attributes & attribute.unusable) === 0 &&
      ((attributes & (attribute.code | attribute.expandDown)) === attribute.expandDown
        ? offset > limit && last <= ((attributes & attribute.big) !== 0 ? 0xffff_ffff : 0xffff)
        : last <= limit);
    if (!fits) throw new Fault(vectors.SS, this.error);
  }
}

/** The present stack; `external` is 1 if an event from outside pushes. */
export function presentStack(cpu: Processor, external = 0): Stack {
  const { base, limit, attributes } = cpu.segments[SS];
  const width = cpu.stackWidth;
  const pointer = cpu.address(SP, width);
  return new Stack(cpu, base, limit, attributes, pointer, width, "current", external);
}

/** A stack of long mode. */
export function longStack(cpu: Processor, pointer: number, rights: Rights, external = 0): Stack {
  return new Stack(cpu, 0, 0, 0, pointer, 64, rights, external);
}

/**
 * The stack pointer that long mode's TSS has.
 *
 * @param entry 0 to 2: that of a privilege level; 4 to 10: interrupt stacks 1 to 7.
 * @throws {Fault} #TS if the TSS is too short.
 */
export function longStackPointer(cpu: Processor, entry: number, external = 0): number {
  const { base, limit, selector } = cpu.segments[TR];
  const offset = 4 + 8 * entry;
  if (offset + 7 > limit) throw blame(vectors.TS, selector, external);
  return tableAddress64(cpu, base + offset);
}

/** A stack of a more privileged level, with the selector and descriptor that SS will have. */
export class InnerStack extends Stack {
  /** Linear address of its segment's descriptor. */
  readonly #at: number;
  readonly #low: number;
  readonly #high: number;

  /**
   * The stack that the TSS of 16 or 32 bits has for a level.
   *
   * @throws {Fault} #TS or #SS if it is not fit for that.
   */
  static of(cpu: Processor, level: number, external = 0): InnerStack {
    const { base, limit, selector: task, attributes } = cpu.segments[TR];
    // Types 9 and 11 are those of 32 bits.
    const wide = (attributes & 8) !== 0;
    const offset = wide ? 8 * level + 4 : 4 * level + 2;
    if (offset + (wide ? 5 : 3) > limit) throw blame(vectors.TS, task, external);
    const entry = tableAddress(cpu, base, offset);
    const pointer = cpu.mmu.load(entry, wide ? 4 : 2, "supervisor");
    const selector = cpu.mmu.load(entry + (wide ? 4 : 2), 2, "supervisor");
    if (isNull(selector)) throw new Fault(vectors.TS, external);
    const at = requireStack(cpu, selector, level, vectors.TS, external);
    return new InnerStack(
      cpu,
      selector,
      at,
      tableWord(cpu, at),
      tableWord(cpu, at + 4),
      pointer,
      external,
    );
  }

  constructor(
    cpu: Processor,
    readonly selector: number,
    at: number,
    low: number,
    high: number,
    pointer: number,
    external: number,
  ) {
    const attributes = attributesOf(high);
    const wide = (attributes & attribute.big) !== 0;
    super(
      ...[cpu, baseOf(low, high), limitOf(low, high), attributes] as const,
      ...[wide ? pointer : pointer & 0xffff, wide ? 32 : 16] as const,
      ...["supervisor", selector & 0xfffc | external] as const,
    );
    this.#at = at;
    this.#low = low;
    this.#high = high;
  }

  override reserve(count: number, size: PushSize): void {
    super.reserve(count, size);
    markAccessed(this.cpu, this.#at, this.#high);
  }

  /** Sets SS and the stack pointer. */
  override commit(): void {
    setSegment(this.cpu.segments[SS], this.selector, this.#low, this.#high);
    super.commit();
  }
}

/** Sets SS as long mode does on the way to a more privileged level: null, with that level. */
export function setNullStack(cpu: Processor, level: number): void {
  setNull(cpu.segments[SS], level);
}

/**
 * Reads what stands some bytes above the top of the stack, of the present level
 * and with its rights; SP stays. Of 64 bits it comes as a signed number.
 */
export function peek(cpu: Processor, above: number, size: PushSize): number {
  const { mmu } = cpu;
  const address = stackAddress(cpu, above, size);
  if (size !== 8) return mmu.load(address, size);
  const low = mmu.load(address, 4);
  return (mmu.load(address + 4, 4) | 0) * 0x1_0000_0000 + low;
}

/** Linear address of what stands some bytes above the top of the stack. */
export function stackAddress(cpu: Processor, above: number, size: number): number {
  const width = cpu.stackWidth;
  const sum = cpu.address(SP, width) + above;
  const offset = width === 64 ? sum : width === 32 ? sum >>> 0 : sum & 0xffff;
  return cpu.linear(SS, offset, size, false);
}
