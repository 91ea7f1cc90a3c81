import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { Hpet } from "./hpet.ts";

function timer() {
  const clock = new Clock();
  const bus = new Bus(clock);
  const edges: string[] = [];
  let taken = false;
  const levels = new Map<string, boolean>();
  const line = (name: string) => (level: boolean) => {
    if (level && levels.get(name) !== true) edges.push(`${name} ${clock.now}`);
    levels.set(name, level);
  };
  new Hpet(bus, clock, {
    route: (input) => line(`input${input}`),
    legacy: [line("irq0"), line("irq8")],
    takesLegacy: (now) => taken = now,
  });
  const write = (offset: number, value: number) => bus.write(0xfed0_0000 + offset, value, 4);
  const read = (offset: number) => bus.read(0xfed0_0000 + offset, 4);
  return { clock, edges, write, read, taken: () => taken, levels };
}

Deno.test("the counter counts tens of nanoseconds while it runs, in 64 bits", () => {
  const { clock, write, read } = timer();
  assert.equal(read(4), 10_000_000);
  write(0xf0, 0xffff_fff0);
  write(0xf4, 7);
  clock.skip(1000);
  assert.deepEqual([read(0xf0), read(0xf4)], [0xffff_fff0, 7]);
  write(0x10, 1);
  clock.skip(1000);
  assert.deepEqual([read(0xf0), read(0xf4)], [0x54, 8]);
  write(0x10, 0);
  clock.skip(1000);
  assert.equal(read(0xf0), 0x54);
});

Deno.test("legacy replacement takes interrupt 0 periodically, as Linux sets it up", () => {
  const { clock, edges, write, taken } = timer();
  write(0x100, 0x14c); // 32 bits, periodic, accumulator set, enabled
  write(0x108, 1000);
  write(0x108, 1000);
  write(0x10, 3);
  assert.equal(taken(), true);
  clock.skip(35_000);
  assert.deepEqual(edges, ["irq0 10000", "irq0 20000", "irq0 30000"]);
});

Deno.test("a single comparator fires once a turn, and moves as often as one likes", () => {
  const { clock, edges, write } = timer();
  write(0x120, 0x104);
  write(0x128, 100);
  write(0x10, 3);
  clock.skip(5000);
  write(0x128, 700);
  clock.skip(100_000);
  assert.deepEqual(edges, ["irq8 1000", "irq8 7000"]);
});

Deno.test("a level stays until its status is cleared, on the routed input", () => {
  const { clock, edges, write, read, levels } = timer();
  write(0x140, 20 << 9 | 0x106);
  write(0x148, 100);
  write(0x10, 1);
  clock.skip(2000);
  assert.deepEqual(edges, ["input20 1000"]);
  assert.equal(read(0x20), 4);
  write(0x20, 3);
  assert.equal(levels.get("input20"), true);
  write(0x20, 4);
  assert.equal(levels.get("input20"), false);
  assert.equal(read(0x20), 0);
});

Deno.test("an input that may not be used is not", () => {
  const { clock, edges, write } = timer();
  write(0x140, 5 << 9 | 0x104);
  write(0x148, 100);
  write(0x10, 1);
  clock.skip(2000);
  assert.deepEqual(edges, []);
});

Deno.test("a period of one tick does not stop the world", () => {
  const { clock, write, edges } = timer();
  write(0x100, 0x14c);
  write(0x108, 1);
  write(0x10, 3);
  clock.skip(1_000_000);
  assert.ok(edges.length > 900 && edges.length < 1100, `${edges.length}`);
});
