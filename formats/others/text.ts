/**
 * Texts that lie beside kernels: configuration, symbol maps, scripts.
 *
 * @module
 */

import { field, type Finding } from "./finding.ts";

/** How much of a file is looked at. */
const LOOKED_AT = 4096;

/** A row of the table: a text, how it is known, and what to do instead. */
interface KnownText {
  readonly name: string;
  readonly pattern: RegExp;
  readonly hint: string;
}

const knownTexts: readonly KnownText[] = [
  {
    name: "Linux kernel configuration",
    pattern: /^(#.*\n)*# Linux\/.* Kernel Configuration|^(# )?CONFIG_\w+[ =]/m,
    hint: "the configuration a kernel was built with: compare two with bootdiff",
  },
  {
    name: "Linux kernel symbol map (System.map)",
    pattern: /^[0-9a-f]{8,16} [a-zA-Z?] \S/,
    hint: "addresses of a kernel's symbols: the kernel lies beside it",
  },
  {
    name: "stub of a Linux kernel symbol map (System.map)",
    pattern: /^f{8,16} B The real System\.map/,
    hint: "names the package that has the real one",
  },
  { name: "script", pattern: /^#!/, hint: "a script, no kernel" },
  { name: "GRUB configuration", pattern: /^\s*menuentry\s/m, hint: "names the kernels to look at" },
  {
    name: "boot loader entry",
    pattern: /^(title|linux|initrd|options|efi)[ \t]+\S[\s\S]*^(linux|efi|initrd|options)[ \t]/m,
    hint: "names the kernel to look at",
  },
  {
    name: "Syslinux configuration",
    pattern: /^\s*(LABEL|KERNEL|APPEND)\s/mi,
    hint: "names the kernels to look at",
  },
  { name: "device tree source", pattern: /^\/dts-v1\//m, hint: "dtc makes a DTB of it" },
  { name: "Git LFS pointer", pattern: /^version https:\/\/git-lfs/, hint: "the file is elsewhere" },
  { name: "HTML page", pattern: /^\s*<(!doctype|html)/i, hint: "a download that went wrong?" },
  { name: "JSON text", pattern: /^\s*[[{][\s\S]*["\]}]/, hint: "no kernel" },
];

/** Whether the start of a file is text: UTF-8 without control characters. */
export function isText(bytes: Uint8Array): boolean {
  if (bytes.length === 0) return false;
  for (const byte of bytes.subarray(0, LOOKED_AT)) {
    const isControl = byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x1b;
    if (isControl || byte === 0x7f) return false;
  }
  return !/\ufffd/.test(startOf(bytes));
}

/** The start as text; a character cut in two at its end is left out. */
function startOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, LOOKED_AT), { stream: true });
}

/** Describes a text. */
export function findTextFile(bytes: Uint8Array): Finding {
  const start = startOf(bytes);
  // The stub looks like a map too, so the more special pattern wins.
  const known =
    knownTexts.findLast(({ name, pattern }) => name.startsWith("stub") && pattern.test(start)) ??
      knownTexts.find(({ pattern }) => pattern.test(start));
  const line = start.split(/\r?\n/).find((l) => l.trim() !== "")?.slice(0, 120) ?? "";
  return {
    kind: "text",
    title: known ? `${known.name}, text` : "text",
    fields: [field("first_line", line)],
    hint: known?.hint ?? "a text, no kernel",
  };
}
