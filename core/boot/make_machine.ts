/**
 * The real machine for a plan.
 *
 * @module
 */

import { Machine } from "../../emu/machine.ts";
import type { MachineWishes } from "./guest.ts";
import type { GuestMachine } from "./machine.ts";
import type { BootPlan } from "./plan.ts";

/** Makes a machine with the plan's memory and processor. */
export function makeMachine({ memory, cpu }: BootPlan, options: MachineWishes): GuestMachine {
  const { profile, serial, debug, startTime, seed, paravirtClock } = options;
  return new Machine({
    memory,
    cpu,
    serial,
    ...(profile !== undefined && { profile }),
    ...(debug !== undefined && { debug }),
    ...(startTime !== undefined && { startTime }),
    ...(seed !== undefined && { seed }),
    ...(paravirtClock !== undefined && { paravirtClock }),
  });
}
