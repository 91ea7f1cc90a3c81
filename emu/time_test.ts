import assert from "node:assert/strict";
import fc from "fast-check";
import { Clock, Frequency } from "./time.ts";

const day = 86_400_000_000_000;

Deno.test("a frequency counts as exact arithmetic does, over a hundred days", () => {
  const hz = fc.constantFrom(32_768, 115_200, 1_193_182, 3_579_545, 14_318_180, 2_400_000_000);
  const property = fc.property(hz, fc.integer({ min: 0, max: 100 * day }), (hz, ns) => {
    const frequency = new Frequency(hz);
    const ticks = BigInt(ns) * BigInt(hz) / 1_000_000_000n;
    if (ticks > BigInt(Number.MAX_SAFE_INTEGER)) return;
    assert.equal(BigInt(frequency.ticks(ns)), ticks);
    const first = (ticks * 1_000_000_000n + BigInt(hz) - 1n) / BigInt(hz);
    assert.equal(BigInt(frequency.ns(Number(ticks))), first);
  });
  fc.assert(property, { seed: 1, numRuns: 2000 });
});

Deno.test("a frequency without exact counts is refused", () => {
  assert.throws(() => new Frequency(0.5), RangeError);
  assert.throws(() => new Frequency(999_999_937), RangeError);
});

Deno.test("the budget ends exactly where the next alarm is due, at any rate", () => {
  for (const instructionsPerSecond of [1_000_000_000, 300_000_000, 2_500_000_000, 3]) {
    const clock = new Clock({ instructionsPerSecond });
    const rung: number[] = [];
    const timer = clock.timer((due) => rung.push(due));
    timer.set(1_000_000_007);
    clock.retire(clock.budget - 1);
    clock.runDue();
    assert.deepEqual(rung, []);
    assert.equal(clock.budget, 1);
    clock.retire(1);
    clock.runDue();
    assert.deepEqual(rung, [1_000_000_007]);
    assert.equal(clock.budget, Infinity);
  }
});

Deno.test("alarms for the same time go off in the order they were made, however they were set", () => {
  const clock = new Clock();
  const rung: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => clock.timer(() => rung.push(name)));
  c?.set(50);
  b?.set(50);
  a?.set(50);
  b?.stop();
  b?.set(50);
  clock.skip(100);
  assert.deepEqual(rung, ["a", "b", "c"]);
});

Deno.test("HLT jumps to the next alarm, and says when there is none", () => {
  const clock = new Clock();
  assert.equal(clock.skipToNext(), false);
  const timer = clock.timer(() => {});
  timer.set(12_345);
  clock.retire(45);
  assert.equal(clock.skipToNext(), true);
  assert.equal(clock.now, 12_345);
  assert.equal(clock.instructions, 45);
});

Deno.test("an alarm that sets itself again rings at its own times while time is skipped", () => {
  const clock = new Clock();
  const seen: number[] = [];
  const timer = clock.timer((due) => {
    seen.push(clock.now);
    timer.set(due + 10);
  });
  timer.set(10);
  clock.skip(35);
  assert.deepEqual(seen, [10, 20, 30]);
  assert.equal(clock.now, 35);
});

Deno.test("who runs on a budget is told when an alarm comes nearer", () => {
  const clock = new Clock();
  let told = 0;
  clock.onSooner = () => told++;
  const [a, b] = [clock.timer(() => {}), clock.timer(() => {})];
  a.set(100);
  b.set(200);
  assert.equal(told, 1);
  b.set(50);
  assert.equal(told, 2);
});
