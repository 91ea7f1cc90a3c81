/**
 * Which real images the integration tests want, and where Debian has them.
 *
 * A row names a package to start from, not a version: what the suite has on the
 * day decides. Packages that a release splits (the kernel into `linux-image`,
 * `linux-binary` and `linux-base`) are reached by following dependencies.
 *
 * @module
 */

/** What sort of thing a file is, so that tests can pick theirs. */
export type Kind =
  | "linux" // a Linux kernel for x86
  | "header" // not Linux, but starts with its setup header
  | "multiboot" // a multiboot kernel
  | "foreign" // a Linux kernel for another processor
  | "elf" // an ELF file with notes of interest
  | "pe" // a PE file: boot loader, stub
  | "iso" // a file system image
  | "initrd" // an initial RAM disk
  | "program" // a static program, to be run in an initramfs
  | "config" // a kernel's .config
  | "symbols"; // a kernel's System.map

/** One file to keep of a package. */
export interface WantedFile {
  /** Identifier; the row's own where absent. */
  readonly id?: string;
  /** The file's path in the package, without the leading dot. */
  readonly match: RegExp;
  /** What it is. */
  readonly kind: Kind;
  /** The row does without it, and smaller ones are mere placeholders (bytes). */
  readonly atLeast?: number;
}

/** One row: a package and what to keep of it. */
export interface Wanted {
  /** Identifier, also the folder the files are kept in. */
  readonly id: string;
  /** Debian release, by code name. */
  readonly suite: string;
  /** Debian architecture. */
  readonly architecture: string;
  /** The package to start from. */
  readonly package: string;
  /** Dependencies to follow; the packages so found are opened as well. */
  readonly follow?: RegExp;
  /** Turns the packages found into others, such as their unsigned twins. */
  readonly instead?: (name: string) => readonly string[];
  /** What it is, in a few words. */
  readonly what: string;
  /** The files to keep. */
  readonly files: readonly WantedFile[];
}

const kernelPackages = /^linux-(image|binary|base)-\d/;

function kernelFiles(id: string, kind: Kind): readonly WantedFile[] {
  return [
    {
      match: /^\/(boot\/(vmlinuz|vmlinux)-.*|usr\/lib\/modules\/[^/]+\/(vmlinuz|vmlinux)[^/]*)$/,
      kind,
    },
    {
      id: `${id}.config`,
      match: /^\/(boot\/config-.*|usr\/lib\/modules\/[^/]+\/config)$/,
      kind: "config",
    },
    {
      id: `${id}.symbols`,
      match: /^\/(boot\/System\.map-.*|usr\/lib\/modules\/[^/]+\/System\.map)$/,
      kind: "symbols",
      atLeast: 4096,
    },
  ];
}

function linux(
  id: string,
  suite: string,
  flavour: string,
  what: string,
  architecture = "amd64",
  kind: Kind = "linux",
): Wanted {
  return {
    id,
    suite,
    architecture,
    package: `linux-image-${flavour}`,
    follow: kernelPackages,
    what,
    files: kernelFiles(id, kind),
  };
}

/** The same kernel before it was signed: its CRC is still that of the build. */
function unsigned(row: Wanted): Wanted {
  const id = `${row.id}-unsigned`;
  return {
    ...row,
    id,
    what: `${row.what}, not signed`,
    instead: (name) => {
      const release = /^linux-(image|binary)-(\d.*)$/.exec(name)?.[2];
      return release === undefined
        ? [name]
        : [`linux-image-${release}-unsigned`, `linux-binary-unsigned-${release}`];
    },
    files: kernelFiles(id, "linux"),
  };
}

function tool(
  id: string,
  suite: string,
  name: string,
  what: string,
  files: readonly WantedFile[],
  more: { readonly follow?: RegExp; readonly architecture?: string } = {},
): Wanted {
  return { id, suite, architecture: "amd64", package: name, what, files, ...more };
}

const mach = { follow: /^gnumach-image-\d+\.\d+-[a-z0-9-]+$/ };

/** All that the integration tests know how to use, dearest first. */
export const wanted: readonly Wanted[] = [
  linux("linux-6.1-cloud-amd64", "bookworm", "cloud-amd64", "Linux 6.1 for clouds, 64 bits"),
  linux("linux-6.1-686", "bookworm", "686", "Linux 6.1, 32 bits without PAE", "i386"),
  linux("linux-6.1-686-pae", "bookworm", "686-pae", "Linux 6.1, 32 bits with PAE", "i386"),
  linux("linux-newest-cloud-amd64", "sid", "cloud-amd64", "the newest Linux for clouds"),
  linux("linux-newest-amd64", "sid", "amd64", "the newest Linux"),
  linux("linux-newest-rt-amd64", "sid", "rt-amd64", "the newest Linux, real time"),
  unsigned(linux("linux-newest-cloud-amd64", "sid", "cloud-amd64", "the newest Linux for clouds")),
  linux("linux-6.12-cloud-amd64", "trixie", "cloud-amd64", "Linux 6.12 for clouds"),
  linux("linux-5.10-686", "bullseye", "686", "Linux 5.10, 32 bits without PAE", "i386"),
  linux("linux-5.10-686-pae", "bullseye", "686-pae", "Linux 5.10, 32 bits with PAE", "i386"),
  linux("linux-5.10-cloud-amd64", "bullseye", "cloud-amd64", "Linux 5.10 for clouds"),
  linux("linux-6.1-amd64", "bookworm", "amd64", "Linux 6.1, 64 bits"),
  linux("linux-6.12-amd64", "trixie", "amd64", "Linux 6.12, 64 bits"),
  unsigned(linux("linux-6.1-cloud-amd64", "bookworm", "cloud-amd64", "Linux 6.1 for clouds")),
  tool(
    "memtest86+-5",
    "bullseye",
    "memtest86+",
    "Memtest86+ 5, a boot sector with its own loader",
    [
      { match: /^\/boot\/memtest86\+\.bin$/, kind: "header" },
      { id: "memtest86+-5.multiboot", match: /memtest86\+_multiboot\.bin$/, kind: "multiboot" },
      { id: "memtest86+-5.elf", match: /memtest86\+\.elf$/, kind: "elf" },
    ],
  ),
  tool("memtest86+-6", "bookworm", "memtest86+", "Memtest86+ 6, bzImage for either word size", [
    { match: /^\/boot\/memtest86\+x64\.bin$/, kind: "header" },
    { id: "memtest86+-6-ia32", match: /^\/boot\/memtest86\+ia32\.bin$/, kind: "header" },
    { id: "memtest86+-6.efi", match: /^\/boot\/memtest86\+x64\.efi$/, kind: "pe" },
    { id: "memtest86+-6.iso", match: /memtest86\+x64\.iso$/, kind: "iso" },
  ]),
  tool("memtest86+-7", "trixie", "memtest86+", "Memtest86+ 7, bzImage for either word size", [
    { match: /^\/boot\/(memtest86\+x64\.bin|mt86\+x64)$/, kind: "header" },
    {
      id: "memtest86+-7-ia32",
      match: /^\/boot\/(memtest86\+ia32\.bin|mt86\+ia32)$/,
      kind: "header",
    },
  ]),
  tool("memtest86+-newest", "sid", "memtest86+", "the newest Memtest86+", [
    { match: /^\/boot\/(memtest86\+x64\.bin|mt86\+x64)$/, kind: "header" },
    {
      id: "memtest86+-newest-ia32",
      match: /^\/boot\/(memtest86\+ia32\.bin|mt86\+ia32)$/,
      kind: "header",
    },
  ]),
  tool("memtest86", "bullseye", "memtest86", "Memtest86 4, a boot sector with its own loader", [
    { match: /^\/boot\/memtest86\.bin$/, kind: "header" },
    { id: "memtest86.elf", match: /memtest86\.elf$/, kind: "elf" },
  ]),
  tool("ipxe-1.0", "bookworm", "ipxe", "iPXE 1.0", [
    { match: /\/ipxe\.lkrn$/, kind: "header" },
  ]),
  tool("ipxe-1.21", "trixie", "ipxe", "iPXE 1.21", [
    { match: /\/ipxe\.lkrn$/, kind: "header" },
  ]),
  tool("ipxe-newest", "sid", "ipxe", "the newest iPXE", [
    { match: /\/ipxe\.lkrn$/, kind: "header" },
    { id: "ipxe-newest.efi", match: /\/ipxe-amd64\.efi$/, kind: "pe" },
    { id: "ipxe-newest.arm64.efi", match: /\/ipxe-arm64\.efi$/, kind: "pe" },
  ]),
  tool("memdisk", "bookworm", "syslinux-common", "Syslinux MEMDISK, a kernel that is a disk", [
    { match: /\/syslinux\/memdisk$/, kind: "header" },
  ]),
  tool("gnumach-486", "bookworm", "gnumach-image-1-486", "GNU Mach, 32 bits, gzipped multiboot", [
    { match: /^\/boot\/gnumach-.*\.gz$/, kind: "multiboot" },
  ], mach),
  tool("gnumach-xen-486", "bookworm", "gnumach-image-1-xen-486", "GNU Mach for Xen, 32 bits", [
    { match: /^\/boot\/gnumach-.*\.gz$/, kind: "elf" },
  ], mach),
  tool("gnumach-amd64", "sid", "gnumach-image-1-amd64", "GNU Mach, 64 bits, gzipped multiboot", [
    { match: /^\/boot\/gnumach-.*\.gz$/, kind: "multiboot" },
  ], mach),
  tool("lnxboot", "bookworm", "grub-pc-bin", "GRUB's Linux header, to be put before its core", [
    { match: /\/i386-pc\/lnxboot\.img$/, kind: "header" },
  ]),
  tool("grub-xen", "bookworm", "grub-xen-bin", "GRUB as a Xen guest", [
    { id: "grub-xen-i386", match: /\/i386-xen\/kernel\.img$/, kind: "elf" },
    { id: "grub-xen-pvh", match: /\/i386-xen_pvh\/kernel\.img$/, kind: "elf" },
    { id: "grub-xen-amd64", match: /\/x86_64-xen\/kernel\.img$/, kind: "elf" },
  ]),
  tool("xen", "bookworm", "xen-system-amd64", "Xen hypervisor, gzipped and for EFI", [
    { match: /^\/boot\/xen-.*\.gz$/, kind: "multiboot" },
    { id: "xen.efi", match: /^\/boot\/xen-.*\.efi$/, kind: "pe" },
  ], { follow: /^xen-hypervisor-\d[0-9.]*-amd64$/ }),
  tool(
    "systemd-boot",
    "trixie",
    "systemd-boot-efi",
    "systemd's loader and its stub for unified images",
    [
      { match: /\/systemd-bootx64\.efi$/, kind: "pe" },
      { id: "systemd-stub", match: /\/linuxx64\.efi\.stub$/, kind: "pe" },
    ],
  ),
  linux(
    "linux-6.1-cloud-arm64",
    "bookworm",
    "cloud-arm64",
    "Linux 6.1 for arm64",
    "arm64",
    "foreign",
  ),
  linux(
    "linux-newest-cloud-arm64",
    "sid",
    "cloud-arm64",
    "newest Linux for arm64",
    "arm64",
    "foreign",
  ),
  tool("installer", "trixie", "debian-installer-13-netboot-riscv64", "Debian's installer, RISC-V", [
    { id: "linux-6.12-riscv64", match: /\/riscv64\/linux$/, kind: "foreign" },
    { id: "installer-initrd", match: /\/riscv64\/initrd\.gz$/, kind: "initrd" },
  ]),
  tool("busybox-amd64", "bookworm", "busybox-static", "static BusyBox, 64 bits", [
    { match: /\/bin\/busybox$/, kind: "program" },
  ]),
  tool("busybox-i386", "bookworm", "busybox-static", "static BusyBox, 32 bits", [
    { match: /\/bin\/busybox$/, kind: "program" },
  ], { architecture: "i386" }),
];
