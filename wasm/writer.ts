/**
 * A growing byte buffer with the number encodings of WebAssembly.
 *
 * @module
 */

/** Bytes being written. */
export class ByteWriter {
  /** The buffer; only its first {@link length} bytes are written. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes written so far. */
  length = 0;

  /**
   * An empty buffer.
   *
   * @param capacity Bytes to start with; the buffer doubles when it is full.
   */
  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** One byte, the low eight bits of `value`. */
  byte(value: number): void {
    const at = this.length;
    if (at === this.bytes.length) this.#grow(1);
    this.bytes[at] = value;
    this.length = at + 1;
  }

  /** An unsigned LEB128 number, up to 2^53. */
  uleb(value: number): void {
    for (; value > 0x7fff_ffff; value = Math.floor(value / 0x80)) this.byte(value % 0x80 | 0x80);
    // From here on integers do, which is what nearly every number is.
    for (; value > 0x7f; value >>>= 7) this.byte((value & 0x7f) | 0x80);
    this.byte(value);
  }

  /** A signed LEB128 number of 32 bits; unsigned ones are taken by their bits. */
  sleb32(value: number): void {
    value |= 0;
    while (value < -64 || value > 63) {
      this.byte((value & 0x7f) | 0x80);
      value >>= 7;
    }
    this.byte(value & 0x7f);
  }

  /** A signed LEB128 number of 64 bits, from its two halves. */
  sleb64(low: number, high: number): void {
    low |= 0;
    high |= 0;
    while (high !== low >> 31 || low < -64 || low > 63) {
      this.byte((low & 0x7f) | 0x80);
      low = (low >>> 7) | (high << 25);
      high >>= 7;
    }
    this.byte(low & 0x7f);
  }

  /** A single precision number, four bytes. */
  f32(value: number): void {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value, true);
    this.raw(new Uint8Array(view.buffer));
  }

  /** A double precision number, eight bytes. */
  f64(value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value, true);
    this.raw(new Uint8Array(view.buffer));
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array | readonly number[]): void {
    if (this.length + bytes.length > this.bytes.length) this.#grow(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A name: its length in bytes, then UTF-8. */
  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.uleb(bytes.length);
    this.raw(bytes);
  }

  /** What was written, as a view of the buffer: good until the next write. */
  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  #grow(by: number): void {
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + by));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
