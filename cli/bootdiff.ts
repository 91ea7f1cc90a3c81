#!/usr/bin/env -S deno run --allow-read --allow-write
/**
 * The program `bootdiff`: compares kernel images.
 *
 * @module
 */

import { bootdiff } from "./program.ts";
import { runProgram } from "./ui/main.ts";
import { DenoTerminal } from "./ui/terminal.ts";

if (import.meta.main) {
  Deno.exit(await runProgram(bootdiff, Deno.args, new DenoTerminal()));
}
