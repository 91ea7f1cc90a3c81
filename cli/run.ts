/**
 * The body of bootrun: boots an image with its console in the terminal.
 *
 * @module
 */

import { type BootOptions, type Guest, place } from "../core/boot/guest.ts";
import { mips, runJson } from "../core/boot/json.ts";
import { isSuccess, type Outcome, showOutcome } from "../core/boot/outcome.ts";
import { PlatformError } from "../core/boot/plan.ts";
import { showPhase } from "../core/boot/phase.ts";
import { prepareBoot, type Prepared, withSerialConsole } from "../core/boot/prepare.ts";
import type { FailureReport } from "../core/boot/report.ts";
import type { Run } from "../core/boot/run.ts";
import type { Timeline, TimelineFacts } from "../core/boot/timeline.ts";
import { releaseText } from "../core/evidence.ts";
import { type LoaderName, loaderNames } from "../core/loaders/mod.ts";
import { findPlatform, platforms } from "../core/platforms/mod.ts";
import type { RunOptions } from "./program.ts";
import { Escape, escapeHelp } from "./run/escape.ts";
import { type Keyboard, noKeyboard, openKeyboard } from "./run/keyboard.ts";
import { Pace } from "./run/pace.ts";
import { CommandError, InputError, unknownName, UsageError } from "./ui/errors.ts";
import { exit } from "./ui/exit.ts";
import { about, type Input, type Reader, readInput, writeOutput } from "./ui/files.ts";
import { progress } from "./ui/progress.ts";
import { DenoTerminal, type Terminal } from "./ui/terminal.ts";
import { printable } from "./ui/text.ts";
import { checkField } from "./views/zero_page.ts";

/** What of the host a run uses, so that tests can put something else in its place. */
export interface Host {
  /** The guest's keyboard. */
  keyboard(): Keyboard;
  /** The wall's clock in milliseconds. */
  now(): number;
  /** Lets signals and other threads have their turn. */
  breathe(): Promise<void>;
  /** Makes machines other than the real one. */
  readonly machine?: BootOptions["machine"];
}

/** Milliseconds between two looks at signals and at the progress line. */
const TURN = 100;
/** Milliseconds of silence before that line appears. */
const PATIENCE = 500;
/** Instructions in a slice where somebody may be typing: a fraction of a second at any speed. */
const SHORT_SLICE = 100_000;

/** The host that there is. */
export function realHost(terminal: Terminal): Host {
  return {
    // A terminal in memory has nobody in front of it.
    keyboard: () => terminal instanceof DenoTerminal ? openKeyboard() : noKeyboard,
    now: () => performance.now(),
    breathe: () => new Promise((resolve) => setTimeout(resolve, 0)),
  };
}

/** Boots an image; comes to the exit code. */
export async function run(
  terminal: Terminal,
  path: string,
  options: RunOptions,
  read: Reader = readInput,
  host: Host = realHost(terminal),
): Promise<number> {
  checkOptions(options);
  const input = await read(path);
  const prepared = await prepare(terminal, input, options);
  using console = openConsole(terminal, options);
  const guest = await place(prepared.image, prepared.plan, {
    ...machineOptions(options),
    output: (bytes) => console.write(bytes),
    ...(host.machine && { machine: host.machine }),
  });
  const { startTrace } = await import("./run/trace.ts");
  using _trace = await startTrace(terminal, guest, options);
  const timeline = await timelineOf(guest, options);
  const started = host.now();
  const outcome = await drive(terminal, guest, options, host);
  const wallMs = host.now() - started;
  const until = options.until !== undefined;
  if (timeline !== undefined && options.timeline !== undefined) {
    const release = releaseText(prepared.image.inspection);
    const facts = { path, release, subtitle: summary(guest, outcome, wallMs) };
    await writeTimeline(timeline, options.timeline, facts, terminal);
  }
  const isFailure = !isSuccess(outcome, { until }) && outcome.kind !== "interrupted";
  const isExplained = isFailure && outcome.kind !== "exit" && (options.json || !terminal.quiet);
  const failure = isExplained ? await explain(terminal, guest, outcome) : undefined;
  if (options.json) {
    const facts = { path, outcome, until, wallMs, ...(failure && { failure }) };
    terminal.out(`${JSON.stringify(runJson(guest, facts), null, 2)}\n`);
  }
  if (!terminal.quiet && failure !== undefined) {
    const { showReport } = await import("../core/boot/show_report.ts");
    terminal.err(`\n${showReport(failure).map((line) => `${printable(line)}\n`).join("")}`);
  }
  if (!terminal.quiet) {
    const ended = /\n$/.test(guest.text) || guest.text === "" ? "" : "\n";
    terminal.err(`${ended}bootrun: ${summary(guest, outcome, wallMs)}\n`);
  }
  if (outcome.kind === "interrupted") return exit.interrupted.code;
  return isSuccess(outcome, { until }) ? exit.done.code : exit.guest.code;
}

/** Finds out why a run failed, which may take as long as the run. */
async function explain(terminal: Terminal, guest: Guest, outcome: Outcome): Promise<FailureReport> {
  const { failureReport } = await import("../core/boot/report.ts");
  terminal.status("looking back at how it came to this …");
  try {
    return await failureReport(guest, outcome);
  } finally {
    terminal.status("");
  }
}

function checkOptions(options: RunOptions): void {
  if (options.json && options.console === "-") {
    throw new UsageError("--json and --console - both want standard output", [
      "The document has the console's text; --console FILE keeps it as well.",
    ]);
  }
  if (options.timeline !== undefined && !/\.(json|svg|html?)$/i.test(options.timeline)) {
    throw new UsageError(`"${options.timeline}" is neither .json nor .svg nor .html`, [
      "The form of the timeline goes by the name of its file.",
    ]);
  }
  for (const { field } of options.set ?? []) checkField(field);
  if (options.platform !== undefined && findPlatform(options.platform) === undefined) {
    throw unknownName("platform", options.platform, Object.keys(platforms));
  }
}

/** Opens the image and plans the boot. */
async function prepare(
  terminal: Terminal,
  { path, bytes }: Input,
  options: RunOptions,
): Promise<Prepared> {
  const initrd = options.initrd === undefined ? undefined : await readInput(options.initrd);
  const line = progress(terminal, `${path}: unpacking`);
  try {
    return await about(path, () =>
      prepareBoot(bytes, {
        path,
        ...(options.platform !== undefined && { platform: options.platform }),
        ...(options.entry !== undefined && { entry: options.entry }),
        ...(options.cpu !== undefined && { cpu: options.cpu }),
        ...(options.memory !== undefined && { memory: options.memory }),
        ...(options.loader !== undefined && { loader: loaderOf(options.loader) }),
        ...(options.append !== undefined && { commandLine: withSerialConsole(options.append) }),
        ...(initrd && { initrd: initrd.bytes }),
        ...(options.set && {
          set: Object.fromEntries(options.set.map(({ field, value }) => [field, value])),
        }),
        progress: (done, total) => line.at(done, total),
      }));
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const { message, nearest } = error;
    const hints = nearest.length > 0
      ? [`It would start with: --platform ${nearest.join(", ")}`]
      : [];
    throw new CommandError(exit.input.code, `${path}: ${message}`, hints, { cause: error });
  } finally {
    line.done();
  }
}

/** Watches where the time goes, if that is wanted. */
async function timelineOf(guest: Guest, { timeline }: RunOptions): Promise<Timeline | undefined> {
  if (timeline === undefined) return undefined;
  const { timelineOf } = await import("../core/boot/timeline.ts");
  return await timelineOf(guest);
}

/** Writes the timeline in the form that the file's name asks for. */
async function writeTimeline(
  timeline: Timeline,
  path: string,
  facts: TimelineFacts & { readonly subtitle: string },
  terminal: Terminal,
): Promise<void> {
  const { record } = timeline;
  const { path: image = "", release = image } = facts;
  const title = /^\d/.test(release) ? `Linux ${release}` : release;
  const words = { title, subtitle: facts.subtitle };
  const { timelineHtml } = await import("../core/boot/timeline_html.ts");
  const { timelineSvg } = await import("../core/boot/timeline_svg.ts");
  const { timelineJson } = await import("../core/boot/timeline.ts");
  const text = /\.svg$/i.test(path)
    ? timelineSvg(record, words)
    : /\.html?$/i.test(path)
    ? timelineHtml(record, words)
    : `${JSON.stringify(timelineJson(record, facts), null, 2)}\n`;
  await writeOutput(path, new TextEncoder().encode(text), terminal);
}

function loaderOf(name: string): LoaderName {
  const known = loaderNames.find((loader) => loader === name);
  if (known === undefined) throw unknownName("loader", name, loaderNames);
  return known;
}

function machineOptions(options: RunOptions): BootOptions {
  return {
    ...(options.seed !== undefined && { seed: options.seed }),
    ...(options.paravirtClock && { paravirtClock: true }),
  };
}

/** Where the guest's output goes. */
interface ConsoleFile extends Disposable {
  write(bytes: Uint8Array): void;
}

function openConsole(terminal: Terminal, { console, json }: RunOptions): ConsoleFile {
  if (console === undefined || console === "-") {
    return {
      write: (bytes) => json ? undefined : terminal.outBytes(bytes),
      [Symbol.dispose]: () => {},
    };
  }
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(console, { write: true, create: true, truncate: true });
  } catch (error) {
    const problem = error instanceof Error ? error.message.replace(/ \(os error.*/, "") : "";
    throw new InputError(console, `cannot be written: ${problem}`, [], { cause: error });
  }
  return {
    write(bytes: Uint8Array): void {
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    },
    [Symbol.dispose]: () => file.close(),
  };
}

/** Runs the machine to its end, with the keyboard at its console. */
async function drive(
  terminal: Terminal,
  guest: Guest,
  options: RunOptions,
  host: Host,
): Promise<Outcome> {
  const limits = {
    ...(options.until && { until: options.until }),
    ...(options.limitInstructions !== undefined && { instructions: options.limitInstructions }),
    ...(options.limitTime !== undefined && { time: options.limitTime }),
  };
  const run = guest.start(limits);
  // Whoever keeps the console in a file or a document does not sit at it.
  const isAttended = !options.json && (options.console ?? "-") === "-";
  const keyboard = isAttended ? host.keyboard() : noKeyboard;
  const signals = new Signals(run);
  try {
    if (keyboard.isTerminal && !terminal.quiet) terminal.err("bootrun: ^A x leaves, ^A h helps\n");
    return await drivenBy(keyboard, terminal, guest, run, options, host);
  } finally {
    signals.close();
    keyboard.close();
    terminal.status("");
  }
}

async function drivenBy(
  keyboard: Keyboard,
  terminal: Terminal,
  guest: Guest,
  run: Run,
  options: RunOptions,
  host: Host,
): Promise<Outcome> {
  const { machine, plan } = guest;
  const isPaced = options.realtime === true || keyboard.isTerminal;
  const pace = new Pace(() => host.now());
  const escape = new Escape();
  const slice = Math.min(guest.slice, isPaced ? SHORT_SLICE : Infinity);
  run.mayType = () => !keyboard.isOver;
  const started = host.now();
  let turn = started;
  for (;;) {
    const outcome = run.slice(slice);
    if (outcome !== undefined) return outcome;
    const typed = keyboard.isTerminal || guest.isListening ? keyboard.read() : nothing;
    if (typed.length > 0) {
      const { bytes, commands } = keyboard.isTerminal
        ? escape.take(typed)
        : { bytes: typed, commands: [] };
      guest.type(bytes);
      for (const command of commands) {
        if (command === "leave") return run.end("left");
        terminal.err(`\r\n${escapeHelp.join("\r\n")}\r\n`);
      }
    }
    const ahead = isPaced ? pace.ahead(machine.now) : 0;
    if (ahead > 0 || run.isWaiting) keyboard.wait(ahead || TURN);
    const now = host.now();
    if (now - turn < TURN) continue;
    turn = now;
    if (guest.console.bytes === 0 && now - started >= PATIENCE) {
      // By hundreds, since a figure that changes twenty times a second cannot be read.
      const million = Math.floor(machine.instructions / 1e8) * 100;
      terminal.status(`${showPhase(plan, machine)} … ${million} million instructions`);
    }
    await host.breathe();
  }
}

const nothing = new Uint8Array();

/** Signals that end the run in order, so that the terminal is given back. */
class Signals {
  readonly #names: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  readonly #listener: () => void;

  constructor(run: Run) {
    this.#listener = () => run.end("interrupted");
    for (const name of this.#names) Deno.addSignalListener(name, this.#listener);
  }

  close(): void {
    for (const name of this.#names) Deno.removeSignalListener(name, this.#listener);
  }
}

/** One line on how it went. */
export function summary(guest: Guest, outcome: Outcome, wallMs: number): string {
  const { instructions, now } = guest.machine;
  return [
    showOutcome(outcome),
    `${instructions.toLocaleString("en")} instructions`,
    `${seconds(now / 1e6)} virtual`,
    `${seconds(wallMs)} real`,
    `${mips(instructions, wallMs)} MIPS`,
  ].join(", ");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 3 : 1)} s`;
}
