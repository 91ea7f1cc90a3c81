import assert from "node:assert/strict";
import { allCases, encode } from "../../testdata/instruction_cases.ts";
import { formsOf } from "../../testdata/disassembly.ts";
import { DECODED, Decoder, type DecodeStatus, TOO_LONG, TRUNCATED, UNDEFINED } from "./decode.ts";
import { Instruction, type Mode, PREFIX_REP, PREFIX_REPNE } from "./instruction.ts";
import { parseOperand, parseRow } from "./opcodes/form.ts";

const modes = [16, 32, 64] as const;

function decode(
  mode: Mode,
  hex: string,
  has?: (feature: string) => boolean,
): { status: DecodeStatus; i: Instruction; text: string | undefined } {
  const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
  const decoder = new Decoder(mode, has);
  const i = new Instruction();
  const status = decoder.decode(bytes, 0, bytes.length, i);
  return { status, i, text: status === DECODED ? decoder.forms[i.form]?.row.text : undefined };
}

Deno.test("every row that a mode has is decoded in it, from bytes made of the row", () => {
  for (const mode of modes) {
    const met = new Set<number>();
    for (const { form } of allCases(mode, false)) met.add(form);
    const forms = new Decoder(mode).forms;
    const unmet = formsOf(mode).filter((n) => !met.has(n)).map((n) => forms[n]?.row);
    assert.deepEqual(unmet, [], `${mode}-bit`);
  }
});

Deno.test("an instruction cut short anywhere asks for more bytes, and never reads them", () => {
  const i = new Instruction();
  for (const mode of modes) {
    const decoder = new Decoder(mode);
    let n = 0;
    for (const { bytes } of allCases(mode, false)) {
      if (n++ % 7 !== 0) continue;
      for (let end = 0; end < bytes.length; end++) {
        // What lies behind the end would make another instruction.
        const code = bytes.slice();
        code.fill(0xf0, end);
        assert.equal(decoder.decode(code, 0, end, i), TRUNCATED, bytes.toHex());
        assert.equal(i.length, end);
      }
    }
  }
});

Deno.test("fifteen bytes are an instruction, sixteen are a fault", () => {
  const prefixes = (n: number) => "2e".repeat(n);
  assert.equal(decode(32, prefixes(14) + "90").status, DECODED);
  assert.equal(decode(32, prefixes(15) + "90").status, TOO_LONG);
  assert.equal(decode(32, prefixes(10) + "b8 00000000").status, DECODED);
  assert.equal(decode(32, prefixes(11) + "b8 00000000").status, TOO_LONG);
  assert.equal(decode(32, prefixes(14)).status, TRUNCATED);
  assert.equal(decode(32, prefixes(15)).status, TOO_LONG);
});

Deno.test("LOCK is for what reads, changes and writes memory; before all else it is #UD", () => {
  assert.equal(decode(32, "f0 01 00").text, "add Ev, Gv");
  assert.equal(decode(32, "f0 01 c0").status, UNDEFINED);
  assert.equal(decode(32, "f0 03 00").status, UNDEFINED);
  assert.equal(decode(32, "f0 39 00").status, UNDEFINED);
  assert.equal(decode(32, "f0 0f a3 00").status, UNDEFINED);
  assert.equal(decode(32, "f0 0f ab 00").text, "bts Ev, Gv");
  assert.equal(decode(64, "f0 48 0f c7 08").text, "cmpxchg16b Mdq");
  assert.equal(decode(32, "f0 89 00").status, UNDEFINED);
  assert.equal(decode(32, "f0 90").status, UNDEFINED);
});

Deno.test("REX counts only directly before the opcode", () => {
  assert.equal(decode(64, "48 01 c0").i.operandSize, 64);
  assert.equal(decode(64, "48 66 01 c0").i.operandSize, 16);
  assert.equal(decode(64, "66 48 01 c0").i.operandSize, 64);
  assert.equal(decode(64, "41 48 01 c0").i.rm, 0);
  assert.equal(decode(32, "48 01 c0").text, "dec Zv");
});

Deno.test("operand sizes follow mode, prefix and row", () => {
  const sizes: readonly (readonly [Mode, string, number])[] = [
    [16, "01 c0", 16],
    [16, "66 01 c0", 32],
    [32, "01 c0", 32],
    [32, "66 01 c0", 16],
    [64, "01 c0", 32],
    [64, "50", 64],
    [64, "66 50", 16],
    [64, "48 50", 64],
    [64, "e8 00000000", 64],
    // Near jumps: Intel's processors heed no 66 in 64-bit mode.
    [64, "66 e8 00000000", 64],
    [32, "66 e8 0000", 16],
    [64, "66 0f 6f c0", 32],
    [64, "0f 20 c0", 64],
  ];
  for (const [mode, hex, size] of sizes) {
    const { status, i } = decode(mode, hex);
    assert.deepEqual([status, i.operandSize, i.length], [
      ...[DECODED, size, hex.replaceAll(" ", "").length / 2],
    ], hex);
  }
});

Deno.test("prefixes choose rows: f2 and f3 before 66, the last of f2 and f3", () => {
  assert.equal(decode(32, "0f 6f c0").text, "movq Pq, Qq");
  assert.equal(decode(32, "66 0f 6f c0").text, "movdqa Vdq, Wdq");
  assert.equal(decode(32, "f3 66 0f 6f c0").text, "movdqu Vdq, Wdq");
  assert.equal(decode(32, "f2 0f 6f c0").status, UNDEFINED);
  assert.equal(decode(32, "f3 f2 0f 10 c0").text, "movsd Vsd, Wsd");
  assert.equal(decode(32, "f2 f3 0f 10 c0").text, "movss Vss, Wss");
  assert.equal(decode(32, "f3 a4").i.prefixes, PREFIX_REP);
  assert.equal(decode(32, "f3 f2 a6").i.prefixes, PREFIX_REPNE);
  // As part of the opcode it repeats nothing.
  assert.equal(decode(32, "f3 0f 10 c0").i.prefixes, 0);
});

Deno.test("NOP is XCHG with REX.B, and PAUSE as well", () => {
  assert.equal(decode(64, "90").text, "nop");
  assert.equal(decode(64, "48 90").text, "nop");
  assert.equal(decode(64, "41 90").text, "xchg Zv, rAX");
  assert.equal(decode(64, "f3 90").text, "pause");
  assert.equal(decode(64, "f3 41 90").text, "xchg Zv, rAX");
  assert.equal(decode(32, "91").text, "xchg Zv, rAX");
});

Deno.test("without a feature its opcodes are undefined, or what they were before", () => {
  const without = (name: string) => (feature: string) => feature !== name;
  assert.equal(decode(64, "f3 0f bc c0").text, "tzcnt Gv, Ev");
  assert.equal(decode(64, "f3 0f bc c0", without("bmi1")).text, "bsf Gv, Ev");
  assert.equal(decode(64, "f3 0f b8 c0", without("popcnt")).status, UNDEFINED);
  assert.equal(decode(64, "0f 44 c0", without("cmov")).status, UNDEFINED);
  assert.equal(decode(64, "0f 01 d0", without("xsave")).status, UNDEFINED);
});

Deno.test("VEX and EVEX are undefined; in 32-bit code their bytes with memory are LES, LDS, BOUND", () => {
  for (const hex of ["c5 f8 77", "c4 e2 7d 18 00", "62 f1 7c 48 10 00"]) {
    assert.equal(decode(64, hex).status, UNDEFINED, hex);
  }
  assert.equal(decode(32, "c5 f8 77").status, UNDEFINED);
  assert.equal(decode(32, "c5 00").text, "lds Gv, Mp");
  assert.equal(decode(32, "62 00").text, "bound Gv, Ma");
});

Deno.test("moves to and from control and debug registers have no memory form", () => {
  for (const hex of ["0f 20 c3", "0f 20 03", "0f 22 43", "0f 21 84"]) {
    const { status, i } = decode(64, hex);
    assert.deepEqual([status, i.length, i.isMemory], [DECODED, 3, false], hex);
  }
});

Deno.test("addresses: base, index, shift, displacement and the segment that goes with them", () => {
  const fields = (mode: Mode, hex: string) => {
    const { i: { base, index, shift, disp, segment } } = decode(mode, hex);
    return [base, index, shift, disp, segment];
  };
  assert.deepEqual(fields(16, "8b 02"), [5, 6, 0, 0, 2]);
  assert.deepEqual(fields(16, "8b 06 3412"), [-1, -1, 0, 0x1234, 3]);
  assert.deepEqual(fields(16, "8b 46 fe"), [5, -1, 0, -2, 2]);
  assert.deepEqual(fields(16, "8b 87 0080"), [3, -1, 0, -0x8000, 3]);
  assert.deepEqual(fields(32, "8b 04 24"), [4, -1, 0, 0, 2]);
  assert.deepEqual(fields(32, "8b 04 65 78563412"), [-1, -1, 1, 0x12345678, 3]);
  assert.deepEqual(fields(32, "8b 44 88 04"), [0, 1, 2, 4, 3]);
  assert.deepEqual(fields(32, "8b 04 28"), [0, 5, 0, 0, 3]);
  assert.deepEqual(fields(32, "8b 05 00000080"), [-1, -1, 0, -0x8000_0000, 3]);
  assert.deepEqual(fields(64, "8b 05 00000080"), [16, -1, 0, -0x8000_0000, 3]);
  assert.deepEqual(fields(64, "42 8b 04 20"), [0, 12, 0, 0, 3]);
  assert.deepEqual(fields(64, "41 8b 45 00"), [13, -1, 0, 0, 3]);
  assert.deepEqual(fields(64, "65 8b 04 25 28000000"), [-1, -1, 0, 0x28, 5]);
  // In 64-bit mode DS and its kin do not even end an override by GS.
  assert.deepEqual(fields(64, "65 2e 8b 04 25 28000000"), [-1, -1, 0, 0x28, 5]);
  assert.deepEqual(fields(32, "65 2e 8b 00"), [0, -1, 0, 0, 1]);
});

Deno.test("immediates are sign-extended to 64 bits, or have them all", () => {
  const fields = (mode: Mode, hex: string) => {
    const { i } = decode(mode, hex);
    return [i.immediate, i.immediateHigh, i.immediate2];
  };
  assert.deepEqual(fields(64, "48 b8 8877665544332291"), [0x55667788, 0x91223344 | 0, 0]);
  assert.deepEqual(fields(64, "48 c7 c0 ffffffff"), [-1, -1, 0]);
  assert.deepEqual(fields(64, "48 83 c0 80"), [-128, -1, 0]);
  assert.deepEqual(fields(32, "cd 80"), [0x80, 0, 0]);
  assert.deepEqual(fields(32, "c2 00ff"), [0xff00, 0, 0]);
  assert.deepEqual(fields(32, "c8 00ff 1f"), [0xff00, 0, 0x1f]);
  assert.deepEqual(fields(16, "ea 34f2 00f0"), [0xf234, 0, 0xf000]);
  assert.deepEqual(fields(32, "ea 78563412 1000"), [0x12345678, 0, 0x10]);
  assert.deepEqual(fields(64, "a1 8877665544332211"), [0x55667788, 0x11223344, 0]);
  assert.deepEqual(fields(64, "67 a1 887766f5"), [0xf5667788 | 0, 0, 0]);
});

Deno.test("a row that is not in the notation, or in which opcode and text disagree, is refused", () => {
  const wrong: readonly (readonly [opcode: string, text: string])[] = [
    ["0f", "add Eb, Gb"],
    ["04", "add AL, Ib"],
    ["04 ib", "add AL"],
    ["00", "add Eb, Gb"],
    ["00 /r", "add Eb, Kb"],
    ["00 /r zz", "add Eb, Gb"],
  ];
  for (const [opcode, text] of wrong) {
    assert.throws(() => parseRow({ opcode, text }), TypeError, `${opcode}: ${text}`);
  }
  assert.throws(() => parseOperand("Ev/Mw"), TypeError);
});

Deno.test("what an instruction encodes, the encoder of the cases says again", () => {
  const decoder = new Decoder(64);
  const index = decoder.forms.findIndex((form) => form?.row.opcode === "69 /r iz");
  const form = decoder.forms[index];
  assert.ok(form);
  const bytes = encode(form, { mode: 64, rex: 0x4c, modrm: 0x83, disp: -2, immediate: 0x1234n });
  assert.equal(bytes.toHex(), "4c6983feffffff34120000");
});
