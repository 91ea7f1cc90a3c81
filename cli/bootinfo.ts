#!/usr/bin/env -S deno run --allow-read --allow-write
/**
 * The program `bootinfo`: opens kernel images.
 *
 * @module
 */

import { bootinfo } from "./program.ts";
import { runProgram } from "./ui/main.ts";
import { DenoTerminal } from "./ui/terminal.ts";

if (import.meta.main) {
  Deno.exit(await runProgram(bootinfo, Deno.args, new DenoTerminal()));
}
