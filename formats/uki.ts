/**
 * A unified kernel image: kernel, initrd, command line and the rest as sections
 * of one PE file, behind a stub that puts them together; and its addons, which
 * carry some such sections without a kernel.
 *
 * A UKI may hold several profiles. Sections before the first `.profile` belong to
 * all of them; every `.profile` opens one, and its sections stand in for those of
 * the same name in the base.
 *
 * Source: UAPI Group, "Unified Kernel Image (UKI)"; systemd-stub(7), ukify(1).
 *
 * @module
 */

import type { Complaint } from "./complaint.ts";
import { hex } from "./errors.ts";
import { type Pe, type PeSection, peSectionBytes } from "./pe.ts";
import { decodeSbat, type SbatRow } from "./sbat.ts";

/** What each section that a stub knows is for. */
export const ukiSections = {
  ".linux": "the kernel, itself a PE image",
  ".initrd": "initramfs",
  ".cmdline": "kernel command line",
  ".osrel": "os-release of the system",
  ".uname": "the kernel's release",
  ".dtb": "device tree",
  ".splash": "picture shown at boot, BMP",
  ".sbat": "generations for revocation",
  ".sdmagic": "the stub's mark",
  ".ucode": "early microcode, an initramfs of its own",
  ".pcrsig": "signatures of expected PCR values, JSON",
  ".pcrpkey": "public key for .pcrsig, PEM",
  ".profile": "opens a profile",
  ".dtbauto": "device tree, taken if it fits the machine",
  ".hwids": "which machines the .dtbauto and .efifw sections fit",
  ".efifw": "firmware to hand over",
  ".sbom": "bill of the software within",
} as const;

/** A section of a UKI. */
export type UkiSectionName = keyof typeof ukiSections;

const texts: readonly UkiSectionName[] = [
  ".cmdline",
  ".osrel",
  ".uname",
  ".sbat",
  ".sdmagic",
  ".pcrsig",
  ".pcrpkey",
  ".profile",
];

const repeatable: readonly UkiSectionName[] = [".profile", ".dtbauto", ".efifw"];

/** One section, as a stub takes it. */
export interface UkiSection {
  /** Its name. */
  readonly name: UkiSectionName;
  /** File offset. */
  readonly offset: number;
  /** Bytes that count: the smaller of its sizes in memory and in the file. */
  readonly size: number;
  /** Bytes in memory, by its header. */
  readonly virtualSize: number;
  /** Bytes in the file, padding included, by its header. */
  readonly rawSize: number;
  /** Its content where that is text, closing NULs left out; up to 256 KiB. */
  readonly text?: string;
}

/** A profile: one way to boot the image. */
export interface UkiProfile {
  /** Its number, by which it is chosen; the first is 0. */
  readonly number: number;
  /** Short name, `ID=`. */
  readonly id?: string;
  /** Name for people, `TITLE=`. */
  readonly title?: string;
  /** All that `.profile` says. */
  readonly fields: Readonly<Record<string, string>>;
  /** Sections of its own, `.profile` first. */
  readonly sections: readonly UkiSection[];
}

/** A decoded UKI or addon. */
export interface Uki {
  /** `uki` with a kernel, `addon` without. */
  readonly kind: "uki" | "addon";
  /** The sections a stub knows, of base and profiles, in file header order. */
  readonly sections: readonly UkiSection[];
  /** Those before the first `.profile`. */
  readonly base: readonly UkiSection[];
  /** The profiles; none where there is no `.profile`. */
  readonly profiles: readonly UkiProfile[];
  /** `.osrel` of the base, by key. */
  readonly osrel?: Readonly<Record<string, string>>;
  /** `.sbat`, by row. */
  readonly sbat?: readonly SbatRow[];
  /** The stub's mark, "LoaderInfo: systemd-stub 257". */
  readonly stub?: string;
  /** What is wrong with it. */
  readonly complaints: readonly Complaint[];
}

/**
 * Reads a UKI.
 *
 * @returns `undefined` for an image that is neither: a plain kernel, a boot
 *   loader, a bare stub.
 */
export function decodeUki(bytes: Uint8Array, pe: Pe): Uki | undefined {
  const known = pe.sections.filter((s) => isUkiSection(s.name));
  const has = (name: UkiSectionName) => known.some((s) => s.name === name);
  const isAddon = has(".cmdline") || has(".dtb") || has(".initrd") || has(".ucode");
  if (!has(".linux") && !isAddon) return undefined;

  // Sections that overlap cannot make more text than the file has bytes.
  let budget = bytes.length;
  const sections = known.map((section) => {
    const read = readSection(bytes, section, Math.min(budget, LONGEST_TEXT));
    if (read.text !== undefined) budget -= read.size;
    return read;
  });
  const base: UkiSection[] = [];
  const groups: UkiSection[][] = [];
  for (const section of sections) {
    if (section.name === ".profile") groups.push([section]);
    else (groups.at(-1) ?? base).push(section);
  }
  const profiles = groups.map((group, number) => readProfile(group, number));
  const textOf = (name: UkiSectionName) => base.find((s) => s.name === name)?.text;
  const [osrel, sbat, stub] = [textOf(".osrel"), textOf(".sbat"), textOf(".sdmagic")];
  return {
    kind: has(".linux") ? "uki" : "addon",
    sections,
    base,
    profiles,
    ...(osrel !== undefined && { osrel: decodeOsRelease(osrel) }),
    ...(sbat !== undefined && { sbat: decodeSbat(sbat) }),
    ...(stub !== undefined && { stub: stub.replace(/^#+\s*|\s*#+$/g, "") }),
    complaints: [...findFaults(bytes, known, [base, ...groups])],
  };
}

function isUkiSection(name: string): name is UkiSectionName {
  return Object.hasOwn(ukiSections, name);
}

/** Texts in UKIs have a few KiB; what is longer than this stays bytes. */
const LONGEST_TEXT = 256 * 1024;

function readSection(bytes: Uint8Array, section: PeSection, longest: number): UkiSection {
  const name = section.name as UkiSectionName;
  const content = peSectionBytes(bytes, section);
  const isText = texts.includes(name) && content.length <= longest;
  return {
    name,
    offset: section.offset,
    size: content.length,
    virtualSize: section.virtualSize,
    rawSize: section.size,
    ...(isText && { text: new TextDecoder().decode(withoutNuls(content)) }),
  };
}

function withoutNuls(content: Uint8Array): Uint8Array {
  let end = content.length;
  while (end > 0 && content[end - 1] === 0) end--;
  return content.subarray(0, end);
}

function readProfile(sections: readonly UkiSection[], number: number): UkiProfile {
  const fields = decodeOsRelease(sections[0]?.text ?? "");
  const { ID: id, TITLE: title } = fields;
  return {
    number,
    ...(id !== undefined && { id }),
    ...(title !== undefined && { title }),
    fields,
    sections,
  };
}

function* findFaults(
  bytes: Uint8Array,
  sections: readonly PeSection[],
  groups: readonly (readonly UkiSection[])[],
): Generator<Complaint> {
  for (const group of groups) {
    const seen = new Set<UkiSectionName>();
    for (const { name, offset } of group) {
      if (seen.has(name) && !repeatable.includes(name)) {
        yield {
          severity: "warning",
          offset,
          rule: "uki.section-twice",
          message: `${name} stands twice in one profile; the stub takes the first`,
        };
      }
      seen.add(name);
    }
  }
  const kernel = sections.find((s) => s.name === ".linux");
  if (kernel === undefined) return;
  const { offset } = kernel;
  if (bytes[offset] !== 0x4d || bytes[offset + 1] !== 0x5a) {
    const found = hex((bytes[offset] ?? 0) | (bytes[offset + 1] ?? 0) << 8, 4);
    yield {
      severity: "error",
      offset,
      rule: "uki.linux-not-pe",
      message: `.linux needs to start with "MZ", found ${found}`,
    };
  }
  if (!sections.some((s) => s.name === ".osrel")) {
    yield {
      severity: "warning",
      offset: kernel.headerOffset,
      rule: "uki.no-osrel",
      message: "no .osrel, without which boot menus do not take it for a UKI",
    };
  }
}

/**
 * Reads os-release: assignments as a shell reads them, without anything that a
 * shell would expand. A key that comes twice keeps its last value.
 */
export function decodeOsRelease(text: string): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$/.exec(line);
    if (match) pairs.push([match[1] ?? "", unquote(match[2] ?? "")]);
  }
  return Object.fromEntries(pairs);
}

function unquote(value: string): string {
  const quote = value[0];
  const isQuoted = value.length >= 2 && value.at(-1) === quote;
  if (isQuoted && quote === "'") return value.slice(1, -1);
  if (isQuoted && quote === '"') return value.slice(1, -1).replace(/\\([\\"$`])/g, "$1");
  return value.replace(/\\(.)/g, "$1");
}
