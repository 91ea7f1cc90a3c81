import assert from "node:assert/strict";
import { faultOf, place, sel, stateOf, SystemGuest } from "../../../testdata/system_guest.ts";
import type { AssemblyOperand } from "../assemble.ts";
import { cr4Bits, eflag } from "../processor.ts";

/** Runs an instruction; its exception, after which nothing has changed. */
function attempt(guest: SystemGuest, mnemonic: string, ...operands: AssemblyOperand[]): string {
  const before = stateOf(guest.cpu);
  const fault = faultOf(() => guest.run(mnemonic, ...operands));
  if (fault !== "none") assert.deepEqual(stateOf(guest.cpu), before);
  return fault;
}

const where = ({ cpu }: SystemGuest) => [cpu.segments[1].selector, cpu.rip, cpu.cpl];
const { IF, TF, AC, ID, VM, VIF, VIP, IOPL, OF, RF, NT } = eflag;

Deno.test("INT saves the next instruction, wants a gate for its level, and has EXT clear", () => {
  const guest = new SystemGuest("protected", 3);
  guest.idt(0x80, sel.code, place.handler, 15);
  assert.equal(attempt(guest, "int", 0x80), "#GP(0x402)");
  guest.idt(0x80, sel.code, place.handler, 15, 3);
  assert.equal(attempt(guest, "int", 0x80), "none");
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  assert.deepEqual(guest.stack(2), [place.userCode + 2, sel.userCode]);
});

Deno.test("no debug trap follows INT: it has cleared TF", () => {
  const guest = new SystemGuest("protected");
  guest.idt(0x80, sel.code, place.handler, 15);
  guest.cpu.eflags |= TF;
  assert.equal(attempt(guest, "int", 0x80), "none");
  assert.deepEqual([guest.cpu.eflags & TF, guest.cpu.untraced], [0, true]);
});

Deno.test("INT 13 has no error code", () => {
  const guest = new SystemGuest("protected");
  guest.idt(13, sel.code, place.handler, 14);
  assert.equal(attempt(guest, "int", 13), "none");
  assert.deepEqual(guest.stack(2), [place.code + 2, sel.code]);
});

Deno.test("INT in real mode", () => {
  const guest = new SystemGuest("real");
  guest.setWord(4 * 0x10, 0xf000_1234);
  guest.cpu.eflags = IF | 2;
  assert.equal(attempt(guest, "int", 0x10), "none");
  assert.deepEqual(where(guest), [0xf000, 0x1234, 0]);
  assert.equal(guest.half(0x8ffa), place.code + 2);
  assert.equal(guest.cpu.eflags, 2);
});

Deno.test("INT in 64-bit mode", () => {
  const guest = new SystemGuest("long", 3);
  guest.idt(0x80, sel.code, place.handler, 14, 3);
  assert.equal(attempt(guest, "int", 0x80), "none");
  assert.deepEqual(guest.stack(3), [place.userCode + 2, 0, sel.userCode]);
});

Deno.test("INT3 and INTO check the gate's DPL, INT1 does not", () => {
  const guest = new SystemGuest("protected", 3);
  for (const vector of [1, 3, 4]) guest.idt(vector, sel.code, place.handler, 14);
  assert.equal(attempt(guest, "int3"), "#GP(0x1a)");
  assert.equal(attempt(guest, "into"), "none");
  assert.equal(guest.cpu.cpl, 3, "no overflow");
  guest.cpu.eflags |= OF;
  assert.equal(attempt(guest, "into"), "#GP(0x22)");
  const { rip } = guest.cpu;
  assert.equal(attempt(guest, "int1"), "none");
  assert.deepEqual(guest.stack(2), [rip + 1, sel.userCode]);
});

Deno.test("virtual-8086 mode: INT needs IOPL 3, INT3 does not", () => {
  const guest = new SystemGuest("virtual-8086");
  for (const vector of [3, 0x21]) guest.idt(vector, sel.code, place.handler, 14, 3);
  assert.equal(attempt(guest, "int", 0x21), "#GP(0)");
  assert.equal(attempt(guest, "int3"), "none");
  assert.deepEqual(where(guest), [sel.code, place.handler, 0]);
  const trusted = new SystemGuest("virtual-8086");
  trusted.idt(0x21, sel.code, place.handler, 14, 3);
  trusted.cpu.eflags |= IOPL;
  assert.equal(attempt(trusted, "int", 0x21), "none");
  assert.deepEqual(where(trusted), [sel.code, place.handler, 0]);
});

Deno.test("virtual-8086 mode with VME: the map leaves interrupts to the program, with VIF for IF", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.cpu.cr4 |= cr4Bits.VME;
  // The map lies below I/O permissions; INT 21h is the program's own, INT 22h not.
  guest.setWord(place.tss + 0x64, 0x100 << 16);
  guest.setWord(place.tss + 0xe0 + 4, 1 << 2);
  guest.setWord(4 * 0x21, 0x0300_0040);
  guest.cpu.eflags |= VIF | TF;
  assert.equal(attempt(guest, "int", 0x21), "none");
  assert.deepEqual(where(guest), [0x300, 0x40, 3]);
  const at = 0x2000 + guest.cpu.address(4, 16);
  assert.deepEqual(
    [0, 2, 4].map((n) => guest.half(at + n)),
    [place.code + 2, 0x100, IOPL | IF | TF | 2],
  );
  assert.equal(guest.cpu.eflags, VM | IF | 2, "VIF and TF are clear");
  assert.equal(attempt(guest, "int", 0x22), "#GP(0)");
  guest.cpu.segments[7].limit = 0x80;
  assert.equal(attempt(guest, "int", 0x21), "#GP(0)", "the map is out of reach");
});

Deno.test("CLI and STI go by IOPL", () => {
  const guest = new SystemGuest("protected", 3);
  assert.equal(attempt(guest, "cli"), "#GP(0)");
  assert.equal(attempt(guest, "sti"), "#GP(0)");
  guest.cpu.eflags |= IOPL;
  assert.equal(attempt(guest, "sti"), "none");
  assert.equal(guest.cpu.eflags, IOPL | IF | 2);
  assert.equal(attempt(guest, "cli"), "none");
  assert.equal(guest.cpu.eflags, IOPL | 2);
});

Deno.test("STI holds interrupts off for one instruction, if they were off", () => {
  const guest = new SystemGuest("protected");
  assert.equal(attempt(guest, "sti"), "none");
  assert.equal(guest.cpu.shadow, 1);
  assert.equal(attempt(guest, "sti"), "none");
  assert.equal(guest.cpu.shadow, 0);
});

Deno.test("CLI and STI touch VIF with VME in virtual-8086 mode, and with PVI at level 3", () => {
  const virtual = new SystemGuest("virtual-8086");
  assert.equal(attempt(virtual, "cli"), "#GP(0)");
  virtual.cpu.cr4 |= cr4Bits.VME;
  const protectedMode = new SystemGuest("protected", 3);
  protectedMode.cpu.cr4 |= cr4Bits.PVI;
  protectedMode.cpu.eflags |= IF;
  for (const guest of [virtual, protectedMode]) {
    assert.equal(attempt(guest, "sti"), "none");
    assert.equal(guest.cpu.eflags & (IF | VIF), IF | VIF);
    assert.equal(attempt(guest, "cli"), "none");
    assert.equal(guest.cpu.eflags & (IF | VIF), IF);
    guest.cpu.eflags |= VIP;
    assert.equal(attempt(guest, "sti"), "#GP(0)", "one is pending");
  }
});

Deno.test("a host may do what CLI may not", () => {
  const guest = new SystemGuest("protected", 1);
  guest.cpu.host = {
    privileged: () => {
      guest.cpu.rip = 0x77;
      return true;
    },
  };
  assert.equal(attempt(guest, "cli"), "none");
  assert.equal(guest.cpu.rip, 0x77);
});

Deno.test("PUSHF stores neither RF nor VM; POPF loads what the level may, and clears RF", () => {
  const guest = new SystemGuest("protected");
  guest.cpu.eflags = RF | NT | IF | 2;
  assert.equal(attempt(guest, "pushfd"), "none");
  assert.deepEqual(guest.stack(1), [NT | IF | 2]);
  guest.push([0xffff_ffff]);
  assert.equal(attempt(guest, "popfd"), "none");
  assert.equal(guest.cpu.eflags, 0x24_7fd7);
  const outer = new SystemGuest("protected", 3);
  outer.push([0xffff_ffff]);
  assert.equal(attempt(outer, "popfd"), "none");
  assert.equal(outer.cpu.eflags, 0x24_4dd7);
  outer.push([0], 2);
  assert.equal(attempt(outer, "o16 popf"), "none");
  assert.equal(outer.cpu.eflags, AC | ID | 2);
});

Deno.test("virtual-8086 mode below IOPL 3: PUSHF and POPF are #GP(0)", () => {
  const guest = new SystemGuest("virtual-8086");
  for (const name of ["pushf", "popf", "o32 pushfd", "o32 popfd"]) {
    assert.equal(attempt(guest, name), "#GP(0)");
  }
  guest.cpu.eflags |= IOPL;
  assert.equal(attempt(guest, "pushf"), "none");
  assert.equal(guest.half(0x2000 + guest.cpu.address(4, 16)), IOPL | IF | 2);
  assert.equal(attempt(guest, "popf"), "none");
  assert.equal(guest.cpu.eflags, VM | IOPL | IF | 2);
});

Deno.test("virtual-8086 mode with VME: PUSHF and POPF show VIF as IF, and IOPL 3", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.cpu.cr4 |= cr4Bits.VME;
  assert.equal(attempt(guest, "pushf"), "none");
  assert.equal(guest.half(0x2000 + guest.cpu.address(4, 16)), IOPL | 2);
  guest.push([IF | OF], 2);
  assert.equal(attempt(guest, "popf"), "none");
  assert.equal(guest.cpu.eflags, VM | IF | VIF | OF | 2);
  guest.push([TF], 2);
  assert.equal(attempt(guest, "popf"), "#GP(0)");
  assert.equal(attempt(guest, "o32 popfd"), "#GP(0)");
  guest.cpu.eflags |= VIP;
  guest.push([IF], 2);
  assert.equal(attempt(guest, "popf"), "#GP(0)");
});

Deno.test("HLT waits, at level 0 only", () => {
  const guest = new SystemGuest("protected");
  assert.equal(attempt(guest, "hlt"), "none");
  assert.deepEqual([guest.cpu.halted, guest.cpu.rip], [true, place.code + 1]);
  assert.equal(attempt(new SystemGuest("protected", 3), "hlt"), "#GP(0)");
  assert.equal(attempt(new SystemGuest("virtual-8086"), "hlt"), "#GP(0)");
});

Deno.test("a host may take INT over, and says where to go on", () => {
  const guest = new SystemGuest("protected", 1);
  const asked: number[] = [];
  guest.cpu.host = {
    interrupt: (vector) => {
      asked.push(vector);
      guest.cpu.rip = guest.cpu.nextRip;
      return true;
    },
  };
  assert.equal(attempt(guest, "int", 0x1f), "none");
  assert.equal(attempt(guest, "int3"), "none");
  assert.deepEqual([asked, guest.cpu.rip], [[0x1f, 3], place.code + 3]);
});
