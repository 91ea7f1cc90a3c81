import assert from "node:assert/strict";
import fc from "fast-check";
import { operandsOf } from "../../testdata/assembly.ts";
import { allCases } from "../../testdata/instruction_cases.ts";
import { Assembler, type AssemblyOperand, at, between, far, mem, to } from "./assemble.ts";
import { DECODED, Decoder } from "./decode.ts";
import { disassemble } from "./disassemble.ts";
import { Instruction, type Mode } from "./instruction.ts";

const address = 0x10000;

function assemble(mode: Mode, mnemonic: string, ...operands: readonly AssemblyOperand[]): string {
  const a = new Assembler({ mode, origin: address });
  return a.emit(mnemonic, ...operands).finish().toHex();
}

/** What an instruction says; of an address in memory, as every row that can say it writes it. */
function textOf(code: Uint8Array, mode: Mode, place = address): string {
  const { text } = disassemble(code, { mode, address: BigInt(place) });
  return text.replace(/ # .*/, "").replace(/\w+ PTR (?=[defgcs]s:0x)/, "");
}

/** Assembles; what leads too far from a place, since it became shorter, a bit further on. */
function assembleNear(mode: Mode, mnemonic: string, operands: readonly AssemblyOperand[]) {
  for (let further = 0;; further++) {
    try {
      const a = new Assembler({ mode, origin: address + further });
      const code = a.emit(mnemonic, ...operands).finish();
      return { code, place: address + further };
    } catch (error) {
      if (further === 3 || !(error instanceof RangeError)) throw error;
    }
  }
}

const isPlace = (one: AssemblyOperand) => typeof one === "object" && one.kind === "reference";

for (const mode of [16, 32, 64] as const) {
  Deno.test(`what every row says in ${mode}-bit code is assembled to what says the same`, () => {
    const i = new Instruction();
    const decoder = new Decoder(mode);
    const met = new Set<number>();
    const seen = new Set<string>();
    const wrong: string[] = [];
    for (const { form: index, bytes } of allCases(mode, false)) {
      const form = decoder.forms[index];
      assert.ok(form !== undefined);
      assert.equal(decoder.decode(bytes, 0, bytes.length, i), DECODED);
      const { mnemonic, operands } = operandsOf(i, form, mode, address);
      const was = textOf(bytes, mode);
      const key = `${mnemonic} ${was}`;
      if (met.has(index) && seen.has(key)) continue;
      met.add(index);
      seen.add(key);
      try {
        const { code, place } = assembleNear(mode, mnemonic, operands);
        const is = textOf(code, mode, place);
        const isLonger = code.length > bytes.length && !operands.some(isPlace);
        if (is !== was || isLonger) wrong.push(`${bytes.toHex()} ${was}, ${is}`);
      } catch (error) {
        wrong.push(`${bytes.toHex()} ${was}: ${error}`);
      }
    }
    assert.ok(seen.size > 5_000, `${seen.size}`);
    assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${seen.size}`);
  });
}

Deno.test("the shortest of the rows that fit is taken, the first of the map among equals", () => {
  assert.equal(assemble(32, "add", "eax", 1), "83c001");
  assert.equal(assemble(32, "add", "eax", 0xffffffff), "83c0ff");
  assert.equal(assemble(32, "add", "eax", 0x1000), "0500100000");
  assert.equal(assemble(32, "mov", "eax", "ebx"), "89d8");
  assert.equal(assemble(32, "mov", "eax", mem({ disp: 0x1234 })), "a134120000");
  assert.equal(assemble(64, "mov", "rax", -1), "48c7c0ffffffff");
  assert.equal(assemble(64, "mov", "rax", 0xffffffffn), "48b8ffffffff00000000");
  assert.equal(assemble(16, "shl", "ax", 1), "d1e0");
  assert.equal(assemble(32, "xchg", "ecx", "eax"), "91");
});

Deno.test("prefixes follow from operands and mode, and words ask for what no operand tells", () => {
  assert.equal(assemble(16, "mov", "eax", mem({ base: "ebx", disp: 4 })), "67668b4304");
  assert.equal(assemble(32, "mov", "ax", mem({ base: "bx", index: "si" })), "67668b00");
  assert.equal(assemble(64, "mov", "r9d", mem({ base: "r13" })), "458b4d00");
  assert.equal(assemble(64, "mov", "sil", "al"), "4088c6");
  assert.equal(assemble(32, "mov", "al", mem({ base: "ebp", segment: "ds" })), "3e8a4500");
  assert.equal(assemble(32, "rep movsd"), "f3a5");
  assert.equal(assemble(16, "a32 rep stosb"), "67f3aa");
  assert.equal(assemble(64, "o64 retf"), "48cb");
  assert.equal(assemble(32, "lock inc", mem({ base: "eax", size: 32 })), "f0ff00");
  assert.equal(assemble(32, "far jmp", mem({ base: "eax", size: 48 })), "ff28");
  assert.equal(assemble(64, "iretq"), "48cf");
  assert.equal(assemble(32, "jmp", far(8, 0x1234)), "ea341200000800");
});

Deno.test("jumps are short where they reach, and grow where they do not", () => {
  const a = new Assembler({ mode: 32, origin: 0x1000 });
  a.label("start").emit("jz", at("near")).emit("jnz", at("end"));
  a.label("near").bytes(...new Array(123).fill(0x90));
  // This one is too far by a byte, and its growth takes the second out of reach.
  a.emit("jmp", at("start")).label("end");
  const code = a.finish();
  assert.equal(code.subarray(0, 8).toHex(), "74060f8580000000");
  assert.equal(code.subarray(-5).toHex(), "e978ffffff");
  assert.equal(a.address("end"), 0x1000 + code.length);
  const high = new Assembler({ mode: 64, origin: 0x1_0000_0000 }).label("here");
  assert.equal(high.emit("mov", "rax", at("here")).finish().toHex(), "48b80000000001000000");
  assert.equal(assemble(16, "jmp", to(0x8000)), "e9fd7f");
  assert.equal(assemble(64, "call", to(address)), "e8fbffffff");
});

Deno.test("labels stand for addresses in code and data, and for distances", () => {
  const a = new Assembler({ mode: 64, origin: 0x2000 });
  a.emit("lea", "rsi", mem({ base: "rip", disp: at("text") }));
  a.emit("mov", "edi", at("text", 1));
  a.emit("mov", "al", mem({ disp: at("text") }));
  a.emit("mov", "rax", at("text"));
  a.align(32, 0xcc).label("text").text("hé").label("end");
  a.u16(between("text", "end"), 0xffff).u32(at("end")).u64(at("end", -1), -1);
  a.skipTo(0x2048);
  const code = a.finish();
  assert.equal(code.length, 0x48);
  assert.equal(
    code.toHex(),
    "488d3519000000" + "bf21200000" + "8a042520200000" + "48c7c020200000" + "cc".repeat(6) +
      "68c3a9" + "0300ffff" + "23200000" + "2220000000000000" + "ff".repeat(8) + "00".repeat(13),
  );
});

Deno.test("what no row fits is said, with its operands", () => {
  const said = (mode: Mode, mnemonic: string, ...operands: AssemblyOperand[]) => {
    let message = "";
    assert.throws(() => assemble(mode, mnemonic, ...operands), (error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError);
      message = error.message;
      return true;
    });
    return message;
  };
  assert.equal(
    said(32, "mov", "eax", "bx"),
    "mov eax, bx: no row of the opcode map fits in 32-bit code",
  );
  assert.equal(
    said(32, "mov", mem({ base: "ebx", index: "ecx", scale: 4 }), 1),
    "mov ? bits at [ebx+ecx*4+…], 1: memory has to say its size",
  );
  assert.equal(said(32, "movv", "eax"), "movv eax: there is no such instruction");
  assert.equal(said(32, "mov", "eex", 1), 'mov eex, 1: there is no register "eex"');
  assert.equal(said(32, "fast mov", "eax", 1), '"fast" is no prefix');
  assert.match(said(64, "mov", "ah", "r8b"), /no row/);
  assert.match(said(64, "pushad"), /no row/);
  assert.match(said(64, "mov", "al", mem({ base: "rbx", segment: "ds", index: "rsp" })), /no row/);
  assert.match(said(32, "mov", "al", 256), /no row/);
  assert.equal(said(32, "loop", at("nowhere")), 'there is no label "nowhere"');
  assert.equal(said(32, "loop", to(0)), "address 0 is too far away");
  const twice = new Assembler({ mode: 32 }).label("a");
  assert.throws(() => twice.label("a"), { message: 'there are two labels "a"' });
  const back = new Assembler({ mode: 32, origin: 0x20 }).skipTo(0x10);
  assert.throws(() => back.finish(), { name: "RangeError", message: "0x10 lies behind 0x20" });
});

Deno.test("a program of jumps leads where it says, however far apart its labels are", () => {
  const program = fc.record({
    mode: fc.constantFrom<Mode>(16, 32, 64),
    gaps: fc.array(fc.integer({ min: 0, max: 140 }), { minLength: 2, maxLength: 12 }),
    targets: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
  });
  fc.assert(
    fc.property(program, ({ mode, gaps, targets }) => {
      const a = new Assembler({ mode, origin: 0x100 });
      const leads = gaps.map((_, n) => (targets[n] ?? 0) % gaps.length);
      for (const [n, gap] of gaps.entries()) {
        a.label(`${n}`).emit(n % 2 === 0 ? "jmp" : "jc", at(`${leads[n]}`));
        a.bytes(...new Array(gap).fill(0x90));
      }
      const code = a.finish();
      for (const [n, lead] of leads.entries()) {
        const start = a.address(`${n}`);
        const rest = code.subarray(start - 0x100);
        const { text, length } = disassemble(rest, { mode, address: BigInt(start) });
        const target = a.address(`${lead}`);
        assert.equal(text, `${n % 2 === 0 ? "jmp" : "jb"} 0x${target.toString(16)}`);
        const distance = target - start - 2;
        // Of those that just reach, growth of others may have made a long one.
        if (distance > -100 && distance < 90) assert.equal(length, 2);
      }
    }),
    { seed: 20, numRuns: 200 },
  );
});
