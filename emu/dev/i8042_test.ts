import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { I8042 } from "./i8042.ts";

function controller() {
  const bus = new Bus(new Clock());
  const events: string[] = [];
  let [level, edges] = [false, 0];
  const keyboard = new I8042(bus, {
    irq: (next) => {
      if (next && !level) edges++;
      level = next;
    },
    reset: () => events.push("reset"),
    a20: (open) => events.push(`a20 ${open}`),
  });
  const command = (value: number, ...data: number[]) => {
    bus.out(0x64, value, 1);
    for (const byte of data) bus.out(0x60, byte, 1);
  };
  /** Everything in the output buffer, as long as there is something. */
  const drain = () => {
    const bytes: number[] = [];
    while ((bus.in(0x64, 1) & 1) !== 0) bytes.push(bus.in(0x60, 1));
    return bytes;
  };
  return { bus, keyboard, command, drain, events, edges: () => edges };
}

Deno.test("keys come translated to set 1, an interrupt each, the break prefix swallowed", () => {
  const { keyboard, drain, edges } = controller();
  // "a" and Enter, pressed and released; then the right arrow.
  keyboard.type(Uint8Array.of(0x1c, 0xf0, 0x1c, 0x5a, 0xf0, 0x5a, 0xe0, 0x74));
  assert.deepEqual(drain(), [0x1e, 0x9e, 0x1c, 0x9c, 0xe0, 0x4d]);
  assert.equal(edges(), 6);
});

Deno.test("without translation keys come as they are, and wait while the keyboard is off", () => {
  const { keyboard, command, drain } = controller();
  command(0x60, 0x05);
  command(0xad);
  keyboard.type(Uint8Array.of(0xf0, 0x1c));
  assert.deepEqual(drain(), []);
  command(0xae);
  assert.deepEqual(drain(), [0xf0, 0x1c]);
});

Deno.test("reset and identify are answered", () => {
  const { bus, drain } = controller();
  bus.out(0x60, 0xff, 1);
  assert.deepEqual(drain(), [0xfa, 0xaa]);
  bus.out(0x60, 0xf2, 1);
  assert.deepEqual(drain(), [0xfa, 0xab, 0x41]);
  bus.out(0x60, 0xed, 1);
  bus.out(0x60, 0x07, 1);
  assert.deepEqual(drain(), [0xfa, 0xfa]);
  bus.out(0x60, 0x42, 1);
  assert.deepEqual(drain(), [0xfe]);
});

Deno.test("a driver finds no auxiliary port: its loop is not marked, its test fails", () => {
  const { bus, command, drain } = controller();
  command(0xd3, 0x5a);
  assert.equal(bus.in(0x64, 1) & 0x21, 0x01);
  assert.deepEqual(drain(), [0x5a]);
  command(0xa9);
  assert.deepEqual(drain(), [0x01]);
  assert.deepEqual((command(0xd4, 0xff), drain()), [0xfe]);
});

Deno.test("reset and address line 20 by command and by output port", () => {
  const { command, events } = controller();
  command(0xfe);
  command(0xd1, 0xdd);
  command(0xd1, 0xdf);
  command(0xdd);
  command(0xd1, 0x02);
  assert.deepEqual(events, ["reset", "a20 false", "a20 true", "a20 false", "a20 true", "reset"]);
});

Deno.test("the queue is bounded, and a keyboard told to be silent takes nothing", () => {
  const { bus, keyboard, drain } = controller();
  assert.equal(keyboard.type(new Uint8Array(300).fill(0x1c)), 256);
  assert.equal(drain().length, 256);
  bus.out(0x60, 0xf5, 1);
  drain();
  assert.equal(keyboard.type(Uint8Array.of(0x1c)), 0);
});
