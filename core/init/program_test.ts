import assert from "node:assert/strict";
import { disassemble } from "../../emu/cpu/disassemble.ts";
import { decodeElf } from "../../formats/elf.ts";
import { contentsOf, decodeCpio, showMember } from "../../formats/initramfs/cpio.ts";
import { initConsoles, initLines } from "../../testdata/init_consoles.ts";
import { builtinInitramfs } from "./initramfs.ts";
import { initProgram } from "./program.ts";

for (const bits of [32, 64] as const) {
  const program = initProgram(bits);
  const name = bits === 32 ? "i386" : "x86-64";

  Deno.test(`the init for ${name} is a static executable of one page that can be run as it lies`, () => {
    const elf = decodeElf(program);
    assert.deepEqual(elf.complaints, []);
    assert.equal(elf.machine, bits === 32 ? 3 : 62);
    assert.equal(elf.type, 2);
    const [load, stack] = elf.phdrs;
    assert.equal(elf.phdrs.length, 2);
    assert.equal(load?.filesz, BigInt(program.length));
    assert.ok(program.length < 1024, `${program.length}`);
    assert.equal(load?.flags, 5);
    assert.equal(stack?.flags, 6);
    assert.ok(elf.entry > load.vaddr && elf.entry < load.vaddr + load.filesz);
  });

  Deno.test(`every instruction of the init for ${name} is one, and they are these`, async (t) => {
    const base = bits === 32 ? 0x08048000 : 0x400000;
    const { entry } = decodeElf(program);
    const end = program.indexOf(0x2f);
    const lines: string[] = [];
    for (let p = Number(entry) - base; p < end;) {
      const address = BigInt(base + p);
      const { text, length, status } = disassemble(program.subarray(p), { mode: bits, address });
      assert.equal(status, 0);
      lines.push(`${address.toString(16)}  ${text}`);
      p += length;
    }
    await t.assertSnapshot(lines.join("\n"));
  });

  Deno.test(`the built-in initramfs for ${name} has a console, the init, and nothing else`, () => {
    const archive = builtinInitramfs(bits);
    assert.deepEqual(archive, builtinInitramfs(bits));
    const { members, complaints } = decodeCpio(archive);
    assert.deepEqual(complaints, []);
    assert.deepEqual(members.map(showMember), [
      "drwxr-xr-x   2 0     0             0 1970-01-01 00:00 dev",
      "crw-------   1 0     0          5, 1 1970-01-01 00:00 dev/console",
      `-rwxr-xr-x   1 0     0           ${program.length} 1970-01-01 00:00 init`,
    ]);
    const init = members.find((member) => member.name === "init");
    assert.ok(init !== undefined);
    assert.deepEqual(contentsOf(archive, init), program);
  });
}

Deno.test("the texts that real kernels' consoles showed are all in the program", () => {
  for (const of of initConsoles) {
    const known = [of.release, of.version, ...of.memory.map(String)];
    const text = new TextDecoder("latin1").decode(initProgram(of.bits));
    for (const line of initLines(of)) {
      const own = known.reduce((rest, word) => rest.replace(word, "\0"), line)
        .replace(/Linux |1$|\bi686|x86_64/g, "\0");
      for (const part of own.split("\0").filter((part) => part.trim().length > 1)) {
        assert.ok(text.includes(part), `${part} in ${line}`);
      }
    }
  }
});
