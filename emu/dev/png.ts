/**
 * Writes PNG files of up to 16 colours: as much of the format as a text screen needs.
 *
 * The compression knows two places to copy from, the byte before and the row
 * above, which is where a screen of characters repeats itself.
 *
 * Sources: PNG specification, third edition; RFC 1950 (zlib), RFC 1951 (deflate).
 *
 * @module
 */

/** A picture by palette. */
export interface Picture {
  /** Dots in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** One to sixteen colours: red, green and blue, 0 to 255 each. */
  readonly palette: readonly (readonly [red: number, green: number, blue: number])[];
  /** A byte a dot, its place in the palette; row by row from the top. */
  readonly dots: Uint8Array;
}

/** The picture as a PNG file. */
export function encodePng({ width, height, palette, dots }: Picture): Uint8Array {
  const pitch = 1 + (width + 1 >> 1);
  const rows = new Uint8Array(pitch * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = pitch * y + 1 + (x >> 1);
      rows[at] = (rows[at] ?? 0) | ((dots[width * y + x] ?? 0) & 15) << ((x & 1) !== 0 ? 0 : 4);
    }
  }
  // Four bits a dot, by palette; deflate, rows as they are, not interlaced.
  const header = [...big(width), ...big(height), 4, 3, 0, 0, 0];
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", Uint8Array.from(header)),
    chunk("PLTE", Uint8Array.from(palette.flat())),
    chunk("IDAT", zlib(rows, pitch)),
    chunk("IEND", new Uint8Array(0)),
  ];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/** Length, name, content, and a sum over the latter two. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const body = new Uint8Array(4 + content.length);
  for (let i = 0; i < 4; i++) body[i] = name.charCodeAt(i);
  body.set(content, 4);
  const whole = new Uint8Array(body.length + 8);
  whole.set(big(content.length));
  whole.set(body, 4);
  whole.set(big(crc32(body)), 4 + body.length);
  return whole;
}

function big(value: number): number[] {
  return [value >>> 24, value >> 16 & 0xff, value >> 8 & 0xff, value & 0xff];
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ ((crc & 1) !== 0 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}

/** A zlib stream of one deflate block with the fixed codes. */
function zlib(bytes: Uint8Array, pitch: number): Uint8Array {
  const out: number[] = [0x78, 0x01];
  let [waiting, count] = [0, 0];
  const bits = (value: number, length: number) => {
    waiting |= value << count;
    count += length;
    for (; count >= 8; count -= 8) {
      out.push(waiting & 0xff);
      waiting >>>= 8;
    }
  };
  /** Huffman codes go in with their highest bit first. */
  const code = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits(value >> i & 1, 1);
  };
  const symbol = (value: number) => {
    if (value < 144) code(0x30 + value, 8);
    else if (value < 256) code(0x190 + value - 144, 9);
    else if (value < 280) code(value - 256, 7);
    else code(0xc0 + value - 280, 8);
  };
  /** How many bytes at `at` repeat those a distance back. */
  const repeats = (at: number, distance: number) => {
    let length = 0;
    if (at < distance) return 0;
    while (length < 258 && at + length < bytes.length) {
      if (bytes[at + length] !== bytes[at + length - distance]) break;
      length++;
    }
    return length;
  };
  bits(1, 1);
  bits(1, 2);
  for (let at = 0; at < bytes.length;) {
    const [run, above] = [repeats(at, 1), repeats(at, pitch)];
    const length = Math.max(run, above);
    if (length < 4) {
      symbol(bytes[at] ?? 0);
      at++;
      continue;
    }
    const [lengthSymbol, lengthBits] = bucket(length - 3, 4);
    if (length === 258) symbol(285);
    else {
      symbol(257 + lengthSymbol);
      bits(length - 3 & (1 << lengthBits) - 1, lengthBits);
    }
    const distance = run >= above ? 1 : pitch;
    const [distanceSymbol, distanceBits] = bucket(distance - 1, 2);
    code(distanceSymbol, 5);
    bits(distance - 1 & (1 << distanceBits) - 1, distanceBits);
    at += length;
  }
  symbol(256);
  bits(0, 7);
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  out.push(b >> 8, b & 0xff, a >> 8, a & 0xff);
  return Uint8Array.from(out);
}

/**
 * Deflate's symbols for lengths and distances: `steps` of them for each number of
 * extra bits, but twice as many without any.
 *
 * @returns The symbol, counted from the first, and its extra bits.
 */
function bucket(value: number, steps: number): [symbol: number, extra: number] {
  if (value < 2 * steps) return [value, 0];
  const extra = 31 - Math.clz32(value / steps);
  return [steps * extra + (value >> extra), extra];
}
