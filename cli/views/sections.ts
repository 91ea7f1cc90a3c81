/**
 * The sections of a file, one function each: what `--section NAME` prints, and
 * `--all` prints of all.
 *
 * @module
 */

import { imageMap } from "../../core/image_map.ts";
import type { Inspection } from "../../core/inspection.ts";
import { shownFields } from "../../core/json.ts";
import { platforms as platformRows } from "../../core/platforms/mod.ts";
import type { Verdict } from "../../core/platforms/platform.ts";
import { rules } from "../../core/rules.ts";
import { auditRules } from "../../core/zero_page_audit.ts";
import { winCertificate } from "../../formats/certificate.ts";
import {
  elf32Ehdr,
  elf64Ehdr,
  sectionTypes,
  segmentFlags,
  segmentTypes,
} from "../../formats/elf_tables.ts";
import { hex } from "../../formats/errors.ts";
import { hexOf } from "../../formats/others/finding.ts";
import { kernelInfo } from "../../formats/kernel_info.ts";
import { type AnyRecord, bitNames, meaning, type Structure } from "../../formats/layout.ts";
import {
  coffHeader,
  optionalHeader32,
  optionalHeader64,
  showCharacteristics,
} from "../../formats/pe_headers.ts";
import { setupHeaderTable } from "../../formats/setup_header.ts";
import { styles } from "../ui/style.ts";
import { type Column, keyValues, table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { severityPaint, shortEntry } from "./summary.ts";
import { grouped, raw } from "./words.ts";

/** What a section prints on. */
export type Sheet = Pick<Terminal, "out" | "columns" | "outIsTerminal" | "colour">;

/** What a section prints from. */
export interface SectionInput {
  /** The file. */
  readonly inspection: Inspection;
  /** Every platform's verdict. */
  readonly platforms: ReadonlyMap<string, Verdict>;
}

/** One section. */
export interface SectionView {
  /** Its heading. */
  readonly title: string;
  /** Writes it; nothing, and false, where the file has no such thing. */
  print(terminal: Sheet, input: SectionInput): boolean;
}

/** The fields of a structure as a table: offset, name, raw value, meaning. */
export function fieldTable(
  terminal: Sheet,
  structure: Structure,
  record: AnyRecord,
  base = 0,
): string {
  const paint = styles(terminal.colour);
  const rows = [...shownFields(structure, record)].map((field) => [
    hex(base + field.at, 3),
    field.path,
    raw(field.value, field.size > 8 ? 1 : field.size),
    printable(field.meaning ?? ""),
  ]);
  const columns: Column[] = [
    { align: "right", paint: paint.dim },
    { paint: paint.name },
    { fit: "wrap" },
    { fit: "wrap" },
  ];
  return table(terminal, columns, rows, { indent: 2 });
}

/** An ELF segment's flags as readelf prints them: "R E", "RW ". */
function rwx(flags: number): string {
  return `${flags & 4 ? "R" : " "}${flags & 2 ? "W" : " "}${flags & 1 ? "E" : " "}`;
}

const nameOf = (names: Readonly<Record<number, string>>, value: number): string =>
  names[value] ?? hex(value);

/** The sections, in the order in which `--all` prints them. */
export const sections: Readonly<Record<string, SectionView>> = {
  recognition: {
    title: "What it looks like",
    print(terminal, { inspection: { recognition, boot } }) {
      terminal.out(`  ${printable(recognition.title)}\n`);
      // The setup header's fields have a section of their own.
      const fields = boot ? [] : recognition.fields;
      terminal.out(keyValues(
        terminal,
        fields.map(({ name, value, shown }) =>
          [printable(name), printable(shown ?? raw(value))] as const
        ),
        { indent: 2 },
      ));
      for (const other of recognition.also) {
        terminal.out(`  also: ${printable(other.title)}\n`);
        terminal.out(keyValues(
          terminal,
          other.fields.map(({ name, value, shown }) =>
            [printable(name), printable(shown ?? raw(value))] as const
          ),
          { indent: 4 },
        ));
      }
      if (recognition.hint) terminal.out(`  ${printable(recognition.hint)}\n`);
      return true;
    },
  },
  setup_header: {
    title: "Setup header",
    print(terminal, { inspection: { boot } }) {
      if (!boot) return false;
      const { fields, version } = boot.header;
      terminal.out(fieldTable(terminal, setupHeaderTable(version), fields as AnyRecord, boot.at));
      return true;
    },
  },
  kernel_info: {
    title: "kernel_info",
    print(terminal, { inspection: { boot } }) {
      const info = boot?.kernelInfo;
      if (!boot || !info) return false;
      terminal.out(fieldTable(terminal, kernelInfo, info.fields, boot.at + info.offset));
      for (const { magic, offset, data } of info.chunks) {
        terminal.out(`  ${hex(boot.at + offset)}  chunk "${printable(magic)}"  ${raw(data)}\n`);
      }
      return true;
    },
  },
  platforms: {
    title: "Platforms",
    print(terminal, { platforms }) {
      for (const [name, verdict] of platforms) {
        platformLines(terminal, name, platformRows[name]?.title ?? "", verdict);
      }
      return platforms.size > 0;
    },
  },
  payload: {
    title: "Payload",
    print(terminal, { inspection: { boot, kernel, opened } }) {
      const payload = boot?.payload;
      const unpacked = kernel?.unpacked;
      if (!payload && !unpacked) return false;
      const yes = payload?.sizeWord === kernel?.bytes.length ? "right" : "WRONG";
      terminal.out(keyValues(terminal, [
        ["format", payload?.format ?? unpacked?.format],
        ["offset", hex(payload && boot ? boot.at + payload.offset : unpacked?.offset ?? 0)],
        ["length", grouped(payload?.length ?? unpacked?.length ?? 0)],
        ["found", payload ? `by ${payload.found}` : "the file itself is compressed"],
        [
          "size word",
          payload?.sizeWord === undefined
            ? undefined
            : `${grouped(payload.sizeWord)}${kernel ? `, ${yes}` : ""}`,
        ],
        ["unpacked", kernel ? grouped(kernel.bytes.length) : opened ? "no" : "not opened"],
        ["checks", unpacked && (unpacked.checks.join(", ") || "the format has none")],
        ...Object.entries(unpacked?.parameters ?? {}).map(([name, value]) =>
          [name, printable(String(value))] as const
        ),
      ], { indent: 2 }));
      return true;
    },
  },
  elf: {
    title: "ELF",
    print(terminal, { inspection: { kernel } }) {
      const elf = kernel?.elf;
      if (!kernel || !elf) return false;
      terminal.out(
        fieldTable(terminal, elf.class === 64 ? elf64Ehdr : elf32Ehdr, elf.header as AnyRecord),
      );
      const w = elf.class / 4;
      terminal.out("\n");
      terminal.out(table(
        terminal,
        [
          { title: "Segment" },
          { title: "Offset", align: "right" },
          { title: "Virtual", align: "right" },
          { title: "Physical", align: "right" },
          { title: "In file", align: "right" },
          { title: "In memory", align: "right" },
          { title: "Flags" },
          { title: "Align", align: "right" },
        ],
        elf.phdrs.map((p) => [
          nameOf(segmentTypes, p.type),
          hex(p.offset),
          hex(p.vaddr, w),
          hex(p.paddr),
          hex(p.filesz),
          hex(p.memsz),
          rwx(p.flags) + bitNames(p.flags & ~7, segmentFlags).join(" "),
          hex(p.align),
        ]),
        { indent: 2 },
      ));
      terminal.out("\n");
      terminal.out(table(
        terminal,
        [
          { title: "Section", fit: "cut" },
          { title: "Type" },
          { title: "Address", align: "right" },
          { title: "Offset", align: "right" },
          { title: "Size", align: "right" },
        ],
        elf.sections.map((s) => [
          printable(s.name),
          nameOf(sectionTypes, s.type),
          hex(s.addr),
          hex(s.offset),
          hex(s.size),
        ]),
        { indent: 2 },
      ));
      return true;
    },
  },
  notes: {
    title: "ELF notes",
    print(terminal, { inspection: { kernel } }) {
      if (!kernel || (kernel.notes.length === 0 && !kernel.xenGuest)) return false;
      terminal.out(table(
        terminal,
        [{ title: "Owner" }, { title: "Type", align: "right" }, { title: "Name" }, {
          title: "Value",
          fit: "wrap",
        }],
        kernel.notes.map(({ owner, type, name, shown }) => [
          printable(owner),
          String(type),
          name ?? "",
          printable(shown),
        ]),
        { indent: 2 },
      ));
      const guest = kernel.xenGuest;
      if (guest) {
        terminal.out(`  __xen_guest at ${hex(guest.offset)}\n`);
        terminal.out(keyValues(
          terminal,
          [...guest.values].map(([key, value]) => [printable(key), printable(value)] as const),
          { indent: 4 },
        ));
      }
      return true;
    },
  },
  relocations: {
    title: "Relocations behind the ELF",
    print(terminal, { inspection: { kernel } }) {
      const relocations = kernel?.relocations;
      if (!kernel || !relocations) return false;
      terminal.out(
        `  ${grouped(kernel.bytes.length - kernel.elfEnd)} bytes at ${hex(kernel.elfEnd)} of the ` +
          "unpacked payload\n",
      );
      terminal.out(table(
        terminal,
        [{ title: "List" }, { title: "Places", align: "right" }, { title: "First" }, {
          title: "Last",
        }],
        relocations.lists.map(({ kind, count, first, last }) => [
          kind,
          grouped(count),
          first === undefined ? "" : hex(first),
          last === undefined ? "" : hex(last),
        ]),
        { indent: 2 },
      ));
      return true;
    },
  },
  pe: {
    title: "PE/COFF",
    print(terminal, { inspection }) {
      const pe = inspection.boot?.pe ?? inspection.pe;
      if (!pe) return false;
      terminal.out(fieldTable(terminal, coffHeader, pe.coff as AnyRecord, pe.headerOffset));
      terminal.out(
        fieldTable(
          terminal,
          pe.isPlus ? optionalHeader64 : optionalHeader32,
          pe.optional as AnyRecord,
          pe.optionalOffset,
        ),
      );
      if (pe.checksum) {
        const { status, stored, computed } = pe.checksum;
        terminal.out(
          `  checksum ${status}` +
            (status === "wrong" ? `: ${hex(stored)}, needs ${hex(computed)}` : "") + "\n",
        );
      }
      terminal.out("\n");
      terminal.out(table(
        terminal,
        [
          { title: "Section" },
          { title: "Offset", align: "right" },
          { title: "In file", align: "right" },
          { title: "Virtual", align: "right" },
          { title: "In memory", align: "right" },
          { title: "Flags", fit: "wrap" },
        ],
        pe.sections.map((s) => [
          printable(s.name),
          hex(s.offset),
          hex(s.size),
          hex(s.virtualAddress),
          hex(s.virtualSize),
          showCharacteristics(s.characteristics),
        ]),
        { indent: 2 },
      ));
      return true;
    },
  },
  certificate: {
    title: "Signatures",
    print(terminal, { inspection: { certificates, digests } }) {
      const all = certificates?.certificates ?? [];
      for (const { offset, length, type, signature } of all) {
        const verdict = digests.find((digest) => digest.offset === offset);
        terminal.out(keyValues(terminal, [
          [
            "entry",
            `${hex(offset)}, ${length} bytes, ` +
            meaning(winCertificate.fields.wCertificateType, type),
          ],
          ["image", verdict && printable(verdict.text)],
          ["digest", verdict?.computed && `${verdict.algorithm} ${hexOf(verdict.computed)}`],
          ...(signature?.signers ?? []).flatMap((signer) => [
            ["signer", printable(signer.subject?.text ?? signer.serial)] as const,
            ["issuer", signer.issuer && printable(signer.issuer.text)] as const,
            ["signed", signer.signingTime && printable(signer.signingTime)] as const,
            ["stamped", signer.timeStamp && printable(signer.timeStamp)] as const,
          ]),
          ...(signature?.certificates ?? []).map((certificate) =>
            [
              "contains",
              printable(
                `${certificate.subject.text}, valid ${certificate.notBefore} to ` +
                  certificate.notAfter,
              ),
            ] as const
          ),
        ], { indent: 2 }));
      }
      return all.length > 0;
    },
  },
  sbat: {
    title: "SBAT",
    print(terminal, { inspection: { uki, sbat } }) {
      const rows = uki?.sbat ?? sbat;
      if (!rows || rows.length === 0) return false;
      terminal.out(table(
        terminal,
        [
          { title: "Component" },
          { title: "Generation", align: "right" },
          { title: "Vendor" },
          {
            title: "Package",
          },
          { title: "Version" },
          { title: "URL" },
        ],
        rows.map((row) =>
          [
            row.component,
            String(row.generation),
            row.vendor,
            row.package,
            row.version,
            row.url,
          ].map((cell) => printable(cell ?? ""))
        ),
        { indent: 2 },
      ));
      return true;
    },
  },
  uki: {
    title: "Unified kernel image",
    print(terminal, { inspection: { uki } }) {
      if (!uki) return false;
      terminal.out(table(
        terminal,
        [{ title: "Section" }, { title: "Offset", align: "right" }, {
          title: "Size",
          align: "right",
        }, { title: "Text", fit: "cut" }],
        uki.sections.map(({ name, offset, size, text }) => [
          name,
          hex(offset),
          grouped(size),
          printable(text?.trim().split("\n")[0] ?? ""),
        ]),
        { indent: 2 },
      ));
      return true;
    },
  },
  crc: {
    title: "CRC-32 of the build",
    print(terminal, { inspection: { boot } }) {
      if (!boot?.crc) return false;
      const { status, reason, end, stored, computed } = boot.crc;
      terminal.out(keyValues(terminal, [
        ["status", status],
        ["why", reason],
        ["covers", end === undefined ? undefined : `${hex(boot.at)}..${hex(boot.at + end)}`],
        ["stored", stored === undefined ? undefined : hex(stored, 8)],
        ["computed", computed === undefined ? undefined : hex(computed, 8)],
      ], { indent: 2 }));
      return true;
    },
  },
  map: {
    title: "Map of the file",
    print(terminal, { inspection }) {
      const paint = styles(terminal.colour);
      terminal.out(table(
        terminal,
        [
          { title: "Offset", align: "right" },
          { title: "End", align: "right" },
          { title: "Bytes", align: "right" },
          { title: "What", fit: "cut" },
          { title: "", fit: "cut", paint: paint.dim },
        ],
        imageMap(inspection).map(({ offset, length, name, note, depth, unclaimed }) => [
          hex(offset),
          hex(offset + length),
          grouped(length),
          "  ".repeat(Math.max(0, depth - 1)) +
          (unclaimed ? paint.warn(name) : paint.name(printable(name))),
          printable(note ?? ""),
        ]),
        { indent: 2 },
      ));
      return true;
    },
  },
  complaints: {
    title: "Complaints",
    print(terminal, { inspection: { complaints } }) {
      const paint = styles(terminal.colour);
      if (complaints.length === 0) terminal.out("  No complaints.\n");
      for (const { severity, offset, rule, message } of complaints) {
        terminal.out(
          `  ${severityPaint(paint, severity)} at ${hex(offset)} [${rule}]\n    ` +
            `${printable(message)}\n`,
        );
        const says = rules[rule]?.says ?? auditRules[rule]?.says;
        if (says) terminal.out(`    ${paint.dim(`Rule: ${says}`)}\n`);
      }
      return true;
    },
  },
};

/** A platform's verdict in full. */
export function platformLines(
  terminal: Sheet,
  name: string,
  title: string,
  verdict: Verdict,
): void {
  const paint = styles(terminal.colour);
  const starts = verdict.starts === true
    ? paint.good("starts")
    : verdict.starts === null
    ? paint.warn("cannot be told")
    : paint.bad("does not start");
  terminal.out(`  ${paint.name(name)} (${title}): ${starts}\n`);
  if (verdict.starts) {
    for (const entry of verdict.entries) {
      terminal.out(`    ${shortEntry(entry)}: ${entry.state}\n`);
    }
    for (const remark of verdict.remarks) terminal.out(`    ${remark}\n`);
    return;
  }
  terminal.out(`    ${verdict.reason}\n`);
  if (verdict.nearest) terminal.out(`    would do: ${verdict.nearest.join(", ")}\n`);
}
