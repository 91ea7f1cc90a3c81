/**
 * The real machine for a plan.
 *
 * @module
 */

import { Bios } from "../../emu/firmware/bios.ts";
import { Machine } from "../../emu/machine.ts";
import type { MachineWishes } from "./guest.ts";
import type { GuestMachine } from "./machine.ts";
import type { BootPlan } from "./plan.ts";

/** Makes a machine with the plan's memory and processor, and a BIOS where one is called. */
export function makeMachine(plan: BootPlan, options: MachineWishes): GuestMachine {
  const { memory, cpu } = plan;
  const { profile, serial, debug, startTime, seed, paravirtClock } = options;
  const machine = new Machine({
    memory,
    cpu,
    serial,
    ...(profile !== undefined && { profile }),
    ...(debug !== undefined && { debug }),
    ...(startTime !== undefined && { startTime }),
    ...(seed !== undefined && { seed }),
    ...(paravirtClock !== undefined && { paravirtClock }),
  });
  if (plan.needsBios) {
    new Bios({
      cpu: machine.cpu,
      bus: machine.board.bus,
      memory: machine.memory,
      map: plan.zeroPage.memoryMap.map(({ addr, size, type }) => ({
        base: Number(addr),
        size: Number(size),
        type,
      })),
    }).install();
  }
  return machine;
}
