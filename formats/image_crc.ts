import { crc32Register } from "./crc32.ts";

/**
 * Puts the check word into an image's last four bytes, so that the register is
 * 0 after the whole.
 *
 * @returns The word, as an unsigned number.
 */
export function appendCrc(image: Uint8Array): number {
  const at = image.length - 4;
  const word = crc32Register(image, 0xffffffff, 0, at);
  new DataView(image.buffer, image.byteOffset).setUint32(at, word, true);
  return word;
}
