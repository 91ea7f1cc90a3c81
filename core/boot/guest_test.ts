import assert from "node:assert/strict";
import { type FakeMachine, fakeMachine } from "../../testdata/fake_machine.ts";
import { tiny, tinyGuest } from "../../testdata/tiny_guest.ts";
import { boot, type BootOptions } from "./guest.ts";

const start = (code: readonly number[], options: BootOptions = {}) =>
  boot(tinyGuest(code), { memory: 16 << 20, builtinInit: false, ...options });

Deno.test("a guest says what it says, and leaves with its code", async () => {
  const pieces: string[] = [];
  const guest = await start([...tiny.says("Hi\n"), ...tiny.exits(3)], {
    output: (bytes) => pieces.push(new TextDecoder().decode(bytes)),
  });
  assert.equal(guest.text, "");
  assert.deepEqual(guest.run(), { kind: "exit", code: 7 });
  assert.equal(guest.text, "Hi\n");
  assert.equal(pieces.join(""), "Hi\n");
  assert.equal(guest.read(), "Hi\n");
  assert.equal(guest.read(), "", "once is enough");
});

Deno.test("a guest ends by halting, by faulting, or at a limit", async () => {
  const outcome = async (code: readonly number[]) =>
    (await start(code)).run({ instructions: 10_000 });
  assert.deepEqual(await outcome(tiny.halts()), { kind: "halted", clean: false });
  assert.deepEqual(await outcome(tiny.faults()), { kind: "triple-fault" });
  assert.deepEqual(await outcome(tiny.loops()), { kind: "limit", of: "instructions" });
});

Deno.test("what is typed comes to the guest, and what it says back is waited for", async () => {
  const guest = await start([...tiny.says("> "), ...tiny.echoes(), ...tiny.exits(0)]);
  assert.equal(guest.run({ until: /> $/ }).kind, "matched");
  guest.type("hello");
  assert.deepEqual(guest.run({ until: /h.*o/ }), { kind: "matched", text: "hello" });
  guest.type(Uint8Array.of(0));
  assert.deepEqual(guest.run({ time: 1e9 }), { kind: "exit", code: 1 });
});

Deno.test("more is typed than the line holds at a time, and all of it comes", async () => {
  let fake: FakeMachine | undefined;
  const guest = await start([], {
    machine: (_, { serial }) =>
      fake = fakeMachine([{ runs: 5e6 }, { stops: { kind: "off" } }], { serial, line: 3 }),
  });
  guest.type("hello, ");
  guest.type("world");
  assert.equal(fake?.typed, "hel");
  guest.run();
  assert.equal(fake?.typed, "hello, world");
});

Deno.test("a guest is stopped before an instruction, and goes on by steps", async () => {
  const guest = await start([...tiny.says("AB"), ...tiny.exits(0)]);
  const entry = guest.plan.state.rip;
  assert.equal(guest.registers["rip"], BigInt(entry));
  // Behind two bytes of mov al and one of out, twice.
  const address = entry + 10 + 3;
  assert.deepEqual(guest.run({ address, instructions: 1000 }), { kind: "address", address });
  assert.equal(guest.text, "A");
  assert.equal(guest.step(), undefined);
  assert.equal((guest.registers["rax"] ?? 0n) & 0xffn, BigInt("B".charCodeAt(0)));
  assert.deepEqual(guest.step(10), { kind: "exit", code: 1 });
});

Deno.test("registers and memory are there to be read", async () => {
  const guest = await start(tiny.loops(), { commandLine: "a=b" });
  const { registers } = guest;
  assert.equal(registers["rsi"], 0x10000n);
  assert.equal(registers["cr0"], 0x11n);
  const header = new TextDecoder().decode(guest.memory(0x10202, 4));
  assert.equal(header, "HdrS");
  assert.deepEqual(guest.linearMemory(0x10202, 4), guest.memory(0x10202, 4));
  assert.equal(new TextDecoder().decode(guest.memory(0x20000, 4)), "a=b\0");
});

Deno.test("a kernel without symbols has none to run to", async () => {
  const guest = await start(tiny.loops());
  assert.equal(await guest.symbols(), undefined);
  await assert.rejects(guest.runTo("start_kernel"), /no symbol "start_kernel"/);
});

Deno.test("two guests of one image are the same guest", async () => {
  const run = async () => {
    const guest = await start([...tiny.says("same"), ...tiny.loops()]);
    guest.run({ instructions: 12_345 });
    return guest.machine.stateHash();
  };
  assert.equal(await run(), await run());
});
