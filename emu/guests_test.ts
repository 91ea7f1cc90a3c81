import assert from "node:assert/strict";
import { answers } from "../testdata/guests/answers.ts";
import {
  type Guest,
  type GuestEnd,
  manualGuests,
  witnessedGuests,
} from "../testdata/guests/guests.ts";
import { manualAnswers } from "../testdata/guests/manual.ts";
import { codeProber, memoryProber, portProber } from "../testdata/guests/probers.ts";
import { type GuestRun, runGuest } from "../testdata/guests/run.ts";

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
