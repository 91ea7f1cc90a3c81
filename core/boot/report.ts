/**
 * Why a boot failed: what the guest said last, which exceptions led there, where
 * the processor stands and what it holds.
 *
 * @module
 */

import { disassemble } from "../../emu/cpu/disassemble.ts";
import { showEvent } from "./events.ts";
import type { Guest } from "./guest.ts";
import type { Outcome } from "./outcome.ts";
import { peek, peekSome, walkPages } from "./peek.ts";
import type { KernelSymbols } from "./symbols.ts";

/** Lines of the console in a report. */
const CONSOLE_LINES = 8;
const INSTRUCTIONS = 6;
/** Words of the stack that are looked through for return addresses. */
const STACK_WORDS = 256;
const CALLERS = 8;

const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/**
 * The report of a run that went wrong, a line each.
 *
 * @param outcome How it ended.
 */
export async function failureReport(guest: Guest, outcome: Outcome): Promise<readonly string[]> {
  const { machine, console, registers } = guest;
  const { cpu } = machine;
  const symbols = await guest.symbols();
  symbols?.findSlide(cpu);
  const named = (address: number) => symbols?.nameOf(address) && symbols.show(address);
  const show = (address: number) => {
    const name = named(address);
    return name === undefined ? hex(address) : `${hex(address)} ${name}`;
  };
  const at = cpu.mode === 64 ? cpu.rip : cpu.segments[1].base + cpu.rip >>> 0;
  const lines: string[] = [];
  const section = (title: string, body: readonly string[]) => {
    if (body.length > 0) lines.push(`${title}:`, ...body.map((line) => `  ${line}`));
  };
  const said = console.tail(CONSOLE_LINES).filter((line) => line.trim() !== "");
  section("Last on the console", said.length > 0 ? said : ["nothing at all"]);
  const events = guest.exceptions;
  section(
    outcome.kind === "triple-fault" ? "Exceptions that led there" : "Last exceptions",
    events.slice(-5).map((event) => `${event.instructions} ${showEvent(event, show)}`),
  );
  const code: string[] = [];
  let address = at;
  for (let i = 0; i < INSTRUCTIONS; i++) {
    const bytes = peekSome(machine, address, 15);
    if (bytes.length === 0) {
      code.push(`${hex(address)}  not mapped`);
      break;
    }
    const { text, length } = disassemble(bytes, {
      mode: cpu.mode,
      address: BigInt.asUintN(64, BigInt(address)),
      symbol: (a) => named(Number(cpu.mode === 64 ? BigInt.asIntN(64, a) : a)),
    });
    const raw = [...bytes.subarray(0, length)].map((byte) => byte.toString(16).padStart(2, "0"));
    code.push(`${show(address)}  ${raw.join(" ")}  ${text}`);
    address += length;
  }
  section(`Code, ${cpu.mode} bits, level ${cpu.cpl}`, code);
  const digits = cpu.mode === 64 ? 16 : 8;
  const names = Object.entries(registers)
    .filter(([name]) => cpu.mode === 64 || !/^r\d/.test(name));
  const cells = names.map(([name, value]) =>
    `${name.padEnd(6)} ${value.toString(16).padStart(digits, "0")}`
  );
  const rows: string[] = [];
  for (let i = 0; i < cells.length; i += 4) rows.push(cells.slice(i, i + 4).join("  "));
  section("Registers", rows);
  const fault = events.findLast(({ address }) => address !== undefined)?.address;
  if (fault !== undefined && outcome.kind === "triple-fault") {
    const { steps, physical } = walkPages(machine, fault);
    section(`Page tables for ${hex(fault)}`, [
      ...steps.map(({ table, at, entry }) => `${table.padEnd(4)} at ${hex(at)}: ${hex(entry)}`),
      physical === undefined ? "not there" : `physical ${hex(physical)}`,
    ]);
  }
  section("Return addresses on the stack", callers(guest, symbols));
  return lines;
}

/** Names of functions that the stack may lead back to. */
function callers(guest: Guest, symbols: KernelSymbols | undefined): string[] {
  const { machine, registers } = guest;
  const { cpu } = machine;
  const width = cpu.mode === 64 ? 8 : 4;
  const base = cpu.mode === 64 ? 0 : cpu.segments[2].base;
  const top = base + Number(BigInt.asIntN(64, registers["rsp"] ?? 0n));
  const found: string[] = [];
  for (let i = 0; symbols !== undefined && i < STACK_WORDS && found.length < CALLERS; i++) {
    const bytes = peek(machine, top + i * width, width);
    if (bytes === undefined) break;
    const view = new DataView(bytes.buffer);
    const value = width === 8 ? Number(view.getBigInt64(0, true)) : view.getUint32(0, true);
    const name = symbols.nameOf(value);
    // A return address is behind a call, hence never at a function's start.
    if (name === undefined || !name.isCode || name.offset === 0) continue;
    const shown = symbols.show(value);
    if (found.at(-1) !== shown) found.push(shown);
  }
  return found;
}
