import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { Cmos } from "./cmos.ts";

const second = 1_000_000_000;

function clockAt(start: string, memory = 0) {
  const clock = new Clock();
  const bus = new Bus(clock);
  const irq: [boolean, number][] = [];
  let level = false;
  const cmos = new Cmos(bus, clock, {
    irq: (next) => {
      if (next !== level) irq.push([next, clock.now]);
      level = next;
    },
    start: Date.parse(start) / 1000,
    memory,
  });
  const read = (register: number) => {
    bus.out(0x70, register, 1);
    return bus.in(0x71, 1);
  };
  const write = (register: number, value: number) => {
    bus.out(0x70, register, 1);
    bus.out(0x71, value, 1);
  };
  const time = () =>
    [0x32, 9, 8, 7, 4, 2, 0].map((register) => read(register).toString(16).padStart(2, "0"))
      .join(" ");
  return { clock, cmos, irq, read, write, time };
}

Deno.test("the year turns, and the day of the week with it", () => {
  const { clock, read, time } = clockAt("2023-12-31T23:59:58Z");
  assert.equal(time(), "20 23 12 31 23 59 58");
  assert.equal(read(6), 1);
  clock.skip(2 * second);
  assert.equal(time(), "20 24 01 01 00 00 00");
  assert.equal(read(6), 2);
  clock.skip(59 * 86_400 * second);
  assert.equal(time(), "20 24 02 29 00 00 00");
});

Deno.test("UIP rises 2,228 microseconds before every update and falls with it", () => {
  const { clock, read } = clockAt("2024-01-01T00:00:00Z");
  const uip = () => read(0x0a) >> 7;
  clock.skip(second - 2_228_001);
  assert.equal(uip(), 0);
  clock.skip(1);
  assert.equal(uip(), 1);
  clock.skip(2_227_999);
  assert.equal(uip(), 1);
  assert.equal(read(0), 0);
  clock.skip(1);
  assert.equal(uip(), 0);
  assert.equal(read(0), 1);
});

Deno.test("who reads as Linux does never sees half a time", () => {
  const { clock, read, time } = clockAt("2024-01-01T00:00:00Z");
  for (let i = 0; i < 300; i++) {
    while ((read(0x0a) & 0x80) !== 0) clock.skip(1_000_000);
    // 244 microseconds are left at least, and more than the reads need.
    assert.equal(
      time(),
      `20 24 01 01 00 ${String(Math.floor(clock.now / second / 60)).padStart(2, "0")} ${
        String(Math.floor(clock.now / second) % 60).padStart(2, "0")
      }`,
    );
    clock.skip(777_777_777);
  }
});

Deno.test("the alarm rings at its time, with wildcards every minute", () => {
  const { clock, irq, read, write } = clockAt("2024-01-01T00:00:00Z");
  write(1, 0x30);
  write(3, 0xff);
  write(5, 0xc0);
  write(0x0b, 0x22);
  clock.skip(100 * second);
  assert.deepEqual(irq, [[true, 30 * second]]);
  assert.equal(read(0x0c) & 0xa0, 0xa0);
  assert.equal(read(0x0c), 0);
  clock.skip(60 * second);
  assert.deepEqual(irq.slice(1), [[false, 100 * second], [true, 150 * second]]);
});

Deno.test("the periodic interrupt keeps 1024 Hz, one line until it is read", () => {
  const { clock, irq, read, write } = clockAt("2024-01-01T00:00:00Z");
  write(0x0b, 0x42);
  let rung = 0;
  for (let i = 0; i < 10_240; i++) {
    assert.ok(clock.skipToNext());
    if ((read(0x0c) & 0x40) !== 0) rung++;
  }
  assert.equal(rung, 10_240);
  assert.equal(clock.now, 10 * second);
  assert.equal(irq.length, 2 * 10_240);
});

Deno.test("update interrupts come every second, and SET ends them", () => {
  const { clock, irq, read, write } = clockAt("2024-01-01T00:00:00Z");
  write(0x0b, 0x12);
  clock.skip(2.5 * second);
  assert.deepEqual(irq, [[true, second]]);
  assert.equal(read(0x0c), 0xd0);
  write(0x0b, 0x92);
  assert.equal(read(0x0b), 0x82);
  assert.equal(clock.next, Infinity);
});

Deno.test("the first update after the divider was held comes half a second later", () => {
  const { clock, read, write } = clockAt("2024-01-01T00:00:00Z");
  write(0x0a, 0x76);
  clock.skip(10 * second);
  assert.equal(read(0), 0);
  write(0x0a, 0x26);
  clock.skip(0.5 * second - 1);
  assert.equal(read(0), 0);
  clock.skip(1);
  assert.equal(read(0), 1);
});

Deno.test("the memory sizes are noted, and their sum is right", () => {
  const { read } = clockAt("2024-01-01T00:00:00Z", 256 << 20);
  const word = (at: number) => read(at) | read(at + 1) << 8;
  assert.deepEqual([word(0x15), word(0x17), word(0x34)], [640, 0xffff, 240 * 16]);
  let sum = 0;
  for (let i = 0x10; i < 0x2e; i++) sum += read(i);
  assert.equal(read(0x2e) << 8 | read(0x2f), sum);
});
