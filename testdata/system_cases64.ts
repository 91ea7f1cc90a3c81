/**
 * Programs for the ROM of system_rom.ts in 64-bit code.
 *
 * @module
 */

import { at, mem } from "../emu/cpu/assemble.ts";
import { vectors } from "../emu/cpu/processor.ts";
import { gates, handlerOf, segmentCases } from "./system_cases.ts";
import { place, sel, type SystemGuest, type } from "./system_guest.ts";
import { endVector, type RomCase, type RomProgram } from "./system_rom.ts";

/** The high half of the address space, where the ROM lies as well. */
const high = -0x4000_0000;
/** An address that is not canonical, and one that is not mapped. */
const wild = 0x8000_0000_0000;
const nowhere = 0x1234_5678_9000;

/** A far pointer to memory, at the start of what level 3 may write. */
const pointerAt = 0x20_6100;

function farPointer(p: RomProgram, offset: number | ReturnType<typeof at>, selector: number): void {
  p.emit("mov", "rax", offset).emit("mov", mem({ disp: pointerAt }), "rax");
  p.emit("mov", mem({ disp: pointerAt + 8, size: 32 }), selector);
}

function farCases(): RomCase[] {
  const all: RomCase[] = [];
  const targets: Readonly<Record<string, readonly [selector: number, offset?: number]>> = {
    "the same level": [sel.code],
    "the high half": [sel.code, high],
    "an address that is not canonical": [sel.code, wild],
    "level 3": [sel.userCode],
    conforming: [sel.conforming],
    null: [0],
    data: [sel.data],
    "beyond the table": [0x100],
    "code of 64 and 32 bits": [sel.a],
    "code not present": [sel.b],
    "a task": [sel.otherTss],
  };
  for (const mnemonic of ["jmp", "call"]) {
    for (const [name, [selector, where]] of Object.entries(targets)) {
      all.push({
        name: `far ${mnemonic} to ${name}`,
        prepare: (guest) => {
          guest.gdt(sel.a, { type: type.code, size: 14 });
          guest.gdt(sel.b, { type: type.code, size: 10, present: false });
        },
        code: (p) => {
          const label = p.label();
          farPointer(p, where === high || where === undefined ? at(label) : where, selector);
          if (where === high) {
            p.emit("mov", "rcx", high).emit("add", mem({ disp: pointerAt }), "rcx");
          }
          p.emit(`far ${mnemonic}`, mem({ disp: pointerAt, size: 80 }));
          p.a.label(label);
        },
      });
    }
  }
  const gate = (
    name: string,
    prepare: (guest: SystemGuest) => void,
    mnemonic = "call",
  ) =>
    all.push({
      name,
      prepare,
      code: (p) => {
        farPointer(p, 0x1234, sel.c);
        p.user().emit(`far ${mnemonic}`, mem({ disp: pointerAt, size: 48 }));
      },
    });
  const to = (selector: number, kind: number = gates.call, more = 0) => (guest: SystemGuest) =>
    guest.gate(sel.c, selector, handlerOf(guest, endVector) + more, kind, 3);
  gate("call gate to level 0", to(sel.code));
  gate("call gate to the same level", to(sel.userCode));
  gate("call gate to 32-bit code", to(sel.code32));
  gate("call gate of 16 bits", to(sel.code, gates.call16));
  gate("call gate to an address that is not canonical", to(sel.code, gates.call, wild));
  gate("call gate to null", to(0));
  gate("task gate", to(sel.otherTss, gates.task));
  gate("jmp through a gate to level 0", to(sel.code), "jmp");
  gate("call gate whose second half has a type", (guest) => {
    to(sel.code)(guest);
    guest.setWord(place.gdt + sel.c + 12, 0x100);
  });
  return all;
}

function returnCases(): RomCase[] {
  const all: RomCase[] = [];
  const frames: Readonly<
    Record<
      string,
      readonly [code: number, stack: number, offset?: number | undefined, pointer?: number]
    >
  > = {
    "level 3": [sel.userCode, sel.userData],
    "level 0": [sel.code, sel.data],
    "level 0 with a null stack": [sel.code, 0],
    "level 3 with a null stack": [sel.userCode, 3],
    "level 1 with a null stack": [sel.code1, 1],
    "a null stack of another RPL": [sel.code, 1],
    null: [0, sel.userData],
    data: [sel.data, sel.userData],
    "RPL that is not DPL": [sel.code | 3, sel.userData],
    "stack of another level": [sel.userCode, sel.data],
    "an address that is not canonical": [sel.userCode, sel.userData, wild],
    "code of both sizes": [sel.a | 3, sel.userData],
    "a stack pointer that is not canonical": [sel.code, sel.data, undefined, 0x1234_5678_9abc_def0],
  };
  for (
    const [name, [code, stack, offset, pointer = place.userStack - 0x200]] of Object.entries(frames)
  ) {
    for (const mnemonic of ["o64 retf", "iretq"]) {
      if (pointer > 2 ** 53 && mnemonic !== "iretq") continue;
      all.push({
        name: `${mnemonic} to ${name}`,
        prepare: (guest) => guest.gdt(sel.a, { type: type.code, dpl: 3, size: 14 }),
        code: (p) => {
          const label = p.label();
          p.push(stack, pointer);
          if (mnemonic === "iretq") p.push(0x20_3002);
          p.push(code).emit("mov", "rax", offset ?? at(label)).emit("push", "rax").emit(mnemonic);
          p.a.label(label);
          // Where the stack pointer leads nowhere, what is told needs one that does.
          if (pointer > 2 ** 47) p.emit("mov", "rdx", "rsp").emit("mov", "esp", 0x8800);
        },
      });
    }
  }
  all.push({
    name: "iretq at level 3",
    code: (p) => {
      const label = p.label();
      p.user().push(sel.userData, place.userStack - 0x300, 0x24_3ed7, sel.userCode);
      p.emit("mov", "rax", at(label)).emit("push", "rax").emit("iretq");
      p.a.label(label);
    },
  }, {
    name: "iretq at level 3 from the supervisor's stack",
    code: (p) => void p.user().emit("mov", "esp", 0x8000).emit("iretq"),
  }, {
    name: "iretd in 64-bit code",
    code: (p) => {
      const label = p.label();
      // Five values of 32 bits.
      p.emit("sub", "rsp", 20);
      const set = (n: number, value: number | ReturnType<typeof at>) =>
        p.emit("mov", mem({ base: "rsp", disp: 4 * n, size: 32 }), value);
      set(0, at(label));
      set(1, sel.code);
      set(2, 2);
      set(3, 0x8800);
      set(4, sel.data);
      p.emit("iretd");
      p.a.label(label);
    },
  }, {
    name: "iretq with NT",
    code: (p) => {
      const label = p.label();
      p.push(sel.data, 0x8800, 2, sel.code).emit("mov", "rax", at(label)).emit("push", "rax");
      p.push(0x4002).emit("popfq").emit("iretq");
      p.a.label(label);
    },
  });
  return all;
}

function interruptCases(): RomCase[] {
  const all: RomCase[] = [];
  const raise: Readonly<Record<string, (p: RomProgram) => void>> = {
    "int 30h": (p) => void p.emit("int", 0x30),
    int3: (p) => void p.emit("int3"),
    ud2: (p) => void p.emit("ud2"),
    div: (p) => void p.emit("xor", "ecx", "ecx").emit("div", "ecx"),
    "a read that is not canonical": (p) =>
      void p.emit("mov", "rcx", wild).emit("mov", "eax", mem({ base: "rcx" })),
    "a push that is not canonical": (p) =>
      void p.emit("mov", "rbp", wild).emit("mov", "eax", mem({ base: "rbp" })),
    "a read from nowhere": (p) =>
      void p.emit("mov", "rcx", nowhere).emit("mov", "eax", mem({ base: "rcx" })),
    "a write to nowhere": (p) =>
      void p.emit("mov", "rcx", nowhere).emit("mov", mem({ base: "rcx" }), "eax"),
    "a read of the supervisor's": (p) => void p.emit("mov", "eax", mem({ disp: place.gdt })),
    "a jump to nowhere": (p) => void p.emit("mov", "rcx", nowhere).emit("jmp", "rcx"),
    "a jump that is not canonical": (p) => void p.emit("mov", "rcx", wild).emit("jmp", "rcx"),
    hlt: (p) => void p.emit("hlt"),
    cli: (p) => void p.emit("cli"),
    swapgs: (p) => void p.emit("swapgs"),
    "sysret while EFER.SCE is set": (p) => void p.emit("sysret"),
  };
  for (const [name, write] of Object.entries(raise)) {
    all.push({ name: `${name} at level 3`, code: (p) => write(p.user(0x3202)) });
    if (name.startsWith("sysret") || name === "hlt") continue;
    all.push({ name: `${name} at level 0`, code: write });
  }
  type Prepare = (guest: SystemGuest) => void;
  const kinds: Readonly<Record<string, Prepare>> = {
    "a trap gate": (g) => g.idt(0x30, sel.code, handlerOf(g, 0x30), gates.trap, 3),
    "a gate of 16 bits": (g) => g.idt(0x30, sel.code, 0, gates.interrupt16, 3),
    "a task gate": (g) => g.idt(0x30, sel.otherTss, 0, gates.task, 3),
    "a gate to 32-bit code": (g) => g.idt(0x30, sel.code32, 0, gates.interrupt, 3),
    "a gate to null": (g) => g.idt(0x30, 0, 0, gates.interrupt, 3),
    "a gate to data": (g) => g.idt(0x30, sel.data, 0, gates.interrupt, 3),
    "a gate to level 3": (g) => g.idt(0x30, sel.userCode, handlerOf(g, 0x30), gates.interrupt, 3),
    "a gate with interrupt stack 1": (g) =>
      g.idt(0x30, sel.code, handlerOf(g, 0x30), gates.interrupt, 3, 1),
    "a gate with interrupt stack 7, which is at 0": (g) =>
      g.idt(0x30, sel.code, handlerOf(g, 0x30), gates.interrupt, 3, 7),
    "a gate into the high half": (g) =>
      g.idt(0x30, sel.code, high + handlerOf(g, 0x30), gates.interrupt, 3),
    "a gate to level 1": (g) => g.idt(0x30, sel.code1, handlerOf(g, 0x30), gates.interrupt, 3),
  };
  for (const [name, prepare] of Object.entries(kinds)) {
    for (const level of [0, 3]) {
      // What goes wrong on the interrupt stack is told on another.
      all.push({
        name: `int 30h at level ${level} through ${name}`,
        prepare: (guest) => {
          prepare(guest);
          for (const vector of [vectors.PF, vectors.DF]) {
            guest.idt(vector, sel.code, handlerOf(guest, vector), gates.interrupt, 0, 2);
          }
        },
        code: (p) => {
          if (level === 3) p.user();
          // A stack that is not aligned.
          p.emit("sub", "rsp", 4).emit("int", 0x30);
        },
      });
    }
  }
  all.push({
    name: "a page fault on the inner stack",
    prepare: (guest) => {
      guest.setWord(place.tss + 4, 0x40_0800);
      guest.idt(vectors.PF, sel.code, handlerOf(guest, vectors.PF), gates.interrupt, 0, 2);
      guest.idt(0x30, sel.code, handlerOf(guest, 0x30), gates.interrupt, 3);
    },
    code: (p) => void p.user().emit("int", 0x30),
  }, {
    name: "a page fault while one is delivered",
    prepare: (guest) => {
      guest.setWord(place.tss + 4, 0x40_0800);
      guest.idt(vectors.DF, sel.code, handlerOf(guest, vectors.DF), gates.interrupt, 0, 2);
    },
    code: (p) => void p.user().emit("mov", "eax", mem({ disp: place.gdt })),
  }, {
    name: "#GP without a gate",
    prepare: (guest) => {
      guest.setWord(place.idt + 16 * vectors.GP + 4, 0);
    },
    code: (p) => void p.user().emit("hlt"),
  });
  return all;
}

function callCases(): RomCase[] {
  const msr = (p: RomProgram, number: number, top: number, low: number | ReturnType<typeof at>) =>
    p.emit("mov", "ecx", number).emit("mov", "edx", top).emit("mov", "eax", low).emit("wrmsr");
  // SYSRET's segments: 32-bit code, data and 64-bit code one behind the other.
  const star = sel.a << 16 | sel.code;
  const prepare = (guest: SystemGuest) => {
    guest.gdt(sel.a, { type: type.code, dpl: 3 });
    guest.gdt(sel.b, { type: type.data, dpl: 3 });
    guest.gdt(sel.c, { type: type.code, dpl: 3, size: 10 });
  };
  const all: RomCase[] = [{
    name: "syscall",
    prepare,
    code: (p) => {
      const label = p.label();
      msr(p, 0xc000_0081, star, 0);
      msr(p, 0xc000_0082, 0, at(label));
      msr(p, 0xc000_0084, 0, 0x200);
      p.user(0x24_3ad7).emit("syscall");
      p.a.label(label);
    },
  }, {
    name: "syscall and sysret",
    prepare,
    code: (p) => {
      const label = p.label();
      msr(p, 0xc000_0081, star, 0);
      msr(p, 0xc000_0082, 0, at(label));
      msr(p, 0xc000_0084, 0, 0x3700);
      const back = p.label();
      p.user(0x24_3ad7).emit("syscall");
      p.a.label(label);
      p.emit("cmp", "esp", place.userStack - 0x100).emit("o64 sysret");
      p.a.label(back);
    },
  }, {
    name: "sysret to 32-bit code",
    prepare,
    code: (p) => {
      const label = p.label();
      msr(p, 0xc000_0081, star, 0);
      p.emit("mov", "ecx", at(label)).emit("mov", "r11d", 0x3246).emit("mov", "esp", 0x20_8000);
      p.emit("sysret");
      p.a.label(label).use(32);
    },
  }, {
    name: "syscall while EFER.SCE is clear",
    code: (p) => {
      msr(p, 0xc000_0080, 0, 0x500);
      p.emit("syscall").emit("ud2");
    },
  }, {
    name: "EFER.SCE for those to come",
    code: (p) => void msr(p, 0xc000_0080, 0, 0x501),
  }, {
    name: "sysenter",
    code: (p) => {
      const label = p.label();
      msr(p, 0x174, 0, sel.code);
      msr(p, 0x175, 0, 0x8800);
      msr(p, 0x176, 0, at(label));
      p.user(0x3202).emit("sysenter");
      p.a.label(label);
    },
  }, {
    name: "sysexit to 64-bit code",
    code: (p) => {
      const label = p.label();
      msr(p, 0x174, 0, sel.code);
      p.emit("mov", "edx", at(label)).emit("mov", "ecx", 0x20_8000).emit("o64 sysexit");
      p.a.label(label);
    },
  }, {
    name: "swapgs",
    code: (p) => {
      msr(p, 0xc000_0102, 0xffff_ffff | 0, 0x8000_1234 | 0);
      p.emit("mov", "ebx", sel.userData).emit("mov", "gs", "bx");
      msr(p, 0xc000_0101, 0, 0x1234_5678);
      p.emit("swapgs").emit("rdmsr").emit("mov", "esi", "edx").emit("mov", "edi", "eax");
      p.emit("inc", "ecx").emit("rdmsr");
    },
  }];
  for (const selector of [0, sel.code, sel.data, sel.userCode, sel.tss, sel.tss16, sel.a, sel.b]) {
    all.push({
      name: `lar and lsl of ${selector.toString(16)}`,
      prepare: (guest) => {
        guest.gate(sel.a, sel.code, 0, gates.call);
        guest.gdt(sel.b, { type: gates.task });
      },
      code: (p) =>
        void p.emit("mov", "eax", selector).emit("lar", "ecx", "ax").emit("lsl", "edx", "ax"),
    });
  }
  for (
    const [mnemonic, selector, name] of [
      ["ltr", sel.otherTss, "a task"],
      ["ltr", sel.tss, "a busy task"],
      ["ltr", sel.tss16, "a task of 16 bits"],
      ["lldt", sel.ldt, "an LDT"],
      ["lldt", sel.a, "an LDT whose second half has a type"],
    ] as const
  ) {
    all.push({
      name: `${mnemonic} of ${name}`,
      prepare: (guest) => {
        guest.setWord(place.gdt + sel.otherTss + 8, 0);
        guest.setWord(place.gdt + sel.otherTss + 12, 0);
        guest.setWord(place.gdt + sel.ldt + 8, 0);
        guest.setWord(place.gdt + sel.ldt + 12, 0);
        guest.gdt(sel.a, { type: 2 });
        guest.setWord(place.gdt + sel.a + 12, 0x100);
      },
      code: (p) => void p.load(mnemonic, selector),
    });
  }
  return all;
}

/** All of 64-bit code. */
export function systemCases64(): readonly RomCase[] {
  return [segmentCases(), farCases(), returnCases(), interruptCases(), callCases()].flat();
}
