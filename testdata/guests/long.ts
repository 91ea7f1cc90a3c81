/**
 * Guests in long mode: page tables of four levels, system calls, compatibility
 * mode.
 *
 * @module
 */

import { at, mem } from "../../emu/cpu/assemble.ts";
import { type Guest, guest, type Kit, place, sel } from "./kit.ts";

const EFER = 0xc0000080;
const STAR = 0xc0000081;
const LSTAR = 0xc0000082;
const SFMASK = 0xc0000084;
const GS_BASE = 0xc0000101;
const KERNEL_GS_BASE = 0xc0000102;

/** The upper half's address of physical 0: -2 GiB, as kernels have it. */
const high = -0x8000_0000;

/** Writes a model-specific register. */
function wrmsr(kit: Kit, msr: number, low: number, up = 0): void {
  const { a } = kit;
  a.emit("mov", "ecx", msr).emit("mov", "eax", low).emit("mov", "edx", up).emit("wrmsr");
}

/**
 * Page tables: 4 MiB one to one, for everybody, of which the second MiB's second
 * half is in pages of 4 KiB; the first 1 GiB again at -2 GiB for the supervisor.
 */
function tables(kit: Kit): void {
  const { a } = kit;
  const [pml4, low, up, directory, table] = [0, 1, 2, 3, 4].map((n) => place.tables + 0x1000 * n);
  const entry = (tableAt: number | undefined, n: number, value: number) =>
    a.emit("mov", mem({ disp: (tableAt ?? 0) + 8 * n, size: 32 }), value);
  entry(pml4, 0, (low ?? 0) | 7);
  entry(pml4, 511, (up ?? 0) | 7);
  entry(low, 0, (directory ?? 0) | 7);
  entry(up, 510, (directory ?? 0) | 3);
  entry(directory, 0, 0x87);
  // 2 to 4 MiB in pages.
  entry(directory, 1, (table ?? 0) | 7);
  const again = kit.fresh();
  a.emit("mov", "edi", table ?? 0).emit("mov", "eax", 0x200007).emit("mov", "ecx", 512);
  a.label(again).emit("mov", mem({ base: "edi" }), "eax").emit("add", "edi", 8);
  a.emit("add", "eax", 0x1000).emit("loop", at(again));
  a.emit("mov", "eax", pml4 ?? 0).emit("mov", "cr3", "eax");
}

/** From 32-bit code with paging off to 64-bit code. */
export function longModeOn(kit: Kit): void {
  const { a } = kit;
  tables(kit);
  a.emit("mov", "eax", "cr4").emit("or", "eax", 0x620).emit("mov", "cr4", "eax");
  wrmsr(kit, EFER, 0x901);
  a.emit("mov", "eax", "cr0").emit("and", "al", 0xf3).emit("or", "eax", 0x80010022);
  a.emit("mov", "cr0", "eax");
  const here = kit.fresh();
  a.emit("push", sel.code64).emit("push", at(here)).emit("retf").label(here);
  kit.begin64();
}

const long = guest(
  "long",
  "long mode: NX, canonical addresses, SYSCALL from level 3 and back, SWAPGS, compatibility mode",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    longModeOn(kit);
    kit.say("hello from 64-bit code\n");
    wrmsr(kit, EFER, 0xd01);
    a.emit("mov", "ecx", EFER).emit("rdmsr");
    kit.show("efer", "rax");
    kit.show("cr0", "cr0");
    kit.taskOn();

    a.emit("mov", mem({ disp: 0x200100, size: 64 }), 0x12345678);
    kit.show("through the upper half", mem({ disp: high + 0x200100 }));
    a.emit("mov", "rax", 0x1122334455667788n).emit("mov", "eax", "eax");
    kit.show("upper half cleared", "rax");
    a.emit("mov", "rax", -1).emit("mov", "al", 0).emit("mov", "ah", 0x12);
    kit.show("bytes", "rax");
    a.emit("lea", "rax", mem({ base: "rip", disp: at("here") })).label("here");
    a.emit("mov", "ecx", at("here")).emit("sub", "rax", "rcx");
    kit.show("relative to rip", "rax");

    // Page 0x200 + 1: not to be executed; + 2: the supervisor's.
    const page = (n: number, low: number, up = 0) => {
      const at = place.tables + 0x4000 + 8 * n;
      a.emit("mov", mem({ disp: at, size: 32 }), low);
      a.emit("mov", mem({ disp: at + 4, size: 32 }), up);
      a.emit("invlpg", mem({ disp: 0x200000 + 0x1000 * n, size: 8 }));
    };
    page(1, 0x201007, 0x80000000);
    page(2, 0x202003);
    kit.provoke("execute NX", () => a.emit("mov", "eax", 0x201000).emit("jmp", "rax"), 5);
    kit.provoke("not canonical", () => {
      a.emit("mov", "rbx", 0x8000_0000_0000_0000n).emit("mov", "rax", mem({ base: "rbx" }));
    }, 10);
    kit.provoke("push to where nothing is", () => {
      a.emit("mov", "esp", 0x40000000).emit("push", "rax");
    }, 5);
    kit.provoke("divide", () => a.emit("xor", "ecx", "ecx").emit("div", "rcx"), 2);
    kit.provoke("no such instruction here", () => a.bytes(0x06));
    kit.provoke("far return beyond the table", () => {
      a.emit("push", sel.code16 + 0x200).emit("push", 0).emit("o64 retf");
    }, 7);

    a.emit("mov", "ecx", 0x200200);
    a.emit("mov", mem({ base: "rcx", size: 64 }), 5);
    a.emit("mov", mem({ base: "rcx", disp: 8, size: 64 }), 6);
    a.emit("mov", "eax", 5).emit("mov", "edx", 6).emit("push", "rbx");
    a.emit("mov", "ebx", 7).emit("mov", "r9", "rcx").emit("mov", "ecx", 8);
    a.emit("lock cmpxchg16b", mem({ base: "r9" })).emit("sete", "al").emit("pop", "rbx");
    a.emit("movzx", "eax", "al");
    kit.show("exchanged 16 bytes", "rax");
    kit.show("high half", mem({ base: "r9", disp: 8 }));
    kit.provoke("unaligned 16 bytes", () => a.emit("cmpxchg16b", mem({ base: "r9", disp: 8 })));

    wrmsr(kit, GS_BASE, 0x200300);
    wrmsr(kit, KERNEL_GS_BASE, 0x200400);
    a.emit("mov", mem({ disp: 0x200300, size: 64 }), 0x111);
    a.emit("mov", mem({ disp: 0x200400, size: 64 }), 0x222);
    kit.show("gs", mem({ disp: 0, segment: "gs" }));
    a.emit("swapgs");
    kit.show("gs swapped", mem({ disp: 0, segment: "gs" }));
    a.emit("swapgs");

    wrmsr(kit, STAR, 0, (sel.user32 << 16 | sel.code64) >>> 0);
    wrmsr(kit, LSTAR, high, -1);
    a.emit("mov", "eax", at("entry")).emit("mov", "ecx", LSTAR).emit("xor", "edx", "edx");
    a.emit("wrmsr");
    wrmsr(kit, SFMASK, 0x700);
    a.emit("mov", mem({ disp: at("resume stack") }), "rsp");
    a.emit("mov", "ecx", at("user")).emit("mov", "r11d", 2).emit("mov", "esp", place.userStack);
    a.emit("o64 sysret");

    // Level 3 calls with a number in edi: 0 goes on behind, others come back.
    a.label("entry").emit("swapgs").emit("mov", mem({ disp: at("a") }), "rsp");
    a.emit("mov", "rsp", mem({ disp: at("resume stack") }));
    a.emit("push", "rcx").emit("push", "r11").emit("push", "rdi");
    kit.show("system call", "rdi");
    kit.show("from flags", "r11", 8);
    a.emit("pushfq").emit("pop", "rax").emit("and", "eax", 0x700);
    kit.show("flags here", "rax", 8);
    a.emit("mov", "eax", "cs");
    kit.show("cs here", "rax", 4);
    kit.show("gs here", mem({ disp: 0, segment: "gs" }), 4);
    a.emit("swapgs").emit("pop", "rdi").emit("pop", "r11").emit("pop", "rcx");
    a.emit("test", "edi", "edi").emit("jz", at("leave level 3"));
    a.emit("mov", "rsp", mem({ disp: at("a") })).emit("o64 sysret");

    a.label("user").emit("mov", "edi", 1).emit("syscall");
    a.emit("mov", "eax", "cs").emit("shl", "eax", 16).emit("mov", "ax", "ss");
    a.emit("lea", "edi", mem({ base: "rax" })).emit("stc").emit("syscall");
    a.emit("mov", "edi", 0).emit("syscall");

    a.label("leave level 3");
    const ring3 = (what: string, label: string) =>
      kit.provoke(what, () => {
        a.emit("push", sel.userData).emit("push", place.userStack).emit("push", 2);
        a.emit("push", sel.user64).emit("push", at(label)).emit("iretq");
      });
    ring3("level 3 reads the supervisor's", "user reads");
    ring3("level 3 reads the upper half", "user reads up");
    ring3("level 3 writes a register", "user wrmsr");
    ring3("level 3 jumps nowhere", "user jumps");

    // 32-bit code below the same tables.
    kit.say("compatibility mode: ");
    a.emit("push", sel.code32).emit("push", at("compatible")).emit("o64 retf");
    kit.use(32);
    a.label("compatible").emit("mov", "eax", -1).emit("inc", "eax").emit("dec", "eax");
    // What is REX.W in 64-bit code is DEC here.
    a.bytes(0x48).emit("mov", "ebx", "eax");
    a.emit("push", sel.code64).emit("push", at("back")).emit("retf");
    kit.use(64);
    a.label("back");
    kit.show("dec gave", "rbx");

    kit.picOn();
    kit.pitOn();
    a.emit("mov", kit.cell("hook"), at("tick"));
    a.emit("sti").label("five").emit("hlt").emit("cmp", kit.cell("ticks"), 5);
    a.emit("jb", at("five")).emit("cli");
    kit.say("five ticks came\n");
    a.emit("push", sel.userData).emit("push", place.userStack).emit("push", 0x202);
    a.emit("push", sel.user64).emit("push", at("user waits")).emit("iretq");
    a.label("user waited").emit("mov", "esp", place.stack);
    kit.say("and five more in level 3\n");
    kit.exit(0x10);

    a.label("user reads").emit("mov", "eax", mem({ disp: 0x202000 }));
    a.label("user reads up").emit("mov", "eax", mem({ disp: high + 0x200000 }));
    a.label("user wrmsr").emit("wrmsr");
    a.label("user jumps").emit("mov", "eax", 0x12345678).emit("jmp", "rax");
    a.label("user waits").emit("cmp", kit.cell("ticks"), 10).emit("jb", at("user waits"));
    a.emit("mov", "ax", "cs").emit("mov", mem({ disp: at("b") }), "ax").emit("int3");
    // The breakpoint ends it; anything else is not for this hook.
    a.label("tick").emit("xor", "eax", "eax").emit("cmp", kit.frame(0), 3);
    a.emit("je", at("user waited"));
    a.emit("cmp", kit.frame(0), 0x20).emit("jne", at("no tick"));
    a.emit("inc", kit.cell("ticks")).emit("mov", "al", 0x20).emit("out", 0x20, "al");
    a.emit("mov", "eax", 1).label("no tick").emit("ret");
  },
);

/** What QEMU's translator tells otherwise; its lines are what the manual says. */
const checks = guest(
  "long checks",
  "a reserved bit in a page table, a stack and a return address that are not canonical",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    longModeOn(kit);
    a.emit("mov", mem({ disp: place.tables + 0x401c, size: 32 }), 0x00040000);
    a.emit("invlpg", mem({ disp: 0x203000, size: 8 }));
    kit.provoke("reserved bit", () => a.emit("mov", "eax", mem({ disp: 0x203000 })));
    kit.provoke("stack not canonical", () => {
      a.emit("mov", "rbp", 0x8000_0000_0000_0000n);
      a.emit("mov", "rax", mem({ base: "rbp", disp: 8 }));
    }, 10);
    kit.provoke("return to no address", () => {
      a.emit("mov", "rdi", 0x1234_0000_0000_0000n).emit("push", "rdi").emit("ret");
    }, 11);
    kit.exit(0x10);
  },
);

/** Guests of long mode. */
export const longGuests: readonly Guest[] = [long];
/** The one whose answer is the manual's. */
export const longChecks: readonly Guest[] = [checks];
