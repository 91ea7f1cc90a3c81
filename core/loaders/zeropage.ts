/**
 * Our own loader: the boot protocol to the letter.
 *
 * @module
 */

import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

/** Where page and command line go: low memory that no firmware uses. */
const PAGE_ADDRESS = 0x1_0000n;
const COMMAND_LINE = 0x2_0000n;
/** Kernels below 2.02 look for page and command line nowhere else. */
const OLD_SEGMENT = 0x9_0000n;
const OLD_COMMAND_LINE = 0x9800n;

/** The row. */
export const zeropage: Loader = {
  title: "Zeropage",
  source: "Documentation/arch/x86/boot.rst and zero-page.rst",
  quirks: [],
  loadsElf: true,
  load(boot: Handover): void {
    const { kernel, platform } = boot.cargo;
    // The page is zero before anything is written, and of the image nothing but
    // the header is copied: the sentinel stays 0.
    const isOld = kernel.kind === "image" && (boot.version < 0x202 || !boot.isLoadedHigh);
    boot.placePage({
      at: isOld ? OLD_SEGMENT : PAGE_ADDRESS,
      why: isOld
        ? "where kernels below 2.02 and zImages have it"
        : "low memory, clear of firmware's data",
    });
    if (kernel.kind === "image") boot.copyHeader();
    else boot.fakeHeader(0x20c);

    boot.placeKernel();
    boot.enterProtected();
    if (kernel.kind === "image") boot.set("code32_start", boot.kernelAddress.load & 0xffff_ffffn);

    if (isOld) {
      boot.placeCommandLine({
        at: OLD_SEGMENT + OLD_COMMAND_LINE,
        why: "in the real-mode segment",
      });
    } else {
      boot.placeCommandLine({ at: COMMAND_LINE, why: "low memory, on a page of its own" });
    }
    if (kernel.kind === "image" && boot.version < 0x202) {
      boot.pointToOldCommandLine(OLD_COMMAND_LINE);
    } else boot.pointToCommandLine();
    boot.placeInitrd();

    // 0xff is for loaders without a number of their own.
    boot.set("type_of_loader", 0xff);
    boot.setPlatform();
    // A guest of lguest enters at privilege level 1 and may not load segments.
    if (platform === 1) {
      boot.setBits("loadflags", 0x40);
      boot.enterAsGuest();
    }
    boot.writeE820();
    boot.writeSetupData({ from: COMMAND_LINE, below: 0x9_0000n, why: "low memory" });
  },
};
