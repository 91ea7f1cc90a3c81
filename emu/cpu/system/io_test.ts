import assert from "node:assert/strict";
import {
  allPaging,
  type Asked,
  faultOf,
  guestProcessor,
  GuestTables,
  step,
} from "../../../testdata/guest_processor.ts";
import * as at from "../layout.ts";
import { cr0Bits, eflag, type Processor, segmentNumbers, vectors } from "../processor.ts";
import { ioSemantics, mayUsePorts } from "./io.ts";

const gp = [vectors.GP, 0];
const run = (cpu: Processor, code: string) => step(cpu, ioSemantics, code);

/** A guest whose ports answer with their own number. */
function guest() {
  return guestProcessor(allPaging, (_, port) => 0x1111_0000 + port);
}

/** Gives the processor a task whose bitmap lets some ports through. */
function giveTask(cpu: Processor, open: readonly number[], limit = 0x68 + 0x20): void {
  const base = 0x5000;
  const tr = { selector: 8, base, limit, attributes: 0x8b };
  Object.assign(cpu.segments[segmentNumbers.TR], tr);
  cpu.view.setUint16(at.RAM + base + 0x66, 0x68, true);
  const bitmap = cpu.bytes.subarray(at.RAM + base + 0x68, at.RAM + base + 0x68 + 0x21).fill(0xff);
  for (const port of open) {
    const byte = port >> 3;
    bitmap[byte] = (bitmap[byte] ?? 0) & ~(1 << (port & 7));
  }
}

Deno.test("IN fills AL, AX or EAX and leaves the rest as registers of that width do", () => {
  const { cpu, asked } = guest();
  cpu.registers[0] = ~0n;
  cpu.registers[2] = 0xffff_03f8n;
  run(cpu, "e4 60"); // in al, 60
  assert.equal(cpu.registers[0], 0xffff_ffff_ffff_ff60n);
  run(cpu, "66 ed"); // in ax, dx
  assert.equal(cpu.registers[0], 0xffff_ffff_ffff_03f8n);
  run(cpu, "ed"); // in eax, dx
  assert.equal(cpu.registers[0], 0x1111_03f8n);
  assert.deepEqual(asked.map(([, port, width]) => [port, width]), [[0x60, 1], [0x3f8, 2], [
    0x3f8,
    4,
  ]]);
});

Deno.test("OUT sends AL, AX or EAX", () => {
  const { cpu, asked } = guest();
  cpu.registers[0] = 0x8765_4321n;
  cpu.registers[2] = 0xcf8n;
  for (const code of ["e6 80", "66 e7 80", "ef"]) run(cpu, code);
  const expected: Asked[] = [
    ["out", 0x80, 1, 0x21],
    ["out", 0x80, 2, 0x4321],
    ["out", 0xcf8, 4, 0x8765_4321],
  ];
  assert.deepEqual(asked, expected);
});

Deno.test("above IOPL the task's bitmap decides, a bit for each port of the access", () => {
  const { cpu } = guest();
  cpu.cpl = 3;
  giveTask(cpu, [0x60, 0x70, 0x71, 0x7f, 0x80]);
  const may = (port: number, width: number) => mayUsePorts(cpu, port, width);
  assert.deepEqual([may(0x60, 1), may(0x60, 2), may(0x61, 1)], [true, false, false]);
  assert.deepEqual([may(0x70, 2), may(0x70, 4)], [true, false]);
  // Across bytes of the bitmap.
  assert.equal(may(0x7f, 2), true);
  // Beyond the limit of the TSS.
  assert.equal(may(0x3f8, 1), false);
  run(cpu, "e4 60");
  assert.deepEqual(faultOf(() => run(cpu, "e4 61")), gp);
  cpu.eflags |= eflag.IOPL;
  run(cpu, "e4 61");
});

Deno.test("the byte behind the last of the bitmap must be within the TSS, too", () => {
  const { cpu } = guest();
  cpu.cpl = 3;
  giveTask(cpu, [0, 8], 0x69);
  assert.equal(mayUsePorts(cpu, 0, 1), true);
  assert.equal(mayUsePorts(cpu, 8, 1), false);
});

Deno.test("a TSS of 16 bits, or one that is too short, has no bitmap", () => {
  const { cpu } = guest();
  cpu.cpl = 3;
  giveTask(cpu, [0x60]);
  cpu.segments[segmentNumbers.TR].attributes = 0x83;
  assert.equal(mayUsePorts(cpu, 0x60, 1), false);
  giveTask(cpu, [0x60], 0x66);
  assert.equal(mayUsePorts(cpu, 0x60, 1), false);
});

Deno.test("virtual-8086 mode always asks the bitmap, real mode never", () => {
  const { cpu } = guest();
  giveTask(cpu, [0x60]);
  cpu.cpl = 3;
  cpu.eflags |= eflag.IOPL | eflag.VM;
  assert.deepEqual([mayUsePorts(cpu, 0x60, 1), mayUsePorts(cpu, 0x61, 1)], [true, false]);
  cpu.eflags = 2;
  cpu.cr0 &= ~cr0Bits.PE;
  assert.equal(mayUsePorts(cpu, 0x61, 1), true);
});

Deno.test("the bitmap is read with the supervisor's rights", () => {
  const { cpu } = guest();
  giveTask(cpu, [0x60]);
  new GuestTables(cpu, "4-level").map(0x5000, 0x5000, 3);
  cpu.cpl = 3;
  run(cpu, "e4 60");
});

Deno.test("a host is asked before a port is refused", () => {
  const { cpu, asked } = guest();
  giveTask(cpu, []);
  cpu.cpl = 3;
  cpu.rip = 0x100;
  cpu.host = {
    privileged: (i, form) => {
      cpu.setAddress(0, form.row.text === "in AL, Ib" ? 0x42 : 0, 32);
      cpu.rip += i.length;
      return true;
    },
  };
  run(cpu, "e4 61");
  assert.deepEqual([cpu.rip, cpu.registers[0], asked.length], [0x102, 0x42n, 0]);
});

Deno.test("REP INSD stores element after element and leaves the registers behind them", () => {
  const { cpu, mmu } = guest();
  cpu.registers.set([0n, 3n, 0x1f0n], 0);
  cpu.registers[7] = 0x3000n;
  run(cpu, "f3 6d");
  for (const n of [0, 4, 8]) assert.equal(mmu.load(0x3000 + n, 4), 0x1111_01f0);
  assert.equal(mmu.load(0x300c, 4), 0);
  assert.deepEqual([cpu.registers[1], cpu.registers[7], cpu.rip], [0n, 0x300cn, 2]);
});

Deno.test("REP OUTSB goes backwards with DF, and by the segment that a prefix names", () => {
  const { cpu, mmu, asked } = guest();
  mmu.store(0x4000, 4, 0x4433_2211);
  Object.assign(cpu.segments[4], { base: 0x1000 });
  cpu.registers.set([0n, 2n, 0xe9n], 0);
  cpu.registers[6] = 0x3003n;
  cpu.eflags |= eflag.DF;
  run(cpu, "64 f3 6e");
  assert.deepEqual(asked.map(([, , , value]) => value), [0x44, 0x33]);
  assert.equal(cpu.registers[6], 0x3001n);
});

Deno.test("a count of zero moves nothing, and without REP the count does not matter", () => {
  const { cpu, asked } = guest();
  cpu.registers.set([0n, 0n, 0x1f0n], 0);
  cpu.registers[7] = 0x3000n;
  run(cpu, "f3 6c");
  assert.equal(asked.length, 0);
  run(cpu, "6c");
  assert.equal(asked.length, 1);
  assert.equal(cpu.registers[1], 0n);
});

Deno.test("a fault midway leaves what was done, and the device is not asked in vain", () => {
  const { cpu, mmu, asked } = guest();
  const tables = new GuestTables(cpu, "32-bit");
  tables.map(0x3000, 0x20_0000, 3);
  cpu.registers.set([0n, 4n, 0x1f0n], 0);
  cpu.registers[7] = 0x3ffcn;
  assert.deepEqual(faultOf(() => run(cpu, "f3 66 6d")), [vectors.PF, 2]);
  assert.deepEqual([cpu.registers[1], cpu.registers[7], cpu.rip], [2n, 0x4000n, 0]);
  assert.equal(asked.length, 2);
  tables.map(0x4000, 0x20_1000, 3);
  run(cpu, "f3 66 6d");
  assert.equal(mmu.load(0x4002, 2), 0x01f0);
  assert.equal(cpu.rip, 3);
});

Deno.test("a long repetition gives way, with RIP on itself, until all is done", () => {
  const { cpu, asked } = guest();
  cpu.registers.set([0n, 10_000n, 0x1f0n], 0);
  cpu.registers[7] = 0x1_0000n;
  const rips: number[] = [];
  for (let n = 0; n < 3; n++) {
    run(cpu, "f3 6c");
    rips.push(cpu.rip);
  }
  assert.deepEqual(rips, [0, 0, 2]);
  assert.equal(asked.length, 10_000);
  assert.equal(cpu.registers[7], 0x1_0000n + 10_000n);
});

Deno.test("with 16-bit addresses the index wraps and its upper half stays", () => {
  const { cpu, mmu } = guest();
  cpu.registers.set([0n, 0xffff_0002n, 0x1f0n], 0);
  cpu.registers[7] = 0xabcd_ffffn;
  run(cpu, "67 f3 6c");
  assert.equal(cpu.registers[7], 0xabcd_0001n);
  assert.equal(cpu.registers[1], 0xffff_0000n);
  assert.deepEqual([mmu.load(0xffff, 1), mmu.load(0, 1)], [0xf0, 0xf0]);
});
