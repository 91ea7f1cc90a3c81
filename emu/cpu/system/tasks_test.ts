import assert from "node:assert/strict";
import { faultOf, place, sel, stateOf, SystemGuest, type } from "../../../testdata/system_guest.ts";
import { type AssemblyOperand, far } from "../assemble.ts";
import { cr0Bits, eflag, Fault, vectors } from "../processor.ts";
import { deliverException, deliverInterrupt } from "./interrupts.ts";

const { NT, VM, IF } = eflag;

/** What a TSS says of its task. */
interface Task {
  readonly eip?: number;
  readonly eflags?: number;
  readonly esp?: number;
  readonly cs?: number;
  readonly ss?: number;
  readonly ds?: number;
  readonly ldt?: number;
  readonly trap?: boolean;
}

/** Writes a TSS of 32 bits: the segments that are not named are null. */
function writeTask(guest: SystemGuest, base: number, task: Task = {}): void {
  const { eip = place.handler, eflags = 2, esp = place.task, cs = sel.code, ss = sel.data } = task;
  for (let at = 0x20; at < 0x68; at += 4) guest.setWord(base + at, 0);
  guest.setWord(base + 0x20, eip);
  guest.setWord(base + 0x24, eflags);
  for (let n = 0; n < 8; n++) guest.setWord(base + 0x28 + 4 * n, 0x1111_1111 * n);
  guest.setWord(base + 0x38, esp);
  guest.setWord(base + 0x4c, cs);
  guest.setWord(base + 0x50, ss);
  guest.setWord(base + 0x54, task.ds ?? 0);
  guest.setWord(base + 0x60, task.ldt ?? 0);
  guest.setWord(base + 0x64, 0x68 << 16 | (task.trap ? 1 : 0));
}

/** Runs an instruction; its exception, after which nothing has changed. */
function attempt(guest: SystemGuest, mnemonic: string, ...operands: AssemblyOperand[]): string {
  const before = stateOf(guest.cpu);
  const fault = faultOf(() => guest.run(mnemonic, ...operands));
  if (fault !== "none") assert.deepEqual(stateOf(guest.cpu), before);
  return fault;
}

const where = ({ cpu }: SystemGuest) => [cpu.segments[1].selector, cpu.rip, cpu.cpl];
const typeOf = (guest: SystemGuest, selector: number) =>
  guest.word(place.gdt + selector + 4) >>> 8 & 15;

Deno.test("JMP to a TSS saves the task, loads the other, and moves the busy bit", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss, { ds: sel.data });
  guest.cpu.setAddress(3, 0x5555_5555, 32);
  const { rip } = guest.cpu;
  const esp = guest.cpu.low(4);
  assert.equal(attempt(guest, "jmp", far(sel.otherTss, 0xdead)), "none");
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.deepEqual([guest.cpu.low(1), guest.cpu.low(4), guest.cpu.low(7)], [
    ...[0x1111_1111, place.task, 0x7777_7777],
  ]);
  assert.deepEqual(
    guest.cpu.segments.slice(0, 8).map(({ selector }) => selector),
    [0, sel.code, sel.data, sel.data, 0, 0, 0, sel.otherTss],
  );
  assert.deepEqual([typeOf(guest, sel.tss), typeOf(guest, sel.otherTss)], [9, 11]);
  assert.equal(guest.cpu.eflags, 2, "no NT");
  assert.notEqual(guest.cpu.cr0 & cr0Bits.TS, 0);
  // The old one is as it was, behind the jump.
  assert.equal(guest.word(place.tss + 0x20), rip + 7);
  assert.deepEqual([guest.word(place.tss + 0x34), guest.word(place.tss + 0x38)], [
    ...[0x5555_5555, esp],
  ]);
  assert.deepEqual([0x4c, 0x50, 0x54].map((at) => guest.half(place.tss + at)), [
    ...[sel.code, sel.data, sel.data],
  ]);
});

Deno.test("CALL to a TSS nests, and IRET with NT goes back", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss);
  const { rip } = guest.cpu;
  assert.equal(attempt(guest, "call", far(sel.otherTss, 0)), "none");
  assert.equal(guest.cpu.eflags, NT | 2);
  assert.equal(guest.half(place.otherTss), sel.tss, "the way back");
  assert.deepEqual([typeOf(guest, sel.tss), typeOf(guest, sel.otherTss)], [11, 11]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.deepEqual(where(guest), [sel.code, rip + 7, 0]);
  assert.deepEqual([typeOf(guest, sel.tss), typeOf(guest, sel.otherTss)], [11, 9]);
  assert.equal(guest.word(place.otherTss + 0x24), 2, "saved without NT");
  assert.equal(guest.cpu.eflags, 2);
});

Deno.test("IRET with NT: the way back must be a busy task", () => {
  const guest = new SystemGuest("protected");
  guest.cpu.eflags |= NT;
  guest.setWord(place.tss, sel.otherTss);
  assert.equal(attempt(guest, "iretd"), "#TS(0x80)", "available");
  guest.setWord(place.tss, sel.data);
  assert.equal(attempt(guest, "iretd"), "#TS(0x10)");
  guest.setWord(place.tss, 0x1000);
  assert.equal(attempt(guest, "iretd"), "#TS(0x1000)");
  guest.setWord(place.tss, sel.otherTss | 4);
  assert.equal(attempt(guest, "iretd"), "#TS(0x84)");
});

Deno.test("a task gate leads to its task, and says who may go through", () => {
  const guest = new SystemGuest("protected", 3);
  writeTask(guest, place.otherTss);
  guest.gate(sel.a, sel.otherTss, 0, 5, 0);
  assert.equal(attempt(guest, "call", far(sel.a, 0)), "#GP(0x90)");
  guest.gate(sel.a, sel.otherTss, 0, 5, 3);
  assert.equal(attempt(guest, "call", far(sel.a, 0)), "none");
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.equal(guest.cpu.cpl, 3);
});

Deno.test("tasks that cannot be switched to are blamed by their selectors", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss);
  guest.gate(sel.a, sel.tss, 0, 5);
  assert.equal(attempt(guest, "jmp", far(sel.a, 0)), "#GP(0x28)", "busy");
  guest.gate(sel.a, sel.otherTss | 4, 0, 5);
  assert.equal(attempt(guest, "jmp", far(sel.a, 0)), "#GP(0x84)", "of the LDT");
  guest.gdt(sel.otherTss, { type: 9, base: place.otherTss, limit: 0x66, size: 0 });
  assert.equal(attempt(guest, "jmp", far(sel.otherTss, 0)), "#TS(0x80)", "too short");
  guest.gdt(sel.otherTss, { type: 9, base: place.otherTss, limit: 0x67, present: false });
  assert.equal(attempt(guest, "jmp", far(sel.otherTss, 0)), "#NP(0x80)");
});

Deno.test("a new task's bad segments fault in the new task: #TS with their selector", () => {
  const enter = (task: Task) => {
    const guest = new SystemGuest("protected");
    guest.gdt(sel.a, { type: type.data, present: false });
    guest.gdt(sel.b, { type: type.code, present: false });
    writeTask(guest, place.otherTss, task);
    const fault = faultOf(() => guest.run("jmp", far(sel.otherTss, 0)));
    assert.equal(guest.cpu.segments[7].selector, sel.otherTss);
    assert.equal(guest.cpu.rip, place.handler);
    return fault;
  };
  assert.equal(enter({ cs: sel.data }), "#TS(0x10)");
  assert.equal(enter({ cs: 0 }), "#TS(0)");
  assert.equal(enter({ cs: sel.b }), "#NP(0x98)");
  assert.equal(enter({ ss: sel.userData }), "#TS(0x20)");
  assert.equal(enter({ ss: sel.a }), "#SS(0x90)");
  assert.equal(enter({ ds: sel.tss }), "#TS(0x28)");
  assert.equal(enter({ ds: sel.a }), "#NP(0x90)");
  assert.equal(enter({ ldt: sel.data }), "#TS(0x10)");
});

Deno.test("a new task has its LDT", () => {
  const guest = new SystemGuest("protected");
  guest.ldt(0x10, { type: type.data });
  writeTask(guest, place.otherTss, { ldt: sel.ldt, ds: 0x14 });
  assert.equal(attempt(guest, "jmp", far(sel.otherTss, 0)), "none");
  const { selector, base, limit } = guest.cpu.segments[6];
  assert.deepEqual([selector, base, limit], [sel.ldt, place.ldt, 0xff]);
  assert.equal(guest.cpu.segments[3].selector, 0x14);
});

Deno.test("a new task may be a virtual-8086 program", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss, { eflags: VM | IF | 2, cs: 0x100, ss: 0x200, eip: 0x1234 });
  assert.equal(attempt(guest, "jmp", far(sel.otherTss, 0)), "none");
  assert.deepEqual(where(guest), [0x100, 0x1234, 3]);
  assert.deepEqual([guest.cpu.segments[1].base, guest.cpu.mode], [0x1000, 16]);
});

Deno.test("a TSS of 16 bits, and the way back to one of 32", () => {
  const guest = new SystemGuest("protected");
  const set = (at: number, value: number) =>
    guest.setWord(place.tss16 + at, guest.word(place.tss16 + at) & 0xffff_0000 | value);
  for (let at = 0; at < 0x2c; at += 2) set(at, 0);
  set(0x0e, 0x1234);
  set(0x10, 2);
  set(0x12, 0xabcd);
  set(0x1a, 0xe000);
  set(0x24, sel.code16);
  set(0x26, sel.data16);
  assert.equal(attempt(guest, "call", far(sel.tss16, 0)), "none");
  assert.deepEqual([...where(guest), guest.cpu.mode], [sel.code16, 0x1234, 0, 16]);
  assert.equal(guest.cpu.low(0), 0xffff_abcd);
  assert.equal(guest.half(place.tss16), sel.tss);
  assert.equal(attempt(guest, "iret"), "none");
  assert.equal(guest.cpu.mode, 32);
  assert.equal(guest.half(place.tss16 + 0x0e), 0x1235, "saved behind the IRET");
});

Deno.test("a double fault through a task gate, as 32-bit Linux has it, needs no stack of the old task", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss);
  guest.idt(vectors.DF, sel.otherTss, 0, 5);
  guest.idt(vectors.PF, sel.code, place.handler, 14);
  guest.cpu.segments[2].limit = 0x7fff;
  const esp = guest.cpu.low(4);
  // The page fault finds no room on the stack.
  deliverException(guest.cpu, new Fault(vectors.PF, 2, 0x1234));
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.equal(guest.cpu.segments[7].selector, sel.otherTss);
  assert.equal(guest.cpu.low(4), place.task - 4);
  assert.deepEqual(guest.stack(1), [0], "the error code");
  assert.equal(guest.cpu.eflags, NT | 2);
  assert.equal(guest.cpu.cr2, 0x1234n);
  assert.deepEqual(
    [guest.word(place.tss + 0x20), guest.word(place.tss + 0x38)],
    [place.code, esp],
    "the old task is found where it was",
  );
  assert.equal(guest.word(place.tss + 0x24) & eflag.RF, eflag.RF);
});

Deno.test("an interrupt through a task gate to a busy task is #GP from outside", () => {
  const guest = new SystemGuest("protected");
  guest.idt(0x20, sel.tss, 0, 5);
  guest.idt(vectors.GP, sel.code, place.handler, 14);
  deliverInterrupt(guest.cpu, 0x20);
  assert.deepEqual(guest.stack(2), [sel.tss | 1, place.code]);
});

Deno.test("a task that asks for it starts with a debug trap", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss, { trap: true });
  assert.equal(faultOf(() => guest.run("jmp", far(sel.otherTss, 0))), "#DB");
  assert.equal(guest.cpu.rip, place.handler);
  assert.equal((guest.cpu.debug[6] ?? 0n) & 0x8000n, 0x8000n);
});

Deno.test("a switch takes CR3 along where paging is on", () => {
  const guest = new SystemGuest("protected");
  writeTask(guest, place.otherTss);
  guest.setWord(place.otherTss + 0x1c, 0x10_0000);
  assert.equal(attempt(guest, "jmp", far(sel.otherTss, 0)), "none");
  assert.equal(guest.cpu.cr3, 0n);
  const paged = new SystemGuest("protected");
  writeTask(paged, place.otherTss);
  paged.setWord(place.otherTss + 0x1c, 0x11_0000);
  for (const root of [0x10_0000, 0x11_0000]) paged.setWord(root, 0x83);
  paged.cpu.cr3 = 0x10_0000n;
  paged.cpu.cr4 |= 0x10;
  paged.cpu.cr0 |= cr0Bits.PG;
  assert.equal(attempt(paged, "jmp", far(sel.otherTss, 0)), "none");
  assert.equal(paged.cpu.cr3, 0x11_0000n);
});
