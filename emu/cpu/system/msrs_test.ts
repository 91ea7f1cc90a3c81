import assert from "node:assert/strict";
import { faultOf, guestProcessor, GuestTables, step } from "../../../testdata/guest_processor.ts";
import { eferBits, type Processor, vectors } from "../processor.ts";
import { timeStamp } from "./control.ts";
import { cpuModel, identityOf, type IdentityOptions } from "./cpuid.ts";
import { msrSemantics, readMsr, writeMsr } from "./msrs.ts";
import { scale } from "./paravirt_clock.ts";

const gp = [vectors.GP, 0];

function guest(name = "x86-64-v2", options: IdentityOptions = {}) {
  const model = cpuModel(name);
  const apic = { base: 0xfee0_0900n, deadline: 0n, taskPriority: 0 };
  const identity = identityOf(model, options);
  return { ...guestProcessor([...model.features], undefined, { apic, identity }), apic };
}

/** Writes, and reads what is then there. */
function exchange(cpu: Processor, msr: number, value: bigint): bigint {
  writeMsr(cpu, msr, value);
  return readMsr(cpu, msr);
}

Deno.test("RDMSR and WRMSR move EDX:EAX, clear the upper halves, and are for level 0", () => {
  const { cpu } = guest();
  cpu.registers[0] = ~0n;
  cpu.registers[1] = 0xffff_ffff_0000_0277n;
  cpu.registers[2] = ~0n;
  step(cpu, msrSemantics, "0f 32");
  assert.deepEqual([cpu.registers[0], cpu.registers[2]], [0x0007_0406n, 0x0007_0406n]);
  cpu.registers[0] = 0xdead_0000_0006_0606n;
  step(cpu, msrSemantics, "0f 30");
  assert.equal(readMsr(cpu, 0x277), 0x0007_0406_0006_0606n);
  cpu.cpl = 3;
  assert.deepEqual(faultOf(() => step(cpu, msrSemantics, "0f 30")), gp);
});

Deno.test("a register that is not known, or whose feature is missing, is #GP", () => {
  const { cpu } = guest();
  for (const msr of [0x3a, 0xce, 0x48, 0x49, 0x400, 0xc001_0010, 0x4b56_4d01]) {
    assert.deepEqual(faultOf(() => readMsr(cpu, msr)), gp, msr.toString(16));
    assert.deepEqual(faultOf(() => writeMsr(cpu, msr, 0n)), gp, msr.toString(16));
  }
  const { cpu: pentium } = guest("pentium");
  assert.equal(readMsr(pentium, 0x10), 0x1_2345_6789n);
  for (const msr of [0xc000_0080, 0x277, 0x174, 0x10a, 0x3b]) {
    assert.deepEqual(faultOf(() => readMsr(pentium, msr)), gp, msr.toString(16));
  }
});

Deno.test("what is read-only, reserved or not canonical is #GP and changes nothing", () => {
  const { cpu } = guest("x86-64-v2,+rdtscp");
  const cases: readonly (readonly [msr: number, value: bigint])[] = [
    [0xfe, 0n],
    [0x10a, 0n],
    [0x277, 2n],
    [0x277, 0x8n << 56n],
    [0x2ff, 0x1000n],
    [0x2ff, 2n],
    [0x200, 1n << 40n],
    [0x250, 7n],
    [0x175, 1n << 47n],
    [0xc000_0082, 0x8000_0000_0000n],
    [0xc000_0084, 1n << 32n],
    [0xc000_0101, 1n << 63n],
    [0xc000_0102, 1n << 50n],
    [0xc000_0103, 1n << 32n],
    [0xc000_0080, 2n],
    [0xc000_0080, 1n << 12n],
  ];
  for (const [msr, value] of cases) {
    const before = readMsr(cpu, msr);
    assert.deepEqual(faultOf(() => writeMsr(cpu, msr, value)), gp, msr.toString(16));
    assert.equal(readMsr(cpu, msr), before);
  }
});

Deno.test("where there is XSAVES there is XSS, with no state of supervisors", () => {
  assert.deepEqual(faultOf(() => writeMsr(guest().cpu, 0xda0, 0n)), gp);
  const { cpu } = guest("x86-64-v2,+xsave,+xsaves");
  assert.equal(exchange(cpu, 0xda0, 0n), 0n);
  assert.deepEqual(faultOf(() => writeMsr(cpu, 0xda0, 0x100n)), gp);
});

Deno.test("registers of system calls and segment bases hold canonical addresses", () => {
  const { cpu } = guest();
  const kernel = 0xffff_ffff_8100_0000n;
  for (const msr of [0x175, 0x176, 0xc000_0082, 0xc000_0083, 0xc000_0102]) {
    assert.equal(exchange(cpu, msr, kernel), kernel, msr.toString(16));
  }
  assert.equal(exchange(cpu, 0xc000_0100, 0x7fff_f7d8_0000n), 0x7fff_f7d8_0000n);
  assert.equal(cpu.segments[4].base, 0x7fff_f7d8_0000);
  assert.equal(exchange(cpu, 0xc000_0101, kernel), kernel);
  assert.equal(cpu.segments[5].base, -0x7f00_0000);
  assert.equal(exchange(cpu, 0xc000_0081, 0x23_0010n << 32n), 0x23_0010n << 32n);
});

Deno.test("EFER: LMA cannot be written, LME not while paging is on, NXE drops translations", () => {
  const { cpu, mmu } = guest();
  const { LMA, LME, NXE, SCE } = eferBits;
  const told: unknown[] = [];
  mmu.onCodeMappingChange = (kind) => told.push(kind);
  assert.equal(exchange(cpu, 0xc000_0080, BigInt(LME | LMA)), BigInt(LME));
  assert.deepEqual(told, []);
  exchange(cpu, 0xc000_0080, BigInt(LME | NXE));
  assert.deepEqual(told, ["all"]);
  new GuestTables(cpu, "4-level");
  assert.deepEqual(faultOf(() => writeMsr(cpu, 0xc000_0080, BigInt(NXE))), gp);
  assert.equal(exchange(cpu, 0xc000_0080, BigInt(LME | NXE | SCE)), BigInt(LME | LMA | NXE | SCE));
  const without = guest("x86-64-v2,-nx").cpu;
  assert.deepEqual(faultOf(() => writeMsr(without, 0xc000_0080, BigInt(NXE))), gp);
});

Deno.test("the time-stamp counter moves by being written, and TSC_ADJUST says by how much", () => {
  const { cpu } = guest();
  writeMsr(cpu, 0x10, 0n);
  assert.equal(timeStamp(cpu), 0n);
  assert.equal(readMsr(cpu, 0x3b), BigInt.asUintN(64, -0x1_2345_6789n));
  writeMsr(cpu, 0x3b, 5n);
  assert.equal(readMsr(cpu, 0x10), 0x1_2345_678en);
});

Deno.test("APIC base and deadline are the local APIC's, the deadline by the guest's counter", () => {
  const { cpu, apic } = guest();
  assert.equal(exchange(cpu, 0x1b, 0xfee0_0100n), 0xfee0_0100n);
  assert.equal(apic.base, 0xfee0_0100n);
  writeMsr(cpu, 0x3b, 0x1000n);
  assert.equal(exchange(cpu, 0x6e0, 0x5000n), 0x5000n);
  assert.equal(apic.deadline, 0x4000n);
  assert.equal(exchange(cpu, 0x6e0, 0n), 0n);
  const { cpu: bare } = guestProcessor(["msr", "apic", "tsc_deadline_timer"]);
  assert.deepEqual(faultOf(() => readMsr(bare, 0x1b)), gp);
});

Deno.test("a processor that does not speculate is affected by nothing", () => {
  const { cpu } = guest();
  const bits = readMsr(cpu, 0x10a);
  // RDCL_NO, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO.
  for (const bit of [0n, 4n, 5n, 6n, 8n]) assert.equal(bits >> bit & 1n, 1n, `bit ${bit}`);
  // No control registers for mitigations: TSX_CTRL, FB_CLEAR_CTRL; no RSBA, no RRSBA.
  for (const bit of [2n, 7n, 18n, 19n]) assert.equal(bits >> bit & 1n, 0n, `bit ${bit}`);
});

Deno.test("machine checks have no banks, MTRRs write all memory back", () => {
  const { cpu } = guest();
  assert.equal(readMsr(cpu, 0x179) & 0xffn, 0n);
  assert.equal(readMsr(cpu, 0x2ff) & 0x8ffn, 0x806n);
  assert.equal(readMsr(cpu, 0xfe) & 0xffn, 8n);
  assert.equal(exchange(cpu, 0x20f, 0xff_c000_0800n), 0xff_c000_0800n);
});

Deno.test("a host may answer first", () => {
  const { cpu } = guest();
  const written: [number, bigint][] = [];
  cpu.host = {
    readMsr: (msr) => msr === 0x8b ? 42n : undefined,
    writeMsr: (msr, value) => msr === 0x9999 && written.push([msr, value]) > 0,
  };
  assert.equal(readMsr(cpu, 0x8b), 42n);
  writeMsr(cpu, 0x9999, 1n);
  assert.deepEqual(written, [[0x9999, 1n]]);
  assert.deepEqual(faultOf(() => readMsr(cpu, 0x9999)), gp);
});

Deno.test("KVM's clock: what a guest reckons from its page is the machine's time", () => {
  for (const tscHz of [1_000_000_000, 2_500_000_000, 3_579_545, 999_999_999]) {
    const { cpu, mmu } = guest("x86-64-v2", {
      tscHz,
      paravirtClock: true,
      startTime: 1_700_000_000,
    });
    writeMsr(cpu, 0x4b56_4d01, 0x2001n);
    // The guest moves its counter; the page moves along.
    writeMsr(cpu, 0x10, 77n);
    const word = (n: number) => mmu.physicalLoad(0x2000 + 4 * n, 4);
    assert.equal(word(0) & 1, 0);
    assert.equal(word(7) >> 8 & 1, 1);
    const start = BigInt(word(3)) << 32n | BigInt(word(2));
    const ticks = BigInt.asUintN(64, timeStamp(cpu) - start);
    const shift = BigInt(word(7) << 24 >> 24);
    const shifted = shift < 0n ? ticks >> -shift : ticks << shift;
    const ns = Number(shifted * BigInt(word(6)) >> 32n);
    const real = 0x1_2345_6789 / tscHz * 1e9;
    assert.ok(Math.abs(ns - real) <= 1 + real * 1e-9, `${tscHz} Hz: ${ns}, not ${real}`);
    writeMsr(cpu, 0x4b56_4d00, 0x3000n);
    assert.equal(mmu.physicalLoad(0x3004, 4), 1_700_000_000);
    assert.deepEqual(faultOf(() => writeMsr(cpu, 0x4b56_4d01, 0xffff_f001n)), gp);
  }
  assert.deepEqual(scale(1_000_000_000), { multiplier: 0x8000_0000, shift: 1 });
});
