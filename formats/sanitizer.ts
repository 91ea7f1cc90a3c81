/**
 * What the kernel does to a zero page it cannot trust.
 *
 * Images since 3.8 carry 0xff at `sentinel`, just below the setup header. A
 * loader that zeroes the page and copies the header alone leaves 0 there; one
 * that copies whole sectors brings the 0xff along, and with it code where fields
 * should be. The kernel then keeps what such loaders always filled in and clears
 * the rest.
 *
 * Source: sanitize_boot_params() in arch/x86/include/asm/bootparam_utils.h, 7.3.
 *
 * @module
 */

import { BOOT_PARAMS_SIZE, bootParams } from "./boot_params.ts";
import { need } from "./errors.ts";
import { sizeOf, walk } from "./layout.ts";

/** The fields that survive a set sentinel. */
export const preserved = [
  "screen_info",
  "apm_bios_info",
  "tboot_addr",
  "ist_info",
  "hd0_info",
  "hd1_info",
  "sys_desc_table",
  "olpc_ofw_header",
  "efi_info",
  "alt_mem_k",
  "scratch",
  "e820_entries",
  "eddbuf_entries",
  "edd_mbr_sig_buf_entries",
  "edd_mbr_sig_buffer",
  "secure_boot",
  "hdr",
  "e820_table",
  "eddbuf",
  "cc_blob_address",
] as const;

/** A page after the kernel looked at its sentinel. */
export interface Sanitized {
  /** The page as the kernel goes on with it; a copy. */
  readonly page: Uint8Array;
  /** Paths of the fields that held something and were cleared. */
  readonly cleared: readonly string[];
}

/**
 * Does to a copy of the page what a kernel of 3.8 or later does on entry; a page
 * whose sentinel is 0 stays as it is.
 *
 * @param page 4096 bytes.
 * @throws {FormatError} If there are fewer.
 */
export function sanitize(page: Uint8Array): Sanitized {
  need(page, { structure: "boot_params", offset: 0 }, BOOT_PARAMS_SIZE);
  const before = page.slice(0, BOOT_PARAMS_SIZE);
  if (before[bootParams.fields.sentinel.at] === 0) return { page: before, cleared: [] };
  const after = new Uint8Array(BOOT_PARAMS_SIZE);
  for (const name of preserved) {
    const row = bootParams.fields[name];
    after.set(before.subarray(row.at, row.at + sizeOf(row)), row.at);
  }
  const cleared = [...walk(bootParams)]
    .filter(({ at, size }) => {
      for (let i = at; i < at + size; i++) if (before[i] !== after[i]) return true;
      return false;
    })
    .map(({ path }) => path);
  return { page: after, cleared };
}
