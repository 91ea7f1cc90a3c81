/**
 * Asks SeaBIOS, under QEMU, what `calls.ts` asks, and writes `answers.ts`:
 *
 *     deno run -A testdata/bios/make_answers.ts
 *
 * QEMU starts a diskette of our own that makes the calls and tells, through the debug
 * console, what came back.
 */

import { Assembler, at, mem } from "../../emu/cpu/assemble.ts";
import { calls, callsOf, registers } from "./calls.ts";

const all = callsOf(calls);
const size = 40;
const tableAt = 0x8000;
/** Where the program keeps which call is next, and what came back. */
const next = 0x600;
const answer = 0x610;
const sectors = 8;

function table(): Uint8Array {
  const bytes = new Uint8Array(512 * sectors);
  const view = new DataView(bytes.buffer);
  all.forEach(({ vector, before }, i) => {
    view.setUint32(size * i, vector, true);
    registers.forEach((name, n) => view.setUint32(size * i + 4 + 4 * n, before[name] ?? 0, true));
    view.setUint32(size * i + 32, before.es ?? 0, true);
  });
  view.setUint32(size * all.length, 0xffff_ffff, true);
  return bytes;
}

function bootSector(): Uint8Array {
  const a = new Assembler({ mode: 16, origin: 0x7c00 });
  const word = (disp: number) => mem({ disp, size: 16 });
  a.emit("xor", "ax", "ax");
  for (const segment of ["ds", "es", "ss"]) a.emit("mov", segment, "ax");
  a.emit("mov", "sp", 0x7000);
  // The table, from the second sector on.
  a.emit("mov", "ax", 0x0200 | sectors).emit("mov", "bx", tableAt);
  a.emit("mov", "cx", 2).emit("mov", "dx", 0).emit("int", 0x13);
  a.emit("mov", word(next), tableAt);
  a.label("next");
  a.emit("mov", "bx", word(next));
  a.emit("cmp", mem({ base: "bx", size: 32 }), -1).emit("je", at("end"));
  a.emit("mov", "al", mem({ base: "bx" }));
  a.emit("mov", mem({ disp: at("vector"), size: 8 }), "al");
  a.emit("mov", "ax", mem({ base: "bx", disp: 32 })).emit("mov", "es", "ax");
  registers.forEach((name, n) => {
    if (name !== "ebx") a.emit("mov", name, mem({ base: "bx", disp: 4 + 4 * n }));
  });
  a.emit("mov", "ebx", mem({ base: "bx", disp: 8 }));
  // Carry is set, so that a call that clears it is told from one that leaves it.
  a.emit("stc");
  a.bytes(0xcd).label("vector").bytes(0);
  registers.forEach((name, n) => a.emit("mov", mem({ disp: answer + 4 * n }), name));
  a.emit("pushf").emit("pop", "ax").emit("mov", word(answer + 28), "ax");
  a.emit("mov", "ax", "es").emit("mov", word(answer + 30), "ax");
  a.emit("mov", "si", answer).emit("mov", "cx", 32);
  a.label("tell").emit("lodsb").emit("out", 0xe9, "al").emit("loop", at("tell"));
  a.emit("add", word(next), size).emit("jmp", at("next"));
  a.label("end").emit("mov", "dx", 0x501).emit("out", "dx", "al").bytes(0xeb, 0xfe);
  return a.finish();
}

const folder = await Deno.makeTempDir();
const disk = new Uint8Array(1440 * 1024);
disk.set(bootSector());
disk.set([0x55, 0xaa], 510);
disk.set(table(), 512);
await Deno.writeFile(`${folder}/disk`, disk);
await new Deno.Command("qemu-system-x86_64", {
  args: [
    ...["-M", "pc", "-m", "32", "-nodefaults", "-vga", "std", "-display", "none"],
    ...["-serial", "null", "-drive", `file=${folder}/disk,format=raw,if=floppy`, "-boot", "a"],
    ...["-debugcon", `file:${folder}/log`, "-device", "isa-debug-exit,iobase=0x501"],
    ...["-rtc", "base=2024-01-01T00:00:00,clock=vm"],
  ],
  stdin: "null",
}).output();
const log = await Deno.readFile(`${folder}/log`);
await Deno.remove(folder, { recursive: true });
if (log.length !== 32 * all.length) {
  throw new Error(`${log.length / 32} answers, not ${all.length}`);
}
const view = new DataView(log.buffer);
const out = [
  "/**",
  " * What SeaBIOS answers to `calls.ts`: EAX, EBX, ECX, EDX, ESI, EDI, EBP, the flags CF (1) and",
  " * ZF (64), and ES, in hexadecimal. Made by `make_answers.ts` with QEMU 7.2 and SeaBIOS 1.16.2.",
  " */",
  "",
  "/** A line a call. */",
  "export const answers: readonly string[] = [",
];
all.forEach((_, i) => {
  const words = registers.map((_, n) => view.getUint32(32 * i + 4 * n, true));
  words.push(view.getUint16(32 * i + 28, true) & 0x41, view.getUint16(32 * i + 30, true));
  out.push(`  "${words.map((word) => word.toString(16)).join(" ")}",`);
});
out.push("];", "");
await Deno.writeTextFile(new URL("answers.ts", import.meta.url), out.join("\n"));
