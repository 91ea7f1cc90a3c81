import assert from "node:assert/strict";
import { faultOf, guestProcessor, GuestTables, step } from "../../../testdata/guest_processor.ts";
import { cr0Bits, cr4Bits, eferBits, eflag, type Processor, vectors } from "../processor.ts";
import { evaluateOnProcessor } from "../evaluate_processor.ts";
import { controlSemantics, setCr0, setCr3, setCr4 } from "./control.ts";
import { cpuModel } from "./cpuid.ts";

const features = [...cpuModel("x86-64-v2,+smep,+smap,+pcid,+invpcid,+xsave,+serialize").features];
const gp = [vectors.GP, 0];
const ud = [vectors.UD];
const { PE, PG, WP, CD, NW, TS, MP } = cr0Bits;
const { PAE, PSE, PGE, PCIDE, TSD, DE, OSXSAVE, SMAP } = cr4Bits;

function guest(withFeatures: readonly string[] = features) {
  const apic = { base: 0xfee0_0900n, deadline: 0n, taskPriority: 0 };
  return { ...guestProcessor(withFeatures, undefined, { apic }), apic };
}

// RDTSC is described like instructions that compute, and asks here who may read.
const semantics = { ...controlSemantics, rdtsc: evaluateOnProcessor };
const run = (cpu: Processor, code: string) => step(cpu, semantics, code);

/** How often all, or all that is not global, was flushed. */
function flushes(mmu: ReturnType<typeof guest>["mmu"]) {
  const told: unknown[] = [];
  mmu.onCodeMappingChange = (kind) => told.push(kind);
  return told;
}

Deno.test("MOV reads and writes CR0, CR2, CR3 and CR4 by 32 bits outside 64-bit mode", () => {
  const { cpu } = guest();
  cpu.registers[3] = 0xffff_ffff_1234_5000n;
  run(cpu, "0f 22 d3"); // mov cr2, ebx
  run(cpu, "0f 20 d1"); // mov ecx, cr2
  assert.equal(cpu.cr2, 0x1234_5000n);
  assert.equal(cpu.registers[1], 0x1234_5000n);
  run(cpu, "0f 22 db"); // mov cr3, ebx
  assert.equal(cpu.cr3, 0x1234_5000n);
  cpu.registers[0] = BigInt(PSE);
  run(cpu, "0f 22 e0"); // mov cr4, eax
  run(cpu, "0f 20 e2"); // mov edx, cr4
  assert.equal(cpu.registers[2], BigInt(PSE));
  run(cpu, "0f 20 c0"); // mov eax, cr0
  assert.equal(cpu.registers[0], 0x6000_0011n);
});

Deno.test("there is no CR1, no CR5, and CR4 only on processors that have something to switch", () => {
  const { cpu } = guest();
  assert.deepEqual(faultOf(() => run(cpu, "0f 20 c8")), ud);
  assert.deepEqual(faultOf(() => run(cpu, "0f 22 e8")), ud);
  assert.deepEqual(faultOf(() => run(guest(["fpu"]).cpu, "0f 20 e0")), ud);
});

Deno.test("what only level 0 may do is #GP elsewhere", () => {
  for (
    const code of [
      ...["0f 20 c0", "0f 22 c0", "0f 21 c0", "0f 23 c0", "0f 06", "0f 01 f0", "0f 01 38"],
      ...["0f 08", "0f 09", "66 0f 38 82 08"],
    ]
  ) {
    const { cpu } = guest();
    cpu.cpl = 3;
    assert.deepEqual(faultOf(() => run(cpu, code)), gp, code);
  }
});

Deno.test("a host may carry out what is not allowed", () => {
  const { cpu } = guest();
  cpu.cpl = 1;
  cpu.rip = 0x1000;
  cpu.host = {
    privileged: (i) => {
      cpu.rip += i.length + 4;
      return true;
    },
  };
  run(cpu, "0f 06");
  assert.equal(cpu.rip, 0x1006);
});

Deno.test("CR0 refuses paging without protection and write-through without caching off", () => {
  const { cpu } = guest();
  assert.deepEqual(faultOf(() => setCr0(cpu, PG)), gp);
  assert.deepEqual(faultOf(() => setCr0(cpu, PE | NW)), gp);
  setCr0(cpu, PE | NW | CD);
  assert.equal(cpu.cr0, (PE | NW | CD | cr0Bits.ET) >>> 0);
  // Reserved bits are ignored.
  setCr0(cpu, PE | 0x1000);
  assert.equal(cpu.cr0, PE | cr0Bits.ET);
});

Deno.test("PE, PG and WP drop every translation, TS and MP none", () => {
  const { cpu, mmu } = guest();
  const told = flushes(mmu);
  for (const value of [PE | WP, PE | WP | TS | MP, PE, PE | PG, 0]) setCr0(cpu, value);
  assert.deepEqual(told, ["all", "all", "all", "all"]);
});

Deno.test("leaving protected mode keeps the width that CS had: real mode's comes with its next load", () => {
  const { cpu } = guest();
  assert.equal(cpu.mode, 32);
  setCr0(cpu, 0);
  assert.equal(cpu.mode, 32);
  assert.equal(cpu.isProtected, false);
});

Deno.test("paging with LME enters long mode: compatibility mode first, and CR0 leaves it again", () => {
  const { cpu } = guest();
  new GuestTables(cpu, "none").map(0, 0, 3);
  cpu.efer = eferBits.LME;
  // Needs PAE.
  assert.deepEqual(faultOf(() => setCr0(cpu, PE | PG)), gp);
  cpu.cr4 = PAE;
  cpu.segments[1].attributes |= 0x2000;
  assert.deepEqual(faultOf(() => setCr0(cpu, PE | PG)), gp);
  cpu.segments[1].attributes &= ~0x2000;
  setCr0(cpu, PE | PG);
  assert.ok(cpu.isLong);
  assert.equal(cpu.mode, 32);
  // PAE cannot go while long mode is on.
  assert.deepEqual(faultOf(() => setCr4(cpu, 0)), gp);
  cpu.segments[1].attributes = 0xa09b;
  cpu.refresh();
  assert.equal(cpu.mode, 64);
  assert.deepEqual(faultOf(() => setCr0(cpu, PE)), gp);
  cpu.segments[1].attributes = 0xc09b;
  cpu.refresh();
  setCr0(cpu, PE);
  assert.equal(cpu.efer, eferBits.LME);
});

Deno.test("PAE's pointers are loaded with CR3, PG and PAE, and #GP if they have reserved bits", () => {
  const { cpu, mmu } = guest();
  const tables = new GuestTables(cpu, "PAE");
  tables.map(0x1000, 0x20_0000, 3);
  cpu.cr0 = PE;
  const good = tables.get(0x10_0000);
  tables.set(0x10_0000, good | 2);
  assert.deepEqual(faultOf(() => setCr0(cpu, PE | PG)), gp);
  assert.equal(cpu.cr0, PE);
  tables.set(0x10_0000, good);
  setCr0(cpu, PE | PG);
  assert.equal(mmu.code(0x1000), 0x20_0000);
  tables.set(0x10_0000, good | 2);
  assert.deepEqual(faultOf(() => setCr3(cpu, 0x10_0000n)), gp);
  assert.deepEqual(faultOf(() => setCr4(cpu, PAE | PGE)), gp);
  tables.set(0x10_0000, 0);
  setCr3(cpu, 0x10_0000n);
  assert.deepEqual(faultOf(() => mmu.code(0x1000)), [vectors.PF, 0x10]);
});

Deno.test("CR3 takes no bits that addresses have not; with PCIDs bit 63 says only how to flush", () => {
  const { cpu, mmu } = guest();
  new GuestTables(cpu, "4-level");
  assert.deepEqual(faultOf(() => setCr3(cpu, 1n << 40n)), gp);
  assert.deepEqual(faultOf(() => setCr3(cpu, 1n << 63n)), gp);
  setCr4(cpu, PAE | PCIDE);
  const told = flushes(mmu);
  setCr3(cpu, 1n << 63n | 0x10_0005n);
  assert.equal(cpu.cr3, 0x10_0005n);
  assert.deepEqual(told, ["nonglobal"]);
  // PCIDs can neither be switched on with one in use, nor survive paging.
  cpu.segments[1].attributes = 0xc09b;
  cpu.refresh();
  assert.deepEqual(faultOf(() => setCr0(cpu, PE)), gp);
  setCr4(cpu, PAE);
  assert.deepEqual(faultOf(() => setCr4(cpu, PAE | PCIDE)), gp);
});

Deno.test("CR4 has a bit only where the processor has the feature", () => {
  assert.deepEqual(faultOf(() => setCr4(guest().cpu, 1 << 30)), gp);
  assert.deepEqual(faultOf(() => setCr4(guest().cpu, cr4Bits.UMIP)), gp);
  assert.deepEqual(faultOf(() => setCr4(guest(["pse"]).cpu, PGE)), gp);
  const { cpu } = guest(["pse"]);
  setCr4(cpu, PSE);
  assert.equal(cpu.cr4, PSE);
});

Deno.test("switching global pages off and on drops even these", () => {
  const { cpu, mmu } = guest();
  const told = flushes(mmu);
  setCr4(cpu, PGE);
  setCr4(cpu, PGE | TSD);
  setCr4(cpu, 0);
  assert.deepEqual(told, ["all", "all"]);
});

Deno.test("CR8 is the task priority, four bits of it", () => {
  const { cpu, apic } = guest();
  new GuestTables(cpu, "4-level");
  cpu.registers[0] = 9n;
  run(cpu, "44 0f 22 c0"); // mov cr8, rax
  assert.equal(apic.taskPriority, 9);
  run(cpu, "44 0f 20 c3"); // mov rbx, cr8
  assert.equal(cpu.registers[3], 9n);
  cpu.registers[0] = 16n;
  assert.deepEqual(faultOf(() => run(cpu, "44 0f 22 c0")), gp);
  cpu.registers[0] = 1n << 32n;
  assert.deepEqual(faultOf(() => run(cpu, "0f 22 c0")), gp);
});

Deno.test("DR4 and DR5 are DR6 and DR7, until debugging extensions make them undefined", () => {
  const { cpu } = guest();
  run(cpu, "0f 21 e0"); // mov eax, dr4
  assert.equal(cpu.registers[0], 0xffff_0ff0n);
  cpu.registers[0] = 0xffff_ffffn;
  run(cpu, "0f 23 e8"); // mov dr5, eax
  assert.equal(cpu.debug[7], 0xffff_27ffn);
  cpu.debug[7] = 0xffff_07ffn; // without GD
  run(cpu, "0f 23 f0"); // mov dr6, eax
  assert.equal(cpu.debug[6], 0xffff_effn << 4n | 0xfn);
  run(cpu, "0f 23 c0");
  assert.equal(cpu.debug[0], 0xffff_ffffn);
  cpu.cr4 |= DE;
  assert.deepEqual(faultOf(() => run(cpu, "0f 21 e0")), ud);
});

Deno.test("SMSW gives CR0 by the operand's width, LMSW sets its low four bits but never clears PE", () => {
  const { cpu, mmu } = guest();
  cpu.registers[3] = 0xffff_ffff_ffff_ffffn;
  run(cpu, "66 0f 01 e3"); // smsw bx
  assert.equal(cpu.registers[3], 0xffff_ffff_ffff_0011n);
  run(cpu, "0f 01 e3");
  assert.equal(cpu.registers[3], 0x6000_0011n);
  mmu.store(0x2000, 4, 0);
  cpu.registers[3] = 0x2000n;
  run(cpu, "0f 01 23"); // smsw [ebx]
  assert.equal(mmu.load(0x2000, 4), 0x0011);
  cpu.registers[0] = 0xfffen;
  run(cpu, "0f 01 f0"); // lmsw ax
  assert.equal(cpu.cr0, 0x6000_001f);
  run(cpu, "0f 06");
  assert.equal(cpu.cr0, 0x6000_0017);
});

Deno.test("INVLPG names a page by linear address, whatever the segment allows", () => {
  const { cpu, mmu } = guest();
  const told = flushes(mmu);
  Object.assign(cpu.segments[3], { base: 0x1_0000, limit: 0 });
  cpu.registers[3] = 0x2345n;
  run(cpu, "0f 01 3b"); // invlpg [ebx]
  assert.deepEqual(told, [0x1_2000]);
});

Deno.test("INVPCID: one page, or all with or without what is global; other kinds are #GP", () => {
  const { cpu, mmu } = guest();
  const told = flushes(mmu);
  mmu.storeBig(0x2000, 0n);
  mmu.storeBig(0x2008, 0x7123n);
  cpu.registers[3] = 0x2000n;
  for (const kind of [0n, 1n, 2n, 3n]) {
    cpu.registers[1] = kind;
    run(cpu, "66 0f 38 82 0b"); // invpcid ecx, [ebx]
  }
  assert.deepEqual(told, [0x7000, "nonglobal", "all", "nonglobal"]);
  cpu.registers[1] = 4n;
  assert.deepEqual(faultOf(() => run(cpu, "66 0f 38 82 0b")), gp);
});

Deno.test("CLFLUSH needs an address that can be read", () => {
  const { cpu } = guest();
  cpu.registers[3] = 0x2000n;
  run(cpu, "0f ae 3b");
  new GuestTables(cpu, "32-bit");
  cpu.mmu.flush(true);
  assert.deepEqual(faultOf(() => run(cpu, "0f ae 3b")), [vectors.PF, 0]);
});

Deno.test("RDTSCP gives the counter and TSC_AUX, unless CR4.TSD keeps them from programs", () => {
  const { cpu } = guest([...features, "rdtscp"]);
  cpu.msrs.set(0x3b, 0x1_0000_0000n);
  cpu.msrs.set(0xc000_0103, 7n);
  run(cpu, "0f 01 f9");
  assert.deepEqual([...cpu.registers.subarray(0, 3)], [0x2345_6789n, 7n, 2n]);
  cpu.cr4 |= TSD;
  run(cpu, "0f 01 f9");
  cpu.cpl = 3;
  assert.deepEqual(faultOf(() => run(cpu, "0f 01 f9")), gp);
  assert.deepEqual(faultOf(() => run(cpu, "0f 33")), gp);
});

Deno.test("XSETBV takes sets of states that make sense, once CR4 has switched it on", () => {
  const { cpu } = guest();
  assert.deepEqual(faultOf(() => run(cpu, "0f 01 d0")), ud);
  cpu.cr4 |= OSXSAVE;
  const set = (low: bigint) => {
    cpu.registers[0] = low;
    cpu.registers[1] = 0n;
    cpu.registers[2] = 0n;
    run(cpu, "0f 01 d1");
  };
  set(3n);
  cpu.registers[1] = 0n;
  run(cpu, "0f 01 d0");
  assert.equal(cpu.registers[0], 3n);
  for (const bad of [0n, 2n, 7n, 9n]) assert.deepEqual(faultOf(() => set(bad)), gp);
  cpu.registers[1] = 2n;
  assert.deepEqual(faultOf(() => run(cpu, "0f 01 d0")), gp);
});

Deno.test("STAC and CLAC set and clear AC for the supervisor alone", () => {
  const { cpu } = guest();
  cpu.cr4 |= SMAP;
  run(cpu, "0f 01 cb");
  assert.equal(cpu.eflags & eflag.AC, eflag.AC);
  run(cpu, "0f 01 ca");
  assert.equal(cpu.eflags & eflag.AC, 0);
  cpu.cpl = 3;
  assert.deepEqual(faultOf(() => run(cpu, "0f 01 cb")), ud);
});

Deno.test("RDRAND always has a number, of the operand's width, and sets CF alone", () => {
  const { cpu } = guest();
  cpu.eflags |= eflag.ZF | eflag.OF;
  cpu.registers[3] = ~0n;
  run(cpu, "0f c7 f3"); // rdrand ebx
  const [first = 0n] = [cpu.registers[3]];
  assert.ok(first <= 0xffff_ffffn);
  assert.equal(cpu.eflags & 0x8d5, eflag.CF);
  run(cpu, "0f c7 fb"); // rdseed ebx
  assert.notEqual(cpu.registers[3], first);
  // Another machine sees the same numbers.
  const other = guest().cpu;
  run(other, "0f c7 f3");
  assert.equal(other.registers[3], first);
});

Deno.test("what the processor lacks is #UD, asked for or not", () => {
  const { cpu } = guest();
  for (const code of ["0f aa", "0f 01 c8", "0f 01 c2", "0f 37"]) {
    assert.deepEqual(faultOf(() => run(cpu, code)), ud, code);
  }
  const wanting = guest([...features, "smm", "monitor", "vmx"]).cpu;
  for (const code of ["0f aa", "0f 01 c8", "0f 01 c2"]) {
    assert.deepEqual(faultOf(() => run(wanting, code)), ud, code);
  }
  run(cpu, "0f 01 e8"); // serialize
});
