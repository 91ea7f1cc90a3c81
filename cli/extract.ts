/**
 * Takes a part out of a file: `bootinfo --extract PART`.
 *
 * @module
 */

import type { Inspection } from "../core/inspection.ts";
import { findBtf } from "../formats/btf/mod.ts";
import type { InfoOptions, Part } from "./program.ts";
import { InputError, UsageError } from "./ui/errors.ts";
import { exit } from "./ui/exit.ts";
import { writeOutput } from "./ui/files.ts";
import type { Terminal } from "./ui/terminal.ts";
import { kernelIn, noConfig, symbolLines } from "./views/inside.ts";
import { grouped } from "./views/words.ts";

const utf8 = new TextEncoder();

/** A section of a unified kernel image. */
function ukiSection({ path, uki, bytes }: Inspection, name: string): Uint8Array {
  const section = uki?.sections.find((found) => found.name === name);
  if (!section) throw new InputError(path, `has no ${name} section (not a unified kernel image?)`);
  return bytes.subarray(section.offset, section.offset + section.size);
}

/** How each part is found. */
const finders: Readonly<
  Record<Part, (inspection: Inspection) => Uint8Array | Promise<Uint8Array>>
> = {
  // The ELF and nothing behind it: relocations are the decompressor's affair.
  vmlinux(inspection) {
    const kernel = kernelIn(inspection);
    return kernel.bytes.subarray(0, kernel.elf ? kernel.elfEnd : kernel.bytes.length);
  },
  payload({ path, boot }) {
    const payload = boot?.payload;
    if (!boot || !payload) throw new InputError(path, "has no payload");
    // Without the size word, so that the format's own tool takes it.
    return boot.bytes.subarray(payload.offset, payload.offset + payload.streamLength);
  },
  setup({ path, boot }) {
    if (!boot) throw new InputError(path, "has no setup code");
    return boot.bytes.subarray(0, boot.setupSize);
  },
  async config(inspection) {
    const text = await kernelIn(inspection).configText();
    if (text === undefined) throw noConfig(inspection);
    return utf8.encode(text);
  },
  btf(inspection) {
    const { bytes, elf } = kernelIn(inspection);
    const place = findBtf(bytes, elf?.sections);
    if (!place) throw new InputError(inspection.path, "has no BTF (CONFIG_DEBUG_INFO_BTF)");
    return bytes.subarray(place.offset, place.offset + place.length);
  },
  initrd: (inspection) => ukiSection(inspection, ".initrd"),
  linux: (inspection) => ukiSection(inspection, ".linux"),
  cmdline: (inspection) => ukiSection(inspection, ".cmdline"),
  cert({ path, certificates }) {
    const first = certificates?.certificates[0];
    if (!first) throw new InputError(path, "is not signed");
    return first.data;
  },
  async symbols(inspection) {
    return utf8.encode([...await symbolLines(inspection)].join(""));
  },
};

/** Takes `part` out and writes it where `--output` says, or to standard output. */
export async function extract(
  terminal: Terminal,
  inspection: Inspection,
  part: Part,
  options: Pick<InfoOptions, "output">,
): Promise<number> {
  const bytes = await finders[part](inspection);
  const output = options.output ?? "-";
  if (options.output === undefined && terminal.outIsTerminal && part !== "config") {
    throw new UsageError(`--extract ${part} needs -o FILE or a pipe`);
  }
  await writeOutput(output, bytes, terminal);
  if (output !== "-" && !terminal.quiet) {
    terminal.err(`${output}: ${part}, ${grouped(bytes.length)} bytes\n`);
  }
  return exit.done.code;
}
