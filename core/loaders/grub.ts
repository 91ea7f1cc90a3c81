/**
 * GRUB 2, its `linux` command: zero page and command line from the loader, the
 * 32-bit entry, no setup code.
 *
 * @module
 */

import { HEADER_LIMIT } from "../../formats/boot_params.ts";
import { hex } from "../../formats/errors.ts";
import { BootError } from "../errors.ts";
import { CMDLINE_SIZE, INITRD_ADDR_MAX } from "./cargo.ts";
import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

/** Kernels of 2.2 and 2.3 go wrong at the end of memory: it stays clear of that. */
const LAST_64K = 0x1_0000n;
/** Real-mode code, map and command line stay below. */
const REAL_MODE_END = 0x9_0000n;

/** The row. */
export const grub: Loader = {
  title: "GRUB 2, linux",
  source: "a page dumped at the kernel's entry under GRUB 2.06; grub-core/loader/i386/linux.c",
  quirks: [
    "says 32 MiB in ext_mem_k and alt_mem_k on every machine",
    "writes the command line's place for old kernels too, offset 0x1000",
    "sets CAN_USE_HEAP and heap_end_ptr, though it skips the setup code",
    "root_dev is 0x0100 with an initrd",
    "clears boot_flag, whose upper byte once said whether there is a PS/2 mouse",
    "puts the initrd as high as its own memory leaves room; here that is not known",
    "puts BOOT_IMAGE= and the file's name before the command line, which is not done here",
  ],
  loadsElf: false,
  load(boot: Handover): void {
    const { kernel } = boot.cargo;
    boot.needProtocol(0x203);
    boot.needBzImage();
    if (kernel.kind === "image" && kernel.header.end > HEADER_LIMIT) {
      const end = hex(kernel.header.end);
      throw new BootError("setup header", `an end at ${hex(HEADER_LIMIT)} or below`, end);
    }
    boot.checkCommandLine();
    // One page for the memory map; and never less than the setup code would need.
    const setup = boot.toPage(BigInt((boot.header.setup_sects ?? 0) * 512));
    const room = setup > 0x2000n ? setup : 0x2000n;
    boot.placePage({
      size: room + BigInt(boot.header.cmdline_size ?? CMDLINE_SIZE) + 1n,
      align: 0x1000n,
      below: REAL_MODE_END,
      highest: true,
      why: "page, map and command line in one piece below 0x90000",
    });
    boot.commandLineAddress = boot.pageAddress + room;
    boot.copyHeader();
    boot.placeKernel({ why: "its preferred address, else where its alignment allows" });
    boot.enterProtected({ only32: true });
    boot.set("code32_start", boot.kernelAddress.load);
    boot.set("boot_flag", 0);

    boot.set("type_of_loader", 0x72);
    boot.pointToOldCommandLine(0x1000n);
    boot.pointToCommandLine();
    boot.set("heap_end_ptr", 0x9000 - 0x200);
    boot.setBits("loadflags", 0x80);
    boot.setParam("screen_info.ext_mem_k", 32 * 1024);
    boot.setParam("alt_mem_k", 32 * 1024);
    boot.writeTextScreen();
    boot.setParam("screen_info.orig_video_mode", 3);

    const own = INITRD_ADDR_MAX + 1n;
    const below = boot.initrdLimit < own ? boot.initrdLimit : own;
    boot.placeInitrd({ below: below - LAST_64K, why: "below 896 MiB, clear of the last 64 KiB" });
    if ((boot.cargo.initrd?.size ?? 0n) > 0n) boot.set("root_dev", 0x0100);
    boot.setPlatform();
    boot.writeE820();
    boot.writeSetupData({ below: REAL_MODE_END, highest: true, why: "below the page" });
  },
};
