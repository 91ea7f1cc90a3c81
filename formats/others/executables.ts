/**
 * ELF and PE files in brief, and the kernels among them that are not Linux.
 *
 * Only what tells one program from another is read here; the whole of both
 * formats is elf.ts and pe.ts.
 *
 * @module
 */

import {
  elf32Ehdr,
  elf32Phdr,
  elf64Ehdr,
  elf64Phdr,
  elfTypes,
  machineName,
  PT_LOAD,
} from "../elf_tables.ts";
import { hex } from "../errors.ts";
import { decode, type Decoded } from "../layout.ts";
import {
  coffHeader,
  machines,
  optionalHeader32,
  optionalHeader64,
  PE,
  sectionHeader,
  subsystems,
} from "../pe_headers.ts";
import { type Field, field, type Finding, findText, hasText, showSize, textAt } from "./finding.ts";
import {
  findMultiboot1,
  findMultiboot2,
  multiboot1Fields,
  multiboot2Fields,
  showMultiboot1Flags,
} from "./multiboot.ts";

/** Most program or section headers that are looked at. */
const MOST = 96;

/** What tells ELF files apart. */
interface ElfBrief {
  readonly bits: 32 | 64;
  readonly isLittle: boolean;
  readonly type: number;
  readonly machine: number;
  readonly entry: number | bigint;
  readonly loads: readonly { readonly vaddr: bigint; readonly paddr: bigint }[];
  readonly sections: number;
}

function readElf(bytes: Uint8Array): ElfBrief | undefined {
  const isLittle = bytes[5] === 1;
  const is64 = bytes[4] === 2;
  const size = is64 ? elf64Ehdr.size : elf32Ehdr.size;
  if (bytes.length < size) return undefined;
  if (!isLittle) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [type, machine] = [view.getUint16(0x10), view.getUint16(0x12)];
    const bits = is64 ? 64 : 32;
    return { bits, isLittle, type, machine, entry: 0, loads: [], sections: 0 };
  }
  const header: Decoded<typeof elf32Ehdr> | Decoded<typeof elf64Ehdr> = is64
    ? decode(elf64Ehdr, bytes)
    : decode(elf32Ehdr, bytes);
  const loads = [];
  const phdr = is64 ? elf64Phdr : elf32Phdr;
  const step = header.e_phentsize;
  for (let i = 0; i < Math.min(header.e_phnum, MOST); i++) {
    const at = Number(header.e_phoff) + i * step;
    if (step < phdr.size || at + phdr.size > bytes.length) break;
    const { p_type, p_vaddr, p_paddr } = is64
      ? decode(elf64Phdr, bytes, { at })
      : decode(elf32Phdr, bytes, { at });
    if (p_type === PT_LOAD) loads.push({ vaddr: BigInt(p_vaddr), paddr: BigInt(p_paddr) });
  }
  return {
    bits: is64 ? 64 : 32,
    isLittle,
    type: header.e_type,
    machine: header.e_machine,
    entry: header.e_entry,
    loads,
    sections: header.e_shnum,
  };
}

/** Whether an ELF file is laid out as a Linux kernel for x86 is. */
function looksLikeVmlinux(elf: ElfBrief): boolean {
  const isX86 = elf.machine === 3 || elf.machine === 62;
  // Linked to the upper half, loaded to the lower; 1 GiB, 2 and 3 GiB are the 32-bit splits.
  const start = elf.bits === 64 ? 0xffffffff80000000n : 0x40000000n;
  const first = elf.loads[0];
  return isX86 && elf.type === 2 && first !== undefined && first.vaddr >= start &&
    first.paddr < first.vaddr && first.paddr >= 0x100000n && first.paddr < 0x40000000n;
}

/** Words for the machines that are met most; all others by their constant. */
const machineWords: Readonly<Record<number, string>> = {
  3: "i386",
  40: "ARM",
  62: "x86-64",
  183: "arm64",
  243: "RISC-V",
  258: "LoongArch",
};

/** Describes an ELF file; the caller has seen its magic. */
export function findElf(bytes: Uint8Array, size: number): Finding {
  const elf = readElf(bytes);
  if (elf === undefined) {
    return { kind: "ELF", title: "ELF file, cut short within its header", fields: [] };
  }
  const types: Readonly<Record<number, string>> = elfTypes;
  const isVmlinux = looksLikeVmlinux(elf) && findMultiboot1(bytes) === undefined;
  const isModule = elf.type === 1 && findText(bytes, ".gnu.linkonce.this_module") >= 0;
  const what = isVmlinux
    ? "vmlinux"
    : isModule
    ? "Linux kernel module"
    : elf.type === 1
    ? "object file"
    : elf.type === 2
    ? "executable"
    : elf.type === 3
    ? "shared object or position-independent executable"
    : elf.type === 4
    ? "core dump"
    : `type ${elf.type}`;
  const order = elf.isLittle ? "little endian" : "big endian";
  return {
    kind: "ELF",
    title: `ELF ${elf.bits}-bit ${order} ${what}, ` +
      (machineWords[elf.machine] ?? machineName(elf.machine)),
    fields: [
      field("class", elf.bits, `${elf.bits}-bit`),
      field("machine", elf.machine, machineName(elf.machine)),
      field("type", elf.type, types[elf.type] ?? "unassigned"),
      field("entry", elf.entry, hex(elf.entry)),
      field("vmlinux", isVmlinux ? "yes" : "no"),
      field("size", size, showSize(size)),
    ],
    ...(isVmlinux
      ? { hint: "a kernel outside its bzImage: a boot loader wants it within one" }
      : isModule
      ? { hint: "a part of a kernel that is loaded later, not a kernel" }
      : {}),
  };
}

/** Describes a kernel with a multiboot header; `undefined` if there is none. */
export function findMultibootKernel(bytes: Uint8Array): Finding | undefined {
  const one = findMultiboot1(bytes);
  const two = findMultiboot2(bytes);
  if (one === undefined && two === undefined) return undefined;
  const fields = [
    ...(one ? multiboot1Fields(one) : []),
    ...(two ? multiboot2Fields(two) : []),
  ];
  const isElf = hasText(bytes, 0, "\x7fELF");
  const headers = [one && "1", two && "2"].filter(Boolean).join(" and ");
  const program = nameOfKernel(bytes);
  return {
    kind: one ? "multiboot1" : "multiboot2",
    title: `${program ? `${program}, ` : ""}multiboot ${headers} kernel` +
      `${isElf ? ` in ELF, ${bytes[4] === 2 ? 64 : 32}-bit` : ""}` +
      `${one && one.header.flags !== 0 ? `, flags ${showMultiboot1Flags(one.header.flags)}` : ""}`,
    fields,
    hint: "for a multiboot loader, such as GRUB's multiboot command: not Linux's boot protocol",
  };
}

/** Names that kernels with a multiboot header say of themselves, and how. */
const knownKernels: readonly (readonly [text: string, name: string])[] = [
  ["GNU Mach ", "GNU Mach"],
  ["gnumach", "GNU Mach"],
  ["iPXE", "iPXE"],
  ["Memtest86", "Memtest86"],
  ["NetBSD ", "NetBSD"],
  ["ReactOS", "ReactOS"],
];

/** How much of a file is searched for a name; kernels of this sort are small. */
const SEARCHED = 4 << 20;

function nameOfKernel(bytes: Uint8Array): string | undefined {
  for (const [text, name] of knownKernels) {
    const at = findText(bytes, text, 0, SEARCHED);
    if (at >= 0) return /^\w+ \w+ \d/.test(textAt(bytes, at, 64)) ? textAt(bytes, at, 64) : name;
  }
  return undefined;
}

/** The line that Xen greets with, which every build of it has. */
const XEN_BANNER = "Xen version %d.%d%s (";

/** Whether a header says that this is a Linux kernel, for whatever machine. */
export function isLinux(bytes: Uint8Array): boolean {
  return hasText(bytes, 0x202, "HdrS") || hasText(bytes, 0x38, "ARM\x64") ||
    hasText(bytes, 0x38, "RSC\x05") || hasText(bytes, 0x38, "\xcd\x23\x82\x81");
}

/** Describes the Xen hypervisor, as ELF or PE; `undefined` if it is none. */
export function findXen(bytes: Uint8Array): Finding | undefined {
  const at = findText(bytes, XEN_BANNER, 0, 4 * SEARCHED);
  if (at < 0) return undefined;
  const version = xenVersion(bytes);
  const isPe = hasText(bytes, 0, "MZ");
  const multiboot = isPe ? undefined : findMultibootKernel(bytes);
  return {
    kind: "Xen hypervisor",
    title: `Xen hypervisor${version ? ` ${version}` : ""}, ` +
      `${isPe ? "EFI program" : "ELF with multiboot headers"}`,
    fields: [
      ...(version ? [field("version", version)] : []),
      field("banner.offset", at, hex(at)),
      ...(multiboot?.fields ?? []),
    ],
    hint: "a hypervisor: it loads the Linux kernel that is given to it as a module",
  };
}

/** The version stands, by itself, before the name of the compiler. */
function xenVersion(bytes: Uint8Array): string | undefined {
  const compiler = findText(bytes, "gcc (");
  if (compiler < 0) return undefined;
  const before = new TextDecoder("latin1").decode(
    bytes.subarray(Math.max(0, compiler - 256), compiler),
  );
  return before.split("\0").findLast((text) => /^\d+\.\d+[.\d]*\S*$/.test(text));
}

/** What tells PE files apart. */
export interface PeBrief {
  /** Where "PE\0\0" is. */
  readonly offset: number;
  /** What it runs on. */
  readonly machine: number;
  /** Who starts it. */
  readonly subsystem: number;
  /** Whether it is PE32+. */
  readonly isPlus: boolean;
  /** The entry, from the image base. */
  readonly entry: number;
  /** Names of its sections. */
  readonly sections: readonly string[];
}

/** Reads what tells PE files apart; `undefined` if the headers are not there. */
export function readPe(bytes: Uint8Array): PeBrief | undefined {
  if (!hasText(bytes, 0, "MZ") || bytes.length < 64) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = view.getUint32(0x3c, true);
  if (offset + coffHeader.size + optionalHeader64.size > bytes.length) return undefined;
  if (view.getUint32(offset, true) !== PE) return undefined;
  const coff = decode(coffHeader, bytes, { at: offset });
  const at = offset + coffHeader.size;
  const isPlus = view.getUint16(at, true) === 0x20b;
  const optional = decode(isPlus ? optionalHeader64 : optionalHeader32, bytes, { at });
  const sections = [];
  for (let i = 0; i < Math.min(coff.NumberOfSections, MOST); i++) {
    const header = at + coff.SizeOfOptionalHeader + i * sectionHeader.size;
    if (header + sectionHeader.size > bytes.length) break;
    sections.push(textAt(bytes, header, 8));
  }
  return {
    offset,
    machine: coff.Machine,
    subsystem: optional.Subsystem,
    isPlus,
    entry: optional.AddressOfEntryPoint,
    sections,
  };
}

/** EFI programs that say who they are, and what to do instead of booting them. */
const knownPrograms: readonly (readonly [text: string, name: string])[] = [
  ["#### LoaderInfo: systemd-boot", "systemd-boot"],
  ["#### LoaderInfo: systemd-stub", "systemd-stub"],
  ["GRUB_CLI", "GRUB"],
  ["grub_", "GRUB"],
  ["iPXE", "iPXE"],
  ["Memtest86+", "Memtest86+"],
  ["UEFI SHIM", "shim"],
];

/** Describes a PE file; `undefined` if it is none. */
export function findPe(bytes: Uint8Array): Finding | undefined {
  const pe = readPe(bytes);
  if (pe === undefined) return undefined;
  const machine = (machines as Readonly<Record<number, string>>)[pe.machine] ?? hex(pe.machine);
  const subsystem = (subsystems as Readonly<Record<number, string>>)[pe.subsystem] ??
    `subsystem ${pe.subsystem}`;
  // A kernel is told by its header; its megabytes need not be searched for names.
  const program = isLinux(bytes)
    ? undefined
    : knownPrograms.find(([text]) => findText(bytes, text, 0, SEARCHED) >= 0)?.[1];
  const isEfi = pe.subsystem >= 10 && pe.subsystem <= 13;
  const fields: Field[] = [
    field("machine", pe.machine, machine),
    field("subsystem", pe.subsystem, subsystem),
    field("magic", pe.isPlus ? 0x20b : 0x10b, pe.isPlus ? "PE32+" : "PE32"),
    field("entry", pe.entry, hex(pe.entry)),
    field("sections", pe.sections.join(" ")),
  ];
  if (pe.sections.includes(".linux")) {
    return {
      kind: "UKI",
      title: `Unified kernel image for ${machine}: a kernel and what it needs in one EFI program`,
      fields,
    };
  }
  const isAddon = pe.sections.includes(".cmdline") || pe.sections.includes(".ucode");
  return {
    kind: "PE",
    title: `${pe.isPlus ? "PE32+" : "PE32"} ${subsystem} for ${machine}` +
      `${program ? `, ${program}` : ""}${isAddon ? ", UKI addon" : ""}`,
    fields,
    hint: isEfi
      ? `${program ? program : "a program"} that firmware starts: no Linux kernel in it`
      : "a Windows program",
  };
}
