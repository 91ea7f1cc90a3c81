import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { crc32, inflateSync } from "node:zlib";
import fc from "fast-check";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { encodePng } from "./png.ts";
import { glyphs } from "./vga_font.ts";
import { vgaPicture, vgaPng } from "./vga_picture.ts";
import { Vga } from "./vga_text.ts";

/** A PNG read by node's zlib and sums. */
function decodePng(file: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset);
  assert.equal(view.getBigUint64(0), 0x8950_4e47_0d0a_1a0an);
  const chunks: { name: string; content: Uint8Array }[] = [];
  for (let at = 8; at < file.length;) {
    const size = view.getUint32(at);
    const body = file.subarray(at + 4, at + 8 + size);
    assert.equal(view.getUint32(at + 8 + size), crc32(body));
    chunks.push({ name: new TextDecoder().decode(body.subarray(0, 4)), content: body.subarray(4) });
    at += 12 + size;
  }
  assert.deepEqual(chunks.map((chunk) => chunk.name), ["IHDR", "PLTE", "IDAT", "IEND"]);
  const [header, palette, data] = chunks.map((chunk) => chunk.content);
  assert.ok(header !== undefined && palette !== undefined && data !== undefined);
  const size = new DataView(header.buffer, header.byteOffset);
  const [width, height] = [size.getUint32(0), size.getUint32(4)];
  assert.deepEqual([...header.subarray(8)], [4, 3, 0, 0, 0]);
  const rows = inflateSync(data);
  const pitch = 1 + Math.ceil(width / 2);
  assert.equal(rows.length, pitch * height);
  const dots = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    assert.equal(rows[y * pitch], 0);
    for (let x = 0; x < width; x++) {
      const pair = rows[y * pitch + 1 + (x >> 1)] ?? 0;
      dots[y * width + x] = x % 2 === 0 ? pair >> 4 : pair & 15;
    }
  }
  return { width, height, palette: [...palette], dots };
}

Deno.test("any picture comes back from its PNG", () => {
  const picture = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 40 }))
    .chain(([width, height]) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        // Runs of all lengths, and noise.
        runs: fc.array(fc.tuple(fc.nat(15), fc.oneof(fc.nat(4), fc.nat(1000))), { maxLength: 99 }),
      })
    );
  fc.assert(
    fc.property(picture, ({ width, height, runs }) => {
      const dots = new Uint8Array(width * height);
      let at = 0;
      for (const [colour, length] of runs) dots.fill(colour, at, at += length);
      const palette = Array.from({ length: 16 }, (_, i) => [i, 2 * i, 3 * i] as const);
      const found = decodePng(encodePng({ width, height, palette, dots }));
      assert.deepEqual(found, { width, height, palette: palette.flat(), dots });
    }),
    { seed: 7, numRuns: 100 },
  );
});

function screen() {
  const clock = new Clock();
  const bus = new Bus(clock);
  const vga = new Vga(bus, clock);
  const put = (row: number, column: number, code: number, attribute: number) =>
    bus.write(0xb8000 + 2 * (80 * row + column), code | attribute << 8, 2);
  return { bus, vga, put };
}

Deno.test("the picture has the guest's dots and colours", (t) => {
  const { bus, vga, put } = screen();
  [..."PC \xc4\xc5\xdb"].forEach((letter, i) => put(1, 1 + i, letter.charCodeAt(0), 0x1e));
  bus.out(0x3d4, 0x500e, 2);
  bus.out(0x3d4, 0x000f, 2);
  const { width, height, dots } = vgaPicture(vga);
  assert.deepEqual([width, height], [720, 400]);
  // Yellow is ink, blue is paper.
  const shown = Array.from({ length: 16 }, (_, y) =>
    Array.from({ length: 9 * 7 }, (_, x) => {
      const dot = dots[(16 + y) * width + 9 + x] ?? 0;
      return dot === 14 ? "#" : dot === 1 ? "." : " ";
    }).join(""));
  return t.assertSnapshot(shown);
});

Deno.test("the cursor is drawn over its character, in its colour", () => {
  const { bus, vga } = screen();
  const ink = () => vgaPicture(vga).dots.reduce((sum, dot) => sum + (dot === 7 ? 1 : 0), 0);
  // Two rows of nine dots.
  assert.equal(ink(), 18);
  bus.out(0x3d4, 0x200a, 2);
  assert.equal(ink(), 0);
});

Deno.test("a screen of every character stays the same file", () => {
  const { vga, put } = screen();
  for (let code = 0; code < 256; code++) put(code >> 5, code & 31, code, code & 0x7f);
  const png = vgaPng(vga);
  const found = decodePng(png);
  assert.deepEqual(found.dots, vgaPicture(vga).dots);
  assert.ok(png.length < 10_000);
  const hash = createHash("sha256").update(found.dots).digest("hex").slice(0, 16);
  assert.equal(hash, "f21dc7b249f75539");
});

Deno.test("no two characters that are drawn look alike, in any height", () => {
  for (const height of [8, 14, 16] as const) {
    const font = glyphs(height);
    assert.equal(font.length, 256 * height);
    const seen = new Map<string, number>();
    const alike: string[] = [];
    for (let code = 0; code < 256; code++) {
      const rows = font.subarray(code * height, (code + 1) * height).toHex();
      const before = seen.get(rows);
      if (before !== undefined) alike.push(`${before.toString(16)} ${code.toString(16)}`);
      seen.set(rows, code);
    }
    // Only the three blanks are alike.
    assert.deepEqual(alike, ["0 20", "20 ff"], String(height));
  }
});
