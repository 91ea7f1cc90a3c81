import assert from "node:assert/strict";
import { Kallsyms } from "../../formats/kallsyms/mod.ts";
import { KernelSymbols, type MovedKernel } from "./symbols.ts";

/** A table of these symbols, in ascending order. */
function table(symbols: readonly (readonly [name: string, address: bigint])[]): Kallsyms {
  const names = symbols.map(([name]) => name);
  const half = (shift: bigint) =>
    Uint32Array.from(symbols, ([, address]) => Number(address >> shift & 0xffff_ffffn));
  return new Kallsyms(
    "made",
    {},
    { text: (i) => `T${names[i]}`, find: (name, from) => names.indexOf(name, from) },
    { low: half(0n), high: half(32n), form: "absolute", at: 0 },
  );
}

const wide = table([
  ["_stext", 0xffffffff81000000n],
  ["start_kernel", 0xffffffff82f53a40n],
  ["asm_exc_divide_error", 0xffffffff83000b40n],
]);
const narrow = table([["_stext", 0xc1000000n], ["asm_exc_divide_error", 0xc18cb6d0n]]);

/** A processor whose interrupt table has this handler for vector 0. */
function withHandler(handler: bigint, isLong: boolean): MovedKernel {
  const words = [
    Number(handler & 0xffffn) | 0x10 << 16,
    Number(handler >> 16n & 0xffffn) << 16 | 0x8e00,
    Number(handler >> 32n & 0xffffffffn),
  ];
  return {
    idtr: { base: 0x1000, limit: 0xfff },
    isLong,
    mmu: { load: (linear) => words[(linear - 0x1000) / 4] ?? 0 },
  };
}

Deno.test("addresses are numbers as the processor has them, signed where it has 64 bits", () => {
  const symbols = new KernelSymbols(wide, true);
  assert.equal(symbols.addressOf("start_kernel"), -0x7d0ac5c0);
  assert.equal(symbols.show(-0x7d0ac5c0), "start_kernel");
  assert.equal(symbols.show(-0x7d0ac5c0 + 0x1c), "start_kernel+0x1c");
  assert.equal(symbols.addressOf("nobody"), undefined);
  assert.equal(new KernelSymbols(narrow, false).addressOf("_stext"), 0xc1000000);
});

Deno.test("what is no symbol's is shown as it is", () => {
  const symbols = new KernelSymbols(wide, true);
  assert.equal(symbols.nameOf(0x1000), undefined);
  assert.equal(symbols.show(0x1000), "0x1000");
  assert.equal(symbols.show(-0x1000_0000_0000), "0xfffff00000000000");
});

Deno.test("a kernel that has moved itself is found by its handler of division errors", () => {
  const symbols = new KernelSymbols(wide, true);
  assert.ok(symbols.findSlide(withHandler(0xffffffff83000b40n + 0x1c00_0000n, true)));
  assert.equal(symbols.slide, 0x1c00_0000);
  assert.equal(symbols.show(-0x7d0ac5c0 + 0x1c00_0000), "start_kernel");
  assert.equal(symbols.addressOf("_stext"), -0x7f000000 + 0x1c00_0000);
  const small = new KernelSymbols(narrow, false);
  assert.ok(small.findSlide(withHandler(0xc18cb6d0n + 0x400_0000n, false)));
  assert.equal(small.slide, 0x400_0000);
});

Deno.test("a table that is not the kernel's says nothing", () => {
  const symbols = new KernelSymbols(wide, true);
  assert.ok(!symbols.findSlide(withHandler(0xffffffff83000b40n + 0x123n, true)));
  assert.ok(!symbols.findSlide(withHandler(0x1000n, true)));
  const empty = { ...withHandler(0n, true), idtr: { base: 0, limit: 0 } };
  assert.ok(!symbols.findSlide(empty));
  const missing: MovedKernel = {
    ...withHandler(0n, true),
    mmu: {
      load() {
        throw new Error("not mapped");
      },
    },
  };
  assert.ok(!symbols.findSlide(missing));
  assert.equal(symbols.slide, 0);
});
