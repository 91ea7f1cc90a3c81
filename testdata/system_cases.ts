/**
 * Programs for the ROM of system_rom.ts: segments, gates, tasks, interrupts and
 * system calls of 32-bit code, and how they fail.
 *
 * @module
 */

import { at, far, mem } from "../emu/cpu/assemble.ts";
import { vectors } from "../emu/cpu/processor.ts";
import { endVector, type RomCase, type RomProgram } from "./system_rom.ts";
import { place, sel, type SystemGuest, type } from "./system_guest.ts";

/** Types of gates. */
export const gates = {
  ...{ task: 5, interrupt16: 6, trap16: 7, interrupt: 14, trap: 15, call16: 4, call: 12 },
} as const;

/** Where the handler of a vector is, as its gate says. */
export function handlerOf(guest: SystemGuest, vector: number): number {
  const size = guest.tables === undefined ? 8 : 16;
  const low = guest.word(place.idt + size * vector);
  const high = guest.word(place.idt + size * vector + 4);
  return (high & 0xffff_0000 | low & 0xffff) >>> 0;
}

/** Descriptors that segment registers are loaded from: which, and the selector without RPL. */
const loads = {
  ...{ data: sel.userData & ~3, beyond: 0x100, "another level": sel.code1 & ~3, system: sel.tss },
  ...{ "execute-only": sel.a, conforming: sel.conforming, "not present": sel.b },
  ...{ "read-only": sel.c, "expand-down": sel.d, "no LDT": 0x14, LDT: 0xc, level0: sel.data },
} as const;

/** Loads of segment registers. */
export function segmentCases(): RomCase[] {
  const prepare = (dpl: number) => (guest: SystemGuest) => {
    guest.gdt(sel.a, { type: type.executeOnly, dpl });
    guest.gdt(sel.b, { type: type.data, dpl, present: false });
    guest.gdt(sel.c, { type: type.readOnly, dpl });
    guest.gdt(sel.d, { type: type.expandDown, dpl, limit: 0xfff, size: 4 });
    guest.ldt(8, { type: type.data, dpl });
  };
  const all: RomCase[] = [];
  for (const level of [0, 3] as const) {
    for (const register of ["ds", "fs", "ss"]) {
      for (const [name, selector] of Object.entries(loads)) {
        for (const rpl of [0, 3]) {
          // A stack that does not fit RPL fails alike for all.
          if (register !== "ds" && rpl !== level) continue;
          all.push({
            name: `${register} at level ${level} from ${name}, RPL ${rpl}`,
            prepare: prepare(level),
            code: (p) => {
              if (name === "LDT") p.load("lldt", sel.ldt);
              if (level === 3) p.user();
              p.load(register, selector | rpl);
            },
          });
        }
      }
      all.push({
        name: `${register} at level ${level} from null`,
        code: (p) => void (level === 3 ? p.user() : p).load(register, level),
      });
    }
  }
  return all;
}

/** Far jumps and calls that need no gate, of 32-bit code. */
export function farCases(): RomCase[] {
  const targets = {
    ...{ "the same level": sel.code & ~3, "level 3": sel.userCode, conforming: sel.conforming },
    ...{ data: sel.data, null: 0, beyond: 0x100, "not present": sel.a, system: sel.ldt },
    ...{ "conforming of level 3": sel.b, busy: sel.tss },
  };
  const all: RomCase[] = [];
  for (const level of [0, 3]) {
    for (const mnemonic of ["jmp", "call"]) {
      for (const [name, selector] of Object.entries(targets)) {
        all.push({
          name: `far ${mnemonic} at level ${level} to ${name}`,
          prepare: (guest) => {
            guest.gdt(sel.a, { type: type.code, dpl: level, present: false });
            guest.gdt(sel.b, { type: type.conforming, dpl: 3 });
          },
          code: (p) => {
            if (level === 3) p.user();
            const label = p.label();
            p.emit(mnemonic, far(selector, at(label)));
            p.a.label(label);
          },
        });
      }
    }
  }
  return all;
}

/** Call gates, and what can be wrong with them and with inner stacks. */
export function gateCases(): RomCase[] {
  const all: RomCase[] = [];
  const add = (
    name: string,
    prepare: (guest: SystemGuest) => void,
    mnemonic = "call",
    before: (p: RomProgram) => void = () => {},
  ) => {
    all.push({
      name,
      prepare,
      code: (p) => {
        p.user();
        before(p);
        p.emit(mnemonic, far(sel.c, 0x1234));
      },
    });
  };
  const gate = (
    guest: SystemGuest,
    target: number,
    kind: number = gates.call,
    count = 0,
    dpl = 3,
  ) => guest.gate(sel.c, target, handlerOf(guest, endVector), kind, dpl, count);
  add("call gate to level 0", (g) => gate(g, sel.code));
  add("call gate with three parameters", (g) => gate(g, sel.code, gates.call, 3), "call", (p) => {
    p.push(0x1111, 0x2222, 0x3333);
  });
  add("call gate to level 1", (g) => gate(g, sel.code1));
  add("call gate to the same level", (g) => gate(g, sel.userCode, gates.call, 3));
  add("jmp through a gate to conforming code", (g) => gate(g, sel.conforming), "jmp");
  add("jmp through a gate to the same level", (g) => gate(g, sel.userCode), "jmp");
  add("jmp through a gate to level 0", (g) => gate(g, sel.code), "jmp");
  add("call gate of level 2", (g) => gate(g, sel.code, gates.call, 0, 2));
  add("call gate to null", (g) => gate(g, 0));
  add("call gate to data", (g) => gate(g, sel.data));
  add("call gate beyond the table", (g) => gate(g, 0x100));
  add("call gate to code that is not present", (g) => {
    g.gdt(sel.a, { type: type.code, present: false });
    gate(g, sel.a);
  });
  add("call gate that is not present", (g) => {
    gate(g, sel.code);
    g.setWord(place.gdt + sel.c + 4, g.word(place.gdt + sel.c + 4) & ~0x8000);
  });
  const stack = (name: string, selector: number) =>
    add(`call gate, inner stack ${name}`, (g) => {
      g.gdt(sel.a, { type: type.data, present: false });
      g.gdt(sel.b, { type: type.readOnly });
      gate(g, sel.code);
      g.setWord(place.tss + 8, selector);
      // There is no stack of level 0, so those who tell stay on level 3.
      for (const vector of [vectors.TS, vectors.SS, endVector]) {
        g.idt(vector, sel.conforming, handlerOf(g, vector), gates.interrupt, 3);
      }
    });
  stack("null", 0);
  stack("beyond the table", 0x100);
  stack("of another level", sel.data1);
  stack("with another RPL", sel.data | 1);
  stack("that is code", sel.code);
  stack("that is not present", sel.a);
  stack("that is read-only", sel.b);
  return all;
}

/** RETF and IRET. */
export function returnCases(): RomCase[] {
  const all: RomCase[] = [];
  const frames: Readonly<Record<string, readonly [code: number, stack: number, offset?: number]>> =
    {
      "level 3": [sel.userCode, sel.userData],
      "level 1": [sel.code1, sel.data1],
      "the same level": [sel.code, sel.data],
      null: [0, sel.userData],
      data: [sel.data, sel.userData],
      "beyond the table": [0x103, sel.userData],
      "RPL that is not DPL": [sel.code | 3, sel.userData],
      "not present": [sel.a | 3, sel.userData],
      "null stack": [sel.userCode, 0],
      "stack of another level": [sel.userCode, sel.data],
      "stack with another RPL": [sel.userCode, sel.userData & ~3],
      "stack not present": [sel.userCode, sel.b | 3],
      "stack of code": [sel.userCode, sel.userCode],
      conforming: [sel.conforming | 3, sel.userData],
    };
  for (const [name, [code, stack]] of Object.entries(frames)) {
    for (const mnemonic of ["retf", "iretd"]) {
      all.push({
        name: `${mnemonic} to ${name}`,
        prepare: (guest) => {
          guest.gdt(sel.a, { type: type.code, dpl: 3, present: false });
          guest.gdt(sel.b, { type: type.data, dpl: 3, present: false });
        },
        code: (p) => {
          const label = p.label();
          p.push(stack, place.userStack - 0x200);
          if (mnemonic === "iretd") p.push(0x20_3002);
          p.push(code).emit("push", at(label)).emit(mnemonic);
          p.a.label(label);
        },
      });
    }
  }
  const nested = (name: string, link: number) =>
    all.push({
      name: `iretd with NT to ${name}`,
      prepare: (guest) => guest.setWord(place.tss, link),
      code: (p) => void p.push(0x4002).emit("popfd").emit("iretd"),
    });
  nested("an available task", sel.otherTss);
  nested("data", sel.data);
  nested("a task beyond the table", 0x100);
  all.push({
    name: "retf inwards",
    code: (p) => {
      p.user().push(sel.code, 0x1000).emit("retf");
    },
  });
  for (const flags of [0x3202, 0x24_7ed7, 0x18_0002]) {
    all.push({
      name: `iretd at level 3 with flags ${flags.toString(16)}`,
      code: (p) => {
        const label = p.label();
        p.user().push(flags, sel.userCode).emit("push", at(label)).emit("iretd");
        p.a.label(label);
      },
    });
    all.push({
      name: `iretd at level 0 with flags ${flags.toString(16)}`,
      code: (p) => {
        const label = p.label();
        p.push(flags, sel.code).emit("push", at(label)).emit("iretd");
        p.a.label(label);
      },
    });
  }
  return all;
}

/** Interrupts through gates of all kinds. */
export function interruptCases(): RomCase[] {
  const all: RomCase[] = [];
  const raise: Readonly<Record<string, (p: RomProgram) => void>> = {
    "int 30h": (p) => void p.emit("int", 0x30),
    int3: (p) => void p.emit("int3"),
    into: (p) => void p.emit("mov", "al", 0x7f).emit("inc", "al").emit("into"),
    ud2: (p) => void p.emit("ud2"),
    div: (p) => void p.emit("xor", "ecx", "ecx").emit("div", "ecx"),
    bound: (p) => void p.emit("bound", "eax", mem({ disp: place.userStack })),
    "int 13": (p) => void p.emit("int", 13),
    hlt: (p) => void p.emit("hlt"),
    cli: (p) => void p.emit("cli"),
    sti: (p) => void p.emit("sti"),
    lldt: (p) => void p.emit("lldt", "ax"),
    "mov cr0": (p) => void p.emit("mov", "eax", "cr0"),
  };
  for (const [name, write] of Object.entries(raise)) {
    if (["hlt", "cli", "sti", "lldt", "mov cr0"].includes(name)) {
      all.push({ name: `${name} at level 3`, code: (p) => write(p.user()) });
      continue;
    }
    for (const dpl of [0, 3]) {
      const prepare = (guest: SystemGuest) => {
        for (const vector of [3, 4, 13, 0x30]) {
          const high = guest.word(place.idt + 8 * vector + 4);
          guest.setWord(place.idt + 8 * vector + 4, high | dpl << 13);
        }
      };
      all.push({
        name: `${name} at level 3, gate of ${dpl}`,
        prepare,
        code: (p) => write(p.user()),
      });
    }
    all.push({ name: `${name} at level 0`, code: write });
  }
  const kinds: Readonly<Record<string, readonly [selector: number, kind: number]>> = {
    "trap gate": [sel.code, gates.trap],
    "call gate": [sel.code, gates.call],
    "gate to null": [0, gates.interrupt],
    "gate to data": [sel.data, gates.interrupt],
    "gate beyond the table": [0x100, gates.interrupt],
    "gate to code not present": [sel.a, gates.interrupt],
    "gate to level 1": [sel.code1, gates.interrupt],
    "gate to conforming code": [sel.conforming, gates.interrupt],
    "gate to level 3": [sel.userCode, gates.interrupt],
    "task gate to data": [sel.data, gates.task],
    "task gate to a busy task": [sel.tss, gates.task],
  };
  for (const [name, [selector, kind]] of Object.entries(kinds)) {
    for (const level of [0, 3]) {
      all.push({
        name: `int 30h at level ${level} through a ${name}`,
        prepare: (guest) => {
          guest.gdt(sel.a, { type: type.code, present: false });
          guest.idt(0x30, selector, handlerOf(guest, 0x30), kind, 3);
        },
        code: (p) => void (level === 3 ? p.user(0x3202) : p).emit("int", 0x30),
      });
    }
  }
  const traced: Readonly<Record<string, (p: RomProgram) => void>> = {
    nop: (p) => void p.emit("nop").emit("nop"),
    "a fault": (p) => void p.emit("ud2"),
    popf: (p) => void p.emit("popfd").emit("nop"),
  };
  for (const [name, write] of Object.entries(traced)) {
    all.push({
      name: `TF and ${name}`,
      code: (p) => {
        p.emit("mov", "eax", sel.data).push(2, 0x102).emit("popfd");
        write(p);
      },
    });
  }
  all.push({
    name: "int beyond the table",
    code: (p) => void p.user().emit("int", 0x50),
  }, {
    name: "double fault: no #GP gate",
    prepare: (guest) => guest.setWord(place.idt + 8 * vectors.GP + 4, 0),
    code: (p) => void p.load("ds", 0x100),
  });
  return all;
}

/** Hardware task switches. */
export function taskCases(): RomCase[] {
  const all: RomCase[] = [];
  interface Parts {
    readonly cs?: number;
    readonly ss?: number;
    readonly ds?: number;
    readonly ldt?: number;
    readonly eflags?: number;
  }
  const write = (guest: SystemGuest, parts: Parts = {}) => {
    const { cs = sel.code, ss = sel.data, ds = sel.data, ldt = 0, eflags = 2 } = parts;
    const set = (offset: number, value: number) => guest.setWord(place.otherTss + offset, value);
    set(4, place.stack0);
    set(8, sel.data);
    set(0x20, handlerOf(guest, 0x30));
    set(0x24, eflags);
    for (let n = 0; n < 8; n++) set(0x28 + 4 * n, 0xa0a0_0000 + n);
    set(0x38, place.task);
    set(0x48, sel.data);
    set(0x4c, cs);
    set(0x50, ss);
    set(0x54, ds);
    set(0x60, ldt);
    guest.gdt(sel.a, { type: type.data, present: false });
    guest.gdt(sel.b, { type: type.code, present: false });
  };
  const switches: Readonly<Record<string, (p: RomProgram) => void>> = {
    jmp: (p) => void p.emit("jmp", far(sel.otherTss, 0)),
    call: (p) => void p.emit("call", far(sel.otherTss, 0)),
    "call gate": (p) => void p.emit("call", far(sel.c, 0)),
    int: (p) => void p.emit("int", 0x31),
  };
  for (const [name, go] of Object.entries(switches)) {
    for (const level of name === "jmp" || name === "call" ? [0] : [0, 3]) {
      all.push({
        name: `task by ${name} at level ${level}`,
        prepare: (guest) => {
          write(guest);
          guest.gate(sel.c, sel.otherTss, 0, gates.task, 3);
          guest.idt(0x31, sel.otherTss, 0, gates.task, 3);
        },
        code: (p) => go(level === 3 ? p.user() : p),
      });
    }
  }
  const wrong: Readonly<Record<string, Parts>> = {
    "data as CS": { cs: sel.data },
    "CS null": { cs: 0 },
    "CS not present": { cs: sel.b },
    "SS of another level": { ss: sel.userData },
    "SS not present": { ss: sel.a },
    "a task as DS": { ds: sel.tss },
    "DS not present": { ds: sel.a },
    "data as LDT": { ldt: sel.data },
    "an LDT": { ldt: sel.ldt },
    "a stack of level 3": { cs: sel.userCode, ss: sel.userData, ds: sel.userData },
  };
  for (const [name, parts] of Object.entries(wrong)) {
    all.push({
      name: `task with ${name}`,
      prepare: (guest) => {
        write(guest, parts);
        // The new task has no stack to tell on, so a third one does.
        const third = place.tss16;
        guest.gdt(sel.d, { type: 9, base: third, limit: 0x67, size: 0 });
        for (const vector of [vectors.TS, vectors.NP, vectors.SS]) {
          guest.idt(vector, sel.d, 0, gates.task);
        }
        for (let offset = 0x48; offset < 0x60; offset += 4) guest.setWord(third + offset, sel.data);
        guest.setWord(third + 0x4c, sel.code);
        guest.setWord(third + 0x20, handlerOf(guest, 0x31));
        guest.setWord(third + 0x38, place.ist1);
      },
      code: (p) => void p.emit("jmp", far(sel.otherTss, 0)),
    });
  }
  all.push({
    name: "task and back",
    prepare: (guest) => write(guest),
    code: (p) => {
      const label = p.label();
      // The other task starts here, and returns by its NT.
      p.emit("mov", mem({ disp: place.otherTss + 0x20, size: 32 }), at(label));
      p.emit("call", far(sel.otherTss, 0));
      p.emit("mov", "ecx", mem({ disp: place.otherTss + 0x20 }));
      p.emit("mov", "edx", mem({ disp: place.otherTss + 0x24 }));
      p.emit("mov", "esi", mem({ disp: place.tss + 0x20 }));
      p.emit("mov", "edi", mem({ disp: place.gdt + sel.otherTss + 4 }));
      p.emit("int", endVector);
      p.a.label(label);
      p.emit("mov", "eax", "cr0").emit("iretd");
    },
  }, {
    name: "task too short",
    prepare: (guest) => {
      write(guest);
      guest.gdt(sel.otherTss, { type: 9, base: place.otherTss, limit: 0x66, size: 0 });
    },
    code: (p) => void p.emit("jmp", far(sel.otherTss, 0)),
  }, {
    name: "double fault through a task gate",
    prepare: (guest) => {
      write(guest);
      guest.idt(vectors.DF, sel.otherTss, 0, gates.task);
      guest.setWord(place.idt + 8 * vectors.GP + 4, 0);
    },
    code: (p) => void p.load("ds", 0x100),
  });
  return all;
}

/** Virtual-8086 mode. */
export function virtualCases(): RomCase[] {
  const all: RomCase[] = [];
  const programs: Readonly<Record<string, (p: RomProgram) => void>> = {
    "int 30h": (p) => void p.emit("int", 0x30),
    int3: (p) => void p.emit("int3"),
    cli: (p) => void p.emit("cli"),
    sti: (p) => void p.emit("sti"),
    pushf: (p) => void p.emit("pushf").emit("pop", "ax"),
    popf: (p) => void p.emit("push", 0x202).emit("popf"),
    pushfd: (p) => void p.emit("o32 pushfd").emit("pop", "eax"),
    popfd: (p) => void p.emit("o32 push", 0x24_0202).emit("o32 popfd"),
    hlt: (p) => void p.emit("hlt"),
    lldt: (p) => void p.bytes(0x0f, 0x00, 0xd0),
    "mov ss": (p) => void p.emit("mov", "ax", 0x700).emit("mov", "ss", "ax"),
    ud2: (p) => void p.emit("ud2"),
    iret: (p) => {
      const label = p.label();
      p.emit("push", 0x202).emit("push", "cs").emit("push", at(label, -0xf_0000)).emit("iret");
      p.a.label(label);
      p.emit("int3");
    },
  };
  for (const [name, write] of Object.entries(programs)) {
    for (const flags of [0x3202, 0x0202]) {
      all.push({
        name: `${name} in virtual-8086 mode, IOPL ${flags >> 12}`,
        prepare: (guest) => {
          for (const vector of [3, 0x30]) {
            const high = guest.word(place.idt + 8 * vector + 4);
            guest.setWord(place.idt + 8 * vector + 4, high | 3 << 13);
          }
        },
        code: (p) => {
          write(p.virtual8086(flags));
          p.emit("int3");
        },
      });
    }
  }
  return all;
}

/** SYSENTER and SYSEXIT, and questions about protection. */
export function otherCases(): RomCase[] {
  const msr = (p: RomProgram, number: number, value: number | ReturnType<typeof at>) =>
    p.emit("mov", "ecx", number).emit("mov", "eax", value).emit("xor", "edx", "edx").emit("wrmsr");
  const all: RomCase[] = [{
    name: "sysenter without a segment",
    code: (p) => {
      msr(p, 0x174, 0);
      p.user().emit("sysenter");
    },
  }, {
    name: "sysenter",
    code: (p) => {
      const label = p.label();
      msr(p, 0x174, sel.code);
      msr(p, 0x175, 0x8800);
      msr(p, 0x176, at(label));
      p.user(0x24_3202).emit("sysenter");
      p.a.label(label);
    },
  }, {
    name: "sysexit",
    code: (p) => {
      const label = p.label();
      msr(p, 0x174, sel.code);
      p.emit("mov", "edx", at(label)).emit("mov", "ecx", place.userStack - 0x200).emit("sysexit");
      p.a.label(label);
    },
  }, {
    name: "sysexit at level 3",
    code: (p) => void p.user().emit("sysexit"),
  }];
  const asked = [
    ...[0, sel.code, sel.data, sel.userCode, sel.userData, sel.tss, sel.ldt, sel.conforming],
    ...[sel.otherTss, sel.tss16, sel.a, sel.b, sel.c, sel.d, 0x100, 0xc, sel.data | 3, sel.code16],
  ];
  for (const level of [0, 3]) {
    for (const selector of asked) {
      all.push({
        name: `lar, lsl, verr and verw at level ${level} of ${selector.toString(16)}`,
        prepare: (guest) => {
          guest.gate(sel.a, sel.code, 0, gates.call);
          guest.gate(sel.b, sel.tss, 0, gates.task);
          guest.gate(sel.c, sel.code, 0, gates.interrupt);
          guest.gdt(sel.d, { type: type.executeOnly, dpl: 3, present: false, limit: 0x123 });
        },
        code: (p) => {
          if (level === 3) p.user();
          p.emit("mov", "eax", selector).emit("lar", "ecx", "ax").emit("lsl", "edx", "ax");
          p.emit("sete", "bl").emit("verr", "ax").emit("sete", "bh").emit("verw", "ax");
        },
      });
    }
  }
  for (
    const [mnemonic, selectors] of [
      ["lldt", [0, sel.ldt, sel.data, 0x100, sel.ldt | 4, sel.a]],
      ["ltr", [0, sel.otherTss, sel.tss, sel.tss16, sel.ldt, sel.b, 0x100, sel.otherTss | 4]],
    ] as const
  ) {
    for (const selector of selectors) {
      all.push({
        name: `${mnemonic} of ${selector.toString(16)}`,
        prepare: (guest) => {
          guest.gdt(sel.a, { type: 2, present: false });
          guest.gdt(sel.b, { type: 9, present: false });
        },
        code: (p) => void p.load(mnemonic, selector),
      });
    }
  }
  return all;
}

/** All of 32-bit code. */
export function systemCases32(): readonly RomCase[] {
  return [
    ...[segmentCases(), farCases(), gateCases(), returnCases(), interruptCases()],
    ...[taskCases(), virtualCases(), otherCases()],
  ].flat();
}
