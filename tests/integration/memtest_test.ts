/**
 * memtest86+ on the machine: a program that needs a BIOS to start, a screen to be seen
 * on and a keyboard to be told what to do, and that finds out whether memory is memory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { applyPlan } from "../../core/boot/apply.ts";
import { prepareBoot } from "../../core/boot/prepare.ts";
import { chord } from "../../emu/dev/scancodes.ts";
import { vgaPng } from "../../emu/dev/vga_picture.ts";
import { Bios } from "../../emu/firmware/bios.ts";
import { Machine } from "../../emu/machine.ts";
import { memoryMap } from "../../testdata/bios_machine.ts";
import { readImage, withImages } from "../images/images.ts";

/** The program at its first instruction, entered in real mode. */
async function started(image: Uint8Array, cpu: string, mebibytes: number) {
  const memory = mebibytes << 20;
  const { plan } = await prepareBoot(image, { entry: "real", commandLine: "", memory, cpu });
  const machine = new Machine({ memory, cpu });
  const { board } = machine;
  new Bios({
    ...{ cpu: machine.cpu, bus: board.bus, memory: machine.memory, map: memoryMap(memory) },
  }).install();
  applyPlan(plan, machine);
  const screen = () => board.vga?.text().join("\n") ?? "";
  /** Runs until the screen says something; fails after so many million instructions. */
  const until = (pattern: RegExp, most: number) => {
    for (let i = 0; i < most; i += 5) {
      const stop = machine.run({ instructions: 5e6 });
      if (pattern.test(screen())) return;
      assert.equal(stop.kind, "limit", screen());
    }
    assert.match(screen(), pattern);
  };
  /** Presses a key and waits for what it brings up. */
  const press = (key: string, pattern: RegExp) => {
    board.keyboard?.type(chord(key));
    until(pattern, 200);
  };
  return { machine, screen, until, press };
}

withImages(
  "memtest86+ 7 draws its screen, is told by keyboard which test to run, and passes it",
  ["memtest86+-7-ia32"],
  async ([image], t) => {
    assert.ok(image);
    const { machine, screen, until, press } = await started(readImage(image), "686", 5);
    until(/<F1> to configure/, 200);
    press("F1", /Settings:/);
    press("F1", /Test Selection:/);
    press("F1", /0─+10\n +\.{11}/);
    press("F3", /Enter test #/);
    press("3", /Enter test #3/);
    press("Enter", /\.{3}\*\.{7}/);
    press("F10", /Settings:/);
    press("F10", /Status: Testing/);
    until(/Pass: {2}1 +Errors: 0/, 2000);
    // What spins while it works may stand at any of its four signs.
    await t.assertSnapshot(screen().replace(/[-|/\\]$/m, " ").split("\n"));
    const { vga } = machine.board;
    assert.ok(vga !== undefined);
    const view = new DataView(vgaPng(vga).buffer);
    assert.deepEqual([view.getUint32(1) >>> 8, view.getUint32(16), view.getUint32(20)], [
      ...[0x504e47, 720, 400],
    ]);
  },
);

for (
  const [id, title, cpu] of [
    ["memtest86+-5", "Memtest86+ 5.01", "686"],
    ["memtest86+-6", "Memtest86+ v6", "x86-64-v2"],
    ["memtest86+-newest", "Memtest86+ v8", "x86-64-v2"],
  ] as const
) {
  withImages(`${id} starts in real mode and draws its screen`, [id], async ([image]) => {
    assert.ok(image);
    const { screen, until } = await started(readImage(image), cpu, 8);
    until(/Pass +%/, 300);
    assert.ok(screen().includes(title), screen());
    assert.match(screen(), /Memory +: +[78]/);
  });
}
