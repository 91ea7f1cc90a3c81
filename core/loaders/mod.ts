/**
 * The table of boot loaders.
 *
 * A row tells how one loader hands a kernel over: what it puts where, which
 * fields it fills in, and where it departs from the boot protocol. Adding one is
 * one file in this folder and one row here.
 *
 * @module
 */

import { elilo } from "./elilo.ts";
import { firecracker } from "./firecracker.ts";
import { grub } from "./grub.ts";
import { gujin } from "./gujin.ts";
import { kexec } from "./kexec.ts";
import { lguest } from "./lguest.ts";
import type { Loader } from "./loader.ts";
import { loadlin } from "./loadlin.ts";
import { qemu } from "./qemu.ts";
import { zeropage } from "./zeropage.ts";

/** Loaders by the names that `--loader` takes. */
export const loaderNames = [
  "zeropage",
  "kexec",
  "qemu",
  "grub",
  "lguest",
  "elilo",
  "gujin",
  "loadlin",
  "firecracker",
] as const;
/** Name of a loader. */
export type LoaderName = typeof loaderNames[number];

/** The rows. */
export const loaders: Readonly<Record<LoaderName, Loader>> = {
  zeropage,
  kexec,
  qemu,
  grub,
  lguest,
  elilo,
  gujin,
  loadlin,
  firecracker,
};
