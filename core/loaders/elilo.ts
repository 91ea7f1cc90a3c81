/**
 * ELILO, the EFI loader of the 2000s: 16 KiB in one piece, the first 8 KiB of
 * the image copied into them, the command line at their end.
 *
 * It is among the loaders for which the sentinel was invented: setup code stays
 * in the page wherever ELILO knows no field, above all behind the memory map.
 *
 * @module
 */

import { BOOT_PARAMS_SIZE, bootParams } from "../../formats/boot_params.ts";
import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

const BUFFER = 0x4000n;
const COMMAND_LINE = 0x3800n;
const COPIED = 0x2000;

/** The row. */
export const elilo: Loader = {
  title: "ELILO on ia32 and x86-64",
  source: "elilo's ia32/system.c and x86_64/system.c; where its struct has unnamed areas, inferred",
  quirks: [
    "copies the first 8 KiB of the image, setup code included, and clears by hand what it knows",
    "passes the command line as before 2.02: cmd_line_ptr is 0",
    "root_dev is 0x0100 with an initrd",
    'clears byte 0x1ff, the upper half of boot_flag, as "no PS/2 mouse"',
    "loads a GDT of its own but keeps EFI's segments in the registers",
  ],
  loadsElf: false,
  load(boot: Handover): void {
    const { kernel, initrd } = boot.cargo;
    boot.needProtocol(0x200);
    boot.needBzImage();
    boot.placePage({
      size: BUFFER,
      at: 0x9_0000n,
      why: "16 KiB with the command line in their last 2 KiB",
    });
    boot.commandLineAddress = boot.pageAddress + COMMAND_LINE;
    boot.checkCommandLine(2047);
    if (kernel.kind === "image") {
      const { bytes, header } = kernel;
      boot.page.copy(bytes.subarray(0, COPIED), 0, BOOT_PARAMS_SIZE, "image");
      // It goes through all it knows up to the memory map, and sets or clears it.
      boot.page.clear(0, bootParams.fields.hdr.at);
      boot.page.clear(Math.max(header.end, 0x22c), bootParams.fields.e820_table.at);
    }
    boot.placeKernel({ at: 0x10_0000n, why: "1 MiB, fixed" });
    boot.enterProtected({ only32: true });

    boot.set("type_of_loader", 0x50);
    boot.pointToOldCommandLine(COMMAND_LINE);
    boot.set("cmd_line_ptr", 0);
    boot.writeOldMemory();
    boot.writeTextScreen();
    boot.setParam("screen_info.orig_video_isVGA", 0);
    boot.setParam("efi_info.efi_loader_signature", boot.has64 ? 0x34364c45 : 0x32334c45);
    boot.notes.push("EFI's system table and memory map are firmware's, and left 0");
    boot.set("ram_size", 0);
    boot.page.write(0x1ff, Uint8Array.of(0), "loader");
    boot.placeInitrd();
    if ((initrd?.size ?? 0n) > 0n) boot.set("root_dev", 0x0100);
    boot.set("code32_start", 0x10_0000);
    boot.setPlatform();
    boot.writeE820();
    boot.notes.push("behind the e820 entries it writes, the page holds the image's setup code");
    boot.writeSetupData({ below: 0x9_0000n, highest: true, why: "below its buffer" });
  },
};
