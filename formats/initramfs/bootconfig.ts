/**
 * A bootconfig at the end of an initramfs: settings for the kernel as text.
 *
 * Last come the text, padded with NULs, its size and its checksum, and the
 * twelve letters "#BOOTCONFIG\n" that the kernel looks for. A loader that fills
 * the file up to a multiple of four may leave up to three bytes behind them.
 *
 * Source: Documentation/admin-guide/bootconfig.rst; `get_boot_config_from_initrd`
 * in init/main.c.
 *
 * @module
 */

/** A bootconfig found at the end of an initramfs. */
export interface Bootconfig {
  /** Where the text starts in the file, in bytes. */
  readonly offset: number;
  /** Bytes of text, its padding included. */
  readonly size: number;
  /** The text without its padding. */
  readonly text: string;
  /** Whether the text's bytes add up to the sum that is kept with it. */
  readonly checksum: "ok" | "wrong";
}

const MAGIC = "#BOOTCONFIG\n";

/** Finds the bootconfig that closes a file, if one does. */
export function findBootconfig(bytes: Uint8Array): Bootconfig | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let behind = 0; behind < 4; behind++) {
    const magic = bytes.length - MAGIC.length - behind;
    if (magic < 8) return undefined;
    if (![...MAGIC].every((c, i) => bytes[magic + i] === c.charCodeAt(0))) continue;
    const size = view.getUint32(magic - 8, true);
    const offset = magic - 8 - size;
    if (offset < 0) return undefined;
    const data = bytes.subarray(offset, offset + size);
    let sum = 0;
    for (const byte of data) sum = (sum + byte) | 0;
    return {
      offset,
      size,
      text: new TextDecoder().decode(data).replace(/\0+$/, ""),
      checksum: sum >>> 0 === view.getUint32(magic - 4, true) ? "ok" : "wrong",
    };
  }
  return undefined;
}
