import assert from "node:assert/strict";
import { attribute, cr0Bits, cr4Bits, eferBits, type Processor } from "../../emu/cpu/processor.ts";
import { idleProcessor } from "../../testdata/fake_machine.ts";
import { applyState } from "./apply.ts";
import {
  encodeGdt,
  encodeIdentityMap,
  type EntryState,
  IDENTITY_MAP_SIZE,
  protocolSegments,
  state16,
  state32,
  state64,
} from "./state.ts";

/** A processor in a state. */
function processor(state: EntryState): Processor {
  const cpu = idleProcessor();
  // Whatever was there before must not stay.
  for (let n = 0; n < 16; n++) cpu.setAddress(n, -1, 64);
  applyState(state, cpu);
  return cpu;
}

Deno.test("the 32-bit entry is the boot protocol's: flat, paging off, ESI on the page", () => {
  const cpu = processor(state32(0x100000, 0x10000, 0x1000));
  assert.equal(cpu.mode, 32);
  assert.equal(cpu.rip, 0x100000);
  assert.equal(cpu.cr0 & (cr0Bits.PE | cr0Bits.PG), cr0Bits.PE);
  assert.equal(cpu.cr4, 0);
  assert.equal(cpu.efer, 0);
  assert.equal(cpu.eflags & 0x200, 0, "interrupts off");
  const [es, cs, ss, ds, fs, gs] = cpu.segments;
  assert.equal(cs.selector, 0x10);
  for (const segment of [es, ss, ds, fs, gs]) assert.equal(segment.selector, 0x18);
  for (const segment of [es, cs, ss, ds]) {
    assert.deepEqual([segment.base, segment.limit], [0, 0xffff_ffff]);
    assert.ok(segment.attributes & attribute.big);
  }
  const values = Array.from({ length: 16 }, (_, n) => cpu.address(n, 64));
  const expected = Array.from({ length: 16 }, () => 0);
  [expected[4], expected[6]] = [0x10000, 0x10000];
  assert.deepEqual(values, expected, "RSP and RSI alone");
});

Deno.test("the 64-bit entry is in long mode, over page tables, RSI on the page", () => {
  const cpu = processor(state64(0x1000200, 0x10000, 0x7000, 0x1000));
  assert.equal(cpu.mode, 64);
  assert.equal(cpu.rip, 0x1000200);
  assert.equal(cpu.cr0 >>> 0, (cr0Bits.PG + cr0Bits.PE + cr0Bits.ET) >>> 0);
  assert.equal(cpu.cr3, 0x1000n);
  assert.equal(cpu.cr4, cr4Bits.PAE);
  assert.equal(cpu.efer, eferBits.LME | eferBits.LMA);
  assert.equal(cpu.segments[1].attributes & (attribute.long | attribute.big), attribute.long);
  assert.equal(cpu.address(6, 64), 0x10000);
  assert.deepEqual(cpu.gdtr, { base: 0x7000, limit: 0x1f });
  assert.equal(cpu.idtr.limit, 0);
});

Deno.test("the 16-bit entry is at segment + 0x20 with all data segments on the boot sector", () => {
  const cpu = processor(state16(0x10000, 0xe000));
  assert.equal(cpu.mode, 16);
  const [es, cs, ss, ds, fs, gs] = cpu.segments;
  assert.deepEqual([cs.selector, cs.base, cpu.rip], [0x1020, 0x10200, 0]);
  for (const segment of [es, ss, ds, fs, gs]) {
    assert.deepEqual([segment.selector, segment.base, segment.limit], [0x1000, 0x10000, 0xffff]);
  }
  assert.equal(cpu.address(4, 64), 0xe000);
  assert.deepEqual(cpu.idtr, { base: 0, limit: 0x3ff });
  assert.equal(cpu.isProtected, false);
});

Deno.test("the descriptor table has in it what the segment registers say", () => {
  for (const bits of [32, 64] as const) {
    for (const wishes of [protocolSegments, { code: 8, data: 0x10 }]) {
      const gdt = encodeGdt(bits, wishes);
      const view = new DataView(gdt.buffer);
      const state = bits === 64 ? state64(0, 0, 0, 0, wishes) : state32(0, 0, 0, wishes);
      for (const { selector, attributes } of [state.code, state.data]) {
        assert.equal(view.getUint32(selector, true), 0xffff);
        assert.equal(view.getUint32(selector + 4, true) >>> 0, (attributes << 8 | 0xf0000) >>> 0);
      }
      assert.equal(view.getBigUint64(0, true), 0n, "the null descriptor");
      assert.equal(gdt.length - 1, state.gdtr.limit);
    }
  }
  // Figures of the kernel's own table in arch/x86/boot/pm.c.
  const gdt = new BigUint64Array(encodeGdt(32, protocolSegments).buffer);
  assert.equal(gdt[2], 0x00cf9b000000ffffn);
  assert.equal(gdt[3], 0x00cf93000000ffffn);
});

Deno.test("the page tables map every 2 MiB of the first 4 GiB to itself", () => {
  const at = 0x3000;
  const tables = encodeIdentityMap(at);
  assert.equal(tables.length, IDENTITY_MAP_SIZE);
  const view = new DataView(tables.buffer);
  const entry = (table: number, index: number) => view.getBigUint64(table - at + 8 * index, true);
  for (let address = 0; address < 2 ** 32; address += 2 ** 21) {
    const pml4 = entry(at, 0);
    const directories = entry(Number(pml4 & ~0xfffn), address / 2 ** 30 | 0);
    const page = entry(Number(directories & ~0xfffn), address / 2 ** 21 & 511);
    assert.equal(page, BigInt(address) | 0x83n);
  }
});
