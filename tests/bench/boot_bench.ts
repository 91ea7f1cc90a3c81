/**
 * Whole boots, against QEMU and v86: `deno task bench boot [ROUNDS [CASE]...]`.
 *
 * A case is a kernel and words on what to do with it, such as `6.1-686+notests`:
 *
 * ```text
 * notests      without the crypto self tests
 * direct       also by bootrun --entry direct, which unpacks the kernel itself
 * workload     to busybox, which works in three parts, instead of to the built-in init
 * small        the same, a twenty-fifth of it
 * interpreter  no boot: the machine without its compiler of hot code, against the one with it
 * ```
 *
 * Same kernel, initramfs, command line and memory for all, each as a process of
 * its own, in turns; medians of the rounds, and medians of the ratios within
 * them. Times are in seconds since the process was started: to the kernel's
 * banner, to the first line of init, to each result of the workload from the one
 * before, to the end. "cpu" counts all threads. Memory is the greatest resident
 * size, in MiB, also less the guest's. v86's PC cannot switch itself off, so that
 * its end is the kernel's last line.
 *
 * @module
 */

import { builtinInitramfs } from "../../core/init/initramfs.ts";
import { smallWorkloadLines, wholeWorkloadLines } from "../../testdata/workload.ts";
import { image } from "../images/images.ts";
import { fetchedShell, smallWorkload, wholeWorkload, workloadScript } from "../images/shell.ts";
import { type Boot, type Contender, ours, qemu, v86 } from "./contenders.ts";
import type { Speeds } from "./interpreter.ts";
import { type Mark, type Observation, observe, outputOf } from "./observe.ts";

/** What can be said of a case behind its kernel. */
const words = ["notests", "direct", "workload", "small", "interpreter"] as const;
type Word = typeof words[number];

/** A kernel and what to do with it. */
export interface Case {
  /** Its name, as on the command line. */
  readonly name: string;
  /** The kernel's identifier among the fetched images. */
  readonly id: string;
  /** What to do with it. */
  readonly words: readonly Word[];
}

/** What is measured if nobody says what. */
const usual = [
  ...["6.1-686", "6.1-cloud-amd64", "6.12-cloud-amd64"].flatMap((kernel) => [
    `${kernel}+direct`,
    `${kernel}+direct+notests`,
  ]),
  ...["6.1-686+workload", "6.1-cloud-amd64+workload"],
  ...["6.1-686+interpreter", "6.12-cloud-amd64+interpreter"],
];

const memory = 512 << 20;
/** Seconds after which a boot is given up. */
const patience = 300;

/** Measured values by name; those that there are not are absent or NaN. */
type Figures = Readonly<Record<string, number>>;

/** A case from its name; a sentence if it is none. */
export function caseOf(name: string): Case | string {
  const [kernel = "", ...said] = name.split("+");
  const known = words.filter((word) => said.includes(word));
  const unknown = said.find((word) => !known.some((one) => one === word));
  if (unknown !== undefined) return `${name}: no word ${unknown}; there are ${words.join(", ")}`;
  return { name, id: `linux-${kernel}`, words: known };
}

/** The middle of some values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? NaN;
  return sorted.length % 2 > 0 ? upper : (upper + (sorted[sorted.length / 2 - 1] ?? NaN)) / 2;
}

/** Medians of each value over the rounds. */
export function medians(rounds: readonly Figures[]): Figures {
  return Object.fromEntries(
    Object.keys(rounds[0] ?? {}).map((key) =>
      [key, median(rounds.map((figures) => figures[key] ?? NaN))] as const
    ),
  );
}

/** Medians of the ratios of each value within the rounds. */
export function ratios(of: readonly Figures[], to: readonly Figures[]): Figures {
  return medians(of.map((figures, round) =>
    Object.fromEntries(
      Object.entries(figures).map(([key, value]) => [key, value / (to[round]?.[key] ?? NaN)]),
    )
  ));
}

/** A table of rows of figures; what is missing is a dash. */
export function table(
  title: string,
  rows: readonly (readonly [name: string, figures: Figures, digits?: number])[],
): string {
  const keys = Object.keys(rows[0]?.[1] ?? {});
  const lines = rows.map(([name, figures, digits]) => [
    name,
    ...keys.map((key) => {
      const value = figures[key] ?? NaN;
      return Number.isFinite(value) ? value.toFixed(digits ?? (/MiB/.test(key) ? 0 : 2)) : "–";
    }),
  ]);
  return [[title, ...keys], ["---", ...keys.map(() => "---:")], ...lines]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** What a boot says on its way, and the lines that are to come out of it. */
interface Script {
  readonly marks: readonly Mark[];
  readonly lines: readonly string[];
}

const banner: Mark = { name: "banner", text: "Linux version" };
const off: Mark = { name: "off", text: "reboot: " };
const plain: Script = {
  marks: [banner, { name: "init", text: "zeropage: userspace reached" }, off],
  lines: [],
};

function workload(lines: readonly string[]): Script {
  const part = (name: string): Mark => ({ name, text: `workload: ${name} ` });
  const start: Mark = { name: "init", text: "workload: start" };
  return { marks: [banner, start, part("a"), part("b"), part("c"), off], lines };
}

/** What one boot was measured to be; throws where it did not come to its end. */
function figuresOf({ marks, end, peak, said }: Observation, script: Script): Figures {
  const missing = script.marks.find(({ name }) => marks[name] === undefined);
  if (missing) throw new Error(`never said "${missing.text}", but at last:\n${said.slice(-600)}`);
  const results = said.split(/\r*\n/).filter((line) => line.startsWith("workload: "));
  if (results.join("\n") !== script.lines.join("\n")) {
    throw new Error(`came to other results:\n${results.join("\n")}`);
  }
  const wall = (name: string) => marks[name]?.wall ?? NaN;
  const parts = script.marks.flatMap(({ name }, i) => {
    const before = script.marks[i - 1]?.name ?? "";
    return name.length === 1 ? [[name, wall(name) - wall(before)] as const] : [];
  });
  return {
    banner: wall("banner"),
    init: wall("init"),
    ...Object.fromEntries(parts),
    off: end.wall,
    "cpu, banner": marks["banner"]?.cpu ?? NaN,
    "cpu, init": marks["init"]?.cpu ?? NaN,
    "cpu, off": end.cpu,
    "peak MiB": peak / 2 ** 20,
    "less guest MiB": (peak - memory) / 2 ** 20,
  };
}

/** Boots in turns; those that fail are said and left out of the rounds that follow. */
async function boots(
  contenders: readonly Contender[],
  boot: Boot,
  script: Script,
  rounds: number,
): Promise<ReadonlyMap<string, readonly Figures[]>> {
  const all = new Map(contenders.map(({ name }) => [name, [] as Figures[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, words } of contenders) {
      const figures = all.get(name);
      if (figures === undefined) continue;
      try {
        figures.push(figuresOf(await observe(words(boot), script.marks, patience), script));
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        console.log(`left out, ${name}: ${error.message}\n`);
        all.delete(name);
      }
    }
  }
  return all;
}

async function bootCase({ name, words }: Case, kernel: string, bits: 32 | 64, rounds: number) {
  const isSmall = words.includes("small");
  const works = isSmall || words.includes("workload");
  const initramfs = works
    ? fetchedShell(
      bits === 32 ? "i386" : "amd64",
      workloadScript(isSmall ? smallWorkload : wholeWorkload),
    )
    : builtinInitramfs(bits);
  if (initramfs === undefined) {
    return console.log(`left out, ${name}: busybox is not fetched (deno task images fetches it)\n`);
  }
  const script = works ? workload(isSmall ? smallWorkloadLines : wholeWorkloadLines) : plain;
  const direct = words.includes("direct") ? [ours("bootrun, direct", "--entry", "direct")] : [];
  const entries = [ours("bootrun"), ...direct, await qemu(bits), await v86(bits)];
  for (const entry of entries) {
    if ("missing" in entry) console.log(`left out, ${entry.name}: ${entry.missing}\n`);
  }
  const contenders = entries.flatMap((entry) => "missing" in entry ? [] : [entry]);
  const initrd = await Deno.makeTempFile({ suffix: ".cpio" });
  try {
    await Deno.writeFile(initrd, initramfs);
    const commandLine = `console=ttyS0${words.includes("notests") ? " cryptomgr.notests" : ""}`;
    const boot: Boot = { bits, kernel, initrd, commandLine, memory };
    // Nobody is to pay for what is done once: reading files, compiling scripts.
    const [program = "", ...args] = ours("warm-up", "--limit-instructions", "1M").words(boot);
    await outputOf(program, ...args);
    const all = [...await boots(contenders, boot, script, rounds)];
    const isOurs = (name: string) => name.startsWith("bootrun");
    const compared = all.filter(([name]) => isOurs(name)).flatMap(([mine, of]) =>
      all.filter(([name]) => !isOurs(name)).map(([theirs, to]) => {
        const { "less guest MiB": _, ...ratio } = ratios(of, to);
        return [`${mine} / ${theirs}`, ratio, 2] as const;
      })
    );
    const rows = all.map(([name, figures]) => [name, medians(figures)] as const);
    console.log(`${table(`${name}, seconds`, [...rows, ...compared])}\n`);
  } finally {
    await Deno.remove(initrd);
  }
}

/** Million instructions a second, with and without the compiler of hot code. */
async function interpreterCase({ name }: Case, kernel: string, rounds: number): Promise<void> {
  const script = new URL("interpreter.ts", import.meta.url).href;
  const speeds: Record<"no" | "yes", Figures[]> = { no: [], yes: [] };
  for (let round = 0; round < rounds; round++) {
    for (const compiles of ["no", "yes"] as const) {
      const args = ["run", "-q", "-P=tools", script, kernel, compiles];
      const text = await outputOf(Deno.execPath(), ...args);
      if (text === undefined) return console.log(`left out, ${name}: it failed\n`);
      const parts: Speeds = JSON.parse(text);
      speeds[compiles].push(Object.fromEntries(
        Object.entries(parts).map(([part, { instructions, seconds }]) =>
          [part, instructions / seconds / 1e6] as const
        ),
      ));
    }
  }
  console.log(`${
    table(`${name}, million instructions a second`, [
      ["interpreter alone", medians(speeds.no), 0],
      ["with compiled regions", medians(speeds.yes), 0],
      ["ratio", ratios(speeds.yes, speeds.no), 2],
    ])
  }\n`);
}

async function main([count = "3", ...names]: readonly string[]): Promise<number> {
  const rounds = Number(count);
  const cases = (names.length > 0 ? names : usual).map(caseOf);
  const wrong = [
    ...Number.isInteger(rounds) && rounds > 0 ? [] : [`${count} is no number of rounds`],
    ...cases.filter((one) => typeof one === "string"),
  ];
  if (wrong.length > 0) {
    console.error(wrong.join("\n"));
    return 2;
  }
  console.log(`${rounds} ${rounds === 1 ? "round" : "rounds"}, ${memory >> 20} MiB\n`);
  for (const one of cases) {
    if (typeof one === "string") continue;
    const found = image(one.id);
    if (found === undefined) {
      console.log(
        `left out, ${one.name}: ${one.id} is not fetched (deno task images fetches it)\n`,
      );
    } else if (one.words.includes("interpreter")) await interpreterCase(one, found.path, rounds);
    else await bootCase(one, found.path, found.architecture === "i386" ? 32 : 64, rounds);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
