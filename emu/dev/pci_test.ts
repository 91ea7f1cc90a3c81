import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { intxLine, PciFunction, PciHost } from "./pci.ts";

function host() {
  const bus = new Bus(new Clock());
  let resets = 0;
  const pci = new PciHost(bus, { reset: () => resets++ });
  const range = (value: number) => ({ widest: 4, read: () => value, write: () => {} }) as const;
  pci.plug(
    new PciFunction(bus, {
      device: 4,
      vendorId: 0x1af4,
      deviceId: 0x1001,
      classCode: 0x01_0000,
      subsystem: [0x1af4, 2],
      pin: 1,
      bars: [{ kind: "ports", size: 64, range: range(0x55) }, {
        kind: "memory",
        size: 4096,
        range: range(0x1234_5678),
      }],
      config: [{ at: 0x34, bytes: [0x40] }, { at: 0x40, bytes: [9, 0], writable: [0, 0xff] }],
    }),
  );
  const at = (register: number) => bus.out(0xcf8, 0x8000_2000 | register, 4);
  const read = (register: number) => (at(register & 0xfc), bus.in(0xcfc, 4));
  const write = (register: number, value: number) => (at(register), bus.out(0xcfc, value, 4));
  return { bus, at, read, write, resets: () => resets };
}

Deno.test("a function tells what it is, in every width", () => {
  const { bus, at, read } = host();
  assert.equal(read(0), 0x1001_1af4);
  assert.equal(read(8), 0x0100_0000);
  assert.equal(read(0x2c), 0x0002_1af4);
  assert.equal(read(0x3c), 0x0000_0100);
  assert.equal(read(0x34), 0x40);
  at(0);
  assert.deepEqual([bus.in(0xcfe, 2), bus.in(0xcfd, 1)], [0x1001, 0x1a]);
  assert.equal(bus.in(0xcf8, 4), 0x8000_2000);
});

Deno.test("base addresses are sized and placed as a guest does", () => {
  const { bus, read, write } = host();
  write(0x10, 0xffff_ffff);
  write(0x14, 0xffff_ffff);
  write(0x18, 0xffff_ffff);
  assert.deepEqual([read(0x10), read(0x14), read(0x18)], [0xffff_ffc1, 0xffff_f000, 0]);
  write(0x10, 0xc001);
  write(0x14, 0xe000_0000);
  assert.equal(bus.in(0xc000, 1), 0xff);
  write(0x04, 0x3);
  assert.equal(bus.in(0xc03f, 1), 0x55);
  assert.equal(bus.in(0xc040, 1), 0xff);
  assert.equal(bus.read(0xe000_0ffc, 4), 0x1234_5678);
  write(0x10, 0xd001);
  assert.deepEqual([bus.in(0xc000, 1), bus.in(0xd000, 1)], [0xff, 0x55]);
  write(0x04, 0);
  assert.deepEqual([bus.in(0xd000, 1), bus.read(0xe000_0000, 4)], [0xff, 0xffff_ffff]);
});

Deno.test("ports of the board and low memory cannot be covered", () => {
  const { bus, write } = host();
  write(0x10, 0x0cc1);
  write(0x14, 0x0000_0000);
  write(0x04, 3);
  assert.equal(bus.in(0xcf8, 4), 0x8000_2004);
  assert.equal(bus.read(0, 4), 0xffff_ffff);
});

Deno.test("only the bits that may be written change", () => {
  const { read, write } = host();
  write(0x00, 0);
  write(0x40, 0xffff_ffff);
  write(0x04, 0xffff_ffff);
  assert.deepEqual([read(0), read(0x40), read(4)], [0x1001_1af4, 0xff09, 0x0407]);
});

Deno.test("nobody answers on other buses, devices, functions, or while disabled", () => {
  const { bus } = host();
  for (const address of [0x8001_2000, 0x8000_2800, 0x8000_2100, 0x0000_2000]) {
    bus.out(0xcf8, address, 4);
    assert.equal(bus.in(0xcfc, 4), 0xffff_ffff, address.toString(16));
    bus.out(0xcfc, 0, 4);
  }
});

Deno.test("the reset register resets when bit 2 goes up", () => {
  const { bus, resets } = host();
  bus.out(0xcf9, 2, 1);
  assert.equal(resets(), 0);
  bus.out(0xcf9, 6, 1);
  bus.out(0xcf9, 6, 1);
  assert.equal(resets(), 1);
  assert.equal(bus.in(0xcf9, 1), 6);
});

Deno.test("pins rotate with the device", () => {
  assert.deepEqual([1, 2, 3, 4].map((device) => intxLine(device, 1)), [1, 2, 3, 0]);
});
