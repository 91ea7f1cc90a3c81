/**
 * A PKCS #7 signature as it stands in a PE image: who signed what digest, by
 * which certificates. Nothing is verified here, neither signature nor trust.
 *
 * Source: RFC 2315 (PKCS #7), RFC 5280 (certificates), RFC 3161 (time stamps);
 * Microsoft, "Windows Authenticode Portable Executable Signature Format", for
 * SpcIndirectDataContent.
 *
 * @module
 */

import {
  childrenOf,
  contentOf,
  type Der,
  DerFields,
  hexBytes,
  readDer,
  showOid,
  showText,
  showTime,
  tags,
} from "./der.ts";
import { FormatError } from "./errors.ts";

/** Digest algorithms by object identifier, under their Web Crypto names. */
export const digestAlgorithms: Readonly<Record<string, string>> = {
  "1.2.840.113549.2.5": "MD5",
  "1.3.14.3.2.26": "SHA-1",
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

const attributeNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "1.2.840.113549.1.9.1": "emailAddress",
  "0.9.2342.19200300.100.1.25": "DC",
};

const oids = {
  signedData: "1.2.840.113549.1.7.2",
  spcIndirectData: "1.3.6.1.4.1.311.2.1.4",
  signingTime: "1.2.840.113549.1.9.5",
  counterSignature: "1.2.840.113549.1.9.6",
  timeStampToken: "1.3.6.1.4.1.311.3.3.1",
} as const;

/** A distinguished name. */
export interface DistinguishedName {
  /** Its parts in their order, "CN=Example CA, O=Example". */
  readonly text: string;
  /** Its first common name. */
  readonly commonName?: string;
}

/** What a certificate says of itself. */
export interface CertificateSummary {
  /** File offset. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Whose it is. */
  readonly subject: DistinguishedName;
  /** Who made it out. */
  readonly issuer: DistinguishedName;
  /** Serial number, hexadecimal. */
  readonly serial: string;
  /** Valid from, ISO 8601. */
  readonly notBefore: string;
  /** Valid until, ISO 8601. */
  readonly notAfter: string;
}

/** Who signed. */
export interface Signer {
  /** Issuer of the signer's certificate; absent if it is named by key identifier. */
  readonly issuer?: DistinguishedName;
  /** Serial number of the signer's certificate, hexadecimal, or its key identifier. */
  readonly serial: string;
  /** Subject of that certificate, where the signature carries it. */
  readonly subject?: DistinguishedName;
  /** Digest algorithm of the signature. */
  readonly digestAlgorithm: string;
  /** Time the signer claims, ISO 8601. */
  readonly signingTime?: string;
  /** Time that a time stamp vouches for, ISO 8601. */
  readonly timeStamp?: string;
}

/** A signature over an image. */
export interface ImageSignature {
  /** Algorithm of the image digest, "SHA-256". */
  readonly digestAlgorithm: string;
  /** The image's digest when it was signed; absent if something else was signed. */
  readonly imageDigest?: Uint8Array;
  /** Who signed. */
  readonly signers: readonly Signer[];
  /** The certificates that came along. */
  readonly certificates: readonly CertificateSummary[];
}

/**
 * Reads a PKCS #7 SignedData.
 *
 * @param file The whole file, so that errors tell its offsets.
 * @param start Where the signature starts in it.
 * @param end What it has to end before; padding may follow it.
 * @throws {FormatError} If it is not one.
 */
export function decodeImageSignature(
  file: Uint8Array,
  start: number,
  end: number,
): ImageSignature {
  const { content, certificates, signers } = signedData(readDer(file, start, end));
  let imageDigest: Uint8Array | undefined;
  let digestAlgorithm: string | undefined;
  if (showOid(content.type) === oids.spcIndirectData && content.value !== undefined) {
    // SpcIndirectDataContent: what is meant (the file), then algorithm and digest.
    const spc = new DerFields(content.value, "SpcIndirectDataContent");
    spc.next("data", tags.sequence);
    const info = new DerFields(spc.next("messageDigest", tags.sequence), "DigestInfo");
    digestAlgorithm = algorithm(info.next("digestAlgorithm", tags.sequence));
    imageDigest = contentOf(info.next("digest", tags.octetString));
  }
  const known = certificates.map(readCertificate);
  const subjects = new Map(known.map((c) => [holder(c.issuer, c.serial), c.subject]));
  const read = signers.map((signer) => readSigner(signer, subjects));
  return {
    digestAlgorithm: digestAlgorithm ?? read[0]?.digestAlgorithm ?? "unknown",
    ...(imageDigest && { imageDigest }),
    signers: read,
    certificates: known,
  };
}

interface SignedData {
  readonly content: { readonly type: Der; readonly value?: Der };
  readonly certificates: readonly Der[];
  readonly signers: readonly Der[];
}

function signedData(contentInfo: Der): SignedData {
  if (contentInfo.tag !== tags.sequence) {
    throw new FormatError(
      { structure: "ContentInfo", offset: contentInfo.offset },
      "needs a DER sequence",
    );
  }
  const outer = new DerFields(contentInfo, "ContentInfo");
  const type = outer.next("contentType", tags.objectIdentifier);
  if (showOid(type) !== oids.signedData) {
    throw new FormatError(
      { structure: "ContentInfo", field: "contentType", offset: type.offset },
      `needs signedData, found ${showOid(type) || "no object identifier"}`,
    );
  }
  const wrapped = new DerFields(outer.next("content", tags.context0), "ContentInfo");
  const fields = new DerFields(wrapped.next("content", tags.sequence), "SignedData");
  fields.next("version", tags.integer);
  fields.next("digestAlgorithms", tags.set);
  const inner = new DerFields(fields.next("contentInfo", tags.sequence), "ContentInfo");
  const innerType = inner.next("contentType", tags.objectIdentifier);
  const explicit = inner.optional(tags.context0);
  const value = explicit && new DerFields(explicit, "ContentInfo").optional();
  const certificates = fields.optional(tags.context0);
  fields.optional(tags.context1); // revocation lists
  const signers = fields.next("signerInfos", tags.set);
  return {
    content: { type: innerType, ...(value && { value }) },
    certificates: certificates ? [...childrenOf(certificates)] : [],
    signers: [...childrenOf(signers)],
  };
}

/** The name of an AlgorithmIdentifier's digest. */
function algorithm(der: Der): string {
  const oid = showOid(new DerFields(der, "AlgorithmIdentifier").next("algorithm"));
  return digestAlgorithms[oid] ?? oid;
}

function readName(der: Der): DistinguishedName {
  const parts: string[] = [];
  let commonName: string | undefined;
  for (const set of childrenOf(der)) {
    for (const pair of childrenOf(set)) {
      const fields = new DerFields(pair, "AttributeTypeAndValue");
      const oid = showOid(fields.next("type", tags.objectIdentifier));
      const name = attributeNames[oid] ?? oid;
      const value = showText(fields.next("value"));
      parts.push(`${name}=${value}`);
      if (name === "CN") commonName ??= value;
    }
  }
  return { text: parts.join(", "), ...(commonName !== undefined && { commonName }) };
}

function readCertificate(der: Der): CertificateSummary {
  const outer = new DerFields(der, "Certificate");
  const fields = new DerFields(outer.next("tbsCertificate", tags.sequence), "TBSCertificate");
  fields.optional(tags.context0); // version
  const serial = hexBytes(contentOf(fields.next("serialNumber", tags.integer)));
  fields.next("signature", tags.sequence);
  const issuer = readName(fields.next("issuer", tags.sequence));
  const validity = new DerFields(fields.next("validity", tags.sequence), "Validity");
  const times = [tags.utcTime, tags.generalizedTime];
  const notBefore = showTime(validity.next("notBefore", ...times));
  const notAfter = showTime(validity.next("notAfter", ...times));
  const subject = readName(fields.next("subject", tags.sequence));
  const length = der.end - der.offset;
  return { offset: der.offset, length, subject, issuer, serial, notBefore, notAfter };
}

/** What tells one certificate from all others. */
function holder(issuer: DistinguishedName | undefined, serial: string): string {
  return `${serial} ${issuer?.text}`;
}

function readSigner(der: Der, subjects: ReadonlyMap<string, DistinguishedName>): Signer {
  const { issuer, serial, digestAlgorithm, signed, unsigned } = readSignerInfo(der);
  const subject = subjects.get(holder(issuer, serial));
  const time = attribute(signed, oids.signingTime);
  const timeStamp = readTimeStamp(unsigned);
  return {
    ...(issuer && { issuer }),
    serial,
    ...(subject && { subject }),
    digestAlgorithm,
    ...(time && { signingTime: showTime(time) }),
    ...(timeStamp !== undefined && { timeStamp }),
  };
}

interface SignerInfo {
  readonly issuer?: DistinguishedName;
  readonly serial: string;
  readonly digestAlgorithm: string;
  /** Attributes under the signature. */
  readonly signed?: Der;
  /** Attributes added after. */
  readonly unsigned?: Der;
}

function readSignerInfo(der: Der): SignerInfo {
  const fields = new DerFields(der, "SignerInfo");
  fields.next("version", tags.integer);
  const keyIdentifier = 0x80;
  const sid = fields.next("issuerAndSerialNumber", tags.sequence, keyIdentifier);
  let issuer: DistinguishedName | undefined;
  let serial: string;
  if (sid.tag === keyIdentifier) {
    serial = hexBytes(contentOf(sid));
  } else {
    const pair = new DerFields(sid, "IssuerAndSerialNumber");
    issuer = readName(pair.next("issuer", tags.sequence));
    serial = hexBytes(contentOf(pair.next("serialNumber", tags.integer)));
  }
  const digestAlgorithm = algorithm(fields.next("digestAlgorithm", tags.sequence));
  const signed = fields.optional(tags.context0);
  fields.next("digestEncryptionAlgorithm", tags.sequence);
  fields.next("encryptedDigest", tags.octetString);
  const unsigned = fields.optional(tags.context1);
  return {
    ...(issuer && { issuer }),
    serial,
    digestAlgorithm,
    ...(signed && { signed }),
    ...(unsigned && { unsigned }),
  };
}

/** The first value of an attribute, if it is there. */
function attribute(attributes: Der | undefined, oid: string): Der | undefined {
  if (attributes === undefined) return undefined;
  for (const pair of childrenOf(attributes)) {
    const fields = new DerFields(pair, "Attribute");
    if (showOid(fields.next("type", tags.objectIdentifier)) !== oid) continue;
    return new DerFields(fields.next("values", tags.set), "Attribute").optional();
  }
  return undefined;
}

/** The time another party vouches for: an RFC 3161 token, or a countersignature. */
function readTimeStamp(unsigned: Der | undefined): string | undefined {
  const token = attribute(unsigned, oids.timeStampToken);
  if (token !== undefined) {
    const { content: { value } } = signedData(token);
    if (value?.tag !== tags.octetString) return undefined;
    const fields = new DerFields(readDer(value.bytes, value.start, value.end), "TSTInfo");
    fields.next("version", tags.integer);
    fields.next("policy", tags.objectIdentifier);
    fields.next("messageImprint", tags.sequence);
    fields.next("serialNumber", tags.integer);
    return showTime(fields.next("genTime", tags.generalizedTime));
  }
  // A countersignature may carry another, and so on; only the first is read.
  const counter = attribute(unsigned, oids.counterSignature);
  const time = counter && attribute(readSignerInfo(counter).signed, oids.signingTime);
  return time && showTime(time);
}
