/**
 * How fast the machine runs with the compiler of hot code or without it; a
 * script, so that each measurement has a process of its own:
 *
 * ```text
 * deno run -P=tools tests/bench/interpreter.ts KERNEL yes|no
 * ```
 *
 * Two runs: the first instructions of a kernel that unpacks itself, which are few
 * loops; and a kernel that we unpack, without self tests, up to its first
 * process: much code that runs seldom. It prints {@link Speeds} as JSON.
 *
 * @module
 */

import { boot, type BootOptions } from "../../core/boot/guest.ts";
import { makeMachine } from "../../core/boot/make_machine.ts";
import { Machine } from "../../emu/machine.ts";

/** How fast a part was. */
export interface Speed {
  /** Instructions retired. */
  readonly instructions: number;
  /** Seconds that they took. */
  readonly seconds: number;
}

/** All parts by name. */
export type Speeds = Readonly<Record<string, Speed>>;

/** Instructions of the unpacking that are run. */
const some = 300_000_000;

async function main([kernel = "", compiles]: readonly string[]): Promise<void> {
  const bytes = Deno.readFileSync(kernel);
  const measure = async (
    options: BootOptions,
    limits: { instructions: number; until?: RegExp },
  ) => {
    const guest = await boot(bytes, {
      ...options,
      machine(plan, wishes) {
        const machine = makeMachine(plan, wishes);
        if (!(machine instanceof Machine)) throw new TypeError("this machine has no engine");
        machine.engine.compiles = compiles === "yes";
        return machine;
      },
    });
    const start = performance.now();
    const outcome = guest.run(limits);
    const seconds = (performance.now() - start) / 1000;
    const isWhole = limits.until === undefined || outcome.kind === "matched";
    if (!isWhole) throw new Error(`the kernel came to another end: ${outcome.kind}`);
    return { instructions: guest.machine.instructions, seconds };
  };
  const speeds: Speeds = {
    "its first 300 million, unpacking": await measure({}, { instructions: some }),
    "unpacked, to its init": await measure(
      { entry: "direct", commandLine: "console=ttyS0 cryptomgr.notests" },
      { instructions: Infinity, until: /userspace reached/ },
    ),
  };
  console.log(JSON.stringify(speeds));
}

if (import.meta.main) await main(Deno.args);
