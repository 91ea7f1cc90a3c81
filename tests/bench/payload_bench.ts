/**
 * Decompressors against the tools that packed: `deno task bench payload [VMLINUX
 * [RUNS]]`.
 *
 * The file, by default the kernel inside Debian's 6.1 for amd64, is packed by each tool, as a kernel's build does; then unpacked here
 * and by the tool, in turns, so that both meet the same weather. Figures are
 * medians. "cold" is the first unpacking in a process of its own, modules
 * compiled and all, without the start of the process; "peak" is that process's
 * greatest resident size, less that of one that does nothing.
 *
 * @module
 */

import type { Compression } from "../../formats/payload/compression.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import { unpackedKernel } from "./unpacked.ts";

/** What a kernel's build packs with, and how its tool unpacks to standard output. */
const tools = [
  { format: "xz", pack: "xz --check=crc32 --x86 --lzma2=preset=9,dict=32MiB", unpack: "xz -dc" },
  { format: "zstd", pack: "zstd -q -22 --ultra", unpack: "zstd -qdc" },
  { format: "gzip", pack: "gzip -n -9", unpack: "gzip -dc" },
  { format: "lzma", pack: "xz --format=lzma -9", unpack: "xz --format=lzma -dc" },
  { format: "bzip2", pack: "bzip2 -9", unpack: "bzip2 -dc" },
  { format: "lzo", pack: "lzop -9", unpack: "lzop -dc" },
  { format: "lz4", pack: "lz4 -q -l -9", unpack: "lz4 -qdc" },
] as const satisfies readonly { format: Compression; pack: string; unpack: string }[];

/** One measured format; times in milliseconds. */
export interface PayloadFigures {
  /** The format. */
  readonly format: Compression;
  /** Bytes when packed. */
  readonly packed: number;
  /** Median of unpacking here. */
  readonly here: number;
  /** Median of the tool, its start included. */
  readonly tool: number;
  /** Median of the first unpacking of a process. */
  readonly cold: number;
  /** That process's memory, in bytes, less that of an idle one. */
  readonly peak: number;
}

/**
 * Measures all formats.
 *
 * @param vmlinux Path of what is to be packed.
 * @param runs How often each is measured.
 */
export async function benchPayload(vmlinux: string, runs = 5): Promise<PayloadFigures[]> {
  const folder = await Deno.makeTempDir();
  try {
    const idle = (await cold("none", vmlinux)).peak;
    const figures: PayloadFigures[] = [];
    for (const { format, pack, unpack } of tools) {
      const file = `${folder}/${format}`;
      await shell(`${pack} -c < "$1" > "$2"`, vmlinux, file);
      const bytes = await Deno.readFile(file);
      const times = { here: [] as number[], tool: [] as number[], cold: [] as number[] };
      let peak = 0;
      for (let run = 0; run < runs; run++) {
        times.here.push(await timed(() => decompress(format, bytes)));
        times.tool.push(await timed(() => shell(`${unpack} < "$1" > /dev/null`, file)));
        const alone = await cold(format, file);
        times.cold.push(alone.time);
        peak = Math.max(peak, alone.peak - idle);
      }
      figures.push({
        format,
        packed: bytes.length,
        here: median(times.here),
        tool: median(times.tool),
        cold: median(times.cold),
        peak,
      });
    }
    return figures;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The table, as text. */
export function showPayloadFigures(figures: readonly PayloadFigures[], size: number): string {
  const rows = figures.map((f) => [
    f.format,
    `${(f.packed / 1e6).toFixed(1)} MB`,
    `${f.here.toFixed(0)} ms`,
    `${f.tool.toFixed(0)} ms`,
    (f.here / f.tool).toFixed(2),
    `${f.cold.toFixed(0)} ms`,
    (f.cold / f.tool).toFixed(2),
    `${(f.peak / size).toFixed(2)} x`,
  ]);
  const titles = ["format", "packed", "here", "tool", "ratio", "cold", "ratio", "peak"];
  return [titles, titles.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`)
    .join("\n");
}

async function timed(what: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await what();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

async function shell(script: string, ...args: readonly string[]): Promise<void> {
  const command = new Deno.Command("sh", { args: ["-c", script, "sh", ...args] });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
}

/** Unpacks in a process of its own. */
async function cold(format: Compression, file: string): Promise<{ time: number; peak: number }> {
  const script = new URL(import.meta.url).pathname;
  const args = ["run", "-A", script, "--cold", format, file];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const [first = "", second = "", third = ""] = Deno.args;
  if (first === "--cold") {
    const bytes = second === "none" ? new Uint8Array(0) : await Deno.readFile(third);
    const time = await timed(() => decompress(second as Compression, bytes));
    const status = await Deno.readTextFile("/proc/self/status");
    const peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? NaN) * 1024;
    console.log(JSON.stringify({ time, peak }));
  } else if (first !== "") {
    const { size } = await Deno.stat(first);
    console.log(showPayloadFigures(await benchPayload(first, Number(second || 5)), size));
  } else {
    const kernel = await unpackedKernel("linux-6.1-amd64");
    if (kernel) {
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeFile(file, kernel.bytes);
        console.log(showPayloadFigures(await benchPayload(file), kernel.bytes.length));
      } finally {
        await Deno.remove(file);
      }
    }
  }
}
