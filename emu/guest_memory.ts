/**
 * Guest memory as devices that move data by themselves see it: a piece of a
 * shared WebAssembly memory, addressed physically.
 *
 * @module
 */

/** Physical memory from address 0 on. */
export interface GuestMemory {
  /** Bytes of memory. */
  readonly size: number;
  /** Copies out; what lies beyond memory reads as 0xff. */
  read(address: number, into: Uint8Array): void;
  /** Copies in; what lies beyond memory is lost. */
  write(address: number, bytes: Uint8Array): void;
}

/** Where guest memory is, and who wants to know of writes. */
export interface GuestMemoryOptions {
  /** The memory that holds it; it must not grow. */
  readonly memory: WebAssembly.Memory;
  /** The byte of it that is physical address 0. */
  readonly at: number;
  /** Bytes of guest memory. */
  readonly size: number;
  /** Told of every write, so that translated code of these bytes can be thrown away. */
  readonly written?: (address: number, length: number) => void;
}

/**
 * A view for devices.
 *
 * @throws {RangeError} If the memory is smaller than what it should hold.
 */
export function guestMemory({ memory, at, size, written }: GuestMemoryOptions): GuestMemory {
  const bytes = new Uint8Array(memory.buffer, at, size);
  /** How many of the bytes from an address on are memory. */
  const inside = (address: number, length: number) =>
    address < 0 ? 0 : Math.max(0, Math.min(length, size - address));
  return {
    size,
    read(address, into) {
      const length = inside(address, into.length);
      if (length > 0) into.set(bytes.subarray(address, address + length));
      into.fill(0xff, length);
    },
    write(address, from) {
      const length = inside(address, from.length);
      if (length === 0) return;
      bytes.set(from.subarray(0, length), address);
      written?.(address, length);
    },
  };
}
