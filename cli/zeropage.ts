#!/usr/bin/env -S deno run --allow-read --allow-write
/**
 * The program `zeropage`: all commands under one name.
 *
 * @module
 */

import { zeropage } from "./program.ts";
import { runProgram } from "./ui/main.ts";
import { DenoTerminal } from "./ui/terminal.ts";

if (import.meta.main) {
  Deno.exit(await runProgram(zeropage, Deno.args, new DenoTerminal()));
}
