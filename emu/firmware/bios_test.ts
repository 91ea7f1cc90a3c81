import assert from "node:assert/strict";
import { biosMachine } from "../../testdata/bios_machine.ts";
import { mem } from "../cpu/assemble.ts";
import { chord, keystrokes } from "../dev/scancodes.ts";
import { diskImage } from "./disk.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

/** A disk whose sectors begin with their own number. */
function numberedDisk(sectors: number): Uint8Array {
  const bytes = new Uint8Array(512 * sectors);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < sectors; i++) view.setUint32(512 * i, i, true);
  return bytes;
}

Deno.test("every vector leads into the ROM, and what nobody serves returns", () => {
  const { call, word } = biosMachine();
  for (let vector = 0; vector < 256; vector++) {
    const isUser = vector >= 0x60 && vector < 0x68;
    assert.equal(word(4 * vector + 2), isUser ? 0 : 0xf000, vector.toString(16));
  }
  const { registers } = call(0x77, { ax: 0x1234_5678 });
  assert.equal(registers.ax, 0x1234_5678);
});

Deno.test("the ROM has date, model and reset vector where programs look", () => {
  const { read, run } = biosMachine();
  assert.match(new TextDecoder().decode(read(0xffff5, 8)), /^\d\d\/\d\d\/\d\d$/);
  assert.equal(read(0xffffe, 1)[0], 0xfc);
  assert.equal(run((a) => a.bytes(0xea, 0xf0, 0xff, 0x00, 0xf0)).kind, "reset");
});

Deno.test("equipment, memory size and data area", () => {
  const { call, word } = biosMachine();
  assert.equal(call(0x11).registers.ax, 0x0222);
  assert.equal(call(0x12).registers.ax, 639);
  assert.deepEqual([0x400, 0x40e, 0x413, 0x44a, 0x463].map(word), [0x3f8, 0x9fc0, 639, 80, 0x3d4]);
  assert.equal(word(0x9fc00) & 0xff, 1);
});

Deno.test("a service may be called by a far call, and through a handler that jumps on to it", () => {
  const { machine, run } = biosMachine();
  const vector = 4 * 0x12;
  const handler = 0x9000;
  // jmp far cs:[0x180], where the old vector is kept
  machine.memory.write(handler, Uint8Array.of(0x2e, 0xff, 0x2e, 0x80, 0x01));
  const stop = run((a) => {
    a.emit("mov", "eax", mem({ disp: vector, size: 32 }));
    a.emit("mov", mem({ disp: 0x180, size: 32 }), "eax");
    a.emit("pushf");
    a.bytes(0xff, 0x1e, vector, 0x00);
    a.emit("mov", "bx", "ax");
    a.emit("mov", mem({ disp: vector, size: 32 }), handler);
    a.emit("int", 0x12);
  });
  assert.equal(stop.kind, "exit");
  assert.deepEqual([machine.cpu.low(0) & 0xffff, machine.cpu.low(3) & 0xffff], [639, 639]);
});

Deno.test("the memory map comes range by range", () => {
  const { call, read, map } = biosMachine();
  const found = [];
  let bx = 0;
  do {
    const { registers, carry } = call(0x15, {
      ...{ ax: 0xe820, bx, cx: 20, dx: 0x534d_4150, es: 0x1000, di: 0x10 },
    });
    assert.equal(carry, false);
    assert.equal(registers.ax, 0x534d_4150);
    assert.equal(registers.cx, 20);
    const view = new DataView(read(0x10010, 20).buffer);
    found.push({
      base: Number(view.getBigUint64(0, true)),
      size: Number(view.getBigUint64(8, true)),
      type: view.getUint32(16, true),
    });
    bx = registers.bx;
  } while (bx !== 0 && found.length < 9);
  assert.deepEqual(found, map);
  assert.ok(call(0x15, { ax: 0xe820, bx: 4, cx: 20, dx: 0x534d_4150 }).carry);
  assert.ok(call(0x15, { ax: 0xe820, cx: 19, dx: 0x534d_4150 }).carry);
  assert.ok(call(0x15, { ax: 0xe820, cx: 20, dx: 0x1234 }).carry);
});

Deno.test("older questions about memory", () => {
  const { call } = biosMachine({ memory: 128 << 20 });
  const { registers } = call(0x15, { ax: 0xe801 });
  const { ax, bx, cx, dx } = registers;
  assert.deepEqual([ax, bx, cx, dx], [0x3c00, 0x700, 0x3c00, 0x700]);
  assert.equal(call(0x15, { ax: 0x8800 }).registers.ax, 0xfc00);
  const small = biosMachine({ memory: 8 << 20 });
  assert.equal(small.call(0x15, { ax: 0x8800 }).registers.ax, 7 << 10);
  assert.equal(small.call(0x15, { ax: 0xe881 }).registers.ax, 7 << 10);
});

Deno.test("what is not there is refused as firmware refuses", () => {
  const { call } = biosMachine();
  for (const ax of [0x5300, 0xe980, 0x4100, 0xffc0, 0xe899]) {
    const { carry, registers } = call(0x15, { ax, dx: 0x4753_4943 });
    assert.ok(carry, ax.toString(16));
    assert.equal(registers.ax >> 8, 0x86);
  }
  assert.equal(call(0x15, { ax: 0xec00, bx: 2 }).carry, false);
  assert.equal(call(0x10, { ax: 0x4f00 }).registers.ax, 0x4f00);
});

Deno.test("a block is moved above 1 MiB and back", () => {
  const { machine, call, read } = biosMachine();
  machine.memory.write(0x20000, ascii("moved by the BIOS"));
  const table = new Uint8Array(48);
  const descriptor = (index: number, base: number) => {
    const at = 8 * index;
    table.set([0xff, 0xff, base & 0xff, base >> 8 & 0xff, base >> 16 & 0xff, 0x93], at);
    table[at + 7] = base >>> 24;
  };
  const move = (from: number, to: number) => {
    descriptor(2, from);
    descriptor(3, to);
    machine.memory.write(0x30000, table);
    return call(0x15, { ax: 0x8700, cx: 9, es: 0x3000 });
  };
  assert.equal(move(0x20000, 0x123_4567).carry, false);
  assert.equal(new TextDecoder().decode(read(0x123_4567, 17)), "moved by the BIOS");
  move(0x123_4567, 0x25000);
  assert.equal(new TextDecoder().decode(read(0x25000, 17)), "moved by the BIOS");
});

Deno.test("address line 20 is closed, seen closed, and opened", () => {
  const { machine, call } = biosMachine();
  assert.equal(call(0x15, { ax: 0x2402 }).registers.ax, 0x0001);
  call(0x15, { ax: 0x2400 });
  assert.equal(machine.board.a20, false);
  assert.equal(call(0x15, { ax: 0x2402 }).registers.ax, 0x0000);
  call(0x15, { ax: 0x2401 });
  assert.equal(machine.board.a20, true);
  assert.equal(call(0x15, { ax: 0x2403 }).registers.bx, 0x0003);
});

Deno.test("a wait takes its time", () => {
  const { machine, call } = biosMachine();
  const before = machine.now;
  const { registers, carry } = call(0x15, { ax: 0x8600, dx: 2500, bx: 7 });
  const waited = (machine.now - before) / 1000;
  assert.ok(waited >= 2500 && waited < 2600, `${waited} microseconds`);
  assert.equal(carry, false);
  assert.deepEqual([registers.ax, registers.bx, registers.cx, registers.dx], [0, 7, 0, 2500]);
});

Deno.test("the tick counts 18.2 times a second, and calls whoever hangs on it", () => {
  const { machine, run, word } = biosMachine();
  const before = word(0x46c);
  const ticks = 37;
  // inc word cs:[0x500]; iret
  machine.memory.write(0x9000, Uint8Array.of(0x2e, 0xff, 0x06, 0x00, 0x05, 0xcf));
  const from = machine.now;
  // Interrupt 1ch is led to the handler.
  machine.memory.write(4 * 0x1c, Uint8Array.of(0x00, 0x90, 0x00, 0x00));
  const stop = run((a) => {
    a.emit("sti");
    // hlt; cmp word [0x500], ticks; jne back
    a.bytes(0xf4, 0x83, 0x3e, 0x00, 0x05, ticks, 0x75, 0xf8);
  });
  assert.equal(stop.kind, "exit");
  assert.equal(word(0x500), ticks);
  assert.equal(word(0x46c) - before, ticks);
  const seconds = (machine.now - from) / 1e9;
  assert.ok(Math.abs(seconds - ticks * 65_536 / 1_193_182) < 0.06, `${seconds} s`);
});

Deno.test("ticks since midnight, time and date", () => {
  const { machine, call } = biosMachine();
  // 4 August 2026, 14:24:05.
  const time = call(0x1a, { ax: 0x0200 });
  assert.deepEqual([time.registers.cx, time.registers.dx, time.carry], [0x1424, 0x0500, false]);
  const date = call(0x1a, { ax: 0x0400 });
  assert.deepEqual([date.registers.cx, date.registers.dx], [0x2026, 0x0804]);
  const { registers } = call(0x1a, { ax: 0x0000 });
  const expected = Math.floor((14 * 3600 + 24 * 60 + 5) * 1_193_182 / 65_536);
  assert.equal(registers.cx * 0x10000 + registers.dx, expected);
  machine.memory.write(0x470, Uint8Array.of(1));
  assert.equal(call(0x1a, { ax: 0x0000 }).registers.ax, 1);
  assert.equal(call(0x1a, { ax: 0x0000 }).registers.ax, 0);
});

Deno.test("PCI's BIOS finds the host bridge and reads it", () => {
  const { call } = biosMachine();
  const present = call(0x1a, { ax: 0xb101 }).registers;
  assert.deepEqual([present.ax, present.dx, present.bx], [0x0001, 0x2049_4350, 0x0210]);
  const found = call(0x1a, { ax: 0xb103, cx: 0x06_0000 });
  assert.deepEqual([found.carry, found.registers.bx], [false, 0]);
  const { registers: { cx: vendor } } = call(0x1a, { ax: 0xb109, bx: 0, di: 0 });
  const { registers: { cx: device } } = call(0x1a, { ax: 0xb109, bx: 0, di: 2 });
  const byId = call(0x1a, { ax: 0xb102, cx: device, dx: vendor });
  assert.deepEqual([byId.carry, byId.registers.bx], [false, 0]);
  const missing = call(0x1a, { ax: 0xb102, cx: 0x4711, dx: vendor });
  assert.deepEqual([missing.carry, missing.registers.ax >> 8], [true, 0x86]);
  assert.ok(call(0x1a, { ax: 0xb10a, di: 2 }).carry);
});

Deno.test("keys are taken from the controller, waited for, and looked at", () => {
  const { machine, run, call, word } = biosMachine();
  assert.equal(call(0x16, { ax: 0x0100 }).zero, true);
  const typed: number[] = [];
  // Reads keys into 0x600 until Enter.
  const program = Uint8Array.of(0x31, 0xff, 0x31, 0xc0, 0xcd, 0x16, 0x89, 0x85, 0x00, 0x06);
  const stop = run((a) => a.bytes(program, 0x83, 0xc7, 0x02, 0x3c, 0x0d, 0x75, 0xf1), {}, 1000);
  assert.equal(stop.kind, "limit");
  for (const stroke of [...keystrokes("Az9!~"), chord("Control", "c"), chord("Alt", "x")]) {
    machine.board.keyboard?.type(stroke);
    machine.run({ instructions: 2000 });
  }
  for (const name of ["F1", "Up", "Delete", "F12", "Enter"]) {
    machine.board.keyboard?.type(chord(name));
    machine.run({ instructions: 2000 });
  }
  for (let at = 0x600; word(at) !== 0; at += 2) typed.push(word(at));
  assert.deepEqual(
    typed.map((key) => key.toString(16)),
    ["1e41", "2c7a", "a39", "221", "297e", "2e03", "2d00", "3b00", "4800", "5300", "8600", "1c0d"],
  );
});

Deno.test("shifts and locks are seen, and Caps Lock turns letters only", () => {
  const { machine, run, call } = biosMachine();
  const type = (...names: string[]) => {
    machine.board.keyboard?.type(chord(...names));
    run((a) => {
      a.emit("sti");
      for (let i = 0; i < 200; i++) a.emit("nop");
    });
  };
  type("CapsLock");
  type("a");
  type("1");
  type("Shift", "b");
  type("NumLock");
  type("Keypad7");
  assert.equal(call(0x16, { ax: 0x0200 }).registers.ax & 0xff, 0x60);
  const read = () => call(0x16, { ax: 0x0000 }).registers.ax.toString(16);
  assert.deepEqual([read(), read(), read(), read()], ["1e41", "231", "3062", "4737"]);
  assert.equal(call(0x16, { ax: 0x0500, cx: 0x4f4b }).registers.ax & 0xff, 0);
  const look = call(0x16, { ax: 0x0100 });
  assert.deepEqual([look.zero, look.registers.ax], [false, 0x4f4b]);
});

Deno.test("Ctrl, Alt and Delete reset the machine", () => {
  const { machine, run, word } = biosMachine();
  machine.board.keyboard?.type(chord("Control", "Alt", "Delete"));
  const stop = run((a) => {
    a.emit("sti");
    a.bytes(0xeb, 0xfe);
  });
  assert.equal(stop.kind, "reset");
  assert.equal(word(0x472), 0x1234);
});

Deno.test("no disk: every question is answered with an error", () => {
  const { call } = biosMachine();
  for (const ax of [0x0201, 0x0800, 0x4100, 0x4800]) {
    assert.ok(call(0x13, { ax, bx: 0x55aa, dx: 0x80, cx: 1 }).carry, ax.toString(16));
  }
  assert.equal(call(0x13, { ax: 0x1500, dx: 0x80 }).registers.ax, 0);
});

Deno.test("a disk is read by place and by block, and is not written", () => {
  const sectors = 16 * 63 * 20;
  const { machine, call, read } = biosMachine({ disk: diskImage(numberedDisk(sectors)) });
  const { registers } = call(0x13, { ax: 0x0800, dx: 0x80 });
  assert.deepEqual([registers.cx, registers.dx], [19 << 8 | 63, 15 << 8 | 1]);
  // Cylinder 3, head 2, sector 5.
  assert.equal(call(0x13, { ax: 0x0202, cx: 0x0305, dx: 0x0280, es: 0x2000 }).registers.ax, 2);
  const first = (3 * 16 + 2) * 63 + 4;
  const at = (address: number) => new DataView(read(address, 4).buffer).getUint32(0, true);
  assert.deepEqual([at(0x20000), at(0x20200)], [first, first + 1]);
  const packet = (block: number, count: number) => {
    const bytes = Uint8Array.of(16, 0, count, 0, 0, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0);
    new DataView(bytes.buffer).setUint32(8, block, true);
    machine.memory.write(0x600, bytes);
  };
  packet(sectors - 1, 1);
  assert.equal(call(0x13, { ax: 0x4200, dx: 0x80, si: 0x600 }).carry, false);
  assert.equal(at(0x30000), sectors - 1);
  packet(sectors, 1);
  assert.ok(call(0x13, { ax: 0x4200, dx: 0x80, si: 0x600 }).carry);
  const write = call(0x13, { ax: 0x0301, cx: 1, dx: 0x80 });
  assert.deepEqual([write.carry, write.registers.ax >> 8], [true, 3]);
  assert.equal(call(0x13, { ax: 0x0100, dx: 0x80 }).registers.ax >> 8, 3);
  const extended = call(0x13, { ax: 0x4100, bx: 0x55aa, dx: 0x80 });
  assert.deepEqual([extended.carry, extended.registers.bx], [false, 0xaa55]);
  machine.memory.write(0x600, Uint8Array.of(26, 0));
  assert.equal(call(0x13, { ax: 0x4800, dx: 0x80, si: 0x600 }).carry, false);
  assert.equal(at(0x610), sectors);
});

Deno.test("a boot sector is loaded and started; without one the machine says so and stops", () => {
  const sector = new Uint8Array(512);
  // mov al, dl; out f4h, al
  sector.set([0x88, 0xd0, 0xe6, 0xf4]);
  sector.set([0x55, 0xaa], 510);
  assert.deepEqual(
    biosMachine({ disk: diskImage(sector) }).run((a) => a.emit("int", 0x19)),
    { kind: "exit", code: 0x80 * 2 + 1 },
  );
  const { run, machine } = biosMachine();
  assert.deepEqual(run((a) => a.emit("int", 0x19)), { kind: "idle", forEver: true });
  assert.equal(machine.board.vga?.text()[0], "Nothing to boot.");
});

Deno.test("the serial line is written and read", () => {
  const { machine, call, serial } = biosMachine();
  for (const letter of "ok\n") call(0x14, { ax: 0x0100 | letter.charCodeAt(0) });
  machine.board.flush();
  assert.deepEqual(serial, [...ascii("ok\n")]);
  machine.board.uart.receive(ascii("x"));
  // At 9600 baud it takes a millisecond to come.
  call(0x15, { ax: 0x8600, dx: 1200 });
  assert.equal(call(0x14, { ax: 0x0200 }).registers.ax & 0x80ff, 0x78);
  assert.equal(call(0x14, { ax: 0x0300, dx: 1 }).registers.ax >> 8, 0x80);
});

Deno.test("the port is deaf to whoever is not the ROM", () => {
  const { machine, run } = biosMachine();
  const stop = run((a) => a.emit("out", 0xbf, "al"), { ax: 0x0e41 });
  assert.equal(stop.kind, "exit");
  assert.deepEqual(machine.board.vga?.text()[0], "");
});

Deno.test("a board with next to nothing gets a BIOS that says less", () => {
  const { call, run, printed, word } = biosMachine({ profile: "bare" });
  assert.equal(call(0x11).registers.ax & 0x0200, 0x0200);
  assert.equal(word(0x44a), 80);
  assert.equal(call(0x10, { ax: 0x1200, bx: 0x10 }).registers.bx, 0x10);
  assert.equal(call(0x10, { ax: 0x1a00 }).registers.ax, 0x1a00);
  assert.ok(call(0x1a, { ax: 0x0200 }).carry);
  assert.ok(call(0x1a, { ax: 0xb101 }).carry);
  assert.ok(call(0x15, { ax: 0x8600, dx: 100 }).carry);
  run((a) => a.emit("int", 0x10), { ax: 0x0e58 });
  assert.deepEqual(printed, [0x58]);
  assert.equal(call(0x10, { ax: 0x0300 }).registers.dx, 1);
});
