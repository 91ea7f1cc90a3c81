/**
 * The first view of a file: what it is and what can be done with it, on one
 * screen.
 *
 * @module
 */

import { releaseText } from "../../core/evidence.ts";
import type { Inspection } from "../../core/inspection.ts";
import type { Entry, Start, Verdict } from "../../core/platforms/platform.ts";
import type { Complaint } from "../../formats/complaint.ts";
import { elfMachines, elfTypes } from "../../formats/elf_tables.ts";
import { hex } from "../../formats/errors.ts";
import { kernelInfo } from "../../formats/kernel_info.ts";
import { bitNames, meaning } from "../../formats/layout.ts";
import { showProtocol, xloadflags } from "../../formats/setup_header.ts";
import { type Styles, styles } from "../ui/style.ts";
import { keyValues, table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { count, grouped, roughly } from "./words.ts";

/** What the summary needs beside the inspection. */
export interface SummaryFacts {
  /** Every platform's verdict. */
  readonly platforms: ReadonlyMap<string, Verdict>;
  /** Whether the kernel has BTF; absent if not looked for. */
  readonly hasBtf?: boolean;
  /** Number of its symbols; absent if there are none or nobody looked. */
  readonly symbols?: number;
  /** Whether it carries its configuration. */
  readonly hasConfig?: boolean;
}

/** Writes the summary of one file. */
export function summary(terminal: Terminal, inspection: Inspection, facts: SummaryFacts): void {
  const paint = styles(terminal.colour);
  const { path, bytes, recognition } = inspection;
  terminal.out(`${paint.title(printable(path))}\n`);
  const within = inspection.inside ? `: ${inspection.inside.title}` : "";
  // What is unknown has its size for a name.
  const size = recognition.kind === "unknown" ? "" : `, ${grouped(bytes.length)} bytes`;
  terminal.out(`  ${printable(recognition.title + within)}${size}\n\n`);
  const rows = factRows(inspection, facts).filter(([, value]) => value !== undefined);
  terminal.out(keyValues(terminal, rows, { indent: 2, nameWidth: 9 }));
  if (inspection.boot || [...facts.platforms.values()].some(({ starts }) => starts !== false)) {
    terminal.out("\n");
    platformTable(terminal, paint, facts.platforms);
  }
  const { hint } = inspection.inside ?? recognition;
  if (hint) terminal.out(`${rows.length > 0 ? "\n" : ""}  ${printable(hint)}\n`);
  terminal.out("\n");
  complaintLines(terminal, paint, inspection.complaints);
}

type Row = readonly [name: string, value: string | undefined];

function factRows(inspection: Inspection, facts: SummaryFacts): Row[] {
  const { recognition, boot, kernel } = inspection;
  const text = boot?.versionString?.text ?? kernel?.banner?.text ?? releaseText(inspection);
  const rows: Row[] = [["Release", text && printable(text)]];
  if (boot) rows.push(["Protocol", protocolLine(inspection)], ["Loads", loadLine(inspection)]);
  rows.push(["Payload", payloadLine(inspection)]);
  rows.push(["Kernel", kernelLine(inspection, facts)]);
  rows.push(["EFI", efiLine(inspection)]);
  rows.push(["UKI", ukiLine(inspection)]);
  rows.push(["Signed", signatureLine(inspection)]);
  rows.push(["CRC-32", crcLine(inspection)]);
  // Of a kernel image all that recognition knows is said better above.
  if (!boot && !kernel?.elf && recognition.kind !== "PE") {
    for (const { name, value, shown } of (inspection.inside ?? recognition).fields) {
      rows.push([printable(name), printable(shown ?? String(value))]);
    }
  }
  return rows;
}

function protocolLine({ boot }: Inspection): string | undefined {
  if (!boot) return undefined;
  const { header, kernelInfo: info } = boot;
  if (header.version < 0x200) {
    return `before 2.00 (no "HdrS"), setup ${header.fields.setup_sects || 4} × 512 bytes`;
  }
  const parts = [
    showProtocol(header.version),
    `header to ${hex(header.end)}`,
    `setup ${header.fields.setup_sects || 4} × 512 bytes`,
  ];
  if (info) {
    const max = kernelInfo.fields.setup_type_max;
    parts.push(`kernel_info: setup_data up to ${meaning(max, info.fields.setup_type_max)}`);
  }
  return parts.join(", ");
}

function loadLine({ boot }: Inspection): string | undefined {
  if (!boot) return undefined;
  const { fields } = boot.header;
  const parts: string[] = [];
  if (fields.pref_address !== undefined) {
    parts.push(
      `at ${hex(fields.pref_address)}${fields.relocatable_kernel ? " or any" : ""} (aligned ` +
        `${roughly(fields.kernel_alignment ?? 0)}), needs ${roughly(fields.init_size ?? 0)}`,
    );
  } else if (fields.code32_start) parts.push(`at ${hex(fields.code32_start)}`);
  parts.push(`command line ≤ ${fields.cmdline_size ?? 255}`);
  const above = ((fields.xloadflags ?? 0) & 2) !== 0;
  if (boot.header.version < 0x200) parts.push("no initrd");
  else if (above) parts.push("initrd anywhere");
  else parts.push(`initrd ≤ ${hex(fields.initrd_addr_max ?? 0x37ffffff)}`);
  return parts.join(", ");
}

function payloadLine(inspection: Inspection): string | undefined {
  const { boot, kernel, opened } = inspection;
  const payload = boot?.payload;
  const unpacked = kernel?.unpacked;
  if (!payload && !unpacked) return boot && "none named by the header";
  const format = payload?.format ?? unpacked?.format ?? "unknown compression";
  const offset = payload && boot ? boot.at + payload.offset : unpacked?.offset ?? 0;
  const length = payload?.length ?? unpacked?.length ?? 0;
  let line = `${format} at ${hex(offset)}, ${grouped(length)} bytes`;
  if (payload?.found === "scan") line += ", found by scanning";
  if (!opened) {
    const size = payload?.sizeWord;
    return size === undefined ? line : `${line}, ${grouped(size)} unpacked by its size word`;
  }
  if (!kernel) return `${line}, does not unpack`;
  line += ` → ${grouped(kernel.bytes.length)}`;
  const held = [
    ...(payload?.sizeWord === kernel.bytes.length ? ["size"] : []),
    ...(unpacked?.checks ?? []),
  ];
  return held.length > 0
    ? `${line}; ${held.join(" and ")} hold${held.length > 1 ? "" : "s"}`
    : line;
}

function named(names: Readonly<Record<number, string>>, value: number, other: string): string {
  return names[value] ?? `${other} ${value}`;
}

function kernelLine({ kernel }: Inspection, facts: SummaryFacts): string | undefined {
  if (!kernel) return undefined;
  const { elf, relocations } = kernel;
  if (!elf) return `raw, ${grouped(kernel.bytes.length)} bytes`;
  const parts = [
    `ELF ${elf.class}-bit ${named(elfMachines, elf.machine, "machine")} ` +
    named(elfTypes, elf.type, "type"),
    `entry ${hex(elf.entry)}`,
    count(elf.phdrs.length, "segment"),
    count(elf.sections.length, "section"),
  ];
  if (relocations) {
    const sum = relocations.lists.reduce((n, list) => n + list.count, 0);
    parts.push(count(sum, "relocation"));
  }
  if (facts.symbols !== undefined) parts.push(count(facts.symbols, "symbol"));
  if (facts.hasBtf) parts.push("BTF");
  if (facts.hasConfig) parts.push("its .config");
  return parts.join(", ");
}

function efiLine({ boot, pe }: Inspection): string | undefined {
  const view = boot?.pe ?? pe;
  if (!view) return undefined;
  const parts = [
    `${view.isPlus ? "PE32+" : "PE32"}, entry ${hex(view.optional.AddressOfEntryPoint)}`,
  ];
  const flags = boot?.header.fields.xloadflags;
  if (flags !== undefined) {
    const wide = bitNames(flags, xloadflags)
      .filter((name) => name.startsWith("XLF_EFI_HANDOVER"))
      .map((name) => name.slice(-2));
    if (wide.length > 0) parts.push(`handover ${wide.join(" and ")} bit`);
  }
  if (view.linuxLayout) parts.push(`${view.linuxLayout} layout`);
  if (view.sections.length > 0) {
    parts.push(printable(view.sections.map(({ name }) => name).join(" ")));
  }
  return parts.join(", ");
}

function ukiLine({ uki }: Inspection): string | undefined {
  if (!uki) return undefined;
  const name = uki.osrel?.["PRETTY_NAME"] ?? uki.osrel?.["NAME"];
  const parts = [uki.kind === "addon" ? "addon" : "unified kernel image"];
  if (name !== undefined) parts.push(printable(name));
  parts.push(printable(uki.sections.map((section) => section.name).join(" ")));
  return parts.join(", ");
}

function signatureLine({ certificates, digests, pe }: Inspection): string | undefined {
  if (!pe) return undefined;
  const all = certificates?.certificates ?? [];
  if (all.length === 0) return "no";
  return all.map(({ signature, offset }) => {
    if (!signature) return "by something other than PKCS #7";
    const names = signature.signers.map(({ subject, issuer, serial }) =>
      subject?.commonName ?? issuer?.commonName ?? serial
    );
    const verdict = digests.find((digest) => digest.offset === offset);
    return `by ${printable(names.join(", ") || "nobody named")}` +
      (verdict ? `; ${verdict.text}` : "");
  }).join("; ");
}

const crcWords = {
  ok: "holds: the file is as it was built",
  signed: "holds, less what signing filled in",
  changed: "does not hold: changed after it was built",
} as const;

function crcLine({ boot }: Inspection): string | undefined {
  if (!boot?.crc || boot.header.version < 0x208 || !boot.payload) return undefined;
  const { status, reason } = boot.crc;
  return status === "absent" ? `absent${reason ? `: ${reason}` : ""}` : crcWords[status];
}

/** An entry in a few characters. */
export function shortEntry({ kind, address }: Entry): string {
  return `${kind} ${hex(address)}`;
}

/** A platform's entries; those of the plain PC are not told twice. */
function entriesLine(name: string, { entries }: Start, pc: Verdict | undefined): string {
  const line = entries.map(shortEntry).join(", ");
  return name !== "pc" && pc?.starts && pc.entries.map(shortEntry).join(", ") === line
    ? "as pc"
    : line;
}

function platformTable(
  terminal: Terminal,
  paint: Styles,
  platforms: ReadonlyMap<string, Verdict>,
): void {
  const rows = [...platforms]
    // Rows about other kinds of kernel are noise where they do not apply.
    .filter(([name, verdict]) => verdict.starts === true || !name.startsWith("multiboot"))
    .map(([name, verdict]) =>
      verdict.starts
        ? [
          paint.name(name),
          paint.good("yes"),
          [entriesLine(name, verdict, platforms.get("pc")), ...verdict.remarks].join("; "),
        ]
        : [
          paint.name(name),
          verdict.starts === null ? paint.warn("?") : paint.bad("no"),
          verdict.reason,
        ]
    );
  terminal.out(
    table(
      terminal,
      [{ title: "Platform" }, { title: "Starts" }, { title: "Enters at, or why not", fit: "wrap" }],
      rows,
      { indent: 2 },
    ),
  );
}

/** The styles of severities. */
export function severityPaint(paint: Styles, severity: Complaint["severity"]): string {
  return severity === "error"
    ? paint.bad(severity)
    : severity === "warning"
    ? paint.warn(severity)
    : paint.dim(severity);
}

/** So many complaints are listed in a summary; `--check` lists all. */
const LISTED = 5;

function complaintLines(
  terminal: Terminal,
  paint: Styles,
  complaints: readonly Complaint[],
): void {
  const serious = complaints.filter(({ severity }) => severity !== "info");
  if (serious.length === 0) {
    terminal.out(`  ${paint.good("No complaints.")}\n`);
    return;
  }
  const rows = serious.slice(0, LISTED).map(({ severity, offset, message }) => [
    severityPaint(paint, severity),
    hex(offset),
    printable(message),
  ]);
  terminal.out(table(terminal, [{}, { align: "right" }, { fit: "wrap" }], rows, { indent: 2 }));
  const more = serious.length - LISTED;
  if (more > 0) terminal.out(`  and ${more} more: --check lists them\n`);
}

/** One row of the table that several files make. */
export function summaryRow(
  inspection: Inspection,
  platforms: ReadonlyMap<string, Verdict>,
): string[] {
  const { boot, kernel, recognition, path, complaints } = inspection;
  const version = boot?.header.version;
  return [
    printable(path),
    recognition.kind,
    printable(releaseText(inspection) ?? "-"),
    version === undefined ? "-" : version < 0x200 ? "old" : showProtocol(version),
    kernel?.elf
      ? `${kernel.elf.class}-bit`
      : boot?.header.fields.xloadflags !== undefined
      ? boot.header.fields.xloadflags & 1 ? "64-bit" : "32-bit"
      : "-",
    boot?.payload?.format ?? kernel?.unpacked?.format ?? "-",
    [...platforms].filter(([, v]) => v.starts === true).map(([name]) => name).join(" ") || "-",
    String(complaints.filter(({ severity }) => severity !== "info").length),
  ];
}

/** Headings of that table. */
export const summaryColumns = [
  { title: "File", fit: "cut" },
  { title: "Kind", fit: "cut" },
  { title: "Release", fit: "cut" },
  { title: "Protocol" },
  { title: "Bits" },
  { title: "Payload" },
  { title: "Platforms", fit: "cut" },
  { title: "Complaints", align: "right" },
] as const;
