/**
 * How long a user waits for the first word: `deno task bench startup [RUNS]`.
 *
 * Whole processes, from start to exit, in turns with an empty script, which is
 * what the runtime takes for itself. The summary of an image that stays closed
 * is to come within 60 ms of that. A first round is not counted: it fills
 * caches. "more" is what comes on top of the empty script: the shortest time less
 * its shortest, and the median of the differences within the rounds.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { bzImage } from "../../testdata/bzimage_builder.ts";
import { image } from "../images/images.ts";

/** One measured command. */
export interface StartFigures {
  /** What was measured. */
  readonly what: string;
  /** Its shortest and median time. */
  readonly time: Spread;
  /** What of it comes on top of the empty script. */
  readonly more: Spread;
  /** Median of its time in those of the empty script. */
  readonly ratio: number;
}

/** Shortest and median, in milliseconds. */
export interface Spread {
  /** The shortest. */
  readonly least: number;
  /** The one in the middle. */
  readonly median: number;
}

/** Kernels of several ages, and what is no kernel. */
const ids = ["linux-6.12-cloud-amd64", "linux-newest-amd64", "linux-5.10-686", "memtest86+-newest"];

const bootinfo = fileURLToPath(new URL("../../cli/bootinfo.ts", import.meta.url));

/** Measures the commands, each by its words behind `deno run`, in turns with the empty script. */
export async function benchStart(
  commands: Readonly<Record<string, readonly string[]>>,
  runs: number,
): Promise<StartFigures[]> {
  const empty = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const rows = Object.entries({ "an empty script": [empty], ...commands });
    const rounds: number[][] = [];
    for (let run = 0; run <= runs; run++) {
      const round: number[] = [];
      for (const [, args] of rows) round.push(await timed(args));
      if (run > 0) rounds.push(round);
    }
    return rows.map(([what], i) => {
      const pairs = rounds.map((round) => [round[i] ?? NaN, round[0] ?? NaN] as const);
      return {
        what,
        time: spread(pairs.map(([time]) => time)),
        more: {
          least: spread(pairs.map(([time]) => time)).least -
            spread(pairs.map(([, empty]) => empty)).least,
          median: spread(pairs.map(([time, empty]) => time - empty)).median,
        },
        ratio: spread(pairs.map(([time, empty]) => time / empty)).median,
      };
    });
  } finally {
    await Deno.remove(empty);
  }
}

/** The table, as text. */
export function showStartFigures(figures: readonly StartFigures[]): string {
  const titles = ["command", "least", "median", "more, least", "more, median", "ratio"];
  const rows = figures.map(({ what, time, more, ratio }) => [
    what,
    ...[time.least, time.median, more.least, more.median].map((ms) => `${ms.toFixed(0)} ms`),
    ratio.toFixed(2),
  ]);
  return [titles, titles.map(() => "---"), ...rows]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { least: sorted[0] ?? NaN, median: sorted[sorted.length >> 1] ?? NaN };
}

async function timed(args: readonly string[]): Promise<number> {
  const start = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`deno run ${args.join(" ")} failed`);
  return performance.now() - start;
}

if (import.meta.main) {
  const program = ["-q", "-P=inspect", bootinfo];
  const made = await Deno.makeTempFile({ suffix: ".bzImage" });
  try {
    await Deno.writeFile(made, bzImage());
    const found = ids.flatMap((id) => image(id) ?? []);
    const files = [["a made image", made], ...found.map(({ id, path }) => [id, path])];
    const figures = await benchStart({
      "bootinfo --help": [...program, "--help"],
      ...Object.fromEntries(
        files.map(([name, path = ""]) =>
          [`bootinfo --no-payload, ${name}`, [...program, "--no-payload", path]] as const
        ),
      ),
    }, Number(Deno.args[0] ?? 20));
    console.log(showStartFigures(figures));
    const missing = ids.filter((id) => !found.some((image) => image.id === id));
    if (missing.length > 0) console.log(`\nnot fetched, so left out: ${missing.join(", ")}`);
  } finally {
    await Deno.remove(made);
  }
}
