import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { IoApic } from "./ioapic.ts";
import type { ApicMessage } from "./lapic.ts";

function apic() {
  const bus = new Bus(new Clock());
  const sent: ApicMessage[] = [];
  const ioApic = new IoApic(bus, { id: 2, send: (one) => sent.push(one), changed: () => {} });
  const set = (index: number, value: number) => {
    bus.write(0xfec0_0000, index, 4);
    bus.write(0xfec0_0010, value, 4);
  };
  const get = (index: number) => {
    bus.write(0xfec0_0000, index, 4);
    return bus.read(0xfec0_0010, 4);
  };
  return { ioApic, sent, set, get };
}

Deno.test("after power-on every pin is masked", () => {
  const { get } = apic();
  assert.equal(get(0), 0x0200_0000);
  assert.equal(get(1), 0x17_0011);
  for (let pin = 0; pin < 24; pin++) assert.equal(get(0x10 + 2 * pin), 0x1_0000);
});

Deno.test("an edge is sent once, to whom the entry says", () => {
  const { ioApic, sent, set } = apic();
  set(0x10 + 2 * 5 + 1, 0x0300_0000);
  set(0x10 + 2 * 5, 0x955);
  ioApic.pin(5)(true);
  ioApic.pin(5)(true);
  assert.deepEqual(sent, [
    { destination: 3, isLogical: true, mode: 1, vector: 0x55, isLevel: false },
  ]);
});

Deno.test("an edge on a masked pin is lost, a level is not", () => {
  const { ioApic, sent, set } = apic();
  ioApic.pin(5)(true);
  set(0x10 + 2 * 5, 0x55);
  assert.equal(sent.length, 0);
  ioApic.pin(6)(true);
  set(0x10 + 2 * 6, 0x8056);
  assert.deepEqual(sent.map(({ vector, isLevel }) => [vector, isLevel]), [[0x56, true]]);
});

Deno.test("a level is sent once until its end, and again if it is still there", () => {
  const { ioApic, sent, set, get } = apic();
  set(0x10 + 2 * 9, 0x8060);
  ioApic.pin(9)(true);
  assert.equal(get(0x10 + 2 * 9), 0xc060);
  ioApic.pin(9)(false);
  ioApic.pin(9)(true);
  assert.equal(sent.length, 1);
  ioApic.end(0x61);
  assert.equal(sent.length, 1);
  ioApic.end(0x60);
  assert.equal(sent.length, 2);
  ioApic.pin(9)(false);
  ioApic.end(0x60);
  assert.equal(get(0x10 + 2 * 9), 0x8060);
  assert.equal(sent.length, 2);
});

Deno.test("turning a pin to edge and back forgets a level that was never ended", () => {
  const { ioApic, sent, set, get } = apic();
  set(0x10 + 2 * 9, 0x8060);
  ioApic.pin(9)(true);
  // The way kernels end an interrupt where there is no EOI register.
  set(0x10 + 2 * 9, 0x1_0060);
  assert.equal(get(0x10 + 2 * 9), 0x1_0060);
  set(0x10 + 2 * 9, 0x8060);
  assert.equal(sent.length, 2);
});
