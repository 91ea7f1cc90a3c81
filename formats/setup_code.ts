/**
 * The real-mode part of an image: boot sector and setup code, and where the
 * protected-mode part behind them starts and ends.
 *
 * Source: Documentation/arch/x86/boot.rst; arch/x86/boot/header.S for the
 * signature at the end of setup and the sentinel.
 *
 * @module
 */

import type { FoundHeader } from "./setup_header.ts";

/** Where the protected-mode part starts in the file, in bytes. */
export function protectedModeStart(header: FoundHeader): number {
  return ((header.fields.setup_sects || 4) + 1) * 512;
}

/**
 * Where the protected-mode part ends in the file, in bytes, as `syssize` has it.
 *
 * @returns `undefined` if that is not known: `syssize` 0, or a header before
 *   2.04 that has only the low 16 bits of a bzImage's size.
 */
export function protectedModeEnd(header: FoundHeader): number | undefined {
  const { fields, version } = header;
  if (fields.syssize === 0) return undefined;
  const isHigh = ((fields.loadflags ?? 0) & 1) !== 0;
  if ((version & 0x7fff) < 0x204 && isHigh) return undefined;
  return protectedModeStart(header) + fields.syssize * 16;
}

/** The real-mode part's landmarks. */
export interface SetupCode {
  /** Length in bytes of boot sector and setup code; the protected-mode part follows. */
  readonly size: number;
  /** Bytes that say whether loaders copied too much: at 0x1ef and 0x1f0. */
  readonly sentinel: readonly [number, number];
  /**
   * File offset of the four bytes that setup checks itself by, 55 aa 5a 5a; the
   * setup code ends with them and zeros fill the rest of its sectors. Absent
   * where they are not found.
   */
  readonly signature?: number;
  /** File offset past the setup code's last byte that is not 0. */
  readonly lastByte: number;
  /** What else an image with this header is, where it is not a Linux kernel. */
  readonly maker?: string;
}

/**
 * Programs that wear the setup header so that Linux loaders start them, by a text
 * that each has near its front.
 */
const makers: readonly (readonly [maker: string, mark: string])[] = [
  ["memtest86 or memtest86+", "Memtest86"],
  ["memdisk", "MEMDISK"],
  ["iPXE", "Installation failed - cannot continue"],
  ["GRUB lnxboot", "move memory fails"],
];

/** How far in the makers' texts are looked for, in bytes. */
const MAKER_REACH = 256 * 1024;

/**
 * Finds the real-mode part's landmarks. A file that ends early is looked at as
 * far as it goes.
 *
 * @param image From its boot sector on.
 */
export function readSetupCode(image: Uint8Array, header: FoundHeader): SetupCode {
  const size = protectedModeStart(header);
  const setup = image.subarray(0, size);
  let last = setup.length;
  while (last > 0 && setup[last - 1] === 0) last--;
  const signature = setupSignature(image, header);
  const maker = signature === undefined ? makerOf(image.subarray(0, MAKER_REACH)) : undefined;
  return {
    size,
    sentinel: [setup[0x1ef] ?? 0, setup[0x1f0] ?? 0],
    ...(signature !== undefined && { signature }),
    lastByte: last,
    ...(maker !== undefined && { maker }),
  };
}

/**
 * Where the setup code's closing 55 aa 5a 5a is, in bytes: the last of them, since
 * the code that compares with it has a copy before.
 *
 * @param image From its boot sector on.
 */
export function setupSignature(image: Uint8Array, header: FoundHeader): number | undefined {
  const setup = image.subarray(0, protectedModeStart(header));
  // By its first byte: some 20,000 places are looked at in every summary.
  for (let at = setup.length - 4; at >= 0x200; at--) {
    at = setup.lastIndexOf(0x55, at);
    if (at < 0x200) return undefined;
    if (setup[at + 1] === 0xaa && setup[at + 2] === 0x5a && setup[at + 3] === 0x5a) return at;
  }
  return undefined;
}

function makerOf(start: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(start);
  return makers.find(([, mark]) => text.includes(mark))?.[0];
}
