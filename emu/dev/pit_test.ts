import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock, Frequency } from "../time.ts";
import { Pit, pitHz } from "./pit.ts";
import { Port61 } from "./port61.ts";

function timer() {
  const clock = new Clock();
  const bus = new Bus(clock);
  const frequency = new Frequency(pitHz);
  const edges: string[] = [];
  let level = true;
  const pit = new Pit(bus, clock, {
    output: (next) => {
      if (next !== level) edges.push(`${next ? "up" : "down"} ${frequency.ticks(clock.now)}`);
      level = next;
    },
  });
  new Port61(bus, clock, pit);
  const out = (port: number, ...values: number[]) =>
    values.forEach((value) => bus.out(port, value, 1));
  const in2 = (port: number) => bus.in(port, 1) | bus.in(port, 1) << 8;
  /** Lets so many ticks pass. */
  const ticks = (count: number) =>
    clock.skip(frequency.ns(frequency.ticks(clock.now) + count) - clock.now);
  return { clock, bus, pit, out, in2, ticks, edges };
}

Deno.test("mode 0 rises once, N + 1 ticks after the count was written", () => {
  const { out, ticks, edges } = timer();
  out(0x43, 0x30);
  out(0x40, 4, 0);
  ticks(20);
  assert.deepEqual(edges, ["down 0", "up 5"]);
});

Deno.test("mode 2 is low for one tick in N", () => {
  const { out, ticks, edges } = timer();
  out(0x43, 0x34);
  out(0x40, 3, 0);
  ticks(8);
  assert.deepEqual(edges, ["down 3", "up 4", "down 6", "up 7"]);
});

Deno.test("mode 3 is a square, its high half a tick longer if N is odd", () => {
  const { out, ticks, edges } = timer();
  out(0x43, 0x36);
  out(0x40, 5, 0);
  ticks(11);
  assert.deepEqual(edges, ["down 4", "up 6", "down 9", "up 11"]);
});

Deno.test("mode 4 strobes low for one tick after N", () => {
  const { out, ticks, edges } = timer();
  out(0x43, 0x38);
  out(0x40, 4, 0);
  ticks(100);
  assert.deepEqual(edges, ["down 5", "up 6"]);
});

Deno.test("modes 1 and 5 wait for the gate; a second trigger starts anew", () => {
  const { out, ticks, pit } = timer();
  out(0x43, 0xb2);
  out(0x42, 10, 0);
  ticks(5);
  assert.equal(pit.output(2), true);
  out(0x61, 1);
  ticks(2);
  assert.equal(pit.output(2), false);
  ticks(6);
  out(0x61, 0);
  out(0x61, 1);
  ticks(6);
  assert.equal(pit.output(2), false);
  ticks(6);
  assert.equal(pit.output(2), true);
  out(0x61, 0);
  out(0x43, 0xba);
  out(0x42, 3, 0);
  out(0x61, 1);
  const seen = Array.from({ length: 6 }, () => {
    ticks(1);
    return pit.output(2);
  });
  assert.deepEqual(seen, [true, true, true, false, true, true]);
});

Deno.test("a new count in modes 2 and 3 waits for the end of the period, or of its half", () => {
  const two = timer();
  two.out(0x43, 0x34);
  two.out(0x40, 10, 0);
  two.ticks(5);
  two.out(0x40, 4, 0);
  two.ticks(12);
  assert.deepEqual(two.edges, ["down 10", "up 11", "down 14", "up 15"]);
  const three = timer();
  three.out(0x43, 0x36);
  three.out(0x40, 10, 0);
  three.ticks(3);
  three.out(0x40, 4, 0);
  three.ticks(9);
  assert.deepEqual(three.edges, ["down 6", "up 8", "down 10", "up 12"]);
});

Deno.test("decimal counters count in decimal, and 0 is ten thousand", () => {
  const { out, ticks, in2 } = timer();
  out(0x61, 1);
  out(0x43, 0xb1);
  out(0x42, 0x00, 0x10);
  ticks(2);
  assert.equal(in2(0x42), 0x0999);
  ticks(1000);
  assert.equal(in2(0x42), 0x9999);
  out(0x42, 0, 0);
  ticks(2);
  assert.equal(in2(0x42), 0x9999);
});

Deno.test("a latched count stands still until it is read whole, a second latch is ignored", () => {
  const { out, ticks, in2, bus } = timer();
  out(0x43, 0x34);
  out(0x40, 0, 0x10);
  ticks(11);
  out(0x43, 0x00);
  ticks(50);
  out(0x43, 0x00);
  assert.equal(bus.in(0x40, 1), 0xf6);
  ticks(50);
  assert.equal(bus.in(0x40, 1), 0x0f);
  assert.equal(in2(0x40), 0x1000 - 110);
});

Deno.test("the status tells of a count that is not loaded yet", () => {
  const { out, ticks, bus } = timer();
  const status = () => {
    out(0x43, 0xe2);
    return bus.in(0x40, 1);
  };
  out(0x43, 0x34);
  assert.equal(status(), 0xf4);
  out(0x40, 0, 0x10);
  assert.equal(status(), 0xf4);
  ticks(1);
  assert.equal(status(), 0xb4);
  out(0x40, 0, 0x20);
  assert.equal(status(), 0xf4);
  ticks(0x1000);
  assert.equal(status(), 0xb4);
});

Deno.test("the gate stops and resumes mode 0, and restarts mode 2", () => {
  const { out, ticks, in2 } = timer();
  out(0x61, 1);
  out(0x43, 0xb0);
  out(0x42, 100, 0);
  ticks(11);
  out(0x61, 0);
  ticks(1000);
  assert.equal(in2(0x42), 90);
  out(0x61, 1);
  ticks(5);
  assert.equal(in2(0x42), 85);
  out(0x43, 0xb4);
  out(0x42, 100, 0);
  ticks(11);
  out(0x61, 0);
  ticks(1000);
  out(0x61, 1);
  ticks(11);
  assert.equal(in2(0x42), 90);
});

Deno.test("fast TSC calibration, as Linux does it, finds the same frequency every time", () => {
  // arch/x86/kernel/tsc.c, quick_pit_calibrate: the time between two changes of
  // the high byte, polled, must agree to 500 parts in a million.
  const found = new Set<number>();
  for (const start of [0, 123_457, 999_999_999]) {
    const { out, bus, clock } = timer();
    clock.skip(start);
    out(0x61, 1);
    out(0x43, 0xb0);
    out(0x42, 0xff, 0xff);
    bus.in(0x42, 1);
    /** Polls while the high byte is `value`; a poll takes some 100 instructions. */
    const expect = (value: number) => {
      do {
        clock.retire(100);
        clock.runDue();
        bus.in(0x42, 1);
      } while (bus.in(0x42, 1) === value);
      return clock.now;
    };
    while (bus.in(0x42, 1) !== 0xff) bus.in(0x42, 1);
    const first = expect(0xff);
    let last = first;
    for (let i = 1; i <= 50; i++) last = expect(0xff - i);
    const khz = (last - first) * pitHz / 50 / 256 / 1_000_000;
    assert.ok(Math.abs(khz - 1000) < 0.5, `${khz}`);
    found.add(Math.round(khz));
  }
  assert.deepEqual([...found], [1000]);
});

Deno.test("port 0x61's refresh bit toggles every 18 ticks", () => {
  const { bus, ticks } = timer();
  let [changes, last] = [0, bus.in(0x61, 1) & 0x10];
  for (let i = 0; i < 1800; i++) {
    ticks(1);
    const next = bus.in(0x61, 1) & 0x10;
    if (next !== last) changes++;
    last = next;
  }
  assert.equal(changes, 100);
});
