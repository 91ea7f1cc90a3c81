/**
 * The JSON that `bootrun --json` prints: what was booted, how, and how it ended.
 *
 * Schema 1, by the rules of core/json.ts. `wall_ms` and `mips` are the only
 * values that differ from run to run.
 *
 * @module
 */

import { releaseText } from "../evidence.ts";
import { integer, type Json, SCHEMA } from "../json.ts";
import type { Guest } from "./guest.ts";
import { isSuccess, type Outcome, showOutcome } from "./outcome.ts";

/** What is known of a run beside the guest. */
export interface RunFacts {
  /** The image, as the user named it. */
  readonly path: string;
  /** How it ended. */
  readonly outcome: Outcome;
  /** Whether a text was waited for. */
  readonly until: boolean;
  /** Time the run took on the host, in milliseconds. */
  readonly wallMs: number;
}

/** The document of a run. */
export function runJson(
  guest: Guest,
  { path, outcome, until, wallMs }: RunFacts,
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
    instructions: machine.instructions,
    virtual_ns: machine.now,
    wall_ms: Math.round(wallMs),
    mips: mips(machine.instructions, wallMs),
    state_hash: machine.stateHash(),
    console: guest.text,
  };
}

/** Million instructions per second, to one decimal. */
export function mips(instructions: number, wallMs: number): number {
  return wallMs > 0 ? Math.round(instructions / wallMs / 100) / 10 : 0;
}
