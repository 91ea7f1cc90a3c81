import assert from "node:assert/strict";
import { romMachine } from "../../../testdata/rom_machine.ts";
import { systemCases32 } from "../../../testdata/system_cases.ts";
import { systemCases64 } from "../../../testdata/system_cases64.ts";
import { deviations32, deviations64 } from "../../../testdata/system_deviations.ts";
import { typeCases } from "../../../testdata/system_type_cases.ts";
import { readTold, systemRom } from "../../../testdata/system_rom.ts";

/** What a ROM tells on our machine, started at the reset vector. */
function run(rom: Uint8Array): string {
  let told = "";
  const decoder = new TextDecoder();
  const machine = romMachine(rom, {
    debug: (bytes) => {
      told += decoder.decode(bytes);
    },
  });
  assert.deepEqual(machine.run({ instructions: 20_000_000 }), { kind: "exit", code: 1 });
  return told;
}

async function keptLines(name: string): Promise<string[]> {
  const file = new URL(`../../../testdata/system/${name}.txt.gz`, import.meta.url);
  const stream = new Blob([await Deno.readFile(file)]).stream();
  const text = await new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text();
  return text.trimEnd().split("\n");
}

/**
 * Whether two tell the same. QEMU 7.2 leaves RF clear in what a fault saves, so
 * it may be set in flags on the stack, which stand third or behind an error code.
 */
function tellsSame(theirs: string, ours: string): boolean {
  const [a, b] = [theirs.split(" "), ours.split(" ")];
  const bar = a.indexOf("|");
  return a.every((word, n) =>
    word === b[n] ||
    (n >= bar + 3 && n <= bar + 4 && (parseInt(word, 16) | 0x1_0000) === parseInt(b[n] ?? "", 16))
  );
}

for (const mode of [32, 64] as const) {
  Deno.test(`system instructions of ${mode}-bit code end as on QEMU, or as the manual says`, async () => {
    const cases = mode === 32 ? systemCases32() : systemCases64();
    const deviations = mode === 32 ? deviations32 : deviations64;
    const told = readTold(mode, cases, run(systemRom(mode, cases)));
    const kept = await keptLines(`${mode}`);
    assert.equal(kept.length, cases.length);
    for (const [n, { name }] of cases.entries()) {
      const theirs = kept[n] ?? "";
      const ours = told[n] ?? "";
      const deviation = deviations.find((one) => one.name.test(name));
      if (deviation === undefined) {
        assert.ok(tellsSame(theirs, ours), `\nQEMU: ${theirs}\nours: ${ours}`);
      } else {
        const words = ours.split(" ");
        const missing = deviation.tells.filter((word) => !words.includes(word));
        assert.deepEqual(missing, [], `${deviation.manual}: ${ours}`);
        assert.ok(!tellsSame(theirs, ours), `"${name}" is no deviation`);
      }
    }
  });
}

for (const mode of [32, 64] as const) {
  Deno.test(`every type of descriptor is loaded and judged as on QEMU, in ${mode}-bit code`, async () => {
    const cases = typeCases();
    const told = readTold(mode, cases, run(systemRom(mode, cases)));
    const kept = await keptLines(`${mode}-types`);
    assert.equal(kept.length, cases.length);
    // In long mode TSS and call gates of 16 bits and task gates are reserved types,
    // which LAR and LSL refuse (SDM vol. 2, LAR, table 3-54); QEMU takes them.
    const isReserved = (name: string) => mode === 64 && /^lar.* type [1345],/.test(name);
    const differ = cases.flatMap(({ name }, n) =>
      tellsSame(kept[n] ?? "", told[n] ?? "") ||
        isReserved(name) && / rbx=44440000 rdx=2222 rcx=1111 /.test(told[n] ?? "")
        ? []
        : [`${name}\nQEMU: ${kept[n]}\nours: ${told[n]}`]
    );
    assert.deepEqual(differ, []);
  });
}
