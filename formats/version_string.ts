/**
 * The version string of an image: release, who built it where, and when.
 *
 * `kernel_version` says where it is, less 0x200; it has to lie in the setup code
 * and to end with a NUL.
 *
 * Source: Documentation/arch/x86/boot.rst, "kernel_version".
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import { hex } from "./errors.ts";
import type { FoundHeader } from "./setup_header.ts";

/** A version string and where it is. */
export interface VersionString {
  /** The whole, "6.1.0-56-amd64 (debian-kernel@…) #1 SMP …". */
  readonly text: string;
  /** Its first word, the release as `uname -r` prints it. */
  readonly release: string;
  /** Bytes from the image's start. */
  readonly offset: number;
  /** Bytes, the closing NUL not counted. */
  readonly length: number;
  /** Where it breaks the rules. */
  readonly complaints: readonly Complaint[];
}

/** No string is longer: the kernel's own has three parts of at most 64 bytes. */
const LONGEST = 1024;

/**
 * Reads the version string.
 *
 * @param image From its boot sector on.
 * @returns `undefined` if the header names none, or one beyond the file. A string
 *   that breaks a rule is read as far as it goes and carries a complaint.
 */
export function readVersionString(
  image: Uint8Array,
  header: FoundHeader,
): VersionString | undefined {
  const { kernel_version, setup_sects } = header.fields;
  if (!kernel_version) return undefined;
  const offset = kernel_version + 0x200;
  if (offset >= image.length) return undefined;

  const complaints: Complaint[] = [];
  const complain = (rule: string, message: string) =>
    complaints.push({
      severity: "error",
      offset: 0x20e,
      rule: `version-string.${rule}`,
      message: `setup_header.kernel_version: ${message}`,
    });
  const sectors = setup_sects || 4;
  const setupEnd = (sectors + 1) * 512;
  if (offset >= setupEnd) {
    complain(
      "place",
      `needs less than setup_sects × 512, ${hex(sectors * 512)}, found ${hex(kernel_version)}`,
    );
  }
  // A string outside the setup code has no bound but the file's.
  const stop = Math.min(image.length, offset + LONGEST, offset < setupEnd ? setupEnd : Infinity);
  const nul = image.subarray(offset, stop).indexOf(0);
  if (nul < 0) complain("end", `no NUL ends the string before ${hex(stop)}`);
  const end = nul < 0 ? stop : offset + nul;
  const text = new TextDecoder("latin1").decode(image.subarray(offset, end));
  return {
    text,
    release: /^\S*/.exec(text)?.[0] ?? "",
    offset,
    length: end - offset,
    complaints,
  };
}
