/**
 * A ROM of 64 KiB that runs small programs on the bare processor, one after the
 * other, and tells of each how it ended: for machines that start at the reset
 * vector, ours and those that it is held against.
 *
 * Each program starts at level 0 with the tables that {@link SystemGuest} has,
 * and ends with an exception or with INT 3Eh. Then a line of numbers goes out of
 * port 0xe9: selectors, flags, registers, vector, and what lies on the stack.
 *
 * @module
 */

import { Assembler, at, far, mem } from "../emu/cpu/assemble.ts";
import { place, sel, SystemGuest } from "./system_guest.ts";

/** Where the ROM lies, and its length. */
export const romAt = 0xf_0000;
/** Bytes of it. */
export const romSize = 0x1_0000;
/** Ends a program; a gate of level 3. */
export const endVector = 0x3e;
/** Goes to the next program; a gate of level 3. */
const nextVector = 0x3f;
/** Vectors that have gates. */
const vectorCount = 0x40;
/** Where the number of the next program is kept, and how far tables are compared. */
const counterAt = 0x500;
const tablesEnd = 0x5000;
/** Page tables of long mode: the first 2 MiB in pages, of which the ROM is for everybody. */
const pagesAt = 0x10_0000;
/** Values of 32 or 64 bits that lie above what a handler has pushed and are told. */
const toldOfStack = 10;

/** A program. */
export interface RomCase {
  /** What it is about, in a word or two. */
  readonly name: string;
  /** Changes descriptors, gates and tasks. */
  readonly prepare?: (guest: SystemGuest) => void;
  /** Writes it. */
  readonly code: (program: RomProgram) => void;
}

/** Width of the ROM's programs. */
export type RomMode = 32 | 64;

/** What a program is written with. */
export class RomProgram {
  readonly #name: string;
  #labels = 0;

  /** A program that is written into a ROM. */
  constructor(readonly a: Assembler, readonly mode: RomMode, name: string) {
    this.#name = name;
  }

  /** A label of its own. */
  label(): string {
    return `${this.#name} ${this.#labels++}`;
  }

  /** Writes an instruction. */
  emit(...what: Parameters<Assembler["emit"]>): this {
    this.a.emit(...what);
    return this;
  }

  /** Writes bytes. */
  bytes(...values: readonly number[]): this {
    this.a.bytes(...values);
    return this;
  }

  /** Goes over to level 3, with some flags. */
  user(flags = 2): this {
    const { a } = this;
    const label = this.label();
    a.emit("mov", "eax", sel.userData).emit("mov", "ds", "ax").emit("mov", "es", "ax");
    this.#push(sel.userData, place.userStack - 0x100, flags, sel.userCode);
    if (this.mode === 32) a.emit("push", at(label)).emit("iretd");
    else a.emit("push", at(label)).emit("iretq");
    a.label(label);
    return this;
  }

  /** Goes over to virtual-8086 mode, into the code that follows. */
  virtual8086(flags: number): this {
    const { a } = this;
    const label = this.label();
    this.#push(0x600, 0x500, 0x400, 0x300, 0x200, 0x6f00, flags | 0x2_0000, romAt >> 4);
    a.emit("push", at(label, -romAt)).emit("iretd").use(16).label(label);
    return this;
  }

  /** Sets a register and loads a segment register, LDTR or TR from it. */
  load(what: string, selector: number): this {
    this.a.emit("mov", "eax", selector);
    if (what === "lldt" || what === "ltr") this.a.emit(what, "ax");
    else this.a.emit("mov", what, "ax");
    return this;
  }

  /** Pushes values. */
  push(...values: readonly number[]): this {
    this.#push(...values);
    return this;
  }

  #push(...values: readonly number[]): void {
    for (const value of values) {
      if (this.mode === 32) this.a.emit("push", value | 0);
      else this.a.emit("mov", "rax", value).emit("push", "rax");
    }
  }
}

/** The words of memory in which two guests differ. */
function changes(was: SystemGuest | undefined, is: SystemGuest): number[] {
  const found: number[] = [];
  for (let address = 0; address < tablesEnd; address += 4) {
    const value = is.word(address);
    if (value !== (was?.word(address) ?? 0)) found.push(address, value);
  }
  return found;
}

/** The tables that all programs start with. */
function baseline(mode: RomMode, handler: (vector: number) => number): SystemGuest {
  const guest = new SystemGuest(mode === 32 ? "protected" : "long");
  // An available task, which LTR makes busy.
  guest.gdt(sel.tss, { type: 9, base: place.tss, limit: 0x7ff, size: 0 });
  for (let vector = 0; vector < vectorCount; vector++) {
    guest.idt(vector, sel.code, handler(vector), 14, vector >= endVector ? 3 : 0);
  }
  return guest;
}

/** Writes the ROM. */
export function systemRom(mode: RomMode, cases: readonly RomCase[]): Uint8Array<ArrayBuffer> {
  // Where handlers are is known once all is assembled; nothing's length depends on it.
  let addresses: readonly number[] = Array.from({ length: vectorCount }, () => romAt + 0x100);
  for (let round = 0;; round++) {
    const a = new Assembler({ mode: 16, origin: romAt });
    writeRom(a, mode, cases, (vector) => addresses[vector] ?? 0);
    const bytes = a.finish();
    const found = Array.from({ length: vectorCount }, (_, n) => a.address(`vector ${n}`));
    if (found.every((address, n) => address === addresses[n])) return bytes;
    if (round > 2) throw new TypeError("handlers do not come to rest");
    addresses = found;
  }
}

function writeRom(
  a: Assembler,
  mode: RomMode,
  cases: readonly RomCase[],
  handler: (vector: number) => number,
): void {
  a.emit("cli").emit("o32 lgdt", mem({ disp: at("boot gdtr", -romAt), segment: "cs" }));
  a.emit("mov", "eax", "cr0").emit("or", "eax", 1).emit("mov", "cr0", "eax");
  a.emit("o32 jmp", far(bootCode32, at("start")));
  a.use(32).label("start");
  writeStart(a, mode);
  a.use(mode).label("next");
  writeNext(a, mode, cases.length);
  for (let vector = 0; vector < vectorCount; vector++) {
    a.label(`vector ${vector}`);
    if (vector === nextVector) a.emit("jmp", at("next"));
    else a.emit("push", vector).emit("jmp", at("tell"));
  }
  writeTell(a, mode);
  for (const [n, { name, code }] of cases.entries()) {
    a.use(mode).label(`case ${n}`);
    code(new RomProgram(a, mode, `${name} ${n}`));
    a.emit("int", endVector);
  }
  writeTables(a, mode);
  const base = baseline(mode, handler);
  a.label("baseline");
  writeChanges(a, changes(undefined, base));
  for (const [n, { prepare }] of cases.entries()) {
    const guest = baseline(mode, handler);
    prepare?.(guest);
    a.label(`changes ${n}`);
    writeChanges(a, changes(base, guest));
  }
  a.label("cases");
  for (const n of cases.keys()) a.u32(at(`changes ${n}`), at(`case ${n}`));
  a.skipTo(romAt + 0xfff0).use(16).emit("jmp", far(romAt >> 4, 0));
  a.skipTo(romAt + romSize);
}

function writeChanges(a: Assembler, list: readonly number[]): void {
  a.u32(list.length / 2, ...list);
}

/** Selector of 32-bit code in the tables to start with. */
const bootCode32 = 0x18;

/**
 * Tables to start with: code and data where the programs' tables have them, and
 * 32-bit code. All count as used, since they cannot be written.
 */
function writeTables(a: Assembler, mode: RomMode): void {
  const code = mode === 64 ? 0xaf_9b00 : 0xcf_9b00;
  a.align(8).label("boot gdt").u32(0, 0, 0xffff, code, 0xffff, 0xcf_9300, 0xffff, 0xcf_9b00);
  a.label("boot gdtr").u16(0x1f).u32(at("boot gdt"), 0);
  a.label("gdtr").u16(0xff).u32(place.gdt, 0);
  a.label("idtr").u16(vectorCount * mode / 4 - 1).u32(place.idt, 0);
}

/** Flat segments, and in long mode page tables; 32-bit code. */
function writeStart(a: Assembler, mode: RomMode): void {
  const flat = sel.data;
  a.emit("mov", "eax", flat);
  for (const name of ["ss", "ds", "es", "fs", "gs"]) a.emit("mov", name, "ax");
  a.emit("mov", mem({ disp: counterAt, size: 32 }), 0);
  if (mode === 32) return;
  a.emit("xor", "eax", "eax").emit("mov", "edi", pagesAt).emit("mov", "ecx", 0x1000);
  a.emit("rep stosd");
  const entries = [
    ...[[0, 0x1007], [0xff8, 0x1007]],
    ...[[0x1000, 0x2007], [0x1ff8, 0x2007]],
    ...[[0x2000, 0x3007]],
  ];
  for (const [offset = 0, value = 0] of entries) {
    a.emit("mov", mem({ disp: pagesAt + offset, size: 32 }), pagesAt + value);
  }
  a.emit("mov", mem({ disp: pagesAt + 0x2008, size: 32 }), 0x20_0087);
  // The supervisor's pages, then those of the ROM.
  a.emit("mov", "eax", 3).emit("xor", "ecx", "ecx").label("page");
  a.emit("mov", mem({ disp: pagesAt + 0x3000, index: "ecx", scale: 8 }), "eax");
  a.emit("add", "eax", 0x1000).emit("inc", "ecx").emit("cmp", "ecx", 512).emit("jb", at("page"));
  a.emit("mov", "ecx", romAt >> 12).label("user page");
  a.emit("or", mem({ disp: pagesAt + 0x3000, index: "ecx", scale: 8, size: 32 }), 4);
  a.emit("inc", "ecx").emit("cmp", "ecx", romAt + romSize >> 12).emit("jb", at("user page"));
  a.emit("mov", "eax", 0x220).emit("mov", "cr4", "eax");
  a.emit("mov", "eax", pagesAt).emit("mov", "cr3", "eax");
  // EFER: LME and SCE.
  a.emit("mov", "ecx", 0xc000_0080).emit("xor", "edx", "edx").emit("mov", "eax", 0x101);
  a.emit("wrmsr");
  a.emit("mov", "eax", 0x8001_0011).emit("mov", "cr0", "eax");
  a.emit("jmp", far(sel.code, at("next")));
}

/** Clears what programs may have written, sets the tables and goes to the next program. */
function writeNext(a: Assembler, mode: RomMode, count: number): void {
  const wide = mode === 64;
  // DS may be anything here.
  const code = wide ? {} : { segment: "cs" };
  a.emit("lgdt", mem({ disp: at("boot gdtr"), ...code }));
  a.emit("mov", "eax", sel.data);
  for (const name of ["ss", "ds", "es", "fs", "gs"]) a.emit("mov", name, "ax");
  a.emit("mov", "esp", 0x8000).emit("push", 2).emit(wide ? "popfq" : "popfd");
  // VIF and VIP are cleared by IRET only.
  if (wide) a.emit("push", sel.data).emit("push", 0x8000);
  a.emit("push", 2).emit("push", sel.code).emit("push", at("plain"));
  a.emit(wide ? "iretq" : "iretd").label("plain");
  a.emit("clts").emit("xor", "eax", "eax").emit("lldt", "ax");
  if (wide) a.emit("mov", "cr2", "rax");
  else a.emit("mov", "cr2", "eax").emit("mov", "cr4", "eax");
  a.emit("mov", "edi", 0x1000).emit("mov", "ecx", 0xf000 / 4).emit("rep stosd");
  a.emit("mov", "edi", 0x20_6000).emit("mov", "ecx", 0x4000 / 4).emit("rep stosd");
  a.emit("mov", "esi", at("baseline")).emit("call", at("apply"));
  a.emit("lgdt", mem({ disp: at("gdtr") })).emit("lidt", mem({ disp: at("idtr") }));
  a.emit("mov", "eax", sel.tss).emit("ltr", "ax");
  a.emit("mov", "ebx", mem({ disp: counterAt })).emit("inc", mem({ disp: counterAt, size: 32 }));
  a.emit("cmp", "ebx", count).emit("jb", at("go on"));
  a.emit("mov", "al", 0).emit("out", 0xf4, "al").label("rest").emit("hlt").emit("jmp", at("rest"));
  a.label("go on");
  const index = wide ? "rbx" : "ebx";
  a.emit("mov", "esi", mem({ disp: at("cases"), index, scale: 8 })).emit("call", at("apply"));
  a.emit("mov", "ebx", mem({ disp: at("cases", 4), index, scale: 8 }));
  a.emit("mov", "esp", place.stack0 - 0x100).emit("push", index);
  for (const [n, name] of ["eax", "ecx", "edx", "ebx", "ebp", "esi", "edi"].entries()) {
    a.emit("mov", name, 0x1111_1111 * (n + 1) | 0);
  }
  if (wide) a.emit("mov", "r11d", 0x8888_8888 | 0);
  a.emit("ret");
  // Writes words to their addresses: how many, then address and word of each.
  a.label("apply").emit("lodsd").emit("mov", "ecx", "eax");
  a.emit("test", "ecx", "ecx").emit("je", at("applied")).label("apply one");
  a.emit("lodsd").emit("mov", "edi", "eax").emit("movsd").emit("loop", at("apply one"));
  a.label("applied").emit("ret");
}

/** What {@link writeTell} tells, in order; then follows the stack that the handler was given. */
export const told: Readonly<Record<RomMode, readonly string[]>> = {
  32: [
    ...["cr2", "ldtr", "tr", "cs", "ss", "gs", "fs", "es", "ds", "flags"],
    ...["edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax", "vector"],
  ],
  64: [
    ...["cr2", "ldtr", "tr", "cs", "ss", "gs", "fs", "es", "ds", "flags"],
    ...["r11", "rdi", "rsi", "rbp", "rsp", "rbx", "rdx", "rcx", "rax", "vector"],
  ],
};

/** Tells how a program ended; the vector is on the stack, and below it what the processor pushed. */
function writeTell(a: Assembler, mode: RomMode): void {
  const wide = mode === 64;
  const [first, base, index] = wide ? ["rax", "rbp", "rsi"] : ["eax", "ebp", "esi"];
  a.label("tell");
  if (wide) {
    for (const name of ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r11"]) {
      a.emit("push", name);
    }
    a.emit("pushfq");
  } else a.emit("pushad").emit("pushfd");
  for (const name of ["ds", "es", "fs", "gs", "ss", "cs"]) {
    a.emit("mov", "eax", name).emit("push", first);
  }
  a.emit("str", "eax").emit("push", first).emit("sldt", "eax").emit("push", first);
  // Only level 0 may read CR2.
  a.emit("mov", "ebx", "cs").emit("and", "ebx", 3).emit("mov", "eax", 0);
  a.emit("jne", at("cr2 told")).emit("mov", first, "cr2").label("cr2 told").emit("push", first);
  a.emit("mov", base, wide ? "rsp" : "esp").emit("xor", "esi", "esi").label("tell one");
  a.emit("mov", first, mem({ base, index, scale: wide ? 8 : 4 })).emit("call", at("hexadecimal"));
  a.emit("inc", "esi").emit("cmp", "esi", told[mode].length + toldOfStack);
  a.emit("jb", at("tell one")).emit("mov", "al", 10).emit("out", 0xe9, "al");
  a.emit("mov", "eax", "cs").emit("test", "al", 3).emit("je", at("next"));
  if (!wide) {
    // What may be wrong with the stack of level 0 is put right, so that there is a way back.
    a.emit("mov", "eax", sel.userData).emit("mov", "ds", "ax");
    a.emit("mov", mem({ disp: place.tss + 4, size: 32 }), place.stack0);
    a.emit("mov", mem({ disp: place.tss + 8, size: 32 }), sel.data);
  }
  a.emit("int", nextVector);

  const rest = wide ? "rbx" : "ebx";
  a.label("hexadecimal").emit("mov", rest, first).emit("mov", "ecx", mode / 4).label("digit");
  a.emit("rol", rest, 4).emit("mov", "al", "bl").emit("and", "al", 15).emit("add", "al", 0x30);
  a.emit("cmp", "al", 0x3a).emit("jb", at("print")).emit("add", "al", 39);
  a.label("print").emit("out", 0xe9, "al").emit("loop", at("digit"));
  a.emit("mov", "al", 0x20).emit("out", 0xe9, "al").emit("ret");
}

/** What a ROM printed, a line for each program: names of what it tells, and the stack. */
export function readTold(mode: RomMode, cases: readonly RomCase[], printed: string): string[] {
  const lines = printed.split("\n");
  return cases.map(({ name }, n) => {
    const words = (lines[n] ?? "").trim().split(" ").map((word) => word.replace(/^0+(?=.)/, ""));
    const fields = told[mode].map((field, k) => `${field}=${words[k] ?? "?"}`);
    return `${name}: ${fields.join(" ")} | ${words.slice(told[mode].length).join(" ")}`;
  });
}
