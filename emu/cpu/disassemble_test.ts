import assert from "node:assert/strict";
import createCapstone from "@alexaltea/capstone-js";
import { agrees, readWitnessed } from "../../testdata/disassembly.ts";
import { allCases } from "../../testdata/instruction_cases.ts";
import { Decoder } from "./decode.ts";
import { disassemble } from "./disassemble.ts";

const modes = [16, 32, 64] as const;

for (const mode of modes) {
  Deno.test(`objdump and we say the same of ${mode}-bit code: every row, and random bytes`, async () => {
    const file = new URL(`../../testdata/objdump/${mode}.txt.gz`, import.meta.url);
    const kept = await readWitnessed(await Deno.readFile(file));
    assert.ok(kept.length > 5000, `${kept.length} answers`);
    const disagreements = kept.flatMap((theirs, n) => {
      // What stands between random bytes is no case.
      if (theirs.bytes.every((byte) => byte === 0x90)) return [];
      const { length, text } = disassemble(theirs.bytes, { mode, address: BigInt(n * 16) });
      const same = agrees({ bytes: theirs.bytes, length, text }, theirs);
      return same ? [] : [`${theirs.bytes.toHex()} ${theirs.text} | ${text}`];
    });
    assert.deepEqual(disagreements, []);
  });
}

/** What capstone knows nothing of, or something else, and why that is no matter. */
const capstoneGaps: readonly (readonly [RegExp, string])[] = [
  [
    /^(nop|enqcmds?|ptwrite|clrssbsy|lkgs|senduipi|serialize|x(sus|res)ldtrk) ?/,
    "newer or undefined",
  ],
  [
    /^(wrmsrns|rdpru|invlpgb|tlbsync|incssp\w|umonitor|umwait|[ct]lui|stui|testui|uiret)\b/,
    "newer",
  ],
  [/^(tdcall|seam\w+|rmp\w+|pvalidate|psmash|rdssp\w|cldemote)\b/, "newer"],
  [/^(fcom|fcomp|fxch|fstp) st\(/, "second forms of x87 instructions"],
  [/^[lms]fence/, "low bits of the ModRM byte"],
  [/^ud[01] /, "it gives them no ModRM byte, as AMD did"],
  [/^movsxd /, "none with 67 before it"],
  [/^(pause|[rw]\w+[fg]sbase .*)$/, "66 before f3"],
];

Deno.test("capstone finds the same lengths in cases of every row", async () => {
  const capstone = await createCapstone();
  for (const mode of modes) {
    const decoder = new Decoder(mode);
    const engine = new capstone.Capstone(
      capstone.ARCH_X86,
      mode === 16 ? capstone.MODE_16 : mode === 32 ? capstone.MODE_32 : capstone.MODE_64,
    );
    const disagreements: string[] = [];
    let compared = 0;
    let n = 0;
    for (const { form, bytes } of allCases(mode, false)) {
      if (n++ % 5 !== 0) continue;
      // In 16-bit code it takes 66 for the operand size only; in 64-bit code
      // it lets 66 shorten the distances of near jumps, as AMD's processors do.
      if (mode === 16 && decoder.forms[form]?.prefix === "66") continue;
      const size = decoder.forms[form]?.row.size;
      if (mode === 64 && size === "f64" && bytes.includes(0x66)) continue;
      const { length, text } = disassemble(bytes, { mode });
      if (capstoneGaps.some(([ours]) => ours.test(text))) continue;
      compared++;
      const theirs = sizeOf(() => engine.disasm(bytes, 0, 1));
      if (theirs !== length) disagreements.push(`${bytes.toHex()} ${text}: ${theirs}`);
    }
    engine.close();
    assert.deepEqual(disagreements, [], `${mode}-bit`);
    assert.ok(compared > 3500, `${compared} compared`);
  }
});

/** Length of the first instruction, 0 where the engine finds none, which it throws. */
function sizeOf(disassembled: () => readonly { readonly size: number }[]): number {
  try {
    return disassembled()[0]?.size ?? 0;
  } catch {
    return 0;
  }
}

Deno.test("symbols stand beside targets and what is addressed relative to RIP", () => {
  const symbol = (address: bigint) =>
    address === 0xffffffff81000010n ? "startup_64+0x10" : undefined;
  const address = 0xffffffff81000000n;
  const text = (hex: string) =>
    disassemble(Uint8Array.fromHex(hex), { mode: 64, address, symbol }).text;
  assert.equal(text("e80b000000"), "call 0xffffffff81000010 <startup_64+0x10>");
  assert.equal(text("e80c000000"), "call 0xffffffff81000011");
  assert.equal(
    text("488d0509000000"),
    "lea rax,[rip+0x9] # 0xffffffff81000010 <startup_64+0x10>",
  );
});

Deno.test("prefixes that do something are told, what is no instruction is one bad byte", () => {
  const text = (hex: string) => disassemble(Uint8Array.fromHex(hex), { mode: 32 }).text;
  assert.equal(text("f00fb10b"), "lock cmpxchg DWORD PTR [ebx],ecx");
  assert.equal(text("f3a5"), "rep movs DWORD PTR es:[edi],DWORD PTR ds:[esi]");
  assert.equal(text("f2ae"), "repnz scas al,BYTE PTR es:[edi]");
  assert.equal(text("648b1d00000000"), "mov ebx,DWORD PTR fs:0x0");
  assert.deepEqual(disassemble(Uint8Array.of(0x0f, 0xff), { mode: 32 }), {
    ...{ length: 1, text: "(bad)", status: 3 },
  });
});
