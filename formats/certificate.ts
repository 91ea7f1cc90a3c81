/**
 * The certificate table of a PE image: the signatures that Secure Boot asks for,
 * and whether the image is still the one that was signed.
 *
 * The table lies behind everything else and is a list of WIN_CERTIFICATE, each
 * padded to eight bytes. A signature vouches for the image's Authenticode digest,
 * which leaves out what signing itself changes. Matching digests say that the
 * image has not been changed since; whether the signer is to be trusted is for
 * firmware to judge, and not judged here.
 *
 * Source: Microsoft, "PE Format" ("The Attribute Certificate Table") and "Windows
 * Authenticode Portable Executable Signature Format"; UEFI, 32.2.4.
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import { FormatError, hex } from "./errors.ts";
import { decode, type Structure } from "./layout.ts";
import type { Pe } from "./pe.ts";
import { CERTIFICATE_DIRECTORY, dataDirectory } from "./pe_headers.ts";
import { decodeImageSignature, type ImageSignature } from "./pkcs7.ts";

/** WIN_CERTIFICATE, up to its data. */
export const winCertificate = {
  name: "WIN_CERTIFICATE",
  size: 8,
  fields: {
    dwLength: { at: 0, type: "u32", doc: "Bytes of the entry, header included, padding not." },
    wRevision: {
      at: 4,
      type: "u16",
      doc: "Revision of the entry's form.",
      values: { 0x100: "1.0", 0x200: "2.0" },
    },
    wCertificateType: {
      at: 6,
      type: "u16",
      doc: "What the data are.",
      values: {
        0x0001: "X.509",
        0x0002: "PKCS #7 signed data",
        0x0004: "Terminal Server stack",
        0x0ef0: "UEFI PKCS #1 v1.5",
        0x0ef1: "UEFI GUID",
      },
    },
  },
} as const satisfies Structure;

/** One entry. */
export interface WinCertificate {
  /** File offset of the entry. */
  readonly offset: number;
  /** Bytes, its header included, padding not. */
  readonly length: number;
  /** Revision, 0x200 for 2.0. */
  readonly revision: number;
  /** Type; names in `winCertificate`. */
  readonly type: number;
  /** What follows the header. */
  readonly data: Uint8Array;
  /** The signature, where the type is PKCS #7 and it can be read. */
  readonly signature?: ImageSignature;
}

/** The table. */
export interface CertificateTable {
  /** File offset; 0 where there is no table. */
  readonly offset: number;
  /** Bytes; 0 where there is no table. */
  readonly size: number;
  /** Its entries. */
  readonly certificates: readonly WinCertificate[];
  /** What is wrong with it. */
  readonly complaints: readonly Complaint[];
}

const PKCS7 = 2;

/** Entries that are read; images have one, seldom two. */
const MOST_ENTRIES = 64;

/** A signature has a few KiB; a longer one than this is not looked into. */
const LONGEST_SIGNATURE = 1024 * 1024;

/** Reads the certificate table; an unsigned image has one of size 0. */
export function decodeCertificates(bytes: Uint8Array, pe: Pe): CertificateTable {
  const { address: offset, size } = pe.directories["certificate"] ?? { address: 0, size: 0 };
  const certificates: WinCertificate[] = [];
  const complaints: Complaint[] = [];
  if (size === 0) return { offset: 0, size: 0, certificates, complaints };
  const complain = (at: number, rule: string, message: string) =>
    complaints.push({ severity: "error", offset: at, rule: `certificate.${rule}`, message });

  // decodePe complains of a table that passes the file's end.
  const end = Math.min(offset + size, bytes.length);
  let at = offset;
  while (end - at >= winCertificate.size) {
    const fields = decode(winCertificate, bytes, { at });
    const length = fields.dwLength;
    if (length < winCertificate.size || length > end - at) {
      complain(at, "length", `dwLength needs 8 to ${end - at}, found ${length}`);
      break;
    }
    if (certificates.length === MOST_ENTRIES) {
      complain(at, "count", `more than ${MOST_ENTRIES} entries; the rest is not read`);
      break;
    }
    const start = at + winCertificate.size;
    let signature: ImageSignature | undefined;
    if (fields.wCertificateType === PKCS7 && length > LONGEST_SIGNATURE) {
      complain(at, "pkcs7", `a signature of ${length} bytes; it is not read`);
    } else if (fields.wCertificateType === PKCS7) {
      try {
        signature = decodeImageSignature(bytes, start, at + length);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        complain(error.place.offset, "pkcs7", error.message);
      }
    }
    certificates.push({
      offset: at,
      length,
      revision: fields.wRevision,
      type: fields.wCertificateType,
      data: bytes.subarray(start, at + length),
      ...(signature && { signature }),
    });
    at += Math.ceil(length / 8) * 8;
  }
  return { offset, size, certificates, complaints };
}

/** Digests that the web's own cryptography knows. */
export type DigestAlgorithm = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";

/** A stretch of the file. */
export interface ByteRange {
  /** File offset of its first byte. */
  readonly start: number;
  /** File offset just past its last byte. */
  readonly end: number;
}

/**
 * What the Authenticode digest runs over, in its order: the headers less
 * CheckSum and the certificate table's directory entry, the sections by their
 * place in the file, and what is left behind them less the certificate table.
 *
 * @throws {FormatError} If headers and sections take more bytes than the file
 *   has, so overlap.
 */
export function authenticodeRanges(bytes: Uint8Array, pe: Pe): ByteRange[] {
  const clip = (n: number) => Math.min(n, bytes.length);
  const checksum = pe.optionalOffset + 0x40;
  const entry = pe.directoriesOffset + CERTIFICATE_DIRECTORY * dataDirectory.size;
  const headers = Math.max(clip(pe.optional.SizeOfHeaders), checksum + 4);
  const table = pe.directories["certificate"];
  const ranges: ByteRange[] = [{ start: 0, end: checksum }];
  if (table === undefined || entry + dataDirectory.size > headers) {
    ranges.push({ start: checksum + 4, end: headers });
  } else {
    ranges.push(
      { start: checksum + 4, end: entry },
      { start: entry + dataDirectory.size, end: headers },
    );
  }
  let hashed = headers;
  const sections = pe.sections.filter((s) => s.size > 0).sort((a, b) => a.offset - b.offset);
  for (const { name, offset, size, headerOffset } of sections) {
    ranges.push({ start: clip(offset), end: clip(offset + size) });
    hashed += clip(offset + size) - clip(offset);
    if (hashed > bytes.length) {
      throw new FormatError(
        { structure: "IMAGE_SECTION_HEADER", field: "PointerToRawData", offset: headerOffset },
        `headers and sections up to ${name} take ${hex(hashed)} bytes of a file of ${
          hex(bytes.length)
        }, so overlap`,
      );
    }
  }
  // "What is left" is counted, not placed: firmware does the same.
  const rest = bytes.length - (table?.size ?? 0);
  if (rest > hashed) ranges.push({ start: hashed, end: rest });
  return ranges;
}

/**
 * The Authenticode digest of an image.
 *
 * @throws {FormatError} As {@link authenticodeRanges}.
 */
export async function authenticodeDigest(
  bytes: Uint8Array,
  pe: Pe,
  algorithm: DigestAlgorithm,
): Promise<Uint8Array> {
  const ranges = authenticodeRanges(bytes, pe);
  const whole = new Uint8Array(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for (const { start, end } of ranges) {
    whole.set(bytes.subarray(start, end), at);
    at += end - start;
  }
  return new Uint8Array(await crypto.subtle.digest(algorithm, whole));
}

/** How an image stands to one of its signatures. */
export interface DigestVerdict {
  /** File offset of the signature's entry in the table. */
  readonly offset: number;
  /** `matches`, `changed` since it was signed, or `unknown` if that cannot be told. */
  readonly status: "matches" | "changed" | "unknown";
  /** The same in words. */
  readonly text: string;
  /** Digest algorithm, as the signature names it. */
  readonly algorithm: string;
  /** The digest that was signed. */
  readonly stored?: Uint8Array;
  /** The image's digest now. */
  readonly computed?: Uint8Array;
}

const isDigestAlgorithm = (name: string): name is DigestAlgorithm =>
  name === "SHA-1" || name === "SHA-256" || name === "SHA-384" || name === "SHA-512";

/** Compares an image with the digests its signatures vouch for. */
export async function checkDigests(
  bytes: Uint8Array,
  pe: Pe,
  table: CertificateTable,
): Promise<DigestVerdict[]> {
  const digests = new Map<DigestAlgorithm, Promise<Uint8Array>>();
  const digest = (algorithm: DigestAlgorithm) => {
    const known = digests.get(algorithm) ?? authenticodeDigest(bytes, pe, algorithm);
    digests.set(algorithm, known);
    return known;
  };
  const verdicts: DigestVerdict[] = [];
  for (const { offset, signature } of table.certificates) {
    if (signature !== undefined) verdicts.push(await checkDigest(offset, signature, digest));
  }
  return verdicts;
}

async function checkDigest(
  offset: number,
  { digestAlgorithm: algorithm, imageDigest: stored }: ImageSignature,
  digest: (algorithm: DigestAlgorithm) => Promise<Uint8Array>,
): Promise<DigestVerdict> {
  const unknown = (text: string): DigestVerdict => ({ offset, status: "unknown", text, algorithm });
  if (stored === undefined) return unknown("the signature is not over an image");
  if (!isDigestAlgorithm(algorithm)) return unknown(`cannot compute ${algorithm}`);
  let computed: Uint8Array;
  try {
    computed = await digest(algorithm);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return unknown(error.message);
  }
  const same = computed.length === stored.length && computed.every((b, i) => b === stored[i]);
  return {
    offset,
    status: same ? "matches" : "changed",
    text: same ? "image hash matches the signature's" : "changed since signed",
    algorithm,
    stored,
    computed,
  };
}
