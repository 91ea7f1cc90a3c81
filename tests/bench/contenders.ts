/**
 * Who boots: bootrun, and those it is measured against.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { outputOf } from "./observe.ts";

/** What all of them are given. */
export interface Boot {
  /** The kernel's word size. */
  readonly bits: 32 | 64;
  /** File of the kernel. */
  readonly kernel: string;
  /** File of the initramfs. */
  readonly initrd: string;
  /** The kernel's command line. */
  readonly commandLine: string;
  /** Bytes of memory; whole MiB. */
  readonly memory: number;
}

/** One that boots. */
export interface Contender {
  /** What to call it. */
  readonly name: string;
  /** The command that boots. */
  readonly words: (boot: Boot) => readonly string[];
}

/** One that boots, or the reason why it does not. */
export type Entry = Contender | { readonly name: string; readonly missing: string };

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const deno = (...args: readonly string[]) => [Deno.execPath(), "run", "-q", ...args];

/** Bootrun, with further options. */
export function ours(name: string, ...options: readonly string[]): Contender {
  return {
    name,
    words: ({ kernel, initrd, commandLine, memory }) => [
      ...deno("-P=inspect", script("../../cli/bootrun.ts"), "--quiet", ...options),
      ...["--memory", `${memory >> 20}M`, "--initrd", initrd, "--append", commandLine, kernel],
    ],
  };
}

const qemuOf = (bits: 32 | 64) => bits === 32 ? "qemu-system-i386" : "qemu-system-x86_64";

/** QEMU's translator on one processor, with no more devices than it needs: no network, no disk. */
export async function qemu(bits: 32 | 64): Promise<Entry> {
  const program = qemuOf(bits);
  const version = /version (\S+)/.exec(await outputOf(program, "--version") ?? "")?.[1];
  if (version === undefined) return { name: "QEMU", missing: `${program} is not installed` };
  return {
    name: `QEMU ${version} TCG`,
    words: ({ kernel, initrd, commandLine, memory }) => [
      ...[program, "-accel", "tcg", "-smp", "1", "-m", String(memory >> 20)],
      ...["-nographic", "-no-reboot", "-nic", "none"],
      ...["-kernel", kernel, "-initrd", initrd, "-append", commandLine],
    ],
  };
}

/** V86, under the runtime that runs bootrun too. */
export async function v86(bits: 32 | 64): Promise<Entry> {
  const name = "v86";
  if (bits === 64) return { name, missing: "it has no 64-bit mode" };
  const folders = await firmwareFolders();
  const bios = firstFile(folders, ["bios.bin"]);
  const vgaBios = firstFile(folders, ["vgabios-stdvga.bin", "vgabios.bin"]);
  if (bios === undefined || vgaBios === undefined) {
    return { name, missing: "it needs SeaBIOS, bios.bin and vgabios-stdvga.bin" };
  }
  const run = deno("-P=tools", "--no-lock", script("v86_boot.ts"));
  const [program = "", ...args] = run;
  const version = /@(\S+)/.exec(await outputOf(program, ...args) ?? "")?.[1];
  if (version === undefined) return { name, missing: "its package cannot be loaded" };
  return {
    name: `v86 ${version}`,
    words: ({ kernel, initrd, commandLine, memory }) => [
      ...run,
      ...[bios, vgaBios, String(memory), kernel, initrd, commandLine],
    ],
  };
}

/** Where QEMU and distributions keep firmware. */
async function firmwareFolders(): Promise<readonly string[]> {
  const told = await Promise.all(
    ([32, 64] as const).map((bits) => outputOf(qemuOf(bits), "-L", "help")),
  );
  const shares = ["/usr/share", "/usr/local/share", "/opt/homebrew/share"];
  return [
    ...told.flatMap((text) => (text ?? "").split("\n")).filter((line) => line !== ""),
    ...shares.flatMap((share) => ["seabios", "qemu", "kvm"].map((name) => join(share, name))),
  ];
}

function firstFile(folders: readonly string[], names: readonly string[]): string | undefined {
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
