/**
 * Makes PE/COFF images for tests: headers for an image that exists, whole images
 * from sections, UKIs, certificate tables.
 *
 * @module
 */

import { encode } from "../formats/layout.ts";
import {
  CERTIFICATE_DIRECTORY,
  coffHeader,
  dataDirectory,
  dosHeader,
  MZ,
  optionalHeader32,
  optionalHeader64,
  PE,
  sectionHeader,
} from "../formats/pe_headers.ts";

/** A section; its place is worked out unless given. */
export interface SectionRecipe {
  readonly name: string;
  /** What it holds; for headers of an image that exists, give `raw` instead. */
  readonly bytes?: Uint8Array | string;
  /** File offset and length. */
  readonly raw?: readonly [offset: number, size: number];
  readonly virtualAddress?: number;
  readonly virtualSize?: number;
  readonly characteristics?: number;
}

/** What the headers say. */
export interface PeRecipe {
  /** Default 0x8664, x86-64. */
  readonly machine?: number;
  /** PE32+ rather than PE32; default by machine. */
  readonly plus?: boolean;
  /** File offset of "PE"; default 0x40. */
  readonly e_lfanew?: number;
  readonly characteristics?: number;
  readonly dllCharacteristics?: number;
  readonly imageVersion?: readonly [major: number, minor: number];
  readonly subsystem?: number;
  readonly entry?: number;
  readonly sectionAlignment?: number;
  readonly fileAlignment?: number;
  readonly sizeOfHeaders?: number;
  readonly sizeOfImage?: number;
  /** Number of data directories; default 6, as Linux has. */
  readonly directories?: number;
  readonly sections: readonly SectionRecipe[];
}

const up = (n: number, to: number) => Math.ceil(n / to) * to;

export const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

const code = 0x60000020, data = 0x40000040;

/** Writes DOS, COFF, optional and section headers into an image. */
export function writePeHeaders(image: Uint8Array, recipe: PeRecipe): void {
  const {
    machine = 0x8664,
    plus = machine !== 0x14c,
    e_lfanew = 0x40,
    characteristics = plus ? 0x206 : 0x306,
    dllCharacteristics = 0x100,
    imageVersion = [3, 0],
    subsystem = 10,
    entry = 0x1000,
    sectionAlignment = 0x1000,
    fileAlignment = 0x200,
    sizeOfHeaders = 0x1000,
    sizeOfImage = 0,
    directories = 6,
    sections,
  } = recipe;
  const table = plus ? optionalHeader64 : optionalHeader32;
  const optional = e_lfanew + coffHeader.size;
  encode(dosHeader, { e_magic: MZ, e_lfanew }, image);
  encode(
    coffHeader,
    {
      Signature: PE,
      Machine: machine,
      NumberOfSections: sections.length,
      SizeOfOptionalHeader: table.size + directories * dataDirectory.size,
      Characteristics: characteristics,
    },
    image,
    e_lfanew,
  );
  const fields = {
    Magic: plus ? 0x20b : 0x10b,
    MajorLinkerVersion: 2,
    MinorLinkerVersion: 20,
    AddressOfEntryPoint: entry,
    SectionAlignment: sectionAlignment,
    FileAlignment: fileAlignment,
    MajorImageVersion: imageVersion[0],
    MinorImageVersion: imageVersion[1],
    SizeOfImage: sizeOfImage,
    SizeOfHeaders: sizeOfHeaders,
    Subsystem: subsystem,
    DllCharacteristics: dllCharacteristics,
    NumberOfRvaAndSizes: directories,
  };
  if (plus) encode(optionalHeader64, fields, image, optional);
  else encode(optionalHeader32, fields, image, optional);
  const first = optional + table.size + directories * dataDirectory.size;
  sections.forEach((section, i) => {
    const [offset, size] = section.raw ?? [0, 0];
    const isText = section.name === ".text";
    encode(
      sectionHeader,
      {
        Name: section.name,
        VirtualSize: section.virtualSize ?? size,
        VirtualAddress: section.virtualAddress ?? offset,
        SizeOfRawData: size,
        PointerToRawData: offset,
        Characteristics: section.characteristics ?? (isText ? code : data),
      },
      image,
      first + i * sectionHeader.size,
    );
  });
}

/**
 * A whole image: headers, then the sections' bytes, each at its file alignment.
 * Names of more than eight characters go to a string table at the end.
 */
export function peImage(recipe: PeRecipe): Uint8Array {
  const {
    sectionAlignment = 0x1000,
    fileAlignment = 0x200,
    sizeOfHeaders = 0x400,
  } = recipe;
  let at = sizeOfHeaders;
  let address = up(sizeOfHeaders, sectionAlignment);
  const names: string[] = [];
  let namesLength = 4;
  const placed = recipe.sections.map((section) => {
    const bytes = bytesOf(section.bytes ?? new Uint8Array());
    let name = section.name;
    if (name.length > 8) {
      names.push(name);
      name = `/${namesLength}`;
      namesLength += section.name.length + 1;
    }
    const virtualSize = section.virtualSize ?? bytes.length;
    const virtualAddress = section.virtualAddress ?? address;
    const raw = section.raw ?? [at, up(bytes.length, fileAlignment)] as const;
    at = Math.max(at, up(raw[0] + raw[1], fileAlignment));
    address = up(virtualAddress + Math.max(virtualSize, 1), sectionAlignment);
    return { ...section, name, bytes, virtualSize, virtualAddress, raw };
  });
  const image = new Uint8Array(at + (names.length > 0 ? namesLength : 0));
  writePeHeaders(image, {
    ...recipe,
    sizeOfHeaders,
    sizeOfImage: address,
    sections: placed,
  });
  for (const { bytes, raw } of placed) {
    image.set(bytes.subarray(0, raw[1]), raw[0]);
  }
  if (names.length > 0) {
    const e_lfanew = recipe.e_lfanew ?? 0x40;
    encode(
      coffHeader,
      { PointerToSymbolTable: at, NumberOfSymbols: 0 },
      image,
      e_lfanew,
    );
    new DataView(image.buffer).setUint32(at, namesLength, true);
    image.set(bytesOf(names.map((name) => `${name}\0`).join("")), at + 4);
  }
  return image;
}

/** A UKI or an addon: section names without their dot, and contents. */
export function uki(
  sections:
    | Readonly<Record<string, Uint8Array | string>>
    | readonly (readonly [name: string, content: Uint8Array | string])[],
): Uint8Array {
  const list = Array.isArray(sections) ? sections : Object.entries(sections);
  return peImage({
    sections: [
      { name: ".text", bytes: Uint8Array.of(0xf4) },
      ...list.map(([name, bytes]) => ({ name: `.${name}`, bytes })),
    ],
  });
}

/** One WIN_CERTIFICATE, padded to eight bytes. */
export function winCertificate(
  certificate: {
    readonly bytes: Uint8Array;
    readonly revision?: number;
    readonly type?: number;
    readonly length?: number;
  },
): Uint8Array {
  const { bytes, revision = 0x200, type = 2, length = 8 + bytes.length } = certificate;
  const made = new Uint8Array(up(8 + bytes.length, 8));
  const view = new DataView(made.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, revision, true);
  view.setUint16(6, type, true);
  made.set(bytes, 8);
  return made;
}

const at16 = (bytes: Uint8Array, at: number) => (bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8;

/** Where in the file the checksum and the certificate directory entry are. */
export function signedFields(
  image: Uint8Array,
): { checksum: number; entry: number } {
  const optional = at16(image, 0x3c) + coffHeader.size;
  const table = at16(image, optional) === 0x20b ? optionalHeader64.size : optionalHeader32.size;
  return {
    checksum: optional + 0x40,
    entry: optional + table + CERTIFICATE_DIRECTORY * dataDirectory.size,
  };
}

/**
 * Signs as far as the file's shape goes: pads to eight bytes, appends the table,
 * enters it into the directory and writes the PE checksum.
 */
export function withCertificates(
  image: Uint8Array,
  table: Uint8Array,
): Uint8Array {
  const start = up(image.length, 8);
  const made = new Uint8Array(start + table.length);
  made.set(image);
  made.set(table, start);
  const { entry } = signedFields(made);
  encode(
    dataDirectory,
    { VirtualAddress: start, Size: table.length },
    made,
    entry,
  );
  writeChecksum(made);
  return made;
}

/** Writes the PE checksum, word by word as its definition says. */
export function writeChecksum(image: Uint8Array): void {
  const { checksum } = signedFields(image);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  view.setUint32(checksum, 0, true);
  let sum = 0;
  for (let at = 0; at < image.length; at += 2) {
    sum += at16(image, at);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  view.setUint32(checksum, sum + image.length, true);
}
