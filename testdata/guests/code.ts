/**
 * Guests whose code is in awkward places: changed while it runs, and across the
 * bounds of pages.
 *
 * @module
 */

import { at, mem } from "../../emu/cpu/assemble.ts";
import { type Guest, guest, type Kit, place } from "./kit.ts";

/** Page directory and table: 4 MiB one to one, but for pages given by their entries. */
function paging(kit: Kit, others: Readonly<Record<number, number>>): void {
  const { a } = kit;
  const table = place.tables + 0x1000;
  const again = kit.fresh();
  a.emit("mov", "edi", table).emit("mov", "eax", 3).emit("mov", "ecx", 1024).label(again);
  a.emit("stosd").emit("add", "eax", 0x1000).emit("loop", at(again));
  a.emit("mov", mem({ disp: place.tables, size: 32 }), table | 3);
  for (const [page, entry] of Object.entries(others)) {
    a.emit("mov", mem({ disp: table + Number(page) * 4, size: 32 }), entry);
  }
  a.emit("mov", "eax", place.tables).emit("mov", "cr3", "eax");
  a.emit("mov", "eax", "cr0").emit("or", "eax", 0x80010000).emit("mov", "cr0", "eax");
}

/** Writes bytes somewhere, one after the other. */
function poke(kit: Kit, address: number, bytes: readonly number[]): void {
  for (const [n, byte] of bytes.entries()) {
    kit.a.emit("mov", mem({ disp: address + n, size: 8 }), byte);
  }
}

// mov eax, imm32; ret
const giving = (value: number) => [0xb8, value, 0, 0, 0, 0xc3];

const modifying = guest(
  "self-modifying",
  "patches the next instruction, a loop around it, another page, by an alias and by rep movs",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    // The immediate of the very next instruction.
    a.emit("mov", mem({ disp: at("next", 1), size: 8 }), 7).label("next").emit("mov", "eax", 1);
    kit.show("next instruction", "eax");

    // A loop that changes itself each time round.
    a.emit("xor", "ebx", "ebx").emit("mov", "ecx", 10).label("loop").label("add");
    a.emit("add", "ebx", 1).emit("inc", mem({ disp: at("add", 2), size: 8 }));
    a.emit("dec", "ecx").emit("jnz", at("loop"));
    kit.show("sum of one to ten", "ebx");

    // An opcode: INC becomes DEC, which a loop of many turns has long compiled.
    a.emit("xor", "ebx", "ebx").emit("mov", "ecx", 20000).label("many").label("step");
    a.emit("inc", "ebx").emit("cmp", "ecx", 10001).emit("jne", at("same"));
    a.emit("mov", mem({ disp: at("step"), size: 8 }), 0x4b).label("same");
    a.emit("loop", at("many"));
    kit.show("up and down again", "ebx");

    const call = (text: string, address: number) => {
      a.emit("mov", "edx", address).emit("call", "edx");
      kit.show(text, "eax");
    };
    poke(kit, 0x200000, giving(1));
    call("other page", 0x200000);
    poke(kit, 0x200001, [2]);
    call("other page changed", 0x200000);

    // The first instruction of a block writes into its last.
    a.emit("mov", "ecx", 3).label("own").emit("mov", "al", "cl");
    a.emit("mov", mem({ disp: at("written", 1) }), "al").emit("nop").emit("nop");
    a.label("written").emit("mov", "bl", 0).emit("movzx", "eax", "bl");
    kit.show("own block", "eax");
    a.emit("loop", at("own"));

    // Two routines are copied over each other by one instruction.
    a.label("copy it").emit("mov", "ecx", 3).label("copies");
    a.emit("push", "ecx").emit("mov", "esi", at("routines")).emit("dec", "ecx");
    a.emit("imul", "ecx", "ecx", 6).emit("add", "esi", "ecx").emit("mov", "edi", 0x200000);
    a.emit("mov", "ecx", 6).emit("rep movsb");
    call("copied", 0x200000);
    a.emit("pop", "ecx").emit("dec", "ecx").emit("jnz", at("copies"));

    // Two pages that are one.
    paging(kit, { 0x300: 0x200003, 0x301: 0x202003, 0x302: 0x201003 });
    call("by its alias", 0x300000);
    poke(kit, 0x300001, [9]);
    call("changed by its alias", 0x200000);
    poke(kit, 0x200001, [10]);
    call("and back", 0x300000);

    // The mapping changes, not the code.
    poke(kit, 0x201000, giving(0x11));
    poke(kit, 0x202000, giving(0x22));
    call("first mapping", 0x301000);
    a.emit("mov", mem({ disp: place.tables + 0x1c04, size: 32 }), 0x201003);
    a.emit("invlpg", mem({ disp: 0x301000, size: 8 }));
    call("second mapping", 0x301000);
    a.emit("mov", mem({ disp: place.tables + 0x1c04, size: 32 }), 0x202003);
    a.emit("mov", "eax", "cr3").emit("mov", "cr3", "eax");
    call("first again", 0x301000);

    // An instruction of which the second half lies in a page of its own.
    poke(kit, 0x202ffe, giving(0x33));
    call("across pages", 0x202ffe);
    poke(kit, 0x203000, [0x44]);
    call("second half changed", 0x202ffe);
    a.emit("mov", mem({ disp: place.tables + 0x1000 + 4 * 0x203, size: 32 }), 0x204003);
    a.emit("invlpg", mem({ disp: 0x203000, size: 8 }));
    poke(kit, 0x203000, [0, 0x55, 0, 0xc3]);
    call("second half mapped elsewhere", 0x202ffe);
    kit.say("done\n");
    kit.exit(0x10);
    a.label("routines").bytes(...giving(0x61), ...giving(0x62), ...giving(0x63));
  },
);

const crossing = guest(
  "crossing",
  "instructions, data and stacks across pages, of which the second may be absent",
  { kind: "exit", code: 0x21 },
  (kit) => {
    const { a } = kit;
    kit.begin();
    // 0x300 and 0x301 swap places in memory; 0x303 is absent; 0x305 read-only.
    paging(kit, { 0x300: 0x301003, 0x301: 0x300003, 0x303: 0, 0x305: 0x305001 });
    const dword = (disp: number) => mem({ disp, size: 32 });
    for (let n = 1; n < 4; n++) {
      a.emit("mov", dword(0x301000 - n), 0x44332211 + n);
      kit.show(`dword, ${n} before`, dword(0x301000 - n));
      kit.show("first page", dword(0x300ffc));
      kit.show("second page", dword(0x301000));
    }
    a.emit("mov", dword(0x300fff), 0x7fffffff).emit("inc", dword(0x300fff));
    kit.show("inc across", dword(0x300fff));
    a.emit("lock add", dword(0x300ffe), 0x10001);
    kit.show("lock add across", dword(0x300ffe));
    a.emit("mov", "eax", dword(0x300ffd)).emit("mov", "ebx", 0x12341234);
    a.emit("cmpxchg", dword(0x300ffd), "ebx").emit("sete", "al").emit("movzx", "eax", "al");
    kit.show("cmpxchg across", "eax");
    a.emit("mov", "eax", 0x123).emit("xchg", mem({ disp: 0x300fff }), "ax");
    kit.show("word xchg across", "eax");
    a.emit("fninit").emit("fld1").emit("fstp", mem({ disp: 0x300ff9, size: 80 }));
    a.emit("fld", mem({ disp: 0x300ff9, size: 80 })).emit("fistp", dword(0x300ffd));
    kit.show("80 bits across", dword(0x300ffd));

    // Stack.
    a.emit("mov", "ebp", "esp").emit("mov", "esp", 0x301002).emit("mov", "eax", 0x01020304);
    a.emit("push", "eax").emit("push", "eax").emit("pop", "ebx").emit("pop", "ecx");
    a.emit("mov", "edx", "esp").emit("mov", "esp", 0x301006).emit("pushad").emit("popad");
    a.emit("mov", "esp", 0x301003).emit("call", at("called")).emit("mov", "esp", "ebp");
    kit.show("pushed and popped", "ebx");
    kit.show("stack was", "edx");
    kit.show("called and came back", "esi");

    const fault = (what: string, doIt: () => void, delta = 0) => kit.provoke(what, doIt, delta);
    // Nothing of what does not fit may have been done.
    a.emit("mov", dword(0x302ffc), 0x55555555);
    fault("store into absent", () => a.emit("mov", dword(0x302ffe), 0x01020304));
    kit.show("untouched", dword(0x302ffc));
    fault("load from absent", () => a.emit("mov", "eax", dword(0x302ffe)));
    a.emit("mov", dword(0x304ffc), 0x66666666);
    fault("store into read-only", () => a.emit("mov", dword(0x304fff), 0x01020304));
    kit.show("untouched", dword(0x304ffc));
    fault("xchg with read-only", () => {
      a.emit("mov", "eax", 1).emit("xchg", dword(0x304ffe), "eax");
    }, 5);
    kit.show("untouched", dword(0x304ffc));
    fault("pop into absent", () => a.emit("push", 5).emit("pop", dword(0x303000)), 2);
    fault("read-only bit test", () => {
      a.emit("mov", "eax", 0x8000).emit("bts", dword(0x304000), "eax");
    }, 5);

    // Code: an instruction that starts where a page ends.
    poke(kit, 0x300ffd, [0xb8, 0x21, 0x43, 0x65, 0x07, 0xc3]);
    a.emit("mov", "edx", 0x300ffd).emit("call", "edx");
    kit.show("code across", "eax");
    poke(kit, 0x302ffc, [0x90, 0x90, 0xb8, 0x21]);
    fault("code into absent", () => a.emit("mov", "edx", 0x302ffc).emit("jmp", "edx"), 5);
    poke(kit, 0x302fff, [0xc3]);
    a.emit("mov", "edx", 0x302fff).emit("call", "edx");
    kit.say("the last byte before absent can be run\n");
    poke(kit, 0x302ffe, [0xeb, 0x00]);
    fault("jump to absent's first byte", () => {
      a.emit("mov", "edx", 0x302ffe).emit("jmp", "edx");
    }, 5);

    // Strings that begin in one page and end in another.
    a.emit("mov", "esi", place.image).emit("mov", "edi", 0x300ff1).emit("mov", "ecx", 40);
    a.emit("rep movsw").emit("mov", "esi", place.image).emit("mov", "edi", 0x300ff1);
    a.emit("mov", "ecx", 80).emit("repe cmpsb").emit("sete", "al").emit("movzx", "eax", "al");
    kit.show("string across", "eax");
    a.emit("std").emit("mov", "esi", 0x301010).emit("mov", "edi", 0x301011);
    a.emit("mov", "ecx", 0x20).emit("rep movsb").emit("cld");
    kit.show("backwards, first", dword(0x301008));
    kit.show("backwards, last", dword(0x300ff2));
    kit.say("done\n");
    kit.exit(0x10);
    a.label("called").emit("mov", "esi", 0x77).emit("ret");
  },
);

/** Guests of awkward code. */
export const codeGuests: readonly Guest[] = [modifying, crossing];
