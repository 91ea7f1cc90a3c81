import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { copyState, restoreState } from "../state.ts";
import { Clock } from "../time.ts";
import { cp437 } from "./cp437.ts";
import { Vga } from "./vga_text.ts";

function adapter() {
  const clock = new Clock();
  const bus = new Bus(clock);
  const vga = new Vga(bus, clock);
  const set = (port: number, index: number, value: number) => bus.out(port, value << 8 | index, 2);
  const get = (port: number, index: number) => {
    bus.out(port, index, 1);
    return bus.in(port + 1, 1);
  };
  /** Writes text as a kernel does: characters and attributes in one word. */
  const print = (row: number, column: number, text: string, attribute = 7) =>
    [...text].forEach((character, i) =>
      bus.write(
        0xb8000 + 2 * (80 * row + column + i),
        cp437.indexOf(character) | attribute << 8,
        2,
      )
    );
  return { clock, bus, vga, set, get, print };
}

Deno.test("after power-on the screen is blank, 80 by 25, grey on black", () => {
  const { vga, bus } = adapter();
  assert.deepEqual([vga.columns, vga.rows, vga.glyphWidth, vga.glyphHeight], [80, 25, 9, 16]);
  assert.deepEqual(vga.text(), Array(25).fill(""));
  assert.equal(bus.read(0xb8000, 4), 0x0720_0720);
  assert.deepEqual(vga.colour(7), [170, 170, 170]);
  assert.deepEqual(vga.colour(6), [170, 85, 0]);
  assert.deepEqual(vga.colour(15), [255, 255, 255]);
});

Deno.test("what is written to 0xb8000 is on the screen, in code page 437", () => {
  const { vga, print } = adapter();
  print(0, 0, "Memtest86+");
  print(24, 70, "╔═╗ é █ 100", 0x1f);
  const text = vga.text();
  assert.equal(text[0], "Memtest86+");
  assert.equal(text[24], " ".repeat(70) + "╔═╗ é █ 10");
  assert.deepEqual(vga.cells()[24]?.[70], { code: 0xc9, character: "╔", attribute: 0x1f });
});

Deno.test("start address, fifty lines and cursor follow the CRT controller", () => {
  const { vga, set, get, print } = adapter();
  print(30, 5, "below");
  set(0x3d4, 0x0c, 80 * 10 >> 8);
  set(0x3d4, 0x0d, 80 * 10 & 0xff);
  set(0x3d4, 0x0e, 80 * 30 + 10 >> 8);
  set(0x3d4, 0x0f, 80 * 30 + 10 & 0xff);
  assert.equal(vga.text()[20], "     below");
  assert.deepEqual(vga.cursor, { column: 10, row: 20, isVisible: true, first: 13, last: 14 });
  set(0x3d4, 0x0a, 0x20);
  assert.equal(vga.cursor.isVisible, false);
  set(0x3d4, 0x09, 0x47);
  assert.equal(get(0x3d4, 0x09), 0x47);
  assert.equal(vga.rows, 50);
  assert.equal(vga.text().length, 50);
});

Deno.test("CRT registers 0 to 7 are protected, but for bit 4 of the last", () => {
  const { set, get } = adapter();
  set(0x3d4, 0x01, 0x27);
  assert.equal(get(0x3d4, 0x01), 0x4f);
  set(0x3d4, 0x07, 0x00);
  assert.equal(get(0x3d4, 0x07), 0x0f);
  set(0x3d4, 0x11, 0x0e);
  set(0x3d4, 0x01, 0x27);
  assert.equal(get(0x3d4, 0x01), 0x27);
});

Deno.test("the CRT controller is at one of two places, as the miscellaneous output says", () => {
  const { bus, get } = adapter();
  assert.equal(bus.in(0x3b5, 1), 0xff);
  assert.equal(bus.in(0x3cc, 1), 0x67);
  bus.out(0x3c2, 0x66, 1);
  assert.equal(get(0x3b4, 0x01), 0x4f);
  assert.equal(bus.in(0x3d5, 1), 0xff);
});

Deno.test("reading the status makes the next write to 3c0 an index", () => {
  const { bus, vga } = adapter();
  bus.out(0x3c0, 0x01, 1);
  bus.in(0x3da, 1);
  bus.out(0x3c0, 0x07, 1);
  bus.out(0x3c0, 0x04, 1);
  bus.out(0x3c0, 0x20, 1);
  assert.equal(bus.in(0x3c0, 1), 0x20);
  assert.deepEqual(vga.colour(7), [170, 0, 0]);
});

Deno.test("palette colours are written and read in threes", () => {
  const { bus, vga } = adapter();
  bus.out(0x3c8, 0x3f, 1);
  for (const part of [1, 2, 63, 4, 5, 6, 7]) bus.out(0x3c9, part, 1);
  assert.equal(bus.in(0x3c7, 1), 0);
  bus.out(0x3c7, 0x3f, 1);
  assert.equal(bus.in(0x3c7, 1), 3);
  const read = Array.from({ length: 7 }, () => bus.in(0x3c9, 1));
  assert.deepEqual(read, [1, 2, 63, 4, 5, 6, 0]);
  assert.deepEqual(vga.colour(15), [4, 8, 255]);
});

Deno.test("the retrace comes seventy times a second", () => {
  const { bus, clock } = adapter();
  let [frames, before, dark] = [0, 0, 0];
  for (let i = 0; i < 100_000; i++) {
    clock.skip(10_000);
    const status = bus.in(0x3da, 1);
    if ((status & 8) !== 0 && before === 0) frames++;
    before = status & 8;
    dark += status & 1;
  }
  assert.equal(frames, 70);
  // Shown are four fifths of 400 lines in 449.
  assert.ok(Math.abs(dark / 100_000 - (1 - 0.8 * 400 / 449)) < 0.01);
});

Deno.test("a font is loaded into plane 2 as kernels do", () => {
  const { bus, vga, set } = adapter();
  const before = vga.glyphRow(0x41, 3);
  for (const [index, value] of [[2, 4], [4, 7]] as const) set(0x3c4, index, value);
  for (const [index, value] of [[4, 2], [5, 0], [6, 0]] as const) set(0x3ce, index, value);
  assert.equal(bus.read(0xa0000 + 32 * 0x41 + 3, 1), before);
  bus.write(0xa0000 + 32 * 0x41 + 3, 0x5a, 1);
  for (const [index, value] of [[2, 3], [4, 3]] as const) set(0x3c4, index, value);
  for (const [index, value] of [[4, 0], [5, 0x10], [6, 0x0e]] as const) set(0x3ce, index, value);
  assert.equal(vga.glyphRow(0x41, 3), 0x5a);
  assert.deepEqual(vga.text(), Array(25).fill(""));
});

Deno.test("only the mapped part of the window answers", () => {
  const { bus, set } = adapter();
  assert.equal(bus.read(0xa0000, 4), 0xffff_ffff);
  assert.equal(bus.read(0xb0000, 4), 0xffff_ffff);
  set(0x3ce, 6, 0x0a);
  assert.equal(bus.read(0xb0000, 4), 0x0720_0720);
  assert.equal(bus.read(0xb8000, 4), 0xffff_ffff);
  bus.out(0x3c2, 0x65, 1);
  assert.equal(bus.read(0xb0000, 4), 0xffff_ffff);
});

Deno.test("a snapshot keeps screen, palette and half-finished sequences", () => {
  const a = adapter();
  a.print(3, 3, "kept");
  a.bus.out(0x3c0, 0x05, 1);
  a.bus.out(0x3c9, 0x11, 1);
  const b = adapter();
  restoreState(b.vga.registers, copyState(a.vga.registers), "vga");
  assert.deepEqual(b.vga.text(), a.vga.text());
  for (const { bus } of [a, b]) bus.out(0x3c0, 0x3f, 1);
  assert.deepEqual(b.vga.registers, a.vga.registers);
  a.vga.reset();
  assert.deepEqual(a.vga.registers, adapter().vga.registers);
});
