/**
 * Switching tasks by hardware: JMP, CALL or an interrupt to another task-state
 * segment, and IRET back.
 *
 * Up to the point where the new task's registers are loaded a fault leaves all
 * as it was. From there on it belongs to the new task: RIP is that task's then.
 *
 * Source: Intel SDM vol. 3A, chapter 7, most of all 7.3 and tables 7-1 and 7-2.
 *
 * @module
 */

import {
  cr0Bits,
  cr4Bits,
  eflag,
  Fault,
  generalProtection,
  type Processor,
  segmentNumbers,
  vectors,
} from "../processor.ts";
import {
  attributesOf,
  baseOf,
  blame,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  limitOf,
  markAccessed,
  requireData,
  requireDescriptor,
  requireStack,
  setCode,
  setNull,
  setSegment,
  setVirtual,
  systemType,
  systemTypeOf,
  tableAddress,
  tableWord,
} from "./segments.ts";

const { CS, SS, LDTR, TR } = segmentNumbers;

/** What leads to a switch: CALL and interrupts come back, IRET does. */
export type SwitchCause = "jump" | "call" | "return";

/** Where a TSS has what, in bytes; see tables 7-2 and 7-11. */
interface TaskLayout {
  /** Bytes of each register, of the least limit one less than all. */
  readonly word: 2 | 4;
  readonly leastLimit: number;
  readonly ip: number;
  readonly flags: number;
  readonly registers: number;
  /** ES, CS, SS, DS, and in 32 bits FS and GS. */
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
}

const layout32: TaskLayout = {
  ...{ word: 4, leastLimit: 0x67, ip: 0x20, flags: 0x24, registers: 0x28, segments: 0x48 },
  ...{ segmentCount: 6, ldt: 0x60 },
};
const layout16: TaskLayout = {
  ...{ word: 2, leastLimit: 0x2b, ip: 0x0e, flags: 0x10, registers: 0x12, segments: 0x22 },
  ...{ segmentCount: 4, ldt: 0x2a },
};
/** In a TSS of 32 bits: CR3, and the word whose bit 0 asks for a debug trap. */
const cr3At = 0x1c;
const trapAt = 0x64;

/** The layout by a TSS's type: 9 and 11 have 32 bits. */
const layoutOf = (attributes: number) => (attributes & 8) !== 0 ? layout32 : layout16;

/** The busy bit, in a descriptor's second word. */
const busy = 0x200;

/**
 * Switches to the task of a TSS.
 *
 * @param rip Where the old task will go on.
 * @param vector What is raised where the selector names no task that can be switched to.
 * @param external 1 if an event from outside led here.
 * @param flags What is saved as the old task's flags.
 * @returns Whether the new task asks for a debug trap.
 * @throws {Fault} Before the switch as said, and #NP; after it #TS, #NP, #SS or #GP.
 */
export function switchTask(
  cpu: Processor,
  selector: number,
  cause: SwitchCause,
  rip: number,
  vector: number,
  external = 0,
  flags = cpu.eflags,
): boolean {
  if ((selector & 4) !== 0 || isNull(selector)) throw blame(vector, selector, external);
  const at = requireDescriptor(cpu, selector, vector, external);
  const low = tableWord(cpu, at);
  const high = tableWord(cpu, at + 4);
  const attributes = attributesOf(high);
  const type = systemTypeOf(attributes);
  const fits = cause === "return"
    ? type === systemType.busyTss || type === systemType.busyTss16
    : type === systemType.tss || type === systemType.tss16;
  if (!fits) throw blame(vector, selector, external);
  if (!isPresent(attributes)) throw blame(vectors.NP, selector, external);
  const layout = layoutOf(attributes);
  const base = baseOf(low, high);
  const limit = limitOf(low, high);
  if (limit < layout.leastLimit) throw blame(vectors.TS, selector, external);

  const old = cpu.segments[TR];
  const { selector: oldSelector } = old;
  const oldAt = requireDescriptor(cpu, oldSelector, vectors.TS, external);
  const oldHigh = tableWord(cpu, oldAt + 4);
  const task = readTask(cpu, base, layout);
  if (cause === "call") cpu.mmu.requireStore(base, 2, "supervisor");
  cpu.mmu.requireStore(at + 4, 4, "supervisor");
  cpu.mmu.requireStore(oldAt + 4, 4, "supervisor");
  saveTask(cpu, layoutOf(old.attributes), rip, cause === "return" ? flags & ~eflag.NT : flags);

  // Nothing fails from here on that does not belong to the new task.
  if (cause !== "call") cpu.mmu.store(oldAt + 4, 4, (oldHigh & ~busy) >>> 0, "supervisor");
  if (cause !== "return") cpu.mmu.store(at + 4, 4, (high | busy) >>> 0, "supervisor");
  if (cause === "call") cpu.mmu.store(base, 2, oldSelector, "supervisor");
  setTable(cpu, TR, selector & 0xfffc, low, high | busy);
  cpu.cr0 |= cr0Bits.TS;
  cpu.debug[7] = (cpu.debug[7] ?? 0n) & ~0x155n;
  cpu.eflags = cause === "call" ? task.flags | eflag.NT : task.flags;
  for (const [n, value] of task.registers.entries()) cpu.setAddress(n, value, 32);
  cpu.rip = task.ip;
  cpu.nextRip = task.ip;
  cpu.halted = false;
  try {
    if (task.cr3 !== undefined && (cpu.cr0 & cr0Bits.PG) !== 0) loadCr3(cpu, task.cr3, external);
    loadSegments(cpu, task, external);
  } finally {
    cpu.refresh();
  }
  return task.trap;
}

/** IRET with NT set: back to the task whose selector the TSS has at its start. */
export function returnFromTask(cpu: Processor): void {
  const link = cpu.mmu.load(cpu.segments[TR].base, 2, "supervisor");
  raiseTrap(cpu, switchTask(cpu, link, "return", cpu.nextRip, vectors.TS));
}

/** Raises the debug trap that a new task asks for. */
export function raiseTrap(cpu: Processor, trap: boolean): void {
  if (!trap) return;
  cpu.debug[6] = (cpu.debug[6] ?? 0n) | 0x8000n;
  throw new Fault(vectors.DB);
}

/** A task's registers, as its TSS has them. */
interface Task {
  readonly cr3: number | undefined;
  readonly ip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  /** ES, CS, SS, DS, FS, GS. */
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

function readTask(cpu: Processor, base: number, layout: TaskLayout): Task {
  const { word, ip, flags, registers, segments, segmentCount, ldt } = layout;
  const wide = word === 4;
  const read = (offset: number, bytes: 2 | 4) =>
    cpu.mmu.load(tableAddress(cpu, base, offset), bytes, "supervisor");
  return {
    cr3: wide ? read(cr3At, 4) : undefined,
    ip: read(ip, word),
    flags: read(flags, word),
    // What 16 bits do not fill is all ones, as processors were found to leave it.
    registers: Array.from(
      { length: 8 },
      (_, n) => (wide ? 0 : 0xffff_0000) + read(registers + n * word, word),
    ),
    segments: Array.from(
      { length: 6 },
      (_, n) => n < segmentCount ? read(segments + n * word, 2) : 0,
    ),
    ldt: read(ldt, 2),
    trap: wide && (read(trapAt, 2) & 1) !== 0,
  };
}

/** Saves the present task where TR says. */
function saveTask(cpu: Processor, layout: TaskLayout, rip: number, flags: number): void {
  const { word, ip, flags: flagsAt, registers, segments, segmentCount } = layout;
  const { base } = cpu.segments[TR];
  const end = segments + segmentCount * word;
  cpu.mmu.requireStore(tableAddress(cpu, base, ip), end - ip, "supervisor");
  const write = (offset: number, bytes: 2 | 4, value: number) => {
    const bits = bytes === 2 ? value & 0xffff : value >>> 0;
    cpu.mmu.store(tableAddress(cpu, base, offset), bytes, bits, "supervisor");
  };
  write(ip, word, rip);
  write(flagsAt, word, flags);
  for (let n = 0; n < 8; n++) write(registers + n * word, word, cpu.low(n));
  for (let n = 0; n < segmentCount; n++) {
    write(segments + n * word, 2, cpu.segments[n as 0].selector);
  }
}

function loadCr3(cpu: Processor, cr3: number, external: number): void {
  const root = BigInt(cr3);
  const isPae = (cpu.cr4 & cr4Bits.PAE) !== 0;
  if (isPae && !cpu.mmu.loadPointers(root)) throw generalProtection(external);
  cpu.cr3 = root;
  cpu.mmu.flush(false);
}

/** Loads what of a task needs descriptors. */
function loadSegments(cpu: Processor, task: Task, external: number): void {
  const fails = (selector: number) => blame(vectors.TS, selector, external);
  for (const [n, selector] of task.segments.entries()) {
    setNull(cpu.segments[n as 0], selector);
  }
  setNull(cpu.segments[LDTR], task.ldt);
  const isVirtual = (task.flags & eflag.VM) !== 0;
  const code = task.segments[CS] ?? 0;
  const stack = task.segments[SS] ?? 0;
  cpu.cpl = isVirtual ? 3 : code & 3;

  if ((task.ldt & 4) !== 0) throw fails(task.ldt);
  if (!isNull(task.ldt)) {
    const at = requireDescriptor(cpu, task.ldt, vectors.TS, external);
    const high = tableWord(cpu, at + 4);
    const attributes = attributesOf(high);
    if (systemTypeOf(attributes) !== systemType.ldt || !isPresent(attributes)) {
      throw fails(task.ldt);
    }
    setTable(cpu, LDTR, task.ldt, tableWord(cpu, at), high);
  }
  if (isVirtual) {
    for (const [n, selector] of task.segments.entries()) {
      setVirtual(cpu.segments[n as 0], selector);
    }
    if (task.ip > 0xffff) throw generalProtection(external);
    return;
  }

  if (isNull(code)) throw fails(code);
  const codeAt = requireDescriptor(cpu, code, vectors.TS, external);
  const codeLow = tableWord(cpu, codeAt);
  const codeHigh = tableWord(cpu, codeAt + 4);
  const attributes = attributesOf(codeHigh);
  const dpl = dplOf(attributes);
  const level = code & 3;
  if (!isCode(attributes) || (isConforming(attributes) ? dpl > level : dpl !== level)) {
    throw fails(code);
  }
  if (!isPresent(attributes)) throw blame(vectors.NP, code, external);
  markAccessed(cpu, codeAt, codeHigh);
  setCode(cpu, code, codeLow, codeHigh);

  if (isNull(stack)) throw fails(stack);
  load(cpu, SS, stack, requireStack(cpu, stack, level, vectors.TS, external));
  for (const [n, selector] of task.segments.entries()) {
    if (n === CS || n === SS || isNull(selector)) continue;
    load(cpu, n, selector, requireData(cpu, selector, vectors.TS, external));
  }
  if (task.ip > limitOf(codeLow, codeHigh)) throw generalProtection(external);
}

function load(cpu: Processor, number: number, selector: number, at: number): void {
  const high = tableWord(cpu, at + 4);
  markAccessed(cpu, at, high);
  setSegment(cpu.segments[number as 0], selector, tableWord(cpu, at), high);
}

/** Sets LDTR or TR to what the first eight bytes of a descriptor say. */
export function setTable(
  cpu: Processor,
  number: 6 | 7,
  selector: number,
  low: number,
  high: number,
): void {
  const segment = cpu.segments[number];
  setSegment(segment, selector, low, high);
  segment.attributes = attributesOf(high);
}
