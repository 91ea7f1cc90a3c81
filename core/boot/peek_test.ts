import assert from "node:assert/strict";
import { fakeMachine } from "../../testdata/fake_machine.ts";
import { peek, peekSome, walkPages } from "./peek.ts";

const PG = 0x8000_0001;

/** A machine whose memory has these words of 64 or 32 bits. */
function machine(entries: Readonly<Record<number, bigint>>, width: 4 | 8 = 8) {
  const fake = fakeMachine([]);
  for (const [at, entry] of Object.entries(entries)) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, entry, true);
    fake.memory.write(Number(at), bytes.subarray(0, width));
  }
  return fake;
}

Deno.test("without paging an address is what it says", () => {
  assert.deepEqual(walkPages(machine({}), 0x1234), {
    steps: [],
    physical: 0x1234,
    pageSize: 0x1000,
  });
});

Deno.test("tables of two levels are walked, and pages of 4 MiB taken where CR4 allows", () => {
  const fake = machine({ 0x1c00: 0x2003n, 0x2004: 0x5003n, 0x1c04: 0x40_0083n }, 4);
  Object.assign(fake.cpu, { cr0: PG, cr3: 0x1000n });
  assert.equal(walkPages(fake, 0xc000_1234).physical, 0x5234);
  assert.deepEqual(walkPages(fake, 0xc000_1234).steps.map(({ table }) => table), ["PD", "PT"]);
  fake.cpu.cr4 = 0x10;
  const large = walkPages(fake, 0xc041_2345);
  assert.deepEqual([large.physical, large.pageSize], [0x41_2345, 0x40_0000]);
  assert.equal(walkPages(fake, 0x1000).physical, undefined);
});

Deno.test("PAE's tables have three levels, the first of 32 bytes", () => {
  const fake = machine({ 0x1038: 0x2001n, 0x2008: 0x3003n, 0x3000: 0x8000_0000_0000_7003n });
  Object.assign(fake.cpu, { cr0: PG, cr3: 0x1020n, cr4: 0x20 });
  assert.equal(walkPages(fake, 0xc020_0abc).physical, 0x7abc);
});

Deno.test("long mode's have four, for either half of the addresses", () => {
  const fake = machine({ 0x1ff8: 0x2003n, 0x2ff0: 0x3003n, 0x3040: 0x40_0083n });
  Object.assign(fake.cpu, { cr0: PG, cr3: 0x1000n, cr4: 0x20, efer: 0x500 });
  const found = walkPages(fake, -0x7f00_0000 + 0x12345);
  assert.equal(found.physical, 0x41_2345);
  assert.deepEqual(found.steps.map(({ table }) => table), ["PML4", "PDPT", "PD"]);
  assert.equal(found.steps[0]?.at, 0x1ff8);
});

Deno.test("memory is read over the border of pages, as far as they are there", () => {
  const fake = machine({ 0x1000: 0x2003n, 0x2000: 0x3003n, 0x2004: 0x5003n, 0x2008: 0n }, 4);
  fake.memory.write(0x3ffe, Uint8Array.of(1, 2));
  fake.memory.write(0x5000, Uint8Array.of(3, 4));
  Object.assign(fake.cpu, { cr0: PG, cr3: 0x1000n });
  assert.deepEqual(peek(fake, 0xffe, 4), Uint8Array.of(1, 2, 3, 4));
  assert.equal(peek(fake, 0x1ffe, 4), undefined);
  assert.equal(peekSome(fake, 0x1ffe, 4).length, 2);
  assert.equal(peekSome(fake, 0x2000, 4).length, 0);
});
