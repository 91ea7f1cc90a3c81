/**
 * The smallest kernels there can be: images whose protected-mode code is a few
 * instructions of 32 bits.
 *
 * @module
 */

import { bzImage } from "./bzimage_builder.ts";

const COM1 = 0x3f8;

/** Pieces of code, to be put one behind the other. */
export const tiny = {
  /** Sends a text to the first serial port. */
  says: (text: string): number[] => [
    // mov edx, line control; mov al, 3; out dx, al: 8 bits a character
    ...[0xba, (COM1 + 3) & 0xff, COM1 >> 8, 0, 0, 0xb0, 3, 0xee],
    0xb2, // mov dl, the port itself
    COM1 & 0xff,
    ...[...new TextEncoder().encode(text)].flatMap((byte) => [0xb0, byte, 0xee]),
  ],
  /** Leaves by the debug exit; the code is twice the value and one. */
  exits: (value: number): number[] => [0xb0, value, 0xe6, 0xf4],
  /** Waits with interrupts off. */
  halts: (): number[] => [0xfa, 0xf4],
  /** Goes round for ever. */
  loops: (): number[] => [0xeb, 0xfe],
  /** Raises an exception that nobody is there for. */
  faults: (): number[] => [0x0f, 0x0b],
  /** Sends back what is typed, until a zero comes. */
  echoes: (): number[] => [
    ...[0xba, COM1 + 5 & 0xff, COM1 >> 8, 0, 0], // mov edx, line status
    ...[0xec, 0xa8, 1, 0x74, 0xfb], // in al, dx; test al, 1; jz back
    ...[0xb2, COM1 & 0xff, 0xec, 0xee], // mov dl, the port; in al, dx; out dx, al
    ...[0x84, 0xc0, 0x75, 0xee], // test al, al; jnz to the start
  ],
} as const;

/** A 32-bit bzImage of this code. */
export function tinyGuest(...code: readonly (readonly number[])[]): Uint8Array {
  const bytes = code.flat();
  return bzImage({
    machine: "i386",
    header: { init_size: 0x1_0000, pref_address: 0x10_0000n, kernel_alignment: 0x10_0000 },
    edit: (image) => image.set(bytes, 5 * 512),
    payload: new Uint8Array(bytes.length),
  });
}
