/**
 * Guests in 32-bit protected mode: interrupts, exceptions, paging, privilege.
 *
 * @module
 */

import { at, mem } from "../../emu/cpu/assemble.ts";
import { type Guest, guest, type Kit, place, sel } from "./kit.ts";

/** Page directory and one page table, one to one for the first 4 MiB but for pages given. */
function pagingOn(kit: Kit, others: Readonly<Record<number, number>>): void {
  const { a } = kit;
  const [directory, table] = [place.tables, place.tables + 0x1000];
  const again = kit.fresh();
  a.emit("mov", "edi", table).emit("mov", "eax", 7).emit("mov", "ecx", 1024).label(again);
  a.emit("stosd").emit("add", "eax", 0x1000).emit("loop", at(again));
  a.emit("mov", mem({ disp: directory, size: 32 }), table | 7);
  for (const [page, entry] of Object.entries(others)) {
    a.emit("mov", mem({ disp: table + Number(page) * 4, size: 32 }), entry);
  }
  a.emit("mov", "eax", directory).emit("mov", "cr3", "eax");
  a.emit("mov", "eax", "cr0").emit("or", "eax", 0x80010000).emit("mov", "cr0", "eax");
}

/** Counts ticks in a hook, and lets the controllers go on. */
function tickHook(kit: Kit, label: string): void {
  const { a } = kit;
  const other = kit.fresh();
  a.label(label).emit("xor", "eax", "eax").emit("cmp", kit.frame(0), 0x20).emit("jne", at(other));
  a.emit("inc", kit.cell("ticks")).emit("mov", "al", 0x20).emit("out", 0x20, "al");
  a.emit("mov", "eax", 1).label(other).emit("ret");
}

const flat = guest(
  "flat",
  "32-bit code: both consoles, timer interrupts, HLT, exceptions, and page faults it repairs",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    kit.say("hello from 32-bit code\n");
    kit.show("cr0", "cr0");

    kit.picOn();
    kit.pitOn();
    a.emit("mov", kit.cell("hook"), at("tick"));
    a.emit("sti").label("five").emit("hlt").emit("cmp", kit.cell("ticks"), 5);
    a.emit("jb", at("five")).emit("cli");
    kit.say("five ticks came while halted\n");
    a.emit("mov", kit.cell("ticks"), 0).emit("sti").label("busy");
    a.emit("cmp", kit.cell("ticks"), 2).emit("jb", at("busy")).emit("cli");
    kit.say("two more while busy\n");
    kit.out([0x21, 0xff]);
    a.emit("mov", kit.cell("hook"), 0);

    kit.provoke("divide", () => a.emit("xor", "ecx", "ecx").emit("div", "ecx"), 2);
    kit.provoke(
      "quotient too big",
      () => a.emit("mov", "edx", "esp").emit("mov", "cl", 1).emit("div", "cl"),
      4,
    );
    kit.provoke("breakpoint", () => a.emit("int3"), 1);
    kit.provoke("overflow", () => a.emit("mov", "al", 0x7f).emit("inc", "al").emit("into"), 5);
    kit.provoke("bound", () => a.emit("bound", "esp", mem({ disp: at("gdt"), size: 64 })));
    kit.provoke("undefined", () => a.emit("ud2"));
    kit.provoke("lock on a register", () => a.bytes(0xf0, 0x01, 0xc0));
    kit.provoke("software interrupt", () => a.emit("int", 0x2a), 2);
    kit.provoke("beyond the table", () => a.emit("int", 0x80));
    kit.provoke(
      "absent segment",
      () => a.emit("mov", "eax", sel.absent).emit("mov", "fs", "ax"),
      5,
    );
    kit.provoke("absent stack", () => a.emit("mov", "eax", sel.absent).emit("mov", "ss", "ax"), 5);
    kit.provoke(
      "selector beyond the table",
      () => a.emit("mov", "eax", 0x1230).emit("mov", "es", "ax"),
      5,
    );
    kit.provoke("null stack", () => a.emit("xor", "eax", "eax").emit("mov", "ss", "ax"), 2);
    kit.provoke("single step", () => {
      a.emit("pushfd").emit("or", mem({ base: "esp", size: 32 }), 0x100).emit("popfd");
      a.emit("nop").emit("nop");
    }, 10);
    // Page 0x300 is absent, 0x301 read-only, 0x302 the supervisor's, 0x303 another's.
    pagingOn(kit, { 0x300: 0, 0x301: 0x301005, 0x302: 0x302003, 0x303: 0x304007 });
    kit.say("paging\n");
    a.emit("mov", mem({ disp: 0x304010, size: 32 }), 0x12345678);
    kit.show("through an alias", mem({ disp: 0x303010, size: 32 }));
    kit.provoke("read absent", () => a.emit("mov", "eax", mem({ disp: 0x300123 })));
    kit.provoke("write absent", () => a.emit("mov", mem({ disp: 0x300ffc }), "eax"));
    kit.provoke("write across", () => a.emit("mov", mem({ disp: 0x2ffffe }), "eax"));
    kit.provoke("write read-only", () => a.emit("inc", mem({ disp: 0x301008, size: 32 })));
    kit.provoke("jump to absent", () => a.emit("mov", "eax", 0x300000).emit("jmp", "eax"), 5);
    kit.provoke("string into absent", () => {
      a.emit("mov", "edi", 0x2ffff0).emit("mov", "ecx", 0x20).emit("rep stosb");
    }, 10);
    kit.show("edi stopped at", "edi");
    kit.show("ecx stopped at", "ecx");
    // A handler that puts a page there, and goes on.
    a.emit("mov", kit.cell("hook"), at("repair"));
    a.emit("mov", "esi", place.image).emit("mov", "edi", 0x2ffff0).emit("mov", "ecx", 0x40);
    a.emit("rep movsd");
    a.emit("mov", kit.cell("hook"), 0);
    kit.show("edi after repair", "edi");
    kit.show("dirty and accessed", mem({ disp: place.tables + 0x1c00, size: 32 }));
    a.emit("mov", "esi", place.image).emit("mov", "edi", 0x2ffff0).emit("mov", "ecx", 0x40);
    a.emit("repe cmpsd").emit("sete", "al").emit("movzx", "eax", "al");
    kit.show("copied", "eax");

    kit.taskOn();
    const ring3 = (what: string, label: string) =>
      kit.provoke(what, () => {
        a.emit("push", sel.userData).emit("push", place.userStack).emit("push", 0x3002);
        a.emit("push", sel.user32).emit("push", at(label)).emit("iretd");
      });
    ring3("level 3 halts", "user halts");
    ring3("level 3 reads the supervisor's", "user reads");
    ring3("level 3 loads CR3", "user cr3");
    ring3("level 3 calls", "user calls");
    ring3("level 3 interrupts", "user int");
    kit.say("done\n");
    kit.exit(0x10);
    tickHook(kit, "tick");
    a.label("repair").emit("xor", "eax", "eax").emit("cmp", kit.frame(0), 14);
    a.emit("jne", at("not repaired"));
    a.emit("mov", mem({ disp: place.tables + 0x1c00, size: 32 }), 0x305007);
    a.emit("invlpg", mem({ disp: 0x300000, size: 8 })).emit("mov", "eax", 1);
    a.label("not repaired").emit("ret");
    // The handler says where it stopped, counted from the place that led here.
    a.label("user halts").emit("hlt");
    a.label("user reads").emit("mov", "eax", sel.userData).emit("mov", "ds", "ax");
    a.emit("mov", "eax", mem({ disp: 0x302000 }));
    a.label("user cr3").emit("mov", "eax", "cr3");
    a.label("user calls").emit("int3");
    a.label("user int").emit("int", 0x20);
  },
);

/** What QEMU's translator does not check; its lines are what the manual says. */
const checks = guest(
  "protected checks",
  "limits, types and null selectors of data segments, and a reserved bit",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    kit.provoke("through a null segment", () => {
      a.emit("xor", "eax", "eax").emit("mov", "gs", "ax");
      a.emit("mov", "eax", mem({ disp: 0, segment: "gs" }));
    }, 4);
    kit.provoke(
      "write to code",
      () => a.emit("mov", mem({ disp: 0x1000, size: 32, segment: "cs" }), 1),
    );
    kit.provoke("beyond 16 bits", () => {
      a.emit("mov", "eax", sel.data16).emit("mov", "fs", "ax");
      a.emit("mov", "eax", mem({ disp: 0xfffd, segment: "fs" }));
    }, 7);
    kit.provoke(
      "reserved bit of CR4",
      () => a.emit("mov", "eax", 0x80000000).emit("mov", "cr4", "eax"),
      5,
    );
    kit.provoke("paging without protection", () => {
      a.emit("mov", "eax", "cr0").emit("and", "al", 0xfe).emit("or", "eax", 0x80000000);
      a.emit("mov", "cr0", "eax");
    }, 10);
    kit.provoke("lock of a load", () => a.bytes(0xf0, 0x8b, 0x03));
    kit.exit(0x10);
  },
);

/** Guests of 32-bit protected mode. */
export const protectedGuests: readonly Guest[] = [flat];
/** The one whose answer is the manual's. */
export const protectedChecks: readonly Guest[] = [checks];
