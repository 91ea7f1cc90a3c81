/**
 * A bzImage (or its ancestors) taken apart without opening its payload.
 *
 * @module
 */

import type { Complaint } from "../formats/complaint.ts";
import { FormatError } from "../formats/errors.ts";
import { checkImageCrc, type ImageCrc } from "../formats/image_crc.ts";
import { decodeKernelInfo, type KernelInfo } from "../formats/kernel_info.ts";
import { findPayload, type FoundPayload } from "../formats/payload/payload.ts";
import { decodePe, type Pe } from "../formats/pe.ts";
import { protectedModeStart } from "../formats/setup_code.ts";
import { decodeSetupHeader, type FoundHeader } from "../formats/setup_header.ts";
import { readVersionString, type VersionString } from "../formats/version_string.ts";

/** A kernel image with a boot sector, as far as its headers tell. */
export interface BootImage {
  /** Where it starts in the file, in bytes: 0, or the start of a UKI's `.linux`. */
  readonly at: number;
  /** The image from its boot sector on. */
  readonly bytes: Uint8Array;
  /** bzImage, zImage, or a boot sector without "HdrS". */
  readonly kind: "bzImage" | "zImage" | "old";
  /** Setup header, protocol version and extent. */
  readonly header: FoundHeader;
  /** Length of boot sector and setup code in bytes; the protected-mode part follows. */
  readonly setupSize: number;
  /** Length of the protected-mode part by `syssize`, in bytes; of what is there if that is 0. */
  readonly systemSize: number;
  /** The version string that the header points to. */
  readonly versionString?: VersionString;
  /** kernel_info, protocol 2.15. */
  readonly kernelInfo?: KernelInfo;
  /** Whether the build's checksum holds; absent where sums were not asked for. */
  readonly crc?: ImageCrc;
  /** The compressed kernel. */
  readonly payload?: FoundPayload;
  /** The image as a PE file, if it has an EFI stub. */
  readonly pe?: Pe;
  /** What could not be decoded. */
  readonly complaints: readonly Complaint[];
}

/** Runs a decoder; what it throws becomes a complaint under `rule`. */
export function attempt<T>(
  complaints: Complaint[],
  rule: string,
  decoder: () => T,
): T | undefined {
  try {
    return decoder();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    complaints.push({
      severity: "error",
      offset: error.place.offset,
      rule,
      message: error.message,
    });
    return undefined;
  }
}

/**
 * Takes a kernel image apart.
 *
 * @param file The whole file.
 * @param at Where in it the image starts, in bytes.
 * @param sums Whether to work out checksums, which reads the whole image.
 * @param known The image as PE, where it has been decoded already.
 * @throws {FormatError} If there is no room for a setup header.
 */
export function openBootImage(
  file: Uint8Array,
  at = 0,
  sums = true,
  known?: Pe,
): BootImage {
  const bytes = file.subarray(at);
  const header = decodeSetupHeader(bytes);
  const { fields, version } = header;
  const complaints: Complaint[] = [];
  // Tour image 030
  //
  // Two parts follow each other in the file. The setup code runs in real mode and
  // asks the BIOS what machine this is; the protected-mode part unpacks the kernel.
  // The border is `setup_sects` sectors behind the boot sector, and a 0 there stands
  // for 4, because the first kernels that had the byte did not fill it in.
  const setupSize = protectedModeStart(header);
  const told = (fields.syssize ?? 0) * 16;
  const there = Math.max(0, bytes.length - setupSize);
  // Before 2.04 syssize has 16 bits only, and a bzImage's length is the file's.
  const systemSize = version < 0x204 || told === 0 ? there : told;

  const pe = known ??
    (bytes[0] === 0x4d && bytes[1] === 0x5a
      ? attempt(complaints, "pe", () => decodePe(bytes, { checksum: sums }))
      : undefined);
  const versionString = attempt(
    complaints,
    "version-string",
    () => readVersionString(bytes, header),
  );
  const kernelInfo = fields.kernel_info_offset
    ? attempt(complaints, "kernel-info", () => decodeKernelInfo(bytes, header))
    : undefined;
  const payload = attempt(complaints, "payload-place", () => findPayload(bytes, header));
  for (const { complaints: found } of [versionString, kernelInfo].filter((part) => !!part)) {
    for (const complaint of found) complaints.push(complaint);
  }
  return {
    at,
    bytes,
    kind: version < 0x200 ? "old" : (fields.loadflags ?? 0) & 1 ? "bzImage" : "zImage",
    header,
    setupSize,
    systemSize,
    ...(versionString && { versionString }),
    ...(kernelInfo && { kernelInfo }),
    ...(sums && { crc: checkImageCrc(bytes, header, pe) }),
    ...(payload && { payload }),
    ...(pe && { pe }),
    complaints,
  };
}
