/**
 * How long bootinfo takes for a whole kernel, against the tool that does no more
 * than unpack its payload: `deno task bench analysis [RUNS]`.
 *
 * Whole processes, from start to exit, in turns. bootinfo reads the file, checks
 * the signature and every sum, unpacks, and reads ELF, notes, relocations and
 * banner; the tool unpacks to nowhere. "peak" is bootinfo's greatest resident
 * size in units of the unpacked kernel, by GNU time where that is installed.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { inspect } from "../../core/inspection.ts";
import { image, readImage } from "../images/images.ts";

const bootinfo = fileURLToPath(new URL("../../cli/bootinfo.ts", import.meta.url));

/** Fetched images by the payload they have, and the tool for it. */
const cases: readonly (readonly [id: string, tool: string])[] = [
  ["linux-6.1-amd64", "xz -dc"],
  ["linux-6.12-amd64", "zstd -qdc"],
  ["linux-6.1-cloud-amd64", "lz4 -qdc"],
];

async function run(words: readonly string[]): Promise<{ time: number; stderr: string }> {
  const [program = "", ...args] = words;
  const start = performance.now();
  const { success, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const time = performance.now() - start;
  if (!success) throw new Error(`${words.join(" ")} failed`);
  return { time, stderr: new TextDecoder().decode(stderr) };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

/** Peak memory of a command in bytes; undefined without GNU time. */
async function peakOf(words: readonly string[]): Promise<number | undefined> {
  try {
    const { stderr } = await run(["/usr/bin/time", "-f", "%M", ...words]);
    return Number(stderr.trim().split("\n").at(-1)) * 1024;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Measures one file against one tool; a row of the table. */
async function measure(
  name: string,
  file: string,
  packed: string,
  tool: string,
  size: number,
  runs: number,
): Promise<string> {
  const ours = [Deno.execPath(), "run", "-q", "--allow-read", bootinfo, file];
  const theirs = ["sh", "-c", `${tool} < "$1" > /dev/null`, "sh", packed];
  const times = { ours: [] as number[], theirs: [] as number[] };
  for (let i = 0; i <= runs; i++) {
    const pair = [(await run(ours)).time, (await run(theirs)).time] as const;
    // The first round fills caches.
    if (i === 0) continue;
    times.ours.push(pair[0]);
    times.theirs.push(pair[1]);
  }
  const ratio = median(times.ours.map((time, i) => time / (times.theirs[i] ?? NaN)));
  const peak = await peakOf(ours);
  return `| ${name} | ${median(times.ours).toFixed(0)} ms | ${tool} | ` +
    `${median(times.theirs).toFixed(0)} ms | ${ratio.toFixed(2)} | ` +
    `${peak === undefined ? "not measured" : `${(peak / size).toFixed(2)} x`} |`;
}

if (import.meta.main) {
  const runs = Number(Deno.args[0] ?? 7);
  const folder = await Deno.makeTempDir();
  console.log("| image | bootinfo | tool | tool alone | ratio | peak |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  try {
    for (const [id, tool] of cases) {
      const found = image(id);
      if (!found) {
        console.log(`| ${id} | not fetched | | | | |`);
        continue;
      }
      const { boot, kernel } = await inspect(id, readImage(found));
      const payload = boot?.payload;
      if (!boot || !kernel || !payload) throw new Error(`${id} has no payload`);
      const packed = `${folder}/payload`;
      const end = payload.offset + payload.streamLength;
      await Deno.writeFile(packed, boot.bytes.subarray(payload.offset, end));
      const name = `${id}, ${payload.format}`;
      console.log(await measure(name, found.path, packed, tool, kernel.bytes.length, runs));
      if (payload.format !== "xz") continue;
      // The same kernel in other formats: a vmlinux of its own, without signature and sums.
      const plain = `${folder}/vmlinux`;
      await Deno.writeFile(plain, kernel.bytes);
      for (
        const [pack, unpack] of [["gzip -9 -n", "gzip -dc"], [
          "zstd -q -22 --ultra",
          "zstd -qdc",
        ]] as const
      ) {
        const again = `${folder}/vmlinux.packed`;
        await run(["sh", "-c", `${pack} < "$1" > "$2"`, "sh", plain, again]);
        const what = `its vmlinux, ${pack.split(" ")[0]}`;
        console.log(await measure(what, again, again, unpack, kernel.bytes.length, runs));
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
