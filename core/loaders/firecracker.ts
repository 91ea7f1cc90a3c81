/**
 * Firecracker: a machine of a few devices, and a zero page of a few fields.
 *
 * @module
 */

import type { E820Entry } from "../../formats/boot_params.ts";
import { EBDA_START, pcMemoryMap } from "../memory_plan.ts";
import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

const PAGE_ADDRESS = 0x7000n;
const COMMAND_LINE = 0x2_0000n;
const RSDP = 0xe_0000n;
const PCI_CONFIG: E820Entry = { addr: 0xeec0_0000n, size: 0x1000_0000n, type: 2 };
const SEGMENTS = "long mode, identity map, segments 0x08/0x10 and not 0x10/0x18, " +
  "rsp and rbp 0x8ff0, rsi → zero page";

/** The row. */
export const firecracker: Loader = {
  title: "Firecracker",
  source: "src/vmm/src/arch/x86_64; its map as a guest of 2026 shows it",
  quirks: [
    "for a vmlinux it fakes a header without a version",
    "enters with code at selector 0x08 and data at 0x10",
    "kernel_alignment is 16 MiB, whatever the kernel is built with",
    "ACPI's root pointer is told, at 0xe0000",
  ],
  loadsElf: true,
  processor: { code: 0x08, data: 0x10, stack: 0x8ff0 },
  map(memory: bigint): E820Entry[] {
    const [low, , , ...high] = pcMemoryMap(memory);
    return [
      ...(low ? [low] : []),
      // No BIOS: up to its ACPI tables everything is its own.
      { addr: EBDA_START, size: RSDP - EBDA_START, type: 2 },
      PCI_CONFIG,
      ...high,
    ];
  },
  load(boot: Handover): void {
    const { kernel, map } = boot.cargo;
    boot.placePage({ at: PAGE_ADDRESS, why: "fixed" });
    boot.placeCommandLine({ at: COMMAND_LINE, size: 2048n, why: "fixed, 2 KiB" });
    boot.checkCommandLine(2047);
    if (kernel.kind === "image") boot.copyHeader();
    boot.placeKernel();
    boot.enterProtected({ only64: true });
    for (const entry of boot.entries.splice(0)) boot.entries.push({ ...entry, state: SEGMENTS });

    const { page } = boot;
    page.set("setup_header.type_of_loader", 0xff, "loader");
    page.set("setup_header.boot_flag", 0xaa55, "loader");
    page.set("setup_header.header", 0x53726448, "loader");
    page.set("setup_header.cmd_line_ptr", boot.commandLineAddress, "loader");
    page.set("setup_header.cmdline_size", boot.commandLineSize, "loader");
    page.set("setup_header.kernel_alignment", 0x100_0000, "loader");
    const top = map.filter(({ type, addr }) => type === 1 && addr < 1n << 32n)
      .map(({ addr, size }) => addr + size).reduce((a, b) => a > b ? a : b, 0n);
    boot.placeInitrd({ below: top, why: "the end of memory below the device hole" });
    boot.setPlatform();
    boot.setParam("acpi_rsdp_addr", RSDP);
    boot.writeE820();
    boot.writeSetupData({ from: 0x3_0000n, below: 0x9_0000n, why: "low memory" });
  },
};
