/**
 * Zero pages made by hand, as kernels and loaders make them.
 */
import { bootParams } from "../formats/boot_params.ts";
import { encode, type Writable } from "../formats/layout.ts";

/** A page of zeroes with these fields. */
export function pageOf(fields: Writable<typeof bootParams>): Uint8Array {
  return encode(bootParams, fields, new Uint8Array(4096));
}

/**
 * What a kernel entered by PVH makes for itself: a version, no "HdrS", no
 * boot_flag. Shape and constants are those of /sys/kernel/boot_params/data of a
 * kernel that a small hypervisor started with initrd and command line.
 */
export function pvhPage(): Uint8Array {
  return pageOf({
    hdr: {
      version: 0x20c,
      type_of_loader: 0xb0,
      ramdisk_image: 0xbf8d0000,
      ramdisk_size: 0x00730000,
      cmd_line_ptr: 0x20000,
    },
    e820_entries: 3,
    e820_table: [
      { addr: 0n, size: 0x9fc00n, type: 1 },
      { addr: 0x9fc00n, size: 0x40400n, type: 2 },
      { addr: 0x100000n, size: 0xbff00000n, type: 1 },
    ],
  });
}
