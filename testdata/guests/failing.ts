/**
 * Guests that fail: each in a way that a machine has to notice and to explain.
 *
 * @module
 */

import { at, mem } from "../../emu/cpu/assemble.ts";
import { type Guest, guest, place } from "./kit.ts";
import { longModeOn } from "./long.ts";

const triple = guest(
  "triple fault",
  "a breakpoint while the table of interrupts has no places",
  { kind: "triple-fault" },
  (kit) => {
    const { a } = kit;
    kit.begin();
    kit.say("a table without places, and a breakpoint\n");
    a.emit("lidt", mem({ disp: at("nothing") })).emit("int3");
    kit.say("nothing happened\n");
    kit.exit(0);
    a.label("nothing").u16(0).u32(0);
  },
);

const chain = guest(
  "chain of faults",
  "a page fault whose handler's stack is absent, in long mode",
  { kind: "triple-fault" },
  (kit) => {
    const { a } = kit;
    kit.begin();
    longModeOn(kit);
    kit.taskOn();
    // The double fault's stack is nothing, too.
    a.emit("mov", mem({ disp: place.tss + 0x24, size: 64 }), 0x6800_0000);
    kit.say("a read of nothing, on a stack of nothing\n");
    a.emit("mov", "esp", 0x7000_0000).emit("mov", "ebx", 0x6000_0000);
    a.emit("mov", "rax", mem({ base: "rbx", disp: 8 }));
    kit.exit(0);
  },
);

const undefinedGuest = guest(
  "undefined",
  "instructions that a processor without AVX and 3DNow! does not know, and UD0 to UD2",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    a.emit("mov", "eax", "cr4").emit("or", "eax", 0x600).emit("mov", "cr4", "eax");
    kit.provoke("vpaddd", () => a.bytes(0xc5, 0xf5, 0xfe, 0xc2));
    kit.provoke("with EVEX", () => a.bytes(0x62, 0xf1, 0x75, 0x48, 0xfe, 0xc2));
    kit.provoke("pfadd", () => a.bytes(0x0f, 0x0f, 0xc1, 0x9e));
    kit.provoke("ud0", () => a.bytes(0x0f, 0xff, 0xc0));
    kit.provoke("ud1", () => a.emit("ud1", "eax", "ecx"));
    kit.provoke("ud2", () => a.emit("ud2"));
    kit.provoke("no opcode", () => a.bytes(0x0f, 0x04));
    kit.provoke("move from CR1", () => a.bytes(0x0f, 0x20, 0xc8));
    kit.provoke("move to CS", () => a.bytes(0x8e, 0xc8));
    kit.provoke("far call through a register", () => a.bytes(0xff, 0xd8));
    kit.say("done\n");
    kit.exit(0x10);
  },
);

const unhandled = guest(
  "undefined, not handled",
  "an unknown instruction with no handler for it, nor for what follows",
  { kind: "triple-fault" },
  (kit) => {
    const { a } = kit;
    kit.begin();
    kit.say("an instruction that nobody knows\n");
    a.emit("lidt", mem({ disp: at("nothing") })).bytes(0xc5, 0xf5, 0xfe, 0xc2);
    kit.exit(0);
    a.label("nothing").u16(0).u32(0);
  },
);

const nowhere = guest(
  "nowhere",
  "jumps and returns to where nothing is, in long mode",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    longModeOn(kit);
    kit.provoke("jump", () => a.emit("mov", "eax", 0x3000_0000).emit("jmp", "rax"), 5);
    kit.provoke("call by a null pointer's member", () => {
      a.emit("mov", "rbx", -0x1000).emit("call", mem({ base: "rbx", disp: 0x10, size: 64 }));
    }, 7);
    kit.provoke("return", () => a.emit("mov", "edi", 0x5000_0000).emit("push", "rdi").emit("ret"));
    kit.say("done\n");
    kit.exit(0x10);
  },
);

const hang = guest(
  "hang",
  "waits with interrupts off",
  { kind: "halted" },
  (kit) => {
    kit.begin();
    kit.say("waiting for what cannot come\n");
    kit.a.emit("cli").emit("hlt");
    kit.say("it came\n");
    kit.exit(0);
  },
);

const endless = guest(
  "endless",
  "jumps to itself",
  { kind: "endless" },
  (kit) => {
    kit.begin();
    kit.say("for ever\n");
    kit.a.emit("cli").label("ever").emit("jmp", at("ever"));
  },
);

const silent = guest(
  "silent",
  "says nothing, and counts for ever with a timer that ticks",
  { kind: "endless" },
  (kit) => {
    const { a } = kit;
    kit.begin();
    kit.picOn();
    kit.pitOn();
    a.emit("mov", kit.cell("hook"), at("tick")).emit("sti").label("ever");
    a.emit("inc", kit.cell("a")).emit("jmp", at("ever"));
    a.label("tick").emit("mov", "al", 0x20).emit("out", 0x20, "al").emit("mov", "eax", 1);
    a.emit("ret");
  },
);

/** Guests that fail, and those that nearly do. */
export const failingGuests: readonly Guest[] = [
  ...[triple, chain, undefinedGuest, unhandled, nowhere, hang, endless, silent],
];
