/**
 * Where a boot's time goes: its phases and what they are made of, with the
 * instructions and the virtual time that each took.
 *
 * With the kernel's symbols all borders are exact: the machine tells when
 * execution comes to an address, and the guest does not notice. Without, they
 * are found by where the processor executes after each slice of
 * {@link TIMELINE_SLICE}, and by what the console says.
 *
 * @module
 */

import { type Json, SCHEMA } from "../json.ts";
import type { Kernel } from "../kernel.ts";
import { watchEvents } from "./events.ts";
import type { Guest } from "./guest.ts";
import { type KernelEntry, watchKernelEntry } from "./kernel_entry.ts";
import { KernelWatch } from "./kernel_watch.ts";
import type { KernelSymbols } from "./symbols.ts";

/** A moment of a run. */
export interface Moment {
  /** Instructions retired. */
  readonly instructions: number;
  /** Virtual time in nanoseconds. */
  readonly ns: number;
}

/** What a span is. */
export type SpanKind =
  /** A part of the boot; one follows the other. */
  | "phase"
  /** The initcalls of one level. */
  | "level"
  /** One initcall. */
  | "initcall"
  /** The initialisation of a module. */
  | "module"
  /** A function that another one calls. */
  | "call";

/** A part of a boot. */
export interface TimelineSpan {
  /** What it is: "decompressor", "start_kernel", "userspace". */
  readonly name: string;
  /** Of which kind. */
  readonly kind: SpanKind;
  /** When it began. */
  readonly from: Moment;
  /** When the next one began, or it came back, or the run ended. */
  readonly to: Moment;
  /** What it is made of, as far as is known. */
  readonly spans: readonly TimelineSpan[];
}

/** A line on the console. */
export interface SaidLine extends Moment {
  /** What it says. */
  readonly text: string;
}

/** All that is known of a run's course. */
export interface TimelineRecord {
  /** Whether borders are exact to the instruction. */
  readonly exact: boolean;
  /** Where the kernel was entered, if that was seen. */
  readonly kernel?: KernelEntry;
  /** The phases, one behind the other. */
  readonly phases: readonly TimelineSpan[];
  /** What came on the console. */
  readonly lines: readonly SaidLine[];
  /** When it ended. */
  readonly end: Moment;
}

/** Instructions in a slice while borders are found by looking on. */
export const TIMELINE_SLICE = 20_000;
/** Console lines that are kept. */
const MOST_LINES = 5000;

// Tour timeline 010
//
// A boot is measured in instructions, which are the same in every run. Without
// symbols it is known by what it says and where it is: often enough to tell the
// decompressor from the kernel, and the kernel from its first process.
/** What the console says at a border, and the phase that begins with it. */
const said: readonly (readonly [pattern: RegExp, phase: (found: RegExpExecArray) => string])[] = [
  // Only a kernel under initcall_debug tells of these.
  [/entering initcall level: (\w+)/, (found) => `initcalls, ${found[1]}`],
  [/Trying to unpack rootfs image/, () => "kernel, after the initramfs"],
  [/Run (\S+) as init process/, () => "init"],
];

/** A span while it is written. */
export interface OpenSpan {
  /** Its name. */
  readonly name: string;
  /** Its kind. */
  readonly kind: SpanKind;
  /** Its beginning. */
  from: Moment;
  /** Its end; that of what it is in, while there is none. */
  to?: Moment;
  /** Its parts. */
  readonly spans: OpenSpan[];
}

/** Watches a guest from its first instruction on. */
export class Timeline {
  readonly #guest: Guest;
  readonly #phases: OpenSpan[] = [];
  readonly #lines: SaidLine[] = [];
  /** Slices of the guest without a timeline. */
  readonly #slice: number;
  #count = 0;
  #inUserspace = false;
  #kernel: KernelEntry | undefined;
  #isExact = false;

  /**
   * A timeline of this guest's runs from now on.
   *
   * @param known The guest's kernel with its symbols; {@link timelineOf} finds them.
   */
  constructor(
    guest: Guest,
    known?: { readonly kernel: Kernel; readonly symbols?: KernelSymbols | undefined },
  ) {
    this.#guest = guest;
    // What we have put into memory is there before the first instruction.
    if (guest.machine.instructions === 0) this.begin("loader");
    this.begin(this.#place());
    this.#slice = guest.slice;
    guest.slice = TIMELINE_SLICE;
    this.#watchDecompressor();
    if (known !== undefined) this.#watchEntry(known.kernel, known.symbols);
    guest.watchers.push(() => this.#look());
    watchEvents(guest.machine, ({ level }) => {
      if (level !== 3 || this.#isExact || this.#inUserspace) return;
      // What was said before belongs before.
      guest.machine.board.flush();
      this.enterUserspace();
    });
    guest.console.onLine = (line) => this.#hear(line);
  }

  /** The phases so far. */
  get phases(): readonly TimelineSpan[] {
    return this.record.phases;
  }

  /** All so far. */
  get record(): TimelineRecord {
    const end = this.now;
    const kernel = this.#kernel;
    return {
      exact: this.#isExact,
      ...(kernel && { kernel }),
      phases: closed(
        this.#phases.map((phase, i) => ({ ...phase, to: this.#phases[i + 1]?.from ?? end })),
        end,
      ),
      lines: this.#lines,
      end,
    };
  }

  /** This very moment. */
  get now(): Moment {
    const { instructions, now } = this.#guest.machine;
    return { instructions, ns: now };
  }

  /** The phase that goes on. */
  get phase(): OpenSpan {
    const last = this.#phases.at(-1);
    return last ?? this.begin(this.#place());
  }

  /** A phase begins, if it does not go on already. */
  begin(name: string, from: Moment = this.now): OpenSpan {
    const last = this.#phases.at(-1);
    if (last?.name === name) return last;
    const phase: OpenSpan = { name, kind: "phase", from, spans: [] };
    this.#phases.push(phase);
    return phase;
  }

  /** The phase that goes on was none: it is part of the one before. */
  takeBack(): void {
    const last = this.#phases.pop();
    if (last !== undefined) this.phase.spans.push(...last.spans);
  }

  /** The first instruction of the first process. */
  enterUserspace(): void {
    if (this.#inUserspace) return;
    this.#inUserspace = true;
    this.begin("userspace");
  }

  /** Tells where the setup code ends, and where the decompressor goes over to 64 bits. */
  #watchDecompressor(): void {
    const { machine, plan } = this.#guest;
    const { entry, kernel, bits } = plan;
    const once = (address: number, does: () => void) => {
      const unmark = machine.mark(address, () => {
        unmark();
        does();
      });
    };
    // By the boot protocol the 64-bit entry is 0x200 behind the 32-bit one.
    const enters64 = () => {
      const phase = this.phase;
      if (bits !== 64 || phase.name !== "decompressor") return;
      once(kernel.load + 0x200, () => {
        const to = this.now;
        phase.spans.push({ name: "startup_32", kind: "call", from: phase.from, to, spans: [] });
      });
    };
    if (entry.kind === "32-bit") enters64();
    if (entry.kind !== "16-bit") return;
    once(kernel.load, () => {
      this.begin("decompressor");
      enters64();
    });
  }

  #watchEntry(kernel: Kernel, symbols: KernelSymbols | undefined): void {
    const { machine } = this.#guest;
    watchKernelEntry(machine, kernel, (entry) => {
      this.#kernel = entry;
      this.begin(kernel.elf?.class === 32 ? "startup_32" : "startup_64");
      if (symbols === undefined) return;
      this.#isExact = true;
      this.#guest.slice = this.#slice;
      symbols.slide = entry.slide;
      new KernelWatch(this, this.#guest, kernel, symbols);
    });
  }

  get #kernelHasBegun(): boolean {
    return this.#phases.some(({ name }) => /^(kernel|startup_)/.test(name));
  }

  #hear(text: string): void {
    this.#count++;
    if (this.#count <= MOST_LINES) this.#lines.push({ ...this.now, text });
    if (this.#inUserspace || this.#isExact) return;
    if (this.#count === 1 && this.#kernelHasBegun) this.begin("kernel, talking");
    for (const [pattern, phase] of said) {
      const found = pattern.exec(text);
      if (found !== null) this.begin(phase(found));
    }
  }

  #look(): void {
    if (this.#kernelHasBegun || this.#inUserspace) return;
    const place = this.#place();
    // The marks tell exactly where setup code ends.
    if (place !== "decompressor") this.begin(place);
  }

  /** What is going on, by where the processor executes. */
  #place(): string {
    const { image, machine, plan } = this.#guest;
    const { rip, mode } = machine.cpu;
    // A bzImage without a compressed kernel inside is a program of its own.
    const { boot } = image.inspection;
    if (boot?.header.fields.payload_length === 0) return "program";
    if (mode === 16) return "setup code";
    // Linux lives in the upper half, or the upper quarters of 32 bits.
    if (rip < 0 || rip >= 0x8000_0000) return "kernel, silent";
    return plan.entry.kind === "direct" ? "startup" : "decompressor";
  }
}

/** Spans that have an end; those of no length are left out, but for the loader's. */
function closed(spans: readonly OpenSpan[], end: Moment): TimelineSpan[] {
  return spans.map(({ name, kind, from, to = end, spans }) => ({
    ...{ name, kind, from, to },
    spans: closed(spans, to),
  })).filter(({ name, from, to }) =>
    to.instructions > from.instructions || to.ns > from.ns || name === "loader"
  );
}

/**
 * A timeline of a guest, exact if its kernel has symbols; it is unpacked for them.
 *
 * @param guest One that has not run yet.
 */
export async function timelineOf(guest: Guest): Promise<Timeline> {
  const kernel = await guest.kernel();
  if (kernel?.elf === undefined) return new Timeline(guest);
  return new Timeline(guest, { kernel, symbols: await guest.symbols() });
}

/** What a document says of a timeline beside it. */
export interface TimelineFacts {
  /** The image, as the user named it. */
  readonly path?: string;
  /** The kernel's release. */
  readonly release?: string | undefined;
}

/** A timeline as a document, by the rules of core/json.ts; the same for each run of the same boot. */
export function timelineJson(
  record: TimelineRecord,
  { path, release }: TimelineFacts = {},
): { readonly [key: string]: Json } {
  const { exact, kernel, phases, lines, end } = record;
  return {
    schema: SCHEMA,
    kind: "timeline",
    ...(path !== undefined && { path }),
    ...(release !== undefined && { kernel_release: release }),
    exact,
    ...(kernel && {
      kernel: { entry: kernel.physical, moved: kernel.moved, slide: kernel.slide },
    }),
    instructions: end.instructions,
    virtual_ns: end.ns,
    phases: phases.map(spanJson),
    console: lines.map(({ instructions, ns, text }) => ({ instructions, ns, text })),
  };
}

function spanJson({ name, kind, from, to, spans }: TimelineSpan): { readonly [key: string]: Json } {
  return {
    name,
    kind,
    start_instructions: from.instructions,
    end_instructions: to.instructions,
    start_ns: from.ns,
    end_ns: to.ns,
    ...(spans.length > 0 && { spans: spans.map(spanJson) }),
  };
}

/** An initcall, as one lists them. */
export interface InitcallSpan extends TimelineSpan {
  /** The level that it was called at. */
  readonly level: string;
}

/** Initcalls of a run, the longest first. */
export function longestInitcalls(phases: readonly TimelineSpan[]): InitcallSpan[] {
  const all = phases.flatMap(({ spans }) => spans).filter(({ kind }) => kind === "level");
  return all.flatMap(({ name, spans }) =>
    spans.filter(({ kind }) => kind === "initcall").map((span) => ({ ...span, level: name }))
  ).sort((a, b) => lengthOf(b) - lengthOf(a));
}

/** Instructions of a span. */
export function lengthOf({ from, to }: TimelineSpan): number {
  return to.instructions - from.instructions;
}
