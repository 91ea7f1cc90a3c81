import assert from "node:assert/strict";
import { faultOf, place, stateOf, SystemGuest } from "../../../testdata/system_guest.ts";
import type { AssemblyOperand } from "../assemble.ts";
import { systemCallMsrs } from "../msr_map.ts";
import { cr4Bits, eferBits, eflag, type Processor } from "../processor.ts";

/** Runs an instruction; its exception, after which nothing has changed. */
function attempt(guest: SystemGuest, mnemonic: string, ...operands: AssemblyOperand[]): string {
  const before = stateOf(guest.cpu);
  const fault = faultOf(() => guest.run(mnemonic, ...operands));
  if (fault !== "none") assert.deepEqual(stateOf(guest.cpu), before);
  return fault;
}

const msr = systemCallMsrs;
const { IF, TF, AC, VM, RF, NT } = eflag;
const where = ({ cpu }: SystemGuest) => [cpu.segments[1].selector, cpu.rip, cpu.cpl, cpu.mode];
const stackOf = (cpu: Processor) => [cpu.segments[2].selector, cpu.address(4, 64)];

/** A program of 64 bits that may make system calls, as Linux sets them up. */
function caller(): SystemGuest {
  const guest = new SystemGuest("long", 3);
  const { cpu } = guest;
  cpu.efer |= eferBits.SCE;
  cpu.msrs.set(msr.STAR, 0x0023_0010_0000_0000n);
  cpu.msrs.set(msr.LSTAR, 0xffff_ffff_8180_0040n);
  cpu.msrs.set(msr.SFMASK, 0x25_7fd5n);
  return guest;
}

Deno.test("SYSCALL keeps RIP in RCX and flags in R11, and touches no stack", () => {
  const guest = caller();
  const { cpu } = guest;
  cpu.eflags = IF | TF | AC | RF | 0xd7;
  const rsp = cpu.address(4, 64);
  assert.equal(attempt(guest, "syscall"), "none");
  assert.deepEqual(where(guest), [0x10, -0x7e7f_ffc0, 0, 64]);
  assert.equal(cpu.address(1, 64), place.userCode + 2);
  assert.equal(cpu.registers[11], BigInt(IF | TF | AC | 0xd7));
  assert.equal(cpu.eflags, 2);
  assert.deepEqual(stackOf(cpu), [0x18, rsp]);
  const [, cs, ss] = cpu.segments;
  assert.deepEqual([cs.attributes, ss.attributes], [0xa09b, 0xc093]);
  assert.deepEqual([cs.limit, ss.limit, cs.base, ss.base], [0xffff_ffff, 0xffff_ffff, 0, 0]);
});

Deno.test("SYSRET goes back to 64-bit code with flags from R11, but not RF and VM", () => {
  const guest = caller();
  const { cpu } = guest;
  assert.equal(attempt(guest, "syscall"), "none");
  cpu.registers[11] = 0xffff_feffn;
  assert.equal(attempt(guest, "o64 sysret"), "none");
  assert.deepEqual(where(guest), [0x33, place.userCode + 2, 3, 64]);
  assert.equal(cpu.segments[2].selector, 0x2b);
  assert.equal(cpu.eflags, 0x3c_7ed7);
  const [, cs, ss] = cpu.segments;
  assert.deepEqual([cs.attributes, ss.attributes], [0xa0fb, 0xc0f3]);
});

Deno.test("SYSRET goes back to 32-bit code", () => {
  const guest = caller();
  const { cpu } = guest;
  assert.equal(attempt(guest, "syscall"), "none");
  cpu.registers[1] = 0x1234_5678_9abc_def0n;
  cpu.registers[11] = 2n;
  assert.equal(attempt(guest, "sysret"), "none");
  assert.deepEqual(where(guest), [0x23, 0x9abc_def0, 3, 32]);
  assert.deepEqual([cpu.segments[2].selector, cpu.segments[1].attributes], [0x2b, 0xc0fb]);
});

Deno.test("SYSRET to an address that is not canonical is #GP(0), still on level 0", () => {
  const guest = caller();
  assert.equal(attempt(guest, "syscall"), "none");
  guest.cpu.registers[1] = 0x8000_0000_0000n;
  assert.equal(attempt(guest, "o64 sysret"), "#GP(0)");
  assert.equal(guest.cpu.cpl, 0);
});

Deno.test("SYSCALL and SYSRET are undefined while EFER.SCE is clear, SYSRET is for level 0", () => {
  const guest = caller();
  assert.equal(attempt(guest, "o64 sysret"), "#GP(0)");
  guest.cpu.efer &= ~eferBits.SCE;
  assert.equal(attempt(guest, "syscall"), "#UD");
  assert.equal(attempt(new SystemGuest("long"), "o64 sysret"), "#UD");
});

Deno.test("SYSENTER and SYSEXIT in protected mode", () => {
  const guest = new SystemGuest("protected", 3);
  const { cpu } = guest;
  assert.equal(attempt(guest, "sysenter"), "#GP(0)", "no segment set");
  cpu.msrs.set(msr.SYSENTER_CS, 0x60n);
  cpu.msrs.set(msr.SYSENTER_ESP, 0xc000_1000n);
  cpu.msrs.set(msr.SYSENTER_EIP, 0xc100_2000n);
  cpu.eflags = IF | TF | NT | 2;
  assert.equal(attempt(guest, "sysenter"), "none");
  assert.deepEqual(where(guest), [0x60, 0xc100_2000, 0, 32]);
  assert.deepEqual([cpu.segments[2].selector, cpu.low(4)], [0x68, 0xc000_1000]);
  assert.equal(cpu.eflags, TF | NT | 2, "only IF, VM and RF are cleared");
  assert.equal(cpu.segments[1].attributes, 0xc09b);
  cpu.setAddress(2, 0x20_6000, 32);
  cpu.setAddress(1, 0x20_9000, 32);
  assert.equal(attempt(guest, "sysexit"), "none");
  assert.deepEqual(where(guest), [0x73, 0x20_6000, 3, 32]);
  assert.deepEqual([cpu.segments[2].selector, cpu.low(4)], [0x7b, 0x20_9000]);
  assert.equal(attempt(guest, "sysexit"), "#GP(0)");
});

Deno.test("SYSENTER leaves virtual-8086 mode, and is #GP(0) in real mode", () => {
  const guest = new SystemGuest("virtual-8086");
  guest.cpu.msrs.set(msr.SYSENTER_CS, 0x60n);
  assert.equal(attempt(guest, "sysenter"), "none");
  assert.equal(guest.cpu.eflags & VM, 0);
  assert.equal(guest.cpu.cpl, 0);
  const real = new SystemGuest("real");
  real.cpu.msrs.set(msr.SYSENTER_CS, 0x60n);
  assert.equal(attempt(real, "sysenter"), "#GP(0)");
});

Deno.test("long mode: SYSENTER enters 64-bit code, SYSEXIT leaves to either", () => {
  const guest = new SystemGuest("compatibility", 3);
  const { cpu } = guest;
  cpu.msrs.set(msr.SYSENTER_CS, 0x10n);
  cpu.msrs.set(msr.SYSENTER_ESP, 0xffff_8880_0000_1000n);
  cpu.msrs.set(msr.SYSENTER_EIP, 0xffff_ffff_8100_0000n);
  assert.equal(attempt(guest, "sysenter"), "none");
  assert.deepEqual(where(guest), [0x10, -0x7f00_0000, 0, 64]);
  assert.deepEqual(stackOf(cpu), [0x18, -0x777f_ffff_f000]);
  cpu.registers[2] = 0x7fff_1234_5678n;
  cpu.registers[1] = 0x7fff_0000_0000n;
  assert.equal(attempt(guest, "o64 sysexit"), "none");
  assert.deepEqual(where(guest), [0x33, 0x7fff_1234_5678, 3, 64]);
  assert.deepEqual(stackOf(cpu), [0x3b, 0x7fff_0000_0000]);
  assert.equal(attempt(guest, "sysenter"), "none");
  cpu.registers[1] = 0x8000_0000_0000n;
  assert.equal(attempt(guest, "o64 sysexit"), "#GP(0)");
  assert.equal(attempt(guest, "sysexit"), "none");
  assert.deepEqual(where(guest), [0x23, 0x1234_5678, 3, 32]);
  assert.deepEqual(stackOf(cpu), [0x2b, 0]);
});

Deno.test("SWAPGS swaps the base of GS with its MSR, at level 0", () => {
  const guest = new SystemGuest("long");
  const { cpu } = guest;
  cpu.segments[5].base = 0x7fff_0000_1000;
  cpu.msrs.set(msr.KERNEL_GS_BASE, 0xffff_8880_0000_0000n);
  assert.equal(attempt(guest, "swapgs"), "none");
  assert.equal(cpu.segments[5].base, -0x7780_0000_0000);
  assert.equal(cpu.msrs.get(msr.KERNEL_GS_BASE), 0x7fff_0000_1000n);
  assert.equal(attempt(new SystemGuest("long", 3), "swapgs"), "#GP(0)");
});

Deno.test("the bases of FS and GS are read and written where CR4.FSGSBASE is set", () => {
  const guest = new SystemGuest("long", 3);
  const { cpu } = guest;
  cpu.segments[4].base = -0x7780_0000_0001;
  assert.equal(attempt(guest, "rdfsbase", "rax"), "#UD");
  cpu.cr4 |= cr4Bits.FSGSBASE;
  assert.equal(attempt(guest, "rdfsbase", "rax"), "none");
  assert.equal(cpu.registers[0], 0xffff_887f_ffff_ffffn);
  assert.equal(attempt(guest, "rdfsbase", "eax"), "none");
  assert.equal(cpu.registers[0], 0xffff_ffffn);
  cpu.registers[0] = 0xffff_8000_0000_0000n;
  assert.equal(attempt(guest, "wrgsbase", "rax"), "none");
  assert.equal(cpu.segments[5].base, -0x8000_0000_0000);
  cpu.registers[0] = 0x8000_0000_0000n;
  assert.equal(attempt(guest, "wrgsbase", "rax"), "#GP(0)");
  assert.equal(attempt(guest, "wrgsbase", "eax"), "none");
  assert.equal(cpu.segments[5].base, 0);
});

Deno.test("calls to a hypervisor are the host's, or undefined", () => {
  const guest = new SystemGuest("protected");
  assert.equal(attempt(guest, "vmcall"), "#UD");
  assert.equal(attempt(guest, "vmmcall"), "#UD");
  guest.cpu.host = {
    call: () => {
      guest.cpu.rip = 0x1234;
      return true;
    },
  };
  assert.equal(attempt(guest, "vmcall"), "none");
  assert.equal(guest.cpu.rip, 0x1234);
});

Deno.test("a host is asked about system calls first", () => {
  const guest = caller();
  const asked: string[] = [];
  guest.cpu.host = {
    systemCall: (kind) => {
      asked.push(kind);
      guest.cpu.rip = 0x4321;
      return true;
    },
  };
  assert.equal(attempt(guest, "syscall"), "none");
  assert.equal(attempt(guest, "sysenter"), "none");
  assert.deepEqual([asked, guest.cpu.rip, guest.cpu.cpl], [["syscall", "sysenter"], 0x4321, 3]);
});

Deno.test("whether a step is trapped is asked behind SYSCALL, when its mask has been applied, and behind SYSRET", () => {
  const guest = caller();
  const { cpu } = guest;
  const { TF } = eflag;
  assert.equal(attempt(guest, "syscall"), "none");
  assert.equal(cpu.untraced, (cpu.msrs.sfmask & TF) !== 0);
  cpu.registers[11] = 2n;
  cpu.eflags |= TF;
  cpu.untraced = false;
  assert.equal(attempt(guest, "o64 sysret"), "none");
  assert.equal(cpu.untraced, true);
  // TF comes back: the trap is that of the system call.
  assert.equal(attempt(guest, "syscall"), "none");
  cpu.registers[11] = BigInt(TF | 2);
  assert.equal(faultOf(() => guest.run("o64 sysret")), "#DB");
  assert.equal((cpu.debug[6] ?? 0n) & 0xf000n, 0x4000n);
});
