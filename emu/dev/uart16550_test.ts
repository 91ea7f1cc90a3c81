import assert from "node:assert/strict";
import { Bus } from "../bus.ts";
import { Clock } from "../time.ts";
import { Uart } from "./uart16550.ts";

/** A port at 115,200 baud, 8N1: a character takes 86,806 ns. */
function port() {
  const clock = new Clock();
  const bus = new Bus(clock);
  const sent: string[] = [];
  let irq = false;
  const uart = new Uart(bus, clock, {
    port: 0x3f8,
    irq: (level) => irq = level,
    output: (bytes) => sent.push(new TextDecoder().decode(bytes)),
  });
  const out = (register: number, value: number) => bus.out(0x3f8 + register, value, 1);
  const read = (register: number) => bus.in(0x3f8 + register, 1);
  out(3, 0x83);
  out(0, 1);
  out(1, 0);
  out(3, 0x03);
  const type = (text: string) => uart.receive(new TextEncoder().encode(text));
  return { clock, uart, sent, out, read, type, irq: () => irq };
}

const character = 86_806;

Deno.test("received bytes come at the pace of the line", () => {
  const { clock, read, type } = port();
  type("ab");
  assert.equal(read(5) & 1, 0);
  clock.skip(character);
  assert.equal(read(5) & 1, 1);
  assert.equal(read(0), 0x61);
  assert.equal(read(5) & 1, 0);
  clock.skip(character);
  assert.equal(read(0), 0x62);
  assert.equal(clock.next, Infinity);
});

Deno.test("the FIFO interrupts at its trigger, and after four characters of silence", () => {
  const { clock, out, read, type, irq } = port();
  out(2, 0x81);
  out(1, 0x01);
  out(4, 0x08);
  type("1234567");
  clock.skip(7 * character);
  assert.equal(irq(), false);
  clock.skip(4 * character);
  assert.equal(irq(), true);
  assert.equal(read(2), 0xcc);
  read(0);
  assert.equal(irq(), false);
  type("89");
  clock.skip(2 * character);
  assert.equal(read(2), 0xc4);
  read(0);
  assert.equal(irq(), false);
});

Deno.test("nothing typed is lost while nobody reads", () => {
  const { clock, out, read, type } = port();
  const text = "The quick brown fox jumps over the lazy dog";
  out(2, 0x01);
  type(text);
  clock.skip(100 * character);
  let got = "";
  while (got.length < text.length) {
    while ((read(5) & 1) !== 0) got += String.fromCharCode(read(0));
    clock.skip(character);
  }
  assert.equal(got, text);
  assert.equal(read(5) & 2, 0);
});

Deno.test("the line holds 65,536 bytes and no more", () => {
  const { uart } = port();
  assert.equal(uart.receive(new Uint8Array(70_000)), 65_536);
  assert.equal(uart.receive(new Uint8Array(1)), 0);
});

Deno.test("an overrun is told once, in a loop", () => {
  const { out, read } = port();
  out(4, 0x10);
  out(0, 0x41);
  out(0, 0x42);
  assert.equal(read(5), 0x63);
  assert.equal(read(5), 0x61);
  assert.equal(read(0), 0x42);
});

Deno.test("an empty transmitter interrupts when asked, after each byte, and until IIR was read", () => {
  const { out, read, irq } = port();
  out(4, 0x08);
  out(1, 0x02);
  assert.equal(irq(), true);
  assert.equal(read(2), 0x02);
  assert.equal(irq(), false);
  out(0, 0x41);
  assert.equal(irq(), true);
  assert.equal(read(2), 0x02);
  assert.equal(read(2), 0x01);
});

Deno.test("without OUT2 no interrupt leaves the card", () => {
  const { out, irq } = port();
  out(1, 0x02);
  assert.equal(irq(), false);
  out(4, 0x08);
  assert.equal(irq(), true);
  out(4, 0x18);
  assert.equal(irq(), false);
});

Deno.test("short words lose their upper bits; output comes in order and in pieces", () => {
  const { uart, sent, out } = port();
  out(3, 0x02);
  out(0, 0xc1);
  out(3, 0x03);
  for (let i = 0; i < 1024; i++) out(0, 0x61);
  uart.flush();
  assert.deepEqual(sent.map((piece) => piece.length), [1024, 1]);
  assert.equal(sent.join(""), "A" + "a".repeat(1024));
});
