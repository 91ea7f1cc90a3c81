/**
 * The debug exit: a port through which a guest ends the run with a code.
 *
 * Writing v ends with (v << 1) | 1, so that no guest can claim a success it did
 * not have. Ports 0x501 and 0xf4 are the usual ones.
 *
 * Source: QEMU, docs/specs ("isa-debug-exit"), whose exit codes these are.
 *
 * @module
 */

import type { Bus, Device } from "../bus.ts";
import type { State } from "../state.ts";

/** How the port is made. */
export interface DebugExitOptions {
  /** The port. */
  readonly port: number;
  /** Is given the exit code: odd, 1 to 511 for a byte. */
  readonly exit: (code: number) => void;
}

/** The port. It remembers nothing. */
export class DebugExit implements Device {
  /** Its name. */
  readonly name: string;
  /** Nothing. */
  readonly registers: State = {};

  /** The port. */
  constructor(bus: Bus, { port, exit }: DebugExitOptions) {
    this.name = `debug_exit_${port.toString(16)}`;
    bus.addPorts({
      first: port,
      size: 1,
      read: () => 0,
      write: (_, value) => exit(value * 2 + 1),
    });
  }

  /** Nothing to do. */
  reset(): void {}
}
