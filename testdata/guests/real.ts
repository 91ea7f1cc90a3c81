/**
 * A guest in real mode, entered from 32-bit code: interrupts through the vectors
 * at 0, decimal arithmetic, a segment without limits, address line 20.
 *
 * @module
 */

import { Assembler, at, far, mem } from "../../emu/cpu/assemble.ts";
import { type Guest, guest, sel } from "./kit.ts";

/** Where the code is copied to, and its stack. */
const home = 0x8000;

/** 16-bit code being written. */
class RealKit {
  readonly a = new Assembler({ mode: 16, origin: home });
  readonly #texts = new Map<string, string>();
  #count = 0;

  fresh(): string {
    return `_${this.#count++}`;
  }

  say(text: string): void {
    const label = this.#texts.get(text) ?? this.fresh();
    this.#texts.set(text, label);
    this.a.emit("push", "si").emit("mov", "si", at(label)).emit("call", at("print"));
    this.a.emit("pop", "si");
  }

  /** Prints a text and a word; changes no register but AX. */
  show(text: string, register: string): void {
    if (register !== "ax") this.a.emit("mov", "ax", register);
    this.say(`${text} `);
    this.a.emit("call", at("hex"));
    this.say("\n");
  }

  out(...writes: readonly (readonly [port: number, value: number])[]): void {
    for (const [port, value] of writes) this.a.emit("mov", "al", value).emit("out", port, "al");
  }

  /** Points an interrupt vector at a label. */
  vector(number: number, label: string): void {
    this.a.emit("mov", mem({ disp: number * 4, size: 16 }), at(label));
    this.a.emit("mov", mem({ disp: number * 4 + 2, size: 16 }), 0);
  }

  routines(): void {
    const { a } = this;
    a.label("put").emit("push", "ax").emit("push", "dx").emit("out", 0xe9, "al");
    a.emit("mov", "ah", "al").emit("mov", "dx", 0x3fd).label("wait").emit("in", "al", "dx");
    a.emit("test", "al", 0x20).emit("jz", at("wait")).emit("mov", "dx", 0x3f8);
    a.emit("mov", "al", "ah").emit("out", "dx", "al").emit("pop", "dx").emit("pop", "ax");
    a.emit("ret");
    a.label("print").emit("pushf").emit("cld").emit("push", "ax").emit("push", "si");
    a.label("next").emit("lodsb").emit("test", "al", "al");
    a.emit("jz", at("printed")).emit("call", at("put")).emit("jmp", at("next"));
    a.label("printed").emit("pop", "si").emit("pop", "ax").emit("popf").emit("ret");
    a.label("hex").emit("pushf").emit("pusha").emit("mov", "cx", 4).emit("mov", "dx", "ax");
    a.label("digit").emit("rol", "dx", 4).emit("mov", "al", "dl").emit("and", "al", 15);
    a.emit("cmp", "al", 10).emit("sbb", "al", 0x69).emit("das").emit("or", "al", 0x20);
    a.emit("call", at("put")).emit("loop", at("digit")).emit("popa").emit("popf").emit("ret");
    for (const [text, label] of this.#texts) a.label(label).text(`${text}\0`);
  }
}

function realCode(): Uint8Array {
  const kit = new RealKit();
  const { a } = kit;
  a.emit("mov", "eax", "cr0").emit("and", "al", 0xfe).emit("mov", "cr0", "eax");
  a.emit("jmp", far(0, at("real")));
  a.label("real").emit("xor", "ax", "ax");
  for (const segment of ["ds", "es", "ss"]) a.emit("mov", segment, "ax");
  a.emit("mov", "sp", home).emit("lidt", mem({ disp: at("vectors"), size: 48 }));
  kit.say("hello from 16-bit code\n");
  a.emit("smsw", "ax");
  kit.show("machine status", "ax");
  kit.vector(0, "divided");
  kit.vector(4, "overflowed");
  kit.vector(5, "bounded");
  kit.vector(6, "undefined");
  kit.vector(8, "tick");
  kit.vector(0x60, "service");

  a.emit("mov", "ax", 0x1234).emit("mov", "es", "ax");
  a.emit("mov", mem({ disp: 0x10, size: 16, segment: "es" }), 0xbeef);
  a.emit("mov", "ax", 0x1000).emit("mov", "es", "ax");
  a.emit("mov", "bx", 0x2000).emit("mov", "di", 0x350);
  a.emit("mov", "ax", mem({ base: "bx", index: "di", segment: "es" }));
  kit.show("one place by two segments", "ax");
  a.emit("sti").emit("mov", "ax", 0x1111).emit("int", 0x60).emit("cli");
  kit.show("service gave", "ax");

  const faulting = (what: string, doIt: () => void) => {
    const [here, behind] = [kit.fresh(), kit.fresh()];
    kit.say(`${what}: `);
    a.emit("mov", mem({ disp: at("fault"), size: 16 }), at(here));
    a.emit("mov", mem({ disp: at("behind"), size: 16 }), at(behind));
    doIt();
    a.label(here);
    kit.say("nothing happened\n");
    a.label(behind);
  };
  // Of a fault the address is that of the instruction, of INTO that of the next.
  faulting("divide", () => a.emit("mov", "cx", 0).emit("div", "cx"));
  faulting("decimal divide", () => a.emit("aam", 0));
  faulting("overflow", () => a.emit("mov", "al", 0x80).emit("dec", "al").emit("into"));
  faulting("bound", () => a.emit("mov", "ax", 7).emit("bound", "ax", mem({ disp: at("bounds") })));
  faulting("undefined", () => a.emit("ud2"));
  faulting("not in this mode", () => a.bytes(0x0f, 0x00, 0xc0));

  kit.out([0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xfe]);
  kit.out([0x43, 0x34], [0x40, 1193 & 0xff], [0x40, 1193 >> 8]);
  a.emit("sti").label("three").emit("hlt").emit("cmp", mem({ disp: at("ticks"), size: 8 }), 3);
  a.emit("jb", at("three")).emit("cli");
  kit.out([0x21, 0xff]);
  kit.say("three ticks came\n");

  // Decimal arithmetic.
  a.emit("mov", "ax", 0x38).emit("add", "al", 0x45).emit("daa");
  kit.show("38 + 45", "ax");
  a.emit("mov", "ax", 0x83).emit("sub", "al", 0x38).emit("das");
  kit.show("83 - 38", "ax");
  a.emit("mov", "ax", 0x0108).emit("add", "al", 9).emit("aaa");
  kit.show("unpacked 18 + 9", "ax");
  a.emit("mov", "al", 7).emit("mov", "bl", 9).emit("mul", "bl").emit("aam", 10);
  kit.show("7 × 9 in digits", "ax");
  a.emit("mov", "ax", 0x0603).emit("aad", 10);
  kit.show("and back", "ax");

  // Strings, and a loop over more than a segment's end.
  a.emit("mov", "ax", 0x2000).emit("mov", "es", "ax").emit("mov", "di", 0xfffc);
  a.emit("mov", "cx", 4).emit("mov", "ax", 0x5a5a).emit("rep stosw");
  kit.show("DI went round to", "di");
  a.emit("mov", "ax", mem({ disp: 2, segment: "es" }));
  kit.show("at the start of the segment", "ax");
  a.emit("mov", "bx", at("table")).emit("mov", "al", 3).emit("xlat").emit("cbw");
  kit.show("fourth of a table", "ax");
  a.emit("mov", "ax", "sp").emit("pusha").emit("mov", "bp", "sp");
  a.emit("sub", "ax", mem({ base: "bp", disp: 6 })).emit(
    "mov",
    mem({ base: "bp", disp: 14 }),
    "ax",
  );
  a.emit("popa");
  kit.show("SP that PUSHA pushed, off by", "ax");
  a.emit("enter", 8, 1).emit("mov", "ax", "bp").emit("sub", "ax", "sp").emit("leave");
  kit.show("frame of ENTER", "ax");
  a.emit("push", "cs").emit("call", at("far routine"));
  kit.show("far routine gave", "ax");
  a.emit("mov", "eax", 0x12345678).emit("mov", "edx", 0x9abcdef0).emit("shld", "eax", "edx", 12);
  a.emit("shr", "eax", 16);
  kit.show("32 bits in 16-bit code", "ax");

  // GS was loaded in protected mode and has kept its limit.
  a.emit("mov", "ebx", 0x100000).emit("mov", "ax", mem({ base: "ebx", segment: "gs" }));
  kit.show("above 1 MiB without a limit", "ax");
  const above = (text: string) => {
    a.emit("mov", "ax", 0xffff).emit("mov", "es", "ax");
    a.emit("mov", "ax", mem({ disp: 0x10, segment: "es" }));
    a.emit("cmp", "ax", mem({ disp: 0 })).emit("mov", "ax", 0).emit("sete", "al");
    kit.show(text, "ax");
  };
  a.emit("mov", mem({ disp: 0, size: 16 }), 0x4321);
  above("wraps with A20");
  a.emit("in", "al", 0x92).emit("and", "al", 0xfc).emit("out", 0x92, "al");
  above("wraps without A20");
  a.emit("in", "al", 0x92).emit("or", "al", 2).emit("out", 0x92, "al");
  above("wraps with A20 again");
  kit.say("done\n");
  kit.out([0xf4, 0x10]);
  a.label("end").emit("hlt").emit("jmp", at("end"));

  a.label("service").emit("pushf").emit("pop", "ax").emit("and", "ax", 0x300);
  kit.show("interrupt and trap flags in the service", "ax");
  a.emit("mov", "ax", 0x2222).emit("iret");
  a.label("far routine").emit("mov", "ax", 0x7777).emit("retf");
  a.label("tick").emit("push", "ax").emit("inc", mem({ disp: at("ticks"), size: 8 }));
  a.emit("mov", "al", 0x20).emit("out", 0x20, "al").emit("pop", "ax").emit("iret");
  for (const [n, name] of [[0, "divided"], [4, "overflowed"], [5, "bounded"], [6, "undefined"]]) {
    a.label(`${name}`).emit("mov", "bp", "sp");
    a.emit("mov", "ax", mem({ disp: at("fault") })).emit("sub", "ax", mem({ base: "bp" }));
    a.emit("mov", "bx", "ax");
    kit.show(`vector ${n}, bytes to the end`, "bx");
    a.emit("mov", "ax", mem({ disp: at("behind") })).emit("mov", mem({ base: "bp" }), "ax");
    a.emit("iret");
  }
  kit.routines();
  a.align(4).label("vectors").u16(0x3ff).u32(0).label("bounds").u16(0xfffe, 6);
  a.label("fault").u16(0).label("behind").u16(0).label("ticks").u16(0);
  a.label("table").bytes(1, 2, 4, 0x88).label("code end");
  return a.finish();
}

const real = guest(
  "real",
  "16-bit code: vectors at 0, decimal arithmetic, segments that wrap, no limit, A20",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    const code = realCode();
    kit.begin();
    a.emit("mov", "esi", at("real code")).emit("mov", "edi", home).emit("mov", "ecx", code.length);
    a.emit("rep movsb").emit("mov", "eax", sel.data16);
    for (const segment of ["ds", "es", "ss"]) a.emit("mov", segment, "ax");
    a.emit("jmp", far(sel.code16, home));
    a.label("real code").bytes(code);
  },
);

/** Guests of real mode. */
export const realGuests: readonly Guest[] = [real];
