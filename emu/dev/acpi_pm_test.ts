import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { AcpiPm } from "./acpi_pm.ts";

function power() {
  const clock = new Clock();
  const bus = new Bus(clock);
  let [sci, off] = [false, 0];
  const pm = new AcpiPm(bus, clock, { sci: (level) => sci = level, off: () => off++ });
  return { clock, bus, pm, sci: () => sci, off: () => off };
}

Deno.test("the timer runs at 3.579545 MHz in 24 bits", () => {
  const { clock, bus } = power();
  clock.skip(1_000_000_000);
  assert.equal(bus.in(0x608, 4), 3_579_545);
  assert.equal(bus.in(0x609, 1), 3_579_545 >> 8 & 0xff);
  clock.skip(4_000_000_000);
  assert.equal(bus.in(0x608, 4), 5 * 3_579_545 - 2 ** 24);
});

Deno.test("the carry of the timer interrupts when enabled, each half turn", () => {
  const { clock, bus, sci } = power();
  bus.out(0x602, 1, 2);
  const carry = Math.ceil(2 ** 23 * 1_000_000_000 / 3_579_545);
  clock.skip(carry - 1);
  assert.equal(sci(), false);
  clock.skip(1);
  assert.equal(sci(), true);
  bus.out(0x600, 1, 2);
  assert.equal(sci(), false);
  clock.skip(carry);
  assert.equal(sci(), true);
});

Deno.test("the power button is an event, seen by who asked for it", () => {
  const { bus, pm, sci } = power();
  pm.pressPowerButton();
  assert.equal(bus.in(0x600, 2), 0x100);
  assert.equal(sci(), false);
  bus.out(0x603, 0x01, 1);
  assert.equal(sci(), true);
  bus.out(0x601, 0x01, 1);
  assert.equal(sci(), false);
  assert.equal(bus.in(0x602, 2), 0x100);
});

Deno.test("sleep type 0 turns off, others do nothing; SCI stays enabled", () => {
  const { bus, off } = power();
  bus.out(0x604, 0x2000 | 5 << 10, 2);
  assert.equal(off(), 0);
  assert.equal(bus.in(0x604, 2), 0x1401);
  bus.out(0x604, 0x2000, 2);
  assert.equal(off(), 1);
  bus.out(0x605, 0x20, 1);
  assert.equal(off(), 2);
});
