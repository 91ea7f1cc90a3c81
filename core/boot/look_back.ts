/**
 * The way that led to a place: a guest is run again, the same run as before, and
 * its last instructions one by one.
 *
 * Nothing needs to be recorded for it while the guest runs, since a machine that
 * gets the same input at the same instructions does the same.
 *
 * @module
 */

import { linearRip } from "./events.ts";
import type { Guest } from "./guest.ts";
import { codeAt } from "./code_view.ts";
import { Names } from "./names.ts";

/** A jump, call, return or event: execution went on elsewhere. */
export interface Branch {
  /** Instructions retired before it. */
  readonly instructions: number;
  /** The instruction it left. */
  readonly from: number;
  /** Where it led. */
  readonly to: number;
}

/** A stay in a function. */
export interface Visit {
  /** The function; undefined outside of the kernel. */
  readonly name?: string;
  /** The address at which it was entered. */
  readonly address: number;
  /** Instructions retired before. */
  readonly instructions: number;
}

/** How a guest came to where it is. */
export interface WayThere {
  /** The guest that was run again, as it is at the end. */
  readonly guest: Guest;
  /** Whether the symbol was reached that the way was to end at. */
  readonly isThere: boolean;
  /** Instructions that were looked at, the last ones before the end. */
  readonly looked: number;
  /** Instructions retired at the end. */
  readonly end: number;
  /** The last branches, the last one last. */
  readonly branches: readonly Branch[];
  /** The last distinct functions, each by its last entry; the last one last. */
  readonly functions: readonly Visit[];
}

/** What to look for. */
export interface LookBackOptions {
  /** Where it ends: so many instructions retired; default where the guest is. */
  readonly end?: number;
  /** Or where this symbol is reached, if that comes before. */
  readonly symbol?: string;
  /** Instructions to look at; default 200,000. */
  readonly count?: number;
  /** Branches to keep; default 8. */
  readonly branches?: number;
  /** Functions to keep; default 16. */
  readonly functions?: number;
}

/** Runs a guest again and tells how it came to where it is. */
export async function lookBack(guest: Guest, options: LookBackOptions = {}): Promise<WayThere> {
  const { end = guest.machine.instructions, count = 200_000 } = options;
  const names = new Names(guest.machine, await guest.symbols());
  const target = options.symbol === undefined ? undefined : names.addressOf(options.symbol);
  const again = await guest.again(Math.max(0, end - count));
  const { machine } = again;
  const from = machine.instructions;
  const steps = Math.max(0, end - from);
  const places = new Float64Array(steps + 2);
  let taken = 0;
  places[0] = linearRip(machine);
  while (taken < steps && places[taken] !== target) {
    const { kind } = machine.step();
    places[++taken] = linearRip(machine);
    if (kind !== "limit" && kind !== "stopped") break;
  }
  return {
    guest: again,
    isThere: places[taken] === target,
    looked: taken,
    end: from + taken,
    branches: lastBranches(again, places.subarray(0, taken + 1), from, options.branches ?? 8),
    functions: lastFunctions(names, places.subarray(0, taken + 1), from, options.functions ?? 16),
  };
}

function lastBranches(
  { machine }: Guest,
  places: Float64Array,
  first: number,
  most: number,
): readonly Branch[] {
  const found: Branch[] = [];
  for (let n = places.length - 1; n > 0 && found.length < most; n--) {
    const from = places[n - 1] as number;
    const to = places[n] as number;
    const { bytes } = codeAt(machine, from);
    // An instruction that repeats itself goes nowhere.
    if (to === from || to === from + bytes.length) continue;
    const branch = { instructions: first + n - 1, from, to };
    // A loop's jump back is told once.
    if (!found.some((known) => known.from === from && known.to === to)) found.push(branch);
  }
  return found.reverse();
}

function lastFunctions(
  names: Names,
  places: Float64Array,
  first: number,
  most: number,
): readonly Visit[] {
  const found = new Map<string, Visit>();
  let within: { readonly name: string; readonly at: number } | undefined;
  for (let n = places.length - 1; n >= 0; n--) {
    const address = places[n] as number;
    const name = names.functionOf(address);
    // Outside of the kernel there are pages rather than functions.
    const key = name ?? `page ${Math.floor(address / 0x1000)}`;
    if (within?.name !== key && found.size === most && !found.has(key)) break;
    within = { name: key, at: n };
    const known = found.get(key);
    // As long as it stays there, the entry is further back.
    if (known === undefined || known.instructions === first + n + 1) {
      found.set(key, { ...(name !== undefined && { name }), address, instructions: first + n });
    }
  }
  return [...found.values()].toSorted((a, b) => a.instructions - b.instructions);
}
