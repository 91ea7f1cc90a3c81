/**
 * The commands: a table each, and where their work is done.
 *
 * A command's body is imported when it runs, so that `--help` and a typo cost
 * nothing. The names of values are also the kinds of value that completion
 * knows (completions/model.ts).
 *
 * @module
 */

import { type Command, command, type CommandTable, type OptionsOf } from "./ui/command.ts";
import { UsageError } from "./ui/errors.ts";
import { exit, showExitCodes } from "./ui/exit.ts";
import { readAhead } from "./ui/files.ts";
import { list, oneOf, parseAssignment, parseSize } from "./ui/values.ts";
import { parseCount, parsePattern, parseSeed, parseTime } from "./run/values.ts";

/** What `--extract` can take out of an image. */
export const parts = [
  "vmlinux",
  "payload",
  "setup",
  "config",
  "btf",
  "initrd",
  "cert",
  "symbols",
  "linux",
  "cmdline",
] as const;

/** A part that `--extract` takes out. */
export type Part = typeof parts[number];

// Options that several commands have, so that they cannot come to differ.
const section = {
  value: "section",
  parse: list,
  repeats: true,
  doc: "one section; may be repeated",
} as const;
const memory = {
  value: "size",
  parse: parseSize,
  goesWith: "--zero-page",
  doc: "memory, as in 512M",
} as const;
const append = { value: "cmdline", goesWith: "--zero-page", doc: "kernel command line" } as const;
const json = { doc: 'one JSON document, "schema": 1' } as const;
const limit = {
  value: "size",
  parse: parseSize,
  doc: "unpack no more than this, as in 2G",
} as const;
const color = {
  value: "when",
  parse: oneOf("colour choice", ["auto", "always", "never"]),
  doc: "auto, always or never; wins over NO_COLOR",
} as const;
const quiet = { short: "-q", doc: "no progress, no remarks" } as const;
const debug = { hidden: true, doc: "stack traces" } as const;
const version = { short: "-V", ends: "version", doc: "name and version" } as const;
const help = { short: "-h", ends: "help", doc: "this text" } as const;

const infoTable = {
  name: "bootinfo",
  doc: "open a Linux/x86 boot image and say all there is to say",
  usage: '[OPTION]... IMAGE...   ("-" is standard input)',
  examples: ["/boot/vmlinuz", "--extract vmlinux -o vmlinux bzImage"],
  exitCodes: showExitCodes(["done", "different", "usage", "input", "bug", "interrupted"], {
    different: "complaints (--check)",
  }),
  arguments: [{ name: "image", many: true }],
  options: {
    "Views": {
      "--all": { short: "-a", doc: "every field of every structure" },
      "--section": section,
      "--field": {
        value: "path",
        parse: list,
        repeats: true,
        doc: "one field's raw value, as setup_header.version",
      },
      "--map": { doc: "what every byte of the file is" },
      "--config": { doc: "the kernel's built-in .config" },
      "--symbols": { value: "pattern", optional: true, doc: "its symbols, * and ? allowed" },
      "--notes": { doc: "its ELF notes, values decoded" },
      "--initramfs": {
        value: "file",
        optional: true,
        doc: "members of its initramfs, or of FILE",
      },
      "--btf": { value: "struct", doc: "a struct as this very kernel has it" },
      "--platform": { value: "platform", doc: "would it start there, and by which entry" },
      "--check": { doc: "complaints only; exit code 1 if there are any" },
      "--json": json,
    },
    "Taking out": {
      "--extract": {
        value: "part",
        parse: oneOf("part", parts),
        doc: `${parts.slice(0, 6).join(", ")}, …`,
      },
      "--output": { short: "-o", value: "file", doc: "where results go" },
    },
    "Zero page": {
      "--zero-page": { doc: "the page a loader would build, and who set what" },
      "--loader": {
        value: "loader",
        goesWith: "--zero-page",
        doc: "the way this loader does: qemu, grub, …",
      },
      "--memory": memory,
      "--append": append,
      "--initrd": { value: "file", goesWith: "--zero-page", doc: "initial ramdisk" },
      "--set": {
        value: "field=value",
        parse: parseAssignment,
        repeats: true,
        goesWith: "--zero-page",
        doc: "any field; may be repeated",
      },
    },
    "General": {
      "--no-payload": { doc: "leave the compressed kernel closed; fast" },
      "--limit": limit,
      "--color": color,
      "--quiet": quiet,
      "--debug": debug,
      "--version": version,
      "--help": help,
    },
  },
} as const satisfies CommandTable;

/** Options of bootinfo. */
export type InfoOptions = OptionsOf<typeof infoTable>;

/** `bootinfo`, and `zeropage info`. */
export const bootinfo: Command = command(infoTable, async (terminal, [images], options) => {
  // A kernel takes as long to read as the modules that look at it take to load.
  // What stays closed is not even read, unless it is to be taken out as it is.
  const skip = options.payload || options.extract
    ? undefined
    : (await import("../core/closed_payload.ts")).closedSpan;
  const read = readAhead(images[0], skip);
  const { info } = await import("./info.ts");
  return await info(terminal, images, options, read);
});

const diffTable = {
  name: "bootdiff",
  doc: "compare two images, zero pages, layouts or configurations",
  usage: "[OPTION]... A B",
  examples: ["vmlinuz-6.1 vmlinuz-6.12", "--zero-page --loader qemu,grub bzImage"],
  exitCodes: showExitCodes(["done", "different", "usage", "input", "bug", "interrupted"], {
    done: "no difference",
    different: "differences",
  }),
  arguments: [{ name: "a" }, { name: "b", optional: true }],
  options: {
    "What to compare": {
      "--layout": { doc: "struct layouts; A and B are releases or images" },
      "--config": { doc: "configurations; A and B are images or .config files" },
      "--zero-page": { doc: "the pages that loaders would build for A and B" },
      "--loader": {
        value: "loaders",
        parse: list,
        repeats: true,
        goesWith: "--zero-page",
        doc: "one for both, or two as in qemu,grub",
      },
      "--memory": memory,
      "--append": append,
      "--section": section,
    },
    "How to show it": {
      "--all": { short: "-a", doc: "also what is the same" },
      "--side-by-side": {
        short: "-y",
        excludes: "--unified",
        doc: "two columns; default on a terminal",
      },
      "--unified": { short: "-u", doc: "one column; default in a pipe" },
      "--json": json,
    },
    "General": {
      "--limit": limit,
      "--color": color,
      "--quiet": quiet,
      "--debug": debug,
      "--version": version,
      "--help": help,
    },
  },
} as const satisfies CommandTable;

/** Options of bootdiff. */
export type DiffOptions = OptionsOf<typeof diffTable>;

/** `bootdiff`, and `zeropage diff`. */
export const bootdiff: Command = command(diffTable, async (terminal, [a, b], options) => {
  const loaders = options.loader?.length ?? 0;
  if (loaders > 2) throw new UsageError("--loader takes one name or two");
  // One image, two loaders: the image is compared with itself.
  const other = b ?? (options.zeroPage && loaders === 2 ? a : undefined);
  if (other === undefined) {
    throw new UsageError("B is missing", [
      "One image will do for two loaders: --zero-page --loader qemu,grub A",
    ]);
  }
  const { diff } = await import("./diff.ts");
  return await diff(terminal, a, other, options);
});

const runTable = {
  name: "bootrun",
  doc: "boot an image on a PC of its own, with the console here",
  usage: "[OPTION]... IMAGE",
  examples: [
    "/boot/vmlinuz",
    "--initrd initrd.img --append quiet bzImage",
  ],
  exitCodes: showExitCodes(["done", "usage", "input", "guest", "bug", "interrupted"], {
    done: "powered off, reset, halted, or printed what --until waits for",
    guest: "panic, triple fault, limit reached, --until never printed",
  }),
  arguments: [{ name: "image" }],
  options: {
    "What to boot": {
      "--initrd": {
        value: "file",
        doc: "initial ramdisk; without one, an init that says hello and powers off",
      },
      "--append": {
        value: "cmdline",
        doc: "kernel command line; console=ttyS0 is added unless it names a console",
      },
      "--entry": {
        value: "entry",
        parse: oneOf("entry", ["auto", "real", "32", "64", "direct"], "Entries"),
        doc: "auto, real, 32, 64, or direct: unpacked by us",
      },
      "--platform": { value: "platform", doc: "which machine the kernel is to believe in" },
      "--loader": { value: "loader", doc: "hand over as this loader does: qemu, grub, …" },
      "--set": {
        value: "field=value",
        parse: parseAssignment,
        repeats: true,
        doc: "any field of the zero page; may be repeated",
      },
    },
    "The machine": {
      "--memory": { value: "size", parse: parseSize, doc: "memory; default 512M, at most 3G" },
      "--cpu": { value: "cpu", doc: "486, 686, x86-64, x86-64-v2 (default)" },
      "--paravirt-clock": { doc: "offer KVM's clock" },
      "--seed": { value: "seed", parse: parseSeed, doc: "where its random numbers start" },
      "--realtime": { doc: "let a guest that sleeps take its time" },
    },
    "The run": {
      "--console": { value: "file", doc: "the guest's output; default -, standard output" },
      "--until": { value: "regex", parse: parsePattern, doc: "end when this is printed" },
      "--limit-instructions": {
        value: "count",
        parse: parseCount,
        doc: "end after so many, as in 500M",
      },
      "--limit-time": { value: "time", parse: parseTime, doc: "end after this virtual time, 10s" },
      "--trace": {
        value: "what",
        optional: true,
        parse: oneOf("trace", ["branches", "instructions", "events"], "Traces"),
        doc: "branches, instructions or events, to stderr",
      },
      "--trace-from": {
        value: "where",
        doc: "begin at a function, or after so many instructions",
      },
      "--trace-to": { value: "file", doc: "write the trace to a file" },
      "--timeline": { value: "file", doc: "where its time went: FILE.json, .svg or .html" },
      "--json": { doc: "one JSON document on the run" },
    },
    "General": {
      "--color": color,
      "--quiet": quiet,
      "--debug": debug,
      "--version": version,
      "--help": help,
    },
  },
} as const satisfies CommandTable;

/** Options of bootrun. */
export type RunOptions = OptionsOf<typeof runTable>;

/** `bootrun`, and `zeropage run`. */
export const bootrun: Command = command(runTable, async (terminal, [image], options) => {
  const read = readAhead(image);
  const { run } = await import("./run.ts");
  return await run(terminal, image, options, read);
});

/** The shells that completion is written for. */
export const shells = ["bash", "zsh", "fish"] as const;

/** A shell that completion is written for. */
export type Shell = typeof shells[number];

const completions = command({
  name: "completions",
  doc: "print the completions of a shell: bash, zsh, fish",
  usage: "SHELL",
  examples: [
    "bash > /etc/bash_completion.d/zeropage",
    "fish > ~/.config/fish/conf.d/zeropage.fish",
  ],
  exitCodes: showExitCodes(["done", "usage", "bug"]),
  arguments: [{ name: "shell", parse: oneOf("shell", shells) }],
  options: { "Options": { "--debug": debug, "--help": help } },
}, async (terminal, [shell]) => {
  const { completionsFor } = await import("./completions.ts");
  terminal.out(await completionsFor(shell));
  return exit.done.code;
});

/** `zeropage`: all of them. */
export const zeropage: Command = command({
  name: "zeropage",
  doc: "inspect, boot and compare Linux/x86 kernel images",
  usage: "COMMAND [OPTION]... [FILE]...",
  examples: ["info /boot/vmlinuz", "diff vmlinuz-6.1 vmlinuz-6.12"],
  exitCodes: showExitCodes([
    "done",
    "different",
    "usage",
    "input",
    "guest",
    "bug",
    "interrupted",
  ]),
  arguments: [],
  commands: { info: bootinfo, run: bootrun, diff: bootdiff, completions },
  options: {
    "General": {
      "--debug": debug,
      "--version": version,
      "--help": { ...help, doc: "this text, or that of a command: zeropage info --help" },
    },
  },
}, () => Promise.resolve(exit.usage.code));
