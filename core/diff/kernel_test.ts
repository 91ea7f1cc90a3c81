import assert from "node:assert/strict";
import { elf } from "../../testdata/elf_builder.ts";
import { judgePlatforms } from "../evidence.ts";
import { inspect } from "../inspection.ts";
import type { Change } from "./change.ts";
import { diffImages } from "./image.ts";

async function diff(a: Uint8Array, b: Uint8Array, section: string): Promise<Change[]> {
  const [left, right] = [await inspect("a", a), await inspect("b", b)];
  return await diffImages(
    { inspection: left, platforms: await judgePlatforms(left) },
    { inspection: right, platforms: await judgePlatforms(right) },
    { sections: [section] },
  );
}

const load = (vaddr: number, flags: number, size = 16) => ({
  vaddr,
  paddr: vaddr,
  flags,
  data: new Uint8Array(size),
});

Deno.test("segments go by type and rights, whatever their order", async () => {
  const a = elf({ segments: [load(0x1000, 5), load(0x2000, 6)] });
  const b = elf({ segments: [load(0x2000, 6), { type: 0x6474e551 }, load(0x1000, 5)] });
  const changes = await diff(a, b, "segments");
  assert.deepEqual(changes.map(({ path, kind }) => [path, kind]), [["PT_GNU_STACK", "added"]]);
});

Deno.test("a segment that only has other rights is the same segment", async () => {
  const a = elf({ segments: [load(0x1000, 7), load(0x2000, 6)] });
  const b = elf({ segments: [load(0x1000, 5), load(0x2000, 6)] });
  const [change, ...more] = await diff(a, b, "segments");
  assert.deepEqual(more, []);
  assert.deepEqual([change?.path, change?.note], ["PT_LOAD RWE", "rights RWE → RE"]);
});

Deno.test("a segment that moved and grew says by how much", async () => {
  const a = elf({ segments: [load(0x1000, 5)] });
  const b = elf({ segments: [load(0x3000, 5, 48)] });
  const [change] = await diff(a, b, "segments");
  assert.equal(change?.kind, "resized");
  assert.equal(change?.note, "moved by +0x2000, +32 bytes (+200 %) in memory");
});

Deno.test("sections that came or went stand before those of another size", async () => {
  const section = (name: string, size: number) => ({ name, data: new Uint8Array(size) });
  const a = elf({ sections: [section(".a", 4), section(".b", 4), section(".c", 4)] });
  const b = elf({ sections: [section(".a", 8), section(".c", 4), section(".d", 4)] });
  const changes = await diff(a, b, "sections");
  assert.deepEqual(changes.map(({ path, kind }) => [path, kind]), [
    [".b", "removed"],
    [".d", "added"],
    [".a", "resized"],
  ]);
});

Deno.test("thousands of segments without a partner are paired in one pass", async () => {
  const many = (first: number) =>
    elf({
      segments: Array.from(
        { length: 20_000 },
        (_, i) => ({ type: first + i, data: new Uint8Array() }),
      ),
    });
  const start = performance.now();
  const changes = await diff(many(0x70000000), many(0x71000000), "segments");
  assert.equal(changes.length, 40_000);
  assert.ok(performance.now() - start < 10_000);
});
