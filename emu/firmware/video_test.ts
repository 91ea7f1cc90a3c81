import assert from "node:assert/strict";
import { biosMachine, type Registers } from "../../testdata/bios_machine.ts";
import { glyphs } from "../dev/vga_font.ts";

function screen() {
  const bios = biosMachine();
  const { machine, call } = bios;
  const vga = machine.board.vga;
  assert.ok(vga !== undefined);
  const video = (registers: Registers) => call(0x10, registers).registers;
  const type = (text: string) => {
    for (const letter of text) video({ ax: 0x0e00 | letter.charCodeAt(0), bx: 7 });
  };
  const put = (column: number, row: number) => video({ ax: 0x0200, dx: row << 8 | column });
  return { ...bios, vga, video, type, put };
}

Deno.test("typing moves on, over the end of a line, and scrolls at the foot", () => {
  const { vga, type, put, video, printed } = screen();
  type("one\r\ntwo\b\bX");
  assert.deepEqual(vga.text().slice(0, 2), ["one", "tXo"]);
  put(78, 5);
  type("abc");
  assert.equal(vga.text()[5]?.slice(78), "ab");
  assert.equal(vga.text()[6], "c");
  put(0, 24);
  type("foot\n!\x07");
  assert.deepEqual([vga.text()[0], vga.text()[23], vga.text()[24]], ["tXo", "foot", "    !"]);
  assert.equal(video({ ax: 0x0300 }).dx, 24 << 8 | 5);
  assert.deepEqual([vga.cursor.column, vga.cursor.row], [5, 24]);
  assert.equal(new TextDecoder().decode(Uint8Array.from(printed)), "one\r\ntwo\b\bXabcfoot\n!\x07");
});

Deno.test("a mode clears the screen, unless bit 7 asks it not to", () => {
  const { vga, type, video, word } = screen();
  type("kept");
  video({ ax: 0x0083 });
  assert.equal(vga.text()[0], "kept");
  video({ ax: 0x0003 });
  assert.equal(vga.text()[0], "");
  video({ ax: 0x0001 });
  assert.deepEqual([vga.columns, word(0x44a)], [40, 40]);
  assert.equal(video({ ax: 0x0f00 }).ax, 40 << 8 | 1);
  type("x".repeat(41));
  assert.equal(vga.text()[1], "x");
  // Graphics modes are not there.
  video({ ax: 0x0013 });
  assert.equal(video({ ax: 0x0f00 }).ax, 40 << 8 | 1);
});

Deno.test("characters are written and read with their attributes", () => {
  const { vga, video, put } = screen();
  put(10, 3);
  video({ ax: 0x0900 | 0xdb, bx: 0x1e, cx: 5 });
  assert.deepEqual(vga.cells()[3]?.slice(9, 16).map((cell) => cell.attribute), [
    ...[7, 0x1e, 0x1e, 0x1e, 0x1e, 0x1e, 7],
  ]);
  video({ ax: 0x0a41, bx: 0x70, cx: 1 });
  assert.equal(video({ ax: 0x0800 }).ax, 0x1e41);
  assert.equal(vga.text()[3], " ".repeat(10) + "A████");
});

Deno.test("windows are scrolled up, down, and cleared", () => {
  const { vga, video, put, type } = screen();
  for (let row = 0; row < 6; row++) {
    put(0, row);
    type(`${row}`.repeat(6));
  }
  // Columns 1 to 3, rows 1 to 4.
  const window = { cx: 0x0101, dx: 0x0403, bx: 0x2000 };
  video({ ax: 0x0601, ...window });
  assert.deepEqual(vga.text().slice(0, 6), [
    ...["000000", "122211", "233322", "344433", "4   44", "555555"],
  ]);
  video({ ax: 0x0702, ...window });
  assert.deepEqual(vga.text().slice(0, 6), [
    ...["000000", "1   11", "2   22", "322233", "433344", "555555"],
  ]);
  assert.equal(vga.cells()[2]?.[1]?.attribute, 0x20);
  video({ ax: 0x0600, cx: 0, dx: 0xffff, bx: 0x0700 });
  assert.deepEqual(vga.text(), Array(25).fill(""));
});

Deno.test("a string is typed, with attributes or without", () => {
  const { machine, vga, video } = screen();
  machine.memory.write(0x20000, new TextEncoder().encode("plain"));
  video({ ax: 0x1301, bx: 0x4f, cx: 5, dx: 0x0203, es: 0x2000 });
  assert.equal(vga.text()[2], "   plain");
  assert.equal(vga.cells()[2]?.[3]?.attribute, 0x4f);
  assert.equal(vga.cursor.column, 8);
  machine.memory.write(0x20000, Uint8Array.of(0x41, 0x0c, 0x42, 0x0d));
  video({ ax: 0x1302, cx: 2, dx: 0x0400, es: 0x2000 });
  assert.deepEqual(vga.cells()[4]?.slice(0, 2).map((cell) => cell.attribute), [0x0c, 0x0d]);
  assert.deepEqual([vga.cursor.column, vga.cursor.row], [8, 2]);
});

Deno.test("pages have a screen and a cursor each", () => {
  const { vga, video, type } = screen();
  type("zero");
  video({ ax: 0x0200, bx: 0x0100, dx: 0x0507 });
  video({ ax: 0x0501 });
  type("one");
  assert.equal(vga.text()[5], " ".repeat(7) + "one");
  assert.equal(video({ ax: 0x0f00 }).bx, 0x0100);
  video({ ax: 0x0500 });
  assert.equal(vga.text()[0], "zero");
  assert.deepEqual([vga.cursor.column, vga.cursor.row], [4, 0]);
});

Deno.test("a small font makes fifty lines, and the large one twenty-five again", () => {
  const { vga, video, word, put, type } = screen();
  video({ ax: 0x1112 });
  assert.deepEqual([vga.rows, vga.glyphHeight, word(0x484) & 0xff, word(0x485)], [50, 8, 49, 8]);
  assert.equal(vga.glyphRow(0x41, 2), glyphs(8)[8 * 0x41 + 2]);
  put(0, 49);
  type("last");
  assert.equal(vga.text()[49], "last");
  video({ ax: 0x1111 });
  assert.deepEqual([vga.rows, vga.glyphHeight], [28, 14]);
  video({ ax: 0x1114 });
  assert.deepEqual([vga.rows, vga.glyphHeight], [25, 16]);
  assert.equal(vga.glyphRow(0x41, 2), glyphs(16)[16 * 0x41 + 2]);
});

Deno.test("fonts are where the BIOS says, and a guest's own is loaded", () => {
  const { machine, vga, video, read } = screen();
  const { es, bp, cx, dx } = video({ ax: 0x1130, bx: 0x0600 });
  assert.deepEqual(read(es * 16 + bp, 4096), glyphs(16));
  assert.deepEqual([cx, dx & 0xff], [16, 24]);
  const small = video({ ax: 0x1130, bx: 0x0300 });
  assert.deepEqual(read(small.es * 16 + small.bp, 2048), glyphs(8));
  machine.memory.write(0x20000, new Uint8Array(32).fill(0xa5));
  video({ ax: 0x1100, bx: 0x1000, cx: 2, dx: 0x80, es: 0x2000 });
  assert.deepEqual([vga.glyphRow(0x80, 0), vga.glyphRow(0x81, 15)], [0xa5, 0xa5]);
  assert.equal(vga.glyphRow(0x82, 5), glyphs(16)[16 * 0x82 + 5]);
});

Deno.test("which adapter there is", () => {
  const { video } = screen();
  const { bx } = video({ ax: 0x1200, bx: 0xff10 });
  assert.equal(bx, 0x0003);
  const display = video({ ax: 0x1a00 });
  assert.deepEqual([display.ax & 0xff, display.bx], [0x1a, 0x0008]);
  assert.equal(video({ ax: 0x1202, bx: 0x30 }).ax & 0xff, 0x12);
});

Deno.test("the cursor's shape is fitted to the font, and can be switched off", () => {
  const { vga, video } = screen();
  assert.deepEqual([vga.cursor.first, vga.cursor.last], [13, 14]);
  video({ ax: 0x0100, cx: 0x0007 });
  assert.deepEqual([vga.cursor.first, vga.cursor.last], [0, 15]);
  assert.equal(video({ ax: 0x0300 }).cx, 0x0007);
  video({ ax: 0x0100, cx: 0x2000 });
  assert.equal(vga.cursor.isVisible, false);
});

Deno.test("palette and colours are set and read", () => {
  const { machine, vga, video, read } = screen();
  video({ ax: 0x1000, bx: 0x0407 });
  assert.deepEqual(vga.colour(7), [170, 0, 0]);
  assert.equal(video({ ax: 0x1007, bx: 7 }).bx, 0x0407);
  video({ ax: 0x1010, bx: 4, dx: 0x3f00, cx: 0x1020 });
  const colour = video({ ax: 0x1015, bx: 4 });
  assert.deepEqual([colour.dx >> 8, colour.cx], [0x3f, 0x1020]);
  video({ ax: 0x1003, bx: 0 });
  assert.equal(vga.blinks, false);
  machine.memory.write(0x20000, Uint8Array.from({ length: 17 }, (_, i) => 16 - i));
  video({ ax: 0x1002, dx: 0, es: 0x2000 });
  video({ ax: 0x1009, dx: 0x100, es: 0x2000 });
  assert.deepEqual(read(0x20100, 17), read(0x20000, 17));
  video({ ax: 0x1017, bx: 4, cx: 1, dx: 0x200, es: 0x2000 });
  assert.deepEqual([...read(0x20200, 3)], [0x3f, 0x10, 0x20]);
});

Deno.test("a program that writes to the screen's memory itself is seen on the screen, and reads it", () => {
  const { machine, run, vga } = screen();
  // mov ax, b800h; mov es, ax; mov di, 162; mov ax, 2f41h; mov cx, 3; rep stosw; mov bx, es:[162]
  const stop = run((a) =>
    a.bytes(
      ...[0xb8, 0x00, 0xb8, 0x8e, 0xc0, 0xbf, 0xa2, 0x00, 0xb8, 0x41, 0x2f, 0xb9, 0x03, 0x00],
      ...[0xf3, 0xab, 0x26, 0x8b, 0x1e, 0xa2, 0x00],
    )
  );
  assert.equal(stop.kind, "exit");
  assert.equal(vga.text()[1], " AAA");
  assert.equal(machine.cpu.low(3) & 0xffff, 0x2f41);
});
