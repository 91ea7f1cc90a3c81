/**
 * Initramfs with a shell: Debian's static busybox, and a script to be the first
 * process.
 *
 * Two scripts: one that gives a shell on the console, and one that works and
 * prints what came out, so that machines can be held against each other by
 * results alone.
 *
 * @module
 */

import { join } from "node:path";
import { type CpioInput, encodeCpio } from "../../formats/initramfs/encode_cpio.ts";
import { image, readImage } from "./images.ts";

/** Commands that can be called by their names; the rest as `busybox NAME`. */
const commands = [
  ..."[ awk cat chmod clear cmp cp cut date dd df dmesg echo env expr false find free".split(" "),
  ..."grep gunzip gzip head hexdump id kill less ln ls md5sum mkdir mknod mount mv od".split(" "),
  ..."poweroff printf ps pwd reboot rm rmdir sed seq setsid sh sha256sum sleep sort stty".split(
    " ",
  ),
  ..."sync tail test time top touch tr true tty umount uname uniq uptime vi wc which xxd".split(
    " ",
  ),
];

const file = (name: string, mode: number, data: Uint8Array): CpioInput => ({ name, mode, data });
const device = (name: string, major: number, minor: number): CpioInput => ({
  name: `dev/${name}`,
  mode: 0o020600,
  rdev: { major, minor },
});

/** An initramfs of busybox whose first process is a script. */
export function shellInitramfs(busybox: Uint8Array, script: string): Uint8Array {
  const directories = ["bin", "dev", "proc", "root", "sys", "tmp"];
  return encodeCpio([
    ...directories.map((name) => ({ name, mode: 0o040755 })),
    device("console", 5, 1),
    device("null", 1, 3),
    device("zero", 1, 5),
    device("tty", 5, 0),
    device("tty0", 4, 0),
    device("ttyS0", 4, 64),
    device("hvc0", 229, 0),
    file("bin/busybox", 0o100755, busybox),
    ...commands.map((name) => ({ name: `bin/${name}`, mode: 0o120777, target: "busybox" })),
    file("init", 0o100755, new TextEncoder().encode(script)),
  ]);
}

const start = `#!/bin/sh
export PATH=/bin HOME=/root PS1='\\w # ' TERM=linux
mount -t proc proc /proc
mount -t sysfs sysfs /sys
`;

/** Gives a shell on the console, and powers off when it ends. */
export const interactiveScript: string = `${start}
cd /root
echo
echo "Linux $(uname -r) on $(uname -m). This shell is busybox; exit powers off."
setsid busybox cttyhack sh
sync
poweroff -f
`;

/** How much there is to do; the whole is some 3.6 billion instructions. */
export interface Workload {
  /** Rounds of shell arithmetic. */
  readonly rounds: number;
  /** Lines of numbers to be packed and hashed. */
  readonly lines: number;
  /** Processes, one after the other. */
  readonly processes: number;
}

/** The whole workload, for measuring. */
export const wholeWorkload: Workload = { rounds: 64_000, lines: 250_000, processes: 200 };
/** A twenty-fifth of it, for tests. */
export const smallWorkload: Workload = { rounds: 2_000, lines: 10_000, processes: 20 };

/**
 * Works in three parts, prints a line of results of each, and powers off.
 *
 * a: arithmetic in the shell; b: numbers packed, unpacked and hashed; c: many
 * processes whose output is read.
 */
export function workloadScript({ rounds, lines, processes }: Workload): string {
  return `${start}
echo "workload: start"
i=0 s=1
while [ $i -lt ${rounds} ]; do
  s=$(( (s * 31 + i) % 65521 )) i=$((i + 1))
done
echo "workload: a $s"
seq 1 ${lines} > /tmp/data
gzip -c < /tmp/data > /tmp/data.gz
set -- $(sha256sum < /tmp/data) $(sha256sum < /tmp/data.gz) $(gunzip -c /tmp/data.gz | sha256sum)
[ "$1" = "$5" ] || echo "workload: unpacking gave $5"
echo "workload: b $1 $3 $(wc -c < /tmp/data.gz)"
n=0 t=0
while [ $n -lt ${processes} ]; do
  t=$((t + $(busybox expr $n '*' $n))) n=$((n + 1))
done
echo "workload: c $t"
echo "workload: done"
sync
poweroff -f
`;
}

/** The scripts by name. */
export const scripts: Readonly<Record<string, () => string>> = {
  shell: () => interactiveScript,
  workload: () => workloadScript(wholeWorkload),
  small: () => workloadScript(smallWorkload),
};

/**
 * An initramfs of a script and the busybox that was fetched for an architecture;
 * undefined where it was not.
 */
export function fetchedShell(
  architecture: "i386" | "amd64",
  script: string,
  folder?: string,
): Uint8Array | undefined {
  const busybox = image(`busybox-${architecture}`, folder);
  return busybox && shellInitramfs(readImage(busybox), script);
}

/** Writes an initramfs of every script for every busybox there is; returns where. */
export function makeShells(folder: string): readonly string[] {
  const place = join(folder, "initramfs");
  return (["i386", "amd64"] as const).flatMap((architecture) =>
    Object.entries(scripts).flatMap(([name, script]) => {
      const bytes = fetchedShell(architecture, script(), folder);
      if (bytes === undefined) return [];
      Deno.mkdirSync(place, { recursive: true });
      const path = join(place, `${name}-${architecture}.cpio`);
      Deno.writeFileSync(path, bytes);
      return [path];
    })
  );
}
