import assert from "node:assert/strict";
import { flatMachine } from "../../../testdata/flat_machine.ts";
import { Assembler, type AssemblyOperand, at as labelled, mem } from "../assemble.ts";
import { evaluateOnProcessor } from "../evaluate_processor.ts";
import type { Fault } from "../processor.ts";
import { cr4Bits, eflag, vectors } from "../processor.ts";
import { systemSemanticsOf } from "../system/mod.ts";

const start = 0x1000;
type Line = readonly [string, ...AssemblyOperand[]];

/** A debug trap, as its handler would find things. */
interface Trap {
  /** Instructions that have retired since the start. */
  readonly retired: number;
  /** Bits 0 to 3 and 13 to 15 of DR6, which the handler clears. */
  readonly met: number;
  /** Number of the line that RIP is on. */
  readonly line: number;
  readonly ecx: number;
  readonly rf: boolean;
}

/** Runs lines of code; exceptions are noted, and execution goes on where it was, with RF set. */
function debug(
  lines: readonly Line[],
  { seven = 0, registers = [], flags = 0, mode = 32, cr4 = 0, most = 30, resume = true }: {
    seven?: number;
    registers?: readonly number[];
    flags?: number;
    mode?: 32 | 64;
    cr4?: number;
    most?: number;
    resume?: boolean;
  },
) {
  const found: (Trap | string)[] = [];
  let retired = 0;
  const machine = flatMachine(0x10_0000, {
    system: systemSemanticsOf,
    evaluate: evaluateOnProcessor,
    deliver: (fault: Fault) => {
      if (fault.vector !== vectors.DB) {
        found.push(`exception ${fault.vector}`);
        machine.cpu.halted = true;
        return;
      }
      const { cpu, engine } = machine;
      found.push({
        ...{ retired: retired + engine.retired, met: Number((cpu.debug[6] ?? 0n) & 0xe00fn) },
        ...{ line: addresses.indexOf(cpu.rip), ecx: cpu.low(1) },
        rf: (cpu.eflags & eflag.RF) !== 0,
      });
      cpu.debug[6] = 0xffff_0ff0n;
      cpu.shadow = 0;
      if (!resume) cpu.halted = true;
      // As IRET loads it.
      cpu.eflags |= eflag.RF;
    },
  });
  const { cpu, engine, ram, mmu, reset } = machine;
  const addresses: number[] = [];
  const a = new Assembler({ mode, origin: start });
  for (const [n, [name, ...operands]] of lines.entries()) {
    a.label(`${n}`).emit(name, ...operands);
  }
  a.emit("hlt");
  const code = a.finish();
  for (const n of lines.keys()) addresses.push(a.address(`${n}`));
  ram.set(code, start);
  mmu.written(start, code.length);
  reset(mode);
  cpu.cpl = 0;
  for (const segment of cpu.segments) segment.attributes &= ~0x60;
  cpu.cr4 = cr4;
  cpu.refresh();
  cpu.registers.fill(0n);
  cpu.setAddress(4, 0x8000, 32);
  cpu.eflags = flags;
  registers.forEach((value, n) => cpu.debug[n] = BigInt(value));
  cpu.debug[7] = BigInt(seven) | 0x400n;
  cpu.rip = start;
  while (retired < most && !cpu.halted) {
    engine.run(most - retired);
    retired += engine.retired;
  }
  return { found, cpu, ram, retired, at: addresses };
}

/** Where the lines stand, before their addresses are wanted in registers. */
const addressesOf = (lines: readonly Line[]) => debug(lines, { most: 0 }).at;
const met = (found: readonly (Trap | string)[]) =>
  found.map((one) => typeof one === "string" ? one : [one.met, one.line]);

/** DR7 for a breakpoint: its number, what it is on, its length, enabled locally. */
const enable = (n: number, rw: number, bytes: 1 | 2 | 4 | 8 = 1) =>
  1 << 2 * n | (rw | { 1: 0, 2: 4, 4: 12, 8: 8 }[bytes]) << 16 + 4 * n;

Deno.test("an instruction breakpoint strikes before its instruction, once, with RF as it was, and then RF lets it through", () => {
  const lines: Line[] = [["inc", "eax"], ["inc", "ebx"], ["inc", "ecx"], ["inc", "edx"]];
  const at = addressesOf(lines);
  const { found, cpu, retired } = debug(lines, {
    registers: [at[1] ?? 0, at[3] ?? 0],
    seven: enable(0, 0) | enable(1, 0) << 1,
  });
  assert.deepEqual(found, [
    { retired: 1, met: 1, line: 1, ecx: 0, rf: false },
    { retired: 3, met: 2, line: 3, ecx: 1, rf: false },
  ]);
  assert.deepEqual([0, 1, 2, 3].map((n) => cpu.low(n)), [1, 1, 1, 1]);
  assert.equal(retired, 5);
});

Deno.test("RF is good for one instruction: in a loop the breakpoint strikes each time round", () => {
  const lines: Line[] = [["mov", "ecx", 3], ["inc", "eax"], ["dec", "ecx"]];
  const at = addressesOf(lines);
  const { found } = debug([...lines, ["jnz", labelled("1")]], {
    registers: [at[1] ?? 0],
    seven: enable(0, 0),
  });
  assert.deepEqual(met(found), [[1, 1], [1, 1], [1, 1]]);
});

Deno.test("instruction breakpoints that are disabled or elsewhere do nothing; two on one address are both told", () => {
  const lines: Line[] = [["inc", "eax"], ["inc", "ebx"]];
  const [, second = 0] = addressesOf(lines);
  assert.deepEqual(debug(lines, { registers: [second], seven: 0 }).found, []);
  const two = { registers: [second, second + 0x100, second], seven: 0x15 };
  assert.deepEqual(met(debug(lines, two).found), [[5, 1]]);
});

Deno.test("a data breakpoint on writes traps behind the instruction that writes, not behind one that reads", () => {
  const there = mem({ disp: 0x2000, size: 32 });
  const lines: Line[] = [
    ["mov", "eax", there],
    ["mov", there, 5],
    ["inc", there],
    ["push", there],
    ["nop"],
  ];
  const { found, ram } = debug(lines, { registers: [0, 0x2000], seven: enable(1, 1, 4) });
  assert.deepEqual(found, [
    { retired: 2, met: 2, line: 2, ecx: 0, rf: false },
    { retired: 3, met: 2, line: 3, ecx: 0, rf: false },
  ]);
  assert.equal(ram[0x2000], 6);
});

Deno.test("a data breakpoint on reads and writes traps behind both, stacks and strings as well", () => {
  const there = mem({ disp: 0x2000, size: 32 });
  const lines: Line[] = [
    ["mov", "eax", there],
    ["mov", there, "eax"],
    ["mov", "esp", 0x2004],
    ["push", "eax"],
    ["pop", "ebx"],
    ["mov", "edi", 0x2000],
    ["stosb"],
    ["mov", "esi", 0x2002],
    ["lodsw"],
  ];
  const { found } = debug(lines, { registers: [0x2000], seven: enable(0, 3, 4) });
  assert.deepEqual(met(found), [[1, 1], [1, 2], [1, 4], [1, 5], [1, 7], [1, -1]]);
});

Deno.test("lengths of 1, 2, 4 and 8 bytes are aligned and met by any byte that is touched", () => {
  const strikes = (bytes: 1 | 2 | 4 | 8, place: number, at: number, size: 8 | 16 | 32) => {
    const lines: Line[] = [["mov", mem({ disp: at, size }), 1], ["nop"]];
    const { found } = debug(lines, { registers: [place], seven: enable(0, 1, bytes), mode: 64 });
    return found.length === 1;
  };
  assert.equal(strikes(1, 0x2001, 0x2001, 8), true);
  assert.equal(strikes(1, 0x2001, 0x2000, 8), false);
  assert.equal(strikes(1, 0x2001, 0x2000, 16), true);
  // Bit 0 of the address does not count for two bytes.
  assert.equal(strikes(2, 0x2003, 0x2002, 8), true);
  assert.equal(strikes(2, 0x2003, 0x2004, 8), false);
  assert.equal(strikes(4, 0x2004, 0x2001, 32), true);
  assert.equal(strikes(4, 0x2004, 0x2000, 32), false);
  assert.equal(strikes(8, 0x2008, 0x200f, 8), true);
  assert.equal(strikes(8, 0x2008, 0x2010, 8), false);
});

Deno.test("a data breakpoint amid a repeated string traps behind the element, with RF, and the rest follows", () => {
  const lines: Line[] = [["mov", "ecx", 4], ["mov", "edi", 0x2000], ["rep stosd"], ["nop"]];
  const { found, ram, retired } = debug(lines, { registers: [0x2008], seven: enable(0, 1, 4) });
  assert.deepEqual(found, [{ retired: 2, met: 1, line: 2, ecx: 1, rf: true }]);
  assert.equal(retired, 5);
  assert.equal(ram[0x200c], 0);
});

Deno.test("an instruction that faults tells of no data breakpoint", () => {
  const lines: Line[] = [["mov", "esi", 0x2000], ["div", mem({ base: "esi", size: 8 })]];
  const { found } = debug(lines, { registers: [0x2000], seven: enable(0, 3, 4) });
  assert.deepEqual(found, ["exception 0"]);
});

Deno.test("breakpoints on ports need CR4.DE, and trap behind IN and OUT of any byte", () => {
  const lines: Line[] = [
    ["in", "al", 0x70],
    ["out", 0x71, "al"],
    ["mov", "edx", 0x6f],
    ["in", "ax", "dx"],
    ["nop"],
  ];
  const ports = { registers: [0x70], seven: enable(0, 2, 1) };
  assert.deepEqual(met(debug(lines, ports).found), []);
  assert.deepEqual(met(debug(lines, { ...ports, cr4: cr4Bits.DE }).found), [[1, 1], [1, 4]]);
});

Deno.test("a single step traps behind each instruction, with a data breakpoint at once", () => {
  const there = mem({ disp: 0x2000, size: 32 });
  const lines: Line[] = [["inc", "eax"], ["mov", there, "eax"], ["nop"]];
  const options = { registers: [0x2000], seven: enable(0, 1, 4), flags: eflag.TF };
  assert.deepEqual(met(debug(lines, options).found), [
    ...[[0x4000, 1], [0x4001, 2], [0x4000, -1], [0x4000, -1]],
  ]);
});

Deno.test("POPF that sets TF is not trapped, what follows is; POPF that clears it still is", () => {
  const lines: Line[] = [
    ["push", 0x102],
    ["popfd"],
    ["inc", "eax"],
    ["push", 2],
    ["popfd"],
    ["inc", "eax"],
  ];
  assert.deepEqual(met(debug(lines, {}).found), [[0x4000, 3], [0x4000, 4], [0x4000, 5]]);
});

Deno.test("a traced repeated string traps behind every element", () => {
  const lines: Line[] = [["mov", "edi", 0x2000], ["rep stosb"], ["nop"]];
  const { found, retired } = debug([["mov", "ecx", 3], ...lines], { flags: eflag.TF });
  assert.deepEqual(
    found.map((one) => typeof one === "string" ? one : [one.line, one.ecx, one.rf]),
    [[1, 3, false], [2, 3, false], [2, 2, true], [2, 1, true], [3, 0, false], [-1, 0, false], [
      ...[-1, 0, false],
    ]],
  );
  assert.equal(retired, 5);
});

Deno.test("no debug exception comes between MOV SS and what follows it: trace, instruction, data", () => {
  const lines: Line[] = [
    ["mov", "ss", mem({ disp: 0x2000 })],
    ["mov", "esp", 0x8000],
    ["nop"],
  ];
  const at = addressesOf(lines);
  // Selector 0 is #GP at level 0 in 32-bit code, but not in 64-bit code.
  const common = { mode: 64 } as const;
  assert.deepEqual(met(debug(lines, { ...common, flags: eflag.TF }).found).slice(0, 2), [
    ...[[0x4000, 2], [0x4000, -1]],
  ]);
  const code = { ...common, registers: [at[1] ?? 0], seven: enable(0, 0) };
  assert.deepEqual(met(debug(lines, code).found), []);
  const data = { ...common, registers: [0x2000], seven: enable(0, 3, 2) };
  assert.deepEqual(met(debug(lines, data).found), [[1, 2]]);
});

Deno.test("STI keeps interrupts out for an instruction, but not traps", () => {
  const lines: Line[] = [["sti"], ["nop"], ["nop"]];
  assert.deepEqual(met(debug(lines, { flags: eflag.TF }).found).slice(0, 2), [
    ...[[0x4000, 1], [0x4000, 2]],
  ]);
});

Deno.test("DR7.GD tells of whoever touches a debug register, and is cleared for the handler", () => {
  for (const line of [["mov", "eax", "dr3"], ["mov", "dr6", "eax"]] as const) {
    const { found, cpu } = debug([["nop"], line, ["nop"]], { seven: 0x2000, resume: false });
    assert.deepEqual(found, [{ retired: 1, met: 0x2000, line: 1, ecx: 0, rf: true }]);
    assert.equal(cpu.debug[7], 0x400n);
    // Afterwards it can.
    assert.equal(debug([["nop"], line, ["nop"]], { seven: 0x2000 }).retired, 4);
  }
});

Deno.test("breakpoints are taken off while code runs compiled and interpreted, and none is met then", () => {
  const there = mem({ disp: 0x2000, size: 32 });
  const lines: Line[] = [["mov", there, 1], ["mov", "eax", 0x400], ["mov", "dr7", "eax"]];
  const { found } = debug([...lines, ["mov", there, 2]], {
    registers: [0x2000],
    seven: enable(0, 1, 4),
  });
  assert.deepEqual(met(found), [[1, 1]]);
});
