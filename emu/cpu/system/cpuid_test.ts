import assert from "node:assert/strict";
import { guestProcessor, GuestTables, step } from "../../../testdata/guest_processor.ts";
import { type Identity, Processor } from "../processor.ts";
import {
  cpuid,
  cpuidSemantics,
  cpuModel,
  cpuModelNames,
  hasFeature,
  identityOf,
  type IdentityOptions,
} from "./cpuid.ts";

const apic = { base: 0xfee0_0900n, deadline: 0n, taskPriority: 0 };

function processor(name: string, options: IdentityOptions = {}): Processor {
  const model = cpuModel(name);
  const identity: Identity = identityOf(model, options);
  return guestProcessor([...model.features], undefined, { apic, identity }).cpu;
}

/** Registers as twelve or sixteen letters. */
function text(...words: readonly number[]): string {
  return new TextDecoder().decode(Uint32Array.from(words));
}

const hex = (value: number) => value.toString(16).padStart(8, "0");

Deno.test("CPUID of every model, leaf by leaf", async (t) => {
  const lines: string[] = [];
  for (const name of cpuModelNames) {
    const cpu = processor(name);
    lines.push(`${name}: ${cpuModel(name).title}`);
    const [last = 0] = cpuid(cpu, 0, 0);
    const [lastExtended = 0] = cpuid(cpu, 0x8000_0000, 0);
    const ranges: readonly [number, number][] = [[0, last], [0x8000_0000, lastExtended]];
    for (const [from, to] of ranges) {
      for (let leaf = from; leaf <= to; leaf++) {
        for (let subleaf = 0; subleaf < (leaf === 4 ? 4 : 1); subleaf++) {
          const answer = [...cpuid(cpu, leaf, subleaf)];
          if (answer.every((word) => word === 0)) continue;
          lines.push(`  ${hex(leaf)}.${subleaf} ${answer.map(hex).join(" ")}`);
        }
      }
    }
  }
  await t.assertSnapshot(lines.join("\n"));
});

Deno.test("a model says who it is: vendor, brand, family, model, stepping", () => {
  const cpu = processor("x86-64-v2");
  const [last = 0, b = 0, c = 0, d = 0] = cpuid(cpu, 0, 0);
  assert.equal(text(b, d, c), "GenuineIntel");
  assert.ok(last >= 0x16);
  // Family 6, model 0x36, stepping 1.
  assert.equal(cpuid(cpu, 1, 0)[0], 0x0003_0661);
  const brand = [2, 3, 4].map((n) => text(...cpuid(cpu, 0x8000_0000 + n, 0))).join("");
  assert.equal(brand, "Zeropage virtual CPU".padEnd(48, "\0"));
  assert.equal(cpuid(processor("pentium"), 1, 0)[0], 0x52c);
});

Deno.test("the default model has all that 64-bit kernels ask for", () => {
  const cpu = processor("x86-64-v2");
  const [, , c = 0, d = 0] = cpuid(cpu, 1, 0);
  // FPU, PSE, MSR, PAE, CX8, PGE, CMOV, FXSR, SSE, SSE2.
  const wanted = [0, 3, 5, 6, 8, 13, 15, 24, 25, 26].reduce((bits, n) => bits | 1 << n, 0);
  assert.equal((d & wanted) >>> 0, wanted >>> 0);
  // SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT, deadline timer; no XSAVE, no hypervisor.
  const more = [0, 9, 13, 19, 20, 23, 24].reduce((bits, n) => bits | 1 << n, 0);
  assert.equal((c & more) >>> 0, more >>> 0);
  assert.equal(c & (1 << 26 | 1 << 31), 0);
  // LM, NX, pages of 1 GiB; SYSCALL in 64-bit mode.
  const extended = [20, 26, 29].reduce((bits, n) => bits | 1 << n, 0);
  assert.equal(cpuid(cpu, 0x8000_0001, 0)[3], extended);
  new GuestTables(cpu, "4-level");
  assert.equal(cpuid(cpu, 0x8000_0001, 0)[3], extended | 1 << 11);
  assert.equal((cpuid(cpu, 7, 0)[3] ?? 0) >>> 29 & 1, 1);
});

Deno.test("clocks are told exactly, so that no kernel measures them", () => {
  const even = processor("x86-64-v2");
  assert.deepEqual([...cpuid(even, 0x15, 0)], [1, 1, 1_000_000_000, 0]);
  assert.deepEqual([...cpuid(even, 0x16, 0)].slice(0, 2), [1000, 1000]);
  const odd = processor("x86-64-v2", { tscHz: 2_500_000_000, apicHz: 1_000_000_000 });
  // The counter has 5/2 ticks a tick of the crystal.
  assert.deepEqual([...cpuid(odd, 0x15, 0)], [2, 5, 1_000_000_000, 0]);
  assert.equal(cpuid(odd, 0x16, 0)[0], 2500);
});

Deno.test("KVM's leaves are there if its clock is offered, and only then", () => {
  const cpu = processor("x86-64-v2", { paravirtClock: true });
  const [last = 0, b = 0, c = 0, d = 0] = cpuid(cpu, 0x4000_0000, 0);
  assert.equal(last, 0x4000_0001);
  assert.equal(text(b, c, d), "KVMKVMKVM\0\0\0");
  assert.equal(cpuid(cpu, 0x4000_0001, 0)[0], 0x0100_000a);
  assert.equal((cpuid(cpu, 1, 0)[2] ?? 0) >>> 31, 1);
  const plain = processor("x86-64-v2");
  assert.notEqual(cpuid(plain, 0x4000_0000, 0)[1], b);
});

Deno.test("beyond the last leaf Intel's processors answer with the highest basic one", () => {
  const cpu = processor("pentium3");
  assert.deepEqual(cpuid(cpu, 0x8000_0000, 0), cpuid(cpu, 2, 0));
  assert.deepEqual(cpuid(cpu, 99, 0), cpuid(cpu, 2, 0));
});

Deno.test("the APIC and its deadline timer go with its enable bit, OSXSAVE with CR4's", () => {
  const cpu = processor("x86-64-v2,+xsave");
  const apicBits = () => {
    const [, , c = 0, d = 0] = cpuid(cpu, 1, 0);
    return [d >> 9 & 1, c >> 24 & 1];
  };
  assert.deepEqual(apicBits(), [1, 1]);
  apic.base = 0xfee0_0100n;
  assert.deepEqual(apicBits(), [0, 0]);
  apic.base = 0xfee0_0900n;
  assert.equal((cpuid(cpu, 1, 0)[2] ?? 0) >> 27 & 1, 0);
  cpu.cr4 |= 1 << 18;
  assert.equal((cpuid(cpu, 1, 0)[2] ?? 0) >> 27 & 1, 1);
  assert.deepEqual([...cpuid(cpu, 0xd, 0)], [3, 576, 576, 0]);
});

Deno.test("features can be added to a model and taken away by name", () => {
  const has = hasFeature(cpuModel("x86-64-v2,+smep,-rdrand"));
  assert.deepEqual([has("smep"), has("rdrand"), has("sse4_2")], [true, false, true]);
  assert.throws(() => cpuModel("z80"), /unknown processor "z80"; there are 486, pentium/);
  assert.throws(() => cpuModel("486,mmx"), /"mmx" is neither \+feature nor -feature/);
  assert.throws(() => cpuModel("486,+"), /"\+" is neither/);
  assert.throws(() => cpuModel("x86-64-v2,+avx"), /no processor here has the feature "avx"/);
  assert.throws(() => cpuModel("x86-64-v2,-rdrnd"), /the feature "rdrnd"/);
  assert.throws(() => cpuModel("constructor"), RangeError);
});

Deno.test("the instruction takes EAX and ECX, clears the upper halves, and a host may change the answer", () => {
  const cpu = processor("x86-64-v2");
  cpu.registers.fill(0xffff_ffff_0000_0000n, 0, 4);
  cpu.host = {
    cpuid: (leaf, subleaf, answer) => {
      if (leaf === 0 && subleaf === 0) answer.set([0x16, 1, 2, 3]);
    },
  };
  step(cpu, cpuidSemantics, "0f a2");
  assert.deepEqual([...cpu.registers.subarray(0, 4)], [0x16n, 2n, 3n, 1n]);
});
