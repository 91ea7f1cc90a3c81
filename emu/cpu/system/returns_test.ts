import assert from "node:assert/strict";
import { faultOf, sel, stateOf, SystemGuest, type } from "../../../testdata/system_guest.ts";
import type { AssemblyOperand } from "../assemble.ts";
import { eflag } from "../processor.ts";

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

const selectors = ({ cpu }: SystemGuest) =>
  cpu.segments.slice(0, 6).map(({ selector }) => selector);
const { IF, TF, NT, VM, AC, ID, VIP, VIF, IOPL, CF, ZF } = eflag;

Deno.test("RETF in real mode pops offset, selector and what was asked for", () => {
  const guest = new SystemGuest("real");
  guest.push([0xf000, 0x1234], 2);
  assert.equal(attempt(guest, "retf", 6), "none");
  assert.deepEqual(where(guest), [0xf000, 0x1234, 0]);
  assert.equal(guest.cpu.address(4, 16), 0x9006);
});

Deno.test("RETF to the same level", () => {
  const guest = new SystemGuest("protected");
  guest.push([sel.code16, 0x1234]);
  assert.equal(attempt(guest, "retf"), "none");
  assert.deepEqual([...where(guest), guest.cpu.mode], [sel.code16, 0x1234, 0, 16]);
});

Deno.test("RETF to an outer level pops its stack, and parameters off both", () => {
  const guest = new SystemGuest("protected");
  guest.segment(3, sel.userData);
  guest.push([sel.userData, 0x20_8000, 0x1111, sel.userCode, 0x20_6000]);
  assert.equal(attempt(guest, "retf", 4), "none");
  assert.deepEqual(where(guest), [sel.userCode, 0x20_6000, 3]);
  assert.equal(guest.cpu.low(4), 0x20_8004);
  assert.deepEqual(
    selectors(guest),
    [0, sel.userCode, sel.userData, sel.userData, 0, 0],
    "what only level 0 may have is null, what level 3 may have stays",
  );
});

Deno.test("conforming code stays in a data register on the way out", () => {
  const guest = new SystemGuest("protected");
  guest.segment(0, sel.conforming);
  guest.push([sel.userData, 0x20_8000, sel.userCode, 0x20_6000]);
  assert.equal(attempt(guest, "retf"), "none");
  assert.deepEqual(selectors(guest).slice(0, 4), [sel.conforming, sel.userCode, sel.userData, 0]);
});

Deno.test("RETF and IRET blame what they cannot go back to", () => {
  for (const name of ["retf", "iretd"]) {
    const back = (code: number, stack: number = sel.userData, offset = 0x1000) => {
      const guest = new SystemGuest("protected");
      guest.gdt(sel.a, { type: type.code, dpl: 3, present: false });
      guest.gdt(sel.b, { type: type.code, dpl: 3, limit: 0xfff, size: 4 });
      guest.gdt(sel.c, { type: type.data, dpl: 3, present: false });
      guest.push([stack, 0x20_8000, ...(name === "retf" ? [] : [2]), code, offset]);
      return attempt(guest, name);
    };
    assert.equal(back(0), "#GP(0)");
    assert.equal(back(0x1000), "#GP(0x1000)");
    assert.equal(back(sel.data), "#GP(0x10)");
    assert.equal(back(sel.userCode & ~3), "#GP(0x18)", "RPL is not DPL");
    assert.equal(back(sel.code | 3), "#GP(0x8)");
    assert.equal(back(sel.a | 3), "#NP(0x90)");
    assert.equal(back(sel.b | 3), "#GP(0)", "beyond the limit");
    assert.equal(back(sel.userCode, 0), "#GP(0)", "null SS");
    assert.equal(back(sel.userCode, sel.data), "#GP(0x10)");
    assert.equal(back(sel.userCode, sel.data | 3), "#GP(0x10)");
    assert.equal(back(sel.userCode, sel.c | 3), "#SS(0xa0)");
    assert.equal(back(sel.userCode, 0x1003), "#GP(0x1000)");
    assert.equal(back(sel.userCode), "none");
  }
});

Deno.test("nobody returns to a more privileged level", () => {
  const guest = new SystemGuest("protected", 3);
  guest.push([sel.code, 0x1000]);
  assert.equal(attempt(guest, "retf"), "#GP(0x8)");
});

Deno.test("a return past the end of the stack is #SS(0)", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.data, limit: 0x8fff, size: 4 });
  guest.segment(2, sel.a);
  guest.cpu.setAddress(4, 0x8ffc, 32);
  assert.equal(attempt(guest, "retf"), "#SS(0)");
  assert.equal(attempt(guest, "iretd"), "#SS(0)");
});

Deno.test("IRET of 16 and 32 bits in real mode", () => {
  const guest = new SystemGuest("real");
  guest.push([0xffff, 0x100, 0x200], 2);
  assert.equal(attempt(guest, "iret"), "none");
  assert.deepEqual(where(guest), [0x100, 0x200, 0]);
  assert.equal(guest.cpu.eflags, 0x7fd7);
  guest.push([0xffff_ffff, 0x100, 0x200]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.equal(guest.cpu.eflags, 0x24_7fd7, "not VM, VIF, VIP; RF only where breakpoints are");
});

Deno.test("IRET at level 0 loads IOPL, IF, VIF and VIP, at level 3 none of them", () => {
  const inner = new SystemGuest("protected");
  const all = IOPL | IF | VIF | VIP | AC | ID | CF;
  inner.push([all, sel.code, 0x1000]);
  assert.equal(attempt(inner, "iretd"), "none");
  assert.equal(inner.cpu.eflags, all | 2);
  const outer = new SystemGuest("protected", 3);
  outer.push([all, sel.userCode, 0x1000]);
  assert.equal(attempt(outer, "iretd"), "none");
  assert.equal(outer.cpu.eflags, AC | ID | CF | 2);
  const trusted = new SystemGuest("protected", 3);
  trusted.cpu.eflags = IOPL | 2;
  trusted.push([IF, sel.userCode, 0x1000]);
  assert.equal(attempt(trusted, "iretd"), "none");
  assert.equal(trusted.cpu.eflags, IOPL | IF | 2);
});

Deno.test("IRET of 16 bits leaves the upper flags", () => {
  const guest = new SystemGuest("protected");
  guest.cpu.eflags = AC | ID | 2;
  guest.push([ZF | 2, sel.code, 0x1000], 2);
  assert.equal(attempt(guest, "iret"), "none");
  assert.equal(guest.cpu.eflags, AC | ID | ZF | 2);
});

Deno.test("IRET into a 16-bit stack leaves the upper half of ESP, as processors do", () => {
  const guest = new SystemGuest("protected");
  guest.gdt(sel.a, { type: type.data, dpl: 3, limit: 0xffff, size: 0 });
  guest.cpu.setAddress(4, 0xffff_8f00, 32);
  guest.gdt(sel.b, { type: type.data, base: 0x1_0000 });
  guest.segment(2, sel.b);
  guest.push([sel.a | 3, 0x1234_5678, 2, sel.userCode, 0x20_6000]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.equal(guest.cpu.low(4), 0xffff_5678);
});

Deno.test("IRETD into virtual-8086 mode", () => {
  const guest = new SystemGuest("protected");
  const [gs, fs, ds, es, ss, cs] = [0x600, 0x500, 0x400, 0x300, 0x200, 0x100];
  guest.push([gs, fs, ds, es, ss, 0x8000, VM | IF | IOPL | 2, cs, 0x1234]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.deepEqual(where(guest), [cs, 0x1234, 3]);
  assert.deepEqual(selectors(guest), [es, cs, ss, ds, fs, gs]);
  assert.equal(guest.cpu.eflags, VM | IF | IOPL | 2);
  assert.deepEqual([guest.cpu.mode, guest.cpu.stackWidth, guest.cpu.low(4)], [16, 16, 0x8000]);
  assert.equal(guest.cpu.segments[0].base, es << 4);
});

Deno.test("IRETD into virtual-8086 mode wants an offset of 16 bits", () => {
  const guest = new SystemGuest("protected");
  guest.push([0, 0, 0, 0, 0, 0x8000, VM | 2, 0x100, 0x1_0000]);
  assert.equal(attempt(guest, "iretd"), "#GP(0)");
});

Deno.test("VM in the flags is nothing to IRET at level 3", () => {
  const guest = new SystemGuest("protected", 3);
  guest.push([VM | 2, sel.userCode, 0x1000]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.equal(guest.cpu.eflags, 2);
});

Deno.test("IRET in virtual-8086 mode: with IOPL 3 as it is, below that #GP(0)", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.push([TF | 2, 0x100, 0x200], 2);
  assert.equal(attempt(guest, "iret"), "#GP(0)");
  guest.cpu.eflags |= IOPL;
  assert.equal(attempt(guest, "iret"), "none");
  assert.deepEqual(where(guest), [0x100, 0x200, 3]);
  assert.equal(guest.cpu.eflags, VM | IOPL | TF | 2, "IOPL and VM stay");
});

Deno.test("IRET in virtual-8086 mode with virtual interrupts sets VIF", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.cpu.cr4 |= 1;
  guest.push([IF | ZF | 2, 0x100, 0x200], 2);
  assert.equal(attempt(guest, "iret"), "none");
  assert.equal(guest.cpu.eflags, VM | IF | VIF | ZF | 2);
  guest.push([0, 0x100, 0x200], 2);
  assert.equal(attempt(guest, "iret"), "none");
  assert.equal(guest.cpu.eflags, VM | IF | 2);
  guest.push([TF, 0x100, 0x200], 2);
  assert.equal(attempt(guest, "iret"), "#GP(0)");
  guest.push([IF, 0x100, 0x200], 2);
  guest.cpu.eflags |= VIP;
  assert.equal(attempt(guest, "iret"), "#GP(0)", "one is pending");
  guest.push([0, 0x100, 0x200]);
  assert.equal(attempt(guest, "iretd"), "#GP(0)", "of 16 bits only");
});

Deno.test("IRETQ always pops SS and RSP", () => {
  const guest = new SystemGuest("long");
  guest.push([sel.data, 0x8000, IF | 2, sel.code, 0x1234], 8);
  assert.equal(attempt(guest, "iretq"), "none");
  assert.deepEqual(where(guest), [sel.code, 0x1234, 0]);
  assert.equal(guest.cpu.address(4, 64), 0x8000);
  assert.equal(guest.cpu.eflags, IF | 2);
});

Deno.test("IRETQ takes a stack pointer that is not canonical, with all its bits", () => {
  const guest = new SystemGuest("long");
  guest.push([sel.data, 0, 2, sel.code, 0x1234], 8);
  const at = guest.cpu.address(4, 64);
  guest.setWord(at + 24, 0x9abc_def1);
  guest.setWord(at + 28, 0x1234_5678);
  assert.equal(attempt(guest, "iretq"), "none");
  assert.equal(guest.cpu.registers[4], 0x1234_5678_9abc_def1n);
});

Deno.test("IRETQ to an address that is not canonical is #GP(0)", () => {
  const guest = new SystemGuest("long");
  guest.push([sel.data, 0x8000, 2, sel.code, 0x8000_0000_0000], 8);
  assert.equal(attempt(guest, "iretq"), "#GP(0)");
});

Deno.test("IRETQ to level 3, of 64 and 32 bits", () => {
  const guest = new SystemGuest("long");
  guest.cpu.segments[4].base = 0x7000_0000_0000;
  guest.cpu.segments[4].selector = 0;
  guest.push([sel.userData, 0x20_8000, IF | 2, sel.userCode, 0x20_6000], 8);
  assert.equal(attempt(guest, "iretq"), "none");
  assert.deepEqual([...where(guest), guest.cpu.mode], [sel.userCode, 0x20_6000, 3, 64]);
  assert.equal(guest.cpu.segments[4].base, 0x7000_0000_0000, "a null FS keeps its base");
  const compatible = new SystemGuest("long");
  compatible.push([sel.userData, 0xffff_0020_8000, 2, sel.userCode32, 0x20_6000], 8);
  assert.equal(attempt(compatible, "iretq"), "none");
  assert.deepEqual([...where(compatible), compatible.cpu.mode], [sel.userCode32, 0x20_6000, 3, 32]);
  assert.equal(compatible.cpu.registers[4], 0x20_8000n);
});

Deno.test("IRETQ at level 3 reads its stack with the user's rights", () => {
  const guest = new SystemGuest("long", 3);
  guest.cpu.setAddress(4, 0x8000, 64);
  assert.equal(attempt(guest, "iretq"), "#PF(0x5) at 0x8000");
  guest.cpu.setAddress(4, 0x20_8000, 64);
  guest.push([sel.userData, 0x20_7000, IF | ZF | 2, sel.userCode, 0x20_6000], 8);
  assert.equal(attempt(guest, "iretq"), "none");
  assert.deepEqual(where(guest), [sel.userCode, 0x20_6000, 3]);
  assert.equal(guest.cpu.eflags, ZF | 2, "IF stays as it was");
});

Deno.test("IRETQ to a null SS: below level 3 into 64-bit code, and nowhere else", () => {
  const guest = new SystemGuest("long");
  guest.push([0, 0x8000, 2, sel.code, 0x1234], 8);
  assert.equal(attempt(guest, "iretq"), "none");
  assert.equal(guest.cpu.segments[2].selector, 0);
  guest.push([0, 0x8000, 2, sel.code32, 0x1234], 8);
  assert.equal(attempt(guest, "iretq"), "#GP(0)");
  guest.push([3, 0x8000, 2, sel.userCode, 0x1234], 8);
  assert.equal(attempt(guest, "iretq"), "#GP(0)");
});

Deno.test("compatibility mode: IRETD to the same level pops no stack", () => {
  const guest = new SystemGuest("compatibility");
  const top = guest.cpu.low(4);
  guest.push([2, sel.code32, 0x1234]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.deepEqual([...where(guest), guest.cpu.low(4)], [sel.code32, 0x1234, 0, top]);
});

Deno.test("IRET with NT set is #GP(0) in long mode", () => {
  const guest = new SystemGuest("long");
  guest.cpu.eflags |= NT;
  guest.push([sel.data, 0x8000, 2, sel.code, 0x1234], 8);
  assert.equal(attempt(guest, "iretq"), "#GP(0)");
});

Deno.test("RETF of 64 bits to level 3 and back to nowhere", () => {
  const guest = new SystemGuest("long");
  guest.push([sel.userData, 0x20_8000, 0, sel.userCode, 0x20_6000], 8);
  assert.equal(attempt(guest, "o64 retf", 8), "none");
  assert.deepEqual(where(guest), [sel.userCode, 0x20_6000, 3]);
  assert.equal(guest.cpu.address(4, 64), 0x20_8008);
});

Deno.test("an IRET lets NMIs through again", () => {
  const guest = new SystemGuest("protected");
  guest.cpu.nmiBlocked = true;
  guest.push([2, sel.code, 0x1000]);
  assert.equal(attempt(guest, "iretd"), "none");
  assert.equal(guest.cpu.nmiBlocked, false);
});
