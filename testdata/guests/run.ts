/**
 * Runs guests on a machine of ours.
 *
 * @module
 */

import { Machine, type MachineOptions, type Stop } from "../../emu/machine.ts";
import type { Guest } from "./kit.ts";

/** What came of a run. */
export interface GuestRun {
  /** What the debug console was given. */
  readonly debug: string;
  /** What the serial port was given. */
  readonly serial: string;
  /** How it ended. */
  readonly stop: Stop;
  /** The machine as it then is. */
  readonly machine: Machine;
}

/** A machine with a guest in it, at its entry; text goes to `debug` and `serial`. */
export function guestMachine(
  guest: Guest,
  options: Partial<MachineOptions> = {},
): { readonly machine: Machine; readonly debug: () => string; readonly serial: () => string } {
  const texts = { debug: "", serial: "" };
  const to = (name: keyof typeof texts) => (bytes: Uint8Array) => {
    texts[name] += String.fromCharCode(...bytes);
  };
  const machine = new Machine({
    memory: guest.memory,
    debug: to("debug"),
    serial: to("serial"),
    ...options,
  });
  for (const { address, bytes } of guest.load) machine.memory.write(address, bytes);
  const { cpu } = machine;
  const { eax, ebx, esp, eip } = guest.entry;
  for (let n = 0; n < 16; n++) cpu.setAddress(n, { 0: eax, 3: ebx, 4: esp }[n] ?? 0, 64);
  const [es, cs, ss, ds, fs, gs] = cpu.segments;
  for (const segment of [es, ss, ds, fs, gs]) {
    Object.assign(segment, { selector: 0x10, base: 0, limit: 0xffffffff, attributes: 0xc093 });
  }
  Object.assign(cs, { selector: 0x08, base: 0, limit: 0xffffffff, attributes: 0xc09b });
  cpu.cr0 = 0x11;
  cpu.rip = eip;
  cpu.cpl = 0;
  cpu.refresh();
  const utf8 = (text: string) =>
    new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  return { machine, debug: () => utf8(texts.debug), serial: () => utf8(texts.serial) };
}

/** Runs a guest until it ends, at most so many instructions. */
export function runGuest(
  guest: Guest,
  instructions = 20_000_000,
  options: Partial<MachineOptions> = {},
): GuestRun {
  const { machine, debug, serial } = guestMachine(guest, options);
  const stop = machine.run({ instructions });
  return { debug: debug(), serial: serial(), stop, machine };
}
