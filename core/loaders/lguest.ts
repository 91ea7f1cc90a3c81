/**
 * lguest's launcher, of 2.6.24 to 4.13: zero page at physical 0, command line
 * behind it, all of memory one range of RAM, entry at privilege level 1.
 *
 * The launcher copied no header, and kernels took the zeroes for what they need
 * by luck; as a kernel of 2.6.31 on reads kernel_alignment and one of 4.x
 * init_size, the header is copied here and the launcher's fields go on top.
 *
 * @module
 */

import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

const KEEP_SEGMENTS = 0x40;

/** The row. */
export const lguest: Loader = {
  title: "lguest's launcher",
  source: "tools/lguest/lguest.c, 2.6.24 to 4.12",
  quirks: [
    "platform type 1 and KEEP_SEGMENTS: the guest may not load segments",
    "one e820 entry from 0 to the end, the hole below 1 MiB included",
    "type_of_loader is set with an initrd only",
    "kernel_alignment is 16 MiB, from 3.11 at the latest",
  ],
  loadsElf: true,
  map: (memory: bigint) => [{ addr: 0n, size: memory, type: 1 }],
  load(boot: Handover): void {
    const { kernel, initrd } = boot.cargo;
    boot.placePage({ at: 0n, why: "physical 0, which esi is at the entry" });
    boot.checkCommandLine();
    boot.placeCommandLine({ at: 0x1000n, why: "the page behind" });
    if (kernel.kind === "image") {
      boot.needBzImage();
      boot.copyHeader();
    }
    boot.placeKernel({
      ...(kernel.kind === "image" ? { at: 0x10_0000n } : {}),
      why: kernel.kind === "image"
        ? "0x100000, entered at code32_start"
        : "where its segments are linked to",
    });
    boot.enterProtected({ only32: true });
    boot.enterAsGuest();

    if (boot.version < 0x207) boot.page.set("setup_header.version", 0x207, "loader");
    boot.page.set("setup_header.hardware_subarch", boot.cargo.platform || 1, "loader");
    const flags = Number(boot.page.get("setup_header.loadflags"));
    boot.page.set("setup_header.loadflags", flags | KEEP_SEGMENTS, "loader");
    boot.page.set("setup_header.cmd_line_ptr", boot.commandLineAddress, "loader");
    boot.page.set("setup_header.kernel_alignment", 0x100_0000, "loader");
    if (initrd !== undefined && initrd.size > 0n) {
      boot.placeInitrd({ why: "at the very end of memory" });
      boot.page.set("setup_header.type_of_loader", 0xff, "loader");
    }
    boot.writeE820();
    boot.writeSetupData({ from: 0x2000n, below: 0xa_0000n, why: "behind the command line" });
  },
};
