import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { I8042 } from "./i8042.ts";
import { chord, keys, keystrokes, printed } from "./scancodes.ts";

function controller() {
  const bus = new Bus(new Clock());
  const keyboard = new I8042(bus, { irq: () => {}, reset: () => {}, a20: () => {} });
  const drain = () => {
    const bytes: number[] = [];
    while ((bus.in(0x64, 1) & 1) !== 0) bytes.push(bus.in(0x60, 1));
    return bytes;
  };
  return { keyboard, drain };
}

Deno.test("the controller makes set 1 of every key's set 2", () => {
  const { keyboard, drain } = controller();
  for (const [name, { set1, isExtended }] of keys()) {
    keyboard.type(chord(name));
    const prefix = isExtended ? [0xe0] : [];
    assert.deepEqual(drain(), [...prefix, set1, ...prefix, set1 | 0x80], name);
  }
  assert.equal(keys().size, 99);
});

Deno.test("every character of ASCII that prints can be typed, and comes out as itself", () => {
  const { keyboard, drain } = controller();
  for (let code = 0x20; code < 0x7f; code++) {
    const character = String.fromCharCode(code);
    for (const stroke of keystrokes(character)) keyboard.type(stroke);
    const [first = 0, second = 0] = drain();
    const found = first === 0x2a ? printed(second)?.[1] : printed(first)?.[0];
    assert.equal(found, character);
  }
});

Deno.test("Enter, Shift and chords press and release in order", () => {
  assert.deepEqual(keystrokes("A\n"), [
    Uint8Array.of(0x12, 0x1c, 0xf0, 0x1c, 0xf0, 0x12),
    Uint8Array.of(0x5a, 0xf0, 0x5a),
  ]);
  assert.deepEqual(
    chord("Control", "Alt", "Delete"),
    Uint8Array.of(0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14),
  );
  assert.throws(() => keystrokes("ä"), RangeError);
  assert.throws(() => chord("Any"), RangeError);
});
