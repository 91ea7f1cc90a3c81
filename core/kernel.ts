/**
 * The kernel itself: the ELF file that a bzImage carries compressed, and what
 * can be read inside it.
 *
 * What takes time (symbols, types, configuration) is read when first asked for,
 * and once.
 *
 * @module
 */

import type { Btf } from "../formats/btf/mod.ts";
import type { Banner } from "../formats/banner.ts";
import type { Elf } from "../formats/elf.ts";
import type { Note } from "../formats/elf_notes.ts";
import type { Config } from "../formats/ikconfig.ts";
import type { Kallsyms } from "../formats/kallsyms/mod.ts";
import type { Compression } from "../formats/payload/compression.ts";
import type { Relocations } from "../formats/relocations.ts";
import type { XenGuest } from "../formats/xen_guest.ts";

/** How the kernel came out of the file. */
export interface Unpacked {
  /** The compression it was in; "none" for one that lay open. */
  readonly format: Compression;
  /** File offset of the compressed stream, in bytes. */
  readonly offset: number;
  /** Bytes of the compressed stream that were read. */
  readonly length: number;
  /** The format's own checks that held: "CRC32", "XXH64". */
  readonly checks: readonly string[];
  /** Parameters of the stream by name: dictionary, filters, window. */
  readonly parameters: Readonly<Record<string, string | number>>;
}

/** A kernel, unpacked. */
export interface Kernel {
  /** The ELF file and what follows it, or whatever else was in the payload. */
  readonly bytes: Uint8Array;
  /** How it came out of the file; absent if the file itself is the kernel. */
  readonly unpacked?: Unpacked;
  /** The ELF headers; absent for the raw images of before 2.6.26. */
  readonly elf?: Elf;
  /** The ELF's notes. */
  readonly notes: readonly Note[];
  /** What the kernel tells Xen in `__xen_guest`, as kernels did before notes. */
  readonly xenGuest?: XenGuest;
  /** Where the ELF ends and relocations begin, in bytes. */
  readonly elfEnd: number;
  /** The relocation table behind the ELF. */
  readonly relocations?: Relocations;
  /** "Linux version …". */
  readonly banner?: Banner;
  /** The built-in configuration, if any. */
  config(): Promise<Config | undefined>;
  /** The built-in configuration as text, as it was compiled in. */
  configText(): Promise<string | undefined>;
  /** The types, if the kernel carries BTF. */
  btf(): Promise<Btf | undefined>;
  /** The symbol table; undefined if there is none. */
  symbols(): Promise<Kallsyms | undefined>;
  /** Why there is no symbol table, once it was asked for. */
  symbolsAbsent(): Promise<string | undefined>;
}
