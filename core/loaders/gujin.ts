/**
 * Gujin, a loader that unpacks the kernel by itself and never runs its setup
 * code. Its zero page has the command line inside: 1 KiB from 0x800 on, where
 * the kernel sees the second half of the memory map.
 *
 * @module
 */

import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

const PAGE_ADDRESS = 0x9_0000n;
const COMMAND_LINE = 0x800n;
/** The table ends where the command line starts. */
const E820_ENTRIES = 64;

/** The row. */
export const gujin: Loader = {
  title: "Gujin",
  source: "its patch to the kernel of September 2005, and mail; its own source was not read",
  quirks: [
    "the command line is in the zero page, 1 KiB at 0x800",
    "64 e820 entries at the most",
    "loads ds and es only; ss is left as it was",
  ],
  loadsElf: true,
  load(boot: Handover): void {
    const { kernel } = boot.cargo;
    boot.placePage({ at: PAGE_ADDRESS, why: "where kernels of old had it" });
    boot.commandLineAddress = PAGE_ADDRESS + COMMAND_LINE;
    boot.checkCommandLine(1023);
    if (kernel.kind === "image") boot.copyHeader();
    else boot.fakeHeader(0x206);
    boot.placeKernel({ why: "where it unpacks it to" });
    boot.enterProtected({ only32: true });
    boot.set("type_of_loader", 0xa0);
    // Its own way since before 2.02: old kernels find the line by the magic.
    boot.pointToOldCommandLine(COMMAND_LINE);
    boot.pointToCommandLine();
    boot.writeCommandLineIntoPage();
    boot.placeInitrd();
    boot.setPlatform();
    boot.writeTextScreen();
    boot.writeOldMemory();
    boot.writeE820(boot.cargo.map, E820_ENTRIES);
    boot.writeSetupData({ below: PAGE_ADDRESS, highest: true, why: "below the page" });
  },
};
