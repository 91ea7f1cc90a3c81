import assert from "node:assert/strict";
import { faultOf, place, sel, stateOf, SystemGuest, type } from "../../../testdata/system_guest.ts";
import { mem } from "../assemble.ts";
import { eflag } from "../processor.ts";

/** Loads a segment register from EAX; the exception, after which nothing has changed. */
function load(guest: SystemGuest, register: string, selector: number): string {
  const { cpu } = guest;
  cpu.setAddress(0, selector, 32);
  const before = stateOf(cpu);
  const fault = faultOf(() => guest.run("mov", register, "ax"));
  if (fault !== "none") assert.deepEqual(stateOf(cpu), before);
  return fault;
}

Deno.test("a data segment comes from the GDT, and its descriptor is marked as used", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.data, base: 0x1234_5678, limit: 0x123, size: 4 });
  assert.equal(load(guest, "ds", sel.a | 3), "#GP(0x90)", "RPL 3 above DPL 0");
  assert.equal(load(guest, "ds", sel.a), "none");
  const { selector, base, limit, attributes } = guest.cpu.segments[3];
  assert.deepEqual([selector, base, limit, attributes], [sel.a, 0x1234_5678, 0x123, 0x4093]);
  assert.equal(guest.word(place.gdt + sel.a + 4) >>> 8 & 0xff, 0x93);
});

Deno.test("granularity of pages makes the limit the last byte of the last page", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.data, limit: 2 });
  assert.equal(load(guest, "es", sel.a), "none");
  assert.equal(guest.cpu.segments[0].limit, 0x2fff);
});

Deno.test("the LDT serves selectors with TI, and none does while LDTR is null", () => {
  const guest = new SystemGuest("protected");
  guest.ldt(0x10, { type: type.data, base: 0x4000 });
  assert.equal(load(guest, "fs", 0x14), "#GP(0x14)");
  guest.cpu.setAddress(0, sel.ldt, 32);
  guest.run("lldt", "ax");
  assert.equal(load(guest, "fs", 0x14), "none");
  assert.equal(guest.cpu.segments[4].base, 0x4000);
  assert.equal(load(guest, "fs", 0x104), "#GP(0x104)", "beyond its limit");
});

Deno.test("what is no data, is beyond the limit, or has a lower DPL raises #GP with the selector", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gdt(sel.a, { type: type.executeOnly, dpl: 3 });
  guest.gdt(sel.b, { type: type.conforming, dpl: 0 });
  guest.gdt(sel.c, { type: type.data, dpl: 3, present: false });
  assert.equal(load(guest, "ds", sel.a | 3), "#GP(0x90)");
  assert.equal(load(guest, "ds", sel.tss), "#GP(0x28)");
  assert.equal(load(guest, "ds", 0x1003), "#GP(0x1000)");
  assert.equal(load(guest, "ds", sel.data), "#GP(0x10)");
  assert.equal(load(guest, "ds", sel.b | 3), "none", "conforming code may be read from anywhere");
  assert.equal(load(guest, "ds", sel.c | 3), "#NP(0xa0)");
});

Deno.test("a null selector loads, whatever its RPL, and its use faults", () => {
  const guest = new SystemGuest("protected");
  assert.equal(load(guest, "es", 3), "none");
  assert.equal(guest.cpu.segments[0].selector, 3);
  assert.equal(faultOf(() => guest.cpu.linear(0, 0, 1, false)), "#GP(0)");
  assert.equal(load(guest, "ss", 0), "#GP(0)");
});

Deno.test("SS wants writable data whose DPL and RPL are the level", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.readOnly });
  guest.gdt(sel.b, { type: type.data, present: false });
  guest.gdt(sel.c, { type: type.expandDown, limit: 0xfff, size: 4 });
  assert.equal(load(guest, "ss", sel.a), "#GP(0x90)");
  assert.equal(load(guest, "ss", sel.b), "#SS(0x98)", "not #NP");
  assert.equal(load(guest, "ss", sel.data | 1), "#GP(0x10)");
  assert.equal(load(guest, "ss", sel.userData), "#GP(0x20)");
  assert.equal(load(guest, "ss", sel.code), "#GP(0x8)");
  assert.equal(load(guest, "ss", sel.c), "none");
});

Deno.test("expand-down: offsets up to the limit are out, those above are in, up to 64 KiB or 4 GiB by B", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.expandDown, limit: 0xfff, size: 0 });
  guest.gdt(sel.b, { type: type.expandDown, limit: 0xfff, size: 4 });
  const reach = (offset: number, bytes: number) =>
    faultOf(() => guest.cpu.linear(3, offset, bytes, true));
  assert.equal(load(guest, "ds", sel.a), "none");
  assert.deepEqual(
    [reach(0xfff, 1), reach(0x1000, 1), reach(0xfffe, 2), reach(0xffff, 2)],
    ["#GP(0)", "none", "none", "#GP(0)"],
  );
  assert.equal(load(guest, "ds", sel.b), "none");
  assert.deepEqual([reach(0xfff, 2), reach(0x1_0000, 4)], ["#GP(0)", "none"]);
});

Deno.test("MOV SS and POP SS hold interrupts and traps off for one instruction, LSS does not", () => {
  const guest = new SystemGuest("protected");
  const { cpu } = guest;
  assert.equal(load(guest, "ss", sel.data), "none");
  assert.equal(cpu.shadow, 2);
  assert.equal(load(guest, "ds", sel.data), "none");
  assert.equal(cpu.shadow, 0);
  guest.push([sel.data]);
  guest.run("pop", "ss");
  assert.equal(cpu.shadow, 2);
  guest.setWord(0x200, 0x8000);
  guest.setWord(0x204, sel.data);
  guest.run("lss", "esp", mem({ disp: 0x200 }));
  assert.equal(cpu.shadow, 0);
  assert.deepEqual([cpu.low(4), cpu.segments[2].selector], [0x8000, sel.data]);
});

Deno.test("LSS leaves ESP as it was when the selector does not load", () => {
  const guest = new SystemGuest("protected");
  guest.setWord(0x200, 0x8000);
  guest.setWord(0x204, sel.userData);
  const before = stateOf(guest.cpu);
  assert.equal(faultOf(() => guest.run("lss", "esp", mem({ disp: 0x200 }))), "#GP(0x20)");
  assert.deepEqual(stateOf(guest.cpu), before);
});

Deno.test("LDS takes an offset of the operand size and the selector behind it", () => {
  const guest = new SystemGuest("protected");
  guest.setWord(0x200, 0x1234_5678);
  guest.setWord(0x204, sel.data);
  guest.cpu.setAddress(3, 0xffff_ffff, 32);
  guest.run("lds", "ebx", mem({ disp: 0x200 }));
  assert.equal(guest.cpu.low(3), 0x1234_5678);
  guest.setWord(0x202, sel.data);
  guest.run("les", "bx", mem({ disp: 0x200 }));
  assert.equal(guest.cpu.low(3), 0x1234_5678, "the upper half stays");
  assert.equal(guest.cpu.segments[0].selector, sel.data);
});

Deno.test("a popped segment register takes two bytes and the operand size off the stack", () => {
  const guest = new SystemGuest("protected");
  const { cpu } = guest;
  // Two bytes below the limit of the stack: four would not fit.
  guest.gdt(sel.a, { type: type.data, base: 0x8000, limit: 0x101, size: 4 });
  assert.equal(load(guest, "ss", sel.a), "none");
  cpu.setAddress(4, 0x100, 32);
  guest.setWord(0x8100, sel.data);
  guest.run("pop", "es");
  assert.deepEqual([cpu.segments[0].selector, cpu.low(4)], [sel.data, 0x104]);
  cpu.setAddress(4, 0x102, 32);
  assert.equal(faultOf(() => guest.run("pop", "es")), "#SS(0)");
});

Deno.test("real mode: a paragraph is a base, and limits of before stay, as unreal mode wants it", () => {
  const guest = new SystemGuest("real");
  const { cpu } = guest;
  cpu.segments[3].limit = 0xffff_ffff;
  assert.equal(load(guest, "ds", 0xf000), "none");
  const { selector, base, limit } = cpu.segments[3];
  assert.deepEqual([selector, base, limit], [0xf000, 0xf_0000, 0xffff_ffff]);
});

Deno.test("a register that was null in protected mode is usable again once real mode loads it", () => {
  const guest = new SystemGuest("protected");
  assert.equal(load(guest, "ds", 0), "none");
  guest.cpu.cr0 &= ~1;
  assert.equal(load(guest, "ds", 0x100), "none");
  assert.equal(guest.cpu.linear(3, 4, 4, true), 0x1004);
});

Deno.test("virtual-8086 mode: limits are 64 KiB and nothing is looked up", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.cpu.gdtr.limit = 0;
  assert.equal(load(guest, "ss", 0x1234), "none");
  const { base, limit, attributes } = guest.cpu.segments[2];
  assert.deepEqual([base, limit, attributes], [0x1_2340, 0xffff, 0xf3]);
  assert.equal(guest.cpu.eflags & eflag.VM, eflag.VM);
});

Deno.test("64-bit mode: SS may be null below level 3, if the selector says the level", () => {
  const guest = new SystemGuest("long");
  assert.equal(load(guest, "ss", 0), "none");
  assert.equal(load(guest, "ss", 1), "#GP(0)");
  assert.equal(load(new SystemGuest("long", 3), "ss", 3), "#GP(0)");
  assert.equal(load(new SystemGuest("compatibility"), "ss", 0), "#GP(0)", "not in 32-bit code");
});

Deno.test("64-bit mode: loading FS sets a base of 32 bits, null one of zero", () => {
  const guest = new SystemGuest("long");
  guest.gdt(sel.a, { type: type.data, base: 0x8765_4321 });
  guest.cpu.segments[4].base = -0x1000;
  assert.equal(load(guest, "fs", sel.a), "none");
  assert.equal(guest.cpu.segments[4].base, 0x8765_4321);
  assert.equal(load(guest, "fs", 0), "none");
  assert.equal(guest.cpu.segments[4].base, 0);
});

Deno.test("descriptors are read with the supervisor's rights at level 3, too", () => {
  const guest = new SystemGuest("long", 3);
  // The GDT is in a page of the supervisor's.
  assert.equal(load(guest, "ds", sel.userData), "none");
  assert.equal(faultOf(() => guest.cpu.mmu.load(place.gdt, 4)), "#PF(0x5) at 0x1000");
});

Deno.test("a descriptor that cannot be marked as used is not loaded", () => {
  const guest = new SystemGuest("long");
  guest.tables?.map(0x40_0000, 0, 1, 0, 21);
  guest.cpu.cr0 |= 0x1_0000;
  guest.cpu.gdtr.base = 0x40_0000 + place.gdt;
  assert.equal(load(guest, "ds", sel.data), "#PF(0x3) at 0x401015");
});

Deno.test("loading a segment changes what code is decoded for, when it is no longer flat", () => {
  const guest = new SystemGuest("protected");
  const key = () => guest.cpu.words[0x1e4 >> 2];
  const flat = key();
  guest.gdt(sel.a, { type: type.data, base: 0x1000 });
  assert.equal(load(guest, "ds", sel.a), "none");
  assert.notEqual(key(), flat);
});
