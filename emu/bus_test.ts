import assert from "node:assert/strict";
import { Bus, byteRange, type Range, SharedLine, type Width } from "./bus.ts";
import { Clock } from "./time.ts";

/** A range that notes what it was asked, and reads as 0x10, 0x11, ... by byte. */
function recording(first: number, size: number, more: Partial<Range> = {}) {
  const seen: string[] = [];
  const range: Range = {
    first,
    size,
    read: (offset, width) => {
      seen.push(`r${offset}/${width}`);
      const bytes = [0, 1, 2, 3].slice(0, width).map((i) => 0x10 + offset + i);
      return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
    },
    write: (offset, value, width) => void seen.push(`w${offset}/${width}=${value.toString(16)}`),
    ...more,
  };
  return { range, seen };
}

Deno.test("ports nobody has read all ones in every width, and take every write", () => {
  const bus = new Bus(new Clock());
  const widths: readonly Width[] = [1, 2, 4];
  assert.deepEqual(widths.map((width) => bus.in(0xffff, width)), [0xff, 0xffff, 0xffff_ffff]);
  bus.out(0xfffe, 0x1234_5678, 4);
});

Deno.test("wide accesses to narrow devices are split, the lower part first, across devices", () => {
  const bus = new Bus(new Clock());
  const a = recording(0x100, 2);
  const b = recording(0x102, 1);
  bus.addPorts(a.range);
  bus.addPorts(b.range);
  assert.equal(bus.in(0x100, 4), 0xff10_1110);
  bus.out(0x101, 0xaabb, 2);
  assert.deepEqual(a.seen, ["r0/1", "r1/1", "w1/1=bb"]);
  assert.deepEqual(b.seen, ["r0/1", "w0/1=aa"]);
});

Deno.test("a wide device gets wide accesses whole, and what sticks out of it split", () => {
  const bus = new Bus(new Clock());
  const { range, seen } = recording(0x100, 4, { widest: 4 });
  bus.addPorts(range);
  assert.equal(bus.in(0x100, 4), 0x1312_1110);
  assert.equal(bus.in(0x102, 4), 0xffff_1312);
  assert.deepEqual(seen, ["r0/4", "r2/2"]);
});

Deno.test("of overlapping port ranges the later answers, until it is taken away", () => {
  const bus = new Bus(new Clock());
  bus.addPorts(byteRange(0x10, 4, () => 1, () => {}));
  const remove = bus.addPorts(byteRange(0x12, 4, () => 2, () => {}));
  assert.equal(bus.in(0x10, 4), 0x0202_0101);
  remove();
  assert.equal(bus.in(0x10, 4), 0x0101_0101);
  assert.equal(bus.in(0x14, 1), 0xff);
  assert.throws(() => bus.addPorts(byteRange(0xffff, 2, () => 0, () => {})), RangeError);
});

Deno.test("a memory window of 32-bit registers cuts narrow reads out and loses narrow writes", () => {
  const bus = new Bus(new Clock());
  const { range, seen } = recording(0xfee0_0000, 16, { widest: 4, narrowest: 4 });
  assert.ok(bus.addWindow(range));
  assert.equal(bus.read(0xfee0_0005, 1), 0x15);
  assert.equal(bus.read(0xfee0_0006, 4), 0x1918_1716);
  assert.equal(bus.read(0xfee0_000e, 4), 0xffff_1f1e);
  bus.write(0xfee0_0004, 1, 2);
  bus.write(0xfee0_0006, 1, 4);
  bus.write(0xfee0_0008, 0xffff_ffff, 4);
  assert.deepEqual(seen.filter((line) => line.startsWith("w")), ["w8/4=ffffffff"]);
  assert.equal(bus.addWindow({ ...range, first: 0xfee0_000f }), undefined);
});

Deno.test("the log tells every access with its virtual time", () => {
  const clock = new Clock();
  const bus = new Bus(clock);
  const lines: string[] = [];
  bus.log = (kind, at, width, value, time) =>
    lines.push([kind, at.toString(16), width, value.toString(16), time].join(" "));
  clock.skip(7);
  bus.out(0x80, 0x1ff, 1);
  bus.in(0x80, 2);
  bus.read(0xe000_0000, 4);
  bus.write(0xe000_0000, -1, 4);
  assert.deepEqual(lines, [
    "out 80 1 ff 7",
    "in 80 2 ffff 7",
    "read e0000000 4 ffffffff 7",
    "write e0000000 4 ffffffff 7",
  ]);
});

Deno.test("a shared line is high while anybody pulls", () => {
  const levels: boolean[] = [];
  const line = new SharedLine((level) => levels.push(level));
  line.end(0)(true);
  line.end(31)(true);
  line.end(0)(false);
  line.end(31)(false);
  assert.deepEqual(levels, [true, true, true, false]);
});
