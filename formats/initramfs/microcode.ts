/**
 * Processor microcode as the kernel finds it at the front of an initramfs.
 *
 * The kernel looks for two files in the raw cpio archives before the main one,
 * long before it can unpack anything: GenuineIntel.bin, a row of Intel updates,
 * and AuthenticAMD.bin, a row of AMD containers, each an equivalence table
 * (which processor takes which patch) and its patches.
 *
 * Source: Intel SDM vol. 3A, 9.11.1 "Microcode Update"; the kernel's
 * arch/x86/kernel/cpu/microcode/{intel,amd}.c and asm/microcode.h.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { hex } from "../errors.ts";
import { decode, type Decoded, type Structure } from "../layout.ts";

/** A date kept as eight decimal digits in hexadecimal, MMDDYYYY, as 2023-02-28. */
export function showBcdDate(date: number): string {
  const digits = date.toString(16).padStart(8, "0");
  return `${digits.slice(4)}-${digits.slice(0, 2)}-${digits.slice(2, 4)}`;
}

/** A CPUID signature in the words of file names and errata: family-model-stepping. */
export function showSignature(signature: number): string {
  const { family, model, stepping } = processorOf(signature);
  return [family, model, stepping].map((n) => n.toString(16).padStart(2, "0")).join("-");
}

/** Family, model and stepping that a CPUID signature (leaf 1, EAX) stands for. */
export function processorOf(
  signature: number,
): { readonly family: number; readonly model: number; readonly stepping: number } {
  const base = signature >>> 8 & 15;
  const family = base === 15 ? base + (signature >>> 20 & 0xff) : base;
  const extended = base === 6 || base === 15 ? signature >>> 16 & 15 : 0;
  return { family, model: extended << 4 | (signature >>> 4 & 15), stepping: signature & 15 };
}

/** struct microcode_header_intel. */
export const microcodeHeaderIntel = {
  name: "microcode_header_intel",
  size: 48,
  fields: {
    hdrver: {
      at: 0x00,
      type: "u32",
      doc: "Version of this header.",
      check: (n: number): string | undefined => n === 1 ? undefined : `needs 1, found ${hex(n)}`,
    },
    rev: { at: 0x04, type: "u32", doc: "Revision of the update." },
    date: {
      at: 0x08,
      type: "u32",
      doc: "Day it was made, MMDDYYYY in hexadecimal digits.",
      show: (n: number): string => showBcdDate(n),
    },
    sig: {
      at: 0x0c,
      type: "u32",
      doc: "CPUID signature of the processor it is for.",
      show: (n: number): string => showSignature(n),
    },
    cksum: { at: 0x10, type: "u32", doc: "Makes all 32-bit words of the update add up to 0." },
    ldrver: { at: 0x14, type: "u32", doc: "Version of the loader it needs." },
    pf: { at: 0x18, type: "u32", doc: "Platforms it is for, a bit each." },
    datasize: { at: 0x1c, type: "u32", doc: "Bytes of data behind the header; 0 stands for 2000." },
    totalsize: {
      at: 0x20,
      type: "u32",
      doc: "Bytes of the whole update; where datasize is 0, 2048.",
    },
    metasize: { at: 0x24, type: "u32", doc: "Bytes of metadata at the data's end." },
    min_req_ver: { at: 0x28, type: "u32", doc: "Revision that must be there before; 0 any." },
    reserved: { at: 0x2c, type: "u32", doc: "Reserved." },
  },
} as const satisfies Structure;

/** struct extended_sigtable: further processors that the update is for. */
export const extendedSigtable = {
  name: "extended_sigtable",
  size: 20,
  fields: {
    count: { at: 0, type: "u32", doc: "Number of entries." },
    cksum: { at: 4, type: "u32", doc: "Makes all words of the table add up to 0." },
    reserved: { at: 8, type: "pad", size: 12, doc: "Reserved." },
  },
} as const satisfies Structure;

/** struct extended_signature. */
export const extendedSignature = {
  name: "extended_signature",
  size: 12,
  fields: {
    sig: {
      at: 0,
      type: "u32",
      doc: "CPUID signature.",
      show: (n: number): string => showSignature(n),
    },
    pf: { at: 4, type: "u32", doc: "Platforms, a bit each." },
    cksum: { at: 8, type: "u32", doc: "Checksum as if these were the header's." },
  },
} as const satisfies Structure;

/** struct equiv_cpu_entry. */
export const equivCpuEntry = {
  name: "equiv_cpu_entry",
  size: 16,
  fields: {
    installed_cpu: {
      at: 0,
      type: "u32",
      doc: "CPUID signature; 0 ends the table.",
      show: (n: number): string => showSignature(n),
    },
    fixed_errata_mask: { at: 4, type: "u32", doc: "Errata that are fixed, mask." },
    fixed_errata_compare: { at: 8, type: "u32", doc: "Errata that are fixed, value." },
    equiv_cpu: { at: 12, type: "u16", doc: "Number that its patches carry as processor_rev_id." },
    res: { at: 14, type: "u16", doc: "Reserved." },
  },
} as const satisfies Structure;

/** struct microcode_header_amd. */
export const microcodeHeaderAmd = {
  name: "microcode_header_amd",
  size: 64,
  fields: {
    data_code: {
      at: 0,
      type: "u32",
      doc: "Day it was made, MMDDYYYY in hexadecimal digits.",
      show: (n: number): string => showBcdDate(n),
    },
    patch_id: { at: 4, type: "u32", doc: "Revision of the patch." },
    mc_patch_data_id: { at: 8, type: "u16", doc: "Format of the patch." },
    mc_patch_data_len: { at: 10, type: "u8", doc: "Length of the patch, in a unit of its format." },
    init_flag: { at: 11, type: "u8", doc: "Whether it needs initialisation." },
    mc_patch_data_checksum: { at: 12, type: "u32", doc: "Checksum of the data." },
    nb_dev_id: { at: 16, type: "u32", doc: "PCI identity of the north bridge it is bound to." },
    sb_dev_id: { at: 20, type: "u32", doc: "PCI identity of the south bridge it is bound to." },
    processor_rev_id: { at: 24, type: "u16", doc: "Number from the equivalence table." },
    nb_rev_id: { at: 26, type: "u8", doc: "Revision of the north bridge." },
    sb_rev_id: { at: 27, type: "u8", doc: "Revision of the south bridge." },
    bios_api_rev: { at: 28, type: "u8", doc: "Revision of the interface to the BIOS." },
    reserved1: { at: 29, type: "pad", size: 3, doc: "Reserved." },
    match_reg: { at: 32, type: "array", of: "u32", count: 8, doc: "Addresses that are patched." },
  },
} as const satisfies Structure;

/** An Intel update. */
export interface IntelMicrocode {
  /** From the start of the file of updates, in bytes. */
  readonly offset: number;
  /** Bytes of the whole update. */
  readonly size: number;
  /** Its header. */
  readonly header: Decoded<typeof microcodeHeaderIntel>;
  /** The further processors it is for. */
  readonly extended: readonly Decoded<typeof extendedSignature>[];
  /** Whether all its words add up to 0. */
  readonly checksum: "ok" | "wrong";
}

/** An AMD patch. */
export interface AmdMicrocode {
  /** Where its header is, from the start of the file of containers. */
  readonly offset: number;
  /** Bytes of the patch, its header included. */
  readonly size: number;
  /** Its header. */
  readonly header: Decoded<typeof microcodeHeaderAmd>;
  /** CPUID signatures that the container's table gives for it. */
  readonly signatures: readonly number[];
}

/** An AMD container: one equivalence table and the patches that go by it. */
export interface AmdContainer {
  /** From the start of the file of containers, in bytes. */
  readonly offset: number;
  /** Bytes of the whole container. */
  readonly size: number;
  /** Which processor takes which patches. */
  readonly equivalences: readonly Decoded<typeof equivCpuEntry>[];
  /** The patches. */
  readonly patches: readonly AmdMicrocode[];
}

/** What a file of microcode holds. */
export type Microcode =
  | {
    /** Which maker's format it is. */
    readonly vendor: "GenuineIntel";
    /** The updates. */
    readonly updates: readonly IntelMicrocode[];
    /** What is wrong; offsets from the start of the file of updates. */
    readonly complaints: readonly Complaint[];
  }
  | {
    /** Which maker's format it is. */
    readonly vendor: "AuthenticAMD";
    /** The containers. */
    readonly containers: readonly AmdContainer[];
    /** What is wrong; offsets from the start of the file of containers. */
    readonly complaints: readonly Complaint[];
  };

/** Reads a file of Intel updates up to the first that is none; nothing throws. */
export function decodeIntelMicrocode(bytes: Uint8Array): Microcode {
  const updates: IntelMicrocode[] = [];
  const complaints: Complaint[] = [];
  let at = 0;
  while (at + microcodeHeaderIntel.size <= bytes.length) {
    const header = decode(microcodeHeaderIntel, bytes, { at });
    const dataSize = header.datasize || 2000;
    const size = header.datasize ? header.totalsize : 2048;
    const bad = header.hdrver !== 1
      ? `needs header version 1, found ${hex(header.hdrver)}`
      : size % 4 !== 0 || size < dataSize + microcodeHeaderIntel.size
      ? `a total size of ${size} does not hold ${dataSize} bytes of data`
      : at + size > bytes.length
      ? `needs ${size} bytes, the file ends at ${hex(bytes.length)}`
      : undefined;
    if (bad !== undefined) {
      complaints.push(complaint(at, "intel", bad));
      break;
    }
    const update = bytes.subarray(at, at + size);
    const checksum = sumOfWords(update) === 0 ? "ok" : "wrong";
    if (checksum === "wrong") {
      complaints.push(complaint(at, "intel-checksum", "the update's words do not add up to 0"));
    }
    const table = microcodeHeaderIntel.size + dataSize;
    updates.push({ offset: at, size, header, extended: extendedOf(update, table), checksum });
    at += size;
  }
  if (complaints.length === 0 && bytes.subarray(at).some((byte) => byte !== 0)) {
    complaints.push(complaint(at, "trailing", `${bytes.length - at} bytes behind the last update`));
  }
  return { vendor: "GenuineIntel", updates, complaints };
}

function extendedOf(update: Uint8Array, at: number): readonly Decoded<typeof extendedSignature>[] {
  if (at + extendedSigtable.size > update.length) return [];
  const { count } = decode(extendedSigtable, update, { at });
  const first = at + extendedSigtable.size;
  const held = Math.floor((update.length - first) / extendedSignature.size);
  return Array.from(
    { length: Math.min(count, held) },
    (_, i) => decode(extendedSignature, update, { at: first + i * extendedSignature.size }),
  );
}

/** "DMA\0" as a word, and the section types that follow. */
const AMD_MAGIC = 0x00414d44;
const AMD_EQUIV_TABLE = 0;
const AMD_PATCH = 1;

/** Reads a file of AMD containers up to the first that is none; nothing throws. */
export function decodeAmdMicrocode(bytes: Uint8Array): Microcode {
  const containers: AmdContainer[] = [];
  const complaints: Complaint[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => at + 4 <= bytes.length ? view.getUint32(at, true) : undefined;
  let at = 0;
  while (word(at) === AMD_MAGIC) {
    const offset = at;
    const tableSize = word(at + 8);
    if (
      word(at + 4) !== AMD_EQUIV_TABLE || tableSize === undefined ||
      at + 12 + tableSize > bytes.length
    ) {
      complaints.push(complaint(at + 4, "amd", "needs an equivalence table that the file holds"));
      break;
    }
    const equivalences = [];
    for (let i = 0; i + equivCpuEntry.size <= tableSize; i += equivCpuEntry.size) {
      const entry = decode(equivCpuEntry, bytes, { at: at + 12 + i });
      if (entry.installed_cpu === 0) break;
      equivalences.push(entry);
    }
    const signaturesOf = Map.groupBy(equivalences, (entry) => entry.equiv_cpu);
    at += 12 + tableSize;
    const patches: AmdMicrocode[] = [];
    while (word(at) === AMD_PATCH) {
      const size = word(at + 4) ?? 0;
      if (size < microcodeHeaderAmd.size || at + 8 + size > bytes.length) {
        complaints.push(
          complaint(at, "amd", `a patch of ${size} bytes, the file ends at ${hex(bytes.length)}`),
        );
        at = bytes.length;
        break;
      }
      const header = decode(microcodeHeaderAmd, bytes, { at: at + 8 });
      const signatures = signaturesOf.get(header.processor_rev_id)?.map((e) => e.installed_cpu) ??
        [];
      patches.push({ offset: at + 8, size, header, signatures });
      at += 8 + size;
    }
    containers.push({ offset, size: at - offset, equivalences, patches });
  }
  if (containers.length === 0 && complaints.length === 0) {
    complaints.push(complaint(0, "amd", `needs the magic ${hex(AMD_MAGIC, 8)}`));
  } else if (complaints.length === 0 && bytes.subarray(at).some((byte) => byte !== 0)) {
    complaints.push(
      complaint(at, "trailing", `${bytes.length - at} bytes behind the last container`),
    );
  }
  return { vendor: "AuthenticAMD", containers, complaints };
}

function complaint(offset: number, rule: string, message: string): Complaint {
  return { severity: "error", offset, rule: `microcode.${rule}`, message };
}

function sumOfWords(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) sum = (sum + view.getInt32(at, true)) | 0;
  return sum;
}
