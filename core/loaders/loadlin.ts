/**
 * LOADLIN 1.6, which boots Linux out of DOS: the real setup code runs, and on
 * its way to the kernel comes by a hook of LOADLIN's, which puts the pages in
 * order that DOS would not have where they belong.
 *
 * The zero page is made by the setup code. That hook is why code32_start is in
 * the header at all.
 *
 * @module
 */

import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

const SEGMENT = 0x9_0000n;
/** Setup, its heap, the command line and LOADLIN's own stack: up to 0x9b000. */
const AREA = 0xb000n;
/** 1 KiB is left for the command line since 1.6f. */
const COMMAND_LINE = 0xa000n;
const HOOK = 0xa800n;

/** The row. */
export const loadlin: Loader = {
  title: "LOADLIN 1.6f",
  source:
    "its manual and history; where in its area things are, inferred, and not its version byte",
  quirks: [
    "hooks code32_start and reloads all segments itself",
    "1 KiB of command line, inside the real-mode segment",
    "uses VCPI where DOS runs in virtual-8086 mode",
  ],
  loadsElf: false,
  load(boot: Handover): void {
    boot.needProtocol(0x200);
    boot.place({
      what: "setup code",
      at: SEGMENT,
      size: AREA,
      why: "setup, heap, command line and hook in one segment",
    });
    boot.pageAddress = SEGMENT;
    boot.commandLineAddress = SEGMENT + COMMAND_LINE;
    boot.checkCommandLine(1023);
    boot.placeKernel({
      at: boot.isLoadedHigh ? 0x10_0000n : 0x1_0000n,
      why: boot.isLoadedHigh ? "1 MiB" : "where a zImage goes",
    });
    boot.enterReal(SEGMENT);

    boot.copyHeader();
    boot.set("type_of_loader", 0x16);
    boot.set("code32_start", SEGMENT + HOOK);
    boot.notes.push("code32_start is LOADLIN's hook, which goes on to the kernel");
    if (boot.version >= 0x201) {
      boot.set("heap_end_ptr", COMMAND_LINE - 0x200n);
      boot.setBits("loadflags", 0x80);
    }
    boot.pointToOldCommandLine(COMMAND_LINE);
    boot.set("setup_move_size", AREA);
    boot.placeInitrd();
    boot.setPlatform();

    // The setup code fills in the rest; since 2.6.23 the line's address too.
    if (boot.version >= 0x206) {
      boot.set("cmd_line_ptr", boot.commandLineAddress, "setup");
      boot.page.clear(0x20, 0x24);
    }
    boot.writeE820(boot.cargo.map, 128, "setup");
    boot.writeOldMemory("setup");
    boot.writeTextScreen("setup");
    boot.setParam("screen_info.orig_video_mode", 3, "setup");
    boot.writeSetupData({ from: 0x1_0000n, below: SEGMENT, why: "below the setup code" });
  },
};
