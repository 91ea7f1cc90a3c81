/**
 * A file opened: recognised, its boot header taken apart, the kernel inside
 * unpacked, every complaint collected.
 *
 * Decoding goes as far as it can. Only a file without any known foundation is
 * without result; whatever else goes wrong becomes a complaint.
 *
 * @module
 */

import type { CertificateTable, DigestVerdict } from "../formats/certificate.ts";
import type { Complaint } from "../formats/complaint.ts";
import { FormatError } from "../formats/errors.ts";
import { type Compression, recogniseCompression } from "../formats/payload/compression.ts";
import { decodePe, type Pe } from "../formats/pe.ts";
import type { Recognition } from "../formats/recognise.ts";
import type { SbatRow } from "../formats/sbat.ts";
import { findBzImage, hasSetupHeader, isZeroPage } from "../formats/others/x86.ts";
import { HDRS } from "../formats/setup_header.ts";
import type { Uki } from "../formats/uki.ts";
import { attempt, type BootImage, openBootImage } from "./boot_image.ts";
import type { Kernel } from "./kernel.ts";
import { judgeBootImage } from "./rules.ts";

/** How far to open a file. */
export interface InspectOptions {
  /** Whether to unpack the kernel inside; default true. */
  readonly payload?: boolean;
  /** Most bytes that anything unpacked may have; default 1 GiB. */
  readonly limit?: number;
  /** Called while something is unpacked, with bytes done and, if known, in all. */
  readonly progress?: (done: number, total: number | undefined) => void;
}

/** All that is known of a file. */
export interface Inspection {
  /** Its name, as given. */
  readonly path: string;
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** What it looks like. */
  readonly recognition: Recognition;
  /** The file as PE, if it is one. */
  readonly pe?: Pe;
  /** The certificate table of the PE file. */
  readonly certificates?: CertificateTable;
  /** How the file stands to its signatures. */
  readonly digests: readonly DigestVerdict[];
  /** Its `.sbat` section. */
  readonly sbat?: readonly SbatRow[];
  /** The file as a unified kernel image. */
  readonly uki?: Uki;
  /** The kernel image in it, with boot sector and setup header. */
  readonly boot?: BootImage;
  /** The kernel inside, if it was asked for and came out. */
  readonly kernel?: Kernel;
  /** What a file that is compressed as a whole holds. */
  readonly inside?: Recognition;
  /** Whether the kernel inside was asked for. */
  readonly opened: boolean;
  /** Everything found wrong, errors first. */
  readonly complaints: readonly Complaint[];
}

const order: Readonly<Record<Complaint["severity"], number>> = { error: 0, warning: 1, info: 2 };

/** A message with the line feeds escaped that a name out of the file may have brought in. */
function oneLine(message: string): string {
  return message.replace(/[\n\r]/g, (c) => JSON.stringify(c).slice(1, -1));
}

/** Whether `bytes` carry a setup header, or at least the boot sector of an old kernel. */
function bootsAt(bytes: Uint8Array, at: number, kind: string): boolean {
  if (kind === "zero page") return false;
  if (bytes.length < at + 0x206) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(at + 0x202, true) === HDRS) return true;
  return kind === "old boot sector kernel";
}

/**
 * Opens a file.
 *
 * @param path Its name, for people.
 * @param bytes All of it.
 */
export async function inspect(
  path: string,
  bytes: Uint8Array,
  options: InspectOptions = {},
): Promise<Inspection> {
  const complaints: Complaint[] = [];
  // Tour image 010
  //
  // A kernel image is several files at once, all at offset 0. Firmware takes it for
  // a Windows program ("MZ"), an old BIOS for a boot sector (0xaa55 at its end), a
  // boot loader for neither: it reads the setup header in the middle, at 0x1f1. We
  // take all three views, since each tells what the others do not: who signed it,
  // where it may be loaded, which machine it can believe in.
  const opened = options.payload !== false;
  const pe = bytes[0] === 0x4d && bytes[1] === 0x5a
    ? attempt(complaints, "pe", () => decodePe(bytes, { checksum: opened }))
    : undefined;
  const uki = pe && await ukiOf(bytes, pe, complaints);
  const { certificates, checked } = pe
    ? await signaturesOf(bytes, pe, opened, complaints)
    : { certificates: undefined, checked: undefined };
  const sbat = pe && await sbatOf(bytes, pe);
  const recognition = await recogniseFile(bytes, uki !== undefined);
  const linux = uki?.sections.find(({ name }) => name === ".linux");
  const at = linux?.offset ?? 0;
  const boot = bootsAt(bytes, at, recognition.kind)
    ? attempt(
      complaints,
      "setup_header",
      () => openBootImage(bytes, at, opened, at === 0 ? pe : undefined),
    )
    : undefined;

  const found = [pe, certificates, uki].map((part) => part?.complaints ?? []);
  found.push(boot ? judgeBootImage(boot) : recognition.complaints ?? []);
  // One by one: 65,535 sections can have more to complain of than a call takes arguments.
  for (const complaint of found.flat()) complaints.push(complaint);

  let kernel: Kernel | undefined;
  let inside: Recognition | undefined;
  if (opened) {
    const source = kernelSource(bytes, boot);
    if (source) {
      const { openKernel } = await import("./open_kernel.ts");
      try {
        const found = await openKernel(bytes, source, options, complaints);
        if (found.elf || source.isPayload) kernel = found;
        if (!source.isPayload && found.unpacked) inside = await recogniseFile(found.bytes);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        complaints.push({
          severity: "error",
          offset: source.offset,
          rule: "payload",
          message: error.message,
        });
      }
    }
  }
  if (recognition.kind === "zero page" && bytes.length >= 4096) {
    const { auditZeroPage } = await import("./zero_page_audit.ts");
    complaints.push(...auditZeroPage(bytes.subarray(0, 4096)));
  }
  const digests = await checked ?? [];
  for (const { status, offset, text } of digests) {
    if (status === "changed") {
      complaints.push({ severity: "error", offset, rule: "signature", message: `image: ${text}` });
    }
  }
  const ordered = complaints
    .map((complaint) => ({ ...complaint, message: oneLine(complaint.message) }))
    .sort((a, b) => order[a.severity] - order[b.severity] || a.offset - b.offset);
  return {
    path,
    bytes,
    recognition,
    ...(pe && { pe }),
    ...(certificates && { certificates }),
    digests,
    ...(sbat && { sbat }),
    ...(uki && { uki }),
    ...(boot && { boot }),
    ...(kernel && { kernel }),
    ...(inside && { inside }),
    opened,
    complaints: ordered,
  };
}

// What few files have is loaded when one has it: a summary is to be there at once.

/** Tells what the file is. A kernel's setup header tells without a look at the table. */
async function recogniseFile(bytes: Uint8Array, isUki = false): Promise<Recognition> {
  if (!isUki && hasSetupHeader(bytes) && !isZeroPage(bytes, bytes.length)) {
    return { ...findBzImage(bytes, bytes.length), also: [] };
  }
  const { recognise } = await import("../formats/recognise.ts");
  return recognise(bytes);
}

/** The file as a unified kernel image. */
async function ukiOf(
  bytes: Uint8Array,
  pe: Pe,
  complaints: Complaint[],
): Promise<Uki | undefined> {
  // A kernel alone has none of the sections; an addon has at least one of them.
  if (pe.linuxLayout) return undefined;
  const { decodeUki } = await import("../formats/uki.ts");
  return attempt(complaints, "uki", () => decodeUki(bytes, pe));
}

/**
 * The signatures, and whether the image is what was signed: a promise, since
 * others work that out (Web Crypto) while we unpack the kernel.
 */
async function signaturesOf(
  bytes: Uint8Array,
  pe: Pe,
  sums: boolean,
  complaints: Complaint[],
): Promise<{ certificates?: CertificateTable; checked?: Promise<DigestVerdict[]> }> {
  if (!pe.directories["certificate"]?.size) return {};
  const { checkDigests, decodeCertificates } = await import("../formats/certificate.ts");
  const certificates = attempt(complaints, "certificate", () => decodeCertificates(bytes, pe));
  if (!certificates) return {};
  return { certificates, ...(sums && { checked: checkDigests(bytes, pe, certificates) }) };
}

/** The rows of the `.sbat` section, if there is one. */
async function sbatOf(bytes: Uint8Array, pe: Pe): Promise<readonly SbatRow[] | undefined> {
  const section = pe.sections.find(({ name }) => name === ".sbat");
  if (!section) return undefined;
  const { decodeSbat } = await import("../formats/sbat.ts");
  const end = section.offset + Math.min(section.size, section.virtualSize);
  return decodeSbat(new TextDecoder().decode(bytes.subarray(section.offset, end)));
}

/** Where in a file the kernel proper lies, and how it is packed. */
export interface KernelSource {
  /** File offset in bytes. */
  readonly offset: number;
  /** Length of the stream in bytes, without a trailing size word. */
  readonly length: number;
  /** How it is packed. */
  readonly format: Compression;
  /** Uncompressed size by the word behind the stream. */
  readonly size?: number;
  /** Whether the boot protocol promises an ELF file there. */
  readonly isPayload: boolean;
}

/** Finds the kernel proper: a payload, the file itself, or the file compressed. */
function kernelSource(
  bytes: Uint8Array,
  boot: BootImage | undefined,
): KernelSource | undefined {
  if (boot) {
    const { payload, at } = boot;
    if (!payload?.format) return undefined;
    return {
      offset: at + payload.offset,
      length: payload.streamLength,
      format: payload.format,
      ...(payload.sizeWord !== undefined && { size: payload.sizeWord }),
      isPayload: true,
    };
  }
  const whole = { offset: 0, length: bytes.length, isPayload: false };
  // An initramfs is compressed as well; whoever opens it finds no ELF and is content.
  const format = recogniseCompression(bytes);
  return format && { ...whole, format };
}
