import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { type ApicMessage, LocalApic } from "./lapic.ts";

function apic({ enabled = true } = {}) {
  const clock = new Clock();
  const bus = new Bus(clock);
  const signals: string[] = [];
  const sent: [ApicMessage, string][] = [];
  const ended: number[] = [];
  const lapic = new LocalApic(bus, clock, {
    id: 0,
    tscHz: 2_000_000_000,
    send: (message, shorthand) => sent.push([message, shorthand]),
    ended: (vector) => ended.push(vector),
    signal: (what, page) => {
      if (what !== "interrupt") signals.push(what === "startup" ? `startup ${page}` : what);
    },
  });
  const write = (offset: number, value: number) => bus.write(0xfee0_0000 + offset, value, 4);
  const read = (offset: number) => bus.read(0xfee0_0000 + offset, 4);
  if (enabled) write(0xf0, 0x1ff);
  return { clock, bus, lapic, signals, sent, ended, write, read };
}

Deno.test("the highest vector comes first, and only above what is served and the task's priority", () => {
  const { lapic, write, read } = apic();
  for (const vector of [0x31, 0x45, 0x42]) lapic.receive(0, vector, false);
  assert.equal(lapic.acknowledge(), 0x45);
  // Same class: waits.
  assert.equal(lapic.pending, undefined);
  assert.equal(read(0xa0), 0x40);
  lapic.receive(0, 0x50, false);
  assert.equal(lapic.acknowledge(), 0x50);
  write(0xb0, 0);
  write(0xb0, 0);
  assert.equal(lapic.pending, 0x42);
  write(0x80, 0x40);
  assert.equal(lapic.pending, undefined);
  assert.equal(lapic.acknowledge(), 0xff);
  lapic.setCr8(3);
  assert.equal(read(0x80), 0x30);
  assert.equal(lapic.acknowledge(), 0x42);
});

Deno.test("only level-triggered interrupts announce their end", () => {
  const { lapic, write, ended } = apic();
  lapic.receive(0, 0x60, true);
  lapic.receive(0, 0x61, false);
  lapic.acknowledge();
  write(0xb0, 0);
  lapic.acknowledge();
  write(0xb0, 0);
  write(0xb0, 0);
  assert.deepEqual(ended, [0x60]);
});

Deno.test("the timer counts down once, or again and again, divided", () => {
  const { clock, lapic, write, read } = apic();
  write(0x3e0, 0x03); // by 16
  write(0x320, 0x41);
  write(0x380, 1000);
  clock.skip(8000);
  assert.equal(read(0x390), 500);
  clock.skip(7999);
  assert.equal(lapic.pending, undefined);
  clock.skip(1);
  assert.equal(lapic.acknowledge(), 0x41);
  assert.equal(read(0x390), 0);
  write(0xb0, 0);
  clock.skip(1_000_000);
  assert.equal(lapic.pending, undefined);
  write(0x320, 0x2_0041);
  write(0x380, 1000);
  for (let i = 1; i <= 5; i++) {
    const start = clock.now;
    assert.ok(clock.skipToNext());
    assert.equal(clock.now - start, 16_000);
    assert.equal(lapic.acknowledge(), 0x41);
    write(0xb0, 0);
  }
});

Deno.test("a period of a nanosecond does not stop the world", () => {
  const { clock, write, read } = apic();
  write(0x3e0, 0x0b);
  write(0x320, 0x2_0041);
  write(0x380, 1);
  clock.skip(1_000_000);
  assert.equal(read(0x390), 1);
  assert.equal(clock.next, 1_001_000);
});

Deno.test("the deadline is in time-stamp ticks, fires once and reads 0 after", () => {
  const { clock, lapic, write } = apic();
  lapic.setDeadline(500);
  assert.equal(lapic.deadline, 0);
  write(0x320, 0x4_0042);
  lapic.setDeadline(20_001);
  clock.skip(10_000);
  assert.equal(lapic.pending, undefined);
  assert.equal(lapic.deadline, 20_001);
  clock.skip(1);
  assert.equal(lapic.acknowledge(), 0x42);
  assert.equal(lapic.deadline, 0);
  lapic.setDeadline(1);
  assert.equal(clock.next, 1);
  clock.runDue();
  write(0xb0, 0);
  assert.equal(lapic.pending, 0x42);
});

Deno.test("ICR sends to itself, to others, INIT and start-up", () => {
  const { lapic, sent, signals, write } = apic();
  write(0x300, 0x4_0055);
  assert.equal(lapic.pending, 0x55);
  write(0x310, 0x0100_0000);
  write(0x300, 0x4500); // INIT, assert
  write(0x300, 0x8500); // INIT, de-assert: nothing
  write(0x300, 0x4699); // start-up at 0x99000
  write(0x300, 0xc_0056); // all but itself
  assert.deepEqual(
    sent.map(([{ destination, mode, vector }, to]) => [destination, mode, vector, to]),
    [
      [1, 5, 0x00, "none"],
      [1, 6, 0x99, "none"],
      [1, 0, 0x56, "others"],
    ],
  );
  lapic.receive(6, 0x99, false);
  lapic.receive(4, 0, false);
  lapic.receive(5, 0, false);
  assert.deepEqual(signals, ["startup 153", "nmi", "init"]);
  assert.equal(lapic.pending, undefined);
});

Deno.test("errors are seen after ESR was written, and interrupt by their own vector", () => {
  const { lapic, write, read } = apic();
  write(0x370, 0x70);
  write(0x300, 0x4_0005); // vector too low
  lapic.receive(0, 0x0f, false);
  read(0x400); // no such register
  assert.equal(read(0x280), 0);
  write(0x280, 0);
  assert.equal(read(0x280), 0xe0);
  assert.equal(lapic.acknowledge(), 0x70);
  write(0x280, 0);
  assert.equal(read(0x280), 0);
});

Deno.test("destinations: physical, broadcast, flat and cluster sets", () => {
  const { lapic, write } = apic();
  write(0xd0, 0x0400_0000);
  const meant = (destination: number, isLogical: boolean) => lapic.matches(destination, isLogical);
  assert.deepEqual([meant(0, false), meant(1, false), meant(0xff, false)], [true, false, true]);
  assert.deepEqual([meant(0x06, true), meant(0x0b, true)], [true, false]);
  write(0xe0, 0x0fff_ffff);
  write(0xd0, 0x2400_0000);
  const cluster = [meant(0x24, true), meant(0x14, true), meant(0xf4, true), meant(0x23, true)];
  assert.deepEqual(cluster, [true, false, true, false]);
});

Deno.test("disabled by software it takes no interrupt and masks its vectors", () => {
  const { lapic, write, read } = apic();
  write(0x320, 0x41);
  write(0xf0, 0xff);
  lapic.receive(0, 0x50, false);
  assert.equal(lapic.pending, undefined);
  assert.equal(read(0x320), 0x1_0041);
  write(0x320, 0x41);
  assert.equal(read(0x320), 0x1_0041);
});

Deno.test("IA32_APIC_BASE moves the page, hides it, and refuses x2APIC", () => {
  const { lapic, bus } = apic();
  assert.equal(lapic.base, 0xfee0_0900);
  assert.equal(lapic.setBase(0xfee0_0d00, 0), false);
  assert.equal(lapic.setBase(0xfed8_0900, 0), true);
  assert.equal(bus.read(0xfed8_0030, 4), 0x5_0014);
  assert.equal(bus.read(0xfee0_0030, 4), 0xffff_ffff);
  lapic.setBase(0xfed8_0100, 0);
  assert.equal(bus.read(0xfed8_0030, 4), 0xffff_ffff);
  assert.equal(lapic.isEnabled, false);
  assert.equal(lapic.passesExternal, true);
});

Deno.test("LINT1 is NMI where its vector says so, or the APIC is off", () => {
  const { lapic, signals, write } = apic();
  lapic.lint(1, true);
  lapic.lint(1, false);
  assert.deepEqual(signals, []);
  write(0x360, 0x400);
  lapic.lint(1, true);
  lapic.lint(1, true);
  assert.deepEqual(signals, ["nmi"]);
});
