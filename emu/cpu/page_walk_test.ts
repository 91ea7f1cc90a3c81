import assert from "node:assert/strict";
import fc from "fast-check";
import {
  allPaging,
  guestProcessor,
  GuestTables,
  type Paging,
} from "../../testdata/guest_processor.ts";
import { ACCESS_CODE, ACCESS_USER, ACCESS_WRITE, PageWalk, physicalBits } from "./page_walk.ts";
import { cr0Bits, cr4Bits, eferBits, eflag, type Processor } from "./processor.ts";

/** A level of a paging mode: which bits of the address choose the entry, and whether bit 7 ends the walk. */
interface Level {
  readonly shift: number;
  readonly isLeaf: boolean;
}

/**
 * The manual's tables 4-1 to 4-20 over big integers, slow and plain: the second
 * opinion on what is written for speed.
 *
 * @returns The error code, or the physical address.
 */
function reference(cpu: Processor, root: bigint, linear: number, access: number) {
  const isPae = (cpu.cr4 & cr4Bits.PAE) !== 0;
  const isLong = (cpu.efer & eferBits.LMA) !== 0;
  const hasNx = isPae && (cpu.efer & eferBits.NXE) !== 0;
  const smep = (cpu.cr4 & cr4Bits.SMEP) !== 0;
  const bits = BigInt(physicalBits(cpu.has));
  const base = access & (ACCESS_WRITE | ACCESS_USER) |
    ((access & ACCESS_CODE) !== 0 && (hasNx || smep) ? ACCESS_CODE : 0);
  const levels: Level[] = isLong
    ? [39, 30, 21, 12].map((shift) => ({ shift, isLeaf: shift === 12 }))
    : isPae
    ? [30, 21, 12].map((shift) => ({ shift, isLeaf: shift === 12 }))
    : [22, 12].map((shift) => ({ shift, isLeaf: shift === 12 }));
  const width = isPae ? 8 : 4;
  let table = root;
  let [mayWrite, isUsers, isData] = [true, true, false];
  for (const { shift, isLeaf } of levels) {
    const index = BigInt(linear) >> BigInt(shift) & (isPae ? 511n : 1023n);
    const where = Number(table + index * BigInt(width));
    const word = (at: number) => BigInt(cpu.mmu.physicalLoad(at, 4));
    const entry = word(where) | (isPae ? word(where + 4) << 32n : 0n);
    const bit = (n: number) => (entry >> BigInt(n) & 1n) === 1n;
    if (!bit(0)) return { error: base };
    const isPointer = isPae && !isLong && shift === 30;
    const isLarge = !isPointer && bit(7) && !isLeaf &&
      (isPae || (cpu.cr4 & cr4Bits.PSE) !== 0);
    let reserved = 0n;
    const ones = (from: bigint, to: bigint) => (1n << to + 1n) - (1n << from);
    if (isPae && bits < 52n) reserved |= ones(bits, 51n);
    if (isPae && !isLong) reserved |= ones(52n, 62n);
    if (isPae && !hasNx) reserved |= 1n << 63n;
    if (shift === 39) reserved |= 1n << 7n;
    if (isLarge && isPae) reserved |= ones(13n, BigInt(shift) - 1n);
    if (isLarge && !isPae) reserved |= 1n << 21n | (bits < 40n ? ones(bits - 19n, 20n) : 0n);
    if ((entry & reserved) !== 0n) return { error: base | 9 };
    if (!isPointer) {
      mayWrite &&= bit(1);
      isUsers &&= bit(2);
      isData ||= isPae && bit(63);
    }
    if (isLeaf || isLarge) {
      const isUser = (access & ACCESS_USER) !== 0;
      const fetches = (access & ACCESS_CODE) !== 0;
      const writes = (access & ACCESS_WRITE) !== 0;
      const smap = (cpu.cr4 & cr4Bits.SMAP) !== 0 && (cpu.eflags & eflag.AC) === 0;
      const isForbidden = isUser && !isUsers ||
        writes && !mayWrite && (isUser || (cpu.cr0 & cr0Bits.WP) !== 0) ||
        fetches && isData || !isUser && isUsers && (fetches ? smep : smap);
      if (isForbidden) return { error: base | 1 };
      const inside = BigInt.asUintN(shift, BigInt(linear)) & ~0xfffn;
      if (!isPae && isLarge) {
        return { page: Number(entry & 0xffc0_0000n | (entry >> 13n & 0xffn) << 32n | inside) };
      }
      const frame = isPae ? entry & ones(12n, 51n) : entry & 0xffff_f000n;
      return { page: Number(frame >> BigInt(shift) << BigInt(shift) | inside) };
    }
    table = isPae ? entry & ones(12n, 51n) : entry & 0xffff_f000n;
  }
  throw new TypeError("a walk without an end");
}

/** Bits that entries like to have, each more often set right than not. */
const entryBits = fc.record({
  low: fc.integer({ min: 0, max: 0x3ff }).map((n) => n < 0x200 ? n : n | 6),
  isPresent: fc.integer({ min: 0, max: 19 }).map((n) => n > 0),
  isLarge: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  above: fc.constantFrom(
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0x1_0000,
    0x1f_2000,
    0x2000,
    0x20_0000,
    0x3000_0000,
  ),
  high: fc.constantFrom(
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0x8000_0000 | 0,
    0x100,
    0x3,
    0x10_0000,
  ),
});

for (const paging of ["32-bit", "PAE", "4-level"] as const satisfies readonly Paging[]) {
  Deno.test(`${paging} paging: any entries lead where the manual's tables say, or fault as they say`, () => {
    const { cpu } = guestProcessor(allPaging);
    const tables = new GuestTables(cpu, paging);
    const walk = new PageWalk(cpu);
    const linear = paging === "4-level" ? -0x7edc_ba98_7654 : 0x8765_4321;
    const path = tables.map(linear, 0x20_0000, 7);
    const frames = path.map((where) => tables.get(where) & ~0xfff);
    walk.loadPointers(0x10_0000);
    let [faults, pages] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(entryBits, { minLength: 4, maxLength: 4 }),
        fc.constantFrom(0, ACCESS_WRITE, ACCESS_CODE),
        fc.boolean(),
        fc.integer({ min: 0, max: 63 }),
        (entries, kind, isUser, switches) => {
          const set = (bit: number, on: number, off: number, value: number) =>
            (switches >> bit & 1) !== 0 ? value | on : value & ~off;
          cpu.cr0 = set(0, cr0Bits.WP, cr0Bits.WP, cpu.cr0);
          cpu.cr4 = set(1, cr4Bits.SMEP, cr4Bits.SMEP, cpu.cr4);
          cpu.cr4 = set(2, cr4Bits.SMAP, cr4Bits.SMAP, cpu.cr4);
          cpu.eflags = set(3, eflag.AC, eflag.AC, cpu.eflags);
          if (paging === "32-bit") cpu.cr4 = set(4, cr4Bits.PSE, cr4Bits.PSE, cpu.cr4);
          cpu.efer = set(5, eferBits.NXE, eferBits.NXE, cpu.efer);
          path.forEach((where, n) => {
            // PAE's pointers are checked when they are loaded.
            if (paging === "PAE" && n === 0) return;
            const entry = entries[n];
            if (entry === undefined) return;
            const { low, isPresent, isLarge, above, high } = entry;
            const isLeaf = n === path.length - 1;
            const frame = isLarge && !isLeaf ? above : frames[n] ?? 0;
            const bits = low & ~0x81 | (isPresent ? 1 : 0) | (isLarge ? 0x80 : 0);
            tables.set(where, frame | bits);
            if (paging !== "32-bit") tables.set(where + 4, high);
          });
          const access = kind | (isUser ? ACCESS_USER : 0);
          const expected = reference(cpu, 0x10_0000n, linear, access);
          const error = walk.walk(linear, access);
          assert.deepEqual(error < 0 ? { page: walk.page } : { error }, expected);
          if (error < 0) pages++;
          else faults++;
        },
      ),
      { numRuns: 3000, seed: 20240607 },
    );
    // Both happen often enough to mean something.
    assert.ok(Math.min(faults, pages) > 300, `${faults} faults, ${pages} pages`);
  });
}
