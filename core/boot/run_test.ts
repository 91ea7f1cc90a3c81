import assert from "node:assert/strict";
import { type Act, fakeMachine } from "../../testdata/fake_machine.ts";
import { GuestConsole } from "./console.ts";
import { isSuccess, type Outcome, showOutcome } from "./outcome.ts";
import { Run, type RunLimits } from "./run.ts";

/** Plays a script to its end. */
function play(script: readonly Act[], limits: RunLimits = {}) {
  const console = new GuestConsole();
  const machine = fakeMachine(script, { serial: (bytes) => console.take(bytes) });
  const run = new Run(machine, console, limits);
  return { outcome: run.finish(), machine, run };
}

const ends: readonly (readonly [string, readonly Act[], RunLimits, Outcome])[] = [
  ["power off", [{ runs: 5e6 }, { stops: { kind: "off" } }], {}, { kind: "power-off" }],
  ["reset", [{ stops: { kind: "reset" } }], {}, { kind: "reset" }],
  ["debug exit", [{ stops: { kind: "exit", code: 7 } }], {}, { kind: "exit", code: 7 }],
  ["triple fault", [{ stops: { kind: "triple-fault" } }], {}, { kind: "triple-fault" }],
  [
    "triple fault to restart",
    [{ says: "[    1.0] reboot: Restarting system\r\n" }, { stops: { kind: "triple-fault" } }],
    {},
    { kind: "reset" },
  ],
  ["silent halt", [{ says: "x\n" }, { stops: { kind: "idle" } }], {}, {
    kind: "halted",
    clean: false,
  }],
  ["halt with a word", [{ says: "reboot: System halted\r\n" }, { stops: { kind: "idle" } }], {}, {
    kind: "halted",
    clean: true,
  }],
  ["limit of instructions", [], { instructions: 2_500_000 }, { kind: "limit", of: "instructions" }],
  ["limit of time", [{ sleeps: 3e9 }], { time: 1e9 }, { kind: "limit", of: "time" }],
  ["text", [{ runs: 10 }, { says: "a login: " }], { until: /login:/ }, {
    kind: "matched",
    text: "login:",
  }],
  [
    "panic",
    [
      { says: "Kernel panic - not syncing: VFS\n" },
      { runs: 3e6 },
      { says: "---[ end Kernel panic - not syncing: VFS ]---\n" },
    ],
    {},
    { kind: "panic", message: "VFS" },
  ],
  ["panic without a last word", [{ says: "Kernel panic - not syncing: X\n" }], {}, {
    kind: "panic",
    message: "X",
  }],
  [
    "panic that resets",
    [{ says: "Kernel panic - not syncing: X\n" }, { stops: { kind: "reset" } }],
    {},
    { kind: "panic", message: "X" },
  ],
  [
    "panic that is waited for",
    [{ says: "Kernel panic - not syncing: X\n" }],
    { until: /Kernel panic/ },
    { kind: "matched", text: "Kernel panic" },
  ],
];

for (const [name, script, limits, outcome] of ends) {
  Deno.test(`a run ends with: ${name}`, () => {
    assert.deepEqual(play(script, limits).outcome, outcome);
  });
}

Deno.test("a limit of instructions is kept to the instruction", () => {
  assert.equal(play([], { instructions: 2_345_678 }).machine.instructions, 2_345_678);
});

Deno.test("a run that waits for a text stops where it came, not at the slice's end", () => {
  const { machine } = play([{ runs: 10 }, { says: "ready" }], { until: /ready/ });
  assert.equal(machine.instructions, 11);
});

Deno.test("a guest that waits for input alone has not ended while somebody may type", () => {
  const console = new GuestConsole();
  const idle = { stops: { kind: "idle", forEver: false } } as const;
  const machine = fakeMachine([idle, { runs: 5 }, idle], {
    serial: (bytes) => console.take(bytes),
  });
  const run = new Run(machine, console);
  let somebody = true;
  run.mayType = () => somebody;
  assert.equal(run.slice(), undefined);
  assert.ok(run.isWaiting);
  somebody = false;
  assert.deepEqual(run.slice(), { kind: "halted", clean: false });
});

Deno.test("a run that has ended does not run on", () => {
  const { run, machine, outcome } = play([{ stops: { kind: "off" } }, { runs: 10 }]);
  assert.equal(run.slice(), outcome);
  assert.equal(machine.instructions, 0);
  assert.deepEqual(run.end("left"), outcome);
});

Deno.test("a second run goes on where the first one stopped", () => {
  const console = new GuestConsole();
  const machine = fakeMachine([{ says: "one two three" }, { runs: 50 }, { says: " two" }], {
    serial: (bytes) => console.take(bytes),
  });
  const run = (until: RegExp) => new Run(machine, console, { until }).finish();
  assert.deepEqual(run(/two/), { kind: "matched", text: "two" });
  assert.deepEqual(run(/two/), { kind: "matched", text: "two" });
  assert.equal(machine.instructions, 52);
});

Deno.test("a run succeeds where the guest did what was asked", () => {
  assert.ok(isSuccess({ kind: "power-off" }));
  assert.ok(isSuccess({ kind: "reset" }));
  assert.ok(isSuccess({ kind: "halted", clean: true }));
  assert.ok(isSuccess({ kind: "exit", code: 1 }));
  assert.ok(isSuccess({ kind: "matched", text: "x" }, { until: true }));
  const failures: Outcome[] = [
    { kind: "halted", clean: false },
    { kind: "exit", code: 3 },
    { kind: "triple-fault" },
    { kind: "panic", message: "x" },
    { kind: "limit", of: "time" },
    { kind: "interrupted" },
  ];
  for (const outcome of failures) assert.ok(!isSuccess(outcome), outcome.kind);
  assert.ok(!isSuccess({ kind: "power-off" }, { until: true }), "the text never came");
});

Deno.test("every outcome has words", () => {
  for (const [, , , outcome] of ends) assert.match(showOutcome(outcome), /^[^.]+[^.]$/);
  assert.equal(
    showOutcome({ kind: "address", address: -0x7f000000 }),
    "reached 0xffffffff81000000",
  );
});
