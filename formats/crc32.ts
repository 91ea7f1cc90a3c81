/**
 * CRC-32 as gzip, xz, PNG and the kernel's own image check have it: reflected
 * polynomial 0xedb88320.
 *
 * Sixteen bytes a step by sixteen tables ("slicing"), which keeps the additions
 * of one step independent of each other. The tables, 16 KiB, are made at first
 * use.
 *
 * Source: RFC 1952, section 8; M. Kounavis and F. Berry, "A systematic approach
 * to building high performance software-based CRC generators", 2005.
 *
 * @module
 */

let tables: Uint32Array | undefined;

/** Table k answers: what does this byte do to the register k bytes later? */
function makeTables(): Uint32Array {
  const made = new Uint32Array(16 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    made[n] = c;
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256] ?? 0;
    made[i] = (before >>> 8) ^ (made[before & 0xff] ?? 0);
  }
  return made;
}

/**
 * Runs the bare register over some bytes: no inversion, before or after.
 *
 * @param register What it holds before; unsigned or signed 32 bits.
 * @param start First byte, default 0.
 * @param end Just past the last byte, default the input's end.
 * @returns What it holds after, as an unsigned number.
 */
export function crc32Register(
  bytes: Uint8Array,
  register: number,
  start = 0,
  end: number = bytes.length,
): number {
  const t = tables ??= makeTables();
  let c = register | 0;
  let at = start;
  if (end - at >= 16) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const last = end - 16; at <= last; at += 16) {
      const w0 = view.getInt32(at, true) ^ c;
      const w1 = view.getInt32(at + 4, true);
      const w2 = view.getInt32(at + 8, true);
      const w3 = view.getInt32(at + 12, true);
      // Every index lies in its table of 256 by the masks, so none is undefined.
      c = (t[0xf00 + (w0 & 0xff)] as number) ^
        (t[0xe00 + (w0 >>> 8 & 0xff)] as number) ^
        (t[0xd00 + (w0 >>> 16 & 0xff)] as number) ^
        (t[0xc00 + (w0 >>> 24)] as number) ^
        (t[0xb00 + (w1 & 0xff)] as number) ^
        (t[0xa00 + (w1 >>> 8 & 0xff)] as number) ^
        (t[0x900 + (w1 >>> 16 & 0xff)] as number) ^
        (t[0x800 + (w1 >>> 24)] as number) ^
        (t[0x700 + (w2 & 0xff)] as number) ^
        (t[0x600 + (w2 >>> 8 & 0xff)] as number) ^
        (t[0x500 + (w2 >>> 16 & 0xff)] as number) ^
        (t[0x400 + (w2 >>> 24)] as number) ^
        (t[0x300 + (w3 & 0xff)] as number) ^
        (t[0x200 + (w3 >>> 8 & 0xff)] as number) ^
        (t[0x100 + (w3 >>> 16 & 0xff)] as number) ^
        (t[w3 >>> 24] as number);
    }
  }
  for (; at < end; at++) {
    c = (c >>> 8) ^ (t[(c ^ (bytes[at] as number)) & 0xff] as number);
  }
  return c >>> 0;
}

/**
 * The CRC-32 of some bytes, as `crc32` of zlib gives it.
 *
 * @param before The CRC of what came before, to go on from; default none.
 * @returns An unsigned 32-bit number.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  return ~crc32Register(bytes, ~before) >>> 0;
}
