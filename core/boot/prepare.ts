/**
 * From the bytes of an image to a plan: what a boot needs before there is a
 * machine.
 *
 * @module
 */

import { Board, type Profile, type ProfileName } from "../../emu/board.ts";
import type { UkiSectionName } from "../../formats/uki.ts";
import { type Bootable, openBootable } from "./bootable.ts";
import { type BootPlan, planBoot, type PlanOptions } from "./plan.ts";

/** What to prepare. */
export interface PrepareOptions extends PlanOptions {
  /** The image's name, for messages. */
  readonly path?: string;
  /** What the machine has; its ACPI tables follow from it. Default classic. */
  readonly profile?: ProfileName | Profile;
  /** Whether a Linux kernel without an initrd is given a small init of ours; default true. */
  readonly builtinInit?: boolean;
  /** Told of bytes unpacked and, if known, of how many there will be. */
  readonly progress?: (done: number, total: number | undefined) => void;
}

/** An image, opened, with the plan of its boot. */
export interface Prepared {
  /** The image. */
  readonly image: Bootable;
  /** What goes where. */
  readonly plan: BootPlan;
}

/**
 * Opens an image and plans its boot. A unified kernel image brings its own
 * command line and initrd, where none are given; a command line that is not given
 * names the serial console.
 *
 * ```ts ignore
 * const { plan } = await prepareBoot(bytes, { commandLine: "console=ttyS0" });
 * const machine = new Machine({ memory: plan.memory, cpu: plan.cpu, serial: console.log });
 * applyPlan(plan, machine);
 * ```
 *
 * @throws {BootError} If the image cannot be booted as asked.
 */
export async function prepareBoot(
  bytes: Uint8Array,
  options: PrepareOptions = {},
): Promise<Prepared> {
  const { path, progress, profile = "classic" } = options;
  // Platforms other than the PC are told by what is inside.
  const isPc = /^(pc(16|64)?|0)$/i.test(options.platform ?? "pc");
  const image = await openBootable(bytes, {
    ...(path !== undefined && { path }),
    ...(progress && { progress }),
    unpack: options.entry === "direct" || !isPc,
  });
  const initrd = options.initrd ?? part(image, ".initrd") ?? await initFor(image, options);
  const commandLine = options.commandLine ??
    withSerialConsole(text(part(image, ".cmdline")) ?? "");
  // Tables depend on what the board has and on nothing that runs.
  const board = new Board({ profile });
  const plan = await planBoot(image, {
    acpiTables: (base) => board.acpiTables(base),
    ...options,
    ...(initrd !== undefined && { initrd }),
    commandLine,
  });
  return { image, plan };
}

/** A command line, with the serial console added where no console is named. */
export function withSerialConsole(commandLine: string): string {
  return /(^|\s)console=/.test(commandLine) ? commandLine : `console=ttyS0 ${commandLine}`.trim();
}

/** Our own initramfs, for a Linux kernel that knows what one is. */
async function initFor(
  { bits, inspection: { boot }, evidence: { isLinux } }: Bootable,
  { builtinInit = true, set = {} }: PrepareOptions,
): Promise<Uint8Array | undefined> {
  const isKernel = boot === undefined ? isLinux : boot.payload?.format !== undefined;
  // 2.03 came shortly before 2.6, the first release that takes an archive.
  const isOld = boot !== undefined && boot.header.version < 0x203;
  const isTaken = Object.keys(set).some((field) => /ramdisk_(image|size)$/.test(field));
  if (!builtinInit || !isKernel || isOld || isTaken || bits === undefined) return undefined;
  const { builtinInitramfs } = await import("../init/initramfs.ts");
  return builtinInitramfs(bits);
}

/** A section of a unified kernel image. */
function part({ inspection: { uki, bytes } }: Bootable, name: UkiSectionName) {
  const section = uki?.sections.find((section) => section.name === name);
  return section && bytes.subarray(section.offset, section.offset + section.size);
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes).replace(/[\0\s]+$/, "");
}
