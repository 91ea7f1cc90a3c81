/**
 * Runs the programs of testdata/system_cases.ts and its neighbours on QEMU,
 * and keeps what they tell for the tests.
 *
 *     deno run -P=tools tests/witness/system.ts    into testdata/system
 *
 * Needs qemu-system-x86_64; its translator suffices.
 *
 * @module
 */

import { systemCases32 } from "../../testdata/system_cases.ts";
import { systemCases64 } from "../../testdata/system_cases64.ts";
import { typeCases } from "../../testdata/system_type_cases.ts";
import { readTold, type RomCase, type RomMode, systemRom } from "../../testdata/system_rom.ts";

/** What QEMU's debug console gets from a ROM. */
function askQemu(rom: Uint8Array): string {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(`${folder}/rom`, rom);
    const { code, stderr } = new Deno.Command("qemu-system-x86_64", {
      args: [
        ...["-machine", "pc", "-cpu", "Nehalem", "-accel", "tcg", "-m", "16", "-net", "none"],
        ...["-display", "none", "-serial", "none", "-monitor", "none", "-no-reboot"],
        ...["-bios", `${folder}/rom`, "-debugcon", `file:${folder}/told`],
        ...["-device", "isa-debug-exit,iobase=0xf4"],
      ],
    }).outputSync();
    // The ROM's last act is to leave with 0, which comes out as 1.
    if (code !== 1) throw new Error(`QEMU left with ${code}: ${new TextDecoder().decode(stderr)}`);
    return Deno.readTextFileSync(`${folder}/told`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function keep(mode: RomMode, cases: readonly RomCase[], name = `${mode}`): Promise<void> {
  const lines = readTold(mode, cases, askQemu(systemRom(mode, cases)));
  const text = new Blob([lines.map((line) => `${line}\n`).join("")]);
  const zipped = text.stream().pipeThrough(new CompressionStream("gzip"));
  const file = new URL(`../../testdata/system/${name}.txt.gz`, import.meta.url);
  await Deno.writeFile(file, zipped);
  console.log(`${name}: ${lines.length} programs`);
}

if (import.meta.main) {
  Deno.mkdirSync(new URL("../../testdata/system/", import.meta.url), { recursive: true });
  await keep(32, systemCases32());
  await keep(64, systemCases64());
  await keep(32, typeCases(), "32-types");
  await keep(64, typeCases(), "64-types");
}
