/**
 * What guests made by hand have in common: an entry, descriptor tables, words on
 * the console, and handlers that survive every exception that was asked for.
 *
 * A guest is one stretch of memory at 1 MiB, entered in flat 32-bit code as a
 * multiboot loader does, so that the same bytes run on any machine that has such
 * a loader. It speaks through port 0xe9 and COM1 alike and ends through the
 * debug exit at port 0xf4.
 *
 * @module
 */

import { Assembler, type AssemblyOperand, at, mem, type Memory } from "../../emu/cpu/assemble.ts";

/** How a guest's run ends. */
export type GuestEnd =
  /** It writes a byte to the debug exit, which makes of it `2 × byte + 1`. */
  | { readonly kind: "exit"; readonly code: number }
  /** The processor shuts down. */
  | { readonly kind: "triple-fault" }
  /** It waits for what cannot come. */
  | { readonly kind: "halted" }
  /** It runs, and changes nothing any more. */
  | { readonly kind: "endless" }
  /** Whatever, as long as the host lives. */
  | { readonly kind: "any" };

/** A guest. */
export interface Guest {
  /** In a word or three. */
  readonly name: string;
  /** What it tries. */
  readonly what: string;
  /** Width of the code at its entry: flat, paging off, interrupts off, A20 on. */
  readonly mode: 32;
  /** What lies in memory; the rest is zeros. */
  readonly load: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** Registers at its entry; the rest are 0. */
  readonly entry: {
    readonly eip: number;
    readonly esp: number;
    readonly eax: number;
    readonly ebx: number;
  };
  /** Memory that it needs, in bytes. */
  readonly memory: number;
  /** How it ends. */
  readonly end: GuestEnd;
}

/** Selectors of the kit's descriptor table. */
export const sel = {
  ...{ code32: 0x08, data: 0x10, code64: 0x18, code16: 0x20, data16: 0x28 },
  /** In the order that SYSRET wants them: 32-bit code, data, 64-bit code. */
  ...{ user32: 0x33, userData: 0x3b, user64: 0x43 },
  /** A data segment that is not there. */
  absent: 0x48,
  /** Task-state segment; in long mode it takes two places. */
  tss: 0x50,
} as const;

/** Where a guest's own things lie. */
export const place = {
  ...{ image: 0x100000, stack: 0x17f000, tss: 0x180000, ist: 0x186000, userStack: 0x188000 },
  ...{ tables: 0x190000, free: 0x200000 },
} as const;

const all32 = ["eax", "ecx", "edx", "ebx", "ebp", "esi", "edi"];
const all64 = [
  ...["rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
];
/** Vectors that push an error code. */
const withError = [8, 10, 11, 12, 13, 14, 17];
const vectors = 48;

/** A guest being written. */
export class Kit {
  /** The assembler. */
  readonly a: Assembler = new Assembler({ mode: 32, origin: place.image });
  readonly #texts = new Map<string, string>();
  readonly #used = new Set<32 | 64>();
  #bits: 32 | 64 = 32;
  #count = 0;

  /** A name for a label that nothing else has. */
  fresh(name = "_"): string {
    return `${name}${this.#count++}`;
  }

  /** Goes on in 64-bit code, or 32-bit code. */
  use(bits: 32 | 64): void {
    this.#bits = bits;
    this.a.use(bits);
  }

  /** A general register by its name without size: `ax` is eax or rax. */
  word(name: string): string {
    return (this.#bits === 64 ? "r" : "e") + name;
  }

  /** Prints a text; changes no register. */
  say(text: string): void {
    const label = this.#texts.get(text) ?? this.fresh("text");
    this.#texts.set(text, label);
    const { a } = this;
    a.emit("push", this.word("si")).emit("mov", "esi", at(label));
    this.#call("print");
    a.emit("pop", this.word("si"));
  }

  /** Prints a text and a register or memory in hexadecimal; changes no register. */
  show(text: string, what: AssemblyOperand, digits = this.#bits / 4): void {
    this.say(`${text} `);
    const { a } = this;
    const ax = this.word("ax");
    a.emit("push", ax).emit("push", this.word("cx"));
    const isWide = typeof what === "object" && what.kind === "memory";
    if (what !== ax) a.emit("mov", isWide || typeof what === "string" ? ax : "eax", what);
    a.emit("mov", "ecx", digits);
    this.#call("hex");
    a.emit("pop", this.word("cx")).emit("pop", ax);
    this.say("\n");
  }

  /** Ends the run. */
  exit(code: number): void {
    this.a.emit("mov", "al", code).emit("out", 0xf4, "al");
    this.stop();
  }

  /** Waits for ever. */
  stop(): void {
    const label = this.fresh();
    this.a.label(label).emit("cli").emit("hlt").emit("jmp", at(label));
  }

  /**
   * Does what raises an exception, which is told and survived: execution goes on
   * behind it, at level 0, with the registers as they are then.
   */
  provoke(what: string, doIt: () => void, delta = 0): void {
    const { a } = this;
    const [place, behind] = [this.fresh(), this.fresh()];
    this.say(`${what}: `);
    const cell = (label: string) => mem({ disp: at(label), size: 32 });
    a.emit("mov", cell("expected"), at(place, delta));
    a.emit("mov", cell("resume"), at(behind));
    a.emit("mov", mem({ disp: at("resume stack") }), this.word("sp"));
    a.label(place);
    doIt();
    this.say("nothing happened\n");
    a.label(behind);
    a.emit("mov", cell("resume"), 0);
  }

  /**
   * In a hook: vector 0, error code 1, IP 2, CS 3, flags 4 of the exception. A
   * hook is a routine whose address stands in the cell "hook"; it returns 1 in
   * eAX if execution is to go on where it was, and keeps eBP.
   */
  frame(n: number): Memory {
    const registers = this.#bits === 64 ? all64.length : all32.length;
    return mem({ base: this.word("bp"), disp: (registers + n) * this.#bits / 8, size: this.#bits });
  }

  /** A 32-bit variable of the kit. */
  cell(name: "ticks" | "a" | "b" | "c" | "hook"): Memory {
    return mem({ disp: at(name), size: 32 });
  }

  /** Writes ports, a byte each. */
  out(...writes: readonly (readonly [port: number, value: number])[]): void {
    for (const [port, value] of writes) {
      this.a.emit("mov", "al", value);
      if (port < 0x100) this.a.emit("out", port, "al");
      else this.a.emit("mov", "dx", port).emit("out", "dx", "al");
    }
  }

  /** Sets up both interrupt controllers, at vectors 0x20 and 0x28, with IRQ 0 alone let through. */
  picOn(vector = 0x20): void {
    this.out([0x20, 0x11], [0x21, vector], [0x21, 4], [0x21, 1], [0x21, 0xfe]);
    this.out([0xa0, 0x11], [0xa1, 0x28], [0xa1, 2], [0xa1, 1], [0xa1, 0xff]);
  }

  /** Lets counter 0 of the timer tick, 1000 times a second. */
  pitOn(): void {
    this.out([0x43, 0x34], [0x40, 1193 & 0xff], [0x40, 1193 >> 8]);
  }

  /** Loads the tables and segment registers of flat 32-bit code, and a stack. */
  begin(): void {
    const { a } = this;
    const here = this.fresh();
    a.emit("mov", "esp", place.stack);
    a.emit("lgdt", mem({ disp: at("gdtr") })).emit("lidt", mem({ disp: at("idtr32") }));
    a.emit("push", sel.code32).emit("push", at(here)).emit("retf").label(here);
    a.emit("mov", "eax", sel.data);
    for (const segment of ["ds", "es", "ss", "fs", "gs"]) a.emit("mov", segment, "ax");
    // Eight bits at 115,200 bits a second.
    this.out([0x3fb, 0x83], [0x3f8, 1], [0x3f9, 0], [0x3fb, 3]);
    this.#used.add(32);
  }

  /** Loads the table of interrupts of 64-bit code. */
  begin64(): void {
    this.use(64);
    this.#used.add(64);
    this.a.emit("lidt", mem({ disp: at("idtr64") }));
  }

  /** Loads a task register whose level 0 has a stack of its own. */
  taskOn(): void {
    const { a } = this;
    const stack = place.tss + 0x5000;
    if (this.#bits === 32) {
      a.emit("mov", mem({ disp: place.tss + 4, size: 32 }), stack);
      a.emit("mov", mem({ disp: place.tss + 8, size: 32 }), sel.data);
    } else {
      a.emit("mov", mem({ disp: place.tss + 4, size: 64 }), stack);
      a.emit("mov", mem({ disp: place.tss + 0x24, size: 64 }), place.ist);
    }
    a.emit("mov", mem({ disp: place.tss + 0x66, size: 16 }), 0x68);
    a.emit("mov", "ax", sel.tss).emit("ltr", "ax");
  }

  /** The whole: header, code, routines, tables, texts. */
  finish(): Uint8Array {
    const { a } = this;
    a.use(32);
    a.label("end of code");
    for (const bits of this.#used) this.#routines(bits);
    this.#tables();
    for (const [text, label] of this.#texts) a.label(label).text(`${text}\0`);
    a.align(4).label("end of image");
    return a.finish();
  }

  /** The multiboot header, by which a loader knows where to put a file that is no ELF. */
  header(): void {
    const { a } = this;
    const flags = 0x10000;
    a.label("header").u32(0x1badb002, flags, -(0x1badb002 + flags) >>> 0);
    a.u32(at("header"), at("header"), at("end of image"), at("end of image"), at("start"));
    a.label("start");
  }

  #call(routine: string): void {
    this.#used.add(this.#bits);
    this.a.emit("call", at(`${routine}${this.#bits}`));
  }

  /** Printing, and what every exception comes to. */
  #routines(bits: 32 | 64): void {
    this.use(bits);
    const { a } = this;
    const [ax, dx, si, sp] = ["ax", "dx", "si", "sp"].map((name) => this.word(name));
    const own = (name: string) => at(`${name}${bits}`);
    const flags = bits === 64 ? "fq" : "fd";
    const push = (...names: readonly (string | undefined)[]) =>
      names.forEach((name) => a.emit("push", name ?? ""));
    const pop = (...names: readonly (string | undefined)[]) =>
      names.forEach((name) => a.emit("pop", name ?? ""));

    a.label(`put${bits}`);
    push(ax, dx);
    a.emit("out", 0xe9, "al").emit("mov", "ah", "al").emit("mov", "dx", 0x3fd);
    a.label(`wait${bits}`).emit("in", "al", "dx").emit("test", "al", 0x20);
    a.emit("jz", own("wait")).emit("mov", "dx", 0x3f8).emit("mov", "al", "ah");
    a.emit("out", "dx", "al");
    pop(dx, ax);
    a.emit("ret");

    a.label(`print${bits}`).emit(`push${flags}`).emit("cld");
    push(ax, si);
    a.label(`next${bits}`).emit("lodsb").emit("test", "al", "al").emit("jz", own("printed"));
    a.emit("call", own("put")).emit("jmp", own("next")).label(`printed${bits}`);
    pop(si, ax);
    a.emit(`popf${bits === 64 ? "q" : "d"}`).emit("ret");

    // eCX digits of eAX, the highest first.
    a.label(`hex${bits}`).emit(`push${flags}`);
    push(ax, dx, this.word("cx"));
    a.emit("mov", dx ?? "", ax ?? "").emit("mov", "eax", "ecx").emit("neg", "cl");
    a.emit("add", "cl", bits / 4).emit("shl", "cl", 2).emit("shl", dx ?? "", "cl");
    a.emit("mov", "ecx", "eax").label(`digit${bits}`).emit("rol", dx ?? "", 4);
    a.emit("mov", "al", "dl").emit("and", "al", 15).emit("add", "al", 0x30);
    a.emit("cmp", "al", 0x3a).emit("jb", own("is digit")).emit("add", "al", 39);
    a.label(`is digit${bits}`).emit("call", own("put")).emit("loop", own("digit"));
    pop(this.word("cx"), dx, ax);
    a.emit(`popf${bits === 64 ? "q" : "d"}`).emit("ret");

    for (let vector = 0; vector < vectors; vector++) {
      a.label(`vector${bits} ${vector}`);
      if (!withError.includes(vector)) a.emit("push", 0);
      a.emit("push", vector).emit("jmp", own("exception"));
    }

    // On the stack: registers, vector, error code, IP, CS, flags, SP, SS.
    const list = bits === 64 ? all64 : all32;
    const step = bits / 8;
    const frame = (n: number) => mem({ base: sp ?? "", disp: (list.length + n) * step });
    const cell = (label: string) => mem({ disp: at(label), size: 32 });
    a.label(`exception${bits}`);
    push(...list);
    if (bits === 32) {
      // On the way to level 3 they became null.
      a.emit("mov", "eax", sel.data).emit("mov", "ds", "ax").emit("mov", "es", "ax");
    }
    a.emit("mov", this.word("bp"), sp ?? "");
    a.emit("mov", ax ?? "", mem({ disp: at("hook") })).emit("test", "eax", "eax");
    a.emit("jz", own("no hook")).emit("call", ax ?? "").emit("test", "eax", "eax");
    a.emit("jz", own("no hook"));
    pop(...list.toReversed());
    a.emit("add", sp ?? "", 2 * step).emit(bits === 64 ? "iretq" : "iretd");
    a.label(`no hook${bits}`);
    a.emit("cmp", cell("resume"), 0).emit("jne", own("was expected"));
    this.say("unexpected ");
    a.label(`was expected${bits}`);
    const number = (text: string, digits: number, load: () => void) => {
      this.say(text);
      load();
      a.emit("mov", "ecx", digits).emit("call", own("hex"));
    };
    number("exception ", 2, () => a.emit("mov", ax ?? "", frame(0)));
    number(", error ", 4, () => a.emit("mov", ax ?? "", frame(1)));
    number(", IP off by ", bits / 4, () => {
      a.emit("mov", ax ?? "", frame(2)).emit("mov", "ecx", cell("expected"));
      a.emit("sub", ax ?? "", this.word("cx"));
    });
    number(", CS ", 4, () => a.emit("mov", ax ?? "", frame(3)));
    const other = this.fresh();
    a.emit("cmp", mem({ base: sp ?? "", disp: list.length * step, size: step * 8 }), 14);
    a.emit("jne", at(other));
    number(", CR2 ", bits / 4, () => a.emit("mov", ax ?? "", "cr2"));
    a.label(other);
    this.say("\n");
    const go = this.fresh();
    a.emit("cmp", cell("resume"), 0).emit("jne", at(go));
    this.exit(0x7f);
    a.label(go).emit("mov", "eax", sel.data).emit("mov", "ds", "ax").emit("mov", "es", "ax");
    if (bits === 32) a.emit("mov", "ss", "ax");
    pop(...list.toReversed());
    if (bits === 64) a.emit("push", sel.data).emit("pop", "rsp").emit("mov", "ss", "sp");
    a.emit("mov", sp ?? "", mem({ disp: at("resume stack") }));
    a.emit("jmp", mem({ disp: at("resume"), size: bits }));
  }

  #tables(): void {
    const { a } = this;
    const descriptor = (type: number, size: number, base = 0, limit = 0xfffff) => {
      a.u16(limit & 0xffff, base & 0xffff);
      a.bytes(base >> 16 & 0xff, type, size << 4 | limit >> 16, base >>> 24);
    };
    a.align(16).label("gdt").u64(0);
    descriptor(0x9b, 12);
    descriptor(0x93, 12);
    descriptor(0x9b, 10);
    descriptor(0x9b, 0, 0, 0xffff);
    descriptor(0x93, 0, 0, 0xffff);
    descriptor(0xfb, 12);
    descriptor(0xf3, 12);
    descriptor(0xfb, 10);
    descriptor(0x13, 12);
    descriptor(0x89, 0, place.tss, 0x67);
    a.u64(0).label("gdt end");
    a.label("gdtr").u16(12 * 8 - 1).u32(at("gdt"), 0);
    for (const bits of [32, 64] as const) {
      a.align(16).label(`idt${bits}`);
      const size = bits / 4;
      if (this.#used.has(bits)) {
        const selector = bits === 32 ? sel.code32 : sel.code64;
        for (let vector = 0; vector < vectors; vector++) {
          // All code lies in the second MiB's first 64 KiB, whose upper half is 0x10.
          a.u16(at(`vector${bits} ${vector}`, -place.image), selector);
          const dpl = vector === 3 || vector === 4 ? 0xee : 0x8e;
          a.bytes(bits === 64 && vector === 8 ? 1 : 0, dpl).u16(place.image >>> 16);
          if (bits === 64) a.u64(0);
        }
      }
      a.label(`idtr${bits}`).u16(this.#used.has(bits) ? vectors * size - 1 : 0);
      a.u32(at(`idt${bits}`), 0);
    }
    // In a page without code: what is written there changes no code.
    a.align(0x1000);
    for (const cell of ["expected", "resume", "resume stack", "hook", "ticks", "a", "b", "c"]) {
      a.label(cell).u64(0);
    }
  }
}

/** Makes a guest of what `body` writes behind the header. */
export function guest(name: string, what: string, end: GuestEnd, body: (kit: Kit) => void): Guest {
  const kit = new Kit();
  kit.header();
  body(kit);
  const bytes = kit.finish();
  return {
    ...{ name, what, mode: 32, end },
    load: [{ address: place.image, bytes }],
    entry: { eip: kit.a.address("start"), esp: place.stack, eax: 0x2badb002, ebx: 0 },
    memory: 16 << 20,
  };
}
