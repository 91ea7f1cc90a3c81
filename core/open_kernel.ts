/**
 * Unpacks the kernel inside an image and reads its headers.
 *
 * A module of its own, so that whoever looks at headers only loads no
 * decompressor.
 *
 * @module
 */

import { type Banner, findBanner } from "../formats/banner.ts";
import type { Btf } from "../formats/btf/mod.ts";
import type { Complaint } from "../formats/complaint.ts";
import { FormatError } from "../formats/errors.ts";
import { decodeElf, type Elf, fileEnd, isElf, sectionBytes } from "../formats/elf.ts";
import { decodeNotes } from "../formats/elf_notes.ts";
import type { Config } from "../formats/ikconfig.ts";
import type { Kallsyms } from "../formats/kallsyms/mod.ts";
import { decompress } from "../formats/payload/decompress.ts";
import { decodeRelocations, type Relocations } from "../formats/relocations.ts";
import { decodeXenGuest } from "../formats/xen_guest.ts";
import type { InspectOptions, KernelSource } from "./inspection.ts";
import type { Kernel, Unpacked } from "./kernel.ts";

/** Runs `read` once, when first asked. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => result ??= read();
}

/**
 * Unpacks a kernel.
 *
 * @param file The whole file.
 * @param source Where in it the kernel lies.
 * @param complaints What is found wrong is added here.
 * @throws {FormatError} If it cannot be unpacked.
 */
export async function openKernel(
  file: Uint8Array,
  source: KernelSource,
  options: InspectOptions,
  complaints: Complaint[],
): Promise<Kernel> {
  // Tour payload 010
  //
  // From protocol 2.08 on the header says where the compressed kernel is. Before,
  // one had to look for the magic of gzip, as lguest's launcher did in 2007 and as
  // extract-vmlinux does to this day, now and then finding a kernel that is none.
  const { offset, length, format, size } = source;
  const packed = file.subarray(offset, offset + length);
  let bytes = packed;
  let unpacked: Unpacked | undefined;
  if (format !== "none") {
    const result = await decompress(format, packed, {
      ...(size !== undefined && { size }),
      ...(options.limit !== undefined && { limit: options.limit }),
      ...(options.progress && { progress: options.progress }),
    });
    bytes = result.bytes;
    unpacked = {
      format,
      offset,
      length: result.consumed,
      checks: result.checks,
      parameters: result.parameters,
    };
    // Tour payload 020
    //
    // Behind the stream stand four bytes that belong to no format: the length that
    // has to come out. The decompressor in the image needs it to make room, since most
    // formats do not tell; we need it to know that nothing is missing.
    if (size !== undefined && size !== bytes.length) {
      complaints.push({
        severity: "error",
        offset: offset + length,
        rule: "size-word",
        message: `payload: the size word says ${size} bytes, unpacked it has ${bytes.length}`,
      });
    }
  }
  const elf = isElf(bytes) ? readElf(bytes, unpacked, offset, complaints) : undefined;
  const notes = elf ? decodeNotes(bytes, elf) : [];
  const xenGuest = elf && decodeXenGuest(bytes, elf);
  // Tour payload 030
  //
  // Out comes an ELF file, and more: the decompressor may have to move the kernel,
  // so the build has put a list of every address in it behind the ELF, where no
  // header mentions it. It is found by being what is left.
  const elfEnd = elf ? Math.min(fileEnd(elf), bytes.length) : bytes.length;
  // Only the kernel's own build puts relocations behind the ELF.
  const relocations = elf && source.isPayload && unpacked && elfEnd < bytes.length
    ? readRelocations(bytes, elfEnd, elf, offset, complaints)
    : undefined;
  const banner = bannerOf(bytes, elf);

  const configText = once(async () => {
    const { readIkconfig } = await import("../formats/ikconfig.ts");
    // The kernel keeps it in .rodata; a few MiB instead of all of them.
    const rodata = elf && sectionBytes(bytes, elf, ".rodata");
    return await readIkconfig(rodata ?? bytes, { limit: 1 << 26 });
  });
  const config = once(async (): Promise<Config | undefined> => {
    const text = await configText();
    if (text === undefined) return undefined;
    const { decodeConfig } = await import("../formats/ikconfig.ts");
    return decodeConfig(text);
  });
  const btf = once(async (): Promise<Btf | undefined> => {
    const { findBtf, openBtf } = await import("../formats/btf/mod.ts");
    const place = findBtf(bytes, elf?.sections);
    return place && openBtf(bytes.subarray(place.offset, place.offset + place.length));
  });
  const table = once(async () => {
    const { findKallsyms } = await import("../formats/kallsyms/mod.ts");
    return findKallsyms(bytes, elf ? { is64: elf.class === 64 } : {});
  });
  return {
    bytes,
    ...(unpacked && { unpacked }),
    ...(elf && { elf }),
    notes,
    ...(xenGuest && { xenGuest }),
    elfEnd,
    ...(relocations && { relocations }),
    ...(banner && { banner }),
    config,
    configText,
    btf,
    symbols: async (): Promise<Kallsyms | undefined> => {
      const found = await table();
      return found.found ? found : undefined;
    },
    symbolsAbsent: async (): Promise<string | undefined> => {
      const found = await table();
      return found.found ? undefined : found.reason;
    },
  };
}

/** The banner: in .rodata, where the kernel keeps it, or wherever it is. */
function bannerOf(bytes: Uint8Array, elf: Elf | undefined): Banner | undefined {
  const rodata = elf && sectionBytes(bytes, elf, ".rodata");
  const found = rodata && findBanner(rodata);
  if (!found) return findBanner(bytes);
  return { ...found, offset: found.offset + rodata.byteOffset - bytes.byteOffset };
}

function readElf(
  bytes: Uint8Array,
  unpacked: Unpacked | undefined,
  offset: number,
  complaints: Complaint[],
): Elf | undefined {
  try {
    const elf = decodeElf(bytes);
    // Offsets in a payload mean nothing in the file; point at the payload then.
    for (const { message, offset: at } of elf.complaints) {
      complaints.push({
        severity: "warning",
        offset: unpacked ? offset : at,
        rule: "elf",
        message,
      });
    }
    return elf;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    complaints.push({ severity: "error", offset, rule: "elf", message: error.message });
    return undefined;
  }
}

function readRelocations(
  bytes: Uint8Array,
  elfEnd: number,
  elf: Elf,
  offset: number,
  complaints: Complaint[],
): Relocations | undefined {
  try {
    const relocations = decodeRelocations(bytes.subarray(elfEnd), elf);
    for (const { message } of relocations.complaints) {
      complaints.push({ severity: "warning", offset, rule: "relocations", message });
    }
    return relocations;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    complaints.push({ severity: "warning", offset, rule: "relocations", message: error.message });
    return undefined;
  }
}
