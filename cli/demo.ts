/**
 * `deno task demo [IMAGE]`: opens a real kernel, explains what it shows, and boots it.
 *
 * Without an image: the newest kernel in /boot that may be read, else one that
 * was fetched into .images/, else one fetched now from Debian, else a small one
 * made on the spot. It says which and why.
 *
 * @module
 */

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { bootinfo, bootrun } from "./program.ts";
import { type Command, command } from "./ui/command.ts";
import { UsageError } from "./ui/errors.ts";
import { exit, showExitCodes } from "./ui/exit.ts";
import { runProgram } from "./ui/main.ts";
import { styles } from "./ui/style.ts";
import { DenoTerminal, MemoryTerminal, type Terminal } from "./ui/terminal.ts";
import { wrap } from "./ui/text.ts";
import { oneOf } from "./ui/values.ts";

/** An image and how the demo came by it. */
export interface Choice {
  /** Where it is. */
  readonly path: string;
  /** Why this one, in one sentence. */
  readonly why: string;
  /** It was made for the demo, and has no kernel inside that could be booted. */
  readonly isMade?: boolean;
}

/** Where to look for images; the folders of this machine unless a test says otherwise. */
export interface Places {
  /** The folder with installed kernels. */
  readonly boot: string;
  /** The cache of `deno task images`. */
  readonly images: string;
  /** Fetches a kernel into the cache; true if that worked. */
  fetch(terminal: Terminal): Promise<boolean>;
  /** Makes a small image and tells where it is. */
  make(): Promise<string>;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The path as one would type it here. */
function typed(path: string): string {
  const below = relative(Deno.cwd(), path);
  return below === "" || below.startsWith("..") ? path : below;
}

/** One kernel is enough for the demo; the smallest that has everything. */
const wanted = "linux-6.12-cloud-amd64";

const machine: Places = {
  boot: "/boot",
  images: here("../.images"),
  async fetch(terminal) {
    if (Deno.build.os !== "linux") return false;
    terminal.err("No kernel here that may be read: asking Debian for one (some 10 MB) …\n");
    try {
      const { success } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-P=tools", here("../tests/images/fetch.ts"), "--only", wanted],
        cwd: here(".."),
        stdin: "null",
        stdout: "null",
        stderr: "null",
        signal: AbortSignal.timeout(300_000),
      }).output();
      return success;
    } catch {
      return false;
    }
  },
  async make() {
    // The builder belongs to the tests and is not published; hence no import by name, which
    // tests/arrows.ts knows of.
    const builder: { bzImage(recipe: object): Uint8Array } = await import(
      new URL("../testdata/bzimage_builder.ts", import.meta.url).href
    ).catch((cause) => {
      throw new UsageError("there is no kernel image here to show", [
        "Name one, or take a checkout of the repository: what makes a small one is only there.",
      ], { cause });
    });
    const path = await Deno.makeTempFile({ prefix: "zeropage-", suffix: ".bzImage" });
    await Deno.writeFile(path, builder.bzImage({ version: "6.12.0-demo (made in testdata/)" }));
    return path;
  },
};

/** Whether the file may be read and has an x86 boot header. */
async function isBootable(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path);
    const start = new Uint8Array(0x206);
    let size = 0;
    while (size < start.length) {
      const read = await file.read(start.subarray(size));
      if (read === null) return false;
      size += read;
    }
    return new TextDecoder().decode(start.subarray(0x202)) === "HdrS";
  } catch {
    return false;
  }
}

/** The newest by the number in its name. */
async function newest(paths: readonly string[]): Promise<string | undefined> {
  const order = new Intl.Collator("en", { numeric: true });
  for (const path of paths.toSorted((a, b) => order.compare(b, a))) {
    if (await isBootable(path)) return path;
  }
  return undefined;
}

async function filesIn(folder: string, name: RegExp): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter((entry) => name.test(entry.name)).map(({ name }) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

async function fetched(images: string): Promise<string | undefined> {
  const folders = await filesIn(images, /^linux-[\d.]+-(cloud-)?amd64$/);
  const files = await Promise.all(folders.map((folder) => filesIn(folder, /^vmlinuz/)));
  return await newest(files.flat());
}

/** Finds an image to show. */
export async function choose(
  argument: string | undefined,
  terminal: Terminal,
  places: Places = machine,
): Promise<Choice> {
  if (argument !== undefined) return { path: argument, why: "It is the one you named." };
  const installed = await newest(await filesIn(places.boot, /^vmlinuz-/));
  if (installed) {
    return { path: installed, why: "It is the newest kernel installed here that may be read." };
  }
  const cached = await fetched(places.images);
  if (cached) {
    return {
      path: typed(cached),
      why: "No kernel in /boot may be read; this one was fetched before.",
    };
  }
  if (await places.fetch(terminal)) {
    const path = await fetched(places.images);
    if (path) {
      return { path: typed(path), why: "No kernel in /boot may be read; Debian gave this one." };
    }
  }
  return {
    path: await places.make(),
    why: "No kernel in /boot may be read and none could be fetched, so this one was made " +
      "for you: the header is as a real one has it, the kernel inside is missing.",
    isMade: true,
  };
}

/** A view of the image with what to look for in it. */
interface Step {
  readonly title: string;
  readonly text: string;
  readonly options: readonly string[];
  /** Shows only lines with this word, and says so in the command. */
  readonly grep?: string;
}

const steps: readonly Step[] = [
  {
    title: "A kernel image, opened",
    text: "The file a boot loader loads is several things in one: a boot sector from the days " +
      "of floppies, code for the processor's oldest mode, a header in which kernel and loader " +
      "talk to each other, a small program that unpacks the kernel, and the kernel itself, " +
      "compressed. Most are a Windows program as well, so that firmware can start them.",
    options: [],
  },
  {
    title: "Every byte of it",
    text: "The map has no blank and no overlap. Look for the setup header at 0x1f1: where it " +
      "ends is written in the jump that skips it. The payload is the compressed kernel.",
    options: ["--map"],
  },
  {
    title: "Who would start it",
    text: "At 0x23c the header has a number for the platform type: PC, lguest, Xen, two of " +
      "Intel's. The loader writes it, and the kernel believes it. Which ones an image can " +
      "serve depends on how it was built.",
    options: ["--platform", "pc"],
  },
  {
    title: "The zero page",
    text: "A kernel that has just been entered knows nothing: not how much memory there is, " +
      "not its command line, not where its initial ramdisk is. The loader tells it in one page " +
      "of 4096 bytes, struct boot_params: the zero page. Part of it is the header, copied from " +
      "the image; the rest is the loader's. Each byte has an author, and a wrong one " +
      "shows up as silence. This is the loader's share, for a machine with 512 MiB:",
    options: ["--zero-page", "--memory", "512M", "--append", "console=ttyS0"],
    grep: "loader",
  },
  {
    title: "Is anything wrong with it?",
    text: "Each complaint names the rule it rests on; the exit code is 1 if there is one.",
    options: ["--check"],
  },
];

/** The last step: what bootrun makes of it, without the kernel's tests of its ciphers. */
const bootOptions = ["--append", "cryptomgr.notests quiet", "--limit-time", "60s"];

const next = [
  ["bootrun IMAGE", "boot it with everything it says"],
  ["bootinfo --all IMAGE", "every field of every structure"],
  ["bootinfo --extract vmlinux -o vmlinux IMAGE", "the kernel, for a debugger"],
  ["bootinfo --json IMAGE", "all of it, for a program"],
  ["bootdiff IMAGE IMAGE", "what changed between two kernels"],
] as const;

/**
 * Shows an image step by step.
 *
 * @returns The exit code of the first view that did not work, else 0.
 */
export async function demo(terminal: Terminal, choice: Choice): Promise<number> {
  const paint = styles(terminal.colour);
  const width = Math.min(terminal.columns, 80);
  const say = (text: string) => terminal.out(`${wrap(text, width).join("\n")}\n`);
  say(`${paint.title(choice.path)}`);
  say(choice.why);
  for (const [i, { title, text, options, grep }] of steps.entries()) {
    terminal.out(`\n${paint.title(`${i + 1}. ${title}`)}\n`);
    say(text);
    const pipe = grep === undefined ? "" : ` | grep ${grep}`;
    terminal.out(`\n${paint.name(`$ bootinfo ${[...options, choice.path].join(" ")}${pipe}`)}\n`);
    const code = await view([...options, choice.path], terminal, grep);
    if (code !== exit.done.code && !(options.includes("--check") && code === exit.different.code)) {
      return code;
    }
  }
  if (choice.isMade !== true) {
    terminal.out(`\n${paint.title(`${steps.length + 1}. It boots`)}\n`);
    say(
      "On a machine of our own: processor, memory and devices in TypeScript and WebAssembly. " +
        "Without an initial ramdisk the kernel gets a small init of ours, which says hello and " +
        "powers off. It takes some ten seconds.",
    );
    terminal.out(`\n${paint.name(`$ bootrun --append "${bootOptions[1]}" ${choice.path}`)}\n`);
    const code = await runProgram(bootrun, [...bootOptions, choice.path], terminal);
    if (code !== exit.done.code) return code;
  }
  terminal.out(`\n${paint.title("From here")}\n`);
  for (const [command, what] of next) {
    terminal.out(`  ${paint.name(command.padEnd(44))}  ${what}\n`);
  }
  return exit.done.code;
}

/** Runs bootinfo, through a sieve if there is one. */
async function view(argv: readonly string[], terminal: Terminal, grep?: string): Promise<number> {
  if (grep === undefined) return await runProgram(bootinfo, argv, terminal);
  const caught = new MemoryTerminal({ columns: terminal.columns });
  const code = await runProgram(bootinfo, argv, caught);
  const lines = caught.stdout.split("\n").filter((line) => line.includes(grep));
  terminal.out(lines.map((line) => `${line}\n`).join(""));
  if (caught.stderr !== "") terminal.err(caught.stderr);
  return code;
}

/** The program. */
export const program: Command = command({
  name: "demo",
  doc: "open a real kernel, explain it, and boot it",
  usage: "[IMAGE]",
  examples: ["/boot/vmlinuz"],
  exitCodes: showExitCodes(["done", "usage", "input", "guest", "bug"]),
  arguments: [{ name: "image", optional: true }],
  options: {
    "Options": {
      "--color": {
        value: "when",
        parse: oneOf("colour choice", ["auto", "always", "never"]),
        doc: "as bootinfo's",
      },
      "--debug": { hidden: true, doc: "stack traces" },
      "--help": { short: "-h", ends: "help", doc: "this text" },
    },
  },
}, async (terminal, [image]) => await demo(terminal, await choose(image, terminal)));

if (import.meta.main) {
  Deno.exit(await runProgram(program, Deno.args, new DenoTerminal()));
}
