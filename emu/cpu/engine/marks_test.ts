import assert from "node:assert/strict";
import { flatMachine } from "../../../testdata/flat_machine.ts";

/** A loop that runs `times` times: its addresses, and a machine that is ready to run it. */
function loop(times: number) {
  const machine = flatMachine(0x20_0000);
  machine.reset(32);
  const at = 0x1_0000;
  // mov ecx, times; top: inc eax; inc ebx; dec ecx; jnz top; hlt-like end: jmp $
  machine.ram.set(
    [0xb9, times & 255, times >> 8, 0, 0, 0x40, 0x43, 0x49, 0x75, 0xfb, 0xeb, 0xfe],
    at,
  );
  machine.cpu.rip = at;
  return { ...machine, at, top: at + 5, middle: at + 6, end: at + 10 };
}

/** Instructions that `loop` retires before it comes to its end. */
const length = (times: number) => 1 + 4 * times;

Deno.test("who marks an address is told each time, with the instructions exact, hot or cold", () => {
  for (const times of [3, 20_000]) {
    const { engine, cpu, middle } = loop(times);
    const told: number[] = [];
    engine.marks.add(middle, () => {
      assert.equal(cpu.rip, middle);
      assert.equal(Number(cpu.registers[0]), told.length + 1, "inc eax is done, inc ebx is not");
      assert.equal(Number(cpu.registers[3]), told.length);
      told.push(engine.retired);
    });
    assert.equal(engine.run(length(times) + 10), "budget");
    assert.equal(told.length, times);
    assert.deepEqual(told.slice(0, 3), [2, 6, 10]);
    assert.equal(told.at(-1), 2 + 4 * (times - 1));
    assert.equal(engine.retired, length(times) + 10);
  }
});

Deno.test("a run in pieces of any length tells of each arrival once", () => {
  for (const piece of [1, 2, 3, 4, 5, 7]) {
    const { engine, top } = loop(10);
    let told = 0;
    engine.marks.add(top, () => told++);
    for (let done = 0; done < length(10); done += piece) engine.run(piece);
    assert.equal(told, 10, `pieces of ${piece}`);
  }
});

Deno.test("who stops at a mark has executed nothing of it, and goes on past it", () => {
  const { engine, cpu, top, end } = loop(3);
  const stops: number[] = [];
  engine.marks.add(top, () => {
    stops.push(cpu.rip);
    engine.stop();
  });
  for (const retired of [1, 4, 4]) {
    assert.equal(engine.run(1000), "stopped");
    assert.equal(engine.retired, retired);
    assert.equal(cpu.rip, top);
  }
  assert.equal(engine.run(1000), "budget");
  assert.equal(cpu.rip, end);
  assert.deepEqual(stops, [top, top, top]);
});

Deno.test("a mark is put upon and taken off code that is compiled already", () => {
  const { engine, cpu, top, end } = loop(60_000);
  engine.run(100_001);
  assert.ok(engine.regions.compiled > 0);
  let told = 0;
  const unmark = engine.marks.add(top, () => told++);
  const other = engine.marks.add(top, () => told++);
  engine.run(400);
  assert.equal(told, 200);
  other();
  other();
  engine.run(400);
  assert.equal(told, 300);
  unmark();
  engine.run(1_000_000);
  assert.equal(told, 300);
  assert.equal(engine.marks.size, 0);
  assert.equal(cpu.rip, end);
  assert.equal(Number(cpu.registers[0]), 60_000);
});

Deno.test("a mark stays where code changes, and marks inside instructions are never met", () => {
  const { engine, cpu, ram, mmu, at, top } = loop(5);
  let told = 0;
  engine.marks.add(top, () => told++);
  engine.marks.add(at + 2, () => assert.fail("nothing begins there"));
  engine.run(length(5));
  ram.set([0x90, 0x90, 0x90], top);
  mmu.written(top, 3);
  cpu.rip = at;
  engine.run(4);
  assert.equal(told, 6);
  assert.equal(Number(cpu.registers[0]), 5, "no inc any more");
});

Deno.test("a mark that is told of may add marks and take itself off", () => {
  const { engine, middle, end } = loop(4);
  const told: string[] = [];
  const unmark = engine.marks.add(middle, () => {
    told.push("middle");
    unmark();
    engine.marks.add(end, () => {
      told.push("end");
      engine.stop();
    });
  });
  assert.equal(engine.run(1000), "stopped");
  assert.deepEqual(told, ["middle", "end"]);
  assert.equal(engine.retired, length(4));
});

Deno.test("whoever looks sees code before it runs for the first time", () => {
  const { engine, at, top, end } = loop(3);
  const seen: number[] = [];
  engine.onLook = (linear) => seen.push(linear);
  engine.run(length(3) + 3);
  assert.equal(seen[0], at);
  assert.ok(seen.includes(top) && seen.includes(end));
});
