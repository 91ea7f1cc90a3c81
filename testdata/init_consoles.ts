/**
 * What the built-in init printed on real kernels in QEMU 7.2 (TCG, `-m 512`,
 * `-kernel VMLINUZ -initrd INITRAMFS -append console=ttyS0`), by the kernel's
 * release; each powered off after it.
 *
 * @module
 */

/** What stood on the console. */
export interface InitConsole {
  /** Where the kernel is: an identifier of the fetched images. */
  readonly image: string;
  /** The kernel's word size. */
  readonly bits: 32 | 64;
  /** The release, `uname -r`. */
  readonly release: string;
  /** The version, `uname -v`. */
  readonly version: string;
  /** Memory in KiB, of 512 MiB, and what of it was free. */
  readonly memory: readonly [total: number, free: number];
}

/** The kernels, oldest first. */
export const initConsoles: readonly InitConsole[] = [
  {
    image: "linux-5.10-686",
    bits: 32,
    release: "5.10.0-32-686",
    version: "#1 SMP Debian 5.10.223-1 (2024-08-10)",
    memory: [505080, 495768],
  },
  {
    image: "linux-5.10-686-pae",
    bits: 32,
    release: "5.10.0-32-686-pae",
    version: "#1 SMP Debian 5.10.223-1 (2024-08-10)",
    memory: [505052, 495712],
  },
  {
    image: "linux-5.10-cloud-amd64",
    bits: 64,
    release: "5.10.0-46-cloud-amd64",
    version: "#1 SMP Debian 5.10.262-1 (2026-07-31)",
    memory: [487132, 468572],
  },
  {
    image: "linux-6.1-686",
    bits: 32,
    release: "6.1.0-50-686",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
    memory: [502732, 490816],
  },
  {
    image: "linux-6.1-686-pae",
    bits: 32,
    release: "6.1.0-50-686-pae",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
    memory: [502492, 490436],
  },
  {
    image: "linux-6.1-cloud-amd64",
    bits: 64,
    release: "6.1.0-56-cloud-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
    memory: [481296, 454324],
  },
  {
    image: "linux-6.1-amd64",
    bits: 64,
    release: "6.1.0-56-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
    memory: [468416, 441884],
  },
  {
    image: "linux-6.12-cloud-amd64",
    bits: 64,
    release: "6.12.117+deb13-cloud-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-12)",
    memory: [475860, 448600],
  },
  {
    image: "linux-6.12-amd64",
    bits: 64,
    release: "6.12.117+deb13-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-12)",
    memory: [475256, 451224],
  },
  {
    image: "linux-newest-cloud-amd64",
    bits: 64,
    release: "7.2.13+deb14-cloud-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 7.2.13-1 (2026-10-28)",
    memory: [472164, 444008],
  },
  {
    image: "linux-newest-amd64",
    bits: 64,
    release: "7.2.13+deb14-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 7.2.13-1 (2026-10-28)",
    memory: [471004, 440236],
  },
];

/** The lines that the init prints; numbers of memory are the machine's. */
export function initLines(
  { bits, release, version, memory: [total, free] }: Omit<InitConsole, "image">,
): readonly string[] {
  return [
    "userspace reached, this is process 1",
    `Linux ${release}, ${bits === 32 ? "i686" : "x86_64"}`,
    version,
    `${total} KiB of memory, ${free} KiB free`,
    "all is well, powering off",
  ].map((line) => `zeropage: ${line}`);
}
