/**
 * The members of an initramfs: the file itself, a UKI's `.initrd`, or a file
 * named beside the kernel.
 *
 * @module
 */

import { FormatError, hex } from "../../formats/errors.ts";
import { openInitramfs, type Segment } from "../../formats/initramfs/initramfs.ts";
import { showMode } from "../../formats/initramfs/mode.ts";
import { decodePe } from "../../formats/pe.ts";
import { decodeUki } from "../../formats/uki.ts";
import type { InfoOptions } from "../program.ts";
import { exit } from "../ui/exit.ts";
import { type Input, readInput } from "../ui/files.ts";
import { styles } from "../ui/style.ts";
import { table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { severityPaint } from "./summary.ts";
import { count, grouped } from "./words.ts";

/** The initramfs of a UKI, or the file as it is. */
export function initramfsIn(bytes: Uint8Array): { bytes: Uint8Array; offset: number } {
  const pe = bytes[0] === 0x4d && bytes[1] === 0x5a ? decodePe(bytes) : undefined;
  const section = pe && decodeUki(bytes, pe)?.sections.find(({ name }) => name === ".initrd");
  if (section) {
    const end = section.offset + section.size;
    return { bytes: bytes.subarray(section.offset, end), offset: section.offset };
  }
  if (pe) {
    throw new FormatError(
      { structure: "initramfs", offset: 0 },
      "a kernel image without an .initrd section; the initramfs is a file of its own",
    );
  }
  return { bytes, offset: 0 };
}

/** Lists an initramfs: segments, members, microcode, what is wrong. */
export async function printInitramfs(
  terminal: Terminal,
  input: Input,
  options: Pick<InfoOptions, "initramfs" | "limit">,
): Promise<number> {
  const paint = styles(terminal.colour);
  const file = typeof options.initramfs === "string" ? await readInput(options.initramfs) : input;
  const { bytes, offset } = initramfsIn(file.bytes);
  const opened = await openInitramfs(
    bytes,
    options.limit === undefined ? {} : { limit: options.limit },
  );
  const { segments, init, complaints } = opened;
  terminal.out(`${paint.title(printable(file.path))}\n`);
  terminal.out(
    `  initramfs, ${count(segments.length, "segment")}, ` +
      `${init ? "/init is there" : "no /init"}, ${grouped(bytes.length)} bytes\n`,
  );
  for (const segment of segments) printSegment(terminal, segment, offset);
  for (const { severity, offset: at, message } of complaints) {
    terminal.out(
      `  ${severityPaint(paint, severity)} at ${hex(offset + at)}: ${printable(message)}\n`,
    );
  }
  return exit.done.code;
}

function printSegment(terminal: Terminal, segment: Segment, base: number): void {
  const paint = styles(terminal.colour);
  const { offset, length, compression, kind, members, microcode } = segment;
  terminal.out(
    `\n  ${paint.name(`${kind} segment`)} at ${hex(base + offset)}, ${grouped(length)} bytes, ` +
      `${compression === "none" ? "plain" : compression}, ${count(members.length, "member")}\n`,
  );
  for (const update of microcode ?? []) terminal.out(`    ${microcodeLine(update)}\n`);
  const rows = members.map(({ mode, uid, gid, contents, size, mtime, name, target, rdev }) => [
    showMode(mode),
    `${uid}:${gid}`,
    (mode & 0o170000) === 0o020000 || (mode & 0o170000) === 0o060000
      ? `${rdev.major},${rdev.minor}`
      : grouped(Math.max(size, contents.size)),
    new Date(mtime * 1000).toISOString().slice(0, 16).replace("T", " "),
    printable(name) + (target === undefined ? "" : ` -> ${printable(target)}`),
  ]);
  terminal.out(table(terminal, [{}, {}, { align: "right" }, {}, {}], rows, { indent: 4 }));
}

function microcodeLine(update: NonNullable<Segment["microcode"]>[number]): string {
  return Object.entries(update)
    .filter(([, value]) => typeof value === "string" || typeof value === "number")
    .map(([name, value]) => `${name} ${typeof value === "number" ? hex(value) : value}`)
    .join(", ");
}
