import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { Pic } from "./pic.ts";

/** A pair set up as Linux does, vectors 0x30 and 0x38, nothing masked. */
function pair({ icw4 = 0x01 } = {}) {
  const bus = new Bus(new Clock());
  const levels: boolean[] = [];
  const pic = new Pic(bus, { output: (level) => levels.push(level) });
  const out = (port: number, ...values: number[]) =>
    values.forEach((value) => bus.out(port, value, 1));
  out(0x20, 0x11);
  out(0x21, 0x30, 0x04, icw4, 0x00);
  out(0xa0, 0x11);
  out(0xa1, 0x38, 0x02, icw4, 0x00);
  const isr = (port: number) => {
    out(port, 0x0b);
    return bus.in(port, 1);
  };
  const irr = (port: number) => {
    out(port, 0x0a);
    return bus.in(port, 1);
  };
  return { bus, pic, out, isr, irr, levels };
}

Deno.test("a request of the second chip is served by both, and needs both ends", () => {
  const { pic, out, isr } = pair();
  pic.line(12)(true);
  assert.equal(pic.acknowledge(), 0x3c);
  assert.deepEqual([isr(0x20), isr(0xa0)], [0x04, 0x10]);
  pic.line(14)(true);
  assert.equal(pic.intr, false);
  out(0x20, 0x20);
  assert.equal(pic.intr, false);
  out(0xa0, 0x20);
  assert.equal(pic.acknowledge(), 0x3e);
});

Deno.test("a line that falls before it is taken gives the spurious interrupt, and serves nothing", () => {
  const { pic, isr } = pair();
  pic.line(3)(true);
  pic.line(3)(false);
  assert.equal(pic.intr, false);
  assert.equal(pic.acknowledge(), 0x37);
  assert.equal(isr(0x20), 0);
});

Deno.test("an edge counts once; a level asks again after its end", () => {
  const { pic, out, bus } = pair();
  pic.line(5)(true);
  assert.equal(pic.acknowledge(), 0x35);
  out(0x20, 0x20);
  assert.equal(pic.intr, false);
  bus.out(0x4d0, 0x20, 1);
  assert.equal(pic.acknowledge(), 0x35);
  assert.equal(pic.intr, false);
  out(0x20, 0x20);
  assert.equal(pic.intr, true);
  pic.line(5)(false);
  assert.equal(pic.intr, false);
});

Deno.test("lower lines wait for the end of higher ones, higher ones do not wait", () => {
  const { pic, out } = pair();
  pic.line(4)(true);
  assert.equal(pic.acknowledge(), 0x34);
  pic.line(6)(true);
  assert.equal(pic.intr, false);
  pic.line(1)(true);
  assert.equal(pic.acknowledge(), 0x31);
  out(0x20, 0x20, 0x20);
  assert.equal(pic.acknowledge(), 0x36);
});

Deno.test("with automatic EOI nothing stays in service, and rotation puts the served one last", () => {
  const { pic, out, isr } = pair({ icw4: 0x03 });
  out(0x20, 0x80);
  pic.line(0)(true);
  pic.line(1)(true);
  assert.equal(pic.acknowledge(), 0x30);
  assert.equal(isr(0x20), 0);
  pic.line(0)(false);
  pic.line(0)(true);
  assert.equal(pic.acknowledge(), 0x31);
  assert.equal(pic.acknowledge(), 0x30);
});

Deno.test("in special fully nested mode the second chip interrupts itself", () => {
  for (const [icw4, interrupts] of [[0x01, false], [0x11, true]] as const) {
    const { pic } = pair({ icw4 });
    pic.line(12)(true);
    assert.equal(pic.acknowledge(), 0x3c);
    pic.line(8)(true);
    assert.equal(pic.intr, interrupts);
  }
});

Deno.test("ICW1 forgets requests, masks and ends, and wants a new edge", () => {
  const { pic, out, irr, isr, bus } = pair();
  pic.line(3)(true);
  pic.acknowledge();
  pic.line(4)(true);
  out(0x21, 0xaa);
  out(0x20, 0x11);
  out(0x21, 0x40, 0x04, 0x01);
  assert.deepEqual([irr(0x20), isr(0x20), bus.in(0x21, 1)], [0, 0, 0]);
  pic.line(4)(false);
  pic.line(4)(true);
  assert.equal(pic.acknowledge(), 0x44);
});

Deno.test("ELCR takes only the lines that may be level-triggered", () => {
  const { bus } = pair();
  bus.out(0x4d0, 0xffff, 2);
  assert.equal(bus.in(0x4d0, 2), 0xdef8);
});
