/**
 * Makes payload_samples.ts with the native tools:
 * `deno run -A testdata/make_payload_samples.ts`.
 *
 * Needs gzip, bzip2, xz, lzop, lz4 and zstd. Bytes may differ with the tools'
 * versions; what they unpack to does not.
 *
 * @module
 */

import { contents } from "./payload_content.ts";

const every = ["empty", "tiny", "small", "zeros"];

/** Format, contents, and the command line that packs standard input (`FILE`: a file of that name). */
const recipes: readonly (readonly [format: string, contents: readonly string[], made: string])[] = [
  ["gzip", [...every, "medium", "noise"], "gzip -9 -n"],
  ["gzip", ["small", "medium"], "gzip -1 -n"],
  ["gzip", ["tiny"], "gzip -N -c FILE"],
  ["gzip", ["small"], "(head -c 700 FILE | gzip -n; tail -c +701 FILE | gzip -n)"],
  ["bzip2", [...every, "medium", "noise"], "bzip2 -9"],
  ["bzip2", ["small"], "(head -c 700 FILE | bzip2 -1; tail -c +701 FILE | bzip2 -2)"],
  ["lzma", [...every, "medium", "noise"], "xz --format=lzma -9"],
  ["lzma", ["small"], "xz --format=lzma --lzma1=lc=0,lp=2,pb=0"],
  ["xz", [...every, "medium", "noise"], "xz --check=crc32 --x86 --lzma2=dict=32MiB"],
  ["xz", ["small"], "xz --check=crc64"],
  ["xz", ["small"], "xz --check=sha256"],
  ["xz", ["small"], "xz --check=none"],
  ["xz", ["medium"], "xz --check=crc32 --x86=start=4096 --lzma2=lc=1,lp=3,pb=4"],
  ["xz", ["small"], "xz -T2 --block-size=400"],
  [
    "xz",
    ["small"],
    "(head -c 700 FILE | xz; head -c 8 /dev/zero; tail -c +701 FILE | xz --check=crc32)",
  ],
  ["lzo", [...every, "medium", "noise"], "lzop -9"],
  ["lzo", ["small"], "lzop -1 --crc32"],
  ["lzo", ["small"], "lzop -F"],
  ["lz4", ["tiny", "small", "zeros", "medium", "noise"], "lz4 -l -9"],
  ["lz4", ["small"], "(head -c 700 FILE | lz4 -l; tail -c +701 FILE | lz4 -l)"],
  ["lz4", every, "lz4 -9 -BX --content-size -c FILE"],
  ["lz4", ["medium"], "lz4 -BD -B4"],
  ["lz4", ["small"], "lz4 --no-frame-crc"],
  ["zstd", [...every, "medium", "noise"], "zstd -22 --ultra"],
  ["zstd", ["small", "medium"], "zstd -1 --no-check"],
  ["zstd", ["medium"], "zstd -5 --no-content-size -c FILE"],
  [
    "zstd",
    ["small"],
    "(head -c 700 FILE | zstd; printf 'Q*M\\030\\003\\000\\000\\000abc'; tail -c +701 FILE | zstd)",
  ],
];

const folder = Deno.makeTempDirSync();
const rows: string[] = [];
for (const [format, names, made] of recipes) {
  for (const name of names) {
    const file = `${folder}/${name}`;
    Deno.writeFileSync(file, contents[name]?.() ?? new Uint8Array());
    Deno.utimeSync(file, 1_000_000_000, 1_000_000_000);
    const usesFile = /\bFILE\b/.test(made);
    const command = usesFile ? made.replace(/\bFILE\b/g, name) : `cat ${name} | ${made} -c`;
    const { stdout, success } = await new Deno.Command("sh", { args: ["-c", command], cwd: folder })
      .output();
    if (!success) throw new Error(command);
    const base64 = btoa(String.fromCharCode(...stdout));
    rows.push(
      `  {\n    format: "${format}",\n    content: "${name}",\n    made: ${
        JSON.stringify(made)
      },\n    base64:\n      "${base64}",\n  },\n`,
    );
  }
}
Deno.writeTextFileSync(
  new URL("payload_samples.ts", import.meta.url),
  `/**
 * Samples of every compression, made by the native tools: see
 * make_payload_samples.ts. \`made\` is the command line; \`FILE\` stands for a file
 * with the content.
 *
 * @module
 */

import type { Compression } from "../formats/payload/compression.ts";

/** One packed sample. */
export interface PayloadSample {
  /** Its format. */
  readonly format: Compression;
  /** What it unpacks to: a name in \`contents\` of payload_content.ts. */
  readonly content: string;
  /** How it was made. */
  readonly made: string;
  /** The bytes. */
  readonly base64: string;
}

/** All samples. */
export const payloadSamples: readonly PayloadSample[] = [
${rows.join("")}];
`,
);
