/**
 * QEMU -kernel: an option ROM copies what the host laid out and jumps to the
 * image's setup code in real mode. The zero page is then made by that code,
 * from the image's header and the BIOS's answers.
 *
 * @module
 */

import type { E820Entry } from "../../formats/boot_params.ts";
import { DEVICE_HOLE, pcMemoryMap } from "../memory_plan.ts";
import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

/** Top of memory below the device hole that QEMU keeps for ACPI tables. */
const ACPI_DATA = 0x2_0000n;
const BIOS = { addr: 0xfffc_0000n, size: 0x4_0000n, type: 2 } as const;

/** The map as SeaBIOS tells it: ACPI's share taken off, its ROM added. */
function seabiosMap(memory: bigint): E820Entry[] {
  // Up to 3.5 GiB all is below the devices; beyond, it is cut at 3 GiB.
  const map = pcMemoryMap(memory, memory < 0xe000_0000n ? memory : DEVICE_HOLE);
  return map.flatMap((entry) => {
    if (entry.type !== 1 || entry.addr !== 0x10_0000n) return [entry];
    const size = entry.size - ACPI_DATA;
    return [{ ...entry, size }, { addr: entry.addr + size, size: ACPI_DATA, type: 2 }, BIOS];
  });
}

/** What `vga=` in the command line makes of vid_mode, which QEMU reads itself. */
function vidMode(commandLine: Uint8Array): number | undefined {
  const text = new TextDecoder("latin1").decode(commandLine);
  const value = /(?:^|\s)vga=(\S+)/.exec(text)?.[1];
  if (value === undefined) return undefined;
  const named: Readonly<Record<string, number>> = { normal: 0xffff, ext: 0xfffe, ask: 0xfffd };
  const mode = named[value] ?? Number(value);
  return Number.isInteger(mode) && mode >= 0 && mode <= 0xffff ? mode : undefined;
}

/** The row. */
export const qemu: Loader = {
  title: "QEMU -kernel, with SeaBIOS",
  source: "a page dumped at the 32-bit entry under QEMU 7.2; hw/i386/x86-common.c",
  quirks: [
    "enters by the 16-bit setup code, which fills in the page from BIOS calls",
    "keeps the top 128 KiB below the device hole for ACPI tables, and the initrd out of them",
    "reads vga= out of the command line itself",
    "with an AMD processor its map has a reserved range below 1 TiB more, not shown here",
  ],
  loadsElf: false,
  map: seabiosMap,
  load(boot: Handover): void {
    const { map, commandLine } = boot.cargo;
    const isLow = boot.version < 0x202 || !boot.isLoadedHigh;
    const real = isLow ? 0x9_0000n : 0x1_0000n;
    // The setup code's own data is in the page's place: how far in, only it knows.
    boot.place({
      what: "setup code",
      at: real,
      size: BigInt(Math.max(boot.setupSize, isLow ? 0 : 0x1_0000)),
      why: isLow ? "where old kernels and zImages must be" : "64 KiB with heap and stack",
    });
    boot.pageAddress = real;
    boot.notes.push("the setup code keeps the page among its own data, at an address it chooses");
    boot.placeCommandLine(
      isLow
        ? {
          at: 0x9_a000n - (boot.commandLineSize + 15n & ~15n),
          why: "below 0x9a000, in the real-mode segment",
        }
        : { at: 0x2_0000n, why: "behind the setup code's 64 KiB" },
    );
    boot.placeKernel({
      at: boot.isLoadedHigh ? 0x10_0000n : 0x1_0000n,
      why: boot.isLoadedHigh
        ? "0x100000 for every bzImage; it moves itself"
        : "where a zImage goes",
    });
    boot.enterReal(real);

    boot.copyHeader();
    if (boot.version < 0x202) boot.pointToOldCommandLine(boot.commandLineAddress - real);
    else boot.pointToCommandLine();
    const mode = vidMode(commandLine);
    if (mode !== undefined) boot.set("vid_mode", mode);
    boot.set("type_of_loader", 0xb0);
    if (boot.version >= 0x201) {
      boot.setBits("loadflags", 0x80);
      boot.set("heap_end_ptr", boot.commandLineAddress - real - 0x200n);
    }
    const low = map.find(({ addr, type }) => type === 1 && addr === 0x10_0000n);
    const top = (low?.addr ?? 0n) + (low?.size ?? 0n);
    boot.placeInitrd({ below: top, why: "below ACPI's share of memory and initrd_addr_max" });
    boot.setPlatform();
    boot.writeSetupData({ from: 0x10_0000n, below: top, why: "beside the kernel" });

    // From here on it is the setup code that writes.
    boot.writeE820(map, 128, "setup");
    boot.writeOldMemory("setup");
    boot.writeTextScreen("setup");
    boot.setParam("screen_info.orig_video_mode", 3, "setup");
    boot.setParam("screen_info.orig_video_ega_bx", 3, "setup");
  },
};
