import assert from "node:assert/strict";
import { faultOf, place, sel, stateOf, SystemGuest, type } from "../../../testdata/system_guest.ts";
import { type AssemblyOperand, mem } from "../assemble.ts";
import { cr4Bits, eflag } from "../processor.ts";

/** Runs an instruction; its exception, after which nothing has changed. */
function attempt(guest: SystemGuest, mnemonic: string, ...operands: AssemblyOperand[]): string {
  const before = stateOf(guest.cpu);
  const fault = faultOf(() => guest.run(mnemonic, ...operands));
  if (fault !== "none") assert.deepEqual(stateOf(guest.cpu), before);
  return fault;
}

const isZero = ({ cpu }: SystemGuest) => (cpu.eflags & eflag.ZF) !== 0;

/** What LAR or LSL says of a selector; undefined: nothing. */
function ask(guest: SystemGuest, mnemonic: string, selector: number): number | undefined {
  guest.cpu.setAddress(0, selector, 32);
  guest.cpu.setAddress(3, 0x7777_7777, 32);
  assert.equal(attempt(guest, mnemonic, "ebx", "ax"), "none");
  if (isZero(guest)) return guest.cpu.low(3);
  assert.equal(guest.cpu.low(3), 0x7777_7777);
  return undefined;
}

Deno.test("LAR and LSL tell of what the level may see", () => {
  const guest = new SystemGuest("protected", 3);
  assert.equal(ask(guest, "lar", sel.userData), 0xc0_f200);
  assert.equal(ask(guest, "lsl", sel.userData), 0xffff_ffff);
  assert.equal(ask(guest, "lar", sel.data), undefined);
  assert.equal(ask(guest, "lar", sel.conforming | 3), 0xc0_9e00);
  assert.equal(ask(guest, "lar", 0), undefined);
  assert.equal(ask(guest, "lar", 0x1000), undefined);
  assert.equal(ask(guest, "lar", 0x17), undefined, "no LDT");
});

Deno.test("LAR knows gates, LSL does not; both know tasks and the LDT, none knows interrupt gates", () => {
  const guest = new SystemGuest("protected");
  guest.gate(sel.a, sel.code, 0, 12);
  guest.gate(sel.b, sel.tss, 0, 5);
  guest.gate(sel.c, sel.code, 0, 14);
  assert.equal(ask(guest, "lar", sel.a), 0x8c00);
  assert.equal(ask(guest, "lsl", sel.a), undefined);
  assert.equal(ask(guest, "lar", sel.b), 0x8500);
  assert.equal(ask(guest, "lar", sel.c), undefined);
  assert.equal(ask(guest, "lar", sel.tss), 0x8b00);
  assert.equal(ask(guest, "lsl", sel.tss), 0x7ff);
  assert.equal(ask(guest, "lsl", sel.tss16), 0x2b);
  assert.equal(ask(guest, "lsl", sel.ldt), 0xff);
});

Deno.test("long mode knows no tasks of 16 bits and no task gates", () => {
  const guest = new SystemGuest("long");
  guest.gate(sel.a, sel.tss, 0, 5);
  guest.gate(sel.b, sel.code, 0, 12);
  assert.equal(ask(guest, "lar", sel.a), undefined);
  assert.equal(ask(guest, "lar", sel.b), 0x8c00);
  assert.equal(ask(guest, "lsl", sel.tss16), undefined);
  assert.equal(ask(guest, "lsl", sel.otherTss), 0x67);
});

Deno.test("LSL of 16 bits cuts the limit, and leaves the upper half of the register", () => {
  const guest = new SystemGuest("protected");
  guest.cpu.setAddress(0, sel.data, 32);
  guest.cpu.setAddress(3, 0x1234_5678, 32);
  assert.equal(attempt(guest, "lsl", "bx", "ax"), "none");
  assert.equal(guest.cpu.low(3), 0x1234_ffff);
});

Deno.test("VERR and VERW say what can be read and written", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gdt(sel.a, { type: type.readOnly, dpl: 3 });
  guest.gdt(sel.b, { type: type.executeOnly, dpl: 3 });
  const may = (selector: number) =>
    ["verr", "verw"].map((mnemonic) => {
      guest.cpu.setAddress(0, selector, 32);
      assert.equal(attempt(guest, mnemonic, "ax"), "none");
      return isZero(guest);
    });
  assert.deepEqual(may(sel.userData), [true, true]);
  assert.deepEqual(may(sel.userCode), [true, false]);
  assert.deepEqual(may(sel.a), [true, false]);
  assert.deepEqual(may(sel.b), [false, false]);
  assert.deepEqual(may(sel.data), [false, false], "another level's");
  assert.deepEqual(may(sel.conforming), [true, false]);
  assert.deepEqual(may(sel.tss), [false, false]);
  assert.deepEqual(may(0), [false, false]);
});

Deno.test("ARPL raises RPL to that of the other selector", () => {
  const guest = new SystemGuest("protected");
  const { cpu } = guest;
  cpu.setAddress(0, 0xabcd_0010, 32);
  cpu.setAddress(3, 0x2b, 32);
  assert.equal(attempt(guest, "arpl", "ax", "bx"), "none");
  assert.deepEqual([cpu.low(0), isZero(guest)], [0xabcd_0013, true]);
  assert.equal(attempt(guest, "arpl", "ax", "bx"), "none");
  assert.deepEqual([cpu.low(0), isZero(guest)], [0xabcd_0013, false]);
  guest.setWord(0x200, 0x9999_0011);
  assert.equal(attempt(guest, "arpl", mem({ disp: 0x200 }), "bx"), "none");
  assert.deepEqual([guest.word(0x200), isZero(guest)], [0x9999_0013, true]);
});

Deno.test("LLDT wants a present LDT of the GDT, or null", () => {
  const guest = new SystemGuest("protected");
  const load = (selector: number) => {
    guest.cpu.setAddress(0, selector, 32);
    return attempt(guest, "lldt", "ax");
  };
  guest.gdt(sel.a, { type: 2, present: false });
  assert.equal(load(sel.ldt | 4), "#GP(0x3c)");
  assert.equal(load(sel.data), "#GP(0x10)");
  assert.equal(load(0x1000), "#GP(0x1000)");
  assert.equal(load(sel.a), "#NP(0x90)");
  assert.equal(load(sel.ldt), "none");
  const { selector, base, limit } = guest.cpu.segments[6];
  assert.deepEqual([selector, base, limit], [sel.ldt, place.ldt, 0xff]);
  assert.equal(load(0), "none");
  assert.equal(attempt(new SystemGuest("protected", 3), "lldt", "ax"), "#GP(0)");
});

Deno.test("LTR wants an available task, and makes it busy", () => {
  const guest = new SystemGuest("protected");
  const load = (selector: number) => {
    guest.cpu.setAddress(0, selector, 32);
    return attempt(guest, "ltr", "ax");
  };
  assert.equal(load(0), "#GP(0)");
  assert.equal(load(sel.tss), "#GP(0x28)");
  assert.equal(load(sel.otherTss | 4), "#GP(0x84)");
  assert.equal(load(sel.otherTss), "none");
  const { selector, base, attributes } = guest.cpu.segments[7];
  assert.deepEqual([selector, base, attributes & 15], [sel.otherTss, place.otherTss, 11]);
  assert.equal(guest.word(place.gdt + sel.otherTss + 4) >>> 8 & 15, 11);
});

Deno.test("long mode: LDT and task have descriptors of 16 bytes and bases of 64 bits", () => {
  const guest = new SystemGuest("long");
  const load = (mnemonic: string, selector: number) => {
    guest.cpu.setAddress(0, selector, 32);
    return attempt(guest, mnemonic, "ax");
  };
  guest.gdt(sel.a, { type: 9, base: 0x8000_1000, limit: 0x67 });
  guest.setWord(place.gdt + sel.a + 8, 0xffff_fe00);
  guest.setWord(place.gdt + sel.a + 12, 0);
  assert.equal(load("ltr", sel.a), "none");
  assert.equal(guest.cpu.segments[7].base, -0x200_0000_0000 + 0x8000_1000);
  guest.gdt(sel.a, { type: 2 });
  guest.setWord(place.gdt + sel.a + 8, 0x8000);
  assert.equal(load("lldt", sel.a), "#GP(0x90)", "not canonical");
  guest.setWord(place.gdt + sel.a + 8, 0);
  guest.setWord(place.gdt + sel.a + 12, 0x100);
  assert.equal(load("lldt", sel.a), "#GP(0x90)", "its second half has a type");
  guest.setWord(place.gdt + sel.a + 12, 0);
  assert.equal(load("lldt", sel.a), "none");
  assert.equal(load("ltr", sel.tss16), "#GP(0x88)");
});

Deno.test("SLDT and STR store 16 bits, and clear the rest of a register", () => {
  const guest = new SystemGuest("protected", 3);
  guest.cpu.setAddress(0, 0xffff_ffff, 32);
  assert.equal(attempt(guest, "str", "ax"), "none");
  assert.equal(guest.cpu.low(0), 0xffff_0000 + sel.tss);
  assert.equal(attempt(guest, "str", "eax"), "none");
  assert.equal(guest.cpu.low(0), sel.tss);
  guest.setWord(0x200, 0x9999_9999);
  assert.equal(attempt(guest, "sldt", mem({ disp: 0x200 })), "none");
  assert.equal(guest.word(0x200), 0x9999_0000);
});

Deno.test("LGDT and LIDT: a base of 24 bits with an operand size of 16, else of 32 or 64", () => {
  const guest = new SystemGuest("protected");
  guest.setWord(0x200, 0x5678_0123);
  guest.setWord(0x204, 0x9abc);
  guest.cpu.setAddress(3, 0x200, 32);
  assert.equal(attempt(guest, "lgdt", mem({ base: "ebx" })), "none");
  assert.deepEqual(guest.cpu.gdtr, { base: 0x9abc_5678, limit: 0x123 });
  assert.equal(attempt(guest, "o16 lidt", mem({ base: "ebx" })), "none");
  assert.deepEqual(guest.cpu.idtr, { base: 0xbc_5678, limit: 0x123 });
  assert.equal(attempt(new SystemGuest("protected", 3), "lgdt", mem({ base: "ebx" })), "#GP(0)");
  const long = new SystemGuest("long");
  long.setWord(0x200, 0x5678_0123);
  long.setWord(0x204, 0xff00_9abc);
  long.setWord(0x208, 0xffff_ffff);
  long.cpu.setAddress(3, 0x200, 32);
  assert.equal(attempt(long, "lgdt", mem({ base: "rbx" })), "none");
  assert.deepEqual(long.cpu.gdtr, { base: -0x100_0000_0000 + 0x9abc_5678, limit: 0x123 });
});

Deno.test("a descriptor table's base must be canonical", () => {
  const guest = new SystemGuest("long");
  guest.setWord(0x204, 0x8000_0000);
  guest.cpu.setAddress(3, 0x200, 32);
  assert.equal(attempt(guest, "lidt", mem({ base: "rbx" })), "#GP(0)");
});

Deno.test("SGDT and SIDT store all of the base, whatever the operand size", () => {
  const guest = new SystemGuest("protected", 3);
  Object.assign(guest.cpu.gdtr, { base: 0x1234_5678, limit: 0x9abc });
  for (const mnemonic of ["sgdt", "o16 sgdt"]) {
    guest.setWord(0x204, 0xdddd_dddd);
    guest.cpu.setAddress(3, 0x200, 32);
    assert.equal(attempt(guest, mnemonic, mem({ base: "ebx" })), "none");
    assert.deepEqual([guest.word(0x200), guest.word(0x204)], [0x5678_9abc, 0xdddd_1234]);
  }
  const long = new SystemGuest("long");
  Object.assign(long.cpu.idtr, { base: -0x200_0000_0000, limit: 0xfff });
  long.cpu.setAddress(3, 0x200, 32);
  assert.equal(attempt(long, "sidt", mem({ base: "rbx" })), "none");
  assert.deepEqual([long.word(0x200), long.word(0x204), long.half(0x208)], [
    ...[0x0fff, 0xfe00_0000, 0xffff],
  ]);
});

Deno.test("CR4.UMIP keeps programs from the tables, with #GP(0)", () => {
  const guest = new SystemGuest("protected", 3);
  guest.cpu.cr4 |= cr4Bits.UMIP;
  for (const mnemonic of ["sldt", "str"]) assert.equal(attempt(guest, mnemonic, "ax"), "#GP(0)");
  for (const mnemonic of ["sgdt", "sidt"]) {
    assert.equal(attempt(guest, mnemonic, mem({ base: "ebx" })), "#GP(0)");
  }
  const inner = new SystemGuest("protected");
  inner.cpu.cr4 |= cr4Bits.UMIP;
  assert.equal(attempt(inner, "str", "ax"), "none");
});

Deno.test("in real and virtual-8086 mode what is about protection is undefined", () => {
  for (const start of ["real", "virtual-8086"] as const) {
    const guest = new SystemGuest(start);
    for (const mnemonic of ["sldt", "str", "lldt", "ltr", "verr", "verw"]) {
      assert.equal(attempt(guest, mnemonic, "ax"), "#UD", mnemonic);
    }
    for (const mnemonic of ["lar", "lsl"]) {
      assert.equal(attempt(guest, mnemonic, "bx", "ax"), "#UD");
    }
    assert.equal(attempt(guest, "arpl", "ax", "bx"), "#UD");
  }
});

Deno.test("a host may carry out what the level may not", () => {
  const guest = new SystemGuest("protected", 1);
  const seen: string[] = [];
  guest.cpu.host = {
    privileged: (_i, form) => {
      seen.push(form.mnemonics[0]);
      guest.cpu.rip = 0x77;
      return true;
    },
  };
  assert.equal(attempt(guest, "lldt", "ax"), "none");
  assert.equal(attempt(guest, "hlt"), "none");
  assert.deepEqual([seen, guest.cpu.rip, guest.cpu.halted], [["lldt", "hlt"], 0x77, false]);
});
