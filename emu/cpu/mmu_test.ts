import assert from "node:assert/strict";
import {
  allPaging,
  guestProcessor,
  GuestTables,
  type Paging,
} from "../../testdata/guest_processor.ts";
import * as at from "./layout.ts";
import { PageTables } from "./mmu.ts";
import { cr0Bits, cr4Bits, eferBits, eflag, Fault, vectors } from "./processor.ts";

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const G = 0x100;
const NX = 0x8000_0000 | 0;

/** A guest with page tables of some kind. */
function paged(paging: Paging, features: readonly string[] = allPaging) {
  const guest = guestProcessor(features);
  return { ...guest, tables: new GuestTables(guest.cpu, paging) };
}

/** The error code and address of the page fault that something raises. */
function pageFault(
  action: () => unknown,
): { code: number | undefined; address: number | undefined } {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.vector, vectors.PF);
    return { code: error.errorCode, address: error.address };
  }
  assert.fail("no page fault");
}

/** A page's entry in one of the four tables. */
function entry({ words }: { words: Int32Array }, table: number, linear: number) {
  const word = at.TLB + table * at.TLB_SIZE + 16 * (linear >>> 12 & 1023) >> 2;
  return {
    tag: new BigInt64Array(words.buffer, word * 4, 1)[0],
    addend: words[word + 2] ?? 0,
    isGlobal: ((words[word + 3] ?? 0) & 1) !== 0,
  };
}

const empty = BigInt(at.TLB_EMPTY);

Deno.test("without paging, linear addresses are physical", () => {
  const { cpu, mmu } = guestProcessor();
  mmu.store(0x1234, 4, 0xdeadbeef);
  assert.equal(cpu.view.getUint32(at.RAM + 0x1234, true), 0xdeadbeef);
  assert.equal(mmu.load(0x1236, 2), 0xdead);
  assert.equal(mmu.code(0x1234), 0x1234);
});

const places = [
  { paging: "32-bit", linear: 0xc012_3456, size: 12 },
  { paging: "32-bit", linear: 0xc052_3456, size: 22 },
  { paging: "PAE", linear: 0xc012_3456, size: 12 },
  { paging: "PAE", linear: 0xffff_f456, size: 21 },
  { paging: "4-level", linear: 0x7fff_ffff_e456, size: 12 },
  { paging: "4-level", linear: -0x7fff_f456, size: 12 },
  { paging: "4-level", linear: -0x7f00_0000, size: 21 },
  { paging: "4-level", linear: -0x7780_0000_0000 + 0x456, size: 30 },
] as const;

for (const { paging, linear, size } of places) {
  Deno.test(`${paging} paging leads ${linear.toString(16)} into a page of 2^${size} bytes`, () => {
    const { cpu, mmu, tables } = paged(paging);
    // Pages of a gigabyte begin at 0.
    const page = size === 12 ? 0x20_0000 : 0;
    const path = tables.map(linear, page, P | W, 0, size);
    const inside = Number(BigInt.asUintN(size, BigInt(linear)));
    if (page + inside < cpu.ram) {
      mmu.store(linear, 2, 0xabcd);
      assert.equal(cpu.view.getUint16(at.RAM + page + inside, true), 0xabcd);
    }
    assert.equal(mmu.code(linear), page + inside);
    // PAE's pointers have no accessed bit.
    for (const where of path.slice(paging === "PAE" ? 1 : 0)) {
      assert.equal(tables.get(where) & A, A, where.toString(16));
    }
  });
}

Deno.test("a page of 4 MiB may lie above 4 GiB, with bits 13 to 20 as its address' upper bits", () => {
  const { mmu, tables } = paged("32-bit");
  tables.map(0x40_0000, 0x40_0000, P | 0x3 << 13, 0, 22);
  assert.equal(mmu.code(0x40_0123), 0x3_0040_0123);
  const plain = paged("32-bit", ["pse"]);
  plain.tables.map(0x40_0000, 0x40_0000, P | 0x3 << 13, 0, 22);
  assert.equal(pageFault(() => plain.mmu.code(0x40_0123)).code, 0x09);
});

// What faults, and with which error code: P 1, W 2, U 4, RSVD 8, I 16.
const rights: readonly {
  name: string;
  bits: number;
  high?: number;
  cpl?: 3;
  access: "read" | "write" | "fetch";
  cr4?: number;
  /** Flags of EFLAGS. */
  flags?: number;
  wp?: false;
  code: number | "fine";
}[] = [
  { name: "a missing page, read", bits: 0, access: "read", code: 0 },
  { name: "a missing page, written", bits: W, access: "write", code: 2 },
  { name: "a missing page, read by a user", bits: U, cpl: 3, access: "read", code: 4 },
  { name: "a missing page, written by a user", bits: U | W, cpl: 3, access: "write", code: 6 },
  { name: "a missing page, fetched by a user", bits: U, cpl: 3, access: "fetch", code: 0x14 },
  { name: "a read-only page, read", bits: P, access: "read", code: "fine" },
  { name: "a read-only page, written", bits: P, access: "write", code: 3 },
  {
    name: "a read-only page, written without WP",
    bits: P,
    access: "write",
    wp: false,
    code: "fine",
  },
  {
    name: "a read-only page, written by a user without WP",
    bits: P | U,
    cpl: 3,
    access: "write",
    wp: false,
    code: 7,
  },
  { name: "a supervisor's page, read by a user", bits: P | W, cpl: 3, access: "read", code: 5 },
  { name: "a supervisor's page, written by a user", bits: P | W, cpl: 3, access: "write", code: 7 },
  { name: "a supervisor's page, fetched by a user", bits: P, cpl: 3, access: "fetch", code: 0x15 },
  {
    name: "a user's page, written by a user",
    bits: P | W | U,
    cpl: 3,
    access: "write",
    code: "fine",
  },
  { name: "a page without execution, fetched", bits: P, high: NX, access: "fetch", code: 0x11 },
  { name: "a page without execution, read", bits: P, high: NX, access: "read", code: "fine" },
  { name: "reserved bits, read", bits: P, high: 0x400, access: "read", code: 9 },
  {
    name: "reserved bits, written by a user",
    bits: P | W | U,
    high: 0x400,
    cpl: 3,
    access: "write",
    code: 0xf,
  },
  { name: "reserved bits of a missing page", bits: 0, high: 0x400, access: "read", code: 0 },
  { name: "a user's page, fetched by the supervisor", bits: P | U, access: "fetch", code: "fine" },
  {
    name: "a user's page, fetched under SMEP",
    bits: P | U,
    access: "fetch",
    cr4: cr4Bits.SMEP,
    code: 0x11,
  },
  {
    name: "a user's page, read under SMEP",
    bits: P | U,
    access: "read",
    cr4: cr4Bits.SMEP,
    code: "fine",
  },
  {
    name: "a user's page, read under SMAP",
    bits: P | U,
    access: "read",
    cr4: cr4Bits.SMAP,
    code: 1,
  },
  {
    name: "a user's page, written under SMAP",
    bits: P | W | U,
    access: "write",
    cr4: cr4Bits.SMAP,
    code: 3,
  },
  {
    name: "a user's page, read under SMAP with AC",
    bits: P | U,
    access: "read",
    cr4: cr4Bits.SMAP,
    flags: eflag.AC,
    code: "fine",
  },
  {
    name: "a user's page, read by a user under SMAP",
    bits: P | U,
    cpl: 3,
    access: "read",
    cr4: cr4Bits.SMAP,
    code: "fine",
  },
  {
    name: "a user's page, fetched under SMAP",
    bits: P | U,
    access: "fetch",
    cr4: cr4Bits.SMAP,
    code: "fine",
  },
];

for (const paging of ["PAE", "4-level"] as const) {
  for (const { name, bits, high = 0, cpl = 0, access, cr4 = 0, flags = 0, wp, code } of rights) {
    Deno.test(`${paging} paging: ${name}: ${code === "fine" ? code : `error code ${code}`}`, () => {
      const { cpu, mmu, tables } = paged(paging);
      const linear = 0x1234_5678;
      // What leads there gives all rights; the page itself does not.
      const path = tables.map(linear, 0x20_0000, P | W | U);
      const last = path.at(-1) ?? 0;
      tables.set(last, 0x20_0000 | bits);
      tables.set(last + 4, high);
      const before = path.map((where) => tables.get(where));
      cpu.cr4 |= cr4;
      cpu.eflags |= flags;
      if (wp === false) cpu.cr0 &= ~cr0Bits.WP;
      cpu.cpl = cpl;
      const act = () =>
        access === "fetch"
          ? mmu.code(linear)
          : access === "read"
          ? mmu.load(linear, 4)
          : mmu.store(linear, 4, 1);
      if (code === "fine") {
        act();
        const more = access === "write" ? A | D : A;
        assert.equal(tables.get(last), 0x20_0000 | bits | more);
      } else {
        assert.deepEqual(pageFault(act), { code, address: linear });
        assert.deepEqual(path.map((where) => tables.get(where)), before);
      }
    });
  }
}

Deno.test("without NXE the execute-disable bit is reserved, and no fault tells of a fetch", () => {
  const { cpu, mmu, tables } = paged("4-level");
  cpu.efer &= ~eferBits.NXE;
  tables.map(0x1000, 0x20_0000, P, NX);
  assert.equal(pageFault(() => mmu.load(0x1000, 1)).code, 9);
  assert.equal(pageFault(() => mmu.code(0x1000)).code, 9);
  assert.equal(pageFault(() => mmu.code(0x5000)).code, 0);
  cpu.cr4 |= cr4Bits.SMEP;
  assert.equal(pageFault(() => mmu.code(0x5000)).code, 0x10);
});

Deno.test("32-bit paging: a right must be given by both levels", () => {
  const { cpu, mmu, tables } = paged("32-bit");
  const [directory = 0, page = 0] = tables.map(0x1000, 0x20_0000, P | W | U);
  cpu.cpl = 3;
  mmu.store(0x1000, 1, 7);
  tables.set(directory, tables.get(directory) & ~W);
  mmu.flush(true);
  assert.equal(pageFault(() => mmu.store(0x1000, 1, 7)).code, 7);
  assert.equal(mmu.load(0x1000, 1), 7);
  tables.set(directory, tables.get(directory) | W);
  tables.set(page, tables.get(page) & ~U);
  mmu.flush(true);
  assert.equal(pageFault(() => mmu.load(0x1000, 1)).code, 5);
  assert.equal(mmu.load(0x1000, 1, "supervisor"), 7);
});

Deno.test("reading sets accessed, writing dirty, and a write entry waits for the dirty bit", () => {
  const { cpu, mmu, tables } = paged("4-level");
  const last = tables.map(0x7000, 0x20_0000, P | W).at(-1) ?? 0;
  mmu.load(0x7000, 4);
  assert.equal(tables.get(last) & (A | D), A);
  assert.equal(entry(cpu, 0, 0x7000).tag, 0x7000n);
  assert.equal(entry(cpu, 1, 0x7000).tag, empty);
  mmu.store(0x7000, 4, 1);
  assert.equal(tables.get(last) & (A | D), A | D);
  assert.equal(entry(cpu, 1, 0x7000).tag, 0x7000n);
});

Deno.test("an entry holds the signed address of its page and what to add for a byte of memory", () => {
  const { cpu, mmu, tables } = paged("4-level");
  const linear = -0x7fff_f000;
  tables.map(linear, 0x20_3000, P | W | U | G);
  cpu.cr4 |= cr4Bits.PGE;
  cpu.cpl = 3;
  mmu.load(linear + 5, 1);
  const { tag, addend, isGlobal } = entry(cpu, 2, linear);
  assert.equal(tag, BigInt(linear));
  assert.equal((linear + 5 + addend) >>> 0, at.RAM + 0x20_3005);
  assert.ok(isGlobal);
  assert.equal(entry(cpu, 0, linear).tag, empty);
});

Deno.test("a flush spares what is global, unless it is told not to", () => {
  const { cpu, mmu, tables } = paged("32-bit");
  cpu.cr4 |= cr4Bits.PGE;
  tables.map(0x1000, 0x20_0000, P | W);
  tables.map(0x2000, 0x20_1000, P | W | G);
  const told: unknown[] = [];
  mmu.onCodeMappingChange = (kind) => told.push(kind);
  const tags = () => [entry(cpu, 0, 0x1000).tag, entry(cpu, 0, 0x2000).tag];
  mmu.load(0x1000, 1);
  mmu.load(0x2000, 1);
  mmu.flush(false);
  assert.deepEqual(tags(), [empty, 0x2000n]);
  mmu.load(0x1000, 1);
  mmu.flush(true);
  assert.deepEqual(tags(), [empty, empty]);
  assert.deepEqual(told, ["nonglobal", "all"]);
});

Deno.test("a flush of very many entries leaves none, and they can be filled again", () => {
  const { cpu, mmu } = guestProcessor();
  const filled = () => {
    let count = 0;
    for (let n = 0; n < 4 * at.TLB_ENTRIES; n++) {
      if (cpu.words[(at.TLB >> 2) + 4 * n] !== at.TLB_EMPTY) count++;
    }
    return count;
  };
  for (let round = 0; round < 2; round++) {
    for (let page = 0; page < 1024; page++) mmu.store(4096 * page, 1, page);
    assert.equal(filled(), 2048);
    mmu.flush(true);
    assert.equal(filled(), 0);
  }
});

Deno.test("INVLPG drops one page, global or not, and every piece of a large one", () => {
  const { cpu, mmu, tables } = paged("4-level");
  cpu.cr4 |= cr4Bits.PGE;
  tables.map(0x1000, 0x20_0000, P | G);
  tables.map(0x2000, 0x20_1000, P);
  const large = -0x4000_0000;
  tables.map(large, 0, P, 0, 21);
  for (const linear of [0x1000, 0x2000, large + 0x3000, large + 0x1f_5000]) mmu.load(linear, 1);
  mmu.invalidate(0x1234);
  assert.equal(entry(cpu, 0, 0x1000).tag, empty);
  assert.equal(entry(cpu, 0, 0x2000).tag, 0x2000n);
  mmu.invalidate(large + 0x1_0000);
  assert.equal(entry(cpu, 0, large + 0x3000).tag, empty);
  assert.equal(entry(cpu, 0, large + 0x1f_5000).tag, empty);
  assert.equal(entry(cpu, 0, 0x2000).tag, 0x2000n);
});

Deno.test("PAE's pointers are those of CR3's last load, and reserved bits in them are refused", () => {
  const { cpu, mmu, tables } = paged("PAE");
  const [pointer = 0] = tables.map(0x4000_0000, 0x20_0000, P);
  mmu.load(0x4000_0000, 1);
  const old = tables.get(pointer);
  tables.set(pointer, 0);
  mmu.flush(true);
  mmu.load(0x4000_0000, 1);
  tables.set(pointer, old | 2);
  assert.equal(mmu.loadPointers(cpu.cr3), false);
  mmu.flush(true);
  mmu.load(0x4000_0000, 1);
  tables.set(pointer, 0);
  assert.equal(mmu.loadPointers(cpu.cr3), true);
  mmu.flush(true);
  assert.equal(pageFault(() => mmu.load(0x4000_0000, 1)).code, 0);
});

Deno.test("with address line 20 held, odd megabytes are even ones", () => {
  const { cpu, mmu } = guestProcessor();
  mmu.store(0x10_0010, 1, 1);
  cpu.a20 = false;
  mmu.flush(true);
  mmu.store(0x10_0010, 1, 2);
  assert.equal(cpu.bytes[at.RAM + 0x10], 2);
  assert.equal(cpu.bytes[at.RAM + 0x10_0010], 1);
  assert.equal(mmu.physicalLoad(0x30_0000, 1), cpu.bytes[at.RAM + 0x20_0000]);
});

Deno.test("a store across pages changes nothing if the second page is missing", () => {
  const { cpu, mmu, tables } = paged("32-bit");
  tables.map(0x1000, 0x20_0000, P | W);
  cpu.bytes.fill(0x55, at.RAM + 0x20_0000, at.RAM + 0x20_1000);
  assert.deepEqual(pageFault(() => mmu.store(0x1ffe, 4, 0)), { code: 2, address: 0x2000 });
  assert.deepEqual(pageFault(() => mmu.hostForStore(0x1ffe, 8)), { code: 2, address: 0x2000 });
  assert.equal(cpu.bytes[at.RAM + 0x20_0fff], 0x55);
});

Deno.test("an access across pages goes by SCRATCH to both", () => {
  const { cpu, mmu, tables } = paged("4-level");
  tables.map(0x1000, 0x20_0000, P | W);
  tables.map(0x2000, 0x30_0000, P | W);
  mmu.storeBig(0x1ffd, 0x8877_6655_4433_2211n);
  assert.deepEqual([...cpu.bytes.subarray(at.RAM + 0x20_0ffd, at.RAM + 0x20_1000)], [
    0x11,
    0x22,
    0x33,
  ]);
  assert.equal(cpu.view.getUint32(at.RAM + 0x30_0000, true), 0x7766_5544);
  assert.equal(mmu.loadBig(0x1ffd), 0x8877_6655_4433_2211n);
  assert.equal(mmu.hostForUpdate(0x1ffd, 8), at.SCRATCH);
  cpu.bytes[at.SCRATCH + 7] = 0x99;
  mmu.finishStore();
  assert.equal(mmu.loadBig(0x1ffd), 0x9977_6655_4433_2211n);
  assert.equal(mmu.hostForLoad(0x1ff0, 16), at.RAM + 0x20_0ff0);
});

Deno.test("outside 64-bit mode an access runs from the end of 4 GiB to address 0", () => {
  const { cpu, mmu, tables } = paged("32-bit");
  tables.map(0xffff_f000, 0x20_0000, P | W);
  tables.map(0, 0x30_0000, P | W);
  mmu.store(0xffff_fffe, 4, 0x4433_2211);
  assert.equal(cpu.view.getUint16(at.RAM + 0x30_0000, true), 0x4433);
});

Deno.test("what is no RAM goes to devices, at most four bytes at once", () => {
  const { cpu, mmu, asked } = guestProcessor(allPaging, (_, address) => address);
  const address = 0xfee0_0020;
  assert.equal(mmu.load(address, 4), address);
  assert.equal(mmu.hostForStore(address, 8), at.SCRATCH);
  cpu.view.setBigUint64(at.SCRATCH, 0x1_0000_0002n, true);
  mmu.finishStore();
  mmu.store(address, 1, 0xab);
  assert.deepEqual(asked, [
    ["read", address, 4, address],
    ["write", address, 4, 2],
    ["write", address + 4, 4, 1],
    ["write", address, 1, 0xab],
  ]);
  assert.equal(entry(cpu, 0, address).tag, empty);
});

Deno.test("stores to a page with decoded code are told of, whoever makes them", () => {
  const { cpu, mmu } = guestProcessor();
  const told: number[][] = [];
  mmu.onCodeWrite = (physical, bytes) => told.push([physical, bytes]);
  mmu.store(0x3000, 4, 1);
  assert.equal(entry(cpu, 1, 0x3000).tag, 0x3000n);
  mmu.protectCode(3);
  assert.equal(entry(cpu, 1, 0x3000).tag, empty);
  assert.equal(entry(cpu, 0, 0x3000).tag, 0x3000n);
  mmu.load(0x3000, 4);
  mmu.store(0x3004, 4, 1);
  assert.equal(entry(cpu, 1, 0x3000).tag, empty);
  mmu.physicalStore(0x3008, 2, 1);
  mmu.written(0x2ff0, 0x20);
  mmu.store(0x2ffe, 4, 1);
  assert.deepEqual(told, [[0x3004, 4], [0x3008, 2], [0x3000, 0x10], [0x3000, 2]]);
  mmu.unprotectCode(3);
  mmu.store(0x3000, 4, 1);
  assert.equal(told.length, 4);
  assert.equal(entry(cpu, 1, 0x3000).tag, 0x3000n);
});

Deno.test("the processor reads its own tables with the supervisor's rights, whatever the level", () => {
  const { cpu, mmu, tables } = paged("4-level");
  tables.map(0x1000, 0x20_0000, P | W);
  cpu.cpl = 3;
  mmu.store(0x1000, 4, 9, "supervisor");
  assert.equal(mmu.load(0x1000, 4, "supervisor"), 9);
  assert.equal(pageFault(() => mmu.load(0x1000, 4)).code, 5);
  assert.equal(entry(cpu, 2, 0x1000).tag, empty);
});

Deno.test("rights that hang on AC are not remembered", () => {
  const { cpu, mmu, tables } = paged("4-level");
  tables.map(0x1000, 0x20_0000, P | W | U);
  cpu.cr4 |= cr4Bits.SMAP;
  cpu.eflags |= eflag.AC;
  mmu.load(0x1000, 4);
  assert.equal(entry(cpu, 0, 0x1000).tag, empty);
  cpu.eflags &= ~eflag.AC;
  assert.equal(pageFault(() => mmu.load(0x1000, 4)).code, 1);
});

Deno.test("a host may translate in place of the tables", () => {
  const { cpu, mmu } = paged("4-level");
  cpu.host = { translate: (linear) => linear < 0 ? linear + 0x8000_0000 + 0x10_0000 : undefined };
  assert.equal(mmu.code(-0x8000_0000 + 0x123), 0x10_0123);
  assert.equal(pageFault(() => mmu.load(0x1000, 4)).code, 0);
});

Deno.test("pages of code are remembered by level, until they are flushed or named by INVLPG", () => {
  const { cpu, mmu, tables } = paged("4-level");
  cpu.cr4 |= cr4Bits.PGE;
  tables.map(0x1000, 0x20_0000, P | U);
  tables.map(0x2000, 0x20_1000, P | G);
  const places = () => [mmu.code(0x1008), mmu.code(0x2008), mmu.isGlobal];
  assert.deepEqual(places(), [0x20_0008, 0x20_1008, true]);
  tables.map(0x1000, 0x30_0000, P | U);
  tables.map(0x2000, 0x30_1000, P | G);
  assert.deepEqual(places(), [0x20_0008, 0x20_1008, true]);
  mmu.flush(false);
  assert.deepEqual(places(), [0x30_0008, 0x20_1008, true]);
  mmu.invalidate(0x2fff);
  assert.deepEqual(places(), [0x30_0008, 0x30_1008, true]);
  // What the supervisor may fetch, the user may not.
  cpu.cpl = 3;
  assert.equal(mmu.code(0x1008), 0x30_0008);
  assert.equal(pageFault(() => mmu.code(0x2008)).code, 0x15);
});

Deno.test("new page tables begin with empty buffers", () => {
  const { cpu, mmu } = guestProcessor();
  mmu.load(0x1000, 4);
  new PageTables(cpu);
  assert.equal(entry(cpu, 0, 0x1000).tag, empty);
});
