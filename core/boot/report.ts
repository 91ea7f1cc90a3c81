/**
 * Why a boot failed, as a record: what the guest said last, which exceptions led
 * there, where the processor stands and what it holds, and how it came there.
 *
 * @module
 */

import { DECODED } from "../../emu/cpu/decode.ts";
import { disassemble } from "../../emu/cpu/disassemble.ts";
import { codeAround, type CodeLine, codeOf } from "./code_view.ts";
import { eventName, type GuestException, linearRip } from "./events.ts";
import type { Guest } from "./guest.ts";
import { lookBack, type WayThere } from "./look_back.ts";
import { Names } from "./names.ts";
import { type Outcome, showOutcome } from "./outcome.ts";
import { entryFlags, peek, walkPages } from "./peek.ts";

/** A number that the processor holds. */
export interface ReportedValue {
  /** The register. */
  readonly name: string;
  /** What is in it. */
  readonly value: bigint;
  /** The place in the kernel that it points to. */
  readonly symbol?: string;
}

/** An exception with what it hit. */
export interface ReportedException extends GuestException {
  /** What it is called: `#PF`. */
  readonly name: string;
  /** The instruction it came at. */
  readonly code: CodeLine;
  /** The place in the kernel that it came at. */
  readonly symbol?: string;
}

/** How the page tables lead to an address, or do not. */
export interface ReportedWalk {
  /** The linear address. */
  readonly address: number;
  /** Each level: its table, where the entry is, the entry and its bits by name. */
  readonly steps: readonly {
    readonly table: string;
    readonly at: number;
    readonly entry: bigint;
    readonly flags: readonly string[];
  }[];
  /** Where it ends. */
  readonly physical?: number;
}

/** Where the processor stands. */
export interface Scene {
  /** Instructions retired. */
  readonly instructions: number;
  /** Width of the code. */
  readonly mode: 16 | 32 | 64;
  /** Privilege level. */
  readonly level: number;
  /** Linear address of the next instruction. */
  readonly address: number;
  /** The place in the kernel that it is. */
  readonly symbol?: string;
  /** General registers, RIP, flags, control registers. */
  readonly registers: readonly ReportedValue[];
  /** Flags that are set, by name. */
  readonly flags: readonly string[];
  /** Segment registers: selector, base, limit. */
  readonly segments: readonly {
    readonly name: string;
    readonly selector: number;
    readonly base: number;
    readonly limit: number;
  }[];
  /** Code around it. */
  readonly code: readonly CodeLine[];
  /** Return addresses that the stack holds. */
  readonly callers: readonly ReportedValue[];
}

/** Why a boot failed. */
export interface FailureReport {
  /** In sentences. */
  readonly cause: readonly string[];
  /** What the guest said last. */
  readonly console: readonly string[];
  /** Its last exceptions, the last one last. */
  readonly exceptions: readonly ReportedException[];
  /** Of them the ones at the end that led from one to the next, if the processor shut down. */
  readonly chain: number;
  /** Where the processor stands. */
  readonly scene: Scene;
  /** Where a faulting address leads. */
  readonly walks: readonly ReportedWalk[];
  /** How it came there; absent if that was not looked for. */
  readonly way?: WayThere;
  /** Where it was between the last slices of the run: functions and how often; most often first. */
  readonly places: readonly { readonly name: string; readonly count: number }[];
  /** Names for addresses in this report. */
  readonly names: Names;
}

/** What a report is to have. */
export interface ReportOptions {
  /** Whether the guest may be run again for the way there; the most instructions for which it is. */
  readonly again?: number;
}

/** Lines of the console in a report. */
const CONSOLE_LINES = 8;
const BEFORE = 4;
const BEHIND = 4;
/** Words of the stack that are looked through for return addresses. */
const STACK_WORDS = 256;
const CALLERS = 12;
/** Instructions between the kernel's call of `panic` and its first line of it, and more. */
const PANIC_WINDOW = 1_500_000;
/** Instructions that a guest is run again for. */
export const AGAIN = 10_000_000_000;

const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/**
 * The report of a run that went wrong.
 *
 * @param outcome How it ended.
 */
export async function failureReport(
  guest: Guest,
  outcome: Outcome,
  { again = AGAIN }: ReportOptions = {},
): Promise<FailureReport> {
  const { machine, console } = guest;
  const names = new Names(machine, await guest.symbols());
  const exceptions = guest.exceptions.map((event) => reported(guest, event, names));
  const chain = outcome.kind === "triple-fault" ? chainLength(exceptions) : 0;
  const mayLook = machine.instructions <= again && outcome.kind !== "limit";
  const way = mayLook ? await wayThere(guest, outcome) : undefined;
  const scene = sceneOf(guest, names, way);
  return {
    cause: causeOf(guest, outcome, exceptions.slice(exceptions.length - chain), scene, names),
    console: console.tail(CONSOLE_LINES).filter((line) => line.trim() !== ""),
    exceptions,
    chain,
    scene,
    walks: walksOf(guest, outcome, exceptions, scene),
    ...(way !== undefined && { way }),
    places: placesOf(guest, names),
    names,
  };
}

function reported(guest: Guest, event: GuestException, names: Names): ReportedException {
  const symbol = names.nameOf(event.at);
  const bytes = event.bytes.length > 0 ? event.bytes : bytesAt(guest, event.at);
  return {
    ...event,
    name: eventName(event),
    code: codeOf({ cpu: event }, event.at, bytes, names),
    ...(symbol !== undefined && { symbol }),
  };
}

function bytesAt({ machine }: Guest, address: number): Uint8Array {
  for (let length = 15; length > 0; length--) {
    const bytes = peek(machine, address, length);
    if (bytes !== undefined) return bytes;
  }
  return new Uint8Array();
}

/** Exceptions at the end that came of one another: they all came at the same instruction. */
function chainLength(exceptions: readonly ReportedException[]): number {
  const last = exceptions.at(-1);
  const before = exceptions.findLastIndex(({ instructions, at }) =>
    instructions !== last?.instructions || at !== last.at
  );
  return exceptions.length - 1 - before;
}

async function wayThere(guest: Guest, outcome: Outcome): Promise<WayThere> {
  const { panicked } = guest;
  if (outcome.kind !== "panic" || panicked === undefined) return await lookBack(guest);
  return await lookBack(guest, { end: panicked, symbol: "panic", count: PANIC_WINDOW });
}

const segmentNames = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;
const flagNames = {
  ...{ cf: 1, pf: 4, af: 0x10, zf: 0x40, sf: 0x80, tf: 0x100, if: 0x200, df: 0x400 },
  ...{ of: 0x800, nt: 0x4000, rf: 0x10000, vm: 0x20000, ac: 0x40000 },
} as const;

function sceneOf(last: Guest, names: Names, way: WayThere | undefined): Scene {
  // After a panic the kernel goes on; how it was when it began says more.
  const guest = way?.isThere ? way.guest : last;
  const { machine, registers } = guest;
  const { cpu } = machine;
  const call = way?.isThere ? way.branches.at(-1)?.from : undefined;
  const address = call ?? linearRip(machine);
  const symbol = names.nameOf(address);
  const is64 = cpu.mode === 64;
  return {
    instructions: machine.instructions,
    mode: cpu.mode,
    level: cpu.cpl,
    address,
    ...(symbol !== undefined && { symbol }),
    registers: Object.entries(registers)
      .filter(([name]) => is64 || !/^r\d/.test(name))
      .map(([name, value]) => {
        const label = is64 || /^(cr|efer)/.test(name) ? name : name.replace(/^r/, "e");
        const points = /^(cr|rflags|efer)/.test(name) ? undefined : names.nameOf(numberOf(value));
        return { name: label, value, ...(points !== undefined && { symbol: points }) };
      }),
    flags: Object.entries(flagNames).filter(([, bit]) => (cpu.eflags & bit) !== 0)
      .map(([name]) => name),
    segments: cpu.segments.map(({ selector, base, limit }, n) => ({
      name: segmentNames[n] ?? "?",
      ...{ selector, base, limit },
    })),
    code: codeAround(machine, address, names, BEFORE, BEHIND),
    callers: callers(guest, names),
  };

  function numberOf(value: bigint): number {
    return Number(cpu.isLong ? BigInt.asIntN(64, value) : BigInt.asUintN(32, value));
  }
}

/** Places in functions that the stack may lead back to. */
function callers(guest: Guest, names: Names): readonly ReportedValue[] {
  const { machine, registers } = guest;
  const { cpu } = machine;
  const width = cpu.mode === 64 ? 8 : 4;
  const base = cpu.mode === 64 ? 0 : cpu.segments[2].base;
  const top = base + Number(BigInt.asIntN(64, registers["rsp"] ?? 0n));
  const found: ReportedValue[] = [];
  for (let i = 0; !names.isEmpty && i < STACK_WORDS && found.length < CALLERS; i++) {
    const bytes = peek(machine, top + i * width, width);
    if (bytes === undefined) break;
    const view = new DataView(bytes.buffer);
    const value = width === 8 ? view.getBigInt64(0, true) : BigInt(view.getUint32(0, true));
    const address = Number(value);
    const start = names.startOf(address);
    // A return address is behind a call, hence never at a function's start.
    if (start === undefined || start === address || !followsCall(guest, address)) continue;
    const symbol = names.nameOf(address);
    if (symbol === undefined || found.at(-1)?.symbol === symbol) continue;
    found.push({ name: `+${hex(i * width)}`, value: BigInt.asUintN(64, value), symbol });
  }
  return found;
}

/** Whether the instruction in front of an address may be a call. */
function followsCall({ machine }: Guest, address: number): boolean {
  const { mode } = machine.cpu;
  for (const length of [5, 2, 3, 6, 7, 4, 8]) {
    const bytes = peek(machine, address - length, length);
    if (bytes === undefined) continue;
    const { text, status, length: decoded } = disassemble(bytes, { mode });
    if (status === DECODED && decoded === length && text.startsWith("call")) return true;
  }
  return false;
}

function walksOf(
  { machine }: Guest,
  outcome: Outcome,
  exceptions: readonly ReportedException[],
  { address: at, code }: Scene,
): readonly ReportedWalk[] {
  const addresses = new Set<number>();
  // The last page fault of a running system was most likely cured.
  const fault = exceptions.findLast(({ address }) => address !== undefined);
  const isAtEnd = fault !== undefined && fault.instructions >= machine.instructions - 1;
  if (fault?.address !== undefined && (outcome.kind === "triple-fault" || isAtEnd)) {
    addresses.add(fault.address);
  }
  if (code.every(({ bytes }) => bytes.length === 0)) addresses.add(at);
  return [...addresses].map((address) => {
    const { steps, physical } = walkPages(machine, address);
    return {
      address,
      steps: steps.map((step, n) => ({
        ...step,
        flags: entryFlags(
          step.entry,
          physical !== undefined && n === steps.length - 1,
          step.table,
        ),
      })),
      ...(physical !== undefined && { physical }),
    };
  });
}

function placesOf({ places }: Guest, names: Names): FailureReport["places"] {
  const counts = new Map<string, number>();
  for (const place of places) {
    // Code without names is told by its pages.
    const name = names.functionOf(place) ?? `page ${hex(Math.floor(place / 0x1000) * 0x1000)}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => ({ name, count }))
    .toSorted((a, b) => b.count - a.count);
}

function causeOf(
  guest: Guest,
  outcome: Outcome,
  chain: readonly ReportedException[],
  scene: Scene,
  names: Names,
): readonly string[] {
  const { machine, plan, console } = guest;
  const [first, ...others] = chain;
  const sentences: string[] = [];
  switch (outcome.kind) {
    case "triple-fault": {
      if (first === undefined) {
        sentences.push("The processor shut down.");
        break;
      }
      const then = others.map(({ name }) => name).join(", then ");
      sentences.push(
        `${first.name} at ${names.show(first.at)} could not be delivered` +
          `${then === "" ? "" : `: it led to ${then}`}; the processor shut down.`,
      );
      break;
    }
    case "panic":
      sentences.push(`The kernel panicked: ${outcome.message}`);
      break;
    case "halted":
      sentences.push(
        outcome.clean
          ? "The guest halted."
          : `It waits at ${names.show(scene.address)} with interrupts off: nothing wakes it.`,
      );
      break;
    case "limit":
      sentences.push(
        console.bytes === 0
          ? "It ran to the limit and said nothing."
          : "It ran to the limit without coming to an end.",
      );
      break;
    default:
      sentences.push(`It ended: ${showOutcome(outcome)}.`);
  }
  // A program's pages come when they are first executed: only its last exception counts.
  const user = guest.exceptions.findLast(({ level }) => level === 3);
  const wild = guest.exceptions.findLast((event) =>
    (event.level < 3 || event === user) && isWild(event, plan.memory)
  );
  if (wild !== undefined && isNearEnd(guest, wild)) {
    sentences.push(`It had gone to ${names.show(wild.at)}, where no code is.`);
  } else {
    const unknown = guest.exceptions.findLast(({ vector }) => vector === 6);
    if (unknown !== undefined && isNearEnd(guest, unknown)) {
      sentences.push(unknownInstruction(unknown, plan.cpu, machine.cpu.has, names));
    }
  }
  return sentences;
}

/** Exceptions so shortly before the end, or before the panic, may have to do with it. */
const NEAR_END = 5_000_000;

function isNearEnd({ machine, panicked }: Guest, { instructions }: GuestException): boolean {
  return instructions >= Math.min(machine.instructions, panicked ?? Infinity) - NEAR_END;
}

/** Whether an exception came because nothing is where execution went. */
function isWild({ vector, errorCode = 0, address, at, bytes }: GuestException, memory: number) {
  const isFetch = vector === 14 && ((errorCode & 16) !== 0 || address === at);
  // Where there is no memory, all bits are ones, which is no instruction.
  const isNothing = vector === 6 && at >= memory && bytes[0] === 0xff && bytes[1] === 0xff;
  return isFetch || isNothing;
}

/** #UD in words: an instruction that raises it by design, or one that this processor lacks. */
function unknownInstruction(
  { bytes, mode, at }: GuestException,
  cpu: string,
  has: (feature: string) => boolean,
  names: Names,
): string {
  const { text, status, needs } = disassemble(bytes, { mode });
  const raw = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const where = `at ${names.show(at)}`;
  if (/^ud[012]/.test(text)) {
    return `It came to ${text} ${where}, which raises #UD by design: a check of its own failed.`;
  }
  if (status === DECODED && needs !== undefined && !has(needs)) {
    return `The instruction "${text}" ${where} needs ${needs}, which the processor ${cpu} lacks.`;
  }
  if (status === DECODED) return `The instruction "${text}" ${where} is not allowed there.`;
  const family = familyOf(bytes, mode);
  return `The processor does not know ${
    family === undefined ? "the instruction" : `the ${family} instruction`
  } ${raw} … ${where}.`;
}

/** Extensions that are told by their first bytes. */
function familyOf(bytes: Uint8Array, mode: number): string | undefined {
  const prefixes = bytes.findIndex((byte) => ![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].includes(byte));
  const [first = 0, second = 0] = bytes.subarray(Math.max(0, prefixes));
  const isRegister = mode === 64 || second >= 0xc0;
  if ((first === 0xc4 || first === 0xc5) && isRegister) return "AVX (VEX)";
  if (first === 0x62 && isRegister) return "AVX-512 (EVEX)";
  if (first === 0x0f && second === 0x0f) return "3DNow!";
  if (first === 0x8f && (second & 0x1f) >= 8) return "XOP";
  return undefined;
}
