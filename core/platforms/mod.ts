/**
 * The dispatch table over platform types.
 *
 * One row a platform; `hardware_subarch` at 0x23c in the boot header is the
 * index of the numbered ones. Adding one is one file in this folder and one row
 * here: names, completion, help and refusals come from the table.
 *
 * @module
 */

import { ce4100, intelMid } from "./intel.ts";
import { lguest } from "./lguest.ts";
import { multiboot, multiboot2 } from "./multiboot.ts";
import { pc } from "./pc.ts";
import type { Platform } from "./platform.ts";
import { unnumbered } from "./unnumbered.ts";
import { xen } from "./xen.ts";

// Tour handover 040
//
// And then one number decides which machine the kernel believes in. In May 2007
// the kernel list replaced guessing (is this the right privilege level? does that
// ROM look like VMware's?) by `hardware_subarch` in the boot header: 0 a PC,
// 1 lguest, 2 Xen. The kernel dispatches on it; so does this table.
/** The rows, by the name that `--platform` takes. */
export const platforms: Readonly<Record<string, Platform>> = {
  pc,
  lguest,
  xen,
  "intel-mid": intelMid,
  ce4100,
  multiboot,
  multiboot2,
};

/** What a name on the command line stands for. */
export type PlatformChoice =
  | { readonly kind: "row"; readonly name: string; readonly platform: Platform }
  | { readonly kind: "number"; readonly number: number }
  | {
    readonly kind: "unnumbered";
    readonly name: string;
    readonly title: string;
    readonly answer: string;
  };

/**
 * Finds a platform by name, alias or number.
 *
 * A number without a row is legal: it is set in the header, and the kernel is
 * entered as on a PC.
 *
 * @returns Undefined for a name nobody knows.
 */
export function findPlatform(name: string): PlatformChoice | undefined {
  const key = name.toLowerCase();
  if (/^(0x[0-9a-f]+|\d+)$/.test(key)) {
    const number = Number(key);
    if (number > 0xffff_ffff) return undefined;
    for (const [row, platform] of Object.entries(platforms)) {
      if (platform.subarch === number) return { kind: "row", name: row, platform };
    }
    return { kind: "number", number };
  }
  for (const [row, platform] of Object.entries(platforms)) {
    if (row === key || platform.aliases?.includes(key)) return { kind: "row", name: row, platform };
  }
  const other = Object.hasOwn(unnumbered, key) ? unnumbered[key] : undefined;
  return other && { kind: "unnumbered", name: key, ...other };
}
