/**
 * kexec-tools: one kernel loads the next from user space, and purgatory jumps.
 *
 * 32-bit kernels get their page in low memory, just large enough for the setup
 * sectors that are not there; 64-bit ones may get everything as high as there
 * is memory. The real one fills in the running machine's screen, disks, EFI and
 * platform type; here there is no machine to ask.
 *
 * @module
 */

import type { Handover } from "./handover.ts";
import type { Loader } from "./loader.ts";

const LOWEST = 0x3000n;
const LOW_END = 0xa_0000n;
/** Room behind the command line that purgatory may add to. */
const PURGATORY_CMDLINE_SIZE = 64n;
/** Most bytes of header it copies. */
const HEADER_MOST = 0x7f;

/** Bytes of header kexec-tools copies: the byte at 0x201 is read as a signed char. */
function headerLength(image: Uint8Array): number {
  const jump = image[0x201] ?? 0;
  const length = (jump < 0x80 ? jump : jump - 0x100) + 0x202 - 0x1f1;
  // As an unsigned number a negative length is a very large one.
  return length < 0 || length > HEADER_MOST ? HEADER_MOST : length;
}

/** The row. */
export const kexec: Loader = {
  title: "kexec-tools, kexec -l",
  source: "kexec/arch/i386 and x86_64 of kexec-tools, July 2026",
  quirks: [
    "loadflags is 0: even LOADED_HIGH is lost",
    "root_dev is 0x0300 and root_flags 0xffff, whatever the image says",
    'clears byte 0x1ff, the upper half of boot_flag, as "no PS/2 mouse"',
    "copies the platform type of the running kernel",
  ],
  loadsElf: true,
  load(boot: Handover): void {
    const { kernel } = boot.cargo;
    const is64 = kernel.kind === "image" && boot.version >= 0x20c && boot.has64 &&
      boot.mayBeAbove4G;
    // For a kernel without setup sectors the struct ends at 0xeec, and the command
    // line follows; the comment beside it says 0x1000.
    const room = kernel.kind === "elf" ? 0xeecn : BigInt(Math.max(boot.setupSize, 4096));
    const size = room + boot.commandLineSize + PURGATORY_CMDLINE_SIZE;
    boot.placePage({
      // The kernel reads a whole page, whatever was allotted.
      size: size < 4096n ? 4096n : size,
      align: 16n,
      from: LOWEST,
      ...(is64 ? { highest: true } : { below: LOW_END }),
      why: `setup sectors' room and command line in one piece, ${is64 ? "top down" : "low"}`,
    });
    boot.commandLineAddress = boot.pageAddress + room;
    boot.checkCommandLine(2047);

    if (kernel.kind === "image") boot.copyHeader(0x1f1 + headerLength(kernel.bytes));
    else {
      boot.fakeHeader(0x206);
      boot.set("initrd_addr_max", 0x37ff_ffff);
      boot.set("cmdline_size", 2048);
    }
    boot.placeKernel({
      highest: is64,
      why: is64 ? "top down, aligned" : "lowest place from its preferred address up",
    });
    boot.enterProtected(is64 ? { only64: true } : { only32: true });

    boot.set("type_of_loader", 0xd0);
    boot.set("loadflags", 0);
    boot.placeInitrd({ why: is64 ? "top down" : "top down below initrd_addr_max" });
    boot.pointToOldCommandLine(room);
    boot.pointToCommandLine();
    boot.writeCommandLineIntoPage();

    // What the BIOS would have told the setup code.
    boot.setPlatform();
    boot.writeTextScreen();
    boot.set("root_flags", 0xffff);
    boot.set("root_dev", 0x0300);
    boot.page.write(0x1ff, Uint8Array.of(0), "loader");
    boot.writeOldMemory();
    boot.writeE820();
    boot.writeSetupData({ from: LOWEST, below: LOW_END, why: "as its other small parts" });
  },
};
