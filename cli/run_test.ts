import assert from "node:assert/strict";
import { fieldOf } from "../core/json.ts";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { type Act, type FakeMachine, fakeMachine } from "../testdata/fake_machine.ts";
import type { RunOptions } from "./program.ts";
import { type Host, run } from "./run.ts";
import type { Keyboard } from "./run/keyboard.ts";
import { CommandError } from "./ui/errors.ts";
import { MemoryTerminal } from "./ui/terminal.ts";

const image = bzImage({ header: { init_size: 0x40_0000 } });

interface Session {
  readonly options?: RunOptions;
  /** What is typed, and whether somebody sits there. */
  readonly keys?: string;
  readonly isTerminal?: boolean;
  readonly screen?: MemoryTerminal;
}

/** Boots the made image on a machine that plays a script. */
async function session(script: readonly Act[], wishes: Session = {}) {
  const { options = {}, keys = "", isTerminal = false } = wishes;
  const terminal = wishes.screen ?? new MemoryTerminal();
  let machine: FakeMachine | undefined;
  let clock = 0;
  let slept = 0;
  let isClosed = false;
  let typing = new TextEncoder().encode(keys);
  const keyboard: Keyboard = {
    isTerminal,
    get isOver() {
      return typing.length === 0 && !isTerminal;
    },
    read() {
      const typed = typing;
      typing = new Uint8Array();
      return typed;
    },
    wait: (ms) => void (slept += ms, clock += ms),
    close: () => void (isClosed = true),
  };
  const host: Host = {
    keyboard: () => keyboard,
    now: () => clock += 0.1,
    breathe: () => Promise.resolve(),
    machine: (_, { serial }) => machine = fakeMachine(script, { serial, memory: 64 << 20 }),
  };
  const read = () => Promise.resolve({ path: "bzImage", bytes: image });
  const code = await run(
    terminal,
    "bzImage",
    { memory: 64 << 20, ...options },
    read,
    host,
  );
  return {
    code,
    out: terminal.stdout,
    err: terminal.stderr,
    slept,
    isClosed,
    typed: machine?.typed ?? "",
  };
}

Deno.test("what the guest says is on standard output, byte for byte, and how it ended behind", async () => {
  const { code, out, err } = await session([
    { says: "Linux version 6.1\r\n" },
    { runs: 5_000_000 },
    { says: "bye\r\n" },
    { stops: { kind: "off" } },
  ]);
  assert.equal(code, 0);
  assert.equal(out, "Linux version 6.1\r\nbye\r\n");
  assert.match(
    err,
    /^bootrun: powered off, 5,000,002 instructions, 0\.005 s virtual, \S+ s real, \S+ MIPS\n$/,
  );
});

Deno.test("how the guest ended is the exit code", async () => {
  const code = async (script: readonly Act[], options: RunOptions = {}) =>
    (await session(script, { options })).code;
  assert.equal(await code([{ stops: { kind: "reset" } }]), 0);
  assert.equal(await code([{ stops: { kind: "exit", code: 1 } }]), 0);
  assert.equal(await code([{ stops: { kind: "exit", code: 3 } }]), 4);
  assert.equal(await code([{ stops: { kind: "triple-fault" } }]), 4);
  assert.equal(await code([{ stops: { kind: "idle" } }]), 4);
  assert.equal(await code([{ says: "Kernel panic - not syncing: VFS\n" }]), 4);
  assert.equal(await code([], { limitInstructions: 3_000_000 }), 4);
  assert.equal(await code([], { limitTime: 5_000_000 }), 4);
  assert.equal(await code([{ says: "login: " }], { until: /login:/ }), 0);
  assert.equal(await code([{ stops: { kind: "off" } }], { until: /login:/ }), 4);
});

Deno.test("a line that the guest left unfinished is finished before ours", async () => {
  const { err } = await session([{ says: "# " }], { options: { until: /# / } });
  assert.match(err, /^\nbootrun: printed "# "/);
});

Deno.test("--quiet says nothing of its own", async () => {
  const screen = new MemoryTerminal();
  screen.configure({ quiet: true });
  const { err, out } = await session([{ says: "x\n" }, { stops: { kind: "off" } }], { screen });
  assert.deepEqual([out, err], ["x\n", ""]);
});

Deno.test("--json is one document and nothing else on standard output", async () => {
  const { out, code } = await session([
    { says: "Linux\r\n" },
    { runs: 10 },
    { stops: { kind: "off" } },
  ], { options: { json: true } });
  assert.equal(code, 0);
  const document = JSON.parse(out);
  const value = (path: string) => fieldOf(document, path);
  assert.equal(value("schema"), 1);
  assert.equal(value("path"), "bzImage");
  assert.equal(value("entry.kind"), "64-bit");
  assert.equal(value("outcome.kind"), "power-off");
  assert.equal(value("outcome.success"), true);
  assert.equal(value("instructions"), 11);
  assert.equal(value("console"), "Linux\r\n");
  assert.equal(value("command_line"), "console=ttyS0");
  assert.deepEqual(Object.keys(document), [
    ...["schema", "kind", "path", "kernel_release", "platform", "loader", "entry", "cpu", "memory"],
    ...["command_line", "placements", "outcome", "instructions", "virtual_ns", "wall_ms", "mips"],
    ...["state_hash", "console"],
  ]);
});

Deno.test("what is typed is the guest's, and ^A x leaves with code 0", async () => {
  const { code, typed, err, isClosed } = await session([{ echoes: true }], {
    keys: "ls\r\x01\x01\x01x",
    isTerminal: true,
  });
  assert.equal(code, 0);
  assert.equal(typed, "ls\r\x01");
  assert.ok(isClosed, "the terminal is given back");
  assert.match(err, /\^A x leaves/);
  assert.match(err, /bootrun: left, /);
});

Deno.test("^A h helps", async () => {
  const { err } = await session([{ stops: { kind: "off" } }], { keys: "\x01h" });
  assert.doesNotMatch(err, /\^A/, "a pipe has no escape");
  const sitting = await session([{ runs: 500_000 }, { stops: { kind: "off" } }], {
    keys: "\x01h",
    isTerminal: true,
  });
  assert.match(sitting.err, /\^A x {2}leave/);
});

Deno.test("piped input is the guest's as it is, ^A too", async () => {
  const { typed, out } = await session(
    [{ runs: 10 }, { echoes: true }, { stops: { kind: "off" } }],
    {
      keys: "echo \x01x\n",
    },
  );
  assert.equal(typed, "echo \x01x\n");
  assert.equal(out, "echo \x01x\n");
});

Deno.test("a guest that sleeps takes its time where somebody sits, or where that is asked for", async () => {
  const script: Act[] = [{ runs: 200_000 }, { sleeps: 5e9 }, { runs: 10_000_000 }, {
    stops: { kind: "off" },
  }];
  assert.equal((await session(script)).slept, 0);
  for (const wishes of [{ options: { realtime: true as const } }, { isTerminal: true }]) {
    const { slept } = await session(script, wishes);
    assert.ok(slept > 4500 && slept < 5100, `${slept} ms`);
  }
});

Deno.test("while nothing is printed a line says what the guest is doing", async () => {
  const screen = new MemoryTerminal({ isTerminal: true });
  await session([{ runs: 1e10 }, { says: "Linux\n" }, { stops: { kind: "off" } }], { screen });
  assert.match(screen.stderr, /unpacking the kernel … \d+ million instructions/);
});

Deno.test("the terminal is given back when a device throws", async () => {
  let isClosed = false;
  const host: Host = {
    keyboard: () => ({
      isTerminal: true,
      isOver: false,
      read: () => new Uint8Array(),
      wait: () => {},
      close: () => void (isClosed = true),
    }),
    now: () => 0,
    breathe: () => Promise.resolve(),
    machine: () => ({
      ...fakeMachine([], { memory: 64 << 20 }),
      run() {
        throw new Error("a bug");
      },
    }),
  };
  const read = () => Promise.resolve({ path: "bzImage", bytes: image });
  const options = { memory: 64 << 20 };
  await assert.rejects(run(new MemoryTerminal(), "bzImage", options, read, host), /a bug/);
  assert.ok(isClosed);
});

Deno.test("the console may go to a file, and the keyboard is then nobody's", async () => {
  const path = await Deno.makeTempFile();
  const { out, typed } = await session([{ says: "Linux\n" }, { runs: 9 }, {
    stops: { kind: "off" },
  }], {
    options: { console: path },
    keys: "x",
  });
  assert.deepEqual([out, typed], ["", ""]);
  assert.equal(await Deno.readTextFile(path), "Linux\n");
  await Deno.remove(path);
});

Deno.test("a guest that fails is reported on standard error, one that ends well is not", async () => {
  const { err, out } = await session([{ says: "Linux\n" }, { stops: { kind: "triple-fault" } }]);
  assert.equal(out, "Linux\n");
  assert.match(err, /Last on the console:\n {2}Linux\n/);
  assert.match(err, /Registers:\n/);
  assert.match(err, /bootrun: triple fault, [^\n]*\n$/);
  const { err: well } = await session([{ says: "Linux\n" }, { stops: { kind: "off" } }]);
  assert.doesNotMatch(well, /Registers/);
});

Deno.test("--trace=instructions says each on standard error", async () => {
  const script: Act[] = [{ runs: 3 }, { stops: { kind: "off" } }];
  const { err } = await session(script, { options: { trace: "instructions" } });
  assert.match(err, /^ +0 0x1000200 {2}hlt\n +1 0x1000200 {2}hlt\n/);
});

Deno.test("--trace-to keeps the trace in a file, --trace-from begins it later", async () => {
  const script: Act[] = [{ runs: 3 }, { stops: { kind: "off" } }];
  const traceTo = await Deno.makeTempFile();
  const options = { trace: "instructions", traceFrom: "2", traceTo } as const;
  const { err } = await session(script, { options });
  assert.match(await Deno.readTextFile(traceTo), /^ +2 0x1000200 {2}hlt\n/);
  assert.doesNotMatch(err, /hlt/);
  await Deno.remove(traceTo);
});

Deno.test("a trace that cannot be is refused before the machine starts", async () => {
  const refused = (options: RunOptions) =>
    session([], { options }).then(() => "", (error: CommandError) => error.message);
  assert.equal(await refused({ traceTo: "x" }), "--trace-to needs --trace");
  assert.equal(await refused({ traceFrom: "10" }), "--trace-from needs --trace");
  assert.equal(
    await refused({ trace: true, traceFrom: "start_kernel" }),
    'the kernel has no symbols, so no "start_kernel"',
  );
  assert.match(
    await refused({ trace: true, traceTo: "/nonexistent/trace" }),
    /^\/nonexistent\/trace: cannot be written: /,
  );
});

Deno.test("--json has the report of a run that failed", async () => {
  const script: Act[] = [{ says: "BUG\n" }, { stops: { kind: "triple-fault" } }];
  const { out } = await session(script, { options: { json: true } });
  const document = JSON.parse(out);
  assert.equal(fieldOf(document, "failure.console[0]"), "BUG");
  assert.equal(fieldOf(document, "failure.cause[0]"), "The processor shut down.");
  assert.equal(fieldOf(document, "failure.at.address"), "0x1000200");
  const well = await session([{ stops: { kind: "off" } }], { options: { json: true } });
  assert.equal(fieldOf(JSON.parse(well.out), "failure"), undefined);
});

Deno.test("--timeline writes the form that its file's name asks for", async () => {
  const script: Act[] = [{ runs: 300_000 }, { stops: { kind: "off" } }];
  for (
    const [ending, start] of [["json", /^\{/], ["svg", /^<svg/], [
      "html",
      /^<!doctype html>/,
    ]] as const
  ) {
    const path = await Deno.makeTempFile({ suffix: `.${ending}` });
    await session(script, { options: { timeline: path } });
    const text = await Deno.readTextFile(path);
    assert.match(text, start);
    // The image has nothing compressed inside.
    assert.match(text, /program/);
    await Deno.remove(path);
  }
  await assert.rejects(session(script, { options: { timeline: "t.png" } }), /neither .json nor/);
});

Deno.test("what cannot be booted is refused before there is a machine", async () => {
  const refused = async (options: RunOptions): Promise<CommandError | RangeError> => {
    const error = await session([], { options }).catch((error) => error);
    assert.ok(error instanceof CommandError || error instanceof RangeError, String(error));
    return error;
  };
  const field = { field: "setup_header.vid_mod", value: "1" };
  const unknown = await refused({ set: [field] });
  assert.match(unknown.message, /unknown field/);
  assert.ok(unknown instanceof CommandError && unknown.code === 2);
  assert.match(unknown.hints.join(), /vid_mode/);
  assert.match((await refused({ memory: 2 << 20 })).message, /needs/);
  assert.match((await refused({ cpu: "686" })).message, /64 bits/);
  const platform = await refused({ platform: "lguset" });
  assert.ok(platform instanceof CommandError && platform.code === 2);
  const xen = await refused({ platform: "intel-mid" });
  assert.ok(xen instanceof CommandError && xen.code === 3);
  assert.match(xen.hints.join(), /--platform pc/);
  assert.match((await refused({ platform: "lguest" })).message, /^\S+: platform lguest: /);
  assert.match((await refused({ json: true, console: "-" })).message, /standard output/);
});
