/**
 * The picture on the screen of a VGA in text mode.
 *
 * Dots come from the font in the adapter's own memory, colours from its palette,
 * so that a guest that loads others gets what it loaded. Blinking characters and
 * the cursor are shown in their bright half.
 *
 * @module
 */

import { encodePng, type Picture } from "./png.ts";
import type { Vga } from "./vga_text.ts";

/** The screen by dots: 720 by 400 in mode 3. In graphics modes it is dark. */
export function vgaPicture(vga: Vga): Picture {
  const { glyphWidth, glyphHeight, columns, rows, cursor } = vga;
  const [width, height] = [columns * glyphWidth, rows * glyphHeight];
  const dots = new Uint8Array(width * height);
  const palette = Array.from({ length: 16 }, (_, i) => vga.colour(i));
  if (!vga.isText) return { width, height, palette, dots };
  const backgrounds = vga.blinks ? 7 : 15;
  vga.cells().forEach((line, row) =>
    line.forEach(({ code, attribute }, column) => {
      const ink = attribute & 15;
      const paper = attribute >> 4 & backgrounds;
      const joins = vga.joinsLines && code >= 0xc0 && code < 0xe0;
      const isUnderCursor = cursor.isVisible && cursor.row === row && cursor.column === column;
      for (let y = 0; y < glyphHeight; y++) {
        const isCursor = isUnderCursor && y >= cursor.first && y <= cursor.last;
        const glyph = isCursor ? 0xff : vga.glyphRow(code, y);
        const at = (row * glyphHeight + y) * width + column * glyphWidth;
        for (let x = 0; x < glyphWidth; x++) {
          const bit = x < 8 ? glyph >> 7 - x & 1 : joins || isCursor ? glyph & 1 : 0;
          dots[at + x] = bit !== 0 ? ink : paper;
        }
      }
    })
  );
  return { width, height, palette, dots };
}

/** The screen as a PNG file. */
export function vgaPng(vga: Vga): Uint8Array {
  return encodePng(vgaPicture(vga));
}
