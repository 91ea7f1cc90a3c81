/**
 * The members of an initramfs: the file itself, a UKI's `.initrd`, the one built
 * into a kernel, or a file named beside it.
 *
 * @module
 */

import { hex } from "../../formats/errors.ts";
import { findBuiltinInitramfs } from "../../formats/initramfs/builtin.ts";
import { type Initramfs, openInitramfs, type Segment } from "../../formats/initramfs/initramfs.ts";
import { type Microcode, showSignature } from "../../formats/initramfs/microcode.ts";
import { showMode } from "../../formats/initramfs/mode.ts";
import { hasSetupHeader } from "../../formats/others/x86.ts";
import type { InfoOptions } from "../program.ts";
import { InputError } from "../ui/errors.ts";
import { exit } from "../ui/exit.ts";
import { type Input, readInput } from "../ui/files.ts";
import { styles } from "../ui/style.ts";
import { table } from "../ui/table.ts";
import type { Terminal } from "../ui/terminal.ts";
import { printable } from "../ui/text.ts";
import { severityPaint } from "./summary.ts";
import { count, grouped } from "./words.ts";

/** An initramfs and where it came from. */
interface FoundInitramfs {
  /** The bytes that its offsets count in. */
  readonly bytes: Uint8Array;
  /** What it is, for the heading. */
  readonly title: string;
  /** What to add to its offsets to have those of the file; 0 where it was unpacked. */
  readonly base: number;
  /** The archive, opened. */
  readonly opened: Initramfs;
}

/** The initramfs in a file: a UKI's, the one built into a kernel, or the file itself. */
async function initramfsIn(
  terminal: Terminal,
  input: Input,
  limit: { readonly limit?: number },
): Promise<FoundInitramfs> {
  const { bytes, path } = input;
  const isProgram = bytes[0] === 0x4d || bytes[0] === 0x7f || hasSetupHeader(bytes);
  if (!isProgram) {
    return { bytes, title: "initramfs", base: 0, opened: await openInitramfs(bytes, limit) };
  }
  const { open } = await import("../info.ts");
  const { uki, kernel } = await open(terminal, input, limit);
  const section = uki?.sections.find(({ name }) => name === ".initrd");
  if (section) {
    const part = bytes.subarray(section.offset, section.offset + section.size);
    return {
      bytes: part,
      title: "initramfs in .initrd",
      base: section.offset,
      opened: await openInitramfs(part, limit),
    };
  }
  const found = kernel && await findBuiltinInitramfs(kernel.bytes, {
    ...limit,
    sections: kernel.elf?.sections ?? [],
  });
  if (!found) throw new InputError(path, "has no initramfs, neither built in nor in .initrd");
  return {
    bytes: kernel.bytes.subarray(found.offset, found.offset + found.length),
    title: `initramfs built into the kernel, at ${hex(found.offset)} of it (${found.rule})`,
    base: 0,
    opened: found.initramfs,
  };
}

/** Lists an initramfs: segments, members, microcode, what is wrong. */
export async function printInitramfs(
  terminal: Terminal,
  input: Input,
  options: Pick<InfoOptions, "initramfs" | "limit">,
): Promise<number> {
  const paint = styles(terminal.colour);
  const file = typeof options.initramfs === "string" ? await readInput(options.initramfs) : input;
  const { bytes, title, base, opened } = await initramfsIn(
    terminal,
    file,
    options.limit === undefined ? {} : { limit: options.limit },
  );
  const { segments, init, complaints, bootconfig } = opened;
  terminal.out(`${paint.title(printable(file.path))}\n`);
  terminal.out(
    `  ${title}, ${count(segments.length, "segment")}, ` +
      `${init ? "/init is there" : "no /init"}, ${grouped(bytes.length)} bytes\n`,
  );
  // Unasked, a file's first view fits a screen.
  const most = options.initramfs === undefined ? LISTED : Infinity;
  for (const segment of segments) printSegment(terminal, segment, base, most);
  if (bootconfig) {
    terminal.out(
      `\n  ${paint.name("bootconfig")} at ${hex(base + bootconfig.offset)}, checksum ` +
        `${bootconfig.checksum}\n`,
    );
  }
  for (const { severity, offset: at, message } of complaints) {
    terminal.out(
      `  ${severityPaint(paint, severity)} at ${hex(base + at)}: ${printable(message)}\n`,
    );
  }
  return exit.done.code;
}

/** So many members of a segment are listed unless the list was asked for. */
const LISTED = 16;

function printSegment(terminal: Terminal, segment: Segment, base: number, most: number): void {
  const paint = styles(terminal.colour);
  const { offset, length, compression, kind, members, microcode } = segment;
  terminal.out(
    `\n  ${paint.name(`${kind} segment`)} at ${hex(base + offset)}, ${grouped(length)} bytes, ` +
      `${compression === "none" ? "plain" : compression}, ${count(members.length, "member")}\n`,
  );
  for (const file of microcode ?? []) {
    for (const line of microcodeLines(file)) terminal.out(`    ${line}\n`);
  }
  const shown = members.slice(0, most);
  const rows = shown.map(({ mode, uid, gid, contents, size, mtime, name, target, rdev }) => [
    showMode(mode),
    `${uid}:${gid}`,
    (mode & 0o170000) === 0o020000 || (mode & 0o170000) === 0o060000
      ? `${rdev.major},${rdev.minor}`
      : grouped(Math.max(size, contents.size)),
    new Date(mtime * 1000).toISOString().slice(0, 16).replace("T", " "),
    pathOf(name) + (target === undefined ? "" : ` -> ${pathOf(target)}`),
  ]);
  terminal.out(table(terminal, [{}, {}, { align: "right" }, {}, {}], rows, { indent: 4 }));
  const more = members.length - shown.length;
  if (more > 0) terminal.out(`    and ${grouped(more)} more: --initramfs lists them\n`);
}

/** A path on one line, whatever characters it is made of. */
function pathOf(name: string): string {
  return printable(name).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** One line an update: which processors it is for, its revision and its day. */
function* microcodeLines(microcode: Microcode): Generator<string> {
  if (microcode.vendor === "GenuineIntel") {
    for (const { header, size, checksum, extended } of microcode.updates) {
      const also = extended.length > 0 ? ` and ${extended.length} more` : "";
      yield `Intel ${showSignature(header.sig)}${also}, revision ${hex(header.rev)}, ` +
        `${day(header.date)}, ${grouped(size)} bytes, checksum ${checksum}`;
    }
    return;
  }
  for (const { patches } of microcode.containers) {
    for (const { header, size, signatures } of patches) {
      yield `AMD ${
        signatures.map((sig) => showSignature(sig)).join(", ") || "for nobody listed"
      }, ` +
        `revision ${hex(header.patch_id)}, ${day(header.data_code)}, ${grouped(size)} bytes`;
    }
  }
}

/** A date in BCD, 0xMMDDYYYY. */
function day(date: number): string {
  const digits = date.toString(16).padStart(8, "0");
  return `${digits.slice(4)}-${digits.slice(0, 2)}-${digits.slice(2, 4)}`;
}
