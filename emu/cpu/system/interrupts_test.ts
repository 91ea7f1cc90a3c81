import assert from "node:assert/strict";
import { faultOf, place, sel, stateOf, SystemGuest, type } from "../../../testdata/system_guest.ts";
import { eflag, Fault, vectors } from "../processor.ts";
import {
  afterFault,
  deliverException,
  deliverInterrupt,
  deliverNmi,
  throughTable,
} from "./interrupts.ts";
import { presentStack } from "./stack.ts";

/** Where the guest is: selector, offset, level. */
function where({ cpu }: SystemGuest): readonly number[] {
  return [cpu.segments[1].selector, cpu.rip, cpu.cpl];
}

/** Types of gates. */
const gate = { task: 5, interrupt16: 6, trap16: 7, interrupt: 14, trap: 15 } as const;
const { IF, TF, NT, RF, VM, AC, IOPL } = eflag;
const { DE, DB, DF, TS, NP, SS, GP, PF, UD } = vectors;

Deno.test("real mode: flags, CS and IP are pushed, IF and TF cleared, no error code", () => {
  const guest = new SystemGuest("real");
  guest.setWord(4 * GP, 0xf000_1234);
  guest.cpu.eflags = IF | TF | AC | 2;
  deliverException(guest.cpu, new Fault(GP, 0));
  assert.deepEqual(where(guest), [0xf000, 0x1234, 0]);
  assert.equal(guest.cpu.address(4, 16), 0x9000 - 6);
  assert.deepEqual([0, 2, 4].map((n) => guest.half(0x8ffa + n)), [place.code, 0, IF | TF | 2]);
  assert.equal(guest.cpu.eflags, 2);
});

Deno.test("real mode: a vector beyond the table shuts down, where #GP and #DF have none either", () => {
  const guest = new SystemGuest("real");
  guest.cpu.idtr.limit = 4 * 0x40 - 1;
  guest.setWord(4 * GP, 0x0100_0010);
  deliverInterrupt(guest.cpu, 0x50);
  assert.deepEqual(where(guest), [0x100, 0x10, 0], "#GP instead");
  guest.cpu.idtr.limit = 0;
  deliverInterrupt(guest.cpu, 0x50);
  assert.equal(guest.cpu.shutDown, true);
});

Deno.test("32-bit gates: flags, CS, EIP and the error code, on the same stack", () => {
  const guest = new SystemGuest("protected");
  guest.idt(GP, sel.code, 0x1234_5678, gate.interrupt);
  guest.cpu.eflags = IF | NT | 2;
  const top = guest.cpu.low(4);
  deliverException(guest.cpu, new Fault(GP, 0x18));
  assert.deepEqual(where(guest), [sel.code, 0x1234_5678, 0]);
  assert.equal(guest.cpu.low(4), top - 16);
  assert.deepEqual(guest.stack(4), [0x18, place.code, sel.code, RF | IF | NT | 2]);
  assert.equal(guest.cpu.eflags, 2);
});

Deno.test("a trap gate leaves IF, an interrupt has neither RF nor error code", () => {
  const guest = new SystemGuest("protected");
  guest.idt(0x20, sel.code, place.handler, gate.trap);
  guest.cpu.eflags = IF | TF | 2;
  guest.cpu.halted = true;
  deliverInterrupt(guest.cpu, 0x20);
  assert.deepEqual(guest.stack(3), [place.code, sel.code, IF | TF | 2]);
  assert.equal(guest.cpu.eflags, IF | 2);
  assert.equal(guest.cpu.halted, false);
});

Deno.test("an interrupt whose vector is that of an exception has no error code", () => {
  const guest = new SystemGuest("protected");
  guest.idt(8, sel.code, place.handler, gate.interrupt);
  const top = guest.cpu.low(4);
  deliverInterrupt(guest.cpu, 8);
  assert.equal(guest.cpu.low(4), top - 12);
});

Deno.test("16-bit gates push words", () => {
  const guest = new SystemGuest("protected", 3);
  guest.idt(GP, sel.code16, 0xdead_5678, gate.interrupt16);
  const top = guest.cpu.low(4);
  deliverException(guest.cpu, new Fault(GP, 0x18));
  assert.deepEqual(where(guest), [sel.code16, 0x5678, 0]);
  const at = guest.cpu.low(4);
  assert.equal(at, place.stack0 - 12);
  assert.deepEqual(
    [0, 2, 4, 6, 8, 10].map((n) => guest.half(at + n)),
    [0x18, place.userCode & 0xffff, sel.userCode, 2, top & 0xffff, sel.userData],
  );
});

Deno.test("from level 3: the stack of level 0, and on it the old one", () => {
  const guest = new SystemGuest("protected", 3);
  guest.idt(PF, sel.code, place.handler, gate.interrupt);
  const top = guest.cpu.low(4);
  deliverException(guest.cpu, new Fault(PF, 6, 0xc000_1234));
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.equal(guest.cpu.cr2, 0xc000_1234n);
  assert.deepEqual(
    guest.stack(6),
    [6, place.userCode, sel.userCode, RF | 2, top, sel.userData],
  );
  const { selector, attributes } = guest.cpu.segments[2];
  assert.deepEqual([selector, attributes], [sel.data, 0xc093]);
  assert.equal(guest.cpu.segments[3].selector, sel.userData, "data segments stay");
});

Deno.test("a conforming handler runs on the level it is called from", () => {
  const guest = new SystemGuest("protected", 3);
  guest.idt(UD, sel.conforming, place.handler, gate.interrupt);
  const top = guest.cpu.low(4);
  deliverException(guest.cpu, new Fault(UD));
  assert.deepEqual(where(guest), [sel.conforming | 3, place.handler, 3]);
  assert.equal(guest.cpu.low(4), top - 12);
});

Deno.test("what is wrong with a gate: #GP and #NP with the vector, IDT and EXT", () => {
  const guest = new SystemGuest("protected", 3);
  const deliver = (kind: "interrupt" | "software" | "trap") => {
    const before = stateOf(guest.cpu);
    const fault = faultOf(() => throughTable(guest.cpu, 0x20, kind, undefined, 0));
    assert.deepEqual(stateOf(guest.cpu), before);
    return fault;
  };
  assert.equal(deliver("interrupt"), "#GP(0x103)", "no gate");
  assert.equal(deliver("software"), "#GP(0x102)");
  guest.idt(0x20, sel.code, 0, gate.interrupt);
  assert.equal(deliver("software"), "#GP(0x102)", "DPL below the level");
  guest.setWord(place.idt + 0x104, 14 << 8 | 3 << 13);
  assert.equal(deliver("software"), "#NP(0x102)");
  assert.equal(deliver("interrupt"), "#NP(0x103)");
  guest.cpu.idtr.limit = 0x106;
  assert.equal(deliver("interrupt"), "#GP(0x103)");
});

Deno.test("what is wrong with a handler: its selector with EXT", () => {
  const guest = new SystemGuest("protected", 3);
  const deliver = (selector: number, software = false, offset = 0) => {
    guest.idt(0x20, selector, offset, gate.interrupt, 3);
    const kind = software ? "software" : "interrupt";
    const before = stateOf(guest.cpu);
    const fault = faultOf(() => throughTable(guest.cpu, 0x20, kind, undefined, 0));
    assert.deepEqual(stateOf(guest.cpu), before);
    return fault;
  };
  guest.gdt(sel.a, { type: type.code, present: false });
  guest.gdt(sel.b, { type: type.code, limit: 0xfff, size: 4 });
  assert.equal(deliver(0), "#GP(0x1)");
  assert.equal(deliver(0, true), "#GP(0)");
  assert.equal(deliver(0x1000), "#GP(0x1001)");
  assert.equal(deliver(sel.data), "#GP(0x11)");
  assert.equal(deliver(sel.a), "#NP(0x91)");
  assert.equal(deliver(sel.a, true), "#NP(0x90)");
  assert.equal(deliver(sel.b, false, 0x1000), "#GP(0x1)");
  guest.setWord(place.tss + 8, 0);
  assert.equal(deliver(sel.code), "#TS(0x1)");
  guest.setWord(place.tss + 8, sel.userData);
  assert.equal(deliver(sel.code), "#TS(0x21)");
  assert.equal(deliver(sel.code, true), "#TS(0x20)");
  guest.cpu.segments[7].limit = 8;
  assert.equal(deliver(sel.code), "#TS(0x29)");
});

Deno.test("a handler's DPL above the level is #GP with its selector", () => {
  const guest = new SystemGuest("protected");
  guest.idt(0x20, sel.userCode, 0, gate.interrupt);
  assert.equal(
    faultOf(() => throughTable(guest.cpu, 0x20, "interrupt", undefined, 0)),
    "#GP(0x19)",
  );
});

Deno.test("virtual-8086 mode: an interrupt saves all segment registers, and they are null then", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.idt(0x20, sel.code, place.handler, gate.interrupt);
  deliverInterrupt(guest.cpu, 0x20);
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.equal(guest.cpu.low(4), place.stack0 - 36);
  assert.deepEqual(
    guest.stack(9),
    [place.code, 0x100, VM | IF | 2, 0x9000, 0x200, 0, 0x300, 0x400, 0x500],
  );
  assert.equal(guest.cpu.eflags, 2);
  assert.equal(guest.cpu.mode, 32);
  for (const n of [0, 3, 4, 5]) assert.equal(guest.cpu.segments[n as 0].attributes, 0x1_0000);
});

Deno.test("virtual-8086 mode: a fault pushes its error code below", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.idt(GP, sel.code, place.handler, gate.trap);
  deliverException(guest.cpu, new Fault(GP, 0));
  assert.deepEqual(guest.stack(4), [0, place.code, 0x100, VM | IF | RF | 2]);
  assert.equal(guest.cpu.eflags, IF | 2);
});

Deno.test("virtual-8086 mode: handlers are of level 0 and do not conform", () => {
  const guest = new SystemGuest("virtual-8086");
  const deliver = (selector: number) => {
    guest.idt(0x20, selector, 0, gate.interrupt);
    return faultOf(() => throughTable(guest.cpu, 0x20, "interrupt", undefined, 0));
  };
  assert.equal(deliver(sel.code1), "#GP(0x49)");
  assert.equal(deliver(sel.conforming), "#GP(0x59)");
  assert.equal(deliver(sel.userCode), "#GP(0x19)");
});

Deno.test("64-bit gates: an aligned stack, SS and RSP always, a null SS for an inner level", () => {
  const guest = new SystemGuest("long", 3);
  const offset = -0x7e00_0000;
  guest.idt(GP, sel.code, offset, gate.interrupt);
  guest.setWord(place.tss + 4, place.stack0 + 8);
  const top = guest.cpu.address(4, 64);
  deliverException(guest.cpu, new Fault(GP, 0x18));
  assert.deepEqual(where(guest), [sel.code, offset, 0]);
  assert.equal(guest.cpu.address(4, 64), place.stack0 - 48);
  assert.deepEqual(
    guest.stack(12),
    [0x18, 0, place.userCode, 0, sel.userCode, 0, RF | 2, 0, top, 0, sel.userData, 0],
  );
  assert.equal(guest.cpu.segments[2].selector, 0);
});

Deno.test("64-bit gates on the same level: the stack is aligned and SS stays", () => {
  const guest = new SystemGuest("long");
  guest.idt(0x20, sel.code, place.handler, gate.trap);
  guest.cpu.setAddress(4, 0x8ff8, 64);
  guest.cpu.eflags = IF | TF | NT | 2;
  deliverInterrupt(guest.cpu, 0x20);
  assert.equal(guest.cpu.address(4, 64), 0x8ff0 - 40);
  assert.deepEqual(
    guest.stack(10),
    [place.code, 0, sel.code, 0, IF | TF | NT | 2, 0, 0x8ff8, 0, sel.data, 0],
  );
  assert.equal(guest.cpu.segments[2].selector, sel.data);
  assert.equal(guest.cpu.eflags, IF | 2);
});

Deno.test("64-bit gates: the upper half of the address space has aligned stacks as well", () => {
  const guest = new SystemGuest("long");
  guest.tables?.map(-0x20_0000, 0, 3, 0, 21);
  guest.idt(0x20, sel.code, place.handler, gate.trap);
  guest.cpu.setAddress(4, -0x20_0000 + 0x8ff8, 64);
  deliverInterrupt(guest.cpu, 0x20);
  assert.equal(guest.cpu.address(4, 64), -0x20_0000 + 0x8ff0 - 40);
  assert.deepEqual([guest.word(0x8fe0), guest.word(0x8fe4)], [0xffe0_8ff8, 0xffff_ffff]);
});

Deno.test("64-bit gates: an interrupt stack is used on any level, and leaves SS on the same", () => {
  const guest = new SystemGuest("long");
  guest.idt(2, sel.code, place.handler, gate.interrupt, 0, 2);
  deliverNmi(guest.cpu);
  assert.equal(guest.cpu.address(4, 64), place.ist2 - 40);
  assert.equal(guest.cpu.segments[2].selector, sel.data);
  assert.equal(guest.cpu.nmiBlocked, true);
});

Deno.test("64-bit gates from compatibility mode: the handler is 64-bit code, or #GP", () => {
  const guest = new SystemGuest("compatibility", 3);
  guest.idt(0x20, sel.code32, 0, gate.interrupt);
  const deliver = () => faultOf(() => throughTable(guest.cpu, 0x20, "interrupt", undefined, 0x77));
  assert.equal(deliver(), "#GP(0x61)");
  guest.idt(0x20, sel.code, 0x8000_0000_0000, gate.interrupt);
  assert.equal(deliver(), "#GP(0x1)", "not canonical");
  guest.idt(0x20, sel.code, place.handler, gate.interrupt16);
  assert.equal(deliver(), "#GP(0x103)");
  guest.idt(0x20, sel.code, place.handler, gate.task);
  assert.equal(deliver(), "#GP(0x103)");
  guest.idt(0x20, sel.code, place.handler, gate.interrupt);
  assert.equal(deliver(), "none");
  assert.equal(guest.cpu.mode, 64);
  assert.deepEqual(guest.stack(3), [0x77, 0, sel.userCode32]);
});

Deno.test("64-bit gates: a stack that is not canonical is #SS, a short TSS #TS", () => {
  const guest = new SystemGuest("long", 3);
  guest.idt(0x20, sel.code, 0, gate.interrupt);
  guest.setWord(place.tss + 8, 0x8000);
  const deliver = () => faultOf(() => throughTable(guest.cpu, 0x20, "interrupt", undefined, 0));
  assert.equal(deliver(), "#SS(0x1)");
  guest.cpu.segments[7].limit = 10;
  assert.equal(deliver(), "#TS(0x29)");
});

Deno.test("an inner stack that is not mapped: the page fault takes the place of an interrupt", () => {
  const guest = new SystemGuest("long", 3);
  guest.idt(0x20, sel.code, place.handler, gate.interrupt);
  guest.idt(PF, sel.code, place.handler + 16, gate.interrupt, 0, 1);
  guest.setWord(place.tss + 4, 0x4000_0000);
  deliverInterrupt(guest.cpu, 0x20);
  assert.deepEqual(where(guest), [sel.code, place.handler + 16, 0]);
  assert.equal(guest.cpu.cr2, BigInt(0x4000_0000 - 8));
  assert.deepEqual(guest.stack(3), [2, 0, place.userCode], "written by the supervisor");
});

Deno.test("of a stack that ends in a missing page, CR2 has the first push that falls into it", () => {
  const guest = new SystemGuest("long", 3);
  // What is mapped begins at 2 MiB; three values fit above that.
  guest.tables?.map(0, 0, 2, 0, 21);
  guest.cpu.mmu.flush(true);
  const stack = presentStack(guest.cpu);
  stack.pointer = 0x20_0018;
  assert.equal(faultOf(() => stack.reserve(5, 8)), "#PF(0x6) at 0x1ffff8");
  assert.equal(faultOf(() => stack.reserve(3, 8)), "none");
});

Deno.test("which exceptions make a double fault of a second, and which of that a shutdown", () => {
  const next = (first: number, second: number) => {
    const fault = afterFault(first, "fault", new Fault(second, 0));
    return fault?.vector;
  };
  const contributory = [DE, TS, NP, SS, GP];
  for (const first of contributory) {
    for (const second of contributory) assert.equal(next(first, second), DF);
    assert.equal(next(first, PF), PF);
    assert.equal(next(PF, first), DF);
    assert.equal(next(UD, first), first);
    assert.equal(next(DF, first), undefined);
    assert.equal(next(first, UD), UD);
  }
  assert.equal(next(PF, PF), DF);
  assert.equal(next(DF, PF), undefined);
  assert.equal(next(DF, DB), DB);
  assert.equal(next(DB, PF), PF);
  assert.equal(afterFault(GP, "interrupt", new Fault(GP, 0))?.vector, GP, "an interrupt is benign");
});

Deno.test("double fault: the second of two contributory exceptions, with an error code of 0", () => {
  const guest = new SystemGuest("protected");
  guest.idt(DF, sel.code, place.handler, gate.interrupt);
  deliverException(guest.cpu, new Fault(GP, 0x18));
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.deepEqual(guest.stack(3), [0, place.code, sel.code]);
});

Deno.test("a page fault while another is delivered: CR2 has the second, and there is a double fault", () => {
  const guest = new SystemGuest("long", 3);
  guest.idt(PF, sel.code, place.handler, gate.interrupt);
  guest.idt(DF, sel.code, place.handler + 16, gate.interrupt, 0, 1);
  guest.setWord(place.tss + 4, 0x4000_0000);
  deliverException(guest.cpu, new Fault(PF, 4, 0x1234));
  assert.deepEqual(where(guest), [sel.code, place.handler + 16, 0]);
  assert.equal(guest.cpu.cr2, BigInt(0x4000_0000 - 8));
  assert.deepEqual(guest.stack(3), [0, 0, place.userCode]);
});

Deno.test("triple fault: a double fault that cannot be delivered shuts down", () => {
  const guest = new SystemGuest("protected");
  deliverException(guest.cpu, new Fault(GP, 0));
  assert.equal(guest.cpu.shutDown, true);
  assert.deepEqual(where(guest), [sel.code, place.code, 0], "all else stays");
});

Deno.test("an interrupt without a gate becomes #GP with the vector, from outside", () => {
  const guest = new SystemGuest("protected");
  guest.idt(GP, sel.code, place.handler, gate.interrupt);
  deliverInterrupt(guest.cpu, 0x30);
  assert.deepEqual(guest.stack(2), [0x183, place.code]);
});

Deno.test("a debug trap does not set RF in the saved flags", () => {
  const guest = new SystemGuest("protected");
  guest.idt(DB, sel.code, place.handler, gate.interrupt);
  guest.cpu.eflags = TF | 2;
  deliverException(guest.cpu, new Fault(DB));
  assert.deepEqual(guest.stack(3), [place.code, sel.code, TF | 2]);
  assert.equal(guest.cpu.eflags, 2);
});

Deno.test("a host is asked first, with what would be delivered", () => {
  const guest = new SystemGuest("protected");
  const asked: unknown[] = [];
  guest.cpu.host = {
    deliver: (...what) => {
      asked.push(what);
      guest.cpu.rip = 0x77;
      return true;
    },
  };
  deliverException(guest.cpu, new Fault(PF, 2, 0x1234));
  deliverInterrupt(guest.cpu, 0x20);
  assert.deepEqual(asked, [
    [PF, "fault", 2, 0x1234],
    [0x20, "interrupt", undefined, undefined],
  ]);
  assert.deepEqual([guest.cpu.rip, guest.cpu.cr2], [0x77, 0n]);
});

Deno.test("a host that declines leaves the interrupt to the table", () => {
  const guest = new SystemGuest("protected");
  guest.idt(0x20, sel.code, place.handler, gate.interrupt);
  guest.cpu.host = { deliver: () => false };
  deliverInterrupt(guest.cpu, 0x20);
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
});

Deno.test("IOPL does not matter to what comes from outside", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.idt(0x20, sel.code, place.handler, gate.interrupt);
  guest.cpu.eflags |= IOPL;
  deliverInterrupt(guest.cpu, 0x20);
  assert.equal(guest.cpu.eflags, IOPL | 2);
});
