/**
 * The check word that the kernel's build put at the end of a bzImage, from
 * protocol 2.08 until kernel 6.13 or so.
 *
 * It is what the bare CRC-32 register, started at all ones and not inverted,
 * holds after everything before it; run over the word too, the register is 0.
 * The end is that of the protected-mode part by `syssize`, whatever follows.
 *
 * Signing spoils it: the PE checksum and the directory entry of the certificate
 * table, twelve bytes in all, are filled in after. With those taken as 0 the
 * register is 0 again, and the image is what its build made.
 *
 * Source: Documentation/arch/x86/boot.rst, "The image checksum" (6.12 and
 * before); arch/x86/boot/tools/build.c; measured on signed images.
 *
 * @module
 */

import { crc32Register } from "./crc32.ts";
import type { Pe } from "./pe.ts";
import { CERTIFICATE_DIRECTORY, dataDirectory } from "./pe_headers.ts";
import { protectedModeEnd } from "./setup_code.ts";
import type { FoundHeader } from "./setup_header.ts";

/** How an image stands to its check word. */
export interface ImageCrc {
  /**
   * `ok`: holds as it stands. `signed`: holds once what signing filled in is
   * taken as 0. `changed`: there is a word, and it holds neither way. `absent`:
   * there is none.
   */
  readonly status: "ok" | "signed" | "changed" | "absent";
  /** Why there is none, where it is absent. */
  readonly reason?: string;
  /** End of what it covers, itself included, in bytes from the image's start. */
  readonly end?: number;
  /** The word as it stands, unsigned. */
  readonly stored?: number;
  /** The word that these bytes need, for `signed` with the twelve bytes 0. */
  readonly computed?: number;
}

/**
 * Checks the check word of an image.
 *
 * @param image From its boot sector on.
 * @param pe The image as a PE file, if it is one.
 */
export function checkImageCrc(image: Uint8Array, header: FoundHeader, pe?: Pe): ImageCrc {
  const absent = (reason: string, more: Partial<ImageCrc> = {}): ImageCrc => ({
    status: "absent",
    reason,
    ...more,
  });
  if ((header.version & 0x7fff) < 0x208) return absent("protocols below 2.08 have none");
  const end = protectedModeEnd(header);
  if (end === undefined) return absent("syssize is 0, so its place is not known");
  if (end > image.length) {
    // Images that are not Linux round syssize up past their end and have no CRC.
    return absent(`its place lies beyond the file, which ends at ${image.length}`);
  }
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const at = end - 4;
  const stored = view.getUint32(at, true);
  if (stored === 0) return absent("the last word is 0", { end, stored });

  // Tour image 040
  //
  // Was the file changed since it was built? The build left a CRC in the last four
  // bytes, chosen so that the CRC of the whole comes out as 0. Then somebody signed
  // the image, and signing writes twelve bytes into it: the sum fails. Blank those
  // twelve and it holds again, which tells "signed" from "damaged". Since 6.13 or so
  // there is no CRC any more, and nothing in the header says so but the 0.
  const holes = pe === undefined ? [] : signingHoles(image, pe).filter(({ end }) => end <= at);
  const asBuilt = registerOver(image, at, holes);
  const isSigned = holes.some(({ start, end }) => image.subarray(start, end).some((b) => b !== 0));
  if (asBuilt === stored) {
    return { status: isSigned ? "signed" : "ok", end, stored, computed: asBuilt };
  }
  const asIs = isSigned ? registerOver(image, at, []) : asBuilt;
  if (asIs === stored) return { status: "ok", end, stored, computed: asIs };
  if (!header.fields.payload_length) {
    // memtest86+ and its like wear the header, but the kernel's build made no CRC.
    return absent("there is no payload, so the kernel's build did not make it", { end, stored });
  }
  return { status: "changed", end, stored, computed: asBuilt };
}

interface Hole {
  readonly start: number;
  readonly end: number;
}

/** What signing fills in: the PE checksum, the certificate table's entry. */
function signingHoles(image: Uint8Array, pe: Pe): Hole[] {
  const checksum = pe.optionalOffset + 0x40;
  const holes = [{ start: checksum, end: checksum + 4 }];
  const entry = pe.directoriesOffset + CERTIFICATE_DIRECTORY * dataDirectory.size;
  if (pe.directories["certificate"] !== undefined && entry + dataDirectory.size <= image.length) {
    holes.push({ start: entry, end: entry + dataDirectory.size });
  }
  return holes;
}

/** The register after the bytes up to `end`, holes taken as 0. */
function registerOver(image: Uint8Array, end: number, holes: readonly Hole[]): number {
  let register = 0xffffffff;
  let at = 0;
  for (const hole of holes) {
    register = crc32Register(image, register, at, hole.start);
    register = crc32Register(new Uint8Array(hole.end - hole.start), register);
    at = hole.end;
  }
  return crc32Register(image, register, at, end);
}

/**
 * Puts the check word into an image's last four bytes, so that the register is
 * 0 after the whole.
 *
 * @returns The word, as an unsigned number.
 * @throws {RangeError} If the image is shorter than the word.
 */
export function appendCrc(image: Uint8Array): number {
  const at = image.length - 4;
  if (at < 0) throw new RangeError(`the check word takes 4 bytes, the image has ${image.length}`);
  const word = crc32Register(image, 0xffffffff, 0, at);
  new DataView(image.buffer, image.byteOffset).setUint32(at, word, true);
  return word;
}
