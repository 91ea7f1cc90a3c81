#!/usr/bin/env -S deno run --allow-read --allow-write
/**
 * The program `bootrun`: boots kernel images.
 *
 * @module
 */

import { bootrun } from "./program.ts";
import { runProgram } from "./ui/main.ts";
import { DenoTerminal } from "./ui/terminal.ts";

if (import.meta.main) {
  Deno.exit(await runProgram(bootrun, Deno.args, new DenoTerminal()));
}
