import assert from "node:assert/strict";
import { at } from "./cpu/assemble.ts";
import { answers } from "../testdata/guests/answers.ts";
import {
  type Guest,
  type GuestEnd,
  manualGuests,
  witnessedGuests,
} from "../testdata/guests/guests.ts";
import { guest as makeGuest } from "../testdata/guests/kit.ts";
import { manualAnswers } from "../testdata/guests/manual.ts";
import { codeProber, memoryProber, portProber } from "../testdata/guests/probers.ts";
import { guestMachine, type GuestRun, runGuest } from "../testdata/guests/run.ts";

function checkEnd({ stop }: GuestRun, end: GuestEnd): void {
  switch (end.kind) {
    case "exit":
      return assert.deepEqual(stop, { kind: "exit", code: end.code });
    case "triple-fault":
      return assert.equal(stop.kind, "triple-fault");
    case "halted":
      return assert.deepEqual(stop, { kind: "idle", forEver: true });
    case "endless":
      return assert.equal(stop.kind, "limit");
    case "any":
      return;
  }
}

function check(guest: Guest, lines: readonly string[] | undefined): void {
  assert.ok(lines !== undefined, `no answer to ${guest.name}`);
  const run = runGuest(guest, 6_000_000);
  assert.deepEqual(run.debug.split("\n").slice(0, -1), lines);
  assert.equal(run.serial, run.debug);
  checkEnd(run, guest.end);
}

for (const guest of witnessedGuests()) {
  Deno.test(`the guest "${guest.name}" sees what it sees in QEMU: ${guest.what}`, () => {
    check(guest, answers[guest.name]);
  });
}

for (const guest of manualGuests()) {
  Deno.test(`the guest "${guest.name}" sees what the manual says: ${guest.what}`, () => {
    check(guest, manualAnswers[guest.name]);
  });
}

Deno.test("every answer is one of a guest that there is", () => {
  assert.deepEqual(Object.keys(answers), witnessedGuests().map(({ name }) => name));
  assert.deepEqual(Object.keys(manualAnswers), manualGuests().map(({ name }) => name));
});

Deno.test("two runs of a guest with timer interrupts end in the same state", () => {
  const guest = witnessedGuests().find(({ name }) => name === "flat");
  assert.ok(guest !== undefined);
  const hashes = [0, 1].map(() => {
    const { machine } = runGuest(guest, 6_000_000);
    return `${machine.instructions} ${machine.stateHash()}`;
  });
  assert.equal(hashes[0], hashes[1]);
});

Deno.test("guests that reprogram every device and write everywhere do not harm the host", () => {
  for (let seed = 1; seed <= 4; seed++) {
    for (const guest of [portProber(seed), portProber(seed, true), memoryProber(seed)]) {
      const { machine } = runGuest(guest, 500_000);
      assert.ok(machine.instructions > 0);
    }
  }
});

Deno.test("guests that run random bytes as code do not harm the host, and do the same twice", () => {
  for (let seed = 1; seed <= 8; seed++) {
    const run = () => {
      const { machine, stop } = runGuest(codeProber(seed), 200_000);
      assert.ok(machine.instructions > 100_000 || stop.kind !== "limit");
      return `${machine.instructions} ${stop.kind} ${machine.stateHash()}`;
    };
    assert.equal(run(), run());
  }
});

Deno.test("guests end in the same state after as many instructions, compiled and interpreted", () => {
  let compiled = 0;
  for (const guest of [...witnessedGuests(), ...manualGuests()]) {
    const run = (compiles: boolean) => {
      const { machine } = guestMachine(guest);
      machine.engine.compiles = compiles;
      machine.run({ instructions: 300_000 });
      compiled += machine.engine.regions.compiled;
      return `${machine.instructions} ${machine.stateHash()}`;
    };
    assert.equal(run(true), run(false), guest.name);
  }
  assert.ok(compiled > 4, `${compiled} regions`);
});

Deno.test("a device's write into compiled code holds from the next instruction on, in each of two pages", () => {
  const turns = 4000;
  const machine = guestMachine(makeGuest("device", "counts", { kind: "endless" }, ({ a }) => {
    // Two turns of loops in two pages: inc eax; jmp ...; inc ebx; jmp ...
    a.label("again").emit("inc", "eax").emit("jmp", at("over"));
    a.align(0x1000).label("over").emit("inc", "ebx").emit("jmp", at("again"));
  })).machine;
  const { cpu } = machine;
  const start = cpu.rip;
  machine.run({ instructions: 4 * turns });
  assert.ok(machine.engine.regions.compiled > 0);
  assert.deepEqual([cpu.low(0), cpu.low(3)], [0x2badb002 + turns, turns]);
  const second = start + 0x1000 & ~0xfff;
  // dec eax, then dec ebx
  machine.memory.write(start, Uint8Array.of(0x48));
  machine.run({ instructions: 4 * turns });
  assert.deepEqual([cpu.low(0), cpu.low(3)], [0x2badb002, 2 * turns]);
  machine.memory.write(second, Uint8Array.of(0x4b));
  machine.run({ instructions: 4 * turns });
  assert.deepEqual([cpu.low(0), cpu.low(3)], [0x2badb002 - turns, turns]);
});

Deno.test("guests do the same when all their code is thrown away again and again", () => {
  for (const guest of witnessedGuests()) {
    if (guest.end.kind !== "exit") continue;
    const { machine, debug } = guestMachine(guest);
    let stop = machine.run({ instructions: 20_000 });
    for (let n = 0; stop.kind === "limit" && n < 1000; n++) {
      machine.engine.cache.clear();
      stop = machine.run({ instructions: 20_000 });
    }
    assert.deepEqual(stop, { kind: "exit", code: guest.end.code }, guest.name);
    assert.deepEqual(debug().split("\n").slice(0, -1), answers[guest.name]);
  }
});
