import assert from "node:assert/strict";
import fc from "fast-check";
import { BootError } from "./errors.ts";
import { MemoryPlan, pcMemoryMap } from "./memory_plan.ts";

const why = "a test";

Deno.test("a PC's map has its holes, and RAM adds up to what was asked for", () => {
  assert.deepEqual(pcMemoryMap(0x2000_0000n), [
    { addr: 0n, size: 0x9fc00n, type: 1 },
    { addr: 0x9fc00n, size: 0x400n, type: 2 },
    { addr: 0xf0000n, size: 0x10000n, type: 2 },
    { addr: 0x100000n, size: 0x1ff00000n, type: 1 },
  ]);
  const large = pcMemoryMap(0x1_4000_0000n);
  assert.deepEqual(large.slice(3), [
    { addr: 0x100000n, size: 0xbff00000n, type: 1 },
    { addr: 0x1_0000_0000n, size: 0x8000_0000n, type: 1 },
  ]);
  assert.throws(() => pcMemoryMap(0x10_0000n), BootError);
});

Deno.test("the lowest and the highest fit are found between what is there", () => {
  const plan = new MemoryPlan(pcMemoryMap(0x100_0000n));
  assert.equal(plan.place({ what: "a", size: 0x1000n, at: 0x1000n, why }), 0x1000n);
  assert.equal(plan.place({ what: "b", size: 0x1000n, why }), 0n);
  assert.equal(plan.place({ what: "c", size: 0x1000n, why }), 0x2000n);
  assert.equal(plan.place({ what: "d", size: 0xa0000n, why }), 0x100000n);
  assert.equal(
    plan.place({ what: "e", size: 5n, align: 0x1000n, highest: true, why }),
    0xfff000n,
  );
  assert.equal(
    plan.place({ what: "f", size: 5n, align: 0x1000n, highest: true, below: 0x9_0000n, why }),
    0x8f000n,
  );
  assert.deepEqual(plan.placements.map(({ what }) => what), ["b", "a", "c", "f", "d", "e"]);
});

Deno.test("what does not fit is refused with what there is", () => {
  const plan = new MemoryPlan(pcMemoryMap(0x100_0000n));
  plan.place({ what: "kernel", size: 0x10_0000n, at: 0x10_0000n, why });
  const refused = (wish: Parameters<MemoryPlan["place"]>[0]): string => {
    try {
      plan.place(wish);
    } catch (error) {
      assert.ok(error instanceof BootError && error instanceof RangeError);
      return error.message;
    }
    return assert.fail("it fitted");
  };
  assert.equal(
    refused({ what: "page", size: 0x1000n, at: 0x9_f000n, why }),
    "page: needs RAM at [0x9f000, 0xa0000), found RAM at [0x0, 0x9fc00), [0x100000, 0x1000000)",
  );
  assert.equal(
    refused({ what: "initrd", size: 0x1000n, at: 0x1f_f000n, why }),
    "initrd: needs [0x1ff000, 0x200000) free, found kernel at [0x100000, 0x200000)",
  );
  assert.equal(
    refused({ what: "initrd", size: 0x1000_0000n, align: 0x1000n, why }),
    "initrd: needs 268435456 bytes aligned to 0x1000 in [0x0, 0x1000000), " +
      "found 14680064 bytes free in one piece",
  );
});

Deno.test("whatever is placed lies in RAM and overlaps nothing", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          size: fc.bigInt({ min: 1n, max: 0x40_0000n }),
          align: fc.constantFrom(1n, 16n, 0x1000n, 0x20_0000n),
          highest: fc.boolean(),
          below: fc.constantFrom(0x9_0000n, 0x100_0000n, 0x800_0000n),
        }),
        { maxLength: 24 },
      ),
      (wishes) => {
        const plan = new MemoryPlan(pcMemoryMap(0x800_0000n));
        for (const wish of wishes) {
          try {
            const address = plan.place({ ...wish, what: "x", why });
            assert.ok(plan.isRam(address, wish.size));
            assert.equal(address % wish.align, 0n);
            assert.ok(address + wish.size <= wish.below);
          } catch (error) {
            assert.ok(error instanceof BootError, String(error));
          }
        }
        const { placements } = plan;
        placements.forEach(({ address }, i) => {
          const before = placements[i - 1];
          assert.ok(before === undefined || before.address + before.size <= address);
        });
      },
    ),
    { seed: 0xe820, numRuns: 200 },
  );
});
