/**
 * The commands: their options, their help, and where their work is done.
 *
 * A command's body is imported when it runs, so that `--help` and a typo cost
 * nothing. The `<names>` in the flags are also the kinds of value that
 * completion knows (completions.ts).
 *
 * @module
 */

// @ts-types="@commander-js/extra-typings"
import { Command, Option } from "commander";
import type { CommandUnknownOpts as AnyCommand } from "@commander-js/extra-typings";
import { UsageError } from "./ui/errors.ts";
import { exit, showExitCodes } from "./ui/exit.ts";
import { withHelp } from "./ui/help.ts";
import type { Run } from "./ui/main.ts";
import type { ColorChoice } from "./ui/terminal.ts";
import { type Assignment, collect, oneOf, parseAssignment, parseSize } from "./ui/values.ts";
import { version } from "./version.ts";

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

/** Options of every command. */
export interface CommonOptions {
  /** `--color`; the terminal has already been told. */
  readonly color?: ColorChoice | undefined;
  /** `--quiet`; the terminal has already been told. */
  readonly quiet?: true | undefined;
  /** `--debug`, which is not in the help. */
  readonly debug?: true | undefined;
  /** `--json`: one document and nothing else. */
  readonly json?: true | undefined;
  /** `--limit`: the most that may be unpacked, in bytes. */
  readonly limit?: number | undefined;
}

/** Options of bootinfo. */
export interface InfoOptions extends CommonOptions {
  /** `--all`: every field of every structure. */
  readonly all?: true | undefined;
  /** `--section`: the sections wanted, by name; may be given several times. */
  readonly section?: readonly string[] | undefined;
  /** `--field`: paths of single fields; may be given several times. */
  readonly field?: readonly string[] | undefined;
  /** `--map`: what every byte of the file is. */
  readonly map?: true | undefined;
  /** `--config`: the built-in configuration. */
  readonly config?: true | undefined;
  /** `--symbols`: true for all, or a pattern. */
  readonly symbols?: string | true | undefined;
  /** `--notes`: the ELF's notes. */
  readonly notes?: true | undefined;
  /** `--initramfs`: true for the image's own, or the file to list. */
  readonly initramfs?: string | true | undefined;
  /** `--btf`: the structure to print as this kernel was built with it. */
  readonly btf?: string | undefined;
  /** `--check`: complaints only, and the exit code. */
  readonly check?: true | undefined;
  /** `--platform`: would it start there; a name not yet looked up. */
  readonly platform?: string | undefined;
  /** `--extract`: the part to take out. */
  readonly extract?: Part | undefined;
  /** `--output`: where to; "-" is standard output. */
  readonly output?: string | undefined;
  /** `--zero-page`: build the page a loader would. */
  readonly zeroPage?: true | undefined;
  /** `--loader`: which loader; a name not yet looked up. */
  readonly loader?: string | undefined;
  /** `--memory`: of the machine, in bytes. */
  readonly memory?: number | undefined;
  /** `--append`: the command line. */
  readonly append?: string | undefined;
  /** `--initrd`: the file. */
  readonly initrd?: string | undefined;
  /** `--set`: fields the user sets, in order. */
  readonly set?: readonly Assignment[] | undefined;
  /** False with `--no-payload`: the compressed kernel stays closed. */
  readonly payload: boolean;
}

/** Options of bootdiff. */
export interface DiffOptions extends CommonOptions {
  /** `--layout`: compare struct layouts; A and B are releases or images. */
  readonly layout?: true | undefined;
  /** `--config`: compare built-in configurations or config files. */
  readonly config?: true | undefined;
  /** `--zero-page`: compare the pages that loaders would build. */
  readonly zeroPage?: true | undefined;
  /** `--loader`: one for both sides, or one for each. */
  readonly loader?: readonly string[] | undefined;
  /** `--memory`: of the machine, in bytes. */
  readonly memory?: number | undefined;
  /** `--append`: the command line. */
  readonly append?: string | undefined;
  /** `--section`: the sections wanted, by name; may be given several times. */
  readonly section?: readonly string[] | undefined;
  /** `--all`: also what is the same. */
  readonly all?: true | undefined;
  /** `--side-by-side`, whatever standard output is. */
  readonly sideBySide?: true | undefined;
  /** `--unified`, whatever standard output is. */
  readonly unified?: true | undefined;
}

// Options that several commands have, so that they cannot come to differ.
const size = (text: string): number => parseSize(text);
const once = (text: string): string => text;
const section = () =>
  new Option("--section <section>", "one section; may be repeated").argParser(collect);
const color = () =>
  new Option("--color <when>", "auto, always or never; wins over NO_COLOR")
    .argParser(oneOf("colour choice", ["auto", "always", "never"]));
const quiet = () => new Option("-q, --quiet", "no progress, no remarks");
const limit = () =>
  new Option("--limit <size>", "unpack no more than this, as in 2G").argParser(size);
const debug = () => new Option("--debug", "stack traces").hideHelp();
const append = () => new Option("--append <cmdline>", "kernel command line").argParser(once);
const memory = () => new Option("--memory <size>", "memory, as in 512M").argParser(size);
const json = () => new Option("--json", 'one JSON document, "schema": 1');

const versionLine = (name: string) =>
  name === "zeropage" ? `zeropage ${version}` : `${name} (zeropage) ${version}`;

/** `bootinfo`, and `zeropage info`. */
export function bootinfo(run: Run, name: string = "bootinfo"): AnyCommand {
  const command = new Command(name)
    .description("open a Linux/x86 boot image and say all there is to say")
    .usage('[OPTION]... IMAGE...   ("-" is standard input)')
    .argument("<image...>")
    .optionsGroup("Views")
    .option("-a, --all", "every field of every structure")
    .addOption(section())
    .addOption(
      new Option("--field <path>", "one field's raw value, as setup_header.version")
        .argParser(collect),
    )
    .option("--map", "what every byte of the file is")
    .option("--config", "the kernel's built-in .config")
    .addOption(new Option("--symbols [pattern]", "its symbols, * and ? allowed").argParser(bare))
    .option("--notes", "its ELF notes, values decoded")
    .addOption(
      new Option("--initramfs [file]", "members of its initramfs, or of FILE").argParser(bare),
    )
    .addOption(
      new Option("--btf <struct>", "a struct as this very kernel has it").argParser(once),
    )
    .addOption(
      new Option("--platform <platform>", "would it start there, and by which entry")
        .argParser(once),
    )
    .option("--check", "complaints only; exit code 1 if there are any")
    .addOption(json())
    .optionsGroup("Taking out")
    .addOption(
      new Option("--extract <part>", `${parts.slice(0, 6).join(", ")}, …`)
        .argParser(oneOf("part", parts)),
    )
    .addOption(new Option("-o, --output <file>", "where results go").argParser(once))
    .optionsGroup("Zero page")
    .option("--zero-page", "the page a loader would build, and who set what")
    .addOption(
      new Option("--loader <loader>", "the way this loader does: qemu, grub, …").argParser(once),
    )
    .addOption(memory())
    .addOption(append())
    .addOption(new Option("--initrd <file>", "initial ramdisk").argParser(once))
    .addOption(
      new Option("--set <field=value>", "any field; may be repeated")
        .argParser((text: string, sets: readonly Assignment[] | undefined) => [
          ...sets ?? [],
          parseAssignment(text),
        ]),
    )
    .optionsGroup("General")
    .option("--no-payload", "leave the compressed kernel closed; fast")
    .addOption(limit())
    .addOption(color())
    .addOption(quiet())
    .addOption(debug())
    .version(versionLine(name), "-V, --version", "name and version")
    .helpOption("-h, --help", "this text")
    .action((images, options) =>
      run(async (terminal) => {
        needsZeroPage(options, ["loader", "memory", "append", "initrd", "set"]);
        const { info } = await import("./info.ts");
        return info(terminal, images, options);
      })
    );
  return withHelp(command, {
    examples: ["/boot/vmlinuz", "--extract vmlinux -o vmlinux bzImage"],
    exitCodes: showExitCodes(["done", "different", "usage", "input", "bug", "interrupted"], {
      different: "complaints (--check)",
    }),
  });
}

/** `bootdiff`, and `zeropage diff`. */
export function bootdiff(run: Run, name: string = "bootdiff"): AnyCommand {
  const command = new Command(name)
    .description("compare two images, zero pages, layouts or configurations")
    .usage("[OPTION]... A B")
    .argument("<a>")
    .argument("[b]")
    .optionsGroup("What to compare")
    .option("--layout", "struct layouts; A and B are releases or images")
    .option("--config", "configurations; A and B are images or .config files")
    .option("--zero-page", "the pages that loaders would build for A and B")
    .addOption(
      new Option("--loader <loaders>", "one for both, or two as in qemu,grub").argParser(collect),
    )
    .addOption(memory())
    .addOption(append())
    .addOption(section())
    .optionsGroup("How to show it")
    .option("-a, --all", "also what is the same")
    .addOption(
      new Option("-y, --side-by-side", "two columns; default on a terminal").conflicts("unified"),
    )
    .option("-u, --unified", "one column; default in a pipe")
    .addOption(json())
    .optionsGroup("General")
    .addOption(limit())
    .addOption(color())
    .addOption(quiet())
    .addOption(debug())
    .version(versionLine(name), "-V, --version", "name and version")
    .helpOption("-h, --help", "this text")
    .action((a, b, options) =>
      run(async (terminal) => {
        needsZeroPage(options, ["loader", "memory", "append"]);
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
        return diff(terminal, a, other, options);
      })
    );
  return withHelp(command, {
    examples: ["vmlinuz-6.1 vmlinuz-6.12", "--zero-page --loader qemu,grub bzImage"],
    exitCodes: showExitCodes(["done", "different", "usage", "input", "bug", "interrupted"], {
      done: "no difference",
      different: "differences",
    }),
  });
}

/** `bootrun`, and `zeropage run`: there is no machine yet, and it says so. */
export function bootrun(run: Run, name: string = "bootrun"): AnyCommand {
  const command = new Command(name)
    .description("boot an image (not in this release, which has no machine yet)")
    .usage("IMAGE")
    .argument("[image...]")
    .allowUnknownOption()
    .optionsGroup("General")
    .addOption(color())
    .addOption(debug())
    .version(versionLine(name), "-V, --version", "name and version")
    .helpOption("-h, --help", "this text")
    .action(() =>
      run(() =>
        Promise.reject(
          new UsageError("this release has no machine to boot on", [
            "Would it start on a platform, and where:  bootinfo --platform lguest IMAGE",
            "What a loader would hand over to it:      bootinfo --zero-page IMAGE",
          ]),
        )
      )
    );
  return withHelp(command, {
    // What to do instead, since these are the commands that work.
    examples: [],
    before: [
      "  bootinfo --platform lguest IMAGE   would it start there, and by which entry",
      "  bootinfo --zero-page IMAGE         what a loader would hand over to it",
    ],
    exitCodes: showExitCodes(["usage"], { usage: "whatever is asked, until there is a machine" }),
  });
}

/** The shells that completion is written for. */
export const shells = ["bash", "zsh", "fish"] as const;

/** A shell that completion is written for. */
export type Shell = typeof shells[number];

function completions(run: Run): AnyCommand {
  const command = new Command("completions")
    .description("print the completions of a shell: bash, zsh, fish")
    .usage("SHELL")
    .argument("<shell>", "bash, zsh or fish", oneOf("shell", shells))
    .helpOption("-h, --help", "this text")
    .addOption(debug())
    .action((shell) =>
      run(async (terminal) => {
        const { completionsFor } = await import("./completions.ts");
        terminal.out(await completionsFor(shell));
        return exit.done.code;
      })
    );
  return withHelp(command, {
    examples: [
      "bash > /etc/bash_completion.d/zeropage",
      "fish > ~/.config/fish/conf.d/zeropage.fish",
    ],
    exitCodes: showExitCodes(["done", "usage", "bug"]),
  });
}

/** `zeropage`: all of them. */
export function zeropage(run: Run): AnyCommand {
  const command = new Command("zeropage")
    .description("inspect, boot and compare Linux/x86 kernel images")
    .usage("COMMAND [OPTION]... [FILE]...")
    .enablePositionalOptions()
    .helpCommand(false)
    .optionsGroup("General")
    .addOption(debug())
    .version(versionLine("zeropage"), "-V, --version", "name and version")
    .helpOption("-h, --help", "this text, or that of a command: zeropage info --help");
  command.addCommand(bootinfo(run, "info"))
    .addCommand(bootrun(run, "run"))
    .addCommand(bootdiff(run, "diff"))
    .addCommand(completions(run));
  return withHelp(command, {
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
  });
}

/** An option's value, or true where it was given without one. */
function bare(text: string): string | true {
  return text === "" ? true : text;
}

/** Holds that options about the zero page come with it. */
function needsZeroPage<K extends string>(
  options: Readonly<Partial<Record<K | "zeroPage", unknown>>>,
  names: readonly K[],
): void {
  if (options.zeroPage) return;
  const given = names.find((name) => options[name] !== undefined);
  if (given) throw new UsageError(`--${given} goes with --zero-page`);
}
