/**
 * The JSON that `bootrun --json` prints: what was booted, how, and how it ended.
 *
 * Schema 1, by the rules of core/json.ts. `wall_ms` and `mips` are the only
 * values that differ from run to run.
 *
 * @module
 */

import { releaseText } from "../evidence.ts";
import { hexOf } from "../../formats/others/finding.ts";
import { integer, type Json, SCHEMA } from "../json.ts";
import { errorMeaning } from "./events.ts";
import type { Guest } from "./guest.ts";
import type { CodeLine } from "./code_view.ts";
import type { FailureReport } from "./report.ts";
import { isSuccess, type Outcome, showOutcome } from "./outcome.ts";

/** What is known of a run beside the guest. */
export interface RunFacts {
  /** The image, as the user named it. */
  readonly path: string;
  /** How it ended. */
  readonly outcome: Outcome;
  /** Whether a text was waited for. */
  readonly until: boolean;
  /** Why it failed, if it did. */
  readonly failure?: FailureReport;
  /** Time the run took on the host, in milliseconds. */
  readonly wallMs: number;
}

/** The document of a run. */
export function runJson(
  guest: Guest,
  { path, outcome, until, wallMs, failure }: RunFacts,
): { readonly [key: string]: Json } {
  const { plan, machine, image } = guest;
  const { entry } = plan;
  const release = releaseText(image.inspection);
  const { kind, ...details } = outcome;
  return {
    schema: SCHEMA,
    kind: "run",
    path,
    ...(release !== undefined && { kernel_release: release }),
    platform: plan.platform,
    loader: plan.loader,
    entry: { kind: entry.kind, address: integer(entry.address), state: entry.state },
    cpu: plan.cpu,
    memory: plan.memory,
    command_line: plan.commandLine,
    placements: plan.placements.map(({ what, address, size, why }) => ({
      what,
      address: integer(address),
      size: integer(size),
      why,
    })),
    outcome: {
      kind,
      success: isSuccess(outcome, { until }),
      text: showOutcome(outcome),
      ...details,
    },
    ...(failure !== undefined && { failure: failureJson(failure) }),
    instructions: machine.instructions,
    virtual_ns: machine.now,
    wall_ms: Math.round(wallMs),
    mips: mips(machine.instructions, wallMs),
    state_hash: machine.stateHash(),
    console: guest.text,
  };
}

/** Addresses, and what is in registers, are hexadecimal strings: all of one kind. */
function failureJson(report: FailureReport): Json {
  const { cause, console, exceptions, scene, walks, way, places, names } = report;
  const place = (address: number) => {
    const symbol = names.nameOf(address);
    return { address: hex(address), ...(symbol !== undefined && { symbol }) };
  };
  const code = ({ address, bytes, text }: CodeLine) => ({
    ...place(address),
    bytes: hexOf(bytes),
    text,
  });
  return {
    cause,
    console,
    exceptions: exceptions.map((event) => ({
      name: event.name,
      vector: event.vector,
      instructions: event.instructions,
      ...(event.errorCode !== undefined && {
        error_code: event.errorCode,
        error: errorMeaning(event.vector, event.errorCode) ?? null,
      }),
      ...(event.address !== undefined && { fault_address: hex(event.address) }),
      level: event.level,
      at: code(event.code),
    })),
    mode: scene.mode,
    level: scene.level,
    at: place(scene.address),
    registers: Object.fromEntries(scene.registers.map(({ name, value }) => [name, hex(value)])),
    pointers: Object.fromEntries(
      scene.registers.flatMap(({ name, symbol }) => symbol === undefined ? [] : [[name, symbol]]),
    ),
    flags: scene.flags,
    segments: scene.segments.map(({ name, selector, base, limit }) => ({
      name,
      selector,
      base: hex(base),
      limit,
    })),
    code: scene.code.map(code),
    callers: scene.callers.map(({ value, symbol = "" }) => ({ address: hex(value), symbol })),
    page_walks: walks.map(({ address, steps, physical }) => ({
      address: hex(address),
      steps: steps.map(({ table, at, entry, flags }) => ({
        table,
        at: hex(at),
        entry: hex(entry),
        flags,
      })),
      physical: physical === undefined ? null : hex(physical),
    })),
    ...(way !== undefined && {
      way: {
        end: way.end,
        branches: way.branches.map(({ instructions, from, to }) => ({
          instructions,
          from: place(from),
          to: place(to),
        })),
        functions: way.functions.map(({ instructions, name, address }) => ({
          instructions,
          address: hex(address),
          ...(name !== undefined && { name }),
        })),
      },
    }),
    places: places.map(({ name, count }) => ({ name, count })),
  };
}

const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** Million instructions per second, to one decimal. */
export function mips(instructions: number, wallMs: number): number {
  return wallMs > 0 ? Math.round(instructions / wallMs / 100) / 10 : 0;
}
