/**
 * Who claims which bytes of an inspected file.
 *
 * @module
 */

import { hex } from "../formats/errors.ts";
import { machines as machineNames } from "../formats/pe_headers.ts";
import { setupSignature } from "../formats/setup_code.ts";
import { showProtocol } from "../formats/setup_header.ts";
import type { BootImage } from "./boot_image.ts";
import { type Claim, claimFilling, fileMap, type Region } from "./file_map.ts";
import type { Inspection } from "./inspection.ts";

const machines: Readonly<Record<number, string>> = machineNames;

/** The flat map of a file: every byte once, in order. */
export function imageMap(inspection: Inspection): Region[] {
  const { bytes } = inspection;
  const claims = [...claimsOf(inspection)];
  const regions = fileMap(bytes.length, claims);
  const filling = claimFilling(bytes, regions);
  return filling.length > 0 ? fileMap(bytes.length, [...claims, ...filling]) : regions;
}

function* claimsOf(inspection: Inspection): Generator<Claim> {
  const { boot, pe, uki, certificates, bytes, recognition } = inspection;
  const isTaken = pe !== undefined || boot !== undefined || inspection.kernel?.elf !== undefined;
  // What is known by name only is one part, named so.
  if (!isTaken && recognition.kind !== "unknown" && recognition.kind !== "empty") {
    yield { offset: 0, length: bytes.length, name: wholeName(inspection) };
  }
  if (pe) {
    const { PointerToSymbolTable: symbols, NumberOfSymbols: count } = pe.coff;
    if (symbols !== 0) {
      yield { offset: symbols, length: symbolsLength(bytes, symbols, count), name: "COFF symbols" };
    }
    const { directoriesOffset, optionalOffset } = pe;
    const headers = pe.optional.SizeOfHeaders;
    // A Linux image's boot sector and setup code lie in the same bytes.
    if (!boot || boot.at > 0) {
      yield { offset: 0, length: Math.min(headers, bytes.length), name: "PE headers" };
      for (const { name, offset, size } of pe.sections) {
        yield { offset, length: size, name: `section ${name}` };
      }
    } else {
      const end = sectionTableEnd(directoriesOffset, pe.sections.map((s) => s.headerOffset));
      yield { offset: 0, length: 0x40, name: "DOS header", note: "MZ" };
      yield {
        offset: pe.headerOffset,
        length: end - pe.headerOffset,
        name: "PE header",
        note: `${pe.isPlus ? "PE32+" : "PE32"}, ${pe.sections.length} sections, optional ` +
          `header at ${hex(optionalOffset)}`,
      };
      for (const { name, offset, size } of pe.sections) {
        // Today's .compat is the last page of the setup code, less its one record.
        if (name === ".reloc" || name === ".sbat" || (name === ".compat" && size < 512)) {
          yield { offset, length: size, name: `section ${name}` };
        }
      }
      for (const { offset, machine } of pe.compat) {
        yield { offset, length: 8, name: "compat entry", note: machines[machine] ?? hex(machine) };
      }
    }
  }
  for (const section of uki?.sections ?? []) {
    yield { offset: section.offset, length: section.size, name: `section ${section.name}` };
  }
  if (boot) yield* bootClaims(boot);
  for (const { offset, length } of certificates?.certificates ?? []) {
    yield { offset, length, name: "certificate" };
  }
  const { kernel } = inspection;
  if (!boot && kernel?.elf && !kernel.unpacked) yield* elfClaims(inspection);
  if (!boot && kernel?.unpacked) {
    yield {
      offset: kernel.unpacked.offset,
      length: kernel.unpacked.length,
      name: "compressed kernel",
      note: kernel.unpacked.format,
    };
  }
}

/** The kind of a file that is one part; of a compressed one also what is in it. */
function wholeName({ recognition, inside }: Inspection): string {
  return recognition.kind === "compressed" && inside
    ? `${inside.kind}, compressed`
    : recognition.kind;
}

/** Length of symbols of 18 bytes and of the names behind them, which count their own size. */
function symbolsLength(bytes: Uint8Array, symbols: number, count: number): number {
  const names = symbols + 18 * count;
  if (names + 4 > bytes.length) return Math.max(0, bytes.length - symbols);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return names - symbols + view.getUint32(names, true);
}

function sectionTableEnd(directories: number, headers: readonly number[]): number {
  return Math.max(directories, ...headers.map((at) => at + 40));
}

function* bootClaims(boot: BootImage): Generator<Claim> {
  const { at, bytes, header, setupSize, systemSize, payload, kernelInfo, versionString } = boot;
  const { version } = header;
  const setup = Math.min(setupSize, bytes.length);
  const system = Math.min(systemSize, bytes.length - setup);
  yield { offset: at, length: Math.min(512, setup), name: "boot sector" };
  yield { offset: at + 512, length: setup - 512, name: "setup code" };
  yield {
    offset: at + 0x1f1,
    length: (version < 0x200 ? 0x200 : Math.min(header.end, setup)) - 0x1f1,
    name: "setup header",
    note: version < 0x200 ? "before 2.00" : `protocol ${showProtocol(version)}`,
  };
  if (versionString) {
    yield {
      offset: at + versionString.offset,
      length: versionString.length,
      name: "version string",
      note: versionString.release,
    };
  }
  const signature = setupSignature(bytes, header);
  if (signature !== undefined) {
    yield { offset: at + signature, length: 4, name: "setup signature", note: "0x5a5aaa55" };
  }
  yield {
    offset: at + setup,
    length: system,
    name: payload ? "decompressor" : "protected-mode code",
  };
  if (payload) {
    yield {
      offset: at + payload.offset,
      length: payload.length,
      name: "payload",
      note: `${payload.format ?? "unknown"}, by ${payload.found}`,
    };
    if (payload.sizeWord !== undefined && payload.streamLength < payload.length) {
      yield {
        offset: at + payload.offset + payload.streamLength,
        length: payload.length - payload.streamLength,
        name: "uncompressed size",
        note: `${payload.sizeWord} bytes`,
      };
    }
  }
  if (kernelInfo) {
    yield {
      offset: at + kernelInfo.offset,
      length: Math.max(16, kernelInfo.fields.size_total),
      name: "kernel_info",
    };
  }
  if (version >= 0x208 && payload && system === systemSize && systemSize >= 4) {
    const status = boot.crc?.status ?? "not checked";
    yield {
      offset: at + setup + system - 4,
      length: 4,
      name: "CRC-32",
      note: status === "absent" ? "absent: zero" : status,
    };
  }
}

function* elfClaims({ kernel, bytes }: Inspection): Generator<Claim> {
  const elf = kernel?.elf;
  if (!kernel || !elf) return;
  const { header, phdrs, sections } = elf;
  yield { offset: 0, length: header.e_ehsize, name: "ELF header" };
  for (const [i, phdr] of phdrs.entries()) {
    if (phdr.type !== 1) continue;
    yield {
      offset: Number(phdr.offset),
      length: Number(phdr.filesz),
      name: `segment ${i}`,
      note: `LOAD at ${hex(phdr.paddr)}`,
    };
  }
  for (const section of sections) {
    if (section.type === 0 || section.type === 8) continue;
    yield {
      offset: Number(section.offset),
      length: Number(section.size),
      name: `section ${section.name}`,
    };
  }
  yield {
    offset: Number(header.e_phoff),
    length: header.e_phentsize * phdrs.length,
    name: "program headers",
  };
  yield {
    offset: Number(header.e_shoff),
    length: header.e_shentsize * sections.length,
    name: "section headers",
  };
  if (kernel.elfEnd < bytes.length) {
    yield {
      offset: kernel.elfEnd,
      length: bytes.length - kernel.elfEnd,
      name: kernel.relocations ? "relocations" : "bytes behind the ELF",
    };
  }
}
