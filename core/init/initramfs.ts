/**
 * The built-in initramfs: what a kernel is given that was not given any.
 *
 * Three members: `/dev`, `/dev/console`, without which a kernel's first process
 * has nothing to write to, and `/init`. Not compressed, in the format that every
 * kernel since 2.6 takes; the same bytes every time.
 *
 * @module
 */

import { encodeCpio } from "../../formats/initramfs/encode_cpio.ts";
import { initProgram } from "./program.ts";

/**
 * An initramfs whose init proves that the kernel booted, and powers off.
 *
 * @param bits The kernel's word size.
 * @returns A cpio archive, some kilobytes.
 */
export function builtinInitramfs(bits: 32 | 64): Uint8Array {
  return encodeCpio([
    { name: "dev", mode: 0o040755 },
    { name: "dev/console", mode: 0o020600, rdev: { major: 5, minor: 1 } },
    { name: "init", mode: 0o100755, data: initProgram(bits) },
  ]);
}
