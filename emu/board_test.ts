import assert from "node:assert/strict";
import fc from "fast-check";
import { Board, type ProfileName, profiles, type Signal } from "./board.ts";
import type { Width } from "./bus.ts";
import { StateError } from "./state.ts";

const names = Object.keys(profiles) as ProfileName[];
const windows = [0xb8000, 0xfec0_0000, 0xfed0_0000, 0xfee0_0000];
/** No guest makes the state grow beyond the VGA's memory and a little. */
const largest = (4 << 16) + (1 << 16);

/** One access, or time that passes, or somebody typing. */
type Act =
  | { readonly do: "in" | "out" | "read" | "write"; at: number; width: Width; value: number }
  | { readonly do: "skip" | "type"; value: number };

/** Addresses that mean something come up often, all others too. */
function acts(): fc.Arbitrary<Act> {
  const known = [
    ...[0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92],
    ...[0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x4d0, 0x4d1, 0x600, 0x602, 0x604, 0x608],
    ...[0xcf8, 0xcf9, 0xcfc, 0xe9, 0x402, 0x3c0, 0x3c2, 0x3c4, 0x3c5, 0x3c9, 0x3ce, 0x3cf, 0x3d4],
    ...[0x3d5, 0x3da],
  ];
  const port = fc.oneof(fc.constantFrom(...known), fc.nat(0xffff));
  const cell = fc.tuple(
    fc.constantFrom(...windows),
    fc.oneof(fc.nat(0x3ff).map((n) => n & ~3), fc.nat(0xfff)),
  );
  const width = fc.constantFrom<Width>(1, 2, 4);
  const value = fc.oneof(fc.nat(0xff), fc.nat(0xffff_ffff), fc.constant(0xffff_ffff));
  return fc.oneof(
    fc.record({ do: fc.constantFrom("in", "out"), at: port, width, value }),
    fc.record({
      do: fc.constantFrom("read", "write"),
      at: cell.map(([base, offset]) => base + offset),
      width,
      value,
    }),
    fc.record({ do: fc.constant("skip"), value: fc.nat(3_000_000) }),
    fc.record({ do: fc.constant("type"), value: fc.nat(0xff) }),
  ) as fc.Arbitrary<Act>;
}

/** Does it, and gives what was read. */
function act(board: Board, { bus } = board, one: Act): number {
  switch (one.do) {
    case "in":
      return bus.in(one.at, one.width);
    case "out":
      bus.out(one.at, one.value, one.width);
      return 0;
    case "read":
      return bus.read(one.at, one.width);
    case "write":
      bus.write(one.at, one.value, one.width);
      return 0;
    case "skip":
      board.clock.skip(one.value);
      return board.hasInterrupt ? board.takeInterrupt() : -1;
    case "type":
      board.uart.receive(Uint8Array.of(one.value));
      return board.keyboard?.type(Uint8Array.of(one.value)) ?? 0;
  }
}

Deno.test("whatever a guest does to ports and windows, the board answers in range and goes on", () => {
  for (const profile of names) {
    fc.assert(
      fc.property(fc.array(acts(), { minLength: 400, maxLength: 400 }), (all) => {
        const board = new Board({ profile, memory: 64 << 20 });
        for (const one of all) {
          const value = act(board, board, one);
          if (one.do === "in" || one.do === "read") {
            assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * one.width));
          }
        }
        assert.ok(board.saveBytes().length < largest);
        board.reset();
        board.flush();
      }),
      { seed: 3, numRuns: 40 },
    );
  }
});

Deno.test("every port and register takes every width and a few hard values", () => {
  const board = new Board();
  for (const width of [1, 2, 4] as const) {
    for (const value of [0, 0x55, 0xffff_ffff]) {
      for (let port = 0; port < 0x1_0000; port++) {
        board.bus.out(port, value, width);
        board.bus.in(port, width);
      }
      for (const base of windows) {
        for (let offset = 0; offset < 0x1000; offset++) {
          board.bus.write(base + offset, value, width);
          board.bus.read(base + offset, width);
        }
      }
      board.clock.skip(1_000_000);
    }
  }
  assert.ok(board.saveBytes().length < largest);
});

Deno.test("the same accesses give the same bytes, and a snapshot the same future", () => {
  fc.assert(
    fc.property(
      fc.array(acts(), { minLength: 150, maxLength: 150 }),
      fc.array(acts(), { minLength: 150, maxLength: 150 }),
      (before, after) => {
        const [a, b] = [new Board(), new Board()];
        const run = (board: Board, all: readonly Act[]) => all.map((one) => act(board, board, one));
        assert.deepEqual(run(a, before), run(b, before));
        assert.deepEqual(a.saveBytes(), b.saveBytes());
        const resumed = new Board();
        resumed.restore(a.save());
        assert.deepEqual(resumed.saveBytes(), a.saveBytes());
        assert.deepEqual(run(resumed, after), run(a, after));
        assert.deepEqual(resumed.saveBytes(), a.saveBytes());
      },
    ),
    { seed: 5, numRuns: 60 },
  );
});

Deno.test("a snapshot of another profile is refused", () => {
  const snapshot = new Board({ profile: "micro" }).save();
  assert.throws(() => new Board().restore(snapshot), StateError);
});

Deno.test("a bare board is silent but for its serial and debug ports", () => {
  const { bus } = new Board({ profile: "bare" });
  for (const port of [0x20, 0x40, 0x61, 0x64, 0x71, 0x92, 0x600, 0xcf8]) {
    assert.equal(bus.in(port, 1), 0xff, port.toString(16));
  }
  assert.equal(bus.in(0x3fd, 1), 0x60);
  assert.equal(bus.in(0xe9, 1), 0xe9);
  assert.equal(bus.read(0xfee0_0030, 4), 0xffff_ffff);
});

Deno.test("serial and debug output come in pieces, in order", () => {
  const pieces: string[] = [];
  const note = (kind: string) => (bytes: Uint8Array) =>
    pieces.push(kind + new TextDecoder().decode(bytes));
  const board = new Board({ serial: note("s:"), debug: note("d:") });
  for (const letter of "early\nlate") board.bus.out(0x402, letter.charCodeAt(0), 1);
  board.bus.out(0x3fb, 3, 1);
  for (const letter of "hello\n") board.bus.out(0x3f8, letter.charCodeAt(0), 1);
  board.flush();
  board.flush();
  assert.deepEqual(pieces, ["d:early\n", "s:hello\n", "d:late"]);
});

Deno.test("each way out is one signal", () => {
  const board = new Board();
  const signals: Signal[] = [];
  board.onSignal = (signal) => {
    if (signal.kind !== "interrupt") signals.push(signal);
  };
  board.bus.out(0x604, 0x2000, 2);
  board.bus.out(0xcf9, 0x02, 1);
  board.bus.out(0xcf9, 0x06, 1);
  board.bus.out(0x64, 0xfe, 1);
  board.bus.out(0x92, 0x03, 1);
  board.bus.out(0x92, 0x00, 1);
  board.bus.out(0xf4, 0x10, 1);
  board.bus.out(0x501, 0, 1);
  assert.deepEqual(signals, [
    { kind: "off" },
    { kind: "reset" },
    { kind: "reset" },
    { kind: "reset" },
    { kind: "a20" },
    { kind: "exit", code: 33 },
    { kind: "exit", code: 1 },
  ]);
  assert.equal(board.a20, false);
});

Deno.test("the timer's interrupt comes through the PIC, or the I/O APIC, as routed", () => {
  const board = new Board();
  const out = (port: number, ...values: number[]) =>
    values.forEach((value) => board.bus.out(port, value, 1));
  out(0x20, 0x11);
  out(0x21, 0x30, 0x04, 0x01, 0xfe);
  out(0x43, 0x34);
  out(0x40, 0x00, 0x10);
  // LINT0 is open for external interrupts, as firmware leaves it.
  board.clock.skip(10_000_000);
  assert.equal(board.hasInterrupt, true);
  board.bus.write(0xfee0_00f0, 0x1ff, 4);
  board.bus.write(0xfee0_0350, 0x1_0700, 4);
  assert.equal(board.hasInterrupt, false);
  board.bus.write(0xfee0_0350, 0x700, 4);
  assert.equal(board.takeInterrupt(), 0x30);
  out(0x20, 0x20);
  board.clock.skip(10_000_000);
  assert.equal(board.takeInterrupt(), 0x30);
  // Linux's way: PIC masked, input 2 to vector 0x31.
  out(0x21, 0xff);
  board.bus.write(0xfee0_0350, 0x1_0700, 4);
  board.bus.write(0xfec0_0000, 0x14, 4);
  board.bus.write(0xfec0_0010, 0x31, 4);
  board.clock.skip(10_000_000);
  assert.equal(board.takeInterrupt(), 0x31);
  assert.equal(board.hasInterrupt, false);
});

Deno.test("a PCI function's level-triggered interrupt asks until it is quiet", () => {
  const board = new Board();
  board.bus.write(0xfee0_00f0, 0x1ff, 4);
  board.bus.write(0xfec0_0000, 0x10 + 2 * 11, 4);
  board.bus.write(0xfec0_0010, 0x8040, 4);
  // Device 3, INTA#: the fourth line, interrupt 11.
  const line = board.pciInterrupt(3, 1);
  line(true);
  assert.equal(board.takeInterrupt(), 0x40);
  assert.equal(board.hasInterrupt, false);
  board.bus.write(0xfee0_00b0, 0, 4);
  assert.equal(board.takeInterrupt(), 0x40);
  line(false);
  board.bus.write(0xfee0_00b0, 0, 4);
  assert.equal(board.hasInterrupt, false);
});

Deno.test("PCI functions placed over each other answer alike before and after a snapshot", () => {
  const range = (value: number) => ({ read: () => value, write: () => {} });
  const functions = [3, 4].map((device) => ({
    device,
    vendorId: 0x1af4,
    deviceId: 0x1000 + device,
    classCode: 0xff_0000,
    bars: [{ kind: "ports", size: 16, range: range(device) }, {
      kind: "memory",
      size: 4096,
      range: range(device),
    }],
  } as const));
  const board = new Board({ pci: functions });
  for (const device of [4, 3]) {
    for (const [register, value] of [[0x10, 0xc000], [0x14, 0xe000_0000], [0x04, 3]] as const) {
      board.bus.out(0xcf8, 0x8000_0000 | device << 11 | register, 4);
      board.bus.out(0xcfc, value, 4);
    }
  }
  const answers = ({ bus }: Board) => [bus.in(0xc000, 1), bus.read(0xe000_0000, 1)];
  const resumed = new Board({ pci: functions });
  resumed.restore(board.save());
  assert.deepEqual(answers(board), [4, 3]);
  assert.deepEqual(answers(resumed), [4, 3]);
});
