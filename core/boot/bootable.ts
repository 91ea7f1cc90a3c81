/**
 * An image opened for booting: no further than the boot needs.
 *
 * @module
 */

import { XLF_KERNEL_64 } from "../../formats/setup_header.ts";
import { BootError } from "../errors.ts";
import { evidenceOf } from "../evidence.ts";
import { inspect, type Inspection } from "../inspection.ts";
import type { Evidence } from "../platforms/platform.ts";

/** An image with what the rows of the platform table judge by. */
export interface Bootable {
  /** All that was read of it. */
  readonly inspection: Inspection;
  /** The same as evidence. */
  readonly evidence: Evidence;
  /** Width of the kernel; undefined for an old image whose header and payload do not tell. */
  readonly bits?: 32 | 64;
}

/** How far to open an image. */
export interface OpenImageOptions {
  /** Its name, for messages; default "image". */
  readonly path?: string;
  /** Whether the kernel inside is needed: for the direct entry, and for its symbols. */
  readonly unpack?: boolean;
  /** Told of bytes unpacked and, if known, of how many there will be. */
  readonly progress?: (done: number, total: number | undefined) => void;
}

/** Width of the kernel, by its header or its ELF. */
function bitsOf({ header, elf }: Evidence): 32 | 64 | undefined {
  if (elf?.isX86) return elf.class;
  // Since 2.12 a 64-bit kernel says so; before, headers of both kinds look alike.
  if (header === undefined || header.version < 0x20c) return undefined;
  return ((header.fields.xloadflags ?? 0) & XLF_KERNEL_64) !== 0 ? 64 : 32;
}

/**
 * Opens an image for booting.
 *
 * The compressed kernel is unpacked only where the boot needs it: the machine
 * lets the image unpack itself.
 *
 * @throws {BootError} If it is cut off.
 */
export async function openBootable(
  bytes: Uint8Array,
  options: OpenImageOptions = {},
): Promise<Bootable> {
  const { path = "image", unpack = false, progress } = options;
  const more = progress === undefined ? {} : { progress };
  let inspection = await inspect(path, bytes, { payload: unpack, ...more });
  let evidence = await evidenceOf(inspection);
  if (!unpack && bitsOf(evidence) === undefined) {
    // No boot header, or one that does not tell how wide the kernel is.
    inspection = await inspect(path, bytes, { payload: true, ...more });
    evidence = await evidenceOf(inspection);
  }
  const { boot } = inspection;
  if (boot !== undefined) {
    const there = boot.bytes.length - boot.setupSize;
    // Build tools round the size up to 16 bytes and some leave the last ones out.
    if (there <= 0 || boot.systemSize >= there + 16) {
      throw new BootError(
        path,
        `${boot.setupSize + boot.systemSize} bytes by its header`,
        `${boot.bytes.length}: it is cut off`,
      );
    }
  }
  const bits = bitsOf(evidence);
  return { inspection, evidence, ...(bits !== undefined && { bits }) };
}
