import assert from "node:assert/strict";
import { Assembler, at, mem } from "./cpu/assemble.ts";
import { Machine } from "./machine.ts";

/** A machine about to run 16-bit code at 0x1000 in segments at some address. */
function realMode(write: (a: Assembler) => void, memory: number, base = 0): Machine {
  const a = new Assembler({ mode: 16, origin: 0x1000 });
  write(a);
  const machine = new Machine({ memory });
  const { cpu } = machine;
  machine.memory.write(base + 0x1000, a.finish());
  for (const segment of cpu.segments.slice(0, 6)) Object.assign(segment, { base, limit: 0xffff });
  cpu.rip = 0x1000;
  cpu.refresh();
  return machine;
}

Deno.test("a machine of 3 GiB runs at the upper end of its memory", () => {
  const base = 0xbfff_0000;
  const machine = realMode(
    (a) => {
      a.emit("inc", mem({ disp: 0xfffe, size: 16 }));
      a.emit("hlt");
    },
    0xc000_0000,
    base,
  );
  assert.deepEqual(machine.run({ instructions: 10 }), { kind: "idle", forEver: true });
  const word = new Uint8Array(2);
  machine.memory.read(base + 0xfffe, word);
  assert.deepEqual([...word], [1, 0]);
});

/** Sets the interval timer far, then near, and counts until it goes off. */
function counts(a: Assembler): void {
  const out = (port: number, ...values: readonly number[]) => {
    for (const value of values) a.emit("mov", "al", value).emit("out", port, "al");
  };
  a.emit("mov", "sp", 0x8000);
  a.emit("mov", mem({ disp: 4 * 8, size: 16 }), at("handler"));
  out(0x20, 0x11); // the interrupt controller: vectors from 8 on, only the timer
  out(0x21, 8, 4, 1, 0xfe);
  out(0x43, 0x34); // every 65,536 ticks
  out(0x40, 0, 0);
  out(0x43, 0x30); // once, a tick after 99
  out(0x40, 99, 0);
  a.emit("sti");
  a.label("again").emit("inc", "bx").emit("jmp", at("again"));
  a.label("handler").emit("hlt");
}

Deno.test("a timer that is set nearer goes off at its instruction, in one run or in many", () => {
  const ends = [Infinity, 1000, 37].map((slice) => {
    const machine = realMode(counts, 0x10_0000);
    for (;;) {
      const { kind } = machine.run({ instructions: slice });
      if (kind === "idle") return [machine.instructions, machine.now, machine.stateHash()];
      assert.equal(kind, "limit");
    }
  });
  assert.deepEqual(ends[1], ends[0]);
  assert.deepEqual(ends[2], ends[0]);
  // A hundred ticks of 1,193,182 a second, in nanoseconds.
  const passed = Number(ends[0]?.[1]);
  assert.ok(passed > 83_810 && passed < 83_950, `${passed} ns`);
});
