import assert from "node:assert/strict";
import xterm from "@xterm/headless";
import { progress } from "./progress.ts";
import { MemoryTerminal } from "./terminal.ts";

/** The lines a real terminal would show after all this output. */
async function shown(output: string, cols = 40): Promise<string[]> {
  const screen = new xterm.Terminal({ cols, rows: 6, allowProposedApi: true, convertEol: true });
  await new Promise<void>((done) => screen.write(output, done));
  const lines: string[] = [];
  for (let y = 0; y < 6; y++) {
    lines.push(screen.buffer.active.getLine(y)?.translateToString(true) ?? "");
  }
  screen.dispose();
  return lines.join("\n").trimEnd().split("\n");
}

function clock() {
  let time = 0;
  return { now: () => time, pass: (ms: number) => time += ms };
}

Deno.test("progress appears after a second and not before", async () => {
  const terminal = new MemoryTerminal({ isTerminal: true, columns: 40 });
  const { now, pass } = clock();
  const line = progress(terminal, "unpacking xz", now);
  pass(900);
  line.at(10, 100);
  assert.equal(terminal.stderr, "");
  pass(200);
  line.at(50, 100);
  assert.deepEqual(await shown(terminal.screen), ["unpacking xz 50 % …"]);
  line.done();
});

Deno.test("progress takes its line away when done", async () => {
  const terminal = new MemoryTerminal({ isTerminal: true, columns: 40 });
  const { now, pass } = clock();
  const line = progress(terminal, "unpacking xz", now);
  pass(2000);
  line.at(90, 100);
  pass(2000);
  line.step("reading symbols");
  assert.deepEqual(await shown(terminal.screen), ["reading symbols …"]);
  line.done();
  terminal.out("Linux 6.12\n");
  assert.deepEqual(await shown(terminal.screen), ["Linux 6.12"]);
});

Deno.test("a result written meanwhile takes the place of the progress line", async () => {
  const terminal = new MemoryTerminal({ isTerminal: true, columns: 40 });
  const { now, pass } = clock();
  const line = progress(terminal, "unpacking a kernel of many bytes", now);
  pass(2000);
  line.at(1, 2);
  terminal.out("first\n");
  pass(2000);
  line.at(2, 2);
  line.done();
  terminal.out("second\n");
  assert.deepEqual(await shown(terminal.screen), ["first", "second"]);
});

Deno.test("progress fits one line, however narrow the terminal", async () => {
  const terminal = new MemoryTerminal({ isTerminal: true, columns: 20 });
  const { now, pass } = clock();
  const line = progress(terminal, "unpacking /boot/vmlinuz-6.12.48+deb13-amd64", now);
  pass(2000);
  line.at(1, 2);
  const lines = await shown(terminal.screen, 20);
  assert.equal(lines.length, 1);
  line.done();
});

Deno.test("a step that will be long is shown before it starts", async () => {
  const terminal = new MemoryTerminal({ isTerminal: true, columns: 40 });
  const { now } = clock();
  const line = progress(terminal, "reading", now);
  line.step("unpacking 66 MB of xz", 3000);
  assert.deepEqual(await shown(terminal.screen), ["unpacking 66 MB of xz …"]);
  line.done();
});

Deno.test("progress keeps silent in a pipe and when quiet", () => {
  for (const quiet of [false, true]) {
    const terminal = new MemoryTerminal({ isTerminal: quiet });
    terminal.configure({ quiet });
    const { now, pass } = clock();
    const line = progress(terminal, "unpacking", now);
    pass(5000);
    line.at(1, 2);
    line.done();
    assert.equal(terminal.screen, "");
  }
});

Deno.test("progress is drawn no more than ten times a second", () => {
  const terminal = new MemoryTerminal({ isTerminal: true });
  const { now, pass } = clock();
  const line = progress(terminal, "unpacking", now);
  for (let i = 0; i < 3000; i++) {
    pass(1);
    line.at(i, 3000);
  }
  const drawings = terminal.stderr.split("\r").length - 1;
  assert.ok(drawings > 10 && drawings <= 21, `${drawings}`);
  line.done();
});
