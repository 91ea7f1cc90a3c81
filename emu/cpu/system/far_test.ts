import assert from "node:assert/strict";
import { faultOf, place, sel, stateOf, SystemGuest, type } from "../../../testdata/system_guest.ts";
import { type AssemblyOperand, far, mem } from "../assemble.ts";

/** Runs an instruction; its exception, after which nothing has changed. */
function attempt(guest: SystemGuest, mnemonic: string, ...operands: AssemblyOperand[]): string {
  const before = stateOf(guest.cpu);
  const fault = faultOf(() => guest.run(mnemonic, ...operands));
  if (fault !== "none") assert.deepEqual(stateOf(guest.cpu), before);
  return fault;
}

/** Where the guest is: selector, offset, level. */
function where({ cpu }: SystemGuest): readonly number[] {
  return [cpu.segments[1].selector, cpu.rip, cpu.cpl];
}

const hex = (values: readonly number[]) => values.map((value) => `0x${value.toString(16)}`);

Deno.test("real mode: a far jump sets a paragraph, a far call pushes the way back", () => {
  const guest = new SystemGuest("real");
  guest.run("jmp", far(0xf000, 0x1234));
  assert.deepEqual(where(guest), [0xf000, 0x1234, 0]);
  assert.equal(guest.cpu.segments[1].base, 0xf_0000);
  guest.run("call", far(0x100, 0x200));
  assert.deepEqual(where(guest), [0x100, 0x200, 0]);
  assert.equal(guest.cpu.address(4, 16), 0x8ffc);
  assert.deepEqual(hex(guest.stack(1)), ["0xf0001239"]);
});

Deno.test("real mode: a target beyond the limit of CS is #GP(0)", () => {
  const guest = new SystemGuest("real");
  assert.equal(attempt(guest, "o32 jmp", far(0x100, 0x1_0000)), "#GP(0)");
  assert.equal(attempt(guest, "o32 jmp", far(0x100, 0xffff)), "none");
});

Deno.test("real mode: a stack pointer of zero wraps, one of one does not", () => {
  const guest = new SystemGuest("real");
  guest.cpu.setAddress(4, 0, 16);
  assert.equal(attempt(guest, "call", far(0x100, 0)), "none");
  assert.equal(guest.cpu.address(4, 16), 0xfffc);
  guest.cpu.setAddress(4, 1, 16);
  assert.equal(attempt(guest, "call", far(0x100, 0)), "#SS(0)");
});

Deno.test("virtual-8086 mode: a far call is as in real mode", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.run("call", far(0x300, 0x10));
  assert.deepEqual(where(guest), [0x300, 0x10, 3]);
  assert.equal(guest.cpu.segments[1].base, 0x3000);
  assert.equal(attempt(guest, "o32 jmp", far(0x300, 0x1_0000)), "#GP(0)");
});

Deno.test("protected mode: a far jump stays on the level, whatever RPL says below it", () => {
  const guest = new SystemGuest("protected");
  assert.equal(attempt(guest, "jmp", far(sel.code16, 0x1234)), "none");
  assert.deepEqual(where(guest), [sel.code16, 0x1234, 0]);
  assert.deepEqual([guest.cpu.mode, guest.cpu.segments[1].limit], [16, 0xffff]);
  const inner = new SystemGuest("protected", 3);
  assert.equal(attempt(inner, "jmp", far(sel.userCode & ~3, 0x20_0000)), "none");
  assert.deepEqual(where(inner), [sel.userCode, 0x20_0000, 3]);
});

Deno.test("protected mode: far targets that do not fit are blamed by their selectors", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.code, present: false });
  guest.gdt(sel.b, { type: type.code, limit: 0xff, size: 4 });
  const jump = (selector: number, offset = 0) => attempt(guest, "jmp", far(selector, offset));
  assert.equal(jump(0), "#GP(0)");
  assert.equal(jump(0x1000), "#GP(0x1000)");
  assert.equal(jump(sel.data), "#GP(0x10)");
  assert.equal(jump(sel.code | 1), "#GP(0x8)", "RPL above the level");
  assert.equal(jump(sel.userCode), "#GP(0x18)", "DPL is not the level");
  assert.equal(jump(sel.a), "#NP(0x90)");
  assert.equal(jump(sel.b, 0x100), "#GP(0)");
  assert.equal(jump(sel.b, 0xff), "none");
  assert.equal(jump(sel.tss), "#GP(0x28)", "a busy task");
  assert.equal(jump(sel.ldt), "#GP(0x38)");
});

Deno.test("conforming code runs on the level of whoever calls it, if that is not more privileged", () => {
  const guest = new SystemGuest("protected", 3);
  assert.equal(attempt(guest, "call", far(sel.conforming | 3, 0x100)), "none");
  assert.deepEqual(where(guest), [sel.conforming | 3, 0x100, 3]);
  const inner = new SystemGuest("protected");
  inner.gdt(sel.a, { type: type.conforming, dpl: 3 });
  assert.equal(attempt(inner, "call", far(sel.a, 0x100)), "#GP(0x90)");
});

Deno.test("a call through memory pushes CS and EIP of the operand size", () => {
  const guest = new SystemGuest("protected");
  guest.setWord(0x200, 0x7777);
  guest.setWord(0x204, sel.code);
  guest.run("far call", mem({ disp: 0x200, size: 48 }));
  assert.deepEqual(where(guest), [sel.code, 0x7777, 0]);
  assert.deepEqual(guest.stack(2), [place.code + 6, sel.code]);
});

Deno.test("a full stack: a far call is #SS(0)", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.expandDown, limit: 0x8fff, size: 4 });
  guest.segment(2, sel.a);
  guest.cpu.setAddress(4, 0x9004, 32);
  assert.equal(attempt(guest, "call", far(sel.code, 0)), "#SS(0)");
});

Deno.test("a call gate of 32 bits: inner stack, parameters copied, way back", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gate(sel.a, sel.code, place.handler, 12, 3, 2);
  guest.push([0x1111, 0x2222]);
  const top = guest.cpu.low(4);
  assert.equal(attempt(guest, "call", far(sel.a, 0xdead)), "none");
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.equal(guest.cpu.low(4), place.stack0 - 24);
  assert.deepEqual(guest.stack(6), [
    ...[place.userCode + 7, sel.userCode],
    ...[0x2222, 0x1111],
    ...[top, sel.userData],
  ]);
  assert.equal(guest.cpu.segments[2].selector, sel.data);
});

Deno.test("a call gate of 16 bits pushes words, and takes 16 bits of the offset", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gate(sel.a, sel.code, 0x1234_5678, 4, 3, 1);
  guest.push([0xabcd], 2);
  const top = guest.cpu.low(4);
  assert.equal(attempt(guest, "call", far(sel.a, 0)), "none");
  assert.deepEqual(where(guest), [sel.code, 0x5678, 0]);
  assert.equal(guest.cpu.low(4), place.stack0 - 10);
  const base = guest.cpu.low(4);
  assert.deepEqual(
    [0, 2, 4, 6, 8].map((n) => guest.half(base + n)),
    [place.userCode + 7 & 0xffff, sel.userCode, 0xabcd, top & 0xffff, sel.userData],
  );
});

Deno.test("a call gate to the same level or to conforming code stays on the stack", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gate(sel.a, sel.conforming, place.handler, 12, 3, 5);
  const top = guest.cpu.low(4);
  assert.equal(attempt(guest, "call", far(sel.a, 0)), "none");
  assert.deepEqual(where(guest), [sel.conforming | 3, place.handler, 3]);
  assert.equal(guest.cpu.low(4), top - 8);
});

Deno.test("a jump through a call gate never gains a level", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gate(sel.a, sel.code, place.handler, 12, 3);
  assert.equal(attempt(guest, "jmp", far(sel.a, 0)), "#GP(0x8)");
  guest.gate(sel.a, sel.userCode, place.handler, 12, 3);
  assert.equal(attempt(guest, "jmp", far(sel.a, 0)), "none");
  assert.deepEqual(where(guest), [sel.userCode, place.handler, 3]);
});

Deno.test("call gates that do not fit: whose selector is blamed", () => {
  const guest = new SystemGuest("protected", 3);
  const call = (rpl = 0) => attempt(guest, "call", far(sel.a | rpl, 0));
  guest.gate(sel.a, sel.code, 0, 12, 2);
  assert.equal(call(), "#GP(0x90)", "the gate's DPL below the level");
  guest.gate(sel.a, 0, 0, 12, 3);
  assert.equal(call(), "#GP(0)");
  guest.gate(sel.a, sel.data, 0, 12, 3);
  assert.equal(call(), "#GP(0x10)");
  guest.gate(sel.a, 0x1000, 0, 12, 3);
  assert.equal(call(), "#GP(0x1000)");
  guest.gdt(sel.b, { type: type.code, present: false });
  guest.gate(sel.a, sel.b, 0, 12, 3);
  assert.equal(call(), "#NP(0x98)");
  guest.setWord(place.gdt + sel.a + 4, 3 << 13 | 12 << 8);
  assert.equal(call(), "#NP(0x90)", "the gate is not present");
});

Deno.test("inner stacks that do not fit: #TS and #SS with their selector", () => {
  const guest = new SystemGuest("protected", 3);
  guest.gate(sel.a, sel.code, 0, 12, 3);
  const call = (stack: number) => {
    guest.setWord(place.tss + 8, stack);
    return attempt(guest, "call", far(sel.a, 0));
  };
  guest.gdt(sel.b, { type: type.data, present: false });
  guest.gdt(sel.c, { type: type.data, limit: 0x8fff, size: 4 });
  assert.equal(call(0), "#TS(0)");
  assert.equal(call(0x1000), "#TS(0x1000)");
  assert.equal(call(sel.data | 1), "#TS(0x10)");
  assert.equal(call(sel.code), "#TS(0x8)");
  assert.equal(call(sel.userData & ~3), "#TS(0x20)");
  assert.equal(call(sel.b), "#SS(0x98)");
  guest.setWord(place.tss + 4, 0x9001);
  assert.equal(call(sel.c), "#SS(0xa0)", "beyond its limit");
  guest.cpu.segments[7].limit = 8;
  assert.equal(call(sel.data), "#TS(0x28)", "the task has no such stack");
});

Deno.test("long mode: code of 64 and 32 bits by the descriptor, none of both at once", () => {
  const guest = new SystemGuest("long");
  guest.setWord(0x200, 0x7777);
  guest.setWord(0x204, sel.code32);
  assert.equal(attempt(guest, "far jmp", mem({ disp: 0x200, size: 48 })), "none");
  assert.deepEqual([...where(guest), guest.cpu.mode], [sel.code32, 0x7777, 0, 32]);
  assert.equal(attempt(guest, "jmp", far(sel.code, 0x6000)), "none");
  assert.deepEqual([...where(guest), guest.cpu.mode], [sel.code, 0x6000, 0, 64]);
  guest.gdt(sel.a, { type: type.code, size: 14 });
  guest.setWord(0x204, sel.a);
  assert.equal(attempt(guest, "far jmp", mem({ disp: 0x200, size: 48 })), "#GP(0x90)");
});

Deno.test("long mode: an offset of 64 bits must be canonical", () => {
  const guest = new SystemGuest("long");
  const jump = (high: number, low = 0x1000) => {
    guest.setWord(0x200, low);
    guest.setWord(0x204, high);
    guest.setWord(0x208, sel.code);
    return attempt(guest, "far jmp", mem({ disp: 0x200, size: 80 }));
  };
  assert.equal(jump(0x8000), "#GP(0)");
  assert.equal(jump(0xffff_8000, 0x1234), "none");
  assert.equal(guest.cpu.rip, -0x8000_0000_0000 + 0x1234);
});

Deno.test("long mode: a call gate leads to 64-bit code, on a stack with a null SS", () => {
  const guest = new SystemGuest("compatibility", 3);
  const offset = -0x7fff_0000_0000;
  guest.gate(sel.a, sel.code, offset, 12, 3);
  const top = guest.cpu.low(4);
  assert.equal(attempt(guest, "call", far(sel.a, 0)), "none");
  assert.deepEqual([...where(guest), guest.cpu.mode], [sel.code, offset, 0, 64]);
  assert.equal(guest.cpu.segments[2].selector, 0);
  assert.equal(guest.cpu.address(4, 64), place.stack0 - 32);
  assert.deepEqual(guest.stack(8), [
    ...[place.userCode + 7, 0, sel.userCode32, 0],
    ...[top, 0, sel.userData, 0],
  ]);
});

Deno.test("long mode: gates of 16 bits, tasks, and gates to 32-bit code are none", () => {
  const guest = new SystemGuest("compatibility", 3);
  const call = () => attempt(guest, "call", far(sel.a, 0));
  guest.gate(sel.a, sel.code, 0, 4, 3);
  assert.equal(call(), "#GP(0x90)");
  guest.gate(sel.a, sel.otherTss, 0, 5, 3);
  assert.equal(call(), "#GP(0x90)");
  guest.gate(sel.a, sel.code32, 0, 12, 3);
  assert.equal(call(), "#GP(0x60)");
  guest.gate(sel.a, sel.code, 0, 12, 3);
  guest.setWord(place.gdt + sel.a + 12, 0x100);
  assert.equal(call(), "#GP(0x90)", "its second half has a type");
  guest.gate(sel.a, sel.code, 0x8000_0000_0000, 12, 3);
  assert.equal(call(), "#GP(0)", "not canonical");
});
